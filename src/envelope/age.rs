//! age version 1: header, identities, and a stream of authenticated chunks.
//!
//! Promises: one header parse and one MAC check for each open; nothing is released that is not authentic; every failure is an
//! [`OpenError`] with a cause. Does not know passphrases, plugins, SSH or post-quantum identities: they are refused by name.

use std::io::{self, BufRead, Cursor, Read};

use ::age::stream::StreamReader;
use ::age::{DecryptError, Decryptor};

use super::header::Header;
use super::{Keyring, OpenError};

/// The plain text of the age file in `source`, binary or already out of its armor.
pub(super) fn open<S: BufRead>(
    mut source: S,
    keyring: &Keyring,
) -> Result<Chunks<Sealed<S>>, OpenError> {
    let mut header = Header::read(&mut source)?;
    if header.passphrase && header.stanzas == 1 {
        return Err(OpenError::Passphrase);
    }
    let bytes = std::mem::take(&mut header.bytes);
    let decryptor = Decryptor::new_buffered(Cursor::new(bytes).chain(source))
        .map_err(|error| named(error, &header, keyring))?;
    let inner =
        decryptor.decrypt(keyring.identities()).map_err(|error| named(error, &header, keyring))?;
    Ok(Chunks { inner })
}

/// What the age crate says of a header, in our words.
fn named(error: DecryptError, header: &Header, keyring: &Keyring) -> OpenError {
    match error {
        DecryptError::Io(error) if error.get_ref().is_none_or(|inner| !inner.is::<OpenError>()) => {
            // The source's own errors are ours already: what is left is the crate's "there should be more".
            OpenError::Truncated
        }
        DecryptError::Io(error) => OpenError::from_io(error),
        DecryptError::InvalidMac => OpenError::HeaderTampered,
        DecryptError::NoMatchingKeys
        | DecryptError::DecryptionFailed
        | DecryptError::KeyDecryptionFailed => match (header.post_quantum, header.other) {
            (Some(stanza), _) => OpenError::PostQuantum { stanza },
            (None, Some(stanza)) if !header.x25519 => OpenError::OtherRecipient { stanza },
            _ => OpenError::NoIdentity { tried: keyring.len(), recipients: keyring.recipients() },
        },
        _ => OpenError::HeaderInvalid,
    }
}

/// The header read ahead, and behind it the rest of the file.
pub(super) type Sealed<S> = io::Chain<Cursor<Vec<u8>>, S>;

/// The authenticated chunks of an age file; its errors are [`OpenError`]s.
pub(super) struct Chunks<R> {
    inner: StreamReader<R>,
}

impl<R: Read> Read for Chunks<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.inner.read(out).map_err(|error| match error.get_ref() {
            Some(inner) if inner.is::<OpenError>() => error,
            _ if error.kind() == io::ErrorKind::UnexpectedEof => OpenError::Truncated.into(),
            _ => OpenError::Tampered.into(),
        })
    }
}
