//! A real Odoo that was restored from a backup (`pg_dump`, `pg_restore`), copied, or lost its marker:
//! paused, explained, not one write; reconciled, it ends as if nothing had happened. And a database
//! id that means another order now: nothing is written to the stranger, and the order says why it
//! waits.

use odoo_spoold::control::wire::{Reconcile, ReconcileReport};
use odoo_spoold::deliver::gate::Gate;
use odoo_spoold::model::HoldCode;

use crate::support::lab::{Lab, runtime, versions};
use crate::support::sales::{Report, order_id, shipped_by_amazon, shipped_by_seller};
use crate::support::spoold::{Installation, Spoold};

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

/// Orders that Amazon ships, and orders of buyers, in two files.
fn drop_orders(installation: &Installation, name: &str, numbers: std::ops::Range<u64>) {
    let mut report = Report::all_orders();
    let mut buyers = Report::order_report();
    for n in numbers {
        if n % 2 == 0 {
            shipped_by_amazon(&mut report, n, "Shipped", &[("SKU-0001", 1, 1000 + n)]);
        } else {
            shipped_by_seller(&mut buyers, n, n, "SKU-0002", 2000 + n);
        }
    }
    installation.drop_bytes("eu", &format!("{name}.age"), report.text().as_bytes());
    installation.drop_bytes("eu", &format!("{name}-buyers.age"), buyers.text().as_bytes());
}

fn paused(spoold: &Spoold, code: &str) -> String {
    let account = "eu".parse().unwrap();
    let mut words = String::new();
    spoold.wait("the account to pause", || match &spoold.daemon.delivery.gates()[&account] {
        Gate::Paused(closed) => {
            assert_eq!(closed.code, code, "{}", closed.next_step);
            words.clone_from(&closed.next_step);
            true
        }
        _ => false,
    });
    assert!(words.contains("`odoo-spoold reconcile --account eu --dry-run`"), "{words}");
    words
}

fn reconcile(spoold: &Spoold, dry_run: bool) -> ReconcileReport {
    let request = Reconcile { account: "eu".parse().unwrap(), since: None, dry_run };
    let desk = spoold.daemon.handle().desk;
    runtime().block_on(desk.reconcile(request)).unwrap_or_else(|error| panic!("{error}"))
}

fn settle(spoold: &Spoold, installation: &Installation) {
    let account = installation.account();
    spoold.wait_idle(installation);
    spoold.wait("nothing to be held", || spoold.tally(&account).held == 0);
    spoold.wait_idle(installation);
}

/// What a person sees of each order, ids and names given anew apart.
fn shown(lab: &Lab) -> Vec<String> {
    let orders = lab.orders();
    let text = |(id, seen): (&String, &crate::support::lab::Seen)| {
        let (who, where_to) = (&seen.partner["name"], &seen.shipping["street"]);
        format!(
            "{id} {} {} {} {who} {where_to} {:?}",
            seen.state, seen.total, seen.pickings, seen.lines
        )
    };
    orders.iter().map(text).collect()
}

/// The marker's row: what a sales user may read and write.
fn marker(lab: &Lab) -> String {
    lab.sql(
        "select p.active, p.email is null, split_part(p.ref, ' ', 4) from res_partner p \
         join ir_model_data d on d.model = 'res.partner' and d.res_id = p.id \
         where d.module = 'spoold_eu' and d.name like 'marker\\_%'",
    )
}

#[test]
fn a_restored_odoo_is_told_and_mended() {
    for version in versions("a restored Odoo") {
        let lab = Lab::new(version, "backup");
        lab.fee_products();
        let installation = Installation::new(&lab, &[]);
        drop_orders(&installation, "first", 0..4);
        installation.run_until_idle();
        assert!(marker(&lab).starts_with("f|t|"), "{}", marker(&lab));
        // Deleted by a person before the backup.
        let gone = order_id(2);
        lab.shell(&format!(
            "order = env['sale.order'].search([('client_order_ref', '=', '{gone}')])\n\
             order._action_cancel() if hasattr(order, '_action_cancel') else order.action_cancel()\n\
             order.with_context(force_delete=True).unlink()\nenv.cr.commit()\n"
        ));
        assert!(!lab.orders().contains_key(&gone), "it was not deleted");
        let backup = lab.dump(&format!("{}-b", lab.database));
        drop_orders(&installation, "second", 4..8);
        installation.run_until_idle();
        drop_orders(&installation, "third", 8..10);
        installation.run_until_idle();
        let (want, census) = (shown(&lab), lab.census());
        assert_eq!(want.len(), 9);

        lab.restore(&backup);
        let before = (lab.last_write(), lab.census(), marker(&lab));
        drop_orders(&installation, "fourth", 10..12);
        let spoold = installation.start();
        let words = paused(&spoold, "odoo-restored");
        assert!(words.contains("the last good delivery window ended"), "{words}");
        let account = installation.account();
        spoold.wait("the files to be taken in", || spoold.tally(&account).pending == 2);
        let told = reconcile(&spoold, true);
        assert_eq!((told.missing, told.stay_deleted, told.present), (6, 1, 3), "{told:?}");
        assert_eq!((lab.last_write(), lab.census(), marker(&lab)), before, "Odoo {version}");

        let report = reconcile(&spoold, false);
        assert_eq!((report.missing, report.files_missing), (6, 0), "{report:?}");
        settle(&spoold, &installation);
        spoold.stop();
        let seen = shown(&lab);
        let (old, new): (Vec<_>, Vec<_>) = seen.into_iter().partition(|order| want.contains(order));
        assert_eq!(old, want, "Odoo {version}: {new:?}");
        assert_eq!(new.len(), 2, "Odoo {version}: {new:?}");
        assert!(!lab.orders().contains_key(&gone), "Odoo {version}");
        // Both of the fourth file came on top: an order each, one with a buyer and an address.
        assert_eq!(lab.census()[0], census[0] + 2, "Odoo {version}");

        // All of it once more: not one order more.
        let census = lab.census();
        drop_orders(&installation, "again", 0..12);
        installation.run_until_idle();
        assert_eq!(lab.census(), census, "Odoo {version}");
    }
}

#[test]
fn a_copy_and_a_lost_marker_are_told() {
    for version in versions("a staging copy") {
        let lab = Lab::new(version, "copy");
        lab.fee_products();
        let mut installation = Installation::new(&lab, &[]);
        drop_orders(&installation, "first", 0..2);
        installation.run_until_idle();
        let staging = lab.copy_to(&format!("{}-s", lab.database));
        let copy = Lab::beside(&lab, &staging);

        // The daemon is pointed to the copy.
        let (config, keys) = (installation.config_text(), installation.keys_text());
        installation.rewrite(&config.replace(&lab.database, &staging.database), &keys);
        let before = (copy.last_write(), copy.census(), marker(&copy));
        drop_orders(&installation, "second", 2..4);
        let spoold = installation.start();
        paused(&spoold, "odoo-other-database");
        let told = reconcile(&spoold, true);
        assert_eq!((told.checked, told.missing), (0, 0), "the marker fits: {told:?}");
        spoold.stop();
        assert_eq!((copy.last_write(), copy.census(), marker(&copy)), before, "Odoo {version}");
        std::mem::forget(copy);

        // Back home all goes on; then a person deletes the marker.
        installation.rewrite(&config, &keys);
        installation.run_until_idle();
        assert_eq!(lab.orders().len(), 4, "Odoo {version}");
        lab.shell(
            "env['res.partner'].with_context(active_test=False).search([('ref', '=like', \
             'odoo-spoold eu %')]).unlink()\nenv.cr.commit()\n",
        );
        drop_orders(&installation, "third", 4..6);
        let before = (lab.last_write(), lab.census());
        let spoold = installation.start();
        paused(&spoold, "odoo-marker-gone");
        assert_eq!((lab.last_write(), lab.census()), before, "Odoo {version}");
        let report = reconcile(&spoold, false);
        assert_eq!((report.missing, report.present), (0, 4), "{report:?}");
        settle(&spoold, &installation);
        spoold.stop();
        assert_eq!(lab.orders().len(), 6, "Odoo {version}");
        assert!(marker(&lab).starts_with("f|t|"), "{}", marker(&lab));
    }
}
