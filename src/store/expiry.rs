//! The end of day keys, and of the buyers under them.
//!
//! Destroying is four steps, each a call of its own, so that a crash between any two is taken up
//! again: [`Store::destroy_days`] (mark, barrier), [`Store::erase_destroyed`] (key files),
//! [`Store::sweep_day`] (values, in batches; then the mark says so). A day whose key is missing without
//! a mark is read again ([`Store::restore_buyers`]) and, where that is not possible any more, given up
//! ([`Store::lose_buyers`]). Whether the clock is to be believed is the caller's to know.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::model::{AccountId, BuyerFact, Fact, Family, JobState, Note};

use super::Store;
use super::buyers::{BuyerState, Found, StoredBuyer, day_of_cell};
use super::daykeys::day_of;
use super::draft::Draft;
use super::entry::{Entry, Mark, instant};
use super::error::StoreError;
use super::intake::rank_of;
use super::layout::{AccountTag, RECORD_KEY_BYTES, RecordKey, Tree};
use super::open::RETENTION;
use super::retention::{BUYER_DAYS, Destroyed, Retained, WARN_DAYS};
use super::vault::{Changes, delete, encode};
use super::words::is_words;

/// Values removed in one transaction.
const BATCH: usize = 200;

/// What came of sweeping.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Values removed.
    pub values: u64,
    /// Of those, buyers that orders still waited with.
    pub waiting: u64,
}

/// Orders that wait with buyers of a day that ends soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waits {
    /// The day of arrival.
    pub day: Date,
    /// The day on which its key is destroyed.
    pub ends: Date,
    /// Unsettled orders with a buyer of that day.
    pub orders: u64,
    /// The warning that is to be given now, once: the age in days it stands for.
    pub warning: Option<i64>,
}

/// Which buyers a sweep takes.
#[derive(Debug, Clone, Copy)]
enum Take {
    /// All of a day.
    Day(Date),
    /// Those of an account and day that no key opens.
    Shut(AccountTag, Date),
}

impl Store {
    /// When the clock was last believed.
    pub fn believed_at(&self) -> Option<Timestamp> {
        self.retained().seen_ms.map(instant)
    }

    /// The clock is believed: remembers that, not more often than needed.
    pub fn believe(&self, now: Timestamp) -> Result<(), StoreError> {
        self.days.look(now);
        let days = self.days.days()?;
        let mut kept = self.retained();
        if kept.believe(now, day_of(now), &days) { self.retain(kept) } else { Ok(()) }
    }

    /// Days with a key that are too old to be opened, by this clock, and not yet destroyed.
    pub fn overdue_days(&self, now: Timestamp) -> Result<Vec<Date>, StoreError> {
        self.days.look(now);
        let terms = self.days.terms();
        let mut days = self.days.days()?;
        days.retain(|day| terms.is_overdue(*day) && !terms.destroyed.contains(day));
        Ok(days)
    }

    /// Step 1: these days are over, durably. From here on they do not open, whatever happens.
    pub fn destroy_days(&self, days: &[Date], now: Timestamp) -> Result<(), StoreError> {
        if days.is_empty() {
            return Ok(());
        }
        let mut kept = self.retained();
        for &day in days {
            let mark = Destroyed { at_ms: now.as_millisecond(), swept: false };
            kept.destroyed.entry(day).or_insert(mark);
        }
        // A store that is made anew from the journal must not take them for missing ones.
        let notes: Vec<Note> = days.iter().map(|&day| Note::DayDestroyed { day }).collect();
        self.note(&notes)?;
        self.retain(kept)
    }

    /// Step 2: the key files of destroyed days go.
    pub fn erase_destroyed(&self) -> Result<(), StoreError> {
        for (day, mark) in self.retained().destroyed {
            if !mark.swept || self.days.has_file(day) {
                self.days.erase(day)?;
            }
        }
        Ok(())
    }

    /// Destroyed days whose values are not all gone yet.
    pub fn unswept_days(&self) -> Vec<Date> {
        let kept = self.retained().destroyed;
        kept.into_iter().filter(|(_, mark)| !mark.swept).map(|(day, _)| day).collect()
    }

    /// Step 3: the buyers of a destroyed day go, in batches; `progress` is called between them.
    pub fn sweep_day(
        &self,
        day: Date,
        now: Timestamp,
        progress: &dyn Fn(),
    ) -> Result<Swept, StoreError> {
        let swept = self.sweep(Take::Day(day), now, progress)?;
        self.barrier()?;
        let mut kept = self.retained();
        if let Some(mark) = kept.destroyed.get_mut(&day) {
            mark.swept = true;
            self.retain(kept)?;
        }
        Ok(swept)
    }

    // === warnings ===

    /// Days old enough to warn of, with the orders that wait with buyers of them.
    pub fn waits(&self, now: Timestamp) -> Result<Vec<Waits>, StoreError> {
        self.days.look(now);
        let (terms, kept) = (self.days.terms(), self.retained());
        let first = WARN_DAYS.into_iter().min().unwrap_or(BUYER_DAYS);
        let mut orders: BTreeMap<Date, (i64, u64, Option<RecordKey>)> = self
            .days
            .days()?
            .into_iter()
            .filter(|day| !terms.destroyed.contains(day))
            .filter_map(|day| Some((day, (terms.age(day)?, 0, None))))
            .filter(|(_, (age, ..))| (first..=BUYER_DAYS).contains(age))
            .collect();
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        let draft = self.draft();
        for cell in self.vault.under(Tree::Buyer, &[]) {
            let (place, first) = cell?;
            let Some((key, family)) = buyer_of(&place) else { continue };
            let Some((_, count, last)) = day_of_cell(&first).and_then(|day| orders.get_mut(&day))
            else {
                continue;
            };
            // Families of one order stand side by side: each order counts once a day.
            if *last != Some(key) && self.waits_with(&draft, &key, family)? {
                *last = Some(key);
                *count = count.saturating_add(1);
            }
        }
        let today = day_of(now);
        let waits = orders.into_iter().filter(|(_, (_, orders, _))| *orders > 0);
        Ok(waits
            .map(|(day, (age, orders, _))| {
                let left = jiff::Span::new().days((BUYER_DAYS + 1).saturating_sub(age).max(0));
                let ends = today.checked_add(left).unwrap_or(today);
                Waits { day, ends, orders, warning: kept.warning(day, age) }
            })
            .collect())
    }

    /// A warning was given.
    pub fn warned(&self, day: Date, level: i64) -> Result<(), StoreError> {
        let mut kept = self.retained();
        kept.warned.insert(day, level);
        self.retain(kept)
    }

    /// Whether an unsettled order has this buyer, and Odoo does not.
    fn waits_with(
        &self,
        draft: &Draft<'_>,
        key: &RecordKey,
        family: Family,
    ) -> Result<bool, StoreError> {
        let found = match draft.load(key) {
            Err(StoreError::Damaged { .. } | StoreError::UnknownKey { .. }) => return Ok(false),
            found => found?,
        };
        if !found.is_some_and(|(entry, _)| !matches!(entry.state, JobState::Done(_))) {
            return Ok(false);
        }
        let buyer = self.find_buyer(draft, key, family)?;
        Ok(matches!(buyer, Found::Readable { buyer: StoredBuyer { payload: Some(_), .. }, .. }))
    }

    // === missing keys ===

    /// Accounts and days whose buyers a lease found without their key, since the last call.
    pub fn take_missing_days(&self) -> Vec<(AccountId, Date)> {
        let missing = std::mem::take(&mut self.queue().missing);
        let named = |(tag, day)| Some((self.accounts.by_tag(tag).ok()?.id.clone(), day));
        missing.into_iter().filter_map(named).collect()
    }

    /// Puts buyers of `day` back that were read again from their sealed file, where the key of that
    /// day is missing. They keep their day: reading again does not make anything live longer.
    /// Returns how many.
    pub fn restore_buyers(
        &self,
        account: &AccountId,
        day: Date,
        facts: &[(Fact, BuyerFact)],
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.days.look(now);
        let terms = self.days.terms();
        if terms.is_overdue(day) || terms.destroyed.contains(&day) {
            return Ok(0);
        }
        let (account, id_key) = self.accounts.keyed(account)?;
        let mut queue = self.queue();
        let mut draft = self.draft();
        let mut restored = 0_u64;
        for (fact, buyer) in facts {
            let (key, family) = (account.order_key(id_key, &fact.order_id), fact.family);
            let Some((mut entry, chunks)) = draft.load(&key)? else { continue };
            if !fact.is_good() || buyer.is_empty() || !entry.has_buyer(family) {
                continue;
            }
            let (rank, hash) =
                (rank_of(id_key, fact), id_key.mac("buyer", &encode(Tree::Buyer, buyer)?));
            let cells = match self.find_buyer(&draft, &key, family)? {
                Found::Shut(BuyerState::KeyMissing { day: of }) if of == day => {
                    self.buyer_cells(&draft, &key, family)?
                }
                // An earlier file of this day brought less.
                Found::Readable { buyer: stands, chunks, day: of }
                    if of == day
                        && stands.payload.is_some()
                        && (rank, hash) > (stands.rank, stands.hash) =>
                {
                    chunks
                }
                Found::None | Found::Readable { .. } | Found::Shut(_) => continue,
            };
            let settled = matches!(entry.state, JobState::Done(_));
            let payload = (!settled).then(|| Box::new(buyer.clone()));
            let stored = StoredBuyer { rank, hash, payload };
            self.put_buyer(&mut draft, &key, family, &stored, day, cells)?;
            let before = entry.mark();
            hurry(&mut entry, now);
            draft.store(account, &key, Some(before), &entry, chunks)?;
            restored = restored.saturating_add(1);
        }
        draft.commit(&mut queue)?;
        Ok(restored)
    }

    /// Gives up the buyers of an account and day that no key opens: nothing is left to read them
    /// from again. Their orders go on as if they had expired.
    pub fn lose_buyers(
        &self,
        account: &AccountId,
        day: Date,
        now: Timestamp,
        progress: &dyn Fn(),
    ) -> Result<Swept, StoreError> {
        let tag = self.accounts.get(account)?.tag;
        let swept = self.sweep(Take::Shut(tag, day), now, progress)?;
        self.barrier()?;
        Ok(swept)
    }

    // === sweeping ===

    fn sweep(&self, take: Take, now: Timestamp, progress: &dyn Fn()) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let mut batch = Vec::with_capacity(BATCH);
        let (head, day) = match take {
            Take::Day(day) => (Vec::new(), day),
            Take::Shut(tag, day) => (tag.to_vec(), day),
        };
        let mut words = Vec::new();
        for cell in self.vault.under(Tree::Buyer, &head) {
            let (place, first) = cell?;
            let Some(found) = buyer_of(&place) else {
                let ended = is_words(&place) && day_of_cell(&first) == Some(day);
                words.extend(ended.then(|| place.to_vec()));
                continue;
            };
            if day_of_cell(&first) == Some(day) {
                batch.push(found);
            }
            if batch.len() >= BATCH {
                self.sweep_batch(take, &std::mem::take(&mut batch), now, &mut swept)?;
                progress();
            }
        }
        self.sweep_batch(take, &batch, now, &mut swept)?;
        for places in words.chunks(BATCH) {
            self.sweep_words(places, day)?;
            progress();
        }
        Ok(swept)
    }

    fn sweep_batch(
        &self,
        take: Take,
        batch: &[(RecordKey, Family)],
        now: Timestamp,
        swept: &mut Swept,
    ) -> Result<(), StoreError> {
        let mut queue = self.queue();
        let mut draft = self.draft();
        let mut now_swept = Swept::default();
        for (key, family) in batch {
            // Looked at again under the writers' lock: the buyer may have arrived anew meanwhile.
            let place = super::layout::buyer_key(key, family.tag());
            let first = self.vault.raw(&draft.changes, Tree::Buyer, &place)?;
            let of = first.as_deref().and_then(day_of_cell);
            let mine = match take {
                Take::Day(day) => of == Some(day),
                Take::Shut(_, day) => {
                    of == Some(day)
                        && matches!(
                            self.find_buyer(&draft, key, *family)?,
                            Found::Shut(BuyerState::KeyMissing { .. })
                        )
                }
            };
            if !mine {
                continue;
            }
            let cells = self.buyer_cells(&draft, key, *family)?;
            delete(&mut draft.changes, Tree::Buyer, &place, cells);
            now_swept.values = now_swept.values.saturating_add(1);
            let found = match draft.load(key) {
                // Its buyer goes all the same.
                Err(StoreError::Damaged { .. } | StoreError::UnknownKey { .. }) => continue,
                found => found?,
            };
            let Some((mut entry, chunks)) = found else { continue };
            let before = entry.mark();
            entry.expire_buyer(*family);
            if entry.has_expired(*family) {
                now_swept.waiting = now_swept.waiting.saturating_add(1);
            }
            self.rewrite(&mut draft, key, before, entry, chunks, now)?;
        }
        draft.commit(&mut queue)?;
        swept.values = swept.values.saturating_add(now_swept.values);
        swept.waiting = swept.waiting.saturating_add(now_swept.waiting);
        Ok(())
    }

    /// Stores an entry whose buyers changed. One that waits for its time is looked at now.
    fn rewrite(
        &self,
        draft: &mut Draft<'_>,
        key: &RecordKey,
        before: Mark,
        mut entry: Entry,
        chunks: u16,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let account = self.accounts.by_tag(key.tag())?;
        if account.id_key.is_some() {
            hurry(&mut entry, now);
            draft.store(account, key, Some(before), &entry, chunks)
        } else {
            // Nobody delivers for an account that is not configured; its indexes stay as they are.
            self.vault
                .write(&mut draft.changes, Tree::Record, key.as_bytes(), &entry, chunks)
                .map(|_| ())
        }
    }

    /// The day under which a buyer that arrives now is sealed: never one before the clock was last
    /// believed, so that a clock that came up in 1970 does not make buyers die at once.
    pub(super) fn arrival_day(&self, now: Timestamp) -> Date {
        let believed = self.believed_at().map(day_of);
        let mut day = believed.map_or(day_of(now), |believed| believed.max(day_of(now)));
        let terms = self.days.terms();
        // A day of a clock that was ahead has come, and its key was destroyed long ago.
        while terms.destroyed.contains(&day) {
            match day.tomorrow() {
                Ok(next) => day = next,
                Err(_) => break,
            }
        }
        day
    }

    fn retained(&self) -> Retained {
        self.retained.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stores what retention remembers, durably; then it holds.
    fn retain(&self, kept: Retained) -> Result<(), StoreError> {
        // The writers' lock: nobody reads a buyer while what opens changes.
        let queue = self.queue();
        let mut changes = Changes::default();
        let old: Option<(Retained, u16)> = self.vault.read(&changes, Tree::Meta, RETENTION)?;
        let cells = old.map_or(0, |(_, cells)| cells);
        self.vault.write(&mut changes, Tree::Meta, RETENTION, &kept, cells)?;
        self.vault.apply(&changes)?;
        self.days.set_terms(|today| kept.terms(today));
        *self.retained.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        drop(queue);
        self.barrier()
    }
}

/// A job that waits for its time is due now: what it waited for may have been this.
fn hurry(entry: &mut Entry, now: Timestamp) {
    if entry.state == JobState::Pending {
        entry.due_ms = entry.due_ms.min(now.as_millisecond());
    }
}

/// Record and family of a buyer's first cell; none for later cells.
fn buyer_of(place: &[u8]) -> Option<(RecordKey, Family)> {
    let (&tag, record) = place.split_last()?;
    if record.len() != RECORD_KEY_BYTES {
        return None;
    }
    let family = Family::ALL.into_iter().find(|family| family.tag() == tag)?;
    Some((RecordKey::from_slice(record)?, family))
}
