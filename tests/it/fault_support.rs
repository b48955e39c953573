//! The real daemon binary under a disk that fails on command, against the scripted Odoo.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use odoo_spoold::control::client::Client;
use odoo_spoold::control::wire::OrderCounts;
use odoo_spoold::daemon::open_store;
use odoo_spoold::store::Tally;
use serde_json::{Value, json};

use crate::support::fake_odoo::{self, FakeOdoo, Flavor};
use crate::support::lab::project;
use crate::support::sales::{Report, shipped_by_seller};
use crate::support::spoold::{Installation, keys_text};

/// Points looked at at the same time, where there are many.
const AT_ONCE: usize = 20;
/// How often is looked whether a daemon is through.
pub(crate) const LOOK: Duration = Duration::from_millis(50);
/// Far more than anything takes here: only standing still is wrong.
const PATIENCE: Duration = Duration::from_mins(2);
/// Stands in every buyer's address.
pub(crate) const CANARY: &[u8] = b"marketplace.amazon.de.example";

/// Between fork and exec a child holds the locks of this process, too: nobody starts one while another
/// thread has a store open.
static STORES: RwLock<()> = RwLock::new(());

/// The library that is preloaded; built when it is not there yet.
pub(crate) fn shim() -> PathBuf {
    let source = project("tests/faults/io_faults.rs");
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("io_faults.so");
    let newer = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
    if newer(&built) < newer(&source) {
        // In a folder of its own: others build it at the same moment, under the same names.
        let aside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let own = aside.path().join("io_faults.so");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(rustc)
            .args(["--edition", "2024", "-O", "--crate-type", "cdylib", "-C", "panic=abort", "-o"])
            .arg(&own)
            .arg(source)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::rename(&own, &built).unwrap();
    }
    built
}

/// A scripted Odoo that has what the orders need.
pub(crate) fn shop() -> FakeOdoo {
    shop_of(Flavor::V19)
}

/// The same, as another version.
pub(crate) fn shop_of(flavor: Flavor) -> FakeOdoo {
    let fake = FakeOdoo::start_new(flavor);
    let unit = fake.insert("uom.uom", json!({"name": "Units"}));
    let company = fake.records("res.company")[0]["id"].clone();
    let codes = ["SKU-0001", "AMZ-SHIPPING", "AMZ-GIFT-WRAP", "AMZ-PROMOTION", "AMZ-ROUNDING"];
    for code in codes {
        fake.insert("product.product", json!({"name": code, "default_code": code, "uom_id": unit}));
    }
    fake.insert("stock.warehouse", json!({"name": "Main", "code": "WH", "company_id": company}));
    // A cent off in every order: each has a step more, which no crash may lead past.
    fake.tables(|tables| tables.amount_off = 0.01);
    fake
}

/// A daemon's folders and settings.
pub(crate) struct Place {
    pub(crate) installation: Installation,
    started: std::cell::Cell<u32>,
}

/// A daemon in a process of its own.
pub(crate) struct Running {
    process: Child,
    said: File,
}

impl Place {
    pub(crate) fn of(fake: &FakeOdoo) -> Self {
        Self::at(fake, None, "")
    }

    /// With another `limit_time_real`.
    pub(crate) fn limited(fake: &FakeOdoo, limit: &str) -> Self {
        Self::with(fake, None, "", limit)
    }

    /// State and spool below `disk`, with more lines for `[spool]`.
    pub(crate) fn at(fake: &FakeOdoo, disk: Option<&Path>, spool: &str) -> Self {
        Self::with(fake, disk, spool, "1s")
    }

    fn with(fake: &FakeOdoo, disk: Option<&Path>, spool: &str, limit: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().to_owned();
        let disk = disk.unwrap_or(&own).display();
        let at = own.display();
        let text = format!(
            "[odoo]\nurl = \"{}\"\ndatabase = \"{}\"\nlogin = \"{}\"\nlimit_time_real = \"{limit}\"\n\
             [spool]\ndir = \"{disk}/spool\"\npoll_interval = \"1s\"\nsettle = \"1s\"\n{spool}\n\
             [state]\ndir = \"{disk}/state\"\ncache = \"8MiB\"\n\
             [keys]\nfile = \"{at}/keys.toml\"\n[control]\nsocket = \"{at}/control.sock\"\n\
             [[account]]\nid = \"eu\"\nregion = \"EU\"\ncompany = \"Shop\"\n\
             import_from = 2001-01-01\naccept_plaintext = true\n\
             [[account.marketplace]]\nname = \"Amazon.de\"\npricelist = \"EUR\"\nprices = \"gross\"\n\
             [[account.marketplace.tax]]\ndestination = \"*\"\nrate = \"0\"\ntax = \"none\"\ndefault = true\n",
            fake.url(),
            fake_odoo::DATABASE,
            fake_odoo::LOGIN
        );
        let keys = keys_text(&["eu".to_owned()], fake_odoo::API_KEY);
        let installation = Installation::from_text(dir, &text, &keys);
        Self { installation, started: std::cell::Cell::new(0) }
    }

    /// The binary, with its standard error in a file.
    pub(crate) fn start(&self, env: &[(&str, String)]) -> Running {
        let said = tempfile::tempfile().unwrap();
        let settings = &self.installation.settings;
        let mut command = Command::new(env!("CARGO_BIN_EXE_odoo-spoold"));
        command
            .args(["run", "--config"])
            .arg(&self.installation.config)
            .env_remove("CREDENTIALS_DIRECTORY")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("JOURNAL_STREAM")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said.try_clone().unwrap());
        if !env.is_empty() {
            let watch =
                format!("{}:{}", settings.spool.dir.display(), settings.state.dir.display());
            command.env("LD_PRELOAD", shim()).env("IO_WATCH", watch);
            command.envs(env.iter().map(|(name, value)| (*name, value)));
        }
        self.started.set(self.started.get() + 1);
        let _alone = STORES.write().unwrap_or_else(PoisonError::into_inner);
        Running { process: command.spawn().unwrap(), said }
    }

    /// Two sealed files that overlap, one in clear, one that is no report: `orders` orders.
    pub(crate) fn drop_files(&self, orders: u64) {
        let report = |numbers: std::ops::Range<u64>| {
            let mut report = Report::order_report();
            numbers.for_each(|n| shipped_by_seller(&mut report, n, n % 3, "SKU-0001", 900 + n));
            report.text().into_bytes()
        };
        self.installation.drop_bytes("eu", "one.age", &report(0..orders - 1));
        self.installation.drop_bytes("eu", "two.age", &report(1..orders));
        // With its sidecar: nothing is waited for.
        self.installation.drop_raw("eu", "clear.txt.json", br#"{"charset": "UTF-8"}"#);
        self.installation.drop_raw("eu", "clear.txt", &report(0..1));
        self.installation.drop_bytes("eu", "none.age", b"nothing that Amazon wrote\n");
    }

    /// Names in a folder, those that begin with a dot left out.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.installation.folder("eu", folder)) else {
            return Vec::new();
        };
        let names = entries.flatten().map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| !name.starts_with('.')).collect()
    }

    pub(crate) fn files_undone(&self) -> usize {
        self.names("incoming").len() + self.names("work").len()
    }

    /// What the store counts; no daemon may run.
    pub(crate) fn tally(&self) -> Tally {
        let _open = STORES.read().unwrap_or_else(PoisonError::into_inner);
        let store = open_store(&self.installation.settings, &self.installation.keys)
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(store.verify().unwrap(), [""; 0]);
        store.counts().remove(&self.installation.account()).unwrap_or_default()
    }

    /// Whether every file was taken, every order stands in Odoo, and the running daemon says that
    /// nothing is left to do.
    pub(crate) fn is_done(&self, fake: &FakeOdoo, orders: u64) -> bool {
        let standing = || {
            let records = fake.records("sale.order");
            records.len() as u64 >= orders && records.iter().all(|order| order["state"] == "sale")
        };
        self.files_undone() == 0 && standing() && self.says_idle()
    }

    fn says_idle(&self) -> bool {
        self.counts().is_some_and(|counts| counts.pending + counts.started == 0)
    }

    /// What the running daemon knows of orders; none while it does not answer.
    pub(crate) fn counts(&self) -> Option<OrderCounts> {
        let socket = &self.installation.settings.control.socket;
        let status = Client::connect(socket).and_then(|client| client.status()).ok()?;
        status.accounts.into_iter().next().map(|account| account.orders)
    }

    pub(crate) fn orders_known(&self) -> Option<u64> {
        let counts = self.counts()?;
        Some(counts.pending + counts.started + counts.held + counts.dead + counts.done)
    }

    /// Starts a healthy daemon, and stops it as systemd does when nothing is left to do. What it said.
    pub(crate) fn run_until_idle(&self, fake: &FakeOdoo, orders: u64) -> String {
        let mut running = self.start(&[]);
        running.wait("the work", || self.is_done(fake, orders));
        let (ended, said) = running.stop();
        assert!(ended.success(), "{ended}: {said}");
        assert_eq!(self.files_undone(), 0, "{said}");
        said
    }

    /// Nothing lost, nothing twice, nothing readable.
    pub(crate) fn assert_whole(&self, fake: &FakeOdoo, orders: u64, context: &str) {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for order in fake.records("sale.order") {
            let reference = order["client_order_ref"].as_str().unwrap().to_owned();
            *seen.entry(reference).or_default() += 1;
            assert_eq!(order["state"], "sale", "{context}");
        }
        assert_eq!(seen.len() as u64, orders, "{context}: {seen:?}");
        assert!(seen.values().all(|count| *count == 1), "{context}: twice: {seen:?}");
        let lines = fake.records("sale.order.line").len() as u64;
        assert_eq!(lines, 2 * orders, "{context}: the goods and the rounding of each order");
        let buyers = fake.records("res.partner").iter().filter(|p| p["email"].is_string()).count();
        assert!(buyers <= 3, "{context}: {buyers} buyers, at most 3 are known");
        let tally = self.tally();
        assert_eq!((tally.done, tally.total()), (orders, orders), "{context}: {tally:?}");

        let documents = |folder: &str| {
            let mut names = self.names(folder);
            names.retain(|name| !name.ends_with(".json"));
            names.iter().map(|name| name.rsplit_once('.').unwrap().0.to_owned()).collect::<Vec<_>>()
        };
        let mut done = documents("done");
        done.sort();
        assert_eq!(done, ["clear.txt", "one.age", "two.age"], "{context}");
        assert_eq!(documents("rejected"), ["none.age"], "{context}");
        assert_eq!(self.names("done").len() + self.names("rejected").len(), 8, "{context}");
        let settings = &self.installation.settings;
        for place in [&settings.spool.dir, &settings.state.dir] {
            assert_unreadable(place, context);
        }
    }

    /// `status` of the running daemon.
    pub(crate) fn status(&self) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_odoo-spoold"))
            .args(["status", "--config"])
            .arg(&self.installation.config)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn assert_unreadable(place: &Path, context: &str) {
    for entry in std::fs::read_dir(place).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            assert_unreadable(&path, context);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(CANARY.len()).any(|window| window == CANARY);
        assert!(!found, "{context}: {} is readable", path.display());
    }
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it said so far.
    pub(crate) fn said(&mut self) -> String {
        let mut bytes = Vec::new();
        self.said.rewind().unwrap();
        self.said.read_to_end(&mut bytes).unwrap();
        // The offset is shared with the process, which goes on writing at the end.
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for a condition while it runs.
    pub(crate) fn wait(&mut self, what: &str, mut condition: impl FnMut() -> bool) {
        let started = Instant::now();
        while !condition() {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "it ended ({ended:?}) before {what}: {}", self.said());
            assert!(started.elapsed() < PATIENCE, "waited too long for {what}: {}", self.said());
            std::thread::sleep(LOOK);
        }
    }

    pub(crate) fn wait_said(&mut self, words: &str) {
        let started = Instant::now();
        while !self.said().contains(words) {
            assert!(started.elapsed() < PATIENCE, "never said {words}: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().unwrap()
    }

    /// Waits until it ends by itself.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(ended) = self.ended() {
                return ended;
            }
            assert!(started.elapsed() < PATIENCE, "it does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap();
        // Gone already is as good.
        let _gone = rustix::process::kill_process(pid, signal);
    }

    /// SIGTERM, and what came of it.
    pub(crate) fn stop(mut self) -> (ExitStatus, String) {
        self.signal(rustix::process::Signal::TERM);
        let ended = self.end();
        let said = self.said();
        (ended, said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// What stands in Odoo, told apart by what it says and not by its ids: a line a record, sorted. No
/// record of ours may have more than one external id, or none.
pub(crate) fn effects(fake: &FakeOdoo) -> Vec<String> {
    let references: BTreeMap<i64, Value> = fake
        .records("sale.order")
        .into_iter()
        .map(|order| (order["id"].as_i64().unwrap(), order["client_order_ref"].clone()))
        .collect();
    let mut lines = Vec::new();
    for model in ["sale.order", "sale.order.line", "res.partner"] {
        for record in fake.records(model) {
            let id = record["id"].as_i64().unwrap();
            let names = fake.tables(|tables| tables.names_of(model, id));
            let mut cells = BTreeMap::new();
            for (field, value) in record {
                // Counters, clocks, and the marker, which changes with every window.
                let passing = ["id", "create_date", "write_date", "ref", "display_name"]
                    .contains(&field.as_str())
                    || (model, field.as_str()) == ("sale.order", "name");
                let told = match (field.as_str(), &value) {
                    _ if passing => continue,
                    ("order_id", Value::Array(pair)) => {
                        references[&pair[0].as_i64().unwrap()].clone()
                    }
                    (_, Value::Array(pair)) if pair.len() == 2 && pair[1].is_string() => {
                        pair[1].clone()
                    }
                    (_, Value::Array(many)) => json!(many.len()),
                    _ => value.clone(),
                };
                cells.insert(field, told);
            }
            lines.push(format!("{model}, {names} external id: {}", json!(cells)));
        }
    }
    lines.sort();
    lines
}

/// Only what differs is told.
pub(crate) fn assert_same_effects(found: &[String], wanted: &[String], context: &str) {
    let without = |some: &[String], others: &[String]| -> Vec<String> {
        some.iter().filter(|line| !others.contains(line)).cloned().collect()
    };
    let (more, less) = (without(found, wanted), without(wanted, found));
    assert!(found == wanted, "{context}: in Odoo stands\n{more:#?}\ninstead of\n{less:#?}");
}

/// Does each of `todo`, by its name, many at once: most of their time they wait. Those that went wrong
/// are told together, at the end; else how long one took.
pub(crate) fn side_by_side<T: Send>(
    todo: Vec<(String, T)>,
    work: impl Fn(&str, T) + Sync,
) -> String {
    let at_once = if todo.len() > 100 { AT_ONCE } else { 6 };
    let (count, began) = (todo.len(), Instant::now());
    let todo = Mutex::new(todo);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let Some((name, one)) = todo.lock().unwrap().pop() else { return };
                    let began = Instant::now();
                    let went = std::panic::catch_unwind(AssertUnwindSafe(|| work(&name, one)));
                    if let Err(why) = went {
                        let why = match why.downcast::<String>() {
                            Ok(text) => *text,
                            Err(other) => {
                                (*other.downcast::<&str>().unwrap_or_default()).to_owned()
                            }
                        };
                        println!("{name}: WRONG");
                        wrong.lock().unwrap().push(format!("{name}: {why}"));
                        continue;
                    }
                    println!("{name}: {} ms", began.elapsed().as_millis());
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    let took = began.elapsed().as_millis();
    let each = took * at_once as u128 / (count.max(1) as u128);
    let told = format!("{} s, a point {each} ms, {at_once} at once", took / 1000);
    println!("{count} points in {told}");
    assert!(wrong.is_empty(), "{} of {count} went wrong:\n{}", wrong.len(), wrong.join("\n\n"));
    told
}

/// How many points a sampled test takes: `all`, a number, or what is fit for every day.
pub(crate) fn points(usual: usize) -> usize {
    match std::env::var("ODOO_SPOOLD_FAULT_POINTS").as_deref() {
        Ok("all") => usize::MAX,
        Ok(number) => number.parse().unwrap(),
        Err(_) => usual,
    }
}
