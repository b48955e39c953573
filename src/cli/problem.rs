//! What a command fails with: what, where, what next, and the exit code.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use crate::config::{ConfigError, EXIT_CONFIG};
use crate::control::ControlError;
use crate::control::client::ClientError;
use crate::envelope::{KeyringError, SealError};

use super::offline::OfflineError;
use super::output::{clean, clean_json, complain};

/// Failed.
pub(super) const EXIT_FAILED: u8 = 1;
/// Wrong usage.
pub(super) const EXIT_USAGE: u8 = 2;

/// Why a command ends early.
#[derive(Debug)]
pub(super) enum Problem {
    /// Nobody reads the output any more: no failure.
    Pipe,
    /// Something a person is told.
    Told(Box<Told>),
}

/// What a person is told.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    code: String,
    message: String,
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_step: Option<String>,
    #[serde(skip)]
    exit: u8,
    /// Where else it stands, or goes.
    #[serde(skip)]
    heard: Heard,
}

/// Who hears of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// Who reads stderr.
    Reader,
    /// The journal, through stderr.
    Journal,
    /// The log has it already.
    Already,
}

impl Problem {
    /// Something is wrong.
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self::Told(Box::new(Told {
            code: code.to_owned(),
            message: message.into(),
            place: None,
            next_step: None,
            exit: EXIT_FAILED,
            heard: Heard::Reader,
        }))
    }

    /// Wrong usage that only shows when the command runs.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new("usage", message).exit(EXIT_USAGE)
    }

    /// A file operation failed.
    pub(super) fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::new("file", format!("{doing} failed: {error}")).at(path)
    }

    /// Writing the answer failed.
    #[expect(clippy::needless_pass_by_value, reason = "used in map_err")]
    pub(super) fn stdout(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::Pipe;
        }
        Self::new("output", format!("writing the answer failed: {error}"))
    }

    /// The same, and this of it.
    #[must_use]
    pub(super) fn also(mut self, said: &str) -> Self {
        if let Self::Told(told) = &mut self {
            told.message = format!("{}; {said}", told.message);
        }
        self
    }

    /// The same, at this place.
    #[must_use]
    pub(super) fn at(mut self, path: &Path) -> Self {
        if let Self::Told(told) = &mut self {
            told.place = Some(path.display().to_string());
        }
        self
    }

    /// The same, with this advice.
    #[must_use]
    pub(super) fn next(mut self, step: impl Into<String>) -> Self {
        if let Self::Told(told) = &mut self {
            told.next_step = Some(step.into());
        }
        self
    }

    /// The same, ending with this code.
    #[must_use]
    pub(super) fn exit(mut self, code: u8) -> Self {
        if let Self::Told(told) = &mut self {
            told.exit = code;
        }
        self
    }

    /// The same, where stderr is the journal's: its first line has the priority of an error.
    #[must_use]
    pub(super) fn for_journal(mut self) -> Self {
        if let Self::Told(told) = &mut self {
            told.heard = Heard::Journal;
        }
        self
    }

    /// The same, where the log has said it: only the exit code is left to tell.
    #[must_use]
    pub(super) fn told_already(mut self) -> Self {
        if let Self::Told(told) = &mut self {
            told.heard = Heard::Already;
        }
        self
    }

    /// Whether it is of this kind.
    pub(super) fn is(&self, code: &str) -> bool {
        matches!(self, Self::Told(told) if told.code == code)
    }

    /// What it says, in one line or a few.
    pub(super) fn message(&self) -> &str {
        match self {
            Self::Pipe => "nobody reads the output",
            Self::Told(told) => &told.message,
        }
    }

    /// Tells it, and how the process ends.
    pub(super) fn tell(&self, json: bool) -> ExitCode {
        let Self::Told(told) = self else { return ExitCode::SUCCESS };
        if told.heard == Heard::Already {
            return ExitCode::from(told.exit);
        }
        let priority = if told.heard == Heard::Journal { "<3>" } else { "" };
        match serde_json::to_string(told) {
            Ok(text) if json => complain(&clean_json(&text)),
            _ => {
                let lines: Vec<String> = told.message.lines().map(clean).collect();
                complain(&format!("{priority}error: {}", lines.join("\n")));
                if let Some(place) = &told.place {
                    complain(&format!("where: {}", clean(place)));
                }
                if let Some(step) = &told.next_step {
                    complain(&format!(" next: {}", clean(step)));
                }
            }
        }
        ExitCode::from(told.exit)
    }
}

impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        Self::new("configuration", error.to_string()).exit(EXIT_CONFIG)
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        let told = Self::new(error.code(), error.to_string()).next(error.next_step());
        match error.socket() {
            Some(socket) => told.at(socket),
            None => told,
        }
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        Self::new(error.code(), error.to_string()).next(error.next_step())
    }
}

impl From<OfflineError> for Problem {
    fn from(error: OfflineError) -> Self {
        if let OfflineError::Store(error) = &error
            && error.needs_person()
        {
            return Self::new(error.code(), error.to_string()).exit(EXIT_CONFIG);
        }
        Self::new("not-running", format!("the daemon is not running, and {error}"))
            .next("`systemctl start odoo-spoold`, or see why not: `journalctl -u odoo-spoold`")
    }
}

impl From<SealError> for Problem {
    fn from(error: SealError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<KeyringError> for Problem {
    fn from(error: KeyringError) -> Self {
        Self::new(error.code(), format!("age identities: {error}")).exit(EXIT_CONFIG)
    }
}
