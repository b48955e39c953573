//! `GET /v1/map/{account}/{order_id}`: which record in Odoo an order is.

use axum::Json;
use axum::extract::State;

use crate::model::{AccountId, OrderId};

use super::error::ControlError;
use super::handle::Handle;
use super::wire::MappingInfo;
use super::{OrderPath, blocking, order_path, queue};

pub(super) async fn get(
    State(handle): State<Handle>,
    path: OrderPath,
) -> Result<Json<MappingInfo>, ControlError> {
    let (account, order) = order_path(path)?;
    blocking(handle, move |handle| show(handle, &account, &order)).await
}

/// The order in Odoo. Blocks.
pub fn show(
    handle: &Handle,
    account: &AccountId,
    order: &OrderId,
) -> Result<MappingInfo, ControlError> {
    let detail = queue::show(handle, account, order)?;
    let state = detail.job.state.name();
    detail.mapping.ok_or_else(|| ControlError::NotMapped { order_id: order.clone(), state })
}
