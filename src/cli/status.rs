//! `status`: one sentence, then numbers.

use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::{Clock as _, System};
use crate::control::client::Patience;
use crate::control::wire::{AccountStatus, Concern, ConcernKind, GateStatus, Health, Status};
use crate::control::{age, beside, grouped, in_brief};
use crate::model::counted;

use super::Global;
use super::ask::Source;
use super::output::{Output, size, when, when_any};
use super::problem::{EXIT_FAILED, Problem};
use super::unit::{self, Unit};

/// `status`
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Args {
    /// One line and an exit code for monitoring: 0 well, 1 something to look at, 2 a fault, 3 unknown
    #[arg(long)]
    pub check: bool,
}

/// What monitoring knows as warning, critical, and unknown.
const CHECK_EXITS: [u8; 3] = [1, 2, 3];
/// Longest sentence for monitoring, in bytes.
const CHECK_BYTES: usize = 400;
/// How long everything may take, unless told.
const PATIENCE: Duration = Duration::from_secs(5);

/// Says how it stands; a fault is a failure.
pub(super) fn run(global: &Global, args: &Args, out: &mut Output) -> Result<ExitCode, Problem> {
    let asked = ask(global, global.timeout.map_or(PATIENCE, Duration::from_secs));
    if args.check {
        return check(asked, out);
    }
    let status = asked?;
    out.answer(&status, print)?;
    Ok(match status.health {
        Health::Well | Health::Attention => ExitCode::SUCCESS,
        Health::Fault => ExitCode::from(EXIT_FAILED),
    })
}

/// The status, however little is known of it, within so long.
fn ask(global: &Global, patience: Duration) -> Result<Status, Problem> {
    // What systemd says of it is part of the answer, and of the time.
    let for_unit = unit::PATIENCE.min(patience / 3);
    let for_daemon = Patience::of(patience.saturating_sub(for_unit));
    let answer = Source::open_within(global, for_daemon).and_then(|source| source.status());
    // Only the system's own daemon has the system's unit.
    let unit = || global.is_systems().then(|| unit::look(for_unit)).flatten();
    match answer {
        Err(problem) if problem.is("not-running") => {
            Ok(silent(stopped(&problem, System.now()), unit().as_ref(), false))
        }
        Err(problem) if problem.is("control-broken") => {
            Ok(silent(stopped(&problem, System.now()), unit().as_ref(), true))
        }
        Ok(status) if !status.running => Ok(silent(status, unit().as_ref(), false)),
        // The settings or the keys are wrong, and the daemon ended with that: a fault, not a question
        // that has no answer.
        Err(problem) => match unit() {
            Some(unit) if unit.refusal().is_some() => {
                Ok(silent(stopped(&problem, System.now()), Some(&unit), false))
            }
            _ => Err(problem),
        },
        answer => answer,
    }
}

/// One line as monitoring plugins print it, and their exit code.
fn check(asked: Result<Status, Problem>, out: &mut Output) -> Result<ExitCode, Problem> {
    let [warning, critical, unknown] = CHECK_EXITS;
    let status = match asked {
        Ok(status) => status,
        Err(problem) => {
            out.line(format_args!("ODOO-SPOOLD UNKNOWN - {}", one_line(problem.message())))?;
            out.finish()?;
            return Ok(ExitCode::from(unknown));
        }
    };
    let (word, code) = match status.health {
        Health::Well => ("OK", ExitCode::SUCCESS),
        Health::Attention => ("WARNING", ExitCode::from(warning)),
        Health::Fault => ("CRITICAL", ExitCode::from(critical)),
    };
    let sum = |count: fn(&AccountStatus) -> u64| status.accounts.iter().map(count).sum::<u64>();
    let counted = [
        ("pending", sum(|account| account.orders.pending)),
        ("held", sum(|account| account.orders.held)),
        ("dead", sum(|account| account.orders.dead)),
        ("files_waiting", sum(|account| account.files_waiting.unwrap_or_default())),
        ("files_in_work", sum(|account| account.files_in_work)),
        ("files_rejected", u64::try_from(status.rejected.len()).unwrap_or(u64::MAX)),
    ];
    let numbers: Vec<String> =
        counted.iter().map(|(name, count)| format!("{name}={count}")).collect();
    // What stands behind the bar are numbers for a graph.
    let headline = in_brief(&one_line(&status.headline), &status.concerns, CHECK_BYTES);
    let headline = headline.replace('|', "/");
    out.line(format_args!("ODOO-SPOOLD {word} - {headline} | {}", numbers.join(" ")))?;
    out.finish()?;
    Ok(code)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The status of a daemon that does not answer, or does not run, with what systemd says of it.
fn silent(status: Status, unit: Option<&Unit>, listens: bool) -> Status {
    let journal = "`journalctl -u odoo-spoold -n 20`";
    let text = match (unit.and_then(Unit::refusal), listens) {
        (Some(refusal), _) => format!("{refusal}; {journal}"),
        (None, true) => {
            let said = unit.map(|unit| format!("; systemd says: {}", unit.words()));
            format!("the daemon does not answer{}; {journal}", said.unwrap_or_default())
        }
        (None, false) => return status,
    };
    let mut concerns = status.concerns;
    concerns.retain(|concern| concern.kind != ConcernKind::Daemon);
    concerns.insert(0, Concern::fault(ConcernKind::Daemon, 1, text.clone()));
    Status { health: Health::Fault, headline: format!("Fault: {text}"), concerns, ..status }
}

/// What can be said when there is neither daemon nor store.
fn stopped(why: &Problem, now: Timestamp) -> Status {
    let text = "the daemon is not running; `systemctl start odoo-spoold`";
    Status {
        health: Health::Fault,
        headline: format!("Fault: {text}"),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        running: false,
        started_at: None,
        now,
        accounts: Vec::new(),
        rejected: Vec::new(),
        notices: vec![why.message().to_owned()],
        concerns: vec![Concern::fault(ConcernKind::Daemon, 1, text)],
        keys: None,
        store: None,
    }
}

fn print(out: &mut Output, status: &Status) -> Result<(), Problem> {
    out.line(&status.headline)?;
    if out.quiet() {
        return Ok(());
    }
    out.line("")?;
    match status.started_at {
        Some(at) => out.field("daemon", format!("{}, since {}", status.version, when(at)))?,
        // The headline says why.
        None if status.concerns.first().is_some_and(|first| first.kind == ConcernKind::Daemon) => {}
        None => out.field("daemon", "not running")?,
    }
    if let Some(store) = &status.store {
        let days = match store.oldest_day {
            Some(day) => {
                format!(", buyers' data of {}, from {day}", counted(store.day_keys, "day"))
            }
            None => String::new(),
        };
        let disk = size(store.disk_bytes);
        out.field("store", format!("{}, {disk} on disk{days}", counted(store.orders, "order")))?;
    }
    if let Some(ends) = status.keys.as_ref().and_then(|keys| keys.api_key_ends) {
        out.field("API key", format!("ends {}", when(ends)))?;
    }
    out.field("counts", beside(&status.concerns))?;
    // The first one is the headline.
    let others = status.concerns.iter().skip(1).map(|concern| &concern.text);
    let told = |notice: &&String| !status.concerns.iter().any(|concern| concern.text == **notice);
    for text in others.chain(status.notices.iter().filter(told)) {
        out.field("notice", text)?;
    }
    for account in status.accounts.iter().filter(|account| account.noticed_files > 0) {
        let (id, files) = (&account.account, account.noticed_files);
        let noun = if files == 1 { "file has" } else { "files have" };
        let text = format!(
            "{files} {noun} notices (account {id}): `odoo-spoold files list`, `files show FILE`"
        );
        out.field("files", text)?;
    }
    if !status.accounts.is_empty() {
        out.line("")?;
        let heads = [
            "ACCOUNT", "ODOO", "WAITING", "IN WORK", "PENDING", "STARTED", "HELD", "DEAD", "DONE",
            "NEXT DUE",
        ];
        let rows: Vec<_> = status.accounts.iter().map(|account| row(account, status.now)).collect();
        out.table(&heads, &rows, "")?;
    }
    let held: Vec<Vec<String>> = status
        .accounts
        .iter()
        .flat_map(|account| {
            account.holds.iter().map(|(code, orders)| {
                vec![account.account.to_string(), code.to_string(), orders.to_string()]
            })
        })
        .collect();
    if !held.is_empty() {
        out.line("")?;
        out.table(&["ACCOUNT", "HELD FOR", "ORDERS"], &held, "")?;
    }
    if !status.rejected.is_empty() {
        out.line("")?;
        let rows: Vec<_> = status
            .rejected
            .iter()
            .map(|file| {
                vec![
                    file.account.to_string(),
                    file.id.to_string(),
                    when(file.since),
                    file.code.clone(),
                ]
            })
            .collect();
        out.table(&["ACCOUNT", "REJECTED", "WHEN", "WHY"], &rows, "")?;
    }
    Ok(())
}

fn row(account: &AccountStatus, now: Timestamp) -> Vec<String> {
    let gate = match &account.gate {
        _ if !account.enabled => "off".to_owned(),
        _ if account.paused.is_some() => "paused".to_owned(),
        GateStatus::Open => "open".to_owned(),
        GateStatus::OdooUnreachable(closed) if closed.code == "unreachable" => closed.code.clone(),
        GateStatus::OdooUnreachable(closed) => format!("unreachable ({})", closed.code),
        GateStatus::Paused(closed) => format!("paused ({})", closed.code),
        GateStatus::Unknown => "?".to_owned(),
    };
    let waiting = match (account.files_waiting, account.waiting_since) {
        (None, _) => "?".to_owned(),
        (Some(files), Some(since)) if files > 0 => {
            format!("{} ({})", grouped(files), age(now, since))
        }
        (Some(files), _) => grouped(files),
    };
    let orders = account.orders;
    vec![
        account.account.to_string(),
        gate,
        waiting,
        account.files_in_work.to_string(),
        orders.pending.to_string(),
        orders.started.to_string(),
        orders.held.to_string(),
        orders.dead.to_string(),
        orders.done.to_string(),
        when_any(account.next_due),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn night_p2_a_silent_daemon_is_told_with_what_systemd_says() {
        let why = Problem::new("control-broken", "asking the daemon failed: timed out");
        let stopped = || stopped(&why, Timestamp::UNIX_EPOCH);
        let shown =
            "ActiveState=activating\nSubState=auto-restart\nNRestarts=24\nExecMainStatus=1\n";
        let looping = unit::tests::unit(shown, Some("store: Permission denied"));
        let status = silent(stopped(), Some(&looping), true);
        assert_eq!(status.health, Health::Fault);
        assert_eq!(
            status.headline,
            "Fault: the daemon does not answer; systemd says: activating (auto-restart), 24 restarts, \
             last exit 1, last: \"store: Permission denied\"; `journalctl -u odoo-spoold -n 20`"
        );
        assert_eq!(status.notices, ["asking the daemon failed: timed out"]);
        assert_eq!(status.concerns.len(), 1);
        let shown = "ActiveState=failed\nExecMainStatus=78\n";
        let refusing = unit::tests::unit(shown, Some("keys: no such file"));
        for listens in [true, false] {
            assert_eq!(
                silent(stopped(), Some(&refusing), listens).headline,
                "Fault: the daemon does not start (78): keys: no such file; `journalctl -u \
                 odoo-spoold -n 20`"
            );
        }
        assert!(silent(stopped(), Some(&looping), false).headline.contains("is not running"));
    }
}
