//! The way of a file, interrupted: killed before every step, killed again while recovering, a disk
//! that fails once, a power cut that forgets what was not fsynced. And the order of the fsyncs.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use serde_json::json;

use super::claim::claim_on;
use super::disk::{Disk, Os};
use super::finish::finish_on;
use super::recover::recover_on;
use super::*;

const NAME: &str = "orders.txt";
const SEALED: &[u8] = b"sealed:";

/// A little longer than one buffer of the copy.
static DOCUMENT: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..140_000_u32).map(|at| (at % 251).to_le_bytes()[0]).collect());

fn document() -> Vec<u8> {
    DOCUMENT.clone()
}

/// Which folder lies on another file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Elsewhere {
    Nothing,
    Incoming,
    Ends,
}

struct Spool {
    dirs: SpoolDirs,
    _here: tempfile::TempDir,
    _there: tempfile::TempDir,
}

impl Spool {
    fn new(elsewhere: Elsewhere, sidecar: bool) -> Self {
        // /dev/shm is a tmpfs: fsync costs nothing, and it is not where the temporary folder is.
        let here = tempfile::tempdir_in("/dev/shm").unwrap();
        let there = tempfile::tempdir().unwrap();
        let mut dirs = SpoolDirs::new(here.path(), "a");
        match elsewhere {
            Elsewhere::Nothing => {}
            Elsewhere::Incoming => dirs.incoming = there.path().join("incoming"),
            Elsewhere::Ends => {
                dirs.done = there.path().join("done");
                dirs.rejected = there.path().join("rejected");
            }
        }
        dirs.prepare().unwrap();
        fs::write(dirs.incoming.join(NAME), document()).unwrap();
        if sidecar {
            fs::write(dirs.incoming.join("orders.txt.json"), b"{\"key\":1}").unwrap();
        }
        Self { dirs, _here: here, _there: there }
    }
}

/// What happens at one step.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// This and everything after it does not happen; a write happens by half.
    Kill,
    /// Only this does not happen.
    Once(Errno),
    /// This does not happen, and nothing that comes so many steps later or after that.
    OnceThenKill(usize),
}

/// The real disk with a fault at one step, and a record of all steps.
pub(super) struct Faulty {
    at: usize,
    fault: Fault,
    steps: Cell<usize>,
    log: RefCell<Vec<String>>,
}

impl Faulty {
    pub(super) fn new(at: usize, fault: Fault) -> Self {
        Self { at, fault, steps: Cell::new(0), log: RefCell::default() }
    }

    pub(super) fn struck(&self) -> bool {
        self.steps.get() >= self.at
    }

    fn step(&self, what: &str, path: &Path) -> io::Result<()> {
        self.steps.set(self.steps.get() + 1);
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
        let name = path.file_name().unwrap_or_default();
        let line = format!("{what} {}/{}", folder.display(), name.display());
        self.log.borrow_mut().push(line);
        match self.fault {
            Fault::Kill if self.struck() => Err(Errno::IO.into()),
            Fault::Once(errno) if self.steps.get() == self.at => Err(errno.into()),
            Fault::OnceThenKill(later)
                if self.steps.get() == self.at || self.steps.get() >= self.at + later =>
            {
                Err(Errno::IO.into())
            }
            _ => Ok(()),
        }
    }
}

impl Disk for Faulty {
    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        self.step("create", path)?;
        Os.create(path, mode)
    }
    fn write(&self, file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let first = !self.struck();
        self.step("write", path).inspect_err(|_| {
            if first {
                Os.write(file, path, &bytes[..bytes.len() / 2]).unwrap();
            }
        })?;
        Os.write(file, path, bytes)
    }
    fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        self.step("fsync", path)?;
        Os.sync(file, path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step("fsync", path)?;
        Os.sync_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("from", from)?;
        self.log.borrow_mut().push(format!("to {}", to.file_name().unwrap().display()));
        Os.rename(from, to)
    }
    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("over", to)?;
        Os.replace(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.step("unlink", path)?;
        Os.unlink(path)
    }
}

/// What a daemon does from its start: recover, claim what is there, seal if there are keys, finish.
fn live(disk: &impl Disk, dirs: &SpoolDirs, end: End) -> Result<(), ClaimError> {
    let fail = || ClaimError::disk("listing", Left::Work);
    for recovered in recover_on(disk, dirs).map_err(fail())? {
        match recovered {
            Recovered::Claimed(claim) => work_on(disk, *claim, end)?,
            Recovered::Failed { error, .. } | Recovered::PutBack { why: Some(error), .. } => {
                return Err(error);
            }
            Recovered::Orphan { path } => panic!("orphan {}", path.display()),
            _ => {}
        }
    }
    let scan = Scanner::new(dirs.clone(), Duration::ZERO).scan(Instant::now()).map_err(fail())?;
    for candidate in scan.ready {
        let claim = claim_on(disk, dirs, &candidate, FileId::random(), "now")?;
        work_on(disk, claim, end)?;
    }
    Ok(())
}

fn work_on(disk: &impl Disk, mut claim: Claim, end: End) -> Result<(), ClaimError> {
    let mut content = Vec::new();
    claim.open().unwrap().read_to_end(&mut content).unwrap();
    let plain = content.strip_prefix(SEALED).unwrap_or(&content).to_vec();
    assert_eq!(plain, document(), "our copy is whole whenever we are given it");
    let hash: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&plain).into();
    assert_eq!(claim.sha256, hash, "of what was dropped, sealed or not");
    assert_eq!(claim.bytes, u64::try_from(content.len()).unwrap());
    assert_eq!(claim.name, NAME);
    if claim.sidecar.is_some() && plain == content {
        claim.reseal_on(disk, |writer| {
            writer
                .write_all(SEALED)
                .and_then(|()| writer.write_all(&plain))
                .map_err(ClaimError::disk("sealing", Left::Work))
        })?;
    }
    finish_on(disk, &claim, end, &json!({ "rows": 1 }))?;
    Ok(())
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Exactly one document, whole, with its words beside it, and nothing anywhere else.
fn assert_ended_once(dirs: &SpoolDirs, sealed: bool, context: &str) {
    assert_eq!(names(&dirs.incoming), [""; 0], "{context}");
    assert_eq!(names(&dirs.work), [""; 0], "{context}");
    let (done, rejected) = (names(&dirs.done), names(&dirs.rejected));
    assert_eq!(done.len() + rejected.len(), 2, "{context}: {done:?} {rejected:?}");
    let (dir, ends, words) = if done.is_empty() {
        (&dirs.rejected, rejected, ".reason.json")
    } else {
        (&dirs.done, done, ".result.json")
    };
    assert_eq!(format!("{}{words}", ends[0]), ends[1], "{context}");
    let expected = if sealed { [SEALED, &document()].concat() } else { document() };
    assert!(fs::read(dir.join(&ends[0])).unwrap() == expected, "{context}");
    assert_eq!(
        fs::read_to_string(dir.join(&ends[1])).unwrap(),
        "{\n  \"rows\": 1\n}\n",
        "{context}"
    );
}

const VARIANTS: [(Elsewhere, bool); 6] = [
    (Elsewhere::Nothing, false),
    (Elsewhere::Nothing, true),
    (Elsewhere::Incoming, false),
    (Elsewhere::Incoming, true),
    (Elsewhere::Ends, false),
    (Elsewhere::Ends, true),
];

#[test]
fn killed_before_any_step_and_again_while_recovering() {
    for (elsewhere, sidecar) in VARIANTS {
        for first in 1.. {
            let mut struck = false;
            for second in (1..).step_by(if elsewhere == Elsewhere::Nothing { 1 } else { 5 }) {
                let context =
                    format!("{elsewhere:?} sidecar {sidecar} killed at {first}, {second}");
                let spool = Spool::new(elsewhere, sidecar);
                let killer = Faulty::new(first, Fault::Kill);
                struck = live(&killer, &spool.dirs, End::Done).is_err();
                let again = Faulty::new(second, Fault::Kill);
                let again_struck = live(&again, &spool.dirs, End::Done).is_err();
                if let Err(error) = live(&Os, &spool.dirs, End::Done) {
                    panic!("{context}: {error:?} after {:#?}", again.log);
                }
                assert_ended_once(&spool.dirs, sidecar, &context);
                if !again_struck {
                    break;
                }
            }
            if !struck {
                assert!(first > 15, "there are that many steps at least");
                break;
            }
        }
    }
}

#[test]
fn another_end_after_a_crash_leaves_nothing_at_the_first() {
    for (elsewhere, sidecar) in VARIANTS {
        for step in 1.. {
            let spool = Spool::new(elsewhere, sidecar);
            let killed = live(&Faulty::new(step, Fault::Kill), &spool.dirs, End::Done).is_err();
            live(&Os, &spool.dirs, End::Rejected).unwrap();
            assert_ended_once(&spool.dirs, sidecar, &format!("{elsewhere:?} {sidecar} {step}"));
            if !killed {
                break;
            }
        }
    }
}

#[test]
fn a_disk_that_fails_once_loses_nothing_and_says_where_the_file_is() {
    for (elsewhere, sidecar) in VARIANTS {
        for errno in [Errno::NOSPC, Errno::IO] {
            for step in 1.. {
                let context = format!("{elsewhere:?} sidecar {sidecar} {errno:?} at {step}");
                let spool = Spool::new(elsewhere, sidecar);
                let dirs = &spool.dirs;
                let disk = Faulty::new(step, Fault::Once(errno));
                let scan = Scanner::new(dirs.clone(), Duration::ZERO).scan(Instant::now()).unwrap();
                let claimed = claim_on(&disk, dirs, &scan.ready[0], FileId::random(), "now");
                if let Err(error) = &claimed {
                    assert_eq!(error.is_disk_full(), errno == Errno::NOSPC, "{context}");
                    let back = dirs.incoming.join(NAME).exists();
                    assert_eq!(error.left() == Left::Incoming, back, "{context}: {error:?}");
                    if back && sidecar {
                        assert!(dirs.incoming.join("orders.txt.json").exists(), "{context}");
                    }
                }
                let struck = disk.struck();
                drop(claimed);
                live(&Os, dirs, End::Done).unwrap();
                assert_ended_once(dirs, sidecar, &context);
                if !struck {
                    break;
                }
            }
        }
    }
}

#[test]
fn killed_while_putting_back_what_a_failing_disk_refused() {
    for (elsewhere, sidecar) in VARIANTS {
        for step in 1.. {
            let mut struck = false;
            for later in 1..12 {
                let context = format!("{elsewhere:?} sidecar {sidecar} at {step}, {later} later");
                let spool = Spool::new(elsewhere, sidecar);
                let disk = Faulty::new(step, Fault::OnceThenKill(later));
                struck = live(&disk, &spool.dirs, End::Done).is_err();
                if let Err(error) = live(&Os, &spool.dirs, End::Done) {
                    panic!("{context}: {error:?} after {:#?}", disk.log);
                }
                assert_ended_once(&spool.dirs, sidecar, &context);
            }
            if !struck {
                break;
            }
        }
    }
}

#[test]
fn the_order_of_steps() {
    let spool = Spool::new(Elsewhere::Nothing, true);
    let dirs = &spool.dirs;
    let disk = Faulty::new(usize::MAX, Fault::Kill);
    let scan = Scanner::new(dirs.clone(), Duration::ZERO).scan(Instant::now()).unwrap();
    let claim = claim_on(&disk, dirs, &scan.ready[0], FileId::from_bits(0), "now").unwrap();
    let log = disk.log.take();
    let log: Vec<_> = log.iter().map(|line| line.replace("F0000000000", "ID")).collect();
    assert_eq!(
        log,
        [
            // 1: what is about to be taken
            "create work/ID.claim.json",
            "write work/ID.claim.json",
            "fsync work/ID.claim.json",
            "fsync a/work",
            // 2: the commit; the folder it goes to first
            "from incoming/orders.txt.json",
            "to ID.sidecar.in",
            "from incoming/orders.txt",
            "to ID.in",
            "fsync a/work",
            "fsync a/incoming",
            // 3: our copies
            "create work/ID.sidecar.tmp",
            "write work/ID.sidecar.tmp",
            "fsync work/ID.sidecar.tmp",
            "over work/ID.sidecar",
            "create work/ID.copy.tmp",
            "write work/ID.copy.tmp",
            "write work/ID.copy.tmp",
            "fsync work/ID.copy.tmp",
            "from work/ID.copy.tmp",
            "to ID",
            "fsync a/work",
            // 4: only now
            "unlink work/ID.in",
            "unlink work/ID.sidecar.in",
            "fsync a/work",
        ]
    );
    finish_on(&disk, &claim, End::Done, &json!({})).unwrap();
    let log = disk.log.take();
    let log: Vec<_> = log.iter().map(|line| line.replace("F0000000000", "ID")).collect();
    assert_eq!(
        log,
        [
            "create done/.ID.words.tmp",
            "write done/.ID.words.tmp",
            "fsync done/.ID.words.tmp",
            "over done/orders.txt.ID.result.json",
            "fsync a/done",
            "from work/ID",
            "to orders.txt.ID",
            "fsync a/done",
            "fsync a/work",
            // only after the move is durable
            "unlink work/ID.sidecar",
            "fsync a/work",
            "unlink work/ID.claim.json",
            "fsync a/work",
        ]
    );
}

/// A disk that remembers what was fsynced: files by [`Disk::sync`], names by [`Disk::sync_dir`].
struct PowerCut {
    faulty: Faulty,
    state: RefCell<Names>,
}

#[derive(Default, Clone)]
struct Names {
    next: usize,
    /// What the running system sees, and what would be there after a power cut.
    seen: BTreeMap<PathBuf, usize>,
    durable: BTreeMap<PathBuf, usize>,
    content: BTreeMap<usize, Vec<u8>>,
}

impl PowerCut {
    fn new(dirs: &SpoolDirs, at: usize) -> Self {
        let mut names = Names::default();
        for entry in fs::read_dir(&dirs.incoming).unwrap() {
            let path = entry.unwrap().path();
            names.content.insert(names.next, fs::read(&path).unwrap());
            names.seen.insert(path, names.next);
            names.next += 1;
        }
        names.durable = names.seen.clone();
        Self { faulty: Faulty::new(at, Fault::Kill), state: RefCell::new(names) }
    }

    /// The spool after the power came back.
    fn cut(&self, dirs: &SpoolDirs, names_survive: bool) -> Spool {
        let spool = Spool::new(Elsewhere::Nothing, false);
        fs::remove_file(spool.dirs.incoming.join(NAME)).unwrap();
        let state = self.state.borrow();
        let mut placed: BTreeMap<usize, PathBuf> = BTreeMap::new();
        for (path, inode) in if names_survive { &state.seen } else { &state.durable } {
            let path = spool.dirs.root.join(path.strip_prefix(&dirs.root).unwrap());
            if let Some(first) = placed.get(inode) {
                fs::hard_link(first, &path).unwrap();
            } else {
                let content = state.content.get(inode).cloned().unwrap_or_default();
                fs::write(&path, content).unwrap();
                placed.insert(*inode, path);
            }
        }
        spool
    }

    fn moved(&self, from: &Path, to: &Path) {
        let mut state = self.state.borrow_mut();
        let inode = state.seen.remove(from).unwrap();
        state.seen.insert(to.to_owned(), inode);
    }
}

impl Disk for PowerCut {
    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        let file = self.faulty.create(path, mode)?;
        let mut state = self.state.borrow_mut();
        let inode = state.next;
        state.next += 1;
        state.seen.insert(path.to_owned(), inode);
        Ok(file)
    }
    fn write(&self, file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.faulty.write(file, path, bytes)
    }
    fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        self.faulty.sync(file, path)?;
        let mut state = self.state.borrow_mut();
        let inode = state.seen[path];
        state.content.insert(inode, fs::read(path).unwrap());
        Ok(())
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.faulty.sync_dir(path)?;
        let mut state = self.state.borrow_mut();
        let mut durable = std::mem::take(&mut state.durable);
        durable.retain(|name, _| name.parent() != Some(path));
        durable.extend(state.seen.clone().into_iter().filter(|(n, _)| n.parent() == Some(path)));
        state.durable = durable;
        Ok(())
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.faulty.rename(from, to).inspect(|()| self.moved(from, to))
    }
    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.faulty.replace(from, to).inspect(|()| self.moved(from, to))
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.faulty.unlink(path)?;
        self.state.borrow_mut().seen.remove(path);
        Ok(())
    }
}

#[test]
fn a_power_cut_at_any_step_loses_nothing_and_doubles_nothing() {
    for sidecar in [false, true] {
        for names_survive in [false, true] {
            for step in 1.. {
                let context =
                    format!("sidecar {sidecar}, names survive {names_survive}, step {step}");
                let before = Spool::new(Elsewhere::Nothing, sidecar);
                let disk = PowerCut::new(&before.dirs, step);
                let struck = live(&disk, &before.dirs, End::Done).is_err();
                let after = disk.cut(&before.dirs, names_survive);
                if let Err(error) = live(&Os, &after.dirs, End::Done) {
                    panic!("{context}: {error:?}\n{:#?}", disk.faulty.log);
                }
                assert_ended_once(&after.dirs, sidecar, &context);
                if !struck {
                    break;
                }
            }
        }
    }
}

#[test]
fn foreign_things_in_work_are_reported_and_left() {
    let spool = Spool::new(Elsewhere::Nothing, false);
    let dirs = &spool.dirs;
    let foreign =
        ["README", "F0000000001", "F0000000002.in", "F0000000003.claim.json", "F0000000003.in"];
    for name in foreign {
        fs::write(dirs.work.join(name), b"?").unwrap();
    }
    fs::write(dirs.work.join("F0000000004.claim.json"), br#"{"version":2,"new":true}"#).unwrap();
    let found = recover(dirs).unwrap();
    let mut orphans: Vec<_> = found
        .iter()
        .map(|found| match found {
            Recovered::Orphan { path } => path.file_name().unwrap().to_str().unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    orphans.sort_unstable();
    let mut expected = foreign.to_vec();
    expected.extend(["F0000000004.claim.json"]);
    expected.sort_unstable();
    assert_eq!(orphans, expected);
    assert_eq!(names(&dirs.work).len(), 6);
}
