//! Currencies and exact amounts. There is no float near money.

use std::fmt;
use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ids::IdError;

/// The currencies of ISO 4217 that money is paid in, sorted.
const ISO: [&str; 156] = [
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT",
    "BGN", "BHD", "BIF", "BMD", "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD",
    "CDF", "CHF", "CLP", "CNY", "COP", "CRC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD",
    "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ",
    "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD", "JOD",
    "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR",
    "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR",
    "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "OMR", "PAB", "PEN",
    "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR", "SBD", "SCR",
    "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB",
    "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS",
    "VES", "VND", "VUV", "WST", "XAF", "XCD", "XCG", "XOF", "XPF", "YER", "ZAR", "ZMW", "ZWG",
];

/// An ISO 4217 currency code, upper case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The code, such as `EUR`.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Decimal places of the minor unit (ISO 4217): 0 for JPY, 3 for KWD, 2 for most.
    pub fn places(self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG"
            | b"RWF" | b"UGX" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }

    /// `amount` rounded to the minor unit, half away from zero, as Odoo rounds.
    pub fn round(self, amount: Decimal) -> Decimal {
        amount.round_dp_with_strategy(self.places(), RoundingStrategy::MidpointAwayFromZero)
    }

    /// `amount` cut to the minor unit, toward zero.
    pub fn truncate(self, amount: Decimal) -> Decimal {
        amount.round_dp_with_strategy(self.places(), RoundingStrategy::ToZero)
    }

    /// The smallest amount of this currency: 0.01 for EUR, 1 for JPY.
    pub fn minor_unit(self) -> Decimal {
        Decimal::new(1, self.places())
    }

    /// `count` of the smallest amount: what a tolerance is written in.
    pub fn minor_units(self, count: u32) -> Decimal {
        Decimal::new(i64::from(count), self.places())
    }

    /// Whether this is a currency of today. Some reports write a code of their own.
    pub fn is_iso(self) -> bool {
        ISO.binary_search(&self.code()).is_ok()
    }
}

impl FromStr for Currency {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        let mut upper = text.to_ascii_uppercase();
        if upper == "CDN" {
            // What Canadians call their dollar; no currency of ISO 4217.
            "CAD".clone_into(&mut upper);
        }
        match <[u8; 3]>::try_from(upper.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(IdError::Character),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_units_follow_iso() {
        let (eur, jpy): (Currency, Currency) = ("eur".parse().unwrap(), "JPY".parse().unwrap());
        assert_eq!(eur.round("1.005".parse().unwrap()).to_string(), "1.01");
        assert_eq!(eur.round("-1.005".parse().unwrap()).to_string(), "-1.01");
        assert_eq!(jpy.round("1.5".parse().unwrap()).to_string(), "2");
        assert_eq!(eur.truncate("3.3399".parse().unwrap()).to_string(), "3.33");
        assert_eq!(jpy.minor_units(2).to_string(), "2");
        assert_eq!(eur.minor_units(2).to_string(), "0.02");
        assert!(eur.is_iso() && !"QQQ".parse::<Currency>().unwrap().is_iso());
        assert!(ISO.is_sorted());
        assert!("EURO".parse::<Currency>().is_err());
        assert_eq!(serde_json::from_str::<Currency>("\"GBP\"").unwrap().code(), "GBP");
    }
}
