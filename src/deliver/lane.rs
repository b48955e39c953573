//! One account's lane: waits at its gate, keeps its catalog fresh, leases what is due, and hands it
//! to `settle`, a few batches at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::Delivery;
use super::absent::Absent;
use super::alive::beating;
use super::api_key;
use super::catalog::{Catalog, CatalogError};
use super::foreign::Foreign;
use super::gate::Gate;
use super::probe::BUSY;
use super::refusals::Refusals;
use super::send::Stop;
use super::settings::AccountSettings;
use super::shelf::Shelf;
use super::throttle::BatchSize;
use super::window::{Hands, Window};
use crate::model::{AccountId, HoldCode, Sku};
use crate::odoo::{Client, FaultKind};
use crate::plan::{Found, Lookup};
use crate::store::Waiting;
use crate::telemetry::{events, outcomes};

/// The loop looks at least this often, whatever woke it.
const IDLE_SECS: u64 = 60;
/// What was found in Odoo is believed at most so long, however seldom held orders are looked at: a
/// person may archive it.
const CATALOG_AGE: Duration = Duration::from_mins(5);
/// A turn that takes longer hangs: calls to Odoo end earlier by themselves.
const TURN_PATIENCE: Duration = Duration::from_mins(15);
/// How long a start waits for Odoo to say which one it is; work waits no longer for it than that.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// How long an end waits for Odoo to close the window.
const LAST_CLOSE: Duration = Duration::from_secs(10);
/// A stored order whose buyers cannot be read is tried again after this.
const STORE_TROUBLE_SECS: u64 = 10;

/// What the batches of one account share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Orders of a former connector.
    pub(super) foreign: Foreign,
    /// Held while an anonymous contact is made: two batches would make the same one.
    pub(super) anonymous: tokio::sync::Mutex<()>,
}

/// Runs of one account's loop.
pub(super) struct Lane {
    pub(super) delivery: Arc<Delivery>,
    pub(super) account: AccountId,
    pub(super) shelf: Shelf,
    pub(super) wake: Arc<Notify>,
    pub(super) window: Arc<Window>,
    pub(super) catalog: Mutex<Option<(Arc<Catalog>, Timestamp)>>,
    /// Orders in the next batch.
    pub(super) size: Mutex<BatchSize>,
    /// The store failed: nothing is leased before then.
    pub(super) rest: Mutex<Option<Instant>>,
    pub(super) shared: Shared,
    /// Orders that Odoo refused.
    pub(super) refusals: Mutex<Refusals>,
    /// The settings that were in force when holds were last looked at.
    pub(super) used: Mutex<Option<Arc<AccountSettings>>>,
    /// Orders that are gone from Odoo, and doubted.
    pub(super) absent: Absent,
}

impl Lane {
    pub(super) async fn run(
        self: Arc<Self>,
        stop: CancellationToken,
        beat: &(impl Fn() + Send + Sync),
    ) {
        let mut batches: JoinSet<()> = JoinSet::new();
        self.first_look(&stop).await;
        loop {
            beat();
            if stop.is_cancelled() {
                break;
            }
            let wait = beating(self.turn(&mut batches), beat, TURN_PATIENCE).await;
            let waiting = async {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.wake.notified() => {}
                    Some(ended) = batches.join_next(), if !batches.is_empty() => self.seen(&ended),
                    () = tokio::time::sleep(wait) => {}
                }
            };
            beating(waiting, beat, Duration::MAX).await;
        }
        while let Some(ended) = beating(batches.join_next(), beat, TURN_PATIENCE).await {
            self.seen(&ended);
        }
        self.last_close().await;
    }

    /// A batch that panicked gave its leases back. It is not begun again at once.
    fn seen(&self, ended: &Result<(), JoinError>) {
        if ended.is_err() {
            // Where it panicked is an event of its own.
            tracing::error!(account = %self.account, "a batch panicked: its orders are sent again");
            self.rest_a_while();
        }
    }

    fn rest_a_while(&self) {
        *self.rest.lock().unwrap_or_else(PoisonError::into_inner) =
            Instant::now().checked_add(Duration::from_secs(STORE_TROUBLE_SECS));
    }

    /// One look at the gate, the catalog and the queue. Says how long nothing will happen.
    async fn turn(self: &Arc<Self>, batches: &mut JoinSet<()>) -> Duration {
        let delivery = &self.delivery;
        let idle = Duration::from_secs(IDLE_SECS).min(delivery.pace.recheck);
        let now = delivery.clock.now();
        if delivery.store.is_lost(&self.account) {
            return Duration::from_secs(1);
        }
        if delivery.store.paused(&self.account).is_some() {
            return idle;
        }
        if let Some(wait) = delivery.gate(&self.account, |gate| gate.wait(now)) {
            return wait;
        }
        if delivery.store.broken() {
            // The daemon ends: what is sent now could not be noted and would be sent again at once.
            return Duration::from_secs(STORE_TROUBLE_SECS);
        }
        if let Some(wait) = self.resting() {
            return wait;
        }
        let Some(settings) = delivery.settings(&self.account) else { return idle };
        if !batches.is_empty()
            && delivery.connections.is_full(delivery.people.pacing().connections())
        {
            return idle;
        }
        if delivery.reloaded.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.account) {
            self.forget_catalog();
            self.shared.foreign.forget().await;
        }
        let stale = self.catalog().is_none_or(|(_, asked)| {
            Duration::try_from(now.duration_since(asked))
                .is_ok_and(|age| age >= delivery.pace.recheck.min(CATALOG_AGE))
        });
        let due = match self.shelf.run(crate::store::Store::next_due).await {
            Ok(due) => due,
            Err(stop) => return self.trouble(&stop),
        };
        let waits =
            |due: Timestamp| Duration::try_from(due.duration_since(now)).unwrap_or_default();
        let due_now = due.is_some_and(|due| due <= now);
        let held = self.holds_can_end(&settings);
        // A closed gate is tried whether or not there is work, in its own rhythm: an Odoo that
        // is right again is told as such. Open, and nothing due or to look after: it is left alone.
        let closed = delivery.gate(&self.account, |gate| *gate != Gate::Open);
        if closed || (stale && (due_now || held)) {
            if let Err(wait) = self.refresh(&settings).await {
                return wait;
            }
            return Duration::ZERO;
        }
        let unclosed = !due_now && batches.is_empty() && self.window.may_be_open();
        if unclosed && let Err(stop) = self.close_window().await {
            return self.close(&stop);
        }
        if !due_now {
            return due.map_or(idle, waits).min(idle).max(Duration::from_millis(1));
        }
        if let Err(stop) = self.look().await {
            return self.close(&stop);
        }
        let Some((catalog, _)) = self.catalog() else { return idle };
        // Only as many batches as there are connections: the rest stays in the store.
        while let Some(permit) = delivery.connection() {
            let size = self.size().now();
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
                lane.deliver(&settings, &catalog, leases.jobs, &permit).await;
                drop(permit);
                // Other accounts may be waiting for it.
                lane.delivery.wake_all();
            });
        }
        idle
    }

    /// How many orders at once. Held for a moment only.
    pub(super) fn size(&self) -> MutexGuard<'_, BatchSize> {
        self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn catalog(&self) -> Option<(Arc<Catalog>, Timestamp)> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether something is held that may end by itself, under the settings in force.
    fn holds_can_end(&self, settings: &AccountSettings) -> bool {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let changed = used.is_some_and(|used| *used != *settings);
        let by_settings = SETTINGS_HOLDS.iter().filter(|_| changed);
        let counts = self.delivery.store.counts();
        let tally = counts.get(&self.account);
        ODOO_HOLDS
            .iter()
            .chain([&HoldCode::Refused])
            .chain(by_settings)
            .any(|code| tally.is_some_and(|t| t.holds.get(code).is_some_and(|n| *n > 0)))
    }

    /// Asks for the catalog, and releases what it ends. An error says how long to wait.
    async fn refresh(self: &Arc<Self>, settings: &Arc<AccountSettings>) -> Result<(), Duration> {
        let delivery = &self.delivery;
        let client = delivery.client();
        // A probe sends an order: until a connection is free there is nothing to ask either. A
        // batch that gives one back wakes this lane.
        let probing = self.refusals().paused().is_some();
        let permit = if probing { delivery.connection() } else { None };
        if probing && permit.is_none() {
            return Err(BUSY);
        }
        // One account asks at a time, and tells the others what it learned meanwhile.
        let asking = delivery.asking.lock().await;
        let now = delivery.clock.now();
        if let Some(wait) = delivery.gate(&self.account, |gate| gate.wait(now)) {
            return Err(wait);
        }
        let found = delivery.gate(&self.account, |gate| gate.clone());
        let asked = match client.probe().await {
            Ok(_) => Catalog::load(&client, settings).await,
            Err(fault) => Err(CatalogError::Fault(fault)),
        };
        let now = delivery.clock.now();
        let catalog = match asked {
            Ok(catalog) => Arc::new(catalog),
            Err(CatalogError::Fault(fault)) => {
                let stop = Stop::from(fault).or_pause();
                delivery.close_others(&self.account, &stop, now);
                return Err(self.close(&stop));
            }
            Err(error) => {
                return Err(self.close(&Stop::pause("odoo-catalog", error.to_string())));
            }
        };
        if let Err(stop) = self.look().await {
            return Err(self.close(&stop));
        }
        if let Err(stop) = self.look_at_doubted(&client, catalog.company).await {
            return Err(self.close(&stop.or_pause()));
        }
        self.refusals().in_company(catalog.company);
        if self.refusals().paused().is_some() {
            // A batch may have paused it meanwhile: only an order that gets through ends that.
            let Some(permit) = permit else { return Err(BUSY) };
            drop(asking);
            self.keep_catalog(&catalog, now);
            let probed = Box::pin(self.probe(settings, &catalog, &permit)).await;
            drop(permit);
            // Other accounts may be waiting for it.
            delivery.wake_all();
            return probed;
        }
        // What a batch closed meanwhile stays closed: this look says nothing of that.
        let opened = |gate: &mut Gate| {
            if *gate != found && *gate != Gate::Open {
                return Err(gate.wait(now).unwrap_or(BUSY));
            }
            Ok(gate.open())
        };
        let opened = delivery.gate(&self.account, opened)?;
        match (&found, opened) {
            (Gate::Paused(_), Some(_)) => events::account_resumed(&self.account),
            (_, Some(closed)) => events::odoo_back(&self.account, closed.since, now),
            (_, None) => {}
        }
        if matches!(found, Gate::Down(_)) {
            // What piled up meanwhile comes back step by step.
            delivery.connections.restart();
            delivery.retry_others(&self.account, now);
        }
        drop(asking);
        let before = self.catalog().map(|(catalog, _)| catalog);
        self.keep_catalog(&catalog, now);
        let unchanged = before.is_some_and(|before| before.offers_the_same(&catalog));
        let released = self.release(settings, &catalog, unchanged).await;
        released.map_err(|stop| {
            // Half of it may be released: the next look compares with nothing, and releases all.
            self.forget_catalog();
            self.close(&stop.or_pause())
        })
    }

    fn keep_catalog(&self, catalog: &Arc<Catalog>, now: Timestamp) {
        *self.catalog.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Arc::clone(catalog), now));
    }

    /// The undecided refusals. Held for a moment only.
    pub(super) fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Releases what Odoo now has.
    async fn release(
        &self,
        settings: &Arc<AccountSettings>,
        catalog: &Catalog,
        unchanged: bool,
    ) -> Result<(), Stop> {
        let now = self.delivery.clock.now();
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.look_at_refused(now).await?;
        if used.is_none_or(|used| used != *settings) {
            // Also at the start: what was held under other settings may not be any more.
            for code in SETTINGS_HOLDS {
                self.release_all(code, now).await?;
            }
            // Not before: where one of them fails, all are released at the next look.
            *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(settings));
            return Ok(());
        }
        let (skus, _) = self
            .shelf
            .run(|store, account| store.held_keys(account, HoldCode::Sku, usize::MAX))
            .await?;
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
                    outcomes::released(&self.account, "sku", count);
                }
            }
        }
        self.release_visible(&self.delivery.client(), catalog.company).await?;
        if unchanged {
            return Ok(());
        }
        let looked_up = [HoldCode::Sku, HoldCode::Invisible];
        for code in ODOO_HOLDS.into_iter().filter(|code| !looked_up.contains(code)) {
            self.release_all(code, now).await?;
        }
        Ok(())
    }

    async fn release_all(&self, code: HoldCode, now: Timestamp) -> Result<(), Stop> {
        let count = self
            .shelf
            .run(move |store, account| store.release(Waiting::For(account, code, None), now))
            .await?;
        outcomes::released(&self.account, code.name(), count);
        Ok(())
    }

    /// Closes the gate where a stop asks for it. Says how long to wait.
    pub(super) fn close(&self, stop: &Stop) -> Duration {
        let now = self.delivery.clock.now();
        match stop {
            Stop::Retry { code, down: true, seen, wait, .. } => {
                let seen = seen.as_deref();
                if self.delivery.gate(&self.account, |gate| gate.down(code, seen, *wait, now)) {
                    events::odoo_unreachable(&self.account, code, seen.unwrap_or("no answer"));
                }
                self.forget_catalog();
            }
            Stop::Pause { code, next_step, .. } => {
                let told = self.window.told(code);
                let denied = *code == FaultKind::AccessDenied.code();
                let (code, next_step) = if denied && self.delivery.key_has_ended(now) {
                    (api_key::ENDED, api_key::ENDED_NEXT)
                } else {
                    (*code, told.as_deref().unwrap_or(next_step))
                };
                if self.delivery.gate(&self.account, |gate| gate.pause(code, next_step, now)) {
                    if told.is_some() {
                        events::odoo_doubted(&self.account, code, next_step);
                    } else {
                        events::account_paused(&self.account, code, next_step);
                    }
                }
                self.forget_catalog();
            }
            Stop::Retry { down: false, doubt, .. } => {
                if doubt.is_some() {
                    // What was asked for may be gone from Odoo.
                    self.forget_catalog();
                }
                self.delivery.gate(&self.account, |gate| gate.look_later(now));
            }
            Stop::Refused { .. } => self.delivery.gate(&self.account, |gate| gate.look_later(now)),
            Stop::Store(_) => return self.trouble(stop),
        }
        self.delivery.gate(&self.account, |gate| gate.wait(now)).unwrap_or(Duration::from_secs(1))
    }

    pub(super) fn hands<'a>(&'a self, client: &'a Client) -> Hands<'a> {
        Hands { client, shelf: &self.shelf, clock: &self.delivery.clock }
    }

    /// Looks at the marker, once a busy period.
    async fn look(&self) -> Result<(), Stop> {
        if !self.window.is_doubtful() {
            return Ok(());
        }
        let client = self.delivery.client();
        self.window.verify(self.hands(&client)).await.map_err(Stop::or_pause)
    }

    async fn close_window(&self) -> Result<(), Stop> {
        let client = self.delivery.client();
        self.window.close(self.hands(&client)).await.map_err(Stop::or_pause)
    }

    /// A start with a known Odoo says at once if it is another one, or does not let us in (key,
    /// certificate), whether or not there is work. An Odoo that does not answer is no news here.
    async fn first_look(&self, stop: &CancellationToken) {
        let known = self.shelf.run(crate::store::Store::pin).await;
        if !matches!(known, Ok(Some(_))) {
            return;
        }
        let looked = tokio::select! {
            looked = tokio::time::timeout(FIRST_LOOK, self.look()) => looked,
            () = stop.cancelled() => return,
        };
        if let Ok(Err(stop @ Stop::Pause { .. })) = &looked {
            self.close(stop);
        }
    }

    /// Closes the window before the daemon ends, if Odoo answers soon. If not, it is closed after
    /// the next start.
    async fn last_close(&self) {
        let open = self.delivery.gate(&self.account, |gate| *gate == Gate::Open);
        if !open || !self.window.may_be_open() {
            return;
        }
        match tokio::time::timeout(LAST_CLOSE, self.close_window()).await {
            Ok(Ok(())) => {}
            Ok(Err(stop)) => {
                self.close(&stop);
            }
            Err(_) => tracing::debug!(account = %self.account, "the delivery window stays open"),
        }
    }

    /// The next look asks Odoo again; whether it answers opens the gate.
    fn forget_catalog(&self) {
        self.window.forget();
        *self.catalog.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn trouble(&self, stop: &Stop) -> Duration {
        if let Stop::Store(error) = stop {
            // Batches that fail together, and turns that find the same, say it once.
            let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
            let until = Instant::now().checked_add(Duration::from_secs(STORE_TROUBLE_SECS));
            if rest.is_none_or(|until| until <= Instant::now()) {
                events::store_trouble(&self.account, error);
            }
            *rest = until;
        }
        Duration::from_secs(STORE_TROUBLE_SECS)
    }

    /// How long nothing is leased, because the store failed.
    fn resting(&self) -> Option<Duration> {
        let rest = *self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        rest.map(|until| until.saturating_duration_since(Instant::now()))
            .filter(|wait| !wait.is_zero())
    }
}

/// Holds that another setting can end: the order is planned again under it.
const SETTINGS_HOLDS: [HoldCode; 10] = [
    HoldCode::Sku,
    HoldCode::Marketplace,
    HoldCode::Warehouse,
    HoldCode::Pricelist,
    HoldCode::Tax,
    HoldCode::Existing,
    HoldCode::Account,
    HoldCode::Address,
    HoldCode::AddressExpired,
    HoldCode::Total,
];

/// Holds that something in Odoo or in the settings can end.
const ODOO_HOLDS: [HoldCode; 6] = [
    HoldCode::Sku,
    HoldCode::Marketplace,
    HoldCode::Warehouse,
    HoldCode::Pricelist,
    HoldCode::Tax,
    HoldCode::Invisible,
];
