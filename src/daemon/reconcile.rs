//! Reconciling an account with its Odoo, and taking the sealed files again that it needs for that.

use std::io;
use std::sync::Arc;

use super::Daemon;
use crate::control::ControlError;
use crate::control::wire::{Reconcile, ReconcileReport};
use crate::deliver::reconcile::{ReconcileError, Reconciled};
use crate::model::{DocumentInfo, FileRecord, FileState};
use crate::spool::{HandedIn, SpoolDirs, hand_in};

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
            let file = store.file(&id)?.filter(|file| file.state == FileState::Done);
            // What cannot be read again is counted, and the person drops it.
            if file.is_some_and(|file| matches!(take_again(&dirs, &file), Ok(true))) {
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

/// Copies a file of `done/` into `incoming/`, with what its sidecar said of it. False where it is gone.
fn take_again(dirs: &SpoolDirs, file: &FileRecord) -> io::Result<bool> {
    let end = format!(".{}", file.id);
    for entry in std::fs::read_dir(&dirs.done)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().ends_with(&end) {
            continue;
        }
        let mut document = std::fs::File::open(entry.path())?;
        let sidecar = sidecar(&file.described)?;
        let name = HandedIn::again(&file.id);
        hand_in(dirs, &name, &mut document, sidecar.as_deref())?;
        return Ok(true);
    }
    Ok(false)
}

/// A sidecar that says again what the first one said; none where it said nothing.
fn sidecar(described: &DocumentInfo) -> io::Result<Option<Vec<u8>>> {
    if described.is_empty() {
        return Ok(None);
    }
    let said = serde_json::json!({
        "reportType": described.report_type,
        "reportDocumentId": described.document_id,
        "compressionAlgorithm": described.compression,
        "dataTime": described.data_time,
        "marketplace": described.marketplace,
        "charset": described.charset,
    });
    Ok(Some(serde_json::to_vec(&said)?))
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
        ReconcileError::Odoo { next_step, .. } => ("odoo", next_step.as_ref()),
        ReconcileError::Store(_) => ("store-failed", "do what the message says"),
    };
    super::desk::failed(code, &error.to_string(), next_step)
}
