//! Codes of commands and of the control socket.

use super::Stops::{Command, Daemon};
use super::{Code, row};

pub(super) const ROWS: &[Code] = &[
    // keys
    row("recovery-damaged", Command, "not a recovery file, or damaged", "take another copy of it"),
    row("recovery-wrong-key", Command, "the passphrase or identity is not the one it was sealed to", "odoo-spoold setup --restore FILE with the right one"),
    row("seal-no-recipient", Command, "nobody to seal to was named", "odoo-spoold seal --account ACCOUNT FILE"),
    row("seal-secret-key", Command, "a secret key was given as a recipient", "odoo-spoold recipient; treat that key as seen by others"),
    row("seal-recipient-kind", Command, "a kind of recipient that is not supported", "odoo-spoold recipient"),
    row("seal-recipient-malformed", Command, "not a recipient, or a wrong character", "odoo-spoold recipient"),
    row("seal-io", Command, "writing the sealed file failed", "df; look at the disk"),
    // the control socket
    row("bad-request", Command, "the request is not understood", "see odoo-spoold(8), or odoo-spoold generate openapi"),
    row("no-such-request", Command, "there is no such request", "odoo-spoold generate openapi"),
    row("account-unknown", Command, "no account has this id here", "odoo-spoold status lists the accounts"),
    row("file-unknown", Command, "no file has this id", "odoo-spoold files list"),
    row("order-unknown", Command, "no order has this id", "check the id; drop the report that has the order"),
    row("order-state", Command, "the order is not in the state for this", "odoo-spoold queue show ACCOUNT ORDER"),
    row("order-not-mapped", Command, "the order is not in Odoo yet", "odoo-spoold queue show ACCOUNT ORDER"),
    row("document-too-large", Command, "too large to be handed over", "put it into the account's incoming/ folder"),
    row("reload-refused", Daemon, "the new settings or keys are wrong", "odoo-spoold check, then odoo-spoold reload").but("The settings and keys from before hold on, and work goes on with them."),
    row("store-busy", Command, "another process has the state directory open", "systemctl status odoo-spoold"),
    row("store-damaged", Command, "a stored value does not open", "do what the message says; see \"When the state is lost\" in README.md").but("What that value belongs to cannot be shown or worked on; everything else goes on."),
    row("store-failed", Command, "the store failed", "do what the message says; journalctl -u odoo-spoold"),
    row("internal", Command, "a bug: the handler ended without an answer", "report it, with the journal around this time").but("Whether it was done is not known: look before you ask again. Work under way in the daemon goes on."),
    row("not-running", Command, "the daemon does not run", "systemctl start odoo-spoold; journalctl -u odoo-spoold").but("Files wait in incoming/ and orders in the queue; nothing is lost. Commands that only read show the stored state."),
    row("denied", Command, "this user may not ask the daemon", "add yourself to the socket's group, or use sudo"),
    row("control-broken", Command, "the daemon's answer broke off", "ask again; journalctl -u odoo-spoold").but("Whether it was done is not known: look before you ask again. Work under way in the daemon goes on."),
    // commands
    row("usage", Command, "the command cannot mean this", "the message names the option; --help"),
    row("configuration", Daemon, "config.toml or the keys are wrong", "correct what the message shows; odoo-spoold check").but("The daemon ends with 78 and systemd does not start it again; on a reload it goes on with the settings from before. A command ends before it did anything."),
    row("credential", Command, "the credential does not open on this host", "run it as root on the host that sealed it, or odoo-spoold setup --restore FILE").but("No key was read, written or changed."),
    row("no-credential", Command, "this host seals no credentials", "run it as root, or odoo-spoold setup --keys-in file").but("No key was written or changed."),
    row("no-keys", Command, "there are no keys on this host", "odoo-spoold setup"),
    row("not-set-up", Command, "there is no installation here yet", "odoo-spoold setup"),
    row("keys-exist", Command, "other keys are here already, and keys are never overwritten", "odoo-spoold keys list; move them away only if nothing was ever sealed under them").but("No key was written or changed."),
    row("keys-changed", Command, "another command changed the keys while this one ran", "run the command again").but("No key was written or changed by this command; what the other one wrote stands."),
    row("key-in-use", Command, "something is still sealed under this key", "wait, or do what the message says; then again").but("The key stays where it is, and everything that is sealed under it opens."),
    row("rotation-unfinished", Command, "the last rotation's old master key is still there", "odoo-spoold keys remove --master ID").but("No new key was made; both master keys are kept and everything opens."),
    row("recipient-unknown", Command, "no identity of the account has this recipient", "odoo-spoold keys list"),
    row("odoo", Command, "Odoo does not let us in, or cannot be asked", "do what the message says; odoo-spoold check").but("The command ended; what it had made before stays, and running it again goes on from there. What stands in Odoo is as it was."),
    row("host", Command, "this host gives no more resources", "look at its memory and limits, then again"),
    row("terminal", Command, "the terminal cannot be used", "use the options: odoo-spoold setup --non-interactive"),
    row("daemon", Daemon, "the daemon ended", "journalctl -u odoo-spoold").but("The process ends with 1 and systemd starts it again after 5 seconds; it goes on from what is durable, files in work/ included."),
    row("exists", Command, "somebody made the file meanwhile", "look at it, then again").but("The file that was there is as it was; nothing was written over it."),
    row("file", Command, "a file cannot be read or written", "look at its owner, mode and disk, then again").but("The command ended at that file. What it had done before stays; running it again goes on from there."),
    row("output", Command, "writing the answer failed", "look where it goes, then again").but("What the command was to do may be done; only its answer was lost."),
    row("sealed-twice", Command, "the file is sealed already", "drop it as it is"),
    // decisions
    row("all-paused", Command, "all accounts are paused together", "odoo-spoold resume --all").but("The account stays paused with all the others."),
    row("order-undecidable", Command, "the order is held by no conflict that a decision could end", "odoo-spoold hold list --account ACCOUNT"),
    row("nothing-lost", Command, "the state is whole: there is nothing to rebuild", "nothing; odoo-spoold status says how it stands"),
    row("rebuild-running", Command, "a rebuild is running already", "wait for its end"),
    row("account-off", Command, "the account is switched off in config.toml", "set enabled = true for it, then odoo-spoold reload"),
];
