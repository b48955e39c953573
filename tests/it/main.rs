//! Integration tests: one module per behaviour.

mod envelope_vectors;
