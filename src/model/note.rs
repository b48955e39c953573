//! Notes: what can be derived neither from Odoo nor from the spool, as the decision journal keeps it.
//!
//! These types are stored (`store::journal`): variants and fields are only ever added at the end.
//! No buyer data, except that a [`Note::Kept`] record may carry Odoo's words about a dead order.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

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
            | Self::Released { .. } => Vec::new(),
        }
    }
}

impl Note {
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
            | Self::Released { account, .. } => Some(account),
            Self::Paused { account, .. } | Self::Resumed { account, .. } => account.as_ref(),
            Self::DayDestroyed { .. } | Self::Installation { .. } => None,
        }
    }
}

fn kept_subject(account: &AccountId, order: &OrderId) -> String {
    format!("kept {account} {order}")
}
