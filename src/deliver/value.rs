//! Odoo's JSON values as ours.
//!
//! Odoo says `false` for an empty text or relation, a pair `[id, name]` for a many-to-one, and a
//! JSON number for money. A number's shortest text is the decimal that PostgreSQL stored, so it is
//! read through its text and never calculated with as a float.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::model::OdooId;
use crate::odoo::Record;

/// Places kept of a number that Odoo computed; its own precisions are 2 to 4.
const PLACES: u32 = 6;

/// An id, or the id of a many-to-one; 0 where empty.
pub(crate) fn id(record: &Record, field: &str) -> OdooId {
    match record.get(field) {
        Some(Value::Array(pair)) => pair.first().and_then(Value::as_i64).unwrap_or(0),
        Some(value) => value.as_i64().unwrap_or(0),
        None => 0,
    }
}

/// The ids of a one-to-many or many-to-many, sorted.
pub(crate) fn ids(record: &Record, field: &str) -> Vec<OdooId> {
    let mut ids: Vec<OdooId> = match record.get(field) {
        Some(Value::Array(ids)) => ids.iter().filter_map(Value::as_i64).collect(),
        _ => Vec::new(),
    };
    ids.sort_unstable();
    ids
}

/// A text; empty where Odoo says `false`.
pub(crate) fn text(record: &Record, field: &str) -> String {
    record.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A flag.
pub(crate) fn flag(record: &Record, field: &str) -> bool {
    record.get(field).and_then(Value::as_bool).unwrap_or(false)
}

/// A number, exactly as its shortest text says.
pub(crate) fn decimal(record: &Record, field: &str) -> Decimal {
    let Some(Value::Number(number)) = record.get(field) else { return Decimal::ZERO };
    let text = number.to_string();
    text.parse::<Decimal>()
        .or_else(|_| Decimal::from_scientific(&text))
        .map(|value| value.round_dp(PLACES).normalize())
        .unwrap_or_default()
}

/// An id as a cell of `load()`; empty where there is none.
pub(super) fn id_cell(id: Option<OdooId>) -> Value {
    id.map_or_else(|| Value::from(""), Value::from)
}

/// Ids as a cell of `load()`: comma-separated database ids.
pub(super) fn ids_cell(ids: &[OdooId]) -> Value {
    Value::from(ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
}

/// A decimal as a cell of `load()`: its exact text.
pub(super) fn decimal_cell(value: Decimal) -> Value {
    Value::from(value.normalize().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn odoo_values_are_read_exactly() {
        let json = json!({"a": 17.99, "b": [7, "x"], "c": false, "d": [3, 1], "e": 1e-7, "f": 100});
        let Value::Object(record) = json else { panic!() };
        assert_eq!(decimal(&record, "a").to_string(), "17.99");
        assert_eq!(decimal(&record, "e"), Decimal::ZERO);
        assert_eq!(decimal(&record, "f").to_string(), "100");
        assert_eq!((id(&record, "b"), id(&record, "c"), text(&record, "c")), (7, 0, String::new()));
        assert_eq!(ids(&record, "d"), [1, 3]);
        assert_eq!(ids_cell(&[3, 1]), json!("3,1"));
        assert_eq!(decimal_cell("-2.00".parse().unwrap()), json!("-2"));
    }
}
