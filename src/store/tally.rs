//! Counters of one account's jobs: kept beside the jobs in the same transaction, so that counting
//! a million of them is reading one value.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{HoldCode, JobState};

/// How many jobs of an account stand where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Waiting for their due time.
    pub pending: u64,
    /// Leased by a worker; zero on disk, where they are pending.
    pub started: u64,
    /// Held.
    pub held: u64,
    /// Dead.
    pub dead: u64,
    /// Done.
    pub done: u64,
    /// Held jobs by what they wait for; one that waits for two things counts under both.
    pub holds: BTreeMap<HoldCode, u64>,
    /// Orders with an open attention entry, in any state.
    pub attention: u64,
    /// Files with an open attention entry.
    pub attention_files: u64,
    /// 1 if the account itself has an open attention entry.
    pub attention_account: u64,
    /// Files with notices, dismissed or not, of those that are remembered.
    pub noticed_files: u64,
}

/// What is counted beside jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counter {
    AttentionFiles,
    AttentionAccount,
    NoticedFiles,
}

impl Tally {
    /// All jobs.
    pub fn total(&self) -> u64 {
        [self.pending, self.started, self.held, self.dead, self.done].into_iter().sum()
    }

    pub(super) fn add(&mut self, state: &JobState) {
        let count = self.slot(state);
        *count = count.saturating_add(1);
        for code in codes(state) {
            let count = self.holds.entry(code).or_default();
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn remove(&mut self, state: &JobState) {
        let count = self.slot(state);
        *count = count.saturating_sub(1);
        for code in codes(state) {
            if let Some(count) = self.holds.get_mut(&code) {
                *count = count.saturating_sub(1);
            }
        }
        self.holds.retain(|_, count| *count > 0);
    }

    pub(super) fn notice(&mut self, attention: bool) {
        self.attention = self.attention.saturating_add(u64::from(attention));
    }

    pub(super) fn unnotice(&mut self, attention: bool) {
        self.attention = self.attention.saturating_sub(u64::from(attention));
    }

    /// Counts one that was not, or is not any more.
    pub(super) fn count(&mut self, counter: Counter, before: bool, after: bool) {
        let count = match counter {
            Counter::AttentionFiles => &mut self.attention_files,
            Counter::AttentionAccount => &mut self.attention_account,
            Counter::NoticedFiles => &mut self.noticed_files,
        };
        *count = count.saturating_sub(u64::from(before)).saturating_add(u64::from(after));
    }

    fn slot(&mut self, state: &JobState) -> &mut u64 {
        match state {
            JobState::Pending | JobState::Started => &mut self.pending,
            JobState::Held(_) => &mut self.held,
            JobState::Dead(_) => &mut self.dead,
            JobState::Done(_) => &mut self.done,
        }
    }
}

fn codes(state: &JobState) -> BTreeSet<HoldCode> {
    match state {
        JobState::Held(holds) => holds.iter().map(|hold| hold.code).collect(),
        _ => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Hold;

    #[test]
    fn what_is_added_can_be_removed() {
        let held = JobState::Held(vec![
            Hold::new(HoldCode::Sku, "a", ""),
            Hold::new(HoldCode::Sku, "b", ""),
            Hold::new(HoldCode::Tax, "", ""),
        ]);
        let mut tally = Tally::default();
        tally.add(&held);
        tally.add(&JobState::Pending);
        assert_eq!((tally.held, tally.pending, tally.total()), (1, 1, 2));
        assert_eq!(tally.holds, BTreeMap::from([(HoldCode::Sku, 1), (HoldCode::Tax, 1)]));
        tally.remove(&held);
        tally.remove(&JobState::Pending);
        assert_eq!(tally, Tally::default());
    }
}
