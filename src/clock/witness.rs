//! Whether the wall clock can be believed: who vouches for it.
//!
//! A clock may come up in 1970, jump ten years ahead, or lose a day. Nothing is destroyed by a clock
//! that nobody vouches for. Witnesses are: that it moved little since it was last believed; the time
//! service of this host, which says that it is synchronised; another host's clock, in the `Date` of
//! Odoo's answers. Pure: the evidence is gathered elsewhere.

use jiff::{SignedDuration, Timestamp};

/// A clock that moved less than this since it was last believed is believed, in seconds: 2 days.
pub const STEADY_SECS: i64 = 2 * 86_400;
/// Another host's clock and ours may differ by this, in seconds.
pub const AGREE_SECS: i64 = 3_600;

/// What is known about the clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// When it was last believed; none: never yet, on this state.
    pub seen: Option<Timestamp>,
    /// The host's time service says that it is synchronised now.
    pub synchronised: bool,
    /// The clock of another host, carried forward to now.
    pub elsewhere: Option<Timestamp>,
}

/// Who vouches for the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// It moved little since it was last believed.
    Steady,
    /// The host's time service.
    TimeService,
    /// The clock of Odoo's host, which is another one.
    Odoo,
}

/// Why the clock is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It is far ahead of where it was, and nobody vouches for it.
    Ahead,
    /// It is far behind where it was.
    Behind,
}

/// The verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Somebody vouches for it.
    Believed(Witness),
    /// Nobody does.
    Doubted(Doubt),
}

impl Evidence {
    /// The verdict on a clock that says `now`.
    pub fn weigh(&self, now: Timestamp) -> Trust {
        let apart = |other: Timestamp| now.duration_since(other).abs();
        if self.synchronised {
            return Trust::Believed(Witness::TimeService);
        }
        let agrees = |other| apart(other) <= SignedDuration::from_secs(AGREE_SECS);
        if self.elsewhere.is_some_and(agrees) {
            return Trust::Believed(Witness::Odoo);
        }
        match self.seen {
            Some(seen) if apart(seen) >= SignedDuration::from_secs(STEADY_SECS) => {
                Trust::Doubted(if now > seen { Doubt::Ahead } else { Doubt::Behind })
            }
            // Where nothing was remembered there is nothing that could go too early.
            Some(_) | None => Trust::Believed(Witness::Steady),
        }
    }
}

impl Trust {
    /// Whether somebody vouches for the clock.
    pub fn is_believed(self) -> bool {
        matches!(self, Self::Believed(_))
    }
}

impl Doubt {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ahead => "clock-ahead",
            Self::Behind => "clock-behind",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn small_moves_are_believed_and_great_ones_are_not() {
        let seen = Some(at("2026-03-29T00:30:00Z"));
        let weigh = |now| Evidence { seen, ..Evidence::default() }.weigh(at(now));
        // Also over the night in which summer time begins: instants know none.
        for near in ["2026-03-29T01:30:00Z", "2026-03-28T00:30:00Z", "2026-03-31T00:29:59Z"] {
            assert_eq!(weigh(near), Trust::Believed(Witness::Steady), "{near}");
        }
        assert_eq!(weigh("2026-03-31T00:30:00Z"), Trust::Doubted(Doubt::Ahead));
        assert_eq!(weigh("2036-03-29T00:30:00Z"), Trust::Doubted(Doubt::Ahead));
        assert_eq!(weigh("1970-01-01T00:00:10Z"), Trust::Doubted(Doubt::Behind));
        let new = Evidence::default().weigh(at("1970-01-01T00:00:10Z"));
        assert_eq!(new, Trust::Believed(Witness::Steady));
    }

    #[test]
    fn witnesses_vouch_for_any_move() {
        let now = at("2026-06-01T00:00:00Z");
        let seen = Some(at("2026-01-01T00:00:00Z"));
        let service = Evidence { seen, synchronised: true, elsewhere: None };
        assert_eq!(service.weigh(now), Trust::Believed(Witness::TimeService));
        let odoo = |other| Evidence { seen, synchronised: false, elsewhere: Some(at(other)) };
        assert_eq!(odoo("2026-05-31T23:00:00Z").weigh(now), Trust::Believed(Witness::Odoo));
        assert_eq!(odoo("2026-05-31T22:59:59Z").weigh(now), Trust::Doubted(Doubt::Ahead));
        // One that disagrees does not make a steady clock a doubtful one.
        let steady = Evidence { seen: Some(now), ..odoo("2020-01-01T00:00:00Z") };
        assert_eq!(steady.weigh(now), Trust::Believed(Witness::Steady));
    }
}
