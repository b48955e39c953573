//! A reader that can look ahead, and the wall at which the system's I/O errors become ours.
//!
//! Promises: 64 KiB and no more; a failed read never hides the bytes that came before it; the buffer is wiped when dropped, for
//! it holds plain text in the inner layers. Does not give up on interrupted system calls.

use std::io::{self, BufRead, Read};

use zeroize::Zeroizing;

use super::OpenError;

/// Size of every buffer in this module's pipelines.
pub(super) const BUFFER_BYTES: usize = 64 * 1024;

/// A buffered reader with look-ahead over any number of bytes up to [`BUFFER_BYTES`].
pub(super) struct Buffered<R> {
    inner: R,
    bytes: Zeroizing<Box<[u8]>>,
    start: usize,
    end: usize,
    ended: bool,
    failed: Option<OpenError>,
}

impl<R: Read> Buffered<R> {
    /// A buffer over `inner`; reads nothing yet.
    pub(super) fn new(inner: R) -> Self {
        let bytes = Zeroizing::new(vec![0; BUFFER_BYTES].into_boxed_slice());
        Self { inner, bytes, start: 0, end: 0, ended: false, failed: None }
    }

    /// At least `want` bytes from here on without consuming them; fewer only at the end. Nothing may be decided on the few
    /// bytes before a failed read, so that is an error; the bytes can still be read.
    pub(super) fn peek(&mut self, want: usize) -> Result<&[u8], OpenError> {
        while self.end - self.start < want && self.more() {}
        if self.end - self.start < want
            && let Some(error) = &self.failed
        {
            return Err(error.clone());
        }
        Ok(self.held())
    }

    fn held(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// One more successful read into the free room; false at the end, after a failure, and when there is no room.
    fn more(&mut self) -> bool {
        if self.ended || self.failed.is_some() {
            return false;
        }
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let Some(room) = self.bytes.get_mut(self.end..).filter(|room| !room.is_empty()) else {
            return false;
        };
        match read_retrying(&mut self.inner, room) {
            Ok(0) => self.ended = true,
            Ok(read) => self.end += read,
            Err(error) => self.failed = Some(error),
        }
        !self.ended && self.failed.is_none()
    }
}

impl<R: Read> BufRead for Buffered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.peek(1)?)
    }

    fn consume(&mut self, amount: usize) {
        self.start = self.end.min(self.start.saturating_add(amount));
    }
}

impl<R: Read> Read for Buffered<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let direct = self.start == self.end && out.len() >= BUFFER_BYTES;
        if direct && !self.ended && self.failed.is_none() {
            return match read_retrying(&mut self.inner, out) {
                Ok(read) => {
                    self.ended = read == 0;
                    Ok(read)
                }
                Err(error) => {
                    self.failed = Some(error.clone());
                    Err(error.into())
                }
            };
        }
        let mut held = self.fill_buf()?;
        let read = held.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

/// A read that is repeated when a signal interrupts it, and whose errors are ours.
fn read_retrying(reader: &mut impl Read, out: &mut [u8]) -> Result<usize, OpenError> {
    loop {
        match reader.read(out) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map_err(OpenError::from_io),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes in pieces, with interruptions between, then fails.
    struct Failing {
        left: Vec<u8>,
        interrupted: bool,
    }

    impl Read for Failing {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.interrupted = !self.interrupted;
            if self.interrupted {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if self.left.is_empty() {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            let byte = self.left.remove(0);
            out[0] = byte;
            Ok(1)
        }
    }

    #[test]
    fn a_failure_comes_after_the_bytes_before_it_and_stays() {
        let mut reader = Buffered::new(Failing { left: b"abc".to_vec(), interrupted: false });
        assert_eq!(reader.peek(3).unwrap(), b"abc");
        assert_eq!(reader.peek(4).unwrap_err().code(), "envelope-io");
        let mut out = [0; 10];
        assert_eq!(reader.read(&mut out).unwrap(), 3);
        for _ in 0..2 {
            assert_eq!(reader.read(&mut out).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        }
        assert_eq!(reader.peek(1).unwrap_err().code(), "envelope-io");
    }

    #[test]
    fn looking_ahead_loses_nothing() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut reader = Buffered::new(&bytes[..]);
        assert_eq!(reader.peek(3).unwrap()[..3], bytes[..3]);
        reader.consume(2);
        assert_eq!(reader.peek(BUFFER_BYTES).unwrap(), &bytes[2..2 + BUFFER_BYTES]);
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, &bytes[2..]);
    }
}
