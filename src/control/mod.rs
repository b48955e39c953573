//! Answers questions over a unix socket.
