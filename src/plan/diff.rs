//! What to change in Odoo, three-way.
//!
//! A field is written only if Odoo still holds what it answered after our last write (the base).
//! If it already holds what we want, nothing happens. Otherwise a person changed it: a conflict
//! with both values, and nothing is overwritten.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::{Decimal, RoundingStrategy};

use super::order::{Desired, DesiredLine};
use crate::model::{Hold, HoldCode, Mapping, OdooId, Stage};

/// A `sale.order` as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// Its id.
    pub odoo_id: OdooId,
    /// `name`.
    pub name: String,
    /// `client_order_ref`: the Amazon id, unless a person changed it.
    pub reference: String,
    /// `origin`: where another connector may keep the Amazon id.
    pub origin: String,
    /// `state`: draft, sent, sale, done, cancel.
    pub state: String,
    /// Locked (`locked` on newer Odoos, state `done` on older ones).
    pub locked: bool,
    /// `date_order`, Odoo's text.
    pub date_order: String,
    /// `commitment_date`, empty where unset.
    pub commitment_date: String,
    /// `partner_id`.
    pub partner_id: OdooId,
    /// `partner_shipping_id`.
    pub partner_shipping_id: OdooId,
    /// `amount_total`.
    pub amount_total: Decimal,
    /// Something of it was invoiced.
    pub invoiced: bool,
    /// Its lines.
    pub lines: Vec<CurrentLine>,
}

/// A `sale.order.line` as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentLine {
    /// Its id.
    pub odoo_id: OdooId,
    /// The name part of its external id in our module; none for lines of other people.
    pub external: Option<String>,
    /// `product_uom_qty`.
    pub quantity: Decimal,
    /// `price_unit`.
    pub price_unit: Decimal,
    /// Tax ids, sorted.
    pub taxes: Vec<OdooId>,
    /// `qty_delivered`.
    pub delivered: Decimal,
    /// `qty_invoiced`.
    pub invoiced: Decimal,
}

/// The partners an order should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partners {
    /// `partner_id` and `partner_invoice_id`.
    pub partner: OdooId,
    /// `partner_shipping_id`.
    pub shipping: OdooId,
    /// They are a buyer's, not the anonymous partner.
    pub addressed: bool,
}

/// What to write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Call `action_cancel`.
    pub cancel: bool,
    /// Call `action_confirm`.
    pub confirm: bool,
    /// `date_order` to write, Odoo's text.
    pub date_order: Option<String>,
    /// `commitment_date` to write.
    pub commitment_date: Option<String>,
    /// Partners to write, all three fields in one call with the pricelist.
    pub partners: Option<Partners>,
    /// Values to write on lines.
    pub lines: Vec<LineWrite>,
    /// Lines to create.
    pub new_lines: Vec<DesiredLine>,
    /// What a person has to decide.
    pub conflicts: Vec<Hold>,
}

/// Values to write on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineWrite {
    /// `sale.order.line` id.
    pub odoo_id: OdooId,
    /// `product_uom_qty`.
    pub quantity: Decimal,
    /// `price_unit`.
    pub price_unit: Decimal,
    /// Taxes.
    pub taxes: Vec<OdooId>,
}

impl Changes {
    /// Nothing is to be written or called.
    pub fn is_empty(&self) -> bool {
        *self == Self { conflicts: self.conflicts.clone(), ..Self::default() }
    }
}

impl Current {
    /// Still a quotation.
    pub fn is_quotation(&self) -> bool {
        matches!(self.state.as_str(), "draft" | "sent")
    }

    /// Something of it has left.
    pub fn delivered(&self) -> bool {
        self.lines.iter().any(|line| !line.delivered.is_zero())
    }

    /// Lines may still be added: a quotation, or confirmed but neither locked nor invoiced.
    fn open(&self) -> bool {
        self.is_quotation() || (self.state == "sale" && !self.locked && !self.invoiced)
    }
}

/// An instant as Odoo writes it: UTC, whole seconds.
pub fn odoo_datetime(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Odoo's text as an instant.
pub fn parse_odoo_datetime(text: &str) -> Option<Timestamp> {
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// Compares what we want with what stands and with our base.
pub fn diff(
    desired: &Desired,
    mapping: &Mapping,
    current: &Current,
    partners: Option<Partners>,
) -> Changes {
    let mut changes = Changes::default();
    if desired.cancel {
        cancel(current, &mut changes);
        return changes;
    }
    if current.state == "cancel" {
        changes.conflicts.push(Hold::new(
            HoldCode::Conflict,
            "state",
            "the order is cancelled in Odoo and alive at Amazon",
        ));
        return changes;
    }
    if mapping.base_lost {
        super::unbased::compare(desired, current, partners, &mut changes);
        changes.confirm = desired.confirm && current.is_quotation() && changes.conflicts.is_empty();
        return changes;
    }
    dates(desired, mapping, current, &mut changes);
    partner(mapping, current, partners, &mut changes);
    lines(desired, mapping, current, &mut changes);
    changes.confirm = desired.confirm && current.is_quotation() && changes.conflicts.is_empty();
    changes
}

fn cancel(current: &Current, changes: &mut Changes) {
    if current.state == "cancel" {
        return;
    }
    if current.delivered() || current.invoiced || current.locked {
        let what = match (current.invoiced, current.delivered()) {
            (true, _) => "invoiced",
            (false, true) => "delivered",
            (false, false) => "locked",
        };
        changes.conflicts.push(Hold::new(
            HoldCode::Conflict,
            "state",
            format!("cancelled at Amazon, but already {what} in Odoo: decide and cancel by hand"),
        ));
        return;
    }
    changes.cancel = true;
}

fn dates(desired: &Desired, mapping: &Mapping, current: &Current, changes: &mut Changes) {
    let want = odoo_datetime(desired.purchase_date);
    if current.date_order != want {
        let reset_by_confirm = match mapping.stage {
            Some(Stage::Confirming(since)) => {
                // Odoo stores whole seconds; a date on a quotation is a person's.
                !current.is_quotation()
                    && parse_odoo_datetime(&current.date_order)
                        .is_some_and(|date| date.as_second() >= since.as_second())
            }
            Some(Stage::Creating | Stage::Cancelling) | None => false,
        };
        if reset_by_confirm
            || (want != mapping.base.date_order && current.date_order == mapping.base.date_order)
        {
            changes.date_order = Some(want);
        } else if want != mapping.base.date_order {
            changes.conflicts.push(conflict("date_order", &current.date_order, &want));
        }
    }
    if let Some(promise) = desired.promise_date {
        let want = odoo_datetime(promise);
        if want != mapping.base.commitment_date && want != current.commitment_date {
            if current.commitment_date == mapping.base.commitment_date {
                changes.commitment_date = Some(want);
            } else {
                changes.conflicts.push(conflict(
                    "commitment_date",
                    &current.commitment_date,
                    &want,
                ));
            }
        }
    }
}

fn partner(
    mapping: &Mapping,
    current: &Current,
    partners: Option<Partners>,
    changes: &mut Changes,
) {
    let Some(want) = partners else { return };
    // The anonymous partner never replaces anybody, and a known buyer is not replaced.
    let same = current.partner_id == want.partner && current.partner_shipping_id == want.shipping;
    if same || !want.addressed || mapping.base.addressed {
        return;
    }
    let ours = current.partner_id == mapping.base.partner_id
        && current.partner_shipping_id == mapping.base.partner_shipping_id;
    if current.is_quotation() && ours {
        changes.partners = Some(want);
    } else {
        let why = if ours { "the order is confirmed" } else { "a person chose another customer" };
        changes.conflicts.push(Hold::new(
            HoldCode::Conflict,
            "partner_id",
            format!("a report names the buyer now, but {why}: Odoo's customer is left as it is"),
        ));
    }
}

fn lines(desired: &Desired, mapping: &Mapping, current: &Current, changes: &mut Changes) {
    for want in &desired.lines {
        let Some(base) = mapping.lines.iter().find(|line| line.external == want.external) else {
            without_base(want, current, changes);
            continue;
        };
        let wanted = LineWrite {
            odoo_id: base.odoo_id,
            quantity: want.quantity,
            price_unit: want.price_unit,
            taxes: want.taxes.clone(),
        };
        let based = LineWrite {
            odoo_id: base.odoo_id,
            quantity: base.quantity,
            price_unit: base.price_unit,
            taxes: base.taxes.clone(),
        };
        three_way(&want.external, &wanted, &based, current, changes);
    }
    for base in &mapping.lines {
        if !is_surplus(desired, &base.external, base.quantity) {
            continue;
        }
        // Gone at Amazon: down to nothing, or to what has left already.
        let based = LineWrite {
            odoo_id: base.odoo_id,
            quantity: base.quantity,
            price_unit: base.price_unit,
            taxes: base.taxes.clone(),
        };
        let none = LineWrite { quantity: Decimal::ZERO, ..based.clone() };
        three_way(&base.external, &none, &based, current, changes);
    }
}

/// Whether a line of ours is neither wanted nor to be left as it stands.
pub(super) fn is_surplus(desired: &Desired, external: &str, quantity: Decimal) -> bool {
    let prefix = format!("line_{}__", super::external::escape(desired.order_id.as_str()));
    let wanted = desired.lines.iter().any(|line| line.external == external);
    let stands = external == super::external::rounding(&desired.order_id)
        || desired.standing.iter().any(|sku| {
            let sku = format!("{prefix}{}__", super::external::escape(sku.as_str()));
            external.starts_with(&sku)
        });
    !wanted && !stands && !quantity.is_zero()
}

/// A line that our base does not know: new, or its base was lost.
fn without_base(want: &DesiredLine, current: &Current, changes: &mut Changes) {
    let there = current.lines.iter().find(|line| line.external.as_ref() == Some(&want.external));
    let Some(line) = there else {
        if current.open() {
            changes.new_lines.push(want.clone());
        } else {
            changes.conflicts.push(Hold::new(
                HoldCode::Conflict,
                want.external.clone(),
                "Amazon has a line that Odoo's order has not, and the order is locked or invoiced",
            ));
        }
        return;
    };
    let now = LineWrite {
        odoo_id: line.odoo_id,
        quantity: line.quantity,
        price_unit: line.price_unit,
        taxes: line.taxes.clone(),
    };
    let wanted = LineWrite {
        odoo_id: line.odoo_id,
        quantity: want.quantity,
        price_unit: want.price_unit,
        taxes: want.taxes.clone(),
    };
    if !same(&wanted, &now) {
        changes.conflicts.push(line_conflict(&want.external, &now, &wanted));
    }
}

fn three_way(
    external: &str,
    want: &LineWrite,
    base: &LineWrite,
    current: &Current,
    changes: &mut Changes,
) {
    if same(want, base) {
        return;
    }
    // A line that a person removed stays removed.
    let Some(line) = current.lines.iter().find(|line| line.odoo_id == base.odoo_id) else { return };
    let now = LineWrite {
        odoo_id: line.odoo_id,
        quantity: line.quantity,
        price_unit: line.price_unit,
        taxes: line.taxes.clone(),
    };
    // The price of no units is nobody's concern.
    if same(want, &now) || (want.quantity.is_zero() && now.quantity.is_zero()) {
        return;
    }
    if !same(base, &now) {
        changes.conflicts.push(line_conflict(external, &now, want));
        return;
    }
    let fixed = line.delivered.max(line.invoiced);
    if want.quantity < fixed
        || (!line.invoiced.is_zero()
            && (cents(want.price_unit) != cents(now.price_unit) || want.taxes != now.taxes))
        || current.locked
    {
        changes.conflicts.push(Hold::new(
            HoldCode::Conflict,
            external,
            format!(
                "Amazon says {}, but {} have been delivered or invoiced in Odoo, or the order is locked",
                want.quantity.normalize(),
                fixed.normalize()
            ),
        ));
        return;
    }
    changes.lines.push(want.clone());
}

/// Equal in Odoo's own rounding of unit prices.
pub(super) fn same(a: &LineWrite, b: &LineWrite) -> bool {
    a.quantity == b.quantity && same_price(a.price_unit, b.price_unit) && a.taxes == b.taxes
}

/// Whether two unit prices are the same to Odoo.
pub fn same_price(a: Decimal, b: Decimal) -> bool {
    cents(a) == cents(b)
}

/// A unit price as Odoo stores it: two places by default, half away from zero.
fn cents(price: Decimal) -> Decimal {
    price.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

pub(super) fn line_conflict(external: &str, now: &LineWrite, want: &LineWrite) -> Hold {
    let text = |line: &LineWrite| {
        let (quantity, price) = (line.quantity.normalize(), line.price_unit.normalize());
        if now.taxes == want.taxes {
            format!("{quantity} × {price}")
        } else {
            format!("{quantity} × {price} with taxes {:?}", line.taxes)
        }
    };
    conflict(external, &text(now), &text(want))
}

pub(super) fn conflict(field: &str, odoo: &str, marketplace: &str) -> Hold {
    let odoo = if odoo.is_empty() { "nothing" } else { odoo };
    Hold::new(
        HoldCode::Conflict,
        field,
        format!(
            "Odoo has {odoo}, Amazon says {marketplace}; nothing was written: to follow Amazon, change it in Odoo, then `odoo-spoold hold release`"
        ),
    )
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
