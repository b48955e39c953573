//! Walking the whole store and comparing what must agree. For tests and for a doubting operator.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Attention, Family};

use super::Store;
use super::draft::Draft;
use super::entry::Entry;
use super::error::StoreError;
use super::files::FileFilter;
use super::layout::{
    ATTENTION, AccountTag, DEAD, DUE, HELD, RECORD_KEY_BYTES, RecordKey, Tree, account_tag,
    attention_key, buyer_key, index_keys, subject_of,
};
use super::open::blobs_empty;
use super::tally::{Counter, Tally};

impl Store {
    /// What does not agree with itself: one sentence each, without contents. Empty is well.
    pub fn verify(&self) -> Result<Vec<String>, StoreError> {
        let queue = self.queue();
        let draft = self.draft();
        let mut wrong = Vec::new();
        let mut tallies: BTreeMap<_, Tally> = BTreeMap::new();
        let mut expected: BTreeSet<Vec<u8>> = BTreeSet::new();
        for cell in self.vault.under(Tree::Record, &[]) {
            let (place, first) = cell?;
            let Some(key) = Some(&place)
                .filter(|place| place.len() == RECORD_KEY_BYTES)
                .and_then(|place| RecordKey::from_slice(place))
            else {
                continue;
            };
            let entry: Entry = match self.vault.read_cell(Tree::Record, &place, &first) {
                Ok(Some((entry, _))) => entry,
                Ok(None) => continue,
                Err(error) => {
                    wrong.push(error.to_string());
                    continue;
                }
            };
            let mark = entry.mark();
            let tally = tallies.entry(key.tag()).or_default();
            tally.add(&mark.state);
            tally.notice(mark.attention);
            expected.extend(mark.attention.then(|| attention_key(&key)));
            if let Some(id_key) = &self.accounts.by_tag(key.tag())?.id_key {
                expected.extend(index_keys(&key, id_key, &entry.state, (entry.lane, entry.due_ms)));
            }
            self.verify_buyers(&draft, &key, &entry, &mut wrong)?;
        }
        self.verify_attention(&mut tallies, &mut expected, &mut wrong)?;
        for account in self.accounts.all() {
            let (kept, counted) =
                (queue.stored_tally(account.tag), tallies.remove(&account.tag).unwrap_or_default());
            if kept != counted {
                wrong.push(format!("{}: counters say {kept:?}, there are {counted:?}", account.id));
            }
            if account.id_key.is_none() {
                continue;
            }
            for kind in [DUE, HELD, DEAD, ATTENTION] {
                for cell in
                    self.vault.under(Tree::Index, &super::layout::index_head(kind, account.tag))
                {
                    let (place, _) = cell?;
                    if !expected.remove(place.as_ref()) {
                        wrong.push(format!("index {}: an entry without its job", char::from(kind)));
                    }
                }
            }
        }
        for missing in expected {
            let kind = missing.first().copied().map_or(' ', char::from);
            wrong.push(format!("index {kind}: a job without its entry"));
        }
        if let Err(error) = blobs_empty(&self.path) {
            wrong.push(error.to_string());
        }
        Ok(wrong)
    }

    /// Counts what is to be looked at of files and accounts, and the files with notices.
    fn verify_attention(
        &self,
        tallies: &mut BTreeMap<AccountTag, Tally>,
        expected: &mut BTreeSet<Vec<u8>>,
        wrong: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        for cell in self.vault.under(Tree::Attention, &[]) {
            let (place, first) = cell?;
            let Some((tag, is_file)) = subject_of(&place) else { continue };
            let list: Vec<Attention> = match self.vault.read_cell(Tree::Attention, &place, &first) {
                Ok(found) => found.map(|(list, _cells)| list).unwrap_or_default(),
                Err(error) => {
                    wrong.push(error.to_string());
                    continue;
                }
            };
            let open = Attention::any_open(&list);
            let counter = if is_file { Counter::AttentionFiles } else { Counter::AttentionAccount };
            tallies.entry(tag).or_default().count(counter, false, open);
            expected.extend(open.then(|| [&[ATTENTION][..], place.as_ref()].concat()));
        }
        for file in self.files(&FileFilter::default(), usize::MAX)? {
            let tag = account_tag(&file.account);
            let noticed = !file.notices.is_empty();
            tallies.entry(tag).or_default().count(Counter::NoticedFiles, false, noticed);
        }
        Ok(())
    }

    fn verify_buyers(
        &self,
        draft: &Draft<'_>,
        key: &RecordKey,
        entry: &Entry,
        wrong: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        for family in Family::ALL {
            let place = buyer_key(key, family.tag());
            let there = self.vault.raw(&draft.changes, Tree::Buyer, &place)?.is_some();
            if there != entry.has_buyer(family) {
                wrong.push(format!("buyer {key}: the order and the tree disagree"));
            }
        }
        Ok(())
    }
}
