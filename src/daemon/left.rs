//! What of an account's files cannot be taken for now, for `status`: things left in `incoming/`, and
//! claimed files that wait in `work/`.

use std::collections::BTreeMap;
use std::ffi::OsString;
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
    /// By name, which may be buyer data: why it is left.
    incoming: BTreeMap<OsString, String>,
    work: BTreeMap<FileId, FileWait>,
}

impl Left {
    fn lists(&self) -> std::sync::MutexGuard<'_, Lists> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is new, and forgets what is gone from `incoming/`.
    pub(crate) fn look(&self, dirs: &SpoolDirs, notices: &[Notice]) {
        let mut lists = self.lists();
        lists.incoming.retain(|name, _| dirs.incoming.join(name).symlink_metadata().is_ok());
        let new = notices.iter().map(|notice| (notice.name.clone(), notice.to_string()));
        lists.incoming.extend(new);
    }

    /// A file stays in `incoming/`. True if that is news.
    pub(crate) fn leave(&self, name: OsString, why: String) -> bool {
        self.lists().incoming.insert(name, why).is_none()
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

    /// One sentence for each kind of reason, with how many files and the first harmless names.
    pub(crate) fn sentences(&self, now: Timestamp) -> Vec<String> {
        let lists = self.lists();
        let mut kinds: BTreeMap<&str, (usize, Vec<&str>)> = BTreeMap::new();
        for (name, why) in &lists.incoming {
            let (count, names) = kinds.entry(why).or_default();
            *count = count.saturating_add(1);
            if names.len() < NAMES {
                names.extend(harmless_name(name));
            }
        }
        let mut said: Vec<String> = kinds
            .into_iter()
            .map(|(why, (count, names))| format!("in incoming/: {}{why}", named(count, &names)))
            .collect();
        let mut waiting: Vec<_> = lists.work.iter().collect();
        waiting.sort_by_key(|(_, wait)| wait.next);
        said.extend(waiting.iter().take(FILES).map(|(id, wait)| {
            let seconds = wait.next.duration_since(now).as_secs().max(0);
            format!(
                "file {id} waits in work/: {} (tried {} times, again in {seconds} s)",
                wait.why, wait.tries
            )
        }));
        if let Some(more) = waiting.len().checked_sub(FILES).filter(|more| *more > 0) {
            said.push(format!("{more} more files wait in work/: odoo-spoold files --state work"));
        }
        said
    }
}

/// How many of a kind, and what the first of them are called.
fn named(count: usize, names: &[&str]) -> String {
    match (count, names) {
        (1, []) => String::new(),
        (1, [name]) => format!("{name}: "),
        (_, []) => format!("{count} times: "),
        (_, names) if names.len() == count => format!("{}: ", names.join(", ")),
        (_, names) => format!("{} and {} more: ", names.join(", "), count - names.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_counted_and_named_where_the_name_is_harmless() {
        let left = Left::default();
        let now: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        for name in ["orders.txt", "Max Mustermann.txt", "orders2.txt"] {
            assert!(left.leave(name.into(), "a named pipe: remove it".into()));
        }
        assert!(left.leave("a folder".into(), "a folder: remove it".into()));
        assert!(!left.leave("a folder".into(), "a folder: remove it".into()));
        let wait = |tries| FileWait {
            why: "the disk refused".into(),
            tries,
            next: "2026-01-05T10:00:30Z".parse().unwrap(),
        };
        left.wait(FileId::from_bits(1), wait(2));
        assert_eq!(
            left.sentences(now),
            [
                "in incoming/: a folder: remove it",
                "in incoming/: orders.txt, orders2.txt and 1 more: a named pipe: remove it",
                "file F0000000001 waits in work/: the disk refused (tried 2 times, again in 30 s)",
            ]
        );
        for number in 2..9 {
            left.wait(FileId::from_bits(number), wait(1));
        }
        assert!(left.sentences(now).last().unwrap().starts_with("3 more files wait"));
        left.go_on(&FileId::from_bits(1));
        left.take(&"a folder".into());
        assert_eq!((left.waiting(), left.sentences(now).len()), (7, 7));
    }
}
