//! The header of an age file, read once under limits before the age crate sees it.
//!
//! The crate has no limit on the header's size and parses it anew for every line; here it is bounded first. Which kinds of
//! recipient it names is noted, so that a refusal can be named. Proves nothing: grammar and MAC are checked by the crate.

use std::io::{BufRead, Read};

use super::OpenError;

/// Largest header taken; 256 X25519 recipients need 26 KiB.
pub(super) const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Most lines taken.
pub(super) const MAX_HEADER_LINES: usize = 1024;
/// Most recipients taken: each costs one X25519 operation for each identity.
pub(super) const MAX_HEADER_STANZAS: usize = 256;

const VERSION_LINE: &[u8] = b"age-encryption.org/v1\n";
const VERSION_START: &[u8] = b"age-encryption.org/";
const POST_QUANTUM: [&str; 2] = ["mlkem768x25519", "tagpq"];
const OTHERS: [&str; 5] = ["ssh-ed25519", "ssh-rsa", "piv-p256", "p256tag", "tag"];

/// A header's bytes up to and with its MAC line, and what it says of its recipients.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) bytes: Vec<u8>,
    pub(super) stanzas: usize,
    pub(super) passphrase: bool,
    pub(super) x25519: bool,
    pub(super) post_quantum: Option<&'static str>,
    pub(super) other: Option<&'static str>,
}

impl Header {
    /// Reads up to the MAC line. A header that ends before is handed over as far as it goes: the age crate says what is wrong.
    pub(super) fn read(source: &mut impl BufRead) -> Result<Self, OpenError> {
        let mut header = Self::default();
        for line_number in 0..MAX_HEADER_LINES {
            let start = header.bytes.len();
            let room = u64::try_from(MAX_HEADER_BYTES - start).unwrap_or(0);
            source
                .by_ref()
                .take(room)
                .read_until(b'\n', &mut header.bytes)
                .map_err(OpenError::from_io)?;
            let line = header.bytes.get(start..).unwrap_or_default();
            let Some(text) = line.strip_suffix(b"\n") else {
                return match header.bytes.len() {
                    MAX_HEADER_BYTES => Err(too_large()),
                    _ if is_text(line) => Ok(header),
                    _ => Err(OpenError::HeaderInvalid),
                };
            };
            if line_number == 0 && line != VERSION_LINE {
                let known = line.starts_with(VERSION_START)
                    && line.len() > VERSION_START.len() + 1
                    && is_text(text);
                return Err(if known {
                    OpenError::UnknownVersion
                } else {
                    OpenError::HeaderInvalid
                });
            }
            if !is_text(text) {
                return Err(OpenError::HeaderInvalid);
            }
            if text.starts_with(b"---") {
                return Ok(header);
            }
            if let Some(stanza) = text.strip_prefix(b"-> ") {
                let kind = stanza.split(|byte| *byte == b' ').next().unwrap_or_default();
                let kind = String::from_utf8_lossy(kind).into_owned();
                header.note(&kind);
                if header.stanzas > MAX_HEADER_STANZAS {
                    return Err(too_large());
                }
            }
        }
        Err(too_large())
    }

    fn note(&mut self, kind: &str) {
        let known = |kinds: &[&'static str]| kinds.iter().find(|known| **known == kind).copied();
        self.stanzas += 1;
        self.passphrase |= kind == "scrypt";
        self.x25519 |= kind == "X25519";
        self.post_quantum = self.post_quantum.or(known(&POST_QUANTUM));
        self.other = self.other.or(known(&OTHERS));
    }
}

/// Everything a header may hold within a line.
fn is_text(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

fn too_large() -> OpenError {
    OpenError::HeaderTooLarge {
        bytes: MAX_HEADER_BYTES,
        lines: MAX_HEADER_LINES,
        stanzas: MAX_HEADER_STANZAS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: impl AsRef<[u8]>) -> Result<Header, OpenError> {
        Header::read(&mut text.as_ref())
    }

    #[test]
    fn stops_after_the_mac_line_and_knows_its_recipients() {
        let mut source: &[u8] =
            b"age-encryption.org/v1\n-> X25519 AAAA\nBBBB\n-> tagpq a b\nCCCC\n--- MAC\n\0payload";
        let header = Header::read(&mut source).unwrap();
        assert_eq!(source, b"\0payload");
        assert_eq!((header.stanzas, header.x25519, header.passphrase), (2, true, false));
        assert_eq!((header.post_quantum, header.other), (Some("tagpq"), None));
    }

    #[test]
    fn limits_hold_whatever_is_long() {
        let long_line =
            format!("age-encryption.org/v1\n-> X25519 {}", "A".repeat(MAX_HEADER_BYTES));
        let lines = format!("age-encryption.org/v1\n{}", "A\n".repeat(MAX_HEADER_LINES));
        let stanzas =
            format!("age-encryption.org/v1\n{}", "-> X\nA\n".repeat(MAX_HEADER_STANZAS + 1));
        for text in [long_line, lines, stanzas] {
            assert_eq!(read(text).unwrap_err().code(), "envelope-header-too-large");
        }
    }

    #[test]
    fn versions_and_garbage() {
        assert_eq!(read("age-encryption.org/v2\n").unwrap_err().code(), "envelope-unknown-version");
        assert_eq!(read("age-encryption.org/\n").unwrap_err().code(), "envelope-header-invalid");
        assert_eq!(
            read("age-encryption.org/v1\r\n").unwrap_err().code(),
            "envelope-header-invalid"
        );
        assert_eq!(
            read(b"age-encryption.org/v1\n-> \xff\n").unwrap_err().code(),
            "envelope-header-invalid"
        );
        assert_eq!(read("age-encryption.org/v1\n-> X25519").unwrap().stanzas, 0);
    }
}
