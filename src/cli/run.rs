//! `run`: the daemon.

use std::process::ExitCode;

use crate::config::{ConfigError, EXIT_CONFIG};
use crate::daemon::{DaemonError, Ended};
use crate::telemetry::log;

use super::Global;
use super::problem::Problem;

/// Runs until told to stop.
pub(super) fn run(global: &Global) -> Result<ExitCode, Problem> {
    // systemd says here which stream is the journal's.
    let to = log::To::detect(std::env::var_os("JOURNAL_STREAM").as_deref());
    let journal = to == log::To::Journald;
    crate::daemon::run(&global.config(), to).map_err(|Ended { error, told }| {
        let configuration = error.is::<ConfigError>()
            || error.downcast_ref::<DaemonError>().is_some_and(DaemonError::is_configuration);
        let mut problem = Problem::new("daemon", error.to_string());
        if configuration {
            problem = problem
                .exit(EXIT_CONFIG)
                .next("put that right, then `systemctl restart odoo-spoold`");
        }
        match (journal, told) {
            (true, true) => problem.told_already(),
            // So that the journal knows it for an error.
            (true, false) => problem.for_journal(),
            (false, _) => problem,
        }
    })
}
