//! Taking files over, against droppers who do not behave.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use odoo_spoold::spool::{
    Candidate, Claim, ClaimError, End, FileId, Left, Recovered, Scanner, SpoolDirs, claim, finish,
    recover,
};
use serde_json::json;

fn spool() -> (tempfile::TempDir, SpoolDirs) {
    let root = tempfile::tempdir_in("/dev/shm").unwrap();
    let dirs = SpoolDirs::new(root.path(), "a");
    dirs.prepare().unwrap();
    (root, dirs)
}

fn candidates(dirs: &SpoolDirs) -> Vec<Candidate> {
    Scanner::new(dirs.clone(), Duration::ZERO).scan(Instant::now()).unwrap().ready
}

fn claim_one(dirs: &SpoolDirs) -> Result<Claim, ClaimError> {
    claim(dirs, &candidates(dirs)[0], FileId::random(), "2026-01-31T00:00:00Z")
}

fn count(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count()
}

#[test]
fn what_a_claim_says_is_true() {
    let (_root, dirs) = spool();
    fs::write(dirs.incoming.join("orders.txt"), b"abc").unwrap();
    fs::write(dirs.incoming.join("orders.txt.json"), b"{}").unwrap();
    let claim = claim_one(&dirs).unwrap();
    assert_eq!(claim.bytes, 3);
    assert_eq!(claim.sha256[..4], [0xba, 0x78, 0x16, 0xbf]);
    assert_eq!(claim.name, "orders.txt");
    assert_eq!(claim.path, dirs.work.join(claim.id.as_str()));
    assert_eq!(fs::metadata(&claim.path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read(claim.sidecar.as_ref().unwrap()).unwrap(), b"{}");
    assert_eq!(count(&dirs.incoming), 0);
    let done = finish(&claim, End::Done, &json!({"orders": 1})).unwrap();
    assert_eq!(done, dirs.done.join(format!("orders.txt.{}", claim.id)));
    assert_eq!((count(&dirs.work), count(&dirs.done)), (0, 2));
    // Again, as after a crash: nothing changes. With another end: refused, nothing changes.
    assert_eq!(finish(&claim, End::Done, &json!({"orders": 1})).unwrap(), done);
    assert!(finish(&claim, End::Rejected, &json!({})).is_err());
    assert_eq!((count(&dirs.work), count(&dirs.done), count(&dirs.rejected)), (0, 2, 0));
}

#[test]
fn names_of_every_kind_come_through_a_crash_and_to_their_end() {
    let (_root, dirs) = spool();
    let long = vec![b'n'; 255];
    let names: [&[u8]; 7] =
        [b"\xff\xfe", b"new\nline", b"-rf", b" ", b"a\"b\\c", "ü漢".as_bytes(), &long];
    for name in names {
        fs::write(dirs.incoming.join(OsStr::from_bytes(name)), name).unwrap();
    }
    for candidate in candidates(&dirs) {
        claim(&dirs, &candidate, FileId::random(), "then").unwrap();
    }
    let recovered = recover(&dirs).unwrap();
    assert_eq!(recovered.len(), names.len());
    for found in recovered {
        let Recovered::Claimed(claim) = found else { panic!("{found:?}") };
        assert_eq!(claim.claimed_at, "then");
        assert_eq!(fs::read(&claim.path).unwrap(), claim.name.as_bytes());
        let end = finish(&claim, End::Rejected, &json!({})).unwrap();
        let end = end.file_name().unwrap();
        assert!(end.as_bytes().starts_with(&claim.name.as_bytes()[..claim.name.len().min(230)]));
    }
    assert_eq!((count(&dirs.incoming), count(&dirs.work)), (0, 0));
    assert_eq!(count(&dirs.rejected), 2 * names.len());
}

#[test]
fn the_same_name_a_hundred_times_overwrites_nothing() {
    let (_root, dirs) = spool();
    let mut claims = Vec::new();
    for number in 0..100 {
        fs::write(dirs.incoming.join("orders.txt"), format!("{number}")).unwrap();
        claims.push(claim_one(&dirs).unwrap());
    }
    for (number, claim) in claims.iter().enumerate() {
        let end = if number % 2 == 0 { End::Done } else { End::Rejected };
        let path = finish(claim, end, &json!({ "number": number })).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), number.to_string());
    }
    assert_eq!((count(&dirs.done), count(&dirs.rejected), count(&dirs.work)), (100, 100, 0));
}

#[test]
fn a_dropper_who_goes_on_writing_does_not_reach_our_copy() {
    let (_root, dirs) = spool();
    let mut file = File::create(dirs.incoming.join("orders.txt")).unwrap();
    file.write_all(b"as it was").unwrap();
    let claim = claim_one(&dirs).unwrap();
    file.write_all(b" and more").unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(b"OVERWRITTEN").unwrap();
    file.sync_all().unwrap();
    let done = finish(&claim, End::Done, &json!({})).unwrap();
    file.write_all(b"!").unwrap();
    assert_eq!(fs::read(done).unwrap(), b"as it was");
}

#[test]
fn a_hard_link_the_dropper_kept_does_not_reach_our_copy() {
    let (_root, dirs) = spool();
    let kept = dirs.root.join("kept");
    fs::write(&kept, b"as it was").unwrap();
    fs::hard_link(&kept, dirs.incoming.join("orders.txt")).unwrap();
    let claim = claim_one(&dirs).unwrap();
    fs::write(&kept, b"changed").unwrap();
    assert_eq!(fs::read(&claim.path).unwrap(), b"as it was");
    assert_eq!(fs::metadata(&kept).unwrap().nlink(), 1);
}

#[test]
fn a_file_that_grows_while_it_is_copied_goes_back_whole() {
    let (_root, dirs) = spool();
    let before: u64 = 64 * 1024 * 1024;
    File::create(dirs.incoming.join("orders.txt")).unwrap().set_len(before).unwrap();
    fs::write(dirs.incoming.join("orders.txt.json"), b"{}").unwrap();
    let mut dropper = File::options().append(true).open(dirs.incoming.join("orders.txt")).unwrap();
    let candidate = candidates(&dirs).remove(0);
    let work = dirs.work.clone();
    let writer = std::thread::spawn(move || {
        let copying = || {
            let mut names = fs::read_dir(&work).unwrap().map(|entry| entry.unwrap().file_name());
            names.any(|name| name.to_str().unwrap().ends_with(".copy.tmp"))
        };
        while !copying() {
            std::thread::yield_now();
        }
        dropper.write_all(b"more").unwrap();
    });
    let error = claim(&dirs, &candidate, FileId::random(), "").unwrap_err();
    writer.join().unwrap();
    assert!(matches!(error, ClaimError::Changed), "{error:?}");
    assert_eq!(error.left(), Left::Incoming);
    assert_eq!(fs::metadata(dirs.incoming.join("orders.txt")).unwrap().len(), before + 4);
    assert_eq!((count(&dirs.incoming), count(&dirs.work)), (2, 0));
    let claim = claim_one(&dirs).unwrap();
    assert_eq!(claim.bytes, before + 4);
}

#[test]
fn what_was_swapped_after_the_look_is_not_taken() {
    let (_root, dirs) = spool();
    let path = dirs.incoming.join("orders.txt");
    let look = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        let candidate = candidates(&dirs).remove(0);
        fs::remove_file(&path).unwrap();
        candidate
    };
    let try_claim =
        |candidate: &Candidate| claim(&dirs, candidate, FileId::random(), "").unwrap_err();

    assert!(matches!(try_claim(&look(b"x")), ClaimError::Gone));
    let candidate = look(b"x");
    symlink("/etc/passwd", &path).unwrap();
    assert!(matches!(try_claim(&candidate), ClaimError::NotAFile));
    fs::remove_file(&path).unwrap();
    let candidate = look(b"x");
    fs::create_dir(&path).unwrap();
    assert!(matches!(try_claim(&candidate), ClaimError::NotAFile));
    fs::remove_dir(&path).unwrap();
    let candidate = look(b"x");
    fs::write(&path, b"longer").unwrap();
    assert!(matches!(try_claim(&candidate), ClaimError::Changed));
    assert_eq!((count(&dirs.incoming), count(&dirs.work)), (1, 0));
}

#[test]
fn an_id_in_use_is_refused_and_the_first_file_unharmed() {
    let (_root, dirs) = spool();
    let id = FileId::random();
    for name in ["one", "two"] {
        fs::write(dirs.incoming.join(name), name).unwrap();
    }
    let both = candidates(&dirs);
    let first = claim(&dirs, &both[0], id.clone(), "").unwrap();
    let error = claim(&dirs, &both[1], id, "").unwrap_err();
    assert!(matches!(error, ClaimError::IdTaken));
    assert_eq!(fs::read(&first.path).unwrap(), first.name.as_bytes());
    assert_eq!(count(&dirs.incoming), 1);
}

#[test]
fn a_name_dropped_again_while_the_first_goes_back_keeps_both() {
    let (_root, dirs) = spool();
    let id = FileId::random();
    for (name, content) in [("", "first"), (".json", "{}")] {
        fs::write(dirs.incoming.join(format!("orders.txt{name}")), content).unwrap();
    }
    claim(&dirs, &candidates(&dirs)[0], id.clone(), "").unwrap();
    // As if killed before the copy was made, and the file were no file.
    fs::remove_file(dirs.work.join(id.as_str())).unwrap();
    let sidecar = |suffix: &str| dirs.work.join(format!("{id}.sidecar{suffix}"));
    fs::rename(sidecar(""), sidecar(".in")).unwrap();
    symlink("nowhere", dirs.work.join(format!("{id}.in"))).unwrap();
    fs::write(dirs.incoming.join("orders.txt"), "second").unwrap();
    let found = recover(&dirs).unwrap();
    let [Recovered::PutBack { name, why: Some(ClaimError::NotAFile), .. }] = found.as_slice()
    else {
        panic!("{found:?}");
    };
    assert_eq!(*name, *format!("orders.txt.{id}"));
    assert!(fs::symlink_metadata(dirs.incoming.join(name)).unwrap().is_symlink());
    assert_eq!(fs::read(dirs.incoming.join("orders.txt")).unwrap(), b"second");
    assert!(dirs.incoming.join(format!("orders.txt.{id}.json")).exists());
    assert_eq!(count(&dirs.work), 0);
}

#[test]
fn sealing_at_intake_replaces_the_copy_and_destroys_the_keys() {
    let (_root, dirs) = spool();
    fs::write(dirs.incoming.join("orders.txt"), b"cipher").unwrap();
    fs::write(dirs.incoming.join("orders.txt.json"), b"{\"KEY\":1}").unwrap();
    let mut claim = claim_one(&dirs).unwrap();
    let dropped = claim.sha256;

    // A failure on the way leaves everything as it was.
    let failed = claim.reseal(|writer| {
        writer.write_all(b"half").unwrap();
        Err(ClaimError::Changed)
    });
    assert!(matches!(failed, Err(ClaimError::Changed)));
    assert_eq!(fs::read(&claim.path).unwrap(), b"cipher");
    assert!(claim.sidecar.as_ref().is_some_and(|path| path.exists()));
    assert_eq!(count(&dirs.work), 3);

    claim.note(json!({"report": "orders"})).unwrap();
    claim.reseal(|writer| writer.write_all(b"age sealed").map_err(|_| ClaimError::Gone)).unwrap();
    assert_eq!((claim.bytes, claim.sha256, claim.sidecar.clone()), (10, dropped, None));
    assert_eq!(count(&dirs.work), 2);
    let mut found = recover(&dirs).unwrap();
    let Some(Recovered::Claimed(again)) = found.pop() else { panic!("{found:?}") };
    assert_eq!(again.sha256, dropped);
    assert_eq!(again.notes, Some(json!({"report": "orders"})));
    let mut content = String::new();
    again.open().unwrap().read_to_string(&mut content).unwrap();
    assert_eq!(content, "age sealed");
    finish(&again, End::Done, &json!({})).unwrap();
    for dir in [&dirs.work, &dirs.done, &dirs.incoming] {
        for entry in fs::read_dir(dir).unwrap() {
            assert!(!fs::read(entry.unwrap().path()).unwrap().windows(3).any(|w| w == b"KEY"));
        }
    }
}

#[test]
fn a_rejected_file_takes_no_keys_along() {
    let (_root, dirs) = spool();
    fs::write(dirs.incoming.join("orders.txt"), b"cipher").unwrap();
    fs::write(dirs.incoming.join("orders.txt.json"), b"{\"KEY\":1}").unwrap();
    let claim = claim_one(&dirs).unwrap();
    finish(&claim, End::Rejected, &json!({"why": "not allowed"})).unwrap();
    assert_eq!((count(&dirs.work), count(&dirs.rejected)), (0, 2));
}

#[test]
fn an_empty_file_is_claimed_as_what_it_is() {
    let (_root, dirs) = spool();
    fs::write(dirs.incoming.join("empty"), b"").unwrap();
    let claim = claim_one(&dirs).unwrap();
    assert_eq!(claim.bytes, 0);
    finish(&claim, End::Rejected, &json!({})).unwrap();
    assert_eq!(count(&dirs.rejected), 2);
}

#[test]
fn no_debug_text_shows_a_buyers_name() {
    let (_root, dirs) = spool();
    fs::write(dirs.incoming.join("Max Mustermann"), b"x").unwrap();
    let candidate = candidates(&dirs).remove(0);
    let claim = claim(&dirs, &candidate, FileId::random(), "").unwrap();
    assert!(!format!("{candidate:?} {claim:?}").contains("Mustermann"));
}
