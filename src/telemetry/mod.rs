//! Logging to journald or stderr, never blocking.

pub mod events;
