//! A batch from lease to settlement: what stopped it decides where its jobs go.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

use super::backoff;
use super::batch::{Batch, Work};
use super::catalog::Catalog;
use super::gate::Gate;
use super::lane::Lane;
use super::send::{Sender, Stop};
use super::settings::AccountSettings;
use super::window::Writing;
use crate::model::{Family, OrderId, Outcome};
use crate::odoo::Context;
use crate::plan::merge::merge_buyer;
use crate::store::{BuyerState, End, Leased, Settlement};
use crate::telemetry::events;

/// From this attempt on an order is sent alone: its batch has failed often enough to suspect it.
const ALONE_FROM_ATTEMPT: u32 = 3;

impl Lane {
    /// Delivers one batch and settles it.
    pub(super) async fn deliver(
        &self,
        settings: &AccountSettings,
        catalog: &Catalog,
        leased: Vec<Leased>,
    ) {
        // Orders that have failed before go alone, the others together.
        let (suspects, rest): (Vec<Leased>, Vec<Leased>) =
            leased.into_iter().partition(|leased| leased.job.attempt >= ALONE_FROM_ATTEMPT);
        let groups = std::iter::once(rest).chain(suspects.into_iter().map(|suspect| vec![suspect]));
        for group in groups.filter(|group| !group.is_empty()) {
            let closed = self.delivery.gate(&self.account, |gate| *gate != Gate::Open);
            if closed {
                self.delivery.store.give_back(&group);
                continue;
            }
            self.deliver_group(settings, catalog, group).await;
        }
    }

    async fn deliver_group(
        &self,
        settings: &AccountSettings,
        catalog: &Catalog,
        leased: Vec<Leased>,
    ) {
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
        let client = self.delivery.client();
        let outcome = match self.delivery.store.id_key(&self.account) {
            Ok(id_key) => {
                let batch = Batch {
                    sender: Sender {
                        client: &client,
                        account: &self.account,
                        context: Context::new(&[catalog.company]),
                        writing: Writing { window: &self.window, hands: self.hands(&client) },
                    },
                    settings,
                    catalog,
                    id_key,
                    confirm_batch: self.delivery.pace.confirm_batch,
                    shelf: &self.shelf,
                };
                batch.run(&mut works).await
            }
            Err(error) => Err(Stop::Store(error.to_string())),
        };
        self.adapt(&outcome, works.len());
        self.settle(works, outcome, started).await;
    }

    /// Halves the batch when Odoo was too slow for it, lets it grow when not.
    fn adapt(&self, outcome: &Result<(), Stop>, sent: usize) {
        let most = self.delivery.pace.batch.max(1);
        let size = self.size.load(Ordering::Relaxed);
        let next = match outcome {
            Err(Stop::Retry { ambiguous: true, .. }) => (sent / 2).max(1),
            Ok(()) if sent >= size => size.saturating_add(10).min(most),
            Ok(()) | Err(_) => size,
        };
        self.size.store(next, Ordering::Relaxed);
    }

    async fn settle(&self, works: Vec<Work>, outcome: Result<(), Stop>, started: Timestamp) {
        let now = self.delivery.clock.now();
        let mut settlements = Vec::new();
        let mut back = Vec::new();
        let mut transitions = Vec::new();
        for work in works {
            if work.lost {
                continue;
            }
            let end = match (work.end, &outcome) {
                (Some(end), _) => end,
                // A stage ran to its end without a word on this order: a bug, but never a loss.
                (None, Ok(())) => retry(&work.leased, "delivery-incomplete", None, now),
                (None, Err(Stop::Retry { code, down: false, ambiguous, wait })) => {
                    let least = ambiguous.then_some(self.delivery.pace.limit_time_real);
                    retry(&work.leased, code, wait.or(least), now)
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
            transitions.push((work.dossier.order_id.clone(), work.leased.job.attempt, end.clone()));
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

    async fn store_settlements(
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

    fn announce(&self, transitions: &[(OrderId, u32, End)], started: Timestamp) {
        for (order, attempt, end) in transitions {
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

fn retry(leased: &Leased, code: &str, least: Option<Duration>, now: Timestamp) -> End {
    let attempt = leased.job.attempt.saturating_add(1);
    let wait = backoff::retry(attempt, rand::random()).max(least.unwrap_or_default());
    End::Retry { due: now.saturating_add(wait).unwrap_or(now), attempt, fault: code.to_owned() }
}
