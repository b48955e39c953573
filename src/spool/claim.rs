//! Taking a file over: `incoming/` → `work/`.
//!
//! ```text
//! incoming/NAME               the dropper's file, perhaps still held open by him
//! incoming/NAME.json          its sidecar, if any
//! work/<id>.claim.json        what we are about to take: {version, id, name | name_base64, claimed_at, …}
//! work/<id>.in                the dropper's file, out of his reach by name
//! work/<id>.sidecar.in        the dropper's sidecar
//! work/<id>.sidecar.tmp       our copy of the sidecar while it is being written
//! work/<id>.sidecar           our copy of the sidecar
//! work/<id>.copy.tmp          our copy while it is being written
//! work/<id>                   our copy, complete: the only thing that is ever read or believed
//! work/<id>.resealed.tmp      a sealed form of it while that is being written
//! incoming/.<id>.in, .<id>.sidecar   the same as in work/, when work/ is on another file system
//! ```
//!
//! | step | what happens | durable by |
//! | --- | --- | --- |
//! | 0 | both files are opened, once; nothing is opened by its name again | |
//! | 1 | `claim.json` is written | fsync file, fsync `work/` |
//! | 2 | sidecar, then NAME are renamed; **NAME's rename is the commit** | fsync `work/`, then `incoming/` |
//! | 3 | both are copied from the open files; looked at again; renamed to `<id>.sidecar` and `<id>` | fsync files before, fsync `work/` after |
//! | 4 | `.in` is unlinked, `.sidecar.in` destroyed | the fsync of `work/` that the claim ends with anyway |
//!
//! Target folders are synced before source folders: a name may be there twice after a power cut (the
//! same inode, so [`recover`](super::recover()) sees it), never not at all. Before the commit every
//! failure undoes everything. After it, a failure puts the file back into `incoming/`; if even that
//! fails, the next recovery continues from what is there. An fsync that failed is never tried again on the same
//! file: the copy is thrown away.
//!
//! The dropper may swap a name for something else at any point: what was renamed is compared with the
//! open file by inode, and a difference puts everything back. He may hold an inode open and go on writing:
//! before step 3 ends that is noticed and the file goes back; afterwards he writes to a file without a
//! name and ours is not touched. No more is ever copied than the look at `incoming/` found.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::disk::{self, Beating, Disk, Os};
use super::layout::{self, Paths};
use super::record::Record;
use super::{Candidate, ClaimError, FileId, Left, SpoolDirs};

pub(super) const PRIVATE_FILE_MODE: u32 = 0o600;
/// Most bytes of a sidecar that are taken: one more than any real one has, so that the reader sees that
/// it is too large.
pub(super) const SIDECAR_COPY_BYTES: u64 = MAX_SIDECAR_BYTES + 1;
/// Largest sidecar that is worth reading; the same number as `envelope::MAX_SIDECAR_BYTES`.
pub const MAX_SIDECAR_BYTES: u64 = 64 * 1024;

/// A file that is ours.
pub struct Claim {
    /// Its id.
    pub id: FileId,
    /// The name it was dropped under. May be buyer data: see [`harmless_name`](super::harmless_name).
    pub name: OsString,
    /// Our copy.
    pub path: PathBuf,
    /// Length of our copy.
    pub bytes: u64,
    /// SHA-256 of what was dropped, also after [`Claim::reseal`].
    pub sha256: [u8; 32],
    /// What came beside it as `NAME.json`; gone after [`Claim::reseal`].
    pub sidecar: Option<PathBuf>,
    /// When it was claimed, as the caller of [`claim()`] wrote it.
    pub claimed_at: String,
    /// What [`Claim::note`] wrote.
    pub notes: Option<serde_json::Value>,
    pub(super) dirs: SpoolDirs,
}

/// Takes `candidate` out of `incoming/` under a new `id`. `claimed_at` is kept as it is.
pub fn claim(
    dirs: &SpoolDirs,
    candidate: &Candidate,
    id: FileId,
    claimed_at: &str,
) -> Result<Claim, ClaimError> {
    claim_on(&Os, dirs, candidate, id, claimed_at)
}

/// As [`claim()`]; `beat` is called at every step and every piece that is copied.
pub fn claim_beating(
    dirs: &SpoolDirs,
    candidate: &Candidate,
    id: FileId,
    claimed_at: &str,
    beat: &dyn Fn(),
) -> Result<Claim, ClaimError> {
    claim_on(&Beating(beat), dirs, candidate, id, claimed_at)
}

/// A candidate's files, opened once, or what recovery found in their place.
pub(super) struct Sources {
    document: File,
    sidecar: Option<File>,
}

pub(super) fn claim_on(
    disk: &impl Disk,
    dirs: &SpoolDirs,
    candidate: &Candidate,
    id: FileId,
    claimed_at: &str,
) -> Result<Claim, ClaimError> {
    let paths = Paths::of(dirs, &id);
    let sources = open_candidate(dirs, candidate)?;
    for path in [&paths.document, &paths.staged, &paths.staged_here] {
        if disk::exists(path).map_err(ClaimError::disk("looking into work/", Left::Incoming))? {
            return Err(ClaimError::IdTaken);
        }
    }
    let mut record = Record::new(&id, &candidate.name, claimed_at, candidate.sidecar.is_some());
    record.bytes = Some(candidate.bytes);
    write_record(disk, dirs, &paths, &record, candidate)?;
    let staged = stage(disk, dirs, &paths, candidate, &sources).map_err(|error| {
        match undo(disk, dirs, &paths, &id, &candidate.name) {
            Ok(()) => error,
            Err(source) => stuck(error, "undoing a claim", source),
        }
    })?;
    let took = settle(disk, dirs, &paths, &staged)
        .and_then(|()| same_inode(&staged, &sources.document))
        .and_then(|()| take_copy(disk, dirs, &paths, &sources, Some(candidate.bytes)));
    match took {
        Ok((bytes, sha256)) => Ok(Claim {
            name: candidate.name.clone(),
            path: paths.document,
            bytes,
            sha256,
            sidecar: candidate.sidecar.is_some().then_some(paths.sidecar),
            claimed_at: claimed_at.to_owned(),
            notes: None,
            dirs: dirs.clone(),
            id,
        }),
        Err(error) => Err(match put_back(disk, dirs, &paths, &id, &candidate.name) {
            Ok(_) => error,
            Err(source) => stuck(error, "putting a file back", source),
        }),
    }
}

/// Neither forward nor back: the first cause counts, and recovery goes on from `work/`.
fn stuck(first: ClaimError, step: &'static str, second: io::Error) -> ClaimError {
    match first {
        ClaimError::Disk { step, source, .. } => {
            ClaimError::Disk { step, source, left: Left::Work }
        }
        _ => ClaimError::Disk { step, source: second, left: Left::Work },
    }
}

/// Step 0: both files, each opened once. What they are called afterwards decides nothing any more.
fn open_candidate(dirs: &SpoolDirs, candidate: &Candidate) -> Result<Sources, ClaimError> {
    let open = |name: &OsStr| disk::open_regular(&dirs.incoming.join(name));
    let (document, meta) = open(&candidate.name).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ClaimError::Gone,
        io::ErrorKind::InvalidInput => ClaimError::NotAFile,
        io::ErrorKind::PermissionDenied => ClaimError::Unreadable(error),
        _ => ClaimError::disk("opening the file", Left::Incoming)(error),
    })?;
    if !candidate.is_still(&meta) {
        return Err(ClaimError::Changed);
    }
    let Some(name) = &candidate.sidecar else { return Ok(Sources { document, sidecar: None }) };
    let (sidecar, meta) = open(name).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::InvalidInput => ClaimError::Changed,
        io::ErrorKind::PermissionDenied => ClaimError::Unreadable(error),
        _ => ClaimError::disk("opening the sidecar", Left::Incoming)(error),
    })?;
    if !candidate.is_still_its_sidecar(&meta) {
        return Err(ClaimError::Changed);
    }
    Ok(Sources { document, sidecar: Some(sidecar) })
}

/// Step 1.
fn write_record(
    disk: &impl Disk,
    dirs: &SpoolDirs,
    paths: &Paths,
    record: &Record,
    candidate: &Candidate,
) -> Result<(), ClaimError> {
    let write = || -> io::Result<()> {
        let mut file = disk.create(&paths.claim, PRIVATE_FILE_MODE)?;
        disk.write(&mut file, &paths.claim, &record.to_bytes()?)?;
        disk.sync(&file, &paths.claim)?;
        disk.sync_dir(&dirs.work)
    };
    match write() {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(ClaimError::IdTaken),
        Err(error) => Err(match undo(disk, dirs, paths, &record.id, &candidate.name) {
            Ok(()) | Err(_) => ClaimError::disk("writing claim.json", Left::Incoming)(error),
        }),
    }
}

/// Step 2, the renames. Returns where the document is now.
fn stage(
    disk: &impl Disk,
    dirs: &SpoolDirs,
    paths: &Paths,
    candidate: &Candidate,
    sources: &Sources,
) -> Result<PathBuf, ClaimError> {
    let step = |from: &OsStr, near: &Path, here: &Path, gone: ClaimError| {
        let from = dirs.incoming.join(from);
        let (to, renamed) = match disk.rename(&from, near) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                (here, disk.rename(&from, here))
            }
            other => (near, other),
        };
        renamed.map(|()| to.to_owned()).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => gone,
            io::ErrorKind::PermissionDenied => ClaimError::NotAllowed(error),
            _ => ClaimError::disk("taking the file out of incoming/", Left::Incoming)(error),
        })
    };
    if let (Some(name), Some(opened)) = (&candidate.sidecar, &sources.sidecar) {
        let staged = step(name, &paths.sidecar_staged, &paths.sidecar_here, ClaimError::Changed)?;
        same_inode(&staged, opened)?;
    }
    step(&candidate.name, &paths.staged, &paths.staged_here, ClaimError::Gone)
}

/// What was renamed must be what was opened: somebody may have swapped the name in between.
fn same_inode(staged: &Path, opened: &File) -> Result<(), ClaimError> {
    let fail = || ClaimError::disk("looking at what was taken", Left::Incoming);
    let renamed = fs::symlink_metadata(staged).map_err(fail())?;
    let meta = opened.metadata().map_err(fail())?;
    if (renamed.dev(), renamed.ino()) == (meta.dev(), meta.ino()) {
        Ok(())
    } else {
        Err(ClaimError::Changed)
    }
}

/// Step 2, the fsyncs.
fn settle(
    disk: &impl Disk,
    dirs: &SpoolDirs,
    paths: &Paths,
    staged: &Path,
) -> Result<(), ClaimError> {
    let synced = if staged == paths.staged { disk.sync_dir(&dirs.work) } else { Ok(()) };
    synced
        .and_then(|()| disk.sync_dir(&dirs.incoming))
        .map_err(ClaimError::disk("making the claim durable", Left::Incoming))
}

/// Steps 3 and 4. `expected` is the document's length when it was looked at.
pub(super) fn take_copy(
    disk: &impl Disk,
    dirs: &SpoolDirs,
    paths: &Paths,
    sources: &Sources,
    expected: Option<u64>,
) -> Result<(u64, [u8; 32]), ClaimError> {
    let fail = || ClaimError::disk("copying the file into work/", Left::Incoming);
    if let Some(sidecar) = &sources.sidecar {
        disk::destroy_if_there(disk, &paths.sidecar_tmp).map_err(fail())?;
        let before = sidecar.metadata().map_err(fail())?;
        let most = before.len().min(SIDECAR_COPY_BYTES);
        copy_unchanged(disk, sidecar, &before, most, &paths.sidecar_tmp)?;
        disk.replace(&paths.sidecar_tmp, &paths.sidecar).map_err(fail())?;
    }
    let source = &sources.document;
    disk::unlink_if_there(disk, &paths.copy_tmp).map_err(fail())?;
    let before = source.metadata().map_err(fail())?;
    // Before a byte is copied: a file without content costs its dropper nothing and us a disk.
    if expected.is_some_and(|expected| expected != before.len()) {
        return Err(ClaimError::Changed);
    }
    let (bytes, sha256) = copy_unchanged(disk, source, &before, before.len(), &paths.copy_tmp)?;
    disk.rename(&paths.copy_tmp, &paths.document).map_err(fail())?;
    drop_original(disk, dirs, paths).map_err(fail())?;
    Ok((bytes, sha256))
}

/// Copies `most` bytes of a file that looked like `before`, and no more. The file must not have
/// changed when all of that is durable.
fn copy_unchanged(
    disk: &impl Disk,
    source: &File,
    before: &fs::Metadata,
    most: u64,
    to: &Path,
) -> Result<(u64, [u8; 32]), ClaimError> {
    let fail = || ClaimError::disk("copying the file into work/", Left::Incoming);
    let copied = disk::copy(disk, source, most, to, PRIVATE_FILE_MODE).map_err(fail())?;
    // After the fsync, so that the window for a late writer is as long as can be.
    let after = source.metadata().map_err(fail())?;
    let mtime = |meta: &fs::Metadata| (meta.mtime(), meta.mtime_nsec());
    if after.len() != before.len() || copied.0 != most || mtime(before) != mtime(&after) {
        return Err(ClaimError::Changed);
    }
    Ok(copied)
}

/// The dropper's files as a crash left them, for recovery.
pub(super) fn reopen(paths: &Paths, staged: &Path) -> Result<Sources, ClaimError> {
    let fail = || ClaimError::disk("copying the file into work/", Left::Incoming);
    let open = |path: &Path| match disk::open_regular(path) {
        Ok(opened) => Ok(opened),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(ClaimError::NotAFile),
        Err(error) => Err(fail()(error)),
    };
    let (document, owner) = open(staged)?;
    let mut sidecar = None;
    for path in [&paths.sidecar_staged, &paths.sidecar_here] {
        if disk::exists(path).map_err(fail())? {
            let (file, meta) = open(path)?;
            if meta.uid() != owner.uid() {
                return Err(ClaimError::Changed);
            }
            sidecar = Some(file);
        }
    }
    Ok(Sources { document, sidecar })
}

/// The sidecar again, where a crash lost our copy of it and not the document.
pub(super) fn copy_sidecar_again(disk: &impl Disk, paths: &Paths) -> io::Result<()> {
    if disk::exists(&paths.sidecar)? {
        return Ok(());
    }
    for path in [&paths.sidecar_staged, &paths.sidecar_here] {
        if disk::exists(path)? {
            let (file, _) = disk::open_regular(path)?;
            disk::destroy_if_there(disk, &paths.sidecar_tmp)?;
            disk::copy(disk, &file, SIDECAR_COPY_BYTES, &paths.sidecar_tmp, PRIVATE_FILE_MODE)?;
            return disk.replace(&paths.sidecar_tmp, &paths.sidecar);
        }
    }
    Ok(())
}

/// Step 4: our copy counts from here on.
pub(super) fn drop_original(disk: &impl Disk, dirs: &SpoolDirs, paths: &Paths) -> io::Result<()> {
    disk.sync_dir(&dirs.work)?;
    // Not synced: should the name come back after a power cut, recovery takes it away again, and the
    // next fsync of work/ comes before claim.json goes.
    disk::unlink_if_there(disk, &paths.staged)?;
    let here = disk::unlink_if_there(disk, &paths.staged_here)?;
    disk::destroy_if_there(disk, &paths.sidecar_staged)?;
    let sidecar = disk::destroy_if_there(disk, &paths.sidecar_here)?;
    // incoming/ on the other file system gets no later fsync.
    if here || sidecar { disk.sync_dir(&dirs.incoming) } else { Ok(()) }
}

/// Before the commit: the sidecar goes back, the record goes away.
pub(super) fn undo(
    disk: &impl Disk,
    dirs: &SpoolDirs,
    paths: &Paths,
    id: &FileId,
    name: &OsStr,
) -> io::Result<()> {
    let name = layout::sidecar_name(name);
    for staged in [&paths.sidecar_staged, &paths.sidecar_here] {
        if !disk::exists(staged)? {
            continue;
        }
        match disk.rename(staged, &dirs.incoming.join(&name)) {
            Ok(()) => disk.sync_dir(&dirs.incoming)?,
            // The dropper put a newer one there, as `mv` would have.
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists
                    && fs::symlink_metadata(staged)?.is_file() =>
            {
                disk::destroy_if_there(disk, staged)?;
            }
            // Swapped for something that is no file: left beside, for a person to look at.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                disk.rename(staged, &dirs.incoming.join(layout::end_name(&name, id)))?;
                disk.sync_dir(&dirs.incoming)?;
            }
            Err(error) => return Err(error),
        }
    }
    for ours in [&paths.sidecar, &paths.sidecar_tmp] {
        disk::destroy_if_there(disk, ours)?;
    }
    if disk::unlink_if_there(disk, &paths.claim)? { disk.sync_dir(&dirs.work) } else { Ok(()) }
}

/// After the commit: everything goes back to `incoming/`. Returns the name the file has there now.
/// Sidecar first: a document without its sidecar must not be seen.
pub(super) fn put_back(
    disk: &impl Disk,
    dirs: &SpoolDirs,
    paths: &Paths,
    id: &FileId,
    name: &OsStr,
) -> io::Result<OsString> {
    if !disk::exists(&paths.staged)? && !disk::exists(&paths.staged_here)? {
        // Our copy is the only one there is.
        return Err(io::ErrorKind::NotFound.into());
    }
    for leftover in [&paths.document, &paths.copy_tmp] {
        disk::unlink_if_there(disk, leftover)?;
    }
    let other = layout::end_name(name, id);
    let at = |name: &OsStr| dirs.incoming.join(name);
    let at_sidecar = |name: &OsStr| at(&layout::sidecar_name(name));
    let mut sidecar = None;
    for staged in [&paths.sidecar_staged, &paths.sidecar_here] {
        if disk::exists(staged)? {
            sidecar = Some(staged);
        }
    }
    for ours in [&paths.sidecar, &paths.sidecar_tmp] {
        disk::destroy_if_there(disk, ours)?;
    }
    let taken = disk::exists(&at(name))? || (sidecar.is_some() && disk::exists(&at_sidecar(name))?);
    // A sidecar that went ahead before a crash shows which name was chosen then.
    let name = if taken || disk::exists(&at_sidecar(&other))? { other } else { name.to_owned() };
    if let Some(sidecar) = sidecar {
        disk.rename(sidecar, &at_sidecar(&name))?;
    }
    for staged in [&paths.staged, &paths.staged_here] {
        if disk::exists(staged)? {
            disk.rename(staged, &at(&name))?;
        }
    }
    disk.sync_dir(&dirs.incoming)?;
    disk.sync_dir(&dirs.work)?;
    disk::unlink_if_there(disk, &paths.claim)?;
    Ok(name)
}

// === impl Claim ===

impl Claim {
    /// Opens our copy for reading.
    pub fn open(&self) -> io::Result<File> {
        disk::open_regular(&self.path).map(|(file, _)| file)
    }

    /// Keeps `notes` (no keys, no buyer data) with the claim, durably: a crash does not lose what was
    /// learned from a sidecar that [`Claim::reseal`] destroys.
    pub fn note(&mut self, notes: serde_json::Value) -> Result<(), ClaimError> {
        self.notes = Some(notes);
        self.rewrite_record(&Os).map_err(ClaimError::disk("writing claim.json", Left::Work))
    }

    /// Replaces our copy by what `write` writes, durably, then destroys the sidecar.
    /// If anything fails the claim is what it was before.
    pub fn reseal<E: From<ClaimError>>(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<(), E> {
        self.reseal_on(&Os, write)
    }

    pub(super) fn reseal_on<E: From<ClaimError>>(
        &mut self,
        disk: &impl Disk,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<(), E> {
        let fail = || ClaimError::disk("sealing the file", Left::Work);
        let paths = Paths::of(&self.dirs, &self.id);
        let tmp = &paths.resealed_tmp;
        disk::unlink_if_there(disk, tmp).map_err(fail())?;
        let file = disk.create(tmp, PRIVATE_FILE_MODE).map_err(fail())?;
        let mut writer = io::BufWriter::new(Steps { disk, file, path: tmp, bytes: 0 });
        let written = write(&mut writer);
        let mut finish = || -> io::Result<u64> {
            writer.flush()?;
            let steps = writer.get_ref();
            disk.sync(&steps.file, tmp)?;
            self.rewrite_record(disk)?;
            disk.replace(tmp, &paths.document)?;
            disk.sync_dir(&self.dirs.work)?;
            Ok(steps.bytes)
        };
        let written = match written {
            Ok(()) => finish().map_err(|error| E::from(fail()(error))),
            Err(error) => Err(error),
        };
        match written {
            Ok(bytes) => self.bytes = bytes,
            Err(error) => {
                // Recovery takes it away if we cannot.
                drop(disk::unlink_if_there(disk, tmp));
                return Err(error);
            }
        }
        disk::destroy_if_there(disk, &paths.sidecar).map_err(fail())?;
        self.sidecar = None;
        Ok(())
    }

    fn rewrite_record(&self, disk: &impl Disk) -> io::Result<()> {
        let paths = Paths::of(&self.dirs, &self.id);
        let mut record =
            Record::new(&self.id, &self.name, &self.claimed_at, self.sidecar.is_some());
        record.set_dropped_sha256(&self.sha256);
        record.notes.clone_from(&self.notes);
        disk::unlink_if_there(disk, &paths.claim_tmp)?;
        let mut file = disk.create(&paths.claim_tmp, PRIVATE_FILE_MODE)?;
        disk.write(&mut file, &paths.claim_tmp, &record.to_bytes()?)?;
        disk.sync(&file, &paths.claim_tmp)?;
        disk.replace(&paths.claim_tmp, &paths.claim)?;
        disk.sync_dir(&self.dirs.work)
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("id", &self.id)
            .field("name", &super::harmless_name(&self.name))
            .field("bytes", &self.bytes)
            .field("sidecar", &self.sidecar.is_some())
            .finish_non_exhaustive()
    }
}

/// A writer whose writes are steps of the disk.
struct Steps<'a, D> {
    disk: &'a D,
    file: File,
    path: &'a Path,
    bytes: u64,
}

impl<D: Disk> Write for Steps<'_, D> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.write(&mut self.file, self.path, bytes)?;
        self.bytes += u64::try_from(bytes.len()).unwrap_or_default();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
