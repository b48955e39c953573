//! All Orders: `GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL` and its header-identical kin.
//!
//! Price and status, no buyer, no line id. One row is one line, also where two rows are equal: an
//! order may hold the same article twice. Cancelled rows keep their price.

use crate::model::{Family, ItemStatus, OrderStatus};

use super::super::draft::{Draft, agree};
use super::super::fault::{Fault, Why};
use super::super::header::{Col, Picker};
use super::super::row::Row;
use super::amounts::AmountColumns;
use super::head::{HeadColumns, facilitator, fulfilment};
use super::{Kind, Odd, Report, article};

pub(super) const KIND: Kind = Kind {
    family: Family::AllOrders,
    signature: &["amazon-order-id", "last-updated-date", "item-status"],
    without: &["shipment-item-id"],
    known: KNOWN,
    plan: |picker| Box::new(AllOrders::find(picker)),
};

#[derive(Debug)]
struct AllOrders {
    head: HeadColumns,
    amounts: AmountColumns,
    last_updated: Col,
    order_status: Col,
    item_status: Col,
    fulfilment: Col,
    sku: Col,
    title: Col,
    quantity: Col,
    currency: Col,
    tax_model: Col,
}

impl AllOrders {
    fn find(picker: &mut Picker<'_>) -> Self {
        picker.order_id("amazon-order-id");
        Self {
            head: HeadColumns::find(picker),
            last_updated: picker.required("last-updated-date"),
            order_status: picker.required("order-status"),
            item_status: picker.required("item-status"),
            fulfilment: picker.required("fulfillment-channel"),
            sku: picker.required("sku"),
            title: picker.optional("product-name"),
            quantity: picker.required("quantity"),
            currency: picker.required("currency"),
            amounts: AmountColumns::find(picker),
            tax_model: picker.optional("tax-collection-model"),
        }
    }
}

impl Report for AllOrders {
    fn read(&self, row: &Row<'_>, draft: &mut Draft, odd: &mut Odd) -> Result<(), Fault> {
        draft.version(row.needed_instant(self.last_updated)?);
        let status = order_status(row.text(self.order_status)?);
        odd.status = status == OrderStatus::Unknown;
        draft.status(status);
        self.head.read(row, draft, odd)?;
        let channel = fulfilment(row, self.fulfilment)?;
        agree(&mut draft.head().fulfilment, channel, self.fulfilment)?;
        let currency = row.currency(self.currency)?;
        agree(&mut draft.head().currency, currency, self.currency)?;
        let item_status = if is_cancelled(row.text(self.item_status)?) {
            ItemStatus::Cancelled
        } else {
            ItemStatus::Live
        };
        let cancelled = status == OrderStatus::Cancelled || item_status == ItemStatus::Cancelled;
        let quantity = match row.units(self.quantity)? {
            Some(quantity) => quantity,
            None if cancelled => 0,
            None => return Err(Fault { col: self.quantity, why: Why::Empty }),
        };
        let mut line = article(row.line, row.id(self.sku)?, row.text(self.title)?, quantity);
        line.status = Some(item_status);
        line.facilitator = facilitator(row, self.tax_model)?;
        line.item_promotion = row.amount(self.amounts.item_promotion)?.map(|off| off.abs());
        line.ship_promotion = row.amount(self.amounts.ship_promotion)?.map(|off| off.abs());
        self.amounts.read(row, &mut line)?;
        if currency.is_none() && AmountColumns::any(&line) {
            return Err(Fault { col: self.currency, why: Why::Empty });
        }
        draft.line(line)
    }
}

/// `order-status`; its wording differs by marketplace (`Shipped - Delivered to Buyer`).
fn order_status(word: &str) -> OrderStatus {
    let starts =
        |with: &str| word.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if starts("Shipped") {
        OrderStatus::Shipped
    } else if starts("Unshipped") {
        OrderStatus::Unshipped
    } else if starts("Pending") {
        OrderStatus::Pending
    } else if starts("PartiallyShipped") || starts("Partially Shipped") {
        OrderStatus::PartiallyShipped
    } else if is_cancelled(word) {
        OrderStatus::Cancelled
    } else {
        OrderStatus::Unknown
    }
}

fn is_cancelled(word: &str) -> bool {
    word.eq_ignore_ascii_case("Cancelled") || word.eq_ignore_ascii_case("Canceled")
}

/// The columns of 2012 to 2025.
const KNOWN: &[&str] = &[
    "amazon-order-id",
    "merchant-order-id",
    "purchase-date",
    "last-updated-date",
    "order-status",
    "fulfillment-channel",
    "sales-channel",
    "order-channel",
    "url",
    "ship-service-level",
    "product-name",
    "sku",
    "asin",
    "number-of-items",
    "item-status",
    "tax-collection-model",
    "tax-collection-responsible-party",
    "quantity",
    "currency",
    "item-price",
    "item-tax",
    "shipping-price",
    "shipping-tax",
    "gift-wrap-price",
    "gift-wrap-tax",
    "item-promotion-discount",
    "ship-promotion-discount",
    "address-type",
    "ship-city",
    "ship-state",
    "ship-postal-code",
    "ship-country",
    "promotion-ids",
    "payment-method-details",
    "item-extensions-data",
    "is-business-order",
    "purchase-order-number",
    "price-designation",
    "fulfilled-by",
    "buyer-company-name",
    "buyer-cst-number",
    "buyer-vat-number",
    "buyer-tax-registration-id",
    "buyer-tax-registration-country",
    "buyer-tax-registration-type",
    "customized-url",
    "customized-page",
    "is-heavy-or-bulky",
    "is-replacement-order",
    "is-exchange-order",
    "original-order-id",
    "is-amazon-invoiced",
    "vat-exclusive-item-price",
    "vat-exclusive-shipping-price",
    "vat-exclusive-giftwrap-price",
    "licensee-name",
    "license-number",
    "license-state",
    "license-expiration-date",
    "is-iba",
    "buyer-citizen-name",
    "buyer-citizen-id",
    "cpf",
    "is-transparency",
    "default-ship-from-address-name",
    "default-ship-from-address-field-1",
    "default-ship-from-address-field-2",
    "default-ship-from-address-field-3",
    "default-ship-from-city",
    "default-ship-from-state",
    "default-ship-from-country",
    "default-ship-from-postal-code",
    "actual-ship-from-address-name",
    "actual-ship-from-address-field-1",
    "actual-ship-from-address-field-2",
    "actual-ship-from-address-field-3",
    "actual-ship-from-city",
    "actual-ship-from-state",
    "actual-ship-from-country",
    "actual-ship-from-postal-code",
    "is-ispu-order",
    "store-chain-store-id",
    "is-pickup-point-order",
    "pickup-point-type",
    "is-buyer-requested-cancellation",
    "buyer-requested-cancel-reason",
    "ioss-number",
    "order-invoice-type",
    "invoice-business-legal-name",
    "invoice-business-address",
    "invoice-business-tax-id",
    "invoice-business-tax-office",
    "promise-date",
    "is-prime",
    "signature-confirmation-recommended",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_in_the_words_of_all_marketplaces() {
        use OrderStatus::{Cancelled, PartiallyShipped, Pending, Shipped, Unknown, Unshipped};
        for (word, status) in [
            ("Shipped", Shipped),
            ("Shipped - Delivered to Buyer", Shipped),
            ("Unshipped", Unshipped),
            ("Pending", Pending),
            ("Pending - Waiting for Pick Up", Pending),
            ("PartiallyShipped", PartiallyShipped),
            ("Partially Shipped", PartiallyShipped),
            ("Cancelled", Cancelled),
            ("Canceled", Cancelled),
            ("Versandt", Unknown),
            ("", Unknown),
        ] {
            assert_eq!(order_status(word), status, "{word}");
        }
    }
}
