//! Columns of the buyer that unshipped and order reports share.

use crate::model::BuyerFact;

use super::super::draft::Draft;
use super::super::fault::Fault;
use super::super::header::{Col, Picker};
use super::super::row::Row;

/// Where the columns of the buyer are.
#[derive(Debug)]
pub(super) struct BuyerColumns {
    email: Col,
    name: Col,
    phone: Col,
    company: Col,
    vat: Col,
    tax_registration: Col,
    recipient: Col,
    address: [Col; 3],
    city: Col,
    state: Col,
    postal_code: Col,
    country: Col,
    ship_phone: Col,
    purchase_order_number: Col,
    instructions: Col,
    gift_message: Col,
    customized_url: Col,
    customized_page: Col,
}

impl BuyerColumns {
    pub(super) fn find(picker: &mut Picker<'_>) -> Self {
        Self {
            email: picker.optional("buyer-email"),
            name: picker.optional("buyer-name"),
            phone: picker.optional("buyer-phone-number"),
            company: picker.optional("buyer-company-name"),
            vat: picker.optional("buyer-vat-number"),
            tax_registration: picker.optional("buyer-tax-registration-id"),
            recipient: picker.optional("recipient-name"),
            address: ["ship-address-1", "ship-address-2", "ship-address-3"]
                .map(|name| picker.optional(name)),
            city: picker.optional("ship-city"),
            state: picker.optional("ship-state"),
            postal_code: picker.optional("ship-postal-code"),
            country: picker.optional("ship-country"),
            ship_phone: picker.optional("ship-phone-number"),
            purchase_order_number: picker.optional("purchase-order-number"),
            instructions: picker.optional("delivery-instructions"),
            gift_message: picker.optional("gift-message-text"),
            customized_url: picker.optional("customized-url"),
            customized_page: picker.optional("customized-page"),
        }
    }

    /// Adds the row's buyer and its notes; those of one article carry its SKU.
    pub(super) fn read(&self, row: &Row<'_>, sku: &str, draft: &mut Draft) -> Result<(), Fault> {
        let text = |col| row.text(col).map(str::to_owned);
        let [address_1, address_2, address_3] = self.address;
        let mut vat = row.text(self.vat)?;
        if vat.is_empty() {
            vat = row.text(self.tax_registration)?;
        }
        let buyer = BuyerFact {
            email: text(self.email)?,
            name: text(self.name)?,
            phone: text(self.phone)?,
            company: text(self.company)?,
            vat: vat.to_owned(),
            recipient: text(self.recipient)?,
            address_1: text(address_1)?,
            address_2: text(address_2)?,
            address_3: text(address_3)?,
            city: text(self.city)?,
            state: text(self.state)?,
            postal_code: text(self.postal_code)?,
            country: text(self.country)?,
            ship_phone: text(self.ship_phone)?,
            purchase_order_number: text(self.purchase_order_number)?,
            notes: Vec::new(),
        };
        draft.buyer(buyer);
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
