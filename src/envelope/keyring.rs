//! The age identities of one account.
//!
//! Promises: secrets are wiped when dropped and never shown; errors name the place (entry and line), never the text. Any number
//! of identities: after a rotation the old ones stay until no file needs them. Knows X25519 only.

use std::fmt;

use ::age::Identity;
use ::age::secrecy::SecretString;
use ::age::x25519;

/// Age X25519 identities, tried in their order.
#[derive(Clone, Default)]
pub struct Keyring {
    identities: Vec<x25519::Identity>,
}

/// Why a text is no identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// There is nothing but blank lines and comments. The operator makes an identity with `odoo-spoold keygen`.
    #[error("there is no age identity; make one with `odoo-spoold keygen`")]
    Empty,
    /// A public key stands where the secret one belongs. The operator puts the line that begins with `AGE-SECRET-KEY-1`.
    #[error(
        "entry {entry}, line {line}: this is a recipient (public key); the line with AGE-SECRET-KEY-1 belongs here"
    )]
    Recipient {
        /// Which of the texts, from 1.
        entry: usize,
        /// Which line of it, from 1.
        line: usize,
    },
    /// A post-quantum identity. The operator makes an X25519 one with `odoo-spoold keygen`.
    #[error(
        "entry {entry}, line {line}: post-quantum identities are not supported; make one with `odoo-spoold keygen`"
    )]
    PostQuantum {
        /// Which of the texts, from 1.
        entry: usize,
        /// Which line of it, from 1.
        line: usize,
    },
    /// A plugin's identity (hardware token). The operator makes an X25519 one with `odoo-spoold keygen`.
    #[error(
        "entry {entry}, line {line}: plugin identities are not supported; make one with `odoo-spoold keygen`"
    )]
    Plugin {
        /// Which of the texts, from 1.
        entry: usize,
        /// Which line of it, from 1.
        line: usize,
    },
    /// The identity file is itself sealed to a passphrase. The operator opens it first; systemd's credentials seal it again.
    #[error(
        "entry {entry}: the identity file is itself sealed; open it first and store the identity as a credential"
    )]
    Sealed {
        /// Which of the texts, from 1.
        entry: usize,
    },
    /// The line is no identity, or was damaged when copied. The operator copies it again.
    #[error(
        "entry {entry}, line {line}: this is not an age identity (AGE-SECRET-KEY-1…), or a character is wrong"
    )]
    Malformed {
        /// Which of the texts, from 1.
        entry: usize,
        /// Which line of it, from 1.
        line: usize,
    },
}

impl Keyring {
    /// Reads identities: each text is one identity, or an identity file with several, blank lines and `#` comments. The same
    /// identity given twice counts once.
    pub fn from_identities<'a>(
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, KeyringError> {
        let mut keyring = Self::default();
        let mut recipients = Vec::new();
        for (entry, text) in (1..).zip(texts) {
            for (line, content) in (1..).zip(text.lines()) {
                let content = content.trim();
                if content.is_empty() || content.starts_with('#') {
                    continue;
                }
                let identity = parse(content, entry, line)?;
                let recipient = identity.to_public();
                if !recipients.contains(&recipient) {
                    recipients.push(recipient);
                    keyring.identities.push(identity);
                }
            }
        }
        if keyring.is_empty() { Err(KeyringError::Empty) } else { Ok(keyring) }
    }

    /// A keyring without identities, for accounts that only take plain files.
    pub fn empty() -> Self {
        Self::default()
    }

    /// How many different identities there are.
    pub fn len(&self) -> usize {
        self.identities.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
    }

    /// The public keys, in the identities' order: what to seal to.
    pub fn recipients(&self) -> Vec<String> {
        self.identities.iter().map(|identity| identity.to_public().to_string()).collect()
    }

    /// The identities as the age crate wants them.
    pub(super) fn identities(&self) -> impl Iterator<Item = &dyn Identity> {
        self.identities.iter().map(|identity| -> &dyn Identity { identity })
    }
}

impl KeyringError {
    /// A name that never changes, for logs, result files and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "keyring-empty",
            Self::Recipient { .. } => "keyring-recipient",
            Self::PostQuantum { .. } => "keyring-post-quantum",
            Self::Plugin { .. } => "keyring-plugin",
            Self::Sealed { .. } => "keyring-sealed",
            Self::Malformed { .. } => "keyring-malformed",
        }
    }
}

/// Shows public keys only.
impl fmt::Debug for Keyring {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Keyring").field("recipients", &self.recipients()).finish_non_exhaustive()
    }
}

/// A new identity and its recipient.
pub fn generate_identity() -> (SecretString, String) {
    let identity = x25519::Identity::generate();
    (identity.to_string(), identity.to_public().to_string())
}

fn parse(content: &str, entry: usize, line: usize) -> Result<x25519::Identity, KeyringError> {
    content.parse().map_err(|_: &str| {
        let starts = |prefix: &str| {
            content.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        if starts("age-encryption.org/") || starts("-----BEGIN AGE") {
            KeyringError::Sealed { entry }
        } else if starts("age1") {
            KeyringError::Recipient { entry, line }
        } else if starts("AGE-SECRET-KEY-PQ-1") {
            KeyringError::PostQuantum { entry, line }
        } else if starts("AGE-PLUGIN-") {
            KeyringError::Plugin { entry, line }
        } else {
            KeyringError::Malformed { entry, line }
        }
    })
}

#[cfg(test)]
mod tests {
    use ::age::secrecy::ExposeSecret;

    use super::*;

    const IDENTITY: &str =
        "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    #[test]
    fn identity_files_and_single_identities() {
        let (second, second_recipient) = generate_identity();
        let file =
            format!("# created: 2026-03-07\r\n# public key: {RECIPIENT}\r\n\r\n  {IDENTITY}  \r\n");
        let keyring =
            Keyring::from_identities([file.as_str(), second.expose_secret(), IDENTITY]).unwrap();
        assert_eq!(keyring.recipients(), [RECIPIENT.to_owned(), second_recipient]);
        assert_eq!(keyring.len(), 2);
    }

    #[test]
    fn mistakes_are_named_by_place_and_never_shown() {
        let changed = IDENTITY.replace("GQ97", "GQ79");
        let cases = [
            ("\n# nothing\n", KeyringError::Empty),
            (RECIPIENT, KeyringError::Recipient { entry: 1, line: 1 }),
            ("#\n\nAGE-SECRET-KEY-PQ-1HZLG", KeyringError::PostQuantum { entry: 1, line: 3 }),
            ("age-plugin-yubikey-1QQ", KeyringError::Plugin { entry: 1, line: 1 }),
            ("age-encryption.org/v1\n-> scrypt", KeyringError::Sealed { entry: 1 }),
            (&changed, KeyringError::Malformed { entry: 1, line: 1 }),
        ];
        for (text, expected) in cases {
            let error = Keyring::from_identities([text]).unwrap_err();
            assert_eq!(error, expected);
            assert!(!error.to_string().contains("GQ79"));
        }
        assert_eq!(Keyring::from_identities([]).unwrap_err(), KeyringError::Empty);
    }

    #[test]
    fn debug_shows_public_keys_only() {
        let shown = format!("{:?}", Keyring::from_identities([IDENTITY]).unwrap());
        assert!(shown.contains(RECIPIENT));
        assert!(!shown.to_uppercase().contains("SECRET"));
    }
}
