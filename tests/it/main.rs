//! Integration tests: one module per behaviour.

#[cfg(test)]
mod spool_claim;
#[cfg(test)]
mod spool_scan;
#[cfg(test)]
mod spool_watch;
