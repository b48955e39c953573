//! The same orders again and again, in every wrapping, from two daemons at once: once in Odoo.

use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::real_support::{Sale, Waiting, all_orders, lines, order_id, report, unshipped};
use crate::support::expected::{differences, expected};
use crate::support::lab::{Lab, versions};
use crate::support::spoold::Installation;

const ORDERS: u32 = 24;
const BUYERS: u32 = 8;

/// The two reports of a group of orders.
struct Reports {
    group: u32,
    sales: Vec<u8>,
    waiting: Vec<u8>,
}

fn reports(group: u32) -> Reports {
    let sales = (0..ORDERS).flat_map(|n| {
        let id: &'static str = order_id(group, n).leak();
        let sale = Sale {
            order: id,
            status: "Unshipped",
            item: "Unshipped",
            by: "Merchant",
            ..Sale::default()
        };
        [Sale { quantity: 2, ..sale }, Sale { sku: "SKU-0002", price: "6.00", tax: "1.00", ..sale }]
    });
    let waiting = (0..ORDERS).flat_map(|n| -> [Waiting; 2] {
        let (id, buyer) = (order_id(group, n), group * 100 + n % BUYERS);
        [(id.clone(), 1, "SKU-0001", 2, buyer), (id, 2, "SKU-0002", 1, buyer)]
    });
    Reports { group, sales: all_orders(sales), waiting: unshipped(waiting) }
}

/// Both reports in every guise.
fn drop_everything(installation: &Installation, reports: &Reports) {
    for (what, bytes) in [("sales", &reports.sales), ("waiting", &reports.waiting)] {
        let name = |guise: &str| format!("{what}-{guise}.age");
        let rows = lines(bytes);
        let (header, rows) = (&rows[0], &rows[1..]);
        let part = |rows: &[String]| {
            report(&std::iter::once(header).chain(rows).cloned().collect::<Vec<_>>())
        };
        let (third, two) = (rows.len() / 3, 2 * rows.len() / 3);
        // 7 and the number of rows have no common divisor: every row once, none beside its order's.
        let shuffled: Vec<String> =
            (0..rows.len()).map(|at| rows[at * 7 % rows.len()].clone()).collect();
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        std::io::Write::write_all(&mut packed, bytes).unwrap();
        let sealed = installation.sealed("eu", bytes, false);
        installation.drop_raw("eu", &name("once"), &sealed);
        installation.drop_raw("eu", &name("twice"), &sealed);
        installation.drop_bytes("eu", &name("sealed-anew"), bytes);
        installation.drop_raw("eu", &name("armored"), &installation.sealed("eu", bytes, true));
        installation.drop_bytes("eu", &name("gzip"), &packed.finish().unwrap());
        installation.drop_bytes("eu", &name("first-part"), &part(&rows[..two]));
        installation.drop_bytes("eu", &name("last-part"), &part(&rows[third..]));
        installation.drop_bytes("eu", &name("shuffled"), &part(&shuffled));
    }
}

/// What a group of orders added to Odoo; and every order as it should be.
fn check(lab: &Lab, reports: &Reports, before: &[i64]) -> Vec<i64> {
    let added: Vec<i64> =
        lab.census().iter().zip(before).map(|(now, before)| now - before).collect();
    let orders = i64::from(ORDERS);
    assert_eq!(added[0], orders, "orders, group {}", reports.group);
    assert_eq!(added[1], 2 * orders, "lines, group {}", reports.group);
    assert_eq!(added[3], orders, "pickings, group {}", reports.group);
    assert_eq!(added[4], 2 * orders, "moves, group {}", reports.group);
    let dir = tempfile::tempdir().unwrap();
    let files = [("sales.txt", &reports.sales), ("waiting.txt", &reports.waiting)];
    let files = files.map(|(name, bytes)| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    });
    let files: Vec<&Path> = files.iter().map(std::path::PathBuf::as_path).collect();
    let want = expected(&files, &[]);
    assert_eq!(want.len(), usize::try_from(ORDERS).unwrap());
    let seen = lab.orders();
    let wrong: Vec<String> =
        want.iter().flat_map(|(id, order)| differences(order, seen.get(id))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(want.values().all(|order| order["state"] == "sale"));
    added
}

/// The keys of another host of the same account: only what seals its own store differs.
fn keys_of_another_host(ours: &str, other: &str) -> String {
    let master = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("master = "));
        line.unwrap().to_owned()
    };
    let (one, two) = (master(ours), master(other));
    assert_ne!(one, two);
    ours.replace(&one, &two)
}

#[test]
fn nothing_is_doubled_and_nothing_is_missing() {
    for version in versions("repeated files") {
        let lab = Lab::new(version, "repeat");
        lab.fee_products();

        // Each report once: the measure.
        let plain = reports(101);
        let before = lab.census();
        let installation = Installation::new(&lab, &[]);
        installation.drop_bytes("eu", "sales.age", &plain.sales);
        installation.drop_bytes("eu", "waiting.age", &plain.waiting);
        installation.run_until_idle();
        let once = check(&lab, &plain, &before);

        // All guises at once, lying there before the daemon starts.
        let many = reports(102);
        let before = lab.census();
        drop_everything(&installation, &many);
        let tally = installation.run_until_idle();
        assert_eq!(tally.held + tally.dead, 0);
        assert_eq!(check(&lab, &many, &before), once, "Odoo {version}: one daemon");

        // And two daemons with state of their own.
        let both = reports(103);
        let before = lab.census();
        let keys = keys_of_another_host(
            &installation.keys_text(),
            &Installation::new(&lab, &[]).keys_text(),
        );
        let other = Installation::with_keys(&lab, &[], &keys);
        let running = [(&installation, installation.start()), (&other, other.start())];
        for (installation, _) in &running {
            drop_everything(installation, &both);
        }
        for (installation, spoold) in &running {
            spoold.wait_idle(installation);
            let tally = spoold.tally(&installation.account());
            let told = spoold.describe(&installation.account());
            assert_eq!(tally.held + tally.dead, 0, "Odoo {version}: {told}");
        }
        assert_eq!(check(&lab, &both, &before), once, "Odoo {version}: two daemons");

        // Neither has anything left to say.
        let (census, write) = (lab.census(), lab.last_write());
        for (installation, spoold) in &running {
            drop_everything(installation, &both);
            spoold.wait_idle(installation);
        }
        assert_eq!((lab.census(), lab.last_write()), (census, write), "Odoo {version}");
        assert_eq!(lab.outgoing(), 0, "nobody may be mailed");
        for (_, spoold) in running {
            spoold.stop();
        }
    }
}
