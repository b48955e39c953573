//! The keys: Odoo's API key, the store's master keys, each account's id key and age identities.
//!
//! One TOML text, a systemd credential (`odoo-spoold.keys`) or a file that only root or the daemon
//! can read. Promises: no error and no `Debug` shows a value, memory is wiped when dropped (as far
//! as the TOML reader allows: it borrows from our wiped text, but copies escaped strings).
//! Does not read age identities: that is the envelope's work; here they are texts.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};
use toml::Spanned;
use zeroize::Zeroizing;

use crate::model::{AccountId, KeyEnd};

use super::error::{ConfigError, Fault, Faults, Show};
use super::settings::{KeysSource, MAX_SETTINGS_BYTES, Settings};

/// The name of the systemd credential, and of the file in `$CREDENTIALS_DIRECTORY`.
pub const CREDENTIAL_NAME: &str = "odoo-spoold.keys";

/// Where systemd put this process's credentials.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// Longest master key id, in characters; it stands before every sealed value.
const MAX_KEY_ID_CHARS: usize = 16;

/// A key of 32 bytes.
pub type Key32 = SecretBox<[u8; 32]>;

/// All secrets of one daemon.
#[derive(Debug)]
pub struct Keys {
    /// The API key of the integration user.
    pub api_key: SecretString,
    /// When it ends, as Odoo or a person told when it was stored.
    pub api_key_ends: KeyEnd,
    /// The one before it, which a rotation has not revoked in Odoo yet.
    pub api_key_before: Option<SecretString>,
    /// Seals what is stored from now on.
    pub master: MasterKey,
    /// Open what was sealed before the last rotation.
    pub older: Vec<MasterKey>,
    /// The keys of each account, in the order of the file.
    pub accounts: Vec<AccountKeys>,
    /// What is known of the recovery file.
    pub recovery: Recovery,
}

/// Whether these keys can come back if this host does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Recovery {
    /// Nobody decided yet.
    #[default]
    Undecided,
    /// The operator wants none.
    Declined,
    /// A recovery file was made that holds the keys with this [`Keys::seals`].
    Covers(String),
}

/// A master key and the name that sealed values know it by.
#[derive(Debug)]
pub struct MasterKey {
    /// 1 to 16 of `A-Z a-z 0-9 . _ -`; unique.
    pub id: String,
    /// The key.
    pub key: Key32,
    /// When it was made; none: nobody wrote it down.
    pub created: Option<Timestamp>,
}

/// The keys of one account.
#[derive(Debug)]
pub struct AccountKeys {
    /// The account.
    pub id: AccountId,
    /// Blinds natural ids. Never rotated; the same on all hosts of the account, different for each.
    pub id_key: Key32,
    /// Age identities as texts, newest first; at least one.
    pub identities: Vec<SecretString>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysFile {
    odoo: OdooTable,
    state: StateTable,
    #[serde(default)]
    account: Vec<AccountTable>,
    #[serde(default)]
    recovery: RecoveryTable,
}

/// What `setup` noted of the recovery file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecoveryTable {
    covers: Option<String>,
    #[serde(default)]
    declined: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OdooTable {
    api_key: Spanned<Wiped>,
    api_key_ends: Option<Spanned<String>>,
    api_key_before: Option<Spanned<Wiped>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateTable {
    master: MasterTable,
    #[serde(default)]
    older: Vec<MasterTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MasterTable {
    id: Spanned<Wiped>,
    key: Spanned<Wiped>,
    created: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountTable {
    id: Spanned<Wiped>,
    id_key: Spanned<Wiped>,
    identities: Spanned<Vec<Spanned<Wiped>>>,
}

/// A text that is wiped when dropped and cannot be printed.
struct Wiped(Zeroizing<String>);

/// Collects faults of a keys text.
struct Reader<'a> {
    source: &'a str,
    faults: Vec<Fault>,
}

// === impl Keys ===

impl Keys {
    /// Reads the keys that `settings` names and makes sure that every account has its own.
    pub fn load(settings: &Settings) -> Result<Self, ConfigError> {
        let directory = std::env::var_os(CREDENTIALS_VARIABLE).map(PathBuf::from);
        let (path, is_credential) = locate(&settings.keys, directory.as_deref())?;
        let text = if is_credential {
            read(&path, None)?
        } else {
            read(&path, Some(&trusted_owners(settings)))?
        };
        let keys = Self::parse(&path, &text)?;
        for account in &settings.accounts {
            if keys.account(&account.id).is_none() {
                return Err(ConfigError::Refused {
                    what: format!("has no keys for the account \"{}\"", account.id),
                    path,
                    cure: format!(
                        "make them with `odoo-spoold setup` (or `{}`), or copy them from the host \
                         that already serves this account",
                        settings.keys.keygen(&account.id)
                    ),
                });
            }
        }
        Ok(keys)
    }

    /// Checks `text`; `path` is only named in errors.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut reader = Reader { source: text, faults: Vec::new() };
        let keys = reader.keys();
        match keys {
            Some(keys) if reader.faults.is_empty() => Ok(keys),
            _ => Err(reader.into_error(path)),
        }
    }

    /// Names what seals and blinds (masters, id keys, identities) without telling it: two keys texts
    /// with the same name open the same things.
    pub fn seals(&self) -> String {
        let mut hash = Sha256::new_with_prefix(b"odoo-spoold keys 1\0");
        let mut part = |bytes: &[u8]| {
            hash.update(bytes.len().to_be_bytes());
            hash.update(bytes);
        };
        for master in std::iter::once(&self.master).chain(&self.older) {
            part(master.id.as_bytes());
            part(master.key.expose_secret());
        }
        for account in &self.accounts {
            part(account.id.as_str().as_bytes());
            part(account.id_key.expose_secret());
            for identity in &account.identities {
                part(identity_line(identity.expose_secret()).as_bytes());
            }
        }
        short_hex(hash)
    }

    /// Names all of them, the API key too: what a running daemon has loaded, or not yet.
    pub fn generation(&self) -> String {
        let mut hash = Sha256::new_with_prefix(b"odoo-spoold generation 1\0");
        hash.update(self.seals());
        hash.update(self.api_key.expose_secret());
        if self.api_key_ends != KeyEnd::Unknown {
            hash.update(self.api_key_ends.to_string());
        }
        short_hex(hash)
    }

    /// Names the API key without telling it: what is remembered of one key says nothing of another.
    pub fn api_key_name(&self) -> String {
        let mut hash = Sha256::new_with_prefix(b"odoo-spoold api key 1\0");
        hash.update(self.api_key.expose_secret());
        short_hex(hash)
    }

    /// The keys of one account.
    pub fn account(&self, id: &AccountId) -> Option<&AccountKeys> {
        self.accounts.iter().find(|keys| &keys.id == id)
    }
}

/// Where the name of the newest keys stands ([`Keys::generation`]): a file beside config.toml that
/// everybody may read, since a daemon cannot see the credential that its next start will get.
pub fn newest_keys_path(config: &Path) -> PathBuf {
    config.with_file_name("keys.newest")
}

/// Whether newer keys than these were made.
pub fn keys_are_newer(config: &Path, loaded: &Keys) -> bool {
    let newest = std::fs::read_to_string(newest_keys_path(config)).unwrap_or_default();
    !newest.trim().is_empty() && newest.trim() != loaded.generation()
}

/// The line of an identity that is one, without what people note around it.
fn identity_line(text: &str) -> &str {
    let line = text.lines().map(str::trim).find(|line| line.starts_with("AGE-SECRET-KEY-"));
    line.unwrap_or(text)
}

/// When an identity was made, if its text says so the way `age-keygen` does: `# created: …`.
pub fn identity_created(identity: &SecretString) -> Option<Timestamp> {
    let line = identity.expose_secret().lines().find_map(|line| line.strip_prefix("# created:"));
    line?.trim().parse().ok()
}

fn short_hex(hash: Sha256) -> String {
    let bytes: [u8; 32] = hash.finalize().into();
    bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl KeysSource {
    /// The command that adds keys of this account to those that are there.
    pub fn keygen(&self, account: &AccountId) -> String {
        match self {
            Self::File(_) => format!("odoo-spoold keygen --account {account}"),
            Self::Credential => format!("odoo-spoold keygen --credential --account {account}"),
        }
    }
}

/// The path of the keys, and whether systemd guards it.
fn locate(source: &KeysSource, directory: Option<&Path>) -> Result<(PathBuf, bool), ConfigError> {
    match (source, directory) {
        (KeysSource::File(path), Some(directory)) => {
            Ok((path.clone(), path.starts_with(directory)))
        }
        (KeysSource::File(path), None) => Ok((path.clone(), false)),
        (KeysSource::Credential, Some(directory)) => Ok((directory.join(CREDENTIAL_NAME), true)),
        (KeysSource::Credential, None) => Err(ConfigError::NoKeys {
            what: format!("[keys] file is not set, and systemd passed no {CREDENTIAL_NAME}"),
            cure:
                "make keys with `odoo-spoold setup` (or `odoo-spoold keygen --credential`), as root"
                    .to_owned(),
        }),
    }
}

/// Whose file may hold the keys: root's, this user's, and for root the state directory's owner's.
fn trusted_owners(settings: &Settings) -> Vec<u32> {
    let this = rustix::process::geteuid().as_raw();
    let mut owners = vec![0, this];
    if this == 0
        && let Ok(state) = std::fs::metadata(&settings.state.dir)
    {
        owners.push(state.uid());
    }
    owners
}

/// Reads a keys file. With `owners` the file must belong to one of them and be closed to others;
/// systemd's credentials have an ACL, and their mode says nothing.
fn read(path: &Path, owners: Option<&[u32]>) -> Result<Zeroizing<String>, ConfigError> {
    let unreadable = |source| ConfigError::of_keys(path, source);
    // A named pipe must not hold the daemon up.
    let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file =
        OpenOptions::new().read(true).custom_flags(nonblock).open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let shown = path.display();
    let refuse = |what: &str, cure: String| {
        Err(ConfigError::Unsafe { path: path.to_owned(), what: what.to_owned(), cure })
    };
    if !metadata.is_file() {
        return refuse("is not a regular file", "name the keys file itself".to_owned());
    }
    if let Some(owners) = owners {
        if !owners.contains(&metadata.uid()) {
            let cure = format!("chown odoo-spoold: {shown}");
            return refuse("belongs to neither root nor the daemon's user", cure);
        }
        if metadata.mode() & 0o7177 != 0 {
            let cure = format!("chmod 0400 {shown}; replace the keys if others could read them");
            return refuse("can be read, written or run by others (or run at all)", cure);
        }
    }
    if metadata.len() > MAX_SETTINGS_BYTES {
        return Err(ConfigError::TooLarge { path: path.to_owned(), limit: MAX_SETTINGS_BYTES });
    }
    // Room for all of it: a growing buffer would leave copies behind.
    let room = usize::try_from(metadata.len()).unwrap_or_default().saturating_add(1);
    let mut text = Zeroizing::new(String::with_capacity(room));
    file.take(metadata.len()).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

// === impl Reader ===

impl Reader<'_> {
    fn file(&mut self) -> Option<KeysFile> {
        match toml::from_str(self.source) {
            Ok(file) => Some(file),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                self.fault(span, quiet(error.message()), "see \"Keys\" in README.md")
            }
        }
    }

    fn keys(&mut self) -> Option<Keys> {
        let file = self.file()?;
        let api_key = self.api_key(&file.odoo.api_key);
        let api_key_ends = self.api_key_ends(file.odoo.api_key_ends.as_ref());
        let before = file.odoo.api_key_before.as_ref();
        let api_key_before = before.map(|text| self.api_key(text));
        let mut ids = BTreeSet::new();
        let master = self.master(&file.state.master, &mut ids);
        let older: Vec<_> =
            file.state.older.iter().map(|table| self.master(table, &mut ids)).collect();
        let accounts = self.accounts(&file.account);
        Some(Keys {
            api_key: api_key?,
            api_key_ends: api_key_ends?,
            api_key_before: api_key_before.map_or(Some(None), |key| key.map(Some))?,
            master: master?,
            older: older.into_iter().collect::<Option<_>>()?,
            accounts: accounts?,
            recovery: match file.recovery {
                RecoveryTable { covers: Some(covers), .. } => Recovery::Covers(covers),
                RecoveryTable { declined: true, .. } => Recovery::Declined,
                RecoveryTable { .. } => Recovery::Undecided,
            },
        })
    }

    fn api_key(&mut self, text: &Spanned<Wiped>) -> Option<SecretString> {
        let value = text.get_ref().0.trim();
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return self.fault(
                text.span(),
                "the API key is empty or has characters that no API key has".to_owned(),
                "make one in Odoo: the integration user's Preferences, Account Security",
            );
        }
        Some(value.into())
    }

    fn api_key_ends(&mut self, text: Option<&Spanned<String>>) -> Option<KeyEnd> {
        let Some(text) = text else { return Some(KeyEnd::Unknown) };
        match text.get_ref().parse() {
            Ok(end) => Some(end),
            Err(_) => self.fault(
                text.span(),
                "this is not the end of an API key".to_owned(),
                "a day as in 2027-02-26, an instant, or \"never\"; or remove the line",
            ),
        }
    }

    fn master(&mut self, table: &MasterTable, ids: &mut BTreeSet<String>) -> Option<MasterKey> {
        let key = self.key32(&table.key);
        let id = table.id.get_ref().0.as_str();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if id.is_empty() || id.len() > MAX_KEY_ID_CHARS || !id.bytes().all(plain) {
            let message = "this is not the id of a master key".to_owned();
            return self.fault(table.id.span(), message, "1 to 16 of A-Z a-z 0-9 . _ -");
        }
        if !ids.insert(id.to_owned()) {
            let message = "two master keys have this id".to_owned();
            return self.fault(table.id.span(), message, "give the new one another id");
        }
        let created = match table.created.as_ref().map(|text| (text.get_ref().parse(), text)) {
            None => None,
            Some((Ok(created), _)) => Some(created),
            Some((Err(_), text)) => {
                let message = "this is not an instant".to_owned();
                return self.fault(
                    text.span(),
                    message,
                    "as in 2026-11-21T12:00:00Z, or remove it",
                );
            }
        };
        Some(MasterKey { id: id.to_owned(), key: key?, created })
    }

    fn accounts(&mut self, tables: &[AccountTable]) -> Option<Vec<AccountKeys>> {
        let mut accounts: Vec<Option<AccountKeys>> = Vec::new();
        for table in tables {
            let account = self.account(table);
            if let Some(account) = &account {
                for other in accounts.iter().flatten() {
                    if other.id == account.id {
                        let message = "two accounts have this id".to_owned();
                        self.fault::<()>(table.id.span(), message, "remove one of them");
                    } else if other.id_key.expose_secret() == account.id_key.expose_secret() {
                        let message = "another account has the same id key".to_owned();
                        let help = "make one with `odoo-spoold keygen`: accounts must not share it";
                        self.fault::<()>(table.id_key.span(), message, help);
                    }
                }
            }
            accounts.push(account);
        }
        accounts.into_iter().collect()
    }

    fn account(&mut self, table: &AccountTable) -> Option<AccountKeys> {
        let id: Option<AccountId> = match table.id.get_ref().0.parse() {
            Ok(id) => Some(id),
            Err(why) => {
                let message = format!("this account id {why}");
                self.fault(table.id.span(), message, "the id that config.toml gives the account")
            }
        };
        let id_key = self.key32(&table.id_key);
        let identities = table.identities.get_ref();
        let blank = |text: &Spanned<Wiped>| text.get_ref().0.trim().is_empty();
        if identities.is_empty() || identities.iter().any(blank) {
            let message = "an age identity is missing".to_owned();
            let help = "at least one AGE-SECRET-KEY-1…: files are sealed to it at intake";
            return self.fault(table.identities.span(), message, help);
        }
        let identities = identities.iter().map(|text| text.get_ref().0.trim().into()).collect();
        Some(AccountKeys { id: id?, id_key: id_key?, identities })
    }

    fn key32(&mut self, text: &Spanned<Wiped>) -> Option<Key32> {
        let mut bytes = Zeroizing::new([0_u8; 33]);
        let written = text.get_ref().0.trim();
        let decoded = STANDARD.decode_slice(written, bytes.as_mut_slice());
        let key = bytes.get(..32).filter(|_| decoded == Ok(32));
        match key {
            Some(key) if key.iter().any(|byte| *byte != 0) => {
                Some(SecretBox::init_with_mut(|secret: &mut [u8; 32]| secret.copy_from_slice(key)))
            }
            _ => self.fault(
                text.span(),
                "this is not a key".to_owned(),
                "32 random bytes in base64 (44 characters); `odoo-spoold keygen` makes them",
            ),
        }
    }

    /// Records a fault without the value; `None` so that it can be returned.
    fn fault<T>(&mut self, span: std::ops::Range<usize>, message: String, help: &str) -> Option<T> {
        self.faults.push(Fault::at(self.source, &span, message, Show::KeyOnly).help(help));
        None
    }

    fn into_error(mut self, path: &Path) -> ConfigError {
        self.faults.sort_by_key(|fault| (fault.line, fault.column));
        ConfigError::Faulty(Faults { path: path.to_owned(), list: self.faults })
    }
}

/// What the TOML reader says, if it cannot quote a value.
fn quiet(said: &str) -> String {
    if said.starts_with("missing field ") {
        return super::check::reword(said).0;
    }
    if let Some((_, known)) =
        said.strip_prefix("unknown field ").and_then(|rest| rest.split_once(", "))
    {
        return format!("unknown key, {known}");
    }
    if said.starts_with("duplicate") {
        return "this key or table stands twice".to_owned();
    }
    "this is not valid here: wrong TOML, or another kind of value is expected".to_owned()
}

// === impl Wiped ===

impl<'de> Deserialize<'de> for Wiped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_credentials_are_found_and_their_mode_is_not_judged() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CREDENTIAL_NAME);
        std::fs::write(&path, "x = 1").unwrap();
        // systemd 257 passes 0440 and an ACL.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o440)).unwrap();

        let found = locate(&KeysSource::Credential, Some(folder.path())).unwrap();
        assert_eq!(found, (path.clone(), true));
        assert_eq!(read(&path, None).unwrap().as_str(), "x = 1");

        let named = KeysSource::File(path.clone());
        assert_eq!(locate(&named, Some(folder.path())).unwrap(), (path.clone(), true));
        assert_eq!(locate(&named, None).unwrap(), (path.clone(), false));
        assert!(matches!(read(&path, Some(&[0])), Err(ConfigError::Unsafe { .. })));
    }

    #[test]
    fn without_file_and_credential_the_command_is_named() {
        let error = locate(&KeysSource::Credential, None).unwrap_err().to_string();
        assert!(error.contains("odoo-spoold keygen"), "{error}");
    }
}
