//! What the control socket may ask of the running daemon.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::expected::Progress;
use super::intake::Failure;
use super::{Daemon, rebuild, reconcile, rehearsal};
use crate::control::wire::{
    Concern, ConcernKind, KeysStatus, ProcessReport, RebuildReport, Reconcile, ReconcileReport,
};
use crate::control::{BoxFuture, ControlError, Desk, Handle, ProcessSource, Unread};
use crate::deliver::gate::Gate;
use crate::model::{AccountId, Counts, FileRecord, Refusal};
use crate::spool::{self, HandedIn, hand_in};

/// How long a handed-over file may take before the caller is told to look later.
const PROCESS_SECS: u64 = 120;

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
        let live = self
            .accounts
            .get(account)
            .ok_or_else(|| ControlError::UnknownAccount(account.clone()))?;
        let limit = live.intake.read().unwrap_or_else(PoisonError::into_inner).max_file_bytes;
        let bytes = u64::try_from(source.bytes.len()).unwrap_or(u64::MAX);
        if bytes > limit
            && let Failure::Refused(refusal) = Failure::too_large(bytes, limit)
        {
            return Ok(refused(account, refusal));
        }
        let name = HandedIn::document();
        let mut waiting = self.expected.expect(name.name());
        let dirs = live.dirs.clone();
        tokio::task::spawn_blocking(move || {
            let sidecar = source.sidecar.as_ref().map(|sidecar| sidecar.as_slice());
            hand_in(&dirs, &name, &mut source.bytes.as_slice(), sidecar)
        })
        .await
        .map_err(|_| ControlError::Internal)?
        .map_err(|error| {
            failed("spool", &error.to_string(), "check the folder incoming/ and its disk")
        })?;
        let decided =
            |progress: &Progress| matches!(progress, Progress::Ended(_) | Progress::Waits(..));
        let patience = Duration::from_secs(PROCESS_SECS);
        // However it ends, the last word counts.
        drop(tokio::time::timeout(patience, waiting.progress.wait_for(decided)).await);
        let last = waiting.progress.borrow().clone();
        match last {
            Progress::Ended(record) => Ok(report(*record)),
            Progress::Waits(id, why) => Err(failed(
                "file-waits",
                &format!("file {id} cannot be read now and stays in work/: {why}"),
                "nothing: it is tried again by itself; look with `odoo-spoold files show ID`",
            )),
            Progress::Claimed(id) => Err(failed(
                "still-working",
                &format!("file {id} is taken in, but not read to its end yet"),
                "look with `odoo-spoold files show ID`",
            )),
            Progress::Dropped => Err(failed(
                "still-working",
                "the file lies in incoming/ and is not taken in yet",
                "look with `odoo-spoold status`, which says what keeps files from being taken",
            )),
        }
    }
}

impl Desk for Clerk {
    fn gates(&self) -> BTreeMap<AccountId, Gate> {
        self.0.delivery.gates()
    }

    fn wake(&self, account: &AccountId) {
        self.0.delivery.wake(account);
    }

    fn retry(&self, account: &AccountId) {
        self.0.delivery.retry(account);
    }

    fn started_at(&self) -> Timestamp {
        self.0.started_at()
    }

    fn notices(&self) -> Vec<Concern> {
        let one = |kind| move |text| Concern::attention(kind, 1, text);
        let left = self.0.left().into_iter().map(|(account, left)| {
            let kind = if left.in_work { ConcernKind::Retried } else { ConcernKind::Left };
            Concern::attention(kind, left.count, format!("{account}: {}", left.text))
        });
        let disks = self.0.room.notices().into_iter().map(one(ConcernKind::Disk));
        let keys = self.0.key_notices().into_iter().map(one(ConcernKind::Keys));
        let restart = self.0.restart_notice().map(one(ConcernKind::Restart));
        disks.chain(left).chain(self.0.house_notices()).chain(keys).chain(restart).collect()
    }

    fn unread(&self, account: &AccountId) -> Option<Unread> {
        let dirs = self.0.dirs(account)?;
        let found = spool::unread(dirs).ok()?;
        let oldest = found.oldest.and_then(|at| Timestamp::try_from(at).ok());
        Some(Unread { files: found.files, oldest })
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

    fn keys(&self) -> Option<KeysStatus> {
        Some(self.0.keys_status())
    }

    fn recipients(&self) -> BTreeMap<AccountId, Vec<String>> {
        let accounts = self.0.accounts.iter().map(|(id, account)| {
            let intake = account.intake.read().unwrap_or_else(PoisonError::into_inner);
            (id.clone(), intake.keyring.recipients())
        });
        accounts.collect()
    }
}

/// What a file that is refused before it is dropped comes to.
fn refused(account: &AccountId, refusal: Refusal) -> ProcessReport {
    ProcessReport {
        account: account.clone(),
        dry_run: false,
        id: None,
        envelope: String::new(),
        family: None,
        counts: Counts::default(),
        refusal: Some(refusal),
        would: None,
    }
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
