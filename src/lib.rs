//! odoo-spoold.

pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod daemon;
pub mod deliver;
pub mod envelope;
pub mod flatfile;
pub mod model;
pub mod odoo;
pub mod plan;
pub mod spool;
pub mod store;
pub mod telemetry;
