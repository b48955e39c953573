//! A store that lost what it knew: how that is noticed, and what brings it back.
//!
//! The database is an index (`DESIGN`: it can be rebuilt). Where it does not open although the master
//! key is the right one (which the decision journal's head proves), it is moved aside to
//! `store.corrupt-<UTC time>`, never deleted, and an empty one takes its place. Where it is gone and
//! the journal tells of an earlier life, likewise. Then the accounts are *lost*: nothing of theirs may
//! be claimed or delivered before [`Store::rebuilt`], or orders that people deleted would come again.
//! The mark is durable, so that no restart forgets it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Store;
use super::daykeys::sync_dir;
use super::entry::{Entry, instant};
use super::error::StoreError;
use super::layout::{AccountTag, SCHEMA_FILE, STORE_DIR, Tree, account_tag, meta_key};
use super::vault::{Changes, Vault};
use crate::model::{AccountId, Dossier, FileId, JobState, Mapping, OrderId, Released};

/// The name of an account's mark in `meta`.
const LOST: &str = "lost";

/// What is known again of one order.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The order.
    pub order: OrderId,
    /// What was kept of it beside its file; facts that files brought meanwhile stay.
    pub dossier: Option<Dossier>,
    /// Where it stands in Odoo; none leaves what is stored.
    pub mapping: Option<Mapping>,
    /// Holds that a person released.
    pub released: Vec<Released>,
    /// Its job's state, where no file says anything of it.
    pub state: JobState,
    /// Since when.
    pub since: Timestamp,
}

/// Whether the database cannot be opened for what is in it, not for the disk or the keys.
/// `proven`: the journal opened under the current master key. `single`: there is no older one.
pub(super) fn is_corrupt(error: &StoreError, proven: bool, single: bool) -> bool {
    match error {
        StoreError::Engine { corrupt, .. } => *corrupt,
        StoreError::Blobs { .. } | StoreError::BadSchema { .. } => true,
        StoreError::WrongKey { .. } => proven,
        // Under an older key it may be that key's bytes that are wrong.
        StoreError::Damaged { .. } => proven && single,
        _ => false,
    }
}

/// Moves the database aside. Says where to.
pub(super) fn move_aside(
    dir: &Path,
    schema_too: bool,
    now: Timestamp,
) -> Result<PathBuf, StoreError> {
    let time = now.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ");
    let name = (1..=u32::MAX)
        .map(|n| if n == 1 { String::new() } else { format!("-{n}") })
        .map(|tail| dir.join(format!("{STORE_DIR}.corrupt-{time}{tail}")))
        .find(|path| path.symlink_metadata().is_err())
        // invariant: there are more numbers than files.
        .unwrap_or_else(|| dir.join(format!("{STORE_DIR}.corrupt-{time}")));
    let store = dir.join(STORE_DIR);
    fs::rename(&store, &name).map_err(StoreError::io("moving aside", &store))?;
    let schema = dir.join(SCHEMA_FILE);
    if schema_too && schema.exists() {
        fs::rename(&schema, name.join(SCHEMA_FILE))
            .map_err(StoreError::io("moving aside", &schema))?;
    }
    sync_dir(dir)?;
    Ok(name)
}

/// Marks accounts as lost since `now`.
pub(super) fn mark(
    vault: &Vault,
    changes: &mut Changes,
    accounts: &BTreeSet<AccountId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    for account in accounts {
        let key = meta_key(LOST, account_tag(account));
        vault.write(changes, Tree::Meta, &key, &now.as_millisecond(), 0)?;
    }
    Ok(())
}

/// The accounts that are marked.
pub(super) fn marked(vault: &Vault) -> Result<BTreeMap<AccountTag, i64>, StoreError> {
    let head = format!("{LOST}/");
    let mut found = BTreeMap::new();
    for cell in vault.under(Tree::Meta, head.as_bytes()) {
        let (key, first) = cell?;
        let tag = key.get(head.len()..).and_then(|tag| AccountTag::try_from(tag).ok());
        let since: Option<(i64, u16)> = vault.read_cell(Tree::Meta, &key, &first)?;
        found.extend(tag.zip(since.map(|(since, _)| since)));
    }
    Ok(found)
}

impl Store {
    /// Whether what was known of an account is lost and not yet rebuilt: nothing of it may be
    /// claimed or delivered.
    pub fn is_lost(&self, account: &AccountId) -> bool {
        self.lost_since(account).is_some()
    }

    /// Since when.
    pub fn lost_since(&self, account: &AccountId) -> Option<Timestamp> {
        let lost = self.lost.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        lost.get(&account_tag(account)).copied().map(instant)
    }

    /// Where the database was moved to at opening, because it could not be read.
    pub fn moved_aside(&self) -> Option<&Path> {
        self.moved_aside.as_deref()
    }

    /// The account is rebuilt; durable when it returns.
    pub fn rebuilt(&self, account: &AccountId) -> Result<(), StoreError> {
        let tag = account_tag(account);
        // All that was restored first: the mark must not go before it.
        self.barrier()?;
        let mut queue = self.queue();
        let mut draft = self.draft();
        super::vault::delete(&mut draft.changes, Tree::Meta, &meta_key(LOST, tag), 1);
        draft.commit(&mut queue)?;
        drop(queue);
        self.barrier()?;
        self.lost.write().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&tag);
        Ok(())
    }

    /// Takes back what is known of orders, in one transaction. What files have said meanwhile stays
    /// and stays due.
    pub fn restore(&self, account: &AccountId, orders: Vec<Restored>) -> Result<(), StoreError> {
        let (account, id_key) = self.accounts.keyed(account)?;
        let mut queue = self.queue();
        let mut draft = self.draft();
        for restored in orders {
            let key = account.order_key(id_key, &restored.order);
            let found = draft.load(&key)?;
            let before = found.as_ref().map(|(entry, _)| entry.mark());
            let (mut entry, chunks) = found.unwrap_or_else(|| {
                let since_ms = restored.since.as_millisecond();
                let mut entry = Entry::new(restored.order, &FileId::from_bits(0), since_ms);
                entry.state = restored.state;
                (entry, 0)
            });
            if let Some(kept) = restored.dossier {
                for (family, standing) in kept.facts {
                    entry.dossier.facts.entry(family).or_insert(standing);
                }
                for (family, refused) in kept.refused {
                    entry.dossier.refused.entry(family).or_insert(refused);
                }
                if before.is_none() {
                    entry.dossier.last_file = kept.last_file;
                    entry.dossier.attention = kept.attention;
                }
                if entry.dossier.mapping.is_none() {
                    // Its base is not the newest: a delivery may have come after it.
                    entry.dossier.mapping =
                        kept.mapping.map(|mapping| Mapping { base_lost: true, ..mapping });
                }
            }
            for released in restored.released {
                released.add_to(&mut entry.dossier.released);
            }
            if restored.mapping.is_some() {
                entry.dossier.mapping = restored.mapping;
            }
            draft.store(account, &key, before, &entry, chunks)?;
        }
        draft.commit(&mut queue)
    }
}
