//! Keys of the store: what is given at opening, and what is derived from it.
//!
//! Master keys seal values; from each one subkey per tree is derived. Id keys (one per account,
//! never rotated) blind natural ids. Nothing here prints a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::model::AccountId;

use super::error::StoreError;
use super::layout::{SCHEMA, Tree};

/// A 32-byte secret.
pub type Secret = SecretBox<[u8; 32]>;

/// All keys that the store is opened with.
pub struct StoreKeys {
    pub(super) master_id: String,
    pub(super) masters: BTreeMap<String, Secret>,
    pub(super) id_keys: BTreeMap<AccountId, Secret>,
}

/// An account's id key: blinds natural ids so that they can stand in keys and external ids.
#[derive(Clone)]
pub struct IdKey(Hmac<Sha256>);

/// A keyed cipher; shared, because keying it is not free. Wipes its key when dropped.
pub(super) type Cipher = Arc<XChaCha20Poly1305>;

/// What one master key gives: a cipher per tree, one that wraps day keys, one for the journal.
#[derive(Clone)]
struct Subkeys {
    trees: BTreeMap<Tree, Cipher>,
    day_keys: Cipher,
    journal: Cipher,
}

/// The ciphers of all master keys.
#[derive(Clone)]
pub(super) struct Keyring {
    current: String,
    masters: BTreeMap<String, Subkeys>,
}

impl StoreKeys {
    /// Keys with this master, used for sealing and opening.
    pub fn new(master_id: impl Into<String>, master: Secret) -> Result<Self, StoreError> {
        let master_id = master_id.into();
        check_key_id(&master_id)?;
        let masters = BTreeMap::from([(master_id.clone(), master)]);
        Ok(Self { master_id, masters, id_keys: BTreeMap::new() })
    }

    /// Adds an older master key, used for opening only.
    pub fn with_older(mut self, id: impl Into<String>, master: Secret) -> Result<Self, StoreError> {
        let id = id.into();
        check_key_id(&id)?;
        if self.masters.insert(id, master).is_some() {
            return Err(StoreError::BadKeyId);
        }
        Ok(self)
    }

    /// Adds an account with its id key.
    #[must_use]
    pub fn with_account(mut self, account: AccountId, id_key: Secret) -> Self {
        self.id_keys.insert(account, id_key);
        self
    }
}

impl fmt::Debug for StoreKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masters: Vec<_> = self.masters.keys().collect();
        let accounts: Vec<_> = self.id_keys.keys().collect();
        f.debug_struct("StoreKeys")
            .field("master_id", &self.master_id)
            .field("masters", &masters)
            .field("accounts", &accounts)
            .finish()
    }
}

fn check_key_id(id: &str) -> Result<(), StoreError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if id.is_empty() || id.len() > 16 || !id.bytes().all(plain) {
        return Err(StoreError::BadKeyId);
    }
    Ok(())
}

// === IdKey ===

impl IdKey {
    /// The id key with these bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        // Padded to HMAC's block, which is what HMAC does to a short key itself.
        let mut block = Zeroizing::new([0_u8; 64]);
        for (place, byte) in block.iter_mut().zip(secret) {
            *place = *byte;
        }
        Self(<Hmac<Sha256> as Mac>::new((&*block).into()))
    }

    /// The blinded form of `text` for the purpose `label`.
    pub fn mac(&self, label: &str, text: &[u8]) -> [u8; 16] {
        let mut mac = self.0.clone();
        mac.update(label.as_bytes());
        mac.update(&[0]);
        mac.update(text);
        truncated(mac)
    }

    /// The blinded form of a record's natural id. Kind bytes are below 32 and labels are words,
    /// so that the two never meet.
    pub(super) fn record_mac(&self, kind: u8, natural_id: &str) -> [u8; 16] {
        let mut mac = self.0.clone();
        mac.update(&[kind]);
        mac.update(natural_id.as_bytes());
        truncated(mac)
    }
}

impl fmt::Debug for IdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdKey(…)")
    }
}

fn truncated(mac: Hmac<Sha256>) -> [u8; 16] {
    let full: [u8; 32] = mac.finalize().into_bytes().into();
    let mut short = [0; 16];
    for (place, byte) in short.iter_mut().zip(full) {
        *place = byte;
    }
    short
}

// === Keyring ===

impl Keyring {
    pub(super) fn new(keys: &StoreKeys) -> Self {
        let masters =
            keys.masters.iter().map(|(id, secret)| (id.clone(), Subkeys::derive(secret))).collect();
        Self { current: keys.master_id.clone(), masters }
    }

    /// The id of the key that seals.
    pub(super) fn current_id(&self) -> &str {
        &self.current
    }

    /// The cipher of `tree` under the master key `id`.
    pub(super) fn tree(&self, id: &str, tree: Tree) -> Option<Cipher> {
        self.masters.get(id)?.trees.get(&tree).cloned()
    }

    /// The cipher that wraps day keys under the master key `id`.
    pub(super) fn day_keys(&self, id: &str) -> Option<Cipher> {
        Some(Arc::clone(&self.masters.get(id)?.day_keys))
    }

    /// The cipher of the decision journal under the master key `id`.
    pub(super) fn journal(&self, id: &str) -> Option<Cipher> {
        Some(Arc::clone(&self.masters.get(id)?.journal))
    }
}

impl Subkeys {
    fn derive(master: &Secret) -> Self {
        let hkdf = hkdf::Hkdf::<Sha256>::new(Some(b"odoo-spoold store"), master.expose_secret());
        let cipher = |purpose: &str, name: &str| {
            let mut key = Zeroizing::new([0_u8; 32]);
            // invariant: HKDF-SHA-256 fails only above 8160 bytes of output.
            let _always = hkdf.expand_multi_info(
                &[&[SCHEMA], purpose.as_bytes(), &[0], name.as_bytes()],
                &mut *key,
            );
            Arc::new(XChaCha20Poly1305::new((&*key).into()))
        };
        Self {
            trees: Tree::ALL.into_iter().map(|tree| (tree, cipher("tree", tree.name()))).collect(),
            day_keys: cipher("daykeys", ""),
            journal: cipher("journal", ""),
        }
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({:?} of {})", self.current, self.masters.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_separate_and_keys_matter() {
        let key = IdKey::new(&[1; 32]);
        assert_ne!(key.mac("hold", b"x"), key.mac("death", b"x"));
        assert_ne!(key.mac("ab", b"c"), key.mac("a", b"bc"));
        assert_ne!(key.mac("hold", b"x"), IdKey::new(&[2; 32]).mac("hold", b"x"));
        assert_ne!(key.record_mac(1, "x"), key.record_mac(2, "x"));
    }

    #[test]
    fn secrets_do_not_print() {
        let keys = StoreKeys::new("m1", Secret::new(Box::new([77; 32]))).unwrap();
        assert!(!format!("{keys:?} {:?}", IdKey::new(&[77; 32])).contains("77"));
    }

    #[test]
    fn key_ids_are_narrow() {
        for bad in ["", "a b", "ü", "12345678901234567"] {
            assert!(StoreKeys::new(bad, Secret::default()).is_err(), "{bad}");
        }
        let keys = StoreKeys::new("a", Secret::default()).unwrap();
        assert!(keys.with_older("a", Secret::default()).is_err());
    }
}
