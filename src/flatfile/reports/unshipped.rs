//! Unshipped orders: `GET_FLAT_FILE_ACTIONABLE_ORDER_DATA_SHIPPING`.
//!
//! Buyer and order-item ids, no price. What stands here waits for the seller to ship it.

use crate::model::{Family, Fulfilment, IdGrammar, OrderStatus, Sku};

use super::super::draft::{Draft, agree};
use super::super::fault::{Fault, Why};
use super::super::header::{Col, Picker};
use super::super::row::Row;
use super::buyer::BuyerColumns;
use super::head::{HeadColumns, facilitator};
use super::{Kind, Odd, Report, Treatment, Unused, article};

pub(super) const KIND: Kind = Kind {
    family: Family::Unshipped,
    signature: &["order-id", "order-item-id", "quantity-to-ship"],
    without: &[],
    version: Some("reporting-date"),
    grammar: GRAMMAR,
    known: KNOWN,
    unused: UNUSED,
    plan: |picker| Box::new(Unshipped::find(picker)),
};

const GRAMMAR: IdGrammar = IdGrammar::Amazon;

const PRICE: &str = "it is not documented whether an unshipped report's prices are of a unit or a \
    line: All Orders or an order report gives them";

/// Columns of money that are known and not used.
const UNUSED: &[Unused] = &[
    Unused { name: "item-price", treatment: Treatment::Notice, reason: PRICE },
    Unused { name: "item-tax", treatment: Treatment::Notice, reason: PRICE },
    Unused { name: "shipping-price", treatment: Treatment::Notice, reason: PRICE },
    Unused { name: "shipping-tax", treatment: Treatment::Notice, reason: PRICE },
    Unused { name: "gift-wrap-price", treatment: Treatment::Notice, reason: PRICE },
    Unused { name: "gift-wrap-tax", treatment: Treatment::Notice, reason: PRICE },
    Unused { name: "item-promotion-discount", treatment: Treatment::Notice, reason: PRICE },
    Unused { name: "ship-promotion-discount", treatment: Treatment::Notice, reason: PRICE },
    Unused {
        name: "payment-method-fee",
        treatment: Treatment::Notice,
        reason: "the buyer pays this fee for cash on delivery, and the order in Odoo does not have it",
    },
    Unused {
        name: "cod-collectible-amount",
        treatment: Treatment::Nothing,
        reason: "what is collected at the door: the order's own total and the fee",
    },
];

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
        let reported = row.needed_instant(self.reporting_date)?;
        draft.updated(None);
        draft.reported(reported);
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
        let (id, cut) = row
            .item_id(GRAMMAR, self.item_id)?
            .ok_or(Fault { col: self.item_id, why: Why::Empty })?;
        line.item_id = Some(id);
        odd.cut_id |= cut;
        line.facilitator = facilitator(row, self.tax_model, draft, odd)?;
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
    "cpf",
    "buyer-identification-number",
    "buyer-identification-type",
    "is-shipping-settings-automation-enabled",
    "ssa-carrier",
    "ssa-ship-method",
    "amazon-programs",
    "delivery-preferred-time",
    "drop-off-location",
    "pallet-delivery",
    "scheduled-delivery-start-date",
    "scheduled-delivery-end-date",
    "points-granted",
];
