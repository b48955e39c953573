//! The four folders of one account.
//!
//! ```text
//! <spool>/<account>/incoming   3730  droppers may put files in, not list, not take others' out
//!                   work       0750  what is being read, by file id
//!                   done       0750  NAME.<file id> and NAME.<file id>.result.json
//!                   rejected   0750  NAME.<file id> and NAME.<file id>.reason.json
//! ```
//!
//! [`SpoolDirs::prepare`] creates what is missing. What exists belongs to the operator: its modes are
//! reported when they look wrong, never changed.
//!
//! Under the unit's sandbox (`RestrictSUIDSGID=`, no `chown`) no program may set the set-group-id bit or
//! give a folder to another group. The kernel does both for a folder that is made in one that has the bit:
//! the package makes the spool `2755 odoo-spoold:odoo-spoold-drop`, an account's folder inherits group and
//! bit from it, and `incoming/` from that. The bit is then taken off the account's folder, which is allowed,
//! so that the other three keep the daemon's own group.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

const SET_GROUP_ID: u32 = 0o2000;

/// The folders of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolDirs {
    /// The account's folder.
    pub root: PathBuf,
    /// Where droppers put files.
    pub incoming: PathBuf,
    /// Where claimed files are read.
    pub work: PathBuf,
    /// Where files end that were taken in.
    pub done: PathBuf,
    /// Where files end that were refused.
    pub rejected: PathBuf,
}

/// Something about the folders that the operator should know; nothing stops because of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirNotice {
    /// Others than the daemon may list `incoming/`: file names can be buyer data. Take the read bits away.
    #[error("{} can be listed by others (mode {mode:04o}): chmod 3730", path.display())]
    IncomingListable {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Droppers may take away or replace each other's files. Set the sticky bit.
    #[error("{} has no sticky bit (mode {mode:04o}), droppers can remove each other's files: chmod 3730", path.display())]
    IncomingNotSticky {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Droppers cannot put files in, or what they put in keeps a group that the daemon is not in. Root sets
    /// group and mode.
    #[error("{} is closed to droppers (mode {mode:04o}): as root, chgrp odoo-spoold-drop, then chmod 3730", path.display())]
    IncomingClosed {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A folder of the daemon's own is open to everybody. Take the rights of others away.
    #[error("{} is open to everybody (mode {mode:04o}): chmod 0750", path.display())]
    NotPrivate {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// `incoming/` belongs to someone else and is sticky: files of others cannot be taken out of it.
    /// Give the folder to the daemon's user.
    #[error("{} belongs to uid {owner}, not to the daemon: chown it", path.display())]
    IncomingNotOurs {
        /// The folder.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
    },
    /// Moving a file between these folders means copying it: slower, otherwise the same.
    #[error("{} is on another file system than work/: files are copied", path.display())]
    OtherFileSystem {
        /// The folder.
        path: PathBuf,
    },
}

/// A folder cannot be used. Create it, or give the daemon's user read, write and search rights.
#[derive(Debug, thiserror::Error)]
#[error("cannot use spool folder {}", path.display())]
pub struct DirsError {
    /// The folder.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

// === impl SpoolDirs ===

impl SpoolDirs {
    /// The mode of the account's folder: droppers pass through it, and need not list it.
    pub const ROOT_MODE: u32 = 0o711;
    /// The mode of `incoming/`.
    pub const INCOMING_MODE: u32 = 0o3730;
    /// The mode of the other folders.
    pub const PRIVATE_MODE: u32 = 0o750;

    /// The folders of `account` below `spool_root`. Nothing is touched.
    pub fn new(spool_root: &Path, account: &str) -> Self {
        let root = spool_root.join(account);
        Self {
            incoming: root.join("incoming"),
            work: root.join("work"),
            done: root.join("done"),
            rejected: root.join("rejected"),
            root,
        }
    }

    /// Creates what is missing, durably, and looks at what is there.
    pub fn prepare(&self) -> Result<Vec<DirNotice>, DirsError> {
        make(&self.root, Self::ROOT_MODE)?;
        if make(&self.incoming, Self::INCOMING_MODE)? {
            finish_incoming(&self.incoming)?;
        }
        if !self.work.exists() {
            self.end_inheriting()?;
        }
        for path in [&self.work, &self.done, &self.rejected] {
            create(path, Self::PRIVATE_MODE)?;
        }
        self.look()
    }

    /// The account's folder hands group and set-group-id bit on to `incoming/` only.
    fn end_inheriting(&self) -> Result<(), DirsError> {
        let fail = |source| DirsError { path: self.root.clone(), source };
        let meta = fs::metadata(&self.root).map_err(fail)?;
        if meta.mode() & SET_GROUP_ID == 0 {
            return Ok(());
        }
        let mode = Permissions::from_mode(meta.mode() & 0o777);
        fs::set_permissions(&self.root, mode).map_err(fail)
    }

    /// Looks at the folders without changing anything; an error names one that cannot be used.
    pub fn look(&self) -> Result<Vec<DirNotice>, DirsError> {
        let mut notices = Vec::new();
        let work = usable(&self.work)?;
        let incoming = usable(&self.incoming)?;
        let mode = incoming.mode() & 0o7777;
        let path = || self.incoming.clone();
        if mode & 0o044 != 0 {
            notices.push(DirNotice::IncomingListable { path: path(), mode });
        }
        if mode & 0o002 == 0 && mode & 0o2030 != 0o2030 {
            notices.push(DirNotice::IncomingClosed { path: path(), mode });
        }
        if mode & 0o022 != 0 && mode & 0o1000 == 0 {
            notices.push(DirNotice::IncomingNotSticky { path: path(), mode });
        }
        let me = rustix::process::geteuid();
        if mode & 0o1000 != 0 && !me.is_root() && incoming.uid() != me.as_raw() {
            notices.push(DirNotice::IncomingNotOurs { path: path(), owner: incoming.uid() });
        }
        if incoming.dev() != work.dev() {
            notices.push(DirNotice::OtherFileSystem { path: path() });
        }
        for path in [&self.work, &self.done, &self.rejected] {
            let meta = usable(path)?;
            if meta.mode() & 0o007 != 0 {
                let mode = meta.mode() & 0o7777;
                notices.push(DirNotice::NotPrivate { path: path.clone(), mode });
            }
            if meta.dev() != work.dev() {
                notices.push(DirNotice::OtherFileSystem { path: path.clone() });
            }
        }
        Ok(notices)
    }
}

fn create(path: &Path, mode: u32) -> Result<(), DirsError> {
    make(path, mode).map(|_| ())
}

/// Makes a folder with this mode, but for the set-group-id bit, which only its parent can give it. False
/// if it is there.
fn make(path: &Path, mode: u32) -> Result<bool, DirsError> {
    use rustix::fs::Mode;

    let fail = |source| DirsError { path: path.to_owned(), source };
    // mkdir(2) obeys the umask, and chmod(2) takes away what was inherited.
    let umask = rustix::process::umask(Mode::empty());
    let made = rustix::fs::mkdir(path, Mode::from_raw_mode(mode & !SET_GROUP_ID));
    rustix::process::umask(umask);
    match made.map_err(io::Error::from) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(fail(error)),
    }
    let parent = path.parent().unwrap_or(path);
    fs::File::open(parent).and_then(|dir| dir.sync_all()).map_err(fail)?;
    Ok(true)
}

/// Sets the bit that was not inherited, where that is allowed. Where it is not, [`SpoolDirs::look`] says so.
fn finish_incoming(path: &Path) -> Result<(), DirsError> {
    let fail = |source| DirsError { path: path.to_owned(), source };
    if fs::metadata(path).map_err(fail)?.mode() & SET_GROUP_ID != 0 {
        return Ok(());
    }
    match fs::set_permissions(path, Permissions::from_mode(SpoolDirs::INCOMING_MODE)) {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(fail(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn usable(path: &Path) -> Result<fs::Metadata, DirsError> {
    use rustix::fs::Access;

    let fail = |source| DirsError { path: path.to_owned(), source };
    let meta = fs::metadata(path).map_err(fail)?;
    if !meta.is_dir() {
        return Err(fail(io::ErrorKind::NotADirectory.into()));
    }
    let wanted = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::access(path, wanted).map_err(|errno| fail(errno.into()))?;
    Ok(meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn creates_with_the_documented_modes_and_is_content() {
        let spool = tempfile::tempdir().unwrap();
        let dirs = SpoolDirs::new(spool.path(), "eu_main");
        assert_eq!(dirs.prepare().unwrap(), []);
        assert_eq!(mode(&dirs.incoming), 0o3730);
        for path in [&dirs.work, &dirs.done, &dirs.rejected] {
            assert_eq!(mode(path), 0o750);
        }
        assert_eq!(dirs.prepare().unwrap(), []);
    }

    /// As under the unit's sandbox: nothing sets the bit, everything inherits it.
    #[test]
    fn audit_19_incoming_inherits_group_and_bit_and_the_other_folders_do_not() {
        let spool = tempfile::tempdir().unwrap();
        let root = rustix::process::geteuid().is_root();
        if root {
            std::os::unix::fs::chown(spool.path(), None, Some(4711)).unwrap();
        }
        fs::set_permissions(spool.path(), Permissions::from_mode(0o2755)).unwrap();
        let dirs = SpoolDirs::new(spool.path(), "eu_main");
        assert_eq!(dirs.prepare().unwrap(), []);
        assert_eq!((mode(&dirs.incoming), mode(&dirs.root)), (0o3730, 0o711));
        let gid = |path: &Path| fs::metadata(path).unwrap().gid();
        assert_eq!(gid(&dirs.incoming), gid(spool.path()));
        for path in [&dirs.work, &dirs.done, &dirs.rejected] {
            assert_eq!(mode(path), 0o750);
            assert!(!root || gid(path) != 4711, "{}", path.display());
        }
        // What was made without the bit and could not be given it is told of.
        fs::set_permissions(&dirs.incoming, Permissions::from_mode(0o1700)).unwrap();
        let notices = dirs.prepare().unwrap();
        let closed = DirNotice::IncomingClosed { path: dirs.incoming.clone(), mode: 0o1700 };
        assert_eq!(notices, [closed]);
    }

    #[test]
    fn existing_modes_are_reported_and_left_alone() {
        let spool = tempfile::tempdir().unwrap();
        let dirs = SpoolDirs::new(spool.path(), "eu_main");
        fs::create_dir_all(&dirs.incoming).unwrap();
        fs::create_dir_all(&dirs.work).unwrap();
        fs::set_permissions(&dirs.incoming, Permissions::from_mode(0o777)).unwrap();
        fs::set_permissions(&dirs.work, Permissions::from_mode(0o755)).unwrap();
        let notices = dirs.prepare().unwrap();
        assert_eq!(
            notices,
            [
                DirNotice::IncomingListable { path: dirs.incoming.clone(), mode: 0o777 },
                DirNotice::IncomingNotSticky { path: dirs.incoming.clone(), mode: 0o777 },
                DirNotice::NotPrivate { path: dirs.work.clone(), mode: 0o755 },
            ]
        );
        assert_eq!(mode(&dirs.incoming), 0o777);
        assert!(
            notices[0].to_string().ends_with("can be listed by others (mode 0777): chmod 3730")
        );
    }

    #[test]
    fn a_file_in_the_way_is_an_error_that_names_it() {
        let spool = tempfile::tempdir().unwrap();
        let dirs = SpoolDirs::new(spool.path(), "a");
        fs::create_dir_all(&dirs.root).unwrap();
        fs::write(&dirs.done, b"").unwrap();
        assert_eq!(dirs.prepare().unwrap_err().path, dirs.done);
    }

    #[test]
    fn another_file_system_is_noted() {
        let spool = tempfile::tempdir().unwrap();
        let Ok(shm) = tempfile::tempdir_in("/dev/shm") else { return };
        let mut dirs = SpoolDirs::new(spool.path(), "a");
        dirs.done = shm.path().join("done");
        let same =
            fs::metadata(spool.path()).unwrap().dev() == fs::metadata(shm.path()).unwrap().dev();
        let notices = dirs.prepare().unwrap();
        let expected: &[DirNotice] =
            if same { &[] } else { &[DirNotice::OtherFileSystem { path: dirs.done.clone() }] };
        assert_eq!(notices, expected);
    }
}
