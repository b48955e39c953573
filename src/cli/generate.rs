//! `generate`: man pages, completions and the journal's catalog, for the package.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;

use super::output::Output;
use super::problem::Problem;
use super::{Cli, Generate, GenerateWhat};
use super::{completions, man_page, settings_page};

/// Where the pages belong: commands of the system's administrator.
const SECTION: &str = "8";

/// Prints what is asked for.
pub(super) fn run(args: &Generate, out: &mut Output) -> Result<ExitCode, Problem> {
    // `help` is no page of its own.
    let mut command = Cli::command().disable_help_subcommand(true);
    let mut text = Vec::new();
    match &args.what {
        GenerateWhat::Man { output: None } => {
            command.build();
            let name = command.get_name().to_owned();
            text = man_page::page(&command, &name, SECTION).map_err(Problem::stdout)?;
        }
        GenerateWhat::Man { output: Some(dir) } => {
            let failed = |error: std::io::Error| Problem::file("writing man pages", dir, &error);
            fs::create_dir_all(dir).map_err(failed)?;
            command.build();
            pages(&command, command.get_name(), dir).map_err(failed)?;
            fs::write(dir.join(settings_page::FILE_NAME), settings_page::page()).map_err(failed)?;
            let errors = crate::telemetry::explain::man();
            fs::write(dir.join("odoo-spoold-errors.7"), errors).map_err(failed)?;
        }
        GenerateWhat::Completions { shell } => {
            text.extend(completions::script(*shell, &mut Cli::command()).bytes());
        }
        GenerateWhat::Catalog => text.extend(crate::telemetry::events::catalog().bytes()),
        GenerateWhat::Errors => text.extend(crate::telemetry::explain::man().bytes()),
        GenerateWhat::Openapi => {
            let document = crate::control::openapi::document();
            text.extend(format!("{document:#}\n").bytes());
        }
    }
    out.raw(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// A page for the command, and one for each of its verbs: `odoo-spoold-hold-list.8`.
fn pages(command: &clap::Command, name: &str, dir: &Path) -> std::io::Result<()> {
    let verbs =
        command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help");
    for verb in verbs {
        pages(verb, &format!("{name}-{}", verb.get_name()), dir)?;
    }
    let text = man_page::page(command, name, SECTION)?;
    fs::write(dir.join(format!("{name}.{SECTION}")), text)
}
