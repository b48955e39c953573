//! One row in the second pass: its cells as text and as values.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::str::FromStr;

use jiff::Timestamp;
use memchr::memchr_iter;
use rust_decimal::Decimal;

use crate::model::ids::is_spreadsheet_damage;
use crate::model::{Currency, IdError, IdGrammar, OrderItemId, RowFault};

use super::charset::Charset;
use super::fault::{Fault, Why};
use super::header::{Col, Header};
use super::lines::Line;
use super::money::MoneyCell;
use super::value::{self, Notation};

/// The longest cell that is believed: no column of an order report holds more.
const MAX_CELL_BYTES: usize = 8 * 1024;

/// One row.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// Its line.
    pub line: u64,
    text: Cow<'a, str>,
    /// Where each cell ends in `text`.
    ends: &'a [usize],
    notation: Notation,
}

impl<'a> Row<'a> {
    /// Takes a line apart; `ends` is the buffer for where its cells end.
    pub(super) fn new(
        line: &Line<'a>,
        charset: Charset,
        header: &Header,
        notation: Notation,
        ends: &'a mut Vec<usize>,
    ) -> Result<Self, Fault> {
        let text = charset.decode(line.bytes).ok_or_else(|| undecodable(line.bytes, charset))?;
        let text = if header.quoted() { Cow::Owned(without_quotes(&text)?) } else { text };
        ends.clear();
        ends.extend(memchr_iter(b'\t', text.as_bytes()));
        ends.push(text.len());
        if line.stray_cr {
            return Err(Fault { col: Col::NONE, why: Why::CarriageReturn });
        }
        match ends.len().cmp(&header.width()) {
            Ordering::Less => return Err(Fault { col: Col::NONE, why: Why::Short }),
            Ordering::Equal => {}
            Ordering::Greater => return Err(Fault { col: Col::NONE, why: Why::Cells }),
        }
        Ok(Self { line: line.number, text, ends, notation })
    }

    /// The cell without its surrounding spaces; empty where the row or the report has none.
    fn cell(&self, col: Col) -> &str {
        let position = col.position();
        let Some(&end) = self.ends.get(position) else { return "" };
        let start = match position.checked_sub(1) {
            Some(before) => self.ends.get(before).map_or(0, |tab| tab + 1),
            None => 0,
        };
        let cell = self.text.get(start..end).unwrap_or_default();
        match cell.as_bytes() {
            // The common case, told without decoding characters.
            [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => cell,
            [] => cell,
            _ => cell.trim(),
        }
    }

    /// The cell's text.
    pub(super) fn text(&self, col: Col) -> Result<&str, Fault> {
        let text = self.cell(col);
        if text.len() > MAX_CELL_BYTES { Err(Fault { col, why: Why::Long }) } else { Ok(text) }
    }

    /// An identifier; must not be empty.
    pub(super) fn id<T: FromStr<Err = IdError>>(&self, col: Col) -> Result<T, Fault> {
        self.cell(col).parse().map_err(|error: IdError| Fault { col, why: error.into() })
    }

    /// An order-item id, or none; and whether a spreadsheet cut its zeros.
    pub(super) fn item_id(
        &self,
        grammar: IdGrammar,
        col: Col,
    ) -> Result<Option<(OrderItemId, bool)>, Fault> {
        match self.cell(col) {
            "" => Ok(None),
            text => {
                grammar.item_id(text).map(Some).map_err(|error| Fault { col, why: error.into() })
            }
        }
    }

    /// An identifier that is not used must not show damage either: the row is no longer Amazon's.
    pub(super) fn undamaged(&self, col: Col) -> Result<(), Fault> {
        let text = self.cell(col);
        let cut = (5..10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if cut || is_spreadsheet_damage(text) {
            return Err(Fault { col, why: Why::Spreadsheet });
        }
        Ok(())
    }

    /// An amount, or none.
    pub(super) fn amount(&self, col: Col) -> Result<Option<Decimal>, Fault> {
        let text = self.cell(col);
        if text.is_empty() {
            return Ok(None);
        }
        self.notation.amount(text).map(Some).ok_or_else(|| damaged(text, col, Why::Number))
    }

    /// What the cell of a column holds that should be money and is not known.
    pub(super) fn money(&self, col: Col) -> MoneyCell<'_> {
        MoneyCell::of(self.cell(col), self.notation)
    }

    /// A number of units, or none.
    pub(super) fn units(&self, col: Col) -> Result<Option<u32>, Fault> {
        let text = self.cell(col);
        if text.is_empty() {
            return Ok(None);
        }
        value::units(text).map(Some).ok_or_else(|| damaged(text, col, Why::Quantity))
    }

    /// A time, or none.
    pub(super) fn instant(&self, col: Col) -> Result<Option<Timestamp>, Fault> {
        let text = self.cell(col);
        if text.is_empty() {
            return Ok(None);
        }
        value::instant(text).map(Some).ok_or_else(|| damaged(text, col, Why::Date))
    }

    /// A time that must be there.
    pub(super) fn needed_instant(&self, col: Col) -> Result<Timestamp, Fault> {
        self.instant(col)?.ok_or(Fault { col, why: Why::Empty })
    }

    /// A flag; empty is false.
    pub(super) fn flag(&self, col: Col) -> Result<bool, Fault> {
        value::flag(self.cell(col)).ok_or(Fault { col, why: Why::Flag })
    }

    /// A currency, or none.
    pub(super) fn currency(&self, col: Col) -> Result<Option<Currency>, Fault> {
        let text = self.cell(col);
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| Fault { col, why: Why::Currency })
    }
}

/// Why a cell has no value: a spreadsheet is named where one did it.
fn damaged(text: &str, col: Col, why: Why) -> Fault {
    let why = if is_spreadsheet_damage(text) { Why::SpreadsheetValue } else { why };
    Fault { col, why }
}

/// The fault as it is kept.
pub(super) fn row_fault(fault: Fault, line: u64, header: &Header) -> RowFault {
    RowFault {
        line,
        column: header.shown(fault.col),
        code: fault.why.code().to_owned(),
        message: fault.why.message().to_owned(),
    }
}

/// Names the first cell that is no text.
fn undecodable(bytes: &[u8], charset: Charset) -> Fault {
    let bad = bytes.split(|&b| b == b'\t').position(|cell| charset.decode(cell).is_none());
    Fault { col: bad.map_or(Col::NONE, Col::at), why: Why::Charset }
}

/// A quoted row, its cells without quotes and doubled quotes as one. Cells without quotes stay.
fn without_quotes(text: &str) -> Result<String, Fault> {
    let mut plain = String::with_capacity(text.len());
    for (position, cell) in text.split('\t').enumerate() {
        if position > 0 {
            plain.push('\t');
        }
        let trimmed = cell.trim();
        let Some(opened) = trimmed.strip_prefix('"') else {
            plain.push_str(cell);
            continue;
        };
        let inner = opened.strip_suffix('"');
        let Some(inner) = inner.filter(|inner| inner.matches('"').count() % 2 == 0) else {
            return Err(Fault { col: Col::at(position), why: Why::Quote });
        };
        plain.push_str(&inner.replace("\"\"", "\""));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_row<T>(
        header: &str,
        bytes: &[u8],
        stray_cr: bool,
        test: impl FnOnce(Result<Row<'_>, Fault>, &Header) -> T,
    ) -> T {
        let header = Header::parse(header.as_bytes(), 1).unwrap();
        let mut ends = Vec::new();
        let line = Line { number: 2, offset: 9, bytes, stray_cr };
        test(Row::new(&line, Charset::Utf8, &header, Notation::PLAIN, &mut ends), &header)
    }

    #[test]
    fn cells_are_trimmed_and_columns_that_are_missing_are_empty() {
        with_row("a\tb\tc", "\t x y \t62.31    ".as_bytes(), false, |row, _| {
            let row = row.unwrap();
            assert_eq!(
                (0..4).map(|i| row.cell(Col::at(i))).collect::<Vec<_>>(),
                ["", "x y", "62.31", ""]
            );
            assert_eq!(row.amount(Col::at(2)).unwrap(), Some("62.31".parse().unwrap()));
            assert_eq!(row.cell(Col::NONE), "");
        });
    }

    #[test]
    fn what_makes_a_whole_row_unreadable() {
        let why = |header, bytes, stray| {
            with_row(header, bytes, stray, |row, h| row.map(|_| ()).map_err(|f| row_fault(f, 2, h)))
        };
        assert_eq!(why("a\tb", b"1\t2\t", false).unwrap_err().code, "row-cells");
        assert_eq!(why("a\tb", b"1", false).unwrap_err().code, "row-cells");
        assert_eq!(why("a\tb", b"1\r\t2", true).unwrap_err().code, "row-line-end");
        let fault = why("a\tb", b"1\t\xFF", false).unwrap_err();
        assert_eq!(
            (fault.code.as_str(), fault.column.as_str(), fault.line),
            ("row-charset", "b", 2)
        );
        let fault = why("\"a\"\t\"b\"", b"\"1\"\t\"2", false).unwrap_err();
        assert_eq!((fault.code.as_str(), fault.column.as_str()), ("row-quote", "b"));
    }

    #[test]
    fn quoted_mode_undoubles_and_literal_mode_does_not() {
        with_row("\"a\"\t\"b\"\t\"c\"", b"\"x \"\"y\"\"\"\t2\t\"\"", false, |row, _| {
            let row = row.unwrap();
            assert_eq!(
                (0..3).map(|i| row.cell(Col::at(i))).collect::<Vec<_>>(),
                ["x \"y\"", "2", ""]
            );
        });
        with_row("a\tb", b"(3\" x 1.5\")\t\"never closed", false, |row, _| {
            let row = row.unwrap();
            assert_eq!(row.cell(Col::at(0)), "(3\" x 1.5\")");
            assert_eq!(row.cell(Col::at(1)), "\"never closed");
        });
    }
}
