//! `process --dry-run`: what a file would do, without keeping anything.
//!
//! The file is read as it would be when dropped, its facts are weighed against what is known, and
//! the orders are planned with what Odoo has now, some hundred at a time: memory does not grow with the
//! file. Orders that somebody else made in Odoo are not looked for: they would be adopted or held instead
//! of created.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::{Arc, PoisonError};

use tokio::sync::mpsc;

use super::Daemon;
use super::desk::failed;
use super::intake::{
    Failure, IntakeAccount, IntakeTrouble, contradiction, each_order, marketplace,
};
use super::sealing::envelope_name;
use crate::control::wire::{Example, ProcessReport, Would};
use crate::control::{ControlError, ProcessSource};
use crate::envelope::{self, Sidecar};
use crate::flatfile::{self, Hints};
use crate::model::{AccountId, BuyerFact, Counts, DocumentInfo, Dossier, Fact, OrderId, Outcome};
use crate::plan::Plan;
use crate::store::Taken;

/// Orders named for each kind of outcome.
const EXAMPLES: usize = 5;
/// Orders weighed and planned at once, at most.
const CHUNK: usize = 500;
/// Lines of them, at most, but for the last order.
const CHUNK_LINES: usize = 5_000;
/// Dry runs beside each other: each holds a whole file as it was sent.
pub(super) const AT_ONCE: usize = 2;

/// Orders of a file, weighed against what is known.
type Weighed = Vec<(Dossier, Option<BuyerFact>)>;

/// Says what `source` would do if it were dropped for `account`.
pub(super) async fn rehearse(
    daemon: &Arc<Daemon>,
    account: &AccountId,
    source: ProcessSource,
) -> Result<ProcessReport, ControlError> {
    let permit = Arc::clone(&daemon.dry_runs).try_acquire_owned().map_err(|_| {
        failed(
            "dry-runs-busy",
            &format!("{AT_ONCE} dry runs are under way already"),
            "ask again when one of them has ended",
        )
    })?;
    let permit = Arc::new(permit);
    let held = Arc::clone(&permit);
    let (sender, mut chunks) = mpsc::channel::<Weighed>(1);
    let (worker, id) = (Arc::clone(daemon), account.clone());
    let reading = tokio::task::spawn_blocking(move || {
        // Held by both halves: a caller who went away does not make room for another.
        let _held = held;
        weigh(&worker, &id, &source, &sender)
    });
    let odoo = |error: crate::deliver::catalog::CatalogError| {
        failed("odoo", &error.to_string(), "run `odoo-spoold check`, then try again")
    };
    let mut planner = None;
    let mut would = Would::default();
    let mut shown: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(orders) = chunks.recv().await {
        let planner = match &mut planner {
            Some(planner) => planner,
            None => planner.insert(daemon.delivery.dry_run(account).await.map_err(odoo)?),
        };
        let plans = planner.plan(&orders).await.map_err(odoo)?;
        for ((dossier, _), plan) in orders.iter().zip(&plans) {
            let words = count(dossier, plan, &mut would);
            let times = shown.entry(words.clone()).or_default();
            *times = times.saturating_add(1);
            if *times <= EXAMPLES {
                would.examples.push(Example { order_id: dossier.order_id.clone(), would: words });
            }
        }
    }
    let mut report = reading.await.map_err(|_| ControlError::Internal)??;
    if report.refusal.is_none() {
        would.unchanged = report.counts.unchanged.saturating_add(report.counts.older);
        would.before_import_from =
            would.before_import_from.saturating_add(report.counts.before_import_from);
        report.would = Some(would);
    }
    Ok(report)
}

/// Counts one plan, and says it in a few words.
fn count(dossier: &Dossier, plan: &Plan, would: &mut Would) -> String {
    let one_more = |number: &mut u64| *number = number.saturating_add(1);
    let known = dossier.mapping.is_some();
    match plan {
        Plan::Done(Outcome::BeforeImportFrom) => {
            one_more(&mut would.before_import_from);
            "nothing: purchased before import_from".to_owned()
        }
        Plan::Done(Outcome::CancelledUnseen) => {
            one_more(&mut would.cancelled);
            "nothing: cancelled before it was seen".to_owned()
        }
        Plan::Done(outcome) => format!("nothing: {}", outcome.name()),
        Plan::Wait(holds) => {
            for hold in holds {
                one_more(would.hold.entry(hold.code).or_default());
            }
            let codes: Vec<&str> = holds.iter().map(|hold| hold.code.name()).collect();
            format!("held: {}", codes.join(", "))
        }
        Plan::Want(desired) if desired.cancel => {
            one_more(&mut would.cancelled);
            "cancelled in Odoo".to_owned()
        }
        Plan::Want(desired) => {
            let made = if known { "compared with Odoo" } else { "created" };
            if !known {
                one_more(&mut would.create);
            }
            for hold in &desired.holds {
                one_more(would.hold.entry(hold.code).or_default());
            }
            let confirmed = dossier.mapping.as_ref().is_some_and(|m| m.state == "sale");
            if desired.confirm && !confirmed {
                one_more(&mut would.confirm);
                one_more(&mut would.pickings);
                return format!("{made} and confirmed");
            }
            if desired.holds.is_empty() {
                return made.to_owned();
            }
            let codes: Vec<&str> = desired.holds.iter().map(|hold| hold.code.name()).collect();
            format!("{made}, then held: {}", codes.join(", "))
        }
    }
}

/// Reads the document and weighs its facts. Blocking.
fn weigh(
    daemon: &Daemon,
    account: &AccountId,
    source: &ProcessSource,
    chunks: &mpsc::Sender<Weighed>,
) -> Result<ProcessReport, ControlError> {
    let live = daemon
        .accounts
        .get(account)
        .ok_or_else(|| ControlError::UnknownAccount(account.clone()))?;
    let intake = Arc::clone(&live.intake.read().unwrap_or_else(PoisonError::into_inner));
    let mut report = ProcessReport {
        account: account.clone(),
        dry_run: true,
        id: None,
        envelope: String::new(),
        family: None,
        counts: Counts::default(),
        refusal: None,
        would: None,
    };
    match read(daemon, &intake, source, &mut report, chunks) {
        Ok(()) => Ok(report),
        Err(Failure::Refused(refusal)) => {
            report.refusal = Some(refusal);
            Ok(report)
        }
        Err(Failure::Trouble(trouble)) => {
            Err(failed("trouble", &trouble.to_string(), "look at `journalctl -u odoo-spoold`"))
        }
    }
}

fn read(
    daemon: &Daemon,
    account: &IntakeAccount,
    source: &ProcessSource,
    report: &mut ProcessReport,
    chunks: &mpsc::Sender<Weighed>,
) -> Result<(), Failure> {
    let bytes = u64::try_from(source.bytes.len()).unwrap_or(u64::MAX);
    if bytes > account.max_file_bytes {
        return Err(Failure::too_large(bytes, account.max_file_bytes));
    }
    let sidecar = source
        .sidecar
        .as_ref()
        .map(|bytes| Sidecar::parse(bytes))
        .transpose()
        .map_err(Failure::sidecar)?;
    let sidecar = sidecar.as_ref();
    let open = || -> Result<Box<dyn Read + '_>, Failure> {
        let bytes = Cursor::new(source.bytes.as_slice());
        let opened = envelope::open(bytes, sidecar, &account.keyring, &account.policy);
        Ok(opened.map_err(Failure::open)?.reader)
    };
    let described = sidecar.map(DocumentInfo::from).unwrap_or_default();
    let marketplace = marketplace(&described);
    let hints = Hints { charset: described.charset.clone(), marketplace };
    let first = envelope::open(
        Cursor::new(source.bytes.as_slice()),
        sidecar,
        &account.keyring,
        &account.policy,
    )
    .map_err(Failure::open)?;
    envelope_name(first.format).clone_into(&mut report.envelope);
    let survey = flatfile::survey(first.reader, &hints).map_err(Failure::document)?;
    report.family = Some(survey.family);
    contradiction(&described, &survey)?;
    report.counts = Counts {
        rows: survey.rows,
        blank: survey.blank_lines,
        orders: survey.orders,
        ..Counts::default()
    };
    let mut weighing = Weighing {
        daemon,
        account,
        chunks,
        facts: Vec::new(),
        lines: 0,
        buyers: BTreeMap::new(),
        taken: Taken::default(),
        refused: 0,
    };
    let rows = each_order(&open, &survey, marketplace, &mut |order| {
        if let Some(buyer) = order.buyer {
            weighing.buyers.insert(order.fact.order_id.clone(), buyer);
        }
        weighing.lines = weighing.lines.saturating_add(order.fact.lines.len());
        weighing.facts.push(order.fact);
        let full = weighing.facts.len() >= CHUNK || weighing.lines >= CHUNK_LINES;
        if full { weighing.flush() } else { Ok(()) }
    })?;
    weighing.flush()?;
    let taken = weighing.taken;
    report.counts.refused = rows.refused.saturating_add(weighing.refused);
    report.counts.new = taken.new;
    report.counts.changed = taken.changed;
    report.counts.unchanged = taken.unchanged;
    report.counts.older = taken.older;
    report.counts.before_import_from = taken.before_import_from;
    Ok(())
}

/// Facts on their way to being weighed.
struct Weighing<'a> {
    daemon: &'a Daemon,
    account: &'a IntakeAccount,
    chunks: &'a mpsc::Sender<Weighed>,
    facts: Vec<Fact>,
    lines: usize,
    buyers: BTreeMap<OrderId, BuyerFact>,
    taken: Taken,
    /// Orders whose record cannot be read or would be too large.
    refused: u64,
}

impl Weighing<'_> {
    fn flush(&mut self) -> Result<(), Failure> {
        let facts = std::mem::take(&mut self.facts);
        self.lines = 0;
        let now = self.daemon.clock.now();
        let from = Some(self.account.import_from);
        let (taken, dossiers) = self
            .daemon
            .store
            .rehearse(&self.account.id, facts, from, now)
            .map_err(|error| Failure::Trouble(error.into()))?;
        self.taken.new = self.taken.new.saturating_add(taken.new);
        self.taken.changed = self.taken.changed.saturating_add(taken.changed);
        self.taken.unchanged = self.taken.unchanged.saturating_add(taken.unchanged);
        self.taken.older = self.taken.older.saturating_add(taken.older);
        self.taken.before_import_from =
            self.taken.before_import_from.saturating_add(taken.before_import_from);
        self.refused =
            self.refused.saturating_add(u64::try_from(taken.refused.len()).unwrap_or(u64::MAX));
        let weighed: Weighed = dossiers
            .into_iter()
            .map(|dossier| {
                let buyer = self.buyers.remove(&dossier.order_id);
                (dossier, buyer)
            })
            .collect();
        self.buyers.clear();
        if weighed.is_empty() {
            return Ok(());
        }
        // Waits until the chunk before it is planned. Whoever asked may have gone away.
        let sent = self.chunks.blocking_send(weighed);
        sent.map_err(|_| Failure::Trouble(IntakeTrouble::Stopping))
    }
}
