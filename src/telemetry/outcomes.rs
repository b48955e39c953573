//! Which transition an order's outcome is: by its name, by its hold.

use super::events::{
    order_adopted, order_cancelled, order_conflict, order_delivered, order_expected,
    order_nothing_to_do, order_waiting, orders_released,
};
use crate::model::{AccountId, EndedBy, Hold, HoldCode, OrderId};

/// An order's job ended: one of several transitions, by its outcome's name.
pub fn order_done(account: &AccountId, order: &OrderId, outcome: &str) {
    match outcome {
        "delivered" => order_delivered(account, order),
        "cancelled" => order_cancelled(account, order),
        "adopted" => order_adopted(account, order),
        _ => order_nothing_to_do(account, order, outcome),
    }
}

/// An order is held: what a later file ends is no warning, and a conflict is a transition of its
/// own.
pub fn order_held(account: &AccountId, order: &OrderId, hold: &Hold) {
    match (hold.code, hold.code.ended_by()) {
        (HoldCode::Conflict, _) => order_conflict(account, order, &hold.text),
        (_, EndedBy::File) => order_expected(account, order, hold.code.name(), &hold.text),
        (_, EndedBy::Odoo | EndedBy::Person) => {
            order_waiting(account, order, hold.code.name(), &hold.text);
        }
    }
}

/// Held orders go on; nothing is said of none.
pub fn released(account: &AccountId, code: &str, orders: u64) {
    if orders > 0 {
        orders_released(account, code, orders);
    }
}
