//! The error codes in print: what the journal's catalog says of a record with a code, and the man
//! page `odoo-spoold-errors(7)`.
//!
//! Promises: both come from the one table ([`codes`](super::codes)). A code has no entry of its own
//! in the catalog, because a record has the id of its transition: the transition's entry has places
//! that journalctl fills from the record's fields.

use std::fmt::Write as _;

use super::codes::all;

/// The end of the catalog entry of a transition that carries a code.
pub(super) const PLACES: &str = "Cause: @ERROR_CAUSE@.\nEffect: @ERROR_EFFECT@\nNext: @ERROR_NEXT@\n\
     More: odoo-spoold explain @ERROR_CODE@, or odoo-spoold-errors(7).";

/// The man page of codes.
pub fn man() -> String {
    let escaped = |text: &str| text.replace('\\', "\\e").replace('-', "\\-");
    let mut text = format!(
        ".TH odoo-spoold-errors 7 \"\" \"odoo-spoold {}\"\n.SH NAME\nodoo\\-spoold\\-errors \\- \
         error codes of odoo\\-spoold\n.SH DESCRIPTION\nCodes stand in ERROR_CODE= of the journal, \
         in reason files beside rejected files, in answers of the control socket and in what \
         commands say with \\-\\-json; what an order waits for is named by one, too. They never change. `odoo\\-spoold explain CODE` prints one.\n\
         .SH CODES\n",
        env!("CARGO_PKG_VERSION")
    );
    for code in all() {
        let _infallible = writeln!(
            text,
            ".TP\n.B {}\nCause: {}.\n.br\nEffect: {}\n.br\nNext: {}",
            escaped(code.code),
            escaped(code.cause),
            escaped(code.effect),
            escaped(code.next)
        );
    }
    text.push_str(".SH SEE ALSO\n.BR odoo\\-spoold (8),\n.BR journalctl (1)\n");
    text
}
