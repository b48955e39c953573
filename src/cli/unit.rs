//! What systemd says of the daemon's unit, for when the daemon itself says nothing.
//!
//! Promises: takes no longer than it is given; where there is no systemd, says nothing. An error that
//! it repeats is one of the last start, or of the last minutes.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::config::{DEFAULT_CONTROL_SOCKET, EXIT_CONFIG};

/// How long all of it may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Interval between checks whether a program is done.
const LOOK: Duration = Duration::from_millis(20);
/// What is asked for.
const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,NRestarts,ExecMainCode,\
     ExecMainStatus,Result,InvocationID";
/// How old an error may be that is not known to be of the last start.
const SINCE: &str = "--since=-10min";

/// What systemd ends a unit with whose credential does not open.
const CREDENTIALS: u64 = 243;
/// Why that is, and what to do.
const UNOPENED: &str = "`systemctl restart odoo-spoold` once; if it fails again, `journalctl -u \
     odoo-spoold` has systemd's reason; where the credential was sealed on another host, or this one \
     was set up again since: odoo-spoold setup --restore RECOVERY-FILE";
/// What systemd calls a process that a signal ended, without and with a core (`CLD_KILLED`, `CLD_DUMPED`).
const BY_SIGNAL: [u64; 2] = [2, 3];

/// The unit as systemd knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unit {
    active: String,
    sub: String,
    restarts: u64,
    /// How it ended (`CLD_EXITED` and so on).
    code: u64,
    /// With what: an exit code, or a signal.
    exit: u64,
    result: String,
    invocation: String,
    /// The newest error in the journal.
    last: Option<String>,
}

/// The state of the unit, if there is one.
pub(super) fn look(patience: Duration) -> Option<Unit> {
    let until = Instant::now() + patience.min(PATIENCE);
    let unit = show(until)?;
    Some(heard(unit, until))
}

/// Whether systemd has given the daemon up (if it is the system's own, see `Global::is_systems`), because starting it again does not
/// help. Its socket still listens then: to connect would start it once more, to fail once more.
pub(super) fn given_up(systems: bool, socket: &Path) -> bool {
    let systems = systems && socket == Path::new(DEFAULT_CONTROL_SOCKET);
    systems && show(Instant::now() + PATIENCE).is_some_and(|unit| unit.is_given_up())
}

/// What `systemctl show` says.
fn show(until: Instant) -> Option<Unit> {
    Unit::read(&output("systemctl", &["show", "odoo-spoold.service", PROPERTIES], until)?)
}

/// The same, with the newest error in the journal.
fn heard(mut unit: Unit, until: Instant) -> Unit {
    let last = |which: &[&str]| {
        let how = ["--priority=err", "--lines=1", "--output=cat", "--no-pager", "--quiet"];
        let args: Vec<&str> = how.iter().chain(which).copied().collect();
        let said = output("journalctl", &args, until)?;
        said.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    };
    unit.last = newest(&unit.invocation, last);
    unit
}

/// The newest error: the daemon's own before systemd's, which logs "Failed to start" after it.
fn newest(invocation: &str, last: impl Fn(&[&str]) -> Option<String>) -> Option<String> {
    let of_it = |field: &str| {
        let which = format!("{field}={invocation}");
        if invocation.is_empty() { None } else { last(&[&which]) }
    };
    of_it("_SYSTEMD_INVOCATION_ID")
        .or_else(|| last(&["_SYSTEMD_UNIT=odoo-spoold.service", SINCE]))
        .or_else(|| of_it("INVOCATION_ID"))
        .or_else(|| last(&["--unit=odoo-spoold.service", SINCE]))
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
            code: value("ExecMainCode").parse().unwrap_or_default(),
            exit: value("ExecMainStatus").parse().unwrap_or_default(),
            result: value("Result"),
            invocation: value("InvocationID"),
            last: None,
        })
    }

    /// Whether it failed in a way that systemd does not start it again after.
    fn is_given_up(&self) -> bool {
        self.active == "failed" && [u64::from(EXIT_CONFIG), CREDENTIALS].contains(&self.exit)
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
        if BY_SIGNAL.contains(&self.code) {
            words.push_str(&format!(", killed by signal {}", self.exit));
        } else if self.exit > 0 {
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
    fn a_signal_is_no_exit_code() {
        let shown = "ActiveState=activating\nSubState=auto-restart\nExecMainCode=2\nExecMainStatus=9\n\
                     Result=signal\n";
        let killed = unit(shown, None);
        assert_eq!(killed.words(), "activating (auto-restart), killed by signal 9, result signal");
    }

    #[test]
    fn what_the_daemon_said_stands_before_what_systemd_said() {
        let ours = ("_SYSTEMD_INVOCATION_ID=abc", "config.toml: 3:1 unknown key");
        let by_unit = ("_SYSTEMD_UNIT=odoo-spoold.service", "store: Permission denied");
        let systemds = ("INVOCATION_ID=abc", "Failed to start odoo-spoold.service");
        let all = ("--unit=odoo-spoold.service", "Failed to start it");
        let said = |invocation: &str, lines: &[(&str, &str)]| {
            newest(invocation, |which| {
                let found = lines.iter().find(|(field, _)| which.first() == Some(field));
                found.map(|(_, text)| (*text).to_owned())
            })
        };
        assert_eq!(said("abc", &[systemds, all, by_unit, ours]).unwrap(), ours.1);
        assert_eq!(said("abc", &[systemds, all, by_unit]).unwrap(), by_unit.1);
        assert_eq!(said("abc", &[systemds, all]).unwrap(), systemds.1);
        assert_eq!(said("", &[systemds, all, by_unit]).unwrap(), by_unit.1);
        assert_eq!(said("", &[systemds, all]).unwrap(), all.1);
        assert_eq!(said("", &[systemds]), None);
    }

    #[test]
    fn only_a_unit_that_failed_for_good_is_given_up() {
        let given_up = |shown: &str| unit(shown, None).is_given_up();
        assert!(given_up("ActiveState=failed\nExecMainStatus=78\n"));
        assert!(given_up("ActiveState=failed\nExecMainStatus=243\n"));
        assert!(!given_up("ActiveState=failed\nExecMainStatus=1\n"));
        assert!(!given_up("ActiveState=activating\nExecMainStatus=78\n"));
        assert!(!given_up("ActiveState=active\nExecMainStatus=78\n"));
    }

    #[test]
    fn night_p5_a_credential_that_does_not_open_is_told_with_what_to_do() {
        let shown = "ActiveState=failed\nSubState=failed\nExecMainStatus=243\nResult=exit-code\n";
        let said = unit(shown, None).refusal().unwrap();
        assert!(
            said.starts_with(
                "systemd cannot open the keys (243): `systemctl restart odoo-spoold` once"
            ),
            "{said}"
        );
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
