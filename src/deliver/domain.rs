//! What the catalog searches for, as Odoo domains.
//!
//! Here so that `check` proves with the very searches that delivery makes: what it finds once is
//! found once.

use serde_json::{Value, json};

use crate::model::OdooId;

/// Delivery types that ask nobody for a label.
pub(crate) const QUIET_CARRIERS: [&str; 2] = ["fixed", "base_on_rule"];

/// Products of the company, or of none, with one of these internal references. Odoo's `in`
/// compares exactly.
pub(crate) fn products(company: OdooId, skus: &[&str]) -> Value {
    json!([
        ["default_code", "in", skus],
        "|",
        ["company_id", "=", false],
        ["company_id", "=", company]
    ])
}

/// Pricelists of the company, or of none.
pub(crate) fn pricelists(company: OdooId) -> Value {
    json!(["|", ["company_id", "=", false], ["company_id", "=", company]])
}

/// Sales taxes of the company.
pub(crate) fn taxes(company: OdooId) -> Value {
    json!([["type_tax_use", "=", "sale"], ["company_id", "=", company]])
}

/// Warehouses of the company.
pub(crate) fn warehouses(company: OdooId) -> Value {
    json!([["company_id", "=", company]])
}

/// In this order the first warehouse is the one Odoo takes by itself.
pub(crate) const WAREHOUSE_ORDER: &str = "sequence,id";
