//! `files list` and `files show`.

use std::process::ExitCode;

use crate::control::wire::{File, FileDetail, Files, FilesQuery};
use crate::model::{Counts, Family, Refusal};

use super::ask::Source;
use super::output::{Output, size, when};
use super::problem::Problem;
use super::{FilesList, FilesVerb, Global};

/// Lists, or shows one.
pub(super) fn run(
    global: &Global,
    args: &super::Files,
    out: &mut Output,
) -> Result<ExitCode, Problem> {
    let source = Source::open(global)?;
    if args.verb.is_some() {
        super::queue::only_without_verb(&args.list)?;
    }
    match &args.verb {
        None => list(&source, &args.list, out)?,
        Some(FilesVerb::List(query)) => list(&source, query, out)?,
        Some(FilesVerb::Show { id }) => out.answer(&source.file(id)?, show)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(source: &Source, args: &FilesList, out: &mut Output) -> Result<(), Problem> {
    let query = FilesQuery { account: args.account.clone(), state: args.state, limit: args.limit };
    let heads = [
        "FILE", "ACCOUNT", "STATE", "CLAIMED", "REPORT", "ORDERS", "NEW", "CHANGED", "REFUSED",
        "NOTICES", "NAME", "WHY",
    ];
    out.answer(&source.files(&query)?, |out, files: &Files| {
        let rows: Vec<_> = files.files.iter().map(row).collect();
        out.table(&heads, &rows, "no files")
    })
}

fn row(file: &File) -> Vec<String> {
    vec![
        file.id.to_string(),
        file.account.to_string(),
        file.state.name().to_owned(),
        when(file.claimed_at),
        file.family.map(Family::name).unwrap_or_default().to_owned(),
        file.counts.orders.to_string(),
        file.counts.new.to_string(),
        file.counts.changed.to_string(),
        file.counts.refused.to_string(),
        file.notices.to_string(),
        file.name.clone().unwrap_or_default(),
        file.refusal
            .as_ref()
            .map(|refusal| refusal.code.clone())
            .or_else(|| file.wait.as_ref().map(|wait| format!("waits until {}", when(wait.next))))
            .unwrap_or_default(),
    ]
}

fn show(out: &mut Output, detail: &FileDetail) -> Result<(), Problem> {
    let file = &detail.file;
    out.field("file", &file.id)?;
    out.field("account", &file.account)?;
    out.field("name", file.name.as_deref().unwrap_or("(not shown: it may name a person)"))?;
    out.field("state", format!("{}, since {}", file.state.name(), when(file.since)))?;
    out.field("claimed", when(file.claimed_at))?;
    out.field("size", size(file.bytes))?;
    out.field("sha256", &file.sha256)?;
    out.field("envelope", &file.envelope)?;
    out.field("report", file.family.map(Family::name).unwrap_or_default())?;
    out.field("charset", &file.charset)?;
    let said = &file.described;
    for (name, value) in [
        ("sidecar says", said.report_type.clone()),
        ("document id", said.document_id.clone()),
        ("data of", said.data_time.map(when)),
        ("compression", said.compression.clone()),
        ("marketplace", said.marketplace.clone()),
    ] {
        if let Some(value) = value {
            out.field(name, value)?;
        }
    }
    if let Some(wait) = &file.wait {
        out.field("waits", format!("{} (tried {} times)", wait.why, wait.tries))?;
        out.field("next try", when(wait.next))?;
    }
    print_outcome(out, file.counts, file.refusal.as_ref())?;
    if !detail.faults.is_empty() {
        out.line("")?;
        let rows: Vec<_> = detail
            .faults
            .iter()
            .map(|fault| {
                vec![
                    fault.line.to_string(),
                    fault.column.clone(),
                    fault.code.clone(),
                    fault.message.clone(),
                ]
            })
            .collect();
        out.table(&["LINE", "COLUMN", "REFUSED", "WHY"], &rows, "")?;
    }
    if !detail.notices.is_empty() {
        out.line("")?;
        let open = |code: &str| detail.attention.iter().any(|entry| entry.key == code);
        let rows: Vec<_> = detail
            .notices
            .iter()
            .map(|notice| {
                let look = if open(&notice.code) { "look at it" } else { "" };
                vec![notice.code.clone(), notice.text.clone(), look.to_owned()]
            })
            .collect();
        out.table(&["NOTICE", "WHAT", ""], &rows, "")?;
    }
    orders(out, detail)
}

fn orders(out: &mut Output, detail: &FileDetail) -> Result<(), Problem> {
    if !detail.orders.is_empty() {
        out.line("")?;
        let rows: Vec<_> = detail
            .orders
            .iter()
            .map(|(state, orders)| vec![state.clone(), orders.to_string()])
            .collect();
        out.table(&["STATE NOW", "ORDERS"], &rows, "")?;
    }
    let held: Vec<Vec<String>> = detail
        .held
        .iter()
        .flat_map(|(code, held)| {
            held.keys
                .iter()
                .map(|(key, orders)| vec![code.to_string(), key.clone(), orders.to_string()])
                .chain(held.more.then(|| vec![code.to_string(), "…".to_owned(), String::new()]))
        })
        .collect();
    if !held.is_empty() {
        out.line("")?;
        out.table(&["HELD FOR", "WHICH", "ORDERS"], &held, "")?;
    }
    if !detail.first.is_empty() {
        out.line("")?;
        let rows: Vec<_> = detail
            .first
            .iter()
            .map(|order| {
                let holds: Vec<String> = order.holds.iter().map(ToString::to_string).collect();
                vec![order.order_id.to_string(), order.state.clone(), holds.join("; ")]
            })
            .collect();
        out.table(&["ORDER", "STATE", "WAITS FOR"], &rows, "")?;
    }
    Ok(())
}

/// What came of a file's rows, and why it was rejected.
pub(super) fn print_outcome(
    out: &mut Output,
    counts: Counts,
    refusal: Option<&Refusal>,
) -> Result<(), Problem> {
    out.field("rows", format!("{}, {} refused", counts.rows, counts.refused))?;
    out.field(
        "orders",
        format!(
            "{}: {} new, {} changed, {} unchanged, {} older, {} before import_from",
            counts.orders,
            counts.new,
            counts.changed,
            counts.unchanged,
            counts.older,
            counts.before_import_from
        ),
    )?;
    let Some(refusal) = refusal else { return Ok(()) };
    out.line("")?;
    out.field("rejected", format!("{} ({})", refusal.sentence, refusal.code))?;
    out.field("line", refusal.line.map(|line| line.to_string()).unwrap_or_default())?;
    out.field("column", refusal.column.as_deref().unwrap_or_default())?;
    out.field("next", &refusal.next_step)
}
