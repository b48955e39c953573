//! Words that are not known, where several reports speak of one order.
//!
//! In each column that decides something the newest report that says anything counts. If what it
//! says is known, an older report's strange word is over; if it is not, an older report's known word
//! is. A report without a version (order reports) is older than any other.

use crate::model::{Fact, Family, OrderStatus, UnknownWord};

/// The column that names the marketplace.
pub(super) const CHANNEL: &str = "sales-channel";

/// The strange words of an order's facts that no newer fact says better, sorted.
pub(super) fn that_count(facts: &[&Fact]) -> Vec<UnknownWord> {
    let mut words: Vec<UnknownWord> = Vec::new();
    for fact in facts {
        for word in &fact.unknown_words {
            let over = facts
                .iter()
                .any(|other| other.version > fact.version && says(other, &word.column, fact));
            if !over {
                words.push(word.clone());
            }
        }
    }
    words.sort();
    words.dedup();
    words
}

/// Whether a fact says anything, known or not, in this column where `older` has a strange word.
fn says(fact: &Fact, column: &str, older: &Fact) -> bool {
    if fact.unknown_words.iter().any(|word| word.column == column) {
        return true;
    }
    let head = &fact.head;
    match column {
        CHANNEL => head.marketplace.is_some() || head.non_amazon,
        "ship-country" => head.ship_country.is_some(),
        // A blank cell reads as "not collected", and says nothing.
        "tax-collection-model" => fact.lines.iter().any(|line| line.facilitator == Some(true)),
        "fulfillment-channel" => head.fulfilment.is_some(),
        "order-status" => head.status.is_some_and(|status| status != OrderStatus::Unknown),
        // What an unshipped report lists waits to be shipped: if it lists all of it, all of it does.
        "item-status" => fact.family == Family::Unshipped && fact.units() == older.units(),
        _ => false,
    }
}
