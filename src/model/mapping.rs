//! Mappings: what we know to stand in Odoo for an order, and what we last wrote there.
//!
//! The values kept per line and for the order are the *base* of the three-way comparison: a field
//! is written again only while Odoo still holds what it answered after our last write.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::ids::{OdooId, OrderItemId, Sku};
use super::marketplace::Marketplace;
use super::ruling::{Declined, Ruling};

/// One order in Odoo, its lines inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// `sale.order` id; 0 while [`Stage::Creating`].
    pub odoo_id: OdooId,
    /// `sale.order` name, such as `S00042`.
    pub name: String,
    /// Who made it.
    pub origin: Origin,
    /// `state` as last read.
    pub state: String,
    /// A stage that was begun and not yet seen finished.
    pub stage: Option<Stage>,
    /// Ordinals of Amazon's lines, given once.
    pub items: Vec<MappedItem>,
    /// The order's lines in Odoo.
    pub lines: Vec<MappedLine>,
    /// Header fields as Odoo answered them after our last write. While an order is being created,
    /// this and `lines` are what we sent.
    pub base: Base,
    /// Gone from Odoo although it stood there: a person deleted it.
    pub deleted: bool,
    /// What we last wrote is not known any more: `base` and `lines` are what Odoo was found to
    /// hold. Until Odoo and the marketplace agree, nothing but a cancellation is written.
    pub base_lost: bool,
    /// The marketplace whose rules it was created by.
    pub marketplace: Option<Marketplace>,
    /// Values of the marketplace that a person declined.
    pub declined: Vec<Declined>,
    /// A decision that has not been acted on yet.
    pub ruling: Option<Ruling>,
    /// Of an adopted order: what the marketplace said when it was last looked at.
    pub seen: String,
    /// When we last began to create it; none where it was found there.
    pub created: Option<Timestamp>,
    /// When we last began to change something of it.
    pub written: Option<Timestamp>,
    /// Note lines that were sent; each is sent once.
    pub notes: Vec<NoteKind>,
    /// What the buyer asked of the delivery does not stand on a delivery order yet.
    pub unsaid: bool,
}

/// A line of an order that only says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// The buyer's purchase order number.
    PurchaseOrder,
    /// Amazon has sent the buyer an invoice (`is-amazon-invoiced`).
    AmazonInvoiced,
    /// Amazon Business bought it and invoices its customer itself (`is-iba`).
    AmazonBusiness,
}

impl NoteKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::PurchaseOrder, Self::AmazonInvoiced, Self::AmazonBusiness];

    /// What its external id ends in.
    pub fn tail(self) -> &'static str {
        match self {
            Self::PurchaseOrder => "po",
            Self::AmazonInvoiced => "invoiced",
            Self::AmazonBusiness => "business",
        }
    }
}

impl Mapping {
    /// Nothing is known yet but who made it.
    pub fn by(origin: Origin) -> Self {
        Self {
            odoo_id: 0,
            name: String::new(),
            origin,
            state: String::new(),
            stage: None,
            items: Vec::new(),
            lines: Vec::new(),
            base: Base::default(),
            deleted: false,
            base_lost: false,
            marketplace: None,
            declined: Vec::new(),
            ruling: None,
            seen: String::new(),
            created: None,
            written: None,
            notes: Vec::new(),
            unsaid: false,
        }
    }

    /// Whether a person decided on this field of conflicts, acted on or not.
    pub fn has_ruled_on(&self, field: &str) -> bool {
        self.declined.iter().any(|declined| declined.field == field)
            || self.ruling.iter().flat_map(|ruling| &ruling.about).any(|hold| hold.key == field)
    }
}

/// Who made the order in Odoo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// We did.
    Ours,
    /// It stood there before: never written.
    Adopted,
}

/// A stage that is stored, with a barrier, before it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The first `load()` is on its way; the ordinals are fixed.
    Creating,
    /// `action_confirm` is on its way. It moves `date_order` to its own time, which is ours to put
    /// back.
    Confirming {
        /// When it began, by the earlier of Odoo's clock and ours.
        since: Timestamp,
        /// `date_order` just before.
        before: Option<Timestamp>,
        /// When the call was sent whose answer has not been seen; none where each was answered. Odoo
        /// may be at it for `limit_time_real` from then on, also after the daemon that sent it died.
        unanswered: Option<Timestamp>,
    },
    /// `action_cancel` is on its way.
    Cancelling {
        /// As in [`Stage::Confirming`].
        unanswered: Option<Timestamp>,
    },
}

impl Stage {
    /// Whether `action_confirm` is on its way.
    pub fn is_confirming(self) -> bool {
        matches!(self, Self::Confirming { .. })
    }

    /// When the call was sent whose answer has not been seen.
    pub fn unanswered(self) -> Option<Timestamp> {
        match self {
            Self::Creating => None,
            Self::Confirming { unanswered, .. } | Self::Cancelling { unanswered } => unanswered,
        }
    }

    /// The same stage with a call that is sent now, or with none left to be answered.
    #[must_use]
    pub fn with_unanswered(self, sent: Option<Timestamp>) -> Self {
        match self {
            Self::Creating => self,
            Self::Confirming { since, before, .. } => {
                Self::Confirming { since, before, unanswered: sent }
            }
            Self::Cancelling { .. } => Self::Cancelling { unanswered: sent },
        }
    }

    /// Whether an order in this `state` shows that the call is over, answered or not.
    pub fn is_reached(self, state: &str) -> bool {
        match self {
            Self::Creating => false,
            Self::Confirming { .. } => is_confirmed(state),
            Self::Cancelling { .. } => state == "cancel",
        }
    }
}

/// The ordinal of one Amazon line within (order, SKU), and what it is matched by later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedItem {
    /// The SKU.
    pub sku: Sku,
    /// 1, 2, … within the SKU; never recomputed.
    pub ordinal: u32,
    /// The order-item id, once a report with ids was seen.
    pub item_id: Option<OrderItemId>,
    /// Quantity when last seen, in units.
    pub quantity: u32,
    /// Item total when last seen.
    pub total: Option<Decimal>,
    /// The row's other amounts when last seen.
    pub others: OtherAmounts,
}

/// What a row says of money beside its item price. A blank cell is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherAmounts {
    /// `item-tax`.
    pub item_tax: Option<Decimal>,
    /// `shipping-price`.
    pub shipping_price: Option<Decimal>,
    /// `shipping-tax`.
    pub shipping_tax: Option<Decimal>,
    /// `gift-wrap-price`.
    pub gift_wrap_price: Option<Decimal>,
    /// `gift-wrap-tax`.
    pub gift_wrap_tax: Option<Decimal>,
    /// `item-promotion-discount`.
    pub item_promotion: Option<Decimal>,
    /// `ship-promotion-discount`.
    pub ship_promotion: Option<Decimal>,
}

/// One `sale.order.line` of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedLine {
    /// The name part of its external id.
    pub external: String,
    /// `sale.order.line` id.
    pub odoo_id: OdooId,
    /// `product_uom_qty` as Odoo answered it.
    pub quantity: Decimal,
    /// `price_unit` as Odoo answered it.
    pub price_unit: Decimal,
    /// Tax ids as Odoo answered them, sorted.
    pub taxes: Vec<OdooId>,
}

/// Header fields as Odoo answered them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// `date_order`, in Odoo's own text (UTC).
    pub date_order: String,
    /// `commitment_date`, likewise; empty where unset.
    pub commitment_date: String,
    /// `partner_id`.
    pub partner_id: OdooId,
    /// `partner_shipping_id`.
    pub partner_shipping_id: OdooId,
    /// `amount_total`.
    pub amount_total: Decimal,
    /// `warehouse_id`.
    pub warehouse_id: OdooId,
    /// The partners are the buyer and the ship address, not the anonymous partner.
    pub addressed: bool,
    /// `state` as we left it, or as we last agreed with it.
    pub state: String,
}

/// Whether a `state` of Odoo is that of a confirmed order, locked or not.
pub fn is_confirmed(state: &str) -> bool {
    matches!(state, "sale" | "done")
}
