//! The armor of an age file, taken off line by line.
//!
//! Promises: bounded memory even without a single line end, and errors that name the armor. Takes white space and a byte order mark before the first
//! line, as the specification allows and the age crate does not. Used only for armored files: it costs a sixth of the speed.

use std::io::{self, BufRead, BufReader, Read};

use ::age::armor::ArmoredReader;

use super::OpenError;
use super::buffered::{BUFFER_BYTES, Buffered};
use super::sniff::{SNIFF_BYTES, before_armor};

/// Longest stretch without a line end that is let through: far above armor's 64 columns, far below trouble.
const MAX_LINE_BYTES: usize = BUFFER_BYTES;

/// The binary age file inside the armored one in `source`.
pub(super) fn strip<R: Read>(mut source: Buffered<R>) -> Result<Dearmored<R>, OpenError> {
    let first = source.peek(SNIFF_BYTES)?;
    let Some(before) = before_armor(first) else {
        // The age crate would take it for a binary file, and blame the header.
        return Err(OpenError::ArmorInvalid);
    };
    source.consume(before);
    Ok(Dearmored { inner: ArmoredReader::new(BoundedLines { inner: source, since_line_end: 0 }) })
}

/// What is inside the armor; its errors are [`OpenError`]s.
pub(super) struct Dearmored<R: Read> {
    inner: ArmoredReader<BufReader<BoundedLines<R>>>,
}

impl<R: Read> Read for Dearmored<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.inner.read(out).map_err(named)
    }
}

impl<R: Read> BufRead for Dearmored<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf().map_err(named)
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
    }
}

fn named(error: io::Error) -> io::Error {
    match error.get_ref() {
        Some(inner) if inner.is::<OpenError>() => error,
        _ => OpenError::ArmorInvalid.into(),
    }
}

/// Lets no line through that would make the line reader above collect without end.
struct BoundedLines<R> {
    inner: Buffered<R>,
    since_line_end: usize,
}

impl<R: Read> Read for BoundedLines<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        let got = out.get(..read).unwrap_or_default();
        self.since_line_end = match memchr::memrchr(b'\n', got) {
            Some(at) => read - at - 1,
            None => self.since_line_end.saturating_add(read),
        };
        if self.since_line_end > MAX_LINE_BYTES {
            return Err(OpenError::ArmorInvalid.into());
        }
        Ok(read)
    }
}
