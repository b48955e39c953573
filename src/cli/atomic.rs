//! Files that appear whole or not at all.
//!
//! Written under a name that the spool does not look at, synced, then renamed. Without
//! [`Atomic::keep`] nothing stays behind.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// A file on its way.
#[derive(Debug)]
pub(super) struct Atomic {
    file: File,
    aside: PathBuf,
    target: PathBuf,
    kept: bool,
}

/// What happens to a file that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// It stays, and keeping the new one fails.
    Stays,
    /// The new one takes its place.
    Replaced,
}

impl Atomic {
    /// Begins a file that will be called `target`.
    pub(super) fn create(target: &Path) -> io::Result<Self> {
        let aside = format!(".{:016x}.tmp", rand::random::<u64>());
        let aside = folder(target).join(aside);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        Ok(Self { file, aside, target: target.to_owned(), kept: false })
    }

    /// The open file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Makes it durable and gives it its name.
    pub(super) fn keep(mut self, mode: u32, existing: Existing) -> io::Result<()> {
        self.file.set_permissions(Permissions::from_mode(mode))?;
        self.file.sync_all()?;
        match existing {
            Existing::Replaced => fs::rename(&self.aside, &self.target)?,
            Existing::Stays => self.rename_new()?,
        }
        self.kept = true;
        // A dropper may write into incoming/, but not open it: then the daemon's own sync counts.
        if let Ok(folder) = File::open(folder(&self.target)) {
            folder.sync_all()?;
        }
        Ok(())
    }

    fn rename_new(&self) -> io::Result<()> {
        match renameat_with(CWD, &self.aside, CWD, &self.target, RenameFlags::NOREPLACE) {
            // Some file systems cannot: a second name, then away with the first.
            Err(Errno::INVAL | Errno::NOSYS) => {
                fs::hard_link(&self.aside, &self.target)?;
                fs::remove_file(&self.aside)
            }
            renamed => Ok(renamed?),
        }
    }
}

impl Write for Atomic {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Atomic {
    fn drop(&mut self) {
        if !self.kept {
            let _gone_or_harmless = fs::remove_file(&self.aside);
        }
    }
}

/// The folder that a path lies in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a");
        let mut dropped = Atomic::create(&target).unwrap();
        dropped.write_all(b"half").unwrap();
        assert!(names(dir.path())[0].starts_with('.'));
        drop(dropped);
        assert!(names(dir.path()).is_empty());
        let write = |text: &[u8], existing| {
            let mut atomic = Atomic::create(&target).unwrap();
            atomic.write_all(text).unwrap();
            atomic.keep(0o640, existing)
        };
        write(b"one", Existing::Stays).unwrap();
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
        let error = write(b"two", Existing::Stays).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&target).unwrap(), b"one");
        write(b"two", Existing::Replaced).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"two");
        assert_eq!(names(dir.path()), ["a"]);
    }
}
