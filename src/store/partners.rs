//! Which partner in Odoo an external id stands for.

use crate::model::{AccountId, OdooId};

use super::Store;
use super::error::StoreError;
use super::keys::IdKey;
use super::layout::{AccountTag, Tree};
use super::vault::Changes;

impl Store {
    /// Remembers partners by the name part of their external ids.
    pub fn put_partners<'a>(
        &self,
        account: &AccountId,
        partners: impl IntoIterator<Item = (&'a str, OdooId)>,
    ) -> Result<(), StoreError> {
        let (account, id_key) = self.accounts.keyed(account)?;
        let mut queue = self.queue();
        let mut draft = self.draft();
        for (external, odoo_id) in partners {
            let key = partner_key(account.tag, id_key, external);
            self.vault.write(&mut draft.changes, Tree::Partner, &key, &odoo_id, 1)?;
        }
        draft.commit(&mut queue)
    }

    /// The partners of external ids, in the order asked.
    pub fn partners<'a>(
        &self,
        account: &AccountId,
        externals: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Option<OdooId>>, StoreError> {
        let (account, id_key) = self.accounts.keyed(account)?;
        let none = Changes::default();
        externals
            .into_iter()
            .map(|external| {
                let key = partner_key(account.tag, id_key, external);
                let found = self.vault.read(&none, Tree::Partner, &key)?;
                Ok(found.map(|(odoo_id, _chunks): (OdooId, u16)| odoo_id))
            })
            .collect()
    }

    /// Forgets partners that are gone from Odoo.
    pub fn forget_partners<'a>(
        &self,
        account: &AccountId,
        externals: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), StoreError> {
        let (account, id_key) = self.accounts.keyed(account)?;
        let mut queue = self.queue();
        let mut draft = self.draft();
        for external in externals {
            let key = partner_key(account.tag, id_key, external);
            draft.changes.remove(Tree::Partner, key);
        }
        draft.commit(&mut queue)
    }
}

fn partner_key(tag: AccountTag, id_key: &IdKey, external: &str) -> Vec<u8> {
    let mut key = tag.to_vec();
    key.extend(id_key.mac("partner", external.as_bytes()));
    key
}
