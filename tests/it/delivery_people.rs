//! What people do in Odoo while nobody looks: edits before the first read-back, a quotation made of a
//! confirmed order, orders that are hidden or deleted, a click on Confirm, goods that leave in the
//! moment of a cancellation. Against a scripted Odoo, on a clock that the test moves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::time::Duration;

use jiff::SignedDuration;
use odoo_spoold::clock::Manual;
use odoo_spoold::control::wire::{Decide, ResumeRequest};
use odoo_spoold::control::{hold, pause};
use odoo_spoold::deliver::gate::Gate;
use odoo_spoold::model::{Accept, AccountId, HoldCode, JobState, Note, Outcome};
use serde_json::{Value, json};

use crate::support::fake_odoo::{FakeOdoo, Fault, Flavor};
use crate::support::lab::runtime;
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

/// Orders that Amazon ships, of one unit each for 10.00 and perhaps another for 5.00.
fn by_amazon(orders: &[u64], day: u32, status: &str, second: bool) -> Vec<u8> {
    let mut report = Report::all_orders();
    for n in orders {
        for (sku, price) in [("SKU-0001", "10.00"), ("SKU-0002", "5.00")] {
            if sku == "SKU-0002" && !second {
                continue;
            }
            report.row(&[
                ("amazon-order-id", &order_id(*n)),
                ("purchase-date", "2025-04-02T01:01:00+00:00"),
                ("last-updated-date", &format!("2025-04-{day:02}T08:00:00+00:00")),
                ("order-status", status),
                ("fulfillment-channel", "Amazon"),
                ("sales-channel", "Amazon.de"),
                ("sku", sku),
                ("item-status", status),
                ("quantity", "1"),
                ("currency", "EUR"),
                ("item-price", price),
                ("ship-country", "DE"),
            ]);
        }
    }
    report.text().into_bytes()
}

impl Place {
    fn new(flavor: Flavor) -> Self {
        let fake = shop(flavor);
        let mut files = installation(&fake, &["eu"], "limit_time_real = \"10s\"");
        let text = files.config_text();
        let text = text.replace("prices = ", "fba_warehouse = \"WH\"\nprices = ");
        files.rewrite(&text, &files.keys_text());
        let clock = clock();
        let spoold = start(&files, &clock);
        Self { fake, files, clock, spoold }
    }

    fn drop(&self, name: &str, bytes: &[u8]) {
        self.files.drop_bytes("eu", &format!("{name}.age"), bytes);
        self.spoold.wait("the file to be taken in", || {
            let empty = |folder: &str| {
                std::fs::read_dir(self.files.settings.spool.dir.join("eu").join(folder))
                    .is_ok_and(|mut entries| entries.next().is_none())
            };
            self.spoold.tally(&eu()).total() > 0 && empty("incoming") && empty("work")
        });
    }

    fn take(&self, name: &str, bytes: &[u8]) {
        self.drop(name, bytes);
        fast_forward(&self.spoold, &self.clock, &eu());
    }

    fn state(&self, n: u64) -> JobState {
        self.spoold.job(&eu(), &order_id(n)).unwrap().state
    }

    fn codes(&self, n: u64) -> Vec<HoldCode> {
        let holds = self.spoold.holds_of(&eu(), &order_id(n));
        holds.into_iter().map(|hold| hold.code).collect()
    }

    /// The id of an order in Odoo.
    fn order(&self, n: u64) -> i64 {
        let orders = self.fake.records("sale.order");
        let found = orders.iter().find(|order| order["client_order_ref"] == json!(order_id(n)));
        found.unwrap()["id"].as_i64().unwrap()
    }

    fn field(&self, n: u64, field: &str) -> Value {
        let id = self.order(n);
        self.fake.tables(|tables| tables.row("sale.order", id).unwrap()[field].clone())
    }

    fn set(&self, n: u64, field: &str, value: Value) {
        let id = self.order(n);
        self.fake.tables(|tables| tables.set("sale.order", id, field, value));
    }

    /// Lines of an order: id and price.
    fn lines(&self, n: u64) -> Vec<(i64, String)> {
        let order = self.order(n);
        let lines = self.fake.records("sale.order.line");
        let mine = lines.iter().filter(|line| line["order_id"][0] == json!(order));
        mine.map(|line| {
            (line["id"].as_i64().unwrap(), format!("{:.2}", line["price_unit"].as_f64().unwrap()))
        })
        .collect()
    }

    fn decide(&self, n: u64, accept: Accept) {
        let order_id = Some(order_id(n).parse().unwrap());
        let request = Decide { account: eu(), order_id, all: false, accept };
        assert_eq!(
            hold::decide(&self.spoold.daemon.handle(), &request, Some(7)).unwrap().orders,
            1
        );
        fast_forward(&self.spoold, &self.clock, &eu());
    }

    fn gone_notes(&self) -> usize {
        let mut gone = 0;
        let count = |note| gone += usize::from(matches!(note, Note::Gone { .. }));
        self.spoold.daemon.store.notes(count).unwrap();
        gone
    }
}

#[test]
fn audit_11_what_a_person_changes_before_we_look_is_theirs() {
    let flavors = [Flavor::V19, Flavor::V14];
    for (flavor, fault) in
        flavors.into_iter().zip([Fault::ApplyThenDropConnection, Fault::Http500AfterCommit])
    {
        let place = Place::new(flavor);
        place.fake.fail_next("sale.order", "load", fault);
        place.drop("one", &by_amazon(&[1, 2, 3], 9, "Shipped", true));
        place.spoold.wait("the answer to be lost", || {
            place.fake.faults_left() == 0 && place.fake.records("sale.order").len() == 3
        });
        // 1: another price. 2: a line deleted. 3: nothing.
        let (priced, deleted) = (place.lines(1)[0].0, place.lines(2)[1].0);
        place.fake.tables(|tables| {
            tables.set("sale.order.line", priced, "price_unit", json!(8.0));
            tables.delete("sale.order.line", deleted);
        });
        fast_forward(&place.spoold, &place.clock, &eu());
        let prices = |n| place.lines(n).into_iter().map(|(_, price)| price).collect::<Vec<_>>();
        assert_eq!(prices(1), ["8.00", "5.00"]);
        assert_eq!(prices(2), ["10.00"], "what a person deleted stays deleted");
        // Not confirmed behind their back either: the totals differ now.
        for n in [1, 2] {
            assert_eq!(place.codes(n), [HoldCode::Total], "{n}");
            assert_eq!(place.field(n, "state"), json!("draft"), "{n}");
        }
        assert_eq!((place.state(3), place.field(3, "state")), (DELIVERED, json!("sale")));
        // Amazon's next value of what the person changed is asked about.
        let text = String::from_utf8(by_amazon(&[1], 10, "Shipped", true)).unwrap();
        place.take("two", text.replace("10.00", "12.00").as_bytes());
        assert_eq!(place.codes(1), [HoldCode::Conflict]);
        assert_eq!(prices(1), ["8.00", "5.00"]);
        place.spoold.stop();
    }
}

/// What Amazon changed in the meantime is written over what we sent, not over anything else.
#[test]
fn audit_11_what_was_sent_is_the_base_also_where_amazon_changed_it_since() {
    let place = Place::new(Flavor::V19);
    place.fake.fail_next("sale.order", "load", Fault::ApplyThenDropConnection);
    place.drop("one", &by_amazon(&[1], 9, "Shipped", false));
    place.spoold.wait("the answer to be lost", || place.fake.faults_left() == 0);
    let text = String::from_utf8(by_amazon(&[1], 10, "Shipped", false)).unwrap();
    place.take("two", text.replace("10.00", "12.00").as_bytes());
    assert_eq!(place.lines(1)[0].1, "12.00");
    assert_eq!(place.state(1), DELIVERED);
    place.spoold.stop();
}

#[test]
fn audit_10_what_was_set_back_to_quotation_is_asked_about() {
    let place = Place::new(Flavor::V19);
    place.take("one", &by_amazon(&[1, 2], 9, "Shipped", false));
    for n in [1, 2] {
        assert_eq!(place.field(n, "state"), json!("sale"));
        place.set(n, "state", json!("draft"));
    }
    place.fake.forget_calls();
    for day in [10, 11] {
        place.take(&format!("day{day}"), &by_amazon(&[1, 2], day, "Shipped", false));
        for n in [1, 2] {
            assert_eq!(place.codes(n), [HoldCode::Conflict], "{day}");
            assert_eq!(place.spoold.holds_of(&eu(), &order_id(n))[0].key, "state");
        }
    }
    assert!(place.fake.calls_of("sale.order", "action_confirm").is_empty());
    place.decide(1, Accept::Odoo);
    place.decide(2, Accept::Marketplace);
    assert_eq!(place.state(1), JobState::Done(Outcome::KeptInOdoo));
    assert_eq!((place.state(2), place.field(2, "state")), (DELIVERED, json!("sale")));
    place.take("later", &by_amazon(&[1, 2], 12, "Shipped", false));
    assert_eq!(place.field(1, "state"), json!("draft"), "declined once and for all");
    place.spoold.stop();
}

#[test]
fn audit_12_what_a_rule_hides_is_not_deleted_and_goes_on_when_it_is_seen() {
    for flavor in [Flavor::V19, Flavor::V14] {
        let place = Place::new(flavor);
        place.take("one", &by_amazon(&[1, 2], 9, "Shipped", false));
        let (hidden, deleted) = (place.order(1), place.order(2));
        place.fake.tables(|tables| {
            tables.hidden.insert(hidden);
            tables.delete("sale.order", deleted);
        });
        place.take("two", &by_amazon(&[1, 2], 10, "Cancelled", false));
        assert_eq!(place.codes(1), [HoldCode::Invisible]);
        assert_eq!(place.state(2), JobState::Done(Outcome::DeletedInOdoo));
        assert_eq!(place.gone_notes(), 1);
        // Still hidden some minutes later.
        let pass = || {
            place.clock.advance(Duration::from_secs(301));
            place.spoold.daemon.delivery.wake(&eu());
        };
        place.fake.forget_calls();
        pass();
        place.spoold.wait("a look at the catalog", || {
            place.fake.calls_of("sale.order", "get_external_id").len() == 1
        });
        assert_eq!(place.codes(1), [HoldCode::Invisible]);
        place.fake.tables(|tables| tables.hidden.clear());
        pass();
        place.spoold.wait("the order to be seen", || matches!(place.state(1), JobState::Done(_)));
        assert_eq!(place.state(1), JobState::Done(Outcome::Cancelled));
        assert_eq!(place.field(1, "state"), json!("cancel"), "what Amazon said meanwhile is done");
        place.spoold.stop();
    }
}

/// Kind (g), in a rebuild: what the journal knows and the user may not see is not deleted.
#[test]
fn audit_12_a_rebuild_does_not_take_hidden_orders_for_deleted() {
    let place = Place::new(Flavor::V19);
    place.take("one", &by_amazon(&[1, 2], 9, "Shipped", false));
    let hidden = place.order(1);
    place.fake.tables(|tables| tables.hidden.insert(hidden));
    let Place { fake, files, clock, spoold } = place;
    spoold.stop();
    std::fs::remove_dir_all(files.settings.state.dir.join("store")).unwrap();
    let spoold = start(&files, &clock);
    let place = Place { fake, files, clock, spoold };
    let desk = place.spoold.daemon.handle().desk;
    let runtime = runtime();
    let inside = runtime.enter();
    desk.rebuild(None, false).unwrap();
    drop(inside);
    place.spoold.wait("the rebuild to end", || !desk.rebuilding().running);
    assert_eq!(desk.rebuilding().error, None);
    fast_forward(&place.spoold, &place.clock, &eu());
    assert_eq!((place.codes(1), place.state(2)), (vec![HoldCode::Invisible], DELIVERED));
    assert_eq!(place.gone_notes(), 0);
    assert_eq!(place.fake.records("sale.order").len(), 2, "and none is made a second time");
    place.spoold.stop();
}

#[test]
fn kind_g_many_orders_gone_at_once_are_believed_only_when_a_person_says_so() {
    let place = Place::new(Flavor::V19);
    let all: Vec<u64> = (1..=24).collect();
    place.take("one", &by_amazon(&all, 9, "Shipped", false));
    let delete = |orders: &[u64]| {
        let ids: Vec<i64> = orders.iter().map(|n| place.order(*n)).collect();
        place.fake.tables(|tables| ids.iter().for_each(|id| tables.delete("sale.order", *id)));
    };
    // Nine of nine are few, eleven of 24 are less than half: people delete orders.
    let few: Vec<u64> = (1..=9).collect();
    delete(&few);
    place.take("few", &by_amazon(&few, 10, "Shipped", false));
    assert_eq!(place.gone_notes(), 9);
    let many: Vec<u64> = (10..=24).collect();
    delete(&many);
    place.drop("many", &by_amazon(&many, 10, "Shipped", false));
    let gate = || place.spoold.daemon.delivery.gates()[&eu()].clone();
    let paused = || matches!(gate(), Gate::Paused(closed) if closed.code == "odoo-orders-gone");
    place.spoold.wait("the account to pause", paused);
    assert_eq!(place.gone_notes(), 9, "nothing is taken for deleted meanwhile");
    // A probe finds Odoo well, and the orders still gone.
    place.fake.forget_calls();
    place.clock.advance(Duration::from_secs(3_601));
    place.spoold.daemon.delivery.wake(&eu());
    place
        .spoold
        .wait("another look", || !place.fake.calls_of("sale.order", "get_external_id").is_empty());
    place.spoold.wait("the account to stay paused", paused);
    assert_eq!(place.gone_notes(), 9);
    let request = ResumeRequest { account: Some(eu()), all: false, accept_deleted: true };
    assert!(pause::resume(&place.spoold.daemon.handle(), &request, Some(7)).unwrap().changed);
    fast_forward(&place.spoold, &place.clock, &eu());
    assert_eq!(place.gone_notes(), 24);
    for n in all {
        assert_eq!(place.state(n), JobState::Done(Outcome::DeletedInOdoo), "{n}");
    }
    assert_eq!(gate(), Gate::Open);
    place.spoold.stop();
}

/// Batches are small, and new orders come along: neither hides a deletion.
#[test]
fn kind_g_orders_gone_are_counted_over_several_looks_and_new_ones_are_not() {
    let place = Place::new(Flavor::V19);
    let all: Vec<u64> = (1..=12).collect();
    place.take("one", &by_amazon(&all, 9, "Shipped", false));
    // Deleted later than in the window in which they were created.
    place.clock.advance(Duration::from_mins(1));
    let ids: Vec<i64> = all.iter().map(|n| place.order(*n)).collect();
    place.fake.tables(|tables| ids.iter().for_each(|id| tables.delete("sale.order", *id)));
    for (number, three) in all.chunks(3).enumerate() {
        let fresh: Vec<u64> = (0..7).map(|n| 100 + 10 * number as u64 + n).collect();
        let looked = [three, &fresh].concat();
        place.drop(&format!("look{number}"), &by_amazon(&looked, 10, "Shipped", false));
        if number < 3 {
            fast_forward(&place.spoold, &place.clock, &eu());
        }
    }
    let gate = || place.spoold.daemon.delivery.gates()[&eu()].clone();
    let paused = || matches!(gate(), Gate::Paused(closed) if closed.code == "odoo-orders-gone");
    place.spoold.wait("the account to pause", paused);
    assert_eq!(place.gone_notes(), 9);
    // Believed: and not for ever.
    let request = ResumeRequest { account: Some(eu()), all: false, accept_deleted: true };
    pause::resume(&place.spoold.daemon.handle(), &request, Some(7)).unwrap();
    fast_forward(&place.spoold, &place.clock, &eu());
    assert_eq!(place.gone_notes(), 12);
    place.clock.advance(Duration::from_hours(25));
    let fresh: Vec<u64> = (0..4).flat_map(|k| (0..7).map(move |n| 100 + 10 * k + n)).collect();
    let ids: Vec<i64> = fresh.iter().map(|n| place.order(*n)).collect();
    place.fake.tables(|tables| ids.iter().for_each(|id| tables.delete("sale.order", *id)));
    place.drop("later", &by_amazon(&fresh, 11, "Shipped", false));
    place.spoold.wait("the account to pause again", paused);
    place.spoold.stop();
}

#[test]
fn kind_g_orders_that_come_back_end_the_pause_by_themselves() {
    let place = Place::new(Flavor::V19);
    let all: Vec<u64> = (1..=12).collect();
    place.take("one", &by_amazon(&all, 9, "Shipped", false));
    // A database that is just being restored, say.
    let whole = place.fake.tables(|tables| tables.clone());
    let ids: Vec<i64> = all.iter().map(|n| place.order(*n)).collect();
    place.fake.tables(|tables| ids.iter().for_each(|id| tables.delete("sale.order", *id)));
    place.drop("two", &by_amazon(&all, 10, "Cancelled", false));
    let gate = || place.spoold.daemon.delivery.gates()[&eu()].clone();
    place.spoold.wait("the account to pause", || matches!(gate(), Gate::Paused(_)));
    place.fake.tables(|tables| {
        // Not the marker: an older one would be a restored backup, which is another pause.
        let mut whole = whole;
        whole.take_records("res.partner", tables);
        *tables = whole;
    });
    fast_forward(&place.spoold, &place.clock, &eu());
    for n in all {
        assert_eq!(place.state(n), JobState::Done(Outcome::Cancelled), "{n}");
    }
    assert_eq!(place.gone_notes(), 0);
    place.spoold.stop();
}

#[test]
fn audit_37_the_purchase_date_is_put_back_whatever_the_clocks_say() {
    let headers = [None, Some(SignedDuration::from_mins(10)), Some(-SignedDuration::from_mins(10))];
    for header in headers {
        let place = Place::new(Flavor::V19);
        place.fake.tables(|tables| tables.date_header = header);
        place.take("one", &by_amazon(&[1], 9, "Shipped", false));
        assert_eq!(place.state(1), DELIVERED, "{header:?}");
        assert_eq!(place.field(1, "date_order"), json!("2025-04-02 01:01:00"), "{header:?}");
        place.spoold.stop();
    }
}

#[test]
fn audit_41_what_the_buyer_asks_is_on_the_delivery_also_where_a_person_confirmed() {
    let place = Place::new(Flavor::V19);
    // Held for its total, so that a person confirms it by hand.
    place.fake.tables(|tables| tables.amount_off = 1.0);
    let mut report = Report::order_report();
    shipped_by_seller(&mut report, 1, 1, "SKU-0001", 1000);
    let text = report.text();
    let (header, row) = text.trim_end().split_once('\n').unwrap();
    let at = header.split('\t').position(|name| name == "delivery-Instructions").unwrap();
    let mut cells: Vec<&str> = row.split('\t').collect();
    cells[at] = "Leave it with the neighbour";
    place.take("one", format!("{header}\n{}\n", cells.join("\t")).as_bytes());
    assert_eq!(place.codes(1), [HoldCode::Total]);
    let id = place.order(1);
    place.set(1, "state", json!("sale"));
    place
        .fake
        .insert("stock.picking", json!({"name": "OUT/1", "state": "assigned", "sale_id": id}));
    let mut again = Report::all_orders();
    again.row(&[
        ("amazon-order-id", &order_id(1)),
        ("purchase-date", "2025-04-02T01:01:00+00:00"),
        ("last-updated-date", "2025-04-09T08:00:00+00:00"),
        ("order-status", "Unshipped"),
        ("fulfillment-channel", "Merchant"),
        ("sales-channel", "Amazon.de"),
        ("sku", "SKU-0001"),
        ("item-status", "Unshipped"),
        ("quantity", "1"),
        ("currency", "EUR"),
        ("item-price", "10.00"),
        ("ship-country", "DE"),
    ]);
    place.take("two", again.text().as_bytes());
    let note = place.fake.records("stock.picking")[0]["note"].clone();
    assert!(note.as_str().unwrap_or_default().contains("neighbour"), "{note}");
    // Once: whatever people make of it since is theirs.
    let picking = place.fake.records("stock.picking")[0]["id"].as_i64().unwrap();
    place.fake.tables(|tables| tables.set("stock.picking", picking, "note", json!(false)));
    place.take("three", again.text().replace("04-09T", "04-10T").as_bytes());
    assert_eq!(place.fake.records("stock.picking")[0]["note"], json!(false));
    place.spoold.stop();
}

#[test]
fn audit_51_goods_that_leave_while_an_order_is_cancelled_are_a_conflict() {
    let place = Place::new(Flavor::V19);
    place.take("one", &by_amazon(&[1], 9, "Shipped", false));
    place.fake.tables(|tables| tables.delivers_on_cancel = true);
    for day in [10, 11] {
        place.take(&format!("day{day}"), &by_amazon(&[1], day, "Cancelled", false));
        assert_eq!(place.codes(1), [HoldCode::Conflict], "{day}");
    }
    place.decide(1, Accept::Odoo);
    assert!(matches!(place.state(1), JobState::Done(_)), "{:?}", place.state(1));
    place.spoold.stop();
}

#[test]
fn a_cancellation_whose_answer_was_lost_leaves_nothing_behind() {
    let place = Place::new(Flavor::V19);
    place.take("one", &by_amazon(&[1], 9, "Shipped", false));
    place.fake.fail_next("sale.order", "action_cancel", Fault::ApplyThenDropConnection);
    place.take("two", &by_amazon(&[1], 10, "Cancelled", false));
    assert_eq!(place.fake.faults_left(), 0);
    assert_eq!(place.state(1), JobState::Done(Outcome::Cancelled));
    place.take("three", &by_amazon(&[1], 11, "Shipped", false));
    assert_eq!(place.codes(1), [HoldCode::Conflict]);
    place.decide(1, Accept::Marketplace);
    assert_eq!((place.state(1), place.field(1, "state")), (DELIVERED, json!("sale")));
    assert_eq!(place.field(1, "date_order"), json!("2025-04-02 01:01:00"));
    place.spoold.stop();
}

#[test]
fn an_order_that_needs_nothing_any_more_sends_no_other_again() {
    let place = Place::new(Flavor::V19);
    place.fake.refuse("sale.order", "state", json!("draft"), "needs a project");
    for n in [1, 2] {
        place.take(&format!("order{n}"), &by_amazon(&[n], 9, "Shipped", false));
        assert_eq!(place.codes(n), [HoldCode::Refused]);
    }
    place.fake.forget_calls();
    place.take("cancelled", &by_amazon(&[1], 10, "Cancelled", false));
    assert_eq!(place.state(1), JobState::Done(Outcome::CancelledUnseen));
    for _ in 0..20 {
        place.spoold.daemon.delivery.wake(&eu());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(place.fake.calls_of("sale.order", "load").len(), 0);
    assert_eq!(place.codes(2), [HoldCode::Refused]);
    place.spoold.stop();
}
