//! `keys`: what keys there are and how old; new ones in place of old ones.
//!
//! ```text
//! rotate ─► keys with the new one first, durable ─► recovery file ─► restart ─► (master: all sealed
//! anew, by the daemon) ─► remove the old one
//! ```
//!
//! Promises: a key that something is sealed under is not removed; each step may be the last for a
//! while. Prints no secret key, except into the file that `id-key` writes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use crate::clock::{Clock as _, System};
use crate::config::{
    Keys, KeysDraft, KeysSource, Settings, id_keys_text, identity_created, keys_were_here,
};
use crate::control::client::Patience;
use crate::envelope::{Keyring, generate_identity};
use crate::model::AccountId;

use super::ask::connect;
use super::atomic::{Atomic, Existing};
use super::keystore::{KeyStore, Paths};
use super::output::{Output, when_any};
use super::problem::Problem;
use super::prompt::Terminal;
use super::recover::{self, RecoveryArgs};
use super::{Global, keystore, rotate_odoo, setup};

/// `keys`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: KeysVerb,
}

/// `keys …`
#[derive(Debug, clap::Subcommand)]
pub enum KeysVerb {
    /// List keys and their ages; no secrets
    List,
    /// Put a new key in place of an old one, which stays until it is removed
    Rotate {
        /// Which key.
        #[command(subcommand)]
        what: Rotate,
    },
    /// Remove an old key; refused while something is sealed under it
    Remove(Remove),
    /// Write the id keys to a file, for `setup --id-key` on another host of the same accounts
    IdKey {
        /// Only of this account; can be given again
        #[arg(long, short)]
        account: Vec<AccountId>,
        /// The file; it is made with mode 0600
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
}

/// `keys rotate …`
#[derive(Debug, clap::Subcommand)]
pub enum Rotate {
    /// A new age identity: files are sealed to it from now on, the old ones still open old files
    Identity {
        /// Of this account
        #[arg(long, short)]
        account: AccountId,
        /// The recovery file.
        #[command(flatten)]
        recovery: RecoveryArgs,
    },
    /// A new API key, made by Odoo where it does that for programs (Odoo 19, and a system parameter):
    /// stored, tried, and the old one revoked; run it again where it says so, or where it was stopped
    Odoo {
        /// How long the new one shall live; Odoo allows internal users 90 days, and more to groups
        #[arg(long, value_name = "DAYS", default_value_t = rotate_odoo::DAYS,
            value_parser = clap::value_parser!(u16).range(1..))]
        days: u16,
    },
    /// A new master key: after a restart the daemon seals under it all that it remembers
    Master {
        /// The recovery file.
        #[command(flatten)]
        recovery: RecoveryArgs,
    },
}

/// `keys remove`
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["master", "recipient"])))]
pub struct Remove {
    /// The older master key with this id
    #[arg(long, value_name = "ID")]
    pub master: Option<String>,
    /// The age identity of this recipient (age1…); refused while files in the spool are sealed to it
    #[arg(long, value_name = "RECIPIENT", requires = "account")]
    pub recipient: Option<String>,
    /// Remove the identity although files in the spool are sealed to it: they never open again
    #[arg(long, requires = "recipient")]
    pub force: bool,
    /// The account of that identity
    #[arg(long, short)]
    pub account: Option<AccountId>,
    /// The recovery file.
    #[command(flatten)]
    pub recovery: RecoveryArgs,
}

/// One key, without its secret.
#[derive(Debug, Serialize)]
struct Listed {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<AccountId>,
    name: String,
    #[serde(rename = "use")]
    used: &'static str,
    created: Option<Timestamp>,
    age_days: Option<i64>,
    /// Only Odoo's API key ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<String>,
}

/// What was changed.
#[derive(Debug, Serialize)]
struct Changed {
    done: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<AccountId>,
    name: String,
    restart_needed: bool,
    next_step: String,
}

/// The keys of this host, ready to be changed.
pub(super) struct Bunch {
    store: KeyStore,
    text: SecretString,
    pub(super) keys: Keys,
    pub(super) settings: Settings,
    /// Whether they are the system's own daemon's.
    pub(super) systems: bool,
}

/// Does what is asked for.
pub(super) fn run(global: &Global, args: &Args, out: &mut Output) -> Result<ExitCode, Problem> {
    let bunch = Bunch::load(global)?;
    match &args.verb {
        KeysVerb::List => list(&bunch, out)?,
        KeysVerb::Rotate { what: Rotate::Odoo { days } } => {
            return rotate_odoo::run(bunch, *days, out);
        }
        KeysVerb::Rotate { what: Rotate::Identity { account, recovery } } => {
            let (identity, recipient) = generate_identity();
            let mut draft = bunch.draft()?;
            draft.add_identity(account, &identity, System.now())?;
            bunch.keep(draft, recovery)?;
            let changed = Changed {
                done: "new identity",
                account: Some(account.clone()),
                name: recipient,
                restart_needed: true,
                next_step:
                    "`systemctl restart odoo-spoold`, then let droppers seal to it; when no \
                            file for the old one is left: `odoo-spoold keys remove`"
                        .to_owned(),
            };
            changed.tell(out)?;
        }
        KeysVerb::Rotate { what: Rotate::Master { recovery } } => {
            if let Some(older) = bunch.keys.older.first() {
                return Err(Problem::new(
                    "rotation-unfinished",
                    format!("the older master key {} was not removed yet", older.id),
                )
                .next(format!("`odoo-spoold keys remove --master {}`", older.id)));
            }
            let mut draft = bunch.draft()?;
            let name = draft.add_master(System.now())?;
            bunch.keep(draft, recovery)?;
            let changed = Changed {
                done: "new master key",
                account: None,
                name,
                restart_needed: true,
                next_step: format!(
                    "`systemctl restart odoo-spoold`; when `odoo-spoold status` says that all is \
                     sealed again: `odoo-spoold keys remove --master {}`",
                    bunch.keys.master.id
                ),
            };
            changed.tell(out)?;
        }
        KeysVerb::Remove(remove) => bunch.remove(remove)?.tell(out)?,
        KeysVerb::IdKey { account, output } => id_key(&bunch.keys, account, output, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(bunch: &Bunch, out: &mut Output) -> Result<(), Problem> {
    let keys = &bunch.keys;
    let now = System.now();
    let listed = |kind, account, name, used, created: Option<Timestamp>| Listed {
        kind,
        account,
        name,
        used,
        created,
        ends: None,
        age_days: created.map(|created| now.duration_since(created).as_hours() / 24),
    };
    let master = &keys.master;
    let mut all = vec![listed("master", None, master.id.clone(), "seals", master.created)];
    for older in &keys.older {
        all.push(listed("master", None, older.id.clone(), "opens", older.created));
    }
    for account in &keys.accounts {
        for (position, identity) in account.identities.iter().enumerate() {
            let recipient = recipient(identity)?;
            let used = if position == 0 { "seals" } else { "opens" };
            let created = identity_created(identity);
            all.push(listed("identity", Some(account.id.clone()), recipient, used, created));
        }
    }
    let mut api_key = |used| {
        let name = bunch.settings.odoo.login.clone();
        all.push(listed("odoo", None, name, used, None));
    };
    api_key("opens Odoo");
    if keys.api_key_before.is_some() {
        api_key("to be revoked");
    }
    if let Some(current) = all.iter_mut().find(|key| key.used == "opens Odoo") {
        current.ends = Some(keys.api_key_ends.to_string());
    }
    out.answer(&all, |out, all| {
        let row = |key: &Listed| {
            let account = key.account.as_ref().map(ToString::to_string).unwrap_or_default();
            let age = key.age_days.map(|days| days.to_string()).unwrap_or_default();
            let (name, ends) = (key.name.clone(), key.ends.clone().unwrap_or_default());
            vec![key.kind.into(), account, key.used.into(), age, when_any(key.created), ends, name]
        };
        let rows: Vec<Vec<String>> = all.iter().map(row).collect();
        out.table(&["KEY", "ACCOUNT", "USE", "DAYS", "MADE", "ENDS", "NAME"], &rows, "")
    })
}

fn recipient(identity: &SecretString) -> Result<String, Problem> {
    let keyring = Keyring::from_identities([identity.expose_secret()])?;
    Ok(keyring.recipients().into_iter().next().unwrap_or_default())
}

fn id_key(
    keys: &Keys,
    accounts: &[AccountId],
    path: &Path,
    out: &mut Output,
) -> Result<(), Problem> {
    use std::io::Write as _;
    if let Some(unknown) = accounts.iter().find(|account| keys.account(account).is_none()) {
        return Err(Problem::new("account-unknown", format!("\"{unknown}\" has no keys here"))
            .next("`odoo-spoold keys list`"));
    }
    let failed = |error: std::io::Error| Problem::file("writing it", path, &error);
    let mut atomic = Atomic::create(path).map_err(failed)?;
    let text = id_keys_text(keys, accounts);
    atomic.write_all(text.expose_secret().as_bytes()).map_err(failed)?;
    atomic.keep(0o600, Existing::Stays).map_err(failed)?;
    out.remark("carry it by a safe way and destroy it: whoever has it can guess order ids");
    Ok(())
}

// === impl Bunch ===

impl Bunch {
    fn load(global: &Global) -> Result<Self, Problem> {
        let paths = Paths::new(global);
        let settings = Settings::load(&paths.config)?;
        let named = match &settings.keys {
            KeysSource::File(path) => Some(path.clone()),
            KeysSource::Credential => None,
        };
        let store = KeyStore::find(&paths, named.as_deref(), None).ok_or_else(|| {
            match keys_were_here(&paths.config, &settings.state.dir) {
                Some(trace) => keystore::gone(&trace),
                None => Problem::new("no-keys", "there are no keys on this host")
                    .next("`odoo-spoold setup`"),
            }
        })?;
        let text = store.read()?;
        let keys = KeysDraft::open(store.path(), &text)?.finish()?.1;
        Ok(Self { store, text, keys, settings, systems: global.is_systems() })
    }

    pub(super) fn draft(&self) -> Result<KeysDraft, Problem> {
        Ok(KeysDraft::open(self.store.path(), &self.text)?)
    }

    /// Stores changed keys that seal what these do: the recovery file still holds them.
    pub(super) fn write(&mut self, draft: KeysDraft) -> Result<(), Problem> {
        let (text, keys) = draft.finish()?;
        self.store.write(&text)?;
        self.store.announce(&keys)?;
        self.text = text;
        self.keys = keys;
        Ok(())
    }

    /// Stores the changed keys, and their recovery file.
    fn keep(&self, draft: KeysDraft, recovery: &RecoveryArgs) -> Result<(), Problem> {
        let (text, keys) = draft.finish()?;
        let terminal = Terminal::open();
        let decision = recover::decide(recovery, recover::needed(&keys), terminal.as_ref())?;
        self.store.write(&text)?;
        self.store.announce(&keys)?;
        setup::stop_after("keys");
        if let Some(decision) = decision {
            let _noted =
                setup::note(&self.store, &text, &keys, &decision, &mut setup::Report::default())?;
        }
        Ok(())
    }

    fn remove(&self, remove: &Remove) -> Result<Changed, Problem> {
        let mut draft = self.draft()?;
        let name = if let Some(id) = &remove.master {
            if *id != self.keys.master.id {
                self.unused(id)?;
            }
            draft.remove_master(id)?;
            id.clone()
        } else {
            let (Some(account), Some(wanted)) = (&remove.account, &remove.recipient) else {
                return Err(Problem::usage("name the account and the recipient"));
            };
            let own = self.keys.account(account);
            let mut at = None;
            for (index, identity) in own.into_iter().flat_map(|own| &own.identities).enumerate() {
                if recipient(identity)? == wanted.trim() {
                    at = Some(index);
                }
            }
            let at = at.ok_or_else(|| {
                Problem::new("recipient-unknown", format!("\"{account}\" has no such identity"))
                    .next("`odoo-spoold keys list`")
            })?;
            draft.remove_identity(account, at)?;
            let identity = own.and_then(|own| own.identities.get(at));
            if let Some(identity) = identity.filter(|_| !remove.force) {
                self.unneeded(account, identity)?;
            }
            wanted.trim().to_owned()
        };
        self.keep(draft, &remove.recovery)?;
        Ok(Changed {
            done: "removed",
            account: remove.account.clone(),
            name,
            restart_needed: true,
            next_step: "`systemctl restart odoo-spoold`".to_owned(),
        })
    }

    /// Refuses while files of the account are sealed to this identity alone.
    fn unneeded(&self, account: &AccountId, identity: &SecretString) -> Result<(), Problem> {
        let alone = Keyring::from_identities([identity.expose_secret()])?;
        let spool = &self.settings.spool.dir;
        let failed = |error: std::io::Error| Problem::file("looking for files", spool, &error);
        let found = crate::check::sealed_to(spool, account, &alone).map_err(failed)?;
        if found.is_empty() {
            return Ok(());
        }
        let found: Vec<String> = found
            .iter()
            .map(|(folder, files)| format!("{files} in {}", folder.display()))
            .collect();
        let files = found.join(", ");
        Err(Problem::new("key-in-use", format!("files in the spool are sealed to it: {files}")).next(
            "wait until they are gone (files in done/ and rejected/ are deleted after spool.keep); \
             `reconcile` and `rebuild` read them. Or give them up: --force",
        ))
    }

    /// Only the daemon knows what is sealed under which key.
    fn unused(&self, id: &str) -> Result<(), Problem> {
        let socket = &self.settings.control.socket;
        let status = connect(self.systems, socket, Patience::default())?.status()?;
        let Some(keys) = status.keys else {
            return Err(Problem::new("not-running", "the daemon does not say what it has loaded"));
        };
        if keys.master != self.keys.master.id {
            return Err(Problem::new(
                "key-in-use",
                "the daemon still seals under an older master key",
            )
            .next("`systemctl restart odoo-spoold`"));
        }
        if keys.resealed {
            return Ok(());
        }
        Err(Problem::new("key-in-use", format!("something is still sealed under {id}")).next(
            "wait: the daemon seals it again; `journalctl -u odoo-spoold` says when it is done",
        ))
    }
}

// === impl Changed ===

impl Changed {
    fn tell(&self, out: &mut Output) -> Result<(), Problem> {
        out.answer(self, |out, changed| {
            out.line(format_args!("{}: {}", changed.done, changed.name))?;
            out.line(format_args!("next: {}", changed.next_step))
        })
    }
}
