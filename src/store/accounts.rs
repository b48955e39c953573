//! The accounts of a store: their tags and id keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{AccountId, OrderId};

use super::error::StoreError;
use super::keys::{IdKey, StoreKeys};
use super::layout::{AccountTag, KIND_ORDER, RecordKey, Tree, account_tag, hex, meta_key};
use super::vault::{Changes, Vault};
use secrecy::ExposeSecret as _;

/// One account.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) id: AccountId,
    pub(super) tag: AccountTag,
    /// None where the account has records here, but is not configured any more.
    pub(super) id_key: Option<IdKey>,
}

/// All accounts that have a key or a record.
#[derive(Debug, Default)]
pub(super) struct Accounts(BTreeMap<AccountTag, Account>);

/// What `meta` remembers of an account.
#[derive(Debug, Serialize, Deserialize)]
struct Registered {
    id: AccountId,
    /// Shows that the id key is still the same.
    check: [u8; 16],
}

const REGISTERED: &str = "account";

impl Accounts {
    /// Reads the registered accounts, adds the given ones, and refuses what cannot go together.
    pub(super) fn load(
        vault: &Vault,
        changes: &mut Changes,
        keys: &StoreKeys,
    ) -> Result<Self, StoreError> {
        let mut known = Self::default();
        for (id, secret) in &keys.id_keys {
            let id_key = IdKey::new(secret.expose_secret());
            known.add(id.clone(), Some(id_key))?;
        }
        for cell in vault.under(Tree::Meta, format!("{REGISTERED}/").as_bytes()) {
            let (key, first) = cell?;
            let read = vault.read_cell::<Registered>(Tree::Meta, &key, &first)?;
            let Some((registered, _)) = read else { continue };
            match known.0.get(&account_tag(&registered.id)) {
                Some(account) if account.id != registered.id => {
                    return Err(collision(&account.id, &registered.id));
                }
                Some(account) => {
                    let check = account.id_key.as_ref().map(|id_key| id_key.mac("check", b""));
                    if check.is_some_and(|check| check != registered.check) {
                        let account = registered.id.to_string();
                        return Err(StoreError::IdKeyChanged { account });
                    }
                }
                None => known.add(registered.id, None)?,
            }
        }
        for account in known.0.values() {
            let Some(id_key) = &account.id_key else { continue };
            let key = meta_key(REGISTERED, account.tag);
            if vault.raw(changes, Tree::Meta, &key)?.is_none() {
                let registered =
                    Registered { id: account.id.clone(), check: id_key.mac("check", b"") };
                vault.write(changes, Tree::Meta, &key, &registered, 0)?;
            }
        }
        Ok(known)
    }

    fn add(&mut self, id: AccountId, id_key: Option<IdKey>) -> Result<(), StoreError> {
        let tag = account_tag(&id);
        if let Some(other) = self.0.get(&tag) {
            return Err(collision(&other.id, &id));
        }
        self.0.insert(tag, Account { id, tag, id_key });
        Ok(())
    }

    /// All accounts, by tag.
    pub(super) fn all(&self) -> impl Iterator<Item = &Account> {
        self.0.values()
    }

    pub(super) fn by_tag(&self, tag: AccountTag) -> Result<&Account, StoreError> {
        self.0.get(&tag).ok_or_else(|| StoreError::UnknownAccount { account: hex(&tag) })
    }

    pub(super) fn get(&self, account: &AccountId) -> Result<&Account, StoreError> {
        self.0
            .get(&account_tag(account))
            .filter(|known| known.id == *account)
            .ok_or_else(|| StoreError::UnknownAccount { account: account.to_string() })
    }

    /// An account that can be written to, and its id key.
    pub(super) fn keyed(&self, account: &AccountId) -> Result<(&Account, &IdKey), StoreError> {
        let known = self.get(account)?;
        known.keyed().map(|id_key| (known, id_key))
    }

    pub(super) fn order_key(
        &self,
        account: &AccountId,
        order: &OrderId,
    ) -> Result<RecordKey, StoreError> {
        let (known, id_key) = self.keyed(account)?;
        Ok(known.order_key(id_key, order))
    }
}

impl Account {
    pub(super) fn keyed(&self) -> Result<&IdKey, StoreError> {
        self.id_key
            .as_ref()
            .ok_or_else(|| StoreError::UnknownAccount { account: self.id.to_string() })
    }

    pub(super) fn order_key(&self, id_key: &IdKey, order: &OrderId) -> RecordKey {
        RecordKey::new(self.tag, KIND_ORDER, id_key.record_mac(KIND_ORDER, order.as_str()))
    }
}

fn collision(first: &AccountId, second: &AccountId) -> StoreError {
    StoreError::AccountCollision { first: first.to_string(), second: second.to_string() }
}
