//! How long the calls of a piece of work took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The slowest call of a client that was [metered](super::Client::metered).
#[derive(Debug, Default)]
pub struct Meter(AtomicU64);

impl Meter {
    /// The longest that a call took from sending to its complete answer; zero before the first.
    pub fn slowest(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    pub(super) fn took(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0.fetch_max(micros, Ordering::Relaxed);
    }
}
