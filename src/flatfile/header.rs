//! The header line: names to positions.
//!
//! Columns are found by name, never by position: Amazon adds, drops and moves them per marketplace.
//! Names are compared without case, surrounding spaces, and without telling `-`, `_` and space
//! apart. If every cell of the header is quoted, the whole file is read in quoted mode.

use super::error::DocumentError;
use crate::model::Family;

/// A column of the file at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Col(usize);

impl Col {
    /// No column: the report does not have it. Its cells are all empty.
    pub(super) const NONE: Self = Self(usize::MAX);

    /// The column at a position.
    pub(super) fn at(position: usize) -> Self {
        Self(position)
    }

    /// Whether the report has the column.
    pub(super) fn exists(self) -> bool {
        self != Self::NONE
    }

    /// The cell's place in a row, 0 being the first.
    pub(super) fn position(self) -> usize {
        self.0
    }
}

/// The header line, taken apart.
#[derive(Debug)]
pub(super) struct Header {
    /// The line as it stands in the file.
    bytes: Vec<u8>,
    names: Vec<Name>,
    quoted: bool,
    line: u64,
}

#[derive(Debug)]
struct Name {
    /// For comparing.
    plain: String,
    /// As the header spells it, trimmed.
    shown: String,
}

impl Header {
    /// Takes a header line apart.
    pub(super) fn parse(bytes: &[u8], line: u64) -> Self {
        let quoted = bytes
            .split(|&b| b == b'\t')
            .all(|cell| matches!(cell.trim_ascii(), [b'"', inner @ .., b'"'] if !inner.is_empty()));
        let names = bytes
            .split(|&b| b == b'\t')
            .map(|cell| {
                // Names that are needed are ASCII; what is not can be shown with marks in it.
                let cell = String::from_utf8_lossy(cell);
                let mut shown = cell.trim();
                if quoted {
                    shown = shown.trim_matches('"').trim();
                }
                Name { plain: plain(shown), shown: shown.to_owned() }
            })
            .collect();
        Self { bytes: bytes.to_vec(), names, quoted, line }
    }

    /// How many cells a complete row has.
    pub(super) fn width(&self) -> usize {
        self.names.len()
    }

    /// Every cell of the header is quoted.
    pub(super) fn quoted(&self) -> bool {
        self.quoted
    }

    /// The header's line.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The first name, for recognising what has no columns.
    pub(super) fn first(&self) -> &str {
        self.names.first().map_or("", |name| &name.plain)
    }

    /// The line as it stands in the file.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether there is a column of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|n| n.plain == name)
    }

    /// A column's name as the header spells it.
    pub(super) fn shown(&self, col: Col) -> &str {
        self.shown_at(col.position())
    }

    /// The name at a position, as the header spells it.
    pub(super) fn shown_at(&self, position: usize) -> &str {
        self.names.get(position).map_or("", |name| &name.shown)
    }

    /// Whether a cell of `col` holds that column's own name: the row is a header again.
    pub(super) fn repeats(&self, col: Col, cell: &[u8]) -> bool {
        self.names.get(col.position()).is_some_and(|name| {
            let cell = if self.quoted { unquoted(cell) } else { cell };
            name.plain.len() == cell.len() && cell.eq_ignore_ascii_case(name.plain.as_bytes())
        })
    }

    /// Names that are not in `known`, as the header spells them; odd ones are only counted.
    pub(super) fn unknown(&self, known: &[&str]) -> Vec<String> {
        let harmless = |shown: &str| {
            (1..=60).contains(&shown.len())
                && shown.bytes().all(|b| b.is_ascii_alphanumeric() || b" -_/().".contains(&b))
        };
        self.names
            .iter()
            .filter(|name| !known.contains(&name.plain.as_str()))
            .map(|name| {
                if harmless(&name.shown) { name.shown.clone() } else { "(unprintable)".to_owned() }
            })
            .collect()
    }
}

/// A cell of a quoted file without its quotes; inner doubled quotes stay.
pub(super) fn unquoted(cell: &[u8]) -> &[u8] {
    match cell {
        [b'"', inner @ .., b'"'] => inner.trim_ascii(),
        other => other,
    }
}

fn plain(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            '_' | ' ' => '-',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}

/// Chooses a report's columns out of a header, and remembers what went wrong.
#[derive(Debug)]
pub(super) struct Picker<'h> {
    header: &'h Header,
    missing: Vec<&'static str>,
    duplicate: Option<&'static str>,
    amounts: Vec<Col>,
    order_id: Col,
}

impl<'h> Picker<'h> {
    pub(super) fn new(header: &'h Header) -> Self {
        Self {
            header,
            missing: Vec::new(),
            duplicate: None,
            amounts: Vec::new(),
            order_id: Col::NONE,
        }
    }

    /// The column with the order id.
    pub(super) fn order_id(&mut self, name: &'static str) {
        self.order_id = self.required(name);
    }

    /// A column that an order cannot do without.
    pub(super) fn required(&mut self, name: &'static str) -> Col {
        let col = self.optional(name);
        if !col.exists() {
            self.missing.push(name);
        }
        col
    }

    /// A column that may be absent.
    pub(super) fn optional(&mut self, name: &'static str) -> Col {
        let mut places = self.header.names.iter().enumerate().filter(|(_, n)| n.plain == name);
        let col = places.next().map_or(Col::NONE, |(position, _)| Col(position));
        if places.next().is_some() {
            self.duplicate.get_or_insert(name);
        }
        col
    }

    /// A column of amounts that an order cannot do without.
    pub(super) fn required_amount(&mut self, name: &'static str) -> Col {
        let col = self.required(name);
        self.note_amount(col)
    }

    /// A column of amounts that may be absent.
    pub(super) fn amount(&mut self, name: &'static str) -> Col {
        let col = self.optional(name);
        self.note_amount(col)
    }

    fn note_amount(&mut self, col: Col) -> Col {
        if col.exists() {
            self.amounts.push(col);
        }
        col
    }

    /// The order id's column and the columns of amounts (by position), if all that is needed is
    /// there once.
    pub(super) fn finish(mut self, family: Family) -> Result<(Col, Vec<Col>), DocumentError> {
        let line = self.header.line();
        if let Some(column) = self.duplicate {
            return Err(DocumentError::DuplicateColumn { line, column });
        }
        if !self.missing.is_empty() {
            return Err(DocumentError::MissingColumns { line, family, missing: self.missing });
        }
        self.amounts.sort_by_key(|col| col.position());
        Ok((self.order_id, self.amounts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_without_case_spaces_and_dashes() {
        let header = Header::parse(b"Order ID\tdelivery-Instructions\ttax_office ", 1);
        for name in ["order-id", "delivery-instructions", "tax-office"] {
            assert!(header.has(name), "{name}");
        }
        assert_eq!(header.shown_at(2), "tax_office");
        assert!(!header.quoted() && header.width() == 3);
    }

    #[test]
    fn quoted_only_if_every_cell_is() {
        assert!(Header::parse(b"\"order-id\"\t\"sku\"", 1).quoted());
        assert!(!Header::parse(b"\"order-id\"\tsku", 1).quoted());
        assert!(!Header::parse(b"\"", 1).quoted());
        assert!(Header::parse(b"\"order-id\"\t\"sku\"", 1).has("sku"));
    }

    #[test]
    fn picking_names_what_is_missing_or_double() {
        let header = Header::parse(b"a\tb\tb\tc", 1);
        let mut picker = Picker::new(&header);
        picker.order_id("a");
        let c = picker.amount("c");
        assert_eq!((c.position(), header.shown(c)), (3, "c"));
        assert!(!picker.optional("nowhere").exists());
        picker.required("d");
        let error = picker.finish(Family::AllOrders).unwrap_err();
        assert!(matches!(error, DocumentError::MissingColumns { missing, .. } if missing == ["d"]));
        let mut picker = Picker::new(&header);
        picker.required("b");
        let error = picker.finish(Family::AllOrders).unwrap_err();
        assert!(matches!(error, DocumentError::DuplicateColumn { column: "b", .. }));
    }

    #[test]
    fn unknown_names_are_shown_only_if_harmless() {
        let header = Header::parse("order-id\tnew-column\tErika <x>\tнет".as_bytes(), 1);
        assert_eq!(header.unknown(&["order-id"]), ["new-column", "(unprintable)", "(unprintable)"]);
    }
}
