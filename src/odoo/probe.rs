//! Which Odoo is this, and does it know us?
//!
//! Asks the version without a database (`/json/version` from 19, `common.version` before), then
//! proves key, login and database in the dialect that fits: JSON-2 from 19 where it really answers,
//! else JSON-RPC. Reads the user's own record. Writes nothing.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::{Call, Context};
use super::client::Client;
use super::fault::Fault;
use super::jsonrpc;
use super::kind::FaultKind;

/// First version that speaks JSON-2.
const JSON2_SINCE: u32 = 19;
/// What is read of our own user; every user may read these of itself.
const USER_FIELDS: [&str; 5] = ["login", "lang", "tz", "company_id", "company_ids"];

/// How calls are put into HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST /jsonrpc`, key in the body.
    JsonRpc,
    /// `POST /json/2/…`, key in a header.
    Json2,
}

/// The server that answered a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// As the server writes it, e.g. `19.0` or `saas~18.2`; empty if it tells nobody.
    pub version: String,
    /// Its first number; 0 if it tells nobody.
    pub major: u32,
    /// The dialect used from now on.
    pub dialect: Dialect,
    /// Our user.
    pub uid: i64,
    /// Its language setting, if any.
    pub user_lang: Option<String>,
    /// Its time zone setting, if any.
    pub user_tz: Option<String>,
    /// Its default company.
    pub company_id: Option<i64>,
    /// The companies it may work for.
    pub company_ids: Vec<i64>,
    /// The server's clock in its last answer.
    pub server_time: Option<Timestamp>,
}

/// Who we are in which dialect: all that a call needs to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    pub(super) dialect: Dialect,
    pub(super) uid: i64,
}

/// The whole probe.
pub(super) async fn run(client: &Client) -> Result<(Server, Session), Fault> {
    let version = version(client).await?;
    let major = major(&version);
    let session = match client.endpoint().dialect {
        Some(Dialect::Json2) => bearer(client).await?,
        // A server that hides its version may still speak JSON-2.
        None if major >= JSON2_SINCE || major == 0 => match bearer(client).await {
            // Also said where only the route is missing: the older door tells which it is.
            Err(fault) if is_absent(&fault) => authenticate(client).await?,
            other => other?,
        },
        Some(Dialect::JsonRpc) | None => authenticate(client).await?,
    };
    let user = own_user(client, session).await?;
    let text = |field: &str| user.get(field).and_then(Value::as_str).map(str::to_owned);
    let login = text("login").unwrap_or_default();
    if login != client.endpoint().login {
        let cause = Some("the key belongs to another user than odoo.login".to_owned());
        return Err(Fault { cause, ..Fault::new(FaultKind::AccessDenied, false) });
    }
    let companies = user.get("company_ids").and_then(Value::as_array);
    let server = Server {
        version,
        major,
        dialect: session.dialect,
        uid: session.uid,
        user_lang: text("lang"),
        user_tz: text("tz"),
        company_id: user.get("company_id").and_then(many2one_id),
        company_ids: companies
            .map(|ids| ids.iter().filter_map(Value::as_i64).collect())
            .unwrap_or_default(),
        server_time: client.server_time(),
    };
    Ok((server, session))
}

/// The version the server tells anybody; empty where a proxy keeps it from telling.
pub(super) async fn version(client: &Client) -> Result<String, Fault> {
    let answer = client.get("/json/version").await?;
    if answer.status == 200
        && let Some(told) = answer.json()
        && let Some(version) = told.get("version").and_then(Value::as_str)
    {
        return Ok(version.to_owned());
    }
    let body = jsonrpc::service_body("common", "version", json!([]));
    match client.post_service(&body, "version").await {
        Ok(told) => {
            let version = told.get("server_version").and_then(Value::as_str);
            version.map(str::to_owned).ok_or_else(|| Fault::bad_answer("no version"))
        }
        Err(fault) if is_absent(&fault) || fault.kind == FaultKind::AccessDenied => {
            Ok(String::new())
        }
        Err(fault) => Err(fault),
    }
}

fn is_absent(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::NoDatabase | FaultKind::DatabaseGone)
}

/// JSON-2: whoever the key belongs to.
async fn bearer(client: &Client) -> Result<Session, Fault> {
    let session = Session { dialect: Dialect::Json2, uid: 0 };
    let call = Call::new("res.users", "context_get", Context::user());
    let reply = client.call_in(session, call).await?;
    let uid = reply.value.get("uid").and_then(Value::as_i64);
    let uid = uid.ok_or_else(|| Fault::bad_answer("no user id"))?;
    Ok(Session { uid, ..session })
}

/// JSON-RPC: login and key; a refusal is the answer `false`.
async fn authenticate(client: &Client) -> Result<Session, Fault> {
    let endpoint = client.endpoint();
    let args = json!([endpoint.database, endpoint.login, client.key(), {}]);
    let body = jsonrpc::service_body("common", "authenticate", args);
    match client.post_service(&body, "authenticate").await? {
        Value::Number(uid) => {
            let uid = uid.as_i64().ok_or_else(|| Fault::bad_answer("no user id"))?;
            Ok(Session { dialect: Dialect::JsonRpc, uid })
        }
        Value::Bool(false) => Err(Fault::new(FaultKind::AccessDenied, false)),
        _ => Err(Fault::bad_answer("no user id")),
    }
}

async fn own_user(client: &Client, session: Session) -> Result<super::Record, Fault> {
    let ids = [session.uid];
    let call = Call::new("res.users", "read", Context::user())
        .on(&ids)
        .named("fields", USER_FIELDS.as_slice());
    match client.call_in(session, call).await?.value {
        Value::Array(users) => match users.into_iter().next() {
            Some(Value::Object(user)) => Ok(user),
            _ => Err(Fault::new(FaultKind::AccessDenied, false)),
        },
        _ => Err(Fault::bad_answer("no user")),
    }
}

/// `[7, "Name"]` or `7`.
fn many2one_id(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.get(0).and_then(Value::as_i64))
}

/// The first number in `19.0`, `saas~18.2+e`, `14.0-20231106`.
fn major(version: &str) -> u32 {
    let digits: String = version
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn majors() {
        assert_eq!(major("19.0"), 19);
        assert_eq!(major("saas~18.2+e"), 18);
        assert_eq!(major("14.0-20231106"), 14);
        assert_eq!(major(""), 0);
        assert_eq!(major("master"), 0);
        assert_eq!(major("99999999999999"), 0);
    }
}
