//! Intake: what is new, what is known, what is too old, and whose buyer stands.

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

use odoo_spoold::model::{Counts, DocumentInfo, Family, FileRecord, FileState, JobState, Outcome};
use odoo_spoold::store::{BuyerState, End, FileFilter, Taken};

use crate::store_support::*;

const ALL: Family = Family::AllOrders;
const UNSHIPPED: Family = Family::Unshipped;

#[test]
fn a_repeat_changes_nothing_and_counts_like_the_first_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let facts = || vec![(fact("205-1", ALL, Some(1), 1), Some(buyer("Erika")))];
    let take = |number, facts| store.take(&account(), &file(number), facts, None, at(0)).unwrap();
    let new = Taken { new: 1, ..Taken::default() };
    assert_eq!(take(1, facts()), new);
    let job = store.job(&account(), &"205-1".parse().unwrap()).unwrap().unwrap();
    // The same file again, as after a crash; then another file with the same rows.
    assert_eq!(take(1, facts()), new);
    assert_eq!(take(2, facts()), Taken { unchanged: 1, ..Taken::default() });
    assert_eq!(store.job(&account(), &"205-1".parse().unwrap()).unwrap().unwrap(), job);
    let older = vec![(fact("205-1", ALL, Some(0), 5), None)];
    assert_eq!(take(3, older), Taken { older: 1, ..Taken::default() });
    let newer = || vec![(fact("205-1", ALL, Some(2), 5), None)];
    let changed = Taken { changed: 1, ..Taken::default() };
    assert_eq!((take(4, newer()), take(4, newer())), (changed.clone(), changed.clone()));
    let touched = |number| {
        store
            .orders_of_file(&file(number))
            .map(|order| order.unwrap().0.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (touched(1), touched(2), touched(4)),
        (vec!["205-1".into()], vec![], vec!["205-1".into()])
    );
    store.forget_file(&file(1)).unwrap();
    assert!(touched(1).is_empty());
    assert_eq!(store.verify().unwrap(), [""; 0]);
}

#[test]
fn before_import_from_only_counts_for_orders_not_known() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let take = |version| {
        let facts = vec![(fact("205-1", ALL, Some(version), 1), None)];
        store.take(&account(), &file(2), facts, Some(at(0)), at(0)).unwrap()
    };
    assert_eq!(take(1), Taken { before_import_from: 1, ..Taken::default() });
    assert!(store.dossier(&account(), &"205-1".parse().unwrap()).unwrap().is_none());
    let facts = vec![(fact("205-1", ALL, Some(1), 1), None)];
    store.take(&account(), &file(1), facts, None, at(0)).unwrap();
    assert_eq!(take(2).changed, 1);
}

#[test]
fn a_refused_fact_holds_and_never_replaces() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let take = |fact| store.take(&account(), &file(1), vec![(fact, None)], None, at(0)).unwrap();
    take(fact("205-1", ALL, Some(1), 7));
    take(faulty("205-1", ALL, Some(2)));
    let dossier = || store.dossier(&account(), &"205-1".parse().unwrap()).unwrap().unwrap();
    assert_eq!(dossier().facts[&ALL].fact.lines[0].quantity, 7);
    assert_eq!(dossier().refused[&ALL].faults.len(), 1);
    take(fact("205-1", ALL, Some(2), 8));
    assert!(dossier().refused.is_empty());
}

#[test]
fn the_buyer_is_dropped_when_odoo_has_it_and_a_repeat_is_recognised() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let take = |version, quantity, name: &str, seconds| {
        let facts = vec![(fact("205-1", UNSHIPPED, Some(version), quantity), Some(buyer(name)))];
        store.take(&account(), &file(1), facts, None, at(seconds)).unwrap()
    };
    let settle = |seconds, mapped| {
        let leased = store.lease(&account(), at(seconds), 9).unwrap().jobs.remove(0);
        let mut dossier = leased.dossier.clone();
        dossier.mapping = mapped;
        let done = leased.settlement(Some(dossier), End::Done(Outcome::Delivered));
        assert!(store.settle(vec![done], at(seconds)).unwrap().is_empty());
        leased.buyers.get(&UNSHIPPED).cloned()
    };
    let known = |name| Some(BuyerState::Known(buyer(name).into()));
    take(1, 1, "Erika", 0);
    assert_eq!(settle(0, Some(mapping(5))), known("Erika"));
    // A repeat, days later, and one with the same buyer in a newer report: nothing for Odoo.
    store
        .take(
            &account(),
            &file(2),
            vec![(fact("205-1", UNSHIPPED, Some(1), 1), Some(buyer("Erika")))],
            None,
            at(200_000),
        )
        .unwrap();
    assert!(store.lease(&account(), at(200_000), 9).unwrap().jobs.is_empty());
    take(2, 1, "Erika", 200_000);
    assert_eq!(settle(200_000, Some(mapping(5))), Some(BuyerState::Dropped));
    // Another buyer is news, and the older one does not come back.
    take(3, 1, "Max", 200_000);
    take(2, 1, "Erika", 200_000);
    assert_eq!(settle(200_000, None), known("Max"));
    // Not in Odoo, and something changes: the payload is wanted again.
    take(4, 2, "Max", 200_000);
    assert_eq!(settle(200_000, None), known("Max"));
    assert_eq!(store.verify().unwrap(), [""; 0]);
}

#[test]
fn a_missing_day_key_is_not_an_expired_one() {
    let dir = tempfile::tempdir().unwrap();
    let facts = || vec![(fact("205-1", UNSHIPPED, Some(1), 1), Some(buyer("Erika")))];
    let store = open(dir.path());
    store.take(&account(), &file(1), facts(), None, at(0)).unwrap();
    store.close().unwrap();
    std::fs::remove_file(dir.path().join("daykeys/2025-11-21.key")).unwrap();
    let store = open(dir.path());
    let leased = store.lease(&account(), at(0), 1).unwrap().jobs.remove(0);
    let day = "2025-11-21".parse().unwrap();
    assert_eq!(leased.buyers[&UNSHIPPED], BuyerState::KeyMissing { day });
    store.give_back([&leased]);
    // The sealed file is read again.
    assert_eq!(store.take(&account(), &file(1), facts(), None, at(0)).unwrap().new, 1);
    let leased = store.lease(&account(), at(0), 1).unwrap().jobs.remove(0);
    assert_eq!(leased.buyers[&UNSHIPPED], BuyerState::Known(buyer("Erika").into()));
}

#[test]
fn files_come_newest_first_and_move_between_states() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let record = |number: u64, state| FileRecord {
        id: file(number),
        account: account(),
        name: Some("orders.txt".into()),
        sha256: [1; 32],
        bytes: 5,
        claimed_at: at(i64::try_from(number).unwrap()),
        state,
        since: at(0),
        envelope: "age".into(),
        family: None,
        charset: String::new(),
        counts: Counts::default(),
        // Larger than one sealed value.
        faults: vec![faulty("205-1", ALL, None).faults[0].clone(); 200],
        notices: Vec::new(),
        refusal: None,
        described: DocumentInfo::default(),
        wait: None,
    };
    for number in 1..=5 {
        store.put_file(&record(number, FileState::Work)).unwrap();
    }
    store.put_file(&record(3, FileState::Done)).unwrap();
    let ids = |filter: &FileFilter, limit| {
        store.files(filter, limit).unwrap().into_iter().map(|file| file.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&FileFilter::default(), 3), [file(5), file(4), file(3)]);
    let work = FileFilter { account: Some(account()), state: Some(FileState::Work) };
    assert_eq!(ids(&work, 9), [file(5), file(4), file(2), file(1)]);
    assert_eq!(store.file(&file(3)).unwrap(), Some(record(3, FileState::Done)));
    let mut short = record(4, FileState::Rejected);
    short.faults.clear();
    store.put_file(&short).unwrap();
    assert_eq!(store.file(&file(4)).unwrap(), Some(short));
    store.forget_file(&file(4)).unwrap();
    assert_eq!(store.file(&file(4)).unwrap(), None);
    assert_eq!(ids(&FileFilter::default(), 9).len(), 4);
}

#[test]
fn partners_are_found_by_external_id() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.put_partners(&account(), [("buyer_a", 7), ("buyer_b", 8)]).unwrap();
    let found = |asked: [&'static str; 2]| store.partners(&account(), asked).unwrap();
    assert_eq!(found(["buyer_b", "buyer_x"]), [Some(8), None]);
    store.forget_partners(&account(), ["buyer_b"]).unwrap();
    assert_eq!(found(["buyer_b", "buyer_a"]), [None, Some(7)]);
}

#[test]
fn a_fact_during_a_lease_makes_the_job_due_again_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let take = |version, seconds| {
        let facts = vec![(fact("205-1", ALL, Some(version), 1), None)];
        store.take(&account(), &file(1), facts, None, at(seconds)).unwrap();
    };
    take(1, 0);
    let leased = store.lease(&account(), at(0), 1).unwrap().jobs.remove(0);
    take(2, 5);
    assert!(store.lease(&account(), at(9), 1).unwrap().jobs.is_empty(), "leased twice");
    let mut dossier = leased.dossier.clone();
    dossier.mapping = Some(mapping(5));
    assert!(store.save(&leased, &dossier).unwrap());
    let settled = leased.settlement(Some(dossier), End::Done(Outcome::Delivered));
    assert!(store.settle(vec![settled.clone()], at(9)).unwrap().is_empty());
    // Its lease is over.
    assert_eq!(store.settle(vec![settled], at(9)).unwrap(), [leased.key]);
    let again = store.lease(&account(), at(9), 1).unwrap().jobs.remove(0);
    assert_eq!(again.dossier.facts[&ALL].rank.version, Some(at(2 * 86_400)));
    assert_eq!(again.dossier.mapping, Some(mapping(5)));
    assert!(again.job.fence > leased.job.fence && again.job.generation == 2);
    assert_eq!(store.job_of(&again.key).unwrap().unwrap().state, JobState::Started);
}
