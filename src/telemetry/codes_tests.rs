//! Three lists that must agree: the codes in the source, what the journal's catalog says of them,
//! the man page.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use super::super::explain::man;
use super::super::{events, stops};
use super::*;
use crate::model::{AccountId, HoldCode, OrderId};

/// journalctl leaves the name of a field in its place that has more than 256 bytes, name and `=`
/// included (`REPLACE_VAR_MAX` of systemd).
const PLACE_BYTES: usize = 256;

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
                && !name.starts_with("telemetry/codes")
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

/// Where a code is given in passing: what stands before it, and the files in which that is so.
const PLACES: &[(&str, &str)] = &[
    ("Problem::new(", "cli/"),
    ("Self::new(", "cli/problem.rs"),
    ("failed(", "daemon/"),
    ("Failure::refused(", "daemon/"),
    ("Self::refused(", "daemon/intake.rs"),
    ("fault(", "store/intake.rs"),
    ("=> (", "daemon/reconcile.rs"),
    ("=> {\n            (", "daemon/reconcile.rs"),
    ("=> Some(", "deliver/waiting.rs"),
    ("Step::Customer, ", "deliver/"),
    ("Step::Create, ", "deliver/"),
    ("refuse(step, ", "deliver/"),
    ("Stop::pause(", "deliver/lane.rs"),
    ("Stop::pause(\n        ", "deliver/"),
    ("later(", "deliver/"),
    ("(code, next_step) = (", "deliver/"),
    ("fault: ", "deliver/"),
    ("retry(&work.leased, ", "deliver/"),
    ("EXPIRED: &str = ", "store/aging.rs"),
    ("explains ", "telemetry/events.rs"),
    ("ENDED: &str = ", "deliver/"),
    ("code: ", ""),
];

fn used() -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let mut places: BTreeSet<&str> = PLACES.iter().map(|(before, _)| *before).collect();
    for (name, text) in sources() {
        // `fn code(…) -> &str { match … }`: every text in its body.
        let words = ["model/hold.rs", "model/attention.rs"].contains(&name.as_str());
        let named = if words { "fn name(" } else { "fn code(" };
        for rest in text.split(named).skip(1) {
            let returns_text = rest.split('{').next().unwrap().contains("str");
            let body = rest.split("\n    }\n").next().unwrap();
            if returns_text {
                used.extend(all_quoted(body).map(str::to_owned));
            }
        }
        if name == "odoo/kind.rs" {
            let table = text.split("const fn row(").nth(1).unwrap();
            used.extend(table.split("=> (").skip(1).filter_map(quoted).map(str::to_owned));
        }
        for (before, files) in PLACES.iter().filter(|(_, files)| name.starts_with(files)) {
            for (at, _) in text.match_indices(before) {
                if let Some(code) = quoted(text.get(at + before.len()..).unwrap()) {
                    places.remove(before);
                    used.insert(code.to_owned());
                }
            }
            assert!(name.starts_with(files));
        }
    }
    assert!(places.is_empty(), "no code stands there any more: {places:?}");
    used
}

/// What a record says beside its message, by the journal's names.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<String, String>>>);

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().insert(field.name().to_ascii_uppercase(), format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl<S: Subscriber> Layer<S> for Seen {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut self.clone());
    }
}

/// What `journalctl -x` prints below the message of an order that died of this code.
fn printed(catalog: &str, code: &str) -> String {
    let seen = Seen::default();
    let subscriber = tracing_subscriber::registry().with(seen.clone());
    let (account, order): (AccountId, OrderId) =
        ("eu".parse().unwrap(), "111-1111111-1111111".parse().unwrap());
    tracing::subscriber::with_default(subscriber, || events::order_dead(&account, &order, code));
    let fields = seen.0.lock().unwrap().clone();
    let head = format!("-- {}\n", fields["MESSAGE_ID"]);
    let mut text = catalog.split(&head).nth(1).unwrap().split("\n-- ").next().unwrap().to_owned();
    for (name, value) in &fields {
        if name.len() + 1 + value.len() <= PLACE_BYTES {
            text = text.replace(&format!("@{name}@"), value);
        }
    }
    text
}

#[test]
fn source_catalog_and_man_page_have_the_same_codes() {
    let table: BTreeSet<String> = all().map(|code| code.code.to_owned()).collect();
    assert_eq!(table.len(), all().count(), "a code stands twice");
    let used = used();
    assert!(used.len() > 170, "the source is not read any more");
    let missing: Vec<_> = used.difference(&table).collect();
    assert!(missing.is_empty(), "codes without a row: {missing:?}");
    let unused: Vec<_> = table.difference(&used).collect();
    assert!(unused.is_empty(), "rows without a code in the source: {unused:?}");

    let catalog = events::catalog();
    for code in all() {
        let text = printed(&catalog, code.code);
        for part in [
            format!("\nCause: {}.\n", code.cause),
            format!("\nEffect: {}\n", code.effect),
            format!("\nNext: {}\n", code.next),
            format!("odoo-spoold explain {},", code.code),
        ] {
            assert!(text.contains(&part), "{}: {text}", code.code);
        }
        assert!(!text.contains('@'), "{}: {text}", code.code);
    }

    let man = man();
    let lines: Vec<&str> = man.lines().collect();
    let in_man: BTreeMap<String, String> = lines
        .windows(7)
        .filter(|lines| lines[0] == ".TP")
        .map(|lines| {
            let plain = |line: &str| line.replace("\\-", "-").replace("\\e", "\\");
            (plain(lines[1].strip_prefix(".B ").unwrap()), plain(&lines[2..7].join("\n")))
        })
        .collect();
    let in_table: BTreeMap<String, String> = all()
        .map(|code| {
            let text = [
                format!("Cause: {}.", code.cause),
                format!("Effect: {}", code.effect),
                format!("Next: {}", code.next),
            ];
            (code.code.to_owned(), text.join("\n.br\n"))
        })
        .collect();
    assert_eq!(in_man, in_table);
}

#[test]
fn every_row_says_all_three() {
    for code in all() {
        for (text, name) in [
            (code.cause, "ERROR_CAUSE="),
            (code.effect, "ERROR_EFFECT="),
            (code.next, "ERROR_NEXT="),
        ] {
            assert!(text.len() > 6, "{}: {text:?}", code.code);
            assert!(name.len() + text.len() <= PLACE_BYTES, "{}: {text:?}", code.code);
            assert!(!text.contains(['@', '\n']), "{}: {text:?}", code.code);
        }
        assert!(!code.cause.ends_with('.') && !code.next.ends_with('.'), "{}", code.code);
        assert!(code.effect.ends_with('.'), "{}", code.code);
        assert!(is_code(code.code), "{}", code.code);
    }
}

#[test]
fn every_transition_with_a_code_explains_it() {
    let entries = events::catalog();
    for event in events::ALL {
        let entry = entries.split(event.message_id).nth(1).unwrap();
        let entry = entry.split("\n-- ").next().unwrap();
        assert_eq!(entry.contains("@ERROR_CAUSE@"), event.explains, "{}", event.name);
    }
    let explain: Vec<&str> = events::ALL.iter().filter(|e| e.explains).map(|e| e.name).collect();
    for name in ["FILE_REJECTED", "ORDER_WAITING", "ORDER_DEAD", "ACCOUNT_PAUSED", "STORE_BROKEN"] {
        assert!(explain.contains(&name), "{name}");
    }
}

#[test]
fn a_hold_says_what_ends_it() {
    use crate::model::EndedBy;
    for hold in HoldCode::ALL {
        let row = find(hold.name()).unwrap();
        let by_itself =
            row.effect.contains("goes on by itself") || hold == HoldCode::AddressExpired;
        assert_eq!(by_itself, hold.ended_by() != EndedBy::Person, "{hold}: {}", row.effect);
    }
    assert_eq!(explained("Max Müller").code, "unknown");
    assert_eq!(stops::Stops::Order.effect(), find("validation").unwrap().effect);
}
