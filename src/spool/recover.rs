//! Continuing after a crash, from whatever stands in `work/`.
//!
//! | found | meaning | done |
//! | --- | --- | --- |
//! | `claim.json` alone | the crash came before the commit | sidecar back, `claim.json` away |
//! | `.in` | taken, not copied | copied again, claimed |
//! | `.in`, and the same inode in `incoming/` | a power cut forgot half of the rename | ours away: nothing was taken |
//! | `.in`, its sidecar is back in `incoming/` | was being put back | put back |
//! | `<id>` | copied | claimed |
//! | `claim.json`, and the file stands in `done/` or `rejected/` | was being finished | finished |
//! | anything without a `claim.json` | not ours, or somebody tidied up | reported, left alone |
//!
//! Running it again, or being killed in the middle of it, changes nothing more.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::claim;
use super::disk::{self, Beating, Disk, Os};
use super::layout::{self, Paths};
use super::record::Record;
use super::{Claim, ClaimError, End, FileId, Left, SpoolDirs};

/// What was found in `work/`, one a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Recovered {
    /// The file is ours; go on with it as after [`claim()`](super::claim()).
    Claimed(Box<Claim>),
    /// Nothing had been taken; the file is in `incoming/` if its dropper left it there.
    NothingTaken {
        /// The id that was not used.
        id: FileId,
    },
    /// The file is back in `incoming/`.
    PutBack {
        /// The id it had.
        id: FileId,
        /// The name it has in `incoming/`.
        name: OsString,
        /// What was wrong with it, if this recovery found out.
        why: Option<ClaimError>,
    },
    /// The file had reached its end.
    Finished {
        /// Its id.
        id: FileId,
        /// Where it is.
        path: PathBuf,
    },
    /// The disk refused; the file is in `work/`, the next recovery tries again.
    Failed {
        /// Its id.
        id: FileId,
        /// What happened.
        error: ClaimError,
    },
    /// Not ours, or without its `claim.json`. Left alone: look at it, then move or remove it.
    Orphan {
        /// Where it is.
        path: PathBuf,
    },
}

/// Continues every claim a crash interrupted. Call it before the first scan and whenever a
/// [`ClaimError`] left a file in `work/`; not while claims of this account are being made or read.
pub fn recover(dirs: &SpoolDirs) -> io::Result<Vec<Recovered>> {
    recover_on(&Os, dirs)
}

/// What stands in `work/` and belongs to a file, and what does not belong to any.
#[derive(Debug, Default)]
pub struct Unfinished {
    /// The files, each to be continued with [`recover_file`].
    pub ids: BTreeSet<FileId>,
    /// Not ours. Left alone: look at it, then move or remove it.
    pub orphans: Vec<PathBuf>,
}

/// Lists what a crash or a failure left in `work/`; nothing is changed.
pub fn unfinished(dirs: &SpoolDirs) -> io::Result<Unfinished> {
    let mut found = Unfinished::default();
    for entry in fs::read_dir(&dirs.work)? {
        let entry = entry?;
        match layout::parse_work(&entry.file_name()) {
            Some(id) => drop(found.ids.insert(id)),
            None => found.orphans.push(entry.path()),
        }
    }
    for entry in fs::read_dir(&dirs.incoming)? {
        found.ids.extend(layout::parse_here(&entry?.file_name()));
    }
    Ok(found)
}

/// Continues one claim, as [`recover`] does all of them; `beat` is called at every piece that is read.
/// Not while the same file is being read. One answer as a rule; several orphans where a file lost its
/// `claim.json`, none where nothing of it is left.
pub fn recover_file(dirs: &SpoolDirs, id: &FileId, beat: &dyn Fn()) -> Vec<Recovered> {
    let mut found = Vec::new();
    recover_one(&Beating(beat), dirs, id.clone(), &mut found);
    found
}

pub(super) fn recover_on(disk: &impl Disk, dirs: &SpoolDirs) -> io::Result<Vec<Recovered>> {
    let Unfinished { ids, orphans } = unfinished(dirs)?;
    let mut found: Vec<_> = orphans.into_iter().map(|path| Recovered::Orphan { path }).collect();
    for id in ids {
        recover_one(disk, dirs, id, &mut found);
    }
    Ok(found)
}

fn recover_one(disk: &impl Disk, dirs: &SpoolDirs, id: FileId, found: &mut Vec<Recovered>) {
    let paths = Paths::of(dirs, &id);
    let record = match Record::read(&paths.claim) {
        Ok(record) if record.id == id => record,
        Err(error) if error.kind() == io::ErrorKind::InvalidData && alone(&paths) => {
            // Never fsynced to its end, so nothing was renamed after it.
            found.push(match disk.unlink(&paths.claim) {
                Ok(()) => Recovered::NothingTaken { id },
                Err(error) => failed(id, "removing claim.json")(error),
            });
            return;
        }
        // Passing trouble is no verdict on the file: it stays ours, and is read again.
        Err(error) if is_passing(&error) => {
            found.push(failed(id, "reading claim.json")(error));
            return;
        }
        Ok(_) | Err(_) => {
            let there =
                paths.all().into_iter().filter(|path| !matches!(disk::exists(path), Ok(false)));
            found.extend(there.map(|path| Recovered::Orphan { path: path.to_owned() }));
            return;
        }
    };
    let name = record.dropped_name().unwrap_or_default();
    found.push(
        continue_claim(disk, dirs, &paths, record, name)
            .unwrap_or_else(|error| Recovered::Failed { id, error }),
    );
}

/// Whether `claim.json` only cannot be read just now: that says nothing about whose file it is.
fn is_passing(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let passing = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
        Errno::IO,
        Errno::ACCESS,
        Errno::PERM,
        Errno::INTR,
        Errno::STALE,
    ];
    Errno::from_io_error(error).is_some_and(|errno| passing.contains(&errno))
}

fn failed(id: FileId, step: &'static str) -> impl FnOnce(io::Error) -> Recovered {
    move |error| Recovered::Failed { id, error: ClaimError::disk(step, Left::Work)(error) }
}

fn alone(paths: &Paths) -> bool {
    paths
        .all()
        .into_iter()
        .filter(|path| *path != paths.claim)
        .all(|path| matches!(disk::exists(path), Ok(false)))
}

fn continue_claim(
    disk: &impl Disk,
    dirs: &SpoolDirs,
    paths: &Paths,
    record: Record,
    name: OsString,
) -> Result<Recovered, ClaimError> {
    let fail = || ClaimError::disk("continuing after a crash", Left::Work);
    let there = |path: &Path| disk::exists(path).map_err(fail());
    let id = record.id.clone();
    for leftover in [&paths.claim_tmp, &paths.resealed_tmp, &paths.copy_tmp] {
        disk::unlink_if_there(disk, leftover).map_err(fail())?;
    }
    if there(&paths.document)? {
        claim::copy_sidecar_again(disk, paths).map_err(fail())?;
        claim::drop_original(disk, dirs, paths).map_err(fail())?;
        disk::destroy_if_there(disk, &paths.sidecar_tmp).map_err(fail())?;
        let (file, _) = disk::open_regular(&paths.document).map_err(fail())?;
        let (bytes, sha256) = disk::digest(disk, &file, |_| Ok(())).map_err(fail())?;
        return claimed(dirs, paths, record, name, bytes, sha256).map_err(fail());
    }
    let staged = match (there(&paths.staged)?, there(&paths.staged_here)?) {
        (true, _) => &paths.staged,
        (false, true) => &paths.staged_here,
        (false, false) => return not_taken(disk, dirs, paths, id, &name),
    };
    if same_inode(staged, &dirs.incoming.join(&name)) {
        disk.unlink(staged).map_err(fail())?;
        return not_taken(disk, dirs, paths, id, &name);
    }
    let put_back = |why| {
        let name = claim::put_back(disk, dirs, paths, &id, &name).map_err(fail())?;
        Ok(Recovered::PutBack { id: id.clone(), name, why })
    };
    if record.sidecar && !there(&paths.sidecar_staged)? && !there(&paths.sidecar_here)? {
        return put_back(None);
    }
    let took = claim::reopen(paths, staged)
        .and_then(|sources| claim::take_copy(disk, dirs, paths, &sources, record.bytes));
    match took {
        Ok((bytes, sha256)) => claimed(dirs, paths, record, name, bytes, sha256).map_err(fail()),
        Err(error) => put_back(Some(error)),
    }
}

fn not_taken(
    disk: &impl Disk,
    dirs: &SpoolDirs,
    paths: &Paths,
    id: FileId,
    name: &OsStr,
) -> Result<Recovered, ClaimError> {
    let fail = || ClaimError::disk("continuing after a crash", Left::Work);
    for end in [End::Done, End::Rejected] {
        let path = layout::end_paths(dirs, end, name, &id).document;
        if disk::exists(&path).map_err(fail())? {
            super::finish::clear(disk, dirs, paths).map_err(fail())?;
            return Ok(Recovered::Finished { id, path });
        }
    }
    claim::undo(disk, dirs, paths, &id, name).map_err(fail())?;
    Ok(Recovered::NothingTaken { id })
}

fn claimed(
    dirs: &SpoolDirs,
    paths: &Paths,
    record: Record,
    name: OsString,
    bytes: u64,
    sha256: [u8; 32],
) -> io::Result<Recovered> {
    let sidecar = disk::exists(&paths.sidecar)?.then(|| paths.sidecar.clone());
    Ok(Recovered::Claimed(Box::new(Claim {
        name,
        path: paths.document.clone(),
        bytes,
        sha256: record.dropped_sha256().unwrap_or(sha256),
        sidecar,
        claimed_at: record.claimed_at,
        notes: record.notes,
        dirs: dirs.clone(),
        id: record.id,
    })))
}

fn same_inode(one: &Path, other: &Path) -> bool {
    match (fs::symlink_metadata(one), fs::symlink_metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}
