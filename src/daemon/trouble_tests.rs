//! One file, one order in trouble: it ends or waits, and everything else goes on. What is refused lies
//! sealed in `rejected/`; what the sidecar said stays known.

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use super::intake::{Intake, IntakeAccount};
use super::left::Left;
use super::mouth::Mouth;
use super::mouth_tests::{HEADER, drop_sealed, report, wait};
use super::room::Room;
use super::sealing;
use crate::clock::Manual;
use crate::envelope::{self, Keyring, Policy};
use crate::model::{AccountId, DocumentInfo, FileId, FileRecord, FileState};
use crate::spool::{Claim, Recovered, Scanner, SpoolDirs, claim, recover_file};
use crate::store::{Secret, Store, StoreKeys, StoreOptions};

const BUYER: &[u8] = b"Erika";

struct Rig {
    _dir: tempfile::TempDir,
    dirs: SpoolDirs,
    intake: Intake,
    account: IntakeAccount,
    recipient: String,
    identity: String,
}

impl Rig {
    fn new(policy: Policy) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let spool = dir.path().join("spool");
        fs::create_dir(&spool).unwrap();
        let dirs = SpoolDirs::new(&spool, "eu");
        dirs.prepare().unwrap();
        let id: AccountId = "eu".parse().unwrap();
        let secret = |byte: u8| Secret::new(Box::new([byte; 32]));
        let keys = StoreKeys::new("m1", secret(1)).unwrap().with_account(id.clone(), secret(2));
        let store = Store::open(&dir.path().join("state"), &keys, StoreOptions::default()).unwrap();
        let (identity, recipient) = envelope::generate_identity();
        let identity = identity.expose_secret().to_owned();
        Self {
            _dir: dir,
            dirs,
            intake: Intake {
                store: Arc::new(store),
                clock: Arc::new(Manual::new("2026-01-05T10:00:00Z".parse().unwrap())),
                courtesy: Arc::default(),
                stop: CancellationToken::new(),
            },
            account: IntakeAccount {
                id,
                keyring: Arc::new(Keyring::from_identities([identity.as_str()]).unwrap()),
                policy,
                max_file_bytes: 1 << 30,
                import_from: Timestamp::UNIX_EPOCH,
            },
            recipient,
            identity,
        }
    }

    fn claim(&self, document: &[u8], sidecar: Option<&str>) -> Claim {
        fs::write(self.dirs.incoming.join("f.txt"), document).unwrap();
        if let Some(sidecar) = sidecar {
            fs::write(self.dirs.incoming.join("f.txt.json"), sidecar).unwrap();
        }
        let look = Scanner::new(self.dirs.clone(), Duration::ZERO).scan(Instant::now()).unwrap();
        let [candidate] = look.ready.as_slice() else { panic!("{look:?}") };
        assert_eq!(candidate.sidecar.is_some(), sidecar.is_some());
        claim(&self.dirs, candidate, FileId::random(), "2026-01-05T10:00:00Z").unwrap()
    }

    fn take(&self, document: &[u8], sidecar: Option<&str>) -> FileRecord {
        let claim = self.claim(document, sidecar);
        self.intake.take(&self.account, claim, &|| (), &|| ()).unwrap()
    }

    fn seal(&self, plain: &[u8]) -> Vec<u8> {
        let mut sealer = envelope::seal(Vec::new(), &[&self.recipient], false).unwrap();
        sealer.write_all(plain).unwrap();
        sealer.finish().unwrap()
    }

    /// What lies in `rejected/`, opened with the account's identity.
    fn rejected(&self) -> Vec<u8> {
        let mut documents = fs::read_dir(&self.dirs.rejected).unwrap().map(|e| e.unwrap().path());
        let document = documents
            .find(|path| path.extension().is_none_or(|extension| extension != "json"))
            .unwrap();
        let keyring = Keyring::from_identities([self.identity.as_str()]).unwrap();
        let opened = envelope::open(
            fs::File::open(document).unwrap(),
            None,
            &keyring,
            &Policy { max_gzip_ratio: u32::MAX, ..Policy::default() },
        );
        let mut content = Vec::new();
        match opened {
            // A content that is damaged inside was sealed as it came: that it is age is proven.
            Ok(mut opened) => drop(opened.reader.read_to_end(&mut content)),
            Err(error) => {
                let inside = ["envelope-gzip", "envelope-sealed-twice"];
                assert!(inside.iter().any(|code| error.code().starts_with(code)), "{error}");
                content.extend_from_slice(error.code().as_bytes());
            }
        }
        content
    }

    fn mouth(&self, left: &Arc<Left>) -> Arc<Mouth> {
        Arc::new(Mouth {
            intake: self.intake.clone(),
            account: Arc::new(RwLock::new(Arc::new(self.account.clone()))),
            dirs: self.dirs.clone(),
            settle: Duration::from_millis(10),
            poll: Duration::from_millis(50),
            wake: Arc::new(|| ()),
            first_wait: Duration::from_millis(20),
            left: Arc::clone(left),
            expected: Arc::default(),
            room: Arc::new(Room::endless()),
        })
    }
}

fn plain() -> Policy {
    Policy { accept_plaintext: true, ..Policy::default() }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(plain).unwrap();
    zip.finish().unwrap()
}

/// What is dropped, its document and sidecar, the account's policy, and the code of the refusal.
type Case<'a> = (&'a str, &'a [u8], Option<&'a str>, Policy, &'a str);

/// Nothing below `dir` has these bytes in clear.
fn assert_sealed(dir: &Path, what: &str) {
    for entry in fs::read_dir(dir).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(memchr::memmem::find(&bytes, BUYER).is_none(), "{what}: clear text");
    }
}

#[test]
fn audit_17_nothing_lies_in_rejected_in_clear_however_it_was_refused() {
    let text = format!("{}{}", report(0..3), "Erika Mustermann\n");
    let text = text.as_bytes();
    let sum = format!("{{\"sha256\":\"{}\"}}", "00".repeat(32));
    let aes = r#"{"encryptionDetails":{"standard":"AES","initializationVector":"7S2tn363v0wfCfo1IX2Q1A==","key":"sxx/wImF6BFndqSAz56O6vfiAh8iD9P297DHfFgujec="}}"#;
    let packed = gzip(text);
    let stored = {
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        zip.write_all(text).unwrap();
        zip.finish().unwrap()
    };
    let header = b"age-encryption.org/v1\nErika Mustermann, in clear".to_vec();
    let cases: [Case<'_>; 9] = [
        ("another checksum", text, Some(&sum), plain(), "sidecar-checksum"),
        ("a broken sidecar", text, Some("{\"sha256\":"), plain(), "sidecar-json"),
        ("not accepted", text, None, Policy::default(), "envelope-plaintext-refused"),
        ("no known header", b"Erika\tMustermann\n1\t2\n", None, plain(), "header-unknown"),
        (
            "gzip that is cut off",
            &stored[..stored.len() - 4],
            None,
            plain(),
            "envelope-gzip-truncated",
        ),
        (
            "gzip with more behind",
            &[packed.as_slice(), BUYER].concat(),
            None,
            plain(),
            "envelope-gzip-trailing",
        ),
        ("only its first line is age", &header, None, plain(), "envelope-header-invalid"),
        ("AES that is not accepted", text, Some(aes), plain(), "envelope-aes-cbc-refused"),
        (
            "AES whose key is another",
            text,
            Some(aes),
            Policy { accept_aes_cbc: true, ..plain() },
            "envelope-unauthenticated-failure",
        ),
    ];
    for (what, document, sidecar, policy, code) in cases {
        let rig = Rig::new(policy);
        let record = rig.take(document, sidecar);
        assert_eq!(
            record.refusal.as_ref().map(|refusal| refusal.code.as_str()),
            Some(code),
            "{what}"
        );
        assert_sealed(&rig.dirs.rejected, what);
        assert!(!rig.rejected().is_empty(), "{what}");
        let refusal = record.refusal.unwrap();
        if code.starts_with("sidecar") {
            assert!(refusal.next_step.contains("from Amazon again"), "{}", refusal.next_step);
        }
    }
    // And one that is larger than the account takes by now.
    let mut rig = Rig::new(plain());
    let claim = rig.claim(text, None);
    rig.account.max_file_bytes = 10;
    let record = rig.intake.take(&rig.account, claim, &|| (), &|| ()).unwrap();
    assert_eq!(record.refusal.unwrap().code, "file-too-large");
    assert_sealed(&rig.dirs.rejected, "too large");
    assert_eq!(rig.rejected(), text, "and it is whole");
    // What was sealed stays as it came.
    let rig = Rig::new(Policy::default());
    let sealed = rig.seal(b"Erika\tis no header\n");
    assert_eq!(rig.take(&sealed, None).state, FileState::Rejected);
    assert_eq!(rig.rejected(), b"Erika\tis no header\n");
}

#[test]
fn audit_38_how_it_was_dropped_is_known_after_a_crash_behind_the_sealing() {
    let rig = Rig::new(plain());
    let mut claim = rig.claim(report(0..1).as_bytes(), Some("{\"charset\":\"UTF-8\"}"));
    let id = claim.id.clone();
    let described = DocumentInfo { charset: Some("UTF-8".into()), ..DocumentInfo::default() };
    claim.note(sealing::notes(&described, envelope::Format::Plain)).unwrap();
    sealing::seal(&rig.account, &mut claim, None, &rig.account.policy, &|| ()).unwrap();
    drop(claim);
    let mut found = recover_file(&rig.dirs, &id, &|| ());
    let Some(Recovered::Claimed(claim)) = found.pop() else { panic!("{found:?}") };
    let record = rig.intake.take(&rig.account, *claim, &|| (), &|| ()).unwrap();
    assert_eq!((record.state, record.envelope.as_str()), (FileState::Done, "plain"));
    assert_eq!(record.described, described);
}

#[test]
fn house_7_what_a_sidecar_says_is_kept_and_held_against_the_header() {
    let rig = Rig::new(Policy::default());
    let sealed = rig.seal(report(0..1).as_bytes());
    let sidecar = |report_type: &str| {
        format!(
            r#"{{"reportType":"{report_type}","reportDocumentId":"amzn1.spdoc.1","compressionAlgorithm":"GZIP",
            "dataTime":"2026-01-04T00:00:00Z","marketplace":"Amazon.de"}}"#
        )
    };
    let right = sidecar("GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL");
    let record = rig.take(&sealed, Some(&right));
    assert_eq!(record.state, FileState::Done, "{:?}", record.refusal);
    let stored = rig.intake.store.file(&record.id).unwrap().unwrap();
    assert_eq!(stored.described.document_id.as_deref(), Some("amzn1.spdoc.1"));
    assert_eq!(stored.described.compression.as_deref(), Some("GZIP"));
    assert_eq!(stored.described.data_time, Some("2026-01-04T00:00:00Z".parse().unwrap()));
    let mut result = fs::read_dir(&rig.dirs.done).unwrap().map(|e| e.unwrap().path());
    let result = result.find(|path| path.extension().is_some_and(|e| e == "json")).unwrap();
    assert!(fs::read_to_string(result).unwrap().contains("amzn1.spdoc.1"));

    let wrong = sidecar("GET_FLAT_FILE_ORDERS_DATA");
    let record = rig.take(&sealed, Some(&wrong));
    let refusal = record.refusal.unwrap();
    assert_eq!(refusal.code, "sidecar-report-type");
    assert!(
        refusal.sentence.contains("GET_FLAT_FILE_ORDERS_DATA")
            && refusal.sentence.contains("all-orders"),
        "{}",
        refusal.sentence
    );
    // A name that is not known says nothing.
    let record = rig.take(&sealed, Some(&sidecar("GET_SOMETHING_NEW")));
    assert_eq!(record.state, FileState::Done);
}

#[test]
fn audit_06_an_order_that_is_larger_than_a_record_is_refused_alone() {
    let rig = Rig::new(Policy::default());
    let title = "x".repeat(8_000);
    let mut text = report(7..8);
    for _ in 0..2_400 {
        writeln!(
            text,
            "303-0000000-0000001\t\t2026-01-01T10:00:00+00:00\t2026-01-01T10:00:00+00:00\tUnshipped\tMerchant\t\
             Amazon.de\tWebsiteOrderChannel\t\tStandard\t{title}\t\
             SKU-0001\tB07TCQB001\tUnshipped\t1\tEUR\t11.90\t1.90\t\t\t\t\t\t\tBERLIN\t\t10115\tDE\t"
        )
        .unwrap();
    }
    let document = rig.seal(&gzip(text.as_bytes()));
    assert!(document.len() < 1024 * 1024, "a small file");
    let record = rig.take(&document, None);
    assert_eq!(record.state, FileState::Done);
    assert!(record.counts.refused >= 1, "{:?}", record.counts);
    assert!(
        record.faults.iter().any(|fault| fault.code == "row-order-large"),
        "{:?}",
        record.faults.first()
    );
    let counts = rig.intake.store.counts()[&rig.account.id].clone();
    assert_eq!((counts.pending, counts.total()), (1, 2), "the other order is due, this one held");
    assert!(rig.intake.store.verify().unwrap().is_empty());
}

#[test]
fn audit_06_a_file_that_cannot_be_read_for_now_waits_and_others_go_on() {
    let rig = Rig::new(Policy::default());
    let claim = rig.claim(&rig.seal(report(0..1).as_bytes()), None);
    let (id, path) = (claim.id.clone(), claim.path.clone());
    drop(claim);
    // Our copy cannot be read: something else stands there.
    let kept = rig.dirs.root.join("kept");
    fs::rename(&path, &kept).unwrap();
    fs::create_dir(&path).unwrap();
    let left = Arc::new(Left::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let stop = CancellationToken::new();
    let running = runtime.spawn(rig.mouth(&left).run(stop.clone(), || ()));
    wait("the file to wait", || left.waiting() == 1);
    drop_sealed(&rig.dirs.incoming, &rig.recipient, "good.age", &report(1..2));
    let ended = || fs::read_dir(&rig.dirs.done).unwrap().count();
    wait("the good file", || ended() == 2);
    let said = left.sentences(rig.intake.clock.now());
    assert!(
        said.iter().any(|said| {
            said.in_work && said.text.contains(id.as_str()) && said.text.contains("again in")
        }),
        "{said:?}"
    );
    // And it goes on by itself once it can be read.
    fs::remove_dir(&path).unwrap();
    fs::rename(&kept, &path).unwrap();
    wait("the file that waited", || ended() == 4);
    wait("the list to forget it", || left.waiting() == 0);
    stop.cancel();
    runtime.block_on(running).unwrap().unwrap();
}

#[test]
fn audit_45_a_work_folder_that_refuses_is_left_alone_after_a_few_tries() {
    let rig = Rig::new(Policy::default());
    for number in 0..20 {
        drop_sealed(&rig.dirs.incoming, &rig.recipient, &format!("orders{number}.age"), "x");
    }
    // Every claim.json fails, with something else than a full disk.
    fs::remove_dir(&rig.dirs.work).unwrap();
    fs::write(&rig.dirs.work, b"").unwrap();
    let left = Arc::new(Left::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let stop = CancellationToken::new();
    let running = runtime.spawn(rig.mouth(&left).run(stop.clone(), || ()));
    let tried = || left.left_in_incoming();
    wait("the first claims", || tried() >= 3);
    // The turn is over: nothing more happens for ten seconds.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(tried(), 3);
    stop.cancel();
    runtime.block_on(running).unwrap().unwrap();
}

#[test]
fn audit_04_both_passes_show_signs_of_life_in_a_small_file_that_unpacks_to_much() {
    let rig = Rig::new(Policy { max_gzip_ratio: u32::MAX, ..Policy::default() });
    let mut text = HEADER.to_owned();
    text.push_str(&"\n".repeat(8 << 20));
    text.push_str(report(0..1).strip_prefix(HEADER).unwrap());
    let document = rig.seal(&gzip(text.as_bytes()));
    assert!(document.len() < 1024 * 1024);
    let beats = Cell::new(0_u32);
    let claim = rig.claim(&document, None);
    let beat = || beats.set(beats.get() + 1);
    let record = rig.intake.take(&rig.account, claim, &|| (), &beat).unwrap();
    assert_eq!(record.state, FileState::Done, "{:?}", record.refusal);
    assert!(beats.get() > 20, "{} beats", beats.get());
}

#[test]
fn a_panic_over_one_file_refuses_it_and_the_next_one_is_taken() {
    let rig = Rig::new(Policy::default());
    let claim = rig.claim(&rig.seal(report(0..1).as_bytes()), None);
    let record =
        rig.intake.take(&rig.account, claim, &|| panic!("as a fault would"), &|| ()).unwrap();
    assert_eq!(record.refusal.unwrap().code, "file-panic");
    assert_eq!(rig.take(&rig.seal(report(1..2).as_bytes()), None).state, FileState::Done);
}

#[test]
fn audit_08_the_limit_of_a_sidecar_is_the_same_in_both_rooms() {
    assert_eq!(
        usize::try_from(crate::spool::MAX_SIDECAR_BYTES).unwrap(),
        envelope::MAX_SIDECAR_BYTES
    );
}

/// A copy that is another one at every reading is no trouble that passes.
#[test]
fn a_copy_that_changes_at_every_reading_is_refused_in_the_end() {
    let rig = Rig::new(Policy::default());
    let claim = rig.claim(&rig.seal(report(0..1).as_bytes()), None);
    let mut work = fs::read_dir(&rig.dirs.work).unwrap().map(|entry| entry.unwrap().path());
    let work = work.find(|path| path.extension().is_none_or(|end| end != "json")).unwrap();
    let orders = Cell::new(1);
    let beat = || {
        orders.set(orders.get() + 1);
        fs::write(&work, rig.seal(report(0..orders.get()).as_bytes())).unwrap();
    };
    let record = rig.intake.take(&rig.account, claim, &|| (), &beat).unwrap();
    assert_eq!(record.state, FileState::Rejected);
    assert_eq!(record.refusal.unwrap().code, "document-changed");
}
