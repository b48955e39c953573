//! `GET /v1/dead`, `GET /v1/dead/{account}/{order}`, `POST /v1/dead/requeue` and `POST
//! /v1/dead/drop`: what Odoo refused for good, in whose words, trying it again, and giving it up.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};

use crate::model::{AccountId, JobState, OrderId};
use crate::store::{Buried, StateName};

use super::error::ControlError;
use super::handle::Handle;
use super::wire::{DeadJob, DropRequest, JobInfo, Jobs, JobsQuery, Moved, Requeue};
use super::{OrderPath, blocking, order_path, posted, queried, queue};

pub(super) async fn index(
    State(handle): State<Handle>,
    query: Result<Query<JobsQuery>, QueryRejection>,
) -> Result<Json<Jobs>, ControlError> {
    let query = queried(query)?;
    blocking(handle, move |handle| list(handle, &query)).await
}

pub(super) async fn get(
    State(handle): State<Handle>,
    path: OrderPath,
) -> Result<Json<DeadJob>, ControlError> {
    let (account, order) = order_path(path)?;
    blocking(handle, move |handle| show(handle, &account, &order)).await
}

pub(super) async fn post_requeue(
    State(handle): State<Handle>,
    body: Result<Json<Requeue>, JsonRejection>,
) -> Result<Json<Moved>, ControlError> {
    let request = posted(body)?;
    blocking(handle, move |handle| requeue(handle, &request)).await
}

pub(super) async fn post_drop(
    State(handle): State<Handle>,
    body: Result<Json<DropRequest>, JsonRejection>,
) -> Result<Json<Moved>, ControlError> {
    let request = posted(body)?;
    blocking(handle, move |handle| drop_dead(handle, &request)).await
}

/// A page of dead jobs, without Odoo's words. Blocks.
pub fn list(handle: &Handle, query: &JobsQuery) -> Result<Jobs, ControlError> {
    if query.state.is_some() || query.code.is_some() {
        let text = "dead takes neither state nor code: all are dead";
        return Err(ControlError::BadRequest(text.to_owned()));
    }
    queue::page(handle, query, Some(StateName::Dead))
}

/// One dead job and Odoo's words. Blocks.
pub fn show(
    handle: &Handle,
    account: &AccountId,
    order: &OrderId,
) -> Result<DeadJob, ControlError> {
    handle.known(account)?;
    let unknown = || handle.unknown_order(account, order);
    let job = handle.store.job(account, order)?.ok_or_else(unknown)?;
    let JobState::Dead(death) = &job.state else {
        let (order_id, state) = (order.clone(), job.state.name());
        return Err(ControlError::NotInState { order_id, state, needed: "dead" });
    };
    let words = death.words.clone();
    Ok(DeadJob { job: JobInfo::from(job), words })
}

/// Makes dead orders due now, with all attempts; durable when it returns. Blocks.
pub fn requeue(handle: &Handle, request: &Requeue) -> Result<Moved, ControlError> {
    let account = &request.account;
    handle.known(account)?;
    let which = match (&request.order_id, &request.code, request.all) {
        (Some(order), None, false) => {
            let key = handle.store.key(account, order)?;
            if handle.store.job_of(&key)?.is_none() {
                return Err(handle.unknown_order(account, order));
            }
            Buried::Record(key)
        }
        (None, Some(code), false) => Buried::Of(account, Some(code)),
        (None, None, true) => Buried::Of(account, None),
        _ => {
            let text = "give exactly one of order_id, code and all";
            return Err(ControlError::BadRequest(text.to_owned()));
        }
    };
    let orders = handle.store.requeue(which, handle.clock.now())?;
    handle.store.barrier()?;
    handle.desk.wake(account);
    Ok(Moved { orders })
}

/// Gives dead orders up: kept as `dropped`, and woken by a requeue only; durable when it returns.
/// Blocks.
pub fn drop_dead(handle: &Handle, request: &DropRequest) -> Result<Moved, ControlError> {
    let account = &request.account;
    handle.known(account)?;
    let which = match (&request.order_id, &request.code) {
        (Some(order), None) => {
            // Says as `dead show` does what is unknown or not dead.
            let _dead = show(handle, account, order)?;
            Buried::Record(handle.store.key(account, order)?)
        }
        (None, Some(code)) => Buried::Of(account, Some(code)),
        _ => {
            let text = "give either order_id or code";
            return Err(ControlError::BadRequest(text.to_owned()));
        }
    };
    let orders = handle.store.drop_dead(which, handle.clock.now())?;
    handle.store.barrier()?;
    Ok(Moved { orders })
}
