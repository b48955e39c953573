//! "Something happened in `incoming/`": hints, never truth.
//!
//! A hint means *look soon*; what is there only a scan says. Names come with it so that a file that
//! was closed or renamed in need not rest. Hints are coalesced: while the receiver is busy they are
//! collected per folder, and what does not fit is forgotten (the file then rests like any other).
//! Our own looking (opening, reading, listing) gives no hint, so a scan never wakes itself.
//!
//! A folder that is removed, renamed away, replaced or mounted over is watched anew as soon as it is
//! back: noticed through its own events, and by device, inode and birth time on the poll timer. The
//! timer also gives a hint for every folder, so file systems without events work, only slower.
//! Every time a watch is set a hint follows: what was dropped before is not missed.
//!
//! A thread of its own, because asking after a folder may block (NFS). It ends with the [`Watch`]
//! or with the receiver, whichever goes first.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::scan::is_passed_over;

/// Most names kept for one folder between two hints.
const MAX_NAMES: usize = 16_384;
/// How soon a folder that is gone is asked after again.
const MISSING_POLL: Duration = Duration::from_millis(250);

/// What happened to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HintKind {
    /// Its writer closed it.
    Closed,
    /// It was renamed into the folder.
    RenamedIn,
    /// It is new: perhaps empty, perhaps a hard link.
    Appeared,
}

/// Look into `dir` soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The folder, as it was given to [`Watch::start`].
    pub dir: PathBuf,
    /// What is known; often nothing, never everything. Names may be buyer data.
    pub names: Vec<(OsString, HintKind)>,
}

/// Watches folders until it is dropped.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Pending {
    stop: bool,
    dirs: Vec<DirPending>,
}

#[derive(Debug, Default)]
struct DirPending {
    /// A hint is owed.
    due: bool,
    /// The folder itself went away.
    lost: bool,
    names: Vec<(OsString, HintKind)>,
    /// Why there are no events, if so.
    trouble: Option<String>,
}

/// Which folder a path led to.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    dev: u64,
    ino: u64,
    born: Option<SystemTime>,
}

struct Worker {
    shared: Arc<Shared>,
    watcher: Option<RecommendedWatcher>,
    dirs: Vec<(PathBuf, Option<Identity>)>,
    hints: mpsc::Sender<Hint>,
    poll: Duration,
}

// === impl Watch ===

impl Watch {
    /// Watches `dirs`, and gives a hint for each at once and then at least every `poll`.
    pub fn start(dirs: &[PathBuf], poll: Duration) -> io::Result<(Self, mpsc::Receiver<Hint>)> {
        let shared = Arc::new(Shared::default());
        shared.lock().dirs.resize_with(dirs.len(), DirPending::default);
        let handler = {
            let (shared, dirs) = (Arc::clone(&shared), dirs.to_vec());
            move |event: notify::Result<Event>| shared.take_in(&dirs, event)
        };
        let watcher = match notify::recommended_watcher(handler) {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                for dir in &mut shared.lock().dirs {
                    dir.trouble = Some(error.to_string());
                }
                None
            }
        };
        let (hints, receiver) = mpsc::channel(dirs.len().max(1));
        let mut worker = Worker {
            shared: Arc::clone(&shared),
            watcher,
            dirs: dirs.iter().map(|dir| (dir.clone(), None)).collect(),
            hints,
            poll,
        };
        // Before anyone scans.
        worker.look_after(&vec![false; dirs.len()]);
        for dir in &mut shared.lock().dirs {
            dir.due = true;
        }
        std::thread::Builder::new().name("spool-watch".into()).spawn(move || worker.run())?;
        Ok((Self { shared }, receiver))
    }

    /// Folders that are only polled, and why.
    pub fn trouble(&self) -> Vec<(usize, String)> {
        let pending = self.shared.lock();
        let troubled = pending.dirs.iter().enumerate();
        troubled.filter_map(|(index, dir)| Some((index, dir.trouble.clone()?))).collect()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.wake.notify_all();
    }
}

// === impl Shared ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called by notify's thread: sorts events into folders, quickly.
    fn take_in(&self, dirs: &[PathBuf], event: notify::Result<Event>) {
        let mut pending = self.lock();
        let woken = match event {
            Ok(event) if !event.need_rescan() => {
                let mut woken = false;
                for path in &event.paths {
                    woken |= pending.take_in(dirs, event.kind, path);
                }
                woken
            }
            // Events were lost.
            Ok(_) | Err(_) => {
                for dir in &mut pending.dirs {
                    dir.due = true;
                }
                true
            }
        };
        drop(pending);
        if woken {
            self.wake.notify_all();
        }
    }
}

impl Pending {
    /// Whether the worker has something to do before its timer.
    fn is_urgent(&self) -> bool {
        self.stop || self.dirs.iter().any(|dir| dir.due || dir.lost)
    }

    fn owe(&mut self, index: usize) {
        if let Some(dir) = self.dirs.get_mut(index) {
            dir.due = true;
        }
    }

    /// The names of a hint that is owed.
    fn take(&mut self, index: usize) -> Option<Vec<(OsString, HintKind)>> {
        let dir = self.dirs.get_mut(index)?;
        std::mem::take(&mut dir.due).then(|| std::mem::take(&mut dir.names))
    }

    fn take_in(&mut self, dirs: &[PathBuf], kind: EventKind, path: &Path) -> bool {
        let itself = dirs.iter().position(|dir| dir == path);
        let within = || dirs.iter().position(|dir| path.parent() == Some(dir));
        let Some(dir) = itself.or_else(within).and_then(|index| self.dirs.get_mut(index)) else {
            return false;
        };
        if itself.is_some() {
            dir.lost |= matches!(
                kind,
                EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From))
            );
            return dir.lost;
        }
        let hint = match kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(HintKind::Closed),
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(HintKind::RenamedIn),
            EventKind::Create(_) => Some(HintKind::Appeared),
            // A file became readable, perhaps.
            EventKind::Modify(ModifyKind::Metadata(_)) => None,
            _ => return false,
        };
        let name = path.file_name().unwrap_or_default();
        if is_passed_over(name) {
            return false;
        }
        if let Some(hint) = hint
            && dir.names.len() < MAX_NAMES
        {
            dir.names.push((name.to_owned(), hint));
        }
        dir.due = true;
        true
    }
}

// === impl Worker ===

impl Worker {
    fn run(mut self) {
        let mut last_poll = Instant::now();
        loop {
            let missing = self.dirs.iter().any(|(_, identity)| identity.is_none());
            let pause = if missing { self.poll.min(MISSING_POLL) } else { self.poll };
            let pause = pause.min(self.poll.saturating_sub(last_poll.elapsed()));
            let lost: Vec<bool> = {
                let pending = self.shared.lock();
                let (mut pending, _) = self
                    .shared
                    .wake
                    .wait_timeout_while(pending, pause, |pending| !pending.is_urgent())
                    .unwrap_or_else(PoisonError::into_inner);
                if pending.stop {
                    return;
                }
                pending.dirs.iter_mut().map(|dir| std::mem::take(&mut dir.lost)).collect()
            };
            let polled = last_poll.elapsed() >= self.poll;
            if polled || missing || lost.contains(&true) {
                self.look_after(&lost);
            }
            if polled {
                last_poll = Instant::now();
                for dir in &mut self.shared.lock().dirs {
                    dir.due = true;
                }
            }
            for (index, (path, _)) in self.dirs.iter().enumerate() {
                // What comes while the receiver is slow is collected for the next hint.
                let Some(names) = self.shared.lock().take(index) else { continue };
                if self.hints.blocking_send(Hint { dir: path.clone(), names }).is_err() {
                    return;
                }
            }
        }
    }

    /// Sets what watches are missing, or are on a folder that is not there any more.
    fn look_after(&mut self, lost: &[bool]) {
        for (index, (path, watched)) in self.dirs.iter_mut().enumerate() {
            // Asked before the watch is set: if the folder is replaced in between, the next look sees it.
            let identity = Identity::of(path);
            let lost = lost.get(index).copied().unwrap_or_default();
            if !lost && identity.is_some() && identity == *watched {
                continue;
            }
            let Some(watcher) = &mut self.watcher else {
                *watched = identity;
                self.shared.lock().owe(index);
                continue;
            };
            // Fails when the folder took its watch along; an old one elsewhere must go.
            drop(watcher.unwatch(path));
            let set = match &identity {
                Some(_) => watcher.watch(path, RecursiveMode::NonRecursive),
                None => Err(notify::Error::path_not_found()),
            };
            let mut pending = self.shared.lock();
            let trouble = match set {
                Ok(()) => {
                    *watched = identity;
                    pending.owe(index);
                    None
                }
                Err(error) => {
                    *watched = None;
                    Some(error.to_string())
                }
            };
            if let Some(dir) = pending.dirs.get_mut(index) {
                dir.trouble = trouble;
            }
        }
    }
}

// === impl Identity ===

impl Identity {
    fn of(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok()?;
        Some(Self { dev: meta.dev(), ino: meta.ino(), born: meta.created().ok() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(hints: &mut mpsc::Receiver<Hint>) -> Hint {
        hints.blocking_recv().unwrap()
    }

    /// notify's thread is held up while more happens than the kernel's queue holds.
    #[test]
    fn lost_events_make_every_folder_due() {
        let queue: usize = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events")
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let root = tempfile::tempdir_in("/dev/shm").unwrap();
        let dirs = [root.path().join("busy"), root.path().join("idle")];
        for dir in &dirs {
            fs::create_dir(dir).unwrap();
        }
        let (watch, mut hints) = Watch::start(&dirs, Duration::from_hours(1)).unwrap();
        assert_eq!([next(&mut hints).dir, next(&mut hints).dir], dirs);
        let held = watch.shared.lock();
        // Each is created, opened, written and closed.
        let files = queue / 2;
        for number in 0..files {
            fs::write(dirs[0].join(number.to_string()), b"x").unwrap();
        }
        drop(held);
        let mut names = 0;
        loop {
            let hint = next(&mut hints);
            names += hint.names.len();
            // Nothing ever happened there: only the loss can be why.
            if hint.dir == dirs[1] {
                break;
            }
        }
        assert!(names < files * 2, "some must have been lost");
    }

    #[test]
    fn names_are_bounded_and_the_folder_is_due_all_the_same() {
        let dirs = [PathBuf::from("/spool/a/incoming")];
        let shared = Shared::default();
        shared.lock().dirs.resize_with(1, DirPending::default);
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        for number in 0..MAX_NAMES + 10 {
            let event = Event::new(closed).add_path(dirs[0].join(number.to_string()));
            shared.take_in(&dirs, Ok(event));
        }
        // Somewhere else, and what our own looking gives.
        for (kind, path) in [
            (closed, "/spool/b/incoming/x"),
            (EventKind::Access(AccessKind::Open(AccessMode::Any)), "/spool/a/incoming/x"),
            (EventKind::Modify(ModifyKind::Name(RenameMode::From)), "/spool/a/incoming/x"),
            (EventKind::Remove(notify::event::RemoveKind::File), "/spool/a/incoming/x"),
        ] {
            assert!(!shared.lock().take_in(&dirs, kind, Path::new(path)), "{kind:?}");
        }
        assert_eq!(shared.lock().take(0).unwrap().len(), MAX_NAMES);
        assert_eq!(shared.lock().take(0), None);
    }
}
