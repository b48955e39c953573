//! Changes a keys text: another identity, another master key, another API key, less of the old.
//!
//! Promises: what is not named stays as it is written, comments too; the outcome is a keys text
//! that reads, or there is none. Does not write files, and knows nothing of age: identities come
//! as texts.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use toml_edit::{
    Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value, value,
};
use zeroize::Zeroizing;

use crate::model::{AccountId, KeyEnd};

use super::error::ConfigError;
use super::keygen::{pasted, random_key};
use super::secrets::Keys;

/// A keys text on its way to another.
#[derive(Debug)]
pub struct KeysDraft {
    path: PathBuf,
    document: DocumentMut,
}

impl KeysDraft {
    /// Begins with `text`; `path` is only named in errors.
    pub fn open(path: &Path, text: &SecretString) -> Result<Self, ConfigError> {
        let _readable = pasted(path, text.expose_secret())?;
        let document = text.expose_secret().parse::<DocumentMut>();
        let document = document.map_err(|_| refused(path, "this is not a keys file", ""))?;
        Ok(Self { path: path.to_owned(), document })
    }

    /// The text it became, and what that reads as.
    pub fn finish(self) -> Result<(SecretString, Keys), ConfigError> {
        let text = Zeroizing::new(self.document.to_string());
        let keys = pasted(&self.path, &text)?;
        Ok((text.as_str().into(), keys))
    }

    /// Another API key. What was noted of the one before goes with it.
    pub fn set_api_key(&mut self, key: &SecretString) -> Result<(), ConfigError> {
        let odoo = self.odoo()?;
        odoo.insert("api_key", value(key.expose_secret().trim()));
        odoo.remove("api_key_ends");
        Ok(())
    }

    /// When the API key ends, as it is noted.
    pub fn api_key_ends(&self) -> KeyEnd {
        let odoo = self.document.get("odoo").and_then(Item::as_table_like);
        let text = odoo.and_then(|odoo| odoo.get("api_key_ends")).and_then(Item::as_str);
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    /// Notes when the API key ends.
    pub fn set_api_key_ends(&mut self, end: KeyEnd) -> Result<(), ConfigError> {
        let odoo = self.odoo()?;
        match end {
            KeyEnd::Unknown => odoo.remove("api_key_ends"),
            KeyEnd::Never | KeyEnd::At(_) => odoo.insert("api_key_ends", value(end.to_string())),
        };
        Ok(())
    }

    /// The API key that is still to be revoked in Odoo; none: there is none any more.
    pub fn set_api_key_before(&mut self, key: Option<&SecretString>) -> Result<(), ConfigError> {
        let odoo = self.odoo()?;
        match key {
            None => odoo.remove("api_key_before"),
            Some(key) => odoo.insert("api_key_before", value(key.expose_secret().trim())),
        };
        Ok(())
    }

    /// Another id key for an account: of the host that served it before.
    pub fn set_id_key(&mut self, account: &AccountId, key: &str) -> Result<(), ConfigError> {
        self.account(account)?.insert("id_key", value(key));
        Ok(())
    }

    /// A new identity of an account, before the ones it has: files are sealed to it from now on.
    pub fn add_identity(
        &mut self,
        account: &AccountId,
        identity: &SecretString,
        now: Timestamp,
    ) -> Result<(), ConfigError> {
        let noted = Zeroizing::new(format!("# created: {now}\n{}", identity.expose_secret()));
        self.identities(account)?.insert(0, noted.as_str());
        Ok(())
    }

    /// Takes the identity at `index` away from an account. The last one stays.
    pub fn remove_identity(
        &mut self,
        account: &AccountId,
        index: usize,
    ) -> Result<(), ConfigError> {
        let path = self.path.clone();
        let identities = self.identities(account)?;
        if identities.len() < 2 || index >= identities.len() {
            return Err(refused(
                &path,
                "an account's only identity cannot be removed",
                "make another one first: `odoo-spoold keys rotate identity`",
            ));
        }
        identities.remove(index);
        Ok(())
    }

    /// A new master key under a new id; the one before it joins the older ones. Returns the id.
    pub fn add_master(&mut self, now: Timestamp) -> Result<String, ConfigError> {
        let path = self.path.clone();
        let keys = pasted(&path, &Zeroizing::new(self.document.to_string()))?;
        let known = |id: &str| keys.master.id == id || keys.older.iter().any(|old| old.id == id);
        let id = (1..u32::MAX).map(|number| format!("m{number}")).find(|id| !known(id));
        let id = id.unwrap_or_default();
        let state = self.table("state").ok_or_else(|| refused(&path, "[state] is missing", ""))?;
        let mut last = InlineTable::new();
        let master = state.get("master").and_then(Item::as_table_like);
        for (name, item) in master.into_iter().flat_map(TableLike::iter) {
            if let Some(value) = item.as_value() {
                last.insert(name, value.clone().decorated("", ""));
            }
        }
        match state.get_mut("older") {
            Some(Item::ArrayOfTables(older)) => older.insert(0, last.into_table()),
            Some(Item::Value(Value::Array(older))) => older.insert(0, last),
            _ => {
                let mut older = Array::new();
                older.push(last);
                state.insert("older", value(older));
            }
        }
        let key = random_key()?;
        let mut master = InlineTable::new();
        master.insert("id", id.as_str().into());
        master.insert("key", key.as_str().into());
        master.insert("created", now.to_string().into());
        // Asked for by name, so that a table written as [state.master] gives way too.
        state.remove("master");
        state.insert("master", value(master));
        Ok(id)
    }

    /// Takes an older master key away. The current one stays.
    pub fn remove_master(&mut self, id: &str) -> Result<(), ConfigError> {
        let path = self.path.clone();
        let named = |table: &dyn TableLike| {
            table.get("id").and_then(Item::as_str).is_some_and(|found| found == id)
        };
        let older = self.table("state").and_then(|state| state.get_mut("older"));
        let removed = match older {
            Some(Item::ArrayOfTables(older)) => {
                let at = older.iter().position(|table| named(table));
                at.map(|at| older.remove(at)).is_some()
            }
            Some(Item::Value(Value::Array(older))) => {
                let at = older.iter().position(|v| v.as_inline_table().is_some_and(|t| named(t)));
                at.map(|at| older.remove(at)).is_some()
            }
            _ => false,
        };
        if removed {
            return Ok(());
        }
        Err(refused(
            &path,
            "there is no older master key with this id",
            "`odoo-spoold keys list` shows the ids; the current master key cannot be removed",
        ))
    }

    /// Notes that a recovery file holds the keys called `seals`, or (none) that none is wanted.
    pub fn note_recovery(&mut self, seals: Option<&str>) {
        let mut table = Table::new();
        match seals {
            Some(seals) => table.insert("covers", value(seals)),
            None => table.insert("declined", value(true)),
        };
        self.document.insert("recovery", Item::Table(table));
    }

    fn odoo(&mut self) -> Result<&mut dyn TableLike, ConfigError> {
        let path = self.path.clone();
        self.table("odoo").ok_or_else(|| refused(&path, "[odoo] is missing", ""))
    }

    fn table(&mut self, name: &str) -> Option<&mut dyn TableLike> {
        self.document.get_mut(name)?.as_table_like_mut()
    }

    fn account(&mut self, account: &AccountId) -> Result<&mut Table, ConfigError> {
        let path = self.path.clone();
        let tables = self.document.get_mut("account").and_then(Item::as_array_of_tables_mut);
        let found = tables
            .into_iter()
            .flat_map(ArrayOfTables::iter_mut)
            .find(|table| table.get("id").and_then(Item::as_str) == Some(account.as_str()));
        found.ok_or_else(|| {
            let what = format!("the account \"{account}\" has no [[account]] table here");
            refused(&path, &what, "`odoo-spoold keys list` shows the accounts")
        })
    }

    fn identities(&mut self, account: &AccountId) -> Result<&mut Array, ConfigError> {
        let path = self.path.clone();
        let found = self.account(account)?.get_mut("identities").and_then(Item::as_array_mut);
        found.ok_or_else(|| refused(&path, "the account has no identities", ""))
    }
}

/// Only of the id keys: what a second host of the same accounts needs.
pub fn id_keys_text(keys: &Keys, only: &[AccountId]) -> SecretString {
    use base64::Engine as _;
    let mut text = Zeroizing::new(String::with_capacity(4096));
    text.push_str("# Id keys of odoo-spoold: for another host that serves the same accounts.\n");
    let wanted = |id: &AccountId| only.is_empty() || only.contains(id);
    for account in keys.accounts.iter().filter(|account| wanted(&account.id)) {
        text.push_str(&format!("\n[[account]]\nid = \"{}\"\nid_key = \"", account.id));
        let engine = base64::engine::general_purpose::STANDARD;
        engine.encode_string(account.id_key.expose_secret(), &mut text);
        text.push_str("\"\n");
    }
    text.as_str().into()
}

/// The id keys in what [`id_keys_text`] wrote, or in a whole keys text: account and key as text.
pub fn read_id_keys(
    path: &Path,
    text: &SecretString,
) -> Result<Vec<(AccountId, SecretString)>, ConfigError> {
    let wrong = |what: &str| refused(path, what, "make it with `odoo-spoold keys id-key`");
    let document = text.expose_secret().parse::<DocumentMut>();
    let document = document.map_err(|_| wrong("this is not TOML"))?;
    let tables = document.get("account").and_then(Item::as_array_of_tables);
    let mut found = Vec::new();
    for table in tables.into_iter().flat_map(ArrayOfTables::iter) {
        let text = |name: &str| table.get(name).and_then(Item::as_str);
        let id = text("id").and_then(|id| id.parse::<AccountId>().ok());
        let key = text("id_key").filter(|key| key.len() == 44);
        match (id, key) {
            (Some(id), Some(key)) => found.push((id, key.into())),
            _ => return Err(wrong("an account has no id or no id key")),
        }
    }
    if found.is_empty() { Err(wrong("there is no id key in it")) } else { Ok(found) }
}

fn refused(path: &Path, what: &str, help: &str) -> ConfigError {
    let cure = if help.is_empty() { "see \"Keys\" in README.md" } else { help };
    ConfigError::Refused { path: path.to_owned(), what: what.to_owned(), cure: cure.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> (Keys, SecretString) {
        let ids = ["eu".parse().unwrap(), "na".parse().unwrap()];
        let mut number = 0;
        let text = Keys::generate(&ids, Some(&"k1".into()), Timestamp::UNIX_EPOCH, || {
            number += 1;
            (format!("AGE-SECRET-KEY-1N{number}").into(), format!("age1n{number}"))
        });
        let text = text.unwrap();
        (Keys::parse(Path::new("k"), text.expose_secret()).unwrap(), text)
    }

    fn edit(text: &SecretString, with: impl FnOnce(&mut KeysDraft)) -> (Keys, SecretString) {
        let mut draft = KeysDraft::open(Path::new("k"), text).unwrap();
        with(&mut draft);
        let (text, keys) = draft.finish().unwrap_or_else(|error| panic!("{error}"));
        (keys, text)
    }

    #[test]
    fn a_master_key_is_followed_by_another_and_taken_away() {
        let (first, text) = start();
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let (second, text) = edit(&text, |draft| {
            assert_eq!(draft.add_master(now).unwrap(), "m2");
        });
        assert_eq!((second.master.id.as_str(), second.master.created), ("m2", Some(now)));
        assert_ne!(second.master.key.expose_secret(), first.master.key.expose_secret());
        assert_eq!(second.older[0].key.expose_secret(), first.master.key.expose_secret());
        assert_eq!(second.older[0].created, first.master.created);
        let (third, text) = edit(&text, |draft| drop(draft.add_master(now).unwrap()));
        let order: Vec<_> = third.older.iter().map(|old| old.id.as_str()).collect();
        assert_eq!(order, ["m2", "m1"]);
        let (last, text) = edit(&text, |draft| draft.remove_master("m1").unwrap());
        assert_eq!(last.older.len(), 1);
        let mut draft = KeysDraft::open(Path::new("k"), &text).unwrap();
        assert!(draft.remove_master("m3").is_err(), "the current one stays");
        assert!(text.expose_secret().contains("# Never change it"), "comments stay");
        assert_ne!(first.seals(), second.seals());
    }

    #[test]
    fn identities_come_first_and_go() {
        let (first, text) = start();
        let account: AccountId = "na".parse().unwrap();
        let new = SecretString::from("AGE-SECRET-KEY-1NEW");
        let (more, text) = edit(&text, |draft| {
            draft.add_identity(&account, &new, Timestamp::UNIX_EPOCH).unwrap();
        });
        let texts = |keys: &Keys, at: usize| -> Vec<String> {
            let all = keys.accounts[at].identities.iter();
            all.map(|text| text.expose_secret().lines().last().unwrap().to_owned()).collect()
        };
        assert_eq!(texts(&more, 1), ["AGE-SECRET-KEY-1NEW", "AGE-SECRET-KEY-1N2"]);
        assert_eq!(texts(&more, 0), texts(&first, 0));
        let (less, text) = edit(&text, |draft| draft.remove_identity(&account, 1).unwrap());
        assert_eq!(texts(&less, 1), ["AGE-SECRET-KEY-1NEW"]);
        let mut draft = KeysDraft::open(Path::new("k"), &text).unwrap();
        assert!(draft.remove_identity(&account, 0).is_err());
        assert!(draft.remove_identity(&"fe".parse().unwrap(), 0).is_err());
    }

    #[test]
    fn names_follow_what_they_name() {
        let (first, text) = start();
        let (other, text) = edit(&text, |draft| draft.set_api_key(&"k2".into()).unwrap());
        assert_eq!(first.seals(), other.seals());
        assert_ne!(first.generation(), other.generation());
        let (noted, text) = edit(&text, |draft| draft.note_recovery(Some(&first.seals())));
        assert_eq!(noted.recovery, super::super::Recovery::Covers(first.seals()));
        assert_eq!(noted.generation(), other.generation());
        let (declined, _) = edit(&text, |draft| draft.note_recovery(None));
        assert_eq!(declined.recovery, super::super::Recovery::Declined);
    }

    #[test]
    fn id_keys_travel_alone() {
        let (keys, text) = start();
        let alone = id_keys_text(&keys, &["na".parse().unwrap()]);
        assert!(!alone.expose_secret().contains("AGE-SECRET"));
        let read = read_id_keys(Path::new("k"), &alone).unwrap();
        assert_eq!(read.len(), 1);
        let all = read_id_keys(Path::new("k"), &text).unwrap();
        assert_eq!(all[1].1.expose_secret(), read[0].1.expose_secret());
        let (_, other) = start();
        let (moved, _) = edit(&other, |draft| {
            draft.set_id_key(&read[0].0, read[0].1.expose_secret()).unwrap();
        });
        assert_eq!(
            moved.accounts[1].id_key.expose_secret(),
            keys.accounts[1].id_key.expose_secret()
        );
    }
}
