//! `GET /v1/status`: one sentence, then the numbers. Cheap whatever the number of orders.

use axum::Json;
use axum::extract::State;
use jiff::{SignedDuration, Timestamp};

use crate::model::{AccountId, Attention, AttentionCode, FileState, Subject};
use crate::store::{FileFilter, Tally};

use super::blocking;
use super::error::ControlError;
use super::handle::Handle;
use super::headline::{View, concerns, in_brief, told};
use super::wire::{
    AccountStatus, ClosedStatus, Concern, ConcernKind, GateStatus, OrderCounts, PausedStatus,
    Rejected, Status, StoreStatus,
};

/// Files in work that are counted one by one, at most.
const MAX_IN_WORK: usize = 1000;
/// Rejected files that are named, at most.
const MAX_REJECTED: usize = 20;
/// How long a rejected file is news, in hours.
const REJECTED_NEWS_HOURS: i64 = 24;

pub(super) async fn get(State(handle): State<Handle>) -> Result<Json<Status>, ControlError> {
    blocking(handle, status).await
}

/// How it stands, in one sentence of at most so many bytes.
pub async fn sentence(handle: &Handle, bytes: usize) -> String {
    match blocking(handle.clone(), status).await {
        Ok(Json(status)) => in_brief(&status.headline, &status.concerns, bytes),
        Err(error) => in_brief(&format!("Fault: {error}"), &[], bytes),
    }
}

/// How it stands. Blocks.
pub fn status(handle: &Handle) -> Result<Status, ControlError> {
    let now = handle.clock.now();
    let mut accounts = Vec::new();
    let gates = handle.desk.gates();
    let running = handle.desk.running();
    let settings = handle.settings();
    let mut counts = handle.store.counts();
    for account in &settings.accounts {
        counts.entry(account.id.clone()).or_default();
    }
    for (id, tally) in counts {
        let gate = match gates.get(&id) {
            _ if handle.store.is_lost(&id) => lost(handle, &id, now),
            Some(gate) => GateStatus::from(gate),
            None if running => GateStatus::Open,
            None => GateStatus::Unknown,
        };
        let enabled = settings.account(&id).is_some_and(|account| account.enabled);
        // Has neither settings nor orders any more: only its key is still there.
        if enabled || settings.account(&id).is_some() || tally.total() > 0 {
            accounts.push(account(handle, id, &tally, gate, enabled)?);
        }
    }
    let rejected = rejected(handle, now)?;
    let mut notices = handle.desk.notices();
    notices.extend(journal(handle, &mut accounts)?);
    let view = View { running, accounts: &accounts, rejected: &rejected, notices: &notices, now };
    let concerns = concerns(&view);
    let (health, headline) = told(&concerns, &view);
    let stats = handle.store.stats()?;
    Ok(Status {
        health,
        headline,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        running,
        started_at: running.then(|| handle.desk.started_at()),
        now,
        accounts,
        rejected,
        notices: notices.into_iter().map(|notice| notice.text).collect(),
        concerns,
        store: Some(StoreStatus {
            installation: handle.store.installation().to_owned(),
            disk_bytes: stats.disk_bytes,
            orders: stats.records,
            day_keys: stats.day_keys,
            oldest_day: stats.oldest_day,
        }),
        keys: handle.desk.keys(),
    })
}

/// The journal's damage, once: every account has an entry of its own.
fn journal(
    handle: &Handle,
    accounts: &mut [AccountStatus],
) -> Result<Option<Concern>, ControlError> {
    let mut damaged: Option<(AccountId, Attention)> = None;
    for account in accounts.iter_mut().filter(|account| account.attention_account) {
        let entries = handle.store.attention_of(&account.account, &Subject::Account)?;
        let open = entries.into_iter().filter(|entry| entry.dismissed.is_none());
        let (journal, others): (Vec<_>, Vec<_>) =
            open.partition(|entry| entry.code == AttentionCode::JournalDamaged);
        account.attention_account = !others.is_empty();
        if damaged.is_none() {
            damaged = journal.into_iter().next().map(|entry| (account.account.clone(), entry));
        }
    }
    Ok(damaged.map(|(account, entry)| {
        let text = format!(
            "{}, seen {}; then `odoo-spoold attention dismiss {account} --code journal-damaged`",
            entry.text,
            entry.since.strftime("%Y-%m-%d %H:%M UTC")
        );
        Concern::attention(ConcernKind::Journal, 1, text)
    }))
}

/// Nothing moves before it is rebuilt.
fn lost(handle: &Handle, id: &AccountId, now: Timestamp) -> GateStatus {
    GateStatus::Paused(ClosedStatus {
        code: "state-lost".to_owned(),
        next_step: "what was known of its orders is lost; run `odoo-spoold rebuild`".to_owned(),
        since: handle.store.lost_since(id).unwrap_or(now),
        next: Timestamp::MAX,
    })
}

fn account(
    handle: &Handle,
    id: AccountId,
    tally: &Tally,
    gate: GateStatus,
    enabled: bool,
) -> Result<AccountStatus, ControlError> {
    let in_work = FileFilter { account: Some(id.clone()), state: Some(FileState::Work) };
    let files = handle.store.files(&in_work, MAX_IN_WORK)?.len();
    let next_due = if tally.pending > 0 { handle.store.next_due(&id)? } else { None };
    let unread = handle.desk.unread(&id);
    Ok(AccountStatus {
        enabled,
        gate,
        orders: OrderCounts::from(tally),
        holds: tally.holds.clone(),
        next_due,
        files_in_work: u64::try_from(files).unwrap_or(u64::MAX),
        files_waiting: unread.map(|unread| unread.files),
        waiting_since: unread.and_then(|unread| unread.oldest),
        paused: handle.store.paused(&id).map(PausedStatus::from),
        attention: tally.attention,
        attention_files: tally.attention_files,
        attention_account: tally.attention_account > 0,
        noticed_files: tally.noticed_files,
        account: id,
    })
}

fn rejected(handle: &Handle, now: Timestamp) -> Result<Vec<Rejected>, ControlError> {
    let filter = FileFilter { account: None, state: Some(FileState::Rejected) };
    let news = SignedDuration::from_hours(REJECTED_NEWS_HOURS);
    let found = handle.store.files(&filter, MAX_REJECTED)?;
    Ok(found
        .into_iter()
        .filter(|file| now.duration_since(file.since) < news)
        .map(|file| Rejected {
            id: file.id,
            account: file.account,
            code: file.refusal.map_or_else(String::new, |refusal| refusal.code),
            since: file.since,
        })
        .collect())
}
