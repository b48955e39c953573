//! `recipient`: what an account's files are encrypted to.
//!
//! The daemon is asked first: it is who must be able to open them. Without it, the keys are read.

use std::process::ExitCode;

use secrecy::ExposeSecret;

use crate::config::Settings;
use crate::control::client::ClientError;
use crate::control::wire::{AccountRecipients, Recipients};
use crate::envelope::Keyring;
use crate::model::AccountId;

use super::ask::connect;
use super::keystore::load;
use super::output::Output;
use super::problem::Problem;
use super::{Global, Recipient};

/// Prints all, or the newest of one account.
pub(super) fn run(
    global: &Global,
    args: &Recipient,
    out: &mut Output,
) -> Result<ExitCode, Problem> {
    let mut known = known(global)?;
    if let Some(account) = &args.account {
        known.accounts.retain(|keys| &keys.account == account);
        if known.accounts.is_empty() {
            return Err(unknown(account));
        }
    }
    let one = args.account.is_some();
    out.answer(&known, |out, known| {
        if one {
            let newest = known.accounts.iter().find_map(|keys| keys.recipients.first());
            return newest.map_or(Ok(()), |recipient| out.line(recipient));
        }
        let rows: Vec<Vec<String>> = known
            .accounts
            .iter()
            .flat_map(|keys| {
                keys.recipients.iter().enumerate().map(|(age, recipient)| {
                    let use_it = if age == 0 { "yes" } else { "old" };
                    vec![keys.account.to_string(), use_it.to_owned(), recipient.clone()]
                })
            })
            .collect();
        out.table(&["ACCOUNT", "SEAL TO", "RECIPIENT"], &rows, "no account has keys")
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What to seal an account's files to.
pub(super) fn newest(global: &Global, account: &AccountId) -> Result<String, Problem> {
    let known = known(global)?.accounts;
    known
        .into_iter()
        .find(|keys| &keys.account == account)
        .and_then(|keys| keys.recipients.into_iter().next())
        .ok_or_else(|| unknown(account))
}

fn unknown(account: &AccountId) -> Problem {
    Problem::new("account-unknown", format!("the account \"{account}\" has no keys here"))
        .next(format!("`odoo-spoold account add {account}`, then restart the daemon"))
}

fn known(global: &Global) -> Result<Recipients, Problem> {
    let settings = Settings::load(&global.config())?;
    let asked = connect(global.is_systems(), &settings.control.socket, global.patience())
        .and_then(|client| client.recipients());
    match asked {
        Ok(known) => Ok(known),
        Err(ClientError::NotRunning { .. }) => from_keys(global, &settings),
        // Who may not ask the daemon is told so, unless the keys are theirs to read.
        Err(error) => from_keys(global, &settings).map_err(|_| error.into()),
    }
}

fn from_keys(global: &Global, settings: &Settings) -> Result<Recipients, Problem> {
    let keys = load(global, settings)?;
    let mut accounts = Vec::new();
    for account in &keys.accounts {
        let texts = account.identities.iter().map(ExposeSecret::expose_secret);
        let recipients = Keyring::from_identities(texts)?.recipients();
        accounts.push(AccountRecipients { account: account.id.clone(), recipients });
    }
    Ok(Recipients { accounts })
}
