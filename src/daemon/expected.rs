//! Files that a caller of the control API handed in and waits for, by the name they have in `incoming/`.
//!
//! The account's intake says of each file what becomes of it; nobody need look for it among the others.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::model::{FileId, FileRecord};

/// How far a file is.
#[derive(Debug, Clone)]
pub(crate) enum Progress {
    /// It lies in `incoming/`.
    Dropped,
    /// It is being read.
    Claimed(FileId),
    /// It stays in `work/` for now, and why.
    Waits(FileId, String),
    /// It came to its end.
    Ended(Box<FileRecord>),
}

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Expected(Mutex<HashMap<OsString, watch::Sender<Progress>>>);

/// One file that is waited for, as long as this lives.
pub(crate) struct Expectation<'a> {
    expected: &'a Expected,
    name: OsString,
    pub(crate) progress: watch::Receiver<Progress>,
}

impl Expected {
    /// Begins to wait for the file with this name. Before it is put there.
    pub(crate) fn expect(&self, name: &OsStr) -> Expectation<'_> {
        let (sender, progress) = watch::channel(Progress::Dropped);
        let mut expected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        expected.insert(name.to_owned(), sender);
        Expectation { expected: self, name: name.to_owned(), progress }
    }

    /// Says how far the file with this name is, if anybody waits for it.
    pub(crate) fn tell(&self, name: &OsStr, progress: impl FnOnce() -> Progress) {
        let expected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = expected.get(name) {
            waiting.send_replace(progress());
        }
    }
}

impl Drop for Expectation<'_> {
    fn drop(&mut self) {
        let mut expected = self.expected.0.lock().unwrap_or_else(PoisonError::into_inner);
        expected.remove(&self.name);
    }
}
