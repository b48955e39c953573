//! What `setup` needs of Odoo and of this host before there is anything to check: the companies of
//! the integration user, and an account's folders for their owner and group.
//!
//! Promises: writes nothing to Odoo; makes folders only where none are; follows no link inside the
//! spool, whose owner could turn root's hand with one.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Gid, Mode, OFlags, Uid};
use secrecy::SecretString;
use serde_json::json;

use crate::deliver::value;
use crate::model::{AccountId, OdooId};
use crate::odoo::{Client, Context, Endpoint, Fault, Find};
use crate::spool::SpoolDirs;

/// Everybody may pass the spool itself, to reach an account's `incoming/`.
const SPOOL_MODE: u32 = 0o755;
/// The store is the daemon's alone.
const STATE_MODE: u32 = 0o700;

/// A person waits.
const PATIENCE: Duration = Duration::from_secs(45);

/// The Odoo to ask, and who asks.
#[derive(Debug, Clone)]
pub struct Odoo {
    /// Its address.
    pub url: String,
    /// Its database.
    pub database: String,
    /// The integration user.
    pub login: String,
    /// That user's key.
    pub api_key: SecretString,
    /// A private CA to trust too.
    pub ca_file: Option<PathBuf>,
}

/// An Odoo that knows the user.
#[derive(Debug, Clone)]
pub struct Known {
    /// The version it tells; empty where it tells none.
    pub version: String,
    /// The companies that the user may work for.
    pub companies: Vec<(OdooId, String)>,
}

/// Why Odoo cannot be used yet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// URL, database, login or key cannot be right. Correct them.
    #[error("{0}")]
    Wrong(String),
    /// Odoo was asked, and this came back.
    #[error("{0}")]
    Fault(Box<Fault>),
}

/// Whose a folder is to be, where root makes it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Owner {
    /// The daemon's user and group; none: whoever makes the folder.
    pub daemon: Option<(u32, u32)>,
    /// The group that drops files, as somebody asked; none: nobody did.
    pub droppers: Option<u32>,
    /// The group that drops files where nobody asked and `incoming/` is still the daemon's.
    pub usual_droppers: Option<u32>,
}

/// What became of an account's folders.
#[derive(Debug, Default)]
pub struct Folders {
    /// What was not there.
    pub made: Vec<PathBuf>,
    /// Whether `incoming/` was given to another group.
    pub regrouped: bool,
}

impl AskError {
    /// What the operator can do.
    pub fn next_step(&self) -> String {
        match self {
            Self::Wrong(_) => "correct what was given for Odoo".to_owned(),
            Self::Fault(fault) => fault.next_step().to_owned(),
        }
    }
}

/// Proves URL, database, login and key, and lists the companies.
pub async fn ask(odoo: Odoo) -> Result<Known, AskError> {
    let mut endpoint = Endpoint::new(odoo.url, odoo.database, odoo.login, odoo.api_key);
    endpoint.ca_file = odoo.ca_file;
    endpoint.limit_time_real = PATIENCE;
    let client = Client::new(endpoint).map_err(|error| AskError::Wrong(error.to_string()))?;
    let fault = |fault: Fault| AskError::Fault(Box::new(fault));
    let server = client.probe().await.map_err(fault)?;
    let context = Context::new(&server.company_ids);
    let domain = json!([["id", "in", server.company_ids]]);
    let all = Find::default();
    let found = client.search_read("res.company", domain, &["name"], &all, context);
    let found = found.await.map_err(fault)?;
    let companies = found
        .iter()
        .map(|company| (value::id(company, "id"), value::text(company, "name").clone()));
    Ok(Known { version: server.version, companies: companies.collect() })
}

/// Makes the state directory and the spool where they are missing.
pub fn roots(spool: &Path, state: &Path, owner: Owner) -> io::Result<Vec<PathBuf>> {
    let mut made = Vec::new();
    for (path, mode) in [(spool, SPOOL_MODE), (state, STATE_MODE)] {
        if path.is_dir() {
            continue;
        }
        fs::DirBuilder::new().recursive(true).mode(mode).create(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        if let Some((uid, gid)) = owner.daemon {
            std::os::unix::fs::chown(path, Some(uid), Some(gid))?;
        }
        made.push(path.to_owned());
    }
    Ok(made)
}

/// Makes an account's folders where they are missing. Modes of what exists stay.
pub fn folders(spool: &Path, account: &AccountId, owner: Owner) -> io::Result<Folders> {
    let dirs = SpoolDirs::new(spool, account.as_str());
    let SpoolDirs { root, incoming, work, done, rejected } = dirs.clone();
    let all = [root, incoming, work, done, rejected];
    let made: Vec<PathBuf> = all.into_iter().filter(|path| !path.exists()).collect();
    if !made.is_empty() {
        let cause = |error: crate::spool::dirs::DirsError| {
            io::Error::new(
                error.source.kind(),
                format!("{}: {}", error.path.display(), error.source),
            )
        };
        let _looked_at_by_check = dirs.prepare().map_err(cause)?;
    }
    for path in &made {
        if let Some((uid, gid)) = owner.daemon {
            give(spool, path, Some(uid), Some(gid))?;
        }
    }
    let mut regrouped = false;
    let now = fs::symlink_metadata(&dirs.incoming)?.gid();
    let untouched = owner.daemon.is_some_and(|(_, gid)| gid == now);
    let usual = owner.usual_droppers.filter(|_| untouched);
    if let Some(group) = owner.droppers.or(usual)
        && now != group
    {
        give(spool, &dirs.incoming, None, Some(group))?;
        regrouped = true;
    }
    Ok(Folders { made, regrouped })
}

/// Gives a folder below `spool` away, each step without following links.
fn give(spool: &Path, path: &Path, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    let mut folder = File::open(spool)?;
    let below = path.strip_prefix(spool).map_err(|_| io::ErrorKind::InvalidInput)?;
    for part in below.components() {
        let next = rustix::fs::openat(folder.as_fd(), part.as_os_str(), flags, Mode::empty())?;
        folder = File::from(next);
    }
    let mode = folder.metadata()?.mode() & 0o7777;
    rustix::fs::fchown(&folder, uid.map(Uid::from_raw), gid.map(Gid::from_raw))?;
    // Giving a folder away takes its set-group-id bit.
    rustix::fs::fchmod(&folder, Mode::from_raw_mode(mode))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_once_and_closed() {
        let dir = tempfile::tempdir().unwrap();
        let (spool, state) = (dir.path().join("spool"), dir.path().join("state"));
        let owner = Owner::default();
        assert_eq!(roots(&spool, &state, owner).unwrap().len(), 2);
        assert!(roots(&spool, &state, owner).unwrap().is_empty());
        let account: AccountId = "eu".parse().unwrap();
        assert_eq!(folders(&spool, &account, owner).unwrap().made.len(), 5);
        let again = folders(&spool, &account, owner).unwrap();
        assert!(again.made.is_empty() && !again.regrouped);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(mode(&state), 0o700);
        assert_eq!(mode(&spool.join("eu/incoming")), 0o3730);
    }

    #[test]
    fn root_gives_what_it_made_and_keeps_the_modes() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (spool, state) = (dir.path().join("spool"), dir.path().join("state"));
        let owner = Owner { daemon: Some((7001, 7002)), droppers: Some(7003), ..Owner::default() };
        roots(&spool, &state, owner).unwrap();
        let made = folders(&spool, &"eu".parse().unwrap(), owner).unwrap();
        assert!(made.regrouped);
        let found = fs::metadata(spool.join("eu/incoming")).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (7001, 7003, 0o3730));
        let done = fs::metadata(spool.join("eu/done")).unwrap();
        assert_eq!((done.uid(), done.gid(), done.mode() & 0o7777), (7001, 7002, 0o750));
        // Nobody asked: the usual group, but never in place of one that somebody chose.
        let usual = |group| Owner { droppers: None, usual_droppers: Some(group), ..owner };
        assert!(!folders(&spool, &"eu".parse().unwrap(), usual(7004)).unwrap().regrouped);
        assert!(folders(&spool, &"jp".parse().unwrap(), usual(7004)).unwrap().regrouped);
        assert!(!folders(&spool, &"jp".parse().unwrap(), usual(7005)).unwrap().regrouped);
        std::os::unix::fs::symlink("/", spool.join("na")).unwrap();
        assert!(give(&spool, &spool.join("na/tmp"), None, Some(7003)).is_err());
    }
}
