//! A draft: the changes of one call, with what must change along (indexes, counters, watermarks).

use std::collections::{BTreeMap, BTreeSet};

use super::accounts::Account;
use super::entry::{Entry, Mark};
use super::error::StoreError;
use super::layout::{
    ATTENTION, AccountTag, DueLane, RecordKey, Tree, attention_key, index_keys, meta_key,
    subject_key,
};
use super::queue::Queue;
use super::tally::{Counter, Tally};
use super::vault::{Changes, Vault, delete};
use crate::model::{Attention, Subject};

/// The name of an account's counters in `meta`.
pub(super) const TALLY: &str = "tally";

/// Changes that are applied together.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) vault: &'a Vault,
    pub(super) changes: Changes,
    tallies: BTreeMap<AccountTag, Vec<(Option<Mark>, Mark)>>,
    /// What else is counted: whether it was before, and is after.
    counted: Vec<(AccountTag, Counter, bool, bool)>,
    /// Due times that are new, so that the scan goes back to them.
    dues: Vec<(AccountTag, DueLane, i64)>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(vault: &'a Vault) -> Self {
        Self {
            vault,
            changes: Changes::default(),
            tallies: BTreeMap::new(),
            counted: Vec::new(),
            dues: Vec::new(),
        }
    }

    /// The entry under `key` with this draft's changes, and how many cells it takes.
    pub(super) fn load(&self, key: &RecordKey) -> Result<Option<(Entry, u16)>, StoreError> {
        self.vault.read(&self.changes, Tree::Record, key.as_bytes())
    }

    /// Stores `entry` in place of one that looked like `before` and took `chunks` cells.
    pub(super) fn store(
        &mut self,
        account: &Account,
        key: &RecordKey,
        before: Option<Mark>,
        entry: &Entry,
        chunks: u16,
    ) -> Result<(), StoreError> {
        let id_key = account.keyed()?;
        let after = entry.mark();
        self.vault.write(&mut self.changes, Tree::Record, key.as_bytes(), entry, chunks)?;
        if before.as_ref() == Some(&after) {
            return Ok(());
        }
        let keys = |mark: &Mark| -> BTreeSet<Vec<u8>> {
            let noticed = mark.attention.then(|| attention_key(key));
            index_keys(key, id_key, &mark.state, (mark.lane, mark.due_ms))
                .into_iter()
                .chain(noticed)
                .collect()
        };
        let old = before.as_ref().map(keys).unwrap_or_default();
        let new = keys(&after);
        for gone in old.difference(&new) {
            self.changes.remove(Tree::Index, gone.clone());
        }
        for come in new.difference(&old) {
            self.changes.insert(Tree::Index, come.clone(), Vec::new());
        }
        self.dues.push((account.tag, after.lane, after.due_ms));
        self.tallies.entry(account.tag).or_default().push((before, after));
        Ok(())
    }

    /// Stores the entries of a file or an account in place of those that took `chunks` cells, of
    /// which any was open or not. None is none.
    pub(super) fn store_attention(
        &mut self,
        tag: AccountTag,
        subject: &Subject,
        was_open: bool,
        list: &[Attention],
        chunks: u16,
    ) -> Result<(), StoreError> {
        let Some(key) = subject_key(tag, subject) else { return Ok(()) };
        let place: Vec<u8> = [ATTENTION].iter().chain(&key).copied().collect();
        let is_open = Attention::any_open(list);
        if list.is_empty() {
            delete(&mut self.changes, Tree::Attention, &key, chunks);
        } else {
            self.vault.write(&mut self.changes, Tree::Attention, &key, &list, chunks)?;
        }
        if is_open {
            self.changes.insert(Tree::Index, place, Vec::new());
        } else {
            self.changes.remove(Tree::Index, place);
        }
        let counter = match subject {
            Subject::File(_) => Counter::AttentionFiles,
            Subject::Record(_) | Subject::Account => Counter::AttentionAccount,
        };
        self.count(tag, counter, was_open, is_open);
        Ok(())
    }

    /// Counts something beside jobs: whether it was before, and is after.
    pub(super) fn count(&mut self, tag: AccountTag, counter: Counter, before: bool, after: bool) {
        if before != after {
            self.counted.push((tag, counter, before, after));
        }
    }

    /// Applies everything as one transaction, then tells the queue.
    pub(super) fn commit(mut self, queue: &mut Queue) -> Result<(), StoreError> {
        let mut tallies: BTreeMap<AccountTag, Tally> = BTreeMap::new();
        let tags: BTreeSet<AccountTag> =
            self.tallies.keys().chain(self.counted.iter().map(|(tag, ..)| tag)).copied().collect();
        for tag in &tags {
            let mut tally = queue.stored_tally(*tag);
            for (_, counter, before, after) in self.counted.iter().filter(|one| one.0 == *tag) {
                tally.count(*counter, *before, *after);
            }
            for (before, after) in self.tallies.get(tag).into_iter().flatten() {
                if let Some(before) = before {
                    tally.remove(&before.state);
                    tally.unnotice(before.attention);
                }
                tally.add(&after.state);
                tally.notice(after.attention);
            }
            if tally != queue.stored_tally(*tag) {
                self.vault.write(
                    &mut self.changes,
                    Tree::Meta,
                    &meta_key(TALLY, *tag),
                    &tally,
                    1,
                )?;
                tallies.insert(*tag, tally);
            }
        }
        self.vault.apply(&self.changes)?;
        queue.applied(tallies, &self.dues);
        Ok(())
    }
}
