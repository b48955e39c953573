//! API keys of users: they open, end, and are made and revoked by programs as in a late Odoo 19.

use serde_json::{Value, json};

use super::{Raise, Record, Tables, UID};

pub const MODEL: &str = "res.users.apikeys";

impl Tables {
    /// Whether Odoo takes this key now.
    pub fn opens(&self, key: &str) -> bool {
        self.key_id(key).is_some()
    }

    /// From now on only this key opens.
    pub fn set_key(&mut self, key: &str) {
        let id = *self.all_ids(MODEL).first().unwrap();
        self.set(MODEL, id, "key", json!(key));
    }

    /// When the first key ends, as Odoo writes instants; `false`: never.
    pub fn end_key(&mut self, end: &Value) {
        let id = *self.all_ids(MODEL).first().unwrap();
        self.set(MODEL, id, "expiration_date", end.clone());
    }

    fn key_id(&self, key: &str) -> Option<i64> {
        let now = self.odoo_now();
        self.all_ids(MODEL).into_iter().find(|id| {
            let row = self.row(MODEL, *id).unwrap();
            let end = row.get("expiration_date").and_then(Value::as_str);
            row.get("key") == Some(&json!(key)) && end.is_none_or(|end| end > now.as_str().unwrap())
        })
    }

    pub(super) fn manage_keys(&mut self, method: &str, args: &Record) -> Result<Value, Raise> {
        if self.makes_keys != Some(true) {
            return Err(Raise::user("Programmatic API keys are not enabled"));
        }
        let text = |name: &str| args.get(name).and_then(Value::as_str).unwrap_or_default();
        let invalid = "The provided API key is invalid.";
        let known = self
            .key_id(text("key"))
            .ok_or_else(|| Raise::new("odoo.exceptions.AccessDenied", 403, invalid))?;
        if method == "revoke" {
            self.delete(MODEL, known);
            return Ok(json!(true));
        }
        let longest = self.now().saturating_add(jiff::SignedDuration::from_hours(90 * 24)).unwrap();
        if text("expiration_date") > longest.strftime("%Y-%m-%d %H:%M:%S").to_string().as_str() {
            let text = "You cannot exceed 90.0 days.";
            return Err(Raise::new("odoo.exceptions.ValidationError", 422, text));
        }
        let values = json!({"name": text("name"), "scope": text("scope"), "user_id": UID,
            "expiration_date": text("expiration_date")});
        let id = self.create(MODEL, values.as_object().unwrap())?;
        let key = format!("{id:040x}");
        self.set(MODEL, id, "key", json!(key));
        Ok(json!(key))
    }
}
