//! The delivery window of one account: no write before the marker was looked at and raised.
//!
//! A window opens before the first write of a busy period and closes when the lane is idle; at both
//! ends the marker's counter is raised ([`crate::model::marker`] draws in which order). Before, after
//! each reopening of the gate, and before closing the marker is read: a doubt stops every write until
//! the marker fits again or a person has reconciled.
//!
//! Promises: what stands in the store is durable before Odoo is called; a crash or a lost answer
//! anywhere leaves a counter that the next look understands. Reading writes nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::absent::named;
use super::send::Stop;
use super::shelf::Shelf;
use super::value;
use crate::clock::SharedClock;
use crate::model::{Doubt, Marker, Note, OdooId, OdooPin, Origin};
use crate::odoo::{Client, Context, Fault, Find, Record, Verdict, Writer};
use crate::plan::external;

/// Orders in one call that looks whether they are there.
const CHUNK: usize = 500;
/// Records read from the store at a time.
const PAGE: usize = 2000;

/// One account's window.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Who looks, opens, closes or reconciles.
    turn: tokio::sync::Mutex<()>,
    /// The marker was looked at and fits, in this busy period.
    verified: AtomicBool,
    /// Writes may go out.
    writable: AtomicBool,
    /// Nothing is there to close.
    settled: AtomicBool,
    /// The last doubt, as it is told.
    told: Mutex<Option<(&'static str, String)>>,
}

/// What the window works with.
#[derive(Clone, Copy)]
pub(super) struct Hands<'a> {
    pub(super) client: &'a Client,
    pub(super) shelf: &'a Shelf,
    pub(super) clock: &'a SharedClock,
}

/// A window and what it works with: what a batch asks before it writes.
#[derive(Clone, Copy)]
pub(super) struct Writing<'a> {
    pub(super) window: &'a Window,
    pub(super) hands: Hands<'a>,
}

impl<'a> Writing<'a> {
    /// What writes, once writes may go out. There is no other way to one: delivery cannot write
    /// before the marker was looked at and raised.
    pub(super) async fn begin(&self) -> Result<Writer<'a>, Stop> {
        if !self.window.writable.load(Ordering::Acquire) {
            self.window.open(self.hands).await?;
        }
        Ok(Writer::on(self.hands.client))
    }
}

impl Window {
    /// Whether the marker still has to be looked at.
    pub(super) fn is_doubtful(&self) -> bool {
        !self.verified.load(Ordering::Acquire)
    }

    /// Whether there may be something to close. True until that was looked up.
    pub(super) fn may_be_open(&self) -> bool {
        !self.settled.load(Ordering::Acquire)
    }

    /// What was seen may not hold any more: the next write looks again.
    pub(super) fn forget(&self) {
        self.verified.store(false, Ordering::Release);
        self.writable.store(false, Ordering::Release);
    }

    /// What is to be said about a pause with this code, if it was this window's.
    pub(super) fn told(&self, code: &str) -> Option<String> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.as_ref().filter(|(known, _)| *known == code).map(|(_, text)| text.clone())
    }

    /// Keeps others out while a person reconciles; none while somebody is at it.
    pub(super) fn hold(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        self.turn.try_lock().ok()
    }

    /// Looks at the marker, unless that was done in this busy period.
    pub(super) async fn verify(&self, hands: Hands<'_>) -> Result<(), Stop> {
        let Ok(turn) = self.turn.try_lock() else { return Err(busy()) };
        let seen = self.look(hands).await.map(|_| ());
        drop(turn);
        seen
    }

    async fn open(&self, hands: Hands<'_>) -> Result<(), Stop> {
        // Other batches of the account wait here for the one that opens.
        let _turn = self.turn.lock().await;
        if self.writable.load(Ordering::Acquire) {
            return Ok(());
        }
        let pin = self.look(hands).await?;
        self.settled.store(false, Ordering::Release);
        if !pin.as_ref().is_some_and(|pin| pin.opened.is_some() && !pin.raising) {
            let now = hands.clock.now();
            let opened = pin.as_ref().and_then(|pin| pin.opened).or(Some(now));
            let pin = hands.raise(pin, now, |pin| pin.opened = opened).await?;
            hands.keep(OdooPin { raising: false, ..pin }, false).await?;
        }
        self.writable.store(true, Ordering::Release);
        Ok(())
    }

    /// Closes the window, if it is open. The caller knows that no batch is on its way.
    pub(super) async fn close(&self, hands: Hands<'_>) -> Result<(), Stop> {
        let Ok(_turn) = self.turn.try_lock() else { return Err(busy()) };
        let known = hands.pin().await?;
        if known.as_ref().is_none_or(|pin| pin.opened.is_none()) {
            self.settled.store(true, Ordering::Release);
            self.forget();
            return Ok(());
        }
        // Else a database that was exchanged meanwhile would get a counter that fits.
        self.verified.store(false, Ordering::Release);
        let pin = self.look(hands).await?;
        self.writable.store(false, Ordering::Release);
        let now = hands.clock.now();
        let pin = hands.raise(pin, now, |_| ()).await?;
        let pin = OdooPin { raising: false, opened: None, good: Some(now), ..pin };
        hands.keep(pin, true).await?;
        self.settled.store(true, Ordering::Release);
        self.forget();
        Ok(())
    }

    /// The marker as it stands, judged. The caller has the turn.
    async fn look(&self, hands: Hands<'_>) -> Result<Option<OdooPin>, Stop> {
        let pin = hands.pin().await?;
        if self.verified.load(Ordering::Acquire) {
            return Ok(pin);
        }
        let interrupted = !self.writable.load(Ordering::Acquire);
        match hands.judge(pin.clone(), interrupted).await? {
            Ok(pin) => {
                self.verified.store(true, Ordering::Release);
                *self.told.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Ok(pin)
            }
            Err(doubt) => {
                self.forget();
                let text = doubt.explain(&hands.shelf.account, pin.as_ref());
                *self.told.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((doubt.code(), text));
                Err(Stop::pause(doubt.code(), "`odoo-spoold reconcile`"))
            }
        }
    }
}

impl Hands<'_> {
    pub(super) async fn pin(&self) -> Result<Option<OdooPin>, Stop> {
        self.shelf.run(crate::store::Store::pin).await
    }

    /// Remembers the pin.
    pub(super) async fn keep(&self, pin: OdooPin, durable: bool) -> Result<(), Stop> {
        self.shelf
            .run(move |store, account| {
                if durable {
                    // The journal outlives the database: which Odoo it was is not forgotten with it.
                    store.note(&[Note::Pin { account: account.clone(), pin: pin.clone() }])?;
                }
                store.put_pin(account, &pin)?;
                if durable { store.barrier() } else { Ok(()) }
            })
            .await
    }

    async fn check(&self) -> Result<String, Stop> {
        self.shelf.run(crate::store::Store::id_key_check).await
    }

    /// What stands against this Odoo, for a person who looks.
    pub(super) async fn doubt(
        &self,
        pin: Option<&OdooPin>,
        marker: Option<&Marker>,
    ) -> Result<Option<Doubt>, Stop> {
        let check = self.check().await?;
        if let Err(doubt) = OdooPin::judge(pin, marker, &check) {
            return Ok(Some(doubt));
        }
        if let Some(opened) = pin.and_then(|pin| pin.opened) {
            let missing = self.gone_since(opened).await?;
            if missing > 0 {
                return Ok(Some(Doubt::LastWindow { missing }));
            }
        }
        let place = self.client.endpoint();
        let moved = pin.is_some_and(|pin| !pin.is_at(&place.url, &place.database));
        Ok(moved.then_some(Doubt::OtherDatabase))
    }

    /// What the marker says of this Odoo. A pin that is right is brought up to what was seen.
    async fn judge(
        &self,
        pin: Option<OdooPin>,
        interrupted: bool,
    ) -> Result<Result<Option<OdooPin>, Doubt>, Stop> {
        let place = self.client.endpoint();
        if pin.as_ref().is_some_and(|pin| !pin.is_at(&place.url, &place.database)) {
            return Ok(Err(Doubt::OtherDatabase));
        }
        let check = self.check().await?;
        let found = self.find(pin.as_ref()).await?;
        if pin.is_none() && found.is_none() && self.other_key(&check).await? {
            return Ok(Err(Doubt::IdKeyDiffers));
        }
        let marker = found.as_ref().map(|(_, marker)| marker);
        if let Err(doubt) = OdooPin::judge(pin.as_ref(), marker, &check) {
            return Ok(Err(doubt));
        }
        let Some(mut pin) = pin else { return Ok(Ok(None)) };
        if let Some((id, marker)) = &found {
            let raising = pin.raising && marker.counter != pin.counter;
            if pin.marker_id != *id || pin.raising != raising {
                pin.marker_id = *id;
                pin.raising = raising;
                self.keep(pin.clone(), false).await?;
            }
        }
        if let Some(opened) = pin.opened.filter(|_| interrupted) {
            let missing = self.gone_since(opened).await?;
            if missing > 0 {
                return Ok(Err(Doubt::LastWindow { missing }));
            }
        }
        Ok(Ok(Some(pin)))
    }

    /// The marker and its id: under the id that is remembered, else under its external id.
    pub(super) async fn find(
        &self,
        pin: Option<&OdooPin>,
    ) -> Result<Option<(OdooId, Marker)>, Stop> {
        if let Some(id) = pin.map(|pin| pin.marker_id).filter(|id| *id != 0)
            && let Some(marker) = self.read(id).await?
        {
            return Ok(Some((id, marker)));
        }
        let (module, name) = (external::module(&self.shelf.account), self.name());
        let told = self.client.check_object_reference(&module, &name, quiet()).await?;
        let Some((_, Some(id))) = told else { return Ok(None) };
        Ok(self.read(id).await?.map(|marker| (id, marker)))
    }

    async fn read(&self, id: OdooId) -> Result<Option<Marker>, Stop> {
        let find = Find { archived_too: true, ..Find::default() };
        let domain = json!([["id", "=", id]]);
        let found =
            self.client.search_read("res.partner", domain, &["ref"], &find, quiet()).await?;
        let text = found.first().map(|record| value::text(record, "ref")).unwrap_or_default();
        Ok(Marker::parse(&text, &self.shelf.account, self.shelf.store.installation()))
    }

    /// Whether another installation of the account left a marker with another id key.
    async fn other_key(&self, check: &str) -> Result<bool, Stop> {
        let find = Find { archived_too: true, ..Find::default() };
        let head = Marker::head(&self.shelf.account).replace('_', "\\_") + "%";
        let domain = json!([["ref", "=like", head], ["active", "=", false]]);
        let found =
            self.client.search_read("res.partner", domain, &["ref"], &find, quiet()).await?;
        Ok(found
            .iter()
            .filter_map(|record| Marker::check_in(&value::text(record, "ref"), &self.shelf.account))
            .any(|known| known != check))
    }

    /// Raises the counter: stored, durable, then written. The answer says that it stands there.
    pub(super) async fn raise(
        &self,
        pin: Option<OdooPin>,
        now: Timestamp,
        change: impl FnOnce(&mut OdooPin),
    ) -> Result<OdooPin, Stop> {
        let place = self.client.endpoint();
        let mut pin = match pin {
            // What was begun is written again: the same counter.
            Some(pin) if pin.raising => pin,
            Some(pin) => OdooPin { counter: pin.counter.saturating_add(1), raising: true, ..pin },
            None => OdooPin {
                url: place.url.clone(),
                database: place.database.clone(),
                marker_id: 0,
                counter: 1,
                raising: true,
                opened: None,
                good: None,
            },
        };
        change(&mut pin);
        self.keep(pin.clone(), true).await?;
        let marker = Marker { counter: pin.counter, check: self.check().await?, at: now };
        pin.marker_id = self.write(pin.marker_id, &marker).await?;
        Ok(pin)
    }

    /// Writes the marker; creates it where its id is 0.
    async fn write(&self, id: OdooId, marker: &Marker) -> Result<OdooId, Stop> {
        let account = &self.shelf.account;
        let text = marker.text(account, self.shelf.store.installation());
        if id != 0 {
            let mut vals = Record::new();
            vals.insert("ref".to_owned(), Value::from(text));
            vals.insert("active".to_owned(), Value::from(false));
            return match Writer::on(self.client).write("res.partner", &[id], vals, quiet()).await {
                Ok(()) => Ok(id),
                Err(fault) => Err(self.unwritten(fault)),
            };
        }
        let fields = ["id", "name", "ref", "active"];
        let name = format!("odoo-spoold: marker of account {account}, keep it");
        let row = [external::full(account, &self.name()), name, text, "0".to_owned()];
        let rows = vec![row.into_iter().map(Value::from).collect()];
        let context = quiet().noupdate();
        let reply = match Writer::on(self.client).load("res.partner", &fields, rows, context).await
        {
            Ok(reply) => reply,
            Err(fault) => return Err(self.unwritten(fault)),
        };
        match reply.verdict(1, &fields) {
            Verdict::Loaded(ids) => ids.first().copied().ok_or_else(refused),
            Verdict::Transient(_) => Err(Stop::lost_race()),
            Verdict::Configuration { .. } | Verdict::Rejected(_) | Verdict::Unknown(_) => {
                Err(refused())
            }
        }
    }

    /// A marker that was perhaps written may still be on its way: it must not come after the next.
    fn unwritten(&self, fault: Fault) -> Stop {
        match Stop::from(fault) {
            Stop::Retry { code, ambiguous: true, overload, seen, wait, doubt, step, .. } => {
                let least = self.client.endpoint().limit_time_real;
                let wait = Some(wait.map_or(least, |wait| wait.max(least)));
                let (down, ambiguous) = (true, false);
                Stop::Retry { code, down, ambiguous, overload, seen, wait, doubt, step }
            }
            Stop::Refused { .. } => refused(),
            stop => stop,
        }
    }

    /// How many orders that we created since then are not in Odoo.
    async fn gone_since(&self, since: Timestamp) -> Result<u64, Stop> {
        let mut from = None;
        let mut missing = 0_u64;
        loop {
            let (orders, next) =
                self.shelf.run(move |store, account| store.mapped(account, from, PAGE)).await?;
            let ids: Vec<OdooId> = orders
                .iter()
                .map(|order| &order.mapping)
                .filter(|m| m.origin == Origin::Ours && !m.deleted && m.odoo_id != 0)
                .filter(|m| m.created.is_some_and(|created| created >= since))
                .map(|m| m.odoo_id)
                .collect();
            for chunk in ids.chunks(CHUNK) {
                let there = self
                    .client
                    .search("sale.order", json!([["id", "in", chunk]]), &Find::default(), quiet())
                    .await?;
                let unseen: Vec<OdooId> =
                    chunk.iter().copied().filter(|id| !there.contains(id)).collect();
                // What a rule hides is there all the same.
                let hidden = named(self.client, &unseen, &quiet()).await?.len();
                let gone = unseen.len().saturating_sub(hidden);
                missing = missing.saturating_add(u64::try_from(gone).unwrap_or(u64::MAX));
            }
            match next {
                Some(next) => from = Some(next),
                None => return Ok(missing),
            }
        }
    }

    /// The name part of the marker's external id.
    fn name(&self) -> String {
        format!("marker_{}", self.shelf.store.installation())
    }
}

/// Archived records too, whatever company, and no history on a record that changes all day.
pub(super) fn quiet() -> Context {
    Context::user().without_history().with("active_test", false)
}

fn refused() -> Stop {
    Stop::pause(
        "odoo-marker-refused",
        "Odoo does not let the integration user write its own marker, an archived contact: check \
         its rights with `odoo-spoold check`",
    )
}

/// A person reconciles just now.
fn busy() -> Stop {
    Stop::later("reconciling")
}
