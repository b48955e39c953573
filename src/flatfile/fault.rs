//! Why a row is refused. A refused row holds its order; other orders go on.

use crate::model::IdError;

use super::header::Col;

/// The cell that a row is refused for, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// The column; [`Col::NONE`] stands for the row as a whole.
    pub col: Col,
    /// Why.
    pub why: Why,
}

/// Why a row is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// More cells than the header: something inside the row shifted the others.
    Cells,
    /// Fewer cells than the header: the row was cut, or a line break inside a cell tore it.
    Short,
    /// The next line is no row, but the rest of this one.
    Torn,
    /// The line is no row, but the rest of the one before.
    Rest,
    /// Bytes that the file's charset does not have.
    Charset,
    /// A bare carriage return inside the row.
    CarriageReturn,
    /// In a quoted file: a quote that is not closed.
    Quote,
    /// A cell longer than any of its kind.
    Long,
    /// A cell that must not be empty is.
    Empty,
    /// An identifier with characters that identifiers never have.
    Id,
    /// Not an order id of the marketplace.
    OrderId,
    /// An identifier that a spreadsheet rewrote.
    Spreadsheet,
    /// An amount, a quantity or a time that a spreadsheet rewrote.
    SpreadsheetValue,
    /// Not a number in the notation of this file.
    Number,
    /// Not a whole, non-negative number of units.
    Quantity,
    /// Not an RFC 3339 time with an offset.
    Date,
    /// Neither true nor false.
    Flag,
    /// Not a currency code.
    Currency,
    /// A multi-channel order id beside the name of a marketplace.
    Channel,
    /// Differs from the same order's other rows.
    Differs,
    /// Rows with one order-item id disagree on what was sold.
    ItemDiffers,
    /// More rows than any order has.
    Many,
    /// Two copies of the report in one file contradict each other.
    Copies,
}

impl Why {
    /// A stable code.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Cells | Self::Short => "row-cells",
            Self::Torn | Self::Rest => "row-torn",
            Self::Charset => "row-charset",
            Self::CarriageReturn => "row-line-end",
            Self::Quote => "row-quote",
            Self::Long => "row-long",
            Self::Empty => "row-empty",
            Self::Id | Self::OrderId => "row-id",
            Self::Spreadsheet | Self::SpreadsheetValue => "row-spreadsheet",
            Self::Number => "row-number",
            Self::Quantity => "row-quantity",
            Self::Date => "row-date",
            Self::Flag => "row-flag",
            Self::Currency => "row-currency",
            Self::Channel | Self::Differs | Self::ItemDiffers | Self::Copies => "row-differs",
            Self::Many => "row-many",
        }
    }

    /// What is wrong, without the cell's content.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Cells => "the row has more cells than the header has columns",
            Self::Short => {
                "the row has fewer cells than the header has columns: it was cut, or a line break inside a cell tore it"
            }
            Self::Torn => {
                "the next line is the rest of this row: a line break inside a cell tore it"
            }
            Self::Rest => {
                "the line is no row: a line break inside a cell tore it from the row before"
            }
            Self::Charset => "the cell has bytes that are not text in the charset of this file",
            Self::CarriageReturn => "there is a carriage return inside the row",
            Self::Quote => "the cell opens a quote that it does not close",
            Self::Long => "the cell is longer than any value of its kind",
            Self::Empty => "the cell is empty",
            Self::Id => "the cell has a character that such an identifier never has",
            Self::OrderId => "the cell is not an order id, such as 205-3614839-6174823",
            Self::Spreadsheet => {
                "a spreadsheet rewrote the identifier (as a number, a formula or a day): what stood there is lost"
            }
            Self::SpreadsheetValue => {
                "a spreadsheet rewrote the value (as a formula, a day or with an exponent): what stood there is lost"
            }
            Self::Number => {
                "the cell is not an amount in the notation of this file, with up to 15 digits and 6 decimals"
            }
            Self::Quantity => "the cell is not a number of units",
            Self::Date => {
                "the cell is not a time with an offset, such as 2025-05-05T10:19:22+00:00"
            }
            Self::Flag => "the cell is neither true nor false",
            Self::Currency => "the cell is not a currency code",
            Self::Channel => {
                "the cell names a marketplace, but such an order id is one of the seller's own shop (multi-channel fulfilment)"
            }
            Self::Differs => "the cell differs from another row of the same order",
            Self::ItemDiffers => {
                "another row with this order-item id has another SKU, quantity or amount"
            }
            Self::Many => "the order has more rows than any order has",
            Self::Copies => {
                "the file has the report more than once, and its copies say different things of this order"
            }
        }
    }
}

impl From<IdError> for Why {
    fn from(error: IdError) -> Self {
        match error {
            IdError::Empty => Self::Empty,
            IdError::TooLong(_) => Self::Long,
            IdError::Spreadsheet => Self::Spreadsheet,
            IdError::Character => Self::Id,
        }
    }
}
