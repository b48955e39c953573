//! `dead list`, `dead show`, `dead requeue` and `dead drop`.

use std::process::ExitCode;

use crate::control::wire::{DeadJob, DropRequest, Jobs, Requeue};

use super::ask::{Source, daemon};
use super::output::Output;
use super::problem::Problem;
use super::{Dead, DeadRequeue, DeadVerb, Global, Page, hold, queue};

/// Lists, shows one, or tries again.
pub(super) fn run(global: &Global, args: &Dead, out: &mut Output) -> Result<ExitCode, Problem> {
    if args.verb.is_some() {
        queue::only_without_verb(&args.list)?;
    }
    match &args.verb {
        None => list(global, &args.list, out)?,
        Some(DeadVerb::List(page)) => list(global, page, out)?,
        Some(DeadVerb::Show(order)) => {
            out.answer(&Source::open(global)?.dead_job(order)?, show)?;
        }
        Some(DeadVerb::Requeue(request)) => requeue(global, request, out)?,
        Some(DeadVerb::Drop(which)) => {
            let request = DropRequest {
                account: which.account.clone(),
                order_id: which.order.clone(),
                code: which.code.clone(),
            };
            let moved = daemon(global)?.drop_dead(&request)?;
            out.answer(&moved, |out, moved| hold::orders(out, *moved, "dropped"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(global: &Global, page: &Page, out: &mut Output) -> Result<(), Problem> {
    let jobs = Source::open(global)?.dead(&queue::query(page))?;
    out.answer(&jobs, |out, jobs: &Jobs| queue::table(out, jobs, "nothing is dead"))
}

fn show(out: &mut Output, dead: &DeadJob) -> Result<(), Problem> {
    queue::lines(out, &dead.job)?;
    out.line("")?;
    if dead.words.is_empty() {
        return out.line(
            "What Odoo said is kept as long as the order's buyer, at most 30 days, and is gone. \
             Requeue the order to get the message again.",
        );
    }
    for line in dead.words.lines() {
        out.line(line)?;
    }
    Ok(())
}

fn requeue(global: &Global, args: &DeadRequeue, out: &mut Output) -> Result<(), Problem> {
    let request = Requeue {
        account: args.account.clone(),
        order_id: args.order.clone(),
        code: args.code.clone(),
        all: args.all,
    };
    let moved = daemon(global)?.requeue(&request)?;
    out.answer(&moved, |out, moved| hold::orders(out, *moved, "queued again"))
}
