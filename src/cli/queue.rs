//! `queue list` and `queue show`.

use std::process::ExitCode;

use crate::control::wire::{JobDetail, JobInfo, Jobs, JobsQuery};
use crate::model::Released;

use super::ask::Source;
use super::output::{Output, when, when_any};
use super::problem::Problem;
use super::{Global, Page, Queue, QueueList, QueueVerb, map};

/// Lists, or shows one.
pub(super) fn run(global: &Global, args: &Queue, out: &mut Output) -> Result<ExitCode, Problem> {
    if args.verb.is_some() {
        only_without_verb(&args.list)?;
    }
    let source = Source::open(global)?;
    match &args.verb {
        None => list(&source, &args.list, out)?,
        Some(QueueVerb::List(query)) => list(&source, query, out)?,
        Some(QueueVerb::Show(order)) => out.answer(&source.job(order)?, show)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(source: &Source, args: &QueueList, out: &mut Output) -> Result<(), Problem> {
    let query = JobsQuery { state: args.state, code: args.code, ..query(&args.page) };
    out.answer(&source.queue(&query)?, |out, jobs: &Jobs| table(out, jobs, "no orders"))
}

/// The options of a listing belong behind its verb where one is named.
pub(super) fn only_without_verb<T: Default + PartialEq>(list: &T) -> Result<(), Problem> {
    if *list == T::default() {
        return Ok(());
    }
    Err(Problem::usage("options of a listing belong behind `list`"))
}

/// The part of a query that all listings of orders share.
pub(super) fn query(page: &Page) -> JobsQuery {
    JobsQuery {
        account: page.account.clone(),
        limit: page.limit,
        after: page.after.clone(),
        ..JobsQuery::default()
    }
}

/// A page of orders, and how to get the next one.
pub(super) fn table(out: &mut Output, page: &Jobs, none: &str) -> Result<(), Problem> {
    let heads = ["ACCOUNT", "ORDER", "STATE", "SINCE", "NEXT TRY", "FAILED", "WHY"];
    let rows: Vec<_> = page.jobs.iter().map(row).collect();
    out.table(&heads, &rows, none)?;
    if page.unreadable > 0 {
        out.remark(format!(
            "{} stored orders do not open and are not listed; see the journal",
            page.unreadable
        ));
    }
    if let Some(next) = &page.next {
        out.remark(format!("there are more: the same with --after {next}"));
    }
    Ok(())
}

fn row(job: &JobInfo) -> Vec<String> {
    vec![
        job.account.to_string(),
        job.order_id.to_string(),
        job.state.name().to_owned(),
        when(job.since),
        when_any(job.due),
        job.attempt.to_string(),
        why(job),
    ]
}

/// Why a job is where it is, in a few words.
fn why(job: &JobInfo) -> String {
    if let Some(outcome) = job.outcome {
        return outcome.name().to_owned();
    }
    if job.holds.is_empty() {
        return job.fault.clone().unwrap_or_default();
    }
    let holds: Vec<String> = job
        .holds
        .iter()
        .map(|hold| format!("{} {}", hold.code, hold.key).trim_end().to_owned())
        .collect();
    holds.join(", ")
}

/// One job's own lines.
pub(super) fn lines(out: &mut Output, job: &JobInfo) -> Result<(), Problem> {
    out.field("account", &job.account)?;
    out.field("order", &job.order_id)?;
    out.field("state", format!("{}, since {}", job.state.name(), when(job.since)))?;
    out.field("outcome", job.outcome.map(crate::model::Outcome::name).unwrap_or_default())?;
    out.field("next try", when_any(job.due))?;
    out.field("fault", job.fault.as_deref().unwrap_or_default())?;
    if job.attempt > 0 {
        out.field("failed", format!("{} times", job.attempt))?;
    }
    for hold in &job.holds {
        out.field("waits for", hold)?;
        if !(hold.ours.is_empty() && hold.theirs.is_empty()) {
            out.field("compared", format!("{} here, {} there", hold.ours, hold.theirs))?;
        }
    }
    Ok(())
}

/// A decision of a person on a hold, and the two values that it holds for.
fn released(out: &mut Output, released: &Released) -> Result<(), Problem> {
    let Released { code, key, ours, theirs, by, at } = released;
    let what = format!("{code} {key}");
    let values = if ours.is_empty() && theirs.is_empty() {
        String::new()
    } else {
        format!(" for {ours} here and {theirs} there")
    };
    let by = by.map_or_else(String::new, |uid| format!(" by uid {uid}"));
    out.field("released", format!("{}{values}{by}, {}", what.trim_end(), when(*at)))
}

pub(super) fn show(out: &mut Output, detail: &JobDetail) -> Result<(), Problem> {
    lines(out, &detail.job)?;
    for (family, version) in &detail.reports {
        let version = version.map_or_else(|| "no version".to_owned(), when);
        out.field("report", format!("{} ({version})", family.name()))?;
    }
    out.field("last file", &detail.last_file)?;
    for refused in &detail.refused {
        for fault in &refused.faults {
            let place = format!("{} line {} {}", refused.file, fault.line, fault.column);
            out.field("refused", format!("{place}: {} ({})", fault.message, fault.code))?;
        }
    }
    for decision in &detail.released {
        released(out, decision)?;
    }
    for who in &detail.invoiced_by {
        out.field("invoiced by", who)?;
    }
    for entry in &detail.attention {
        out.field("attention", format!("{}: {}", entry.code.name(), entry.text))?;
    }
    if let Some(mapping) = &detail.mapping {
        out.line("")?;
        map::lines(out, mapping)?;
    }
    if let Some(words) = &detail.words {
        out.line("")?;
        out.line("Odoo said:")?;
        for line in words.lines() {
            out.line(line)?;
        }
    }
    Ok(())
}
