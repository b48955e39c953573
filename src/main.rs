//! odoo-spoold: parses the command line, does what it says, and ends with its exit code.

use std::process::ExitCode;

use clap::Parser as _;
use odoo_spoold::cli::{Cli, dispatch};

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => dispatch(&cli),
        Err(error) => {
            // Help and version are no errors, and whoever stops reading them is none either.
            let _unheard = error.print();
            u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}
