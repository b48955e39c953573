//! A pause that only an order can end: one that was refused is sent alone, now and then.
//!
//! If it gets through, the account goes on, and what was held follows. If it is refused again,
//! another one is sent, which was not refused before where there is one: an account never stands
//! still for single orders. If that one gets through, the account goes on as well. Whether the first
//! is to blame, only another order that gets through the same step shows; until then it is held.
//!
//! An order of the refused batch that gets through without coming to the refused step shows nothing
//! of it: the next one of that batch is sent at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::catalog::Catalog;
use super::lane::Lane;
use super::refusals::{Passed, Refused, Step, without_particulars};
use super::send::Stop;
use super::settings::AccountSettings;
use super::settle::{By, Sent, refused_end};
use super::throttle::Permit;
use crate::model::{Death, HoldCode};
use crate::store::{Alone, End, Leased, RecordKey, Waiting};
use crate::telemetry::{events, outcomes};

/// Refused orders in one probe, at most.
const PROBES: usize = 2;
/// Orders sent alone in one probe, at most: some turn out to need nothing of Odoo.
const TRIES: usize = 10;
/// Due orders among which one that was not refused before is looked for.
const WITNESSES: usize = 50;
/// How long to wait for a connection that others use. Nothing is asked meanwhile.
pub(super) const BUSY: Duration = Duration::from_secs(1);

/// An order that was refused when it was sent alone.
pub(super) struct Culprit {
    pub(super) key: RecordKey,
    /// Where.
    pub(super) step: Step,
    /// What it dies of, if others get through there.
    pub(super) death: Death,
    /// What may concern only some orders.
    pub(super) cause: Option<String>,
}

/// What there is to send alone.
enum Next {
    Order(Box<Leased>),
    /// What is left is tried again later.
    Later,
    Nothing,
}

impl Lane {
    /// Sends orders alone until they decide the pause, or two were refused. An error says how long
    /// the account stays paused.
    pub(super) async fn probe(
        self: &Arc<Self>,
        settings: &Arc<AccountSettings>,
        catalog: &Arc<Catalog>,
        permit: &Permit,
    ) -> Result<(), Duration> {
        let mut culprit: Option<Culprit> = None;
        // What others of the refused batch got through, none of them the refused step.
        let mut elsewhere = BTreeSet::new();
        let (mut tried, mut refused, mut in_vain) = (BTreeSet::new(), 0, 0);
        while refused < PROBES && in_vain < TRIES {
            let next = match &culprit {
                None => self.next_refused(&tried).await,
                Some(culprit) => self.next_witness(culprit, &tried).await,
            };
            let leased = match next {
                Ok(Next::Order(leased)) => leased,
                Ok(Next::Nothing) if tried.is_empty() => {
                    // Whatever was refused is gone, or waits for something else now.
                    self.end_pause();
                    return Ok(());
                }
                Ok(Next::Nothing | Next::Later) => break,
                Err(stop) => return Err(self.trouble(&stop)),
            };
            let key = leased.key;
            tried.insert(key);
            match self.send_alone(settings, catalog, *leased, permit).await {
                Sent::Through(steps) => {
                    let goes_on = self.refusals().goes_on(&key, &steps);
                    if goes_on && culprit.is_none() {
                        elsewhere.extend(steps);
                        continue;
                    }
                    let now = self.delivery.clock.now();
                    self.refusals().excuse_paused(&steps, now);
                    self.end_pause();
                    if let Some(culprit) = culprit {
                        self.blame(culprit, &steps).await;
                    }
                    return Ok(());
                }
                Sent::Stopped(stop) => return Err(self.close(&stop)),
                Sent::Refused(found) => {
                    let now = self.delivery.clock.now();
                    if self.refusals().is_to_blame(&found.key, found.step, now) {
                        let steps = [found.step].into();
                        self.end_pause();
                        self.blame(found, &steps).await;
                        return Ok(());
                    }
                    if !elsewhere.is_empty() {
                        self.end_pause();
                        self.blame(found, &elsewhere).await;
                        return Ok(());
                    }
                    (refused, in_vain) = (refused + 1, in_vain + 1);
                    culprit = Some(found);
                }
                Sent::Neither => in_vain += 1,
            }
        }
        if !elsewhere.is_empty() {
            // None of those that were sent was refused.
            self.end_pause();
            return Ok(());
        }
        Err(self.stay_paused())
    }

    async fn send_alone(
        self: &Arc<Self>,
        settings: &Arc<AccountSettings>,
        catalog: &Arc<Catalog>,
        leased: Leased,
        permit: &Permit,
    ) -> Sent {
        let group = self.without_shut_buyers(vec![leased]).await;
        if group.is_empty() {
            return Sent::Neither;
        }
        self.deliver_guarded(settings, catalog, group, permit, By::Probe).await
    }

    /// One that was refused, else any that is due.
    async fn next_refused(&self, tried: &BTreeSet<RecordKey>) -> Result<Next, Stop> {
        let now = self.delivery.clock.now();
        let (mut first, mut later) = (None, false);
        loop {
            let next = self.refusals().next_probe().filter(|key| Some(*key) != first);
            let Some(key) = next else { break };
            first = first.or(Some(key));
            if tried.contains(&key) {
                continue;
            }
            match self.shelf.run(move |store, _| store.lease_refused(key, now)).await? {
                Alone::Leased(leased) => return Ok(Next::Order(leased)),
                Alone::Later => later = true,
                Alone::Gone => {
                    // The next one is the first that may come round again.
                    first = first.filter(|first| *first != key);
                    self.refusals().forget(&key);
                }
            }
        }
        match self.next_due(tried, |_| 0).await? {
            Some(leased) => Ok(Next::Order(Box::new(leased))),
            None if later => Ok(Next::Later),
            None => Ok(Next::Nothing),
        }
    }

    /// One that shows whether the culprit is to blame: best one that was not refused before, and
    /// that has the same step before it.
    async fn next_witness(
        &self,
        culprit: &Culprit,
        tried: &BTreeSet<RecordKey>,
    ) -> Result<Next, Stop> {
        let of_new = [Step::Customer, Step::Create, Step::Confirm].contains(&culprit.step);
        let rank = |leased: &Leased| {
            let mapping = leased.dossier.mapping.as_ref();
            let is_new = mapping.is_none_or(|mapping| mapping.odoo_id == 0);
            let suspect = self.refusals().is_suspect(&leased.key);
            usize::from(suspect) * 2 + usize::from(is_new != of_new)
        };
        match self.next_due(tried, rank).await? {
            Some(leased) => Ok(Next::Order(Box::new(leased))),
            None => self.next_refused(tried).await,
        }
    }

    /// Of the orders that are due the one with the lowest rank; the others are given back.
    async fn next_due(
        &self,
        tried: &BTreeSet<RecordKey>,
        rank: impl Fn(&Leased) -> usize,
    ) -> Result<Option<Leased>, Stop> {
        let now = self.delivery.clock.now();
        let due = self.shelf.run(move |store, account| store.lease(account, now, WITNESSES));
        let mut jobs = due.await?.jobs;
        let open = jobs.iter().enumerate().filter(|(_, leased)| !tried.contains(&leased.key));
        let place = open.min_by_key(|(_, leased)| rank(leased)).map(|(place, _)| place);
        let chosen = place.map(|place| jobs.swap_remove(place));
        self.delivery.store.give_back(&jobs);
        Ok(chosen)
    }

    /// Another order got through: the culprit is to blame where it was the same step, and held
    /// where that says nothing. In either case its cause is no reason to pause again.
    async fn blame(&self, culprit: Culprit, steps: &BTreeSet<Step>) {
        let Culprit { key, step, death, cause } = culprit;
        let now = self.delivery.clock.now();
        if let Some(cause) = cause {
            self.refusals().excuse(cause, now);
        }
        let leased = match self.shelf.run(move |store, _| store.lease_refused(key, now)).await {
            Ok(Alone::Leased(leased)) => leased,
            Ok(Alone::Later | Alone::Gone) => return,
            Err(stop) => {
                self.trouble(&stop);
                return;
            }
        };
        let order = leased.job.order_id.clone();
        let dead = step.condemns() && steps.contains(&step);
        let end = if dead {
            self.refusals().ended(&key);
            End::Dead(death.clone())
        } else {
            let refused = Refused { order: key, step, reason: reason(&death.code, &death.words) };
            self.refusals().learn(std::slice::from_ref(&refused), &Passed::default(), now);
            refused_end(&refused, &death)
        };
        let settlement = leased.settlement(None, end.clone());
        match self.store_settlements(vec![settlement], now).await {
            Ok(()) => match end {
                End::Refused { hold, .. } => outcomes::order_held(&self.account, &order, &hold),
                _ => events::order_dead(&self.account, &order, &death.code),
            },
            Err(stop) => {
                self.delivery.store.give_back([&*leased]);
                self.trouble(&stop);
            }
        }
    }

    fn end_pause(&self) {
        let now = self.delivery.clock.now();
        self.refusals().resume(now);
        if self.delivery.gate(&self.account, super::gate::Gate::open).is_some() {
            events::account_resumed(&self.account);
        }
    }

    /// Paused on, and probed later.
    fn stay_paused(&self) -> Duration {
        let why = self.refusals().paused().map(|why| (why.code, why.next_step.clone()));
        let Some((code, next_step)) = why else { return BUSY };
        self.close(&Stop::pause(code, next_step))
    }

    /// Holds `refused` of steps that an order just got through are over: those orders are sent once
    /// more, and now it is they who are to blame. So are holds of the same kind as that of an order
    /// that is through now.
    pub(super) async fn release_refused(
        &self,
        passed: &BTreeSet<Step>,
        kinds: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<(), Stop> {
        if passed.is_empty() && kinds.is_empty() {
            return Ok(());
        }
        for key in self.refused_keys().await? {
            let decided = |step: Step| step.condemns() && passed.contains(&step);
            if !kinds.contains(&key) && !Step::of_key(&key).is_some_and(decided) {
                continue;
            }
            let count = self
                .shelf
                .run(move |store, account| {
                    store.release(Waiting::For(account, HoldCode::Refused, Some(&key)), now)
                })
                .await?;
            outcomes::released(&self.account, HoldCode::Refused.name(), count);
        }
        Ok(())
    }

    /// Of each kind of refusal one order is sent again, ever more rarely: where nothing else is
    /// sent, nothing else would ever decide it.
    pub(super) async fn look_at_refused(&self, now: Timestamp) -> Result<(), Stop> {
        for key in self.refused_keys().await? {
            if !self.refusals().is_due(&key, now) {
                continue;
            }
            let kind = key.clone();
            let held = self
                .shelf
                .run(move |store, account| store.held_by(account, HoldCode::Refused, &kind, HELD))
                .await?;
            let random: usize = rand::random();
            let Some(record) = held.get(random.checked_rem(held.len()).unwrap_or(0)).copied()
            else {
                continue;
            };
            self.refusals().sent_again(record, key);
            self.shelf.run(move |store, _| store.release(Waiting::Record(record), now)).await?;
        }
        Ok(())
    }

    async fn refused_keys(&self) -> Result<Vec<String>, Stop> {
        let counts = self.delivery.store.counts();
        let tally = counts.get(&self.account);
        let any = tally.and_then(|tally| tally.holds.get(&HoldCode::Refused)).copied();
        if any.unwrap_or(0) == 0 {
            return Ok(Vec::new());
        }
        let keys = self
            .shelf
            .run(|store, account| store.held_keys(account, HoldCode::Refused, usize::MAX))
            .await?;
        Ok(keys.0)
    }
}

/// Held orders of one kind from which the next one to send again is chosen.
const HELD: usize = 100;

/// What tells one cause from another.
pub(super) fn reason(code: &str, words: &str) -> String {
    format!("{code} {}", without_particulars(words))
}
