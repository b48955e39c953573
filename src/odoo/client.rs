//! The client: one method, one request.
//!
//! Cheap to clone; clones share the connection pool, the chosen dialect and the server's clock.
//! Promises: nothing is sent twice, nothing of an answer is logged, nothing is changed in Odoo: that
//! takes a [`Writer`](super::Writer). Does not chunk, retry or wait.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::call::{Call, Context, Find, Record, Reply};
use super::endpoint::{Endpoint, EndpointError};
use super::fault::{Fault, Symptom};
use super::kind::FaultKind;
use super::meter::Meter;
use super::probe::{self, Dialect, Server, Session};
use super::wire::{self, Answer};
use super::{json2, jsonrpc};

/// A connection to one Odoo database as one user.
#[derive(Clone)]
pub struct Client(Arc<Shared>, Option<Arc<Meter>>);

struct Shared {
    endpoint: Endpoint,
    url: Url,
    http: reqwest::Client,
    session: RwLock<Option<Session>>,
    clock: RwLock<Option<Timestamp>>,
    /// The same, where it is another host's, and when it was heard.
    witness: RwLock<Option<(Timestamp, Instant)>>,
    /// This URL and database gave an answer that only they can give.
    answered: AtomicBool,
}

impl Client {
    /// Checks the endpoint; connects to nothing.
    pub fn new(endpoint: Endpoint) -> Result<Self, EndpointError> {
        let url = endpoint.checked_url()?;
        let http = endpoint.http_client(&url)?;
        let answered = AtomicBool::new(endpoint.answered_before);
        Ok(Self(
            Arc::new(Shared {
                endpoint,
                url,
                http,
                session: RwLock::default(),
                clock: RwLock::default(),
                witness: RwLock::default(),
                answered,
            }),
            None,
        ))
    }

    /// The same client, and a meter of the calls made through this clone.
    pub fn metered(&self) -> (Self, Arc<Meter>) {
        let meter = Arc::new(Meter::default());
        (Self(Arc::clone(&self.0), Some(Arc::clone(&meter))), meter)
    }

    /// Where this client goes.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// Asks the server who it is and whether it knows us, and chooses the dialect; again each time.
    pub async fn probe(&self) -> Result<Server, Fault> {
        let (server, session) = probe::run(self).await?;
        *self.0.session.write().unwrap_or_else(PoisonError::into_inner) = Some(session);
        Ok(server)
    }

    /// The version the server tells anybody: proves that it is there and is Odoo, without a
    /// database and without the key. Empty if it tells nobody.
    pub async fn server_version(&self) -> Result<String, Fault> {
        probe::version(self).await
    }

    /// Our user's id, once a probe has told it.
    pub fn uid(&self) -> Option<i64> {
        let session = *self.0.session.read().unwrap_or_else(PoisonError::into_inner);
        session.map(|session| session.uid)
    }

    /// The server's clock in its last answer.
    pub fn server_time(&self) -> Option<Timestamp> {
        *self.0.clock.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What another host's clock says now, by the last answer that came from one.
    pub fn time_elsewhere(&self) -> Option<Timestamp> {
        let (date, heard) = (*self.0.witness.read().unwrap_or_else(PoisonError::into_inner))?;
        date.checked_add(heard.elapsed()).ok()
    }

    /// Whether this URL and database ever answered; worth keeping for
    /// [`Endpoint::answered_before`].
    pub fn has_answered(&self) -> bool {
        self.0.answered.load(Ordering::Relaxed)
    }

    /// One call that only reads; anything else is refused here and never sent: what changes
    /// something goes through a [`Writer`](super::Writer). Probes first if nothing is known of the
    /// server yet.
    pub async fn call(&self, call: Call<'_>) -> Result<Reply, Fault> {
        if !call.only_reads() {
            return Err(Fault::new(FaultKind::BadRequest, false));
        }
        self.send(call).await
    }

    /// One call, whatever it does.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Reply, Fault> {
        let known = *self.0.session.read().unwrap_or_else(PoisonError::into_inner);
        let session = if let Some(session) = known {
            session
        } else {
            let (_, session) = probe::run(self).await?;
            *self.0.session.write().unwrap_or_else(PoisonError::into_inner) = Some(session);
            session
        };
        self.call_in(session, call).await
    }

    /// `search_read`: fields of the records that match. A very long domain is the caller's to cut.
    pub async fn search_read(
        &self,
        model: &str,
        domain: Value,
        fields: &[&str],
        find: &Find<'_>,
        context: Context,
    ) -> Result<Vec<Record>, Fault> {
        let call =
            found(Call::new(model, "search_read", context), domain, find).named("fields", fields);
        records(self.call(call).await?.value)
    }

    /// `search`: ids only.
    pub async fn search(
        &self,
        model: &str,
        domain: Value,
        find: &Find<'_>,
        context: Context,
    ) -> Result<Vec<i64>, Fault> {
        let call = found(Call::new(model, "search", context), domain, find);
        ids(&self.call(call).await?.value)
    }

    /// `read`: Odoo leaves records out that do not exist.
    pub async fn read(
        &self,
        model: &str,
        ids: &[i64],
        fields: &[&str],
        context: Context,
    ) -> Result<Vec<Record>, Fault> {
        let call = Call::new(model, "read", context).on(ids).named("fields", fields);
        records(self.call(call).await?.value)
    }

    /// External ids (`module.name`) of records that have one; of several Odoo tells the oldest.
    pub async fn get_external_id(
        &self,
        model: &str,
        ids: &[i64],
        context: Context,
    ) -> Result<BTreeMap<i64, String>, Fault> {
        let call = Call::new(model, "get_external_id", context).on(ids);
        let Value::Object(told) = self.call(call).await?.value else {
            return Err(Fault::bad_answer("no external ids"));
        };
        let mut found = BTreeMap::new();
        for (id, name) in told {
            let (Ok(id), Value::String(name)) = (id.parse(), name) else {
                return Err(Fault::bad_answer("no external ids"));
            };
            if !name.is_empty() {
                found.insert(id, name);
            }
        }
        Ok(found)
    }

    /// Fields of a model with these attributes (`type`, `relation`, `required`, …).
    pub async fn fields_get(
        &self,
        model: &str,
        attributes: &[&str],
        context: Context,
    ) -> Result<Record, Fault> {
        let call = Call::new(model, "fields_get", context).named("attributes", attributes);
        match self.call(call).await?.value {
            Value::Object(fields) => Ok(fields),
            _ => Err(Fault::bad_answer("no fields")),
        }
    }

    /// Model and id behind an external id: `None` if there is no such id, `(model, None)` if there
    /// is but the record is not visible for us.
    pub async fn check_object_reference(
        &self,
        module: &str,
        name: &str,
        context: Context,
    ) -> Result<Option<(String, Option<i64>)>, Fault> {
        let call = Call::new("ir.model.data", "check_object_reference", context)
            .leading("module", module)
            .leading("xml_id", name);
        let value = match self.call(call).await {
            Ok(reply) => reply.value,
            Err(fault) if fault.exception.as_deref() == Some("builtins.ValueError") => {
                return Ok(None);
            }
            Err(fault) => return Err(fault),
        };
        let model = value.get(0).and_then(Value::as_str).map(str::to_owned);
        let model = model.ok_or_else(|| Fault::bad_answer("no reference"))?;
        Ok(Some((model, value.get(1).and_then(Value::as_i64))))
    }

    // --- for the probe ---

    pub(super) fn key(&self) -> &str {
        self.0.endpoint.api_key.expose_secret()
    }

    /// A call in a dialect that need not be the remembered one.
    pub(super) async fn call_in(&self, session: Session, call: Call<'_>) -> Result<Reply, Fault> {
        if !call.has_clean_names() {
            return Err(Fault::new(FaultKind::BadRequest, false));
        }
        let (model, method) = (call.model, call.method);
        let answer = match session.dialect {
            Dialect::JsonRpc => {
                let database = &self.0.endpoint.database;
                let body = jsonrpc::call_body(call, database, session.uid, self.key());
                self.post(jsonrpc::PATH, &body, Dialect::JsonRpc).await
            }
            Dialect::Json2 => {
                let path = json2::path(&call);
                self.post(&path, &json2::call_body(call), Dialect::Json2).await
            }
        };
        let answer = answer.map_err(|fault| fault.of(method))?;
        let asked = self.asked(model, method);
        let value = match session.dialect {
            Dialect::JsonRpc => jsonrpc::result(&answer, &asked)?,
            Dialect::Json2 => json2::result(&answer, &asked)?,
        };
        self.0.answered.store(true, Ordering::Relaxed);
        Ok(Reply { value, took: answer.took })
    }

    /// A JSON-RPC service call, which needs no user.
    pub(super) async fn post_service(&self, body: &Value, method: &str) -> Result<Value, Fault> {
        let answer = self.post(jsonrpc::PATH, body, Dialect::JsonRpc).await?;
        jsonrpc::result(&answer, &self.asked("common", method))
    }

    /// A public page.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, Fault> {
        let answer =
            wire::exchange(self.0.http.get(self.address(path)), self.0.endpoint.max_response_bytes)
                .await;
        self.heard(answer)
    }

    async fn post(&self, path: &str, body: &Value, dialect: Dialect) -> Result<Answer, Fault> {
        let mut request = self.0.http.post(self.address(path)).json(body);
        if dialect == Dialect::Json2 {
            let header = |text: &str| HeaderValue::from_bytes(text.as_bytes());
            let (Ok(mut bearer), Ok(database)) =
                (header(&format!("bearer {}", self.key())), header(&self.0.endpoint.database))
            else {
                return Err(Fault::new(FaultKind::BadRequest, false));
            };
            bearer.set_sensitive(true);
            request = request.header("Authorization", bearer).header("X-Odoo-Database", database);
        }
        self.heard(wire::exchange(request, self.0.endpoint.max_response_bytes).await)
    }

    fn heard(&self, answer: Result<Answer, Fault>) -> Result<Answer, Fault> {
        let answer = answer?;
        if let Some(meter) = &self.1 {
            meter.took(answer.took);
        }
        if answer.date.is_some() {
            *self.0.clock.write().unwrap_or_else(PoisonError::into_inner) = answer.date;
        }
        if let (Some(date), true) = (answer.date, answer.elsewhere) {
            *self.0.witness.write().unwrap_or_else(PoisonError::into_inner) =
                Some((date, Instant::now()));
        }
        Ok(answer)
    }

    fn address(&self, path: &str) -> Url {
        let mut url = self.0.url.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}{path}"));
        url
    }

    fn asked<'a>(&'a self, model: &'a str, method: &'a str) -> Symptom<'a> {
        Symptom {
            model,
            method,
            database: &self.0.endpoint.database,
            answered: self.has_answered(),
            ..Symptom::default()
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.0.url.as_str())
            .field("database", &self.0.endpoint.database)
            .finish_non_exhaustive()
    }
}

/// Domain leads (it is called `args` in 14), the rest has had its name since.
fn found<'a>(call: Call<'a>, domain: Value, find: &Find<'_>) -> Call<'a> {
    let mut call = call.leading("domain", domain);
    if let Some(limit) = find.limit {
        call = call.named("limit", limit);
    }
    if let Some(order) = find.order {
        call = call.named("order", order);
    }
    if find.archived_too {
        call.context = call.context.with("active_test", json!(false));
    }
    call
}

fn records(value: Value) -> Result<Vec<Record>, Fault> {
    let odd = || Fault::bad_answer("no list of records");
    let Value::Array(list) = value else { return Err(odd()) };
    list.into_iter()
        .map(|one| match one {
            Value::Object(record) => Ok(record),
            _ => Err(odd()),
        })
        .collect()
}

fn ids(value: &Value) -> Result<Vec<i64>, Fault> {
    let list = value.as_array().and_then(|list| list.iter().map(Value::as_i64).collect());
    list.ok_or_else(|| Fault::bad_answer("no list of ids"))
}
