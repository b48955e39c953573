//! `process --dry-run`: what a file would do, without keeping anything.
//!
//! The file is read as it would be when dropped, its facts are weighed against what is known, and
//! the orders are planned with what Odoo has now. Orders that somebody else made in Odoo are not
//! looked for: they would be adopted or held instead of created.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::{Arc, PoisonError};

use super::Daemon;
use super::desk::failed;
use super::intake::{Failure, IntakeAccount, each_order, envelope_name};
use crate::control::wire::{Example, ProcessReport, Would};
use crate::control::{ControlError, ProcessSource};
use crate::envelope::{self, Sidecar};
use crate::flatfile::{self, Hints};
use crate::model::{AccountId, BuyerFact, Counts, Dossier, Fact, OrderId, Outcome};
use crate::plan::Plan;
use crate::store::Taken;

/// Orders named for each kind of outcome.
const EXAMPLES: usize = 5;
/// Orders weighed at once.
const CHUNK: usize = 500;

/// What a file says, weighed against what is known.
struct Weighed {
    report: ProcessReport,
    orders: Vec<(Dossier, Option<BuyerFact>)>,
}

/// Says what `source` would do if it were dropped for `account`.
pub(super) async fn rehearse(
    daemon: &Arc<Daemon>,
    account: &AccountId,
    source: ProcessSource,
) -> Result<ProcessReport, ControlError> {
    let (worker, id) = (Arc::clone(daemon), account.clone());
    let weighed = tokio::task::spawn_blocking(move || weigh(&worker, &id, &source))
        .await
        .map_err(|_| ControlError::Internal)??;
    let Weighed { mut report, orders } = weighed;
    if report.refusal.is_some() {
        return Ok(report);
    }
    let plans = daemon.delivery.rehearse(account, &orders).await.map_err(|error| {
        failed("odoo", &error.to_string(), "run `odoo-spoold check`, then try again")
    })?;
    let mut would = Would {
        unchanged: report.counts.unchanged.saturating_add(report.counts.older),
        before_import_from: report.counts.before_import_from,
        ..Would::default()
    };
    let mut shown: BTreeMap<String, usize> = BTreeMap::new();
    for ((dossier, _), plan) in orders.iter().zip(&plans) {
        let words = count(dossier, plan, &mut would);
        let times = shown.entry(words.clone()).or_default();
        *times = times.saturating_add(1);
        if *times <= EXAMPLES {
            would.examples.push(Example { order_id: dossier.order_id.clone(), would: words });
        }
    }
    report.would = Some(would);
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
) -> Result<Weighed, ControlError> {
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
    match read(daemon, &intake, source, &mut report) {
        Ok(orders) => Ok(Weighed { report, orders }),
        Err(Failure::Refused(refusal)) => {
            report.refusal = Some(refusal);
            Ok(Weighed { report, orders: Vec::new() })
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
) -> Result<Vec<(Dossier, Option<BuyerFact>)>, Failure> {
    let sidecar =
        source.sidecar.as_deref().map(Sidecar::parse).transpose().map_err(Failure::sidecar)?;
    let sidecar = sidecar.as_ref();
    let open = || -> Result<Box<dyn Read + '_>, Failure> {
        let bytes = Cursor::new(source.bytes.as_slice());
        let opened = envelope::open(bytes, sidecar, &account.keyring, &account.policy);
        Ok(opened.map_err(Failure::open)?.reader)
    };
    let marketplace =
        sidecar.and_then(|s| s.marketplace.as_deref()).and_then(|name| name.parse().ok());
    let hints = Hints { charset: sidecar.and_then(|s| s.charset.clone()), marketplace };
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
    report.counts = Counts {
        rows: survey.rows,
        blank: survey.blank_lines,
        orders: survey.orders,
        ..Counts::default()
    };
    let mut weighing = Weighing {
        daemon,
        account,
        facts: Vec::new(),
        buyers: BTreeMap::new(),
        taken: Taken::default(),
        orders: Vec::new(),
    };
    let rows = each_order(&open, &survey, marketplace, &mut |order| {
        if let Some(buyer) = order.buyer {
            weighing.buyers.insert(order.fact.order_id.clone(), buyer);
        }
        weighing.facts.push(order.fact);
        if weighing.facts.len() >= CHUNK { weighing.flush() } else { Ok(()) }
    })?;
    weighing.flush()?;
    let taken = weighing.taken;
    report.counts.refused = rows.refused;
    report.counts.new = taken.new;
    report.counts.changed = taken.changed;
    report.counts.unchanged = taken.unchanged;
    report.counts.older = taken.older;
    report.counts.before_import_from = taken.before_import_from;
    Ok(weighing.orders)
}

/// Facts on their way to being weighed.
struct Weighing<'a> {
    daemon: &'a Daemon,
    account: &'a IntakeAccount,
    facts: Vec<Fact>,
    buyers: BTreeMap<OrderId, BuyerFact>,
    taken: Taken,
    orders: Vec<(Dossier, Option<BuyerFact>)>,
}

impl Weighing<'_> {
    fn flush(&mut self) -> Result<(), Failure> {
        let facts = std::mem::take(&mut self.facts);
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
        for dossier in dossiers {
            let buyer = self.buyers.remove(&dossier.order_id);
            self.orders.push((dossier, buyer));
        }
        self.buyers.clear();
        Ok(())
    }
}
