//! A rotation of the master key, stopped after every step.

use std::path::Path;

use super::*;
use crate::model::{AccountId, FileId};
use crate::store::daykeys::KeyState;
use crate::store::keys::{Secret, StoreKeys};
use crate::store::layout::DAYKEY_DIR;
use crate::store::open::StoreOptions;
use crate::store::tests::fact;

fn keys(masters: &[(&str, u8)]) -> StoreKeys {
    let secret = |byte: u8| Secret::new(Box::new([byte; 32]));
    let mut keys = StoreKeys::new(masters[0].0, secret(masters[0].1)).unwrap();
    for (id, byte) in &masters[1..] {
        keys = keys.with_older(*id, secret(*byte)).unwrap();
    }
    keys.with_account(account(), secret(77))
}

fn account() -> AccountId {
    "eu".parse().unwrap()
}

fn open(dir: &Path, masters: &[(&str, u8)]) -> Result<Store, StoreError> {
    let options = StoreOptions { cache_bytes: 8 << 20, ..StoreOptions::default() };
    Store::open(dir, &keys(masters), options)
}

/// Orders, one of them larger than a cell, and a day key.
fn filled(dir: &Path) -> usize {
    let store = open(dir, &[("m1", 1)]).unwrap();
    let day: jiff::civil::Date = "2026-11-21".parse().unwrap();
    store.days.for_sealing(day).unwrap();
    for number in 0..40 {
        let mut changes = Changes::default();
        let bytes: Vec<u8> = vec![number; 100 + usize::from(number % 4) * 4000];
        let key = [b"v/", &[number][..]].concat();
        store.vault.write(&mut changes, Tree::Meta, &key, &bytes, 0).unwrap();
        store.vault.apply(&changes).unwrap();
    }
    store.barrier().unwrap();
    40
}

fn all_there(store: &Store, count: usize) {
    let none = Changes::default();
    for number in 0..u8::try_from(count).unwrap() {
        let key = [b"v/", &[number][..]].concat();
        let (bytes, _): (Vec<u8>, u16) =
            store.vault.read(&none, Tree::Meta, &key).unwrap().expect("it is there");
        assert_eq!(bytes, vec![number; 100 + usize::from(number % 4) * 4000]);
    }
    let day: jiff::civil::Date = "2026-11-21".parse().unwrap();
    assert!(matches!(store.days.for_opening(day).unwrap(), KeyState::Open(_)));
}

#[test]
fn stopped_after_any_step_everything_opens_and_it_goes_on() {
    for stop_after in 0..14 {
        let dir = tempfile::tempdir().unwrap();
        let count = filled(dir.path());
        let both = [("m2", 2), ("m1", 1)];
        let store = open(dir.path(), &both).unwrap();
        assert!(store.under_older().unwrap()["m1"] > 40, "there is something to do");
        let mut progress = Reseal::default();
        for _ in 0..stop_after {
            if !progress.done {
                store.reseal(&mut progress, 9).unwrap();
            }
        }
        // As after kill -9: what was applied is there, the progress is not.
        drop(store);
        let store = open(dir.path(), &both).unwrap();
        all_there(&store, count);
        let mut progress = Reseal::default();
        while !progress.done {
            store.reseal(&mut progress, 9).unwrap();
        }
        assert!(store.under_older().unwrap().is_empty());
        all_there(&store, count);
        drop(store);
        let store = open(dir.path(), &[("m2", 2)]).expect("the old key is not needed");
        all_there(&store, count);
        assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn an_older_key_that_is_still_needed_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let store = open(dir.path(), &[("m2", 2), ("m1", 1)]).unwrap();
    let mut progress = Reseal::default();
    store.reseal(&mut progress, 9).unwrap();
    assert!(!progress.done && store.under_older().unwrap()["m1"] > 0);
    assert_eq!(store.masters(), ("m2".to_owned(), vec!["m1".to_owned()]));
    drop(store);
    assert!(open(dir.path(), &[("m2", 2)]).is_err(), "refused, not half read");
}

#[test]
fn real_orders_go_along() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &[("m1", 1)]).unwrap();
    let at = jiff::Timestamp::from_second(1_760_000_000).unwrap();
    let file = FileId::from_bits(5);
    let arrivals = (0..30).map(|n| (fact(&format!("205-{n}"), 1, 1), None)).collect::<Vec<_>>();
    store.take(&account(), &file, arrivals, None, at).unwrap();
    store.barrier().unwrap();
    drop(store);
    let store = open(dir.path(), &[("m2", 2), ("m1", 1)]).unwrap();
    let mut progress = Reseal::default();
    while !progress.done {
        store.reseal(&mut progress, 7).unwrap();
    }
    assert!(progress.resealed >= 30);
    drop(store);
    let store = open(dir.path(), &[("m2", 2)]).unwrap();
    let order = "205-7".parse().unwrap();
    assert!(store.dossier(&account(), &order).unwrap().is_some());
    assert!(dir.path().join(DAYKEY_DIR).is_dir());
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}
