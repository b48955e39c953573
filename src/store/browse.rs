//! Listing jobs, a page at a time, over the index that fits the question.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;

use crate::model::{AccountId, FileId, HoldCode, Job, JobState, OrderId};

use super::Store;
use super::accounts::Account;
use super::entry::Entry;
use super::error::StoreError;
use super::layout::{
    AccountTag, DEAD, DUE, HELD, RECORD_KEY_BYTES, RecordKey, TAG_BYTES, Tree, after_head, hex,
    hold_byte, index_head, index_keys, record_of, touch_head, unhex,
};
use super::queue::Lease;

/// A job's state without what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateName {
    /// Waits for its due time.
    Pending,
    /// Leased.
    Started,
    /// Held.
    Held,
    /// Dead.
    Dead,
    /// Done.
    Done,
}

/// Which jobs. The default is all.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Only of this account.
    pub account: Option<AccountId>,
    /// Only in this state.
    pub state: Option<StateName>,
    /// Only held under this code.
    pub hold: Option<HoldCode>,
}

/// Jobs in the order of the index: pending ones by due time, others in no order that means anything.
#[derive(Debug, Default)]
pub struct JobPage {
    /// The jobs and their records.
    pub jobs: Vec<(RecordKey, Job)>,
    /// Jobs whose value does not open.
    pub unreadable: Vec<RecordKey>,
    /// Where the next page starts; none after the last one.
    pub next: Option<Cursor>,
}

/// A place in a listing, for the same filter. People see it as hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(Vec<u8>);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// The text is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of a job listing")]
pub struct NotACursor;

impl FromStr for Cursor {
    type Err = NotACursor;
    fn from_str(text: &str) -> Result<Self, NotACursor> {
        unhex(text)
            .filter(|bytes| bytes.len() >= TAG_BYTES && bytes.len() < 128)
            .map(Self)
            .ok_or(NotACursor)
    }
}

/// One listing in progress.
struct Listing<'a> {
    filter: &'a JobFilter,
    limit: usize,
    page: JobPage,
}

impl Store {
    /// Up to `limit` jobs, after the cursor of the page before.
    pub fn jobs(
        &self,
        filter: &JobFilter,
        limit: usize,
        after: Option<&Cursor>,
    ) -> Result<JobPage, StoreError> {
        let mut listing = Listing { filter, limit: limit.max(1), page: JobPage::default() };
        let after_tag = after.and_then(|cursor| tag_of(cursor, filter));
        for account in self.accounts.all() {
            if filter.account.as_ref().is_some_and(|wanted| *wanted != account.id)
                || after_tag.is_some_and(|tag| account.tag < tag)
            {
                continue;
            }
            let after = after.filter(|_| after_tag == Some(account.tag));
            // A copy, so that no writer waits for a long listing.
            let leases = self.queue().leases_of(account.tag);
            if self.list(&leases, account, &mut listing, after)?.is_break() {
                break;
            }
        }
        Ok(listing.page)
    }

    /// The orders that a file said something new of, with their job's state. In no order.
    pub fn orders_of_file<'a>(
        &'a self,
        file: &FileId,
    ) -> impl Iterator<Item = Result<(OrderId, JobState), StoreError>> + use<'a> {
        self.vault.under(Tree::Index, &touch_head(file)).filter_map(|cell| {
            let key = match cell {
                Ok((index_key, _)) => record_of(&index_key)?,
                Err(error) => return Some(Err(error)),
            };
            match self.job_of(&key) {
                Ok(job) => job.map(|job| Ok((job.order_id, job.state))),
                Err(error) => Some(Err(error)),
            }
        })
    }

    fn list(
        &self,
        leases: &BTreeMap<RecordKey, Lease>,
        account: &Account,
        listing: &mut Listing<'_>,
        after: Option<&Cursor>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let head = match index_of(listing.filter) {
            Place::Index(kind) => {
                let mut head = index_head(kind, account.tag);
                head.extend(listing.filter.hold.map(hold_byte));
                head
            }
            Place::Records => account.tag.to_vec(),
            Place::Leases => {
                for key in leases.keys() {
                    if after.is_some_and(|cursor| key.as_bytes() <= cursor.0.as_slice()) {
                        continue;
                    }
                    let flow = self.show(leases, account, listing, key.as_bytes(), *key)?;
                    if flow.is_break() {
                        return Ok(flow);
                    }
                }
                return Ok(ControlFlow::Continue(()));
            }
        };
        let tree = match index_of(listing.filter) {
            Place::Index(_) => Tree::Index,
            Place::Records | Place::Leases => Tree::Record,
        };
        let mut from = head.clone();
        if let Some(cursor) = after.filter(|cursor| cursor.0.starts_with(&head)) {
            from.clone_from(&cursor.0);
            from.push(0);
        }
        for cell in self.vault.range(tree, &from, after_head(&head).as_deref()) {
            let (place, _) = cell?;
            let key = match tree {
                Tree::Record if place.len() == RECORD_KEY_BYTES => RecordKey::from_slice(&place),
                Tree::Record => None,
                _ => record_of(&place),
            };
            let Some(key) = key else { continue };
            let flow = self.show(leases, account, listing, &place, key)?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Puts one job on the page if it belongs there; breaks before one too many.
    fn show(
        &self,
        leases: &BTreeMap<RecordKey, Lease>,
        account: &Account,
        listing: &mut Listing<'_>,
        place: &[u8],
        key: RecordKey,
    ) -> Result<ControlFlow<()>, StoreError> {
        let lease = leases.get(&key);
        let entry = match self.entry(&key) {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(ControlFlow::Continue(())),
            Err(StoreError::Damaged { .. } | StoreError::UnknownKey { .. }) => {
                listing.page.unreadable.push(key);
                return Ok(ControlFlow::Continue(()));
            }
            Err(error) => return Err(error),
        };
        if !belongs(listing.filter, account, &entry, lease.is_some(), place, &key) {
            return Ok(ControlFlow::Continue(()));
        }
        listing.page.jobs.push((key, entry.job(&account.id, lease)));
        if listing.page.jobs.len() < listing.limit {
            return Ok(ControlFlow::Continue(()));
        }
        listing.page.next = Some(Cursor(place.to_vec()));
        Ok(ControlFlow::Break(()))
    }
}

/// Where a filter's jobs are found.
enum Place {
    Index(u8),
    Records,
    Leases,
}

fn index_of(filter: &JobFilter) -> Place {
    match (filter.hold, filter.state) {
        (Some(_), _) | (None, Some(StateName::Held)) => Place::Index(HELD),
        (None, Some(StateName::Pending)) => Place::Index(DUE),
        (None, Some(StateName::Dead)) => Place::Index(DEAD),
        (None, Some(StateName::Started)) => Place::Leases,
        (None, Some(StateName::Done) | None) => Place::Records,
    }
}

fn tag_of(cursor: &Cursor, filter: &JobFilter) -> Option<AccountTag> {
    let from = match index_of(filter) {
        Place::Index(_) => 1,
        Place::Records | Place::Leases => 0,
    };
    cursor.0.get(from..from + TAG_BYTES)?.try_into().ok()
}

fn belongs(
    filter: &JobFilter,
    account: &Account,
    entry: &Entry,
    leased: bool,
    place: &[u8],
    key: &RecordKey,
) -> bool {
    let name = match (&entry.state, leased) {
        (_, true) => StateName::Started,
        (JobState::Pending | JobState::Started, false) => StateName::Pending,
        (JobState::Held(_), false) => StateName::Held,
        (JobState::Dead(_), false) => StateName::Dead,
        (JobState::Done(_), false) => StateName::Done,
    };
    if filter.state.is_some_and(|wanted| wanted != name) {
        return false;
    }
    if !matches!(index_of(filter), Place::Index(HELD)) {
        return true;
    }
    // A job that waits for two things stands twice in the index: shown where it stands first.
    let Some(id_key) = &account.id_key else { return true };
    let places = index_keys(key, id_key, &entry.state, (entry.lane, entry.due_ms));
    let code = filter.hold.map(hold_byte);
    places
        .iter()
        .find(|place| code.is_none_or(|code| place.get(1 + TAG_BYTES) == Some(&code)))
        .is_some_and(|first| first.as_slice() == place)
}
