//! Orders that a search does not show: deleted by a person, or hidden from our user.
//!
//! A record rule, a company that was taken away or a sales team hides an order; it exists all the
//! same, and so does its external id. `get_external_id` answers for records that our user may not
//! read (it looks into `ir.model.data` as superuser, on Odoo 14 as on 19: `real_absent.rs`), and
//! deleting a record deletes its external ids. So *gone* is what has no external id any more. What is
//! hidden is held `invisible`, nothing is written to it, and it goes on once it is seen again.
//!
//! Many orders gone within a while are doubted: the account pauses until a person believes it
//! (`odoo-spoold resume --account A --accept-deleted`). Batches are small, so the looks of an hour
//! count together; orders that were created in the same look do not: they say nothing of those that
//! stood there before. A person's word covers the orders that were last written before it, for a
//! day; what is gone later is asked about again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::batch::{Batch, READ_CHUNK, Work};
use super::lane::Lane;
use super::send::Stop;
use crate::model::{AccountId, Hold, HoldCode, OdooId};
use crate::odoo::{Client, Context, Fault, Find};
use crate::plan::Current;
use crate::store::Waiting;
use crate::telemetry::outcomes;

/// So many orders of the last looks must be gone, and more than half of them, before it is doubted.
const DOUBTED_FROM: usize = 10;
/// The looks of so long a time count together.
const LOOKS: SignedDuration = SignedDuration::from_hours(1);
/// So long a person's word is believed.
const BELIEVED: SignedDuration = SignedDuration::from_hours(24);

/// What the last looks found of orders that stood in Odoo before.
#[derive(Debug, Default)]
pub(super) struct Absent(Mutex<Looks>);

#[derive(Debug, Default)]
struct Looks {
    /// When each order was last looked at, and whether it was gone.
    seen: BTreeMap<OdooId, (Timestamp, bool)>,
    /// Orders that are gone and doubted: when that was seen, and which.
    doubted: Option<(Timestamp, Vec<OdooId>)>,
}

impl Absent {
    fn looks(&self) -> MutexGuard<'_, Looks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Looks {
    /// Another look found these orders there or gone. True if so many of those of the last looks,
    /// however many looks back, are gone that it is to be doubted.
    fn add(&mut self, look: impl IntoIterator<Item = (OdooId, bool)>, now: Timestamp) -> bool {
        self.seen.retain(|_, (at, _)| now.duration_since(*at) < LOOKS);
        self.seen.extend(look.into_iter().map(|(id, gone)| (id, (now, gone))));
        let gone: Vec<OdooId> =
            self.seen.iter().filter(|(_, (_, gone))| *gone).map(|(id, _)| *id).collect();
        let doubtful = gone.len() >= DOUBTED_FROM && self.are_most_gone();
        if doubtful {
            self.doubted = Some((now, gone));
        }
        doubtful
    }

    /// Whether many, and most, of the orders are gone that were seen since some look.
    fn are_most_gone(&self) -> bool {
        let mut looks: BTreeMap<Timestamp, (usize, usize)> = BTreeMap::new();
        for (at, is_gone) in self.seen.values() {
            let (seen, gone) = looks.entry(*at).or_default();
            *seen = seen.saturating_add(1);
            *gone = gone.saturating_add(usize::from(*is_gone));
        }
        let (mut all, mut all_gone) = (0_usize, 0_usize);
        looks.values().rev().any(|(seen, gone)| {
            all = all.saturating_add(*seen);
            all_gone = all_gone.saturating_add(*gone);
            all_gone >= DOUBTED_FROM && all_gone.saturating_mul(2) > all
        })
    }

    /// Nothing is doubted any more, and the count begins again.
    fn believe(&mut self) {
        *self = Self::default();
    }
}

/// A person's word is stored to the millisecond.
fn is_before(word: Timestamp, at: Timestamp) -> bool {
    word.as_millisecond() < at.as_millisecond()
}

/// The time up to which a person's word covers what is gone, if it still counts.
fn still_believed(word: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    word.filter(|word| now.duration_since(*word) < BELIEVED)
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
    /// the last looks for that to be believed, the batch stops.
    pub(super) async fn hidden_among(
        &self,
        works: &[Work],
        missing: &[OdooId],
        found: &BTreeMap<OdooId, Current>,
    ) -> Result<BTreeSet<OdooId>, Stop> {
        let mut hidden = BTreeSet::new();
        let mut believed = None;
        let now = self.sender.writing.hands.clock.now();
        if !missing.is_empty() {
            let named = named(self.sender.client, missing, &self.sender.context).await?;
            hidden.extend(named.into_keys());
            let word = self.shelf.run(crate::store::Store::accepted_deleted).await?;
            believed = still_believed(word, now);
        }
        let mut look = Vec::new();
        for work in works.iter().filter(|work| work.is_open()) {
            let (Some(id), Some(mapping)) = (work.odoo_id(), &work.dossier.mapping) else {
                continue;
            };
            let before = work.leased.dossier.mapping.as_ref().map(|mapping| mapping.odoo_id);
            if before.is_none_or(|id| id == 0) {
                continue;
            }
            let gone = !found.contains_key(&id) && !hidden.contains(&id);
            // Deleted as of then, by a person's word.
            let written = mapping.written.max(mapping.created);
            let doubtful =
                believed.is_none_or(|word| written.is_some_and(|since| is_before(word, since)));
            if !gone || doubtful {
                look.push((id, gone));
            }
        }
        if self.absent.looks().add(look, now) {
            return Err(orders_gone(self.sender.account));
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
        let Some((at, ids)) = self.absent.looks().doubted.clone() else { return Ok(()) };
        let word = self.shelf.run(crate::store::Store::accepted_deleted).await?;
        let word = still_believed(word, self.delivery.clock.now());
        if word.is_none_or(|word| is_before(word, at)) {
            let back = named(client, &ids, &Context::new(&[company])).await?.len();
            // A restore brings them back one after the other.
            if back.saturating_mul(2) <= ids.len() {
                return Err(orders_gone(&self.account));
            }
        }
        self.absent.looks().believe();
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

fn orders_gone(account: &AccountId) -> Stop {
    Stop::pause(
        "odoo-orders-gone",
        format!(
            "most of the orders that were looked at are gone from Odoo: if that is right, \
             `odoo-spoold resume --account {account} --accept-deleted`; if not, restore the \
             database and `odoo-spoold reconcile`"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn gone(ids: std::ops::Range<i64>) -> impl Iterator<Item = (OdooId, bool)> {
        ids.map(|id| (id, true))
    }

    #[test]
    fn small_looks_count_together_for_an_hour() {
        let mut looks = Looks::default();
        for look in 0..9 {
            assert!(!looks.add(gone(look..look + 1), at(look)));
        }
        assert!(looks.add(gone(9..10), at(9)));
        assert_eq!(looks.doubted.as_ref().map(|(_, ids)| ids.len()), Some(10));
        looks.believe();
        assert!(!looks.add(gone(0..9), at(10)));
        assert!(!looks.add(gone(9..10), at(71)), "too long ago");
    }

    #[test]
    fn one_order_looked_at_ten_times_is_one_and_half_of_them_are_no_majority() {
        let mut looks = Looks::default();
        for minute in 0..20 {
            assert!(!looks.add(gone(0..1), at(minute)));
        }
        assert!(!looks.add((1..20).map(|id| (id, id < 10)), at(20)));
        // Those that are back are gone no longer.
        assert!(!looks.add((1..20).map(|id| (id, false)), at(21)));
        assert!(looks.add(gone(0..20), at(22)));
    }

    #[test]
    fn many_orders_that_were_there_before_hide_no_deletion() {
        let mut looks = Looks::default();
        assert!(!looks.add((100..5000).map(|id| (id, false)), at(0)));
        assert!(!looks.add(gone(0..6), at(1)));
        assert!(looks.add(gone(6..12), at(2)));
    }

    #[test]
    fn a_persons_word_is_believed_for_a_day() {
        let word = Some(at(0));
        assert_eq!(still_believed(word, at(23 * 60)), word);
        assert_eq!(still_believed(word, at(24 * 60)), None);
    }
}
