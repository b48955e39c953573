//! Makes keys: a whole keys file, or one more account in an existing one.
//!
//! The texts are for a person too: every key says what it is for and what happens without it.
//! Age identities come from the caller, so that this module knows nothing of age.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rand::RngCore as _;
use rand::rngs::OsRng;
use secrecy::{ExposeSecret as _, SecretString};
use std::path::Path;
use zeroize::Zeroizing;

use crate::model::AccountId;

use super::error::{ConfigError, Fault, Faults, Show};
use super::secrets::Keys;

/// Stands where the API key is to be pasted, so that a keys text without one parses here.
const NO_API_KEY: &str = "api_key = \"\"";

impl Keys {
    /// The text of a keys file: a new master key, and an id key and age identity per account.
    /// Without an API key its place is left empty for the operator. `new_identity` gives an age
    /// identity and its recipient.
    pub fn generate(
        accounts: &[AccountId],
        api_key: Option<&SecretString>,
        now: Timestamp,
        mut new_identity: impl FnMut() -> (SecretString, String),
    ) -> Result<SecretString, ConfigError> {
        let mut text = Room::for_accounts(accounts.len());
        text.line("# Keys of odoo-spoold. Whoever reads this file reads your buyers' data.");
        text.line("# Losing it means losing what is sealed: keep a copy of it elsewhere.");
        text.line("");
        text.line("[odoo]");
        text.line("# The integration user's API key (Preferences, Account Security).");
        match api_key {
            Some(key) => text.secret("api_key = ", key.expose_secret()),
            None => text.line(NO_API_KEY),
        }
        text.line("");
        text.line("[state]");
        text.line(
            "# Seals what the daemon remembers. To rotate: `odoo-spoold keys rotate master`.",
        );
        let master = random_key()?;
        text.secret("master = { id = \"m1\", key = ", &master);
        text.close(&format!(", created = \"{now}\" }}"));
        text.line("older = []");
        for account in accounts {
            account_table(&mut text, account, now, &mut new_identity)?;
        }
        pasted(Path::new("new keys"), &text.0)?;
        Ok(text.into_secret())
    }

    /// `text`, a keys file, with one more account. `path` is only named in errors.
    pub fn add_account(
        path: &Path,
        text: &SecretString,
        account: &AccountId,
        now: Timestamp,
        new_identity: impl FnOnce() -> (SecretString, String),
    ) -> Result<SecretString, ConfigError> {
        let text = text.expose_secret();
        let keys = pasted(path, text)?;
        if keys.account(account).is_some() {
            let start = text.find(&format!("\"{account}\"")).unwrap_or(0);
            let span = start..start.saturating_add(1);
            let message = format!("the account \"{account}\" has keys already");
            let fault = Fault::at(text, &span, message, Show::KeyOnly)
                .help("an id key never changes: what stands in Odoo hangs on it");
            return Err(ConfigError::Faulty(Faults { path: path.to_owned(), list: vec![fault] }));
        }
        let mut whole = Room::after(text);
        account_table(&mut whole, account, now, new_identity)?;
        pasted(path, &whole.0)?;
        Ok(whole.into_secret())
    }
}

/// The keys in a text whose API key may still have to be pasted in.
pub(super) fn pasted(path: &Path, text: &str) -> Result<Keys, ConfigError> {
    let text = Zeroizing::new(text.replacen(NO_API_KEY, "api_key = \"-\"", 1));
    Keys::parse(path, &text)
}

fn account_table(
    text: &mut Room,
    account: &AccountId,
    now: Timestamp,
    new_identity: impl FnOnce() -> (SecretString, String),
) -> Result<(), ConfigError> {
    let (identity, recipient) = new_identity();
    let id_key = random_key()?;
    text.line("");
    text.line("[[account]]");
    text.line(&format!("id = \"{account}\""));
    text.line("# Never change it; copy it to every host that serves this account.");
    text.secret("id_key = ", &id_key);
    text.line("# Newest first. Files for this account are sealed to:");
    text.line(&format!("# {recipient}"));
    let noted = Zeroizing::new(format!("# created: {now}\\n{}", identity.expose_secret()));
    text.secret("identities = [", &noted);
    text.close("]");
    Ok(())
}

/// 32 bytes from the operating system, in base64.
pub(super) fn random_key() -> Result<Zeroizing<String>, ConfigError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    OsRng
        .try_fill_bytes(bytes.as_mut_slice())
        .map_err(|error| ConfigError::Random(error.to_string()))?;
    let mut text = Zeroizing::new(String::with_capacity(44));
    STANDARD.encode_string(bytes.as_slice(), &mut text);
    Ok(text)
}

/// A text that is wiped when dropped, with room enough never to be copied while it grows.
struct Room(Zeroizing<String>);

impl Room {
    fn for_accounts(count: usize) -> Self {
        let room = count.saturating_mul(1024).saturating_add(2048);
        Self(Zeroizing::new(String::with_capacity(room)))
    }

    fn after(text: &str) -> Self {
        let room = text.len().saturating_add(2048);
        let mut whole = Zeroizing::new(String::with_capacity(room));
        whole.push_str(text.trim_end());
        whole.push('\n');
        Self(whole)
    }

    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// `before`, then the value in quotes. Values are base64, bech32 or API keys: nothing to escape.
    fn secret(&mut self, before: &str, value: &str) {
        for part in [before, "\"", value.trim(), "\"\n"] {
            self.0.push_str(part);
        }
    }

    /// Puts `end` behind the line just written.
    fn close(&mut self, end: &str) {
        let length = self.0.trim_end().len();
        self.0.truncate(length);
        self.line(end);
    }

    fn into_secret(self) -> SecretString {
        self.0.as_str().into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::secrets::identity_created;
    use super::*;

    fn identity() -> (SecretString, String) {
        ("AGE-SECRET-KEY-1TEST".into(), "age1test".to_owned())
    }

    fn accounts(ids: &[&str]) -> Vec<AccountId> {
        ids.iter().map(|id| id.parse().unwrap()).collect()
    }

    #[test]
    fn what_is_made_is_what_is_read() {
        let ids = accounts(&["eu", "na"]);
        let text =
            Keys::generate(&ids, Some(&"k123".into()), Timestamp::UNIX_EPOCH, identity).unwrap();
        let path = Path::new("keys.toml");
        let keys = Keys::parse(path, text.expose_secret()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(keys.api_key.expose_secret(), "k123");
        assert_eq!(keys.accounts.iter().map(|a| a.id.clone()).collect::<Vec<_>>(), ids);
        let identity = &keys.accounts[1].identities[0];
        assert!(identity.expose_secret().ends_with("\nAGE-SECRET-KEY-1TEST"));
        assert_eq!(identity_created(identity), Some(Timestamp::UNIX_EPOCH));
        assert_eq!(keys.master.created, Some(Timestamp::UNIX_EPOCH));
        assert_ne!(
            keys.accounts[0].id_key.expose_secret(),
            keys.accounts[1].id_key.expose_secret()
        );
        assert_ne!(keys.master.key.expose_secret(), keys.accounts[0].id_key.expose_secret());
        assert!(text.expose_secret().contains("# age1test"));
    }

    #[test]
    fn the_api_key_may_come_later() {
        let text =
            Keys::generate(&accounts(&["eu"]), None, Timestamp::UNIX_EPOCH, identity).unwrap();
        let path = Path::new("keys.toml");
        let error = Keys::parse(path, text.expose_secret()).unwrap_err().to_string();
        assert!(error.contains("API key is empty"), "{error}");
        let text =
            Keys::add_account(path, &text, &"na".parse().unwrap(), Timestamp::UNIX_EPOCH, identity)
                .unwrap();
        let pasted = text.expose_secret().replace(NO_API_KEY, "api_key = \"k\"");
        assert_eq!(Keys::parse(path, &pasted).unwrap().accounts.len(), 2);
    }

    #[test]
    fn an_account_is_never_given_new_keys() {
        let ids = accounts(&["eu"]);
        let text =
            Keys::generate(&ids, Some(&"k".into()), Timestamp::UNIX_EPOCH, identity).unwrap();
        let error = Keys::add_account(
            Path::new("keys.toml"),
            &text,
            &ids[0],
            Timestamp::UNIX_EPOCH,
            identity,
        );
        let error = error.unwrap_err().to_string();
        assert!(error.contains("has keys already"), "{error}");
    }
}
