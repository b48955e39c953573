//! `<file>.json` beside a document: Amazon's document description, and what we let a producer say about the file.
//!
//! Takes Amazon's JSON with or without the `payload` wrapper; unknown members (the presigned URL above all) are skipped and not
//! kept. Our own members stand beside either form. Promises: keys are wiped when dropped and never shown; errors name a member and
//! a place, never a value. Verifies no checksum: the spool has the ciphertext's.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// Largest sidecar taken.
pub const MAX_SIDECAR_BYTES: usize = 64 * 1024;
/// Longest text in a member of ours.
const MAX_TEXT_BYTES: usize = 128;

/// Base64 as Java decodes it, in which Amazon's own helper is written: spare bits and missing padding are no error.
const JAVA_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the sidecar says; every part is optional.
#[derive(Debug, Default)]
pub struct Sidecar {
    /// Key and initialisation vector of an AES-256-CBC document.
    pub document_key: Option<DocumentKey>,
    /// Amazon's id of the document (`reportDocumentId` or `feedDocumentId`).
    pub document_id: Option<String>,
    /// Amazon's `compressionAlgorithm`. Not to be trusted: gzip is told by its first bytes.
    pub compression: Option<String>,
    /// The report type, such as `GET_FLAT_FILE_ORDERS_DATA`.
    pub report_type: Option<String>,
    /// The marketplace as a sales channel, such as `Amazon.de`.
    pub marketplace: Option<String>,
    /// The charset of the text, such as `windows-1252`.
    pub charset: Option<String>,
    /// The instant for which the data is true.
    pub data_time: Option<Timestamp>,
    /// SHA-256 of the file beside the sidecar, as it lies there.
    pub sha256: Option<[u8; 32]>,
}

/// AES-256 key and initialisation vector of one document.
#[derive(Clone)]
pub struct DocumentKey {
    key: Zeroizing<[u8; 32]>,
    iv: [u8; 16],
}

/// Why a sidecar cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SidecarError {
    /// The sidecar is larger than any real one. The operator looks what it is.
    #[error("the sidecar is larger than {MAX_SIDECAR_BYTES} bytes")]
    TooLarge,
    /// Not JSON, or a member of another type than expected. The operator corrects it at this place.
    #[error("line {line}, column {column}: not the JSON of a document description")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Amazon answered with an error, and the answer was stored. The operator asks Amazon for the document again.
    #[error("the sidecar is an error answer of Amazon, not a document description")]
    ErrorAnswer,
    /// A member stands both in `payload` and beside it. The operator removes one.
    #[error("`{member}` stands both in `payload` and beside it")]
    Twice {
        /// The member's name.
        member: &'static str,
    },
    /// A member is missing or its value is none that this member can have. The operator corrects it.
    #[error("`{member}` is missing or is not {expected}")]
    Member {
        /// The member's name.
        member: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

impl Sidecar {
    /// Parses the bytes of a sidecar.
    pub fn parse(bytes: &[u8]) -> Result<Self, SidecarError> {
        if bytes.len() > MAX_SIDECAR_BYTES {
            return Err(SidecarError::TooLarge);
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let written: Written = serde_json::from_slice(bytes)
            .map_err(|error| SidecarError::Json { line: error.line(), column: error.column() })?;
        if written.payload.is_none() && written.errors.is_some() {
            return Err(SidecarError::ErrorAnswer);
        }
        let inside = written.payload.unwrap_or_default();
        let one = |member, inside: Option<String>, beside: Option<String>| match (inside, beside) {
            (Some(_), Some(_)) => Err(SidecarError::Twice { member }),
            (inside, beside) => Ok(inside.or(beside)),
        };
        let details = match (inside.encryption_details, written.encryption_details) {
            (Some(_), Some(_)) => return Err(SidecarError::Twice { member: "encryptionDetails" }),
            (inside, beside) => inside.or(beside),
        };
        let data_time = one("dataTime", inside.data_time, written.data_time)?;
        let sha256 = one("sha256", inside.sha256, written.sha256)?;
        Ok(Self {
            document_key: details.map(DocumentKey::from_written).transpose()?,
            document_id: short(
                "reportDocumentId",
                one("reportDocumentId", inside.document_id, written.document_id)?,
            )?,
            compression: short(
                "compressionAlgorithm",
                one("compressionAlgorithm", inside.compression, written.compression)?,
            )?,
            report_type: short(
                "reportType",
                one("reportType", inside.report_type, written.report_type)?,
            )?,
            marketplace: short(
                "marketplace",
                one("marketplace", inside.marketplace, written.marketplace)?,
            )?,
            charset: short("charset", one("charset", inside.charset, written.charset)?)?,
            data_time: data_time.map(|text| text.trim().parse()).transpose().map_err(
                |_: jiff::Error| SidecarError::Member {
                    member: "dataTime",
                    expected: "an instant such as 2026-03-07T14:17:45Z",
                },
            )?,
            sha256: sha256
                .map(|text| hex(&text))
                .map(|found| {
                    found.ok_or(SidecarError::Member {
                        member: "sha256",
                        expected: "64 hexadecimal digits",
                    })
                })
                .transpose()?,
        })
    }
}

impl SidecarError {
    /// A name that never changes, for logs, result files and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "sidecar-too-large",
            Self::Json { .. } => "sidecar-json",
            Self::ErrorAnswer => "sidecar-error-answer",
            Self::Twice { .. } => "sidecar-member-twice",
            Self::Member { .. } => "sidecar-member",
        }
    }
}

impl DocumentKey {
    /// A key from its raw parts.
    pub fn new(key: [u8; 32], iv: [u8; 16]) -> Self {
        Self { key: Zeroizing::new(key), iv }
    }

    pub(super) fn key(&self) -> &[u8; 32] {
        &self.key
    }

    pub(super) fn iv(&self) -> &[u8; 16] {
        &self.iv
    }

    fn from_written(written: WrittenDetails) -> Result<Self, SidecarError> {
        if !written.standard.is_some_and(|standard| standard.eq_ignore_ascii_case("AES")) {
            return Err(SidecarError::Member {
                member: "encryptionDetails.standard",
                expected: "AES",
            });
        }
        let key = written.key.and_then(|text| binary(&text.0).map(Zeroizing::new)).ok_or(
            SidecarError::Member {
                member: "encryptionDetails.key",
                expected: "32 bytes in base64",
            },
        )?;
        let iv = written.initialization_vector.and_then(|text| binary(&text.0)).ok_or(
            SidecarError::Member {
                member: "encryptionDetails.initializationVector",
                expected: "16 bytes in base64 or hexadecimal",
            },
        )?;
        Ok(Self { key, iv })
    }
}

/// Shows nothing.
impl fmt::Debug for DocumentKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("DocumentKey").finish_non_exhaustive()
    }
}

/// The JSON as written: Amazon's description, bare.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenDocument {
    #[serde(alias = "reportDocumentId", alias = "feedDocumentId")]
    document_id: Option<String>,
    encryption_details: Option<WrittenDetails>,
    #[serde(rename = "compressionAlgorithm")]
    compression: Option<String>,
    report_type: Option<String>,
    marketplace: Option<String>,
    charset: Option<String>,
    data_time: Option<String>,
    sha256: Option<String>,
}

/// The JSON as written: bare or wrapped, with Amazon's `errors` instead. Spelled out, not flattened: serde would keep copies of
/// the secrets while it sorts them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    payload: Option<WrittenDocument>,
    errors: Option<serde::de::IgnoredAny>,
    #[serde(alias = "reportDocumentId", alias = "feedDocumentId")]
    document_id: Option<String>,
    encryption_details: Option<WrittenDetails>,
    #[serde(rename = "compressionAlgorithm")]
    compression: Option<String>,
    report_type: Option<String>,
    marketplace: Option<String>,
    charset: Option<String>,
    data_time: Option<String>,
    sha256: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenDetails {
    standard: Option<String>,
    initialization_vector: Option<SecretText>,
    key: Option<SecretText>,
}

struct SecretText(Zeroizing<String>);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// Exactly `N` bytes from base64 or from hexadecimal digits, spaced or not. No text of the right length is both.
fn binary<const N: usize>(text: &str) -> Option<[u8; N]> {
    if let Some(found) = hex(text) {
        return Some(found);
    }
    let mut bytes = Zeroizing::new([0; 96]);
    let length = JAVA_BASE64.decode_slice(text.trim(), &mut bytes[..]).ok()?;
    bytes.get(..length)?.try_into().ok()
}

/// Exactly `N` bytes from hexadecimal digits; white space between bytes is skipped.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let mut digits =
        text.chars().filter(|digit| !digit.is_ascii_whitespace()).map(|digit| digit.to_digit(16));
    for byte in &mut bytes {
        let (high, low) = (digits.next()??, digits.next()??);
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    digits.next().is_none().then_some(bytes)
}

/// A text that may go into a log: short, printable ASCII.
fn short(member: &'static str, text: Option<String>) -> Result<Option<String>, SidecarError> {
    let Some(text) = text else { return Ok(None) };
    let text = text.trim();
    if text.is_empty()
        || text.len() > MAX_TEXT_BYTES
        || !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
    {
        return Err(SidecarError::Member { member, expected: "a short printable text" });
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sxx/wImF6BFndqSAz56O6vfiAh8iD9P297DHfFgujec=";
    const IV: &str = "7S2tn363v0wfCfo1IX2Q1A==";
    const IV_BYTES: [u8; 16] = [
        0xed, 0x2d, 0xad, 0x9f, 0x7e, 0xb7, 0xbf, 0x4c, 0x1f, 0x09, 0xfa, 0x35, 0x21, 0x7d, 0x90,
        0xd4,
    ];

    fn with(key: &str, iv: &str) -> Result<DocumentKey, SidecarError> {
        let json = format!(
            r#"{{"encryptionDetails":{{"standard":"AES","initializationVector":"{iv}","key":"{key}"}}}}"#
        );
        Sidecar::parse(json.as_bytes()).map(|sidecar| sidecar.document_key.unwrap())
    }

    #[test]
    fn amazons_document_with_and_without_wrapper() {
        let bare = format!(
            r#"{{"reportDocumentId":"amzn1.tortuga.3.x","url":"https://e.invalid/?sig=1","compressionAlgorithm":"GZIP",
            "encryptionDetails":{{"standard":"AES","initializationVector":"{IV}","key":"{}"}}}}"#,
            KEY.replace('/', "\\/"),
        );
        let wrapped = format!("\u{feff}{{\"payload\":{bare}, \"marketplace\": \"Amazon.de\"}}");
        for (json, marketplace) in [(bare, None), (wrapped, Some("Amazon.de"))] {
            let sidecar = Sidecar::parse(json.as_bytes()).unwrap();
            assert_eq!(sidecar.document_id.as_deref(), Some("amzn1.tortuga.3.x"));
            assert_eq!(sidecar.compression.as_deref(), Some("GZIP"));
            assert_eq!(sidecar.marketplace.as_deref(), marketplace);
            let key = sidecar.document_key.as_ref().unwrap();
            assert_eq!((key.iv(), key.key()[0], key.key()[31]), (&IV_BYTES, 0xb3, 0xe7));
            let shown = format!("{sidecar:?}");
            assert!(!shown.contains("179") && !shown.contains("sxx"), "{shown}");
        }
    }

    #[test]
    fn our_own_members_alone_are_legal() {
        let json = r#"{"reportType":"GET_FLAT_FILE_ORDERS_DATA","marketplace":"Amazon.co.jp","charset":"Shift_JIS",
            "dataTime":"2026-03-07T14:17:45+09:00","sha256":"B94D27B9934D3E08A52E52D7DA7DABFAC484EFE37A5380EE9088F7ACE2EFCDE9"}"#;
        let sidecar = Sidecar::parse(json.as_bytes()).unwrap();
        assert!(sidecar.document_key.is_none());
        assert_eq!(sidecar.report_type.as_deref(), Some("GET_FLAT_FILE_ORDERS_DATA"));
        assert_eq!(sidecar.charset.as_deref(), Some("Shift_JIS"));
        assert_eq!(sidecar.data_time, Some("2026-03-07T05:17:45Z".parse().unwrap()));
        assert_eq!(sidecar.sha256.map(|sum| (sum[0], sum[31])), Some((0xb9, 0xe9)));
        assert!(Sidecar::parse(b"{}").unwrap().report_type.is_none());
    }

    #[test]
    fn iv_forms() {
        let spaced = "ed 2d ad 9f 7e b7 bf 4c 1f 09 fa 35 21 7d 90 d4";
        for iv in
            [IV, "7S2tn363v0wfCfo1IX2Q1A", spaced, &spaced.replace(' ', ""), &spaced.to_uppercase()]
        {
            assert_eq!(with(KEY, iv).unwrap().iv(), &IV_BYTES, "{iv}");
        }
    }

    #[test]
    fn spare_bits_are_ignored_as_java_does() {
        assert_eq!(
            with(&KEY.replace("c=", "f="), &IV.replace("A==", "B==")).unwrap().key(),
            with(KEY, IV).unwrap().key()
        );
        assert_eq!(with(KEY, &IV.replace("A==", "B==")).unwrap().iv(), &IV_BYTES);
    }

    #[test]
    fn wrong_lengths_and_texts_are_refused_by_member() {
        let short_iv = "58 fa bf a7 08 11 95 0f";
        for (key, iv, expected) in [
            ("Sample", IV, "encryptionDetails.key"),
            ("", IV, "encryptionDetails.key"),
            (IV, IV, "encryptionDetails.key"),
            (KEY, KEY, "encryptionDetails.initializationVector"),
            (KEY, short_iv, "encryptionDetails.initializationVector"),
            (KEY, "not base64!", "encryptionDetails.initializationVector"),
        ] {
            let error = with(key, iv).unwrap_err();
            assert!(
                matches!(error, SidecarError::Member { member, .. } if member == expected),
                "{error}"
            );
        }
        let des = r#"{"encryptionDetails":{"standard":"DES","initializationVector":"","key":""}}"#;
        assert!(matches!(
            Sidecar::parse(des.as_bytes()),
            Err(SidecarError::Member { expected: "AES", .. })
        ));
    }

    #[test]
    fn errors_never_show_values() {
        for json in [
            r#"{"encryptionDetails":{"key":12345}}"#,
            r#"{"encryptionDetails":"12345"#,
            "[12345]",
            r#"{"sha256":"12345"}"#,
        ] {
            let error = Sidecar::parse(json.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("12345"), "{error}");
        }
        let twice = r#"{"payload":{"charset":"a"},"charset":"b"}"#;
        assert_eq!(
            Sidecar::parse(twice.as_bytes()).unwrap_err(),
            SidecarError::Twice { member: "charset" }
        );
        let answer = r#"{"errors":[{"code":"Unauthorized"}]}"#;
        assert_eq!(Sidecar::parse(answer.as_bytes()).unwrap_err(), SidecarError::ErrorAnswer);
        assert_eq!(
            Sidecar::parse(&vec![b' '; MAX_SIDECAR_BYTES + 1]).unwrap_err(),
            SidecarError::TooLarge
        );
        let control = r#"{"marketplace":"Amazon.de\n<4>fake"}"#;
        assert!(matches!(
            Sidecar::parse(control.as_bytes()),
            Err(SidecarError::Member { member: "marketplace", .. })
        ));
    }
}
