//! JSON-2: `POST /json/2/MODEL/METHOD` with a bearer key. Odoo 19 and later.
//!
//! Bytes only, as its sibling. Answers are the bare value; failures carry an HTTP status and, from
//! Odoo itself, a JSON object with the exception's name.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::call::Call;
use super::fault::{Fault, Symptom};
use super::wire::Answer;

pub(super) fn path(call: &Call<'_>) -> String {
    format!("/json/2/{}/{}", call.model, call.method)
}

/// The body of a model call: all arguments by name.
pub(super) fn call_body(call: Call<'_>) -> Value {
    let mut body: Map<String, Value> = call.named;
    body.extend(call.leading.into_iter().map(|(name, value)| (name.to_owned(), value)));
    if let Some(ids) = call.ids {
        body.insert("ids".to_owned(), ids.into());
    }
    body.insert("context".to_owned(), call.context.into_value());
    Value::Object(body)
}

/// `debug` holds a traceback with values: it is not even parsed.
#[derive(Deserialize)]
struct ErrorBody {
    name: String,
    message: Option<Value>,
}

/// The result, or what the table says of the failure. `asked` brings what was called.
pub(super) fn result(answer: &Answer, asked: &Symptom<'_>) -> Result<Value, Fault> {
    if answer.status == 200 {
        return answer.json().ok_or_else(|| Fault::bad_answer("not JSON"));
    }
    let error = serde_json::from_slice::<ErrorBody>(&answer.body).ok();
    let (name, message) = error.map_or((None, None), |body| (Some(body.name), body.message));
    Err(Fault::from_symptom(&Symptom {
        status: answer.status,
        retry_after: answer.retry_after,
        exception: name.as_deref(),
        text: message.as_ref().and_then(Value::as_str).unwrap_or_default(),
        ..*asked
    }))
}

#[cfg(test)]
mod tests {
    use super::super::call::Context;
    use super::super::kind::FaultKind;
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    fn read(status: u16, body: &str) -> Result<Value, Fault> {
        let answer = Answer {
            status,
            body: body.into(),
            date: None,
            retry_after: None,
            took: Duration::ZERO,
            elsewhere: false,
        };
        let asked = Symptom { model: "m", method: "f", database: "d", ..Symptom::default() };
        result(&answer, &asked)
    }

    #[test]
    fn everything_by_name() {
        let call = Call::new("sale.order", "write", Context::user())
            .on(&[4])
            .leading("vals", json!({"note": "x"}))
            .named("extra", 1);
        assert_eq!(path(&call), "/json/2/sale.order/write");
        let body = call_body(call);
        assert_eq!(body["ids"], json!([4]));
        assert_eq!(body["vals"], json!({"note": "x"}));
        assert_eq!(body["extra"], 1);
        assert_eq!(body["context"]["lang"], "en_US");
        let without = call_body(Call::new("m", "load", Context::user()));
        assert!(without.get("ids").is_none());
    }

    #[test]
    fn bare_values_and_named_errors() {
        assert_eq!(read(200, "null").unwrap(), Value::Null);
        assert_eq!(read(200, "[1,2]").unwrap(), json!([1, 2]));
        let fault = read(
            422,
            r#"{"name":"odoo.exceptions.UserError","message":"no","arguments":["no"],
            "context":{},"debug":"Traceback Ada"}"#,
        )
        .unwrap_err();
        assert_eq!((fault.kind, fault.words.expose()), (FaultKind::UserError, "no"));
        for body in ["", "<html>", "[1,"] {
            let fault = read(200, body).unwrap_err();
            assert_eq!((fault.kind, fault.ambiguous), (FaultKind::BadAnswer, true), "{body}");
        }
        assert_eq!(read(404, "<html>").unwrap_err().kind, FaultKind::NoDatabase);
        assert_eq!(read(404, r#"{"error":"x"}"#).unwrap_err().kind, FaultKind::NoDatabase);
        assert_eq!(read(500, "{}").unwrap_err().kind, FaultKind::ErrorPage);
    }
}
