//! The barrier: the only "durable now".
//!
//! sled's `flush` is not an fsync. On Linux it writes its buffers with `pwrite` and calls
//! `sync_file_range`, which neither flushes the disk's cache nor writes the file's size and block
//! map: `strace` of 1244 acknowledged flushes showed 6379 `sync_file_range` and 6 `fsync`, all six
//! from the background thread that runs every 500 ms. What `flush` acknowledged survives SIGKILL, but
//! not a power cut. So a barrier is `flush` (everything is handed to the kernel, up to the last
//! write before it) and then `fdatasync` on a descriptor of our own for the same file: a sync acts
//! on the inode, whichever descriptor asks (strace of that: 635 barriers, 635 `fdatasync`).
//!
//! It covers the file `db` only. sled's blob files are never synced; `store::layout` keeps values
//! small enough that there are none.
//!
//! Callers that come while one barrier runs share the next one. A failed sync is final: Linux drops
//! the pages it could not write and says so once, so a later success would prove nothing. sled's own
//! errors are as final. The daemon ends then ([`Store::broken`](super::Store::broken)) and the next
//! one reads what is really there.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::error::StoreError;
use super::patience::wait_for;
use super::vault::engine;

/// The barrier of one open store.
#[derive(Debug)]
pub(super) struct Barrier {
    /// Of sled, to see its failures; none where no sled is behind the file.
    config: Option<sled::Config>,
    file: File,
    path: PathBuf,
    /// Tickets handed out; a caller's writes precede its ticket.
    asked: AtomicU64,
    turn: Mutex<Turn>,
    /// As in `turn`, for who must not wait for a sync.
    broken: AtomicBool,
}

#[derive(Debug, Default)]
struct Turn {
    /// All tickets up to this one are durable.
    covered: u64,
    /// Barriers that reached the disk.
    synced: u64,
    broken: bool,
}

impl Barrier {
    /// A barrier for the sled folder `store`, which is open.
    pub(super) fn new(store: &Path, config: &sled::Config) -> Result<Self, StoreError> {
        let path = store.join("db");
        let file = File::open(&path).map_err(StoreError::io("opening for sync", &path))?;
        Ok(Self { config: Some(config.clone()), ..Self::over(file, path) })
    }

    /// A barrier for a file that is written directly, so that only the sync is left to do.
    pub(super) fn over(file: File, path: PathBuf) -> Self {
        Self {
            file,
            path,
            config: None,
            asked: AtomicU64::new(0),
            turn: Mutex::default(),
            broken: AtomicBool::new(false),
        }
    }

    /// Returns when all that was written to the file before the call is on the disk.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.pass(|| self.file.sync_data().map_err(StoreError::io("fdatasync", &self.path)))
    }

    /// Returns when all that was applied before the call is on the disk.
    #[expect(clippy::disallowed_methods, reason = "here the fdatasync follows that flush lacks")]
    pub(super) fn wait(&self, db: &sled::Db) -> Result<(), StoreError> {
        self.pass(|| {
            let flushed = match &self.config {
                Some(config) => {
                    let db = db.clone();
                    wait_for(config, move || db.flush()).and_then(|flushed| flushed)
                }
                None => db.flush(),
            };
            flushed.map_err(|error| engine(&self.path, "flushing", &error))?;
            self.file.sync_data().map_err(StoreError::io("fdatasync", &self.path))
        })
    }

    /// Whether a sync failed: no later barrier will be passed.
    pub(super) fn broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }

    /// How many barriers reached the disk, for the metrics.
    pub(super) fn synced(&self) -> u64 {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).synced
    }

    fn pass(&self, sync: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
        let ticket = self.asked.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if turn.broken {
            return Err(StoreError::Unsynced { path: self.path.clone() });
        }
        if turn.covered >= ticket {
            return Ok(());
        }
        // Whoever has a ticket by now has applied its writes by now.
        let covers = self.asked.load(Ordering::SeqCst);
        turn.broken = true;
        sync().inspect_err(|_| self.broken.store(true, Ordering::SeqCst))?;
        turn.broken = false;
        turn.covered = covers;
        turn.synced = turn.synced.saturating_add(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    fn barrier() -> (tempfile::TempDir, Barrier) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("db"), b"").unwrap();
        let barrier = Barrier::new(dir.path(), &sled::Config::new()).unwrap();
        (dir, barrier)
    }

    #[test]
    fn callers_share_a_barrier_that_began_after_they_asked() {
        let (_dir, barrier) = barrier();
        let barrier = Arc::new(barrier);
        let (started, running) = std::sync::mpsc::channel();
        let first = {
            let barrier = Arc::clone(&barrier);
            std::thread::spawn(move || {
                barrier.pass(|| {
                    started.send(()).unwrap();
                    while barrier.asked.load(Ordering::SeqCst) < 9 {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Ok(())
                })
            })
        };
        running.recv().unwrap();
        let others: Vec<_> = (0..8)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                std::thread::spawn(move || barrier.pass(|| Ok(())))
            })
            .collect();
        first.join().unwrap().unwrap();
        for other in others {
            other.join().unwrap().unwrap();
        }
        // The first one began before the others asked and does not count for them.
        assert_eq!(barrier.synced(), 2);
    }

    #[test]
    fn a_failed_sync_is_final() {
        let (_dir, barrier) = barrier();
        let refused = StoreError::io("fdatasync", "db")(std::io::Error::other("no"));
        assert!(barrier.pass(|| Err(refused)).is_err());
        assert!(barrier.broken());
        assert!(matches!(barrier.pass(|| Ok(())), Err(StoreError::Unsynced { .. })));
    }
}
