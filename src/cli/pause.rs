//! `pause` and `resume`.

use std::process::ExitCode;

use clap::ArgGroup;

use crate::control::wire::{PauseAnswer, PauseRequest, ResumeRequest};
use crate::model::AccountId;

use super::Global;
use super::ask::daemon;
use super::output::{Output, when};
use super::problem::Problem;

/// `pause`
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("who").required(true).args(["account", "all"])))]
pub struct PauseArgs {
    /// This account
    #[arg(long, short)]
    pub account: Option<AccountId>,
    /// All accounts, also those that are added later
    #[arg(long)]
    pub all: bool,
    /// Take no files in either
    #[arg(long)]
    pub intake: bool,
}

/// `resume`
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("whom").required(true).args(["account", "all"])))]
pub struct ResumeArgs {
    /// This account
    #[arg(long, short)]
    pub account: Option<AccountId>,
    /// All accounts, and each that was paused by itself
    #[arg(long)]
    pub all: bool,
    /// Accept that the account's orders missing from Odoo were deleted on purpose; for a day
    #[arg(long, conflicts_with = "all")]
    pub accept_deleted: bool,
}

/// Pauses; durable when it returns.
pub(super) fn pause(
    global: &Global,
    args: &PauseArgs,
    out: &mut Output,
) -> Result<ExitCode, Problem> {
    let PauseArgs { account, all, intake } = args;
    let request = PauseRequest { account: account.clone(), all: *all, intake: *intake };
    let answer = daemon(global)?.pause(&request)?;
    out.answer(&answer, |out, answer| lines(out, answer, "it was paused already"))?;
    Ok(ExitCode::SUCCESS)
}

/// Resumes; durable when it returns.
pub(super) fn resume(
    global: &Global,
    args: &ResumeArgs,
    out: &mut Output,
) -> Result<ExitCode, Problem> {
    let ResumeArgs { account, all, accept_deleted } = args;
    let request =
        ResumeRequest { account: account.clone(), all: *all, accept_deleted: *accept_deleted };
    let answer = daemon(global)?.resume(&request)?;
    out.answer(&answer, |out, answer| lines(out, answer, "it was not paused"))?;
    Ok(ExitCode::SUCCESS)
}

fn lines(out: &mut Output, answer: &PauseAnswer, already: &str) -> Result<(), Problem> {
    if !answer.changed {
        out.remark(already);
    }
    for paused in &answer.paused {
        let since = when(paused.pause.since);
        let rests = if paused.pause.intake {
            "nothing is taken in or delivered"
        } else {
            "nothing is delivered"
        };
        out.line(format!("{} paused since {since}: {rests}", paused.account))?;
    }
    if answer.paused.is_empty() {
        out.line("no account is paused")?;
    }
    Ok(())
}
