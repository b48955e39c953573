//! gzip, inflated under limits. The only place that knows flate2.
//!
//! Promises: every member is checked to its last byte and checksum; another member may follow, anything else may not; growth
//! beyond the ratio is refused before it costs memory or time. The cap on total size is [`Guarded`](super::guarded::Guarded)'s.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

use super::OpenError;
use super::buffered::Buffered;
use super::sniff::GZIP_MAGIC;

/// Output that is free of the ratio check: short documents of blank columns pack very well.
const RATIO_FREE_BYTES: u64 = 1024 * 1024;

/// The inflated bytes of all members; its errors are [`OpenError`]s.
pub(super) struct Inflated<R> {
    member: GzDecoder<Members<R>>,
    max_ratio: u32,
    out: u64,
}

impl<R: Read> Inflated<R> {
    /// A reader over the gzip data in `source`.
    pub(super) fn new(source: Buffered<R>, max_ratio: u32) -> Self {
        let members = Members { source: Some(source), consumed: 0 };
        Self { member: GzDecoder::new(members), max_ratio, out: 0 }
    }

    /// Moves to the next member; false at the end of the data.
    fn next_member(&mut self) -> Result<bool, OpenError> {
        let members = self.member.get_mut();
        let Some(source) = &mut members.source else { return Ok(false) };
        match source.peek(GZIP_MAGIC.len())? {
            [] => return Ok(false),
            next if !next.starts_with(GZIP_MAGIC) => return Err(OpenError::GzipTrailing),
            _ => {}
        }
        let next = Members { source: members.source.take(), consumed: members.consumed };
        drop(self.member.reset(next));
        Ok(true)
    }

    fn check_ratio(&self) -> Result<(), OpenError> {
        let allowed = self.member.get_ref().consumed.saturating_mul(u64::from(self.max_ratio));
        if self.out > RATIO_FREE_BYTES && self.out > allowed {
            return Err(OpenError::GzipRatio { limit: self.max_ratio });
        }
        Ok(())
    }
}

impl<R: Read> Read for Inflated<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let read = self.member.read(out).map_err(named)?;
            if read > 0 {
                self.out = self.out.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
                self.check_ratio()?;
                return Ok(read);
            }
            if !self.next_member()? {
                return Ok(0);
            }
        }
    }
}

/// Errors of the layers below are ours already; what is left is flate2's.
fn named(error: io::Error) -> io::Error {
    match error.get_ref() {
        Some(inner) if inner.is::<OpenError>() => error,
        _ if error.kind() == io::ErrorKind::UnexpectedEof => OpenError::GzipTruncated.into(),
        _ => OpenError::GzipCorrupt.into(),
    }
}

/// The compressed source, counted; taken out and put back when one member follows another.
struct Members<R> {
    source: Option<Buffered<R>>,
    consumed: u64,
}

impl<R: Read> BufRead for Members<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.as_mut().map_or(Ok(&[]), BufRead::fill_buf)
    }

    fn consume(&mut self, amount: usize) {
        if let Some(source) = &mut self.source {
            source.consume(amount);
            self.consumed = self.consumed.saturating_add(u64::try_from(amount).unwrap_or(u64::MAX));
        }
    }
}

impl<R: Read> Read for Members<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut held = self.fill_buf()?;
        let read = held.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    pub(in super::super) fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn inflate(packed: &[u8], max_ratio: u32) -> Result<Vec<u8>, OpenError> {
        let mut plain = Vec::new();
        let mut reader = Inflated::new(Buffered::new(packed), max_ratio);
        reader.read_to_end(&mut plain).map_err(OpenError::from_io)?;
        Ok(plain)
    }

    #[test]
    fn members_follow_each_other_and_nothing_else() {
        let mut packed = gzip(b"one ");
        packed.extend(gzip(b""));
        packed.extend(gzip(b"two"));
        assert_eq!(inflate(&packed, 200).unwrap(), b"one two");
        for tail in [&b"\0"[..], b"\x1f", b"garbage", &[0; 512]] {
            let mut trailing = packed.clone();
            trailing.extend(tail);
            assert_eq!(inflate(&trailing, 200).unwrap_err().code(), "envelope-gzip-trailing");
        }
    }

    #[test]
    fn a_member_that_is_cut_off_is_truncated_wherever() {
        let packed = gzip(&b"sku\tquantity\n".repeat(50));
        for length in 2..packed.len() {
            assert_eq!(
                inflate(&packed[..length], 200).unwrap_err().code(),
                "envelope-gzip-truncated",
                "at {length}"
            );
        }
        let mut second = gzip(b"whole");
        second.extend(&packed[..packed.len() - 1]);
        assert_eq!(inflate(&second, 200).unwrap_err().code(), "envelope-gzip-truncated");
    }

    #[test]
    fn a_wrong_checksum_is_corrupt() {
        let mut packed = gzip(b"sku\tquantity\n");
        let at = packed.len() - 6;
        packed[at] ^= 1;
        assert_eq!(inflate(&packed, 200).unwrap_err().code(), "envelope-gzip-corrupt");
    }

    #[test]
    fn a_bomb_stops_at_the_ratio_and_small_documents_are_free() {
        let bomb = gzip(&vec![b' '; 64 * 1024 * 1024]);
        let mut reader = Inflated::new(Buffered::new(&bomb[..]), 200);
        let mut out = vec![0; 64 * 1024];
        let mut total = 0_u64;
        let error = loop {
            match reader.read(&mut out) {
                Ok(read) => total += u64::try_from(read).unwrap(),
                Err(error) => break OpenError::from_io(error),
            }
        };
        assert_eq!(error.code(), "envelope-gzip-ratio");
        assert!(total <= RATIO_FREE_BYTES + 64 * 1024 * 200, "stopped only after {total}");

        let small = vec![b' '; usize::try_from(RATIO_FREE_BYTES).unwrap()];
        assert_eq!(inflate(&gzip(&small), 2).unwrap(), small);
    }

    proptest! {
        #[test]
        fn inflating_inverts_deflating(plain in proptest::collection::vec(any::<u8>(), 0..5000), cut in 0_usize..5000) {
            let cut = cut.min(plain.len());
            let mut packed = gzip(&plain[..cut]);
            packed.extend(gzip(&plain[cut..]));
            prop_assert_eq!(inflate(&packed, 200).unwrap(), plain);
        }
    }
}
