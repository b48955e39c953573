//! The attention list: what a person should look at although it holds nothing.
//!
//! An entry is the same if code and key are: it is listed once, and once dismissed it stays so
//! until something else is to be said. Never buyer data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Entries kept per order: the newest; more than that nobody reads.
pub const MAX_ATTENTION: usize = 20;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AttentionCode {
    /// The marketplace changed an order that was in Odoo before us and is never written.
    AdoptedChanged,
    /// The buyer asked for cancellation of an order that is confirmed or has left.
    CancellationRequested,
    /// The marketplace sells fewer than have been delivered or invoiced.
    BelowDelivered,
    /// A report names the buyer of an order that was confirmed without.
    BuyerAfterConfirm,
    /// The marketplace revived an order that had been cancelled.
    Reopened,
}

/// One entry of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attention {
    /// What it is about.
    pub code: AttentionCode,
    /// What tells it from others of the code: a line, a state, a quantity.
    pub key: String,
    /// One sentence.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
    /// When a person dismissed it.
    pub dismissed: Option<Timestamp>,
}

impl AttentionCode {
    /// The word that people type and read.
    pub fn name(self) -> &'static str {
        match self {
            Self::AdoptedChanged => "adopted-changed",
            Self::CancellationRequested => "cancellation-requested",
            Self::BelowDelivered => "below-delivered",
            Self::BuyerAfterConfirm => "buyer-after-confirm",
            Self::Reopened => "reopened",
        }
    }
}

impl Attention {
    /// Adds an entry unless it is known, also as dismissed.
    pub fn add(list: &mut Vec<Self>, new: Self) {
        if list.iter().any(|known| known.code == new.code && known.key == new.key) {
            return;
        }
        list.push(new);
        let surplus = list.len().saturating_sub(MAX_ATTENTION);
        list.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: u32) -> Attention {
        Attention {
            code: AttentionCode::AdoptedChanged,
            key: key.to_string(),
            text: String::new(),
            since: Timestamp::UNIX_EPOCH,
            dismissed: None,
        }
    }

    #[test]
    fn what_was_dismissed_does_not_come_back() {
        let mut list = Vec::new();
        Attention::add(&mut list, entry(1));
        list[0].dismissed = Some(Timestamp::UNIX_EPOCH);
        Attention::add(&mut list, entry(1));
        assert_eq!((list.len(), list[0].dismissed), (1, Some(Timestamp::UNIX_EPOCH)));
        for key in 2..40 {
            Attention::add(&mut list, entry(key));
        }
        assert_eq!(list.len(), MAX_ATTENTION);
        assert_eq!(list.last(), Some(&entry(39)));
    }
}
