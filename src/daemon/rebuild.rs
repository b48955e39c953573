//! Rebuild: what was known comes back from the decision journal, the sealed files and Odoo.
//!
//! In this order, per account: records that the journal kept; the files in `done/`, read again as at
//! intake (facts, buyers, file states); what Odoo shows of our orders, with their bases marked as
//! lost; what the journal knows and Odoo has not (deleted by a person). Only then is the account
//! opened: its files in `work/` are taken up, and delivery looks at every order once: holds come back
//! because what is missing still is, and where Odoo and the marketplace agree nothing is written.
//!
//! Every step may be repeated: a crash or a failing Odoo leaves the account closed, and the next run
//! begins again. Nothing is written to Odoo here. Only what the account's settings allow is read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Daemon;
use super::desk::failed;
use super::intake::{Failure, IntakeAccount, each_order};
use crate::control::ControlError;
use crate::control::wire::{RebuildReport, RebuiltAccount};
use crate::envelope;
use crate::flatfile::{self, Hints};
use crate::model::{
    AccountId, Attention, BuyerFact, Counts, Declined, Dossier, Fact, FileId, FileRecord,
    FileState, JobState, Mapping, Marketplace, Note, OdooId, OrderId, Origin, Outcome, Released,
    Ruling,
};
use crate::spool::{SpoolDirs, harmless_name};
use crate::store::{Restored, StoreError};
use crate::telemetry::events;

/// Facts, or restored orders, in one transaction.
const TAKE: usize = 200;
/// Buyers of an older file are not stored again, in days: their time is over.
const BUYER_DAYS: i64 = 30;

/// How far it is.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<RebuildReport>);

/// Why an account stays closed.
#[derive(Debug, thiserror::Error)]
enum RebuildError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Survey(#[from] crate::deliver::rebuild::SurveyError),
    #[error("{}: {source}", path.display())]
    Spool { path: PathBuf, source: std::io::Error },
    #[error("a part of it ended early: report this")]
    Ended,
}

/// What the decision journal says of one account.
#[derive(Debug, Default)]
struct Told {
    delivered: BTreeMap<OrderId, (OdooId, Timestamp)>,
    gone: BTreeSet<OrderId>,
    kept: BTreeMap<OrderId, (Dossier, JobState, Timestamp)>,
    ruled: BTreeMap<OrderId, Ruled>,
    released: BTreeMap<OrderId, Vec<Released>>,
    dismissed: Vec<Attention>,
    days: BTreeSet<Date>,
}

/// What a person decided on the conflicts of an order.
#[derive(Debug)]
struct Ruled {
    marketplace: Option<Marketplace>,
    ruling: Option<Ruling>,
    declined: Vec<Declined>,
}

// === impl Progress ===

impl Progress {
    fn lock(&self) -> MutexGuard<'_, RebuildReport> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn report(&self) -> RebuildReport {
        self.lock().clone()
    }

    fn step(&self, step: &str, done: u64) {
        let mut report = self.lock();
        step.clone_into(&mut report.step);
        report.done = done;
    }
}

/// Starts it for one account or all that are lost. What comes of it is in the progress.
pub(super) fn start(
    daemon: &Arc<Daemon>,
    account: Option<&AccountId>,
    dry_run: bool,
) -> Result<RebuildReport, ControlError> {
    if let Some(account) = account
        && !daemon.accounts.contains_key(account)
    {
        return Err(ControlError::UnknownAccount(account.clone()));
    }
    let wanted = |id: &&AccountId| account.is_none_or(|account| account == *id);
    let accounts: Vec<AccountId> = daemon
        .accounts
        .keys()
        .filter(wanted)
        .filter(|id| daemon.store.is_lost(id))
        .cloned()
        .collect();
    if accounts.is_empty() {
        return Err(failed(
            "nothing-lost",
            "nothing was lost: the state is whole",
            "to rebuild it all the same, stop the daemon, move the folder store/ of the state \
             directory away, start it, and rebuild",
        ));
    }
    {
        let mut report = daemon.rebuild.lock();
        if report.running {
            let text = "a rebuild is running already";
            return Err(failed("rebuild-running", text, "wait for its end: odoo-spoold rebuild"));
        }
        *report = RebuildReport { running: true, dry_run, ..RebuildReport::default() };
    }
    let daemon_too = Arc::clone(daemon);
    // Not awaited: it ends with its work or with the runtime, and may be repeated.
    drop(tokio::spawn(async move {
        for account in accounts {
            // A task of its own: a panic ends the rebuild, not the report of it.
            let (worker, id) = (Arc::clone(&daemon_too), account.clone());
            let rebuilding = tokio::spawn(async move { rebuild(&worker, &id, dry_run).await });
            let ended = rebuilding.await.unwrap_or(Err(RebuildError::Ended));
            let mut report = daemon_too.rebuild.lock();
            match ended {
                Ok(rebuilt) => report.accounts.push(rebuilt),
                Err(error) => {
                    tracing::error!(account = %account, error = %error, "the rebuild failed");
                    report.error = Some(format!("account {account}: {error}"));
                    break;
                }
            }
        }
        daemon_too.rebuild.lock().running = false;
    }));
    Ok(daemon.rebuild.report())
}

async fn rebuild(
    daemon: &Arc<Daemon>,
    id: &AccountId,
    dry_run: bool,
) -> Result<RebuiltAccount, RebuildError> {
    let mut rebuilt = RebuiltAccount::new(id.clone());
    daemon.rebuild.step("reading the decision journal", 0);
    let told = Arc::new(blocking(daemon, id, tell).await?);
    rebuilt.kept = count(told.kept.len());
    if !dry_run {
        let (kept, account) = (Arc::clone(&told), id.clone());
        blocking(daemon, id, move |daemon, _| {
            let orders = kept.kept.iter().map(|(order, (dossier, state, since))| Restored {
                order: order.clone(),
                dossier: Some(dossier.clone()),
                mapping: None,
                released: kept.released.get(order).cloned().unwrap_or_default(),
                state: state.clone(),
                since: *since,
            });
            restore(daemon, &account, orders.collect())
        })
        .await?;
    }
    let days = Arc::clone(&told);
    let files =
        blocking(daemon, id, move |daemon, id| read_files(daemon, id, &days.days, dry_run)).await?;
    rebuilt.files = files.read;
    rebuilt.unreadable = files.unreadable;

    daemon.rebuild.step("asking Odoo for our orders", 0);
    let progress = |seen| daemon.rebuild.step("asking Odoo for our orders", seen);
    let mut standing = daemon.delivery.survey(id, &told.delivered, &progress).await?;
    for order in &told.gone {
        standing.entry(order.clone()).or_insert_with(|| deleted(0));
    }
    for (order, mapping) in &mut standing {
        if let Some(Ruled { marketplace, ruling, declined }) = told.ruled.get(order) {
            mapping.marketplace = *marketplace;
            (mapping.ruling, mapping.declined) = (ruling.clone(), declined.clone());
        }
    }
    for mapping in standing.values() {
        let kind = match mapping {
            Mapping { deleted: true, .. } => &mut rebuilt.deleted,
            Mapping { origin: Origin::Adopted, .. } => &mut rebuilt.adopted,
            Mapping { .. } => &mut rebuilt.orders,
        };
        *kind = kind.saturating_add(1);
    }
    if dry_run {
        return Ok(rebuilt);
    }
    daemon.rebuild.step("storing what stands in Odoo", 0);
    let (now, dismissed) = (daemon.clock.now(), told.dismissed.clone());
    blocking(daemon, id, move |daemon, id| {
        let mut released = told.released.clone();
        let orders = standing.into_iter().map(|(order, mapping)| Restored {
            released: released.remove(&order).unwrap_or_default(),
            order,
            dossier: None,
            state: JobState::Done(outcome(&mapping)),
            mapping: Some(mapping),
            since: now,
        });
        restore(daemon, id, orders.collect())?;
        // Decided before they stood in Odoo. Where no file tells of such an order any more, there
        // is nothing that the decision could be about.
        let mut waiting = Vec::new();
        for (order, released) in released {
            if daemon.store.dossier(id, &order)?.is_some() {
                let state = JobState::Pending;
                let (dossier, mapping) = (None, None);
                waiting.push(Restored { order, dossier, mapping, released, state, since: now });
            }
        }
        restore(daemon, id, waiting)?;
        daemon.store.redismiss(id, dismissed)?;
        daemon.store.rebuilt(id)?;
        Ok(())
    })
    .await?;
    events::state_rebuilt(id, rebuilt.orders, rebuilt.deleted, rebuilt.files);
    daemon.delivery.wake(id);
    Ok(rebuilt)
}

/// What an order without a file is.
fn outcome(mapping: &Mapping) -> Outcome {
    if mapping.deleted {
        Outcome::DeletedInOdoo
    } else if mapping.origin == Origin::Adopted {
        Outcome::Adopted
    } else if mapping.state == "cancel" {
        Outcome::Cancelled
    } else {
        Outcome::Delivered
    }
}

fn deleted(odoo_id: OdooId) -> Mapping {
    Mapping { odoo_id, deleted: true, base_lost: true, ..Mapping::by(Origin::Ours) }
}

fn restore(daemon: &Daemon, id: &AccountId, orders: Vec<Restored>) -> Result<(), RebuildError> {
    let mut orders = orders.into_iter();
    loop {
        let batch: Vec<Restored> = orders.by_ref().take(TAKE).collect();
        if batch.is_empty() {
            return Ok(());
        }
        daemon.store.restore(id, batch)?;
    }
}

fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}

async fn blocking<T: Send + 'static>(
    daemon: &Arc<Daemon>,
    id: &AccountId,
    work: impl FnOnce(&Daemon, &AccountId) -> Result<T, RebuildError> + Send + 'static,
) -> Result<T, RebuildError> {
    let (daemon, id) = (Arc::clone(daemon), id.clone());
    tokio::task::spawn_blocking(move || work(&daemon, &id))
        .await
        .map_err(|_| RebuildError::Ended)?
}

/// What the journal says: of each thing the last word.
fn tell(daemon: &Daemon, id: &AccountId) -> Result<Told, RebuildError> {
    let mut told = Told::default();
    let _report = daemon.store.notes(|note| {
        if note.account().is_some_and(|about| about != id) {
            return;
        }
        match note {
            Note::Delivered { orders, at, .. } => {
                for (order, odoo_id) in orders {
                    told.gone.remove(&order);
                    told.kept.remove(&order);
                    told.delivered.insert(order, (odoo_id, at));
                }
            }
            Note::Gone { order, .. } => {
                told.kept.remove(&order);
                told.gone.insert(order);
            }
            Note::Kept { dossier, state, since, .. } => {
                told.kept.insert(dossier.order_id.clone(), (*dossier, state, since));
            }
            Note::Decided { order, decision: crate::model::Decision::Dropped, .. } => {
                told.kept.remove(&order);
            }
            Note::Ruled { order, marketplace, ruling, declined, .. } => {
                if let Some((_, state, _)) = told.kept.get_mut(&order) {
                    // It is not known how it ended: delivery looks at it once more, and knows of
                    // the decision.
                    *state = JobState::Pending;
                }
                told.ruled.insert(order, Ruled { marketplace, ruling, declined });
            }
            Note::Released { order, released, .. } => {
                if let Some((_, state, _)) = told.kept.get_mut(&order) {
                    *state = JobState::Pending;
                }
                released.add_to(told.released.entry(order).or_default());
            }
            Note::DayDestroyed { day } => {
                told.days.insert(day);
            }
            Note::Dismissed { .. } => told.dismissed.extend(note.dismissal()),
            _ => {}
        }
    })?;
    Ok(told)
}

/// What came of the files.
#[derive(Debug, Default)]
struct Files {
    read: u64,
    unreadable: Vec<String>,
}

/// Reads the files that lie in `done/` again, and notes those in `rejected/`.
fn read_files(
    daemon: &Daemon,
    id: &AccountId,
    days: &BTreeSet<Date>,
    dry_run: bool,
) -> Result<Files, RebuildError> {
    let mut files = Files::default();
    let Some(account) = daemon.accounts.get(id) else { return Ok(files) };
    let intake = Arc::clone(&account.intake.read().unwrap_or_else(PoisonError::into_inner));
    for (name, file) in listed(&account.dirs.done)? {
        daemon.rebuild.step("reading files again", files.read);
        let mut record = record(&account.dirs, FileState::Done, id, &name, &file)?;
        if !dry_run && read_again(daemon, &intake, &mut record, &name, days)?.is_none() {
            // It was readable once: damaged since, or its key is gone.
            files.unreadable.push(file.to_string());
            continue;
        }
        if !dry_run {
            daemon.store.put_file(&record)?;
        }
        files.read = files.read.saturating_add(1);
    }
    for (name, file) in listed(&account.dirs.rejected)? {
        let record = record(&account.dirs, FileState::Rejected, id, &name, &file)?;
        if !dry_run {
            daemon.store.put_file(&record)?;
        }
    }
    if !dry_run {
        daemon.store.barrier()?;
    }
    Ok(files)
}

/// The documents in a folder of ended files, with their ids, in a stable order.
fn listed(dir: &Path) -> Result<Vec<(PathBuf, FileId)>, RebuildError> {
    let failed = |source| RebuildError::Spool { path: dir.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // `NAME.<file id>`; what stands beside it ends otherwise.
        let id = path.extension().and_then(|id| id.to_str()).and_then(|id| id.parse().ok());
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if let Some(id) = id.filter(|_| !hidden) {
            found.push((path, id));
        }
    }
    found.sort();
    Ok(found)
}

/// The record of an ended file, from what was written beside it.
fn record(
    dirs: &SpoolDirs,
    state: FileState,
    account: &AccountId,
    path: &Path,
    id: &FileId,
) -> Result<FileRecord, RebuildError> {
    let failed = |source| RebuildError::Spool { path: path.to_owned(), source };
    let (_, tail) = match state {
        FileState::Rejected => (&dirs.rejected, ".reason.json"),
        FileState::Done | FileState::Work => (&dirs.done, ".result.json"),
    };
    let mut words = path.as_os_str().to_owned();
    words.push(tail);
    let said: Value = fs::read(words)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let text = |field: &str| said.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut file = fs::File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let bytes = std::io::copy(&mut file, &mut hash).map_err(failed)?;
    let written = file.metadata().and_then(|meta| meta.modified()).map_err(failed)?;
    let written = Timestamp::try_from(written).unwrap_or(Timestamp::UNIX_EPOCH);
    let stem = path.file_stem().map(std::ffi::OsStr::to_owned).unwrap_or_default();
    let part = |field: &str| said.get(field).cloned().unwrap_or_default();
    Ok(FileRecord {
        id: id.clone(),
        account: account.clone(),
        name: harmless_name(&stem).map(str::to_owned),
        sha256: hash.finalize().into(),
        bytes,
        claimed_at: text("claimed_at").parse().unwrap_or(written),
        state,
        since: text("finished_at").parse().unwrap_or(written),
        envelope: text("envelope"),
        family: None,
        charset: text("charset"),
        counts: serde_json::from_value::<Counts>(part("counts")).unwrap_or_default(),
        faults: serde_json::from_value(part("refused_rows")).unwrap_or_default(),
        notices: serde_json::from_value(part("notices")).unwrap_or_default(),
        refusal: serde_json::from_value(part("reason")).ok(),
        described: serde_json::from_value(part("sidecar")).unwrap_or_default(),
        wait: None,
    })
}

/// Takes the facts of a file that was taken in before. None where it cannot be read any more.
fn read_again(
    daemon: &Daemon,
    account: &IntakeAccount,
    record: &mut FileRecord,
    path: &Path,
    days: &BTreeSet<Date>,
) -> Result<Option<()>, RebuildError> {
    let mut words = path.as_os_str().to_owned();
    words.push(".result.json");
    let said: Value = fs::read(words)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let marketplace =
        said.get("marketplace").and_then(Value::as_str).and_then(|name| name.parse().ok());
    let open = || -> Result<Box<dyn std::io::Read>, Failure> {
        let file = fs::File::open(path)
            .map_err(|error| Failure::open(envelope::OpenError::from_io(error)))?;
        let opened = envelope::open(file, None, &account.keyring, &account.policy);
        Ok(Box::new(opened.map_err(Failure::open)?.reader))
    };
    let charset = (!record.charset.is_empty()).then(|| record.charset.clone());
    let hints = Hints { charset, marketplace };
    let Ok(reader) = open() else { return Ok(None) };
    let Ok(survey) = flatfile::survey(reader, &hints) else { return Ok(None) };
    record.family = Some(survey.family);
    // As it arrived then: its buyers belong to that day, and not to today.
    let at = record.claimed_at;
    let old = daemon.clock.now().duration_since(at) > SignedDuration::from_hours(24 * BUYER_DAYS);
    let expired = old || days.contains(&at.to_zoned(TimeZone::UTC).date());
    let mut batch: Vec<(Fact, Option<BuyerFact>)> = Vec::with_capacity(TAKE);
    let mut trouble = None;
    let mut take = |batch: &mut Vec<(Fact, Option<BuyerFact>)>| {
        let facts = std::mem::take(batch);
        let taken =
            daemon.store.take(&account.id, &record.id, facts, Some(account.import_from), at);
        taken.map(|_| ()).map_err(|error| {
            trouble = Some(error);
            Failure::open(envelope::OpenError::from_io(std::io::Error::other("the store failed")))
        })
    };
    let read = each_order(&open, &survey, marketplace, &mut |order| {
        batch.push((order.fact, order.buyer.filter(|_| !expired)));
        if batch.len() >= TAKE { take(&mut batch) } else { Ok(()) }
    });
    let last = if read.is_ok() && !batch.is_empty() { take(&mut batch) } else { Ok(()) };
    match (trouble, read.is_ok() && last.is_ok()) {
        (Some(error), _) => Err(error.into()),
        (None, well) => Ok(well.then_some(())),
    }
}
