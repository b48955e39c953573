//! What goes over the socket, version 1: requests and answers of `/v1`.
//!
//! Promises: field names and words only ever get more; what `--json` prints is what stands here.
//! Instants are RFC 3339 in UTC, amounts are texts. Nothing here can hold buyer data, except
//! [`DeadJob::words`] and [`JobDetail::words`], which are only sent to a client that asks for that one order.
//! Holds no logic; `translate` fills it from the model.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::model::{
    AccountId, Counts, DocumentInfo, Family, FileId, FileNotice, FileState, FileWait, Hold,
    HoldCode, OdooId, OrderId, Origin, Outcome, Refusal, Released, RowFault,
};

mod concern;
mod process;
mod rebuild;

pub use super::reconcile::{Reconcile, ReconcileReport};
pub use super::wire_decide::*;
pub use concern::{Concern, ConcernKind};
pub use process::{
    AccountRecipients, Example, ProcessQuery, ProcessReport, Recipients, Reloaded, Would,
};
pub use rebuild::{Rebuild, RebuildReport, RebuiltAccount};

/// The first part of every path.
pub const VERSION: &str = "v1";
/// Largest document that can be handed over, in bytes. Larger ones go through `incoming/`.
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024 * 1024;
/// Entries of a listing, at most.
pub const MAX_LIMIT: usize = 1000;
/// Entries of a listing, unless asked otherwise.
pub const DEFAULT_LIMIT: usize = 50;
/// Carries the sidecar of a document, in base64.
pub const SIDECAR_HEADER: &str = "odoo-spoold-sidecar";

/// Every error's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A name that never changes.
    pub code: String,
    /// What is the matter, in one sentence.
    pub message: String,
    /// What to do next.
    pub next_step: String,
}

/// How it stands, all in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Nobody has to do anything.
    Well,
    /// Somebody should look, but work goes on.
    Attention,
    /// Work does not go on.
    Fault,
}

/// `GET /v1/status`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// How it stands.
    pub health: Health,
    /// The same in one sentence, with the reason and the next command.
    pub headline: String,
    /// The daemon's version.
    pub version: String,
    /// Whether the daemon runs; false where the store was read without it.
    pub running: bool,
    /// Since when.
    pub started_at: Option<Timestamp>,
    /// When this was answered.
    pub now: Timestamp,
    /// Per account, in the order of their ids.
    pub accounts: Vec<AccountStatus>,
    /// Files rejected within the last day, newest first.
    pub rejected: Vec<Rejected>,
    /// Other things a person should know, such as files left in `incoming/`.
    pub notices: Vec<String>,
    /// Every reason not to be well, the most urgent first; the first one makes the headline.
    #[serde(default)]
    pub concerns: Vec<Concern>,
    /// What the store weighs; none where it could not be opened.
    pub store: Option<StoreStatus>,
    /// The master keys that the daemon has; none where it does not run.
    #[serde(default)]
    pub keys: Option<KeysStatus>,
}

/// The master keys in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysStatus {
    /// The id of the one that seals.
    pub master: String,
    /// The ids of older ones that were loaded.
    pub older: Vec<String>,
    /// Whether nothing is sealed under older ones any more: they may be removed.
    pub resealed: bool,
    /// Whether newer keys were made than the daemon has: they wait for a restart.
    pub newer: bool,
    /// When Odoo's API key ends; none: it does not end, or it is not known when.
    #[serde(default)]
    pub api_key_ends: Option<Timestamp>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountStatus {
    /// Its id.
    pub account: AccountId,
    /// Whether `config.toml` has it, and has not switched it off.
    pub enabled: bool,
    /// Whether it may send requests to Odoo.
    pub gate: GateStatus,
    /// Its orders by state.
    pub orders: OrderCounts,
    /// Held orders by what they wait for; one that waits for two things counts twice.
    pub holds: BTreeMap<HoldCode, u64>,
    /// When its next pending order is due.
    pub next_due: Option<Timestamp>,
    /// Files claimed and not finished.
    pub files_in_work: u64,
    /// Files in `incoming/` that nobody has read yet; none where no daemon runs.
    #[serde(default)]
    pub files_waiting: Option<u64>,
    /// Since when the oldest of them lies there.
    #[serde(default)]
    pub waiting_since: Option<Timestamp>,
    /// A pause that a person ordered.
    #[serde(default)]
    pub paused: Option<PausedStatus>,
    /// Orders with something to look at (`GET /v1/attention`).
    #[serde(default)]
    pub attention: u64,
    /// Files with something to look at.
    #[serde(default)]
    pub attention_files: u64,
    /// Whether there is something to look at of the account itself, beside a damaged journal.
    #[serde(default)]
    pub attention_account: bool,
    /// Files with notices, of those that are remembered (`GET /v1/files/{id}` has them).
    #[serde(default)]
    pub noticed_files: u64,
}

/// Whether an account may send requests to Odoo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum GateStatus {
    /// Yes.
    Open,
    /// Odoo does not answer.
    OdooUnreachable(ClosedStatus),
    /// Something is configured wrongly.
    Paused(ClosedStatus),
    /// The daemon does not run.
    Unknown,
}

/// Why not, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedStatus {
    /// The fault's code.
    pub code: String,
    /// What helps.
    pub next_step: String,
    /// Since when.
    pub since: Timestamp,
    /// When it is tried again.
    pub next: Timestamp,
}

/// Orders by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCounts {
    /// Wait for their time.
    pub pending: u64,
    /// On their way to Odoo.
    pub started: u64,
    /// Wait for a person or a missing thing.
    pub held: u64,
    /// Refused for good.
    pub dead: u64,
    /// Nothing to do.
    pub done: u64,
}

/// A rejected file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The file.
    pub id: FileId,
    /// Its account.
    pub account: AccountId,
    /// Why.
    pub code: String,
    /// When.
    pub since: Timestamp,
}

/// What the store weighs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// The random id of this installation.
    pub installation: String,
    /// Bytes of the database on disk.
    pub disk_bytes: u64,
    /// Orders known.
    pub orders: u64,
    /// Day keys, that is, days of buyers' data kept.
    pub day_keys: u64,
    /// The oldest of them.
    pub oldest_day: Option<jiff::civil::Date>,
}

/// `GET /v1/files`: which.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesQuery {
    /// Only of this account.
    pub account: Option<AccountId>,
    /// Only in this state.
    pub state: Option<FileState>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// `GET /v1/files`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// Newest first; their refused rows are left out.
    pub files: Vec<File>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its id.
    pub id: FileId,
    /// The account.
    pub account: AccountId,
    /// The name it was dropped under, if that cannot hold buyer data.
    pub name: Option<String>,
    /// Where it stands.
    pub state: FileState,
    /// Since when.
    pub since: Timestamp,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// Its size as it came.
    pub bytes: u64,
    /// SHA-256 of the bytes as they came, in hexadecimal.
    pub sha256: String,
    /// The envelope.
    pub envelope: String,
    /// The kind of report.
    pub family: Option<Family>,
    /// The charset that was used.
    pub charset: String,
    /// What was found in it.
    pub counts: Counts,
    /// How many notices it has: what was odd in it and refused nothing.
    pub notices: u64,
    /// Why it was rejected.
    pub refusal: Option<Refusal>,
    /// What its sidecar said of it.
    pub described: DocumentInfo,
    /// Why it stays in `work/` for now, while it does.
    pub wait: Option<FileWait>,
}

/// `GET /v1/files/{id}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDetail {
    /// The file.
    pub file: File,
    /// The first refused rows, without their content.
    pub faults: Vec<RowFault>,
    /// What was odd in it and refused nothing.
    #[serde(default)]
    pub notices: Vec<FileNotice>,
    /// What a person should look at, and has not dismissed.
    #[serde(default)]
    pub attention: Vec<AttentionEntry>,
    /// Where the orders stand of which it said something new.
    pub orders: BTreeMap<String, u64>,
    /// Those that are held, by what they wait for.
    pub held: BTreeMap<HoldCode, HeldFor>,
    /// The first orders.
    pub first: Vec<OrderState>,
}

/// Orders that wait for one kind of thing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldFor {
    /// How many.
    pub orders: u64,
    /// The exact things, and how many wait for each; only the first ones found.
    pub keys: BTreeMap<String, u64>,
    /// Whether there are more things than listed.
    pub more: bool,
}

/// An order and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderState {
    /// The order.
    pub order_id: OrderId,
    /// Its state.
    pub state: String,
    /// What it waits for.
    pub holds: Vec<Hold>,
}

/// `GET /v1/queue`, `GET /v1/hold`, `GET /v1/dead`: which.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobsQuery {
    /// Only of this account.
    pub account: Option<AccountId>,
    /// Only in this state; not for `hold` and `dead`.
    pub state: Option<JobWord>,
    /// Only held under this code; not for `dead`.
    pub code: Option<HoldCode>,
    /// At most so many.
    pub limit: Option<usize>,
    /// `next` of the page before, with the same other fields.
    pub after: Option<String>,
}

/// A job's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobWord {
    /// Waits for its time.
    Pending,
    /// On its way to Odoo.
    Started,
    /// Waits for a person or a missing thing.
    Held,
    /// Refused for good.
    Dead,
    /// Nothing to do.
    Done,
}

/// `GET /v1/queue`, `GET /v1/dead`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jobs {
    /// The jobs; pending ones by due time, others in no order that means anything.
    pub jobs: Vec<JobInfo>,
    /// Jobs of this page whose stored value does not open.
    pub unreadable: u64,
    /// `after` of the next page; none after the last one.
    pub next: Option<String>,
}

/// A job. Without Odoo's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobInfo {
    /// The account.
    pub account: AccountId,
    /// The order.
    pub order_id: OrderId,
    /// Its state.
    pub state: JobWord,
    /// When it is looked at next, while pending.
    pub due: Option<Timestamp>,
    /// Failed attempts since the last success or new fact.
    pub attempt: u32,
    /// When the state last changed.
    pub since: Timestamp,
    /// The code of the last failure, or of the death.
    pub fault: Option<String>,
    /// What it waits for.
    pub holds: Vec<Hold>,
    /// What came of it.
    pub outcome: Option<Outcome>,
}

/// `GET /v1/queue/{account}/{order}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobDetail {
    /// The job.
    pub job: JobInfo,
    /// The kinds of report that know it, and the version each knows.
    pub reports: BTreeMap<Family, Option<Timestamp>>,
    /// Its refused rows, by file.
    pub refused: Vec<RefusedRows>,
    /// The file that last said something new.
    pub last_file: FileId,
    /// What a person should look at, although it holds nothing.
    pub attention: Vec<AttentionEntry>,
    /// Holds that a person released, with the two values that were decided on: while both stay the
    /// same, the order does not wait for it again.
    #[serde(default)]
    pub released: Vec<Released>,
    /// Who invoices it but the seller: `amazon-invoiced` (Amazon has sent the buyer an invoice),
    /// `amazon-business` (Amazon Business bought it and invoices its customer).
    pub invoiced_by: Vec<String>,
    /// What stands in Odoo.
    pub mapping: Option<MappingInfo>,
    /// What Odoo said where it is held because Odoo refused it, as long as that is kept. May name
    /// what is in the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

/// Refused rows of one order in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRows {
    /// The file.
    pub file: FileId,
    /// The rows, without their content.
    pub faults: Vec<RowFault>,
}

/// `GET /v1/hold`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// All holds, by account and code; the listing's limit does not shorten it.
    pub groups: Vec<HoldGroup>,
    /// The held jobs, a page of them.
    #[serde(flatten)]
    pub page: Jobs,
}

/// What orders of one account wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldGroup {
    /// The account.
    pub account: AccountId,
    /// The kind of thing.
    pub code: HoldCode,
    /// What ends it: `file`, `odoo` or `person`.
    pub ended_by: String,
    /// How many orders.
    pub orders: u64,
    /// The distinct things; only the first ones found.
    pub keys: Vec<String>,
    /// Whether there are more things than listed.
    pub more: bool,
}

/// `POST /v1/hold/release`: one order, or all that wait for a code (and key).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The account.
    pub account: AccountId,
    /// This order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Or all that wait for this kind of thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<HoldCode>,
    /// With a code: only those that wait for exactly this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// `POST /v1/dead/requeue`: one order, all that died of a code, or all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requeue {
    /// The account.
    pub account: AccountId,
    /// This order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Or all that died of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Or all dead ones.
    #[serde(default)]
    pub all: bool,
}

/// How many orders were made due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// So many.
    pub orders: u64,
}

/// `GET /v1/dead/{account}/{order}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadJob {
    /// The job.
    pub job: JobInfo,
    /// Odoo's words, or ours. They may name contents of records, and so a buyer.
    pub words: String,
}

/// `GET /v1/map/{account}/{order_id}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingInfo {
    /// The account.
    pub account: AccountId,
    /// Amazon's order id.
    pub order_id: OrderId,
    /// Always `sale.order`.
    pub model: String,
    /// Its database id in Odoo; none while it is being created.
    pub odoo_id: Option<OdooId>,
    /// Its name in Odoo.
    pub name: String,
    /// Its state in Odoo as last read.
    pub state: String,
    /// Who made it.
    pub origin: Origin,
    /// What was begun and not yet seen finished: `creating`, `confirming` or `cancelling`.
    pub stage: Option<String>,
    /// A person deleted it in Odoo.
    pub deleted: bool,
    /// Its lines of ours.
    pub lines: Vec<MappedLineInfo>,
}

/// One line in Odoo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedLineInfo {
    /// Its `sale.order.line` id.
    pub odoo_id: OdooId,
    /// Its whole external id.
    pub external_id: String,
    /// Its quantity after our last write.
    pub quantity: Decimal,
    /// Its unit price after our last write.
    pub price_unit: Decimal,
}
