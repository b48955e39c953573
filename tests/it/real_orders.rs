//! Every order file, on real Odoos: the orders the oracle expects, to the cent.

use std::path::{Path, PathBuf};

use crate::support::expected::{differences, expected, skus};
use crate::support::lab::{Lab, project, versions};
use crate::support::skip::skip;
use crate::support::spoold::Installation;

pub(crate) const ACCOUNTS: [&str; 6] = ["--account", "eu", "--account", "na", "--account", "fe"];

/// Order files of ours, of all families.
pub(crate) fn vectors() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(project("tests/vectors"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "txt"))
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            !["trio", "canary", "case_"].iter().any(|with| name.starts_with(with))
        })
        .collect();
    files.sort();
    files
}

/// Real order files, kept beside the project.
pub(crate) fn samples() -> Vec<PathBuf> {
    let shared =
        std::env::var_os("ODOO_SPOOLD_SHARED").map_or_else(|| project("../shared"), PathBuf::from);
    let root = shared.join("samples/amazon");
    let families = [
        "GET_FLAT_FILE_ALL_ORDERS_DATA_GENERAL",
        "GET_FLAT_FILE_ORDERS_DATA",
        "GET_FLAT_FILE_ACTIONABLE_ORDER_DATA_SHIPPING",
    ];
    let mut files = Vec::new();
    for family in families {
        let Ok(entries) = std::fs::read_dir(root.join(family)) else {
            skip("real order files: ../shared/samples not present");
            return Vec::new();
        };
        files.extend(entries.map(|entry| entry.unwrap().path()));
    }
    files.sort();
    files
}

/// The account whose marketplaces a file belongs to, by its name.
pub(crate) fn account_of(path: &Path) -> &'static str {
    let name = path.file_name().unwrap().to_str().unwrap();
    if name.contains("jp_") {
        "fe"
    } else if name.starts_with("us_") || name.contains("68") {
        "na"
    } else {
        "eu"
    }
}

/// An account knows the marketplaces of its region; orders of others are held.
pub(crate) fn elsewhere(order: &mut serde_json::Value, account: &str) {
    let region = match order["marketplace"].as_str() {
        Some("Amazon.com" | "Amazon.ca") => "na",
        Some("Amazon.co.jp") => "fe",
        Some(_) => "eu",
        None => return,
    };
    if region != account {
        order["status"] = "not_created".into();
    }
}

fn every_file(lab: &Lab, files: &[PathBuf]) -> Vec<String> {
    let all: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let products = skus(&all);
    lab.products(products.iter().map(String::as_str));
    lab.fee_products();
    let mut wrong = Vec::new();
    // One seller, who forgets everything but the keys before each file.
    let keys = Installation::new(lab, &ACCOUNTS).keys_text();
    for file in files {
        let installation = Installation::with_keys(lab, &ACCOUNTS, &keys);
        let mut want = expected(&[file], &[]);
        let account = account_of(file);
        for order in want.values_mut() {
            elsewhere(order, account);
        }
        installation.drop_file(account, file);
        let spoold = installation.start();
        spoold.wait_idle(&installation);
        let told = spoold.describe(&account.parse().unwrap());
        spoold.stop();
        let seen = lab.orders();
        let mut differ: Vec<String> =
            want.iter().flat_map(|(id, order)| differences(order, seen.get(id))).collect();
        if !differ.is_empty() {
            differ.insert(0, format!("{}:\n{told}", file.display()));
        }
        wrong.extend(differ);
    }
    wrong
}

#[test]
fn every_order_file_becomes_the_expected_orders() {
    for version in versions("real orders") {
        let lab = Lab::new(version, "files");
        let mut files = vectors();
        files.extend(samples());
        let wrong = every_file(&lab, &files);
        assert!(wrong.is_empty(), "Odoo {version}:\n{}", wrong.join("\n"));
        assert_eq!(lab.outgoing(), 0, "nobody may be mailed");
    }
}
