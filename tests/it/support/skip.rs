//! A test that cannot run here says so.

use std::io::Write as _;

/// Says why a test does nothing here; return after it. Call it once in a test: `tests/run.sh` counts the test as skipped, not as
/// passed, and prints the reason. (What a passing test prints, its runner hides: hence the file.)
pub fn skip(reason: &str) {
    tell(&format!("skipped: {reason}\n"));
}

/// Says why a part of a test is left out; the test goes on and counts as it ends.
pub fn skip_part(reason: &str) {
    tell(&format!("left out: {reason}\n"));
}

fn tell(line: &str) {
    print!("{line}");
    let Some(path) = std::env::var_os("ODOO_SPOOLD_SKIPS") else { return };
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    // One write: tests run side by side.
    file.write_all(line.as_bytes()).unwrap();
}
