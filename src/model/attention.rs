//! The attention list: what a person should look at although it holds nothing.
//!
//! An entry is about a record, a file, or an account as a whole. Two entries of one subject are the
//! same if code and key are: it is listed once, and once dismissed it stays so until something else
//! is to be said. Never buyer data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::file_id::FileId;
use super::ids::OrderId;

/// Entries kept per subject: the newest; more than that nobody reads.
pub const MAX_ATTENTION: usize = 20;

/// What kind of thing an entry says. These are stored: a new one stands last.
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
    /// Something in a file that was taken in may mean that money is missing in Odoo.
    FileNotice,
    /// A part of the decision journal cannot be read.
    JournalDamaged,
    /// The delivery method that the settings name for a service level is not in Odoo, or twice.
    Carrier,
}

/// What an entry is about, within its account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A record: an order.
    Record(OrderId),
    /// A file.
    File(FileId),
    /// The account as a whole.
    Account,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attention {
    /// What it is about.
    pub subject: Subject,
    /// What kind of thing it says.
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
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::AdoptedChanged,
        Self::CancellationRequested,
        Self::BelowDelivered,
        Self::BuyerAfterConfirm,
        Self::Reopened,
        Self::FileNotice,
        Self::JournalDamaged,
        Self::Carrier,
    ];

    /// The word that people type and read.
    pub fn name(self) -> &'static str {
        match self {
            Self::AdoptedChanged => "adopted-changed",
            Self::CancellationRequested => "cancellation-requested",
            Self::BelowDelivered => "below-delivered",
            Self::BuyerAfterConfirm => "buyer-after-confirm",
            Self::Reopened => "reopened",
            Self::FileNotice => "file-notice",
            Self::JournalDamaged => "journal-damaged",
            Self::Carrier => "carrier",
        }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Record(order) => write!(f, "{order}"),
            Self::File(file) => f.write_str(file.as_str()),
            Self::Account => f.write_str("the account"),
        }
    }
}

impl Attention {
    /// An open entry.
    pub fn new(
        subject: Subject,
        code: AttentionCode,
        key: impl Into<String>,
        text: impl Into<String>,
        since: Timestamp,
    ) -> Self {
        Self { subject, code, key: key.into(), text: text.into(), since, dismissed: None }
    }

    /// Whether both say the same of the same subject.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.subject, self.code, &self.key) == (&other.subject, other.code, &other.key)
    }

    /// Adds an entry unless it is known, also as dismissed. A person's dismissal is taken over.
    pub fn add(list: &mut Vec<Self>, new: Self) {
        if let Some(known) = list.iter_mut().find(|known| known.is_same(&new)) {
            known.dismissed = known.dismissed.or(new.dismissed);
            return;
        }
        list.push(new);
        let surplus = list.len().saturating_sub(MAX_ATTENTION);
        list.drain(..surplus);
    }

    /// Whether anything in the list is not dismissed.
    pub fn any_open(list: &[Self]) -> bool {
        list.iter().any(|entry| entry.dismissed.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: u32) -> Attention {
        let subject = Subject::Account;
        let (code, since) = (AttentionCode::AdoptedChanged, Timestamp::UNIX_EPOCH);
        Attention::new(subject, code, key.to_string(), "", since)
    }

    #[test]
    fn what_was_dismissed_does_not_come_back() {
        let mut list = Vec::new();
        Attention::add(&mut list, entry(1));
        list[0].dismissed = Some(Timestamp::UNIX_EPOCH);
        Attention::add(&mut list, entry(1));
        assert_eq!((list.len(), list[0].dismissed), (1, Some(Timestamp::UNIX_EPOCH)));
        assert!(!Attention::any_open(&list));
        for key in 2..40 {
            Attention::add(&mut list, entry(key));
        }
        assert_eq!(list.len(), MAX_ATTENTION);
        assert_eq!(list.last(), Some(&entry(39)));
    }

    #[test]
    fn subjects_are_told_apart() {
        let mut list = vec![entry(1)];
        let subject = Subject::File(FileId::from_bits(1));
        Attention::add(&mut list, Attention { subject, ..entry(1) });
        assert_eq!(list.len(), 2);
    }

    #[test]
    fn a_dismissal_of_either_side_stands() {
        let mut list = vec![entry(1)];
        let dismissed = Some(Timestamp::UNIX_EPOCH);
        Attention::add(&mut list, Attention { dismissed, ..entry(1) });
        assert_eq!((list.len(), list[0].dismissed), (1, dismissed));
    }
}
