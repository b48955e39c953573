//! Three lists that must agree: the codes in the source, the catalog, the man page.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::explain::{catalog, entry_id, man};
use super::*;

/// Words that stand where codes stand and are none.
const NO_CODES: &[&str] = &[];

/// Every source file that is not a test, without its test module.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs")
                && !name.contains("tests")
                && !name.contains("fuzz")
                && !name.contains("_test")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
                found.push((name, text));
            }
        }
    }
    found
}

fn is_code(text: &str) -> bool {
    text.len() > 2
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c))
}

/// The first text in quotes, if nothing but spaces stands before it.
fn quoted(rest: &str) -> Option<&str> {
    rest.trim_start().strip_prefix('"')?.split('"').next().filter(|text| is_code(text))
}

/// All texts in quotes of a piece of source that are shaped like codes.
fn all_quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2).filter(|text| is_code(text))
}

fn used() -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (name, text) in sources() {
        // `fn code(…) -> &str { match … }`: every text in its body.
        for rest in text.split("fn code(").skip(1) {
            let returns_text = rest.split('{').next().unwrap().contains("str");
            let body = rest.split("\n    }\n").next().unwrap();
            if returns_text && !name.starts_with("model/") {
                used.extend(all_quoted(body).map(str::to_owned));
            }
        }
        if name == "odoo/kind.rs" {
            let table = text.split("const fn row(").nth(1).unwrap();
            used.extend(table.split("=> (").skip(1).filter_map(quoted).map(str::to_owned));
        }
        // Where a code is given in passing.
        for place in ["Problem::new(", "failed(", "error_code = ", "code: ", "Self::new("] {
            for (at, _) in text.match_indices(place) {
                let rest = text.get(at + place.len()..).unwrap();
                let told = place != "Self::new(" || name == "cli/problem.rs";
                let asked = place != "failed(" || name.starts_with("daemon/");
                if told && asked {
                    used.extend(quoted(rest).map(str::to_owned));
                }
            }
        }
    }
    for word in NO_CODES {
        assert!(used.remove(*word), "{word} stands nowhere any more");
    }
    used
}

#[test]
fn source_catalog_and_man_page_have_the_same_codes() {
    let table: BTreeSet<String> = ALL.iter().map(|code| code.code.to_owned()).collect();
    assert_eq!(table.len(), ALL.len(), "a code stands twice");
    let used = used();
    assert!(used.len() > 100, "the source is not read any more");
    let missing: Vec<_> = used.difference(&table).collect();
    assert!(missing.is_empty(), "codes without a row: {missing:?}");
    let unused: Vec<_> = table.difference(&used).collect();
    assert!(unused.is_empty(), "rows without a code in the source: {unused:?}");

    let catalog = catalog();
    let in_catalog: BTreeSet<String> = catalog
        .lines()
        .filter_map(|line| line.strip_prefix("Subject: odoo-spoold: error code "))
        .map(str::to_owned)
        .collect();
    assert_eq!(in_catalog, table);
    let man = man();
    let lines: Vec<&str> = man.lines().collect();
    let in_man: BTreeSet<String> = lines
        .windows(2)
        .filter(|pair| pair[0] == ".TP")
        .map(|pair| pair[1].strip_prefix(".B ").unwrap().replace("\\-", "-"))
        .collect();
    assert_eq!(in_man, table);
}

#[test]
fn every_row_says_all_three() {
    for code in ALL {
        for text in [code.cause, code.stops.effect(), code.next] {
            assert!(text.len() > 8, "{}: {text:?}", code.code);
        }
        assert!(!code.cause.ends_with('.'), "{}", code.code);
        assert!(is_code(code.code), "{}", code.code);
    }
    let entries: BTreeSet<_> = ALL.iter().map(|code| entry_id(code.code)).collect();
    assert_eq!(entries.len(), ALL.len());
    let events = super::super::events::ALL;
    assert!(events.iter().all(|event| !entries.contains(event.message_id)));
}
