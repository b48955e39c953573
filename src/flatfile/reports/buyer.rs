//! Columns of the buyer: those that unshipped and order reports share, and what All Orders says of
//! a business that buys.

use crate::model::Marketplace;

use super::super::draft::{BUYER_CELLS, Draft};
use super::super::fault::Fault;
use super::super::header::{Col, Picker};
use super::super::row::Row;

/// The columns of the cells that make a buyer; see `buyer_of` in `draft/cells.rs`.
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
    "bill-address-1",
    "bill-address-2",
    "bill-address-3",
    "bill-city",
    "bill-state",
    "bill-postal-code",
    "bill-country",
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
        let [_, _, _, _, vat, ..] = &mut cells;
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

/// Where All Orders names the company that buys. It names no person and no street.
#[derive(Debug)]
pub(super) struct BusinessColumns {
    company: Col,
    vat: Col,
    tax_registration: Col,
    purchase_order_number: Col,
}

impl BusinessColumns {
    pub(super) fn find(picker: &mut Picker<'_>) -> Self {
        Self {
            company: picker.optional("buyer-company-name"),
            vat: picker.optional("buyer-vat-number"),
            tax_registration: picker.optional("buyer-tax-registration-id"),
            purchase_order_number: picker.optional("purchase-order-number"),
        }
    }

    /// Adds the row's company, where it names one.
    pub(super) fn read(&self, row: &Row<'_>, draft: &mut Draft) -> Result<(), Fault> {
        let company = row.text(self.company)?;
        let mut vat = row.text(self.vat)?;
        if vat.is_empty() {
            vat = row.text(self.tax_registration)?;
        }
        let order = row.text(self.purchase_order_number)?;
        if company.is_empty() && vat.is_empty() && order.is_empty() {
            return Ok(());
        }
        let mut cells = [""; BUYER_CELLS];
        let [_, _, _, company_cell, vat_cell, ..] = &mut cells;
        *company_cell = company;
        *vat_cell = vat;
        let [.., order_cell, _, _, _, _, _, _, _] = &mut cells;
        *order_cell = order;
        draft.buyer(&cells);
        Ok(())
    }
}
