//! How much at once: as many connections and as large batches as Odoo takes well.
//!
//! [`Throttle`] counts the connections of all accounts together: additive increase, multiplicative
//! decrease (Chiu & Jain 1989), where Odoo answers that it is overloaded or lost a race.
//! [`BatchSize`] sizes one account's next batch, so that no call takes longer than its target,
//! which [`super::pacing`] says: shorter where people wait. Limits are the operator's (`odoo.connections`, `odoo.batch`): nothing here
//! ever goes beyond them. All of it is memory: a restart begins from the start.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Orders in the first batch: nothing is known of Odoo yet, nor of who works there.
const FIRST: usize = 10;
/// A batch grows to at most so many times the last one.
const GROWTH: usize = 2;

/// How a batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    /// Through; its slowest call took so long.
    Well(Duration),
    /// Odoo was overloaded, lost a race or was too slow: it got too much.
    TooMuch,
    /// Something that says nothing about the load.
    Otherwise,
}

/// Connections in use and allowed, of all accounts together.
#[derive(Debug)]
pub(super) struct Throttle {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    allowed: usize,
    used: usize,
    /// Batches that went well since `allowed` last changed.
    well: usize,
    /// Raised by each slowing down: batches that began before say nothing new.
    round: u64,
}

/// One connection in use; given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    throttle: Arc<Throttle>,
    round: u64,
}

/// Orders in an account's next batch.
#[derive(Debug)]
pub(super) struct BatchSize {
    most: usize,
    now: usize,
}

// === impl Throttle ===

impl Throttle {
    /// At most `most` connections, and all of them allowed.
    pub(super) fn new(most: usize) -> Arc<Self> {
        let most = most.max(1);
        let state = State { allowed: most, used: 0, well: 0, round: 0 };
        Arc::new(Self { most, state: Mutex::new(state) })
    }

    /// A connection, if one is free and fewer than `most` are in use.
    pub(super) fn try_acquire(self: &Arc<Self>, most: usize) -> Option<Permit> {
        let mut state = self.lock();
        if state.used >= state.allowed.min(most) {
            return None;
        }
        state.used = state.used.saturating_add(1);
        Some(Permit { throttle: Arc::clone(self), round: state.round })
    }

    /// Whether no connection of `most` is free.
    pub(super) fn is_full(&self, most: usize) -> bool {
        let state = self.lock();
        state.used >= state.allowed.min(most)
    }

    #[cfg(test)]
    fn allowed(&self) -> usize {
        self.lock().allowed
    }

    /// Odoo is back after it could not be reached: one batch first, then more.
    pub(super) fn restart(&self) {
        let mut state = self.lock();
        state.slow_to(1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn slow_to(&mut self, allowed: usize) {
        self.allowed = allowed.max(1);
        self.well = 0;
        self.round = self.round.saturating_add(1);
    }
}

// === impl Permit ===

impl Permit {
    /// What the batch on this connection taught.
    pub(super) fn learn(&self, went: Went) {
        let mut state = self.throttle.lock();
        match went {
            // Several batches that fail together are one lesson.
            Went::TooMuch if self.round == state.round => {
                let half = state.allowed / 2;
                state.slow_to(half);
            }
            Went::Well(_) => {
                state.well = state.well.saturating_add(1);
                if state.well >= state.allowed && state.allowed < self.throttle.most {
                    state.allowed = state.allowed.saturating_add(1);
                    state.well = 0;
                }
            }
            Went::TooMuch | Went::Otherwise => {}
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.throttle.lock();
        state.used = state.used.saturating_sub(1);
    }
}

// === impl BatchSize ===

impl BatchSize {
    /// At most `most` orders, and few to begin with.
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        Self { most, now: most.min(FIRST) }
    }

    /// Orders in the next batch.
    pub(super) fn now(&self) -> usize {
        self.now
    }

    /// `most` of something that grows and shrinks with the batch; at least one.
    pub(super) fn share_of(&self, most: usize) -> usize {
        (most.saturating_mul(self.now) / self.most).max(1)
    }

    /// A batch of `sent` orders went like that, and no call should take longer than `target`.
    pub(super) fn learn(&mut self, went: Went, sent: usize, target: Duration) {
        let sent = sent.min(self.now).max(1);
        match went {
            Went::TooMuch => self.now = (sent / 2).max(1),
            Went::Well(slowest) if slowest > target => self.now = fitting(sent, slowest, target),
            // A small batch does not show what a large one would do.
            Went::Well(slowest) if sent >= self.now => {
                let larger = fitting(sent, slowest, target).min(sent.saturating_mul(GROWTH));
                self.now = larger.clamp(self.now, self.most);
            }
            Went::Well(_) | Went::Otherwise => {}
        }
    }
}

/// How many orders take `target`, if `sent` took `slowest`; at least one.
fn fitting(sent: usize, slowest: Duration, target: Duration) -> usize {
    let (slowest, target) = (slowest.as_micros().max(1), target.as_micros());
    let fitting = u128::try_from(sent).unwrap_or(u128::MAX).saturating_mul(target) / slowest;
    usize::try_from(fitting).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUICK: Went = Went::Well(Duration::from_millis(100));
    const ALL: usize = usize::MAX;

    #[test]
    fn batches_that_fail_together_halve_once() {
        let throttle = Throttle::new(8);
        let permits: Vec<Permit> = (0..8).map(|_| throttle.try_acquire(ALL).unwrap()).collect();
        assert!(throttle.is_full(ALL) && throttle.try_acquire(ALL).is_none());
        for permit in &permits {
            permit.learn(Went::TooMuch);
        }
        assert_eq!(throttle.allowed(), 4);
        drop(permits);
        let one = throttle.try_acquire(ALL).unwrap();
        one.learn(Went::TooMuch);
        assert_eq!(throttle.allowed(), 2);
        one.learn(Went::Otherwise);
        assert_eq!(throttle.allowed(), 2);
    }

    #[test]
    fn connections_come_back_one_at_a_time() {
        let throttle = Throttle::new(3);
        throttle.restart();
        let mut allowed = Vec::new();
        for _ in 0..6 {
            throttle.try_acquire(ALL).unwrap().learn(QUICK);
            allowed.push(throttle.allowed());
        }
        assert_eq!(allowed, [2, 2, 3, 3, 3, 3]);
    }

    #[test]
    fn batches_are_as_large_as_the_target_of_a_call_allows() {
        let full = Duration::from_secs(1);
        let mut size = BatchSize::new(100);
        assert_eq!(size.now(), 10, "few to begin with");
        size.learn(QUICK, 5, full);
        assert_eq!(size.now(), 10, "a small batch shows nothing");
        let mut sizes = Vec::new();
        for _ in 0..5 {
            size.learn(Went::Well(Duration::from_millis(200)), size.now(), full);
            sizes.push(size.now());
        }
        assert_eq!(sizes, [20, 40, 80, 100, 100]);
        assert_eq!(size.share_of(50), 50);
        size.learn(Went::Well(Duration::from_secs(4)), 100, full);
        assert_eq!(size.now(), 25);
        size.learn(Went::Well(full), 25, full);
        assert_eq!(size.now(), 25, "as slow as it may be");
        // People wait: a few orders a call.
        size.learn(Went::Well(full), 25, full / 5);
        assert_eq!((size.now(), size.share_of(50)), (5, 2));
        for _ in 0..9 {
            size.learn(Went::TooMuch, size.now(), full);
        }
        assert_eq!((size.now(), size.share_of(50)), (1, 1));
    }

    fn went() -> impl Strategy<Value = Went> {
        prop_oneof![
            (0..3000_u64).prop_map(|ms| Went::Well(Duration::from_millis(ms))),
            Just(Went::TooMuch),
            Just(Went::Otherwise),
        ]
    }

    proptest! {
        #[test]
        fn never_beyond_the_limits_and_never_stuck(
            most in 1..9_usize,
            steps in prop::collection::vec((went(), 1..200_usize), 0..60),
        ) {
            let throttle = Throttle::new(most);
            let mut size = BatchSize::new(most * 10);
            for (went, sent) in steps {
                throttle.try_acquire(ALL).unwrap().learn(went);
                size.learn(went, sent, Duration::from_secs(1));
                prop_assert!((1..=most).contains(&throttle.allowed()));
                prop_assert!((1..=most * 10).contains(&size.now()));
            }
            // Whatever was learned: when all goes well it is at full speed again.
            for _ in 0..most * most + 20 {
                throttle.try_acquire(ALL).unwrap().learn(QUICK);
                size.learn(QUICK, size.now(), Duration::from_secs(1));
            }
            prop_assert_eq!((throttle.allowed(), size.now()), (most, most * 10));
        }
    }
}
