//! Columns of money that several reports share.

use crate::model::FactLine;

use super::super::fault::Fault;
use super::super::header::{Col, Picker};
use super::super::row::Row;

/// Where the columns of money are.
#[derive(Debug)]
pub(super) struct AmountColumns {
    item_price: Col,
    item_tax: Col,
    shipping_price: Col,
    shipping_tax: Col,
    gift_wrap_price: Col,
    gift_wrap_tax: Col,
    pub item_promotion: Col,
    pub ship_promotion: Col,
    item_net: Col,
    shipping_net: Col,
    gift_wrap_net: Col,
}

impl AmountColumns {
    pub(super) fn find(picker: &mut Picker<'_>) -> Self {
        Self {
            item_price: picker.required_amount("item-price"),
            item_tax: picker.amount("item-tax"),
            shipping_price: picker.amount("shipping-price"),
            shipping_tax: picker.amount("shipping-tax"),
            gift_wrap_price: picker.amount("gift-wrap-price"),
            gift_wrap_tax: picker.amount("gift-wrap-tax"),
            item_promotion: picker.amount("item-promotion-discount"),
            ship_promotion: picker.amount("ship-promotion-discount"),
            item_net: picker.amount("vat-exclusive-item-price"),
            shipping_net: picker.amount("vat-exclusive-shipping-price"),
            gift_wrap_net: picker.amount("vat-exclusive-giftwrap-price"),
        }
    }

    /// Fills in everything but the two discounts, which not every report has once per line.
    pub(super) fn read(&self, row: &Row<'_>, line: &mut FactLine) -> Result<(), Fault> {
        line.item_price = row.amount(self.item_price)?;
        line.item_tax = row.amount(self.item_tax)?;
        line.shipping_price = row.amount(self.shipping_price)?;
        line.shipping_tax = row.amount(self.shipping_tax)?;
        line.gift_wrap_price = row.amount(self.gift_wrap_price)?;
        line.gift_wrap_tax = row.amount(self.gift_wrap_tax)?;
        line.item_price_net = row.amount(self.item_net)?;
        line.shipping_price_net = row.amount(self.shipping_net)?;
        line.gift_wrap_price_net = row.amount(self.gift_wrap_net)?;
        Ok(())
    }

    /// Whether the row names any amount.
    pub(super) fn any(line: &FactLine) -> bool {
        let amounts = [
            line.item_price,
            line.item_tax,
            line.shipping_price,
            line.shipping_tax,
            line.gift_wrap_price,
            line.gift_wrap_tax,
            line.item_promotion,
            line.ship_promotion,
        ];
        amounts.into_iter().flatten().any(|amount| !amount.is_zero())
    }
}
