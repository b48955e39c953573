//! `generate`: man pages, completions and the journal's catalog, for the package.

use std::fs;
use std::process::ExitCode;

use clap::CommandFactory as _;

use super::output::Output;
use super::problem::Problem;
use super::{Cli, Generate, GenerateWhat};

/// Prints what is asked for.
pub(super) fn run(args: &Generate, out: &mut Output) -> Result<ExitCode, Problem> {
    let mut command = Cli::command();
    let mut text = Vec::new();
    match &args.what {
        GenerateWhat::Man { output: None } => {
            clap_mangen::Man::new(command).render(&mut text).map_err(Problem::stdout)?;
        }
        GenerateWhat::Man { output: Some(dir) } => {
            let failed = |error: std::io::Error| Problem::file("writing man pages", dir, &error);
            fs::create_dir_all(dir).map_err(failed)?;
            clap_mangen::generate_to(command, dir).map_err(failed)?;
            let errors = crate::telemetry::explain::man();
            fs::write(dir.join("odoo-spoold-errors.7"), errors).map_err(failed)?;
        }
        GenerateWhat::Completions { shell } => {
            let name = command.get_name().to_owned();
            clap_complete::generate(*shell, &mut command, name, &mut text);
        }
        GenerateWhat::Catalog => {
            text.extend(crate::telemetry::events::catalog().bytes());
            text.extend(crate::telemetry::explain::catalog().bytes());
        }
        GenerateWhat::Errors => text.extend(crate::telemetry::explain::man().bytes()),
        GenerateWhat::Openapi => {
            let document = crate::control::openapi::document();
            text.extend(format!("{document:#}\n").bytes());
        }
    }
    out.raw(&text)?;
    Ok(ExitCode::SUCCESS)
}
