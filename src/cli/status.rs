//! `status`: one sentence, then numbers.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::{Clock as _, System};
use crate::control::wire::{AccountStatus, GateStatus, Health, Status};
use crate::control::{View, headline};

use super::Global;
use super::ask::Source;
use super::output::{Output, size, when, when_any};
use super::problem::{EXIT_FAILED, Problem};
use super::unit;

/// `status`
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Args {
    /// One line and an exit code for monitoring: 0 well, 1 something to look at, 2 a fault, 3 unknown
    #[arg(long)]
    pub check: bool,
    /// Seconds to wait for the daemon
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,
}

/// What monitoring knows as warning, critical, and unknown.
const CHECK_EXITS: [u8; 3] = [1, 2, 3];

/// Says how it stands; a fault is a failure.
pub(super) fn run(global: &Global, args: &Args, out: &mut Output) -> Result<ExitCode, Problem> {
    let asked = ask(global, Duration::from_secs(args.timeout));
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

/// The status, however little is known of it.
fn ask(global: &Global, patience: Duration) -> Result<Status, Problem> {
    let answer = Source::open_within(global, patience).and_then(|source| source.status());
    match answer {
        Err(problem) if problem.is("not-running") => Ok(stopped(&problem, System.now())),
        Err(problem) if problem.is("control-broken") => {
            // Only the system's own daemon has the system's unit.
            let ours = global.config() == Path::new(super::DEFAULT_CONFIG);
            let unit = ours.then(unit::look).flatten();
            Ok(silent(&problem, unit.as_deref(), patience, System.now()))
        }
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
        ("files_in_work", sum(|account| account.files_in_work)),
        ("files_rejected", u64::try_from(status.rejected.len()).unwrap_or(u64::MAX)),
    ];
    let numbers: Vec<String> =
        counted.iter().map(|(name, count)| format!("{name}={count}")).collect();
    // What stands behind the bar are numbers for a graph.
    let headline = one_line(&status.headline).replace('|', "/");
    out.line(format_args!("ODOO-SPOOLD {word} - {headline} | {}", numbers.join(" ")))?;
    out.finish()?;
    Ok(code)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What can be said when the daemon does not answer, and perhaps what systemd says of it.
fn silent(why: &Problem, unit: Option<&str>, patience: Duration, now: Timestamp) -> Status {
    let seconds = patience.as_secs();
    let said = unit.map(|said| format!("; systemd says: {said}")).unwrap_or_default();
    let headline = format!(
        "Fault: the daemon does not answer within {seconds} s{said}; `journalctl -u odoo-spoold -n 20`"
    );
    Status { headline, ..stopped(why, now) }
}

/// What can be said when there is neither daemon nor store.
fn stopped(why: &Problem, now: Timestamp) -> Status {
    let view = View { running: false, accounts: &[], rejected: &[], notices: &[], now };
    let (health, headline) = headline(&view);
    Status {
        health,
        headline,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        running: false,
        started_at: None,
        now,
        accounts: Vec::new(),
        rejected: Vec::new(),
        notices: vec![why.message().to_owned()],
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
        None => out.field("daemon", "not running")?,
    }
    if let Some(store) = &status.store {
        let days = match store.oldest_day {
            Some(day) => format!(", buyers' data of {} days, from {day}", store.day_keys),
            None => String::new(),
        };
        let disk = size(store.disk_bytes);
        out.field("store", format!("{} orders, {disk} on disk{days}", store.orders))?;
    }
    if let Some(ends) = status.keys.as_ref().and_then(|keys| keys.api_key_ends) {
        out.field("API key", format!("ends {}", when(ends)))?;
    }
    for notice in &status.notices {
        out.field("notice", notice)?;
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
        let heads =
            ["ACCOUNT", "ODOO", "PENDING", "STARTED", "HELD", "DEAD", "DONE", "FILES", "NEXT DUE"];
        let rows: Vec<_> = status.accounts.iter().map(row).collect();
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

fn row(account: &AccountStatus) -> Vec<String> {
    let gate = match &account.gate {
        _ if !account.enabled => "off".to_owned(),
        _ if account.paused.is_some() => "paused".to_owned(),
        GateStatus::Open => "open".to_owned(),
        GateStatus::OdooUnreachable(closed) => format!("unreachable ({})", closed.code),
        GateStatus::Paused(closed) => format!("paused ({})", closed.code),
        GateStatus::Unknown => "?".to_owned(),
    };
    let orders = account.orders;
    vec![
        account.account.to_string(),
        gate,
        orders.pending.to_string(),
        orders.started.to_string(),
        orders.held.to_string(),
        orders.dead.to_string(),
        orders.done.to_string(),
        account.files_in_work.to_string(),
        when_any(account.next_due),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn night_p2_a_silent_daemon_is_told_with_what_systemd_says() {
        let why = Problem::new("control-broken", "asking the daemon failed: timed out");
        let said = "activating (auto-restart), 24 restarts, last exit 78";
        let status = silent(&why, Some(said), Duration::from_secs(5), Timestamp::UNIX_EPOCH);
        assert_eq!(status.health, Health::Fault);
        assert_eq!(
            status.headline,
            format!(
                "Fault: the daemon does not answer within 5 s; systemd says: {said}; `journalctl -u \
                 odoo-spoold -n 20`"
            )
        );
        assert_eq!(status.notices, ["asking the daemon failed: timed out"]);
    }
}
