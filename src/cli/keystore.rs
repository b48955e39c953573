//! Where the keys lie on this host: one credential that systemd-creds sealed to it, else a file.
//!
//! Promises: a new text takes the old one's place whole, after it was proven to open again; a
//! credential is never written in clear; a text that another command put there meanwhile is never
//! replaced; beside config.toml a word (not a key) says which keys are
//! the newest, so that a running daemon can tell that it has older ones.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, fchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::config::{
    CREDENTIAL_NAME, ConfigError, Keys, KeysSource, RESTORE_KEYS, Settings, newest_keys_path,
};

use super::Global;
use super::atomic::{Atomic, Existing};
use super::problem::Problem;

/// A keys file's mode.
const FILE_MODE: u32 = 0o400;
/// A sealed credential's mode.
const CREDENTIAL_MODE: u32 = 0o600;
/// The newest keys' name is no secret.
const NAME_MODE: u32 = 0o644;
/// Longest keys text, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// systemd's tool.
const SYSTEMD_CREDS: &str = "systemd-creds";
/// What to do about a credential that does not open.
const UNOPENED: &str = "run this as root on the host that sealed it; if that was another host, or \
     this one was set up again since: odoo-spoold setup --restore RECOVERY-FILE (what does not open \
     is kept beside it)";

/// Where to keep new keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Keep {
    /// A credential where this host can seal one, else a file
    #[default]
    Auto,
    /// A credential, sealed to this host by systemd-creds
    Credential,
    /// A file that only the daemon's user can read
    File,
}

/// A place for keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Sealed by systemd-creds.
    Credential(PathBuf),
    /// In clear, closed to others.
    File(PathBuf),
}

/// The keys of one installation.
#[derive(Debug)]
pub(super) struct KeyStore {
    pub(super) place: Place,
    config: PathBuf,
    /// Who reads a keys file, where root writes it.
    owner: Option<(u32, u32)>,
    /// A digest of the text that this process last read or wrote there: none of none.
    seen: Cell<Option<[u8; 32]>>,
}

/// The files of one installation, below the root of the file system or another folder.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    pub(super) root: PathBuf,
    pub(super) config: PathBuf,
}

// === impl Paths ===

impl Paths {
    pub(super) fn new(global: &Global) -> Self {
        let root = global.root.clone().unwrap_or_else(|| PathBuf::from("/"));
        Self { config: global.config(), root }
    }

    fn credential(&self) -> PathBuf {
        self.root.join("etc/credstore.encrypted").join(CREDENTIAL_NAME)
    }

    fn file(&self) -> PathBuf {
        self.config.with_file_name("keys.toml")
    }

    /// The user and group of this name, from the host's own files.
    pub(super) fn user(&self, name: &str) -> Option<(u32, u32)> {
        let fields = entry(&self.root.join("etc/passwd"), name)?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    }

    /// The id of the group of this name.
    pub(super) fn group(&self, name: &str) -> Option<u32> {
        entry(&self.root.join("etc/group"), name)?.get(2)?.parse().ok()
    }
}

fn entry(path: &Path, name: &str) -> Option<Vec<String>> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
    Some(line.split(':').map(str::to_owned).collect())
}

// === impl KeyStore ===

impl KeyStore {
    fn at(place: Place, paths: &Paths, owner: Option<(u32, u32)>) -> Self {
        Self { place, config: paths.config.clone(), owner, seen: Cell::new(None) }
    }

    /// Where the keys of this installation are; none: there are no keys yet.
    pub(super) fn find(
        paths: &Paths,
        named: Option<&Path>,
        owner: Option<(u32, u32)>,
    ) -> Option<Self> {
        let store = |place| Self::at(place, paths, owner);
        if let Some(named) = named {
            return named.exists().then(|| store(Place::File(named.to_owned())));
        }
        if paths.credential().exists() {
            return Some(store(Place::Credential(paths.credential())));
        }
        // An earlier run may have ended before config.toml named it.
        paths.file().exists().then(|| store(Place::File(paths.file())))
    }

    /// Where to put the first keys, and why not into a credential, if that was wanted.
    pub(super) fn choose(
        paths: &Paths,
        named: Option<&Path>,
        keep: Keep,
        owner: Option<(u32, u32)>,
    ) -> Result<(Self, Option<String>), Problem> {
        let store = |place| Self::at(place, paths, owner);
        let file = || store(Place::File(named.map_or_else(|| paths.file(), Path::to_owned)));
        if named.is_some() || keep == Keep::File {
            return Ok((file(), None));
        }
        match (sealing_works(), keep) {
            (Ok(()), _) => Ok((store(Place::Credential(paths.credential())), None)),
            (Err(why), Keep::Credential) => {
                let step =
                    "run this as root on the host itself, or keep them in a file: --keys-in file";
                Err(Problem::new("no-credential", format!("this host seals no credentials: {why}"))
                    .next(step))
            }
            (Err(why), _) => Ok((file(), Some(why))),
        }
    }

    /// Where it is, as a path.
    pub(super) fn path(&self) -> &Path {
        match &self.place {
            Place::Credential(path) | Place::File(path) => path,
        }
    }

    /// What stands there.
    pub(super) fn read(&self) -> Result<SecretString, Problem> {
        let text = self.peek()?;
        self.seen.set(Some(digest(&text)));
        Ok(text)
    }

    fn peek(&self) -> Result<SecretString, Problem> {
        let failed = |error: io::Error| Problem::file("reading the keys", self.path(), &error);
        let path = self.path();
        if let Place::Credential(_) = self.place {
            let sealed = fs::read(path).map_err(failed)?;
            let opened = creds(&["decrypt"], &sealed);
            return opened.and_then(|bytes| text(&bytes)).map_err(|why| {
                Problem::new("credential", format!("the credential does not open: {why}"))
                    .at(path)
                    .next(UNOPENED)
            });
        }
        let mut bytes = Zeroizing::new(Vec::new());
        let file = fs::File::open(path).map_err(failed)?;
        io::copy(&mut file.take(MAX_BYTES), &mut *bytes).map_err(failed)?;
        text(&bytes).map_err(|why| Problem::new("file", why).at(path))
    }

    /// Puts `text` there: durable, whole, and proven to open. Refuses where something else stands
    /// there than this process last read: its writer may have handed the recipients out.
    pub(super) fn write(&self, text: &SecretString) -> Result<(), Problem> {
        let _lock = self.lock()?;
        let exists = self.path().symlink_metadata().is_ok();
        let there = if exists { Some(digest(&self.peek()?)) } else { None };
        if there != self.seen.get() {
            let said = "another command changed the keys meanwhile; nothing was written";
            return Err(Problem::new("keys-changed", said)
                .at(self.path())
                .next("run this command again: it will start from the current keys"));
        }
        self.replace(text, exists)?;
        self.seen.set(Some(digest(text)));
        Ok(())
    }

    /// Held while keys are compared and replaced: the folder's own lock, which leaves no file.
    fn lock(&self) -> Result<fs::File, Problem> {
        let path = self.path();
        let failed = |error: io::Error| Problem::file("locking the keys", path, &error);
        let folder_mode = if matches!(self.place, Place::File(_)) { 0o755 } else { 0o700 };
        let folder = path.parent().unwrap_or(path);
        fs::DirBuilder::new().recursive(true).mode(folder_mode).create(folder).map_err(failed)?;
        let lock = fs::File::open(folder).map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(lock)
    }

    fn replace(&self, text: &SecretString, exists: bool) -> Result<(), Problem> {
        let path = self.path();
        let failed = |error: io::Error| Problem::file("writing the keys", path, &error);
        let (bytes, mode) = match self.place {
            Place::File(_) => {
                let plain = text.expose_secret().as_bytes().to_vec();
                (Zeroizing::new(plain), FILE_MODE)
            }
            Place::Credential(_) => {
                let sealed = seal(text).map_err(|why| {
                    Problem::new("credential", format!("sealing it failed: {why}")).at(path)
                })?;
                (sealed, CREDENTIAL_MODE)
            }
        };
        let mut atomic = Atomic::create(path).map_err(failed)?;
        atomic.write_all(&bytes).map_err(failed)?;
        let existing = if exists { Existing::Replaced } else { Existing::Stays };
        let owner = match fs::metadata(path) {
            Ok(old) => Some((old.uid(), old.gid())),
            Err(_) if matches!(self.place, Place::File(_)) => self.owner,
            Err(_) => None,
        };
        if let Some((uid, gid)) = owner {
            let new = atomic.file().metadata().map_err(failed)?;
            if (new.uid(), new.gid()) != (uid, gid) {
                fchown(atomic.file(), Some(uid), Some(gid)).map_err(failed)?;
            }
        }
        atomic.keep(mode, existing).map_err(failed)
    }

    /// Says beside config.toml which keys are the newest.
    pub(super) fn announce(&self, keys: &Keys) -> Result<(), Problem> {
        let path = newest_keys_path(&self.config);
        let failed = |error: io::Error| Problem::file("writing it", &path, &error);
        let name = format!("{}\n", keys.generation());
        if fs::read_to_string(&path).is_ok_and(|old| old == name) {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut atomic = Atomic::create(&path).map_err(failed)?;
        atomic.write_all(name.as_bytes()).map_err(failed)?;
        atomic.keep(NAME_MODE, Existing::Replaced).map_err(failed)
    }
}

/// The keys as the daemon would have them; for root also out of the sealed credential.
pub(super) fn load(global: &Global, settings: &Settings) -> Result<Keys, ConfigError> {
    let paths = Paths::new(global);
    let none = match Keys::load(settings) {
        Err(none) if none.is_without_keys() => none,
        loaded => return loaded,
    };
    let gone = |none: ConfigError| none.or_gone(&paths.config, settings);
    if settings.keys != KeysSource::Credential {
        return Err(gone(none));
    }
    let sealed = paths.credential();
    if let Err(error) = fs::symlink_metadata(&sealed)
        && error.kind() != io::ErrorKind::NotFound
    {
        // Only a user who may look can tell whether they are gone.
        let what = format!("only root may look for {}", sealed.display());
        return Err(ConfigError::NoKeys { what, cure: "run this as root".to_owned() });
    }
    let Some(store) = KeyStore::find(&paths, None, None) else { return Err(gone(none)) };
    let text = store.read().map_err(|problem| ConfigError::Refused {
        path: store.path().to_owned(),
        what: problem.message().to_owned(),
        cure: UNOPENED.to_owned(),
    })?;
    Keys::parse(store.path(), text.expose_secret())
}

/// There are no keys, and none may be made: there were some.
pub(super) fn gone(trace: &Path) -> Problem {
    let trace = trace.display();
    Problem::new(
        "keys-gone",
        format!("the keys of this host are gone, but {trace} was made with them"),
    )
    .next(RESTORE_KEYS)
}

/// Tells two texts apart without keeping either.
fn digest(text: &SecretString) -> [u8; 32] {
    Sha256::digest(text.expose_secret().as_bytes()).into()
}

/// Whether this host seals and opens again.
fn sealing_works() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("that takes root".to_owned());
    }
    let probe = SecretString::from("probe");
    seal(&probe).map(drop)
}

/// Seals to this host, and proves that it opens.
fn seal(plain: &SecretString) -> Result<Zeroizing<Vec<u8>>, String> {
    let sealed = creds(&["encrypt"], plain.expose_secret().as_bytes())
        // Without TPM, and in containers, the host's key has to be asked for by name.
        .or_else(|_| creds(&["encrypt", "--with-key=host"], plain.expose_secret().as_bytes()))?;
    let opened = creds(&["decrypt"], &sealed)?;
    if opened.as_slice() == plain.expose_secret().as_bytes() {
        Ok(sealed)
    } else {
        Err("what was sealed opens as something else".to_owned())
    }
}

/// Runs systemd-creds from stdin to stdout.
fn creds(args: &[&str], input: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let name = format!("--name={CREDENTIAL_NAME}");
    let all = args.iter().copied().chain([name.as_str(), "-", "-"]).map(OsStr::new);
    let mut child = Command::new(SYSTEMD_CREDS)
        .args(all)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{SYSTEMD_CREDS}: {error}"))?;
    // It reads all before it writes: no pipe fills up meanwhile. If it ends early, its words say why.
    if let Some(mut stdin) = child.stdin.take() {
        let _said_below = stdin.write_all(input);
    }
    let done = child.wait_with_output().map_err(|error| format!("{SYSTEMD_CREDS}: {error}"))?;
    if done.status.success() && !done.stdout.is_empty() {
        return Ok(Zeroizing::new(done.stdout));
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let last = said.lines().last().unwrap_or("it gave nothing").to_owned();
    Err(format!("{SYSTEMD_CREDS}: {last}"))
}

fn text(bytes: &Zeroizing<Vec<u8>>) -> Result<SecretString, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "these are not keys".to_owned())?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two commands read the keys; a person is asked for minutes; both write.
    #[test]
    fn audit_20_keys_that_another_command_wrote_are_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths { root: dir.path().to_owned(), config: dir.path().join("config.toml") };
        let (first, none) = KeyStore::choose(&paths, None, Keep::File, None).unwrap();
        assert!(none.is_none());
        let (late, _) = KeyStore::choose(&paths, None, Keep::File, None).unwrap();
        first.write(&"one".into()).unwrap();
        let code = |written: Result<(), Problem>| written.unwrap_err().is("keys-changed");
        assert!(code(late.write(&"other".into())), "it was written over unread");
        let find = || KeyStore::find(&paths, None, None).unwrap();
        let (rotate, add) = (find(), find());
        let _both_read = (rotate.read().unwrap(), add.read().unwrap());
        rotate.write(&"one and two".into()).unwrap();
        assert!(code(add.write(&"one and three".into())));
        assert_eq!(find().read().unwrap().expose_secret(), "one and two");
        // The first goes on with what it wrote itself; so does one that begins again.
        rotate.write(&"one, two, four".into()).unwrap();
        let again = find();
        let _read = again.read().unwrap();
        again.write(&"all".into()).unwrap();
    }
}
