//! Which Odoo an account's orders stand in, and mending what is known of them after that Odoo was
//! restored.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Store;
use super::buyers::BuyerState;
use super::entry::Entry;
use super::error::StoreError;
use super::layout::{
    KIND_ORDER, RECORD_KEY_BYTES, RecordKey, TOUCH, Tree, account_tag, after_head, buyer_key,
    file_in_touch, meta_key, record_of,
};
use super::vault::{Changes, Vault, delete};
use crate::model::{
    AccountId, Base, Family, FileId, Hold, HoldCode, JobState, Mapping, OdooId, OdooPin, OrderId,
    Stage,
};

/// The name of an account's pin in `meta`.
const PIN: &str = "odoo";
/// Orders mended in one transaction.
const BATCH: usize = 200;

/// An order that stands in Odoo, as far as we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedOrder {
    /// Its record.
    pub key: RecordKey,
    /// Its id.
    pub order_id: OrderId,
    /// What we know to stand there.
    pub mapping: Mapping,
}

/// What is to be mended about a mapped order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mend {
    /// It stands under another database id.
    Moved(OdooId),
    /// It stands as it was before our last change: that is its base now, and it is looked at again.
    Older(OdooId),
    /// A person deleted it.
    Deleted,
    /// It is not there: to be created again, under the same external ids.
    Missing,
}

/// What came of mending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mended {
    /// Orders that are due now, or once their buyer was read again.
    pub requeued: u64,
    /// Those of them whose buyer must be read again from its sealed file.
    pub buyers: BTreeSet<RecordKey>,
    /// On their way to Odoo just now, and left alone.
    pub busy: u64,
}

/// Puts the pins that the decision journal tells of into a new database.
pub(super) fn restore(
    vault: &Vault,
    changes: &mut Changes,
    pins: &BTreeMap<AccountId, OdooPin>,
) -> Result<(), StoreError> {
    for (account, pin) in pins {
        vault.write(changes, Tree::Meta, &meta_key(PIN, account_tag(account)), pin, 0)?;
    }
    Ok(())
}

impl Store {
    /// Which Odoo the account's orders stand in.
    pub fn pin(&self, account: &AccountId) -> Result<Option<OdooPin>, StoreError> {
        let place = meta_key(PIN, self.accounts.get(account)?.tag);
        let found = self.vault.read(&Changes::default(), Tree::Meta, &place)?;
        Ok(found.map(|(pin, _cells): (OdooPin, u16)| pin))
    }

    /// Remembers that. Not durable before the next [`Store::barrier`].
    pub fn put_pin(&self, account: &AccountId, pin: &OdooPin) -> Result<(), StoreError> {
        let place = meta_key(PIN, self.accounts.get(account)?.tag);
        let mut queue = self.queue();
        let mut draft = self.draft();
        self.vault.write(&mut draft.changes, Tree::Meta, &place, pin, 1)?;
        draft.commit(&mut queue)
    }

    /// The check value of an account's id key, in hexadecimal.
    pub fn id_key_check(&self, account: &AccountId) -> Result<String, StoreError> {
        Ok(super::layout::hex(&self.id_key(account)?.mac("check", b"")))
    }

    /// Orders that have a mapping, a page of `limit` records at a time; then where to go on.
    pub fn mapped(
        &self,
        account: &AccountId,
        from: Option<RecordKey>,
        limit: usize,
    ) -> Result<(Vec<MappedOrder>, Option<RecordKey>), StoreError> {
        let tag = self.accounts.get(account)?.tag;
        let first = RecordKey::new(tag, KIND_ORDER, [0; 16]);
        let start = from.as_ref().unwrap_or(&first).as_bytes().to_vec();
        let end = after_head(&[&tag[..], &[KIND_ORDER]].concat());
        let mut found = Vec::new();
        let mut seen = 0_usize;
        for cell in self.vault.range(Tree::Record, &start, end.as_deref()) {
            let (place, first) = cell?;
            if place.len() != RECORD_KEY_BYTES {
                continue;
            }
            let Some(key) = RecordKey::from_slice(&place) else { continue };
            if seen >= limit {
                return Ok((found, Some(key)));
            }
            seen = seen.saturating_add(1);
            let entry = match self.vault.read_cell::<Entry>(Tree::Record, &place, &first) {
                Ok(Some((entry, _))) => entry,
                Ok(None) | Err(StoreError::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            if let Some(mapping) = entry.dossier.mapping {
                found.push(MappedOrder { key, order_id: entry.dossier.order_id, mapping });
            }
        }
        Ok((found, None))
    }

    /// Mends what is known of these orders. Not durable before the next [`Store::barrier`].
    ///
    /// An order whose buyer was forgotten, because Odoo had it, waits for its sealed file: the buyer
    /// in it is news then.
    pub fn mend(&self, mends: &[(RecordKey, Mend)], now: Timestamp) -> Result<Mended, StoreError> {
        let mut done = Mended::default();
        for batch in mends.chunks(BATCH) {
            self.mend_batch(batch, now.as_millisecond(), &mut done)?;
        }
        Ok(done)
    }

    fn mend_batch(
        &self,
        mends: &[(RecordKey, Mend)],
        now_ms: i64,
        done: &mut Mended,
    ) -> Result<(), StoreError> {
        let mut queue = self.queue();
        let mut draft = self.draft();
        let mut batch = Mended::default();
        for (key, mend) in mends {
            if queue.lease(key).is_some() {
                batch.busy = batch.busy.saturating_add(1);
                continue;
            }
            let Some((mut entry, chunks)) = draft.load(key)? else { continue };
            let before = entry.mark();
            let Some(mapping) = &mut entry.dossier.mapping else { continue };
            if *mend == Mend::Deleted {
                mapping.deleted = true;
                let account = self.accounts.by_tag(key.tag())?;
                draft.store(account, key, Some(before), &entry, chunks)?;
                continue;
            }
            // Without a name the next look takes what it finds as the base.
            mapping.name = String::new();
            mapping.state = String::new();
            mapping.lines.clear();
            mapping.base = Base::default();
            match mend {
                Mend::Deleted => {}
                Mend::Moved(id) => mapping.odoo_id = *id,
                Mend::Older(id) => {
                    mapping.odoo_id = *id;
                    mapping.stage = None;
                }
                Mend::Missing => {
                    mapping.odoo_id = 0;
                    mapping.stage = Some(Stage::Creating);
                }
            }
            if !matches!(mend, Mend::Moved(_)) {
                batch.requeued = batch.requeued.saturating_add(1);
                entry.generation = entry.generation.saturating_add(1);
                entry.arm(now_ms);
                let mut forgotten = false;
                for family in Family::ALL.into_iter().filter(|family| entry.has_buyer(*family)) {
                    forgotten |=
                        !matches!(self.buyer(&draft, key, family)?, Some(BuyerState::Known(_)));
                }
                if forgotten {
                    for family in Family::ALL {
                        if entry.has_buyer(family) {
                            let cells = self.buyer_cells(&draft, key, family)?;
                            let place = buyer_key(key, family.tag());
                            delete(&mut draft.changes, Tree::Buyer, &place, cells);
                            entry.set_buyer(family, false);
                        }
                    }
                    let text = "Odoo lost this order and its buyer is not kept here: it is read \
                                again from its sealed file; if that is gone, release the order \
                                to go on without";
                    let hold = Hold::new(HoldCode::Address, "buyer", text);
                    entry.put(JobState::Held(vec![hold]), now_ms);
                    batch.buyers.insert(*key);
                }
            }
            let account = self.accounts.by_tag(key.tag())?;
            draft.store(account, key, Some(before), &entry, chunks)?;
        }
        draft.commit(&mut queue)?;
        done.requeued = done.requeued.saturating_add(batch.requeued);
        done.busy = done.busy.saturating_add(batch.busy);
        done.buyers.extend(batch.buyers);
        Ok(())
    }

    /// Forgets all partners of an account: they are looked up in Odoo again.
    pub fn forget_all_partners(&self, account: &AccountId) -> Result<(), StoreError> {
        let tag = self.accounts.get(account)?.tag;
        let keys: Vec<Vec<u8>> = self
            .vault
            .under(Tree::Partner, &tag)
            .map(|cell| cell.map(|(key, _)| key.to_vec()))
            .collect::<Result<_, _>>()?;
        for batch in keys.chunks(BATCH) {
            let mut queue = self.queue();
            let mut draft = self.draft();
            for key in batch {
                draft.changes.remove(Tree::Partner, key.clone());
            }
            draft.commit(&mut queue)?;
        }
        Ok(())
    }

    /// Files that said something new of any of these orders.
    pub fn files_of(&self, records: &BTreeSet<RecordKey>) -> Result<BTreeSet<FileId>, StoreError> {
        let mut files = BTreeSet::new();
        if records.is_empty() {
            return Ok(files);
        }
        for cell in self.vault.under(Tree::Index, &[TOUCH]) {
            let (key, _) = cell?;
            if record_of(&key).is_some_and(|record| records.contains(&record)) {
                files.extend(file_in_touch(&key));
            }
        }
        Ok(files)
    }
}
