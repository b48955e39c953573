//! The Odoo server, its database and the integration user.
//!
//! Each step only makes sense after the one before it: reachable, version, database, login. A key
//! that Odoo refuses is tried once: it locks out who knocks too often. Writes nothing.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use super::report::{Area, Sheet};
use crate::clock::{Clock as _, System};
use crate::config::{Keys, OdooSettings, Settings};
use crate::odoo::{Call, Client, Context, Dialect, Endpoint, Fault, FaultKind, Server};

/// Versions that are proven.
const OLDEST: u32 = 14;
const NEWEST: u32 = 19;
/// From here on `has_access` and `has_group` are methods of records.
const MODERN: u32 = 18;
/// A person waits: a call may take so long, whatever the daemon would grant it.
const PATIENCE: Duration = Duration::from_secs(45);
/// Clocks may differ by this much: the Date header has whole seconds and answers take time.
const CLOCK_TOLERANCE_SECS: u64 = 30;

/// An Odoo that knows us.
#[derive(Debug)]
pub(super) struct Connected {
    /// Speaks to it.
    pub(super) client: Client,
    /// What the probe told.
    pub(super) server: Server,
    /// Access is asked for the way 18 and later want it.
    pub(super) modern: bool,
}

/// Goes as far as it gets; none where nothing more can be asked.
pub(super) async fn connect(
    settings: &Settings,
    keys: Option<&Keys>,
    sheet: &mut Sheet,
) -> Option<Connected> {
    let odoo = &settings.odoo;
    // The version is asked for without a key, so it can be had before there is one.
    let key = keys.map_or_else(|| SecretString::from("none"), |keys| keys.api_key.clone());
    let client = match Client::new(endpoint(odoo, key)) {
        Ok(client) => client,
        Err(error) => {
            let next = "correct it in [odoo] of the settings or in the keys";
            sheet.misconfigured(Area::Server, "address", error.to_string(), next);
            return None;
        }
    };
    let told = match client.server_version().await {
        Ok(told) => told,
        Err(fault) => {
            let (detail, next) = (format!("{}: {fault}", odoo.url), fault.next_step());
            sheet.fail(Area::Server, "reachable", detail, next);
            return None;
        }
    };
    let how = match (odoo.url.as_str().starts_with("https"), &odoo.ca_file) {
        (true, Some(ca)) => format!("encrypted, trusting {} too", ca.display()),
        (true, None) => "encrypted".to_owned(),
        (false, _) => "on this host, not encrypted".to_owned(),
    };
    sheet.ok(Area::Server, "reachable", format!("{}, {how}", odoo.url));
    if keys.is_none() {
        version(&told, None, sheet);
        clock(&client, sheet);
        let next = "mend the keys first, then run this again";
        sheet.warn(Area::Server, "database", "not tried without an API key", next);
        return None;
    }
    let probed = client.probe().await;
    version(&told, probed.as_ref().ok(), sheet);
    clock(&client, sheet);
    match probed {
        Ok(server) => {
            sheet.ok(Area::Server, "database", format!("\"{}\"", odoo.database));
            let modern = modern(&client, &server).await;
            Some(Connected { client, server, modern })
        }
        Err(fault) => {
            refused(odoo, keys, &fault, sheet);
            None
        }
    }
}

fn endpoint(odoo: &OdooSettings, key: SecretString) -> Endpoint {
    let mut endpoint = Endpoint::new(odoo.url.as_str(), &odoo.database, &odoo.login, key);
    endpoint.ca_file.clone_from(&odoo.ca_file);
    endpoint.limit_time_real = odoo.limit_time_real.min(PATIENCE);
    endpoint
}

fn version(told: &str, server: Option<&Server>, sheet: &mut Sheet) {
    let dialect = match server.map(|server| server.dialect) {
        Some(Dialect::Json2) => ", JSON-2 with the key in a header",
        Some(Dialect::JsonRpc) => ", JSON-RPC",
        None => "",
    };
    let number = told.trim_start_matches(|c: char| !c.is_ascii_digit());
    let number = number.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    let detail = format!("Odoo {told}{dialect}");
    match number.parse::<u32>() {
        Ok(OLDEST..=NEWEST) => sheet.ok(Area::Server, "version", detail),
        Ok(newer) if newer > NEWEST => {
            let next = "look for a newer odoo-spoold; try this one on a copy of the database first";
            sheet.warn(Area::Server, "version", format!("{detail}: newer than proven"), next);
        }
        Ok(_) => {
            let next = format!("Odoo {OLDEST} to {NEWEST} are supported");
            sheet.fail(Area::Server, "version", detail, next);
        }
        Err(_) => {
            let detail = format!("the server does not tell{dialect}");
            let next = "nothing, if a proxy hides it on purpose; else let /jsonrpc through";
            sheet.warn(Area::Server, "version", detail, next);
        }
    }
}

/// The Date header against this host's clock.
fn clock(client: &Client, sheet: &mut Sheet) {
    let Some(theirs) = client.server_time() else {
        let next = "let the proxy pass the Date header: it is a witness for the age of keys";
        sheet.warn(Area::Server, "clock", "answers carry no date", next);
        return;
    };
    let apart = System.now().duration_since(theirs).unsigned_abs();
    let seconds = apart.as_secs();
    if seconds <= CLOCK_TOLERANCE_SECS {
        sheet.ok(Area::Server, "clock", format!("within {CLOCK_TOLERANCE_SECS} s of this host's"));
    } else {
        sheet.warn(
            Area::Server,
            "clock",
            format!("{seconds} s apart from this host's"),
            "let both hosts follow NTP (timedatectl set-ntp true)",
        );
    }
}

/// The server is there, and did not let us in.
fn refused(odoo: &OdooSettings, keys: Option<&Keys>, fault: &Fault, sheet: &mut Sheet) {
    let database = format!("\"{}\"", odoo.database);
    match fault.kind {
        FaultKind::AccessDenied => {
            // Both dialects look for the database before they look at the key.
            sheet.ok(Area::Server, "database", database);
            let now = System.now();
            if !keys.is_some_and(|keys| super::key_end::ended(keys, now, sheet)) {
                sheet.fault(Area::User, "login", fault);
            }
        }
        FaultKind::AccessError => sheet.fault(Area::User, "login", fault),
        _ => {
            let (detail, next) = (format!("{database}: {fault}"), fault.next_step());
            sheet.fail(Area::Server, "database", detail, next);
        }
    }
}

/// A server that hides its version is asked for something only newer ones have.
async fn modern(client: &Client, server: &Server) -> bool {
    if server.major > 0 {
        return server.major >= MODERN;
    }
    let call = Call::new("res.users", "has_access", Context::user()).on(&[]);
    client.call(call.leading("operation", "read")).await.is_ok()
}

/// Who we are there.
pub(super) async fn user(odoo: &Connected, sheet: &mut Sheet) {
    let server = &odoo.server;
    let login = &odoo.client.endpoint().login;
    sheet.ok(Area::User, "login", format!("{login}, user {}", server.uid));
    let language = match server.user_lang.as_deref() {
        None | Some("en_US") => "en_US".to_owned(),
        Some(other) => format!("{other}: fine, every call asks for English"),
    };
    sheet.ok(Area::User, "language", language);
    sheet.ok(Area::User, "companies", format!("may work for {}", server.company_ids.len()));
    if let Ok(true) = odoo.has_group("base.group_system").await {
        sheet.warn(
            Area::User,
            "administrator",
            "may change Odoo's settings: more than is needed",
            "take Administration away, or use a user of its own for the daemon",
        );
    }
    let all = "sales_team.group_sale_salesman_all_leads";
    match odoo.has_group(all).await {
        Ok(true) => sheet.ok(Area::User, "sees all orders", "Sales: all documents"),
        Ok(false) => sheet.warn(
            Area::User,
            "sees all orders",
            "the user may see only its own orders: orders made by others could be doubled",
            "give the user Sales / User: All Documents",
        ),
        Err(fault) => sheet.fault(Area::User, "sees all orders", &fault),
    }
}

// === impl Connected ===

impl Connected {
    /// Whether our user has a group.
    pub(super) async fn has_group(&self, group: &str) -> Result<bool, Fault> {
        let own = [self.server.uid];
        let call = Call::new("res.users", "has_group", Context::user());
        let call = if self.modern { call.on(&own) } else { call };
        self.client.call(call.leading("group_ext_id", group)).await.map(|reply| truth(&reply.value))
    }

    /// Whether our user may do this with records of this model, record rules aside.
    pub(super) async fn may(&self, model: &str, operation: &str) -> Result<bool, Fault> {
        let context = Context::user();
        let call = if self.modern {
            Call::new(model, "has_access", context).on(&[]).leading("operation", operation)
        } else {
            Call::new(model, "check_access_rights", context)
                .leading("operation", operation)
                .named("raise_exception", false)
        };
        self.client.call(call).await.map(|reply| truth(&reply.value))
    }
}

/// 14 answers some of these with a number.
fn truth(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_i64().is_some_and(|number| number != 0))
}
