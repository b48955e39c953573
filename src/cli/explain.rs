//! `explain`: what an error code or a hold means.

use std::process::ExitCode;

use serde::Serialize;

use crate::telemetry::codes;

use super::Explain;
use super::output::Output;
use super::problem::Problem;

/// What is known of a code.
#[derive(Debug, Serialize)]
struct Explained {
    code: &'static str,
    cause: &'static str,
    effect: &'static str,
    next: &'static str,
}

/// Prints cause, effect and the next command.
pub(super) fn run(args: &Explain, out: &mut Output) -> Result<ExitCode, Problem> {
    // The command line takes no others.
    let unknown = || Problem::usage(format!("there is no code {}", args.code));
    let row = codes::find(&args.code).ok_or_else(unknown)?;
    let (code, cause, effect, next) = (row.code, row.cause, row.effect, row.next);
    out.answer(&Explained { code, cause, effect, next }, |out, said| {
        out.field("cause", said.cause)?;
        out.field("effect", said.effect)?;
        out.field("next", said.next)
    })?;
    Ok(ExitCode::SUCCESS)
}
