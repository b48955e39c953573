//! The process at the other end, as the kernel knows it, noted with every request.
//!
//! Who may ask is decided by the socket's owner and mode. Paths are noted only up to the noun:
//! what follows may be anything a caller mistyped.

use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Extension, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::IncomingStream;
use tokio::net::UnixListener;

/// The process at the other end; none where the kernel did not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its process id.
    pub pid: Option<i32>,
}

/// What the connection knows of its peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller(Option<Peer>);

/// The user at the other end, for a handler that keeps it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Uid(pub(super) Option<u32>);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Uid {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        _state: &S,
    ) -> Result<Self, Self::Rejection> {
        let caller = parts.extensions.get::<ConnectInfo<Caller>>();
        Ok(Self(caller.and_then(|ConnectInfo(Caller(peer))| peer.map(|peer| peer.uid))))
    }
}

impl Connected<IncomingStream<'_, UnixListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self(stream.io().peer_cred().ok().map(|credentials| Peer {
            uid: credentials.uid(),
            gid: credentials.gid(),
            pid: credentials.pid(),
        }))
    }
}

/// Notes who asked what, and how it ended: at info if it may change something, else at debug.
pub(super) async fn note(
    Extension(ConnectInfo(Caller(peer))): Extension<ConnectInfo<Caller>>,
    request: Request,
    next: Next,
) -> Response {
    let changes = request.method() != Method::GET && request.method() != Method::HEAD;
    let verb = verb(request.uri().path(), changes);
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let uid = peer.map(|peer| peer.uid);
    let gid = peer.map(|peer| peer.gid);
    let pid = peer.and_then(|peer| peer.pid);
    let who = uid.map_or_else(|| "somebody".to_owned(), |uid| format!("uid {uid}"));
    if changes {
        tracing::info!(
            uid,
            gid,
            pid,
            verb,
            status,
            "control request: {verb} by {who}, answered {status}"
        );
    } else {
        tracing::debug!(
            uid,
            gid,
            pid,
            verb,
            status,
            "control request: {verb} by {who}, answered {status}"
        );
    }
    response
}

/// The noun of a path, or the noun and what is done to it.
fn verb(path: &str, changes: bool) -> &'static str {
    let mut parts = path.split('/').skip(2);
    match (changes, parts.next(), parts.next()) {
        (true, Some("hold"), Some("release")) => "hold release",
        (true, Some("dead"), Some("requeue")) => "dead requeue",
        (true, Some("hold"), Some("decide")) => "hold decide",
        (true, Some("dead"), Some("drop")) => "dead drop",
        (true, Some("pause"), None) => "pause",
        (true, Some("resume"), None) => "resume",
        (true, Some("attention"), Some("dismiss")) => "attention dismiss",
        (false, Some("attention"), _) => "attention",
        (true, Some("process"), None) => "process",
        (true, Some("reload"), None) => "reload",
        (true, Some("reconcile"), None) => "reconcile",
        (true, Some("rebuild"), None) => "rebuild",
        (false, Some("rebuild"), _) => "rebuild progress",
        (false, Some("status"), _) => "status",
        (false, Some("files"), _) => "files",
        (false, Some("queue"), _) => "queue",
        (false, Some("hold"), _) => "hold",
        (false, Some("dead"), None) => "dead list",
        (false, Some("dead"), Some(_)) => "dead show",
        (false, Some("map"), _) => "map",
        (false, Some("recipients"), _) => "recipients",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every path of the API document has a word of its own in the audit.
    #[test]
    fn audit_30_every_request_is_audited_by_name() {
        let document = crate::control::openapi::document();
        let paths = document["paths"].as_object().unwrap();
        assert!(paths.len() > 15, "{paths:?}");
        for (path, methods) in paths {
            for method in methods.as_object().unwrap().keys() {
                let changes = method != "get";
                let noted = verb(&path.replace(['{', '}'], ""), changes);
                assert_ne!(noted, "unknown", "{method} {path}");
            }
        }
    }

    #[test]
    fn paths_are_noted_without_what_a_caller_typed() {
        assert_eq!(verb("/v1/map/eu/Max Mustermann", false), "map");
        assert_eq!(verb("/v1/hold/release", true), "hold release");
        assert_eq!(verb("/v1/dead/eu/205-1", false), "dead show");
        assert_eq!(verb("/v1/Max", false), "unknown");
        assert_eq!(verb("/v1/reconcile", true), "reconcile");
        assert_eq!(verb("/v1/rebuild", true), "rebuild");
        assert_eq!(verb("/", true), "unknown");
    }
}
