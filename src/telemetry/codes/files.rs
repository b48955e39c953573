//! Codes of files and their rows.

use super::Stops::{File, Nothing, Row};
use super::{Code, row};

const AGAIN: &str = "drop a whole copy again: write to a temporary name, then rename";
const SEAL: &str = "odoo-spoold seal --account ACCOUNT FILE, then drop it again";
const SHOW: &str =
    "odoo-spoold files show ID, correct the report where it was made, and drop it again";
const NOTED: &str =
    "Nothing is refused because of it: `odoo-spoold files show ID` and the result file show it.";
/// A sidecar's keys are destroyed with it: only Amazon, or the dropper, still has them.
const FETCH: &str = "correct the JSON and drop both files again; if it had Amazon's keys in it, fetch document and JSON from Amazon again";
const WAIT: &str = "nothing; odoo-spoold status, if it lasts";

pub(super) const ROWS: &[Code] = &[
    // envelopes
    row("envelope-empty", File, "the file is empty", AGAIN),
    row("envelope-plaintext-refused", File, "the file is not encrypted", SEAL).but("The file lies in rejected/ with its reason, sealed to the account's own key meanwhile; nothing of it was used."),
    row("envelope-aes-cbc-refused", File, "an Amazon AES-CBC document, which the account does not allow", "seal it (odoo-spoold seal), or set accept_aes_cbc = true and odoo-spoold reload").but("The file lies in rejected/ with its reason, sealed to the account's own key meanwhile if its document key opened it; nothing of it was used."),
    row("envelope-truncated", File, "the file ends too early", AGAIN),
    row("envelope-header-invalid", File, "the age header is damaged", AGAIN),
    row("envelope-header-too-large", File, "the age header is larger than any honest one", SEAL),
    row("envelope-header-tampered", File, "the age header was changed after sealing", AGAIN),
    row("envelope-unknown-version", File, "an age format that is not known yet", SEAL),
    row("envelope-armor-invalid", File, "the text armor is damaged", AGAIN),
    row("envelope-re-encoded", File, "a text tool (PowerShell's `>`, an editor) wrote the age file again in another encoding", "seal it again and write it with `age -o FILE` or odoo-spoold seal"),
    row("envelope-passphrase", File, "sealed to a passphrase, not to a recipient", SEAL),
    row("envelope-post-quantum", File, "sealed to a post-quantum recipient", SEAL),
    row("envelope-other-recipient", File, "sealed to somebody else, or to an identity that was removed", "odoo-spoold recipient --account ACCOUNT, and seal it to that"),
    row("envelope-no-identity", File, "the account has no identity to open it with", "odoo-spoold keys list"),
    row("envelope-tampered", File, "the content was changed after sealing", AGAIN),
    row("envelope-sealed-twice", File, "inside is another sealed file", SEAL),
    row("envelope-gzip-outside", File, "compressed after sealing", "drop the .age file itself, without gzip around it"),
    row("envelope-gzip-corrupt", File, "the compressed content is damaged", AGAIN),
    row("envelope-gzip-truncated", File, "the compressed content ends too early", AGAIN),
    row("envelope-gzip-trailing", File, "something follows the compressed content", AGAIN),
    row("envelope-gzip-nested", File, "compressed twice", SEAL),
    row("envelope-gzip-ratio", File, "it unpacks to far more than any report", SHOW),
    row("envelope-too-large", File, "larger than max_file_size allows", "raise max_file_size in config.toml and odoo-spoold reload, or split the report"),
    row("envelope-unauthenticated-failure", File, "an AES-CBC document did not open: wrong key, or damaged", AGAIN),
    row("envelope-io", File, "reading the file failed", "nothing, if the disk is well: journalctl -u odoo-spoold, kernel log").but("The file stays in work/ and is taken up again by itself; nothing of it was used."),
    row("sidecar-too-large", File, "the document's JSON is larger than any honest one", FETCH),
    row("sidecar-json", File, "the document's JSON is not JSON", FETCH),
    row("sidecar-error-answer", File, "the document's JSON is an error answer of Amazon", "fetch the report document again, then drop both files"),
    row("sidecar-member-twice", File, "the document's JSON says something twice", FETCH),
    row("sidecar-member", File, "the document's JSON lacks what opens it", FETCH),
    row("file-too-large", File, "the file has more bytes than max_file_size allows", "raise max_file_size in config.toml and odoo-spoold reload, or ask Amazon for a shorter period"),
    row("sidecar-checksum", File, "the document is not the one whose SHA-256 its JSON gives", FETCH),
    row("sidecar-report-type", File, "the document's JSON names another report than its header is of", "drop each document with the JSON that belongs to it"),
    row("file-panic", File, "reading the file ended in an error of this program", "report it with the file's id; the file lies in rejected/"),
    // reports
    row("document-read", File, "reading the opened document failed", WAIT).but("The file stays in work/ and is taken up again by itself; nothing of it was used."),
    row("document-empty", File, "the report is empty", SHOW),
    row("document-utf16", File, "the report is UTF-16: a spreadsheet saved it", "drop the report as Amazon gave it"),
    row("document-charset", File, "bytes that are not text in the report's charset", SHOW),
    row("document-nul", File, "a zero byte in the text", SHOW),
    row("document-line-long", File, "a line longer than any row", SHOW),
    row("document-rows", File, "more rows than a report can have", "split the report"),
    row("document-changed", File, "the file in work/ changed between two readings, and again when it was read once more", "check the disk, then drop the report again as Amazon sent it").but("The file lies in rejected/; what was read of it until then was used."),
    row("header-separator", File, "the columns are not separated by tabs", "drop the report as Amazon gave it"),
    row("header-other-report", File, "a report of a kind that is not taken yet", "odoo-spoold files show ID names the kind; drop order reports only"),
    row("header-unknown", File, "the first line is no header that is known", SHOW),
    row("header-missing-columns", File, "columns are missing that the report cannot be read without", SHOW),
    row("header-columns", File, "the header has more columns than any report", SHOW),
    row("document-format", File, "not a report, but an archive, a workbook, a PDF or a page of the Web", "take the report out of it and drop that"),
    row("document-no-data", File, "one line that says that there is no data", "nothing, if there were no orders in that period; else request the report again"),
    row("header-duplicate-column", File, "a column stands twice", SHOW),
    row("header-changes", File, "a second header in the middle: files were joined", "drop the files one by one"),
    row("decimal-mark", File, "point or comma: it cannot be told what separates decimals", SHOW),
    // notices
    row("columns-unknown", Nothing, "the report has columns that this version does not know", "nothing, if the columns have no part in price, tax or delivery; else tell us of them").but(NOTED),
    row("header-repeated", Nothing, "the header stands in the file more than once: reports were joined", "nothing; drop reports one by one").but(NOTED),
    row("text-broken", Nothing, "lines that are not text in the charset of the others", SHOW).but(NOTED),
    row("words-unknown", Nothing, "words that are not known in a column that decides about release, tax or marketplace", "odoo-spoold queue list --state held; the hold names the word").but(NOTED),
    row("amounts-unknown", Nothing, "amounts, also such as do not read as a number, in a column of money that this version does not know", "odoo-spoold queue list --state held; the hold names the column and the sum").but(NOTED),
    row("amounts-left-out", Nothing, "amounts in a column that is known and not used", "odoo-spoold files show ID names the column and why; add the amount in Odoo by hand where the order needs it").but("The orders go on without that amount; `odoo-spoold files show ID` and the result file show it."),
    row("amounts-unread", Nothing, "digits that do not look like an amount (a date, a code, a rate) in a column of money that is not known or not used", "odoo-spoold files show ID names column and line; look there whether it is money").but("The orders go on without it; `odoo-spoold files show ID` and the result file show it."),
    row("rows-undated", Nothing, "refused rows of orders that are known do not show when they were written, so that it is open whether they say something newer", SHOW).but("What is known of the orders stands and they go on; a cancellation or another price that stood in such a row is missing until a good report brings it."),
    row("ids-cut", Nothing, "a spreadsheet cut the zeros of order-item ids: it may have cut those of postal codes and SKUs, too", "drop the report as Amazon gave it, not re-saved by a spreadsheet").but("The order-item ids are read with their zeros; nothing is refused because of it."),
    // rows
    row("row-cells", Row, "more or fewer cells than columns: something inside the row shifted the others, or it was cut", SHOW),
    row("row-torn", Row, "a line break inside a cell tore the row in two", "drop the report as Amazon gave it; if Amazon's own copy is torn, correct that cell and drop the report again").but("The order of the first piece is held under `row` until a good file comes; the other pieces are counted and listed by their line. Nothing of their text is kept. Other orders go on."),
    row("row-charset", Row, "bytes that are not text", SHOW),
    row("row-line-end", Row, "a carriage return inside the row", SHOW),
    row("row-quote", Row, "a quote is opened and not closed", SHOW),
    row("row-long", Row, "a cell longer than any value of its kind", SHOW).but("The whole order of that row is held under `row` until a good file comes; where the order id itself cannot be read, the row is only counted and listed. Other orders go on."),
    row("row-empty", Row, "a cell is empty that must not be", SHOW).but("The whole order of that row is held under `row` until a good file comes; where the order id itself cannot be read, the row is only counted and listed. Other orders go on."),
    row("row-id", Row, "an identifier that is not shaped like one: an order id is, as in 205-3614839-6174823", SHOW).but("The whole order of that row is held under `row` until a good file comes; where the order id itself cannot be read, the row is only counted and listed. Other orders go on."),
    row("row-spreadsheet", Row, "a spreadsheet rewrote an identifier, an amount or a time: as a number with an exponent, a formula, a day", "drop the report as Amazon gave it").but("The whole order of that row is held under `row` until a good file comes; where the order id itself cannot be read, the row is only counted and listed. Other orders go on."),
    row("row-number", Row, "not an amount, or one with more than 15 digits before or 6 after its decimal mark", SHOW),
    row("row-quantity", Row, "not a number of units", SHOW),
    row("row-date", Row, "not a time with its offset", SHOW),
    row("row-flag", Row, "neither true nor false", SHOW),
    row("row-currency", Row, "not a currency", SHOW),
    row("row-differs", Row, "two rows of one order contradict each other", SHOW),
    row("row-many", Row, "more rows than one order can have", SHOW),
    row("row-order-large", Row, "the rows of one order are more than one record may hold", SHOW).but("Only this order is refused and held under `row`, or left as it is known; every other order of the file is taken."),
    row("record-damaged", Row, "what is stored of an order is damaged", "odoo-spoold rebuild, then drop the file again; see README.md, \"When the state is lost\"").but("Only this order is refused; every other order of the file is taken."),
    row("record-key-unknown", Row, "what is stored of an order is under a master key that was not given", "odoo-spoold keys list; put the key back among the older ones, restart, and drop the file again").but("Only this order is refused; every other order of the file is taken."),
];
