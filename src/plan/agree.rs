//! Where Odoo holds what is wanted, that is the base from now on.
//!
//! Nothing is to be written there, but the base must follow all the same: after a crash between a
//! write and its reading back it still says what stood there before, and the marketplace's next value
//! would look as if a person had changed ours.

use super::diff::{Current, Partners, odoo_datetime, same_price};
use super::diff_lines::is_surplus;
use super::order::Desired;
use crate::model::{Mapping, is_confirmed};

/// Moves the base to what Odoo holds, field by field, where that is what is wanted.
pub fn agree(
    mapping: &mut Mapping,
    desired: &Desired,
    current: &Current,
    partners: Option<Partners>,
) {
    if is_confirmed(&current.state) {
        mapping.base.state.clone_from(&current.state);
    }
    if desired.cancel || current.state == "cancel" || mapping.base_lost {
        return;
    }
    let base = &mut mapping.base;
    if current.date_order == odoo_datetime(desired.purchase_date) {
        base.date_order.clone_from(&current.date_order);
    }
    if desired.promise_date.is_some_and(|date| current.commitment_date == odoo_datetime(date)) {
        base.commitment_date.clone_from(&current.commitment_date);
    }
    if partners.is_some_and(|want| {
        want.addressed
            && (want.partner, want.shipping) == (current.partner_id, current.partner_shipping_id)
    }) {
        base.partner_id = current.partner_id;
        base.partner_shipping_id = current.partner_shipping_id;
        base.addressed = true;
    }
    for base in &mut mapping.lines {
        let Some(now) = current.lines.iter().find(|line| line.odoo_id == base.odoo_id) else {
            continue;
        };
        match desired.lines.iter().find(|line| line.external == base.external) {
            Some(want) => {
                if want.quantity == now.quantity {
                    base.quantity = now.quantity;
                }
                if same_price(want.price_unit, now.price_unit) {
                    base.price_unit = now.price_unit;
                }
                if want.taxes == now.taxes {
                    base.taxes.clone_from(&now.taxes);
                }
            }
            None if now.quantity.is_zero()
                && is_surplus(desired, &base.external, base.quantity) =>
            {
                base.quantity = now.quantity;
            }
            None => {}
        }
    }
}
