//! What `setup` needs of Odoo and of this host before there is anything to check: the companies of
//! the integration user, and an account's folders for their owner and group.
//!
//! Promises: writes nothing to Odoo; makes folders only where none are; follows no link inside the
//! spool, whose owner could turn root's hand with one.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use secrecy::SecretString;
use serde_json::json;

use crate::deliver::{api_key, value};
use crate::model::{AccountId, KeyEnd, KeyReading, Marker, OdooId};
use crate::odoo::{Client, Context, Endpoint, Fault, FaultKind, Find};
use crate::spool::SpoolDirs;

/// Everybody may pass the spool itself, to reach an account's `incoming/`.
pub(super) const SPOOL_MODE: u32 = 0o755;
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
    /// When the key ends, as somebody said.
    pub noted: KeyEnd,
    /// Accounts that have no keys here yet.
    pub keyless: Vec<AccountId>,
}

/// An Odoo that knows the user.
#[derive(Debug, Clone)]
pub struct Known {
    /// The version it tells; empty where it tells none.
    pub version: String,
    /// The companies that the user may work for.
    pub companies: Vec<(OdooId, String)>,
    /// When the key ends.
    pub key: KeyReading,
    /// Those of the accounts without keys of which a marker stands there: they had keys.
    pub marked: Vec<AccountId>,
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

/// What an answer of a person was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The address, or the way there.
    Address,
    /// The database.
    Database,
    /// The login or its key.
    Login,
}

impl AskError {
    /// Which answer to ask for again.
    pub fn about(&self) -> About {
        match self {
            Self::Fault(fault) if fault.kind == FaultKind::NoDatabase => About::Database,
            Self::Fault(fault)
                if matches!(fault.kind, FaultKind::AccessDenied | FaultKind::AccessError) =>
            {
                About::Login
            }
            Self::Wrong(_) | Self::Fault(_) => About::Address,
        }
    }

    /// What the operator can do.
    pub fn next_step(&self) -> String {
        match self {
            Self::Wrong(_) => "correct what was given for Odoo".to_owned(),
            // Nothing runs yet that could be restarted or told to reload.
            Self::Fault(fault) => {
                fault.next_step().split(", then re").next().unwrap_or_default().to_owned()
            }
        }
    }
}

/// The version of the Odoo at this address, which tells it to anybody; empty where it tells none.
pub async fn answers(url: String, ca_file: Option<PathBuf>) -> Result<String, AskError> {
    let client = stranger(url, "-".to_owned(), ca_file)?;
    client.server_version().await.map_err(|fault| AskError::Fault(Box::new(fault)))
}

/// Whether the Odoo at this address has this database. Asked with no key at all; Odoo looks for the
/// database first.
pub async fn has_database(
    url: String,
    database: String,
    ca_file: Option<PathBuf>,
) -> Result<(), AskError> {
    match stranger(url, database, ca_file)?.probe().await {
        Err(fault) if fault.kind == FaultKind::AccessDenied => Ok(()),
        Err(fault) => Err(AskError::Fault(Box::new(fault))),
        Ok(_) => Ok(()),
    }
}

/// Somebody without a login.
fn stranger(url: String, database: String, ca_file: Option<PathBuf>) -> Result<Client, AskError> {
    let mut endpoint = Endpoint::new(url, database, "-", SecretString::from("none"));
    endpoint.ca_file = ca_file;
    endpoint.limit_time_real = PATIENCE;
    Client::new(endpoint).map_err(|error| AskError::Wrong(error.to_string()))
}

/// Proves URL, database, login and key, and lists the companies.
pub async fn ask(odoo: Odoo) -> Result<Known, AskError> {
    let (noted, keyless) = (odoo.noted, odoo.keyless);
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
    let key = api_key::read(&client, server.uid, noted).await.map_err(fault)?;
    let mut marked = Vec::new();
    for account in keyless {
        if has_marker(&client, &account).await.map_err(fault)? {
            marked.push(account);
        }
    }
    Ok(Known { version: server.version, companies: companies.collect(), key, marked })
}

/// Whether some installation left its marker of this account.
async fn has_marker(client: &Client, account: &AccountId) -> Result<bool, Fault> {
    let find = Find { archived_too: true, ..Find::default() };
    let head = Marker::head(account).replace('_', "\\_") + "%";
    let domain = json!([["ref", "=like", head], ["active", "=", false]]);
    let context = Context::user().with("active_test", false);
    let found = client.search_read("res.partner", domain, &["ref"], &find, context).await?;
    Ok(found.iter().any(|one| Marker::check_in(&value::text(one, "ref"), account).is_some()))
}

/// Makes the state directory and the spool where they are missing.
pub fn roots(spool: &Path, state: &Path, owner: Owner) -> io::Result<Vec<PathBuf>> {
    let mut made = Vec::new();
    for (path, mode) in [(spool, SPOOL_MODE), (state, STATE_MODE)] {
        if path.is_dir() {
            continue;
        }
        root(path, mode, owner.daemon)?;
        made.push(path.to_owned());
    }
    Ok(made)
}

/// Makes one folder that stands in a folder of root's.
pub(super) fn root(path: &Path, mode: u32, owner: Option<(u32, u32)>) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(path)?;
    settle(&File::from(rustix::fs::open(path, FOLDER, Mode::empty())?), mode, owner)
}

/// Makes an account's folders where they are missing. Modes of what exists stay.
pub fn folders(spool: &Path, account: &AccountId, owner: Owner) -> io::Result<Folders> {
    let mut folders = Folders::default();
    let mut make = |parent: &File, path: &Path, mode: u32| {
        let (folder, made) = folder(parent, path, mode, owner.daemon).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
        folders.made.extend(made.then(|| path.to_owned()));
        io::Result::Ok(folder)
    };
    let dirs = SpoolDirs::new(spool, account.as_str());
    let root = make(&File::open(spool)?, &dirs.root, SpoolDirs::ROOT_MODE)?;
    let incoming = make(&root, &dirs.incoming, SpoolDirs::INCOMING_MODE)?;
    for path in [&dirs.work, &dirs.done, &dirs.rejected] {
        make(&root, path, SpoolDirs::PRIVATE_MODE)?;
    }
    let now = incoming.metadata()?;
    let untouched = owner.daemon.is_some_and(|(_, gid)| gid == now.gid());
    let usual = owner.usual_droppers.filter(|_| untouched);
    if let Some(group) = owner.droppers.or(usual)
        && now.gid() != group
    {
        rustix::fs::fchown(&incoming, None, Some(Gid::from_raw(group)))?;
        // Giving a folder away takes its set-group-id bit.
        rustix::fs::fchmod(&incoming, Mode::from_raw_mode(now.mode() & 0o7777))?;
        folders.regrouped = true;
    }
    Ok(folders)
}

/// Opens a folder, and nothing that only leads to one.
const FOLDER: OFlags =
    OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);

/// The folder `path`, looked for and made by its name in `parent` alone; true if it was made. The
/// parent may belong to the service, which may put anything there at any time.
fn folder(
    parent: &File,
    path: &Path,
    mode: u32,
    owner: Option<(u32, u32)>,
) -> io::Result<(File, bool)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let made = match rustix::fs::mkdirat(parent.as_fd(), name, Mode::RWXU) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(error) => return Err(error.into()),
    };
    let folder = File::from(rustix::fs::openat(parent.as_fd(), name, FOLDER, Mode::empty())?);
    if made {
        if folder.metadata()?.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other("something else was put in its place meanwhile"));
        }
        settle(&folder, mode, owner)?;
        parent.sync_all()?;
    }
    Ok((folder, made))
}

/// Gives a new folder its owner, if root made it, and its mode.
fn settle(folder: &File, mode: u32, owner: Option<(u32, u32)>) -> io::Result<()> {
    if let Some((uid, gid)) = owner {
        rustix::fs::fchown(folder, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    // After it: giving a folder away takes its set-group-id bit.
    rustix::fs::fchmod(folder, Mode::from_raw_mode(mode))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

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
    }

    /// The spool belongs to the service: nothing that it puts there leads root elsewhere.
    #[test]
    fn audit_28_no_link_in_the_spool_leads_out_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let (spool, state) = (dir.path().join("spool"), dir.path().join("state"));
        let elsewhere = dir.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o755)).unwrap();
        roots(&spool, &state, Owner::default()).unwrap();
        let make = |account: &str| folders(&spool, &account.parse().unwrap(), Owner::default());
        let link = |to: &Path, from: &str| {
            std::os::unix::fs::symlink(to, spool.join(from)).unwrap();
        };
        link(&elsewhere, "na");
        assert!(make("na").is_err());
        // One that leads nowhere yet, and one a level deeper.
        link(&dir.path().join("new"), "fe");
        assert!(make("fe").is_err());
        fs::create_dir(spool.join("eu")).unwrap();
        link(&elsewhere, "eu/incoming");
        assert!(make("eu").is_err());
        assert!(fs::read_dir(&elsewhere).unwrap().next().is_none(), "something was made there");
        assert_eq!(fs::metadata(&elsewhere).unwrap().mode() & 0o7777, 0o755);
        assert!(!dir.path().join("new").exists());
    }
}
