//! Integration tests: one module per behaviour.
