//! Unwraps what lies in the spool: `impl Read` in, `impl Read` out, in constant memory.
//!
//! ```text
//!  file ─► first bytes ─┬─ age binary ────────────┐
//!                       ├─ age armored ─► armor ──┴─► header ─► chunks ─┐
//!                       ├─ sidecar with a key ─► AES-256-CBC ───────────┼─► gzip? ─► cap ─► reader
//!                       └─ nothing ─► plain text ───────────────────────┘
//! ```
//!
//! Promises: the envelope is told by bytes, never by a name; gzip by its magic, never by a flag; limits on header, growth and total
//! size; every failure is an [`OpenError`] with a stable code and a next step, and stays: a reader that failed once fails for ever.
//! **Nothing may be believed before the reader has answered `Ok(0)`**: a truncated or altered file fails only where it is damaged,
//! after earlier chunks were handed out.
//!
//! Does not touch the file system, verify the sidecar's checksum (the spool does) or know what a report is.

mod aes_cbc;
mod age;
mod armor;
mod buffered;
mod error;
mod guarded;
mod gzip;
mod header;
mod keyring;
mod recovery;
mod seal;
mod sidecar;
mod sniff;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::Read;

pub use error::OpenError;
pub use keyring::{Keyring, KeyringError, generate_identity};
pub use recovery::{RecoveryError, Safe, SafeKey, lock_away, take_out};
pub use seal::{SealError, Sealer, seal};
pub use sidecar::{DocumentKey, MAX_SIDECAR_BYTES, Sidecar, SidecarError};
pub use sniff::{SNIFF_BYTES, Sniff, sniff};

use aes_cbc::CbcReader;
use buffered::Buffered;
use guarded::{Guarded, uniform};
use gzip::Inflated;
use sniff::{GZIP_MAGIC, is_re_encoded, sniff_damaged};

/// Largest opened document, unless the account says otherwise: 8 GiB, some 20 million order lines.
pub const DEFAULT_MAX_PLAIN_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// Largest growth by gzip after the first MiB, unless the account says otherwise. Real reports reach 5 to 30.
pub const DEFAULT_MAX_GZIP_RATIO: u32 = 200;

/// How far an opened document can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Sealed to one of our recipients and unchanged since, once read to its end.
    Authenticated,
    /// Encrypted, but anybody may have changed it: must be marked wherever it goes.
    Unauthenticated,
    /// Not encrypted at all.
    Plaintext,
}

/// The envelope a document came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// age, binary.
    AgeBinary,
    /// age, armored.
    AgeArmored,
    /// Amazon's AES-256-CBC.
    AesCbc,
    /// None.
    Plain,
}

/// What an account takes, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Take files that are not sealed. Off.
    pub accept_plaintext: bool,
    /// Take AES-CBC documents with a sidecar. Off.
    pub accept_aes_cbc: bool,
    /// Largest opened document, in bytes.
    pub max_plain_bytes: u64,
    /// Largest growth by gzip, measured after the first MiB.
    pub max_gzip_ratio: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            accept_plaintext: false,
            accept_aes_cbc: false,
            max_plain_bytes: DEFAULT_MAX_PLAIN_BYTES,
            max_gzip_ratio: DEFAULT_MAX_GZIP_RATIO,
        }
    }
}

/// An opened document.
pub struct Opened<'a> {
    /// The plain text. Its errors hold an [`OpenError`]: see [`OpenError::from_io`].
    pub reader: Box<dyn Read + 'a>,
    /// The envelope it came in.
    pub format: Format,
    /// How far it can be believed, once read to its end.
    pub trust: Trust,
    /// Whether it was compressed inside.
    pub gzip: bool,
}

impl fmt::Debug for Opened<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Opened")
            .field("format", &self.format)
            .field("trust", &self.trust)
            .field("gzip", &self.gzip)
            .finish_non_exhaustive()
    }
}

/// Opens a document of unknown envelope. Reads up to its first chunk, so that most refusals come from here.
///
/// `sidecar` is what stands in `<file>.json`, if there is one; its key is used only when the file is no age file.
pub fn open<'a, R: Read + 'a>(
    reader: R,
    sidecar: Option<&Sidecar>,
    keyring: &Keyring,
    policy: &Policy,
) -> Result<Opened<'a>, OpenError> {
    let mut source = Buffered::new(reader);
    let first = source.peek(SNIFF_BYTES)?;
    if first.is_empty() {
        return Err(OpenError::Empty);
    }
    let document_key = sidecar.and_then(|sidecar| sidecar.document_key.as_ref());
    if document_key.is_none() && is_re_encoded(first) {
        return Err(OpenError::ReEncoded);
    }
    // Ciphertext is random: with a key at hand only a whole marker means age.
    let found = if document_key.is_some() { sniff(first) } else { sniff_damaged(first) };
    match (found, document_key) {
        (Sniff::AgeBinary, _) => inside(age::open(source, keyring)?, Format::AgeBinary, policy),
        (Sniff::AgeArmored, _) => {
            inside(age::open(armor::strip(source)?, keyring)?, Format::AgeArmored, policy)
        }
        (Sniff::Other, Some(_)) if !policy.accept_aes_cbc => Err(OpenError::AesCbcRefused),
        (Sniff::Other, Some(key)) => inside(CbcReader::new(source, key), Format::AesCbc, policy)
            .map_err(|error| uniform(error, true)),
        (Sniff::Other, None) if !policy.accept_plaintext => Err(OpenError::PlaintextRefused),
        (Sniff::Other, None) => inside(source, Format::Plain, policy),
    }
}

/// Looks at what the envelope held: gzip is unpacked, another envelope is refused.
fn inside<'a, R: Read + 'a>(
    plain: R,
    format: Format,
    policy: &Policy,
) -> Result<Opened<'a>, OpenError> {
    let mut source = Buffered::new(plain);
    let first = source.peek(SNIFF_BYTES)?;
    let gzip = first.starts_with(GZIP_MAGIC);
    let reader: Box<dyn Read + 'a> = if gzip {
        let mut unpacked = Buffered::new(Inflated::new(source, policy.max_gzip_ratio));
        let first = unpacked.peek(SNIFF_BYTES)?;
        if first.starts_with(GZIP_MAGIC) {
            return Err(OpenError::GzipNested);
        }
        refuse_envelope(
            first,
            if format == Format::Plain { OpenError::GzipOutside } else { OpenError::SealedTwice },
        )?;
        Box::new(unpacked)
    } else {
        refuse_envelope(first, OpenError::SealedTwice)?;
        Box::new(source)
    };
    let trust = match format {
        Format::AgeBinary | Format::AgeArmored => Trust::Authenticated,
        Format::AesCbc => Trust::Unauthenticated,
        Format::Plain => Trust::Plaintext,
    };
    let guarded = Guarded::new(reader, policy.max_plain_bytes, trust == Trust::Unauthenticated);
    Ok(Opened { reader: Box::new(guarded), format, trust, gzip })
}

fn refuse_envelope(first: &[u8], error: OpenError) -> Result<(), OpenError> {
    match sniff(first) {
        Sniff::Other => Ok(()),
        Sniff::AgeBinary | Sniff::AgeArmored => Err(error),
    }
}
