//! Products of lines that are no goods, and the default product.
//!
//! Each internal reference has exactly one product. Fees are services without default taxes, so
//! that nothing is picked for them. `--fix` makes missing fees, never the default product.

use std::collections::BTreeMap;

use serde_json::json;

use super::create::{Made, service};
use super::report::{Area, Sheet};
use super::search::{Hit, Searcher, pick};
use crate::config::{AccountSettings, UnknownSku};
use crate::deliver::{domain, value};
use crate::model::Sku;
use crate::odoo::{Fault, Find, Record};

/// A fee: its key in the settings, which also ends its external id, and its name in Odoo.
const FEES: [(&str, &str); 4] = [
    ("shipping", "Shipping"),
    ("gift_wrap", "Gift wrap"),
    ("promotion", "Promotion"),
    ("rounding", "Rounding difference"),
];

const MODEL: &str = "product.product";

/// The products that an account's settings name.
pub(super) async fn prove(
    searcher: &Searcher<'_>,
    account: &AccountSettings,
    fix: bool,
    sheet: &mut Sheet,
) {
    let products = &account.products;
    let skus = [&products.shipping, &products.gift_wrap, &products.promotion, &products.rounding];
    let mut wanted: Vec<&str> = skus.iter().map(|sku| sku.as_str()).collect();
    if let UnknownSku::Default(sku) = &account.unknown_sku {
        wanted.push(sku.as_str());
    }
    let fields = ["default_code", "type", "sale_ok", "taxes_id"];
    let found =
        match searcher.list(MODEL, domain::products(&searcher.lineage, &wanted), &fields).await {
            Ok(found) => found,
            Err(fault) => {
                sheet.fault(Area::Products, "products", &fault);
                return;
            }
        };
    let mut seen: BTreeMap<&Sku, &str> = BTreeMap::new();
    for ((key, name), sku) in FEES.into_iter().zip(skus) {
        let what = format!("{key} {sku}");
        if let Some(other) = seen.insert(sku, key) {
            sheet.ok(Area::Products, what, format!("the same product as {other}"));
            continue;
        }
        match pick(&found, |record| value::text(record, "default_code") == sku.as_str()) {
            Hit::One(product) => judge_fee(product, &what, sheet),
            Hit::Several(count) => several(count, &what, sheet),
            Hit::Nothing => match archived(searcher, sku).await {
                Err(fault) => sheet.fault(Area::Products, what, &fault),
                Ok(true) => is_archived(&what, sheet),
                Ok(false) if fix => {
                    let external = format!("product_{key}");
                    match service(searcher, &account.id, &external, name, sku).await {
                        Made::New(product) => {
                            let id = value::id(&product, "id");
                            sheet.fixed(Area::Products, what, format!("\"{name}\" made (id {id})"));
                        }
                        Made::Not { detail, next } => {
                            sheet.fail(Area::Products, what, detail, next);
                        }
                    }
                }
                Ok(false) => sheet.fail(
                    Area::Products,
                    what,
                    "no product has this internal reference",
                    "`odoo-spoold check --fix` makes it: a service without taxes",
                ),
            },
        }
    }
    if let UnknownSku::Default(sku) = &account.unknown_sku {
        default_product(searcher, sku, &found, sheet).await;
    }
}

fn judge_fee(product: &Record, what: &str, sheet: &mut Sheet) {
    let id = value::id(product, "id");
    let kind = value::text(product, "type");
    if kind != "service" {
        sheet.warn(
            Area::Products,
            what,
            format!("id {id} is of type {kind}: confirmed orders ask the warehouse for it"),
            "make it a service in Odoo",
        );
    } else if !value::flag(product, "sale_ok") {
        sheet.warn(
            Area::Products,
            what,
            format!("id {id} is not for sale"),
            "tick \"Sales\" (Can be Sold) at the product",
        );
    } else if value::ids(product, "taxes_id").is_empty() {
        sheet.ok(Area::Products, what, format!("id {id}, service, no taxes of its own"));
    } else {
        sheet.warn(
            Area::Products,
            what,
            format!("id {id} has customer taxes of its own"),
            "take them away: lines get the taxes of the tax table, and Odoo puts the product's \
             own back when somebody changes a line by hand",
        );
    }
}

async fn default_product(searcher: &Searcher<'_>, sku: &Sku, found: &[Record], sheet: &mut Sheet) {
    let what = format!("default_product {sku}");
    match pick(found, |record| value::text(record, "default_code") == sku.as_str()) {
        Hit::One(product) => {
            sheet.ok(Area::Products, what, format!("id {}", value::id(product, "id")));
        }
        Hit::Several(count) => several(count, &what, sheet),
        Hit::Nothing => match archived(searcher, sku).await {
            Err(fault) => sheet.fault(Area::Products, what, &fault),
            Ok(true) => is_archived(&what, sheet),
            Ok(false) => sheet.fail(
                Area::Products,
                what,
                "no product has this internal reference",
                "make it in Odoo, or write unknown_sku = \"hold\"",
            ),
        },
    }
}

fn several(count: usize, what: &str, sheet: &mut Sheet) {
    let detail = format!("{count} products have this internal reference");
    let next = "leave it on one of them: orders that need it are held";
    sheet.fail(Area::Products, what, detail, next);
}

fn is_archived(what: &str, sheet: &mut Sheet) {
    sheet.fail(
        Area::Products,
        what,
        "the product with this internal reference is archived",
        "unarchive it in Odoo, or write another reference under [account.products]",
    );
}

/// Whether a product with this reference is archived: then a second one is not made.
async fn archived(searcher: &Searcher<'_>, sku: &Sku) -> Result<bool, Fault> {
    let find = Find { archived_too: true, limit: Some(1), ..Find::default() };
    let mut domain = domain::products(&searcher.lineage, &[sku.as_str()]);
    if let Some(terms) = domain.as_array_mut() {
        terms.push(json!(["active", "=", false]));
    }
    let found = searcher.client().search(MODEL, domain, &find, searcher.context()).await?;
    Ok(!found.is_empty())
}
