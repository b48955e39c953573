//! What the account's settings say, in the words the plan uses.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::model::{AccountId, Marketplace, OdooId, Sku};

/// One account's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPolicy {
    /// The account.
    pub account: AccountId,
    /// Orders purchased earlier are counted, not created.
    pub import_from: Timestamp,
    /// What to do with FBM orders first seen as shipped.
    pub already_shipped: AlreadyShipped,
    /// What to do with orders that stood in Odoo before us.
    pub existing: Existing,
    /// Whether released orders are confirmed.
    pub confirm: bool,
    /// Buyers as partners, or one anonymous partner per marketplace.
    pub partner: PartnerMode,
    /// What an SKU without product does.
    pub unknown_sku: UnknownSku,
    /// Internal references of the products that fee lines use.
    pub products: BTreeMap<Fee, Sku>,
    /// The marketplace of orders that no file names one for.
    pub default_marketplace: Option<Marketplace>,
    /// The configured marketplaces.
    pub marketplaces: BTreeMap<Marketplace, MarketplacePolicy>,
}

/// One marketplace's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketplacePolicy {
    /// Whether prices in reports include tax.
    pub prices: Prices,
    /// What to do with tax that Amazon collects itself.
    pub facilitator_tax: FacilitatorTax,
    /// The tax table.
    pub taxes: Vec<TaxEntry>,
    /// Warehouse code for orders that the seller ships; none leaves Odoo's default.
    pub warehouse: Option<String>,
    /// Warehouse code for orders that Amazon ships; none holds them unconfirmed.
    pub fba_warehouse: Option<String>,
    /// Service level → name of a delivery method.
    pub carriers: BTreeMap<String, String>,
    /// The name of the partner for orders without a known buyer.
    pub anonymous_partner: String,
    /// The settings name it: orders whose buyer expired go on with it.
    pub anonymous_named: bool,
}

/// Whether report prices include tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prices {
    /// They do (EU, UK, JP).
    Gross,
    /// They do not (US, CA).
    Net,
}

/// What to do with tax that the marketplace collects and pays itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FacilitatorTax {
    /// It is not part of the order in Odoo.
    Exclude,
    /// It is.
    Include,
}

/// FBM orders first seen as shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlreadyShipped {
    /// Created, left as quotations.
    Draft,
    /// Created and confirmed: Odoo makes a delivery order.
    Confirm,
    /// Counted, not created.
    Skip,
}

/// Orders that stood in Odoo before us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Mapped, never written.
    Adopt,
    /// Held for a person.
    Hold,
}

/// Who the customer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartnerMode {
    /// The buyer, where known; else the anonymous partner.
    Buyer,
    /// Always the anonymous partner.
    Anonymous,
}

/// What an SKU without product does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnknownSku {
    /// Holds its order until the product appears.
    Hold,
    /// Uses this product.
    Default(Sku),
}

/// One row of a marketplace's tax table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxEntry {
    /// Destination country, ISO 3166 alpha-2; none is any.
    pub destination: Option<String>,
    /// The rate in percent.
    pub rate: Decimal,
    /// The tax to set; none sets no tax.
    pub tax: Option<TaxRef>,
    /// Used where the report gives no tax amount.
    pub default: bool,
}

/// How the settings name a tax.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaxRef {
    /// By its name, exactly.
    Name(String),
    /// By its database id.
    Id(OdooId),
}

/// Lines that are not an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fee {
    /// `shipping-price`.
    Shipping,
    /// `gift-wrap-price`.
    GiftWrap,
    /// Item and shipping promotions.
    Promotion,
    /// The visible difference between Odoo's and Amazon's rounding.
    Rounding,
}

impl AccountPolicy {
    /// The rules of a configured marketplace.
    pub fn marketplace(&self, marketplace: Marketplace) -> Option<&MarketplacePolicy> {
        self.marketplaces.get(&marketplace)
    }

    /// Every tax that a table names.
    pub fn tax_refs(&self) -> BTreeSet<TaxRef> {
        let entries = self.marketplaces.values().flat_map(|rules| &rules.taxes);
        entries.filter_map(|entry| entry.tax.clone()).collect()
    }

    /// Every warehouse that a marketplace names, by its short name.
    pub fn warehouse_codes(&self) -> BTreeSet<String> {
        let rules = self.marketplaces.values();
        rules
            .flat_map(|rules| [&rules.warehouse, &rules.fba_warehouse])
            .flatten()
            .cloned()
            .collect()
    }

    /// Every delivery method that a table names.
    pub fn carrier_names(&self) -> BTreeSet<String> {
        self.marketplaces.values().flat_map(|rules| rules.carriers.values().cloned()).collect()
    }
}

impl MarketplacePolicy {
    /// The table's entries for a destination: its own, or those for any.
    pub fn entries(&self, destination: Option<&str>) -> Vec<&TaxEntry> {
        let own: Vec<&TaxEntry> = self
            .taxes
            .iter()
            .filter(|entry| {
                entry.destination.is_some() && entry.destination.as_deref() == destination
            })
            .collect();
        if own.is_empty() {
            self.taxes.iter().filter(|entry| entry.destination.is_none()).collect()
        } else {
            own
        }
    }
}
