//! Integration tests: one module per behaviour.

mod odoo_client;
mod support;
