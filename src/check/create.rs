//! What `--fix` makes in Odoo.
//!
//! Promises: one `load()` a record, under an external id, in create-if-absent mode, so that whoever
//! runs it again, here or on another host, creates nothing; looked up afterwards by the search that
//! delivery makes. Touches nothing that exists.

use serde_json::{Value, json};

use super::search::Searcher;
use crate::deliver::{domain, value};
use crate::model::{AccountId, Sku};
use crate::odoo::{Fault, FaultKind, Find, Record, Verdict, Words, Writer};
use crate::plan::external;

/// What became of it.
#[derive(Debug)]
pub(super) enum Made {
    /// It is there now: the record as a search gives it.
    New(Record),
    /// It is not.
    Not {
        /// Why.
        detail: String,
        /// What to do.
        next: String,
    },
}

/// Fields of a product that this Odoo may lack.
const OPTIONAL: [(&str, &str); 5] = [
    ("purchase_ok", ""),
    ("list_price", "0"),
    // A fee is never delivered: invoiced with the order, or it would never be.
    ("invoice_policy", "order"),
    ("taxes_id/.id", ""),
    ("supplier_taxes_id/.id", ""),
];

/// A service that is sold, without taxes, of no company.
pub(super) async fn service(
    searcher: &Searcher<'_>,
    account: &AccountId,
    external_name: &str,
    name: &str,
    sku: &Sku,
) -> Made {
    let model = "product.product";
    let known = match searcher.client().fields_get(model, &["type"], searcher.context()).await {
        Ok(known) => known,
        Err(fault) => return Made::failed(&fault),
    };
    let mut fields = vec!["id", "name", "default_code", "type", "sale_ok", "company_id/.id"];
    let id = external::full(account, external_name);
    let mut cells = json_cells(&[&id, name, sku.as_str(), "service", "1", ""]);
    for (field, cell) in OPTIONAL {
        let base = field.split('/').next().unwrap_or(field);
        if known.contains_key(base) {
            fields.push(field);
            cells.push(Value::from(cell));
        }
    }
    if let Some(refused) = load(searcher, model, &fields, cells).await {
        return refused.or_right(
            "Products / Create (on 19; before, Sales / Administrator or Inventory / Administrator)",
        );
    }
    let domain = domain::products(&searcher.lineage, &[sku.as_str()]);
    found(searcher, model, domain, &["default_code", "type"], &id, "internal reference").await
}

/// A pricelist of no company, in an active currency.
pub(super) async fn pricelist(
    searcher: &Searcher<'_>,
    account: &AccountId,
    name: &str,
    currency: &str,
) -> Made {
    let model = "product.pricelist";
    let find = Find { archived_too: true, ..Find::default() };
    let currencies = searcher.client().search_read(
        "res.currency",
        json!([["name", "=", currency]]),
        &["active"],
        &find,
        searcher.context(),
    );
    let currency_id = match currencies.await {
        Ok(found) => match found.first() {
            Some(record) if value::flag(record, "active") => value::id(record, "id"),
            Some(_) | None => {
                return Made::Not {
                    detail: format!("no pricelist made: {currency} is not active in Odoo"),
                    next: format!(
                        "activate {currency} under Invoicing / Configuration / Currencies, then \
                         run this again"
                    ),
                };
            }
        },
        Err(fault) => return Made::failed(&fault),
    };
    let id = external::full(account, &format!("pricelist_{}", external::escape(name)));
    let fields = ["id", "name", "currency_id/.id", "company_id/.id"];
    let mut cells = json_cells(&[&id, name]);
    cells.extend([Value::from(currency_id), Value::from("")]);
    if let Some(refused) = load(searcher, model, &fields, cells).await {
        return refused.or_right("Sales / Administrator");
    }
    let mut domain = domain::pricelists(searcher.company);
    if let Value::Array(terms) = &mut domain {
        terms.push(json!(["name", "=", name]));
    }
    found(searcher, model, domain, &["name", "currency_id"], &id, "name").await
}

/// Why a `load()` stored nothing.
enum Refused {
    Right(Words),
    Other(Made),
}

impl Refused {
    fn or_right(self, group: &str) -> Made {
        match self {
            Self::Other(made) => made,
            Self::Right(words) => Made::Not {
                detail: format!("Odoo refuses: {}", words.expose()),
                next: format!("make it yourself, or give the user {group} for this one run"),
            },
        }
    }
}

/// One record; none if all is well.
async fn load(
    searcher: &Searcher<'_>,
    model: &str,
    fields: &[&str],
    cells: Vec<Value>,
) -> Option<Refused> {
    let context = searcher.context().noupdate();
    let reply = match Writer::on(searcher.client()).load(model, fields, vec![cells], context).await
    {
        Ok(reply) => reply,
        Err(fault) => return Some(Refused::Other(Made::failed(&fault))),
    };
    // Odoo's words are shown: nothing of a buyer's was sent that they could hold.
    let (detail, next) = match reply.verdict(1, fields) {
        Verdict::Loaded(_) => return None,
        Verdict::Configuration { kind: FaultKind::MissingRequired, words, .. } => {
            (format!("Odoo refuses: {}", words.expose()), FaultKind::MissingRequired.next_step())
        }
        Verdict::Configuration { words, .. } => return Some(Refused::Right(words)),
        Verdict::Transient(_) => {
            ("somebody else wrote at the same time".to_owned(), "run this again")
        }
        Verdict::Unknown(words) => (format!("Odoo refuses: {}", words.expose()), "run this again"),
        Verdict::Rejected(refusals) => {
            let words = refusals.first().map(|refusal| refusal.words.expose()).unwrap_or_default();
            (format!("Odoo refuses: {words}"), "make it yourself, or correct what Odoo names")
        }
    };
    Some(Refused::Other(Made::Not { detail, next: next.to_owned() }))
}

/// It must now be what delivery finds. It is not where it was made before and then changed.
async fn found(
    searcher: &Searcher<'_>,
    model: &str,
    domain: Value,
    fields: &[&str],
    external_id: &str,
    what: &str,
) -> Made {
    match searcher.list(model, domain, fields).await {
        Ok(mut records) if !records.is_empty() => Made::New(records.swap_remove(0)),
        Ok(_) => Made::Not {
            detail: format!("{external_id} was made before, and its {what} was changed since"),
            next: format!("put the {what} back in Odoo, or write the new one into the settings"),
        },
        Err(fault) => Made::failed(&fault),
    }
}

fn json_cells(cells: &[&str]) -> Vec<Value> {
    cells.iter().map(|cell| Value::from(*cell)).collect()
}

// === impl Made ===

impl Made {
    fn failed(fault: &Fault) -> Self {
        Self::Not { detail: fault.to_string(), next: fault.next_step().to_owned() }
    }
}
