//! `rebuild`: brings back what was known, after the state was lost.

use std::process::ExitCode;
use std::time::Duration;

use crate::control::wire::{Rebuild, RebuildReport};

use super::ask::daemon;
use super::output::Output;
use super::problem::Problem;
use super::{Global, RebuildArgs};

/// How often the daemon is asked how far it is.
const LOOK: Duration = Duration::from_millis(300);

/// Has the daemon rebuild, and waits for the end. 1 where an account stays closed.
pub(super) fn run(
    global: &Global,
    args: &RebuildArgs,
    out: &mut Output,
) -> Result<ExitCode, Problem> {
    let client = daemon(global)?;
    let request = Rebuild { account: args.account.clone(), dry_run: args.dry_run };
    let mut report = client.rebuild(&request)?;
    let bar = out.progress("rebuilding", None);
    while report.running {
        std::thread::sleep(LOOK);
        report = client.rebuilding()?;
        bar.set_message(format!("{} ({})", report.step, report.done));
        bar.tick();
    }
    bar.finish_and_clear();
    let failed = report.error.is_some();
    out.answer(&report, lines)?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn lines(out: &mut Output, report: &RebuildReport) -> Result<(), Problem> {
    for account in &report.accounts {
        out.line(format!("account {}:", account.account))?;
        out.field("orders of ours in Odoo", account.orders)?;
        out.field("adopted", account.adopted)?;
        out.field("deleted by people", account.deleted)?;
        out.field("kept in the journal", account.kept)?;
        out.field("files read again", account.files)?;
        for file in &account.unreadable {
            out.field("cannot be read any more", format!("file {file}: drop it again"))?;
        }
    }
    match (&report.error, report.dry_run) {
        (Some(error), _) => out.line(format!("stays closed: {error}; mend it, then run it again")),
        (None, true) => {
            out.line("this was a dry run: nothing was stored, the accounts stay closed")
        }
        (None, false) => out.line("the accounts are open again"),
    }
}
