//! Logging to journald or stderr, never blocking.
pub mod events {
    //! temp
    #![allow(missing_docs)]
    use crate::model::{AccountId, OrderId};
    use jiff::Timestamp;
    pub fn job_unreadable(_: &AccountId, _: &str) {}
    pub fn odoo_back(_: &AccountId, _: Timestamp, _: Timestamp) {}
    pub fn released(_: &AccountId, _: &str, _: u64) {}
    pub fn order_delivered(_: &AccountId, _: &OrderId) {}
    pub fn order_done(_: &AccountId, _: &OrderId, _: &str) {}
    pub fn order_held(_: &AccountId, _: &OrderId, _: &str, _: &str) {}
    pub fn order_dead(_: &AccountId, _: &OrderId, _: &str) {}
    pub fn order_retry(_: &AccountId, _: &OrderId, _: u32, _: &str) {}
    pub fn odoo_unreachable(_: &AccountId, _: &str) {}
    pub fn account_paused(_: &AccountId, _: &str, _: &str) {}
    pub fn store_trouble(_: &AccountId, _: &str) {}
}
