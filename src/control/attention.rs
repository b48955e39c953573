//! `GET /v1/attention` and `POST /v1/attention/dismiss`: what a person should look at although it
//! holds nothing.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};

use crate::model::Attention;

use super::error::ControlError;
use super::handle::Handle;
use super::wire::{
    AttentionEntry, AttentionList, AttentionOrder, AttentionQuery, Dismiss, Dismissed,
};
use super::{blocking, limit, posted, queried};

pub(super) async fn index(
    State(handle): State<Handle>,
    query: Result<Query<AttentionQuery>, QueryRejection>,
) -> Result<Json<AttentionList>, ControlError> {
    let query = queried(query)?;
    blocking(handle, move |handle| list(handle, &query)).await
}

pub(super) async fn post_dismiss(
    State(handle): State<Handle>,
    body: Result<Json<Dismiss>, JsonRejection>,
) -> Result<Json<Dismissed>, ControlError> {
    let request = posted(body)?;
    blocking(handle, move |handle| dismiss(handle, &request)).await
}

/// Orders with something to look at. Blocks.
pub fn list(handle: &Handle, query: &AttentionQuery) -> Result<AttentionList, ControlError> {
    if let Some(account) = &query.account {
        handle.known(account)?;
    }
    let (found, more) = handle.store.attention(query.account.as_ref(), limit(query.limit))?;
    let orders = found.into_iter().map(|noticed| AttentionOrder {
        account: noticed.account,
        order_id: noticed.order_id,
        entries: noticed.entries.into_iter().map(AttentionEntry::from).collect(),
    });
    Ok(AttentionList { orders: orders.collect(), more })
}

/// Dismisses entries of an order; durable when it returns. Blocks.
pub fn dismiss(handle: &Handle, request: &Dismiss) -> Result<Dismissed, ControlError> {
    let Dismiss { account, order_id, code } = request;
    handle.known(account)?;
    let key = handle.store.key(account, order_id)?;
    if handle.store.job_of(&key)?.is_none() {
        let (account, order_id) = (account.clone(), order_id.clone());
        return Err(ControlError::UnknownOrder { account, order_id });
    }
    let entries = handle.store.dismiss(key, *code, handle.clock.now())?;
    handle.store.barrier()?;
    Ok(Dismissed { entries })
}

impl From<Attention> for AttentionEntry {
    fn from(entry: Attention) -> Self {
        Self { code: entry.code, text: entry.text, since: entry.since }
    }
}
