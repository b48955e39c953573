//! What the first bytes of a file say about its envelope. Pure; decides nothing about trust.

use memchr::memmem;

/// First line of a binary age file, up to the version.
pub(super) const AGE_MAGIC: &[u8] = b"age-encryption.org/";
/// First line of an armored age file.
pub(super) const ARMOR_BEGIN: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
/// First bytes of a gzip member.
pub(super) const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

const ARMOR_PARTS: [&[u8]; 2] = [b"-----begin age", b"encrypted file-----"];

/// The UTF-8 byte order mark that text tools put in front.
const UTF8_BOM: &[u8] = b"\xEF\xBB\xBF";

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
    } else if before_armor(first).is_some() {
        Sniff::AgeArmored
    } else {
        Sniff::Other
    }
}

/// How many bytes stand before the armor: white space, perhaps behind a byte order mark.
pub(super) fn before_armor(first: &[u8]) -> Option<usize> {
    let text = first.strip_prefix(UTF8_BOM).unwrap_or(first).trim_ascii_start();
    text.starts_with(ARMOR_BEGIN).then(|| first.len() - text.len())
}

/// An age file that a text tool wrote again: as UTF-16 (PowerShell's `>`), with a byte order mark
/// before the binary form, or with CRLF for LF in it.
pub(super) fn is_re_encoded(first: &[u8]) -> bool {
    let is_age = |text: &[u8]| {
        let text = text.trim_ascii_start();
        text.starts_with(AGE_MAGIC) || text.starts_with(ARMOR_BEGIN)
    };
    match first {
        [0xFF, 0xFE, text @ ..] | [0xFE, 0xFF, text @ ..] => {
            let narrow: Vec<u8> = text.iter().copied().filter(|b| *b != 0).collect();
            is_age(&narrow)
        }
        _ => match first.strip_prefix(UTF8_BOM) {
            Some(text) => text.starts_with(AGE_MAGIC),
            None => first.strip_prefix(AGE_MAGIC).is_some_and(|rest| rest.starts_with(b"v1\r")),
        },
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
    fn case_r21_age_files_that_text_tools_wrote_again() {
        let wide = |text: &str, big: bool| -> Vec<u8> {
            let units = text.encode_utf16();
            let bytes =
                units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() });
            [if big { [0xFE, 0xFF] } else { [0xFF, 0xFE] }]
                .concat()
                .into_iter()
                .chain(bytes)
                .collect()
        };
        for text in ["age-encryption.org/v1\r\n-> X", "-----BEGIN AGE ENCRYPTED FILE-----\r\n"] {
            assert!(is_re_encoded(&wide(text, false)) && is_re_encoded(&wide(text, true)));
        }
        assert!(is_re_encoded(b"age-encryption.org/v1\r\n-> X25519"));
        assert!(is_re_encoded(b"\xEF\xBB\xBFage-encryption.org/v1\n"));
        assert!(!is_re_encoded(&wide("amazon-order-id\tsku", false)), "a report is a report");
        for good in [&b"age-encryption.org/v1\n-> X"[..], b"\xEF\xBB\xBFamazon-order-id", b""] {
            assert!(!is_re_encoded(good));
        }
        let marked = b"\xEF\xBB\xBF-----BEGIN AGE ENCRYPTED FILE-----\n";
        assert_eq!((sniff(marked), before_armor(marked)), (Sniff::AgeArmored, Some(3)));
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
