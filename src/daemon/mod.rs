//! Wires everything together; the only room that may look into all others.
//!
//! [`run`] opens the store, starts one way in per account (`mouth`), delivery, and the control
//! socket, and ends them in the reverse order: nothing more is claimed, batches on their way are
//! finished, everything is made durable.

mod again;
mod api_key;
mod beside;
mod courtesy;
mod desk;
mod expected;
mod housekeeper;
mod intake;
#[cfg(test)]
mod intake_tests;
mod keys;
mod left;
pub mod lifecycle;
mod mouth;
#[cfg(test)]
mod mouth_tests;
mod policy;
mod rebuild;
mod reconcile;
mod rehearsal;
mod rights;
mod room;
mod sealing;
mod start;
#[cfg(test)]
mod trouble_tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use intake::{Intake, IntakeAccount};
use mouth::Mouth;
use room::Room;

use crate::clock::{Clock as _, SharedClock, System};
use crate::config::{AccountSettings, ConfigError, Keys, Settings};
use crate::deliver::Delivery;
use crate::deliver::settings::{AccountSettings as Delivered, Pace};
use crate::envelope::{Keyring, KeyringError, Policy};
use crate::model::{AccountId, Attention, AttentionCode, Subject};
use crate::odoo::{Client, Endpoint, EndpointError};
use crate::spool::SpoolDirs;
use crate::store::{Damage, Secret, Store, StoreError, StoreKeys, StoreOptions};
use crate::telemetry::{events, log::Log};

pub use housekeeper::Kept;
pub use start::{Ended, run};

/// How long a start waits for a command that reads the state while no daemon runs.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// How long a claimed file waits that failed once.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// How often it is looked whether the store still works.
const BROKEN_LOOK: Duration = Duration::from_millis(500);

/// Why the daemon cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// The settings or the keys are wrong. The message says where.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store cannot be opened. The message says what to do.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The URL or the CA file of Odoo cannot be used.
    #[error("odoo: {0}")]
    Endpoint(#[from] EndpointError),
    /// An age identity of an account is wrong.
    #[error("the age identities of account {account}: {source}")]
    Keyring {
        /// The account.
        account: AccountId,
        /// What is wrong.
        #[source]
        source: KeyringError,
    },
    /// A folder of the spool cannot be made or used.
    #[error("the spool of account {account}: {source}")]
    Spool {
        /// The account.
        account: AccountId,
        /// What is wrong.
        #[source]
        source: std::io::Error,
    },
    /// Something in the state belongs to another user. Run the command that it names.
    #[error(
        "{} belongs to {owner}, must belong to {wanted}: chown -R {wanted}: {}", path.display(), dir.display()
    )]
    Rights {
        /// What it is.
        path: std::path::PathBuf,
        /// Whose it is.
        owner: String,
        /// Whose it must be.
        wanted: String,
        /// The state directory.
        dir: std::path::PathBuf,
    },
    /// The control socket cannot be made: another daemon has it, or its folder is not ours.
    #[error("the control socket {}: {source}", .path.display())]
    Control {
        /// Where.
        path: std::path::PathBuf,
        /// What is wrong.
        #[source]
        source: std::io::Error,
    },
    /// Signals cannot be listened to.
    #[error("listening to signals: {0}")]
    Signals(#[source] std::io::Error),
    /// A task ended that must not.
    #[error("{0} ended unexpectedly")]
    Ended(&'static str),
}

impl DaemonError {
    /// Starting again would not help: the configuration must change.
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Config(_) | Self::Endpoint(_) | Self::Keyring { .. } | Self::Rights { .. } => {
                true
            }
            Self::Store(error) => error.needs_person(),
            Self::Spool { source, .. } => source.kind() == std::io::ErrorKind::PermissionDenied,
            Self::Control { .. } | Self::Signals(_) | Self::Ended(_) => false,
        }
    }
}

/// The running daemon, as the control socket and the tests see it.
#[derive(Debug)]
pub struct Daemon {
    /// The store.
    pub store: Arc<Store>,
    /// Delivery.
    pub delivery: Arc<Delivery>,
    /// The settings in force.
    pub settings: Arc<RwLock<Arc<Settings>>>,
    /// The clock.
    pub clock: SharedClock,
    started_at: Timestamp,
    config: std::path::PathBuf,
    accounts: BTreeMap<AccountId, Account>,
    log: OnceLock<Arc<Log>>,
    house: housekeeper::House,
    room: Arc<Room>,
    rebuild: rebuild::Progress,
    keys: keys::KeyWatch,
    /// Settings that config.toml has and this process does not: they wait for a restart.
    waiting: Mutex<Vec<String>>,
    expected: Arc<expected::Expected>,
    /// Dry runs that may run beside each other.
    dry_runs: Arc<tokio::sync::Semaphore>,
}

/// One account's live parts.
#[derive(Debug)]
struct Account {
    intake: Arc<RwLock<Arc<IntakeAccount>>>,
    dirs: SpoolDirs,
    left: Arc<left::Left>,
}

impl Daemon {
    /// Opens everything; nothing runs yet. Blocking.
    pub fn open(
        config: &Path,
        settings: Settings,
        keys: &Keys,
        clock: SharedClock,
    ) -> Result<Arc<Self>, DaemonError> {
        let now = clock.now();
        let store = Arc::new(open_store_within(&settings, keys, LOCK_PATIENCE)?);
        tell_losses(&store, &settings, now)?;
        let client = Client::new(endpoint(&settings, keys))?;
        let mut accounts = BTreeMap::new();
        let mut delivered = Vec::new();
        for account in settings.accounts.iter().filter(|account| account.enabled) {
            let installed = store.installed(&account.id, now)?;
            let intake = intake_account(account, keys, installed)?;
            let dirs = SpoolDirs::new(&settings.spool.dir, account.id.as_str());
            let notices = dirs.prepare().map_err(|error| DaemonError::Spool {
                account: account.id.clone(),
                source: std::io::Error::new(
                    error.source.kind(),
                    format!("{error}: {}", error.source),
                ),
            })?;
            for notice in notices {
                tracing::warn!(account = %account.id, "spool: {notice}");
            }
            // Before anybody can hand something in.
            match crate::spool::sweep(&dirs) {
                Ok(0) => {}
                Ok(swept) => tracing::info!(account = %account.id, swept,
                    "files that were being handed in when the daemon ended are removed"),
                Err(error) => tracing::warn!(account = %account.id, error = %error,
                    "leftovers in incoming/ could not be removed"),
            }
            delivered.push(policy::delivered(account, installed));
            accounts.insert(
                account.id.clone(),
                Account {
                    intake: Arc::new(RwLock::new(Arc::new(intake))),
                    dirs,
                    left: Arc::default(),
                },
            );
        }
        let delivery = Delivery::new(
            Arc::clone(&store),
            client,
            Arc::clone(&clock),
            pace(&settings),
            delivered,
        );
        let room = Arc::new(Room::of(&settings));
        let daemon = Self {
            store,
            delivery,
            settings: Arc::new(RwLock::new(Arc::new(settings))),
            clock,
            started_at: now,
            config: config.to_owned(),
            accounts,
            log: OnceLock::new(),
            house: housekeeper::House::default(),
            room,
            rebuild: rebuild::Progress::default(),
            keys: keys::KeyWatch::new(keys),
            waiting: Mutex::default(),
            expected: Arc::default(),
            dry_runs: Arc::new(tokio::sync::Semaphore::new(rehearsal::AT_ONCE)),
        };
        daemon.recall_api_key();
        Ok(Arc::new(daemon))
    }

    /// Runs until `stop`: claims, delivers, answers.
    pub async fn run(
        self: &Arc<Self>,
        stop: CancellationToken,
        beats: impl Fn(&'static str) -> Box<dyn Fn() + Send + Sync>,
    ) -> Result<(), DaemonError> {
        let settings = self.settings();
        let mut mouths = JoinSet::new();
        let courtesy = Arc::new(courtesy::Courtesy::default());
        for account in self.accounts.values() {
            let id = account.intake.read().unwrap_or_else(PoisonError::into_inner).id.clone();
            let delivery = Arc::clone(&self.delivery);
            let mouth = Arc::new(Mouth {
                intake: Intake {
                    store: Arc::clone(&self.store),
                    clock: Arc::clone(&self.clock),
                    courtesy: Arc::clone(&courtesy),
                    stop: stop.clone(),
                },
                account: Arc::clone(&account.intake),
                dirs: account.dirs.clone(),
                settle: settings.spool.settle,
                poll: settings.spool.poll_interval,
                wake: Arc::new(move || delivery.wake(&id)),
                first_wait: FIRST_WAIT,
                left: Arc::clone(&account.left),
                expected: Arc::clone(&self.expected),
                room: Arc::clone(&self.room),
            });
            mouths.spawn(mouth.run(stop.clone(), beats("intake")));
        }
        let resealing = tokio::task::spawn_blocking({
            let (daemon, stop) = (Arc::clone(self), stop.clone());
            move || daemon.reseal(&stop)
        });
        // Delivery stops after intake, so that what was taken in last is at least durable.
        let delivering = CancellationToken::new();
        let delivery =
            tokio::spawn(Arc::clone(&self.delivery).run(delivering.clone(), beats("delivery")));
        let house =
            tokio::spawn(Arc::clone(self).housekeep(delivering.clone(), beats("housekeeping")));
        let watching = tokio::spawn(Arc::clone(self).watch_api_key(stop.clone()));
        let mut failed = None;
        let guard = tokio::spawn(end_when_broken(Arc::clone(&self.store), stop.clone()));
        if mouths.is_empty() {
            stop.cancelled().await;
        }
        while let Some(ended) = mouths.join_next().await {
            if !stop.is_cancelled() && failed.is_none() {
                tracing::error!(error = ?ended.err(), "intake ended");
                failed = Some(DaemonError::Ended("intake"));
                stop.cancel();
            }
        }
        delivering.cancel();
        if delivery.await.is_err() {
            failed.get_or_insert(DaemonError::Ended("delivery"));
        }
        if house.await.is_err() {
            failed.get_or_insert(DaemonError::Ended("housekeeping"));
        }
        guard.abort();
        watching.abort();
        if resealing.await.is_err() {
            failed.get_or_insert(DaemonError::Ended("sealing anew"));
        }
        let store = Arc::clone(&self.store);
        let durable = tokio::task::spawn_blocking(move || store.barrier()).await;
        if self.store.broken() {
            // sled syncs while it is dropped, and panics where the disk refuses that: it never is.
            std::mem::forget(Arc::clone(&self.store));
        }
        match (failed, durable) {
            (Some(error), _) => Err(error),
            (None, Ok(Err(error))) => Err(error.into()),
            (None, Err(_)) => Err(DaemonError::Ended("the last barrier")),
            // The database may be well and the decision journal not.
            (None, Ok(Ok(()))) if self.store.broken() => {
                Err(StoreError::Unsynced { path: self.store.path().to_owned() }.into())
            }
            (None, Ok(Ok(()))) => Ok(()),
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// When the daemon was started.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// What of the accounts' files cannot be taken for now, in sentences without buyer data.
    pub(crate) fn left(&self) -> Vec<(AccountId, left::Sentence)> {
        let mut found = Vec::new();
        for (id, account) in &self.accounts {
            let said = account.left.sentences(self.clock.now());
            found.extend(said.into_iter().map(|sentence| (id.clone(), sentence)));
        }
        found
    }

    /// Reads the settings again and takes over what can change live. Says what changed, and what
    /// waits for a restart; an error changes nothing. The journal hears of both.
    pub fn reload(&self) -> Result<Vec<String>, DaemonError> {
        lifecycle::reloading();
        let reloaded = self.take_over();
        if let Err(error) = &reloaded {
            events::reload_refused(error);
        }
        lifecycle::reloaded();
        reloaded
    }

    fn take_over(&self) -> Result<Vec<String>, DaemonError> {
        let new = Settings::load(&self.config)?;
        let keys = Keys::load(&new)?;
        let old = self.settings();
        let changes = old.diff(&new);
        let merged = old.merged(&new);
        let now = self.clock.now();
        let mut delivered = Vec::new();
        let mut intakes = Vec::new();
        let mut said: Vec<String> = changes.live.iter().map(ToString::to_string).collect();
        let mut waiting: Vec<String> =
            changes.restart.iter().map(|key| (*key).to_owned()).collect();
        for account in merged.accounts.iter().filter(|account| account.enabled) {
            let Some(live) = self.accounts.get(&account.id) else {
                waiting.push(format!("account {}", account.id));
                continue;
            };
            let installed = self.store.installed(&account.id, now)?;
            intakes.push((live, intake_account(account, &keys, installed)?));
            delivered.push(policy::delivered(account, installed));
        }
        let client = Client::new(endpoint(&merged, &keys))?;
        for (live, intake) in intakes {
            *live.intake.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(intake);
        }
        said.extend(waiting.iter().map(|what| format!("{what}: waits for a restart")));
        said.extend(self.keys_wait(&keys));
        self.keys.replace(&keys);
        self.recall_api_key();
        self.delivery.reload(client, delivered);
        self.keys.reloaded.notify_one();
        if let Some(log) = self.log.get() {
            log.set_level(merged.log.level);
        }
        events::daemon_reloaded(changes.live.len(), &changes.restart);
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(merged);
        Ok(said)
    }

    /// What a reload could not take over, until the restart that does.
    fn restart_notice(&self) -> Option<String> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        (!waiting.is_empty()).then(|| {
            format!(
                "config.toml is newer than what runs: {}; `systemctl restart odoo-spoold`",
                waiting.join(", ")
            )
        })
    }

    /// The log whose level a reload may change.
    fn log_through(&self, log: Arc<Log>) {
        self.log.get_or_init(|| log);
    }

    /// An account's folders.
    pub fn dirs(&self, account: &AccountId) -> Option<&SpoolDirs> {
        self.accounts.get(account).map(|account| &account.dirs)
    }
}

/// Stops everything once the store can make nothing durable any more. The last barrier then fails,
/// and [`Daemon::run`] ends with its error: systemd starts a daemon that reads what is there.
async fn end_when_broken(store: Arc<Store>, stop: CancellationToken) {
    while !store.broken() {
        tokio::time::sleep(BROKEN_LOOK).await;
    }
    if !stop.is_cancelled() {
        events::store_broken();
        stop.cancel();
    }
}

/// What was found wrong at opening.
fn tell_losses(store: &Store, settings: &Settings, now: Timestamp) -> Result<(), StoreError> {
    let report = store.journal_report();
    if let Some((at, bytes)) = report.torn {
        tracing::warn!(at, bytes, "the decision journal ended in a half-written entry, cut off");
    }
    let early = store.journal_ends_early();
    let mut damage = report.damage.clone();
    // Where the last entries are damaged, they are what the end lacks: one thing, told once.
    let early = match damage.last_mut() {
        Some(last) => {
            last.lost = last.lost.saturating_add(early);
            0
        }
        None => early,
    };
    if early > 0 {
        events::journal_short(early);
    }
    for damage in &damage {
        events::journal_damaged(damage.at, damage.bytes, damage.lost);
    }
    for account in &settings.accounts {
        if store.is_lost(&account.id) {
            events::state_lost(&account.id);
        }
        // In the list until a person has seen it: at the next start it may be long ago.
        let damaged =
            damage.iter().map(|damage| (format!("byte {}", damage.at), damaged_text(damage)));
        let short = (early > 0).then(|| (format!("short {early}"), short_text(early)));
        for (key, text) in damaged.chain(short) {
            let code = AttentionCode::JournalDamaged;
            let seen = Attention::new(Subject::Account, code, key, text, now);
            let _known_already = store.attend(&account.id, seen)?;
        }
    }
    Ok(())
}

fn short_text(early: u64) -> String {
    let entries = if early == 1 { "entry" } else { "entries" };
    format!(
        "the decision journal ends {early} {entries} early: put it back from a backup if you have one; \
         decisions that stood there are forgotten should the state have to be rebuilt"
    )
}

fn damaged_text(damage: &Damage) -> String {
    let Damage { at, bytes, lost } = damage;
    let lost = match lost {
        0 => String::new(),
        1 => ", 1 entry missing".to_owned(),
        _ => format!(", {lost} entries missing"),
    };
    format!(
        "the decision journal is damaged (byte {at}, {bytes} bytes{lost}): put it back from a backup if \
         you have one; decisions that stood there are forgotten should the state have to be rebuilt"
    )
}

/// Opens the store that the settings name, with the accounts' id keys.
pub fn open_store(settings: &Settings, keys: &Keys) -> Result<Store, StoreError> {
    open_store_within(settings, keys, Duration::ZERO)
}

/// The same; another process that has it open may take so long to let go.
fn open_store_within(
    settings: &Settings,
    keys: &Keys,
    patience: Duration,
) -> Result<Store, StoreError> {
    let mut store_keys = StoreKeys::new(&keys.master.id, secret(&keys.master.key))?;
    for older in &keys.older {
        store_keys = store_keys.with_older(&older.id, secret(&older.key))?;
    }
    for account in &keys.accounts {
        store_keys = store_keys.with_account(account.id.clone(), secret(&account.id_key));
    }
    let cache_bytes = settings.state.cache_bytes;
    let options = StoreOptions { cache_bytes, opened_at: System.now(), patience };
    Store::open(&settings.state.dir, &store_keys, options)
}

/// Where Odoo is, with the key to it.
pub fn endpoint(settings: &Settings, keys: &Keys) -> Endpoint {
    let odoo = &settings.odoo;
    let mut endpoint =
        Endpoint::new(odoo.url.as_str(), &odoo.database, &odoo.login, keys.api_key.clone());
    endpoint.ca_file.clone_from(&odoo.ca_file);
    endpoint.limit_time_real = odoo.limit_time_real;
    // A server that ends calls so soon lets none wait longer than that for a worker.
    endpoint.answer_margin = endpoint.answer_margin.min(odoo.limit_time_real);
    endpoint
}

/// What delivery needs of an account, with this day of installation.
pub fn delivered(account: &AccountSettings, installed: Timestamp) -> Delivered {
    policy::delivered(account, installed)
}

fn secret(key: &crate::config::Key32) -> Secret {
    Secret::new(Box::new(*key.expose_secret()))
}

fn pace(settings: &Settings) -> Pace {
    let odoo = &settings.odoo;
    Pace {
        connections: odoo.connections,
        batch: odoo.batch,
        confirm_batch: odoo.confirm_batch,
        limit_time_real: odoo.limit_time_real,
        recheck: odoo.recheck_interval.max(Duration::from_secs(1)),
    }
}

fn intake_account(
    account: &AccountSettings,
    keys: &Keys,
    installed: Timestamp,
) -> Result<IntakeAccount, DaemonError> {
    let identities = keys.account(&account.id).map(|keys| keys.identities.as_slice());
    let texts = identities.unwrap_or_default().iter().map(ExposeSecret::expose_secret);
    let keyring = Keyring::from_identities(texts)
        .map_err(|source| DaemonError::Keyring { account: account.id.clone(), source })?;
    Ok(IntakeAccount {
        id: account.id.clone(),
        keyring: Arc::new(keyring),
        policy: Policy {
            accept_plaintext: account.accept_plaintext,
            accept_aes_cbc: account.accept_aes_cbc,
            ..Policy::default()
        },
        max_file_bytes: account.max_file_bytes,
        import_from: policy::import_from(account, installed),
    })
}
