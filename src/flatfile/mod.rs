//! Reads report bytes into rows, and rows into facts.
//!
//! A document is read twice, because a sealed file proves itself only at its end and because some
//! questions have one answer for the whole file:
//!
//! 1. [`survey()`] reads to the last byte and decides charset, report, columns, decimal mark, and
//!    where each order's rows are.
//! 2. [`facts()`] reads the same bytes again and hands out one order at a time, as soon as its last
//!    row was read; more than once only if [`Survey::sweeps`] says so.
//!
//! ```
//! use odoo_spoold::flatfile::{Context, Hints, facts, survey};
//!
//! let bytes: &[u8] = b"order-id\torder-item-id\tpurchase-date\tsku\tquantity-purchased\tcurrency\titem-price\n\
//!     205-3614839-6174823\t07821148853890\t2025-05-05T10:19:22+00:00\tSKU 1\t2\tGBP\t14.90\n";
//! let survey = survey(bytes, &Hints::default())?;
//! for sweep in 0..survey.sweeps {
//!     let mut reader = facts(bytes, &survey, Context::default(), sweep)?;
//!     while let Some(order) = reader.next()? {
//!         assert_eq!(order.fact.lines[0].item_price, Some("14.90".parse().unwrap()));
//!     }
//!     assert!(reader.orphans().is_empty());
//! }
//! # Ok::<(), odoo_spoold::flatfile::DocumentError>(())
//! ```
//!
//! Promises: memory that does not grow with the rows (28 bytes an order, 32 MiB of open orders);
//! one bad row refuses its order and nothing else; what cannot be read for certain is refused, not
//! guessed; no error carries the content of a cell. Does no I/O of its own, knows no spool, no
//! store, no Odoo.
//!
//! A new report is one file in `reports` and one row of its table.

mod charset;
mod draft;
mod error;
mod facts;
mod fault;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod header;
mod index;
mod layout;
mod lines;
mod marks;
mod money;
mod parts;
mod reports;
mod row;
mod survey;
mod value;

#[cfg(test)]
mod case_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod tests;

pub use charset::Charset;
pub use draft::OrderFacts;
pub use error::{DocumentError, MAX_LINE_BYTES, MAX_ROWS};
pub use facts::{Context, FactReader, RowCounts, facts};
pub use reports::family_of;
pub use survey::{Hints, Notice, Survey, survey};
pub use value::{DecimalMark, MAX_FRACTION_DIGITS, MAX_WHOLE_DIGITS, Notation};
