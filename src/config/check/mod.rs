//! From the file as written to [`Settings`]: every judgement about values is here.
//!
//! Promises: all faults of a file are reported at once, each at its place; settings come out only
//! if there is none. [`account`] judges accounts, [`odoo_url`] the URL, this file the rest.

mod account;
mod odoo_url;

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Fault, Faults, Show, looks_secret};
use super::file::{ConfigFile, LogTable, OdooTable, SpoolTable, StateTable, Text};
use super::settings::{
    ControlSettings, KeysSource, LogSettings, OdooSettings, Settings, SpoolSettings, StateSettings,
};
use super::value;

const DEFAULT_CONNECTIONS: usize = 2;
const DEFAULT_BATCH: usize = 100;
const DEFAULT_CONFIRM_BATCH: usize = 50;
const DEFAULT_LIMIT_TIME_REAL_SECS: u64 = 120;
const DEFAULT_RECHECK_SECS: u64 = 300;
const DEFAULT_KEYS_WARN_SECS: u64 = 365 * 86_400;
const DEFAULT_SPOOL_DIR: &str = "/var/spool/odoo-spoold";
const DEFAULT_POLL_SECS: u64 = 30;
const DEFAULT_SETTLE_SECS: u64 = 2;
/// Files stay in `done/` and `rejected/` for 30 days at most, in seconds.
const MAX_KEEP_SECS: u64 = 30 * 86_400;
const DEFAULT_STATE_DIR: &str = "/var/lib/odoo-spoold";
const DEFAULT_CACHE_BYTES: u64 = 64 << 20;
/// The control socket, where neither systemd nor the settings name another.
pub const DEFAULT_CONTROL_SOCKET: &str = "/run/odoo-spoold.sock";

/// Collects faults; the accessors give `None` after they recorded one.
struct Checker<'a> {
    source: &'a str,
    faults: Vec<Fault>,
}

/// Checks `text`; `path` is only named in errors.
pub(super) fn settings(path: &Path, text: &str) -> Result<Settings, ConfigError> {
    let mut check = Checker { source: text, faults: Vec::new() };
    let settings = check.file();
    match settings {
        Some(settings) if check.faults.is_empty() => Ok(settings),
        _ => {
            check.faults.sort_by_key(|fault| (fault.line, fault.column));
            Err(ConfigError::Faulty(Faults { path: path.to_owned(), list: check.faults }))
        }
    }
}

// === impl Checker ===

impl Checker<'_> {
    fn file(&mut self) -> Option<Settings> {
        let table = match DeTable::parse(self.source) {
            Ok(table) => table,
            Err(error) => return self.toml_error(&error),
        };
        self.refuse_secrets(table.get_ref());
        if !self.faults.is_empty() {
            return None;
        }
        let file: ConfigFile = match toml::from_str(self.source) {
            Ok(file) => file,
            Err(error) => return self.toml_error(&error),
        };
        let odoo = self.odoo(&file.odoo);
        let spool = self.spool(&file.spool);
        let state = self.state(&file.state);
        let keys = match &file.keys.file {
            Some(text) => self.path(text).map(KeysSource::File),
            None => Some(KeysSource::Credential),
        };
        let warn_after = (86_400, 86_400 * 36_500);
        let keys_warn_after =
            self.duration(file.keys.warn_after.as_ref(), warn_after, DEFAULT_KEYS_WARN_SECS);
        let socket = self.path_or(file.control.socket.as_ref(), DEFAULT_CONTROL_SOCKET);
        let log = self.log(&file.log);
        let accounts = self.accounts(&file.account);
        if let (Some(spool), Some(state)) = (&spool, &state) {
            self.apart(&file, spool, state);
        }
        Some(Settings {
            odoo: odoo?,
            spool: spool?,
            state: state?,
            keys: keys?,
            keys_warn_after: keys_warn_after?,
            control: ControlSettings { socket: socket? },
            log: log?,
            accounts: accounts?,
        })
    }

    fn odoo(&mut self, table: &OdooTable) -> Option<OdooSettings> {
        let url = self.odoo_url(&table.url);
        let database = self.filled(&table.database);
        let login = self.filled(&table.login);
        let ca_file = match &table.ca_file {
            Some(text) => self.path(text).map(Some),
            None => Some(None),
        };
        let connections = self.count(table.connections.as_ref(), 1..=32, DEFAULT_CONNECTIONS);
        let batch = self.count(table.batch.as_ref(), 1..=1000, DEFAULT_BATCH);
        let confirm_batch =
            self.count(table.confirm_batch.as_ref(), 1..=1000, DEFAULT_CONFIRM_BATCH);
        let limit_time_real =
            self.duration(table.limit_time_real.as_ref(), (1, 3_600), DEFAULT_LIMIT_TIME_REAL_SECS);
        let recheck_interval =
            self.duration(table.recheck_interval.as_ref(), (10, 86_400), DEFAULT_RECHECK_SECS);
        Some(OdooSettings {
            url: url?,
            database: database?,
            login: login?,
            ca_file: ca_file?,
            connections: connections?,
            batch: batch?,
            confirm_batch: confirm_batch?,
            limit_time_real: limit_time_real?,
            recheck_interval: recheck_interval?,
        })
    }

    fn spool(&mut self, table: &SpoolTable) -> Option<SpoolSettings> {
        let dir = self.path_or(table.dir.as_ref(), DEFAULT_SPOOL_DIR);
        let poll = self.duration(table.poll_interval.as_ref(), (1, 3_600), DEFAULT_POLL_SECS);
        let settle = self.duration(table.settle.as_ref(), (1, 600), DEFAULT_SETTLE_SECS);
        // Files may hold buyers: 30 days is what the marketplace allows.
        let keep = self.duration(table.keep.as_ref(), (3_600, MAX_KEEP_SECS), MAX_KEEP_SECS);
        let min_free = self.min_free(table.min_free.as_ref());
        Some(SpoolSettings {
            dir: dir?,
            poll_interval: poll?,
            settle: settle?,
            keep: keep?,
            min_free: min_free?,
        })
    }

    fn state(&mut self, table: &StateTable) -> Option<StateSettings> {
        let dir = self.path_or(table.dir.as_ref(), DEFAULT_STATE_DIR);
        let cache = self.size(table.cache.as_ref(), (8 << 20, 64 << 30), DEFAULT_CACHE_BYTES);
        let min_free = self.min_free(table.min_free.as_ref());
        Some(StateSettings { dir: dir?, cache_bytes: cache?, min_free: min_free? })
    }

    /// Not written is a choice of its own.
    #[expect(clippy::option_option, reason = "outside: a fault was found; inside: not written")]
    fn min_free(&mut self, text: Option<&Text>) -> Option<Option<u64>> {
        match text {
            None => Some(None),
            Some(text) => self.size(Some(text), (0, 64 << 40), 0).map(Some),
        }
    }

    fn log(&mut self, table: &LogTable) -> Option<LogSettings> {
        let levels = [
            ("error", tracing::Level::ERROR),
            ("warn", tracing::Level::WARN),
            ("info", tracing::Level::INFO),
            ("debug", tracing::Level::DEBUG),
            ("trace", tracing::Level::TRACE),
        ];
        let level = self.word(table.level.as_ref(), &levels, tracing::Level::INFO);
        Some(LogSettings { level: level? })
    }

    /// Spool and state must not contain one another: one is given to others, one is not.
    fn apart(&mut self, file: &ConfigFile, spool: &SpoolSettings, state: &StateSettings) {
        if !spool.dir.starts_with(&state.dir) && !state.dir.starts_with(&spool.dir) {
            return;
        }
        let span = match (&file.state.dir, &file.spool.dir) {
            (Some(text), _) | (None, Some(text)) => text.span(),
            (None, None) => 0..0,
        };
        self.fault::<()>(
            span,
            format!(
                "the spool ({}) and the state ({}) overlap",
                spool.dir.display(),
                state.dir.display()
            ),
            "droppers may write below the spool: give the state a directory of its own",
        );
    }

    // --- single values ---

    /// A text that is not blank and has no control characters, without outer spaces.
    fn filled(&mut self, text: &Text) -> Option<String> {
        let value = text.get_ref().trim();
        if value.is_empty() {
            return self.fault(text.span(), "this text is empty", "write a value");
        }
        if value.chars().any(char::is_control) {
            return self.fault(
                text.span(),
                "this text has a control character",
                "write it on one line, without tabs",
            );
        }
        Some(value.to_owned())
    }

    fn path(&mut self, text: &Text) -> Option<PathBuf> {
        let path = PathBuf::from(self.filled(text)?);
        let climbs = path.components().any(|c| c == std::path::Component::ParentDir);
        if !path.is_absolute() || climbs {
            return self.fault(
                text.span(),
                "this path is not absolute",
                "begin with / and leave out ..: the daemon has no working directory of its own",
            );
        }
        Some(path)
    }

    fn path_or(&mut self, text: Option<&Text>, default: &str) -> Option<PathBuf> {
        match text {
            Some(text) => self.path(text),
            None => Some(PathBuf::from(default)),
        }
    }

    fn count(
        &mut self,
        number: Option<&Spanned<i64>>,
        range: RangeInclusive<usize>,
        default: usize,
    ) -> Option<usize> {
        let Some(number) = number else { return Some(default) };
        match usize::try_from(*number.get_ref()) {
            Ok(value) if range.contains(&value) => Some(value),
            _ => self.fault(
                number.span(),
                format!("{} is out of range", number.get_ref()),
                format!("from {} to {}", range.start(), range.end()),
            ),
        }
    }

    /// A duration within `range` seconds.
    fn duration(
        &mut self,
        text: Option<&Text>,
        range: (u64, u64),
        default_secs: u64,
    ) -> Option<Duration> {
        let Some(text) = text else { return Some(Duration::from_secs(default_secs)) };
        let (low, high) = (Duration::from_secs(range.0), Duration::from_secs(range.1));
        match value::duration(text.get_ref()) {
            None => self.fault(
                text.span(),
                "this is not a duration",
                "a whole number and a unit: \"500ms\", \"30s\", \"5m\", \"2h\", \"7d\"",
            ),
            Some(value) if value < low || value > high => self.fault(
                text.span(),
                format!("{} is out of range", value::show_duration(value)),
                format!("from {} to {}", value::show_duration(low), value::show_duration(high)),
            ),
            Some(value) => Some(value),
        }
    }

    /// A size within `range` bytes.
    fn size(&mut self, text: Option<&Text>, range: (u64, u64), default: u64) -> Option<u64> {
        let Some(text) = text else { return Some(default) };
        match value::size(text.get_ref()) {
            None => self.fault(
                text.span(),
                "this is not a size",
                "a whole number and a unit: \"512KiB\", \"256MiB\", \"2GiB\"",
            ),
            Some(value) if value < range.0 || value > range.1 => self.fault(
                text.span(),
                format!("{} is out of range", value::show_size(value)),
                format!("from {} to {}", value::show_size(range.0), value::show_size(range.1)),
            ),
            Some(value) => Some(value),
        }
    }

    /// One of a few words.
    fn word<T: Clone>(
        &mut self,
        text: Option<&Text>,
        words: &[(&str, T)],
        default: T,
    ) -> Option<T> {
        let Some(text) = text else { return Some(default) };
        self.must_word(text, words)
    }

    fn must_word<T: Clone>(&mut self, text: &Text, words: &[(&str, T)]) -> Option<T> {
        if let Some((_, value)) = words.iter().find(|(word, _)| word == text.get_ref()) {
            return Some(value.clone());
        }
        let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        self.fault(
            text.span(),
            "this word is not known here",
            format!("one of {}", known.join(", ")),
        )
    }

    // --- faults ---

    /// Records a fault; `None` so that it can be returned.
    fn fault<T>(
        &mut self,
        span: Range<usize>,
        message: impl Display,
        help: impl Display,
    ) -> Option<T> {
        let fault = Fault::at(self.source, &span, message.to_string(), Show::Line);
        self.faults.push(fault.help(help.to_string()));
        None
    }

    /// Records what the TOML reader or serde said, in our words where they are better.
    fn toml_error<T>(&mut self, error: &toml::de::Error) -> Option<T> {
        let span = error.span().unwrap_or(0..0);
        let said = error.message().trim_end();
        let (message, help) = reword(said);
        let fault = Fault::at(self.source, &span, message, Show::Line);
        self.faults.push(match help {
            Some(help) => fault.help(help),
            None => fault,
        });
        None
    }

    /// Secrets do not belong into this file: it may be read by others, shown, kept in git.
    fn refuse_secrets(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            if looks_secret(key.get_ref()) {
                self.fault::<()>(
                    key.span(),
                    format!("`{}` is a secret and does not belong into this file", key.get_ref()),
                    "put it into the keys file or credential (see `odoo-spoold keygen`), remove \
                     it here, and replace it in Odoo if others could read this file",
                );
            }
            match value.get_ref() {
                DeValue::Table(inner) => self.refuse_secrets(inner),
                DeValue::Array(items) => {
                    for item in items {
                        if let DeValue::Table(inner) = item.get_ref() {
                            self.refuse_secrets(inner);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// serde speaks of fields; operators write keys.
pub(super) fn reword(said: &str) -> (String, Option<String>) {
    if let Some(rest) = said.strip_prefix("unknown field ") {
        return match rest.split_once(", ") {
            Some((key, known)) => (
                format!("unknown key {key}"),
                Some(known.replacen("expected", "known here:", 1).replace("one of ", "")),
            ),
            None => (format!("unknown key {rest}"), None),
        };
    }
    if let Some(key) = said.strip_prefix("missing field ") {
        return (
            format!("the key {key} is missing"),
            Some(if key == "`odoo`" {
                "nothing is set up yet: run `odoo-spoold setup`".to_owned()
            } else {
                "config.example.toml explains every key".to_owned()
            }),
        );
    }
    (said.replace('\n', ", "), None)
}
