//! The seal: XChaCha20-Poly1305 around one stored value.
//!
//! `version(1) ‖ length(1) ‖ key id ‖ nonce(24) ‖ ciphertext ‖ tag(16)`. The associated data binds a
//! value to its schema, tree and key: swapped, renamed or altered values do not open. It does not
//! stop a rollback of the whole folder.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::RngCore;

use super::layout::SCHEMA;

/// The version byte of the seal itself.
const VERSION: u8 = 1;
/// Bytes of a nonce.
pub(super) const NONCE_BYTES: usize = 24;
/// Bytes of the authentication tag.
const TAG_BYTES: usize = 16;

/// Why a sealed value does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SealError {
    /// Its key is not known here.
    UnknownKey(String),
    /// Damaged, tampered with, or sealed under another key of that name.
    Damaged,
}

/// What a sealed value says in the clear.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seal<'a> {
    /// The id of the key.
    pub(super) key_id: &'a str,
    /// The nonce.
    pub(super) nonce: &'a [u8],
    ciphertext: &'a [u8],
}

/// Bytes that a seal adds to its plaintext.
pub(super) fn overhead(key_id: &str) -> usize {
    2 + key_id.len() + NONCE_BYTES + TAG_BYTES
}

/// Seals `plain`. None only for a key id above 255 bytes or a plaintext above 256 GiB.
pub(super) fn seal(
    cipher: &XChaCha20Poly1305,
    key_id: &str,
    aad: &[u8],
    plain: &[u8],
) -> Option<Vec<u8>> {
    let mut nonce = [0_u8; NONCE_BYTES];
    rand::thread_rng().fill_bytes(&mut nonce);
    let ciphertext =
        cipher.encrypt(XNonce::from_slice(&nonce), Payload { msg: plain, aad }).ok()?;
    let mut sealed = Vec::with_capacity(overhead(key_id) + plain.len());
    sealed.push(VERSION);
    sealed.push(u8::try_from(key_id.len()).ok()?);
    sealed.extend(key_id.as_bytes());
    sealed.extend(nonce);
    sealed.extend(ciphertext);
    Some(sealed)
}

impl<'a> Seal<'a> {
    /// Reads what stands in the clear.
    pub(super) fn parse(sealed: &'a [u8]) -> Result<Self, SealError> {
        let (&[version, length], rest) =
            sealed.split_first_chunk::<2>().ok_or(SealError::Damaged)?;
        if version != VERSION {
            return Err(SealError::Damaged);
        }
        let (key_id, rest) = rest.split_at_checked(length.into()).ok_or(SealError::Damaged)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES).ok_or(SealError::Damaged)?;
        let key_id = std::str::from_utf8(key_id).map_err(|_| SealError::Damaged)?;
        Ok(Self { key_id, nonce, ciphertext })
    }

    /// Opens it with the key that it names.
    pub(super) fn open(
        &self,
        cipher: &XChaCha20Poly1305,
        aad: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        cipher
            .decrypt(XNonce::from_slice(self.nonce), Payload { msg: self.ciphertext, aad })
            .map_err(|_| SealError::Damaged)
    }
}

/// Associated data of the value under `key` in `space`; `link` is the nonce of chunk 0 in later
/// chunks, else empty.
pub(super) fn associated(space: &str, key: &[u8], link: &[u8]) -> Vec<u8> {
    let mut aad = Vec::with_capacity(space.len() + key.len() + link.len() + 4);
    aad.push(SCHEMA);
    aad.extend(space.as_bytes());
    aad.push(0);
    aad.extend(u16::try_from(key.len()).unwrap_or(u16::MAX).to_be_bytes());
    aad.extend(key);
    aad.extend(link);
    aad
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20poly1305::KeyInit;
    use proptest::prelude::*;

    fn cipher(byte: u8) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&[byte; 32].into())
    }

    fn opened(sealed: &[u8], cipher: &XChaCha20Poly1305, aad: &[u8]) -> Result<Vec<u8>, SealError> {
        Seal::parse(sealed)?.open(cipher, aad)
    }

    #[test]
    fn another_key_place_or_tree_does_not_open() {
        let aad = associated("record", b"k", b"");
        let sealed = seal(&cipher(1), "m", &aad, b"secret").unwrap();
        assert_eq!(sealed.len(), 6 + overhead("m"));
        assert_eq!(opened(&sealed, &cipher(1), &aad).unwrap(), b"secret");
        assert!(opened(&sealed, &cipher(2), &aad).is_err());
        for other in [associated("record", b"l", b""), associated("buyer", b"k", b"")] {
            assert!(opened(&sealed, &cipher(1), &other).is_err());
        }
        assert_ne!(associated("a", b"k", b"12"), associated("a", b"k1", b"2"));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_noticed(plain in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let aad = associated("record", b"key", b"");
            let mut sealed = seal(&cipher(3), "master", &aad, &plain).unwrap();
            prop_assert_eq!(opened(&sealed, &cipher(3), &aad).unwrap(), plain);
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            // A flipped bit of the key id names another key: its user finds none.
            let named = Seal::parse(&sealed).is_ok_and(|seal| seal.key_id == "master");
            prop_assert!(!named || opened(&sealed, &cipher(3), &aad).is_err());
        }

        #[test]
        fn any_cut_is_noticed(keep in 0..80_usize) {
            let aad = associated("record", b"key", b"");
            let sealed = seal(&cipher(3), "master", &aad, &[5; 40]).unwrap();
            prop_assert!(opened(&sealed[..keep], &cipher(3), &aad).is_err());
        }
    }
}
