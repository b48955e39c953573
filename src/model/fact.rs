//! Facts: what the rows of one file say of one order.
//!
//! The business part ([`Fact`]) and the personal part ([`BuyerFact`]) are different types because
//! they are sealed under different keys and live for different times. `BuyerFact` prints nothing.
//!
//! These types are stored (`store::layout`): a new or moved field is a new schema version.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::ids::{OrderId, OrderItemId, Sku};
use super::mapping::OtherAmounts;
use super::marketplace::Marketplace;
use super::money::Currency;

/// A family of order reports. Each owns named fields of an order and has a version of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// All Orders: price and status, no buyer, no line id. Version: `last-updated-date`.
    AllOrders,
    /// Unshipped orders: buyer and line ids, no price. Version: `reporting-date`.
    Unshipped,
    /// Order reports: both, no version; they fill blanks only.
    OrderReport,
}

impl Family {
    /// The families, in the order of their tags.
    pub const ALL: [Self; 3] = [Self::AllOrders, Self::Unshipped, Self::OrderReport];

    /// A stable byte for storage keys.
    pub fn tag(self) -> u8 {
        match self {
            Self::AllOrders => 1,
            Self::Unshipped => 2,
            Self::OrderReport => 3,
        }
    }

    /// The family's name as people and result files see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AllOrders => "all-orders",
            Self::Unshipped => "unshipped",
            Self::OrderReport => "order-report",
        }
    }
}

/// Who ships the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fulfilment {
    /// The seller ships (FBM; `Merchant` in All Orders).
    Merchant,
    /// Amazon ships (FBA; `Amazon` in All Orders).
    Amazon,
}

/// `order-status` of All Orders. Wording differs by marketplace; what we do not know is kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderStatus {
    /// Not paid, or paid and not yet passed on: never releases an order.
    Pending,
    /// Waits for the seller.
    Unshipped,
    /// Some of it has left.
    PartiallyShipped,
    /// All of it has left (also `Shipped - Delivered to Buyer` and its kin).
    Shipped,
    /// Cancelled.
    Cancelled,
    /// A word we do not know: treated like `Pending`, and named in the file's notices.
    Unknown,
}

/// `item-status` of All Orders, as far as it decides anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemStatus {
    /// Cancelled: makes no line.
    Cancelled,
    /// Anything else.
    Live,
}

/// What one file says of one order, without the buyer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fact {
    /// The order.
    pub order_id: OrderId,
    /// The family of the report.
    pub family: Family,
    /// `last-updated-date` or `reporting-date`: the newest among the order's rows.
    pub version: Option<Timestamp>,
    /// Fields of the whole order.
    pub head: Head,
    /// One per order line, in file order.
    pub lines: Vec<FactLine>,
    /// Rows of this order that were refused. A fact with faults holds the order and changes nothing.
    pub faults: Vec<RowFault>,
    /// Money in columns that are not known, one per column, sorted by column: it is part of no
    /// total, so the order waits.
    pub unknown_amounts: Vec<UnknownAmount>,
    /// Words that are not known in columns that decide about release, tax or marketplace, sorted.
    pub unknown_words: Vec<UnknownWord>,
}

/// Money in a column that is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnknownAmount {
    /// The column's name, as the header spells it.
    pub column: String,
    /// The sum over the order's rows.
    pub amount: Decimal,
    /// Texts that look like an amount and do not read as one: `12 kr`, `1 234`. Sorted.
    pub unread: Vec<String>,
}

/// A word that is not known in a column that decides about release, tax or marketplace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnknownWord {
    /// The column's usual name, such as `order-status` or `sales-channel`.
    pub column: String,
    /// The word; empty where it is too long or odd to be shown.
    pub word: String,
}

/// Fields that belong to the whole order.
#[expect(clippy::struct_excessive_bools, reason = "each is a column of the report")]
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Head {
    /// `purchase-date`.
    pub purchase_date: Option<Timestamp>,
    /// `order-status`.
    pub status: Option<OrderStatus>,
    /// `fulfillment-channel`.
    pub fulfilment: Option<Fulfilment>,
    /// `sales-channel`, where it is a marketplace.
    pub marketplace: Option<Marketplace>,
    /// The marketplace that the file's sidecar names, if no row does.
    pub sidecar_marketplace: Option<Marketplace>,
    /// The marketplace of the buyer's relay address, if the rows name one and the same. Counts where
    /// neither a row nor the sidecar names a marketplace.
    pub relay_marketplace: Option<Marketplace>,
    /// A multi-channel order that was not sold on Amazon, by its `sales-channel` or its id.
    pub non_amazon: bool,
    /// `currency`.
    pub currency: Option<Currency>,
    /// `ship-country`, ISO 3166 alpha-2: chooses the tax destination, nothing else.
    pub ship_country: Option<String>,
    /// `ship-service-level`.
    pub service_level: Option<String>,
    /// `promise-date`: the end of the promised day in the marketplace, as an instant.
    pub promise_date: Option<Timestamp>,
    /// `is-business-order`.
    pub business: bool,
    /// `is-amazon-invoiced`: Amazon has sent the buyer an invoice in the seller's name.
    pub amazon_invoiced: bool,
    /// `is-iba`: Amazon Business buys the goods and invoices its customer itself.
    pub invoiced_by_amazon_business: bool,
    /// `is-replacement-order` or `is-exchange-order`: nothing is paid.
    pub replacement: bool,
    /// `original-order-id` of a replacement.
    pub original_order_id: Option<OrderId>,
    /// `is-buyer-requested-cancellation`: goes to the attention list.
    pub cancellation_requested: bool,
}

/// One order line as one family sees it. Amounts are for the whole line, never per unit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FactLine {
    /// The row's line number in the file, 1 being the header.
    pub row: u64,
    /// The seller's SKU.
    pub sku: Sku,
    /// `order-item-id`, where the family has one.
    pub item_id: Option<OrderItemId>,
    /// `product-name`.
    pub title: String,
    /// `quantity` or `quantity-purchased`, in units.
    pub quantity: u32,
    /// `item-status`.
    pub status: Option<ItemStatus>,
    /// `item-price`: the line total.
    pub item_price: Option<Decimal>,
    /// `item-tax`.
    pub item_tax: Option<Decimal>,
    /// `shipping-price`.
    pub shipping_price: Option<Decimal>,
    /// `shipping-tax`.
    pub shipping_tax: Option<Decimal>,
    /// `gift-wrap-price`.
    pub gift_wrap_price: Option<Decimal>,
    /// `gift-wrap-tax`.
    pub gift_wrap_tax: Option<Decimal>,
    /// `item-promotion-discount`, as a positive amount off (the sign differs per report).
    pub item_promotion: Option<Decimal>,
    /// `ship-promotion-discount`, as a positive amount off.
    pub ship_promotion: Option<Decimal>,
    /// `vat-exclusive-item-price`; `0.00` beside a price means "not calculated".
    pub item_price_net: Option<Decimal>,
    /// `vat-exclusive-shipping-price`, likewise.
    pub shipping_price_net: Option<Decimal>,
    /// `vat-exclusive-giftwrap-price`, likewise.
    pub gift_wrap_price_net: Option<Decimal>,
    /// Whether Amazon collects this line's tax itself (`tax-collection-model` is
    /// `MarketplaceFacilitator`); none where the report has no such column.
    pub facilitator: Option<bool>,
}

/// A refused row. Says where and why, never what stood there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RowFault {
    /// The row's line number in the file, 1 being the header.
    pub line: u64,
    /// The column's name, as the header spells it.
    pub column: String,
    /// A stable code, such as `row-number`.
    pub code: String,
    /// What is wrong, in words without the cell's content.
    pub message: String,
}

/// The personal part of what one file says of one order. Its `Debug` prints nothing of it.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BuyerFact {
    /// `buyer-email`: Amazon's relay address.
    pub email: String,
    /// `buyer-name`.
    pub name: String,
    /// `buyer-phone-number`.
    pub phone: String,
    /// `buyer-company-name`.
    pub company: String,
    /// `buyer-vat-number` or `buyer-tax-registration-id`.
    pub vat: String,
    /// `recipient-name`.
    pub recipient: String,
    /// `ship-address-1`.
    pub address_1: String,
    /// `ship-address-2`.
    pub address_2: String,
    /// `ship-address-3`.
    pub address_3: String,
    /// `ship-city`.
    pub city: String,
    /// `ship-state`: a code, a name, or anything a buyer typed.
    pub state: String,
    /// `ship-postal-code`.
    pub postal_code: String,
    /// `ship-country`.
    pub country: String,
    /// `ship-phone-number`.
    pub ship_phone: String,
    /// `purchase-order-number`: buyers type names there.
    pub purchase_order_number: String,
    /// `bill-address-1` and its kin.
    pub bill: BillTo,
    /// Text for the delivery note: delivery instructions, gift messages, customisation links.
    pub notes: Vec<String>,
}

/// Where the invoice goes, where a report says so. Its `Debug` prints nothing of it.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BillTo {
    /// `bill-address-1`.
    pub address_1: String,
    /// `bill-address-2`.
    pub address_2: String,
    /// `bill-address-3`.
    pub address_3: String,
    /// `bill-city`.
    pub city: String,
    /// `bill-state`.
    pub state: String,
    /// `bill-postal-code`.
    pub postal_code: String,
    /// `bill-country`.
    pub country: String,
}

impl BillTo {
    /// No report says where.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Debug for BillTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BillTo(…)")
    }
}

impl FactLine {
    /// A line of which only the article is known.
    pub fn new(row: u64, sku: Sku, quantity: u32) -> Self {
        Self {
            row,
            sku,
            quantity,
            item_id: None,
            title: String::new(),
            status: None,
            item_price: None,
            item_tax: None,
            shipping_price: None,
            shipping_tax: None,
            gift_wrap_price: None,
            gift_wrap_tax: None,
            item_promotion: None,
            ship_promotion: None,
            item_price_net: None,
            shipping_price_net: None,
            gift_wrap_price_net: None,
            facilitator: None,
        }
    }

    /// What the row says of money beside its item price.
    pub fn others(&self) -> OtherAmounts {
        OtherAmounts {
            item_tax: self.item_tax,
            shipping_price: self.shipping_price,
            shipping_tax: self.shipping_tax,
            gift_wrap_price: self.gift_wrap_price,
            gift_wrap_tax: self.gift_wrap_tax,
            item_promotion: self.item_promotion,
            ship_promotion: self.ship_promotion,
        }
    }
}

impl Fact {
    /// Whether this fact is complete: no row of the order was refused.
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    /// Units of each SKU that are not cancelled.
    pub fn units(&self) -> BTreeMap<&Sku, u64> {
        let live =
            |line: &&FactLine| line.quantity > 0 && line.status != Some(ItemStatus::Cancelled);
        let mut units: BTreeMap<&Sku, u64> = BTreeMap::new();
        for line in self.lines.iter().filter(live) {
            let count = units.entry(&line.sku).or_default();
            *count = count.saturating_add(u64::from(line.quantity));
        }
        units
    }

    /// Says that the seller has not shipped all of the order yet.
    pub fn is_unshipped(&self) -> bool {
        match self.head.status {
            Some(OrderStatus::Pending | OrderStatus::Unshipped | OrderStatus::PartiallyShipped) => {
                true
            }
            Some(OrderStatus::Shipped | OrderStatus::Cancelled | OrderStatus::Unknown) => false,
            None => self.family == Family::Unshipped,
        }
    }

    /// Drops what is of no more use once Odoo has the order: titles and dates that were written
    /// there. What the next merge needs (ids, quantities, money, status) stays.
    pub fn compact(&mut self) {
        self.head.service_level = None;
        for line in &mut self.lines {
            line.title = String::new();
        }
    }

    /// The content that counts, as bytes: equal for any order of the rows and any line numbers.
    pub fn canonical(&self) -> Vec<u8> {
        let mut lines: Vec<FactLine> =
            self.lines.iter().map(|line| FactLine { row: 0, ..line.clone() }).collect();
        lines.sort();
        let content = (
            self.family,
            self.version,
            &self.head,
            &lines,
            &self.unknown_amounts,
            &self.unknown_words,
        );
        // invariant: these types have no map with non-string keys and no failing serializer.
        serde_json::to_vec(&content).unwrap_or_default()
    }
}

/// Which of two facts of one family and order stands: the newer version; at equal versions more
/// lines; then the larger keyed hash of the canonical form. A total order, so that the same fact
/// wins in every order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rank {
    /// The family's version.
    pub version: Option<Timestamp>,
    /// How many lines the fact has.
    pub lines: u32,
    /// HMAC of [`Fact::canonical`] under the account's id key, truncated.
    pub hash: [u8; 16],
}

impl BuyerFact {
    /// Nothing personal is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Enough of an address to ship to: a recipient or street, a place and a country.
    pub fn has_address(&self) -> bool {
        let whom = !self.recipient.is_empty() || !self.address_1.is_empty();
        let place = !self.city.is_empty() || !self.postal_code.is_empty();
        whom && place && !self.country.is_empty()
    }
}

impl fmt::Debug for BuyerFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BuyerFact(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(version: Option<&str>, skus: &[&str]) -> Fact {
        Fact {
            order_id: "205-1".parse().unwrap(),
            family: Family::AllOrders,
            version: version.map(|v| v.parse().unwrap()),
            head: Head::default(),
            lines: skus
                .iter()
                .zip(2..)
                .map(|(sku, row)| FactLine::new(row, sku.parse().unwrap(), 1))
                .collect(),
            faults: Vec::new(),
            unknown_amounts: Vec::new(),
            unknown_words: Vec::new(),
        }
    }

    #[test]
    fn newer_then_longer_then_larger() {
        let rank = |version: Option<&str>, lines, hash| Rank {
            version: version.map(|v| v.parse().unwrap()),
            lines,
            hash: [hash; 16],
        };
        let old = rank(Some("2025-01-01T00:00:00Z"), 2, 9);
        let new = rank(Some("2025-01-02T00:00:00Z"), 1, 0);
        assert!(new > old && old > rank(None, 3, 0));
        assert!(rank(Some("2025-01-02T00:00:00Z"), 2, 0) > new);
        assert!(rank(Some("2025-01-02T00:00:00Z"), 1, 1) > new);
    }

    #[test]
    fn row_order_does_not_change_the_canonical_form() {
        assert_eq!(fact(None, &["a", "b"]).canonical(), fact(None, &["b", "a"]).canonical());
    }

    #[test]
    fn what_is_not_known_is_part_of_the_canonical_form() {
        let known = fact(None, &["a"]);
        let (mut money, mut word) = (known.clone(), known.clone());
        money.unknown_amounts = vec![UnknownAmount {
            column: "new-fee".into(),
            amount: Decimal::ONE,
            unread: Vec::new(),
        }];
        word.unknown_words =
            vec![UnknownWord { column: "order-status".into(), word: "Complete".into() }];
        assert_ne!(known.canonical(), money.canonical());
        assert_ne!(known.canonical(), word.canonical());
        assert_ne!(money.canonical(), word.canonical());
    }

    #[test]
    fn a_buyer_never_prints() {
        let buyer = BuyerFact { name: "Erika".into(), ..BuyerFact::default() };
        assert!(!format!("{buyer:?}").contains("Erika"));
    }
}
