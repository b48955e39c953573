//! Which Odoo is this: the marker that stands there, the pin that we remember, and what a
//! difference between the two means. Pure.
//!
//! ```text
//!            pin (here)                        marker (in Odoo)
//!   idle     counter n                         n
//!   opening  store n+1, raising ── barrier ──► write n+1 ──► store not raising, opened
//!   closing  store n+1, raising ── barrier ──► write n+1 ──► store not raising, not opened, good
//! ```
//!
//! The counter is stored before it is written. So Odoo may show the pin's counter, or, while it is
//! being raised, the one before: both are right, and nothing else is. A lower one, or none, is an
//! Odoo that was restored or a marker that was deleted; a higher one is a state that was.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{AccountId, OdooId};

/// What an account remembers of its Odoo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OdooPin {
    /// Its URL.
    pub url: String,
    /// Its database.
    pub database: String,
    /// The marker's `res.partner` id; 0 until it was seen.
    pub marker_id: OdooId,
    /// The marker's counter, as last written or about to be.
    pub counter: u64,
    /// The counter is being written: Odoo may still show the one before.
    pub raising: bool,
    /// A delivery window is open, since then.
    pub opened: Option<Timestamp>,
    /// When the last window was closed, or a person said that this is the right Odoo.
    pub good: Option<Timestamp>,
}

/// What stands in Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Raised at both ends of each delivery window.
    pub counter: u64,
    /// Shows which id key the account's external ids are made with; hexadecimal.
    pub check: String,
    /// When it was last written.
    pub at: Timestamp,
}

/// Why this may not be the Odoo that the account's orders stand in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Another URL or database name.
    OtherDatabase,
    /// The marker is not there, although it was.
    MarkerGone,
    /// The counter is lower than it must be.
    Restored {
        /// When the marker that is there was written.
        at: Timestamp,
    },
    /// The last window was not closed, and orders that were created in it are gone.
    LastWindow {
        /// So many are gone.
        missing: u64,
    },
    /// The counter is higher than we know: our state is the older one, or not the only one.
    StateOlder,
    /// The account's external ids were made with another id key.
    IdKeyDiffers,
}

/// First word of a marker's text.
const WORD: &str = "odoo-spoold";

// === impl Marker ===

impl Marker {
    /// The text of the marker of an account and installation.
    pub fn text(&self, account: &AccountId, installation: &str) -> String {
        format!("{WORD} {account} {installation} {} {} {}", self.counter, self.check, self.at)
    }

    /// Reads a marker's text; none if it is another's, or no marker's.
    pub fn parse(text: &str, account: &AccountId, installation: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let ours = words.next()? == WORD
            && words.next()? == account.as_str()
            && words.next()? == installation;
        let counter = words.next()?.parse().ok()?;
        let check = words.next()?.to_owned();
        let at = words.next()?.parse().ok()?;
        (ours && words.next().is_none()).then_some(Self { counter, check, at })
    }

    /// The id key check in the text of any installation's marker of this account.
    pub fn check_in(text: &str, account: &AccountId) -> Option<String> {
        let installation = text.split_whitespace().nth(2)?;
        Self::parse(text, account, installation).map(|marker| marker.check)
    }

    /// What all markers' texts of an account begin with.
    pub fn head(account: &AccountId) -> String {
        format!("{WORD} {account} ")
    }
}

// === impl OdooPin ===

impl OdooPin {
    /// Whether what `found` says fits what `pin` remembers.
    pub fn judge(pin: Option<&Self>, found: Option<&Marker>, check: &str) -> Result<(), Doubt> {
        if found.is_some_and(|marker| marker.check != check) {
            return Err(Doubt::IdKeyDiffers);
        }
        match (pin, found) {
            (None, None) => Ok(()),
            // Our own marker, and we do not know of it: the state is from before the marker.
            (None, Some(_)) => Err(Doubt::StateOlder),
            // The first marker of all was perhaps never written.
            (Some(pin), None) if pin.raising && pin.marker_id == 0 => Ok(()),
            (Some(_), None) => Err(Doubt::MarkerGone),
            (Some(pin), Some(marker)) => {
                let least = pin.counter.saturating_sub(u64::from(pin.raising));
                if marker.counter > pin.counter {
                    Err(Doubt::StateOlder)
                } else if marker.counter < least {
                    Err(Doubt::Restored { at: marker.at })
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Whether this is where the pin was put.
    pub fn is_at(&self, url: &str, database: &str) -> bool {
        self.url == url && self.database == database
    }
}

// === impl Doubt ===

impl Doubt {
    /// A name that never changes: the code the account is paused with.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OtherDatabase => "odoo-other-database",
            Self::MarkerGone => "odoo-marker-gone",
            Self::Restored { .. } | Self::LastWindow { .. } => "odoo-restored",
            Self::StateOlder => "state-older",
            Self::IdKeyDiffers => "id-key-differs",
        }
    }

    /// What is the matter and the next command, for the account and what it remembers.
    pub fn explain(&self, account: &AccountId, pin: Option<&OdooPin>) -> String {
        let good = pin.and_then(|pin| pin.good).map_or_else(
            || "no delivery window ended well before".to_owned(),
            |good| format!("the last good delivery window ended {}", minute(good)),
        );
        let command = format!("`odoo-spoold reconcile --account {account} --dry-run`");
        match self {
            Self::IdKeyDiffers => format!(
                "the account's external ids in this Odoo were made with another id key; put the \
                 id key from your copy of the keys into the keys file, with a new state directory \
                 ({good})"
            ),
            Self::StateOlder => format!(
                "Odoo's marker was raised by a newer state of this installation: this state was \
                 restored from a backup, or a second daemon runs with a copy of it; stop the \
                 other one, if there is one, then {command} ({good})"
            ),
            other => format!("{other}; {good}; {command} says what is missing"),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherDatabase => f.write_str(
                "config.toml names another URL or database than the one its orders stand in",
            ),
            Self::MarkerGone => f.write_str(
                "the account's marker is gone from Odoo: a person deleted it, or the database \
                 was restored from a backup older than it",
            ),
            Self::Restored { at } => {
                write!(f, "Odoo's database was restored from a backup made after {}", minute(*at))
            }
            Self::LastWindow { missing } => write!(
                f,
                "{missing} orders of the last, unfinished delivery window are gone from Odoo: \
                 its database was restored from a backup made in between"
            ),
            Self::StateOlder => f.write_str("this installation's state is older than Odoo"),
            Self::IdKeyDiffers => f.write_str("the account's id key is another one"),
        }
    }
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(counter: u64, raising: bool) -> OdooPin {
        OdooPin {
            url: "https://erp".into(),
            database: "db".into(),
            marker_id: 7,
            counter,
            raising,
            opened: None,
            good: None,
        }
    }

    fn marker(counter: u64) -> Marker {
        Marker { counter, check: "ab".into(), at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn every_counter_has_one_meaning() {
        let judge =
            |pin: &OdooPin, counter| OdooPin::judge(Some(pin), Some(&marker(counter)), "ab");
        let restored = Err(Doubt::Restored { at: Timestamp::UNIX_EPOCH });
        let at_rest = pin(5, false);
        assert_eq!(judge(&at_rest, 4), restored);
        assert_eq!(judge(&at_rest, 5), Ok(()));
        assert_eq!(judge(&at_rest, 6), Err(Doubt::StateOlder));
        let raising = pin(5, true);
        assert_eq!(judge(&raising, 3), restored);
        assert_eq!(judge(&raising, 4), Ok(()));
        assert_eq!(judge(&raising, 5), Ok(()));
        assert_eq!(judge(&raising, 6), Err(Doubt::StateOlder));
    }

    #[test]
    fn no_marker_is_right_only_before_the_first() {
        assert_eq!(OdooPin::judge(None, None, "ab"), Ok(()));
        assert_eq!(OdooPin::judge(None, Some(&marker(1)), "ab"), Err(Doubt::StateOlder));
        let first = OdooPin { marker_id: 0, ..pin(1, true) };
        assert_eq!(OdooPin::judge(Some(&first), None, "ab"), Ok(()));
        assert_eq!(OdooPin::judge(Some(&pin(1, true)), None, "ab"), Err(Doubt::MarkerGone));
        assert_eq!(OdooPin::judge(Some(&pin(9, false)), None, "ab"), Err(Doubt::MarkerGone));
    }

    #[test]
    fn another_id_key_is_seen_before_all_else() {
        let judged = OdooPin::judge(Some(&pin(5, false)), Some(&marker(9)), "cd");
        assert_eq!(judged, Err(Doubt::IdKeyDiffers));
    }

    #[test]
    fn texts_round_trip_and_others_are_no_marker() {
        let (eu, de) = ("eu".parse().unwrap(), "de".parse().unwrap());
        let text = marker(12).text(&eu, "00ff");
        assert_eq!(Marker::parse(&text, &eu, "00ff"), Some(marker(12)));
        assert_eq!(Marker::parse(&text, &eu, "00fe"), None);
        assert_eq!(Marker::parse(&text, &de, "00ff"), None);
        assert_eq!(Marker::parse(&format!("{text} more"), &eu, "00ff"), None);
        assert_eq!(Marker::parse("", &eu, "00ff"), None);
        assert_eq!(Marker::check_in(&text, &eu).as_deref(), Some("ab"));
        assert_eq!(Marker::check_in(&text, &de), None);
        assert!(text.starts_with(&Marker::head(&eu)));
    }

    #[test]
    fn what_is_said_names_the_time_and_the_command() {
        let eu = "eu".parse().unwrap();
        let good = OdooPin { good: Some(Timestamp::UNIX_EPOCH), ..pin(5, false) };
        for doubt in [Doubt::OtherDatabase, Doubt::MarkerGone, Doubt::StateOlder] {
            let text = doubt.explain(&eu, Some(&good));
            assert!(text.contains("1970-01-01 00:00:00 UTC"), "{text}");
            assert!(text.contains("odoo-spoold reconcile --account eu"), "{text}");
        }
        assert!(Doubt::MarkerGone.explain(&eu, None).contains("no delivery window"));
    }
}
