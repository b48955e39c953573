//! What happens on this host alone: opening, reading, storing. `cargo bench --bench local`.
//!
//! Ratios of one run, in CPU time of the thread. `BENCH_MB` (200) is the size of the document,
//! `BENCH_ORDERS` (50000) the number of orders stored. Under `cargo test` both are small: then it only
//! proves that the benchmark runs. Nothing here fails on a number; it fails when work was not done.

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

mod report;

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use jiff::Timestamp;
use odoo_spoold::envelope::{self, Keyring, Policy};
use odoo_spoold::flatfile::{self, Context, Hints};
use odoo_spoold::model::{AccountId, BuyerFact, Fact, FileId};
use odoo_spoold::store::{Secret, Store, StoreKeys, StoreOptions};
use report::Kind;
use secrecy::ExposeSecret;

/// Facts in one transaction, as intake does it.
const TAKE: usize = 200;
/// Facts between two barriers, as intake does it.
const INTAKE_BARRIER: usize = 2_000;
const ROUNDS: usize = 3;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "child") {
        return child(&words[1], Path::new(&words[2]));
    }
    let full = words.iter().any(|word| word == "--bench");
    let number = |name: &str, small: u64, whole: u64| {
        let default = if full { whole } else { small };
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let (megabytes, orders) = (number("BENCH_MB", 1, 200), number("BENCH_ORDERS", 500, 50_000));
    println!("| figure | target | measured |\n| --- | --- | --- |");
    for kind in [Kind::AllOrders, Kind::OrderReport] {
        local_path(kind, megabytes);
    }
    for kind in [Kind::AllOrders, Kind::OrderReport] {
        jobs(kind, orders);
    }
}

// === sealed file → facts ===

fn local_path(kind: Kind, megabytes: u64) {
    let dir = scratch();
    let path = dir.path().join("report.age");
    let (identity, recipient) = envelope::generate_identity();
    let orders = write_sealed(&path, kind, megabytes * 1_000_000, &recipient);
    let identity = identity.expose_secret();
    let mut ratios = Vec::new();
    let (mut ours, mut twice) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let spent = cpu(|| assert_eq!(read_facts(&path, identity), orders, "every order, once"));
        let reference = cpu(|| {
            assert_eq!(decrypt(&path, identity), decrypt(&path, identity));
        });
        ratios.push(reference / spent);
        ours.push(spent);
        twice.push(reference);
    }
    println!(
        "| {megabytes} MB sealed {} → facts ({orders} orders), against decrypting it twice | ≥ 0.5 | {:.2} \
         ({:.2} s CPU against {:.2} s; {:.0} MB/s) |",
        kind.name(),
        median(&mut ratios),
        median(&mut ours),
        median(&mut twice),
        megabytes as f64 / median(&mut ours)
    );
    let before = rss_of("nothing", &path, identity);
    let peak = rss_of("facts", &path, identity);
    println!(
        "| peak memory of that, a process of its own | < 64 MiB | {peak:.1} MiB ({before:.1} before reading) |"
    );
}

/// Writes a report of about `bytes`, sealed; returns its orders. The plain text never lies on the disk.
fn write_sealed(path: &Path, kind: Kind, bytes: u64, recipient: &str) -> u64 {
    let mut sealer = envelope::seal(File::create(path).unwrap(), &[recipient], false).unwrap();
    sealer.write_all(kind.header().as_bytes()).unwrap();
    let (mut written, mut orders) = (0, 0);
    let mut text = Vec::new();
    while written < bytes {
        text.clear();
        kind.order(orders, &mut text);
        orders += 1;
        written += u64::try_from(text.len()).unwrap();
        sealer.write_all(&text).unwrap();
    }
    sealer.finish().unwrap();
    orders
}

/// What intake does before the store: open and survey, open and read the facts. Returns the orders.
fn read_facts(path: &Path, identity: &str) -> u64 {
    let keyring = Keyring::from_identities([identity]).unwrap();
    let open = || {
        let file = File::open(path).unwrap();
        envelope::open(file, None, &keyring, &Policy::default()).unwrap().reader
    };
    let survey = flatfile::survey(open(), &Hints::default()).unwrap();
    let mut orders = 0;
    for sweep in 0..survey.sweeps {
        let mut reader = flatfile::facts(open(), &survey, Context::default(), sweep).unwrap();
        while let Some(order) = reader.next().unwrap() {
            assert!(order.fact.is_good());
            orders += 1;
        }
    }
    orders
}

/// The age crate alone, as its documentation shows it.
fn decrypt(path: &Path, identity: &str) -> u64 {
    let identity: age::x25519::Identity = identity.parse().unwrap();
    let decryptor =
        age::Decryptor::new_buffered(BufReader::new(File::open(path).unwrap())).unwrap();
    let identity: &dyn age::Identity = &identity;
    let mut reader = decryptor.decrypt(std::iter::once(identity)).unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        let read = reader.read(&mut buffer).unwrap();
        if read == 0 {
            return bytes;
        }
        bytes += u64::try_from(read).unwrap();
    }
}

// === facts → durable jobs ===

fn jobs(kind: Kind, orders: u64) {
    for every in [TAKE, INTAKE_BARRIER] {
        let dir = scratch();
        let facts = parse(&kind.report(0..orders));
        let account: AccountId = "eu".parse().unwrap();
        let secret = |byte: u8| Secret::new(Box::new([byte; 32]));
        let keys =
            StoreKeys::new("m1", secret(1)).unwrap().with_account(account.clone(), secret(2));
        let store = Store::open(dir.path(), &keys, StoreOptions::default()).unwrap();
        let file = FileId::random();
        let (mut facts, mut undurable) = (facts.into_iter().peekable(), 0);
        let started = Instant::now();
        let spent = cpu(|| {
            while facts.peek().is_some() {
                let batch: Vec<_> = facts.by_ref().take(TAKE).collect();
                undurable += batch.len();
                store.take(&account, &file, batch, None, Timestamp::now()).unwrap();
                if undurable >= every {
                    store.barrier().unwrap();
                    undurable = 0;
                }
            }
            store.barrier().unwrap();
        });
        let wall = started.elapsed().as_secs_f64();
        assert_eq!(store.counts()[&account].pending, orders);
        println!(
            "| {orders} new orders of an {} ({}) → durable jobs, {TAKE} a transaction, a barrier every {every} \
             | ≥ 5000/s | {:.0}/s ({:.0}/s of CPU) |",
            kind.name(),
            if kind == Kind::OrderReport { "with buyers" } else { "no buyers" },
            orders as f64 / wall,
            orders as f64 / spent
        );
    }
}

fn parse(report: &[u8]) -> Vec<(Fact, Option<BuyerFact>)> {
    let survey = flatfile::survey(report, &Hints::default()).unwrap();
    let mut reader = flatfile::facts(report, &survey, Context::default(), 0).unwrap();
    let mut found = Vec::new();
    while let Some(order) = reader.next().unwrap() {
        found.push((order.fact, order.buyer));
    }
    found
}

// === measuring ===

/// CPU seconds of this thread.
fn cpu(work: impl FnOnce()) -> f64 {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let before = now();
    work();
    now() - before
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Peak memory, in MiB, of a process that does one thing.
fn rss_of(what: &str, path: &Path, identity: &str) -> f64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", what])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(identity.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    String::from_utf8(out.stdout).unwrap().trim().parse().unwrap()
}

fn child(what: &str, path: &Path) {
    let identity = io::read_to_string(io::stdin()).unwrap();
    if what == "facts" {
        read_facts(path, &identity);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    println!("{}", kib / 1024.0);
}

/// On the disk that also holds the build, not in a /tmp of memory: barriers must cost what they cost.
fn scratch() -> tempfile::TempDir {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    tempfile::tempdir_in(root).unwrap()
}
