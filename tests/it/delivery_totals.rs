//! Odoo's total against Amazon's: nothing but a person's release of exactly these two values leads an
//! order past it. Against a scripted Odoo whose sums are off.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use odoo_spoold::clock::Manual;
use odoo_spoold::control::hold;
use odoo_spoold::control::wire::Release;
use odoo_spoold::model::{AccountId, HoldCode, JobState, Note, Outcome};
use odoo_spoold::store::{Buried, Waiting};
use serde_json::{Value, json};

use crate::support::fake_odoo::{FakeOdoo, Fault, Flavor};
use crate::support::sales::{Report, order_id, shipped_by_seller};
use crate::support::shop::{clock, fast_forward, installation, shop, start};
use crate::support::spoold::{Installation, Spoold};

const DELIVERED: JobState = JobState::Done(Outcome::Delivered);

struct Place {
    fake: FakeOdoo,
    files: Installation,
    clock: Manual,
    spoold: Spoold,
}

fn eu() -> AccountId {
    "eu".parse().unwrap()
}

/// Order 1 as All Orders has it: shipped by the seller, so many units of 10.00.
fn all_orders(day: u32, units: u64) -> Vec<u8> {
    let mut report = Report::all_orders();
    report.row(&[
        ("amazon-order-id", &order_id(1)),
        ("purchase-date", "2025-04-02T01:01:00+00:00"),
        ("last-updated-date", &format!("2025-04-{day:02}T08:00:00+00:00")),
        ("order-status", "Unshipped"),
        ("fulfillment-channel", "Merchant"),
        ("sales-channel", "Amazon.de"),
        ("sku", "SKU-0001"),
        ("item-status", "Unshipped"),
        ("quantity", &units.to_string()),
        ("currency", "EUR"),
        ("item-price", &format!("{units}0.00")),
        ("ship-country", "DE"),
    ]);
    report.text().into_bytes()
}

/// The same in an order report: with a buyer and an address, so that it is confirmed.
fn order_report() -> Vec<u8> {
    let mut report = Report::order_report();
    shipped_by_seller(&mut report, 1, 1, "SKU-0001", 1000);
    report.text().into_bytes()
}

impl Place {
    fn new(prepare: impl FnOnce(&FakeOdoo)) -> Self {
        let fake = shop(Flavor::V19);
        prepare(&fake);
        let files = installation(&fake, &["eu"], "limit_time_real = \"10s\"");
        let clock = clock();
        let spoold = start(&files, &clock);
        Self { fake, files, clock, spoold }
    }

    fn take(&self, name: &str, bytes: &[u8]) {
        self.files.drop_bytes("eu", &format!("{name}.age"), bytes);
        self.spoold.wait("the file to be taken in", || {
            self.spoold.tally(&eu()).total() > 0
                && std::fs::read_dir(self.files.settings.spool.dir.join("eu/incoming"))
                    .is_ok_and(|entries| entries.count() == 0)
                && std::fs::read_dir(self.files.settings.spool.dir.join("eu/work"))
                    .is_ok_and(|mut entries| entries.next().is_none())
        });
        self.settle();
    }

    fn settle(&self) {
        fast_forward(&self.spoold, &self.clock, &eu());
    }

    fn codes(&self) -> Vec<HoldCode> {
        let holds = self.spoold.holds_of(&eu(), &order_id(1));
        holds.into_iter().map(|hold| hold.code).collect()
    }

    fn state(&self) -> JobState {
        self.spoold.job(&eu(), &order_id(1)).unwrap().state
    }

    /// `state` of the order in Odoo.
    fn stands(&self) -> Value {
        self.fake.records("sale.order")[0]["state"].clone()
    }

    fn look_again(&self) {
        let key = self.spoold.daemon.store.key(&eu(), &order_id(1).parse().unwrap()).unwrap();
        let now = odoo_spoold::clock::Clock::now(&self.clock);
        self.spoold.daemon.store.requeue(Buried::Record(key), now).unwrap();
        self.spoold.daemon.delivery.wake(&eu());
        self.settle();
    }

    fn release(&self) {
        let order_id = Some(order_id(1).parse().unwrap());
        let request = Release { account: eu(), order_id, code: None, key: None };
        assert_eq!(
            hold::release(&self.spoold.daemon.handle(), &request, Some(7)).unwrap().orders,
            1
        );
        self.settle();
    }

    /// Amounts of the rounding line, and whether it stood there before the order was confirmed.
    fn rounding(&self) -> Vec<String> {
        let lines = self.fake.records("sale.order.line");
        let ours = lines.iter().filter(|line| line["name"] == json!("Rounding"));
        ours.map(|line| format!("{:.2}", line["price_unit"].as_f64().unwrap())).collect()
    }

    /// The calls that round and confirm, in their order.
    fn steps(&self) -> Vec<String> {
        let calls = self.fake.calls().into_iter();
        calls
            .filter(|call| {
                call.model == "sale.order.line" && call.method == "load"
                    || call.method == "action_confirm"
            })
            .map(|call| call.method)
            .collect()
    }
}

#[test]
fn audit_01_only_a_release_of_these_two_totals_leads_past_them() {
    let place = Place::new(|fake| fake.tables(|tables| tables.amount_off = 1.0));
    place.take("one", &all_orders(9, 1));
    assert_eq!(place.codes(), [HoldCode::Address, HoldCode::Total]);
    // The next fact of another family; a look that nothing asked for.
    place.take("two", &order_report());
    assert_eq!((place.codes(), place.stands()), (vec![HoldCode::Total], json!("draft")));
    place.look_again();
    assert_eq!((place.codes(), place.stands()), (vec![HoldCode::Total], json!("draft")));
    let holds = place.spoold.holds_of(&eu(), &order_id(1));
    assert_eq!((holds[0].ours.as_str(), holds[0].theirs.as_str()), ("11.00 EUR", "10.00 EUR"));
    assert!(place.fake.calls_of("sale.order", "action_confirm").is_empty());

    // Other values than a person released: asked again.
    place.release();
    assert_eq!((place.state(), place.stands()), (DELIVERED, json!("sale")));
    let dossier =
        place.spoold.daemon.store.dossier(&eu(), &order_id(1).parse().unwrap()).unwrap().unwrap();
    assert_eq!(dossier.released.len(), 1);
    let mut told = 0;
    let count = |note| told += usize::from(matches!(note, Note::Released { .. }));
    place.spoold.daemon.store.notes(count).unwrap();
    assert_eq!(told, 1);
    place.look_again();
    assert_eq!(place.state(), DELIVERED, "the same two values pass");
    place.take("three", &all_orders(10, 2));
    assert_eq!(place.codes(), [HoldCode::Total], "21.00 and 20.00 were not released");
    place.fake.tables(|tables| tables.amount_off = 0.0);
    place.look_again();
    assert_eq!(place.state(), DELIVERED, "and nothing is asked where they fit");
    place.spoold.stop();
}

#[test]
fn audit_01_a_the_rounding_line_is_made_whatever_comes_between() {
    let faults = [
        Fault::Page(503, "busy".to_owned()),
        Fault::DropBefore,
        Fault::ApplyThenDropConnection,
        Fault::Http500AfterCommit,
    ];
    for fault in faults {
        let place = Place::new(|fake| {
            fake.tables(|tables| tables.amount_off = 0.01);
            fake.fail_next("sale.order.line", "load", fault.clone());
        });
        place.take("one", &order_report());
        assert_eq!((place.state(), place.stands()), (DELIVERED, json!("sale")), "{fault:?}");
        assert_eq!(place.rounding(), ["-0.01"], "{fault:?}");
        let steps = place.steps();
        assert_eq!(steps.last().map(String::as_str), Some("action_confirm"), "{steps:?}");
        // Nothing more to round.
        place.fake.forget_calls();
        place.look_again();
        let writes = place.fake.write_calls();
        assert!(writes.iter().all(|call| call.model == "res.partner"), "{fault:?}: {writes:?}");
        place.spoold.stop();
    }
}

#[test]
fn audit_01_b_a_missing_rounding_product_that_appears_makes_the_line() {
    let place = Place::new(|fake| {
        fake.tables(|tables| {
            tables.amount_off = 0.01;
            let all = tables.all_ids("product.product");
            let is_rounding = |id: &i64| {
                tables.row("product.product", *id).unwrap()["default_code"] == json!("AMZ-ROUNDING")
            };
            let id = all.into_iter().find(is_rounding).unwrap();
            tables.delete("product.product", id);
        });
    });
    place.take("one", &order_report());
    assert_eq!((place.codes(), place.stands()), (vec![HoldCode::Sku], json!("draft")));
    place.look_again();
    assert_eq!((place.codes(), place.stands()), (vec![HoldCode::Sku], json!("draft")));
    let unit = place.fake.records("uom.uom")[0]["id"].clone();
    let product = json!({"name": "R", "default_code": "AMZ-ROUNDING", "uom_id": unit});
    place.fake.insert("product.product", product);
    let now = odoo_spoold::clock::Clock::now(&place.clock);
    let which = Waiting::For(&place.files.account(), HoldCode::Sku, None);
    place.spoold.daemon.store.release(which, now).unwrap();
    place.spoold.daemon.delivery.wake(&eu());
    place.settle();
    assert_eq!((place.state(), place.rounding()), (DELIVERED, vec!["-0.01".to_owned()]));
    place.spoold.stop();
}

#[test]
fn audit_01_c_a_refused_rounding_line_is_made_when_the_order_is_requeued() {
    let place = Place::new(|fake| {
        fake.tables(|tables| tables.amount_off = 0.01);
        fake.refuse("sale.order.line", "name", json!("Rounding"), "no");
    });
    place.take("one", &order_report());
    assert_eq!((place.codes(), place.stands()), (vec![HoldCode::Refused], json!("draft")));
    place.look_again();
    assert_eq!((place.codes(), place.stands()), (vec![HoldCode::Refused], json!("draft")));
    place.fake.refuse_nothing();
    place.look_again();
    assert_eq!((place.state(), place.rounding()), (DELIVERED, vec!["-0.01".to_owned()]));
    place.spoold.stop();
}

#[test]
fn audit_01_d_lines_that_an_automation_adds_are_seen_in_the_total() {
    let place = Place::new(|fake| fake.tables(|tables| tables.auto_line = Some(5.0)));
    place.take("one", &order_report());
    assert_eq!((place.codes(), place.stands()), (vec![HoldCode::Total], json!("draft")));
    place.look_again();
    assert_eq!((place.codes(), place.stands()), (vec![HoldCode::Total], json!("draft")));
    assert!(place.rounding().is_empty());
    place.release();
    assert_eq!((place.state(), place.stands()), (DELIVERED, json!("sale")));
    place.spoold.stop();
    // One that costs nothing is nobody's concern, and does not keep cents from being rounded.
    let place = Place::new(|fake| {
        fake.tables(|tables| (tables.auto_line, tables.amount_off) = (Some(0.0), 0.01));
    });
    place.take("one", &order_report());
    assert_eq!((place.state(), place.rounding()), (DELIVERED, vec!["-0.01".to_owned()]));
    place.spoold.stop();
}

/// A rounding line that does not round (Odoo gives it a tax, say) is no way past the total either.
#[test]
fn audit_01_a_rounding_line_that_does_not_help_is_a_hold() {
    let place = Place::new(|fake| fake.tables(|tables| tables.amount_off = 0.01));
    place.fake.tables(|tables| tables.rounding_is_lost = true);
    place.take("one", &order_report());
    assert_eq!((place.codes(), place.stands()), (vec![HoldCode::Total], json!("draft")));
    place.look_again();
    assert_eq!((place.codes(), place.stands()), (vec![HoldCode::Total], json!("draft")));
    place.spoold.stop();
}
