//! Orders that a search does not show: deleted by a person, or hidden from our user.
//!
//! A record rule, a company that was taken away or a sales team hides an order; it exists all the
//! same, and so does its external id. `get_external_id` answers for records that our user may not
//! read (it looks into `ir.model.data` as superuser, on Odoo 14 as on 19: `real_absent.rs`), and
//! deleting a record deletes its external ids. So *gone* is what has no external id any more. What is
//! hidden is held `invisible`, nothing is written to it, and it goes on once it is seen again.
//!
//! Many orders gone at once are doubted: the account pauses until a person believes it
//! (`odoo-spoold resume --accept-deleted`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::json;

use super::batch::{Batch, READ_CHUNK, Work};
use super::lane::Lane;
use super::send::Stop;
use crate::model::{Hold, HoldCode, OdooId};
use crate::odoo::{Client, Context, Fault, Find};
use crate::store::Waiting;
use crate::telemetry::outcomes;

/// So many orders of one look must be gone, and more than half of it, before it is doubted.
const DOUBTED_FROM: usize = 10;

/// Orders that are gone and doubted: when that was seen, and which.
#[derive(Debug, Default)]
pub(super) struct Absent(Mutex<Option<(Timestamp, Vec<OdooId>)>>);

impl Absent {
    fn doubted(&self) -> MutexGuard<'_, Option<(Timestamp, Vec<OdooId>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What holds an order that exists and is not shown to our user.
pub(super) fn invisible(id: OdooId) -> Hold {
    Hold::new(
        HoldCode::Invisible,
        id.to_string(),
        format!(
            "the order exists in Odoo (sale.order {id}), but the daemon's user may not see it: a \
             record rule, its company or its sales team hides it; nothing is written to it"
        ),
    )
}

/// The external ids of those of `ids` that have one, whether our user may read them or not.
pub(super) async fn named(
    client: &Client,
    ids: &[OdooId],
    context: &Context,
) -> Result<BTreeMap<OdooId, String>, Fault> {
    let mut named = BTreeMap::new();
    for chunk in ids.chunks(READ_CHUNK) {
        named.extend(client.get_external_id("sale.order", chunk, context.clone()).await?);
    }
    Ok(named)
}

impl Batch<'_> {
    /// Which of the missing orders are only hidden. The others are gone: if they are too many of
    /// this look for that to be believed, the batch stops.
    pub(super) async fn hidden_among(
        &self,
        works: &[Work],
        missing: &[OdooId],
        found: usize,
    ) -> Result<BTreeSet<OdooId>, Stop> {
        if missing.is_empty() {
            return Ok(BTreeSet::new());
        }
        let hidden = named(self.sender.client, missing, &self.sender.context).await?;
        let hidden: BTreeSet<OdooId> = hidden.into_keys().collect();
        let believed = self.shelf.run(crate::store::Store::accepted_deleted).await?;
        let is_doubtful = |work: &&Work| {
            let mapping = work.dossier.mapping.as_ref();
            let since = mapping.and_then(|mapping| mapping.written.max(mapping.created));
            // Deleted as of then, by a person's word.
            believed.is_none_or(|believed| since.is_some_and(|since| since > believed))
        };
        let doubtful: Vec<OdooId> = works
            .iter()
            .filter(|work| work.is_open())
            .filter(is_doubtful)
            .filter_map(Work::odoo_id)
            .filter(|id| missing.contains(id) && !hidden.contains(id))
            .collect();
        let looked = found.saturating_add(missing.len());
        if doubtful.len() >= DOUBTED_FROM && doubtful.len().saturating_mul(2) > looked {
            let now = self.sender.writing.hands.clock.now();
            *self.absent.doubted() = Some((now, doubtful));
            return Err(orders_gone());
        }
        Ok(hidden)
    }
}

impl Lane {
    /// Looks again at orders whose absence is doubted. Still doubted: the account stays paused.
    pub(super) async fn look_at_doubted(
        &self,
        client: &Client,
        company: OdooId,
    ) -> Result<(), Stop> {
        let Some((at, ids)) = self.absent.doubted().clone() else { return Ok(()) };
        let believed = self.shelf.run(crate::store::Store::accepted_deleted).await?;
        if believed.is_none_or(|believed| believed < at)
            && named(client, &ids, &Context::new(&[company])).await?.is_empty()
        {
            return Err(orders_gone());
        }
        *self.absent.doubted() = None;
        Ok(())
    }

    /// Releases orders that were hidden and are seen again, or gone by now.
    pub(super) async fn release_visible(
        &self,
        client: &Client,
        company: OdooId,
    ) -> Result<(), Stop> {
        let (keys, _all) = self
            .shelf
            .run(|store, account| store.held_keys(account, HoldCode::Invisible, usize::MAX))
            .await?;
        let ids: Vec<OdooId> = keys.iter().filter_map(|key| key.parse().ok()).collect();
        let context = Context::new(&[company]);
        let mut back: Vec<OdooId> = Vec::new();
        for chunk in ids.chunks(READ_CHUNK) {
            let find = Find { archived_too: true, ..Find::default() };
            let domain = json!([["id", "in", chunk]]);
            let seen = client.search("sale.order", domain, &find, context.clone()).await?;
            let there = named(client, chunk, &context).await?;
            back.extend(chunk.iter().filter(|id| seen.contains(id) || !there.contains_key(id)));
        }
        if back.is_empty() {
            return Ok(());
        }
        let now = self.delivery.clock.now();
        let count = self
            .shelf
            .run(move |store, account| {
                let mut count = 0_u64;
                for id in back {
                    let key = id.to_string();
                    let which = Waiting::For(account, HoldCode::Invisible, Some(&key));
                    count = count.saturating_add(store.release(which, now)?);
                }
                Ok(count)
            })
            .await?;
        outcomes::released(&self.account, HoldCode::Invisible.name(), count);
        Ok(())
    }
}

fn orders_gone() -> Stop {
    Stop::Pause {
        code: "odoo-orders-gone",
        next_step: "most of the orders that were looked at are gone from Odoo: if that is right, \
                    `odoo-spoold resume --accept-deleted`; if not, restore the database and \
                    `odoo-spoold reconcile`"
            .into(),
        by_order: false,
    }
}
