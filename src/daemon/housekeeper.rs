//! Ends what has been kept long enough: buyers, files, records. The decisions are in
//! `store::retention`, whether the clock may be believed in `clock::witness`.
//!
//! Looks at the start, every hour, and when the clock jumped. Promises: nothing is destroyed by a clock
//! that nobody vouches for; every step may be the last one before a crash and is taken up again; a file
//! goes only after what its unsettled orders need is in the decision journal. Missing day keys, which
//! delivery finds, are looked after within seconds. Does not open a buyer.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::Daemon;
use super::again::Again;
use super::intake::Failure;
use crate::clock::witness::{Doubt, Evidence, Trust};
use crate::control::wire::{Concern, ConcernKind};
use crate::model::{AccountId, FileId, FileState};
use crate::spool::{self, End, Ended, SpoolDirs};
use crate::store::{RecordKey, StoreError};
use crate::telemetry::events;

/// How often everything is looked at.
const PASS: Duration = Duration::from_hours(1);
/// How often it is looked whether there is a reason to look.
const TICK: Duration = Duration::from_secs(1);
/// Days whose key is missing are tried again after so long, if the disk kept them from being read.
const AGAIN: Duration = Duration::from_mins(1);
/// The wall clock moved by this much more or less than time did: it jumped. Seconds.
const JUMP_SECS: i64 = 300;
/// Files removed between two beats.
const FILES: usize = 100;
/// Records looked at in one pass: a million take eight days.
const RECORDS: usize = 5_000;
/// File records forgotten in one pass.
const FILE_RECORDS: usize = 1_000;

/// What the housekeeper remembers between its looks.
#[derive(Debug, Default)]
pub(super) struct House {
    memory: Mutex<Memory>,
    /// What `status` shows.
    notices: Mutex<Vec<Concern>>,
}

#[derive(Debug, Default)]
struct Memory {
    doubt: Option<Doubt>,
    /// Days whose locking was told.
    locked: BTreeSet<Date>,
    /// Where the look at old records goes on.
    record: Option<RecordKey>,
    /// Days to be read again.
    missing: BTreeSet<(AccountId, Date)>,
}

/// What one look came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Whether the clock was believed.
    pub believed: bool,
    /// Days that were destroyed.
    pub destroyed: Vec<Date>,
    /// Days that are locked by a clock nobody vouches for.
    pub locked: Vec<Date>,
    /// Files removed from `done/` and `rejected/`, words included.
    pub files: u64,
    /// Files that had to stay because something failed.
    pub stayed: u64,
}

impl Daemon {
    /// Runs until `stop`.
    pub(super) async fn housekeep(
        self: Arc<Self>,
        stop: CancellationToken,
        beat: Box<dyn Fn() + Send + Sync>,
    ) {
        let beat: Arc<dyn Fn() + Send + Sync> = beat.into();
        let mut last: Option<(Instant, Timestamp)> = None;
        let mut tried: Option<Instant> = None;
        loop {
            beat();
            let now = self.clock.now();
            let due = last.is_none_or(|(at, wall)| {
                at.elapsed() >= PASS || jumped(at.elapsed(), now.duration_since(wall))
            });
            let found = self.note_missing();
            let again =
                found || (self.has_missing() && tried.is_none_or(|at| at.elapsed() >= AGAIN));
            if due || again {
                let (daemon, beat) = (Arc::clone(&self), Arc::clone(&beat));
                let looked = tokio::task::spawn_blocking(move || {
                    if again {
                        daemon.read_missing(beat.as_ref());
                    }
                    if due { daemon.keep_house(beat.as_ref()).map(|_| ()) } else { Ok(()) }
                });
                match looked.await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::error!(error = %error,
                        "what is kept too long could not be looked after; tried again within the hour"),
                    Err(_) => {
                        tracing::error!("housekeeping ended early; tried again within the hour");
                    }
                }
                if due {
                    last = Some((Instant::now(), now));
                }
                tried = Some(Instant::now());
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    /// Looks at everything once. Blocking.
    pub fn keep_house(&self, beat: &dyn Fn()) -> Result<Kept, StoreError> {
        let mut memory = self.house.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let mut notices = Vec::new();
        let believed = self.weigh_clock(&mut memory, now, &mut notices);
        let mut kept = Kept { believed, ..Kept::default() };
        let overdue = self.store.overdue_days(now)?;
        if kept.believed {
            self.store.believe(now)?;
            // Another look: what came from the future counts anew.
            let overdue = self.store.overdue_days(now)?;
            self.store.destroy_days(&overdue, now)?;
            memory.locked.clear();
            kept.destroyed = overdue;
        } else {
            for day in &overdue {
                if memory.locked.insert(*day) {
                    events::buyers_locked(*day);
                }
            }
            kept.locked = overdue;
        }
        // Also what a crash interrupted: the decision was made by a clock that was believed.
        self.store.erase_destroyed()?;
        for day in self.store.unswept_days() {
            let swept = self.store.sweep_day(day, now, beat)?;
            events::buyers_destroyed(day, swept.values, swept.waiting);
            self.wake_everybody();
        }
        if self.store.pull_in(now)? > 0 {
            self.wake_everybody();
        }
        if kept.believed {
            self.warn(now, &mut notices)?;
            self.expire_files(now, beat, &mut kept);
            let aged = self.store.age_records(memory.record, RECORDS, now)?;
            memory.record = aged.next;
            if aged.settled > 0 || aged.buried > 0 {
                events::records_expired(aged.settled, aged.buried);
            }
            self.store.age_files(FILE_RECORDS, now)?;
        }
        if kept.stayed > 0 {
            let text = format!(
                "{} files in done/ or rejected/ are older than spool.keep and could not be removed; \
                 see `journalctl -u odoo-spoold`",
                kept.stayed
            );
            notices.push(Concern::attention(ConcernKind::Other, kept.stayed, text));
        }
        *self.house.notices.lock().unwrap_or_else(PoisonError::into_inner) = notices;
        Ok(kept)
    }

    /// What `status` shows of it.
    pub(super) fn house_notices(&self) -> Vec<Concern> {
        self.house.notices.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn weigh_clock(&self, memory: &mut Memory, now: Timestamp, notices: &mut Vec<Concern>) -> bool {
        let evidence = Evidence {
            seen: self.store.believed_at(),
            synchronised: self.clock.is_synchronised(),
            elsewhere: self.delivery.time_elsewhere(),
        };
        match evidence.weigh(now) {
            Trust::Believed(_) => {
                if memory.doubt.take().is_some() {
                    events::clock_believed(now);
                }
                true
            }
            Trust::Doubted(doubt) => {
                if memory.doubt != Some(doubt) {
                    events::clock_doubted(doubt.code(), now, evidence.seen);
                    memory.doubt = Some(doubt);
                }
                let text = format!(
                    "nobody vouches for the clock ({}): nothing is destroyed, and buyer data that is \
                     overdue by it stays locked; `timedatectl`",
                    doubt.code()
                );
                notices.push(Concern::attention(ConcernKind::Clock, 1, text));
                false
            }
        }
    }

    fn warn(&self, now: Timestamp, notices: &mut Vec<Concern>) -> Result<(), StoreError> {
        for waits in self.store.waits(now)? {
            let (day, ends, orders) = (waits.day, waits.ends, waits.orders);
            if let Some(level) = waits.warning {
                self.store.warned(day, level)?;
                events::buyers_waiting(day, ends, orders);
            }
            let text = format!(
                "{orders} orders still wait with buyer data of {day}; it is destroyed on {ends}; \
                 `odoo-spoold hold list`"
            );
            notices.push(Concern::attention(ConcernKind::Buyers, orders, text));
        }
        Ok(())
    }

    // === files ===

    /// Removes what lies in `done/` and `rejected/` for too long. A failure leaves files and is told.
    fn expire_files(&self, now: Timestamp, beat: &dyn Fn(), kept: &mut Kept) {
        let settings = self.settings();
        let keep = SignedDuration::try_from(settings.spool.keep).unwrap_or(SignedDuration::MAX);
        let before = now.saturating_sub(keep).unwrap_or(Timestamp::MIN);
        let configured = settings.accounts.iter().map(|account| account.id.clone());
        let accounts: BTreeSet<AccountId> =
            configured.chain(self.store.counts().into_keys()).collect();
        let mut journaled = 0_u64;
        for account in accounts {
            let dirs = SpoolDirs::new(&settings.spool.dir, account.as_str());
            for end in [End::Done, End::Rejected] {
                let files = match spool::ended(&dirs, end) {
                    Ok(files) => files,
                    Err(error) => {
                        tracing::error!(account = %account, error = %error,
                            "done/ or rejected/ cannot be listed: check the folder and its owner");
                        kept.stayed = kept.stayed.saturating_add(1);
                        continue;
                    }
                };
                let mut stays: BTreeSet<FileId> = BTreeSet::new();
                for batch in files.chunks(FILES) {
                    beat();
                    let mut gone = Vec::new();
                    for file in batch {
                        match self.may_go(file, before, &mut stays) {
                            Ok(None) => {}
                            Ok(Some(orders)) => {
                                journaled = journaled.saturating_add(orders);
                                gone.push(file.path.clone());
                            }
                            Err(error) => {
                                kept.stayed = kept.stayed.saturating_add(1);
                                tracing::error!(account = %account, error = %error,
                                    "a file in done/ is overdue and stays: its unsettled orders \
                                     could not be kept in the journal");
                            }
                        }
                    }
                    if gone.is_empty() {
                        continue;
                    }
                    let count = u64::try_from(gone.len()).unwrap_or(u64::MAX);
                    match spool::remove(&dirs, end, &gone) {
                        Ok(()) => kept.files = kept.files.saturating_add(count),
                        Err(error) => {
                            kept.stayed = kept.stayed.saturating_add(count);
                            tracing::error!(account = %account, error = %error,
                                "overdue files in done/ or rejected/ cannot be removed");
                        }
                    }
                }
            }
        }
        if kept.files > 0 {
            events::files_expired(kept.files, journaled);
        }
    }

    /// Whether a file's time is over; how many orders were kept in the journal for it. Its time
    /// counts from its end as the store knows it, else from its last change.
    fn may_go(
        &self,
        file: &Ended,
        before: Timestamp,
        stays: &mut BTreeSet<FileId>,
    ) -> Result<Option<u64>, StoreError> {
        let Some(id) = &file.id else { return Ok((file.modified < before).then_some(0)) };
        if stays.contains(id) {
            return Ok(None);
        }
        let (ended, known) = match self.store.file(id)? {
            Some(record) if record.state == FileState::Work => return Ok(None),
            Some(record) => (record.since, true),
            None => (file.modified, false),
        };
        if ended >= before {
            return Ok(None);
        }
        if file.words || !known {
            return Ok(Some(0));
        }
        match self.store.keep_unsettled(id) {
            Ok(orders) => Ok(Some(orders)),
            Err(error) => {
                // Its words stay with it.
                stays.insert(id.clone());
                Err(error)
            }
        }
    }

    // === missing keys ===

    /// Takes over what delivery found. True if that is anything.
    fn note_missing(&self) -> bool {
        let found = self.store.take_missing_days();
        let mut memory = self.house.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let before = memory.missing.len();
        memory.missing.extend(found);
        memory.missing.len() > before
    }

    fn has_missing(&self) -> bool {
        let memory = self.house.memory.lock().unwrap_or_else(PoisonError::into_inner);
        !memory.missing.is_empty()
    }

    /// Reads the files of days again whose keys are missing. What fails stays for the next try.
    fn read_missing(&self, beat: &dyn Fn()) {
        let mut memory = self.house.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let days = std::mem::take(&mut memory.missing);
        for (account, day) in days {
            if let Err(error) = self.read_day(&account, day, beat) {
                tracing::error!(account = %account, day = %day, error = %error,
                    "files whose day key is missing cannot be read again now; tried again");
                memory.missing.insert((account, day));
            }
        }
    }

    fn read_day(
        &self,
        account: &AccountId,
        day: Date,
        beat: &dyn Fn(),
    ) -> Result<(), Box<dyn std::error::Error>> {
        let Some(live) = self.accounts.get(account) else { return Ok(()) };
        let intake = Arc::clone(&live.intake.read().unwrap_or_else(PoisonError::into_inner));
        let now = self.clock.now();
        let (mut files, mut restored) = (0_u64, 0_u64);
        for file in spool::ended(&live.dirs, End::Done)?.iter().filter(|file| !file.words) {
            let Some(id) = &file.id else { continue };
            let Some(record) = self.store.file(id)? else { continue };
            if !came_on(&record, day) {
                continue;
            }
            let again = Again {
                store: &self.store,
                account: &intake,
                path: &file.path,
                record: &record,
                day,
                now,
                beat,
            };
            match again.read() {
                Ok(buyers) => {
                    files = files.saturating_add(1);
                    restored = restored.saturating_add(buyers);
                }
                // It went meanwhile, or no key opens it any more.
                Err(Failure::Refused(refusal)) => {
                    tracing::warn!(file_id = %id, code = refusal.code,
                        "a file in done/ cannot be read again");
                }
                Err(Failure::Trouble(trouble)) => return Err(trouble.into()),
            }
        }
        let lost = self.store.lose_buyers(account, day, now, beat)?;
        events::buyers_read_again(account, day, files, restored, lost.waiting);
        self.delivery.wake(account);
        Ok(())
    }

    fn wake_everybody(&self) {
        for account in self.accounts.keys() {
            self.delivery.wake(account);
        }
    }
}

/// Whether buyers of a file may have been sealed on this day: between its claim and its end, with
/// a day to spare for a clock that was put right.
fn came_on(record: &crate::model::FileRecord, day: Date) -> bool {
    let day_of = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let first = day_of(record.claimed_at).yesterday().unwrap_or(Date::MIN);
    let last = day_of(record.since).tomorrow().unwrap_or(Date::MAX);
    record.state == FileState::Done && (first..=last).contains(&day)
}

/// Whether the wall clock did something else than time.
fn jumped(took: Duration, moved: SignedDuration) -> bool {
    let took = SignedDuration::try_from(took).unwrap_or(SignedDuration::MAX);
    moved.checked_sub(took).is_none_or(|off| off.abs() > SignedDuration::from_secs(JUMP_SECS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_what_time_does_not_explain() {
        let secs = SignedDuration::from_secs;
        assert!(!jumped(Duration::from_hours(1), secs(3_600 - 299)));
        assert!(jumped(Duration::from_hours(1), secs(3_600 - 301)));
        assert!(jumped(Duration::from_secs(1), secs(86_400)));
        assert!(jumped(Duration::from_secs(1), secs(-86_400)));
        assert!(jumped(Duration::from_secs(1), SignedDuration::MIN));
    }
}
