//! The words of every version, case by case: `tests/fixtures/odoo-words.tsv`. Three of the five
//! versions have no server here, and a word that is not known would bury orders there.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const VERSIONS: [&str; 5] = ["14", "16", "17", "18", "19"];
/// Not asked on every version, or no error there.
const PARTIAL: [(&str, &[&str]); 7] = [
    ("field-of-a-group", &["19"]),
    // Confirming twice answers true there.
    ("confirmed-twice", &["14", "16"]),
    // So does cancelling a locked order.
    ("cancel-locked", &["14", "16"]),
    ("line-of-a-locked-order", &["14"]),
    ("below-delivered", &["14"]),
    ("unlink-confirmed", &["14"]),
    ("other-product", &["14", "16", "17"]),
];

#[test]
fn audit_48_every_version_means_the_same_by_other_words() {
    let table = include_str!("../../tests/fixtures/odoo-words.tsv");
    let mut rows = table.lines().filter(|line| !line.starts_with('#'));
    assert!(rows.next().unwrap().starts_with("case\tversions"));
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in rows {
        let cells: Vec<&str> = line.split('\t').collect();
        let [case, versions, exception, model, method, kind, text] = cells[..] else {
            panic!("{line}");
        };
        let text = text.replace("\\n", "\n").replace("\\t", "\t");
        let fault = Fault::from_symptom(&Symptom {
            status: 200,
            exception: Some(exception),
            text: &text,
            model,
            method,
            database: "shop",
            ..Symptom::default()
        });
        assert_eq!(fault.code(), kind, "{case} {versions}");
        for version in versions.split(',') {
            assert!(VERSIONS.contains(&version), "{line}");
            assert!(seen.entry(case).or_default().insert(version), "{case} {version} twice");
        }
    }
    for (case, versions) in &seen {
        let known = PARTIAL.iter().find(|(partial, _)| partial == case);
        let absent: &[&str] = known.map_or(&[], |(_, absent)| absent);
        for version in VERSIONS {
            let there = versions.contains(version);
            assert!(
                there != absent.contains(&version) || *case == "keys-not-made",
                "{case} {version}"
            );
        }
    }
    assert!(seen.len() > 18);
}
