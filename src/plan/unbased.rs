//! What to change where our base was lost, as after a rebuild: nothing that a person did not decide.
//!
//! Without knowing what we last wrote, a difference may be a person's as well as the marketplace's.
//! So each is a conflict with both values, asked field by field under the same names as with a base:
//! what was decided before the loss still counts, as long as both sides say what was decided on.
//! Only a cancellation is written unasked ([`diff`](super::diff::diff) does that before it comes here).
//!
//! What comes of it is a base that is *presumed*:
//!
//! | both sides | base | so that the ordinary comparison |
//! | --- | --- | --- |
//! | agree | what Odoo holds | does nothing |
//! | differ, the marketplace's value was accepted | what Odoo holds | writes it, as far as it can be |
//! | differ, it was declined, or is to be decided | what the marketplace says | leaves it, and asks about the next |
//!
//! Once nothing is left to be decided it is our base again: the caller takes it. It is not simply
//! what Odoo holds: a person's value that was decided for would be taken for ours, and written over.

use super::diff::{BUYER, Can, Partners, Rebased, Scales, conflict, odoo_datetime};
use super::diff_lines::Values;
use crate::model::{Base, Hold, HoldCode, MappedLine, Mapping};

impl Scales<'_> {
    /// A conflict for each difference; what a person accepted is written.
    pub(super) fn without_any_base(&mut self, partners: Option<Partners>) {
        let base = self.presumed_head(partners);
        let lines = self.presumed_lines();
        let presumed = Mapping { lines, base, ..self.mapping.clone() };
        let mut scales = Scales {
            desired: self.desired,
            mapping: &presumed,
            current: self.current,
            changes: std::mem::take(&mut self.changes),
        };
        scales.dates();
        scales.partner(partners);
        scales.lines();
        self.changes = scales.changes;
        if self.changes.conflicts.is_empty() {
            self.changes.rebased = Some(Rebased { base: presumed.base, lines: presumed.lines });
        }
    }

    fn presumed_head(&mut self, partners: Option<Partners>) -> Base {
        let (desired, current) = (self.desired, self.current);
        let mut base = Base {
            date_order: current.date_order.clone(),
            commitment_date: current.commitment_date.clone(),
            partner_id: current.partner_id,
            partner_shipping_id: current.partner_shipping_id,
            amount_total: current.amount_total,
            warehouse_id: current.warehouse_id,
            addressed: self.mapping.base.addressed,
            state: current.state.clone(),
        };
        let want = odoo_datetime(desired.purchase_date);
        if !self.date("date_order", &current.date_order, &want) {
            base.date_order = want;
        }
        if let Some(want) = desired.promise_date.map(odoo_datetime)
            && !self.date("commitment_date", &current.commitment_date, &want)
        {
            base.commitment_date = want;
        }
        if let Some(want) = partners.filter(|want| want.addressed) {
            base.addressed = !self.buyer(want);
        }
        base
    }

    /// Whether a date is to be as the marketplace has it.
    fn date(&mut self, field: &str, now: &str, want: &str) -> bool {
        now == want || {
            let hold = conflict(field, now, want);
            self.clash(field, [now.to_owned(), want.to_owned()], Can::Write, hold)
        }
    }

    /// Whether the report's buyer is to be written over Odoo's customer.
    fn buyer(&mut self, want: Partners) -> bool {
        let current = self.current;
        let shipping_only = current.partner_id == want.partner && current.is_quotation();
        let (field, now, buyer) = if shipping_only {
            ("partner_shipping_id", current.partner_shipping_id, want.shipping)
        } else {
            ("partner_id", current.partner_id, want.partner)
        };
        if (current.partner_id, current.partner_shipping_id) == (want.partner, want.shipping) {
            return false;
        }
        let hold = Hold::new(
            HoldCode::Conflict,
            field,
            "partner differs: Odoo's customer is not the report's buyer, and the state was lost \
             that would tell who chose it: Odoo's customer is left as it is",
        );
        let can = if current.is_quotation() { Can::Write } else { Can::OnlyByHand };
        self.clash(field, [now.to_string(), format!("{BUYER} {buyer}")], can, hold)
    }

    fn presumed_lines(&mut self) -> Vec<MappedLine> {
        let (desired, current) = (self.desired, self.current);
        let mut lines = Vec::new();
        for line in &current.lines {
            let Some(external) = &line.external else { continue };
            let now = Values::from(line);
            let wanted = desired.lines.iter().find(|want| want.external == *external);
            let presumed = match wanted {
                Some(want) => self.presumed(external, now, Values::from(want)),
                None if self.is_surplus(external, line.quantity) => {
                    self.presumed(external, now, now.gone())
                }
                None => now,
            };
            lines.push(presumed.mapped(external, line.odoo_id));
        }
        for want in &desired.lines {
            let external = want.external.as_str();
            if lines.iter().any(|line| line.external == external) {
                continue;
            }
            let hold = Hold::new(
                HoldCode::Conflict,
                external,
                "Amazon has a line that Odoo's order has not, and the state was lost that would \
                 tell whether a person removed it",
            );
            let wanted = Values::from(want);
            if !self.clash(external, [String::new(), wanted.text()], Can::Write, hold) {
                // As one that a person removed.
                lines.push(wanted.mapped(external, 0));
            }
        }
        lines
    }
}
