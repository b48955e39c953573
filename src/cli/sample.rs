//! A sealed report of one made-up order, to see what an account makes of it.
//!
//! Promises: it is only ever rehearsed; its order id is one that Amazon does not give.

use std::io::Write as _;

use zeroize::Zeroizing;

use crate::clock::{Clock as _, System};
use crate::config::{Region, Settings};
use crate::control::ProcessSource;
use crate::envelope;
use crate::model::{AccountId, Sku};

use super::problem::Problem;
use super::{Global, recipient};

/// The columns of an order report that an order needs, and what the made-up one has there.
fn row(
    market: &str,
    currency: &str,
    price: &str,
    country: &str,
    bought: &str,
    sku: &Sku,
) -> [Column; 26] {
    let column = |name: &'static str, value: &str| Column { name, value: value.to_owned() };
    [
        column("order-id", "000-0000000-0000001"),
        column("order-item-id", "00000000000001"),
        column("purchase-date", bought),
        column("payments-date", bought),
        column("buyer-email", "sample@example.invalid"),
        column("buyer-name", "Sample Buyer"),
        column("buyer-phone-number", ""),
        column("sku", sku.as_str()),
        column("product-name", "Sample"),
        column("quantity-purchased", "1"),
        column("currency", currency),
        column("item-price", price),
        // Blank: a zero would be a rate of its own, which few tables list.
        column("item-tax", ""),
        column("shipping-price", "0.00"),
        column("shipping-tax", ""),
        column("ship-service-level", "Standard"),
        column("recipient-name", "Sample Buyer"),
        column("ship-address-1", "Sample Street 1"),
        column("ship-address-2", ""),
        column("ship-address-3", ""),
        column("ship-city", "Sample City"),
        column("ship-state", ""),
        column("ship-postal-code", "10115"),
        column("ship-country", country),
        column("ship-phone-number", ""),
        column("sales-channel", market),
    ]
}

struct Column {
    name: &'static str,
    value: String,
}

/// The report, sealed to the account's newest key.
pub(super) fn sealed(
    global: &Global,
    account: &AccountId,
    sku: &Sku,
) -> Result<ProcessSource, Problem> {
    let settings = Settings::load(&global.config())?;
    let known = settings.account(account).ok_or_else(|| {
        Problem::new("account-unknown", format!("there is no account \"{account}\""))
            .next("odoo-spoold status lists the accounts")
    })?;
    let (market, currency, country) = match known.region {
        Region::Eu => ("Amazon.de", "EUR", "DE"),
        Region::Na => ("Amazon.com", "USD", "US"),
        Region::Fe => ("Amazon.co.jp", "JPY", "JP"),
    };
    // Its own marketplace, where it has one.
    let first = known.marketplaces.first().map(|own| own.marketplace);
    let market = first.map_or(market, |own| own.name());
    let currency = first.map_or(currency, |own| own.currency());
    let bought = System.now().strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    let price = if currency == "JPY" { "1999" } else { "19.99" };
    let columns = row(market, currency, price, country, &bought, sku);
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let values: Vec<&str> = columns.iter().map(|column| column.value.as_str()).collect();
    let report = format!("{}\n{}\n", names.join("\t"), values.join("\t"));
    let recipient = recipient::newest(global, account)?;
    let mut bytes = Zeroizing::new(Vec::new());
    let failed = |error: std::io::Error| Problem::new("seal-io", format!("sealing it: {error}"));
    let mut sealer = envelope::seal(&mut *bytes, &[&recipient], false)?;
    sealer.write_all(report.as_bytes()).map_err(failed)?;
    sealer.finish().map_err(failed)?;
    Ok(ProcessSource { bytes, name: "sample.txt.age".to_owned(), sidecar: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A zero is a rate of its own, and most tables list none: the sample would be held `tax`.
    #[test]
    fn night_first_day_the_sample_leaves_the_tax_to_the_table() {
        let sku = "SAMPLE-1".parse().unwrap();
        for column in row("Amazon.de", "EUR", "19.99", "DE", "2026-11-28T00:00:00+00:00", &sku) {
            assert!(!column.name.ends_with("-tax") || column.value.is_empty(), "{}", column.name);
        }
    }
}
