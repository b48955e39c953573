//! Starts logging: decides where to, and hands out the handle that a reload and the end need.
//!
//! Promises: nothing that logs ever waits for journald or a terminal (module `queue`).
//! At the end the last records get [`FLUSH_LIMIT`] to be written.

use std::ffi::OsStr;
use std::time::Duration;

use tracing::Level;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::queue::{self, Control, QUEUE_RECORDS};
use super::sink::{Journal, Lines};

/// How long the end of the process waits for the last records.
pub const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// Where records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// journald's native socket, with all fields.
    Journald,
    /// Lines for a person.
    Stderr,
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The writing thread could not be started: the host is out of threads or memory.
    #[error("the log's thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
    /// Something in this process logs already. A mistake in the code that calls.
    #[error("logging was started twice")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Logging that runs. Keep it until the end of the process: dropping it writes the last records.
#[derive(Debug)]
#[must_use = "dropping this ends logging"]
pub struct Log(Control);

/// Makes this process log at `level` and above. Without a journal, `Journald` falls back to stderr
/// with priorities, which systemd understands.
pub fn init(level: Level, to: To) -> Result<Log, LogError> {
    let mut fallback = None;
    let (front, control) = match to {
        To::Journald => match Journal::new() {
            Ok(journal) => queue::start(level, QUEUE_RECORDS, journal)?,
            Err(error) => {
                fallback = Some(error);
                queue::start(level, QUEUE_RECORDS, Lines { for_journal: true })?
            }
        },
        To::Stderr => queue::start(level, QUEUE_RECORDS, Lines { for_journal: false })?,
    };
    tracing_subscriber::registry().with(front).try_init()?;
    if let Some(error) = fallback {
        tracing::warn!(%error, "journald's socket does not answer: logging to stderr");
    }
    Ok(Log(control))
}

// === impl To ===

impl To {
    /// journald if stderr is the stream that `$JOURNAL_STREAM` (`device:inode`) names: then systemd
    /// started us and nobody redirected stderr.
    pub fn detect(journal_stream: Option<&OsStr>) -> Self {
        let ours = || {
            let (device, inode) = journal_stream?.to_str()?.split_once(':')?;
            let stat = rustix::fs::fstat(std::io::stderr()).ok()?;
            let same = device.parse() == Ok(stat.st_dev) && inode.parse() == Ok(stat.st_ino);
            Some(same)
        };
        if ours() == Some(true) { Self::Journald } else { Self::Stderr }
    }
}

// === impl Log ===

impl Log {
    /// Changes the level from now on.
    pub fn set_level(&self, level: Level) {
        self.0.set_level(level);
    }

    /// Records dropped since the start because nothing took them.
    pub fn dropped(&self) -> u64 {
        self.0.dropped()
    }

    /// Waits until all that was logged is written; false if that took longer than `limit`.
    pub fn flush(&self, limit: Duration) -> bool {
        self.0.flush(limit)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.flush(FLUSH_LIMIT);
        self.0.stop();
    }
}
