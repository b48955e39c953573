//! `status`: one sentence, then numbers.

use std::process::ExitCode;

use jiff::Timestamp;

use crate::clock::{Clock as _, System};
use crate::control::wire::{AccountStatus, GateStatus, Health, Status};
use crate::control::{View, headline};

use super::Global;
use super::ask::Source;
use super::output::{Output, size, when, when_any};
use super::problem::{EXIT_FAILED, Problem};

/// Says how it stands; a fault is a failure.
pub(super) fn run(global: &Global, out: &mut Output) -> Result<ExitCode, Problem> {
    let status = match Source::open(global) {
        Ok(source) => source.status()?,
        Err(problem) if problem.is("not-running") => stopped(&problem, System.now()),
        Err(problem) => return Err(problem),
    };
    out.answer(&status, print)?;
    Ok(match status.health {
        Health::Well | Health::Attention => ExitCode::SUCCESS,
        Health::Fault => ExitCode::from(EXIT_FAILED),
    })
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
    for notice in &status.notices {
        out.field("notice", notice)?;
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
