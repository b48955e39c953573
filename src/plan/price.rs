//! A line's amounts become Odoo amounts, to the cent, with the tax that fits them.
//!
//! Report columns contradict themselves in known ways (formats, trap 23): prices are mostly tax
//! inclusive, a promotion beside them may be tax exclusive, `item-tax` is what is left after the
//! promotion. The identity that holds decides; where none holds, nobody guesses: `tax` hold.

use rust_decimal::Decimal;

use super::policy::{FacilitatorTax, MarketplacePolicy, Prices, TaxEntry, TaxRef};
use crate::model::{Currency, FactLine, Hold, HoldCode};

/// How far a report's tax may lie from price × rate, without a promotion: two cents, and a cent
/// for each unit beyond the second, since Amazon rounds the tax of each unit.
const TAX_TOLERANCE_CENTS: i64 = 2;
/// The same where a promotion leaves two readings to choose from, in thousandths.
const PROMOTION_TOLERANCE_MILLI: i64 = 15;

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
    /// What the tax adds to `amount - promotion` in Odoo: known for net prices, zero for gross.
    pub added_tax: Option<Decimal>,
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
}

/// Splits `total` over `quantity` units: (unit, units at that price, the remainder's price).
/// A total that divides has no remainder.
pub fn split(total: Decimal, quantity: u32, currency: Currency) -> (Decimal, u32, Option<Decimal>) {
    if quantity <= 1 {
        return (total, quantity, None);
    }
    let count = Decimal::from(quantity);
    let unit = currency.truncate(total / count);
    if unit * count == total {
        return (unit, quantity, None);
    }
    let rest = quantity - 1;
    (unit, rest, Some(total - unit * Decimal::from(rest)))
}

/// Prices one live line whose item price is known.
pub fn price_line(
    line: &FactLine,
    item_price: Decimal,
    around: Surroundings<'_>,
) -> Result<PricedLine, Hold> {
    let facilitator = line.facilitator.unwrap_or(around.policy.prices == Prices::Net);
    let part =
        |price: Decimal, tax, net, promotion: Option<Decimal>, fallback: Option<&TaxChoice>| {
            Part {
                price,
                tax,
                net,
                promotion: promotion.unwrap_or_default(),
                facilitator,
                quantity: line.quantity,
                fallback: fallback.cloned(),
            }
            .priced(around)
        };
    let item = part(item_price, line.item_tax, line.item_price_net, line.item_promotion, None)?;
    let some = |amount: Option<Decimal>| amount.filter(|amount| !amount.is_zero());
    let shipping = (some(line.shipping_price).is_some() || some(line.ship_promotion).is_some())
        .then(|| {
            part(
                line.shipping_price.unwrap_or_default(),
                line.shipping_tax,
                line.shipping_price_net,
                line.ship_promotion,
                Some(&item.tax),
            )
        })
        .transpose()?;
    let gift_wrap = some(line.gift_wrap_price)
        .map(|price| {
            part(price, line.gift_wrap_tax, line.gift_wrap_price_net, None, Some(&item.tax))
        })
        .transpose()?;
    Ok(PricedLine { item, shipping, gift_wrap })
}

/// One part on its way to [`Priced`].
struct Part {
    price: Decimal,
    tax: Option<Decimal>,
    net: Option<Decimal>,
    promotion: Decimal,
    facilitator: bool,
    quantity: u32,
    /// Shipping and gift wrap without a tax of their own follow the item's.
    fallback: Option<TaxChoice>,
}

impl Part {
    fn priced(mut self, around: Surroundings<'_>) -> Result<Priced, Hold> {
        // A promotion of the whole net price, and no tax left: all of it is given away.
        if around.policy.prices == Prices::Gross
            && self.tax == Some(Decimal::ZERO)
            && self.net == Some(self.promotion)
        {
            self.promotion = self.price;
        }
        match (
            around.policy.prices,
            self.facilitator && around.policy.facilitator_tax == FacilitatorTax::Exclude,
        ) {
            (Prices::Net, true) => Ok(Priced {
                amount: self.price,
                promotion: self.promotion,
                tax: TaxChoice::None,
                added_tax: Some(Decimal::ZERO),
            }),
            (Prices::Net, false) => self.net_priced(around),
            (Prices::Gross, true) => self.gross_without_tax(around),
            (Prices::Gross, false) => self.gross_priced(around),
        }
    }

    /// Net prices, tax of our own on top.
    fn net_priced(&self, around: Surroundings<'_>) -> Result<Priced, Hold> {
        let paid = self.price - self.promotion;
        let entries = around.policy.entries(around.destination);
        let (tax, added) = match self.given_tax(&entries) {
            None => (self.default(&entries, around, false)?, None),
            Some(tax) => {
                let (_, entry) =
                    nearest(&entries, |rate| (tax - paid * rate).abs(), self.tolerance())
                        .ok_or_else(|| self.no_rate(around))?;
                (choice(entry, false), Some(tax))
            }
        };
        Ok(Priced { amount: self.price, promotion: self.promotion, tax, added_tax: added })
    }

    /// Gross prices whose tax Amazon collects: what is left for the seller, without tax.
    fn gross_without_tax(&self, around: Surroundings<'_>) -> Result<Priced, Hold> {
        let Some(tax) = self.tax else {
            return Err(Hold::new(
                HoldCode::Tax,
                place(around),
                "Amazon collects this order's tax, and no report says yet how much of the price it \
                 is: a later report will",
            ));
        };
        self.includes_tax(tax, around)?;
        let paid = if self.promotion.is_zero() {
            self.price - tax
        } else {
            match self.net {
                // The rate that price and net price show tells which way the promotion is meant.
                Some(net) if !net.is_zero() && !tax.is_zero() => {
                    let rate = self.price / net - Decimal::ONE;
                    let after_gross = self.price - self.promotion;
                    let gross = (tax - after_gross * rate / (Decimal::ONE + rate)).abs();
                    let netted = (tax - (net - self.promotion) * rate).abs();
                    let limit = Decimal::new(PROMOTION_TOLERANCE_MILLI, 3);
                    if gross.min(netted) > limit {
                        return Err(self.no_rate(around));
                    }
                    if netted < gross { net - self.promotion } else { after_gross - tax }
                }
                _ => self.price - self.promotion - tax,
            }
        };
        let amount = match self.net {
            // A net price that lies a cent off the price less its tax is no promotion.
            _ if self.promotion.is_zero() => paid,
            Some(net) => net,
            None => {
                let after = self.price - self.promotion;
                if after.is_zero() {
                    paid
                } else {
                    around.currency.round(self.price * paid / after)
                }
            }
        };
        Ok(Priced {
            amount,
            promotion: amount - paid,
            tax: TaxChoice::None,
            added_tax: Some(Decimal::ZERO),
        })
    }

    /// Gross prices, tax of our own inside.
    fn gross_priced(&self, around: Surroundings<'_>) -> Result<Priced, Hold> {
        let entries = around.policy.entries(around.destination);
        let Some(tax) = self.given_tax(&entries) else {
            return Ok(Priced {
                amount: self.price,
                promotion: self.promotion,
                tax: self.default(&entries, around, true)?,
                added_tax: Some(Decimal::ZERO),
            });
        };
        self.includes_tax(tax, around)?;
        let inside = |gross: Decimal, rate: Decimal| gross * rate / (Decimal::ONE + rate);
        let paid = self.price - self.promotion;
        let limit = if self.promotion.is_zero() {
            self.tolerance()
        } else {
            Decimal::new(PROMOTION_TOLERANCE_MILLI, 3)
        };
        // Reading A: the promotion is tax inclusive, like the price. Reading B: it is tax exclusive
        // beside an inclusive price. The one whose tax comes nearer to the report's holds.
        let inclusive = nearest(&entries, |rate| (tax - inside(paid, rate)).abs(), limit)
            .map(|(off, entry)| (off, entry, self.promotion));
        let exclusive = self.net.filter(|_| !self.promotion.is_zero()).and_then(|net| {
            let paid_net = net - self.promotion;
            let (off, entry) = nearest(&entries, |rate| (tax - paid_net * rate).abs(), limit)?;
            Some((off, entry, self.price - (paid_net + tax)))
        });
        let held = match (inclusive, exclusive) {
            (Some(a), Some(b)) => Some(if b.0 < a.0 { b } else { a }),
            (a, b) => a.or(b),
        };
        if let Some((_, entry, promotion)) = held {
            return Ok(Priced {
                amount: self.price,
                promotion,
                tax: choice(entry, true),
                added_tax: Some(Decimal::ZERO),
            });
        }
        Err(self.no_rate(around))
    }

    /// Refuses a price that has no tax in it where prices include it.
    fn includes_tax(&self, tax: Decimal, around: Surroundings<'_>) -> Result<(), Hold> {
        let exclusive = self.net.is_some_and(|net| (self.price - net).abs() <= Decimal::new(1, 2));
        if exclusive && tax > Decimal::new(TAX_TOLERANCE_CENTS, 2) {
            return Err(Hold::new(
                HoldCode::Tax,
                around.marketplace,
                "the report gives a price without tax on a marketplace whose prices include it; \
                 a later report usually corrects it, else check the order in Seller Central",
            ));
        }
        Ok(())
    }

    /// The report's tax; a zero says "not calculated" unless the table lists a rate of zero.
    fn given_tax(&self, entries: &[&TaxEntry]) -> Option<Decimal> {
        let tax = self.tax?;
        if tax.is_zero() && !entries.iter().any(|entry| entry.rate.is_zero()) {
            None
        } else {
            Some(tax)
        }
    }

    fn tolerance(&self) -> Decimal {
        Decimal::new(TAX_TOLERANCE_CENTS.max(i64::from(self.quantity)), 2)
    }

    /// The tax where the report gives none: the item's for its shipping and gift wrap, else the
    /// entry marked default.
    fn default(
        &self,
        entries: &[&TaxEntry],
        around: Surroundings<'_>,
        included: bool,
    ) -> Result<TaxChoice, Hold> {
        if let Some(fallback) = &self.fallback {
            return Ok(fallback.clone());
        }
        entries.iter().find(|entry| entry.default).map(|entry| choice(entry, included)).ok_or_else(
            || {
                Hold::new(
                    HoldCode::Tax,
                    place(around),
                    "the report gives no tax, and the marketplace's tax table has no entry marked \
                 default for this destination: add one to the configuration",
                )
            },
        )
    }

    fn no_rate(&self, around: Surroundings<'_>) -> Hold {
        let net = self.price - self.promotion - self.tax.unwrap_or_default();
        let percent = match self.tax {
            Some(tax) if !net.is_zero() => {
                format!(" {}%", (tax / net * Decimal::ONE_HUNDRED).round_dp(1))
            }
            _ => String::new(),
        };
        Hold::new(
            HoldCode::Tax,
            format!("{}{percent}", place(around)),
            "no rate of the marketplace's tax table fits the report's price and tax for this \
             destination: add the rate to the configuration, or check the order in Seller Central",
        )
    }
}

fn place(around: Surroundings<'_>) -> String {
    format!("{} to {}", around.marketplace, around.destination.unwrap_or("any country"))
}

fn choice(entry: &TaxEntry, included: bool) -> TaxChoice {
    match &entry.tax {
        None => TaxChoice::None,
        Some(tax) => TaxChoice::Tax { tax: tax.clone(), included },
    }
}

/// The entry whose error is smallest, and that error, if it is within `limit`.
fn nearest<'a>(
    entries: &[&'a TaxEntry],
    error: impl Fn(Decimal) -> Decimal,
    limit: Decimal,
) -> Option<(Decimal, &'a TaxEntry)> {
    entries
        .iter()
        .map(|entry| (error(entry.rate / Decimal::ONE_HUNDRED), *entry))
        .min_by(|a, b| a.0.cmp(&b.0))
        .filter(|(off, _)| *off <= limit)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn policy(prices: Prices, rates: &[&str]) -> MarketplacePolicy {
        MarketplacePolicy {
            prices,
            facilitator_tax: FacilitatorTax::Exclude,
            taxes: rates
                .iter()
                .enumerate()
                .map(|(n, rate)| TaxEntry {
                    destination: None,
                    rate: dec(rate),
                    tax: Some(TaxRef::Name((*rate).to_owned())),
                    default: n == 0,
                })
                .collect(),
            warehouse: None,
            fba_warehouse: None,
            carriers: BTreeMap::new(),
            anonymous_partner: "x".into(),
            anonymous_named: false,
        }
    }

    fn line(quantity: u32) -> FactLine {
        FactLine::new(0, "A".parse().unwrap(), quantity)
    }

    fn price(line: &FactLine, item: &str, policy: &MarketplacePolicy) -> Result<PricedLine, Hold> {
        let around = Surroundings {
            policy,
            marketplace: "Amazon.co.uk",
            destination: Some("GB"),
            currency: "GBP".parse().unwrap(),
        };
        price_line(line, dec(item), around)
    }

    #[test]
    fn a_net_promotion_beside_a_gross_price_is_seen_by_its_tax() {
        let uk = policy(Prices::Gross, &["20", "0"]);
        let sample = FactLine {
            item_tax: Some(dec("3.00")),
            item_promotion: Some(dec("1.67")),
            item_price_net: Some(dec("16.66")),
            ..line(1)
        };
        let priced = price(&sample, "19.99", &uk).unwrap().item;
        assert_eq!((priced.amount, priced.promotion), (dec("19.99"), dec("2.00")));
        assert_eq!(priced.amount - priced.promotion, dec("17.99"), "what the buyer paid");
        assert_eq!(priced.tax, TaxChoice::Tax { tax: TaxRef::Name("20".into()), included: true });
    }

    #[test]
    fn a_promotion_of_the_whole_net_price_leaves_nothing_to_pay() {
        let sample = FactLine {
            item_tax: Some(dec("0.00")),
            item_promotion: Some(dec("10.00")),
            item_price_net: Some(dec("10.00")),
            ..line(1)
        };
        for (rates, facilitator) in
            [(vec!["20"], false), (vec!["20", "0"], false), (vec!["20"], true)]
        {
            let uk = policy(Prices::Gross, &rates);
            let sample = FactLine { facilitator: Some(facilitator), ..sample.clone() };
            let item = price(&sample, "12.00", &uk).unwrap().item;
            assert_eq!(item.amount - item.promotion, Decimal::ZERO, "{rates:?} {facilitator}");
        }
        let part = FactLine { item_promotion: Some(dec("9.00")), ..sample };
        let uk = policy(Prices::Gross, &["20"]);
        assert_eq!(price(&part, "12.00", &uk).unwrap().item.promotion, dec("9.00"));
    }

    #[test]
    fn a_gross_promotion_stays_as_it_is() {
        let uk = policy(Prices::Gross, &["20"]);
        let sample =
            FactLine { item_tax: Some(dec("1.67")), item_promotion: Some(dec("2.00")), ..line(1) };
        let priced = price(&sample, "12.00", &uk).unwrap().item;
        assert_eq!(priced.promotion, dec("2.00"));
    }

    #[test]
    fn a_tax_exclusive_price_on_a_gross_marketplace_is_held() {
        let uk = policy(Prices::Gross, &["20"]);
        let sample =
            FactLine { item_tax: Some(dec("3.33")), item_price_net: Some(dec("16.66")), ..line(1) };
        assert_eq!(price(&sample, "16.66", &uk).unwrap_err().code, HoldCode::Tax);
    }

    #[test]
    fn an_unlisted_rate_is_held_and_a_listed_one_found() {
        let de = policy(Prices::Gross, &["19", "7"]);
        let with = |tax: &str| FactLine { item_tax: Some(dec(tax)), ..line(1) };
        let reduced = price(&with("0.65"), "10.00", &de).unwrap().item;
        assert_eq!(reduced.tax, TaxChoice::Tax { tax: TaxRef::Name("7".into()), included: true });
        let hold = price(&with("1.20"), "10.00", &de).unwrap_err();
        assert_eq!(hold.code, HoldCode::Tax);
        assert!(hold.key.contains("13.6%"), "{}", hold.key);
    }

    #[test]
    fn zero_tax_means_not_calculated_unless_zero_is_listed() {
        let none_listed = policy(Prices::Gross, &["20"]);
        let listed = policy(Prices::Gross, &["20", "0"]);
        let sample = FactLine { item_tax: Some(dec("0.00")), ..line(1) };
        let tax = |policy| match price(&sample, "9.90", policy).unwrap().item.tax {
            TaxChoice::Tax { tax: TaxRef::Name(name), .. } => name,
            other => panic!("{other:?}"),
        };
        assert_eq!(tax(&none_listed), "20");
        assert_eq!(tax(&listed), "0");
    }

    #[test]
    fn tax_that_amazon_collects_is_left_out() {
        let uk = policy(Prices::Gross, &["20"]);
        let gross = FactLine { item_tax: Some(dec("2.00")), facilitator: Some(true), ..line(1) };
        let item = price(&gross, "12.00", &uk).unwrap().item;
        assert_eq!((item.amount, item.tax), (dec("10.00"), TaxChoice::None));
        let us = policy(Prices::Net, &["8"]);
        let net = FactLine { item_tax: Some(dec("0.80")), ..line(1) };
        let item = price(&net, "10.00", &us).unwrap().item;
        assert_eq!((item.amount, item.tax.clone()), (dec("10.00"), TaxChoice::None));
        let own = FactLine { facilitator: Some(false), ..net };
        let item = price(&own, "10.00", &us).unwrap().item;
        assert_eq!(item.added_tax, Some(dec("0.80")));
        assert_eq!(item.tax, TaxChoice::Tax { tax: TaxRef::Name("8".into()), included: false });
    }

    #[test]
    fn ten_over_three_leaves_a_remainder() {
        let eur = "EUR".parse().unwrap();
        assert_eq!(split(dec("10.00"), 3, eur), (dec("3.33"), 2, Some(dec("3.34"))));
        assert_eq!(split(dec("53.97"), 3, eur), (dec("17.99"), 3, None));
        assert_eq!(split(dec("100"), 3, "JPY".parse().unwrap()), (dec("33"), 2, Some(dec("34"))));
    }

    proptest! {
        #[test]
        fn split_parts_always_sum_to_the_total(cents in 0_i64..10_000_000, quantity in 1_u32..500) {
            let total = Decimal::new(cents, 2);
            let (unit, units, rest) = split(total, quantity, "EUR".parse().unwrap());
            let sum = unit * Decimal::from(units) + rest.unwrap_or_default();
            prop_assert_eq!(sum, total);
            prop_assert_eq!(units + u32::from(rest.is_some()), quantity);
        }

        #[test]
        fn amount_less_promotion_is_what_was_paid(
            net_cents in 100_i64..100_000, promo_cents in 1_i64..99, gross_promo in any::<bool>(),
        ) {
            // Build a row as Amazon does, from what the buyer paid, and read it back.
            let eur: Currency = "EUR".parse().unwrap();
            let uk = policy(Prices::Gross, &["20"]);
            let (net, promo) = (Decimal::new(net_cents, 2), Decimal::new(promo_cents, 2));
            let rate = dec("0.20");
            let gross = eur.round(net * dec("1.20"));
            let (tax, paid) = if gross_promo {
                let paid = gross - promo;
                (eur.round(paid * rate / dec("1.20")), paid)
            } else {
                let tax = eur.round((net - promo) * rate);
                (tax, net - promo + tax)
            };
            let sample = FactLine {
                item_tax: Some(tax), item_promotion: Some(promo), item_price_net: Some(net), ..line(1)
            };
            let item = price(&sample, &gross.to_string(), &uk).unwrap().item;
            // Small promotions fit both readings to within Amazon's rounding; those differ by the
            // promotion's tax. From 60 cents on there is no doubt.
            let off = (item.amount - item.promotion - paid).abs();
            let limit = if promo < dec("0.60") { promo * rate } else { Decimal::ZERO };
            prop_assert!(off <= limit + dec("0.01"), "{off}");
        }
    }
}
