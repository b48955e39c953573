//! Columns of the buyer that unshipped and order reports share.

use crate::model::Marketplace;

use super::super::draft::{BUYER_CELLS, Draft};
use super::super::fault::Fault;
use super::super::header::{Col, Picker};
use super::super::row::Row;

/// The columns of the cells that make a buyer; see [`super::super::draft::buyer_of`].
const BUYER_NAMES: [&str; BUYER_CELLS] = [
    "buyer-email",
    "buyer-name",
    "buyer-phone-number",
    "buyer-company-name",
    "buyer-vat-number",
    "recipient-name",
    "ship-address-1",
    "ship-address-2",
    "ship-address-3",
    "ship-city",
    "ship-state",
    "ship-postal-code",
    "ship-country",
    "ship-phone-number",
    "purchase-order-number",
];

/// Where the columns of the buyer are.
#[derive(Debug)]
pub(super) struct BuyerColumns {
    /// In the order of [`BUYER_CELLS`].
    cells: [Col; BUYER_CELLS],
    tax_registration: Col,
    instructions: Col,
    gift_message: Col,
    customized_url: Col,
    customized_page: Col,
}

impl BuyerColumns {
    pub(super) fn find(picker: &mut Picker<'_>) -> Self {
        Self {
            cells: BUYER_NAMES.map(|name| picker.optional(name)),
            tax_registration: picker.optional("buyer-tax-registration-id"),
            instructions: picker.optional("delivery-instructions"),
            gift_message: picker.optional("gift-message-text"),
            customized_url: picker.optional("customized-url"),
            customized_page: picker.optional("customized-page"),
        }
    }

    /// Adds the row's buyer and its notes; those of one article carry its SKU.
    pub(super) fn read(&self, row: &Row<'_>, sku: &str, draft: &mut Draft) -> Result<(), Fault> {
        let mut cells = [""; BUYER_CELLS];
        for (cell, col) in cells.iter_mut().zip(self.cells) {
            *cell = row.text(col)?;
        }
        let [.., vat, _, _, _, _, _, _, _, _, _, _] = &mut cells;
        if vat.is_empty() {
            *vat = row.text(self.tax_registration)?;
        }
        draft.buyer(&cells);
        let [email, ..] = cells;
        if let Some(marketplace) = Marketplace::of_relay_address(email) {
            draft.relay(marketplace);
        }
        let instructions = row.text(self.instructions)?;
        if !instructions.is_empty() {
            draft.note(format!("Delivery instructions: {instructions}"));
        }
        for (col, what) in [
            (self.gift_message, "Gift message"),
            (self.customized_url, "Customisation (files)"),
            (self.customized_page, "Customisation"),
        ] {
            let said = row.text(col)?;
            if !said.is_empty() {
                draft.note(format!("{what}, {sku}: {said}"));
            }
        }
        Ok(())
    }
}
