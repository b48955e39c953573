//! What can go wrong with the store. Names the path and the next step, never a stored value.

use std::io::ErrorKind;
use std::path::PathBuf;

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process holds the lock. Stop it, or give this one another state directory.
    #[error(
        "{}: another odoo-spoold has this state directory open; stop it first \
         (systemctl status odoo-spoold, or lsof on the file LOCK there)", path.display()
    )]
    Busy {
        /// The state directory.
        path: PathBuf,
    },
    /// The operating system refused a file operation. Check rights, mount and free space.
    #[error("{}: {doing} failed: {source}; {}", path.display(), advice(source))]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The database engine failed. Nothing was deleted.
    #[error(
        "{}: the database failed while {doing}: {reason}; nothing was deleted: {}", path.display(),
        disk.map_or(
            "if this repeats after a restart, see README.md, \"When the state is lost\"",
            |disk| advice(&disk.into())
        )
    )]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// The database's folder.
        path: PathBuf,
        /// The engine's words; they name offsets, not contents.
        reason: String,
        /// It is what is in the files, not the disk.
        corrupt: bool,
        /// What the operating system said, where it was that.
        disk: Option<ErrorKind>,
    },
    /// Written by a newer version. It was not touched; install that version again.
    #[error(
        "{}: written by a newer odoo-spoold (schema {found}, this one knows {known}); \
         nothing was changed: install the newer version again", path.display()
    )]
    NewerSchema {
        /// The state directory.
        path: PathBuf,
        /// The schema found.
        found: u32,
        /// The newest one known here.
        known: u32,
    },
    /// Written by an older version, in a form that this one does not read. It was not touched;
    /// install that version again, or move the state away and start over.
    #[error(
        "{}: written by an older odoo-spoold (schema {found}, this one reads {known}); nothing was \
         changed or moved: {reads} reads it; to start over with this version, move the directory away \
         first (README.md, \"When the state is lost\", says what that means)", path.display()
    )]
    OlderSchema {
        /// The state directory, or the journal in it.
        path: PathBuf,
        /// The schema found.
        found: u32,
        /// The one that this version reads.
        known: u32,
        /// The versions that read it.
        reads: &'static str,
    },
    /// The file SCHEMA is not a number, or is missing beside a database.
    #[error(
        "{}: is not a schema number of odoo-spoold; restore the file, or see README.md, \
         \"When the state is lost\"", path.display()
    )]
    BadSchema {
        /// The schema file.
        path: PathBuf,
    },
    /// A value names a master key that was not given. Put that key back among the older ones.
    #[error(
        "the store has values under master key \"{key_id}\", which was not given; add it to `older` in the keys file"
    )]
    UnknownKey {
        /// The key id that the value names.
        key_id: String,
    },
    /// The master key's name is right and its bytes are not.
    #[error(
        "master key \"{key_id}\" does not open this store; give the key that it was made with, from your copy of the keys"
    )]
    WrongKey {
        /// The key id.
        key_id: String,
    },
    /// A master key id is not 1 to 16 characters of `[A-Za-z0-9._-]`, or stands twice.
    #[error("a master key id must be 1 to 16 characters of A-Z a-z 0-9 . _ - and stand once")]
    BadKeyId,
    /// An account's id key differs from the one its records were made with; it never rotates.
    #[error(
        "account {account}: its id key is not the one its records were made with; restore it from your copy of the keys"
    )]
    IdKeyChanged {
        /// The account.
        account: String,
    },
    /// Two account ids share a tag. One in four thousand million; rename the newer account.
    #[error(
        "accounts {first} and {second} cannot share one store (same tag): give the newer one another id"
    )]
    AccountCollision {
        /// One account.
        first: String,
        /// The other.
        second: String,
    },
    /// The account has no id key in this process: it is not configured.
    #[error("account {account} is not configured here")]
    UnknownAccount {
        /// The account, or its tag.
        account: String,
    },
    /// A sealed value does not open: damaged or tampered with. Only its own record is affected.
    #[error(
        "a value in \"{tree}\" under {key} is damaged or was tampered with: see README.md, \"When the state is lost\""
    )]
    Damaged {
        /// The tree.
        tree: &'static str,
        /// The key, in hex; says nothing without the id key.
        key: String,
    },
    /// A value is larger than anything that belongs here.
    #[error("a value of {bytes} bytes for \"{tree}\" is larger than any record may be")]
    TooLarge {
        /// The tree.
        tree: &'static str,
        /// Its size.
        bytes: usize,
    },
    /// sled wrote a blob file, which it never syncs. A bug here: values are kept small to avoid it.
    #[error("{}: is not empty, so values could be lost in a power cut: report this", path.display())]
    Blobs {
        /// The blob folder.
        path: PathBuf,
    },
    /// A sync to disk failed before. Linux forgets what it could not write: only a restart, which
    /// reads what is really there, makes the store trustworthy again.
    #[error("{}: the disk refused a sync earlier; what came after is not durable: restart odoo-spoold once the disk is well", path.display())]
    Unsynced {
        /// The database file.
        path: PathBuf,
    },
    /// The decision journal's head is damaged in both copies: nothing in it can be opened.
    #[error(
        "{}: the decision journal is damaged at its head and cannot be read; nothing was changed: \
         restore it from a backup, or move it away and see README.md, \"When the state is lost\"",
        path.display()
    )]
    JournalHead {
        /// The journal.
        path: PathBuf,
    },
    /// The decision journal was written by a newer version.
    #[error(
        "{}: written by a newer odoo-spoold (version {found}); nothing was changed: install the \
         newer version again", path.display()
    )]
    JournalVersion {
        /// The journal.
        path: PathBuf,
        /// The version found.
        found: u8,
    },
}

/// What helps against what the operating system said.
fn advice(source: &std::io::Error) -> &'static str {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on that disk",
        ErrorKind::ReadOnlyFilesystem => {
            "the disk is mounted read-only: look at the kernel's messages, then mount it writable"
        }
        ErrorKind::PermissionDenied => "check owner and rights there",
        _ => "check owner, rights, mount and free space",
    }
}

impl StoreError {
    /// What the operating system said, where that is the reason.
    pub fn disk(&self) -> Option<ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            Self::Engine { disk, .. } => *disk,
            _ => None,
        }
    }

    /// The disk or the engine on it failed.
    pub(super) fn is_disk(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Engine { .. } | Self::Unsynced { .. })
    }

    /// One stored value does not open; all else does.
    pub(super) fn is_of_one_value(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::UnknownKey { .. })
    }

    /// Trying again would find the same: a person must bring a key, a file or a version.
    pub fn needs_person(&self) -> bool {
        if self.disk() == Some(ErrorKind::PermissionDenied) {
            return true;
        }
        matches!(
            self,
            Self::NewerSchema { .. }
                | Self::OlderSchema { .. }
                | Self::UnknownKey { .. }
                | Self::WrongKey { .. }
                | Self::BadKeyId
                | Self::IdKeyChanged { .. }
                | Self::AccountCollision { .. }
                | Self::JournalHead { .. }
                | Self::JournalVersion { .. }
        )
    }

    /// A name that never changes, for those that end the daemon's start and have a cure of their
    /// own.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OlderSchema { .. } => "state-schema-old",
            Self::NewerSchema { .. } | Self::JournalVersion { .. } => "state-schema-new",
            Self::Busy { .. } => "store-busy",
            Self::Damaged { .. } => "store-damaged",
            _ => "store-failed",
        }
    }

    /// Wraps an I/O error with its path.
    pub(super) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
