//! The error codes in print: entries for the journal's catalog, and the man page
//! `odoo-spoold-errors(7)`.
//!
//! Promises: both come from the one table ([`codes`](super::codes)). An entry's id is derived from
//! its code, so that it never changes: no record carries it, `ERROR_CODE=` does.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::codes::ALL;

/// The id of a code's entry in the catalog: `journalctl --catalog` finds it by `dump-catalog`.
pub(super) fn entry_id(code: &str) -> String {
    let hash: [u8; 32] =
        Sha256::new_with_prefix(b"odoo-spoold error code\0").chain_update(code).finalize().into();
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The codes as entries of the journal's catalog.
pub fn catalog() -> String {
    let mut text = String::new();
    for code in ALL {
        let _infallible = writeln!(
            text,
            "-- {}\nSubject: odoo-spoold: error code {}\nDefined-By: odoo-spoold\nDocumentation: \
             man:odoo-spoold-errors(7)\n\nCause: {}.\nEffect: {}\nNext: {}\n",
            entry_id(code.code),
            code.code,
            code.cause,
            code.stops.effect(),
            code.next
        );
    }
    text
}

/// The man page of codes.
pub fn man() -> String {
    let escaped = |text: &str| text.replace('\\', "\\e").replace('-', "\\-");
    let mut text = format!(
        ".TH odoo-spoold-errors 7 \"\" \"odoo-spoold {}\"\n.SH NAME\nodoo\\-spoold\\-errors \\- \
         error codes of odoo\\-spoold\n.SH DESCRIPTION\nCodes stand in ERROR_CODE= of the journal, \
         in reason files beside rejected files, in answers of the control socket and in what \
         commands say with \\-\\-json. They never change.\n.SH CODES\n",
        env!("CARGO_PKG_VERSION")
    );
    for code in ALL {
        let _infallible = writeln!(
            text,
            ".TP\n.B {}\nCause: {}.\n.br\nEffect: {}\n.br\nNext: {}",
            escaped(code.code),
            escaped(code.cause),
            escaped(code.stops.effect()),
            escaped(code.next)
        );
    }
    text.push_str(".SH SEE ALSO\n.BR odoo\\-spoold (1),\n.BR journalctl (1)\n");
    text
}
