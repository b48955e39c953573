//! Order files made on the spot: small, and every one with orders of its own.

use std::fmt::Write as _;

const ALL_ORDERS_29: &str = "amazon-order-id merchant-order-id purchase-date last-updated-date order-status \
    fulfillment-channel sales-channel order-channel url ship-service-level product-name sku asin item-status quantity \
    currency item-price item-tax shipping-price shipping-tax gift-wrap-price gift-wrap-tax item-promotion-discount \
    ship-promotion-discount ship-city ship-state ship-postal-code ship-country promotion-ids";
const ORDER_REPORT_30: &str = "order-id order-item-id purchase-date payments-date buyer-email buyer-name \
    buyer-phone-number sku product-name quantity-purchased currency item-price item-tax shipping-price shipping-tax \
    ship-service-level recipient-name ship-address-1 ship-address-2 ship-address-3 ship-city ship-state \
    ship-postal-code ship-country ship-phone-number delivery-start-date delivery-end-date delivery-time-zone \
    delivery-Instructions sales-channel";

/// A report: header and rows; what a row does not name is blank.
pub struct Report {
    columns: Vec<&'static str>,
    rows: Vec<String>,
}

impl Report {
    pub fn all_orders() -> Self {
        Self { columns: ALL_ORDERS_29.split_whitespace().collect(), rows: Vec::new() }
    }

    pub fn order_report() -> Self {
        Self { columns: ORDER_REPORT_30.split_whitespace().collect(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: &[(&str, &str)]) {
        for (name, _) in cells {
            assert!(self.columns.contains(name), "no column {name}");
        }
        let cell = |column: &&str| {
            cells.iter().find(|(name, _)| name == column).map_or("", |(_, value)| *value)
        };
        self.rows.push(self.columns.iter().map(cell).collect::<Vec<_>>().join("\t"));
    }

    pub fn shuffle(&mut self, random: &mut Random) {
        for at in (1..self.rows.len()).rev() {
            let other = random.below(u64::try_from(at).unwrap() + 1);
            self.rows.swap(at, usize::try_from(other).unwrap());
        }
    }

    pub fn text(&self) -> String {
        let mut text = self.columns.join("\t") + "\n";
        for row in &self.rows {
            writeln!(text, "{row}").unwrap();
        }
        text
    }
}

/// The Amazon id of order number `n`.
pub fn order_id(n: u64) -> String {
    format!("{:03}-{:07}-{n:07}", 300 + n % 97, n * 7_654_321 % 10_000_000)
}

/// An order that Amazon ships: in All Orders, released, with one line for each (SKU, quantity, cents).
pub fn shipped_by_amazon(report: &mut Report, n: u64, status: &str, lines: &[(&str, u64, u64)]) {
    let (id, at) = (order_id(n), purchased(n));
    for (sku, quantity, cents) in lines {
        let price = format!("{}.{:02}", cents / 100, cents % 100);
        report.row(&[
            ("amazon-order-id", &id),
            ("merchant-order-id", &id),
            ("purchase-date", &at),
            ("last-updated-date", &at),
            ("order-status", status),
            ("fulfillment-channel", "Amazon"),
            ("sales-channel", "Amazon.de"),
            ("ship-service-level", "Expedited"),
            ("product-name", "Article"),
            ("sku", sku),
            ("item-status", status),
            ("quantity", &quantity.to_string()),
            ("currency", "EUR"),
            ("item-price", &price),
            ("ship-country", "DE"),
        ]);
    }
}

/// An order that the seller ships: in an order report, with the buyer number `buyer`.
pub fn shipped_by_seller(report: &mut Report, n: u64, buyer: u64, sku: &str, cents: u64) {
    shipped_by_seller_named(report, n, buyer, sku, cents, "Article");
}

/// The same, of a product with this name.
pub fn shipped_by_seller_named(
    report: &mut Report,
    n: u64,
    buyer: u64,
    sku: &str,
    cents: u64,
    article: &str,
) {
    let (id, at) = (order_id(n), purchased(n));
    let price = format!("{}.{:02}", cents / 100, cents % 100);
    let name = format!("Buyer {buyer}");
    report.row(&[
        ("order-id", &id),
        ("order-item-id", &format!("{:014}", n * 31)),
        ("purchase-date", &at),
        ("payments-date", &at),
        ("buyer-email", &format!("b{buyer}@marketplace.amazon.de.example")),
        ("buyer-name", &name),
        ("buyer-phone-number", &format!("0555 {buyer:04}")),
        ("sku", sku),
        ("product-name", article),
        ("quantity-purchased", "1"),
        ("currency", "EUR"),
        ("item-price", &price),
        ("ship-service-level", "Standard"),
        ("recipient-name", &name),
        ("ship-address-1", &format!("{buyer} Sample Lane")),
        ("ship-city", "Musterstadt"),
        ("ship-postal-code", "07199"),
        ("ship-country", "DE"),
        ("sales-channel", "Amazon.de"),
    ]);
}

fn purchased(n: u64) -> String {
    format!("2025-04-{:02}T{:02}:{:02}:00+00:00", 1 + n % 28, n % 24, n % 60)
}

/// Numbers that can be had again: from a seed.
pub struct Random(pub u64);

impl Random {
    /// From `ODOO_SPOOLD_SEED`, or any; printed.
    pub fn seeded() -> Self {
        let given = std::env::var("ODOO_SPOOLD_SEED").ok().map(|seed| seed.parse().unwrap());
        let seed = given.unwrap_or_else(|| u64::from(rand::random::<u32>()));
        println!("ODOO_SPOOLD_SEED={seed}");
        Self(seed)
    }

    /// Below `limit`. (`SplitMix64`.)
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
