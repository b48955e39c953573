//! What to change in Odoo, three-way.
//!
//! Field by field: one is written only if Odoo still holds what it answered after our last write
//! (the base). If it already holds what we want, nothing happens. Otherwise a person changed it: a
//! conflict with both values, and nothing is overwritten before a person decided. A value that was
//! declined is never asked about again; another value is.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::{Decimal, RoundingStrategy};

use super::order::{Desired, DesiredLine};
use crate::model::{
    Accept, AttentionCode, Base, Declined, Hold, HoldCode, MappedLine, Mapping, OdooId, Stage,
    is_confirmed,
};

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
    /// When it was created, Odoo's text.
    pub create_date: String,
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
    /// `warehouse_id`; 0 where it has none.
    pub warehouse_id: OdooId,
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
    /// `discount`, in percent.
    pub discount: Decimal,
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
#[expect(clippy::struct_excessive_bools, reason = "each is a call or a mark of its own")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Call `action_cancel`.
    pub cancel: bool,
    /// Call `action_confirm`.
    pub confirm: bool,
    /// Call `action_draft`, then compare again: a person wants the order revived.
    pub reopen: bool,
    /// `date_order` to write, Odoo's text.
    pub date_order: Option<String>,
    /// `commitment_date` to write.
    pub commitment_date: Option<String>,
    /// `warehouse_id` to write.
    pub warehouse: Option<OdooId>,
    /// Partners to write, all three fields in one call with the pricelist.
    pub partners: Option<Partners>,
    /// The delivery address among them is a person's, sent along only so that it stays.
    pub keeps_shipping: bool,
    /// The customer is settled: written, or a person's by decision.
    pub addressed: bool,
    /// Values to write on lines.
    pub lines: Vec<LineWrite>,
    /// Lines to create.
    pub new_lines: Vec<DesiredLine>,
    /// What a person has to decide.
    pub conflicts: Vec<Hold>,
    /// What a person has just declined.
    pub declined: Vec<Declined>,
    /// Alive here and cancelled there, and that is how a person wants it.
    pub kept: bool,
    /// What a person should look at.
    pub attention: Vec<(AttentionCode, String, String)>,
    /// Where our base was lost and nothing is left to be decided: the base from now on.
    pub rebased: Option<Rebased>,
}

/// A base that takes the place of a lost one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebased {
    /// Of the order.
    pub base: Base,
    /// Of its lines.
    pub lines: Vec<MappedLine>,
}

/// Values to write on one line: only the fields that are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineWrite {
    /// `sale.order.line` id.
    pub odoo_id: OdooId,
    /// `product_uom_qty`.
    pub quantity: Option<Decimal>,
    /// `price_unit`.
    pub price_unit: Option<Decimal>,
    /// Taxes.
    pub taxes: Option<Vec<OdooId>>,
    /// `price_unit` as it stands. Some Odoos compute the price again when a quantity is written
    /// alone, so it goes along.
    pub price_now: Decimal,
    /// `discount` as it stands: Odoo computes it again from the pricelist's rules when a quantity
    /// is written alone, so it goes along as well.
    pub discount_now: Decimal,
}

impl LineWrite {
    /// Nothing is to be written.
    pub fn is_empty(&self) -> bool {
        self.quantity.is_none() && self.price_unit.is_none() && self.taxes.is_none()
    }
}

impl Changes {
    /// Nothing is to be written or called.
    pub fn is_empty(&self) -> bool {
        *self
            == Self {
                conflicts: self.conflicts.clone(),
                declined: self.declined.clone(),
                attention: self.attention.clone(),
                kept: self.kept,
                addressed: self.addressed,
                rebased: self.rebased.clone(),
                ..Self::default()
            }
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
    pub fn open(&self) -> bool {
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

/// Compares what we want with what stands and with our base, and acts on the decision that waits
/// in the mapping.
pub fn diff(
    desired: &Desired,
    mapping: &Mapping,
    current: &Current,
    partners: Option<Partners>,
) -> Changes {
    let mut scales = Scales { desired, mapping, current, changes: Changes::default() };
    if desired.cancel {
        scales.cancel();
    } else if current.state == "cancel" {
        scales.revive();
    } else {
        if mapping.base_lost {
            scales.without_any_base(partners);
        } else {
            scales.dates();
            scales.warehouse();
            scales.partner(partners);
            scales.lines();
        }
        if desired.confirm && current.is_quotation() {
            scales.confirm();
        }
    }
    scales.changes
}

/// One comparison.
pub(super) struct Scales<'a> {
    pub(super) desired: &'a Desired,
    pub(super) mapping: &'a Mapping,
    pub(super) current: &'a Current,
    pub(super) changes: Changes,
}

impl Scales<'_> {
    /// A conflict: declined before, decided now, or to be decided. True if the marketplace's value
    /// is to be written over the person's. `now` is what Odoo holds.
    pub(super) fn clash(
        &mut self,
        field: &str,
        [now, wanted]: [String; 2],
        can: Can,
        hold: Hold,
    ) -> bool {
        let declined = Declined { field: field.to_owned(), wanted, kept: now };
        let lost = self.mapping.base_lost;
        let mut before = self.mapping.declined.iter().chain(&self.changes.declined);
        // Without a base nothing but that says that it is still the same conflict.
        if before.any(|other| {
            other.is(field, &declined.wanted) && (!lost || other.kept == declined.kept)
        }) {
            return false;
        }
        let ruling = self.mapping.ruling.as_ref().filter(|ruling| ruling.covers(&hold));
        match (ruling.map(|ruling| ruling.accept), can) {
            (Some(Accept::Odoo), _) => self.changes.declined.push(declined),
            (Some(Accept::Marketplace), Can::Write) => return true,
            (Some(Accept::Marketplace), Can::OnlyByHand) => {
                let text = format!("{}{BY_HAND}", hold.text);
                self.changes.conflicts.push(Hold { text, ..hold });
            }
            (None, _) => self.changes.conflicts.push(hold),
        }
        false
    }

    fn cancel(&mut self) {
        let current = self.current;
        let gone_out = current.delivered() || current.invoiced;
        if current.state == "cancel" {
            // We cancelled it, and somebody delivered or invoiced it in the same moment.
            if gone_out && self.mapping.base.state == "cancel" {
                let hold = Hold::new(HoldCode::Conflict, STATE, CANCELLED_TOO_LATE);
                let values = [current.state.clone(), CANCELLED.to_owned()];
                self.clash(STATE, values, Can::OnlyByHand, hold);
            }
            return;
        }
        if !(gone_out || current.locked) {
            self.changes.cancel = true;
            return;
        }
        let what = match (current.invoiced, current.delivered()) {
            (true, _) => "invoiced",
            (false, true) => "delivered",
            (false, false) => "locked",
        };
        let text = format!(
            "cancelled at Amazon, but already {what} in Odoo: cancel it by hand and release it, or \
             leave it with `odoo-spoold hold accept-odoo`"
        );
        let hold = Hold::new(HoldCode::Conflict, STATE, text);
        let values = [current.state.clone(), CANCELLED.to_owned()];
        self.clash(STATE, values, Can::OnlyByHand, hold);
        self.changes.kept = self.changes.conflicts.is_empty();
    }

    /// Whether a quotation is confirmed: not while anything is to be decided, and not where it was
    /// confirmed before and a person made a quotation of it again, or where that is not known any
    /// more.
    fn confirm(&mut self) {
        let (mapping, now) = (self.mapping, self.current.state.clone());
        let why = if mapping.base_lost {
            Some("the order is a quotation in Odoo, and the state was lost that would tell why")
        } else if is_confirmed(&mapping.base.state) {
            Some("the order was confirmed and is a quotation again in Odoo")
        } else {
            None
        };
        let wanted = why.is_none_or(|why| {
            let text = format!(
                "{why}, and Amazon wants it shipped: `odoo-spoold hold accept-odoo` leaves it so, \
                 `accept-marketplace` confirms it"
            );
            let hold = Hold::new(HoldCode::Conflict, STATE, text);
            self.clash(STATE, [now, CONFIRMED.to_owned()], Can::Write, hold)
        });
        let free = self.changes.conflicts.is_empty();
        self.changes.confirm = wanted && free;
        self.changes.kept = !wanted && free;
        if !free {
            self.changes.rebased = None;
        } else if let (false, Some(rebased)) = (wanted, &mut self.changes.rebased) {
            // As the marketplace has it: what a person decided to leave is not taken for ours.
            "sale".clone_into(&mut rebased.base.state);
        }
    }

    /// Cancelled in Odoo, alive at the marketplace: only a decision opens it again.
    fn revive(&mut self) {
        // Without a base it is not known who cancelled it, but perhaps what was decided then.
        let by_us = if self.mapping.base_lost {
            self.mapping.has_ruled_on(REOPENED)
        } else {
            self.mapping.base.state == "cancel"
        };
        let (key, text) = if by_us {
            let text = "Amazon had cancelled the order, and now it is alive again; it stays \
                        cancelled in Odoo until `odoo-spoold hold accept-marketplace`";
            self.changes.attention.push((
                AttentionCode::Reopened,
                String::new(),
                "Amazon revived an order that it had cancelled".to_owned(),
            ));
            (REOPENED, text)
        } else {
            let text = "the order is cancelled in Odoo and alive at Amazon: `odoo-spoold hold \
                        accept-odoo` leaves it so, `accept-marketplace` makes it a quotation again";
            (STATE, text)
        };
        let hold = Hold::new(HoldCode::Conflict, key, text);
        let values = [self.current.state.clone(), LIVE.to_owned()];
        self.changes.reopen = self.clash(key, values, Can::Write, hold);
        self.changes.kept = !self.changes.reopen && self.changes.conflicts.is_empty();
    }

    pub(super) fn dates(&mut self) {
        let (desired, mapping, current) = (self.desired, self.mapping, self.current);
        let want = odoo_datetime(desired.purchase_date);
        if current.date_order != want {
            let date = parse_odoo_datetime(&current.date_order);
            // Whether the confirmation moved it, and whether that is certain. Odoo stores whole
            // seconds; a date on a quotation is a person's.
            let (moved, by_confirm) = match mapping.stage {
                Some(Stage::Confirming { since, before, .. }) if !current.is_quotation() => (
                    before.map(Timestamp::as_second) != date.map(Timestamp::as_second),
                    date.is_some_and(|date| date.as_second() >= since.as_second()),
                ),
                Some(_) | None => (false, false),
            };
            let wanted = want != mapping.base.date_order;
            if (moved && by_confirm) || (wanted && current.date_order == mapping.base.date_order) {
                self.changes.date_order = Some(want);
            } else if wanted || moved {
                // Also where it is not certain: clocks may disagree, and a date that was not put back
                // must be seen.
                let hold = conflict("date_order", &current.date_order, &want);
                let values = [current.date_order.clone(), want.clone()];
                if self.clash("date_order", values, Can::Write, hold) {
                    self.changes.date_order = Some(want);
                }
            }
        }
        let Some(promise) = desired.promise_date else { return };
        let want = odoo_datetime(promise);
        if want == mapping.base.commitment_date || want == current.commitment_date {
            return;
        }
        let hold = conflict("commitment_date", &current.commitment_date, &want);
        let values = [current.commitment_date.clone(), want.clone()];
        if current.commitment_date == mapping.base.commitment_date
            || self.clash("commitment_date", values, Can::Write, hold)
        {
            self.changes.commitment_date = Some(want);
        }
    }

    /// The warehouse of a quotation, where the settings name one: it may have been named only after
    /// the order was created.
    fn warehouse(&mut self) {
        let (base, current) = (&self.mapping.base, self.current);
        let Some(want) = self.desired.warehouse else { return };
        if want == current.warehouse_id || want == base.warehouse_id || !current.is_quotation() {
            return;
        }
        let [now, wanted] = [current.warehouse_id, want].map(|id| id.to_string());
        let hold = conflict(WAREHOUSE, &now, &wanted);
        if current.warehouse_id == base.warehouse_id
            || self.clash(WAREHOUSE, [now, wanted], Can::Write, hold)
        {
            self.changes.warehouse = Some(want);
        }
    }

    /// The customer and the delivery address. The anonymous partner never replaces anybody, and a
    /// known buyer is not replaced. An address belongs to its customer: where a person chose
    /// another customer, the address is left as well.
    pub(super) fn partner(&mut self, partners: Option<Partners>) {
        let (base, current) = (&self.mapping.base, self.current);
        let Some(want) = partners.filter(|want| want.addressed && !base.addressed) else { return };
        let (has_partner, has_shipping) =
            (current.partner_id == want.partner, current.partner_shipping_id == want.shipping);
        if has_partner && has_shipping {
            return;
        }
        let ours = current.partner_id == base.partner_id;
        // Ids only: who they are is buyer data, and these are kept for as long as the order.
        let buyer = |now: OdooId, want: OdooId| [now.to_string(), format!("{BUYER} {want}")];
        let customers = buyer(current.partner_id, want.partner);
        if !current.is_quotation() {
            let key = "partner_id";
            let why = if ours { "the order is confirmed" } else { "a person chose another" };
            self.changes.attention.push((
                AttentionCode::BuyerAfterConfirm,
                key.to_owned(),
                "a report names the buyer of an order that was confirmed without".to_owned(),
            ));
            let hold = differs(key, why);
            self.clash(key, customers, Can::OnlyByHand, hold);
            self.changes.addressed = self.changes.conflicts.iter().all(|hold| hold.key != key);
            return;
        }
        let write_partner = !has_partner
            && (ours || {
                let hold = differs("partner_id", "a person chose another");
                self.clash("partner_id", customers, Can::Write, hold)
            });
        if !has_partner && !write_partner {
            self.changes.addressed =
                self.changes.conflicts.iter().all(|hold| hold.key != "partner_id");
            return;
        }
        let key = "partner_shipping_id";
        let write_shipping = !has_shipping
            && (current.partner_shipping_id == base.partner_shipping_id || {
                let hold = differs(key, "a person chose another");
                let addresses = buyer(current.partner_shipping_id, want.shipping);
                self.clash(key, addresses, Can::Write, hold)
            });
        let settled = self.changes.conflicts.iter().all(|hold| hold.key != key);
        self.changes.addressed = settled;
        if write_partner || write_shipping {
            let keeps = !has_shipping && !write_shipping;
            let shipping = if keeps { current.partner_shipping_id } else { want.shipping };
            self.changes.partners =
                Some(Partners { partner: want.partner, shipping, addressed: settled });
            self.changes.keeps_shipping = keeps;
        }
    }
}

/// Whether a value of the marketplace can be written over a person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Can {
    /// Odoo takes it.
    Write,
    /// It would undo what has happened: a person has to.
    OnlyByHand,
}

/// The state as a field of conflicts.
pub const STATE: &str = "state";
/// The state of an order that we cancelled, as a field of conflicts.
pub const REOPENED: &str = "reopened";
/// The marketplace as a field of conflicts.
pub const MARKETPLACE: &str = "marketplace";
/// The warehouse as a field of conflicts.
const WAREHOUSE: &str = "warehouse_id";
const LIVE: &str = "live";
const CANCELLED: &str = "cancelled";
const CONFIRMED: &str = "confirmed";
const CANCELLED_TOO_LATE: &str = "Amazon cancelled the order and it is cancelled in Odoo, but meanwhile it was delivered or \
     invoiced there: see to the goods and the invoice by hand, then `odoo-spoold hold accept-odoo`";
pub(super) const BUYER: &str = "buyer";
const BY_HAND: &str = "; this cannot be written over: change it in Odoo by hand, then \
                       `odoo-spoold hold release`, or leave it with `accept-odoo`";

/// A decision that the marketplace's own course has overtaken: it would silence the next one.
pub fn forget_overtaken(declined: &mut Vec<Declined>, cancelled: bool) {
    declined.retain(|declined| match declined.field.as_str() {
        STATE | REOPENED => (declined.wanted == CANCELLED) == cancelled,
        _ => true,
    });
}

/// Whether two unit prices are the same to Odoo.
pub fn same_price(a: Decimal, b: Decimal) -> bool {
    cents(a) == cents(b)
}

/// A unit price as Odoo stores it: two places by default, half away from zero.
pub(super) fn cents(price: Decimal) -> Decimal {
    price.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

/// Partners are people: neither is named.
fn differs(field: &str, why: &str) -> Hold {
    let text = format!(
        "partner differs: a report names the buyer now, but {why}; nothing was written: decide \
         with `odoo-spoold hold accept-odoo` or `accept-marketplace`"
    );
    Hold::new(HoldCode::Conflict, field, text)
}

/// Odoo and the marketplace say different things in a field.
pub(super) fn conflict(field: &str, odoo: &str, marketplace: &str) -> Hold {
    let odoo = if odoo.is_empty() { "nothing" } else { odoo };
    Hold::new(
        HoldCode::Conflict,
        field,
        format!(
            "Odoo has {odoo}, Amazon says {marketplace}; nothing was written: decide with \
             `odoo-spoold hold accept-odoo` or `accept-marketplace`"
        ),
    )
}

#[cfg(test)]
#[path = "diff_tests.rs"]
pub(super) mod tests;
