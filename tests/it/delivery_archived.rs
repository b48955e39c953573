//! What a person archives or renames in Odoo while the daemon runs: noticed within minutes, and said.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::time::Duration;

use odoo_spoold::deliver::gate::Gate;
use odoo_spoold::model::{AccountId, HoldCode, JobState, Outcome};
use serde_json::json;

use crate::support::fake_odoo::{FakeOdoo, Flavor};
use crate::support::shop::{
    clock, fast_forward, installation, order_id, order_report, shop, start, state,
};

fn archive(fake: &FakeOdoo, model: &str, field: &str, value: &str) -> i64 {
    fake.tables(|tables| {
        let named = |id: &i64| tables.row(model, *id).unwrap()[field] == json!(value);
        let id = tables.all_ids(model).into_iter().find(named).unwrap();
        tables.set(model, id, "active", json!(false));
        id
    })
}

#[test]
fn night_p13_what_was_archived_is_noticed_within_five_minutes_and_named() {
    let fake = shop(Flavor::V19);
    // Held orders are looked at once an hour: what was found in Odoo is not believed that long.
    let files = installation(&fake, &["eu"], "recheck_interval = \"1h\"");
    let (clock, eu) = (clock(), "eu".parse::<AccountId>().unwrap());
    let spoold = start(&files, &clock);
    let bring = |number: usize| {
        files.drop_bytes("eu", &format!("{number}.txt.age"), &order_report([number]));
        spoold.wait("the order", || spoold.job(&eu, &order_id(number)).is_some());
        fast_forward(&spoold, &clock, &eu);
    };
    let text = |number: usize, code: HoldCode| {
        let holds = spoold.holds_of(&eu, &order_id(number));
        holds.into_iter().find(|hold| hold.code == code).map(|hold| hold.text).unwrap_or_default()
    };
    bring(1);
    assert_eq!(state(&spoold, &eu, 1), JobState::Done(Outcome::Delivered));
    // Order 2 has SKU-0003.
    let product = archive(&fake, "product.product", "default_code", "SKU-0003");
    let pricelist = archive(&fake, "product.pricelist", "name", "EUR");
    clock.advance(Duration::from_secs(301));
    bring(2);
    let said = text(2, HoldCode::Pricelist);
    let words =
        format!("\"EUR\" (id {pricelist}) is archived in Odoo: unarchive it, or name another");
    assert_eq!(said, words, "{:?}", state(&spoold, &eu, 2));
    fake.tables(|tables| tables.set("product.pricelist", pricelist, "active", json!(true)));
    clock.advance(Duration::from_secs(3_601));
    spoold.daemon.delivery.wake(&eu);
    spoold.wait("the product's hold", || !text(2, HoldCode::Sku).is_empty());
    let said = text(2, HoldCode::Sku);
    assert!(said.starts_with(&format!("SKU-0003 is archived (product {product}): ")), "{said}");
    spoold.stop();
}

#[test]
fn night_p13_a_renamed_company_is_named_with_those_there_are() {
    let fake = shop(Flavor::V19);
    let files = installation(&fake, &["eu"], "");
    let (clock, eu) = (clock(), "eu".parse::<AccountId>().unwrap());
    fake.tables(|tables| {
        let id = tables.all_ids("res.company")[0];
        tables.set("res.company", id, "name", json!("Shop GmbH"));
    });
    let spoold = start(&files, &clock);
    files.drop_bytes("eu", "1.txt.age", &order_report([1]));
    let told = || match &spoold.daemon.delivery.gates()[&eu] {
        Gate::Paused(closed) => closed.next_step.clone(),
        Gate::Open | Gate::Down(_) => String::new(),
    };
    spoold.wait("the account to pause", || !told().is_empty());
    assert_eq!(told(), "\"Shop\" is gone; the user may work for: Shop GmbH");
    spoold.stop();
}
