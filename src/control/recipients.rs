//! `GET /v1/recipients`: what files for each account are sealed to. Public keys only.

use axum::Json;
use axum::extract::State;

use super::handle::Handle;
use super::wire::{AccountRecipients, Recipients};

pub(super) async fn get(State(handle): State<Handle>) -> Json<Recipients> {
    let accounts = handle.desk.recipients().into_iter();
    Json(Recipients {
        accounts: accounts
            .map(|(account, recipients)| AccountRecipients { account, recipients })
            .collect(),
    })
}
