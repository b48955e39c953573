//! Sends: takes due jobs from the store and brings them to Odoo.

pub mod backoff;
