//! Seals a stream to age recipients: what `odoo-spoold seal` and intake write.
//!
//! Promises: constant memory; a fresh file key for every file; a file without [`Sealer::finish`] does not open. Does not compress
//! and does not touch the file system.

use std::fmt;
use std::io::{self, BufWriter, Write};

use ::age::armor::{ArmoredWriter, Format};
use ::age::stream::StreamWriter;
use ::age::{Encryptor, Recipient, x25519};

use super::buffered::BUFFER_BYTES;

/// Why nothing can be sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// No recipient was given. The operator names at least one.
    #[error("there is no recipient to seal to")]
    NoRecipient,
    /// A secret key was given where a public one belongs. The operator treats it as seen by others, and gives the recipient.
    #[error("recipient {index} is a secret key; give the recipient (age1…) that belongs to it")]
    SecretKey {
        /// Which of the recipients, from 1.
        index: usize,
    },
    /// A post-quantum, hardware, SSH or plugin recipient. The operator takes an X25519 one.
    #[error(
        "recipient {index} is of a kind that is not supported; take an X25519 recipient (age1…)"
    )]
    Kind {
        /// Which of the recipients, from 1.
        index: usize,
    },
    /// Not a recipient, or a character is wrong. The operator copies it again.
    #[error("recipient {index} is not an age recipient (age1…), or a character is wrong")]
    Malformed {
        /// Which of the recipients, from 1.
        index: usize,
    },
    /// Writing the header failed. The operator looks at the disk.
    #[error("writing the sealed file failed: {0}")]
    Io(#[from] io::Error),
}

impl SealError {
    /// A name that never changes, for logs, result files and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoRecipient => "seal-no-recipient",
            Self::SecretKey { .. } => "seal-secret-key",
            Self::Kind { .. } => "seal-recipient-kind",
            Self::Malformed { .. } => "seal-recipient-malformed",
            Self::Io(_) => "seal-io",
        }
    }
}

/// Writes plain text in, an age file out. Dropped without [`finish`](Self::finish), it leaves a file that does not open.
#[must_use = "a sealed file without `finish` does not open"]
pub struct Sealer<W: Write> {
    inner: StreamWriter<ArmoredWriter<BufWriter<W>>>,
}

impl<W: Write> fmt::Debug for Sealer<W> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Sealer").finish_non_exhaustive()
    }
}

/// Starts an age file in `writer`, sealed to all `recipients` (`age1…`, X25519); writes its header.
pub fn seal<W: Write>(
    writer: W,
    recipients: &[&str],
    armored: bool,
) -> Result<Sealer<W>, SealError> {
    let mut parsed: Vec<x25519::Recipient> = Vec::with_capacity(recipients.len());
    for (index, text) in (1..).zip(recipients) {
        let recipient = parse(text.trim(), index)?;
        if !parsed.contains(&recipient) {
            parsed.push(recipient);
        }
    }
    let encryptor =
        Encryptor::with_recipients(parsed.iter().map(|recipient| -> &dyn Recipient { recipient }))
            .map_err(|_| SealError::NoRecipient)?;
    let format = if armored { Format::AsciiArmor } else { Format::Binary };
    let out = ArmoredWriter::wrap_output(BufWriter::with_capacity(BUFFER_BYTES, writer), format)?;
    Ok(Sealer { inner: encryptor.wrap_output(out)? })
}

impl<W: Write> Sealer<W> {
    /// Writes the last chunk and everything buffered, and gives the writer back. Makes nothing durable: that is the caller's.
    pub fn finish(self) -> io::Result<W> {
        self.inner.finish()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, plain: &[u8]) -> io::Result<usize> {
        self.inner.write(plain)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn parse(text: &str, index: usize) -> Result<x25519::Recipient, SealError> {
    text.parse().map_err(|_: &str| {
        let starts = |prefix: &str| {
            text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        if starts("AGE-SECRET-KEY-") || starts("AGE-PLUGIN-") {
            SealError::SecretKey { index }
        } else if ["age1pq1", "age1tag1", "age1tagpq1", "age1yubikey1", "age1se1", "ssh-"]
            .into_iter()
            .any(starts)
        {
            SealError::Kind { index }
        } else {
            SealError::Malformed { index }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::generate_identity;

    #[test]
    fn wrong_recipients_are_named_by_place_and_never_shown() {
        use ::age::secrecy::ExposeSecret;
        let (secret, recipient) = generate_identity();
        let mut damaged = recipient.clone();
        let last = damaged.pop().unwrap();
        damaged.push(if last == 'q' { 'p' } else { 'q' });
        for (text, code) in [
            (secret.expose_secret(), "seal-secret-key"),
            ("age1pq1qqqq", "seal-recipient-kind"),
            ("ssh-ed25519 AAAA", "seal-recipient-kind"),
            (damaged.as_str(), "seal-recipient-malformed"),
            ("", "seal-recipient-malformed"),
        ] {
            let error = seal(Vec::new(), &[&recipient, text], false).unwrap_err();
            assert_eq!(error.code(), code);
            assert!(
                error.to_string().contains("recipient 2")
                    && (text.is_empty() || !error.to_string().contains(text))
            );
        }
        assert_eq!(seal(Vec::new(), &[], false).unwrap_err().code(), "seal-no-recipient");
    }

    #[test]
    fn every_file_has_its_own_key_and_nonce() {
        let (_, recipient) = generate_identity();
        let seal_once = || {
            let mut sealer =
                seal(Vec::new(), &[&recipient, &format!(" {recipient}\n")], false).unwrap();
            sealer.write_all(b"sku\tquantity\n").unwrap();
            sealer.finish().unwrap()
        };
        let (first, second) = (seal_once(), seal_once());
        // The last 16 + 13 + 16 bytes are nonce, chunk and tag.
        let tail = |file: &[u8]| file[file.len() - 45..].to_vec();
        assert_ne!(tail(&first)[..16], tail(&second)[..16]);
        assert_ne!(tail(&first)[16..], tail(&second)[16..]);
        assert_eq!(
            first.windows(10).filter(|window| window == b"-> X25519 ").count(),
            1,
            "the same recipient once"
        );
    }
}
