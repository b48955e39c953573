//! Logging to journald or stderr, never blocking.
