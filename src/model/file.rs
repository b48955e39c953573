//! What is remembered of a claimed file.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fact::{Family, RowFault};
use super::file_id::FileId;
use super::ids::AccountId;

/// One claimed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its id: the name it has in `work/`.
    pub id: FileId,
    /// The account whose `incoming/` it lay in.
    pub account: AccountId,
    /// The name it was dropped under, where that name is harmless; else none.
    pub name: Option<String>,
    /// SHA-256 of the bytes as they came.
    pub sha256: [u8; 32],
    /// Its size, in bytes.
    pub bytes: u64,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// Where it stands.
    pub state: FileState,
    /// When the state last changed.
    pub since: Timestamp,
    /// The envelope: `age`, `age-armor`, `aes-cbc`, `plain`; empty until opened.
    pub envelope: String,
    /// The family, once known.
    pub family: Option<Family>,
    /// The charset that was used, such as `UTF-8` or `windows-1252`; empty until known.
    pub charset: String,
    /// What was found in it.
    pub counts: Counts,
    /// The first refused rows (at most 100), without their content.
    pub faults: Vec<RowFault>,
    /// What was odd in it and refused nothing.
    pub notices: Vec<FileNotice>,
    /// Why the file was refused as a whole.
    pub refusal: Option<Refusal>,
    /// What its sidecar said of it.
    pub described: DocumentInfo,
    /// Why it stays in `work/` for now, while it does.
    pub wait: Option<FileWait>,
}

/// What a sidecar says of a document. Its keys are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentInfo {
    /// The report type, such as `GET_FLAT_FILE_ORDERS_DATA`.
    pub report_type: Option<String>,
    /// Amazon's id of the document.
    pub document_id: Option<String>,
    /// Amazon's word for how it was compressed.
    pub compression: Option<String>,
    /// The instant for which the data is true.
    pub data_time: Option<Timestamp>,
    /// The marketplace, as the sidecar names it.
    pub marketplace: Option<String>,
    /// The charset that the sidecar names.
    pub charset: Option<String>,
}

/// Why a claimed file is not read for now. It is tried again by itself; other files go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileWait {
    /// What failed, without the file's content.
    pub why: String,
    /// How often it failed.
    pub tries: u32,
    /// When it is tried again.
    pub next: Timestamp,
}

/// Something odd in a file that refused nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileNotice {
    /// A stable code, such as `columns-unknown`.
    pub code: String,
    /// What was seen, in words without the content of a cell.
    pub text: String,
    /// Money may be missing in Odoo because of it: a person should look.
    pub costs_money: bool,
}

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileState {
    /// Claimed; being verified and read.
    Work,
    /// All its rows are durable jobs; it lies in `done/`.
    Done,
    /// Refused as a whole; it lies in `rejected/`.
    Rejected,
}

/// What was found in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Data rows, refused ones included; blank lines not.
    pub rows: u64,
    /// Blank lines.
    pub blank: u64,
    /// Rows refused.
    pub refused: u64,
    /// Orders with at least one row.
    pub orders: u64,
    /// Orders not known before.
    pub new: u64,
    /// Known orders of which this file says something new.
    pub changed: u64,
    /// Known orders of which it says nothing new.
    pub unchanged: u64,
    /// Orders older than what is already known of them.
    pub older: u64,
    /// Orders purchased before `import_from`: not created.
    pub before_import_from: u64,
}

/// Why a file was refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// A stable code.
    pub code: String,
    /// One sentence, without the file's content.
    pub sentence: String,
    /// The line, 1 being the header, where one is to blame.
    pub line: Option<u64>,
    /// The column, where one is to blame.
    pub column: Option<String>,
    /// What to do next.
    pub next_step: String,
}

impl DocumentInfo {
    /// Whether the sidecar said nothing, or there was none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl FileState {
    /// The state's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Done => "done",
            Self::Rejected => "rejected",
        }
    }
}
