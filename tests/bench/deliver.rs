//! What the daemon does to Odoo: how many calls, how soon, how fast. `cargo bench --bench deliver`.
//!
//! Without words, against the fake Odoo: calls per hundred orders, known orders that cost no call (with the
//! memory they take; `BENCH_KNOWN` says how many, 20000), and the time from rename to the first byte
//! (`BENCH_FILES`, 50), small files beside one of `BENCH_BAD` (100000) bad rows, and `BENCH_FLOOD` (5000) one-order files
//! that come at once. `beside`, `flood` and `drain` are measured alone with these words; `drain` empties a queue of `BENCH_DRAIN` (1000000) orders. `pairs.py` starts it with words, against a real one:
//!
//! `deliver lab --env ENV.json --measure ORDERS.txt [--prepare EARLIER.txt] [--create-only] [--cpu COMMAND]`
//! delivers the reports, the earlier one unmeasured, and prints one JSON object. No number here is a limit;
//! it fails when an order did not arrive, or when Odoo was called for nothing.

#![allow(
    clippy::pedantic,
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a benchmark may stop at the first surprise"
)]

#[allow(dead_code, reason = "shared with local.rs")]
mod report;
#[path = "../it/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use odoo_spoold::clock::System;
use odoo_spoold::config::{Keys, Settings};
use odoo_spoold::daemon::{Daemon, open_store};
use odoo_spoold::envelope::{self, Keyring};
use odoo_spoold::flatfile::{self, Context, Hints};
use odoo_spoold::model::{AccountId, FileId, JobState, MappedLine, Mapping, Origin, Outcome};
use odoo_spoold::store::{End, Store, Tally};
use report::Kind;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use support::fake_odoo::{self, FakeOdoo, Flavor};
use support::shop::shop;
use tokio_util::sync::CancellationToken;

/// Nothing takes longer, or it hangs.
const PATIENCE: Duration = Duration::from_hours(2);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("lab") => lab(&words[1..]),
        Some("fill") => fill(Path::new(&words[1]), words[2].parse().unwrap(), true),
        Some("queue") => fill(Path::new(&words[1]), words[2].parse().unwrap(), false),
        Some("empty") => empty(Path::new(&words[1]), words[2].parse().unwrap()),
        Some("repeat") => repeat(Path::new(&words[1]), words[2].parse().unwrap()),
        _ => {
            let full = words.iter().any(|word| word == "--bench");
            let number = |name: &str, small: u64, whole: u64| {
                let default = if full { whole } else { small };
                std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
            };
            println!("| figure | target | measured |\n| --- | --- | --- |");
            if words.iter().any(|word| word == "beside") {
                return beside(number("BENCH_BAD", 300, 100_000));
            }
            if words.iter().any(|word| word == "flood") {
                return flood(number("BENCH_FLOOD", 40, 5_000));
            }
            if words.iter().any(|word| word == "drain") {
                return drain(number("BENCH_DRAIN", 600, 1_000_000));
            }
            first_byte(number("BENCH_FILES", 3, 50));
            calls();
            beside(number("BENCH_BAD", 300, 100_000));
            flood(number("BENCH_FLOOD", 40, 5_000));
            known(number("BENCH_KNOWN", 200, 20_000));
            if !full {
                drain(number("BENCH_DRAIN", 600, 1_000_000));
            }
        }
    }
}

// === against the fake Odoo ===

/// Rename into `incoming/` → the first request at Odoo, one order a file, daemon idle.
fn first_byte(files: u64) {
    let fake = shop(Flavor::V19);
    let place = Place::of(&fake, "64MiB");
    let spoold = place.start();
    let mut times = Vec::new();
    for number in 0..files + 3 {
        // The delivery window of the order before closes with two calls.
        std::thread::sleep(Duration::from_millis(300));
        fake.forget_calls();
        let sealed = place.seal(&Kind::OrderReport.report(number..number + 1));
        let renamed = place.drop_sealed(&sealed);
        spoold.wait(|| spoold.tally().done == number + 1 && spoold.is_idle(&place));
        // The first ones also ask for the catalog and open connections.
        if number >= 3 {
            times.push(fake.calls()[0].at.duration_since(renamed));
        }
    }
    spoold.stop();
    times.sort();
    println!(
        "| one-order file: rename → first byte to Odoo, median of {} (slowest) | < 50 ms | {:.1} ms ({:.1} ms) |",
        times.len(),
        ms(times[times.len() / 2]),
        ms(*times.last().unwrap())
    );
}

/// Which calls two hundred orders cost, created and confirmed, a new buyer each.
fn calls() {
    let fake = shop(Flavor::V19);
    let place = Place::of(&fake, "64MiB");
    let spoold = place.start();
    place.drop_sealed(&place.seal(&Kind::OrderReport.report(0..1)));
    spoold.wait(|| spoold.tally().done == 1 && spoold.is_idle(&place));
    fake.forget_calls();
    place.drop_sealed(&place.seal(&Kind::OrderReport.report(1..201)));
    spoold.wait(|| spoold.tally().done == 201 && spoold.is_idle(&place));
    spoold.stop();
    let calls = fake.calls();
    let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
    for call in &calls {
        *by_name.entry(format!("{}.{}", call.model, call.method)).or_default() += 1;
    }
    let mut list = String::new();
    for (name, count) in by_name {
        write!(list, "{}{name} {count}", if list.is_empty() { "" } else { ", " }).unwrap();
    }
    println!(
        "| calls for 200 orders, a new buyer each, created and confirmed | – | {}: {list} |",
        calls.len()
    );
}

/// Small good files beside one file of nothing but bad rows, an order each.
fn beside(bad: u64) {
    let (alone, alone_worst) = small_files(None);
    let (beside, beside_worst) = small_files(Some(bad));
    println!(
        "| 100 one-order files beside one of {bad} bad rows: rename → order in Odoo, median (slowest) | ≤ 2 × | \
         {:.2} × ({:.2} ×): {:.0} ms ({:.0} ms) against {:.0} ms ({:.0} ms) alone |",
        beside / alone,
        beside_worst / alone_worst,
        beside,
        beside_worst,
        alone,
        alone_worst
    );
}

/// Median and slowest of 100 files that come every 20 ms, in ms; with bad rows, after those were claimed.
fn small_files(bad: Option<u64>) -> (f64, f64) {
    const FILES: u64 = 100;
    const FIRST: u64 = 5_000_000;
    let fake = shop(Flavor::V19);
    let place = Place::of(&fake, "64MiB");
    let spoold = place.start();
    place.drop_sealed(&place.seal(&Kind::OrderReport.report(0..1)));
    spoold.wait(|| spoold.tally().done == 1 && spoold.is_idle(&place));
    let sealed: Vec<_> = (FIRST..FIRST + FILES)
        .map(|number| place.seal(&Kind::OrderReport.report(number..number + 1)))
        .collect();
    if let Some(bad) = bad {
        let mut sealer = place.sealer();
        sealer.write_all(Kind::OrderReport.header().as_bytes()).unwrap();
        for number in 1..=bad {
            let id = format!("303-{:07}-{:07}", number / 10_000_000, number % 10_000_000);
            let row = String::from_utf8(Kind::OrderReport.report(number..number + 1)).unwrap();
            let row = row.lines().nth(1).unwrap();
            let (_, rest) = row.split_once('\t').unwrap();
            // The price is none.
            let broken = rest.replacen("\tEUR\t", "\tEUR\tx", 1);
            assert_ne!(rest, broken);
            writeln!(sealer, "{id}\t{broken}").unwrap();
        }
        let large = sealer.finish().unwrap();
        place.drop_sealed(&large);
        spoold.wait(|| !place.folder("incoming").join("orders.age").exists());
    }
    let account = place.settings.accounts[0].id.clone();
    let incoming = place.folder("incoming");
    let mut renamed = Vec::new();
    let mut times = vec![None; sealed.len()];
    spoold.wait(|| {
        let at = renamed.len();
        let due = renamed.last().is_none_or(|last: &Instant| last.elapsed().as_millis() >= 20);
        if at < sealed.len() && due {
            let hidden = incoming.join(format!(".small-{at}.tmp"));
            std::fs::write(&hidden, &sealed[at]).unwrap();
            renamed.push(Instant::now());
            std::fs::rename(&hidden, incoming.join(format!("small-{at}.age"))).unwrap();
        }
        for ((number, since), time) in (FIRST..).zip(&renamed).zip(&mut times) {
            let order = format!("302-{:07}-{:07}", number / 10_000_000, number % 10_000_000);
            if time.is_none()
                && let Some(job) =
                    spoold.daemon.store.job(&account, &order.parse().unwrap()).unwrap()
                && matches!(job.state, JobState::Done(Outcome::Delivered))
            {
                *time = Some(since.elapsed());
            }
        }
        times.iter().all(Option::is_some)
    });
    spoold.wait(|| spoold.is_idle(&place));
    let tally = spoold.tally();
    assert_eq!((tally.done, tally.held), (FILES + 1, bad.unwrap_or(0)));
    spoold.stop();
    let mut times: Vec<f64> = times.into_iter().flatten().map(ms).collect();
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], *times.last().unwrap())
}

/// Files of one order each that come all at once, taken in while their orders are delivered.
fn flood(files: u64) {
    let fake = shop(Flavor::V19);
    let place = Place::of(&fake, "64MiB");
    let spoold = place.start();
    place.drop_sealed(&place.seal(&Kind::OrderReport.report(0..1)));
    spoold.wait(|| spoold.tally().done == 1 && spoold.is_idle(&place));
    let incoming = place.folder("incoming");
    let hidden: Vec<_> = (1..=files)
        .map(|number| {
            let hidden = incoming.join(format!(".flood-{number}.tmp"));
            std::fs::write(&hidden, place.seal(&Kind::OrderReport.report(number..number + 1)))
                .unwrap();
            (hidden, incoming.join(format!("flood-{number}.age")))
        })
        .collect();
    let since = Instant::now();
    for (hidden, name) in &hidden {
        std::fs::rename(hidden, name).unwrap();
    }
    let known = || {
        let tally = spoold.tally();
        tally.pending + tally.started + tally.held + tally.done
    };
    spoold.wait(|| known() == files + 1);
    let taken = since.elapsed();
    spoold.wait(|| spoold.tally().done == files + 1 && spoold.is_idle(&place));
    let delivered = since.elapsed();
    spoold.stop();
    println!(
        "| {files} one-order files at once, beside delivery: files taken in a second; orders delivered a second | ≥ 200 | \
         {:.0}; {:.0} |",
        files as f64 / taken.as_secs_f64(),
        files as f64 / delivered.as_secs_f64()
    );
}

/// Orders that are known and unchanged, once more: no call, and what they take in memory.
fn known(orders: u64) {
    for cache in ["64MiB", "256MiB"] {
        let fake = shop(Flavor::V19);
        let place = Place::of(&fake, cache);
        place.child("fill", orders);
        let said: Value = serde_json::from_str(&place.child("repeat", orders)).unwrap();
        println!(
            "| {orders} known, unchanged orders listed again: calls (seconds, cache {cache}) | 0 | {} ({:.1} s) |",
            fake.calls().len(),
            said["seconds"].as_f64().unwrap()
        );
        println!(
            "| daemon's memory with {orders} orders known, cache {cache}: idle / after the repeat / most | < 128 MiB \
             at 100,000 | {:.0} / {:.0} / {:.0} MiB |",
            said["idle_mib"].as_f64().unwrap(),
            said["after_mib"].as_f64().unwrap(),
            said["most_mib"].as_f64().unwrap()
        );
        assert!(fake.calls().is_empty(), "nothing changed, and Odoo was called");
    }
}

/// A long backlog drains at a steady rate and in bounded memory: the last tenth against the first.
fn drain(orders: u64) {
    /// What an Odoo that never ends would be slow with: nobody looks at these any more.
    const KEPT: usize = 300;
    let fake = shop(Flavor::V19);
    let place = Place::of(&fake, "64MiB");
    place.child("queue", orders);
    let done = std::sync::atomic::AtomicBool::new(false);
    let (said, arrived) = std::thread::scope(|scope| {
        let forgetting = scope.spawn(|| {
            let mut gone = 0;
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(50));
                fake.forget_calls();
                gone += fake.tables(|tables| {
                    tables.keep_newest("res.partner", 2 * KEPT);
                    tables.keep_newest("sale.order.line", KEPT);
                    tables.keep_newest("sale.order", KEPT)
                });
            }
            gone + fake.records("sale.order").len()
        });
        let said: Value = serde_json::from_str(&place.child("empty", orders)).unwrap();
        done.store(true, std::sync::atomic::Ordering::SeqCst);
        (said, forgetting.join().unwrap())
    });
    assert_eq!(u64::try_from(arrived).unwrap(), orders, "each order once");
    let tenths = said.as_array().unwrap();
    let (first, last) = (&tenths[0], &tenths[tenths.len() - 1]);
    let figure = |tenth: &Value, name: &str| tenth[name].as_f64().unwrap();
    println!(
        "| a backlog of {orders} drains: our CPU per order, last tenth / first | – | {:.2} × ({:.2} ms against {:.2} ms) |",
        figure(last, "cpu_ms") / figure(first, "cpu_ms"),
        figure(last, "cpu_ms"),
        figure(first, "cpu_ms")
    );
    println!(
        "| … orders a second (fake Odoo beside), slowest and fastest tenth | – | {:.0}, {:.0} |",
        tenths.iter().map(|tenth| figure(tenth, "rate")).fold(f64::MAX, f64::min),
        tenths.iter().map(|tenth| figure(tenth, "rate")).fold(0.0, f64::max)
    );
    println!(
        "| … resident memory after each tenth | bounded | {} MiB |",
        tenths
            .iter()
            .map(|tenth| format!("{:.0}", figure(tenth, "rss_mib")))
            .collect::<Vec<_>>()
            .join(", ")
    );
}

/// A daemon that starts with a full queue; what each tenth of it took.
fn empty(dir: &Path, orders: u64) {
    let place = Opened::new(dir);
    let cpu = || {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        // utime and stime, in hundredths of a second.
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) * 10.0
    };
    let spoold = place.start();
    let mut tenths = Vec::new();
    let (mut before, mut since, mut spent) = (0, Instant::now(), cpu());
    while before < orders {
        let upto = (before + orders.div_ceil(10)).min(orders);
        spoold.wait(|| spoold.tally().done >= upto);
        let count = (spoold.tally().done - before) as f64;
        let tenth = json!({
            "rate": count / since.elapsed().as_secs_f64(),
            "cpu_ms": (cpu() - spent) / count,
            "rss_mib": memory("VmRSS"),
        });
        eprintln!("{upto} of {orders}: {tenth}");
        tenths.push(tenth);
        (before, since, spent) = (spoold.tally().done, Instant::now(), cpu());
    }
    spoold.wait(|| spoold.is_idle(&place));
    spoold.stop();
    println!("{}", Value::from(tenths));
}

/// Makes orders known: their facts, and if they are delivered a mapping with a base.
fn fill(dir: &Path, orders: u64, delivered: bool) {
    const PARSED: u64 = 20_000;
    let (settings, keys) = load(dir);
    let store = open_store(&settings, &keys).unwrap();
    let account = settings.accounts[0].id.clone();
    let mut odoo_id = 1000;
    let mut from = 0;
    while from < orders {
        let to = orders.min(from + PARSED);
        fill_part(&store, &account, from..to, delivered, &mut odoo_id);
        from = to;
    }
    let tally = &store.counts()[&account];
    assert_eq!((tally.pending, tally.done), if delivered { (0, orders) } else { (orders, 0) });
    store.close().unwrap();
}

fn fill_part(
    store: &Store,
    account: &AccountId,
    orders: std::ops::Range<u64>,
    delivered: bool,
    odoo_id: &mut i64,
) {
    let text = Kind::OrderReport.report(orders);
    let survey = flatfile::survey(text.as_slice(), &Hints::default()).unwrap();
    let mut reader = flatfile::facts(text.as_slice(), &survey, Context::default(), 0).unwrap();
    let file = FileId::random();
    let now = Timestamp::now();
    loop {
        let mut batch = Vec::new();
        while batch.len() < 200
            && let Some(order) = reader.next().unwrap()
        {
            batch.push((order.fact, order.buyer));
        }
        if batch.is_empty() {
            break;
        }
        store.take(account, &file, batch, None, now).unwrap();
        if !delivered {
            continue;
        }
        let leased = store.lease(account, now, 200).unwrap();
        let settlements = leased.jobs.iter().map(|leased| {
            *odoo_id += 10;
            let mut dossier = leased.dossier.clone();
            dossier.mapping = Some(mapping(*odoo_id, &dossier));
            leased.settlement(Some(dossier), End::Done(Outcome::Delivered))
        });
        assert!(store.settle(settlements.collect(), now).unwrap().is_empty());
    }
    store.barrier().unwrap();
}

fn mapping(odoo_id: i64, dossier: &odoo_spoold::model::Dossier) -> Mapping {
    let facts = dossier.facts.values().flat_map(|standing| &standing.fact.lines);
    let lines = facts.enumerate().map(|(ordinal, line)| MappedLine {
        external: format!("line_{}_{}_{ordinal}", dossier.order_id, line.sku.as_str()),
        odoo_id: odoo_id * 3 + i64::try_from(ordinal).unwrap(),
        quantity: line.quantity.into(),
        price_unit: line.item_price.unwrap_or_default(),
        taxes: Vec::new(),
    });
    Mapping {
        odoo_id,
        name: format!("S{odoo_id:06}"),
        state: "sale".to_owned(),
        lines: lines.collect(),
        ..Mapping::by(Origin::Ours)
    }
}

/// A daemon that starts with these orders known and sees them again.
fn repeat(dir: &Path, orders: u64) {
    let place = Opened::new(dir);
    let spoold = place.start();
    std::thread::sleep(Duration::from_secs(1));
    let idle = memory("VmRSS");
    let sealed = place.seal_stream(orders);
    let before = spoold.tally();
    let renamed = place.drop_sealed(&sealed);
    drop(sealed);
    spoold.wait(|| spoold.is_idle(&place));
    let seconds = renamed.elapsed().as_secs_f64();
    // Whoever wants to call has the time to.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(spoold.tally(), before, "a repeat changes nothing");
    let said = json!({"seconds": seconds, "idle_mib": idle, "after_mib": memory("VmRSS"), "most_mib": memory("VmHWM")});
    spoold.stop();
    println!("{said}");
}

// === against a real Odoo ===

fn lab(words: &[String]) {
    let value =
        |name: &str| words.windows(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str());
    let env = std::fs::read_to_string(value("--env").expect("--env")).unwrap();
    let measure = std::fs::read(value("--measure").expect("--measure")).unwrap();
    let place = Place::of_lab(&env, words.iter().any(|word| word == "--create-only"));
    let spoold = place.start();
    let deliver = |report: &[u8]| {
        let before = spoold.tally().done;
        let orders = flatfile::survey(report, &Hints::default()).unwrap().orders;
        let renamed = place.drop_sealed(&place.seal(report));
        spoold.wait(|| spoold.tally().total() > 0 && spoold.is_idle(&place));
        let wall = renamed.elapsed().as_secs_f64();
        let tally = spoold.tally();
        let told = || {
            spoold
                .daemon
                .store
                .jobs(&odoo_spoold::store::JobFilter::default(), 3, None)
                .unwrap()
                .jobs
        };
        assert_eq!(tally.done, before + orders, "not every order arrived: {tally:?} {:?}", told());
        (orders, wall)
    };
    if let Some(earlier) = value("--prepare") {
        deliver(&std::fs::read(earlier).unwrap());
    }
    let cpu = || {
        value("--cpu")
            .map(|command| support::lab::run(Command::new("sh").args(["-c", command]), ""))
    };
    let before = cpu();
    let (orders, wall) = deliver(&measure);
    let spent = before.zip(cpu()).map(|(before, after)| {
        let seconds = |text: &str| text.trim().parse::<f64>().unwrap();
        seconds(&after) - seconds(&before)
    });
    spoold.stop();
    println!("{}", json!({"orders": orders, "wall_s": wall, "cpu_s": spent}));
}

// === a configured daemon ===

/// A configured installation that is gone afterwards.
struct Place {
    dir: tempfile::TempDir,
    opened: Opened,
}

/// A configured installation.
struct Opened {
    config: PathBuf,
    settings: Settings,
    keys: Keys,
}

struct Spoold {
    daemon: Arc<Daemon>,
    stop: CancellationToken,
    runtime: tokio::runtime::Runtime,
    task: tokio::task::JoinHandle<()>,
}

impl std::ops::Deref for Place {
    type Target = Opened;

    fn deref(&self) -> &Opened {
        &self.opened
    }
}

impl Place {
    fn of(fake: &FakeOdoo, cache: &str) -> Self {
        let dir = scratch();
        let at = dir.path().display();
        let text = format!(
            "[odoo]\nurl = \"{}\"\ndatabase = \"{}\"\nlogin = \"{}\"\n\
             [spool]\ndir = \"{at}/spool\"\n[state]\ndir = \"{at}/state\"\ncache = \"{cache}\"\n\
             [keys]\nfile = \"{at}/keys.toml\"\n[control]\nsocket = \"{at}/control.sock\"\n\
             [[account]]\nid = \"eu\"\nregion = \"EU\"\ncompany = \"Shop\"\nimport_from = 2001-01-01\n\
             [[account.marketplace]]\nname = \"Amazon.de\"\npricelist = \"EUR\"\nprices = \"gross\"\n\
             [[account.marketplace.tax]]\ndestination = \"*\"\nrate = \"0\"\ntax = \"none\"\ndefault = true\n",
            fake.url(),
            fake_odoo::DATABASE,
            fake_odoo::LOGIN
        );
        Self::new(dir, &text, "eu", fake_odoo::API_KEY)
    }

    /// One marketplace without tax, so that orders have the columns the scripts set and no other.
    fn of_lab(env: &str, create_only: bool) -> Self {
        let dir = scratch();
        let mut script = Command::new("python3");
        script
            .arg(support::lab::project("tests/lab/account.py"))
            .arg("--dir")
            .arg(dir.path())
            .args([
                "--account",
                "na",
                "--marketplace",
                "Amazon.com",
                "--no-carriers",
                "--set",
                "state.cache=\"64MiB\"",
            ]);
        if create_only {
            script.arg("--no-confirm");
        }
        let text = support::lab::run(&mut script, env);
        let env: Value = serde_json::from_str(env).unwrap();
        Self::new(dir, &text, "na", env["api_key"].as_str().unwrap())
    }

    fn new(dir: tempfile::TempDir, config: &str, account: &str, api_key: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(dir.path().join("config.toml"), config).unwrap();
        let keys = dir.path().join("keys.toml");
        std::fs::write(&keys, support::spoold::keys_text(&[account.to_owned()], api_key)).unwrap();
        std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o600)).unwrap();
        let opened = Opened::new(dir.path());
        std::fs::create_dir_all(&opened.settings.spool.dir).unwrap();
        Self { dir, opened }
    }
}

impl Place {
    /// What this benchmark says that is started again for one verb.
    fn child(&self, verb: &str, orders: u64) -> String {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(verb).arg(self.dir.path()).arg(orders.to_string());
        let output = command.stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{verb} failed");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Opened {
    fn new(dir: &Path) -> Self {
        let (settings, keys) = load(dir);
        Self { config: dir.join("config.toml"), settings, keys }
    }

    fn folder(&self, which: &str) -> PathBuf {
        self.settings.spool.dir.join(self.settings.accounts[0].id.as_str()).join(which)
    }

    fn sealer(&self) -> envelope::Sealer<Vec<u8>> {
        let identities = &self.keys.account(&self.settings.accounts[0].id).unwrap().identities;
        let keyring =
            Keyring::from_identities(identities.iter().map(ExposeSecret::expose_secret)).unwrap();
        let recipients = keyring.recipients();
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        envelope::seal(Vec::new(), &recipients, false).unwrap()
    }

    fn seal(&self, report: &[u8]) -> Vec<u8> {
        let mut sealer = self.sealer();
        sealer.write_all(report).unwrap();
        sealer.finish().unwrap()
    }

    /// As [`Self::seal`], without holding the report.
    fn seal_stream(&self, orders: u64) -> Vec<u8> {
        let mut sealer = self.sealer();
        sealer.write_all(Kind::OrderReport.header().as_bytes()).unwrap();
        let mut text = Vec::new();
        for number in 0..orders {
            text.clear();
            Kind::OrderReport.order(number, &mut text);
            sealer.write_all(&text).unwrap();
        }
        sealer.finish().unwrap()
    }

    /// Renames a sealed file into `incoming/`; says when.
    fn drop_sealed(&self, sealed: &[u8]) -> Instant {
        let incoming = self.folder("incoming");
        let hidden = incoming.join(".orders.tmp");
        std::fs::write(&hidden, sealed).unwrap();
        let now = Instant::now();
        std::fs::rename(&hidden, incoming.join("orders.age")).unwrap();
        now
    }

    fn start(&self) -> Spoold {
        let daemon =
            Daemon::open(&self.config, self.settings.clone(), &self.keys, Arc::new(System))
                .unwrap();
        let runtime = support::lab::runtime();
        let stop = CancellationToken::new();
        let (running, stopping) = (Arc::clone(&daemon), stop.clone());
        let task = runtime.spawn(async move {
            running.run(stopping, |_| Box::new(|| ())).await.unwrap();
        });
        // The watch is set a moment later; a file that comes before it rests first.
        std::thread::sleep(Duration::from_millis(300));
        Spoold { daemon, stop, runtime, task }
    }
}

impl Spoold {
    fn tally(&self) -> Tally {
        self.daemon.store.counts().into_values().next().unwrap()
    }

    /// No file and no job is left to work on.
    fn is_idle(&self, place: &Opened) -> bool {
        let empty = |which| {
            std::fs::read_dir(place.folder(which)).is_ok_and(|entries| {
                entries.flatten().all(|e| e.file_name().to_string_lossy().starts_with('.'))
            })
        };
        let tally = self.tally();
        empty("incoming") && empty("work") && tally.pending + tally.started == 0
    }

    fn wait(&self, mut condition: impl FnMut() -> bool) {
        let started = Instant::now();
        while !condition() {
            assert!(
                started.elapsed() < PATIENCE,
                "it hangs: {:?} {:?}",
                self.tally(),
                self.daemon.delivery.gates()
            );
            assert!(!self.task.is_finished(), "the daemon ended");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn stop(self) {
        self.stop.cancel();
        self.runtime.block_on(self.task).unwrap();
    }
}

fn load(dir: &Path) -> (Settings, Keys) {
    let settings =
        Settings::load(&dir.join("config.toml")).unwrap_or_else(|error| panic!("{error}"));
    let keys = Keys::load(&settings).unwrap_or_else(|error| panic!("{error}"));
    (settings, keys)
}

/// A line of `/proc/self/status`, in MiB.
fn memory(what: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// On the disk that also holds the build, not in a /tmp of memory.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}
