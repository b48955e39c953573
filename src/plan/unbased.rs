//! What to change where our base was lost, as after a rebuild: nothing.
//!
//! Without knowing what we last wrote, a difference may be a person's as well as the marketplace's.
//! So every difference is a conflict with both values; only a cancellation is written
//! ([`diff`](super::diff::diff) does that before it comes here). Where nothing differs, what Odoo holds is what
//! the marketplace says: that is a base again, and the caller takes it.

use super::diff::{
    Changes, Current, LineWrite, Partners, conflict, is_surplus, line_conflict, odoo_datetime, same,
};
use super::order::Desired;
use crate::model::{Hold, HoldCode};

/// Adds a conflict for each difference.
pub(super) fn compare(
    desired: &Desired,
    current: &Current,
    partners: Option<Partners>,
    changes: &mut Changes,
) {
    let conflicts = &mut changes.conflicts;
    let want = odoo_datetime(desired.purchase_date);
    if current.date_order != want {
        conflicts.push(conflict("date_order", &current.date_order, &want));
    }
    if let Some(want) = desired.promise_date.map(odoo_datetime)
        && current.commitment_date != want
    {
        conflicts.push(conflict("commitment_date", &current.commitment_date, &want));
    }
    if let Some(want) = partners.filter(|want| want.addressed)
        && (current.partner_id, current.partner_shipping_id) != (want.partner, want.shipping)
    {
        conflicts.push(Hold::new(
            HoldCode::Conflict,
            "partner_id",
            "Odoo's customer is not the report's buyer, and the state was lost that would tell \
             who chose it: Odoo's customer is left as it is",
        ));
    }
    for want in &desired.lines {
        let found =
            current.lines.iter().find(|line| line.external.as_ref() == Some(&want.external));
        let Some(line) = found else {
            conflicts.push(Hold::new(
                HoldCode::Conflict,
                want.external.clone(),
                "Amazon has a line that Odoo's order has not, and the state was lost that would \
                 tell whether a person removed it",
            ));
            continue;
        };
        let wanted = LineWrite {
            odoo_id: line.odoo_id,
            quantity: want.quantity,
            price_unit: want.price_unit,
            taxes: want.taxes.clone(),
        };
        let now = LineWrite {
            odoo_id: line.odoo_id,
            quantity: line.quantity,
            price_unit: line.price_unit,
            taxes: line.taxes.clone(),
        };
        if !same(&wanted, &now) {
            conflicts.push(line_conflict(&want.external, &now, &wanted));
        }
    }
    for line in &current.lines {
        let Some(external) = &line.external else { continue };
        if is_surplus(desired, external, line.quantity) {
            let text = format!("{} units", line.quantity.normalize());
            conflicts.push(conflict(external, &text, "nothing"));
        }
    }
}
