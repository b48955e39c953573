//! Codes of the daemon: its keys, its state, its disk, its clock, buyers' days.

use super::Stops::{Account, Command, Daemon, Nothing, Order};
use super::{Code, row};

const CLOCK: &str = "timedatectl: set the clock, or let it be synchronised";

pub(super) const ROWS: &[Code] = &[
    // keys
    row("keyring-empty", Daemon, "an account has no age identity", "odoo-spoold keys list; odoo-spoold account add ACCOUNT"),
    row("keyring-recipient", Daemon, "a public key stands where the identity belongs", "put the line with AGE-SECRET-KEY-1 there"),
    row("keyring-post-quantum", Daemon, "a post-quantum identity", "odoo-spoold keys rotate identity --account ACCOUNT"),
    row("keyring-plugin", Daemon, "an identity of a plugin (hardware token)", "odoo-spoold keys rotate identity --account ACCOUNT"),
    row("keyring-sealed", Daemon, "the identity is itself sealed", "open it with age -d and store the identity"),
    row("keyring-malformed", Daemon, "an identity with a wrong character", "copy it again; odoo-spoold check"),
    // the daemon
    row("store", Nothing, "the store failed", "journalctl -u odoo-spoold; look at the disk").but("What was not stored is done again shortly; files stay in work/ and orders in the queue. Nothing is lost."),
    row("disk-low", Nothing, "the disk is nearly full", "make room; it goes on by itself").but("No file is taken; delivery goes on. Files wait in incoming/ until there is room, without anybody doing anything."),
    row("spool", Command, "the folder incoming/ cannot be written", "odoo-spoold check --fix").but("The file was not handed over; it lies where it was."),
    row("trouble", Command, "what was handed over could not be looked at", "journalctl -u odoo-spoold, then again").but("Nothing was handed over and nothing is kept of it."),
    row("file-waits", Command, "the file that was handed over cannot be read for now", "odoo-spoold files show ID").but("The file is in work/ and is tried again by itself; only the command does not wait for it."),
    row("dry-runs-busy", Command, "two dry runs are under way already", "the same command, when one of them has ended").but("Nothing was handed over and nothing is kept of it."),
    row("still-working", Command, "the file is taken in, but not read to its end yet", "odoo-spoold files").but("The file is taken in and goes on by itself; only the command does not wait for its end."),
    // the state
    row("state-lost", Account, "the database is gone or was unreadable and moved aside", "odoo-spoold rebuild --dry-run, then odoo-spoold rebuild").but("The account claims and delivers nothing until it is rebuilt; its files wait in incoming/, what stands in Odoo is not touched."),
    row("state-schema-old", Daemon, "an older odoo-spoold wrote the state directory, in a form that this version does not read", "install the version that the message names, or move the state directory away and begin anew (\"When the state is lost\" in README.md)").but("The daemon does not start and ends with 78. Nothing of the state was changed or moved."),
    row("state-schema-new", Daemon, "a newer odoo-spoold wrote the state directory", "install the newer version again").but("The daemon does not start and ends with 78. Nothing of the state was changed or moved."),
    row("task-panicked", Nothing, "a part of the daemon panicked: a bug", "report it with the journal").but("What it was doing is done again, or the daemon ends and systemd starts it again; nothing is lost."),
    row("store-broken", Daemon, "a write or sync of the database failed: nothing more can be made durable", "look at the disk; systemd starts the daemon again, and only what was synced counts").but("The daemon ends with 1 and systemd starts it again; it goes on from what is on the disk, and files in work/ are taken up again."),
    row("journal-damaged", Nothing, "a part of the decision journal cannot be read, or its last entries are gone", "put it back from a backup if you have one; then odoo-spoold attention dismiss ACCOUNT --code journal-damaged").but("Everything before and behind that place is used, and work goes on. Decisions that stood there are missing should the state have to be rebuilt."),
    row("clock-ahead", Nothing, "the clock is far ahead of when it was last believed: nothing is destroyed by it", CLOCK).but("Nothing is destroyed or removed. Buyer data that is overdue by this clock does not open, and its orders wait."),
    row("clock-behind", Nothing, "the clock is behind what it was: nothing is destroyed by it", CLOCK).but("Nothing is destroyed or removed. Buyer data that is overdue by this clock does not open, and its orders wait."),
    // buyers
    row("buyer-locked", Nothing, "by the clock the order's buyer is older than 30 days, and nobody vouches for the clock", CLOCK).but("The order waits without an attempt used and is looked at every 10 minutes; nothing is destroyed."),
    row("buyer-key-missing", Nothing, "the key of the day on which the buyer came is missing", "nothing: the sealed files of that day are read again; journalctl -u odoo-spoold says what came of it").but("The order waits without an attempt used until its file was read again; if that is gone, it goes on as if its buyer had expired."),
    row("payload-expired", Order, "nobody has said anything of the order for 18 months", "drop a report that lists the order, or odoo-spoold dead drop ACCOUNT ORDER").but("What was known of the order is gone, and it is dead; what stands of it in Odoo is not touched."),
];
