//! `GET /v1/hold`, `POST /v1/hold/release` and `POST /v1/hold/decide`: what orders wait for, letting
//! them go, and who is right in a conflict.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};

use crate::model::{Accept, EndedBy, Hold, HoldCode, JobState};
use crate::plan::diff::MARKETPLACE;
use crate::store::{StateName, Waiting};

use super::error::ControlError;
use super::handle::Handle;
use super::peer::Uid;
use super::wire::{Decide, Held, HoldGroup, JobsQuery, Moved, Release};
use super::{blocking, posted, queried, queue};

/// Distinct things that are listed per account and code.
const MAX_KEYS: usize = 100;

pub(super) async fn index(
    State(handle): State<Handle>,
    query: Result<Query<JobsQuery>, QueryRejection>,
) -> Result<Json<Held>, ControlError> {
    let query = queried(query)?;
    blocking(handle, move |handle| list(handle, &query)).await
}

pub(super) async fn post_release(
    State(handle): State<Handle>,
    Uid(by): Uid,
    body: Result<Json<Release>, JsonRejection>,
) -> Result<Json<Moved>, ControlError> {
    let request = posted(body)?;
    blocking(handle, move |handle| release(handle, &request, by)).await
}

pub(super) async fn post_decide(
    State(handle): State<Handle>,
    Uid(by): Uid,
    body: Result<Json<Decide>, JsonRejection>,
) -> Result<Json<Moved>, ControlError> {
    let request = posted(body)?;
    blocking(handle, move |handle| decide(handle, &request, by)).await
}

/// What is held: all groups, and a page of orders. Blocks.
pub fn list(handle: &Handle, query: &JobsQuery) -> Result<Held, ControlError> {
    if query.state.is_some() {
        return Err(ControlError::BadRequest("hold takes no state: all are held".to_owned()));
    }
    let page = queue::page(handle, query, Some(StateName::Held))?;
    let mut groups = Vec::new();
    for (account, tally) in handle.store.counts() {
        if query.account.as_ref().is_some_and(|wanted| *wanted != account) {
            continue;
        }
        for (code, orders) in tally.holds {
            if query.code.is_some_and(|wanted| wanted != code) {
                continue;
            }
            // An account without its key here still shows its counts.
            let (mut keys, more) = match handle.store.held_keys(&account, code, MAX_KEYS) {
                Err(crate::store::StoreError::UnknownAccount { .. }) => (Vec::new(), false),
                keys => keys?,
            };
            keys.sort();
            let ended_by = match code.ended_by() {
                EndedBy::File => "file",
                EndedBy::Odoo => "odoo",
                EndedBy::Person => "person",
            };
            let account = account.clone();
            groups.push(HoldGroup {
                account,
                code,
                ended_by: ended_by.to_owned(),
                orders,
                keys,
                more,
            });
        }
    }
    Ok(Held { groups, page })
}

/// Makes held orders due now, and remembers the decision where two values were compared; durable
/// when it returns. Blocks.
pub fn release(handle: &Handle, request: &Release, by: Option<u32>) -> Result<Moved, ControlError> {
    let account = &request.account;
    handle.known(account)?;
    let which = match (&request.order_id, request.code) {
        (Some(order), None) if request.key.is_none() => {
            let unknown = || handle.unknown_order(account, order);
            let job = handle.store.job(account, order)?.ok_or_else(unknown)?;
            if !matches!(job.state, JobState::Held(_)) {
                let (order_id, state) = (order.clone(), job.state.name());
                return Err(ControlError::NotInState { order_id, state, needed: "held" });
            }
            Waiting::Record(handle.store.key(account, order)?)
        }
        (None, Some(code)) => Waiting::For(account, code, request.key.as_deref()),
        _ => {
            let text = "give either order_id, or code and perhaps key";
            return Err(ControlError::BadRequest(text.to_owned()));
        }
    };
    let orders = handle.store.release_by(which, by, handle.clock.now())?;
    handle.store.barrier()?;
    handle.desk.wake(account);
    Ok(Moved { orders })
}

/// Decides conflicts and makes the orders due now; durable when it returns. Blocks.
pub fn decide(handle: &Handle, request: &Decide, by: Option<u32>) -> Result<Moved, ControlError> {
    let account = &request.account;
    handle.known(account)?;
    let which = match (&request.order_id, request.all) {
        (Some(order), false) => {
            let unknown = || handle.unknown_order(account, order);
            let job = handle.store.job(account, order)?.ok_or_else(unknown)?;
            let (order_id, state) = (order.clone(), job.state.name());
            let JobState::Held(holds) = &job.state else {
                return Err(ControlError::NotInState { order_id, state, needed: "held" });
            };
            let conflicts: Vec<&Hold> =
                holds.iter().filter(|hold| hold.code == HoldCode::Conflict).collect();
            if conflicts.is_empty() {
                let needed = "held for a conflict";
                return Err(ControlError::NotInState { order_id, state, needed });
            }
            if let Some(hold) = conflicts.iter().find(|hold| !decidable(hold, request.accept)) {
                return Err(ControlError::Undecidable { order_id, why: hold.text.clone() });
            }
            if handle.store.dossier(account, order)?.is_none_or(|dossier| dossier.mapping.is_none())
            {
                return Err(ControlError::NotMapped { order_id, state });
            }
            Waiting::Record(handle.store.key(account, order)?)
        }
        (None, true) => Waiting::For(account, HoldCode::Conflict, None),
        _ => return Err(ControlError::BadRequest("give either order_id or all".to_owned())),
    };
    let orders = handle.store.decide(which, request.accept, by, handle.clock.now())?;
    handle.store.barrier()?;
    handle.desk.wake(account);
    Ok(Moved { orders })
}

/// Whether a decision could end it: who the order is, and two reports that disagree, are no values
/// of a field; and the rules an order was created by cannot be written over.
fn decidable(hold: &Hold, accept: Accept) -> bool {
    match hold.key.as_str() {
        "sale.order" | "sales-channel" => false,
        MARKETPLACE => accept == Accept::Odoo,
        _ => true,
    }
}
