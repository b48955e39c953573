//! The Odoo lines of an order, and the ordinals that their external ids hang on.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::merge::RecordLine;
use super::order::{Decision, DesiredLine, no_price};
use super::policy::{Fee, MarketplacePolicy, TaxRef, UnknownSku};
use super::price::{Priced, Surroundings, TaxChoice, price_line, split};
use super::{Found, Tax, external};
use crate::model::{Currency, Hold, HoldCode, MappedItem, Marketplace, OdooId, Sku};

/// The lines on their way.
pub(super) struct Lines<'a> {
    decision: &'a Decision<'a>,
    around: Surroundings<'a>,
    pub(super) lines: Vec<DesiredLine>,
    pub(super) standing: BTreeSet<Sku>,
    pub(super) items: Vec<MappedItem>,
    pub(super) total: Option<Decimal>,
    pub(super) holds: Vec<Hold>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(
        decision: &'a Decision<'a>,
        marketplace: Marketplace,
        policy: &'a MarketplacePolicy,
        currency: Currency,
    ) -> Self {
        Self {
            decision,
            around: Surroundings {
                policy,
                marketplace: marketplace.name(),
                destination: decision.record.ship_country.as_deref(),
                currency,
            },
            lines: Vec::new(),
            standing: BTreeSet::new(),
            items: decision.dossier.mapping.as_ref().map(|m| m.items.clone()).unwrap_or_default(),
            total: Some(Decimal::ZERO),
            holds: Vec::new(),
        }
    }

    pub(super) fn collect(&mut self) {
        let mut by_sku: BTreeMap<&Sku, Vec<&RecordLine>> = BTreeMap::new();
        for line in self.decision.record.lines.iter().filter(|line| line.is_live()) {
            by_sku.entry(&line.fact.sku).or_default().push(line);
        }
        // An SKU whose rows are all gone has no units left: were they to come back in another number
        // of rows, nothing stands that they could agree with.
        for item in self.items.iter_mut().filter(|item| !by_sku.contains_key(&item.sku)) {
            item.quantity = 0;
        }
        for (sku, rows) in &mut by_sku {
            rows.sort_by(|a, b| {
                (b.fact.quantity, b.fact.item_price, b).cmp(&(
                    a.fact.quantity,
                    a.fact.item_price,
                    a,
                ))
            });
            let rows: &[&RecordLine] = rows;
            if counted_differently(sku, rows, &self.items) {
                self.standing.insert((*sku).clone());
                self.total = None;
                continue;
            }
            for (row, ordinal) in ordinals(sku, rows, &mut self.items) {
                self.line(row, ordinal);
            }
        }
        self.holds.sort();
        self.holds.dedup();
    }

    /// The Odoo lines of one Amazon line.
    fn line(&mut self, row: &RecordLine, ordinal: u32) {
        let fact = &row.fact;
        let Some(item_price) =
            fact.item_price.or(self.decision.record.replacement.then_some(Decimal::ZERO))
        else {
            self.holds.push(no_price(&fact.sku));
            return;
        };
        let priced = match price_line(fact, item_price, self.around) {
            Ok(priced) => priced,
            Err(hold) => return self.holds.push(hold),
        };
        let Some(product) = self.product(&fact.sku) else { return };
        let base = external::line(&self.decision.record.order_id, &fact.sku, ordinal);
        let title = if fact.title.is_empty() { fact.sku.as_str() } else { &fact.title };

        let taxes = self.taxes(&priced.item.tax);
        let (unit, units, rest) = split(priced.item.amount, fact.quantity, self.around.currency);
        self.push(base.clone(), product, title, Decimal::from(units), unit, &taxes);
        if let Some(rest) = rest {
            self.push(format!("{base}_r"), product, title, Decimal::ONE, rest, &taxes);
        }
        self.sum(&priced.item);
        if let Some(shipping) = &priced.shipping {
            if !shipping.amount.is_zero() {
                self.fee(
                    Fee::Shipping,
                    format!("{base}_ship"),
                    "Shipping",
                    shipping,
                    shipping.amount,
                );
            }
            self.sum(shipping);
        }
        if let Some(wrap) = &priced.gift_wrap {
            self.fee(Fee::GiftWrap, format!("{base}_wrap"), "Gift wrap", wrap, wrap.amount);
            self.sum(wrap);
        }
        if !priced.item.promotion.is_zero() {
            let off = -priced.item.promotion;
            self.fee(Fee::Promotion, format!("{base}_promo"), "Promotion", &priced.item, off);
        }
        if let Some(shipping) = priced.shipping.as_ref().filter(|s| !s.promotion.is_zero()) {
            let off = -shipping.promotion;
            self.fee(
                Fee::Promotion,
                format!("{base}_shippromo"),
                "Shipping promotion",
                shipping,
                off,
            );
        }
    }

    fn fee(&mut self, fee: Fee, external: String, name: &str, priced: &Priced, amount: Decimal) {
        let Some(sku) = self.decision.policy.products.get(&fee).cloned() else {
            self.holds.push(Hold::new(
                HoldCode::Sku,
                name,
                "no product is configured for lines of this kind: name one under products",
            ));
            return;
        };
        let taxes = self.taxes(&priced.tax);
        match self.decision.lookup.product(&sku) {
            Found::One(product) => self.push(external, product, name, Decimal::ONE, amount, &taxes),
            Found::Nothing | Found::Several => self.holds.push(Hold::new(
                HoldCode::Sku,
                sku.as_str(),
                "Odoo has no single product with this internal reference for fee lines: run \
                 `odoo-spoold check --fix`",
            )),
        }
    }

    fn push(
        &mut self,
        external: String,
        product: OdooId,
        name: &str,
        quantity: Decimal,
        price_unit: Decimal,
        taxes: &[OdooId],
    ) {
        self.lines.push(DesiredLine {
            external,
            product,
            name: name.to_owned(),
            quantity,
            price_unit,
            taxes: taxes.to_vec(),
        });
    }

    fn sum(&mut self, priced: &Priced) {
        self.total = match (self.total, priced.added_tax) {
            (Some(total), Some(tax)) => Some(total + priced.amount - priced.promotion + tax),
            _ => None,
        };
    }

    fn product(&mut self, sku: &Sku) -> Option<OdooId> {
        match (self.decision.lookup.product(sku), &self.decision.policy.unknown_sku) {
            (Found::One(id), _) => return Some(id),
            (Found::Nothing, UnknownSku::Default(default)) => {
                if let Found::One(id) = self.decision.lookup.product(default) {
                    return Some(id);
                }
                self.holds.push(Hold::new(
                    HoldCode::Sku,
                    default.as_str(),
                    "the configured default_product is not in Odoo",
                ));
            }
            (Found::Nothing, UnknownSku::Hold) => self.holds.push(Hold::new(
                HoldCode::Sku,
                sku.as_str(),
                "no product has this internal reference: create the product, or set the reference",
            )),
            (Found::Several, _) => self.holds.push(Hold::new(
                HoldCode::Sku,
                sku.as_str(),
                "several products have this internal reference: leave it on one only",
            )),
        }
        None
    }

    fn taxes(&mut self, choice: &TaxChoice) -> Vec<OdooId> {
        let TaxChoice::Tax { tax, included } = choice else { return Vec::new() };
        let key = match tax {
            TaxRef::Name(name) => name.clone(),
            TaxRef::Id(id) => format!("id {id}"),
        };
        let text = match self.lookup(tax) {
            Found::One(found) if found.price_include == *included => return vec![found.id],
            Found::One(_) if *included => {
                "this tax does not include itself in the price, and the marketplace's prices are gross"
            }
            Found::One(_) => {
                "this tax includes itself in the price, and the marketplace's prices are net"
            }
            Found::Nothing => "Odoo has no sales tax of this name in the account's company",
            Found::Several => "Odoo has several sales taxes of this name: use tax_id",
        };
        self.holds.push(Hold::new(HoldCode::Tax, key, text));
        Vec::new()
    }

    fn lookup(&self, tax: &TaxRef) -> Found<Tax> {
        self.decision.lookup.tax(tax)
    }
}

/// Another family counts the rows of this SKU differently, and the sums agree: lines stand.
fn counted_differently(sku: &Sku, rows: &[&RecordLine], items: &[MappedItem]) -> bool {
    let known: Vec<&MappedItem> =
        items.iter().filter(|item| item.sku == *sku && item.quantity > 0).collect();
    if known.is_empty() || known.len() == rows.len() {
        return false;
    }
    let units: u64 = rows.iter().map(|row| u64::from(row.fact.quantity)).sum();
    let known_units: u64 = known.iter().map(|item| u64::from(item.quantity)).sum();
    let total: Option<Decimal> = rows.iter().map(|row| row.fact.item_price).sum();
    let known_total: Option<Decimal> = known.iter().map(|item| item.total).sum();
    units == known_units && (total == known_total || total.is_none())
}

/// Gives each row its ordinal: by order-item id, then by exact (quantity, total), then in order;
/// what is left is new. Items without a row keep their ordinal with quantity 0.
fn ordinals<'r>(
    sku: &Sku,
    rows: &[&'r RecordLine],
    items: &mut Vec<MappedItem>,
) -> Vec<(&'r RecordLine, u32)> {
    let mut free: Vec<usize> =
        items.iter().enumerate().filter(|(_, item)| item.sku == *sku).map(|(at, _)| at).collect();
    // Items whose line is gone come last: a live line is never moved onto one of theirs.
    free.sort_by_key(|at| items.get(*at).map(|item| (item.quantity == 0, item.ordinal)));
    let mut next =
        free.iter().filter_map(|at| items.get(*at)).map(|i| i.ordinal).max().unwrap_or(0);
    let mut given: Vec<Option<usize>> = vec![None; rows.len()];
    let tests: [fn(&RecordLine, &MappedItem) -> bool; 3] = [
        |row, item| row.fact.item_id.is_some() && row.fact.item_id == item.item_id,
        |row, item| row.fact.quantity == item.quantity && row.fact.item_price == item.total,
        |_, _| true,
    ];
    for fits in tests {
        for (row, slot) in rows.iter().zip(&mut given) {
            if slot.is_some() {
                continue;
            }
            let hit = free.iter().position(|at| items.get(*at).is_some_and(|item| fits(row, item)));
            if let Some(hit) = hit {
                *slot = Some(free.remove(hit));
            }
        }
    }
    for at in free {
        if let Some(item) = items.get_mut(at) {
            item.quantity = 0;
        }
    }
    rows.iter()
        .zip(given)
        .map(|(row, slot)| {
            let fact = &row.fact;
            if let Some(item) = slot.and_then(|at| items.get_mut(at)) {
                item.quantity = fact.quantity;
                item.total = fact.item_price.or(item.total);
                if fact.item_id.is_some() {
                    item.item_id.clone_from(&fact.item_id);
                }
                return (*row, item.ordinal);
            }
            next += 1;
            items.push(MappedItem {
                sku: sku.clone(),
                ordinal: next,
                item_id: fact.item_id.clone(),
                quantity: fact.quantity,
                total: fact.item_price,
            });
            (*row, next)
        })
        .collect()
}
