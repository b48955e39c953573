//! Every transition that reaches the journal: one row, one `MESSAGE_ID`, one function.
//!
//! Promises: ids never change and are never used again; a transition is logged here and nowhere
//! else, with its fields. No buyer data by construction: the arguments are our ids, counts,
//! instants and codes; texts are only those of `Hold::text`, `Refusal` and errors, which are
//! written without content (the model says so); of a code only `a-z 0-9 . _ -` gets through.
//!
//! The table is also the journal's catalog ([`catalog`]): `journalctl -x` prints the summaries.

use std::error::Error;
use std::fmt::{self, Display, Write as _};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use tracing::Level;

use crate::model::{
    AccountId, Counts, Family, FileId, OdooId, OrderId, Refusal, RowFault, counted,
};

use super::phrases::{done, sentence};
use super::{codes, explain};

/// The tracing target of all transitions.
pub const TARGET: &str = "odoo_spoold::event";

/// One kind of record in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// Its name in this table.
    pub name: &'static str,
    /// 128 bits in lower-case hex, for `journalctl MESSAGE_ID=`.
    pub message_id: &'static str,
    /// Its level.
    pub level: Level,
    /// What happened and what the operator does, for the catalog.
    pub summary: &'static str,
    /// Whether its records carry a code, and with it the code's cause, effect and next command.
    pub explains: bool,
}

/// Defines the table, and per row a constant and the function that logs it.
macro_rules! transitions {
    ($(
        $(#[$doc:meta])*
        $name:ident: $level:ident, $id:literal, $summary:literal;
        fn $log:ident($($arg:ident: $ty:ty),* $(,)?) $(explains $code:expr)? => { $($fields:tt)+ }
    )+) => {
        $(
            $(#[$doc])*
            pub const $name: Transition = Transition {
                name: stringify!($name),
                message_id: $id,
                level: Level::$level,
                summary: $summary,
                explains: !<[&str]>::is_empty(&[$(stringify!($code))?]),
            };

            $(#[$doc])*
            pub fn $log($($arg: $ty),*) {
                $(let explained = codes::explained($code);)?
                tracing::event!(
                    target: TARGET, Level::$level, message_id = $id,
                    $(error_code = %Code($code), error_cause = explained.cause,
                    error_effect = explained.effect, error_next = explained.next,)?
                    $($fields)+
                );
            }
        )+

        /// All transitions.
        pub const ALL: &[Transition] = &[$($name),+];
    };
}

transitions! {
    /// A file was taken from `incoming/`.
    FILE_CLAIMED: INFO, "373c25386bc14cce910d61f85d7d890d",
        "A file was taken from incoming/ and has its own name now; it is verified next.";
    fn file_claimed(account: &AccountId, file_id: &FileId, bytes: u64) => {
        account = %account, file_id = %file_id, bytes, "file {file_id} claimed ({bytes} bytes)"
    }

    /// Everything in a file is durable; it lies in `done/`.
    FILE_DONE: INFO, "e129452ebaad40acbf4e1d0d95ff0b29",
        "Every row of the file is stored durably; orders follow on their own. The result file \
         beside it has the numbers.";
    fn file_done(account: &AccountId, file_id: &FileId, family: Family, counts: &Counts, from: Timestamp) => {
        account = %account, file_id = %file_id, report_type = family.name(), rows = counts.rows,
        refused = counts.refused, orders = counts.orders, new = counts.new,
        changed = counts.changed, unchanged = counts.unchanged,
        before_import_from = counts.before_import_from, "file {file_id} done: {}", done(counts, from)
    }

    /// A file was refused as a whole; it lies in `rejected/` with its reason.
    FILE_REJECTED: WARN, "43712decca8c446ca02542108e19cea3",
        "The file was refused as a whole and nothing of it was used. It lies in rejected/ with \
         a reason file; drop it again once the cause is mended.";
    fn file_rejected(account: &AccountId, file_id: &FileId, refusal: &Refusal) explains &refusal.code => {
        account = %account, file_id = %file_id, line = refusal.line, column = refusal.column, next_step = %refusal.next_step,
        "file {file_id} rejected: {} Next: {}", sentence(&refusal.sentence), refusal.next_step
    }

    /// One order of a file could not be stored; the others of the file were.
    ORDER_REFUSED: WARN, "5d0d6d0c3a5b4a0f8f6c7a1de2b94c71",
        "What a file says of one order could not be stored: the rest of the file was taken. The \
         message says why.";
    fn order_refused(account: &AccountId, file_id: &FileId, order: &OrderId, fault: &RowFault) explains &fault.code => {
        account = %account, file_id = %file_id, order_ref = %order, line = fault.line,
        "order {order} of file {file_id} refused: {}", fault.message
    }

    /// A claimed file cannot be read for now; it stays in `work/`, other files go on.
    FILE_WAITS: ERROR, "b0f0c1d27c4e4a5c9d1f5f0a6f1f5d3e",
        "A claimed file cannot be read for now. It stays in work/ and is tried again by itself, \
         each time later; other files go on. odoo-spoold status names it until then.";
    fn file_waits(account: &AccountId, file_id: &FileId, tries: u32, why: &str, next: Timestamp) => {
        account = %account, file_id = %file_id, attempt = tries,
        "file {file_id} cannot be taken in now and stays in work/: {why}; next try {next}"
    }

    /// Something in `incoming/` is left where it is. `name` only if the spool found it harmless.
    FILE_LEFT: WARN, "cdf2b46638b84bf785661d785ae4783f",
        "Something in incoming/ is not taken and stays where it is. The message says why and \
         what to do.";
    fn file_left(account: &AccountId, name: Option<&str>, what: &dyn Display, cure: &str) => {
        account = %account, file_name = name, next_step = cure,
        "{} in incoming/ is left: {what}; {cure}", name.unwrap_or("something")
    }

    /// A sale order was created in Odoo.
    ORDER_CREATED: INFO, "10f57a6e8ea8439d9228b868a25d9a55",
        "A sale order was created in Odoo.";
    fn order_created(account: &AccountId, order: &OrderId, odoo_id: OdooId) => {
        account = %account, order_ref = %order, odoo_id,
        "order {order} created as sale.order {odoo_id}"
    }

    /// A sale order was confirmed in Odoo.
    ORDER_CONFIRMED: INFO, "60017986a87e4c31876ff067b0a80ed8",
        "A sale order was confirmed in Odoo.";
    fn order_confirmed(account: &AccountId, order: &OrderId) => {
        account = %account, order_ref = %order, "order {order} confirmed"
    }

    /// An order stands in Odoo as the marketplace has it.
    ORDER_DELIVERED: INFO, "452e517e252240bd8530c20ea1044cb8",
        "The order stands in Odoo as the marketplace has it; nothing is left to do.";
    fn order_delivered(account: &AccountId, order: &OrderId) => {
        account = %account, order_ref = %order, "order {order} delivered"
    }

    /// An order was cancelled in Odoo.
    ORDER_CANCELLED: INFO, "69ed5a95f96f4cd88a8c164ac6c0c846",
        "The marketplace cancelled the order, and so it is in Odoo.";
    fn order_cancelled(account: &AccountId, order: &OrderId) => {
        account = %account, order_ref = %order, outcome = "cancelled",
        "order {order} cancelled in Odoo"
    }

    /// An order stood in Odoo before; it is known now and never written.
    ORDER_ADOPTED: INFO, "41647f24f87046e88175992e0c3541f7",
        "An order with this reference stood in Odoo before. It is known now and never written.";
    fn order_adopted(account: &AccountId, order: &OrderId) => {
        account = %account, order_ref = %order, outcome = "adopted",
        "order {order} was in Odoo before: adopted, never written"
    }

    /// An order ended without anything to write; the outcome says why.
    ORDER_NOTHING_TO_DO: INFO, "a22948c041114d50a7abf730fd626b68",
        "The order needs nothing in Odoo; the outcome says why.";
    fn order_nothing_to_do(account: &AccountId, order: &OrderId, outcome: &str) => {
        account = %account, order_ref = %order, outcome = %Code(outcome),
        "order {order} done: {}", Code(outcome)
    }

    /// An order waits for what a later report brings: nothing for anybody to do.
    ORDER_EXPECTED: INFO, "5d1b8e0f7c3a4e52b6d0a9f3c47e8125",
        "The order waits for a later report. The message names what is missing; the order goes on \
         by itself when a file brings it.";
    fn order_expected(account: &AccountId, order: &OrderId, code: &str, text: &str) explains code => {
        account = %account, order_ref = %order, "order {order} waits ({}): {text}", Code(code)
    }

    /// An order waits for a missing thing or a person.
    ORDER_WAITING: WARN, "3ff593c86f404a5b97d9483b70ecd39c",
        "The order waits for something. The message names it; the order goes on by itself once \
         it is there, or when a person decides (odoo-spoold hold).";
    fn order_waiting(account: &AccountId, order: &OrderId, code: &str, text: &str) explains code => {
        account = %account, order_ref = %order, "order {order} held ({}): {text}", Code(code)
    }

    /// A person and the marketplace changed the same thing.
    ORDER_CONFLICT: WARN, "462ba0a301ea435d9d22887a8b166c6c",
        "A person and the marketplace changed the same thing. Nothing is overwritten: decide \
         with odoo-spoold hold.";
    fn order_conflict(account: &AccountId, order: &OrderId, text: &str) explains "conflict" => {
        account = %account, order_ref = %order, "order {order} conflict: {text}"
    }

    /// Orders that waited go on.
    RELEASED: INFO, "b402c230c9924146af5bb5c8fad737e2",
        "Orders that waited for this go on.";
    fn orders_released(account: &AccountId, code: &str, orders: u64) => {
        account = %account, error_code = %Code(code), orders, "{} ({}) go on", counted(orders, "held order"),
        Code(code)
    }

    /// An order was refused for good; it is kept and can be requeued.
    ORDER_DEAD: ERROR, "10e7796cf7e64f73a10d739d9a10f7e7",
        "Odoo refuses the order and no retry can help. It is kept: odoo-spoold dead shows \
         Odoo's words; requeue it once the cause is mended.";
    fn order_dead(account: &AccountId, order: &OrderId, code: &str) explains code => {
        account = %account, order_ref = %order,
        "order {order} dead: {}. Next: odoo-spoold dead show {account} {order}", Code(code)
    }

    /// A batch made the daemon panic.
    BATCH_PANICKED: ERROR, "5f3c1de08a7b4c6d9e2471b0c8fa6d35",
        "Sending a batch of orders made a part of the daemon panic: a bug. Its orders go back and \
         are sent again in ever smaller batches, until the one that causes it stands alone; the \
         others go on. Report it with the journal.";
    fn batch_panicked(account: &AccountId, orders: usize) explains "delivery-panicked" => {
        account = %account, orders,
        "account {account}: a batch of {} made odoo-spoold panic; it is split",
        counted(orders, "order")
    }

    /// A task of the daemon panicked.
    TASK_PANICKED: ERROR, "c40be7a9d51f4f0f8a6e93d27b1c5e88",
        "A part of the daemon panicked: a bug. What it was doing is done again, or the daemon ends \
         and systemd starts it again; nothing is lost. Report it with the journal.";
    fn task_panicked(task: &str, place: &str) explains "task-panicked" => {
        task, place, "a part of odoo-spoold panicked: {task}, at {place}"
    }

    /// An order is tried again later.
    ORDER_RETRY: WARN, "44a62221cff04c91882f188701842cfd",
        "A call to Odoo failed in a way that passes. The order is tried again by itself.";
    fn order_retry(account: &AccountId, order: &OrderId, attempt: u32, code: &str) explains code => {
        account = %account, order_ref = %order, attempt,
        "order {order} is tried again after attempt {attempt}: {}", Code(code)
    }

    /// The API key ends soon.
    API_KEY_ENDS: WARN, "7c1e0b5a94d84f2fa6d35b8c12e7f096",
        "The API key of the integration user ends soon: since Odoo 18 keys do, mostly after 90 days. \
         From then on Odoo refuses every call and orders wait. This is said 30, 14, 7 and 1 days \
         before. Make a new key in time: odoo-spoold keys rotate odoo";
    fn api_key_ends(end: Timestamp, left: &str, which: &str) explains "api-key-ends" => {
        ends = %end, left,
        "{which} ends on {end}, in {left}. Next: odoo-spoold keys rotate odoo"
    }

    /// An account stopped: Odoo refuses its user, database or rights.
    ACCOUNT_PAUSED: ERROR, "b2db33c6a83d43139c33ae98834a99ab",
        "Odoo refuses this account's user, key, database or rights. Nothing is delivered and no \
         attempt is used up; it is probed ever less often. Mend it, then reload; \
         another address, database or login needs a restart.";
    fn account_paused(account: &AccountId, code: &str, next_step: &str) explains code => {
        account = %account, next_step,
        "account {account} paused ({}): {next_step}", Code(code)
    }

    /// A person paused an account.
    ACCOUNT_PAUSED_BY_OPERATOR: INFO, "6bc0c4ed65dc4d9eac2690112eb6f37a",
        "A person paused the account. Files are taken in unless that was to rest as well; nothing \
         is delivered until odoo-spoold resume. The pause outlives restarts.";
    fn account_paused_by_operator(account: &AccountId, uid: Option<u32>) => {
        account = %account, uid,
        "account {account} paused by {}; `odoo-spoold resume` ends it", Uid(uid)
    }

    /// This may not be the Odoo that the account's orders stand in.
    ODOO_DOUBTED: ERROR, "71733717b97b4ee9afb2f0d6f617d9d7",
        "This may not be the Odoo that the account's orders stand in: another database, a restored \
         backup, or a marker that is gone. Nothing is written there. The message says since when; \
         odoo-spoold reconcile says what is missing and goes on.";
    fn odoo_doubted(account: &AccountId, code: &str, next_step: &str) explains code => {
        account = %account, next_step,
        "account {account} paused ({}): {next_step}", Code(code)
    }

    /// A person said that this is the account's Odoo; what was missing is created again.
    RECONCILED: INFO, "3afffe847ddf4c15a0ad3c4ac6b6befb",
        "A person said that this is the account's Odoo. Orders that were missing there are created \
         again, under the same external ids.";
    fn reconciled(account: &AccountId, checked: u64, requeued: u64) => {
        account = %account, checked, requeued,
        "account {account} reconciled: {} checked, {requeued} to be delivered again",
        counted(checked, "order")
    }

    /// An account delivers again: a person resumed it, or Odoo no longer refuses it.
    ACCOUNT_RESUMED: INFO, "23079f44a3e54f55bd398755e503efcc",
        "The account delivers again.";
    fn account_resumed(account: &AccountId) => {
        account = %account, "account {account} delivers again"
    }

    /// Odoo does not answer.
    ODOO_UNREACHABLE: WARN, "ff683fe6f12d4c769fb3644c743467c0",
        "Odoo does not answer. Files are still taken; orders wait durably and go on by \
         themselves.";
    fn odoo_unreachable(account: &AccountId, code: &str, seen: &str) explains code => {
        account = %account, next_step = UNREACHABLE_NEXT,
        "Odoo is not reachable ({}), orders wait: {} Next: {UNREACHABLE_NEXT}", Code(code), sentence(seen)
    }

    /// Odoo answers again.
    ODOO_BACK: INFO, "bf77da673d334f398c450b432c9675aa",
        "Odoo answers again; delivery goes on.";
    fn odoo_back(account: &AccountId, since: Timestamp, now: Timestamp) => {
        account = %account, since = %since,
        down_secs = now.as_second().saturating_sub(since.as_second()),
        "Odoo answers again, after {} s", now.as_second().saturating_sub(since.as_second())
    }

    /// A stored job cannot be read.
    JOB_UNREADABLE: ERROR, "c8dbb94bff054e07969e0111dcaaa632",
        "A stored job cannot be read: the disk or the keys changed. Others are not affected; \
         restore the keys it was sealed under, or drop its sealed file again.";
    fn job_unreadable(account: &AccountId, key: &str) explains "store-damaged" => {
        account = %account, job_key = key, "stored job {key} cannot be read"
    }

    /// The store failed; it is tried again shortly.
    STORE_TROUBLE: ERROR, "d9af87038cee49bb80a59c1eaeb5a287",
        "The store failed. Nothing is lost: what was not stored is done again. Look at the disk.";
    fn store_trouble(account: &AccountId, error: &str) explains "store" => {
        account = %account, "store: {error}"
    }

    /// The disk failed the store: the daemon ends, the next one reads what is really there.
    STORE_BROKEN: ERROR, "5b0d7a41c2f94e7e9f3d86a1e4c7720b",
        "The disk refused the store a write or a sync. Nothing after that would be durable, so the \
         daemon ends and systemd starts it again; it goes on from what is on the disk. Nothing is \
         lost. Look at the disk: space, mount, kernel log.";
    fn store_broken() explains "store-broken" => {
        "the disk refused the store a write: ending, to start again from what is on the disk"
    }

    /// What was known of an account is lost: it stays closed until it is rebuilt.
    STATE_LOST: ERROR, "3c0f8b6e5d1a4f7db92e64c8a7105bd3",
        "What was known of this account's orders is lost: the database was gone, or could not be \
         read and was moved aside. Nothing is claimed or delivered. Run: odoo-spoold rebuild";
    fn state_lost(account: &AccountId) explains "state-lost" => {
        account = %account,
        "account {account}: what was known is lost; nothing moves before `odoo-spoold rebuild`"
    }

    /// A lost account is open again.
    STATE_REBUILT: INFO, "8e5a17c2904b4d36a1f0d7be63c2f948",
        "What was known of this account's orders was brought back from Odoo, the files in the \
         spool and the decision journal. Work goes on.";
    fn state_rebuilt(account: &AccountId, orders: u64, deleted: u64, files: u64) => {
        account = %account, orders, deleted, files,
        "account {account}: rebuilt, {} in Odoo, {deleted} deleted by people, {}",
        counted(orders, "order"), counted(files, "file")
    }

    /// A place in the decision journal cannot be read; everything else in it is used.
    JOURNAL_DAMAGED: ERROR, "b74d2e90c8f1463e95a0617d3fbc28e4",
        "A part of the decision journal cannot be read. Everything before and behind it is used. \
         Check the disk; restore the file from a backup if one is newer than the damage.";
    fn journal_damaged(at: u64, bytes: u64, lost: u64) explains "journal-damaged" => {
        at, bytes, lost,
        "the decision journal is damaged at byte {at} ({bytes} bytes, {lost} entries known to be missing)"
    }

    /// The decision journal has fewer entries than the database knows of.
    JOURNAL_SHORT: ERROR, "a1f64b0ce83d4f0fb2d97c5e16a8403b",
        "The decision journal ends earlier than it did: its last entries were cut off, or an older \
         copy was put in its place. What is there is used. Put the newest copy back if there is one.";
    fn journal_short(early: u64) explains "journal-damaged" => {
        early,
        "the decision journal ends {early} entries early"
    }

    /// The disk is nearly full: no file is taken until there is room.
    DISK_LOW: WARN, "26562633dac74054a861ef542a1216ad",
        "The disk is nearly full, or mounted read-only. No file is taken; delivery goes on. It \
         resumes by itself when there is room.";
    fn disk_low(path: &Path, free_bytes: u64, why: &str) explains "disk-low" => {
        path = %path.display(), free_bytes,
        "{}: {why}: no file is taken until that is put right", path.display()
    }

    /// There is room again.
    DISK_BACK: INFO, "dc8ce4d8e3484cea85b50bff794089f0",
        "There is room on the disk again; files are taken.";
    fn disk_back(path: &Path, free_bytes: u64) => {
        path = %path.display(), free_bytes,
        "{}: has room again ({free_bytes} bytes free)", path.display()
    }

    /// The daemon serves.
    READY: INFO, "84418d0298e14cb1a484bc7f7ce90faf",
        "The daemon is up and takes files.";
    fn daemon_ready(accounts: usize, took: Duration) => {
        accounts, took_ms = millis(took), "ready: {}, after {} ms", counted(accounts, "account"), millis(took)
    }

    /// The daemon ends.
    STOPPING: INFO, "4489972e34cd4a7891f9925ad2fac51b",
        "The daemon ends: calls under way are finished, nothing new begins.";
    fn daemon_stopping() => {
        "stopping"
    }

    /// New settings hold.
    RELOADED: INFO, "b0956979c1f149ceb52b39b19cfc8d2b",
        "The new settings hold. Those that need a restart are named.";
    fn daemon_reloaded(live: usize, restart: &[&'static str]) => {
        live, restart = restart.join(" "), "reloaded: {}{}{}", counted(live, "change"),
        if restart.is_empty() { "" } else { "; these wait for a restart: " }, restart.join(", ")
    }

    /// Nothing is sealed under older master keys any more.
    RESEALED: INFO, "e3b2f4a85c0d4f6fb7a1907c2d64e851",
        "Everything the daemon remembers is sealed under the newest master key now. The older ones \
         can be removed: odoo-spoold keys remove --master ID.";
    fn resealed(master: &str, values: u64) => {
        master, values, "{values} values are sealed under the master key {master} now; older ones can go"
    }

    /// The new settings are wrong; the old ones hold on.
    RELOAD_REFUSED: ERROR, "1060cbdfecfb4bbaa83d20f1381a5812",
        "The new settings are wrong and were not taken; the old ones hold on. Check them with \
         odoo-spoold check.";
    fn reload_refused(error: &dyn Error) explains "reload-refused" => {
        "reload refused, the old settings hold on: {error}"
    }

    /// A loop does not report; systemd will restart the daemon.
    LOOP_SILENT: ERROR, "1a6cedad015f45239db1a633b6c541a2",
        "A part of the daemon hangs. The watchdog is not fed any more; systemd restarts the \
         daemon. Nothing is lost.";
    fn loop_silent(name: &'static str) => {
        loop_name = name, "{name} does not report: the watchdog is not fed"
    }

    /// Log records were dropped because the journal did not take them.
    LOG_DROPPED: WARN, "f72e4a510d1b4c6187e641c51da3af96",
        "The journal did not take records for a while. They were dropped so that the daemon \
         went on.";
    fn log_dropped(records: u64) => {
        records, "{records} log records were dropped: the journal did not take them"
    }

    /// A day's buyers are too old by the clock, and nobody vouches for the clock.
    BUYERS_LOCKED: WARN, "fff716c38f79413ab430952fdd77dadd",
        "By this clock the buyer data of a day is older than 30 days, so it does not open any more. \
         Nobody vouches for the clock, so nothing is destroyed: orders wait. Set the clock right \
         (timedatectl), or let a time service do it.";
    fn buyers_locked(day: Date) => {
        day = %day, "buyer data of {day} is overdue by the clock and locked; it is not destroyed before \
         the clock can be believed"
    }

    /// A day's key is destroyed, and its buyers are gone from the store.
    BUYERS_DESTROYED: INFO, "c85862e56d564b419f7c2c4d47fa7eb6",
        "The buyer data of a day is older than 30 days. Its key was destroyed. Orders that still waited \
         with it go on with the anonymous partner, or are held address-expired.";
    fn buyers_destroyed(day: Date, values: u64, orders: u64) => {
        day = %day, values, orders,
        "buyer data of {day} destroyed; {} still waited with it", counted(orders, "order")
    }

    /// Orders wait with buyers that end soon.
    BUYERS_WAITING: WARN, "67d3b29da52b483f80b8665768d06051",
        "Orders that are not delivered yet wait with buyer data that is destroyed soon, 30 days after \
         it came. See what they wait for, and end that.";
    fn buyers_waiting(day: Date, ends: Date, orders: u64) => {
        day = %day, ends = %ends, orders, next_step = "odoo-spoold hold list",
        "{orders} orders still wait with buyer data of {day}; it is destroyed on {ends}. Next: \
         odoo-spoold hold list"
    }

    /// A day's key was lost, and the sealed files of that day were read again.
    BUYERS_READ_AGAIN: WARN, "f0648a9f388e4241a94f633f45854d8e",
        "The key of a day is missing although nobody destroyed it. The files of that day that are \
         still in done/ were read again. Orders whose file is gone go on as if their buyer had expired.";
    fn buyers_read_again(account: &AccountId, day: Date, files: u64, restored: u64, lost: u64) => {
        account = %account, day = %day, files, restored, lost,
        "the key of {day} is missing: {files} files were read again, {restored} buyers are back, \
         {lost} orders go on without theirs"
    }

    /// Files in `done/` and `rejected/` were removed.
    FILES_EXPIRED: INFO, "89fbb9e81f0643c69e767ad7a8a2f392",
        "Files in done/ and rejected/ were older than spool.keep and were removed. What unsettled \
         orders need of them is in the decision journal.";
    fn files_expired(files: u64, kept: u64) => {
        files, kept, "{files} files expired and were removed; {kept} unsettled orders were kept \
         in the journal before"
    }

    /// Nobody said anything of these orders for 18 months.
    RECORDS_EXPIRED: INFO, "b893a21166e04579879b517f0f5190d6",
        "Nobody said anything of these orders for 18 months. Settled ones now keep only what stands \
         in Odoo; the others are dead.";
    fn records_expired(settled: u64, dead: u64) => {
        settled, dead, "{settled} settled orders keep only what stands in Odoo; {dead} unsettled ones died"
    }

    /// Nobody vouches for the clock.
    CLOCK_DOUBTED: WARN, "ad0b920625af4da19ac4e01840ff1253",
        "The clock is more than two days off from where it was, and neither a time service nor another \
         host vouches for it. Nothing is destroyed until it can be believed. See timedatectl.";
    fn clock_doubted(code: &str, now: Timestamp, believed: Option<Timestamp>) explains code => {
        clock = %now, believed = believed.map(tracing::field::display),
        next_step = "timedatectl",
        "the clock cannot be believed ({}): nothing is destroyed meanwhile. Next: timedatectl", Code(code)
    }

    /// A confirmation is older than the call for it.
    CLOCK_AHEAD: WARN, "168fa876207741459efd30777bcef557",
        "Odoo's confirmation of an order is older than the call for it: the clock of this host and the \
         Date header of Odoo's answers are ahead of Odoo's own clock. The purchase date was put back all \
         the same; after a crash in such a moment it is asked about. Set the clocks right (timedatectl \
         on this host, Odoo's and the proxy's).";
    fn clock_ahead_of_odoo(account: &AccountId, seconds: i64) => {
        account = %account, seconds, next_step = "timedatectl",
        "the clock is {seconds} s ahead of Odoo's: account {account}. Next: set the clocks of this host, \
         Odoo and the proxy right"
    }

    /// The clock can be believed again.
    CLOCK_BELIEVED: INFO, "7debba4246fc415b860fc4f7007f372f",
        "The clock can be believed again; what is overdue is destroyed.";
    fn clock_believed(now: Timestamp) => {
        clock = %now, "the clock can be believed again"
    }
}

/// What helps against an Odoo that does not answer.
const UNREACHABLE_NEXT: &str = "nothing if Odoo is being restarted; else see that it runs and that \
                                this host reaches it (odoo-spoold check)";

/// A user in a sentence.
struct Uid(Option<u32>);

impl Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(uid) => write!(f, "uid {uid}"),
            None => f.write_str("somebody"),
        }
    }
}

/// The journal's message catalog, as `/usr/lib/systemd/catalog` wants it.
pub fn catalog() -> String {
    let mut text = String::new();
    for transition in ALL {
        let subject = transition.name.to_ascii_lowercase().replace('_', " ");
        let (page, places) = if transition.explains {
            ("odoo-spoold-errors(7)", format!("\n{}\n", explain::PLACES))
        } else {
            ("odoo-spoold(8)", String::new())
        };
        // Writing into a string cannot fail.
        let _infallible = writeln!(
            text,
            "-- {}\nSubject: odoo-spoold: {subject}\nDefined-By: odoo-spoold\nDocumentation: \
             man:{page}\n\n{}\n{places}",
            transition.message_id, transition.summary
        );
    }
    text
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A code on its way into the journal: what does not look like one is not printed.
struct Code<'a>(&'a str);

impl Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        let fits = (1..=64).contains(&self.0.len()) && self.0.chars().all(plain);
        f.write_str(if fits { self.0 } else { "not-a-code" })
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
