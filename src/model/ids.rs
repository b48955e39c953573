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
    /// A spreadsheet rewrote the number (`5.80293E+13`): the digits are lost.
    #[error("was rewritten by a spreadsheet (exponent form)")]
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
        if spreadsheet_number(text) {
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
    if spreadsheet_number(text) {
        return Err(IdError::Spreadsheet);
    }
    Ok(text.to_owned())
}

/// `5.80293E+13`: digits, perhaps a fraction, `E+`, digits.
fn spreadsheet_number(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once("E+") else { return false };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    whole.len() == 1 && digits(whole) && digits(fraction) && digits(exponent)
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
    fn leading_zeros_and_inner_spaces_stay() {
        assert_eq!("07821148853890".parse::<OrderItemId>().unwrap().as_str(), "07821148853890");
        assert_eq!(" a b ".parse::<Sku>().unwrap().as_str(), "a b");
    }
}
