//! A shop on the fake Odoo, a configuration for it, and orders to go there.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use odoo_spoold::clock::Manual;
use odoo_spoold::model::{AccountId, JobState};
use serde_json::json;

use super::fake_odoo::{self, FakeOdoo, Flavor};
use super::spoold::{Installation, Spoold, keys_text};

/// Products `SKU-0001` to `SKU-0005`, those of the fees, and a warehouse.
pub fn shop(flavor: Flavor) -> FakeOdoo {
    let fake = FakeOdoo::start_new(flavor);
    let unit = fake.insert("uom.uom", json!({"name": "Units"}));
    let company = fake.records("res.company")[0]["id"].clone();
    let goods = (1..=5).map(|sku| format!("SKU-{sku:04}"));
    let fees = ["AMZ-SHIPPING", "AMZ-GIFT-WRAP", "AMZ-PROMOTION", "AMZ-ROUNDING"];
    for code in goods.chain(fees.map(str::to_owned)) {
        fake.insert("product.product", json!({"name": code, "default_code": code, "uom_id": unit}));
    }
    fake.insert("stock.warehouse", json!({"name": "Main", "code": "WH", "company_id": company}));
    fake
}

/// A configuration for `fake` with these accounts; `extra` are lines of its `[odoo]`.
pub fn installation(fake: &FakeOdoo, accounts: &[&str], extra: &str) -> Installation {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let mut text = format!(
        "[odoo]\nurl = \"{}\"\ndatabase = \"{}\"\nlogin = \"{}\"\n{extra}\n\
         [spool]\ndir = \"{at}/spool\"\nsettle = \"1s\"\n[state]\ndir = \"{at}/state\"\ncache = \"64MiB\"\n\
         [keys]\nfile = \"{at}/keys.toml\"\n[control]\nsocket = \"{at}/control.sock\"\n",
        fake.url(),
        fake_odoo::DATABASE,
        fake_odoo::LOGIN
    );
    for account in accounts {
        write!(
            text,
            "[[account]]\nid = \"{account}\"\nregion = \"EU\"\ncompany = \"Shop\"\n\
             import_from = 2001-01-01\n\
             [[account.marketplace]]\nname = \"Amazon.de\"\npricelist = \"EUR\"\nprices = \"gross\"\n\
             [[account.marketplace.tax]]\ndestination = \"*\"\nrate = \"0\"\ntax = \"none\"\n\
             default = true\n"
        )
        .unwrap();
    }
    let accounts: Vec<String> = accounts.iter().map(|id| (*id).to_owned()).collect();
    Installation::from_text(dir, &text, &keys_text(&accounts, fake_odoo::API_KEY))
}

/// The Amazon id of order `number`.
pub fn order_id(number: usize) -> String {
    format!("302-{:07}-{:07}", number / 10_000_000, number % 10_000_000)
}

/// An order report of these orders: one line each, shipped by the seller, a buyer each.
pub fn order_report(numbers: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let mut text = "order-id\torder-item-id\tpurchase-date\tpayments-date\tbuyer-email\tbuyer-name\t\
        buyer-phone-number\tsku\tproduct-name\tquantity-purchased\tcurrency\titem-price\titem-tax\t\
        shipping-price\tshipping-tax\tship-service-level\trecipient-name\tship-address-1\tship-address-2\t\
        ship-address-3\tship-city\tship-state\tship-postal-code\tship-country\tship-phone-number\t\
        sales-channel\n"
        .to_owned();
    for number in numbers {
        let id = order_id(number);
        writeln!(
            text,
            "{id}\t{number:011}\t2026-03-01T10:00:07+00:00\t2026-03-01T10:30:07+00:00\t\
             b{number}@marketplace.amazon.de\tBuyer {number}\t\tSKU-{:04}\tThing\t1\tEUR\t19.99\t0.00\t\
             0.00\t0.00\tStandard\tBuyer {number}\tStreet {number}\t\t\tBerlin\t\t10115\tDE\t\tAmazon.de",
            number % 5 + 1
        )
        .unwrap();
    }
    text.into_bytes()
}

/// Sets the clock to each next due time until no job of `account` is pending: retries come at once,
/// in their order.
pub fn fast_forward(spoold: &Spoold, clock: &Manual, account: &AccountId) {
    spoold.wait("every job to end", || {
        let tally = spoold.tally(account);
        if tally.pending + tally.started == 0 && tally.total() > 0 {
            return true;
        }
        let due = spoold.daemon.store.next_due(account).unwrap();
        let gate = spoold.daemon.delivery.gates()[account].wait(now(clock));
        let wait = due
            .and_then(|due| Duration::try_from(due.duration_since(now(clock))).ok())
            .unwrap_or_default()
            .max(gate.unwrap_or_default());
        if tally.started == 0 && !wait.is_zero() {
            clock.advance(wait);
        }
        spoold.daemon.delivery.wake(account);
        false
    });
}

fn now(clock: &Manual) -> Timestamp {
    odoo_spoold::clock::Clock::now(clock)
}

/// A clock that stands at the present.
pub fn clock() -> Manual {
    Manual::new(now_of_system())
}

fn now_of_system() -> Timestamp {
    odoo_spoold::clock::Clock::now(&odoo_spoold::clock::System)
}

/// Starts the daemon of an installation on a clock.
pub fn start(installation: &Installation, clock: &Manual) -> Spoold {
    Spoold::start_on(&installation.config, Arc::new(clock.clone()))
}

/// The state of an order's job.
pub fn state(spoold: &Spoold, account: &AccountId, number: usize) -> JobState {
    spoold.job(account, &order_id(number)).unwrap().state
}
