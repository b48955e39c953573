//! What people decide about single orders: who is right in a conflict, and giving up what is dead.

use jiff::Timestamp;

use super::Store;
use super::error::StoreError;
use super::holds::{Buried, Told, Waiting};
use crate::model::{Accept, HoldCode, JobState, Outcome, Ruling};

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
            entry.wake(now_ms);
            entry.hurry();
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
}
