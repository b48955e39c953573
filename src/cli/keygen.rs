//! `keygen`: a new keys file, or more accounts in one.
//!
//! Promises: keys that exist are never changed or lost; the file is readable by its owner only
//! from its first byte on, and keeps its owner. Secrets are printed only where `--output -` asks
//! for it and no terminal would show them.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::clock::{Clock as _, System};
use crate::config::{ConfigError, Keys, KeysSource, Settings, keys_were_here};
use crate::envelope::generate_identity;
use crate::model::AccountId;

use super::atomic::{Atomic, Existing};
use super::keystore::{Keep, KeyStore, Paths, Place};
use super::output::Output;
use super::problem::Problem;
use super::{Global, Keygen, keystore};

/// A keys file's mode.
const KEYS_MODE: u32 = 0o400;
/// Longest API key or keys file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// What was made. Public keys only.
#[derive(Debug, Serialize)]
struct Made {
    file: PathBuf,
    created: bool,
    accounts: Vec<MadeAccount>,
}

/// One account's new keys.
#[derive(Debug, Serialize)]
struct MadeAccount {
    account: AccountId,
    recipient: String,
}

/// Makes what is asked for.
pub(super) fn run(global: &Global, args: &Keygen, out: &mut Output) -> Result<ExitCode, Problem> {
    let store = if args.credential { Some(credential(global)?) } else { None };
    let file = match &args.output {
        _ if store.is_some() => store.as_ref().map(|s| s.path().to_owned()).unwrap_or_default(),
        Some(path) => path.clone(),
        None => configured(global, &Settings::load(&global.config())?)?,
    };
    let piped = file == Path::new("-");
    if piped && io::stdout().is_terminal() {
        return Err(Problem::usage("keys do not belong on a terminal: redirect or pipe them"));
    }
    let exists = !piped && file.symlink_metadata().is_ok();
    if exists && args.account.is_empty() {
        return Err(
            Problem::usage("this keys file exists: name the accounts to add (--account)").at(&file)
        );
    }
    if exists && args.api_key_file.is_some() {
        return Err(
            Problem::usage("the API key of an existing keys file is changed by hand").at(&file)
        );
    }
    let mut accounts = args.account.clone();
    if accounts.is_empty() {
        accounts.extend(Settings::load(&global.config())?.accounts.into_iter().map(|a| a.id));
    }
    if accounts.is_empty() {
        return Err(Problem::usage("config.toml has no account: name one (--account)"));
    }
    let mut seen = std::collections::BTreeSet::new();
    accounts.retain(|account| seen.insert(account.clone()));
    if !exists {
        nothing_to_lose(global, args)?;
    }
    let api_key = args.api_key_file.as_deref().map(read_secret).transpose()?;
    let (text, recipients) = if exists {
        add(&file, store.as_ref(), &accounts)?
    } else {
        create(&accounts, api_key.as_ref())?
    };
    if piped {
        out.raw(text.expose_secret().as_bytes())?;
        for (account, recipient) in accounts.iter().zip(&recipients) {
            out.remark(format!("{account}: {recipient}"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    match &store {
        Some(store) => {
            store.write(&text)?;
            // Without an API key they are not in force yet, and have no name.
            if let Ok(keys) = Keys::parse(&file, text.expose_secret()) {
                store.announce(&keys)?;
            }
        }
        None => write(&file, &text, exists)?,
    }
    let accounts = accounts
        .into_iter()
        .zip(recipients)
        .map(|(account, recipient)| MadeAccount { account, recipient })
        .collect();
    let made = Made { file, created: !exists, accounts };
    out.answer(&made, |out, made| {
        let rows: Vec<_> = made
            .accounts
            .iter()
            .map(|made| vec![made.account.to_string(), made.recipient.clone()])
            .collect();
        out.table(&["ACCOUNT", "SEAL FILES TO"], &rows, "")
    })?;
    if api_key.is_none() && made.created {
        out.remark(format!("now put Odoo's API key into {}", made.file.display()));
    }
    out.remark(
        "a running daemon takes new keys at its next start: `systemctl restart odoo-spoold`",
    );
    out.remark("keep a copy elsewhere: without these keys nothing sealed can be read");
    Ok(ExitCode::SUCCESS)
}

/// The keys file that the settings name.
fn configured(global: &Global, settings: &Settings) -> Result<PathBuf, Problem> {
    match &settings.keys {
        KeysSource::File(path) => Ok(path.clone()),
        KeysSource::Credential => {
            credential_stays(global)?;
            let step = "`odoo-spoold setup` makes the credential (or `odoo-spoold keygen \
                        --credential --api-key-file FILE`); or name a file (--output FILE)";
            Err(Problem::usage("config.toml names no keys file").next(step))
        }
    }
}

/// Refuses keys of which all are new where they may take the place of this host's: in the credential,
/// on stdout (which may go there), or in the file that the settings name.
fn nothing_to_lose(global: &Global, args: &Keygen) -> Result<(), Problem> {
    let config = global.config();
    let piped = args.output.as_deref() == Some(Path::new("-"));
    let settings = match Settings::load(&config) {
        Ok(settings) => Some(settings),
        // Nothing is set up here yet.
        Err(ConfigError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            None
        }
        // A file that is not this host's can be made anywhere.
        Err(_) if args.output.is_some() && !piped => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let ours = match (&args.output, settings.as_ref().map(|settings| &settings.keys)) {
        (Some(file), Some(KeysSource::File(named))) => piped || file == named,
        (Some(_), _) => piped,
        (None, _) => true,
    };
    if !ours {
        return Ok(());
    }
    if piped && !matches!(settings.as_ref().map(|s| &s.keys), Some(KeysSource::File(_))) {
        credential_stays(global)?;
    }
    let usual = || Paths::new(global).root.join("var/lib/odoo-spoold");
    let state = settings.map_or_else(usual, |settings| settings.state.dir);
    match keys_were_here(&config, &state) {
        Some(trace) => Err(keystore::gone(&trace)),
        None => Ok(()),
    }
}

/// Refuses where this host's credential exists: accounts are added to it, and its other keys stay.
fn credential_stays(global: &Global) -> Result<(), Problem> {
    match KeyStore::find(&Paths::new(global), None, None) {
        Some(store) if matches!(store.place, Place::Credential(_)) => {
            Err(Problem::new("keys-exist", "this host's keys are in a credential, which stays")
                .at(store.path())
                .next("odoo-spoold keygen --credential --account ACCOUNT adds an account to it"))
        }
        _ => Ok(()),
    }
}

fn create(
    accounts: &[AccountId],
    api_key: Option<&SecretString>,
) -> Result<(SecretString, Vec<String>), Problem> {
    let mut recipients = Vec::new();
    let text = Keys::generate(accounts, api_key, System.now(), || {
        let (identity, recipient) = generate_identity();
        recipients.push(recipient.clone());
        (identity, recipient)
    })?;
    Ok((text, recipients))
}

/// This host's credential.
fn credential(global: &Global) -> Result<KeyStore, Problem> {
    let paths = Paths::new(global);
    match KeyStore::find(&paths, None, None) {
        Some(store) if matches!(store.place, Place::Credential(_)) => Ok(store),
        _ => Ok(KeyStore::choose(&paths, None, Keep::Credential, None)?.0),
    }
}

fn add(
    file: &Path,
    store: Option<&KeyStore>,
    accounts: &[AccountId],
) -> Result<(SecretString, Vec<String>), Problem> {
    let mut text = match store {
        Some(store) => store.read()?,
        None => read_secret(file)?,
    };
    let mut recipients = Vec::new();
    for account in accounts {
        text = Keys::add_account(file, &text, account, System.now(), || {
            let (identity, recipient) = generate_identity();
            recipients.push(recipient.clone());
            (identity, recipient)
        })?;
    }
    Ok((text, recipients))
}

/// A small file's whole text, or stdin's.
fn read_secret(path: &Path) -> Result<SecretString, Problem> {
    let failed = |error: io::Error| Problem::file("reading it", path, &error);
    let mut text = Zeroizing::new(String::new());
    if path == Path::new("-") {
        io::stdin().lock().take(MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
    } else {
        let file = fs::File::open(path).map_err(failed)?;
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
    }
    Ok(SecretString::from(text.as_str()))
}

fn write(path: &Path, text: &SecretString, exists: bool) -> Result<(), Problem> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Problem::new("exists", "was made by someone else meanwhile").at(path)
        }
        _ => Problem::file("writing it", path, &error),
    };
    let mut atomic = Atomic::create(path).map_err(failed)?;
    atomic.write_all(text.expose_secret().as_bytes()).map_err(failed)?;
    let existing = if exists {
        let old = fs::metadata(path).map_err(failed)?;
        let new = atomic.file().metadata().map_err(failed)?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            fchown(atomic.file(), Some(old.uid()), Some(old.gid())).map_err(failed)?;
        }
        Existing::Replaced
    } else {
        Existing::Stays
    };
    atomic.keep(KEYS_MODE, existing).map_err(failed)
}
