//! The daemon dies before, after, or in the middle of its n-th durable action or network send; the
//! next one finishes the work: nothing lost, nothing twice, nothing readable. Crossed with an Odoo
//! that does what it is asked and whose answer gets lost: each kind of write once.
//!
//! Everyday: a stratified sample of each scenario, seed printed. `ODOO_SPOOLD_FAULT_POINTS=all`: every
//! point of every scenario once.

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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::fault_support::{
    LOOK, Place, Running, assert_same_effects, effects, points, shop, shop_of, side_by_side,
};
use crate::support::fake_odoo::{FakeOdoo, Fault, Flavor};
use crate::support::sales::Random;

const ORDERS: u64 = 4;
/// Of each scenario.
const USUAL: usize = 6;
/// It has nothing left to do for so many looks: the point lies beyond its end.
const IDLE_LOOKS: usize = 5;

/// Just within Odoo's limit for a call, where it comes late.
const LATE: Duration = Duration::from_millis(1_800);
const LATE_LIMIT: &str = "2s";

/// What becomes of the first answer to each kind of write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scenario {
    Behaves,
    AppliesAndTimesOut,
    AppliesAndAnswers500,
    AppliesAndAnswersHalf,
    /// Well, but as late as it may: a daemon that died meanwhile has been followed by another one.
    AppliesLate,
}

/// A scenario undisturbed by crashes.
struct Whole {
    /// As `kind class`, in their order.
    actions: Vec<String>,
    /// What then stands in Odoo.
    effects: Vec<String>,
    /// Answers that got lost.
    lost: usize,
}

impl Scenario {
    fn shop(self) -> FakeOdoo {
        let fake = shop();
        let fault = match self {
            Self::Behaves => None,
            Self::AppliesAndTimesOut => Some(Fault::ApplyThenSilence),
            Self::AppliesAndAnswers500 => Some(Fault::Http500AfterCommit),
            Self::AppliesAndAnswersHalf => Some(Fault::HalfAnswer),
            Self::AppliesLate => Some(Fault::Hang(LATE)),
        };
        if let Some(fault) = fault {
            fake.lose_first_answers(fault);
        }
        fake
    }

    fn place(self, fake: &FakeOdoo) -> Place {
        if self == Self::AppliesLate { Place::limited(fake, LATE_LIMIT) } else { Place::of(fake) }
    }

    fn undisturbed(self) -> Whole {
        let fake = self.shop();
        let place = self.place(&fake);
        place.drop_files(ORDERS);
        let log = place.installation.dir.path().join("actions");
        let mut running = place.start(&[("IO_LOG", log.display().to_string())]);
        running.wait("the work", || place.is_done(&fake, ORDERS));
        let (ended, said) = running.stop();
        assert!(ended.success(), "{said}");
        place.assert_whole(&fake, ORDERS, "undisturbed");
        let text = std::fs::read_to_string(log).unwrap();
        let actions = text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
        Whole { actions, effects: effects(&fake), lost: fake.answers_lost() }
    }
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

fn every_step_of(scenario: Scenario) {
    let mut random = Random::seeded();
    // Not the same steps in each.
    random.0 ^= scenario as u64;
    let (behaves, whole) = std::thread::scope(|scope| {
        let behaves = scope.spawn(|| Scenario::Behaves.undisturbed());
        let whole = scenario.undisturbed();
        (behaves.join().unwrap(), whole)
    });
    assert_eq!(whole.lost > 3, scenario != Scenario::Behaves, "{} lost", whole.lost);
    assert_same_effects(&whole.effects, &behaves.effects, &format!("{scenario:?}, no crash"));
    let count = points(USUAL);
    let mut chosen = sample(&whole.actions, count, &mut random);
    if scenario == Scenario::AppliesLate {
        // Only what was sent can come late.
        chosen = (1..=whole.actions.len())
            .filter(|n| whole.actions[n - 1].starts_with("send"))
            .collect();
        while chosen.len() > count {
            chosen.remove(random.below(chosen.len() as u64) as usize);
        }
    }
    let (of, lost) = (whole.actions.len(), whole.lost);
    println!("{scenario:?}: {} of {of} actions, {lost} answers lost", chosen.len());
    let mut todo = Vec::new();
    for n in chosen {
        let action = &whole.actions[n - 1];
        // Only of a write there is a half.
        let torn = if action.starts_with("write") { 3 } else { 2 };
        let all = &["IO_KILL_BEFORE", "IO_KILL_AFTER", "IO_TORN"][..torn];
        let one = random.below(torn as u64) as usize;
        for mode in if count == usize::MAX { all } else { &all[one..=one] } {
            todo.push((format!("{scenario:?} {mode}={n} ({action})"), (*mode, n)));
        }
    }
    let all = todo.len();
    let died = AtomicUsize::new(0);
    let each = side_by_side(todo, |context, (mode, n)| {
        if die_and_recover(scenario, mode, n, &behaves.effects, context) {
            died.fetch_add(1, Ordering::SeqCst);
        }
    });
    let died = died.into_inner();
    println!("counts: {scenario:?} {all} crash points of {of} actions, {died} deaths, {each}");
    assert!(died * 10 >= all * 8, "{died} of {all} died: the points are not those of the runs");
}

#[test]
fn killed_at_every_step_nothing_is_lost_and_nothing_comes_twice() {
    every_step_of(Scenario::Behaves);
}

#[test]
fn killed_at_every_step_of_an_odoo_that_applies_and_times_out() {
    every_step_of(Scenario::AppliesAndTimesOut);
}

#[test]
fn killed_at_every_step_of_an_odoo_that_applies_and_answers_500() {
    every_step_of(Scenario::AppliesAndAnswers500);
}

#[test]
fn killed_at_every_step_of_an_odoo_that_applies_and_answers_half() {
    every_step_of(Scenario::AppliesAndAnswersHalf);
}

#[test]
fn killed_while_odoo_is_still_at_a_call() {
    every_step_of(Scenario::AppliesLate);
}

/// Odoo 14 confirms a confirmed order once more, and that moves its date: a call that outlives the
/// daemon that sent it must be over before the next daemon confirms the same orders.
#[test]
fn killed_while_an_odoo_14_confirms_the_dates_stay_those_of_the_purchase() {
    for kills in 1..=2 {
        let fake = shop_of(Flavor::V14);
        let place = Place::limited(&fake, "4s");
        place.drop_files(ORDERS);
        fake.fail_times(kills, "sale.order", "action_confirm", &Fault::Hang(LATE));
        for kill in 1..=kills {
            let mut running = place.start(&[]);
            if kill == 1 {
                running.wait("a confirmation", || fake.faults_left() < kills);
            } else {
                // Somewhere while the first one's call is still running.
                std::thread::sleep(LATE / 4);
            }
            running.signal(rustix::process::Signal::KILL);
            running.end();
        }
        let met = kills - fake.faults_left();
        let said = place.run_until_idle(&fake, ORDERS);
        // Until the last call that a dead daemon sent is over, too.
        std::thread::sleep(LATE * u32::try_from(met).unwrap());
        assert!(fake.is_idle());
        place.assert_whole(&fake, ORDERS, &format!("{kills} kills"));
        for order in fake.records("sale.order") {
            let date = order["date_order"].as_str().unwrap();
            assert!(date.starts_with("2025-"), "{kills} kills: {date}: {said}");
        }
    }
}

/// Dies at its n-th action; the next one finishes. Whether it died.
fn die_and_recover(
    scenario: Scenario,
    mode: &str,
    n: usize,
    wanted: &[String],
    context: &str,
) -> bool {
    let fake = scenario.shop();
    let place = scenario.place(&fake);
    place.drop_files(ORDERS);
    let mut running = place.start(&[(mode, n.to_string())]);
    let ended = until_dead_or_idle(&place, &fake, &mut running);
    let died = ended.signal() == Some(9);
    assert!(died || ended.success(), "{context}: {ended}: {}", running.said());
    assert!(!running.said().contains("panicked"), "{context}: {}", running.said());
    let said = place.run_until_idle(&fake, ORDERS);
    assert!(!said.contains("panicked"), "{context}: {said}");
    place.assert_whole(&fake, ORDERS, context);
    assert_same_effects(&effects(&fake), wanted, context);
    died
}

/// Two runs are never quite the same: one that had fewer actions is stopped in the end.
fn until_dead_or_idle(
    place: &Place,
    fake: &FakeOdoo,
    running: &mut Running,
) -> std::process::ExitStatus {
    let mut idle = 0;
    loop {
        if let Some(ended) = running.ended() {
            return ended;
        }
        idle = if place.is_done(fake, ORDERS) { idle + 1 } else { 0 };
        if idle > IDLE_LOOKS {
            running.signal(rustix::process::Signal::TERM);
            return running.end();
        }
        std::thread::sleep(LOOK);
    }
}
