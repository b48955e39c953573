//! Columns of the whole order that several reports share.

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
        }
        head.business |= row.flag(self.business)?;
        head.replacement |= row.flag(self.replacement)? || row.flag(self.exchange)?;
        head.cancellation_requested |= row.flag(self.cancellation)?;
        if let Ok(original) = row.id(self.original_order_id) {
            head.original_order_id = head.original_order_id.take().max(Some(original));
        }
        let channel = row.text(self.sales_channel)?;
        if is_non_amazon(channel) {
            if head.marketplace.is_some() {
                return Err(Fault { col: self.sales_channel, why: Why::Differs });
            }
            head.non_amazon = true;
        } else if !channel.is_empty() {
            let marketplace = channel.parse::<Marketplace>().ok();
            odd.channel = marketplace.is_none();
            if head.non_amazon {
                return Err(Fault { col: self.sales_channel, why: Why::Differs });
            }
            agree(&mut head.marketplace, marketplace, self.sales_channel)?;
        }
        Ok(())
    }
}

/// `Non-Amazon`, `Non-Amazon CA` …: sold elsewhere, shipped by Amazon.
fn is_non_amazon(channel: &str) -> bool {
    channel.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("Non-Amazon"))
}

/// `fulfillment-channel`.
pub(super) fn fulfilment(row: &Row<'_>, col: Col) -> Result<Option<Fulfilment>, Fault> {
    let word = row.text(col)?;
    let is = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    if word.is_empty() {
        Ok(None)
    } else if is(&["Merchant", "MFN", "Seller"]) {
        Ok(Some(Fulfilment::Merchant))
    } else if is(&["Amazon", "AFN"]) {
        Ok(Some(Fulfilment::Amazon))
    } else {
        Err(Fault { col, why: Why::Word })
    }
}

/// `tax-collection-model`: whether Amazon collects the tax itself; none without the column.
pub(super) fn facilitator(row: &Row<'_>, col: Col) -> Result<Option<bool>, Fault> {
    if !col.exists() {
        return Ok(None);
    }
    Ok(Some(row.text(col)?.eq_ignore_ascii_case("MarketplaceFacilitator")))
}
