//! `hold list`, `hold show`, `hold release`, and who is right in a conflict.

use std::process::ExitCode;

use crate::control::wire::{Decide, Held, HoldGroup, JobsQuery, Moved, Release};
use crate::model::Accept;

use super::ask::{Source, daemon};
use super::output::Output;
use super::problem::Problem;
use super::{Global, Hold, HoldDecide, HoldList, HoldRelease, HoldVerb, queue};

/// Distinct things that a line names.
const SHOWN_KEYS: usize = 5;

/// Lists, shows one, or releases.
pub(super) fn run(global: &Global, args: &Hold, out: &mut Output) -> Result<ExitCode, Problem> {
    if args.verb.is_some() {
        queue::only_without_verb(&args.list)?;
    }
    match &args.verb {
        None => list(global, &args.list, out)?,
        Some(HoldVerb::List(query)) => list(global, query, out)?,
        Some(HoldVerb::Show(order)) => {
            let detail = Source::open(global)?.job(order)?;
            out.answer(&detail, queue::show)?;
            if detail.job.holds.is_empty() {
                out.remark("it is not held");
            }
        }
        Some(HoldVerb::Release(request)) => release(global, request, out)?,
        Some(HoldVerb::AcceptOdoo(which)) => decide(global, which, Accept::Odoo, out)?,
        Some(HoldVerb::AcceptMarketplace(which)) => {
            decide(global, which, Accept::Marketplace, out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(global: &Global, args: &HoldList, out: &mut Output) -> Result<(), Problem> {
    let query = JobsQuery { code: args.code, ..queue::query(&args.page) };
    let with_orders = args.code.is_some() || args.page.after.is_some();
    out.answer(&Source::open(global)?.held(&query)?, |out, held: &Held| {
        let rows: Vec<_> = held.groups.iter().map(row).collect();
        out.table(
            &["ACCOUNT", "HELD FOR", "ORDERS", "ENDED BY", "WHICH"],
            &rows,
            "nothing is held",
        )?;
        if with_orders && !held.page.jobs.is_empty() {
            out.line("")?;
            queue::table(out, &held.page, "")?;
        }
        Ok(())
    })
}

fn row(group: &HoldGroup) -> Vec<String> {
    let ended_by = match group.ended_by.as_str() {
        "file" => "a later file",
        "odoo" => "a change in Odoo or config.toml",
        "person" => "a decision of yours",
        other => other,
    };
    let mut keys: Vec<&str> =
        group.keys.iter().map(String::as_str).filter(|key| !key.is_empty()).collect();
    let more = group.more || keys.len() > SHOWN_KEYS;
    keys.truncate(SHOWN_KEYS);
    if more {
        keys.push("…");
    }
    vec![
        group.account.to_string(),
        group.code.to_string(),
        group.orders.to_string(),
        ended_by.to_owned(),
        keys.join(", "),
    ]
}

fn release(global: &Global, args: &HoldRelease, out: &mut Output) -> Result<(), Problem> {
    let request = Release {
        account: args.account.clone(),
        order_id: args.order.clone(),
        code: args.code,
        key: args.key.clone(),
    };
    out.answer(&daemon(global)?.release(&request)?, |out, moved| orders(out, *moved, "released"))
}

fn decide(
    global: &Global,
    args: &HoldDecide,
    accept: Accept,
    out: &mut Output,
) -> Result<(), Problem> {
    let request = Decide {
        account: args.account.clone(),
        order_id: args.order.clone(),
        all: args.all,
        accept,
    };
    out.answer(&daemon(global)?.decide(&request)?, |out, moved| orders(out, *moved, "decided"))
}

/// How many orders were moved.
pub(super) fn orders(out: &mut Output, moved: Moved, done: &str) -> Result<(), Problem> {
    let noun = if moved.orders == 1 { "order" } else { "orders" };
    out.line(format!("{} {noun} {done}", moved.orders))
}
