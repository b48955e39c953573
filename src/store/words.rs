//! Odoo's words about an order that is dead, or held because Odoo refused it. They quote what it was sent, so they may name the buyer.
//!
//! Promises: they are sealed under the day key of the order's oldest buyer, beside it, and end with
//! that day; of an order without a buyer they are of the day on which they were said. Where a buyer
//! has expired, no words are kept. What stands under the master key, here and in the decision
//! journal, is the code alone.

use jiff::Timestamp;
use jiff::civil::Date;

use super::Store;
use super::buyers::day_of_cell;
use super::daykeys::KeyState;
use super::draft::Draft;
use super::entry::Entry;
use super::error::StoreError;
use super::layout::{RECORD_KEY_BYTES, RecordKey, Tree, buyer_key, chunk_key};
use super::vault::{Cell, Changes, delete, put};
use crate::model::{AccountId, Death, Family, HoldCode, JobState, OrderId};

/// Where the words stand beside the buyers of an order: no family has this tag.
const WORDS: u8 = 0;

impl Store {
    /// Puts what Odoo said of an order away; nothing said takes away what was said before.
    pub(super) fn put_words(
        &self,
        draft: &mut Draft<'_>,
        key: &RecordKey,
        entry: &Entry,
        words: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let place = buyer_key(key, WORDS);
        let cells = self.cells_at(draft, &place)?;
        let day = self.day_of_words(draft, key, entry, now)?;
        let cipher = match day.map(|day| self.days.for_opening(day)).transpose()? {
            Some(KeyState::Open(cipher)) => Some(cipher),
            // The first value of today.
            Some(KeyState::Missing) if day == Some(self.arrival_day(now)) => {
                day.map(|day| self.days.for_sealing(day)).transpose()?
            }
            _ => None,
        };
        match day.zip(cipher).filter(|_| !words.is_empty()) {
            Some((day, cipher)) => {
                let (id, words) = (day.to_string(), words.as_bytes());
                put(&mut draft.changes, Tree::Buyer, &place, &cipher, &id, words, cells)?;
            }
            None => delete(&mut draft.changes, Tree::Buyer, &place, cells),
        }
        Ok(())
    }

    /// The state of a job with the words that Odoo said of it, as long as they are kept.
    pub(super) fn with_words(
        &self,
        key: &RecordKey,
        state: JobState,
    ) -> Result<JobState, StoreError> {
        let JobState::Dead(death) = state else { return Ok(state) };
        let words = self.words(key)?.unwrap_or_else(|| death.words.clone());
        Ok(JobState::Dead(Death { words, ..death }))
    }

    /// What Odoo said of an order that is held because Odoo refused it, as long as that is kept.
    pub fn words_of_refused(
        &self,
        account: &AccountId,
        order: &OrderId,
    ) -> Result<Option<String>, StoreError> {
        let key = self.key(account, order)?;
        let state = self.entry(&key)?.map(|entry| entry.state);
        match state {
            Some(JobState::Held(holds))
                if holds.iter().any(|hold| hold.code == HoldCode::Refused) =>
            {
                self.words(&key)
            }
            _ => Ok(None),
        }
    }

    fn words(&self, key: &RecordKey) -> Result<Option<String>, StoreError> {
        let (none, place) = (Changes::default(), buyer_key(key, WORDS));
        let Some(first) = self.vault.raw(&none, Tree::Buyer, &place)? else { return Ok(None) };
        let Some(day) = day_of_cell(&first) else { return Ok(None) };
        let KeyState::Open(cipher) = self.days.for_opening(day)? else { return Ok(None) };
        let cell = self.vault.get(&none, Tree::Buyer, &place, |_| Some(cipher.clone()))?;
        let Cell::Open(opened) = cell else { return Ok(None) };
        Ok(String::from_utf8(opened.plain.to_vec()).ok())
    }

    /// The day with which words of today end; none where a buyer of the order ended already.
    fn day_of_words(
        &self,
        draft: &Draft<'_>,
        key: &RecordKey,
        entry: &Entry,
        now: Timestamp,
    ) -> Result<Option<Date>, StoreError> {
        let mut oldest = self.arrival_day(now);
        for family in Family::ALL {
            if entry.has_expired(family) {
                return Ok(None);
            }
            let place = buyer_key(key, family.tag());
            let first = self.vault.raw(&draft.changes, Tree::Buyer, &place)?;
            if let Some(day) = first.as_deref().and_then(day_of_cell) {
                oldest = oldest.min(day);
            }
        }
        Ok(Some(oldest))
    }

    /// Removes words of a day whose key was destroyed.
    pub(super) fn sweep_words(&self, places: &[Vec<u8>], day: Date) -> Result<(), StoreError> {
        let mut queue = self.queue();
        let mut draft = self.draft();
        for place in places {
            // Looked at again under the writers' lock.
            let first = self.vault.raw(&draft.changes, Tree::Buyer, place)?;
            if first.as_deref().and_then(day_of_cell) == Some(day) {
                let cells = self.cells_at(&draft, place)?;
                delete(&mut draft.changes, Tree::Buyer, place, cells);
            }
        }
        draft.commit(&mut queue)
    }

    fn cells_at(&self, draft: &Draft<'_>, place: &[u8]) -> Result<u16, StoreError> {
        let mut cells = 0;
        let mut next = place.to_vec();
        while self.vault.raw(&draft.changes, Tree::Buyer, &next)?.is_some() {
            cells += 1;
            next = chunk_key(place, cells);
        }
        Ok(cells)
    }
}

/// Whether a key in [`Tree::Buyer`] is that of an order's words.
pub(super) fn is_words(place: &[u8]) -> bool {
    place.len() == RECORD_KEY_BYTES + 1 && place.last() == Some(&WORDS)
}
