//! A person says: this is the account's Odoo. What is known of it is made to fit again.
//!
//! Orders are looked for under their external ids, in batches. Since when something may be missing
//! is what the restored marker itself says: it was last raised then, and every order of an earlier
//! window stood there already. What is missing and younger is created again under the same
//! external ids; what is missing and older was deleted by a person and stays deleted; what we
//! changed since then is looked at again, with what stands there as its base.
//!
//! An Odoo that only moved (other URL or name, the marker's counter right) is taken as it is.
//!
//! Nothing is written to Odoo but the marker. The order is: orders, partners, barrier, marker. A
//! crash in between leaves the account paused, and the same command goes on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;

use super::Delivery;
use super::gate::Gate;
use super::send::Stop;
use super::shelf::Shelf;
use super::value;
use super::window::{Hands, quiet};
use crate::model::{AccountId, Doubt, OdooId, OdooPin, Origin};
use crate::odoo::Find;
use crate::plan::external;
use crate::store::{MappedOrder, Mend, RecordKey};
use crate::telemetry::events;

/// Orders in one call.
const CHUNK: usize = 500;

/// What was found, and (unless it was a dry run) done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// The doubt that stood against this Odoo; none where there was none.
    pub doubt: Option<&'static str>,
    /// The same in words.
    pub words: String,
    /// Since when orders were looked for; none where that was not needed, or it was all of them.
    pub since: Option<Timestamp>,
    /// Orders that were looked for.
    pub checked: u64,
    /// Found as they are known.
    pub present: u64,
    /// Found under another database id.
    pub moved: u64,
    /// Found as they were before our last change: looked at again.
    pub older: u64,
    /// Missing and younger: created again.
    pub missing: u64,
    /// Missing and older: they stay deleted.
    pub stay_deleted: u64,
    /// Deleted by a person before, and there again: left alone.
    pub came_back: u64,
    /// Made by others, adopted here, and missing: left alone.
    pub adopted_missing: u64,
    /// On their way just now: left alone.
    pub busy: u64,
    /// Records whose buyer must be read again from its sealed file.
    pub buyers: BTreeSet<RecordKey>,
}

/// Why not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReconcileError {
    /// The account is not configured, or switched off.
    #[error("the account is not delivered here")]
    Account,
    /// It is being done already.
    #[error("the account is being reconciled, or looks at its Odoo just now")]
    Busy,
    /// Another id key: nothing that was created could be found again.
    #[error("{0}")]
    IdKey(String),
    /// Odoo does not answer, or refuses.
    #[error("Odoo does not let us look or mark ({code})")]
    Odoo {
        /// The fault's code.
        code: &'static str,
        /// What helps.
        next_step: std::borrow::Cow<'static, str>,
    },
    /// The store failed.
    #[error("store: {0}")]
    Store(String),
}

impl From<Stop> for ReconcileError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Retry { code, doubt: None, .. } => {
                Self::Odoo { code, next_step: "try again once Odoo answers".into() }
            }
            Stop::Pause { code, next_step, .. } => Self::Odoo { code, next_step },
            Stop::Retry { code, .. } | Stop::Refused { code, .. } => {
                Self::Odoo { code, next_step: "`odoo-spoold check` says what is refused".into() }
            }
            Stop::Store(error) => Self::Store(error),
        }
    }
}

/// One account's look at its orders.
struct Search<'a> {
    hands: Hands<'a>,
    since: Timestamp,
    found: Reconciled,
    mends: Vec<(RecordKey, Mend)>,
}

impl Delivery {
    /// Takes this Odoo for the account's, and corrects what is known of it. A dry run only looks.
    pub async fn reconcile(
        &self,
        account: &AccountId,
        since: Option<Timestamp>,
        dry_run: bool,
    ) -> Result<Reconciled, ReconcileError> {
        if self.settings(account).is_none() {
            return Err(ReconcileError::Account);
        }
        let window = self.window_of(account);
        let Some(turn) = window.hold() else { return Err(ReconcileError::Busy) };
        let client = self.client();
        client.probe().await.map_err(Stop::from)?;
        let shelf = Shelf { store: std::sync::Arc::clone(&self.store), account: account.clone() };
        let hands = Hands { client: &client, shelf: &shelf, clock: &self.clock };
        let pin = hands.pin().await?;
        let marker = hands.find(pin.as_ref()).await?;
        let doubt = hands.doubt(pin.as_ref(), marker.as_ref().map(|(_, marker)| marker)).await?;
        let words = doubt.as_ref().map(|doubt| doubt.explain(account, pin.as_ref()));
        if doubt == Some(Doubt::IdKeyDiffers) {
            return Err(ReconcileError::IdKey(words.unwrap_or_default()));
        }
        // What the marker that is there says; without one, what we remember.
        let default = match &marker {
            Some((_, marker)) if doubt != Some(Doubt::StateOlder) => Some(marker.at),
            _ => pin.as_ref().and_then(|pin| pin.good),
        };
        let whole = !matches!(doubt, None | Some(Doubt::OtherDatabase)) || since.is_some();
        let chosen = since.or(default).filter(|_| whole);
        let mut search = Search {
            hands,
            since: chosen.unwrap_or(Timestamp::UNIX_EPOCH),
            found: Reconciled {
                doubt: doubt.as_ref().map(Doubt::code),
                words: doubt.as_ref().map(ToString::to_string).unwrap_or_default(),
                since: chosen,
                ..Reconciled::default()
            },
            mends: Vec::new(),
        };
        if whole && pin.is_some() {
            search.all().await?;
        }
        let Search { mut found, mends, .. } = search;
        if dry_run {
            return Ok(found);
        }
        let now = self.clock.now();
        let mended = shelf
            .run(move |store, account| {
                let mended = store.mend(&mends, now)?;
                if whole {
                    store.forget_all_partners(account)?;
                }
                store.barrier()?;
                Ok(mended)
            })
            .await?;
        found.busy = mended.busy;
        found.buyers = mended.buyers;
        if let Some(pin) = pin {
            hands.accept(pin, marker, now).await?;
        }
        window.forget();
        drop(turn);
        events::reconciled(account, found.checked, mended.requeued);
        self.gate(account, |gate| {
            if *gate != Gate::Open {
                gate.retry_now(now);
            }
        });
        self.look_again(account);
        Ok(found)
    }
}

impl Hands<'_> {
    /// Says to ourselves and to Odoo that they belong together: a counter above both.
    async fn accept(
        &self,
        pin: OdooPin,
        marker: Option<(OdooId, crate::model::Marker)>,
        now: Timestamp,
    ) -> Result<(), Stop> {
        let place = self.client.endpoint();
        let there = marker.as_ref().map_or(0, |(_, marker)| marker.counter);
        let known = marker.map(|(id, _)| id);
        let pin = OdooPin {
            url: place.url.clone(),
            database: place.database.clone(),
            marker_id: known.unwrap_or(0),
            counter: pin.counter.max(there),
            raising: false,
            opened: None,
            ..pin
        };
        let mut pin = self.raise(Some(pin), now, |_| ()).await?;
        if known.is_none() {
            // One that was there with a text that is none of ours was left as it is.
            pin = self.raise(Some(pin), now, |_| ()).await?;
        }
        self.keep(OdooPin { raising: false, good: Some(now), ..pin }, true).await
    }
}

impl Search<'_> {
    async fn all(&mut self) -> Result<(), Stop> {
        let mut from = None;
        loop {
            let (orders, next) = self
                .hands
                .shelf
                .run(move |store, account| store.mapped(account, from, CHUNK))
                .await?;
            self.page(&orders).await?;
            match next {
                Some(next) => from = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn page(&mut self, orders: &[MappedOrder]) -> Result<(), Stop> {
        let orders: Vec<&MappedOrder> =
            orders.iter().filter(|order| order.mapping.odoo_id != 0).collect();
        if orders.is_empty() {
            return Ok(());
        }
        let ids: Vec<OdooId> = orders.iter().map(|order| order.mapping.odoo_id).collect();
        let domain = json!([["id", "in", ids]]);
        let client = self.hands.client;
        let there = client.search("sale.order", domain, &Find::default(), quiet()).await?;
        // Of all of them: what a rule hides from our user still has its external id.
        let names = self.names(&ids).await?;
        let there: BTreeSet<OdooId> = there.into_iter().collect();
        let stands =
            |order: &MappedOrder| names.get(&order.mapping.odoo_id) == Some(&self.own(order));
        let lost: Vec<&str> = orders
            .iter()
            .filter(|order| order.mapping.origin == Origin::Ours && !stands(order))
            .map(|order| order.order_id.as_str())
            .collect();
        let elsewhere = self.elsewhere(&lost).await?;
        for order in orders {
            let mapping = &order.mapping;
            self.found.checked = self.found.checked.saturating_add(1);
            if mapping.origin == Origin::Adopted {
                let count = if there.contains(&mapping.odoo_id) {
                    &mut self.found.present
                } else {
                    &mut self.found.adopted_missing
                };
                *count = count.saturating_add(1);
                continue;
            }
            let own = self.own(order);
            let stands = names.get(&mapping.odoo_id) == Some(&own);
            let place = if stands { Some(mapping.odoo_id) } else { elsewhere.get(&own).copied() };
            let since = self.since;
            let younger = |at: Option<Timestamp>| at.is_some_and(|at| at >= since);
            let (count, mend) = match place {
                _ if mapping.deleted => match place {
                    Some(_) => (&mut self.found.came_back, None),
                    None => (&mut self.found.stay_deleted, None),
                },
                Some(id) if younger(mapping.written) => {
                    (&mut self.found.older, Some(Mend::Older(id)))
                }
                Some(id) if id != mapping.odoo_id => (&mut self.found.moved, Some(Mend::Moved(id))),
                Some(_) => (&mut self.found.present, None),
                None if younger(mapping.created) => (&mut self.found.missing, Some(Mend::Missing)),
                None => (&mut self.found.stay_deleted, Some(Mend::Deleted)),
            };
            *count = count.saturating_add(1);
            self.mends.extend(mend.map(|mend| (order.key, mend)));
        }
        Ok(())
    }

    /// Where orders stand that are not where they are known, by external id.
    async fn elsewhere(&self, lost: &[&str]) -> Result<BTreeMap<String, OdooId>, Stop> {
        if lost.is_empty() {
            return Ok(BTreeMap::new());
        }
        let domain = json!([["client_order_ref", "in", lost]]);
        let client = self.hands.client;
        let hits =
            client.search_read("sale.order", domain, &["name"], &Find::default(), quiet()).await?;
        let ids: Vec<OdooId> = hits.iter().map(|hit| value::id(hit, "id")).collect();
        Ok(self.names(&ids).await?.into_iter().map(|(id, name)| (name, id)).collect())
    }

    async fn names(&self, ids: &[OdooId]) -> Result<BTreeMap<OdooId, String>, Stop> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        Ok(self.hands.client.get_external_id("sale.order", ids, quiet()).await?)
    }

    fn own(&self, order: &MappedOrder) -> String {
        external::full(&self.hands.shelf.account, &external::order(&order.order_id))
    }
}
