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
}

impl HoldCode {
    /// Every kind, for documentation and tests.
    pub const ALL: [Self; 16] = [
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
        }
    }

    /// What ends it.
    pub fn ended_by(self) -> EndedBy {
        match self {
            Self::Price | Self::Address | Self::Release | Self::Row | Self::AddressExpired => {
                EndedBy::File
            }
            Self::Sku | Self::Marketplace | Self::Warehouse | Self::Pricelist | Self::Tax => {
                EndedBy::Odoo
            }
            Self::Account
            | Self::Existing
            | Self::Total
            | Self::Conflict
            | Self::CancellationRequested
            | Self::Wizard => EndedBy::Person,
        }
    }
}

impl Hold {
    /// A hold of `code` on `key`, explained by `text`.
    pub fn new(code: HoldCode, key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { code, key: key.into(), text: text.into() }
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
