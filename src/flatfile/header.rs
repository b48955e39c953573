//! The header line: names to positions.
//!
//! Columns are found by name, never by position: Amazon adds, drops and moves them per marketplace.
//! Names are compared without case, surrounding spaces, and without telling `-`, `_` and space
//! apart; other spellings of one name are aliases. If every cell of the header is quoted, the whole file is read in quoted mode.

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

/// The most columns that a header may have. Real ones have up to a hundred.
const MAX_COLUMNS: usize = 500;

/// The longest name that is shown, in bytes.
const MAX_NAME_BYTES: usize = 60;

#[derive(Debug)]
struct Name {
    /// For comparing: small letters and digits only.
    key: String,
    /// As the header spells it, trimmed; empty where it cannot be shown.
    shown: String,
    /// How many bytes the cell has in the file, trimmed: a first test for a repeated header.
    bytes: usize,
}

/// Other spellings of columns, beside those that differ by case and separators.
const ALIASES: &[(&str, &str)] = &[
    ("amazonorderitemid", "orderitemid"),
    ("orderitemcode", "orderitemid"),
    ("fulfilmentchannel", "fulfillmentchannel"),
    ("currencycode", "currency"),
    ("itempromodiscount", "itempromotiondiscount"),
    ("shipprice", "shippingprice"),
    ("shiptax", "shippingtax"),
    ("shippromodiscount", "shippromotiondiscount"),
    ("shippingpromodiscount", "shippromotiondiscount"),
    ("shippingpromotiondiscount", "shippromotiondiscount"),
    ("vatexclusiveshipprice", "vatexclusiveshippingprice"),
];

impl Header {
    /// Takes a header line apart.
    pub(super) fn parse(bytes: &[u8], line: u64) -> Result<Self, DocumentError> {
        let columns = memchr::memchr_iter(b'\t', bytes).count() + 1;
        if columns > MAX_COLUMNS {
            return Err(DocumentError::TooManyColumns { line });
        }
        let quoted = bytes
            .split(|&b| b == b'\t')
            .all(|cell| matches!(cell.trim_ascii(), [b'"', inner @ .., b'"'] if !inner.is_empty()));
        let names = bytes.split(|&b| b == b'\t').map(|cell| Name::new(cell, quoted)).collect();
        Ok(Self { bytes: bytes.to_vec(), names, quoted, line })
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

    /// Whether the first cell begins with this text, for recognising what has no columns.
    pub(super) fn begins_with(&self, text: &str) -> bool {
        self.names.first().is_some_and(|name| name.key.starts_with(text))
    }

    /// The line as it stands in the file.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether there is a column of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|n| n.is(name))
    }

    /// The first column of this name.
    pub(super) fn find(&self, name: &str) -> Option<Col> {
        self.names.iter().position(|n| n.is(name)).map(Col)
    }

    /// A column's name as the header spells it; its number where that cannot be shown.
    pub(super) fn shown(&self, col: Col) -> String {
        self.shown_at(col.position())
    }

    /// The name at a position, as the header spells it; its number where that cannot be shown.
    pub(super) fn shown_at(&self, position: usize) -> String {
        match self.names.get(position) {
            None => String::new(),
            Some(name) if name.shown.is_empty() => format!("column {}", position + 1),
            Some(name) => name.shown.clone(),
        }
    }

    /// Whether a cell of `col` holds that column's own name: the row is a header again.
    pub(super) fn repeats(&self, col: Col, cell: &[u8]) -> bool {
        self.names.get(col.position()).is_some_and(|name| {
            let cell = if self.quoted { unquoted(cell) } else { cell };
            name.bytes == cell.len()
                && std::str::from_utf8(cell).is_ok_and(|cell| name.key == key(cell))
        })
    }

    /// The columns whose names are not among `known`.
    pub(super) fn unknown(&self, known: &[&str]) -> Vec<Col> {
        self.names
            .iter()
            .enumerate()
            .filter(|(_, name)| !known.iter().any(|known| name.is(known)))
            .map(|(position, _)| Col(position))
            .collect()
    }

    /// Whether the name of a column holds one of these words, written in small letters.
    pub(super) fn mentions(&self, col: Col, words: &[&str]) -> bool {
        self.names
            .get(col.position())
            .is_some_and(|name| words.iter().any(|word| name.key.contains(word)))
    }
}

impl Name {
    fn new(cell: &[u8], quoted: bool) -> Self {
        let mut cell = cell.trim_ascii();
        if quoted {
            cell = unquoted(cell);
        }
        // Names that are needed are ASCII; what is not can be shown with marks in it.
        let text = String::from_utf8_lossy(cell);
        let harmless = (1..=MAX_NAME_BYTES).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b" -_/().".contains(&b));
        let shown = if harmless { text.to_string() } else { String::new() };
        // A longer name belongs to no report, and is not kept.
        let key = if text.len() <= 2 * MAX_NAME_BYTES { key(&text) } else { String::new() };
        Self { key, shown, bytes: cell.len() }
    }

    /// Whether it is the column `name`, which is written with dashes.
    fn is(&self, name: &str) -> bool {
        name.bytes().filter(|&b| b != b'-').eq(self.key.bytes())
    }
}

/// A cell of a quoted file without its quotes; inner doubled quotes stay.
pub(super) fn unquoted(cell: &[u8]) -> &[u8] {
    match cell {
        [b'"', inner @ .., b'"'] => inner.trim_ascii(),
        other => other,
    }
}

/// A name without case and separators, in the spelling that is read.
fn key(name: &str) -> String {
    let separates = |c: char| c.is_whitespace() || matches!(c, '-' | '_');
    let key: String =
        name.chars().filter(|&c| !separates(c)).map(|c| c.to_ascii_lowercase()).collect();
    match ALIASES.iter().find(|(alias, _)| *alias == key) {
        Some((_, name)) => (*name).to_owned(),
        None => key,
    }
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
        let mut places = self.header.names.iter().enumerate().filter(|(_, n)| n.is(name));
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
        let header = Header::parse(b"Order ID\tdelivery-Instructions\ttax_office ", 1).unwrap();
        for name in ["order-id", "delivery-instructions", "tax-office"] {
            assert!(header.has(name), "{name}");
        }
        assert_eq!(header.shown_at(2), "tax_office");
        assert!(!header.quoted() && header.width() == 3);
    }

    #[test]
    fn quoted_only_if_every_cell_is() {
        assert!(Header::parse(b"\"order-id\"\t\"sku\"", 1).unwrap().quoted());
        assert!(!Header::parse(b"\"order-id\"\tsku", 1).unwrap().quoted());
        assert!(!Header::parse(b"\"", 1).unwrap().quoted());
        assert!(Header::parse(b"\"order-id\"\t\"sku\"", 1).unwrap().has("sku"));
    }

    #[test]
    fn picking_names_what_is_missing_or_double() {
        let header = Header::parse(b"a\tb\tb\tc", 1).unwrap();
        let mut picker = Picker::new(&header);
        picker.order_id("a");
        let c = picker.amount("c");
        assert_eq!((c.position(), header.shown(c).as_str()), (3, "c"));
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
    fn other_spellings_of_a_name_are_the_same_column() {
        let header = Header::parse(
            b"ItemPrice\tgift wrap price\tVAT-exclusive-gift-wrap-price\tship-price\t\
              fulfilment-channel\tamazon-order-item-id\tshipping-promotion-discount",
            1,
        )
        .unwrap();
        for name in [
            "item-price",
            "gift-wrap-price",
            "vat-exclusive-giftwrap-price",
            "shipping-price",
            "fulfillment-channel",
            "order-item-id",
            "ship-promotion-discount",
        ] {
            assert!(header.has(name), "{name}");
        }
        assert_eq!(header.shown_at(3), "ship-price");
    }

    #[test]
    fn unknown_names_are_shown_only_if_harmless() {
        let header = Header::parse("order-id\tnew-column\tErika <x>\tнет".as_bytes(), 1).unwrap();
        let shown: Vec<String> =
            header.unknown(&["order-id"]).into_iter().map(|col| header.shown(col)).collect();
        assert_eq!(shown, ["new-column", "column 3", "column 4"]);
    }

    #[test]
    fn audit_32_names_and_their_number_are_bounded() {
        let long = "x".repeat(1024 * 1024);
        let header = Header::parse(format!("order-id\t{long}").as_bytes(), 1).unwrap();
        assert_eq!(header.shown_at(1), "column 2");
        assert!(header.names.iter().all(|name| name.key.len() + name.shown.len() < 200));
        let wide = vec!["a"; 500_000].join("\t");
        let error = Header::parse(wide.as_bytes(), 3).unwrap_err();
        assert_eq!((error.code(), error.line()), ("header-columns", Some(3)));
    }

    #[test]
    fn a_header_again_is_known_however_it_is_spelled() {
        let header = Header::parse(b"Order ID\tsku", 1).unwrap();
        let mut picker = Picker::new(&header);
        let order_id = picker.required("order-id");
        assert!(header.repeats(order_id, b"Order ID") && !header.repeats(order_id, b"Order IX"));
    }
}
