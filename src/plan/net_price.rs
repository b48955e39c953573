//! What a vat-exclusive price says of a price, its tax and its promotion.
//!
//! It is a second statement about the same money. Where the two agree it settles what a blank tax
//! cell leaves open; where they do not, the order is held `tax` with both numbers.

use rust_decimal::Decimal;

use super::exact::{Exact, inside, on_top};
use super::policy::TaxEntry;
use super::price::{Part, Rated, TAX_TOLERANCE};
use crate::model::{Hold, HoldCode};

impl Part<'_> {
    /// A gross price, its tax and its net price that do not fit together.
    pub(super) fn contradiction(&self, tax: Decimal) -> Option<Hold> {
        let net = self.net?;
        let without = self.price.less(tax)?;
        let unit = self.around.currency.minor_unit();
        let exclusive = self.price.less(net)?.abs() <= unit;
        let text = if exclusive && tax > self.around.currency.minor_units(TAX_TOLERANCE) {
            "the report gives a price without tax on a marketplace whose prices include it; \
             a later report usually corrects it, else check the order in Seller Central"
        } else if self.promotion.is_zero() && without.less(net)?.abs() > self.tolerance() {
            "the report's price less its tax is not its price without tax: check the order in \
             Seller Central"
        } else {
            return None;
        };
        let hold = Hold::new(HoldCode::Tax, self.around.marketplace, text);
        Some(hold.between(self.around.text(without), self.around.text(net)))
    }

    /// A collected tax that is negative, or larger than what is paid: nothing sensible is left.
    pub(super) fn no_part_of_the_price(&self, tax: Decimal) -> Option<Hold> {
        let left = self.price.less(self.promotion)?.less(tax)?;
        if tax >= Decimal::ZERO && left >= self.tolerance().negated() {
            return None;
        }
        let text = "the tax that Amazon collects is negative or larger than the price: check the \
                    order in Seller Central";
        let hold = Hold::new(HoldCode::Tax, self.around.marketplace, text);
        Some(hold.between(self.around.text(left), self.around.text(tax)))
    }

    /// A net price that is not the vat-exclusive price: one of them includes tax.
    pub(super) fn net_price_differs(&self) -> Option<Hold> {
        let net = self.net?;
        if self.price.less(net)?.abs() <= self.around.currency.minor_units(TAX_TOLERANCE) {
            return None;
        }
        let text = "the report's price without tax is another one than its price, on a marketplace \
                    whose prices do not include tax: check the order in Seller Central";
        let hold = Hold::new(HoldCode::Tax, self.around.marketplace, text)
            .between(self.around.text(self.price), self.around.text(net));
        (!self.around.passes(&hold)).then_some(hold)
    }

    /// The tax of a gross price whose tax cell is blank: the default entry's, unless the net price
    /// shows the rate of another one.
    pub(super) fn by_net_price(&self, entries: &[&TaxEntry]) -> Result<Rated, Hold> {
        let default = self.default(entries);
        let Some(net) = self.net.filter(|_| self.promotion < self.price) else { return default };
        let Some(tax) = self.price.less(net) else { return default };
        let least = self.around.currency.minor_units(TAX_TOLERANCE);
        // Rounding by unit lets the tax of many units differ by much, but it never leaves none.
        let bears_none = tax <= self.around.currency.minor_unit();
        let fits = |rated: &Rated| {
            let Some(expected) = inside(self.price, rated.rate) else { return false };
            let off = expected.less(tax).map(|off| off.abs());
            off.is_some_and(|off| off <= self.tolerance()) && !(bears_none && expected > least)
        };
        // Many units blur what a default may be off, but a listed rate that is nearer is the one.
        let near = self.nearest(entries, tax, net, |rate| inside(self.price, rate));
        let near = near.filter(|_| tax > least);
        let is_nearest = |rated: &Rated| {
            let off = inside(self.price, rated.rate).and_then(|tax_of_it| tax_of_it.less(tax));
            near.as_ref().zip(off).is_none_or(|(near, off)| off.abs() <= near.off)
        };
        let rated = match default {
            Ok(rated) if fits(&rated) && is_nearest(&rated) => rated,
            _ if tax > least => match near {
                Some(near) if near.off <= self.tolerance() => near.rated(true),
                near => self.decided(entries, self.no_rate(tax, net, near.as_ref()))?,
            },
            default => {
                let hold = self.no_tax_inside(&default?, net);
                self.decided(entries, hold)?
            }
        };
        self.promotion_is_clear(net, &rated)?;
        Ok(rated)
    }

    /// The net price equals the price (or is larger), and a rate other than 0 would apply.
    fn no_tax_inside(&self, rated: &Rated, net: Decimal) -> Hold {
        let expected = inside(self.price, rated.rate).and_then(|tax| self.price.less(tax));
        let rate = rated.rate.normalize();
        let ours = expected.map_or_else(
            || format!("{rate}%"),
            |expected| format!("{} ({rate}%)", self.around.text(expected)),
        );
        let text = "the report gives no tax, and a price without tax that is not below the price: \
                    the price may be one without tax, or the goods bear none; a later report \
                    usually says which, else check the order in Seller Central";
        Hold::new(HoldCode::Tax, self.around.marketplace, text).between(ours, self.around.text(net))
    }

    /// Without a tax nothing shows whether a promotion is tax inclusive like the price, or tax
    /// exclusive like the net price: held where that makes a difference.
    fn promotion_is_clear(&self, net: Decimal, rated: &Rated) -> Result<(), Hold> {
        if self.promotion.is_zero() {
            return Ok(());
        }
        let least = self.around.currency.minor_units(TAX_TOLERANCE);
        if on_top(self.promotion, rated.rate).is_some_and(|off| off <= least) {
            return Ok(());
        }
        let readings = || {
            let inclusive = self.price.less(self.promotion)?;
            let left = net.less(self.promotion)?;
            Some((inclusive, left.plus(on_top(left, rated.rate)?)?))
        };
        let Some((inclusive, exclusive)) = readings() else { return Ok(()) };
        let text = "the report gives no tax beside a promotion, so that it is open whether the \
                    promotion includes tax: what the buyer paid is one of these two; a later \
                    report usually says which, else check the order in Seller Central";
        let key = format!("{} promotion", self.around.marketplace);
        let hold = Hold::new(HoldCode::Tax, key, text)
            .between(self.around.text(inclusive), self.around.text(exclusive));
        if self.around.passes(&hold) { Ok(()) } else { Err(hold) }
    }
}
