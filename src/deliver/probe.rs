//! A pause that only an order can end: one that was refused is sent alone, now and then.
//!
//! If it gets through, the account goes on, and what was held follows. If it is refused again,
//! another one is sent once: an account never stands still for one order. If that one gets
//! through, the first is to blame.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::catalog::Catalog;
use super::lane::Lane;
use super::refusals::{Step, without_particulars};
use super::send::Stop;
use super::settings::AccountSettings;
use super::settle::Sent;
use super::throttle::Permit;
use crate::model::{Death, HoldCode};
use crate::store::{End, Leased, RecordKey, Waiting};
use crate::telemetry::{events, outcomes};

/// Orders sent alone in one probe, at most.
const PROBES: usize = 2;
/// How long to wait for a connection that others use.
const BUSY: Duration = Duration::from_secs(1);

/// An order that was refused when it was sent alone.
struct Culprit {
    key: RecordKey,
    death: Death,
    field: Option<String>,
}

impl Lane {
    /// Sends one order, or two. An error says how long the account stays paused.
    pub(super) async fn probe(
        self: &Arc<Self>,
        settings: &Arc<AccountSettings>,
        catalog: &Arc<Catalog>,
    ) -> Result<(), Duration> {
        let Some(permit) = self.delivery.connection() else { return Err(BUSY) };
        let mut culprit: Option<Culprit> = None;
        let mut tried = 0;
        while tried < PROBES {
            let beside = culprit.as_ref().map(|culprit| culprit.key);
            let leased = match self.next_probe(beside).await {
                Ok(Some(leased)) => leased,
                Ok(None) => break,
                Err(stop) => return Err(self.trouble(&stop)),
            };
            tried += 1;
            match self.send_alone(settings, catalog, leased, &permit).await {
                Sent::Through => {
                    if let Some(culprit) = culprit {
                        self.condemn(culprit).await;
                    }
                    self.end_pause();
                    return Ok(());
                }
                Sent::Stopped(stop) => return Err(self.close(&stop)),
                Sent::Refused { key, death, field } => {
                    culprit = Some(Culprit { key, death, field });
                }
                Sent::Neither => {}
            }
        }
        if tried == 0 {
            // Whatever was refused is gone, or waits for something else now.
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
        self.deliver_guarded(settings, catalog, group, permit).await
    }

    /// The next order to send alone: one that was refused, else any that is due.
    async fn next_probe(&self, beside: Option<RecordKey>) -> Result<Option<Leased>, Stop> {
        let now = self.delivery.clock.now();
        let mut first = None;
        loop {
            let next = self.refusals().next_probe().filter(|key| Some(*key) != first);
            let Some(key) = next.filter(|key| Some(*key) != beside) else { break };
            first = first.or(Some(key));
            let leased = self.shelf.run(move |store, _| store.lease_refused(key, now)).await?;
            match leased {
                Some(leased) => return Ok(Some(leased)),
                None => self.refusals().forget(&key),
            }
        }
        let due = self.shelf.run(move |store, account| store.lease(account, now, 2)).await?;
        let (mut chosen, mut back) = (None, Vec::new());
        for leased in due.jobs {
            if chosen.is_none() && Some(leased.key) != beside {
                chosen = Some(leased);
            } else {
                back.push(leased);
            }
        }
        self.delivery.store.give_back(&back);
        Ok(chosen)
    }

    /// Another order got through where this one did not.
    async fn condemn(&self, culprit: Culprit) {
        let now = self.delivery.clock.now();
        let key = culprit.key;
        if let Some(field) = culprit.field {
            self.refusals().excuse(field, now);
        }
        let leased = match self.shelf.run(move |store, _| store.lease_refused(key, now)).await {
            Ok(Some(leased)) => leased,
            Ok(None) => return,
            Err(stop) => {
                self.trouble(&stop);
                return;
            }
        };
        let order = leased.job.order_id.clone();
        let code = culprit.death.code.clone();
        let settlement = leased.settlement(None, End::Dead(culprit.death));
        match self.store_settlements(vec![settlement], now).await {
            Ok(()) => events::order_dead(&self.account, &order, &code),
            Err(stop) => {
                self.delivery.store.give_back([&leased]);
                self.trouble(&stop);
            }
        }
    }

    fn end_pause(&self) {
        self.refusals().resume();
        if self.delivery.gate(&self.account, super::gate::Gate::open).is_some() {
            events::account_resumed(&self.account);
        }
    }

    /// Paused on, and probed later.
    fn stay_paused(&self) -> Duration {
        let why = self.refusals().paused().map(|why| (why.code, why.next_step.clone()));
        let Some((code, next_step)) = why else { return BUSY };
        self.close(&Stop::Pause { code, next_step: next_step.into(), by_order: true })
    }

    /// Holds `refused` of steps that an order just got through are over: those orders are sent once
    /// more, and now it is they who are to blame.
    pub(super) async fn release_refused(
        &self,
        passed: impl Fn(Step) -> bool,
        now: Timestamp,
    ) -> Result<(), Stop> {
        for key in self.refused_keys().await? {
            if !Step::of_key(&key).is_some_and(&passed) {
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
            let held = self
                .shelf
                .run(move |store, account| store.held_by(account, HoldCode::Refused, &key, HELD))
                .await?;
            let random: usize = rand::random();
            let Some(record) = held.get(random.checked_rem(held.len()).unwrap_or(0)).copied()
            else {
                continue;
            };
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
