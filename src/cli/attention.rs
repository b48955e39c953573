//! `attention list` and `attention dismiss`.

use std::process::ExitCode;

use crate::control::wire::{AttentionList, AttentionQuery, Dismiss};
use crate::model::{AccountId, AttentionCode, OrderId};

use super::ask::{Source, daemon};
use super::output::{Output, when};
use super::problem::Problem;
use super::{Global, queue, word};

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
    /// List orders with something to look at
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
    /// At most so many orders
    #[arg(long, short = 'n')]
    pub limit: Option<usize>,
}

/// `attention dismiss`
#[derive(Debug, clap::Args)]
pub struct Looked {
    /// The account
    pub account: AccountId,
    /// Amazon's order id
    pub order: OrderId,
    /// Only entries of this code, such as adopted-changed
    #[arg(long, value_parser = word::<AttentionCode>)]
    pub code: Option<AttentionCode>,
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
            let request = Dismiss {
                account: looked.account.clone(),
                order_id: looked.order.clone(),
                code: looked.code,
            };
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
            .orders
            .iter()
            .flat_map(|order| {
                order.entries.iter().map(|entry| {
                    vec![
                        order.account.to_string(),
                        order.order_id.to_string(),
                        when(entry.since),
                        entry.code.name().to_owned(),
                        entry.text.clone(),
                    ]
                })
            })
            .collect();
        out.table(&["ACCOUNT", "ORDER", "SINCE", "WHAT", ""], &rows, "nothing to look at")?;
        if found.more {
            out.remark("there are more: give a larger --limit");
        }
        Ok(())
    })
}
