//! The daemon dies before, after, or in the middle of its n-th durable action or network send; the
//! next one finishes the work: nothing lost, nothing twice, nothing readable.
//!
//! Everyday: a stratified sample, seed printed. `ODOO_SPOOLD_FAULT_POINTS=all`: every point.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Mutex;

use crate::fault_support::{Place, points, shop};
use crate::support::sales::Random;

const ORDERS: u64 = 4;
const USUAL: usize = 24;
const AT_ONCE: usize = 6;

/// The actions of an undisturbed run, as `kind class`, in their order.
fn actions() -> Vec<String> {
    let fake = shop();
    let place = Place::of(&fake);
    place.drop_files(ORDERS);
    let log = place.installation.dir.path().join("actions");
    let mut running = place.start(&[("IO_LOG", log.display().to_string())]);
    running.wait("the work", || {
        place.files_undone() == 0
            && fake.records("sale.order").len() as u64 == ORDERS
            && fake.records("sale.order").iter().all(|order| order["state"] == "sale")
    });
    let (ended, said) = running.stop();
    assert!(ended.success(), "{said}");
    place.assert_whole(&fake, ORDERS, "undisturbed");
    let text = std::fs::read_to_string(log).unwrap();
    text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

/// `count` of them, at least one of each kind as far as that goes.
fn sample(actions: &[String], count: usize, random: &mut Random) -> Vec<usize> {
    let mut kinds: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (n, action) in actions.iter().enumerate() {
        kinds.entry(action).or_default().push(n + 1);
    }
    let mut chosen = Vec::new();
    while chosen.len() < count.min(actions.len()) {
        let mut order: Vec<&str> = kinds.keys().copied().collect();
        for at in (1..order.len()).rev() {
            order.swap(at, random.below(at as u64 + 1) as usize);
        }
        for kind in order {
            let of_kind = kinds.get_mut(kind).unwrap();
            if chosen.len() < count && !of_kind.is_empty() {
                chosen.push(of_kind.remove(random.below(of_kind.len() as u64) as usize));
            }
        }
    }
    chosen.sort_unstable();
    chosen
}

#[test]
fn killed_at_every_step_nothing_is_lost_and_nothing_comes_twice() {
    let mut random = Random::seeded();
    let actions = actions();
    let count = points(USUAL);
    let chosen = sample(&actions, count, &mut random);
    println!("{} of {} actions", chosen.len(), actions.len());
    let mut todo: Vec<(&str, usize)> = Vec::new();
    for n in chosen {
        let all = ["IO_KILL_BEFORE", "IO_KILL_AFTER", "IO_TORN"];
        let one = random.below(3) as usize;
        let modes = if count == usize::MAX { &all[..] } else { &all[one..=one] };
        todo.extend(modes.iter().map(|mode| (*mode, n)));
    }
    let todo = Mutex::new(todo);
    // Most of their time they wait.
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((mode, n)) = todo.lock().unwrap().pop() else { return };
                    die_and_recover(mode, n, &format!("{mode}={n} ({})", actions[n - 1]));
                }
            });
        }
    });
}

/// Dies at its n-th action; the next one finishes.
fn die_and_recover(mode: &str, n: usize, context: &str) {
    let began = std::time::Instant::now();
    let fake = shop();
    let place = Place::of(&fake);
    place.drop_files(ORDERS);
    let mut running = place.start(&[(mode, n.to_string())]);
    // Two runs are never quite the same: one that had fewer actions is stopped in the end.
    let mut idle = 0;
    let ended = loop {
        if let Some(ended) = running.ended() {
            break ended;
        }
        let whole = place.files_undone() == 0 && fake.records("sale.order").len() as u64 == ORDERS;
        idle = if whole { idle + 1 } else { 0 };
        if idle > 100 {
            running.signal(rustix::process::Signal::TERM);
            break running.end();
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    assert!(ended.signal() == Some(9) || ended.success(), "{context}: {}", running.said());
    let said = place.run_until_idle(&fake, ORDERS);
    assert!(!said.contains("panicked"), "{context}: {said}");
    place.assert_whole(&fake, ORDERS, context);
    println!("{context}: {} ms", began.elapsed().as_millis());
}
