//! Speaks to Odoo: the only module that knows HTTP to Odoo and its two dialects.
//!
//! ```text
//! Call ──► Client ──► jsonrpc | json2 (bytes) ──► wire (one POST, capped, timed) ──► Odoo
//!                          │                          │
//!                          └── value ◄── answer ──────┴── Fault (class, kind, words, ambiguous)
//! ```
//!
//! * [`Endpoint`] says where Odoo is; plain HTTP leaves this host never.
//! * [`Client`] is cheap to clone, asks the server once ([`Client::probe`]) which dialect it speaks
//!   and keeps that: JSON-RPC up to 18, JSON-2 from 19.
//! * A [`Client`] only reads; what changes something in Odoo takes a [`Writer`].
//! * Each method of both is exactly one HTTP request (the first one may be preceded by a
//!   probe). Nothing is repeated here: when, how often and in which pieces is decided by `deliver`.
//! * [`Fault`] is the one table that decides retry, pause or reject; [`LoadReply::verdict`] is its
//!   counterpart for the failures that Odoo hides inside a successful answer of `load()`.
//!
//! Not here: queueing, batching, backing off, what to write. Odoo's own words may hold buyer data:
//! they travel as [`Words`], which neither `Debug` nor `Display` shows.

mod call;
mod client;
mod endpoint;
mod fault;
mod json2;
mod jsonrpc;
mod kind;
mod load;
mod meter;
mod probe;
mod seen;
mod wire;
mod writer;

pub use call::{Call, Context, Find, Record, Reply};
pub use client::Client;
pub use endpoint::{DEFAULT_LIMIT_TIME_REAL_SECS, Endpoint, EndpointError};
pub use fault::{Fault, Words};
pub use kind::{Class, FaultKind};
pub use load::{LoadMessage, LoadReply, Refusal, Span, Verdict};
pub use meter::Meter;
pub use probe::{Dialect, Server};
pub use writer::Writer;
