//! Small secrets for a safe: sealed whole to a passphrase or to age recipients, as text.
//!
//! Promises: the outcome is an ordinary armored age file that `age -d` opens too; nothing of it is
//! believed before all of it is authentic. Does not touch the file system.

use std::io::{self, Read as _, Write as _};

use ::age::armor::{ArmoredReader, ArmoredWriter, Format};
use ::age::secrecy::SecretString;
use ::age::{Decryptor, Encryptor, Identity, scrypt};
use zeroize::Zeroizing;

use super::keyring::{Keyring, KeyringError};
use super::seal::{SealError, seal};

/// Largest plaintext that is opened, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// scrypt's work factor is refused above this: 2^22 takes a minute and 4 GiB.
const MAX_WORK_FACTOR: u8 = 22;

/// To whom a recovery file is sealed.
#[derive(Debug)]
pub enum Safe {
    /// Whoever knows this passphrase.
    Passphrase(SecretString),
    /// Whoever holds the identity of one of these recipients (`age1…`).
    Recipients(Vec<String>),
}

/// What opens a recovery file.
#[derive(Debug)]
pub enum SafeKey {
    /// The passphrase.
    Passphrase(SecretString),
    /// The text of an age identity file.
    Identity(SecretString),
}

/// Why a recovery file stays shut.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// It is no age file, or it was cut. The operator takes another copy.
    #[error("this is not a recovery file, or it is damaged")]
    Damaged,
    /// Another passphrase or identity sealed it. The operator looks for the right one.
    #[error("this passphrase or identity does not open it")]
    WrongKey,
    /// The identity given is none. The operator gives the file with AGE-SECRET-KEY-1.
    #[error("the identity to open it with: {0}")]
    Identity(#[from] KeyringError),
}

impl RecoveryError {
    /// A name that never changes, for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Damaged => "recovery-damaged",
            Self::WrongKey => "recovery-wrong-key",
            Self::Identity(error) => error.code(),
        }
    }
}

/// Seals `plain`; armored.
pub fn lock_away(plain: &[u8], safe: &Safe) -> Result<Vec<u8>, SealError> {
    match safe {
        Safe::Recipients(recipients) => {
            let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
            let mut sealer = seal(Vec::new(), &recipients, true)?;
            sealer.write_all(plain)?;
            Ok(sealer.finish()?)
        }
        Safe::Passphrase(passphrase) => {
            let encryptor = Encryptor::with_user_passphrase(passphrase.clone());
            let out = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
            let mut writer = encryptor.wrap_output(out)?;
            writer.write_all(plain)?;
            Ok(writer.finish()?.finish()?)
        }
    }
}

/// Opens what [`lock_away`] (or `age -a`) made.
pub fn take_out(sealed: &[u8], key: &SafeKey) -> Result<Zeroizing<Vec<u8>>, RecoveryError> {
    let decryptor =
        Decryptor::new(ArmoredReader::new(sealed)).map_err(|_| RecoveryError::Damaged)?;
    let opened = match key {
        SafeKey::Passphrase(passphrase) => {
            let mut identity = scrypt::Identity::new(passphrase.clone());
            identity.set_max_work_factor(MAX_WORK_FACTOR);
            decryptor.decrypt(std::iter::once::<&dyn Identity>(&identity))
        }
        SafeKey::Identity(text) => {
            use ::age::secrecy::ExposeSecret as _;
            let keyring = Keyring::from_identities([text.expose_secret()])?;
            decryptor.decrypt(keyring.identities())
        }
    };
    let mut plain = Zeroizing::new(Vec::with_capacity(64 << 10));
    let reader = opened.map_err(|_| RecoveryError::WrongKey)?;
    let read = io::copy(&mut reader.take(MAX_BYTES), &mut *plain);
    read.map_err(|_| RecoveryError::Damaged)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::generate_identity;

    #[test]
    fn both_ways_in_open_it_and_others_do_not() {
        let (identity, recipient) = generate_identity();
        let (stranger, _) = generate_identity();
        let word = || SecretString::from("correct horse battery staple");
        let safes = [
            (Safe::Passphrase(word()), SafeKey::Passphrase(word())),
            (Safe::Recipients(vec![recipient]), SafeKey::Identity(identity)),
        ];
        let wrong = [SafeKey::Passphrase("other".into()), SafeKey::Identity(stranger)];
        for (safe, key) in safes {
            let sealed = lock_away(b"all keys", &safe).unwrap();
            assert!(sealed.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----"));
            assert_eq!(take_out(&sealed, &key).unwrap().as_slice(), b"all keys");
            for wrong in &wrong {
                assert!(matches!(take_out(&sealed, wrong), Err(RecoveryError::WrongKey)));
            }
            let cut = &sealed[..sealed.len() - 60];
            assert!(take_out(cut, &key).is_err());
        }
        assert!(matches!(take_out(b"x", &wrong[0]), Err(RecoveryError::Damaged)));
    }
}
