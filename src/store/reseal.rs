//! After a rotation of the master key: seals under the new one what is sealed under older ones.
//!
//! Promises: each batch is one transaction, so a value is under the old key or the new one and
//! always opens; what is done is skipped when it starts again; a day key is replaced by rename.
//! When it says that nothing is left, that is on the disk, and the older keys open nothing here
//! any more. Does not remove keys, and leaves alone what it cannot open.

use std::collections::BTreeMap;

use super::Store;
use super::error::StoreError;
use super::layout::Tree;
use super::seal::Seal;
use super::vault::{Cell, Changes, put};

/// The trees whose values are sealed under the master key. Buyers are under day keys.
const SEALED: [Tree; 5] = [Tree::Record, Tree::File, Tree::Partner, Tree::Attention, Tree::Meta];

/// How far it is. Begins at the beginning; what was done before is passed quickly.
#[derive(Debug, Default)]
pub struct Reseal {
    tree: usize,
    from: Vec<u8>,
    /// Values and day keys that were sealed anew.
    pub resealed: u64,
    /// Nothing is left, and that is durable.
    pub done: bool,
}

impl Store {
    /// The master key that seals, and the older ones that were given, by their ids.
    pub fn masters(&self) -> (String, Vec<String>) {
        (self.vault.current_key().to_owned(), self.vault.older_keys())
    }

    /// One step: the day keys first, then at most `limit` cells. Writers wait for one step only.
    pub fn reseal(&self, progress: &mut Reseal, limit: usize) -> Result<(), StoreError> {
        let _writers = self.queue();
        if progress.tree == 0 && progress.from.is_empty() {
            progress.resealed = progress.resealed.saturating_add(self.days.rewrap()?);
        }
        let Some(&tree) = SEALED.get(progress.tree) else {
            self.barrier()?;
            progress.done = true;
            return Ok(());
        };
        let mut changes = Changes::default();
        let mut last = None;
        for cell in self.vault.range(tree, &progress.from, None).take(limit) {
            let (key, first) = cell?;
            if self.reseal_value(&mut changes, tree, &key, &first)? {
                progress.resealed = progress.resealed.saturating_add(1);
            }
            last = Some(key);
        }
        self.vault.apply(&changes)?;
        if let Some(key) = last {
            // The next key in order: this one and a zero byte.
            progress.from = key.iter().copied().chain([0]).collect();
        } else {
            progress.tree = progress.tree.saturating_add(1);
            progress.from = Vec::new();
        }
        Ok(())
    }

    /// How many values and day keys are sealed under each older master key. Reads everything.
    pub fn under_older(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut found = self.days.under_older()?;
        for tree in SEALED {
            for cell in self.vault.range(tree, &[], None) {
                let (_, sealed) = cell?;
                let Ok(seal) = Seal::parse(&sealed) else { continue };
                if seal.key_id != self.vault.current_key() {
                    let count: &mut u64 = found.entry(seal.key_id.to_owned()).or_default();
                    *count = count.saturating_add(1);
                }
            }
        }
        Ok(found)
    }

    /// True where `first` begins a value under an older key, and it is now under the current one.
    fn reseal_value(
        &self,
        changes: &mut Changes,
        tree: Tree,
        key: &[u8],
        first: &[u8],
    ) -> Result<bool, StoreError> {
        let current = self.vault.current_key();
        if Seal::parse(first).map_or(true, |seal| seal.key_id == current) {
            return Ok(false);
        }
        // A later chunk does not open as a first one: it goes with its value.
        let cell = self.vault.get(changes, tree, key, |id| self.vault.cipher(id, tree))?;
        let Cell::Open(opened) = cell else { return Ok(false) };
        let unknown = || StoreError::UnknownKey { key_id: current.to_owned() };
        let cipher = self.vault.cipher(current, tree).ok_or_else(unknown)?;
        put(changes, tree, key, &cipher, current, &opened.plain, opened.chunks)?;
        Ok(true)
    }
}

#[cfg(test)]
#[path = "reseal_tests.rs"]
mod tests;
