//! `setup` and `account add`: from an installed package to one that can start.
//!
//! ```text
//! gather ─► keys ─► recovery file ─► note it in the keys ─► config.toml ─► folders ─► check
//! ask, probe   durable   durable                              durable
//! ```
//!
//! Promises: nothing is written before everything is known and Odoo has let us in; nothing uses a
//! key before it and its recovery file are on the disk; keys that exist are never replaced. Stopped
//! anywhere, it is run again and goes on; run again when done, it changes nothing and says so.

mod answers;
mod conf;
mod gone;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::civil::Date;
use secrecy::{ExposeSecret as _, SecretString};

use crate::check::prepare::{self, Owner};
use crate::clock::{Clock as _, System};
use crate::config::{Keys, KeysDraft, Settings, read_id_keys};
use crate::envelope::generate_identity;
use crate::model::{AccountId, KeyEnd};

use super::Global;
use super::keystore::{Keep, KeyStore, Paths, Place};
use super::output::Output;
use super::problem::Problem;
use super::prompt::Terminal;
use super::recover::{self, Decision, RecoveryArgs};

use answers::{AccountSpec, Answers};
pub(super) use report::Report;

/// The group of those who drop files, as the package makes it.
const DROP_GROUP: &str = "odoo-spoold-drop";
/// The daemon's user, as the package makes it.
const SERVICE_USER: &str = "odoo-spoold";

/// Makes keys, settings and folders; tests Odoo; ends with `check`.
#[derive(Debug, Clone, Default, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub struct Args {
    /// Ask nothing: what is missing is an error that names the option
    #[arg(long)]
    pub non_interactive: bool,
    /// Where Odoo is, such as `https://erp.example.com` or `http://localhost:8069`
    #[arg(long, value_name = "URL")]
    pub odoo_url: Option<String>,
    /// Odoo's database
    #[arg(long, value_name = "NAME")]
    pub odoo_database: Option<String>,
    /// The login of the integration user
    #[arg(long, value_name = "LOGIN")]
    pub odoo_login: Option<String>,
    /// Take the integration user's API key from this file, or stdin (-)
    #[arg(long, value_name = "FILE")]
    pub odoo_api_key_file: Option<PathBuf>,
    /// The day on which that key ends (as in 2027-02-26), or `never`; only needed where Odoo does not
    /// tell: keys end since Odoo 18
    #[arg(long, value_name = "DAY")]
    pub odoo_api_key_ends: Option<KeyEnd>,
    /// Trust this private certificate authority (PEM) too
    #[arg(long, value_name = "FILE")]
    pub odoo_ca_file: Option<PathBuf>,
    /// A seller account: its id, and its region (EU, NA, FE) where the id does not begin with it;
    /// can be given again
    #[arg(long, value_name = "ID[:REGION]")]
    pub account: Vec<AccountSpec>,
    /// The company in Odoo that sells: its exact name, or its database id; without it the only one
    /// that the user may work for
    #[arg(long, value_name = "NAME")]
    pub company: Option<String>,
    /// Orders from this day on, as in 2026-11-28; earlier purchases are counted, not created. Without
    /// it from the day of the first run
    #[arg(long, value_name = "DAY")]
    pub import_from: Option<Date>,
    /// Make in Odoo what is safe to make, as `check --fix` does: the fee products
    #[arg(long)]
    pub fix: bool,
    /// The group that may drop files into incoming/; without it the package's, odoo-spoold-drop
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    /// Where to keep the keys
    #[arg(long, value_enum, default_value_t)]
    pub keys_in: Keep,
    /// Take all keys from this recovery file: the same identities, the same external ids
    #[arg(long, value_name = "FILE")]
    pub restore: Option<PathBuf>,
    /// Make new keys although this host had some and no recovery file is left: what is sealed stays
    /// closed, and each account is paused (id-key-differs) until its marker in Odoo is removed. With
    /// --restore: for those accounts alone that the recovery file does not have
    #[arg(long)]
    pub new_keys: bool,
    /// Open that file (or the one of --id-key) with this age identity file
    #[arg(long, value_name = "FILE")]
    pub recovery_identity: Option<PathBuf>,
    /// Take the accounts' id keys from this file (`odoo-spoold keys id-key`, or a recovery file):
    /// for a second host of the same accounts, which then knows the same buyers
    #[arg(long, value_name = "FILE")]
    pub id_key: Option<PathBuf>,
    /// Do not ask Odoo anything; --company is needed then
    #[arg(long)]
    pub skip_odoo: bool,
    /// The recovery file.
    #[command(flatten)]
    pub recovery: RecoveryArgs,
}

/// `account`
#[derive(Debug, clap::Args)]
pub struct Account {
    /// What to do.
    #[command(subcommand)]
    pub verb: AccountVerb,
}

/// `account …`
#[derive(Debug, clap::Subcommand)]
pub enum AccountVerb {
    /// Add a seller account: its keys, its settings, its folders
    Add(AccountAdd),
}

/// `account add`
#[derive(Debug, clap::Args)]
pub struct AccountAdd {
    /// Its id, and its region (EU, NA, FE) where the id does not begin with it
    #[arg(value_name = "ID[:REGION]")]
    pub account: AccountSpec,
    /// Ask nothing: what is missing is an error that names the option
    #[arg(long)]
    pub non_interactive: bool,
    /// The company in Odoo that sells: its exact name, or its database id
    #[arg(long, value_name = "NAME")]
    pub company: Option<String>,
    /// The group that may drop files into incoming/; without it the package's, odoo-spoold-drop
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    /// Do not ask Odoo anything; --company is needed then
    #[arg(long)]
    pub skip_odoo: bool,
    /// The recovery file.
    #[command(flatten)]
    pub recovery: RecoveryArgs,
}

/// What is on this host before anything is done.
pub(super) struct Host {
    paths: Paths,
    config: Option<String>,
    settings: Option<Settings>,
    store: Option<KeyStore>,
    keys: Option<(SecretString, Keys)>,
    owner: Owner,
    /// A credential that does not open here, and gives way to the keys that this run brings.
    unopened: Option<PathBuf>,
}

/// Adds an account to an installation that is set up.
pub(super) fn add(global: &Global, args: &Account, out: &mut Output) -> Result<ExitCode, Problem> {
    let AccountVerb::Add(add) = &args.verb;
    let args = Args {
        account: vec![add.account.clone()],
        non_interactive: add.non_interactive,
        company: add.company.clone(),
        group: add.group.clone(),
        skip_odoo: add.skip_odoo,
        recovery: add.recovery.clone(),
        ..Args::default()
    };
    let host = Host::look(global, &args)?;
    if host.settings.is_none() || host.keys.is_none() {
        return Err(Problem::new("not-set-up", "there is no installation to add it to")
            .next("`odoo-spoold setup`"));
    }
    set_up(global, &args, host, out)
}

/// Sets up what is not there yet.
pub(super) fn run(global: &Global, args: &Args, out: &mut Output) -> Result<ExitCode, Problem> {
    let host = Host::look(global, args)?;
    set_up(global, args, host, out)
}

fn set_up(
    global: &Global,
    args: &Args,
    mut host: Host,
    out: &mut Output,
) -> Result<ExitCode, Problem> {
    let terminal = if args.non_interactive { None } else { Terminal::open() };
    let terminal = terminal.as_ref();
    let mut report = Report::default();
    let before = host.keys.take();
    let base = match &args.restore {
        Some(file) => Some(restored(file, args, terminal, before.as_ref())?),
        None => before.clone_text()?,
    };
    match &base {
        None => gone::refuse_here(args, &host)?,
        Some((_, keys)) => gone::refuse_lacking(args, &host, keys)?,
    }
    let answers = Answers::gather(args, &host, base.as_ref(), terminal)?;
    let id_keys = match &args.id_key {
        Some(file) => travelled(file, args, terminal)?,
        None => Vec::new(),
    };
    gone::refuse_marked(args, &answers.marked, &id_keys, &mut report)?;
    let old = before.as_ref().map(|(text, _)| text);
    let (text, keys) = made(&answers, base.as_ref(), &id_keys)?;
    let decision = recover::decide(&args.recovery, recover::needed(&keys), terminal)?;

    let store = if let Some(store) = host.store.take() {
        store
    } else {
        let named = host.named_keys();
        let owner = host.owner.daemon;
        let (store, why) = KeyStore::choose(&host.paths, named.as_deref(), args.keys_in, owner)?;
        if let Some(why) = why {
            report.note(format!(
                "no credential is sealed on this host ({why}): the keys are in a file that only \
                 the daemon's user can read, {}",
                store.path().display()
            ));
        }
        store
    };
    let changed = old.map(secrecy::ExposeSecret::expose_secret) != Some(text.expose_secret());
    report.keys(&store.place, changed, before.is_none());
    if base.is_none() {
        gone::set_aside(&host.state(), &mut report)?;
    }
    if let Some(path) = &host.unopened {
        let failed = |error: std::io::Error| Problem::file("moving it aside", path, &error);
        if let Some(kept) = recover::step_aside(path).map_err(failed)? {
            report.note(format!("the credential that does not open is kept: {}", kept.display()));
        }
    }
    if changed {
        store.write(&text)?;
    }
    store.announce(&keys)?;
    stop_after("keys");
    let keys = match decision {
        Some(decision) => note(&store, &text, &keys, &decision, &mut report)?,
        None => keys,
    };

    let config = host.paths.config.clone();
    let wanted = answers.wanted(&host, &store);
    let new = conf::edited(&config, host.config.as_deref(), &wanted)?;
    let rewritten = host.config.as_deref() != Some(new.as_str());
    if rewritten {
        conf::write(&config, &new)?;
    }
    report.step("settings", rewritten, host.config.is_none(), &config.display().to_string());
    stop_after("config");

    let settings = Settings::load(&config)?;
    folders(&settings, &answers, host.owner, &mut report)?;
    stop_after("folders");
    report.recipients(&settings, &keys)?;
    report.restart(global, &settings, changed || rewritten);
    let checked = if args.skip_odoo { None } else { Some((&settings, keys)) };
    report.tell(global, checked, args.fix, terminal, out)
}

/// Stores, seals and notes a recovery file, or that there shall be none; the keys with that note.
pub(super) fn note(
    store: &KeyStore,
    text: &SecretString,
    keys: &Keys,
    decision: &Decision,
    report: &mut Report,
) -> Result<Keys, Problem> {
    let mut draft = KeysDraft::open(store.path(), text)?;
    match decision {
        Decision::Write(path, safe) => {
            recover::write(path, text, safe)?;
            report.recovery(path);
            draft.note_recovery(Some(&keys.seals()));
        }
        Decision::Decline => draft.note_recovery(None),
    }
    stop_after("recovery");
    let (noted, keys) = draft.finish()?;
    store.write(&noted)?;
    stop_after("noted");
    Ok(keys)
}

/// The keys text with everything the answers ask for.
fn made(
    answers: &Answers,
    base: Option<&(SecretString, Keys)>,
    id_keys: &[(AccountId, SecretString)],
) -> Result<(SecretString, Keys), Problem> {
    let now = System.now();
    let path = std::path::Path::new("the keys");
    let ids: Vec<AccountId> = answers.accounts.iter().map(|account| account.id.clone()).collect();
    let had = |id: &AccountId| base.is_some_and(|(_, keys)| keys.account(id).is_some());
    let new: Vec<&AccountId> = ids.iter().filter(|id| !had(id)).collect();
    let mut text = match base {
        None => Keys::generate(&ids, Some(&answers.api_key), now, generate_identity)?,
        Some((text, _)) => {
            let mut text = text.clone();
            for account in &new {
                text = Keys::add_account(path, &text, account, now, generate_identity)?;
            }
            text
        }
    };
    let mut draft = KeysDraft::open(path, &text)?;
    let mut edited = false;
    if let Some((_, keys)) = base
        && keys.api_key.expose_secret() != answers.api_key.expose_secret()
    {
        draft.set_api_key(&answers.api_key)?;
        edited = true;
    }
    let noted = draft.api_key_ends();
    if noted != answers.api_key_ends {
        draft.set_api_key_ends(answers.api_key_ends)?;
        edited = true;
    }
    for (account, key) in id_keys {
        if let Some((ours, _)) = base
            && !new.contains(&account)
        {
            same_id_key(ours, account, key)?;
        } else if ids.contains(account) {
            draft.set_id_key(account, key.expose_secret())?;
            edited = true;
        }
    }
    if let Some(missing) = new
        .iter()
        .find(|id| !id_keys.is_empty() && !id_keys.iter().any(|(account, _)| account == **id))
    {
        return Err(Problem::usage(format!("the id keys given have none for \"{missing}\"")));
    }
    if edited {
        text = draft.finish()?.0;
    }
    let keys = Keys::parse(path, text.expose_secret())?;
    Ok((text, keys))
}

/// An account that has an id key keeps it: what stands in Odoo hangs on it.
fn same_id_key(
    ours: &SecretString,
    account: &AccountId,
    key: &SecretString,
) -> Result<(), Problem> {
    let path = std::path::Path::new("the keys");
    let ours = read_id_keys(path, ours)?;
    let same =
        ours.iter().any(|(id, ours)| id == account && ours.expose_secret() == key.expose_secret());
    if same {
        return Ok(());
    }
    Err(Problem::new("keys-exist", format!("\"{account}\" has another id key here already"))
        .next("set this host up from nothing, or give the account another id"))
}

/// The keys of a recovery file, if nothing here speaks against them.
fn restored(
    file: &std::path::Path,
    args: &Args,
    terminal: Option<&Terminal>,
    before: Option<&(SecretString, Keys)>,
) -> Result<(SecretString, Keys), Problem> {
    let text = recover::open(file, &args.recovery, args.recovery_identity.as_deref(), terminal)?;
    let keys = KeysDraft::open(file, &text)?.finish()?.1;
    if let Some((ours, here)) = before {
        if here.seals() != keys.seals() {
            return Err(Problem::new("keys-exist", "there are other keys on this host")
                .at(file)
                .next("if nothing was ever sealed under them, move them away and run this again"));
        }
        return KeysDraft::open(file, ours)?.finish().map_err(Problem::from);
    }
    let mut draft = KeysDraft::open(file, &text)?;
    // The file they came from is their recovery file.
    draft.note_recovery(Some(&keys.seals()));
    Ok(draft.finish()?)
}

/// The id keys that came from another host.
fn travelled(
    file: &std::path::Path,
    args: &Args,
    terminal: Option<&Terminal>,
) -> Result<Vec<(AccountId, SecretString)>, Problem> {
    let bytes = recover::read(file)?;
    let sealed = bytes.starts_with(b"-----BEGIN AGE") || bytes.starts_with(b"age-encryption.org/");
    let text = if sealed {
        recover::open(file, &args.recovery, args.recovery_identity.as_deref(), terminal)?
    } else {
        let text = std::str::from_utf8(&bytes);
        text.map_err(|_| Problem::new("file", "these are no id keys").at(file))?.into()
    };
    Ok(read_id_keys(file, &text)?)
}

fn folders(
    settings: &Settings,
    answers: &Answers,
    owner: Owner,
    report: &mut Report,
) -> Result<(), Problem> {
    let spool = &settings.spool.dir;
    let failed = |error: std::io::Error| Problem::file("making the folders", spool, &error);
    let mut made = prepare::roots(spool, &settings.state.dir, owner).map_err(failed)?.len();
    let mut regrouped = false;
    for account in &settings.accounts {
        // The group was asked for the accounts at hand; others keep theirs.
        let named = answers.accounts.iter().any(|asked| asked.id == account.id);
        let owner = if named { owner } else { Owner { droppers: None, ..owner } };
        let folders = prepare::folders(spool, &account.id, owner).map_err(failed)?;
        made = made.saturating_add(folders.made.len());
        regrouped |= folders.regrouped;
    }
    report.step("folders", made > 0 || regrouped, made > 0, &spool.display().to_string());
    Ok(())
}

/// For tests of what a crash leaves behind: ends the process like one. Not in a release.
#[cfg(debug_assertions)]
pub(super) fn stop_after(step: &str) {
    if std::env::var("ODOO_SPOOLD_STOP_AFTER").is_ok_and(|wanted| wanted == step) {
        std::process::abort();
    }
}

/// Nothing to stop a release.
#[cfg(not(debug_assertions))]
pub(super) fn stop_after(_step: &str) {}

// === impl Host ===

impl Host {
    fn look(global: &Global, args: &Args) -> Result<Self, Problem> {
        let paths = Paths::new(global);
        let config = match std::fs::read_to_string(&paths.config) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Problem::file("reading it", &paths.config, &error)),
        };
        // The package installs one that says nothing yet.
        let begun = |text: &&str| text.lines().any(|line| line.trim_start().starts_with("[odoo]"));
        let settings = config.as_deref().filter(begun);
        let settings = settings.map(|text| Settings::parse(&paths.config, text)).transpose()?;
        let root = rustix::process::geteuid().is_root();
        let daemon = if root { paths.user(SERVICE_USER) } else { None };
        let droppers = match &args.group {
            None => None,
            Some(name) => Some(paths.group(name).ok_or_else(|| {
                Problem::usage(format!("there is no group \"{name}\""))
                    .next(format!("groupadd --system {name}"))
            })?),
        };
        let usual_droppers = if root { paths.group(DROP_GROUP) } else { None };
        let mut host = Self {
            paths,
            config,
            settings,
            store: None,
            keys: None,
            owner: Owner { daemon, droppers, usual_droppers },
            unopened: None,
        };
        host.store = KeyStore::find(&host.paths, host.named_keys().as_deref(), daemon);
        if let Some(store) = &host.store {
            match store.read() {
                Ok(text) => host.keys = Some(KeysDraft::open(store.path(), &text)?.finish()?),
                Err(closed)
                    if closed.is("credential") && (args.restore.is_some() || args.new_keys) =>
                {
                    host.unopened = Some(store.path().to_owned());
                    host.store = None;
                }
                Err(closed) => return Err(closed),
            }
        }
        Ok(host)
    }

    /// The state directory, as configured or as it will be.
    fn state(&self) -> PathBuf {
        let configured = self.settings.as_ref().map(|settings| settings.state.dir.clone());
        configured.unwrap_or_else(|| self.paths.root.join("var/lib/odoo-spoold"))
    }

    /// The keys file that config.toml names.
    fn named_keys(&self) -> Option<PathBuf> {
        match &self.settings.as_ref()?.keys {
            crate::config::KeysSource::File(path) => Some(path.clone()),
            crate::config::KeysSource::Credential => None,
        }
    }
}

/// Keys cannot be copied, but their text can be read again.
trait Again {
    fn clone_text(&self) -> Result<Option<(SecretString, Keys)>, Problem>;
}

impl Again for Option<(SecretString, Keys)> {
    fn clone_text(&self) -> Result<Option<(SecretString, Keys)>, Problem> {
        let Some((text, _)) = self else { return Ok(None) };
        let path = std::path::Path::new("the keys");
        Ok(Some(KeysDraft::open(path, text)?.finish()?))
    }
}

/// Whether a place is a credential, in words.
pub(super) fn whereabouts(place: &Place) -> String {
    match place {
        Place::Credential(path) => format!("the credential {}", path.display()),
        Place::File(path) => format!("the file {}", path.display()),
    }
}
