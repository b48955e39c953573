//! Pauses that a person ordered: per account, or of all. They outlive a restart: each change is
//! durable when its call returns.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Store;
use super::accounts::Accounts;
use super::error::StoreError;
use super::layout::{AccountTag, Tree, account_tag, meta_key};
use super::vault::{Changes, Vault, delete};
use crate::model::{AccountId, Note};

/// The name of an account's pause in `meta`.
const PAUSE: &str = "pause";
/// The pause of all accounts, also of those that are added later.
const PAUSE_ALL: &[u8] = b"pause-all";

/// A pause that a person ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The user who ordered it, as the control socket knew them.
    pub by: Option<u32>,
    /// Since when.
    pub since: Timestamp,
    /// No file is taken in either.
    pub intake: bool,
    /// It holds for all accounts.
    pub all: bool,
}

/// All pauses; in memory beside the store's own.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    all: Option<Pause>,
    accounts: BTreeMap<AccountTag, Pause>,
}

impl Pauses {
    pub(super) fn load(
        vault: &Vault,
        changes: &Changes,
        accounts: &Accounts,
    ) -> Result<Self, StoreError> {
        let all = vault.read(changes, Tree::Meta, PAUSE_ALL)?.map(|(pause, _)| pause);
        let mut known = BTreeMap::new();
        for account in accounts.all() {
            let found = vault.read(changes, Tree::Meta, &meta_key(PAUSE, account.tag))?;
            if let Some((pause, _)) = found {
                known.insert(account.tag, pause);
            }
        }
        Ok(Self { all, accounts: known })
    }
}

/// The pauses that the decision journal tells of, read from its first note to its last.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<Option<AccountId>, Pause>);

impl Told {
    /// What one note changes.
    pub(super) fn hear(&mut self, note: &Note) {
        match note {
            Note::Paused { account, by, intake, at } => {
                let (by, intake, all) = (*by, *intake, account.is_none());
                self.0.insert(account.clone(), Pause { by, since: *at, intake, all });
            }
            Note::Resumed { account: None, .. } => self.0.clear(),
            Note::Resumed { account, .. } => {
                self.0.remove(account);
            }
            _ => {}
        }
    }

    /// Puts those that stand into a new database.
    pub(super) fn restore(&self, vault: &Vault, changes: &mut Changes) -> Result<(), StoreError> {
        for (account, pause) in &self.0 {
            let tag = account.as_ref().map(account_tag);
            vault.write(changes, Tree::Meta, &place(tag), pause, 0)?;
        }
        Ok(())
    }
}

impl Store {
    /// The pause that holds for an account: its own, else that of all.
    pub fn paused(&self, account: &AccountId) -> Option<Pause> {
        let tag = self.accounts.get(account).ok()?.tag;
        let pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let (own, all) = (pauses.accounts.get(&tag).copied(), pauses.all);
        let intake = own.is_some_and(|own| own.intake) || all.is_some_and(|all| all.intake);
        own.or(all).map(|pause| Pause { intake, ..pause })
    }

    /// The pause of all accounts.
    pub fn paused_all(&self) -> Option<Pause> {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner).all
    }

    /// Pauses an account, or all. A pause that stands keeps its author and its time; only whether
    /// files are taken in changes. True if that is news. Durable when it returns.
    pub fn pause(
        &self,
        account: Option<&AccountId>,
        by: Option<u32>,
        intake: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let tag = account.map(|id| self.accounts.get(id).map(|known| known.tag)).transpose()?;
        let new = Pause { by, since: now, intake, all: tag.is_none() };
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = match tag {
            Some(tag) => pauses.accounts.get(&tag).copied(),
            None => pauses.all,
        };
        let pause = standing.map_or(new, |standing| Pause { intake, ..standing });
        if standing != Some(pause) {
            let Pause { by, since: at, intake, .. } = pause;
            self.note(&[Note::Paused { account: account.cloned(), by, intake, at }])?;
            let mut changes = Changes::default();
            let cells = u16::from(standing.is_some());
            self.vault.write(&mut changes, Tree::Meta, &place(tag), &pause, cells)?;
            self.vault.apply(&changes)?;
        }
        match tag {
            Some(tag) => drop(pauses.accounts.insert(tag, pause)),
            None => pauses.all = Some(pause),
        }
        drop(pauses);
        self.barrier()?;
        Ok(standing.is_none())
    }

    /// Ends the pause of an account, or of all and of each. Says whether there was one. Durable
    /// when it returns.
    pub fn resume(&self, account: Option<&AccountId>, now: Timestamp) -> Result<bool, StoreError> {
        let tag = account.map(|id| self.accounts.get(id).map(|known| known.tag)).transpose()?;
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let ended: Vec<Option<AccountTag>> = if let Some(tag) = tag {
            pauses.accounts.contains_key(&tag).then_some(Some(tag)).into_iter().collect()
        } else {
            let all = pauses.all.map(|_| None).into_iter();
            all.chain(pauses.accounts.keys().copied().map(Some)).collect()
        };
        if !ended.is_empty() {
            self.note(&[Note::Resumed { account: account.cloned(), at: now }])?;
        }
        let mut changes = Changes::default();
        for tag in &ended {
            delete(&mut changes, Tree::Meta, &place(*tag), 1);
        }
        self.vault.apply(&changes)?;
        for tag in &ended {
            match tag {
                Some(tag) => drop(pauses.accounts.remove(tag)),
                None => pauses.all = None,
            }
        }
        drop(pauses);
        self.barrier()?;
        Ok(!ended.is_empty())
    }
}

fn place(tag: Option<AccountTag>) -> Vec<u8> {
    tag.map_or_else(|| PAUSE_ALL.to_vec(), |tag| meta_key(PAUSE, tag))
}
