//! Every error code: its cause, its effect, and the next command. The source of the journal's
//! catalog entries and of the man page `odoo-spoold-errors(7)`.
//!
//! Promises: codes never change and each has a row; a test reads the source and compares. Holds
//! (`sku`, `price` …) are no errors: they stand in `odoo-spoold hold`.

pub use super::stops::Stops;

/// One code.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// The code.
    pub code: &'static str,
    /// What it stops.
    pub stops: Stops,
    /// Why it comes.
    pub cause: &'static str,
    /// What to do.
    pub next: &'static str,
}

/// One row.
const fn row(code: &'static str, stops: Stops, cause: &'static str, next: &'static str) -> Code {
    Code { code, stops, cause, next }
}

const AGAIN: &str = "drop a whole copy again: write to a temporary name, then rename";
const SEAL: &str = "odoo-spoold seal --account ACCOUNT FILE, then drop it again";
const SHOW: &str =
    "odoo-spoold files show ID, correct the report where it was made, and drop it again";
const CHECK: &str = "odoo-spoold check";
const WAIT: &str = "nothing; odoo-spoold status, if it lasts";
const DEAD: &str = "odoo-spoold dead show ACCOUNT ORDER, mend the record in Odoo, then odoo-spoold dead requeue ACCOUNT ORDER";

use Stops::{Account, Command, Daemon, File, Nothing, Order, Row};

/// All codes, in the order of the man page.
pub const ALL: &[Code] = &[
    // envelopes
    row("envelope-empty", File, "the file is empty", AGAIN),
    row("envelope-plaintext-refused", File, "the file is not encrypted", SEAL),
    row(
        "envelope-aes-cbc-refused",
        File,
        "an Amazon AES-CBC document, which the account does not allow",
        "seal it (odoo-spoold seal), or set accept_aes_cbc = true and odoo-spoold reload",
    ),
    row("envelope-truncated", File, "the file ends too early", AGAIN),
    row("envelope-header-invalid", File, "the age header is damaged", AGAIN),
    row("envelope-header-too-large", File, "the age header is larger than any honest one", SEAL),
    row("envelope-header-tampered", File, "the age header was changed after sealing", AGAIN),
    row("envelope-unknown-version", File, "an age format that is not known yet", SEAL),
    row("envelope-armor-invalid", File, "the text armor is damaged", AGAIN),
    row("envelope-passphrase", File, "sealed to a passphrase, not to a recipient", SEAL),
    row("envelope-post-quantum", File, "sealed to a post-quantum recipient", SEAL),
    row(
        "envelope-other-recipient",
        File,
        "sealed to somebody else, or to an identity that was removed",
        "odoo-spoold recipient --account ACCOUNT, and seal it to that",
    ),
    row(
        "envelope-no-identity",
        File,
        "the account has no identity to open it with",
        "odoo-spoold keys list",
    ),
    row("envelope-tampered", File, "the content was changed after sealing", AGAIN),
    row("envelope-sealed-twice", File, "inside is another sealed file", SEAL),
    row(
        "envelope-gzip-outside",
        File,
        "compressed after sealing",
        "drop the .age file itself, without gzip around it",
    ),
    row("envelope-gzip-corrupt", File, "the compressed content is damaged", AGAIN),
    row("envelope-gzip-truncated", File, "the compressed content ends too early", AGAIN),
    row("envelope-gzip-trailing", File, "something follows the compressed content", AGAIN),
    row("envelope-gzip-nested", File, "compressed twice", SEAL),
    row("envelope-gzip-ratio", File, "it unpacks to far more than any report", SHOW),
    row(
        "envelope-too-large",
        File,
        "larger than max_file_size allows",
        "raise max_file_size in config.toml and odoo-spoold reload, or split the report",
    ),
    row(
        "envelope-unauthenticated-failure",
        File,
        "an AES-CBC document did not open: wrong key, or damaged",
        AGAIN,
    ),
    row(
        "envelope-io",
        File,
        "reading the file failed",
        "journalctl -u odoo-spoold; look at the disk",
    ),
    row("sidecar-too-large", File, "the document's JSON is larger than any honest one", AGAIN),
    row("sidecar-json", File, "the document's JSON is not JSON", AGAIN),
    row(
        "sidecar-error-answer",
        File,
        "the document's JSON is an error answer of Amazon",
        "fetch the report document again, then drop both files",
    ),
    row("sidecar-member-twice", File, "the document's JSON says something twice", AGAIN),
    row("sidecar-member", File, "the document's JSON lacks what opens it", AGAIN),
    // keys
    row(
        "keyring-empty",
        Daemon,
        "an account has no age identity",
        "odoo-spoold keys list; odoo-spoold account add ACCOUNT",
    ),
    row(
        "keyring-recipient",
        Daemon,
        "a public key stands where the identity belongs",
        "put the line with AGE-SECRET-KEY-1 there",
    ),
    row(
        "keyring-post-quantum",
        Daemon,
        "a post-quantum identity",
        "odoo-spoold keys rotate identity --account ACCOUNT",
    ),
    row(
        "keyring-plugin",
        Daemon,
        "an identity of a plugin (hardware token)",
        "odoo-spoold keys rotate identity --account ACCOUNT",
    ),
    row(
        "keyring-sealed",
        Daemon,
        "the identity is itself sealed",
        "open it with age -d and store the identity",
    ),
    row(
        "keyring-malformed",
        Daemon,
        "an identity with a wrong character",
        "copy it again; odoo-spoold check",
    ),
    row("recovery-damaged", Command, "not a recovery file, or damaged", "take another copy of it"),
    row(
        "recovery-wrong-key",
        Command,
        "the passphrase or identity is not the one it was sealed to",
        "odoo-spoold setup --restore FILE with the right one",
    ),
    row(
        "seal-no-recipient",
        Command,
        "nobody to seal to was named",
        "odoo-spoold seal --account ACCOUNT FILE",
    ),
    row(
        "seal-secret-key",
        Command,
        "a secret key was given as a recipient",
        "odoo-spoold recipient; treat that key as seen by others",
    ),
    row(
        "seal-recipient-kind",
        Command,
        "a kind of recipient that is not supported",
        "odoo-spoold recipient",
    ),
    row(
        "seal-recipient-malformed",
        Command,
        "not a recipient, or a wrong character",
        "odoo-spoold recipient",
    ),
    row("seal-io", Command, "writing the sealed file failed", "df; look at the disk"),
    // reports
    row("document-read", File, "reading the opened document failed", "journalctl -u odoo-spoold"),
    row("document-empty", File, "the report is empty", SHOW),
    row(
        "document-utf16",
        File,
        "the report is UTF-16: a spreadsheet saved it",
        "drop the report as Amazon gave it",
    ),
    row("document-charset", File, "bytes that are not text in the report's charset", SHOW),
    row("document-nul", File, "a zero byte in the text", SHOW),
    row("document-line-long", File, "a line longer than any row", SHOW),
    row("document-rows", File, "more rows than a report can have", "split the report"),
    row("document-changed", File, "the file changed between two readings", AGAIN),
    row(
        "header-separator",
        File,
        "the columns are not separated by tabs",
        "drop the report as Amazon gave it",
    ),
    row(
        "header-other-report",
        File,
        "a report of a kind that is not taken yet",
        "odoo-spoold files show ID names the kind; drop order reports only",
    ),
    row("header-unknown", File, "the first line is no header that is known", SHOW),
    row(
        "header-missing-columns",
        File,
        "columns are missing that the report cannot be read without",
        SHOW,
    ),
    row("header-duplicate-column", File, "a column stands twice", SHOW),
    row(
        "header-changes",
        File,
        "a second header in the middle: files were joined",
        "drop the files one by one",
    ),
    row("decimal-mark", File, "point or comma: it cannot be told what separates decimals", SHOW),
    // rows
    row("row-cells", Row, "more cells than columns", SHOW),
    row("row-charset", Row, "bytes that are not text", SHOW),
    row("row-line-end", Row, "a carriage return inside the row", SHOW),
    row("row-quote", Row, "a quote is opened and not closed", SHOW),
    row("row-long", Row, "a cell longer than any value of its kind", SHOW),
    row("row-empty", Row, "a cell is empty that must not be", SHOW),
    row("row-id", Row, "an identifier with a character that none has", SHOW),
    row(
        "row-spreadsheet",
        Row,
        "a spreadsheet rewrote the identifier",
        "drop the report as Amazon gave it",
    ),
    row("row-number", Row, "not an amount", SHOW),
    row("row-quantity", Row, "not a number of units", SHOW),
    row("row-date", Row, "not a time with its offset", SHOW),
    row("row-flag", Row, "neither true nor false", SHOW),
    row("row-currency", Row, "not a currency", SHOW),
    row("row-word", Row, "a word that is not known", SHOW),
    row("row-differs", Row, "two rows of one order contradict each other", SHOW),
    row("row-many", Row, "more rows than one order can have", SHOW),
    // Odoo
    row(
        "unreachable",
        Nothing,
        "no connection to Odoo",
        "is Odoo running, and odoo.url right? odoo-spoold check",
    ),
    row("timeout", Nothing, "Odoo did not answer in time", WAIT),
    row("connection_lost", Nothing, "the connection broke before the answer was complete", WAIT),
    row("bad_answer", Nothing, "the answer is not Odoo's", CHECK),
    row(
        "error_page",
        Nothing,
        "an error page that tells no reason",
        "look in Odoo's log; odoo-spoold check",
    ),
    row("unavailable", Nothing, "the proxy does not reach Odoo, or Odoo is starting", WAIT),
    row("overloaded", Nothing, "Odoo asks for patience", WAIT),
    row("serialization", Nothing, "two transactions met on the same records", WAIT),
    row(
        "database_down",
        Nothing,
        "Odoo has no connection to its PostgreSQL",
        "is PostgreSQL running? odoo-spoold status",
    ),
    row("database_gone", Nothing, "the database does not answer any more", CHECK),
    row(
        "unknown_exception",
        Nothing,
        "Odoo failed in a way that is not known",
        "look in Odoo's log; odoo-spoold status",
    ),
    row(
        "no_database",
        Account,
        "there is no such database",
        "correct odoo.database; odoo-spoold check",
    ),
    row(
        "access_denied",
        Account,
        "Odoo refuses the login or its key",
        "odoo-spoold setup --odoo-api-key-file FILE, then systemctl restart odoo-spoold",
    ),
    row(
        "access_error",
        Account,
        "the user lacks a right",
        "odoo-spoold check names the right; give it, then odoo-spoold reload",
    ),
    row("missing_model", Account, "an app is not installed in Odoo", CHECK),
    row("missing_method", Account, "Odoo lacks a method: another version than proven", CHECK),
    row(
        "tls",
        Account,
        "the certificate is not trusted",
        "set odoo.ca_file, or mend the certificate; odoo-spoold check",
    ),
    row("redirected", Account, "odoo.url leads elsewhere", "correct odoo.url; odoo-spoold check"),
    row("validation", Order, "Odoo refuses the values", DEAD),
    row("user_error", Order, "Odoo refuses, and says why", DEAD),
    row("missing_record", Order, "a record was deleted meanwhile", DEAD),
    row("record_rule", Order, "a record rule hides or protects a record", DEAD),
    row("invalid_value", Order, "Odoo does not know a value or field", DEAD),
    row("bad_request", Order, "Odoo does not understand the call", DEAD),
    row("too_large", Order, "the call or its answer is too large", DEAD),
    row(
        "odoo-refuses-all",
        Account,
        "Odoo refuses every record for the same reason",
        "odoo-spoold status; odoo-spoold check",
    ),
    row("odoo-catalog", Account, "what config.toml names is not to be found in Odoo", CHECK),
    row(
        "no-hold",
        Order,
        "an order was held without a reason: a bug",
        "report it with the journal; odoo-spoold dead requeue ACCOUNT ORDER",
    ),
    // the daemon
    row("store", Nothing, "the store failed", "journalctl -u odoo-spoold; look at the disk"),
    row("disk-low", Nothing, "the disk is nearly full", "make room; it goes on by itself"),
    row(
        "conflict",
        Order,
        "a person and the marketplace changed the same thing",
        "odoo-spoold hold show ACCOUNT ORDER",
    ),
    row("spool", Command, "the folder incoming/ cannot be written", "odoo-spoold check --fix"),
    row(
        "trouble",
        Command,
        "what was handed over could not be looked at",
        "journalctl -u odoo-spoold, then again",
    ),
    row(
        "still-working",
        Command,
        "the file is taken in, but not read to its end yet",
        "odoo-spoold files",
    ),
    // the control socket
    row(
        "bad-request",
        Command,
        "the request is not understood",
        "see odoo-spoold(8), or odoo-spoold generate openapi",
    ),
    row("no-such-request", Command, "there is no such request", "odoo-spoold generate openapi"),
    row(
        "account-unknown",
        Command,
        "no account has this id here",
        "odoo-spoold status lists the accounts",
    ),
    row("file-unknown", Command, "no file has this id", "odoo-spoold files list"),
    row(
        "order-unknown",
        Command,
        "no order has this id",
        "check the id; drop the report that has the order",
    ),
    row(
        "order-state",
        Command,
        "the order is not in the state for this",
        "odoo-spoold queue show ACCOUNT ORDER",
    ),
    row(
        "order-not-mapped",
        Command,
        "the order is not in Odoo yet",
        "odoo-spoold queue show ACCOUNT ORDER",
    ),
    row(
        "document-too-large",
        Command,
        "too large to be handed over",
        "put it into the account's incoming/ folder",
    ),
    row(
        "reload-refused",
        Daemon,
        "the new settings or keys are wrong",
        "odoo-spoold check, then odoo-spoold reload",
    ),
    row(
        "store-busy",
        Command,
        "another process has the state directory open",
        "systemctl status odoo-spoold",
    ),
    row(
        "store-damaged",
        Command,
        "a stored value does not open",
        "do what the message says; see \"When the state is lost\" in README.md",
    ),
    row(
        "store-failed",
        Command,
        "the store failed",
        "do what the message says; journalctl -u odoo-spoold",
    ),
    row(
        "internal",
        Command,
        "a bug: the handler ended without an answer",
        "report it, with the journal around this time",
    ),
    row(
        "not-running",
        Command,
        "the daemon does not run",
        "systemctl start odoo-spoold; journalctl -u odoo-spoold",
    ),
    row(
        "denied",
        Command,
        "this user may not ask the daemon",
        "add yourself to the socket's group, or use sudo",
    ),
    row(
        "control-broken",
        Command,
        "the daemon's answer broke off",
        "ask again; journalctl -u odoo-spoold",
    ),
    // commands
    row("usage", Command, "the command cannot mean this", "the message names the option; --help"),
    row(
        "configuration",
        Daemon,
        "config.toml or the keys are wrong",
        "correct what the message shows; odoo-spoold check",
    ),
    row(
        "credential",
        Command,
        "the credential does not open on this host",
        "run it as root on the host that sealed it, or odoo-spoold setup --restore FILE",
    ),
    row(
        "no-credential",
        Command,
        "this host seals no credentials",
        "run it as root, or odoo-spoold setup --keys-in file",
    ),
    row("no-keys", Command, "there are no keys on this host", "odoo-spoold setup"),
    row("not-set-up", Command, "there is no installation here yet", "odoo-spoold setup"),
    row(
        "keys-exist",
        Command,
        "other keys are here already, and keys are never overwritten",
        "odoo-spoold keys list; move them away only if nothing was ever sealed under them",
    ),
    row(
        "key-in-use",
        Command,
        "something is still sealed under this key",
        "wait, or systemctl restart odoo-spoold; then again",
    ),
    row(
        "rotation-unfinished",
        Command,
        "the last rotation's old master key is still there",
        "odoo-spoold keys remove --master ID",
    ),
    row(
        "recipient-unknown",
        Command,
        "no identity of the account has this recipient",
        "odoo-spoold keys list",
    ),
    row(
        "odoo",
        Command,
        "Odoo does not let us in, or cannot be asked",
        "do what the message says; odoo-spoold check",
    ),
    row(
        "host",
        Command,
        "this host gives no more resources",
        "look at its memory and limits, then again",
    ),
    row(
        "terminal",
        Command,
        "the terminal cannot be used",
        "use the options: odoo-spoold setup --non-interactive",
    ),
    row("daemon", Daemon, "the daemon ended", "journalctl -u odoo-spoold"),
    row("exists", Command, "somebody made the file meanwhile", "look at it, then again"),
    row(
        "file",
        Command,
        "a file cannot be read or written",
        "look at its owner, mode and disk, then again",
    ),
    row("output", Command, "writing the answer failed", "look where it goes, then again"),
    row("sealed-twice", Command, "the file is sealed already", "drop it as it is"),
    // the state
    row(
        "state-lost",
        Account,
        "the database is gone or was unreadable and moved aside",
        "odoo-spoold rebuild --dry-run, then odoo-spoold rebuild",
    ),
    row(
        "store-broken",
        Daemon,
        "a write or sync of the database failed: nothing more can be made durable",
        "look at the disk; systemd starts the daemon again, and only what was synced counts",
    ),
    row(
        "journal-damaged",
        Nothing,
        "a part of the decision journal cannot be read; it was kept aside",
        "restore it from a backup if you have one; else nothing",
    ),
    row(
        "clock-ahead",
        Nothing,
        "the clock is far ahead of when it was last believed: nothing is destroyed by it",
        "timedatectl: set the clock, or let it be synchronised",
    ),
    row(
        "clock-behind",
        Nothing,
        "the clock is behind what it was: nothing is destroyed by it",
        "timedatectl: set the clock, or let it be synchronised",
    ),
    // which Odoo
    row(
        "odoo-marker-refused",
        Account,
        "Odoo does not let the account keep its marker",
        "let the integration user create contacts, then odoo-spoold reload",
    ),
    row("odoo-serialization", Nothing, "another transaction of Odoo was faster", WAIT),
    row(
        "reconciling",
        Command,
        "the account is being reconciled, or looks at its Odoo just now",
        "ask again in a moment",
    ),
    // decisions
    row("all-paused", Command, "all accounts are paused together", "odoo-spoold resume --all"),
    row(
        "order-undecidable",
        Command,
        "the order is held by no conflict that a decision could end",
        "odoo-spoold hold list --account ACCOUNT",
    ),
    row(
        "nothing-lost",
        Command,
        "the state is whole: there is nothing to rebuild",
        "nothing; odoo-spoold status says how it stands",
    ),
    row("rebuild-running", Command, "a rebuild is running already", "wait for its end"),
];

#[cfg(test)]
#[path = "codes_tests.rs"]
mod tests;
