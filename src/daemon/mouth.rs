//! One account's way in: watch, scan, claim, take in; one file at a time, and one large one beside.
//!
//! A large file is taken in on a thread of its own, so that it keeps no small one waiting; which
//! of them ends first makes no difference to what is known then. Hints make it fast, the scan makes
//! it true. What a crash or a stop interrupted is taken up first. When the disk or the store fails
//! nothing more is claimed for a while; what was claimed stays in `work/`.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::intake::{Intake, IntakeAccount, IntakeTrouble, LARGE_BYTES};
use super::room::Room;
use crate::deliver::alive::beating;
use crate::envelope::{Sniff, sniff};
use crate::model::{AccountId, FileId, FileState};
use crate::spool::{
    Candidate, Claim, ClaimError, Hint, Left, Notice, Recovered, Scanner, SpoolDirs, Watch, claim,
    harmless_name, recover,
};
use crate::telemetry::events;

/// After the disk or the store failed, nothing is claimed for so long.
const TROUBLE_SECS: u64 = 10;

/// While a person has paused the way in, it is looked so often whether that still holds.
const PAUSED_LOOK_SECS: u64 = 2;
/// How soon to look again while a large file is being taken in, in ms.
const LARGE_LOOK_MS: u64 = 200;

/// One account's way in.
pub(crate) struct Mouth {
    pub(crate) intake: Intake,
    pub(crate) account: Arc<RwLock<Arc<IntakeAccount>>>,
    pub(crate) dirs: SpoolDirs,
    pub(crate) settle: Duration,
    pub(crate) poll: Duration,
    /// Called after each barrier: there may be work.
    pub(crate) wake: Arc<dyn Fn() + Send + Sync>,
    /// What lies in `incoming/` and is left there, for `status`.
    pub(crate) left: Arc<Mutex<BTreeMap<OsString, String>>>,
    /// Whether there is room to take anything.
    pub(crate) room: Arc<Room>,
}

/// The part that works on a thread that may block.
struct Bench {
    mouth: Arc<Mouth>,
    scanner: Scanner,
    /// Something of ours lies in `work/` without anybody working on it.
    unfinished: bool,
    /// The large file that is being taken in; says whether that went well.
    large: Option<JoinHandle<bool>>,
}

impl Mouth {
    /// Takes files in until `stop`; a small file at hand is finished first, a large one stays in `work/`.
    pub(crate) async fn run(
        self: Arc<Self>,
        stop: CancellationToken,
        beat: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<()> {
        let (watch, mut hints) =
            Watch::start(std::slice::from_ref(&self.dirs.incoming), self.poll)?;
        for (_, why) in watch.trouble() {
            tracing::warn!(account = %self.account().id, why,
                "incoming/ gives no events: it is only looked at now and then");
        }
        let scanner = Scanner::new(self.dirs.clone(), self.settle).with_sidecars(needs_sidecar);
        let mut bench = Bench { mouth: Arc::clone(&self), scanner, unfinished: true, large: None };
        let beat = Arc::new(beat);
        let mut wait = Duration::ZERO;
        loop {
            beat();
            let waiting = async {
                tokio::select! {
                    () = stop.cancelled() => None,
                    hint = next(&mut hints) => Some(hint),
                    () = tokio::time::sleep(wait) => Some(None),
                }
            };
            let Some(hint) = beating(waiting, beat.as_ref(), Duration::MAX).await else {
                let ended = tokio::task::spawn_blocking(move || bench.end_large(true)).await;
                return ended.map_err(std::io::Error::other);
            };
            let (stopping, pulse) = (stop.clone(), Arc::clone(&beat));
            let worked = tokio::task::spawn_blocking(move || {
                let wait = bench.work(hint, &stopping, pulse.as_ref());
                (bench, wait)
            });
            match worked.await {
                Ok((back, next_look)) => {
                    bench = back;
                    wait = next_look;
                }
                Err(error) => return Err(std::io::Error::other(error)),
            }
        }
    }

    fn account(&self) -> Arc<IntakeAccount> {
        Arc::clone(&self.account.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a claimed file in. False if it stays in `work/`.
    fn take(&self, claimed: Claim, beat: &dyn Fn()) -> bool {
        let account = self.account();
        let id = claimed.id.clone();
        let progress = || {
            beat();
            (self.wake)();
        };
        match self.intake.take(&account, claimed, &progress) {
            Ok(_) => {
                (self.wake)();
                true
            }
            Err(IntakeTrouble::Stopping) => {
                tracing::info!(account = %account.id, file_id = %id,
                    "stopping half-way through file {id}: the next start takes it up again");
                false
            }
            Err(error) => {
                trouble(&account.id, &id, &error);
                false
            }
        }
    }
}

/// The next hint, and all that came with it.
async fn next(hints: &mut mpsc::Receiver<Hint>) -> Option<Hint> {
    let mut hint = hints.recv().await?;
    while let Ok(more) = hints.try_recv() {
        hint.names.extend(more.names);
    }
    Some(hint)
}

/// Amazon's encrypted documents are nothing without their keys; other documents need no sidecar.
fn needs_sidecar(head: &[u8]) -> bool {
    sniff(head) == Sniff::Other
}

/// A file waits in `work/`.
fn trouble(account: &AccountId, id: &FileId, error: &dyn Error) {
    tracing::error!(account = %account, file_id = %id, error = %Chain(error),
        "file {id} cannot be taken in now; it stays in work/ and is tried again");
}

/// An error and its causes.
struct Chain<'a>(&'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Bench {
    /// Everything that can be done now. Says when to look again without a hint.
    fn work(&mut self, hint: Option<Hint>, stop: &CancellationToken, beat: &dyn Fn()) -> Duration {
        if self.mouth.intake.store.is_lost(&self.mouth.account().id) {
            return Duration::from_secs(1);
        }
        for (name, kind) in hint.into_iter().flat_map(|hint| hint.names) {
            self.scanner.hint(&name, kind);
        }
        if !self.may_take() {
            return Duration::from_secs(TROUBLE_SECS);
        }
        self.end_large(false);
        let paused = self.mouth.intake.store.paused(&self.mouth.account().id);
        if paused.is_some_and(|pause| pause.intake) {
            return Duration::from_secs(PAUSED_LOOK_SECS);
        }
        if self.unfinished {
            if self.large.is_some() {
                // Recovery looks at everything in `work/`: it waits for who works there.
                return Duration::from_millis(LARGE_LOOK_MS);
            }
            if !self.resume(stop, beat) {
                return Duration::from_secs(TROUBLE_SECS);
            }
        }
        loop {
            let scan = match self.scanner.scan(Instant::now()) {
                Ok(scan) => scan,
                Err(error) => {
                    tracing::error!(account = %self.mouth.account().id, error = %error,
                        "incoming/ cannot be listed: check the folder and its owner");
                    return Duration::from_secs(TROUBLE_SECS);
                }
            };
            self.tell(&scan.notices);
            let mut claimed = false;
            for candidate in scan.ready {
                if stop.is_cancelled() {
                    return Duration::ZERO;
                }
                beat();
                self.end_large(false);
                // The next large one waits where it lies for the one before it.
                if candidate.bytes >= LARGE_BYTES && self.large.is_some() {
                    continue;
                }
                claimed = true;
                if !self.may_take() || !self.claim(&candidate, beat) {
                    return Duration::from_secs(TROUBLE_SECS);
                }
            }
            if !claimed {
                let look = scan.next_look.unwrap_or(self.mouth.poll).max(Duration::from_millis(10));
                let busy = self.large.is_some();
                return if busy { look.min(Duration::from_millis(LARGE_LOOK_MS)) } else { look };
            }
        }
    }

    /// Whether the disks have room, and the store works. Else everything stays where it is.
    fn may_take(&self) -> bool {
        self.mouth.room.enough() && !self.mouth.intake.store.broken()
    }

    /// Takes up what a crash or a failure left in `work/`. False if something still fails.
    fn resume(&mut self, stop: &CancellationToken, beat: &dyn Fn()) -> bool {
        let account = self.mouth.account();
        let found = match recover(&self.mouth.dirs) {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(account = %account.id, error = %error,
                    "work/ cannot be listed: check the folder and its owner");
                return false;
            }
        };
        let mut well = true;
        for recovered in found {
            if stop.is_cancelled() {
                return false;
            }
            beat();
            match recovered {
                Recovered::Claimed(claim) => well &= self.take(*claim, beat),
                Recovered::Failed { id, error } => {
                    trouble(&account.id, &id, &error);
                    well = false;
                }
                Recovered::Finished { id, .. } => self.note_end(&id),
                Recovered::Orphan { path } => {
                    tracing::warn!(account = %account.id, path = %path.display(),
                        "something in work/ is not ours: look at it, then move it away");
                }
                Recovered::NothingTaken { .. } | Recovered::PutBack { .. } => {}
            }
        }
        self.unfinished = !well;
        well
    }

    /// A crash came between the file's end and our note of it.
    fn note_end(&self, id: &FileId) {
        let store = &self.mouth.intake.store;
        if let Ok(Some(mut record)) = store.file(id)
            && record.state == FileState::Work
        {
            record.state =
                if record.refusal.is_some() { FileState::Rejected } else { FileState::Done };
            if let Err(error) = store.put_file(&record) {
                tracing::warn!(file_id = %id, error = %error, "the file's end could not be noted");
            }
        }
    }

    /// Claims one file and takes it in. False if nothing more should be claimed for a while.
    fn claim(&mut self, candidate: &Candidate, beat: &dyn Fn()) -> bool {
        let account = self.mouth.account();
        let now = self.mouth.intake.clock.now();
        let claimed = claim(&self.mouth.dirs, candidate, FileId::random(), &now.to_string());
        match claimed {
            Ok(claimed) => {
                events::file_claimed(&account.id, &claimed.id, claimed.bytes);
                self.take(claimed, beat)
            }
            Err(ClaimError::Gone) => true,
            Err(error) => {
                let full = error.is_disk_full();
                match error.left() {
                    Left::Incoming => self.scanner.returned(candidate, Instant::now()),
                    Left::Work => self.unfinished = true,
                }
                // A disk that refused may have refused to tidy up, too: a claim.json lies about then.
                self.unfinished |= matches!(error, ClaimError::Disk { .. });
                tracing::warn!(account = %account.id, error = %Chain(&error),
                    "a file could not be claimed and is tried again");
                !full
            }
        }
    }

    /// Takes a claimed file in; a large one beside, if no other is. False if it stays in `work/`.
    fn take(&mut self, claimed: Claim, beat: &dyn Fn()) -> bool {
        if claimed.bytes >= LARGE_BYTES && self.large.is_none() {
            let mouth = Arc::clone(&self.mouth);
            self.large = Some(std::thread::spawn(move || mouth.take(claimed, &|| ())));
            return true;
        }
        let well = self.mouth.take(claimed, beat);
        self.unfinished |= !well;
        well
    }

    /// Sees how the large file ended, if it did; waits for it if told to.
    fn end_large(&mut self, wait: bool) {
        if let Some(large) = self.large.take_if(|large| wait || large.is_finished()) {
            // A panic leaves the file in `work/`, as any trouble does.
            self.unfinished |= !large.join().unwrap_or(false);
        }
    }

    fn tell(&self, notices: &[Notice]) {
        let account = self.mouth.account();
        let mut left = self.mouth.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.retain(|name, _| self.mouth.dirs.incoming.join(name).symlink_metadata().is_ok());
        for notice in notices {
            let name = harmless_name(&notice.name);
            events::file_left(&account.id, name, &notice.kind, notice.kind.cure());
            left.insert(notice.name.clone(), notice.to_string());
        }
    }
}
