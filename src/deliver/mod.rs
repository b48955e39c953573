//! Sends: takes due jobs from the store and brings them to Odoo.
//!
//! One loop per account ([`Delivery::run`]). It waits at its [`Gate`], keeps its [`Catalog`] fresh,
//! leases due jobs and hands them to `batch`, a few batches at once. What stops a batch decides
//! what happens next: its jobs go back (with or without using up an attempt), the gate closes, or
//! the batch is cut smaller. Orders are independent of each other; one order is never in two
//! batches, because its job is leased.

mod absent;
pub mod alive;
pub mod api_key;
pub mod backoff;
mod batch;
pub mod catalog;
mod confirm;
mod create;
mod decided;
pub(crate) mod domain;
mod existing;
mod foreign;
pub mod gate;
mod lane;
mod notes;
mod pacing;
mod partners;
mod people;
mod probe;
mod quiet;
mod read;
pub mod rebuild;
pub mod reconcile;
mod refusals;
mod send;
pub mod settings;
mod settle;
mod shelf;
mod throttle;
mod total;
pub(crate) mod value;
mod waiting;
mod window;
mod write;

use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use absent::Absent;
use catalog::{Catalog, CatalogError};
use gate::Gate;
use lane::Lane;
use people::People;
use send::Stop;
use settings::{AccountSettings, Pace};
use shelf::Shelf;
use throttle::{BatchSize, Permit, Throttle};
use window::Window;

use crate::clock::SharedClock;
use crate::model::{AccountId, BuyerFact, Dossier, KeyEnd, Sku};
use crate::odoo::Client;
use crate::plan::{AccountPolicy, Plan, UnknownSku, plan};
use crate::store::Store;

/// How long a lane that panicked rests.
const LANE_REST: Duration = Duration::from_secs(10);

/// Starts an account's lane.
fn begin(
    lanes: &mut JoinSet<()>,
    lane: &Arc<Lane>,
    stop: &CancellationToken,
    beat: &Arc<impl Fn() + Send + Sync + 'static>,
) -> Id {
    let (lane, stop, beat) = (Arc::clone(lane), stop.clone(), Arc::clone(beat));
    lanes.spawn(async move { Box::pin(lane.run(stop, beat.as_ref())).await }).id()
}

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
    windows: Mutex<BTreeMap<AccountId, Arc<Window>>>,
    /// Accounts whose new settings have not been looked at yet: they may end holds.
    reloaded: Mutex<BTreeSet<AccountId>>,
    connections: Arc<Throttle>,
    /// When the API key of `client` ends.
    key_end: Mutex<KeyEnd>,
    people: People,
    /// Held by the one lane that asks Odoo who it is and what it has.
    asking: tokio::sync::Mutex<()>,
}

/// Plans orders without doing anything about them.
#[derive(Debug)]
pub struct DryRun {
    settings: Arc<AccountSettings>,
    client: Client,
    catalog: Catalog,
}

impl DryRun {
    /// What would be done about these orders, if they were due now. Asks Odoo, writes nothing.
    pub async fn plan(
        &self,
        orders: &[(Dossier, Option<BuyerFact>)],
    ) -> Result<Vec<Plan>, CatalogError> {
        let policy = &self.settings.policy;
        let skus = wanted_skus(policy, orders.iter().map(|(dossier, _)| dossier));
        self.catalog.want_products(&self.client, &skus).await?;
        Ok(orders
            .iter()
            .map(|(dossier, buyer)| plan(dossier, buyer.as_ref(), policy, &self.catalog))
            .collect())
    }
}

/// The products that planning these orders asks Odoo for.
fn wanted_skus<'a>(
    policy: &AccountPolicy,
    dossiers: impl Iterator<Item = &'a Dossier>,
) -> BTreeSet<Sku> {
    let mut skus: BTreeSet<Sku> = policy.products.values().cloned().collect();
    if let UnknownSku::Default(sku) = &policy.unknown_sku {
        skus.insert(sku.clone());
    }
    for dossier in dossiers {
        let lines = dossier.facts.values().flat_map(|standing| &standing.fact.lines);
        skus.extend(lines.map(|line| line.sku.clone()));
    }
    skus
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
            windows: Mutex::default(),
            reloaded: Mutex::default(),
            wakes: Mutex::new(wakes),
            connections: Throttle::new(pace.connections),
            key_end: Mutex::default(),
            people: People::new(pace.connections),
            asking: tokio::sync::Mutex::default(),
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
        let mut running = std::collections::HashMap::new();
        for account in self.account_ids() {
            let lane = Arc::new(Lane {
                shelf: Shelf { store: Arc::clone(&self.store), account: account.clone() },
                wake: self.wake_of(&account),
                window: self.window_of(&account),
                delivery: Arc::clone(&self),
                account,
                catalog: Mutex::new(None),
                size: Mutex::new(BatchSize::new(self.pace.batch)),
                rest: Mutex::default(),
                shared: lane::Shared::default(),
                refusals: Mutex::default(),
                used: Mutex::default(),
                absent: Absent::default(),
            });
            let begun = begin(&mut lanes, &lane, &stop, &beat);
            running.insert(begun, lane);
        }
        // A lane that panicked begins again: without it its account would stand still in silence.
        while let Some(ended) = lanes.join_next_with_id().await {
            let Err(error) = ended else { continue };
            let Some(lane) = running.remove(&error.id()) else { continue };
            // Where it panicked is an event of its own.
            tracing::error!(account = %lane.account, "delivery panicked: it begins again");
            tokio::time::sleep(LANE_REST).await;
            let begun = begin(&mut lanes, &lane, &stop, &beat);
            running.insert(begun, lane);
        }
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

    /// Tries a closed gate at once: a person has decided what it waits for.
    pub fn retry(&self, account: &AccountId) {
        let now = self.clock.now();
        self.gate(account, |gate| gate.retry_now(now));
        self.look_again(account);
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

    /// Asks Odoo for what planning an account's orders needs, for a dry run.
    pub async fn dry_run(&self, account: &AccountId) -> Result<DryRun, CatalogError> {
        let settings = self.settings(account).ok_or(CatalogError::Account)?;
        let client = self.client();
        let catalog = Catalog::load(&client, &settings).await?;
        Ok(DryRun { settings, client, catalog })
    }

    /// What another host's clock says, by Odoo's answers.
    pub fn time_elsewhere(&self) -> Option<jiff::Timestamp> {
        self.client().time_elsewhere()
    }

    /// How each account stands toward Odoo.
    pub fn gates(&self) -> BTreeMap<AccountId, Gate> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        self.account_ids()
            .into_iter()
            .map(|id| (id.clone(), gates.get(&id).cloned().unwrap_or_default()))
            .collect()
    }

    /// The account's lane asks for everything again.
    fn look_again(&self, account: &AccountId) {
        self.reloaded.lock().unwrap_or_else(PoisonError::into_inner).insert(account.clone());
        self.wake(account);
    }

    /// A connection, if one is free and people leave it to us.
    fn connection(&self) -> Option<Permit> {
        self.connections.try_acquire(self.people.pacing().connections())
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

    /// Odoo did not answer a probe: that holds for every account.
    fn close_others(&self, prober: &AccountId, stop: &Stop, now: Timestamp) {
        let Stop::Retry { code, down: true, seen, wait, .. } = stop else { return };
        for account in self.account_ids().iter().filter(|account| *account != prober) {
            self.gate(account, |gate| {
                if !matches!(gate, Gate::Paused(_)) {
                    // One cause, one message: the prober's.
                    let _news = gate.down(code, seen.as_deref(), *wait, now);
                }
            });
        }
    }

    /// Odoo is back: no account waits for a probe of its own.
    fn retry_others(&self, prober: &AccountId, now: Timestamp) {
        for account in self.account_ids().iter().filter(|account| *account != prober) {
            self.gate(account, |gate| {
                if matches!(gate, Gate::Down(_)) {
                    gate.retry_now(now);
                }
            });
            self.wake(account);
        }
    }

    fn window_of(&self, account: &AccountId) -> Arc<Window> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(windows.entry(account.clone()).or_default())
    }

    fn gate<T>(&self, account: &AccountId, use_it: impl FnOnce(&mut Gate) -> T) -> T {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        use_it(gates.entry(account.clone()).or_default())
    }
}
