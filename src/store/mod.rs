//! Remembers: the only module that knows sled.
//!
//! [`Store`] keeps what is known of every order (its [`Dossier`] and [`Job`]), its buyers, the
//! files it came in, and the partners in Odoo. Everything a person could read is sealed; natural ids
//! stand in no key. [`layout`] draws what lies where and says what is durable when.
//!
//! Promises: every call that changes something is one transaction, whole or absent after
//! `kill -9`; after [`Store::barrier`] also after a power cut. One open store per directory. Errors
//! name the path and the next step, and never a stored value.
//!
//! Does not: block politely (call it from `spawn_blocking`), read the clock (times come in), retry,
//! decide (that is `plan`), or delete anything it cannot read: what cannot be opened is moved aside
//! (`lost`), and the daemon rebuilds it from Odoo, the sealed files and the decision [`journal`].
//!
//! All writers share one lock (`Queue`), so a change reads, decides and writes without another in
//! between; sled's transaction is there for atomicity on disk.

mod absent;
mod accounts;
mod aging;
mod api_key;
mod barrier;
mod browse;
mod buyers;
mod daykeys;
mod decisions;
mod draft;
mod entry;
mod error;
mod expiry;
mod files;
mod frames;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod holds;
mod intake;
pub mod journal;
mod keys;
pub mod layout;
mod lost;
mod mark;
mod noticed;
mod open;
mod partners;
mod patience;
mod pauses;
mod pins;
mod queue;
mod reseal;
pub mod retention;
mod seal;
mod since;
mod tally;
#[cfg(test)]
mod tests;
mod vault;
mod verify;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::model::{AccountId, Dossier, Job, Note, OrderId};

use accounts::Accounts;
use barrier::Barrier;
use daykeys::DayKeys;
use draft::Draft;
use journal::Journal;
use queue::Queue;
use retention::Retained;
use vault::{Changes, Vault, engine};

pub use aging::Aged;
pub use api_key::ApiKeyMemory;
pub use browse::{Cursor, JobFilter, JobPage, StateName};
pub use buyers::BuyerState;
pub use error::StoreError;
pub use expiry::{Swept, Waits};
pub use files::FileFilter;
pub use frames::{Damage, JournalReport};
pub use holds::{Buried, Waiting};
pub use intake::{RefusedOrder, Taken};
pub use keys::{IdKey, Secret, StoreKeys};
pub use layout::RecordKey;
pub use lost::Restored;
pub use noticed::Noticed;
pub use open::{DEFAULT_CACHE_BYTES, StoreOptions};
pub use pauses::Pause;
pub use pins::{MappedOrder, Mend, Mended};
pub use queue::{Alone, Buyers, End, Leased, Leases, Settlement};
pub use reseal::Reseal;
pub use tally::Tally;

/// The open store. Shared by reference; all methods take `&self`.
#[derive(Debug)]
pub struct Store {
    /// First, so that it is dropped first.
    parting: patience::Parting,
    path: PathBuf,
    // Field order is drop order: sled goes before the lock that guards it.
    vault: Vault,
    db: sled::Db,
    days: DayKeys,
    accounts: Accounts,
    barrier: Arc<Barrier>,
    journal: Journal,
    queue: Mutex<Queue>,
    pauses: Mutex<pauses::Pauses>,
    retained: Mutex<Retained>,
    installation: String,
    /// Accounts whose state was lost, since when.
    lost: RwLock<BTreeMap<layout::AccountTag, i64>>,
    moved_aside: Option<PathBuf>,
    mark: mark::Mark,
    journal_early: u64,
    _lock: std::fs::File,
}

/// What the store weighs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes of the database on disk; space is reused, not given back.
    pub disk_bytes: u64,
    /// Orders known.
    pub records: u64,
    /// Jobs leased right now.
    pub leased: u64,
    /// Barriers that reached the disk since the store was opened.
    pub barriers: u64,
    /// Day keys in the folder.
    pub day_keys: u64,
    /// The oldest of them.
    pub oldest_day: Option<jiff::civil::Date>,
}

impl Store {
    /// Returns when everything that was done before is on the disk: the only durable point.
    pub fn barrier(&self) -> Result<(), StoreError> {
        self.mark_journal()?;
        self.barrier.wait(&self.db)
    }

    /// Whether a write or a sync failed: from then on nothing more can be made durable, and only
    /// another opening shows what is really there.
    pub fn broken(&self) -> bool {
        self.vault.failed() || self.barrier.broken() || self.journal.broken()
    }

    /// Appends to the decision journal what cannot be derived from Odoo or the spool; returns when
    /// it is on the disk. Written before the change that it tells of ([`journal`]).
    pub fn note(&self, notes: &[Note]) -> Result<(), StoreError> {
        self.journal.append(notes)
    }

    /// Hands every note of the decision journal to `each`, in order.
    pub fn notes(&self, each: impl FnMut(Note)) -> Result<JournalReport, StoreError> {
        self.journal.for_each(each)
    }

    /// What was found when the decision journal was opened.
    pub fn journal_report(&self) -> &JournalReport {
        self.journal.report()
    }

    /// A clean end: a barrier, and sled's snapshot, so that the next opening is quick. Then the
    /// directory is free. Dropping the store instead is safe, and only makes that one slower.
    pub fn close(self) -> Result<(), StoreError> {
        self.barrier()?;
        let Self { path, vault, db, parting, _lock, .. } = self;
        drop(parting);
        drop(vault);
        drop(db);
        open::snapshot(&path)
    }

    /// The random id of this installation, made at the first opening.
    pub fn installation(&self) -> &str {
        &self.installation
    }

    /// The state directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The id key of an account, to blind what stands in external ids.
    pub fn id_key(&self, account: &AccountId) -> Result<&IdKey, StoreError> {
        Ok(self.accounts.keyed(account)?.1)
    }

    /// What is known of an order.
    pub fn dossier(
        &self,
        account: &AccountId,
        order: &OrderId,
    ) -> Result<Option<Dossier>, StoreError> {
        let key = self.accounts.order_key(account, order)?;
        Ok(self.entry(&key)?.map(|entry| entry.dossier))
    }

    /// The job of an order.
    pub fn job(&self, account: &AccountId, order: &OrderId) -> Result<Option<Job>, StoreError> {
        let key = self.accounts.order_key(account, order)?;
        self.job_of(&key)
    }

    /// The job of a record; a dead one with Odoo's words, as long as they are kept.
    pub fn job_of(&self, key: &RecordKey) -> Result<Option<Job>, StoreError> {
        let queue = self.queue();
        let Some(entry) = self.entry(key)? else { return Ok(None) };
        let account = &self.accounts.by_tag(key.tag())?.id;
        let job = entry.job(account, queue.lease(key));
        Ok(Some(Job { state: self.with_words(key, job.state)?, ..job }))
    }

    /// The key of an order's record.
    pub fn key(&self, account: &AccountId, order: &OrderId) -> Result<RecordKey, StoreError> {
        self.accounts.order_key(account, order)
    }

    /// Counters per account: from memory, whatever the number of jobs.
    pub fn counts(&self) -> BTreeMap<AccountId, Tally> {
        let queue = self.queue();
        self.accounts.all().map(|known| (known.id.clone(), queue.tally(known.tag))).collect()
    }

    /// Jobs leased right now.
    pub fn leased(&self) -> u64 {
        self.queue().leased()
    }

    /// What the store weighs.
    pub fn stats(&self) -> Result<Stats, StoreError> {
        let disk_bytes =
            self.db.size_on_disk().map_err(|error| engine(&self.path, "measuring", &error))?;
        let days = self.days.days()?;
        let queue = self.queue();
        Ok(Stats {
            disk_bytes,
            records: self.accounts.all().map(|known| queue.tally(known.tag).total()).sum(),
            leased: queue.leased(),
            barriers: self.barrier.synced(),
            day_keys: u64::try_from(days.len()).unwrap_or(u64::MAX),
            oldest_day: days.first().copied(),
        })
    }

    fn entry(&self, key: &RecordKey) -> Result<Option<entry::Entry>, StoreError> {
        let none = Changes::default();
        let found = self.vault.read(&none, layout::Tree::Record, key.as_bytes())?;
        Ok(found.map(|(entry, _chunks): (entry::Entry, u16)| entry))
    }

    /// The lock that all writers hold while they read, decide and write.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // What is behind it changes only after a transaction succeeded: a panic leaves it whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new set of changes. The caller holds the queue's lock.
    fn draft(&self) -> Draft<'_> {
        Draft::new(&self.vault)
    }
}
