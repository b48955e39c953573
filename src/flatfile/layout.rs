//! What the header says of the whole document: which report it is, and where its columns are.

use memchr::memchr_iter;

use crate::model::Family;

use super::error::DocumentError;
use super::header::{Col, Header, Picker, unquoted};
use super::reports::{self, Report};

/// The longest order id; see `model::ids`.
const MAX_ORDER_ID_BYTES: usize = crate::model::ids::MAX_ID_CHARS;

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
    pub unknown_columns: Vec<String>,
}

/// What a line of the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineKind {
    /// Nothing but spaces and tabs.
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
        let unknown_columns = header.unknown(kind.known);
        Ok(Self { header, family: kind.family, report, order_id, amounts, unknown_columns })
    }

    /// What a line of the body is.
    pub(super) fn kind(&self, line: &[u8]) -> LineKind {
        match line.first() {
            None => return LineKind::Blank,
            Some(b' ' | b'\t') if line.iter().all(|b| matches!(b, b' ' | b'\t')) => {
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
        let id = self.order_id_cell(line);
        let readable = (1..=MAX_ORDER_ID_BYTES).contains(&id.len())
            && id.iter().all(u8::is_ascii_graphic)
            && !id.windows(2).any(|pair| pair == b"E+");
        readable.then_some(id)
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
