//! `reload`: what the unit's `ExecReload=` runs.

use std::process::ExitCode;

use crate::control::wire::Reloaded;

use super::Global;
use super::ask::daemon;
use super::output::Output;
use super::problem::Problem;

/// Waits until the new settings are in force, or says why they are refused.
pub(super) fn run(global: &Global, out: &mut Output) -> Result<ExitCode, Problem> {
    out.answer(&daemon(global)?.reload()?, |out, reloaded: &Reloaded| {
        if reloaded.changes.is_empty() {
            return out.line("nothing changed");
        }
        for change in &reloaded.changes {
            out.line(change)?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
