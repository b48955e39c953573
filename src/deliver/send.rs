//! Calls of one account, and what their failures mean for the batch.
//!
//! A refused record is the record's affair; anything else stops the batch: its jobs go back, or
//! the account pauses.

use std::time::Duration;

use serde_json::Value;

use super::window::Writing;
use crate::model::{AccountId, OdooId};
use crate::odoo::{Call, Class, Client, Context, Fault, Record, Verdict, Words};
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
}

/// What became of one record of a `load()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Loaded {
    /// It stands there.
    Id(OdooId),
    /// Odoo refuses it.
    Refused(Words),
}

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
        /// What the server asked for.
        wait: Option<Duration>,
    },
    /// Configuration: the account waits.
    Pause {
        /// A code for logs.
        code: &'static str,
        /// What helps.
        next_step: &'static str,
    },
    /// The records of the call are refused together.
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
        use crate::odoo::FaultKind as Kind;
        let code = fault.code();
        match fault.class() {
            Class::Pause => Self::Pause { code, next_step: fault.next_step() },
            Class::Reject => Self::Refused { code, words: fault.words },
            Class::Retry => Self::Retry {
                code,
                down: matches!(
                    fault.kind,
                    Kind::Unreachable
                        | Kind::Timeout
                        | Kind::ConnectionLost
                        | Kind::ErrorPage
                        | Kind::Unavailable
                        | Kind::Overloaded
                        | Kind::DatabaseDown
                        | Kind::DatabaseGone
                        | Kind::BadAnswer
                ),
                ambiguous: fault.ambiguous,
                wait: fault.retry_after,
            },
        }
    }
}

impl Stop {
    /// A lost race, or a text that nobody understands.
    fn transient(code: &'static str) -> Self {
        Self::Retry { code, down: false, ambiguous: false, wait: None }
    }
}

impl Sender<'_> {
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
        odoo.execute(model, method, ids, context).await.map_err(Stop::from)
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
            let reply = match odoo.load(model, fields, rows, context.clone()).await {
                Ok(reply) => reply,
                Err(fault) if fault.class() == Class::Reject => {
                    self.divide(&group, &fault.words, &mut groups, &mut results);
                    continue;
                }
                Err(fault) => return Err(fault.into()),
            };
            match reply.verdict(group.len()) {
                Verdict::Loaded(ids) => {
                    for (at, id) in group.iter().zip(ids) {
                        set(&mut results, *at, Loaded::Id(id));
                    }
                }
                Verdict::Transient(_) => return Err(Stop::transient("odoo-serialization")),
                Verdict::Unknown(words) if group.len() > 1 && self.split_unknown => {
                    self.divide(&group, &words, &mut groups, &mut results);
                }
                // The whole again first: such a text may be a lost race in an unknown language.
                Verdict::Unknown(_) if group.len() > 1 || !self.split_unknown => {
                    return Err(Stop::transient("odoo-load-unclear"));
                }
                Verdict::Unknown(words) => {
                    for at in group {
                        set(&mut results, at, Loaded::Refused(words.clone()));
                    }
                }
                Verdict::AllSame(_) => {
                    return Err(Stop::Pause {
                        code: "odoo-refuses-all",
                        next_step: "Odoo refuses every record with the same words: check the \
                                    integration user's rights with `odoo-spoold check`",
                    });
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
        Ok(results
            .into_iter()
            .map(|r| r.unwrap_or_else(|| Loaded::Refused(Words::default())))
            .collect())
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
