//! A state directory of this schema opens and says what it said; one of another schema is refused and
//! stays as it is, to the byte. `tests/state/README.md` says what lies there and how it is made.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::cast_possible_wrap,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use odoo_spoold::model::{
    AccountId, Attention, AttentionCode, Base, Counts, DocumentInfo, Family, FileRecord, FileState,
    HoldCode, MappedItem, MappedLine, Mapping, Origin, OtherAmounts, Outcome, Refusal, RowFault,
    Stage, Subject,
};
use odoo_spoold::store::{
    BuyerState, End, FileFilter, JobFilter, Leased, Store, StoreError, StoreKeys, StoreOptions,
};
use serde_json::{Value, json};

use crate::store_support::*;

/// Says that the sample is to be made anew.
const FREEZE: &str = "ODOO_SPOOLD_FREEZE";
const EXPECTED: &str = "expected.json";
/// The state directory beside it.
const STATE: &str = "state";

/// The folder of a schema's sample.
fn sample(schema: u8) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/state/v{schema}"))
}

/// The schema that this program writes.
fn schema() -> u8 {
    let dir = tempfile::tempdir().unwrap();
    open_with(dir.path(), &keys_now()).close().unwrap();
    std::fs::read_to_string(dir.path().join("SCHEMA")).unwrap().trim().parse().unwrap()
}

/// Every file under a folder with its bytes, every folder without.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let (mut folders, mut found) = (vec![dir.to_owned()], BTreeMap::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let bytes = path.is_file().then(|| std::fs::read(&path).unwrap());
            if path.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, bytes);
        }
    }
    found
}

fn refused(dir: &Path) -> StoreError {
    Store::open(dir, &keys_now(), StoreOptions::default()).expect_err("must be refused")
}

/// The keys of the sample: two master keys, of which the first sealed the oldest values.
fn keys_then() -> StoreKeys {
    StoreKeys::new("m1", secret(1))
        .unwrap()
        .with_account(account(), secret(2))
        .with_account(other(), secret(3))
}

fn keys_now() -> StoreKeys {
    StoreKeys::new("m2", secret(4))
        .unwrap()
        .with_older("m1", secret(1))
        .unwrap()
        .with_account(account(), secret(2))
        .with_account(other(), secret(3))
}

fn other() -> AccountId {
    "na_1".parse().unwrap()
}

fn open_with(dir: &Path, keys: &StoreKeys) -> Store {
    Store::open(dir, keys, StoreOptions { cache_bytes: 8 * 1024 * 1024, ..StoreOptions::default() })
        .unwrap()
}

/// Later than everything in the sample.
fn later() -> Timestamp {
    at(90_000)
}

#[test]
fn a_state_of_this_schema_says_what_it_said() {
    let dir = tempfile::tempdir().unwrap();
    let frozen = sample(schema());
    if std::env::var_os(FREEZE).is_some() {
        if frozen.exists() {
            std::fs::remove_dir_all(&frozen).unwrap();
        }
        freeze(&frozen);
    }
    let frozen = if frozen.exists() {
        frozen
    } else {
        let fresh = dir.path().join("fresh");
        freeze(&fresh);
        fresh
    };
    let text = std::fs::read_to_string(frozen.join(EXPECTED)).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let copy = dir.path().join("copy");
    copy_dir(&frozen.join(STATE), &copy);
    // Twice: what opening rewrites must say the same.
    for time in ["first", "second"] {
        let store = open_with(&copy, &keys_now());
        assert_eq!(store.verify().unwrap(), [""; 0]);
        let told = tell(&store);
        for (part, said) in expected.as_object().unwrap() {
            assert_eq!(&told[part], said, "{part}, the {time} time");
        }
        assert_eq!(told.as_object().unwrap().len(), expected.as_object().unwrap().len());
        store.close().unwrap();
    }
    // And it goes on from there.
    let store = open_with(&copy, &keys_now());
    let news = fact(&order(1), Family::AllOrders, Some(9), 5);
    let taken = store.take(&account(), &file(900), vec![(news, None)], None, later()).unwrap();
    assert_eq!(taken.changed, 1, "a known order is known");
    let old = fact(&order(1), Family::AllOrders, Some(1), 2);
    let taken = store.take(&account(), &file(901), vec![(old, None)], None, later()).unwrap();
    assert_eq!(taken.older, 1, "what was said before is not news");
    assert_eq!(store.verify().unwrap(), [""; 0]);
}

#[test]
fn a_state_of_schema_1_is_refused_and_untouched() {
    let dir = tempfile::tempdir().unwrap();
    copy_dir(&sample(1).join(STATE), dir.path());
    let before = contents(dir.path());
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::OlderSchema { found: 1, .. }), "{error:?}");
    assert!(error.needs_person());
    assert_eq!(error.code(), "state-schema-old");
    assert!(error.to_string().contains("odoo-spoold 0.1.0"), "{error}");
    assert!(before == contents(dir.path()), "the state was touched");
}

/// Its database or its SCHEMA file may be gone: the journal's head says of which version it is.
#[test]
fn a_journal_of_schema_1_is_refused_and_untouched() {
    let damages: [fn(&Path); 3] = [
        |dir| std::fs::remove_dir_all(dir.join("store")).unwrap(),
        |dir| std::fs::remove_file(dir.join("SCHEMA")).unwrap(),
        |dir| std::fs::write(dir.join("SCHEMA"), "garbage").unwrap(),
    ];
    for damage in damages {
        let dir = tempfile::tempdir().unwrap();
        copy_dir(&sample(1).join(STATE), dir.path());
        damage(dir.path());
        let before = contents(dir.path());
        let error = refused(dir.path());
        assert_eq!(error.code(), "state-schema-old", "{error:?}");
        assert!(before == contents(dir.path()), "the state was touched");
    }
    // A SCHEMA file of today beside it does not make it one of today.
    let dir = tempfile::tempdir().unwrap();
    copy_dir(&sample(1).join(STATE), dir.path());
    std::fs::write(dir.path().join("SCHEMA"), format!("{}\n", schema())).unwrap();
    let before = contents(dir.path());
    assert_eq!(refused(dir.path()).code(), "state-schema-old");
    assert!(before == contents(dir.path()), "the state was touched");
    // Nor is it read without the rest.
    let read = odoo_spoold::store::journal::read(dir.path(), &keys_now());
    assert_eq!(read.expect_err("must be refused").code(), "state-schema-old");
}

#[test]
fn the_sample_needs_its_own_keys() {
    let dir = tempfile::tempdir().unwrap();
    freeze(dir.path());
    let wrong = StoreKeys::new("m1", secret(77)).unwrap().with_account(account(), secret(2));
    let opened = Store::open(&dir.path().join(STATE), &wrong, StoreOptions::default());
    assert!(opened.is_err(), "opened with a key that sealed nothing");
}

/// Makes a state directory with one of everything, and what it says.
fn freeze(into: &Path) {
    std::fs::create_dir_all(into).unwrap();
    let state = into.join(STATE);
    let store = open_with(&state, &keys_then());
    fill_first(&store);
    store.close().unwrap();
    let store = open_with(&state, &keys_now());
    fill_second(&store);
    store.barrier().unwrap();
    let mut text = serde_json::to_string_pretty(&tell(&store)).unwrap();
    text.push('\n');
    store.close().unwrap();
    // The lock is made by who opens it.
    std::fs::remove_file(state.join("LOCK")).unwrap();
    std::fs::write(into.join(EXPECTED), text).unwrap();
}

/// Orders 1 to 4 under the first master key: delivered, held, dead, to be tried again.
fn fill_first(store: &Store) {
    store.installed(&account(), at(0)).unwrap();
    let facts = (1..=4)
        .map(|number| {
            let version = (number != 3).then_some(number as i64);
            let fact = fact(&order(number), Family::AllOrders, version, 2);
            (fact, Some(buyer(&format!("Büyer {number}"))))
        })
        .collect();
    store.take(&account(), &file(1), facts, None, at(0)).unwrap();
    let leased = store.lease(&account(), at(1), 10).unwrap().jobs;
    assert_eq!(leased.len(), 4);
    let settlements = leased.iter().map(|leased| {
        let (dossier, end) = match number(leased) {
            1 => (Some(mapped(leased)), End::Done(Outcome::Delivered)),
            2 => {
                let holds = vec![hold(HoldCode::Sku, "CANARY-SKU"), hold(HoldCode::Tax, "DE 19")];
                (None, End::Held(holds))
            }
            3 => (None, End::Dead(death("odoo-refused"))),
            _ => {
                let (due, fault) = (at(3_600), "odoo-busy".to_owned());
                (None, End::Retry { due, attempt: 3, fault })
            }
        };
        leased.settlement(dossier, end)
    });
    assert!(store.settle(settlements.collect(), at(2)).unwrap().is_empty());
    store.put_partners(&account(), [("buyer_1", 41), ("address_1", 42)]).unwrap();
    store.put_file(&file_record(1, FileState::Done)).unwrap();
    store.put_file(&file_record(2, FileState::Work)).unwrap();
    let refused = FileRecord {
        notices: Vec::new(),
        refusal: Some(Refusal {
            code: "header-unknown".into(),
            sentence: "the header is of no known report".into(),
            line: Some(1),
            column: None,
            next_step: "drop an order report".into(),
        }),
        family: None,
        ..file_record(3, FileState::Rejected)
    };
    store.put_file(&refused).unwrap();
}

/// Under the second master key: an order of three families with a stage, a refused one, one that
/// takes many cells, the other account, and a day later.
fn fill_second(store: &Store) {
    let day = 86_400;
    let facts = vec![
        (fact(&order(5), Family::AllOrders, Some(1), 1), None),
        (fact(&order(5), Family::Unshipped, Some(2), 1), Some(buyer("Other"))),
        (fact(&order(5), Family::OrderReport, None, 1), Some(buyer("Third"))),
        (faulty(&order(6), Family::Unshipped, Some(3)), None),
    ];
    store.take(&account(), &file(4), facts, None, at(day)).unwrap();
    let mut large = fact(&order(7), Family::AllOrders, Some(1), 1);
    let line = large.lines[0].clone();
    large.lines = (0..200).map(|_| line.clone()).collect();
    store.take(&account(), &file(5), vec![(large, None)], None, at(day)).unwrap();
    let elsewhere = fact(&order(8), Family::AllOrders, Some(1), 1);
    store.take(&other(), &file(6), vec![(elsewhere, None)], None, at(day)).unwrap();
    let leased = store.lease(&account(), at(day), 10).unwrap().jobs;
    let fifth = leased.iter().find(|leased| number(leased) == 5).unwrap();
    let mut dossier = mapped(fifth);
    if let Some(mapping) = &mut dossier.mapping {
        mapping.stage = Some(Stage::Confirming {
            since: at(day),
            before: Some(at(day)),
            unanswered: Some(at(day)),
        });
        mapping.origin = Origin::Adopted;
    }
    dossier.attention = vec![Attention::new(
        Subject::Record(order(5).parse().unwrap()),
        AttentionCode::AdoptedChanged,
        "changed",
        "changed after it was adopted",
        jiff::Timestamp::UNIX_EPOCH,
    )];
    assert!(store.save(fifth, &dossier).unwrap());
    store.give_back(&leased);
}

fn mapped(leased: &Leased) -> odoo_spoold::model::Dossier {
    let mut dossier = leased.dossier.clone();
    dossier.mapping = Some(Mapping {
        odoo_id: 1234,
        name: "S01234".into(),
        state: "sale".into(),
        items: vec![MappedItem {
            sku: "CANARY-SKU".parse().unwrap(),
            ordinal: 1,
            item_id: Some("07821".parse().unwrap()),
            quantity: 2,
            total: Some("12.50".parse().unwrap()),
            others: OtherAmounts::default(),
        }],
        lines: vec![MappedLine {
            external: "line_1".into(),
            odoo_id: 5678,
            quantity: "2".parse().unwrap(),
            price_unit: "6.25".parse().unwrap(),
            taxes: vec![7, 9],
        }],
        base: Base {
            date_order: "2025-11-20 00:00:00".into(),
            commitment_date: "2025-11-27 23:59:59".into(),
            partner_id: 41,
            partner_shipping_id: 42,
            amount_total: "12.50".parse().unwrap(),
            warehouse_id: 1,
            addressed: true,
            state: "sale".into(),
        },
        ..Mapping::by(Origin::Ours)
    });
    dossier
}

fn file_record(number: u64, state: FileState) -> FileRecord {
    FileRecord {
        id: file(number),
        account: account(),
        name: Some(format!("report-{number}.age")),
        sha256: [7; 32],
        bytes: 4_000 + number,
        claimed_at: at(number as i64),
        state,
        since: at(60),
        envelope: "age".into(),
        family: Some(Family::AllOrders),
        charset: "UTF-8".into(),
        counts: Counts { rows: 4, orders: 4, new: 4, ..Counts::default() },
        faults: vec![RowFault {
            line: 9,
            column: "quantity".into(),
            code: "row-number".into(),
            message: "is not a number".into(),
        }],
        notices: Vec::new(),
        refusal: None,
        described: DocumentInfo::default(),
        wait: None,
    }
}

fn number(leased: &Leased) -> u64 {
    leased.job.order_id.as_str().rsplit('-').next().unwrap().parse().unwrap()
}

/// Everything a store says, as JSON.
fn tell(store: &Store) -> Value {
    let mut orders = serde_json::Map::new();
    let page = store.jobs(&JobFilter::default(), 1_000, None).unwrap();
    assert!(page.unreadable.is_empty(), "{:?}", page.unreadable);
    for (_, job) in page.jobs {
        let dossier = store.dossier(&job.account, &job.order_id).unwrap();
        orders.insert(
            format!("{} {}", job.account, job.order_id),
            json!({"job": job, "dossier": dossier}),
        );
    }
    let mut buyers = serde_json::Map::new();
    for account in [account(), other()] {
        let leased = store.lease(&account, later(), 1_000).unwrap();
        assert!(leased.unreadable.is_empty());
        for leased in &leased.jobs {
            let said = leased.buyers.iter().map(|(family, state)| {
                let said = match state {
                    BuyerState::Known(buyer) => serde_json::to_value(buyer).unwrap(),
                    other => json!(format!("{other:?}")),
                };
                (family.name().to_owned(), said)
            });
            buyers.insert(leased.job.order_id.to_string(), Value::Object(said.collect()));
        }
        store.give_back(&leased.jobs);
    }
    let names = ["buyer_1", "address_1", "nobody"];
    let (skus, _) = store.held_keys(&account(), HoldCode::Sku, 100).unwrap();
    let stats = store.stats().unwrap();
    json!({
        "installation": store.installation(),
        "installed": store.installed(&account(), later()).unwrap(),
        "orders": orders,
        "buyers": buyers,
        "counts": store.counts().into_iter().map(|(id, tally)| (id.to_string(), json!(tally)))
            .collect::<serde_json::Map<_, _>>(),
        "held_skus": skus,
        "files": store.files(&FileFilter::default(), 100).unwrap(),
        "partners": store.partners(&account(), names).unwrap(),
        "day_keys": stats.day_keys,
        "oldest_day": stats.oldest_day,
    })
}

/// As git would: without empty folders.
fn copy_dir(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::create_dir_all(to).unwrap();
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
