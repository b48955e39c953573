//! A batch from lease to settlement: what stopped it decides where its jobs go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::backoff;
use super::batch::{Batch, Work};
use super::catalog::Catalog;
use super::gate::Gate;
use super::lane::Lane;
use super::probe::{Culprit, reason};
use super::refusals::{Fate, Passed, Refused, Step};
use super::send::{Sender, Stop};
use super::settings::AccountSettings;
use super::throttle::{Permit, Went};
use super::window::Writing;
use crate::model::{Death, Family, Hold, HoldCode, OdooId, OrderId, Outcome};
use crate::odoo::Context;
use crate::plan::merge::merge_buyer;
use crate::store::{BuyerState, End, Leased, RecordKey, Settlement};
use crate::telemetry::{events, outcomes};

/// From this attempt on an order is a suspect: its batch has failed often enough. Suspects go apart
/// from the others, in groups that halve with each attempt, so that one bad order costs log₂ calls.
const SUSPECT_FROM_ATTEMPT: u32 = 3;
/// From this attempt on a failure of an order that stands alone, of which nothing says that it
/// passes, counts as a refusal: somebody has to see it.
const DOUBTED_ATTEMPTS: u32 = 10;
/// The code of a panic over a batch.
const PANICKED: &str = "delivery-panicked";

/// What became of a group.
pub(super) enum Sent {
    /// Its orders got through these steps.
    Through(BTreeSet<Step>),
    /// One was refused; of several the last.
    Refused(Culprit),
    /// It did not come to its end.
    Stopped(Stop),
    /// Nothing was to be done.
    Neither,
}

/// What sends a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The lane, among others.
    Batch,
    /// A probe of a paused account.
    Probe,
}

/// What a batch's refusals come to.
struct Judged {
    sent: Sent,
    /// The account is to pause.
    pause: bool,
    /// What orders were held for that are through now.
    kinds: BTreeSet<String>,
}

/// What became of one order, for the journal: said once it is durable.
struct Transition {
    order: OrderId,
    attempt: u32,
    created: Option<OdooId>,
    confirmed: bool,
    end: End,
}

impl Lane {
    /// Delivers one batch and settles it.
    pub(super) async fn deliver(
        self: &Arc<Self>,
        settings: &Arc<AccountSettings>,
        catalog: &Arc<Catalog>,
        leased: Vec<Leased>,
        permit: &Permit,
    ) {
        // Whatever happens: what is not settled goes back.
        let _back = Back { lane: self, leases: leased.iter().map(Lease::of).collect() };
        for group in groups(leased) {
            let group = self.without_shut_buyers(group).await;
            if group.is_empty() {
                continue;
            }
            let closed = self.delivery.gate(&self.account, |gate| *gate != Gate::Open)
                || self.delivery.store.paused(&self.account).is_some();
            if closed {
                self.delivery.store.give_back(&group);
                continue;
            }
            self.deliver_guarded(settings, catalog, group, permit, By::Batch).await;
        }
    }

    /// Delivers a group as a task of its own: its panic is no other's.
    pub(super) async fn deliver_guarded(
        self: &Arc<Self>,
        settings: &Arc<AccountSettings>,
        catalog: &Arc<Catalog>,
        group: Vec<Leased>,
        permit: &Permit,
        by: By,
    ) -> Sent {
        let leases: Vec<Lease> = group.iter().map(Lease::of).collect();
        let (lane, settings, catalog) =
            (Arc::clone(self), Arc::clone(settings), Arc::clone(catalog));
        let delivering = async move { lane.deliver_group(&settings, &catalog, group, by).await };
        let Some((went, sent)) = self.guarded(leases, delivering).await else {
            return Sent::Neither;
        };
        permit.learn(went);
        sent
    }

    /// Runs what works on leased jobs as a task of its own; none if it panicked.
    async fn guarded<T: Send + 'static>(
        &self,
        leases: Vec<Lease>,
        working: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        match tokio::spawn(working).await {
            Ok(done) => Some(done),
            Err(error) => {
                self.panicked(leases, error.is_panic()).await;
                None
            }
        }
    }

    async fn deliver_group(
        &self,
        settings: &AccountSettings,
        catalog: &Catalog,
        leased: Vec<Leased>,
        by: By,
    ) -> (Went, Sent) {
        let suspects = leased.iter().any(|leased| leased.job.attempt >= SUSPECT_FROM_ATTEMPT);
        let mut works: Vec<Work> = leased
            .into_iter()
            .map(|leased| {
                let buyers: BTreeMap<Family, _> = leased
                    .buyers
                    .iter()
                    .filter_map(|(family, state)| match state {
                        BuyerState::Known(buyer) => Some((*family, (**buyer).clone())),
                        _ => None,
                    })
                    .collect();
                let buyer = merge_buyer(&buyers);
                Work::new(leased, buyer)
            })
            .collect();
        let started = self.delivery.clock.now();
        let (client, meter) = self.delivery.client().metered();
        let outcome = match self.delivery.store.id_key(&self.account) {
            Ok(id_key) => {
                let writing = Writing { window: &self.window, hands: self.hands(&client) };
                let context = Context::new(&[catalog.company]);
                let sender = Sender {
                    split_unknown: suspects,
                    excused: self.refusals().excused(started),
                    people: Some((&self.delivery.people, catalog.company)),
                    ..Sender::new(&client, &self.account, context, writing)
                };
                let batch = Batch {
                    sender,
                    settings,
                    catalog,
                    id_key,
                    confirm_batch: self.size().share_of(self.delivery.pace.confirm_batch),
                    shelf: &self.shelf,
                    shared: &self.shared,
                    limit_time_real: self.delivery.pace.limit_time_real,
                    absent: &self.absent,
                    now: started,
                };
                batch.run(&mut works).await
            }
            Err(error) => Err(Stop::Store(error.to_string())),
        };
        let went = went(&outcome, meter.slowest());
        let target = self.delivery.people.pacing().target();
        self.size().learn(went, works.len(), target);
        (went, self.settle(works, outcome, started, by).await)
    }

    async fn settle(
        &self,
        mut works: Vec<Work>,
        outcome: Result<(), Stop>,
        started: Timestamp,
        by: By,
    ) -> Sent {
        let now = self.delivery.clock.now();
        doubt(&mut works, &outcome);
        let passed = passed(&works);
        let judged = self.judge(&mut works, &passed, now);
        let mut sent = judged.sent;
        if let Err(stop) = self.note(&mut works, now).await {
            // Not stored before it is noted: the orders are found in Odoo by their external ids.
            self.delivery.store.give_back(works.iter().map(|work| &work.leased));
            self.trouble(&stop);
            return Sent::Stopped(stop);
        }
        // One for all: what failed together goes together again, not one by one.
        let random = rand::random();
        let mut settlements = Vec::new();
        let mut back = Vec::new();
        let mut transitions = Vec::new();
        for work in works {
            if work.lost {
                continue;
            }
            let created = work.odoo_id().filter(|_| work.created);
            let end = match (work.end, &outcome) {
                (Some(end), _) => end,
                // A stage ran to its end without a word on this order: a bug, but never a loss.
                (None, Ok(())) => retry(&work.leased, "delivery-incomplete", None, random, now),
                (None, Err(Stop::Retry { code, down: false, ambiguous, wait, .. })) => {
                    let least = ambiguous.then_some(self.delivery.pace.limit_time_real);
                    retry(&work.leased, code, wait.or(least), random, now)
                }
                (None, Err(Stop::Retry { code, down: true, ambiguous, .. })) => {
                    // The gate decides when; an attempt is used only where the order itself may be why.
                    let wait = if *ambiguous {
                        self.delivery.pace.limit_time_real
                    } else {
                        Duration::ZERO
                    };
                    End::Retry {
                        due: now.saturating_add(wait).unwrap_or(now),
                        attempt: work.leased.job.attempt.saturating_add(u32::from(*ambiguous)),
                        fault: (*code).to_owned(),
                    }
                }
                // Nobody's in particular: it is tried again.
                (None, Err(Stop::Refused { code, .. })) => {
                    retry(&work.leased, code, None, random, now)
                }
                (None, Err(Stop::Pause { .. } | Stop::Store(_))) => {
                    back.push(work.leased);
                    continue;
                }
            };
            transitions.push(Transition {
                order: work.dossier.order_id.clone(),
                attempt: work.leased.job.attempt,
                created,
                confirmed: work.confirmed,
                end: end.clone(),
            });
            settlements.push(work.leased.settlement(Some(work.dossier), end));
        }
        self.delivery.store.give_back(&back);
        let done = self.store_settlements(settlements, now).await;
        self.pause_for(&outcome, judged.pause, &back);
        let steps = passed.steps();
        // A customer alone is no order, nor is an answer.
        let through = steps.iter().any(|step| ![Step::Customer, Step::Read].contains(step));
        if through && outcome.is_ok() && matches!(sent, Sent::Neither) {
            sent = Sent::Through(steps.clone());
        }
        if let Err(stop) = outcome {
            // The probe that sends an order alone decides itself what comes of the pause.
            if by == By::Batch || !matches!(stop, Stop::Pause { by_order: true, .. }) {
                self.close(&stop);
            }
            sent = match (stop, &*back) {
                (Stop::Pause { by_order: true, code, next_step, cause, step }, [only]) => {
                    let death = Death { code: code.to_owned(), words: next_step.into_owned() };
                    let step = step.unwrap_or(Step::Read);
                    Sent::Refused(Culprit { key: only.key, step, death, cause })
                }
                (stop, _) => Sent::Stopped(stop),
            };
        }
        let done = match done {
            Ok(()) => {
                self.announce(&transitions, started);
                self.release_refused(&steps, &judged.kinds, now).await
            }
            Err(stop) => Err(stop),
        };
        if let Err(stop) = done {
            self.trouble(&stop);
        }
        sent
    }

    /// Decides what becomes of the refused orders of a batch.
    fn judge(&self, works: &mut [Work], passed: &Passed, now: Timestamp) -> Judged {
        let mut found = Vec::new();
        let mut places = Vec::new();
        let mut sent = Sent::Neither;
        let mut kinds = BTreeSet::new();
        for (place, work) in works.iter().enumerate().filter(|(_, work)| !work.lost) {
            let key = work.leased.key;
            if let (Some(step), Some(End::Retry { .. })) = (work.refused, &work.end) {
                self.refusals().refused_once(key, step, passed, now);
            }
            let (Some(step), Some(End::Dead(death))) = (work.refused, &work.end) else {
                if matches!(work.end, Some(End::Done(_) | End::Held(_))) {
                    // Others wait for the same only where this one got through it itself.
                    let kind = self.refusals().ended(&key);
                    kinds.extend(kind.filter(|kind| work.is_through(kind)));
                }
                continue;
            };
            found.push(Refused { order: key, step, reason: reason(&death.code, &death.words) });
            places.push(place);
            let cause = None;
            sent = Sent::Refused(Culprit { key, step, death: death.clone(), cause });
        }
        let lesson = self.refusals().learn(&found, passed, now);
        for ((place, refused), fate) in places.into_iter().zip(&found).zip(lesson.fates) {
            let Some(work) = works.get_mut(place) else { continue };
            let (Fate::Held, Some(End::Dead(death))) = (fate, &work.end) else { continue };
            work.end = Some(refused_end(refused, death));
        }
        Judged { sent, pause: lesson.pause, kinds }
    }

    /// Remembers which orders are sent alone, where only that shows the end of a pause.
    fn pause_for(&self, outcome: &Result<(), Stop>, same: bool, back: &[Leased]) {
        let orders = back.iter().map(|leased| leased.key);
        if let Err(Stop::Pause { code, next_step, by_order: true, cause, step }) = outcome {
            let mut refusals = self.refusals();
            refusals.pause(code, next_step.to_string(), orders);
            if let (Some(step), Some(cause)) = (step, cause) {
                refusals.suspect(*step, cause.clone());
            }
        } else if same {
            let (code, next_step) = ("odoo-refuses-all", REFUSES_ALL);
            let begins = self.refusals().paused().is_none();
            self.refusals().pause(code, next_step.to_owned(), []);
            if begins {
                self.close(&Stop::pause(code, next_step));
            }
        }
    }

    /// A group's task panicked: its leases go back, and it is tried again in halves, until the one
    /// that makes it panic stands alone and is dead.
    async fn panicked(&self, leases: Vec<Lease>, panicked: bool) {
        let now = self.delivery.clock.now();
        events::batch_panicked(&self.account, leases.len());
        let alone = leases.len() == 1;
        let random = rand::random();
        let mut told = Vec::new();
        let mut settlements = Vec::new();
        for lease in &leases {
            let attempt = lease.attempt.saturating_add(1).max(SUSPECT_FROM_ATTEMPT);
            let end = if alone && panicked && lease.panicked {
                let words = "odoo-spoold panicked over this order, alone and before".to_owned();
                told.push(lease.order.clone());
                End::Dead(Death { code: PANICKED.to_owned(), words })
            } else {
                let wait = backoff::retry(1, random);
                let due = now.saturating_add(wait).unwrap_or(now);
                End::Retry { due, attempt, fault: PANICKED.to_owned() }
            };
            settlements.push(lease.settlement(end));
        }
        match self.store_settlements(settlements, now).await {
            Ok(()) => {
                for order in told {
                    events::order_dead(&self.account, &order, PANICKED);
                }
            }
            Err(stop) => {
                self.delivery.store.return_leases(leases.iter().map(|l| (l.key, l.fence)));
                self.trouble(&stop);
            }
        }
    }

    /// What of this batch belongs into the decision journal, before it is stored.
    async fn note(&self, works: &mut [Work], now: Timestamp) -> Result<(), Stop> {
        self.shelf.note_delivered(works, now).await?;
        self.shelf.note_gone(works, now).await?;
        self.shelf.note_ruled(works, now).await
    }

    pub(super) async fn store_settlements(
        &self,
        settlements: Vec<Settlement>,
        now: Timestamp,
    ) -> Result<(), Stop> {
        if settlements.is_empty() {
            return Ok(());
        }
        self.shelf
            .run(move |store, _| {
                let lost = store.settle(settlements, now)?;
                store.barrier()?;
                Ok(lost)
            })
            .await
            .map(|_lost| ())
    }

    fn announce(&self, transitions: &[Transition], started: Timestamp) {
        for Transition { order, attempt, created, confirmed, end } in transitions {
            if let Some(odoo_id) = created {
                events::order_created(&self.account, order, *odoo_id);
            }
            if *confirmed {
                events::order_confirmed(&self.account, order);
            }
            match end {
                End::Done(Outcome::Delivered) => events::order_delivered(&self.account, order),
                End::Done(outcome) => outcomes::order_done(&self.account, order, outcome.name()),
                End::Held(holds) => {
                    for hold in holds {
                        outcomes::order_held(&self.account, order, hold);
                    }
                }
                End::Refused { hold, .. } => outcomes::order_held(&self.account, order, hold),
                End::Dead(death) => events::order_dead(&self.account, order, &death.code),
                End::Retry { fault, .. } => {
                    events::order_retry(&self.account, order, *attempt, fault);
                }
            }
        }
        let took = self.delivery.clock.now().duration_since(started);
        tracing::debug!(account = %self.account, orders = transitions.len(), took_ms = %took.as_millis(), "batch settled");
    }
}

fn retry(leased: &Leased, code: &str, least: Option<Duration>, random: u64, now: Timestamp) -> End {
    let attempt = leased.job.attempt.saturating_add(1);
    let wait = backoff::retry(attempt, random).max(least.unwrap_or_default());
    End::Retry { due: now.saturating_add(wait).unwrap_or(now), attempt, fault: code.to_owned() }
}

/// What is kept of a leased job beside the task that works on it.
struct Lease {
    key: RecordKey,
    fence: u64,
    generation: u64,
    attempt: u32,
    order: OrderId,
    /// Its last attempt ended in a panic as well.
    panicked: bool,
}

/// Gives leases back when it is dropped, also by a panic; those that are settled are none any more.
struct Back<'a> {
    lane: &'a Lane,
    leases: Vec<Lease>,
}

impl Drop for Back<'_> {
    fn drop(&mut self) {
        let leases = self.leases.iter().map(|lease| (lease.key, lease.fence));
        self.lane.delivery.store.return_leases(leases);
    }
}

impl Lease {
    fn of(leased: &Leased) -> Self {
        let job = &leased.job;
        Self {
            key: leased.key,
            fence: job.fence,
            generation: job.generation,
            attempt: job.attempt,
            order: job.order_id.clone(),
            panicked: job.last_fault.as_deref() == Some(PANICKED),
        }
    }

    fn settlement(&self, end: End) -> Settlement {
        let Self { key, fence, generation, .. } = *self;
        Settlement { key, fence, generation, dossier: None, end }
    }
}

/// What helps where Odoo refuses different orders in the same words.
const REFUSES_ALL: &str = "Odoo refused different orders in the same words, and let none through: \
                           it is a setting there; the refused orders are held (`odoo-spoold hold \
                           show` gives Odoo's words) and one of them is sent now and then";

/// An order that stands alone and failed for long in a way of which nothing says that it passes
/// counts as refused.
fn doubt(works: &mut [Work], outcome: &Result<(), Stop>) {
    let (Err(Stop::Retry { code, doubt: Some(words), step, .. }), [work]) = (outcome, works) else {
        return;
    };
    if work.is_open() && work.leased.job.attempt.saturating_add(1) >= DOUBTED_ATTEMPTS {
        work.refuse(step.unwrap_or(Step::Read), code, words.expose());
    }
}

impl Work {
    /// Whether it is through, and got through the step at which orders held for this were refused.
    fn is_through(&self, kind: &str) -> bool {
        let step = Step::of_key(kind);
        matches!(self.end, Some(End::Done(_))) && self.passed().any(|passed| Some(passed) == step)
    }
}

/// What Odoo did for the orders of a batch.
fn passed(works: &[Work]) -> Passed {
    let mut passed = Passed::default();
    for work in works.iter().filter(|work| !work.lost) {
        for step in work.passed() {
            passed.add(step, work.leased.key);
        }
    }
    passed
}

/// The end of an order of which nothing shows yet whether it is to blame.
pub(super) fn refused_end(refused: &Refused, death: &Death) -> End {
    let text = format!(
        "Odoo refuses it ({}), and nothing shows yet whether this order is to blame or a setting: it \
         is sent again by itself",
        death.code
    );
    let hold = Hold::new(HoldCode::Refused, refused.key(), text);
    End::Refused { hold, words: death.words.clone() }
}

/// The orders that go together: those that never failed first, suspects after them. Those of one
/// attempt fail together again, or were cleared: half of them is tried next time.
fn groups(leased: Vec<Leased>) -> Vec<Vec<Leased>> {
    let (suspects, rest): (Vec<Leased>, Vec<Leased>) =
        leased.into_iter().partition(|leased| leased.job.attempt >= SUSPECT_FROM_ATTEMPT);
    let mut by_attempt: BTreeMap<u32, Vec<Leased>> = BTreeMap::new();
    for suspect in suspects {
        by_attempt.entry(suspect.job.attempt).or_default().push(suspect);
    }
    let mut groups = vec![rest];
    for (attempt, mut group) in by_attempt {
        let halvings = attempt.saturating_sub(SUSPECT_FROM_ATTEMPT).saturating_add(1);
        let size = (group.len() >> halvings.min(16)).max(1);
        // The same order each time, so that halves are halves of the same.
        group.sort_by_key(|leased| leased.key);
        while group.len() > size {
            let rest = group.split_off(size);
            groups.push(std::mem::replace(&mut group, rest));
        }
        groups.push(group);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// What a batch's end says about the load on Odoo.
fn went(outcome: &Result<(), Stop>, slowest: Duration) -> Went {
    match outcome {
        Ok(()) => Went::Well(slowest),
        Err(Stop::Retry { ambiguous: true, .. } | Stop::Retry { overload: true, .. }) => {
            Went::TooMuch
        }
        Err(_) => Went::Otherwise,
    }
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
