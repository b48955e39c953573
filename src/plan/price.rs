//! A line's amounts become Odoo amounts, to the minor unit, with the tax that fits them.
//!
//! Report columns contradict themselves in known ways (formats, trap 23): prices are mostly tax
//! inclusive, a promotion beside them may be tax exclusive, `item-tax` is what is left after the
//! promotion. The identity that holds decides; where none holds, the order is held `tax`.
//!
//! A tax cell says one of three things. *Blank* says nothing: the table's default entry, unless a
//! vat-exclusive price beside it shows another rate (`super::net_price`). *Zero* says that the rate
//! is 0: the table's entry of that rate; but beside the status `Pending` or a vat-exclusive price of
//! 0.00 Amazon has not calculated the tax yet, and it counts as blank. Any other amount has the
//! listed rate that is nearest to tax over net.
//!
//! A `tax` hold names the amount that the tax table gives and what the report says. Where a person released
//! it with just these two, the part of the line gets the table's default tax, or none where there
//! is no default; the order's total is compared all the same.

use rust_decimal::Decimal;

use super::exact::{Exact, inside, on_top, percent};
use super::policy::{FacilitatorTax, MarketplacePolicy, Prices, TaxEntry, TaxRef};
use crate::model::{Currency, FactLine, Hold, HoldCode, Sku};

/// How far a report's tax may lie from price × rate, without a promotion, in minor units: two, and
/// one for each unit of the article beyond the second, since Amazon rounds the tax of each.
pub(super) const TAX_TOLERANCE: u32 = 2;
/// The same where a promotion leaves two readings to choose from, in tenths of the minor unit.
const PROMOTION_TOLERANCE_TENTHS: i64 = 15;

/// One priced part of a line: the item, its shipping or its gift wrap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// What the line shows, before promotion: tax included where `prices` is gross and the tax
    /// is ours.
    pub amount: Decimal,
    /// The promotion, as a positive amount in the same sense.
    pub promotion: Decimal,
    /// The tax to set on both.
    pub tax: TaxChoice,
    /// The rate of that tax in percent, as the table lists it.
    pub rate: Decimal,
    /// What the tax adds to `amount - promotion` in Odoo; zero for gross prices.
    pub added_tax: Decimal,
}

/// Which tax a line gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaxChoice {
    /// None, explicitly.
    None,
    /// This one; its price-included flag must be `included`.
    Tax {
        /// The tax.
        tax: TaxRef,
        /// What its price-included flag must be.
        included: bool,
    },
}

/// The parts of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PricedLine {
    /// The item itself; its amount is the line total.
    pub item: Priced,
    /// Shipping, where it costs something or has a promotion.
    pub shipping: Option<Priced>,
    /// Gift wrap, where it costs something.
    pub gift_wrap: Option<Priced>,
}

/// What surrounds a line.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The marketplace's rules.
    pub policy: &'a MarketplacePolicy,
    /// Its name, for messages.
    pub marketplace: &'a str,
    /// Tax destination.
    pub destination: Option<&'a str>,
    /// The order's currency.
    pub currency: Currency,
    /// The order is not paid yet: Amazon has not calculated its tax.
    pub pending: bool,
    /// Keys of the `tax` holds that a person released.
    pub released: &'a [String],
}

impl Surroundings<'_> {
    pub(super) fn passes(&self, hold: &Hold) -> bool {
        hold.code == HoldCode::Tax && self.released.contains(&hold.key)
    }

    /// An amount with the places of the currency.
    pub(super) fn text(&self, amount: Decimal) -> String {
        let places = usize::try_from(self.currency.places()).unwrap_or(2);
        format!("{:.places$}", self.currency.round(amount))
    }
}

/// Amounts too large to calculate with; only a damaged file has them.
pub(super) fn too_large(sku: &Sku) -> Hold {
    Hold::new(
        HoldCode::Price,
        sku.as_str(),
        "the amounts are too large to calculate with: a later report with the \
         right ones ends this",
    )
}

/// Prices one live line whose item price is known, or says what each part of it waits for.
pub fn price_line(
    line: &FactLine,
    item_price: Decimal,
    around: Surroundings<'_>,
) -> Result<PricedLine, Vec<Hold>> {
    let facilitator = line.facilitator.unwrap_or(around.policy.prices == Prices::Net);
    let mut holds = Vec::new();
    let mut part = |price: Result<Option<Decimal>, Hold>, tax, net, promotion, fallback| {
        let priced = price.and_then(|price| {
            let Some(price) = price else { return Ok(None) };
            let promotion: Option<Decimal> = promotion;
            let part = Part {
                sku: &line.sku,
                price,
                tax,
                net,
                promotion: promotion.unwrap_or_default(),
                facilitator,
                quantity: line.quantity,
                fallback,
                around,
            };
            part.priced().map(Some)
        });
        priced.unwrap_or_else(|hold| {
            holds.push(hold);
            None
        })
    };
    let item =
        part(Ok(Some(item_price)), line.item_tax, line.item_price_net, line.item_promotion, None);
    // Where the item waits, the other parts say what they wait for by themselves.
    let rated = item
        .as_ref()
        .map_or_else(Rated::none, |item| Rated { choice: item.tax.clone(), rate: item.rate });
    let price = |column: &str, price: Option<Decimal>, beside: &[Option<Decimal>]| {
        let amount = |amount: &Option<Decimal>| amount.is_some_and(|amount| !amount.is_zero());
        match price {
            Some(_) if amount(&price) || beside.iter().any(amount) => Ok(price),
            // A blank price is no zero: with an amount beside it, something is missing.
            None if beside.iter().any(amount) => Err(blank_price(&line.sku, column)),
            Some(_) | None => Ok(None),
        }
    };
    let beside = [line.shipping_tax, line.ship_promotion, line.shipping_price_net];
    let shipping = part(
        price("shipping-price", line.shipping_price, &beside),
        line.shipping_tax,
        line.shipping_price_net,
        line.ship_promotion,
        Some(rated.clone()),
    );
    let gift_wrap = part(
        price(
            "gift-wrap-price",
            line.gift_wrap_price,
            &[line.gift_wrap_tax, line.gift_wrap_price_net],
        ),
        line.gift_wrap_tax,
        line.gift_wrap_price_net,
        None,
        Some(rated),
    );
    match item {
        Some(item) if holds.is_empty() => Ok(PricedLine { item, shipping, gift_wrap }),
        Some(_) | None => Err(holds),
    }
}

/// A blank price with an amount beside it.
pub(super) fn blank_price(sku: &Sku, column: &str) -> Hold {
    Hold::new(
        HoldCode::Price,
        format!("{sku} {column}"),
        "the report leaves this price blank and gives a tax, a promotion or a price without tax \
         for it: a later report will give it, else check the order in Seller Central",
    )
}

/// A tax of the table, and its rate in percent.
#[derive(Debug, Clone)]
pub(super) struct Rated {
    choice: TaxChoice,
    pub(super) rate: Decimal,
}

/// One part on its way to [`Priced`].
pub(super) struct Part<'a> {
    sku: &'a Sku,
    pub(super) price: Decimal,
    tax: Option<Decimal>,
    pub(super) net: Option<Decimal>,
    pub(super) promotion: Decimal,
    facilitator: bool,
    quantity: u32,
    /// Shipping and gift wrap without a tax of their own follow the item's.
    fallback: Option<Rated>,
    pub(super) around: Surroundings<'a>,
}

impl Part<'_> {
    fn priced(mut self) -> Result<Priced, Hold> {
        let gross = self.around.policy.prices == Prices::Gross;
        // A promotion of the whole net price, and no tax left: all of it is given away. A net price of
        // zero beside no promotion is a blank and gives nothing away.
        if gross
            && !self.promotion.is_zero()
            && self.tax == Some(Decimal::ZERO)
            && self.net == Some(self.promotion)
        {
            self.promotion = self.price;
        }
        self.forget_what_is_not_calculated_yet();
        if self.promotion > self.price || self.price.is_sign_negative() && !self.price.is_zero() {
            return Err(Hold::new(
                HoldCode::Price,
                self.sku.as_str(),
                "the report takes more off a price than the price: check the order in Seller \
                 Central; a later report with the right amounts ends this",
            ));
        }
        let collected =
            self.facilitator && self.around.policy.facilitator_tax == FacilitatorTax::Exclude;
        if !gross && let Some(hold) = self.net_price_differs() {
            return Err(hold);
        }
        let priced = match (gross, collected) {
            (false, true) => Ok(Some(Priced {
                amount: self.price,
                promotion: self.promotion,
                tax: TaxChoice::None,
                rate: Decimal::ZERO,
                added_tax: Decimal::ZERO,
            })),
            (false, false) => self.net_priced(),
            (true, true) => self.gross_without_tax(),
            (true, false) => self.gross_priced(),
        };
        priced?.ok_or_else(|| too_large(self.sku))
    }

    /// A zero of an order that is not paid, or beside a vat-exclusive price of zero, is a blank; so is
    /// the vat-exclusive price of an order that is not paid and has no tax yet.
    fn forget_what_is_not_calculated_yet(&mut self) {
        let uncalculated = !self.price.is_zero() && self.net.is_some_and(|net| net.is_zero());
        if uncalculated || self.around.pending {
            self.tax = self.tax.filter(|tax| !tax.is_zero());
        }
        if uncalculated || self.around.pending && self.tax.is_none() {
            self.net = None;
        }
    }

    /// Net prices, tax of our own on top.
    fn net_priced(&self) -> Result<Option<Priced>, Hold> {
        let Some(paid) = self.price.less(self.promotion) else { return Ok(None) };
        let entries = self.entries();
        let (rated, added) = match self.tax {
            Some(tax) if !tax.is_zero() => {
                let near = self.nearest(&entries, tax, paid, |rate| on_top(paid, rate));
                let rated = match near {
                    Some(near) if near.off <= self.tolerance() => near.rated(false),
                    near => self.decided(&entries, self.no_rate(tax, paid, near.as_ref()))?,
                };
                (rated, Some(tax))
            }
            Some(tax) if !paid.is_zero() => (self.zero(&entries, on_top, paid)?, Some(tax)),
            Some(_) | None => {
                let rated = self.default(&entries)?;
                let added = match rated.choice {
                    TaxChoice::None => Some(Decimal::ZERO),
                    TaxChoice::Tax { .. } => on_top(paid, rated.rate),
                };
                (rated, added.map(|added| self.around.currency.round(added)))
            }
        };
        Ok(added.map(|added_tax| Priced {
            amount: self.price,
            promotion: self.promotion,
            tax: rated.choice,
            rate: rated.rate,
            added_tax,
        }))
    }

    /// Gross prices whose tax Amazon collects: what is left for the seller, without tax.
    fn gross_without_tax(&self) -> Result<Option<Priced>, Hold> {
        let free = self.price.is_zero() && self.promotion.is_zero();
        let tax = match self.tax {
            Some(tax) => tax,
            None if free => Decimal::ZERO,
            None => {
                let hold = Hold::new(
                    HoldCode::Tax,
                    self.place(),
                    "Amazon collects this order's tax, and no report says yet how much of the \
                     price it is: a later report will; a release writes the whole price",
                )
                .between("no tax", self.around.text(self.price));
                if !self.around.passes(&hold) {
                    return Err(hold);
                }
                // A person said so: the price is taken as it is.
                return Ok(Some(Priced {
                    amount: self.price,
                    promotion: self.promotion,
                    tax: TaxChoice::None,
                    rate: Decimal::ZERO,
                    added_tax: Decimal::ZERO,
                }));
            }
        };
        let odd = self.contradiction(tax).or_else(|| self.no_part_of_the_price(tax));
        if let Some(hold) = odd.filter(|hold| !self.around.passes(hold)) {
            return Err(hold);
        }
        let Some(paid) = self.paid_without_tax(tax)? else { return Ok(None) };
        let amount = match self.net {
            // A net price that differs by a cent from the price less its tax is no promotion.
            _ if self.promotion.is_zero() => Some(paid),
            Some(net) => Some(net),
            None => match self.price.less(self.promotion) {
                Some(after) if after.is_zero() => Some(paid),
                after => after
                    .and_then(|after| self.price.times(paid)?.over(after))
                    .map(|amount| self.around.currency.round(amount)),
            },
        };
        Ok(amount.and_then(|amount| {
            Some(Priced {
                amount,
                promotion: amount.less(paid)?,
                tax: TaxChoice::None,
                rate: Decimal::ZERO,
                added_tax: Decimal::ZERO,
            })
        }))
    }

    /// What the seller gets of a gross price that Amazon takes the tax from.
    fn paid_without_tax(&self, tax: Decimal) -> Result<Option<Decimal>, Hold> {
        let Some(after) = self.price.less(self.promotion) else { return Ok(None) };
        let inclusive = after.less(tax);
        let Some(net) =
            self.net.filter(|net| !(self.promotion.is_zero() || net.is_zero() || tax.is_zero()))
        else {
            return Ok(inclusive);
        };
        // The rate that price and net price show tells which way the promotion is meant.
        let offs = || {
            let rate = percent(self.price.less(net)?, net)?;
            let exclusive = net.less(self.promotion)?;
            let off = tax.less(inside(after, rate)?)?.abs();
            Some((off, tax.less(on_top(exclusive, rate)?)?.abs(), exclusive))
        };
        let Some((off, exclusive_off, exclusive)) = offs() else { return Ok(None) };
        if off.min(exclusive_off) > self.promotion_tolerance() {
            let Some(left) = inclusive else { return Ok(None) };
            let hold = self.no_rate(tax, left, None);
            return if self.around.passes(&hold) { Ok(inclusive) } else { Err(hold) };
        }
        Ok(if exclusive_off < off { Some(exclusive) } else { inclusive })
    }

    /// Gross prices, tax of our own inside.
    fn gross_priced(&self) -> Result<Option<Priced>, Hold> {
        let Some(paid) = self.price.less(self.promotion) else { return Ok(None) };
        let entries = self.entries();
        let (rated, promotion) = match self.tax {
            Some(tax) if !tax.is_zero() => match self.contradiction(tax) {
                Some(hold) => (self.decided(&entries, hold)?, Some(self.promotion)),
                None => self.gross_reading(&entries, tax, paid)?,
            },
            Some(tax) if !paid.is_zero() => {
                let rated = match self.contradiction(tax) {
                    Some(hold) => self.decided(&entries, hold)?,
                    None => self.zero(&entries, inside, paid)?,
                };
                (rated, Some(self.promotion))
            }
            // Nothing is left that a rate could be calculated from.
            Some(_) => (self.default(&entries)?, Some(self.promotion)),
            None => (self.by_net_price(&entries)?, Some(self.promotion)),
        };
        Ok(promotion.map(|promotion| Priced {
            amount: self.price,
            promotion,
            tax: rated.choice,
            rate: rated.rate,
            added_tax: Decimal::ZERO,
        }))
    }

    /// Reading A: the promotion is tax inclusive, like the price. Reading B: it is tax exclusive
    /// beside an inclusive price. The one whose tax comes nearer to the report's holds.
    fn gross_reading(
        &self,
        entries: &[&TaxEntry],
        tax: Decimal,
        paid: Decimal,
    ) -> Result<(Rated, Option<Decimal>), Hold> {
        let limit =
            if self.promotion.is_zero() { self.tolerance() } else { self.promotion_tolerance() };
        let Some(left) = paid.less(tax) else { return Ok((Rated::none(), None)) };
        if left.abs() < self.around.currency.minor_unit() && tax.abs() <= self.tolerance() {
            // A price of a cent or two that is all tax tells no rate.
            return Ok((self.default(entries)?, Some(self.promotion)));
        }
        let inclusive = self.nearest(entries, tax, left, |rate| inside(paid, rate));
        let exclusive = self.net.filter(|_| !self.promotion.is_zero()).and_then(|net| {
            let paid_net = net.less(self.promotion)?;
            let near = self.nearest(entries, tax, paid_net, |rate| on_top(paid_net, rate))?;
            Some((near, self.price.less(paid_net.plus(tax)?)?))
        });
        let fits = |near: &Near<'_>| near.off <= limit;
        let other = exclusive.filter(|(near, _)| fits(near));
        match (inclusive, other) {
            (Some(near), Some((other, promotion))) if !fits(&near) || other.off < near.off => {
                Ok((other.rated(true), Some(promotion)))
            }
            (None, Some((other, promotion))) => Ok((other.rated(true), Some(promotion))),
            (Some(near), _) if fits(&near) => Ok((near.rated(true), Some(self.promotion))),
            (near, _) => {
                let hold = self.no_rate(tax, left, near.as_ref());
                Ok((self.decided(entries, hold)?, Some(self.promotion)))
            }
        }
    }

    fn entries(&self) -> Vec<&TaxEntry> {
        self.around.policy.entries(self.around.destination)
    }

    pub(super) fn tolerance(&self) -> Decimal {
        self.around.currency.minor_units(TAX_TOLERANCE.max(self.quantity))
    }

    fn promotion_tolerance(&self) -> Decimal {
        let places = self.around.currency.places().saturating_add(1);
        Decimal::new(PROMOTION_TOLERANCE_TENTHS, places)
    }

    /// The tax where the report gives none: the item's for its shipping and gift wrap, else the
    /// entry marked default. What costs nothing needs none.
    pub(super) fn default(&self, entries: &[&TaxEntry]) -> Result<Rated, Hold> {
        if let Some(fallback) = &self.fallback {
            return Ok(fallback.clone());
        }
        if let Some(entry) = self.default_entry(entries) {
            return Ok(self.rated(entry));
        }
        if self.price.is_zero() {
            return Ok(Rated::none());
        }
        let hold = Hold::new(
            HoldCode::Tax,
            self.place(),
            "the report gives no tax, and the marketplace's tax table has no entry marked default \
             for this destination: add one to the configuration",
        );
        self.decided(entries, hold.between("no default entry", "no tax"))
    }

    /// The tax of the rate 0 that the report states.
    fn zero(
        &self,
        entries: &[&TaxEntry],
        tax_of: impl Fn(Decimal, Decimal) -> Option<Decimal>,
        paid: Decimal,
    ) -> Result<Rated, Hold> {
        if self.around.policy.taxes.is_empty() {
            return Ok(Rated::none());
        }
        if let Some(entry) = entries.iter().find(|entry| entry.rate.is_zero()) {
            return Ok(self.rated(entry));
        }
        let zero = self.around.text(Decimal::ZERO);
        let default = self.default_entry(entries).and_then(|entry| {
            let tax = self.around.text(tax_of(paid, entry.rate)?);
            Some(format!("{tax} ({}%)", entry.rate.normalize()))
        });
        let ours = default.unwrap_or_else(|| "no default entry".to_owned());
        let text = format!(
            "the report states a tax of {zero} and the marketplace's tax table has no entry of \
             rate 0 for this destination (its default: {ours}): add the entry to the \
             configuration, or check the order in Seller Central"
        );
        let hold = Hold::new(HoldCode::Tax, format!("{} 0%", self.place()), text);
        self.decided(entries, hold.between(ours, zero))
    }

    /// What is used where a person released the hold: the default entry, or no tax.
    pub(super) fn decided(&self, entries: &[&TaxEntry], hold: Hold) -> Result<Rated, Hold> {
        if !self.around.passes(&hold) {
            return Err(hold);
        }
        Ok(self.default_entry(entries).map_or_else(Rated::none, |entry| self.rated(entry)))
    }

    fn default_entry<'e>(&self, entries: &[&'e TaxEntry]) -> Option<&'e TaxEntry> {
        entries.iter().find(|entry| entry.default).copied()
    }

    fn rated(&self, entry: &TaxEntry) -> Rated {
        Rated::of(entry, self.around.policy.prices == Prices::Gross)
    }

    /// The listed rate nearest to `tax` over `net`, and how far the tax it comes to lies from the
    /// report's.
    pub(super) fn nearest<'e>(
        &self,
        entries: &[&'e TaxEntry],
        tax: Decimal,
        net: Decimal,
        expected: impl Fn(Decimal) -> Option<Decimal>,
    ) -> Option<Near<'e>> {
        let rate = percent(tax, net).filter(|_| net > Decimal::ZERO)?;
        let (_, _, entry) = entries
            .iter()
            .filter_map(|entry| Some((entry.rate.less(rate)?.abs(), !entry.default, *entry)))
            .min_by_key(|(distance, other, _)| (*distance, *other))?;
        let expected = expected(entry.rate)?;
        Some(Near { entry, expected, off: tax.less(expected)?.abs() })
    }

    /// `net` is what the rate in the message is calculated from: the same as for the decision.
    pub(super) fn no_rate(&self, tax: Decimal, net: Decimal, near: Option<&Near<'_>>) -> Hold {
        let tax_text = self.around.text(tax);
        let rate = percent(tax, net).filter(|_| net > Decimal::ZERO);
        let rate = rate.map(|rate| format!(" {}%", rate.round_dp(1).normalize()));
        let rate = rate.unwrap_or_default();
        let ours = near.map_or_else(
            || "no rate".to_owned(),
            |near| {
                let rate = near.entry.rate.normalize();
                format!("{} ({rate}%)", self.around.text(near.expected))
            },
        );
        let text = format!(
            "no rate of the marketplace's tax table fits the report's price and tax for this \
             destination: the report has {tax_text}{}, the nearest entry comes to {ours}; add the \
             rate to the configuration, or check the order in Seller Central",
            if rate.is_empty() { String::new() } else { format!(" ({})", rate.trim_start()) },
        );
        Hold::new(HoldCode::Tax, format!("{}{rate}", self.place()), text).between(ours, tax_text)
    }

    fn place(&self) -> String {
        format!(
            "{} to {}",
            self.around.marketplace,
            self.around.destination.unwrap_or("any country")
        )
    }
}

/// The listed rate that is nearest to a report's.
pub(super) struct Near<'e> {
    entry: &'e TaxEntry,
    /// The tax that it comes to.
    expected: Decimal,
    /// How far that lies from the report's tax.
    pub(super) off: Decimal,
}

impl Near<'_> {
    pub(super) fn rated(&self, included: bool) -> Rated {
        Rated::of(self.entry, included)
    }
}

impl Rated {
    fn none() -> Self {
        Self { choice: TaxChoice::None, rate: Decimal::ZERO }
    }

    fn of(entry: &TaxEntry, included: bool) -> Self {
        let choice = match &entry.tax {
            None => TaxChoice::None,
            Some(tax) => TaxChoice::Tax { tax: tax.clone(), included },
        };
        Self { choice, rate: entry.rate }
    }
}

#[cfg(test)]
#[path = "price_tests.rs"]
mod tests;
