//! Integration tests: one module per behaviour.

mod store_crash;
mod store_disk;
mod store_model;
mod store_queue;
mod store_support;
mod store_take;
