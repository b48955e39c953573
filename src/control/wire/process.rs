//! What goes over the socket when a document is handed over, and when settings are read again. Part
//! of [`wire`](super).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{AccountId, Counts, Family, FileId, HoldCode, OrderId, Refusal};

/// `POST /v1/process`: how. The body is the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessQuery {
    /// The account.
    pub account: AccountId,
    /// Only say what would happen.
    #[serde(default)]
    pub dry_run: bool,
    /// The file's name.
    #[serde(default)]
    pub name: String,
}

/// `POST /v1/process`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessReport {
    /// The account.
    pub account: AccountId,
    /// Whether nothing was kept.
    pub dry_run: bool,
    /// The file's id; none after a dry run.
    pub id: Option<FileId>,
    /// The envelope.
    pub envelope: String,
    /// The kind of report.
    pub family: Option<Family>,
    /// What was found in it.
    pub counts: Counts,
    /// Why the file was refused as a whole.
    pub refusal: Option<Refusal>,
    /// What would happen; only after a dry run.
    pub would: Option<Would>,
}

/// What a file would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Would {
    /// Orders created.
    pub create: u64,
    /// Orders confirmed.
    pub confirm: u64,
    /// Orders held, by what they would wait for.
    pub hold: BTreeMap<HoldCode, u64>,
    /// Known orders of which the file says nothing new.
    pub unchanged: u64,
    /// Orders too old to be created.
    pub before_import_from: u64,
    /// Orders cancelled, or remembered as cancelled.
    pub cancelled: u64,
    /// Pickings that would appear in Odoo.
    pub pickings: u64,
    /// A few orders of each kind.
    pub examples: Vec<Example>,
}

/// One order of a dry run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The order.
    pub order_id: OrderId,
    /// What would happen to it, in a few words without buyer data.
    pub would: String,
}

/// `POST /v1/reload`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// What changed, and what waits for a restart; empty: nothing did.
    pub changes: Vec<String>,
}

/// `GET /v1/recipients`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipients {
    /// Per account.
    pub accounts: Vec<AccountRecipients>,
}

/// What to seal an account's files to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecipients {
    /// The account.
    pub account: AccountId,
    /// Age recipients, newest first: seal to the first one.
    pub recipients: Vec<String>,
}
