//! What to change where our base was lost, as after a rebuild: nothing that a person did not decide.
//!
//! Without knowing what we last wrote, a difference may be a person's as well as the marketplace's.
//! So every difference is a conflict with both values; only a cancellation is written
//! ([`diff`](super::diff::diff) does that before it comes here). A person who accepts the marketplace's
//! values has them compared and written as if what was found in Odoo were our base. Where nothing
//! differs, what Odoo holds is what the marketplace says: that is a base again, and the caller takes it.

use super::diff::{Can, Partners, Scales, conflict, odoo_datetime};
use super::diff_lines::Values;
use crate::model::{Hold, HoldCode};

impl Scales<'_> {
    /// A conflict for each difference; what a person accepted is written.
    pub(super) fn without_any_base(&mut self, partners: Option<Partners>) {
        let (desired, current) = (self.desired, self.current);
        let mut accepted = false;
        let want = odoo_datetime(desired.purchase_date);
        if current.date_order != want {
            let hold = conflict("date_order", &current.date_order, &want);
            accepted |= self.clash("date_order", want, Can::Write, hold);
        }
        if let Some(want) = desired.promise_date.map(odoo_datetime)
            && current.commitment_date != want
        {
            let hold = conflict("commitment_date", &current.commitment_date, &want);
            accepted |= self.clash("commitment_date", want, Can::Write, hold);
        }
        if let Some(want) = partners.filter(|want| want.addressed)
            && (current.partner_id, current.partner_shipping_id) != (want.partner, want.shipping)
        {
            let hold = Hold::new(
                HoldCode::Conflict,
                "partner_id",
                "partner differs: Odoo's customer is not the report's buyer, and the state was lost \
                 that would tell who chose it: Odoo's customer is left as it is",
            );
            accepted |= self.clash("partner_id", "buyer".to_owned(), Can::Write, hold);
        }
        for want in &desired.lines {
            let field = want.external.as_str();
            let wanted = Values::from(want);
            let found =
                current.lines.iter().find(|line| line.external.as_ref() == Some(&want.external));
            let hold = match found.map(Values::from) {
                Some(now) if wanted.same(&now) => continue,
                Some(now) => conflict(field, &now.text(), &wanted.text()),
                None => Hold::new(
                    HoldCode::Conflict,
                    field,
                    "Amazon has a line that Odoo's order has not, and the state was lost that would \
                     tell whether a person removed it",
                ),
            };
            accepted |= self.clash(field, wanted.text(), Can::Write, hold);
        }
        for line in &current.lines {
            let Some(external) = &line.external else { continue };
            if self.is_surplus(external, line.quantity) {
                let text = format!("{} units", line.quantity.normalize());
                let hold = conflict(external, &text, "nothing");
                accepted |= self.clash(external, "nothing".to_owned(), Can::Write, hold);
            }
        }
        if accepted {
            self.dates();
            self.partner(partners);
            self.lines();
        }
    }
}
