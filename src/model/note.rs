//! Notes: what can be derived neither from Odoo nor from the spool, as the decision journal keeps it.
//!
//! These types are stored (`store::journal`). Only variants may be appended, and only at the end: an
//! older journal then reads as before. A field that is added, moved or taken away is a new schema
//! (`store::layout`), also deep inside (a [`Dossier`]), because what was written before would read as
//! damage. No buyer data: of a dead order its code, without Odoo's words.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::attention::{Attention, AttentionCode, Subject};
use super::dossier::Dossier;
use super::ids::{AccountId, OdooId, OrderId};
use super::job::JobState;
use super::mapping::Mapping;
use super::marker::OdooPin;
use super::marketplace::Marketplace;
use super::ruling::{Declined, Released, Ruling};

/// One entry of the decision journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Note {
    /// These orders stand in Odoo under these ids; one note per delivered batch. Known here and
    /// gone there means that a person deleted it.
    Delivered {
        /// The account.
        account: AccountId,
        /// The orders and their `sale.order` ids.
        orders: Vec<(OrderId, OdooId)>,
        /// When.
        at: Timestamp,
    },
    /// A person deleted the order in Odoo: it stays deleted.
    Gone {
        /// The account.
        account: AccountId,
        /// The order.
        order: OrderId,
        /// When it was noticed.
        at: Timestamp,
    },
    /// A person decided on an order.
    Decided {
        /// The account.
        account: AccountId,
        /// The order.
        order: OrderId,
        /// What.
        decision: Decision,
        /// When.
        at: Timestamp,
    },
    /// A person paused an account, or all. What stands is told whole: the last note counts.
    Paused {
        /// The account; none means all.
        account: Option<AccountId>,
        /// The user who ordered it, as the control socket knew them.
        by: Option<u32>,
        /// No file is taken in either.
        intake: bool,
        /// Since when.
        at: Timestamp,
    },
    /// A person resumed an account, or all.
    Resumed {
        /// The account; none means all.
        account: Option<AccountId>,
        /// When.
        at: Timestamp,
    },
    /// The Odoo that an account belongs to.
    Pin {
        /// The account.
        account: AccountId,
        /// Which Odoo.
        pin: OdooPin,
    },
    /// The business part of a record that is not settled when its file expires.
    Kept {
        /// The account.
        account: AccountId,
        /// All that is known of the order but its buyer.
        dossier: Box<Dossier>,
        /// Where its job stands: what it waits for, or why it is dead.
        state: JobState,
        /// Since when.
        since: Timestamp,
    },
    /// The key of a day was destroyed: its buyers are expired, not missing.
    DayDestroyed {
        /// The day, UTC.
        day: Date,
    },
    /// From when on an account's orders are created, where the settings name no day.
    Since {
        /// The account.
        account: AccountId,
        /// The start of the day on which the installation first knew it.
        at: Timestamp,
    },
    /// The random id of the installation.
    Installation {
        /// The id.
        id: String,
    },
    /// What stands of a person's decisions on the conflicts of an order: written when the person
    /// decides, and again when delivery has acted on it. Told whole: the last note counts.
    Ruled {
        /// The account.
        account: AccountId,
        /// The order.
        order: OrderId,
        /// By whose rules it was created: what a decision on its marketplace refers to.
        marketplace: Option<Marketplace>,
        /// What waits to be acted on. None: it was, and is never done again, whatever a person
        /// made of it since.
        ruling: Option<Ruling>,
        /// Values of the marketplace that are not to be written.
        declined: Vec<Declined>,
        /// When.
        at: Timestamp,
    },
    /// A person released a hold of an order: what counts for as long as both values stay.
    Released {
        /// The account.
        account: AccountId,
        /// The order.
        order: OrderId,
        /// What was released, by whom, and when.
        released: Released,
    },
    /// A person looked at an entry of the attention list and dismissed it.
    Dismissed {
        /// The account.
        account: AccountId,
        /// What it is about.
        subject: Subject,
        /// What kind of thing it says.
        code: AttentionCode,
        /// What tells it from others of the code.
        key: String,
        /// When.
        at: Timestamp,
    },
    /// A person says that orders which are gone from Odoo were deleted on purpose: all that were
    /// last written before. The last note counts.
    DeletedAccepted {
        /// The account.
        account: AccountId,
        /// The user who said so, as the control socket knew them.
        by: Option<u32>,
        /// When.
        at: Timestamp,
    },
}

/// What a person decided on an order as a whole. On its conflicts: [`Note::Ruled`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Decision {
    /// The order is of no interest any more.
    Dropped,
    /// It goes on although something asked to wait.
    Released,
}

impl Note {
    /// What the mapping of an order holds of a person's decisions.
    pub fn ruled(account: AccountId, order: OrderId, mapping: &Mapping, at: Timestamp) -> Self {
        let Mapping { marketplace, ruling, declined, .. } = mapping;
        let (ruling, declined) = (ruling.clone(), declined.clone());
        Self::Ruled { account, order, marketplace: *marketplace, ruling, declined, at }
    }

    /// What the note is about: of notes with one subject only the last counts. A batch of
    /// deliveries has one subject per order.
    pub fn subjects(&self) -> Vec<String> {
        let all = |account: &Option<AccountId>| {
            account.as_ref().map_or_else(String::new, ToString::to_string)
        };
        match self {
            Self::Delivered { account, orders, .. } => {
                orders.iter().map(|(order, _)| format!("delivered {account} {order}")).collect()
            }
            Self::Gone { account, order, .. } => vec![format!("gone {account} {order}")],
            Self::Decided { account, order, decision, .. } => {
                vec![format!("decided {account} {order} {decision:?}")]
            }
            Self::Paused { account, .. } | Self::Resumed { account, .. } => {
                vec![format!("pause {}", all(account))]
            }
            Self::Pin { account, .. } => vec![format!("pin {account}")],
            Self::Kept { account, dossier, .. } => {
                vec![kept_subject(account, &dossier.order_id)]
            }
            Self::DayDestroyed { day } => vec![format!("day {day}")],
            Self::Since { account, .. } => vec![format!("since {account}")],
            Self::Installation { .. } => vec!["installation".to_owned()],
            Self::Ruled { account, order, .. } => vec![format!("ruled {account} {order}")],
            Self::Released { account, order, released: Released { code, key, .. } } => {
                vec![format!("released {account} {order} {code} {key}")]
            }
            Self::Dismissed { account, subject, code, key, .. } => {
                vec![format!("dismissed {account} {subject} {} {key}", code.name())]
            }
            Self::DeletedAccepted { account, .. } => vec![format!("deleted {account}")],
        }
    }

    /// Subjects about which earlier notes do not count any more: a kept record ends with its
    /// delivery, its deletion, or a person's word that it is dropped.
    pub fn ends(&self) -> Vec<String> {
        match self {
            Self::Delivered { account, orders, .. } => {
                orders.iter().map(|(order, _)| kept_subject(account, order)).collect()
            }
            Self::Gone { account, order, .. }
            | Self::Decided { account, order, decision: Decision::Dropped, .. } => {
                vec![kept_subject(account, order)]
            }
            Self::Decided { .. }
            | Self::Paused { .. }
            | Self::Resumed { .. }
            | Self::Pin { .. }
            | Self::Kept { .. }
            | Self::DayDestroyed { .. }
            | Self::Since { .. }
            | Self::Installation { .. }
            | Self::Ruled { .. }
            | Self::Released { .. }
            | Self::Dismissed { .. }
            | Self::DeletedAccepted { .. } => Vec::new(),
        }
    }
}

impl Note {
    /// The entry that a person dismissed, as it stands in the attention list from then on.
    pub fn dismissal(self) -> Option<Attention> {
        let Self::Dismissed { subject, code, key, at, .. } = self else { return None };
        let dismissed = Some(at);
        Some(Attention { dismissed, ..Attention::new(subject, code, key, code.name(), at) })
    }

    /// The account that it is about, where it is about one.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Delivered { account, .. }
            | Self::Gone { account, .. }
            | Self::Decided { account, .. }
            | Self::Pin { account, .. }
            | Self::Kept { account, .. }
            | Self::Since { account, .. }
            | Self::Ruled { account, .. }
            | Self::Released { account, .. }
            | Self::Dismissed { account, .. }
            | Self::DeletedAccepted { account, .. } => Some(account),
            Self::Paused { account, .. } | Self::Resumed { account, .. } => account.as_ref(),
            Self::DayDestroyed { .. } | Self::Installation { .. } => None,
        }
    }
}

fn kept_subject(account: &AccountId, order: &OrderId) -> String {
    format!("kept {account} {order}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number under which a variant is stored; a new one gets the next.
    fn number(note: &Note) -> u8 {
        match note {
            Note::Delivered { .. } => 0,
            Note::Gone { .. } => 1,
            Note::Decided { .. } => 2,
            Note::Paused { .. } => 3,
            Note::Resumed { .. } => 4,
            Note::Pin { .. } => 5,
            Note::Kept { .. } => 6,
            Note::DayDestroyed { .. } => 7,
            Note::Since { .. } => 8,
            Note::Installation { .. } => 9,
            Note::Ruled { .. } => 10,
            Note::Released { .. } => 11,
            Note::Dismissed { .. } => 12,
            Note::DeletedAccepted { .. } => 13,
        }
    }

    fn account() -> AccountId {
        "eu".parse().unwrap()
    }

    fn order() -> OrderId {
        "205-1".parse().unwrap()
    }

    /// Notes of which each byte is known: a changed field shows here.
    fn samples() -> Vec<(Note, &'static str)> {
        let (account, order, at) = (account(), order(), Timestamp::UNIX_EPOCH);
        let instant = "14313937302d30312d30315430303a30303a30305a";
        let held = |of: String| -> &'static str { Box::leak(of.into_boxed_str()) };
        vec![
            (
                Note::Delivered { account: account.clone(), orders: vec![(order.clone(), 5)], at },
                held(format!("0002657501053230352d310a{instant}")),
            ),
            (
                Note::Gone { account: account.clone(), order: order.clone(), at },
                held(format!("01026575053230352d31{instant}")),
            ),
            (
                Note::Decided {
                    account: account.clone(),
                    order: order.clone(),
                    decision: Decision::Dropped,
                    at,
                },
                held(format!("02026575053230352d3100{instant}")),
            ),
            (
                Note::Paused { account: None, by: Some(7), intake: true, at },
                held(format!("0300010701{instant}")),
            ),
            (
                Note::Resumed { account: Some(account.clone()), at },
                held(format!("0401026575{instant}")),
            ),
            (Note::DayDestroyed { day: "2025-11-21".parse().unwrap() }, "070a323032352d31312d3231"),
            (Note::Since { account: account.clone(), at }, held(format!("08026575{instant}"))),
            (Note::Installation { id: "ab".into() }, "09026162"),
            (
                Note::DeletedAccepted { account: account.clone(), by: Some(7), at },
                held(format!("0d0265750107{instant}")),
            ),
            (
                Note::Dismissed {
                    account,
                    subject: Subject::Account,
                    code: AttentionCode::FileNotice,
                    key: "k".into(),
                    at,
                },
                held(format!("0c026575020501 6b{instant}").replace(' ', "")),
            ),
        ]
    }

    #[test]
    fn house_4_notes_keep_their_bytes_within_a_schema() {
        for (note, hex) in samples() {
            let bytes = postcard::to_stdvec(&note).unwrap();
            assert_eq!(bytes[0], number(&note), "{note:?}: variants are appended, never moved");
            let found: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, hex, "{note:?} changed: that is a new schema (store::layout)");
            assert_eq!(postcard::from_bytes::<Note>(&bytes).unwrap(), note);
        }
    }

    /// Why a field must not be appended: what was written before does not read any more.
    #[test]
    fn house_4_an_appended_field_makes_old_notes_unreadable() {
        #[derive(Debug, Serialize, Deserialize)]
        enum Before {
            Since { account: String },
        }
        #[derive(Debug, Serialize, Deserialize)]
        enum After {
            Since { account: String, by: Option<u32> },
            Appended { text: String },
        }
        #[derive(Debug, Serialize, Deserialize)]
        enum Appended {
            Since { account: String },
            Appended { text: String },
        }
        let bytes = postcard::to_stdvec(&Before::Since { account: "eu".into() }).unwrap();
        assert!(postcard::from_bytes::<After>(&bytes).is_err(), "a field more");
        assert!(postcard::from_bytes::<Appended>(&bytes).is_ok(), "a variant more");
    }
}
