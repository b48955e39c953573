//! What the catalog searches for, as Odoo domains.
//!
//! Here so that `check` proves with the very searches that delivery makes: what it finds once is
//! found once.

use serde_json::{Value, json};

use super::value;
use crate::model::OdooId;
use crate::odoo::{Client, Context, Fault, Find};

/// Delivery types that ask nobody for a label.
pub(crate) const QUIET_CARRIERS: [&str; 2] = ["fixed", "base_on_rule"];

/// The ids from the topmost company down: `1/3/`. Who may not see the companies above may read it all
/// the same, but not `parent_ids`.
const PATH: &str = "parent_path";

/// A company and, where it is a branch, the companies above it: what Odoo 17 and later call
/// `check_company_domain_parent_of`. Before there were no branches.
pub(crate) async fn lineage(
    client: &Client,
    company: OdooId,
    context: Context,
) -> Result<Vec<OdooId>, Fault> {
    let fields = client.fields_get("res.company", &["type"], context.clone()).await?;
    if !fields.contains_key(PATH) {
        return Ok(vec![company]);
    }
    let domain = json!([["id", "=", company]]);
    let find = Find::default();
    let found = client.search_read("res.company", domain, &[PATH], &find, context).await?;
    let path = found.first().map(|own| value::text(own, PATH)).unwrap_or_default();
    let mut lineage: Vec<OdooId> = path.split('/').filter_map(|id| id.parse().ok()).collect();
    if !lineage.contains(&company) {
        lineage.push(company);
    }
    Ok(lineage)
}

/// Products of the company, of one above it, or of none, with one of these internal references.
/// Odoo's `in` compares exactly.
pub(crate) fn products(lineage: &[OdooId], skus: &[&str]) -> Value {
    json!([
        ["default_code", "in", skus],
        "|",
        ["company_id", "=", false],
        ["company_id", "in", lineage]
    ])
}

/// Pricelists of the company, or of none: those of a company above it are not for its orders.
pub(crate) fn pricelists(company: OdooId) -> Value {
    json!(["|", ["company_id", "=", false], ["company_id", "=", company]])
}

/// Sales taxes of the company, or of one above it.
pub(crate) fn taxes(lineage: &[OdooId]) -> Value {
    json!([["type_tax_use", "=", "sale"], ["company_id", "in", lineage]])
}

/// Warehouses of the company.
pub(crate) fn warehouses(company: OdooId) -> Value {
    json!([["company_id", "=", company]])
}

/// In this order the first warehouse is the one Odoo takes by itself.
pub(crate) const WAREHOUSE_ORDER: &str = "sequence,id";
