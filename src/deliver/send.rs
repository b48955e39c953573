//! Calls of one account, and what their failures mean for the batch.
//!
//! A refused record is the record's affair; anything else stops the batch: its jobs go back, or
//! the account pauses.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::people::People;
use super::refusals::Step;
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
    /// Causes of a pause ([`Stop::Pause`]) that concern only some orders: those are refused.
    pub(super) excused: BTreeSet<String>,
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
        /// Where.
        step: Option<Step>,
    },
    /// Configuration: the account waits.
    Pause {
        /// A code for logs.
        code: &'static str,
        /// What helps.
        next_step: Cow<'static, str>,
        /// Only an order that is sent shows whether it is over.
        by_order: bool,
        /// What may turn out to concern only some orders: the field that Odoo requires, or the
        /// call that it does not allow.
        cause: Option<String>,
        /// Where.
        step: Option<Step>,
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
        let step = fault.reading.then_some(Step::Read);
        match fault.class() {
            Class::Pause => Self::of_setting(&fault, None, step),
            Class::Reject => Self::Refused { code, words: fault.words },
            Class::Retry => Self::Retry {
                code,
                down: fault.is_down(),
                ambiguous: fault.ambiguous && !fault.reading,
                overload: fault.is_overload(),
                seen: Some(fault.explained()),
                wait: fault.retry_after,
                doubt: fault.is_doubtful().then_some(fault.words),
                step,
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
            step: None,
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
            step: None,
        }
    }

    /// The account waits for something that a probe of Odoo shows.
    pub(super) fn pause(code: &'static str, next_step: impl Into<Cow<'static, str>>) -> Self {
        let next_step = next_step.into();
        Self::Pause { code, next_step, by_order: false, cause: None, step: None }
    }

    /// What is configured wrongly, in Odoo or here; `call` is `model.method` of what writes.
    fn of_setting(fault: &Fault, call: Option<&str>, step: Option<Step>) -> Self {
        let told = fault.remedy.is_some().then(|| fault.explained());
        Self::configuration(fault.kind, fault.field.as_deref().map(str::to_owned), told, call, step)
    }

    /// The same, in words that are told, or else those of its kind.
    fn configuration(
        kind: FaultKind,
        field: Option<String>,
        told: Option<String>,
        call: Option<&str>,
        step: Option<Step>,
    ) -> Self {
        let next_step = match &field {
            Some(field) => Cow::Owned(format!("Odoo requires `{field}`: {}", kind.next_step())),
            None => told.map_or(Cow::Borrowed(kind.next_step()), Cow::Owned),
        };
        let (code, by_order) = (kind.code(), kind.is_shown_by_orders());
        let cause = field.or_else(|| Some(format!("{code} {}", call?))).filter(|_| by_order);
        Self::Pause { code, next_step, by_order, cause, step }
    }

    /// The same, come about at this step, unless that is known.
    pub(super) fn at(mut self, here: Step) -> Self {
        if let Self::Retry { step, .. } | Self::Pause { step, .. } = &mut self {
            step.get_or_insert(here);
        }
        self
    }

    /// For calls that are no order's affair: a question that Odoo refuses there stops the account.
    pub(super) fn or_pause(self) -> Self {
        match self {
            Self::Retry { code, doubt: Some(_), .. } | Self::Refused { code, .. } => {
                Self::pause(code, REFUSED_READ)
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
        answer.map_err(|fault| self.stop(fault, model, method))
    }

    /// What a failed write means: one that is known to concern only some orders is theirs.
    fn stop(&self, fault: Fault, model: &str, method: &str) -> Stop {
        if fault.class() != Class::Pause {
            return fault.into();
        }
        let call = format!("{model}.{method}");
        let stop = Stop::of_setting(&fault, Some(&call), None);
        self.excuse(stop, fault.words)
    }

    fn excuse(&self, stop: Stop, words: Words) -> Stop {
        match stop {
            Stop::Pause { code, cause: Some(cause), .. } if self.excused.contains(&cause) => {
                Stop::Refused { code, words }
            }
            stop => stop,
        }
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
        let answer = odoo.write(model, &[id], values, self.context.clone()).await;
        answer.map_err(|fault| self.stop(fault, model, "write"))
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
        let answer = odoo.call(call).await.map(|_| ());
        answer.map_err(|fault| self.stop(fault, model, "message_unsubscribe"))
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
                Err(fault) => match self.stop(fault, model, "load") {
                    Stop::Refused { words, .. } => {
                        self.divide(&group, &words, &mut groups, &mut results);
                        continue;
                    }
                    stop => return Err(stop),
                },
            };
            match reply.verdict(group.len(), fields) {
                Verdict::Loaded(ids) => {
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
                Verdict::Configuration { kind, field, words } => {
                    let call = format!("{model}.load");
                    let stop = Stop::configuration(kind, field, None, Some(&call), None);
                    match self.excuse(stop, words) {
                        Stop::Refused { words, .. } => {
                            self.divide(&group, &words, &mut groups, &mut results);
                        }
                        stop => return Err(stop),
                    }
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
        let refused = || Loaded::Refused(Words::default());
        Ok(results.into_iter().map(|result| result.unwrap_or_else(refused)).collect())
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
