//! What systemd says of the daemon's unit, for when the daemon itself says nothing.
//!
//! Promises: asks nothing for longer than [`PATIENCE`]; where there is no systemd, says nothing.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long systemctl may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Interval between checks whether it is done.
const LOOK: Duration = Duration::from_millis(20);
/// What is asked for.
const PROPERTIES: &str = "--property=ActiveState,SubState,NRestarts,ExecMainStatus,StatusText";

/// The state of the unit in a few words.
pub(super) fn look() -> Option<String> {
    let shown = output("systemctl", &["show", "odoo-spoold.service", PROPERTIES])?;
    let last = output(
        "journalctl",
        &[
            "--unit=odoo-spoold",
            "--priority=err",
            "--lines=1",
            "--output=cat",
            "--no-pager",
            "--quiet",
        ],
    );
    words(&shown, last.as_deref().unwrap_or_default())
}

/// The answer of `systemctl show` and the last error in the journal, as people say it.
fn words(shown: &str, last: &str) -> Option<String> {
    let value = |name: &str| {
        let found = shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.filter(|value| !value.is_empty())
    };
    let state = value("ActiveState")?;
    let mut words = match value("SubState").filter(|sub| *sub != state) {
        Some(sub) => format!("{state} ({sub})"),
        None => state.to_owned(),
    };
    if let Some(restarts) = value("NRestarts").filter(|count| *count != "0") {
        let noun = if restarts == "1" { "restart" } else { "restarts" };
        words.push_str(&format!(", {restarts} {noun}"));
    }
    if let Some(code) = value("ExecMainStatus").filter(|code| *code != "0") {
        words.push_str(&format!(", last exit {code}"));
    }
    if let Some(text) = value("StatusText") {
        words.push_str(&format!(", \"{text}\""));
    }
    if let Some(line) = last.lines().next().filter(|line| !line.trim().is_empty()) {
        words.push_str(&format!(", last error: \"{}\"", line.trim()));
    }
    Some(words)
}

/// What a program prints, if it ends well and in time.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let started = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(Some(ended)) => break ended,
            Ok(None) if started.elapsed() < PATIENCE => std::thread::sleep(LOOK),
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
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_told_in_a_few_words() {
        let shown = "NRestarts=24\nExecMainStatus=78\nActiveState=activating\n\
                     SubState=auto-restart\nStatusText=\n";
        assert_eq!(
            words(shown, "store: Permission denied\n").as_deref(),
            Some(
                "activating (auto-restart), 24 restarts, last exit 78, last error: \"store: \
                 Permission denied\""
            )
        );
        let shown = "NRestarts=0\nExecMainStatus=0\nActiveState=active\nSubState=running\n\
                     StatusText=All well\n";
        assert_eq!(words(shown, "").as_deref(), Some("active (running), \"All well\""));
        assert_eq!(words("", ""), None);
    }

    #[test]
    fn what_does_not_end_is_not_waited_for() {
        assert_eq!(output("no-such-program-here", &[]), None);
        assert_eq!(output("sleep", &["1000"]), None);
        assert_eq!(output("echo", &["a"]).as_deref(), Some("a\n"));
    }
}
