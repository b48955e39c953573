//! Waiting is not silence: beats for the watchdog while something else takes its time.
//!
//! Promises: whatever a loop waits for (a pause of an hour, a call that is not answered) is no
//! reason to be killed, and what should have an end and has none is. Does not end anything.

use std::pin::pin;
use std::time::Duration;

/// Between two beats. The watchdog may be as short as a bit more than twice this.
const BEAT: Duration = Duration::from_secs(5);

/// What `future` comes to. Until then there are beats, though none after `patience`.
pub async fn beating<T>(
    future: impl Future<Output = T>,
    beat: &(impl Fn() + Sync),
    patience: Duration,
) -> T {
    beating_each(BEAT, future, beat, patience).await
}

async fn beating_each<T>(
    step: Duration,
    future: impl Future<Output = T>,
    beat: &(impl Fn() + Sync),
    patience: Duration,
) -> T {
    let mut future = pin!(future);
    let mut left = patience;
    loop {
        tokio::select! {
            done = &mut future => return done,
            () = tokio::time::sleep(step), if !left.is_zero() => {
                left = left.saturating_sub(step);
                beat();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio_util::sync::CancellationToken;

    use super::*;

    const STEP: Duration = Duration::from_millis(1);

    /// Waits until the fifth beat, or else for `end`; says how many there were.
    fn beats(patience: Duration, end: Duration) -> u32 {
        let (count, enough) = (AtomicU32::new(0), CancellationToken::new());
        let beat = || {
            if count.fetch_add(1, Ordering::Relaxed) == 4 {
                enough.cancel();
            }
        };
        let waiting = async {
            tokio::select! {
                () = enough.cancelled() => {}
                () = tokio::time::sleep(end) => {}
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(beating_each(STEP, waiting, &beat, patience));
        count.load(Ordering::Relaxed)
    }

    #[test]
    fn waiting_is_never_silent() {
        assert_eq!(beats(Duration::MAX, Duration::from_hours(1)), 5);
    }

    #[test]
    fn what_never_ends_falls_silent() {
        assert!(beats(STEP * 3, Duration::from_millis(200)) <= 3);
    }
}
