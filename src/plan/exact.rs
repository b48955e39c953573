//! Exact amounts that may be anything: they come from files and may hold any digits.
//!
//! Every result is none where it is larger than a [`Decimal`] can hold; nothing panics.

use rust_decimal::Decimal;

use crate::model::Currency;

/// The four operations.
pub(super) trait Exact: Sized {
    /// `self + other`.
    fn plus(self, other: Decimal) -> Option<Decimal>;
    /// `self - other`.
    fn less(self, other: Decimal) -> Option<Decimal>;
    /// `self × other`.
    fn times(self, other: Decimal) -> Option<Decimal>;
    /// `self ÷ other`; none for a zero.
    fn over(self, other: Decimal) -> Option<Decimal>;
    /// `-self`.
    fn negated(self) -> Self;
}

impl Exact for Decimal {
    fn plus(self, other: Decimal) -> Option<Decimal> {
        self.checked_add(other)
    }

    fn less(self, other: Decimal) -> Option<Decimal> {
        self.checked_sub(other)
    }

    fn times(self, other: Decimal) -> Option<Decimal> {
        self.checked_mul(other)
    }

    fn over(self, other: Decimal) -> Option<Decimal> {
        self.checked_div(other)
    }

    fn negated(mut self) -> Self {
        self.set_sign_negative(self.is_sign_positive());
        self
    }
}

/// The sum of all.
pub(super) fn sum(amounts: impl IntoIterator<Item = Decimal>) -> Option<Decimal> {
    amounts.into_iter().try_fold(Decimal::ZERO, Exact::plus)
}

/// The tax inside a gross amount at a rate in percent.
pub(super) fn inside(gross: Decimal, rate: Decimal) -> Option<Decimal> {
    gross.times(rate)?.over(rate.plus(Decimal::ONE_HUNDRED)?)
}

/// The tax on top of a net amount at a rate in percent.
pub(super) fn on_top(net: Decimal, rate: Decimal) -> Option<Decimal> {
    net.times(rate)?.over(Decimal::ONE_HUNDRED)
}

/// What part of `whole` this is, in percent.
pub(super) fn percent(part: Decimal, whole: Decimal) -> Option<Decimal> {
    part.over(whole)?.times(Decimal::ONE_HUNDRED)
}

/// Splits `total` over `quantity` units: (unit, units at that price, the remainder's price).
/// A total that divides has no remainder; none where the amounts are too large.
pub(super) fn split(
    total: Decimal,
    quantity: u32,
    currency: Currency,
) -> Option<(Decimal, u32, Option<Decimal>)> {
    if quantity <= 1 {
        return Some((total, quantity, None));
    }
    let count = Decimal::from(quantity);
    let unit = currency.truncate(total.over(count)?);
    if unit.times(count)? == total {
        return Some((unit, quantity, None));
    }
    let rest = quantity.saturating_sub(1);
    Some((unit, rest, Some(total.less(unit.times(Decimal::from(rest))?)?)))
}
