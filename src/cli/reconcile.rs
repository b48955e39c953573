//! `reconcile`: after a restored, moved or copied Odoo.

use std::process::ExitCode;
use std::time::Duration;

use crate::control::wire::{Reconcile as Request, ReconcileReport};

use super::ask::daemon;
use super::output::{Output, when};
use super::problem::Problem;
use super::{Global, Reconcile};

/// How often the spinner turns.
const SPIN_MILLIS: u64 = 120;

/// Reconciles, or says what it would do.
pub(super) fn run(
    global: &Global,
    args: &Reconcile,
    out: &mut Output,
) -> Result<ExitCode, Problem> {
    let client = daemon(global)?;
    let request =
        Request { account: args.account.clone(), since: args.since, dry_run: args.dry_run };
    let spinner = out.progress("looking for orders in Odoo", None);
    spinner.enable_steady_tick(Duration::from_millis(SPIN_MILLIS));
    let answered = client.reconcile(&request);
    spinner.finish_and_clear();
    out.answer(&answered?, print)?;
    Ok(ExitCode::SUCCESS)
}

fn print(out: &mut Output, report: &ReconcileReport) -> Result<(), Problem> {
    match &report.doubt {
        None => out.line("nothing stands against this Odoo: the marker is as it must be")?,
        Some(code) => out.line(format!("{code}: {}", report.words))?,
    }
    if report.doubt.as_deref() == Some("odoo-other-database") && report.checked == 0 {
        out.line("the marker in it is right: it only moved, and no order has to be looked for")?;
    }
    if let Some(since) = report.since {
        out.line(format!("orders we created since {} are looked for", when(since)))?;
    }
    let again = if report.dry_run { "would be created again" } else { "are created again" };
    let rows = [
        (report.checked, "orders were looked for in Odoo"),
        (report.present, "are there as they are known"),
        (report.moved, "are there under another id"),
        (report.older, "are there as they were before our last change, which is made again"),
        (report.missing, again),
        (report.stay_deleted, "are gone and stay deleted: they were there before that time"),
        (report.came_back, "were deleted by a person and are there again: delete them again"),
        (report.adopted_missing, "were made by others, and are gone: left alone"),
        (report.busy, "are on their way just now: left alone"),
        (report.buyers, "of them wait for their buyer, from their sealed file"),
        (report.files, "files of done/ are read again for that"),
        (report.files_missing, "files are needed for that and gone from done/: drop them again"),
    ];
    for (at, (count, what)) in rows.into_iter().enumerate() {
        if count > 0 || at == 0 {
            out.line(format!("{count:>8} {what}"))?;
        }
    }
    if report.dry_run {
        out.line("nothing was changed; without --dry-run the account goes on")
    } else {
        out.line(format!("account {} goes on with this Odoo", report.account))
    }
}
