//! The settings file, validated; and the secrets beside it.
//!
//! A ladder: the TOML as written (`file`, spans kept) → checked (`check`) → [`Settings`], in
//! which nothing is undecided. Secrets are a file of their own ([`secrets`]); `config.toml` never
//! holds one. Every error says `file:line:column` and shows the line ([`error`]).

mod check;
pub mod error;
#[cfg(test)]
mod example_test;
mod file;
mod gone;
mod keygen;
mod rekey;
mod reload;
pub mod secrets;
pub mod settings;
mod value;

pub use check::DEFAULT_CONTROL_SOCKET;
pub use error::{ConfigError, EXIT_CONFIG};
pub use gone::{MADE_WITH_KEYS, RESTORE_KEYS, keys_were_here};
pub use rekey::{KeysDraft, id_keys_text, read_id_keys};
pub use reload::{Live, Reload};
pub use secrets::{
    AccountKeys, CREDENTIAL_NAME, Key32, Keys, MasterKey, Recovery, identity_created,
    keys_are_newer, newest_keys_path,
};
pub use settings::{
    AccountSettings, AlreadyShipped, ControlSettings, Destination, ExistingOrders, FacilitatorTax,
    ImportFrom, KeysSource, LogSettings, MarketplaceSettings, OdooSettings, OdooUrl, PartnerPolicy,
    PricesAre, RecordRef, Region, ServiceProducts, Settings, SpoolSettings, StateSettings, TaxRef,
    TaxRule, UnknownSku, Warehouse,
};
pub use value::least_free;
