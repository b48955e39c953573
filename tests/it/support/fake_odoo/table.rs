//! The tables behind the fake: records as JSON objects, external ids, domains, `load()`.
//!
//! Follows what was measured on the real 14 and 19: all or nothing, skip of known ids with
//! `noupdate`, continuation rows, renamed fields, confirm that moves the date.

mod keys;
mod load;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{API_KEY, LOGIN, Record, UID};
pub use load::refused;
use schema::{Field, Kind, fields};
pub use schema::{is_model_method, signature};

/// Which Odoo the tables look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flavor {
    V14,
    V16,
    V17,
    V18,
    V19,
}

impl Flavor {
    pub const ALL: [Self; 5] = [Self::V14, Self::V16, Self::V17, Self::V18, Self::V19];

    pub fn number(self) -> u32 {
        match self {
            Self::V14 => 14,
            Self::V16 => 16,
            Self::V17 => 17,
            Self::V18 => 18,
            Self::V19 => 19,
        }
    }
}

/// A field that somebody's module made required.
#[derive(Debug, Clone)]
pub struct Required {
    pub model: String,
    pub field: String,
    /// Only where this field holds this value.
    pub when: Option<(String, Value)>,
}

/// An exception on the way out.
#[derive(Debug, Clone)]
pub struct Raise {
    pub name: String,
    pub status: u16,
    pub text: String,
}

/// Records that Odoo does not want.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub model: String,
    pub field: String,
    pub value: Value,
    pub text: String,
}

#[derive(Debug, Clone)]
pub struct Tables {
    pub flavor: Flavor,
    rows: BTreeMap<String, BTreeMap<i64, Record>>,
    next: BTreeMap<String, i64>,
    /// External id → (model, id, noupdate).
    names: BTreeMap<String, (String, i64, bool)>,
    pub refusals: Vec<Refusal>,
    /// Fields that `load()` must bring: of all records of a model, or of those with a value.
    pub required: Vec<Required>,
    /// Models our user may not create.
    pub forbidden: BTreeSet<String>,
    /// Before 19 the answer is a wizard when a confirmed order is cancelled, unless the context says no.
    pub cancel_asks: bool,
    /// Whether programs may have keys made; none: this Odoo has no method for that.
    pub makes_keys: Option<bool>,
    /// Our user may not see its keys.
    pub hide_keys: bool,
    /// The server's clock minus the host's.
    pub clock_offset: SignedDuration,
    /// What the `Date` header says beyond the server's clock; none: there is no header.
    pub date_header: Option<SignedDuration>,
    /// What Odoo's totals are off by.
    pub amount_off: f64,
    /// An automation adds a line of this price to every new order.
    pub auto_line: Option<f64>,
    /// Orders that a record rule hides from our user, with their lines.
    pub hidden: BTreeSet<i64>,
    /// A rounding line counts nothing in the totals.
    pub rounding_is_lost: bool,
    /// The warehouse delivers in the very moment in which an order is cancelled.
    pub delivers_on_cancel: bool,
    /// Orders that no `read` and no `search_read` gets past.
    pub unreadable: BTreeSet<i64>,
    /// A field that `action_confirm` requires of the orders with these references.
    pub confirm_requires: Option<(String, BTreeSet<String>)>,
    /// Required fields that `fields_get` tells beside the recorded ones, and whether they have a
    /// default.
    pub more_fields: Vec<(String, String, bool)>,
}

// === impl Raise ===

impl Raise {
    pub fn new(name: &str, status: u16, text: &str) -> Self {
        Self { name: name.to_owned(), status, text: text.to_owned() }
    }

    pub fn user(text: &str) -> Self {
        Self::new("odoo.exceptions.UserError", 422, text)
    }

    fn value(text: &str) -> Self {
        Self::new("builtins.ValueError", 500, text)
    }

    fn missing(model: &str, id: i64) -> Self {
        let text = format!(
            "Record does not exist or has been deleted.\n(Record: {model}({id},), User: {UID})"
        );
        Self::new("odoo.exceptions.MissingError", 404, &text)
    }

    pub fn json(&self) -> Value {
        json!({"name": self.name, "message": self.text, "arguments": [self.text], "context": {},
            "debug": format!("Traceback (most recent call last): TRACEBACK {}", self.text)})
    }
}

// === impl Tables ===

impl Tables {
    /// The records of a model as other tables have them.
    pub fn take_records(&mut self, model: &str, from: &Self) {
        if let Some(rows) = from.rows.get(model) {
            self.rows.insert(model.to_owned(), rows.clone());
        }
    }

    pub fn new(flavor: Flavor) -> Self {
        let mut tables = Self {
            flavor,
            rows: BTreeMap::new(),
            next: BTreeMap::new(),
            names: BTreeMap::new(),
            refusals: Vec::new(),
            required: Vec::new(),
            forbidden: BTreeSet::new(),
            cancel_asks: false,
            makes_keys: None,
            hide_keys: false,
            clock_offset: SignedDuration::ZERO,
            date_header: Some(SignedDuration::ZERO),
            amount_off: 0.0,
            auto_line: None,
            hidden: BTreeSet::new(),
            rounding_is_lost: false,
            delivers_on_cancel: false,
            unreadable: BTreeSet::new(),
            confirm_requires: None,
            more_fields: Vec::new(),
        };
        tables.next.insert("res.users".to_owned(), UID);
        let mut put =
            |model: &str, values: Value| tables.create(model, values.as_object().unwrap()).unwrap();
        let euro = put("res.currency", json!({"name": "EUR", "decimal_places": 2}));
        let company = put("res.company", json!({"name": "Shop", "currency_id": euro}));
        put(
            "res.users",
            json!({"login": LOGIN, "name": "Bot", "lang": "en_US", "tz": "UTC",
            "company_id": company, "company_ids": [company]}),
        );
        let key = put("res.users.apikeys", json!({"name": "test", "user_id": UID, "scope": "rpc"}));
        put("product.pricelist", json!({"name": "EUR", "currency_id": euro}));
        put("res.country", json!({"name": "Germany", "code": "DE"}));
        // The key itself is no field, so nobody can read it.
        tables.set("res.users.apikeys", key, "key", json!(API_KEY));
        tables
    }

    /// The server's clock.
    #[expect(clippy::disallowed_methods, reason = "a server outside of the daemon's clock")]
    pub fn now(&self) -> Timestamp {
        Timestamp::now().saturating_add(self.clock_offset).unwrap()
    }

    pub fn http_date(&self) -> Option<String> {
        let date = self.now().saturating_add(self.date_header?).unwrap();
        Some(date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
    }

    fn odoo_now(&self) -> Value {
        self.now().strftime("%Y-%m-%d %H:%M:%S").to_string().into()
    }

    pub fn external_id(&self, name: &str) -> Option<(String, i64)> {
        self.names.get(name).map(|(model, id, _)| (model.clone(), *id))
    }

    /// How many external ids a record has.
    pub fn names_of(&self, model: &str, id: i64) -> usize {
        self.names.values().filter(|(m, i, _)| (m.as_str(), *i) == (model, id)).count()
    }

    /// Gives a record an external id, as a module or an export would.
    pub fn name_it(&mut self, name: &str, model: &str, id: i64) {
        self.names.insert(name.to_owned(), (model.to_owned(), id, true));
    }

    pub fn all_ids(&self, model: &str) -> Vec<i64> {
        self.rows.get(model).map(|rows| rows.keys().copied().collect()).unwrap_or_default()
    }

    /// A record as stored: many2one as plain id.
    pub fn row(&self, model: &str, id: i64) -> Option<&Record> {
        self.rows.get(model)?.get(&id)
    }

    /// What a person does in Odoo's forms.
    pub fn set(&mut self, model: &str, id: i64, field: &str, value: Value) {
        let row = self.rows.get_mut(model).and_then(|rows| rows.get_mut(&id)).unwrap();
        row.insert(field.to_owned(), value);
    }

    /// Deletes a record, its lines and its external ids.
    pub fn delete(&mut self, model: &str, id: i64) {
        if let Some(rows) = self.rows.get_mut(model) {
            rows.remove(&id);
        }
        self.names.retain(|_, (m, i, _)| (m.as_str(), *i) != (model, id));
        for field in fields(self.flavor, model).unwrap_or_default() {
            if let Kind::One2many(line, inverse) = field.kind {
                for child in self.children(line, inverse, id) {
                    self.delete(line, child);
                }
            }
        }
    }

    /// Forgets all records of a model between the first ten (of set-up) and the newest, with their
    /// external ids; says how many went.
    pub fn keep_newest(&mut self, model: &str, keep: usize) -> usize {
        let Some(rows) = self.rows.get_mut(model) else { return 0 };
        let middle = rows.len().saturating_sub(keep);
        let gone: BTreeSet<i64> = rows.keys().copied().take(middle).skip(10).collect();
        rows.retain(|id, _| !gone.contains(id));
        self.names.retain(|_, (m, id, _)| m != model || !gone.contains(id));
        gone.len()
    }

    fn children(&self, model: &str, inverse: &str, parent: i64) -> Vec<i64> {
        let Some(rows) = self.rows.get(model) else { return Vec::new() };
        rows.iter()
            .filter(|(_, row)| row.get(inverse) == Some(&json!(parent)))
            .map(|(id, _)| *id)
            .collect()
    }

    fn field(&self, model: &str, name: &str) -> Result<Field, Raise> {
        let all = fields(self.flavor, model)
            .ok_or_else(|| Raise::user(&format!("Object {model} doesn't exist")))?;
        all.into_iter().find(|field| field.name == name).ok_or_else(|| {
            if self.flavor >= Flavor::V18 {
                Raise::value(&format!("Invalid field name '{name}'"))
            } else {
                Raise::new("builtins.KeyError", 500, &format!("'{name}'"))
            }
        })
    }

    /// A method call in a transaction of its own.
    pub fn call(
        &mut self,
        model: &str,
        method: &str,
        ids: &[i64],
        args: &Record,
        context: &Record,
    ) -> Result<Value, Raise> {
        // load() has a savepoint of its own.
        let writes = !is_model_method(method) && method != "read" || method == "create";
        let before = writes.then(|| self.clone());
        let result = self.dispatch(model, method, ids, args, context);
        if let (Err(_), Some(before)) = (&result, before) {
            *self = before;
        }
        result
    }

    fn dispatch(
        &mut self,
        model: &str,
        method: &str,
        ids: &[i64],
        args: &Record,
        context: &Record,
    ) -> Result<Value, Raise> {
        if method.starts_with('_') {
            let text =
                format!("Private methods (such as '{model}.{method}') cannot be called remotely.");
            return Err(Raise::new("odoo.exceptions.AccessError", 403, &text));
        }
        if self.hide_keys && model == keys::MODEL && method == "search_read" {
            let text =
                "You are not allowed to access 'Users API Keys' (res.users.apikeys) records.";
            return Err(Raise::new("odoo.exceptions.AccessError", 403, text));
        }
        if fields(self.flavor, model).is_none() {
            return Err(Raise::user(&format!("Object {model} doesn't exist")));
        }
        let names = |key: &str| -> Vec<String> {
            let list = args.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
            list.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
        };
        let classic = args.get("load").is_none_or(Value::is_string);
        match method {
            "context_get" => Ok(json!({"lang": "en_US", "tz": "UTC", "uid": UID})),
            "read" => {
                self.stumble(model, ids)?;
                Ok(json!(self.read(model, ids, &names("fields"), classic)?))
            }
            "default_get" => Ok(self.default_get(model, &names("fields_list"))),
            "search" => Ok(json!(self.search(model, args, context)?)),
            "search_count" => Ok(json!(self.search(model, args, context)?.len())),
            "search_read" => {
                let ids = self.search(model, args, context)?;
                self.stumble(model, &ids)?;
                Ok(json!(self.read(model, &ids, &names("fields"), classic)?))
            }
            "create" => {
                let many = args.get("vals_list").cloned().unwrap_or_default();
                match many {
                    Value::Array(list) => {
                        let made: Result<Vec<i64>, Raise> = list
                            .into_iter()
                            .map(|vals| {
                                self.create(model, &vals.as_object().cloned().unwrap_or_default())
                            })
                            .collect();
                        Ok(json!(made?))
                    }
                    Value::Object(vals) => Ok(json!(self.create(model, &vals)?)),
                    _ => Err(Raise::value("vals_list")),
                }
            }
            "write" => {
                let vals = args.get("vals").and_then(Value::as_object).cloned().unwrap_or_default();
                for id in ids {
                    self.write(model, *id, &vals)?;
                }
                Ok(json!(true))
            }
            "unlink" => {
                for id in ids {
                    self.delete(model, *id);
                }
                Ok(json!(true))
            }
            "load" => self.load(model, args, context),
            "fields_get" => Ok(self.fields_get(model, &names("allfields"))),
            "get_external_id" => {
                let told = ids.iter().map(|id| (id.to_string(), json!(self.name_of(model, *id))));
                Ok(Value::Object(told.collect()))
            }
            "check_object_reference" if model == "ir.model.data" => {
                let part = |key: &str| args.get(key).and_then(Value::as_str).unwrap_or_default();
                let name = format!("{}.{}", part("module"), part("xml_id"));
                match self.names.get(&name) {
                    Some((model, id, _)) => Ok(json!([model, id])),
                    None => {
                        Err(Raise::value(&format!("External ID not found in the system: {name}")))
                    }
                }
            }
            "check_access_rights" if self.flavor < Flavor::V18 => {
                Ok(json!(!self.forbidden.contains(model)))
            }
            "has_access" if self.flavor >= Flavor::V18 => {
                Ok(json!(!self.forbidden.contains(model)))
            }
            "has_group" => Ok(json!(args.get("group_ext_id") != Some(&json!("base.group_system")))),
            "generate" | "revoke" if model == keys::MODEL && self.makes_keys.is_some() => {
                self.manage_keys(method, args)
            }
            "action_confirm" if model == "sale.order" => self.confirm(ids),
            "action_cancel" if model == "sale.order" => {
                let quiet = context.get("disable_cancel_warning") == Some(&json!(true));
                self.cancel(ids, quiet)
            }
            "action_draft" if model == "sale.order" => {
                for id in ids {
                    self.set(model, *id, "state", json!("draft"));
                }
                Ok(json!(true))
            }
            "message_unsubscribe" => {
                for id in ids {
                    self.set(model, *id, "message_partner_ids", json!([]));
                }
                Ok(json!(true))
            }
            _ => {
                let text = match self.flavor {
                    Flavor::V14 | Flavor::V16 => {
                        format!("type object '{model}' has no attribute '{method}'")
                    }
                    Flavor::V17 => {
                        format!("The method '{method}' does not exist on the model '{model}'")
                    }
                    Flavor::V18 | Flavor::V19 => {
                        format!("The method '{model}.{method}' does not exist")
                    }
                };
                Err(Raise::new("builtins.AttributeError", 404, &text))
            }
        }
    }

    /// Whether a record rule hides it from our user.
    pub fn is_hidden(&self, model: &str, id: i64) -> bool {
        let order = match model {
            "sale.order" => Some(id),
            "sale.order.line" => self.row(model, id).and_then(|row| row["order_id"].as_i64()),
            _ => None,
        };
        order.is_some_and(|order| self.hidden.contains(&order))
    }

    fn name_of(&self, model: &str, id: i64) -> String {
        let found = self.names.iter().find(|(_, (m, i, _))| m == model && *i == id);
        found.map(|(name, _)| name.clone()).unwrap_or_default()
    }

    fn stumble(&self, model: &str, ids: &[i64]) -> Result<(), Raise> {
        if model == "sale.order" && ids.iter().any(|id| self.unreadable.contains(id)) {
            return Err(Raise::value("a computed field stumbles over this order"));
        }
        Ok(())
    }

    fn default_get(&self, model: &str, asked: &[String]) -> Value {
        let more = self.more_fields.iter().filter(|(of, name, default)| {
            of == model && *default && asked.iter().any(|one| one == name)
        });
        Value::Object(more.map(|(_, name, _)| (name.clone(), json!("x"))).collect())
    }

    fn confirm(&mut self, ids: &[i64]) -> Result<Value, Raise> {
        if let Some((field, references)) = &self.confirm_requires {
            let reference = |id: &i64| {
                let row = self.row("sale.order", *id)?;
                row["client_order_ref"].as_str().map(str::to_owned)
            };
            if ids.iter().filter_map(reference).any(|one| references.contains(&one)) {
                let text = format!("Missing required value for the field 'X' ({field})");
                return Err(Raise::new("odoo.exceptions.ValidationError", 422, &text));
            }
        }
        let now = self.odoo_now();
        for id in ids {
            let state = self
                .row("sale.order", *id)
                .ok_or_else(|| Raise::missing("sale.order", *id))?["state"]
                .clone();
            // Odoo 14 to 16 confirm a confirmed order once more, and move its date.
            let again = matches!(self.flavor, Flavor::V14 | Flavor::V16) && state == "sale";
            if state != "draft" && state != "sent" && !again {
                let text = match self.flavor {
                    Flavor::V14 | Flavor::V16 => {
                        "It is not allowed to confirm an order in the following states: cancel, done"
                    }
                    Flavor::V17 => {
                        "The following orders are not in a state requiring confirmation: S00001"
                    }
                    Flavor::V18 | Flavor::V19 => {
                        "Some orders are not in a state requiring confirmation."
                    }
                };
                return Err(Raise::user(text));
            }
            self.set("sale.order", *id, "state", json!("sale"));
            self.set("sale.order", *id, "date_order", now.clone());
            if self.flavor == Flavor::V14 {
                let buyer = self.row("sale.order", *id).unwrap()["partner_id"].clone();
                self.set("sale.order", *id, "message_partner_ids", json!([buyer]));
            }
        }
        Ok(json!(true))
    }

    fn cancel(&mut self, ids: &[i64], quiet: bool) -> Result<Value, Raise> {
        for id in ids {
            let state = self
                .row("sale.order", *id)
                .ok_or_else(|| Raise::missing("sale.order", *id))?["state"]
                .clone();
            if self.cancel_asks && !quiet && state == "sale" {
                return Ok(
                    json!({"type": "ir.actions.act_window", "res_model": "sale.order.cancel"}),
                );
            }
            if self
                .row("sale.order", *id)
                .is_some_and(|row| row.get("locked") == Some(&json!(true)))
            {
                return Err(Raise::user(
                    "You cannot cancel a locked order. Please unlock it first.",
                ));
            }
            self.set("sale.order", *id, "state", json!("cancel"));
            if self.delivers_on_cancel {
                for line in self.children("sale.order.line", "order_id", *id) {
                    self.set("sale.order.line", line, "qty_delivered", json!(1.0));
                }
            }
        }
        Ok(json!(true))
    }

    pub fn create(&mut self, model: &str, values: &Record) -> Result<i64, Raise> {
        if self.forbidden.contains(model) {
            let text = format!("You are not allowed to create '{model}' ({model}) records.");
            return Err(Raise::new("odoo.exceptions.AccessError", 403, &text));
        }
        let next = self.next.entry(model.to_owned()).or_insert(1);
        let id = *next;
        *next += 1;
        let mut row = Record::new();
        let now = self.odoo_now();
        for field in fields(self.flavor, model)
            .ok_or_else(|| Raise::user(&format!("Object {model} doesn't exist")))?
        {
            row.insert(field.name.to_owned(), field.default());
        }
        row.insert("id".to_owned(), json!(id));
        for name in ["create_date", "write_date"] {
            row.insert(name.to_owned(), now.clone());
        }
        if model == "sale.order" {
            row.insert("name".to_owned(), json!(format!("S{id:05}")));
            row.insert("date_order".to_owned(), now);
            row.insert("company_id".to_owned(), json!(1));
            row.insert("pricelist_id".to_owned(), json!(1));
            let first =
                self.all_ids("stock.warehouse").first().map_or(json!(false), |id| json!(id));
            row.insert("warehouse_id".to_owned(), first);
        }
        self.rows.entry(model.to_owned()).or_default().insert(id, row);
        self.write(model, id, values)?;
        for field in fields(self.flavor, model).unwrap_or_default() {
            if field.required && self.row(model, id).unwrap()[field.name] == json!(false) {
                let text = format!("Missing required value for the field '{0}' ({0})", field.name);
                return Err(Raise::new("odoo.exceptions.ValidationError", 422, &text));
            }
        }
        Ok(id)
    }

    fn write(&mut self, model: &str, id: i64, values: &Record) -> Result<(), Raise> {
        if self.row(model, id).is_none() {
            return Err(Raise::missing(model, id));
        }
        for (name, value) in values {
            let field = self.field(model, name)?;
            match field.kind {
                Kind::One2many(line, inverse) => self.write_lines(line, inverse, id, value)?,
                Kind::Many2one(to) if value.is_i64() => {
                    let target = value.as_i64().unwrap();
                    if self.row(to, target).is_none() {
                        return Err(Raise::missing(to, target));
                    }
                    self.set(model, id, name, value.clone());
                }
                Kind::Many2many(_) => {
                    let plain = match value[0][0].as_i64() {
                        Some(6) => value[0][2].clone(),
                        _ => value.clone(),
                    };
                    self.set(model, id, name, plain);
                }
                _ => self.set(model, id, name, value.clone()),
            }
        }
        let now = self.odoo_now();
        self.set(model, id, "write_date", now);
        let hit = self.refusals.iter().find(|refusal| {
            refusal.model == model
                && self.row(model, id).unwrap().get(&refusal.field) == Some(&refusal.value)
        });
        hit.map_or(Ok(()), |refusal| Err(Raise::user(&refusal.text)))
    }

    fn write_lines(
        &mut self,
        line: &str,
        inverse: &str,
        parent: i64,
        commands: &Value,
    ) -> Result<(), Raise> {
        for command in commands.as_array().into_iter().flatten() {
            let id = command[1].as_i64().unwrap_or_default();
            let mut values = command[2].as_object().cloned().unwrap_or_default();
            match command[0].as_i64() {
                Some(0) => {
                    values.insert(inverse.to_owned(), json!(parent));
                    self.create(line, &values)?;
                }
                Some(1) => self.write(line, id, &values)?,
                Some(2) => self.delete(line, id),
                _ => return Err(Raise::value("command")),
            }
        }
        Ok(())
    }

    /// As `read`: missing ids are left out, many2one as `[id, name]` where `classic`.
    pub fn read(
        &self,
        model: &str,
        ids: &[i64],
        names: &[String],
        classic: bool,
    ) -> Result<Vec<Record>, Raise> {
        let all = fields(self.flavor, model).unwrap_or_default();
        let wanted: Vec<Field> = if names.is_empty() {
            all
        } else {
            names.iter().map(|name| self.field(model, name)).collect::<Result<_, _>>()?
        };
        let mut found = Vec::new();
        for id in ids {
            let Some(row) = self.row(model, *id) else { continue };
            let mut record = Record::new();
            record.insert("id".to_owned(), json!(id));
            for field in &wanted {
                let stored = row.get(field.name).cloned().unwrap_or(json!(false));
                let value = match field.kind {
                    Kind::One2many(line, inverse) => json!(self.children(line, inverse, *id)),
                    Kind::Many2one(to) if classic => match stored.as_i64() {
                        Some(target) => json!([target, self.display_name(to, target)]),
                        None => json!(false),
                    },
                    Kind::Computed => self.computed(model, *id, field.name),
                    _ => stored,
                };
                record.insert(field.name.to_owned(), value);
            }
            found.push(record);
        }
        Ok(found)
    }

    fn display_name(&self, model: &str, id: i64) -> Value {
        self.row(model, id).and_then(|row| row.get("name")).cloned().unwrap_or(json!(""))
    }

    fn computed(&self, model: &str, id: i64, name: &str) -> Value {
        let row = self.row(model, id).unwrap();
        match (model, name) {
            (_, "display_name") => self.display_name(model, id),
            ("sale.order", "currency_id") => {
                let list = row["pricelist_id"].as_i64().unwrap_or(1);
                let currency =
                    self.row("product.pricelist", list).map(|list| list["currency_id"].clone());
                let currency = currency.and_then(|id| id.as_i64()).unwrap_or(1);
                json!([currency, self.display_name("res.currency", currency)])
            }
            ("sale.order", "amount_total") => self.amount(id, |(net, tax)| net + tax),
            ("sale.order", "amount_untaxed") => self.amount(id, |(net, _)| net),
            ("sale.order", "amount_tax") => self.amount(id, |(_, tax)| tax),
            ("sale.order.line", "price_total") => {
                cents(self.line_amounts(row), |(net, tax)| net + tax)
            }
            ("sale.order.line", "price_subtotal") => cents(self.line_amounts(row), |(net, _)| net),
            _ => json!(false),
        }
    }

    fn amount(&self, order: i64, pick: fn((f64, f64)) -> f64) -> Value {
        let lines = self.children("sale.order.line", "order_id", order);
        let rows = lines.iter().filter_map(|line| self.row("sale.order.line", *line));
        let counts =
            |row: &&Record| !(self.rounding_is_lost && row.get("name") == Some(&json!("Rounding")));
        let rows = rows.filter(counts);
        let off = (self.amount_off, 0.0);
        let sum = rows.map(|row| self.line_amounts(row)).fold(off, |a, b| (a.0 + b.0, a.1 + b.1));
        cents(sum, pick)
    }

    /// Net and tax of a line, each to the cent.
    fn line_amounts(&self, row: &Record) -> (f64, f64) {
        let number =
            |row: &Record, name: &str| row.get(name).and_then(Value::as_f64).unwrap_or(0.0);
        let price = number(row, "product_uom_qty") * number(row, "price_unit");
        let taxes = row.get("tax_ids").or_else(|| row.get("tax_id")).and_then(Value::as_array);
        let (mut net, mut tax) = (price, 0.0);
        for id in taxes.into_iter().flatten().filter_map(Value::as_i64) {
            let Some(rule) = self.row("account.tax", id) else { continue };
            let rate = number(rule, "amount") / 100.0;
            if rule.get("price_include") == Some(&json!(true)) {
                net = price / (1.0 + rate);
                tax += price - net;
            } else {
                tax += net * rate;
            }
        }
        let round = |x: f64| (x * 100.0).round() / 100.0;
        (round(net), round(tax))
    }

    fn fields_get(&self, model: &str, only: &[String]) -> Value {
        let asked = |name: &str| only.is_empty() || only.iter().any(|n| n == name);
        if let Some(told) = schema::told(self.flavor).get(model) {
            let fields = told.iter().filter(|(name, _)| asked(name));
            let fields = fields.map(|(n, told)| ((*n).to_owned(), json!(told)));
            let more = self.more_fields.iter().filter(|(of, name, _)| of == model && asked(name));
            let more = more.map(|(_, name, _)| {
                let told = json!({"type": "char", "string": name, "name": name, "required": true,
                    "readonly": false, "store": true});
                (name.clone(), told)
            });
            return Value::Object(fields.chain(more).collect());
        }
        let all = fields(self.flavor, model).unwrap_or_default();
        let asked = all.iter().filter(|field| asked(field.name));
        Value::Object(asked.map(|field| (field.name.to_owned(), field.describe())).collect())
    }
}

fn cents(amounts: (f64, f64), pick: fn((f64, f64)) -> f64) -> Value {
    json!((pick(amounts) * 100.0).round() / 100.0)
}
