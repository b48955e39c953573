//! The settings the daemon runs with: validated, complete, nothing undecided.
//!
//! Promises: what cannot work is not representable here (see the module `check`); every
//! `Option` that is left means something of its own, which its doc says. Does not hold secrets.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::model::{AccountId, Marketplace, OdooId, Sku};

use super::check;
use super::error::ConfigError;

/// Largest settings or keys file that is read, in bytes.
pub(super) const MAX_SETTINGS_BYTES: u64 = 1 << 20;

/// Everything `config.toml` decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The Odoo everything goes to.
    pub odoo: OdooSettings,
    /// The directory files come from.
    pub spool: SpoolSettings,
    /// What the daemon remembers.
    pub state: StateSettings,
    /// Where the secrets are.
    pub keys: KeysSource,
    /// The control socket.
    pub control: ControlSettings,
    /// The journal.
    pub log: LogSettings,
    /// The seller accounts, in the order of the file. May be empty: the daemon then waits.
    pub accounts: Vec<AccountSettings>,
}

/// `[odoo]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OdooSettings {
    /// Base URL: scheme, host and perhaps a port; HTTPS unless loopback.
    pub url: OdooUrl,
    /// The database.
    pub database: String,
    /// The integration user's login.
    pub login: String,
    /// A private CA to trust besides the system's; none: the system's only.
    pub ca_file: Option<PathBuf>,
    /// Calls at the same time, at most.
    pub connections: usize,
    /// Orders in one call, at most.
    pub batch: usize,
    /// Orders in one confirming call, at most.
    pub confirm_batch: usize,
    /// Odoo's `limit_time_real`: after an ambiguous answer the call may still run that long.
    pub limit_time_real: Duration,
    /// How often orders that wait for something in Odoo are looked at again.
    pub recheck_interval: Duration,
}

/// An Odoo base URL without a trailing slash: `https://host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OdooUrl {
    pub(super) text: String,
    pub(super) loopback: bool,
}

/// `[spool]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolSettings {
    /// Holds one directory per account.
    pub dir: PathBuf,
    /// How often the directories are listed even if nothing was heard.
    pub poll_interval: Duration,
    /// How long a file that was not renamed in must stay the same before it is claimed.
    pub settle: Duration,
    /// How long files stay in `done/` and `rejected/`.
    pub keep: Duration,
    /// Bytes that must be free where the spool is; none: 5 % of it, at most 256 MiB.
    pub min_free: Option<u64>,
}

/// `[state]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSettings {
    /// The store and the day keys.
    pub dir: PathBuf,
    /// The store's page cache, in bytes.
    pub cache_bytes: u64,
    /// Bytes that must be free where the state is; none: 5 % of it, at most 256 MiB.
    pub min_free: Option<u64>,
}

/// Where the keys file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysSource {
    /// `[keys] file`: a file of root or the daemon, mode 0400 or 0600.
    File(PathBuf),
    /// `$CREDENTIALS_DIRECTORY/odoo-spoold.keys`, put there by systemd.
    Credential,
}

/// `[control]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlSettings {
    /// Bound by the daemon only if systemd did not pass it.
    pub socket: PathBuf,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The finest level that is written.
    pub level: tracing::Level,
}

/// `[[account]]`
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent yes-or-no decisions")]
pub struct AccountSettings {
    /// Its id; never changes.
    pub id: AccountId,
    /// Its region.
    pub region: Region,
    /// Whether files are claimed and orders delivered.
    pub enabled: bool,
    /// The company in Odoo.
    pub company: RecordRef,
    /// The marketplace of orders whose files name none; none: they are held `marketplace`.
    pub default_marketplace: Option<Marketplace>,
    /// Whether unencrypted files are taken (and sealed at intake).
    pub accept_plaintext: bool,
    /// Whether Amazon's AES-CBC documents are taken (and re-sealed at intake).
    pub accept_aes_cbc: bool,
    /// Larger files are refused.
    pub max_file_bytes: u64,
    /// Earlier purchases are counted, not created.
    pub import_from: ImportFrom,
    /// What to do with seller-fulfilled orders first seen as shipped.
    pub already_shipped: AlreadyShipped,
    /// What to do with orders that stood in Odoo before.
    pub existing: ExistingOrders,
    /// Whether released orders are confirmed; otherwise they stay quotations.
    pub confirm: bool,
    /// Whose name orders carry.
    pub partner: PartnerPolicy,
    /// What to do with SKUs that no product has.
    pub unknown_sku: UnknownSku,
    /// The products of lines that are no goods.
    pub products: ServiceProducts,
    /// At least one.
    pub marketplaces: Vec<MarketplaceSettings>,
}

/// Amazon's regions: one seller account each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// Europe, the Middle East, Africa and India.
    Eu,
    /// North America and Brazil.
    Na,
    /// Japan, Australia and Singapore.
    Fe,
}

/// A record in Odoo, named the way the operator likes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordRef {
    /// By its exact name; none or two of that name is a hold.
    Name(String),
    /// By its database id.
    Id(OdooId),
}

/// From when on orders are created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFrom {
    /// From the start (UTC) of the day the account was first run here.
    DayOfInstallation,
    /// From this instant.
    At(Timestamp),
}

/// Seller-fulfilled orders whose first fact says Shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlreadyShipped {
    /// Created as a quotation, not confirmed.
    Draft,
    /// Confirmed like any other: the warehouse is asked to ship.
    Confirm,
    /// Counted, not created.
    Skip,
}

/// Orders that stood in Odoo before the first delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingOrders {
    /// Mapped, never written.
    Adopt,
    /// Held for a person.
    Hold,
}

/// Whose name orders carry in Odoo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartnerPolicy {
    /// A contact per buyer.
    Buyer,
    /// One contact per marketplace.
    Anonymous,
}

/// SKUs that no product in Odoo has as its internal reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnknownSku {
    /// The order is held `sku` until the product appears.
    Hold,
    /// The line gets this product (an internal reference).
    Default(Sku),
}

/// Internal references of the products for lines that are no goods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceProducts {
    /// Shipping charged to the buyer.
    pub shipping: Sku,
    /// Gift wrap charged to the buyer.
    pub gift_wrap: Sku,
    /// Promotions, as negative amounts.
    pub promotion: Sku,
    /// The visible rounding line.
    pub rounding: Sku,
}

/// `[[account.marketplace]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketplaceSettings {
    /// Which one.
    pub marketplace: Marketplace,
    /// The pricelist that gives orders their currency.
    pub pricelist: RecordRef,
    /// Whether the report's prices contain the tax.
    pub prices: PricesAre,
    /// What happens to tax that Amazon collects and pays itself.
    pub facilitator_tax: FacilitatorTax,
    /// The warehouse of seller-fulfilled orders.
    pub warehouse: Warehouse,
    /// The warehouse of Amazon-fulfilled orders, by code; none: those are held `warehouse`.
    pub fba_warehouse: Option<String>,
    /// The name of the contact for orders without a buyer.
    pub anonymous_partner: String,
    /// The file names it: then orders whose buyer expired go on with it, else they are held.
    pub anonymous_named: bool,
    /// Ship-service level → delivery carrier's name. Levels not listed get no carrier.
    pub carriers: BTreeMap<String, String>,
    /// The tax table; (destination, rate) is unique, one default per destination at most.
    pub taxes: Vec<TaxRule>,
}

/// What the prices in a marketplace's reports are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PricesAre {
    /// Tax included.
    Gross,
    /// Tax excluded.
    Net,
}

/// Tax that the marketplace collects and pays itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FacilitatorTax {
    /// Not in the order.
    Exclude,
    /// In the order, like any other tax.
    Include,
}

/// A warehouse in Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warehouse {
    /// The one Odoo gives an order by itself.
    OdooDefault,
    /// By its short code.
    Code(String),
}

/// `[[account.marketplace.tax]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxRule {
    /// Where the goods go.
    pub destination: Destination,
    /// The rate in percent, 0 to 100.
    pub rate: Decimal,
    /// What the lines get.
    pub tax: TaxRef,
    /// Whether it is taken where a report has no tax column.
    pub default: bool,
}

/// Where the goods of a tax rule go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// `"*"`: any country without rules of its own.
    Any,
    /// ISO 3166 alpha-2, upper case.
    Country([u8; 2]),
}

/// A tax in Odoo.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TaxRef {
    /// No tax at all, set explicitly.
    None,
    /// This one.
    Tax(RecordRef),
}

// === impl Settings ===

impl Settings {
    /// Reads and checks the file at `path`.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = read_bounded(path)?;
        Self::parse(path, &text)
    }

    /// Checks `text`; `path` is only named in errors.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        check::settings(path, text)
    }

    /// The account with this id.
    pub fn account(&self, id: &AccountId) -> Option<&AccountSettings> {
        self.accounts.iter().find(|account| &account.id == id)
    }
}

/// Reads a whole small file.
pub(super) fn read_bounded(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_SETTINGS_BYTES.saturating_add(1))
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if u64::try_from(text.len()).is_ok_and(|len| len > MAX_SETTINGS_BYTES) {
        return Err(ConfigError::TooLarge { path: path.to_owned(), limit: MAX_SETTINGS_BYTES });
    }
    Ok(text)
}

// === impl AccountSettings ===

impl AccountSettings {
    /// The settings of one of its marketplaces; none: not configured.
    pub fn marketplace(&self, marketplace: Marketplace) -> Option<&MarketplaceSettings> {
        self.marketplaces.iter().find(|m| m.marketplace == marketplace)
    }
}

// === impl OdooUrl ===

impl OdooUrl {
    /// The URL, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it points at this host itself.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl fmt::Display for OdooUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// === impl Region ===

impl Region {
    /// As written in the file: `EU`, `NA`, `FE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eu => "EU",
            Self::Na => "NA",
            Self::Fe => "FE",
        }
    }

    /// The region that `marketplace` belongs to.
    pub fn of(marketplace: Marketplace) -> Self {
        match marketplace.country() {
            "US" | "CA" | "MX" | "BR" => Self::Na,
            "JP" | "AU" | "SG" => Self::Fe,
            _ => Self::Eu,
        }
    }
}

// === impl Destination ===

impl Destination {
    /// The country's code, or `*`.
    pub fn name(&self) -> &str {
        match self {
            Self::Any => "*",
            Self::Country(code) => std::str::from_utf8(code).unwrap_or("??"),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "\"{name}\""),
            Self::Id(id) => write!(f, "id {id}"),
        }
    }
}
