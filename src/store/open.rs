//! Opening: version, lock, decision journal, schema, sweep, sled, keys, counters; in that order.
//!
//! Nothing is touched of a state directory that another version wrote, and nothing of sled before
//! the lock is held. An interrupted
//! snapshot of sled (`snap.*.generating`) would make it refuse to start for ever and is removed. So would
//! a half-written `conf`, which sled never syncs: a new store is made aside, synced, and renamed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rand::RngCore as _;

use super::Store;
use super::accounts::Accounts;
use super::barrier::Barrier;
use super::daykeys::{DayKeys, sync_dir};
use super::draft::TALLY;
use super::error::StoreError;
use super::journal::{self, Journal};
use super::keys::{Keyring, StoreKeys};
use super::layout::{
    self, AccountTag, DAYKEY_DIR, LOCK_FILE, SCHEMA, SCHEMA_FILE, STORE_DIR, Tree, Version, hex,
    meta_key,
};
use super::lost::{is_corrupt, mark, marked, move_aside};
use super::mark::Mark;
use super::patience::{Parting, wait_for};
use super::pauses::{self, Pauses};
use super::pins;
use super::queue::Queue;
use super::retention::Retained;
use super::tally::Tally;
use super::vault::{Changes, Vault, engine};
use crate::model::{AccountId, Note};

/// How to open.
#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    /// sled's cache, in bytes. Not a limit.
    pub cache_bytes: u64,
    /// The time, for the name of a database that is moved aside.
    pub opened_at: Timestamp,
    /// How long another process may take to let go of the state directory.
    pub patience: Duration,
}

/// The default cache: 64 MiB.
///
/// Measured with 100,000 orders of 1 to 2 lines, each seen by two report families, with buyer,
/// mapping and two partners (98 MiB of keys and values), resident after everything was delivered and
/// then after six passes that rewrote every order twice:
///
/// | cache | after delivery | after six passes | orders taken per second |
/// | --- | --- | --- | --- |
/// | 64 MiB | 106–119 MiB | 93 MiB, flat | 15,000 |
/// | 96 MiB | – | 118 MiB, flat | – |
/// | 128 MiB | – | 147 MiB | – |
/// | 256 MiB | 207 MiB | 229 MiB | 31,000 |
///
/// 1,000,000 queued orders (463 MiB of keys and values): 207 MiB resident with 64 MiB, 459 MiB
/// with 256 MiB. Far smaller caches are a trap: sled then needs a multiple of its data.
pub const DEFAULT_CACHE_BYTES: u64 = 64 * 1024 * 1024;

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            cache_bytes: DEFAULT_CACHE_BYTES,
            opened_at: Timestamp::UNIX_EPOCH,
            patience: Duration::ZERO,
        }
    }
}

const INSTALLATION: &[u8] = b"installation";
const EPOCH: &[u8] = b"epoch";
/// What retention remembers.
pub(super) const RETENTION: &[u8] = b"retention";

impl Store {
    /// Opens the state directory, and makes what is not there yet.
    pub fn open(dir: &Path, keys: &StoreKeys, options: StoreOptions) -> Result<Self, StoreError> {
        // Before the lock: what another version wrote stays as it is, to the byte.
        refuse_other_versions(dir)?;
        make_dir(dir)?;
        let lock = lock(dir, options.patience)?;
        // Whoever had the lock may have been of another version.
        refuse_other_versions(dir)?;
        // Its head proves the master key before anything is held against the database.
        let mut journal = if Journal::stands(dir) { Some(Journal::open(dir, keys)?) } else { None };
        let proven = journal.is_some();
        let (room, moved_aside) = match EngineRoom::enter(dir, keys, options) {
            Err(error) if is_corrupt(&error, proven, keys.masters.len() == 1) => {
                // A disk that fails is no damage: nothing is moved because of it.
                prove_disk(dir)?;
                let schema_too = matches!(error, StoreError::BadSchema { .. });
                let aside = move_aside(dir, schema_too, options.opened_at)?;
                tracing::error!(error = %error, aside = %aside.display(),
                    "the database could not be read and was moved aside");
                (EngineRoom::enter(dir, keys, options)?, Some(aside))
            }
            entered => (entered?, None),
        };
        let barrier = Barrier::new(&dir.join(STORE_DIR), &room.config)
            .inspect_err(|_| std::mem::forget(room.db.clone()))?;
        let barrier = Arc::new(barrier);
        // From here on an error leaves nothing unwritten behind, or all of it.
        let parting = Parting::new(room.db.clone(), Arc::clone(&barrier));
        let journal = match journal.take() {
            Some(journal) => journal,
            None => Journal::open(dir, keys)?,
        };
        let days = DayKeys::open(&dir.join(DAYKEY_DIR), Keyring::new(keys))?;
        let EngineRoom {
            db,
            config: _,
            vault,
            installation,
            accounts,
            epoch,
            tallies,
            mut changes,
        } = room;
        let installation = match installation {
            Some(id) => id,
            None => begin(&vault, &mut changes, &journal, keys, moved_aside.is_some(), options)?,
        };
        vault.apply(&changes)?;
        let none = Changes::default();
        let retained: Retained =
            vault.read(&none, Tree::Meta, RETENTION)?.map(|(kept, _)| kept).unwrap_or_default();
        days.set_terms(|today| retained.terms(today));
        let lost = marked(&vault)?;
        let (mark, journal_early) = Mark::load(&vault, &journal)?;
        let pauses = Pauses::load(&vault, &Changes::default(), &accounts)?;
        barrier.wait(&db)?;
        // Four thousand million leases to each opening.
        let fence = epoch.saturating_add(1).saturating_mul(1 << 32);
        Ok(Self {
            parting,
            path: dir.to_owned(),
            vault,
            db,
            days,
            accounts,
            barrier,
            journal,
            queue: Mutex::new(Queue::new(tallies, fence)),
            pauses: Mutex::new(pauses),
            retained: Mutex::new(retained),
            installation,
            lost: RwLock::new(lost),
            moved_aside,
            mark,
            journal_early,
            _lock: lock,
        })
    }
}

/// The opened database and what was read of it first.
struct EngineRoom {
    db: sled::Db,
    config: sled::Config,
    vault: Vault,
    /// None where the database is new.
    installation: Option<String>,
    accounts: Accounts,
    epoch: u64,
    tallies: BTreeMap<AccountTag, Tally>,
    changes: Changes,
}

impl EngineRoom {
    /// Opens the database. A panic inside the engine is an error like others.
    fn enter(dir: &Path, keys: &StoreKeys, options: StoreOptions) -> Result<Self, StoreError> {
        let opened = std::panic::catch_unwind(|| Self::open(dir, keys, options));
        opened.unwrap_or_else(|_| {
            Err(StoreError::Engine {
                doing: "opening",
                path: dir.join(STORE_DIR),
                reason: "it panicked".to_owned(),
                corrupt: true,
                disk: None,
            })
        })
    }

    fn open(dir: &Path, keys: &StoreKeys, options: StoreOptions) -> Result<Self, StoreError> {
        let store = dir.join(STORE_DIR);
        check_schema(dir, &store)?;
        make_store(dir, &store)?;
        sweep(&store)?;
        blobs_empty(dir)?;
        let (db, config) = open_sled(&store, options.cache_bytes)?;
        let kept = db.clone();
        Self::on(db, config, dir, keys).inspect_err(|error| {
            if error.is_disk() {
                // sled syncs while it is dropped, and panics where the disk refuses that.
                std::mem::forget(kept);
            }
        })
    }

    fn on(
        db: sled::Db,
        config: sled::Config,
        dir: &Path,
        keys: &StoreKeys,
    ) -> Result<Self, StoreError> {
        let store = dir.join(STORE_DIR);
        sync_dir(&store)?;
        sync_dir(dir)?;
        let vault = Vault::open(&db, &store, Keyring::new(keys))?;
        let mut changes = Changes::default();
        let installation = installation(&vault, &mut changes)?;
        let accounts = Accounts::load(&vault, &mut changes, keys)?;
        let (epoch, cells): (u64, u16) =
            vault.read(&changes, Tree::Meta, EPOCH)?.unwrap_or_default();
        vault.write(&mut changes, Tree::Meta, EPOCH, &epoch.saturating_add(1), cells)?;
        let mut tallies = BTreeMap::new();
        for account in accounts.all() {
            let found = vault.read(&changes, Tree::Meta, &meta_key(TALLY, account.tag))?;
            if let Some((tally, _)) = found {
                let _new: Option<Tally> = tallies.insert(account.tag, tally);
            }
        }
        Ok(Self { db, config, vault, installation, accounts, epoch, tallies, changes })
    }
}

/// A new database: under the id that the decision journal knows, and with its accounts marked as
/// lost where there was an earlier one.
fn begin(
    vault: &Vault,
    changes: &mut Changes,
    journal: &Journal,
    keys: &StoreKeys,
    moved: bool,
    options: StoreOptions,
) -> Result<String, StoreError> {
    let mut known = None;
    let mut pauses = pauses::Told::default();
    let mut pins = BTreeMap::new();
    let mut lived = moved;
    let mut accounts: BTreeSet<AccountId> = keys.id_keys.keys().cloned().collect();
    let _report = journal.for_each(|note| {
        accounts.extend(note.account().cloned());
        pauses.hear(&note);
        if let Note::Pin { account, pin } = &note {
            pins.insert(account.clone(), pin.clone());
        }
        match note {
            Note::Installation { id } => known = Some(id),
            _ => lived = true,
        }
    })?;
    pauses.restore(vault, changes)?;
    pins::restore(vault, changes, &pins)?;
    if lived {
        mark(vault, changes, &accounts, options.opened_at)?;
    }
    let id = if let Some(id) = known {
        id
    } else {
        let mut random = [0_u8; 8];
        rand::rngs::OsRng.fill_bytes(&mut random);
        let id = hex(&random);
        journal.append(&[Note::Installation { id: id.clone() }])?;
        id
    };
    vault.write(changes, Tree::Meta, INSTALLATION, &id, 0)?;
    Ok(id)
}

/// How long an earlier handle of this process may take to let go of the database.
const LET_GO: Duration = Duration::from_secs(10);

fn open_sled(store: &Path, cache_bytes: u64) -> Result<(sled::Db, sled::Config), StoreError> {
    let config = sled::Config::new()
        .path(store)
        .cache_capacity(cache_bytes)
        .mode(sled::Mode::LowSpace)
        .use_compression(false)
        .flush_every_ms(Some(500));
    let started = Instant::now();
    loop {
        match config.open() {
            // A dropped handle lives on until its last write on sled's own threads is done. It
            // keeps sled's lock that long; we have ours, so nobody else can be meant.
            Err(sled::Error::Io(error))
                if error.to_string().contains("could not acquire lock")
                    && started.elapsed() < LET_GO =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(db) => return Ok((db, config)),
            Err(error) => return Err(engine(store, "opening", &error)),
        }
    }
}

/// Opens and closes a sled folder that nobody has open, under the caller's lock.
///
/// sled writes its snapshot only while opening, and reads the whole log since the last one at the
/// next: with 100,000 orders taken since, an opening took 0.33 s, and the one after it 0.05 s.
/// Doing it once at a clean stop moves that time out of the next start.
pub(super) fn snapshot(dir: &Path) -> Result<(), StoreError> {
    let store = dir.join(STORE_DIR);
    let (db, config) = open_sled(&store, DEFAULT_CACHE_BYTES)?;
    shut(&store, db, &config)?;
    sync_dir(&store)
}

fn make_dir(dir: &Path) -> Result<(), StoreError> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(dir)
        .map_err(StoreError::io("making the folder", dir))
}

/// Closes sled: it flushes while it is dropped, and panics where the disk refuses that.
fn shut(store: &Path, db: sled::Db, config: &sled::Config) -> Result<(), StoreError> {
    let dropped = wait_for(config, move || catch_unwind(AssertUnwindSafe(|| drop(db))).is_ok());
    match dropped {
        Ok(true) => Ok(()),
        Ok(false) => Err(StoreError::Unsynced { path: store.to_owned() }),
        Err(error) => Err(engine(store, "closing", &error)),
    }
}

/// Makes an empty store where there is none, whole or not at all.
fn make_store(dir: &Path, store: &Path) -> Result<(), StoreError> {
    if store.is_dir() {
        return Ok(());
    }
    let aside = dir.join("store.new");
    if aside.exists() {
        fs::remove_dir_all(&aside).map_err(StoreError::io("removing", &aside))?;
    }
    make_dir(&aside)?;
    let (db, config) = open_sled(&aside, DEFAULT_CACHE_BYTES)?;
    shut(&aside, db, &config)?;
    for name in ["conf", "db"] {
        let path = aside.join(name);
        File::open(&path)
            .and_then(|file| file.sync_all())
            .map_err(StoreError::io("syncing", &path))?;
    }
    sync_dir(&aside)?;
    fs::rename(&aside, store).map_err(StoreError::io("renaming", &aside))?;
    sync_dir(dir)
}

/// Writes, syncs and removes a file.
fn prove_disk(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join("probe.new");
    File::create(&path)
        .and_then(|mut file| file.write_all(&[0; 4096]).and_then(|()| file.sync_all()))
        .and_then(|()| fs::remove_file(&path))
        .map_err(StoreError::io("trying the disk with", &path))?;
    sync_dir(dir)
}

fn lock(dir: &Path, patience: Duration) -> Result<File, StoreError> {
    let path = dir.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(StoreError::io("opening the lock", &path))?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // A command that reads the state while no daemon runs has it for a moment.
            Err(TryLockError::WouldBlock) if started.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Busy { path: dir.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::io("locking", path)(error)),
        }
    }
}

/// Refuses a state directory that another version wrote; reads two small files and changes nothing.
/// A file SCHEMA that says nothing is no version, and left to [`check_schema`].
fn refuse_other_versions(dir: &Path) -> Result<(), StoreError> {
    let text = fs::read_to_string(dir.join(SCHEMA_FILE)).unwrap_or_default();
    if let Ok(found) = text.trim().parse() {
        let (path, known) = (dir.to_owned(), u32::from(SCHEMA));
        match layout::version(found) {
            Version::Older(reads) => {
                return Err(StoreError::OlderSchema { path, found, known, reads });
            }
            Version::Newer => return Err(StoreError::NewerSchema { path, found, known }),
            Version::Known | Version::None => {}
        }
    }
    journal::refuse_other_versions(dir)
}

/// Reads the schema; writes it where there is no store yet.
fn check_schema(dir: &Path, store: &Path) -> Result<(), StoreError> {
    let path = dir.join(SCHEMA_FILE);
    let bad = || StoreError::BadSchema { path: path.clone() };
    match fs::read_to_string(&path) {
        Ok(text) => {
            let found: u32 = text.trim().parse().map_err(|_| bad())?;
            if layout::version(found) == Version::Known { Ok(()) } else { Err(bad()) }
        }
        // Written before the store is made: a store without it lost it.
        Err(error) if error.kind() == ErrorKind::NotFound && store.exists() => Err(bad()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Aside first: a crash leaves no empty schema that would refuse the next start.
            let aside = dir.join("SCHEMA.new");
            let mut file = File::create(&aside).map_err(StoreError::io("creating", &aside))?;
            file.write_all(format!("{SCHEMA}\n").as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(StoreError::io("writing", &aside))?;
            fs::rename(&aside, &path).map_err(StoreError::io("renaming", &aside))?;
            sync_dir(dir)
        }
        Err(error) => Err(StoreError::io("reading", path)(error)),
    }
}

/// Removes snapshots that sled did not finish.
fn sweep(store: &Path) -> Result<(), StoreError> {
    let listed = fs::read_dir(store).map_err(StoreError::io("listing", store))?;
    for entry in listed {
        let path = entry.map_err(StoreError::io("listing", store))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(&path).map_err(StoreError::io("removing", &path))?;
        }
    }
    Ok(())
}

/// Refuses a state directory in which sled wrote blob files.
pub(super) fn blobs_empty(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(STORE_DIR).join("blobs");
    match fs::read_dir(&path) {
        Ok(mut listed) => match listed.next() {
            None => Ok(()),
            Some(_) => Err(StoreError::Blobs { path }),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StoreError::io("listing", path)(error)),
    }
}

/// The installation id; the first value that the master key must open.
fn installation(vault: &Vault, changes: &mut Changes) -> Result<Option<String>, StoreError> {
    match vault.read(changes, Tree::Meta, INSTALLATION) {
        Ok(Some((id, cells))) => {
            let id: String = id;
            // Under the current key from now on, so that the next opening checks that one.
            vault.write(changes, Tree::Meta, INSTALLATION, &id, cells)?;
            Ok(Some(id))
        }
        Ok(None) => Ok(None),
        Err(StoreError::Damaged { .. }) => {
            Err(StoreError::WrongKey { key_id: vault.current_key().to_owned() })
        }
        Err(error) => Err(error),
    }
}
