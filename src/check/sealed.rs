//! Which files of an account's spool a keyring opens: what would be lost with an identity.
//!
//! Promises: reads heads only, follows no link and waits for no pipe; changes nothing.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::envelope::{self, Keyring, Policy};
use crate::model::AccountId;
use crate::spool::SpoolDirs;

/// The folders of an account that hold files which `keyring` opens, and how many.
pub fn sealed_to(
    spool: &Path,
    account: &AccountId,
    keyring: &Keyring,
) -> io::Result<Vec<(PathBuf, u64)>> {
    let SpoolDirs { incoming, work, done, rejected, .. } = SpoolDirs::new(spool, account.as_str());
    let mut found = Vec::new();
    for folder in [incoming, work, done, rejected] {
        let files = opened(&folder, keyring).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", folder.display()))
        })?;
        if files > 0 {
            found.push((folder, files));
        }
    }
    Ok(found)
}

fn opened(folder: &Path, keyring: &Keyring) -> io::Result<u64> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut found = 0_u64;
    for entry in listed {
        let entry = entry?;
        if !entry.file_type()?.is_file() {
            continue;
        }
        // It may have gone meanwhile, or become a link or a pipe.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::open(entry.path(), flags, Mode::empty()) else { continue };
        let opens = envelope::open(File::from(file), None, keyring, &Policy::default()).is_ok();
        found = found.saturating_add(u64::from(opens));
    }
    Ok(found)
}
