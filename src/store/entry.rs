//! What is stored under a record key: the job and the dossier of one order, in one value.
//!
//! One value, because nearly every change touches both, and because at a million orders a second
//! key, seal and copy of the order id would cost more than the job itself.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{AccountId, Attention, Dossier, Family, FileId, Job, JobState, OrderId, Stage};

use super::layout::DueLane;
use super::queue::Lease;

/// A job and its dossier. The state is never `Started`: leases are memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) state: JobState,
    /// In ms, as in the due key.
    pub(super) due_ms: i64,
    /// The lane in the due key.
    pub(super) lane: DueLane,
    pub(super) attempt: u32,
    pub(super) generation: u64,
    pub(super) since_ms: i64,
    pub(super) last_fault: Option<String>,
    /// The families that have a buyer value.
    pub(super) buyers: BTreeSet<Family>,
    /// The families whose buyer was lost to the end of its day, or with its day key, before the
    /// order was settled.
    pub(super) expired: BTreeSet<Family>,
    /// When a fact last became part of the dossier, in ms: the 18 months of the rest count from it.
    pub(super) heard_ms: i64,
    pub(super) dossier: Dossier,
}

/// What of an entry the indexes and counters hang on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) state: JobState,
    pub(super) due_ms: i64,
    pub(super) lane: DueLane,
    pub(super) attention: bool,
}

impl Entry {
    /// The entry of an order that was not known before; nothing is known of it yet.
    pub(super) fn new(order_id: OrderId, file: &FileId, now_ms: i64) -> Self {
        Self {
            state: JobState::Pending,
            due_ms: now_ms,
            lane: DueLane::New,
            attempt: 0,
            generation: 0,
            since_ms: now_ms,
            last_fault: None,
            buyers: BTreeSet::new(),
            expired: BTreeSet::new(),
            heard_ms: now_ms,
            dossier: Dossier {
                order_id,
                facts: std::collections::BTreeMap::new(),
                refused: std::collections::BTreeMap::new(),
                seen_unshipped: false,
                mapping: None,
                last_file: file.clone(),
                attention: Vec::new(),
                released: Vec::new(),
            },
        }
    }

    pub(super) fn mark(&self) -> Mark {
        let attention = Attention::any_open(&self.dossier.attention);
        Mark { state: self.state.clone(), due_ms: self.due_ms, lane: self.lane, attention }
    }

    /// Pending, due now; attempts start over.
    pub(super) fn arm(&mut self, now_ms: i64) {
        self.wake(now_ms);
        self.attempt = 0;
        self.last_fault = None;
    }

    /// A new fact came: like [`Entry::arm`], but a call that was to create the order and whose answer
    /// was lost is still waited for. It may be running in Odoo.
    pub(super) fn hear(&mut self, now_ms: i64) {
        let creating =
            self.dossier.mapping.as_ref().is_some_and(|mapping| {
                mapping.stage == Some(Stage::Creating) && mapping.odoo_id == 0
            });
        if self.state == JobState::Pending && creating && self.due_ms > now_ms {
            return;
        }
        self.arm(now_ms);
    }

    /// Pending, due now, with the attempts it had. What is known of in Odoo goes before what is new.
    pub(super) fn wake(&mut self, now_ms: i64) {
        self.put(JobState::Pending, now_ms);
        self.due_ms = now_ms;
        let known = self.dossier.mapping.is_some();
        self.lane = if known { DueLane::Change } else { DueLane::New };
    }

    /// A person decided about it: it goes before what is new.
    pub(super) fn hurry(&mut self) {
        self.lane = DueLane::Change;
    }

    /// In another state since now; in the same one, since when it was.
    pub(super) fn put(&mut self, state: JobState, now_ms: i64) {
        if self.state != state {
            self.state = state;
            self.since_ms = now_ms;
        }
    }

    pub(super) fn has_buyer(&self, family: Family) -> bool {
        self.buyers.contains(&family)
    }

    pub(super) fn set_buyer(&mut self, family: Family, there: bool) {
        if there {
            self.buyers.insert(family);
            self.expired.remove(&family);
        } else {
            self.buyers.remove(&family);
        }
    }

    /// The buyer of a family expired before the order was settled.
    pub(super) fn has_expired(&self, family: Family) -> bool {
        self.expired.contains(&family)
    }

    /// Its buyer is gone.
    pub(super) fn expire_buyer(&mut self, family: Family) {
        self.buyers.remove(&family);
        // Odoo has the buyer of a settled order, or never wanted it.
        if !matches!(self.state, JobState::Done(_)) {
            self.expired.insert(family);
        }
    }

    /// The job as people see it.
    pub(super) fn job(&self, account: &AccountId, lease: Option<&Lease>) -> Job {
        Job {
            account: account.clone(),
            order_id: self.dossier.order_id.clone(),
            state: if lease.is_some() { JobState::Started } else { self.state.clone() },
            due: instant(self.due_ms),
            attempt: self.attempt,
            generation: self.generation,
            fence: lease.map_or(0, |lease| lease.fence),
            since: instant(lease.map_or(self.since_ms, |lease| lease.since_ms)),
            last_fault: self.last_fault.clone(),
        }
    }
}

/// The instant of a stored number of ms.
pub(super) fn instant(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mapping, Origin};

    /// A set, not a mask: a family more has its place whatever its tag is.
    #[test]
    fn house_3_the_buyer_of_each_family_has_its_own_place() {
        let order: OrderId = "305-1234567-1234567".parse().unwrap();
        for family in Family::ALL {
            let mut entry = Entry::new(order.clone(), &FileId::from_bits(0), 0);
            entry.set_buyer(family, true);
            let there: Vec<_> =
                Family::ALL.into_iter().filter(|family| entry.has_buyer(*family)).collect();
            assert_eq!(there, [family]);
            entry.expire_buyer(family);
            assert!(!entry.has_buyer(family) && entry.has_expired(family));
            let stored = postcard::to_stdvec(&entry).unwrap();
            assert_eq!(postcard::from_bytes::<Entry>(&stored).unwrap(), entry);
        }
    }

    #[test]
    fn house_3_families_have_tags_of_their_own() {
        let tags: BTreeSet<u8> = Family::ALL.into_iter().map(Family::tag).collect();
        assert_eq!(tags.len(), Family::ALL.len());
    }

    #[test]
    fn audit_16_a_new_fact_does_not_jump_the_wait_after_an_unclear_create() {
        let order: OrderId = "205-1".parse().unwrap();
        let entry = |stage: Option<Stage>, odoo_id| {
            let mut entry = Entry::new(order.clone(), &FileId::from_bits(1), 0);
            entry.dossier.mapping = Some(Mapping { odoo_id, stage, ..Mapping::by(Origin::Ours) });
            (entry.due_ms, entry.attempt) = (120_000, 2);
            entry
        };
        let heard = |mut entry: Entry, now| {
            entry.hear(now);
            (entry.due_ms, entry.attempt)
        };
        assert_eq!(heard(entry(Some(Stage::Creating), 0), 5_000), (120_000, 2));
        assert_eq!(heard(entry(Some(Stage::Creating), 0), 130_000), (130_000, 0));
        assert_eq!(heard(entry(Some(Stage::Creating), 7), 5_000), (5_000, 0));
        assert_eq!(heard(entry(None, 7), 5_000), (5_000, 0));
    }
}
