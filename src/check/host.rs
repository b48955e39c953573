//! This host: settings, keys, spool folders, state directory.
//!
//! Promises: shows recipients (public keys) and paths, never a key. `--fix` creates missing spool
//! folders and changes nothing that is there. Does not open the store.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use secrecy::{ExposeSecret as _, SecretString};

use super::prepare;
use super::report::{Area, Sheet, State};
use super::{KeysOrError, Options};
use crate::config::{
    AccountSettings, CREDENTIAL_NAME, ConfigError, Keys, KeysSource, Settings, least_free,
};
use crate::envelope::Keyring;
use crate::spool::dirs::DirsError;
use crate::spool::{DirNotice, SpoolDirs};

/// Less free space than this is worth a word, where the disk is not a small one.
const ENOUGH_FREE_BYTES: u64 = 1 << 30;
/// Runs this with the daemon's user and keys where the keys are a credential.
const AS_SERVICE: &str = "systemd-run --pipe --wait -q -p User=odoo-spoold -p \
     LoadCredentialEncrypted=odoo-spoold.keys:odoo-spoold.keys odoo-spoold check";

// --- settings ---

/// The settings are already loaded: names them, and the accounts that are looked at.
pub(super) fn configuration<'a>(
    settings: &'a Settings,
    options: &Options,
    sheet: &mut Sheet,
) -> Vec<&'a AccountSettings> {
    sheet.ok(Area::Configuration, "settings", options.config.display().to_string());
    let wanted = |account: &&AccountSettings| {
        options.account.as_ref().is_none_or(|only| *only == account.id)
    };
    let accounts: Vec<_> = settings.accounts.iter().filter(wanted).collect();
    if let (Some(only), true) = (&options.account, accounts.is_empty()) {
        let known: Vec<_> = settings.accounts.iter().map(|account| account.id.as_str()).collect();
        sheet.misconfigured(
            Area::Configuration,
            "accounts",
            format!("there is no account \"{only}\""),
            format!("name one of: {}", known.join(", ")),
        );
    } else if accounts.is_empty() {
        sheet.warn(
            Area::Configuration,
            "accounts",
            "none: the daemon waits",
            "add an [[account]] for each seller account and region",
        );
    }
    for account in &accounts {
        sheet.about(Some(&account.id));
        let names: Vec<_> = account.marketplaces.iter().map(|m| m.marketplace.name()).collect();
        let region = account.region.name();
        let detail = match names.join(", ") {
            names if names.is_empty() => region.to_owned(),
            names => format!("{region}: {names}"),
        };
        if account.enabled {
            sheet.ok(Area::Configuration, "account", detail);
        } else {
            sheet.warn(
                Area::Configuration,
                "account",
                format!("{detail}; disabled: its files stay where they are"),
                "set enabled = true when it is to begin",
            );
        }
    }
    sheet.about(None);
    accounts
}

// --- keys ---

/// Keys were loaded or not; shows whose they are.
pub(super) fn keys(
    settings: &Settings,
    keys: &KeysOrError,
    accounts: &[&AccountSettings],
    sheet: &mut Sheet,
) {
    let keys = match keys {
        Ok(keys) => keys,
        Err(error) => {
            let text = error.to_string();
            let (detail, next) = match text.split_once("= help: ") {
                Some((detail, help)) => (detail.trim(), help.trim()),
                None => (text.as_str(), "see \"Keys\" in README.md"),
            };
            // systemd opens a credential for its own services only.
            let unit = if settings.keys == KeysSource::Credential
                && matches!(error, ConfigError::NoKeys { .. })
            {
                format!("; if systemd holds them: {AS_SERVICE}")
            } else {
                String::new()
            };
            sheet.misconfigured(Area::Keys, "keys", detail, format!("{next}{unit}"));
            return;
        }
    };
    sheet.ok(Area::Keys, "keys", whereabouts(&settings.keys));
    for account in accounts {
        sheet.about(Some(&account.id));
        identities(keys, account, sheet);
    }
    sheet.about(None);
    super::keys::prove(settings, keys, accounts, sheet);
}

fn whereabouts(source: &KeysSource) -> String {
    match source {
        KeysSource::Credential => format!("the systemd credential {CREDENTIAL_NAME}"),
        KeysSource::File(path) => match fs::metadata(path) {
            Ok(metadata) => {
                let mode = metadata.mode() & 0o7777;
                format!("{}, mode {mode:04o}, of uid {}", path.display(), metadata.uid())
            }
            Err(_) => path.display().to_string(),
        },
    }
}

fn identities(keys: &Keys, account: &AccountSettings, sheet: &mut Sheet) {
    let Some(own) = keys.account(&account.id) else {
        sheet.misconfigured(
            Area::Keys,
            "id key and identities",
            "there are none for this account",
            "make them with `odoo-spoold setup`".to_owned(),
        );
        return;
    };
    let texts = own.identities.iter().map(SecretString::expose_secret);
    match Keyring::from_identities(texts) {
        Ok(keyring) => {
            let recipients = keyring.recipients();
            let newest = recipients.first().cloned().unwrap_or_default();
            let older = match recipients.len() {
                0 | 1 => String::new(),
                more => format!(", and {} older", more.saturating_sub(1)),
            };
            let detail = format!("id key there; files are sealed to {newest}{older}");
            sheet.ok(Area::Keys, "id key and identities", detail);
        }
        Err(error) => sheet.misconfigured(
            Area::Keys,
            "id key and identities",
            error.to_string(),
            "correct it in the keys, then run this again",
        ),
    }
}

// --- spool ---

/// The folders of each account: there, usable, closed, with room.
pub(super) fn spool(
    settings: &Settings,
    accounts: &[&AccountSettings],
    fix: bool,
    sheet: &mut Sheet,
) {
    let dir = &settings.spool.dir;
    let mut made = false;
    if fix && !dir.exists() {
        match make_spool(dir, &settings.state.dir) {
            Ok(()) => made = true,
            Err(error) => {
                let next = "create it for the daemon's user, then run this again";
                sheet.fail(Area::Spool, "directory", cannot(dir, &error), next);
                return;
            }
        }
    }
    match fs::metadata(dir) {
        Ok(_) if made => sheet.fixed(Area::Spool, "directory", format!("{} made", dir.display())),
        Ok(_) => room(Area::Spool, dir, settings.spool.min_free, sheet),
        Err(error) => {
            let next = "run `odoo-spoold check --fix`, or create it for the daemon's user";
            sheet.fail(Area::Spool, "directory", cannot(dir, &error), next);
            return;
        }
    }
    for account in accounts {
        sheet.about(Some(&account.id));
        folders(dir, &settings.state.dir, account, fix, sheet);
    }
    sheet.about(None);
}

fn folders(spool: &Path, state: &Path, account: &AccountSettings, fix: bool, sheet: &mut Sheet) {
    let dirs = SpoolDirs::new(spool, account.id.as_str());
    let made = fix && all(&dirs).iter().any(|path| !path.exists());
    let looked = if made {
        // The spool belongs to the group that drops files; only `incoming/` may.
        let daemon = owner_of(state);
        let group = owner_of(spool).map(|(_, group)| group);
        let droppers = group.filter(|group| daemon.is_some_and(|(_, own)| own != *group));
        let owner = prepare::Owner { daemon, droppers, ..prepare::Owner::default() };
        // By descriptor: the spool belongs to the service, and a link there must not lead root on.
        match prepare::folders(spool, &account.id, owner) {
            Ok(_) => dirs.look(),
            Err(source) => Err(DirsError { path: dirs.root.clone(), source }),
        }
    } else {
        dirs.look()
    };
    let notices = match looked {
        Ok(notices) => notices,
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => {
            sheet.warn(
                Area::Spool,
                "folders",
                format!("{} is not there yet", error.path.display()),
                "the daemon makes it when it starts; `odoo-spoold check --fix` makes it now",
            );
            return;
        }
        Err(error) => {
            let detail = cannot(&error.path, &error.source);
            let next = "give the daemon's user read, write and search rights there";
            sheet.fail(Area::Spool, "folders", detail, next);
            return;
        }
    };
    let strangers = strangers(&dirs);
    let shown = dirs.root.display();
    if made {
        sheet.fixed(Area::Spool, "folders", format!("{shown}: missing folders made"));
    } else if notices.is_empty() && strangers.is_empty() {
        sheet.ok(Area::Spool, "folders", format!("{shown}: incoming, work, done, rejected"));
    }
    for notice in notices {
        let text = notice.to_string();
        // "… is open to everybody (mode 0755): chmod 0750"
        let (detail, next) = match (&notice, text.rsplit_once(": ")) {
            (DirNotice::OtherFileSystem { .. }, _) | (_, None) => {
                (text.as_str(), "nothing, or put them on one file system: renaming is faster")
            }
            (_, Some(halves)) => halves,
        };
        sheet.warn(Area::Spool, "folders", detail, next);
    }
    for (path, owner) in strangers {
        sheet.warn(
            Area::Spool,
            "folders",
            format!("{} belongs to uid {owner}, the spool does not", path.display()),
            format!("chown --reference={} {}", spool.display(), path.display()),
        );
    }
}

/// The account's folders, parents first.
fn all(dirs: &SpoolDirs) -> [PathBuf; 5] {
    let SpoolDirs { root, incoming, work, done, rejected } = dirs;
    [root, incoming, work, done, rejected].map(Clone::clone)
}

/// Root may use every folder, so for root it is the owner that tells whether the daemon may.
fn strangers(dirs: &SpoolDirs) -> Vec<(PathBuf, u32)> {
    let spool = dirs.root.parent().and_then(|spool| fs::metadata(spool).ok());
    let Some(spool) = spool.filter(|_| rustix::process::geteuid().is_root()) else {
        return Vec::new();
    };
    all(dirs)
        .into_iter()
        .filter_map(|path| {
            let owner = fs::metadata(&path).ok()?.uid();
            (owner != spool.uid()).then_some((path, owner))
        })
        .collect()
}

/// The spool itself, given to whom the state belongs where root makes it.
fn make_spool(dir: &Path, state: &Path) -> io::Result<()> {
    prepare::root(dir, prepare::SPOOL_MODE, owner_of(state))
}

/// Whom root gives what it makes: the owner of what is there, where that is not root.
fn owner_of(path: &Path) -> Option<(u32, u32)> {
    let root = rustix::process::geteuid().is_root();
    let owner = fs::metadata(path).ok().filter(|owner| root && owner.uid() != 0)?;
    Some((owner.uid(), owner.gid()))
}

// --- state ---

/// The state directory: there, usable, closed, with room.
pub(super) fn state(settings: &Settings, sheet: &mut Sheet) {
    let dir = &settings.state.dir;
    let metadata = match usable(dir) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            sheet.warn(
                Area::State,
                "directory",
                format!("{} is not there yet", dir.display()),
                "systemd or the daemon makes it at the first start",
            );
            return;
        }
        Err(error) => {
            let next = format!("chown it to the daemon's user, chmod 0700 {}", dir.display());
            sheet.fail(Area::State, "directory", cannot(dir, &error), next);
            return;
        }
    };
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        sheet.warn(
            Area::State,
            "directory",
            format!("{} is open to others (mode {mode:04o})", dir.display()),
            format!("chmod 0700 {}", dir.display()),
        );
    } else {
        room(Area::State, dir, settings.state.min_free, sheet);
    }
}

fn usable(path: &Path) -> io::Result<Metadata> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?;
    Ok(metadata)
}

/// How much is free there.
fn room(area: Area, path: &Path, min_free: Option<u64>, sheet: &mut Sheet) {
    let shown = path.display();
    let disk = match rustix::fs::statvfs(path) {
        Ok(disk) => disk,
        Err(errno) => {
            let next = "look at the mount";
            sheet.fail(area, "directory", cannot(path, &errno.into()), next);
            return;
        }
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let total = disk.f_blocks.saturating_mul(disk.f_frsize);
    let least = least_free(min_free, total);
    let detail = format!(
        "{shown}, {} MiB free; with less than {} no file is taken",
        free >> 20,
        least >> 20
    );
    let next = "make room: the daemon stops claiming files when the disk is nearly full";
    match enough(free, total, least) {
        State::Fail => sheet.fail(area, "directory", detail, next),
        State::Warn => sheet.warn(area, "directory", detail, next),
        State::Ok | State::Fixed => sheet.ok(area, "directory", detail),
    }
}

/// How much room so much free space is: the daemon's own limit decides.
fn enough(free: u64, total: u64, least: u64) -> State {
    let few = ENOUGH_FREE_BYTES.min(total / 10).max(least.saturating_mul(2));
    if free < least {
        State::Fail
    } else if free < few {
        State::Warn
    } else {
        State::Ok
    }
}

fn cannot(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be used: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn night_room_is_measured_by_the_daemons_own_limit() {
        let state =
            |free: u64, total: u64| enough(free << 20, total << 20, least_free(None, total << 20));
        assert_eq!(state(39, 40), State::Ok);
        assert_eq!(state(3, 40), State::Warn);
        assert_eq!(state(1, 40), State::Fail);
        assert_eq!(state(900, 1 << 20), State::Warn);
        assert_eq!(state(255, 1 << 20), State::Fail);
        assert_eq!(state(1100, 1 << 20), State::Ok);
    }
}
