//! Sends: takes due jobs from the store and brings them to Odoo.
//!
//! One loop per account ([`Delivery::run`]). It waits at its [`Gate`], keeps its [`Catalog`] fresh,
//! leases due jobs and hands them to `batch`, a few batches at once. What stops a batch decides
//! what happens next: its jobs go back (with or without using up an attempt), the gate closes, or
//! the batch is cut smaller. Orders are independent of each other; one order is never in two
//! batches, because its job is leased.

pub mod backoff;
mod batch;
pub mod catalog;
mod confirm;
mod create;
pub(crate) mod domain;
mod existing;
pub mod gate;
mod partners;
mod read;
mod send;
pub mod settings;
mod shelf;
pub(crate) mod value;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use batch::{Batch, Work};
use catalog::{Catalog, CatalogError};
use gate::Gate;
use send::{Sender, Stop};
use settings::{AccountSettings, Pace};
use shelf::Shelf;

use crate::clock::SharedClock;
use crate::model::{AccountId, BuyerFact, Dossier, Family, HoldCode, OrderId, Outcome, Sku};
use crate::odoo::{Client, Context};
use crate::plan::merge::merge_buyer;
use crate::plan::{Found, Lookup, Plan, plan};
use crate::store::{BuyerState, End, Leased, Settlement, Store, Waiting};
use crate::telemetry::events;

/// From this attempt on an order is sent alone: its batch has failed often enough to suspect it.
const ALONE_FROM_ATTEMPT: u32 = 3;
/// The loop looks at least this often, whatever woke it.
const IDLE_SECS: u64 = 60;
/// A stored order whose buyers cannot be read is tried again after this.
const STORE_TROUBLE_SECS: u64 = 10;

/// Delivery of all accounts to one Odoo.
#[derive(Debug)]
pub struct Delivery {
    store: Arc<Store>,
    client: RwLock<Client>,
    clock: SharedClock,
    pace: Pace,
    accounts: RwLock<BTreeMap<AccountId, Arc<AccountSettings>>>,
    gates: Mutex<BTreeMap<AccountId, Gate>>,
    wakes: Mutex<BTreeMap<AccountId, Arc<Notify>>>,
    /// Accounts whose new settings have not been looked at yet: they may end holds.
    reloaded: Mutex<BTreeSet<AccountId>>,
    connections: Arc<Semaphore>,
}

/// Runs of one account's loop.
struct Lane {
    delivery: Arc<Delivery>,
    account: AccountId,
    shelf: Shelf,
    wake: Arc<Notify>,
    catalog: Mutex<Option<(Arc<Catalog>, Timestamp)>>,
    /// Orders in the next batch: halves when Odoo takes too long, grows when it does not.
    size: AtomicUsize,
}

impl Delivery {
    /// A delivery that has not started.
    pub fn new(
        store: Arc<Store>,
        client: Client,
        clock: SharedClock,
        pace: Pace,
        accounts: impl IntoIterator<Item = AccountSettings>,
    ) -> Arc<Self> {
        let accounts: BTreeMap<AccountId, Arc<AccountSettings>> =
            accounts.into_iter().map(|a| (a.policy.account.clone(), Arc::new(a))).collect();
        let wakes = accounts.keys().map(|id| (id.clone(), Arc::new(Notify::new()))).collect();
        Arc::new(Self {
            store,
            client: RwLock::new(client),
            clock,
            pace,
            accounts: RwLock::new(accounts),
            gates: Mutex::default(),
            reloaded: Mutex::default(),
            wakes: Mutex::new(wakes),
            connections: Arc::new(Semaphore::new(pace.connections.max(1))),
        })
    }

    /// Delivers until `stop`. Batches that are on their way are finished first.
    pub async fn run(
        self: Arc<Self>,
        stop: CancellationToken,
        beat: impl Fn() + Send + Sync + 'static,
    ) {
        let beat = Arc::new(beat);
        let mut lanes = JoinSet::new();
        for account in self.account_ids() {
            let lane = Arc::new(Lane {
                shelf: Shelf { store: Arc::clone(&self.store), account: account.clone() },
                wake: self.wake_of(&account),
                delivery: Arc::clone(&self),
                account,
                catalog: Mutex::new(None),
                size: AtomicUsize::new(self.pace.batch.max(1)),
            });
            let (stop, beat) = (stop.clone(), Arc::clone(&beat));
            lanes.spawn(async move { lane.run(stop, beat.as_ref()).await });
        }
        while lanes.join_next().await.is_some() {}
    }

    /// There is something new for an account.
    pub fn wake(&self, account: &AccountId) {
        self.wake_of(account).notify_one();
    }

    fn wake_all(&self) {
        for account in self.account_ids() {
            self.wake(&account);
        }
    }

    /// New settings, and a client with the newest API key: they hold from the next batch on, and
    /// closed gates are tried at once.
    pub fn reload(&self, client: Client, accounts: impl IntoIterator<Item = AccountSettings>) {
        let now = self.clock.now();
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = client;
        let mut known = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        for account in accounts {
            known.insert(account.policy.account.clone(), Arc::new(account));
        }
        drop(known);
        for gate in self.gates.lock().unwrap_or_else(PoisonError::into_inner).values_mut() {
            gate.retry_now(now);
        }
        let accounts = self.account_ids();
        self.reloaded.lock().unwrap_or_else(PoisonError::into_inner).extend(accounts);
        self.wake_all();
    }

    /// What would be done about these orders, if they were due now. Asks Odoo, writes nothing.
    pub async fn rehearse(
        &self,
        account: &AccountId,
        orders: &[(Dossier, Option<BuyerFact>)],
    ) -> Result<Vec<Plan>, CatalogError> {
        let settings = self.settings(account).ok_or(CatalogError::Account)?;
        let client = self.client();
        let catalog = Catalog::load(&client, &settings).await?;
        let policy = &settings.policy;
        let mut skus: BTreeSet<Sku> = policy.products.values().cloned().collect();
        for (dossier, _) in orders {
            let facts = dossier.facts.values().flat_map(|standing| &standing.fact.lines);
            skus.extend(facts.map(|line| line.sku.clone()));
        }
        catalog.want_products(&client, &skus).await?;
        Ok(orders
            .iter()
            .map(|(dossier, buyer)| plan(dossier, buyer.as_ref(), policy, &catalog))
            .collect())
    }

    /// How each account stands toward Odoo.
    pub fn gates(&self) -> BTreeMap<AccountId, Gate> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        self.account_ids()
            .into_iter()
            .map(|id| (id.clone(), gates.get(&id).cloned().unwrap_or_default()))
            .collect()
    }

    fn client(&self) -> Client {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn account_ids(&self) -> Vec<AccountId> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    fn settings(&self, account: &AccountId) -> Option<Arc<AccountSettings>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(account).cloned()
    }

    fn wake_of(&self, account: &AccountId) -> Arc<Notify> {
        let mut wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(wakes.entry(account.clone()).or_default())
    }

    fn gate<T>(&self, account: &AccountId, use_it: impl FnOnce(&mut Gate) -> T) -> T {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        use_it(gates.entry(account.clone()).or_default())
    }
}

impl Lane {
    async fn run(self: Arc<Self>, stop: CancellationToken, beat: &(impl Fn() + Send + Sync)) {
        let mut batches: JoinSet<()> = JoinSet::new();
        loop {
            beat();
            let wait = if stop.is_cancelled() { None } else { Some(self.turn(&mut batches).await) };
            let Some(wait) = wait else { break };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wake.notified() => {}
                Some(_) = batches.join_next(), if !batches.is_empty() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        while batches.join_next().await.is_some() {
            beat();
        }
    }

    /// One look at the gate, the catalog and the queue. Says how long nothing will happen.
    async fn turn(self: &Arc<Self>, batches: &mut JoinSet<()>) -> Duration {
        let delivery = &self.delivery;
        let idle = Duration::from_secs(IDLE_SECS).min(delivery.pace.recheck);
        let now = delivery.clock.now();
        if let Some(wait) = delivery.gate(&self.account, |gate| gate.wait(now)) {
            return wait;
        }
        let Some(settings) = delivery.settings(&self.account) else { return idle };
        if !batches.is_empty() && delivery.connections.available_permits() == 0 {
            return idle;
        }
        if delivery.reloaded.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.account) {
            self.forget_catalog();
        }
        // Nothing due and nothing to look after: Odoo is left alone.
        let stale = self.catalog().is_none_or(|(_, asked)| {
            Duration::try_from(now.duration_since(asked))
                .is_ok_and(|age| age >= delivery.pace.recheck)
        });
        let due = match self.shelf.run(super::store::Store::next_due).await {
            Ok(due) => due,
            Err(stop) => return self.trouble(&stop),
        };
        let waits =
            |due: Timestamp| Duration::try_from(due.duration_since(now)).unwrap_or_default();
        let due_now = due.is_some_and(|due| due <= now);
        let held = self.holds_odoo_can_end();
        if stale && (due_now || held) {
            if let Err(wait) = self.refresh(&settings).await {
                return wait;
            }
            return Duration::ZERO;
        }
        if !due_now {
            return due.map_or(idle, waits).min(idle).max(Duration::from_millis(1));
        }
        let Some((catalog, _)) = self.catalog() else { return idle };
        // Only as many batches as there are connections: the rest stays in the store.
        while let Ok(permit) = Arc::clone(&delivery.connections).try_acquire_owned() {
            let size = self.size.load(Ordering::Relaxed).max(1);
            let leased =
                self.shelf.run(move |store, account| store.lease(account, now, size)).await;
            let leases = match leased {
                Ok(leases) => leases,
                Err(stop) => return self.trouble(&stop),
            };
            for key in &leases.unreadable {
                events::job_unreadable(&self.account, &key.to_string());
            }
            if leases.jobs.is_empty() {
                break;
            }
            let (lane, settings, catalog) =
                (Arc::clone(self), Arc::clone(&settings), Arc::clone(&catalog));
            batches.spawn(async move {
                lane.deliver(&settings, &catalog, leases.jobs).await;
                drop(permit);
                // Other accounts may be waiting for it.
                lane.delivery.wake_all();
            });
        }
        idle
    }

    fn catalog(&self) -> Option<(Arc<Catalog>, Timestamp)> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn holds_odoo_can_end(&self) -> bool {
        let counts = self.delivery.store.counts();
        let tally = counts.get(&self.account);
        ODOO_HOLDS
            .iter()
            .any(|code| tally.is_some_and(|t| t.holds.get(code).is_some_and(|n| *n > 0)))
    }

    /// Asks for the catalog, and releases what it ends. An error says how long to wait.
    async fn refresh(&self, settings: &AccountSettings) -> Result<(), Duration> {
        let delivery = &self.delivery;
        let client = delivery.client();
        let asked = match client.probe().await {
            Ok(_) => Catalog::load(&client, settings).await,
            Err(fault) => Err(CatalogError::Fault(fault)),
        };
        let now = delivery.clock.now();
        let catalog = match asked {
            Ok(catalog) => Arc::new(catalog),
            Err(CatalogError::Fault(fault)) => return Err(self.close(&Stop::from(fault))),
            Err(error) => {
                let stop = Stop::Pause { code: "odoo-catalog", next_step: "" };
                return Err(self.close_with(&stop, &error.to_string()));
            }
        };
        if let Some(closed) = delivery.gate(&self.account, Gate::open) {
            events::odoo_back(&self.account, closed.since, now);
        }
        let before = self.catalog().map(|(catalog, _)| catalog);
        *self.catalog.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Arc::clone(&catalog), now));
        let unchanged = before.is_some_and(|before| before.offers_the_same(&catalog));
        self.release(&catalog, unchanged).await.map_err(|stop| self.close(&stop))
    }

    /// Releases what Odoo now has.
    async fn release(&self, catalog: &Catalog, unchanged: bool) -> Result<(), Stop> {
        let now = self.delivery.clock.now();
        let skus = self.shelf.run(|store, account| store.held_keys(account, HoldCode::Sku)).await?;
        let skus: BTreeSet<Sku> = skus.iter().filter_map(|sku| sku.parse().ok()).collect();
        if !skus.is_empty() {
            catalog.want_products(&self.delivery.client(), &skus).await?;
            for sku in skus {
                if matches!(catalog.product(&sku), Found::One(_)) {
                    let count = self
                        .shelf
                        .run(move |store, account| {
                            store.release(
                                Waiting::For(account, HoldCode::Sku, Some(sku.as_str())),
                                now,
                            )
                        })
                        .await?;
                    events::released(&self.account, "sku", count);
                }
            }
        }
        if unchanged {
            return Ok(());
        }
        for code in ODOO_HOLDS.into_iter().filter(|code| *code != HoldCode::Sku) {
            let count = self
                .shelf
                .run(move |store, account| store.release(Waiting::For(account, code, None), now))
                .await?;
            events::released(&self.account, code.name(), count);
        }
        Ok(())
    }

    /// Delivers one batch and settles it.
    async fn deliver(&self, settings: &AccountSettings, catalog: &Catalog, leased: Vec<Leased>) {
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

    /// Closes the gate where a stop asks for it. Says how long to wait.
    fn close(&self, stop: &Stop) -> Duration {
        let next_step = match stop {
            Stop::Pause { next_step, .. } => *next_step,
            Stop::Retry { .. } | Stop::Refused { .. } | Stop::Store(_) => "",
        };
        self.close_with(stop, next_step)
    }

    fn close_with(&self, stop: &Stop, next_step: &str) -> Duration {
        let now = self.delivery.clock.now();
        match stop {
            Stop::Retry { code, down: true, wait, .. } => {
                if self.delivery.gate(&self.account, |gate| gate.down(code, *wait, now)) {
                    events::odoo_unreachable(&self.account, code);
                }
                self.forget_catalog();
            }
            Stop::Pause { code, .. } => {
                if self.delivery.gate(&self.account, |gate| gate.pause(code, next_step, now)) {
                    events::account_paused(&self.account, code, next_step);
                }
                self.forget_catalog();
            }
            Stop::Retry { down: false, .. } | Stop::Refused { .. } => {
                return Duration::from_secs(1);
            }
            Stop::Store(_) => return self.trouble(stop),
        }
        self.delivery.gate(&self.account, |gate| gate.wait(now)).unwrap_or(Duration::from_secs(1))
    }

    /// The next look asks Odoo anew; whether it answers opens the gate.
    fn forget_catalog(&self) {
        *self.catalog.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn trouble(&self, stop: &Stop) -> Duration {
        if let Stop::Store(error) = stop {
            events::store_trouble(&self.account, error);
        }
        Duration::from_secs(STORE_TROUBLE_SECS)
    }
}

/// Holds that something in Odoo or in the settings can end.
const ODOO_HOLDS: [HoldCode; 5] =
    [HoldCode::Sku, HoldCode::Marketplace, HoldCode::Warehouse, HoldCode::Pricelist, HoldCode::Tax];

fn retry(leased: &Leased, code: &str, least: Option<Duration>, now: Timestamp) -> End {
    let attempt = leased.job.attempt.saturating_add(1);
    let wait = backoff::retry(attempt, rand::random()).max(least.unwrap_or_default());
    End::Retry { due: now.saturating_add(wait).unwrap_or(now), attempt, fault: code.to_owned() }
}
