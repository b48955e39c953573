//! The age test vectors of C2SP (CCTV), against `envelope::open`.
//!
//! Every vector is read three ways (whole, byte by byte, and under a policy that takes plain files) with the same outcome. Where
//! the outcome is not the one the vector asks for, it stands in [`DEVIATIONS`] with its cause; the test fails when a deviation
//! disappears as well as when one appears.

#![cfg(test)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::PathBuf;

use odoo_spoold::envelope::{self, Format, Keyring, KeyringError, OpenError, Policy};
use sha2::{Digest, Sha256};

use crate::support::skip::skip;

/// An identity that fits no vector, for those that bring none we can hold.
const STRANGER: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

const PQ: &str = "needs an ML-KEM-768+X25519 identity, which the age crate lacks: refused by name";
const PASSPHRASE: &str =
    "a daemon has no passphrase: a lone scrypt stanza is refused by name before it is judged";
const LEGACY: &str =
    "the age crate takes stanzas of its own beta versions, without a short last line";

/// Vector, our outcome, cause.
const DEVIATIONS: &[(&str, &str, &str)] = &[
    ("armor_hybrid", "envelope-post-quantum", PQ),
    ("armor_scrypt", "envelope-passphrase", PASSPHRASE),
    ("hybrid", "envelope-post-quantum", PQ),
    ("hybrid_and_x25519", "envelope-post-quantum", PQ),
    ("hybrid_bad_tag", "envelope-post-quantum", PQ),
    ("hybrid_currupted_enc_mlkem", "envelope-post-quantum", PQ),
    ("hybrid_currupted_enc_x25519", "envelope-post-quantum", PQ),
    ("hybrid_extra_argument", "envelope-post-quantum", PQ),
    ("hybrid_grease", "envelope-post-quantum", PQ),
    ("hybrid_identity", "envelope-post-quantum", PQ),
    ("hybrid_long_file_key", "envelope-post-quantum", PQ),
    ("hybrid_long_share", "envelope-post-quantum", PQ),
    ("hybrid_low_order", "envelope-post-quantum", PQ),
    ("hybrid_multiple_recipients", "envelope-post-quantum", PQ),
    ("hybrid_no_match", "envelope-post-quantum", PQ),
    ("hybrid_not_canonical_enc", "envelope-post-quantum", PQ),
    ("hybrid_short_share", "envelope-post-quantum", PQ),
    ("scrypt", "envelope-passphrase", PASSPHRASE),
    ("scrypt_bad_tag", "envelope-passphrase", PASSPHRASE),
    ("scrypt_extra_argument", "envelope-passphrase", PASSPHRASE),
    ("scrypt_long_file_key", "envelope-passphrase", PASSPHRASE),
    ("scrypt_no_match", "envelope-passphrase", PASSPHRASE),
    ("scrypt_not_canonical_body", "envelope-passphrase", PASSPHRASE),
    ("scrypt_not_canonical_salt", "envelope-passphrase", PASSPHRASE),
    ("scrypt_salt_long", "envelope-passphrase", PASSPHRASE),
    ("scrypt_salt_missing", "envelope-passphrase", PASSPHRASE),
    ("scrypt_salt_short", "envelope-passphrase", PASSPHRASE),
    ("scrypt_work_factor_23", "envelope-passphrase", PASSPHRASE),
    ("scrypt_work_factor_hex", "envelope-passphrase", PASSPHRASE),
    ("scrypt_work_factor_leading_garbage", "envelope-passphrase", PASSPHRASE),
    ("scrypt_work_factor_leading_plus", "envelope-passphrase", PASSPHRASE),
    ("scrypt_work_factor_leading_zero_decimal", "envelope-passphrase", PASSPHRASE),
    ("scrypt_work_factor_leading_zero_octal", "envelope-passphrase", PASSPHRASE),
    ("scrypt_work_factor_missing", "envelope-passphrase", PASSPHRASE),
    ("scrypt_work_factor_negative", "envelope-passphrase", PASSPHRASE),
    ("scrypt_work_factor_overflow", "envelope-passphrase", PASSPHRASE),
    ("scrypt_work_factor_trailing_garbage", "envelope-passphrase", PASSPHRASE),
    ("scrypt_work_factor_wrong", "envelope-passphrase", PASSPHRASE),
    ("scrypt_work_factor_zero", "envelope-passphrase", PASSPHRASE),
    ("stanza_missing_body", "opened", LEGACY),
    ("stanza_missing_final_line", "opened", LEGACY),
];

/// What a vector asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expect {
    Success,
    NoMatch,
    HmacFailure,
    HeaderFailure,
    ArmorFailure,
    PayloadFailure,
}

struct Vector {
    expect: Expect,
    payload: Option<String>,
    identities: Vec<String>,
    armored: bool,
    file: Vec<u8>,
}

/// How far we came: the code of the failure or "opened", whether the envelope was accepted, and what was handed out.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    code: &'static str,
    opened: bool,
    released: String,
    format: Option<Format>,
}

#[test]
fn c2sp_vectors() {
    let Some(folder) = vectors() else {
        skip("envelope vectors: the folder ../shared is not there");
        return;
    };
    let mut wrong = Vec::new();
    let mut deviations: BTreeMap<&str, (&str, &str)> =
        DEVIATIONS.iter().map(|(name, code, cause)| (*name, (*code, *cause))).collect();
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names.len(), 143, "the vectors are incomplete");
    for path in &names {
        let name = path.file_name().unwrap().to_str().unwrap();
        let vector = Vector::parse(&fs::read(path).unwrap());
        let outcome = outcome(&vector);
        match (deviations.remove(name), vector.is_met_by(&outcome)) {
            (None, true) => {}
            (None, false) => {
                wrong.push(format!("{name}: asks for {:?}, got {outcome:?}", vector.expect));
            }
            (Some((_, cause)), true) => wrong.push(format!("{name}: no longer deviates ({cause})")),
            (Some((code, cause)), false) => {
                if code != outcome.code {
                    wrong.push(format!(
                        "{name}: should deviate as {code} ({cause}), got {outcome:?}"
                    ));
                }
            }
        }
    }
    wrong.extend(
        deviations.keys().map(|name| format!("{name}: in the table, but there is no such vector")),
    );
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), names.len(), wrong.join("\n"));
}

fn vectors() -> Option<PathBuf> {
    let shared = std::env::var_os("ODOO_SPOOLD_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let folder = shared.join("vectors/age/testdata");
    folder.is_dir().then_some(folder)
}

fn outcome(vector: &Vector) -> Outcome {
    let keyring = vector.keyring();
    let strict = Policy::default();
    let outcome = run(&vector.file[..], &keyring, &strict);
    assert_eq!(outcome, run(Tiny(&vector.file), &keyring, &strict), "byte by byte");
    // What is refused must not slip through as a plain file either.
    let lenient = run(&vector.file[..], &keyring, &Policy { accept_plaintext: true, ..strict });
    assert_eq!(outcome, lenient, "where plain files are taken");
    outcome
}

fn run(file: impl Read, keyring: &Keyring, policy: &Policy) -> Outcome {
    let mut released = Vec::new();
    let (opened, result, format) = match envelope::open(file, None, keyring, policy) {
        Ok(mut opened) => {
            let result = opened.reader.read_to_end(&mut released).map_err(OpenError::from_io);
            (true, result.map(drop), Some(opened.format))
        }
        Err(error) => (false, Err(error), None),
    };
    let code = result.map_or_else(|error| error.code(), |()| "opened");
    Outcome { code, opened, released: hex(&Sha256::digest(&released)), format }
}

struct Tiny<'a>(&'a [u8]);

impl Read for Tiny<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let room = out.len().min(1);
        self.0.read(&mut out[..room])
    }
}

impl Vector {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(2).position(|window| window == b"\n\n").unwrap();
        let body = &bytes[end + 2..];
        let mut vector = Self {
            expect: Expect::Success,
            payload: None,
            identities: Vec::new(),
            armored: false,
            file: body.to_vec(),
        };
        for line in std::str::from_utf8(&bytes[..end]).unwrap().lines() {
            match line.split_once(": ").unwrap() {
                ("expect", "success") => vector.expect = Expect::Success,
                ("expect", "no match") => vector.expect = Expect::NoMatch,
                ("expect", "HMAC failure") => vector.expect = Expect::HmacFailure,
                ("expect", "header failure") => vector.expect = Expect::HeaderFailure,
                ("expect", "armor failure") => vector.expect = Expect::ArmorFailure,
                ("expect", "payload failure") => vector.expect = Expect::PayloadFailure,
                ("payload", sum) => vector.payload = Some(sum.to_owned()),
                ("identity", identity) => vector.identities.push(identity.to_owned()),
                ("armored", "yes") => vector.armored = true,
                ("compressed", "zlib") => {
                    vector.file.clear();
                    flate2::read::ZlibDecoder::new(body).read_to_end(&mut vector.file).unwrap();
                }
                ("file key" | "passphrase" | "comment", _) => {}
                (key, value) => panic!("unknown header {key}: {value}"),
            }
        }
        vector
    }

    /// The vector's identities, as far as we can hold them; never an empty keyring.
    fn keyring(&self) -> Keyring {
        let supported = self.identities.iter().filter(|identity| {
            let parsed = Keyring::from_identities([identity.as_str()]);
            let post_quantum = identity.starts_with("AGE-SECRET-KEY-PQ-");
            assert_eq!(
                matches!(parsed, Err(KeyringError::PostQuantum { .. })),
                post_quantum,
                "{parsed:?}"
            );
            !post_quantum
        });
        Keyring::from_identities(supported.map(String::as_str).chain([STRANGER])).unwrap()
    }

    fn is_met_by(&self, outcome: &Outcome) -> bool {
        let nothing = hex(&Sha256::digest(b""));
        let released = outcome.released == *self.payload.as_ref().unwrap_or(&nothing);
        let format = if self.armored { Format::AgeArmored } else { Format::AgeBinary };
        released
            && outcome.format.is_none_or(|found| found == format)
            && match self.expect {
                Expect::Success => outcome.code == "opened",
                Expect::NoMatch => outcome.code == "envelope-no-identity",
                Expect::HmacFailure => outcome.code == "envelope-header-tampered",
                Expect::HeaderFailure => {
                    let codes = [
                        "envelope-header-invalid",
                        // Line ends in the header that a tool rewrote: said apart.
                        "envelope-re-encoded",
                        "envelope-unknown-version",
                        "envelope-truncated",
                        "envelope-empty",
                    ];
                    !outcome.opened && codes.contains(&outcome.code)
                }
                Expect::ArmorFailure => outcome.code == "envelope-armor-invalid",
                Expect::PayloadFailure => {
                    matches!(outcome.code, "envelope-tampered" | "envelope-truncated")
                }
            }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
