//! `setup` where there were keys before: they come back from the recovery file, or somebody says
//! that there shall be new ones.
//!
//! Promises: without that word nothing is made where a state, a name of newest keys or a marker in
//! Odoo shows that there were keys. What the new ones do not open is renamed, never removed.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use secrecy::SecretString;

use crate::config::{MADE_WITH_KEYS, keys_were_here};
use crate::model::AccountId;

use super::super::problem::Problem;
use super::super::{keystore, recover};
use super::{Args, Host, Report};

/// The lock of a running daemon, in its state directory.
const LOCK: &str = "LOCK";

/// Refuses new keys where this host had some.
pub(super) fn refuse_here(args: &Args, host: &Host) -> Result<(), Problem> {
    if args.new_keys {
        return Ok(());
    }
    match keys_were_here(&host.paths.config, &host.state()) {
        Some(trace) => Err(keystore::gone(&trace)),
        None => Ok(()),
    }
}

/// Refuses a new id key for an account that Odoo knows: its buyers and orders would be made again.
pub(super) fn refuse_marked(
    args: &Args,
    marked: &[AccountId],
    given: &[(AccountId, SecretString)],
    report: &mut Report,
) -> Result<(), Problem> {
    let new = |account: &&AccountId| !given.iter().any(|(id, _)| id == *account);
    let Some(account) = marked.iter().find(new) else { return Ok(()) };
    let what = format!(
        "Odoo has a marker of the account {account}: its id key was made before, here or on another \
         host, and is not on this host now"
    );
    if args.new_keys {
        report.note(format!(
            "{what}. With the new one the account is paused (id-key-differs) until somebody removes \
             that marker in Odoo (an archived contact named \"odoo-spoold: marker of account \
             {account}\"), or the account gets another id"
        ));
        return Ok(());
    }
    Err(Problem::new("keys-gone", what).next(
        "odoo-spoold setup --restore RECOVERY-FILE; for a second host of the account: setup --id-key \
         FILE; only if there is neither: setup --new-keys (buyers are made again)",
    ))
}

/// Renames what was made with the keys that are gone: the daemon begins with an empty state.
pub(super) fn set_aside(state: &Path, report: &mut Report) -> Result<(), Problem> {
    let failed = |path: &Path, error: &io::Error| Problem::file("moving it aside", path, error);
    let there = |name: &&str| state.join(name).symlink_metadata().is_ok();
    let names: Vec<&str> = MADE_WITH_KEYS.into_iter().filter(there).collect();
    if names.is_empty() {
        return Ok(());
    }
    // The folder is the daemon's: no link in it is followed.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let lock = OpenOptions::new().read(true).custom_flags(flags).open(state.join(LOCK));
    let held = lock.as_ref().is_ok_and(|lock| lock.try_lock().is_err());
    if held {
        return Err(Problem::new("store-busy", "the daemon still runs, with the old keys")
            .at(state)
            .next("systemctl stop odoo-spoold.socket odoo-spoold.service, then run this again"));
    }
    for name in names {
        let path = state.join(name);
        if let Some(kept) = recover::step_aside(&path).map_err(|error| failed(&path, &error))? {
            report.note(format!(
                "{} does not open with the new keys: kept as {}",
                path.display(),
                kept.display()
            ));
        }
    }
    Ok(())
}
