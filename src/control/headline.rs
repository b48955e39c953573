//! The one sentence: all well, attention or fault; why; and the next command. Pure.
//!
//! The gravest cause is named; how many others there are is said. `status` begins with it, and
//! systemd shows it as the unit's status.

use jiff::{SignedDuration, Timestamp};

use crate::model::{EndedBy, HoldCode};

use super::wire::{AccountStatus, ClosedStatus, GateStatus, Health, Rejected};

/// An Odoo that has not answered for so long is no restart.
const UNREACHABLE_FAULT_SECS: i64 = 300;

/// What the sentence is made from.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Whether the daemon runs.
    pub running: bool,
    /// The accounts.
    pub accounts: &'a [AccountStatus],
    /// Files rejected lately, newest first.
    pub rejected: &'a [Rejected],
    /// Other things to know.
    pub notices: &'a [String],
    /// The time.
    pub now: Timestamp,
}

/// One reason not to be well.
struct Cause {
    health: Health,
    text: String,
}

/// How it stands, in one sentence.
pub fn headline(view: &View<'_>) -> (Health, String) {
    let mut causes = causes(view);
    // Stable: within one health, the order in which they were found.
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.health));
    let others = causes.len().saturating_sub(1);
    let Some(first) = causes.into_iter().next() else {
        return (Health::Well, well(view.accounts));
    };
    let word = match first.health {
        Health::Fault => "Fault",
        Health::Attention | Health::Well => "Attention",
    };
    let more = match others {
        0 => String::new(),
        1 => " (and 1 other thing: `odoo-spoold status`)".to_owned(),
        _ => format!(" (and {others} other things: `odoo-spoold status`)"),
    };
    (first.health, format!("{word}: {}{more}", first.text))
}

fn causes(view: &View<'_>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut add = |health, text| causes.push(Cause { health, text });
    if !view.running {
        add(Health::Fault, "the daemon is not running; `systemctl start odoo-spoold`".to_owned());
    }
    for account in view.accounts.iter().filter(|account| account.enabled) {
        if let Some((health, text)) = gate(account, view.now) {
            add(health, text);
        }
    }
    for text in pauses(view.accounts) {
        add(Health::Attention, text);
    }
    if !view.accounts.iter().any(|account| account.enabled) {
        let text = "no account is configured; add one to config.toml, then `odoo-spoold reload`";
        add(Health::Attention, text.to_owned());
    }
    for account in view.accounts {
        let id = &account.account;
        let dead = account.orders.dead;
        if dead > 0 {
            let text = format!(
                "account {id} has {}; `odoo-spoold dead list --account {id}`",
                orders(dead, "Odoo refused for good")
            );
            add(Health::Attention, text);
        }
        if let Some(text) = to_look_at(account) {
            add(Health::Attention, text);
        }
        for (ended_by, what) in [
            (EndedBy::Person, "wait for a decision"),
            (EndedBy::Odoo, "wait for something in Odoo or config.toml"),
        ] {
            if let Some(codes) = held(account, ended_by) {
                let text = format!(
                    "account {id} has orders that {what} ({codes}); \
                     `odoo-spoold hold list --account {id}`"
                );
                add(Health::Attention, text);
            }
        }
    }
    if let Some(newest) = view.rejected.first() {
        let count = view.rejected.len();
        let which = if count == 1 {
            format!("file {} was rejected", newest.id)
        } else {
            format!("{count} files were rejected within a day, the last one {}", newest.id)
        };
        let text = format!("{which} ({}); `odoo-spoold files show {}`", newest.code, newest.id);
        add(Health::Attention, text);
    }
    for notice in view.notices {
        add(Health::Attention, notice.clone());
    }
    causes
}

/// What people paused: all at once if all are, else each.
fn pauses(accounts: &[AccountStatus]) -> Vec<String> {
    let mut texts = Vec::new();
    for account in accounts.iter().filter(|account| account.enabled) {
        let Some(pause) = &account.paused else { continue };
        let by = pause.by_uid.map_or("somebody".to_owned(), |uid| format!("uid {uid}"));
        let what =
            if pause.intake { "nothing is taken in or delivered" } else { "nothing is delivered" };
        let (who, whom) = if pause.all {
            ("all accounts are".to_owned(), "--all".to_owned())
        } else {
            let id = &account.account;
            (format!("account {id} is"), format!("--account {id}"))
        };
        let since = clock(pause.since);
        let text =
            format!("{who} paused by {by} since {since}, {what}; `odoo-spoold resume {whom}`");
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

fn gate(account: &AccountStatus, now: Timestamp) -> Option<(Health, String)> {
    let id = &account.account;
    match &account.gate {
        GateStatus::Open | GateStatus::Unknown => None,
        GateStatus::Paused(closed) => {
            Some((Health::Fault, sentence(&format!("account {id} is paused"), closed)))
        }
        GateStatus::OdooUnreachable(closed) => {
            let limit = SignedDuration::from_secs(UNREACHABLE_FAULT_SECS);
            let long = now.duration_since(closed.since) >= limit;
            let health = if long { Health::Fault } else { Health::Attention };
            let what = format!("Odoo does not answer account {id}");
            Some((health, sentence(&what, closed)))
        }
    }
}

fn sentence(what: &str, closed: &ClosedStatus) -> String {
    format!("{what} since {} ({}): {}", clock(closed.since), closed.code, closed.next_step)
}

/// Codes and counts of the holds that are ended this way, most first.
fn held(account: &AccountStatus, ended_by: EndedBy) -> Option<String> {
    let mut found: Vec<(HoldCode, u64)> = account
        .holds
        .iter()
        .map(|(code, count)| (*code, *count))
        .filter(|(code, count)| *count > 0 && code.ended_by() == ended_by)
        .collect();
    found.sort_by_key(|(code, count)| (std::cmp::Reverse(*count), *code));
    let texts: Vec<String> = found.iter().map(|(code, count)| format!("{code} {count}")).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

fn well(accounts: &[AccountStatus]) -> String {
    let sum = |count: fn(&AccountStatus) -> u64| accounts.iter().map(count).sum::<u64>();
    let moving = sum(|account| account.orders.pending.saturating_add(account.orders.started));
    let held = sum(|account| account.orders.held);
    let done = sum(|account| account.orders.done);
    let text = if moving > 0 {
        format!("All well: {} under way, {done} done", orders(moving, ""))
    } else if done > 0 {
        format!("All well: {} done, nothing to do", orders(done, ""))
    } else {
        "All well: nothing to do yet".to_owned()
    };
    match held {
        0 => text,
        _ => format!("{text}, {held} waiting for a later file"),
    }
}

fn to_look_at(account: &AccountStatus) -> Option<String> {
    let id = &account.account;
    let counts =
        [(account.attention_files, "file", "files"), (account.attention, "order", "orders")];
    let counted = counts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, more)| format!("{count} {}", if count == 1 { one } else { more }));
    let itself = account.attention_account.then(|| "something".to_owned());
    let things: Vec<String> = itself.into_iter().chain(counted).collect();
    (!things.is_empty()).then(|| {
        let things = things.join(" and ");
        format!("account {id} has {things} to look at; `odoo-spoold attention list --account {id}`")
    })
}

/// So many orders.
fn orders(count: u64, which: &str) -> String {
    let noun = if count == 1 { "order" } else { "orders" };
    let space = if which.is_empty() { "" } else { " that " };
    format!("{count} {noun}{space}{which}")
}

/// An instant as people read it.
fn clock(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::wire::OrderCounts;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_763_683_200 + second).unwrap()
    }

    fn account(id: &str) -> AccountStatus {
        AccountStatus {
            account: id.parse().unwrap(),
            enabled: true,
            gate: GateStatus::Open,
            orders: OrderCounts::default(),
            holds: std::collections::BTreeMap::new(),
            next_due: None,
            files_in_work: 0,
            paused: None,
            attention: 0,
            attention_files: 0,
            attention_account: false,
            noticed_files: 0,
        }
    }

    fn closed(code: &str, since: i64) -> ClosedStatus {
        ClosedStatus {
            code: code.into(),
            next_step: "renew the API key".into(),
            since: at(since),
            next: at(since + 60),
        }
    }

    fn said(accounts: &[AccountStatus]) -> (Health, String) {
        headline(&View { running: true, accounts, rejected: &[], notices: &[], now: at(0) })
    }

    #[test]
    fn all_is_well() {
        let mut eu = account("eu");
        assert_eq!(said(&[eu.clone()]), (Health::Well, "All well: nothing to do yet".into()));
        eu.orders = OrderCounts { done: 5, held: 2, ..OrderCounts::default() };
        eu.holds.insert(HoldCode::Release, 2);
        let text = "All well: 5 orders done, nothing to do, 2 waiting for a later file";
        assert_eq!(said(&[eu.clone()]), (Health::Well, text.into()));
        eu.orders.pending = 1;
        let text = "All well: 1 order under way, 5 done, 2 waiting for a later file";
        assert_eq!(said(&[eu]), (Health::Well, text.into()));
    }

    #[test]
    fn a_daemon_that_does_not_run_is_a_fault_before_all_else() {
        let view = View {
            running: false,
            accounts: &[account("eu")],
            rejected: &[],
            notices: &["x".into()],
            now: at(0),
        };
        let (health, text) = headline(&view);
        assert_eq!(health, Health::Fault);
        assert!(text.contains("not running; `systemctl start odoo-spoold`"), "{text}");
        assert!(text.ends_with("(and 1 other thing: `odoo-spoold status`)"), "{text}");
    }

    #[test]
    fn a_paused_account_comes_before_dead_orders() {
        let mut eu = account("eu");
        eu.orders.dead = 1;
        let mut na = account("na");
        na.gate = GateStatus::Paused(closed("odoo-access-denied", -60));
        let (health, text) = said(&[eu.clone(), na.clone()]);
        assert_eq!(health, Health::Fault);
        assert_eq!(
            text,
            "Fault: account na is paused since 2025-11-20 23:59 UTC (odoo-access-denied): renew \
             the API key (and 1 other thing: `odoo-spoold status`)"
        );
        na.enabled = false;
        let (health, text) = said(&[eu, na]);
        assert_eq!(health, Health::Attention);
        assert_eq!(
            text,
            "Attention: account eu has 1 order that Odoo refused for good; `odoo-spoold dead list \
             --account eu`"
        );
    }

    #[test]
    fn a_pause_says_who_since_when_and_how_it_ends() {
        let mut eu = account("eu");
        let pause = |all, intake| {
            Some(crate::control::wire::PausedStatus {
                by_uid: Some(1000),
                since: at(0),
                intake,
                all,
            })
        };
        eu.paused = pause(false, false);
        let text = "Attention: account eu is paused by uid 1000 since 2025-11-21 00:00 UTC, nothing \
                    is delivered; `odoo-spoold resume --account eu`";
        assert_eq!(said(&[eu.clone()]), (Health::Attention, text.into()));
        eu.paused = pause(true, true);
        let mut na = account("na");
        na.paused = pause(true, true);
        let text = "Attention: all accounts are paused by uid 1000 since 2025-11-21 00:00 UTC, \
                    nothing is taken in or delivered; `odoo-spoold resume --all`";
        assert_eq!(said(&[eu.clone(), na]).1, text);
        eu.enabled = false;
        assert!(!said(&[eu]).1.contains("paused"));
    }

    #[test]
    fn what_is_to_be_looked_at_is_counted() {
        let mut eu = account("eu");
        eu.attention = 2;
        let text = "Attention: account eu has 2 orders to look at; `odoo-spoold attention list \
                    --account eu`";
        assert_eq!(said(&[eu.clone()]), (Health::Attention, text.into()));
        (eu.attention, eu.attention_files, eu.attention_account) = (0, 1, true);
        let text = "Attention: account eu has something and 1 file to look at; `odoo-spoold \
                    attention list --account eu`";
        assert_eq!(said(&[eu]), (Health::Attention, text.into()));
    }

    #[test]
    fn an_odoo_that_restarts_is_no_fault_yet() {
        let mut eu = account("eu");
        eu.gate = GateStatus::OdooUnreachable(closed("odoo-unreachable", -299));
        assert_eq!(said(&[eu.clone()]).0, Health::Attention);
        eu.gate = GateStatus::OdooUnreachable(closed("odoo-unreachable", -300));
        assert_eq!(said(&[eu]).0, Health::Fault);
    }

    #[test]
    fn holds_are_told_by_who_ends_them() {
        let mut eu = account("eu");
        eu.orders.held = 10;
        eu.holds.extend([
            (HoldCode::Release, 1),
            (HoldCode::Sku, 3),
            (HoldCode::Tax, 4),
            (HoldCode::Conflict, 2),
        ]);
        let (health, text) = said(&[eu.clone()]);
        assert_eq!(health, Health::Attention);
        assert!(text.contains("wait for a decision (conflict 2)"), "{text}");
        eu.holds.remove(&HoldCode::Conflict);
        let (_, text) = said(&[eu]);
        assert!(text.contains("(tax 4, sku 3); `odoo-spoold hold list --account eu`"), "{text}");
    }

    #[test]
    fn rejected_files_notices_and_no_account() {
        let rejected = [1, 2].map(|number| Rejected {
            id: crate::model::FileId::from_bits(number),
            account: "eu".parse().unwrap(),
            code: "header-unknown".into(),
            since: at(-5),
        });
        let accounts = [account("eu")];
        let view = |rejected, notices| View {
            running: true,
            accounts: &accounts,
            rejected,
            notices,
            now: at(0),
        };
        let (health, text) = headline(&view(&rejected[..1], &[]));
        assert_eq!(health, Health::Attention);
        assert_eq!(
            text,
            "Attention: file F0000000001 was rejected (header-unknown); `odoo-spoold files show \
             F0000000001`"
        );
        let (_, text) = headline(&view(&rejected, &[]));
        assert!(text.contains("2 files were rejected within a day, the last one F0000000001"));
        let notices = ["1 file in eu/incoming cannot be read; chmod g+r it".to_owned()];
        let (_, text) = headline(&view(&[], &notices));
        assert_eq!(text, format!("Attention: {}", notices[0]));
        assert!(said(&[]).1.contains("no account is configured"));
    }
}
