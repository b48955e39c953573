//! `GET /v1/queue` and `GET /v1/queue/{account}/{order}`: jobs by state, and all of one order.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};

use crate::model::{AccountId, Head, OrderId};
use crate::store::{Cursor, JobFilter, StateName};

use super::error::ControlError;
use super::handle::Handle;
use super::wire::{AttentionEntry, JobDetail, JobInfo, Jobs, JobsQuery, MappingInfo, RefusedRows};
use super::{OrderPath, blocking, limit, order_path, queried};

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
) -> Result<Json<JobDetail>, ControlError> {
    let (account, order) = order_path(path)?;
    blocking(handle, move |handle| show(handle, &account, &order)).await
}

/// A page of jobs. Blocks.
pub fn list(handle: &Handle, query: &JobsQuery) -> Result<Jobs, ControlError> {
    page(handle, query, query.state.map(StateName::from))
}

/// A page of jobs in this state, whatever the query says.
pub(super) fn page(
    handle: &Handle,
    query: &JobsQuery,
    state: Option<StateName>,
) -> Result<Jobs, ControlError> {
    if let Some(account) = &query.account {
        handle.known(account)?;
    }
    let filter = JobFilter { account: query.account.clone(), state, hold: query.code };
    let after = match &query.after {
        None => None,
        Some(text) => Some(text.parse::<Cursor>().map_err(|error| {
            ControlError::BadRequest(format!("after: {error}; use `next` of the page before"))
        })?),
    };
    let found = handle.store.jobs(&filter, limit(query.limit), after.as_ref())?;
    Ok(Jobs {
        jobs: found.jobs.into_iter().map(|(_, job)| JobInfo::from(job)).collect(),
        unreadable: u64::try_from(found.unreadable.len()).unwrap_or(u64::MAX),
        next: found.next.map(|cursor| cursor.to_string()),
    })
}

/// All of one order, but its buyer. Blocks.
pub fn show(
    handle: &Handle,
    account: &AccountId,
    order: &OrderId,
) -> Result<JobDetail, ControlError> {
    handle.known(account)?;
    let unknown = || handle.unknown_order(account, order);
    let job = handle.store.job(account, order)?.ok_or_else(unknown)?;
    let dossier = handle.store.dossier(account, order)?.ok_or_else(unknown)?;
    let says =
        |flag: fn(&Head) -> bool| dossier.facts.values().any(|standing| flag(&standing.fact.head));
    let invoicing = [
        ("amazon-invoiced", says(|head| head.amazon_invoiced)),
        ("amazon-business", says(|head| head.invoiced_by_amazon_business)),
    ];
    let invoiced_by = invoicing.iter().filter(|(_, said)| *said);
    let invoiced_by = invoiced_by.map(|(name, _)| (*name).to_owned()).collect();
    let reports: BTreeMap<_, _> = dossier
        .facts
        .into_iter()
        .map(|(family, standing)| (family, standing.rank.version))
        .collect();
    let refused = dossier
        .refused
        .into_values()
        .map(|refused| RefusedRows { file: refused.file, faults: refused.faults })
        .collect();
    Ok(JobDetail {
        job: JobInfo::from(job),
        reports,
        refused,
        last_file: dossier.last_file,
        attention: dossier
            .attention
            .into_iter()
            .filter(|entry| entry.dismissed.is_none())
            .map(AttentionEntry::from)
            .collect(),
        released: dossier.released,
        invoiced_by,
        mapping: dossier
            .mapping
            .map(|mapping| MappingInfo::new(account.clone(), order.clone(), mapping)),
        words: handle.store.words_of_refused(account, order)?,
    })
}
