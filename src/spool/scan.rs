//! What is in `incoming/`, and which of it is ready.
//!
//! A file is ready when a hint said that its writer closed it or that it was renamed in, or when its
//! size, times and inode did not change between two looks at least `settle` apart (hard links and
//! file systems without events give no hint). An empty file always has to rest: `touch`, then write,
//! is common. Oldest first, a bounded batch a look.
//!
//! Not looked at: names that begin with a dot, end in `.tmp`, `.part` or `.filepart` (still on their way), and
//! `NAME.json` beside `NAME` (a sidecar; it travels with NAME) where both belong to the same user and its
//! content begins as a JSON object does: anything else under that name is a document of its own. A document
//! that cannot be told what it is without a sidecar waits for one for a while; a sidecar with keys waits for
//! its document for ever.
//!
//! A folder with very many files is listed once, and what is ready is then handed out batch by batch.
//!
//! Files that are larger than the account takes, links, pipes, sockets, devices, folders and files that may not be read are left where they are and
//! named once, with the cure. Nothing here changes anything on disk.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::notice::{Notice, NoticeKind, not_a_file};
use super::{HintKind, SpoolDirs, disk, layout, rights};

/// Most files one look hands out.
const BATCH: usize = 512;
/// How long a document waits for its sidecar.
const SIDECAR_GRACE: Duration = Duration::from_secs(10);
/// What a document is told apart by.
const PEEK_BYTES: u64 = 64;
/// Where a sidecar must have said that it has keys.
const SIDECAR_PEEK_BYTES: u64 = 4096;
/// The word Amazon's documents call their keys by.
const SIDECAR_WORD: &[u8] = b"\"encryptionDetails\"";
/// Longest wait of a file that keeps changing while it is taken.
const MAX_RETURN_WAIT: Duration = Duration::from_mins(5);

/// A file that can be claimed.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name in `incoming/`. May be buyer data.
    pub name: OsString,
    /// The name of its sidecar.
    pub sidecar: Option<OsString>,
    /// Its length.
    pub bytes: u64,
    print: Print,
    sidecar_print: Option<Print>,
}

/// One look at `incoming/`.
#[derive(Debug, Default)]
pub struct Scan {
    /// What can be claimed now, oldest first.
    pub ready: Vec<Candidate>,
    /// How many files still have to rest, or wait for a sidecar.
    pub waiting: usize,
    /// How many things are left where they are until somebody changes them.
    pub blocked: usize,
    /// When to look again even if nothing happens.
    pub next_look: Option<Duration>,
    /// What is new about the things left where they are.
    pub notices: Vec<Notice>,
    /// Whether the folder was listed for this look; else it continues the one before.
    pub listed: bool,
}

/// Looks at one `incoming/`, again and again.
#[derive(Debug)]
pub struct Scanner {
    dirs: SpoolDirs,
    settle: Duration,
    needs_sidecar: fn(&[u8]) -> bool,
    max_bytes: u64,
    seen: HashMap<OsString, Seen>,
    hints: HashSet<OsString>,
    /// What the last listing found ready and no look has handed out yet, oldest first.
    backlog: VecDeque<Candidate>,
    listing: Listing,
    told: HashMap<OsString, (Print, u32, u32, NoticeKind)>,
    returned: HashMap<(u64, u64), Returned>,
}

/// What the last listing found beside files that are ready.
#[derive(Debug, Default)]
struct Listing {
    waiting: usize,
    blocked: usize,
    next_look: Option<Instant>,
    /// How many names were looked at in all listings together.
    #[cfg(test)]
    looked_at: usize,
}

/// What must stay the same while a file rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Print {
    dev: u64,
    ino: u64,
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

#[derive(Debug)]
struct Seen {
    print: Print,
    /// When it first looked like this.
    since: Instant,
    /// When this inode first had this name.
    arrived: Instant,
    /// A hint said it is complete, and it has not changed since.
    complete: bool,
    /// Whether it begins as a sidecar does, once that was looked at.
    object: Option<bool>,
}

#[derive(Debug)]
struct Returned {
    until: Instant,
    times: u32,
}

/// The beginning of a file, or why there is none.
enum Peek {
    Head(Vec<u8>),
    Vanished,
    Busy,
    Blocked(NoticeKind),
}

// === impl Scanner ===

impl Scanner {
    /// A scanner whose files rest `settle` when there is no hint.
    pub fn new(dirs: SpoolDirs, settle: Duration) -> Self {
        Self {
            dirs,
            settle,
            needs_sidecar: |_| false,
            max_bytes: u64::MAX,
            seen: HashMap::new(),
            hints: HashSet::new(),
            backlog: VecDeque::new(),
            listing: Listing::default(),
            told: HashMap::new(),
            returned: HashMap::new(),
        }
    }

    /// Says which documents (by their first 64 bytes) are nothing without a sidecar.
    #[must_use]
    pub fn with_sidecars(mut self, needs_sidecar: fn(&[u8]) -> bool) -> Self {
        self.needs_sidecar = needs_sidecar;
        self
    }

    /// Sets how large a file may be; what is larger is left where it is.
    pub fn set_max_bytes(&mut self, max_bytes: u64) {
        self.max_bytes = max_bytes;
    }

    /// Lists the folder at the next look, whatever the last listing still has.
    pub fn look_again(&mut self) {
        self.backlog.clear();
    }

    /// How many names were looked at in all listings together.
    #[cfg(test)]
    pub(super) fn looked_at(&self) -> usize {
        self.listing.looked_at
    }

    /// Takes a hint of the watch into account at the next look.
    pub fn hint(&mut self, name: &OsStr, kind: HintKind) {
        match kind {
            HintKind::Closed | HintKind::RenamedIn => drop(self.hints.insert(name.to_owned())),
            HintKind::Appeared => {}
        }
    }

    /// Says that claiming `candidate` failed and that it is in `incoming/` again: hints do not count
    /// for it now, and it has to rest longer each time.
    pub fn returned(&mut self, candidate: &Candidate, now: Instant) {
        let entry = self
            .returned
            .entry(candidate.print.inode())
            .or_insert(Returned { until: now, times: 0 });
        let wait = self.settle.saturating_mul(1 << entry.times.min(16)).min(MAX_RETURN_WAIT);
        entry.times += 1;
        entry.until = now + wait;
    }

    /// Looks.
    pub fn scan(&mut self, now: Instant) -> io::Result<Scan> {
        let mut scan = Scan::default();
        if self.backlog.is_empty() {
            self.list(now, &mut scan)?;
            self.listing.waiting = scan.waiting;
            self.listing.blocked = scan.blocked;
            self.listing.next_look = scan.next_look.map(|wait| now + wait);
            scan.listed = true;
        } else {
            scan.waiting = self.listing.waiting;
            scan.blocked = self.listing.blocked;
            scan.next_look = self.listing.next_look.map(|at| at.saturating_duration_since(now));
        }
        while scan.ready.len() < BATCH
            && let Some(candidate) = self.backlog.pop_front()
        {
            self.admit(candidate, now, &mut scan)?;
        }
        if !self.backlog.is_empty() {
            scan.next_look = Some(Duration::ZERO);
        }
        Ok(scan)
    }

    /// Reads the whole folder: what is there, and what of it is ready.
    fn list(&mut self, now: Instant, scan: &mut Scan) -> io::Result<()> {
        let mut files = HashMap::new();
        let mut present = HashSet::new();
        for entry in fs::read_dir(&self.dirs.incoming)? {
            let entry = entry?;
            let name = entry.file_name();
            if is_passed_over(&name) {
                continue;
            }
            #[cfg(test)]
            {
                self.listing.looked_at += 1;
            }
            let meta = match entry.metadata() {
                Ok(meta) => meta,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            present.insert(name.clone());
            if let Some(kind) = not_a_file(meta.file_type()) {
                if kind != NoticeKind::Folder || name != "lost+found" {
                    self.block(scan, &name, &meta, kind);
                }
            } else {
                self.see(&name, &meta, now);
                files.insert(name, meta);
            }
        }
        self.hints.clear();
        self.seen.retain(|name, _| files.contains_key(name));
        self.told.retain(|name, _| present.contains(name));
        self.returned.retain(|_, entry| now < entry.until + MAX_RETURN_WAIT);
        self.choose(&files, now, scan)
    }

    fn see(&mut self, name: &OsStr, meta: &Metadata, now: Instant) {
        let print = Print::of(meta);
        let complete = self.hints.contains(name) && print.size > 0;
        let fresh = |arrived| Seen { print, since: now, arrived, complete, object: None };
        match self.seen.get_mut(name) {
            Some(seen) if seen.print == print => seen.complete |= complete,
            Some(seen) if seen.print.inode() == print.inode() => *seen = fresh(seen.arrived),
            Some(seen) => *seen = fresh(now),
            None => drop(self.seen.insert(name.to_owned(), fresh(now))),
        }
    }

    /// How long until this name has rested enough.
    fn rest(&self, name: &OsStr, now: Instant) -> Duration {
        let Some(seen) = self.seen.get(name) else { return self.settle };
        let settle = self.settle.saturating_sub(now.saturating_duration_since(seen.since));
        match self.returned.get(&seen.print.inode()) {
            Some(entry) => settle.max(entry.until.saturating_duration_since(now)),
            None if seen.complete => Duration::ZERO,
            None => settle,
        }
    }

    fn choose(
        &mut self,
        files: &HashMap<OsString, Metadata>,
        now: Instant,
        scan: &mut Scan,
    ) -> io::Result<()> {
        let sidecars = self.sidecars(files, now)?;
        let mut ready = Vec::new();
        for (name, meta) in files {
            if sidecars.contains(name) {
                continue;
            }
            let sidecar = Some(layout::sidecar_name(name)).filter(|name| sidecars.contains(name));
            if meta.len() > self.max_bytes {
                self.block(scan, name, meta, NoticeKind::TooLarge);
                continue;
            }
            let rest = sidecar.as_ref().map_or(Duration::ZERO, |name| self.rest(name, now));
            let rest = rest.max(self.rest(name, now));
            if rest.is_zero() {
                let sidecar_print =
                    sidecar.as_ref().and_then(|name| files.get(name)).map(Print::of);
                ready.push(Candidate {
                    name: name.clone(),
                    sidecar,
                    bytes: meta.len(),
                    print: Print::of(meta),
                    sidecar_print,
                });
            } else {
                scan.wait(rest);
            }
        }
        ready.sort_unstable_by(|a, b| (a.print.mtime, &a.name).cmp(&(b.print.mtime, &b.name)));
        self.backlog = ready.into();
        Ok(())
    }

    /// Which of `files` are sidecars: `NAME.json` beside NAME, by the same user and with the shape of one,
    /// unless NAME itself is a sidecar.
    fn sidecars(
        &mut self,
        files: &HashMap<OsString, Metadata>,
        now: Instant,
    ) -> io::Result<HashSet<OsString>> {
        let mut named: Vec<(&OsStr, &Metadata)> = Vec::new();
        for (name, meta) in files {
            let document = document_of(name).and_then(|document| files.get(document));
            if document.is_some_and(|document| document.uid() == meta.uid()) {
                named.push((name, meta));
            }
        }
        // NAME before NAME.json before NAME.json.json.
        named.sort_unstable_by_key(|(name, _)| name.len());
        let mut found: HashSet<OsString> = HashSet::new();
        for (name, meta) in named {
            let of_a_sidecar = document_of(name).is_some_and(|document| found.contains(document));
            if !of_a_sidecar && self.is_object(name, meta, now)? {
                found.insert(name.to_owned());
            }
        }
        Ok(found)
    }

    /// Whether a file begins as a JSON object does. One that is empty may still become one, and one that
    /// cannot be read is taken for one: it and its document stay where they are.
    fn is_object(&mut self, name: &OsStr, meta: &Metadata, now: Instant) -> io::Result<bool> {
        if meta.len() == 0 {
            return Ok(!self.rest(name, now).is_zero());
        }
        if let Some(known) = self.seen.get(name).and_then(|seen| seen.object) {
            return Ok(known);
        }
        let Peek::Head(head) = self.peek(name)? else { return Ok(true) };
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start();
        let object = text.first() == Some(&b'{');
        if let Some(seen) = self.seen.get_mut(name) {
            seen.object = Some(object);
        }
        Ok(object)
    }

    /// The last look before a file is handed out: may it be read, does it need company?
    fn admit(&mut self, candidate: Candidate, now: Instant, scan: &mut Scan) -> io::Result<()> {
        for name in [Some(&candidate.name), candidate.sidecar.as_ref()].into_iter().flatten() {
            let head = match self.peek(name)? {
                Peek::Head(head) => head,
                Peek::Vanished => return Ok(()),
                Peek::Busy => {
                    scan.wait(self.settle);
                    return Ok(());
                }
                Peek::Blocked(kind) => {
                    self.block_named(scan, name, kind);
                    return Ok(());
                }
            };
            if candidate.sidecar.is_some() {
                continue;
            }
            let keys = has_json_suffix(name) && contains(&head, SIDECAR_WORD);
            let start = head.get(..64).unwrap_or(&head);
            if keys || (!head.is_empty() && (self.needs_sidecar)(start)) {
                let arrived = self.seen.get(name).map_or(now, |seen| seen.arrived);
                let left = SIDECAR_GRACE.saturating_sub(now.saturating_duration_since(arrived));
                if !left.is_zero() {
                    scan.wait(left);
                    return Ok(());
                }
                if keys {
                    self.block_named(scan, name, NoticeKind::LoneSidecar);
                    return Ok(());
                }
            }
        }
        self.told.remove(&candidate.name);
        scan.ready.push(candidate);
        Ok(())
    }

    fn peek(&self, name: &OsStr) -> io::Result<Peek> {
        let (file, _) = match disk::open_regular(&self.dirs.incoming.join(name)) {
            Ok(opened) => opened,
            Err(error) => return why_not(error),
        };
        let limit = if has_json_suffix(name) { SIDECAR_PEEK_BYTES } else { PEEK_BYTES };
        let mut head = Vec::new();
        match file.take(limit).read_to_end(&mut head) {
            Ok(_) => Ok(Peek::Head(head)),
            Err(error) => why_not(error),
        }
    }

    /// As [`Self::block`], for a file that was listed a while ago.
    fn block_named(&mut self, scan: &mut Scan, name: &OsStr, kind: NoticeKind) {
        if let Ok(meta) = fs::symlink_metadata(self.dirs.incoming.join(name)) {
            self.block(scan, name, &meta, kind);
        }
    }

    fn block(&mut self, scan: &mut Scan, name: &OsStr, meta: &Metadata, kind: NoticeKind) {
        scan.blocked += 1;
        let mut print = Print::of(meta);
        if not_a_file(meta.file_type()).is_some() || kind == NoticeKind::TooLarge {
            // What happens inside a folder, passes through a pipe or is still growing is no news.
            print = Print { size: 0, mtime: (0, 0), ctime: (0, 0), ..print };
        }
        let now = (print, meta.mode(), meta.gid(), kind);
        if self.told.get(name) != Some(&now) {
            self.told.insert(name.to_owned(), now);
            let advice = (kind == NoticeKind::Unreadable)
                .then(|| rights::advice(meta, fs::metadata(&self.dirs.incoming).ok().as_ref()))
                .flatten();
            scan.notices.push(Notice { name: name.to_owned(), kind, inode: meta.ino(), advice });
        }
    }
}

fn why_not(error: io::Error) -> io::Result<Peek> {
    match (error.kind(), error.raw_os_error().map(Errno::from_raw_os_error)) {
        (io::ErrorKind::NotFound, _) => Ok(Peek::Vanished),
        // Swapped for something else just now, or leased: the next look says.
        (io::ErrorKind::InvalidInput | io::ErrorKind::WouldBlock, _) => Ok(Peek::Busy),
        (io::ErrorKind::PermissionDenied, _) => Ok(Peek::Blocked(NoticeKind::Unreadable)),
        // Our own trouble, not the file's.
        (_, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => Err(error),
        (kind, _) => Ok(Peek::Blocked(NoticeKind::ReadError(kind))),
    }
}

/// Names that say of themselves that they are not to be touched yet.
pub(super) fn is_passed_over(name: &OsStr) -> bool {
    let name = name.as_bytes();
    let ends = |suffix: &[u8]| {
        name.len() >= suffix.len()
            && name
                .get(name.len() - suffix.len()..)
                .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
    };
    name.starts_with(b".") || ends(b".tmp") || ends(b".part") || ends(b".filepart")
}

fn has_json_suffix(name: &OsStr) -> bool {
    name.as_bytes().ends_with(b".json")
}

/// NAME, if this is `NAME.json`.
fn document_of(name: &OsStr) -> Option<&OsStr> {
    name.as_bytes().strip_suffix(b".json").map(OsStr::from_bytes)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

// === impl Scan ===

impl Scan {
    fn wait(&mut self, how_long: Duration) {
        self.waiting += 1;
        self.next_look = Some(self.next_look.map_or(how_long, |old| old.min(how_long)));
    }
}

// === impl Candidate ===

impl Candidate {
    /// By which it is found where its name is not shown.
    pub fn inode(&self) -> u64 {
        self.print.ino
    }

    /// Whether this is still the file that was looked at.
    pub(super) fn is_still(&self, meta: &Metadata) -> bool {
        let now = Print::of(meta);
        // Not the ctime: a changed mode or another hard link does not matter.
        Print { ctime: self.print.ctime, ..now } == self.print
    }

    /// Whether this is still the sidecar that was looked at.
    pub(super) fn is_still_its_sidecar(&self, meta: &Metadata) -> bool {
        let now = Print::of(meta);
        self.sidecar_print.is_some_and(|print| Print { ctime: print.ctime, ..now } == print)
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("name", &super::harmless_name(&self.name))
            .field("sidecar", &self.sidecar.is_some())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

// === impl Print ===

impl Print {
    fn of(meta: &Metadata) -> Self {
        Self {
            dev: meta.dev(),
            ino: meta.ino(),
            size: meta.size(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    fn inode(&self) -> (u64, u64) {
        (self.dev, self.ino)
    }
}
