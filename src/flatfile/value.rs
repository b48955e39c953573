//! Cell texts as values: amounts, units, instants, flags. Anything doubtful is none, never a guess.

use jiff::Timestamp;
use rust_decimal::Decimal;

/// The most digits an amount may have before its fraction mark. What is larger is no amount of
/// money but damage, and the sums and products of amounts within these bounds fit a `Decimal`.
pub const MAX_WHOLE_DIGITS: u32 = 15;

/// The most digits an amount may have after its fraction mark, zeros at the end not counted.
pub const MAX_FRACTION_DIGITS: u32 = 6;

/// The most digits an amount may be written with, zeros at either end included.
const MAX_WRITTEN_DIGITS: u32 = 28;

/// The fraction mark of a file's amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalMark {
    /// `1234.56`
    Dot,
    /// `1234,56`
    Comma,
}

/// How a file writes its amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notation {
    /// The fraction mark.
    pub mark: DecimalMark,
    /// Whether the other mark may stand between groups of digits (`1.234,56`, `1,44,957.78`).
    pub grouped: bool,
}

impl Notation {
    /// What Amazon documents: a point, no grouping.
    pub const PLAIN: Self = Self { mark: DecimalMark::Dot, grouped: false };

    /// An amount: `-?[0-9]+(mark[0-9]+)?`, with grouping where the file has it. No `+`, no
    /// exponent, no `_`, at most [`MAX_WHOLE_DIGITS`] digits and then [`MAX_FRACTION_DIGITS`]. Zeros at the end of the fraction are
    /// dropped, so that `14.9` and `14.90` are the same fact; there is no negative zero.
    pub fn amount(self, text: &str) -> Option<Decimal> {
        let (negative, digits) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            all => (false, all),
        };
        let (mark, separator, indian) = match self.mark {
            DecimalMark::Dot => (b'.', b',', true),
            DecimalMark::Comma => (b',', b'.', false),
        };
        let (mut value, mut scale, mut total, mut run, mut zeros) = (0_i128, 0_u32, 0_u32, 0, 0);
        let (mut fraction, mut groups) = (false, 0_u32);
        for &byte in digits {
            match byte {
                b'0'..=b'9' => {
                    total += 1;
                    run += 1;
                    if total > MAX_WRITTEN_DIGITS {
                        return None;
                    }
                    let digit = i128::from(byte - b'0');
                    if !fraction {
                        value = value * 10 + digit;
                    } else if digit == 0 {
                        zeros += 1;
                    } else {
                        for _ in 0..=zeros {
                            value *= 10;
                        }
                        value += digit;
                        scale += zeros + 1;
                        zeros = 0;
                    }
                }
                _ if byte == mark && !fraction => {
                    if run == 0 || (groups > 0 && run != 3) {
                        return None;
                    }
                    fraction = true;
                    run = 0;
                }
                _ if byte == separator && self.grouped && !fraction => {
                    let fits = match groups {
                        0 => (1..=3).contains(&run) && value > 0,
                        _ => run == 3 || (indian && run == 2),
                    };
                    if !fits {
                        return None;
                    }
                    groups += 1;
                    run = 0;
                }
                _ => return None,
            }
        }
        if run == 0 || (groups > 0 && !fraction && run != 3) {
            return None;
        }
        let whole = value / 10_i128.pow(scale.min(MAX_WRITTEN_DIGITS));
        if scale > MAX_FRACTION_DIGITS || whole >= 10_i128.pow(MAX_WHOLE_DIGITS) {
            return None;
        }
        Decimal::try_from_i128_with_scale(if negative { -value } else { value }, scale).ok()
    }
}

/// A number of units: one to nine digits.
pub(super) fn units(text: &str) -> Option<u32> {
    let fits = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

/// `true` and its kin; an empty cell is false.
pub(super) fn flag(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if text.is_empty() || is(&["false", "no", "n", "0"]) {
        Some(false)
    } else if is(&["true", "yes", "y", "1"]) {
        Some(true)
    } else {
        None
    }
}

/// 1995-01-01 and 2200-01-01, in Unix seconds: Amazon sold nothing before, and a later date is
/// damage.
const PLAUSIBLE: std::ops::Range<i64> = 788_918_400..7_258_118_400;

/// An RFC 3339 time with its offset, as the instant it means.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let instant = common_instant(text.as_bytes()).or_else(|| rare_instant(text))?;
    PLAUSIBLE.contains(&instant.as_second()).then_some(instant)
}

/// `YYYY-MM-DDTHH:MM:SS±HH:MM` or `…Z`: what Amazon writes.
fn common_instant(text: &[u8]) -> Option<Timestamp> {
    let [
        y0,
        y1,
        y2,
        y3,
        b'-',
        m0,
        m1,
        b'-',
        d0,
        d1,
        b'T',
        h0,
        h1,
        b':',
        i0,
        i1,
        b':',
        s0,
        s1,
        offset @ ..,
    ] = text
    else {
        return None;
    };
    let year = two(*y0, *y1)? * 100 + two(*y2, *y3)?;
    let (month, day) = (two(*m0, *m1)?, two(*d0, *d1)?);
    let (hour, minute, second) = (two(*h0, *h1)?, two(*i0, *i1)?, two(*s0, *s1)?);
    let east = match offset {
        [b'Z'] => 0,
        [sign, h0, h1, b':', m0, m1] => {
            let (hours, minutes) = (two(*h0, *h1)?, two(*m0, *m1)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            match sign {
                b'+' => hours * 3600 + minutes * 60,
                b'-' => -(hours * 3600 + minutes * 60),
                _ => return None,
            }
        }
        _ => return None,
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if day < 1 || day > days || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 1970-01-01 in the proleptic Gregorian calendar, years counted from March.
    let years = if month > 2 { year } else { year - 1 };
    let shifted = (month + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let days = 365 * years + years / 4 - years / 100 + years / 400 + day_of_year - 719_468;
    Timestamp::from_second(days * 86_400 + hour * 3600 + minute * 60 + second - east).ok()
}

/// What else RFC 3339 allows: fractions of a second, a small `t`, second 60.
fn rare_instant(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let offset = bytes.get(bytes.len().checked_sub(6)?..)?;
    let zoned = match offset {
        [.., b'Z' | b'z'] => true,
        [b'+' | b'-', h0, h1, b':', _, _] => two(*h0, *h1).is_some_and(|hours| hours < 24),
        _ => false,
    };
    let shaped = matches!(bytes.get(10), Some(b'T' | b't')) && !bytes.contains(&b'[');
    if zoned && shaped { text.parse().ok() } else { None }
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COMMA: Notation = Notation { mark: DecimalMark::Comma, grouped: false };
    const EUROPE: Notation = Notation { mark: DecimalMark::Comma, grouped: true };
    const GROUPED: Notation = Notation { mark: DecimalMark::Dot, grouped: true };

    fn show(notation: Notation, text: &str) -> Option<String> {
        notation.amount(text).map(|amount| amount.to_string())
    }

    #[test]
    fn amounts() {
        for (text, value) in
            [("14.90", "14.9"), ("20", "20"), ("-0.84", "-0.84"), ("-0.00", "0"), ("007", "7")]
        {
            assert_eq!(show(Notation::PLAIN, text).as_deref(), Some(value));
        }
        assert_eq!(show(Notation::PLAIN, "3980.00").as_deref(), Some("3980"), "JPY");
        assert_eq!(show(COMMA, "1141,18").as_deref(), Some("1141.18"));
        assert_eq!(show(EUROPE, "-1.234.567,89").as_deref(), Some("-1234567.89"));
        assert_eq!(show(EUROPE, "1.234").as_deref(), Some("1234"));
        assert_eq!(show(GROUPED, "1,44,957.78").as_deref(), Some("144957.78"));
        assert_eq!(show(Notation::PLAIN, &"9".repeat(15)), Some("9".repeat(15)));
    }

    #[test]
    fn audit_03_absurd_amounts_are_no_amounts() {
        let whole = "9".repeat(15);
        for good in [format!("{whole}.999999"), format!("-{whole}.9999990000"), "0.000001".into()] {
            assert!(Notation::PLAIN.amount(&good).is_some(), "{good}");
        }
        for bad in [
            "9".repeat(16),
            "9".repeat(28),
            format!("-1{whole}"),
            format!("{whole}9.5"),
            "0.9999999".into(),
            "0.0000001".into(),
            "0.999999999999999999999999999".into(),
        ] {
            assert_eq!(Notation::PLAIN.amount(&bad), None, "{bad}");
        }
        assert_eq!(GROUPED.amount("9,999,999,999,999,999"), None);
    }

    #[test]
    fn never_an_amount() {
        let never = [
            "", "-", "+5", "1_000", "1e3", "1E3", "NaN", "inf", ".5", "5.", "1..2", "--1", "1 000",
            "0x1", "1.2.3", "£5", "５", " 1",
        ];
        for text in never {
            for notation in [Notation::PLAIN, COMMA, GROUPED, EUROPE] {
                assert_eq!(show(notation, text), None, "{text} {notation:?}");
            }
        }
        assert_eq!(show(Notation::PLAIN, &"9".repeat(29)), None);
        for text in ["1,5", "1,234", "1,234.56"] {
            assert_eq!(show(Notation::PLAIN, text), None, "{text}");
        }
        for text in ["1,5", "12,34.5", "1234,567", ",123", "1,234,5", "0,123", "1.234,5"] {
            assert_eq!(show(GROUPED, text), None, "{text}");
        }
        for text in ["1.5", "14.90", "1,234.5", "1.2.3", "1.44.957,78", "1234.567"] {
            assert_eq!(show(EUROPE, text), None, "{text}");
        }
    }

    #[test]
    fn instants_are_understood_with_their_offset() {
        let seconds = |text| instant(text).map(Timestamp::as_second);
        assert_eq!(seconds("2025-05-05T10:19:22+00:00"), Some(1_746_440_362));
        assert_eq!(seconds("2025-05-05T03:19:22-07:00"), Some(1_746_440_362));
        assert_eq!(seconds("2025-05-05T19:19:22+09:00"), Some(1_746_440_362));
        assert_eq!(seconds("2025-05-05T10:19:22Z"), Some(1_746_440_362));
        assert_eq!(seconds("2025-05-05T10:19:22.000Z"), Some(1_746_440_362));
        assert!(seconds("2024-02-29T00:00:00+00:00").is_some());
        for bad in [
            "",
            "2025-05-05",
            "2025-05-05T10:19:22",
            "2025-05-05 10:19:22+00:00",
            "2025-05-05 10:19:22 UTC",
            "14.03.2023 07:49:55 UTC",
            "2025-02-29T00:00:00+00:00",
            "2025-13-01T00:00:00+00:00",
            "2025-05-05T24:00:00+00:00",
            "2025-05-05T10:19:22+00:00[Europe/Berlin]",
            "0001-01-01T00:00:00+00:00",
            "9999-12-31T23:59:59+00:00",
            "2025-05-05T10:19:22+24:00",
            "2/25/17",
        ] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn units_and_flags() {
        assert_eq!(units("0"), Some(0));
        assert_eq!(units("007"), Some(7));
        for bad in ["", "-1", "+1", "1.0", "1e3", "1,000", "9999999999", "１"] {
            assert_eq!(units(bad), None, "{bad}");
        }
        assert_eq!((flag("true"), flag("FALSE"), flag("")), (Some(true), Some(false), Some(false)));
        assert_eq!(flag("maybe"), None);
    }

    proptest! {
        #[test]
        fn amounts_round_trip(mantissa in -1_000_000_000_000_i64..1_000_000_000_000, scale in 0u32..6) {
            let amount = Decimal::new(mantissa, scale);
            let text = amount.to_string();
            prop_assert_eq!(Notation::PLAIN.amount(&text), Some(amount));
            prop_assert_eq!(COMMA.amount(&text.replace('.', ",")), Some(amount));
        }

        #[test]
        fn the_common_form_and_jiff_agree(
            second in PLAUSIBLE, hours in -23_i32..24, minutes in 0_i32..60, zulu: bool,
        ) {
            let at = Timestamp::from_second(second).unwrap();
            let east = if hours < 0 { hours * 3600 - minutes * 60 } else { hours * 3600 + minutes * 60 };
            let offset = jiff::tz::Offset::from_seconds(east).unwrap();
            let text = if zulu { at.to_string() } else { at.display_with_offset(offset).to_string() };
            prop_assert_eq!(common_instant(text.as_bytes()), Some(at));
            prop_assert_eq!(rare_instant(&text), Some(at));
        }

        #[test]
        fn what_jiff_refuses_the_common_form_refuses(text in "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-5][0-9][+-]([01][0-9]|2[0-3]):[0-6][0-9]") {
            let jiff = text.parse::<Timestamp>().ok();
            prop_assert_eq!(common_instant(text.as_bytes()), jiff);
        }
    }
}
