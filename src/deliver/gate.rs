//! Whether an account may send requests to Odoo now.
//!
//! *Open*: yes. *Down*: Odoo or its database cannot be reached; one probe at a time, soon. *Paused*:
//! something is configured wrongly; probes get rare, because Odoo locks out a user who fails to log in too often.
//! In neither case does a job use up an attempt.

use std::time::Duration;

use jiff::Timestamp;

use super::backoff;

/// The state of one account toward Odoo.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Gate {
    /// Work goes on.
    #[default]
    Open,
    /// Odoo does not answer.
    Down(Closed),
    /// The configuration is wrong.
    Paused(Closed),
}

/// Since when and why, and when the next probe is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The fault's code.
    pub code: String,
    /// What helps.
    pub next_step: String,
    /// Since when.
    pub since: Timestamp,
    /// When it is tried again.
    pub next: Timestamp,
    probes: usize,
}

impl Gate {
    /// How long to wait before the next request; none where it is open or the time has come.
    pub fn wait(&self, now: Timestamp) -> Option<Duration> {
        match self {
            Self::Open => None,
            Self::Down(closed) | Self::Paused(closed) => {
                let wait = closed.next.duration_since(now);
                Duration::try_from(wait).ok().filter(|wait| !wait.is_zero())
            }
        }
    }

    /// Odoo did not answer; `seen` says what was seen and what helps. True if that is news.
    pub fn down(
        &mut self,
        code: &str,
        seen: Option<&str>,
        wait: Option<Duration>,
        now: Timestamp,
    ) -> bool {
        let before = match self {
            // Several batches that fail together are one probe.
            Self::Down(closed) if closed.next > now => {
                let asked = wait.map_or(now, |wait| now.saturating_add(wait).unwrap_or(now));
                closed.next = closed.next.max(asked);
                return false;
            }
            Self::Down(closed) => Some((closed.since, closed.probes)),
            Self::Open | Self::Paused(_) => None,
        };
        let (since, probes) = before.unwrap_or((now, 0));
        let pause = wait.unwrap_or_else(|| backoff::down(probes));
        let next_step = seen.unwrap_or(
            "nothing to do if Odoo is being restarted; else check that it runs and is reachable",
        );
        *self = Self::Down(Closed {
            code: code.to_owned(),
            next_step: next_step.to_owned(),
            since,
            next: now.saturating_add(pause).unwrap_or(now),
            probes: probes.saturating_add(1),
        });
        before.is_none()
    }

    /// Something is configured wrongly. True if that is news.
    pub fn pause(&mut self, code: &str, next_step: &str, now: Timestamp) -> bool {
        let before = match self {
            // Several batches that fail together are one probe.
            Self::Paused(closed) if closed.next > now && closed.code == code => {
                next_step.clone_into(&mut closed.next_step);
                return false;
            }
            Self::Paused(closed) => Some((closed.since, closed.probes, closed.code == code)),
            Self::Open | Self::Down(_) => None,
        };
        let (since, probes, same) = before.unwrap_or((now, 0, false));
        *self = Self::Paused(Closed {
            code: code.to_owned(),
            next_step: next_step.to_owned(),
            since,
            next: now.saturating_add(backoff::pause(probes)).unwrap_or(now),
            probes: probes.saturating_add(1),
        });
        !same
    }

    /// A look at what is behind it ended in something that passes: the next one has its usual time.
    pub fn look_later(&mut self, now: Timestamp) {
        let (closed, wait): (_, fn(usize) -> Duration) = match self {
            Self::Open => return,
            Self::Down(closed) => (closed, backoff::down),
            Self::Paused(closed) => (closed, backoff::pause),
        };
        if closed.next <= now {
            closed.next = now.saturating_add(wait(closed.probes)).unwrap_or(now);
            closed.probes = closed.probes.saturating_add(1);
        }
    }

    /// Odoo answered. Returns what it was closed by.
    pub fn open(&mut self) -> Option<Closed> {
        match std::mem::take(self) {
            Self::Open => None,
            Self::Down(closed) | Self::Paused(closed) => Some(closed),
        }
    }

    /// Tries at once: the operator changed something.
    pub fn retry_now(&mut self, now: Timestamp) {
        if let Self::Down(closed) | Self::Paused(closed) = self {
            closed.next = now;
            closed.probes = 0;
        }
    }

    /// The word people read.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Down(_) => "odoo-unreachable",
            Self::Paused(_) => "paused",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_dead_odoo_is_news_once_and_probed_ever_slower() {
        let mut gate = Gate::default();
        assert_eq!(gate.wait(at(0)), None);
        assert!(gate.down("odoo-unreachable", Some("the port is closed: look"), None, at(0)));
        assert_eq!(gate.wait(at(0)), Some(Duration::from_secs(1)));
        assert!(!gate.down("odoo-unreachable", None, None, at(1)));
        assert_eq!(gate.wait(at(1)), Some(Duration::from_secs(2)));
        assert!(matches!(&gate, Gate::Down(closed) if closed.next_step.contains("else check")));
        assert_eq!(gate.open().unwrap().since, at(0));
        assert_eq!(gate, Gate::Open);
    }

    #[test]
    fn a_pause_waits_minutes_and_a_new_cause_is_news() {
        let mut gate = Gate::default();
        assert!(gate.pause("odoo-access-denied", "x", at(0)));
        assert_eq!(gate.wait(at(0)), Some(Duration::from_mins(1)));
        assert!(!gate.pause("odoo-access-denied", "x", at(60)));
        assert_eq!(gate.wait(at(60)), Some(Duration::from_mins(5)));
        assert!(gate.pause("odoo-access-error", "x", at(360)));
        gate.retry_now(at(400));
        assert_eq!(gate.wait(at(400)), None);
    }

    #[test]
    fn batches_that_fail_together_are_one_probe() {
        let mut gate = Gate::default();
        for _ in 0..4 {
            gate.pause("odoo-access-denied", "x", at(0));
        }
        assert_eq!(gate.wait(at(0)), Some(Duration::from_mins(1)));
        let mut gate = Gate::default();
        for _ in 0..4 {
            gate.down("odoo-unreachable", None, None, at(0));
        }
        assert_eq!(gate.wait(at(0)), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_look_that_ends_in_nothing_waits_its_usual_time() {
        let mut gate = Gate::default();
        gate.look_later(at(0));
        assert_eq!(gate, Gate::Open);
        gate.pause("odoo-access-denied", "x", at(0));
        gate.look_later(at(30));
        assert_eq!(gate.wait(at(30)), Some(Duration::from_secs(30)), "not yet due");
        gate.look_later(at(60));
        assert_eq!(gate.wait(at(60)), Some(Duration::from_mins(5)));
        gate.look_later(at(360));
        assert_eq!(gate.wait(at(360)), Some(Duration::from_mins(15)));
    }

    #[test]
    fn a_server_that_names_a_time_is_obeyed() {
        let mut gate = Gate::default();
        gate.down("odoo-overloaded", None, Some(Duration::from_secs(77)), at(0));
        assert_eq!(gate.wait(at(0)), Some(Duration::from_secs(77)));
    }
}
