//! May the user do what the daemon does?
//!
//! Odoo itself is asked, model by model; nothing is tried out. Asks about models, not about single
//! records: which orders the user sees is [`super::server::user`]'s.

use super::names_carriers;
use super::report::{Area, Sheet};
use super::server::Connected;
use crate::config::{AccountSettings, PartnerPolicy};
use crate::odoo::FaultKind;

/// What is done with a model, and who may do it in a plain Odoo.
struct Need {
    model: &'static str,
    operations: &'static [&'static str],
    group: &'static str,
}

const SALES: &str = "Sales / User: All Documents";
const CONTACTS: &str = "Extra Rights / Contact Creation";

const NEEDS: [Need; 7] = [
    Need { model: "res.partner", operations: &["read", "create"], group: CONTACTS },
    Need { model: "sale.order", operations: &["read", "create", "write"], group: SALES },
    Need { model: "sale.order.line", operations: &["read", "create", "write"], group: SALES },
    Need { model: "product.product", operations: &["read"], group: SALES },
    Need { model: "product.pricelist", operations: &["read"], group: SALES },
    Need { model: "account.tax", operations: &["read"], group: SALES },
    Need { model: "stock.warehouse", operations: &["read"], group: SALES },
];

/// Only where delivery notes are written.
const PICKING: Need = Need { model: "stock.picking", operations: &["read", "write"], group: SALES };

/// Only where carriers are configured.
const CARRIER: Need = Need { model: "delivery.carrier", operations: &["read"], group: SALES };

/// One row a model.
pub(super) async fn prove(odoo: &Connected, accounts: &[&AccountSettings], sheet: &mut Sheet) {
    let notes = |a: &&AccountSettings| a.confirm && a.partner == PartnerPolicy::Buyer;
    let mut needs: Vec<&Need> = NEEDS.iter().collect();
    if accounts.iter().any(notes) {
        needs.push(&PICKING);
    }
    if accounts.iter().any(|account| names_carriers(account)) {
        needs.push(&CARRIER);
    }
    for need in needs {
        prove_one(odoo, need, sheet).await;
    }
}

async fn prove_one(odoo: &Connected, need: &Need, sheet: &mut Sheet) {
    let mut lacking = Vec::new();
    for operation in need.operations {
        match odoo.may(need.model, operation).await {
            Ok(true) => {}
            Ok(false) => lacking.push(*operation),
            // The row about modules says it better.
            Err(fault) if fault.kind == FaultKind::MissingModel => return,
            Err(fault) => {
                sheet.fault(Area::Rights, need.model, &fault);
                return;
            }
        }
    }
    if lacking.is_empty() {
        sheet.ok(Area::Rights, need.model, need.operations.join(", "));
    } else {
        sheet.fail(
            Area::Rights,
            need.model,
            format!("the user may not {}", lacking.join(", ")),
            format!("give the user {}", need.group),
        );
    }
}
