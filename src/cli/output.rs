//! The one place that prints answers: JSON, or lines and tables for people.
//!
//! Promises: control characters never reach a terminal; a reader that goes away ends the command
//! quietly. Remarks and progress go to stderr, and only where somebody sees them.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal as _, Write};

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde::Serialize;

use super::Global;
use super::problem::Problem;

/// Smaller inputs are done before a progress bar is seen, in bytes.
const PROGRESS_FROM_BYTES: u64 = 8 * 1024 * 1024;

/// Where answers go.
pub(super) struct Output {
    out: Box<dyn Write>,
    json: bool,
    quiet: bool,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("json", &self.json).finish_non_exhaustive()
    }
}

impl Output {
    /// Standard output.
    pub(super) fn stdout(global: &Global) -> Self {
        let out = Box::new(BufWriter::new(io::stdout()));
        Self { out, json: global.json, quiet: global.quiet }
    }

    /// Whether people want only what they asked for.
    pub(super) fn quiet(&self) -> bool {
        self.quiet
    }

    /// Prints `answer` as JSON, or the way `people` says.
    pub(super) fn answer<T: Serialize>(
        &mut self,
        answer: &T,
        people: impl FnOnce(&mut Self, &T) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        if !self.json {
            people(self, answer)?;
            return self.flush();
        }
        let text = if io::stdout().is_terminal() {
            serde_json::to_string_pretty(answer)
        } else {
            serde_json::to_string(answer)
        };
        let text = text.map_err(|error| Problem::stdout(io::Error::other(error)))?;
        self.raw(clean_json(&text).as_bytes())?;
        self.raw(b"\n")?;
        self.flush()
    }

    /// One line.
    pub(super) fn line(&mut self, text: impl fmt::Display) -> Result<(), Problem> {
        let text = clean(&text.to_string());
        self.raw(text.as_bytes())?;
        self.raw(b"\n")
    }

    /// A name and its value; nothing where there is no value.
    pub(super) fn field(&mut self, name: &str, value: impl fmt::Display) -> Result<(), Problem> {
        let value = value.to_string();
        if value.is_empty() { Ok(()) } else { self.line(format_args!("{name:<12} {value}")) }
    }

    /// Aligned columns; `none` where there are no rows. Columns of numbers are set to the right.
    pub(super) fn table(
        &mut self,
        heads: &[&str],
        rows: &[Vec<String>],
        none: &str,
    ) -> Result<(), Problem> {
        if rows.is_empty() {
            return self.line(none);
        }
        for line in columns(heads, rows) {
            self.line(line)?;
        }
        Ok(())
    }

    /// Bytes as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.out.write_all(bytes).map_err(Problem::stdout)
    }

    /// Everything is printed.
    pub(super) fn finish(&mut self) -> Result<(), Problem> {
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Problem> {
        self.out.flush().map_err(Problem::stdout)
    }

    /// A remark on stderr, unless people want none.
    pub(super) fn remark(&self, text: impl fmt::Display) {
        if !self.quiet && !self.json {
            complain(&clean(&text.to_string()));
        }
    }

    /// A progress bar on a terminal; elsewhere one that draws nothing.
    pub(super) fn progress(&self, what: &str, bytes: Option<u64>) -> ProgressBar {
        let small = bytes.is_some_and(|bytes| bytes < PROGRESS_FROM_BYTES);
        if self.quiet || self.json || small || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let (bar, template) = match bytes {
            Some(bytes) => (
                ProgressBar::new(bytes),
                "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            ),
            None => (ProgressBar::new_spinner(), "{spinner} {msg} {bytes} {elapsed}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(clean(what));
        bar
    }
}

/// Writes to stderr; nobody can be told if that fails.
pub(super) fn complain(text: &str) {
    let mut stderr = io::stderr().lock();
    let _unheard = writeln!(stderr, "{text}");
}

/// Without characters that steer a terminal or turn what stands beside them around.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c }).collect()
}

/// The same for a text whose line breaks are meant; every line but the first begins with `indent`.
pub(super) fn clean_lines(text: &str, indent: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(clean).collect();
    lines.join(&format!("\n{indent}"))
}

/// Marks of the writing direction, which a name may carry along.
fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// JSON as it may reach a terminal: `serde_json` escapes only what is below a space.
pub(super) fn clean_json(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        // The breaks of a pretty text stay: within a string they are escaped already.
        if c != '\n' && (c.is_control() || turns(c)) {
            clean.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            clean.push(c);
        }
    }
    clean
}

/// An instant as people read it.
pub(super) fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// The same, or nothing.
pub(super) fn when_any(at: Option<Timestamp>) -> String {
    at.map(when).unwrap_or_default()
}

/// A size as people read it.
pub(super) fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

fn columns(heads: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let cell = |row: &Vec<String>, column: usize| {
        row.get(column).map(|text| clean(text)).unwrap_or_default()
    };
    let shapes: Vec<(usize, bool)> = heads
        .iter()
        .enumerate()
        .map(|(column, head)| {
            let cells = || rows.iter().map(|row| cell(row, column));
            let width = cells().map(|text| text.chars().count()).max().unwrap_or(0);
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            (width.max(head.chars().count()), cells().all(|text| digits(&text)))
        })
        .collect();
    let join = |texts: Vec<String>| {
        let mut line = String::new();
        for (text, (width, number)) in texts.iter().zip(&shapes) {
            let pad = " ".repeat(width.saturating_sub(text.chars().count()));
            let (before, after) = if *number { (pad.as_str(), "") } else { ("", pad.as_str()) };
            for part in [before, text, after, "  "] {
                line.push_str(part);
            }
        }
        line.trim_end().to_owned()
    };
    let mut lines = vec![join(heads.iter().map(|head| (*head).to_owned()).collect())];
    lines.extend(
        rows.iter().map(|row| join((0..heads.len()).map(|column| cell(row, column)).collect())),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audit_29_nothing_printed_steers_a_terminal() {
        assert_eq!(
            clean("a\u{1b}[2Jb\u{9b}31m\u{202e}c\n"),
            "a\u{fffd}[2Jb\u{fffd}31m\u{fffd}c\u{fffd}"
        );
        assert_eq!(clean_lines("a\u{1b}\nb\r", "  "), "a\u{fffd}\n  b\u{fffd}");
        let text = serde_json::to_string_pretty(&["\u{9b}31m\u{202e}\u{7f}\u{1b}ü\n"]).unwrap();
        let clean = clean_json(&text);
        assert!(clean.chars().all(|c| c == '\n' || !(c.is_control() || turns(c))), "{clean:?}");
        let read: Vec<String> = serde_json::from_str(&clean).unwrap();
        assert_eq!(read, ["\u{9b}31m\u{202e}\u{7f}\u{1b}ü\n"]);
    }

    #[test]
    fn columns_are_aligned_and_numbers_to_the_right() {
        let rows = [["eu", "5", "a\x1b[31m"], ["na_1", "120", ""]]
            .map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(
            columns(&["ACCOUNT", "DONE", "NOTE"], &rows),
            ["ACCOUNT  DONE  NOTE", "eu          5  a\u{fffd}[31m", "na_1      120"]
        );
    }
}
