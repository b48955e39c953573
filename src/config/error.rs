//! What is wrong with a settings or keys file, printed the way rustc prints it.
//!
//! Promises: every fault has a line and a column, counted from 1, and shows the line with a caret
//! under the culprit. Never shows a secret: lines of a keys file, and lines of `config.toml` whose
//! key looks like one, are shown up to the `=`.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// The exit code for anything in this module (`EX_CONFIG`); the unit does not restart on it.
pub const EXIT_CONFIG: u8 = 78;

/// Longest part of a line that is shown, in characters.
const MAX_SHOWN_CHARS: usize = 160;

/// Why the settings or the keys cannot be used. The process ends with [`EXIT_CONFIG`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is missing or may not be read: create it, or mend its owner and mode.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The file is far larger than any settings file: look what it is.
    #[error("{}: is larger than {limit} bytes: this is not the file meant", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Other people may read the keys, or it is not a plain file: run the command in `cure`.
    #[error("{}: {what}\n   = help: {cure}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What is wrong with its owner, mode or kind.
        what: String,
        /// What to do.
        cure: String,
    },
    /// No keys file is named and systemd passed no credential: name one in `[keys] file`, or
    /// store the credential.
    #[error("no keys: {what}\n   = help: {cure}")]
    NoKeys {
        /// What was looked for.
        what: String,
        /// What to do.
        cure: String,
    },
    /// There were keys on this host, and now there are none: bring them back from the recovery file.
    #[error(
        "the keys of this host are gone, but {} was made with them\n   = help: {}",
        trace.display(), super::gone::RESTORE_KEYS
    )]
    KeysGone {
        /// What shows that there were some.
        trace: PathBuf,
    },
    /// The content is wrong: each fault says where, and what to write instead.
    #[error("{0}")]
    Faulty(Faults),
    /// A change of the keys that cannot be: the cure says what can.
    #[error("{}: {what}\n   = help: {cure}", path.display())]
    Refused {
        /// The keys.
        path: PathBuf,
        /// What was asked, or found.
        what: String,
        /// What to do.
        cure: String,
    },
    /// The operating system's random generator failed: nothing was made.
    #[error("the system's random generator failed: {0}")]
    Random(String),
}

/// All faults found in one file; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// The file.
    pub path: PathBuf,
    /// In the order of their position.
    pub list: Vec<Fault>,
}

/// One fault and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line, the first being 1.
    pub line: usize,
    /// Column in characters, the first being 1.
    pub column: usize,
    /// What is wrong, in one sentence.
    pub message: String,
    /// The line, cut and without secrets.
    pub shown: String,
    /// How many characters the caret underlines, at least 1.
    pub width: usize,
    /// What to write instead, where that is known.
    pub help: Option<String>,
}

/// How much of a line may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    /// Everything, except where the key looks like a secret's.
    Line,
    /// Only a known key, never a value: a keys file, or a value with a password inside.
    KeyOnly,
}

/// Keys whose values are secrets wherever they stand.
pub(super) const SECRET_KEYS: &[&str] = &[
    "api_key",
    "apikey",
    "password",
    "passwd",
    "secret",
    "token",
    "passphrase",
    "private_key",
    "master",
    "id_key",
    "identity",
    "identities",
];

/// Keys whose names are shown from a keys file.
const KNOWN_KEYS: &[&str] = &["api_key", "id", "id_key", "identities", "key", "master", "older"];

// === impl Fault ===

impl Fault {
    /// A fault at the bytes `span` of `source`.
    pub(super) fn at(source: &str, span: &Range<usize>, message: String, show: Show) -> Self {
        let start = floor_boundary(source, span.start);
        let end = floor_boundary(source, span.end.max(start));
        let before = source.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.get(line_start..).unwrap_or_default().chars().count().saturating_add(1);
        let rest = source.get(line_start..).unwrap_or_default();
        let whole = rest.split('\n').next().unwrap_or_default();
        let shown = shown_line(whole, show);
        let marked = source.get(start..end).unwrap_or_default();
        let marked = marked.split('\n').next().unwrap_or_default().trim_end();
        let room = shown.chars().count().saturating_add(1).saturating_sub(column);
        let width = marked.chars().count().min(room).max(1);
        Self { line, column, message, shown, width, help: None }
    }

    /// The same with a hint.
    #[must_use]
    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            let number = fault.line.to_string();
            writeln!(
                f,
                "{}:{}:{}: {}",
                self.path.display(),
                fault.line,
                fault.column,
                fault.message
            )?;
            writeln!(f, "{number} | {}", fault.shown)?;
            let indent = " ".repeat(number.len());
            // A value that is not shown is pointed at by its `…`.
            let last = fault.shown.chars().count().max(1);
            let space = " ".repeat(fault.column.min(last).saturating_sub(1));
            write!(f, "{indent} | {space}{}", "^".repeat(fault.width))?;
            if let Some(help) = &fault.help {
                write!(f, "\n{indent} = help: {help}")?;
            }
        }
        Ok(())
    }
}

/// The largest char boundary at or before `at`.
fn floor_boundary(source: &str, at: usize) -> usize {
    let mut at = at.min(source.len());
    while !source.is_char_boundary(at) {
        at = at.saturating_sub(1);
    }
    at
}

/// The line as it may be printed.
fn shown_line(line: &str, show: Show) -> String {
    let line = line.trim_end();
    let key = line.split_once('=').map(|(key, _)| key.trim());
    let cut = match (show, key) {
        (Show::Line, Some(key)) => looks_secret(key),
        (Show::Line, None) => false,
        (Show::KeyOnly, _) => true,
    };
    let text = if !cut {
        line.to_owned()
    } else if let Some((before, _)) = line.split_once('=')
        && (show == Show::Line || is_plain_key(before.trim()))
    {
        format!("{before}= …")
    } else if is_table_header(line) {
        line.to_owned()
    } else {
        "…".to_owned()
    };
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(MAX_SHOWN_CHARS).collect()
}

/// Whether the last part of a (dotted) key names a secret.
pub(super) fn looks_secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key).trim().trim_matches(['"', '\'']);
    let last = last.to_ascii_lowercase().replace('-', "_");
    SECRET_KEYS.contains(&last.as_str())
}

/// Whether the text before a `=` is a key that may be shown even from a keys file.
fn is_plain_key(key: &str) -> bool {
    KNOWN_KEYS.contains(&key) || matches!(key, "url" | "database" | "login" | "ca_file")
}

/// `[odoo]`, `[state]`, `[[account]]`: the only headers a keys file has.
fn is_table_header(line: &str) -> bool {
    matches!(line.trim(), "[odoo]" | "[state]" | "[[account]]")
}
