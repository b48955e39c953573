//! The daemon's keys as far as a person should know of them: how old they are, whether newer ones
//! wait, and whether older master keys are still needed.
//!
//! After a rotation of the master key everything is sealed anew here, in small steps beside the
//! work, from the beginning at every start until it is done. Shows no key.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Daemon;
use super::api_key::{Watched, recall};
use crate::config::{Keys, identity_created, newest_keys_path};
use crate::control::wire::KeysStatus;
use crate::store::Reseal;
use crate::telemetry::events;

/// Cells looked at in one step; writers wait that long.
const RESEAL_CELLS: usize = 256;

/// What is remembered of the keys that were loaded.
#[derive(Debug)]
pub(super) struct KeyWatch {
    pub(super) facts: Mutex<Facts>,
    resealed: AtomicBool,
    /// Others were loaded.
    pub(super) reloaded: Notify,
}

#[derive(Debug)]
pub(super) struct Facts {
    generation: String,
    made: Vec<(String, Timestamp)>,
    pub(super) api_key: Watched,
}

// === impl KeyWatch ===

impl KeyWatch {
    pub(super) fn new(keys: &Keys) -> Self {
        let resealed = AtomicBool::new(keys.older.is_empty());
        Self { facts: Mutex::new(Facts::of(keys)), resealed, reloaded: Notify::new() }
    }

    /// A reload took these.
    pub(super) fn replace(&self, keys: &Keys) {
        *self.facts.lock().unwrap_or_else(PoisonError::into_inner) = Facts::of(keys);
    }
}

impl Facts {
    fn of(keys: &Keys) -> Self {
        let master =
            keys.master.created.map(|at| (format!("the master key {}", keys.master.id), at));
        let identities = keys.accounts.iter().filter_map(|account| {
            let newest = account.identities.first()?;
            Some((format!("the age identity of {}", account.id), identity_created(newest)?))
        });
        let made = master.into_iter().chain(identities).collect();
        Self { generation: keys.generation(), made, api_key: Watched::of(keys) }
    }
}

// === impl Daemon ===

impl Daemon {
    /// Seals everything under the newest master key, where older ones were loaded. Blocking.
    pub(super) fn reseal(&self, stop: &CancellationToken) {
        if self.keys.resealed.load(Ordering::Relaxed) {
            return;
        }
        let mut progress = Reseal::default();
        while !progress.done {
            if stop.is_cancelled() {
                return;
            }
            if let Err(error) = self.store.reseal(&mut progress, RESEAL_CELLS) {
                // The older keys stay needed; the next start begins again.
                tracing::error!(%error, "sealing under the new master key stopped; the next start goes on");
                return;
            }
        }
        match self.store.under_older() {
            Ok(left) if left.is_empty() => {
                self.keys.resealed.store(true, Ordering::Relaxed);
                events::resealed(&self.store.masters().0, progress.resealed);
            }
            Ok(left) => tracing::warn!(
                values = left.values().sum::<u64>(),
                "some values do not open and stay under an older master key"
            ),
            Err(error) => {
                tracing::error!(%error, "counting what is sealed under older master keys");
            }
        }
    }

    /// The master keys in use.
    pub(super) fn keys_status(&self) -> KeysStatus {
        let (master, older) = self.store.masters();
        let resealed = self.keys.resealed.load(Ordering::Relaxed);
        let api_key_ends = self.keys.api_key(|watched| watched.ends_at());
        KeysStatus { master, older, resealed, newer: self.newer_keys(), api_key_ends }
    }

    /// Old keys, and keys that wait.
    pub(super) fn key_notices(&self) -> Vec<String> {
        let warn_after = self.settings().keys_warn_after;
        let now = self.clock.now();
        let facts = self.keys.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut notices: Vec<String> = facts
            .made
            .iter()
            .filter_map(|(what, made)| {
                let age = Duration::try_from(now.duration_since(*made)).ok()?;
                let days = age.as_secs() / 86_400;
                (age > warn_after)
                    .then(|| format!("{what} is {days} days old: `odoo-spoold keys rotate`"))
            })
            .collect();
        notices.extend(facts.api_key.notices(now));
        drop(facts);
        if self.newer_keys() {
            notices
                .push("newer keys wait for a restart: `systemctl restart odoo-spoold`".to_owned());
        }
        notices
    }

    /// What is remembered of the API key in use, before Odoo is asked.
    pub(super) fn recall_api_key(&self) {
        match self.keys.api_key(|watched| recall(&self.store, watched)) {
            Ok(end) => self.delivery.know_key_end(end),
            Err(error) => tracing::warn!(%error, "the end of Odoo's API key is not remembered"),
        }
    }

    /// What of just loaded keys a reload cannot take.
    pub(super) fn keys_wait(&self, loaded: &Keys) -> Option<String> {
        let newer = crate::config::keys_are_newer(&self.config, loaded);
        let master = loaded.master.id != self.store.masters().0;
        (newer || master).then(|| "keys: newer ones wait for a restart".to_owned())
    }

    fn newer_keys(&self) -> bool {
        let newest = std::fs::read_to_string(newest_keys_path(&self.config)).unwrap_or_default();
        let facts = self.keys.facts.lock().unwrap_or_else(PoisonError::into_inner);
        !newest.trim().is_empty() && newest.trim() != facts.generation
    }
}
