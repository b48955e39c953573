//! `POST /v1/rebuild` and `GET /v1/rebuild`: bringing back a lost state, and how far it is.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;

use super::error::ControlError;
use super::handle::Handle;
use super::posted;
use super::wire::{Rebuild, RebuildReport};

pub(super) async fn post(
    State(handle): State<Handle>,
    body: Result<Json<Rebuild>, JsonRejection>,
) -> Result<Json<RebuildReport>, ControlError> {
    let request = posted(body)?;
    handle.desk.rebuild(request.account, request.dry_run).map(Json)
}

pub(super) async fn get(State(handle): State<Handle>) -> Json<RebuildReport> {
    Json(handle.desk.rebuilding())
}
