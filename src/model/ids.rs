//! Identifiers. All are text: `07821148853890` keeps its zero.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not an identifier. Never carries the text: it may come from a buyer's column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The cell is empty.
    #[error("is empty")]
    Empty,
    /// The text is longer than any identifier of its kind.
    #[error("is longer than {0} characters")]
    TooLong(usize),
    /// A character that this kind of identifier never has.
    #[error("has a character that is not allowed")]
    Character,
    /// A spreadsheet rewrote it (`5.80293E+13`, `="07821"`, `05.12.2025`): what stood there is lost.
    #[error("was rewritten by a spreadsheet")]
    Spreadsheet,
}

/// Longest order id, order-item id or SKU accepted, in characters. Amazon's own limit for a
/// seller SKU is 40; order ids have 19.
pub const MAX_ID_CHARS: usize = 100;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// One seller account in one region: `[a-z0-9_]{1,32}`. Never changes: external ids hang on it.
    AccountId
}
text_id! {
    /// Amazon's order id, such as `205-3614839-6174823` or `S01-…`.
    OrderId
}
text_id! {
    /// Amazon's order-item id. Not in every report; may start with zeros.
    OrderItemId
}
text_id! {
    /// The seller's SKU, case-sensitive, inner spaces kept.
    Sku
}

/// A database id in Odoo.
pub type OdooId = i64;

impl FromStr for AccountId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > 32 {
            return Err(IdError::TooLong(32));
        }
        if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            return Err(IdError::Character);
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for OrderId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        plain_id(text).map(Self)
    }
}

impl FromStr for OrderItemId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        plain_id(text).map(Self)
    }
}

impl FromStr for Sku {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.chars().count() > MAX_ID_CHARS {
            return Err(IdError::TooLong(MAX_ID_CHARS));
        }
        if text.chars().any(char::is_control) {
            return Err(IdError::Character);
        }
        if is_spreadsheet_damage(text) {
            return Err(IdError::Spreadsheet);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Order and order-item ids: printable ASCII without spaces.
fn plain_id(text: &str) -> Result<String, IdError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > MAX_ID_CHARS {
        return Err(IdError::TooLong(MAX_ID_CHARS));
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(IdError::Character);
    }
    if is_spreadsheet_damage(text) {
        return Err(IdError::Spreadsheet);
    }
    Ok(text.to_owned())
}

/// What the ids of a marketplace look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdGrammar {
    /// Amazon's: `205-3614839-6174823`, `S01-3614839-6174823`.
    Amazon,
}

/// The digits of an Amazon order-item id. Newer ones have more, none has fewer.
const ITEM_ID_DIGITS: usize = 14;

impl IdGrammar {
    /// Whether the text is an order id. What is not may be anything, a buyer's words included.
    pub fn is_order_id(self, text: &[u8]) -> bool {
        let Self::Amazon = self;
        let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
        let [a, b, c, b'-', rest @ ..] = text else { return false };
        let first = digits(&[*b, *c]) && (a.is_ascii_digit() || matches!(a, b'S' | b'D' | b'P'));
        let Some((middle, [b'-', last @ ..])) = rest.split_at_checked(7) else { return false };
        first && digits(middle) && last.len() == 7 && digits(last)
    }

    /// The order-item id, with the zeros that a spreadsheet cut off its front; and whether there
    /// were any.
    pub fn item_id(self, text: &str) -> Result<(OrderItemId, bool), IdError> {
        let Self::Amazon = self;
        let id: OrderItemId = text.parse()?;
        if !id.0.bytes().all(|b| b.is_ascii_digit()) {
            return Err(IdError::Character);
        }
        if id.0.len() >= ITEM_ID_DIGITS {
            return Ok((id, false));
        }
        Ok((OrderItemId(format!("{:0>ITEM_ID_DIGITS$}", id.0)), true))
    }
}

impl OrderId {
    /// An order of the seller's own shop that Amazon only ships: `S01-…`, `S02-…`.
    pub fn is_multi_channel(&self) -> bool {
        let [first, ..] = self.0.as_bytes() else { return false };
        *first == b'S' && IdGrammar::Amazon.is_order_id(self.0.as_bytes())
    }
}

/// Whether a spreadsheet made the text of an id, a SKU or an amount: the original is lost.
///
/// An exponent in any locale (`5.80293E+13`, `5,8e+13`), a formula (`="07821"`), an apostrophe
/// before it, or a day (`05.12.2025`, `12/5/2025 0:00`, `2-Jan`, `12. Mai`).
pub fn is_spreadsheet_damage(text: &str) -> bool {
    let text = text.trim();
    match text.as_bytes() {
        [b'=', b'"' | b'0'..=b'9', ..] | [b'\'', _, ..] => true,
        // The common case first: ids with neither.
        bytes if !bytes.iter().any(u8::is_ascii_digit) => false,
        _ => is_exponent(text) || is_day(text) || is_month_name(text),
    }
}

/// One digit, perhaps a fraction, `E+` and digits; `E-` only behind a fraction.
fn is_exponent(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else { return false };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once(['.', ',', '٫']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let sign = match exponent.strip_prefix('+') {
        Some(exponent) => digits(exponent),
        None => fraction.is_some() && exponent.strip_prefix('-').is_some_and(digits),
    };
    whole.len() == 1 && digits(whole) && fraction.is_none_or(digits) && sign
}

/// `05.12.2025`, `12/5/2025`, either perhaps with a time.
fn is_day(text: &str) -> bool {
    let day = text.split(' ').next().unwrap_or_default();
    ['.', '/'].into_iter().any(|mark| {
        let mut parts = day.split(mark);
        let mut number = |digits: std::ops::RangeInclusive<usize>| {
            parts.next().is_some_and(|part| {
                digits.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
            })
        };
        number(1..=2) && number(1..=2) && number(4..=4) && parts.next().is_none()
    })
}

/// `2-Jan`, `12. Mai`: a day and the name of a month as spreadsheets write it, and nothing else.
fn is_month_name(text: &str) -> bool {
    const MONTHS: [&str; 28] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mär",
        "mrz", "mai", "juni", "juli", "okt", "dez", "janv", "févr", "mars", "avr", "juin", "sept",
        "ene", "abr", "dic",
    ];
    let Some((day, month)) = text.split_once(['-', ' ']) else { return false };
    let day = day.trim_end_matches('.');
    let is_day = (1..=2).contains(&day.len()) && day.bytes().all(|b| b.is_ascii_digit());
    let month = month.trim_end_matches('.');
    let shouted = month.chars().nth(1).is_none_or(char::is_uppercase);
    is_day && !shouted && MONTHS.contains(&month.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_ids_are_narrow() {
        assert!("eu_1".parse::<AccountId>().is_ok());
        for bad in ["", "EU", "a-b", "ä", &"x".repeat(33)] {
            assert!(bad.parse::<AccountId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn spreadsheet_damage_is_refused() {
        assert_eq!("5.80293E+13".parse::<OrderItemId>(), Err(IdError::Spreadsheet));
        assert_eq!("5E+13".parse::<Sku>(), Err(IdError::Spreadsheet));
        assert!("ABC.1E+1X".parse::<Sku>().is_ok());
    }

    #[test]
    fn what_a_spreadsheet_makes_of_ids_in_any_locale() {
        for bad in [
            "5.80293E+13",
            "5,80293E+13",
            "5,80293e+13",
            "5E+13",
            "-1.5E-05",
            "=\"07821148853890\"",
            "=07821",
            "'07821148853890",
            "05.12.2025",
            "5/12/2025",
            "12/5/2025 0:00",
            "2-Jan",
            "12. Mai",
            "1. Dez.",
        ] {
            assert!(is_spreadsheet_damage(bad), "{bad}");
            assert_eq!(bad.parse::<Sku>(), Err(IdError::Spreadsheet), "{bad}");
        }
        for good in [
            "43220",
            "1",
            "A-1.5E+3",
            "5E-12",
            "12E",
            "1E5",
            "10E+05",
            "2024-01-15",
            "20240115",
            "Jan",
            "MAY-1",
            "2-JAN",
            "12-MAYO",
            "1.5",
            "14.90",
            "1/2",
            "1.2.3",
            "SKU-Jan",
            "it's",
            "x=1",
            "",
        ] {
            assert!(!is_spreadsheet_damage(good), "{good}");
        }
    }

    #[test]
    fn case_r10_an_amazon_order_id_has_a_shape() {
        let is = |text: &str| IdGrammar::Amazon.is_order_id(text.as_bytes());
        for good in ["205-3614839-6174823", "S01-3614839-6174823", "D01-3614839-6174823"] {
            assert!(is(good), "{good}");
        }
        for bad in [
            "",
            "Klingelschild",
            "205-1",
            "205-3614839-617482",
            "205-3614839-61748233",
            "205-36148390-6174823",
            "A01-3614839-6174823",
            "2O5-3614839-6174823",
            "205_3614839-6174823",
            "205-3614839 6174823",
            " 205-3614839-6174823",
            "205-3614839-617482é",
        ] {
            assert!(!is(bad), "{bad}");
        }
        let multi = |text: &str| text.parse::<OrderId>().unwrap().is_multi_channel();
        assert!(multi("S01-3614839-6174823") && multi("S02-3614839-6174823"));
        assert!(!multi("205-3614839-6174823") && !multi("D01-3614839-6174823"));
    }

    #[test]
    fn order_item_ids_get_their_zeros_back() {
        let read = |text: &str| {
            let (id, cut) = IdGrammar::Amazon.item_id(text)?;
            Ok::<_, IdError>((id.as_str().to_owned(), cut))
        };
        assert_eq!(read("07821148853890").unwrap(), ("07821148853890".to_owned(), false));
        assert_eq!(read("7821148853890").unwrap(), ("07821148853890".to_owned(), true));
        assert_eq!(read("123456789012345").unwrap(), ("123456789012345".to_owned(), false));
        assert_eq!(read("7,82115E+12"), Err(IdError::Spreadsheet));
        assert_eq!(read("word"), Err(IdError::Character));
    }

    #[test]
    fn leading_zeros_and_inner_spaces_stay() {
        assert_eq!("07821148853890".parse::<OrderItemId>().unwrap().as_str(), "07821148853890");
        assert_eq!(" a b ".parse::<Sku>().unwrap().as_str(), "a b");
    }
}
