//! `POST /v1/reconcile`: a person says that this is the account's Odoo, or asks what is missing there.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::AccountId;

use super::error::ControlError;
use super::handle::Handle;
use super::posted;

/// `POST /v1/reconcile`: which account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// The account.
    pub account: AccountId,
    /// Orders that we created since then are created again where they are missing; without it,
    /// since the marker that is in Odoo was written.
    pub since: Option<Timestamp>,
    /// Change nothing; say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// What was found, and (unless it was a dry run) done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcileReport {
    /// The account.
    pub account: AccountId,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// What stood against this Odoo, as the code of the pause; none where nothing did.
    pub doubt: Option<String>,
    /// The same in words.
    pub words: String,
    /// Since when orders were looked for; none where none, or all, had to be.
    pub since: Option<Timestamp>,
    /// Orders that were looked for in Odoo.
    pub checked: u64,
    /// Found as they are known.
    pub present: u64,
    /// Found under another database id, which is known now.
    pub moved: u64,
    /// Found as they were before our last change, which is made again.
    pub older: u64,
    /// Missing, and created again.
    pub missing: u64,
    /// Missing, created before that time: a person deleted them, and they stay deleted.
    pub stay_deleted: u64,
    /// Deleted by a person, and there again: left alone.
    pub came_back: u64,
    /// Made by others, adopted, and missing: left alone.
    pub adopted_missing: u64,
    /// On their way to Odoo just now: left alone.
    pub busy: u64,
    /// Orders whose buyer is read again from sealed files.
    pub buyers: u64,
    /// Files taken from `done/` again for that.
    pub files: u64,
    /// Files that are needed for that and lie in `done/` no more: drop them again.
    pub files_missing: u64,
}

pub(super) async fn post(
    State(handle): State<Handle>,
    body: Result<Json<Reconcile>, JsonRejection>,
) -> Result<Json<ReconcileReport>, ControlError> {
    let request = posted(body)?;
    handle.known(&request.account)?;
    handle.desk.reconcile(request).await.map(Json)
}
