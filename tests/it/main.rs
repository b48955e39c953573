//! Integration tests: one module per behaviour.
mod flatfile_samples;
