//! What lies in `incoming/` and nobody has read yet: counted, not looked into.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime};

use super::SpoolDirs;
use super::scan::is_passed_over;

/// More names than this are not looked at: then it is so many at the least.
const MOST: usize = 500_000;

/// Files that wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unread {
    /// How many, sidecars not counted.
    pub files: u64,
    /// When the oldest of them came there.
    pub oldest: Option<SystemTime>,
}

/// Counts what waits in an account's `incoming/`.
pub fn unread(dirs: &SpoolDirs) -> io::Result<Unread> {
    let mut names: HashSet<OsString> = HashSet::new();
    let mut oldest: Option<i64> = None;
    for entry in fs::read_dir(&dirs.incoming)?.take(MOST) {
        let entry = entry?;
        let name = entry.file_name();
        if is_passed_over(&name) {
            continue;
        }
        let meta = match entry.metadata() {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if meta.is_file() {
            // A copied file keeps the time of its last change; this is when it got its name.
            oldest = Some(oldest.map_or(meta.ctime(), |known| known.min(meta.ctime())));
            names.insert(name);
        }
    }
    let sidecar = |name: &OsString| {
        let document = name.as_bytes().strip_suffix(b".json").map(OsStr::from_bytes);
        document.is_some_and(|document| names.contains(document))
    };
    let files = names.iter().filter(|name| !sidecar(name)).count();
    let since = |seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    Ok(Unread {
        files: u64::try_from(files).unwrap_or(u64::MAX),
        oldest: oldest.and_then(|at| u64::try_from(at).ok()).and_then(since),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn night_p8_what_waits_is_counted_before_it_is_read() {
        let root = tempfile::tempdir().unwrap();
        let dirs = SpoolDirs::new(root.path(), "eu");
        dirs.prepare().unwrap();
        assert_eq!(unread(&dirs).unwrap(), Unread::default());
        for name in ["a.txt", "a.txt.json", "b.json", ".hidden", "c.part", "d.tmp"] {
            fs::write(dirs.incoming.join(name), b"x").unwrap();
        }
        fs::create_dir(dirs.incoming.join("folder")).unwrap();
        let found = unread(&dirs).unwrap();
        assert_eq!(found.files, 2);
        assert!(found.oldest.is_some());
    }
}
