//! Codes of what Odoo answers, and of which Odoo it is.

use super::Stops::{Account, Command, Nothing, Order};
use super::{Code, row};

const CHECK: &str = "odoo-spoold check";
const WAIT: &str = "nothing; if it lasts: odoo-spoold check, and Odoo's log";
const DEAD: &str = "odoo-spoold dead show ACCOUNT ORDER, mend the record in Odoo, then odoo-spoold dead requeue ACCOUNT ORDER";
const RECONCILE: &str = "odoo-spoold reconcile --account ACCOUNT --dry-run, then without --dry-run";

pub(super) const ROWS: &[Code] = &[
    // Odoo
    row("unreachable", Nothing, "no connection to Odoo", "is Odoo running, and odoo.url right? odoo-spoold check").but("Files are taken in, the orders wait and use up no attempt; Odoo is probed 1 to 30 s apart and delivery goes on by itself."),
    row("timeout", Nothing, "Odoo did not answer in time", WAIT).but("The orders of that call wait out Odoo's limit_time_real, then go again under the same ids and in smaller batches: nothing is doubled. The others wait until Odoo answers."),
    row("connection_lost", Nothing, "the connection broke before the answer was complete", WAIT).but("The orders of that call wait out Odoo's limit_time_real, then go again under the same ids and in smaller batches: nothing is doubled. The others wait until Odoo answers."),
    row("bad_answer", Nothing, "the answer is not Odoo's", CHECK).but("Files are taken in, the orders wait and use up no attempt; Odoo is probed 1 to 30 s apart and delivery goes on by itself."),
    row("error_page", Nothing, "an error page that tells no reason", "look in Odoo's log; odoo-spoold check").but("Files are taken in, the orders wait and use up no attempt; Odoo is probed 1 to 30 s apart and delivery goes on by itself."),
    row("unavailable", Nothing, "the proxy does not reach Odoo, or Odoo is starting; to a command: the daemon is stopping", WAIT).but("Files are taken in, the orders wait and use up no attempt; Odoo is probed 1 to 30 s apart and delivery goes on by itself."),
    row("overloaded", Nothing, "Odoo asks for patience", WAIT).but("Files are taken in, the orders wait and use up no attempt; Odoo is probed 1 to 30 s apart and delivery goes on by itself."),
    row("serialization", Nothing, "two transactions met on the same records", WAIT),
    row("database_down", Nothing, "Odoo answers, its PostgreSQL does not: it is stopped, refuses connections, or the database was renamed or removed", "start PostgreSQL on its host, or put the database back; Odoo's log names the reason").but("Files are taken in, the orders wait and use up no attempt; Odoo is probed 1 to 30 s apart and delivery goes on by itself."),
    row("unknown_exception", Nothing, "Odoo failed in a way that is not known", "look in Odoo's log; odoo-spoold check"),
    row("no_database", Account, "there is no such database", "correct odoo.database; odoo-spoold check").but("The account stops delivering and loses nothing; it is probed again by itself. Another database name needs a restart."),
    row("access_denied", Account, "Odoo refuses the login or its key", "odoo-spoold setup --odoo-api-key-file FILE, then systemctl restart odoo-spoold"),
    row("api-key-ended", Account, "the API key of the integration user has ended: since Odoo 18 keys do, mostly after 90 days", "make a key in Odoo; odoo-spoold setup --odoo-api-key-file FILE; systemctl restart odoo-spoold"),
    row("api-key-ends", Nothing, "the API key of the integration user ends soon", "odoo-spoold keys rotate odoo, or make a key by hand and odoo-spoold setup --odoo-api-key-file FILE").but("Nothing yet. From its end on Odoo refuses every call: orders wait, without an attempt used, until there is another key."),
    row("access_error", Account, "the user lacks a right", "odoo-spoold check names the right; give it, then odoo-spoold reload"),
    row("missing_model", Account, "an app is not installed in Odoo", CHECK),
    row("missing_method", Account, "Odoo lacks a method: another version than proven", CHECK),
    row("tls", Account, "the certificate is not trusted", "set odoo.ca_file, or mend the certificate; odoo-spoold check"),
    row("redirected", Account, "odoo.url leads elsewhere", "correct odoo.url; odoo-spoold check"),
    row("missing_required", Account, "Odoo requires a field that odoo-spoold does not send: somebody's module made it required", "give that field a default in Odoo, or make it optional; odoo-spoold status names it").but("The account stops delivering and uses up no attempt. One order is sent now and then; as soon as it gets through, the others follow by themselves."),
    row("validation", Order, "Odoo refuses the values", DEAD),
    row("user_error", Order, "Odoo refuses, and says why", DEAD),
    row("missing_record", Order, "a record was deleted meanwhile", DEAD),
    row("record_rule", Order, "a record rule hides or protects a record", DEAD),
    row("invalid_value", Order, "Odoo does not know a value or field", DEAD),
    row("bad_request", Order, "Odoo does not understand the call", DEAD),
    row("too_large", Order, "the call or its answer is too large", DEAD).but("The batch is halved until one order stands alone; that one is dead until somebody requeues it."),
    row("odoo-refuses-all", Account, "Odoo refused three different orders in the same words, and none got through between them", "odoo-spoold check; odoo-spoold hold list --code refused, then hold show ACCOUNT ORDER for Odoo's words").but("The refused orders are held (refused), nothing is dead. One of them is sent now and then; as soon as it gets through, the others follow by themselves."),
    row("delivery-panicked", Order, "sending this order made odoo-spoold panic: a bug", "report it with the journal; odoo-spoold dead requeue ACCOUNT ORDER").but("The batch was split until this order stood alone; it is dead until somebody requeues it. Other orders go on."),
    row("odoo-orders-gone", Account, "most of the orders that were looked at are gone from Odoo, with their external ids", "if they were deleted on purpose: odoo-spoold resume --account ACCOUNT --accept-deleted; else restore the database, then odoo-spoold reconcile").but("Nothing of the account is delivered and no order is taken for deleted until a person decides. Files are taken in and orders wait, without an attempt used."),
    row("odoo-catalog", Account, "what config.toml names is not to be found in Odoo", CHECK),
    row("no-hold", Order, "an order was held without a reason: a bug", "report it with the journal; odoo-spoold dead requeue ACCOUNT ORDER"),
    row("odoo-load-unclear", Nothing, "Odoo refused a batch in words that name no order", WAIT).but("The orders of the batch are tried again by themselves, then in halves, until the one that is meant stands alone."),
    row("delivery-incomplete", Nothing, "a delivery ended without a word on this order: a bug", "report it with the journal, if it lasts"),
    row("odoo-state-unclear", Nothing, "a daemon that ended had asked Odoo to confirm or cancel the order, and Odoo may still be at it", WAIT).but("The order is looked at every 2 seconds, and asked for again once odoo.limit_time_real has passed: two calls at once would move its date."),
    row("odoo-create-unclear", Nothing, "Odoo may still be creating the order, and it was cancelled meanwhile", WAIT).but("After odoo.limit_time_real Odoo is asked again: an order that came into being is cancelled."),
    row("odoo-order-refused", Order, "Odoo refuses to create the order", DEAD).but("The order is not created. It is tried once more with its customer made again, then it is dead until somebody requeues it; other orders go on."),
    row("odoo-partner-refused", Order, "Odoo refuses the customer or address of the order", DEAD).but("The order is not created and dead until somebody requeues it; other orders go on."),
    row("odoo-write-refused", Order, "Odoo refuses a change of the order", DEAD).but("The order stays in Odoo as it stands there, without what the marketplace changed; it is dead until somebody requeues it. Other orders go on."),
    // which Odoo
    row("odoo-marker-refused", Account, "Odoo does not let the account keep its marker", "let the integration user create contacts, then odoo-spoold reload"),
    row("odoo-serialization", Nothing, "another transaction of Odoo was faster", WAIT),
    row("reconciling", Command, "the account is being reconciled, or looks at its Odoo just now", "ask again in a moment").but("The command ended and changed nothing; orders of the account wait for the end of that look, without an attempt used."),
    row("odoo-other-database", Account, "config.toml names another URL or database than the one the account's orders stand in", RECONCILE).but("Nothing is written to this Odoo. Files are taken in and orders wait, without an attempt used, until odoo-spoold reconcile."),
    row("odoo-marker-gone", Account, "the account's marker is gone: somebody deleted it, or the database is older than it", RECONCILE).but("Nothing is written to this Odoo. Files are taken in and orders wait, without an attempt used, until odoo-spoold reconcile."),
    row("odoo-restored", Account, "Odoo's database was restored from a backup", RECONCILE).but("Nothing is written to this Odoo. Files are taken in and orders wait, without an attempt used, until odoo-spoold reconcile."),
    row("state-older", Account, "Odoo knows a newer state of this installation: this state was restored, or a second daemon runs with a copy of it", "stop the other daemon, if there is one; odoo-spoold reconcile --account ACCOUNT --dry-run").but("Nothing is written to this Odoo. Files are taken in and orders wait, without an attempt used, until odoo-spoold reconcile."),
    row("id-key-differs", Account, "the account's external ids in this Odoo were made with another id key", "odoo-spoold setup --id-key FILE with the key from your copy, on a new state directory").but("Nothing is written to this Odoo: with this key every order would be doubled. Files are taken in and orders wait."),
];
