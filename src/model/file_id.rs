//! The id a file gets when it is claimed: `F` and ten characters.
//!
//! Fifty random bits in Crockford's base 32 (upper case; no I, L, O, U), so that it survives being
//! read out over the phone. Unique per installation by chance and by `claim`, which refuses an id
//! that is in use. It says nothing about the file.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const ALPHABET: [char; 32] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J',
    'K', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'V', 'W', 'X', 'Y', 'Z',
];
const DIGITS: u32 = 10;
const BITS_PER_DIGIT: u32 = 5;

/// The name of a claimed file, for example `F7K2Q9XW4ZB`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileId(String);

/// The text is not `F` and ten characters of `0-9A-HJKMNP-TV-Z`. Copy the id from the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a file id: F and ten of 0-9 A-H J K M N P-T V-Z")]
pub struct NotAFileId;

// === impl FileId ===

impl FileId {
    /// Bytes in an id.
    pub const LEN: usize = 11;

    /// A new random id.
    pub fn random() -> Self {
        Self::from_bits(rand::random())
    }

    /// The id made of the lowest fifty bits.
    pub fn from_bits(bits: u64) -> Self {
        let digits = (0..DIGITS).rev().filter_map(|place| {
            let digit = (bits >> (place * BITS_PER_DIGIT)) & 0x1F;
            ALPHABET.get(usize::try_from(digit).ok()?).copied()
        });
        Self(std::iter::once('F').chain(digits).collect())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FileId {
    type Err = NotAFileId;

    fn from_str(text: &str) -> Result<Self, NotAFileId> {
        let digits = text.strip_prefix('F').ok_or(NotAFileId)?;
        if text.len() == Self::LEN && digits.chars().all(|c| ALPHABET.contains(&c)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAFileId)
        }
    }
}

impl TryFrom<String> for FileId {
    type Error = NotAFileId;

    fn try_from(text: String) -> Result<Self, NotAFileId> {
        text.parse()
    }
}

impl From<FileId> for String {
    fn from(id: FileId) -> Self {
        id.0
    }
}

impl AsRef<str> for FileId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_values() {
        assert_eq!(FileId::from_bits(0).as_str(), "F0000000000");
        assert_eq!(FileId::from_bits(u64::MAX).as_str(), "FZZZZZZZZZZ");
        assert_eq!(FileId::from_bits(33).as_str(), "F0000000011");
    }

    #[test]
    fn refuses_what_is_not_one() {
        for text in [
            "",
            "F",
            "F000000000",
            "F00000000000",
            "f0000000000",
            "F000000000I",
            "F00000000é",
            "G0000000000",
        ] {
            assert_eq!(text.parse::<FileId>(), Err(NotAFileId), "{text}");
        }
        assert!(serde_json::from_str::<FileId>("\"../../etc/x\"").is_err());
    }

    #[test]
    fn random_ids_differ() {
        let ids: std::collections::HashSet<_> = (0..10_000).map(|_| FileId::random()).collect();
        assert_eq!(ids.len(), 10_000);
    }

    proptest! {
        #[test]
        fn round_trips(bits: u64) {
            let id = FileId::from_bits(bits);
            prop_assert_eq!(id.as_str().len(), FileId::LEN);
            prop_assert_eq!(&id.to_string().parse::<FileId>().unwrap(), &id);
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<FileId>(&json).unwrap(), id);
        }
    }
}
