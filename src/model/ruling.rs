//! What a person decided about a conflict.
//!
//! A [`Ruling`] waits in the mapping until delivery has acted on it, and covers exactly the
//! conflicts the person saw, both values included: whatever changed since is asked anew. What came
//! of *Odoo is right* stays as [`Declined`]: the marketplace's value that is not to be written, so
//! that the same report never asks again and another value does.
//!
//! Both stand in the decision journal as well (`Note::Ruled`), in clear under the master key like the
//! base of the comparison, and for as long: there is nothing of a buyer in them. A field of an order
//! is a date, a number, a tax, a state or a marketplace; of partners only Odoo's ids are kept, never
//! a name or an address, and holds name neither. A field that could carry a buyer's words must not
//! come here in clear: it would outlive its day key.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::hold::{Hold, HoldCode};

/// Whose values are to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accept {
    /// Odoo's stay as they are.
    Odoo,
    /// The marketplace's are written once, over the person's.
    Marketplace,
}

/// A decision on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// Whose values stand.
    pub accept: Accept,
    /// The user who decided, as the control socket knew them.
    pub by: Option<u32>,
    /// When.
    pub at: Timestamp,
    /// The conflicts that were decided.
    pub about: Vec<Hold>,
}

/// A value of the marketplace that a person declined.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Declined {
    /// The field.
    pub field: String,
    /// What the marketplace wanted there.
    pub wanted: String,
    /// What Odoo held there when it was decided. As long as our base is known it plays no part: the
    /// person may go on changing what is theirs. Without a base it is all that tells that the
    /// person's value is still the one that was decided for.
    pub kept: String,
}

/// A hold that a person released: a decision on exactly these two values. It counts for as long as
/// both sides still say them, through every later look and through a rebuild.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Released {
    /// The kind of hold.
    pub code: HoldCode,
    /// What it was about.
    pub key: String,
    /// The value on our side.
    pub ours: String,
    /// The marketplace's value.
    pub theirs: String,
    /// The user who decided, as the control socket knew them.
    pub by: Option<u32>,
    /// When.
    pub at: Timestamp,
}

impl Released {
    /// The release of a hold; none where the hold stands for a fact that nobody can decide away.
    pub fn of(hold: &Hold, by: Option<u32>, at: Timestamp) -> Option<Self> {
        let Hold { code, key, ours, theirs, .. } = hold.clone();
        hold.is_decidable().then_some(Self { code, key, ours, theirs, by, at })
    }

    /// Whether this very hold was released, with both values as they were.
    pub fn covers(&self, hold: &Hold) -> bool {
        (self.code, &self.key, &self.ours, &self.theirs)
            == (hold.code, &hold.key, &hold.ours, &hold.theirs)
    }

    /// Adds it to others; of one thing the last word counts.
    pub fn add_to(self, others: &mut Vec<Self>) {
        others.retain(|other| (other.code, &other.key) != (self.code, &self.key));
        others.push(self);
    }
}

impl Accept {
    /// The word that people type and read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Odoo => "accept-odoo",
            Self::Marketplace => "accept-marketplace",
        }
    }
}

impl Declined {
    /// Whether it is about this value of the marketplace.
    pub fn is(&self, field: &str, wanted: &str) -> bool {
        self.field == field && self.wanted == wanted
    }

    /// Adds it to others; of one value of the marketplace the last word counts.
    pub fn add_to(&self, others: &mut Vec<Self>) {
        others.retain(|other| !other.is(&self.field, &self.wanted));
        others.push(self.clone());
    }
}

impl Ruling {
    /// Whether this very conflict was decided. What a hold said beyond the conflict itself, such as
    /// that something cannot be written, plays no part.
    pub fn covers(&self, hold: &Hold) -> bool {
        self.about.iter().any(|seen| {
            seen.code == hold.code && seen.key == hold.key && seen.text.starts_with(&hold.text)
        })
    }
}
