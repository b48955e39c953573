//! Who buys, as far as it decides which partner an order gets, and what is noted on the order.
//!
//! Notes are lines of the order without a product (`display_type` `line_note`): Odoo prints them on
//! the order and on its invoice, and they count in no total. Each has an external id of its own and
//! is sent once; what a person does with it afterwards stays.

use std::fmt;

use super::external;
use super::merge::Record;
use super::policy::{AccountPolicy, PartnerMode};
use crate::model::{BuyerFact, NoteKind};

/// Who buys. Prints nothing of the buyer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Buying {
    /// A business buys.
    pub business: bool,
    /// Amazon Business buys and invoices its customer itself: its e-mail address is the same for
    /// every order.
    pub by_amazon_business: bool,
    /// What is noted on the order.
    pub notes: Vec<NoteLine>,
}

/// One note line. Its text may be the buyer's: `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct NoteLine {
    /// What it says.
    pub kind: NoteKind,
    /// The name part of its external id.
    pub external: String,
    /// `name`.
    pub text: String,
}

impl fmt::Debug for NoteLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoteLine").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Buying {
    /// What the merged record and the buyer say.
    pub(super) fn new(record: &Record, buyer: Option<&BuyerFact>, policy: &AccountPolicy) -> Self {
        let mut notes = Vec::new();
        let mut note = |kind: NoteKind, text: String| {
            let external = external::note(&record.order_id, kind);
            notes.push(NoteLine { kind, external, text });
        };
        let number = buyer.map(|buyer| buyer.purchase_order_number.trim()).unwrap_or_default();
        if policy.partner == PartnerMode::Buyer && !number.is_empty() {
            note(NoteKind::PurchaseOrder, format!("Your order: {number}"));
        }
        if record.amazon_invoiced {
            let text = "Amazon has invoiced this order: it needs no other invoice";
            note(NoteKind::AmazonInvoiced, text.to_owned());
        }
        if record.invoiced_by_amazon_business {
            let text = "Amazon Business bought this order and invoices its customer itself";
            note(NoteKind::AmazonBusiness, text.to_owned());
        }
        Self {
            business: record.business,
            by_amazon_business: record.invoiced_by_amazon_business,
            notes,
        }
    }
}
