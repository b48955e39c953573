//! What goes over the socket when a person decides: pauses, conflicts, what is given up, and the
//! attention list. Part of [`wire`](super::wire).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Accept, AccountId, AttentionCode, FileId, OrderId};

/// A pause that a person ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausedStatus {
    /// The user who ordered it; none where the kernel did not say.
    pub by_uid: Option<u32>,
    /// Since when.
    pub since: Timestamp,
    /// No file is taken in either.
    pub intake: bool,
    /// It holds for all accounts.
    pub all: bool,
}

/// `POST /v1/pause`: one account, or all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// This account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Or all, also those that are added later.
    #[serde(default)]
    pub all: bool,
    /// Take no files in either.
    #[serde(default)]
    pub intake: bool,
}

/// `POST /v1/resume`: one account, or all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumeRequest {
    /// This account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Or all, with every single account's pause.
    #[serde(default)]
    pub all: bool,
    /// Orders of the account that are gone from Odoo were deleted on purpose: believe it for a day,
    /// and go on. Not with `all`.
    #[serde(default)]
    pub accept_deleted: bool,
}

/// `POST /v1/pause`, `POST /v1/resume`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseAnswer {
    /// Whether that is news: false where it was so already.
    pub changed: bool,
    /// The pauses that stand now, by account.
    pub paused: Vec<PausedAccount>,
}

/// An account that is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausedAccount {
    /// The account.
    pub account: AccountId,
    /// Its pause.
    #[serde(flatten)]
    pub pause: PausedStatus,
}

/// `POST /v1/hold/decide`: who is right in one order's conflicts, or in all of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    /// The account.
    pub account: AccountId,
    /// This order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Or all that are held for a conflict.
    #[serde(default)]
    pub all: bool,
    /// Whose values are to stand.
    pub accept: Accept,
}

/// `POST /v1/dead/drop`: one order, or all that died of a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropRequest {
    /// The account.
    pub account: AccountId,
    /// This order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Or all that died of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// `GET /v1/attention`: which.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionQuery {
    /// Only of this account.
    pub account: Option<AccountId>,
    /// At most so many subjects.
    pub limit: Option<usize>,
}

/// `GET /v1/attention`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttentionList {
    /// What there is something to look at of: of each account itself, its files, then its orders.
    pub subjects: Vec<AttentionSubject>,
    /// Whether there are more.
    pub more: bool,
}

/// An order, a file, or an account (where neither is named) with something to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttentionSubject {
    /// The account.
    pub account: AccountId,
    /// The order, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The file, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<FileId>,
    /// What to look at.
    pub entries: Vec<AttentionEntry>,
}

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttentionEntry {
    /// What it is about; never changes.
    pub code: AttentionCode,
    /// What tells it from others of the code: a line, a state, a notice's own code.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// One sentence.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
}

/// `POST /v1/attention/dismiss`: the entries of an order, of a file, or, where neither is named, of
/// the account itself; all of them, or those of one code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dismiss {
    /// The account.
    pub account: AccountId,
    /// The order, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The file, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<FileId>,
    /// Only these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<AttentionCode>,
}

/// How many entries were dismissed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dismissed {
    /// So many.
    pub entries: u64,
}
