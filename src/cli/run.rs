//! `run`: the daemon.

use std::process::ExitCode;

use crate::config::{ConfigError, EXIT_CONFIG};
use crate::daemon::DaemonError;
use crate::telemetry::log;

use super::Global;
use super::problem::Problem;

/// Runs until told to stop.
pub(super) fn run(global: &Global) -> Result<ExitCode, Problem> {
    // systemd says here which stream is the journal's.
    let to = log::To::detect(std::env::var_os("JOURNAL_STREAM").as_deref());
    crate::daemon::run(&global.config(), to).map_err(|error| {
        let configuration = error.is::<ConfigError>()
            || error.downcast_ref::<DaemonError>().is_some_and(DaemonError::is_configuration);
        let told = Problem::new("daemon", format!("{error:#}"));
        if configuration {
            told.exit(EXIT_CONFIG).next("correct it, then `systemctl restart odoo-spoold`")
        } else {
            told
        }
    })
}
