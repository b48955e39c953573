//! What the integration tests stand on.
#![allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::missing_panics_doc,
    reason = "test code: it may stop at the first surprise, and not every test uses all of it"
)]

pub mod expected;
pub mod fake_odoo;
pub mod lab;
pub mod proxy;
pub mod sales;
pub mod shop;
pub mod skip;
pub mod spoold;
