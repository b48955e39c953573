//! Integration tests: one module per behaviour.

#![cfg(test)]
#![allow(
    clippy::pedantic,
    clippy::clone_on_copy,
    clippy::needless_range_loop,
    clippy::type_complexity,
    clippy::as_conversions,
    clippy::string_slice,
    reason = "test code: it may stop at the first surprise"
)]

mod api_key;
mod canary;
mod check;
mod cli;
mod completions;
mod config;
mod control;
mod control_decide;
mod delivery_archived;
mod delivery_existing;
mod delivery_faults;
mod delivery_pace;
mod delivery_people;
mod delivery_refused;
mod delivery_totals;
mod envelope_vectors;
mod fault_crash;
mod fault_disk;
mod fault_power;
mod fault_stop;
mod fault_support;
mod flatfile_samples;
mod host_needs;
mod import_from;
mod keys;
mod marker;
mod odoo_client;
mod odoo_versions;
mod package_scripts;
mod plan_orders;
mod process;
mod process_memory;
mod real_api_key;
mod real_business;
mod real_changes;
mod real_choices;
mod real_companies;
mod real_crash;
mod real_decisions;
mod real_default;
mod real_existing;
mod real_families;
mod real_half;
mod real_mail;
mod real_orders;
mod real_people;
mod real_rebuild;
mod real_repeat;
mod real_restored;
mod real_support;
mod real_trouble;
mod rebuild;
mod retention;
mod setup;
mod spool_claim;
mod spool_scan;
mod spool_watch;
mod state;
mod store_attention;
mod store_corrupt;
mod store_crash;
mod store_disk;
mod store_expiry;
mod store_model;
mod store_queue;
mod store_support;
mod store_take;
mod support;
