//! Whom to ask: the daemon, or the store itself when no daemon runs.

use std::path::Path;

use crate::config::{DEFAULT_CONTROL_SOCKET, Settings};
use crate::control::client::{Client, ClientError, Patience};
use crate::control::wire::{
    AttentionList, AttentionQuery, DeadJob, FileDetail, Files, FilesQuery, Held, JobDetail, Jobs,
    JobsQuery, MappingInfo, Status,
};
use crate::control::{Handle, attention, dead, files, hold, mappings, queue, status};
use crate::model::FileId;

use super::keystore::load;
use super::offline;
use super::problem::Problem;
use super::unit;
use super::{Global, Order};

/// Who answers.
#[derive(Debug)]
pub(super) enum Source {
    /// The running daemon.
    Daemon(Client),
    /// The store, opened here.
    Store(Box<Handle>),
}

/// The running daemon, for what only it can do.
pub(super) fn daemon(global: &Global) -> Result<Client, Problem> {
    match Settings::load(&global.config()) {
        Ok(settings) => {
            Ok(connect(global.is_systems(), &settings.control.socket, global.patience())?)
        }
        Err(error) => running_anyway(global, global.patience()).ok_or_else(|| error.into()),
    }
}

/// Connects, unless systemd has given the daemon up: it listens on the socket still, and would start it
/// again for each caller.
pub(super) fn connect(
    systems: bool,
    socket: &Path,
    patience: Patience,
) -> Result<Client, ClientError> {
    if unit::given_up(systems, socket) {
        return Err(ClientError::NotRunning { socket: socket.to_owned() });
    }
    Client::connect_within(socket, patience)
}

/// The daemon that was started before its settings went wrong: it answers, and says what it thinks
/// of them. Only for the settings file of the system, whose socket is known without it.
fn running_anyway(global: &Global, patience: Patience) -> Option<Client> {
    let systems = global.config() == Path::new(super::DEFAULT_CONFIG);
    let socket = Path::new(DEFAULT_CONTROL_SOCKET);
    systems.then(|| connect(global.is_systems(), socket, patience).ok()).flatten()
}

impl Source {
    /// The daemon if it runs, else the store if this user may read it.
    pub(super) fn open(global: &Global) -> Result<Self, Problem> {
        Self::open_within(global, global.patience())
    }

    /// The same; the daemon's answer may take so long.
    pub(super) fn open_within(global: &Global, patience: Patience) -> Result<Self, Problem> {
        let settings = match Settings::load(&global.config()) {
            Ok(settings) => settings,
            Err(error) => {
                return running_anyway(global, patience)
                    .map(Self::Daemon)
                    .ok_or_else(|| error.into());
            }
        };
        match connect(global.is_systems(), &settings.control.socket, patience) {
            Ok(client) => Ok(Self::Daemon(client)),
            Err(ClientError::NotRunning { .. }) => Self::store(global, settings),
            Err(error) => Err(error.into()),
        }
    }

    /// The store.
    fn store(global: &Global, settings: Settings) -> Result<Self, Problem> {
        // Asked first: who may not read the store need not be told that the keys are guarded.
        offline::readable(&settings)?;
        let keys = load(global, &settings)?;
        Ok(Self::Store(Box::new(offline::open(settings, &keys)?)))
    }

    pub(super) fn status(&self) -> Result<Status, Problem> {
        match self {
            Self::Daemon(client) => Ok(client.status()?),
            Self::Store(handle) => Ok(status::status(handle)?),
        }
    }

    pub(super) fn files(&self, query: &FilesQuery) -> Result<Files, Problem> {
        match self {
            Self::Daemon(client) => Ok(client.files(query)?),
            Self::Store(handle) => Ok(files::list(handle, query)?),
        }
    }

    pub(super) fn file(&self, id: &FileId) -> Result<FileDetail, Problem> {
        match self {
            Self::Daemon(client) => Ok(client.file(id)?),
            Self::Store(handle) => Ok(files::show(handle, id)?),
        }
    }

    pub(super) fn queue(&self, query: &JobsQuery) -> Result<Jobs, Problem> {
        match self {
            Self::Daemon(client) => Ok(client.queue(query)?),
            Self::Store(handle) => Ok(queue::list(handle, query)?),
        }
    }

    pub(super) fn job(&self, order: &Order) -> Result<JobDetail, Problem> {
        match self {
            Self::Daemon(client) => Ok(client.job(&order.account, &order.order)?),
            Self::Store(handle) => Ok(queue::show(handle, &order.account, &order.order)?),
        }
    }

    pub(super) fn held(&self, query: &JobsQuery) -> Result<Held, Problem> {
        match self {
            Self::Daemon(client) => Ok(client.held(query)?),
            Self::Store(handle) => Ok(hold::list(handle, query)?),
        }
    }

    pub(super) fn dead(&self, query: &JobsQuery) -> Result<Jobs, Problem> {
        match self {
            Self::Daemon(client) => Ok(client.dead(query)?),
            Self::Store(handle) => Ok(dead::list(handle, query)?),
        }
    }

    pub(super) fn dead_job(&self, order: &Order) -> Result<DeadJob, Problem> {
        match self {
            Self::Daemon(client) => Ok(client.dead_job(&order.account, &order.order)?),
            Self::Store(handle) => Ok(dead::show(handle, &order.account, &order.order)?),
        }
    }

    pub(super) fn attention(&self, query: &AttentionQuery) -> Result<AttentionList, Problem> {
        match self {
            Self::Daemon(client) => Ok(client.attention(query)?),
            Self::Store(handle) => Ok(attention::list(handle, query)?),
        }
    }

    pub(super) fn mapping(&self, order: &Order) -> Result<MappingInfo, Problem> {
        match self {
            Self::Daemon(client) => Ok(client.mapping(&order.account, &order.order)?),
            Self::Store(handle) => Ok(mappings::show(handle, &order.account, &order.order)?),
        }
    }
}
