//! A test that cannot run here says so.

use std::io::Write as _;

/// Says why this test does nothing here; return after it. Call it once in a test: `tests/run.sh` counts the test as skipped, not
/// as passed, and prints the reason. (What a passing test prints, its runner hides: hence the file.)
pub fn skip(reason: &str) {
    println!("skipped: {reason}");
    let Some(path) = std::env::var_os("ODOO_SPOOLD_SKIPS") else { return };
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    // One write: tests run side by side.
    file.write_all(format!("skipped: {reason}\n").as_bytes()).unwrap();
}
