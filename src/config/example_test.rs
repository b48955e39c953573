//! `config.example.toml` is complete, loads, and tells the truth about every default.

use std::path::Path;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::file::{
    AccountTable, ConfigFile, ControlTable, KeysTable, LogTable, MarketplaceTable, OdooTable,
    ProductsTable, SpoolTable, StateTable, TaxTable,
};
use super::settings::Settings;

const EXAMPLE: &str = include_str!("../../config.example.toml");

/// A deserializer that answers any struct with the names of its fields.
struct FieldNames;

#[derive(Debug)]
struct Names(&'static [&'static str]);

impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
impl std::error::Error for Names {}
impl de::Error for Names {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self(&[])
    }
}

impl<'de> Deserializer<'de> for FieldNames {
    type Error = Names;
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Names> {
        Err(Names(&[]))
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Names> {
        Err(Names(fields))
    }
    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn keys<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    match T::deserialize(FieldNames) {
        Err(Names(names)) if !names.is_empty() => names,
        _ => panic!("not a struct"),
    }
}

/// The example with every `#key = default` line taken in.
fn with_defaults() -> String {
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn loads_as_it_is() {
    let settings = Settings::parse(Path::new("config.example.toml"), EXAMPLE).unwrap();
    assert_eq!(settings.accounts.len(), 1);
    assert_eq!(settings.accounts[0].marketplaces[0].taxes.len(), 3);
}

#[test]
fn shown_defaults_are_the_defaults() {
    let path = Path::new("config.example.toml");
    let bare = Settings::parse(path, EXAMPLE).unwrap();
    let explicit = Settings::parse(path, &with_defaults()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(bare, explicit);
    assert!(with_defaults().lines().filter(|line| !line.starts_with('#')).count() > 50);
}

#[test]
fn every_key_stands_in_its_table() {
    let tables: &[(&str, &[&str])] = &[
        ("[odoo]", keys::<OdooTable>()),
        ("[spool]", keys::<SpoolTable>()),
        ("[state]", keys::<StateTable>()),
        ("[keys]", keys::<KeysTable>()),
        ("[control]", keys::<ControlTable>()),
        ("[log]", keys::<LogTable>()),
        ("[[account]]", keys::<AccountTable>()),
        ("[account.products]", keys::<ProductsTable>()),
        ("[[account.marketplace]]", keys::<MarketplaceTable>()),
        ("[[account.marketplace.tax]]", keys::<TaxTable>()),
    ];
    for top in keys::<ConfigFile>() {
        let header = |h: &str| h.trim_matches(['[', ']']) == *top;
        assert!(tables.iter().any(|(h, _)| header(h)), "table {top}");
    }
    for (header, keys) in tables {
        let (_, rest) = EXAMPLE.split_once(&format!("\n{header}\n")).expect(header);
        let body = rest.split("\n[").next().unwrap();
        for key in *keys {
            let nested = tables.iter().any(|(h, _)| {
                h.trim_matches(['[', ']']).strip_suffix(key).is_some_and(|h| h.ends_with('.'))
            });
            let shown = body
                .lines()
                .any(|line| line.trim_start_matches(['#', ' ']).starts_with(&format!("{key} =")));
            assert!(shown || nested, "{header} {key} is not in config.example.toml");
        }
    }
}
