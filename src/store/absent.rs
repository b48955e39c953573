//! A person's word that orders which are gone from Odoo were deleted on purpose.

use jiff::Timestamp;

use super::Store;
use super::entry::instant;
use super::error::StoreError;
use super::layout::{Tree, meta_key};
use super::vault::Changes;
use crate::model::{AccountId, Note};

/// The name of an account's word in `meta`.
const ACCEPTED: &str = "deleted-accepted";

impl Store {
    /// Believes that what is gone of an account as of now is deleted. First in the journal; durable
    /// when it returns.
    pub fn accept_deleted(
        &self,
        account: &AccountId,
        by: Option<u32>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let place = meta_key(ACCEPTED, self.accounts.get(account)?.tag);
        self.note(&[Note::DeletedAccepted { account: account.clone(), by, at: now }])?;
        let mut changes = Changes::default();
        let before: Option<(i64, u16)> = self.vault.read(&changes, Tree::Meta, &place)?;
        let cells = before.map_or(0, |(_, cells)| cells);
        self.vault.write(&mut changes, Tree::Meta, &place, &now.as_millisecond(), cells)?;
        self.vault.apply(&changes)?;
        self.barrier()
    }

    /// Orders of an account that were last written before this, and are gone, were deleted.
    pub fn accepted_deleted(&self, account: &AccountId) -> Result<Option<Timestamp>, StoreError> {
        let place = meta_key(ACCEPTED, self.accounts.get(account)?.tag);
        let at: Option<(i64, u16)> = self.vault.read(&Changes::default(), Tree::Meta, &place)?;
        Ok(at.map(|(ms, _)| instant(ms)))
    }
}
