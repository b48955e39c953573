//! What a refused row keeps an order from.
//!
//! An order is never written by half of what is said of it: a refused row holds it. But a refusal
//! waits only for what is still to come and was not said elsewhere:
//!
//! | refused in | what ends it, besides a good row of its own family |
//! | --- | --- |
//! | any | All Orders says Cancelled: the cancellation comes first |
//! | unshipped, order report | All Orders says Shipped: they list no such order |
//! | unshipped | All Orders spoke later: the order is written, and not confirmed (a wish to cancel may stand in the refused row alone) |
//! | unshipped | All Orders and an order report say the same things: the order is written, and not confirmed (a wish to cancel stands in the refused row alone) |
//! | order report | All Orders and an unshipped report say the same things |
//! | All Orders | an unshipped report spoke later and lists every unit that is known |

use super::dossier::{Dossier, RefusedFact};
use super::fact::{Fact, Family, OrderStatus};
use super::hold::Hold;

/// The holds of an order's refused rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusals {
    /// These keep it from being written at all.
    pub writing: Vec<Hold>,
    /// These keep it from being confirmed.
    pub confirming: Vec<Hold>,
}

/// How far a refusal reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Nothing,
    Confirming,
    Writing,
}

impl Dossier {
    /// What the order's refused rows keep it from.
    pub fn refusals(&self) -> Refusals {
        let mut refusals = Refusals::default();
        for (family, refused) in &self.refused {
            match self.reach(*family, refused) {
                Reach::Nothing => {}
                Reach::Confirming => refusals.confirming.extend(refused.holds()),
                Reach::Writing => refusals.writing.extend(refused.holds()),
            }
        }
        refusals
    }

    fn fact(&self, family: Family) -> Option<&Fact> {
        self.facts.get(&family).map(|standing| &standing.fact)
    }

    fn reach(&self, family: Family, refused: &RefusedFact) -> Reach {
        let all_orders = self.fact(Family::AllOrders);
        let status = all_orders.and_then(|fact| fact.head.status);
        if status == Some(OrderStatus::Cancelled) {
            return Reach::Nothing;
        }
        if family == Family::AllOrders {
            return if self.is_listed_as_known(refused) { Reach::Nothing } else { Reach::Writing };
        }
        // A refused row of All Orders is newer than its fact: what that says may be over.
        let all_orders = all_orders.filter(|_| !self.refused.contains_key(&Family::AllOrders));
        let Some(all_orders) = all_orders else { return Reach::Writing };
        if status == Some(OrderStatus::Shipped) {
            return Reach::Nothing;
        }
        let good =
            |family: Family| !self.refused.contains_key(&family) && self.fact(family).is_some();
        match family {
            Family::Unshipped if is_later(all_orders, refused) => Reach::Confirming,
            Family::Unshipped if good(Family::OrderReport) => Reach::Confirming,
            Family::OrderReport if good(Family::Unshipped) => Reach::Nothing,
            Family::AllOrders | Family::Unshipped | Family::OrderReport => Reach::Writing,
        }
    }

    /// An unshipped report that is newer than the refused row of All Orders lists the same units as
    /// the report that the prices are from.
    fn is_listed_as_known(&self, refused: &RefusedFact) -> bool {
        let Some(unshipped) = self.fact(Family::Unshipped) else { return false };
        let priced = self.fact(Family::AllOrders).or_else(|| self.fact(Family::OrderReport));
        is_later(unshipped, refused)
            && !self.refused.contains_key(&Family::Unshipped)
            && priced.is_some_and(|priced| priced.units() == unshipped.units())
    }
}

fn is_later(fact: &Fact, refused: &RefusedFact) -> bool {
    refused.version.is_some() && fact.version >= refused.version
}
