//! What the fuzz targets call, one function each. Compiled for fuzzing and for our own tests only.
//!
//! Each takes any bytes and must not panic; what else it asserts stands with it. The targets under
//! `tests/fuzz/` are one line each; `tests/fuzz/README.md` says how they are run. Their corpora are
//! replayed here by every ordinary test run.

mod whole;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::LazyLock;

use crate::config::{Keys, Settings};
use crate::envelope::{self, DocumentKey, Keyring, Policy, Sidecar};

pub use crate::control::fuzz::control;
pub use crate::flatfile::fuzz::{lines, report};
pub use crate::store::fuzz::sealed;
pub use whole::whole;

/// The identity of the corpus. Opens nothing else.
const IDENTITY: &str = include_str!("../tests/fuzz/identity.txt");
/// Key and initialisation vector of its AES-CBC documents.
const DOCUMENT_KEY: [u8; 32] = [7; 32];
const DOCUMENT_IV: [u8; 16] = [9; 16];
/// More of an opened document is not read.
const MAX_PLAIN_BYTES: u64 = 4 * 1024 * 1024;

static KEYRING: LazyLock<Keyring> =
    LazyLock::new(|| Keyring::from_identities([IDENTITY]).unwrap_or_else(|_| Keyring::empty()));

/// Opens a document. The first byte: 1 plain text is taken, 2 AES-CBC is taken, 4 a sidecar with a
/// key is there, 8 the rest is sealed first and must come back, 16 the rest is a sidecar.
///
/// A reader that failed once must fail for ever, and one that ended must have ended.
pub fn envelope(data: &[u8]) {
    let Some((&flags, rest)) = data.split_first() else { return };
    if flags & 16 != 0 {
        // `Display` and code must not fail either.
        if let Err(error) = Sidecar::parse(rest) {
            assert!(!error.to_string().is_empty() && !error.code().is_empty());
        }
        return;
    }
    let policy = Policy {
        accept_plaintext: flags & 1 != 0,
        accept_aes_cbc: flags & 2 != 0,
        max_plain_bytes: MAX_PLAIN_BYTES,
        ..Policy::default()
    };
    if flags & 8 != 0 {
        return seal_and_open(rest, &policy, flags & 32 != 0);
    }
    let sidecar = (flags & 4 != 0).then(|| Sidecar {
        document_key: Some(DocumentKey::new(DOCUMENT_KEY, DOCUMENT_IV)),
        ..Sidecar::default()
    });
    let mut opened = match envelope::open(rest, sidecar.as_ref(), &KEYRING, &policy) {
        Ok(opened) => opened,
        Err(error) => {
            assert!(!error.code().is_empty() && !error.next_step().is_empty());
            return;
        }
    };
    let mut buffer = vec![0; 8192];
    let failed = loop {
        match opened.reader.read(&mut buffer) {
            Ok(0) => break false,
            Ok(_) => {}
            Err(error) => {
                assert!(!envelope::OpenError::from_io(error).code().is_empty());
                break true;
            }
        }
    };
    let again = opened.reader.read(&mut buffer);
    assert_eq!(again.is_err(), failed, "an end is an end, a failure stays");
    assert!(failed || matches!(again, Ok(0)), "nothing comes after the end");
}

/// What is sealed to us opens as what it was, unless it looks like an envelope itself.
fn seal_and_open(plain: &[u8], policy: &Policy, armored: bool) {
    let recipients = KEYRING.recipients();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let Ok(mut sealer) = envelope::seal(Vec::new(), &recipients, armored) else { return };
    let sealed = match sealer.write_all(plain).and_then(|()| sealer.finish()) {
        Ok(sealed) => sealed,
        Err(error) => unreachable!("writing to memory: {error}"),
    };
    let Ok(mut opened) = envelope::open(sealed.as_slice(), None, &KEYRING, policy) else { return };
    if opened.gzip {
        return;
    }
    let mut back = vec![0; plain.len()];
    let whole = opened.reader.read_exact(&mut back);
    assert!(whole.is_ok() && back == plain, "what was sealed is not what was opened");
    assert!(matches!(opened.reader.read(&mut [0]), Ok(0)), "and nothing more");
}

/// Reads `config.toml`, or with an odd first byte the keys file.
pub fn settings(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let path = Path::new("config.toml");
    let refused = if first & 1 == 1 {
        Keys::parse(path, text).err()
    } else {
        Settings::parse(path, text).err()
    };
    if let Some(error) = refused {
        assert!(!error.to_string().is_empty(), "a refusal says why");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target and its name.
    type Target = (&'static str, fn(&[u8]));

    const TARGETS: [Target; 7] = [
        ("envelope", envelope),
        ("lines", lines),
        ("report", report),
        ("sealed", sealed),
        ("control", control),
        ("settings", settings),
        ("whole", whole),
    ];

    /// The corpora that are kept, and crashes that were found and fixed (`crash-*`).
    #[test]
    fn the_corpora_replay() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
        for (name, target) in TARGETS {
            let mut seeds: Vec<_> = std::fs::read_dir(root.join(name))
                .unwrap_or_else(|error| panic!("the corpus of {name}: {error}"))
                .map(|entry| entry.unwrap().path())
                .collect();
            seeds.sort();
            assert!(seeds.len() >= 3, "{name}: a corpus of {}", seeds.len());
            for seed in seeds {
                let bytes = std::fs::read(&seed).unwrap();
                eprintln!("{}", seed.display());
                target(&bytes);
                // And what a cut or a flipped bit makes of it.
                for cut in [bytes.len() / 2, bytes.len().saturating_sub(1)] {
                    target(&bytes[..cut]);
                }
                let mut flipped = bytes;
                for at in (0..flipped.len()).step_by(flipped.len() / 8 + 1) {
                    flipped[at] ^= 1;
                    target(&flipped);
                }
            }
        }
    }
    /// `cargo test --lib fuzz::tests::the_corpora_are_written -- --ignored`
    #[test]
    #[ignore = "run by hand: writes the corpora anew"]
    fn the_corpora_are_written() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let vector = |name: &str| std::fs::read(root.join("tests/vectors").join(name)).unwrap();
        let put = |target: &str, name: &str, first: u8, bytes: &[u8]| {
            let dir = root.join("tests/fuzz/corpus").join(target);
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join(name), [&[first], bytes].concat()).unwrap();
        };
        let seal = |bytes: &[u8], armored| {
            let recipients = KEYRING.recipients();
            let mut sealer =
                envelope::seal(Vec::new(), &[recipients[0].as_str()], armored).unwrap();
            sealer.write_all(bytes).unwrap();
            sealer.finish().unwrap()
        };
        let zip = |bytes: &[u8]| {
            let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            zip.write_all(bytes).unwrap();
            zip.finish().unwrap()
        };
        let short = vector("all_orders_32.txt");
        put("envelope", "age", 0, &seal(&short[..200], false));
        put("envelope", "armored", 0, &seal(&short[..200], true));
        put("envelope", "age-gzip", 0, &seal(&zip(&short), false));
        put("envelope", "plain", 1, &short[..200]);
        put("envelope", "plain-gzip", 1, &zip(&short));
        put("envelope", "aes", 6, &aes(&short[..200]));
        put("envelope", "aes-gzip", 6, &aes(&zip(&short)));
        put("envelope", "to-seal", 8, &short[..200]);
        put("envelope", "to-armor", 40, &short[..200]);
        let sidecar = br#"{"reportDocumentId":"d1","compressionAlgorithm":"GZIP","encryptionDetails":{"standard":"AES",
            "initializationVector":"CQkJCQkJCQkJCQkJCQkJCQ==","key":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="},
            "marketplace":"Amazon.de","charset":"windows-1252","dataTime":"2026-03-07T14:17:45Z"}"#;
        put("envelope", "sidecar", 16, sidecar);
        for name in [
            "all_orders_32.txt",
            "all_orders_bad_rows.txt",
            "all_orders_jp_cp932.txt",
            "order_report_1252.txt",
            "order_report_48_invoicing.txt",
            "trio_unshipped.txt",
            "unshipped_27.txt",
        ] {
            put("report", name, u8::from(name.contains("1252")), &vector(name));
        }
        let mut shapes: Vec<_> = std::fs::read_dir(root.join("tests/vectors"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("case_"))
            .collect();
        shapes.sort();
        for name in &shapes {
            put("report", name, 0, &vector(name));
            put("whole", name, 0, &vector(name));
        }
        for (name, parts) in [
            ("trio", &["trio_all_orders.txt", "trio_unshipped.txt", "trio_order_report.txt"][..]),
            ("net", &["all_orders_29.txt"]),
            ("jp", &["all_orders_jp_cp932.txt"]),
            (
                "amounts",
                &["all_orders_91_crlf_trailing_space.txt", "order_report_48_invoicing.txt"],
            ),
        ] {
            let parts: Vec<_> = parts.iter().map(|name| vector(name)).collect();
            put("whole", name, 1, &parts.join(&b"\n\x1d\n"[..]));
        }
        put("lines", "lf", 0x21, b"a\tb\nc\td\n\ne");
        put("lines", "crlf", 0x02, b"\xef\xbb\xbfa\tb\r\nc\td\r\n");
        put("lines", "cr", 0x31, b"a\tb\rc\td\r");
        put("lines", "stray", 0x11, b"a\tb\nc\td\re\tf\ng\rh\n");
        put("lines", "quotes", 0xf1, &vector("order_report_29.txt")[..400]);
        for (which, text) in [
            (0, r#"{"account":"eu","code":"sku","key":"SKU-1"}"#),
            (0, r#"{"account":"eu","order_id":"205-1"}"#),
            (1, r#"{"account":"eu","code":"odoo-refused"}"#),
            (2, "account=eu&state=held&limit=7&after=0011223344"),
            (3, "account=eu&code=price"),
            (4, "limit=18446744073709551615"),
            (5, "account=eu&state=rejected&limit=3"),
            (6, "account=eu&name=a%20b.txt&dry_run=true"),
            (7, "eu/205-0000001-0000001"),
            (8, "eu/205-0000001-0000001"),
            (9, "na/205-0000001-0000001"),
            (10, "F0000000001"),
        ] {
            put("control", &format!("{which}-{}", text.len()), which, text.as_bytes());
        }
        put("settings", "example", 0, &std::fs::read(root.join("config.example.toml")).unwrap());
        let tiny = "[odoo]\nurl = \"https://odoo.example\"\ndatabase = \"d\"\nlogin = \"l\"\n\
                    [[account]]\nid = \"eu\"\nregion = \"EU\"\n";
        put("settings", "tiny", 0, tiny.as_bytes());
        put(
            "settings",
            "keys",
            1,
            b"[master]\nid = \"m1\"\nkey = \"AAAA\"\n[[account]]\nid = \"eu\"\n",
        );
        for (name, kind, bytes) in crate::store::fuzz::seeds() {
            put("sealed", name, kind, &bytes);
        }
    }

    fn aes(plain: &[u8]) -> Vec<u8> {
        use aes::cipher::{BlockEncryptMut as _, KeyIvInit as _, block_padding::Pkcs7};
        cbc::Encryptor::<aes::Aes256>::new(&DOCUMENT_KEY.into(), &DOCUMENT_IV.into())
            .encrypt_padded_vec_mut::<Pkcs7>(plain)
    }
}
