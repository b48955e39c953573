//! Real Odoos: a lost creation and another family's file, a cancellation behind a refused row, and
//! a currency without decimals.

use odoo_spoold::model::{HoldCode, Outcome};

use crate::real_support::{Sale, all_orders, order_id, unshipped};
use crate::support::lab::{Lab, Seen, versions};
use crate::support::sales::Report;
use crate::support::spoold::Installation;

const GROUP: u32 = 307;

fn lines(seen: &Seen) -> Vec<String> {
    seen.lines
        .iter()
        .map(|line| format!("{} {} {}", line.reference, line.quantity, line.price_unit))
        .collect()
}

/// Sold and shipped by the seller, in the United Kingdom.
fn sale(order: &str) -> Sale<'_> {
    Sale { order, status: "Unshipped", item: "Unshipped", by: "Merchant", ..Sale::default() }
}

#[test]
fn audit_02_no_half_order_after_a_lost_creation() {
    for version in versions("half an order") {
        let lab = Lab::new(version, "half");
        lab.fee_products();
        let installation = Installation::new(&lab, &[]);
        let account = installation.account();
        let id = order_id(GROUP, 1);
        // Odoo does not take the order, after its ordinals were given.
        lab.sql(&format!(
            "alter table sale_order add constraint spoold_test check (client_order_ref is distinct from '{id}')"
        ));
        let spoold = installation.start();
        let mut report = Report::order_report();
        for (item, sku, price, tax) in [
            ("10000000000001", "SKU-0001", "10.00", "1.67"),
            ("10000000000002", "SKU-0001", "10.00", "1.67"),
            ("10000000000003", "SKU-0002", "6.00", "1.00"),
        ] {
            report.row(&[
                ("order-id", &id),
                ("order-item-id", item),
                ("purchase-date", "2025-03-02T10:00:00+00:00"),
                ("buyer-email", "half@marketplace.amazon.co.uk.example"),
                ("buyer-name", "Ada Fixture"),
                ("sku", sku),
                ("product-name", "Article"),
                ("quantity-purchased", "1"),
                ("currency", "GBP"),
                ("item-price", price),
                ("item-tax", tax),
                ("recipient-name", "Ada Fixture"),
                ("ship-address-1", "1 Sample Lane"),
                ("ship-city", "NETHER WALLOW"),
                ("ship-postal-code", "DT99 4ZZ"),
                ("ship-country", "GB"),
                ("sales-channel", "Amazon.co.uk"),
            ]);
        }
        installation.drop_bytes("eu", "report.age", report.text().as_bytes());
        spoold.wait_idle(&installation);
        assert!(!lab.orders().contains_key(&id), "Odoo {version}");
        lab.sql("alter table sale_order drop constraint spoold_test");
        // All Orders counts the same units in fewer rows.
        let two = Sale { quantity: 2, price: "20.00", tax: "3.33", ..sale(&id) };
        let other = Sale { sku: "SKU-0002", price: "6.00", tax: "1.00", ..sale(&id) };
        installation.drop_bytes("eu", "all.age", &all_orders([two, other]));
        spoold.wait_idle(&installation);
        assert_eq!(
            spoold.outcome(&account, &id),
            Some(Outcome::Delivered),
            "Odoo {version}: {}",
            spoold.describe(&account)
        );
        let seen = lab.orders().remove(&id).unwrap();
        assert_eq!(lines(&seen), ["SKU-0001 2.00 10.00", "SKU-0002 1.00 6.00"], "Odoo {version}");
        assert_eq!((seen.state.as_str(), seen.total.as_str()), ("sale", "26.00"), "{version}");
        spoold.stop();
    }
}

#[test]
fn audit_07_a_cancellation_behind_a_refused_row() {
    for version in versions("cancellation behind a refused row") {
        let lab = Lab::new(version, "refused");
        lab.fee_products();
        let installation = Installation::new(&lab, &[]);
        let account = installation.account();
        let spoold = installation.start();
        let id = order_id(GROUP, 2);
        let take = |name: &str, bytes: &[u8]| {
            installation.drop_bytes("eu", name, bytes);
            spoold.wait_idle(&installation);
        };
        let waiting = || unshipped([(id.clone(), 1, "SKU-0001", 1, 1)]);
        take("all.age", &all_orders([sale(&id)]));
        take("waiting.age", &waiting());
        assert_eq!(lab.orders()[&id].state, "sale", "Odoo {version}");
        let torn = String::from_utf8(waiting())
            .unwrap()
            .replace("T10:02:00+00:00", "T10:30:00+00:00")
            .replace("\t1\t0\t1\t", "\tx\t0\t1\t");
        take("torn.age", torn.as_bytes());
        let codes: Vec<HoldCode> =
            spoold.holds_of(&account, &id).iter().map(|hold| hold.code).collect();
        assert_eq!(codes, [HoldCode::Row], "Odoo {version}");
        let cancelled = Sale { status: "Cancelled", item: "Cancelled", updated: 20, ..sale(&id) };
        take("cancelled.age", &all_orders([cancelled]));
        assert_eq!(spoold.outcome(&account, &id), Some(Outcome::Cancelled), "Odoo {version}");
        assert_eq!(lab.orders()[&id].state, "cancel", "Odoo {version}");
        spoold.stop();
    }
}

#[test]
fn audit_13_yen_are_whole() {
    for version in versions("yen") {
        let lab = Lab::new(version, "yen");
        lab.fee_products();
        let options = ["--account", "fe", "--marketplace", "Amazon.co.jp"];
        let mut installation = Installation::new(&lab, &options);
        let text = format!(
            "{}\n[[account.marketplace.tax]]\ndestination = \"*\"\nrate = \"20\"\n\
             tax = \"Amazon 20% incl\"\n",
            installation.config_text()
        );
        let keys = installation.keys_text();
        installation.rewrite(&text, &keys);
        let account = "fe".parse().unwrap();
        let spoold = installation.start();
        let id = order_id(GROUP, 3);
        let mut report = Report::all_orders();
        // 1000 / 3 in whole yen; the tax inside, 166.67, is rounded to the yen.
        for (sku, quantity, price, tax) in
            [("SKU-0001", "3", "1000", "167"), ("SKU-0002", "1", "1499", "250")]
        {
            report.row(&[
                ("amazon-order-id", &id),
                ("purchase-date", "2025-03-02T10:00:00+00:00"),
                ("last-updated-date", "2025-03-02T11:00:00+00:00"),
                ("order-status", "Shipped"),
                ("fulfillment-channel", "Amazon"),
                ("sales-channel", "Amazon.co.jp"),
                ("product-name", "Article"),
                ("sku", sku),
                ("item-status", "Shipped"),
                ("quantity", quantity),
                ("currency", "JPY"),
                ("item-price", price),
                ("item-tax", tax),
                ("ship-country", "JP"),
            ]);
        }
        installation.drop_bytes("fe", "yen.age", report.text().as_bytes());
        spoold.wait_idle(&installation);
        assert_eq!(
            spoold.outcome(&account, &id),
            Some(Outcome::Delivered),
            "Odoo {version}: {}",
            spoold.describe(&account)
        );
        let seen = lab.orders().remove(&id).unwrap();
        assert_eq!((seen.state.as_str(), seen.total.as_str()), ("sale", "2499.00"), "{version}");
        assert_eq!(seen.currency, "JPY");
        spoold.stop();
    }
}
