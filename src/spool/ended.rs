//! What lies in `done/` and `rejected/`: listed, and removed when its time is over.
//!
//! Only regular files count, and only the two folders themselves: what somebody else made there
//! (folders, links) is never followed and never removed. When a file's time is over the caller says.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::disk::{Disk as _, Os};
use super::{End, FileId, SpoolDirs};

/// One regular file in an end folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Where it is.
    pub path: PathBuf,
    /// The file it belongs to; none where the name is not one we give.
    pub id: Option<FileId>,
    /// It is the words beside a document, not the document.
    pub words: bool,
    /// When it was last changed.
    pub modified: Timestamp,
}

/// All regular files in an end folder: documents first, then words, so that words never go before
/// what they explain. Nothing where the folder is not there.
pub fn ended(dirs: &SpoolDirs, end: End) -> io::Result<Vec<Ended>> {
    let listed = match fs::read_dir(folder(dirs, end)) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in listed {
        let entry = entry?;
        let meta = match fs::symlink_metadata(entry.path()) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if !meta.is_file() {
            continue;
        }
        let (id, words) = parse(&entry.file_name());
        let modified = Timestamp::try_from(meta.modified()?).unwrap_or(Timestamp::MAX);
        found.push(Ended { path: entry.path(), id, words, modified });
    }
    found.sort_by(|a, b| (a.words, &a.path).cmp(&(b.words, &b.path)));
    Ok(found)
}

/// Takes files out of an end folder, durably. One that is gone already is well.
pub fn remove(dirs: &SpoolDirs, end: End, paths: &[PathBuf]) -> io::Result<()> {
    let folder = folder(dirs, end);
    for path in paths.iter().filter(|path| path.parent() == Some(folder)) {
        match Os.unlink(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Os.sync_dir(folder)
}

fn folder(dirs: &SpoolDirs, end: End) -> &Path {
    match end {
        End::Done => &dirs.done,
        End::Rejected => &dirs.rejected,
    }
}

/// `NAME.<file id>`, perhaps followed by `.result.json` or `.reason.json`.
fn parse(name: &OsStr) -> (Option<FileId>, bool) {
    let Some(text) = name.as_encoded_bytes().get(..) else { return (None, false) };
    let document = [&b".result.json"[..], b".reason.json"]
        .into_iter()
        .find_map(|suffix| text.strip_suffix(suffix));
    let (rest, words) = (document.unwrap_or(text), document.is_some());
    let at = rest.len().checked_sub(FileId::LEN);
    let id = at.and_then(|at| rest.split_at_checked(at)).and_then(|(name, id)| {
        let id = std::str::from_utf8(id).ok().filter(|_| name.ends_with(b"."))?;
        id.parse().ok()
    });
    (id, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_names_are_read_and_others_are_strays() {
        let id = FileId::from_bits(42);
        let read = |name: String| parse(OsStr::new(&name));
        assert_eq!(read(format!("orders.txt.age.{id}")), (Some(id.clone()), false));
        assert_eq!(read(format!("orders.{id}.result.json")), (Some(id.clone()), true));
        assert_eq!(read(format!("orders.{id}.reason.json")), (Some(id.clone()), true));
        assert_eq!(read(format!("{id}")), (None, false));
        assert_eq!(read("notes.txt".into()), (None, false));
        assert_eq!(read("x.result.json".into()), (None, true));
        assert_eq!(read(String::new()), (None, false));
    }

    #[test]
    fn only_regular_files_of_the_folder_are_listed_and_removed() {
        let spool = tempfile::tempdir().unwrap();
        let dirs = SpoolDirs::new(spool.path(), "a");
        assert_eq!(ended(&dirs, End::Done).unwrap(), []);
        dirs.prepare().unwrap();
        let id = FileId::from_bits(7);
        let document = dirs.done.join(format!("z.{id}"));
        let words = dirs.done.join(format!("a.{id}.result.json"));
        for path in [&document, &words, &spool.path().join("outside")] {
            fs::write(path, b"x").unwrap();
        }
        fs::create_dir(dirs.done.join("folder")).unwrap();
        std::os::unix::fs::symlink(spool.path().join("outside"), dirs.done.join("link")).unwrap();
        let found = ended(&dirs, End::Done).unwrap();
        let paths: Vec<_> = found.iter().map(|file| file.path.clone()).collect();
        assert_eq!(paths, [document.clone(), words.clone()], "documents first");
        assert!(found.iter().all(|file| file.id.as_ref() == Some(&id)));

        let outside = spool.path().join("outside");
        remove(&dirs, End::Done, &[document.clone(), words, outside.clone()]).unwrap();
        remove(&dirs, End::Done, &[document]).unwrap();
        assert_eq!(ended(&dirs, End::Done).unwrap(), []);
        assert!(outside.exists());
    }
}
