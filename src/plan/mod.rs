//! Decides: merged facts and known mappings in, intentions out. Pure and deterministic.
//!
//! * [`merge`]: the facts of several families become one [`merge::Record`], the same for every
//!   order of arrival.
//! * [`price`]: a line's amounts become Odoo lines: item, remainder, shipping, gift wrap,
//!   promotions, each with its tax.
//! * [`order`]: what should stand in Odoo for a record, or which exact thing is missing.
//! * [`diff`](mod@diff): what to change in Odoo, three-way: our base, what Odoo holds now, what we want.
//!
//! It knows no Odoo ids by itself: they come through [`Lookup`], which delivery fills with one
//! call per kind. Nothing in here does I/O or reads a clock, and no amount makes it panic.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod agree;
mod buying;
pub mod cause;
pub mod diff;
mod diff_lines;
mod exact;
pub mod expired;
pub mod external;
mod lines;
pub mod merge;
mod net_price;
pub mod order;
pub mod policy;
pub mod price;
mod unbased;
mod words;

pub use agree::agree;
pub use buying::{Buying, NoteLine};
pub use diff::{Changes, Current, CurrentLine, diff};
pub use merge::{Record, RecordLine};
pub use order::{Desired, DesiredLine, NoTotal, Plan, plan, rule_on_marketplace, summary};
pub use policy::{
    AccountPolicy, AlreadyShipped, Existing, FacilitatorTax, Fee, MarketplacePolicy, PartnerMode,
    Prices, TaxEntry, TaxRef, UnknownSku,
};

use crate::model::{Currency, Marketplace, OdooId, Sku};

/// What an exact search in Odoo said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<T> {
    /// Exactly one.
    One(T),
    /// None.
    Nothing,
    /// Several: choosing one would be guessing.
    Several,
}

/// A tax in Odoo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tax {
    /// `account.tax` id.
    pub id: OdooId,
    /// Whether a price on a line with this tax includes it.
    pub price_include: bool,
}

/// What the plan needs to know of Odoo. Every answer comes from an exact search in the account's
/// company; names are never resolved by similarity.
pub trait Lookup {
    /// The product with this internal reference.
    fn product(&self, sku: &Sku) -> Found<OdooId>;
    /// The pricelist configured for the marketplace, and its currency.
    fn pricelist(&self, marketplace: Marketplace) -> Found<(OdooId, Currency)>;
    /// A tax of the marketplace's table.
    fn tax(&self, tax: &TaxRef) -> Found<Tax>;
    /// A warehouse by code.
    fn warehouse(&self, code: &str) -> Found<OdooId>;
    /// A delivery method by name that books nothing by itself (no label is bought).
    fn carrier(&self, name: &str) -> Found<OdooId>;
    /// Where nothing was found: what stands archived in its place, as people call it.
    fn archived(&self, _wanted: &Wanted<'_>) -> Option<String> {
        None
    }
}

/// What a search was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// A product by its internal reference.
    Product(&'a Sku),
    /// The pricelist configured for a marketplace.
    Pricelist(Marketplace),
    /// A tax of the marketplace's table.
    Tax(&'a TaxRef),
    /// A warehouse by code.
    Warehouse(&'a str),
}
