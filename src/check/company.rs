//! The company of an account: there, and the user may work for it.

use serde_json::json;

use super::report::{Area, Sheet};
use super::search::{Hit, matches, pick};
use super::server::Connected;
use crate::config::AccountSettings;
use crate::deliver::value;
use crate::model::OdooId;
use crate::odoo::{Context, Find, Record};

/// The company's id, if the account can work.
pub(super) async fn find(
    odoo: &Connected,
    account: &AccountSettings,
    sheet: &mut Sheet,
) -> Option<OdooId> {
    let fields = ["name", "currency_id"];
    let context = Context::new(&odoo.server.company_ids);
    let found =
        odoo.client.search_read("res.company", json!([]), &fields, &Find::default(), context).await;
    let found = match found {
        Ok(found) => found,
        Err(fault) => {
            sheet.fault(Area::Company, "company", &fault);
            return None;
        }
    };
    match pick(&found, |record| matches(&account.company, record)) {
        Hit::One(company) => judge(odoo, company, sheet),
        Hit::Several(count) => {
            let detail = format!("{count} companies are named {}", account.company);
            let next = "write company_id = the id of the one meant";
            sheet.fail(Area::Company, "company", detail, next);
            None
        }
        Hit::Nothing => {
            let names: Vec<_> = found.iter().map(|record| value::text(record, "name")).collect();
            sheet.fail(
                Area::Company,
                "company",
                format!(
                    "there is no company {}, or the user may not work for it; it sees: {}",
                    account.company,
                    names.join(", ")
                ),
                "correct `company`, or add it to the user's allowed companies; then run this again",
            );
            None
        }
    }
}

fn judge(odoo: &Connected, company: &Record, sheet: &mut Sheet) -> Option<OdooId> {
    let id = value::id(company, "id");
    let name = value::text(company, "name");
    if !odoo.server.company_ids.contains(&id) {
        sheet.fail(
            Area::Company,
            "company",
            format!("the user may not work for \"{name}\" (id {id})"),
            "add it to the user's allowed companies, then run this again",
        );
        return None;
    }
    let currency = company.get("currency_id").and_then(|pair| pair.get(1));
    let currency = currency.and_then(serde_json::Value::as_str).unwrap_or("no currency");
    sheet.ok(Area::Company, "company", format!("\"{name}\" (id {id}), {currency}"));
    Some(id)
}
