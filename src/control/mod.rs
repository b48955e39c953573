//! Answers questions over a unix socket: HTTP/1.1 and JSON under `/v1`.
//!
//! Promises: answers are the types of [`wire`]; every error is JSON with a code, a sentence and the
//! next step; nothing that is listed holds buyer data; what changes something is durable when it is
//! answered, and noted with the caller's uid. One file per noun, with the same function for the
//! daemon's API and for the CLI when no daemon runs.
//!
//! Does not know sled or Odoo, decide who may ask (the socket's owner and mode do), or keep files.

pub mod attention;
pub mod client;
pub mod dead;
mod error;
pub mod files;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod handle;
mod headline;
pub mod hold;
mod listen;
pub mod mappings;
pub mod openapi;
pub mod pause;
mod peer;
mod process;
pub mod queue;
mod rebuild;
mod recipients;
mod reconcile;
mod reload;
pub mod status;
mod translate;
pub mod wire;
mod wire_decide;
#[cfg(test)]
mod wire_tests;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};

use crate::model::{AccountId, OrderId};

pub use error::ControlError;
pub use handle::{Absent, BoxFuture, Desk, Handle, ProcessSource, Unread};
pub use headline::{View, age, beside, concerns, grouped, headline, in_brief};
pub use listen::{bind, serve};
pub use peer::Peer;
pub use status::sentence;

use wire::{DEFAULT_LIMIT, MAX_DOCUMENT_BYTES, MAX_LIMIT};

/// Largest request body of anything but a document, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// All requests. Needs the caller's identity, which [`serve`] adds.
fn router(handle: Handle) -> Router {
    let process = post(process::post).layer(DefaultBodyLimit::max(MAX_DOCUMENT_BYTES));
    let nouns = Router::new()
        .route("/status", get(status::get))
        .route("/files", get(files::index))
        .route("/files/{id}", get(files::get))
        .route("/queue", get(queue::index))
        .route("/queue/{account}/{order}", get(queue::get))
        .route("/hold", get(hold::index))
        .route("/hold/release", post(hold::post_release))
        .route("/dead", get(dead::index))
        .route("/dead/{account}/{order}", get(dead::get))
        .route("/dead/requeue", post(dead::post_requeue))
        .route("/hold/decide", post(hold::post_decide))
        .route("/dead/drop", post(dead::post_drop))
        .route("/pause", post(pause::post))
        .route("/resume", post(pause::post_resume))
        .route("/attention", get(attention::index))
        .route("/attention/dismiss", post(attention::post_dismiss))
        .route("/map/{account}/{order}", get(mappings::get))
        .route("/reconcile", post(reconcile::post))
        .route("/reload", post(reload::post))
        .route("/rebuild", get(rebuild::get).post(rebuild::post))
        .route("/recipients", get(recipients::get))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .route("/process", process);
    Router::new()
        .nest("/v1", nouns)
        .fallback(|| async { ControlError::NoSuchRequest })
        .method_not_allowed_fallback(|| async { ControlError::NoSuchRequest })
        .layer(middleware::from_fn(peer::note))
        .with_state(handle)
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(
    handle: Handle,
    work: impl FnOnce(&Handle) -> Result<T, ControlError> + Send + 'static,
) -> Result<Json<T>, ControlError> {
    match tokio::task::spawn_blocking(move || work(&handle)).await {
        Ok(answer) => answer.map(Json),
        Err(_) => Err(ControlError::Internal),
    }
}

/// The query, or what is wrong with it.
fn queried<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ControlError> {
    let Query(query) = query.map_err(|error| ControlError::BadRequest(error.body_text()))?;
    Ok(query)
}

/// The body, or what is wrong with it.
fn posted<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, ControlError> {
    let Json(body) = body.map_err(|error| ControlError::BadRequest(error.body_text()))?;
    Ok(body)
}

/// How many entries a listing has.
fn limit(asked: Option<usize>) -> usize {
    asked.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT)
}

/// Account and order as they stand in a path.
type OrderPath = Result<Path<(String, String)>, PathRejection>;

/// Account and order of a path, or what is wrong with it.
fn order_path(path: OrderPath) -> Result<(AccountId, OrderId), ControlError> {
    let Path((account, order)) =
        path.map_err(|error| ControlError::BadRequest(error.body_text()))?;
    let wrong = |what: &str, error| ControlError::BadRequest(format!("the {what} id {error}"));
    let account = account.parse().map_err(|error| wrong("account", error))?;
    let order = order.parse().map_err(|error| wrong("order", error))?;
    Ok((account, order))
}
