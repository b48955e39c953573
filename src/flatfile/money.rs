//! Cells of columns whose name says money and that are not known.
//!
//! What reads as a number in the notation of the file is an amount. What only looks like one (another
//! notation, a currency beside it) is one too, kept as its text: the order waits for a person in both
//! cases. Other cells with digits (dates, codes, rates, registers) are no amounts; they are told of
//! in a notice of the file, and their text is neither kept nor shown.

use rust_decimal::Decimal;

use crate::model::Currency;

use super::value::Notation;

/// The longest text that is an amount: 15 digits and 6 decimals with their separators, and a currency.
const MAX_BYTES: usize = 40;

/// Signs of currencies.
const SIGNS: [char; 8] = ['€', '$', '£', '¥', '₹', '₺', '₩', '฿'];

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MoneyCell<'a> {
    /// Nothing, words, or a zero.
    Nothing,
    /// An amount.
    Amount(Decimal),
    /// What looks like an amount and does not read as one.
    Unread(&'a str),
    /// Something else with digits.
    Other,
}

impl<'a> MoneyCell<'a> {
    pub(super) fn of(text: &'a str, notation: Notation) -> Self {
        // Most such cells are blank, or hold words or a zero.
        if !text.bytes().any(|b| matches!(b, b'1'..=b'9')) {
            return Self::Nothing;
        }
        match notation.amount(text) {
            Some(amount) if amount.is_zero() => Self::Nothing,
            Some(amount) => Self::Amount(amount),
            None if looks_like_an_amount(text) => Self::Unread(text),
            None => Self::Other,
        }
    }
}

/// A number with a sign before or behind it and a currency beside it, in the notation of any country.
fn looks_like_an_amount(text: &str) -> bool {
    let is_sign = |c: char| matches!(c, '-' | '+' | '\u{2212}');
    let around =
        |c: char| c.is_alphabetic() || c.is_whitespace() || is_sign(c) || SIGNS.contains(&c);
    let number = text.trim_matches(around);
    text.len() <= MAX_BYTES && is_number(number) && is_currency(text, number)
}

/// Digits in groups: of three after a space or an apostrophe, of any length after a point or a comma.
fn is_number(text: &str) -> bool {
    let mut groups = text.split(|c: char| !c.is_ascii_digit());
    let marks = text.chars().filter(|c| !c.is_ascii_digit());
    let first = groups.next().unwrap_or_default();
    if first.is_empty() || (first.len() > 1 && first.starts_with('0')) || first.len() > 15 {
        return false;
    }
    groups.zip(marks).all(|(group, mark)| match mark {
        '.' | ',' => (1..=6).contains(&group.len()),
        '\'' | '\u{2019}' => group.len() == 3,
        mark => mark.is_whitespace() && group.len() == 3,
    })
}

/// What stands beside the number is a currency, or nothing.
fn is_currency(text: &str, number: &str) -> bool {
    let letters: String = text.chars().filter(|c| c.is_alphabetic()).collect();
    let joined =
        |side: &str| side.chars().any(char::is_alphabetic) && !side.contains(char::is_whitespace);
    let apart =
        text.split_once(number).is_some_and(|(before, behind)| !joined(before) && !joined(behind));
    let known = letters
        .parse::<Currency>()
        .is_ok_and(|currency| letters.bytes().all(|b| b.is_ascii_uppercase()) && currency.is_iso());
    let marked = number.contains(['.', ',']) || text.contains(SIGNS);
    letters.chars().count() <= 3 && (apart || known || marked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_in_other_notations_and_what_is_none() {
        for text in [
            "1 234",
            "1\u{a0}234,50",
            "+5",
            "-5",
            "5-",
            "\u{2212}5.00 €",
            "12 kr",
            "kr 12",
            "12,50kr",
            "5 €",
            "€5",
            "US$5",
            "EUR 5.00",
            "5EUR",
            "1.234,56",
            "1'234.00",
            "1,44,957.78",
        ] {
            assert!(looks_like_an_amount(text), "{text}");
        }
        for text in [
            "A1",
            "12 %",
            "2025-05-05",
            "10:30",
            "ATU12345678",
            "FEE-2",
            "Tier 3 of 4",
            "1..2",
            "0170 1234567",
            "+49 170 1234567",
            "12 345 6",
            "1/2",
            "12kg",
            "item 5",
            "5 item",
            "1234567890123456",
            "Straße 5",
        ] {
            assert!(!looks_like_an_amount(text), "{text}");
        }
        let of = |text| MoneyCell::of(text, Notation::PLAIN);
        assert_eq!(of("0,00 €"), MoneyCell::Nothing);
        assert_eq!(of("2.50"), MoneyCell::Amount("2.5".parse().unwrap()));
        assert_eq!(of("2,50"), MoneyCell::Unread("2,50"));
        assert_eq!(of("12 %"), MoneyCell::Other);
    }
}
