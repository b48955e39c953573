//! What grows old besides buyers: facts of orders, what is remembered of files, due times that a
//! wrong clock left in the far future.

use jiff::{SignedDuration, Timestamp};

use crate::model::{Death, FileId, FileState, JobState, Note};

use super::Store;
use super::entry::{Entry, instant};
use super::error::StoreError;
use super::holds::Told;
use super::layout::{
    DueLane, RECORD_KEY_BYTES, RecordKey, Tree, after_head, due_from, due_head, file_of,
    file_time_head, record_of, touch_head,
};
use super::retention::{FILE_DAYS, RECORD_DAYS};

/// No backoff is longer: a later due time comes from a clock that was ahead. Hours.
const FAR_HOURS: i64 = 24;
/// Jobs moved in one transaction.
const BATCH: usize = 200;
/// Records in one append to the journal.
const KEPT: usize = 100;
/// The death of an order that nothing is known of any more.
const EXPIRED: &str = "payload-expired";

/// What a look at some records came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aged {
    /// Settled records that now keep only what stands in Odoo.
    pub settled: u64,
    /// Unsettled records that died.
    pub buried: u64,
    /// Where to go on; none at the end.
    pub next: Option<RecordKey>,
}

impl Store {
    /// Looks at up to `limit` records from `from` on, and drops the facts of those that nobody has
    /// said anything of for 18 months: settled ones keep what stands in Odoo, others die.
    pub fn age_records(
        &self,
        from: Option<RecordKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Aged, StoreError> {
        let old_ms = before(now, RECORD_DAYS).as_millisecond();
        let start = from.map(|key| key.as_bytes().to_vec()).unwrap_or_default();
        let (mut aged, mut old, mut seen) = (Aged::default(), Vec::new(), 0_usize);
        for cell in self.vault.range(Tree::Record, &start, None) {
            let (place, first) = cell?;
            let Some(key) = Some(&place)
                .filter(|place| place.len() == RECORD_KEY_BYTES)
                .and_then(|place| RecordKey::from_slice(place))
            else {
                continue;
            };
            if seen >= limit {
                aged.next = Some(key);
                break;
            }
            seen = seen.saturating_add(1);
            // One that does not open is told of where it is used.
            let entry = self.vault.read_cell::<Entry>(Tree::Record, &place, &first);
            if matches!(entry, Ok(Some((entry, _))) if is_stale(&entry, old_ms))
                && self.accounts.by_tag(key.tag()).is_ok_and(|account| account.id_key.is_some())
            {
                old.push(key);
            }
        }
        for batch in old.chunks(BATCH) {
            let leased: Vec<bool> = {
                let queue = self.queue();
                batch.iter().map(|key| queue.lease(key).is_some()).collect()
            };
            let free: Vec<RecordKey> = batch
                .iter()
                .zip(leased)
                .filter(|(_, leased)| !leased)
                .map(|(key, _)| *key)
                .collect();
            let settled = std::cell::Cell::new(0_u64);
            let moved = self.move_jobs(&free, Told::Nothing, |entry| {
                let stale = is_stale(entry, old_ms);
                if stale && compact(entry, now) {
                    settled.set(settled.get().saturating_add(1));
                }
                stale
            })?;
            aged.settled = aged.settled.saturating_add(settled.get());
            aged.buried = aged.buried.saturating_add(moved.saturating_sub(settled.get()));
        }
        Ok(aged)
    }

    /// Forgets up to `limit` files whose end is 12 months ago. Returns how many.
    pub fn age_files(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        let old = before(now, FILE_DAYS);
        let mut gone: Vec<FileId> = Vec::new();
        for account in self.accounts.all() {
            for state in [FileState::Done, FileState::Rejected] {
                let head = file_time_head(account.tag, state);
                let oldest_first =
                    self.vault.range(Tree::Index, &head, after_head(&head).as_deref()).rev();
                for cell in oldest_first.take(limit) {
                    let (index_key, _) = cell?;
                    let id = file_of(&index_key).and_then(|id| std::str::from_utf8(id).ok());
                    let Some(id) = id.and_then(|id| id.parse::<FileId>().ok()) else { continue };
                    let Some(record) = self.file(&id)? else { continue };
                    if record.claimed_at >= old {
                        break;
                    }
                    if record.since < old {
                        gone.push(id);
                    }
                }
            }
        }
        gone.truncate(limit);
        for id in &gone {
            self.forget_file(id)?;
        }
        Ok(u64::try_from(gone.len()).unwrap_or(u64::MAX))
    }

    /// Makes jobs due now that are due in more than a day: only a clock that was ahead puts them
    /// there. Returns how many.
    pub fn pull_in(&self, now: Timestamp) -> Result<u64, StoreError> {
        let now_ms = now.as_millisecond();
        let far = now.saturating_add(SignedDuration::from_hours(FAR_HOURS)).unwrap_or(now);
        let mut moved = 0_u64;
        for account in self.accounts.all().filter(|account| account.id_key.is_some()) {
            let mut keys = Vec::new();
            for lane in DueLane::ALL {
                let from = due_from(account.tag, lane, far.as_millisecond());
                let to = after_head(&due_head(account.tag, lane));
                for cell in self.vault.range(Tree::Index, &from, to.as_deref()) {
                    let (index_key, _) = cell?;
                    keys.extend(record_of(&index_key));
                }
            }
            for batch in keys.chunks(BATCH) {
                let count = self.move_jobs(batch, Told::Nothing, |entry| {
                    let far = entry.state == JobState::Pending && entry.due_ms > now_ms;
                    if far {
                        entry.due_ms = now_ms;
                    }
                    far
                })?;
                moved = moved.saturating_add(count);
            }
        }
        Ok(moved)
    }

    /// Before a sealed file goes: what is known of its unsettled orders, but for their buyers, is
    /// in the decision journal, durably. Says how many those are. After an error the file must stay.
    pub fn keep_unsettled(&self, file: &FileId) -> Result<u64, StoreError> {
        let mut kept = 0_u64;
        let mut notes = Vec::with_capacity(KEPT);
        for cell in self.vault.under(Tree::Index, &touch_head(file)) {
            let (index_key, _) = cell?;
            let Some(key) = record_of(&index_key) else { continue };
            let Some(entry) = self.entry(&key)? else { continue };
            if matches!(entry.state, JobState::Done(_)) {
                continue;
            }
            notes.push(Note::Kept {
                account: self.accounts.by_tag(key.tag())?.id.clone(),
                dossier: Box::new(entry.dossier),
                state: entry.state,
                since: instant(entry.since_ms),
            });
            kept = kept.saturating_add(1);
            if notes.len() >= KEPT {
                self.note(&std::mem::take(&mut notes))?;
            }
        }
        if !notes.is_empty() {
            self.note(&notes)?;
        }
        Ok(kept)
    }
}

fn before(now: Timestamp, days: i64) -> Timestamp {
    let days = SignedDuration::from_hours(days.saturating_mul(24));
    now.saturating_sub(days).unwrap_or(Timestamp::MIN)
}

/// Nobody said anything of it since, and something is left to drop.
fn is_stale(entry: &Entry, old_ms: i64) -> bool {
    let full = !entry.dossier.facts.is_empty() || !entry.dossier.refused.is_empty();
    full && entry.heard_ms < old_ms
}

/// Drops what is known of an order but what stands in Odoo. True if it is settled; else it dies.
fn compact(entry: &mut Entry, now: Timestamp) -> bool {
    entry.dossier.facts.clear();
    entry.dossier.refused.clear();
    entry.dossier.attention.clear();
    if matches!(entry.state, JobState::Done(_)) {
        return true;
    }
    let words = "no file has said anything of this order for 18 months, and it was never settled: \
                 what was known of it is gone; drop a report that lists it to begin again";
    let death = Death { code: EXPIRED.to_owned(), words: words.to_owned() };
    entry.last_fault = Some(EXPIRED.to_owned());
    entry.put(JobState::Dead(death), now.as_millisecond());
    false
}
