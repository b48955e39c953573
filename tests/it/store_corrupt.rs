//! A damaged database: it opens with what can be read, or is moved aside; never a panic, never twice.

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

use std::path::{Path, PathBuf};

use odoo_spoold::model::{Family, JobState, Note, Outcome};
use odoo_spoold::store::{Restored, Store, StoreError, StoreKeys, StoreOptions};

use crate::store_support::*;

/// Places that are damaged, each in one run; ODOO_SPOOLD_CORRUPT_PLACES for more.
const PLACES: usize = 24;

fn places() -> usize {
    std::env::var("ODOO_SPOOLD_CORRUPT_PLACES").ok().map_or(PLACES, |text| text.parse().unwrap())
}

/// A state with a hundred orders and a journal that knows of deliveries.
fn filled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.installed(&account(), at(0)).unwrap();
    let facts =
        (0..100).map(|n| (fact(&order(n), Family::AllOrders, Some(1), 1), Some(buyer("Erika"))));
    store.take(&account(), &file(1), facts.collect(), None, at(0)).unwrap();
    let orders = vec![(order(1).parse().unwrap(), 41)];
    store.note(&[Note::Delivered { account: account(), orders, at: at(1) }]).unwrap();
    store.close().unwrap();
    dir
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target)
        } else {
            assert!(std::fs::copy(&path, &target).is_ok())
        }
    }
}

fn aside(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("store.corrupt-"))
        .collect()
}

/// Opens what was damaged: whatever is found, a second opening finds the same.
fn survives(dir: &Path, about: &str) {
    let opened =
        Store::open(dir, &keys(), StoreOptions { opened_at: at(9), ..StoreOptions::default() });
    let moved = match opened {
        Ok(store) => {
            let lost = store.is_lost(&account());
            assert_eq!(store.moved_aside().is_some(), lost, "{about}");
            // Reading may say that something is damaged; it may not panic.
            let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _found = store.job(&account(), &order(5).parse().unwrap());
            }));
            drop(read);
            lost
        }
        Err(StoreError::Engine { .. } | StoreError::Damaged { .. }) => panic!("{about}: refused"),
        Err(other) => panic!("{about}: {other}"),
    };
    assert_eq!(aside(dir).len(), usize::from(moved), "{about}");
    if moved {
        let store = open(dir);
        assert!(store.is_lost(&account()), "{about}: forgotten by a restart");
        assert_eq!(store.moved_aside(), None, "{about}: moved aside again");
        assert_eq!(aside(dir).len(), 1, "{about}");
    }
}

fn each_place(damage: impl Fn(&mut Vec<u8>, usize)) {
    let whole = filled();
    let names: Vec<String> = std::fs::read_dir(whole.path().join("store"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().any(|name| name == "db"));
    for name in names {
        let bytes = std::fs::read(whole.path().join("store").join(&name)).unwrap();
        for place in 0..places() {
            let at = place * bytes.len() / places();
            let dir = tempfile::tempdir().unwrap();
            copy(whole.path(), dir.path());
            let mut bytes = bytes.clone();
            damage(&mut bytes, at);
            std::fs::write(dir.path().join("store").join(&name), bytes).unwrap();
            survives(dir.path(), &format!("{name} at {at}"));
        }
    }
}

#[test]
fn flipped_bytes() {
    each_place(|bytes, at| {
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 0x55;
        }
    });
}

#[test]
fn truncated_files() {
    each_place(|bytes, at| bytes.truncate(at));
}

#[test]
fn whole_stretches_of_garbage() {
    each_place(|bytes, at| {
        let end = (at + 8192).min(bytes.len());
        bytes[at..end].fill(0xA5);
    });
}

#[test]
fn schema_and_blobs_that_do_not_belong_there() {
    let damages: [fn(&Path); 3] = [
        |dir| std::fs::write(dir.join("SCHEMA"), "garbage").unwrap(),
        |dir| std::fs::remove_file(dir.join("SCHEMA")).unwrap(),
        |dir| std::fs::write(dir.join("store/blobs/1"), "").unwrap(),
    ];
    for damage in damages {
        let dir = filled();
        damage(dir.path());
        survives(dir.path(), "schema or blobs");
        assert_eq!(aside(dir.path()).len(), 1);
        assert_eq!(std::fs::read_to_string(dir.path().join("SCHEMA")).unwrap(), "2\n");
    }
}

#[test]
fn a_wrong_master_key_moves_nothing() {
    let dir = filled();
    let wrong = StoreKeys::new("m1", secret(9)).unwrap().with_account(account(), secret(2));
    // Also where the database is damaged besides.
    for damaged in [false, true] {
        if damaged {
            std::fs::write(dir.path().join("store/db"), b"garbage").unwrap();
        }
        let refused = Store::open(dir.path(), &wrong, StoreOptions::default());
        assert!(matches!(refused, Err(StoreError::WrongKey { .. })), "{refused:?}");
        assert_eq!(aside(dir.path()), [] as [PathBuf; 0]);
    }
    assert_eq!(std::fs::read(dir.path().join("store/db")).unwrap(), b"garbage");
}

#[test]
fn a_state_without_its_database_is_lost_until_it_is_rebuilt() {
    let dir = filled();
    let installation = open(dir.path()).installation().to_owned();
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    let store = open(dir.path());
    assert!(store.is_lost(&account()));
    assert_eq!(store.installation(), installation);
    // The day of installation comes from the journal, not from today.
    assert_eq!(store.installed(&account(), at(86_400 * 40)).unwrap(), at(0));
    let deleted = odoo_spoold::model::Mapping { deleted: true, ..mapping(41) };
    let restored = Restored {
        order: order(1).parse().unwrap(),
        dossier: None,
        mapping: Some(deleted.clone()),
        released: Vec::new(),
        state: JobState::Done(Outcome::DeletedInOdoo),
        since: at(2),
    };
    store.restore(&account(), vec![restored]).unwrap();
    store.rebuilt(&account()).unwrap();
    drop(store);
    let store = open(dir.path());
    assert!(!store.is_lost(&account()));
    let known = store.dossier(&account(), &order(1).parse().unwrap()).unwrap().unwrap();
    assert_eq!(known.mapping, Some(deleted));
    assert_eq!(store.counts()[&account()].total(), 1);
}

#[test]
fn a_new_state_is_not_a_lost_one() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    // A crash before anything else was written.
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    assert!(!open(dir.path()).is_lost(&account()));
}
