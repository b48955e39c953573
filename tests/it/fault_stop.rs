//! SIGTERM under full load, and two daemons on one state directory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::fault_support::{Place, shop};
use crate::support::sales::{Random, Report, shipped_by_seller_named};

const ORDERS: u64 = 12;
/// The unit's `TimeoutStopSec`.
const STOP: Duration = Duration::from_secs(150);

fn rounds() -> usize {
    match std::env::var("ODOO_SPOOLD_FAULT_POINTS").as_deref() {
        Ok("all") => 100,
        _ => 10,
    }
}

#[test]
fn sigterm_twice_under_load_ends_well_in_time_and_loses_nothing() {
    let mut random = Random::seeded();
    for round in 0..rounds() {
        let fake = shop();
        fake.set_latency(Duration::from_millis(30));
        let place = Place::of(&fake);
        place.drop_files(ORDERS);
        let mut running = place.start(&[]);
        running.wait_said("ready:");
        // Sometimes before the first file, sometimes with a batch on its way.
        if round % 3 > 0 {
            running.wait("a call", || !fake.calls_of("sale.order", "load").is_empty());
        }
        std::thread::sleep(Duration::from_millis(random.below(200)));
        let asked = Instant::now();
        running.signal(Signal::TERM);
        std::thread::sleep(Duration::from_millis(random.below(20)));
        let (ended, said) = running.stop();
        assert_eq!(ended.code(), Some(0), "round {round}: {ended}: {said}");
        assert!(asked.elapsed() < STOP, "round {round}");
        assert!(!said.contains("panicked"), "round {round}: {said}");
        let _readable = place.tally();
        fake.set_latency(Duration::ZERO);
        place.run_until_idle(&fake, ORDERS);
        place.assert_whole(&fake, ORDERS, &format!("round {round}"));
    }
}

#[test]
fn sigterm_in_the_middle_of_a_large_file_leaves_it_for_the_next_start() {
    // More than 1 MiB in few orders.
    const MANY: u64 = 640;
    let article = "\u{5546}".repeat(500);
    let mut report = Report::order_report();
    (0..MANY)
        .for_each(|n| shipped_by_seller_named(&mut report, n, n % 3, "SKU-0001", 900, &article));
    let fake = shop();
    // Nothing to round: what takes time here is the file.
    fake.tables(|tables| tables.amount_off = 0.0);
    // A large file gives way to deliveries: with one always under way it takes its time.
    fake.set_latency(Duration::from_millis(300));
    let place = Place::limited(&fake, "20s");
    place.installation.drop_bytes("eu", "large.age", report.text().as_bytes());
    let mut running = place.start(&[]);
    running.wait("the first orders", || place.orders_known().is_some_and(|known| known > 0));
    let asked = Instant::now();
    running.signal(Signal::TERM);
    let (ended, said) = running.stop();
    assert_eq!(ended.code(), Some(0), "{ended}: {said}");
    assert!(asked.elapsed() < STOP);
    assert!(!said.contains("panicked"), "{said}");
    let known = place.tally().total();
    assert!(known > 0 && known < MANY, "{known} of {MANY}: not in the middle");
    assert!(!place.names("work").is_empty(), "{said}");

    fake.set_latency(Duration::ZERO);
    let said = place.run_until_idle(&fake, MANY);
    assert!(!said.contains("panicked"), "{said}");
    let tally = place.tally();
    assert_eq!((tally.done, tally.total()), (MANY, MANY), "{tally:?}");
    let orders = fake.records("sale.order");
    let references: BTreeSet<&str> =
        orders.iter().map(|order| order["client_order_ref"].as_str().unwrap()).collect();
    assert_eq!((orders.len(), references.len() as u64), (references.len(), MANY));
    assert_eq!(fake.records("sale.order.line").len() as u64, MANY, "one line an order");
    let done = place.names("done");
    assert!(done.iter().any(|name| name.starts_with("large.age")), "{done:?}");
}

/// The settings are a pipe that nobody has written to yet: that is as early as it gets.
#[test]
fn sigterm_before_it_has_read_its_settings_ends_it_well() {
    let fake = shop();
    let place = Place::of(&fake);
    place.drop_files(4);
    let config = &place.installation.config;
    let text = place.installation.config_text();
    std::fs::remove_file(config).unwrap();
    let only_ours = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, config, rustix::fs::FileType::Fifo, only_ours, 0).unwrap();
    let mut running = place.start(&[]);
    let mut pipe = None;
    // Without waiting it only opens once there is a reader.
    running.wait("it to read", || {
        let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
        pipe = rustix::fs::open(config, flags, rustix::fs::Mode::empty()).ok();
        pipe.is_some()
    });
    running.signal(Signal::TERM);
    running.signal(Signal::TERM);
    let mut pipe = std::fs::File::from(pipe.unwrap());
    pipe.write_all(text.as_bytes()).unwrap();
    drop(pipe);
    let ended = running.end();
    let said = running.said();
    assert_eq!(ended.code(), Some(0), "{ended}: {said}");
    std::fs::remove_file(config).unwrap();
    std::fs::write(config, text).unwrap();
    place.run_until_idle(&fake, 4);
    place.assert_whole(&fake, 4, "stopped before it began");
}

#[test]
fn a_second_daemon_ends_at_once_also_while_the_first_is_stopped() {
    let fake = shop();
    let place = Place::of(&fake);
    let mut first = place.start(&[]);
    first.wait_said("ready:");
    for stopped in [false, true] {
        if stopped {
            first.signal(Signal::STOP);
        }
        let mut second = place.start(&[]);
        let ended = second.end();
        let said = second.said();
        assert_eq!(ended.code(), Some(1), "{said}");
        assert!(said.contains("another odoo-spoold has this state directory open"), "{said}");
    }
    first.signal(Signal::CONT);
    place.drop_files(4);
    first.wait("the work", || place.files_undone() == 0 && fake.records("sale.order").len() == 4);
    // A power cut or `kill -9` leaves the file LOCK behind; it is the lock on it that counts.
    first.signal(Signal::KILL);
    first.end();
    assert!(place.installation.settings.state.dir.join("LOCK").exists());
    place.run_until_idle(&fake, 4);
    place.assert_whole(&fake, 4, "after a stale LOCK");
}
