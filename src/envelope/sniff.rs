//! What the first bytes of a file say about its envelope. Pure; decides nothing about trust.

use memchr::memmem;

/// First line of a binary age file, up to the version.
pub(super) const AGE_MAGIC: &[u8] = b"age-encryption.org/";
/// First line of an armored age file.
pub(super) const ARMOR_BEGIN: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
/// First bytes of a gzip member.
pub(super) const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

const ARMOR_PARTS: [&[u8]; 2] = [b"-----begin age", b"encrypted file-----"];

/// How many bytes are looked at; more are never needed.
pub const SNIFF_BYTES: usize = 1024;

/// What a file begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sniff {
    /// A binary age file of any version.
    AgeBinary,
    /// An armored age file, perhaps after white space.
    AgeArmored,
    /// Neither: an AES document, plain text, or something unknown.
    Other,
}

/// Tells the envelope by the first bytes: up to [`SNIFF_BYTES`] of them, fewer only if the file is shorter.
pub fn sniff(first: &[u8]) -> Sniff {
    if first.starts_with(AGE_MAGIC) {
        Sniff::AgeBinary
    } else if first.trim_ascii_start().starts_with(ARMOR_BEGIN) {
        Sniff::AgeArmored
    } else {
        Sniff::Other
    }
}

/// Like [`sniff`], and recognises a *damaged* age file: cut off within its first line, bytes changed or put in there, text
/// before it. Without this a broken sealed file could pass for a plain one where plain files are taken.
pub(super) fn sniff_damaged(first: &[u8]) -> Sniff {
    match sniff(first) {
        Sniff::Other if first.starts_with(GZIP_MAGIC) => Sniff::Other,
        Sniff::Other if resembles(first, AGE_MAGIC) || mentions(first, &[b"\n-> x25519 "]) => {
            Sniff::AgeBinary
        }
        Sniff::Other if resembles(first, ARMOR_BEGIN) || mentions(first, &ARMOR_PARTS) => {
            Sniff::AgeArmored
        }
        found => found,
    }
}

/// Three quarters of the marker's bytes (of those that are there at all) stand in their place.
fn resembles(first: &[u8], marker: &[u8]) -> bool {
    let there = first.len().min(marker.len());
    let equal = first.iter().zip(marker).filter(|(a, b)| a == b).count();
    there > 0 && equal * 4 >= there * 3
}

/// One of the (lower-case) parts stands somewhere, in whatever case.
fn mentions(first: &[u8], parts: &[&[u8]]) -> bool {
    let lower = first.get(..SNIFF_BYTES).unwrap_or(first).to_ascii_lowercase();
    parts.iter().any(|part| memmem::find(&lower, part).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_markers() {
        assert_eq!(sniff(b"age-encryption.org/v1\n"), Sniff::AgeBinary);
        assert_eq!(sniff(b"age-encryption.org/v9\n"), Sniff::AgeBinary);
        assert_eq!(sniff(b" \r\n\t-----BEGIN AGE ENCRYPTED FILE-----\n"), Sniff::AgeArmored);
        assert_eq!(sniff(b"amazon-order-id\tpurchase-date"), Sniff::Other);
        assert_eq!(sniff(b"age-encryption"), Sniff::Other);
        assert_eq!(sniff(b""), Sniff::Other);
    }

    #[test]
    fn damaged_markers() {
        assert_eq!(sniff_damaged(b"a"), Sniff::AgeBinary);
        assert_eq!(sniff_damaged(b"Age-encryption.org/v1"), Sniff::AgeBinary);
        assert_eq!(sniff_damaged(b"-----BEG"), Sniff::AgeArmored);
        assert_eq!(sniff_damaged(b"-----begin age encrypted file-----\n"), Sniff::AgeArmored);
        assert_eq!(
            sniff_damaged(b"see below\n-----BEGIN AGE ENCRYPTED FILE-----\n"),
            Sniff::AgeArmored
        );
        assert_eq!(sniff_damaged(b"ag\0e-encryption.org/v1\n-> X25519 AAAA\n"), Sniff::AgeBinary);
        assert_eq!(sniff_damaged(b"-----BEGIN AG\0E ENCRYPTED FILE-----\n"), Sniff::AgeArmored);
        assert_eq!(sniff_damaged(b"amazon-order-id\tpurchase-date"), Sniff::Other);
        assert_eq!(sniff_damaged(b""), Sniff::Other);
    }
}
