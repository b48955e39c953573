//! The lines of an order, three-way and field by field: quantity, price, taxes.
//!
//! A person who changes a price and a marketplace that changes the quantity do not disagree. Down
//! goes a quantity to what has been delivered or invoiced; what is invoiced keeps price and taxes.

use rust_decimal::Decimal;

use super::diff::{Can, LineWrite, Scales, conflict, same_price};
use super::external;
use super::order::{Desired, DesiredLine};
use crate::model::{AttentionCode, Hold, HoldCode, MappedLine, OdooId};
use crate::plan::CurrentLine;

/// The three fields of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a> {
    quantity: Decimal,
    price_unit: Decimal,
    taxes: &'a [OdooId],
}

impl<'a> From<&'a DesiredLine> for Values<'a> {
    fn from(line: &'a DesiredLine) -> Self {
        Self { quantity: line.quantity, price_unit: line.price_unit, taxes: &line.taxes }
    }
}

impl<'a> From<&'a MappedLine> for Values<'a> {
    fn from(line: &'a MappedLine) -> Self {
        Self { quantity: line.quantity, price_unit: line.price_unit, taxes: &line.taxes }
    }
}

impl<'a> From<&'a CurrentLine> for Values<'a> {
    fn from(line: &'a CurrentLine) -> Self {
        Self { quantity: line.quantity, price_unit: line.price_unit, taxes: &line.taxes }
    }
}

impl Values<'_> {
    /// As a line that is not wanted any more.
    pub(super) fn gone(self) -> Self {
        Self { quantity: Decimal::ZERO, ..self }
    }

    /// As a base.
    pub(super) fn mapped(&self, external: &str, odoo_id: OdooId) -> MappedLine {
        MappedLine {
            external: external.to_owned(),
            odoo_id,
            quantity: self.quantity,
            price_unit: self.price_unit,
            taxes: self.taxes.to_vec(),
        }
    }

    pub(super) fn text(&self) -> String {
        let (quantity, price) = (self.quantity.normalize(), self.price_unit.normalize());
        format!("{quantity} × {price} with taxes {:?}", self.taxes)
    }
}

impl Scales<'_> {
    pub(super) fn lines(&mut self) {
        let (desired, mapping) = (self.desired, self.mapping);
        for want in &desired.lines {
            match mapping.lines.iter().find(|line| line.external == want.external) {
                Some(base) => self.three_way(base, Values::from(want)),
                None => self.without_base(want),
            }
        }
        for base in &mapping.lines {
            if !self.is_surplus(&base.external, base.quantity) {
                continue;
            }
            // Gone at Amazon: down to nothing, or to what has left already.
            self.three_way(base, Values::from(base).gone());
        }
    }

    /// Whether a line of ours is neither wanted nor to be left as it stands.
    pub(super) fn is_surplus(&self, external: &str, quantity: Decimal) -> bool {
        is_surplus(self.desired, external, quantity)
    }

    /// A line that our base does not know: new, or its base was lost.
    fn without_base(&mut self, want: &DesiredLine) {
        let current = self.current;
        let field = want.external.as_str();
        let wanted = Values::from(want);
        let there =
            current.lines.iter().find(|line| line.external.as_ref() == Some(&want.external));
        let Some(line) = there else {
            if current.open() {
                self.changes.new_lines.push(want.clone());
                return;
            }
            let text =
                "Amazon has a line that Odoo's order has not, and the order is locked or invoiced";
            let hold = Hold::new(HoldCode::Conflict, field, text);
            self.clash(field, [String::new(), wanted.text()], Can::OnlyByHand, hold);
            return;
        };
        let presumed = self.presumed(field, Values::from(line), wanted);
        self.three_way(&presumed.mapped(field, line.odoo_id), wanted);
    }

    /// What the base of a line must be, of which we do not know what we last wrote: its fields as
    /// Odoo holds them where they are wanted so or are to be written over, and else as wanted
    /// ([`unbased`](super::unbased)).
    pub(super) fn presumed<'v>(
        &mut self,
        external: &str,
        now: Values<'v>,
        want: Values<'v>,
    ) -> Values<'v> {
        let mut base = now;
        let texts = [now.quantity, want.quantity].map(|quantity| quantity.normalize().to_string());
        if now.quantity != want.quantity && !self.may_write(external, "quantity", texts, false) {
            base.quantity = want.quantity;
        }
        if want.quantity.is_zero() {
            return base;
        }
        let texts = [now.price_unit, want.price_unit].map(|price| price.normalize().to_string());
        if !same_price(now.price_unit, want.price_unit)
            && !self.may_write(external, "price", texts, false)
        {
            base.price_unit = want.price_unit;
        }
        let texts = [now.taxes, want.taxes].map(|taxes| format!("{taxes:?}"));
        if now.taxes != want.taxes && !self.may_write(external, "taxes", texts, false) {
            base.taxes = want.taxes;
        }
        base
    }

    fn three_way(&mut self, base: &MappedLine, want: Values<'_>) {
        let (current, external) = (self.current, base.external.as_str());
        // A line that a person removed stays removed.
        let Some(line) = current.lines.iter().find(|line| line.odoo_id == base.odoo_id) else {
            return;
        };
        let (base, now) = (Values::from(base), Values::from(line));
        let mut write = LineWrite {
            odoo_id: line.odoo_id,
            quantity: None,
            price_unit: None,
            taxes: None,
            price_now: now.price_unit,
            discount_now: line.discount,
        };
        let settled = [want.quantity == base.quantity, want.quantity == now.quantity];
        if !settled.contains(&true) {
            let texts =
                [now.quantity, want.quantity].map(|quantity| quantity.normalize().to_string());
            let ours = base.quantity == now.quantity;
            if self.may_write(external, "quantity", texts, ours) && self.fits(external, line, &want)
            {
                write.quantity = Some(want.quantity);
            }
        }
        // The price of no units makes no difference.
        if !want.quantity.is_zero() {
            let fixed = current.locked || !line.invoiced.is_zero();
            if !same_price(want.price_unit, base.price_unit)
                && !same_price(want.price_unit, now.price_unit)
            {
                let texts =
                    [now.price_unit, want.price_unit].map(|price| price.normalize().to_string());
                let ours = same_price(base.price_unit, now.price_unit);
                if self.may_write(external, "price", texts.clone(), ours)
                    && self.open_for(external, "price", texts, fixed)
                {
                    write.price_unit = Some(want.price_unit);
                }
            }
            if want.taxes != base.taxes && want.taxes != now.taxes {
                let texts = [now.taxes, want.taxes].map(|taxes| format!("{taxes:?}"));
                let ours = base.taxes == now.taxes;
                if self.may_write(external, "taxes", texts.clone(), ours)
                    && self.open_for(external, "taxes", texts, fixed)
                {
                    write.taxes = Some(want.taxes.to_vec());
                }
            }
        }
        if !write.is_empty() {
            self.changes.lines.push(write);
        }
    }

    /// Whether a field is still as we left it, or a person decided for the marketplace.
    fn may_write(&mut self, external: &str, name: &str, values: [String; 2], ours: bool) -> bool {
        let [now, want] = &values;
        let hold = conflict(external, &format!("{name} {now}"), &format!("{name} {want}"));
        ours || self.clash(&format!("{external} {name}"), values, Can::Write, hold)
    }

    /// Whether the quantity is one that Odoo can still have.
    fn fits(&mut self, external: &str, line: &CurrentLine, want: &Values<'_>) -> bool {
        let fixed = line.delivered.max(line.invoiced);
        if want.quantity >= fixed && !self.current.locked {
            return true;
        }
        let (quantity, fixed) = (want.quantity.normalize().to_string(), fixed.normalize());
        let text = format!(
            "Odoo has quantity {}, Amazon says {quantity}, but {fixed} have been delivered or \
             invoiced in Odoo, or the order is locked",
            line.quantity.normalize()
        );
        if want.quantity < line.delivered.max(line.invoiced) {
            let text = format!("Amazon says {quantity}, {fixed} have been delivered or invoiced");
            let key = format!("{external} {quantity}");
            self.changes.attention.push((AttentionCode::BelowDelivered, key, text));
        }
        let hold = Hold::new(HoldCode::Conflict, external, text);
        let values = [line.quantity.normalize().to_string(), quantity];
        self.clash(&format!("{external} quantity"), values, Can::OnlyByHand, hold)
    }

    /// Whether price and taxes can still change.
    fn open_for(&mut self, external: &str, name: &str, values: [String; 2], fixed: bool) -> bool {
        if !fixed {
            return true;
        }
        let [now, want] = &values;
        let text = format!(
            "Odoo has {name} {now}, Amazon says {want}, but the line has been invoiced in Odoo, or \
             the order is locked"
        );
        let hold = Hold::new(HoldCode::Conflict, external, text);
        self.clash(&format!("{external} {name}"), values, Can::OnlyByHand, hold)
    }
}

/// Whether a line of ours is neither wanted nor to be left as it stands.
pub(super) fn is_surplus(desired: &Desired, external: &str, quantity: Decimal) -> bool {
    let prefix = format!("line_{}__", external::escape(desired.order_id.as_str()));
    let wanted = desired.lines.iter().any(|line| line.external == external);
    let stands = external == external::rounding(&desired.order_id)
        || desired.standing.iter().any(|sku| {
            let sku = format!("{prefix}{}__", external::escape(sku.as_str()));
            external.starts_with(&sku)
        });
    !wanted && !stands && !quantity.is_zero()
}
