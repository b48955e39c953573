//! What the header says of the whole document: which report it is, and where its columns are.

use jiff::Timestamp;
use memchr::memchr_iter;

use crate::model::{Family, IdGrammar};

use super::error::DocumentError;
use super::header::{Col, Header, Picker, unquoted};
use super::reports::{self, Report, Treatment};
use super::value::instant;

/// What the name of a column of money holds.
pub(super) const MONEY: &[&str] = &["price", "tax", "discount", "fee", "charge", "amount"];

/// Parts of the names of columns that say which person or company pays a tax: the number in such a
/// column belongs to the buyer and is no amount.
const TAX_PAYER: &[&str] = &["taxid", "taxnumber", "taxregistration", "taxoffice", "taxpayer"];

/// A recognised report with its columns found.
#[derive(Debug)]
pub(super) struct Layout {
    pub header: Header,
    pub family: Family,
    pub report: Box<dyn Report>,
    pub order_id: Col,
    /// Columns of amounts, by position.
    pub amounts: Vec<Col>,
    /// Columns that no version of this report had when this was written.
    pub unknown_columns: Vec<Col>,
    /// Columns of money that no order's total has.
    pub money: Vec<Money>,
    /// How new a row is; [`Col::NONE`] where the report does not say.
    version: Col,
    grammar: IdGrammar,
}

/// A column of money that no order's total has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Money {
    pub col: Col,
    /// Why it is left out; none where that is not known, and the order must wait.
    pub left_out: Option<&'static str>,
}

/// What a line of the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineKind {
    /// Nothing but spaces, tabs and marks for the end of a text.
    Blank,
    /// The header once more.
    HeaderAgain,
    /// A header with other columns.
    OtherHeader,
    /// A row.
    Row,
}

impl Layout {
    /// Recognises the report and finds its columns.
    pub(super) fn new(header: Header) -> Result<Self, DocumentError> {
        let kind = reports::recognise(&header)?;
        let mut picker = Picker::new(&header);
        let report = (kind.plan)(&mut picker);
        let (order_id, amounts) = picker.finish(kind.family)?;
        let mut unknown_columns = header.unknown(kind.known);
        let mut money = Vec::new();
        for unused in kind.unused {
            let Some(col) = header.find(unused.name) else { continue };
            unknown_columns.retain(|unknown| *unknown != col);
            if unused.treatment == Treatment::Notice {
                money.push(Money { col, left_out: Some(unused.reason) });
            }
        }
        let is_money =
            |col: &Col| header.mentions(*col, MONEY) && !header.mentions(*col, TAX_PAYER);
        let unknown = unknown_columns.iter().copied().filter(is_money);
        money.extend(unknown.map(|col| Money { col, left_out: None }));
        let version = kind.version.and_then(|name| header.find(name)).unwrap_or(Col::NONE);
        Ok(Self {
            header,
            family: kind.family,
            report,
            order_id,
            amounts,
            unknown_columns,
            money,
            version,
            grammar: kind.grammar,
        })
    }

    /// What a line of the body is.
    pub(super) fn kind(&self, line: &[u8]) -> LineKind {
        match line.first() {
            None => return LineKind::Blank,
            // 0x1A: the mark of DOS for the end of a text.
            Some(b' ' | b'\t' | 0x1A) if line.iter().all(|b| matches!(b, b' ' | b'\t' | 0x1A)) => {
                return LineKind::Blank;
            }
            Some(_) => {}
        }
        if !self.header.repeats(self.order_id, nth_cell(line, self.order_id.position())) {
            return LineKind::Row;
        }
        if line.trim_ascii_end() == self.header.bytes().trim_ascii_end() {
            LineKind::HeaderAgain
        } else {
            LineKind::OtherHeader
        }
    }

    /// The cell in the column of the order id.
    pub(super) fn order_id_cell<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        let cell = nth_cell(line, self.order_id.position());
        if self.header.quoted() { unquoted(cell) } else { cell }
    }

    /// The row's order id, if it is one.
    pub(super) fn order_id<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        Some(self.order_id_cell(line)).filter(|id| self.grammar.is_order_id(id))
    }

    /// Whether a line has fewer cells than the header: it is a piece of a row.
    pub(super) fn is_short(&self, line: &[u8]) -> bool {
        memchr_iter(b'\t', line).count() + 1 < self.header.width()
    }

    /// How new a row is that cannot be read as a whole, if that cell was not touched: the row has no
    /// more cells than the header, so that nothing moved the first of them, and goes on behind it.
    pub(super) fn version(&self, line: &[u8]) -> Option<Timestamp> {
        let cells = memchr_iter(b'\t', line).count() + 1;
        let place = self.version.position();
        if cells > self.header.width() || place.checked_add(1)? >= cells {
            return None;
        }
        let cell = nth_cell(line, place);
        let cell = if self.header.quoted() { unquoted(cell) } else { cell };
        instant(std::str::from_utf8(cell).ok()?)
    }

    /// The amounts of a row, with the positions of their columns.
    pub(super) fn amounts<'l>(&'l self, line: &'l [u8]) -> impl Iterator<Item = (usize, &'l [u8])> {
        let quoted = self.header.quoted();
        let mut start = 0;
        let mut ends = memchr_iter(b'\t', line).chain([line.len()]).enumerate();
        self.amounts.iter().filter_map(move |col| {
            let wanted = col.position();
            loop {
                let (position, end) = ends.next()?;
                let cell = line.get(start..end)?;
                start = end + 1;
                if position == wanted {
                    let cell = cell.trim_ascii();
                    return Some((position, if quoted { unquoted(cell) } else { cell }));
                }
            }
        })
    }
}

/// The cell at a position, without its surrounding spaces.
fn nth_cell(line: &[u8], position: usize) -> &[u8] {
    let mut tabs = memchr_iter(b'\t', line);
    let start = match position.checked_sub(1) {
        None => 0,
        Some(before) => match tabs.nth(before) {
            Some(tab) => tab + 1,
            None => return &[],
        },
    };
    let end = tabs.next().unwrap_or(line.len());
    line.get(start..end).unwrap_or_default().trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_by_position() {
        let line = b"a\t b \t\td";
        let cells: Vec<_> = (0..6).map(|i| nth_cell(line, i)).collect();
        assert_eq!(cells, [&b"a"[..], b"b", b"", b"d", b"", b""]);
    }
}
