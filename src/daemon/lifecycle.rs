//! What systemd is told, and when it is told that we live.
//!
//! Promises: a failing or missing systemd changes nothing (failures are logged, never fatal); the
//! watchdog is fed only while *every* registered loop beats. A loop that ended without saying so
//! ([`Pulse::finish`]) counts as silent: a panicked task must not look alive.
//! Does not decide what the daemon does: it only tells.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use systemd::daemon as sd;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::telemetry::events;

/// The watchdog is looked after this many times per period.
const FEEDS_PER_PERIOD: u32 = 4;
/// Longest status text, in bytes: systemd cuts a longer one where it happens to be.
pub const MAX_STATUS_BYTES: usize = 200;

/// Feeds systemd's watchdog as long as every loop beats.
#[derive(Debug)]
pub struct Watchdog {
    /// What systemd asked for; none: not watched.
    period: Option<Duration>,
    started: Instant,
    loops: Mutex<Vec<Arc<Beat>>>,
}

/// The pulse of one loop. Dropping it without [`Pulse::finish`] means that the loop died.
#[derive(Debug)]
pub struct Pulse {
    started: Instant,
    beat: Arc<Beat>,
}

#[derive(Debug)]
struct Beat {
    name: &'static str,
    allowed: Duration,
    /// Milliseconds from the start to the last beat.
    last_ms: AtomicU64,
    finished: AtomicBool,
    /// The silence was logged; it is logged once.
    told: AtomicBool,
}

// === what systemd is told ===

/// The daemon serves; `text` is its first status.
pub fn ready(text: &str) {
    notify(&[(sd::STATE_READY, "1"), (sd::STATE_STATUS, &line(text))]);
}

/// A reload ended, well or not; the status stays what it was.
pub fn reloaded() {
    notify(&[(sd::STATE_READY, "1")]);
}

/// The daemon ends.
pub fn stopping() {
    notify(&[(sd::STATE_STOPPING, "1"), (sd::STATE_STATUS, "stopping")]);
}

/// A reload begins; [`reloaded`] ends it. Carries the instant, without which `Type=notify-reload`
/// would wait for its timeout.
pub fn reloading() {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let micros = u64::try_from(now.tv_nsec).unwrap_or_default() / 1_000;
    let instant = seconds.saturating_mul(1_000_000).saturating_add(micros).to_string();
    notify(&[(sd::STATE_RELOADING, "1"), ("MONOTONIC_USEC", &instant)]);
}

/// What `systemctl status` shows.
pub fn status(text: &str) {
    notify(&[(sd::STATE_STATUS, &line(text))]);
}

/// Starting or stopping takes longer: systemd waits at least this long from now.
pub fn extend_timeout(by: Duration) {
    notify(&[(sd::STATE_EXTEND_TIMEOUT_USEC, &by.as_micros().to_string())]);
}

/// How often systemd wants to hear of us; none: not watched.
pub fn watchdog_period() -> Option<Duration> {
    match sd::watchdog_enabled() {
        Ok(0) => None,
        Ok(micros) => Some(Duration::from_micros(micros)),
        Err(error) => {
            tracing::warn!(%error, "systemd's watchdog setting cannot be read: not fed");
            None
        }
    }
}

fn notify(state: &[(&str, &str)]) {
    if let Err(error) = sd::notify(state.iter()) {
        tracing::warn!(%error, "systemd could not be notified");
    }
}

/// One line without control characters: a line break would begin another variable. The
/// headline is shortened at a word where it is made; the cut here is only a limit that nothing exceeds.
fn line(text: &str) -> String {
    let one: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let end = one.floor_char_boundary(MAX_STATUS_BYTES);
    one.get(..end).unwrap_or_default().to_owned()
}

// === impl Watchdog ===

impl Watchdog {
    /// The watchdog that systemd asked for, if it did.
    pub fn from_systemd() -> Arc<Self> {
        Self::new(watchdog_period())
    }

    /// A watchdog with this period.
    pub fn new(period: Option<Duration>) -> Arc<Self> {
        Arc::new(Self { period, started: Instant::now(), loops: Mutex::default() })
    }

    /// A pulse for a loop that beats at least once per half period.
    pub fn pulse(&self, name: &'static str) -> Pulse {
        self.pulse_within(name, self.period.unwrap_or(Duration::MAX) / 2)
    }

    /// A pulse for a loop that may be silent for `allowed`. The first beat is now.
    pub fn pulse_within(&self, name: &'static str, allowed: Duration) -> Pulse {
        let beat = Arc::new(Beat {
            name,
            allowed,
            last_ms: AtomicU64::new(millis(self.started.elapsed())),
            finished: AtomicBool::new(false),
            told: AtomicBool::new(false),
        });
        self.lock().push(Arc::clone(&beat));
        Pulse { started: self.started, beat }
    }

    /// The loops that have been silent for too long.
    pub fn silent(&self) -> Vec<&'static str> {
        self.silent_at(self.started.elapsed()).iter().map(|beat| beat.name).collect()
    }

    /// Feeds systemd until `stop`; returns at once if nobody watches.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let Some(period) = self.period else { return };
        let mut ticks = tokio::time::interval(period / FEEDS_PER_PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => self.look(self.started.elapsed()),
            }
        }
    }

    /// Feeds if all beat, names who does not otherwise.
    fn look(&self, now: Duration) {
        let silent = self.silent_at(now);
        if silent.is_empty() {
            notify(&[(sd::STATE_WATCHDOG, "1")]);
        }
        for beat in silent {
            if !beat.told.swap(true, Ordering::Relaxed) {
                events::loop_silent(beat.name);
            }
        }
    }

    fn silent_at(&self, now: Duration) -> Vec<Arc<Beat>> {
        let mut loops = self.lock();
        loops.retain(|beat| !beat.finished.load(Ordering::Relaxed));
        loops.iter().filter(|beat| beat.is_silent(now)).cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Beat>>> {
        self.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Pulse ===

impl Pulse {
    /// The loop lives.
    pub fn beat(&self) {
        self.beat.last_ms.store(millis(self.started.elapsed()), Ordering::Relaxed);
        self.beat.told.store(false, Ordering::Relaxed);
    }

    /// The loop ends as it should: it is not expected to beat any more.
    pub fn finish(self) {
        self.beat.finished.store(true, Ordering::Relaxed);
    }
}

impl Beat {
    fn is_silent(&self, now: Duration) -> bool {
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        now.saturating_sub(last) > self.allowed
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;

    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    #[test]
    fn one_silent_loop_is_enough() {
        let watchdog = Watchdog::new(Some(LONG));
        let scan = watchdog.pulse_within("scan", Duration::from_secs(10));
        let delivery = watchdog.pulse_within("delivery", LONG);
        let names = |now| -> Vec<_> {
            watchdog.silent_at(Duration::from_secs(now)).iter().map(|beat| beat.name).collect()
        };
        assert_eq!(names(9), Vec::<&str>::new());
        assert_eq!(names(12), ["scan"]);
        scan.beat.last_ms.store(12_000, Ordering::Relaxed);
        assert_eq!(names(20), Vec::<&str>::new());
        scan.finish();
        assert_eq!(names(3500), Vec::<&str>::new());
        assert_eq!(names(3700), ["delivery"]);
        delivery.finish();
        assert_eq!(names(9999), Vec::<&str>::new());
    }

    #[test]
    fn a_dropped_pulse_is_a_dead_loop() {
        let watchdog = Watchdog::new(Some(LONG));
        drop(watchdog.pulse_within("scan", Duration::ZERO));
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(watchdog.silent(), ["scan"]);
    }

    #[test]
    fn a_beat_is_heard() {
        let watchdog = Watchdog::new(Some(LONG));
        let pulse = watchdog.pulse_within("scan", LONG);
        std::thread::sleep(Duration::from_millis(5));
        pulse.beat();
        assert!(pulse.beat.last_ms.load(Ordering::Relaxed) >= 5);
        assert!(watchdog.silent().is_empty());
    }

    #[test]
    fn unwatched_loops_are_never_silent() {
        let watchdog = Watchdog::new(None);
        let _pulse = watchdog.pulse("scan");
        assert!(watchdog.silent_at(Duration::MAX / 4).is_empty());
    }

    /// Not a test of its own: [`systemd_hears_everything`] runs it with a socket of its own.
    #[test]
    #[ignore = "run by systemd_hears_everything"]
    fn child() {
        assert_eq!(watchdog_period(), Some(Duration::from_millis(40)));
        ready("2 accounts\nREADY=0");
        reloading();
        extend_timeout(Duration::from_millis(1500));
        let watchdog = Watchdog::from_systemd();
        let pulse = watchdog.pulse_within("scan", LONG);
        watchdog.look(Duration::from_secs(1));
        watchdog.look(LONG * 2);
        pulse.finish();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let stop = CancellationToken::new();
        runtime.block_on(async {
            let run = tokio::spawn(watchdog.run(stop.clone()));
            tokio::time::sleep(Duration::from_millis(25)).await;
            stop.cancel();
            run.await.unwrap();
        });
        stopping();
    }

    #[test]
    fn systemd_hears_everything() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "daemon::lifecycle::tests::child", "--ignored"])
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "40000")
            .env_remove("WATCHDOG_PID")
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        let mut heard = Vec::new();
        while heard.last().is_none_or(|text: &String| !text.contains("STOPPING")) {
            let mut bytes = [0; 512];
            let length = socket.recv(&mut bytes).unwrap();
            heard.push(String::from_utf8(bytes[..length].to_vec()).unwrap());
        }
        assert_eq!(heard[0], "READY=1\nSTATUS=2 accounts READY=0");
        let instant = heard[1].strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(instant.parse::<u64>().unwrap() > 0);
        assert_eq!(heard[2], "EXTEND_TIMEOUT_USEC=1500000");
        let fed = heard.iter().filter(|text| *text == "WATCHDOG=1").count();
        // One look that feeds, one that does not, and a running watchdog that feeds at once.
        assert!(fed >= 2, "{heard:?}");
        assert_eq!(heard.len(), 4 + fed, "{heard:?}");
        assert_eq!(heard.last().unwrap(), "STOPPING=1\nSTATUS=stopping");
    }

    #[test]
    fn without_systemd_nothing_happens() {
        // cargo test runs without NOTIFY_SOCKET; under systemd this would only set a status.
        status("testing");
        assert_eq!(line(&"x".repeat(1000)).len(), MAX_STATUS_BYTES);
    }
}
