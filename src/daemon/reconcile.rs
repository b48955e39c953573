//! Reconciling an account with its Odoo, and taking the sealed files again that it needs for that.

use std::io;
use std::sync::Arc;

use super::Daemon;
use crate::control::ControlError;
use crate::control::wire::{Reconcile, ReconcileReport};
use crate::deliver::reconcile::{ReconcileError, Reconciled};
use crate::model::{FileId, FileState};
use crate::spool::SpoolDirs;

/// Reconciles, then puts what must be read again into `incoming/`.
pub(super) async fn reconcile(
    daemon: &Arc<Daemon>,
    request: Reconcile,
) -> Result<ReconcileReport, ControlError> {
    let Reconcile { account, since, dry_run } = request;
    let dirs =
        daemon.dirs(&account).ok_or_else(|| ControlError::UnknownAccount(account.clone()))?.clone();
    let found = daemon
        .delivery
        .reconcile(&account, since, dry_run)
        .await
        .map_err(|error| refused(&error))?;
    let (store, records) = (Arc::clone(&daemon.store), found.buyers.clone());
    let (files, files_missing) = tokio::task::spawn_blocking(move || {
        let (mut again, mut missing) = (0_u64, 0_u64);
        for id in store.files_of(&records)? {
            let done = store.file(&id)?.is_some_and(|file| file.state == FileState::Done);
            // What cannot be read again is counted, and the person drops it.
            if done && matches!(take_again(&dirs, &id), Ok(true)) {
                again = again.saturating_add(1);
            } else {
                missing = missing.saturating_add(1);
            }
        }
        Ok::<_, crate::store::StoreError>((again, missing))
    })
    .await
    .map_err(|_| ControlError::Internal)??;
    Ok(report(account, dry_run, &found, files, files_missing))
}

/// Copies a file of `done/` into `incoming/`, as anybody may. False where it is gone.
fn take_again(dirs: &SpoolDirs, id: &FileId) -> io::Result<bool> {
    let end = format!(".{id}");
    for entry in std::fs::read_dir(&dirs.done)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().ends_with(&end) {
            continue;
        }
        let name = format!("again-{id}-{:08x}", rand::random::<u32>());
        let hidden = dirs.incoming.join(format!(".{name}"));
        std::fs::copy(entry.path(), &hidden)?;
        std::fs::rename(&hidden, dirs.incoming.join(name))?;
        return Ok(true);
    }
    Ok(false)
}

fn report(
    account: crate::model::AccountId,
    dry_run: bool,
    found: &Reconciled,
    files: u64,
    files_missing: u64,
) -> ReconcileReport {
    ReconcileReport {
        account,
        dry_run,
        doubt: found.doubt.map(str::to_owned),
        words: found.words.clone(),
        since: found.since,
        checked: found.checked,
        present: found.present,
        moved: found.moved,
        older: found.older,
        missing: found.missing,
        stay_deleted: found.stay_deleted,
        came_back: found.came_back,
        adopted_missing: found.adopted_missing,
        busy: found.busy,
        buyers: u64::try_from(found.buyers.len()).unwrap_or(u64::MAX),
        files,
        files_missing,
    }
}

fn refused(error: &ReconcileError) -> ControlError {
    let (code, next_step) = match error {
        ReconcileError::Account => ("account-off", "switch the account on in config.toml"),
        ReconcileError::Busy => ("reconciling", "ask again in a moment"),
        ReconcileError::IdKey(_) => {
            ("id-key-differs", "use the id key that this account's orders were made with")
        }
        ReconcileError::Odoo { next_step, .. } => ("odoo", *next_step),
        ReconcileError::Store(_) => ("store-failed", "do what the message says"),
    };
    super::desk::failed(code, &error.to_string(), next_step)
}
