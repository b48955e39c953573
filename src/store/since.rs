//! When this installation first knew an account.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Store;
use super::error::StoreError;
use super::layout::{Tree, meta_key};
use super::vault::Changes;
use crate::model::{AccountId, Note};

/// The name of an account's first day in `meta`.
const SINCE: &str = "since";

impl Store {
    /// The start (UTC) of the day on which this installation first knew the account: today, if it
    /// did not yet. From then on orders are created where the settings name no other day.
    pub fn installed(&self, account: &AccountId, now: Timestamp) -> Result<Timestamp, StoreError> {
        let tag = self.accounts.get(account)?.tag;
        let place = meta_key(SINCE, tag);
        let noted = self.noted_since(account)?;
        let mut queue = self.queue();
        let mut draft = self.draft();
        let known: Option<(i64, u16)> = self.vault.read(&draft.changes, Tree::Meta, &place)?;
        if let Some((since_ms, _)) = known {
            return Ok(super::entry::instant(since_ms));
        }
        let today = now.to_zoned(TimeZone::UTC).start_of_day().map_or(now, |day| day.timestamp());
        if noted.is_none() {
            self.note(&[Note::Since { account: account.clone(), at: today }])?;
        }
        let today = noted.unwrap_or(today);
        self.vault.write(&mut draft.changes, Tree::Meta, &place, &today.as_millisecond(), 0)?;
        draft.commit(&mut queue)?;
        drop(queue);
        self.barrier()?;
        Ok(today)
    }

    /// What the decision journal says, where the database does not know it any more.
    fn noted_since(&self, account: &AccountId) -> Result<Option<Timestamp>, StoreError> {
        let place = meta_key(SINCE, self.accounts.get(account)?.tag);
        if self.vault.raw(&Changes::default(), Tree::Meta, &place)?.is_some() {
            return Ok(None);
        }
        let mut found = None;
        let _report = self.notes(|note| {
            if let Note::Since { account: about, at } = note
                && about == *account
            {
                found = Some(at);
            }
        })?;
        Ok(found)
    }
}
