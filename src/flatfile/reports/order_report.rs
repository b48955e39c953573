//! Order reports: `GET_FLAT_FILE_ORDER_REPORT_DATA_{SHIPPING,INVOICING,TAX}` and the older
//! `GET_FLAT_FILE_ORDERS_DATA`.
//!
//! Buyer, order-item ids and prices, no version. One item may take several rows, one for each of
//! its promotions: it is one line, its quantity and prices count once, each promotion counts once.

use crate::model::{Family, Fulfilment, IdGrammar, Sku};

use super::super::draft::{Discount, Draft, agree};
use super::super::fault::{Fault, Why};
use super::super::header::{Col, Picker};
use super::super::row::Row;
use super::amounts::AmountColumns;
use super::buyer::BuyerColumns;
use super::head::{HeadColumns, facilitator};
use super::{Kind, Odd, Report, article};

pub(super) const KIND: Kind = Kind {
    family: Family::OrderReport,
    signature: &["order-id", "order-item-id", "quantity-purchased", "item-price"],
    without: &["quantity-to-ship"],
    version: None,
    grammar: GRAMMAR,
    known: KNOWN,
    unused: &[],
    plan: |picker| Box::new(OrderReport::find(picker)),
};

const GRAMMAR: IdGrammar = IdGrammar::Amazon;

#[derive(Debug)]
struct OrderReport {
    head: HeadColumns,
    buyer: BuyerColumns,
    amounts: AmountColumns,
    item_id: Col,
    sku: Col,
    title: Col,
    purchased: Col,
    currency: Col,
    item_promotion_id: Col,
    ship_promotion_id: Col,
    tax_model: Col,
}

impl OrderReport {
    fn find(picker: &mut Picker<'_>) -> Self {
        picker.order_id("order-id");
        Self {
            item_id: picker.required("order-item-id"),
            head: HeadColumns::find(picker),
            buyer: BuyerColumns::find(picker),
            sku: picker.required("sku"),
            title: picker.optional("product-name"),
            purchased: picker.required("quantity-purchased"),
            currency: picker.required("currency"),
            amounts: AmountColumns::find(picker),
            item_promotion_id: picker.optional("item-promotion-id"),
            ship_promotion_id: picker.optional("ship-promotion-id"),
            tax_model: picker.optional("tax-collection-model"),
        }
    }
}

impl Report for OrderReport {
    fn read(&self, row: &Row<'_>, draft: &mut Draft, odd: &mut Odd) -> Result<(), Fault> {
        draft.updated(None);
        self.head.read(row, draft, odd)?;
        draft.head().fulfilment = Some(Fulfilment::Merchant);
        let currency = row.currency(self.currency)?;
        agree(&mut draft.head().currency, currency, self.currency)?;
        let quantity = row.units(self.purchased)?;
        let sku: Sku = row.id(self.sku)?;
        self.buyer.read(row, sku.as_str(), draft)?;
        let item_promotion = row.amount(self.amounts.item_promotion)?;
        let ship_promotion = row.amount(self.amounts.ship_promotion)?;
        let quantity = quantity.ok_or(Fault { col: self.purchased, why: Why::Empty })?;
        let mut line = article(row.line, sku, row.text(self.title)?, quantity);
        let (id, cut) = row
            .item_id(GRAMMAR, self.item_id)?
            .ok_or(Fault { col: self.item_id, why: Why::Empty })?;
        line.item_id = Some(id);
        odd.cut_id |= cut;
        line.facilitator = facilitator(row, self.tax_model, draft, odd)?;
        self.amounts.read(row, &mut line)?;
        if currency.is_none() && AmountColumns::any(&line) {
            return Err(Fault { col: self.currency, why: Why::Empty });
        }
        let place = draft.item(line, self.item_id)?;
        let id = row.text(self.item_promotion_id)?;
        draft.promotion(place, Discount::Item, id, item_promotion, self.amounts.item_promotion)?;
        let id = row.text(self.ship_promotion_id)?;
        draft.promotion(place, Discount::Shipping, id, ship_promotion, self.amounts.ship_promotion)
    }
}

/// The 29 base columns, those of invoicing reports, and what was added since.
const KNOWN: &[&str] = &[
    "order-id",
    "order-item-id",
    "purchase-date",
    "payments-date",
    "reporting-date",
    "buyer-email",
    "buyer-name",
    "buyer-phone-number",
    "invoice-business-legal-name",
    "invoice-business-address",
    "invoice-business-tax-id",
    "invoice-business-tax-office",
    "order-invoice-type",
    "sku",
    "product-name",
    "quantity-purchased",
    "currency",
    "item-price",
    "item-tax",
    "shipping-price",
    "shipping-tax",
    "gift-wrap-price",
    "gift-wrap-tax",
    "gift-wrap-type",
    "gift-message-text",
    "ship-service-level",
    "recipient-name",
    "ship-address-1",
    "ship-address-2",
    "ship-address-3",
    "ship-city",
    "ship-state",
    "ship-postal-code",
    "ship-country",
    "ship-phone-number",
    "bill-address-1",
    "bill-address-2",
    "bill-address-3",
    "bill-city",
    "bill-state",
    "bill-postal-code",
    "bill-country",
    "item-promotion-discount",
    "item-promotion-id",
    "ship-promotion-discount",
    "ship-promotion-id",
    "tax-location-code",
    "tax-collection-model",
    "tax-collection-responsible-party",
    "delivery-start-date",
    "delivery-end-date",
    "delivery-time-zone",
    "delivery-instructions",
    "sales-channel",
    "is-business-order",
    "purchase-order-number",
    "price-designation",
    "is-sold-by-ab",
    "is-prime",
    "is-iba",
    "buyer-company-name",
    "buyer-vat-number",
    "buyer-tax-registration-id",
    "buyer-tax-registration-country",
    "buyer-tax-registration-type",
    "customized-url",
    "customized-page",
    "is-replacement-order",
    "is-exchange-order",
    "original-order-id",
    "is-buyer-requested-cancellation",
    "buyer-requested-cancel-reason",
    "ioss-number",
    "cpf",
    "number-of-items",
    "payment-method-details",
    "earliest-ship-date",
    "latest-ship-date",
    "earliest-delivery-date",
    "latest-delivery-date",
    "signature-confirmation-recommended",
];
