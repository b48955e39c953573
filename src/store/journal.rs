//! The decision journal: the little that can be derived neither from Odoo nor from the spool.
//!
//! ```text
//! <state>/journal/                 0700; belongs into every backup, with the keys
//! ├── decisions                    the journal
//! ├── decisions.new                a compaction that did not finish: removed at opening
//! └── decisions.damaged-<id>       a damaged journal as it was before its compaction: kept
//!
//! decisions = head(128) ‖ head(128) ‖ frame …          the two heads are equal
//! head      = "spooldJ\n" ‖ version(1) ‖ journal id(16) ‖ live(8) ‖ length(1) ‖ sealed("")
//!             ‖ zeros ‖ SHA-256(all before)[..8]
//! frame     = F5 "nt\n" ‖ number(8) ‖ length(4) ‖ SHA-256(mark ‖ number ‖ length)[..4]
//!             ‖ sealed(master, "journal") postcard(Note)
//! sealed    = as in store::layout; AAD = schema ‖ "journal" ‖ 0 ‖ length(2) ‖ journal id ‖ number
//! ```
//!
//! Numbers are big-endian, frames count from 1. Journal id and number are authenticated: an entry
//! that was altered, moved, doubled or taken from another journal does not open, and one cut out
//! leaves a gap in the numbers. A cut at the very end, on the border of an entry, is seen by the number of
//! entries that the database remembers (`mark`).
//! `live` is the size after the last compaction. The version is `store::layout`'s schema: a journal of
//! another version is refused by its head, before anything is opened or moved.
//!
//! **Durable when.** [`Store::note`](super::Store::note) returns after write *and* fdatasync;
//! callers that come while one sync runs share the next one (`barrier`). A write that fails is taken
//! back and may be tried again; a sync that fails is final until the journal is opened again.
//!
//! **Damage.** An entry that a crash left half written is cut off at opening and reported. Any other
//! damage stays where it is, is reported with its place at every opening, and everything before and
//! behind it is used. A damaged head opens from its other copy. The wrong master key refuses.
//!
//! **Compaction.** Grown past [`COMPACT_BYTES`] and past twice `live`, or sealed under an older master
//! key, the journal is written anew with only what still counts ([`Note::subjects`], [`Note::ends`]),
//! in the same order: aside, fsync, rename, fsync of the folder. A crash leaves the old or the new one.
//! A damaged one that is kept stays under the key it was written with: what opens in it is in the new
//! one already, and what does not open cannot be sealed anew.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::RngCore as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::barrier::Barrier;
use super::daykeys::sync_dir;
use super::error::StoreError;
use super::frames::{
    self, Damage, Frames, HEADS_BYTES, Head, ID_BYTES, JournalReport, MAX_FRAME_BYTES, read_head,
    write_frame, write_head,
};
use super::keys::{Keyring, StoreKeys};
use super::layout::hex;
use crate::model::Note;

/// The journal's folder within the state directory.
pub(super) const JOURNAL_DIR: &str = "journal";
const FILE: &str = "decisions";
const ASIDE: &str = "decisions.new";
/// A smaller journal is never compacted.
pub(super) const COMPACT_BYTES: u64 = 4 * 1024 * 1024;

/// The open journal.
#[derive(Debug)]
pub(super) struct Journal {
    dir: PathBuf,
    keyring: Keyring,
    compact_bytes: u64,
    report: JournalReport,
    /// How far it went when it was opened.
    opened_at: Place,
    /// How far it is known to be on the disk.
    durable: Mutex<Place>,
    tail: Mutex<Tail>,
}

/// How far a journal goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The journal.
    pub(super) id: [u8; ID_BYTES],
    /// The number of its next entry.
    pub(super) next: u64,
}

/// Where the next entry goes.
#[derive(Debug)]
struct Tail {
    id: [u8; ID_BYTES],
    file: Arc<File>,
    barrier: Arc<Barrier>,
    /// Offset of the next frame.
    end: u64,
    /// Its number.
    next: u64,
    /// Size after the last compaction; after one that failed, the size then.
    live: u64,
    /// What is on the disk is not known any more.
    broken: bool,
}

/// Reads a journal that nobody needs to have open; writes nothing.
#[derive(Debug)]
pub struct Notes {
    path: PathBuf,
    keyring: Keyring,
    head: Head,
    file: Option<File>,
    start: Option<Damage>,
}

/// The journal under the state directory `dir`, for reading; none where there is none.
pub fn read(dir: &Path, keys: &StoreKeys) -> Result<Option<Notes>, StoreError> {
    Notes::open(&dir.join(JOURNAL_DIR).join(FILE), Keyring::new(keys))
}

/// Refuses a journal under the state directory `dir` that another version wrote; reads only its
/// head and changes nothing.
pub(super) fn refuse_other_versions(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(JOURNAL_DIR).join(FILE);
    match heads(&path)? {
        Some((_, bytes)) => frames::refuse_other_versions(&bytes, &path),
        None => Ok(()),
    }
}

/// The open journal and its two heads, if there is one.
fn heads(path: &Path) -> Result<Option<(File, Vec<u8>)>, StoreError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("opening", path)(error)),
    };
    let mut bytes = Vec::new();
    // Bounded: the heads and no more.
    (&mut file)
        .take(HEADS_BYTES)
        .read_to_end(&mut bytes)
        .map_err(StoreError::io("reading", path))?;
    Ok(Some((file, bytes)))
}

// === impl Notes ===

impl Notes {
    fn open(path: &Path, keyring: Keyring) -> Result<Option<Self>, StoreError> {
        let Some((file, bytes)) = heads(path)? else { return Ok(None) };
        let (head, start) = read_head(&bytes, path, &keyring)?;
        Ok(Some(Self { path: path.to_owned(), keyring, head, file: Some(file), start }))
    }

    /// Hands every note that can be read to `each`, in order; then says what was found.
    pub fn for_each(mut self, mut each: impl FnMut(Note)) -> Result<JournalReport, StoreError> {
        Ok(self.scan(&mut each)?.0)
    }

    /// The same, and where the next frame belongs, and its number.
    fn scan(
        &mut self,
        each: &mut dyn FnMut(Note),
    ) -> Result<(JournalReport, u64, u64), StoreError> {
        let Some(file) = &mut self.file else { return Ok((JournalReport::default(), 0, 0)) };
        file.seek(SeekFrom::Start(HEADS_BYTES)).map_err(StoreError::io("reading", &self.path))?;
        let mut frames = Frames::new(file, self.head.id, &self.keyring);
        while let Some(note) = frames.next_note().map_err(StoreError::io("reading", &self.path))? {
            each(note);
        }
        let (end, next) = (frames.end(), frames.next);
        let mut report = frames.report;
        report.damage.splice(0..0, self.start);
        Ok((report, end, next))
    }
}

// === impl Journal ===

impl Journal {
    /// Opens the journal under the state directory `dir`; makes it if there is none. The caller
    /// holds the directory's lock.
    pub(super) fn open(dir: &Path, keys: &StoreKeys) -> Result<Self, StoreError> {
        Self::open_with(dir, keys, COMPACT_BYTES)
    }

    /// Whether there is a journal under the state directory `dir`.
    pub(super) fn stands(dir: &Path) -> bool {
        dir.join(JOURNAL_DIR).join(FILE).symlink_metadata().is_ok()
    }

    fn open_with(dir: &Path, keys: &StoreKeys, compact_bytes: u64) -> Result<Self, StoreError> {
        let dir = dir.join(JOURNAL_DIR);
        if !dir.is_dir() {
            fs::DirBuilder::new()
                .mode(0o700)
                .create(&dir)
                .map_err(StoreError::io("making the folder", &dir))?;
            if let Some(state) = dir.parent() {
                sync_dir(state)?;
            }
        }
        let aside = dir.join(ASIDE);
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(StoreError::io("removing", aside)(error));
            }
            _ => {}
        }
        let path = dir.join(FILE);
        let keyring = Keyring::new(keys);
        let Some(mut notes) = Notes::open(&path, Keyring::new(keys))? else {
            let (tail, _) = make(&dir, &keyring, |_| Ok(()))?;
            let report = JournalReport::default();
            return Ok(Self::of(dir, keyring, compact_bytes, report, tail));
        };
        let (report, end, next) = notes.scan(&mut |_| {})?;
        let file = open_for_writing(&path)?;
        if report.torn.is_some() {
            file.set_len(end)
                .and_then(|()| file.sync_all())
                .map_err(StoreError::io("cutting off a half-written entry of", &path))?;
        }
        let barrier = barrier(&file, &path)?;
        let tail = Tail {
            id: notes.head.id,
            file: Arc::new(file),
            barrier,
            end,
            next,
            live: notes.head.live,
            broken: false,
        };
        let journal = Self::of(dir, keyring, compact_bytes, report, tail);
        if notes.head.key_id != journal.keyring.current_id() {
            journal.compact(&mut journal.tail())?;
        }
        Ok(journal)
    }

    fn of(
        dir: PathBuf,
        keyring: Keyring,
        compact_bytes: u64,
        report: JournalReport,
        tail: Tail,
    ) -> Self {
        let opened_at = Place { id: tail.id, next: tail.next };
        let (durable, tail) = (Mutex::new(opened_at), Mutex::new(tail));
        Self { dir, keyring, compact_bytes, report, opened_at, durable, tail }
    }

    /// How far it went when it was opened.
    pub(super) fn opened_at(&self) -> Place {
        self.opened_at
    }

    /// How far it is known to be on the disk.
    pub(super) fn durable(&self) -> Place {
        *self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was found at opening.
    pub(super) fn report(&self) -> &JournalReport {
        &self.report
    }

    /// Whether a write or a sync failed: no later entry will be taken.
    pub(super) fn broken(&self) -> bool {
        let tail = self.tail();
        tail.broken || tail.barrier.broken()
    }

    /// Appends notes; returns when they are on the disk.
    pub(super) fn append(&self, notes: &[Note]) -> Result<(), StoreError> {
        if notes.is_empty() {
            return Ok(());
        }
        let (barrier, place) = {
            let mut tail = self.tail();
            let due = tail.live.saturating_mul(2).max(self.compact_bytes);
            if tail.end > due && !tail.broken && self.compact(&mut tail).is_err() {
                // The old one goes on; not tried again before it has doubled.
                tail.live = tail.end;
            }
            self.write(&mut tail, notes)?;
            (Arc::clone(&tail.barrier), Place { id: tail.id, next: tail.next })
        };
        barrier.sync()?;
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever came later may be here first.
        if durable.id != place.id || durable.next < place.next {
            *durable = place;
        }
        Ok(())
    }

    /// Hands all notes to `each`, in order. Appending waits meanwhile.
    pub(super) fn for_each(&self, each: impl FnMut(Note)) -> Result<JournalReport, StoreError> {
        let _tail = self.tail();
        match Notes::open(&self.dir.join(FILE), self.keyring.clone())? {
            Some(notes) => notes.for_each(each),
            None => Ok(JournalReport::default()),
        }
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, tail: &mut Tail, notes: &[Note]) -> Result<(), StoreError> {
        let path = self.dir.join(FILE);
        if tail.broken {
            return Err(StoreError::Unsynced { path });
        }
        let mut bytes = Vec::new();
        let mut next = tail.next;
        for note in notes {
            bytes.extend(frame(&tail.id, next, note, &self.keyring)?);
            next = next.saturating_add(1);
        }
        if let Err(error) = tail.file.write_all_at(&bytes, tail.end) {
            // What was written of it must not stand before the next entry.
            tail.broken = tail.file.set_len(tail.end).is_err();
            return Err(StoreError::io("appending to", path)(error));
        }
        tail.next = next;
        tail.end = tail.end.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Writes the journal anew with only what still counts.
    fn compact(&self, tail: &mut Tail) -> Result<(), StoreError> {
        let path = self.dir.join(FILE);
        let open = || {
            Notes::open(&path, self.keyring.clone())?
                .ok_or_else(|| StoreError::JournalHead { path: path.clone() })
        };
        // Which entry is the last about each subject, and which subjects ended when. Hashes,
        // because a million orders' names would be a hundred megabytes.
        let mut last: HashMap<[u8; 16], u64> = HashMap::new();
        let mut ended: HashMap<[u8; 16], u64> = HashMap::new();
        let mut number = 0_u64;
        let found = open()?.for_each(|note| {
            number = number.saturating_add(1);
            last.extend(note.subjects().iter().map(|subject| (digest(subject), number)));
            ended.extend(note.ends().iter().map(|subject| (digest(subject), number)));
        })?;
        let counts = |subject: &str, number: u64| {
            let subject = digest(subject);
            last.get(&subject) == Some(&number)
                && ended.get(&subject).is_none_or(|&end| end < number)
        };
        if !found.damage.is_empty() {
            let kept = self.dir.join(format!("{FILE}.damaged-{}", hex(&tail.id)));
            match fs::hard_link(&path, &kept) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(StoreError::io("keeping the damaged journal as", kept)(error));
                }
                _ => {}
            }
        }
        let (fresh, renamed) = make(&self.dir, &self.keyring, |write| {
            let mut failed = Ok(());
            let mut number = 0_u64;
            open()?.for_each(|note| {
                number = number.saturating_add(1);
                if failed.is_ok()
                    && let Some(note) = narrowed(note, |subject| counts(subject, number))
                {
                    failed = write(&note);
                }
            })?;
            failed
        })?;
        debug_assert!(renamed, "a compaction replaces the file");
        *tail = fresh;
        Ok(())
    }
}

/// What of a note still counts.
fn narrowed(note: Note, counts: impl Fn(&str) -> bool) -> Option<Note> {
    if let Note::Delivered { account, orders, at } = note {
        let names = Note::Delivered { account: account.clone(), orders: orders.clone(), at };
        // Within one note the last mention of an order counts.
        let mut seen = HashSet::new();
        let mut kept: Vec<_> = orders
            .into_iter()
            .zip(names.subjects())
            .rev()
            .filter(|(order, subject)| counts(subject) && seen.insert(order.0.clone()))
            .map(|(order, _)| order)
            .collect();
        kept.reverse();
        return (!kept.is_empty()).then_some(Note::Delivered { account, orders: kept, at });
    }
    note.subjects().iter().any(|subject| counts(subject)).then_some(note)
}

fn digest(subject: &str) -> [u8; 16] {
    let full: [u8; 32] = Sha256::digest(subject.as_bytes()).into();
    let mut short = [0; 16];
    for (place, byte) in short.iter_mut().zip(full) {
        *place = byte;
    }
    short
}

fn frame(
    id: &[u8; ID_BYTES],
    number: u64,
    note: &Note,
    keyring: &Keyring,
) -> Result<Vec<u8>, StoreError> {
    let too_large = |bytes| StoreError::TooLarge { tree: JOURNAL_DIR, bytes };
    let plain = postcard::to_stdvec(note).map(Zeroizing::new).map_err(|_| too_large(usize::MAX))?;
    if plain.len() > MAX_FRAME_BYTES {
        return Err(too_large(plain.len()));
    }
    write_frame(id, number, &plain, keyring).ok_or_else(|| too_large(plain.len()))
}

fn open_for_writing(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new().read(true).write(true).open(path).map_err(StoreError::io("opening", path))
}

fn barrier(file: &File, path: &Path) -> Result<Arc<Barrier>, StoreError> {
    let file = file.try_clone().map_err(StoreError::io("opening for sync", path))?;
    Ok(Arc::new(Barrier::over(file, path.to_owned())))
}

/// Makes a journal of what `fill` writes, in place of the one that is there. Says whether it got
/// its name: from then on it is the journal, whatever fails.
fn make(
    dir: &Path,
    keyring: &Keyring,
    fill: impl FnOnce(&mut dyn FnMut(&Note) -> Result<(), StoreError>) -> Result<(), StoreError>,
) -> Result<(Tail, bool), StoreError> {
    let (aside, path) = (dir.join(ASIDE), dir.join(FILE));
    let no_key = || StoreError::UnknownKey { key_id: keyring.current_id().to_owned() };
    let mut id = [0; ID_BYTES];
    rand::rngs::OsRng.fill_bytes(&mut id);
    let written = (|| {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&aside)
            .map_err(StoreError::io("creating", &aside))?;
        let writing = |error| StoreError::io("writing", &aside)(error);
        let mut sink = std::io::BufWriter::new(&file);
        sink.write_all(&write_head(&id, 0, keyring).ok_or_else(no_key)?).map_err(writing)?;
        let (mut end, mut next) = (HEADS_BYTES, 1_u64);
        fill(&mut |note| {
            let bytes = frame(&id, next, note, keyring)?;
            sink.write_all(&bytes).map_err(writing)?;
            next = next.saturating_add(1);
            end = end.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            Ok(())
        })?;
        sink.flush().map_err(writing)?;
        drop(sink);
        // Now that the size is known, it goes into the heads.
        file.write_all_at(&write_head(&id, end, keyring).ok_or_else(no_key)?, 0)
            .map_err(writing)?;
        file.sync_all().map_err(StoreError::io("syncing", &aside))?;
        fs::rename(&aside, &path).map_err(StoreError::io("renaming", &aside))?;
        Ok((file, end, next))
    })();
    let (file, end, next) = match written {
        Ok(written) => written,
        Err(error) => {
            let _may_not_exist = fs::remove_file(&aside);
            return Err(error);
        }
    };
    // The name is there; until it is durable nothing may be acknowledged in it.
    let broken = sync_dir(dir).is_err();
    let barrier = barrier(&file, &path)?;
    Ok((Tail { id, file: Arc::new(file), barrier, end, next, live: end, broken }, true))
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
