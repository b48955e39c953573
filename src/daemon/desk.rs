//! What the control socket may ask of the running daemon.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{Daemon, rebuild, reconcile, rehearsal};
use crate::control::wire::{ProcessReport, RebuildReport, Reconcile, ReconcileReport};
use crate::control::{BoxFuture, ControlError, Desk, Handle, ProcessSource};
use crate::deliver::gate::Gate;
use crate::model::{AccountId, FileRecord, FileState};
use crate::store::FileFilter;

/// How long a handed-over file may take before the caller is told to look later.
const PROCESS_SECS: u64 = 120;
/// How often it is looked for.
const LOOK_MILLIS: u64 = 50;
/// Among how many of the newest files.
const LOOK_FILES: usize = 200;

/// The daemon, at the desk.
pub(super) struct Clerk(pub(super) Arc<Daemon>);

impl Daemon {
    /// What the control API works with.
    pub fn handle(self: &Arc<Self>) -> Handle {
        Handle {
            store: Arc::clone(&self.store),
            settings: Arc::clone(&self.settings),
            clock: Arc::clone(&self.clock),
            desk: Arc::new(Clerk(Arc::clone(self))),
        }
    }

    /// Drops a document into an account's `incoming/`, as anybody may, and waits for its end.
    async fn hand_in(
        self: &Arc<Self>,
        account: &AccountId,
        source: ProcessSource,
    ) -> Result<ProcessReport, ControlError> {
        let dirs =
            self.dirs(account).ok_or_else(|| ControlError::UnknownAccount(account.clone()))?;
        let incoming = dirs.incoming.clone();
        let sha256: [u8; 32] = Sha256::digest(&source.bytes).into();
        let since = self.clock.now();
        tokio::task::spawn_blocking(move || put(&incoming, &source))
            .await
            .map_err(|_| ControlError::Internal)?
            .map_err(|error| {
                failed("spool", &error.to_string(), "check the folder incoming/ and its disk")
            })?;
        let looks = PROCESS_SECS.saturating_mul(1000) / LOOK_MILLIS;
        for _ in 0..looks {
            tokio::time::sleep(Duration::from_millis(LOOK_MILLIS)).await;
            if let Some(record) = self.ended(account, sha256, since).await? {
                return Ok(report(record));
            }
        }
        Err(failed(
            "still-working",
            "the file is taken in, but not read to its end yet",
            "look with `odoo-spoold files`",
        ))
    }

    async fn ended(
        self: &Arc<Self>,
        account: &AccountId,
        sha256: [u8; 32],
        since: Timestamp,
    ) -> Result<Option<FileRecord>, ControlError> {
        let store = Arc::clone(&self.store);
        let filter = FileFilter { account: Some(account.clone()), state: None };
        let files = tokio::task::spawn_blocking(move || store.files(&filter, LOOK_FILES))
            .await
            .map_err(|_| ControlError::Internal)??;
        Ok(files.into_iter().find(|file| {
            file.sha256 == sha256 && file.claimed_at >= since && file.state != FileState::Work
        }))
    }
}

impl Desk for Clerk {
    fn gates(&self) -> BTreeMap<AccountId, Gate> {
        self.0.delivery.gates()
    }

    fn wake(&self, account: &AccountId) {
        self.0.delivery.wake(account);
    }

    fn started_at(&self) -> Timestamp {
        self.0.started_at()
    }

    fn notices(&self) -> Vec<String> {
        let left = self.0.left();
        let left =
            left.into_iter().map(|(account, text)| format!("{account}: in incoming/: {text}"));
        self.0.room.notices().into_iter().chain(left).chain(self.0.house_notices()).collect()
    }

    fn reload(&self) -> BoxFuture<'_, Result<Vec<String>, String>> {
        let daemon = Arc::clone(&self.0);
        Box::pin(async move {
            match tokio::task::spawn_blocking(move || daemon.reload()).await {
                Ok(reloaded) => reloaded.map_err(|error| error.to_string()),
                Err(_) => Err("the reload ended early".to_owned()),
            }
        })
    }

    fn process(
        &self,
        account: &AccountId,
        source: ProcessSource,
        dry_run: bool,
    ) -> BoxFuture<'_, Result<ProcessReport, ControlError>> {
        let (daemon, account) = (Arc::clone(&self.0), account.clone());
        Box::pin(async move {
            if dry_run {
                rehearsal::rehearse(&daemon, &account, source).await
            } else {
                daemon.hand_in(&account, source).await
            }
        })
    }

    fn rebuild(
        &self,
        account: Option<AccountId>,
        dry_run: bool,
    ) -> Result<RebuildReport, ControlError> {
        rebuild::start(&self.0, account.as_ref(), dry_run)
    }

    fn rebuilding(&self) -> RebuildReport {
        self.0.rebuild.report()
    }

    fn reconcile(
        &self,
        request: Reconcile,
    ) -> BoxFuture<'_, Result<ReconcileReport, ControlError>> {
        let daemon = Arc::clone(&self.0);
        Box::pin(async move { reconcile::reconcile(&daemon, request).await })
    }

    fn recipients(&self) -> BTreeMap<AccountId, Vec<String>> {
        let accounts = self.0.accounts.iter().map(|(id, account)| {
            let intake = account.intake.read().unwrap_or_else(PoisonError::into_inner);
            (id.clone(), intake.keyring.recipients())
        });
        accounts.collect()
    }
}

/// Writes the document under a name that says nothing, its sidecar first, and renames it in.
fn put(incoming: &std::path::Path, source: &ProcessSource) -> std::io::Result<()> {
    let name = format!("handed-in-{:016x}", rand::random::<u64>());
    if let Some(sidecar) = &source.sidecar {
        let hidden = incoming.join(format!(".{name}.json"));
        std::fs::write(&hidden, sidecar)?;
        std::fs::rename(&hidden, incoming.join(format!("{name}.json")))?;
    }
    let hidden = incoming.join(format!(".{name}"));
    std::fs::write(&hidden, &source.bytes)?;
    std::fs::rename(&hidden, incoming.join(&name))
}

fn report(record: FileRecord) -> ProcessReport {
    ProcessReport {
        account: record.account,
        dry_run: false,
        id: Some(record.id),
        envelope: record.envelope,
        family: record.family,
        counts: record.counts,
        refusal: record.refusal,
        would: None,
    }
}

pub(super) fn failed(code: &str, message: &str, next_step: &str) -> ControlError {
    ControlError::Process {
        code: code.to_owned(),
        message: message.to_owned(),
        next_step: next_step.to_owned(),
    }
}
