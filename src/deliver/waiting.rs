//! Orders whose buyer cannot be opened just now: they wait, and use up no attempt.
//!
//! Their buyer's day is locked by a clock that nobody vouches for, or its key is missing and the
//! sealed file is being read again. What the housekeeper decides makes them due at once.

use std::time::Duration;

use super::Lane;
use crate::store::{BuyerState, End, Leased};

/// How long such an order waits at most before it is looked at again, in seconds.
const SHUT_SECS: u64 = 600;

impl Lane {
    /// The jobs that can be worked on; the others are put off.
    pub(super) async fn without_shut_buyers(&self, group: Vec<Leased>) -> Vec<Leased> {
        let (shut, open): (Vec<_>, Vec<_>) =
            group.into_iter().partition(|leased| why_shut(leased).is_some());
        if shut.is_empty() {
            return open;
        }
        let now = self.delivery.clock.now();
        let due = now.saturating_add(Duration::from_secs(SHUT_SECS)).unwrap_or(now);
        let settlements = shut
            .iter()
            .map(|leased| {
                let fault = why_shut(leased).unwrap_or_default().to_owned();
                let attempt = leased.job.attempt;
                leased.settlement(None, End::Retry { due, attempt, fault })
            })
            .collect();
        if let Err(stop) = self.store_settlements(settlements, now).await {
            self.delivery.store.give_back(&shut);
            self.trouble(&stop);
        }
        open
    }
}

/// The code of what keeps an order's buyer shut; none if nothing does.
fn why_shut(leased: &Leased) -> Option<&'static str> {
    leased.buyers.values().find_map(|state| match state {
        BuyerState::Locked => Some("buyer-locked"),
        BuyerState::KeyMissing { .. } => Some("buyer-key-missing"),
        BuyerState::Known(_) | BuyerState::Dropped | BuyerState::Expired => None,
    })
}
