//! `explain`: what an error code or a hold means.

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use serde::Serialize;

use crate::telemetry::codes::{self, Code};

use super::Explain;
use super::output::Output;
use super::problem::Problem;

/// So many codes are named to somebody who mistyped one.
const NAMED: usize = 6;

/// What is known of a code.
#[derive(Debug, Serialize)]
struct Explained {
    code: &'static str,
    cause: &'static str,
    effect: &'static str,
    next: &'static str,
}

/// Takes the codes there are. The shell completes them all; a wrong one is not answered with all.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodeParser;

impl TypedValueParser for CodeParser {
    type Value = &'static Code;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        let value = value.to_string_lossy();
        codes::find(&value).ok_or_else(|| {
            let said = match near(&value).as_slice() {
                [] => "there is no such code: see odoo-spoold-errors(7)\n".to_owned(),
                near => format!("there is no such code; there are: {}\n", near.join(", ")),
            };
            clap::Error::raw(ErrorKind::InvalidValue, said).with_cmd(command)
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(codes::all().map(|row| PossibleValue::new(row.code))))
    }
}

/// The codes that begin most like it.
fn near(value: &str) -> Vec<&'static str> {
    let shared = |code: &str| code.bytes().zip(value.bytes()).take_while(|(a, b)| a == b).count();
    let most = codes::all().map(|row| shared(row.code)).max().unwrap_or_default();
    let near = codes::all().filter(|row| most > 1 && shared(row.code) == most);
    near.map(|row| row.code).take(NAMED).collect()
}

/// Prints cause, effect and the next command; without a code, all codes and their causes.
pub(super) fn run(args: &Explain, out: &mut Output) -> Result<ExitCode, Problem> {
    let explained = |row: &'static Code| {
        let Code { code, cause, effect, next } = *row;
        Explained { code, cause, effect, next }
    };
    if let Some(code) = args.code {
        out.answer(&explained(code), |out, said| {
            out.field("cause", said.cause)?;
            out.field("effect", said.effect)?;
            out.field("next", said.next)
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let all: Vec<Explained> = codes::all().map(explained).collect();
    out.answer(&all, |out, all| {
        let rows: Vec<_> =
            all.iter().map(|row| vec![row.code.to_owned(), row.cause.to_owned()]).collect();
        out.table(&["CODE", "CAUSE"], &rows, "")
    })?;
    Ok(ExitCode::SUCCESS)
}
