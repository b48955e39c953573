//! Keys that are gone from a host that had some: no new ones take their place by themselves.
//!
//! New keys beside an existing state open nothing of it, and an account that forgets its external
//! ids makes every buyer again. Looks at names only: the state is closed to everybody but the daemon.

use std::io;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::secrets::newest_keys_path;
use super::settings::Settings;

/// What the state directory holds once a daemon ran with keys.
pub const MADE_WITH_KEYS: [&str; 4] = ["store", "journal", "daykeys", "SCHEMA"];

/// What to do about keys that are gone.
pub const RESTORE_KEYS: &str = "odoo-spoold setup --restore RECOVERY-FILE; only if there is none: \
     setup --new-keys (what is sealed stays closed, and each account \
     is paused, id-key-differs, until its marker in Odoo is removed)";

/// What shows that there were keys here: the state directory, or else the file that names the newest
/// ones. None: nothing does, or this user may not look.
pub fn keys_were_here(config: &Path, state: &Path) -> Option<PathBuf> {
    let stands = |name: &&str| state.join(name).symlink_metadata().is_ok();
    if MADE_WITH_KEYS.iter().any(stands) {
        return Some(state.to_owned());
    }
    let newest = newest_keys_path(config);
    let named = std::fs::read_to_string(&newest).is_ok_and(|text| !text.trim().is_empty());
    named.then_some(newest)
}

impl ConfigError {
    /// Whether there are no keys at all where they should be.
    pub fn is_without_keys(&self) -> bool {
        matches!(self, Self::NoKeys { .. } | Self::KeysGone { .. })
    }

    /// The same; where there were keys before, that they are gone.
    #[must_use]
    pub fn or_gone(self, config: &Path, settings: &Settings) -> Self {
        match (&self, keys_were_here(config, &settings.state.dir)) {
            (Self::NoKeys { .. }, Some(trace)) => Self::KeysGone { trace },
            _ => self,
        }
    }

    /// A keys file or credential that cannot be read: not there at all is another thing.
    pub(super) fn of_keys(path: &Path, source: io::Error) -> Self {
        if source.kind() != io::ErrorKind::NotFound {
            return Self::Unreadable { path: path.to_owned(), source };
        }
        Self::NoKeys {
            what: format!("there is no {}", path.display()),
            cure: "make keys with `odoo-spoold setup`, as root".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_or_a_name_shows_that_there_were_keys() {
        let dir = tempfile::tempdir().unwrap();
        let (config, state) = (dir.path().join("config.toml"), dir.path().join("state"));
        std::fs::create_dir(&state).unwrap();
        assert_eq!(keys_were_here(&config, &state), None);
        std::fs::write(dir.path().join("keys.newest"), "\n").unwrap();
        assert_eq!(keys_were_here(&config, &state), None);
        std::fs::write(dir.path().join("keys.newest"), "abc\n").unwrap();
        assert_eq!(keys_were_here(&config, &state), Some(dir.path().join("keys.newest")));
        std::fs::create_dir(state.join("journal")).unwrap();
        assert_eq!(keys_were_here(&config, &state), Some(state));
    }
}
