//! What of an account's files cannot be taken for now, for `status`: things left in `incoming/`, and
//! claimed files that wait in `work/`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::model::{FileId, FileWait};
use crate::spool::{Notice, SpoolDirs, harmless_name};

/// Names of one kind that are shown, at most.
const NAMES: usize = 3;
/// Waiting files that are shown, at most.
const FILES: usize = 5;

/// The list of one account.
#[derive(Debug, Default)]
pub(crate) struct Left(Mutex<Lists>);

#[derive(Debug, Default)]
struct Lists {
    /// The folder in which something is left.
    folder: PathBuf,
    /// By name, which may be buyer data.
    incoming: BTreeMap<OsString, Thing>,
    work: BTreeMap<FileId, FileWait>,
}

/// Something in `incoming/`.
#[derive(Debug)]
struct Thing {
    why: String,
    inode: u64,
}

/// What is said of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sentence {
    /// The sentence.
    pub(crate) text: String,
    /// How many files it is about.
    pub(crate) count: u64,
    /// Whether they are claimed and tried again by themselves.
    pub(crate) in_work: bool,
}

impl Left {
    fn lists(&self) -> std::sync::MutexGuard<'_, Lists> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is new, and forgets what is gone from `incoming/`.
    pub(crate) fn look(&self, dirs: &SpoolDirs, notices: &[Notice]) {
        let mut lists = self.lists();
        lists.folder.clone_from(&dirs.incoming);
        lists.incoming.retain(|name, _| dirs.incoming.join(name).symlink_metadata().is_ok());
        lists.incoming.extend(notices.iter().map(|notice| {
            let thing = Thing { why: notice.to_string(), inode: notice.inode };
            (notice.name.clone(), thing)
        }));
    }

    /// A file stays in `incoming/`. True if that is news.
    pub(crate) fn leave(&self, dirs: &SpoolDirs, name: OsString, inode: u64, why: String) -> bool {
        let mut lists = self.lists();
        lists.folder.clone_from(&dirs.incoming);
        lists.incoming.insert(name, Thing { why, inode }).is_none()
    }

    /// A file is no longer left in `incoming/`.
    pub(crate) fn take(&self, name: &OsString) {
        self.lists().incoming.remove(name);
    }

    /// A file waits in `work/`.
    pub(crate) fn wait(&self, id: FileId, wait: FileWait) {
        self.lists().work.insert(id, wait);
    }

    /// A file waits no longer.
    pub(crate) fn go_on(&self, id: &FileId) {
        self.lists().work.remove(id);
    }

    /// How many things are left in `incoming/`.
    #[cfg(test)]
    pub(crate) fn left_in_incoming(&self) -> usize {
        self.lists().incoming.len()
    }

    /// How many claimed files wait.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.lists().work.len()
    }

    /// One sentence for each kind of reason, with how many files and the first names. A name that may
    /// be buyer data is not shown: the inode stands for it.
    pub(crate) fn sentences(&self, now: Timestamp) -> Vec<Sentence> {
        let lists = self.lists();
        let mut kinds: BTreeMap<&str, Vec<(Option<&str>, u64)>> = BTreeMap::new();
        for (name, thing) in &lists.incoming {
            kinds.entry(&thing.why).or_default().push((harmless_name(name), thing.inode));
        }
        let mut said: Vec<Sentence> = kinds
            .into_iter()
            .map(|(why, things)| {
                let find = things.iter().take(NAMES).find(|(name, _)| name.is_none());
                let find = find
                    .map(|(_, inode)| format!("; `find {} -inum {inode}`", lists.folder.display()));
                let text =
                    format!("in incoming/: {}: {why}{}", named(&things), find.unwrap_or_default());
                Sentence { text, count: count(things.len()), in_work: false }
            })
            .collect();
        let mut waiting: Vec<_> = lists.work.iter().collect();
        waiting.sort_by_key(|(_, wait)| wait.next);
        said.extend(waiting.iter().take(FILES).map(|(id, wait)| {
            let seconds = wait.next.duration_since(now).as_secs().max(0);
            let text = format!(
                "file {id} waits in work/: {} (tried {} times, again in {seconds} s)",
                wait.why, wait.tries
            );
            Sentence { text, count: 1, in_work: true }
        }));
        if let Some(more) = waiting.len().checked_sub(FILES).filter(|more| *more > 0) {
            let text = format!("{more} more files wait in work/: odoo-spoold files --state work");
            said.push(Sentence { text, count: count(more), in_work: true });
        }
        said
    }
}

fn count(things: usize) -> u64 {
    u64::try_from(things).unwrap_or(u64::MAX)
}

/// What the first of a kind are called, and how many more there are.
fn named(things: &[(Option<&str>, u64)]) -> String {
    let names = things.iter().take(NAMES).map(|(name, inode)| match name {
        Some(name) => (*name).to_owned(),
        None => format!("inode {inode}"),
    });
    let names = names.collect::<Vec<_>>().join(", ");
    match things.len().checked_sub(NAMES) {
        None | Some(0) => names,
        Some(more) => format!("{names} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_counted_and_named_where_the_name_is_harmless() {
        let left = Left::default();
        let now: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        let dirs = SpoolDirs::new(std::path::Path::new("/spool"), "eu");
        let leave =
            |name: &str, inode, why: &str| left.leave(&dirs, name.into(), inode, why.to_owned());
        for (name, inode) in [("orders.txt", 7), ("Max Mustermann.txt", 8), ("orders2.txt", 9)] {
            assert!(leave(name, inode, "a named pipe: remove it"));
        }
        assert!(leave("a folder", 10, "a folder: remove it"));
        assert!(!leave("a folder", 10, "a folder: remove it"));
        let wait = |tries| FileWait {
            why: "the disk refused".into(),
            tries,
            next: "2026-01-05T10:00:30Z".parse().unwrap(),
        };
        left.wait(FileId::from_bits(1), wait(2));
        let said = |left: &Left| -> Vec<(String, u64)> {
            left.sentences(now).into_iter().map(|said| (said.text, said.count)).collect()
        };
        let expected = [
            ("in incoming/: inode 10: a folder: remove it; `find /spool/eu/incoming -inum 10`", 1),
            (
                "in incoming/: inode 8, orders.txt, orders2.txt: a named pipe: remove it; \
                 `find /spool/eu/incoming -inum 8`",
                3,
            ),
            ("file F0000000001 waits in work/: the disk refused (tried 2 times, again in 30 s)", 1),
        ];
        assert_eq!(said(&left), expected.map(|(text, count)| (text.to_owned(), count)));
        assert!(leave("orders3.txt", 11, "a named pipe: remove it"));
        assert!(said(&left)[1].0.contains("orders2.txt and 1 more: a named pipe"));
        for number in 2..9 {
            left.wait(FileId::from_bits(number), wait(1));
        }
        assert!(left.sentences(now).last().unwrap().text.starts_with("3 more files wait"));
        left.go_on(&FileId::from_bits(1));
        left.take(&"a folder".into());
        assert_eq!((left.waiting(), left.sentences(now).len()), (7, 7));
    }
}
