//! `seal`: encrypts files to age, as they belong into `incoming/`.
//!
//! Promises: a sealed file appears whole or not at all and never replaces another, so that it can
//! be written straight into a spool folder; its mode lets the spool's group read it, whatever the
//! umask: it is ciphertext.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use crate::envelope::{self, SNIFF_BYTES, Sniff, sniff};

use super::atomic::{Atomic, Existing};
use super::output::{Output, size};
use super::problem::Problem;
use super::{Global, Seal, recipient};

/// A sealed file's mode.
const SEALED_MODE: u32 = 0o640;

/// What was done.
#[derive(Debug, Serialize)]
struct Sealed {
    files: Vec<SealedFile>,
}

/// One file.
#[derive(Debug, Serialize)]
struct SealedFile {
    input: PathBuf,
    output: PathBuf,
    bytes: u64,
}

/// Seals one file after the other; the first that fails ends it.
pub(super) fn run(global: &Global, args: &Seal, out: &mut Output) -> Result<ExitCode, Problem> {
    let recipients = match &args.account {
        Some(account) => vec![recipient::newest(global, account)?],
        None => args.recipient.clone(),
    };
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    // Said before anything is read.
    drop(envelope::seal(io::sink(), &recipients, args.armor)?);
    let targets = targets(args)?;
    let mut sealed = Sealed { files: Vec::new() };
    for (input, output) in targets {
        let bytes = seal(&input, &output, &recipients, args.armor, out)?;
        sealed.files.push(SealedFile { input, output, bytes });
    }
    if is_dash(args.output.as_deref()) {
        return Ok(ExitCode::SUCCESS);
    }
    out.answer(&sealed, |out, sealed| {
        if out.quiet() {
            return Ok(());
        }
        for file in &sealed.files {
            out.line(format!("{} ({} sealed)", file.output.display(), size(file.bytes)))?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Where each file goes.
fn targets(args: &Seal) -> Result<Vec<(PathBuf, PathBuf)>, Problem> {
    let named = |input: &Path| -> Result<PathBuf, Problem> {
        let Some(name) = input.file_name().filter(|_| !is_dash(Some(input))) else {
            return Err(Problem::usage("stdin needs a file name: --output FILE"));
        };
        let mut name = name.to_owned();
        name.push(".age");
        Ok(PathBuf::from(name))
    };
    let mut targets = Vec::new();
    for input in &args.files {
        let output = match &args.output {
            None => input.with_file_name(named(input)?),
            Some(output) if output.is_dir() => output.join(named(input)?),
            Some(_) if args.files.len() > 1 => {
                return Err(Problem::usage("several files need a folder: --output DIR"));
            }
            Some(output) => output.clone(),
        };
        targets.push((input.clone(), output));
    }
    Ok(targets)
}

fn seal(
    input: &Path,
    output: &Path,
    recipients: &[&str],
    armor: bool,
    out: &Output,
) -> Result<u64, Problem> {
    let failed = |error: &io::Error| Problem::file("reading it", input, error);
    let (mut reader, length): (Box<dyn Read>, Option<u64>) = if is_dash(Some(input)) {
        (Box::new(io::stdin().lock()), None)
    } else {
        let file = File::open(input).map_err(|error| failed(&error))?;
        let about = file.metadata().map_err(|error| failed(&error))?;
        if about.is_dir() {
            return Err(Problem::new("file", "is a folder").at(input));
        }
        (Box::new(file), about.is_file().then_some(about.len()))
    };
    let mut first = Vec::with_capacity(SNIFF_BYTES);
    let most = u64::try_from(SNIFF_BYTES).unwrap_or(u64::MAX);
    reader.by_ref().take(most).read_to_end(&mut first).map_err(|error| failed(&error))?;
    if first.is_empty() {
        return Err(Problem::new("file", "is empty").at(input));
    }
    if sniff(&first) != Sniff::Other {
        return Err(Problem::new("sealed-twice", "is sealed already")
            .at(input)
            .next("drop it as it is"));
    }
    let bar = out.progress(&input.display().to_string(), length);
    let source = bar.wrap_read(first.as_slice().chain(reader));
    let ended = if is_dash(Some(output)) {
        to_stdout(source, recipients, armor)
    } else {
        to_file(source, input, output, recipients, armor)
    };
    bar.finish_and_clear();
    ended
}

fn to_stdout(source: impl Read, recipients: &[&str], armor: bool) -> Result<u64, Problem> {
    let stdout = io::stdout().lock();
    if stdout.is_terminal() && !armor {
        return Err(Problem::usage("bytes do not belong on a terminal: --armor, or redirect it"));
    }
    let mut source = source;
    let mut sealer = envelope::seal(stdout, recipients, armor)?;
    let bytes = io::copy(&mut source, &mut sealer).map_err(Problem::stdout)?;
    sealer.finish().and_then(|mut stdout| stdout.flush()).map_err(Problem::stdout)?;
    Ok(bytes)
}

fn to_file(
    mut source: impl Read,
    input: &Path,
    output: &Path,
    recipients: &[&str],
    armor: bool,
) -> Result<u64, Problem> {
    let exists = || {
        Problem::new("exists", "is there already, and is not overwritten")
            .at(output)
            .next("name another one with --output, or move it away")
    };
    let failed = |error: &io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(),
        _ => Problem::file("writing it", output, error),
    };
    if output.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let atomic = Atomic::create(output).map_err(|error| failed(&error))?;
    let mut sealer = envelope::seal(atomic, recipients, armor)?;
    let bytes = io::copy(&mut source, &mut sealer)
        .map_err(|error| Problem::new("file", format!("sealing it failed: {error}")).at(input))?;
    let atomic = sealer.finish().map_err(|error| failed(&error))?;
    atomic.keep(SEALED_MODE, Existing::Stays).map_err(|error| failed(&error))?;
    Ok(bytes)
}

fn is_dash(path: Option<&Path>) -> bool {
    path == Some(Path::new("-"))
}
