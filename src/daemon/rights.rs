//! Whose is what the state holds, where opening it was refused: the one line that helps.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::DaemonError;

/// Entries of the state directory that are looked at, at most.
const MOST: usize = 10_000;

/// The error as it is, or that a file belongs to somebody else, where that is why.
pub(super) fn explained(error: DaemonError, state: &Path) -> DaemonError {
    let DaemonError::Store(found) = &error else { return error };
    if found.disk() != Some(ErrorKind::PermissionDenied) {
        return error;
    }
    let me = rustix::process::geteuid().as_raw();
    let Some((path, owner)) = stranger(state, me) else { return error };
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    DaemonError::Rights {
        path,
        owner: user_name(&users, owner),
        wanted: user_name(&users, me),
        dir: state.to_owned(),
    }
}

/// The first thing that belongs to somebody else, and to whom.
fn stranger(dir: &Path, me: u32) -> Option<(PathBuf, u32)> {
    let mut waiting = vec![dir.to_owned()];
    for _ in 0..MOST {
        let path = waiting.pop()?;
        let Ok(meta) = path.symlink_metadata() else { continue };
        if meta.uid() != me {
            return Some((path, meta.uid()));
        }
        if meta.is_dir()
            && let Ok(entries) = std::fs::read_dir(&path)
        {
            waiting.extend(entries.flatten().map(|entry| entry.path()));
        }
    }
    None
}

/// The name of a local user, or its number.
fn user_name(users: &str, uid: u32) -> String {
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("uid {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn night_p6_whose_it_is_and_whose_it_must_be_stands_in_one_line() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("store")).unwrap();
        let me = rustix::process::geteuid().as_raw();
        assert_eq!(stranger(dir.path(), me), None);
        // Whoever runs this, nothing here belongs to that user.
        assert_eq!(stranger(dir.path(), me + 1), Some((dir.path().to_owned(), me)));
        let users = "root:x:0:0::/:/bin/sh\nodoo-spoold:x:994:994::/:/bin/false\n";
        let error = DaemonError::Rights {
            path: "/var/lib/odoo-spoold/store/db".into(),
            owner: user_name(users, 0),
            wanted: user_name(users, 994),
            dir: "/var/lib/odoo-spoold".into(),
        };
        assert_eq!(
            error.to_string(),
            "/var/lib/odoo-spoold/store/db belongs to root, must belong to odoo-spoold: chown -R \
             odoo-spoold: /var/lib/odoo-spoold"
        );
        assert!(error.is_configuration());
        assert_eq!(user_name(users, 7), "uid 7");
    }

    #[test]
    fn night_p6_a_full_disk_wants_room_and_a_restart_and_rights_want_a_person() {
        let io = |kind: ErrorKind| StoreError::Io {
            doing: "writing",
            path: "/s/store/db".into(),
            source: kind.into(),
        };
        let full = DaemonError::from(io(ErrorKind::StorageFull));
        assert!(full.to_string().ends_with("make room on that disk"), "{full}");
        assert!(!full.is_configuration());
        let engine = |disk| StoreError::Engine {
            doing: "opening",
            path: "/s/store".into(),
            reason: "IO error: No space left on device (os error 28)".into(),
            corrupt: false,
            disk,
        };
        let text = engine(Some(ErrorKind::StorageFull)).to_string();
        assert!(text.ends_with("make room on that disk") && !text.contains("is lost"), "{text}");
        assert!(engine(None).to_string().contains("When the state is lost"));
        assert!(DaemonError::from(io(ErrorKind::PermissionDenied)).is_configuration());
    }
}
