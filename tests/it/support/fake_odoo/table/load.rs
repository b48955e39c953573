//! `load()`: rows of strings into records, all or nothing.

use serde_json::{Value, json};

use super::schema::Kind;
use super::{Raise, Record, Required, Tables};

/// The answer of a `load()` that stored nothing: (record, text) each.
pub fn refused(errors: &[(usize, String)]) -> Value {
    let messages: Vec<Value> = errors
        .iter()
        .map(|(record, text)| {
            json!({"type": "error", "record": record, "rows": {"from": record, "to": record},
                "message": text})
        })
        .collect();
    json!({"ids": false, "messages": messages, "nextrow": 0})
}

/// A problem of one cell.
struct Cell {
    field: String,
    text: String,
}

/// A record of the call: its own cells, then its lines.
#[derive(Default)]
struct Parsed {
    from: usize,
    to: usize,
    name: Option<String>,
    id: Option<i64>,
    values: Record,
    lines: Vec<(&'static str, &'static str, Option<String>, Record)>,
}

impl Tables {
    pub fn load(&mut self, model: &str, args: &Record, context: &Record) -> Result<Value, Raise> {
        let list = |key: &str| args.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let columns: Vec<String> = list("fields")
            .iter()
            .map(|name| name.as_str().unwrap_or_default().to_owned())
            .collect();
        let rows = list("data");
        for column in &columns {
            self.check_column(model, column)?;
        }
        let flag = |key: &str| context.get(key) == Some(&json!(true));
        let update = context.get("mode") == Some(&json!("update"));
        let mut messages = Vec::new();
        let mut records: Vec<Parsed> = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let cells: Vec<(&String, &Value)> =
                columns.iter().zip(row.as_array().into_iter().flatten()).collect();
            let own =
                cells.iter().any(|(column, cell)| !self.is_line(model, column) && !empty(cell));
            if own || records.is_empty() {
                records.push(Parsed { from: number, ..Parsed::default() });
            }
            let place = records.len() - 1;
            let record = records.last_mut().unwrap();
            record.to = number;
            if let Err(cell) = self.parse(model, &cells, own, record) {
                messages.push(json!({"type": "error", "record": place, "field": cell.field,
                    "rows": {"from": record.from, "to": record.to}, "message": cell.text}));
            }
        }
        let before = self.clone();
        let mut ids = Vec::new();
        if messages.is_empty() {
            for (place, record) in records.iter().enumerate() {
                match self.store(model, record, update, flag("noupdate")) {
                    Ok(id) => match self.missing(model, id, &columns) {
                        None => ids.push(id),
                        Some(field) => messages.push(json!({"type": "error", "record": place,
                            "field": field, "rows": {"from": record.from, "to": record.to},
                            "message": format!("Missing required value for the field 'X' ({field})")})),
                    },
                    Err(raise) => messages.push(json!({"type": "error", "record": place,
                        "rows": {"from": record.from, "to": record.to}, "message": raise.text})),
                }
                if messages.len() >= 10 {
                    messages.push(json!({"type": "warning", "message": "Found more than 10 errors \
                        and more than one error per 10 records, interrupted to avoid showing too many errors."}));
                    break;
                }
            }
        }
        if messages.is_empty() {
            return Ok(json!({"ids": ids, "messages": [], "nextrow": 0}));
        }
        *self = before;
        Ok(json!({"ids": false, "messages": messages, "nextrow": 0}))
    }

    /// The required field that no column brings.
    fn missing(&self, model: &str, id: i64, columns: &[String]) -> Option<String> {
        let row = self.row(model, id)?;
        let concerns = |required: &&Required| {
            required.model == model
                && !columns.contains(&required.field)
                && required.when.as_ref().is_none_or(|(field, value)| row.get(field) == Some(value))
        };
        self.required.iter().find(concerns).map(|required| required.field.clone())
    }

    fn check_column(&self, model: &str, column: &str) -> Result<(), Raise> {
        let (first, rest) = column.split_once('/').map_or((column, None), |(a, b)| (a, Some(b)));
        if first == "id" || first == ".id" {
            return Ok(());
        }
        let field = self.field(model, first)?;
        match (field.kind, rest) {
            (Kind::One2many(line, _), Some(rest)) => self.check_column(line, rest),
            _ => Ok(()),
        }
    }

    fn is_line(&self, model: &str, column: &str) -> bool {
        let first = column.split('/').next().unwrap_or_default();
        matches!(self.field(model, first).map(|field| field.kind), Ok(Kind::One2many(..)))
    }

    fn parse(
        &self,
        model: &str,
        cells: &[(&String, &Value)],
        own: bool,
        record: &mut Parsed,
    ) -> Result<(), Cell> {
        let mut line: Option<(&'static str, &'static str, Option<String>, Record)> = None;
        for (column, cell) in cells {
            let (first, rest) = column.split_once('/').unwrap_or((column.as_str(), ""));
            let kind = self.field(model, first).map(|field| field.kind);
            if let Ok(Kind::One2many(to, inverse)) = kind {
                let line = line.get_or_insert_with(|| (to, inverse, None, Record::new()));
                if rest == "id" {
                    line.2 = cell.as_str().filter(|name| !name.is_empty()).map(str::to_owned);
                } else if !empty(cell) {
                    let (name, value) = self
                        .convert(to, rest, cell)
                        .map_err(|text| Cell { field: first.to_owned(), text })?;
                    line.3.insert(name, value);
                }
            } else if !own {
            } else if first == "id" {
                record.name = cell.as_str().filter(|name| !name.is_empty()).map(str::to_owned);
            } else if first == ".id" {
                record.id = cell.as_i64();
            } else {
                let (name, value) = self
                    .convert(model, column, cell)
                    .map_err(|text| Cell { field: first.to_owned(), text })?;
                record.values.insert(name, value);
            }
        }
        record
            .lines
            .extend(line.filter(|(_, _, name, values)| name.is_some() || !values.is_empty()));
        Ok(())
    }

    /// One cell: field name and stored value, or Odoo's complaint.
    fn convert(&self, model: &str, column: &str, cell: &Value) -> Result<(String, Value), String> {
        let (name, how) = column.split_once('/').unwrap_or((column, ""));
        let kind = self.field(model, name).map_err(|raise| raise.text)?.kind;
        if empty(cell) {
            return Ok((
                name.to_owned(),
                match kind {
                    Kind::Plain("float" | "integer") => json!(0),
                    Kind::Many2many(_) => json!([]),
                    _ => json!(false),
                },
            ));
        }
        let text = cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        let value = match kind {
            Kind::Many2one(to) => json!(self.find(to, how, &text, name)?),
            Kind::Many2many(to) => {
                let ids: Result<Vec<i64>, String> =
                    text.split(',').map(|one| self.find(to, how, one, name)).collect();
                json!(ids?)
            }
            Kind::Plain("float") => {
                json!(text.parse::<f64>().map_err(|_| format!(
                    "'{text}' does not seem to be a number for field '{name}'"
                ))?)
            }
            Kind::Plain("integer") => {
                json!(text.parse::<i64>().map_err(|_| format!(
                    "'{text}' does not seem to be an integer for field '{name}'"
                ))?)
            }
            Kind::Plain("boolean") => {
                json!(matches!(text.to_lowercase().as_str(), "1" | "true" | "yes"))
            }
            Kind::Plain("datetime") => {
                let fits = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", &text).is_ok();
                if !fits {
                    return Err(format!(
                        "'{text}' does not seem to be a valid datetime for field '{name}'"
                    ));
                }
                json!(text)
            }
            Kind::Plain("selection") if text == "Sales Order" => json!("sale"),
            _ => json!(text),
        };
        Ok((name.to_owned(), value))
    }

    fn find(&self, model: &str, how: &str, text: &str, field: &str) -> Result<i64, String> {
        let found = match how {
            ".id" => text.parse().ok().filter(|id| self.row(model, *id).is_some()),
            "id" => self.external_id(text).filter(|(m, _)| m == model).map(|(_, id)| id),
            _ => self.all_ids(model).into_iter().find(|id| {
                let row = self.row(model, *id).unwrap();
                ["name", "code", "default_code"]
                    .iter()
                    .any(|key| row.get(*key) == Some(&json!(text)))
            }),
        };
        let by = match how {
            ".id" => "database id",
            "id" => "external id",
            _ => "name",
        };
        found
            .ok_or_else(|| format!("No matching record found for {by} '{text}' in field '{field}'"))
    }

    fn store(
        &mut self,
        model: &str,
        record: &Parsed,
        update: bool,
        noupdate: bool,
    ) -> Result<i64, Raise> {
        let known = record.name.as_ref().and_then(|name| self.names.get(name).cloned());
        let fresh = known.is_none() && record.id.is_none();
        let id = match (known, record.id) {
            (Some((other, _, _)), _) if other != model => {
                return Err(Raise::new("builtins.ValueError", 500, "external id of another model"));
            }
            // A known id is skipped with its lines; the row was converted all the same.
            (Some((_, id, frozen)), _) if update && frozen => return Ok(id),
            (Some((_, id, _)), _) | (None, Some(id)) => {
                self.write(model, id, &record.values)?;
                id
            }
            (None, None) => self.create(model, &record.values)?,
        };
        if let Some(name) = &record.name {
            self.names.insert(name.clone(), (model.to_owned(), id, noupdate));
        }
        for (line, inverse, name, values) in &record.lines {
            let mut values = values.clone();
            values.insert((*inverse).to_owned(), json!(id));
            // A line id that stands under another order moves the line.
            let child = Parsed { name: name.clone(), values, ..Parsed::default() };
            self.store(line, &child, false, noupdate)?;
        }
        if let (true, "sale.order", Some(price)) = (fresh, model, self.auto_line) {
            let line = json!({"order_id": id, "name": "Eco fee", "product_uom_qty": 1.0, "price_unit": price});
            self.create("sale.order.line", line.as_object().unwrap())?;
        }
        Ok(id)
    }
}

fn empty(cell: &Value) -> bool {
    matches!(cell, Value::Null | Value::Bool(false)) || cell == "" || cell.as_f64() == Some(0.0)
}
