//! The queue: lease, save, settle.
//!
//! A job is due at its time, in one of two lanes: changes and cancellations of what stands in Odoo
//! and people's decisions go before what is new, so that none of them waits behind a backlog of new
//! orders; but after [`CHANGES_IN_A_ROW`] batches of them what is new has its turn. In its lane a
//! job's index key begins with its time, so the next one is the first key. The scan starts at a watermark, below which there is no key, so that emptied leaves are not
//! walked again. A lease is memory: a fence number that save and settle must show. On disk a leased
//! job stays pending at its due time, so that the next start resumes it, and leasing writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{AccountId, Death, Dossier, Family, Hold, HoldCode, Job, JobState, Outcome};

use super::Store;
use super::accounts::Account;
use super::buyers::BuyerState;
use super::draft::Draft;
use super::entry::{Entry, instant};
use super::error::StoreError;
use super::holds::Waiting;
use super::layout::{
    AccountTag, DueLane, RecordKey, after_head, due_from, due_head, due_of, record_of,
};
use super::noticed;
use super::tally::Tally;

/// So many batches of changes and decisions may follow each other while new orders are due.
const CHANGES_IN_A_ROW: u8 = 3;

/// What is in memory only. Its lock is the writers' lock.
#[derive(Debug, Default)]
pub(super) struct Queue {
    leases: BTreeMap<RecordKey, Lease>,
    /// Jobs whose value does not open: skipped until the next start, so that they stop no other.
    unreadable: BTreeSet<RecordKey>,
    /// No due key of the account and lane lies below this time.
    watermarks: BTreeMap<(AccountTag, DueLane), i64>,
    /// Batches in a row that left nothing to what is new.
    changes: BTreeMap<AccountTag, u8>,
    tallies: BTreeMap<AccountTag, Tally>,
    /// Days whose keys a lease found missing, and whose files are to be read again.
    pub(super) missing: BTreeSet<(AccountTag, jiff::civil::Date)>,
    /// The next fence; starts above all that an earlier process gave out.
    fence: u64,
}

/// One lease.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub(super) fence: u64,
    pub(super) since_ms: i64,
}

/// The buyer of an order, as each family that has one says.
pub type Buyers = BTreeMap<Family, BuyerState>;

/// A leased job with all that its worker needs.
#[derive(Debug, Clone)]
pub struct Leased {
    /// The record.
    pub key: RecordKey,
    /// The job, started; its generation and fence belong into the settlement.
    pub job: Job,
    /// What is known of the order.
    pub dossier: Dossier,
    /// The buyer, by family.
    pub buyers: Buyers,
}

/// What a call of [`Store::lease`] found.
#[derive(Debug, Default)]
pub struct Leases {
    /// The leased jobs, the longest due first.
    pub jobs: Vec<Leased>,
    /// Due jobs whose values do not open; they are skipped until the next start.
    pub unreadable: Vec<RecordKey>,
}

/// The end of a lease.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The record.
    pub key: RecordKey,
    /// The fence of the lease.
    pub fence: u64,
    /// The generation that was leased.
    pub generation: u64,
    /// The worker's dossier, of which mapping and attention are kept; none to keep the stored ones.
    pub dossier: Option<Dossier>,
    /// How it ended.
    pub end: End,
}

/// How a lease ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Nothing is left to do.
    Done(Outcome),
    /// Waits for a person or a missing thing.
    Held(Vec<Hold>),
    /// To be tried again. Its due time stands even if a new fact came meanwhile.
    Retry {
        /// When.
        due: Timestamp,
        /// Attempts so far.
        attempt: u32,
        /// The fault's code.
        fault: String,
    },
    /// Refused for good.
    Dead(Death),
    /// Refused, and nothing shows yet whether that is for good: waits, with what Odoo said.
    Refused {
        /// What it waits for.
        hold: Hold,
        /// Odoo's words; may name record contents: never logged.
        words: String,
    },
}

/// What [`Store::lease_refused`] found.
#[derive(Debug)]
pub enum Alone {
    /// The job, leased.
    Leased(Box<Leased>),
    /// Another worker has it, or it is not due yet.
    Later,
    /// There is nothing to do for it, or it waits for something else.
    Gone,
}

impl Leased {
    /// This lease's settlement.
    pub fn settlement(&self, dossier: Option<Dossier>, end: End) -> Settlement {
        Settlement {
            key: self.key,
            fence: self.job.fence,
            generation: self.job.generation,
            dossier,
            end,
        }
    }
}

impl Queue {
    pub(super) fn new(tallies: BTreeMap<AccountTag, Tally>, fence: u64) -> Self {
        Self { tallies, fence, ..Self::default() }
    }

    pub(super) fn lease(&self, key: &RecordKey) -> Option<&Lease> {
        self.leases.get(key)
    }

    pub(super) fn leased(&self) -> u64 {
        u64::try_from(self.leases.len()).unwrap_or(u64::MAX)
    }

    /// The leases of an account.
    pub(super) fn leases_of(&self, tag: AccountTag) -> BTreeMap<RecordKey, Lease> {
        let from = RecordKey::new(tag, 0, [0; 16]);
        let mine = self.leases.range(from..).take_while(|(key, _)| key.tag() == tag);
        mine.map(|(key, lease)| (*key, *lease)).collect()
    }

    /// The counters as they stand on disk.
    pub(super) fn stored_tally(&self, tag: AccountTag) -> Tally {
        self.tallies.get(&tag).cloned().unwrap_or_default()
    }

    /// The counters, leased jobs apart.
    pub(super) fn tally(&self, tag: AccountTag) -> Tally {
        let mut tally = self.stored_tally(tag);
        tally.started = u64::try_from(self.leases_of(tag).len()).unwrap_or(u64::MAX);
        tally.pending = tally.pending.saturating_sub(tally.started);
        tally
    }

    /// A transaction succeeded.
    pub(super) fn applied(
        &mut self,
        tallies: BTreeMap<AccountTag, Tally>,
        dues: &[(AccountTag, DueLane, i64)],
    ) {
        self.tallies.extend(tallies);
        for (tag, lane, due_ms) in dues {
            if let Some(watermark) = self.watermarks.get_mut(&(*tag, *lane)) {
                *watermark = (*watermark).min(*due_ms);
            }
        }
    }

    fn is_free(&self, key: &RecordKey) -> bool {
        !self.leases.contains_key(key) && !self.unreadable.contains(key)
    }

    fn start(
        &mut self,
        account: &Account,
        key: RecordKey,
        entry: Entry,
        buyers: Buyers,
        now_ms: i64,
    ) -> Leased {
        self.fence = self.fence.saturating_add(1);
        let lease = Lease { fence: self.fence, since_ms: now_ms };
        self.leases.insert(key, lease);
        for state in buyers.values() {
            if let BuyerState::KeyMissing { day } = state {
                self.missing.insert((account.tag, *day));
            }
        }
        let job = entry.job(&account.id, Some(&lease));
        Leased { key, job, dossier: entry.dossier, buyers }
    }

    fn holds_lease(&self, key: &RecordKey, fence: u64) -> bool {
        self.leases.get(key).is_some_and(|lease| lease.fence == fence)
    }
}

impl Store {
    /// Leases up to `max` jobs of an account that are due by `now`.
    pub fn lease(
        &self,
        account: &AccountId,
        now: Timestamp,
        max: usize,
    ) -> Result<Leases, StoreError> {
        let account = self.accounts.get(account)?;
        let now_ms = now.as_millisecond();
        // Overdue days are locked before any buyer is opened.
        self.days.look(now);
        let mut queue = self.queue();
        let mut found = Leases::default();
        if max == 0 {
            return Ok(found);
        }
        let due = self.due_in_turn(&mut queue, account.tag, now_ms, max)?;
        let draft = self.draft();
        for (key, due_ms) in due {
            let (entry, buyers) = match self.open_job(&draft, &key) {
                Ok(Some((entry, buyers))) if entry.due_ms.max(0) == due_ms => (entry, buyers),
                // One that does not open, or an index key without its job.
                Ok(_) | Err(StoreError::Damaged { .. } | StoreError::UnknownKey { .. }) => {
                    queue.unreadable.insert(key);
                    found.unreadable.push(key);
                    continue;
                }
                Err(error) => return Err(error),
            };
            found.jobs.push(queue.start(account, key, entry, buyers, now_ms));
        }
        Ok(found)
    }

    /// When the next job of an account that is not leased is due; it may have been due for long.
    pub fn next_due(&self, account: &AccountId) -> Result<Option<Timestamp>, StoreError> {
        let tag = self.accounts.get(account)?.tag;
        let mut queue = self.queue();
        let mut first = None;
        for lane in DueLane::ALL {
            let found = self.due(&mut queue, (tag, lane), None, 1)?;
            first = first.into_iter().chain(found.first().map(|(_, due_ms)| *due_ms)).min();
        }
        Ok(first.map(instant))
    }

    /// Gives leases back unsettled: the jobs are pending again at their due time.
    pub fn give_back<'a>(&self, leases: impl IntoIterator<Item = &'a Leased>) {
        let mut queue = self.queue();
        for leased in leases {
            if queue.holds_lease(&leased.key, leased.job.fence) {
                queue.leases.remove(&leased.key);
            }
        }
    }

    /// The same, by record and fence.
    pub fn return_leases(&self, leases: impl IntoIterator<Item = (RecordKey, u64)>) {
        let mut queue = self.queue();
        for (key, fence) in leases {
            if queue.holds_lease(&key, fence) {
                queue.leases.remove(&key);
            }
        }
    }

    /// Leases one job that is due, or held because Odoo refused it.
    pub fn lease_refused(&self, key: RecordKey, now: Timestamp) -> Result<Alone, StoreError> {
        let entry = self.entry(&key)?;
        let refused = |holds: &[Hold]| holds.iter().any(|hold| hold.code == HoldCode::Refused);
        if matches!(entry.map(|entry| entry.state), Some(JobState::Held(holds)) if refused(&holds))
        {
            self.release(Waiting::Record(key), now)?;
        }
        let account = self.accounts.by_tag(key.tag())?;
        self.days.look(now);
        let mut queue = self.queue();
        if !queue.is_free(&key) {
            return Ok(Alone::Later);
        }
        let Some((entry, buyers)) = self.open_job(&self.draft(), &key)? else {
            return Ok(Alone::Gone);
        };
        if entry.due_ms > now.as_millisecond() {
            return Ok(Alone::Later);
        }
        Ok(Alone::Leased(Box::new(queue.start(account, key, entry, buyers, now.as_millisecond()))))
    }

    /// Stores mapping and attention of one leased job, mid-way. False if the lease is lost.
    #[must_use = "a worker that lost its lease must stop"]
    pub fn save(&self, leased: &Leased, dossier: &Dossier) -> Result<bool, StoreError> {
        Ok(self.save_all([(leased, dossier)])?.is_empty())
    }

    /// Stores mapping and attention of leased jobs in one transaction. Returns those whose lease
    /// is lost.
    #[must_use = "a worker that lost its lease must stop"]
    pub fn save_all<'a>(
        &self,
        saves: impl IntoIterator<Item = (&'a Leased, &'a Dossier)>,
    ) -> Result<Vec<RecordKey>, StoreError> {
        let mut queue = self.queue();
        let mut draft = self.draft();
        let mut lost = Vec::new();
        for (leased, dossier) in saves {
            let key = leased.key;
            let mine = queue.holds_lease(&key, leased.job.fence);
            let found = if mine { draft.load(&key)? } else { None };
            let Some((mut entry, chunks)) = found else {
                lost.push(key);
                continue;
            };
            let before = entry.mark();
            if merge(&mut entry.dossier, dossier) {
                let account = self.accounts.by_tag(key.tag())?;
                draft.store(account, &key, Some(before), &entry, chunks)?;
            }
        }
        draft.commit(&mut queue)?;
        Ok(lost)
    }

    /// Ends leases, in one transaction. Returns those whose lease was lost: nothing of them is kept.
    ///
    /// Facts that came meanwhile stay, and make the job due now instead of done, held or dead.
    #[must_use = "a worker must know which of its leases were lost"]
    pub fn settle(
        &self,
        settlements: Vec<Settlement>,
        now: Timestamp,
    ) -> Result<Vec<RecordKey>, StoreError> {
        let now_ms = now.as_millisecond();
        self.days.look(now);
        let mut queue = self.queue();
        let mut draft = self.draft();
        let (mut lost, mut ended) = (Vec::new(), BTreeSet::new());
        for settlement in settlements {
            let Settlement { key, fence, generation, dossier, end } = settlement;
            let mine = queue.holds_lease(&key, fence) && !ended.contains(&key);
            let found = if mine { draft.load(&key)? } else { None };
            let Some((mut entry, chunks)) = found else {
                lost.push(key);
                continue;
            };
            let account = self.accounts.by_tag(key.tag())?;
            let before = entry.mark();
            if let Some(dossier) = dossier {
                merge(&mut entry.dossier, &dossier);
            }
            let news = entry.generation != generation;
            self.end(&mut draft, &key, &mut entry, end, news, now_ms)?;
            draft.store(account, &key, Some(before), &entry, chunks)?;
            ended.insert(key);
        }
        draft.commit(&mut queue)?;
        for key in ended {
            queue.leases.remove(&key);
        }
        Ok(lost)
    }

    fn end(
        &self,
        draft: &mut Draft<'_>,
        key: &RecordKey,
        entry: &mut Entry,
        end: End,
        news: bool,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        match end {
            End::Retry { due, attempt, fault } => {
                entry.put(JobState::Pending, now_ms);
                // Never earlier than asked for: what was waited for would not be over yet.
                entry.due_ms = up_to_millisecond(due);
                entry.attempt = attempt;
                entry.last_fault = Some(fault);
            }
            End::Done(_) | End::Held(_) | End::Refused { .. } | End::Dead(_) if news => {
                entry.arm(now_ms);
            }
            End::Done(outcome) => {
                entry.put(JobState::Done(outcome), now_ms);
                entry.attempt = 0;
                entry.last_fault = None;
                for standing in entry.dossier.facts.values_mut() {
                    standing.fact.compact();
                }
                // What the buyer asked of the delivery may still have to be written there.
                if entry.dossier.mapping.as_ref().is_none_or(|mapping| !mapping.unsaid) {
                    self.drop_buyers(draft, key, entry)?;
                }
            }
            End::Held(mut holds) => {
                holds.sort();
                holds.dedup();
                if holds.is_empty() {
                    // Nothing could ever release it: better seen and requeued than waiting.
                    let words = "held without saying what for".to_owned();
                    entry.put(JobState::Dead(Death { code: "no-hold".into(), words }), now_ms);
                } else {
                    self.hold(draft, key, entry, holds, now_ms)?;
                }
            }
            End::Refused { hold, words } => {
                self.put_words(draft, key, entry, &words, instant(now_ms))?;
                self.hold(draft, key, entry, vec![hold], now_ms)?;
            }
            End::Dead(death) => {
                entry.last_fault = Some(death.code.clone());
                self.put_words(draft, key, entry, &death.words, instant(now_ms))?;
                entry.put(JobState::Dead(Death { words: String::new(), ..death }), now_ms);
            }
        }
        Ok(())
    }

    fn hold(
        &self,
        draft: &mut Draft<'_>,
        key: &RecordKey,
        entry: &mut Entry,
        holds: Vec<Hold>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        entry.put(JobState::Held(holds), now_ms);
        entry.last_fault = None;
        let mapping = entry.dossier.mapping.as_ref();
        if mapping.is_some_and(|m| m.base.addressed && m.stage.is_none() && !m.unsaid) {
            self.drop_buyers(draft, key, entry)?;
        }
        Ok(())
    }

    /// The next `max` free jobs of an account that are due by `now_ms`, lane by lane.
    fn due_in_turn(
        &self,
        queue: &mut Queue,
        tag: AccountTag,
        now_ms: i64,
        max: usize,
    ) -> Result<Vec<(RecordKey, i64)>, StoreError> {
        let row = queue.changes.get(&tag).copied().unwrap_or(0);
        let mut lanes = DueLane::ALL;
        if row >= CHANGES_IN_A_ROW {
            lanes.reverse();
        }
        let (mut due, mut new) = (Vec::new(), false);
        for lane in lanes {
            let room = max.saturating_sub(due.len());
            if room == 0 {
                break;
            }
            let found = self.due(queue, (tag, lane), Some(now_ms), room)?;
            new |= lane == DueLane::New && !found.is_empty();
            due.extend(found);
        }
        if !due.is_empty() {
            let row = if new { 0 } else { row.saturating_add(1).min(CHANGES_IN_A_ROW) };
            queue.changes.insert(tag, row);
        }
        Ok(due)
    }

    /// The first `max` free due keys of an account's lane, up to `until_ms`.
    fn due(
        &self,
        queue: &mut Queue,
        (tag, lane): (AccountTag, DueLane),
        until_ms: Option<i64>,
        max: usize,
    ) -> Result<Vec<(RecordKey, i64)>, StoreError> {
        let from = due_from(tag, lane, queue.watermarks.get(&(tag, lane)).copied().unwrap_or(0));
        let to = match until_ms {
            Some(ms) => Some(due_from(tag, lane, ms.max(0).saturating_add(1))),
            None => after_head(&due_head(tag, lane)),
        };
        let (mut due, mut lowest) = (Vec::new(), None);
        for cell in self.vault.range(super::layout::Tree::Index, &from, to.as_deref()) {
            let (index_key, _) = cell?;
            let (Some(key), Some(due_ms)) = (record_of(&index_key), due_of(&index_key)) else {
                continue;
            };
            let _first = lowest.get_or_insert(due_ms);
            if queue.is_free(&key) {
                due.push((key, due_ms));
                if due.len() >= max {
                    break;
                }
            }
        }
        // Below the first key found there is none; if there is none at all, none up to the end.
        if let Some(watermark) = lowest.or(until_ms.map(|ms| ms.saturating_add(1))) {
            queue.watermarks.insert((tag, lane), watermark);
        }
        Ok(due)
    }

    fn open_job(
        &self,
        draft: &Draft<'_>,
        key: &RecordKey,
    ) -> Result<Option<(Entry, Buyers)>, StoreError> {
        let Some((entry, _)) = draft.load(key)? else { return Ok(None) };
        if entry.state != JobState::Pending {
            return Ok(None);
        }
        let mut buyers = Buyers::new();
        for family in Family::ALL {
            if entry.has_expired(family) {
                buyers.insert(family, BuyerState::Expired);
            }
            if !entry.has_buyer(family) {
                continue;
            }
            if let Some(state) = self.buyer(draft, key, family)? {
                buyers.insert(family, state);
            }
        }
        Ok(Some((entry, buyers)))
    }
}

/// What the worker owns goes onto the stored dossier; facts stay as they are stored. True if
/// anything differs.
fn merge(stored: &mut Dossier, worker: &Dossier) -> bool {
    let attention = noticed::merged(&stored.attention, &worker.attention);
    let differs = stored.mapping != worker.mapping || stored.attention != attention;
    if differs {
        stored.mapping.clone_from(&worker.mapping);
        stored.attention = attention;
    }
    differs
}

/// The first whole millisecond that is not before `at`.
fn up_to_millisecond(at: Timestamp) -> i64 {
    let whole = at.as_millisecond();
    let is_later = at.as_nanosecond() > i128::from(whole).saturating_mul(1_000_000);
    whole.saturating_add(i64::from(is_later))
}
