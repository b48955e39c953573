//! Columns of the whole order that several reports share.

use crate::model::marketplace::is_multi_channel;
use crate::model::{Fulfilment, Marketplace};

use super::super::draft::{Draft, agree, earliest, larger};
use super::super::fault::{Fault, Why};
use super::super::header::{Col, Picker};
use super::super::row::Row;
use super::Odd;

/// Where the columns of the whole order are.
#[derive(Debug)]
pub(super) struct HeadColumns {
    purchase_date: Col,
    promise_date: Col,
    sales_channel: Col,
    ship_country: Col,
    service_level: Col,
    business: Col,
    amazon_invoiced: Col,
    invoiced_by_amazon_business: Col,
    replacement: Col,
    exchange: Col,
    original_order_id: Col,
    cancellation: Col,
}

impl HeadColumns {
    pub(super) fn find(picker: &mut Picker<'_>) -> Self {
        Self {
            purchase_date: picker.required("purchase-date"),
            promise_date: picker.optional("promise-date"),
            sales_channel: picker.optional("sales-channel"),
            ship_country: picker.optional("ship-country"),
            service_level: picker.optional("ship-service-level"),
            business: picker.optional("is-business-order"),
            amazon_invoiced: picker.optional("is-amazon-invoiced"),
            invoiced_by_amazon_business: picker.optional("is-iba"),
            replacement: picker.optional("is-replacement-order"),
            exchange: picker.optional("is-exchange-order"),
            original_order_id: picker.optional("original-order-id"),
            cancellation: picker.optional("is-buyer-requested-cancellation"),
        }
    }

    pub(super) fn read(
        &self,
        row: &Row<'_>,
        draft: &mut Draft,
        odd: &mut Odd,
    ) -> Result<(), Fault> {
        let purchased = row.needed_instant(self.purchase_date)?;
        let promised = row.instant(self.promise_date)?;
        let head = draft.head();
        earliest(&mut head.purchase_date, Some(purchased));
        earliest(&mut head.promise_date, promised);
        larger(&mut head.service_level, row.text(self.service_level)?);
        let country = row.text(self.ship_country)?;
        if country.len() == 2 && country.bytes().all(|b| b.is_ascii_alphabetic()) {
            if country.bytes().all(|b| b.is_ascii_uppercase()) {
                larger(&mut head.ship_country, country);
            } else {
                larger(&mut head.ship_country, &country.to_ascii_uppercase());
            }
        } else if !country.is_empty() {
            // It chooses the tax. Not shown: what stands there in place of a code is a buyer's word.
            odd.word(draft, "ship-country", "");
        }
        let head = draft.head();
        head.business |= row.flag(self.business)?;
        head.amazon_invoiced |= row.flag(self.amazon_invoiced)?;
        head.invoiced_by_amazon_business |= row.flag(self.invoiced_by_amazon_business)?;
        head.replacement |= row.flag(self.replacement)? || row.flag(self.exchange)?;
        head.cancellation_requested |= row.flag(self.cancellation)?;
        if let Ok(original) = row.id(self.original_order_id) {
            head.original_order_id = head.original_order_id.take().max(Some(original));
        }
        let channel = row.text(self.sales_channel)?;
        let multi_channel = draft.order_id().is_multi_channel();
        let head = draft.head();
        if is_multi_channel(channel) {
            if head.marketplace.is_some() {
                return Err(Fault { col: self.sales_channel, why: Why::Differs });
            }
            head.non_amazon = true;
        } else if let Ok(marketplace) = channel.parse::<Marketplace>() {
            if head.non_amazon {
                let why = if multi_channel { Why::Channel } else { Why::Differs };
                return Err(Fault { col: self.sales_channel, why });
            }
            agree(&mut head.marketplace, Some(marketplace), self.sales_channel)?;
        } else if !channel.is_empty() && !multi_channel {
            odd.word(draft, "sales-channel", channel);
        }
        Ok(())
    }
}

/// `fulfillment-channel`.
pub(super) fn fulfilment(
    row: &Row<'_>,
    col: Col,
    draft: &mut Draft,
    odd: &mut Odd,
) -> Result<Option<Fulfilment>, Fault> {
    let word = row.text(col)?;
    let is = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    if word.is_empty() {
        Ok(None)
    } else if is(&["Merchant", "MFN", "Seller"]) {
        Ok(Some(Fulfilment::Merchant))
    } else if is(&["Amazon", "AFN"]) {
        Ok(Some(Fulfilment::Amazon))
    } else {
        odd.word(draft, "fulfillment-channel", word);
        Ok(None)
    }
}

/// `tax-collection-model`: whether Amazon collects the tax itself; none without the column.
pub(super) fn facilitator(
    row: &Row<'_>,
    col: Col,
    draft: &mut Draft,
    odd: &mut Odd,
) -> Result<Option<bool>, Fault> {
    if !col.exists() {
        return Ok(None);
    }
    let word = row.text(col)?;
    let facilitator = word.eq_ignore_ascii_case("MarketplaceFacilitator");
    if !facilitator && !word.is_empty() {
        odd.word(draft, "tax-collection-model", word);
    }
    Ok(Some(facilitator))
}
