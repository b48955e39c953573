//! The outermost reader: total cap, one error for unauthenticated documents, and failures that stay.

use std::io::{self, Read};

use zeroize::Zeroize;

use super::OpenError;

/// Passes an opened document through until its end, its cap or its first failure; after that the answer never changes.
pub(super) struct Guarded<'a> {
    inner: Box<dyn Read + 'a>,
    limit: u64,
    left: u64,
    unauthenticated: bool,
    state: State,
}

enum State {
    Open,
    Ended,
    Failed(OpenError),
}

impl<'a> Guarded<'a> {
    /// Guards `inner`, of which at most `limit` bytes may come.
    pub(super) fn new(inner: Box<dyn Read + 'a>, limit: u64, unauthenticated: bool) -> Self {
        Self { inner, limit, left: limit, unauthenticated, state: State::Open }
    }

    fn advance(&mut self, out: &mut [u8]) -> Result<usize, OpenError> {
        let read = loop {
            match self.inner.read(out) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result.map_err(OpenError::from_io)?,
            }
        };
        let Some(left) = u64::try_from(read).ok().and_then(|read| self.left.checked_sub(read))
        else {
            out.zeroize();
            return Err(OpenError::TooLarge { limit: self.limit });
        };
        self.left = left;
        Ok(read)
    }
}

/// Every failure of an unauthenticated document is the same one, except that the disk could not be read.
pub(super) fn uniform(error: OpenError, unauthenticated: bool) -> OpenError {
    match error {
        OpenError::Io { .. } => error,
        _ if unauthenticated => OpenError::unauthenticated_failure(),
        _ => error,
    }
}

impl Read for Guarded<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &self.state {
            State::Open if out.is_empty() => return Ok(0),
            State::Open => {}
            State::Ended => return Ok(0),
            State::Failed(error) => return Err(error.clone().into()),
        }
        match self.advance(out) {
            Ok(read) => {
                if read == 0 {
                    self.state = State::Ended;
                }
                Ok(read)
            }
            Err(error) => {
                let error = uniform(error, self.unauthenticated);
                self.state = State::Failed(error.clone());
                Err(error.into())
            }
        }
    }
}
