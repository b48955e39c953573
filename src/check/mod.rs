//! Proves that what is configured can work, and says what to do where it cannot.
//!
//! ```text
//! host ──► server ──► rights ──► per account: company ─► marketplaces ─► products ──► modules, mail, traps
//! files    who, what   may we                 found exactly once?  usable?            surprises
//! ```
//!
//! Every statement about Odoo comes from a call that changes nothing. With [`Options::fix`] what is
//! safe is created, each under an external id in one `load()`, so that a second run creates
//! nothing: products of lines that are no goods, missing pricelists, spool folders. Never taxes,
//! warehouses, journals, users or anything that exists. Does not open the store, so that it can run
//! beside the daemon, and prints nothing.

pub mod api_key;
mod company;
mod create;
mod host;
mod key_end;
mod keys;
mod marketplace;
pub mod prepare;
mod products;
mod report;
mod required;
mod rights;
mod sealed;
mod search;
mod server;
mod traps;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::config::{AccountSettings, ConfigError, Keys, Settings};
use crate::model::AccountId;

pub use report::{Area, Report, Row, State};
pub use sealed::sealed_to;

use report::Sheet;
use search::Searcher;
use server::Connected;

/// The keys, or why there are none.
pub type KeysOrError = Result<Keys, ConfigError>;

/// What to look at, and whether to mend it.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Create what is safe to create.
    pub fix: bool,
    /// Only this account; none: all of them.
    pub account: Option<AccountId>,
    /// Where the settings were read from; only named.
    pub config: PathBuf,
}

/// Looks at everything, in the order of [`Area`]. Nothing stops it: what cannot be proven because
/// something before it failed is left out or says so.
pub async fn run(settings: &Settings, keys: &KeysOrError, options: &Options) -> Report {
    let mut sheet = Sheet::default();
    let accounts = host::configuration(settings, options, &mut sheet);
    host::keys(settings, keys, &accounts, &mut sheet);
    host::spool(settings, &accounts, options.fix, &mut sheet);
    host::state(settings, &mut sheet);
    if let Some(odoo) = server::connect(settings, keys.as_ref().ok(), &mut sheet).await {
        server::user(&odoo, &mut sheet).await;
        if let Ok(keys) = keys {
            key_end::prove(&odoo, keys, &mut sheet).await;
        }
        in_odoo(&odoo, &accounts, options.fix, &mut sheet).await;
    }
    sheet.finish()
}

async fn in_odoo(odoo: &Connected, accounts: &[&AccountSettings], fix: bool, sheet: &mut Sheet) {
    rights::prove(odoo, accounts, sheet).await;
    let mut companies = BTreeSet::new();
    let mut found = Vec::new();
    for account in accounts {
        sheet.about(Some(&account.id));
        let company = company::find(odoo, account, sheet).await;
        if let Some(company) = company {
            companies.insert(company);
            match Searcher::new(odoo, company).await {
                Ok(searcher) => found.push((*account, searcher)),
                Err(fault) => sheet.fault(Area::Company, "company", &fault),
            }
        }
    }
    for (account, searcher) in &found {
        sheet.about(Some(&account.id));
        marketplace::prove(searcher, account, fix, sheet).await;
    }
    for (account, searcher) in &found {
        sheet.about(Some(&account.id));
        products::prove(searcher, account, fix, sheet).await;
    }
    sheet.about(None);
    let carriers = accounts.iter().any(|account| names_carriers(account));
    traps::modules(odoo, carriers, sheet).await;
    for company in companies {
        traps::mail(odoo, company, sheet).await;
    }
    traps::own(odoo, sheet).await;
}

/// Whether any marketplace of the account maps a service level to a carrier.
fn names_carriers(account: &AccountSettings) -> bool {
    account.marketplaces.iter().any(|marketplace| !marketplace.carriers.is_empty())
}
