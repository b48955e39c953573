//! Jobs that do not open, among others that do.

use std::path::Path;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::*;
use crate::store::keys::Secret;
use crate::store::tests::fact;
use crate::store::vault::{Changes, encode, put};
use crate::store::{End, StoreKeys, StoreOptions};

fn account() -> AccountId {
    "eu".parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_763_683_200 + second).unwrap()
}

fn open(dir: &Path) -> Store {
    let keys = StoreKeys::new("m1", Secret::new(Box::new([1; 32]))).unwrap();
    let keys = keys.with_account(account(), Secret::new(Box::new([2; 32])));
    let options = StoreOptions { cache_bytes: 8 << 20, ..StoreOptions::default() };
    Store::open(dir, &keys, options).unwrap()
}

/// So many orders, held for a thing each, or all for one.
fn held(store: &Store, orders: u64, thing: impl Fn(usize) -> String) {
    let facts = (0..orders).map(|number| (fact(&format!("205-{number}"), 1, 1), None)).collect();
    let file = crate::model::FileId::from_bits(1);
    store.take(&account(), &file, facts, None, at(0)).unwrap();
    let leased = store.lease(&account(), at(1), 10_000).unwrap().jobs;
    let settle = leased.iter().enumerate().map(|(number, leased)| {
        let hold = Hold::new(HoldCode::Row, thing(number), "a bad row");
        leased.settlement(None, End::Held(vec![hold]))
    });
    assert!(store.settle(settle.collect(), at(1)).unwrap().is_empty());
}

/// Seals one order's record under a key that nobody has any more.
fn lock_away(store: &Store, order: &str) {
    let key = store.key(&account(), &order.parse().unwrap()).unwrap();
    let (entry, cells): (Entry, u16) =
        store.vault.read(&Changes::default(), Tree::Record, key.as_bytes()).unwrap().unwrap();
    let plain = encode(Tree::Record, &entry).unwrap();
    let cipher = store.vault.cipher("m1", Tree::Record).unwrap();
    let mut changes = Changes::default();
    put(&mut changes, Tree::Record, key.as_bytes(), &cipher, "gone", &plain, cells).unwrap();
    store.vault.apply(&changes).unwrap();
}

#[test]
fn audit_31_a_list_opens_what_it_shows() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    held(&store, 300, |number| format!("line {number}"));
    let before = store.vault.opened.load(Ordering::Relaxed);
    let (keys, more) = store.held_keys(&account(), HoldCode::Row, 100).unwrap();
    assert_eq!((keys.len(), more), (100, true));
    assert_eq!(store.vault.opened.load(Ordering::Relaxed) - before, 100);
    let (keys, more) = store.held_keys(&account(), HoldCode::Row, 300).unwrap();
    assert_eq!((keys.len(), more), (300, false));
}

#[test]
fn audit_31_one_job_that_does_not_open_ends_nothing_for_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    held(&store, 5, |_| "one thing".to_owned());
    lock_away(&store, "205-2");
    lock_away(&store, "205-4");
    let (keys, more) = store.held_keys(&account(), HoldCode::Row, 10).unwrap();
    assert_eq!((keys, more), (vec!["one thing".to_owned()], false));
    let all = Waiting::For(&account(), HoldCode::Row, None);
    assert_eq!(store.release(all, at(2)).unwrap(), 3);
    // Whoever asks for exactly that one is told.
    let key = store.key(&account(), &"205-2".parse().unwrap()).unwrap();
    let told = store.release(Waiting::Record(key), at(2));
    assert!(matches!(told, Err(StoreError::UnknownKey { .. })), "{told:?}");
}

/// Also where nothing but such jobs is left of a batch.
#[test]
fn audit_31_the_last_one_of_a_thing_may_not_open_either() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    held(&store, 1, |_| "one thing".to_owned());
    lock_away(&store, "205-0");
    assert_eq!(store.held_keys(&account(), HoldCode::Row, 10).unwrap(), (Vec::new(), false));
    let all = Waiting::For(&account(), HoldCode::Row, None);
    assert_eq!(store.release(all, at(2)).unwrap(), 0);
}
