//! Every error code and every hold: its cause, its effect, and the next command. The source of
//! what the journal's catalog says of a record, of `odoo-spoold explain`, and of the man page
//! `odoo-spoold-errors(7)`.
//!
//! Promises: codes never change and each has a row; a test reads the source and compares.

mod attention;
mod commands;
mod daemon;
mod files;
mod holds;
mod odoo;

pub use super::stops::Stops;

/// One code.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// The code.
    pub code: &'static str,
    /// Why it comes.
    pub cause: &'static str,
    /// What becomes of the file, the order, the account or the daemon.
    pub effect: &'static str,
    /// What to do.
    pub next: &'static str,
}

/// All codes, in the order of the man page.
const TABLES: [&[Code]; 6] =
    [files::ROWS, holds::ROWS, attention::ROWS, odoo::ROWS, daemon::ROWS, commands::ROWS];

/// What stands in place of a code that has no row: a bug.
const UNKNOWN: Code = row(
    "unknown",
    Stops::Nothing,
    "a code that this version does not explain: a bug",
    "report it, with the journal around this time",
);

/// One row, with the effect of its kind.
const fn row(code: &'static str, stops: Stops, cause: &'static str, next: &'static str) -> Code {
    Code { code, cause, effect: stops.effect(), next }
}

impl Code {
    /// The same, with an effect of its own.
    const fn but(self, effect: &'static str) -> Self {
        Self { effect, ..self }
    }
}

/// All codes, in the order of the man page.
pub fn all() -> impl Iterator<Item = &'static Code> {
    TABLES.into_iter().flatten()
}

/// What is known of a code.
pub fn find(code: &str) -> Option<&'static Code> {
    all().find(|row| row.code == code)
}

/// What is known of a code that goes into the journal.
pub(super) fn explained(code: &str) -> &'static Code {
    find(code).unwrap_or(&UNKNOWN)
}

#[cfg(test)]
#[path = "codes_tests.rs"]
mod tests;
