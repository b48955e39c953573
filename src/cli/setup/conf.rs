//! config.toml as `setup` writes it: a new one with comments, or what is missing in the one there.
//!
//! Promises: comments and everything not asked for stay; the outcome is a file that loads, or
//! nothing is written.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use toml_edit::{DocumentMut, Item, Table, value};

use crate::config::{RecordRef, Region, Settings};
use crate::model::AccountId;

use super::super::atomic::{Atomic, Existing};
use super::super::problem::Problem;

/// config.toml's mode: there is no secret in it.
const MODE: u32 = 0o644;

const HEAD: &str = "\
# Settings of odoo-spoold, begun by `odoo-spoold setup`. Every key there is, and its default:
# /usr/share/doc/odoo-spoold/examples/config.example.toml
# Check with `odoo-spoold check`, apply with `systemctl reload odoo-spoold`.

[odoo]
url = \"\"
database = \"\"
login = \"\"
";

/// What the file shall say.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) url: Option<String>,
    pub(super) database: Option<String>,
    pub(super) login: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
    /// Below another root than `/`.
    pub(super) root: Option<PathBuf>,
    /// Where keys are a file.
    pub(super) keys_file: Option<PathBuf>,
    pub(super) accounts: Vec<(AccountId, Region, RecordRef)>,
    /// From which day on those have orders; none: nobody said.
    pub(super) import_from: Option<Date>,
}

/// What the package installs: it only says that nothing is set up yet.
const OF_PACKAGE: &str = include_str!("../../../packaging/debian/config.toml");

/// The text that says what is wanted.
pub(super) fn edited(path: &Path, old: Option<&str>, wanted: &Wanted) -> Result<String, Problem> {
    let wrong = |error: &dyn std::fmt::Display| {
        Problem::new("configuration", error.to_string()).at(path).exit(crate::config::EXIT_CONFIG)
    };
    let mut document: DocumentMut = old
        .filter(|text| *text != OF_PACKAGE)
        .unwrap_or(HEAD)
        .parse()
        .map_err(|error: toml_edit::TomlError| wrong(&error))?;
    let odoo = [("url", &wanted.url), ("database", &wanted.database), ("login", &wanted.login)];
    for (key, wanted) in odoo {
        if let Some(wanted) = wanted {
            set(&mut document, "odoo", key, wanted);
        }
    }
    let paths =
        [("odoo", "ca_file", wanted.ca_file.clone()), ("keys", "file", wanted.keys_file.clone())];
    let below = |part: &str| wanted.root.as_ref().map(|root| root.join(part));
    let places = [
        ("spool", "dir", below("var/spool/odoo-spoold")),
        ("state", "dir", below("var/lib/odoo-spoold")),
        ("control", "socket", below("run/odoo-spoold.sock")),
    ];
    for (table, key, path) in places {
        // Somebody may have moved them on purpose.
        let there = document.get(table).and_then(Item::as_table_like);
        if let Some(path) = path
            && there.and_then(|table| table.get(key)).is_none()
        {
            set(&mut document, table, key, &path.display().to_string());
        }
    }
    for (table, key, path) in paths {
        if let Some(path) = path {
            set(&mut document, table, key, &path.display().to_string());
        }
    }
    let mut text = document.to_string();
    for (id, region, company) in &wanted.accounts {
        account(&mut text, id, *region, company, wanted.import_from);
    }
    let _loads = Settings::parse(path, &text)?;
    Ok(text)
}

/// Puts it there.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Problem> {
    let failed = |error: std::io::Error| Problem::file("writing the settings", path, &error);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut atomic = Atomic::create(path).map_err(failed)?;
    atomic.write_all(text.as_bytes()).map_err(failed)?;
    atomic.keep(MODE, Existing::Replaced).map_err(failed)
}

fn set(document: &mut DocumentMut, table: &str, key: &str, text: &str) {
    let table = document.entry(table).or_insert_with(|| Item::Table(Table::new()));
    let Some(table) = table.as_table_like_mut() else { return };
    match table.get_mut(key).and_then(Item::as_value_mut) {
        // The remark behind it stays.
        Some(old) if old.as_str() != Some(text) => {
            let around = old.decor().clone();
            *old = text.into();
            *old.decor_mut() = around;
        }
        Some(_) => {}
        None => {
            table.insert(key, value(text));
        }
    }
}

fn account(
    text: &mut String,
    id: &AccountId,
    region: Region,
    company: &RecordRef,
    import_from: Option<Date>,
) {
    let (marketplace, prices) = match region {
        Region::Eu => ("Amazon.de", "gross"),
        Region::Na => ("Amazon.com", "net"),
        Region::Fe => ("Amazon.co.jp", "gross"),
    };
    let company = match company {
        RecordRef::Name(name) => {
            let quoted = toml_edit::Value::from(name.as_str()).to_string();
            format!("company = {}", quoted.trim())
        }
        RecordRef::Id(id) => format!("company_id = {id}"),
    };
    let import_from = match import_from {
        Some(day) => format!("import_from = {day}"),
        None => "# import_from = 2026-11-28: without it, the day of the first run".to_owned(),
    };
    let block = format!(
        "\n\
         # The id can never change: the external ids in Odoo begin with it.\n\
         [[account]]\n\
         id = \"{id}\"\n\
         region = \"{}\"\n\
         {company}\n\
         # Orders bought before this day are counted, and not created:\n\
         {import_from}\n\
         # Until there is a table for each marketplace it sells on, its orders are held `marketplace`:\n\
         # [[account.marketplace]]\n\
         # name = \"{marketplace}\"\n\
         # pricelist = \"its name in Odoo\"\n\
         # prices = \"{prices}\"\n\
         # [[account.marketplace.tax]]\n\
         # destination = \"*\"\n\
         # rate = \"19\"\n\
         # tax = \"its name in Odoo\"\n\
         # default = true\n",
        region.name()
    );
    text.push_str(&block);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            url: Some("http://localhost:8069".to_owned()),
            database: Some("odoo".to_owned()),
            login: Some("bot".to_owned()),
            accounts: vec![("eu".parse().unwrap(), Region::Eu, RecordRef::Name("A \"B\"".into()))],
            ..Wanted::default()
        }
    }

    #[test]
    fn a_new_file_loads_and_a_second_run_changes_nothing() {
        let path = Path::new("config.toml");
        let text = edited(path, None, &wanted()).unwrap_or_else(|problem| panic!("{problem:?}"));
        let settings = Settings::parse(path, &text).unwrap();
        assert_eq!(settings.accounts[0].company, RecordRef::Name("A \"B\"".into()));
        let again = Wanted { accounts: Vec::new(), ..wanted() };
        assert_eq!(edited(path, Some(&text), &again).unwrap(), text);
    }

    #[test]
    fn night_f8_nothing_is_left_of_the_text_that_says_that_nothing_is_set_up() {
        let path = Path::new("config.toml");
        let wanted = Wanted { import_from: Some(jiff::civil::date(2026, 11, 1)), ..wanted() };
        let text = edited(path, Some(OF_PACKAGE), &wanted).unwrap();
        assert!(!text.contains("While there are none below"), "{text}");
        let from = Settings::parse(path, &text).unwrap().accounts[0].import_from;
        let day = "2026-11-01T00:00:00Z".parse().unwrap();
        assert_eq!(from, crate::config::ImportFrom::At(day));
    }

    #[test]
    fn comments_and_remarks_stay() {
        let path = Path::new("config.toml");
        let old = include_str!("../../../config.example.toml")
            .replace("url = \"http://localhost:8069\"", "url = \"http://localhost:1\" # ours");
        let mut wanted = Wanted { keys_file: Some("/k".into()), ..wanted() };
        wanted.accounts[0].0 = "na".parse().unwrap();
        wanted.accounts[0].1 = Region::Na;
        let text =
            edited(path, Some(&old), &wanted).unwrap_or_else(|problem| panic!("{problem:?}"));
        assert!(text.contains("url = \"http://localhost:8069\" # ours"));
        assert!(text.contains("# Odoo's own `limit_time_real`"));
        let settings = Settings::parse(path, &text).unwrap();
        assert_eq!(settings.accounts.len(), 2);
        assert_eq!(settings.keys, crate::config::KeysSource::File("/k".into()));
    }
}
