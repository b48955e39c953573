//! A draft: the changes of one call, with what must change along (indexes, counters, watermarks).

use std::collections::{BTreeMap, BTreeSet};

use super::accounts::Account;
use super::entry::{Entry, Mark};
use super::error::StoreError;
use super::layout::{AccountTag, RecordKey, Tree, attention_key, index_keys, meta_key};
use super::queue::Queue;
use super::tally::Tally;
use super::vault::{Changes, Vault};

/// The name of an account's counters in `meta`.
pub(super) const TALLY: &str = "tally";

/// Changes that are applied together.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) vault: &'a Vault,
    pub(super) changes: Changes,
    tallies: BTreeMap<AccountTag, Vec<(Option<Mark>, Mark)>>,
    /// Due times that are new, so that the scan goes back to them.
    dues: Vec<(AccountTag, i64)>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(vault: &'a Vault) -> Self {
        Self { vault, changes: Changes::default(), tallies: BTreeMap::new(), dues: Vec::new() }
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
            index_keys(key, id_key, &mark.state, mark.due_ms).into_iter().chain(noticed).collect()
        };
        let old = before.as_ref().map(keys).unwrap_or_default();
        let new = keys(&after);
        for gone in old.difference(&new) {
            self.changes.remove(Tree::Index, gone.clone());
        }
        for come in new.difference(&old) {
            self.changes.insert(Tree::Index, come.clone(), Vec::new());
        }
        self.dues.push((account.tag, after.due_ms));
        self.tallies.entry(account.tag).or_default().push((before, after));
        Ok(())
    }

    /// Applies everything as one transaction, then tells the queue.
    pub(super) fn commit(mut self, queue: &mut Queue) -> Result<(), StoreError> {
        let mut tallies: BTreeMap<AccountTag, Tally> = BTreeMap::new();
        for (tag, moves) in &self.tallies {
            let mut tally = queue.stored_tally(*tag);
            for (before, after) in moves {
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
