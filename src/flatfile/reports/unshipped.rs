//! Unshipped orders: `GET_FLAT_FILE_ACTIONABLE_ORDER_DATA_SHIPPING`.
//!
//! Buyer and order-item ids, no price. What stands here waits for the seller to ship it.

use crate::model::{Family, Fulfilment, OrderItemId, OrderStatus, Sku};

use super::super::draft::{Draft, agree};
use super::super::fault::{Fault, Why};
use super::super::header::{Col, Picker};
use super::super::row::Row;
use super::buyer::BuyerColumns;
use super::head::{HeadColumns, facilitator};
use super::{Kind, Odd, Report, article};

pub(super) const KIND: Kind = Kind {
    family: Family::Unshipped,
    signature: &["order-id", "order-item-id", "quantity-to-ship"],
    without: &[],
    known: KNOWN,
    plan: |picker| Box::new(Unshipped::find(picker)),
};

#[derive(Debug)]
struct Unshipped {
    head: HeadColumns,
    buyer: BuyerColumns,
    item_id: Col,
    reporting_date: Col,
    sku: Col,
    title: Col,
    purchased: Col,
    shipped: Col,
    currency: Col,
    tax_model: Col,
}

impl Unshipped {
    fn find(picker: &mut Picker<'_>) -> Self {
        picker.order_id("order-id");
        Self {
            item_id: picker.required("order-item-id"),
            head: HeadColumns::find(picker),
            reporting_date: picker.required("reporting-date"),
            buyer: BuyerColumns::find(picker),
            sku: picker.required("sku"),
            title: picker.optional("product-name"),
            purchased: picker.required("quantity-purchased"),
            shipped: picker.optional("quantity-shipped"),
            currency: picker.optional("currency"),
            tax_model: picker.optional("tax-collection-model"),
        }
    }
}

impl Report for Unshipped {
    fn read(&self, row: &Row<'_>, draft: &mut Draft, odd: &mut Odd) -> Result<(), Fault> {
        draft.version(row.needed_instant(self.reporting_date)?);
        self.head.read(row, draft, odd)?;
        draft.head().fulfilment = Some(Fulfilment::Merchant);
        agree(&mut draft.head().currency, row.currency(self.currency)?, self.currency)?;
        let quantity = row.units(self.purchased)?;
        let shipped = row.units(self.shipped)?.unwrap_or(0);
        draft.status(if shipped > 0 {
            OrderStatus::PartiallyShipped
        } else {
            OrderStatus::Unshipped
        });
        let sku: Sku = row.id(self.sku)?;
        self.buyer.read(row, sku.as_str(), draft)?;
        let quantity = quantity.ok_or(Fault { col: self.purchased, why: Why::Empty })?;
        let mut line = article(row.line, sku, row.text(self.title)?, quantity);
        line.item_id = Some(row.id::<OrderItemId>(self.item_id)?);
        line.facilitator = facilitator(row, self.tax_model)?;
        draft.item(line, self.item_id).map(drop)
    }
}

/// The 27 base columns and those that the US, UK and India have besides.
const KNOWN: &[&str] = &[
    "order-id",
    "order-item-id",
    "purchase-date",
    "payments-date",
    "reporting-date",
    "promise-date",
    "days-past-promise",
    "buyer-email",
    "buyer-name",
    "payment-method-details",
    "buyer-phone-number",
    "sku",
    "number-of-items",
    "product-name",
    "quantity-purchased",
    "quantity-shipped",
    "quantity-to-ship",
    "ship-service-level",
    "ship-service-name",
    "recipient-name",
    "ship-address-1",
    "ship-address-2",
    "ship-address-3",
    "address-type",
    "ship-city",
    "ship-state",
    "ship-postal-code",
    "ship-country",
    "ship-phone-number",
    "delivery-instructions",
    "sales-channel",
    "gift-wrap-type",
    "gift-message-text",
    "payment-method",
    "cod-collectible-amount",
    "already-paid",
    "payment-method-fee",
    "customized-url",
    "customized-page",
    "is-business-order",
    "purchase-order-number",
    "price-designation",
    "is-prime",
    "fulfilled-by",
    "shipment-status",
    "is-premium-order",
    "buyer-company-name",
    "buyer-cst-number",
    "buyer-vat-number",
    "buyer-tax-registration-id",
    "buyer-tax-registration-country",
    "buyer-tax-registration-type",
    "licensee-name",
    "license-number",
    "license-state",
    "license-expiration-date",
    "is-heavy-or-bulky",
    "is-replacement-order",
    "is-exchange-order",
    "original-order-id",
    "is-transparency",
    "is-iba",
    "buyer-citizen-name",
    "buyer-citizen-id",
    "default-ship-from-address-name",
    "default-ship-from-address-field-1",
    "default-ship-from-address-field-2",
    "default-ship-from-address-field-3",
    "default-ship-from-city",
    "default-ship-from-state",
    "default-ship-from-country",
    "default-ship-from-postal-code",
    "is-ispu-order",
    "store-chain-store-id",
    "is-pickup-point-order",
    "pickup-point-type",
    "is-buyer-requested-cancellation",
    "buyer-requested-cancel-reason",
    "ioss-number",
    "tax-collection-model",
    "tax-collection-responsible-party",
    "order-invoice-type",
    "invoice-business-legal-name",
    "invoice-business-address",
    "invoice-business-tax-id",
    "invoice-business-tax-office",
    "verge-of-cancellation",
    "verge-of-lateshipment",
    "signature-confirmation-recommended",
];
