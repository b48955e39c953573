//! Waiting for sled's log, which may wait for ever.
//!
//! sled 0.34.7 wakes nobody when a write fails that leaving a reservation had started
//! (`pagecache/logger.rs`, `exit_reservation`: the error is set, the condition variable is not
//! notified). Whoever waits in a flush by then, or comes later and finds nothing to write, never
//! returns. So such waiting is done on a thread of its own, and sled's own mark of the failure is
//! looked at meanwhile. A slow disk is waited for without limit: only a failure ends it early.
//! sled syncs once more while it is dropped and panics where that is refused: on such a thread that
//! is an error like any other, and no panic message in the journal.

use std::panic;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Once};
use std::thread;
use std::time::Duration;

use super::barrier::Barrier;

/// Threads of this name panic only where sled does, and whoever waits for them hears of it.
const NAME: &str = "sled-wait";
/// How often it is looked whether sled has failed.
const LOOK: Duration = Duration::from_millis(500);

/// What `work` answers; sled's error if it failed before that, or if `work` panicked. The thread is
/// left behind then.
pub(super) fn wait_for<T: Send + 'static>(
    config: &sled::Config,
    work: impl FnOnce() -> T + Send + 'static,
) -> sled::Result<T> {
    quiet();
    let (done, answer) = sync_channel(1);
    thread::Builder::new().name(NAME.to_owned()).spawn(move || {
        // Nobody may be waiting any more.
        let _heard = done.send(work());
    })?;
    loop {
        match answer.recv_timeout(LOOK) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Timeout) => config.global_error()?,
            Err(RecvTimeoutError::Disconnected) => {
                config.global_error()?;
                return Err(sled::Error::ReportableBug("waiting for the log panicked".to_owned()));
            }
        }
    }
}

/// From now on a panic on such a thread is told to nobody but who waits for it.
fn quiet() {
    static ONCE: Once = Once::new();
    // Whoever is panicking may not change what is said about it.
    if !thread::panicking() {
        ONCE.call_once(|| {
            let loud = panic::take_hook();
            panic::set_hook(Box::new(move |told| {
                if thread::current().name() != Some(NAME) {
                    loud(told);
                }
            }));
        });
    }
}

/// Lets go of sled only when it has nothing left to write: it syncs while it is dropped, and panics
/// where the disk refuses that. Dropped before everything else that holds the database.
#[derive(Debug)]
pub(super) struct Parting {
    db: sled::Db,
    barrier: Arc<Barrier>,
}

impl Parting {
    pub(super) fn new(db: sled::Db, barrier: Arc<Barrier>) -> Self {
        Self { db, barrier }
    }
}

impl Drop for Parting {
    fn drop(&mut self) {
        if self.barrier.wait(&self.db).is_err() {
            // Left behind for ever: only a new process finds out what is on the disk.
            std::mem::forget(self.db.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_is_answered_and_a_panic_is_an_error() {
        let config = sled::Config::new().temporary(true);
        assert_eq!(wait_for(&config, || 7).unwrap(), 7);
        let slow = wait_for(&config, || {
            thread::sleep(LOOK * 2);
            8
        });
        assert_eq!(slow.unwrap(), 8);
        assert!(wait_for(&config, || assert!(std::hint::black_box(false))).is_err());
    }
}
