//! What is left in `incoming/`, and what the operator does about it.
//!
//! Texts for people, without the name of the thing: that may be shown only if it is harmless.

use std::ffi::OsString;
use std::fmt;
use std::fs::FileType;
use std::io;
use std::os::unix::fs::FileTypeExt;

/// Something in `incoming/` that is left where it is. Told once until it changes.
#[derive(Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its name. May be buyer data.
    pub name: OsString,
    /// What is the matter.
    pub kind: NoticeKind,
    /// By which it is found where its name is not shown.
    pub inode: u64,
    /// What helps this one, where more is known than of its kind.
    pub advice: Option<String>,
}

/// Why something is left where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoticeKind {
    /// A symbolic link.
    Symlink,
    /// A folder.
    Folder,
    /// A named pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A device.
    Device,
    /// The daemon has no right to read it.
    Unreadable,
    /// Reading it fails.
    ReadError(io::ErrorKind),
    /// A sidecar with keys, and no document beside it.
    LoneSidecar,
    /// It has more bytes than the account takes.
    TooLarge,
}

/// What this is, unless it is a regular file.
pub(super) fn not_a_file(kind: FileType) -> Option<NoticeKind> {
    if kind.is_file() {
        None
    } else if kind.is_symlink() {
        Some(NoticeKind::Symlink)
    } else if kind.is_dir() {
        Some(NoticeKind::Folder)
    } else if kind.is_fifo() {
        Some(NoticeKind::Pipe)
    } else if kind.is_socket() {
        Some(NoticeKind::Socket)
    } else {
        Some(NoticeKind::Device)
    }
}

// === impl Notice ===

impl Notice {
    /// What the operator does about it.
    pub fn cure(&self) -> &str {
        self.advice.as_deref().unwrap_or_else(|| self.kind.cure())
    }
}

impl NoticeKind {
    /// What the operator does about it.
    pub fn cure(self) -> &'static str {
        match self {
            Self::Symlink => "links are not followed: drop the file itself, remove the link",
            Self::Folder => "folders are not entered: move the files up, remove the folder",
            Self::Pipe | Self::Socket | Self::Device => "remove it",
            Self::Unreadable => {
                "let the dropper write with umask 002 and the spool's group, or set a default ACL; for this file: chmod g+r FILE"
            }
            Self::ReadError(_) => "look at the disk and the kernel's messages",
            Self::LoneSidecar => {
                "drop the document it belongs to under the same name without .json and as the same user, or remove it: it has keys in it"
            }
            Self::TooLarge => {
                "ask Amazon for a shorter period, or raise max_file_size of the account and run odoo-spoold reload; else remove it"
            }
        }
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symlink => f.write_str("a symbolic link"),
            Self::Folder => f.write_str("a folder"),
            Self::Pipe => f.write_str("a named pipe"),
            Self::Socket => f.write_str("a socket"),
            Self::Device => f.write_str("a device"),
            Self::Unreadable => f.write_str("a file the daemon may not read"),
            Self::ReadError(kind) => write!(f, "a file that cannot be read ({kind})"),
            Self::LoneSidecar => f.write_str("a sidecar without its document"),
            Self::TooLarge => f.write_str("a file larger than max_file_size"),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.cure())
    }
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notice")
            .field("name", &super::harmless_name(&self.name))
            .field("kind", &self.kind)
            .field("inode", &self.inode)
            .field("advice", &self.advice)
            .finish()
    }
}
