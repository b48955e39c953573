//! What lies on disk: nothing readable, nothing swappable, nothing of another version.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::path::Path;

use odoo_spoold::model::{Family, Hold, HoldCode, Outcome};
use odoo_spoold::store::{BuyerState, End, JobFilter, Store, StoreError, StoreKeys, StoreOptions};

use crate::store_support::*;

fn refused(dir: &Path, keys: &StoreKeys) -> StoreError {
    Store::open(dir, keys, StoreOptions::default()).expect_err("must be refused")
}

fn take(store: &Store, number: u64, name: &str) {
    let facts = vec![(fact(&order(number), Family::Unshipped, Some(1), 1), Some(buyer(name)))];
    store.take(&account(), &file(1), facts, None, at(0)).unwrap();
}

/// The database with our lock and keys out of the way.
fn raw(dir: &Path) -> sled::Db {
    // A handle that was just dropped may still hold sled's lock.
    for _ in 0..2000 {
        match sled::Config::new().path(dir.join("store")).open() {
            Ok(db) => return db,
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(5)),
        }
    }
    panic!("the database stays locked");
}

#[test]
fn a_second_opener_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let error = refused(dir.path(), &keys());
    assert!(error.to_string().contains("another odoo-spoold has this state directory open"));
    store.close().unwrap();
    open(dir.path());
}

/// A command that reads the state has it for a moment; a daemon that starts just then waits.
#[test]
fn audit_49_a_short_reader_does_not_keep_the_daemon_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    let reader = open(dir.path());
    let patience = std::time::Duration::from_mins(1);
    let options = StoreOptions { patience, ..StoreOptions::default() };
    let (path, (told, waiting)) = (dir.path().to_owned(), std::sync::mpsc::channel());
    let daemon = std::thread::spawn(move || {
        told.send(()).unwrap();
        Store::open(&path, &keys(), options)
    });
    waiting.recv().unwrap();
    // Long enough that the other thread has asked, or this proves less and fails nothing.
    std::thread::sleep(std::time::Duration::from_millis(200));
    reader.close().unwrap();
    daemon.join().unwrap().unwrap().close().unwrap();
}

#[test]
fn a_newer_schema_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).close().unwrap();
    let schema = dir.path().join("SCHEMA");
    assert_eq!(std::fs::read_to_string(&schema).unwrap(), "2\n");
    std::fs::write(&schema, "3\n").unwrap();
    let listing = || {
        let mut files: Vec<_> = std::fs::read_dir(dir.path().join("store"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_file())
            .map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = listing();
    assert!(matches!(
        refused(dir.path(), &keys()),
        StoreError::NewerSchema { found: 3, known: 2, .. }
    ));
    assert!(before == listing(), "the store was touched");
}

#[test]
fn wrong_keys_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).close().unwrap();
    let with = |id: &str, master, id_key| {
        StoreKeys::new(id, secret(master)).unwrap().with_account(account(), secret(id_key))
    };
    assert!(matches!(refused(dir.path(), &with("m1", 9, 2)), StoreError::WrongKey { .. }));
    assert!(
        matches!(refused(dir.path(), &with("m2", 9, 2)), StoreError::UnknownKey { key_id } if key_id == "m1")
    );
    assert!(matches!(refused(dir.path(), &with("m1", 1, 3)), StoreError::IdKeyChanged { .. }));
    open(dir.path());
}

#[test]
fn a_rotated_master_opens_what_the_older_one_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    take(&store, 1, "Erika");
    store.close().unwrap();
    let rotated = StoreKeys::new("m2", secret(7))
        .unwrap()
        .with_older("m1", secret(1))
        .unwrap()
        .with_account(account(), secret(2));
    let store = Store::open(dir.path(), &rotated, StoreOptions::default()).unwrap();
    let leased = store.lease(&account(), at(0), 1).unwrap().jobs.remove(0);
    assert_eq!(leased.buyers[&Family::Unshipped], BuyerState::Known(buyer("Erika").into()));
    let done = leased.settlement(None, End::Done(Outcome::Delivered));
    assert!(store.settle(vec![done], at(0)).unwrap().is_empty());
    store.close().unwrap();
    // What nobody rewrote still needs the older key, and says so.
    let new_only = StoreKeys::new("m2", secret(7)).unwrap().with_account(account(), secret(2));
    assert!(
        matches!(refused(dir.path(), &new_only), StoreError::UnknownKey { key_id } if key_id == "m1")
    );
}

#[test]
fn an_account_that_is_no_longer_configured_can_be_listed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    take(&store, 1, "Erika");
    store.close().unwrap();
    let others =
        StoreKeys::new("m1", secret(1)).unwrap().with_account("na_1".parse().unwrap(), secret(5));
    let store = Store::open(dir.path(), &others, StoreOptions::default()).unwrap();
    assert_eq!(store.jobs(&JobFilter::default(), 9, None).unwrap().jobs.len(), 1);
    assert_eq!(store.counts()[&account()].pending, 1);
    let asked = store.job(&account(), &order(1).parse().unwrap());
    assert!(matches!(asked, Err(StoreError::UnknownAccount { .. })));
}

#[test]
fn swapped_and_altered_values_do_not_open_and_stop_no_other_job() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for number in 1..=4 {
        take(&store, number, "Erika");
    }
    let key = |number| store.key(&account(), &order(number).parse().unwrap()).unwrap().to_string();
    let names: Vec<Vec<u8>> = (1..=3)
        .map(|number| {
            let hex = key(number);
            (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                .collect()
        })
        .collect();
    store.close().unwrap();
    let db = raw(dir.path());
    let tree = db.open_tree("record").unwrap();
    let (one, two) = (tree.get(&names[0]).unwrap().unwrap(), tree.get(&names[1]).unwrap().unwrap());
    tree.insert(&names[0], two).unwrap();
    tree.insert(&names[1], one).unwrap();
    let mut altered = tree.get(&names[2]).unwrap().unwrap().to_vec();
    *altered.last_mut().unwrap() ^= 1;
    tree.insert(&names[2], altered).unwrap();
    drop((tree, db));

    let store = open(dir.path());
    for number in 1..=3 {
        let asked = store.job(&account(), &order(number).parse().unwrap());
        assert!(matches!(asked, Err(StoreError::Damaged { tree: "record", .. })));
    }
    let leases = store.lease(&account(), at(0), 9).unwrap();
    assert_eq!((leases.jobs.len(), leases.unreadable.len()), (1, 3));
    assert_eq!(leases.jobs[0].job.order_id.as_str(), order(4));
    assert_eq!(store.lease(&account(), at(0), 9).unwrap().unreadable.len(), 0);
    assert_eq!(store.jobs(&JobFilter::default(), 9, None).unwrap().unreadable.len(), 3);
    assert!(!store.verify().unwrap().is_empty());
}

#[test]
fn big_values_are_split_and_blobs_stay_empty() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let long = |letter: char, bytes| {
        let mut buyer = buyer("Erika");
        buyer.notes = vec![letter.to_string().repeat(bytes)];
        buyer
    };
    let take = |version, buyer: &odoo_spoold::model::BuyerFact| {
        let facts = (0..3)
            .map(|n| (fact(&order(n), Family::Unshipped, Some(version), 1), Some(buyer.clone())));
        store.take(&account(), &file(1), facts.collect(), None, at(0)).unwrap();
    };
    let leased = || {
        let leased = store.lease(&account(), at(0), 9).unwrap().jobs;
        let known: Vec<_> =
            leased.iter().map(|leased| leased.buyers[&Family::Unshipped].clone()).collect();
        store.give_back(&leased);
        known
    };
    for (version, bytes) in [(1, 1_000_000), (2, 4_000), (3, 9_000), (4, 4_096)] {
        let buyer = long('x', bytes);
        take(version, &buyer);
        assert_eq!(leased(), vec![BuyerState::Known(buyer.into()); 3]);
    }
    let db_path = dir.path().join("store/blobs");
    assert_eq!(std::fs::read_dir(db_path).unwrap().count(), 0);
    assert_eq!(store.verify().unwrap(), [""; 0]);
    store.close().unwrap();
    let db = raw(dir.path());
    let cells = db.open_tree("buyer").unwrap();
    assert_eq!(cells.len(), 3 * 2, "cells of the longer values stayed behind");
    assert!(db.tree_names().iter().all(|name| {
        db.open_tree(name).unwrap().iter().all(|cell| cell.unwrap().1.len() <= 4096)
    }));
}

#[test]
fn a_blob_or_an_interrupted_snapshot_is_seen_at_opening() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).close().unwrap();
    let snapshot = dir.path().join("store/snap.00000000000000AB.generating");
    std::fs::write(&snapshot, "").unwrap();
    open(dir.path()).close().unwrap();
    assert!(!snapshot.exists());
    std::fs::write(dir.path().join("store/blobs/1"), "").unwrap();
    assert!(open(dir.path()).moved_aside().is_some(), "blobs are never synced");
}

#[test]
fn no_natural_id_and_no_buyer_stands_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for number in 0..50 {
        take(&store, number, "Canary Buyer");
    }
    store.put_partners(&account(), [("canary_external", 7)]).unwrap();
    let leased = store.lease(&account(), at(0), 20).unwrap().jobs;
    let ends = leased.iter().enumerate().map(|(n, leased)| {
        let held = Hold::new(HoldCode::Sku, "CANARY-HOLD", "no product CANARY-HOLD");
        leased.settlement(
            None,
            if n % 2 == 0 { End::Held(vec![held]) } else { End::Done(Outcome::Delivered) },
        )
    });
    assert!(store.settle(ends.collect(), at(0)).unwrap().is_empty());
    store.close().unwrap();
    let mut seen = 0;
    let mut folders = vec![dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap().to_ascii_lowercase();
            seen += bytes.len();
            for word in ["canary", "205-0000000", "eu_1", "erika", "marketplace.example"] {
                let hit = bytes.windows(word.len()).any(|window| window == word.as_bytes());
                assert!(!hit, "{word} stands in {}", path.display());
            }
        }
    }
    assert!(seen > 50 * 300, "looked at too little");
}
