//! A database id that means another order now, as after a restored backup: nothing is written to
//! the stranger, and the order says why it waits.

use odoo_spoold::model::HoldCode;

use crate::support::lab::{Lab, versions};
use crate::support::sales::{Report, order_id};
use crate::support::spoold::Installation;

/// One All Orders row of order 7, at the day and with the status given.
fn report(day: u32, status: &str, quantity: &str) -> String {
    let mut report = Report::all_orders();
    report.row(&[
        ("amazon-order-id", &order_id(7)),
        ("purchase-date", "2025-04-08T07:07:00+00:00"),
        ("last-updated-date", &format!("2025-04-{day:02}T08:00:00+00:00")),
        ("order-status", status),
        ("fulfillment-channel", "Amazon"),
        ("sales-channel", "Amazon.de"),
        ("sku", "SKU-0001"),
        ("quantity", quantity),
        ("currency", "EUR"),
        ("item-price", "10.00"),
        ("ship-country", "DE"),
    ]);
    report.text()
}

#[test]
fn a_stranger_under_a_known_id_is_never_written() {
    for version in versions("restored") {
        let lab = Lab::new(version, "restored");
        lab.fee_products();
        let installation = Installation::new(&lab, &[]);
        installation.drop_bytes("eu", "first.age", report(9, "Pending", "1").as_bytes());
        installation.run_until_idle();
        assert_eq!(lab.orders()[&order_id(7)].state, "draft");

        // A person's own reference is no other order: the external id still says whose it is.
        lab.sql("update sale_order set client_order_ref = 'PO 4711'");
        installation.drop_bytes("eu", "second.age", report(10, "Shipped", "1").as_bytes());
        installation.run_until_idle();
        assert_eq!(lab.orders()["PO 4711"].state, "sale", "Odoo {version}");

        lab.sql("delete from ir_model_data where model = 'sale.order'");
        let before = (lab.last_write(), lab.census());
        installation.drop_bytes("eu", "third.age", report(11, "Cancelled", "0").as_bytes());
        let spoold = installation.start();
        spoold.wait_idle(&installation);
        let holds = spoold.holds(&installation.account());
        spoold.stop();
        assert_eq!(holds, [(order_id(7), vec![HoldCode::Conflict])], "Odoo {version}");
        assert_eq!((lab.last_write(), lab.census()), before, "Odoo {version}");
        assert_eq!(lab.orders()["PO 4711"].state, "sale", "Odoo {version}");
    }
}
