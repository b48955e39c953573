//! The dossier: everything that is kept of one order but its buyer.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::attention::Attention;
use super::fact::{Fact, Family, Rank, RowFault};
use super::file_id::FileId;
use super::hold::{Hold, HoldCode};
use super::ids::OrderId;
use super::mapping::Mapping;
use super::ruling::Released;

/// Everything that is kept of one order but its buyer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dossier {
    /// The order.
    pub order_id: OrderId,
    /// The standing fact of each family.
    pub facts: BTreeMap<Family, Standing>,
    /// The newest refused fact of each family that no good fact has superseded.
    pub refused: BTreeMap<Family, RefusedFact>,
    /// Some good fact, also one that no longer stands, said that not all of it had been shipped.
    pub seen_unshipped: bool,
    /// What stands in Odoo.
    pub mapping: Option<Mapping>,
    /// The file that last said something new.
    pub last_file: FileId,
    /// Things a person should look at that hold nothing: later changes to an adopted order, a
    /// buyer's wish to cancel one that has left.
    pub attention: Vec<Attention>,
    /// Holds that a person released, with the values they decided on.
    pub released: Vec<Released>,
}

impl Dossier {
    /// Whether a person released this hold with exactly these two values.
    pub fn passes(&self, hold: &Hold) -> bool {
        hold.is_decidable() && self.released.iter().any(|released| released.covers(hold))
    }
}

/// The standing fact of one family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its rank: a later fact must exceed it to replace it; equal means unchanged.
    pub rank: Rank,
    /// The fact; compacted once Odoo has the order.
    pub fact: Fact,
}

/// Rows of an order were refused in a fact of this version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedFact {
    /// The version of the refused fact.
    pub version: Option<Timestamp>,
    /// The file it came in.
    pub file: FileId,
    /// Which rows, and why.
    pub faults: Vec<RowFault>,
}

impl RefusedFact {
    /// What the order waits for because of it: a hold per row.
    pub fn holds(&self) -> Vec<Hold> {
        let hold = |fault: &RowFault| {
            Hold::new(
                HoldCode::Row,
                format!("{} line {}", self.file, fault.line),
                format!(
                    "column {}: {}; a later file with a good row ends this",
                    fault.column, fault.message
                ),
            )
        };
        self.faults.iter().map(hold).collect()
    }
}
