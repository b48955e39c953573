//! Amazon's documents of API version 2020-09-04: AES-256 in CBC mode with PKCS#7 padding.
//!
//! Promises: constant memory, whole buffers at a time, and **one** error whatever is wrong. Promises nothing about origin: there
//! is no MAC, a wrong key passes the padding check once in 256 times, and chosen bits can be flipped. Hence
//! [`Trust::Unauthenticated`](super::Trust::Unauthenticated), and nothing may be believed before a checksum and a header line fit.

use std::io::{self, Read};

use ::aes::Aes256;
use ::aes::cipher::consts::U16;
use ::aes::cipher::inout::InOutBuf;
use ::aes::cipher::{BlockDecryptMut, KeyIvInit};
use subtle::{Choice, ConstantTimeEq, ConstantTimeGreater};
use zeroize::Zeroizing;

use super::OpenError;
use super::buffered::{BUFFER_BYTES, Buffered};
use super::sidecar::DocumentKey;

const BLOCK_BYTES: usize = 16;

/// The decrypted bytes of an AES-256-CBC document, without their padding.
pub(super) struct CbcReader<R> {
    source: Buffered<R>,
    cipher: cbc::Decryptor<Aes256>,
    plain: Zeroizing<Box<[u8]>>,
    start: usize,
    end: usize,
    ended: bool,
}

impl<R: Read> CbcReader<R> {
    /// A reader over the ciphertext in `source`.
    pub(super) fn new(source: Buffered<R>, key: &DocumentKey) -> Self {
        let cipher = cbc::Decryptor::new(key.key().into(), key.iv().into());
        let plain = Zeroizing::new(vec![0; BUFFER_BYTES].into_boxed_slice());
        Self { source, cipher, plain, start: 0, end: 0, ended: false }
    }

    /// Reads and decrypts one buffer; the padding is judged when nothing follows it.
    fn refill(&mut self) -> Result<(), OpenError> {
        let mut filled = 0;
        while let Some(room) = self.plain.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.source.read(room).map_err(OpenError::from_io)? {
                0 => break,
                read => filled += read,
            }
        }
        let last = self.source.peek(1)?.is_empty();
        let sealed = self.plain.get_mut(..filled).unwrap_or_default();
        let (blocks, rest) = InOutBuf::from(sealed).into_chunks::<U16>();
        if blocks.is_empty() || !rest.is_empty() {
            return Err(OpenError::unauthenticated_failure());
        }
        self.cipher.decrypt_blocks_inout_mut(blocks);
        let padding = if last {
            let block = self.plain.get(..filled).and_then(<[u8]>::last_chunk::<BLOCK_BYTES>);
            block.and_then(padding).ok_or_else(OpenError::unauthenticated_failure)?
        } else {
            0
        };
        (self.start, self.end, self.ended) = (0, filled - padding, last);
        Ok(())
    }
}

impl<R: Read> Read for CbcReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.start == self.end && !self.ended {
            self.refill()?;
        }
        let mut held = self.plain.get(self.start..self.end).unwrap_or_default();
        let read = held.read(out)?;
        self.start += read;
        Ok(read)
    }
}

/// The length of a valid PKCS#7 padding, 1 to 16; looks at every byte whatever it finds.
fn padding(block: &[u8; BLOCK_BYTES]) -> Option<usize> {
    let [.., length] = *block;
    let mut valid = !length.ct_eq(&0) & !length.ct_gt(&16);
    for (from_end, byte) in (1..=16_u8).zip(block.iter().rev()) {
        let counts: Choice = !from_end.ct_gt(&length);
        valid &= !counts | byte.ct_eq(&length);
    }
    bool::from(valid).then_some(usize::from(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paddings() {
        for length in 1..=16_u8 {
            let mut block = [0xee; 16];
            block[16 - usize::from(length)..].fill(length);
            assert_eq!(padding(&block), Some(usize::from(length)));
            if length > 1 {
                block[16 - usize::from(length)] ^= 1;
                assert_eq!(padding(&block), None, "first byte of padding {length}");
            }
        }
        assert_eq!(padding(&[0; 16]), None);
        assert_eq!(padding(&[17; 16]), None);
        assert_eq!(padding(&[255; 16]), None);
    }
}
