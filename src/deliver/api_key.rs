//! When our API key ends: what Odoo tells of it, and what a refused login means once it has.
//!
//! Odoo lists the keys of a user to that user, without saying which is which; one that has ended
//! it refuses, and its daily cleaning deletes it. Asks, and writes nothing.

use std::sync::PoisonError;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Delivery;
use super::gate::Gate;
use super::value;
use crate::model::{KeyEnd, KeyReading, OdooId};
use crate::odoo::{Client, Context, Fault, FaultKind, Find, Record};

/// The keys of Odoo's users.
pub const MODEL: &str = "res.users.apikeys";
/// What tells when one ends; Odoo has it since 18.
pub(crate) const END: &str = "expiration_date";
/// Orders may be waiting for the connection.
const PATIENCE: Duration = Duration::from_secs(30);
/// The code of an account whose key has ended.
pub(super) const ENDED: &str = "api-key-ended";
/// What helps then.
pub const ENDED_NEXT: &str = "make a new key in Odoo as the integration user (Preferences, Account \
     Security), `odoo-spoold setup --odoo-api-key-file FILE`, then `systemctl restart odoo-spoold`";

/// Asks Odoo when the key of the user `uid` ends that `client` uses; `noted` is what somebody
/// wrote down.
pub async fn read(client: &Client, uid: OdooId, noted: KeyEnd) -> Result<KeyReading, Fault> {
    let hidden = |fault: Fault| match fault.kind {
        FaultKind::AccessError | FaultKind::RecordRule | FaultKind::MissingModel => {
            Ok(KeyReading::Hidden)
        }
        _ => Err(fault),
    };
    let fields = match client.fields_get(MODEL, &["type"], Context::user()).await {
        Ok(fields) => fields,
        Err(fault) => return hidden(fault),
    };
    if !fields.contains_key(END) {
        return Ok(KeyReading::Sure(KeyEnd::Never));
    }
    let own = json!([["user_id", "=", uid]]);
    let all = Find::default();
    let asked = client.search_read(MODEL, own, &["scope", END], &all, Context::user()).await;
    let listed = match asked {
        Ok(listed) => listed,
        Err(fault) => return hidden(fault),
    };
    let ends: Option<Vec<KeyEnd>> = listed.iter().filter(|key| opens_us(key)).map(end).collect();
    let Some(mut ends) = ends else { return Ok(KeyReading::Hidden) };
    // One that has ended cannot be the one that Odoo just took.
    let now = client.server_time();
    ends.retain(|end| now.is_none_or(|now| !end.is_past(now)));
    Ok(KeyReading::of(&ends, noted))
}

/// Whether a key is good for calls from outside.
fn opens_us(key: &Record) -> bool {
    match key.get("scope") {
        Some(Value::String(scope)) => scope.is_empty() || scope == "rpc",
        _ => true,
    }
}

/// `None` where Odoo's text is no instant.
pub(crate) fn end(key: &Record) -> Option<KeyEnd> {
    let text = value::text(key, END);
    if text.is_empty() {
        return Some(KeyEnd::Never);
    }
    let at: jiff::civil::DateTime = text.parse().ok()?;
    let at = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(KeyEnd::At(at.timestamp()))
}

impl Delivery {
    /// When the key of the present client ends, as far as it is known.
    pub fn know_key_end(&self, end: KeyEnd) {
        *self.key_end.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    /// Whether Odoo has let the present client in.
    pub fn is_let_in(&self) -> bool {
        self.client().uid().is_some()
    }

    /// Asks Odoo when it ends. None: not now, because work has all connections, or there is no
    /// account that Odoo may be asked for.
    pub async fn read_key_end(&self, noted: KeyEnd) -> Option<Result<KeyReading, Fault>> {
        if !self.gates().values().any(|gate| *gate == Gate::Open) {
            return None;
        }
        let permit = self.connection()?;
        let client = self.client();
        let asked = tokio::time::timeout(PATIENCE, async {
            let uid = match client.uid() {
                Some(uid) => uid,
                None => client.probe().await?.uid,
            };
            read(&client, uid, noted).await
        });
        let told = asked.await.ok();
        drop(permit);
        self.wake_all();
        told
    }

    /// Whether Odoo refuses us because the key has ended, by this clock or its own.
    pub(super) fn key_has_ended(&self, now: Timestamp) -> bool {
        let end = *self.key_end.lock().unwrap_or_else(PoisonError::into_inner);
        end.is_past(now) || self.client().server_time().is_some_and(|there| end.is_past(there))
    }
}
