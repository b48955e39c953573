//! What the daemon itself puts into `incoming/`: documents that came over the control socket, and files of
//! `done/` that are to be read again.
//!
//! It promises: the document appears under its name whole and durable, its sidecar before it; a failure
//! leaves nothing behind, and what a crash leaves behind [`sweep`] takes away at the next start. Only files
//! of the daemon's own user with a name of this shape are swept. What was swept had not been accepted:
//! whoever handed it over was not told that it had been.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::claim::PRIVATE_FILE_MODE;
use super::disk::{self, Disk, Os};
use super::{FileId, SpoolDirs, layout};

const HANDED_IN: &str = "handed-in-";
const AGAIN: &str = "again-";

/// A name in `incoming/` for something that the daemon puts there. It says nothing of what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HandedIn(OsString);

impl HandedIn {
    /// For a document that somebody handed over.
    pub fn document() -> Self {
        Self(format!("{HANDED_IN}{:016x}", rand::random::<u64>()).into())
    }

    /// For a finished file that is read again.
    pub fn again(id: &FileId) -> Self {
        Self(format!("{AGAIN}{id}-{:08x}", rand::random::<u32>()).into())
    }

    /// The name.
    pub fn name(&self) -> &OsStr {
        &self.0
    }
}

/// Puts `document` into `incoming/`, with `sidecar` beside it.
pub fn hand_in(
    dirs: &SpoolDirs,
    name: &HandedIn,
    document: &mut dyn Read,
    sidecar: Option<&[u8]>,
) -> io::Result<()> {
    hand_in_on(&Os, dirs, name, document, sidecar)
}

pub(super) fn hand_in_on(
    disk: &impl Disk,
    dirs: &SpoolDirs,
    name: &HandedIn,
    document: &mut dyn Read,
    sidecar: Option<&[u8]>,
) -> io::Result<()> {
    let document_at = dirs.incoming.join(name.name());
    let sidecar_at = dirs.incoming.join(layout::sidecar_name(name.name()));
    let (document_tmp, sidecar_tmp) = (hidden(&document_at), hidden(&sidecar_at));
    let write = |path: &PathBuf, content: &mut dyn Read| -> io::Result<()> {
        let mut file = disk.create(path, PRIVATE_FILE_MODE)?;
        disk::digest(disk, content, |piece| disk.write(&mut file, path, piece))?;
        disk.sync(&file, path)
    };
    let mut put = || -> io::Result<()> {
        if let Some(mut sidecar) = sidecar {
            write(&sidecar_tmp, &mut sidecar)?;
        }
        write(&document_tmp, document)?;
        if sidecar.is_some() {
            disk.rename(&sidecar_tmp, &sidecar_at)?;
        }
        disk.rename(&document_tmp, &document_at)?;
        disk.sync_dir(&dirs.incoming)
    };
    let done = put();
    if done.is_err() {
        let alone = !disk::exists(&document_at).unwrap_or(true);
        let sidecar = alone.then_some(&sidecar_at);
        for path in [&sidecar_tmp, &document_tmp].into_iter().chain(sidecar) {
            // What cannot be removed now is swept at the next start.
            drop(disk::destroy_if_there(disk, path));
        }
    }
    done
}

/// Removes what a crash left of files that the daemon was putting into `incoming/`. Call it while nothing
/// is being handed in. Returns how many files that were.
pub fn sweep(dirs: &SpoolDirs) -> io::Result<usize> {
    sweep_on(&Os, dirs)
}

pub(super) fn sweep_on(disk: &impl Disk, dirs: &SpoolDirs) -> io::Result<usize> {
    let me = rustix::process::geteuid().as_raw();
    let mut swept = 0;
    for entry in fs::read_dir(&dirs.incoming)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(text) = name.to_str() else { continue };
        let leftover = match text.strip_prefix('.') {
            Some(text) => is_ours(text.strip_suffix(".json").unwrap_or(text)),
            None => match text.strip_suffix(".json") {
                Some(document) => {
                    is_ours(document) && !disk::exists(&dirs.incoming.join(document))?
                }
                None => false,
            },
        };
        if !leftover {
            continue;
        }
        let meta = fs::symlink_metadata(entry.path())?;
        if meta.is_file() && meta.uid() == me && disk::destroy_if_there(disk, &entry.path())? {
            swept += 1;
        }
    }
    Ok(swept)
}

fn hidden(path: &std::path::Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

/// Whether this is a name that [`HandedIn`] gives.
fn is_ours(name: &str) -> bool {
    let digits = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
    };
    if let Some(rest) = name.strip_prefix(HANDED_IN) {
        return digits(rest, 16);
    }
    let again = name.strip_prefix(AGAIN).and_then(|rest| rest.split_at_checked(FileId::LEN));
    again.is_some_and(|(id, rest)| {
        id.parse::<FileId>().is_ok() && rest.strip_prefix('-').is_some_and(|rest| digits(rest, 8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dirs: &SpoolDirs) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&dirs.incoming)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn spool() -> (tempfile::TempDir, SpoolDirs) {
        let root = tempfile::tempdir_in("/dev/shm").unwrap();
        let dirs = SpoolDirs::new(root.path(), "a");
        dirs.prepare().unwrap();
        (root, dirs)
    }

    #[test]
    fn audit_22_leftovers_of_the_daemon_are_swept_and_nothing_else() {
        let (_root, dirs) = spool();
        let again = HandedIn::again(&FileId::from_bits(3)).name().to_str().unwrap().to_owned();
        let whole = HandedIn::document().name().to_str().unwrap().to_owned();
        let lone = HandedIn::document().name().to_str().unwrap().to_owned();
        let others = [
            whole.clone(),
            format!("{whole}.json"),
            "handed-in-list.json".to_owned(),
            ".handed-in-mine".to_owned(),
            ".again-F1-x".to_owned(),
            "orders.txt.json".to_owned(),
        ];
        let leftovers = [
            format!(".{again}"),
            format!(".{whole}"),
            format!(".{lone}.json"),
            format!("{lone}.json"),
        ];
        for name in others.iter().chain(&leftovers) {
            fs::write(dirs.incoming.join(name), b"{}").unwrap();
        }
        let (_, link) = (
            fs::create_dir(dirs.root.join("x")),
            format!(".{}", HandedIn::document().name().display()),
        );
        std::os::unix::fs::symlink("nowhere", dirs.incoming.join(&link)).unwrap();
        assert_eq!(sweep(&dirs).unwrap(), leftovers.len());
        let mut expected = others.to_vec();
        expected.push(link);
        expected.sort();
        assert_eq!(names(&dirs), expected);
    }

    #[test]
    fn a_sidecar_stands_there_before_its_document_and_both_are_whole() {
        let (_root, dirs) = spool();
        let name = HandedIn::document();
        hand_in(&dirs, &name, &mut &b"document"[..], Some(b"{}")).unwrap();
        let text = name.name().to_str().unwrap();
        assert_eq!(names(&dirs), [text.to_owned(), format!("{text}.json")]);
        assert_eq!(fs::read(dirs.incoming.join(text)).unwrap(), b"document");
        // The name is taken: nothing is overwritten, nothing is left.
        assert!(hand_in(&dirs, &name, &mut &b"other"[..], None).is_err());
        assert_eq!(fs::read(dirs.incoming.join(text)).unwrap(), b"document");
    }
}
