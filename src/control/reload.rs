//! `POST /v1/reload`: reads the settings again, and answers when they are in force or refused.

use axum::Json;
use axum::extract::State;

use super::error::ControlError;
use super::handle::Handle;
use super::wire::Reloaded;

pub(super) async fn post(State(handle): State<Handle>) -> Result<Json<Reloaded>, ControlError> {
    let changes = handle.desk.reload().await.map_err(ControlError::Reload)?;
    Ok(Json(Reloaded { changes }))
}
