//! `setup` where there were keys before: they come back from the recovery file, or somebody says
//! that there shall be new ones.
//!
//! Promises: without that word nothing is made where a state, a name of newest keys or a marker in
//! Odoo shows that there were keys. What the new ones do not open is renamed, never removed.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::config::{Keys, MADE_WITH_KEYS, keys_were_here};
use crate::model::AccountId;

use super::super::problem::Problem;
use super::super::{keystore, recover};
use super::{Args, Host, Report};

/// The lock of a running daemon, in its state directory.
const LOCK: &str = "LOCK";

/// What to do about an account whose keys are gone.
const CURES: &str = "odoo-spoold setup --restore RECOVERY-FILE; with the id key of another host of \
     the account, or of an older recovery file: setup --id-key FILE; only if there is neither: setup \
     --new-keys (the account is paused, id-key-differs, until its marker in Odoo is removed)";

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

/// Refuses a new id key for an account of config.toml that a recovery file lacks, or whose files show
/// that it had keys here.
pub(super) fn refuse_lacking(args: &Args, host: &Host, keys: &Keys) -> Result<(), Problem> {
    let Some(settings) = host.settings.as_ref().filter(|_| !args.new_keys) else { return Ok(()) };
    if args.id_key.is_some() {
        // It names the accounts that it is for, and is refused where one is missing.
        return Ok(());
    }
    for account in settings.accounts.iter().filter(|account| keys.account(&account.id).is_none()) {
        let id = &account.id;
        let what = if args.restore.is_some() {
            format!("the recovery file has no keys for the account {id}, which config.toml has")
        } else if let Some(trace) = taken(&settings.spool.dir.join(id.as_str())) {
            format!(
                "the keys of the account {id} are gone, but {} was made with them",
                trace.display()
            )
        } else {
            continue;
        };
        return Err(Problem::new("keys-gone", what).next(CURES));
    }
    Ok(())
}

/// What shows that files of an account were taken.
fn taken(folder: &Path) -> Option<PathBuf> {
    let holds =
        |path: &PathBuf| std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
    ["work", "done", "rejected"].into_iter().map(|name| folder.join(name)).find(holds)
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
    Err(Problem::new("keys-gone", what).next(CURES))
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
                "{} does not open with the new keys: kept as {}{}",
                path.display(),
                kept.display(),
                if name == "daykeys" {
                    "; remove it unless you expect the old keys back"
                } else {
                    ""
                }
            ));
        }
    }
    Ok(())
}
