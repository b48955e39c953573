//! A queue of 1,000,000 jobs beside one of 1,000. `cargo bench --bench queue`.
//!
//! Next-due pick, `status`, opening, and memory: each store is filled, then opened and measured by a
//! process of its own. `BENCH_QUEUE` (1000000) is the size of the large one, `BENCH_DONE` (100000) the
//! number of delivered orders. Under `cargo test` both are small: then it only proves that the benchmark
//! runs. No number here is a limit; it fails when work was not done.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark may stop at the first surprise"
)]

#[allow(dead_code, reason = "shared with local.rs")]
mod report;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use jiff::Timestamp;
use odoo_spoold::clock::System;
use odoo_spoold::config::Settings;
use odoo_spoold::control::{Absent, Handle, status::status};
use odoo_spoold::flatfile::{self, Context, Hints};
use odoo_spoold::model::{AccountId, Base, FileId, MappedLine, Mapping, Origin, Outcome};
use odoo_spoold::store::{End, Leased, Secret, Store, StoreKeys, StoreOptions};
use report::Kind;
use serde_json::{Value, json};

/// Orders parsed at once.
const PARSED: u64 = 20_000;
/// Facts in one transaction, and in one barrier, as intake does it.
const TAKE: usize = 200;
const BARRIER: usize = 2_000;
/// How often each thing is measured.
const PICKS: usize = 2_000;
const LOOKS: usize = 200;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("fill") => fill(Path::new(&words[1]), words[2].parse().unwrap(), words[3] == "done"),
        Some("measure") => measure(Path::new(&words[1]), words[2].parse().unwrap()),
        _ => {
            let full = words.iter().any(|word| word == "--bench");
            let number = |name: &str, small: u64, whole: u64| {
                let default = if full { whole } else { small };
                std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
            };
            println!("| figure | target | measured |\n| --- | --- | --- |");
            queued(number("BENCH_QUEUE", 3_000, 1_000_000));
            known(number("BENCH_DONE", 1_000, 100_000));
        }
    }
}

fn queued(many: u64) {
    let (small, large) = (of(1_000, "queued"), of(many, "queued"));
    let figure = |said: &Value, name: &str| said[name].as_f64().unwrap();
    let both = |name: &str| (figure(&small, name), figure(&large, name));
    let (few, lots) = both("pick_us");
    println!(
        "| next-due pick, {many} jobs against 1,000 | ≤ 2 × | {:.2} × ({lots:.1} µs against {few:.1} µs) |",
        lots / few
    );
    let (few, lots) = both("lease_us");
    println!(
        "| one job leased and given back, likewise | – | {:.2} × ({lots:.0} µs against {few:.0} µs) |",
        lots / few
    );
    let (few, lots) = both("status_ms");
    println!(
        "| `status` with {many} jobs, median (slowest) | < 100 ms | {lots:.2} ms ({:.2} ms); with 1,000: {few:.2} ms |",
        figure(&large, "status_slowest_ms")
    );
    let (few, lots) = both("rss_mib");
    println!(
        "| resident memory with {many} queued jobs, beyond that with 1,000, per job | ≤ 1 KiB | {:.2} KiB \
         ({lots:.0} MiB against {few:.0} MiB; on disk {:.0} MiB) |",
        (lots - few) * 1024.0 / many as f64,
        figure(&large, "disk_mib")
    );
    let (few, lots) = both("open_ms");
    println!("| opening after a clean end, {many} jobs | – | {lots:.0} ms (1,000: {few:.0} ms) |");
}

fn known(many: u64) {
    let (few, lots) = (of(1_000, "done"), of(many, "done"));
    let figure = |said: &Value, name: &str| said[name].as_f64().unwrap();
    println!(
        "| resident memory with {many} delivered orders, beyond that with 1,000, per order | – | {:.2} KiB \
         ({:.0} MiB against {:.0} MiB) |",
        (figure(&lots, "rss_mib") - figure(&few, "rss_mib")) * 1024.0 / many as f64,
        figure(&lots, "rss_mib"),
        figure(&few, "rss_mib")
    );
    println!(
        "| opening after a clean end, {many} delivered orders | – | {:.0} ms |",
        figure(&lots, "open_ms")
    );
}

/// Fills a store in one process, measures it in another.
fn of(jobs: u64, which: &str) -> Value {
    let dir = scratch();
    let run = |words: &[&str]| {
        let out = Command::new(std::env::current_exe().unwrap()).args(words).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    };
    let (path, jobs) = (dir.path().to_str().unwrap(), jobs.to_string());
    run(&["fill", path, &jobs, which]);
    serde_json::from_slice(&run(&["measure", path, &jobs])).unwrap()
}

fn account() -> AccountId {
    "eu".parse().unwrap()
}

fn open(dir: &Path) -> Store {
    let secret = |byte: u8| Secret::new(Box::new([byte; 32]));
    let keys = StoreKeys::new("m1", secret(1)).unwrap().with_account(account(), secret(2));
    Store::open(&dir.join("state"), &keys, StoreOptions::default()).unwrap()
}

fn fill(dir: &Path, jobs: u64, done: bool) {
    let store = open(dir);
    let mut undurable = 0;
    let mut from = 0;
    while from < jobs {
        let to = jobs.min(from + PARSED);
        let text = Kind::AllOrders.report(from..to);
        let survey = flatfile::survey(text.as_slice(), &Hints::default()).unwrap();
        let mut reader = flatfile::facts(text.as_slice(), &survey, Context::default(), 0).unwrap();
        let file = FileId::random();
        let mut batch = Vec::with_capacity(TAKE);
        loop {
            let order = reader.next().unwrap();
            let ended = order.is_none();
            batch.extend(order.map(|order| (order.fact, order.buyer)));
            if batch.len() >= TAKE || (ended && !batch.is_empty()) {
                undurable += batch.len();
                let facts = std::mem::take(&mut batch);
                store.take(&account(), &file, facts, None, Timestamp::now()).unwrap();
            }
            if undurable >= BARRIER {
                store.barrier().unwrap();
                undurable = 0;
            }
            if ended {
                break;
            }
        }
        from = to;
    }
    if done {
        settle(&store);
    }
    let tally = &store.counts()[&account()];
    assert_eq!((tally.pending, tally.done), if done { (0, jobs) } else { (jobs, 0) });
    store.close().unwrap();
}

/// Settles everything as delivered.
fn settle(store: &Store) {
    loop {
        let leased = store.lease(&account(), Timestamp::now(), TAKE).unwrap().jobs;
        if leased.is_empty() {
            return;
        }
        let settlements = leased.iter().map(|leased| {
            let mut dossier = leased.dossier.clone();
            dossier.mapping = Some(mapping(leased));
            leased.settlement(Some(dossier), End::Done(Outcome::Delivered))
        });
        assert!(store.settle(settlements.collect(), Timestamp::now()).unwrap().is_empty());
        store.barrier().unwrap();
    }
}

/// What delivery would know of it.
fn mapping(leased: &Leased) -> Mapping {
    let line = |number: usize| MappedLine {
        external: format!("line_{}_{number}", leased.job.order_id),
        odoo_id: 1_000_000,
        quantity: 1.into(),
        price_unit: 10.into(),
        taxes: vec![7],
    };
    let lines: usize = leased.dossier.facts.values().map(|known| known.fact.lines.len()).sum();
    Mapping {
        odoo_id: 100_000,
        name: "S100000".into(),
        state: "sale".into(),
        lines: (0..lines).map(line).collect(),
        base: Base { date_order: "2026-01-01 00:00:00".into(), ..Base::default() },
        ..Mapping::by(Origin::Ours)
    }
}

fn measure(dir: &Path, jobs: u64) {
    let started = Instant::now();
    let store = Arc::new(open(dir));
    let opened = millis(started);
    let account = account();
    assert_eq!(store.counts()[&account].total(), jobs);
    let queued = store.counts()[&account].pending > 0;
    let mut picks = Vec::new();
    let mut leases = Vec::new();
    for _ in 0..PICKS {
        let started = Instant::now();
        assert_eq!(store.next_due(&account).unwrap().is_some(), queued);
        picks.push(millis(started) * 1000.0);
        let started = Instant::now();
        let leased = store.lease(&account, Timestamp::now(), 1).unwrap().jobs;
        assert_eq!(leased.len(), usize::from(queued));
        store.give_back(&leased);
        leases.push(millis(started) * 1000.0);
    }
    let handle = handle(&store);
    let mut looks = Vec::new();
    for _ in 0..LOOKS {
        let started = Instant::now();
        let said = status(&handle).unwrap();
        looks.push(millis(started));
        assert_eq!(said.store.unwrap().orders, jobs);
        assert!(!said.headline.is_empty());
    }
    let disk = store.stats().unwrap().disk_bytes;
    let (pick, lease, look) = (median(&mut picks), median(&mut leases), median(&mut looks));
    let said = json!({
        "open_ms": opened, "pick_us": pick, "lease_us": lease, "status_ms": look,
        "status_slowest_ms": looks.last(), "rss_mib": resident(),
        "disk_mib": disk as f64 / 1_048_576.0,
    });
    println!("{said}");
}

/// What the control socket asks.
fn handle(store: &Arc<Store>) -> Handle {
    let text = include_str!("../../config.example.toml");
    let settings = Settings::parse(Path::new("config.toml"), text).unwrap();
    Handle {
        store: Arc::clone(store),
        settings: Arc::new(RwLock::new(Arc::new(settings))),
        clock: Arc::new(System),
        desk: Arc::new(Absent { since: Timestamp::now() }),
    }
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Resident memory of this process, in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024.0
}

/// On the disk that also holds the build: barriers must cost what they cost.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(PathBuf::from(env!("CARGO_TARGET_TMPDIR"))).unwrap()
}
