//! Writing what changed: headers and lines.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::batch::{Batch, Work, at, note_answer};
use super::refusals::Step;
use super::send::{Loaded, Stop};
use super::{read, value};
use crate::model::OdooId;
use crate::plan::diff::Partners;
use crate::plan::{Changes, Current, DesiredLine};

/// One call that writes lines: whose they are, and their records.
type LineCall = (Vec<usize>, Vec<Vec<Vec<Value>>>);

impl Batch<'_> {
    /// Writes headers and lines, each kind in one call.
    pub(super) async fn write(&self, works: &mut [Work]) -> Result<(), Stop> {
        self.write_headers(works).await.map_err(at(Step::Change))?;
        self.write_lines(works).await.map_err(at(Step::Lines))?;
        self.create_lines(works).await.map_err(at(Step::Lines))?;
        self.write_notes(works).await.map_err(at(Step::After))?;
        let changed: Vec<OdooId> = works
            .iter()
            .filter(|work| work.is_open() && has_writes(&work.changes))
            .filter_map(Work::odoo_id)
            .collect();
        let mut found = read::orders(&self.sender, self.catalog, &changed).await?;
        for work in works.iter_mut().filter(|work| work.is_open()) {
            let Some(current) = work.odoo_id().and_then(|id| found.remove(&id)) else { continue };
            if let Some(mapping) = &mut work.dossier.mapping {
                read::take_written(mapping, &current, &work.changes);
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
                note_answer(works.get_mut(*at), Step::Change, loaded);
            }
        }
        self.write_warehouses(works).await?;
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
            match self.sender.write("sale.order", id, values).await {
                Ok(()) => {
                    work.taken.insert(Step::Change);
                }
                Err(Stop::Refused { code, words }) => {
                    work.refuse(Step::Change, code, words.expose());
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    async fn write_warehouses(&self, works: &mut [Work]) -> Result<(), Stop> {
        let chosen: Vec<(usize, OdooId, OdooId)> = works
            .iter()
            .enumerate()
            .filter(|(_, work)| work.is_open())
            .filter_map(|(at, work)| Some((at, work.odoo_id()?, work.changes.warehouse?)))
            .collect();
        if chosen.is_empty() {
            return Ok(());
        }
        let records = chosen
            .iter()
            .map(|(_, order, warehouse)| vec![vec![Value::from(*order), Value::from(*warehouse)]])
            .collect();
        let fields = [".id", "warehouse_id/.id"];
        let loaded = self.sender.update("sale.order", &fields, records).await?;
        for ((at, _, _), loaded) in chosen.into_iter().zip(loaded) {
            note_answer(works.get_mut(at), Step::Change, loaded);
        }
        Ok(())
    }

    async fn write_lines(&self, works: &mut [Work]) -> Result<(), Stop> {
        let taxes = format!("{}/.id", self.catalog.schema.taxes);
        // One call per set of fields: what is not to be written is not sent.
        let mut calls: BTreeMap<Vec<&str>, LineCall> = BTreeMap::new();
        for (at, work) in works.iter().enumerate().filter(|(_, work)| work.is_open()) {
            for line in &work.changes.lines {
                let mut fields = vec![".id"];
                let mut row = vec![Value::from(line.odoo_id)];
                if let Some(quantity) = line.quantity {
                    fields.push("product_uom_qty");
                    row.push(value::decimal_cell(quantity));
                }
                if line.quantity.is_some() || line.price_unit.is_some() {
                    fields.push("price_unit");
                    row.push(value::decimal_cell(line.price_unit.unwrap_or(line.price_now)));
                    if self.catalog.schema.discount {
                        fields.push("discount");
                        row.push(value::decimal_cell(line.discount_now));
                    }
                }
                if let Some(ids) = &line.taxes {
                    fields.push(&taxes);
                    row.push(value::ids_cell(ids));
                }
                let (owners, records) = calls.entry(fields).or_default();
                owners.push(at);
                records.push(vec![row]);
            }
        }
        for (fields, (owners, records)) in calls {
            let loaded = self.sender.update("sale.order.line", &fields, records).await?;
            for (at, loaded) in owners.into_iter().zip(loaded) {
                note_answer(works.get_mut(at), Step::Lines, loaded);
            }
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
            note_answer(works.get_mut(at), Step::Lines, loaded);
        }
        Ok(())
    }

    pub(super) fn line_row(&self, order: Option<OdooId>, line: &DesiredLine) -> Vec<Value> {
        let mut row = vec![value::id_cell(order)];
        row.extend(self.line_cells(line));
        row
    }

    pub(super) async fn load_lines(
        &self,
        records: Vec<Vec<Vec<Value>>>,
    ) -> Result<Vec<Loaded>, Stop> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let mut fields = vec!["order_id/.id".to_owned()];
        fields.extend(self.line_fields());
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        self.sender.load("sale.order.line", &fields, records).await
    }
}

pub(super) fn has_writes(changes: &Changes) -> bool {
    changes.date_order.is_some()
        || changes.commitment_date.is_some()
        || changes.partners.is_some()
        || changes.warehouse.is_some()
        || !changes.lines.is_empty()
        || !changes.new_lines.is_empty()
}
