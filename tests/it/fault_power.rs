//! Power cuts, modelled: a child writes orders again and again, so that sled uses its segments anew,
//! with every write and sync recorded; then the disks that a cut could have left are built and opened.
//!
//! The model: what was fsynced is there. Of later names the first few are (file systems with a journal
//! keep their order). Of later writes: none, all, the first few, those and a part of the next, or any
//! subset. What stands only in the kernel (`sync_file_range`, which is sled's flush) may be gone.
//!
//! Promise: the store opens, and everything a barrier acknowledged is there. Everyday: few cuts, seed
//! printed. `ODOO_SPOOLD_FAULT_POINTS=all`: after every sync.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::{Command, Stdio};

use odoo_spoold::model::{Family, Outcome};
use odoo_spoold::store::{End, Store, StoreOptions};

use crate::fault_support::{points, shim};
use crate::store_support::*;
use crate::support::sales::Random;

const VARIABLE: &str = "ODOO_SPOOLD_TEST_POWER_DIR";
const ORDERS: u64 = 60;
const ROUNDS: i64 = 120;
const USUAL: usize = 16;

/// Writes until all rounds are done; a no-op in an ordinary test run.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(VARIABLE) else { return };
    let dir = Path::new(&dir);
    let mut acknowledged = std::fs::File::create(dir.join("acknowledged")).unwrap();
    // Three openings: each writes a snapshot.
    for part in 0..3 {
        let store = open(&dir.join("state"));
        for round in part * ROUNDS / 3 + 1..=(part + 1) * ROUNDS / 3 {
            let facts = (0..ORDERS).map(|n| {
                let name = format!("Buyer {n} of round {round} {}", "x".repeat(400));
                (fact(&order(n), Family::Unshipped, Some(round), 1), Some(buyer(&name)))
            });
            store.take(&account(), &file(round as u64), facts.collect(), None, at(0)).unwrap();
            store.barrier().unwrap();
            let leased = store.lease(&account(), at(0), 1000).unwrap().jobs;
            let ends = leased.iter().map(|leased| {
                let mut dossier = leased.dossier.clone();
                dossier.mapping = Some(mapping(round));
                leased.settlement(Some(dossier), End::Done(Outcome::Delivered))
            });
            assert!(store.settle(ends.collect(), at(0)).unwrap().is_empty());
            store.barrier().unwrap();
            // Its place among the recorded writes is what counts.
            acknowledged.write_all(format!("{round} ").as_bytes()).unwrap();
        }
        store.close().unwrap();
    }
}

/// What of the writes and names that were on their way reached the disk.
const NOTHING: usize = 0;
const EVERYTHING: usize = 1;
const ORDERED: usize = 2;
const TORN: usize = 3;
const ANY: usize = 4;

enum Pending {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

/// A file: what is on the disk, and what is on its way there.
#[derive(Default)]
struct Inode {
    synced: Vec<u8>,
    pending: Vec<Pending>,
}

enum Name {
    There(String, usize),
    Moved(String, String),
    Gone(String),
    Folder(String),
}

#[derive(Default)]
struct Model {
    inodes: Vec<Inode>,
    /// As the process sees it.
    names: BTreeMap<String, usize>,
    /// As the disk has it.
    durable: BTreeMap<String, usize>,
    folders: Vec<String>,
    pending: Vec<Name>,
    acknowledged: i64,
    syncs: usize,
}

fn write_at(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    if bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    bytes[at..at + data.len()].copy_from_slice(data);
}

fn name(names: &mut BTreeMap<String, usize>, folders: &mut Vec<String>, change: &Name) {
    match change {
        Name::There(path, inode) => drop(names.insert(path.clone(), *inode)),
        Name::Moved(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
            let below = format!("{from}/");
            let moved: Vec<String> =
                names.keys().filter(|path| path.starts_with(&below)).cloned().collect();
            for path in moved {
                let inode = names.remove(&path).unwrap();
                names.insert(format!("{to}/{}", &path[below.len()..]), inode);
            }
            for folder in folders.iter_mut() {
                if folder == from || folder.starts_with(&below) {
                    *folder = format!("{to}{}", &folder[from.len()..]);
                }
            }
        }
        Name::Gone(path) => drop(names.remove(path)),
        Name::Folder(path) => folders.push(path.clone()),
    }
}

impl Pending {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(at, data) => write_at(bytes, *at, data),
            Self::Truncate(length) => bytes.resize(*length, 0),
        }
    }
}

impl Model {
    /// One recorded action. Whether it was a sync.
    fn step(&mut self, code: u8, offset: i64, path: &str, second: &str, data: &[u8]) -> bool {
        let change = match code {
            b'c' | b'C' => {
                if let Some(inode) = self.names.get(path) {
                    if code == b'C' {
                        self.inodes[*inode].pending.push(Pending::Truncate(0));
                    }
                    return false;
                }
                self.inodes.push(Inode::default());
                Name::There(path.to_owned(), self.inodes.len() - 1)
            }
            b'm' => Name::Moved(path.to_owned(), second.to_owned()),
            b'u' => Name::Gone(path.to_owned()),
            b'd' => Name::Folder(path.to_owned()),
            b'w' if path.ends_with("/acknowledged") => {
                let text = std::str::from_utf8(data).unwrap();
                self.acknowledged = text.trim().parse().unwrap();
                return false;
            }
            b'w' | b't' => {
                let Some(inode) = self.names.get(path) else { return false };
                let offset = usize::try_from(offset).unwrap();
                self.inodes[*inode].pending.push(if code == b'w' {
                    Pending::Write(offset, data.to_vec())
                } else {
                    Pending::Truncate(offset)
                });
                return false;
            }
            b's' => {
                self.syncs += 1;
                match self.names.get(path) {
                    Some(inode) => {
                        let Inode { synced, pending } = &mut self.inodes[*inode];
                        pending.drain(..).for_each(|change| change.apply(synced));
                    }
                    // A folder: a journal is written up to here.
                    None => {
                        for change in self.pending.drain(..) {
                            name(&mut self.durable, &mut self.folders, &change);
                        }
                    }
                }
                return true;
            }
            _ => return false,
        };
        let mut nowhere = Vec::new();
        name(&mut self.names, &mut nowhere, &change);
        self.pending.push(change);
        false
    }

    /// A disk that a power cut could leave, below `to` instead of `from`.
    fn cut(&self, from: &str, to: &Path, variant: usize, random: &mut Random) {
        let (mut names, mut folders) = (self.durable.clone(), self.folders.clone());
        let most = self.pending.len() as u64;
        // Nothing, everything, or something of what was on its way.
        let kept = match variant {
            NOTHING => 0,
            EVERYTHING => most,
            _ => random.below(most + 1),
        };
        for change in self.pending.iter().take(kept as usize) {
            name(&mut names, &mut folders, change);
        }
        let place = |path: &str| to.join(path.strip_prefix(from).unwrap().trim_start_matches('/'));
        folders.iter().for_each(|path| std::fs::create_dir_all(place(path)).unwrap());
        for (path, inode) in names {
            let Inode { synced, pending } = &self.inodes[inode];
            let mut bytes = synced.clone();
            let first = random.below(pending.len() as u64 + 1) as usize;
            for (n, change) in pending.iter().enumerate() {
                let here = match variant {
                    NOTHING => false,
                    EVERYTHING => true,
                    ORDERED | TORN => n < first,
                    _ => random.below(2) == 0,
                };
                match change {
                    Pending::Write(at, data) if variant == TORN && n == first => {
                        let part = random.below(data.len() as u64 + 1) as usize;
                        write_at(&mut bytes, *at, &data[..part]);
                    }
                    change if here => change.apply(&mut bytes),
                    _ => {}
                }
            }
            std::fs::create_dir_all(place(&path).parent().unwrap()).unwrap();
            std::fs::write(place(&path), bytes).unwrap();
        }
    }
}

fn check(dir: &Path, acknowledged: i64) -> Result<(), String> {
    let opened = std::panic::catch_unwind(AssertUnwindSafe(|| {
        Store::open(&dir.join("state"), &keys(), StoreOptions::default())
    }));
    let store = match opened {
        Err(_) => return Err("PANIC while opening".into()),
        // Before the first acknowledgement a half-made store need not be one.
        Ok(Err(error)) if acknowledged == 0 => {
            println!("nothing acknowledged yet: {error}");
            return Ok(());
        }
        Ok(Err(error)) => return Err(format!("does not open: {error}")),
        Ok(Ok(store)) => store,
    };
    if acknowledged == 0 {
        return Ok(());
    }
    let wrong = store.verify().map_err(|error| error.to_string())?;
    if !wrong.is_empty() {
        return Err(format!("verify: {wrong:?}"));
    }
    for n in 0..ORDERS {
        let dossier = store.dossier(&account(), &order(n).parse().unwrap());
        let found = dossier.map_err(|error| error.to_string())?;
        let round = found.and_then(|dossier| dossier.mapping).map_or(0, |mapping| mapping.odoo_id);
        if round < acknowledged {
            return Err(format!(
                "LOST: order {n} is of round {round}, {acknowledged} was acknowledged"
            ));
        }
    }
    Ok(())
}

#[test]
fn what_a_barrier_acknowledged_survives_every_modelled_power_cut() {
    if std::env::var_os(VARIABLE).is_some() {
        return;
    }
    let mut random = Random::seeded();
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let record = dir.path().join("record");
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fault_power::child", "--test-threads=1"])
        .env(VARIABLE, &root)
        .env("LD_PRELOAD", shim())
        .env("IO_WATCH", &root)
        .env("IO_RECORD", &record)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(ended.success());
    let bytes = std::fs::read(&record).unwrap();
    let db = root.join("state/store/db").metadata().unwrap().len();
    let mut actions = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let offset = i64::from_le_bytes(bytes[at + 1..at + 9].try_into().unwrap());
        let (one, two, three) = (number(at + 9), number(at + 13), number(at + 17));
        let start = at + 21;
        let text = |at: usize, n: usize| std::str::from_utf8(&bytes[at..at + n]).unwrap();
        let data = &bytes[start + one + two..start + one + two + three];
        actions.push((bytes[at], offset, text(start, one), text(start + one, two), data));
        at = start + one + two + three;
    }
    let written: usize = actions
        .iter()
        .filter(|(code, _, path, _, _)| *code == b'w' && path.ends_with("/db"))
        .map(|action| action.4.len())
        .sum();
    let syncs = actions.iter().filter(|action| action.0 == b's').count();
    println!(
        "{} actions, {syncs} syncs, {written} bytes written to a database of {db}",
        actions.len()
    );
    assert!(written as u64 > db * 3 / 2, "no segment was used again: this proves little");

    let count = points(USUAL);
    let chance = if count == usize::MAX { 1 } else { (actions.len() / count).max(1) as u64 };
    let (mut model, mut cuts, mut wrong) = (Model::default(), 0, Vec::new());
    for (n, (code, offset, path, second, data)) in actions.iter().enumerate() {
        let synced = model.step(*code, *offset, path, second, data);
        let here =
            if count == usize::MAX { synced || n % 7 == 0 } else { random.below(chance) == 0 };
        if !here {
            continue;
        }
        for variant in [NOTHING, EVERYTHING, ORDERED, TORN, ANY] {
            let disk = tempfile::tempdir().unwrap();
            model.cut(root.to_str().unwrap(), disk.path(), variant, &mut random);
            cuts += 1;
            if let Err(why) = check(disk.path(), model.acknowledged) {
                println!(
                    "cut after action {n} ({} {path}), variant {variant}: {why}",
                    *code as char
                );
                wrong.push(why);
            }
        }
    }
    println!("counts: {cuts} cuts, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{} of {cuts} cuts, the first: {}", wrong.len(), wrong[0]);
}
