//! Another API key from Odoo itself: `keys rotate odoo` asks here.
//!
//! Odoo 19 (later ones) can make and revoke keys for who has one: `res.users.apikeys.generate` and
//! `revoke`, where the system parameter `base.enable_programmatic_api_keys` allows it or the user is
//! an administrator. Promises: each function is one call that changes something; no error shows a
//! key.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::clock::{Clock as _, System};
use crate::config::{OdooSettings, Settings};
use crate::deliver::{api_key, value};
use crate::model::KeyEnd;
use crate::odoo::{Call, Client, Context, Endpoint, Fault, FaultKind, Find, Writer};

/// A person waits.
const PATIENCE: Duration = Duration::from_secs(45);
/// Odoo refuses an end that is a moment too late by its clock.
const MARGIN_SECS: i64 = 120;
/// What calls from outside need.
const SCOPE: &str = "rpc";

/// An Odoo that knows the user.
#[derive(Debug)]
pub struct Session {
    client: Client,
    uid: i64,
}

/// A key that Odoo made.
#[derive(Debug)]
pub struct NewKey {
    /// The key.
    pub key: SecretString,
    /// When it ends.
    pub end: Timestamp,
}

/// Why there is no other key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// This Odoo makes no keys for callers: make one by hand.
    #[error("this Odoo makes no API keys for programs")]
    NotOffered,
    /// It could, and does not: the words say why.
    #[error("Odoo makes no API key: {words}")]
    Refused {
        /// Odoo's own words; they are about keys, and a person asked for them.
        words: String,
    },
    /// Odoo refuses the key that was to be used.
    #[error("Odoo refuses the API key")]
    Denied,
    /// The answer to the call that makes a key was lost: there may be one that nobody knows.
    #[error("the answer was lost, and with it perhaps a new key: {0}")]
    Lost(String),
    /// Settings that cannot work.
    #[error("{0}")]
    Wrong(String),
    /// A call failed.
    #[error("{0}")]
    Fault(Box<Fault>),
}

impl From<Fault> for KeyError {
    fn from(fault: Fault) -> Self {
        match fault.kind {
            FaultKind::AccessDenied => Self::Denied,
            _ => Self::Fault(Box::new(fault)),
        }
    }
}

/// Proves that Odoo takes `key`.
pub async fn login(settings: &Settings, key: &SecretString) -> Result<Session, KeyError> {
    let client = Client::new(endpoint(&settings.odoo, key.clone()));
    let client = client.map_err(|error| KeyError::Wrong(error.to_string()))?;
    let uid = client.probe().await?.uid;
    Ok(Session { client, uid })
}

fn endpoint(odoo: &OdooSettings, key: SecretString) -> Endpoint {
    let mut endpoint = Endpoint::new(odoo.url.as_str(), &odoo.database, &odoo.login, key);
    endpoint.ca_file.clone_from(&odoo.ca_file);
    endpoint.limit_time_real = odoo.limit_time_real.min(PATIENCE);
    endpoint
}

impl Session {
    /// The user's keys whose names begin with `prefix`, and their ends.
    pub async fn named(&self, prefix: &str) -> Result<Vec<(String, KeyEnd)>, KeyError> {
        let domain = json!([["user_id", "=", self.uid]]);
        let (fields, all) = (["name", api_key::END], Find::default());
        let listed = self.client.search_read(api_key::MODEL, domain, &fields, &all, user()).await?;
        let keys = listed
            .iter()
            .map(|key| (value::text(key, "name"), api_key::end(key).unwrap_or_default()));
        Ok(keys.filter(|(name, _)| name.starts_with(prefix)).collect())
    }

    /// Has Odoo make a key that lives so many days; `old` is the one in use.
    pub async fn generate(
        &self,
        old: &SecretString,
        name: &str,
        days: u16,
    ) -> Result<NewKey, KeyError> {
        let now = self.client.server_time().unwrap_or_else(|| System.now());
        let seconds = i64::from(days).saturating_mul(86_400).saturating_sub(MARGIN_SECS);
        let end = now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
        // Odoo keeps no parts of a second.
        let end = Timestamp::from_second(end.as_second()).unwrap_or(end);
        let call = Call::new(api_key::MODEL, "generate", user())
            .leading("key", old.expose_secret())
            .leading("scope", SCOPE)
            .leading("name", name)
            .leading("expiration_date", end.strftime("%Y-%m-%d %H:%M:%S").to_string());
        match Writer::on(&self.client).call(call).await {
            Ok(reply) => match reply.value {
                Value::String(key) if !key.is_empty() => Ok(NewKey { key: key.into(), end }),
                _ => Err(KeyError::Lost("Odoo answered without a key".to_owned())),
            },
            Err(fault) if fault.ambiguous => Err(KeyError::Lost(fault.to_string())),
            Err(fault) => Err(match fault.kind {
                FaultKind::MissingMethod | FaultKind::MissingModel => KeyError::NotOffered,
                FaultKind::UserError | FaultKind::Validation | FaultKind::AccessError => {
                    KeyError::Refused { words: fault.words.expose().to_owned() }
                }
                _ => KeyError::from(fault),
            }),
        }
    }

    /// Ends `old` in Odoo; also well if it is no key any more.
    pub async fn revoke(&self, old: &SecretString) -> Result<(), KeyError> {
        let call = Call::new(api_key::MODEL, "revoke", user()).leading("key", old.expose_secret());
        match Writer::on(&self.client).call(call).await {
            Ok(_) => Ok(()),
            // We are let in by another key: it is the old one that Odoo does not know.
            Err(fault) if fault.kind == FaultKind::AccessDenied => Ok(()),
            Err(fault) => Err(match fault.kind {
                FaultKind::MissingMethod | FaultKind::MissingModel => KeyError::NotOffered,
                FaultKind::UserError | FaultKind::AccessError => {
                    KeyError::Refused { words: fault.words.expose().to_owned() }
                }
                _ => KeyError::from(fault),
            }),
        }
    }
}

fn user() -> Context {
    Context::user()
}
