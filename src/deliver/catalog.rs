//! What Odoo has: products, pricelists, taxes, warehouses, carriers, countries.
//!
//! One catalog per account. Found by exact search in the account's company, one call per kind,
//! refreshed every few minutes. A product is remembered only while it is found: a missing one is
//! asked for again with every batch that wants it, so that creating it ends the hold. What is not
//! found is looked for among the archived, only to say so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::{Value, json};

use super::settings::AccountSettings;
use super::{domain, value};
use crate::model::{Currency, Marketplace, OdooId, Sku};
use crate::odoo::{Client, Context, Fault, Find, Record};
use crate::plan::{Found, Lookup, Tax, TaxRef, Wanted};

/// SKUs asked for in one call.
const SKUS_PER_CALL: usize = 500;

/// Field names that differ between Odoo versions; from `fields_get`, never from the version.
#[expect(clippy::struct_excessive_bools, reason = "each is a field that a version has or not")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Taxes of `sale.order.line`: `tax_ids` or `tax_id`.
    pub taxes: &'static str,
    /// Unit of `sale.order.line`: `product_uom_id` or `product_uom`.
    pub uom: &'static str,
    /// `sale.order` has `locked`; else state `done` is the lock.
    pub locked: bool,
    /// Odoo works out an order's invoice address and a line's unit where a call does not name them
    /// (it does since `locked` came; before, leaving them out costs more than it saves).
    pub computes: bool,
    /// `sale.order.line` has `discount`, which a rule of a pricelist fills in.
    pub discount: bool,
    /// `sale.order` has `carrier_id` (module delivery).
    pub carrier: bool,
    /// `sale.order` has `sale_order_template_id` (module `sale_management`).
    pub template: bool,
    /// `stock.picking.note` is HTML.
    pub note_is_html: bool,
    /// `stock.picking` can be read (module stock).
    pub pickings: bool,
}

/// A product as delivery needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Product {
    id: OdooId,
    uom: OdooId,
}

/// What Odoo has, as far as one account needs it. Shared by the batches of the account; products
/// and states are added as orders name them.
#[derive(Debug)]
pub struct Catalog {
    /// Field names.
    pub schema: Schema,
    /// The account's company.
    pub company: OdooId,
    /// All companies the user may use, the account's first.
    pub companies: Vec<OdooId>,
    /// The account's company and those above it, whose taxes and products are its own as well.
    pub lineage: Vec<OdooId>,
    products: RwLock<Products>,
    pricelists: BTreeMap<Marketplace, Found<(OdooId, Currency)>>,
    taxes: BTreeMap<TaxRef, Found<Tax>>,
    warehouses: BTreeMap<String, Found<OdooId>>,
    carriers: BTreeMap<String, Found<OdooId>>,
    countries: BTreeMap<String, OdooId>,
    states: RwLock<BTreeMap<String, Vec<State>>>,
    /// What is wanted and stands archived, in words.
    archived: Archived,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Archived {
    pricelists: BTreeMap<Marketplace, String>,
    taxes: BTreeMap<TaxRef, String>,
    warehouses: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct Products {
    by_sku: BTreeMap<Sku, Found<Product>>,
    uoms: BTreeMap<OdooId, OdooId>,
    archived: BTreeMap<Sku, OdooId>,
}

#[derive(Debug)]
struct State {
    id: OdooId,
    code: String,
    name: String,
}

/// Why a catalog cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// A call failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The configured company is not among those the user may use. The account pauses.
    #[error("{wanted} is gone; the user may work for: {}", may.join(", "))]
    Company {
        /// As configured.
        wanted: String,
        /// The companies that the user may work for.
        may: Vec<String>,
    },
    /// The account is not delivered: not configured, or switched off.
    #[error("the account is not configured, or switched off")]
    Account,
    /// A module is missing. The account pauses.
    #[error("Odoo has no {0}: install the module that brings it")]
    Module(&'static str),
}

impl Catalog {
    /// Asks Odoo for everything but products.
    pub async fn load(client: &Client, account: &AccountSettings) -> Result<Self, CatalogError> {
        let companies = companies(client, account).await?;
        let none =
            || CatalogError::Company { wanted: account.company.to_string(), may: Vec::new() };
        let company = companies.first().copied().ok_or_else(none)?;
        let context = Context::new(&[company]);
        let schema = schema(client, &context).await?;
        let lineage = domain::lineage(client, company, context.clone()).await?;
        let mut catalog = Self {
            schema,
            company,
            companies,
            lineage,
            products: RwLock::default(),
            pricelists: BTreeMap::new(),
            taxes: BTreeMap::new(),
            warehouses: BTreeMap::new(),
            carriers: BTreeMap::new(),
            countries: BTreeMap::new(),
            states: RwLock::default(),
            archived: Archived::default(),
        };
        catalog.load_pricelists(client, account, &context).await?;
        catalog.load_taxes(client, account, &context).await?;
        catalog.load_warehouses(client, account, &context).await?;
        catalog.load_carriers(client, account, &context).await?;
        let countries = client
            .search_read("res.country", json!([]), &["code"], &Find::default(), context)
            .await?;
        catalog.countries = countries
            .iter()
            .map(|country| (value::text(country, "code"), value::id(country, "id")))
            .collect();
        Ok(catalog)
    }

    /// Asks for products that are not known by now.
    pub async fn want_products(&self, client: &Client, skus: &BTreeSet<Sku>) -> Result<(), Fault> {
        let missing: Vec<Sku> = {
            let products = read(&self.products);
            let known = |sku: &&Sku| matches!(products.by_sku.get(sku), Some(Found::One(_)));
            skus.iter().filter(|sku| !known(sku)).cloned().collect()
        };
        for chunk in missing.chunks(SKUS_PER_CALL) {
            let names: Vec<&str> = chunk.iter().map(Sku::as_str).collect();
            let domain = domain::products(&self.lineage, &names);
            let found = client
                .search_read(
                    "product.product",
                    domain,
                    &["default_code", "uom_id"],
                    &Find::default(),
                    Context::new(&[self.company]),
                )
                .await?;
            let absent = self.learn(chunk, &found);
            let domain = domain::products(&self.lineage, &absent);
            let nothing = absent.is_empty();
            let asleep = self.asleep(client, "product.product", domain, "default_code", nothing);
            let asleep = asleep.await?;
            let mut products = write(&self.products);
            for record in &asleep {
                if let Ok(sku) = value::text(record, "default_code").parse::<Sku>() {
                    products.archived.insert(sku, value::id(record, "id"));
                }
            }
        }
        Ok(())
    }

    /// Remembers what was found of the products asked for, and says which are not there.
    fn learn<'a>(&self, asked: &'a [Sku], found: &[Record]) -> Vec<&'a str> {
        let mut products = write(&self.products);
        for sku in asked {
            products.by_sku.insert(sku.clone(), Found::Nothing);
            products.archived.remove(sku);
        }
        for record in found {
            let product = Product { id: value::id(record, "id"), uom: value::id(record, "uom_id") };
            products.uoms.insert(product.id, product.uom);
            // Odoo's "in" compares exactly; anything else would be a guess.
            if let Ok(sku) = value::text(record, "default_code").parse::<Sku>() {
                add(products.by_sku.entry(sku).or_insert(Found::Nothing), product);
            }
        }
        let absent = |sku: &&Sku| products.by_sku.get(*sku) == Some(&Found::Nothing);
        asked.iter().filter(absent).map(Sku::as_str).collect()
    }

    /// Archived records of a domain; none where nothing is missing.
    async fn asleep(
        &self,
        client: &Client,
        model: &str,
        domain: Value,
        field: &str,
        nothing_missing: bool,
    ) -> Result<Vec<Record>, Fault> {
        if nothing_missing {
            return Ok(Vec::new());
        }
        let mut terms = vec![json!(["active", "=", false])];
        terms.extend(domain.as_array().cloned().unwrap_or_default());
        let find = Find { archived_too: true, ..Find::default() };
        let context = Context::new(&[self.company]);
        client.search_read(model, Value::from(terms), &[field], &find, context).await
    }

    /// Asks for the states of countries that are not known by now.
    pub async fn want_states(
        &self,
        client: &Client,
        countries: &BTreeSet<String>,
    ) -> Result<(), Fault> {
        let missing: Vec<(&String, OdooId)> = {
            let states = read(&self.states);
            countries
                .iter()
                .filter(|code| !states.contains_key(*code))
                .filter_map(|code| Some((code, *self.countries.get(code)?)))
                .collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        let ids: Vec<OdooId> = missing.iter().map(|(_, id)| *id).collect();
        let found = client
            .search_read(
                "res.country.state",
                json!([["country_id", "in", ids]]),
                &["code", "name", "country_id"],
                &Find::default(),
                Context::new(&[self.company]),
            )
            .await?;
        let mut known = write(&self.states);
        for (code, country) in missing {
            let states = found
                .iter()
                .filter(|state| value::id(state, "country_id") == country)
                .map(|state| State {
                    id: value::id(state, "id"),
                    code: value::text(state, "code"),
                    name: value::text(state, "name"),
                })
                .collect();
            known.insert(code.clone(), states);
        }
        Ok(())
    }

    /// A country by ISO code.
    pub fn country(&self, code: &str) -> Option<OdooId> {
        self.countries.get(code).copied()
    }

    /// A state by code or exact name, any case; buyers write anything there.
    pub fn state(&self, country: &str, text: &str) -> Option<OdooId> {
        let text = text.trim().to_lowercase();
        read(&self.states)
            .get(country)?
            .iter()
            .find(|state| state.code.to_lowercase() == text || state.name.to_lowercase() == text)
            .map(|state| state.id)
    }

    /// The unit of a product.
    pub fn uom(&self, product: OdooId) -> Option<OdooId> {
        read(&self.products).uoms.get(&product).copied()
    }

    /// Whether everything but products is as in another catalog: then nothing but a product can
    /// have ended a hold.
    pub fn offers_the_same(&self, other: &Self) -> bool {
        self.company == other.company
            && self.lineage == other.lineage
            && self.pricelists == other.pricelists
            && self.taxes == other.taxes
            && self.warehouses == other.warehouses
            && self.carriers == other.carriers
            && self.archived == other.archived
    }

    async fn load_pricelists(
        &mut self,
        client: &Client,
        account: &AccountSettings,
        context: &Context,
    ) -> Result<(), Fault> {
        let found = client
            .search_read(
                "product.pricelist",
                domain::pricelists(self.company),
                &["name", "currency_id"],
                &Find::default(),
                context.clone(),
            )
            .await?;
        for (marketplace, wanted) in &account.pricelists {
            let mut hit = Found::Nothing;
            for record in found.iter().filter(|record| wanted.is(record)) {
                let currency = record.get("currency_id").and_then(|pair| pair.get(1));
                if let Some(currency) =
                    currency.and_then(Value::as_str).and_then(|code| code.parse().ok())
                {
                    add(&mut hit, (value::id(record, "id"), currency));
                }
            }
            self.pricelists.insert(*marketplace, hit);
        }
        let absent =
            |marketplace: &Marketplace| self.pricelists.get(marketplace) == Some(&Found::Nothing);
        let all_there = !account.pricelists.keys().any(absent);
        let domain = domain::pricelists(self.company);
        let asleep = self.asleep(client, "product.pricelist", domain, "name", all_there).await?;
        let found = account.pricelists.iter().filter(|(marketplace, _)| absent(marketplace));
        let found = found.filter_map(|(marketplace, wanted)| {
            Some((*marketplace, archived(asleep.iter().find(|record| wanted.is(record))?, "name")))
        });
        let found = found.collect();
        self.archived.pricelists = found;
        Ok(())
    }

    async fn load_taxes(
        &mut self,
        client: &Client,
        account: &AccountSettings,
        context: &Context,
    ) -> Result<(), Fault> {
        let found = client
            .search_read(
                "account.tax",
                domain::taxes(&self.lineage),
                &["name", "price_include"],
                &Find::default(),
                context.clone(),
            )
            .await?;
        for wanted in account.policy.tax_refs() {
            let mut hit = Found::Nothing;
            for record in &found {
                let same = match &wanted {
                    TaxRef::Name(name) => value::text(record, "name") == *name,
                    TaxRef::Id(id) => value::id(record, "id") == *id,
                };
                if same {
                    let price_include = value::flag(record, "price_include");
                    add(&mut hit, Tax { id: value::id(record, "id"), price_include });
                }
            }
            self.taxes.insert(wanted, hit);
        }
        let absent = |tax: &&TaxRef| self.taxes.get(tax) == Some(&Found::Nothing);
        let wanted = account.policy.tax_refs();
        let all_there = !wanted.iter().any(|tax| absent(&tax));
        let domain = domain::taxes(&self.lineage);
        let asleep = self.asleep(client, "account.tax", domain, "name", all_there).await?;
        let found = wanted.iter().filter(absent).filter_map(|tax| {
            let same = |record: &&Record| match tax {
                TaxRef::Name(name) => value::text(record, "name") == *name,
                TaxRef::Id(id) => value::id(record, "id") == *id,
            };
            Some((tax.clone(), archived(asleep.iter().find(same)?, "name")))
        });
        let found = found.collect();
        self.archived.taxes = found;
        Ok(())
    }

    async fn load_warehouses(
        &mut self,
        client: &Client,
        account: &AccountSettings,
        context: &Context,
    ) -> Result<(), Fault> {
        let found = client
            .search_read(
                "stock.warehouse",
                domain::warehouses(self.company),
                &["code"],
                &Find { order: Some(domain::WAREHOUSE_ORDER), ..Find::default() },
                context.clone(),
            )
            .await?;
        for record in &found {
            let code = value::text(record, "code");
            add(self.warehouses.entry(code).or_insert(Found::Nothing), value::id(record, "id"));
        }
        let wanted = account.policy.warehouse_codes();
        let all_there = wanted.iter().all(|code| self.warehouses.contains_key(code));
        let domain = domain::warehouses(self.company);
        let asleep = self.asleep(client, "stock.warehouse", domain, "code", all_there).await?;
        let named =
            asleep.iter().map(|record| (value::text(record, "code"), archived(record, "code")));
        self.archived.warehouses = named.filter(|(code, _)| wanted.contains(code)).collect();
        Ok(())
    }

    async fn load_carriers(
        &mut self,
        client: &Client,
        account: &AccountSettings,
        context: &Context,
    ) -> Result<(), Fault> {
        let wanted = account.policy.carrier_names();
        if wanted.is_empty() || !self.schema.carrier {
            return Ok(());
        }
        // A provider other than these two asks somebody for a label.
        let domain = json!([["delivery_type", "in", domain::QUIET_CARRIERS]]);
        let found = client
            .search_read("delivery.carrier", domain, &["name"], &Find::default(), context.clone())
            .await?;
        for record in &found {
            let name = value::text(record, "name");
            if wanted.contains(&name) {
                add(self.carriers.entry(name).or_insert(Found::Nothing), value::id(record, "id"));
            }
        }
        Ok(())
    }
}

impl Lookup for Catalog {
    fn product(&self, sku: &Sku) -> Found<OdooId> {
        match read(&self.products).by_sku.get(sku) {
            Some(Found::One(product)) => Found::One(product.id),
            Some(Found::Several) => Found::Several,
            Some(Found::Nothing) | None => Found::Nothing,
        }
    }

    fn pricelist(&self, marketplace: Marketplace) -> Found<(OdooId, Currency)> {
        self.pricelists.get(&marketplace).copied().unwrap_or(Found::Nothing)
    }

    fn tax(&self, tax: &TaxRef) -> Found<Tax> {
        self.taxes.get(tax).copied().unwrap_or(Found::Nothing)
    }

    fn warehouse(&self, code: &str) -> Found<OdooId> {
        self.warehouses.get(code).copied().unwrap_or(Found::Nothing)
    }

    fn carrier(&self, name: &str) -> Found<OdooId> {
        self.carriers.get(name).copied().unwrap_or(Found::Nothing)
    }

    fn archived(&self, wanted: &Wanted<'_>) -> Option<String> {
        match *wanted {
            Wanted::Product(sku) => read(&self.products).archived.get(sku).map(|id| {
                format!(
                    "{sku} is archived (product {id}): unarchive it, or set this internal \
                     reference on another product"
                )
            }),
            Wanted::Pricelist(marketplace) => self.archived.pricelists.get(&marketplace).cloned(),
            Wanted::Tax(tax) => self.archived.taxes.get(tax).cloned(),
            Wanted::Warehouse(code) => self.archived.warehouses.get(code).cloned(),
        }
    }
}

/// An archived record in words.
fn archived(record: &Record, field: &str) -> String {
    format!(
        "\"{}\" (id {}) is archived in Odoo: unarchive it, or name another",
        value::text(record, field),
        value::id(record, "id")
    )
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// One more hit.
fn add<T>(found: &mut Found<T>, hit: T) {
    *found = match found {
        Found::Nothing => Found::One(hit),
        Found::One(_) | Found::Several => Found::Several,
    };
}

/// The user's companies, the account's first.
async fn companies(
    client: &Client,
    account: &AccountSettings,
) -> Result<Vec<OdooId>, CatalogError> {
    let found = client
        .search_read("res.company", json!([]), &["name"], &Find::default(), Context::user())
        .await?;
    let (own, others): (Vec<&Record>, Vec<&Record>) =
        found.iter().partition(|record| account.company.is(record));
    if own.len() != 1 {
        let mut may: Vec<String> = found.iter().map(|one| value::text(one, "name")).collect();
        may.sort();
        return Err(CatalogError::Company { wanted: account.company.to_string(), may });
    }
    Ok(own.iter().chain(&others).map(|record| value::id(record, "id")).collect())
}

async fn schema(client: &Client, context: &Context) -> Result<Schema, CatalogError> {
    let attributes = ["type"];
    let order = client.fields_get("sale.order", &attributes, context.clone()).await?;
    let line = client.fields_get("sale.order.line", &attributes, context.clone()).await?;
    let picking = client.fields_get("stock.picking", &attributes, context.clone()).await?;
    let first = |fields: &Record, names: [&'static str; 2], what| {
        names.into_iter().find(|name| fields.contains_key(*name)).ok_or(CatalogError::Module(what))
    };
    let note = picking.get("note").and_then(|note| note.get("type")).and_then(Value::as_str);
    Ok(Schema {
        taxes: first(&line, ["tax_ids", "tax_id"], "taxes on order lines (sale)")?,
        uom: first(&line, ["product_uom_id", "product_uom"], "units on order lines (sale)")?,
        locked: order.contains_key("locked"),
        computes: order.contains_key("locked"),
        discount: line.contains_key("discount"),
        carrier: order.contains_key("carrier_id"),
        template: order.contains_key("sale_order_template_id"),
        note_is_html: note == Some("html"),
        pickings: note.is_some() && picking.contains_key("sale_id"),
    })
}
