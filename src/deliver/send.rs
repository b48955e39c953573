//! Calls of one account, and what their failures mean for the batch.
//!
//! A refused record is the record's affair; anything else stops the batch: its jobs go back, or
//! the account pauses.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::people::People;
use super::window::Writing;
use crate::model::{AccountId, OdooId};
use crate::odoo::{Call, Class, Client, Context, Fault, FaultKind, Record, Verdict, Words};
use crate::plan::external;

/// Calls of one account in its company.
pub(super) struct Sender<'a> {
    pub(super) client: &'a Client,
    pub(super) account: &'a AccountId,
    pub(super) context: Context,
    /// These records failed together before with a text that nobody understands: halve them rather
    /// than wait once more.
    pub(super) split_unknown: bool,
    /// Gives what writes.
    pub(super) writing: Writing<'a>,
    /// Who listens for people after a call, and the company that is read for it.
    pub(super) people: Option<(&'a People, OdooId)>,
    /// Required fields that only some orders lack: those orders are refused.
    pub(super) excused: BTreeSet<String>,
    /// What `load()` said of each model.
    pub(super) said: Mutex<BTreeMap<String, Said>>,
}

/// What the calls of one batch said about the records of one model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// A record of it was stored.
    pub(super) stored: bool,
    /// The last refusal's words.
    pub(super) refused: Option<Words>,
    /// The field that Odoo requires and that is not sent.
    pub(super) required: Option<String>,
}

/// What became of one record of a `load()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Loaded {
    /// It stands there.
    Id(OdooId),
    /// Odoo refuses it.
    Refused(Words),
}

/// What helps where Odoo refuses a question that is no order's affair.
const REFUSED_READ: &str = "Odoo refuses to answer a question of odoo-spoold, which concerns every \
                            order: `odoo-spoold check` says which; Odoo's log says why";

/// Why a batch cannot go on.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    /// Not our data's fault: later again.
    Retry {
        /// A code for logs.
        code: &'static str,
        /// Odoo (or its database) cannot be reached: nobody needs to try until a probe succeeds.
        down: bool,
        /// The call may still be running in Odoo.
        ambiguous: bool,
        /// Odoo got too much at once.
        overload: bool,
        /// What was seen and what helps; none: nothing to say.
        seen: Option<String>,
        /// What the server asked for.
        wait: Option<Duration>,
        /// Nothing says that it passes: what Odoo said, for a person to see after many attempts.
        doubt: Option<Words>,
    },
    /// Configuration: the account waits.
    Pause {
        /// A code for logs.
        code: &'static str,
        /// What helps.
        next_step: Cow<'static, str>,
        /// Only an order that is sent shows whether it is over.
        by_order: bool,
    },
    /// The records of a call that writes are refused together.
    Refused {
        /// A code for logs.
        code: &'static str,
        /// Odoo's words.
        words: Words,
    },
    /// The store failed.
    Store(String),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        let code = fault.code();
        match fault.class() {
            Class::Pause => Self::configuration(&fault),
            Class::Reject => Self::Refused { code, words: fault.words },
            Class::Retry => Self::Retry {
                code,
                down: fault.is_down(),
                ambiguous: fault.ambiguous && !fault.reading,
                overload: fault.is_overload(),
                seen: Some(fault.explained()),
                wait: fault.retry_after,
                doubt: fault.is_doubtful().then_some(fault.words),
            },
        }
    }
}

impl Stop {
    /// It passes: later again.
    pub(super) const fn later(code: &'static str) -> Self {
        Self::Retry {
            code,
            down: false,
            ambiguous: false,
            overload: false,
            seen: None,
            wait: None,
            doubt: None,
        }
    }

    /// A lost race that `load()` told of.
    pub(super) const fn lost_race() -> Self {
        Self::Retry {
            code: "odoo-serialization",
            down: false,
            ambiguous: false,
            overload: true,
            seen: None,
            wait: None,
            doubt: None,
        }
    }

    /// What is configured wrongly, in Odoo or here.
    fn configuration(fault: &Fault) -> Self {
        let kind = fault.kind;
        if fault.field.is_some() || fault.remedy.is_none() {
            return Self::required(kind, fault.field.as_deref());
        }
        let next_step = Cow::Owned(fault.explained());
        Self::Pause { code: kind.code(), next_step, by_order: kind.is_shown_by_orders() }
    }

    /// The same, of a field that Odoo requires.
    fn required(kind: FaultKind, field: Option<&str>) -> Self {
        let next_step = match field {
            Some(field) => Cow::Owned(format!("Odoo requires `{field}`: {}", kind.next_step())),
            None => Cow::Borrowed(kind.next_step()),
        };
        Self::Pause { code: kind.code(), next_step, by_order: kind.is_shown_by_orders() }
    }

    /// For calls that are no order's affair: a question that Odoo refuses there stops the account.
    pub(super) fn or_pause(self) -> Self {
        match self {
            Self::Retry { code, doubt: Some(_), .. } | Self::Refused { code, .. } => {
                Self::Pause { code, next_step: Cow::Borrowed(REFUSED_READ), by_order: false }
            }
            stop => stop,
        }
    }
}

impl<'a> Sender<'a> {
    /// Calls of an account that has failed at nothing so far.
    pub(super) fn new(
        client: &'a Client,
        account: &'a AccountId,
        context: Context,
        writing: Writing<'a>,
    ) -> Self {
        Self {
            client,
            account,
            context,
            split_unknown: false,
            writing,
            people: None,
            excused: BTreeSet::new(),
            said: Mutex::default(),
        }
    }

    /// `module.name` as a cell of `load()`.
    pub(super) fn external(&self, name: &str) -> Value {
        Value::from(external::full(self.account, name))
    }

    /// Creates records if absent: one entry of `records` is a record's rows. Refused ones are
    /// taken out and the others sent again, so that one bad record never stops another.
    pub(super) async fn load(
        &self,
        model: &str,
        fields: &[&str],
        records: Vec<Vec<Vec<Value>>>,
    ) -> Result<Vec<Loaded>, Stop> {
        self.load_in(model, fields, records, self.context.clone().noupdate()).await
    }

    /// Writes records: like [`Sender::load`], without skipping what is known.
    pub(super) async fn update(
        &self,
        model: &str,
        fields: &[&str],
        records: Vec<Vec<Vec<Value>>>,
    ) -> Result<Vec<Loaded>, Stop> {
        self.load_in(model, fields, records, self.context.clone()).await
    }

    /// A method that changes the state of records.
    pub(super) async fn execute(
        &self,
        model: &str,
        method: &str,
        ids: &[OdooId],
        context: Context,
    ) -> Result<Value, Stop> {
        let odoo = self.writing.begin().await?;
        let sent = Instant::now();
        let answer = odoo.execute(model, method, ids, context).await;
        self.listen(sent).await;
        answer.map_err(Stop::from)
    }

    /// A call is over that others may have waited for.
    async fn listen(&self, sent: Instant) {
        if let Some((people, company)) = self.people {
            people.after_call(self.client, company, sent.elapsed()).await;
        }
    }

    /// The same values on one record, by a plain `write`: where a `load()` would not do.
    pub(super) async fn write(&self, model: &str, id: OdooId, values: Record) -> Result<(), Stop> {
        let odoo = self.writing.begin().await?;
        odoo.write(model, &[id], values, self.context.clone()).await.map_err(Stop::from)
    }

    /// Takes partners off the followers of records.
    pub(super) async fn unsubscribe(
        &self,
        model: &str,
        ids: &[OdooId],
        partners: &[OdooId],
    ) -> Result<(), Stop> {
        let odoo = self.writing.begin().await?;
        let call = Call::new(model, "message_unsubscribe", self.context.clone())
            .on(ids)
            .leading("partner_ids", partners);
        odoo.call(call).await.map(|_| ()).map_err(Stop::from)
    }

    async fn load_in(
        &self,
        model: &str,
        fields: &[&str],
        records: Vec<Vec<Vec<Value>>>,
        context: Context,
    ) -> Result<Vec<Loaded>, Stop> {
        let mut results: Vec<Option<Loaded>> = vec![None; records.len()];
        // Groups of record indexes still to be sent; a doubtful group is halved.
        let mut groups: Vec<Vec<usize>> = vec![(0..records.len()).collect()];
        while let Some(group) = groups.pop() {
            if group.is_empty() {
                continue;
            }
            let rows = group.iter().filter_map(|at| records.get(*at)).flatten().cloned().collect();
            let odoo = self.writing.begin().await?;
            let sent = Instant::now();
            let reply = odoo.load(model, fields, rows, context.clone()).await;
            self.listen(sent).await;
            let reply = match reply {
                Ok(reply) => reply,
                Err(fault) if fault.class() == Class::Reject => {
                    self.divide(&group, &fault.words, &mut groups, &mut results);
                    continue;
                }
                Err(fault) => return Err(fault.into()),
            };
            match reply.verdict(group.len(), fields) {
                Verdict::Loaded(ids) => {
                    self.say(model, |said| said.stored = true);
                    for (at, id) in group.iter().zip(ids) {
                        set(&mut results, *at, Loaded::Id(id));
                    }
                }
                Verdict::Transient(_) => return Err(Stop::lost_race()),
                Verdict::Unknown(words) if group.len() > 1 && self.split_unknown => {
                    self.divide(&group, &words, &mut groups, &mut results);
                }
                // The whole again first: such a text may be a lost race in an unknown language.
                Verdict::Unknown(_) if group.len() > 1 || !self.split_unknown => {
                    return Err(Stop::later("odoo-load-unclear"));
                }
                Verdict::Unknown(words) => {
                    for at in group {
                        set(&mut results, at, Loaded::Refused(words.clone()));
                    }
                }
                Verdict::Configuration { field: Some(field), words, .. }
                    if self.excused.contains(&field) =>
                {
                    self.divide(&group, &words, &mut groups, &mut results);
                }
                Verdict::Configuration { kind, field, .. } => {
                    self.say(model, |said| said.required.clone_from(&field));
                    return Err(Stop::required(kind, field.as_deref()));
                }
                Verdict::Rejected(refusals) => {
                    let mut rest = group.clone();
                    let mut alone = Vec::new();
                    for refusal in refusals {
                        let Some(at) = group.get(refusal.record).copied() else { continue };
                        rest.retain(|other| *other != at);
                        if refusal.certain {
                            set(&mut results, at, Loaded::Refused(refusal.words));
                        } else {
                            alone.push(vec![at]);
                        }
                    }
                    groups.extend(alone);
                    if rest.len() < group.len() {
                        groups.push(rest);
                    } else {
                        self.divide(&group, &Words::default(), &mut groups, &mut results);
                    }
                }
            }
        }
        let results: Vec<Loaded> = results
            .into_iter()
            .map(|r| r.unwrap_or_else(|| Loaded::Refused(Words::default())))
            .collect();
        let words = results.iter().rev().find_map(|loaded| match loaded {
            Loaded::Refused(words) => Some(words.clone()),
            Loaded::Id(_) => None,
        });
        self.say(model, |said| said.refused = words.or(said.refused.take()));
        Ok(results)
    }

    fn say(&self, model: &str, change: impl FnOnce(&mut Said)) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        change(said.entry(model.to_owned()).or_default());
    }

    /// A call was refused as a whole: halves find the culprit in log₂ calls.
    fn divide(
        &self,
        group: &[usize],
        words: &Words,
        groups: &mut Vec<Vec<usize>>,
        results: &mut [Option<Loaded>],
    ) {
        if let [only] = group {
            set(results, *only, Loaded::Refused(words.clone()));
            return;
        }
        let (left, right) = group.split_at(group.len() / 2);
        groups.push(left.to_vec());
        groups.push(right.to_vec());
    }
}

fn set(results: &mut [Option<Loaded>], at: usize, loaded: Loaded) {
    if let Some(slot) = results.get_mut(at) {
        *slot = Some(loaded);
    }
}
