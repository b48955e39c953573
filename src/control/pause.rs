//! `POST /v1/pause` and `POST /v1/resume`: nothing is delivered until a person says so.
//!
//! A pause is durable before it is answered and outlives restarts. Files are still taken in,
//! unless that is to rest as well; batches that are on their way are finished.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;

use crate::model::AccountId;
use crate::store::Pause;
use crate::telemetry::events;

use super::error::ControlError;
use super::handle::Handle;
use super::peer::Uid;
use super::wire::{PauseAnswer, PauseRequest, PausedAccount, PausedStatus, ResumeRequest};
use super::{blocking, posted};

pub(super) async fn post(
    State(handle): State<Handle>,
    Uid(by): Uid,
    body: Result<Json<PauseRequest>, JsonRejection>,
) -> Result<Json<PauseAnswer>, ControlError> {
    let request = posted(body)?;
    blocking(handle, move |handle| pause(handle, &request, by)).await
}

pub(super) async fn post_resume(
    State(handle): State<Handle>,
    Uid(by): Uid,
    body: Result<Json<ResumeRequest>, JsonRejection>,
) -> Result<Json<PauseAnswer>, ControlError> {
    let request = posted(body)?;
    blocking(handle, move |handle| resume(handle, &request, by)).await
}

/// Pauses; durable when it returns. Blocks.
pub fn pause(
    handle: &Handle,
    request: &PauseRequest,
    by: Option<u32>,
) -> Result<PauseAnswer, ControlError> {
    let account = whom(handle, request.account.as_ref(), request.all)?;
    let changed = handle.store.pause(account, by, request.intake, handle.clock.now())?;
    if changed {
        for id in meant(handle, account) {
            events::account_paused_by_operator(&id, by);
        }
    }
    Ok(answer(handle, changed))
}

/// Resumes; durable when it returns. Blocks.
pub fn resume(
    handle: &Handle,
    request: &ResumeRequest,
    by: Option<u32>,
) -> Result<PauseAnswer, ControlError> {
    let account = whom(handle, request.account.as_ref(), request.all)?;
    if request.accept_deleted && account.is_none() {
        let text = "accept_deleted is said of one account: name it";
        return Err(ControlError::BadRequest(text.to_owned()));
    }
    let before: Vec<AccountId> =
        meant(handle, account).into_iter().filter(|id| handle.store.paused(id).is_some()).collect();
    let changed = handle.store.resume(account, handle.clock.now())?;
    for id in before.iter().filter(|id| handle.store.paused(id).is_none()) {
        events::account_resumed(id);
        handle.desk.wake(id);
    }
    if request.accept_deleted {
        for id in meant(handle, account) {
            handle.store.accept_deleted(&id, by, handle.clock.now())?;
            handle.desk.retry(&id);
        }
    }
    let changed = changed || request.accept_deleted;
    tracing::debug!(uid = by, changed, "resume");
    match account {
        Some(id) if handle.store.paused(id).is_some() => Err(ControlError::PausedByAll(id.clone())),
        Some(_) | None => Ok(answer(handle, changed)),
    }
}

fn whom<'a>(
    handle: &Handle,
    account: Option<&'a AccountId>,
    all: bool,
) -> Result<Option<&'a AccountId>, ControlError> {
    match (account, all) {
        (Some(account), false) => handle.known(account).map(|()| Some(account)),
        (None, true) => Ok(None),
        _ => Err(ControlError::BadRequest("give either account or all".to_owned())),
    }
}

/// The configured accounts that are meant.
fn meant(handle: &Handle, account: Option<&AccountId>) -> Vec<AccountId> {
    match account {
        Some(account) => vec![account.clone()],
        None => handle.settings().accounts.iter().map(|account| account.id.clone()).collect(),
    }
}

fn answer(handle: &Handle, changed: bool) -> PauseAnswer {
    let paused = meant(handle, None).into_iter().filter_map(|account| {
        let pause = PausedStatus::from(handle.store.paused(&account)?);
        Some(PausedAccount { account, pause })
    });
    PauseAnswer { changed, paused: paused.collect() }
}

impl From<Pause> for PausedStatus {
    fn from(pause: Pause) -> Self {
        let Pause { by, since, intake, all } = pause;
        Self { by_uid: by, since, intake, all }
    }
}
