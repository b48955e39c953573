//! `kill -9` of the daemon while it brings orders to a real Odoo: nothing lost, nothing twice.
//!
//! Every round drops new files, lets the daemon work for a random time and kills it. A round counts
//! only if work was left undone. What it does not prove: power cuts (the page cache outlives a process).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use odoo_spoold::daemon::open_store;

use crate::support::expected::{differences, expected};
use crate::support::lab::{Lab, versions};
use crate::support::sales::{Random, Report, shipped_by_amazon, shipped_by_seller};
use crate::support::spoold::{Installation, Spoold, run_child};

const ROUNDS: u64 = 20;
/// New orders a round: those that Amazon ships, and those that the seller ships.
const BY_AMAZON: u64 = 45;
const BY_SELLER: u64 = 15;
const EACH: u64 = BY_AMAZON + BY_SELLER;
/// Files a round.
const FILES: usize = 3;
/// With more orders left than this it is let alone for once.
const MOST_LEFT: u64 = 4 * EACH;
/// They buy again and again.
const BUYERS: u64 = 10;
/// The daemon's life in a round, in milliseconds; at most as long as an undisturbed one.
const SHORTEST: u64 = 150;
const LONGEST: u64 = 12_000;

/// The process that is killed; nothing in an ordinary test run.
#[test]
fn child() {
    run_child();
}

#[test]
fn killed_at_any_moment_every_order_stands_in_odoo_once() {
    for version in versions("kill -9") {
        let lab = Lab::new(version, "crash");
        crash(&lab);
    }
}

fn crash(lab: &Lab) {
    let rounds =
        std::env::var("ODOO_SPOOLD_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut random = Random::seeded();
    // A call that a dead daemon left behind is waited for; here none takes more than some seconds.
    let installation = Installation::new(lab, &["--set", "odoo.limit_time_real=\"30s\""]);
    lab.fee_products();
    let copies = tempfile::tempdir().unwrap();
    let mut files = Vec::new();

    // Undisturbed once: how long a round takes here.
    drop_round(&installation, copies.path(), &mut files, 0, &mut random);
    let started = Instant::now();
    let spoold = installation.start();
    until_through(&installation, &spoold);
    spoold.stop();
    let longest =
        u64::try_from(started.elapsed().as_millis()).unwrap().clamp(SHORTEST * 2, LONGEST);

    let (mut counted, mut round, mut before) = (0, 0, 0);
    while counted < rounds {
        round += 1;
        assert!(round < rounds * 4, "most rounds were over before the kill");
        drop_round(&installation, copies.path(), &mut files, round, &mut random);
        let child = installation.start_child(None);
        std::thread::sleep(Duration::from_millis(SHORTEST + random.below(longest - SHORTEST)));
        child.kill();
        let (files_left, jobs_left) = undone(&installation);
        println!(
            "Odoo {version}, round {round}: {files_left} files and {jobs_left} orders on their way",
            version = lab.version
        );
        // Something was begun, and something was left.
        if jobs_left > 0 && (files_left, jobs_left) != (FILES, before) {
            counted += 1;
        }
        before = jobs_left;
        // What piles up makes all rounds alike: always the same batch, killed at its beginning.
        if jobs_left > MOST_LEFT {
            let spoold = installation.start();
            until_through(&installation, &spoold);
            spoold.stop();
            before = 0;
        }
    }
    println!("counts: {counted} kills with work left, of {round} (Odoo {})", lab.version);
    let spoold = installation.start();
    until_through(&installation, &spoold);
    let told = spoold.describe(&installation.account());
    let tally = spoold.tally(&installation.account());
    spoold.stop();

    let paths: Vec<&Path> = files.iter().map(std::path::PathBuf::as_path).collect();
    let want = expected(&paths, &[]);
    let total = (round + 1) * EACH;
    assert_eq!(want.len() as u64, total);
    let seen = lab.orders();
    let mut wrong: Vec<String> =
        want.iter().flat_map(|(id, order)| differences(order, seen.get(id))).collect();
    for (id, order) in &seen {
        if order.pickings != 1 {
            wrong.push(format!("{id}: {} pickings", order.pickings));
        }
    }
    assert!(wrong.is_empty(), "Odoo {}:\n{}\n{told}", lab.version, wrong.join("\n"));
    assert_eq!(seen.len() as u64, total, "orders nobody asked for");
    assert_eq!((tally.done, tally.total()), (total, total), "{told}");
    nothing_doubled(lab, total);
    every_file_once(&installation, files.len());
}

/// Waits until nothing is left. What piled up takes its time (a batch is settled at its end); only
/// standing still is wrong.
fn until_through(installation: &Installation, spoold: &Spoold) {
    let (mut left, mut moved) = (u64::MAX, Instant::now());
    while left > 0 || undone_files(installation) > 0 {
        let tally = spoold.tally(&installation.account());
        if tally.pending + tally.started != left {
            (left, moved) = (tally.pending + tally.started, Instant::now());
        }
        let told = || spoold.describe(&installation.account());
        assert!(moved.elapsed() < Duration::from_mins(4), "{left} orders stand still:\n{}", told());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// New orders, and in a file of its own the orders of the round before again, in another row order.
fn drop_round(
    installation: &Installation,
    copies: &Path,
    files: &mut Vec<std::path::PathBuf>,
    round: u64,
    random: &mut Random,
) {
    let mut place = |name: &str, text: &str| {
        let path = copies.join(format!("{name}_{round}.txt"));
        std::fs::write(&path, text).unwrap();
        installation.drop_file("eu", &path);
        files.push(path);
    };
    let sales = |round: u64| {
        let mut report = Report::all_orders();
        for n in round * EACH..round * EACH + BY_AMAZON {
            let status = if n % 2 == 0 { "Shipped" } else { "Unshipped" };
            let first = ("SKU-0001", 1 + n % 3, 1000 + n * 7 % 500);
            let second = ("SKU-0002", 1, 500 + n);
            let lines: &[_] = if n % 3 == 0 { &[first, second] } else { &[first] };
            shipped_by_amazon(&mut report, n, status, lines);
        }
        report
    };
    place("sales", &sales(round).text());
    let mut orders = Report::order_report();
    for n in round * EACH + BY_AMAZON..(round + 1) * EACH {
        shipped_by_seller(&mut orders, n, n % BUYERS, "SKU-0003", 900 + n);
    }
    place("orders", &orders.text());
    if round > 0 {
        let mut again = sales(round - 1);
        again.shuffle(random);
        place("again", &again.text());
    }
}

/// Files in `incoming/` and `work/`, and orders that are stored and not yet through.
fn undone(installation: &Installation) -> (usize, u64) {
    let store = open_store(&installation.settings, &installation.keys).unwrap();
    assert_eq!(store.verify().unwrap(), [""; 0]);
    let pending = store
        .counts()
        .get(&installation.account())
        .map_or(0, |tally| tally.pending + tally.started);
    (undone_files(installation), pending)
}

fn undone_files(installation: &Installation) -> usize {
    ["incoming", "work"].iter().map(|folder| names(installation, folder).len()).sum()
}

fn names(installation: &Installation, folder: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(installation.folder("eu", folder)) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect()
}

fn nothing_doubled(lab: &Lab, orders: u64) {
    let twice = |what: &str, sql: &str| {
        let found = lab.sql(sql);
        assert_eq!(found, "", "Odoo {}: {what} stand there twice", lab.version);
    };
    twice(
        "buyers",
        "select email from res_partner where parent_id is null and email like 'b%@marketplace%' group by email having count(*) > 1",
    );
    twice(
        "addresses",
        "select name, street from res_partner where type = 'delivery' and parent_id is not null group by parent_id, name, street having count(*) > 1",
    );
    twice(
        "deliveries",
        "select origin from stock_picking where origin is not null group by origin having count(*) > 1",
    );
    twice(
        "stock moves",
        "select sale_line_id from stock_move where sale_line_id is not null group by sale_line_id having count(*) > 1",
    );
    let pickings = lab.count("select count(*) from stock_picking");
    assert_eq!(u64::try_from(pickings).unwrap(), orders, "one delivery an order");
    let nobodys = lab.count(
        "select count(*) from sale_order_line l where not exists \
         (select 1 from ir_model_data d where d.model = 'sale.order.line' and d.res_id = l.id and d.module = 'spoold_eu')",
    );
    assert_eq!(nobodys, 0, "lines without an external id");
    assert_eq!(
        lab.count("select count(*) from res_partner where email like 'b%@marketplace%'"),
        i64::try_from(BUYERS).unwrap()
    );
}

/// Each dropped file lies in `done/`, once, with its result; nothing was rejected.
fn every_file_once(installation: &Installation, dropped: usize) {
    let done: Vec<String> =
        names(installation, "done").into_iter().filter(|name| !name.contains(".json")).collect();
    let originals: BTreeSet<&str> =
        done.iter().map(|name| name.rsplit_once('.').unwrap().0).collect();
    assert_eq!((done.len(), originals.len()), (dropped, dropped), "{done:?}");
    assert_eq!(names(installation, "done").len(), dropped * 2, "a result file beside each");
    assert_eq!(names(installation, "rejected"), [""; 0]);
    assert_eq!(undone_files(installation), 0);
}
