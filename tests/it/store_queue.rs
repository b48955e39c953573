//! The queue: due order, holds, deaths, listing and counting.

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

use odoo_spoold::model::{Family, HoldCode, Note, Outcome};
use odoo_spoold::store::{Buried, End, JobFilter, StateName, Store, Waiting};

use crate::store_support::*;

fn fill(store: &Store, orders: u64) {
    let facts =
        (0..orders).map(|n| (fact(&order(n), Family::AllOrders, Some(1), 1), None)).collect();
    store.take(&account(), &file(1), facts, None, at(0)).unwrap();
}

fn settle_all(store: &Store, end: impl Fn(usize) -> End) {
    let leased = store.lease(&account(), at(0), 1000).unwrap().jobs;
    let ends = leased.iter().enumerate().map(|(n, leased)| leased.settlement(None, end(n)));
    assert!(store.settle(ends.collect(), at(0)).unwrap().is_empty());
}

fn all(store: &Store, filter: &JobFilter, limit: usize) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.jobs(filter, limit, cursor.as_ref()).unwrap();
        found.extend(page.jobs.iter().map(|(_, job)| job.order_id.to_string()));
        match page.next {
            Some(next) => cursor = Some(next.to_string().parse().unwrap()),
            None => break,
        }
    }
    found.sort();
    found
}

#[test]
fn jobs_come_due_in_order_and_only_then() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, 5);
    settle_all(&store, |n| End::Retry {
        due: at(100 - i64::try_from(n).unwrap()),
        attempt: 3,
        fault: "timeout".into(),
    });
    assert_eq!(store.next_due(&account()).unwrap(), Some(at(96)));
    assert!(store.lease(&account(), at(95), 9).unwrap().jobs.is_empty());
    let leased = store.lease(&account(), at(98), 9).unwrap().jobs;
    let due: Vec<_> = leased.iter().map(|leased| leased.job.due).collect();
    assert_eq!(due, [at(96), at(97), at(98)]);
    assert_eq!(leased[0].job.attempt, 3);
    assert_eq!(store.next_due(&account()).unwrap(), Some(at(99)));
    store.give_back(&leased);
    assert_eq!(store.next_due(&account()).unwrap(), Some(at(96)));
    // An earlier due time moves the scan back.
    let back = store.lease(&account(), at(96), 1).unwrap().jobs.remove(0);
    let retry = End::Retry { due: at(3), attempt: 4, fault: "timeout".into() };
    assert!(store.settle(vec![back.settlement(None, retry)], at(98)).unwrap().is_empty());
    assert_eq!(store.next_due(&account()).unwrap(), Some(at(3)));
}

/// Orders that stand in Odoo, of which a file then says something new.
fn change_known(store: &Store, orders: std::ops::Range<u64>) {
    let facts = |version| {
        let fact = |n| (fact(&order(n), Family::AllOrders, Some(version), 1), None);
        orders.clone().map(fact).collect()
    };
    store.take(&account(), &file(8), facts(1), None, at(-10)).unwrap();
    for leased in store.lease(&account(), at(-10), 1000).unwrap().jobs {
        let mut dossier = leased.dossier.clone();
        dossier.mapping = Some(mapping(7));
        let done = leased.settlement(Some(dossier), End::Done(Outcome::Delivered));
        assert!(store.settle(vec![done], at(-10)).unwrap().is_empty());
    }
    store.take(&account(), &file(9), facts(2), None, at(60)).unwrap();
}

fn lease(store: &Store, max: usize) -> Vec<String> {
    let leased = store.lease(&account(), at(100), max).unwrap().jobs;
    leased.iter().map(|leased| leased.job.order_id.to_string()).collect()
}

#[test]
fn audit_40_a_change_does_not_wait_behind_a_backlog_of_new_orders() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    change_known(&store, 5000..5001);
    fill(&store, 1000);
    // Due later than all of them, and yet in the next batch.
    assert_eq!(lease(&store, 10)[0], order(5000));
    // What a person decided goes before them as well.
    let (key, _) = store
        .jobs(&JobFilter { state: Some(StateName::Pending), ..JobFilter::default() }, 1, None)
        .unwrap()
        .jobs
        .remove(0);
    let leased = store.lease(&account(), at(100), 2000).unwrap().jobs;
    let chosen = leased.iter().find(|leased| leased.key == key).unwrap();
    let end = chosen.settlement(None, End::Dead(death("refused")));
    assert!(store.settle(vec![end], at(100)).unwrap().is_empty());
    let name = chosen.job.order_id.to_string();
    store.give_back(leased.iter().filter(|leased| leased.key != key));
    assert_eq!(store.requeue(Buried::Record(key), at(99)).unwrap(), 1);
    assert_eq!(lease(&store, 1), [name]);
    assert_eq!(store.verify().unwrap(), [""; 0]);
}

#[test]
fn audit_40_changes_never_starve_new_orders() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    change_known(&store, 5000..5100);
    fill(&store, 100);
    let new = |batch: Vec<String>| batch.iter().filter(|id| **id < order(5000)).count();
    let batches: Vec<usize> = (0..8).map(|_| new(lease(&store, 5))).collect();
    assert_eq!(batches, [0, 0, 0, 5, 0, 0, 0, 5]);
    assert_eq!(store.next_due(&account()).unwrap(), Some(at(0)), "the earliest of both lanes");
    drop(store);
    // The lane is in the key: a restart changes nothing.
    let store = open(dir.path());
    assert_eq!(new(lease(&store, 5)), 0);
}

#[test]
fn held_jobs_are_released_by_the_thing_they_wait_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, 12);
    settle_all(&store, |n| {
        End::Held(match n % 3 {
            0 => vec![hold(HoldCode::Sku, "A")],
            1 => vec![hold(HoldCode::Sku, "B"), hold(HoldCode::Sku, "A"), hold(HoldCode::Tax, "")],
            _ => vec![hold(HoldCode::Tax, "")],
        })
    });
    let keys = |code| {
        let mut keys = store.held_keys(&account(), code, 100).unwrap().0;
        keys.sort();
        keys
    };
    assert_eq!(keys(HoldCode::Sku), ["A", "B"]);
    assert_eq!(keys(HoldCode::Tax), [""]);
    let counts = &store.counts()[&account()];
    assert_eq!(
        (counts.held, counts.holds[&HoldCode::Sku], counts.holds[&HoldCode::Tax]),
        (12, 8, 8)
    );
    let held = |hold| {
        all(&store, &JobFilter { hold, state: Some(StateName::Held), account: None }, 5).len()
    };
    assert_eq!((held(None), held(Some(HoldCode::Sku)), held(Some(HoldCode::Tax))), (12, 8, 8));
    assert_eq!(
        store.release(Waiting::For(&account(), HoldCode::Sku, Some("B")), at(0)).unwrap(),
        4
    );
    assert_eq!(keys(HoldCode::Sku), ["A"]);
    assert_eq!(store.release(Waiting::For(&account(), HoldCode::Tax, None), at(0)).unwrap(), 4);
    assert_eq!(store.release(Waiting::For(&account(), HoldCode::Tax, None), at(0)).unwrap(), 0);
    let one = store
        .jobs(&JobFilter { state: Some(StateName::Held), ..JobFilter::default() }, 1, None)
        .unwrap();
    assert_eq!(store.release(Waiting::Record(one.jobs[0].0), at(0)).unwrap(), 1);
    let counts = &store.counts()[&account()];
    assert_eq!((counts.held, counts.pending, counts.total()), (3, 9, 12));
    assert_eq!(store.verify().unwrap(), [""; 0]);
}

#[test]
fn dead_jobs_are_requeued_by_cause() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, 450);
    settle_all(&store, |n| match n % 2 {
        0 => End::Dead(death("refused")),
        _ => End::Dead(death("other")),
    });
    let dead = JobFilter { state: Some(StateName::Dead), ..JobFilter::default() };
    assert_eq!(all(&store, &dead, 7).len(), 450);
    assert_eq!(store.requeue(Buried::Of(&account(), Some("refused")), at(0)).unwrap(), 225);
    assert_eq!(all(&store, &dead, 100).len(), 225);
    assert_eq!(store.requeue(Buried::Of(&account(), None), at(0)).unwrap(), 225);
    settle_all(&store, |_| End::Done(Outcome::Delivered));
    let (key, _) = store.jobs(&JobFilter::default(), 1, None).unwrap().jobs.remove(0);
    assert_eq!(store.requeue(Buried::Record(key), at(0)).unwrap(), 1);
    assert_eq!(store.counts()[&account()].pending, 1);
    assert_eq!(store.verify().unwrap(), [""; 0]);
}

#[test]
fn a_hold_without_a_reason_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, 1);
    settle_all(&store, |_| End::Held(Vec::new()));
    assert_eq!(store.counts()[&account()].dead, 1);
}

#[test]
fn every_listing_shows_each_job_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, 40);
    settle_all(&store, |n| match n % 4 {
        0 => End::Done(Outcome::Delivered),
        1 => End::Held(vec![hold(HoldCode::Sku, "A"), hold(HoldCode::Price, "")]),
        2 => End::Dead(death("refused")),
        _ => End::Retry { due: at(5), attempt: 1, fault: "timeout".into() },
    });
    let leased = store.lease(&account(), at(5), 4).unwrap().jobs;
    let in_state = |state| {
        all(&store, &JobFilter { state: Some(state), account: Some(account()), hold: None }, 3)
    };
    let everything = all(&store, &JobFilter::default(), 7);
    assert_eq!(everything.len(), 40);
    let states =
        [StateName::Done, StateName::Held, StateName::Dead, StateName::Pending, StateName::Started];
    let mut parts: Vec<String> = states.into_iter().flat_map(in_state).collect();
    parts.sort();
    assert_eq!(parts, everything);
    assert_eq!((in_state(StateName::Pending).len(), in_state(StateName::Started).len()), (6, 4));
    let counts = &store.counts()[&account()];
    assert_eq!((counts.pending, counts.started, store.stats().unwrap().leased), (6, 4, 4));
    drop(leased);
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.counts()[&account()].pending, 10, "a restart makes started jobs pending");
}

/// AUDIT 1, kind (c): a release is a decision on two values, and only of codes that compare some.
#[test]
fn audit_01_a_release_is_a_decision_on_these_two_values() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, 2);
    let total = hold(HoldCode::Total, "").between("19.99 EUR", "20.99 EUR");
    let waits = [total.clone(), hold(HoldCode::Sku, "A")];
    settle_all(&store, |_| End::Held(waits.to_vec()));
    let id = |n| order(n).parse().unwrap();
    let key = |store: &Store, n| store.key(&account(), &id(n)).unwrap();
    let dossier = |store: &Store, n| store.dossier(&account(), &id(n)).unwrap().unwrap();

    // What Odoo ends is no decision, whoever releases it.
    let missing = Waiting::For(&account(), HoldCode::Sku, Some("A"));
    assert_eq!(store.release(missing, at(0)).unwrap(), 2);
    assert!(!dossier(&store, 0).passes(&total) && !dossier(&store, 0).passes(&waits[1]));
    settle_all(&store, |_| End::Held(waits.to_vec()));
    assert_eq!(store.release_by(missing, Some(7), at(0)).unwrap(), 2);
    assert!(dossier(&store, 0).released.is_empty());

    settle_all(&store, |_| End::Held(waits.to_vec()));
    assert_eq!(store.release_by(Waiting::Record(key(&store, 0)), Some(7), at(2)).unwrap(), 1);
    let [released] = &dossier(&store, 0).released[..] else { panic!("{:?}", dossier(&store, 0)) };
    assert_eq!((released.by, released.at), (Some(7), at(2)));
    assert!(dossier(&store, 0).passes(&total) && !dossier(&store, 1).passes(&total));
    // Exactly these two: another total on either side is another question.
    for other in [
        total.clone().between("20.00 EUR", "20.99 EUR"),
        total.clone().between("19.99 EUR", "21.99 EUR"),
    ] {
        assert!(!dossier(&store, 0).passes(&other), "{other:?}");
    }
    // The journal has it, and it outlives a restart.
    let mut notes = Vec::new();
    store
        .notes(|note| {
            if let Note::Released { released, .. } = note {
                notes.push(released)
            }
        })
        .unwrap();
    assert_eq!(notes, std::slice::from_ref(released));
    drop(store);
    let store = open(dir.path());
    assert!(dossier(&store, 0).passes(&total));
}
