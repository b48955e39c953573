//! What `load()` answered. It says HTTP 200 even when it stored nothing, and puts every kind of
//! failure, also a lost race, into a list of messages: [`LoadReply::verdict`] tells them apart.
//!
//! How a lost race is recognised, in this order:
//! 1. the name of a Python exception class in the text (Odoo 14 and 19 write "Unknown error during
//!    import: <class '…'>: …" for what is no database error): no language in it;
//! 2. PostgreSQL's own sentence, in English and in every language its packages are translated to
//!    (the server's `lc_messages` decides, not the context);
//! 3. a single line that ends in a newline and names no field is a raw PostgreSQL text in a
//!    language we do not know: it could be a lost race or a bad value. That is
//!    [`Verdict::Unknown`], retried within the queue's budget and only then held.
//!
//! Odoo stores all or nothing, so one lost race means that no record is to blame.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::fault::{Fault, Words, is_field_name, is_record_rule, required_field};
use super::kind::{Class, FaultKind};

/// The answer of one `load()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadReply {
    /// Ids in record order; `None` if nothing was stored.
    pub ids: Option<Vec<i64>>,
    /// What Odoo remarked.
    pub messages: Vec<LoadMessage>,
}

/// One remark of Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadMessage {
    /// `error` or `warning`.
    pub kind: String,
    /// Index of the record in the call.
    pub record: Option<usize>,
    /// The rows it spans.
    pub rows: Option<Span>,
    /// Field, where Odoo names one.
    pub field: Option<String>,
    /// The text; may hold buyer data.
    pub message: Words,
}

/// Rows of a call, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Span {
    /// First row.
    pub from: usize,
    /// Last row.
    pub to: usize,
}

/// What a `load()` means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is stored; one id a record.
    Loaded(Vec<i64>),
    /// Retry: another transaction was faster, or the database went away. Nothing is stored.
    Transient(Words),
    /// Pause: a missing right, or a required field that is not sent. Configuration, not data.
    Configuration {
        /// Which of the two.
        kind: FaultKind,
        /// The technical name of the required field.
        field: Option<String>,
        /// Odoo's words.
        words: Words,
    },
    /// Reject: these records are refused; the others of the call were not stored either.
    Rejected(Vec<Refusal>),
    /// Retry within a budget, then send the records one by one: the text is not understood.
    Unknown(Words),
}

/// A refused record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Index of the record in the call.
    pub record: usize,
    /// Odoo's words.
    pub words: Words,
    /// Field, where Odoo names one.
    pub field: Option<String>,
    /// False: Odoo may have put the text of the whole batch on this record (it blames the first one
    /// for a refusal that came while creating all at once). Send it alone before believing.
    pub certain: bool,
}

// === impl Verdict ===

impl Verdict {
    /// Retry, pause or reject; `None` if everything is stored.
    pub fn class(&self) -> Option<Class> {
        match self {
            Self::Loaded(_) => None,
            Self::Transient(_) | Self::Unknown(_) => Some(Class::Retry),
            Self::Configuration { kind, .. } => Some(kind.class()),
            Self::Rejected(_) => Some(Class::Reject),
        }
    }
}

// === impl LoadReply ===

#[derive(Deserialize)]
struct RawReply {
    ids: Value,
    #[serde(default)]
    messages: Vec<RawMessage>,
}

#[derive(Deserialize)]
struct RawMessage {
    #[serde(rename = "type")]
    kind: Option<String>,
    record: Option<Value>,
    rows: Option<Value>,
    field: Option<Value>,
    message: Option<Value>,
}

impl LoadReply {
    /// Reads the method's result.
    pub(super) fn from_value(value: Value) -> Result<Self, Fault> {
        let odd = || Fault::bad_answer("not an answer of load()");
        let raw: RawReply = serde_json::from_value(value).map_err(|_| odd())?;
        let ids = match raw.ids {
            Value::Bool(false) | Value::Null => None,
            Value::Array(ids) => {
                Some(ids.iter().map(Value::as_i64).collect::<Option<Vec<_>>>().ok_or_else(odd)?)
            }
            _ => return Err(odd()),
        };
        let messages = raw.messages.into_iter().map(LoadMessage::from_raw).collect();
        Ok(Self { ids, messages })
    }

    /// What this answer to a call with `sent` records of these fields means.
    pub fn verdict(&self, sent: usize, fields: &[&str]) -> Verdict {
        if let Some(ids) = &self.ids {
            return if ids.len() == sent {
                Verdict::Loaded(ids.clone())
            } else {
                Verdict::Unknown(Words::new("load() answered another number of ids than records"))
            };
        }
        let errors: Vec<&LoadMessage> =
            self.messages.iter().filter(|message| message.is_error()).collect();
        if errors.is_empty() {
            return Verdict::Unknown(Words::default());
        }
        if let Some(lost) = errors.iter().find(|error| error.is_lost_race()) {
            return Verdict::Transient(lost.message.clone());
        }
        if let Some(denied) = errors.iter().find(|error| error.is_missing_right()) {
            let (kind, words) = (FaultKind::AccessError, denied.message.clone());
            return Verdict::Configuration { kind, field: None, words };
        }
        let required = errors.iter().find_map(|error| Some((error, error.not_sent(fields)?)));
        if let Some((error, field)) = required {
            let (kind, words) = (FaultKind::MissingRequired, error.message.clone());
            return Verdict::Configuration { kind, field: Some(field), words };
        }
        let unclear =
            |error: &&&LoadMessage| error.record.is_none() || error.is_raw_database_text();
        if let Some(unclear) = errors.iter().find(unclear) {
            return Verdict::Unknown(unclear.message.clone());
        }
        Verdict::Rejected(refusals(&errors, sent))
    }
}

/// One refusal a record, the first text each, in record order.
fn refusals(errors: &[&LoadMessage], sent: usize) -> Vec<Refusal> {
    let mut found = BTreeMap::new();
    for (place, error) in errors.iter().enumerate() {
        let Some(record) = error.record else { continue };
        let of_the_batch = place == 0 && errors.len() > 1 && error.field.is_none();
        found.entry(record).or_insert_with(|| Refusal {
            record,
            words: error.message.clone(),
            field: error.field.clone(),
            certain: sent == 1 || !of_the_batch,
        });
    }
    found.into_values().collect()
}

// === impl LoadMessage ===

/// Lower-case pieces of PostgreSQL's sentences for a lost race: serialization failure, deadlock and
/// lock timeout; checked against the message catalogs of PostgreSQL 15.
const LOST_RACE: [&str; 40] = [
    // English
    "could not serialize access",
    "deadlock detected",
    "concurrent update",
    "could not obtain lock",
    "due to lock timeout",
    // German
    "zugriff nicht serialisieren",
    "verklemmung (deadlock)",
    "konnte sperre für zeile",
    // Spanish
    "serializar el acceso",
    "detectado un deadlock",
    "bloquear un candado",
    // French
    "sérialiser un accès",
    "interblocage",
    "obtenir un verrou",
    // Italian
    "serializzazione dell'accesso",
    "serializzare l'accesso",
    "rilevato deadlock",
    "lock di riga",
    // Japanese
    "直列化",
    "デッドロック",
    "行ロックを取得",
    // Georgian
    "სერიალიზაცია",
    "ურთიერთბლოკირება",
    "მწკრივის დაბლოკვის",
    // Korean
    "순차적 액세스가 불가능",
    "serialize 접근",
    "deadlock 발생",
    "잠금 정보를 구할 수 없음",
    // Russian
    "сериализовать доступ",
    "взаимоблокировка",
    "блокировку строки",
    // Swedish
    "serialisera åtkomst",
    "deadlock upptäckt",
    "kunde inte låsa rad",
    // Ukrainian
    "серіалізувати доступ",
    "взаємне блокування",
    "блокування у рядку",
    // Chinese
    "串行访问",
    "序列化访问",
    "死锁",
];

/// Exception classes, as Odoo writes them into "Unknown error during import".
const LOST_RACE_CLASSES: [&str; 10] = [
    "psycopg2.errors.SerializationFailure",
    "psycopg2.errors.DeadlockDetected",
    "psycopg2.errors.LockNotAvailable",
    "psycopg2.errors.AdminShutdown",
    "psycopg2.extensions.TransactionRollbackError",
    "psycopg2.OperationalError",
    "psycopg2.InterfaceError",
    "odoo.exceptions.ConcurrencyError",
    "odoo.exceptions.LockError",
    "odoo.sql_db.PoolError",
];

impl LoadMessage {
    fn from_raw(raw: RawMessage) -> Self {
        let text = |value: Option<Value>| match value {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let record = raw.record.as_ref().and_then(Value::as_u64);
        Self {
            kind: raw.kind.unwrap_or_default(),
            record: record.and_then(|record| usize::try_from(record).ok()),
            rows: raw.rows.and_then(|rows| serde_json::from_value(rows).ok()),
            field: text(raw.field).filter(|field| !field.is_empty()),
            message: Words::new(&text(raw.message).unwrap_or_default()),
        }
    }

    fn is_error(&self) -> bool {
        self.kind != "warning"
    }

    fn is_lost_race(&self) -> bool {
        let text = self.message.expose();
        let class =
            text.contains("<class '") && LOST_RACE_CLASSES.iter().any(|class| text.contains(class));
        // A field is only named where a value was refused; its text may quote anything.
        let lower = text.to_lowercase();
        class || (self.field.is_none() && LOST_RACE.iter().any(|piece| lower.contains(piece)))
    }

    /// Texts of 14 and 19 for a right the user lacks on the model (a record rule reads otherwise).
    fn is_missing_right(&self) -> bool {
        let text = self.message.expose();
        let verbs = ["access", "modify", "create", "delete"];
        let lacks =
            verbs.iter().any(|verb| text.contains(&format!("You are not allowed to {verb} '")));
        let class = text.contains("<class 'odoo.exceptions.AccessError'>")
            || text.contains("<class 'odoo.exceptions.AccessDenied'>");
        self.field.is_none() && !is_record_rule(text) && (lacks || class)
    }

    /// The required field that Odoo misses, where it is none of those sent. Odoo names a field of
    /// its own accord (in whatever language the text is) where a required value is missing or one
    /// is there twice.
    fn not_sent(&self, fields: &[&str]) -> Option<String> {
        let text = self.message.expose();
        let twice = ["already exist", "unique", "duplicate key"];
        let named = self
            .field
            .clone()
            .filter(|name| is_field_name(name) && !twice.iter().any(|words| text.contains(words)));
        let field = required_field(text).or(named)?;
        let sent = |path: &&str| path.split('/').any(|part| part == field);
        (!fields.is_empty() && !fields.iter().any(sent)).then_some(field)
    }

    fn is_raw_database_text(&self) -> bool {
        let text = self.message.expose();
        self.field.is_none() && text.ends_with('\n') && !text.trim_end().contains('\n')
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
