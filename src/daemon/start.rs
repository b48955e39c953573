//! From a settings file to a running daemon, and back: what `odoo-spoold run` does.
//!
//! systemd is told when it is ready, how it stands, and that it lives; without systemd all that is
//! harmless. SIGTERM and SIGINT stop it, a second one changes nothing; SIGHUP reloads.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use listenfd::ListenFd;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Daemon, DaemonError, lifecycle, rights};
use crate::clock::{Clock, System};
use crate::config::{Keys, Settings};
use crate::control;
use crate::store::StoreError;
use crate::telemetry::{events, log, panics};

/// With a store that failed nothing that is still under way can be noted: so long the rest is waited
/// for.
const BROKEN_PATIENCE: Duration = Duration::from_secs(20);
/// How often systemd's status line is renewed.
const STATUS_SECS: u64 = 5;

/// Why the daemon ended.
#[derive(Debug)]
pub struct Ended {
    /// The reason.
    pub error: anyhow::Error,
    /// Whether the log has it already.
    pub told: bool,
}

/// Runs the daemon that `config` describes until it is told to stop.
pub fn run(config: &Path, to: log::To) -> Result<ExitCode, Ended> {
    let mut told = false;
    start(config, to, &mut told).map_err(|error| Ended { error, told })
}

fn start(config: &Path, to: log::To, told: &mut bool) -> anyhow::Result<ExitCode> {
    // Before anything else: from here on SIGTERM ends it well, however far it has come.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let stop = CancellationToken::new();
    runtime.block_on(async {
        on_signal(SignalKind::terminate(), &stop)?;
        on_signal(SignalKind::interrupt(), &stop)
    })?;
    let settings = Settings::load(config)?;
    let keys = Keys::load(&settings).map_err(|error| error.or_gone(config, &settings))?;
    // Dropping the last one writes out what is still queued.
    let log = Arc::new(log::init(settings.log.level, to)?);
    let ended = runtime.block_on(serve(config, settings, keys, Arc::clone(&log), stop));
    if let Err(error) = &ended {
        tracing::error!("{error}");
        *told = true;
    }
    runtime.shutdown_timeout(Duration::from_secs(10));
    drop(log);
    ended?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(
    config: &Path,
    settings: Settings,
    keys: Keys,
    log: Arc<log::Log>,
    stop: CancellationToken,
) -> Result<(), DaemonError> {
    let started = System.now();
    panics::tell();
    lifecycle::extend_timeout(Duration::from_mins(2));
    let (path, state) = (config.to_owned(), settings.state.dir.clone());
    let opened =
        tokio::task::spawn_blocking(move || Daemon::open(&path, settings, &keys, Arc::new(System)));
    let opened = opened.await.map_err(|_| DaemonError::Ended("opening the store"))?;
    let daemon = opened.map_err(|error| rights::explained(error, &state))?;
    daemon.log_through(log);
    let handle = daemon.handle();
    let listener = listen(&daemon.settings().control.socket)?;
    let answering = tokio::spawn(answer(listener, handle.clone(), stop.clone()));
    let watchdog = lifecycle::Watchdog::from_systemd();
    let watched = tokio::spawn(Arc::clone(&watchdog).run(stop.clone()));
    reload_on_hangup(&daemon, &stop)?;
    let accounts = daemon.settings().accounts.len();
    let took = Duration::try_from(System.now().duration_since(started)).unwrap_or_default();
    events::daemon_ready(accounts, took);
    lifecycle::ready(&control::sentence(&handle, lifecycle::MAX_STATUS_BYTES).await);
    let telling = tokio::spawn(tell_status(handle, stop.clone()));
    let running = daemon.run(stop.clone(), |name| {
        let pulse = watchdog.pulse(name);
        Box::new(move || pulse.beat())
    });
    let ended = tokio::select! {
        ended = running => ended,
        error = stuck(&daemon) => {
            // Nobody else is waited for either: whoever asks the store may wait for ever.
            lifecycle::stopping();
            return Err(error);
        }
    };
    events::daemon_stopping();
    lifecycle::stopping();
    stop.cancel();
    for task in [telling, watched] {
        if task.await.is_err() {
            tracing::warn!("a side task ended early");
        }
    }
    if matches!(answering.await, Ok(Answered::Stopped)) {
        ended
    } else {
        // systemd starts the daemon again.
        ended.and(Err(DaemonError::Ended("the control socket")))
    }
}

/// How the control socket ended.
enum Answered {
    Stopped,
    Early,
}

/// Answers until `stop`. Where that ends by itself the daemon ends, too: nobody could ask or decide
/// anything any more.
async fn answer(
    listener: UnixListener,
    handle: control::Handle,
    stop: CancellationToken,
) -> Answered {
    let ended = tokio::spawn(control::serve(listener, handle, stop.clone())).await;
    if !matches!(ended, Ok(Ok(()))) {
        tracing::warn!("the control socket ended early");
    }
    if stop.is_cancelled() {
        return Answered::Stopped;
    }
    stop.cancel();
    Answered::Early
}

/// Returns when the store failed and the daemon cannot end because of it: where the disk refuses a
/// write, sled may wait for ever in a flush, holding the lock that every transaction needs.
async fn stuck(daemon: &Daemon) -> DaemonError {
    while !daemon.store.broken() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(BROKEN_PATIENCE).await;
    tracing::error!("the store does not let go: ending without it");
    StoreError::Unsynced { path: daemon.store.path().to_owned() }.into()
}

/// systemd's socket, if it passed one; else our own.
fn listen(path: &Path) -> Result<UnixListener, DaemonError> {
    let failed = |source| DaemonError::Control { path: path.to_owned(), source };
    match ListenFd::from_env().take_unix_listener(0).map_err(failed)? {
        Some(passed) => {
            passed.set_nonblocking(true).map_err(failed)?;
            UnixListener::from_std(passed).map_err(failed)
        }
        None => control::bind(path).map_err(failed),
    }
}

fn on_signal(kind: SignalKind, stop: &CancellationToken) -> Result<(), DaemonError> {
    let mut signals = signal(kind).map_err(DaemonError::Signals)?;
    let stop = stop.clone();
    // Not awaited: it ends with the runtime.
    drop(tokio::spawn(async move {
        while signals.recv().await.is_some() {
            stop.cancel();
        }
    }));
    Ok(())
}

fn reload_on_hangup(daemon: &Arc<Daemon>, stop: &CancellationToken) -> Result<(), DaemonError> {
    let mut hangups = signal(SignalKind::hangup()).map_err(DaemonError::Signals)?;
    let (daemon, stop) = (Arc::clone(daemon), stop.clone());
    drop(tokio::spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                heard = hangups.recv() => if heard.is_none() { return },
            }
            let daemon = Arc::clone(&daemon);
            // What came of it is in the journal.
            drop(tokio::task::spawn_blocking(move || drop(daemon.reload())).await);
        }
    }));
    Ok(())
}

/// Keeps the unit's status line true.
async fn tell_status(handle: control::Handle, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(STATUS_SECS)) => {}
        }
        lifecycle::status(&control::sentence(&handle, lifecycle::MAX_STATUS_BYTES).await);
    }
}
