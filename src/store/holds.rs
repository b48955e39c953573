//! Releasing what is held, requeuing what is dead, and naming what is waited for.

use jiff::Timestamp;

use crate::model::{
    AccountId, Decision, Dossier, Hold, HoldCode, JobState, Note, Outcome, Released,
};

use super::Store;
use super::entry::Entry;
use super::error::StoreError;
use super::layout::{RecordKey, Tree, after_head, dead_head, held_head, record_of};

/// Which held jobs.
#[derive(Debug, Clone, Copy)]
pub enum Waiting<'a> {
    /// This one.
    Record(RecordKey),
    /// All of an account that wait for this kind of thing, or for exactly this one.
    For(&'a AccountId, HoldCode, Option<&'a str>),
}

/// Which dead jobs.
#[derive(Debug, Clone, Copy)]
pub enum Buried<'a> {
    /// This one; also one that is held or done, which is then looked at again.
    Record(RecordKey),
    /// All of an account, or those that died of exactly this.
    Of(&'a AccountId, Option<&'a str>),
}

/// What the decision journal is told of each job that moves.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    /// Nothing: it can be derived.
    Nothing,
    /// It was given up.
    Dropped(Timestamp),
    /// What its mapping holds of a person's decisions.
    Ruled(Timestamp),
    /// The holds that a person released just now.
    Released(Timestamp),
}

impl Told {
    fn notes(self, account: &AccountId, dossier: &Dossier) -> Vec<Note> {
        let (account, order) = (account.clone(), dossier.order_id.clone());
        match self {
            Self::Nothing => Vec::new(),
            Self::Dropped(at) => {
                vec![Note::Decided { account, order, decision: Decision::Dropped, at }]
            }
            Self::Ruled(at) => {
                let ruled = |mapping| Note::ruled(account, order, mapping, at);
                dossier.mapping.as_ref().map(ruled).into_iter().collect()
            }
            Self::Released(at) => {
                let fresh = dossier.released.iter().filter(|released| released.at == at);
                fresh
                    .map(|released| Note::Released {
                        account: account.clone(),
                        order: order.clone(),
                        released: released.clone(),
                    })
                    .collect()
            }
        }
    }
}

/// Jobs that are tried, where they do not open, to learn what they wait for.
const UNREADABLE_TRIED: usize = 16;
/// Jobs moved in one transaction.
const BATCH: usize = 200;

/// Makes a held job due now. False where it is not held.
fn look_again(entry: &mut Entry, now: Timestamp) -> bool {
    let held = matches!(entry.state, JobState::Held(_));
    if held {
        entry.wake(now.as_millisecond());
    }
    held
}

impl Store {
    /// Makes held jobs due now: what they wait for may be there. Decides nothing. Returns how many;
    /// no attempt is used or given back.
    pub fn release(&self, which: Waiting<'_>, now: Timestamp) -> Result<u64, StoreError> {
        self.move_waiting(which, Told::Nothing, |entry| look_again(entry, now))
    }

    /// The same on a person's word, which is a decision where the hold compares two values: it is
    /// stored with them, first in the journal, and counts as long as both stay. Of jobs that wait
    /// for several things only what `which` names is decided.
    pub fn release_by(
        &self,
        which: Waiting<'_>,
        by: Option<u32>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let named = |code: HoldCode, key: &str| match which {
            Waiting::Record(_) => true,
            Waiting::For(_, wanted, wanted_key) => {
                wanted == code && wanted_key.is_none_or(|wanted| wanted == key)
            }
        };
        self.move_waiting(which, Told::Released(now), |entry| {
            if let JobState::Held(holds) = &entry.state {
                let named = holds.iter().filter(|hold| named(hold.code, &hold.key));
                for released in named.filter_map(|hold| Released::of(hold, by, now)) {
                    released.add_to(&mut entry.dossier.released);
                }
            }
            let held = look_again(entry, now);
            if held {
                entry.hurry();
            }
            held
        })
    }

    pub(super) fn move_waiting(
        &self,
        which: Waiting<'_>,
        told: Told,
        change: impl Fn(&mut Entry) -> bool,
    ) -> Result<u64, StoreError> {
        match which {
            Waiting::Record(key) => self.move_jobs(&[key], told, change),
            Waiting::For(account, code, key) => {
                let (account, id_key) = self.accounts.keyed(account)?;
                let head = held_head(account.tag, code, key.map(|key| (id_key, key)));
                self.move_all(&head, told, change)
            }
        }
    }

    pub(super) fn move_buried(
        &self,
        which: Buried<'_>,
        told: Told,
        change: impl Fn(&mut Entry) -> bool,
    ) -> Result<u64, StoreError> {
        match which {
            Buried::Record(key) => self.move_jobs(&[key], told, change),
            Buried::Of(account, code) => {
                let (account, id_key) = self.accounts.keyed(account)?;
                let head = dead_head(account.tag, code.map(|code| (id_key, code)));
                self.move_all(&head, told, change)
            }
        }
    }

    /// Makes dead jobs due now, with all attempts. Returns how many.
    pub fn requeue(&self, which: Buried<'_>, now: Timestamp) -> Result<u64, StoreError> {
        let now_ms = now.as_millisecond();
        match which {
            Buried::Record(key) => self.move_jobs(&[key], Told::Nothing, |entry| {
                let moves = entry.state != JobState::Pending;
                if moves {
                    entry.arm(now_ms);
                    entry.hurry();
                }
                moves
            }),
            Buried::Of(..) => self.move_buried(which, Told::Nothing, |entry| {
                let dead = matches!(entry.state, JobState::Dead(_));
                if dead {
                    entry.arm(now_ms);
                    entry.hurry();
                }
                dead
            }),
        }
    }

    /// The distinct things that jobs of an account wait for under this code, up to `limit`, in no
    /// order; true if there are more. Opens one job per thing, and none beyond the limit.
    pub fn held_keys(
        &self,
        account: &AccountId,
        code: HoldCode,
        limit: usize,
    ) -> Result<(Vec<String>, bool), StoreError> {
        let (account, id_key) = self.accounts.keyed(account)?;
        let head = held_head(account.tag, code, None);
        let end = after_head(&head);
        let (mut keys, mut from) = (Vec::new(), head.clone());
        loop {
            // One look per distinct thing, however many jobs wait for it.
            let cell = self.vault.range(Tree::Index, &from, end.as_deref()).next();
            let Some(cell) = cell else { return Ok((keys, false)) };
            if keys.len() >= limit {
                return Ok((keys, true));
            }
            let (index_key, _) = cell?;
            let thing = index_key.get(..head.len().saturating_add(16)).unwrap_or(&index_key);
            keys.extend(self.thing_waited_for(thing, |hold| {
                hold.code == code
                    && held_head(account.tag, code, Some((id_key, &hold.key))) == thing
            })?);
            match after_head(thing) {
                Some(next) => from = next,
                None => return Ok((keys, false)),
            }
        }
    }

    /// What the jobs under one head of the index wait for, from the first of them that opens.
    fn thing_waited_for(
        &self,
        thing: &[u8],
        is_it: impl Fn(&Hold) -> bool,
    ) -> Result<Option<String>, StoreError> {
        for cell in self.vault.under(Tree::Index, thing).take(UNREADABLE_TRIED) {
            let (index_key, _) = cell?;
            let Some(key) = record_of(&index_key) else { continue };
            match self.entry(&key) {
                Ok(Some(Entry { state: JobState::Held(holds), .. })) => {
                    return Ok(holds.into_iter().find(|hold| is_it(hold)).map(|hold| hold.key));
                }
                Ok(_) => {}
                Err(error) if error.is_of_one_value() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Up to `max` jobs of an account that are held under this code and key.
    pub fn held_by(
        &self,
        account: &AccountId,
        code: HoldCode,
        key: &str,
        max: usize,
    ) -> Result<Vec<RecordKey>, StoreError> {
        let (account, id_key) = self.accounts.keyed(account)?;
        let head = held_head(account.tag, code, Some((id_key, key)));
        let cells = self.vault.range(Tree::Index, &head, after_head(&head).as_deref());
        let mut found = Vec::new();
        for cell in cells.take(max) {
            found.extend(record_of(&cell?.0));
        }
        Ok(found)
    }

    /// Moves all jobs under an index head, a batch at a time; others come in between.
    fn move_all(
        &self,
        head: &[u8],
        told: Told,
        change: impl Fn(&mut Entry) -> bool,
    ) -> Result<u64, StoreError> {
        let end = after_head(head);
        let (mut from, mut moved) = (head.to_vec(), 0_u64);
        loop {
            let mut batch = Vec::with_capacity(BATCH);
            for cell in self.vault.range(Tree::Index, &from, end.as_deref()).take(BATCH) {
                let (index_key, _) = cell?;
                batch.extend(record_of(&index_key));
                from = index_key.to_vec();
                from.push(0);
            }
            if batch.is_empty() {
                return Ok(moved);
            }
            moved = moved.saturating_add(self.move_readable(&batch, told, &change, true)?);
        }
    }

    pub(super) fn move_jobs(
        &self,
        keys: &[RecordKey],
        told: Told,
        change: impl Fn(&mut Entry) -> bool,
    ) -> Result<u64, StoreError> {
        self.move_readable(keys, told, change, false)
    }

    /// Moves these jobs in one transaction; `skip`: one whose value does not open stays where it is,
    /// and ends nothing for the others.
    fn move_readable(
        &self,
        keys: &[RecordKey],
        told: Told,
        change: impl Fn(&mut Entry) -> bool,
        skip: bool,
    ) -> Result<u64, StoreError> {
        let mut queue = self.queue();
        let mut draft = self.draft();
        let mut moved = 0_u64;
        let mut notes = Vec::new();
        for key in keys {
            let found = match draft.load(key) {
                Err(error) if skip && error.is_of_one_value() => None,
                found => found?,
            };
            let Some((mut entry, chunks)) = found else { continue };
            let before = entry.mark();
            if change(&mut entry) {
                if entry.state == JobState::Done(Outcome::Dropped) {
                    self.drop_buyers(&mut draft, key, &mut entry)?;
                }
                let account = self.accounts.by_tag(key.tag())?;
                notes.extend(told.notes(&account.id, &entry.dossier));
                draft.store(account, key, Some(before), &entry, chunks)?;
                moved = moved.saturating_add(1);
            }
        }
        // What people decide stands in the journal before it stands here.
        if !notes.is_empty() {
            self.note(&notes)?;
        }
        draft.commit(&mut queue)?;
        Ok(moved)
    }
}

#[cfg(test)]
#[path = "holds_tests.rs"]
mod tests;
