//! Every way in which a document cannot be opened.
//!
//! The text of an error holds sizes, counts, limits and public keys; never a byte of the document, a key or an
//! initialisation vector. What is found while streaming travels inside an [`io::Error`]; [`OpenError::from_io`] gets it back out.

use std::io;
use std::sync::Arc;

/// Why a document cannot be opened, or not to its end.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file has no bytes: mostly a producer that created it and died. The operator drops it again.
    #[error("the file is empty")]
    Empty,
    /// Nothing says that the file is sealed, and this account takes no plain files. The operator seals it, or changes the setting.
    #[error(
        "the file is not sealed, and `accept_plaintext` is off for this account; \
         seal it with `odoo-spoold seal`, or set `accept_plaintext = true`"
    )]
    PlaintextRefused,
    /// The sidecar holds Amazon's AES key, and this account takes no unauthenticated documents. The operator re-seals it, or changes the setting.
    #[error(
        "the document is encrypted with AES-256-CBC, which proves nothing about its origin, and `accept_aes_cbc` is off \
         for this account; decrypt it and seal it with `odoo-spoold seal`, or set `accept_aes_cbc = true`"
    )]
    AesCbcRefused,
    /// The file is cut off where age expects more. The operator compares sizes and drops it again.
    #[error("the sealed file is cut off before its end")]
    Truncated,
    /// The header is not one of age version 1. The operator drops an undamaged copy.
    #[error("the age header is damaged")]
    HeaderInvalid,
    /// The header is larger than any real one. The operator seals the file to fewer recipients.
    #[error("the age header is larger than {bytes} bytes, {lines} lines or {stanzas} recipients")]
    HeaderTooLarge {
        /// Largest number of bytes taken.
        bytes: usize,
        /// Largest number of lines taken.
        lines: usize,
        /// Largest number of recipients taken.
        stanzas: usize,
    },
    /// The header was altered after sealing: its MAC does not fit. The operator asks where the file came from.
    #[error("the age header was altered after the file was sealed")]
    HeaderTampered,
    /// The first line names another version of age. The operator seals with version 1.
    #[error("the file is sealed with a version of age other than v1")]
    UnknownVersion,
    /// The armor around the age file breaks its rules. The operator drops an undamaged copy, or the binary form.
    #[error("the armor (BEGIN/END AGE ENCRYPTED FILE) is damaged, cut off, or has text around it")]
    ArmorInvalid,
    /// A text tool wrote the age file again, in another encoding. The operator writes it with `age -o`.
    #[error(
        "the age file was written again by a text tool: as UTF-16, with a byte order mark, or with other line ends"
    )]
    ReEncoded,
    /// Sealed to a passphrase, which a daemon does not have. The operator seals to this account's recipient.
    #[error("sealed to a passphrase: seal to a recipient")]
    Passphrase,
    /// Sealed to a post-quantum recipient only. The operator seals to an `age1…` X25519 recipient.
    #[error(
        "sealed to a post-quantum recipient ({stanza}), which this version cannot open: seal to an X25519 recipient"
    )]
    PostQuantum {
        /// The kind of recipient in the header.
        stanza: &'static str,
    },
    /// Sealed to SSH or hardware keys only. The operator seals to an `age1…` X25519 recipient.
    #[error(
        "sealed to a recipient of kind {stanza} only, which this version cannot open: seal to an X25519 recipient"
    )]
    OtherRecipient {
        /// The kind of recipient in the header.
        stanza: &'static str,
    },
    /// None of the account's identities opens the file. The operator seals to one of the recipients named, or adds the identity.
    #[error("no identity of this account opens the file (tried: {tried}); the account's own recipients are {}", list(.recipients))]
    NoIdentity {
        /// How many identities were tried.
        tried: usize,
        /// The public halves of those identities.
        recipients: Vec<String>,
    },
    /// A chunk is not authentic. The operator does not use what was read before, and finds out where the file was altered.
    #[error(
        "the sealed content is not authentic: it was altered, cut off or added to after sealing"
    )]
    Tampered,
    /// The opened document is an age file again. The operator opens it once and drops the inner file.
    #[error("the file is sealed twice: inside is another age file")]
    SealedTwice,
    /// gzip around an age file: the order is the wrong way round. The operator gunzips it and drops the age file.
    #[error("the age file is inside gzip: compress first, then seal")]
    GzipOutside,
    /// gzip data that does not decode, or whose checksum does not fit.
    #[error("the gzip data is corrupt")]
    GzipCorrupt,
    /// gzip data that ends too early.
    #[error("the gzip data is cut off before its end")]
    GzipTruncated,
    /// Bytes after the last gzip member that are no gzip.
    #[error("there are bytes after the end of the gzip data")]
    GzipTrailing,
    /// gzip inside gzip.
    #[error("the document is compressed twice: inside gzip is gzip")]
    GzipNested,
    /// The document grows more than any real report does. The operator checks it.
    #[error("the gzip data grows to more than {limit} times its size")]
    GzipRatio {
        /// The limit in force.
        limit: u32,
    },
    /// The opened document is larger than allowed. The operator asks for a shorter period.
    #[error("the document is larger than {limit} bytes once opened")]
    TooLarge {
        /// The limit in force, in bytes.
        limit: u64,
    },
    /// An AES-CBC document failed, be it by key, length, padding, gzip, charset or header: one answer for all, so that nobody
    /// who may drop files learns which. The operator fetches document and key anew.
    #[error("the document cannot be read with the key and initialisation vector of its sidecar")]
    UnauthenticatedFailure,
    /// The file cannot be read: disk, file system, pipe. The daemon tries again.
    #[error("reading the file failed: {source}")]
    Io {
        /// What the system said.
        source: Arc<io::Error>,
    },
}

impl OpenError {
    /// The one error of every unauthenticated document, for readers further on (charset, header line) to fail with.
    pub fn unauthenticated_failure() -> Self {
        Self::UnauthenticatedFailure
    }

    /// Gets the error out of what [`super::Opened::reader`] returned; anything that is not ours is [`OpenError::Io`].
    pub fn from_io(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(ours) => ours,
            Err(other) => Self::Io { source: Arc::new(other) },
        }
    }

    /// A name that never changes, for logs, result files and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "envelope-empty",
            Self::PlaintextRefused => "envelope-plaintext-refused",
            Self::AesCbcRefused => "envelope-aes-cbc-refused",
            Self::Truncated => "envelope-truncated",
            Self::HeaderInvalid => "envelope-header-invalid",
            Self::HeaderTooLarge { .. } => "envelope-header-too-large",
            Self::HeaderTampered => "envelope-header-tampered",
            Self::UnknownVersion => "envelope-unknown-version",
            Self::ArmorInvalid => "envelope-armor-invalid",
            Self::ReEncoded => "envelope-re-encoded",
            Self::Passphrase => "envelope-passphrase",
            Self::PostQuantum { .. } => "envelope-post-quantum",
            Self::OtherRecipient { .. } => "envelope-other-recipient",
            Self::NoIdentity { .. } => "envelope-no-identity",
            Self::Tampered => "envelope-tampered",
            Self::SealedTwice => "envelope-sealed-twice",
            Self::GzipOutside => "envelope-gzip-outside",
            Self::GzipCorrupt => "envelope-gzip-corrupt",
            Self::GzipTruncated => "envelope-gzip-truncated",
            Self::GzipTrailing => "envelope-gzip-trailing",
            Self::GzipNested => "envelope-gzip-nested",
            Self::GzipRatio { .. } => "envelope-gzip-ratio",
            Self::TooLarge { .. } => "envelope-too-large",
            Self::UnauthenticatedFailure => "envelope-unauthenticated-failure",
            Self::Io { .. } => "envelope-io",
        }
    }

    /// What the operator does next, in plain words.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Empty => "Find out why the producer wrote nothing, and drop the file again.",
            Self::PlaintextRefused => {
                "Seal the file with `odoo-spoold seal` and drop it again, or set `accept_plaintext = true` for this account."
            }
            Self::AesCbcRefused => {
                "Decrypt the document, seal it with `odoo-spoold seal` and drop it again, or set `accept_aes_cbc = true` for this account."
            }
            Self::Truncated | Self::ArmorInvalid => {
                "Compare the file's size with the original, and drop it again: write to a temporary name, then rename."
            }
            Self::ReEncoded => {
                "Seal the original again and let age write the file itself: `age -o FILE`, not `> FILE` of PowerShell, and no editor in between; or use `odoo-spoold seal`."
            }
            Self::HeaderInvalid => {
                "Drop an undamaged copy; if this is one, seal the original again with `odoo-spoold seal`."
            }
            Self::HeaderTooLarge { .. } => {
                "Seal the original again, to this account's recipient only."
            }
            Self::HeaderTampered | Self::Tampered => {
                "Do not use this copy. Compare its checksum with the original, find out where it changed, and drop the original again."
            }
            Self::UnknownVersion => {
                "Seal the original again with age v1, for example with `odoo-spoold seal`."
            }
            Self::Passphrase => {
                "Seal the original again to a recipient of this account, not to a passphrase."
            }
            Self::PostQuantum { .. } => {
                "Seal the original again to an X25519 recipient of this account: it begins with `age1`, without `pq` or `tag` after it."
            }
            Self::OtherRecipient { .. } => {
                "Seal the original again to an X25519 recipient of this account: it begins with `age1`."
            }
            Self::NoIdentity { .. } => {
                "Seal the original again to one of the recipients named, or add the identity it was sealed to and run `odoo-spoold process` on the file."
            }
            Self::SealedTwice => {
                "Open the file once with age, and drop the sealed file that is inside."
            }
            Self::GzipOutside => {
                "Unpack the file with gunzip, and drop the age file that is inside."
            }
            Self::GzipCorrupt | Self::GzipTruncated | Self::GzipTrailing => {
                "Fetch the report again: it was damaged before it was sealed. `gzip -t` on the original must say nothing."
            }
            Self::GzipNested => "Unpack the report once with gunzip, seal it again and drop it.",
            Self::GzipRatio { .. } => {
                "No real report packs this well: look at the original. If it is right, drop it uncompressed."
            }
            Self::TooLarge { .. } => "Ask for a shorter period, so that the report is smaller.",
            Self::UnauthenticatedFailure => {
                "Check that the sidecar belongs to this very document, then fetch document and sidecar again, or seal the decrypted report with `odoo-spoold seal`."
            }
            Self::Io { .. } => {
                "Look at the disk and its file system (`journalctl -k`); the file is read again by itself."
            }
        }
    }
}

impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> Self {
        let kind = match &error {
            OpenError::Io { source } => source.kind(),
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// Public keys, comma separated; says so if there are none.
fn list(recipients: &[String]) -> String {
    if recipients.is_empty() { "(none)".to_owned() } else { recipients.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_survive_the_way_through_io() {
        let there: io::Error = OpenError::GzipRatio { limit: 7 }.into();
        assert_eq!(there.kind(), io::ErrorKind::InvalidData);
        assert!(matches!(OpenError::from_io(there), OpenError::GzipRatio { limit: 7 }));

        let disk = OpenError::from_io(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(disk.code(), "envelope-io");
        let again: io::Error = disk.into();
        assert_eq!(again.kind(), io::ErrorKind::StorageFull);
        assert_eq!(OpenError::from_io(again).code(), "envelope-io");
    }

    #[test]
    fn refusals_name_the_setting_and_the_cure() {
        for (error, setting) in [
            (OpenError::PlaintextRefused, "accept_plaintext"),
            (OpenError::AesCbcRefused, "accept_aes_cbc"),
        ] {
            for text in [error.to_string(), error.next_step().to_owned()] {
                assert!(text.contains(setting) && text.contains("odoo-spoold seal"), "{text}");
            }
        }
    }
}
