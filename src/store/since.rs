//! When this installation first knew an account.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Store;
use super::error::StoreError;
use super::layout::{Tree, meta_key};
use crate::model::AccountId;

/// The name of an account's first day in `meta`.
const SINCE: &str = "since";

impl Store {
    /// The start (UTC) of the day on which this installation first knew the account: today, if it
    /// did not yet. From then on orders are created where the settings name no other day.
    pub fn installed(&self, account: &AccountId, now: Timestamp) -> Result<Timestamp, StoreError> {
        let tag = self.accounts.get(account)?.tag;
        let place = meta_key(SINCE, tag);
        let mut queue = self.queue();
        let mut draft = self.draft();
        let known: Option<(i64, u16)> = self.vault.read(&draft.changes, Tree::Meta, &place)?;
        if let Some((since_ms, _)) = known {
            return Ok(super::entry::instant(since_ms));
        }
        let today = now.to_zoned(TimeZone::UTC).start_of_day().map_or(now, |day| day.timestamp());
        self.vault.write(&mut draft.changes, Tree::Meta, &place, &today.as_millisecond(), 0)?;
        draft.commit(&mut queue)?;
        drop(queue);
        self.barrier()?;
        Ok(today)
    }
}
