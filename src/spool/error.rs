//! What can go wrong between `incoming/` and `done/`.
//!
//! No text here carries a file name: names can be buyer data. Say the file id, and the name only
//! through [`harmless_name`](super::harmless_name).

use std::io;

/// Where a file is after something went wrong. It always is somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// In `incoming/`, under its name or, if that was taken meanwhile, as `NAME.<file id>`.
    Incoming,
    /// In `work/`: [`recover`](super::recover()) continues from there.
    Work,
}

/// Why a file was not claimed, kept or finished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// The dropper took the file away again between the look and the claim. Nothing to do.
    #[error("the file is gone from incoming/")]
    Gone,
    /// The file was replaced or written to while it was being taken. It stays in `incoming/` until it
    /// rests (tell [`Scanner::returned`](super::Scanner::returned)); if that never happens, look for the program that keeps writing.
    #[error("the file changed while it was being taken")]
    Changed,
    /// What has this name now is a link, a pipe, a device or a folder. It is left alone; remove it.
    #[error("this is not a regular file")]
    NotAFile,
    /// The daemon may not read the file. Let the dropper write it with umask 002 or set a default ACL.
    #[error("the daemon may not read the file")]
    Unreadable(#[source] io::Error),
    /// The daemon may not take the file out of `incoming/`. Give that folder to the daemon's user.
    #[error("the daemon may not take files out of incoming/")]
    NotAllowed(#[source] io::Error),
    /// This file id is in use. Take another.
    #[error("this file id is in use")]
    IdTaken,
    /// Another file stands where this one should end. Look at both, move the older one away.
    #[error("another file has the name this one should get")]
    Collision,
    /// The disk refused. See the cause: a full disk heals by itself, an I/O error does not.
    #[error("{step} failed")]
    Disk {
        /// What was being done.
        step: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
        /// Where the file is now.
        left: Left,
    },
}

impl ClaimError {
    /// True if there is no room: stop claiming, go on delivering, try again later.
    pub fn is_disk_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Disk { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }

    /// Where the file is now.
    pub fn left(&self) -> Left {
        match self {
            Self::Disk { left, .. } => *left,
            Self::Collision => Left::Work,
            Self::Gone
            | Self::Changed
            | Self::NotAFile
            | Self::Unreadable(_)
            | Self::NotAllowed(_)
            | Self::IdTaken => Left::Incoming,
        }
    }

    pub(super) fn disk(step: &'static str, left: Left) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Disk { step, source, left }
    }
}
