//! `process`: hands a file to the daemon, or asks what it would do.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::control::ProcessSource;
use crate::control::wire::{MAX_DOCUMENT_BYTES, ProcessReport, Would};
use crate::envelope::MAX_SIDECAR_BYTES;
use crate::model::Family;

use super::ask::daemon;
use super::files::print_outcome;
use super::output::Output;
use super::problem::{EXIT_FAILED, Problem};
use super::{Global, Process, sample};

/// How often the spinner turns.
const SPIN_MILLIS: u64 = 120;

/// Hands it over; a file that is refused is a failure.
pub(super) fn run(global: &Global, args: &Process, out: &mut Output) -> Result<ExitCode, Problem> {
    let client = daemon(global)?;
    let source = match &args.file {
        Some(file) => ProcessSource {
            bytes: read(file, MAX_DOCUMENT_BYTES)?.ok_or_else(|| missing(file))?,
            name: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            sidecar: match &args.sidecar {
                Some(path) => Some(read(path, MAX_SIDECAR_BYTES)?.ok_or_else(|| missing(path))?),
                None => read(&beside(file), MAX_SIDECAR_BYTES)?,
            },
        },
        None => sample::sealed(global, &args.account, &args.sku)?,
    };
    let spinner = out.progress("processing", None);
    spinner.enable_steady_tick(Duration::from_millis(SPIN_MILLIS));
    let answered = client.process(&args.account, source, args.dry_run || args.sample);
    spinner.finish_and_clear();
    let report = answered?;
    out.answer(&report, print)?;
    Ok(if report.refusal.is_some() { ExitCode::from(EXIT_FAILED) } else { ExitCode::SUCCESS })
}

/// Where the spool looks for a document's JSON.
fn beside(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(".json");
    PathBuf::from(path)
}

fn missing(path: &Path) -> Problem {
    Problem::new("file", "there is no such file").at(path)
}

/// A whole file; none where there is none.
fn read(path: &Path, limit: usize) -> Result<Option<Zeroizing<Vec<u8>>>, Problem> {
    let failed = |error: &std::io::Error| Problem::file("reading it", path, error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    // Of the full size at once: a buffer that grows leaves copies of what may be clear text or keys.
    let size = file.metadata().map_err(|error| failed(&error))?.len();
    let size = usize::try_from(size).unwrap_or(usize::MAX).min(limit).saturating_add(2);
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() > limit {
        return Err(Problem::new("document-too-large", format!("it is larger than {limit} bytes"))
            .at(path)
            .next("put it into the account's incoming/ folder"));
    }
    Ok(Some(bytes))
}

fn print(out: &mut Output, report: &ProcessReport) -> Result<(), Problem> {
    if let Some(id) = &report.id {
        out.field("file", id)?;
    }
    out.field("account", &report.account)?;
    out.field("envelope", &report.envelope)?;
    out.field("report", report.family.map(Family::name).unwrap_or_default())?;
    print_outcome(out, report.counts, report.refusal.as_ref())?;
    match &report.would {
        Some(would) => print_would(out, would),
        None => Ok(()),
    }
}

fn print_would(out: &mut Output, would: &Would) -> Result<(), Problem> {
    out.line("")?;
    let mut rows: Vec<Vec<String>> = [
        ("create orders", would.create),
        ("confirm orders", would.confirm),
        ("make pickings", would.pickings),
        ("cancel orders", would.cancelled),
        ("leave unchanged", would.unchanged),
        ("not import (before import_from)", would.before_import_from),
    ]
    .into_iter()
    .map(|(what, count)| vec![what.to_owned(), count.to_string()])
    .collect();
    rows.extend(
        would.hold.iter().map(|(code, count)| vec![format!("hold ({code})"), count.to_string()]),
    );
    out.table(&["WOULD", "COUNT"], &rows, "")?;
    if would.examples.is_empty() {
        return Ok(());
    }
    out.line("")?;
    let rows: Vec<_> = would
        .examples
        .iter()
        .map(|example| vec![example.order_id.to_string(), example.would.clone()])
        .collect();
    out.table(&["FOR EXAMPLE", "WOULD"], &rows, "")
}
