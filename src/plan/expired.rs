//! What becomes of an order whose buyer expired before it was delivered.
//!
//! It goes on with the marketplace's anonymous partner where the settings name one (or the account has
//! only anonymous partners); else it is held before anything is created. What the seller has to
//! ship stays a quotation in either case: there is no address. A later file that names the buyer
//! ends both. An order that stands in Odoo with its buyer goes on as ever.

use super::Plan;
use super::policy::{AccountPolicy, PartnerMode};
use crate::model::{BuyerFact, Dossier, Hold, HoldCode, Marketplace};

/// What `plan` becomes for an order of whose buyer only `left` is still known.
pub fn without_buyer(
    plan: Plan,
    dossier: &Dossier,
    left: Option<&BuyerFact>,
    policy: &AccountPolicy,
) -> Plan {
    let mut desired = match plan {
        Plan::Want(desired) => desired,
        Plan::Done(_) | Plan::Wait(_) => return plan,
    };
    let mapping = dossier.mapping.as_ref();
    let addressed = mapping.is_some_and(|mapping| mapping.base.addressed)
        || left.is_some_and(BuyerFact::has_address);
    if desired.cancel || addressed {
        return Plan::Want(desired);
    }
    if mapping.is_none() && left.is_none() && !anonymous(policy, desired.marketplace) {
        return Plan::Wait(vec![Hold::new(
            HoldCode::AddressExpired,
            "",
            "the buyer's data was destroyed after 30 days, before the order could be delivered: \
             drop a file that lists the order again, or name an anonymous_partner for the \
             marketplace, reload and release",
        )]);
    }
    for hold in &mut desired.holds {
        if hold.code == HoldCode::Address {
            *hold = Hold::new(
                HoldCode::AddressExpired,
                "",
                "the ship address was destroyed after 30 days, before the order was confirmed: \
                 drop a file that lists the order again, or ship it by hand from Odoo",
            );
        }
    }
    Plan::Want(desired)
}

/// Whether the settings say whose name such orders carry.
fn anonymous(policy: &AccountPolicy, marketplace: Marketplace) -> bool {
    policy.partner == PartnerMode::Anonymous
        || policy.marketplace(marketplace).is_some_and(|rules| rules.anonymous_named)
}

#[cfg(test)]
#[path = "expired_tests.rs"]
mod tests;
