//! How much at once: what Odoo's answers do to batches and connections. Against the fake Odoo, on a
//! clock that the test moves: retries come in their order, but nobody waits for them.

use std::time::Duration;

use odoo_spoold::clock::Manual;
use odoo_spoold::model::{AccountId, JobState, Outcome};
use serde_json::json;

use crate::support::fake_odoo::{FakeOdoo, Fault, Flavor, Recorded};
use crate::support::shop::{
    clock, fast_forward, installation, order_id, order_report, shop, start, state,
};
use crate::support::spoold::{Installation, Spoold};

const DELIVERED: JobState = JobState::Done(Outcome::Delivered);

/// A daemon that has everything but orders.
fn ready(fake: &FakeOdoo, extra: &str) -> (Installation, Spoold, Manual, AccountId) {
    let place = installation(fake, &["eu"], extra);
    let clock = clock();
    let spoold = start(&place, &clock);
    (place, spoold, clock, "eu".parse().unwrap())
}

/// Orders in each `load` of sale orders.
fn sizes(fake: &FakeOdoo) -> Vec<usize> {
    let rows = |call: &Recorded| {
        let data = call.args["data"].as_array().unwrap();
        // An order's first row says which it is; more lines leave that empty.
        data.iter().filter(|row| row[1] != json!("") && row[1] != json!(false)).count()
    };
    fake.calls_of("sale.order", "load")
        .iter()
        .filter(|call| call.args["fields"].as_array().unwrap().contains(&json!("client_order_ref")))
        .map(rows)
        .collect()
}

#[test]
fn one_bad_order_with_words_nobody_knows_costs_few_calls_and_stops_no_other() {
    let fake = shop(Flavor::V19);
    // One line, ended by a newline, of no field: PostgreSQL in a language that nobody knows.
    fake.refuse("sale.order", "client_order_ref", json!(order_id(37)), "ni nokta damu\n");
    let (place, spoold, clock, eu) = ready(&fake, "");
    place.drop_bytes("eu", "orders.age", &order_report(0..100));
    fast_forward(&spoold, &clock, &eu);
    // Where a call failed while the orders were divided, it is the last one and waits for another.
    place.drop_bytes("eu", "next.age", &order_report(100..101));
    spoold.wait("the end of all", || {
        fast_forward(&spoold, &clock, &eu);
        let tally = spoold.tally(&eu);
        (tally.done, tally.dead) == (100, 1)
    });
    for number in 0..100 {
        match (number, state(&spoold, &eu, number)) {
            (37, JobState::Dead(death)) => assert_eq!(death.code, "odoo-order-refused"),
            (_, state) => assert_eq!(state, DELIVERED, "order {number}"),
        }
    }
    let sizes = sizes(&fake);
    // Batches grow from ten; three times the whole, then halves of halves, and those of others
    // that came along.
    assert!(sizes[0] <= 10 && sizes.iter().any(|size| *size >= 20), "{sizes:?}");
    assert!(sizes.len() <= 4 + 3 + 2 * 7 + 20, "{} calls: {sizes:?}", sizes.len());
    spoold.stop();
}

#[test]
fn lost_races_make_batches_smaller_and_good_ones_larger_again() {
    let fake = shop(Flavor::V19);
    let (place, spoold, clock, eu) = ready(&fake, "connections = 1\nbatch = 40");
    fake.fail_times(2, "sale.order", "load", &Fault::SerializationInLoad);
    place.drop_bytes("eu", "orders.age", &order_report(0..200));
    fast_forward(&spoold, &clock, &eu);
    let sizes = sizes(&fake);
    assert_eq!(sizes[..3], [10, 5, 2], "{sizes:?}");
    assert!(sizes[3..].iter().any(|size| *size > 20), "{sizes:?}");
    assert!(sizes.iter().all(|size| *size <= 40), "{sizes:?}");
    assert_eq!(spoold.tally(&eu).done, 200);
    spoold.stop();
}

#[test]
fn a_server_that_asks_for_patience_gets_it() {
    let fake = shop(Flavor::V19);
    let (place, spoold, clock, eu) = ready(&fake, "");
    fake.fail_next("sale.order", "load", Fault::RateLimit(600));
    place.drop_bytes("eu", "orders.age", &order_report(0..10));
    spoold.wait("the gate to close", || spoold.daemon.delivery.gates()[&eu].name() != "open");
    let wait = spoold.daemon.delivery.gates()[&eu].wait(odoo_spoold::clock::Clock::now(&clock));
    assert!(wait.is_some_and(|wait| wait > Duration::from_secs(590)), "{wait:?}");
    let before = fake.calls().len();
    clock.advance(Duration::from_secs(500));
    spoold.daemon.delivery.wake(&eu);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(fake.calls().len(), before, "nobody knocks before the time");
    fast_forward(&spoold, &clock, &eu);
    assert_eq!(spoold.tally(&eu).done, 10);
    spoold.stop();
}

#[test]
fn a_dead_odoo_is_probed_by_one_and_its_return_is_no_storm() {
    let fake = shop(Flavor::V19);
    let accounts = ["a", "b", "c", "d"];
    let place = installation(&fake, &accounts, "connections = 4\nbatch = 10");
    let clock = clock();
    fake.stop();
    let spoold = start(&place, &clock);
    for (at, account) in accounts.iter().enumerate() {
        place.drop_bytes(account, "orders.age", &order_report(at * 100..at * 100 + 100));
    }
    let ids: Vec<AccountId> = accounts.iter().map(|id| id.parse().unwrap()).collect();
    let down = |id: &AccountId| spoold.daemon.delivery.gates()[id].name() == "odoo-unreachable";
    spoold.wait("all to know", || ids.iter().all(down));
    fake.start();
    // Time enough for every other account to begin, if it might.
    fake.fail_next("sale.order", "load", Fault::HangAfterCommit(Duration::from_secs(2)));
    fake.forget_calls();
    spoold.wait("the first orders", || {
        for id in &ids {
            let now = odoo_spoold::clock::Clock::now(&clock);
            if let Some(wait) = spoold.daemon.delivery.gates()[id].wait(now) {
                clock.advance(wait);
            }
            spoold.daemon.delivery.wake(id);
        }
        !fake.calls_of("sale.order", "action_confirm").is_empty()
    });
    for id in &ids {
        fast_forward(&spoold, &clock, id);
        assert_eq!(spoold.tally(id).done, 100, "{id}");
    }
    let calls = fake.calls();
    let confirmed = calls.iter().position(|call| call.method == "action_confirm").unwrap();
    let is_order = |call: &&Recorded| call.model == "sale.order" && call.method == "load";
    let begun = calls[..confirmed].iter().filter(is_order).count();
    assert_eq!(begun, 1, "four connections are allowed, but one batch goes first");
    spoold.stop();
}

#[test]
fn an_idle_account_learns_that_odoo_is_back() {
    let fake = shop(Flavor::V19);
    let place = installation(&fake, &["busy", "idle"], "");
    let clock = clock();
    let spoold = start(&place, &clock);
    let [busy, idle]: [AccountId; 2] = ["busy", "idle"].map(|id| id.parse().unwrap());
    for (account, numbers) in [(&busy, 0..5), (&idle, 100..105)] {
        place.drop_bytes(account.as_str(), "first.age", &order_report(numbers));
        fast_forward(&spoold, &clock, account);
    }
    let closed = |id: &AccountId| {
        let pin = spoold.daemon.store.pin(id).unwrap();
        pin.is_some_and(|pin| pin.opened.is_none() && !pin.raising)
    };
    spoold.wait("both windows to close", || closed(&busy) && closed(&idle));
    fake.stop();
    // Odoo was known long ago: it is asked before anything is sent.
    clock.advance(Duration::from_hours(1));
    place.drop_bytes("busy", "second.age", &order_report(5..10));
    let gate = |id: &AccountId| spoold.daemon.delivery.gates()[id].name();
    spoold.wait("both to know", || {
        [&busy, &idle].into_iter().all(|id| gate(id) == "odoo-unreachable")
    });
    fake.start();
    fast_forward(&spoold, &clock, &busy);
    assert_eq!(spoold.tally(&busy).done, 10);
    spoold.wait("the idle account to be told so", || {
        let now = odoo_spoold::clock::Clock::now(&clock);
        clock.advance(spoold.daemon.delivery.gates()[&idle].wait(now).unwrap_or_default());
        spoold.daemon.delivery.wake(&idle);
        gate(&idle) == "open"
    });
    spoold.stop();
}
