//! Creating: partners first, then orders with all their lines, each under an external id.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::batch::{Batch, Work, new_mapping};
use super::notes::DISPLAY_TYPE;
use super::partners::Wanted;
use super::refusals::Step;
use super::send::{Loaded, Stop};
use super::{read, value};
use crate::model::{OdooId, Outcome, Stage};
use crate::odoo::Words;
use crate::plan::diff::odoo_datetime;
use crate::plan::{DesiredLine, PartnerMode};
use crate::store::End;

impl Batch<'_> {
    /// Creates the partners that the orders need.
    pub(super) async fn partners(
        &self,
        works: &mut [Work],
    ) -> Result<BTreeMap<String, OdooId>, Stop> {
        let policy = &self.settings.policy;
        let mut wanted = Wanted::default();
        let mut customers = Vec::new();
        for (at, work) in works.iter().enumerate().filter(|(_, work)| work.is_open()) {
            let Some(desired) = work.desired.as_ref().filter(|desired| !desired.cancel) else {
                continue;
            };
            let buyer = match policy.partner {
                PartnerMode::Buyer => work.buyer.as_ref().map(|buyer| (buyer, &desired.buying)),
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
        let names: Vec<String> = names.into_iter().collect();
        let mut known = self.shelf.partners(names.clone()).await?;
        // The first batches of an account all want its anonymous contacts: one of them makes those.
        let mut alone = None;
        if wanted.anonymous().any(|name| !known.contains_key(name)) {
            alone = Some(self.shared.anonymous.lock().await);
            known = self.shelf.partners(names).await?;
        }
        let before: BTreeSet<String> = known.keys().cloned().collect();
        self.catalog.want_states(self.sender.client, &wanted.countries()).await?;
        let refused = wanted.create(&self.sender, self.catalog, &mut known).await?;
        let new: BTreeMap<String, OdooId> = known
            .iter()
            .filter(|(name, _)| !before.contains(*name))
            .map(|(name, id)| (name.clone(), *id))
            .collect();
        let made: BTreeSet<String> = new.keys().cloned().collect();
        if !new.is_empty() {
            self.shelf.keep_partners(new).await?;
        }
        drop(alone);
        for (at, customer) in customers {
            let Some(work) = works.get_mut(at) else { continue };
            if customer.ids(&known).is_none() {
                // Each has its own words: what several share would look like a setting.
                let words = customer.names().find_map(|name| refused.get(name));
                let words = words.map(Words::expose).unwrap_or_default();
                work.refuse(Step::Customer, "odoo-partner-refused", words);
            } else {
                work.customer_made = customer.names().any(|name| made.contains(name));
            }
            work.customer = Some(customer);
        }
        Ok(known)
    }

    /// Creates the orders that are not there yet.
    pub(super) async fn create(
        &self,
        works: &mut [Work],
        partners: &BTreeMap<String, OdooId>,
    ) -> Result<(), Stop> {
        let absent = |work: &&mut Work| {
            work.is_open()
                && work.odoo_id().is_none()
                && work.desired.as_ref().is_some_and(|desired| !desired.cancel)
        };
        // An order without lines is none, and one id short would be the answer for the whole batch.
        for work in works.iter_mut().filter(absent) {
            if work.desired.as_ref().is_some_and(|desired| desired.lines.is_empty()) {
                work.dossier.mapping = None;
                work.end = Some(End::Done(Outcome::Empty));
            }
        }
        let mut fresh: Vec<&mut Work> = works.iter_mut().filter(absent).collect();
        if fresh.is_empty() {
            return Ok(());
        }
        // The ordinals are fixed before anything exists under them, and so is what we send: it is
        // ours from this moment on, whatever a person makes of it before we look. So is the time: an
        // order that comes into being after it is one of this window, whatever becomes of the answer.
        let now = self.sender.writing.hands.clock.now();
        for work in &mut fresh {
            let mapping = work.dossier.mapping.get_or_insert_with(new_mapping);
            mapping.stage = Some(Stage::Creating);
            mapping.created = Some(now);
            mapping.written = Some(now);
            if let Some(desired) = &work.desired {
                mapping.items.clone_from(&desired.items);
                mapping.marketplace = Some(desired.marketplace);
                mapping.notes = desired.buying.notes.iter().map(|note| note.kind).collect();
                let partners = work.customer.as_ref().and_then(|customer| customer.ids(partners));
                read::take_sending(mapping, desired, partners);
            }
        }
        self.shelf.save(fresh).await?;
        // Where no warehouse is configured the column is left out: a blank would be no warehouse, and
        // without it Odoo takes the one it takes for a person (a default value, the user's own, the
        // company's first).
        let (named, free): (Vec<&mut Work>, Vec<&mut Work>) =
            works.iter_mut().filter(absent).partition(|work| warehouse_of(work).is_some());
        for (mut fresh, warehouse) in [(named, true), (free, false)] {
            self.create_some(&mut fresh, partners, warehouse).await?;
        }
        Ok(())
    }

    /// Creates orders in one call: all with a warehouse, or all without.
    async fn create_some(
        &self,
        fresh: &mut [&mut Work],
        partners: &BTreeMap<String, OdooId>,
        warehouse: bool,
    ) -> Result<(), Stop> {
        if fresh.is_empty() {
            return Ok(());
        }
        let noted = |work: &&mut Work| {
            work.desired.as_ref().is_some_and(|desired| !desired.buying.notes.is_empty())
        };
        let noted = fresh.iter().any(noted);
        let fields = self.order_fields(warehouse, noted);
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let records =
            fresh.iter().map(|work| self.order_rows(work, partners, warehouse, noted)).collect();
        let loaded = self.sender.load("sale.order", &fields, records).await?;
        let mut stale = Vec::new();
        for (work, loaded) in fresh.iter_mut().zip(loaded) {
            match loaded {
                Loaded::Id(id) => {
                    work.touched = true;
                    work.taken.insert(Step::Create);
                    if let Some(mapping) = &mut work.dossier.mapping {
                        mapping.odoo_id = id;
                    }
                }
                Loaded::Refused(words) => {
                    // A partner that somebody merged or deleted is created again, once.
                    let names = work.customer.as_ref().map(|c| c.names().cloned().collect());
                    match names {
                        Some(names) if work.leased.job.attempt == 0 => {
                            stale.extend::<Vec<String>>(names);
                            work.refused = Some(Step::Create);
                            work.end = Some(End::Retry {
                                due: work.leased.job.due,
                                attempt: 1,
                                fault: "odoo-order-refused".to_owned(),
                            });
                        }
                        _ => work.refuse(Step::Create, "odoo-order-refused", words.expose()),
                    }
                }
            }
        }
        if !stale.is_empty() {
            self.shelf.forget_partners(stale).await?;
        }
        Ok(())
    }

    fn order_fields(&self, warehouse: bool, noted: bool) -> Vec<String> {
        let schema = &self.catalog.schema;
        // No company: every call carries it. Odoo asks PostgreSQL for each cell that names a record,
        // one by one; what it works out by itself is left out.
        let mut fields: Vec<String> = [
            "id",
            "client_order_ref",
            "partner_id/.id",
            "partner_shipping_id/.id",
            "pricelist_id/.id",
            "date_order",
            "commitment_date",
        ]
        .map(str::to_owned)
        .to_vec();
        if warehouse {
            fields.push("warehouse_id/.id".to_owned());
        }
        if !schema.computes {
            fields.push("partner_invoice_id/.id".to_owned());
        }
        if schema.carrier {
            fields.push("carrier_id/.id".to_owned());
        }
        if schema.template {
            fields.push("sale_order_template_id/.id".to_owned());
        }
        let display_type = noted.then(|| DISPLAY_TYPE.to_owned());
        let lines = self.line_fields().into_iter().chain(display_type);
        fields.extend(lines.map(|field| format!("order_line/{field}")));
        fields
    }

    pub(super) fn line_fields(&self) -> Vec<String> {
        let schema = &self.catalog.schema;
        let mut fields: Vec<String> =
            ["id", "product_id/.id", "name", "product_uom_qty", "price_unit"]
                .map(str::to_owned)
                .to_vec();
        if schema.discount {
            fields.push("discount".to_owned());
        }
        if !schema.computes {
            fields.push(format!("{}/.id", schema.uom));
        }
        fields.push(format!("{}/.id", schema.taxes));
        fields
    }

    /// The rows of one order: the first carries the order and its first line.
    fn order_rows(
        &self,
        work: &Work,
        partners: &BTreeMap<String, OdooId>,
        warehouse: bool,
        noted: bool,
    ) -> Vec<Vec<Value>> {
        let (Some(desired), Some(customer)) =
            (&work.desired, work.customer.as_ref().and_then(|c| c.ids(partners)))
        else {
            return Vec::new();
        };
        let mut head = vec![
            self.sender.external(&desired.external),
            Value::from(desired.order_id.as_str()),
            Value::from(customer.partner),
            Value::from(customer.shipping),
            Value::from(desired.pricelist),
            Value::from(odoo_datetime(desired.purchase_date)),
            Value::from(desired.promise_date.map(odoo_datetime).unwrap_or_default()),
        ];
        if warehouse {
            head.push(value::id_cell(desired.warehouse));
        }
        if !self.catalog.schema.computes {
            head.push(Value::from(customer.partner));
        }
        if self.catalog.schema.carrier {
            head.push(value::id_cell(desired.carrier));
        }
        if self.catalog.schema.template {
            // The company's default template may mail the buyer when the order is confirmed.
            head.push(Value::from(""));
        }
        let blank: Vec<Value> = head.iter().map(|_| Value::from("")).collect();
        // Notes first: that is where they are read.
        let notes = desired.buying.notes.iter().map(|note| self.note_cells(note));
        let lines = desired.lines.iter().map(|line| {
            let mut cells = self.line_cells(line);
            cells.extend(noted.then(|| Value::from("")));
            cells
        });
        let mut rows = Vec::new();
        for cells in notes.chain(lines) {
            let mut row = if rows.is_empty() { head.clone() } else { blank.clone() };
            row.extend(cells);
            rows.push(row);
        }
        rows
    }

    pub(super) fn line_cells(&self, line: &DesiredLine) -> Vec<Value> {
        let mut cells = vec![
            self.sender.external(&line.external),
            Value::from(line.product),
            Value::from(line.name.as_str()),
            value::decimal_cell(line.quantity),
            value::decimal_cell(line.price_unit),
        ];
        if self.catalog.schema.discount {
            // Else a rule of the pricelist fills it in: Amazon's price is what was paid.
            cells.push(Value::from("0"));
        }
        if !self.catalog.schema.computes {
            cells.push(value::id_cell(self.catalog.uom(line.product)));
        }
        cells.push(value::ids_cell(&line.taxes));
        cells
    }
}

/// The warehouse that an order is to have, if the settings say one.
fn warehouse_of(work: &Work) -> Option<OdooId> {
    work.desired.as_ref().and_then(|desired| desired.warehouse)
}
