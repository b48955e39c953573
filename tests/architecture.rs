//! The one-way streets between the rooms of `src/`, as a test: a single crate cannot make the compiler enforce them.
//!
//! Reads the source as text, without its comments and test modules. A room that is not in the table, or is only in the table,
//! is an error: the table is the map. Widen a street where the code has a good reason, and say it here.

#![cfg(test)]
#![allow(
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "source text, cut where a search found something"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Room, and the rooms it may name. `main` and `lib` join everything and are not in here.
const STREETS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &[]),
    ("envelope", &[]),
    ("odoo", &[]),
    ("spool", &["model"]), // the file id a claim gives
    ("flatfile", &["model"]),
    ("plan", &["model"]),
    ("store", &["model"]),
    ("config", &["model"]),
    ("telemetry", &["clock", "model"]),
    ("deliver", &["clock", "model", "odoo", "plan", "store", "telemetry"]),
    ("control", &["clock", "config", "deliver", "model", "plan", "store", "telemetry"]), // its Handle holds what it asks
    ("check", &["clock", "config", "deliver", "envelope", "model", "odoo", "plan", "spool"]),
    (
        "daemon",
        &[
            "clock",
            "config",
            "control",
            "deliver",
            "envelope",
            "flatfile",
            "model",
            "odoo",
            "plan",
            "spool",
            "store",
            "telemetry",
        ],
    ),
    // Not part of the program: what tests/fuzz calls.
    ("fuzz", &["config", "control", "daemon", "envelope", "flatfile", "model", "plan", "store"]),
    // store: only where no daemon runs (`offline`).
    (
        "cli",
        &[
            "check",
            "clock",
            "config",
            "control",
            "daemon",
            "envelope",
            "model",
            "store",
            "telemetry",
        ],
    ),
];

/// What only some places may name: path or macro, and the rooms or files that may. `main.rs` counts as `cli`.
const RESERVED: &[(&str, &[&str])] = &[
    ("sled::", &["store"]),
    ("reqwest::", &["odoo", "control/client.rs"]),
    // Whoever writes to Odoo has looked at the marker and raised it; `check --fix` runs before there is one, and
    // `keys rotate odoo` changes only keys of the user itself.
    ("Writer::", &["odoo", "deliver/window.rs", "check/create.rs", "check/api_key.rs"]),
    ("axum::", &["control"]),
    ("anyhow::", &["cli", "daemon/start.rs"]), // `daemon::run`, whose error the CLI shows
    ("tokio::", &["odoo", "deliver", "spool/watch.rs", "control", "daemon", "cli"]),
    ("std::env", &["cli", "config", "telemetry", "control/fuzz.rs"]),
    ("Timestamp::now", &["clock.rs"]),
    ("Zoned::now", &["clock.rs"]),
    ("SystemTime::now", &["clock.rs"]),
    ("println!", &["cli"]), // also eprintln!
    (
        "tracing::",
        &["cli", "config", "control", "daemon", "deliver", "odoo", "spool", "store", "telemetry"],
    ),
];

/// Most lines of a file without its test module.
const CEILING: usize = 600;

/// Files above it: how long they may be today, and why. The number may only shrink.
const TOO_LONG: &[(&str, usize, &str)] = &[];

struct Source {
    /// Below `src/`.
    path: String,
    /// Without comments and test modules; the line numbers are the file's.
    lines: Vec<String>,
}

#[test]
fn rooms_only_look_down() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for source in sources() {
        let room = source.room();
        if room == "main" || room == "lib" {
            continue;
        }
        seen.insert(room.to_owned());
        let Some((_, open)) = STREETS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("src/{}: the room `{room}` is not in the table", source.path));
            continue;
        };
        for (line, named) in source.rooms_named() {
            let known = STREETS.iter().any(|(name, _)| *name == named);
            if known && named != room && !open.contains(&named.as_str()) {
                wrong.push(format!("src/{}:{line}: {room} must not know {named}", source.path));
            }
        }
    }
    for (room, _) in STREETS.iter().filter(|(room, _)| !seen.contains(*room)) {
        wrong.push(format!("the room `{room}` of the table does not exist"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn reserved_names_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for source in sources() {
        let room = if source.room() == "main" { "cli" } else { source.room() };
        for (number, line) in source.numbered() {
            for (name, places) in RESERVED {
                let at_home = places.iter().any(|place| *place == room || *place == source.path);
                if !at_home && names(line, name) {
                    wrong.push(format!(
                        "src/{}:{number}: `{name}` belongs to {}",
                        source.path,
                        places.join(", ")
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_short() {
    let mut wrong = Vec::new();
    let sources = sources();
    for source in &sources {
        let length = source.lines.len();
        match TOO_LONG.iter().find(|(path, ..)| *path == source.path) {
            None if length > CEILING => wrong.push(format!("src/{}: {length} lines", source.path)),
            Some((_, most, _)) if length > *most => {
                wrong.push(format!("src/{}: grew to {length}", source.path));
            }
            Some(_) if length <= CEILING => {
                wrong.push(format!("src/{}: no exception needed any more", source.path));
            }
            _ => {}
        }
    }
    for (path, ..) in
        TOO_LONG.iter().filter(|(path, ..)| sources.iter().all(|source| source.path != *path))
    {
        wrong.push(format!("src/{path}: has an exception and does not exist"));
    }
    assert!(wrong.is_empty(), "more than {CEILING} lines:\n{}", wrong.join("\n"));
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::store::Store;\nuse crate::{model::{Sku, odoo}, plan};\n// crate::cli\nfn f() { super::super::deliver::g(); }\n\
                \"https://x\" + crate::clock::now()\n#[cfg(test)]\nmod tests;\nuse crate::{\n    odoo::Call,\n};\n\
                #[cfg(test)]\nmod tests {\n    use crate::cli;\n}\n";
    let source = Source::parse("room/file.rs".to_owned(), text);
    let found: Vec<_> =
        source.rooms_named().into_iter().map(|(line, name)| format!("{line} {name}")).collect();
    assert_eq!(found, ["1 store", "2 model", "2 plan", "4 deliver", "5 clock", "8 odoo"]);
    assert!(names("let x = sled::open()", "sled::") && !names("unsled::open()", "sled::"));
    assert!(names("eprintln!()", "println!"));
}

/// Whether `name` stands in `line` as a path of its own, not as the end of a longer word.
fn names(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        name.ends_with('!') || !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// Every source file that is not a test.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") && !is_test(&name) {
                sources.push(Source::parse(name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    sources
}

fn is_test(path: &str) -> bool {
    ["/tests.rs", "_test.rs", "_tests.rs"].iter().any(|end| path.ends_with(end))
        || path.contains("/tests/")
}

// === impl Source ===

impl Source {
    fn parse(path: String, text: &str) -> Self {
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines() {
            let in_tests = line.starts_with("mod ") && line.ends_with('{');
            if in_tests && lines.last().is_some_and(|last| last.starts_with("#[cfg(test)]")) {
                break;
            }
            // A comment stands first or after a blank; the // of an address does not.
            let code = if line.trim_start().starts_with("//") {
                ""
            } else {
                line.split(" //").next().unwrap()
            };
            lines.push(code.to_owned());
        }
        Self { path, lines }
    }

    fn room(&self) -> &str {
        self.path
            .split_once('/')
            .map_or_else(|| self.path.trim_end_matches(".rs"), |(room, _)| room)
    }

    fn numbered(&self) -> impl Iterator<Item = (usize, &String)> {
        self.lines.iter().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// What is named right below the crate's root: `crate::x`, `crate::{x, y::z}`, `super::super::x`.
    fn rooms_named(&self) -> Vec<(usize, String)> {
        let depth = self.path.split('/').count() - usize::from(self.path.ends_with("mod.rs"));
        let roots = ["crate::".to_owned(), "super::".repeat(depth)];
        let text = self.lines.join("\n");
        let mut found = Vec::new();
        for root in &roots {
            for (at, _) in text
                .match_indices(root.as_str())
                .filter(|(at, _)| !text[..*at].ends_with("super::"))
            {
                let line = text[..at].matches('\n').count() + 1;
                found.extend(
                    first_words(&text[at + root.len()..]).into_iter().map(|word| (line, word)),
                );
            }
        }
        found.sort();
        found
    }
}

/// The first word of a path, or of each path in a group.
fn first_words(rest: &str) -> Vec<String> {
    let word = |text: &str| {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    let Some(group) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let (mut words, mut level, mut start) = (Vec::new(), 0_usize, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => level += 1,
            '}' if level > 0 => level -= 1,
            ',' | '}' if level == 0 => {
                words.push(word(group[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
