//! Day keys: one random key per UTC day, under which the buyers that arrive that day are sealed.
//!
//! They live in a folder of their own, wrapped by the master key and kept out of backups: an old
//! backup plus today's master key opens no buyer. A key is on the disk before its first use.
//! A key whose day is overdue by the clock ([`DayKeys::look`]) or destroyed does not open, whatever lies
//! in the folder. A missing key is not an expired one (`store::layout`).

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rand::RngCore as _;
use zeroize::Zeroizing;

use super::error::StoreError;
use super::keys::{Cipher, Keyring};
use super::layout::hex;
use super::retention::Terms;
use super::seal::{self, Seal};

/// What backup programs look for (bford.info/cachedir).
const CACHEDIR_TAG: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55\n\
# Day keys of odoo-spoold. They must not be in a backup: without them, expired buyers stay expired.\n";
/// What a wrapped key's associated data names in place of a tree.
const SPACE: &str = "daykey";

/// The folder of day keys.
#[derive(Debug)]
pub(super) struct DayKeys {
    dir: PathBuf,
    keyring: Keyring,
    cache: Mutex<BTreeMap<Date, Cached>>,
    terms: Mutex<Terms>,
}

/// What is to be had of a day's key.
pub(super) enum KeyState {
    /// The key.
    Open(Cipher),
    /// It may be there, and is not given out: overdue by the clock, or the disk or a master key
    /// that is not given keep it from us. Nothing is lost.
    Locked,
    /// Destroyed.
    Expired,
    /// Gone, or not what it was, and nobody destroyed it.
    Missing,
}

struct Cached(Cipher);

impl std::fmt::Debug for Cached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cached(…)")
    }
}

/// The UTC day of an instant.
pub(super) fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

impl DayKeys {
    /// The folder at `dir`; made if it is not there.
    pub(super) fn open(dir: &Path, keyring: Keyring) -> Result<Self, StoreError> {
        if !dir.is_dir() {
            fs::DirBuilder::new()
                .mode(0o700)
                .create(dir)
                .map_err(StoreError::io("making the folder", dir))?;
        }
        let tag = dir.join("CACHEDIR.TAG");
        if fs::read(&tag).ok().as_deref() != Some(CACHEDIR_TAG) {
            fs::write(&tag, CACHEDIR_TAG).map_err(StoreError::io("writing", &tag))?;
        }
        let keys =
            Self { dir: dir.to_owned(), keyring, cache: Mutex::default(), terms: Mutex::default() };
        keys.remove_halves()?;
        Ok(keys)
    }

    /// Keys that a crash kept from getting their name sealed nothing.
    fn remove_halves(&self) -> Result<(), StoreError> {
        let listed = fs::read_dir(&self.dir).map_err(StoreError::io("listing", &self.dir))?;
        for entry in listed {
            let path = entry.map_err(StoreError::io("listing", &self.dir))?.path();
            if path.extension().is_some_and(|end| end == "new") {
                erase(&path)?;
            }
        }
        Ok(())
    }

    /// The clock says `now`: from here on what is overdue by it does not open.
    pub(super) fn look(&self, now: Timestamp) {
        let today = day_of(now);
        let mut terms = self.terms.lock().unwrap_or_else(PoisonError::into_inner);
        if terms.today != Some(today) {
            terms.today = Some(today);
            let terms = terms.clone();
            self.forget(|day| terms.is_overdue(day));
        }
    }

    /// Other marks hold from here on.
    pub(super) fn set_terms(&self, marks: impl FnOnce(Option<Date>) -> Terms) {
        let mut terms = self.terms.lock().unwrap_or_else(PoisonError::into_inner);
        *terms = marks(terms.today);
        let terms = terms.clone();
        self.forget(|day| terms.is_overdue(day) || terms.destroyed.contains(&day));
    }

    /// What holds now.
    pub(super) fn terms(&self) -> Terms {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Drops keys from memory, which wipes them.
    fn forget(&self, gone: impl Fn(Date) -> bool) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|day, _| !gone(*day));
    }

    /// Whether a day has a key in the folder.
    pub(super) fn has_file(&self, day: Date) -> bool {
        self.path(day).exists()
    }

    /// Destroys the key of a day that is marked as destroyed: overwritten, unlinked, synced. Again
    /// after a crash anywhere in it.
    pub(super) fn erase(&self, day: Date) -> Result<(), StoreError> {
        self.forget(|cached| cached == day);
        erase(&self.path(day))
    }

    /// The key to seal under on `day`. Made, and synced, if there is none.
    pub(super) fn for_sealing(&self, day: Date) -> Result<Cipher, StoreError> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Cached(cipher)) = cache.get(&day) {
            return Ok(Arc::clone(cipher));
        }
        let cipher = match self.load(day)? {
            Some(cipher) => cipher,
            None => self.make(day)?,
        };
        cache.insert(day, Cached(Arc::clone(&cipher)));
        Ok(cipher)
    }

    /// The key that sealed values of `day`, if it may be used.
    pub(super) fn for_opening(&self, day: Date) -> Result<KeyState, StoreError> {
        {
            let terms = self.terms.lock().unwrap_or_else(PoisonError::into_inner);
            if terms.destroyed.contains(&day) {
                return Ok(KeyState::Expired);
            }
            if terms.is_overdue(day) {
                return Ok(KeyState::Locked);
            }
        }
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Cached(cipher)) = cache.get(&day) {
            return Ok(KeyState::Open(Arc::clone(cipher)));
        }
        match self.load(day) {
            Ok(Some(cipher)) => {
                cache.insert(day, Cached(Arc::clone(&cipher)));
                Ok(KeyState::Open(cipher))
            }
            // A key file that does not open is as good as none: the sealed file has the payload.
            Ok(None) | Err(StoreError::Damaged { .. }) => Ok(KeyState::Missing),
            Err(StoreError::Io { .. } | StoreError::UnknownKey { .. }) => Ok(KeyState::Locked),
            Err(error) => Err(error),
        }
    }

    /// The days that have a key, oldest first.
    pub(super) fn days(&self) -> Result<Vec<Date>, StoreError> {
        let listed = fs::read_dir(&self.dir).map_err(StoreError::io("listing", &self.dir))?;
        let mut days = Vec::new();
        for entry in listed {
            let entry = entry.map_err(StoreError::io("listing", &self.dir))?;
            let name = entry.file_name();
            let day = name.to_str().and_then(|name| name.strip_suffix(".key"));
            days.extend(day.and_then(|day| day.parse::<Date>().ok()));
        }
        days.sort_unstable();
        Ok(days)
    }

    fn path(&self, day: Date) -> PathBuf {
        self.dir.join(format!("{day}.key"))
    }

    fn load(&self, day: Date) -> Result<Option<Cipher>, StoreError> {
        let path = self.path(day);
        let sealed = match fs::read(&path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("reading", path)(error)),
        };
        let damaged = || StoreError::Damaged { tree: "daykeys", key: day.to_string() };
        let seal = Seal::parse(&sealed).map_err(|_| damaged())?;
        let cipher = self
            .keyring
            .day_keys(seal.key_id)
            .ok_or_else(|| StoreError::UnknownKey { key_id: seal.key_id.to_owned() })?;
        let aad = seal::associated(SPACE, day.to_string().as_bytes(), b"");
        let plain = seal.open(&cipher, &aad).map(Zeroizing::new).map_err(|_| damaged())?;
        let key: &[u8; 32] = plain.as_slice().try_into().map_err(|_| damaged())?;
        Ok(Some(Arc::new(XChaCha20Poly1305::new(key.into()))))
    }

    fn make(&self, day: Date) -> Result<Cipher, StoreError> {
        let mut key = Zeroizing::new([0_u8; 32]);
        rand::rngs::OsRng.fill_bytes(&mut *key);
        let id = self.keyring.current_id();
        let unknown = || StoreError::UnknownKey { key_id: id.to_owned() };
        let master = self.keyring.day_keys(id).ok_or_else(unknown)?;
        let aad = seal::associated(SPACE, day.to_string().as_bytes(), b"");
        let sealed = seal::seal(&master, id, &aad, &*key).ok_or_else(unknown)?;

        // Written aside and renamed: a crash leaves no half key that would block the day.
        let path = self.path(day);
        let mut salt = [0_u8; 4];
        rand::rngs::OsRng.fill_bytes(&mut salt);
        let aside = self.dir.join(format!("{day}.{}.new", hex(&salt)));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&aside)
            .map_err(StoreError::io("creating", &aside))?;
        file.write_all(&sealed).map_err(StoreError::io("writing", &aside))?;
        file.sync_all().map_err(StoreError::io("syncing", &aside))?;
        fs::rename(&aside, &path).map_err(StoreError::io("renaming", &aside))?;
        sync_dir(&self.dir)?;
        Ok(Arc::new(XChaCha20Poly1305::new((&*key).into())))
    }
}

/// Overwrites and unlinks a small file, durably. One that is not there is well.
fn erase(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).open(path) {
        Ok(mut file) => {
            let length = file.metadata().map_err(StoreError::io("looking at", path))?.len();
            let zeros = vec![0_u8; usize::try_from(length.min(4096)).unwrap_or(4096)];
            file.write_all(&zeros).map_err(StoreError::io("overwriting", path))?;
            file.sync_all().map_err(StoreError::io("syncing", path))?;
            fs::remove_file(path).map_err(StoreError::io("removing", path))?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(StoreError::io("overwriting", path)(error)),
    }
    // Also where it was gone: the crash may have come before the folder was synced.
    sync_dir(path.parent().unwrap_or(path))
}

/// Makes names in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(StoreError::io("syncing the folder", dir))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::keys::{Secret, StoreKeys};

    fn keyring(byte: u8) -> Keyring {
        Keyring::new(&StoreKeys::new("m1", Secret::new(Box::new([byte; 32]))).unwrap())
    }

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daykeys");
        let day: Date = "2025-11-21".parse().unwrap();
        let keys = DayKeys::open(&path, keyring(1)).unwrap();
        assert!(matches!(keys.for_opening(day).unwrap(), KeyState::Missing));
        let sealed = seal::seal(&keys.for_sealing(day).unwrap(), "x", b"a", b"hello").unwrap();

        let again = DayKeys::open(&path, keyring(1)).unwrap();
        let KeyState::Open(cipher) = again.for_opening(day).unwrap() else { panic!("no key") };
        assert_eq!(Seal::parse(&sealed).unwrap().open(&cipher, b"a").unwrap(), b"hello");
        assert_eq!(again.days().unwrap(), [day]);
        assert!(path.join("CACHEDIR.TAG").exists());
        // Under another master key it is as good as none.
        assert!(matches!(
            DayKeys::open(&path, keyring(2)).unwrap().for_opening(day),
            Ok(KeyState::Missing)
        ));
    }

    #[test]
    fn overdue_keys_are_locked_and_destroyed_ones_expired() {
        let dir = tempfile::tempdir().unwrap();
        let keys = DayKeys::open(dir.path(), keyring(1)).unwrap();
        let day: Date = "2025-11-21".parse().unwrap();
        let _made = keys.for_sealing(day).unwrap();
        let open = |keys: &DayKeys| matches!(keys.for_opening(day).unwrap(), KeyState::Open(_));
        keys.look("2025-12-21T23:59:59Z".parse().unwrap());
        assert!(open(&keys));
        keys.look("2025-12-22T00:00:00Z".parse().unwrap());
        assert!(matches!(keys.for_opening(day).unwrap(), KeyState::Locked));
        keys.look("2025-12-21T00:00:00Z".parse().unwrap());
        assert!(open(&keys), "it opens again when the clock returns");

        keys.set_terms(|today| Terms { today, destroyed: [day].into(), ..Terms::default() });
        assert!(matches!(keys.for_opening(day).unwrap(), KeyState::Expired));
        assert!(keys.has_file(day), "the mark comes first");
        keys.erase(day).unwrap();
        keys.erase(day).unwrap();
        assert!(!keys.has_file(day));
        assert!(matches!(keys.for_opening(day).unwrap(), KeyState::Expired));
    }

    #[test]
    fn a_half_made_key_does_not_stay() {
        let dir = tempfile::tempdir().unwrap();
        drop(DayKeys::open(dir.path(), keyring(1)).unwrap());
        let half = dir.path().join("2025-11-21.00000000.new");
        fs::write(&half, b"x").unwrap();
        drop(DayKeys::open(dir.path(), keyring(1)).unwrap());
        assert!(!half.exists());
    }

    #[test]
    fn a_key_renamed_to_another_day_does_not_open() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two): (Date, Date) =
            ("2025-11-21".parse().unwrap(), "2025-11-22".parse().unwrap());
        let keys = DayKeys::open(dir.path(), keyring(1)).unwrap();
        let _made = keys.for_sealing(one).unwrap();
        fs::rename(keys.path(one), keys.path(two)).unwrap();
        assert!(matches!(keys.for_opening(two).unwrap(), KeyState::Missing));
    }
}
