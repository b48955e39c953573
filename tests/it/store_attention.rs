//! The attention list: what is to be looked at of orders, files and accounts; what a person dismissed
//! stays so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use odoo_spoold::model::{
    Attention, AttentionCode, Counts, DocumentInfo, Family, FileNotice, FileRecord, FileState,
    Note, Subject,
};
use odoo_spoold::store::{Noticed, Store};

use crate::store_support::*;

fn record(number: u64, state: FileState, notices: Vec<FileNotice>) -> FileRecord {
    FileRecord {
        id: file(number),
        account: account(),
        name: None,
        sha256: [7; 32],
        bytes: 4_000,
        claimed_at: at(1),
        state,
        since: at(60),
        envelope: "age".into(),
        family: Some(Family::AllOrders),
        charset: "UTF-8".into(),
        counts: Counts::default(),
        faults: Vec::new(),
        notices,
        refusal: None,
        described: DocumentInfo::default(),
        wait: None,
    }
}

fn notice(code: &str, costs_money: bool) -> FileNotice {
    FileNotice { code: code.to_owned(), text: format!("{code} was seen"), costs_money }
}

fn listed(store: &Store) -> Vec<Noticed> {
    store.attention(None, 100).unwrap().0
}

fn subjects(store: &Store) -> Vec<String> {
    listed(store).into_iter().map(|noticed| noticed.subject.to_string()).collect()
}

fn well(store: &Store) {
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

fn of_account(key: &str) -> Attention {
    Attention::new(Subject::Account, AttentionCode::FileNotice, key, "look at it", at(5))
}

#[test]
fn a_notice_that_can_cost_money_is_to_be_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (costly, odd) = (notice("amounts-unknown", true), notice("columns-unknown", false));
    // While it is read nothing is known for good.
    store.put_file(&record(1, FileState::Work, Vec::new())).unwrap();
    assert!(listed(&store).is_empty());
    let done = record(1, FileState::Done, vec![odd.clone(), costly]);
    store.put_file(&done).unwrap();
    store.put_file(&record(2, FileState::Done, vec![odd])).unwrap();
    let found = listed(&store);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].subject, Subject::File(file(1)));
    let entry = &found[0].entries[0];
    assert_eq!((entry.code, entry.key.as_str()), (AttentionCode::FileNotice, "amounts-unknown"));
    assert_eq!(found[0].entries.len(), 1);
    let tally = &store.counts()[&account()];
    assert_eq!((tally.attention_files, tally.noticed_files, tally.attention), (1, 2, 0));
    well(&store);
    // Looked at: it does not come back when the file's record is written again.
    let subject = Subject::File(file(1));
    assert_eq!(store.dismiss(&account(), &subject, None, at(9)).unwrap(), 1);
    store.put_file(&done).unwrap();
    assert!(listed(&store).is_empty());
    assert_eq!(store.dismiss(&account(), &subject, None, at(10)).unwrap(), 0);
    let tally = &store.counts()[&account()];
    assert_eq!((tally.attention_files, tally.noticed_files), (0, 2));
    // With the file goes what was to be looked at.
    store.put_file(&record(3, FileState::Done, vec![notice("amounts-unknown", true)])).unwrap();
    for number in 1..=3 {
        store.forget_file(&file(number)).unwrap();
    }
    assert!(listed(&store).is_empty());
    let tally = &store.counts()[&account()];
    assert_eq!((tally.attention_files, tally.noticed_files), (0, 0));
    well(&store);
}

#[test]
fn accounts_files_and_orders_stand_in_one_list() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let facts = vec![(fact(&order(1), Family::AllOrders, Some(1), 1), None)];
    store.take(&account(), &file(1), facts, None, at(0)).unwrap();
    let subject = Subject::Record(order(1).parse().unwrap());
    let of_order = Attention::new(subject.clone(), AttentionCode::Reopened, "", "alive", at(5));
    assert!(store.attend(&account(), of_order.clone()).unwrap());
    assert!(!store.attend(&account(), of_order.clone()).unwrap(), "it is known");
    store.put_file(&record(2, FileState::Done, vec![notice("x", true)])).unwrap();
    assert!(store.attend(&account(), of_account("key-ends")).unwrap());
    assert!(store.attend(&account(), of_account("other")).unwrap());
    let (one, two) = (order(1), file(2).to_string());
    assert_eq!(subjects(&store), ["the account", two.as_str(), one.as_str()]);
    let (first, more) = store.attention(Some(&account()), 2).unwrap();
    assert_eq!((first.len(), more), (2, true));
    well(&store);
    // A worker that had the order does not undo what came meanwhile, nor what was dismissed.
    let leased = store.lease(&account(), at(1), 1).unwrap().jobs.remove(0);
    assert_eq!(store.dismiss(&account(), &subject, None, at(6)).unwrap(), 1);
    let late = Attention::new(subject, AttentionCode::BelowDelivered, "l", "less", at(7));
    assert!(store.attend(&account(), late).unwrap());
    assert!(store.save(&leased, &leased.dossier).unwrap());
    let left = listed(&store).pop().unwrap();
    assert_eq!(left.entries.len(), 1, "{left:?}");
    assert_eq!(left.entries[0].code, AttentionCode::BelowDelivered);
    // What ended by itself needs nobody.
    assert!(store.unattend(&account(), &Subject::Account, AttentionCode::FileNotice).unwrap());
    assert!(!store.unattend(&account(), &Subject::Account, AttentionCode::FileNotice).unwrap());
    assert_eq!(subjects(&store), [two.as_str(), one.as_str()]);
    // An order that nobody knows has no list.
    let unknown = Subject::Record(order(99).parse().unwrap());
    let entry = Attention { subject: unknown, ..of_order };
    assert!(!store.attend(&account(), entry).unwrap());
    well(&store);
}

/// A dismissal is a decision: the journal has it first, and a store made anew from it knows it.
#[test]
fn what_was_dismissed_survives_the_loss_of_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.put_file(&record(2, FileState::Done, vec![notice("x", true)])).unwrap();
    store.attend(&account(), of_account("key-ends")).unwrap();
    for subject in [Subject::File(file(2)), Subject::Account] {
        assert_eq!(store.dismiss(&account(), &subject, None, at(9)).unwrap(), 1);
    }
    drop(store);
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    let store = open(dir.path());
    let mut dismissed = Vec::new();
    store
        .notes(|note| {
            if matches!(note, Note::Dismissed { .. }) {
                dismissed.extend(note.dismissal());
            }
        })
        .unwrap();
    assert_eq!(dismissed.len(), 2);
    // As a rebuild does: files first, then what was dismissed.
    store.put_file(&record(2, FileState::Done, vec![notice("x", true)])).unwrap();
    assert_eq!(listed(&store).len(), 1);
    store.redismiss(&account(), dismissed).unwrap();
    assert!(listed(&store).is_empty());
    assert!(!store.attend(&account(), of_account("key-ends")).unwrap());
    assert!(listed(&store).is_empty());
    well(&store);
}
