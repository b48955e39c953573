//! Amazon's marketplaces, by the `sales-channel` name that reports use.
//!
//! Source: Amazon's page "Marketplace IDs" of the Selling Partner API documentation.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ids::IdError;

/// One marketplace. Compare and print it by its sales-channel name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Marketplace(&'static Row);

#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Row {
    name: &'static str,
    id: &'static str,
    country: &'static str,
    currency: &'static str,
}

const fn row(
    name: &'static str,
    id: &'static str,
    country: &'static str,
    currency: &'static str,
) -> Row {
    Row { name, id, country, currency }
}

static TABLE: &[Row] = &[
    row("Amazon.com", "ATVPDKIKX0DER", "US", "USD"),
    row("Amazon.ca", "A2EUQ1WTGCTBG2", "CA", "CAD"),
    row("Amazon.com.mx", "A1AM78C64UM0Y8", "MX", "MXN"),
    row("Amazon.com.br", "A2Q3Y263D00KWC", "BR", "BRL"),
    row("Amazon.co.uk", "A1F83G8C2ARO7P", "GB", "GBP"),
    row("Amazon.de", "A1PA6795UKMFR9", "DE", "EUR"),
    row("Amazon.fr", "A13V1IB3VIYZZH", "FR", "EUR"),
    row("Amazon.it", "APJ6JRA9NG5V4", "IT", "EUR"),
    row("Amazon.es", "A1RKKUPIHCS9HS", "ES", "EUR"),
    row("Amazon.nl", "A1805IZSGTT6HS", "NL", "EUR"),
    row("Amazon.ie", "A28R8C7NBKEWEA", "IE", "EUR"),
    row("Amazon.com.be", "AMEN7PMS3EDWL", "BE", "EUR"),
    row("Amazon.se", "A2NODRKZP88ZB9", "SE", "SEK"),
    row("Amazon.pl", "A1C3SOZRARQ6R3", "PL", "PLN"),
    row("Amazon.com.tr", "A33AVAJ2PDY3EV", "TR", "TRY"),
    row("Amazon.ae", "A2VIGQ35RCS4UG", "AE", "AED"),
    row("Amazon.sa", "A17E79C6D8DWNP", "SA", "SAR"),
    row("Amazon.eg", "ARBP9OOSHTCHU", "EG", "EGP"),
    row("Amazon.co.za", "AE08WJ6YKNBMC", "ZA", "ZAR"),
    row("Amazon.in", "A21TJRUUN4KGV", "IN", "INR"),
    row("Amazon.co.jp", "A1VC38T7YXB528", "JP", "JPY"),
    row("Amazon.com.au", "A39IBJ37TRP1C6", "AU", "AUD"),
    row("Amazon.sg", "A19VAU5U5O7RUS", "SG", "SGD"),
];

impl Marketplace {
    /// All known marketplaces.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(Self)
    }

    /// The sales-channel name, such as `Amazon.de`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Amazon's marketplace id, such as `A1PA6795UKMFR9`.
    pub fn id(self) -> &'static str {
        self.0.id
    }

    /// The marketplace's country, ISO 3166 alpha-2.
    pub fn country(self) -> &'static str {
        self.0.country
    }

    /// The code of the currency that buyers usually pay in there.
    pub fn currency(self) -> &'static str {
        self.0.currency
    }
}

impl Marketplace {
    /// The marketplace of a buyer's relay address: Amazon.de of `x@marketplace.amazon.de`.
    pub fn of_relay_address(address: &str) -> Option<Self> {
        let (_, domain) = address.trim().rsplit_once('@')?;
        let domain = format!(".{}", domain.to_ascii_lowercase());
        let (_, shop) = domain.split_once(".marketplace.")?;
        TABLE.iter().find(|row| row.name.eq_ignore_ascii_case(shop)).map(Self)
    }
}

/// A sales channel of the seller's own shop, from which Amazon only ships: `Non-Amazon CA`,
/// `SI UK Prod Marketplace`, `siprod.stores.amazon.ca`.
pub fn is_multi_channel(channel: &str) -> bool {
    let channel = channel.trim().to_ascii_lowercase();
    let mut words = channel.split_ascii_whitespace();
    let first = words.next();
    channel.starts_with("non-amazon")
        || channel.starts_with("siprod.stores.amazon.")
        || (first == Some("si")
            && words.next_back() == Some("marketplace")
            && words.any(|word| word == "prod"))
}

impl FromStr for Marketplace {
    type Err = IdError;
    /// By sales-channel name (any case) or marketplace id.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        TABLE
            .iter()
            .find(|row| row.name.eq_ignore_ascii_case(text) || row.id == text)
            .map(Self)
            .ok_or(IdError::Character)
    }
}

impl fmt::Display for Marketplace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Marketplace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Marketplace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Marketplace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(|_| {
            serde::de::Error::custom(
                "not a marketplace: write its sales-channel name, such as Amazon.de",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_by_name_in_any_case_and_by_id() {
        let de: Marketplace = "amazon.DE".parse().unwrap();
        assert_eq!(de, "A1PA6795UKMFR9".parse().unwrap());
        assert_eq!((de.name(), de.country(), de.currency()), ("Amazon.de", "DE", "EUR"));
        assert!("Non-Amazon CA".parse::<Marketplace>().is_err());
        assert_eq!(Marketplace::all().count(), TABLE.len());
    }

    #[test]
    fn a_relay_address_names_its_marketplace() {
        let of = |address| Marketplace::of_relay_address(address).map(Marketplace::name);
        assert_eq!(of("abc123@marketplace.amazon.de"), Some("Amazon.de"));
        assert_eq!(of(" ABC@Marketplace.Amazon.CO.UK "), Some("Amazon.co.uk"));
        assert_eq!(of("abc@m.marketplace.amazon.com.be"), Some("Amazon.com.be"));
        for none in [
            "",
            "abc",
            "erika@example.com",
            "x@marketplace.example",
            "x@amazon.de",
            "x@marketplace.amazon.de.example.com",
            "x@fakemarketplace.amazon.de",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn case_r04_shops_of_the_seller_by_their_channel() {
        for shop in [
            "Non-Amazon",
            "Non-Amazon CA",
            "SI CA Prod Marketplace",
            "SI UK Prod Marketplace",
            "SI Prod IT Marketplace",
            "siprod.stores.amazon.ca",
        ] {
            assert!(is_multi_channel(shop), "{shop}");
        }
        for other in ["", "Amazon.de", "Amazon.com.be", "SI", "SI Marketplace", "Prod Marketplace"]
        {
            assert!(!is_multi_channel(other), "{other}");
        }
    }
}
