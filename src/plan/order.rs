//! What should stand in Odoo for an order, or which exact thing is missing.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::buying::Buying;
use super::diff::MARKETPLACE;
use super::lines::Lines;
use super::merge::{Record, RecordLine, merge};
use super::policy::{AccountPolicy, AlreadyShipped, MarketplacePolicy, PartnerMode};
use super::{Found, Lookup, external};
use crate::model::{
    Accept, BuyerFact, Currency, Declined, Dossier, Fulfilment, Hold, HoldCode, MappedItem,
    Mapping, Marketplace, OdooId, OrderId, OrderStatus, Origin, Outcome, RefusedFact, Sku,
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
    /// Who buys, and what is noted on the order.
    pub buying: Buying,
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
    let refused: Vec<Hold> = dossier.refused.values().flat_map(RefusedFact::holds).collect();
    if !refused.is_empty() {
        return Plan::Wait(refused);
    }
    let Some(record) = merge(dossier) else {
        return Plan::Wait(vec![Hold::new(HoldCode::Row, "", "no readable row of this order yet")]);
    };
    let decision = Decision { record: &record, dossier, buyer, policy, lookup };
    decision.take().unwrap_or_else(Plan::Wait)
}

/// Takes over a decision on a marketplace that is named only after the order was created by
/// another's rules: the rules stay.
pub fn rule_on_marketplace(dossier: &mut Dossier) {
    let Some(named) = merge(dossier).and_then(|record| record.marketplace) else { return };
    let Some(mapping) = &mut dossier.mapping else { return };
    let decided = mapping.ruling.as_ref().is_some_and(|ruling| {
        let about = |hold: &Hold| hold.key == MARKETPLACE && hold.text.contains(named.name());
        ruling.accept == Accept::Odoo && ruling.about.iter().any(about)
    });
    if decided && !has_declined(mapping, named) {
        let kept = mapping.marketplace.map(Marketplace::name).unwrap_or_default().to_owned();
        let (field, wanted) = (MARKETPLACE.to_owned(), named.name().to_owned());
        mapping.declined.push(Declined { field, wanted, kept });
    }
}

fn has_declined(mapping: &Mapping, named: Marketplace) -> bool {
    mapping.declined.iter().any(|declined| declined.is(MARKETPLACE, named.name()))
}

/// What the marketplace says of an order, in a few words that change when it does.
pub fn summary(dossier: &Dossier) -> String {
    let Some(record) = merge(dossier) else { return String::new() };
    let live = || record.lines.iter().filter(|line| line.is_live());
    let units: u64 = live().map(|line| u64::from(line.fact.quantity)).sum();
    let amount: Decimal = live().filter_map(|line| line.fact.item_price).sum();
    let currency = record.currency.map(|currency| format!(" {currency}")).unwrap_or_default();
    let wish =
        if record.cancellation_requested { ", the buyer asked for cancellation" } else { "" };
    format!("{:?}, {units} units, {}{currency}{wish}", record.status, amount.normalize())
}

pub(super) fn no_price(sku: &Sku) -> Hold {
    let text = "no report gives a price yet: an All Orders or order report will";
    Hold::new(HoldCode::Price, sku.as_str(), text)
}

/// One decision and everything it looks at.
pub(super) struct Decision<'a> {
    pub(super) record: &'a Record,
    pub(super) dossier: &'a Dossier,
    buyer: Option<&'a BuyerFact>,
    pub(super) policy: &'a AccountPolicy,
    pub(super) lookup: &'a dyn Lookup,
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
            buying: Buying::new(record, self.buyer, self.policy),
        };
        self.warehouse(rules, &mut desired);
        self.confirm(&mut desired);
        if record.cancellation_requested {
            desired.holds.push(Hold::new(
                HoldCode::CancellationRequested,
                "",
                "the buyer asked for cancellation: cancel the order at Amazon, or confirm it in \
                 Odoo by hand and run `odoo-spoold hold release`",
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
            buying: Buying::default(),
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
        let mapping = self.dossier.mapping.as_ref();
        let created_by = mapping.and_then(|mapping| mapping.marketplace);
        if let (Some(created_by), Some(named), Some(mapping)) =
            (created_by, self.record.marketplace, mapping)
            && created_by != named
            && !has_declined(mapping, named)
        {
            return Err(vec![Hold::new(
                HoldCode::Conflict,
                MARKETPLACE,
                format!(
                    "created by the rules of {created_by}, and a report names {named} now: mend \
                     the order in Odoo by hand (pricelist, taxes), then `odoo-spoold hold \
                     accept-odoo`"
                ),
            )]);
        }
        let marketplace =
            created_by.or(self.record.marketplace).or(self.policy.default_marketplace);
        let marketplace = marketplace.ok_or_else(|| {
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

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
