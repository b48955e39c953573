//! What should stand in Odoo for an order, or which exact thing is missing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::merge::{Record, RecordLine, merge};
use super::policy::{
    AccountPolicy, AlreadyShipped, Fee, MarketplacePolicy, PartnerMode, UnknownSku,
};
use super::price::{Priced, Surroundings, TaxChoice, price_line, split};
use super::{Found, Lookup, external};
use crate::model::{
    BuyerFact, Currency, Dossier, Fulfilment, Hold, HoldCode, MappedItem, Marketplace, OdooId,
    OrderId, OrderStatus, Origin, Outcome, Sku,
};

/// What is to be done about an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Nothing, and why.
    Done(Outcome),
    /// Nothing yet: these are missing.
    Wait(Vec<Hold>),
    /// This should stand in Odoo.
    Want(Box<Desired>),
}

/// What should stand in Odoo for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The order; also its `client_order_ref`.
    pub order_id: OrderId,
    /// The name part of its external id.
    pub external: String,
    /// Its marketplace.
    pub marketplace: Marketplace,
    /// `date_order`: when it was bought.
    pub purchase_date: Timestamp,
    /// `commitment_date`.
    pub promise_date: Option<Timestamp>,
    /// `pricelist_id`, which brings the currency.
    pub pricelist: OdooId,
    /// The order's currency.
    pub currency: Currency,
    /// `warehouse_id`; none leaves Odoo's default.
    pub warehouse: Option<OdooId>,
    /// `carrier_id`; none leaves it unset.
    pub carrier: Option<OdooId>,
    /// The lines that should be there.
    pub lines: Vec<DesiredLine>,
    /// SKUs whose lines stand as they are: another family counts their rows differently, and the
    /// sums agree.
    pub standing: BTreeSet<Sku>,
    /// Ordinals, old and new.
    pub items: Vec<MappedItem>,
    /// What the buyer paid; none where the report gives no tax to sum up.
    pub total: Option<Decimal>,
    /// Cancelled at the marketplace.
    pub cancel: bool,
    /// To be confirmed now.
    pub confirm: bool,
    /// What keeps it from being finished.
    pub holds: Vec<Hold>,
}

/// One `sale.order.line` that should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredLine {
    /// The name part of its external id.
    pub external: String,
    /// `product_id`.
    pub product: OdooId,
    /// `name`.
    pub name: String,
    /// `product_uom_qty`, in units.
    pub quantity: Decimal,
    /// `price_unit`.
    pub price_unit: Decimal,
    /// Its taxes: one or none.
    pub taxes: Vec<OdooId>,
}

/// Decides what should stand in Odoo for an order.
pub fn plan(
    dossier: &Dossier,
    buyer: Option<&BuyerFact>,
    policy: &AccountPolicy,
    lookup: &dyn Lookup,
) -> Plan {
    let mapping = dossier.mapping.as_ref();
    if mapping.is_some_and(|mapping| mapping.deleted) {
        return Plan::Done(Outcome::DeletedInOdoo);
    }
    if mapping.is_some_and(|mapping| mapping.origin == Origin::Adopted) {
        return Plan::Done(Outcome::Adopted);
    }
    let refused: Vec<Hold> = dossier.refused.values().flat_map(row_holds).collect();
    if !refused.is_empty() {
        return Plan::Wait(refused);
    }
    let Some(record) = merge(dossier) else {
        return Plan::Wait(vec![Hold::new(HoldCode::Row, "", "no readable row of this order yet")]);
    };
    let decision = Decision { record: &record, dossier, buyer, policy, lookup };
    decision.take().unwrap_or_else(Plan::Wait)
}

fn row_holds(refused: &crate::model::RefusedFact) -> Vec<Hold> {
    refused
        .faults
        .iter()
        .map(|fault| {
            Hold::new(
                HoldCode::Row,
                format!("{} line {}", refused.file, fault.line),
                format!(
                    "column {}: {}; a later file with a good row ends this",
                    fault.column, fault.message
                ),
            )
        })
        .collect()
}

fn no_price(sku: &Sku) -> Hold {
    let text = "no report gives a price yet: an All Orders or order report will";
    Hold::new(HoldCode::Price, sku.as_str(), text)
}

/// One decision and everything it looks at.
struct Decision<'a> {
    record: &'a Record,
    dossier: &'a Dossier,
    buyer: Option<&'a BuyerFact>,
    policy: &'a AccountPolicy,
    lookup: &'a dyn Lookup,
}

impl Decision<'_> {
    fn take(&self) -> Result<Plan, Vec<Hold>> {
        let record = self.record;
        let mapped = self.dossier.mapping.is_some();
        if record.non_amazon {
            return Ok(Plan::Done(Outcome::NonAmazon));
        }
        if !mapped && let Some(outcome) = self.not_worth_creating() {
            return Ok(Plan::Done(outcome));
        }
        if record.status == OrderStatus::Cancelled {
            return self.cancellation();
        }
        let (marketplace, rules) = self.marketplace().map_err(|mut holds| {
            // Told together: who names the marketplace need not find out afterwards.
            holds.extend(self.missing_prices());
            holds
        })?;
        let purchase_date = self.purchase_date()?;
        let (pricelist, currency) = self.pricelist(marketplace)?;
        let mut lines = Lines::new(self, marketplace, rules, currency);
        lines.collect();
        if !lines.holds.is_empty() {
            return Err(lines.holds);
        }
        let mut desired = Desired {
            external: external::order(&record.order_id),
            order_id: record.order_id.clone(),
            marketplace,
            purchase_date,
            promise_date: record.promise_date,
            pricelist,
            currency,
            warehouse: None,
            carrier: self.carrier(rules),
            lines: lines.lines,
            standing: lines.standing,
            items: lines.items,
            total: lines.total,
            cancel: false,
            confirm: false,
            holds: Vec::new(),
        };
        self.warehouse(rules, &mut desired);
        self.confirm(&mut desired);
        if record.cancellation_requested {
            desired.holds.push(Hold::new(
                HoldCode::CancellationRequested,
                "",
                "the buyer asked for cancellation: cancel the order at Amazon, or confirm it in Odoo by hand",
            ));
            desired.confirm = false;
        }
        Ok(Plan::Want(Box::new(desired)))
    }

    /// The cancellation of an order that is in Odoo: whatever stands there is cancelled as it is,
    /// so that no setting and no record of Odoo that is missing by now lets the goods go.
    fn cancellation(&self) -> Result<Plan, Vec<Hold>> {
        let record = self.record;
        let marketplace = match record.marketplace.or(self.policy.default_marketplace) {
            Some(marketplace) => marketplace,
            None => self.marketplace()?.0,
        };
        let (pricelist, currency) = match (self.lookup.pricelist(marketplace), record.currency) {
            (Found::One(found), _) => found,
            // Nothing of a cancelled order is written but its state.
            (Found::Nothing | Found::Several, Some(currency)) => (0, currency),
            (Found::Nothing | Found::Several, None) => match marketplace.currency().parse() {
                Ok(currency) => (0, currency),
                Err(_) => self.pricelist(marketplace)?,
            },
        };
        Ok(Plan::Want(Box::new(Desired {
            external: external::order(&record.order_id),
            order_id: record.order_id.clone(),
            marketplace,
            purchase_date: self.purchase_date()?,
            promise_date: None,
            pricelist,
            currency,
            warehouse: None,
            carrier: None,
            lines: Vec::new(),
            standing: BTreeSet::new(),
            items: self.dossier.mapping.as_ref().map(|m| m.items.clone()).unwrap_or_default(),
            total: None,
            cancel: true,
            confirm: false,
            holds: Vec::new(),
        })))
    }

    fn purchase_date(&self) -> Result<Timestamp, Vec<Hold>> {
        self.record.purchase_date.ok_or_else(|| {
            vec![Hold::new(HoldCode::Row, "purchase-date", "no report gives the purchase date yet")]
        })
    }

    /// Prices that are missing in any marketplace.
    fn missing_prices(&self) -> BTreeSet<Hold> {
        let lines = self.record.lines.iter().filter(|line| line.is_live());
        let unpriced =
            lines.filter(|line| !self.record.replacement && line.fact.item_price.is_none());
        unpriced.map(|line| no_price(&line.fact.sku)).collect()
    }

    /// Why an order that is not in Odoo need not come there.
    fn not_worth_creating(&self) -> Option<Outcome> {
        let record = self.record;
        if record.status == OrderStatus::Cancelled {
            return Some(Outcome::CancelledUnseen);
        }
        if record.purchase_date.is_some_and(|date| date < self.policy.import_from) {
            return Some(Outcome::BeforeImportFrom);
        }
        if self.already_shipped() && self.policy.already_shipped == AlreadyShipped::Skip {
            return Some(Outcome::AlreadyShipped);
        }
        (!record.lines.iter().any(RecordLine::is_live)).then_some(Outcome::Empty)
    }

    /// The seller ships, and it has been shipped: confirming it would ask the warehouse again.
    fn already_shipped(&self) -> bool {
        self.record.fulfilment == Fulfilment::Merchant && self.record.status == OrderStatus::Shipped
    }

    fn marketplace(&self) -> Result<(Marketplace, &MarketplacePolicy), Vec<Hold>> {
        if self.record.marketplace_conflict {
            return Err(vec![Hold::new(
                HoldCode::Conflict,
                "sales-channel",
                "two reports name different marketplaces for this order",
            )]);
        }
        let marketplace = self.record.marketplace.or(self.policy.default_marketplace).ok_or_else(|| {
            vec![Hold::new(
                HoldCode::Marketplace,
                "",
                "no report names the marketplace: an All Orders report will, or set default_marketplace",
            )]
        })?;
        let rules = self.policy.marketplace(marketplace).ok_or_else(|| {
            vec![Hold::new(
                HoldCode::Marketplace,
                marketplace.name(),
                "the account has no [[account.marketplace]] of this name: add it and reload",
            )]
        })?;
        Ok((marketplace, rules))
    }

    fn pricelist(&self, marketplace: Marketplace) -> Result<(OdooId, Currency), Vec<Hold>> {
        let hold = |text: &str| Err(vec![Hold::new(HoldCode::Pricelist, marketplace.name(), text)]);
        match self.lookup.pricelist(marketplace) {
            Found::One((id, currency)) => match self.record.currency {
                Some(other) if other != currency => Err(vec![Hold::new(
                    HoldCode::Pricelist,
                    format!("{marketplace} {other}"),
                    format!(
                        "the order is in {other}, the marketplace's pricelist in {currency}: \
                         configure a pricelist of the order's currency"
                    ),
                )]),
                // Without a priced report the pricelist's currency is not in question yet.
                Some(_) | None => Ok((id, currency)),
            },
            Found::Nothing => hold("Odoo has no pricelist of the configured name in this company"),
            Found::Several => {
                hold("Odoo has several pricelists of the configured name: use pricelist_id")
            }
        }
    }

    fn carrier(&self, rules: &MarketplacePolicy) -> Option<OdooId> {
        let name = rules.carriers.get(self.record.service_level.as_deref()?)?;
        match self.lookup.carrier(name) {
            Found::One(id) => Some(id),
            Found::Nothing | Found::Several => None,
        }
    }

    fn warehouse(&self, rules: &MarketplacePolicy, desired: &mut Desired) {
        let code = match self.record.fulfilment {
            Fulfilment::Amazon => rules.fba_warehouse.as_deref(),
            Fulfilment::Merchant => rules.warehouse.as_deref(),
        };
        match code {
            None if self.record.fulfilment == Fulfilment::Amazon => desired.holds.push(Hold::new(
                HoldCode::Warehouse,
                desired.marketplace.name(),
                "Amazon ships this order, and the marketplace has no fba_warehouse: set it and reload",
            )),
            None => {}
            Some(code) => match self.lookup.warehouse(code) {
                Found::One(id) => desired.warehouse = Some(id),
                Found::Nothing | Found::Several => desired.holds.push(Hold::new(
                    HoldCode::Warehouse,
                    code,
                    "Odoo has no warehouse with this short name in the account's company",
                )),
            },
        }
    }

    /// Whether the order is confirmed now, or what it waits for.
    fn confirm(&self, desired: &mut Desired) {
        let record = self.record;
        if !self.policy.confirm {
            return;
        }
        if self.already_shipped() {
            desired.confirm =
                self.policy.already_shipped == AlreadyShipped::Confirm && desired.holds.is_empty();
            return;
        }
        if !record.released {
            desired.holds.push(Hold::new(
                HoldCode::Release,
                "",
                "Amazon has not released the order yet: an unshipped report or a later status will",
            ));
        }
        let addressed = self.policy.partner == PartnerMode::Anonymous
            || self.buyer.is_some_and(BuyerFact::has_address)
            || self.dossier.mapping.as_ref().is_some_and(|mapping| mapping.base.addressed);
        if record.fulfilment == Fulfilment::Merchant && !addressed {
            desired.holds.push(Hold::new(
                HoldCode::Address,
                "",
                "the seller ships this order, and no report gives its ship address yet: an \
                 unshipped or order report will",
            ));
        }
        desired.confirm = desired.holds.is_empty();
    }
}

/// The lines on their way.
struct Lines<'a> {
    decision: &'a Decision<'a>,
    around: Surroundings<'a>,
    lines: Vec<DesiredLine>,
    standing: BTreeSet<Sku>,
    items: Vec<MappedItem>,
    total: Option<Decimal>,
    holds: Vec<Hold>,
}

impl<'a> Lines<'a> {
    fn new(
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

    fn collect(&mut self) {
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
            super::policy::TaxRef::Name(name) => name.clone(),
            super::policy::TaxRef::Id(id) => format!("id {id}"),
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

    fn lookup(&self, tax: &super::policy::TaxRef) -> Found<super::Tax> {
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

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
