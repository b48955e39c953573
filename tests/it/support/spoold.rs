//! The daemon in this process, on a spool of its own.

use std::io::{BufRead as _, BufReader, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use odoo_spoold::clock::{SharedClock, System};
use odoo_spoold::config::{Keys, Settings};
use odoo_spoold::daemon::{Daemon, DaemonError};
use odoo_spoold::envelope;
use odoo_spoold::model::{AccountId, Hold, HoldCode, Job, JobState, OrderId, Outcome};
use odoo_spoold::store::{JobFilter, Tally};

use super::lab::{Lab, project, run};

/// Nothing takes longer, or it hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// Tell a child process that it is one, whose configuration it runs, and where it logs.
const CHILD_CONFIG: &str = "ODOO_SPOOLD_TEST_CHILD_CONFIG";
const CHILD_LOG: &str = "ODOO_SPOOLD_TEST_CHILD_LOG";

/// A configured installation in a folder of its own. May be started and stopped many times.
pub struct Installation {
    pub dir: tempfile::TempDir,
    pub config: PathBuf,
    pub settings: Settings,
    pub keys: Keys,
}

/// A running daemon.
pub struct Spoold {
    pub daemon: Arc<Daemon>,
    stop: CancellationToken,
    runtime: Option<tokio::runtime::Runtime>,
    task: Option<tokio::task::JoinHandle<Result<(), DaemonError>>>,
}

impl Installation {
    /// For a lab database; `options` are those of `tests/lab/account.py`.
    pub fn new(lab: &Lab, options: &[&str]) -> Self {
        let keys = keys_text(&accounts(options), &api_key(lab, options));
        Self::with_keys(lab, options, &keys)
    }

    /// The same with a keys file from elsewhere.
    pub fn with_keys(lab: &Lab, options: &[&str], keys: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = config_text(lab, options, dir.path());
        Self::from_text(dir, &text, keys)
    }

    /// The same with a configuration that lacks the lines of these keys.
    pub fn without(lab: &Lab, options: &[&str], absent: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = config_text(lab, options, dir.path());
        let kept: String = text
            .lines()
            .filter(|line| !absent.iter().any(|key| line.starts_with(&format!("{key} ="))))
            .flat_map(|line| [line, "\n"])
            .collect();
        assert_ne!(text, kept, "nothing was left out");
        Self::from_text(dir, &kept, &keys_text(&accounts(options), &api_key(lab, options)))
    }

    /// From a ready configuration.
    pub fn from_text(dir: tempfile::TempDir, config_text: &str, keys: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let config = dir.path().join("config.toml");
        std::fs::write(&config, config_text).unwrap();
        let keys_path = dir.path().join("keys.toml");
        std::fs::write(&keys_path, keys).unwrap();
        std::fs::set_permissions(&keys_path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let settings = Settings::load(&config).unwrap_or_else(|error| panic!("{error}"));
        let keys = Keys::load(&settings).unwrap_or_else(|error| panic!("{error}"));
        // The package makes this folder; the daemon makes those of the accounts in it.
        std::fs::create_dir_all(&settings.spool.dir).unwrap();
        Self { dir, config, settings, keys }
    }

    /// Other settings and keys, for the next reload or start.
    pub fn rewrite(&mut self, config_text: &str, keys: &str) {
        std::fs::write(&self.config, config_text).unwrap();
        std::fs::write(self.dir.path().join("keys.toml"), keys).unwrap();
        self.settings = Settings::load(&self.config).unwrap_or_else(|error| panic!("{error}"));
        self.keys = Keys::load(&self.settings).unwrap_or_else(|error| panic!("{error}"));
    }

    pub fn config_text(&self) -> String {
        std::fs::read_to_string(&self.config).unwrap()
    }

    pub fn keys_text(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("keys.toml")).unwrap()
    }

    pub fn account(&self) -> AccountId {
        self.settings.accounts[0].id.clone()
    }

    pub fn folder(&self, account: &str, which: &str) -> PathBuf {
        self.settings.spool.dir.join(account).join(which)
    }

    /// Seals `bytes` to the account and renames them into its `incoming/`.
    pub fn drop_bytes(&self, account: &str, name: &str, bytes: &[u8]) {
        self.drop_raw(account, name, &self.sealed(account, bytes, false));
    }

    /// `bytes` sealed to the account.
    pub fn sealed(&self, account: &str, bytes: &[u8], armored: bool) -> Vec<u8> {
        let identities = &self.keys.account(&account.parse().unwrap()).unwrap().identities;
        let keyring = envelope::Keyring::from_identities(
            identities.iter().map(secrecy::ExposeSecret::expose_secret),
        )
        .unwrap();
        let recipients = keyring.recipients();
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        let mut sealer = envelope::seal(Vec::new(), &recipients, armored).unwrap();
        std::io::Write::write_all(&mut sealer, bytes).unwrap();
        sealer.finish().unwrap()
    }

    /// Renames bytes into `incoming/` as they are.
    pub fn drop_raw(&self, account: &str, name: &str, bytes: &[u8]) {
        let incoming = self.folder(account, "incoming");
        std::fs::create_dir_all(&incoming).unwrap();
        let hidden = incoming.join(format!(".{name}.tmp"));
        std::fs::write(&hidden, bytes).unwrap();
        std::fs::rename(&hidden, incoming.join(name)).unwrap();
    }

    pub fn drop_file(&self, account: &str, path: &Path) {
        let name = format!("{}.age", path.file_name().unwrap().to_str().unwrap());
        self.drop_bytes(account, &name, &std::fs::read(path).unwrap());
    }

    /// Starts the daemon; it stops when the value is dropped.
    pub fn start(&self) -> Spoold {
        Spoold::start(&self.config)
    }

    /// Starts, waits until everything is settled, stops.
    pub fn run_until_idle(&self) -> Tally {
        let spoold = self.start();
        spoold.wait_idle(self);
        let tally = spoold.tally(&self.account());
        spoold.stop();
        tally
    }

    /// Starts the daemon in a process of its own: this test binary again. With `log`, everything
    /// it logs goes to that file.
    pub fn start_child(&self, log: Option<&Path>) -> Child {
        let errors = tempfile::tempfile().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "real_crash::child", "--nocapture", "--test-threads=1"])
            .env(CHILD_CONFIG, &self.config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors.try_clone().unwrap());
        if let Some(log) = log {
            command.env(CHILD_LOG, log);
        }
        let mut process = command.spawn().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        let mut child = Child { process, said, errors };
        child.hear("running");
        child
    }
}

/// A daemon in a process of its own.
pub struct Child {
    process: std::process::Child,
    said: BufReader<std::process::ChildStdout>,
    errors: std::fs::File,
}

impl Child {
    /// Waits until everything is settled.
    pub fn settle(&mut self) {
        writeln!(self.process.stdin.as_mut().unwrap(), "settle").unwrap();
        self.hear("settled");
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Stops as SIGTERM does.
    pub fn stop(mut self) {
        drop(self.process.stdin.take());
        let ended = self.process.wait().unwrap();
        assert!(ended.success(), "{ended}: {}", self.complaint());
    }

    /// What it wrote to standard error.
    fn complaint(&mut self) -> String {
        let mut text = String::new();
        self.errors.rewind().unwrap();
        self.errors.read_to_string(&mut text).unwrap();
        text
    }

    fn hear(&mut self, word: &str) {
        let mut line = String::new();
        loop {
            line.clear();
            let heard = self.said.read_line(&mut line).unwrap();
            assert!(heard > 0, "it ended before it said {word}: {}", self.complaint());
            if line.trim_end().ends_with(&format!("daemon: {word}")) {
                return;
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Gone already where the test went well.
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// What the child process does until its standard input ends; nothing in an ordinary test run.
#[expect(clippy::disallowed_methods, reason = "see below")]
pub fn run_child() {
    let Some(config) = std::env::var_os(CHILD_CONFIG) else { return };
    if let Some(log) = std::env::var_os(CHILD_LOG) {
        let file = Mutex::new(std::fs::File::create(log).unwrap());
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(file)
            .init();
    }
    let settings = Settings::load(Path::new(&config)).unwrap();
    let spoold = Spoold::start(Path::new(&config));
    println!("daemon: running");
    for line in std::io::stdin().lines() {
        if line.unwrap() == "settle" {
            spoold.wait_settled(&settings);
            println!("daemon: settled");
        }
    }
    spoold.stop();
    // What the test runner's threads still do in their last moments is not the daemon's: only this
    // process's exit code says how it stopped.
    std::process::exit(0);
}

impl Spoold {
    /// Starts the daemon of a configuration; it stops when the value is dropped.
    pub fn start(config: &Path) -> Self {
        Self::start_on(config, Arc::new(System))
    }

    /// Starts the daemon of a configuration on a clock.
    pub fn start_on(config: &Path, clock: SharedClock) -> Self {
        let settings = Settings::load(config).unwrap();
        let keys = Keys::load(&settings).unwrap_or_else(|error| panic!("{error}"));
        let daemon =
            Daemon::open(config, settings, &keys, clock).unwrap_or_else(|error| panic!("{error}"));
        let runtime = super::lab::runtime();
        let stop = CancellationToken::new();
        let (running, stopping) = (Arc::clone(&daemon), stop.clone());
        let task = runtime.spawn(async move { running.run(stopping, |_| Box::new(|| ())).await });
        Self { daemon, stop, runtime: Some(runtime), task: Some(task) }
    }

    /// Waits for a condition.
    pub fn wait(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let started = Instant::now();
        while !condition() {
            assert!(
                started.elapsed() < PATIENCE,
                "waited too long for {what}: {:?}\n{}",
                self.daemon.delivery.gates(),
                self.daemon.store.counts().keys().map(|id| self.describe(id)).collect::<String>()
            );
            assert!(
                !self.task.as_ref().unwrap().is_finished(),
                "the daemon ended while waiting for {what}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until no file and no job is left to work on.
    pub fn wait_idle(&self, installation: &Installation) {
        self.wait_settled(&installation.settings);
    }

    fn wait_settled(&self, settings: &Settings) {
        let empty = |dir: PathBuf| {
            std::fs::read_dir(dir).is_ok_and(|entries| {
                entries.flatten().all(|e| e.file_name().to_string_lossy().starts_with('.'))
            })
        };
        let enabled: Vec<_> = settings.accounts.iter().filter(|a| a.enabled).collect();
        self.wait("everything to settle", || {
            let still = enabled.iter().all(|account| {
                let folder = settings.spool.dir.join(account.id.as_str());
                empty(folder.join("incoming")) && empty(folder.join("work"))
            });
            still
                && self
                    .daemon
                    .store
                    .counts()
                    .values()
                    .all(|tally| tally.pending + tally.started == 0)
        });
    }

    pub fn tally(&self, account: &AccountId) -> Tally {
        self.daemon.store.counts()[account].clone()
    }

    pub fn job(&self, account: &AccountId, order: &str) -> Option<Job> {
        let order: OrderId = order.parse().unwrap();
        self.daemon.store.job(account, &order).unwrap()
    }

    /// The holds of one order; none where it is not held.
    pub fn holds_of(&self, account: &AccountId, order: &str) -> Vec<Hold> {
        match self.job(account, order).map(|job| job.state) {
            Some(JobState::Held(holds)) => holds,
            _ => Vec::new(),
        }
    }

    /// What came of one order; none where it is not done.
    pub fn outcome(&self, account: &AccountId, order: &str) -> Option<Outcome> {
        match self.job(account, order).map(|job| job.state) {
            Some(JobState::Done(outcome)) => Some(outcome),
            _ => None,
        }
    }

    /// Hold codes of each held order.
    pub fn holds(&self, account: &AccountId) -> Vec<(String, Vec<HoldCode>)> {
        let filter = JobFilter { account: Some(account.clone()), state: None, hold: None };
        let page = self.daemon.store.jobs(&filter, 100_000, None).unwrap();
        let mut found: Vec<_> = page
            .jobs
            .into_iter()
            .filter_map(|(_, job)| match job.state {
                JobState::Held(holds) => {
                    Some((job.order_id.to_string(), holds.iter().map(|hold| hold.code).collect()))
                }
                _ => None,
            })
            .collect();
        found.sort();
        found.dedup();
        found
    }

    /// Every job, one a line: for messages of failing tests.
    pub fn describe(&self, account: &AccountId) -> String {
        let filter = JobFilter { account: Some(account.clone()), state: None, hold: None };
        let page = self.daemon.store.jobs(&filter, 100_000, None).unwrap();
        let mut lines: Vec<String> = page
            .jobs
            .iter()
            .map(|(_, job)| format!("{} {:?} {:?}", job.order_id, job.state, job.last_fault))
            .collect();
        lines.sort();
        lines.dedup();
        lines.join("\n")
    }

    /// Stops as SIGTERM does.
    pub fn stop(mut self) {
        self.shut();
    }

    fn shut(&mut self) {
        self.stop.cancel();
        let (Some(runtime), Some(task)) = (self.runtime.take(), self.task.take()) else { return };
        let ended = runtime.block_on(task);
        runtime.shutdown_timeout(Duration::from_secs(10));
        if !std::thread::panicking() {
            ended.unwrap().unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

impl Drop for Spoold {
    fn drop(&mut self) {
        self.shut();
    }
}

/// What `tests/lab/account.py` writes.
fn config_text(lab: &Lab, options: &[&str], dir: &Path) -> String {
    let mut script = Command::new("python3");
    script.arg(project("tests/lab/account.py")).arg("--dir").arg(dir).args(options);
    run(&mut script, &lab.env.to_string())
}

/// A new keys file for these accounts.
pub fn keys_text(accounts: &[String], api_key: &str) -> String {
    let accounts: Vec<AccountId> = accounts.iter().map(|id| id.parse().unwrap()).collect();
    let text =
        Keys::generate(&accounts, Some(&api_key.to_owned().into()), envelope::generate_identity)
            .unwrap();
    text.expose_secret().to_owned()
}

fn accounts(options: &[&str]) -> Vec<String> {
    let mut found: Vec<String> = options
        .windows(2)
        .filter(|pair| pair[0] == "--account")
        .map(|pair| pair[1].split(':').next().unwrap().to_owned())
        .collect();
    if found.is_empty() {
        found.push("eu".to_owned());
    }
    found
}

fn api_key(lab: &Lab, options: &[&str]) -> String {
    let user = options.windows(2).find(|pair| pair[0] == "--user").map(|pair| pair[1]);
    match user {
        Some(user) => lab.text(&format!("{user}_api_key")),
        None => lab.text("api_key"),
    }
}
