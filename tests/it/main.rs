//! Integration tests: one module per behaviour.

#![cfg(test)]

mod envelope_vectors;
mod odoo_client;
mod spool_claim;
mod spool_scan;
mod spool_watch;
mod support;
