//! One daemon, five Odoos: a delivery and a check on what `fields_get` of 14, 16, 17, 18 and 19
//! answers (`tests/fixtures/odoo-fields`). A field that a version does not have is refused by the
//! scripted Odoo as by the real one; 14 and 19 are proven on real servers beside this.

use std::collections::BTreeSet;
use std::process::Command;

use odoo_spoold::model::{AccountId, JobState, Outcome};
use serde_json::{Value, json};

use crate::setup::{Host, ok};
use crate::support::fake_odoo::{FakeOdoo, Flavor};
use crate::support::shop::{installation, order_id, order_report, shop, state};

const ALL_ORDERS: &str = "amazon-order-id\tpurchase-date\tlast-updated-date\torder-status\tfulfillment-channel\t\
    sales-channel\tship-service-level\tproduct-name\tsku\titem-status\tquantity\tcurrency\titem-price\titem-tax\t\
    shipping-price\tshipping-tax\tgift-wrap-price\tgift-wrap-tax\titem-promotion-discount\t\
    ship-promotion-discount\tship-city\tship-state\tship-postal-code\tship-country\tpromotion-ids\tasin\turl\t\
    order-channel\tmerchant-order-id\n";

/// All Orders with one order of [`order_report`] as the marketplace has it later.
fn later(number: usize, status: &str) -> Vec<u8> {
    let row = format!(
        "{}\t2026-03-01T10:00:07+00:00\t2026-03-02T10:00:00+00:00\t{status}\tMerchant\tAmazon.de\tStandard\tThing\t\
         SKU-{:04}\t{status}\t1\tEUR\t19.99\t0.00\t\t\t\t\t\t\tBerlin\t\t10115\tDE\t\tB0\t\t\t\n",
        order_id(number),
        number % 5 + 1
    );
    format!("{ALL_ORDERS}{row}").into_bytes()
}

fn orders(fake: &FakeOdoo) -> Vec<(String, String)> {
    let mut orders: Vec<_> = fake
        .records("sale.order")
        .iter()
        .map(|order| {
            let text = |field: &str| order[field].as_str().unwrap().to_owned();
            (text("client_order_ref"), text("state"))
        })
        .collect();
    orders.sort();
    orders
}

#[test]
fn orders_are_created_confirmed_and_cancelled_on_every_version() {
    for flavor in Flavor::ALL {
        let fake = shop(flavor);
        // Before 19 a wizard is all that comes of cancelling, unless the context says that it is not wanted.
        fake.tables(|tables| tables.cancel_asks = flavor < Flavor::V19);
        let place = installation(&fake, &["eu"], "");
        let eu: AccountId = "eu".parse().unwrap();
        let spoold = place.start();
        place.drop_bytes("eu", "orders.age", &order_report(0..3));
        spoold.wait_idle(&place);
        for number in 0..3 {
            let ended = state(&spoold, &eu, number);
            assert_eq!(ended, JobState::Done(Outcome::Delivered), "{flavor:?} order {number}");
        }
        let sale = |number| (order_id(number), "sale".to_owned());
        assert_eq!(orders(&fake), [sale(0), sale(1), sale(2)], "{flavor:?}");
        place.drop_bytes("eu", "cancelled.age", &later(1, "Cancelled"));
        spoold.wait_idle(&place);
        let ended = state(&spoold, &eu, 1);
        assert_eq!(ended, JobState::Done(Outcome::Cancelled), "{flavor:?}");
        assert_eq!(orders(&fake)[1].1, "cancel", "{flavor:?}");
        spoold.stop();

        // The names are those of the version, and not another one's.
        let columns: BTreeSet<String> = fake
            .calls_of("sale.order", "load")
            .iter()
            .flat_map(|call| call.args["fields"].as_array().cloned().unwrap())
            .filter_map(|field| field.as_str().map(str::to_owned))
            .collect();
        let taxes = columns.iter().filter(|column| column.contains("tax_id")).collect::<Vec<_>>();
        let named = if flavor == Flavor::V19 { "order_line/tax_ids" } else { "order_line/tax_id" };
        assert!(taxes.iter().all(|column| column.starts_with(named)), "{flavor:?} {taxes:?}");
        assert!(!taxes.is_empty(), "{flavor:?} {columns:?}");
        let dialects: BTreeSet<_> = fake.calls().iter().map(|call| call.dialect).collect();
        let dialect = if flavor == Flavor::V19 { "json2" } else { "jsonrpc" };
        assert_eq!(dialects, [dialect].into(), "{flavor:?}");
    }
}

#[test]
fn check_asks_nothing_that_a_version_does_not_have() {
    for flavor in Flavor::ALL {
        let fake = shop(flavor);
        let host = Host::new(&fake);
        ok(host.setup(&["--no-recovery"]));
        let config = host.at("etc/odoo-spoold/config.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        let table = "\n[[account.marketplace]]\nname = \"Amazon.de\"\npricelist = \"EUR\"\nprices = \"gross\"\n\
            [[account.marketplace.tax]]\ndestination = \"*\"\nrate = \"0\"\ntax = \"none\"\ndefault = true\n";
        std::fs::write(&config, format!("{text}{table}")).unwrap();
        let rows = checked(host.command(&["check", "--json"]));
        for row in &rows {
            let detail = row["detail"].as_str().unwrap();
            // What a real one says of a field that it does not have.
            for word in ["Invalid field", "KeyError", "ValueError"] {
                assert!(!detail.contains(word), "{flavor:?} {row}");
            }
        }
        let version = rows.iter().find(|row| row["what"] == "version").unwrap();
        let number = format!("Odoo {}", flavor.number());
        assert!(version["detail"].as_str().unwrap().starts_with(&number), "{version}");
        assert_eq!(version["state"], "ok", "{flavor:?}");
        let market = rows.iter().filter(|row| row["area"] == "marketplace").count();
        assert!(market > 1, "{flavor:?} {rows:?}");
    }
}

fn checked(mut command: Command) -> Vec<Value> {
    let done = command.output().unwrap();
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    report["rows"].as_array().unwrap().clone()
}

/// What differs between the versions and is used: the tables say where.
#[test]
fn the_recorded_fields_are_those_of_the_versions() {
    for flavor in Flavor::ALL {
        let number = flavor.number();
        let fake = FakeOdoo::start_new(flavor);
        let has = |model: &str, field: &str| {
            let args = json!({}).as_object().unwrap().clone();
            let told = fake.tables(|tables| {
                tables.call(model, "fields_get", &[], &args, &args.clone()).unwrap()
            });
            told.get(field).is_some()
        };
        assert_eq!(has("sale.order.line", "tax_ids"), number >= 19, "{number}");
        assert_eq!(has("sale.order.line", "tax_id"), number < 19, "{number}");
        assert_eq!(has("sale.order.line", "product_uom_id"), number >= 19, "{number}");
        assert_eq!(has("sale.order", "locked"), number >= 17, "{number}");
        assert_eq!(has("res.partner", "mobile"), number < 19, "{number}");
        assert_eq!(has("product.product", "is_storable"), number >= 18, "{number}");
        assert_eq!(has("account.tax", "price_include_override"), number >= 18, "{number}");
        assert_eq!(has("stock.picking", "move_ids"), number >= 16, "{number}");
    }
}
