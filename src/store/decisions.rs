//! What people decide about single orders: who is right in a conflict, giving up what is dead, and
//! the attention list.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Store;
use super::entry::Entry;
use super::error::StoreError;
use super::holds::{Buried, Told, Waiting};
use super::layout::{ATTENTION, RecordKey, Tree, after_head, index_head, record_of};
use crate::model::{
    Accept, AccountId, Attention, AttentionCode, HoldCode, JobState, OrderId, Outcome, Ruling,
};

/// The open entries of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noticed {
    /// The account.
    pub account: AccountId,
    /// The order.
    pub order_id: OrderId,
    /// What is not dismissed.
    pub entries: Vec<Attention>,
}

impl Store {
    /// Decides the conflicts of held orders, and makes them due now. Orders that do not stand in
    /// Odoo, or wait for other things only, are left. Returns how many.
    pub fn decide(
        &self,
        which: Waiting<'_>,
        accept: Accept,
        by: Option<u32>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let now_ms = now.as_millisecond();
        self.move_waiting(which, Told::Ruled(now), |entry| {
            let JobState::Held(holds) = &entry.state else { return false };
            let about: Vec<_> =
                holds.iter().filter(|hold| hold.code == HoldCode::Conflict).cloned().collect();
            let Some(mapping) = entry.dossier.mapping.as_mut().filter(|_| !about.is_empty()) else {
                return false;
            };
            mapping.ruling = Some(Ruling { accept, by, at: now, about });
            entry.put(JobState::Pending, now_ms);
            entry.due_ms = now_ms;
            true
        })
    }

    /// Gives dead orders up: kept, done, and woken by nothing but [`Store::requeue`]. Their buyers
    /// are forgotten. Returns how many.
    pub fn drop_dead(&self, which: Buried<'_>, now: Timestamp) -> Result<u64, StoreError> {
        let now_ms = now.as_millisecond();
        self.move_buried(which, Told::Dropped(now), |entry| {
            let dead = matches!(entry.state, JobState::Dead(_));
            if dead {
                entry.put(JobState::Done(Outcome::Dropped), now_ms);
                entry.attempt = 0;
            }
            dead
        })
    }

    /// Orders with something to look at, up to `limit`; true if there are more.
    pub fn attention(
        &self,
        account: Option<&AccountId>,
        limit: usize,
    ) -> Result<(Vec<Noticed>, bool), StoreError> {
        let mut found = Vec::new();
        for known in self.accounts.all() {
            if account.is_some_and(|wanted| *wanted != known.id) {
                continue;
            }
            let head = index_head(ATTENTION, known.tag);
            let end = after_head(&head);
            for cell in self.vault.range(Tree::Index, &head, end.as_deref()) {
                let (place, _) = cell?;
                let Some(key) = record_of(&place) else { continue };
                let entry = match self.entry(&key) {
                    Ok(Some(entry)) => entry,
                    Ok(None) | Err(StoreError::Damaged { .. } | StoreError::UnknownKey { .. }) => {
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                if found.len() >= limit {
                    return Ok((found, true));
                }
                let open = entry.dossier.attention.into_iter();
                found.push(Noticed {
                    account: known.id.clone(),
                    order_id: entry.dossier.order_id,
                    entries: open.filter(|entry| entry.dismissed.is_none()).collect(),
                });
            }
        }
        Ok((found, false))
    }

    /// Dismisses the entries of an order, or those of one code. Returns how many.
    pub fn dismiss(
        &self,
        key: RecordKey,
        code: Option<AttentionCode>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let dismissed = std::cell::Cell::new(0_u64);
        self.move_waiting(Waiting::Record(key), Told::Nothing, |entry: &mut Entry| {
            for entry in &mut entry.dossier.attention {
                if entry.dismissed.is_none() && code.is_none_or(|code| code == entry.code) {
                    entry.dismissed = Some(now);
                    dismissed.set(dismissed.get().saturating_add(1));
                }
            }
            dismissed.get() > 0
        })?;
        Ok(dismissed.get())
    }
}

/// The worker's list, with what was dismissed while it worked.
pub(super) fn merged(stored: &[Attention], worker: &[Attention]) -> Vec<Attention> {
    let dismissed: BTreeMap<_, _> =
        stored.iter().map(|entry| ((entry.code, &entry.key), entry.dismissed)).collect();
    let keep = |entry: &Attention| Attention {
        dismissed: entry
            .dismissed
            .or_else(|| dismissed.get(&(entry.code, &entry.key)).copied().flatten()),
        ..entry.clone()
    };
    worker.iter().map(keep).collect()
}
