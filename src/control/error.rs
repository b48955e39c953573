//! Why a request is refused, and what to do next.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::model::{AccountId, FileId, OrderId, counted};
use crate::store::StoreError;

use super::headline::grouped;
use super::wire::{ErrorBody, MAX_DOCUMENT_BYTES};

/// Why a request is refused. Never carries buyer data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The request is not one of this API, or a value in it is not valid. Read the message.
    #[error("{0}")]
    BadRequest(String),
    /// There is no such path, or not with this method.
    #[error("there is no such request in /v1")]
    NoSuchRequest,
    /// The account has neither settings nor orders here. Look at `odoo-spoold status`.
    #[error("there is no account \"{0}\" here")]
    UnknownAccount(AccountId),
    /// No file with this id is remembered.
    #[error("there is no file {0} here")]
    UnknownFile(FileId),
    /// No accepted file named this order.
    #[error("account {account} knows no order {order_id}{}", not_read(*unread))]
    UnknownOrder {
        /// The account.
        account: AccountId,
        /// The order.
        order_id: OrderId,
        /// How many files lie in the account's `incoming/` and are not read yet.
        unread: u64,
        /// Orders of the account's last files that were bought before `import_from`.
        early: u64,
    },
    /// The order is known, but is not in the state that the request needs.
    #[error("order {order_id} is {state}, not {needed}")]
    NotInState {
        /// The order.
        order_id: OrderId,
        /// Its state.
        state: &'static str,
        /// The state that was needed.
        needed: &'static str,
    },
    /// The order is known, but does not stand in Odoo.
    #[error("order {order_id} is not in Odoo: it is {state}")]
    NotMapped {
        /// The order.
        order_id: OrderId,
        /// Its state.
        state: &'static str,
    },
    /// The order's conflict is none that a decision could end. Do what its hold says.
    #[error("the conflict of order {order_id} cannot be decided like this: {why}")]
    Undecidable {
        /// The order.
        order_id: OrderId,
        /// What it says.
        why: String,
    },
    /// The account has no pause of its own any more, but all accounts are paused.
    #[error("all accounts are paused, and account {0} with them")]
    PausedByAll(AccountId),
    /// The document is larger than can be handed over. Drop it into `incoming/`.
    #[error("the document is larger than {} MiB", MAX_DOCUMENT_BYTES / (1024 * 1024))]
    TooLarge,
    /// The new settings were refused; the old ones stay. Correct the named place.
    #[error("{0}")]
    Reload(String),
    /// The document cannot be processed; the code says why.
    #[error("{message}")]
    Process {
        /// A stable code.
        code: String,
        /// What is the matter.
        message: String,
        /// What to do next.
        next_step: String,
    },
    /// The daemon is stopping, or does not run. Start it, or ask again.
    #[error("{0}")]
    Unavailable(String),
    /// The store failed; the message says what to do.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A request's handler ended without an answer: a bug. Report it with the journal.
    #[error("the daemon failed while answering; see `journalctl -u odoo-spoold`")]
    Internal,
}

/// What may still name the order.
fn not_read(files: u64) -> String {
    match files {
        0 => String::new(),
        1 => "; 1 file is not read yet".to_owned(),
        _ => format!("; {} files are not read yet", grouped(files)),
    }
}

impl ControlError {
    /// A name that never changes.
    pub fn code(&self) -> &str {
        match self {
            Self::BadRequest(_) => "bad-request",
            Self::NoSuchRequest => "no-such-request",
            Self::UnknownAccount(_) | Self::Store(StoreError::UnknownAccount { .. }) => {
                "account-unknown"
            }
            Self::UnknownFile(_) => "file-unknown",
            Self::UnknownOrder { .. } => "order-unknown",
            Self::NotInState { .. } => "order-state",
            Self::NotMapped { .. } => "order-not-mapped",
            Self::Undecidable { .. } => "order-undecidable",
            Self::PausedByAll(_) => "all-paused",
            Self::TooLarge => "document-too-large",
            Self::Reload(_) => "reload-refused",
            Self::Process { code, .. } => code,
            Self::Unavailable(_) => "unavailable",
            Self::Store(error) => error.code(),
            Self::Internal => "internal",
        }
    }

    /// What to do next.
    pub fn next_step(&self) -> String {
        match self {
            Self::BadRequest(_) | Self::NoSuchRequest => "see odoo-spoold(8)".to_owned(),
            Self::UnknownAccount(_) | Self::Store(StoreError::UnknownAccount { .. }) => {
                "`odoo-spoold status` lists the accounts".to_owned()
            }
            Self::UnknownFile(_) => "`odoo-spoold files list` lists the files".to_owned(),
            Self::UnknownOrder { unread: 1.., .. } => {
                "wait until they are read (`odoo-spoold status` counts them), then ask again"
                    .to_owned()
            }
            Self::UnknownOrder { early: 0, .. } => {
                "check the order id; drop the report that has this order".to_owned()
            }
            Self::UnknownOrder { early, .. } => format!(
                "check the order id; {} of the last files {} bought before import_from: to bring \
                 one in, set import_from to an earlier day, `odoo-spoold reload`, drop the report \
                 again",
                counted(*early, "order"),
                if *early == 1 { "was" } else { "were" }
            ),
            Self::NotInState { order_id, .. } | Self::NotMapped { order_id, .. } => {
                format!("`odoo-spoold queue show ACCOUNT {order_id}` says where it stands")
            }
            Self::Undecidable { order_id, .. } => {
                format!("`odoo-spoold hold show ACCOUNT {order_id}` says what helps")
            }
            Self::PausedByAll(_) => "`odoo-spoold resume --all`".to_owned(),
            Self::TooLarge => "put it into the account's incoming/ folder".to_owned(),
            Self::Reload(_) => "correct it and reload again; the old settings stay".to_owned(),
            Self::Process { next_step, .. } => next_step.clone(),
            Self::Unavailable(_) => "systemctl start odoo-spoold".to_owned(),
            Self::Store(_) => "do what the message says; the journal has the details".to_owned(),
            Self::Internal => "report it, with the journal around this time".to_owned(),
        }
    }

    /// The answer's status.
    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::NoSuchRequest
            | Self::UnknownAccount(_)
            | Self::UnknownFile(_)
            | Self::UnknownOrder { .. }
            | Self::NotMapped { .. }
            | Self::Store(StoreError::UnknownAccount { .. }) => StatusCode::NOT_FOUND,
            Self::NotInState { .. } | Self::Undecidable { .. } | Self::PausedByAll(_) => {
                StatusCode::CONFLICT
            }
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Reload(_) | Self::Process { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// As it goes over the wire.
    pub fn body(&self) -> ErrorBody {
        ErrorBody {
            code: self.code().to_owned(),
            message: self.to_string(),
            next_step: self.next_step(),
        }
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        (self.status(), Json(self.body())).into_response()
    }
}
