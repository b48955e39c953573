//! Reads the store when no daemon runs.
//!
//! Promises: never touches a store that is in use (the lock decides), and never opens one as
//! another user than its owner: files made by root would keep the daemon from starting.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use crate::clock::{Clock as _, System};
use crate::config::{Keys, Settings};
use crate::control::{Absent, Handle};
use crate::store::StoreError;

/// Why the store cannot be read without the daemon.
#[derive(Debug, thiserror::Error)]
pub(super) enum OfflineError {
    /// The state directory does not exist: the daemon never ran. Start it.
    #[error("{}: there is nothing yet: the daemon never ran", path.display())]
    NeverRan {
        /// The state directory.
        path: PathBuf,
    },
    /// The state directory cannot be looked at. Ask as its owner or as root.
    #[error("{}: {source}", path.display())]
    Unreachable {
        /// The state directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The store belongs to another user. Start the daemon, or ask as that user.
    #[error("{}: belongs to user {owner}, and without the daemon only that user may read it", path.display())]
    NotOwner {
        /// The state directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// The store does not open; its message says why.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the store of these settings for reading.
pub(super) fn open(settings: Settings, keys: &Keys) -> Result<Handle, OfflineError> {
    let store = crate::daemon::open_store(&settings, keys)?;
    Ok(Handle {
        store: Arc::new(store),
        settings: Arc::new(RwLock::new(Arc::new(settings))),
        clock: Arc::new(System),
        desk: Arc::new(Absent { since: System.now() }),
    })
}

/// Whether this user may open the store; asked before the keys are read.
pub(super) fn readable(settings: &Settings) -> Result<(), OfflineError> {
    let path = settings.state.dir.clone();
    let found = match std::fs::metadata(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(OfflineError::NeverRan { path });
        }
        Err(source) => return Err(OfflineError::Unreachable { path, source }),
    };
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(OfflineError::NotOwner { path, owner: found.uid() });
    }
    match std::fs::read_dir(&path).map(|mut entries| entries.next().is_none()) {
        Ok(false) => Ok(()),
        Ok(true) => Err(OfflineError::NeverRan { path }),
        Err(source) => Err(OfflineError::Unreachable { path, source }),
    }
}
