//! The attention list: what a person should look at, of orders, of files, and of accounts as a whole.
//!
//! Entries of an order stand in its dossier; those of files and accounts have a tree of their own.
//! Which orders, files and accounts have open ones stands in the index and in the counters, so that
//! listing and counting cost what is open and nothing else. A dismissal is a person's decision: it
//! stands in the decision journal before it stands here, and survives a rebuild.

use jiff::Timestamp;

use super::Store;
use super::draft::Draft;
use super::error::StoreError;
use super::layout::{
    ATTENTION, AccountTag, RECORD_KEY_BYTES, Tree, after_head, index_head, record_of, subject_key,
};
use super::vault::Changes;
use crate::model::{
    AccountId, Attention, AttentionCode, FileId, FileRecord, FileState, Note, Subject,
};

/// The open entries of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noticed {
    /// The account.
    pub account: AccountId,
    /// The order, file, or the account itself.
    pub subject: Subject,
    /// What is not dismissed.
    pub entries: Vec<Attention>,
}

impl Store {
    /// Subjects with something to look at, up to `limit`: the accounts themselves, then files, then
    /// orders. True if there are more.
    pub fn attention(
        &self,
        account: Option<&AccountId>,
        limit: usize,
    ) -> Result<(Vec<Noticed>, bool), StoreError> {
        let mut found = Vec::new();
        for known in self.accounts.all() {
            if account.is_some_and(|wanted| *wanted != known.id) {
                continue;
            }
            let head = index_head(ATTENTION, known.tag);
            let end = after_head(&head);
            for cell in self.vault.range(Tree::Index, &head, end.as_deref()) {
                let (place, _) = cell?;
                let entries = match self.entries_at(&place) {
                    Err(StoreError::Damaged { .. } | StoreError::UnknownKey { .. }) => continue,
                    entries => entries?,
                };
                let open: Vec<Attention> =
                    entries.into_iter().filter(|entry| entry.dismissed.is_none()).collect();
                let Some(first) = open.first() else { continue };
                if found.len() >= limit {
                    return Ok((found, true));
                }
                let (account, subject) = (known.id.clone(), first.subject.clone());
                found.push(Noticed { account, subject, entries: open });
            }
        }
        Ok((found, false))
    }

    /// All entries of a file or an account, dismissed ones included; of an order those of its
    /// dossier.
    pub fn attention_of(
        &self,
        account: &AccountId,
        subject: &Subject,
    ) -> Result<Vec<Attention>, StoreError> {
        let known = self.accounts.get(account)?;
        match subject {
            Subject::Record(order) => {
                let key = self.key(account, order)?;
                Ok(self.entry(&key)?.map(|entry| entry.dossier.attention).unwrap_or_default())
            }
            Subject::File(_) | Subject::Account => {
                Ok(self.subject_entries(&self.draft(), known.tag, subject)?.0)
            }
        }
    }

    /// Adds an entry, unless it is known, also as dismissed. True if it is news. Of an order that
    /// is not known nothing is kept.
    pub fn attend(&self, account: &AccountId, new: Attention) -> Result<bool, StoreError> {
        self.change_attention(account, &new.subject.clone(), |list| {
            let before = list.clone();
            Attention::add(list, new);
            *list != before
        })
    }

    /// Ends entries of one code that need nobody any more. Returns whether there were any.
    pub fn unattend(
        &self,
        account: &AccountId,
        subject: &Subject,
        code: AttentionCode,
    ) -> Result<bool, StoreError> {
        self.change_attention(account, subject, |list| {
            let before = list.len();
            list.retain(|entry| entry.code != code);
            list.len() != before
        })
    }

    /// Dismisses the entries of a subject, or those of one code. It stands in the decision journal
    /// first. Returns how many.
    pub fn dismiss(
        &self,
        account: &AccountId,
        subject: &Subject,
        code: Option<AttentionCode>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let open: Vec<Attention> = self
            .attention_of(account, subject)?
            .into_iter()
            .filter(|entry| entry.dismissed.is_none() && code.is_none_or(|code| code == entry.code))
            .collect();
        let notes: Vec<Note> = open
            .iter()
            .map(|entry| Note::Dismissed {
                account: account.clone(),
                subject: subject.clone(),
                code: entry.code,
                key: entry.key.clone(),
                at: now,
            })
            .collect();
        self.note(&notes)?;
        self.change_attention(account, subject, |list| {
            for entry in list.iter_mut().filter(|entry| open.iter().any(|one| one.is_same(entry))) {
                entry.dismissed = entry.dismissed.or(Some(now));
            }
            !open.is_empty()
        })?;
        Ok(u64::try_from(open.len()).unwrap_or(u64::MAX))
    }

    /// Takes back what a person dismissed before the state was lost: entries of these that are there
    /// or come are dismissed.
    pub fn redismiss(
        &self,
        account: &AccountId,
        dismissed: Vec<Attention>,
    ) -> Result<(), StoreError> {
        for entry in dismissed {
            self.change_attention(account, &entry.subject.clone(), |list| {
                Attention::add(list, entry);
                true
            })?;
        }
        Ok(())
    }

    /// Changes the entries of one subject where `change` says so.
    fn change_attention(
        &self,
        account: &AccountId,
        subject: &Subject,
        change: impl FnOnce(&mut Vec<Attention>) -> bool,
    ) -> Result<bool, StoreError> {
        let known = self.accounts.get(account)?;
        let mut queue = self.queue();
        let mut draft = self.draft();
        let changed = match subject {
            Subject::Record(order) => {
                let key = self.key(account, order)?;
                let Some((mut entry, chunks)) = draft.load(&key)? else { return Ok(false) };
                let before = entry.mark();
                let changed = change(&mut entry.dossier.attention);
                if changed {
                    draft.store(known, &key, Some(before), &entry, chunks)?;
                }
                changed
            }
            Subject::File(_) | Subject::Account => {
                let (mut list, cells) = self.subject_entries(&draft, known.tag, subject)?;
                let before = Attention::any_open(&list);
                let changed = change(&mut list);
                if changed {
                    draft.store_attention(known.tag, subject, before, &list, cells)?;
                }
                changed
            }
        };
        if changed {
            draft.commit(&mut queue)?;
        }
        Ok(changed)
    }

    /// What costs money in a file that was taken in becomes something to look at; what was dismissed
    /// of it stays so.
    pub(super) fn attend_file(
        &self,
        draft: &mut Draft<'_>,
        tag: AccountTag,
        record: &FileRecord,
    ) -> Result<(), StoreError> {
        let costly = record.notices.iter().filter(|notice| notice.costs_money);
        if record.state != FileState::Done {
            return Ok(());
        }
        let subject = Subject::File(record.id.clone());
        let (mut list, cells) = self.subject_entries(draft, tag, &subject)?;
        let before = list.clone();
        for notice in costly {
            let (code, key) = (AttentionCode::FileNotice, notice.code.as_str());
            let new = Attention::new(subject.clone(), code, key, &*notice.text, record.since);
            Attention::add(&mut list, new);
        }
        if list != before {
            let open = Attention::any_open(&before);
            draft.store_attention(tag, &subject, open, &list, cells)?;
        }
        Ok(())
    }

    /// A file is forgotten, and what was to be looked at in it.
    pub(super) fn forget_attention(
        &self,
        draft: &mut Draft<'_>,
        tag: AccountTag,
        file: &FileId,
    ) -> Result<(), StoreError> {
        let subject = Subject::File(file.clone());
        let (list, cells) = self.subject_entries(draft, tag, &subject)?;
        if list.is_empty() {
            return Ok(());
        }
        draft.store_attention(tag, &subject, Attention::any_open(&list), &[], cells)
    }

    /// The entries of a file or an account, and how many cells they take.
    fn subject_entries(
        &self,
        draft: &Draft<'_>,
        tag: AccountTag,
        subject: &Subject,
    ) -> Result<(Vec<Attention>, u16), StoreError> {
        let Some(key) = subject_key(tag, subject) else { return Ok((Vec::new(), 0)) };
        Ok(self.vault.read(&draft.changes, Tree::Attention, &key)?.unwrap_or_default())
    }

    /// The entries that an index key of the attention list leads to.
    fn entries_at(&self, place: &[u8]) -> Result<Vec<Attention>, StoreError> {
        let key = place.get(1..).unwrap_or_default();
        if key.len() == RECORD_KEY_BYTES {
            let entry = record_of(place).map(|key| self.entry(&key)).transpose()?.flatten();
            return Ok(entry.map(|entry| entry.dossier.attention).unwrap_or_default());
        }
        let found = self.vault.read(&Changes::default(), Tree::Attention, key)?;
        Ok(found.map(|(entries, _cells): (_, u16)| entries).unwrap_or_default())
    }
}

/// The worker's list joined with what was added and dismissed while it worked.
pub(super) fn merged(stored: &[Attention], worker: &[Attention]) -> Vec<Attention> {
    let mut list = stored.to_vec();
    for entry in worker {
        Attention::add(&mut list, entry.clone());
    }
    list
}
