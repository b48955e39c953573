//! Behaviour across the layers: every fault of the crypto list, tiny reads, bounded read-ahead, properties.

use std::io::{self, Read, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use ::aes::Aes256;
use ::aes::cipher::block_padding::{NoPadding, Pkcs7};
use ::aes::cipher::{BlockEncryptMut, KeyIvInit};
use ::age::secrecy::ExposeSecret;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;

use super::buffered::BUFFER_BYTES;
use super::gzip::tests::gzip;
use super::*;

const KEY: &str = "sxx/wImF6BFndqSAz56O6vfiAh8iD9P297DHfFgujec=";
const IV: &str = "7S2tn363v0wfCfo1IX2Q1A==";
const REPORT: &[u8] = b"amazon-order-id\tsku\n111-1111111-1111111\tTEE-01\n";

/// One identity for all tests that do not ask for another.
static OURS: LazyLock<(Keyring, String)> = LazyLock::new(new_keyring);

fn new_keyring() -> (Keyring, String) {
    let (secret, recipient) = generate_identity();
    (Keyring::from_identities([secret.expose_secret()]).unwrap(), recipient)
}

fn sealed_to(recipients: &[&str], plain: &[u8], armored: bool) -> Vec<u8> {
    let mut sealer = seal(Vec::new(), recipients, armored).unwrap();
    sealer.write_all(plain).unwrap();
    sealer.finish().unwrap()
}

fn sealed(plain: &[u8]) -> Vec<u8> {
    sealed_to(&[&OURS.1], plain, false)
}

fn sidecar() -> Sidecar {
    let json = format!(
        r#"{{"encryptionDetails":{{"standard":"AES","initializationVector":"{IV}","key":"{KEY}"}}}}"#
    );
    Sidecar::parse(json.as_bytes()).unwrap()
}

fn encryptor() -> cbc::Encryptor<Aes256> {
    let sidecar = sidecar();
    let key = sidecar.document_key.as_ref().unwrap();
    cbc::Encryptor::new(key.key().into(), key.iv().into())
}

fn aes(plain: &[u8]) -> Vec<u8> {
    encryptor().encrypt_padded_vec_mut::<Pkcs7>(plain)
}

fn aes_raw(blocks: &[u8]) -> Vec<u8> {
    encryptor().encrypt_padded_vec_mut::<NoPadding>(blocks)
}

fn lenient() -> Policy {
    Policy { accept_plaintext: true, accept_aes_cbc: true, ..Policy::default() }
}

/// Opens with our keyring and reads to the end in pieces of `piece` bytes.
fn drained(
    reader: impl Read,
    sidecar: Option<&Sidecar>,
    policy: &Policy,
    piece: usize,
) -> Result<Vec<u8>, OpenError> {
    let mut opened = open(reader, sidecar, &OURS.0, policy)?;
    let mut plain = Vec::new();
    let mut buffer = vec![0; piece];
    loop {
        match opened.reader.read(&mut buffer).map_err(OpenError::from_io)? {
            0 => return Ok(plain),
            read => plain.extend_from_slice(&buffer[..read]),
        }
    }
}

fn read_all(file: &[u8], sidecar: Option<&Sidecar>, policy: &Policy) -> Result<Vec<u8>, OpenError> {
    drained(file, sidecar, policy, 4096)
}

fn code(file: &[u8], sidecar: Option<&Sidecar>, policy: &Policy) -> &'static str {
    read_all(file, sidecar, policy).map_or_else(|error| error.code(), |_| "opened")
}

/// One byte for each read.
struct Tiny<'a>(&'a [u8]);

impl Read for Tiny<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let room = out.len().min(1);
        self.0.read(&mut out[..room])
    }
}

// === what opens ===

#[test]
fn amazons_known_answer() {
    let file = BASE64_STANDARD.decode("PhYAp4h3yuTMPsMgWpaTzQ==").unwrap();
    let (keyring, sidecar) = (Keyring::empty(), sidecar());
    let mut opened = open(&file[..], Some(&sidecar), &keyring, &lenient()).unwrap();
    assert_eq!(
        (opened.format, opened.trust, opened.gzip),
        (Format::AesCbc, Trust::Unauthenticated, false)
    );
    let mut plain = String::new();
    opened.reader.read_to_string(&mut plain).unwrap();
    assert_eq!(plain, "Hello World!");
}

#[test]
fn every_envelope_with_and_without_gzip() {
    let sidecar = sidecar();
    let packed = gzip(REPORT);
    let armored = |plain: &[u8]| sealed_to(&[&OURS.1], plain, true);
    for (inside, gzipped) in [(REPORT, false), (&packed[..], true)] {
        for (file, key, format, trust) in [
            (sealed(inside), None, Format::AgeBinary, Trust::Authenticated),
            (armored(inside), None, Format::AgeArmored, Trust::Authenticated),
            (
                [b" \r\n\t".to_vec(), armored(inside), b"\r\n \n".to_vec()].concat(),
                None,
                Format::AgeArmored,
                Trust::Authenticated,
            ),
            (sealed(inside), Some(&sidecar), Format::AgeBinary, Trust::Authenticated),
            (aes(inside), Some(&sidecar), Format::AesCbc, Trust::Unauthenticated),
            (inside.to_vec(), None, Format::Plain, Trust::Plaintext),
        ] {
            let opened = open(&file[..], key, &OURS.0, &lenient()).unwrap();
            assert_eq!((opened.format, opened.trust, opened.gzip), (format, trust, gzipped));
            drop(opened);
            assert_eq!(read_all(&file, key, &lenient()).unwrap(), REPORT);
        }
    }
}

#[test]
fn own_vectors_of_every_interesting_size() {
    const CHUNK: usize = 64 * 1024;
    for size in [0, 1, 15, 16, 17, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
        let plain: Vec<u8> = (0..size).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
        for armored in [false, true] {
            let file = sealed_to(&[&OURS.1], &plain, armored);
            assert!(
                read_all(&file, None, &Policy::default()).unwrap() == plain,
                "age, {size} bytes, armored {armored}"
            );
        }
        assert!(
            read_all(&aes(&plain), Some(&sidecar()), &lenient()).unwrap() == plain,
            "aes, {size} bytes"
        );
    }
}

/// Files sealed once by this code and checked in: they must open for ever.
#[test]
fn files_of_yesterday_open() {
    const IDENTITY: &str =
        "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    let keyring = Keyring::from_identities([IDENTITY]).unwrap();
    for (file, expected) in [
        (&include_bytes!("testdata/report.age")[..], REPORT),
        (include_bytes!("testdata/report.gz.asc"), REPORT),
        (include_bytes!("testdata/two-recipients.age"), REPORT),
        (include_bytes!("testdata/empty.age"), b""),
    ] {
        let mut plain = Vec::new();
        open(file, None, &keyring, &Policy::default())
            .unwrap()
            .reader
            .read_to_end(&mut plain)
            .unwrap();
        assert_eq!(plain, expected);
    }
}

#[test]
fn tiny_reads_equal_big_reads() {
    let plain: Vec<u8> = (0..150_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes())
        .take(150_000)
        .collect();
    let packed = gzip(&plain);
    let key = sidecar();
    for (file, key) in [
        (sealed(&plain), None),
        (sealed_to(&[&OURS.1], &packed, true), None),
        (aes(&plain), Some(&key)),
        (aes(&packed), Some(&key)),
        (packed, None),
        (plain.clone(), None),
    ] {
        for piece in [1, 7, BUFFER_BYTES, BUFFER_BYTES + 1] {
            assert!(drained(&file[..], key, &lenient(), piece).unwrap() == plain, "{piece}");
        }
        assert!(drained(Tiny(&file), key, &lenient(), 1000).unwrap() == plain);
    }
}

// === refusals ===

#[test]
fn policy_decides() {
    let sidecar = sidecar();
    let strict = Policy::default();
    assert_eq!(code(b"", None, &lenient()), "envelope-empty");
    assert_eq!(code(REPORT, None, &strict), "envelope-plaintext-refused");
    assert_eq!(code(REPORT, Some(&Sidecar::default()), &strict), "envelope-plaintext-refused");
    assert_eq!(code(&aes(REPORT), Some(&sidecar), &strict), "envelope-aes-cbc-refused");
    let metadata_only = Sidecar { marketplace: Some("Amazon.de".to_owned()), ..Sidecar::default() };
    assert_eq!(code(&sealed(REPORT), Some(&metadata_only), &strict), "opened");
}

#[test]
fn wrong_key_then_the_right_one_arrives_and_two_are_valid() {
    let (theirs, their_recipient) = new_keyring();
    let (both, file) = (
        sealed_to(&[&OURS.1, &their_recipient], REPORT, false),
        sealed_to(&[&their_recipient], REPORT, false),
    );
    let OpenError::NoIdentity { tried, recipients } =
        open(&file[..], None, &OURS.0, &Policy::default()).unwrap_err()
    else {
        panic!("another error");
    };
    assert_eq!((tried, &recipients), (1, &vec![OURS.1.clone()]));
    let none = open(&file[..], None, &Keyring::empty(), &Policy::default()).unwrap_err();
    assert!(
        none.to_string().contains("no identity of this account opens the file (tried: 0)")
            && none.to_string().contains("(none)"),
        "{none}"
    );
    for (keyring, file) in [(&theirs, &file), (&theirs, &both), (&OURS.0, &both)] {
        assert!(open(&file[..], None, keyring, &Policy::default()).is_ok());
    }
}

#[test]
fn rotation_keeps_old_files_readable() {
    let (old, old_recipient) = generate_identity();
    let (new, new_recipient) = generate_identity();
    let keyring = Keyring::from_identities([new.expose_secret(), old.expose_secret()]).unwrap();
    for recipient in [old_recipient, new_recipient] {
        let file = sealed_to(&[&recipient], REPORT, false);
        assert!(open(&file[..], None, &keyring, &Policy::default()).is_ok());
    }
}

#[test]
fn kinds_of_recipient_are_refused_by_name() {
    let with = |stanza: &str| {
        format!(
            "age-encryption.org/v1\n-> {stanza}\n{}\n--- {}\n0123456789abcdef",
            "A".repeat(43),
            "A".repeat(43)
        )
    };
    for (stanza, expected, says) in [
        ("scrypt rF0/NwblUHHTpgQgRpe5CQ 10", "envelope-passphrase", "seal to a recipient"),
        ("mlkem768x25519 AAAA", "envelope-post-quantum", "mlkem768x25519"),
        ("tagpq AAAA BBBB", "envelope-post-quantum", "tagpq"),
        ("ssh-ed25519 AAAA BBBB", "envelope-other-recipient", "ssh-ed25519"),
        ("unheard-of", "envelope-no-identity", &OURS.1),
    ] {
        let error = read_all(with(stanza).as_bytes(), None, &Policy::default()).unwrap_err();
        assert_eq!(error.code(), expected);
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn sealed_or_packed_twice() {
    let armored = sealed_to(&[&OURS.1], REPORT, true);
    for inner in [sealed(REPORT), armored.clone(), gzip(&sealed(REPORT)), gzip(&armored)] {
        assert_eq!(code(&sealed(&inner), None, &lenient()), "envelope-sealed-twice");
        assert_eq!(
            code(&aes(&inner), Some(&sidecar()), &lenient()),
            "envelope-unauthenticated-failure"
        );
    }
    assert_eq!(code(&sealed(&gzip(&gzip(REPORT))), None, &lenient()), "envelope-gzip-nested");
    assert_eq!(code(&gzip(&sealed(REPORT)), None, &lenient()), "envelope-gzip-outside");
}

#[test]
fn every_aes_failure_is_the_same() {
    let key = sidecar();
    let whole = aes(&REPORT.repeat(3000));
    let mut flipped = aes(&gzip(REPORT));
    flipped[20] ^= 1;
    let mut padding_17 = [b'x'; 32];
    padding_17[15..].fill(17);
    let wrong_key =
        Sidecar { document_key: Some(DocumentKey::new([7; 32], [0; 16])), ..Sidecar::default() };
    let tight = Policy { max_plain_bytes: 10, ..lenient() };
    let cases: [(&str, &[u8], &Sidecar, &Policy); 11] = [
        ("not a multiple of 16", &whole[..whole.len() - 1], &key, &lenient()),
        ("last block missing", &whole[..whole.len() - 16], &key, &lenient()),
        ("a single byte", &whole[..1], &key, &lenient()),
        ("padding 0", &aes_raw(&[0; 32]), &key, &lenient()),
        ("padding 17", &aes_raw(&padding_17), &key, &lenient()),
        ("bit flip in gzip", &flipped, &key, &lenient()),
        ("gzip cut off", &aes(&gzip(REPORT)[..20]), &key, &lenient()),
        ("gzip bomb", &aes(&gzip(&vec![0; 4 * 1024 * 1024])), &key, &lenient()),
        ("gzip around the ciphertext", &gzip(&whole), &key, &lenient()),
        ("too large", &whole, &key, &tight),
        ("wrong key", &whole, &wrong_key, &lenient()),
    ];
    let expected = OpenError::unauthenticated_failure();
    for (what, file, key, policy) in cases {
        let error = read_all(file, Some(key), policy).unwrap_err();
        assert_eq!(
            (error.code(), error.to_string(), error.next_step()),
            (expected.code(), expected.to_string(), expected.next_step()),
            "{what}"
        );
    }
}

#[test]
fn total_size_is_capped_to_the_byte() {
    let policy = Policy { max_plain_bytes: 100_000, ..lenient() };
    for (size, expected) in [(100_000, "opened"), (100_001, "envelope-too-large")] {
        let plain: Vec<u8> = (0..size).map(|n: u32| n.to_le_bytes()[0]).collect();
        for file in [sealed(&plain), sealed(&gzip(&plain)), plain.clone()] {
            assert_eq!(code(&file, None, &policy), expected, "{size}");
        }
    }
}

#[test]
fn case_r21_windows_tools_get_the_right_advice() {
    let (binary, armored) = (sealed(REPORT), sealed_to(&[&OURS.1], REPORT, true));
    let wide = |bytes: &[u8]| {
        let text: String = bytes.iter().map(|&b| char::from(b)).collect();
        let units: Vec<u8> =
            text.replace('\n', "\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
        [&[0xFF, 0xFE][..], &units].concat()
    };
    let crlf: Vec<u8> = binary
        .iter()
        .flat_map(|&b| if b == b'\n' { vec![b'\r', b'\n'] } else { vec![b] })
        .collect();
    for policy in [Policy::default(), lenient()] {
        for (what, bytes) in [("a", wide(&binary)), ("b", wide(&armored)), ("e", crlf.clone())] {
            let error = open(&bytes[..], None, &OURS.0, &policy).unwrap_err();
            assert_eq!(error.code(), "envelope-re-encoded", "{what}");
            assert!(error.next_step().contains("age -o"));
        }
        let lines =
            |end: &str| String::from_utf8(armored.clone()).unwrap().replace('\n', end).into_bytes();
        for (what, bytes) in [
            ("c", [&b"\xEF\xBB\xBF"[..], &armored].concat()),
            ("d", lines("\r\n")),
            ("f", [&armored[..], b"  \r\n\r\n"].concat()),
        ] {
            let mut plain = Vec::new();
            let mut opened = open(&bytes[..], None, &OURS.0, &policy).unwrap();
            opened.reader.read_to_end(&mut plain).unwrap();
            assert_eq!(plain, REPORT, "{what}");
        }
    }
}

#[test]
fn a_bomb_inside_a_seal_is_refused() {
    assert_eq!(
        code(&sealed(&gzip(&vec![0; 8 * 1024 * 1024])), None, &Policy::default()),
        "envelope-gzip-ratio"
    );
}

#[test]
fn a_failure_stays_and_nothing_follows_it() {
    let mut file = sealed(&vec![7; 200_000]);
    let at = file.len() - 1;
    file[at] ^= 1;
    let mut opened = open(&file[..], None, &OURS.0, &Policy::default()).unwrap();
    let mut plain = Vec::new();
    assert!(opened.reader.read_to_end(&mut plain).is_err());
    assert_eq!(plain.len(), 3 * 64 * 1024);
    for _ in 0..3 {
        let error = opened.reader.read(&mut [0; 10]).unwrap_err();
        assert_eq!(OpenError::from_io(error).code(), "envelope-tampered");
    }
}

#[test]
fn a_failing_disk_is_not_taken_for_tampering() {
    struct BadSector;
    impl Read for BadSector {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::NetworkDown.into())
        }
    }
    let key = sidecar();
    let armored = sealed_to(&[&OURS.1], &vec![7; 200_000], true);
    let packed = sealed(&gzip(
        &(0..90_000_u32)
            .flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes())
            .collect::<Vec<u8>>(),
    ));
    for (file, key) in [
        (&sealed(&vec![7; 200_000]), None),
        (&armored, None),
        (&packed, None),
        (&aes(&vec![7; 200_000]), Some(&key)),
    ] {
        for length in [0, 10, 100, 150_000] {
            let error =
                drained((&file[..length]).chain(BadSector), key, &lenient(), 4096).unwrap_err();
            assert_eq!(error.code(), "envelope-io", "after {length} bytes: {error}");
        }
    }
}

// === constant memory ===

/// Counts what is taken, so that it can be compared with what was given.
struct Counting<'a, R>(R, &'a AtomicU64);

impl<R: Read> Read for Counting<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(out)?;
        self.1.fetch_add(u64::try_from(read).unwrap(), Ordering::Relaxed);
        Ok(read)
    }
}

/// Reads to the end in 8 KiB; the source must never be further ahead than a few buffers.
fn assert_bounded(
    file: impl Read,
    key: Option<&Sidecar>,
    size: u64,
    in_per_out: impl Fn(u64) -> u64,
) {
    let taken = AtomicU64::new(0);
    let mut opened = open(Counting(file, &taken), key, &OURS.0, &lenient()).unwrap();
    let mut buffer = [0; 8192];
    let mut given = 0;
    loop {
        let read = opened.reader.read(&mut buffer).unwrap();
        given += u64::try_from(read).unwrap();
        let ahead = taken.load(Ordering::Relaxed).saturating_sub(in_per_out(given));
        assert!(ahead < 512 * 1024, "{ahead} bytes ahead after {given}");
        if read == 0 {
            break;
        }
    }
    assert_eq!(given, size);
}

#[test]
fn memory_stays_constant_over_64_mib() {
    const SIZE: u64 = 64 * 1024 * 1024;
    let zeros = |size: u64| io::repeat(0).take(size);
    let seal_zeros = |armored| {
        let mut sealer = seal(Vec::new(), &[&OURS.1], armored).unwrap();
        io::copy(&mut zeros(SIZE), &mut sealer).unwrap();
        sealer.finish().unwrap()
    };
    assert_bounded(&seal_zeros(false)[..], None, SIZE, |given| given);
    assert_bounded(&seal_zeros(true)[..], None, SIZE, |given| given * 4 / 3 + given / 40);
    assert_bounded(zeros(SIZE), None, SIZE, |given| given);

    let mut blocks = vec![0; usize::try_from(SIZE).unwrap()];
    blocks.extend([16; 16]);
    assert_bounded(&aes_raw(&blocks)[..], Some(&sidecar()), SIZE, |given| given);
}

#[test]
fn a_line_or_header_without_end_is_given_up_early() {
    for (start, filler, expected) in [
        (&b"-----BEGIN AGE ENCRYPTED FILE-----\n"[..], b'A', "envelope-armor-invalid"),
        (b"age-encryption.org/v1\n-> X25519 ", b'A', "envelope-header-too-large"),
        (b"age-encryption.org/v1\n-> X25519 AAAA", b'\n', "envelope-header-too-large"),
    ] {
        let taken = AtomicU64::new(0);
        let file = Counting(start.chain(io::repeat(filler).take(32 * 1024 * 1024)), &taken);
        let error = open(file, None, &OURS.0, &lenient()).unwrap_err();
        assert_eq!(error.code(), expected);
        assert!(
            taken.load(Ordering::Relaxed) < 512 * 1024,
            "{expected} only after {taken:?} bytes"
        );
    }
}

// === properties ===

/// A small file of both forms, so that every byte can be touched.
static SMALL: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
    [sealed(REPORT), sealed_to(&[&OURS.1], REPORT, true), sealed(&gzip(&REPORT.repeat(2000)))]
});

/// Two chunks and a bit.
static LARGE: LazyLock<Vec<u8>> = LazyLock::new(|| sealed(&vec![b'x'; 2 * 64 * 1024 + 100]));

#[test]
fn no_truncation_of_a_small_file_opens() {
    for file in &*SMALL {
        // The armor's last line end may be missing.
        let whole = file.trim_ascii_end().len();
        for length in 0..whole {
            let code = code(&file[..length], None, &lenient());
            assert_ne!(code, "opened", "cut off at {length} of {whole}");
        }
    }
}

/// Exhaustive where the properties below sample: a bit, LF to CR, and a byte that is no ASCII.
#[test]
fn no_byte_of_a_small_file_can_be_changed() {
    for (which, file) in SMALL.iter().take(2).enumerate() {
        for (at, change) in
            (0..file.len()).flat_map(|at| [1, b'\n' ^ b'\r', 0x80].map(|change| (at, change)))
        {
            let mut file = file.clone();
            file[at] ^= change;
            let white_space_at_the_end = which == 1 && at == file.len() - 1;
            let code = code(&file, None, &lenient());
            assert!(
                code != "opened" || white_space_at_the_end,
                "byte {at} ^ {change} of {}",
                file.len()
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_changed_byte_opens(which in 0..3_usize, at in any::<prop::sample::Index>(), change in 1..=255_u8) {
        let mut file = SMALL[which].clone();
        let at = at.index(file.len());
        file[at] ^= change;
        // White space around armor means nothing and changes nothing; all else must fail.
        match read_all(&file, None, &lenient()) {
            Ok(plain) => prop_assert!(which == 1 && at == file.len() - 1 && plain == REPORT, "byte {} ^ {}", at, change),
            Err(error) => prop_assert!(error.code() != "envelope-io"),
        }
    }

    #[test]
    fn no_insertion_or_addition_opens(which in 0..3_usize, at in any::<prop::sample::Index>(), byte in any::<u8>(), extra in 1..40_usize) {
        let mut file = SMALL[which].clone();
        let at = at.index(file.len() + 1);
        file.splice(at..at, vec![byte; extra]);
        // Armor takes white space around it, and CR before LF.
        let plain = read_all(&file, None, &lenient());
        let harmless = which == 1 && byte.is_ascii_whitespace() && plain.as_ref().is_ok_and(|plain| plain == REPORT);
        prop_assert!(plain.is_err() || harmless, "{} x {} at {}", extra, byte, at);
    }

    #[test]
    fn arbitrary_bytes_behind_a_marker_never_open_nor_panic(tail in proptest::collection::vec(any::<u8>(), 0..2000), armored in any::<bool>()) {
        let mut file: Vec<u8> = if armored { b"-----BEGIN AGE ENCRYPTED FILE-----\n".to_vec() } else { b"age-encryption.org/v1\n-> X25519 ".to_vec() };
        file.extend(tail);
        prop_assert!(read_all(&file, None, &lenient()).is_err());
    }

    #[test]
    fn arbitrary_aes_documents_fail_alike_or_open(file in proptest::collection::vec(any::<u8>(), 1..300)) {
        if let Err(error) = read_all(&file, Some(&sidecar()), &lenient()) {
            prop_assert_eq!(error.code(), "envelope-unauthenticated-failure");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_truncation_or_change_of_a_large_file_opens(at in any::<prop::sample::Index>(), change in 1..=255_u8) {
        let at = at.index(LARGE.len());
        prop_assert!(read_all(&LARGE[..at], None, &lenient()).is_err(), "cut off at {}", at);
        let mut file = LARGE.clone();
        file[at] ^= change;
        prop_assert!(read_all(&file, None, &lenient()).is_err(), "byte {} ^ {}", at, change);
    }
}
