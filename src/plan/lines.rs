//! The Odoo lines of an order, and the ordinals that their external ids hang on.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::exact::{Exact, split, sum};
use super::merge::RecordLine;
use super::order::{Decision, DesiredLine, NoTotal, no_price};
use super::policy::{Fee, MarketplacePolicy, TaxRef, UnknownSku};
use super::price::{
    Priced, PricedLine, Surroundings, TaxChoice, blank_price, price_line, too_large,
};
use super::{Found, Tax, Wanted, external};
use crate::model::{
    Currency, FactLine, Hold, HoldCode, MappedItem, Marketplace, OdooId, OrderStatus, OtherAmounts,
    Sku,
};

/// What an order's lines should be.
pub(super) struct Planned {
    pub(super) lines: Vec<DesiredLine>,
    pub(super) standing: BTreeSet<Sku>,
    pub(super) items: Vec<MappedItem>,
    pub(super) total: Result<Decimal, NoTotal>,
    pub(super) holds: Vec<Hold>,
}

/// The lines on their way.
struct Lines<'a> {
    decision: &'a Decision<'a>,
    around: Surroundings<'a>,
    planned: Planned,
}

/// The lines of an order. What a person released, with the values that were released, holds nothing
/// any more.
pub(super) fn lines(
    decision: &Decision<'_>,
    marketplace: Marketplace,
    policy: &MarketplacePolicy,
    currency: Currency,
) -> Planned {
    let collect = |released: &[String]| {
        let around = Surroundings {
            policy,
            marketplace: marketplace.name(),
            destination: decision.record.ship_country.as_deref(),
            currency,
            pending: decision.record.status == OrderStatus::Pending,
            released,
        };
        let mut lines = Lines { decision, around, planned: Planned::before(decision) };
        lines.collect();
        Planned { holds: joined(lines.planned.holds), ..lines.planned }
    };
    let planned = collect(&[]);
    let released: Vec<String> = planned
        .holds
        .iter()
        .filter(|hold| decision.dossier.passes(hold))
        .map(|hold| hold.key.clone())
        .collect();
    if released.is_empty() { planned } else { collect(&released) }
}

impl Planned {
    fn before(decision: &Decision<'_>) -> Self {
        Self {
            lines: Vec::new(),
            standing: BTreeSet::new(),
            items: decision.dossier.mapping.as_ref().map(|m| m.items.clone()).unwrap_or_default(),
            total: Ok(Decimal::ZERO),
            holds: Vec::new(),
        }
    }
}

/// A person can decide on its two values.
fn is_comparison(hold: &Hold) -> bool {
    !(hold.ours.is_empty() && hold.theirs.is_empty())
}

/// One hold for each thing: what several lines say of one is decided on together.
pub(super) fn joined(mut holds: Vec<Hold>) -> Vec<Hold> {
    holds.sort();
    holds.dedup();
    let mut joined: Vec<Hold> = Vec::new();
    for hold in holds {
        match joined.last_mut() {
            Some(last)
                if (last.code, &last.key) == (hold.code, &hold.key)
                    && is_comparison(last)
                    && is_comparison(&hold) =>
            {
                last.ours = format!("{}; {}", last.ours, hold.ours);
                last.theirs = format!("{}; {}", last.theirs, hold.theirs);
            }
            Some(_) | None => joined.push(hold),
        }
    }
    joined
}

impl Lines<'_> {
    fn collect(&mut self) {
        let mut by_sku: BTreeMap<&Sku, Vec<&RecordLine>> = BTreeMap::new();
        for line in self.decision.record.lines.iter().filter(|line| line.is_live()) {
            by_sku.entry(&line.fact.sku).or_default().push(line);
        }
        // An SKU whose rows are all gone has no units left: were they to come back in another number
        // of rows, nothing stands that they could agree with.
        for item in self.planned.items.iter_mut().filter(|item| !by_sku.contains_key(&item.sku)) {
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
            if self.stands() && counted_differently(sku, rows, &self.planned.items) {
                self.planned.standing.insert((*sku).clone());
                for row in rows {
                    self.standing_row(row);
                }
                continue;
            }
            for (row, ordinal) in ordinals(sku, rows, &mut self.planned.items) {
                self.line(row, ordinal);
            }
        }
    }

    /// Something of the order is in Odoo. Ordinals are given before it is created, and say nothing
    /// of that.
    fn stands(&self) -> bool {
        self.decision.dossier.mapping.as_ref().is_some_and(|mapping| mapping.odoo_id != 0)
    }

    /// What the buyer paid for a row whose lines stand as they are.
    fn standing_row(&mut self, row: &RecordLine) {
        let fact = &row.fact;
        let priced = fact.item_price.map(|price| price_line(fact, price, self.around));
        match priced {
            Some(Ok(priced)) => self.sum(&fact.sku, &priced),
            Some(Err(_)) | None => self.planned.total = Err(NoTotal::Standing),
        }
    }

    /// The item price; a replacement costs nothing where the report gives no amount at all.
    fn item_price(&self, fact: &FactLine) -> Result<Decimal, Hold> {
        if let Some(price) = fact.item_price {
            return Ok(price);
        }
        if !self.decision.record.replacement {
            return Err(no_price(&fact.sku));
        }
        let amount = |amount: Option<Decimal>| amount.is_some_and(|amount| !amount.is_zero());
        if amount(fact.item_tax) || amount(fact.item_promotion) {
            return Err(blank_price(&fact.sku, "item-price"));
        }
        Ok(Decimal::ZERO)
    }

    /// The Odoo lines of one Amazon line.
    fn line(&mut self, row: &RecordLine, ordinal: u32) {
        let fact = &row.fact;
        let priced = self
            .item_price(fact)
            .map_err(|hold| vec![hold])
            .and_then(|item_price| price_line(fact, item_price, self.around));
        let priced = match priced {
            Ok(priced) => priced,
            Err(holds) => return self.planned.holds.extend(holds),
        };
        let Some(product) = self.product(&fact.sku) else { return };
        let base = external::line(&self.decision.record.order_id, &fact.sku, ordinal);
        let title = self.decision.title(fact);

        let taxes = self.taxes(&priced.item.tax);
        let amount = priced.item.amount;
        let Some((unit, units, rest)) = split(amount, fact.quantity, self.around.currency) else {
            return self.planned.holds.push(too_large(&fact.sku));
        };
        self.push(base.clone(), product, &title, Decimal::from(units), unit, &taxes);
        if let Some(rest) = rest {
            self.push(format!("{base}_r"), product, &title, Decimal::ONE, rest, &taxes);
        }
        self.sum(&fact.sku, &priced);
        let costs = |part: &&Priced| !part.amount.is_zero();
        if let Some(shipping) = priced.shipping.as_ref().filter(costs) {
            let name = format!("{base}_ship");
            self.fee(Fee::Shipping, name, "Shipping", shipping, shipping.amount);
        }
        if let Some(wrap) = priced.gift_wrap.as_ref().filter(costs) {
            self.fee(Fee::GiftWrap, format!("{base}_wrap"), "Gift wrap", wrap, wrap.amount);
        }
        if !priced.item.promotion.is_zero() {
            let off = priced.item.promotion.negated();
            self.fee(Fee::Promotion, format!("{base}_promo"), "Promotion", &priced.item, off);
        }
        if let Some(shipping) = priced.shipping.as_ref().filter(|s| !s.promotion.is_zero()) {
            let off = shipping.promotion.negated();
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
            self.planned.holds.push(Hold::new(
                HoldCode::Sku,
                name,
                "no product is configured for lines of this kind: name one under products",
            ));
            return;
        };
        let taxes = self.taxes(&priced.tax);
        match self.decision.lookup.product(&sku) {
            Found::One(product) => self.push(external, product, name, Decimal::ONE, amount, &taxes),
            Found::Nothing | Found::Several => self.planned.holds.push(Hold::new(
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
        self.planned.lines.push(DesiredLine {
            external,
            product,
            name: name.to_owned(),
            quantity,
            price_unit,
            taxes: taxes.to_vec(),
        });
    }

    /// Adds what the buyer paid for a row.
    fn sum(&mut self, sku: &Sku, priced: &PricedLine) {
        let Ok(total) = self.planned.total else { return };
        let parts = [Some(&priced.item), priced.shipping.as_ref(), priced.gift_wrap.as_ref()];
        let paid = |part: &Priced| part.amount.less(part.promotion)?.plus(part.added_tax);
        let total =
            parts.into_iter().flatten().try_fold(total, |total, part| total.plus(paid(part)?));
        match total {
            Some(total) => self.planned.total = Ok(total),
            None => self.planned.holds.push(too_large(sku)),
        }
    }

    fn product(&mut self, sku: &Sku) -> Option<OdooId> {
        match (self.decision.lookup.product(sku), &self.decision.policy.unknown_sku) {
            (Found::One(id), _) => return Some(id),
            (Found::Nothing, UnknownSku::Default(default)) => {
                if let Found::One(id) = self.decision.lookup.product(default) {
                    return Some(id);
                }
                self.planned.holds.push(Hold::new(
                    HoldCode::Sku,
                    default.as_str(),
                    "the configured default_product is not in Odoo",
                ));
            }
            (Found::Nothing, UnknownSku::Hold) => self.planned.holds.push(Hold::new(
                HoldCode::Sku,
                sku.as_str(),
                self.decision.lookup.archived(&Wanted::Product(sku)).unwrap_or_else(|| {
                    "no product has this internal reference: create the product, or set the \
                     reference"
                        .to_owned()
                }),
            )),
            (Found::Several, _) => self.planned.holds.push(Hold::new(
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
            Found::Nothing => {
                if let Some(archived) = self.decision.lookup.archived(&Wanted::Tax(tax)) {
                    self.planned.holds.push(Hold::new(HoldCode::Tax, key, archived));
                    return Vec::new();
                }
                "Odoo has no sales tax of this name in the account's company"
            }
            Found::Several => "Odoo has several sales taxes of this name (use tax_id)",
        };
        let text = format!(
            "{text}: correct it in Odoo or in config.toml; `hold release` does not end this"
        );
        self.planned.holds.push(Hold::new(HoldCode::Tax, key, text));
        Vec::new()
    }

    fn lookup(&self, tax: &TaxRef) -> Found<Tax> {
        self.decision.lookup.tax(tax)
    }
}

/// Another family counts the rows of this SKU differently, and all sums agree: lines stand.
fn counted_differently(sku: &Sku, rows: &[&RecordLine], items: &[MappedItem]) -> bool {
    let known: Vec<&MappedItem> =
        items.iter().filter(|item| item.sku == *sku && item.quantity > 0).collect();
    if known.is_empty() || known.len() == rows.len() {
        return false;
    }
    let units = |quantities: &mut dyn Iterator<Item = u32>| {
        quantities.fold(0_u64, |units, quantity| units.saturating_add(u64::from(quantity)))
    };
    if units(&mut rows.iter().map(|row| row.fact.quantity))
        != units(&mut known.iter().map(|item| item.quantity))
    {
        return false;
    }
    if rows.iter().any(|row| row.fact.item_price.is_none()) {
        // Nothing is said of money.
        return true;
    }
    let all: Option<Vec<Decimal>> = known.iter().map(|item| item.total).collect();
    let paid = sum(rows.iter().filter_map(|row| row.fact.item_price));
    if paid.is_none() || paid != all.and_then(sum) {
        return false;
    }
    let says: Vec<OtherAmounts> = rows.iter().map(|row| row.fact.others()).collect();
    let said: Vec<OtherAmounts> = known.iter().map(|item| item.others).collect();
    let sums = |list: &[OtherAmounts], get: fn(&OtherAmounts) -> Option<Decimal>| {
        sum(list.iter().filter_map(get))
    };
    let prices: [fn(&OtherAmounts) -> Option<Decimal>; 4] = [
        |row| row.shipping_price,
        |row| row.gift_wrap_price,
        |row| row.item_promotion,
        |row| row.ship_promotion,
    ];
    let taxes: [fn(&OtherAmounts) -> Option<Decimal>; 3] =
        [|row| row.item_tax, |row| row.shipping_tax, |row| row.gift_wrap_tax];
    let same = |get: &fn(&OtherAmounts) -> Option<Decimal>| {
        let sum = sums(&says, *get);
        sum.is_some() && sum == sums(&said, *get)
    };
    // A family that leaves all tax cells blank says nothing new about the tax. One that fills them
    // in where they were blank does, also with zeros.
    let blank = |list: &[OtherAmounts], get: &fn(&OtherAmounts) -> Option<Decimal>| {
        list.iter().all(|row| get(row).is_none())
    };
    prices.iter().all(same)
        && taxes.iter().all(|get| blank(&says, get) || (!blank(&said, get) && same(get)))
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
                if fact.item_price.is_some() {
                    (item.total, item.others) = (fact.item_price, fact.others());
                }
                if fact.item_id.is_some() {
                    item.item_id.clone_from(&fact.item_id);
                }
                return (*row, item.ordinal);
            }
            next = next.saturating_add(1);
            items.push(MappedItem {
                sku: sku.clone(),
                ordinal: next,
                item_id: fact.item_id.clone(),
                quantity: fact.quantity,
                total: fact.item_price,
                others: fact.others(),
            });
            (*row, next)
        })
        .collect()
}
