//! `GET /v1/attention` and `POST /v1/attention/dismiss`: what a person should look at although it
//! holds nothing.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};

use crate::model::{Attention, AttentionCode, Subject};

use super::error::ControlError;
use super::handle::Handle;
use super::wire::{
    AttentionEntry, AttentionList, AttentionQuery, AttentionSubject, Dismiss, Dismissed,
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

/// Orders, files and accounts with something to look at. Blocks.
pub fn list(handle: &Handle, query: &AttentionQuery) -> Result<AttentionList, ControlError> {
    if let Some(account) = &query.account {
        handle.known(account)?;
    }
    let (found, more) = handle.store.attention(query.account.as_ref(), limit(query.limit))?;
    let subjects = found.into_iter().map(|noticed| {
        let (order_id, file_id) = match noticed.subject {
            Subject::Record(order) => (Some(order), None),
            Subject::File(file) => (None, Some(file)),
            Subject::Account => (None, None),
        };
        let entries = noticed.entries.into_iter().map(AttentionEntry::from).collect();
        AttentionSubject { account: noticed.account, order_id, file_id, entries }
    });
    Ok(AttentionList { subjects: subjects.collect(), more })
}

/// Dismisses entries; durable when it returns. Blocks.
pub fn dismiss(handle: &Handle, request: &Dismiss) -> Result<Dismissed, ControlError> {
    let Dismiss { account, order_id, file_id, code } = request;
    handle.known(account)?;
    let subject = match (order_id, file_id) {
        (Some(_), Some(_)) => {
            let words = "name an order or a file, not both";
            return Err(ControlError::BadRequest(words.to_owned()));
        }
        (Some(order), None) => {
            let key = handle.store.key(account, order)?;
            if handle.store.job_of(&key)?.is_none() {
                return Err(handle.unknown_order(account, order));
            }
            Subject::Record(order.clone())
        }
        (None, Some(file)) => {
            let subject = Subject::File(file.clone());
            let known = handle.store.file(file)?.is_some_and(|file| file.account == *account);
            if !known && handle.store.attention_of(account, &subject)?.is_empty() {
                return Err(ControlError::UnknownFile(file.clone()));
            }
            subject
        }
        (None, None) => Subject::Account,
    };
    let now = handle.clock.now();
    let mut entries = handle.store.dismiss(account, &subject, *code, now)?;
    if subject == Subject::Account {
        // There is one journal: who has seen its damage has seen it for all accounts.
        let journal = AttentionCode::JournalDamaged;
        if code.is_none_or(|code| code == journal) {
            for other in handle.store.counts().into_keys().filter(|other| other != account) {
                let seen = handle.store.dismiss(&other, &subject, Some(journal), now)?;
                entries = entries.saturating_add(seen);
            }
        }
    }
    handle.store.barrier()?;
    Ok(Dismissed { entries })
}

impl From<Attention> for AttentionEntry {
    fn from(entry: Attention) -> Self {
        Self { code: entry.code, key: entry.key, text: entry.text, since: entry.since }
    }
}
