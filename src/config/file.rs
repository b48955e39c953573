//! `config.toml` exactly as written: every key optional where it may be left out, every value with
//! its place in the text.
//!
//! Promises: an unknown key is an error (`deny_unknown_fields`). Does not judge values; that is
//! [`check`](super::check)'s work. Each key is explained for operators in `config.example.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

/// A text and its place.
pub(super) type Text = Spanned<String>;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    pub(super) odoo: OdooTable,
    #[serde(default)]
    pub(super) spool: SpoolTable,
    #[serde(default)]
    pub(super) state: StateTable,
    #[serde(default)]
    pub(super) keys: KeysTable,
    #[serde(default)]
    pub(super) control: ControlTable,
    #[serde(default)]
    pub(super) log: LogTable,
    #[serde(default)]
    pub(super) account: Vec<Spanned<AccountTable>>,
}

/// `[odoo]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OdooTable {
    pub(super) url: Text,
    pub(super) database: Text,
    pub(super) login: Text,
    pub(super) ca_file: Option<Text>,
    pub(super) connections: Option<Spanned<i64>>,
    pub(super) batch: Option<Spanned<i64>>,
    pub(super) confirm_batch: Option<Spanned<i64>>,
    pub(super) limit_time_real: Option<Text>,
    pub(super) recheck_interval: Option<Text>,
}

/// `[spool]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpoolTable {
    pub(super) dir: Option<Text>,
    pub(super) poll_interval: Option<Text>,
    pub(super) settle: Option<Text>,
    pub(super) keep: Option<Text>,
    pub(super) min_free: Option<Text>,
}

/// `[state]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StateTable {
    pub(super) dir: Option<Text>,
    pub(super) cache: Option<Text>,
    pub(super) min_free: Option<Text>,
}

/// `[keys]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeysTable {
    pub(super) file: Option<Text>,
}

/// `[control]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ControlTable {
    pub(super) socket: Option<Text>,
}

/// `[log]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogTable {
    pub(super) level: Option<Text>,
}

/// `[[account]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountTable {
    pub(super) id: Text,
    pub(super) region: Text,
    pub(super) enabled: Option<bool>,
    pub(super) company: Option<Text>,
    pub(super) company_id: Option<Spanned<i64>>,
    pub(super) default_marketplace: Option<Text>,
    pub(super) accept_plaintext: Option<bool>,
    pub(super) accept_aes_cbc: Option<bool>,
    pub(super) max_file_size: Option<Text>,
    pub(super) import_from: Option<Spanned<toml::Value>>,
    pub(super) already_shipped: Option<Text>,
    pub(super) existing: Option<Text>,
    pub(super) confirm: Option<bool>,
    pub(super) partner: Option<Text>,
    pub(super) unknown_sku: Option<Text>,
    pub(super) default_product: Option<Text>,
    #[serde(default)]
    pub(super) products: ProductsTable,
    #[serde(default)]
    pub(super) marketplace: Vec<Spanned<MarketplaceTable>>,
}

/// `[account.products]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductsTable {
    pub(super) shipping: Option<Text>,
    pub(super) gift_wrap: Option<Text>,
    pub(super) promotion: Option<Text>,
    pub(super) rounding: Option<Text>,
}

/// `[[account.marketplace]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MarketplaceTable {
    pub(super) name: Text,
    pub(super) pricelist: Option<Text>,
    pub(super) pricelist_id: Option<Spanned<i64>>,
    pub(super) prices: Text,
    pub(super) facilitator_tax: Option<Text>,
    pub(super) warehouse: Option<Text>,
    pub(super) fba_warehouse: Option<Text>,
    pub(super) anonymous_partner: Option<Text>,
    #[serde(default)]
    pub(super) carriers: BTreeMap<String, Text>,
    #[serde(default)]
    pub(super) tax: Vec<Spanned<TaxTable>>,
}

/// `[[account.marketplace.tax]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TaxTable {
    pub(super) destination: Text,
    pub(super) rate: Spanned<toml::Value>,
    pub(super) tax: Option<Text>,
    pub(super) tax_id: Option<Spanned<i64>>,
    #[serde(default)]
    pub(super) default: bool,
}
