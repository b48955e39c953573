//! Which charset a document is in, and its text.
//!
//! Amazon declares charsets wrongly, so the bytes decide: a byte order mark, then UTF-8, then
//! windows-31j (CP932) where lines look Japanese, then windows-1252. A declared charset only breaks
//! ties. Evidence is counted in lines, so that one damaged row neither turns a UTF-8 file into
//! mojibake nor stops the file: it is refused by itself when its bytes do not decode.
//!
//! Never replaces what it cannot read: U+FFFD never leaves this module.

use std::borrow::Cow;

use encoding_rs::{Encoding, SHIFT_JIS, UTF_8, WINDOWS_1252};
use memchr::memmem;

use super::error::DocumentError;

/// The charset of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8, plain ASCII included.
    Utf8,
    /// windows-31j: Shift_JIS with Microsoft's extensions.
    Cp932,
    /// windows-1252, the superset of ISO-8859-1 that Amazon means by either name.
    Windows1252,
}

impl Charset {
    /// The charset's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Cp932 => "windows-31j",
            Self::Windows1252 => "windows-1252",
        }
    }

    /// The text of `bytes`; none if they are not text in this charset.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Self::Cp932 => SHIFT_JIS.decode_without_bom_handling_and_without_replacement(bytes),
            Self::Windows1252 => {
                WINDOWS_1252.decode_without_bom_handling_and_without_replacement(bytes)
            }
        }
    }
}

/// What the lines of a document say about its charset.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// Lines that are UTF-8 and not ASCII.
    utf8: u64,
    /// Lines that are not UTF-8, and the first of them.
    not_utf8: u64,
    first_not_utf8: u64,
    /// Of those: lines that are CP932 and look Japanese.
    japanese: u64,
    /// Of those: lines that are not CP932.
    not_cp932: u64,
    /// The first byte, by line and place, that windows-1252 does not have.
    not_1252: Option<(u64, u64)>,
}

impl Evidence {
    /// Takes note of one line, which begins at `offset`.
    pub(super) fn observe(&mut self, bytes: &[u8], line: u64, offset: u64) {
        if bytes.is_ascii() {
            return;
        }
        if std::str::from_utf8(bytes).is_ok() {
            self.utf8 += 1;
            return;
        }
        if self.not_utf8 == 0 {
            self.first_not_utf8 = line;
        }
        self.not_utf8 += 1;
        if Charset::Cp932.decode(bytes).is_none() {
            self.not_cp932 += 1;
        } else if looks_japanese(bytes) {
            self.japanese += 1;
        }
        if self.not_1252.is_none() {
            let undefined = |b: &u8| matches!(b, 0x81 | 0x8D | 0x8F | 0x90 | 0x9D);
            self.not_1252 = bytes
                .iter()
                .position(undefined)
                .and_then(|at| u64::try_from(at).ok())
                .map(|at| (line, offset.saturating_add(at)));
        }
    }

    /// The document's charset.
    pub(super) fn decide(
        &self,
        bom: bool,
        declared: Option<&str>,
        japan: bool,
    ) -> Result<Charset, DocumentError> {
        let declared = declared.map(declared_encoding);
        let says = |encoding| declared == Some(Some(encoding));
        if bom || self.not_utf8 == 0 || self.utf8 > self.not_utf8 {
            return Ok(Charset::Utf8);
        }
        let other = says(SHIFT_JIS) || says(WINDOWS_1252);
        if self.utf8 == self.not_utf8 && !other {
            return Ok(Charset::Utf8);
        }
        let hinted = says(SHIFT_JIS) || japan;
        if self.japanese > self.not_cp932 || (hinted && self.not_cp932 == 0) {
            return Ok(Charset::Cp932);
        }
        let known = declared.is_none() || other || says(UTF_8);
        if !known {
            return Err(DocumentError::DeclaredCharset { line: self.first_not_utf8 });
        }
        match self.not_1252 {
            Some((line, offset)) => Err(DocumentError::Charset { line, offset }),
            None => Ok(Charset::Windows1252),
        }
    }

    /// How many lines do not decode in `charset`.
    pub(super) fn undecodable(&self, charset: Charset) -> u64 {
        match charset {
            Charset::Utf8 => self.not_utf8,
            Charset::Cp932 => self.not_cp932,
            Charset::Windows1252 => 0,
        }
    }
}

/// The encoding of a declared name; Python's name for windows-31j is not among the Web's.
fn declared_encoding(label: &str) -> Option<&'static Encoding> {
    let label = label.trim();
    if label.eq_ignore_ascii_case("cp932") {
        return Some(SHIFT_JIS);
    }
    Encoding::for_label(label.as_bytes())
}

/// Whether bytes that decode as CP932 are Japanese and not accented Latin letters, which decode
/// too (`é` and the letter after it make a kanji). Kana lead with 0x82 and 0x83, which Latin text
/// all but never has; three common kanji in a row need bytes it only has as punctuation; else the
/// row itself must name Japan.
fn looks_japanese(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut run = 0;
    let mut pairs = false;
    loop {
        rest = match rest {
            [0x82, 0x9F..=0xF1, ..] | [0x83, 0x40..=0x7E | 0x80..=0x96, ..] => return true,
            [0x88..=0x97, 0x40..=0x7E | 0x80..=0xFC, tail @ ..] => {
                run += 1;
                if run == 3 {
                    return true;
                }
                pairs = true;
                tail
            }
            [0x81..=0x9F | 0xE0..=0xFC, 0x40..=0x7E | 0x80..=0xFC, tail @ ..] => {
                run = 0;
                pairs = true;
                tail
            }
            [_, tail @ ..] => {
                run = 0;
                tail
            }
            [] => break,
        };
    }
    let names_japan = |mark: &str| memmem::find(bytes, mark.as_bytes()).is_some();
    pairs && (names_japan("mazon.co.jp") || names_japan("\tJPY\t") || names_japan("\tJP\t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(lines: &[&[u8]], declared: Option<&str>) -> Result<Charset, DocumentError> {
        let mut evidence = Evidence::default();
        let mut offset = 0;
        for (bytes, line) in lines.iter().zip(1..) {
            evidence.observe(bytes, line, offset);
            offset += u64::try_from(bytes.len()).unwrap() + 1;
        }
        evidence.decide(false, declared, false)
    }

    fn encode(charset: &'static Encoding, text: &str) -> Vec<u8> {
        let (bytes, _, lossy) = charset.encode(text);
        assert!(!lossy);
        bytes.into_owned()
    }

    #[test]
    fn bytes_decide_and_a_declaration_only_breaks_ties() {
        assert_eq!(decide(&[b"abc"], Some("windows-1252")).unwrap(), Charset::Utf8);
        assert_eq!(decide(&["Zoë 🎁".as_bytes()], Some("windows-31j")).unwrap(), Charset::Utf8);
        for text in ["Zoë", "Hélène", "créée", "Women’s “best”", "Straße", "€ 5"] {
            let bytes = encode(WINDOWS_1252, text);
            for declared in [None, Some("UTF-8"), Some("iso-8859-1")] {
                assert_eq!(decide(&[&bytes], declared).unwrap(), Charset::Windows1252, "{text}");
            }
        }
        // Kanji that are accented letters in windows-1252 too: only the declaration tells.
        assert_eq!(decide(&[b"H\xE9l\xE8ne"], Some("cp932")).unwrap(), Charset::Cp932);
    }

    #[test]
    fn japanese_is_told_by_kana_kanji_or_what_the_row_says() {
        for text in ["カタカナ", "ひらがな", "山田太郎", "①髙﨑はま", "Amazon.co.jp\t戸"]
        {
            let bytes = encode(SHIFT_JIS, text);
            assert_eq!(decide(&[&bytes], None).unwrap(), Charset::Cp932, "{text}");
            assert_eq!(Charset::Cp932.decode(&bytes).unwrap(), text);
        }
        let mut evidence = Evidence::default();
        evidence.observe(&encode(SHIFT_JIS, "戸"), 1, 0);
        assert_eq!(evidence.decide(false, None, true).unwrap(), Charset::Cp932);
    }

    #[test]
    fn one_damaged_line_does_not_turn_the_file() {
        let good = "Müller".as_bytes();
        assert_eq!(decide(&[good, b"M\xFCller", good], None).unwrap(), Charset::Utf8);
        assert_eq!(decide(&[good, b"M\xFCller"], None).unwrap(), Charset::Utf8);
        for declared in ["windows-1252", "Cp1252", "ISO-8859-1"] {
            let charset = decide(&[good, b"M\xFCller"], Some(declared)).unwrap();
            assert_eq!(charset, Charset::Windows1252, "{declared}");
        }
        let kana = encode(SHIFT_JIS, "カナ");
        assert_eq!(decide(&[&kana, &kana, b"\xFF"], None).unwrap(), Charset::Cp932);
    }

    #[test]
    fn the_five_bytes_that_windows_1252_lacks_are_refused_with_their_place() {
        let error = decide(&[b"abc", b"x\xE9", b"y\x81 "], None).unwrap_err();
        assert!(matches!(error, DocumentError::Charset { line: 3, offset: 8 }), "{error}");
    }

    #[test]
    fn a_declared_charset_that_is_not_read_is_refused_only_if_it_matters() {
        assert!(decide(&[b"abc"], Some("windows-1250")).is_ok());
        let error = decide(&[b"abc", b"\xB3"], Some("windows-1250")).unwrap_err();
        assert!(matches!(error, DocumentError::DeclaredCharset { line: 2 }));
    }
}
