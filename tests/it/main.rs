//! Integration tests: one module per behaviour.

mod envelope_vectors;
mod odoo_client;
mod support;
