//! When the API key of the integration user ends. Pure.
//!
//! Since Odoo 18 the key of an ordinary user ends, at the latest after the longest
//! `api_key_duration` of the user's groups (90 days for internal users). Before that no key ends.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Days before the end at which a warning is due, most first.
pub const WARNING_DAYS: [u8; 4] = [30, 14, 7, 1];
/// Written for a key that does not end.
const NEVER: &str = "never";

/// When an API key ends, as far as somebody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum KeyEnd {
    /// Nobody knows.
    #[default]
    Unknown,
    /// It does not end.
    Never,
    /// From this instant on Odoo refuses it.
    At(Timestamp),
}

/// What Odoo tells of the key that we use. It lists a user's keys without saying which is which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyReading {
    /// This is when it ends.
    Sure(KeyEnd),
    /// It is one of several keys of the user, and the first of them ends then.
    OneOf {
        /// How many keys the user has.
        keys: usize,
        /// When the first of them ends.
        first: Timestamp,
    },
    /// The user may not see its keys, or none of them is ours (a password is used).
    Hidden,
}

/// A text that is neither a day nor an instant nor `never`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("give the day on which the key ends, as in 2027-02-26, or \"never\"")]
pub struct NotAnEnd;

// === impl KeyEnd ===

impl KeyEnd {
    /// Whether Odoo refuses the key by now.
    pub fn is_past(self, now: Timestamp) -> bool {
        matches!(self, Self::At(end) if end <= now)
    }

    /// Whole days that are left, none where it does not end or nobody knows.
    pub fn days_left(self, now: Timestamp) -> Option<i64> {
        match self {
            Self::At(end) => Some(end.duration_since(now).as_hours().div_euclid(24)),
            Self::Unknown | Self::Never => None,
        }
    }

    /// The smallest warning that is due: at most so many days are left. 0 where it has ended.
    pub fn warning(self, now: Timestamp) -> Option<u8> {
        let Self::At(end) = self else { return None };
        if end <= now {
            return Some(0);
        }
        let left = end.duration_since(now);
        let within = |days: &u8| left <= SignedDuration::from_hours(i64::from(*days) * 24);
        WARNING_DAYS.into_iter().rev().find(within)
    }

    /// Whether both mean the same day: people know days, Odoo instants.
    pub fn is_same_day(self, other: Self) -> bool {
        let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
        match (self, other) {
            (Self::At(one), Self::At(other)) => day(one) == day(other),
            (one, other) => one == other,
        }
    }
}

impl fmt::Display for KeyEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Never => f.write_str(NEVER),
            Self::At(end) => end.fmt(f),
        }
    }
}

impl FromStr for KeyEnd {
    type Err = NotAnEnd;

    /// A day counts from its first moment on (UTC): Odoo's own choice for "3 months".
    fn from_str(text: &str) -> Result<Self, NotAnEnd> {
        let text = text.trim();
        if text.eq_ignore_ascii_case(NEVER) {
            return Ok(Self::Never);
        }
        if let Ok(end) = text.parse::<Timestamp>() {
            return Ok(Self::At(end));
        }
        let day: Date = text.parse().map_err(|_| NotAnEnd)?;
        let end = day.to_zoned(TimeZone::UTC).map_err(|_| NotAnEnd)?;
        Ok(Self::At(end.timestamp()))
    }
}

// === impl KeyReading ===

impl KeyReading {
    /// Takes what Odoo lists, one entry a key (none: it does not end), and what somebody noted.
    pub fn of(listed: &[KeyEnd], noted: KeyEnd) -> Self {
        let Some(first) = listed.first() else { return Self::Hidden };
        if listed.iter().all(|end| end == first) {
            return Self::Sure(*first);
        }
        let mut fitting = listed.iter().filter(|end| end.is_same_day(noted));
        if let Some(one) = fitting.next()
            && fitting.all(|other| other == one)
        {
            return Self::Sure(*one);
        }
        let ends = listed.iter().filter_map(|end| match end {
            KeyEnd::At(end) => Some(*end),
            KeyEnd::Unknown | KeyEnd::Never => None,
        });
        match ends.min() {
            Some(first) => Self::OneOf { keys: listed.len(), first },
            None => Self::Hidden,
        }
    }

    /// The end, where it is known.
    pub fn end(self) -> KeyEnd {
        match self {
            Self::Sure(end) => end,
            Self::OneOf { .. } | Self::Hidden => KeyEnd::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn end(text: &str) -> KeyEnd {
        text.parse().unwrap()
    }

    #[test]
    fn a_key_is_warned_about_at_30_14_7_and_1_days() {
        let end = KeyEnd::At(at("2027-03-01T00:00:00Z"));
        let warned = |now: &str| end.warning(at(now));
        assert_eq!(warned("2027-01-29T23:59:59Z"), None);
        assert_eq!(warned("2027-01-30T00:00:00Z"), Some(30));
        assert_eq!(warned("2027-02-14T23:00:00Z"), Some(30));
        assert_eq!(warned("2027-02-15T00:00:00Z"), Some(14));
        assert_eq!(warned("2027-02-22T00:00:00Z"), Some(7));
        assert_eq!(warned("2027-02-28T00:00:00Z"), Some(1));
        assert_eq!(warned("2027-02-28T23:59:59Z"), Some(1));
        assert_eq!(warned("2027-03-01T00:00:00Z"), Some(0));
        assert!(end.is_past(at("2027-03-01T00:00:00Z")));
        assert_eq!(end.days_left(at("2027-02-27T12:00:00Z")), Some(1));
        assert_eq!(
            (
                KeyEnd::Never.warning(at("2027-03-01T00:00:00Z")),
                KeyEnd::Unknown.days_left(at("2027-03-01T00:00:00Z"))
            ),
            (None, None)
        );
    }

    #[test]
    fn an_end_is_written_as_a_day_an_instant_or_never() {
        assert_eq!(end("2027-02-26"), KeyEnd::At(at("2027-02-26T00:00:00Z")));
        assert_eq!(end("2027-02-26T07:30:00Z"), KeyEnd::At(at("2027-02-26T07:30:00Z")));
        assert_eq!(end(" Never "), KeyEnd::Never);
        assert_eq!("soon".parse::<KeyEnd>(), Err(NotAnEnd));
        for written in ["2027-02-26T07:30:00Z", "never"] {
            assert_eq!(end(written).to_string(), written);
        }
    }

    #[test]
    fn which_of_several_keys_is_ours_follows_from_what_is_noted() {
        let (a, b) = (end("2027-02-26T10:00:00Z"), end("2027-05-01"));
        let of = |listed: &[KeyEnd], noted| KeyReading::of(listed, noted);
        assert_eq!(of(&[], a), KeyReading::Hidden);
        assert_eq!(of(&[a], KeyEnd::Unknown), KeyReading::Sure(a));
        assert_eq!(of(&[KeyEnd::Never], a), KeyReading::Sure(KeyEnd::Never));
        assert_eq!(of(&[a, a], KeyEnd::Unknown), KeyReading::Sure(a));
        let one_of = KeyReading::OneOf { keys: 3, first: at("2027-02-26T10:00:00Z") };
        assert_eq!(of(&[b, a, KeyEnd::Never], KeyEnd::Unknown), one_of);
        assert_eq!(of(&[b, a, KeyEnd::Never], end("2027-03-01")), one_of);
        assert_eq!(of(&[b, a, KeyEnd::Never], end("2027-02-26")), KeyReading::Sure(a));
        assert_eq!(of(&[b, a, KeyEnd::Never], KeyEnd::Never), KeyReading::Sure(KeyEnd::Never));
        // Two that end on that day, at different hours: still open.
        let c = end("2027-02-26T11:00:00Z");
        assert_eq!(
            of(&[a, c, b], end("2027-02-26")),
            KeyReading::OneOf { keys: 3, first: at("2027-02-26T10:00:00Z") }
        );
        assert_eq!(one_of.end(), KeyEnd::Unknown);
    }
}
