//! Day keys and buyers as days go by: locked, destroyed, missing, given up; every step interrupted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use odoo_spoold::model::{
    Base, BuyerFact, Counts, DocumentInfo, Family, FileRecord, FileState, HoldCode, JobState,
    Mapping, Note, Outcome,
};
use odoo_spoold::store::{BuyerState, End, Store, Waiting};

use crate::store_support::*;

const ALL: Family = Family::AllOrders;
const SHIP: Family = Family::Unshipped;
const DAY_SECS: i64 = 86_400;

fn day(number: i64) -> Timestamp {
    at(number * DAY_SECS + 3_600)
}

fn date(number: i64) -> Date {
    day(number).to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// Order `number` comes on `on` with a buyer.
fn take(store: &Store, number: u64, on: Timestamp) {
    let facts = vec![(fact(&order(number), SHIP, Some(1), 1), Some(buyer("Erika")))];
    store.take(&account(), &file(1), facts, None, on).unwrap();
}

/// What a worker sees of an order's buyer; the order stays as it is.
fn seen(store: &Store, number: u64, now: Timestamp) -> Option<BuyerState> {
    let id = order(number).parse().unwrap();
    store.release(Waiting::Record(store.key(&account(), &id).unwrap()), now).unwrap();
    let leases = store.lease(&account(), now, 1000).unwrap();
    let state = leases.jobs.iter().find(|leased| leased.job.order_id == id);
    let state = state.expect("it is not due").buyers.get(&SHIP).cloned();
    store.give_back(&leases.jobs);
    state
}

fn known() -> Option<BuyerState> {
    Some(BuyerState::Known(buyer("Erika").into()))
}

/// All that a believed clock makes of a state.
fn pass(store: &Store, now: Timestamp) {
    store.believe(now).unwrap();
    store.destroy_days(&store.overdue_days(now).unwrap(), now).unwrap();
    store.erase_destroyed().unwrap();
    for day in store.unswept_days() {
        store.sweep_day(day, now, &|| ()).unwrap();
    }
}

fn key_file(dir: &Path, number: i64) -> std::path::PathBuf {
    dir.join("daykeys").join(format!("{}.key", date(number)))
}

fn well(store: &Store) {
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

#[test]
fn a_buyer_is_there_on_day_30_and_gone_on_day_31() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    take(&store, 1, day(0));
    for number in 0..=30 {
        pass(&store, day(number));
        assert_eq!(seen(&store, 1, day(number)), known(), "day {number}");
    }
    pass(&store, at(31 * DAY_SECS - 1));
    assert_eq!(seen(&store, 1, at(31 * DAY_SECS - 1)), known());
    // By the clock alone, before anybody destroyed anything.
    assert_eq!(seen(&store, 1, at(31 * DAY_SECS)), Some(BuyerState::Locked));
    assert!(key_file(dir.path(), 0).exists());
    pass(&store, at(31 * DAY_SECS));
    assert_eq!(seen(&store, 1, at(31 * DAY_SECS)), Some(BuyerState::Expired));
    assert!(!key_file(dir.path(), 0).exists());
    well(&store);
    // A new arrival is a new buyer, of its own day.
    take(&store, 1, day(32));
    assert_eq!(seen(&store, 1, day(32)), known());
    store.close().unwrap();
    let store = open(dir.path());
    assert_eq!(seen(&store, 1, day(62)), known());
    assert_eq!(seen(&store, 1, day(63)), Some(BuyerState::Locked));
}

/// An order that Odoo refused on `on`, in words that quote its buyer.
fn refuse(store: &Store, number: u64, on: Timestamp) {
    let id = order(number).parse().unwrap();
    let leases = store.lease(&account(), on, 1000).unwrap();
    let leased = leases.jobs.iter().find(|leased| leased.job.order_id == id).unwrap();
    let dead = End::Dead(odoo_spoold::model::Death {
        code: "odoo-order-refused".into(),
        words: format!("{REFUSAL} {}", "and on and on ".repeat(600)),
    });
    assert!(store.settle(vec![leased.settlement(None, dead)], on).unwrap().is_empty());
    store.give_back(&leases.jobs);
}

const REFUSAL: &str = "ValidationError: Erika CANARY, 1 Any Street, is not valid";

fn words(store: &Store, number: u64) -> String {
    let job = store.job(&account(), &order(number).parse().unwrap()).unwrap().unwrap();
    let JobState::Dead(death) = job.state else { panic!("{:?}", job.state) };
    assert_eq!(death.code, "odoo-order-refused");
    death.words
}

/// While nothing shows whose fault a refusal is, its words are kept as those of dead orders are.
#[test]
fn what_odoo_said_of_a_held_order_ends_with_the_buyer() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    take(&store, 1, day(0));
    pass(&store, day(20));
    let leases = store.lease(&account(), day(20), 1000).unwrap();
    let held = End::Refused { hold: hold(HoldCode::Refused, "create"), words: REFUSAL.into() };
    let settlement = leases.jobs[0].settlement(None, held);
    assert!(store.settle(vec![settlement], day(20)).unwrap().is_empty());
    let id = order(1).parse().unwrap();
    let said = |store: &Store| store.words_of_refused(&account(), &id).unwrap();
    assert_eq!(said(&store).as_deref(), Some(REFUSAL));
    store.close().unwrap();
    // A backup without day keys, opened with the master key, does not know it.
    let backup = tempfile::tempdir().unwrap();
    copy_state(dir.path(), backup.path());
    std::fs::remove_dir_all(backup.path().join("daykeys")).unwrap();
    assert_eq!(said(&open(backup.path())), None);
    let store = open(dir.path());
    assert_eq!(said(&store).as_deref(), Some(REFUSAL));
    pass(&store, day(31));
    assert_eq!(said(&store), None);
    well(&store);
}

#[test]
fn audit_21_what_odoo_said_of_a_buyer_ends_with_the_buyer() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    take(&store, 1, day(0));
    // Refused on day 20: what quotes the buyer of day 0 ends with day 0.
    pass(&store, day(20));
    refuse(&store, 1, day(20));
    // No buyer: what was said ends 30 days after it was said.
    let facts = vec![(fact(&order(2), ALL, Some(1), 1), None)];
    store.take(&account(), &file(1), facts, None, day(20)).unwrap();
    refuse(&store, 2, day(20));
    assert!(words(&store, 1).starts_with(REFUSAL) && words(&store, 2).starts_with(REFUSAL));
    well(&store);
    store.barrier().unwrap();
    store.close().unwrap();
    // A backup without day keys, opened with the master key, does not know them.
    let backup = tempfile::tempdir().unwrap();
    copy_state(dir.path(), backup.path());
    std::fs::remove_dir_all(backup.path().join("daykeys")).unwrap();
    let store = open(backup.path());
    assert_eq!((words(&store, 1), words(&store, 2)), (String::new(), String::new()));
    drop(store);

    let store = open(dir.path());
    pass(&store, day(30));
    assert!(words(&store, 1).starts_with(REFUSAL));
    pass(&store, day(31));
    assert_eq!(words(&store, 1), "");
    assert!(words(&store, 2).starts_with(REFUSAL));
    // The journal keeps what is known of it, without the words.
    store.keep_unsettled(&file(1)).unwrap();
    store
        .notes(|note| {
            let text = format!("{note:?}");
            assert!(!text.contains("Any Street"), "{text}");
        })
        .unwrap();
    // Refused again after its buyer expired: nothing is kept of it.
    let key = store.key(&account(), &order(1).parse().unwrap()).unwrap();
    store.requeue(odoo_spoold::store::Buried::Record(key), day(32)).unwrap();
    refuse(&store, 1, day(32));
    assert_eq!(words(&store, 1), "");
    pass(&store, day(51));
    assert_eq!(words(&store, 2), "");
    well(&store);
}

fn copy_state(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy_state(&path, &target);
        } else {
            std::fs::copy(&path, target).unwrap();
        }
    }
}

#[test]
fn destroying_is_taken_up_again_after_a_crash_between_any_two_steps() {
    for crash in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        for number in 1..=450 {
            take(&store, number, day(0));
        }
        take(&store, 1000, day(5));
        let now = day(31);
        let steps: [&dyn Fn(&Store); 4] = [
            &|store| store.destroy_days(&store.overdue_days(now).unwrap(), now).unwrap(),
            // The key file was overwritten, and not yet unlinked.
            &|_| std::fs::write(key_file(dir.path(), 0), [0; 90]).unwrap(),
            &|store| store.erase_destroyed().unwrap(),
            // One batch went, then the power.
            &|store| {
                let stop = std::panic::AssertUnwindSafe(|| {
                    store.sweep_day(date(0), now, &|| std::panic::panic_any("power cut"))
                });
                assert!(std::panic::catch_unwind(stop).is_err());
            },
        ];
        for step in &steps[..crash] {
            step(&store);
        }
        drop(store);
        let store = open(dir.path());
        if crash > 0 {
            // Decided: whatever the clock says now, it never opens again.
            assert_eq!(seen(&store, 1, day(1)), Some(BuyerState::Expired), "crash {crash}");
        }
        pass(&store, now);
        for number in [1, 200, 450] {
            assert_eq!(seen(&store, number, now), Some(BuyerState::Expired), "crash {crash}");
        }
        assert_eq!(seen(&store, 1000, now), known(), "another day is not touched");
        assert!(!key_file(dir.path(), 0).exists() && key_file(dir.path(), 5).exists());
        assert!(store.unswept_days().is_empty());
        let left = store.sweep_day(date(0), now, &|| ()).unwrap();
        assert_eq!(left.values, 0, "crash {crash}");
        well(&store);
    }
}

#[test]
fn a_clock_that_jumps_destroys_nothing_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    pass(&store, day(0));
    take(&store, 1, day(0));
    // Ten years ahead, and nobody believes it: locked, not destroyed.
    let ahead = day(3650);
    assert_eq!(seen(&store, 1, ahead), Some(BuyerState::Locked));
    assert_eq!(store.overdue_days(ahead).unwrap(), [date(0)]);
    // What comes in meanwhile can be worked on.
    take(&store, 2, ahead);
    assert_eq!(seen(&store, 2, ahead), known());
    assert_eq!(store.pull_in(day(1)).unwrap(), 1, "due in ten years");
    // The clock comes back.
    pass(&store, day(1));
    assert_eq!(seen(&store, 1, day(1)), known());
    assert_eq!(seen(&store, 2, day(1)), known());
    // A day behind, and at 1970 (no battery): nothing goes, and what comes in lives.
    for behind in [day(0), at(-55 * 365 * DAY_SECS)] {
        store.pull_in(behind).unwrap();
        assert_eq!(seen(&store, 1, behind), known());
        assert!(store.overdue_days(behind).unwrap().is_empty());
    }
    take(&store, 3, at(-55 * 365 * DAY_SECS));
    assert!(store.overdue_days(day(1)).unwrap().is_empty());
    assert_eq!(seen(&store, 3, day(1)), known());
    // What came in under the day in ten years ends 30 days after the clock was right again.
    pass(&store, day(31));
    assert_eq!(seen(&store, 2, day(31)), known());
    pass(&store, day(32));
    assert_eq!(seen(&store, 2, day(32)), Some(BuyerState::Expired));
    assert!(!key_file(dir.path(), 3650).exists());
    assert_eq!(store.believed_at(), Some(day(32)));
    well(&store);
}

#[test]
fn a_copy_without_the_day_keys_yields_no_buyer() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for number in 1..=3 {
        take(&store, number, day(0));
    }
    store.close().unwrap();
    let copy = tempfile::tempdir().unwrap();
    copy_tree(dir.path(), copy.path());
    let tag = std::fs::read(copy.path().join("daykeys/CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with(b"Signature: 8a477f597d28d172789f06886806bc55"));
    std::fs::remove_dir_all(copy.path().join("daykeys")).unwrap();
    // The same master key, and the very day.
    let store = open(copy.path());
    for number in 1..=3 {
        let state = seen(&store, number, day(0));
        assert_eq!(state, Some(BuyerState::KeyMissing { day: date(0) }));
    }
    // A copy from before the end, put back together with the keys of today: those are gone.
    let now = open(dir.path());
    pass(&now, day(31));
    now.close().unwrap();
    drop(store);
    copy_tree(&dir.path().join("daykeys"), &copy.path().join("daykeys"));
    let store = open(copy.path());
    assert_eq!(seen(&store, 1, day(20)), Some(BuyerState::KeyMissing { day: date(0) }));
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_missing_key_is_not_an_expired_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for number in 1..=3 {
        take(&store, number, day(0));
    }
    take(&store, 4, day(2));
    drop(store);
    std::fs::remove_file(key_file(dir.path(), 0)).unwrap();
    let store = open(dir.path());
    let missing = Some(BuyerState::KeyMissing { day: date(0) });
    assert_eq!(seen(&store, 1, day(3)), missing);
    assert_eq!(store.take_missing_days(), [(account(), date(0))]);
    assert!(store.take_missing_days().is_empty(), "told once a lease");

    // Its file is read again: order 1 stands in it, and one that was never known.
    let again = |number| (fact(&order(number), SHIP, Some(1), 1), buyer("Erika"));
    let restored = store.restore_buyers(&account(), date(0), &[again(1), again(99)], day(3));
    assert_eq!(restored.unwrap(), 1);
    assert_eq!(seen(&store, 1, day(3)), known());
    assert_eq!(seen(&store, 2, day(3)), missing, "the new key of that day is not the old one");
    let id = order(99).parse().unwrap();
    assert!(store.job(&account(), &id).unwrap().is_none());
    // The file of the others is gone, too.
    let lost = store.lose_buyers(&account(), date(0), day(3), &|| ()).unwrap();
    assert_eq!((lost.values, lost.waiting), (2, 2));
    assert_eq!(seen(&store, 2, day(3)), Some(BuyerState::Expired));
    assert_eq!(seen(&store, 1, day(3)), known());
    assert_eq!(seen(&store, 4, day(3)), known());
    well(&store);
    // Read again or not: its 30 days are those of its arrival.
    assert_eq!(seen(&store, 1, day(30)), known());
    pass(&store, day(31));
    assert_eq!(seen(&store, 1, day(31)), Some(BuyerState::Expired));
    let late = store.restore_buyers(&account(), date(0), &[again(1)], day(31)).unwrap();
    assert_eq!(late, 0, "what is over does not come back");
    assert_eq!(seen(&store, 4, day(31)), known());
}

/// Settles order `number` as delivered or held.
fn settle(store: &Store, number: u64, end: &End, now: Timestamp) {
    settle_in(store, number, end, now, false);
}

/// The same, with the buyer in Odoo or not.
fn settle_in(store: &Store, number: u64, end: &End, now: Timestamp, addressed: bool) {
    let id = order(number).parse().unwrap();
    let leases = store.lease(&account(), now, 1000).unwrap().jobs;
    let (mine, others): (Vec<_>, Vec<_>) =
        leases.into_iter().partition(|leased| leased.job.order_id == id);
    store.give_back(&others);
    let mut dossier = mine[0].dossier.clone();
    let base = Base { addressed, ..Base::default() };
    dossier.mapping = Some(Mapping { base, ..mapping(5) });
    assert!(
        store.settle(vec![mine[0].settlement(Some(dossier), end.clone())], now).unwrap().is_empty()
    );
}

#[test]
fn warnings_count_orders_that_still_wait() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for number in 1..=4 {
        take(&store, number, day(0));
    }
    // A second family of an order that waits is not a second order.
    let facts = vec![(fact(&order(3), ALL, Some(1), 1), Some(buyer("Max")))];
    store.take(&account(), &file(1), facts, None, day(0)).unwrap();
    settle(&store, 1, &End::Done(Outcome::Delivered), day(0));
    settle(&store, 2, &End::Held(vec![hold(HoldCode::Sku, "X")]), day(0));
    assert!(store.waits(day(19)).unwrap().is_empty());
    let told: Vec<(i64, i64)> = (20..=30)
        .filter_map(|number| {
            let waits = store.waits(day(number)).unwrap();
            assert_eq!((waits[0].day, waits[0].ends, waits[0].orders), (date(0), date(31), 3));
            let level = waits[0].warning?;
            store.warned(date(0), level).unwrap();
            Some((number, level))
        })
        .collect();
    assert_eq!(told, [(20, 20), (27, 27)]);
    assert!(store.waits(day(31)).unwrap().is_empty());
    drop(store);
    // A restart tells nothing twice.
    let store = open(dir.path());
    assert_eq!(store.waits(day(28)).unwrap()[0].warning, None);
}

#[test]
fn a_delivered_order_keeps_no_trace_of_its_buyer_after_its_day() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    take(&store, 1, day(0));
    settle(&store, 1, &End::Done(Outcome::Delivered), day(0));
    pass(&store, day(31));
    well(&store);
    // The stub is gone, so a repeat is looked at once more, and then never again.
    let again = |now| {
        let facts = vec![(fact(&order(1), SHIP, Some(1), 1), Some(buyer("Erika")))];
        let taken = store.take(&account(), &file(2), facts, None, now).unwrap();
        (taken.changed, taken.unchanged)
    };
    assert_eq!(again(day(31)), (1, 0));
    settle(&store, 1, &End::Done(Outcome::Delivered), day(31));
    assert_eq!(
        again(day(32)),
        (1, 0),
        "counted as this file's news: it is the one that spoke last"
    );
    let facts = vec![(fact(&order(1), SHIP, Some(1), 1), Some(buyer("Erika")))];
    let taken = store.take(&account(), &file(3), facts, None, day(32)).unwrap();
    assert_eq!((taken.changed, taken.unchanged), (0, 1));
    let id = order(1).parse().unwrap();
    let job = store.job(&account(), &id).unwrap().unwrap();
    assert_eq!(job.state, JobState::Done(Outcome::Delivered));
}

#[test]
fn what_odoo_has_of_a_buyer_is_dropped_also_while_the_order_waits() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let noted = BuyerFact { notes: vec!["ring twice".into()], ..buyer("Erika") };
    for (number, said) in [(1, buyer("Erika")), (2, noted.clone()), (3, noted.clone())] {
        let facts = vec![(fact(&order(number), SHIP, Some(1), 1), Some(said))];
        store.take(&account(), &file(1), facts, None, day(0)).unwrap();
    }
    let held = End::Held(vec![hold(HoldCode::Release, "")]);
    for (number, addressed) in [(1, true), (2, true), (3, false)] {
        settle_in(&store, number, &held, day(0), addressed);
    }
    assert_eq!(seen(&store, 1, day(0)), Some(BuyerState::Dropped));
    let notes = BuyerFact { notes: noted.notes.clone(), ..BuyerFact::default() };
    assert_eq!(seen(&store, 2, day(0)), Some(BuyerState::Known(notes.into())));
    assert_eq!(seen(&store, 3, day(0)), Some(BuyerState::Known(noted.into())), "not in Odoo yet");
    // A repeat of the same is recognised.
    let facts = vec![(fact(&order(1), SHIP, Some(1), 1), Some(buyer("Erika")))];
    assert_eq!(store.take(&account(), &file(2), facts, None, day(1)).unwrap().unchanged, 1);
    well(&store);
}

#[test]
fn after_18_months_only_what_stands_in_odoo_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for number in 1..=3 {
        take(&store, number, day(0));
    }
    settle(&store, 1, &End::Done(Outcome::Delivered), day(0));
    settle(&store, 2, &End::Held(vec![hold(HoldCode::Sku, "X")]), day(0));
    take(&store, 4, day(100));
    let aged = store.age_records(None, 100, day(547)).unwrap();
    assert_eq!((aged.settled, aged.buried), (0, 0));
    // In two looks.
    let first = store.age_records(None, 2, day(549)).unwrap();
    let rest = store.age_records(first.next, 100, day(549)).unwrap();
    assert_eq!((first.settled + rest.settled, first.buried + rest.buried), (1, 2));
    assert_eq!(rest.next, None);
    let dossier = |number| {
        let id = order(number).parse().unwrap();
        store.dossier(&account(), &id).unwrap().unwrap()
    };
    assert!(dossier(1).facts.is_empty() && dossier(1).mapping.is_some());
    assert!(dossier(2).facts.is_empty() && dossier(3).facts.is_empty());
    assert_eq!(dossier(4).facts.len(), 1);
    let id = order(2).parse().unwrap();
    match store.job(&account(), &id).unwrap().unwrap().state {
        JobState::Dead(death) => {
            assert_eq!(death.code, "payload-expired");
            assert!(death.words.contains("18 months"));
        }
        other => panic!("{other:?}"),
    }
    let again = store.age_records(None, 100, day(550)).unwrap();
    assert_eq!((again.settled, again.buried), (0, 0));
    well(&store);
}

fn record(number: u64, state: FileState, ended: Timestamp) -> FileRecord {
    FileRecord {
        id: file(number),
        account: account(),
        name: None,
        sha256: [0; 32],
        bytes: 5,
        claimed_at: ended,
        state,
        since: ended,
        envelope: "age".into(),
        family: Some(SHIP),
        charset: "UTF-8".into(),
        counts: Counts::default(),
        faults: Vec::new(),
        notices: Vec::new(),
        refusal: None,
        described: DocumentInfo::default(),
        wait: None,
    }
}

#[test]
fn files_are_forgotten_after_a_year() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let files = [
        (1, FileState::Done, 0),
        (2, FileState::Rejected, 1),
        (3, FileState::Work, 0),
        (4, FileState::Done, 9),
    ];
    for (number, state, on) in files {
        store.put_file(&record(number, state, day(on))).unwrap();
    }
    assert_eq!(store.age_files(100, day(366)).unwrap(), 0);
    assert_eq!(store.age_files(100, day(368)).unwrap(), 2);
    let left: Vec<bool> =
        (1..=4).map(|number| store.file(&file(number)).unwrap().is_some()).collect();
    assert_eq!(left, [false, false, true, true]);
}

#[test]
fn unsettled_orders_of_a_file_go_into_the_journal_before_it_goes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for number in 1..=3 {
        take(&store, number, day(0));
    }
    settle(&store, 1, &End::Done(Outcome::Delivered), day(0));
    settle(&store, 2, &End::Held(vec![hold(HoldCode::Sku, "X")]), day(0));
    assert_eq!(store.keep_unsettled(&file(1)).unwrap(), 2);
    assert_eq!(store.keep_unsettled(&file(9)).unwrap(), 0);
    store.close().unwrap();
    let store = open(dir.path());
    let mut kept = Vec::new();
    store
        .notes(|note| {
            if let Note::Kept { dossier, state, .. } = note {
                kept.push((dossier.order_id.to_string(), dossier.facts.len(), state.name()));
            }
        })
        .unwrap();
    kept.sort();
    assert_eq!(kept, [(order(2), 1, "held"), (order(3), 1, "pending")]);
    // Nothing of the buyer went with it.
    pass(&store, day(31));
    let mut destroyed = Vec::new();
    store
        .notes(|note| {
            if let Note::DayDestroyed { day } = note {
                destroyed.push(day);
            }
        })
        .unwrap();
    assert_eq!(destroyed, [date(0)]);
}
