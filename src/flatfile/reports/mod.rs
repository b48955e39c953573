//! The reports that are read, one file and one row of [`KINDS`] each, and those only known by name.

mod all_orders;
mod amounts;
mod buyer;
mod catalogue;
mod head;
mod order_report;
mod types;
mod unshipped;

use std::fmt::Debug;

use crate::model::{FactLine, Family, IdGrammar, Sku};

pub use types::family_of;

use super::draft::Draft;
use super::error::DocumentError;
use super::fault::Fault;
use super::header::{Col, Header, Picker};
use super::row::Row;

/// A report with its columns found: turns rows into parts of orders.
pub(super) trait Report: Debug + Send + Sync {
    /// Adds one row to its order. A fault refuses the row; what of it was added before does not
    /// count, because a fact with a refused row changes nothing.
    fn read(&self, row: &Row<'_>, draft: &mut Draft, odd: &mut Odd) -> Result<(), Fault>;
}

/// What a row has that is read, but worth a notice.
#[derive(Debug, Default)]
pub(super) struct Odd {
    /// Columns with words that are not known.
    pub words: Vec<&'static str>,
    /// Its order-item id lost zeros to a spreadsheet.
    pub cut_id: bool,
}

impl Odd {
    /// A word that is not known in a column that decides something.
    fn word(&mut self, draft: &mut Draft, column: &'static str, word: &str) {
        self.words.push(column);
        draft.unknown_word(column, word);
    }
}

/// What becomes of an amount in a column that is known and not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Nothing: it is part of no order's money.
    Nothing,
    /// The order goes on; the file says that the amount was left out.
    Notice,
}

/// A column of money that is known and not used.
#[derive(Debug)]
pub(super) struct Unused {
    pub name: &'static str,
    pub treatment: Treatment,
    /// Why it is not used, for the notice.
    pub reason: &'static str,
}

/// A row of the table of reports.
pub(super) struct Kind {
    /// The family it belongs to.
    pub family: Family,
    /// Columns that together tell it from all other reports.
    pub signature: &'static [&'static str],
    /// Columns that it never has.
    pub without: &'static [&'static str],
    /// The column that says how new a row is.
    pub version: Option<&'static str>,
    /// What its ids look like.
    pub grammar: IdGrammar,
    /// Columns it may have; others are named in a notice.
    pub known: &'static [&'static str],
    /// Columns of money among them, and besides, that are not used.
    pub unused: &'static [Unused],
    /// Finds its columns.
    pub plan: fn(&mut Picker<'_>) -> Box<dyn Report>,
}

/// What a document without data says in place of a header, without blanks.
const NO_DATA: &[&str] = &[
    "nodata",
    "noorders",
    "noresults",
    "keinedaten",
    "keinebestellungen",
    "aucunedonnée",
    "nohaydatos",
    "nessundato",
    "geengegevens",
    "brakdanych",
    "データがありません",
    "データはありません",
];

/// The reports that are read. The first whose signature fits wins.
static KINDS: &[Kind] = &[all_orders::KIND, unshipped::KIND, order_report::KIND];

/// All reports that are read.
#[cfg(test)]
pub(super) fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter()
}

/// Which report has this header.
pub(super) fn recognise(header: &Header) -> Result<&'static Kind, DocumentError> {
    let line = header.line();
    if let Some(what) = catalogue::name(header) {
        return Err(DocumentError::OtherReport { line, what });
    }
    let fits = |kind: &&Kind| {
        kind.signature.iter().all(|name| header.has(name))
            && !kind.without.iter().any(|name| header.has(name))
    };
    if let Some(kind) = KINDS.iter().find(fits) {
        return Ok(kind);
    }
    if header.width() == 1 && header.mentions(Col::at(0), NO_DATA) {
        return Err(DocumentError::NoData { line });
    }
    if header.width() == 1 {
        let cell = header.bytes();
        for (mark, separator) in [(b',', "commas"), (b';', "semicolons")] {
            if memchr::memchr_iter(mark, cell).count() > 2 {
                return Err(DocumentError::Separator { line, separator });
            }
        }
    }
    let found = |kind: &&Kind| kind.signature.iter().filter(|name| header.has(name)).count();
    let nearest = KINDS.iter().rev().max_by_key(found).filter(|kind| found(kind) > 0);
    Err(DocumentError::UnknownHeader {
        line,
        family: nearest.map(|kind| kind.family),
        missing: nearest.map_or_else(Vec::new, |kind| {
            kind.signature.iter().copied().filter(|name| !header.has(name)).collect()
        }),
    })
}

/// A line of which only the article is known so far.
fn article(row: u64, sku: Sku, title: &str, quantity: u32) -> FactLine {
    FactLine { title: title.to_owned(), ..FactLine::new(row, sku, quantity) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognise_line(line: &str) -> Result<Family, DocumentError> {
        recognise(&Header::parse(line.as_bytes(), 1).unwrap()).map(|kind| kind.family)
    }

    #[test]
    fn families_by_signature_in_any_order_of_columns() {
        let all_orders = "item-status\tlast-updated-date\tAmazon-Order-ID\tsomething-new";
        assert_eq!(recognise_line(all_orders).unwrap(), Family::AllOrders);
        let unshipped = "order-id\torder-item-id\tquantity-purchased\tquantity-to-ship\titem-price";
        assert_eq!(recognise_line(unshipped).unwrap(), Family::Unshipped);
        let report = "order-id\torder-item-id\tquantity-purchased\titem-price\tbill-address-1";
        assert_eq!(recognise_line(report).unwrap(), Family::OrderReport);
    }

    #[test]
    fn an_unknown_header_lists_what_the_nearest_family_lacks() {
        let error = recognise_line("amazon-order-id\titem-status\tErika Mustermann").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 1: the header belongs to no known report; \
             for the all-orders report it lacks last-updated-date"
        );
        let error = recognise_line("303-1\tErika Mustermann\tBonn").unwrap_err();
        assert_eq!(error.to_string(), "line 1: the header belongs to no known report");
        let error = recognise_line("\"order-id\",\"sku\",\"price\",\"x\"").unwrap_err();
        assert_eq!(error.code(), "header-separator");
    }

    #[test]
    fn case_r27_a_document_that_says_that_it_has_no_data() {
        for line in
            ["No data available for the selected date range.", "Keine Daten", "データがありません"]
        {
            assert_eq!(recognise_line(line).unwrap_err().code(), "document-no-data", "{line}");
        }
        let error = recognise_line("no data\torder-id").unwrap_err();
        assert_eq!(error.code(), "header-unknown");
    }

    #[test]
    fn every_known_name_is_written_as_it_is_compared() {
        for kind in KINDS {
            for name in kind.known.iter().chain(kind.signature).chain(kind.without) {
                let header = Header::parse(name.as_bytes(), 1).unwrap();
                assert!(header.has(name) && !name.contains(['_', ' ']), "{name}");
            }
            for name in kind.signature {
                assert!(kind.known.contains(name), "{name}");
            }
        }
    }
}
