//! The one sentence: all well, attention or fault; why; and the next command. Pure.
//!
//! One rule says what comes first, in `status`, in systemd's status line and for the exit code: the order
//! of [`ConcernKind`]. Beside the first concern all are counted by kind.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::{EndedBy, HoldCode};

use super::wire::{
    AccountStatus, ClosedStatus, Concern, ConcernKind, GateStatus, Health, Rejected,
};

/// An Odoo that has not answered for so long is no restart.
const UNREACHABLE_FAULT_SECS: i64 = 300;
/// Where a long sentence is cut, this says where the whole of it stands.
const MORE: &str = "… `odoo-spoold status`";

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
    pub notices: &'a [Concern],
    /// The time.
    pub now: Timestamp,
}

/// How it stands, in one sentence.
pub fn headline(view: &View<'_>) -> (Health, String) {
    told(&concerns(view), view)
}

/// The sentence of these concerns, which are those of `view`.
pub(super) fn told(concerns: &[Concern], view: &View<'_>) -> (Health, String) {
    let Some(first) = concerns.first() else {
        return (Health::Well, well(view));
    };
    let word = match first.health {
        Health::Fault => "Fault",
        Health::Attention | Health::Well => "Attention",
    };
    (first.health, format!("{word}: {}", first.text))
}

/// Every reason not to be well, the most urgent first.
pub fn concerns(view: &View<'_>) -> Vec<Concern> {
    let mut found = found(view);
    // Stable: within one kind, the order in which they were found. A fault is never behind what is none.
    found.sort_by_key(|concern| (std::cmp::Reverse(concern.health), concern.kind));
    found
}

/// How many there are of each kind, for beside the headline; empty where the headline says it all.
pub fn beside(concerns: &[Concern]) -> String {
    if concerns.len() < 2 {
        return String::new();
    }
    let mut kinds: BTreeMap<ConcernKind, u64> = BTreeMap::new();
    for concern in concerns {
        let count = kinds.entry(concern.kind).or_default();
        *count = count.saturating_add(concern.count);
    }
    let words: Vec<String> =
        kinds.iter().map(|(kind, count)| format!("{} {count}", kind.name())).collect();
    words.join(", ")
}

/// Headline and counts in at most so many bytes. A sentence that is too long ends behind a word, and
/// then says where the whole of it stands.
pub fn in_brief(headline: &str, concerns: &[Concern], bytes: usize) -> String {
    let counts = beside(concerns);
    let whole =
        if counts.is_empty() { headline.to_owned() } else { format!("{headline} [{counts}]") };
    if whole.len() <= bytes {
        return whole;
    }
    let behind = if counts.is_empty() { MORE.to_owned() } else { format!("{MORE} [{counts}]") };
    let room = bytes.saturating_sub(behind.len());
    let mut end = 0;
    for (at, _) in headline.char_indices().filter(|(_, c)| c.is_whitespace()) {
        if at <= room {
            end = at;
        }
    }
    let begun = headline.get(..end).unwrap_or_default();
    format!("{}{behind}", begun.trim_end_matches([' ', ';', ':', ',']))
}

fn found(view: &View<'_>) -> Vec<Concern> {
    let mut concerns = Vec::new();
    if !view.running {
        let text = "the daemon is not running; `systemctl start odoo-spoold`";
        concerns.push(Concern::fault(ConcernKind::Daemon, 1, text));
    }
    for account in view.accounts.iter().filter(|account| account.enabled) {
        concerns.extend(gate(account, view.now));
    }
    for text in pauses(view.accounts) {
        concerns.push(Concern::attention(ConcernKind::Paused, 1, text));
    }
    if !view.accounts.iter().any(|account| account.enabled) {
        let text = "no account is configured; add one to config.toml, then `odoo-spoold reload`";
        concerns.push(Concern::attention(ConcernKind::NoAccount, 1, text));
    }
    for account in view.accounts {
        let id = &account.account;
        let dead = account.orders.dead;
        if dead > 0 {
            let text = format!(
                "account {id} has {}; `odoo-spoold dead list --account {id}`",
                orders(dead, "Odoo refused for good")
            );
            concerns.push(Concern::attention(ConcernKind::Dead, dead, text));
        }
        concerns.extend(to_look_at(account));
        for (ended_by, kind, what) in [
            (EndedBy::Person, ConcernKind::Held, "wait for a decision"),
            (EndedBy::Odoo, ConcernKind::HeldForOdoo, "wait for something in Odoo or config.toml"),
        ] {
            if let Some((count, codes)) = held(account, ended_by) {
                let text = format!(
                    "account {id} has orders that {what} ({codes}); \
                     `odoo-spoold hold list --account {id}`"
                );
                concerns.push(Concern::attention(kind, count, text));
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
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        concerns.push(Concern::attention(ConcernKind::Rejected, count, text));
    }
    concerns.extend(view.notices.iter().cloned());
    concerns
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

fn gate(account: &AccountStatus, now: Timestamp) -> Option<Concern> {
    let id = &account.account;
    match &account.gate {
        GateStatus::Open | GateStatus::Unknown => None,
        GateStatus::Paused(closed) => {
            let text = sentence(&format!("account {id} is paused"), closed);
            Some(Concern::fault(ConcernKind::Account, 1, text))
        }
        GateStatus::OdooUnreachable(closed) => {
            let limit = SignedDuration::from_secs(UNREACHABLE_FAULT_SECS);
            let long = now.duration_since(closed.since) >= limit;
            let text = sentence(&format!("Odoo does not answer account {id}"), closed);
            Some(if long {
                Concern::fault(ConcernKind::Account, 1, text)
            } else {
                Concern::attention(ConcernKind::Odoo, 1, text)
            })
        }
    }
}

fn sentence(what: &str, closed: &ClosedStatus) -> String {
    format!("{what} since {} ({}): {}", clock(closed.since), closed.code, closed.next_step)
}

/// How many holds are ended this way, and their codes and counts, most first.
fn held(account: &AccountStatus, ended_by: EndedBy) -> Option<(u64, String)> {
    let mut found: Vec<(HoldCode, u64)> = account
        .holds
        .iter()
        .map(|(code, count)| (*code, *count))
        .filter(|(code, count)| *count > 0 && code.ended_by() == ended_by)
        .collect();
    found.sort_by_key(|(code, count)| (std::cmp::Reverse(*count), *code));
    let texts: Vec<String> = found.iter().map(|(code, count)| format!("{code} {count}")).collect();
    let count = found.iter().map(|(_, count)| count).sum();
    (!texts.is_empty()).then(|| (count, texts.join(", ")))
}

fn well(view: &View<'_>) -> String {
    let accounts = view.accounts;
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
    let text = match held {
        0 => text,
        _ => format!("{text}, {held} waiting for a later file"),
    };
    match unread(accounts, view.now) {
        Some(unread) => format!("{text}; {unread}"),
        None => text,
    }
}

/// What waits in `incoming/`, over all accounts.
fn unread(accounts: &[AccountStatus], now: Timestamp) -> Option<String> {
    let files: u64 = accounts.iter().filter_map(|account| account.files_waiting).sum();
    let oldest = accounts.iter().filter_map(|account| account.waiting_since).min();
    let wait = if files == 1 { "file waits" } else { "files wait" };
    (files > 0).then(|| {
        let age = oldest.map(|at| format!(", oldest {}", age(now, at))).unwrap_or_default();
        format!("{} {wait}{age}", grouped(files))
    })
}

/// How long ago, in one unit.
pub fn age(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().max(0);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn to_look_at(account: &AccountStatus) -> Option<Concern> {
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
        let text = format!(
            "account {id} has {things} to look at; `odoo-spoold attention list --account {id}`"
        );
        let itself = u64::from(account.attention_account);
        let count =
            account.attention_files.saturating_add(account.attention).saturating_add(itself);
        Concern::attention(ConcernKind::Look, count, text)
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
            files_waiting: None,
            waiting_since: None,
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
            notices: &[Concern::attention(ConcernKind::Disk, 1, "x")],
            now: at(0),
        };
        let (health, text) = headline(&view);
        assert_eq!(health, Health::Fault);
        assert!(text.contains("not running; `systemctl start odoo-spoold`"), "{text}");
        assert_eq!(beside(&concerns(&view)), "daemon 1, disk 1");
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
             the API key"
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
        let text = "1 file in eu/incoming cannot be read; chmod g+r it";
        let notices = [Concern::attention(ConcernKind::Left, 1, text)];
        assert_eq!(headline(&view(&[], &notices)).1, format!("Attention: {text}"));
        assert!(said(&[]).1.contains("no account is configured"));
    }
    /// What stops work, then data at risk, then what waits for a person, then what waits for Odoo.
    #[test]
    fn night_p3_the_most_urgent_comes_first_and_all_are_counted() {
        use ConcernKind::{Account, Clock, Disk, Held, HeldForOdoo, Left, Odoo};
        let mut eu = account("eu");
        eu.holds.extend([(HoldCode::Sku, 14), (HoldCode::Conflict, 2)]);
        let rejected = [Rejected {
            id: crate::model::FileId::from_bits(1),
            account: "eu".parse().unwrap(),
            code: "header-unknown".into(),
            since: at(-5),
        }];
        let notices = [
            Concern::attention(ConcernKind::Left, 3, "a folder"),
            Concern::attention(ConcernKind::Clock, 1, "the clock"),
            Concern::attention(ConcernKind::Disk, 1, "disk nearly full"),
        ];
        let kinds = |accounts: &[AccountStatus]| -> Vec<ConcernKind> {
            let view = View {
                running: true,
                accounts,
                rejected: &rejected,
                notices: &notices,
                now: at(0),
            };
            concerns(&view).iter().map(|concern| concern.kind).collect()
        };
        let rest = [Disk, Clock, ConcernKind::Rejected, Left, Held];
        let mut expected = rest.to_vec();
        expected.push(HeldForOdoo);
        assert_eq!(kinds(&[eu.clone()]), expected);
        eu.gate = GateStatus::OdooUnreachable(closed("unreachable", -5));
        expected.insert(rest.len(), Odoo);
        assert_eq!(kinds(&[eu.clone()]), expected);
        eu.gate = GateStatus::OdooUnreachable(closed("unreachable", -400));
        expected.remove(rest.len());
        expected.insert(0, Account);
        assert_eq!(kinds(&[eu.clone()]), expected);
        let view = View {
            running: true,
            accounts: &[eu],
            rejected: &rejected,
            notices: &notices,
            now: at(0),
        };
        assert_eq!(
            beside(&concerns(&view)),
            "account 1, disk 1, clock 1, rejected 1, left 3, held 2, held-for-odoo 14"
        );
    }

    #[test]
    fn night_p3_a_long_sentence_ends_behind_a_word() {
        let long = "Attention: account eu has orders that wait; `odoo-spoold hold list`";
        assert_eq!(in_brief(long, &[], 200), long);
        for bytes in 30..long.len() {
            let brief = in_brief(long, &[], bytes);
            assert!(brief.len() <= bytes, "{bytes} {brief}");
            let begun = brief.strip_suffix(MORE).unwrap();
            let rest = long.strip_prefix(begun).unwrap();
            assert!(rest.starts_with([' ', ';', ':']) || begun.is_empty(), "{brief}");
        }
        let two =
            [ConcernKind::Disk, ConcernKind::Held].map(|kind| Concern::attention(kind, 2, "text"));
        assert_eq!(in_brief("Attention: text", &two, 200), "Attention: text [disk 2, held 2]");
        assert!(in_brief(long, &two, 70).ends_with("… `odoo-spoold status` [disk 2, held 2]"));
    }

    #[test]
    fn night_p8_files_that_wait_are_told() {
        let mut eu = account("eu");
        eu.files_waiting = Some(3_330);
        eu.waiting_since = Some(at(-40));
        let text = "All well: nothing to do yet; 3,330 files wait, oldest 40 s";
        assert_eq!(said(&[eu]), (Health::Well, text.into()));
        assert_eq!([7, 999, 1_000, 1_234_567].map(grouped), ["7", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [119, 120, 7_200, 172_800].map(|ago| age(at(0), at(-ago))),
            ["119 s", "2 min", "2 h", "2 days"]
        );
    }
}
