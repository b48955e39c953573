//! Marked buyers on their way through a real Odoo: what belongs there arrives, and nothing of them stands anywhere
//! on disk or in a log, at no stage, in no encoding.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::support::expected::skus;
use crate::support::lab::{Lab, project, run, versions};
use crate::support::proxy::Proxy;
use crate::support::sales::Report;
use crate::support::spoold::Installation;

/// Every marked cell begins with it.
const MARK: &str = "CANARY";
/// Odoo refuses this one, in words that name the buyer.
const REFUSED: &str = "989-3456802-7663074";
/// Cells that an order needs in Odoo; the others must not get there.
const NEEDED: [&str; 24] = [
    "mail",
    "buyername",
    "buyerphonenumber",
    "recipientname",
    "shipaddress1",
    "shipaddress2",
    "shipaddress3",
    "shipcity",
    "shipstate",
    "shippostalcode",
    "shipphonenumber",
    "deliveryinstructions",
    "giftmessagetext",
    "customizedurl",
    "customizedpage",
    "billaddress1",
    "billaddress2",
    "billaddress3",
    "billcity",
    "billstate",
    "billpostalcode",
    "buyercompanyname",
    "buyervatnumber",
    "purchaseordernumber",
];
/// Those that stand on the delivery order: the refused order and the unconfirmed one have none.
const ON_DELIVERY: [&str; 4] =
    ["deliveryinstructions", "giftmessagetext", "customizedurl", "customizedpage"];

/// The refused order alone does not exist in Odoo, and so has no note of its number.
const ON_THE_ORDER: &str = "purchaseordernumber";
/// Odoo has it in upper case.
const IN_UPPER_CASE: &str = "buyervatnumber";

#[test]
fn a_planted_mark_is_found_in_every_encoding() {
    let dir = tempfile::tempdir().unwrap();
    let words = "the buyer is canaryA02buyername!";
    let utf16 = |unit: fn(u16) -> [u8; 2]| words.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    let upper = words.to_uppercase();
    let planted: [(&str, Vec<u8>); 9] = [
        ("raw", words.as_bytes().to_vec()),
        ("upper", upper.as_bytes().to_vec()),
        ("utf16le", utf16(u16::to_le_bytes)),
        ("utf16be", utf16(u16::to_be_bytes)),
        ("base64-0", STANDARD_NO_PAD.encode(words).into_bytes()),
        ("base64-1", STANDARD_NO_PAD.encode(format!("x{upper}")).into_bytes()),
        ("base64-2", STANDARD_NO_PAD.encode(format!("xy{upper}")).into_bytes()),
        ("hex", hex(words.as_bytes()).into_bytes()),
        ("hex-upper", hex(words.as_bytes()).to_uppercase().into_bytes()),
    ];
    for (name, bytes) in &planted {
        let below = dir.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        let path = below.join(name);
        let padded: Vec<u8> = [vec![0xa5; 70_000], bytes.clone(), vec![0x5a; 70_000]].concat();
        std::fs::write(&path, padded).unwrap();
        assert_eq!(marks(dir.path()).len(), 1, "{name} is not found");
        std::fs::remove_file(path).unwrap();
    }
    std::fs::write(dir.path().join("a/b/canary.age"), "nothing").unwrap();
    assert_eq!(marks(dir.path()).len(), 1, "a file name is not found");
}

#[test]
fn buyers_reach_odoo_and_nothing_else() {
    for version in versions("marked buyers") {
        let lab = Lab::new(version, "marked");
        marked(&lab);
    }
}

fn marked(lab: &Lab) {
    let order_report = project("tests/vectors/canary_order_report.txt");
    let unshipped = project("tests/vectors/canary_unshipped.txt");
    lab.products(skus(&[&order_report, &unshipped]).iter().map(String::as_str));
    lab.fee_products();
    lab.sql(&refusal());
    let outside = tempfile::tempdir().unwrap();
    let prices = outside.path().join("prices");
    run(
        Command::new("python3")
            .arg(project("tests/vectors/make.py"))
            .arg("price-fixture")
            .arg(&unshipped)
            .arg(&prices),
        "",
    );
    let proxy = Proxy::before(lab);
    let url = proxy.url();
    let options = ["--url", url.as_str(), "--set", "odoo.limit_time_real=\"10s\""];
    let installation = Installation::new(lab, &options);
    let drop = |name: &str, bytes: &[u8]| installation.drop_bytes("eu", name, bytes);
    let report = std::fs::read(&order_report).unwrap();
    drop("orders.age", &report);
    // In both orders the buyer asks for cancellation, which holds them unconfirmed; one shall go through.
    let ship = std::fs::read_to_string(&unshipped).unwrap().replacen(
        "true\tCANARYC25",
        "false\tCANARYC25",
        1,
    );
    drop("ship.age", ship.as_bytes());
    drop("prices.age", &std::fs::read(&prices).unwrap());
    drop("refused.age", &unknown_header(&report));
    drop("rows.age", bad_rows().text().as_bytes());
    drop("binary.age", &[&report[..], b"CANARYE01\0\xff\xfe"].concat());
    drop_damaged(&installation, &report);
    installation.drop_raw("eu", "clear.txt", &report);

    // Odoo is down: everything is taken in, nothing gets through.
    let log = installation.dir.path().join("log");
    let mut child = installation.start_child(Some(&log));
    wait("all files to be taken in", || {
        ["incoming", "work"].iter().all(|folder| files(&installation, folder).is_empty())
    });
    std::thread::sleep(Duration::from_secs(2));
    assert_clean(lab, &installation, "while Odoo is down");
    assert_eq!(
        files(&installation, "rejected").len(),
        2 * 4,
        "refused, binary, damaged, clear: {:?}",
        files(&installation, "rejected")
    );

    // Then it answers, but the answer to creating is lost; one order it refuses.
    proxy.open(1);
    child.settle();
    child.stop();
    assert_eq!(proxy.cut(), 1, "an answer that never came");
    assert_clean(lab, &installation, "after delivery");

    // And over a restart that reads all of it again.
    let spoold = installation.start();
    let account = installation.account();
    spoold.wait_idle(&installation);
    let told = spoold.describe(&account);
    let tally = spoold.tally(&account);
    spoold.stop();
    // Odoo's refusal is dead; held are the order of the bad row and the one to be cancelled.
    assert_eq!((tally.done, tally.dead, tally.held), (2, 1, 2), "{told}");
    assert_clean(lab, &installation, "after a restart");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains(REFUSED) && log.contains("TRACE"), "nothing was logged:\n{log}");

    let sources =
        [order_report, unshipped].map(|path| std::fs::read_to_string(path).unwrap()).join("\n");
    let all = cells(&sources);
    let wanted: BTreeSet<String> =
        all.iter().filter(|cell| belongs(cell)).map(|cell| in_odoo(cell)).collect();
    let there = cells(&everything_in_odoo(lab));
    let missing: Vec<_> = wanted.difference(&there).collect();
    let odd: Vec<_> = there.difference(&wanted).collect();
    assert!(
        missing.is_empty() && odd.is_empty(),
        "Odoo {}: missing {missing:?}, there without need {odd:?}",
        lab.version
    );
    assert_eq!(lab.outgoing(), 0, "nobody may be mailed");
}

/// A database that refuses one order in words that name the buyer.
fn refusal() -> String {
    format!(
        "create function refuse() returns trigger language plpgsql as $$ begin \
           if new.client_order_ref = '{REFUSED}' then \
             raise exception 'no order for %', (select name from res_partner where id = new.partner_id) \
               using errcode = 'check_violation'; \
           end if; return new; end $$; \
         create trigger refuse before insert or update on sale_order for each row execute function refuse()"
    )
}

/// A file of no known type.
fn unknown_header(report: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(report.to_vec()).unwrap();
    text.replacen("order-item-id", "CANARYE02unknowncolumn", 1)
        .replacen("sku", "article", 1)
        .into_bytes()
}

/// A row that cannot be read, marked wherever it is wrong.
fn bad_rows() -> Report {
    let mut report = Report::all_orders();
    report.row(&[
        ("amazon-order-id", "999-0000001-0000001"),
        ("purchase-date", "CANARYE03date"),
        ("last-updated-date", "2025-04-01T00:00:00+00:00"),
        ("order-status", "CANARYE04status"),
        ("fulfillment-channel", "CANARYE05channel"),
        ("sales-channel", "Amazon.de"),
        ("sku", "SKU-0001"),
        ("quantity", "CANARYE06quantity"),
        ("currency", "EUR"),
        ("item-price", "CANARYE07price"),
        ("ship-city", "CANARYE08city"),
        ("ship-country", "DE"),
    ]);
    report
}

/// Sealed, and cut short.
fn drop_damaged(installation: &Installation, report: &[u8]) {
    installation.drop_bytes("eu", "whole.age", &report.repeat(40));
    let path = installation.folder("eu", "incoming").join("whole.age");
    let sealed = std::fs::read(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    installation.drop_raw("eu", "damaged.age", &sealed[..sealed.len() - 1000]);
}

fn belongs(cell: &str) -> bool {
    let name = &cell[MARK.len() + 3..];
    NEEDED.contains(&name)
        && (cell.starts_with("CANARYA")
            || cell.starts_with("CANARYC")
            || !ON_DELIVERY.contains(&name))
        && (name != ON_THE_ORDER || !cell.starts_with("CANARYB"))
}

/// A cell as Odoo has it.
fn in_odoo(cell: &str) -> String {
    if cell.ends_with(IN_UPPER_CASE) { cell.to_uppercase() } else { cell.to_owned() }
}

/// Marked cells in a text.
fn cells(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices(MARK).map(|(at, _)| &text[at..]);
    starts
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            rest[..end].to_owned()
        })
        .collect()
}

/// Every row of the database that holds a mark.
fn everything_in_odoo(lab: &Lab) -> String {
    let tables = lab.sql("select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace");
    let selects: Vec<String> = tables
        .lines()
        .map(|table| format!("select t::text from \"{table}\" t where t::text like '%{MARK}%'"))
        .collect();
    lab.sql(&selects.join(" union all "))
}

fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..600 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("waited too long for {what}");
}

fn files(installation: &Installation, folder: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(installation.folder("eu", folder)) else {
        return Vec::new();
    };
    let hidden = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with('.');
    entries.map(|entry| entry.unwrap().path()).filter(|path| !hidden(path)).collect()
}

/// Spool, state, log, configuration.
fn assert_clean(lab: &Lab, installation: &Installation, when: &str) {
    let found = marks(installation.dir.path());
    assert!(found.is_empty(), "Odoo {} {when}:\n{}", lab.version, found.join("\n"));
    assert!(walk(installation.dir.path()).len() > 10, "nothing to look at");
}

/// Where a mark stands, in file names and in files.
pub(crate) fn marks(root: &Path) -> Vec<String> {
    let needles = needles();
    let mut found = Vec::new();
    for path in walk(root) {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_ascii_lowercase();
        if name.contains(&MARK.to_ascii_lowercase()) {
            found.push(format!("the name of {}", path.display()));
        }
        if !path.is_file() {
            continue;
        }
        // What is no file any more was no place to hide.
        let Ok(bytes) = std::fs::read(&path) else { continue };
        for (encoding, needle) in &needles {
            if let Some(at) = memchr::memmem::find(&bytes, needle) {
                let around = &bytes[at.saturating_sub(60)..(at + 60).min(bytes.len())];
                found.push(format!(
                    "{} at {at}, {encoding}: {}",
                    path.display(),
                    String::from_utf8_lossy(around)
                ));
                break;
            }
        }
    }
    found
}

/// Folders and files below.
fn walk(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(root) else { return found };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(walk(&path));
        }
        found.push(path);
    }
    found
}

/// The mark in capitals, small and as both begin in mixed texts, in every encoding.
fn needles() -> Vec<(String, Vec<u8>)> {
    let mut needles = Vec::new();
    for word in [MARK.to_owned(), MARK.to_lowercase()] {
        let mut add =
            |encoding: &str, bytes: Vec<u8>| needles.push((format!("{encoding} of {word}"), bytes));
        add("raw", word.clone().into_bytes());
        add("UTF-16LE", word.encode_utf16().flat_map(u16::to_le_bytes).collect());
        add("UTF-16BE", word.encode_utf16().flat_map(u16::to_be_bytes).collect());
        add("hex", hex(word.as_bytes()).into_bytes());
        add("HEX", hex(word.as_bytes()).to_uppercase().into_bytes());
        for shift in 0..3 {
            // The digits at both ends depend on the neighbours.
            let encoded = STANDARD_NO_PAD.encode([&vec![0; shift][..], word.as_bytes()].concat());
            let first = [0, 2, 3][shift];
            let last = encoded.len() - usize::from((shift + word.len()) % 3 != 0);
            add(&format!("base64+{shift}"), encoded.as_bytes()[first..last].to_vec());
        }
    }
    needles
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
