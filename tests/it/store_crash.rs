//! `kill -9` at any moment: what was acknowledged after a barrier is there, whole.
//!
//! The child is this test binary again, running [`child`] with a variable set. It does not prove
//! power-cut safety: the page cache outlives a process.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use odoo_spoold::model::{Family, Hold, HoldCode, Outcome};
use odoo_spoold::store::{BuyerState, End, JobFilter, Store};

use crate::store_support::*;

const VARIABLE: &str = "ODOO_SPOOLD_TEST_CRASH_DIR";
const ROUNDS: u64 = 20;
const BATCH: u64 = 25;

/// Takes, leases and settles until it is killed; a no-op in an ordinary test run.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(VARIABLE) else { return };
    let store = open(Path::new(&dir));
    let first = store.counts().get(&account()).map_or(0, odoo_spoold::store::Tally::total);
    let mut out = std::io::stdout().lock();
    for batch in 0.. {
        let numbers = first + batch * BATCH..first + (batch + 1) * BATCH;
        let facts = numbers.clone().map(|n| {
            (fact(&order(n), Family::Unshipped, Some(1), 1), Some(buyer(&format!("Buyer {n}"))))
        });
        store.take(&account(), &file(batch), facts.collect(), None, at(0)).unwrap();
        store.barrier().unwrap();
        writeln!(out, "taken {}", numbers.end).unwrap();
        let leased = store.lease(&account(), at(0), 10).unwrap().jobs;
        let ends = leased.iter().enumerate().map(|(n, leased)| {
            let mut dossier = leased.dossier.clone();
            dossier.mapping = Some(mapping(i64::try_from(n).unwrap()));
            let end = match n % 3 {
                0 => End::Done(Outcome::Delivered),
                1 => End::Held(vec![Hold::new(HoldCode::Sku, "A", "")]),
                _ => End::Retry { due: at(1), attempt: 1, fault: "timeout".into() },
            };
            leased.settlement(Some(dossier), end)
        });
        assert!(store.settle(ends.collect(), at(0)).unwrap().is_empty());
        store.barrier().unwrap();
        let ended: Vec<String> =
            leased.iter().map(|leased| leased.job.order_id.to_string()).collect();
        writeln!(out, "settled {}", ended.join(" ")).unwrap();
    }
}

#[test]
fn acknowledged_records_survive_kill_9() {
    if std::env::var_os(VARIABLE).is_some() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut settled) = (0, std::collections::BTreeSet::new());
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store_crash::child", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reader = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
        std::thread::sleep(Duration::from_millis(60 + round * 37 % 240));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in reader.join().unwrap() {
            if let Some((_, count)) = line.split_once("taken ") {
                acknowledged = acknowledged.max(count.parse::<u64>().unwrap());
            } else if let Some(ended) = line.strip_prefix("settled ") {
                settled.extend(ended.split(' ').map(str::to_owned));
            }
        }
        check(dir.path(), acknowledged, &settled);
    }
    assert!(acknowledged > ROUNDS * BATCH / 2, "killed too early to prove anything");
    assert!(!settled.is_empty());
}

fn check(dir: &Path, acknowledged: u64, settled: &std::collections::BTreeSet<String>) {
    let store: Store = open(dir);
    assert_eq!(store.verify().unwrap(), [""; 0]);
    let total = store.counts()[&account()].total();
    assert!(total >= acknowledged, "{acknowledged} were acknowledged, {total} are there");
    // Taken in batches: whole ones are there, none half.
    assert_eq!(total % BATCH, 0, "a torn batch");
    for number in 0..acknowledged {
        let order = order(number);
        let dossier = store.dossier(&account(), &order.parse().unwrap()).unwrap();
        let dossier = dossier.unwrap_or_else(|| panic!("{order} was acknowledged and is lost"));
        assert!(
            !settled.contains(&order) || dossier.mapping.is_some(),
            "{order}: settled and lost"
        );
    }
    let page = store.jobs(&JobFilter::default(), 1_000_000, None).unwrap();
    assert_eq!(page.jobs.len() as u64, total);
    let leased = store.lease(&account(), at(0), 50).unwrap().jobs;
    for leased in &leased {
        assert!(matches!(leased.buyers[&Family::Unshipped], BuyerState::Known(_)));
    }
}
