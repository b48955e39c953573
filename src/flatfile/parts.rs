//! One item of an order in several rows of All Orders, where the rows say which item they are.
//!
//! Amazon splits an item by shipment: equal rows with one order-item id. Together they are the one
//! line that the other reports show. Rows without an id stay as they are, since two of them may be
//! two items.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::model::{FactLine, ItemStatus, OrderItemId, RowFault};

use super::fault::Why;

/// What the parts of an item must have in common: what is blank in one is blank in all.
type Item = (OrderItemId, Option<ItemStatus>, Option<bool>, [bool; AMOUNTS]);

const AMOUNTS: usize = 11;

/// The lines with the parts of each item as one. Parts that are of different articles are a fault.
pub(super) fn joined(lines: Vec<FactLine>, faults: &mut Vec<RowFault>) -> Vec<FactLine> {
    if lines.len() < 2 || lines.iter().all(|line| line.item_id.is_none()) {
        return lines;
    }
    let mut places: BTreeMap<Item, usize> = BTreeMap::new();
    let mut all: Vec<FactLine> = Vec::with_capacity(lines.len());
    for mut line in lines {
        let Some(id) = line.item_id.clone() else {
            all.push(line);
            continue;
        };
        let told = amounts(&mut line).map(|amount| amount.is_some());
        let item = (id, line.status, line.facilitator, told);
        let known = places.get(&item).and_then(|&place| all.get_mut(place));
        let Some(known) = known else {
            places.insert(item, all.len());
            all.push(line);
            continue;
        };
        if known.sku != line.sku {
            faults.push(RowFault {
                line: line.row,
                column: "order-item-id".to_owned(),
                code: Why::ItemDiffers.code().to_owned(),
                message: Why::ItemDiffers.message().to_owned(),
            });
        } else if let Some(line) = join(known, line) {
            all.push(line);
        }
    }
    all
}

/// Adds a part to the others. Gives it back where a sum is larger than can be counted.
fn join(known: &mut FactLine, mut part: FactLine) -> Option<FactLine> {
    let mut sums = known.clone();
    let Some(quantity) = sums.quantity.checked_add(part.quantity) else { return Some(part) };
    sums.quantity = quantity;
    let mut fits = true;
    for (sum, amount) in amounts(&mut sums).into_iter().zip(amounts(&mut part)) {
        let added = match (*sum, *amount) {
            (Some(sum), Some(amount)) => sum.checked_add(amount),
            (sum, amount) => sum.or(amount),
        };
        fits &= sum.is_none() || added.is_some();
        *sum = added.map(|added: Decimal| added.normalize());
    }
    if !fits {
        return Some(part);
    }
    sums.row = sums.row.min(part.row);
    if part.title > sums.title {
        sums.title = part.title;
    }
    *known = sums;
    None
}

fn amounts(line: &mut FactLine) -> [&mut Option<Decimal>; AMOUNTS] {
    [
        &mut line.item_price,
        &mut line.item_tax,
        &mut line.shipping_price,
        &mut line.shipping_tax,
        &mut line.gift_wrap_price,
        &mut line.gift_wrap_tax,
        &mut line.item_promotion,
        &mut line.ship_promotion,
        &mut line.item_price_net,
        &mut line.shipping_price_net,
        &mut line.gift_wrap_price_net,
    ]
}
