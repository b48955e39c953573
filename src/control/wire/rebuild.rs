//! The rebuild's request and answers.

use serde::{Deserialize, Serialize};

use crate::model::AccountId;

/// `POST /v1/rebuild`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rebuild {
    /// Only this account; none: all whose state was lost.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// Only count what would come back.
    #[serde(default)]
    pub dry_run: bool,
}

/// How far a rebuild is, or how the last one ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuildReport {
    /// It is not at its end.
    pub running: bool,
    /// Nothing is stored.
    pub dry_run: bool,
    /// What it is doing.
    pub step: String,
    /// How many things of that step are done.
    pub done: u64,
    /// Accounts that are done.
    pub accounts: Vec<RebuiltAccount>,
    /// Why an account stays closed.
    pub error: Option<String>,
}

/// What came back of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuiltAccount {
    /// The account.
    pub account: AccountId,
    /// Orders of ours that stand in Odoo.
    pub orders: u64,
    /// Orders that stood there before us.
    pub adopted: u64,
    /// Orders that people deleted: they stay deleted.
    pub deleted: u64,
    /// Records that the decision journal kept when their files expired.
    pub kept: u64,
    /// Files that were read again.
    pub files: u64,
    /// Files that cannot be read any more.
    pub unreadable: Vec<String>,
}

impl RebuiltAccount {
    /// Nothing came back yet.
    pub fn new(account: AccountId) -> Self {
        Self {
            account,
            orders: 0,
            adopted: 0,
            deleted: 0,
            kept: 0,
            files: 0,
            unreadable: Vec::new(),
        }
    }
}
