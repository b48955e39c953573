//! `GET /v1/files` and `GET /v1/files/{id}`: what came in, and what became of it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};

use crate::model::{FileId, HoldCode, JobState, Subject};
use crate::store::FileFilter;

use super::error::ControlError;
use super::handle::Handle;
use super::wire::{AttentionEntry, File, FileDetail, Files, FilesQuery, HeldFor, OrderState};
use super::{blocking, limit, queried};

/// Orders that are listed with a file.
const FIRST_ORDERS: usize = 20;
/// Distinct things that are listed per hold code.
const MAX_KEYS: usize = 50;

pub(super) async fn index(
    State(handle): State<Handle>,
    query: Result<Query<FilesQuery>, QueryRejection>,
) -> Result<Json<Files>, ControlError> {
    let query = queried(query)?;
    blocking(handle, move |handle| list(handle, &query)).await
}

pub(super) async fn get(
    State(handle): State<Handle>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<FileDetail>, ControlError> {
    let Path(id) = path.map_err(|error| ControlError::BadRequest(error.body_text()))?;
    let id: FileId =
        id.parse().map_err(|error| ControlError::BadRequest(format!("the file id is {error}")))?;
    blocking(handle, move |handle| show(handle, &id)).await
}

/// Files, newest first. Blocks.
pub fn list(handle: &Handle, query: &FilesQuery) -> Result<Files, ControlError> {
    if let Some(account) = &query.account {
        handle.known(account)?;
    }
    let filter = FileFilter { account: query.account.clone(), state: query.state };
    let files = handle.store.files(&filter, limit(query.limit))?;
    Ok(Files { files: files.into_iter().map(File::from).collect() })
}

/// One file and where its orders stand. Blocks, for as long as it takes to read its orders.
pub fn show(handle: &Handle, id: &FileId) -> Result<FileDetail, ControlError> {
    let record = handle.store.file(id)?.ok_or_else(|| ControlError::UnknownFile(id.clone()))?;
    let mut orders: BTreeMap<String, u64> = BTreeMap::new();
    let mut held: BTreeMap<HoldCode, HeldFor> = BTreeMap::new();
    let mut first = Vec::new();
    for order in handle.store.orders_of_file(id) {
        let (order_id, state) = order?;
        let count = orders.entry(state.name().to_owned()).or_default();
        *count = count.saturating_add(1);
        let name = state.name().to_owned();
        let holds = match state {
            JobState::Held(holds) => holds,
            JobState::Pending | JobState::Started | JobState::Dead(_) | JobState::Done(_) => {
                Vec::new()
            }
        };
        let mut codes: Vec<HoldCode> = holds.iter().map(|hold| hold.code).collect();
        codes.sort();
        codes.dedup();
        for code in codes {
            let group = held.entry(code).or_default();
            group.orders = group.orders.saturating_add(1);
            for hold in holds.iter().filter(|hold| hold.code == code) {
                if let Some(count) = group.keys.get_mut(&hold.key) {
                    *count = count.saturating_add(1);
                } else if group.keys.len() < MAX_KEYS {
                    group.keys.insert(hold.key.clone(), 1);
                } else {
                    group.more = true;
                }
            }
        }
        if first.len() < FIRST_ORDERS {
            first.push(OrderState { order_id, state: name, holds });
        }
    }
    let attention = handle.store.attention_of(&record.account, &Subject::File(id.clone()))?;
    let open = attention.into_iter().filter(|entry| entry.dismissed.is_none());
    let (faults, notices) = (record.faults.clone(), record.notices.clone());
    Ok(FileDetail {
        file: File::from(record),
        faults,
        notices,
        attention: open.map(AttentionEntry::from).collect(),
        orders,
        held,
        first,
    })
}
