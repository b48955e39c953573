//! The command line: types only, one file per verb.
//!
//! `--help`, the man page and the completions all come from here.

mod ask;
mod atomic;
pub mod attention;
pub mod check;
mod completions;
mod dead;
mod dispatch;
mod explain;
mod files;
mod generate;
mod hold;
mod keygen;
pub mod keys;
mod keystore;
mod man_page;
mod map;
mod offline;
mod output;
pub mod pause;
mod problem;
mod process;
mod prompt;
mod queue;
mod rebuild;
mod recipient;
mod reconcile;
mod recover;
mod reload;
mod rotate_odoo;
mod run;
mod sample;
mod seal;
mod settings_page;
pub mod setup;
pub mod status;
mod unit;
mod words;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand};

use crate::control::client::Patience;
use crate::control::wire::JobWord;
use crate::model::{AccountId, FileId, FileState, HoldCode, OrderId, Sku};
use crate::telemetry::codes;

use words::one_of;

pub use dispatch::dispatch;

/// The settings file, unless another is named.
pub const DEFAULT_CONFIG: &str = "/etc/odoo-spoold/config.toml";

const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   failed, or `status` found a fault (`status --check`: 1 warning, 2 critical, 3 unknown)
  2   wrong usage
  78  config.toml or the keys are wrong; starting again does not help

Errors go to stderr: what is wrong, where, and what to do next; with --json as one JSON object.";

/// Turns sealed marketplace reports into orders in Odoo.
///
/// A daemon that watches spool folders for encrypted Amazon order reports, decrypts them in memory
/// and keeps the orders in Odoo as the reports say. The other commands ask and steer it.
#[derive(Debug, Parser)]
#[command(name = "odoo-spoold", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// For all commands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options of all commands.
#[derive(Debug, Args)]
pub struct Global {
    /// The settings file
    #[arg(long, short, global = true, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// Print JSON instead of tables; the fields are those of the control API
    #[arg(long, global = true)]
    pub json: bool,
    /// Print only what was asked for: no progress, no remarks
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Seconds to wait for the daemon's answer: 10 to read and 60 to change something, unless given;
    /// 5 for `status`
    #[arg(long, global = true, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: Option<u64>,
    /// Look for /etc, /var and /run below this folder
    #[arg(long, global = true, hide = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

impl Global {
    /// Whether it is the system's own daemon that is meant: only that has the system's unit.
    pub(crate) fn is_systems(&self) -> bool {
        self.root.is_none() && self.config.as_os_str() == DEFAULT_CONFIG
    }

    /// How long the daemon may take.
    pub(crate) fn patience(&self) -> Patience {
        let given = self.timeout.map(|seconds| Patience::of(Duration::from_secs(seconds)));
        given.unwrap_or_default()
    }

    /// The settings file.
    pub(crate) fn config(&self) -> PathBuf {
        match &self.root {
            Some(root) if self.config.as_os_str() == DEFAULT_CONFIG => {
                root.join(DEFAULT_CONFIG.trim_start_matches('/'))
            }
            _ => self.config.clone(),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the daemon in the foreground; systemd does this
    Run,
    /// Make keys, settings and folders, and test Odoo; asks, or takes options
    ///
    /// Can be run again at any time: it completes what is missing and changes nothing else.
    Setup(Box<setup::Args>),
    /// List keys and their ages; rotate and remove them
    Keys(Box<keys::Args>),
    /// Add a seller account
    Account(Box<setup::Account>),
    /// Prove that what is configured can work, and say what to do
    ///
    /// Looks at settings, keys, folders, and at everything the accounts need in Odoo.
    Check(check::Args),
    /// Show health and counters: one sentence, then numbers
    ///
    /// Ends with 1 if work does not go on (a fault), with 0 otherwise.
    Status(status::Args),
    /// Show files that came in and what became of them
    Files(Files),
    /// Show orders by state, and where one order stands
    Queue(Queue),
    /// Show what orders wait for, let them go, and decide conflicts
    Hold(Hold),
    /// Show what Odoo refused for good, try it again, or give it up
    Dead(Dead),
    /// Show what to look at although it holds nothing, and dismiss it
    Attention(attention::Args),
    /// Deliver nothing until `resume`; outlives restarts
    ///
    /// Files are still taken in, unless --intake is given; batches on their way are finished.
    Pause(pause::PauseArgs),
    /// Deliver again after `pause`
    Resume(pause::ResumeArgs),
    /// Look up which record in Odoo an order is
    Map(Map),
    /// Hand a file to the daemon, or see what it would do
    Process(Process),
    /// Read config.toml again; waits until it is in force or refused
    Reload,
    /// Bring back what was known, after the state was lost
    ///
    /// From Odoo, the sealed files that are still in the spool, and the decision journal. Writes
    /// nothing to Odoo. Until then the accounts claim and deliver nothing.
    Rebuild(RebuildArgs),
    /// Go on after Odoo was restored, moved or copied, or see what is missing there
    ///
    /// An account whose Odoo may not be the one its orders stand in is paused and writes nothing.
    /// This looks for its orders under their external ids, creates again what we created since the
    /// backup was made, leaves deleted what people deleted before, and goes on with this Odoo.
    Reconcile(Reconcile),
    /// Encrypt files for an account, as they belong into its incoming/ folder
    Seal(Seal),
    /// Make keys: a new keys file, or more accounts in one
    Keygen(Keygen),
    /// Print what each account's files are to be encrypted to
    Recipient(Recipient),
    /// Say what an error code or a hold means: cause, effect, next command
    ///
    /// Codes stand in the journal (as error code), in reason files, in answers of the control socket
    /// and of commands. Needs neither daemon nor settings; odoo-spoold-errors(7) has all of them.
    Explain(Explain),
    /// Print man pages, the page of error codes, completions, the journal's catalog or the API
    Generate(Generate),
}

/// `rebuild`
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// Only this account; the others stay closed
    #[arg(long, short)]
    pub account: Option<AccountId>,
    /// Only count what would come back
    #[arg(long)]
    pub dry_run: bool,
}

/// `files`
#[derive(Debug, Args)]
pub struct Files {
    /// Without one: `list`.
    #[command(subcommand)]
    pub verb: Option<FilesVerb>,
    /// For `list`.
    #[command(flatten)]
    pub list: FilesList,
}

/// `files …`
#[derive(Debug, Subcommand)]
pub enum FilesVerb {
    /// List files, newest first
    List(FilesList),
    /// Show one file: its refused rows, and where its orders stand
    Show {
        /// Its id, such as F7K2Q9XW4ZB
        id: FileId,
    },
}

/// `files list`
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct FilesList {
    /// Only of this account
    #[arg(long, short)]
    pub account: Option<AccountId>,
    /// Only in this state: work, done or rejected
    #[arg(long, value_parser = one_of::<FileState>())]
    pub state: Option<FileState>,
    /// At most so many
    #[arg(long, short = 'n')]
    pub limit: Option<usize>,
}

/// `queue`
#[derive(Debug, Args)]
pub struct Queue {
    /// Without one: `list`.
    #[command(subcommand)]
    pub verb: Option<QueueVerb>,
    /// For `list`.
    #[command(flatten)]
    pub list: QueueList,
}

/// `queue …`
#[derive(Debug, Subcommand)]
pub enum QueueVerb {
    /// List orders, a page at a time
    List(QueueList),
    /// Show where one order stands
    Show(Order),
}

/// `queue list`
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct QueueList {
    /// Only in this state: pending, started, held, dead or done
    #[arg(long, value_parser = one_of::<JobWord>())]
    pub state: Option<JobWord>,
    /// Only held under this code, such as sku
    #[arg(long, value_parser = one_of::<HoldCode>())]
    pub code: Option<HoldCode>,
    /// Which page.
    #[command(flatten)]
    pub page: Page,
}

/// A page of orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Page {
    /// Only of this account
    #[arg(long, short)]
    pub account: Option<AccountId>,
    /// At most so many
    #[arg(long, short = 'n')]
    pub limit: Option<usize>,
    /// Go on where the page before ended, with the same other options
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
}

/// One order.
#[derive(Debug, Clone, Args)]
pub struct Order {
    /// The account
    pub account: AccountId,
    /// Amazon's order id
    pub order: OrderId,
}

/// `hold`
#[derive(Debug, Args)]
pub struct Hold {
    /// Without one: `list`.
    #[command(subcommand)]
    pub verb: Option<HoldVerb>,
    /// For `list`.
    #[command(flatten)]
    pub list: HoldList,
}

/// `hold …`
#[derive(Debug, Subcommand)]
pub enum HoldVerb {
    /// List what orders wait for; with --code also the orders
    List(HoldList),
    /// Show what one order waits for
    Show(Order),
    /// Look at held orders again now
    #[command(
        override_usage = "odoo-spoold hold release [OPTIONS] <ACCOUNT> <ORDER|--code <CODE>>"
    )]
    Release(HoldRelease),
    /// Decide a conflict: what stands in Odoo stays, and is not asked about again
    AcceptOdoo(HoldDecide),
    /// Decide a conflict: write the marketplace's values once, over what a person changed
    AcceptMarketplace(HoldDecide),
}

/// `hold list`
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct HoldList {
    /// Only under this code, such as sku
    #[arg(long, value_parser = one_of::<HoldCode>())]
    pub code: Option<HoldCode>,
    /// Which page.
    #[command(flatten)]
    pub page: Page,
}

/// `hold release`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["order", "code"])))]
pub struct HoldRelease {
    /// The account
    pub account: AccountId,
    /// This order
    pub order: Option<OrderId>,
    /// All that are held under this code, such as sku
    #[arg(long, value_parser = one_of::<HoldCode>())]
    pub code: Option<HoldCode>,
    /// With --code: only those that wait for exactly this
    #[arg(long, requires = "code")]
    pub key: Option<String>,
}

/// `hold accept-odoo` and `hold accept-marketplace`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whose").required(true).args(["order", "all"])))]
pub struct HoldDecide {
    /// The account
    pub account: AccountId,
    /// This order
    pub order: Option<OrderId>,
    /// All orders of the account that are held for a conflict
    #[arg(long, requires = "yes")]
    pub all: bool,
    /// With --all: yes, all of them
    #[arg(long)]
    pub yes: bool,
}

/// `dead`
#[derive(Debug, Args)]
pub struct Dead {
    /// Without one: `list`.
    #[command(subcommand)]
    pub verb: Option<DeadVerb>,
    /// For `list`.
    #[command(flatten)]
    pub list: Page,
}

/// `dead …`
#[derive(Debug, Subcommand)]
pub enum DeadVerb {
    /// List what was refused, without Odoo's words
    List(Page),
    /// Show one order and Odoo's words, which may name the buyer
    Show(Order),
    /// Try it again, with all attempts
    #[command(
        override_usage = "odoo-spoold dead requeue [OPTIONS] <ACCOUNT> <ORDER|--code <CODE>|--all>"
    )]
    Requeue(DeadRequeue),
    /// Give it up: it is kept as `dropped`, and only `requeue` wakes it again
    #[command(override_usage = "odoo-spoold dead drop [OPTIONS] <ACCOUNT> <ORDER|--code <CODE>>")]
    Drop(DeadDrop),
}

/// `dead requeue`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["order", "code", "all"])))]
pub struct DeadRequeue {
    /// The account
    pub account: AccountId,
    /// This order
    pub order: Option<OrderId>,
    /// All that died of this code
    #[arg(long)]
    pub code: Option<String>,
    /// All dead orders of the account
    #[arg(long)]
    pub all: bool,
}

/// `dead drop`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["order", "code"])))]
pub struct DeadDrop {
    /// The account
    pub account: AccountId,
    /// This order
    pub order: Option<OrderId>,
    /// All that died of this code
    #[arg(long)]
    pub code: Option<String>,
}

/// `map`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub struct Map {
    /// Without one: `get`.
    #[command(subcommand)]
    pub verb: Option<MapVerb>,
    /// For `get`.
    #[command(flatten)]
    pub order: Option<Order>,
}

/// `map …`
#[derive(Debug, Subcommand)]
pub enum MapVerb {
    /// Print the order's record in Odoo
    Get(Order),
}

/// `process`
#[derive(Debug, Args)]
pub struct Process {
    /// The file, as it would lie in incoming/; at most 64 MiB
    #[arg(required_unless_present = "sample")]
    pub file: Option<PathBuf>,
    /// Seal a report of one made-up order of today instead, and say what would happen
    #[arg(long, conflicts_with_all = ["file", "sidecar"])]
    pub sample: bool,
    /// The SKU that the made-up order has
    #[arg(long, requires = "sample", default_value = "SAMPLE-1")]
    pub sku: Sku,
    /// The account it belongs to
    #[arg(long, short)]
    pub account: AccountId,
    /// Keep nothing; say what would happen in Odoo
    #[arg(long)]
    pub dry_run: bool,
    /// The document's JSON; without it FILE.json, if that is there
    #[arg(long, value_name = "FILE")]
    pub sidecar: Option<PathBuf>,
}

/// `reconcile`
#[derive(Debug, Args)]
pub struct Reconcile {
    /// The account
    #[arg(long, short)]
    pub account: AccountId,
    /// Create again what we created since then and is missing, such as 2025-11-21T08:00:00Z; without
    /// it, since the marker in this Odoo was written, or the last good delivery window ended
    #[arg(long, value_name = "TIME")]
    pub since: Option<jiff::Timestamp>,
    /// Change nothing; say what would be done
    #[arg(long)]
    pub dry_run: bool,
}

/// `seal`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("to").required(true).args(["account", "recipient"])))]
pub struct Seal {
    /// Encrypt to this account's newest key
    #[arg(long, short)]
    pub account: Option<AccountId>,
    /// Encrypt to this age recipient (age1…); can be given again; needs no config.toml
    #[arg(long, short, value_name = "RECIPIENT")]
    pub recipient: Vec<String>,
    /// Write to this file or into this folder, or to stdout (-); without it beside each file, as
    /// NAME.age
    #[arg(long, short, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Write text (ASCII armor) instead of bytes
    #[arg(long)]
    pub armor: bool,
    /// The files; - is stdin
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// `keygen`
#[derive(Debug, Args)]
pub struct Keygen {
    /// Make keys for this account; can be given again; without it for all in config.toml
    #[arg(long, short)]
    pub account: Vec<AccountId>,
    /// The keys file, or stdout (-); without it the one that config.toml names. If it exists,
    /// the accounts are added and all other keys stay
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write this host's credential instead of a file
    #[arg(long, conflicts_with = "output")]
    pub credential: bool,
    /// Take Odoo's API key from this file, or stdin (-); without it its place is left empty
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
}

/// `recipient`
#[derive(Debug, Args)]
pub struct Recipient {
    /// Only this account's, and only the newest, to use in scripts
    #[arg(long, short)]
    pub account: Option<AccountId>,
}

/// `explain`
#[derive(Debug, Args)]
pub struct Explain {
    /// The code, such as sku or envelope-truncated; without one all codes are listed
    #[arg(value_name = "CODE", value_parser = explain::CodeParser, hide_possible_values = true)]
    pub code: Option<&'static codes::Code>,
}

/// `generate`
#[derive(Debug, Args)]
pub struct Generate {
    /// What to print.
    #[command(subcommand)]
    pub what: GenerateWhat,
}

/// `generate …`
#[derive(Debug, Subcommand)]
pub enum GenerateWhat {
    /// The man page; with a folder, one page per command and that of config.toml in it
    Man {
        /// The folder
        #[arg(long, short, value_name = "DIR")]
        output: Option<PathBuf>,
    },
    /// Completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The journal's message catalog
    Catalog,
    /// The man page of error codes, odoo-spoold-errors(7)
    Errors,
    /// The control socket's API as an OpenAPI document
    Openapi,
}
