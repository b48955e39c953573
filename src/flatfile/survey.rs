//! The first pass: reads a document to its very last byte and decides what belongs to the whole.
//!
//! Charset, report, columns, decimal mark, where each order's rows are. Holds no row: memory is one
//! buffer and the order index. A document that survives the survey can be read; what is still wrong
//! in it is wrong in single rows.

use std::io::Read;

use crate::model::{Family, FileNotice, Marketplace};

use super::charset::{Charset, Evidence};
use super::error::{DocumentError, MAX_ROWS};
use super::header::Header;
use super::index::{OPEN_BYTES, OrderIndex, RowEnds};
use super::layout::{Layout, LineKind};
use super::lines::Lines;
use super::marks::{Marks, SAMPLE_ROWS};
use super::value::Notation;

/// What is known of a document from outside it. It only breaks ties.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// The charset that the sidecar or a `Content-Type` names.
    pub charset: Option<String>,
    /// The marketplace that the sidecar names.
    pub marketplace: Option<Marketplace>,
}

/// What the first pass found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Survey {
    /// The report's family.
    pub family: Family,
    /// The charset that the document is read in.
    pub charset: Charset,
    /// How its amounts are written.
    pub notation: Notation,
    /// Data rows, refused ones included; blank lines and repeated headers not.
    pub rows: u64,
    /// Blank lines.
    pub blank_lines: u64,
    /// Orders with at least one row whose order id can be read.
    pub orders: u64,
    /// How often [`super::facts()`] must read the document: 1, but for documents in which the rows of
    /// very many orders are mixed. Each sweep hands out other orders; together, each order once.
    pub sweeps: u32,
    /// The document's size.
    pub bytes: u64,
    /// What is worth saying about the document as a whole.
    pub notices: Vec<Notice>,
    pub(super) layout: Layout,
    pub(super) ends: RowEnds,
}

/// The most unknown columns that are named.
const NAMED_COLUMNS: usize = 50;

/// Something odd that refuses nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Columns that this report did not have when this program was written. They are ignored.
    UnknownColumns {
        /// Their names, where they can be shown, else their numbers; the first of them.
        names: Vec<String>,
        /// How many more.
        more: usize,
    },
    /// The header stands in the document more than once: reports were pasted together.
    RepeatedHeader {
        /// How often besides the first.
        times: u64,
        /// The first repetition.
        line: u64,
    },
    /// Lines that are not text in the charset of the others. Their orders are held if an order
    /// stands there.
    BrokenText {
        /// How many.
        lines: u64,
    },
    /// Words that are not known in a column that decides about release, tax or marketplace. The
    /// orders are held.
    UnknownWords {
        /// The column's usual name.
        column: &'static str,
        /// In how many rows.
        rows: u64,
        /// The first of them.
        line: u64,
    },
    /// Money in a column that is not known. The orders are held.
    UnknownAmounts {
        /// The column, as the header spells it.
        column: String,
        /// In how many rows.
        rows: u64,
        /// The first of them.
        line: u64,
    },
    /// Money in a column that is known and not used.
    AmountsLeftOut {
        /// The column, as the header spells it.
        column: String,
        /// In how many rows.
        rows: u64,
        /// The first of them.
        line: u64,
        /// Why.
        reason: &'static str,
    },
    /// Cells with digits in a column of money that is not known or not used, which do not look like an
    /// amount: dates, codes, rates. They are not used.
    UnreadAmounts {
        /// The column, as the header spells it.
        column: String,
        /// In how many rows.
        rows: u64,
        /// The first of them.
        line: u64,
    },
    /// Order-item ids that are too short: a spreadsheet cut their zeros, which are put back.
    CutIds {
        /// In how many rows.
        rows: u64,
        /// The first of them.
        line: u64,
    },
}

impl Notice {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownColumns { .. } => "columns-unknown",
            Self::RepeatedHeader { .. } => "header-repeated",
            Self::BrokenText { .. } => "text-broken",
            Self::UnknownWords { .. } => "words-unknown",
            Self::UnknownAmounts { .. } => "amounts-unknown",
            Self::AmountsLeftOut { .. } => "amounts-left-out",
            Self::UnreadAmounts { .. } => "amounts-unread",
            Self::CutIds { .. } => "ids-cut",
        }
    }

    /// Money may be missing in Odoo because of it, and no hold says so.
    pub fn costs_money(&self) -> bool {
        match self {
            Self::AmountsLeftOut { .. } => true,
            Self::UnknownColumns { .. }
            | Self::RepeatedHeader { .. }
            | Self::BrokenText { .. }
            | Self::UnknownWords { .. }
            | Self::UnknownAmounts { .. }
            | Self::UnreadAmounts { .. }
            | Self::CutIds { .. } => false,
        }
    }
}

impl From<&Notice> for FileNotice {
    fn from(notice: &Notice) -> Self {
        Self {
            code: notice.code().to_owned(),
            text: notice.to_string(),
            costs_money: notice.costs_money(),
        }
    }
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownColumns { names, more } => {
                let names = names.join(", ");
                write!(f, "columns that are not known and are ignored: {names}")?;
                if *more > 0 { write!(f, " and {more} more") } else { Ok(()) }
            }
            Self::RepeatedHeader { times, line } => {
                write!(f, "the header is repeated {times} times, first in line {line}")
            }
            Self::BrokenText { lines } => {
                write!(f, "{lines} lines are not text in the charset of the others")
            }
            Self::UnknownWords { column, rows, line } => {
                write!(
                    f,
                    "{rows} rows have an unknown {column}, first in line {line}: their orders are held"
                )
            }
            Self::UnknownAmounts { column, rows, line } => {
                write!(
                    f,
                    "{rows} rows have an amount in the column {column}, which is not known, first in line \
                     {line}: their orders are held"
                )
            }
            Self::AmountsLeftOut { column, rows, line, reason } => {
                write!(
                    f,
                    "{rows} rows have an amount in the column {column}, which is not used, first in line \
                     {line}: {reason}"
                )
            }
            Self::UnreadAmounts { column, rows, line } => {
                write!(
                    f,
                    "{rows} rows have digits in the column {column} that do not look like an amount, first \
                     in line {line}: they are not used"
                )
            }
            Self::CutIds { rows, line } => {
                write!(
                    f,
                    "{rows} rows have an order-item-id that is too short, first in line {line}: a spreadsheet \
                     cut zeros there, and perhaps in postal codes and SKUs, too"
                )
            }
        }
    }
}

/// Reads a document to its last byte and decides what belongs to the whole of it.
pub fn survey<R: Read>(document: R, hints: &Hints) -> Result<Survey, DocumentError> {
    survey_within(document, hints, OPEN_BYTES)
}

/// As [`survey()`], with another budget for orders that wait for their last row.
pub(super) fn survey_within<R: Read>(
    document: R,
    hints: &Hints,
    open_bytes: u64,
) -> Result<Survey, DocumentError> {
    let mut lines = Lines::new(document)?;
    let mut evidence = Evidence::default();
    let mut blank_lines = 0_u64;
    let header = loop {
        let Some(line) = lines.next_line()? else { return Err(DocumentError::Empty) };
        if line.bytes.trim_ascii().is_empty() {
            blank_lines += 1;
            continue;
        }
        evidence.observe(line.bytes, line.number, line.offset);
        break Header::parse(line.bytes, line.number)?;
    };
    let layout = Layout::new(header)?;
    lines.set_columns(layout.header.width());

    let mut marks = Marks::default();
    let mut index = OrderIndex::new();
    let mut repeated = Repeated::default();
    let mut row = 0_u32;
    // The row before, as long as the line at hand can be the rest of it.
    let mut before = None;
    while let Some(line) = lines.next_line()? {
        match layout.kind(line.bytes) {
            LineKind::Row => {}
            LineKind::Blank => {
                blank_lines += 1;
                continue;
            }
            LineKind::HeaderAgain => {
                before = None;
                repeated.note(line.number);
                continue;
            }
            LineKind::OtherHeader => {
                return Err(DocumentError::HeaderChanges { line: line.number });
            }
        }
        if row == MAX_ROWS {
            return Err(DocumentError::TooManyRows);
        }
        row += 1;
        evidence.observe(line.bytes, line.number, line.offset);
        if let Some(id) = layout.order_id(line.bytes) {
            index.add(id, row);
            before = Some(row);
        } else if !layout.is_short(line.bytes) {
            before = None;
        } else if let Some(torn) = before.take() {
            index.tear(torn);
        }
        let sampled = u64::from(row) <= SAMPLE_ROWS || memchr::memchr(b',', line.bytes).is_some();
        if sampled && !layout.amounts.is_empty() {
            for (position, cell) in layout.amounts(line.bytes) {
                marks.observe(cell, line.number, position);
            }
        }
    }

    let japan = hints.marketplace.is_some_and(|marketplace| marketplace.country() == "JP");
    let charset = evidence.decide(lines.has_bom(), hints.charset.as_deref(), japan)?;
    let notation = marks.decide(&layout.header)?;
    let mut notices = Vec::new();
    if !layout.unknown_columns.is_empty() {
        let columns = &layout.unknown_columns;
        let names = columns.iter().take(NAMED_COLUMNS).map(|col| layout.header.shown(*col));
        let more = columns.len().saturating_sub(NAMED_COLUMNS);
        notices.push(Notice::UnknownColumns { names: names.collect(), more });
    }
    if repeated.times > 0 {
        notices.push(Notice::RepeatedHeader { times: repeated.times, line: repeated.first });
    }
    let broken = evidence.undecodable(charset);
    if broken > 0 {
        notices.push(Notice::BrokenText { lines: broken });
    }
    let bytes = lines.bytes_read();
    let (orders, sweeps, ends) = index.seal(row, bytes / u64::from(row.max(1)), open_bytes);
    Ok(Survey {
        family: layout.family,
        charset,
        notation,
        rows: u64::from(row),
        blank_lines,
        orders,
        sweeps,
        bytes,
        notices,
        layout,
        ends,
    })
}

/// How often something was seen, and where first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Repeated {
    pub times: u64,
    pub first: u64,
}

impl Repeated {
    pub(super) fn note(&mut self, line: u64) {
        if self.times == 0 {
            self.first = line;
        }
        self.times += 1;
    }
}
