//! Orders that stood there before, and what Odoo fills in by itself: against the fake Odoo, on a
//! clock that the test moves.

use std::time::Duration;

use odoo_spoold::clock::Manual;
use odoo_spoold::model::{AccountId, HoldCode, JobState, OrderId, Outcome};
use serde_json::{Value, json};

use crate::support::fake_odoo::{FakeOdoo, Fault, Flavor};
use crate::support::shop::{
    clock, fast_forward, installation, order_id, order_report, shop, start, state,
};
use crate::support::spoold::{Installation, Spoold};

fn eu() -> AccountId {
    "eu".parse().unwrap()
}

struct Run {
    installation: Installation,
    spoold: Spoold,
    clock: Manual,
}

impl Run {
    fn of(fake: &FakeOdoo, more: &str) -> Self {
        let mut installation = installation(fake, &["eu"], "");
        if !more.is_empty() {
            let text = installation.config_text();
            let text = text.replace("import_from", &format!("{more}\nimport_from"));
            let keys = installation.keys_text();
            installation.rewrite(&text, &keys);
        }
        let clock = clock();
        let spoold = start(&installation, &clock);
        Self { installation, spoold, clock }
    }

    fn drop(&self, bytes: &[u8]) {
        self.installation.drop_bytes("eu", "orders.age", bytes);
        let folders = ["incoming", "work"].map(|which| self.installation.folder("eu", which));
        self.spoold.wait("the file to be read", || {
            folders.iter().all(|folder| {
                std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
            })
        });
        fast_forward(&self.spoold, &self.clock, &eu());
    }

    /// The holds of an order, as `code key`.
    fn holds(&self, number: usize) -> Vec<String> {
        let holds = self.spoold.holds_of(&eu(), &order_id(number));
        holds.iter().map(|hold| format!("{} {}", hold.code, hold.key)).collect()
    }

    fn outcome(&self, number: usize) -> Option<Outcome> {
        self.spoold.outcome(&eu(), &order_id(number))
    }
}

/// An order that somebody else made.
fn theirs(fake: &FakeOdoo, values: Value) -> i64 {
    let Value::Object(mut values) = values else { panic!() };
    values.entry("partner_id").or_insert(json!(1));
    if fake.records("res.partner").is_empty() {
        fake.insert("res.partner", json!({"name": "By Hand"}));
    }
    fake.insert("sale.order", Value::Object(values))
}

#[test]
fn case_r16_a_former_connectors_orders_are_held_and_named() {
    for existing in ["adopt", "hold"] {
        let fake = shop(Flavor::V19);
        let id = order_id;
        theirs(&fake, json!({"client_order_ref": id(1)}));
        theirs(&fake, json!({"name": format!("AMZ-{}", id(2))}));
        theirs(&fake, json!({"name": "S9", "origin": format!("Amazon Order {}", id(3))}));
        theirs(&fake, json!({"name": "S10", "client_order_ref": format!(" {} ", id(4))}));
        // Others without an id, and with another.
        theirs(&fake, json!({"name": "S11", "origin": "a long text that is no order of Amazon's"}));
        theirs(&fake, json!({"name": format!("AMZ-{}", id(99))}));
        let run = Run::of(&fake, &format!("existing = \"{existing}\""));
        run.drop(&order_report(1..=5));
        if existing == "adopt" {
            assert_eq!(run.outcome(1), Some(Outcome::Adopted));
        } else {
            assert_eq!(run.holds(1), ["existing S00001"]);
        }
        assert_eq!(run.holds(2), [format!("existing AMZ-{}", id(2))], "{existing}");
        assert_eq!(run.holds(3), ["existing S9"], "{existing}");
        assert_eq!(run.holds(4), ["existing S10"], "{existing}");
        assert_eq!(run.outcome(5), Some(Outcome::Delivered), "{existing}");
        assert_eq!(fake.records("sale.order").len(), 7, "{existing}: none is doubled");

        // What another connector makes later is seen as well, by the cursor.
        theirs(&fake, json!({"name": format!("AMZ-{}", id(6))}));
        run.drop(&order_report(6..=7));
        assert_eq!(run.holds(6), [format!("existing AMZ-{}", id(6))], "{existing}");
        assert_eq!(run.outcome(7), Some(Outcome::Delivered), "{existing}");
        run.spoold.stop();
    }
}

#[test]
fn audit_36_several_are_held_and_a_cancelled_one_is_not_there() {
    let fake = shop(Flavor::V19);
    for _ in 0..2 {
        theirs(&fake, json!({"client_order_ref": order_id(1)}));
    }
    theirs(&fake, json!({"client_order_ref": order_id(2)}));
    theirs(&fake, json!({"name": format!("AMZ-{}", order_id(2))}));
    theirs(&fake, json!({"client_order_ref": order_id(3), "state": "cancel"}));
    theirs(&fake, json!({"client_order_ref": order_id(4), "state": "cancel"}));
    theirs(&fake, json!({"client_order_ref": order_id(4)}));
    theirs(&fake, json!({"name": format!("AMZ-{}", order_id(5)), "state": "cancel"}));
    let run = Run::of(&fake, "");
    run.drop(&order_report(1..=5));
    assert_eq!(run.holds(1), ["existing S00001, S00002"]);
    assert_eq!(run.holds(2), [format!("existing S00003, AMZ-{}", order_id(2))]);
    assert_eq!(run.outcome(3), Some(Outcome::Delivered), "a cancelled order is not adopted");
    assert_eq!(run.outcome(4), Some(Outcome::Adopted), "the live one is");
    assert_eq!(run.outcome(5), Some(Outcome::Delivered));
    run.spoold.stop();
}

/// All Orders for one order, in a state.
fn all_orders(number: usize, status: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let id = order_id(number);
    // As in the order report.
    let sku = format!("SKU-{:04}", number % 5 + 1);
    let mut cells = vec![
        ("amazon-order-id", id.as_str()),
        ("purchase-date", "2026-03-01T10:00:07+00:00"),
        ("last-updated-date", "2026-03-02T10:00:07+00:00"),
        ("order-status", status),
        ("fulfillment-channel", "Merchant"),
        ("sales-channel", "Amazon.de"),
        ("product-name", "Thing"),
        ("sku", sku.as_str()),
        ("item-status", status),
        ("quantity", "1"),
        ("currency", "EUR"),
        ("item-price", "19.99"),
        ("ship-country", "DE"),
    ];
    cells.extend(more);
    let (names, values): (Vec<&str>, Vec<&str>) = cells.into_iter().unzip();
    format!("{}\n{}\n", names.join("\t"), values.join("\t")).into_bytes()
}

#[test]
fn audit_16_a_cancellation_within_the_wait_after_an_unclear_create_loses_no_order() {
    let fake = shop(Flavor::V19);
    let run = Run::of(&fake, "");
    let account = eu();
    // Sent and not answered: Odoo may still be at it, and shows nothing.
    fake.fail_next("sale.order", "load", Fault::DropBefore);
    run.installation.drop_bytes("eu", "orders.age", &order_report([1]));
    run.spoold.wait("the create to be cut off", || {
        fake.faults_left() == 0
            && run.spoold.job(&account, &order_id(1)).is_some_and(|job| job.attempt > 0)
    });
    run.installation.drop_bytes("eu", "cancelled.age", &all_orders(1, "Cancelled", &[]));
    let order: OrderId = order_id(1).parse().unwrap();
    run.spoold.wait("the cancellation to be known", || {
        let dossier = run.spoold.daemon.store.dossier(&account, &order).unwrap();
        dossier.is_some_and(|dossier| dossier.facts.len() == 2)
    });
    // Sooner than the limit nothing is decided, whatever wakes it.
    run.clock.advance(Duration::from_secs(60));
    run.spoold.daemon.delivery.wake(&account);
    run.spoold.wait("an idle lane", || run.spoold.tally(&account).started == 0);
    assert_eq!(state(&run.spoold, &account, 1), JobState::Pending);
    let dossier = run.spoold.daemon.store.dossier(&account, &order).unwrap().unwrap();
    assert!(dossier.mapping.is_some(), "what was begun is not forgotten");
    // Odoo commits late.
    let partner = fake.insert("res.partner", json!({"name": "B"}));
    let id = theirs(&fake, json!({"client_order_ref": order_id(1), "partner_id": partner}));
    fake.tables(|tables| {
        tables.name_it(&format!("spoold_eu.order_{}", order_id(1)), "sale.order", id);
    });
    fast_forward(&run.spoold, &run.clock, &account);
    assert_eq!(run.outcome(1), Some(Outcome::Cancelled));
    let states: Vec<Value> =
        fake.records("sale.order").iter().map(|order| order["state"].clone()).collect();
    assert_eq!(states, [json!("cancel")], "no live quotation is left behind");
    run.spoold.stop();
}

#[test]
fn case_r28_odoo_chooses_the_warehouse_and_fills_in_no_discount() {
    let fake = shop(Flavor::V19);
    let run = Run::of(&fake, "");
    run.drop(&order_report([1]));
    assert_eq!(run.outcome(1), Some(Outcome::Delivered));
    let sent = fake.calls_of("sale.order", "load");
    let fields: Vec<&str> =
        sent[0].args["fields"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(!fields.contains(&"warehouse_id/.id"), "{fields:?}");
    let discount = fields.iter().position(|field| *field == "order_line/discount").unwrap();
    assert_eq!(sent[0].args["data"][0][discount], json!("0"));
    run.spoold.stop();

    // A company without any, as Odoo 19 leaves a new branch.
    let fake = shop(Flavor::V19);
    for warehouse in fake.records("stock.warehouse") {
        fake.tables(|tables| tables.delete("stock.warehouse", warehouse["id"].as_i64().unwrap()));
    }
    let run = Run::of(&fake, "");
    run.drop(&order_report([1]));
    assert_eq!(run.holds(1), ["warehouse Amazon.de"]);
    run.spoold.stop();
}

#[test]
fn case_r15_and_r26_notes_are_lines_without_a_product_and_are_sent_once() {
    let fake = shop(Flavor::V19);
    let run = Run::of(&fake, "");
    run.drop(&order_report([1]));
    let number = ("purchase-order-number", "PO-201");
    let invoiced = ("is-amazon-invoiced", "true");
    let company = ("buyer-company-name", "Muster GmbH");
    run.drop(&all_orders(1, "Unshipped", &[number, invoiced]));
    run.drop(&all_orders(2, "Unshipped", &[number, invoiced, company]));
    let notes = |reference: &str| -> Vec<String> {
        let orders = fake.records("sale.order");
        let order = orders.iter().find(|order| order["client_order_ref"] == *reference).unwrap();
        let lines = fake.records("sale.order.line");
        lines
            .iter()
            .filter(|line| {
                line["order_id"][0] == order["id"] && line["display_type"] == "line_note"
            })
            .map(|line| line["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let said = ["Your order: PO-201", "Amazon has invoiced this order: it needs no other invoice"];
    assert_eq!(notes(&order_id(1)), said, "one that was created without");
    assert_eq!(notes(&order_id(2)), said, "one that is created with them");
    assert_eq!(run.outcome(1), Some(Outcome::Delivered));
    // Named as what they are: the totals and the lines that are compared know nothing of them.
    assert!(fake.external_id(&format!("spoold_eu.line_{}__note_po", order_id(1))).is_some());
    let dossier = |number: usize| {
        let order = order_id(number).parse().unwrap();
        run.spoold.daemon.store.dossier(&eu(), &order).unwrap().unwrap()
    };
    assert_eq!(dossier(1).mapping.unwrap().lines.len(), 1);
    let company = fake.records("res.partner");
    assert!(company.iter().any(|partner| partner["name"] == "Muster GmbH"));
    // Deleted by a person: they stay deleted.
    for line in fake.records("sale.order.line") {
        if line["display_type"] == "line_note" {
            fake.tables(|tables| tables.delete("sale.order.line", line["id"].as_i64().unwrap()));
        }
    }
    run.drop(&all_orders(1, "Shipped", &[number, invoiced, ("promotion-ids", "x")]));
    assert_eq!(notes(&order_id(1)), [""; 0]);
    run.spoold.stop();
}

#[test]
fn audit_47_customers_are_taken_off_the_followers() {
    let fake = shop(Flavor::V14);
    let run = Run::of(&fake, "");
    run.drop(&order_report(1..=3));
    let calls = fake.calls_of("sale.order", "message_unsubscribe");
    assert!(!calls.is_empty());
    for order in fake.records("sale.order") {
        assert_eq!(order["state"], "sale");
        assert_eq!(order["message_partner_ids"], json!([]));
    }
    run.spoold.stop();
    let fake = shop(Flavor::V19);
    let run = Run::of(&fake, "");
    run.drop(&order_report(1..=3));
    assert_eq!(fake.calls_of("sale.order", "message_unsubscribe").len(), 0, "nobody follows there");
    run.spoold.stop();
}

#[test]
fn audit_50_the_first_batches_make_one_anonymous_contact() {
    let fake = shop(Flavor::V19);
    let text_of = installation(&fake, &["eu"], "batch = 2\n");
    fake.set_latency(Duration::from_millis(20));
    let clock = clock();
    let spoold = start(&text_of, &clock);
    let mut report = Vec::new();
    for number in 1..=8 {
        let one = all_orders(number, "Unshipped", &[]);
        let from = if number == 1 { 0 } else { one.iter().position(|b| *b == b'\n').unwrap() + 1 };
        report.extend_from_slice(&one[from..]);
    }
    text_of.drop_bytes("eu", "orders.age", &report);
    spoold.wait("the orders to be created", || fake.records("sale.order").len() == 8);
    let anonymous: usize = fake
        .calls_of("res.partner", "load")
        .iter()
        .filter(|call| call.args["data"].to_string().contains("partner_anonymous_"))
        .count();
    assert_eq!(anonymous, 1, "one batch makes it, the others find it");
    assert!(spoold.holds(&eu()).iter().all(|(_, codes)| *codes == [HoldCode::Address]));
    spoold.stop();
}
