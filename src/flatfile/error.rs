//! Why a document is refused as a whole.
//!
//! Every variant has a code, a position where there is one, and a next step; together they become
//! the reason file beside a rejected file. None ever carries the content of a cell: the names in
//! them are ours, not the file's.

use std::io;

use crate::model::{Family, Refusal};

/// The longest line that is read, in bytes.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;

/// The most rows that one document may have.
pub const MAX_ROWS: u32 = 100_000_000;

/// Why a document is refused as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The document could not be read to its end: the disk failed, or the envelope's last check
    /// did. The source says which; the operator does what that one says.
    #[error("the document could not be read to its end")]
    Read(#[source] io::Error),
    /// Not one byte, or blank lines only. The dropper wrote the file before it had the report.
    #[error("the document is empty: not even a header line")]
    Empty,
    /// A spreadsheet's "Unicode text": UTF-16 or UTF-32, recognised by its byte order mark.
    #[error("the document is {0}; Amazon sends UTF-8, windows-1252 or windows-31j")]
    Utf16(&'static str),
    /// A byte that none of the three charsets has. The file was damaged or re-saved.
    #[error(
        "line {line}: byte {offset} of the document belongs to none of UTF-8, windows-31j and windows-1252"
    )]
    Charset {
        /// The line.
        line: u64,
        /// The byte's place in the document, 0 being the first.
        offset: u64,
    },
    /// The text is not UTF-8 and the sidecar names a charset that is not read here.
    #[error("line {line}: the text is not UTF-8, and the sidecar names a charset that is not read")]
    DeclaredCharset {
        /// The first line that is not UTF-8.
        line: u64,
    },
    /// A NUL byte: UTF-16 without its mark, or a file with a hole. Download it again.
    #[error("line {line}: a NUL byte: this is not text")]
    Nul {
        /// The line.
        line: u64,
    },
    /// A line longer than [`MAX_LINE_BYTES`]: line ends were lost, or it is no report.
    #[error("line {line}: longer than {MAX_LINE_BYTES} bytes")]
    LineTooLong {
        /// The line.
        line: u64,
    },
    /// More rows than [`MAX_ROWS`]. Ask for shorter periods.
    #[error("more than {MAX_ROWS} rows")]
    TooManyRows,
    /// Line 1 has no tab, but commas or semicolons: exported by a spreadsheet, or another report.
    #[error("line {line}: the cells are separated by {separator}, not by tabs")]
    Separator {
        /// The header's line.
        line: u64,
        /// What separates them.
        separator: &'static str,
    },
    /// A report of Amazon's that is known by name but not read yet.
    #[error("line {line}: this is {what}: not supported yet")]
    OtherReport {
        /// The header's line.
        line: u64,
        /// Its name.
        what: &'static str,
    },
    /// The header fits no report. Lists what the nearest family lacks to be recognised.
    #[error("line {line}: the header belongs to no known report{}", nearest(*.family, .missing))]
    UnknownHeader {
        /// The header's line.
        line: u64,
        /// The family that it resembles most, if any.
        family: Option<Family>,
        /// The columns it would need to be taken for that family.
        missing: Vec<&'static str>,
    },
    /// The report is known, but columns that an order cannot do without are not there.
    #[error("line {line}: the {} report lacks the columns {}", .family.name(), .missing.join(", "))]
    MissingColumns {
        /// The header's line.
        line: u64,
        /// The report's family.
        family: Family,
        /// What is missing.
        missing: Vec<&'static str>,
    },
    /// More columns than any report has.
    #[error("line {line}: the header has more columns than any report")]
    TooManyColumns {
        /// The header's line.
        line: u64,
    },
    /// The document is no text at all: an archive, a workbook, a PDF, a page of the Web.
    #[error("the document is {0}, not a report")]
    OtherFormat(&'static str),
    /// One line of words that says that there is nothing to report.
    #[error("line {line}: the document says that there is no data; it has no header and no rows")]
    NoData {
        /// The line.
        line: u64,
    },
    /// A column that is needed stands in the header twice: which one counts cannot be known.
    #[error("line {line}: the column {column} stands in the header twice")]
    DuplicateColumn {
        /// The header's line.
        line: u64,
        /// The column.
        column: &'static str,
    },
    /// A second, different header inside the document: two reports were pasted together.
    #[error("line {line}: a second header with other columns")]
    HeaderChanges {
        /// The second header's line.
        line: u64,
    },
    /// Amounts such as `1,234` and nothing in the file that says whether that is a fraction.
    #[error(
        "line {line}, column {column}: this amount can be read in two ways, and no other amount of the file decides which"
    )]
    DecimalMarkUnclear {
        /// The first such line.
        line: u64,
        /// Its column.
        column: String,
    },
    /// As many amounts with a decimal comma as with a decimal point.
    #[error(
        "line {line}, column {column}: decimal commas and decimal points in one file, neither prevails"
    )]
    DecimalMarkMixed {
        /// The first amount that contradicts the ones before it.
        line: u64,
        /// Its column.
        column: String,
    },
    /// The document that was read second is not the one that was surveyed.
    #[error("the document changed between two readings")]
    Changed,
}

impl DocumentError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read(_) => "document-read",
            Self::Empty => "document-empty",
            Self::Utf16(_) => "document-utf16",
            Self::Charset { .. } | Self::DeclaredCharset { .. } => "document-charset",
            Self::Nul { .. } => "document-nul",
            Self::LineTooLong { .. } => "document-line-long",
            Self::TooManyRows => "document-rows",
            Self::Separator { .. } => "header-separator",
            Self::OtherReport { .. } => "header-other-report",
            Self::UnknownHeader { .. } => "header-unknown",
            Self::MissingColumns { .. } => "header-missing-columns",
            Self::TooManyColumns { .. } => "header-columns",
            Self::OtherFormat(_) => "document-format",
            Self::NoData { .. } => "document-no-data",
            Self::DuplicateColumn { .. } => "header-duplicate-column",
            Self::HeaderChanges { .. } => "header-changes",
            Self::DecimalMarkUnclear { .. } | Self::DecimalMarkMixed { .. } => "decimal-mark",
            Self::Changed => "document-changed",
        }
    }

    /// The line to look at, 1 being the document's first.
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::Charset { line, .. }
            | Self::DeclaredCharset { line }
            | Self::Nul { line }
            | Self::LineTooLong { line }
            | Self::Separator { line, .. }
            | Self::OtherReport { line, .. }
            | Self::UnknownHeader { line, .. }
            | Self::MissingColumns { line, .. }
            | Self::TooManyColumns { line }
            | Self::NoData { line }
            | Self::DuplicateColumn { line, .. }
            | Self::HeaderChanges { line }
            | Self::DecimalMarkUnclear { line, .. }
            | Self::DecimalMarkMixed { line, .. } => Some(*line),
            Self::Read(_)
            | Self::Empty
            | Self::Utf16(_)
            | Self::OtherFormat(_)
            | Self::TooManyRows
            | Self::Changed => None,
        }
    }

    /// The column to look at, as the header spells it.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::DuplicateColumn { column, .. } => Some(column),
            Self::DecimalMarkUnclear { column, .. } | Self::DecimalMarkMixed { column, .. } => {
                Some(column)
            }
            _ => None,
        }
    }

    /// What to do next.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Read(_) => "look at the cause given with this error, then drop the file again",
            Self::Empty => "download the report again; no data is a header line without rows",
            Self::Utf16(_) => "drop the file as Amazon sent it, not re-saved by a spreadsheet",
            Self::Charset { .. } | Self::Nul { .. } | Self::LineTooLong { .. } => {
                "download the report again and drop it unchanged"
            }
            Self::DeclaredCharset { .. } => {
                "name UTF-8, windows-1252 or windows-31j in the sidecar, or leave the charset out"
            }
            Self::OtherFormat(_) => {
                "unpack it first: drop the report itself, the tab-separated text as Amazon sent it"
            }
            Self::NoData { .. } => {
                "nothing, if there were no orders in that period; else request the report again"
            }
            Self::TooManyRows => "request the report for shorter periods",
            Self::Separator { .. } => {
                "drop the tab-separated report as Amazon sent it, not exported by a spreadsheet"
            }
            Self::OtherReport { .. } => {
                "drop an All Orders, unshipped orders or order report; this one is left as it is"
            }
            Self::UnknownHeader { .. } | Self::TooManyColumns { .. } => {
                "check that the file is an order report with its header in line 1"
            }
            Self::MissingColumns { .. } => {
                "switch these columns on in Seller Central's report settings, and request it again"
            }
            Self::DuplicateColumn { .. } => "download the report again; a header must be unique",
            Self::HeaderChanges { .. } => "split the file: one report, one header",
            Self::DecimalMarkUnclear { .. } | Self::DecimalMarkMixed { .. } => {
                "drop the report as Amazon sent it; a longer period gives amounts that decide"
            }
            Self::Changed => "check the disk, then drop the report again as Amazon sent it",
        }
    }

    /// The refusal as it is kept and written beside the file.
    pub fn refusal(&self) -> Refusal {
        Refusal {
            code: self.code().to_owned(),
            sentence: self.to_string(),
            line: self.line(),
            column: self.column().map(str::to_owned),
            next_step: self.next_step().to_owned(),
        }
    }
}

fn nearest(family: Option<Family>, missing: &[&str]) -> String {
    match family {
        Some(family) => {
            format!("; for the {} report it lacks {}", family.name(), missing.join(", "))
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_where_and_what_next() {
        let error = DocumentError::MissingColumns {
            line: 1,
            family: Family::AllOrders,
            missing: vec!["sku", "quantity"],
        };
        let refusal = error.refusal();
        assert_eq!(refusal.code, "header-missing-columns");
        assert_eq!(
            refusal.sentence,
            "line 1: the all-orders report lacks the columns sku, quantity"
        );
        assert_eq!(refusal.line, Some(1));
        assert!(!refusal.next_step.is_empty());
        let unknown = DocumentError::UnknownHeader { line: 1, family: None, missing: vec![] };
        assert_eq!(unknown.to_string(), "line 1: the header belongs to no known report");
    }
}
