//! `attention list` and `attention dismiss`.

use std::process::ExitCode;
use std::str::FromStr;

use crate::control::wire::{AttentionList, AttentionQuery, Dismiss};
use crate::model::{AccountId, AttentionCode, FileId, IdError, OrderId};

use super::ask::{Source, daemon};
use super::output::{Output, when};
use super::problem::Problem;
use super::{Global, one_of, queue};

/// `attention`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Without one: `list`.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// For `list`.
    #[command(flatten)]
    pub list: List,
}

/// `attention …`
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List orders, files and accounts with something to look at
    List(List),
    /// Dismiss what was looked at; something new is listed again
    Dismiss(Looked),
}

/// `attention list`
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct List {
    /// Only of this account
    #[arg(long, short)]
    pub account: Option<AccountId>,
    /// At most so many orders, files and accounts
    #[arg(long, short = 'n')]
    pub limit: Option<usize>,
}

/// `attention dismiss`
#[derive(Debug, clap::Args)]
pub struct Looked {
    /// The account
    pub account: AccountId,
    /// Amazon's order id, or a file's id; without one what is listed of the account itself
    #[arg(value_name = "ORDER|FILE")]
    pub about: Option<About>,
    /// Only entries of this code, such as adopted-changed
    #[arg(long, value_parser = one_of::<AttentionCode>())]
    pub code: Option<AttentionCode>,
}

/// What is dismissed, within its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// An order.
    Order(OrderId),
    /// A file.
    File(FileId),
}

impl FromStr for About {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        // No order id begins with a letter and is as short as a file id.
        match text.parse() {
            Ok(file) => Ok(Self::File(file)),
            Err(_) => text.parse().map(Self::Order),
        }
    }
}

/// Lists, or dismisses.
pub(super) fn run(global: &Global, args: &Args, out: &mut Output) -> Result<ExitCode, Problem> {
    if args.verb.is_some() {
        queue::only_without_verb(&args.list)?;
    }
    match &args.verb {
        None => list(global, &args.list, out)?,
        Some(Verb::List(query)) => list(global, query, out)?,
        Some(Verb::Dismiss(looked)) => {
            let (order_id, file_id) = match looked.about.clone() {
                Some(About::Order(order)) => (Some(order), None),
                Some(About::File(file)) => (None, Some(file)),
                None => (None, None),
            };
            let (account, code) = (looked.account.clone(), looked.code);
            let request = Dismiss { account, order_id, file_id, code };
            out.answer(&daemon(global)?.dismiss(&request)?, |out, dismissed| {
                out.line(format!("{} dismissed", dismissed.entries))
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(global: &Global, args: &List, out: &mut Output) -> Result<(), Problem> {
    let query = AttentionQuery { account: args.account.clone(), limit: args.limit };
    out.answer(&Source::open(global)?.attention(&query)?, |out, found: &AttentionList| {
        let rows: Vec<Vec<String>> = found
            .subjects
            .iter()
            .flat_map(|subject| {
                let about = match (&subject.order_id, &subject.file_id) {
                    (Some(order), _) => order.to_string(),
                    (None, Some(file)) => file.to_string(),
                    (None, None) => String::new(),
                };
                subject.entries.iter().map(move |entry| {
                    vec![
                        subject.account.to_string(),
                        about.clone(),
                        when(entry.since),
                        entry.code.name().to_owned(),
                        entry.text.clone(),
                    ]
                })
            })
            .collect();
        out.table(&["ACCOUNT", "ORDER OR FILE", "SINCE", "WHAT", ""], &rows, "nothing to look at")?;
        if found.more {
            out.remark("there are more: give a larger --limit");
        }
        Ok(())
    })
}
