//! The state is lost, the decisions of people are not: against a scripted Odoo, what was decided is
//! neither asked again nor done again, what was not done yet is done, and what changed since is asked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use odoo_spoold::control::hold;
use odoo_spoold::control::wire::{Decide, Release};
use odoo_spoold::model::{Accept, AccountId, HoldCode, JobState, Note, Outcome};
use odoo_spoold::store::Buried;
use serde_json::json;

use crate::support::fake_odoo::{FakeOdoo, Flavor};
use crate::support::lab::runtime;
use crate::support::sales::{Report, order_id, shipped_by_seller};
use crate::support::shop::{installation, shop};
use crate::support::spoold::{Installation, Spoold};

const DELIVERED: JobState = JobState::Done(Outcome::Delivered);

/// A fake Odoo and a daemon's files.
struct Place {
    fake: FakeOdoo,
    files: Installation,
}

/// Orders of so many units each, 10.00 a unit, updated on that day.
fn report(orders: &[u64], fulfilled_by: &str, day: u32, status: &str, units: u64) -> Vec<u8> {
    let mut report = Report::all_orders();
    for n in orders {
        report.row(&[
            ("amazon-order-id", &order_id(*n)),
            ("purchase-date", "2025-04-08T07:07:00+00:00"),
            ("last-updated-date", &format!("2025-04-{day:02}T08:00:00+00:00")),
            ("order-status", status),
            ("fulfillment-channel", fulfilled_by),
            ("sales-channel", "Amazon.de"),
            ("sku", "SKU-0001"),
            ("item-status", status),
            ("quantity", &units.to_string()),
            ("currency", "EUR"),
            ("item-price", &format!("{units}0.00")),
            ("ship-country", "DE"),
        ]);
    }
    report.text().into_bytes()
}

impl Place {
    fn new(flavor: Flavor) -> Self {
        let fake = shop(flavor);
        let mut files = installation(&fake, &["eu"], "");
        let text = files.config_text();
        let text = text.replace("prices = ", "fba_warehouse = \"WH\"\nprices = ");
        files.rewrite(&text, &files.keys_text());
        Self { fake, files }
    }

    fn take(&self, spoold: &Spoold, name: &str, bytes: &[u8]) {
        self.files.drop_bytes("eu", &format!("{name}.age"), bytes);
        spoold.wait_idle(&self.files);
    }

    /// The id of an order in Odoo.
    fn order(&self, n: u64) -> i64 {
        let orders = self.fake.records("sale.order");
        let found = orders.iter().find(|order| order["client_order_ref"] == json!(order_id(n)));
        found.unwrap()["id"].as_i64().unwrap()
    }

    fn line(&self, n: u64) -> i64 {
        let order = self.order(n);
        self.fake.tables(|tables| {
            let of =
                |id: &i64| tables.row("sale.order.line", *id).unwrap()["order_id"] == json!(order);
            tables.all_ids("sale.order.line").into_iter().find(of).unwrap()
        })
    }

    /// What a person does in Odoo.
    fn set_units(&self, n: u64, units: u64) {
        let line = self.line(n);
        self.fake.tables(|tables| {
            tables.set("sale.order.line", line, "product_uom_qty", json!(units));
        });
    }

    fn units(&self, n: u64) -> u64 {
        let line = self.line(n);
        let units = self.fake.tables(|tables| {
            tables.row("sale.order.line", line).unwrap()["product_uom_qty"].clone()
        });
        format!("{:.0}", units.as_f64().unwrap()).parse().unwrap()
    }

    /// The store is gone; started again, and rebuilt.
    fn lose_and_rebuild(&self, spoold: Spoold) -> Spoold {
        spoold.stop();
        std::fs::remove_dir_all(self.files.settings.state.dir.join("store")).unwrap();
        self.fake.forget_calls();
        let spoold = self.files.start();
        let desk = spoold.daemon.handle().desk;
        let runtime = runtime();
        let _inside = runtime.enter();
        desk.rebuild(None, false).unwrap();
        spoold.wait("the rebuild to end", || !desk.rebuilding().running);
        assert_eq!(desk.rebuilding().error, None);
        spoold
    }

    fn decide(&self, spoold: &Spoold, n: u64, accept: Accept) {
        let order_id = Some(order_id(n).parse().unwrap());
        let request = Decide { account: eu(), order_id, all: false, accept };
        let answer = hold::decide(&spoold.daemon.handle(), &request, Some(1000)).unwrap();
        assert_eq!(answer.orders, 1);
    }
}

fn eu() -> AccountId {
    "eu".parse().unwrap()
}

fn state(spoold: &Spoold, n: u64) -> JobState {
    spoold.job(&eu(), &order_id(n)).unwrap().state
}

/// What is asked about an order.
fn asked(spoold: &Spoold, n: u64) -> String {
    let mut holds = spoold.holds_of(&eu(), &order_id(n));
    holds.retain(|hold| hold.code == HoldCode::Conflict);
    holds.into_iter().map(|hold| hold.text).collect::<Vec<_>>().join("; ")
}

fn pause(spoold: &Spoold) {
    let now = spoold.daemon.clock.now();
    assert!(spoold.daemon.store.pause(Some(&eu()), Some(7), false, now).unwrap());
}

fn go_on(place: &Place, spoold: &Spoold) {
    let pause = spoold.daemon.store.paused(&eu()).unwrap();
    assert_eq!(pause.by, Some(7), "who paused it");
    spoold.daemon.store.resume(Some(&eu()), spoold.daemon.clock.now()).unwrap();
    spoold.daemon.delivery.wake(&eu());
    spoold.wait_idle(&place.files);
}

#[test]
fn what_was_decided_is_neither_asked_nor_done_again() {
    for flavor in [Flavor::V19, Flavor::V14] {
        let place = Place::new(flavor);
        let all = [1, 2, 3, 4, 5, 6];
        let spoold = place.files.start();
        place.take(&spoold, "one", &report(&all, "Amazon", 9, "Shipped", 1));
        for n in all {
            place.set_units(n, 5);
        }
        place.take(&spoold, "two", &report(&all, "Amazon", 10, "Shipped", 2));
        for n in all {
            assert!(asked(&spoold, n).contains("quantity 5, Amazon says quantity 2"));
        }
        // 1: kept. 2: written over. 3: kept, and changed since. 6: written over, and changed back.
        for (n, accept) in [
            (1, Accept::Odoo),
            (2, Accept::Marketplace),
            (3, Accept::Odoo),
            (6, Accept::Marketplace),
        ] {
            place.decide(&spoold, n, accept);
        }
        spoold.wait_idle(&place.files);
        assert_eq!([1, 2, 3, 6].map(|n| place.units(n)), [5, 2, 5, 2]);
        place.set_units(3, 6);
        place.set_units(6, 5);
        // 4 and 5: decided, and not acted on before the loss.
        pause(&spoold);
        place.decide(&spoold, 4, Accept::Odoo);
        place.decide(&spoold, 5, Accept::Marketplace);

        let spoold = place.lose_and_rebuild(spoold);
        go_on(&place, &spoold);
        for n in [1, 2, 4, 5] {
            assert_eq!(asked(&spoold, n), "", "{n}");
            assert_eq!(state(&spoold, n), DELIVERED, "{n}");
        }
        assert!(asked(&spoold, 3).contains("quantity 6, Amazon says quantity 2"));
        assert!(asked(&spoold, 6).contains("quantity 5, Amazon says quantity 2"));
        assert_eq!(all.map(|n| place.units(n)), [5, 2, 6, 5, 2, 5]);
        // Nothing was written but what was decided and not done.
        let written: Vec<_> = place.fake.calls_of("sale.order.line", "load");
        assert_eq!(written.len(), 1, "{written:?}");

        // With a base again: the declined value stays declined, another is asked.
        place.take(&spoold, "three", &report(&[1], "Amazon", 11, "Shipped", 2));
        assert_eq!((asked(&spoold, 1), place.units(1)), (String::new(), 5));
        place.take(&spoold, "four", &report(&[1, 4], "Amazon", 12, "Shipped", 3));
        for n in [1, 4] {
            assert!(asked(&spoold, n).contains("quantity 5, Amazon says quantity 3"), "{n}");
            assert_eq!(place.units(n), 5);
        }
        // And once more lost: also what was asked before, and decided since.
        place.decide(&spoold, 3, Accept::Odoo);
        place.decide(&spoold, 4, Accept::Odoo);
        spoold.wait_idle(&place.files);
        let spoold = place.lose_and_rebuild(spoold);
        spoold.wait_idle(&place.files);
        for n in [2, 3, 4, 5] {
            assert_eq!((asked(&spoold, n), state(&spoold, n)), (String::new(), DELIVERED), "{n}");
        }
        assert!(asked(&spoold, 1).contains("quantity 3"));
        assert_eq!(all.map(|n| place.units(n)), [5, 2, 6, 5, 2, 5]);
        spoold.stop();
    }
}

/// A dispute about people: the note of it names nobody.
#[test]
fn a_declined_buyer_is_not_asked_again_and_not_in_the_journal() {
    let place = Place::new(Flavor::V19);
    let spoold = place.files.start();
    place.take(&spoold, "one", &report(&[1], "Merchant", 9, "Unshipped", 1));
    // No address yet; a person confirms it all the same.
    let id = place.order(1);
    place.fake.tables(|tables| tables.set("sale.order", id, "state", json!("sale")));
    let mut buyers = Report::order_report();
    shipped_by_seller(&mut buyers, 1, 4711, "SKU-0001", 1000);
    place.take(&spoold, "two", buyers.text().as_bytes());
    assert!(asked(&spoold, 1).contains("partner differs"), "{}", asked(&spoold, 1));
    place.decide(&spoold, 1, Accept::Odoo);
    spoold.wait_idle(&place.files);
    assert_eq!(state(&spoold, 1), DELIVERED);

    let spoold = place.lose_and_rebuild(spoold);
    spoold.wait_idle(&place.files);
    assert_eq!((asked(&spoold, 1), state(&spoold, 1)), (String::new(), DELIVERED));
    assert_eq!(place.fake.calls_of("sale.order", "write").len(), 0);
    let mut told = Vec::new();
    let every = |note| {
        if let Note::Ruled { .. } = &note {
            told.push(format!("{note:?}"));
        }
    };
    spoold.daemon.store.notes(every).unwrap();
    assert!(told.len() >= 2, "{told:?}");
    assert!(told.iter().any(|note| note.contains("\"partner_id\"")), "{told:?}");
    for note in told {
        for word in ["Buyer", "Lane", "Musterstadt", "07199", "@"] {
            assert!(!note.contains(word), "{word}: {note}");
        }
    }
    // A customer whom a person chose since is no anonymous one, and is left as it is.
    let other = place.fake.insert("res.partner", json!({"name": "Somebody else"}));
    place.fake.tables(|tables| tables.set("sale.order", id, "partner_id", json!(other)));
    let spoold = place.lose_and_rebuild(spoold);
    spoold.wait_idle(&place.files);
    assert_eq!(place.fake.calls_of("sale.order", "write").len(), 0);
    let chosen =
        place.fake.tables(|tables| tables.row("sale.order", id).unwrap()["partner_id"].clone());
    assert_eq!(chosen, json!(other));
    spoold.stop();
}

#[test]
fn an_order_that_a_person_cancelled_stays_so() {
    let place = Place::new(Flavor::V19);
    let spoold = place.files.start();
    place.take(&spoold, "one", &report(&[1, 2], "Amazon", 9, "Shipped", 1));
    for n in [1, 2] {
        let id = place.order(n);
        place.fake.tables(|tables| tables.set("sale.order", id, "state", json!("cancel")));
        let key = spoold.daemon.store.key(&eu(), &order_id(n).parse().unwrap()).unwrap();
        let now = spoold.daemon.clock.now();
        spoold.daemon.store.requeue(Buried::Record(key), now).unwrap();
    }
    spoold.daemon.delivery.wake(&eu());
    spoold.wait_idle(&place.files);
    for n in [1, 2] {
        assert!(asked(&spoold, n).contains("cancelled in Odoo and alive"), "{}", asked(&spoold, n));
    }
    place.decide(&spoold, 1, Accept::Odoo);
    spoold.wait_idle(&place.files);
    let spoold = place.lose_and_rebuild(spoold);
    spoold.wait_idle(&place.files);
    assert_eq!(state(&spoold, 1), JobState::Done(Outcome::KeptInOdoo));
    assert!(asked(&spoold, 2).contains("cancelled in Odoo and alive"), "{}", asked(&spoold, 2));
    spoold.stop();
}

/// A dismissal is a person's decision: what was looked at once is not listed again.
#[test]
fn what_was_dismissed_stays_dismissed() {
    use odoo_spoold::model::{Attention, AttentionCode, Subject};
    let place = Place::new(Flavor::V19);
    let spoold = place.files.start();
    place.take(&spoold, "one", &report(&[1], "Amazon", 8, "Shipped", 1));
    let at = jiff::Timestamp::UNIX_EPOCH;
    let of = |subject| Attention::new(subject, AttentionCode::BelowDelivered, "l", "less", at);
    let subjects = [Subject::Record(order_id(1).parse().unwrap()), Subject::Account];
    for subject in &subjects {
        let store = &spoold.daemon.store;
        assert!(store.attend(&eu(), of(subject.clone())).unwrap());
        assert_eq!(store.dismiss(&eu(), subject, None, at).unwrap(), 1);
    }
    let spoold = place.lose_and_rebuild(spoold);
    spoold.wait_idle(&place.files);
    for subject in subjects {
        spoold.daemon.store.attend(&eu(), of(subject)).unwrap();
    }
    let (listed, _) = spoold.daemon.store.attention(None, 9).unwrap();
    assert!(listed.is_empty(), "{listed:?}");
    spoold.stop();
}

/// A damaged journal is not only a line in the log of one start: it is listed until somebody saw it.
#[test]
fn night_p4_a_damaged_journal_is_to_be_looked_at() {
    use odoo_spoold::model::{AttentionCode, Subject};
    let place = Place::new(Flavor::V19);
    let spoold = place.files.start();
    place.take(&spoold, "one", &report(&[1], "Amazon", 8, "Shipped", 1));
    spoold.stop();
    let path = place.files.settings.state.dir.join("journal/decisions");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 5;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let listed = |spoold: &Spoold| {
        let (found, _) = spoold.daemon.store.attention(Some(&eu()), 9).unwrap();
        found.into_iter().flat_map(|noticed| noticed.entries).collect::<Vec<_>>()
    };
    let spoold = place.files.start();
    let found = listed(&spoold);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].code, &found[0].subject),
        (AttentionCode::JournalDamaged, &Subject::Account)
    );
    assert!(
        found[0].text.contains("(byte ") && found[0].text.contains("1 entry missing"),
        "{}",
        found[0].text
    );
    let at = jiff::Timestamp::UNIX_EPOCH;
    spoold.daemon.store.dismiss(&eu(), &Subject::Account, None, at).unwrap();
    spoold.stop();
    let spoold = place.files.start();
    assert!(listed(&spoold).is_empty());
    spoold.stop();
}

/// A journal that was cut at the border of an entry looks whole: the database knows how long it was.
#[test]
fn night_p4_a_journal_that_ends_early_is_told_by_how_many_entries() {
    use odoo_spoold::control::wire::{ConcernKind, Dismiss};
    use odoo_spoold::control::{attention, status};
    use odoo_spoold::model::AttentionCode;
    let place = Place::new(Flavor::V19);
    let spoold = place.files.start();
    place.take(&spoold, "one", &report(&[1], "Amazon", 8, "Shipped", 1));
    place.take(&spoold, "two", &report(&[2], "Amazon", 8, "Shipped", 1));
    spoold.stop();
    let path = place.files.settings.state.dir.join("journal/decisions");
    let bytes = std::fs::read(&path).unwrap();
    let begins: Vec<usize> = (0..bytes.len())
        .filter(|&at| bytes.get(at..at + 4) == Some(b"\xF5nt\n".as_slice()))
        .collect();
    std::fs::write(&path, &bytes[..begins[begins.len() - 2]]).unwrap();
    let journal = |spoold: &Spoold| {
        let status = status::status(&spoold.daemon.handle()).unwrap();
        let found =
            status.concerns.into_iter().find(|concern| concern.kind == ConcernKind::Journal);
        found.map(|concern| (status.headline, concern.text))
    };
    let spoold = place.files.start();
    let (headline, text) = journal(&spoold).expect("a damaged journal is a concern");
    assert!(text.starts_with("the decision journal ends 2 entries early: put it back"), "{text}");
    assert!(text.contains("`odoo-spoold attention dismiss eu --code journal-damaged`"), "{text}");
    assert_eq!(headline, format!("Attention: {text}"));
    spoold.stop();
    // Also at the next start, which finds nothing wrong; until somebody has seen it.
    let spoold = place.files.start();
    assert!(journal(&spoold).is_some());
    let code = Some(AttentionCode::JournalDamaged);
    let request = Dismiss { account: eu(), order_id: None, file_id: None, code };
    assert_eq!(attention::dismiss(&spoold.daemon.handle(), &request).unwrap().entries, 1);
    assert_eq!(journal(&spoold), None);
    spoold.stop();
    let spoold = place.files.start();
    assert_eq!(journal(&spoold), None);
    spoold.stop();
}

/// AUDIT 1, kind (c): what a person released is passed again after a rebuild, and nothing else is.
#[test]
fn audit_01_a_release_survives_a_rebuild() {
    let place = Place::new(Flavor::V19);
    place.fake.tables(|tables| tables.amount_off = 1.0);
    let spoold = place.files.start();
    place.take(&spoold, "one", &report(&[1, 2], "Amazon", 9, "Shipped", 1));
    let waits = |spoold: &Spoold, n| {
        let holds = spoold.holds_of(&eu(), &order_id(n));
        holds.into_iter().map(|hold| hold.code).collect::<Vec<_>>()
    };
    assert_eq!([1, 2].map(|n| waits(&spoold, n)), [vec![HoldCode::Total], vec![HoldCode::Total]]);
    let request = Release {
        account: eu(),
        order_id: Some(order_id(1).parse().unwrap()),
        code: None,
        key: None,
    };
    assert_eq!(hold::release(&spoold.daemon.handle(), &request, Some(7)).unwrap().orders, 1);
    spoold.wait_idle(&place.files);
    assert_eq!(state(&spoold, 1), DELIVERED);

    // Not made just now: no other host is still at it.
    let id = place.order(2);
    place.fake.tables(|tables| {
        tables.set("sale.order", id, "create_date", json!("2025-04-08 07:07:00"));
    });
    place.fake.forget_calls();
    let spoold = place.lose_and_rebuild(spoold);
    spoold.wait_idle(&place.files);
    assert_eq!(state(&spoold, 1), DELIVERED, "{:?}", spoold.holds_of(&eu(), &order_id(1)));
    let dossier =
        spoold.daemon.store.dossier(&eu(), &order_id(1).parse().unwrap()).unwrap().unwrap();
    assert_eq!((dossier.released.len(), dossier.released[0].by), (1, Some(7)));
    // The other waits: for its total, and because nobody knows why it is a quotation.
    assert!(matches!(state(&spoold, 2), JobState::Held(_)), "{:?}", state(&spoold, 2));
    assert!(place.fake.calls_of("sale.order", "action_confirm").is_empty());
    spoold.stop();
}
