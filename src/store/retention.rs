//! How long things are kept: the decisions. Pure; times come in.
//!
//! | what | kept |
//! | --- | --- |
//! | a buyer's payload | until Odoo has it; at the latest [`BUYER_DAYS`] days after the day of arrival |
//! | what else is known of an order | [`RECORD_DAYS`] days after the last word on it; then only what stands in Odoo |
//! | what is remembered of a file | [`FILE_DAYS`] days after its end |
//!
//! Days are whole UTC days: what arrived on day 0 opens up to the end of day 30 and never on day 31.
//! *Locking* follows the clock alone, at once, and ends when the clock returns; *destroying* is for
//! ever, and the caller does it only while somebody vouches for the clock (`clock::witness`).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The longest a buyer's payload is kept, in days.
pub const BUYER_DAYS: i64 = 30;
/// Ages of a day at which those are named whose orders still wait with buyers of it, in days.
pub const WARN_DAYS: [i64; 2] = [20, 27];
/// The longest the facts of an order are kept: 18 months, in days.
pub const RECORD_DAYS: i64 = 548;
/// The longest a file is remembered after its end: 12 months, in days.
pub const FILE_DAYS: i64 = 366;
/// The believed time is stored again once it is off by this, in minutes: an hourly look writes
/// once, a busy one not more often.
const SEEN_MINUTES: i64 = 30;
/// Marks of destroyed days whose values are all gone are forgotten after this, in days.
const MARK_DAYS: i64 = 90;

/// What `meta` remembers about retention.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Retained {
    /// When the clock was last believed, in ms.
    pub(super) seen_ms: Option<i64>,
    /// Days whose keys are destroyed, or are being destroyed.
    pub(super) destroyed: BTreeMap<Date, Destroyed>,
    /// Days that lay in the future when the clock was believed: values came in under them while it
    /// was wrong. They count from the day on which that was noticed.
    pub(super) counted: BTreeMap<Date, Date>,
    /// The largest of [`WARN_DAYS`] that was told of a day.
    pub(super) warned: BTreeMap<Date, i64>,
}

/// A destroyed day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Destroyed {
    /// When, in ms.
    pub(super) at_ms: i64,
    /// Its values are gone from the store.
    pub(super) swept: bool,
}

/// What decides whether a day opens.
#[derive(Debug, Clone, Default)]
pub(super) struct Terms {
    /// The clock's day, whoever vouches for it; none until somebody looked.
    pub(super) today: Option<Date>,
    pub(super) destroyed: BTreeSet<Date>,
    pub(super) counted: BTreeMap<Date, Date>,
}

/// The age of a day, in days; negative in the future.
pub(super) fn age(day: Date, today: Date) -> i64 {
    today.duration_since(day).as_secs() / 86_400
}

impl Terms {
    /// How old a day is by the clock.
    pub(super) fn age(&self, day: Date) -> Option<i64> {
        Some(age(self.counted.get(&day).copied().unwrap_or(day), self.today?))
    }

    /// Too old to be opened, by the clock.
    pub(super) fn is_overdue(&self, day: Date) -> bool {
        self.age(day).is_some_and(|age| age > BUYER_DAYS)
    }
}

impl Retained {
    /// What opens by these marks.
    pub(super) fn terms(&self, today: Option<Date>) -> Terms {
        Terms {
            today,
            destroyed: self.destroyed.keys().copied().collect(),
            counted: self.counted.clone(),
        }
    }

    /// The clock is believed to say `now`, and these days have keys. True if that is worth storing.
    pub(super) fn believe(&mut self, now: Timestamp, today: Date, days: &[Date]) -> bool {
        let before = self.clone();
        let now_ms = now.as_millisecond();
        let off = self.seen_ms.map(|seen_ms| now_ms.abs_diff(seen_ms));
        if off.is_none_or(|off| i64::try_from(off).unwrap_or(i64::MAX) >= SEEN_MINUTES * 60_000) {
            self.seen_ms = Some(now_ms);
        }
        for &day in days {
            // Tomorrow is nothing strange: the clock may have stood a little ahead.
            if age(day, today) < -1 {
                self.counted.entry(day).or_insert(today);
            }
        }
        let stands = |day: &Date| days.contains(day);
        self.counted.retain(|day, _| stands(day));
        self.warned.retain(|day, _| stands(day));
        let keep_ms = MARK_DAYS * 86_400_000;
        self.destroyed.retain(|_, mark| !mark.swept || now_ms.saturating_sub(mark.at_ms) < keep_ms);
        *self != before
    }

    /// The warning that is due for a day of this age and was not given yet.
    pub(super) fn warning(&self, day: Date, age: i64) -> Option<i64> {
        let told = self.warned.get(&day).copied().unwrap_or(0);
        WARN_DAYS.into_iter().filter(|level| age >= *level && *level > told).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn day_30_opens_and_day_31_does_not() {
        // Over the end of summer time: days are UTC and all have 24 hours.
        let day = date("2026-10-10");
        let on = |today| Terms { today: Some(date(today)), ..Terms::default() }.is_overdue(day);
        assert!(!on("2026-10-10") && !on("2026-11-09"));
        assert!(on("2026-11-10") && on("2036-10-10"));
        assert!(!on("1970-01-01"), "a clock that stands behind locks nothing");
        assert!(!Terms::default().is_overdue(day));
    }

    #[test]
    fn a_day_from_the_future_counts_from_when_it_was_noticed() {
        let future = date("2036-01-01");
        let mut kept = Retained::default();
        assert!(kept.believe(at("2026-01-05T10:00:00Z"), date("2026-01-05"), &[future]));
        assert_eq!(kept.counted[&future], date("2026-01-05"));
        // Noticed once.
        kept.believe(at("2026-01-09T10:00:00Z"), date("2026-01-09"), &[future]);
        assert_eq!(kept.counted[&future], date("2026-01-05"));
        assert!(!kept.terms(Some(date("2026-02-04"))).is_overdue(future));
        assert!(kept.terms(Some(date("2026-02-05"))).is_overdue(future));
        kept.believe(at("2026-02-06T10:00:00Z"), date("2026-02-06"), &[]);
        assert!(kept.counted.is_empty());
    }

    #[test]
    fn the_time_is_stored_with_hysteresis() {
        let mut kept = Retained::default();
        let today = date("2026-01-05");
        assert!(kept.believe(at("2026-01-05T10:00:00Z"), today, &[]));
        assert!(!kept.believe(at("2026-01-05T10:29:59Z"), today, &[]));
        assert!(kept.believe(at("2026-01-05T10:30:00Z"), today, &[]));
        assert!(kept.believe(at("2026-01-05T09:30:00Z"), today, &[]), "backwards as well");
    }

    #[test]
    fn each_warning_is_given_once() {
        let day = date("2026-01-01");
        let mut kept = Retained::default();
        assert_eq!(kept.warning(day, 19), None);
        assert_eq!(kept.warning(day, 20), Some(20));
        kept.warned.insert(day, 20);
        assert_eq!(kept.warning(day, 26), None);
        assert_eq!(kept.warning(day, 28), Some(27));
        kept.warned.insert(day, 27);
        assert_eq!(kept.warning(day, 30), None);
        // Who was away for the first one hears the second one only.
        assert_eq!(Retained::default().warning(day, 29), Some(27));
    }

    #[test]
    fn marks_stay_until_their_values_are_gone() {
        let mark = |swept| Destroyed { at_ms: 0, swept };
        let mut kept = Retained {
            destroyed: [(date("1970-01-01"), mark(true)), (date("1970-01-02"), mark(false))].into(),
            ..Retained::default()
        };
        kept.believe(at("1970-03-31T00:00:00Z"), date("1970-03-31"), &[]);
        assert_eq!(kept.destroyed.len(), 2);
        kept.believe(at("1970-04-02T00:00:00Z"), date("1970-04-02"), &[]);
        assert_eq!(kept.destroyed.keys().collect::<Vec<_>>(), [&date("1970-01-02")]);
    }
}
