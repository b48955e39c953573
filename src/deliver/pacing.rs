//! Odoo's people first: how many connections at once, how long a call may take, and how long a
//! connection rests between two calls. Pure; times come in.
//!
//! People wait where all of Odoo's workers are busy. Odoo does not tell how many workers it has, so
//! the daemon listens: after each call that took its time the same connection sends one small read,
//! as a person's page would. It waits where others wait: requests that came while the call ran stand
//! before it. A second read right behind it, now and then, finds them served: the middle one of the
//! last of those is what a read takes when nobody waits. Not the quickest: reads take sometimes
//! longer and sometimes shorter on an Odoo that is shared or far away, and against the quickest of
//! them every other one would look as if somebody waited. Of reads that vary by 30 % a third is more
//! than half above the quickest, and one in a hundred more than twice the middle one; people's pages
//! before a read show at either limit, because they take much longer than a small read.
//!
//! * Several reads in short order that were slow ([`is_slow`](Pacing::is_slow)): with more than one
//!   connection there is no free worker left. One connection less, and the next try to have more
//!   comes later each time. People are never left without the last free worker for long.
//! * Slow with one connection: somebody works on an Odoo whose only worker we use. Calls become
//!   short ([`BRIEF`]: a few orders each), so that nobody waits longer than for one of them, and
//!   where several wait, there is a rest after each call, at most as long as half of it.
//! * No slow read for a while: calls grow again up to [`FULL`], then connections up to the
//!   operator's `odoo.connections`. Where nobody works it runs full.
//!
//! It begins with one connection and few orders a call, because what was learned is memory only.

use std::collections::VecDeque;
use std::time::Duration;

/// The longest a call should take where nobody waits: batches of that size cost little more an
/// order than larger ones.
pub(super) const FULL: Duration = Duration::from_secs(1);
/// The longest a call should take where people wait behind it.
pub(super) const BRIEF: Duration = Duration::from_millis(180);
/// A call that took less keeps nobody waiting: no read is sent after it.
pub(super) const SHORT: Duration = Duration::from_millis(60);
/// A read that took less is quick for a person, whatever the floor is: on a busy host a floor of a
/// millisecond does not show whether somebody waits.
const NOTICED: Duration = Duration::from_millis(20);
/// Of so many last reads a majority decides.
const LAST: usize = 3;
/// After so many reads there is one that shows what a read takes when nobody waits.
const FLOOR_EVERY: u32 = 6;
/// Of so many of those the middle one counts: it follows an Odoo that became slower, but slowly.
const FLOORS: usize = 32;
/// Until there are so many of them, one comes after each read.
const FEW: usize = 5;
/// Good reads in a row before calls grow.
const CALM: u32 = 12;
/// Good reads in a row before there is one more connection.
const CALM_CONNECTION: u32 = 2;
/// How long a connection that was too much is not tried again; twice as long each time.
const HOLD: Duration = Duration::from_secs(30);
/// The longest of these.
const LONGEST_HOLD: Duration = Duration::from_mins(8);

/// What was learned of who else uses Odoo.
#[derive(Debug)]
pub(super) struct Pacing {
    most: usize,
    connections: usize,
    target: Duration,
    /// What small reads took when nobody waited, the newest last.
    floors: VecDeque<Duration>,
    /// Reads since the last of them.
    since_floor: u32,
    /// Whether the last reads were slow, the newest first.
    slow: [bool; LAST],
    calm: u32,
    /// Requests of others that stood before our last slow reads.
    waiting: u32,
    hold: Duration,
    /// No more connections before then.
    not_before: Duration,
}

impl Pacing {
    /// At most `most` connections.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            connections: 1,
            target: FULL,
            floors: VecDeque::new(),
            since_floor: 0,
            slow: [false; LAST],
            calm: 0,
            waiting: 0,
            hold: HOLD,
            not_before: Duration::ZERO,
        }
    }

    /// Connections at once.
    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    /// How long a call should take.
    pub(super) fn target(&self) -> Duration {
        self.target
    }

    /// How long to rest after a call that took so long.
    pub(super) fn rest(&self, took: Duration) -> Duration {
        if self.target >= FULL {
            return Duration::ZERO;
        }
        let others = self.waiting.saturating_sub(1);
        self.floor().unwrap_or_default().saturating_mul(others).min(took / 2)
    }

    /// The small read after a call took so long; none after a call that kept nobody waiting. True
    /// if a second read is wanted, for [`Pacing::take_floor`].
    pub(super) fn learn(&mut self, read: Option<Duration>, now: Duration) -> bool {
        let slow = read.is_some_and(|read| self.is_slow(read));
        if let Some(read) = read.filter(|_| slow) {
            self.count_waiting(read);
        }
        self.slow.rotate_right(1);
        if let Some(newest) = self.slow.first_mut() {
            *newest = slow;
        }
        if self.slow.iter().filter(|slow| **slow).count() > LAST / 2 {
            self.yield_to_people(now);
        } else if !slow {
            self.calm = self.calm.saturating_add(1);
            self.take_more(now);
        }
        self.since_floor = self.since_floor.saturating_add(u32::from(read.is_some()));
        read.is_some() && (self.since_floor >= FLOOR_EVERY || self.floors.len() < FEW)
    }

    /// A read that stood behind nobody, as far as we can tell, took so long.
    pub(super) fn take_floor(&mut self, read: Duration) {
        if self.floors.len() >= FLOORS {
            self.floors.pop_front();
        }
        self.floors.push_back(read);
        self.since_floor = 0;
    }

    /// What a small read takes when nobody waits.
    fn floor(&self) -> Option<Duration> {
        let mut floors: Vec<Duration> = self.floors.iter().copied().collect();
        floors.sort_unstable();
        floors.get(floors.len().saturating_sub(1) / 2).copied()
    }

    /// Whether others stood before a read that took so long.
    fn is_slow(&self, read: Duration) -> bool {
        self.floor().is_some_and(|floor| read > floor.saturating_mul(2).max(NOTICED))
    }

    fn count_waiting(&mut self, read: Duration) {
        let micros = self.floor().unwrap_or_default().as_micros().max(1);
        self.waiting =
            u32::try_from(read.as_micros() / micros).unwrap_or(u32::MAX).saturating_sub(1);
    }

    fn yield_to_people(&mut self, now: Duration) {
        self.slow = [false; LAST];
        self.calm = 0;
        if self.connections > 1 {
            self.connections = self.connections.saturating_sub(1);
            self.not_before = now.saturating_add(self.hold);
            self.hold = self.hold.saturating_mul(2).min(LONGEST_HOLD);
        } else {
            self.target = BRIEF;
        }
    }

    fn take_more(&mut self, now: Duration) {
        if self.target < FULL {
            if self.calm >= CALM {
                self.target = (self.target.saturating_mul(3) / 2).min(FULL);
                self.calm = 0;
            }
        } else if self.connections < self.most
            && self.calm >= CALM_CONNECTION
            && now >= self.not_before
        {
            self.connections = self.connections.saturating_add(1);
            self.calm = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QUICK: Duration = Duration::from_millis(10);
    const BEHIND_ONE: Duration = Duration::from_millis(21);

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// `count` reads a second apart.
    fn read(pacing: &mut Pacing, took: Duration, from: u64, count: u64) {
        for second in from..from + count {
            learn(pacing, took, secs(second));
        }
    }

    fn learn(pacing: &mut Pacing, took: Duration, now: Duration) {
        if pacing.learn(Some(took), now) {
            pacing.take_floor(took.min(QUICK));
        }
    }

    #[test]
    fn where_nobody_works_it_runs_full() {
        let mut pacing = Pacing::new(3);
        assert_eq!((pacing.connections(), pacing.target()), (1, FULL));
        read(&mut pacing, QUICK, 0, 4);
        assert_eq!(pacing.connections(), 3);
        // One slow read is chance.
        for _ in 0..50 {
            read(&mut pacing, BEHIND_ONE, 9, 1);
            read(&mut pacing, QUICK, 9, 3);
        }
        assert_eq!((pacing.connections(), pacing.target()), (3, FULL));
        assert_eq!(pacing.rest(FULL), Duration::ZERO);
        // Calls that are over at once keep nobody waiting, and need no read.
        let mut pacing = Pacing::new(2);
        pacing.learn(None, secs(0));
        pacing.learn(None, secs(0));
        assert_eq!(pacing.connections(), 2);
    }

    #[test]
    fn the_last_free_worker_is_given_back_and_tried_again_ever_later() {
        let mut pacing = Pacing::new(2);
        read(&mut pacing, QUICK, 0, 2);
        assert_eq!(pacing.connections(), 2);
        read(&mut pacing, BEHIND_ONE, 2, 2);
        assert_eq!((pacing.connections(), pacing.target()), (1, FULL), "calls stay long");
        let mut tries = Vec::new();
        for second in 4..1200 {
            let took = if pacing.connections() > 1 { BEHIND_ONE } else { QUICK };
            let before = pacing.connections();
            learn(&mut pacing, took, secs(second));
            if pacing.connections() > before {
                tries.push(second);
            }
        }
        let gaps: Vec<u64> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(tries[0], 33);
        assert!(gaps.is_sorted() && gaps.last().is_some_and(|gap| *gap >= 480), "{gaps:?}");
    }

    #[test]
    fn on_the_only_worker_calls_become_short_while_people_wait() {
        let mut pacing = Pacing::new(2);
        // People are there from the first call on.
        read(&mut pacing, BEHIND_ONE, 0, 3);
        assert_eq!((pacing.connections(), pacing.target()), (1, BRIEF));
        assert_eq!(pacing.rest(BRIEF), Duration::ZERO, "those who waited have had their turn");
        // Many wait: a rest beside, never more than half of the call.
        read(&mut pacing, secs(1), 3, 2);
        assert_eq!(pacing.rest(BRIEF), BRIEF / 2);
        // People stay for minutes: it does not forget them between two reads.
        for second in 5..300 {
            let took = if second % 3 == 0 { QUICK } else { BEHIND_ONE };
            learn(&mut pacing, took, secs(second));
            assert_eq!((pacing.connections(), pacing.target()), (1, BRIEF));
        }
        // They go home.
        read(&mut pacing, QUICK, 300, 80);
        assert_eq!((pacing.connections(), pacing.target()), (2, FULL));
    }

    /// A read of an Odoo whose answers take between 15 and 60 ms, as it happens.
    fn jittery(seed: &mut u64) -> Duration {
        *seed =
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(15 + (*seed >> 33) % 46)
    }

    #[test]
    fn an_odoo_whose_answers_vary_runs_full_where_nobody_works() {
        let (mut pacing, mut seed, mut full) = (Pacing::new(2), 7, 0);
        for second in 0..2000 {
            if pacing.learn(Some(jittery(&mut seed)), secs(second)) {
                pacing.take_floor(jittery(&mut seed));
            }
            full += u32::from((pacing.connections(), pacing.target()) == (2, FULL));
        }
        assert!(full > 1900, "full for {full} reads of 2000");
        // A person's page before a read shows all the same.
        for second in 2000..2010 {
            let page = Duration::from_millis(120);
            if pacing.learn(Some(jittery(&mut seed) + page), secs(second)) {
                pacing.take_floor(jittery(&mut seed));
            }
        }
        assert_eq!((pacing.connections(), pacing.target()), (1, BRIEF));
    }

    proptest! {
        #[test]
        fn never_beyond_the_limits_and_never_stuck(
            most in 1..6_usize,
            reads in prop::collection::vec(prop::option::of(0..2000_u64), 0..200),
        ) {
            let mut pacing = Pacing::new(most);
            let mut now = Duration::ZERO;
            for read in reads {
                now += secs(1);
                let read = read.map(Duration::from_millis);
                if pacing.learn(read, now) {
                    pacing.take_floor(read.unwrap_or_default());
                }
                prop_assert!((1..=most).contains(&pacing.connections()));
                prop_assert!((BRIEF..=FULL).contains(&pacing.target()));
                prop_assert!(pacing.rest(FULL) <= FULL / 2);
            }
            for _ in 0..200 {
                now += secs(10);
                pacing.learn(Some(Duration::ZERO), now);
            }
            prop_assert_eq!((pacing.connections(), pacing.target()), (most, FULL));
        }
    }
}
