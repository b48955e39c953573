//! Time, injectable: everything that decides by the clock takes a [`Clock`].
//!
//! [`System`] is the only place that reads the host's clock; [`Manual`] is moved by tests. Whether a
//! clock can be believed is weighed in [`witness`].

pub mod witness;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// A source of the current instant.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The current instant, UTC.
    fn now(&self) -> Timestamp;

    /// Whether the host's time service says that the clock is synchronised.
    fn is_synchronised(&self) -> bool {
        false
    }
}

/// A shared clock.
pub type SharedClock = Arc<dyn Clock>;

/// The host's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn is_synchronised(&self) -> bool {
        synchronised_lately(Path::new(SYNCHRONISED), self.now())
    }
}

/// systemd-timesyncd touches this file whenever it adjusts the clock, at least every 34 minutes. The
/// kernel's own flag cannot be asked: `adjtimex` is behind `ProtectClock=yes`.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";
/// A mark older than this says nothing: somebody may have set the clock by hand since. Seconds.
const SYNCHRONISED_SECS: i64 = 3 * 3_600;

/// Whether the time service's mark is of the last hours by this same clock.
fn synchronised_lately(mark: &Path, now: Timestamp) -> bool {
    let touched = std::fs::metadata(mark).and_then(|meta| meta.modified()).ok();
    let touched = touched.and_then(|at| Timestamp::try_from(at).ok());
    touched.is_some_and(|at| {
        let age = now.duration_since(at).as_secs();
        (-60..=SYNCHRONISED_SECS).contains(&age)
    })
}

/// A clock that stands still until it is moved.
#[derive(Debug, Clone)]
pub struct Manual(Arc<Mutex<Timestamp>>, Arc<AtomicBool>);

impl Manual {
    /// A clock standing at `at`.
    pub fn new(at: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(at)), Arc::default())
    }

    /// Whether a time service is to vouch for it.
    pub fn set_synchronised(&self, synchronised: bool) {
        self.1.store(synchronised, Ordering::Relaxed);
    }

    /// Puts the clock to `at`, forwards or backwards.
    pub fn set(&self, at: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Moves the clock forward; stays put at the end of time.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.saturating_add(by).unwrap_or(*now);
    }
}

impl Clock for Manual {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_synchronised(&self) -> bool {
        self.1.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_mark_of_the_time_service_counts_and_an_old_one_does_not() {
        let mark = tempfile::NamedTempFile::new().unwrap();
        let touched = Timestamp::try_from(mark.as_file().metadata().unwrap().modified().unwrap());
        let touched = touched.unwrap();
        let later = |secs| touched + jiff::SignedDuration::from_secs(secs);
        assert!(synchronised_lately(mark.path(), later(60)));
        assert!(synchronised_lately(mark.path(), later(SYNCHRONISED_SECS)));
        assert!(!synchronised_lately(mark.path(), later(SYNCHRONISED_SECS + 60)));
        // The clock was set back since.
        assert!(!synchronised_lately(mark.path(), later(-3_600)));
        assert!(!synchronised_lately(Path::new("/nonexistent/mark"), touched));
    }
}
