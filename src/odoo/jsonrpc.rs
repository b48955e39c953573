//! JSON-RPC: `POST /jsonrpc`, `execute_kw`. Odoo 14 … 18, and 19 where JSON-2 does not answer.
//!
//! Bytes only: builds bodies and reads answers, knows nothing of connections. Every answer is HTTP
//! 200; a method without a result leaves the `result` key away.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::call::Call;
use super::fault::{Fault, Symptom};
use super::wire::Answer;

pub(super) const PATH: &str = "/jsonrpc";

/// The body of a call of `service.method`.
#[expect(clippy::needless_pass_by_value, reason = "json! moves it into the body")]
pub(super) fn service_body(service: &str, method: &str, args: Value) -> Value {
    let params = json!({ "service": service, "method": method, "args": args });
    json!({ "jsonrpc": "2.0", "method": "call", "id": 1, "params": params })
}

/// The body of a model call.
pub(super) fn call_body(call: Call<'_>, database: &str, uid: i64, key: &str) -> Value {
    let mut positional = Vec::new();
    if let Some(ids) = call.ids {
        positional.push(Value::from(ids));
    }
    positional.extend(call.leading.into_iter().map(|(_, value)| value));
    let mut named = call.named;
    named.insert("context".to_owned(), call.context.into_value());
    let args = json!([database, uid, key, call.model, call.method, positional, named]);
    service_body("object", "execute_kw", args)
}

#[derive(Deserialize)]
struct Envelope {
    jsonrpc: Option<IgnoredAny>,
    #[serde(default)]
    result: Value,
    error: Option<RpcError>,
}

#[derive(Deserialize)]
struct RpcError {
    data: Option<ErrorData>,
}

/// `debug` holds a traceback with values: it is not even parsed.
#[derive(Deserialize)]
struct ErrorData {
    name: Option<String>,
    message: Option<Value>,
}

/// The result, or what the table says of the failure. `asked` brings what was called.
pub(super) fn result(answer: &Answer, asked: &Symptom<'_>) -> Result<Value, Fault> {
    let symptom = Symptom { status: answer.status, retry_after: answer.retry_after, ..*asked };
    let envelope = match serde_json::from_slice::<Envelope>(&answer.body) {
        Ok(envelope) if envelope.jsonrpc.is_some() => envelope,
        _ if answer.status == 200 => return Err(Fault::bad_answer("not JSON-RPC")),
        _ => return Err(Fault::from_symptom(&symptom)),
    };
    let Some(error) = envelope.error else {
        return if answer.status == 200 {
            Ok(envelope.result)
        } else {
            Err(Fault::from_symptom(&symptom))
        };
    };
    let (name, message) = error.data.map_or((None, None), |data| (data.name, data.message));
    // An error without a name is still Odoo's report of a failure, of unknown kind.
    Err(Fault::from_symptom(&Symptom {
        exception: Some(name.as_deref().unwrap_or("unnamed")),
        text: message.as_ref().and_then(Value::as_str).unwrap_or_default(),
        ..symptom
    }))
}

#[cfg(test)]
mod tests {
    use super::super::call::Context;
    use super::super::kind::FaultKind;
    use super::*;
    use std::time::Duration;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            body: body.into(),
            date: None,
            retry_after: None,
            took: Duration::ZERO,
            elsewhere: false,
        }
    }

    fn read(status: u16, body: &str) -> Result<Value, Fault> {
        let asked = Symptom { model: "m", method: "f", database: "d", ..Symptom::default() };
        result(&answer(status, body), &asked)
    }

    #[test]
    fn ids_then_leading_then_names() {
        let call = Call::new("sale.order", "write", Context::user())
            .on(&[4, 5])
            .leading("vals", json!({"note": "x"}))
            .named("extra", true);
        let body = call_body(call, "shop", 7, "k");
        let args = &body["params"]["args"];
        assert_eq!(args[0], "shop");
        assert_eq!(args[1], 7);
        assert_eq!(args[2], "k");
        assert_eq!(args[3], "sale.order");
        assert_eq!(args[4], "write");
        assert_eq!(args[5], json!([[4, 5], {"note": "x"}]));
        assert_eq!(args[6]["extra"], true);
        assert_eq!(args[6]["context"]["lang"], "en_US");
        let search = Call::new("m", "search", Context::user()).leading("domain", json!([]));
        assert_eq!(call_body(search, "d", 1, "k")["params"]["args"][5], json!([[]]));
    }

    #[test]
    fn a_missing_result_is_null() {
        assert_eq!(read(200, r#"{"jsonrpc":"2.0","id":1}"#).unwrap(), Value::Null);
        assert_eq!(read(200, r#"{"jsonrpc":"2.0","id":1,"result":[3]}"#).unwrap(), json!([3]));
    }

    #[test]
    fn errors_keep_name_and_message_but_no_traceback() {
        let fault = read(
            200,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":0,"message":"Odoo Server Error","data":
            {"name":"odoo.exceptions.UserError","message":"no","debug":"Traceback Ada"}}}"#,
        )
        .unwrap_err();
        assert_eq!(fault.kind, FaultKind::UserError);
        assert_eq!(fault.words.expose(), "no");
        let unnamed = read(200, r#"{"jsonrpc":"2.0","error":{"code":0}}"#).unwrap_err();
        assert_eq!(unnamed.kind, FaultKind::UnknownException);
    }

    #[test]
    fn what_is_not_json_rpc_is_no_answer() {
        for body in ["", "<html>", "[1]", "{\"jsonrpc\":\"2.0\",\"res", "{}", "null"] {
            let fault = read(200, body).unwrap_err();
            assert_eq!((fault.kind, fault.ambiguous), (FaultKind::BadAnswer, true), "{body}");
        }
        assert_eq!(read(500, "<html>").unwrap_err().kind, FaultKind::ErrorPage);
        assert_eq!(read(502, "").unwrap_err().kind, FaultKind::Unavailable);
    }
}
