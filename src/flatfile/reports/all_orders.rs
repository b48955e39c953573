//! All Orders: `GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL` and its header-identical kin.
//!
//! Price and status, and of the buyer only the company of a business order. One row is one line, also
//! where two rows are equal: an order may hold the same article twice. Newer headers have
//! `order-item-id`: there the rows of one item are parts of it. Cancelled rows keep their price.

use crate::model::{Family, IdGrammar, ItemStatus, OrderStatus};

use super::super::draft::{Draft, agree};
use super::super::fault::{Fault, Why};
use super::super::header::{Col, Picker};
use super::super::row::Row;
use super::amounts::AmountColumns;
use super::buyer::BusinessColumns;
use super::head::{HeadColumns, facilitator, fulfilment};
use super::{Kind, Odd, Report, article};

pub(super) const KIND: Kind = Kind {
    family: Family::AllOrders,
    signature: &["amazon-order-id", "last-updated-date", "item-status"],
    without: &["shipment-item-id"],
    version: Some("last-updated-date"),
    grammar: GRAMMAR,
    known: KNOWN,
    unused: &[],
    plan: |picker| Box::new(AllOrders::find(picker)),
};

const GRAMMAR: IdGrammar = IdGrammar::Amazon;

#[derive(Debug)]
struct AllOrders {
    head: HeadColumns,
    business: BusinessColumns,
    amounts: AmountColumns,
    last_updated: Col,
    order_status: Col,
    item_status: Col,
    fulfilment: Col,
    item_id: Col,
    sku: Col,
    asin: Col,
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
            business: BusinessColumns::find(picker),
            last_updated: picker.required("last-updated-date"),
            order_status: picker.required("order-status"),
            item_status: picker.required("item-status"),
            fulfilment: picker.required("fulfillment-channel"),
            item_id: picker.optional("order-item-id"),
            sku: picker.required("sku"),
            asin: picker.optional("asin"),
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
        if !draft.updated(Some(row.needed_instant(self.last_updated)?)) {
            return Ok(());
        }
        let word = row.text(self.order_status)?;
        let status = order_status(word);
        if status == Some(OrderStatus::Unknown) {
            odd.word(draft, "order-status", word);
        }
        if let Some(status) = status {
            draft.status(status);
        }
        self.head.read(row, draft, odd)?;
        self.business.read(row, draft)?;
        let channel = fulfilment(row, self.fulfilment, draft, odd)?;
        agree(&mut draft.head().fulfilment, channel, self.fulfilment)?;
        let currency = row.currency(self.currency)?;
        agree(&mut draft.head().currency, currency, self.currency)?;
        let word = row.text(self.item_status)?;
        let item_status = match order_status(word) {
            Some(OrderStatus::Cancelled) => ItemStatus::Cancelled,
            Some(OrderStatus::Unknown) => {
                odd.word(draft, "item-status", word);
                ItemStatus::Live
            }
            Some(
                OrderStatus::Pending
                | OrderStatus::Unshipped
                | OrderStatus::PartiallyShipped
                | OrderStatus::Shipped,
            )
            | None => ItemStatus::Live,
        };
        let cancelled =
            status == Some(OrderStatus::Cancelled) || item_status == ItemStatus::Cancelled;
        let quantity = match row.units(self.quantity)? {
            Some(quantity) => quantity,
            None if cancelled => 0,
            None => return Err(Fault { col: self.quantity, why: Why::Empty }),
        };
        let mut line = article(row.line, row.id(self.sku)?, row.text(self.title)?, quantity);
        line.status = Some(item_status);
        row.undamaged(self.asin)?;
        if let Some((id, cut)) = row.item_id(GRAMMAR, self.item_id)? {
            line.item_id = Some(id);
            odd.cut_id |= cut;
        }
        line.facilitator = facilitator(row, self.tax_model, draft, odd)?;
        line.item_promotion = row.amount(self.amounts.item_promotion)?.map(|off| off.abs());
        line.ship_promotion = row.amount(self.amounts.ship_promotion)?.map(|off| off.abs());
        self.amounts.read(row, &mut line)?;
        if currency.is_none() && AmountColumns::any(&line) {
            return Err(Fault { col: self.currency, why: Why::Empty });
        }
        draft.line(line)
    }
}

/// `order-status` and `item-status`; the wording differs by marketplace (`Shipped - Delivered to
/// Buyer`). None where the cell is blank.
fn order_status(word: &str) -> Option<OrderStatus> {
    let is = |known: &str| {
        let (start, rest) = word.split_at_checked(known.len()).unwrap_or_default();
        start.eq_ignore_ascii_case(known) && (rest.is_empty() || rest.starts_with(" - "))
    };
    let any = |known: &[&str]| known.iter().any(|known| is(known));
    if word.is_empty() {
        None
    } else if any(&["Shipped"]) {
        Some(OrderStatus::Shipped)
    } else if any(&["Unshipped", "Shipping"]) {
        // Shipping: paid and released, Amazon packs it.
        Some(OrderStatus::Unshipped)
    } else if any(&["Pending", "PendingAvailability", "Pending Availability"]) {
        Some(OrderStatus::Pending)
    } else if any(&["PartiallyShipped", "Partially Shipped"]) {
        Some(OrderStatus::PartiallyShipped)
    } else if any(&["Cancelled", "Canceled"]) {
        Some(OrderStatus::Cancelled)
    } else {
        Some(OrderStatus::Unknown)
    }
}

/// The columns of 2012 to 2026.
const KNOWN: &[&str] = &[
    "amazon-order-id",
    "order-item-id",
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
    "buyer-identification-number",
    "buyer-identification-type",
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
            ("Shipping", Unshipped),
            ("Pending", Pending),
            ("Pending - Waiting for Pick Up", Pending),
            ("PartiallyShipped", PartiallyShipped),
            ("Partially Shipped", PartiallyShipped),
            ("Cancelled", Cancelled),
            ("Canceled", Cancelled),
            ("Versandt", Unknown),
            ("Complete", Unknown),
            ("Unfulfillable", Unknown),
            ("InvoiceUnconfirmed", Unknown),
            ("ShippedTwice", Unknown),
            ("Unshippable", Unknown),
        ] {
            assert_eq!(order_status(word), Some(status), "{word}");
        }
        assert_eq!(order_status(""), None);
    }
}
