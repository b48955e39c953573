//! The socket: made where systemd did not pass one, and served until told to stop.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use super::handle::Handle;
use super::peer::Caller;
use super::router;

/// The socket's mode: its owner and group may ask.
const SOCKET_MODE: u32 = 0o660;
/// How long requests may take to end once it is time to stop.
const DRAIN_SECS: u64 = 5;

/// Makes the socket at `path`. One that nobody serves any more is replaced; one that is served, or
/// something that is no socket, is an error.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Ok(found) = std::fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "is there and is no socket"));
        }
        match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => {
                let text = "another process answers on this socket";
                return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path)?;
            }
            Err(error) => return Err(error),
        }
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    Ok(listener)
}

/// Answers until `stop`, then lets requests under way end for a few seconds.
pub async fn serve(
    listener: UnixListener,
    handle: Handle,
    stop: CancellationToken,
) -> io::Result<()> {
    let service = router(handle).into_make_service_with_connect_info::<Caller>();
    let told = stop.clone();
    let serving = axum::serve(listener, service)
        .with_graceful_shutdown(async move { told.cancelled().await })
        .into_future();
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(Duration::from_secs(DRAIN_SECS)).await;
    };
    tokio::select! {
        ended = serving => ended,
        () = late => {
            tracing::warn!("control requests did not end in time and were cut off");
            Ok(())
        }
    }
}
