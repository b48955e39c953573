//! Logging to journald or stderr, never blocking.
//!
//! [`events`] is the table of everything worth a `MESSAGE_ID`; [`log`] starts the writer thread;
//! [`record`] and [`queue`] carry events to it, [`sink`] writes them.

pub mod codes;
pub mod events;
pub mod explain;
pub mod log;
pub mod outcomes;
pub mod panics;
mod phrases;
mod queue;
#[cfg(test)]
mod queue_tests;
mod record;
mod sink;
pub mod stops;
