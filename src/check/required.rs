//! Fields that Odoo requires of what the daemon creates, that it does not send and that nothing fills:
//! named before the first order is refused for one.
//!
//! `fields_get` says what is required, `default_get` what has a default. Computed fields and those
//! that are kept per company are Odoo's own affair.

use serde_json::{Value, json};

use super::report::{Area, Sheet};
use super::server::Connected;
use crate::odoo::{Call, Context};

/// Models that the daemon creates records of, and the fields that it sends or that every Odoo fills.
const CREATED: [(&str, &[&str]); 3] = [
    (
        "sale.order",
        &[
            "client_order_ref",
            "partner_id",
            "partner_invoice_id",
            "partner_shipping_id",
            "pricelist_id",
            "date_order",
            "commitment_date",
            "warehouse_id",
            "carrier_id",
            "sale_order_template_id",
            "order_line",
            "name",
            "company_id",
            "currency_id",
            "state",
            "picking_policy",
        ],
    ),
    (
        "sale.order.line",
        &[
            "order_id",
            "product_id",
            "name",
            "product_uom_qty",
            "price_unit",
            "discount",
            "product_uom",
            "product_uom_id",
            "tax_id",
            "tax_ids",
            "display_type",
            "customer_lead",
        ],
    ),
    (
        "res.partner",
        &[
            "name",
            "type",
            "parent_id",
            "email",
            "phone",
            "street",
            "street2",
            "city",
            "zip",
            "state_id",
            "country_id",
            "autopost_bills",
            "property_account_payable_id",
            "property_account_receivable_id",
        ],
    ),
];

/// What `fields_get` is asked for.
const ATTRIBUTES: [&str; 6] =
    ["type", "required", "readonly", "states", "depends", "company_dependent"];

/// One row for what people added, one for what modules brought.
pub(super) async fn prove(odoo: &Connected, sheet: &mut Sheet) {
    for (model, sent) in CREATED {
        let names = lacking(odoo, model, sent).await;
        let (own, of_modules): (Vec<String>, Vec<String>) =
            names.into_iter().partition(|name| name.starts_with("x_"));
        if !own.is_empty() {
            sheet.fail(
                Area::Traps,
                "mandatory fields",
                format!("{model} cannot be created without {}", own.join(", ")),
                "give them a default in Odoo, or make them optional",
            );
        }
        if !of_modules.is_empty() {
            sheet.warn(
                Area::Traps,
                "mandatory fields",
                format!(
                    "{model} requires {}, which is not sent and has no default",
                    of_modules.join(", ")
                ),
                "unless the module fills it in by itself, give it a default in Odoo or make it \
                 optional: else the account pauses at its first order",
            );
        }
    }
}

/// The required fields of a model that neither we nor a default fills.
async fn lacking(odoo: &Connected, model: &str, sent: &[&str]) -> Vec<String> {
    let context = Context::user();
    // Rights and modules have rows of their own.
    let told = odoo.client.fields_get(model, &ATTRIBUTES, context.clone()).await;
    let Ok(told) = told else { return Vec::new() };
    let mut names: Vec<String> = told
        .iter()
        .filter(|(name, field)| !sent.contains(&name.as_str()) && is_mandatory(field))
        .map(|(name, _)| name.clone())
        .collect();
    if names.is_empty() {
        return names;
    }
    let call = Call::new(model, "default_get", context);
    let call = call.leading("fields_list", names.clone());
    if let Ok(reply) = odoo.client.call(call).await {
        let filled = |name: &String| {
            reply.value.get(name).is_some_and(|value| *value != json!(false) && !value.is_null())
        };
        names.retain(|name| !filled(name));
    }
    names
}

/// Required when a record is created, and not computed.
fn is_mandatory(field: &Value) -> bool {
    let is = |attribute: &str| field.get(attribute).and_then(Value::as_bool) == Some(true);
    let has = |attribute: &str| match field.get(attribute) {
        Some(Value::Array(some)) => !some.is_empty(),
        Some(Value::Object(some)) => !some.is_empty(),
        _ => false,
    };
    // Up to Odoo 16 a field may be read-only but in some states.
    let given = !is("readonly") || has("states");
    let boolean = field.get("type").and_then(Value::as_str) == Some("boolean");
    is("required") && given && !boolean && !has("depends") && !is("company_dependent")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_required_and_not_filled_by_odoo_is_mandatory() {
        let field = |more: Value| {
            let mut field = json!({"required": true, "readonly": false, "type": "char"});
            if let (Some(field), Some(more)) = (field.as_object_mut(), more.as_object()) {
                field.extend(more.clone());
            }
            field
        };
        assert!(is_mandatory(&field(json!({}))));
        assert!(is_mandatory(&field(json!({"readonly": true, "states": {"draft": []}}))));
        let filled = [
            json!({"required": false}),
            json!({"readonly": true}),
            json!({"depends": ["partner_id"]}),
            json!({"company_dependent": true}),
            json!({"type": "boolean"}),
        ];
        for more in filled {
            assert!(!is_mandatory(&field(more.clone())), "{more}");
        }
    }
}
