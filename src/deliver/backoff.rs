//! When to try again: exponential, full jitter, capped. Pure.

use std::time::Duration;

/// The first retry's upper bound.
const BASE_SECS: u64 = 5;
/// No retry waits longer.
const CAP_SECS: u64 = 15 * 60;
/// No retry comes sooner.
const FLOOR_MILLIS: u64 = 1_000;
/// Minutes between probes of a paused account; the last one repeats. Odoo locks out users who fail to
/// log in too often.
const PAUSE_MINUTES: [u64; 4] = [1, 5, 15, 60];
/// Seconds between probes of an Odoo that does not answer; the last one repeats.
const DOWN_SECS: [u64; 6] = [1, 2, 4, 8, 15, 30];

/// How long to wait before attempt number `attempt` (the first retry is 1), given a random number.
pub fn retry(attempt: u32, random: u64) -> Duration {
    let exponent = attempt.saturating_sub(1).min(20);
    let bound = BASE_SECS.saturating_mul(1 << exponent).min(CAP_SECS).saturating_mul(1000);
    Duration::from_millis((random % bound.max(1)).max(FLOOR_MILLIS))
}

/// How long to wait before probe number `probe` (from 0) of a paused account.
pub fn pause(probe: usize) -> Duration {
    let minutes = PAUSE_MINUTES.get(probe).or(PAUSE_MINUTES.last()).copied().unwrap_or(60);
    Duration::from_secs(minutes * 60)
}

/// How long to wait before probe number `probe` (from 0) of an Odoo that does not answer.
pub fn down(probe: usize) -> Duration {
    Duration::from_secs(DOWN_SECS.get(probe).or(DOWN_SECS.last()).copied().unwrap_or(30))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn probes_slow_down_and_stay() {
        assert_eq!(pause(0), Duration::from_mins(1));
        assert_eq!(pause(99), Duration::from_hours(1));
        assert_eq!(down(0), Duration::from_secs(1));
        assert_eq!(down(99), Duration::from_secs(30));
    }

    proptest! {
        #[test]
        fn retries_are_bounded(attempt in 0_u32..1000, random: u64) {
            let wait = retry(attempt, random);
            prop_assert!(wait >= Duration::from_secs(1) && wait <= Duration::from_secs(CAP_SECS));
        }

        #[test]
        fn the_bound_never_shrinks(attempt in 1_u32..60) {
            let bound = |a| (0..4096_u64).map(|n| retry(a, n * 219_727)).max();
            prop_assert!(bound(attempt + 1) >= bound(attempt));
        }
    }
}
