//! What the control API may ask of the daemon.
//!
//! A [`Handle`] carries the store, the settings and a [`Desk`], behind which the daemon does what
//! needs its running parts. [`Absent`] is the desk of a daemon that does not run: the CLI reads
//! the store with it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::clock::SharedClock;
use crate::config::Settings;
use crate::deliver::gate::Gate;
use crate::model::{AccountId, OrderId};
use crate::store::{FileFilter, Store};

use super::error::ControlError;
use super::wire::{Concern, KeysStatus, ProcessReport, RebuildReport, Reconcile, ReconcileReport};

/// A future in a box.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Everything a request may use.
#[derive(Clone)]
pub struct Handle {
    /// What is remembered.
    pub store: Arc<Store>,
    /// The settings in force; a reload puts others in their place.
    pub settings: Arc<RwLock<Arc<Settings>>>,
    /// The time.
    pub clock: SharedClock,
    /// The running daemon.
    pub desk: Arc<dyn Desk>,
}

/// What the running daemon does for a request.
pub trait Desk: Send + Sync {
    /// Whether each account may send requests to Odoo.
    fn gates(&self) -> BTreeMap<AccountId, Gate>;

    /// Something became due for this account.
    fn wake(&self, account: &AccountId);

    /// A person has decided what this account waits for: a closed gate is tried at once.
    fn retry(&self, account: &AccountId) {
        self.wake(account);
    }

    /// When the daemon started.
    fn started_at(&self) -> Timestamp;

    /// What a person should know and nothing else says: files left in `incoming/` with their
    /// cure, folders that are only polled. One sentence each, without buyer data.
    fn notices(&self) -> Vec<Concern>;

    /// What lies in an account's `incoming/` and nobody has read yet, if that is known.
    fn unread(&self, _account: &AccountId) -> Option<Unread> {
        None
    }

    /// Reads the settings again. Says what changed, or why the new ones are refused.
    fn reload(&self) -> BoxFuture<'_, Result<Vec<String>, String>>;

    /// Takes a document as if it had been dropped; a dry run keeps nothing.
    fn process(
        &self,
        account: &AccountId,
        source: ProcessSource,
        dry_run: bool,
    ) -> BoxFuture<'_, Result<ProcessReport, ControlError>>;

    /// Age recipients of each account, newest first: the public half of the keys it opens with.
    fn recipients(&self) -> BTreeMap<AccountId, Vec<String>>;

    /// Begins to bring back what was known of lost accounts, or says why not.
    fn rebuild(
        &self,
        _account: Option<AccountId>,
        _dry_run: bool,
    ) -> Result<RebuildReport, ControlError> {
        Err(ControlError::Unavailable(NOT_RUNNING.to_owned()))
    }

    /// How far the rebuild is, or how the last one ended.
    fn rebuilding(&self) -> RebuildReport {
        RebuildReport::default()
    }

    /// Takes the account's Odoo for the right one and corrects what is known of it.
    fn reconcile(
        &self,
        request: Reconcile,
    ) -> BoxFuture<'_, Result<ReconcileReport, ControlError>> {
        drop(request);
        Box::pin(std::future::ready(Err(ControlError::Unavailable(NOT_RUNNING.to_owned()))))
    }

    /// The master keys it works with; none where there is no daemon.
    fn keys(&self) -> Option<KeysStatus> {
        None
    }

    /// Whether there is a daemon at all.
    fn running(&self) -> bool {
        true
    }
}

/// Files that nobody has read yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unread {
    /// How many.
    pub files: u64,
    /// Since when the oldest of them lies there.
    pub oldest: Option<Timestamp>,
}

/// A document that is handed over.
#[derive(Clone)]
pub struct ProcessSource {
    /// The file's bytes, as they would lie in `incoming/`: perhaps in clear.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Its name. May be buyer data: not for the journal.
    pub name: String,
    /// What would stand in `<file>.json` beside it. Holds a key.
    pub sidecar: Option<Zeroizing<Vec<u8>>>,
}

/// The desk of a daemon that does not run.
#[derive(Debug)]
pub struct Absent {
    /// When the store was opened.
    pub since: Timestamp,
}

// === impl Handle ===

impl Handle {
    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is said of an order that no file has named so far.
    pub(super) fn unknown_order(&self, account: &AccountId, order: &OrderId) -> ControlError {
        let unread = self.desk.unread(account).unwrap_or_default().files;
        let filter = FileFilter { account: Some(account.clone()), state: None };
        let files = self.store.files(&filter, LAST_FILES).unwrap_or_default();
        let early = files.iter().map(|file| file.counts.before_import_from);
        let early = early.fold(0_u64, u64::saturating_add);
        let (account, order_id) = (account.clone(), order.clone());
        ControlError::UnknownOrder { account, order_id, unread, early }
    }

    /// Refuses an account that has neither settings nor orders here.
    pub(super) fn known(&self, account: &AccountId) -> Result<(), ControlError> {
        if self.settings().account(account).is_some() || self.store.counts().contains_key(account) {
            Ok(())
        } else {
            Err(ControlError::UnknownAccount(account.clone()))
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("store", &self.store.path()).finish_non_exhaustive()
    }
}

// === impl ProcessSource ===

impl fmt::Debug for ProcessSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessSource")
            .field("bytes", &self.bytes.len())
            .field("sidecar", &self.sidecar.is_some())
            .finish_non_exhaustive()
    }
}

// === impl Absent ===

/// How many of the last files are looked at for orders from before `import_from`.
const LAST_FILES: usize = 50;
/// What every verb says that needs the daemon.
const NOT_RUNNING: &str = "the daemon is not running";

impl Desk for Absent {
    fn gates(&self) -> BTreeMap<AccountId, Gate> {
        BTreeMap::new()
    }

    fn wake(&self, _account: &AccountId) {}

    fn started_at(&self) -> Timestamp {
        self.since
    }

    fn notices(&self) -> Vec<Concern> {
        Vec::new()
    }

    fn reload(&self) -> BoxFuture<'_, Result<Vec<String>, String>> {
        Box::pin(std::future::ready(Err(NOT_RUNNING.to_owned())))
    }

    fn process(
        &self,
        _account: &AccountId,
        _source: ProcessSource,
        _dry_run: bool,
    ) -> BoxFuture<'_, Result<ProcessReport, ControlError>> {
        Box::pin(std::future::ready(Err(ControlError::Unavailable(NOT_RUNNING.to_owned()))))
    }

    fn recipients(&self) -> BTreeMap<AccountId, Vec<String>> {
        BTreeMap::new()
    }

    fn running(&self) -> bool {
        false
    }
}
