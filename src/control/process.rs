//! `POST /v1/process`: takes a document from the request, or says what it would do.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest as _, Query, Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::error::ControlError;
use super::handle::{Handle, ProcessSource};
use super::queried;
use super::wire::{MAX_DOCUMENT_BYTES, ProcessQuery, ProcessReport, SIDECAR_HEADER};

pub(super) async fn post(
    State(handle): State<Handle>,
    query: Result<Query<ProcessQuery>, QueryRejection>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<ProcessReport>, ControlError> {
    let query = queried(query)?;
    if handle.settings().account(&query.account).is_none() {
        return Err(ControlError::UnknownAccount(query.account));
    }
    let sidecar = match headers.get(SIDECAR_HEADER) {
        None => None,
        Some(text) => Some(STANDARD.decode(text).map(Zeroizing::new).map_err(|_| {
            ControlError::BadRequest(format!("the header {SIDECAR_HEADER} is not base64"))
        })?),
    };
    // Refused before it is sent, where its length is told.
    let length = headers.get(CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > MAX_DOCUMENT_BYTES) {
        return Err(ControlError::TooLarge);
    }
    let received = Bytes::from_request(request, &()).await;
    let bytes = received.map_err(|rejection| match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => ControlError::TooLarge,
        _ => ControlError::BadRequest("the document was not received whole".to_owned()),
    })?;
    let source = ProcessSource { bytes: Zeroizing::new(bytes.into()), name: query.name, sidecar };
    handle.desk.process(&query.account, source, query.dry_run).await.map(Json)
}
