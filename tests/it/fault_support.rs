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
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use odoo_spoold::daemon::open_store;
use odoo_spoold::store::Tally;
use serde_json::json;

use crate::support::fake_odoo::{self, FakeOdoo, Flavor};
use crate::support::lab::project;
use crate::support::sales::{Report, shipped_by_seller};
use crate::support::spoold::{Installation, keys_text};

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
        let own = built.with_extension(format!("{}.so", std::process::id()));
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(rustc)
            .args(["--edition", "2024", "-O", "--crate-type", "cdylib", "-C", "panic=abort", "-o"])
            .arg(&own)
            .arg(source)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::rename(own, &built).unwrap();
    }
    built
}

/// A scripted Odoo that has what the orders need.
pub(crate) fn shop() -> FakeOdoo {
    let fake = FakeOdoo::start_new(Flavor::V19);
    let unit = fake.insert("uom.uom", json!({"name": "Units"}));
    let company = fake.records("res.company")[0]["id"].clone();
    let codes = ["SKU-0001", "AMZ-SHIPPING", "AMZ-GIFT-WRAP", "AMZ-PROMOTION", "AMZ-ROUNDING"];
    for code in codes {
        fake.insert("product.product", json!({"name": code, "default_code": code, "uom_id": unit}));
    }
    fake.insert("stock.warehouse", json!({"name": "Main", "code": "WH", "company_id": company}));
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

    /// State and spool below `disk`, with more lines for `[spool]`.
    pub(crate) fn at(fake: &FakeOdoo, disk: Option<&Path>, spool: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().to_owned();
        let disk = disk.unwrap_or(&own).display();
        let at = own.display();
        let text = format!(
            "[odoo]\nurl = \"{}\"\ndatabase = \"{}\"\nlogin = \"{}\"\nlimit_time_real = \"10s\"\n\
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

    /// Starts healthy daemons until nothing is left to do, and stops each as systemd does.
    /// What they said.
    pub(crate) fn run_until_idle(&self, fake: &FakeOdoo, orders: u64) -> String {
        let started = Instant::now();
        let mut said = String::new();
        loop {
            let mut running = self.start(&[]);
            running.wait("files to be taken", || self.files_undone() == 0);
            running.wait("orders", || {
                fake.records("sale.order").len() as u64 >= orders
                    && fake.records("sale.order").iter().all(|order| order["state"] == "sale")
            });
            // Before that a signal ends it as it ends any program.
            running.wait_said("ready:");
            let (ended, words) = running.stop();
            assert!(ended.success(), "{ended}: {words}");
            said += &words;
            let tally = self.tally();
            if self.files_undone() == 0 && tally.pending + tally.started == 0 {
                return said;
            }
            assert!(started.elapsed() < PATIENCE, "orders stand still: {tally:?}\n{said}");
            // What was cut off in the middle waits until Odoo can no longer be at it.
            std::thread::sleep(Duration::from_millis(100));
        }
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
        assert_eq!(lines, orders, "{context}: one line an order");
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
            std::thread::sleep(Duration::from_millis(5));
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

/// How many points a sampled test takes: `all`, a number, or what is fit for every day.
pub(crate) fn points(usual: usize) -> usize {
    match std::env::var("ODOO_SPOOLD_FAULT_POINTS").as_deref() {
        Ok("all") => usize::MAX,
        Ok(number) => number.parse().unwrap(),
        Err(_) => usual,
    }
}
