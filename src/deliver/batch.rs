//! One batch: leased jobs become orders in Odoo, stage by stage.
//!
//! ```text
//! plan ─► existing? ─► partners ─► creating (barrier) ─► load orders ─► read back ─► diff
//!                                                                                     │
//!   settle ◄─ dates, notes ◄─ confirm ◄─ confirming (barrier) ◄─ rounding ◄─ writes ◄─┘
//! ```
//!
//! Every stage is one call for the whole batch (or a few), can be repeated, and looks first at what
//! Odoo shows: a crash anywhere redoes only what is not there yet. An order that ends early (held,
//! dead, nothing to do) drops out and never delays the others.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::catalog::Catalog;
use super::partners::{Customer, Wanted};
use super::read;
use super::send::{Loaded, Sender, Stop};
use super::settings::AccountSettings;
use super::shelf::Shelf;
use super::value;
use crate::model::{
    BuyerFact, Death, Dossier, Hold, HoldCode, Mapping, OdooId, Origin, Outcome, Sku, Stage,
};
use crate::odoo::{Find, Record};
use crate::plan::diff::{Partners, odoo_datetime};
use crate::plan::{
    Changes, Current, Desired, DesiredLine, Existing, Fee, Found, Lookup, PartnerMode, Plan,
    UnknownSku, diff, external, plan,
};
use crate::store::{End, IdKey, Leased};

/// Orders in one call that reads or searches.
const READ_CHUNK: usize = 500;
/// How many cents a line Odoo's rounding may differ from Amazon's before a person must look.
const ROUNDING_CENTS_PER_LINE: i64 = 2;

/// One order on its way.
pub(super) struct Work {
    pub(super) leased: Leased,
    pub(super) dossier: Dossier,
    pub(super) buyer: Option<BuyerFact>,
    pub(super) end: Option<End>,
    /// Somebody else has the order now: whatever we know of it is not to be stored.
    pub(super) lost: bool,
    desired: Option<Box<Desired>>,
    customer: Option<Customer>,
    current: Option<Current>,
    changes: Changes,
    /// Created, or lines written, in this run: the total is ours to check.
    touched: bool,
}

/// What a batch needs besides its orders.
pub(super) struct Batch<'a> {
    pub(super) sender: Sender<'a>,
    pub(super) settings: &'a AccountSettings,
    pub(super) catalog: &'a Catalog,
    pub(super) id_key: &'a IdKey,
    pub(super) confirm_batch: usize,
    pub(super) shelf: &'a Shelf,
}

impl Work {
    pub(super) fn new(leased: Leased, buyer: Option<BuyerFact>) -> Self {
        let dossier = leased.dossier.clone();
        Self {
            leased,
            dossier,
            buyer,
            end: None,
            lost: false,
            desired: None,
            customer: None,
            current: None,
            changes: Changes::default(),
            touched: false,
        }
    }

    fn is_open(&self) -> bool {
        self.end.is_none() && !self.lost
    }

    /// The order's id in Odoo, once it stands there.
    fn odoo_id(&self) -> Option<OdooId> {
        self.dossier.mapping.as_ref().map(|mapping| mapping.odoo_id).filter(|id| *id != 0)
    }

    fn stage(&self) -> Option<Stage> {
        self.dossier.mapping.as_ref().and_then(|mapping| mapping.stage)
    }

    fn set_stage(&mut self, stage: Option<Stage>) {
        if let Some(mapping) = &mut self.dossier.mapping {
            mapping.stage = stage;
        }
    }

    fn hold(&mut self, hold: Hold) {
        self.end = Some(End::Held(vec![hold]));
    }

    fn bury(&mut self, code: &str, words: &str) {
        self.end = Some(End::Dead(Death { code: code.to_owned(), words: words.to_owned() }));
    }
}

impl Batch<'_> {
    /// Brings the works to Odoo. Those that are through have an end; after a [`Stop`] the others
    /// have none.
    pub(super) async fn run(&self, works: &mut [Work]) -> Result<(), Stop> {
        self.decide(works).await?;
        self.find_existing(works).await?;
        let partners = self.partners(works).await?;
        self.create(works, &partners).await?;
        self.read_back(works).await?;
        self.compare(works, &partners);
        self.write(works).await?;
        self.round(works).await?;
        self.cancel(works).await?;
        self.confirm(works).await?;
        self.finish(works);
        Ok(())
    }

    /// Asks for the products the orders name, and plans each.
    async fn decide(&self, works: &mut [Work]) -> Result<(), Stop> {
        let policy = &self.settings.policy;
        let mut skus: BTreeSet<Sku> = policy.products.values().cloned().collect();
        if let UnknownSku::Default(sku) = &policy.unknown_sku {
            skus.insert(sku.clone());
        }
        for work in works.iter() {
            let facts = work.dossier.facts.values().flat_map(|standing| &standing.fact.lines);
            skus.extend(facts.map(|line| line.sku.clone()));
        }
        self.catalog.want_products(self.sender.client, &skus).await?;
        for work in works {
            match plan(&work.dossier, work.buyer.as_ref(), policy, self.catalog) {
                Plan::Done(outcome) => work.end = Some(End::Done(outcome)),
                Plan::Wait(holds) => work.end = Some(End::Held(holds)),
                Plan::Want(desired) => work.desired = Some(desired),
            }
        }
        Ok(())
    }

    /// Looks for orders that stood in Odoo before us, made by hand or by another connector.
    async fn find_existing(&self, works: &mut [Work]) -> Result<(), Stop> {
        let mut unseen: Vec<&mut Work> =
            works.iter_mut().filter(|work| work.is_open() && work.odoo_id().is_none()).collect();
        for chunk in unseen.chunks_mut(READ_CHUNK) {
            let ids: Vec<&str> = chunk.iter().map(|work| work.dossier.order_id.as_str()).collect();
            let domain = json!([
                ["company_id", "=", self.catalog.company],
                "|",
                "|",
                ["client_order_ref", "in", ids],
                ["origin", "in", ids],
                ["name", "in", ids]
            ]);
            let fields = ["name", "state", "client_order_ref", "origin"];
            let client = self.sender.client;
            let context = self.sender.context.clone();
            let hits = client
                .search_read("sale.order", domain, &fields, &Find::default(), context.clone())
                .await?;
            if hits.is_empty() {
                for work in chunk.iter_mut() {
                    never_created(work);
                }
                continue;
            }
            let hit_ids: Vec<OdooId> = hits.iter().map(|hit| value::id(hit, "id")).collect();
            let external = client.get_external_id("sale.order", &hit_ids, context).await?;
            for work in chunk.iter_mut() {
                self.meet_existing(work, &hits, &external);
            }
        }
        Ok(())
    }

    fn meet_existing(&self, work: &mut Work, hits: &[Record], external: &BTreeMap<OdooId, String>) {
        let order_id = work.dossier.order_id.as_str();
        let own = external::full(self.sender.account, &external::order(&work.dossier.order_id));
        let named = |hit: &&Record| {
            ["client_order_ref", "origin", "name"].iter().any(|f| value::text(hit, f) == order_id)
        };
        let mut foreign = None;
        for hit in hits.iter().filter(named) {
            let id = value::id(hit, "id");
            match external.get(&id).map(String::as_str) {
                Some(name) if name == own => {
                    // Ours: a crash came between creating it and remembering it.
                    if work.desired.as_ref().is_some_and(|desired| desired.cancel) {
                        let mapping = work.dossier.mapping.get_or_insert_with(new_mapping);
                        mapping.odoo_id = id;
                        mapping.stage = None;
                    }
                    return;
                }
                Some(name) if name.starts_with("spoold_") => {
                    return work.hold(Hold::new(
                        HoldCode::Account,
                        name.split('.').next().unwrap_or_default(),
                        "another account of this Odoo has an order with this id: one of the two \
                         accounts reads the other's reports",
                    ));
                }
                Some(_) | None => foreign = Some((id, hit)),
            }
        }
        match (foreign, self.settings.policy.existing) {
            (None, _) => never_created(work),
            (Some((id, hit)), Existing::Adopt) => {
                let mut mapping = new_mapping();
                mapping.odoo_id = id;
                mapping.name = value::text(hit, "name");
                mapping.state = value::text(hit, "state");
                mapping.origin = Origin::Adopted;
                mapping.stage = None;
                work.dossier.mapping = Some(mapping);
                work.end = Some(End::Done(Outcome::Adopted));
            }
            (Some((id, hit)), Existing::Hold) => work.hold(Hold::new(
                HoldCode::Existing,
                value::text(hit, "name"),
                format!("an order with this Amazon id is in Odoo already (id {id}), made by somebody else"),
            )),
        }
    }

    /// Creates the partners that the orders need.
    async fn partners(&self, works: &mut [Work]) -> Result<BTreeMap<String, OdooId>, Stop> {
        let policy = &self.settings.policy;
        let mut wanted = Wanted::default();
        let mut customers = Vec::new();
        for (at, work) in works.iter().enumerate().filter(|(_, work)| work.is_open()) {
            let Some(desired) = work.desired.as_ref().filter(|desired| !desired.cancel) else {
                continue;
            };
            let buyer = match policy.partner {
                PartnerMode::Buyer => work.buyer.as_ref(),
                PartnerMode::Anonymous => None,
            };
            let addressed = work.dossier.mapping.as_ref().is_some_and(|m| m.base.addressed);
            if work.odoo_id().is_some() && (addressed || buyer.is_none()) {
                continue;
            }
            let order_id = &work.dossier.order_id;
            let customer =
                wanted.customer(order_id, desired.marketplace, buyer, policy, self.id_key);
            customers.push((at, customer));
        }
        if customers.is_empty() {
            return Ok(BTreeMap::new());
        }
        let names: BTreeSet<String> =
            customers.iter().flat_map(|(_, customer)| customer.names()).cloned().collect();
        let mut known = self.shelf.partners(names.into_iter().collect()).await?;
        let before: BTreeSet<String> = known.keys().cloned().collect();
        self.catalog.want_states(self.sender.client, &wanted.countries()).await?;
        wanted.create(&self.sender, self.catalog, &mut known).await?;
        let new: BTreeMap<String, OdooId> = known
            .iter()
            .filter(|(name, _)| !before.contains(*name))
            .map(|(name, id)| (name.clone(), *id))
            .collect();
        if !new.is_empty() {
            self.shelf.keep_partners(new).await?;
        }
        for (at, customer) in customers {
            let Some(work) = works.get_mut(at) else { continue };
            if customer.ids(&known).is_none() {
                let words = "Odoo refuses the buyer or the address of this order";
                work.bury("odoo-partner-refused", words);
            }
            work.customer = Some(customer);
        }
        Ok(known)
    }

    /// Creates the orders that are not there yet.
    async fn create(
        &self,
        works: &mut [Work],
        partners: &BTreeMap<String, OdooId>,
    ) -> Result<(), Stop> {
        let absent = |work: &&mut Work| {
            work.is_open()
                && work.odoo_id().is_none()
                && work.desired.as_ref().is_some_and(|desired| !desired.cancel)
        };
        let mut fresh: Vec<&mut Work> = works.iter_mut().filter(absent).collect();
        if fresh.is_empty() {
            return Ok(());
        }
        // The ordinals are fixed before anything exists under them.
        for work in &mut fresh {
            let mapping = work.dossier.mapping.get_or_insert_with(new_mapping);
            mapping.stage = Some(Stage::Creating);
            if let Some(desired) = &work.desired {
                mapping.items.clone_from(&desired.items);
            }
        }
        self.shelf.save(fresh).await?;
        let mut fresh: Vec<&mut Work> = works.iter_mut().filter(absent).collect();
        let fields = self.order_fields();
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let records = fresh.iter().map(|work| self.order_rows(work, partners)).collect();
        let loaded = self.sender.load("sale.order", &fields, records).await?;
        let mut stale = Vec::new();
        for (work, loaded) in fresh.iter_mut().zip(loaded) {
            match loaded {
                Loaded::Id(id) => {
                    work.touched = true;
                    if let Some(mapping) = &mut work.dossier.mapping {
                        mapping.odoo_id = id;
                    }
                }
                Loaded::Refused(words) => {
                    // A partner that somebody merged or deleted is made anew, once.
                    let names = work.customer.as_ref().map(|c| c.names().cloned().collect());
                    match names {
                        Some(names) if work.leased.job.attempt == 0 => {
                            stale.extend::<Vec<String>>(names);
                            work.end = Some(End::Retry {
                                due: work.leased.job.due,
                                attempt: 1,
                                fault: "odoo-order-refused".to_owned(),
                            });
                        }
                        _ => work.bury("odoo-order-refused", words.expose()),
                    }
                }
            }
        }
        if !stale.is_empty() {
            self.shelf.forget_partners(stale).await?;
        }
        Ok(())
    }

    fn order_fields(&self) -> Vec<String> {
        let schema = &self.catalog.schema;
        // No company: every call carries it. Odoo asks PostgreSQL for each cell that names a record,
        // one by one; what it works out by itself is a third of a batch's time.
        let mut fields: Vec<String> = [
            "id",
            "client_order_ref",
            "partner_id/.id",
            "partner_shipping_id/.id",
            "pricelist_id/.id",
            "date_order",
            "commitment_date",
            "warehouse_id/.id",
        ]
        .map(str::to_owned)
        .to_vec();
        if !schema.computes {
            fields.push("partner_invoice_id/.id".to_owned());
        }
        if schema.carrier {
            fields.push("carrier_id/.id".to_owned());
        }
        fields.extend(self.line_fields().into_iter().map(|field| format!("order_line/{field}")));
        fields
    }

    fn line_fields(&self) -> Vec<String> {
        let schema = &self.catalog.schema;
        let mut fields: Vec<String> =
            ["id", "product_id/.id", "name", "product_uom_qty", "price_unit"]
                .map(str::to_owned)
                .to_vec();
        if !schema.computes {
            fields.push(format!("{}/.id", schema.uom));
        }
        fields.push(format!("{}/.id", schema.taxes));
        fields
    }

    /// The rows of one order: the first carries the order and its first line.
    fn order_rows(&self, work: &Work, partners: &BTreeMap<String, OdooId>) -> Vec<Vec<Value>> {
        let (Some(desired), Some(customer)) =
            (&work.desired, work.customer.as_ref().and_then(|c| c.ids(partners)))
        else {
            return Vec::new();
        };
        let warehouse = desired.warehouse.or_else(|| self.catalog.default_warehouse());
        let mut head = vec![
            self.sender.external(&desired.external),
            Value::from(desired.order_id.as_str()),
            Value::from(customer.partner),
            Value::from(customer.shipping),
            Value::from(desired.pricelist),
            Value::from(odoo_datetime(desired.purchase_date)),
            Value::from(desired.promise_date.map(odoo_datetime).unwrap_or_default()),
            value::id_cell(warehouse),
        ];
        if !self.catalog.schema.computes {
            head.push(Value::from(customer.partner));
        }
        if self.catalog.schema.carrier {
            head.push(value::id_cell(desired.carrier));
        }
        let blank: Vec<Value> = head.iter().map(|_| Value::from("")).collect();
        let mut rows = Vec::new();
        for line in &desired.lines {
            let mut row = if rows.is_empty() { head.clone() } else { blank.clone() };
            row.extend(self.line_cells(line));
            rows.push(row);
        }
        rows
    }

    fn line_cells(&self, line: &DesiredLine) -> Vec<Value> {
        let mut cells = vec![
            self.sender.external(&line.external),
            Value::from(line.product),
            Value::from(line.name.as_str()),
            value::decimal_cell(line.quantity),
            value::decimal_cell(line.price_unit),
        ];
        if !self.catalog.schema.computes {
            cells.push(value::id_cell(self.catalog.uom(line.product)));
        }
        cells.push(value::ids_cell(&line.taxes));
        cells
    }

    /// Reads what stands in Odoo. What is gone was deleted by a person, and stays deleted.
    async fn read_back(&self, works: &mut [Work]) -> Result<(), Stop> {
        let ids: Vec<OdooId> =
            works.iter().filter(|work| work.is_open()).filter_map(Work::odoo_id).collect();
        let mut found = read::orders(&self.sender, self.catalog, &ids).await?;
        for work in works.iter_mut().filter(|work| work.is_open()) {
            let Some(id) = work.odoo_id() else { continue };
            let Some(current) = found.remove(&id) else {
                if let Some(mapping) = &mut work.dossier.mapping {
                    mapping.deleted = true;
                }
                work.end = Some(End::Done(Outcome::DeletedInOdoo));
                continue;
            };
            if work.stage() == Some(Stage::Creating)
                || work.dossier.mapping.as_ref().is_some_and(|m| m.name.is_empty())
            {
                let addressed = work.buyer.as_ref().is_some_and(BuyerFact::has_address)
                    && self.settings.policy.partner == PartnerMode::Buyer;
                if let Some(mapping) = &mut work.dossier.mapping {
                    read::take_base(mapping, &current);
                    mapping.base.addressed = addressed;
                    mapping.stage = None;
                }
                work.touched = true;
            }
            work.current = Some(current);
        }
        Ok(())
    }

    fn compare(&self, works: &mut [Work], partners: &BTreeMap<String, OdooId>) {
        for work in works.iter_mut().filter(|work| work.is_open()) {
            let (Some(desired), Some(mapping), Some(current)) =
                (&work.desired, &work.dossier.mapping, &work.current)
            else {
                continue;
            };
            let wanted = work.customer.as_ref().and_then(|customer| customer.ids(partners));
            work.changes = diff(desired, mapping, current, wanted);
            if let Some(mapping) = &mut work.dossier.mapping {
                // Lines of ours that a crash kept from being remembered.
                read::take_missing(mapping, desired, current);
            }
        }
    }

    /// Writes headers and lines, each kind in one call.
    async fn write(&self, works: &mut [Work]) -> Result<(), Stop> {
        self.write_headers(works).await?;
        self.write_lines(works).await?;
        self.create_lines(works).await?;
        let changed: Vec<OdooId> = works
            .iter()
            .filter(|work| work.is_open() && has_writes(&work.changes))
            .filter_map(Work::odoo_id)
            .collect();
        let mut found = read::orders(&self.sender, self.catalog, &changed).await?;
        for work in works.iter_mut().filter(|work| work.is_open()) {
            let Some(current) = work.odoo_id().and_then(|id| found.remove(&id)) else { continue };
            if let Some(mapping) = &mut work.dossier.mapping {
                let addressed =
                    mapping.base.addressed || work.changes.partners.is_some_and(|p| p.addressed);
                read::take_written(mapping, &current, &work.changes);
                mapping.base.addressed = addressed;
            }
            work.touched |= !work.changes.lines.is_empty() || !work.changes.new_lines.is_empty();
            work.current = Some(current);
        }
        Ok(())
    }

    async fn write_headers(&self, works: &mut [Work]) -> Result<(), Stop> {
        // Dates of confirmed orders are put back after confirming; those of quotations here.
        let quotation = |work: &Work| work.current.as_ref().is_some_and(Current::is_quotation);
        let dates: Vec<(usize, &str, String)> = works
            .iter()
            .enumerate()
            .filter(|(_, work)| work.is_open())
            .flat_map(|(at, work)| {
                let order = work
                    .changes
                    .date_order
                    .clone()
                    .filter(|_| quotation(work) || work.stage().is_none());
                let promise = work.changes.commitment_date.clone();
                [order.map(|d| (at, "date_order", d)), promise.map(|d| (at, "commitment_date", d))]
            })
            .flatten()
            .collect();
        for field in ["date_order", "commitment_date"] {
            let chosen: Vec<&(usize, &str, String)> =
                dates.iter().filter(|d| d.1 == field).collect();
            if chosen.is_empty() {
                continue;
            }
            let records = chosen
                .iter()
                .filter_map(|(at, _, date)| Some((works.get(*at)?.odoo_id()?, date)))
                .map(|(id, date)| vec![vec![Value::from(id), Value::from(date.as_str())]])
                .collect();
            let loaded = self.sender.update("sale.order", &[".id", field], records).await?;
            for ((at, _, _), loaded) in chosen.into_iter().zip(loaded) {
                refused(works.get_mut(*at), loaded);
            }
        }
        for work in works.iter_mut().filter(|work| work.is_open()) {
            let (Some(Partners { partner, shipping, .. }), Some(id)) =
                (work.changes.partners, work.odoo_id())
            else {
                continue;
            };
            let pricelist = work.desired.as_ref().map(|desired| desired.pricelist);
            let values = json!({
                "partner_id": partner,
                "partner_invoice_id": partner,
                "partner_shipping_id": shipping,
                "pricelist_id": pricelist,
            });
            let Value::Object(values) = values else { continue };
            let context = self.sender.context.clone();
            match self
                .sender
                .client
                .write("sale.order", &[id], values, context)
                .await
                .map_err(Stop::from)
            {
                Ok(()) => {}
                Err(Stop::Refused { code, words }) => work.bury(code, words.expose()),
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    async fn write_lines(&self, works: &mut [Work]) -> Result<(), Stop> {
        let taxes = format!("{}/.id", self.catalog.schema.taxes);
        let fields = [".id", "product_uom_qty", "price_unit", taxes.as_str()];
        let mut owners = Vec::new();
        let mut records = Vec::new();
        for (at, work) in works.iter().enumerate().filter(|(_, work)| work.is_open()) {
            for line in &work.changes.lines {
                owners.push(at);
                records.push(vec![vec![
                    Value::from(line.odoo_id),
                    value::decimal_cell(line.quantity),
                    value::decimal_cell(line.price_unit),
                    value::ids_cell(&line.taxes),
                ]]);
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        let loaded = self.sender.update("sale.order.line", &fields, records).await?;
        for (at, loaded) in owners.into_iter().zip(loaded) {
            refused(works.get_mut(at), loaded);
        }
        Ok(())
    }

    async fn create_lines(&self, works: &mut [Work]) -> Result<(), Stop> {
        let mut owners = Vec::new();
        let mut records = Vec::new();
        for (at, work) in works.iter().enumerate().filter(|(_, work)| work.is_open()) {
            for line in &work.changes.new_lines {
                owners.push(at);
                records.push(vec![self.line_row(work.odoo_id(), line)]);
            }
        }
        let loaded = self.load_lines(records).await?;
        for (at, loaded) in owners.into_iter().zip(loaded) {
            refused(works.get_mut(at), loaded);
        }
        Ok(())
    }

    fn line_row(&self, order: Option<OdooId>, line: &DesiredLine) -> Vec<Value> {
        let mut row = vec![value::id_cell(order)];
        row.extend(self.line_cells(line));
        row
    }

    async fn load_lines(&self, records: Vec<Vec<Vec<Value>>>) -> Result<Vec<Loaded>, Stop> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let mut fields = vec!["order_id/.id".to_owned()];
        fields.extend(self.line_fields());
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        self.sender.load("sale.order.line", &fields, records).await
    }

    /// Odoo's total against what the buyer paid: cents become one visible line, more is a hold.
    async fn round(&self, works: &mut [Work]) -> Result<(), Stop> {
        let rounding = self.settings.policy.products.get(&Fee::Rounding).cloned();
        let product = rounding.as_ref().map(|sku| self.catalog.product(sku));
        let mut owners = Vec::new();
        let mut records = Vec::new();
        let mut renewed = Vec::new();
        for (at, work) in
            works.iter_mut().enumerate().filter(|(_, work)| work.touched && work.is_open())
        {
            let (Some(desired), Some(current)) = (&work.desired, &work.current) else { continue };
            let Some(off) = desired.total.map(|total| total - current.amount_total) else {
                continue;
            };
            if off.is_zero() || desired.cancel || !work.changes.conflicts.is_empty() {
                continue;
            }
            // What people changed or added makes another total, and that is theirs.
            if work
                .dossier
                .mapping
                .as_ref()
                .is_some_and(|mapping| !read::as_based(mapping, current))
            {
                continue;
            }
            let count = i64::try_from(desired.lines.len()).unwrap_or(i64::MAX);
            let limit = Decimal::new(count.saturating_mul(ROUNDING_CENTS_PER_LINE), 2);
            let name = external::rounding(&desired.order_id);
            let known = current.lines.iter().find(|line| line.external.as_ref() == Some(&name));
            let amount = off + known.map_or(Decimal::ZERO, |line| line.price_unit);
            if amount.abs() > limit {
                let text = format!(
                    "Odoo's total is {} and Amazon's {}: check taxes and price-included flags",
                    current.amount_total,
                    desired.total.unwrap_or_default()
                );
                work.hold(Hold::new(HoldCode::Total, desired.currency.code(), text));
                continue;
            }
            if let Some(line) = known {
                renewed
                    .push((at, vec![vec![Value::from(line.odoo_id), value::decimal_cell(amount)]]));
                continue;
            }
            let Some(Found::One(product)) = product else {
                let key = rounding.as_ref().map(Sku::as_str).unwrap_or_default();
                let text = "no product for the rounding line: run `odoo-spoold check --fix`";
                work.hold(Hold::new(HoldCode::Sku, key, text));
                continue;
            };
            let line = DesiredLine {
                external: name,
                product,
                name: "Rounding".to_owned(),
                quantity: Decimal::ONE,
                price_unit: amount,
                taxes: Vec::new(),
            };
            owners.push(at);
            records.push(vec![self.line_row(work.odoo_id(), &line)]);
        }
        let loaded = self.load_lines(records).await?;
        for (at, loaded) in owners.iter().zip(loaded) {
            refused(works.get_mut(*at), loaded);
        }
        if !renewed.is_empty() {
            let (renewers, records): (Vec<usize>, Vec<_>) = renewed.into_iter().unzip();
            let fields = [".id", "price_unit"];
            let loaded = self.sender.update("sale.order.line", &fields, records).await?;
            for (at, loaded) in renewers.iter().zip(loaded) {
                refused(works.get_mut(*at), loaded);
            }
            owners.extend(renewers);
        }
        let ids: Vec<OdooId> =
            owners.iter().filter_map(|at| works.get(*at)).filter_map(Work::odoo_id).collect();
        let mut found = read::orders(&self.sender, self.catalog, &ids).await?;
        for at in owners {
            let Some(work) = works.get_mut(at).filter(|work| work.is_open()) else { continue };
            let Some(current) = work.odoo_id().and_then(|id| found.remove(&id)) else { continue };
            if let Some(mapping) = &mut work.dossier.mapping {
                read::take_written(mapping, &current, &work.changes);
            }
            work.current = Some(current);
        }
        Ok(())
    }

    async fn cancel(&self, works: &mut [Work]) -> Result<(), Stop> {
        self.change_state(
            works,
            |changes| changes.cancel,
            Stage::Cancelling,
            "action_cancel",
            "cancel",
        )
        .await
    }

    async fn confirm(&self, works: &mut [Work]) -> Result<(), Stop> {
        // Odoo has just answered a read, so its clock is known.
        let since = self.sender.client.server_time().unwrap_or(jiff::Timestamp::MAX);
        let stage = Stage::Confirming(since);
        for work in works.iter_mut() {
            // A total that differs, or a conflict, keeps it a quotation.
            work.changes.confirm &= work.is_open();
        }
        self.change_state(works, |changes| changes.confirm, stage, "action_confirm", "sale")
            .await?;
        self.after_confirm(works).await
    }

    /// Calls a state-changing method on the orders chosen, after storing that it begins. Nobody is
    /// asked twice: the state was read just before.
    async fn change_state(
        &self,
        works: &mut [Work],
        chosen: fn(&Changes) -> bool,
        stage: Stage,
        method: &str,
        state: &str,
    ) -> Result<(), Stop> {
        let mut begun: Vec<&mut Work> =
            works.iter_mut().filter(|work| work.is_open() && chosen(&work.changes)).collect();
        if begun.is_empty() {
            return Ok(());
        }
        for work in &mut begun {
            // A stage that a crash left behind began earlier, and that is what counts.
            if work.stage().is_none() {
                work.set_stage(Some(stage));
            }
        }
        self.shelf.save(begun).await?;
        let ids: Vec<OdooId> = works
            .iter()
            .filter(|work| work.is_open() && chosen(&work.changes))
            .filter_map(Work::odoo_id)
            .collect();
        let context = self.sender.context.clone().with("disable_cancel_warning", true);
        let mut groups: Vec<Vec<OdooId>> =
            ids.chunks(self.confirm_batch.max(1)).map(<[_]>::to_vec).collect();
        let mut refusals: BTreeMap<OdooId, (&'static str, String)> = BTreeMap::new();
        while let Some(group) = groups.pop() {
            let answer =
                self.sender.client.execute("sale.order", method, &group, context.clone()).await;
            match answer.map_err(Stop::from) {
                Ok(_) => {}
                Err(Stop::Refused { code, words }) => match group.as_slice() {
                    [only] => {
                        refusals.insert(*only, (code, words.expose().to_owned()));
                    }
                    several => {
                        let (left, right) = several.split_at(several.len() / 2);
                        groups.extend([left.to_vec(), right.to_vec()]);
                    }
                },
                Err(stop) => return Err(stop),
            }
        }
        // The state decides, not the answer: a refusal may come of somebody else being faster.
        let states = read::states(&self.sender, &ids).await?;
        for work in works.iter_mut().filter(|work| work.is_open() && chosen(&work.changes)) {
            let Some(id) = work.odoo_id() else { continue };
            let now = states.get(&id).map(|(now, _)| now.as_str()).unwrap_or_default();
            if now == state || (state == "sale" && now == "done") {
                if let Some(mapping) = &mut work.dossier.mapping {
                    state.clone_into(&mut mapping.state);
                    if stage == Stage::Cancelling {
                        mapping.stage = None;
                    }
                }
                if let (Some(current), Some((_, date))) = (&mut work.current, states.get(&id)) {
                    now.clone_into(&mut current.state);
                    current.date_order.clone_from(date);
                }
                continue;
            }
            work.set_stage(None);
            match refusals.remove(&id) {
                Some((code, words)) => work.bury(code, &words),
                None => work.hold(Hold::new(
                    HoldCode::Wizard,
                    method,
                    "Odoo asks a question before it does this: open the order in Odoo and answer it",
                )),
            }
        }
        Ok(())
    }

    /// What follows a confirmation, also one that a crash interrupted: dates and delivery notes.
    async fn after_confirm(&self, works: &mut [Work]) -> Result<(), Stop> {
        let confirmed: Vec<usize> = works
            .iter()
            .enumerate()
            .filter(|(_, work)| {
                work.is_open()
                    && matches!(work.stage(), Some(Stage::Confirming(_)))
                    && work
                        .current
                        .as_ref()
                        .is_some_and(|c| !c.is_quotation() && c.state != "cancel")
            })
            .map(|(at, _)| at)
            .collect();
        if confirmed.is_empty() {
            return Ok(());
        }
        let mut owners = Vec::new();
        let mut records = Vec::new();
        for at in &confirmed {
            let Some(work) = works.get(*at) else { continue };
            let (Some(desired), Some(mapping), Some(current)) =
                (&work.desired, &work.dossier.mapping, &work.current)
            else {
                continue;
            };
            let date = diff(desired, mapping, current, None).date_order;
            if let (Some(date), Some(id)) = (date, work.odoo_id()) {
                owners.push(*at);
                records.push(vec![vec![Value::from(id), Value::from(date)]]);
            }
        }
        if !records.is_empty() {
            let loaded = self.sender.update("sale.order", &[".id", "date_order"], records).await?;
            for (at, loaded) in owners.into_iter().zip(loaded) {
                refused(works.get_mut(at), loaded);
            }
        }
        self.notes(works, &confirmed).await?;
        let ids: Vec<OdooId> =
            confirmed.iter().filter_map(|at| works.get(*at)).filter_map(Work::odoo_id).collect();
        let states = read::states(&self.sender, &ids).await?;
        for at in confirmed {
            let Some(work) = works.get_mut(at).filter(|work| work.is_open()) else { continue };
            let state = work.odoo_id().and_then(|id| states.get(&id));
            if let (Some(mapping), Some((state, date))) = (&mut work.dossier.mapping, state) {
                mapping.stage = None;
                mapping.state.clone_from(state);
                mapping.base.date_order.clone_from(date);
            }
        }
        Ok(())
    }

    /// Delivery instructions, gift messages and customisation links go on the delivery order, if
    /// nobody wrote there.
    async fn notes(&self, works: &mut [Work], confirmed: &[usize]) -> Result<(), Stop> {
        let schema = &self.catalog.schema;
        let mut notes: BTreeMap<OdooId, String> = BTreeMap::new();
        for work in confirmed.iter().filter_map(|at| works.get(*at)) {
            let lines = work.buyer.as_ref().map(|buyer| buyer.notes.as_slice()).unwrap_or_default();
            if let (Some(id), false) = (work.odoo_id(), lines.is_empty()) {
                notes.insert(id, note(lines, schema.note_is_html));
            }
        }
        if notes.is_empty()
            || !schema.pickings
            || self.settings.policy.partner == PartnerMode::Anonymous
        {
            return Ok(());
        }
        let ids: Vec<OdooId> = notes.keys().copied().collect();
        let pickings = self
            .sender
            .client
            .search_read(
                "stock.picking",
                json!([["sale_id", "in", ids], ["state", "!=", "cancel"]]),
                &["sale_id", "note"],
                &Find::default(),
                self.sender.context.clone(),
            )
            .await?;
        let records: Vec<Vec<Vec<Value>>> = pickings
            .iter()
            .filter(|picking| value::text(picking, "note").is_empty())
            .filter_map(|picking| {
                let note = notes.get(&value::id(picking, "sale_id"))?;
                Some(vec![vec![Value::from(value::id(picking, "id")), Value::from(note.as_str())]])
            })
            .collect();
        if !records.is_empty() {
            self.sender.update("stock.picking", &[".id", "note"], records).await?;
        }
        Ok(())
    }

    fn finish(&self, works: &mut [Work]) {
        for work in works.iter_mut().filter(|work| work.is_open()) {
            let Some(desired) = &work.desired else { continue };
            let mut holds = work.changes.conflicts.clone();
            holds.extend(desired.holds.clone());
            if let Some(mapping) = &mut work.dossier.mapping
                && !desired.cancel
            {
                mapping.items.clone_from(&desired.items);
            }
            work.end = Some(if !holds.is_empty() {
                End::Held(holds)
            } else if desired.cancel {
                End::Done(Outcome::Cancelled)
            } else {
                End::Done(Outcome::Delivered)
            });
        }
    }
}

/// Nothing of the order is in Odoo: a cancelled one need not come there.
fn never_created(work: &mut Work) {
    if work.desired.as_ref().is_some_and(|desired| desired.cancel) {
        work.dossier.mapping = None;
        work.end = Some(End::Done(Outcome::CancelledUnseen));
    }
}

fn new_mapping() -> Mapping {
    Mapping {
        odoo_id: 0,
        name: String::new(),
        origin: Origin::Ours,
        state: String::new(),
        stage: Some(Stage::Creating),
        items: Vec::new(),
        lines: Vec::new(),
        base: crate::model::Base::default(),
        deleted: false,
    }
}

fn has_writes(changes: &Changes) -> bool {
    changes.date_order.is_some()
        || changes.commitment_date.is_some()
        || changes.partners.is_some()
        || !changes.lines.is_empty()
        || !changes.new_lines.is_empty()
}

fn refused(work: Option<&mut Work>, loaded: Loaded) {
    if let (Some(work), Loaded::Refused(words)) = (work, loaded) {
        work.bury("odoo-write-refused", words.expose());
    }
}

fn note(lines: &[String], html: bool) -> String {
    if !html {
        return lines.join("\n");
    }
    let escape = |text: &String| {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
    };
    lines.iter().map(|line| format!("<p>{}</p>", escape(line))).collect()
}
