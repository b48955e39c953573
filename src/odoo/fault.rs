//! The one table that decides what a failure means: retry, pause or reject.
//!
//! Rule: the name of Odoo's exception first, the HTTP status second; what is unknown is retried,
//! until somebody sees it. A *question* that Odoo refuses
//! never condemns the data it was asked for: it is retried. Promises: [`Fault`]'s `Display` and `Debug` are fit for any log;
//! Odoo's own text stays inside [`Words`]; tracebacks (`debug`) are never kept. Failures that hide
//! inside a successful `load()` are judged in [`super::LoadReply::verdict`], with the same classes.

use std::fmt;
use std::time::Duration;

use super::call::reads;
use super::kind::{Class, FaultKind};

/// Longer texts are cut: Odoo puts whole tracebacks and SQL statements into some of them.
const MAX_WORDS_CHARS: usize = 2000;
/// A server that asks for more patience than this is asked again anyway.
const MAX_RETRY_AFTER_SECS: u64 = 3600;

/// A text from Odoo: it may hold a buyer's name. Neither `Debug` nor `Display` of anything here
/// shows it; [`Words::expose`] does, for a sealed record or a person who asked.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Words(String);

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// What went wrong.
    pub kind: FaultKind,
    /// Name of Odoo's exception class, nothing else of it.
    pub exception: Option<Box<str>>,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// What Odoo said.
    pub words: Words,
    /// Technical name of the field that Odoo requires and does not get.
    pub field: Option<Box<str>>,
    /// The call only asked: its refusal says nothing about anybody's data.
    pub reading: bool,
    /// What this host's network or TLS layer said; holds nothing from Odoo.
    pub cause: Option<String>,
    /// What helps, where [`Self::cause`] is a whole sentence that says what was seen.
    pub remedy: Option<&'static str>,
    /// Odoo may have done what was asked: the request may have arrived, a complete answer did not.
    pub ambiguous: bool,
    /// How long the server asks us to wait.
    pub retry_after: Option<Duration>,
}

/// A failed answer, as the dialects hand it to the table.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Symptom<'a> {
    pub(super) status: u16,
    /// `name` of the error; `None` where the body is not Odoo's.
    pub(super) exception: Option<&'a str>,
    pub(super) text: &'a str,
    pub(super) retry_after: Option<Duration>,
    pub(super) model: &'a str,
    pub(super) method: &'a str,
    pub(super) database: &'a str,
    /// This URL and database answered before.
    pub(super) answered: bool,
}

// === impl Words ===

impl Words {
    /// Keeps a text, cut at a bounded length.
    pub fn new(text: &str) -> Self {
        Self(text.chars().take(MAX_WORDS_CHARS).collect())
    }

    /// The text itself. Never into a log, a file name or an unsealed file.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether Odoo said nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Words({} bytes)", self.0.len())
    }
}

// === impl Fault ===

impl Fault {
    /// A fault without an answer from Odoo.
    pub(super) fn new(kind: FaultKind, ambiguous: bool) -> Self {
        Self {
            kind,
            exception: None,
            status: None,
            words: Words::default(),
            field: None,
            reading: false,
            cause: None,
            remedy: None,
            ambiguous,
            retry_after: None,
        }
    }

    /// A complete answer that is not what Odoo would say; it may have acted all the same.
    pub(super) fn bad_answer(cause: &str) -> Self {
        Self { cause: Some(cause.to_owned()), ..Self::new(FaultKind::BadAnswer, true) }
    }

    /// The verdict of the table on an answer.
    pub(super) fn from_symptom(symptom: &Symptom<'_>) -> Self {
        let kind = symptom.kind();
        // Odoo rolls back before it reports an exception; what is not surely its report, or came
        // while PostgreSQL went away (perhaps during the commit), leaves the outcome open.
        let ambiguous = matches!(
            kind,
            FaultKind::ErrorPage
                | FaultKind::Unavailable
                | FaultKind::Timeout
                | FaultKind::DatabaseDown
                | FaultKind::UnknownException
                | FaultKind::BadAnswer
        );
        Self {
            exception: symptom.exception.and_then(class_name).map(Into::into),
            status: Some(symptom.status),
            words: Words::new(if symptom.exception.is_some() { symptom.text } else { "" }),
            retry_after: symptom
                .retry_after
                .map(|wait| wait.min(Duration::from_secs(MAX_RETRY_AFTER_SECS))),
            field: required_field(symptom.text)
                .filter(|_| kind == FaultKind::MissingRequired)
                .map(Into::into),
            reading: reads(symptom.method),
            ..Self::new(kind, ambiguous)
        }
    }

    /// The same, of a call of `method`.
    pub(super) fn of(self, method: &str) -> Self {
        Self { reading: reads(method), ..self }
    }

    /// Retry, pause or reject.
    pub fn class(&self) -> Class {
        match self.kind.class() {
            Class::Reject if self.reading => Class::Retry,
            class => class,
        }
    }

    /// Retried, but nothing says that it passes: what still fails after many attempts is to be
    /// shown to a person.
    pub fn is_doubtful(&self) -> bool {
        let refused_question = self.reading && self.kind.class() == Class::Reject;
        refused_question || self.kind == FaultKind::UnknownException
    }

    /// Odoo, or its database, is not there: no call needs to be tried before a probe succeeds.
    pub fn is_down(&self) -> bool {
        self.kind.is_down()
    }

    /// Odoo got too much at once: less of it may pass.
    pub fn is_overload(&self) -> bool {
        self.kind.is_overload()
    }

    /// A stable word for logs, JSON and metrics.
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// What the operator can do.
    pub fn next_step(&self) -> &'static str {
        self.remedy.unwrap_or_else(|| self.kind.next_step())
    }

    /// What happened and what the operator can do, fit for a status line: the same text while it
    /// stays the same fault.
    pub fn explained(&self) -> String {
        let what = match (&self.remedy, &self.cause) {
            (Some(_), Some(seen)) => seen.as_str(),
            _ => self.kind.summary(),
        };
        format!("{what}: {}", self.next_step())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(_), Some(seen)) = (&self.remedy, &self.cause) {
            return f.write_str(seen);
        }
        f.write_str(self.kind.summary())?;
        let status = self.status.filter(|status| *status != 200).map(|s| format!("HTTP {s}"));
        let exception = self.exception.as_deref().map(str::to_owned);
        let details = [exception, status, self.cause.clone()];
        let details: Vec<String> = details.into_iter().flatten().collect();
        if details.is_empty() { Ok(()) } else { write!(f, " ({})", details.join(", ")) }
    }
}

/// Whether an `AccessError` is about single records.
///
/// 14 says it in the context's language, English. 19 says it in the *user's* language whatever the
/// context asks for, but always names the user as `Name (id=5)` and lists models or records with
/// leading dashes; a missing right lists groups, indented.
pub(super) fn is_record_rule(text: &str) -> bool {
    text.contains("Due to security restrictions")
        || (text.contains("(id=") && text.contains("\n- "))
}

/// Odoo's words for a required field without a value, 14 to 19: [`load()`](super::LoadReply), an
/// exception (14 to 16), PostgreSQL itself.
const REQUIRED: [&str; 3] = [
    "Missing required value for the field '",
    "a mandatory field is not set",
    "violates not-null constraint",
];

/// The technical name of the field that a text says is required and missing.
pub(super) fn required_field(text: &str) -> Option<String> {
    if !REQUIRED.iter().any(|words| text.contains(words)) {
        return None;
    }
    let within = |line: &str, open: &str, close: char| {
        let (_, rest) = line.rsplit_once(open)?;
        rest.split_once(close).map(|(name, _)| name.to_owned()).filter(|name| is_field_name(name))
    };
    let of_line = |line: &str| {
        let field = line.contains("Missing required value") || line.contains("Field:");
        let labelled = if field { within(line, "(", ')') } else { None };
        let quoted = if field { within(line, "field '", '\'') } else { None };
        let column = line.contains("column \"").then(|| within(line, "column \"", '"')).flatten();
        labelled.or(quoted).or(column)
    };
    text.lines().find_map(of_line)
}

/// A field's technical name: letters, digits and `_`, never a text from a record.
pub(super) fn is_field_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
    let rest = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    first && name.len() <= 63 && name.bytes().all(rest)
}

/// An exception's class name if it is one; anything else could be text from a record.
fn class_name(name: &str) -> Option<String> {
    let fits = !name.is_empty()
        && name.len() <= 80
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
    fits.then(|| name.to_owned())
}

// === impl Symptom ===

impl Symptom<'_> {
    fn kind(&self) -> FaultKind {
        self.exception.and_then(|name| self.by_exception(name)).unwrap_or_else(|| self.by_status())
    }

    /// `None` where the name alone says too little and the status has to decide.
    fn by_exception(&self, name: &str) -> Option<FaultKind> {
        let class = name.rsplit('.').next().unwrap_or(name);
        let family = name.split('.').next().unwrap_or(name);
        let kind = match (family, class) {
            (_, "AccessDenied" | "SessionExpiredException" | "Unauthorized" | "Forbidden") => {
                FaultKind::AccessDenied
            }
            ("odoo", "AccessError") => self.access_error(),
            ("odoo", "ValidationError") if required_field(self.text).is_some() => {
                FaultKind::MissingRequired
            }
            ("odoo", "ValidationError") => FaultKind::Validation,
            ("odoo", "MissingError") => self.missing_record(),
            ("odoo", "UserError" | "Warning" | "RedirectWarning" | "except_orm") => {
                if self.text == format!("Object {} doesn't exist", self.model) {
                    FaultKind::MissingModel
                } else {
                    FaultKind::UserError
                }
            }
            ("odoo", "LockError" | "ConcurrencyError") => FaultKind::Serialization,
            ("psycopg2", _) => self.postgres(class),
            ("builtins", "AttributeError") => self.attribute_error(),
            (
                "builtins",
                "ValueError" | "KeyError" | "TypeError" | "IndexError" | "AssertionError"
                | "ZeroDivisionError" | "UnicodeDecodeError" | "UnicodeEncodeError",
            ) => FaultKind::InvalidValue,
            ("werkzeug", "NotFound") => self.not_found(),
            ("werkzeug", "RequestEntityTooLarge") => FaultKind::TooLarge,
            ("werkzeug", "TooManyRequests") | ("odoo", "PoolError") => FaultKind::Overloaded,
            ("werkzeug", _) => return None,
            _ => FaultKind::UnknownException,
        };
        Some(kind)
    }

    fn by_status(&self) -> FaultKind {
        match self.status {
            300..=399 => FaultKind::Redirected,
            401 | 403 | 407 => FaultKind::AccessDenied,
            404 => self.no_database(),
            408 => FaultKind::Timeout,
            409 => FaultKind::Serialization,
            413 => FaultKind::TooLarge,
            429 => FaultKind::Overloaded,
            400 | 405..=499 => FaultKind::BadRequest,
            502..=504 => FaultKind::Unavailable,
            500.. => FaultKind::ErrorPage,
            _ => FaultKind::BadAnswer,
        }
    }

    /// Database down and database missing look alike: only where it never answered is it a setting.
    fn no_database(&self) -> FaultKind {
        if self.answered { FaultKind::DatabaseGone } else { FaultKind::NoDatabase }
    }

    /// A rule hides single records and must not stop the account; a missing right concerns them
    /// all. Both are `AccessError`.
    fn access_error(&self) -> FaultKind {
        if is_record_rule(self.text) { FaultKind::RecordRule } else { FaultKind::AccessError }
    }

    /// The record that is missing may be ourselves: then the remembered user is gone.
    fn missing_record(&self) -> FaultKind {
        if self.text.contains("res.users(") && self.model != "res.users" {
            FaultKind::AccessDenied
        } else {
            FaultKind::MissingRecord
        }
    }

    /// A method that does not exist, or a method that stumbled over its data.
    fn attribute_error(&self) -> FaultKind {
        let (model, method) = (self.model, self.method);
        let says = |words: String| self.text.contains(&words);
        let missing = says(format!("has no attribute '{method}'"))
            || says(format!("'{model}.{method}' does not exist"))
            || says(format!("The method '{method}' does not exist on the model '{model}'"));
        if missing { FaultKind::MissingMethod } else { FaultKind::InvalidValue }
    }

    /// JSON-2's own 404s are fixed English texts; others mean that the route or database is absent.
    fn not_found(&self) -> FaultKind {
        if self.text.starts_with("the model ") {
            FaultKind::MissingModel
        } else if self.text.starts_with("The method ") {
            FaultKind::MissingMethod
        } else {
            self.no_database()
        }
    }

    fn postgres(&self, class: &str) -> FaultKind {
        match class {
            "SerializationFailure"
            | "DeadlockDetected"
            | "LockNotAvailable"
            | "TransactionRollback"
            | "TransactionRollbackError" => FaultKind::Serialization,
            "PoolError" | "TooManyConnections" => FaultKind::Overloaded,
            "InvalidCatalogName" => self.no_database(),
            "OperationalError" if self.names_no_database() => self.no_database(),
            "OperationalError"
            | "InterfaceError"
            | "AdminShutdown"
            | "CrashShutdown"
            | "CannotConnectNow"
            | "ConnectionFailure"
            | "ConnectionException"
            | "DiskFull"
            | "OutOfMemory"
            | "ReadOnlySqlTransaction"
            | "IdleInTransactionSessionTimeout" => FaultKind::DatabaseDown,
            "DataError"
            | "StringDataRightTruncation"
            | "NumericValueOutOfRange"
            | "InvalidTextRepresentation"
            | "InvalidDatetimeFormat"
            | "DatetimeFieldOverflow"
            | "UntranslatableCharacter"
            | "CharacterNotInRepertoire" => FaultKind::InvalidValue,
            "IntegrityError" | "NotNullViolation" if required_field(self.text).is_some() => {
                FaultKind::MissingRequired
            }
            "IntegrityError"
            | "UniqueViolation"
            | "NotNullViolation"
            | "CheckViolation"
            | "ForeignKeyViolation"
            | "ExclusionViolation" => FaultKind::Validation,
            _ => FaultKind::UnknownException,
        }
    }

    /// PostgreSQL refused to connect because of the database's name. Its text may be translated;
    /// the quoted name and FATAL stand in every language. Other refusals that quote the name are
    /// about load.
    fn names_no_database(&self) -> bool {
        let text = self.text;
        let marks = [('"', '"'), ('\'', '\''), ('«', '»'), ('»', '«'), ('“', '”'), ('„', '“')];
        let named = marks.iter().any(|(open, close)| {
            let name = self.database;
            text.contains(&format!("{open}{name}{close}"))
                || text.contains(&format!("{open} {name} {close}"))
                || text.contains(&format!("{open}\u{a0}{name}\u{a0}{close}"))
        });
        let load = ["too many connections", "not accepting", "not currently accepting"];
        named
            && (text.contains("FATAL") || text.contains("does not exist"))
            && !load.iter().any(|words| text.contains(words))
    }
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "fault_words_tests.rs"]
mod words_tests;
