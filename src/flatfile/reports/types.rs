//! Amazon's names of the reports that are read, as a sidecar gives them.
//!
//! Only to hold a document against its sidecar: what a document is, its header says. A name that is not
//! in here says nothing.

use crate::model::Family;

/// Report types and their families.
static TYPES: &[(&str, Family)] = &[
    ("GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL", Family::AllOrders),
    ("GET_FLAT_FILE_ALL_ORDERS_DATA_BY_ORDER_DATE_GENERAL", Family::AllOrders),
    ("GET_FLAT_FILE_ARCHIVED_ORDERS_DATA_BY_ORDER_DATE", Family::AllOrders),
    ("GET_FLAT_FILE_ACTIONABLE_ORDER_DATA_SHIPPING", Family::Unshipped),
    ("GET_FLAT_FILE_ORDER_REPORT_DATA_SHIPPING", Family::OrderReport),
    ("GET_FLAT_FILE_ORDER_REPORT_DATA_INVOICING", Family::OrderReport),
    ("GET_FLAT_FILE_ORDER_REPORT_DATA_TAX", Family::OrderReport),
    ("GET_FLAT_FILE_ORDERS_DATA", Family::OrderReport),
];

/// The family that Amazon calls so.
pub fn family_of(report_type: &str) -> Option<Family> {
    let found = TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(report_type));
    found.map(|(_, family)| *family)
}
