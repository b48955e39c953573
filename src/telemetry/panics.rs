//! No panic is silent: each one in any thread or task is an event, wherever its task is awaited.
//!
//! What a panic says may hold data of a record, so only its place in the source is told.

use std::panic::{self, PanicHookInfo};
use std::thread;

use super::events;

/// From now on every panic of this process is told to the journal, and nothing else of it.
pub fn tell() {
    panic::set_hook(Box::new(|info| events::task_panicked(&thread_name(), &place(info))));
}

fn thread_name() -> String {
    thread::current().name().unwrap_or("a thread").to_owned()
}

fn place(info: &PanicHookInfo<'_>) -> String {
    info.location().map_or_else(String::new, |at| format!("{}:{}", at.file(), at.line()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_by_its_place_alone() {
        // The hook is the process's: what it would say is looked at, not installed.
        let said = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let heard = std::sync::Arc::clone(&said);
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if thread_name() == "audit_03" {
                *heard.lock().unwrap() = place(info);
            }
        }));
        let panicking = thread::Builder::new().name("audit_03".into());
        let ended = panicking.spawn(|| panic!("Ada Lovelace")).unwrap().join();
        panic::set_hook(before);
        assert!(ended.is_err());
        let said = said.lock().unwrap().clone();
        assert!(said.starts_with(file!()) && !said.contains("Ada"), "{said}");
    }
}
