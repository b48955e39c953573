//! What a check found: rows in a fixed order, and what they mean for the exit code.
//!
//! Promises: a row never holds a key or buyer data; whatever is not fine has a next step. Printing
//! is the CLI's.

use serde::Serialize;

use crate::config::EXIT_CONFIG;
use crate::model::AccountId;
use crate::odoo::Fault;

/// Everything that was looked at, in the order it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The findings.
    pub rows: Vec<Row>,
    /// Settings or keys are wrong, so that the daemon would end with 78.
    #[serde(skip)]
    pub configuration_wrong: bool,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What it belongs to.
    pub area: Area,
    /// The account it concerns; none: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// What was looked at.
    pub what: String,
    /// How it is.
    pub state: State,
    /// What was found.
    pub detail: String,
    /// What to do; none where nothing is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It works.
    Ok,
    /// It did not work, and does now: `--fix` made it.
    Fixed,
    /// It works, and somebody should look at it.
    Warn,
    /// What is configured cannot work.
    Fail,
}

/// What a row belongs to, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// The settings file.
    Configuration,
    /// Keys and identities.
    Keys,
    /// Spool folders.
    Spool,
    /// The state directory.
    State,
    /// The Odoo server and its database.
    Server,
    /// The integration user.
    User,
    /// What the user may do.
    Rights,
    /// Companies.
    Company,
    /// Marketplaces: pricelists, taxes, warehouses, carriers.
    Marketplace,
    /// Products of lines that are no goods.
    Products,
    /// Modules of Odoo.
    Modules,
    /// What mails or texts buyers.
    Mail,
    /// What this Odoo has of its own that gets in the way.
    Traps,
    /// What the running daemon says.
    Daemon,
}

/// Rows being collected.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    rows: Vec<Row>,
    account: Option<AccountId>,
    configuration_wrong: bool,
}

// === impl Report ===

impl Report {
    /// How many rows are in this state.
    pub fn count(&self, state: State) -> usize {
        self.rows.iter().filter(|row| row.state == state).count()
    }

    /// 0: nothing fails; 78: settings or keys are wrong; 1: something else fails.
    pub fn exit_code(&self) -> u8 {
        if self.configuration_wrong { EXIT_CONFIG } else { u8::from(self.count(State::Fail) > 0) }
    }
}

// === impl State ===

impl State {
    /// Whether anybody needs to read it.
    pub fn is_news(self) -> bool {
        self != Self::Ok
    }

    /// `ok`, `fixed`, `warn`, `fail`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fixed => "fixed",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

// === impl Area ===

impl Area {
    /// The heading of its rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Keys => "keys",
            Self::Spool => "spool",
            Self::State => "state",
            Self::Server => "server",
            Self::User => "user",
            Self::Rights => "rights",
            Self::Company => "company",
            Self::Marketplace => "marketplace",
            Self::Products => "products",
            Self::Modules => "modules",
            Self::Mail => "mail",
            Self::Traps => "traps",
            Self::Daemon => "daemon",
        }
    }
}

// === impl Sheet ===

impl Sheet {
    /// Rows from now on concern this account, or all.
    pub(super) fn about(&mut self, account: Option<&AccountId>) {
        self.account = account.cloned();
    }

    pub(super) fn ok(&mut self, area: Area, what: impl Into<String>, detail: impl Into<String>) {
        self.row(area, what.into(), State::Ok, detail.into(), None);
    }

    pub(super) fn fixed(&mut self, area: Area, what: impl Into<String>, detail: impl Into<String>) {
        self.row(area, what.into(), State::Fixed, detail.into(), None);
    }

    pub(super) fn warn(
        &mut self,
        area: Area,
        what: impl Into<String>,
        detail: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.row(area, what.into(), State::Warn, detail.into(), Some(next.into()));
    }

    pub(super) fn fail(
        &mut self,
        area: Area,
        what: impl Into<String>,
        detail: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.row(area, what.into(), State::Fail, detail.into(), Some(next.into()));
    }

    /// A call failed: its words and what helps come from the one table of faults.
    pub(super) fn fault(&mut self, area: Area, what: impl Into<String>, fault: &Fault) {
        self.fail(area, what, fault.to_string(), fault.next_step());
    }

    /// Settings or keys are wrong: the row fails, and so does the configuration.
    pub(super) fn misconfigured(
        &mut self,
        area: Area,
        what: impl Into<String>,
        detail: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.configuration_wrong = true;
        self.fail(area, what, detail, next);
    }

    /// Adds a row whose state was decided elsewhere.
    pub(super) fn row(
        &mut self,
        area: Area,
        what: String,
        state: State,
        detail: String,
        next_step: Option<String>,
    ) {
        let account = self.account.clone();
        self.rows.push(Row { area, account, what, state, detail, next_step });
    }

    /// The report.
    pub(super) fn finish(self) -> Report {
        Report { rows: self.rows, configuration_wrong: self.configuration_wrong }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_follows_the_worst_row() {
        let mut sheet = Sheet::default();
        sheet.ok(Area::Server, "a", "b");
        sheet.fixed(Area::Products, "a", "b");
        sheet.warn(Area::Mail, "a", "b", "c");
        let report = sheet.finish();
        assert_eq!((report.exit_code(), report.count(State::Warn)), (0, 1));

        let mut sheet = Sheet::default();
        sheet.fail(Area::Rights, "a", "b", "c");
        assert_eq!(sheet.finish().exit_code(), 1);

        let mut sheet = Sheet::default();
        sheet.fail(Area::Rights, "a", "b", "c");
        sheet.misconfigured(Area::Keys, "a", "b", "c");
        assert_eq!(sheet.finish().exit_code(), 78);
    }
}
