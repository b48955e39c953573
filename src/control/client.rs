//! Asks the daemon, for the CLI: one method per request, blocking.
//!
//! Promises: errors say what to do: start the daemon, join a group, or what the daemon itself
//! said. Does not retry: the caller is a person or a script that can.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, RequestBuilder, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::{AccountId, FileId, OrderId};

use super::handle::ProcessSource;
use super::wire::{
    AttentionList, AttentionQuery, DeadJob, Decide, Dismiss, Dismissed, DropRequest, ErrorBody,
    FileDetail, Files, FilesQuery, Held, JobDetail, Jobs, JobsQuery, MappingInfo, Moved,
    PauseAnswer, PauseRequest, ProcessQuery, ProcessReport, Rebuild, RebuildReport, Recipients,
    Reconcile, ReconcileReport, Release, Reloaded, Requeue, ResumeRequest, SIDECAR_HEADER, Status,
    VERSION,
};

/// How long the daemon may take to answer what only reads.
const READ_SECS: u64 = 10;
/// How long it may take to answer what changes something: many orders, perhaps.
const CHANGE_SECS: u64 = 60;
/// How long it may take to accept the connection.
const CONNECT_SECS: u64 = 5;

/// How long is waited for an answer. What takes as long as it takes (a document, a reconciliation) goes
/// on while the daemon still answers other questions within the time for reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For what only reads.
    pub read: Duration,
    /// For what changes something.
    pub change: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { read: Duration::from_secs(READ_SECS), change: Duration::from_secs(CHANGE_SECS) }
    }
}

impl Patience {
    /// The same for everything.
    pub fn of(all: Duration) -> Self {
        Self { read: all, change: all }
    }
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    socket: PathBuf,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    patience: Patience,
}

/// Why the daemon did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens on the socket. Start the daemon.
    #[error("the daemon is not running")]
    NotRunning {
        /// The socket.
        socket: PathBuf,
    },
    /// The caller is not in the socket's group. Join it.
    #[error("you may not ask the daemon")]
    Denied {
        /// The socket.
        socket: PathBuf,
        /// The group that may; none where even that cannot be seen.
        group: Option<String>,
    },
    /// The daemon refused; it says why.
    #[error("{}", body.message)]
    Refused {
        /// What it said.
        body: ErrorBody,
    },
    /// The connection failed, or the answer is no answer of this API.
    #[error("{doing} failed: {reason}")]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The cause.
        reason: String,
    },
}

impl Client {
    /// Connects to the socket.
    pub fn connect(socket: &Path) -> Result<Self, ClientError> {
        Self::connect_within(socket, Patience::default())
    }

    /// The same; connecting, and each answer, may take so long.
    pub fn connect_within(socket: &Path, patience: Patience) -> Result<Self, ClientError> {
        let connecting = Duration::from_secs(CONNECT_SECS).min(patience.read);
        let started = Instant::now();
        try_to_connect(socket, connecting)?;
        let left = patience.read.saturating_sub(started.elapsed());
        let patience = Patience { read: left.max(Duration::from_millis(100)), ..patience };
        let broken = |doing, reason: String| ClientError::Broken {
            socket: socket.to_owned(),
            doing,
            reason,
        };
        let http = reqwest::Client::builder()
            .unix_socket(socket)
            // No TLS on a local socket: the system's certificates are not read.
            .tls_certs_only([])
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(connecting)
            .build()
            .map_err(|error| broken("preparing the connection", error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| broken("preparing the connection", error.to_string()))?;
        Ok(Self { socket: socket.to_owned(), http, runtime, patience })
    }

    /// `GET /v1/status`
    pub fn status(&self) -> Result<Status, ClientError> {
        self.get(&["status"], &())
    }

    /// `GET /v1/files`
    pub fn files(&self, query: &FilesQuery) -> Result<Files, ClientError> {
        self.get(&["files"], query)
    }

    /// `GET /v1/files/{id}`
    pub fn file(&self, id: &FileId) -> Result<FileDetail, ClientError> {
        self.get(&["files", id.as_str()], &())
    }

    /// `GET /v1/queue`
    pub fn queue(&self, query: &JobsQuery) -> Result<Jobs, ClientError> {
        self.get(&["queue"], query)
    }

    /// `GET /v1/queue/{account}/{order}`
    pub fn job(&self, account: &AccountId, order: &OrderId) -> Result<JobDetail, ClientError> {
        self.get(&["queue", account.as_str(), order.as_str()], &())
    }

    /// `GET /v1/hold`
    pub fn held(&self, query: &JobsQuery) -> Result<Held, ClientError> {
        self.get(&["hold"], query)
    }

    /// `POST /v1/hold/release`
    pub fn release(&self, request: &Release) -> Result<Moved, ClientError> {
        self.post(&["hold", "release"], request)
    }

    /// `GET /v1/dead`
    pub fn dead(&self, query: &JobsQuery) -> Result<Jobs, ClientError> {
        self.get(&["dead"], query)
    }

    /// `GET /v1/dead/{account}/{order}`
    pub fn dead_job(&self, account: &AccountId, order: &OrderId) -> Result<DeadJob, ClientError> {
        self.get(&["dead", account.as_str(), order.as_str()], &())
    }

    /// `POST /v1/dead/requeue`
    pub fn requeue(&self, request: &Requeue) -> Result<Moved, ClientError> {
        self.post(&["dead", "requeue"], request)
    }

    /// `POST /v1/hold/decide`
    pub fn decide(&self, request: &Decide) -> Result<Moved, ClientError> {
        self.post(&["hold", "decide"], request)
    }

    /// `POST /v1/dead/drop`
    pub fn drop_dead(&self, request: &DropRequest) -> Result<Moved, ClientError> {
        self.post(&["dead", "drop"], request)
    }

    /// `POST /v1/pause`
    pub fn pause(&self, request: &PauseRequest) -> Result<PauseAnswer, ClientError> {
        self.post(&["pause"], request)
    }

    /// `POST /v1/resume`
    pub fn resume(&self, request: &ResumeRequest) -> Result<PauseAnswer, ClientError> {
        self.post(&["resume"], request)
    }

    /// `GET /v1/attention`
    pub fn attention(&self, query: &AttentionQuery) -> Result<AttentionList, ClientError> {
        self.get(&["attention"], query)
    }

    /// `POST /v1/attention/dismiss`
    pub fn dismiss(&self, request: &Dismiss) -> Result<Dismissed, ClientError> {
        self.post(&["attention", "dismiss"], request)
    }

    /// `GET /v1/map/{account}/{order_id}`
    pub fn mapping(
        &self,
        account: &AccountId,
        order: &OrderId,
    ) -> Result<MappingInfo, ClientError> {
        self.get(&["map", account.as_str(), order.as_str()], &())
    }

    /// `GET /v1/recipients`
    pub fn recipients(&self) -> Result<Recipients, ClientError> {
        self.get(&["recipients"], &())
    }

    /// `POST /v1/reload`; waits until the new settings are in force.
    pub fn reload(&self) -> Result<Reloaded, ClientError> {
        self.post(&["reload"], &())
    }

    /// `POST /v1/reconcile`; waits until all orders were looked for, however long that is.
    pub fn reconcile(&self, request: &Reconcile) -> Result<ReconcileReport, ClientError> {
        let url = self.url(&["reconcile"], &())?;
        self.long(self.http.request(Method::POST, url).json(request))
    }

    /// `POST /v1/process`; waits until the document is taken, however long that is.
    pub fn process(
        &self,
        account: &AccountId,
        source: ProcessSource,
        dry_run: bool,
    ) -> Result<ProcessReport, ClientError> {
        let query = ProcessQuery { account: account.clone(), dry_run, name: source.name };
        let mut request = self.http.request(Method::POST, self.url(&["process"], &query)?);
        if let Some(sidecar) = source.sidecar {
            request = request.header(SIDECAR_HEADER, STANDARD.encode(sidecar));
        }
        self.long(request.body(axum::body::Bytes::from_owner(source.bytes)))
    }

    /// Begins to bring back what was known of lost accounts.
    pub fn rebuild(&self, request: &Rebuild) -> Result<RebuildReport, ClientError> {
        self.post(&["rebuild"], request)
    }

    /// How far the rebuild is.
    pub fn rebuilding(&self) -> Result<RebuildReport, ClientError> {
        self.get(&["rebuild"], &())
    }

    fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
    ) -> Result<T, ClientError> {
        let request = self.http.request(Method::GET, self.url(path, query)?);
        self.runtime.block_on(self.answer(request, Some(self.patience.read)))
    }

    fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let request = self.http.request(Method::POST, self.url(path, &())?).json(body);
        self.runtime.block_on(self.answer(request, Some(self.patience.change)))
    }

    /// The URL of a request; the host says nothing on a unix socket.
    fn url(&self, path: &[&str], query: &impl Serialize) -> Result<Url, ClientError> {
        let doing = "building the request";
        let mut url = Url::parse("http://localhost/")
            .map_err(|error| self.broken(doing, error.to_string()))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(VERSION).extend(path);
        }
        let fields =
            serde_json::to_value(query).map_err(|error| self.broken(doing, error.to_string()))?;
        if let serde_json::Value::Object(fields) = fields {
            let given = fields.into_iter().filter_map(|(name, value)| match value {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some((name, text)),
                other => Some((name, other.to_string())),
            });
            let given: Vec<_> = given.collect();
            if !given.is_empty() {
                url.query_pairs_mut().extend_pairs(given);
            }
        }
        Ok(url)
    }

    /// A request that takes as long as it takes: given up when the daemon answers nothing else either.
    fn long<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        self.runtime.block_on(async {
            tokio::select! {
                answered = self.answer(request, None) => answered,
                silent = self.silence() => Err(silent),
            }
        })
    }

    /// Returns when the daemon no longer answers.
    async fn silence(&self) -> ClientError {
        loop {
            tokio::time::sleep(self.patience.read).await;
            let asked = match self.url(&["recipients"], &()) {
                Ok(url) => self.http.request(Method::GET, url),
                Err(error) => return error,
            };
            match self.answer::<Recipients>(asked, Some(self.patience.read)).await {
                Ok(_) | Err(ClientError::Refused { .. }) => {}
                Err(error) => return error,
            }
        }
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        patience: Option<Duration>,
    ) -> Result<T, ClientError> {
        let doing = "asking the daemon";
        let request = match patience {
            Some(patience) => request.timeout(patience),
            None => request,
        };
        let failed = |error: &reqwest::Error| match patience {
            Some(patience) if error.is_timeout() => {
                let seconds = patience.as_secs_f32().ceil();
                self.broken(doing, format!("there was no answer within {seconds} s"))
            }
            _ => self.broken(doing, root(error)),
        };
        let response = request.send().await.map_err(|error| failed(&error))?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(|error| failed(&error))?;
        if status.is_success() {
            serde_json::from_slice(&bytes).map_err(|error| {
                let reason = format!(
                    "the answer is not one of this version ({error}); restart the daemon after an upgrade"
                );
                self.broken("reading the answer", reason)
            })
        } else {
            match serde_json::from_slice::<ErrorBody>(&bytes) {
                Ok(body) => Err(ClientError::Refused { body }),
                Err(_) => Err(self.broken(doing, format!("it answered {status}"))),
            }
        }
    }

    fn broken(&self, doing: &'static str, reason: String) -> ClientError {
        ClientError::Broken { socket: self.socket.clone(), doing, reason }
    }
}

impl ClientError {
    /// A name that never changes.
    pub fn code(&self) -> &str {
        match self {
            Self::NotRunning { .. } => "not-running",
            Self::Denied { .. } => "denied",
            Self::Refused { body } => &body.code,
            Self::Broken { .. } => "control-broken",
        }
    }

    /// What to do next.
    pub fn next_step(&self) -> String {
        match self {
            Self::NotRunning { .. } => {
                "`systemctl start odoo-spoold`, or see why not: `journalctl -u odoo-spoold`"
                    .to_owned()
            }
            Self::Denied { group: Some(group), .. } => format!(
                "add yourself to group {group} (`sudo usermod -aG {group} $USER`, then log in \
                 again), or use sudo"
            ),
            Self::Denied { group: None, .. } => "use sudo".to_owned(),
            Self::Refused { body } => body.next_step.clone(),
            Self::Broken { .. } => {
                "ask again; if it stays so, see `journalctl -u odoo-spoold`".to_owned()
            }
        }
    }

    /// The socket, unless the daemon did answer.
    pub fn socket(&self) -> Option<&Path> {
        match self {
            Self::NotRunning { socket }
            | Self::Denied { socket, .. }
            | Self::Broken { socket, .. } => Some(socket),
            Self::Refused { .. } => None,
        }
    }
}

/// Connects and hangs up. systemd may hold the socket of a daemon that does not run: once so many
/// wait there that no more are let in, an ordinary connect waits for ever.
fn try_connect(socket: &Path, patience: Duration) -> std::io::Result<()> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
    let address = SocketAddrUnix::new(socket)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let started = Instant::now();
    loop {
        let stream =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        match rustix::net::connect(&stream, &address) {
            Err(rustix::io::Errno::AGAIN) if started.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(rustix::io::Errno::AGAIN) => return Err(ErrorKind::TimedOut.into()),
            connected => return Ok(connected?),
        }
    }
}

/// Tells a daemon that does not run from one that may not be asked.
fn try_to_connect(socket: &Path, patience: Duration) -> Result<(), ClientError> {
    match try_connect(socket, patience) {
        Ok(()) => Ok(()),
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            Err(ClientError::NotRunning { socket: socket.to_owned() })
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let gid = std::fs::metadata(socket).ok().map(|found| found.gid());
            let group = gid.map(|gid| group_name(gid).unwrap_or_else(|| gid.to_string()));
            Err(ClientError::Denied { socket: socket.to_owned(), group })
        }
        Err(error) => Err(ClientError::Broken {
            socket: socket.to_owned(),
            doing: "connecting to the daemon",
            reason: error.to_string(),
        }),
    }
}

/// The name of a local group.
fn group_name(gid: u32) -> Option<String> {
    name_of(&std::fs::read_to_string("/etc/group").ok()?, gid)
}

fn name_of(groups: &str, gid: u32) -> Option<String> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| name.to_owned())
    })
}

/// The innermost cause: the outer ones only repeat the URL.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_number() {
        let groups = "root:x:0:\nodoo-spool:x:990:odoo,ada\n";
        assert_eq!(name_of(groups, 990).as_deref(), Some("odoo-spool"));
        assert_eq!(name_of(groups, 99), None);
    }

    #[test]
    fn a_missing_and_a_dead_socket_mean_not_running() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let code = |path: &Path| Client::connect(path).unwrap_err().code().to_owned();
        assert_eq!(code(&path), "not-running");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert_eq!(code(&path), "not-running");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_ne!(code(&path), "");
    }

    /// A socket that systemd holds for a daemon that does not come: nobody is let in, or nobody
    /// answers.
    #[test]
    fn night_p2_a_socket_that_nobody_serves_is_not_waited_at_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let patience = Patience::of(Duration::from_millis(200));
        let client = Client::connect_within(&path, patience).unwrap();
        assert_eq!(client.status().unwrap_err().code(), "control-broken");
        // Until the queue of those who wait is full.
        rustix::net::listen(&listener, 0).unwrap();
        let mut waiting = Vec::new();
        let refused = loop {
            assert!(waiting.len() < 10_000, "they are all let in");
            match Client::connect_within(&path, patience) {
                Ok(_) => waiting.push(std::os::unix::net::UnixStream::connect(&path)),
                Err(error) => break error,
            }
        };
        assert_eq!(refused.code(), "control-broken");
    }

    #[test]
    fn urls_escape_what_is_in_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let client = Client::connect(&path).unwrap();
        let query = ProcessQuery {
            account: "eu".parse().unwrap(),
            dry_run: true,
            name: "a&b=ü.age".into(),
        };
        let url = client.url(&["queue", "eu", "S01/../x?y"], &query).unwrap();
        assert_eq!(
            url.as_str(),
            "http://localhost/v1/queue/eu/S01%2F..%2Fx%3Fy?account=eu&dry_run=true&name=a%26b%3D%C3%BC.age"
        );
        let none = client.url(&["files"], &FilesQuery::default()).unwrap();
        assert_eq!(none.as_str(), "http://localhost/v1/files");
    }
}
