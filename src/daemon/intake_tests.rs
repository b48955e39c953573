//! Files in, records out: however the same rows are cut into files, sealed, repeated and ordered,
//! the store ends with the same of every order.
//!
//! Through the real way in (claim, open, survey, facts, take, finish) and the real store, without
//! Odoo. `plan::merge` has the like for facts; here it is for files. What may be cut: between
//! orders anywhere, and within an order where another file has that order whole; only then is it
//! the same rows (`store::intake::weigh`: at one version more lines stand).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use super::intake::{Intake, IntakeAccount};
use crate::clock::Manual;
use crate::envelope::{self, Keyring, Policy};
use crate::model::{AccountId, Dossier, FileId, FileState};
use crate::plan;
use crate::spool::{Scanner, SpoolDirs, claim};
use crate::store::{JobFilter, Secret, Store, StoreKeys, StoreOptions};

const REPORTS: [&str; 3] = ["trio_all_orders.txt", "trio_order_report.txt", "trio_unshipped.txt"];
/// Columns of All Orders that make it another version: `last-updated-date` and `order-status`.
const UPDATED: usize = 3;
const STATUS: usize = 4;

/// All rows of one order in one report, at one version.
#[derive(Debug, Clone)]
struct Sheet {
    report: usize,
    order: String,
    rows: Vec<String>,
}

/// The headers, and every sheet that is to be told.
fn material() -> (Vec<String>, Vec<Sheet>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let (mut headers, mut sheets) = (Vec::new(), Vec::<Sheet>::new());
    for (report, name) in REPORTS.iter().enumerate() {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let mut lines = text.lines();
        headers.push(lines.next().unwrap().to_owned());
        let mut orders: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for line in lines {
            orders.entry(line.split('\t').next().unwrap()).or_default().push(line.to_owned());
        }
        for (number, (order, rows)) in orders.into_iter().enumerate() {
            let sheet = Sheet { report, order: order.to_owned(), rows };
            // Some orders had an earlier life, some a later one.
            if report == 0 && number % 2 == 0 {
                sheets.push(at_version(&sheet, "2025-03-01T00:00:00+00:00", "Pending"));
                sheets.push(at_version(&sheet, "2025-12-01T00:00:00+00:00", "Shipped"));
            }
            sheets.push(sheet);
        }
    }
    (headers, sheets)
}

fn at_version(sheet: &Sheet, updated: &str, status: &str) -> Sheet {
    let rows = sheet.rows.iter().map(|row| {
        let mut cells: Vec<&str> = row.split('\t').collect();
        (cells[UPDATED], cells[STATUS]) = (updated, status);
        cells.join("\t")
    });
    Sheet { rows: rows.collect(), ..sheet.clone() }
}

/// One file to be dropped.
#[derive(Debug)]
struct Drop {
    text: String,
    gzip: bool,
    armored: bool,
    foreign_recipient_too: bool,
}

/// Cuts the sheets into files: each sheet whole at least once, some again, some in part.
fn cut(headers: &[String], sheets: &[Sheet], dice: &mut StdRng) -> Vec<Drop> {
    // Reports do not tell one order at two versions: such sheets go into different files.
    let mut files: Vec<(usize, Vec<Sheet>)> = Vec::new();
    let mut deal: Vec<Sheet> = sheets.to_vec();
    for _ in 0..dice.gen_range(0..8) {
        deal.push(sheets.choose(dice).unwrap().clone());
    }
    for _ in 0..dice.gen_range(0..6) {
        let mut part = sheets.choose(dice).unwrap().clone();
        part.rows.shuffle(dice);
        part.rows.truncate(dice.gen_range(1..=part.rows.len()));
        deal.push(part);
    }
    deal.shuffle(dice);
    let often = dice.gen_range(1..20);
    for sheet in deal {
        let fits = |(report, told): &(usize, Vec<Sheet>)| {
            *report == sheet.report && told.iter().all(|other| other.order != sheet.order)
        };
        match files.iter().position(fits) {
            Some(at) if !dice.gen_ratio(often, 80) => files[at].1.push(sheet),
            _ => files.push((sheet.report, vec![sheet])),
        }
    }
    // A file may come twice, sealed anew.
    if dice.gen_bool(0.5) {
        let again = files.choose(dice).unwrap().clone();
        files.push(again);
    }
    files.shuffle(dice);
    files
        .into_iter()
        .map(|(report, told)| {
            let mut rows: Vec<String> = told.into_iter().flat_map(|sheet| sheet.rows).collect();
            rows.shuffle(dice);
            let crlf = dice.gen_bool(0.3);
            let mut text = String::new();
            for line in std::iter::once(&headers[report]).chain(&rows) {
                write!(text, "{line}{}", if crlf { "\r\n" } else { "\n" }).unwrap();
            }
            Drop {
                text,
                gzip: dice.gen_bool(0.4),
                armored: dice.gen_bool(0.3),
                foreign_recipient_too: dice.gen_bool(0.4),
            }
        })
        .collect()
}

/// What was known of each order when everything was taken in.
type Known = BTreeMap<String, String>;

/// An account with a spool and a store of its own.
struct House {
    _dir: tempfile::TempDir,
    dirs: SpoolDirs,
    intake: Intake,
    account: IntakeAccount,
    recipients: [String; 2],
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let dirs = SpoolDirs::new(&dir.path().join("spool"), "eu");
        std::fs::create_dir(dir.path().join("spool")).unwrap();
        dirs.prepare().unwrap();
        let id: AccountId = "eu".parse().unwrap();
        let secret = |byte: u8| Secret::new(Box::new([byte; 32]));
        let keys = StoreKeys::new("m1", secret(1)).unwrap().with_account(id.clone(), secret(2));
        let state = dir.path().join("state");
        let store = Store::open(&state, &keys, StoreOptions::default()).unwrap();
        let (identity, recipient) = envelope::generate_identity();
        let (_, foreign) = envelope::generate_identity();
        let clock = Manual::new("2026-01-05T10:00:00Z".parse().unwrap());
        Self {
            _dir: dir,
            dirs,
            intake: Intake {
                store: Arc::new(store),
                clock: Arc::new(clock),
                courtesy: Arc::default(),
                stop: CancellationToken::new(),
            },
            account: IntakeAccount {
                id,
                keyring: Arc::new(Keyring::from_identities([identity.expose_secret()]).unwrap()),
                policy: Policy::default(),
                max_file_bytes: 1 << 20,
                import_from: Timestamp::UNIX_EPOCH,
            },
            recipients: [recipient, foreign],
        }
    }

    /// Seals a file, drops it, and takes it in.
    fn take(&self, number: u64, dropped: &Drop) {
        let plain = if dropped.gzip {
            let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            zip.write_all(dropped.text.as_bytes()).unwrap();
            zip.finish().unwrap()
        } else {
            dropped.text.clone().into_bytes()
        };
        // The foreign one first: ours is found wherever it stands.
        let mut recipients: Vec<&str> = self.recipients.iter().rev().map(String::as_str).collect();
        if !dropped.foreign_recipient_too {
            recipients.remove(0);
        }
        let mut sealer = envelope::seal(Vec::new(), &recipients, dropped.armored).unwrap();
        sealer.write_all(&plain).unwrap();
        let name = format!("report-{number}.age");
        std::fs::write(self.dirs.incoming.join(name), sealer.finish().unwrap()).unwrap();
        let look = Scanner::new(self.dirs.clone(), Duration::ZERO).scan(Instant::now()).unwrap();
        let [candidate] = look.ready.as_slice() else { panic!("{look:?}") };
        let id = FileId::from_bits(number);
        let claimed = claim(&self.dirs, candidate, id, "2026-01-05T10:00:00Z").unwrap();
        let record = self.intake.take(&self.account, claimed, &|| (), &|| ()).unwrap();
        assert_eq!(record.state, FileState::Done, "{:?} {dropped:?}", record.refusal);
        assert_eq!(record.counts.refused, 0, "{:?} {dropped:?}", record.faults);
    }

    fn known(&self) -> Known {
        let store = &self.intake.store;
        assert_eq!(store.verify().unwrap(), [""; 0]);
        let all = store.jobs(&JobFilter::default(), 10_000, None).unwrap().jobs.len();
        // Nothing was delivered: every order is due, with its buyers.
        let leased = store.lease(&self.account.id, self.intake.clock.now(), 10_000).unwrap().jobs;
        assert_eq!(leased.len(), all);
        leased
            .iter()
            .map(|leased| {
                let order = leased.job.order_id.to_string();
                (order, said(&leased.dossier) + &bought(&leased.buyers))
            })
            .collect()
    }
}

/// What counts of a dossier: not the file that came last, nor line numbers in it.
fn said(dossier: &Dossier) -> String {
    let mut text = format!("{:?}\n", plan::merge::merge(dossier));
    for (family, standing) in &dossier.facts {
        writeln!(text, "{family:?} {:?} {:?}", standing.rank, standing.fact.head).unwrap();
    }
    for (family, refused) in &dossier.refused {
        writeln!(text, "{family:?} refused at {:?}", refused.version).unwrap();
    }
    text
}

/// The buyers, of which nothing prints.
fn bought(buyers: &crate::store::Buyers) -> String {
    let mut text = String::new();
    for (family, state) in buyers {
        let bytes = match state {
            crate::store::BuyerState::Known(buyer) => serde_json::to_string(buyer).unwrap(),
            other => format!("{other:?}"),
        };
        writeln!(text, "{family:?} {bytes}").unwrap();
    }
    text
}

/// Each report as one file, each version as a file of its own.
fn plainly(headers: &[String], sheets: &[Sheet]) -> Known {
    let house = House::new();
    let mut rest = sheets.to_vec();
    let mut number = 0;
    while !rest.is_empty() {
        for (report, header) in headers.iter().enumerate() {
            let mut orders = std::collections::BTreeSet::new();
            let (now, later): (Vec<Sheet>, Vec<Sheet>) = rest
                .into_iter()
                .partition(|sheet| sheet.report == report && orders.insert(sheet.order.clone()));
            rest = later;
            if now.is_empty() {
                continue;
            }
            let rows: Vec<String> = now.into_iter().flat_map(|sheet| sheet.rows).collect();
            let text = format!("{header}\n{}\n", rows.join("\n"));
            let (gzip, armored) = (false, false);
            house.take(number, &Drop { text, gzip, armored, foreign_recipient_too: false });
            number += 1;
        }
    }
    house.known()
}

/// Each case claims and syncs dozens of files: a sixteenth of the usual number of cases.
fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: (usual.cases / 16).max(8), max_shrink_iters: 0, ..usual }
}

#[test]
fn the_same_rows_in_any_files_end_in_the_same_records() {
    let (headers, sheets) = material();
    let expected = plainly(&headers, &sheets);
    assert_eq!(expected.len(), 6);
    proptest!(cases(), |(seed: u64)| {
        let mut dice = StdRng::seed_from_u64(seed);
        let house = House::new();
        let dropped = cut(&headers, &sheets, &mut dice);
        for (number, file) in (0..).zip(&dropped) {
            house.take(number, file);
        }
        let known = house.known();
        prop_assert!(known == expected, "seed {}: {}", seed, difference(&known, &expected));
        // And all of it once more says nothing new.
        let generations = generations(&house);
        let again = cut(&headers, &sheets, &mut dice);
        for (number, file) in (1000..).zip(&again) {
            house.take(number, file);
        }
        prop_assert_eq!(generations, self::generations(&house));
        prop_assert!(house.intake.store.verify().unwrap().is_empty());
    });
}

/// How often each order had news.
fn generations(house: &House) -> Vec<(String, u64)> {
    let page = house.intake.store.jobs(&JobFilter::default(), 10_000, None).unwrap();
    let mut found: Vec<_> =
        page.jobs.iter().map(|(_, job)| (job.order_id.to_string(), job.generation)).collect();
    found.sort();
    found
}

fn difference(known: &Known, expected: &Known) -> String {
    let mut text = String::new();
    for order in known.keys().chain(expected.keys()) {
        if known.get(order) != expected.get(order) {
            write!(text, "\n{order}: {:#?}\nexpected {:#?}", known.get(order), expected.get(order))
                .unwrap();
        }
    }
    text
}
