//! Manners between those who share the store: a large file gives way to whoever is at work on little.
//!
//! Writers take turns at one lock and share their barriers, so a file of 100,000 rows would delay every
//! small file and every delivery beside it. It pauses between its short transactions while any of those
//! is under way, but never for long: it gets on however busy the others are.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::store::Store;

/// The longest pause between two transactions: 25 orders each, so about 500 a second at the least.
const PATIENCE: Duration = Duration::from_millis(40);
/// How often is looked whether the others are done.
const LOOK: Duration = Duration::from_millis(1);

/// Who is at work, over all accounts.
#[derive(Debug, Default)]
pub(crate) struct Courtesy {
    short: AtomicUsize,
}

/// A small file is being taken in as long as this lives.
#[derive(Debug)]
pub(crate) struct Short<'a>(&'a Courtesy);

impl Courtesy {
    /// A small file is taken in from here on.
    pub(crate) fn short(&self) -> Short<'_> {
        self.short.fetch_add(1, Ordering::SeqCst);
        Short(self)
    }

    /// Waits while a small file is being taken in or a delivery is under way; not for ever.
    pub(crate) fn give_way(&self, store: &Store) {
        let since = Instant::now();
        while self.is_asked(store) && since.elapsed() < PATIENCE {
            sleep(LOOK);
        }
    }

    fn is_asked(&self, store: &Store) -> bool {
        self.short.load(Ordering::SeqCst) > 0 || store.leased() > 0
    }
}

impl Drop for Short<'_> {
    fn drop(&mut self) {
        self.0.short.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountId, Fact, FactLine, Family, FileId, Head};
    use crate::store::{End, Secret, StoreKeys, StoreOptions};
    use jiff::Timestamp;

    #[test]
    fn small_files_and_deliveries_ask_for_the_way_while_they_last() {
        let dir = tempfile::tempdir().unwrap();
        let account: AccountId = "eu".parse().unwrap();
        let secret = |byte: u8| Secret::new(Box::new([byte; 32]));
        let keys =
            StoreKeys::new("m1", secret(1)).unwrap().with_account(account.clone(), secret(2));
        let store = Store::open(dir.path(), &keys, StoreOptions::default()).unwrap();
        let courtesy = Courtesy::default();
        assert!(!courtesy.is_asked(&store));
        let (one, other) = (courtesy.short(), courtesy.short());
        drop(one);
        assert!(courtesy.is_asked(&store));
        drop(other);
        assert!(!courtesy.is_asked(&store));

        let now: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        let fact = Fact {
            order_id: "303-1".parse().unwrap(),
            family: Family::OrderReport,
            version: None,
            head: Head::default(),
            lines: vec![FactLine::new(2, "SKU-1".parse().unwrap(), 1)],
            faults: Vec::new(),
            unknown_amounts: Vec::new(),
            unknown_words: Vec::new(),
        };
        store.take(&account, &FileId::from_bits(1), vec![(fact, None)], None, now).unwrap();
        // Due is not yet under way.
        assert!(!courtesy.is_asked(&store));
        let leased = store.lease(&account, now, 1).unwrap();
        assert!(courtesy.is_asked(&store));
        let end = End::Held(Vec::new());
        store.settle(vec![leased.jobs[0].settlement(None, end)], now).unwrap();
        assert!(!courtesy.is_asked(&store));
    }
}
