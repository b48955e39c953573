//! One account's way in: watch, scan, claim, take in; small files beside each other, and one large one.
//!
//! Small files share the waits for the disk: a file is acknowledged after its own fsyncs, as if it were
//! alone, but many wait for them at once. A large file is taken in on a thread of its own, so that it keeps
//! no small one waiting. Which of them ends first makes no difference to what is known then. Hints make it
//! fast, the scan makes it true. What a crash or a stop interrupted is taken up first.
//!
//! One file in trouble stops no other: a claimed file that cannot be read for now stays in `work/` and is
//! tried again by itself, each time later, while others go on; one that cannot be claimed rests in
//! `incoming/`. Only where claims fail one after the other, or a disk is full, is nothing claimed for a while.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::beside::beside;
use super::expected::{Expected, Progress};
use super::intake::{Intake, IntakeAccount, IntakeTrouble, LARGE_BYTES};
use super::left::Left as LeftFiles;
use super::room::Room;
use crate::deliver::alive::beating;
use crate::envelope::{Sniff, sniff};
use crate::model::{FileId, FileState, FileWait};
use crate::spool::{
    Candidate, Claim, ClaimError, Hint, Left, Notice, Recovered, Scanner, SpoolDirs, Watch,
    claim_beating, harmless_name, recover_file, unfinished,
};
use crate::telemetry::events;

/// After the disk or the store failed, nothing is claimed for so long.
const TROUBLE_SECS: u64 = 10;
/// Files that fail one after the other before nothing more is claimed for a while.
const CLAIMS_FAILED: u32 = 3;
/// Longest wait between two tries.
const MAX_WAIT: Duration = Duration::from_mins(5);

/// Small files that are taken in beside each other, at most. What each costs is waiting for its fsyncs,
/// a dozen of them, and those of files that are under way together go to the disk together.
const TOGETHER: usize = 16;

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
    /// How long a file waits that failed once; twice as long each time after that.
    pub(crate) first_wait: Duration,
    /// What cannot be taken for now, for `status`.
    pub(crate) left: Arc<LeftFiles>,
    /// Who waits for a file that was handed in.
    pub(crate) expected: Arc<Expected>,
    /// Whether there is room to take anything.
    pub(crate) room: Arc<Room>,
}

/// The part that works on a thread that may block.
struct Bench {
    mouth: Arc<Mouth>,
    scanner: Scanner,
    /// What `work/` has is not known yet.
    unlisted: bool,
    /// Files of ours in `work/` without anybody working on them.
    waiting: BTreeMap<FileId, Waiting>,
    /// The large file that is being taken in.
    large: Option<(FileId, u32, JoinHandle<Outcome>)>,
    /// Files that failed, at their claim or right after it, since one was last taken in.
    claims_failed: u32,
    /// Nothing is claimed before that.
    no_claims_before: Option<Instant>,
    /// How many small files are claimed beside each other next: more and more while all goes well.
    together: usize,
}

/// A file in `work/` that is tried again.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    /// How often it failed.
    tries: u32,
    due: Instant,
}

/// What came of taking a file in.
enum Outcome {
    /// It is in `done/` or `rejected/`.
    Ended,
    /// The daemon stops; the next start takes it up.
    Stopping,
    /// It stays in `work/`.
    Waits(String),
}

/// What came of claiming a file.
enum Came {
    /// It was claimed, is a small one, and was taken in.
    Taken(Outcome),
    /// It was claimed and is a large one.
    Claimed(Box<Claim>),
    /// It was not claimed.
    Failed(ClaimError),
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
        let mut bench = Bench::new(Arc::clone(&self), scanner);
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

    /// Claims one file, and takes it in if it is a small one.
    fn claim(&self, candidate: &Candidate, beat: &dyn Fn()) -> (FileId, Came) {
        let account = self.account();
        let now = self.intake.clock.now();
        let id = FileId::random();
        let came = match claim_beating(&self.dirs, candidate, id.clone(), &now.to_string(), beat) {
            Ok(claimed) => {
                self.left.take(&candidate.name);
                events::file_claimed(&account.id, &claimed.id, claimed.bytes);
                if claimed.bytes < LARGE_BYTES {
                    Came::Taken(self.take(claimed, beat))
                } else {
                    Came::Claimed(Box::new(claimed))
                }
            }
            Err(error) => Came::Failed(error),
        };
        (id, came)
    }

    /// Takes a claimed file in.
    fn take(&self, claimed: Claim, beat: &dyn Fn()) -> Outcome {
        let account = self.account();
        let (id, name) = (claimed.id.clone(), claimed.name.clone());
        self.expected.tell(&name, || Progress::Claimed(id.clone()));
        let progress = || {
            beat();
            (self.wake)();
        };
        let taking = || self.intake.take(&account, claimed, &progress, beat);
        let taken = catch_unwind(AssertUnwindSafe(taking));
        match taken {
            Ok(Ok(record)) => {
                (self.wake)();
                self.expected.tell(&name, || Progress::Ended(Box::new(record)));
                Outcome::Ended
            }
            Ok(Err(IntakeTrouble::Stopping)) => {
                tracing::info!(account = %account.id, file_id = %id,
                    "stopping half-way through file {id}: the next start takes it up again");
                Outcome::Stopping
            }
            Ok(Err(error)) => {
                let why = Chain(&error).to_string();
                self.expected.tell(&name, || Progress::Waits(id.clone(), why.clone()));
                Outcome::Waits(why)
            }
            Err(_) => Outcome::Waits("taking it in ended in an error of this program".to_owned()),
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
    fn new(mouth: Arc<Mouth>, scanner: Scanner) -> Self {
        Self {
            mouth,
            scanner,
            unlisted: true,
            waiting: BTreeMap::new(),
            large: None,
            claims_failed: 0,
            no_claims_before: None,
            together: 1,
        }
    }

    /// Everything that can be done now. Says when to look again without a hint.
    fn work(
        &mut self,
        hint: Option<Hint>,
        stop: &CancellationToken,
        beat: &(dyn Fn() + Sync),
    ) -> Duration {
        let account = self.mouth.account();
        if self.mouth.intake.store.is_lost(&account.id) {
            return Duration::from_secs(1);
        }
        for (name, kind) in hint.into_iter().flat_map(|hint| hint.names) {
            self.scanner.hint(&name, kind);
        }
        self.scanner.set_max_bytes(account.max_file_bytes);
        if !self.may_take() {
            return Duration::from_secs(TROUBLE_SECS);
        }
        self.end_large(false);
        let paused = self.mouth.intake.store.paused(&account.id);
        if paused.is_some_and(|pause| pause.intake) {
            return Duration::from_secs(PAUSED_LOOK_SECS);
        }
        if self.unlisted {
            self.list_work();
        }
        self.retry(stop, beat);
        let look = self.claim_all(stop, beat);
        let now = Instant::now();
        let retry = self.waiting.values().map(|file| file.due.saturating_duration_since(now)).min();
        let busy = self.large.is_some().then_some(Duration::from_millis(LARGE_LOOK_MS));
        [retry, busy].into_iter().flatten().fold(look, Duration::min).max(Duration::from_millis(10))
    }

    /// Claims what is ready, until there is nothing more.
    fn claim_all(&mut self, stop: &CancellationToken, beat: &(dyn Fn() + Sync)) -> Duration {
        if let Some(wait) = self.no_claims() {
            return wait;
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
            if scan.listed || !scan.notices.is_empty() {
                self.tell(&scan.notices);
            }
            let mut claimed = false;
            let mut small: Vec<Candidate> = Vec::new();
            let mut ready = scan.ready.into_iter().peekable();
            while let Some(candidate) = ready.next() {
                if stop.is_cancelled() {
                    return Duration::ZERO;
                }
                beat();
                self.end_large(false);
                let large = candidate.bytes >= LARGE_BYTES;
                let bytes =
                    small.iter().map(|one| one.bytes).fold(candidate.bytes, u64::saturating_add);
                // The next large one waits where it lies for the one before it.
                if large && self.large.is_some() {
                    // Nothing of it now.
                } else if let Some(why) = self.mouth.room.lacks(bytes) {
                    self.leave(&candidate, &format!("a file that waits for room: {why}"));
                } else {
                    small.push(candidate);
                }
                // Together they need no more memory than one that is taken in alone.
                let full = small.len() >= self.together
                    || small.iter().map(|one| one.bytes).sum::<u64>() >= LARGE_BYTES;
                if small.is_empty() || !(large || full || ready.peek().is_none()) {
                    continue;
                }
                claimed = true;
                if !self.may_take() {
                    self.scanner.look_again();
                    return Duration::from_secs(TROUBLE_SECS);
                }
                self.claim(&std::mem::take(&mut small), stop, beat);
                if let Some(wait) = self.no_claims() {
                    self.scanner.look_again();
                    return wait;
                }
            }
            if !claimed && scan.next_look != Some(Duration::ZERO) {
                return scan.next_look.unwrap_or(self.mouth.poll);
            }
        }
    }

    /// Whether the disks have room, and the store works. Else everything stays where it is.
    fn may_take(&self) -> bool {
        self.mouth.room.enough() && !self.mouth.intake.store.broken()
    }

    /// How long nothing is claimed, if it is so.
    fn no_claims(&mut self) -> Option<Duration> {
        let left = self.no_claims_before?.saturating_duration_since(Instant::now());
        if left.is_zero() {
            self.no_claims_before = None;
            return None;
        }
        Some(left)
    }

    /// Finds what a crash or a stop left in `work/`: it is taken up at once.
    fn list_work(&mut self) {
        let account = self.mouth.account();
        match unfinished(&self.mouth.dirs) {
            Ok(found) => {
                for path in found.orphans {
                    tracing::warn!(account = %account.id, path = %path.display(),
                        "something in work/ is not ours: look at it, then move it away");
                }
                let due = Instant::now();
                let found = found.ids.into_iter();
                self.waiting.extend(found.map(|id| (id, Waiting { tries: 0, due })));
                self.unlisted = false;
            }
            Err(error) => tracing::error!(account = %account.id, error = %error,
                "work/ cannot be listed: check the folder and its owner"),
        }
    }

    /// Takes up what waits in `work/` and is due.
    fn retry(&mut self, stop: &CancellationToken, beat: &dyn Fn()) {
        let now = Instant::now();
        let due = self.waiting.iter().filter(|(_, file)| file.due <= now);
        let due: Vec<(FileId, u32)> = due.map(|(id, file)| (id.clone(), file.tries)).collect();
        for (id, tries) in due {
            if stop.is_cancelled() || !self.may_take() {
                return;
            }
            beat();
            self.waiting.remove(&id);
            for recovered in recover_file(&self.mouth.dirs, &id, beat) {
                self.go_on(&id, tries, recovered, beat);
            }
            if !self.waiting.contains_key(&id) {
                self.mouth.left.go_on(&id);
            }
        }
    }

    fn go_on(&mut self, id: &FileId, tries: u32, recovered: Recovered, beat: &dyn Fn()) {
        let account = self.mouth.account();
        match recovered {
            Recovered::Claimed(claim) => self.take(*claim, tries, beat),
            Recovered::Failed { error, .. } => {
                self.wait(id, tries, Chain(&error).to_string());
            }
            Recovered::Finished { .. } => self.note_end(id),
            Recovered::Orphan { path } => {
                tracing::warn!(account = %account.id, path = %path.display(),
                    "something in work/ is not ours: look at it, then move it away");
            }
            Recovered::NothingTaken { .. } | Recovered::PutBack { .. } => self.forget(id),
        }
    }

    /// It stays in `work/` and is tried again later.
    fn wait(&mut self, id: &FileId, tries: u32, why: String) {
        let tries = tries.saturating_add(1);
        let wait = self.mouth.first_wait.saturating_mul(1 << tries.saturating_sub(1).min(16));
        let wait = wait.min(MAX_WAIT);
        self.waiting.insert(id.clone(), Waiting { tries, due: Instant::now() + wait });
        let next = self.mouth.intake.clock.now().checked_add(wait).unwrap_or(jiff::Timestamp::MAX);
        events::file_waits(&self.mouth.account().id, id, tries, &why, next);
        let wait = FileWait { why, tries, next };
        let store = &self.mouth.intake.store;
        if let Ok(Some(mut record)) = store.file(id) {
            record.wait = Some(wait.clone());
            // Best effort: it may be the store that failed, and `status` says it all the same.
            drop(store.put_file(&record));
        }
        self.mouth.left.wait(id.clone(), wait);
    }

    /// Nothing was taken after all: nothing is remembered of it either.
    fn forget(&self, id: &FileId) {
        let store = &self.mouth.intake.store;
        let claimed =
            store.file(id).is_ok_and(|file| file.is_some_and(|f| f.state == FileState::Work));
        if claimed && let Err(error) = store.forget_file(id) {
            tracing::warn!(file_id = %id, error = %error, "the file could not be forgotten");
        }
    }

    /// A crash came between the file's end and our note of it.
    fn note_end(&self, id: &FileId) {
        let store = &self.mouth.intake.store;
        if let Ok(Some(mut record)) = store.file(id)
            && record.state == FileState::Work
        {
            record.state =
                if record.refusal.is_some() { FileState::Rejected } else { FileState::Done };
            record.wait = None;
            if let Err(error) = store.put_file(&record) {
                tracing::warn!(file_id = %id, error = %error, "the file's end could not be noted");
            }
        }
    }

    /// Claims files and takes them in, beside each other. As long as they fail, it is one at a time.
    fn claim(&mut self, files: &[Candidate], stop: &CancellationToken, beat: &(dyn Fn() + Sync)) {
        let came = beside(files, stop, &|candidate: &Candidate| self.mouth.claim(candidate, beat));
        let (mut failed, mut ended, mut disk, mut full) = (false, false, false, false);
        for (candidate, (id, came)) in came {
            match came {
                Came::Taken(outcome) => {
                    disk |= matches!(outcome, Outcome::Waits(_));
                    ended |= matches!(outcome, Outcome::Ended);
                    self.put(&id, 0, outcome);
                }
                Came::Claimed(claimed) => self.take(*claimed, 0, beat),
                Came::Failed(error) => {
                    failed |= !matches!(error, ClaimError::Gone);
                    disk |= matches!(error, ClaimError::Disk { .. });
                    full |= error.is_disk_full();
                    self.not_claimed(candidate, id, &error);
                }
            }
        }
        // What files that are under way together meet is met once.
        if disk && !ended {
            self.claim_failed(full);
        }
        self.together =
            if failed || disk { 1 } else { self.together.saturating_mul(2).min(TOGETHER) };
    }

    /// A file could not be claimed.
    fn not_claimed(&mut self, candidate: &Candidate, id: FileId, error: &ClaimError) {
        if matches!(error, ClaimError::Gone) {
            return;
        }
        let disk = matches!(error, ClaimError::Disk { .. });
        match error.left() {
            Left::Incoming => self.leave(candidate, &Chain(error).to_string()),
            Left::Work => self.wait(&id, 0, Chain(error).to_string()),
        }
        if disk && !self.waiting.contains_key(&id) {
            // A disk that refused may have refused to tidy up, too: a claim.json lies about then.
            let due = Instant::now() + self.mouth.first_wait;
            self.waiting.insert(id, Waiting { tries: 0, due });
        }
    }

    /// The disk refused a claim, or a file could not be read. After some of those, or with a full disk at once, it is left alone.
    fn claim_failed(&mut self, full: bool) {
        self.claims_failed = self.claims_failed.saturating_add(1);
        let Some(more) = self.claims_failed.checked_sub(CLAIMS_FAILED) else {
            if full {
                self.no_claims_before = Some(Instant::now() + Duration::from_secs(TROUBLE_SECS));
            }
            return;
        };
        let wait = Duration::from_secs(TROUBLE_SECS).saturating_mul(1 << more.min(16));
        self.no_claims_before = Some(Instant::now() + wait.min(MAX_WAIT));
    }

    /// It stays in `incoming/` and rests longer each time.
    fn leave(&mut self, candidate: &Candidate, why: &str) {
        self.scanner.returned(candidate, Instant::now());
        if self.mouth.left.leave(
            &self.mouth.dirs,
            candidate.name.clone(),
            candidate.inode(),
            format!("{why}; it is tried again"),
        ) {
            let account = self.mouth.account();
            let name = harmless_name(&candidate.name);
            events::file_left(&account.id, name, &why, "it is tried again by itself");
        }
    }

    /// Takes a claimed file in; a large one beside.
    fn take(&mut self, claimed: Claim, tries: u32, beat: &dyn Fn()) {
        let id = claimed.id.clone();
        if claimed.bytes < LARGE_BYTES {
            let outcome = self.mouth.take(claimed, beat);
            return self.came_of(&id, tries, outcome);
        }
        if self.large.is_some() {
            // Not a failure: it waits for the one before it.
            let due = Instant::now() + Duration::from_millis(LARGE_LOOK_MS);
            self.waiting.insert(id, Waiting { tries, due });
            return;
        }
        let mouth = Arc::clone(&self.mouth);
        let taking = std::thread::spawn(move || mouth.take(claimed, &|| ()));
        self.large = Some((id, tries, taking));
    }

    fn came_of(&mut self, id: &FileId, tries: u32, outcome: Outcome) {
        let first = tries == 0 && matches!(outcome, Outcome::Waits(_));
        self.put(id, tries, outcome);
        if first {
            // Where one file after the other fails it is not the files.
            self.claim_failed(false);
        }
    }

    fn put(&mut self, id: &FileId, tries: u32, outcome: Outcome) {
        match outcome {
            Outcome::Ended => {
                self.claims_failed = 0;
                self.no_claims_before = None;
                self.mouth.left.go_on(id);
            }
            Outcome::Stopping => {}
            Outcome::Waits(why) => self.wait(id, tries, why),
        }
    }

    /// Sees how the large file ended, if it did; waits for it if told to.
    fn end_large(&mut self, wait: bool) {
        let ended = self.large.take_if(|(_, _, large)| wait || large.is_finished());
        if let Some((id, tries, large)) = ended {
            let outcome = large.join().unwrap_or_else(|_| {
                Outcome::Waits("taking it in ended in an error of this program".to_owned())
            });
            self.came_of(&id, tries, outcome);
        }
    }

    fn tell(&self, notices: &[Notice]) {
        let account = self.mouth.account();
        self.mouth.left.look(&self.mouth.dirs, notices);
        for notice in notices {
            let name = harmless_name(&notice.name);
            events::file_left(&account.id, name, &notice.kind, notice.cure());
        }
    }
}
