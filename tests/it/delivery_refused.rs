//! What Odoo refuses: a question, an order, or everything, because somebody changed a setting there.
//! Against the fake Odoo, on a clock that the test moves.

use std::fmt::Write as _;
use std::time::Duration;

use odoo_spoold::clock::Manual;
use odoo_spoold::model::{AccountId, HoldCode, JobState, Outcome};
use serde_json::json;

use crate::support::fake_odoo::{FakeOdoo, Fault, Flavor, Recorded};
use crate::support::shop::{
    clock, fast_forward, installation, order_id, order_report, shop, start, state,
};
use crate::support::spoold::{Installation, Spoold};

const DELIVERED: JobState = JobState::Done(Outcome::Delivered);

struct Shop {
    fake: FakeOdoo,
    place: Installation,
    clock: Manual,
    eu: AccountId,
}

fn ready(extra: &str) -> (Shop, Spoold) {
    let fake = shop(Flavor::V19);
    let place = installation(&fake, &["eu"], extra);
    let clock = clock();
    let spoold = start(&place, &clock);
    (Shop { fake, place, clock, eu: "eu".parse().unwrap() }, spoold)
}

impl Shop {
    fn drop_orders(&self, name: &str, numbers: std::ops::Range<usize>) {
        self.place.drop_bytes("eu", name, &order_report(numbers));
    }

    fn gate(&self, spoold: &Spoold) -> &'static str {
        spoold.daemon.delivery.gates()[&self.eu].name()
    }

    /// Moves the clock to each next probe and retry, until the condition holds.
    fn wait(&self, spoold: &Spoold, what: &str, mut done: impl FnMut() -> bool) {
        spoold.wait(what, || {
            let tally = spoold.tally(&self.eu);
            if tally.started == 0 && !done() {
                self.clock.advance(Duration::from_secs(30));
                spoold.daemon.delivery.wake(&self.eu);
            }
            done()
        });
    }

    fn wait_delivered(&self, spoold: &Spoold, orders: u64) {
        self.wait(spoold, "all to be delivered", || spoold.tally(&self.eu).done == orders);
    }

    fn holds(&self, spoold: &Spoold, number: usize) -> Vec<HoldCode> {
        spoold.holds_of(&self.eu, &order_id(number)).iter().map(|hold| hold.code).collect()
    }
}

/// Orders in each `load` that creates some.
fn sizes(fake: &FakeOdoo) -> Vec<usize> {
    let creates = |call: &&Recorded| {
        call.args["fields"].as_array().unwrap().contains(&json!("client_order_ref"))
    };
    let orders = |call: &Recorded| {
        let rows = call.args["data"].as_array().unwrap();
        rows.iter().filter(|row| row[1] != json!("") && row[1] != json!(false)).count()
    };
    fake.calls_of("sale.order", "load").iter().filter(creates).map(orders).collect()
}

fn value_error() -> Fault {
    Fault::Raise("builtins.ValueError".into(), 500, "Invalid field 'x' on 'sale.order'".into())
}

#[test]
fn audit_14_a_refused_question_buries_nobody() {
    for method in ["search_read", "read"] {
        let (shop, spoold) = ready("");
        shop.fake.fail_next("sale.order", method, value_error());
        shop.drop_orders("orders.age", 0..3);
        fast_forward(&spoold, &shop.clock, &shop.eu);
        for number in 0..3 {
            assert_eq!(state(&spoold, &shop.eu, number), DELIVERED, "{method}: order {number}");
        }
        spoold.stop();
    }
}

#[test]
fn audit_14_a_question_refused_for_good_is_seen_and_heals() {
    let (shop, spoold) = ready("");
    shop.fake.fail_times(500, "sale.order", "search_read", &value_error());
    shop.drop_orders("orders.age", 0..4);
    shop.wait(&spoold, "somebody to see it", || {
        shop.gate(&spoold) == "paused" || spoold.tally(&shop.eu).held > 0
    });
    assert_eq!(spoold.tally(&shop.eu).dead, 0);
    shop.fake.heal();
    shop.wait_delivered(&spoold, 4);
    assert_eq!(shop.gate(&spoold), "open");
    spoold.stop();
}

#[test]
fn audit_35_a_failure_that_nobody_knows_is_seen_in_the_end() {
    let (shop, spoold) = ready("limit_time_real = \"10s\"");
    let boom = Fault::Raise("acme.Boom".to_owned(), 500, "boom".to_owned());
    shop.fake.fail_times(500, "sale.order", "load", &boom);
    shop.drop_orders("orders.age", 0..1);
    shop.wait(&spoold, "the hold", || spoold.tally(&shop.eu).held == 1);
    assert_eq!(shop.holds(&spoold, 0), [HoldCode::Refused]);
    shop.fake.heal();
    shop.wait_delivered(&spoold, 1);
    spoold.stop();
}

#[test]
fn case_r20_a_required_field_pauses_at_the_first_order_and_heals_by_itself() {
    let (shop, spoold) = ready("");
    shop.fake.require("sale.order", "project_code", None);
    shop.drop_orders("orders.age", 0..5);
    spoold.wait("the pause", || shop.gate(&spoold) == "paused");
    let odoo_spoold::deliver::gate::Gate::Paused(closed) =
        spoold.daemon.delivery.gates()[&shop.eu].clone()
    else {
        panic!("not paused");
    };
    assert_eq!(closed.code, "missing_required");
    assert!(closed.next_step.contains("project_code"), "{}", closed.next_step);
    // Probes send one order at a time, ever more rarely, and never unpause without reason.
    shop.fake.forget_calls();
    for _ in 0..20 {
        shop.clock.advance(Duration::from_mins(1));
        spoold.daemon.delivery.wake(&shop.eu);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(shop.gate(&spoold), "paused");
    }
    let probes = sizes(&shop.fake);
    assert!(!probes.is_empty() && probes.len() <= 8, "{probes:?}");
    assert!(probes.iter().all(|size| *size == 1), "{probes:?}");
    let tally = spoold.tally(&shop.eu);
    assert_eq!((tally.dead, tally.done), (0, 0));
    shop.fake.refuse_nothing();
    shop.wait_delivered(&spoold, 5);
    assert_eq!(shop.gate(&spoold), "open");
    spoold.stop();
}

#[test]
fn case_r20_the_same_words_for_three_orders_pause_and_nothing_dies() {
    let (shop, spoold) = ready("");
    shop.fake.refuse("sale.order", "state", json!("draft"), "Record 17 needs a project");
    for number in 0..3 {
        // Three batches of one order each.
        shop.drop_orders(&format!("{number}.age"), number..number + 1);
        shop.wait(&spoold, "the hold", || spoold.tally(&shop.eu).held == number as u64 + 1);
        if number < 2 {
            assert_eq!(shop.gate(&spoold), "open", "after order {number}");
        } else {
            spoold.wait("the pause", || shop.gate(&spoold) == "paused");
        }
        assert_eq!(shop.holds(&spoold, number), [HoldCode::Refused]);
    }
    // What comes meanwhile waits.
    shop.drop_orders("more.age", 10..20);
    spoold.wait("more to be known", || spoold.tally(&shop.eu).total() == 13);
    shop.fake.forget_calls();
    // A whole round of probes, which is two: between them nothing may change.
    shop.wait(&spoold, "a round of probes", || {
        let sent = sizes(&shop.fake).len();
        // The second of a round is one that was not refused before: held from then on as well.
        sent >= 2 && sent.is_multiple_of(2) && spoold.tally(&shop.eu).held > 3
    });
    assert_eq!(spoold.tally(&shop.eu).dead, 0);
    shop.fake.refuse_nothing();
    shop.wait_delivered(&spoold, 13);
    let sizes = sizes(&shop.fake);
    assert_eq!(sizes[0], 1, "one of them first: {sizes:?}");
    spoold.stop();
}

#[test]
fn case_r20_an_account_never_stands_still_for_one_order() {
    let (shop, spoold) = ready("");
    shop.fake.require("sale.order", "project_code", Some(("client_order_ref", json!(order_id(3)))));
    shop.drop_orders("orders.age", 0..12);
    shop.wait(&spoold, "the others", || spoold.tally(&shop.eu).done == 11);
    shop.wait(&spoold, "the end of that one", || spoold.tally(&shop.eu).dead == 1);
    assert!(matches!(state(&spoold, &shop.eu, 3), JobState::Dead(_)));
    assert_eq!(shop.gate(&spoold), "open");
    spoold.stop();
}

#[test]
fn an_order_refused_alone_is_held_until_others_get_through() {
    let (shop, spoold) = ready("");
    shop.fake.refuse("sale.order", "client_order_ref", json!(order_id(0)), "no");
    shop.drop_orders("first.age", 0..1);
    shop.wait(&spoold, "the hold", || spoold.tally(&shop.eu).held == 1);
    assert_eq!(shop.holds(&spoold, 0), [HoldCode::Refused]);
    assert_eq!(shop.gate(&spoold), "open");
    shop.drop_orders("second.age", 1..6);
    shop.wait(&spoold, "the others", || spoold.tally(&shop.eu).done == 5);
    shop.wait(&spoold, "its end", || spoold.tally(&shop.eu).dead == 1);
    let JobState::Dead(death) = state(&spoold, &shop.eu, 0) else { panic!("not dead") };
    assert_eq!((death.code.as_str(), death.words.as_str()), ("odoo-order-refused", "no"));
    spoold.stop();
}

#[test]
fn a_held_refusal_is_sent_again_after_a_restart() {
    let (shop, spoold) = ready("");
    shop.fake.refuse("sale.order", "state", json!("draft"), "needs a project");
    shop.drop_orders("orders.age", 0..5);
    shop.wait(&spoold, "the holds", || spoold.tally(&shop.eu).held == 5);
    spoold.stop();
    shop.fake.refuse_nothing();
    let spoold = start(&shop.place, &shop.clock);
    shop.wait_delivered(&spoold, 5);
    spoold.stop();
}

/// Order `number` with `lines` lines of quantity 7 beside its first.
fn more_lines(number: usize, lines: usize) -> Vec<u8> {
    let mut text = String::from_utf8(order_report(number..number + 1)).unwrap();
    let row = text.lines().nth(1).unwrap().to_owned();
    for line in 1..=lines {
        let row = row
            .replace(&format!("\t{number:011}\t"), &format!("\t900000000{number}{line}\t"))
            .replace(
                &format!("\tSKU-{:04}\t", number + 1),
                &format!("\tSKU-{:04}\t", number + line + 1),
            )
            .replace("\t1\tEUR\t19.99\t", "\t7\tEUR\t21.00\t");
        writeln!(text, "{row}").unwrap();
    }
    text.into_bytes()
}

#[test]
fn audit_15_three_refused_lines_of_one_order_pause_nobody() {
    let (shop, spoold) = ready("");
    shop.drop_orders("first.age", 0..1);
    fast_forward(&spoold, &shop.clock, &shop.eu);
    shop.fake.refuse("sale.order.line", "product_uom_qty", json!(7.0), "no more lines");
    shop.place.drop_bytes("eu", "lines.age", &more_lines(0, 3));
    shop.drop_orders("others.age", 1..11);
    shop.wait(&spoold, "the others", || spoold.tally(&shop.eu).done == 10);
    shop.wait(&spoold, "the hold", || shop.holds(&spoold, 0) == [HoldCode::Refused]);
    assert_eq!(shop.gate(&spoold), "open");
    spoold.stop();
}

#[test]
fn audit_34_settings_that_end_a_hold_end_it_at_the_reload() {
    let (mut shop, spoold) = ready("");
    shop.fake.tables(|tables| {
        let ids = tables.all_ids("product.product");
        for id in ids {
            let code = tables.row("product.product", id).unwrap()["default_code"].clone();
            if code == json!("SKU-0001") {
                tables.set("product.product", id, "default_code", json!("OTHER"));
            }
        }
    });
    shop.drop_orders("orders.age", 0..1);
    spoold.wait("the hold", || shop.holds(&spoold, 0) == [HoldCode::Sku]);
    let text = shop.place.config_text().replace(
        "import_from = 2001-01-01\n",
        "import_from = 2001-01-01\nunknown_sku = \"default\"\ndefault_product = \"OTHER\"\n",
    );
    let keys = shop.place.keys_text();
    shop.place.rewrite(&text, &keys);
    spoold.daemon.reload().unwrap();
    spoold.wait("its end", || state(&spoold, &shop.eu, 0) == DELIVERED);
    spoold.stop();
}

/// Kind (h): what says that one step works says nothing of another.
#[test]
fn a_probe_condemns_no_order_by_another_step() {
    let (shop, spoold) = ready("");
    shop.drop_orders("known.age", 1..3);
    fast_forward(&spoold, &shop.clock, &shop.eu);
    shop.fake.require("sale.order", "project_code", Some(("client_order_ref", json!(order_id(0)))));
    shop.drop_orders("bad.age", 0..1);
    spoold.wait("the pause", || shop.gate(&spoold) == "paused");
    // The only other work is a change of what stands there.
    shop.place.drop_bytes("eu", "change.age", &more_lines(1, 1));
    spoold.wait("the change to be known", || spoold.tally(&shop.eu).pending == 2);
    shop.wait(&spoold, "the pause to end", || {
        assert_eq!(spoold.tally(&shop.eu).dead, 0, "condemned by a change of another order");
        shop.gate(&spoold) == "open" && spoold.tally(&shop.eu).done == 2
    });
    shop.wait(&spoold, "the hold", || shop.holds(&spoold, 0) == [HoldCode::Refused]);
    // A new order that is created decides it.
    shop.drop_orders("good.age", 5..6);
    shop.wait(&spoold, "its end", || spoold.tally(&shop.eu).dead == 1);
    assert_eq!(state(&spoold, &shop.eu, 5), DELIVERED);
    assert_eq!(shop.gate(&spoold), "open");
    spoold.stop();
}

#[test]
fn three_bad_orders_stop_no_good_one() {
    let (shop, spoold) = ready("");
    for number in 0..3 {
        let bad = json!(order_id(number));
        shop.fake.refuse("sale.order", "client_order_ref", bad, "needs a project");
        shop.drop_orders(&format!("{number}.age"), number..number + 1);
        shop.wait(&spoold, "the hold", || spoold.tally(&shop.eu).held == number as u64 + 1);
    }
    spoold.wait("the pause", || shop.gate(&spoold) == "paused");
    shop.drop_orders("good.age", 10..20);
    shop.wait(&spoold, "the good ones", || spoold.tally(&shop.eu).done == 10);
    shop.wait(&spoold, "the end of the others", || spoold.tally(&shop.eu).dead == 3);
    assert_eq!(shop.gate(&spoold), "open");
    spoold.stop();
}

/// The same where Odoo raises instead of answering with messages.
#[test]
fn a_required_field_that_some_orders_lack_pauses_once_whatever_call_says_so() {
    let (shop, spoold) = ready("");
    let lacking = [3, 23].map(order_id).into();
    shop.fake.tables(|tables| tables.confirm_requires = Some(("project_code".to_owned(), lacking)));
    shop.drop_orders("first.age", 0..12);
    shop.wait(&spoold, "the others", || spoold.tally(&shop.eu).done == 11);
    shop.wait(&spoold, "the end of that one", || spoold.tally(&shop.eu).dead == 1);
    assert_eq!(shop.gate(&spoold), "open");
    shop.drop_orders("second.age", 20..30);
    // The clock stands: a pause would not end.
    spoold.wait("the next ones", || {
        assert_eq!(shop.gate(&spoold), "open", "paused a second time");
        spoold.tally(&shop.eu).done == 20
    });
    shop.wait(&spoold, "the end of the second", || spoold.tally(&shop.eu).dead == 2);
    spoold.stop();
}

#[test]
fn an_order_that_odoo_cannot_read_is_held_however_often_and_never_dead() {
    let (shop, spoold) = ready("limit_time_real = \"10s\"");
    shop.drop_orders("first.age", 0..1);
    fast_forward(&spoold, &shop.clock, &shop.eu);
    shop.fake.tables(|tables| {
        let ids = tables.all_ids("sale.order");
        tables.unreadable.extend(ids);
    });
    shop.place.drop_bytes("eu", "change.age", &more_lines(0, 1));
    shop.wait(&spoold, "the hold", || shop.holds(&spoold, 0) == [HoldCode::Refused]);
    // Others pass, again and again.
    for round in 1..6 {
        shop.drop_orders(&format!("{round}.age"), round * 10..round * 10 + 3);
        shop.wait(&spoold, "the others", || spoold.tally(&shop.eu).done == round as u64 * 3);
        for _ in 0..20 {
            shop.clock.advance(Duration::from_mins(10));
            spoold.daemon.delivery.wake(&shop.eu);
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(spoold.tally(&shop.eu).dead, 0, "round {round}");
    }
    shop.fake.tables(|tables| tables.unreadable.clear());
    shop.wait_delivered(&spoold, 16);
    spoold.stop();
}

#[test]
fn an_order_is_no_witness_against_itself() {
    let (shop, spoold) = ready("");
    // Its buyer is stored, the buyer's address is not: nothing says whose fault that is.
    shop.fake.refuse("res.partner", "type", json!("delivery"), "no addresses today");
    shop.drop_orders("only.age", 0..1);
    shop.wait(&spoold, "its end", || {
        spoold.tally(&shop.eu).held + spoold.tally(&shop.eu).dead == 1
    });
    assert_eq!(shop.holds(&spoold, 0), [HoldCode::Refused]);
    shop.fake.refuse_nothing();
    shop.wait_delivered(&spoold, 1);
    spoold.stop();
}

#[test]
fn buyers_refused_for_different_reasons_are_no_setting() {
    let (shop, spoold) = ready("");
    for (number, words) in ["a phone is missing", "no such street", "is blocked"].iter().enumerate()
    {
        let email = json!(format!("b{number}@marketplace.amazon.de"));
        shop.fake.refuse("res.partner", "email", email, words);
    }
    shop.drop_orders("buyers.age", 0..3);
    shop.wait(&spoold, "the holds", || spoold.tally(&shop.eu).held == 3);
    assert_eq!(shop.gate(&spoold), "open");
    spoold.stop();
}

#[test]
fn odoos_words_about_a_held_order_are_shown_to_who_asks_for_it() {
    let (shop, spoold) = ready("");
    shop.fake.refuse("sale.order", "state", json!("draft"), "needs a project of Buyer 0");
    shop.drop_orders("orders.age", 0..1);
    shop.wait(&spoold, "the hold", || shop.holds(&spoold, 0) == [HoldCode::Refused]);
    let order = order_id(0).parse().unwrap();
    let handle = spoold.daemon.handle();
    let shown = odoo_spoold::control::queue::show(&handle, &shop.eu, &order).unwrap();
    let shown = serde_json::to_value(shown).unwrap();
    assert_eq!(shown["words"], json!("needs a project of Buyer 0"));
    // Nowhere else: a listing is printed into tickets.
    let listed = odoo_spoold::control::queue::list(&handle, &Default::default()).unwrap();
    assert!(!serde_json::to_string(&listed).unwrap().contains("Buyer 0"));
    // Delivered, nothing is said of it any more.
    shop.fake.refuse_nothing();
    shop.wait_delivered(&spoold, 1);
    let shown = odoo_spoold::control::queue::show(&handle, &shop.eu, &order).unwrap();
    assert!(serde_json::to_value(shown).unwrap().get("words").is_none());
    spoold.stop();
}

/// The daemon works for another account meanwhile: a probe waits for its turn, and asks nothing.
#[test]
fn a_paused_account_asks_little_while_another_one_works() {
    let fake = shop(Flavor::V19);
    let place = installation(&fake, &["eu", "us"], "connections = 1");
    let clock = clock();
    let spoold = start(&place, &clock);
    let (eu, us): (AccountId, AccountId) = ("eu".parse().unwrap(), "us".parse().unwrap());
    fake.require("sale.order", "project_code", Some(("client_order_ref", json!(order_id(0)))));
    place.drop_bytes("eu", "bad.age", &order_report(0..1));
    let gate = |account: &AccountId| spoold.daemon.delivery.gates()[account].name();
    spoold.wait("the pause", || gate(&eu) == "paused");
    fake.fail_next("sale.order", "load", Fault::Hang(Duration::from_secs(3)));
    place.drop_bytes("us", "good.age", &order_report(10..11));
    spoold.wait("a long call", || fake.faults_left() == 0);
    fake.forget_calls();
    clock.advance(Duration::from_mins(2));
    for _ in 0..20 {
        spoold.daemon.delivery.wake(&eu);
        std::thread::sleep(Duration::from_millis(20));
    }
    let asked = fake.calls_of("res.country", "search_read").len();
    assert!(asked <= 1, "the catalog was loaded {asked} times");
    fast_forward(&spoold, &clock, &us);
    spoold.stop();
}

/// What a probe meets may pass: that is no reason to send the order again every second.
#[test]
fn a_probe_that_ends_in_something_that_passes_waits_its_usual_time() {
    let (shop, spoold) = ready("");
    shop.fake.require("sale.order", "project_code", None);
    shop.drop_orders("orders.age", 0..3);
    spoold.wait("the pause", || shop.gate(&spoold) == "paused");
    shop.fake.fail_times(500, "sale.order", "load", &Fault::SerializationInLoad);
    shop.fake.forget_calls();
    shop.clock.advance(Duration::from_mins(2));
    spoold.daemon.delivery.wake(&shop.eu);
    spoold.wait("the probe", || !sizes(&shop.fake).is_empty());
    for _ in 0..20 {
        spoold.daemon.delivery.wake(&shop.eu);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(sizes(&shop.fake), [1]);
    shop.fake.heal();
    shop.fake.refuse_nothing();
    shop.wait_delivered(&spoold, 3);
    spoold.stop();
}

/// A look that fails half-way is no look: what it was to release is released by the next one.
#[test]
fn a_look_that_fails_between_two_releases_keeps_no_hold() {
    let (shop, spoold) = ready("");
    let rename = |model: &str, field: &str, from: &str, to: &str| {
        shop.fake.tables(|tables| {
            for id in tables.all_ids(model) {
                if tables.row(model, id).unwrap()[field] == json!(from) {
                    tables.set(model, id, field, json!(to));
                }
            }
        });
    };
    rename("product.product", "default_code", "SKU-0001", "OTHER");
    rename("product.pricelist", "name", "EUR", "OLD");
    shop.drop_orders("orders.age", 0..2);
    spoold.wait("the holds", || spoold.tally(&shop.eu).held == 2);
    assert_eq!(shop.holds(&spoold, 1), [HoldCode::Pricelist]);
    rename("product.pricelist", "name", "OLD", "EUR");
    shop.fake.fail_next("product.product", "search_read", value_error());
    shop.wait(&spoold, "the look that fails", || shop.fake.faults_left() == 0);
    shop.wait(&spoold, "the order", || state(&spoold, &shop.eu, 1) == DELIVERED);
    spoold.stop();
}

/// What an earlier run sent says nothing of how Odoo takes an order now.
#[test]
fn an_order_that_was_created_before_condemns_nobody() {
    let (shop, spoold) = ready("limit_time_real = \"10s\"");
    shop.fake.refuse("sale.order", "client_order_ref", json!(order_id(1)), "needs a project");
    shop.drop_orders("refused.age", 1..2);
    shop.wait(&spoold, "the hold", || spoold.tally(&shop.eu).held == 1);
    shop.fake.fail_next("sale.order", "load", Fault::ApplyThenDropConnection);
    shop.drop_orders("lost.age", 0..1);
    spoold.wait("the lost answer", || shop.fake.faults_left() == 0);
    shop.wait(&spoold, "the other one", || state(&spoold, &shop.eu, 0) == DELIVERED);
    for _ in 0..20 {
        shop.clock.advance(Duration::from_mins(10));
        spoold.daemon.delivery.wake(&shop.eu);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(spoold.tally(&shop.eu).dead, 0, "condemned by an order that stood in Odoo");
    }
    shop.fake.refuse_nothing();
    shop.wait_delivered(&spoold, 2);
    spoold.stop();
}

/// A look at Odoo that began before says nothing of what a batch met meanwhile.
#[test]
fn a_look_that_began_before_ends_no_pause() {
    let (shop, spoold) = ready("connections = 2");
    shop.drop_orders("known.age", 5..6);
    fast_forward(&spoold, &shop.clock, &shop.eu);
    shop.fake.require("sale.order", "project_code", None);
    shop.fake.fail_next("sale.order", "load", Fault::Hang(Duration::from_secs(2)));
    shop.drop_orders("first.age", 0..1);
    spoold.wait("a long call", || shop.fake.faults_left() == 0);
    shop.fake.fail_next("res.country", "search_read", Fault::Hang(Duration::from_secs(4)));
    shop.clock.advance(Duration::from_mins(6));
    shop.drop_orders("second.age", 1..2);
    spoold.wait("a long look", || shop.fake.faults_left() == 0);
    spoold.wait("the pause", || shop.gate(&spoold) == "paused");
    for _ in 0..50 {
        std::thread::sleep(Duration::from_millis(100));
        spoold.daemon.delivery.wake(&shop.eu);
        assert_eq!(shop.gate(&spoold), "paused");
    }
    assert_eq!(sizes(&shop.fake), [1, 1]);
    shop.fake.refuse_nothing();
    shop.wait_delivered(&spoold, 3);
    spoold.stop();
}

/// An order that does not come to the refused step shows nothing of it: the probe goes on at once.
#[test]
fn a_pause_for_one_order_of_a_batch_ends_with_the_first_probe() {
    let (shop, spoold) = ready("");
    shop.drop_orders("known.age", 0..1);
    fast_forward(&spoold, &shop.clock, &shop.eu);
    shop.fake.require("sale.order.line", "project_code", None);
    // One order whose lines are refused, and twelve new ones, in one batch.
    let mut report = more_lines(0, 1);
    let new = String::from_utf8(order_report(10..22)).unwrap();
    report.extend(new.split_once('\n').unwrap().1.bytes());
    shop.place.drop_bytes("eu", "batch.age", &report);
    spoold.wait("the pause", || shop.gate(&spoold) == "paused");
    shop.clock.advance(Duration::from_mins(2));
    spoold.daemon.delivery.wake(&shop.eu);
    // The clock stands from now on.
    spoold.wait("the new ones", || spoold.tally(&shop.eu).done == 12);
    spoold.wait("the hold", || shop.holds(&spoold, 0) == [HoldCode::Refused]);
    assert_eq!(shop.gate(&spoold), "open");
    spoold.stop();
}
