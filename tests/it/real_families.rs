//! The same orders in three families of reports: whatever comes first, the same stands in Odoo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::real_orders::{ACCOUNTS, account_of, elsewhere, samples, vectors};
use crate::real_support::{Tap, lines, report};
use crate::support::expected::{differences, expected, pooled, pooled_seen, skus};
use crate::support::lab::{Lab, Seen, project, run, versions};
use crate::support::spoold::{Installation, Spoold, keys_text};

const FAMILIES: [&str; 3] = ["trio_all_orders.txt", "trio_unshipped.txt", "trio_order_report.txt"];
/// Which family comes when.
const PERMUTATIONS: [[usize; 3]; 6] =
    [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
const ROUNDS: usize = 5;

/// One order of arrival: an installation of its own, with order ids and buyers of its own.
struct World {
    number: usize,
    files: Vec<PathBuf>,
    installation: Installation,
}

impl World {
    /// The account's keys are the same on all its hosts.
    fn new(lab: &Lab, tap: &Tap, number: usize, keys: &str) -> Self {
        let installation = Installation::with_keys(lab, &["--url", &tap.url], keys);
        let files = FAMILIES
            .iter()
            .map(|name| {
                let path = installation.dir.path().join(name);
                let text = std::fs::read(project("tests/vectors").join(name)).unwrap();
                std::fs::write(&path, renamed(&text, number)).unwrap();
                path
            })
            .collect();
        Self { number, files, installation }
    }

    fn drop_file(&self, family: usize) {
        self.installation.drop_file("eu", &self.files[family]);
    }
}

/// The file with order ids and buyers of one world.
fn renamed(bytes: &[u8], world: usize) -> Vec<u8> {
    let rows = lines(bytes);
    let rows = rows.iter().enumerate().map(|(at, row)| {
        let row = row.replace("@marketplace", &format!(".{world}@marketplace"));
        if at == 0 { row } else { format!("{}{}", world + 1, tail(&row)) }
    });
    report(&rows.collect::<Vec<_>>())
}

/// All but the first digit of what begins with an order id.
fn tail(text: &str) -> &str {
    text.strip_prefix(|first: char| first.is_ascii_digit()).unwrap()
}

/// Drops the three files in every world's order (in another's, for `turn` above 0), settled in between.
fn deliver_all(worlds: &[World], running: &[Spoold], turn: usize) {
    for step in 0..FAMILIES.len() {
        for world in worlds {
            let order = PERMUTATIONS[(world.number + turn) % PERMUTATIONS.len()];
            world.drop_file(order[step]);
        }
        for (world, spoold) in worlds.iter().zip(running) {
            spoold.wait_idle(&world.installation);
        }
    }
}

/// What must be the same in every world: no ids of Odoo's, no world's number.
fn common(orders: &BTreeMap<String, Seen>, world: usize) -> Vec<String> {
    let own = orders.iter().filter(|(id, _)| id.starts_with(&(world + 1).to_string()));
    own.map(|(id, seen)| {
        let Seen { state, date_order, commitment_date, currency, total, tax, .. } = seen;
        let who = |partner: &odoo_spoold::odoo::Record| {
            ["name", "email", "street", "street2", "city", "zip", "country_code"]
                .map(|field| partner.get(field).map(ToString::to_string).unwrap_or_default())
                .join("|")
                .replace(&format!(".{world}@"), "@")
        };
        let lines = pooled_seen(seen).lines;
        format!(
            "{} {state} {date_order} {commitment_date} {currency} {total} {tax} {} {} {} {} -> {} {lines:?}",
            tail(id),
            seen.warehouse,
            seen.company,
            seen.pickings,
            who(&seen.partner),
            who(&seen.shipping),
        )
    })
    .collect()
}

#[test]
fn any_order_of_arrival_leaves_the_same_orders() {
    for version in versions("families in any order") {
        let lab = Lab::new(version, "families");
        let originals: Vec<PathBuf> =
            FAMILIES.iter().map(|name| project("tests/vectors").join(name)).collect();
        let originals: Vec<&Path> = originals.iter().map(PathBuf::as_path).collect();
        let products = skus(&originals);
        lab.products(products.iter().map(String::as_str));
        lab.fee_products();
        let tap = Tap::new(&lab);
        let keys = keys_text(&["eu".to_owned()], &lab.text("api_key"));
        let worlds: Vec<World> =
            (0..PERMUTATIONS.len()).map(|number| World::new(&lab, &tap, number, &keys)).collect();
        let running: Vec<Spoold> = worlds.iter().map(|world| world.installation.start()).collect();
        deliver_all(&worlds, &running, 0);

        let seen = lab.orders();
        let all: Vec<&Path> =
            worlds.iter().flat_map(|world| world.files.iter().map(PathBuf::as_path)).collect();
        let want = expected(&all, &[]);
        assert_eq!(want.len(), 36);
        let mut wrong: Vec<String> = want
            .iter()
            .flat_map(|(id, order)| {
                differences(&pooled(order), seen.get(id).map(pooled_seen).as_ref())
            })
            .collect();
        assert!(wrong.is_empty(), "Odoo {version}:\n{}", wrong.join("\n"));
        let first = common(&seen, 0);
        assert_eq!(first.len(), 6);
        for world in &worlds[1..] {
            let other = common(&seen, world.number);
            for (one, other) in first.iter().zip(&other).filter(|(one, other)| one != other) {
                wrong.push(format!("{:?}\n  {one}\n  {other}", PERMUTATIONS[world.number]));
            }
        }
        assert!(wrong.is_empty(), "Odoo {version}:\n{}", wrong.join("\n"));
        for (world, spoold) in worlds.iter().zip(&running) {
            let account = world.installation.account();
            let tally = spoold.tally(&account);
            assert_eq!(tally.held + tally.dead, 0, "{}", spoold.describe(&account));
        }

        // The same files again, in changing order.
        let mut before = None;
        for round in 0..ROUNDS {
            deliver_all(&worlds, &running, round);
            let now = (lab.census(), lab.last_write(), tap.writes());
            if let Some(before) = &before {
                assert_eq!(before, &now, "Odoo {version}, round {round}: {:?}", tap.calls());
            }
            before = Some(now);
        }
        assert_eq!(lab.orders(), seen, "Odoo {version}: repeating changes nothing");
        assert_eq!(lab.outgoing(), 0, "nobody may be mailed");
        for spoold in running {
            spoold.stop();
        }
    }
}

/// Unshipped reports of ours and, where they are, of real sellers.
fn reports_without_prices() -> Vec<PathBuf> {
    let mut files = vectors();
    files.extend(samples());
    files.retain(|path| {
        let path = path.to_str().unwrap();
        path.contains("unshipped_") || path.contains("ACTIONABLE")
    });
    files
}

/// An All Orders report with prices for the orders of an unshipped one.
fn priced(file: &Path, into: &Path, number: usize) -> PathBuf {
    let prices = into.join(format!("prices-{number}.txt"));
    let mut script = Command::new("python3");
    script.arg(project("tests/vectors/make.py")).arg("price-fixture").arg(file).arg(&prices);
    run(&mut script, "");
    prices
}

/// Whether the buyer asked to cancel the order.
fn cancellation_asked(file: &Path, order: &str) -> bool {
    let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
    let mut rows = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let header = rows.next().unwrap();
    let column = header.iter().position(|name| *name == "is-buyer-requested-cancellation");
    column.is_some_and(|at| rows.any(|row| row[0] == order && row.get(at) == Some(&"true")))
}

#[test]
fn orders_without_a_price_wait_for_it() {
    for version in versions("unshipped reports alone") {
        let lab = Lab::new(version, "unshipped");
        let files = reports_without_prices();
        assert!(files.len() >= 3);
        let all: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let products = skus(&all);
        lab.products(products.iter().map(String::as_str));
        lab.fee_products();
        let installation = Installation::new(&lab, &ACCOUNTS);
        for file in &files {
            installation.drop_file(account_of(file), file);
        }
        let spoold = installation.start();
        spoold.wait_idle(&installation);
        assert_eq!(lab.orders().len(), 0, "Odoo {version}: nothing is created without a price");
        let mut wrong = Vec::new();
        for file in &files {
            let held: BTreeMap<_, _> =
                spoold.holds(&account_of(file).parse().unwrap()).into_iter().collect();
            for (order, want) in expected(&[file], &[]) {
                assert_eq!(want["status"], "not_created");
                let reason: Vec<&str> = want["reason"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|r| r.as_str().unwrap())
                    .collect();
                let codes = held.get(&order).map(Vec::as_slice).unwrap_or_default();
                let mut codes: Vec<&str> = codes.iter().map(|code| code.name()).collect();
                codes.sort_unstable();
                codes.dedup();
                if codes != reason {
                    wrong.push(format!(
                        "{} {order}: expected {reason:?}, held {codes:?}",
                        file.display()
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "Odoo {version}:\n{}", wrong.join("\n"));

        let prices: Vec<PathBuf> = files
            .iter()
            .enumerate()
            .map(|(n, file)| priced(file, installation.dir.path(), n))
            .collect();
        for (file, prices) in files.iter().zip(&prices) {
            installation.drop_file(account_of(file), prices);
        }
        spoold.wait_idle(&installation);
        let seen = lab.orders();
        let mut created = 0;
        for (file, prices) in files.iter().zip(&prices) {
            for (id, mut order) in expected(&[file, prices], &[]) {
                elsewhere(&mut order, account_of(file));
                if cancellation_asked(file, &id) {
                    // A person decides; the goods stay here until then.
                    order["state"] = "draft".into();
                }
                created += usize::from(order["status"] == "created");
                wrong.extend(differences(&order, seen.get(&id)));
            }
        }
        if !wrong.is_empty() {
            let told = ["eu", "na"].map(|account| spoold.describe(&account.parse().unwrap()));
            wrong.extend(told);
        }
        assert_eq!(seen.len(), created, "Odoo {version}");
        spoold.stop();
        assert!(wrong.is_empty(), "Odoo {version}:\n{}", wrong.join("\n"));
        assert_eq!(lab.outgoing(), 0, "nobody may be mailed");
    }
}
