//! What a marketplace's settings name: pricelist, taxes, warehouses, carriers.
//!
//! Each is found exactly once, by the searches that delivery makes, and fits what it is for.
//! `--fix` makes missing pricelists; nothing else here is ever made.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::create::{Made, pricelist};
use super::report::{Area, Sheet};
use super::search::{Hit, Searcher, matches, pick};
use crate::config::{
    AccountSettings, Destination, MarketplaceSettings, PricesAre, RecordRef, TaxRef, TaxRule,
    Warehouse,
};
use crate::deliver::{domain, value};
use crate::odoo::{Fault, Find, Record};

const PRICELIST: &str = "product.pricelist";
const TAX: &str = "account.tax";

/// What Odoo has for the company; asked for once.
struct Offer {
    pricelists: Vec<Record>,
    taxes: Vec<Record>,
    warehouses: Vec<Record>,
    carriers: Option<Vec<Record>>,
}

/// All marketplaces of an account.
pub(super) async fn prove(
    searcher: &Searcher<'_>,
    account: &AccountSettings,
    fix: bool,
    sheet: &mut Sheet,
) {
    let mut offer = match Offer::ask(searcher, super::names_carriers(account)).await {
        Ok(offer) => offer,
        Err((what, fault)) => {
            sheet.fault(Area::Marketplace, what, &fault);
            return;
        }
    };
    if account.marketplaces.is_empty() {
        let next = "add an [[account.marketplace]] table for each marketplace it sells on";
        let detail = "there is none: its orders are held `marketplace`";
        sheet.warn(Area::Marketplace, "marketplaces", detail, next);
    }
    for settings in &account.marketplaces {
        let one = One { searcher, account, settings };
        one.pricelist(&mut offer, fix, sheet).await;
        one.taxes(&offer, sheet).await;
        one.tax_table(sheet);
        one.warehouses(&offer, sheet);
        one.carriers(&offer, sheet).await;
    }
}

/// One marketplace of an account.
struct One<'a> {
    searcher: &'a Searcher<'a>,
    account: &'a AccountSettings,
    settings: &'a MarketplaceSettings,
}

// === impl Offer ===

impl Offer {
    async fn ask(searcher: &Searcher<'_>, carriers: bool) -> Result<Self, (&'static str, Fault)> {
        let company = searcher.company;
        let pricelists =
            searcher.list(PRICELIST, domain::pricelists(company), &["name", "currency_id"]);
        let pricelists = pricelists.await.map_err(|fault| ("pricelists", fault))?;
        let fields = ["name", "price_include", "amount", "amount_type"];
        let taxes = searcher.list(TAX, domain::taxes(&searcher.lineage), &fields);
        let taxes = taxes.await.map_err(|fault| ("taxes", fault))?;
        let find = Find { order: Some(domain::WAREHOUSE_ORDER), ..Find::default() };
        let warehouses = searcher.client().search_read(
            "stock.warehouse",
            domain::warehouses(company),
            &["code", "name"],
            &find,
            searcher.context(),
        );
        let warehouses = warehouses.await.map_err(|fault| ("warehouses", fault))?;
        let carriers = if carriers {
            let all = Value::Array(Vec::new());
            let found = searcher.list("delivery.carrier", all, &["name", "delivery_type"]).await;
            Some(found.map_err(|fault| ("carriers", fault))?)
        } else {
            None
        };
        Ok(Self { pricelists, taxes, warehouses, carriers })
    }
}

// === impl One ===

impl One<'_> {
    fn what(&self, what: &str) -> String {
        format!("{} {what}", self.settings.marketplace)
    }

    /// The pricelist gives orders their currency.
    async fn pricelist(&self, offer: &mut Offer, fix: bool, sheet: &mut Sheet) {
        let what = self.what("pricelist");
        let wanted = &self.settings.pricelist;
        match pick(&offer.pricelists, |record| matches(wanted, record)) {
            Hit::One(found) => self.currency(found, &what, sheet),
            Hit::Several(count) => sheet.fail(
                Area::Marketplace,
                what,
                format!("{count} pricelists are named {wanted}"),
                "write pricelist_id = the id of the one meant",
            ),
            Hit::Nothing => {
                if let Some(made) = self.no_pricelist(&what, fix, sheet).await {
                    offer.pricelists.push(made);
                }
            }
        }
    }

    fn currency(&self, found: &Record, what: &str, sheet: &mut Sheet) {
        let usual = self.settings.marketplace.currency();
        let currency = found.get("currency_id").and_then(|pair| pair.get(1));
        let currency = currency.and_then(Value::as_str).unwrap_or_default();
        let detail =
            format!("{} (id {}), {currency}", self.settings.pricelist, value::id(found, "id"));
        if currency == usual {
            sheet.ok(Area::Marketplace, what, detail);
        } else {
            sheet.warn(
                Area::Marketplace,
                what,
                format!("{detail}, but buyers usually pay in {usual}"),
                format!("orders in {usual} will be held `pricelist`: name a pricelist in {usual}"),
            );
        }
    }

    /// Nothing found: made, or what to do. The new record, so that the next marketplace finds it.
    async fn no_pricelist(&self, what: &str, fix: bool, sheet: &mut Sheet) -> Option<Record> {
        let wanted = &self.settings.pricelist;
        let domain = domain::pricelists(self.searcher.company);
        let instead = self.searcher.instead(PRICELIST, domain, wanted, "pricelist", "pricelist");
        match instead.await {
            Err(fault) => sheet.fault(Area::Marketplace, what, &fault),
            Ok(Some(instead)) => {
                let detail = format!("there is no pricelist {wanted}; {}", instead.detail);
                sheet.fail(Area::Marketplace, what, detail, instead.next);
            }
            Ok(None) => {
                let RecordRef::Name(name) = wanted else {
                    let detail = format!("there is no pricelist with {wanted} in this company");
                    let next = "write pricelist = its name, or the right id";
                    sheet.fail(Area::Marketplace, what, detail, next);
                    return None;
                };
                let currency = self.settings.marketplace.currency();
                if fix {
                    let made = pricelist(self.searcher, &self.account.id, name, currency).await;
                    return made.report(Area::Marketplace, what, name, sheet);
                }
                sheet.fail(
                    Area::Marketplace,
                    what,
                    format!("there is no pricelist {wanted} in this company"),
                    format!("`odoo-spoold check --fix` makes it, in {currency}"),
                );
            }
        }
        None
    }

    /// Each tax of the table, once.
    async fn taxes(&self, offer: &Offer, sheet: &mut Sheet) {
        let mut rules: BTreeMap<&RecordRef, Vec<&TaxRule>> = BTreeMap::new();
        for rule in &self.settings.taxes {
            if let TaxRef::Tax(tax) = &rule.tax {
                rules.entry(tax).or_default().push(rule);
            }
        }
        for (wanted, rules) in rules {
            let what = self.what(&format!("tax {wanted}"));
            match pick(&offer.taxes, |record| matches(wanted, record)) {
                Hit::One(found) => self.tax(found, &rules, &what, sheet),
                Hit::Several(count) => sheet.fail(
                    Area::Marketplace,
                    what,
                    format!("{count} sales taxes of this company have this name"),
                    "write tax_id = the id of the one meant",
                ),
                Hit::Nothing => self.no_tax(wanted, &what, sheet).await,
            }
        }
    }

    fn tax(&self, found: &Record, rules: &[&TaxRule], what: &str, sheet: &mut Sheet) {
        let id = value::id(found, "id");
        let included = value::flag(found, "price_include");
        let (wanted, prices) = match self.settings.prices {
            PricesAre::Gross => (true, "gross"),
            PricesAre::Net => (false, "net"),
        };
        let is = if included { "included in the price" } else { "on top of the price" };
        let amount = value::decimal(found, "amount").normalize();
        let percent = value::text(found, "amount_type") == "percent";
        let other = rules.iter().find(|rule| rule.rate.normalize() != amount);
        if included != wanted {
            sheet.fail(
                Area::Marketplace,
                what,
                format!("id {id} is {is}, but prices = \"{prices}\""),
                "name a tax that fits, or correct prices: its orders would be held `tax`",
            );
        } else if !percent {
            sheet.warn(
                Area::Marketplace,
                what,
                format!("id {id} is no plain percentage"),
                "see that what Odoo computes is what Amazon reports, or name a percentage",
            );
        } else if let Some(rule) = other {
            sheet.warn(
                Area::Marketplace,
                what,
                format!(
                    "id {id} is {amount} %, the table says {} % to {}",
                    rule.rate.normalize(),
                    rule.destination
                ),
                "correct rate or tax in the table",
            );
        } else {
            sheet.ok(Area::Marketplace, what, format!("id {id}, {amount} %, {is}"));
        }
    }

    async fn no_tax(&self, wanted: &RecordRef, what: &str, sheet: &mut Sheet) {
        let domain = domain::taxes(&self.searcher.lineage);
        match self.searcher.instead(TAX, domain, wanted, "sales tax", "tax").await {
            Err(fault) => sheet.fault(Area::Marketplace, what, &fault),
            Ok(Some(instead)) => {
                let detail = format!("not among the company's sales taxes; {}", instead.detail);
                sheet.fail(Area::Marketplace, what, detail, instead.next);
            }
            Ok(None) => sheet.fail(
                Area::Marketplace,
                what,
                "there is no such sales tax in this company",
                "write the tax as Odoo names it, or make it in Odoo: taxes are never made here",
            ),
        }
    }

    /// Whether the table answers for every order.
    fn tax_table(&self, sheet: &mut Sheet) {
        let what = self.what("tax table");
        let rules = &self.settings.taxes;
        if rules.is_empty() {
            sheet.warn(
                Area::Marketplace,
                what,
                "empty",
                "orders whose tax Amazon does not collect itself will be held `tax`: add \
                 [[account.marketplace.tax]]",
            );
            return;
        }
        let destinations: BTreeSet<_> = rules.iter().map(|rule| rule.destination).collect();
        let defaults: BTreeSet<_> =
            rules.iter().filter(|rule| rule.default).map(|rule| rule.destination).collect();
        let without: Vec<_> = destinations.difference(&defaults).map(ToString::to_string).collect();
        let others = destinations.contains(&Destination::Any);
        if without.is_empty() && others {
            let detail = format!("{} rates, {} destinations", rules.len(), destinations.len());
            sheet.ok(Area::Marketplace, what, detail);
            return;
        }
        if !without.is_empty() {
            sheet.warn(
                Area::Marketplace,
                what.clone(),
                format!("no default for {}", without.join(", ")),
                "write default = true at one rate of each: where a report has no tax column, \
                 orders will be held `tax`",
            );
        }
        if !others {
            sheet.warn(
                Area::Marketplace,
                what,
                "no entry for other countries",
                "add destination = \"*\", or orders to them will be held `tax`",
            );
        }
    }

    fn warehouses(&self, offer: &Offer, sheet: &mut Sheet) {
        let what = self.what("warehouse");
        let first = offer.warehouses.first();
        match (&self.settings.warehouse, first) {
            (Warehouse::OdooDefault, Some(first)) => {
                let detail = format!(
                    "Odoo's own choice: a default value, the user's own, else {}",
                    named(first)
                );
                sheet.ok(Area::Marketplace, what, detail);
            }
            (Warehouse::OdooDefault, None) => {
                let next = "make one in Odoo: warehouses are never made here";
                sheet.fail(Area::Marketplace, what, "this company has no warehouse", next);
            }
            (Warehouse::Code(code), _) => warehouse(&what, code, offer, sheet),
        }
        let what = self.what("fba_warehouse");
        match &self.settings.fba_warehouse {
            None => sheet.warn(
                Area::Marketplace,
                what,
                "not set",
                "orders that Amazon ships stay quotations, held `warehouse`; nothing to do if \
                 there are none",
            ),
            Some(code) if self.settings.warehouse == Warehouse::Code(code.clone()) => sheet.warn(
                Area::Marketplace,
                what,
                format!("{code} is the seller's own warehouse too"),
                "give Amazon's stock a warehouse of its own, or your pickers are asked to ship \
                 what Amazon ships",
            ),
            Some(code) => warehouse(&what, code, offer, sheet),
        }
    }

    async fn carriers(&self, offer: &Offer, sheet: &mut Sheet) {
        let Some(carriers) = &offer.carriers else { return };
        let names: BTreeSet<&String> = self.settings.carriers.values().collect();
        for name in names {
            let what = self.what(&format!("carrier \"{name}\""));
            let wanted = RecordRef::Name(name.clone());
            match pick(carriers, |record| matches(&wanted, record)) {
                Hit::One(found) => {
                    let kind = value::text(found, "delivery_type");
                    if domain::QUIET_CARRIERS.contains(&kind.as_str()) {
                        let detail = format!("id {}, buys no labels", value::id(found, "id"));
                        sheet.ok(Area::Marketplace, what, detail);
                    } else {
                        sheet.fail(
                            Area::Marketplace,
                            what,
                            format!("its provider is {kind}: it would buy labels"),
                            "name one whose provider is a fixed price or rules; this one is not used",
                        );
                    }
                }
                Hit::Several(count) => sheet.fail(
                    Area::Marketplace,
                    what,
                    format!("{count} delivery methods have this name"),
                    "give them different names in Odoo; none of them is used",
                ),
                Hit::Nothing => self.no_carrier(&wanted, &what, sheet).await,
            }
        }
    }

    async fn no_carrier(&self, wanted: &RecordRef, what: &str, sheet: &mut Sheet) {
        let all = Value::Array(Vec::new());
        let instead = self.searcher.instead(
            "delivery.carrier",
            all,
            wanted,
            "delivery method",
            "the carrier",
        );
        match instead.await {
            Err(fault) => sheet.fault(Area::Marketplace, what, &fault),
            Ok(Some(instead)) => sheet.fail(Area::Marketplace, what, instead.detail, instead.next),
            Ok(None) => sheet.fail(
                Area::Marketplace,
                what,
                "there is no such delivery method",
                "write its name as Odoo has it, or make it in Odoo",
            ),
        }
    }
}

fn warehouse(what: &str, code: &str, offer: &Offer, sheet: &mut Sheet) {
    match pick(&offer.warehouses, |record| value::text(record, "code") == code) {
        Hit::One(found) => sheet.ok(Area::Marketplace, what, named(found)),
        Hit::Several(count) => sheet.fail(
            Area::Marketplace,
            what,
            format!("{count} warehouses have the short name {code}"),
            "give each its own short name in Odoo",
        ),
        Hit::Nothing => {
            let known: Vec<_> =
                offer.warehouses.iter().map(|record| value::text(record, "code")).collect();
            sheet.fail(
                Area::Marketplace,
                what,
                format!("this company has no warehouse {code}; it has: {}", known.join(", ")),
                "write the short name of one of them, or make it in Odoo",
            );
        }
    }
}

fn named(warehouse: &Record) -> String {
    format!("{} \"{}\"", value::text(warehouse, "code"), value::text(warehouse, "name"))
}

impl Made {
    /// The row of a pricelist that was made, or not; the record as a later search gives it.
    fn report(self, area: Area, what: &str, name: &str, sheet: &mut Sheet) -> Option<Record> {
        match self {
            Self::New(record) => {
                let id = value::id(&record, "id");
                sheet.fixed(area, what, format!("\"{name}\" made (id {id})"));
                Some(record)
            }
            Self::Not { detail, next } => {
                sheet.fail(area, what, detail, next);
                None
            }
        }
    }
}
