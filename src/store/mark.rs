//! How far the decision journal goes, remembered in the database: a journal that was cut off at the
//! border of an entry looks whole, and only somebody else can say how many entries it had.
//!
//! Promises: the mark is never ahead of what was durable in the journal, so that a power cut is no
//! damage. It may be behind: then a cut of the last entries is not seen.

use std::sync::{Mutex, PoisonError};

use super::Store;
use super::error::StoreError;
use super::journal::{Journal, Place};
use super::layout::Tree;
use super::vault::{Changes, Vault};

const MARK: &[u8] = b"journal";

/// What the database says of the journal, and in how many cells.
#[derive(Debug, Default)]
pub(super) struct Mark(Mutex<(Option<Place>, u16)>);

impl Mark {
    /// What is remembered, and how many entries the journal ends before that. Nothing is
    /// known of a journal that was started again since.
    pub(super) fn load(vault: &Vault, journal: &Journal) -> Result<(Self, u64), StoreError> {
        let found: Option<(Place, u16)> = vault.read(&Changes::default(), Tree::Meta, MARK)?;
        let (marked, cells) = match found {
            Some((marked, cells)) => (Some(marked), cells),
            None => (None, 0),
        };
        let is = journal.opened_at();
        let early = marked
            .filter(|marked| marked.id == is.id)
            .map_or(0, |marked| marked.next.saturating_sub(is.next));
        Ok((Self(Mutex::new((marked, cells))), early))
    }
}

impl Store {
    /// How many entries the decision journal ended before its end, when it was opened.
    pub fn journal_ends_early(&self) -> u64 {
        self.journal_early
    }

    /// Remembers how far the journal goes, where that changed.
    pub(super) fn mark_journal(&self) -> Result<(), StoreError> {
        let place = self.journal.durable();
        let mut mark = self.mark.0.lock().unwrap_or_else(PoisonError::into_inner);
        if mark.0 == Some(place) {
            return Ok(());
        }
        let mut changes = Changes::default();
        mark.1 = self.vault.write(&mut changes, Tree::Meta, MARK, &place, mark.1)?;
        self.vault.apply(&changes)?;
        mark.0 = Some(place);
        Ok(())
    }
}
