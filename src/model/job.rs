//! Jobs: whether and when there is work to do on an order.
//!
//! There is one job per order (its lane): facts that arrive while it is pending coalesce into it,
//! and two workers never hold the same order.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::hold::Hold;
use super::ids::{AccountId, OrderId};

/// The stored job of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The account.
    pub account: AccountId,
    /// The order.
    pub order_id: OrderId,
    /// Where it stands.
    pub state: JobState,
    /// When it is to be looked at next; the scheduler's key while pending.
    pub due: Timestamp,
    /// Attempts that ended in a retry since the last success or new fact.
    pub attempt: u32,
    /// Raised by every new fact: a worker settles only the generation it leased.
    pub generation: u64,
    /// Raised by every lease: a worker that lost its lease cannot settle.
    pub fence: u64,
    /// When the state last changed.
    pub since: Timestamp,
    /// The last failure: its code, never Odoo's words.
    pub last_fault: Option<String>,
}

/// Where a job stands. The words follow Odoo's `queue_job`, plus held and dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// Waits for its due time.
    Pending,
    /// Leased by a worker. A restart makes it pending again.
    Started,
    /// Waits for a person or a missing thing; uses up no attempt.
    Held(Vec<Hold>),
    /// Refused for good: kept, explained, can be requeued.
    Dead(Death),
    /// Nothing to do; the word says what came of it.
    Done(Outcome),
}

/// Why a job is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// The fault's code.
    pub code: String,
    /// Odoo's words or ours, for a person who asks; may name record contents: never logged.
    pub words: String,
}

/// What came of a job that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The order stands in Odoo as the marketplace has it.
    Delivered,
    /// First seen cancelled: remembered, not created.
    CancelledUnseen,
    /// Cancelled in Odoo.
    Cancelled,
    /// Purchased before `import_from`: counted, not created.
    BeforeImportFrom,
    /// Had been shipped before we saw it, and the account skips those.
    AlreadyShipped,
    /// Stood in Odoo before us: adopted, never written.
    Adopted,
    /// A person deleted it in Odoo: stays deleted.
    DeletedInOdoo,
    /// Not sold on Amazon (`Non-Amazon …`): not imported.
    NonAmazon,
    /// No line has a quantity: nothing to create.
    Empty,
    /// Given up by a person: later reports are remembered and change nothing until it is requeued.
    Dropped,
    /// Odoo and the marketplace differ in the order's state (cancelled in one of them, or made a
    /// quotation again in Odoo), and a person decided that Odoo is right.
    KeptInOdoo,
}

impl JobState {
    /// The state's word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Started => "started",
            Self::Held(_) => "held",
            Self::Dead(_) => "dead",
            Self::Done(_) => "done",
        }
    }
}

impl Outcome {
    /// The outcome's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::CancelledUnseen => "cancelled-unseen",
            Self::Cancelled => "cancelled",
            Self::BeforeImportFrom => "before-import-from",
            Self::AlreadyShipped => "already-shipped",
            Self::Adopted => "adopted",
            Self::DeletedInOdoo => "deleted-in-odoo",
            Self::NonAmazon => "non-amazon",
            Self::Empty => "empty",
            Self::Dropped => "dropped",
            Self::KeptInOdoo => "kept-in-odoo",
        }
    }
}
