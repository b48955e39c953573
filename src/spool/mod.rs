//! Where files come from and where they end.
