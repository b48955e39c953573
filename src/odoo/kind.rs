//! What can go wrong with a call, what it means, and what the operator can do: one row each.
//!
//! Only words and classes; which failure is which kind is decided in [`super::fault`].

/// What a failure means for the work that met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Not our data's fault: the same again later.
    Retry,
    /// Configuration: the whole account waits, loudly; no attempt is used up.
    Pause,
    /// Odoo refuses this record: split the batch until the culprit stands alone.
    Reject,
}

/// What went wrong. [`FaultKind::class`] says what it means, [`FaultKind::next_step`] what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// No connection: refused, unknown host, no route. Nothing was sent.
    Unreachable,
    /// No complete answer in time.
    Timeout,
    /// The connection broke after the request was (perhaps) sent, e.g. a worker was killed.
    ConnectionLost,
    /// The answer is not what Odoo would say: half an answer, HTML, another shape.
    BadAnswer,
    /// 5xx with a page instead of Odoo's JSON: the reason is not told.
    ErrorPage,
    /// 502, 503, 504: a proxy does not reach Odoo, or Odoo is starting.
    Unavailable,
    /// 429, or Odoo has no database connection left.
    Overloaded,
    /// Two transactions met; Odoo gave up after its own tries.
    Serialization,
    /// Odoo has lost or not yet found its PostgreSQL.
    DatabaseDown,
    /// "No such database" from a server where it was there before.
    DatabaseGone,
    /// An exception this table does not know.
    UnknownException,
    /// "No such database" from a server where it was never seen.
    NoDatabase,
    /// Wrong key, wrong or archived user, too many failed logins, or a proxy that wants a login.
    AccessDenied,
    /// The user lacks a right for this model, or the method is private.
    AccessError,
    /// The model does not exist: its module is not installed.
    MissingModel,
    /// The method does not exist in this version.
    MissingMethod,
    /// Certificate or protocol refused by us or by the server.
    Tls,
    /// The server sends us elsewhere; redirects are not followed.
    Redirected,
    /// Odoo requires a field that is not sent: somebody's module made it required.
    MissingRequired,
    /// A constraint failed.
    Validation,
    /// Odoo says no, with a reason meant for a person.
    UserError,
    /// A record that was named does not exist.
    MissingRecord,
    /// A record rule hides this record from the user, usually another company's.
    RecordRule,
    /// Odoo could not work with a value or a column: a wrong mapping, or a bug on either side.
    InvalidValue,
    /// The request itself was refused as malformed: a bug of ours or an odd proxy.
    BadRequest,
    /// Request (413) or answer is larger than allowed: send less at once.
    TooLarge,
}

// === impl FaultKind ===

impl FaultKind {
    /// Every kind, for documentation and tests.
    pub const ALL: [Self; 26] = [
        Self::Unreachable,
        Self::Timeout,
        Self::ConnectionLost,
        Self::BadAnswer,
        Self::ErrorPage,
        Self::Unavailable,
        Self::Overloaded,
        Self::Serialization,
        Self::DatabaseDown,
        Self::DatabaseGone,
        Self::UnknownException,
        Self::NoDatabase,
        Self::AccessDenied,
        Self::AccessError,
        Self::MissingModel,
        Self::MissingMethod,
        Self::Tls,
        Self::Redirected,
        Self::MissingRequired,
        Self::Validation,
        Self::UserError,
        Self::MissingRecord,
        Self::RecordRule,
        Self::InvalidValue,
        Self::BadRequest,
        Self::TooLarge,
    ];

    /// Retry, pause or reject.
    pub const fn class(self) -> Class {
        match self {
            Self::Unreachable
            | Self::Timeout
            | Self::ConnectionLost
            | Self::BadAnswer
            | Self::ErrorPage
            | Self::Unavailable
            | Self::Overloaded
            | Self::Serialization
            | Self::DatabaseDown
            | Self::DatabaseGone
            | Self::UnknownException => Class::Retry,
            Self::NoDatabase
            | Self::AccessDenied
            | Self::AccessError
            | Self::MissingModel
            | Self::MissingMethod
            | Self::Tls
            | Self::Redirected
            | Self::MissingRequired => Class::Pause,
            Self::Validation
            | Self::UserError
            | Self::MissingRecord
            | Self::RecordRule
            | Self::InvalidValue
            | Self::BadRequest
            | Self::TooLarge => Class::Reject,
        }
    }

    /// Odoo, or its database, is not there: no call needs to be tried before a probe succeeds.
    pub(super) const fn is_down(self) -> bool {
        matches!(
            self,
            Self::Unreachable
                | Self::Timeout
                | Self::ConnectionLost
                | Self::BadAnswer
                | Self::ErrorPage
                | Self::Unavailable
                | Self::Overloaded
                | Self::DatabaseDown
                | Self::DatabaseGone
        )
    }

    /// A pause that only a call about an order shows to be over; for the others a probe does.
    pub(crate) const fn is_shown_by_orders(self) -> bool {
        matches!(
            self,
            Self::AccessError | Self::MissingModel | Self::MissingMethod | Self::MissingRequired
        )
    }

    /// Odoo got too much at once: less of it may pass.
    pub(super) const fn is_overload(self) -> bool {
        matches!(self, Self::Overloaded | Self::Serialization | Self::TooLarge)
    }

    /// A stable word for logs, JSON and metrics.
    pub const fn code(self) -> &'static str {
        self.row().0
    }

    /// What happened, in words.
    pub const fn summary(self) -> &'static str {
        self.row().1
    }

    /// What the operator can do.
    pub const fn next_step(self) -> &'static str {
        self.row().2
    }

    #[expect(clippy::too_many_lines, reason = "a table: one row a kind")]
    const fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Unreachable => (
                "unreachable",
                "no connection to Odoo",
                "is Odoo running, and odoo.url right? it is tried again by itself",
            ),
            Self::Timeout => (
                "timeout",
                "Odoo did not answer in time",
                "tried again by itself with smaller batches; is odoo.limit_time_real the server's?",
            ),
            Self::ConnectionLost => (
                "connection_lost",
                "the connection broke before Odoo's answer was complete",
                "tried again by itself; look in Odoo's log for a worker killed by a limit",
            ),
            Self::BadAnswer => (
                "bad_answer",
                "the answer is not Odoo's",
                "does odoo.url lead to Odoo, or to a proxy's login or maintenance page?",
            ),
            Self::ErrorPage => (
                "error_page",
                "Odoo answered with an error page that tells no reason",
                "look in Odoo's log; on Odoo 14 with several databases set dbfilter = ^database$",
            ),
            Self::Unavailable => (
                "unavailable",
                "the proxy does not reach Odoo, or Odoo is starting",
                "is Odoo running behind its proxy? it is tried again by itself",
            ),
            Self::Overloaded => (
                "overloaded",
                "Odoo asks for patience",
                "slowed down by itself; more Odoo workers or db_maxconn help",
            ),
            Self::Serialization => (
                "serialization",
                "two transactions met on the same records",
                "tried again by itself",
            ),
            // One code: whether the connection broke or the database went, the same is to be done.
            Self::DatabaseDown | Self::DatabaseGone => (
                "database_down",
                "Odoo answers, its PostgreSQL does not",
                "is PostgreSQL running, and the database still there? it is tried again by itself",
            ),
            Self::UnknownException => (
                "unknown_exception",
                "Odoo failed in a way not known here",
                "look in Odoo's log; it is tried again by itself",
            ),
            Self::NoDatabase => (
                "no_database",
                "Odoo has no such database",
                "check odoo.database and the server's dbfilter, then restart odoo-spoold",
            ),
            Self::AccessDenied => (
                "access_denied",
                "Odoo refuses the login or its key",
                "is the API key revoked or expired, or the user archived? a new key: odoo-spoold setup --odoo-api-key-file FILE, then systemctl restart odoo-spoold",
            ),
            Self::AccessError => (
                "access_error",
                "the Odoo user lacks a right",
                "give the integration user the groups listed in the README, then reload",
            ),
            Self::MissingModel => (
                "missing_model",
                "Odoo does not know this model",
                "install the Odoo module this account's settings need, then reload",
            ),
            Self::MissingMethod => (
                "missing_method",
                "Odoo does not know this method",
                "is this Odoo version supported? report it with the version",
            ),
            Self::Tls => (
                "tls",
                "no trusted encrypted connection",
                "is the certificate expired or for another host? a private CA goes to odoo.ca_file",
            ),
            Self::Redirected => (
                "redirected",
                "the server sends us to another address",
                "put the final address (https?) into odoo.url, then restart odoo-spoold",
            ),
            Self::MissingRequired => (
                "missing_required",
                "Odoo requires a field that odoo-spoold does not send",
                "a module made this field required: give it a default in Odoo, or make it optional; orders go on by themselves",
            ),
            Self::Validation => (
                "validation",
                "Odoo refuses a value",
                "read Odoo's words with `odoo-spoold dead show`, correct it there or here, then `dead requeue`",
            ),
            Self::UserError => (
                "user_error",
                "Odoo refuses this",
                "read Odoo's words with `odoo-spoold dead show`, correct it in Odoo, then `dead requeue`",
            ),
            Self::MissingRecord => (
                "missing_record",
                "a record no longer exists in Odoo",
                "was it deleted? look with `odoo-spoold dead show`, then `dead requeue`",
            ),
            Self::RecordRule => (
                "record_rule",
                "a record belongs to another company or is hidden from the user",
                "check the companies of the integration user and of the record, then `odoo-spoold dead requeue`",
            ),
            Self::InvalidValue => (
                "invalid_value",
                "Odoo cannot work with a value or a field",
                "look with `odoo-spoold dead show`; if nothing is wrong there, report it with the Odoo version",
            ),
            Self::BadRequest => (
                "bad_request",
                "the request was refused as malformed",
                "does a proxy change requests? otherwise report it",
            ),
            Self::TooLarge => (
                "too_large",
                "request or answer is too large",
                "sent in smaller pieces by itself; a proxy may need a larger body limit",
            ),
        }
    }
}
