//! Where a file ends: `work/` → `done/` or `rejected/`.
//!
//! ```text
//! done/NAME.<id>                 the document, still sealed      rejected/NAME.<id>
//! done/NAME.<id>.result.json     what became of it               rejected/NAME.<id>.reason.json
//! ```
//!
//! NAME is cut (and then ends in `~`) where the whole would be longer than 255 bytes.
//!
//! 1. The words go to a hidden temporary name in the end folder; fsync; rename; fsync the folder.
//! 2. `work/<id>` is renamed to its end, never over anything; fsync the end folder, then `work/`.
//!    On another file system: copied, fsynced, renamed there; then the original goes.
//! 3. The sidecar is destroyed, `claim.json` removed, `work/` fsynced.
//!
//! Until step 2 is durable the claim stands and everything is done again after a crash, also with
//! another end: words left at the other one are removed. A sidecar never leaves `work/`.

use std::io;
use std::path::{Path, PathBuf};

use super::disk::{self, Beating, Disk, Os};
use super::layout::{self, EndPaths, Paths};
use super::{Claim, ClaimError, Left, SpoolDirs};

/// Sealed documents are for the daemon; the words beside them are for the group, too.
const WORDS_MODE: u32 = 0o640;

/// How a file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// Taken in.
    Done,
    /// Refused as a whole.
    Rejected,
}

/// Moves a claimed file to its end with `words` beside it. Returns where the document is.
/// After an error the claim is in `work/` and the same call may be made again; so it may after success.
pub fn finish(claim: &Claim, end: End, words: &serde_json::Value) -> Result<PathBuf, ClaimError> {
    finish_on(&Os, claim, end, words)
}

/// As [`finish()`]; `beat` is called while a file is copied to another file system.
pub fn finish_beating(
    claim: &Claim,
    end: End,
    words: &serde_json::Value,
    beat: &dyn Fn(),
) -> Result<PathBuf, ClaimError> {
    finish_on(&Beating(beat), claim, end, words)
}

pub(super) fn finish_on(
    disk: &impl Disk,
    claim: &Claim,
    end: End,
    words: &serde_json::Value,
) -> Result<PathBuf, ClaimError> {
    let dirs = &claim.dirs;
    let paths = Paths::of(dirs, &claim.id);
    let to = layout::end_paths(dirs, end, &claim.name, &claim.id);
    let other = layout::end_paths(dirs, end.other(), &claim.name, &claim.id);
    if disk::exists(&paths.document).map_err(ClaimError::disk("looking into work/", Left::Work))? {
        leave_other_end(disk, &paths, &other)?;
    } else {
        // Called again after success, or after a crash before step 3. With the other end it is refused.
        disk::open_regular(&to.document)
            .map_err(ClaimError::disk("looking for the finished file", Left::Work))?;
    }
    write_words(disk, &to, words).map_err(ClaimError::disk("writing the result", Left::Work))?;
    move_document(disk, dirs, &paths, &to)?;
    clear(disk, dirs, &paths).map_err(ClaimError::disk("tidying up", Left::Work))?;
    Ok(to.document)
}

/// A crash came between the first words and the durable move, and now the end is another.
fn leave_other_end(disk: &impl Disk, paths: &Paths, other: &EndPaths) -> Result<(), ClaimError> {
    let fail = || ClaimError::disk("tidying up", Left::Work);
    let mut changed = false;
    if disk::exists(&other.document).map_err(fail())? {
        same_or_collision(disk, &paths.document, &other.document)?;
        changed |= disk::unlink_if_there(disk, &other.document).map_err(fail())?;
    }
    for leftover in [&other.words, &other.words_tmp, &other.document_tmp] {
        changed |= disk::unlink_if_there(disk, leftover).map_err(fail())?;
    }
    if changed { disk.sync_dir(&other.dir).map_err(fail()) } else { Ok(()) }
}

/// Step 1.
fn write_words(disk: &impl Disk, to: &EndPaths, words: &serde_json::Value) -> io::Result<()> {
    let mut bytes = serde_json::to_vec_pretty(words)?;
    bytes.push(b'\n');
    disk::unlink_if_there(disk, &to.words_tmp)?;
    let mut file = disk.create(&to.words_tmp, WORDS_MODE)?;
    disk.write(&mut file, &to.words_tmp, &bytes)?;
    disk.sync(&file, &to.words_tmp)?;
    disk.replace(&to.words_tmp, &to.words)?;
    disk.sync_dir(&to.dir)
}

/// Step 2.
fn move_document(
    disk: &impl Disk,
    dirs: &SpoolDirs,
    paths: &Paths,
    to: &EndPaths,
) -> Result<(), ClaimError> {
    let fail = || ClaimError::disk("moving the file to its end", Left::Work);
    let from = &paths.document;
    let (source, _) = match disk::open_regular(from) {
        Ok(source) => source,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return sync_both(disk, dirs, to).map_err(fail());
        }
        Err(error) => return Err(fail()(error)),
    };
    match disk.rename(from, &to.document) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            disk::unlink_if_there(disk, &to.document_tmp).map_err(fail())?;
            disk::copy(disk, &source, u64::MAX, &to.document_tmp, super::claim::PRIVATE_FILE_MODE)
                .map_err(fail())?;
            match disk.rename(&to.document_tmp, &to.document) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    disk.unlink(&to.document_tmp).map_err(fail())?;
                    same_or_collision(disk, from, &to.document)?;
                }
                Err(error) => return Err(fail()(error)),
            }
            disk.sync_dir(&to.dir).map_err(fail())?;
            disk.unlink(from).map_err(fail())?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Half of a rename across file systems, or a power cut forgot half of a rename.
            same_or_collision(disk, from, &to.document)?;
            disk.sync_dir(&to.dir).map_err(fail())?;
            disk.unlink(from).map_err(fail())?;
        }
        Err(error) => return Err(fail()(error)),
    }
    sync_both(disk, dirs, to).map_err(fail())
}

fn sync_both(disk: &impl Disk, dirs: &SpoolDirs, to: &EndPaths) -> io::Result<()> {
    disk.sync_dir(&to.dir)?;
    disk.sync_dir(&dirs.work)
}

/// Step 3.
pub(super) fn clear(disk: &impl Disk, dirs: &SpoolDirs, paths: &Paths) -> io::Result<()> {
    for keys in [&paths.sidecar, &paths.sidecar_tmp, &paths.sidecar_staged] {
        disk::destroy_if_there(disk, keys)?;
    }
    let mut changed = false;
    for leftover in [&paths.claim_tmp, &paths.resealed_tmp, &paths.copy_tmp, &paths.staged] {
        changed |= disk::unlink_if_there(disk, leftover)?;
    }
    if changed {
        disk.sync_dir(&dirs.work)?;
    }
    if disk::unlink_if_there(disk, &paths.claim)? { disk.sync_dir(&dirs.work) } else { Ok(()) }
}

fn same_or_collision(disk: &impl Disk, ours: &Path, theirs: &Path) -> Result<(), ClaimError> {
    let same = || -> io::Result<bool> {
        let (ours, ours_meta) = disk::open_regular(ours)?;
        let (theirs, theirs_meta) = disk::open_regular(theirs)?;
        Ok(ours_meta.len() == theirs_meta.len()
            && disk::digest(disk, &ours, |_| Ok(()))? == disk::digest(disk, &theirs, |_| Ok(()))?)
    };
    match same() {
        Ok(true) => Ok(()),
        Ok(false) => Err(ClaimError::Collision),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(ClaimError::Collision),
        Err(error) => Err(ClaimError::disk("comparing two files", Left::Work)(error)),
    }
}

// === impl End ===

impl End {
    fn other(self) -> Self {
        match self {
            Self::Done => Self::Rejected,
            Self::Rejected => Self::Done,
        }
    }
}
