//! What should stand in Odoo for an order, or which exact thing is missing.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::buying::Buying;
use super::diff::MARKETPLACE;
use super::exact::sum;
use super::lines::{joined, lines};
use super::merge::{Record, RecordLine, merge};
use super::policy::{AccountPolicy, AlreadyShipped, MarketplacePolicy, PartnerMode};
use super::{Found, Lookup, Wanted, external};
use crate::model::{
    Accept, AttentionCode, BuyerFact, Currency, Declined, Dossier, FactLine, Fulfilment, Hold,
    HoldCode, MappedItem, Mapping, Marketplace, OdooId, OrderId, OrderStatus, Origin, Outcome, Sku,
};

/// Columns whose unknown words keep an order from being confirmed, and from nothing else.
const STATUS: [&str; 2] = ["order-status", "item-status"];

/// In place of a word that could be a buyer's.
const NOT_SHOWN: &str = "a word that is not shown";

/// Chooses the tax, where the marketplace's table tells countries apart.
const COUNTRY: &str = "ship-country";

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
    /// What the buyer paid: what Odoo's total is compared with.
    pub total: Result<Decimal, NoTotal>,
    /// Cancelled at the marketplace.
    pub cancel: bool,
    /// To be confirmed now.
    pub confirm: bool,
    /// What keeps it from being finished.
    pub holds: Vec<Hold>,
    /// Who buys, and what is noted on the order.
    pub buying: Buying,
    /// What a person should look at although it holds nothing: code, key and text.
    pub attention: Vec<(AttentionCode, String, String)>,
}

/// Why it is not known what the buyer paid. There is nothing to compare Odoo's total with then, and
/// that is not the same as a total that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTotal {
    /// Lines stand whose rows give no price, or no tax that the table knows: what Odoo has of them
    /// was compared when they were written.
    Standing,
    /// The order is cancelled: nothing of its lines is written.
    Cancelled,
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
    let refusals = dossier.refusals();
    if !refusals.writing.is_empty() {
        return Plan::Wait(refusals.writing);
    }
    let Some(record) = merge(dossier) else {
        return Plan::Wait(vec![Hold::new(HoldCode::Row, "", "no readable row of this order yet")]);
    };
    let unread = refusals.confirming;
    let decision = Decision { record: &record, dossier, unread, buyer, policy, lookup };
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
    let units =
        live().fold(0_u64, |units, line| units.saturating_add(u64::from(line.fact.quantity)));
    let amount = sum(live().filter_map(|line| line.fact.item_price)).map_or_else(
        || "amounts too large to add up".to_owned(),
        |sum| sum.normalize().to_string(),
    );
    let currency = record.currency.map(|currency| format!(" {currency}")).unwrap_or_default();
    let wish =
        if record.cancellation_requested { ", the buyer asked for cancellation" } else { "" };
    format!("{:?}, {units} units, {amount}{currency}{wish}", record.status)
}

pub(super) fn no_price(sku: &Sku) -> Hold {
    let text = "no report gives a price yet: an All Orders or order report will";
    Hold::new(HoldCode::Price, sku.as_str(), text)
}

/// One decision and everything it looks at.
pub(super) struct Decision<'a> {
    pub(super) record: &'a Record,
    pub(super) dossier: &'a Dossier,
    /// Refused rows that keep it from being confirmed.
    unread: Vec<Hold>,
    buyer: Option<&'a BuyerFact>,
    pub(super) policy: &'a AccountPolicy,
    pub(super) lookup: &'a dyn Lookup,
}

impl Decision<'_> {
    fn take(&self) -> Result<Plan, Vec<Hold>> {
        let record = self.record;
        if record.non_amazon {
            return Ok(Plan::Done(Outcome::NonAmazon));
        }
        if self.dossier.mapping.is_none()
            && let Some(outcome) = self.not_worth_creating()
        {
            return Ok(Plan::Done(outcome));
        }
        if record.status == OrderStatus::Cancelled {
            return self.cancellation();
        }
        let (marketplace, rules) = self.marketplace().map_err(|mut holds| {
            // Told together, so that both can be corrected at once.
            holds.extend(self.missing_prices());
            holds
        })?;
        let purchase_date = self.purchase_date()?;
        let (pricelist, currency) = self.pricelist(marketplace)?;
        let mut lines = lines(self, marketplace, rules, currency);
        let by_country = rules.taxes.iter().any(|entry| entry.destination.is_some());
        let mut holds = self
            .unknown_words(|column| !STATUS.contains(&column) && (by_country || column != COUNTRY));
        holds.append(&mut lines.holds);
        if !holds.is_empty() {
            return Err(holds);
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
            carrier: None,
            lines: lines.lines,
            standing: lines.standing,
            items: lines.items,
            total: lines.total,
            cancel: false,
            confirm: false,
            holds: Vec::new(),
            buying: Buying::new(record, self.buyer, self.policy),
            attention: Vec::new(),
        };
        self.carrier(rules, &mut desired);
        self.warehouse(rules, &mut desired);
        self.confirm(&mut desired);
        let decisions = self.unknown_amounts().into_iter().chain(self.cancellation_requested());
        for hold in decisions {
            desired.holds.push(hold);
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
            total: Err(NoTotal::Cancelled),
            cancel: true,
            confirm: false,
            holds: Vec::new(),
            buying: Buying::default(),
            attention: Vec::new(),
        })))
    }

    /// The buyer wants the order cancelled; a person released that if it is to be confirmed anyway.
    fn cancellation_requested(&self) -> Option<Hold> {
        let hold = Hold::new(
            HoldCode::CancellationRequested,
            "",
            "the buyer asked for cancellation: cancel the order at Amazon, or have it confirmed all \
             the same with `odoo-spoold hold release`",
        )
        .between("confirm", "cancel");
        (self.record.cancellation_requested && !self.dossier.passes(&hold)).then_some(hold)
    }

    /// Money in columns that are not known: whether the buyer paid it is open.
    fn unknown_amounts(&self) -> Vec<Hold> {
        let amounts = self.record.unknown_amounts.iter().map(|unknown| {
            let read = (!unknown.amount.is_zero() || unknown.unread.is_empty())
                .then(|| unknown.amount.normalize().to_string());
            let amounts: Vec<String> =
                read.into_iter().chain(unknown.unread.iter().cloned()).collect();
            let amounts = amounts.join(" and ");
            let text = format!(
                "the report gives {amounts} in a column that is not known, and it is open whether \
                 the buyer paid it: look the order up in Seller Central, correct it in Odoo if it \
                 must be, then `odoo-spoold hold release`"
            );
            Hold::new(HoldCode::UnknownAmount, &unknown.column, text).between("", amounts)
        });
        let mut holds = joined(amounts.collect());
        holds.retain(|hold| !self.dossier.passes(hold));
        holds
    }

    /// Words that are not known in these columns. They are never read as the default.
    fn unknown_words(&self, columns: impl Fn(&str) -> bool) -> Vec<Hold> {
        let words = self.record.unknown_words.iter().filter(|word| columns(&word.column));
        let mut holds: Vec<Hold> = words
            .map(|unknown| {
                let (code, decides) = match unknown.column.as_str() {
                    "sales-channel" | "order-channel" => {
                        (HoldCode::Marketplace, "which marketplace sold the order")
                    }
                    "tax-collection-model" | "tax-collection-responsible-party" => {
                        (HoldCode::Tax, "whose the tax is")
                    }
                    COUNTRY => (HoldCode::Tax, "which country's tax the order bears"),
                    _ => (HoldCode::Release, "whether the order may be shipped, and by whom"),
                };
                let key = [&unknown.word, &unknown.column]
                    .into_iter()
                    .find(|text| !text.is_empty())
                    .cloned()
                    .unwrap_or_default();
                let text = format!(
                    "the word in the column {} is not known, and it decides {decides}: a later \
                     report with another word ends this",
                    unknown.column
                );
                let word = if unknown.word.is_empty() { NOT_SHOWN } else { &unknown.word };
                Hold::new(code, key, text).between("", word)
            })
            .collect();
        holds.retain(|hold| !self.dossier.passes(hold));
        holds.sort();
        holds.dedup();
        holds
    }

    /// What an article's line is called. A replacement names the order that it is for: people see
    /// it on the order, the delivery and the invoice.
    pub(super) fn title(&self, fact: &FactLine) -> String {
        let title = if fact.title.is_empty() { fact.sku.as_str() } else { &fact.title };
        if !self.record.replacement {
            return title.to_owned();
        }
        match &self.record.original_order_id {
            Some(original) => format!("{title}\nReplacement for Amazon order {original}"),
            None => format!("{title}\nReplacement"),
        }
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

    /// The seller ships, and had shipped it before any file told of it: confirming it would ask the
    /// warehouse again.
    fn already_shipped(&self) -> bool {
        self.record.fulfilment == Fulfilment::Merchant
            && self.record.status == OrderStatus::Shipped
            && !self.dossier.seen_unshipped
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
                    "created by the rules of {created_by}, and a report names {named} now: correct \
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
        let archived = || self.lookup.archived(&Wanted::Pricelist(marketplace));
        match self.lookup.pricelist(marketplace) {
            Found::One((id, currency)) => match self.record.currency {
                Some(other) if !other.is_iso() && other != currency => Err(vec![Hold::new(
                    HoldCode::Pricelist,
                    format!("{marketplace} {other}"),
                    format!(
                        "the report calls the order's currency {other}, which is no ISO currency; \
                         the marketplace's pricelist is in {currency}: a report with the right code \
                         ends this, and no setting does"
                    ),
                )]),
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
            Found::Nothing => hold(&archived().unwrap_or_else(|| {
                "Odoo has no pricelist of the configured name in this company".to_owned()
            })),
            Found::Several => {
                hold("Odoo has several pricelists of the configured name: use pricelist_id")
            }
        }
    }

    /// The delivery method of the service level. It is set when the order is created; one that is
    /// missing holds nothing, and is told.
    fn carrier(&self, rules: &MarketplacePolicy, desired: &mut Desired) {
        let level = self.record.service_level.as_deref();
        let Some(name) = level.and_then(|level| rules.carriers.get(level)) else { return };
        let text = match self.lookup.carrier(name) {
            Found::One(id) => return desired.carrier = Some(id),
            Found::Nothing => "Odoo has no delivery method of this name in the account's company",
            Found::Several => "Odoo has several delivery methods of this name",
        };
        if self.dossier.mapping.as_ref().is_none_or(|mapping| mapping.odoo_id == 0) {
            let text = format!("{text}: the order is created without one");
            desired.attention.push((AttentionCode::Carrier, name.clone(), text));
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
                    self.lookup.archived(&Wanted::Warehouse(code)).unwrap_or_else(|| {
                        "Odoo has no warehouse with this short name in the account's company"
                            .to_owned()
                    }),
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
        let words = self.unknown_words(|column| STATUS.contains(&column));
        if self.already_shipped() {
            desired.holds.extend(words);
            desired.confirm =
                self.policy.already_shipped == AlreadyShipped::Confirm && desired.holds.is_empty();
            return;
        }
        desired.holds.extend(self.unread.iter().cloned());
        if !words.is_empty() {
            desired.holds.extend(words);
        } else if !record.released {
            desired.holds.push(Hold::new(
                HoldCode::Release,
                "",
                "Amazon has not released the order yet: an unshipped report or a later status will",
            ));
        }
        // What has left needs no address any more.
        let addressed = record.status == OrderStatus::Shipped
            || self.policy.partner == PartnerMode::Anonymous
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
