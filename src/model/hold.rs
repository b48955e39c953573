//! Holds: what keeps an order waiting, by the exact missing thing.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why an order waits. Uses up no attempt; ends by itself where [`HoldCode::ended_by`] says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HoldCode {
    /// No product, or more than one, has this SKU as its internal reference.
    Sku,
    /// A live line has no price yet.
    Price,
    /// The seller ships, and no ship address is known yet.
    Address,
    /// Nothing says yet that the order may be shipped.
    Release,
    /// The marketplace is not known, or not configured.
    Marketplace,
    /// The FBA warehouse of the marketplace is not configured or not in Odoo.
    Warehouse,
    /// No pricelist of the order's currency is configured or in Odoo.
    Pricelist,
    /// No tax fits, or the report's columns contradict each other.
    Tax,
    /// A row of the order was refused.
    Row,
    /// Another of our accounts in this Odoo has the same order id.
    Account,
    /// An order with this Amazon id was in Odoo before, and the account says `existing = "hold"`.
    Existing,
    /// Odoo's total differs from Amazon's by more than rounding.
    Total,
    /// A person and the marketplace changed the same thing.
    Conflict,
    /// The buyer asked for cancellation: a person decides.
    CancellationRequested,
    /// Odoo asked a question (a wizard) instead of doing it.
    Wizard,
    /// The buyer's data expired before the order could be delivered.
    AddressExpired,
    /// A column that says money and that nobody knows has a value.
    UnknownAmount,
    /// Odoo refused it as it refuses others too: whether the orders or the configuration are the
    /// cause is not known yet.
    Refused,
    /// The order exists in Odoo, but our user may not see it.
    Invisible,
}

/// What ends a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// A later file that brings what is missing.
    File,
    /// A change in Odoo or in the configuration; looked for every few minutes.
    Odoo,
    /// A person's decision.
    Person,
}

/// One hold of one order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hold {
    /// The kind of hold.
    pub code: HoldCode,
    /// The exact missing thing (a SKU, a pricelist's name, a line number). Never buyer data.
    pub key: String,
    /// One sentence: what is missing and what to do. Never buyer data.
    pub text: String,
    /// Of a comparison: the value on our side (what Odoo holds, or what we would write). Empty
    /// where nothing is compared.
    #[serde(default)]
    pub ours: String,
    /// Of a comparison: the value that the marketplace gives. Empty where nothing is compared.
    #[serde(default)]
    pub theirs: String,
}

impl HoldCode {
    /// Every kind, for documentation and tests.
    pub const ALL: [Self; 19] = [
        Self::Sku,
        Self::Price,
        Self::Address,
        Self::Release,
        Self::Marketplace,
        Self::Warehouse,
        Self::Pricelist,
        Self::Tax,
        Self::Row,
        Self::Account,
        Self::Existing,
        Self::Total,
        Self::Conflict,
        Self::CancellationRequested,
        Self::Wizard,
        Self::AddressExpired,
        Self::UnknownAmount,
        Self::Refused,
        Self::Invisible,
    ];

    /// The word that people type and read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sku => "sku",
            Self::Price => "price",
            Self::Address => "address",
            Self::Release => "release",
            Self::Marketplace => "marketplace",
            Self::Warehouse => "warehouse",
            Self::Pricelist => "pricelist",
            Self::Tax => "tax",
            Self::Row => "row",
            Self::Account => "account",
            Self::Existing => "existing",
            Self::Total => "total",
            Self::Conflict => "conflict",
            Self::CancellationRequested => "cancellation-requested",
            Self::Wizard => "wizard",
            Self::AddressExpired => "address-expired",
            Self::UnknownAmount => "unknown-amount",
            Self::Refused => "refused",
            Self::Invisible => "invisible",
        }
    }

    /// What ends it.
    pub fn ended_by(self) -> EndedBy {
        match self {
            Self::Price | Self::Address | Self::Release | Self::Row | Self::AddressExpired => {
                EndedBy::File
            }
            Self::Sku
            | Self::Marketplace
            | Self::Warehouse
            | Self::Pricelist
            | Self::Tax
            | Self::Refused
            | Self::Invisible => EndedBy::Odoo,
            Self::Account
            | Self::Existing
            | Self::Total
            | Self::Conflict
            | Self::CancellationRequested
            | Self::Wizard
            | Self::UnknownAmount => EndedBy::Person,
        }
    }

    /// Whether a person's release is a decision on the hold's two values
    /// ([`Released`](super::Released)). Every other code stands for a fact: a release only makes
    /// the order be looked at again.
    pub fn is_decidable(self) -> bool {
        matches!(self, Self::Total | Self::Tax | Self::CancellationRequested | Self::UnknownAmount)
    }
}

impl Hold {
    /// A hold of `code` on `key`, explained by `text`.
    pub fn new(code: HoldCode, key: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            code,
            key: key.into(),
            text: text.into(),
            ours: String::new(),
            theirs: String::new(),
        }
    }

    /// Whether a person's release is a decision. It needs two values to decide on: what the
    /// configuration or Odoo lacks is nothing to decide, whatever the code.
    pub fn is_decidable(&self) -> bool {
        self.code.is_decidable() && !(self.ours.is_empty() && self.theirs.is_empty())
    }

    /// The same hold as the outcome of comparing these two values.
    #[must_use]
    pub fn between(self, ours: impl Into<String>, theirs: impl Into<String>) -> Self {
        Self { ours: ours.into(), theirs: theirs.into(), ..self }
    }
}

impl fmt::Display for HoldCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}: {}", self.code, self.text)
        } else {
            write!(f, "{} {}: {}", self.code, self.key, self.text)
        }
    }
}
