//! What is remembered of files.

use crate::model::{AccountId, FileId, FileRecord, FileState};

use super::Store;
use super::error::StoreError;
use super::layout::{Tree, file_of, file_time_head, file_time_key, touch_head};
use super::tally::Counter;

/// Which files. The default is all.
#[derive(Debug, Clone, Default)]
pub struct FileFilter {
    /// Only of this account.
    pub account: Option<AccountId>,
    /// Only in this state.
    pub state: Option<FileState>,
}

const STATES: [FileState; 3] = [FileState::Work, FileState::Done, FileState::Rejected];

impl Store {
    /// Stores a file record, in place of an earlier one of the same file.
    pub fn put_file(&self, record: &FileRecord) -> Result<(), StoreError> {
        let tag = self.accounts.get(&record.account)?.tag;
        let time_key = |record: &FileRecord| {
            let claimed_ms = record.claimed_at.as_millisecond();
            file_time_key(tag, record.state, claimed_ms, &record.id)
        };
        let mut queue = self.queue();
        let mut draft = self.draft();
        let id = record.id.as_str().as_bytes();
        let before: Option<(FileRecord, u16)> = self.vault.read(&draft.changes, Tree::File, id)?;
        let (mut chunks, mut noticed) = (0, false);
        if let Some((before, cells)) = before {
            (chunks, noticed) = (cells, !before.notices.is_empty());
            draft.changes.remove(Tree::Index, time_key(&before));
        }
        draft.count(tag, Counter::NoticedFiles, noticed, !record.notices.is_empty());
        self.attend_file(&mut draft, tag, record)?;
        draft.changes.insert(Tree::Index, time_key(record), Vec::new());
        self.vault.write(&mut draft.changes, Tree::File, id, record, chunks)?;
        draft.commit(&mut queue)
    }

    /// What is remembered of a file.
    pub fn file(&self, id: &FileId) -> Result<Option<FileRecord>, StoreError> {
        self.file_at(id.as_str().as_bytes())
    }

    /// Up to `limit` files, newest first.
    pub fn files(&self, filter: &FileFilter, limit: usize) -> Result<Vec<FileRecord>, StoreError> {
        let mut found = Vec::new();
        for account in self.accounts.all() {
            if filter.account.as_ref().is_some_and(|wanted| *wanted != account.id) {
                continue;
            }
            for state in STATES {
                if filter.state.is_some_and(|wanted| wanted != state) {
                    continue;
                }
                let head = file_time_head(account.tag, state);
                for cell in self.vault.under(Tree::Index, &head).take(limit) {
                    let (index_key, _) = cell?;
                    if let Some(id) = file_of(&index_key) {
                        found.extend(self.file_at(id)?);
                    }
                }
            }
        }
        found.sort_by(|a, b| (b.claimed_at, &b.id).cmp(&(a.claimed_at, &a.id)));
        found.truncate(limit);
        Ok(found)
    }

    /// Forgets a file and which orders it spoke of; the orders stay.
    pub fn forget_file(&self, id: &FileId) -> Result<(), StoreError> {
        let mut queue = self.queue();
        let mut draft = self.draft();
        let place = id.as_str().as_bytes();
        let known: Option<(FileRecord, u16)> =
            self.vault.read(&draft.changes, Tree::File, place)?;
        if let Some((record, chunks)) = known {
            let tag = super::layout::account_tag(&record.account);
            let claimed_ms = record.claimed_at.as_millisecond();
            draft
                .changes
                .remove(Tree::Index, file_time_key(tag, record.state, claimed_ms, &record.id));
            super::vault::delete(&mut draft.changes, Tree::File, place, chunks);
            draft.count(tag, Counter::NoticedFiles, !record.notices.is_empty(), false);
            self.forget_attention(&mut draft, tag, id)?;
        }
        for cell in self.vault.under(Tree::Index, &touch_head(id)) {
            let (index_key, _) = cell?;
            draft.changes.remove(Tree::Index, index_key.to_vec());
        }
        draft.commit(&mut queue)
    }

    fn file_at(&self, id: &[u8]) -> Result<Option<FileRecord>, StoreError> {
        let none = super::vault::Changes::default();
        let found = self.vault.read(&none, Tree::File, id)?;
        Ok(found.map(|(record, _chunks): (FileRecord, u16)| record))
    }
}
