//! Time, injectable.
