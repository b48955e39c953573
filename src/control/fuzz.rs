//! What the fuzz target `control` calls (`crate::fuzz`).

#![expect(clippy::missing_panics_doc, reason = "a panic is what is looked for")]

use std::sync::{Arc, OnceLock, RwLock};

use axum::extract::Query;
use axum::http::Uri;
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::wire::{FilesQuery, JobsQuery, ProcessQuery, Release, Requeue};
use super::{Absent, ControlError, Handle, dead, files, hold, mappings, queue, status};
use crate::clock::Manual;
use crate::config::Settings;
use crate::model::{AccountId, FileId, OrderId};
use crate::store::{Secret, Store, StoreKeys, StoreOptions};

/// The first byte says which request, the rest is its body, its query, or what stands in its path.
///
/// Every refusal has a code and a next step. It is answered from a real store of one account.
pub fn control(data: &[u8]) {
    let Some((&which, rest)) = data.split_first() else { return };
    let Some(handle) = handle() else { return };
    let said = match which % 11 {
        0 => body(rest).and_then(|it: Release| hold::release(handle, &it, None).map(drop)),
        1 => body(rest).and_then(|it: Requeue| dead::requeue(handle, &it).map(drop)),
        2 => query(rest).and_then(|it: JobsQuery| queue::list(handle, &it).map(drop)),
        3 => query(rest).and_then(|it: JobsQuery| hold::list(handle, &it).map(drop)),
        4 => query(rest).and_then(|it: JobsQuery| dead::list(handle, &it).map(drop)),
        5 => query(rest).and_then(|it: FilesQuery| files::list(handle, &it).map(drop)),
        6 => query(rest).map(|_: ProcessQuery| ()),
        7 => {
            path(rest).and_then(|(account, order)| queue::show(handle, &account, &order).map(drop))
        }
        8 => path(rest).and_then(|(account, order)| dead::show(handle, &account, &order).map(drop)),
        9 => path(rest)
            .and_then(|(account, order)| mappings::show(handle, &account, &order).map(drop)),
        _ => match std::str::from_utf8(rest).ok().and_then(|text| text.parse::<FileId>().ok()) {
            Some(id) => files::show(handle, &id).map(drop),
            None => status::status(handle).map(drop),
        },
    };
    if let Err(error) = said {
        let body = error.body();
        assert!(!body.code.is_empty() && !body.message.is_empty() && !body.next_step.is_empty());
        assert!(!matches!(error, ControlError::Internal), "no request is our own fault");
    }
}

fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ControlError> {
    serde_json::from_slice(bytes).map_err(|error| ControlError::BadRequest(error.to_string()))
}

fn query<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ControlError> {
    let bad = |error: String| ControlError::BadRequest(error);
    let text = std::str::from_utf8(bytes).map_err(|error| bad(error.to_string()))?;
    let uri: Uri = format!("/v1/x?{text}").parse().map_err(|_| bad("not an address".to_owned()))?;
    Query::try_from_uri(&uri).map(|Query(query)| query).map_err(|error| bad(error.body_text()))
}

fn path(bytes: &[u8]) -> Result<(AccountId, OrderId), ControlError> {
    let bad = || ControlError::BadRequest("not a path".to_owned());
    let text = std::str::from_utf8(bytes).map_err(|_| bad())?;
    let (account, order) = text.split_once('/').ok_or_else(bad)?;
    Ok((account.parse().map_err(|_| bad())?, order.parse().map_err(|_| bad())?))
}

/// A store with an account, for the whole process.
fn handle() -> Option<&'static Handle> {
    static HANDLE: OnceLock<Option<Handle>> = OnceLock::new();
    HANDLE.get_or_init(open).as_ref()
}

fn open() -> Option<Handle> {
    let account: AccountId = "eu".parse().ok()?;
    let secret = |byte: u8| Secret::new(Box::new([byte; 32]));
    let keys = StoreKeys::new("m1", secret(1)).ok()?.with_account(account, secret(2));
    let dir = std::env::temp_dir().join(format!("odoo-spoold-fuzz-{}", std::process::id()));
    let store = Store::open(&dir, &keys, StoreOptions::default());
    // Its files stay open, and go with the process.
    let _gone = std::fs::remove_dir_all(&dir);
    let text = include_str!("../../config.example.toml");
    let settings = Settings::parse(std::path::Path::new("config.toml"), text).ok()?;
    let now = Timestamp::from_second(1_763_683_200).ok()?;
    Some(Handle {
        store: Arc::new(store.ok()?),
        settings: Arc::new(RwLock::new(Arc::new(settings))),
        clock: Arc::new(Manual::new(now)),
        desk: Arc::new(Absent { since: now }),
    })
}
