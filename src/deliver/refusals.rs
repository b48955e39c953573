//! Refused orders: is it the order, or a setting that concerns them all? Pure.
//!
//! One refusal does not tell. Until it is decided a refused order is held, not dead. Another order
//! that gets through the same [`Step`] decides that the refused ones are to blame: they are sent once
//! more, and die one by one. What an order gets through itself, and what others get through at
//! another step, decides nothing, and a question that Odoo refuses ([`Step::Read`]) condemns nobody.
//! [`DIFFERENT_ORDERS`] orders that were refused in the same words, with none getting through
//! between them, decide that it is a setting: the account pauses. What ends such a pause is an order
//! sent alone that gets through.
//!
//! All of it is memory. After a restart the held orders are still there, and the count begins with
//! the first one that is sent again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::backoff;
use crate::model::OdooId;
use crate::store::RecordKey;

/// So many different orders, refused in the same words, are taken for a setting.
pub(super) const DIFFERENT_ORDERS: usize = 3;
/// Orders of a paused batch that are remembered to be sent alone.
const REMEMBERED: usize = 50;
/// For so long what was learned from an order that got through holds: which refusals are the
/// orders' affair, and which orders are to blame.
const LEARNED: SignedDuration = SignedDuration::from_hours(1);

/// What was asked of Odoo for an order. Refusals and successes are compared within one step only:
/// a cancellation that goes through says nothing about creating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Creating its customer.
    Customer,
    /// Creating the order.
    Create,
    /// Changing the order that stands in Odoo.
    Change,
    /// Changing or adding its lines.
    Lines,
    /// The line that makes its total Amazon's.
    Rounding,
    /// Confirming it, and putting its date back.
    Confirm,
    /// What follows a confirmation: notes on the delivery, followers.
    After,
    /// Cancelling it.
    Cancel,
    /// Making a quotation of a cancelled order.
    Reopen,
    /// A question. Its refusal condemns nobody.
    Read,
}

/// One refused order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// The order.
    pub(super) order: RecordKey,
    /// Where.
    pub(super) step: Step,
    /// What distinguishes this cause from others: a code, and Odoo's words without what is
    /// particular to one record.
    pub(super) reason: String,
}

/// Which orders got through which steps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Passed(BTreeMap<Step, BTreeSet<RecordKey>>);

/// What becomes of a refused order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is to blame.
    Dead,
    /// That is not decided.
    Held,
}

/// What a batch taught.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Lesson {
    /// What becomes of the refused orders, in their order.
    pub(super) fates: Vec<Fate>,
    /// It is a setting: the account pauses.
    pub(super) pause: bool,
}

/// Why the account is paused until one order gets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paused {
    /// The code.
    pub(super) code: &'static str,
    /// What helps.
    pub(super) next_step: String,
    /// What may turn out to concern only some orders, and where.
    cause: Option<(Step, String)>,
    /// Orders that were refused, to be sent alone.
    orders: BTreeSet<RecordKey>,
    /// The one sent last.
    last: Option<RecordKey>,
}

/// The undecided refusals of an account.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// The company in which all of this was learned.
    company: Option<OdooId>,
    open: BTreeMap<(Step, String), BTreeSet<RecordKey>>,
    /// Orders that are sent once more only to die, because others got through this step, and since
    /// when that is known.
    doomed: BTreeMap<RecordKey, (Step, Timestamp)>,
    paused: Option<Paused>,
    /// What concerns only some orders, and since when that is known: a required field that others
    /// do not lack, a call that others do not need.
    excused: BTreeMap<String, Timestamp>,
    /// Causes that several orders share and that keep no other from its way: no reason to pause.
    apart: BTreeMap<(Step, String), Timestamp>,
    /// When an order held for a reason is looked at again, and how often that was done.
    looks: BTreeMap<String, (usize, Timestamp)>,
    /// What the orders that were refused are held for.
    kinds: BTreeMap<RecordKey, String>,
}

impl Step {
    const ALL: [Self; 10] = [
        Self::Customer,
        Self::Create,
        Self::Change,
        Self::Lines,
        Self::Rounding,
        Self::Confirm,
        Self::After,
        Self::Cancel,
        Self::Reopen,
        Self::Read,
    ];

    /// The word people read.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Create => "create",
            Self::Change => "change",
            Self::Lines => "lines",
            Self::Rounding => "rounding",
            Self::Confirm => "confirm",
            Self::After => "after",
            Self::Cancel => "cancel",
            Self::Reopen => "reopen",
            Self::Read => "read",
        }
    }

    /// The step that a hold's key names.
    pub(super) fn of_key(key: &str) -> Option<Self> {
        let name = key.split(' ').next()?;
        Self::ALL.into_iter().find(|step| step.name() == name)
    }

    /// Whether another order that gets through it shows that a refused one is to blame.
    pub(super) fn condemns(self) -> bool {
        self != Self::Read
    }
}

impl Refused {
    /// The key of its hold: step and cause, without a word of Odoo's.
    pub(super) fn key(&self) -> String {
        let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(self.reason.as_bytes()).into();
        format!("{} {a:02x}{b:02x}{c:02x}{d:02x}", self.step.name())
    }
}

impl Passed {
    /// This order got through this step.
    pub(super) fn add(&mut self, step: Step, order: RecordKey) {
        self.0.entry(step).or_default().insert(order);
    }

    /// Whether any order got through it.
    pub(super) fn has(&self, step: Step) -> bool {
        self.0.contains_key(&step)
    }

    /// The steps that orders got through.
    pub(super) fn steps(&self) -> BTreeSet<Step> {
        self.0.keys().copied().collect()
    }

    /// Whether an order other than this one got through it.
    fn by_another(&self, step: Step, order: RecordKey) -> bool {
        self.0.get(&step).is_some_and(|orders| orders.iter().any(|other| *other != order))
    }
}

impl Refusals {
    /// A batch ended: these orders were refused, and some got through these steps.
    pub(super) fn learn(&mut self, refused: &[Refused], passed: &Passed, now: Timestamp) -> Lesson {
        self.doomed.retain(|_, (_, since)| now.duration_since(*since) < LEARNED);
        self.apart.retain(|_, since| now.duration_since(*since) < LEARNED);
        let decided: Vec<(Step, String)> =
            self.open.keys().filter(|(step, _)| passed.has(*step)).cloned().collect();
        for cause in decided {
            let orders = self.open.remove(&cause).unwrap_or_default();
            let (step, _) = cause;
            let blamed =
                orders.into_iter().filter(|o| step.condemns() && passed.by_another(step, *o));
            self.doomed.extend(blamed.map(|order| (order, (step, now))));
        }
        let mut lesson = Lesson::default();
        for one in refused {
            let Refused { order, step, reason } = one;
            let doomed = self.doomed.remove(order).is_some_and(|(at, _)| at == *step);
            if step.condemns() && (doomed || passed.by_another(*step, *order)) {
                self.kinds.remove(order);
                lesson.fates.push(Fate::Dead);
                continue;
            }
            self.kinds.insert(*order, one.key());
            if !passed.by_another(*step, *order) {
                let cause = (*step, reason.clone());
                let apart = self.apart.contains_key(&cause);
                let orders = self.open.entry(cause).or_default();
                // An order that is counted already and sent once more is no news.
                let news = orders.insert(*order);
                lesson.pause |= news && orders.len() >= DIFFERENT_ORDERS && !apart;
            }
            lesson.fates.push(Fate::Held);
        }
        lesson
    }

    /// This order was refused, and is sent once more all the same: where others got through beside
    /// it, it is to blame then.
    pub(super) fn refused_once(
        &mut self,
        order: RecordKey,
        step: Step,
        passed: &Passed,
        now: Timestamp,
    ) {
        if step.condemns() && passed.by_another(step, order) {
            self.doomed.insert(order, (step, now));
        }
    }

    /// Whether others got through this step where this order did not.
    pub(super) fn is_to_blame(&self, order: &RecordKey, step: Step, now: Timestamp) -> bool {
        let doomed = self.doomed.get(order);
        doomed.is_some_and(|(at, since)| *at == step && now.duration_since(*since) < LEARNED)
    }

    /// This order came to an end that is no refusal: it is no longer counted among the refused.
    /// Says what it was held for, if it was: others may wait for the same.
    pub(super) fn ended(&mut self, order: &RecordKey) -> Option<String> {
        self.doomed.remove(order);
        self.open.retain(|_, orders| {
            orders.remove(order);
            !orders.is_empty()
        });
        let kind = self.kinds.remove(order)?;
        self.looks.remove(&kind);
        Some(kind)
    }

    /// This order, held for that, is sent once more.
    pub(super) fn sent_again(&mut self, order: RecordKey, kind: String) {
        self.kinds.insert(order, kind);
    }

    /// What was learned in another company says nothing in this one.
    pub(super) fn in_company(&mut self, company: OdooId) {
        if self.company.is_some_and(|known| known != company) {
            *self = Self::default();
        }
        self.company = Some(company);
    }

    /// The account is paused until one of these orders gets through.
    pub(super) fn pause(
        &mut self,
        code: &'static str,
        next_step: String,
        orders: impl IntoIterator<Item = RecordKey>,
    ) {
        let (mut known, last) = match self.paused.take() {
            Some(paused) => (paused.orders, paused.last),
            None => (BTreeSet::new(), None),
        };
        let undecided = self.open.values().filter(|orders| orders.len() >= DIFFERENT_ORDERS);
        known.extend(undecided.flatten().copied().chain(orders).take(REMEMBERED));
        self.paused = Some(Paused { code, next_step, cause: None, orders: known, last });
    }

    /// What may turn out to concern only some orders is why it is paused.
    pub(super) fn suspect(&mut self, step: Step, cause: String) {
        if let Some(paused) = &mut self.paused {
            paused.cause = Some((step, cause));
        }
    }

    /// An order got through these steps: what keeps others from one of them concerns only those.
    pub(super) fn excuse_paused(&mut self, passed: &BTreeSet<Step>, now: Timestamp) {
        let Some(paused) = &self.paused else { return };
        let cause = paused.cause.clone().filter(|(step, _)| passed.contains(step));
        let Some((step, cause)) = cause else { return };
        // Of the batch that was refused, those that still are from now on are to blame.
        if step.condemns() {
            self.doomed.extend(paused.orders.iter().map(|order| (*order, (step, now))));
        }
        self.excuse(cause, now);
    }

    /// An order that was sent alone got through these steps. Whether others of the batch that was
    /// refused are to be sent before the pause ends: this one did not come to the step in question.
    pub(super) fn goes_on(&mut self, order: &RecordKey, passed: &BTreeSet<Step>) -> bool {
        let Some(paused) = &mut self.paused else { return false };
        let was_in_it = paused.orders.remove(order);
        let elsewhere = paused.cause.as_ref().is_some_and(|(step, _)| !passed.contains(step));
        was_in_it && elsewhere && !paused.orders.is_empty()
    }

    /// Why it is paused, if it is.
    pub(super) fn paused(&self) -> Option<&Paused> {
        self.paused.as_ref()
    }

    /// Whether the order was refused, or in a batch that was.
    pub(super) fn is_suspect(&self, order: &RecordKey) -> bool {
        self.kinds.contains_key(order)
            || self.paused.as_ref().is_some_and(|paused| paused.orders.contains(order))
    }

    /// The order to send alone next: each has its turn.
    pub(super) fn next_probe(&mut self) -> Option<RecordKey> {
        let paused = self.paused.as_mut()?;
        let after = |last| {
            paused
                .orders
                .range((std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded))
                .next()
        };
        let next = paused.last.and_then(after).or_else(|| paused.orders.first()).copied();
        paused.last = next;
        next
    }

    /// There is nothing to send for this order any more.
    pub(super) fn forget(&mut self, order: &RecordKey) {
        if let Some(paused) = &mut self.paused {
            paused.orders.remove(order);
        }
        self.ended(order);
    }

    /// One got through: the pause is over. What is still undecided keeps no order from its way.
    pub(super) fn resume(&mut self, now: Timestamp) {
        self.paused = None;
        let many = self.open.iter().filter(|(_, orders)| orders.len() >= DIFFERENT_ORDERS);
        self.apart.extend(many.map(|(cause, _)| (cause.clone(), now)));
    }

    /// This concerns only some orders: from now on they are refused, and the account goes on.
    pub(super) fn excuse(&mut self, cause: String, now: Timestamp) {
        self.excused.insert(cause, now);
    }

    /// What concerns only some orders.
    pub(super) fn excused(&mut self, now: Timestamp) -> BTreeSet<String> {
        self.excused.retain(|_, since| now.duration_since(*since) < LEARNED);
        self.excused.keys().cloned().collect()
    }

    /// Whether an order that is held with this key is to be sent again now. Ever rarer.
    pub(super) fn is_due(&mut self, key: &str, now: Timestamp) -> bool {
        let (count, next) = self.looks.entry(key.to_owned()).or_insert((0, now));
        if now < *next {
            return false;
        }
        *next = now.saturating_add(backoff::pause(*count)).unwrap_or(now);
        *count = count.saturating_add(1);
        true
    }
}

/// Words without ids and numbers: what two orders refused for one reason have in common.
pub(super) fn without_particulars(words: &str) -> String {
    // PostgreSQL shows the row behind that.
    let words = words.split("DETAIL:").next().unwrap_or_default();
    let common = words.split_whitespace().filter(|word| !word.bytes().any(|b| b.is_ascii_digit()));
    common.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "refusals_tests.rs"]
mod tests;
