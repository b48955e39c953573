//! What planning decides, through the whole daemon: against the fake Odoo.

use odoo_spoold::clock::Manual;
use odoo_spoold::model::{AccountId, HoldCode, JobState, Outcome};

use crate::real_support::unshipped;
use crate::support::fake_odoo::{FakeOdoo, Fault, Flavor};
use crate::support::sales::Report;
use crate::support::shop::{
    clock, fast_forward, installation, order_id, order_report, shop, start, state,
};
use crate::support::spoold::{Installation, Spoold};

struct Run {
    fake: FakeOdoo,
    place: Installation,
    clock: Manual,
    spoold: Spoold,
    eu: AccountId,
}

impl Run {
    fn new() -> Self {
        let fake = shop(Flavor::V19);
        let place = installation(&fake, &["eu"], "limit_time_real = \"10s\"");
        let clock = clock();
        let spoold = start(&place, &clock);
        Self { fake, place, clock, spoold, eu: "eu".parse().unwrap() }
    }

    fn take(&self, name: &str, bytes: &[u8]) {
        self.place.drop_bytes("eu", name, bytes);
        self.spoold.wait_idle(&self.place);
        fast_forward(&self.spoold, &self.clock, &self.eu);
    }

    /// The same while Odoo is taken for down: the clock moves once the file is in.
    fn take_meanwhile(&self, name: &str, bytes: &[u8]) {
        self.place.drop_bytes("eu", name, bytes);
        let order = order_id(0).parse().unwrap();
        self.spoold.wait("the file to be taken in", || {
            let dossier = self.spoold.daemon.store.dossier(&self.eu, &order).unwrap();
            dossier.is_some_and(|dossier| dossier.facts.len() == 2)
        });
        fast_forward(&self.spoold, &self.clock, &self.eu);
    }

    fn outcome(&self) -> JobState {
        state(&self.spoold, &self.eu, 0)
    }

    fn order(&self) -> String {
        let orders = self.fake.records("sale.order");
        assert!(orders.len() <= 1, "doubled");
        orders.first().map(|o| o["state"].as_str().unwrap().to_owned()).unwrap_or_default()
    }
}

/// All Orders of order 0.
fn all_orders(status: &str, hour: u32, quantity: &str, price: &str) -> Vec<u8> {
    let mut report = Report::all_orders();
    report.row(&[
        ("amazon-order-id", &order_id(0)),
        ("purchase-date", "2026-03-01T10:00:07+00:00"),
        ("last-updated-date", &format!("2026-03-01T{hour:02}:00:00+00:00")),
        ("order-status", status),
        ("fulfillment-channel", "Merchant"),
        ("sales-channel", "Amazon.de"),
        ("product-name", "Thing"),
        ("sku", "SKU-0001"),
        ("item-status", status),
        ("quantity", quantity),
        ("currency", "EUR"),
        ("item-price", price),
        ("ship-country", "DE"),
    ]);
    report.text().into_bytes()
}

#[test]
fn audit_02_an_order_whose_creation_was_lost_comes_whole() {
    let run = Run::new();
    run.fake.fail_next("sale.order", "load", Fault::DropBefore);
    // The order report has two rows of one unit.
    let report = String::from_utf8(order_report([0, 0])).unwrap();
    let (first, last) = report.trim_end().rsplit_once('\n').unwrap();
    let second = last.replace("\t00000000000\t", "\t00000000009\t");
    assert_ne!(last, second);
    run.place.drop_bytes("eu", "report.age", format!("{first}\n{second}\n").as_bytes());
    run.spoold.wait("the creation to be lost", || {
        let tally = run.spoold.tally(&run.eu);
        run.fake.faults_left() == 0 && tally.pending == 1 && tally.started == 0
    });
    assert!(run.fake.records("sale.order").is_empty());
    // All Orders has one row of two, and the sums agree.
    run.take_meanwhile("all.age", &all_orders("Unshipped", 12, "2", "39.98"));
    assert_eq!(run.outcome(), JobState::Done(Outcome::Delivered));
    let units: f64 = run
        .fake
        .records("sale.order.line")
        .iter()
        .map(|line| line["product_uom_qty"].as_f64().unwrap())
        .sum();
    assert_eq!((run.order().as_str(), units.to_string().as_str()), ("sale", "2"));
    run.spoold.stop();
}

#[test]
fn audit_02_an_order_without_rows_is_not_sent() {
    let run = Run::new();
    run.fake.fail_next("sale.order", "load", Fault::DropBefore);
    run.place.drop_bytes("eu", "report.age", &order_report([0, 1]));
    run.spoold.wait("the creation to be lost", || {
        let tally = run.spoold.tally(&run.eu);
        run.fake.faults_left() == 0 && tally.pending == 2 && tally.started == 0
    });
    // Nothing of the first is left, and the second does not suffer for it.
    run.take_meanwhile("all.age", &all_orders("Unshipped", 12, "0", "0.00"));
    assert_eq!(run.outcome(), JobState::Done(Outcome::Empty));
    assert_eq!(state(&run.spoold, &run.eu, 1), JobState::Done(Outcome::Delivered));
    run.spoold.stop();
}

#[test]
fn audit_07_a_cancellation_passes_a_refused_row() {
    let run = Run::new();
    run.take("report.age", &order_report([0]));
    assert_eq!(run.order(), "sale");
    let torn = unshipped([(order_id(0), 0, "SKU-0001", 1, 0)]);
    let torn = String::from_utf8(torn).unwrap().replace("\t1\t0\t1\t", "\tx\t0\t1\t");
    run.take("unshipped.age", torn.as_bytes());
    let holds = run.spoold.holds_of(&run.eu, &order_id(0));
    assert_eq!(holds.iter().map(|hold| hold.code).collect::<Vec<_>>(), [HoldCode::Row]);
    run.take("cancelled.age", &all_orders("Cancelled", 14, "1", "19.99"));
    assert_eq!(run.outcome(), JobState::Done(Outcome::Cancelled));
    assert_eq!(run.order(), "cancel");
    run.spoold.stop();
}

#[test]
fn audit_09_what_was_held_while_it_shipped_is_confirmed() {
    let run = Run::new();
    run.take("waits.age", &all_orders("Unshipped", 12, "1", "19.99"));
    let holds = run.spoold.holds_of(&run.eu, &order_id(0));
    assert_eq!(holds.iter().map(|hold| hold.code).collect::<Vec<_>>(), [HoldCode::Address]);
    assert_eq!(run.order(), "draft");
    run.take("shipped.age", &all_orders("Shipped", 14, "1", "19.99"));
    assert_eq!(run.outcome(), JobState::Done(Outcome::Delivered));
    assert_eq!(run.order(), "sale");
    run.spoold.stop();

    // In the other order of arrival it comes to the same.
    let run = Run::new();
    run.take("shipped.age", &all_orders("Shipped", 14, "1", "19.99"));
    assert_eq!(run.order(), "draft", "history");
    run.take("waits.age", &all_orders("Unshipped", 12, "1", "19.99"));
    assert_eq!(run.order(), "sale");
    run.spoold.stop();
}
