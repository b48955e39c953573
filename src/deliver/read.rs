//! Reads orders back: the base of every later comparison is what Odoo answered, in its own
//! rounding, never what was sent.

use std::collections::BTreeMap;

use serde_json::json;

use super::catalog::Catalog;
use super::send::{Sender, Stop};
use super::value;
use crate::model::{Base, MappedLine, Mapping, OdooId};
use crate::odoo::Find;
use crate::plan::diff::{Partners, odoo_datetime, same_price};
use crate::plan::{Changes, Current, CurrentLine, Desired, DesiredLine, external};

/// Orders in one call.
const CHUNK: usize = 500;

/// Orders and their lines by id; what does not exist is left out.
pub(super) async fn orders(
    sender: &Sender<'_>,
    catalog: &Catalog,
    ids: &[OdooId],
) -> Result<BTreeMap<OdooId, Current>, Stop> {
    let mut found = BTreeMap::new();
    for chunk in ids.chunks(CHUNK) {
        chunk_of_orders(sender, catalog, chunk, &mut found).await?;
    }
    Ok(found)
}

/// `state` and `date_order` of orders.
pub(super) async fn states(
    sender: &Sender<'_>,
    ids: &[OdooId],
) -> Result<BTreeMap<OdooId, (String, String)>, Stop> {
    let mut found = BTreeMap::new();
    for chunk in ids.chunks(CHUNK) {
        let fields = ["state", "date_order"];
        let context = sender.context.clone();
        for record in sender.client.read("sale.order", chunk, &fields, context).await? {
            let state = (value::text(&record, "state"), value::text(&record, "date_order"));
            found.insert(value::id(&record, "id"), state);
        }
    }
    Ok(found)
}

async fn chunk_of_orders(
    sender: &Sender<'_>,
    catalog: &Catalog,
    ids: &[OdooId],
    found: &mut BTreeMap<OdooId, Current>,
) -> Result<(), Stop> {
    let mut fields = vec![
        "name",
        "client_order_ref",
        "origin",
        "state",
        "create_date",
        "date_order",
        "commitment_date",
        "partner_id",
        "partner_shipping_id",
        "amount_total",
        "warehouse_id",
    ];
    if catalog.schema.locked {
        fields.push("locked");
    }
    // A search, not a read: reading a deleted id is an error in some versions.
    let domain = json!([["id", "in", ids]]);
    let find = Find { archived_too: true, ..Find::default() };
    let context = &sender.context;
    let heads =
        sender.client.search_read("sale.order", domain, &fields, &find, context.clone()).await?;
    let taxes = catalog.schema.taxes;
    let mut fields =
        vec!["order_id", "product_uom_qty", "price_unit", taxes, "qty_delivered", "qty_invoiced"];
    if catalog.schema.discount {
        fields.push("discount");
    }
    let domain = json!([["order_id", "in", ids], ["display_type", "=", false]]);
    let lines = sender
        .client
        .search_read("sale.order.line", domain, &fields, &find, context.clone())
        .await?;
    let line_ids: Vec<OdooId> = lines.iter().map(|line| value::id(line, "id")).collect();
    let names = if line_ids.is_empty() {
        BTreeMap::new()
    } else {
        sender.client.get_external_id("sale.order.line", &line_ids, context.clone()).await?
    };
    let module = format!("{}.", external::module(sender.account));
    for head in &heads {
        let state = value::text(head, "state");
        found.insert(
            value::id(head, "id"),
            Current {
                odoo_id: value::id(head, "id"),
                name: value::text(head, "name"),
                reference: value::text(head, "client_order_ref"),
                origin: value::text(head, "origin"),
                locked: value::flag(head, "locked") || state == "done",
                state,
                create_date: value::text(head, "create_date"),
                date_order: value::text(head, "date_order"),
                commitment_date: value::text(head, "commitment_date"),
                partner_id: value::id(head, "partner_id"),
                partner_shipping_id: value::id(head, "partner_shipping_id"),
                amount_total: value::decimal(head, "amount_total"),
                invoiced: false,
                warehouse_id: value::id(head, "warehouse_id"),
                lines: Vec::new(),
            },
        );
    }
    for line in &lines {
        let odoo_id = value::id(line, "id");
        let Some(order) = found.get_mut(&value::id(line, "order_id")) else { continue };
        let line = CurrentLine {
            odoo_id,
            external: names.get(&odoo_id).and_then(|n| n.strip_prefix(&module)).map(str::to_owned),
            quantity: value::decimal(line, "product_uom_qty"),
            price_unit: value::decimal(line, "price_unit"),
            discount: value::decimal(line, "discount"),
            taxes: value::ids(line, taxes),
            delivered: value::decimal(line, "qty_delivered"),
            invoiced: value::decimal(line, "qty_invoiced"),
        };
        order.invoiced |= !line.invoiced.is_zero();
        order.lines.push(line);
    }
    Ok(())
}

/// After creating: everything that stands there is our base.
pub(super) fn take_base(mapping: &mut Mapping, current: &Current) {
    mapping.name.clone_from(&current.name);
    mapping.state.clone_from(&current.state);
    mapping.base.date_order.clone_from(&current.date_order);
    mapping.base.commitment_date.clone_from(&current.commitment_date);
    mapping.base.partner_id = current.partner_id;
    mapping.base.partner_shipping_id = current.partner_shipping_id;
    mapping.base.amount_total = current.amount_total;
    mapping.base.warehouse_id = current.warehouse_id;
    mapping.base.state.clone_from(&current.state);
    mapping.lines = current.lines.iter().filter_map(mapped).collect();
}

/// What is about to be sent to create an order: its base until it is read back, and where a person
/// was faster than that, afterwards.
pub(super) fn take_sending(mapping: &mut Mapping, desired: &Desired, partners: Option<Partners>) {
    mapping.base = Base {
        date_order: odoo_datetime(desired.purchase_date),
        commitment_date: desired.promise_date.map(odoo_datetime).unwrap_or_default(),
        partner_id: partners.map_or(0, |partners| partners.partner),
        partner_shipping_id: partners.map_or(0, |partners| partners.shipping),
        addressed: partners.is_some_and(|partners| partners.addressed),
        // None: Odoo chooses.
        warehouse_id: desired.warehouse.unwrap_or(0),
        state: "draft".to_owned(),
        ..Base::default()
    };
    let sending = |line: &DesiredLine| MappedLine {
        external: line.external.clone(),
        odoo_id: 0,
        quantity: line.quantity,
        price_unit: line.price_unit,
        taxes: line.taxes.clone(),
    };
    mapping.lines = desired.lines.iter().map(sending).collect();
}

/// Seen for the first time since it was created: what stands there as it was sent is our base in
/// Odoo's rounding. What does not is a person's, who was faster: there the base stays what was sent,
/// and a line that is missing stays deleted.
pub(super) fn take_created(mapping: &mut Mapping, current: &Current) {
    mapping.name.clone_from(&current.name);
    mapping.state.clone_from(&current.state);
    mapping.base.amount_total = current.amount_total;
    if mapping.base.warehouse_id == 0 {
        mapping.base.warehouse_id = current.warehouse_id;
    }
    for base in &mut mapping.lines {
        let external = Some(&base.external);
        let Some(now) = current.lines.iter().find(|line| line.external.as_ref() == external) else {
            continue;
        };
        base.odoo_id = now.odoo_id;
        if same_price(base.price_unit, now.price_unit) {
            base.price_unit = now.price_unit;
        }
    }
}

/// After writing: the fields that were written have a new base, the others keep theirs.
pub(super) fn take_written(mapping: &mut Mapping, current: &Current, changes: &Changes) {
    mapping.state.clone_from(&current.state);
    mapping.base.amount_total = current.amount_total;
    if changes.date_order.is_some() {
        mapping.base.date_order.clone_from(&current.date_order);
    }
    if changes.commitment_date.is_some() {
        mapping.base.commitment_date.clone_from(&current.commitment_date);
    }
    if changes.warehouse.is_some() {
        mapping.base.warehouse_id = current.warehouse_id;
    }
    if changes.partners.is_some() {
        mapping.base.partner_id = current.partner_id;
        if !changes.keeps_shipping {
            mapping.base.partner_shipping_id = current.partner_shipping_id;
        }
    }
    for line in &current.lines {
        let written = changes.lines.iter().find(|write| write.odoo_id == line.odoo_id);
        let Some(new) = mapped(line) else { continue };
        match mapping.lines.iter_mut().find(|known| known.odoo_id == line.odoo_id) {
            Some(known) => {
                let Some(written) = written else { continue };
                if written.quantity.is_some() {
                    known.quantity = new.quantity;
                }
                if written.price_unit.is_some() {
                    known.price_unit = new.price_unit;
                }
                if written.taxes.is_some() {
                    known.taxes = new.taxes;
                }
            }
            // Its base was lost: what a person decided to write is all that is known of it.
            None => mapping.lines.push(new),
        }
    }
}

/// Lines that stand as they are wanted, but were never remembered, have a base now. So has our
/// rounding line, which nothing else asks for.
pub(super) fn take_missing(mapping: &mut Mapping, desired: &Desired, current: &Current) {
    let rounding = external::rounding(&desired.order_id);
    for line in &current.lines {
        let known = mapping.lines.iter().any(|mapped| mapped.odoo_id == line.odoo_id);
        let wanted = desired.lines.iter().any(|want| {
            line.external.as_ref() == Some(&want.external)
                && line.quantity == want.quantity
                && line.taxes == want.taxes
                && same_price(line.price_unit, want.price_unit)
        });
        let rounding = line.external.as_deref() == Some(&rounding);
        if !known && (wanted || rounding) {
            mapping.lines.extend(mapped(line));
        }
    }
}

/// After writing our rounding line: that line as Odoo holds it.
pub(super) fn take_rounding(mapping: &mut Mapping, desired: &Desired, current: &Current) {
    let name = external::rounding(&desired.order_id);
    mapping.lines.retain(|line| line.external != name);
    let ours = current.lines.iter().filter(|line| line.external.as_ref() == Some(&name));
    mapping.lines.extend(ours.filter_map(mapped));
}

/// Whether our lines stand as we last wrote them, and nothing beside them that costs anything.
pub(super) fn as_based(mapping: &Mapping, current: &Current) -> bool {
    let ours: Vec<MappedLine> = current.lines.iter().filter_map(mapped).collect();
    let foreign = current.lines.iter().filter(|line| line.external.is_none());
    ours.len() == mapping.lines.len()
        && ours.iter().all(|now| mapping.lines.contains(now))
        && foreign.into_iter().all(|line| line.price_unit.is_zero() || line.quantity.is_zero())
}

fn mapped(line: &CurrentLine) -> Option<MappedLine> {
    Some(MappedLine {
        external: line.external.clone()?,
        odoo_id: line.odoo_id,
        quantity: line.quantity,
        price_unit: line.price_unit,
        taxes: line.taxes.clone(),
    })
}
