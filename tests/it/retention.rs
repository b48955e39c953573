//! The daemon as days go by: buyers expire, files go, lost day keys are mended from the sealed files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use odoo_spoold::clock::Manual;
use odoo_spoold::control::status;
use odoo_spoold::daemon::Kept;
use odoo_spoold::model::{AccountId, HoldCode, JobState, Note, Outcome};
use serde_json::json;

use crate::canary::marks;
use crate::support::fake_odoo::{self, FakeOdoo, Flavor};
use crate::support::lab::{Lab, versions};
use crate::support::sales::{Report, order_id, shipped_by_amazon, shipped_by_seller};
use crate::support::spoold::{Installation, Spoold, keys_text};

const DAY: Duration = Duration::from_hours(24);

/// An Odoo without products, but for those of fees.
fn shop() -> FakeOdoo {
    let fake = FakeOdoo::start_new(Flavor::V19);
    let unit = fake.insert("uom.uom", json!({"name": "Units"}));
    let company = fake.records("res.company")[0]["id"].clone();
    for code in ["AMZ-SHIPPING", "AMZ-GIFT-WRAP", "AMZ-PROMOTION", "AMZ-ROUNDING"] {
        fake.insert("product.product", json!({"name": code, "default_code": code, "uom_id": unit}));
    }
    fake.insert("stock.warehouse", json!({"name": "Main", "code": "WH", "company_id": company}));
    fake
}

/// Ends what orders are held for.
fn stock(fake: &FakeOdoo, sku: &str) {
    let unit = fake.records("uom.uom")[0]["id"].clone();
    fake.insert("product.product", json!({"name": sku, "default_code": sku, "uom_id": unit}));
}

/// `account` and `market` are further lines of those tables.
fn installation(fake: &FakeOdoo, account: &str, market: &str) -> Installation {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let text = format!(
        "[odoo]\nurl = \"{}\"\ndatabase = \"{}\"\nlogin = \"{}\"\n\
         [spool]\ndir = \"{at}/spool\"\n[state]\ndir = \"{at}/state\"\n\
         [keys]\nfile = \"{at}/keys.toml\"\n[control]\nsocket = \"{at}/control.sock\"\n\
         [[account]]\nid = \"eu\"\nregion = \"EU\"\ncompany = \"Shop\"\nimport_from = 2001-01-01\n{account}\
         [[account.marketplace]]\nname = \"Amazon.de\"\npricelist = \"EUR\"\nprices = \"gross\"\n{market}\
         [[account.marketplace.tax]]\ndestination = \"*\"\nrate = \"0\"\ntax = \"none\"\ndefault = true\n",
        fake.url(),
        fake_odoo::DATABASE,
        fake_odoo::LOGIN
    );
    Installation::from_text(dir, &text, &keys_text(&["eu".to_owned()], fake_odoo::API_KEY))
}

fn clock() -> Manual {
    Manual::new("2026-03-01T10:00:00Z".parse().unwrap())
}

fn now(clock: &Manual) -> Timestamp {
    odoo_spoold::clock::Clock::now(clock)
}

fn start(installation: &Installation, clock: &Manual) -> Spoold {
    let spoold = Spoold::start_on(&installation.config, Arc::new(clock.clone()));
    keep(&spoold);
    spoold
}

fn keep(spoold: &Spoold) -> Kept {
    spoold.daemon.keep_house(&|| ()).unwrap()
}

/// Day after day, as a daemon that runs.
fn pass_days(spoold: &Spoold, clock: &Manual, days: u32) -> Vec<Kept> {
    (0..days)
        .map(|_| {
            clock.advance(DAY);
            keep(spoold)
        })
        .collect()
}

fn notices(spoold: &Spoold) -> Vec<String> {
    status::status(&spoold.daemon.handle()).unwrap().notices
}

/// Orders of the seller's with a buyer each.
fn orders(numbers: impl IntoIterator<Item = u64>) -> String {
    let mut report = Report::order_report();
    for number in numbers {
        shipped_by_seller(&mut report, number, number, "LATE", 1250);
    }
    report.text()
}

fn held(spoold: &Spoold, account: &AccountId, number: u64, code: HoldCode) -> bool {
    spoold.holds_of(account, &order_id(number)).iter().any(|hold| hold.code == code)
}

/// Waits while the account's settings and Odoo are looked at again.
fn wait_for(spoold: &Spoold, clock: &Manual, what: &str, mut is: impl FnMut() -> bool) {
    let account: AccountId = "eu".parse().unwrap();
    spoold.wait(what, || {
        clock.advance(Duration::from_secs(30));
        spoold.daemon.delivery.wake(&account);
        is()
    });
}

fn names(fake: &FakeOdoo) -> Vec<String> {
    let partners = fake.records("res.partner");
    let mut names: Vec<String> =
        partners.iter().map(|p| p["name"].as_str().unwrap_or_default().to_owned()).collect();
    names.sort();
    names
}

fn key_files(installation: &Installation) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(installation.settings.state.dir.join("daykeys")).unwrap();
    let paths = listed.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "key")).collect()
}

fn ended(installation: &Installation, folder: &str) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(installation.folder("eu", folder)).unwrap();
    listed.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_lost_day_key_is_mended_from_the_sealed_file() {
    let fake = shop();
    let installation = installation(&fake, "", "");
    let (clock, account) = (clock(), installation.account());
    installation.drop_bytes("eu", "orders.age", orders(1..=3).as_bytes());
    let spoold = start(&installation, &clock);
    spoold.wait_idle(&installation);
    assert!(held(&spoold, &account, 1, HoldCode::Sku));
    spoold.stop();
    for key in key_files(&installation) {
        std::fs::remove_file(key).unwrap();
    }

    clock.advance(DAY);
    let spoold = start(&installation, &clock);
    stock(&fake, "LATE");
    wait_for(&spoold, &clock, "delivery with the buyers", || {
        (1..=3).all(|n| spoold.outcome(&account, &order_id(n)) == Some(Outcome::Delivered))
    });
    let names = names(&fake);
    for buyer in 1..=3 {
        assert!(names.contains(&format!("Buyer {buyer}")), "{names:?}");
    }
    spoold.stop();
}

#[test]
fn where_the_file_is_gone_too_the_order_goes_on_like_expired() {
    let fake = shop();
    let installation = installation(&fake, "", "");
    let (clock, account) = (clock(), installation.account());
    installation.drop_bytes("eu", "orders.age", orders([1]).as_bytes());
    let spoold = start(&installation, &clock);
    spoold.wait_idle(&installation);
    spoold.stop();
    for path in key_files(&installation).into_iter().chain(ended(&installation, "done")) {
        std::fs::remove_file(path).unwrap();
    }
    stock(&fake, "LATE");
    let spoold = start(&installation, &clock);
    wait_for(&spoold, &clock, "the hold", || held(&spoold, &account, 1, HoldCode::AddressExpired));
    assert!(fake.records("sale.order").is_empty(), "nothing is created for nobody");
    // A file that lists it again ends it.
    installation.drop_bytes("eu", "again.age", orders([1]).as_bytes());
    wait_for(&spoold, &clock, "delivery", || {
        spoold.outcome(&account, &order_id(1)) == Some(Outcome::Delivered)
    });
    assert!(names(&fake).contains(&"Buyer 1".to_owned()));
    spoold.stop();
}

#[test]
fn an_expired_buyer_leaves_nothing_and_the_order_goes_on_anonymously() {
    let fake = shop();
    let market = "anonymous_partner = \"Nobody\"\n";
    let installation = installation(&fake, "confirm = false\n", market);
    let (clock, account) = (clock(), installation.account());
    let marked =
        orders([1, 2]).replace("Buyer 1", "CANARYA01buyername").replace("Sample", "CANARYA02");
    installation.drop_bytes("eu", "orders.age", marked.as_bytes());
    let spoold = start(&installation, &clock);
    spoold.wait_idle(&installation);

    let said = |days: &mut Vec<(usize, String)>, day| {
        days.extend(notices(&spoold).into_iter().map(|notice| (day, notice)));
    };
    let mut told = Vec::new();
    for day in 1..=30 {
        let kept = pass_days(&spoold, &clock, 1).remove(0);
        assert!(kept.believed && kept.destroyed.is_empty(), "day {day}: {kept:?}");
        said(&mut told, day);
    }
    let days: Vec<usize> = told.iter().map(|(day, _)| *day).collect();
    assert_eq!(days, (20..=30).collect::<Vec<_>>());
    assert_eq!(
        told[0].1,
        "2 orders still wait with buyer data of 2026-03-01; it is destroyed on 2026-04-01; \
         `odoo-spoold hold list`"
    );
    let status = status::status(&spoold.daemon.handle()).unwrap();
    assert_eq!(status.health, odoo_spoold::control::wire::Health::Attention);
    let kept = pass_days(&spoold, &clock, 1).remove(0);
    assert_eq!(kept.destroyed, ["2026-03-01".parse().unwrap()]);
    // The file went on day 31 as well: its 30 days were over after it.
    assert_eq!((kept.files, kept.stayed), (2, 0));
    assert!(notices(&spoold).is_empty());
    assert!(key_files(&installation).is_empty() && ended(&installation, "done").is_empty());

    stock(&fake, "LATE");
    wait_for(&spoold, &clock, "delivery with the anonymous partner", || {
        [1, 2].iter().all(|n| spoold.outcome(&account, &order_id(*n)) == Some(Outcome::Delivered))
    });
    let names = names(&fake);
    assert!(names.contains(&"Nobody".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("Buyer") || name.contains("CANARY")));
    spoold.stop();
    let found = marks(installation.dir.path());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_clock_ten_years_ahead_locks_and_destroys_nothing() {
    let fake = shop();
    let installation = installation(&fake, "", "");
    let (clock, account) = (clock(), installation.account());
    installation.drop_bytes("eu", "orders.age", orders([1]).as_bytes());
    let spoold = start(&installation, &clock);
    spoold.wait_idle(&installation);
    keep(&spoold);
    let right = now(&clock);

    clock.advance(DAY * 3650);
    let kept = keep(&spoold);
    assert!(!kept.believed && kept.destroyed.is_empty() && kept.files == 0, "{kept:?}");
    assert_eq!(kept.locked, ["2026-03-01".parse().unwrap()]);
    assert!(notices(&spoold)[0].contains("clock-ahead"), "{:?}", notices(&spoold));
    // What its hold ends for now is not sent without its buyer: it waits, and no attempt is used.
    stock(&fake, "LATE");
    wait_for(&spoold, &clock, "the order to wait for its buyer", || {
        let job = spoold.job(&account, &order_id(1)).unwrap();
        job.state == JobState::Pending && job.last_fault.as_deref() == Some("buyer-locked")
    });
    assert_eq!(spoold.job(&account, &order_id(1)).unwrap().attempt, 0);
    assert!(fake.records("sale.order").is_empty());
    spoold.stop();

    // It starts in 1970; then the clock is right again.
    clock.set("1970-01-01T00:00:30Z".parse().unwrap());
    let spoold = start(&installation, &clock);
    assert!(notices(&spoold)[0].contains("clock-behind"), "{:?}", notices(&spoold));
    clock.set(right + jiff::SignedDuration::from_hours(1));
    let kept = keep(&spoold);
    assert!(kept.believed && kept.destroyed.is_empty() && kept.files == 0, "{kept:?}");
    assert!(notices(&spoold).is_empty());
    wait_for(&spoold, &clock, "delivery", || {
        spoold.outcome(&account, &order_id(1)) == Some(Outcome::Delivered)
    });
    assert!(names(&fake).contains(&"Buyer 1".to_owned()));
    spoold.stop();
}

#[test]
fn after_60_days_off_a_time_service_is_witness_enough() {
    let fake = shop();
    let installation = installation(&fake, "", "");
    let clock = clock();
    installation.drop_bytes("eu", "orders.age", orders([1]).as_bytes());
    let spoold = start(&installation, &clock);
    spoold.wait_idle(&installation);
    spoold.stop();
    clock.advance(DAY * 60);
    let spoold = start(&installation, &clock);
    assert!(!keep(&spoold).believed);
    assert_eq!(key_files(&installation).len(), 1);
    clock.set_synchronised(true);
    let kept = keep(&spoold);
    assert_eq!((kept.destroyed.len(), kept.files), (1, 2), "{kept:?}");
    assert!(key_files(&installation).is_empty());
    // And from here on it is believed without.
    clock.set_synchronised(false);
    clock.advance(DAY);
    assert!(keep(&spoold).believed);
    spoold.stop();
}

#[test]
fn files_go_after_their_time_and_their_unsettled_orders_are_kept() {
    let fake = shop();
    let installation = installation(&fake, "", "");
    let mut text = installation.config_text();
    text = text.replace("[spool]\n", "[spool]\nkeep = \"2h\"\n");
    std::fs::write(&installation.config, text).unwrap();
    // What nobody knows goes by its own time.
    let stray = installation.folder("eu", "done").join("notes.txt");
    let clock = Manual::new(odoo_spoold::clock::Clock::now(&odoo_spoold::clock::System));
    installation.drop_bytes("eu", "orders.age", orders([1, 2]).as_bytes());
    installation.drop_bytes("eu", "nonsense.age", b"no report at all\n");
    let spoold = start(&installation, &clock);
    spoold.wait_idle(&installation);
    std::fs::write(&stray, "kept by somebody").unwrap();
    std::fs::create_dir(installation.folder("eu", "done").join("folder")).unwrap();
    assert_eq!(
        (ended(&installation, "done").len(), ended(&installation, "rejected").len()),
        (4, 2)
    );
    clock.advance(Duration::from_secs(2 * 3_600 - 60));
    assert_eq!(keep(&spoold).files, 0);
    clock.advance(Duration::from_secs(120));
    let kept = keep(&spoold);
    assert_eq!((kept.files, kept.stayed), (5, 0), "{kept:?}");
    assert_eq!(
        (ended(&installation, "done").len(), ended(&installation, "rejected").len()),
        (1, 0)
    );
    let mut kept = Vec::new();
    let note = |note| {
        if let Note::Kept { dossier, state, .. } = note {
            assert!(matches!(state, JobState::Held(_)));
            kept.push(dossier.order_id.to_string());
        }
    };
    spoold.daemon.store.notes(note).unwrap();
    kept.sort();
    let mut expected = [order_id(1), order_id(2)];
    expected.sort();
    assert_eq!(kept, expected);
    spoold.stop();
}

#[test]
fn an_order_whose_buyer_expired_is_delivered_with_the_anonymous_partner() {
    for version in versions("an expired buyer") {
        let lab = Lab::new(version, "expired");
        lab.fee_products();
        let mut installation = Installation::new(&lab, &["--marketplace", "Amazon.de"]);
        let name = "name = \"Amazon.de\"\n";
        let named = format!("{name}anonymous_partner = \"Amazon.de anonymous\"\n");
        let text = installation.config_text();
        assert!(text.contains(name), "{text}");
        installation.rewrite(&text.replace(name, &named), &installation.keys_text());
        let account = installation.account();
        // One that Amazon ships, with a buyer; one that the seller ships.
        let mut listed = Report::all_orders();
        shipped_by_amazon(&mut listed, 1, "Shipped", &[("LATE-1", 1, 1190)]);
        let mut reported = Report::order_report();
        for number in [1, 2] {
            shipped_by_seller(&mut reported, number, number, "LATE-1", 1190);
        }
        let clock = clock();
        let spoold = start(&installation, &clock);
        installation.drop_bytes("eu", "listed.age", listed.text().as_bytes());
        installation.drop_bytes("eu", "reported.age", reported.text().as_bytes());
        spoold.wait_idle(&installation);
        assert!(held(&spoold, &account, 1, HoldCode::Sku), "{}", spoold.describe(&account));
        let kept = pass_days(&spoold, &clock, 31);
        assert_eq!(kept.last().unwrap().destroyed.len(), 1);

        lab.products(["LATE-1"]);
        wait_for(&spoold, &clock, "delivery", || {
            spoold.outcome(&account, &order_id(1)) == Some(Outcome::Delivered)
                && held(&spoold, &account, 2, HoldCode::AddressExpired)
        });
        let orders = lab.orders();
        for (number, state) in [(1, "sale"), (2, "draft")] {
            let order = &orders[&order_id(number)];
            assert_eq!(order.state, state, "Odoo {version}, order {number}");
            assert_eq!(order.partner["name"], json!("Amazon.de anonymous"));
            assert_eq!(order.shipping["name"], json!("Amazon.de anonymous"));
        }
        let buyers = "select count(*) from res_partner where name like 'Buyer %'";
        assert_eq!(lab.count(buyers), 0, "Odoo {version}");
        assert_eq!(lab.outgoing(), 0, "nobody may be mailed");

        // The buyer comes once more: the quotation gets it and goes on.
        installation.drop_bytes("eu", "again.age", reported.text().as_bytes());
        wait_for(&spoold, &clock, "delivery with the buyer", || {
            spoold.outcome(&account, &order_id(2)) == Some(Outcome::Delivered)
        });
        let order = &lab.orders()[&order_id(2)];
        assert_eq!((order.state.as_str(), &order.partner["name"]), ("sale", &json!("Buyer 2")));
        spoold.stop();
    }
}
