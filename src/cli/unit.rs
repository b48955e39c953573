//! What systemd says of the daemon's unit, for when the daemon itself says nothing.
//!
//! Promises: takes no longer than it is given; where there is no systemd, says nothing. An error that
//! it repeats is one of the last start, or of the last minutes.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::config::EXIT_CONFIG;

/// How long all of it may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Interval between checks whether a program is done.
const LOOK: Duration = Duration::from_millis(20);
/// What is asked for.
const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,NRestarts,ExecMainStatus,\
     Result,InvocationID";
/// How old an error may be that is not known to be of the last start.
const SINCE: &str = "--since=-10min";

/// What systemd ends a unit with whose credential does not open.
const CREDENTIALS: u64 = 243;
/// Why that is, and what to do.
const UNOPENED: &str = "the credential was sealed on another host, or this one was set up again \
     since: odoo-spoold setup --restore RECOVERY-FILE";

/// The unit as systemd knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unit {
    active: String,
    sub: String,
    restarts: u64,
    exit: u64,
    result: String,
    invocation: String,
    /// The newest error in the journal.
    last: Option<String>,
}

/// The state of the unit, if there is one.
pub(super) fn look(patience: Duration) -> Option<Unit> {
    let until = Instant::now() + patience.min(PATIENCE);
    let mut unit =
        Unit::read(&output("systemctl", &["show", "odoo-spoold.service", PROPERTIES], until)?)?;
    let last = |which: &[&str]| {
        let how = ["--priority=err", "--lines=1", "--output=cat", "--no-pager", "--quiet"];
        let args: Vec<&str> = how.iter().chain(which).copied().collect();
        let said = output("journalctl", &args, until)?;
        said.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    };
    if !unit.invocation.is_empty() {
        let ours = format!("_SYSTEMD_INVOCATION_ID={}", unit.invocation);
        let systemds = format!("INVOCATION_ID={}", unit.invocation);
        unit.last = last(&[&ours, "+", &systemds]);
    }
    unit.last = unit.last.or_else(|| last(&["--unit=odoo-spoold.service", SINCE]));
    Some(unit)
}

impl Unit {
    /// The answer of `systemctl show`.
    fn read(shown: &str) -> Option<Self> {
        let value = |name: &str| {
            let found = shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_default().trim().to_owned()
        };
        let active = value("ActiveState");
        if active.is_empty() || value("LoadState") == "not-found" {
            return None;
        }
        Some(Self {
            active,
            sub: value("SubState"),
            restarts: value("NRestarts").parse().unwrap_or_default(),
            exit: value("ExecMainStatus").parse().unwrap_or_default(),
            result: value("Result"),
            invocation: value("InvocationID"),
            last: None,
        })
    }

    /// What it ended with and what it said, where it ended with 78: starting it again does not help.
    pub(super) fn refusal(&self) -> Option<String> {
        if self.exit == CREDENTIALS && self.active != "active" {
            return Some(format!("systemd cannot open the keys ({CREDENTIALS}): {UNOPENED}"));
        }
        let refused = self.exit == u64::from(EXIT_CONFIG) && self.active != "active";
        refused.then(|| {
            let why =
                self.last.as_deref().unwrap_or("config.toml, the keys or the state are wrong");
            format!("the daemon does not start ({EXIT_CONFIG}): {why}")
        })
    }

    /// In a few words.
    pub(super) fn words(&self) -> String {
        let mut words = if self.sub.is_empty() || self.sub == self.active {
            self.active.clone()
        } else {
            format!("{} ({})", self.active, self.sub)
        };
        if self.restarts > 0 {
            let noun = if self.restarts == 1 { "restart" } else { "restarts" };
            words.push_str(&format!(", {} {noun}", self.restarts));
        }
        if self.exit > 0 {
            words.push_str(&format!(", last exit {}{}", self.exit, meaning(self.exit)));
        }
        if !["", "success", "exit-code"].contains(&self.result.as_str()) {
            words.push_str(&format!(", result {}", self.result));
        }
        if let Some(last) = &self.last {
            words.push_str(&format!(", last: \"{last}\""));
        }
        words
    }
}

/// Exit codes that systemd itself gives before the program runs (systemd.exec(5)).
fn meaning(exit: u64) -> &'static str {
    match exit {
        217 => " (USER)",
        226 => " (NAMESPACE)",
        238 => " (STATE_DIRECTORY)",
        243 => " (CREDENTIALS)",
        _ => "",
    }
}

/// What a program prints, if it ends well and in time.
fn output(program: &str, args: &[&str], until: Instant) -> Option<String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let ended = loop {
        match child.try_wait() {
            Ok(Some(ended)) => break ended,
            Ok(None) if Instant::now() < until => std::thread::sleep(LOOK),
            Ok(None) | Err(_) => {
                // Nothing more can be done about either.
                let _gone_already = child.kill();
                let _reaped = child.wait();
                return None;
            }
        }
    };
    let mut text = String::new();
    // A few lines, which a pipe holds.
    child.stdout.take()?.read_to_string(&mut text).ok()?;
    ended.success().then_some(text)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::cli) fn unit(shown: &str, last: Option<&str>) -> Unit {
        Unit { last: last.map(str::to_owned), ..Unit::read(shown).unwrap() }
    }

    #[test]
    fn night_p2_a_unit_is_told_in_a_few_words() {
        let shown = "NRestarts=24\nExecMainStatus=1\nActiveState=activating\nLoadState=loaded\n\
                     SubState=auto-restart\nResult=exit-code\n";
        let looping = unit(shown, Some("store: Permission denied"));
        assert_eq!(
            looping.words(),
            "activating (auto-restart), 24 restarts, last exit 1, last: \"store: Permission denied\""
        );
        assert_eq!(looping.refusal(), None);
        let shown = "ActiveState=activating\nNRestarts=3\nExecMainStatus=243\n";
        assert_eq!(
            unit(shown, None).words(),
            "activating, 3 restarts, last exit 243 (CREDENTIALS)"
        );
        let shown = "NRestarts=0\nExecMainStatus=0\nActiveState=active\nSubState=running\n";
        assert_eq!(unit(shown, None).words(), "active (running)");
        let shown = "ActiveState=failed\nSubState=failed\nResult=watchdog\n";
        assert_eq!(unit(shown, None).words(), "failed, result watchdog");
        assert_eq!(Unit::read(""), None);
        assert_eq!(Unit::read("ActiveState=inactive\nLoadState=not-found\n"), None);
    }

    #[test]
    fn night_p2_after_78_the_daemon_does_not_start() {
        let shown = "ActiveState=failed\nSubState=failed\nExecMainStatus=78\nResult=exit-code\n";
        assert_eq!(
            unit(shown, Some("keys: no such file")).refusal().unwrap(),
            "the daemon does not start (78): keys: no such file"
        );
        assert!(unit(shown, None).refusal().unwrap().contains("config.toml"));
        let again = "ActiveState=active\nSubState=running\nExecMainStatus=78\n";
        assert_eq!(unit(again, None).refusal(), None);
    }

    #[test]
    fn night_p5_a_credential_that_does_not_open_is_told_with_what_to_do() {
        let shown = "ActiveState=failed\nSubState=failed\nExecMainStatus=243\nResult=exit-code\n";
        let said = unit(shown, None).refusal().unwrap();
        assert!(said.starts_with("systemd cannot open the keys (243): "), "{said}");
        assert!(said.ends_with("setup --restore RECOVERY-FILE"), "{said}");
    }

    #[test]
    fn what_does_not_end_is_not_waited_for() {
        let soon = || Instant::now() + Duration::from_millis(200);
        assert_eq!(output("no-such-program-here", &[], soon()), None);
        assert_eq!(output("sleep", &["1000"], soon()), None);
        let later = Instant::now() + Duration::from_mins(1);
        assert_eq!(output("echo", &["a"], later).as_deref(), Some("a\n"));
    }
}
