//! Reasons not to be well, in the order in which people should hear of them.

use serde::{Deserialize, Serialize};

use super::Health;

/// What kind of reason it is. The order is the rule for what is said first: what stops work, what puts
/// data at risk, what waits for a person, and what waits for Odoo or for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConcernKind {
    // what stops work
    /// The daemon does not run or does not answer.
    Daemon,
    /// An account delivers nothing.
    Account,
    /// A person paused an account.
    Paused,
    /// No account is configured.
    NoAccount,
    // data at risk
    /// A disk is nearly full, or mounted read-only.
    Disk,
    /// The decision journal is damaged.
    Journal,
    /// The clock cannot be believed.
    Clock,
    /// Buyers' data is about to be destroyed under orders that still wait.
    Buyers,
    // what waits for a person
    /// Files that were rejected.
    Rejected,
    /// Files that are left in `incoming/`.
    Left,
    /// Orders that Odoo refused for good.
    Dead,
    /// Orders that wait for a decision.
    Held,
    /// Orders, files and accounts with something to look at.
    Look,
    /// Settings that wait for a restart.
    Restart,
    /// Keys that are old, end soon, or wait for a restart.
    Keys,
    // what waits for Odoo or for a file
    /// Odoo does not answer, and has not done so for long.
    Odoo,
    /// Orders that wait for something in Odoo or in `config.toml`.
    HeldForOdoo,
    /// Files in `work/` that are tried again.
    Retried,
    /// Anything else.
    Other,
}

/// One reason not to be well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concern {
    /// Its kind.
    pub kind: ConcernKind,
    /// How bad it is.
    pub health: Health,
    /// How many orders, files, disks or accounts it is about.
    pub count: u64,
    /// One sentence, with the next command.
    pub text: String,
}

impl ConcernKind {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Daemon => "daemon",
            Self::Account => "account",
            Self::Paused => "paused",
            Self::NoAccount => "no-account",
            Self::Disk => "disk",
            Self::Journal => "journal",
            Self::Clock => "clock",
            Self::Buyers => "buyers",
            Self::Rejected => "rejected",
            Self::Left => "left",
            Self::Dead => "dead",
            Self::Held => "held",
            Self::Look => "look",
            Self::Restart => "restart",
            Self::Keys => "keys",
            Self::Odoo => "odoo",
            Self::HeldForOdoo => "held-for-odoo",
            Self::Retried => "retried",
            Self::Other => "other",
        }
    }

    /// Whether it puts data at risk.
    pub fn is_risk(self) -> bool {
        matches!(self, Self::Disk | Self::Journal | Self::Clock | Self::Buyers)
    }
}

impl Concern {
    /// Something to look at while work goes on.
    pub fn attention(kind: ConcernKind, count: u64, text: impl Into<String>) -> Self {
        Self { kind, health: Health::Attention, count, text: text.into() }
    }

    /// Work does not go on.
    pub fn fault(kind: ConcernKind, count: u64, text: impl Into<String>) -> Self {
        Self { kind, health: Health::Fault, count, text: text.into() }
    }
}
