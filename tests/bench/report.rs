//! Synthetic reports for the benchmarks: deterministic, order by order, with the columns of real files.

use std::io::Write;

/// What kind of report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All Orders, the 32 columns: prices and status, no buyer.
    AllOrders,
    /// Order report, 30 columns: prices and buyer.
    OrderReport,
}

const ALL_ORDERS: &str = "amazon-order-id\tmerchant-order-id\tpurchase-date\tlast-updated-date\torder-status\t\
    fulfillment-channel\tsales-channel\torder-channel\turl\tship-service-level\tproduct-name\tsku\tasin\titem-status\t\
    quantity\tcurrency\titem-price\titem-tax\tshipping-price\tshipping-tax\tgift-wrap-price\tgift-wrap-tax\t\
    item-promotion-discount\tship-promotion-discount\tship-city\tship-state\tship-postal-code\tship-country\t\
    promotion-ids\tis-business-order\tpurchase-order-number\tprice-designation\n";

const ORDER_REPORT: &str = "order-id\torder-item-id\tpurchase-date\tpayments-date\tbuyer-email\tbuyer-name\t\
    buyer-phone-number\tsku\tproduct-name\tquantity-purchased\tcurrency\titem-price\titem-tax\tshipping-price\t\
    shipping-tax\tship-service-level\trecipient-name\tship-address-1\tship-address-2\tship-address-3\tship-city\t\
    ship-state\tship-postal-code\tship-country\tship-phone-number\tdelivery-start-date\tdelivery-end-date\t\
    delivery-time-zone\tdelivery-Instructions\tsales-channel\n";

const TITLES: [&str; 4] = [
    "Weatherproof sign, ideal for public spaces, pubs, hotels, interior and exterior, with drill holes",
    "Bluetooth speaker, portable, 12 hours, splash proof, black",
    "Picture frame 15\" x 20\", oak, with glass and passepartout for posters and photographs",
    "Réfrigérateur de table, 46 l, classe énergétique E, blanc, très silencieux",
];

impl Kind {
    /// The name people read.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AllOrders => "All Orders",
            Self::OrderReport => "order report",
        }
    }

    /// The header line.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::AllOrders => ALL_ORDERS,
            Self::OrderReport => ORDER_REPORT,
        }
    }

    /// Appends order `number`, one to three lines; returns how many. Each order has a buyer of its own.
    pub(crate) fn order(self, number: u64, out: &mut Vec<u8>) -> u64 {
        let dice = mix(number);
        let lines = 1 + [0, 0, 0, 1, 1, 2][usize::try_from(dice % 6).unwrap()];
        let id = format!("302-{:07}-{:07}", number / 10_000_000, number % 10_000_000);
        let day = format!(
            "2026-{:02}-{:02}T{:02}:{:02}:07+00:00",
            1 + dice % 9,
            1 + dice / 9 % 28,
            dice % 24,
            dice % 60
        );
        for line in 0..lines {
            let dice = mix(dice.wrapping_add(line));
            let title = TITLES[usize::try_from(dice / 7 % 4).unwrap()];
            let sku = 1 + dice % 5;
            let quantity = 1 + dice / 5 % 3;
            let cents = quantity * (199 + dice / 15 % 9800);
            let price = format!("{}.{:02}", cents / 100, cents % 100);
            match self {
                Self::AllOrders => writeln!(
                    out,
                    "{id}\t\t{day}\t{day}\tUnshipped\tMerchant\tAmazon.de\tWebsiteOrderChannel\t\tStandard\t{title}\t\
                     SKU-{sku:04}\tB07TCQB{:03}\tUnshipped\t{quantity}\tEUR\t{price}\t0.00\t\t\t\t\t\t\tBERLIN\t\t\
                     {:05}\tDE\t\tfalse\t\t",
                    dice % 1000,
                    dice % 100_000
                ),
                Self::OrderReport => writeln!(
                    out,
                    "{id}\t{:014}\t{day}\t{day}\tb{number:09}@marketplace.amazon.de\tErika Mustermann {number}\t\t\
                     SKU-{sku:04}\t{title}\t{quantity}\tEUR\t{price}\t0.00\t0.00\t0.00\tStandard\t\
                     Erika Mustermann {number}\tHauptstraße {}\t\t\tBERLIN\t\t{:05}\tDE\t030{:07}\t\t\t\t\tAmazon.de",
                    number * 3 + line,
                    dice % 200,
                    dice % 100_000,
                    dice % 10_000_000
                ),
            }
            .unwrap();
        }
        lines
    }

    /// A whole report of these orders.
    pub(crate) fn report(self, orders: std::ops::Range<u64>) -> Vec<u8> {
        let mut out = self.header().as_bytes().to_vec();
        for number in orders {
            self.order(number, &mut out);
        }
        out
    }
}

/// Steele, Lea and Flood's splitmix64: the same files on every machine.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
