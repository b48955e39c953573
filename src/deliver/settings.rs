//! What delivery is told about an account.

use std::collections::BTreeMap;
use std::time::Duration;

use super::value;
use crate::model::{Marketplace, OdooId};
use crate::odoo::Record;
use crate::plan::AccountPolicy;

/// One account, as delivery needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSettings {
    /// The rules of the plan.
    pub policy: AccountPolicy,
    /// The company all its records belong to.
    pub company: Named,
    /// The pricelist of each marketplace; it brings the currency.
    pub pricelists: BTreeMap<Marketplace, Named>,
}

/// How the settings name a record of Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By its exact name.
    Name(String),
    /// By its database id.
    Id(OdooId),
}

/// Limits toward Odoo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Batches on their way at once.
    pub connections: usize,
    /// Orders in a batch, at most.
    pub batch: usize,
    /// Orders in one `action_confirm`, at most.
    pub confirm_batch: usize,
    /// Odoo's own limit for a call: how long an ambiguous one may still be running.
    pub limit_time_real: Duration,
    /// How often held orders are looked for, and the catalog asked for again.
    pub recheck: Duration,
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(f, "\"{name}\""),
            Self::Id(id) => write!(f, "company {id}"),
        }
    }
}

impl Named {
    /// Whether a record with `id` and `name` is the one.
    pub fn is(&self, record: &Record) -> bool {
        match self {
            Self::Name(name) => value::text(record, "name") == *name,
            Self::Id(id) => value::id(record, "id") == *id,
        }
    }
}
