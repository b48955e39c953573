//! Droppers who swap what they dropped while it is being taken: whatever stands under the two names at
//! whatever moment, nothing hangs, nothing else is read, and the next file is taken. And files that are
//! larger than they look, and very many files.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::claim::claim_on;
use super::crash_tests::{Fault, Faulty};
use super::disk::{Disk, Os};
use super::hand_in::{HandedIn, hand_in_on, sweep};
use super::recover::recover_on;
use super::*;

const DOCUMENT: &[u8] = b"the document";
const SIDECAR: &[u8] = b"{\"key\":1}";
const SECRET: &[u8] = b"{\"secret\":1}";

fn spool() -> (tempfile::TempDir, SpoolDirs) {
    let root = tempfile::tempdir_in("/dev/shm").unwrap();
    let dirs = SpoolDirs::new(root.path(), "a");
    dirs.prepare().unwrap();
    (root, dirs)
}

fn scan(dirs: &SpoolDirs) -> Scan {
    Scanner::new(dirs.clone(), Duration::ZERO).scan(Instant::now()).unwrap()
}

/// What a name is swapped for.
#[derive(Debug, Clone, Copy)]
enum Swap {
    Fifo,
    Dangling,
    Link,
    Folder,
    HardLink,
    OtherFile,
    Nothing,
}

const SWAPS: [Swap; 7] = [
    Swap::Fifo,
    Swap::Dangling,
    Swap::Link,
    Swap::Folder,
    Swap::HardLink,
    Swap::OtherFile,
    Swap::Nothing,
];

/// The disk on which somebody swaps a name right before a step.
struct Swapping {
    at: usize,
    steps: Cell<usize>,
    name: PathBuf,
    swap: Swap,
    secret: PathBuf,
}

impl Swapping {
    fn step(&self) {
        self.steps.set(self.steps.get() + 1);
        // Only what still has the name can be swapped.
        if self.steps.get() != self.at || fs::symlink_metadata(&self.name).is_err() {
            return;
        }
        let made = self.name.with_file_name(".swap.tmp");
        match self.swap {
            Swap::Fifo => rustix::fs::mknodat(
                rustix::fs::CWD,
                &made,
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::from_raw_mode(0o666),
                0,
            )
            .unwrap(),
            Swap::Dangling => symlink("nowhere", &made).unwrap(),
            Swap::Link => symlink(&self.secret, &made).unwrap(),
            Swap::Folder => fs::create_dir(&made).unwrap(),
            Swap::HardLink => fs::hard_link(&self.secret, &made).unwrap(),
            Swap::OtherFile => fs::write(&made, b"{\"another\":1}").unwrap(),
            Swap::Nothing => {}
        }
        fs::remove_file(&self.name).unwrap();
        if !matches!(self.swap, Swap::Nothing) {
            fs::rename(&made, &self.name).unwrap();
        }
    }
}

impl Disk for Swapping {
    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        self.step();
        Os.create(path, mode)
    }
    fn write(&self, file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.step();
        Os.write(file, path, bytes)
    }
    fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        self.step();
        Os.sync(file, path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step();
        Os.sync_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step();
        Os.rename(from, to)
    }
    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step();
        Os.replace(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.step();
        Os.unlink(path)
    }
}

/// Runs `work` on a thread of its own; hanging is a failure.
fn in_time(context: &str, work: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        work();
        done.send(()).unwrap();
    });
    match ended.recv_timeout(Duration::from_mins(1)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{context}: hangs"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => thread.join().unwrap(),
    }
}

fn swapped_at(step: usize, name: &'static str, swap: Swap) -> bool {
    let context = format!("{name} swapped for {swap:?} before step {step}");
    let (_root, dirs) = spool();
    let secret = dirs.root.join("secret");
    fs::write(&secret, SECRET).unwrap();
    fs::write(dirs.incoming.join("f.age"), DOCUMENT).unwrap();
    fs::write(dirs.incoming.join("f.age.json"), SIDECAR).unwrap();
    let found = scan(&dirs);
    let candidate = &found.ready[0];
    assert_eq!(candidate.sidecar.as_deref(), Some("f.age.json".as_ref()));
    let disk = Swapping {
        at: step,
        steps: Cell::new(0),
        name: dirs.incoming.join(name),
        swap,
        secret: secret.clone(),
    };
    match claim_on(&disk, &dirs, candidate, FileId::random(), "now") {
        Ok(claim) => {
            assert_eq!(fs::read(&claim.path).unwrap(), DOCUMENT, "{context}");
            assert_eq!(fs::read(claim.sidecar.as_ref().unwrap()).unwrap(), SIDECAR, "{context}");
            finish(&claim, End::Done, &serde_json::json!({})).unwrap();
        }
        Err(error) => {
            assert_eq!(error.left(), Left::Incoming, "{context}: {error:?}");
            assert!(
                matches!(error, ClaimError::Changed | ClaimError::Gone | ClaimError::NotAFile),
                "{context}: {error:?}"
            );
        }
    }
    // As after a kill and a start: nothing is stuck, and nothing but the two files was read.
    for found in recover_on(&Os, &dirs).unwrap() {
        assert!(
            matches!(found, Recovered::NothingTaken { .. } | Recovered::PutBack { .. }),
            "{context}: {found:?}"
        );
    }
    let left: Vec<_> = fs::read_dir(&dirs.work).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{context}: {left:?}");
    assert_eq!(fs::read(&secret).unwrap(), SECRET, "{context}");
    // The next one is taken whatever lies there.
    fs::write(dirs.incoming.join("next.age"), b"next").unwrap();
    let found = scan(&dirs);
    let next = found.ready.iter().find(|candidate| candidate.name == "next.age");
    let next = claim(&dirs, next.unwrap(), FileId::random(), "now").unwrap();
    assert_eq!(fs::read(&next.path).unwrap(), b"next", "{context}");
    step <= disk.steps.get()
}

#[test]
fn audit_05_a_swap_at_any_step_neither_hangs_nor_reads_anything_else() {
    for name in ["f.age", "f.age.json"] {
        for swap in SWAPS {
            in_time(&format!("{name} swapped for {swap:?}"), move || {
                let mut step = 1;
                while swapped_at(step, name, swap) {
                    step += 1;
                }
                assert!(step > 10, "there are that many steps at least");
            });
        }
    }
}

/// The same, killed right after the swap: recovery finds it in `work/`.
#[test]
fn audit_05_recovery_neither_follows_nor_waits_for_what_was_swapped() {
    for swap in SWAPS {
        in_time(&format!("sidecar swapped for {swap:?}"), move || {
            let (_root, dirs) = spool();
            let secret = dirs.root.join("secret");
            fs::write(&secret, SECRET).unwrap();
            let id = FileId::random();
            fs::write(dirs.incoming.join("f.age"), DOCUMENT).unwrap();
            fs::write(dirs.incoming.join("f.age.json"), SIDECAR).unwrap();
            drop(claim(&dirs, &scan(&dirs).ready[0], id.clone(), "now").unwrap());
            // Back to where a kill between the renames and the first look leaves it.
            fs::rename(dirs.work.join(id.as_str()), dirs.work.join(format!("{id}.in"))).unwrap();
            let staged = dirs.work.join(format!("{id}.sidecar.in"));
            fs::rename(dirs.work.join(format!("{id}.sidecar")), &staged).unwrap();
            let swapping = Swapping { at: 1, steps: Cell::new(0), name: staged, swap, secret };
            swapping.step();
            for found in recover(&dirs).unwrap() {
                match found {
                    Recovered::PutBack { .. } => {}
                    // A regular file of the dropper's own under that name is his sidecar.
                    Recovered::Claimed(claim) => {
                        assert!(matches!(swap, Swap::OtherFile | Swap::HardLink), "{swap:?}");
                        finish(&claim, End::Done, &serde_json::json!({})).unwrap();
                    }
                    other => panic!("{swap:?}: {other:?}"),
                }
            }
            assert_eq!(fs::read_dir(&dirs.work).unwrap().count(), 0, "{swap:?}");
        });
    }
}

#[test]
fn audit_26_an_open_descriptor_does_not_reach_the_sidecar_that_was_taken() {
    let (_root, dirs) = spool();
    fs::write(dirs.incoming.join("f.age"), DOCUMENT).unwrap();
    let mut dropper = File::create(dirs.incoming.join("f.age.json")).unwrap();
    dropper.write_all(SIDECAR).unwrap();
    let claim = claim(&dirs, &scan(&dirs).ready[0], FileId::random(), "now").unwrap();
    dropper.seek(SeekFrom::Start(0)).unwrap();
    dropper.write_all(b"{\"key\":2}, changed afterwards").unwrap();
    dropper.sync_all().unwrap();
    assert_eq!(fs::read(claim.sidecar.as_ref().unwrap()).unwrap(), SIDECAR);
}

/// The real disk, which counts the bytes that are written and knows of no sparse file.
#[derive(Default)]
struct Counting {
    written: Cell<u64>,
}

impl Disk for Counting {
    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        Os.create(path, mode)
    }
    fn write(&self, file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.written.set(self.written.get() + u64::try_from(bytes.len()).unwrap());
        Os.write(file, path, bytes)
    }
    fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        Os.sync(file, path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        Os.sync_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Os.rename(from, to)
    }
    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        Os.replace(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        Os.unlink(path)
    }
}

#[test]
fn audit_08_a_sparse_sidecar_stays_small() {
    let (_root, dirs) = spool();
    fs::write(dirs.incoming.join("f.age"), DOCUMENT).unwrap();
    let sidecar = dirs.incoming.join("f.age.json");
    fs::write(&sidecar, b"{").unwrap();
    let mut watching = File::open(&sidecar).unwrap();
    File::options().write(true).open(&sidecar).unwrap().set_len(1 << 30).unwrap();
    let disk = Counting::default();
    let claim = claim_on(&disk, &dirs, &scan(&dirs).ready[0], FileId::random(), "now").unwrap();
    let taken = fs::metadata(claim.sidecar.as_ref().unwrap()).unwrap().len();
    assert_eq!(taken, MAX_SIDECAR_BYTES + 1, "enough to see that it is too large");
    let words = u64::try_from(DOCUMENT.len()).unwrap() + 1024;
    assert!(disk.written.get() <= MAX_SIDECAR_BYTES + 1 + words, "{}", disk.written.get());
    finish(&claim, End::Rejected, &serde_json::json!({})).unwrap();
    // The dropper's own file was scrubbed no further than that.
    let blocks = std::os::unix::fs::MetadataExt::blocks(&watching.metadata().unwrap());
    assert!(blocks * 512 <= MAX_SIDECAR_BYTES + 8192, "{blocks} blocks");
    let mut first = [0; 1];
    watching.read_exact(&mut first).unwrap();
    assert_eq!(first, [0], "the keys are overwritten");
}

#[test]
fn audit_08_a_document_larger_than_the_account_takes_is_left_and_named() {
    let (_root, dirs) = spool();
    let path = dirs.incoming.join("f.age");
    fs::write(&path, DOCUMENT).unwrap();
    fs::write(dirs.incoming.join("f.age.json"), SIDECAR).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    let mut scanner = Scanner::new(dirs.clone(), Duration::ZERO);
    scanner.set_max_bytes(1 << 20);
    let found = scanner.scan(Instant::now()).unwrap();
    assert_eq!((found.ready.len(), found.blocked), (0, 1), "with its sidecar");
    assert_eq!(found.notices[0].kind, NoticeKind::TooLarge);
    assert!(found.notices[0].to_string().contains("max_file_size"), "{}", found.notices[0]);
    // Told once, also while it grows; taken once the account takes more.
    File::options().write(true).open(&path).unwrap().set_len(1 << 41).unwrap();
    assert!(scanner.scan(Instant::now()).unwrap().notices.is_empty());
    scanner.set_max_bytes(1 << 42);
    assert_eq!(scanner.scan(Instant::now()).unwrap().ready.len(), 1);
}

/// It grew between the last look and the claim, or after a crash: nothing of it is copied.
#[test]
fn audit_08_a_document_that_grew_meanwhile_is_not_copied() {
    let (_root, dirs) = spool();
    let path = dirs.incoming.join("f.age");
    fs::write(&path, DOCUMENT).unwrap();
    let found = scan(&dirs);
    let dropper = File::options().write(true).open(&path).unwrap();
    let id = FileId::random();
    drop(claim(&dirs, &found.ready[0], id.clone(), "now").unwrap());
    fs::remove_file(dirs.work.join(id.as_str())).unwrap();
    // The dropper's file as a kill before the copy leaves it, still open.
    let staged = dirs.work.join(format!("{id}.in"));
    fs::write(&staged, DOCUMENT).unwrap();
    File::options().write(true).open(&staged).unwrap().set_len(1 << 40).unwrap();
    drop(dropper);
    let disk = Counting::default();
    let recovered = recover_on(&disk, &dirs).unwrap();
    let [Recovered::PutBack { why: Some(ClaimError::Changed), .. }] = recovered.as_slice() else {
        panic!("{recovered:?}");
    };
    assert_eq!(disk.written.get(), 0);
}

#[test]
fn audit_25_a_document_is_no_sidecar_because_of_its_name() {
    let (_root, dirs) = spool();
    let put = |name: &str, content: &[u8]| fs::write(dirs.incoming.join(name), content).unwrap();
    put("a", b"age-encryption.org/v1\n");
    put("a.json", b"age-encryption.org/v1\n");
    put("b", b"age-encryption.org/v1\n");
    put("b.json", b"\xef\xbb\xbf \n{\"charset\":\"utf-8\"}");
    put("c", b"age-encryption.org/v1\n");
    put("c.json", b"{\"charset\":\"utf-8\"}");
    let root = rustix::process::geteuid().is_root();
    if root {
        std::os::unix::fs::chown(dirs.incoming.join("c.json"), Some(4711), None).unwrap();
    }
    let found = scan(&dirs);
    let mut pairs: Vec<_> = found
        .ready
        .iter()
        .map(|c| (c.name.to_str().unwrap(), c.sidecar.as_ref().map(|s| s.to_str().unwrap())))
        .collect();
    pairs.sort_unstable();
    let mut expected = vec![("a", None), ("a.json", None), ("b", Some("b.json"))];
    if root {
        expected.extend([("c", None), ("c.json", None)]);
    } else {
        expected.push(("c", Some("c.json")));
    }
    assert_eq!(pairs, expected);
}

#[test]
fn audit_33_very_many_files_are_listed_once_not_once_a_batch() {
    let (_root, dirs) = spool();
    let files = 3_000;
    for number in 0..files {
        fs::write(dirs.incoming.join(format!("{number}")), b"age").unwrap();
    }
    let mut scanner = Scanner::new(dirs.clone(), Duration::ZERO);
    let mut taken = 0;
    loop {
        let found = scanner.scan(Instant::now()).unwrap();
        if found.ready.is_empty() {
            break;
        }
        for candidate in found.ready {
            fs::remove_file(dirs.incoming.join(&candidate.name)).unwrap();
            taken += 1;
        }
    }
    assert_eq!(taken, files);
    assert!(scanner.looked_at() <= 2 * files, "{} looks at {files} files", scanner.looked_at());
}

/// Killed before every step of handing a document in: after the sweep nothing is left of it, or all.
#[test]
fn audit_22_handing_in_is_whole_or_swept() {
    for sidecar in [None, Some(SIDECAR)] {
        for step in 1.. {
            let (_root, dirs) = spool();
            let disk = Faulty::new(step, Fault::Kill);
            let name = HandedIn::document();
            let done = hand_in_on(&disk, &dirs, &name, &mut &*DOCUMENT, sidecar);
            sweep(&dirs).unwrap();
            let count = fs::read_dir(&dirs.incoming).unwrap().count();
            let whole = 1 + usize::from(sidecar.is_some());
            let there = dirs.incoming.join(name.name()).exists();
            assert_eq!(count, if there { whole } else { 0 }, "at {step}, sidecar {sidecar:?}");
            assert!(there || done.is_err());
            if !disk.struck() {
                assert!(step > 4);
                break;
            }
        }
    }
    // Nobody but the daemon reads it before it is taken.
    let (_root, dirs) = spool();
    let name = HandedIn::document();
    hand_in_on(&Os, &dirs, &name, &mut &*DOCUMENT, None).unwrap();
    let mode = fs::metadata(dirs.incoming.join(name.name())).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
