//! A batch from lease to settlement: what stopped it decides where its jobs go.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::backoff;
use super::batch::{Batch, Work};
use super::catalog::Catalog;
use super::gate::Gate;
use super::lane::Lane;
use super::send::{Sender, Stop};
use super::settings::AccountSettings;
use super::throttle::{Permit, Went};
use super::window::Writing;
use crate::model::{Family, OdooId, OrderId, Outcome};
use crate::odoo::Context;
use crate::plan::merge::merge_buyer;
use crate::store::{BuyerState, End, Leased, Settlement};
use crate::telemetry::events;

/// From this attempt on an order is a suspect: its batch has failed often enough. Suspects go apart
/// from the others, in groups that halve with each attempt, so that one bad order costs log₂ calls.
const SUSPECT_FROM_ATTEMPT: u32 = 3;

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
        &self,
        settings: &AccountSettings,
        catalog: &Catalog,
        leased: Vec<Leased>,
        permit: &Permit,
    ) {
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
            self.deliver_group(settings, catalog, group, permit).await;
        }
    }

    async fn deliver_group(
        &self,
        settings: &AccountSettings,
        catalog: &Catalog,
        leased: Vec<Leased>,
        permit: &Permit,
    ) {
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
                let batch = Batch {
                    sender: Sender {
                        client: &client,
                        account: &self.account,
                        context: Context::new(&[catalog.company]),
                        split_unknown: suspects,
                        writing: Writing { window: &self.window, hands: self.hands(&client) },
                    },
                    settings,
                    catalog,
                    id_key,
                    confirm_batch: self.size().share_of(self.delivery.pace.confirm_batch),
                    shelf: &self.shelf,
                    shared: &self.shared,
                    limit_time_real: self.delivery.pace.limit_time_real,
                    now: started,
                };
                batch.run(&mut works).await
            }
            Err(error) => Err(Stop::Store(error.to_string())),
        };
        let went = went(&outcome, meter.slowest());
        permit.learn(went);
        self.size().learn(went, works.len());
        self.settle(works, outcome, started).await;
    }

    async fn settle(&self, mut works: Vec<Work>, outcome: Result<(), Stop>, started: Timestamp) {
        let now = self.delivery.clock.now();
        if let Err(stop) = self.note(&mut works, now).await {
            // Not stored before it is noted: the orders are found in Odoo by their external ids.
            self.delivery.store.give_back(works.iter().map(|work| &work.leased));
            self.trouble(&stop);
            return;
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
                (None, Err(Stop::Retry { code, down: false, ambiguous, wait })) => {
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
                (None, Err(Stop::Refused { code, words })) => End::Dead(crate::model::Death {
                    code: (*code).to_owned(),
                    words: words.expose().to_owned(),
                }),
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
        if let Err(stop) = &outcome {
            self.close(stop);
        }
        match done {
            Ok(()) => self.announce(&transitions, started),
            Err(stop) => {
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
                End::Done(outcome) => events::order_done(&self.account, order, outcome.name()),
                End::Held(holds) => {
                    for hold in holds {
                        events::order_held(&self.account, order, hold);
                    }
                }
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
        Err(
            Stop::Retry { ambiguous: true, .. }
            | Stop::Retry { code: "overloaded" | "serialization" | "odoo-serialization", .. },
        ) => Went::TooMuch,
        Err(_) => Went::Otherwise,
    }
}
