//! The few things the spool does to a disk, behind a trait.
//!
//! Every change on the way of a file goes through [`Disk`], one call a step, so that tests can
//! record the order of fsyncs, stop the world before any step, and replay a power cut.
//! [`Os`] is the real one. Reading is not a step and stays outside, except [`open_regular`].

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

const COPY_BUFFER_BYTES: usize = 128 * 1024;

/// Steps that change a disk.
pub(super) trait Disk {
    /// Creates a file that must not exist yet.
    fn create(&self, path: &Path, mode: u32) -> io::Result<File>;
    /// Writes all of `bytes` to the file at `path`.
    fn write(&self, file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes a file's content durable.
    fn sync(&self, file: &File, path: &Path) -> io::Result<()>;
    /// Makes a folder's names durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Renames; an existing target is `AlreadyExists`, another file system `CrossesDevices`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Renames over whatever is there.
    fn replace(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes a name away.
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// A piece was read: no step, but a sign of life.
    fn alive(&self) {}
}

/// The disk of this host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Os;

impl Disk for Os {
    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
    }

    fn write(&self, file: &mut File, _: &Path, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File, _: &Path) -> io::Result<()> {
        file.sync_all()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // NFS and some FUSE file systems cannot. All our targets carry a file id of our own or lie
            // in a folder where a collision is looked for before, so a look is enough.
            Err(Errno::INVAL | Errno::NOSYS) => match std::fs::symlink_metadata(to) {
                Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::rename(from, to),
                Err(error) => Err(error),
            },
            other => other.map_err(io::Error::from),
        }
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
}

/// The disk of this host, for a caller who must show that it is alive while much is copied.
pub(super) struct Beating<'a>(pub(super) &'a dyn Fn());

impl Disk for Beating<'_> {
    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        Os.create(path, mode)
    }

    fn write(&self, file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        (self.0)();
        Os.write(file, path, bytes)
    }

    fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        (self.0)();
        Os.sync(file, path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        (self.0)();
        Os.sync_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Os.rename(from, to)
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        Os.replace(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        Os.unlink(path)
    }

    fn alive(&self) {
        (self.0)();
    }
}

/// Takes a name away that need not be there; says whether it was.
pub(super) fn unlink_if_there(disk: &impl Disk, path: &Path) -> io::Result<bool> {
    if !exists(path)? {
        return Ok(false);
    }
    disk.unlink(path).map(|()| true)
}

/// Whether anything has this name, links that lead nowhere included.
pub(super) fn exists(path: &Path) -> io::Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens a regular file for reading; never follows a link, never waits for a pipe, never wakes a device.
/// Anything else is `InvalidInput`.
pub(super) fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    // A device can react to being opened: look first. What is swapped in between is caught by fstat.
    if !std::fs::symlink_metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(Errno::LOOP | Errno::NXIO) => return Err(io::ErrorKind::InvalidInput.into()),
        Err(errno) => return Err(errno.into()),
    };
    let meta = file.metadata()?;
    if meta.is_file() { Ok((file, meta)) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// Copies the first `most` bytes of `source` to a new durable file (its name is not durable yet).
/// Returns how many bytes that was, and their SHA-256.
pub(super) fn copy(
    disk: &impl Disk,
    source: &File,
    most: u64,
    to: &Path,
    mode: u32,
) -> io::Result<(u64, [u8; 32])> {
    let mut target = disk.create(to, mode)?;
    let digest = digest(disk, source.take(most), |chunk| disk.write(&mut target, to, chunk))?;
    disk.sync(&target, to)?;
    Ok(digest)
}

/// Reads to the end; length and SHA-256 of what was read. Each piece is shown to `each` first.
pub(super) fn digest(
    disk: &impl Disk,
    mut source: impl Read,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<(u64, [u8; 32])> {
    let mut hash = Sha256::new();
    let mut length = 0_u64;
    let mut buffer = vec![0_u8; COPY_BUFFER_BYTES];
    loop {
        disk.alive();
        let read = match source.read(&mut buffer) {
            Ok(0) => return Ok((length, hash.finalize().into())),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let chunk = buffer.get(..read).unwrap_or_default();
        each(chunk)?;
        hash.update(chunk);
        length += u64::try_from(read).unwrap_or_default();
    }
}

/// Takes a file with keys in it away. Once its name is durably gone its bytes are overwritten, where
/// that is possible and nobody else has the file under another name; file systems that copy on write
/// keep them anyway. No more is overwritten than a sidecar can have: a file without content, however
/// long it says it is, must not become a real one.
pub(super) fn destroy_if_there(disk: &impl Disk, path: &Path) -> io::Result<bool> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    // Best effort: the dropper's own file need not be writable for us.
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = found
        .is_file()
        .then(|| rustix::fs::open(path, flags, Mode::empty()).map(File::from).ok())
        .flatten()
        .filter(|file| file.metadata().is_ok_and(|meta| meta.is_file() && meta.nlink() == 1));
    disk.unlink(path)?;
    disk.sync_dir(path.parent().unwrap_or(path))?;
    if let Some(mut file) = file {
        let scrub = file
            .metadata()
            .and_then(|meta| {
                let most = meta.len().min(super::claim::SIDECAR_COPY_BYTES);
                io::copy(&mut io::repeat(0).take(most), &mut file)
            })
            .and_then(|_| file.sync_data());
        drop(scrub);
    }
    Ok(true)
}
