//! Refused orders: is it the order, or a setting that concerns them all? Pure.
//!
//! One refusal does not tell. Until it is decided a refused order is held, not dead. An order that
//! gets through the same [`Step`] decides that the refused ones are to blame: they are sent once
//! more, and die one by one. [`DIFFERENT_ORDERS`] orders that were refused in the same words, with
//! none getting through between them, decide that it is a setting: the account pauses. What ends
//! such a pause is one of those orders, sent alone, getting through.
//!
//! All of it is memory. After a restart the held orders are still there, and the first one that is
//! sent again begins the count anew.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::backoff;
use crate::store::RecordKey;

/// So many different orders, refused in the same words, are taken for a setting.
pub(super) const DIFFERENT_ORDERS: usize = 3;
/// Orders of a paused batch that are remembered to be sent alone.
const REMEMBERED: usize = 50;
/// For so long a required field that some orders lack and others do not is the orders' affair.
const EXCUSED: SignedDuration = SignedDuration::from_hours(1);

/// What was asked of Odoo for an order. Refusals and successes are compared within one step only:
/// a cancellation that goes through says nothing about creating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Creating its customer.
    Customer,
    /// Creating the order.
    Create,
    /// Changing what stands in Odoo.
    Change,
    /// Confirming it.
    Confirm,
    /// Cancelling it.
    Cancel,
    /// Anything, with a failure that nobody knows, or a question that Odoo refuses.
    Any,
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
    /// Orders that were refused, to be sent alone.
    orders: BTreeSet<RecordKey>,
    /// The one sent last.
    last: Option<RecordKey>,
}

/// The undecided refusals of an account.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    open: BTreeMap<(Step, String), BTreeSet<RecordKey>>,
    /// Orders that are sent once more only to die: others got through.
    doomed: BTreeSet<RecordKey>,
    paused: Option<Paused>,
    /// Required fields that only some orders lack, and since when that is known.
    excused: BTreeMap<String, Timestamp>,
    /// When an order held for a reason is looked at again, and how often that was done.
    looks: BTreeMap<String, (usize, Timestamp)>,
}

impl Step {
    const ALL: [Self; 6] =
        [Self::Customer, Self::Create, Self::Change, Self::Confirm, Self::Cancel, Self::Any];

    /// The word people read.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Create => "create",
            Self::Change => "change",
            Self::Confirm => "confirm",
            Self::Cancel => "cancel",
            Self::Any => "any",
        }
    }

    /// The step that a hold's key names.
    pub(super) fn of_key(key: &str) -> Option<Self> {
        let name = key.split(' ').next()?;
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

impl Refused {
    /// The key of its hold: step and cause, without a word of Odoo's.
    pub(super) fn key(&self) -> String {
        let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(self.reason.as_bytes()).into();
        format!("{} {a:02x}{b:02x}{c:02x}{d:02x}", self.step.name())
    }
}

impl Refusals {
    /// A batch ended: these orders were refused, and some got through these steps.
    pub(super) fn learn(&mut self, refused: &[Refused], passed: &BTreeSet<Step>) -> Lesson {
        // Any order that got through anything shows that Odoo answers and takes orders.
        let through =
            |step: Step| passed.contains(&step) || (step == Step::Any && !passed.is_empty());
        let decided: Vec<(Step, String)> =
            self.open.keys().filter(|(step, _)| through(*step)).cloned().collect();
        for reason in decided {
            self.doomed.extend(self.open.remove(&reason).unwrap_or_default());
        }
        let mut lesson = Lesson::default();
        for Refused { order, step, reason } in refused {
            let doomed = self.doomed.remove(order);
            if doomed || through(*step) {
                lesson.fates.push(Fate::Dead);
                continue;
            }
            let orders = self.open.entry((*step, reason.clone())).or_default();
            orders.insert(*order);
            lesson.pause |= orders.len() >= DIFFERENT_ORDERS;
            lesson.fates.push(Fate::Held);
        }
        lesson
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
        self.paused = Some(Paused { code, next_step, orders: known, last });
    }

    /// Why it is paused, if it is.
    pub(super) fn paused(&self) -> Option<&Paused> {
        self.paused.as_ref()
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
    }

    /// One got through: the pause is over.
    pub(super) fn resume(&mut self) {
        self.paused = None;
    }

    /// Some orders lack this required field and others do not.
    pub(super) fn excuse(&mut self, field: String, now: Timestamp) {
        self.excused.insert(field, now);
    }

    /// The required fields that are the orders' affair.
    pub(super) fn excused(&mut self, now: Timestamp) -> BTreeSet<String> {
        self.excused.retain(|_, since| now.duration_since(*since) < EXCUSED);
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
mod tests {
    use super::*;

    fn order(number: u8) -> RecordKey {
        RecordKey::for_tests(number)
    }

    fn refused(number: u8, step: Step, words: &str) -> Refused {
        Refused { order: order(number), step, reason: without_particulars(words) }
    }

    fn none() -> BTreeSet<Step> {
        BTreeSet::new()
    }

    #[test]
    fn audit_15_one_order_refused_again_and_again_is_one_order() {
        let mut refusals = Refusals::default();
        for _ in 0..5 {
            let lesson = refusals.learn(&[refused(1, Step::Change, "no")], &none());
            assert_eq!(lesson, Lesson { fates: vec![Fate::Held], pause: false });
        }
    }

    #[test]
    fn case_r20_three_different_orders_in_the_same_words_pause_whatever_the_batches() {
        let mut refusals = Refusals::default();
        let words = |n: u8| format!("Order S{n:05} (id {n}) needs a project");
        let first = [refused(1, Step::Create, &words(1)), refused(2, Step::Create, &words(2))];
        assert!(!refusals.learn(&first, &none()).pause);
        // Another cause, and another step that goes through, change nothing about it.
        let other = refusals.learn(&[refused(9, Step::Create, "other")], &[Step::Cancel].into());
        assert_eq!(other, Lesson { fates: vec![Fate::Held], pause: false });
        let third = refusals.learn(&[refused(3, Step::Create, &words(3))], &none());
        assert_eq!(third, Lesson { fates: vec![Fate::Held], pause: true });
        refusals.pause("odoo-refuses-all", String::new(), []);
        // Each of them is sent in turn.
        let probes: Vec<_> = (0..4).map(|_| refusals.next_probe()).collect();
        assert_eq!(probes, [1, 2, 3, 1].map(|n| Some(order(n))));
        refusals.forget(&order(2));
        assert_eq!(refusals.next_probe(), Some(order(3)));
        refusals.resume();
        assert_eq!(refusals.next_probe(), None);
        assert_eq!(refusals.paused(), None);
    }

    #[test]
    fn an_order_that_passes_decides_that_the_refused_ones_are_to_blame() {
        let mut refusals = Refusals::default();
        refusals.learn(&[refused(1, Step::Create, "no"), refused(2, Step::Create, "no")], &none());
        let lesson = refusals.learn(&[refused(3, Step::Create, "no")], &[Step::Create].into());
        assert_eq!(lesson, Lesson { fates: vec![Fate::Dead], pause: false });
        // They are sent once more, and die one by one, also where nothing passes beside them.
        assert_eq!(refusals.learn(&[refused(1, Step::Create, "no")], &none()).fates, [Fate::Dead]);
        assert_eq!(refusals.learn(&[refused(2, Step::Create, "no")], &none()).fates, [Fate::Dead]);
        assert_eq!(refusals.learn(&[refused(4, Step::Create, "no")], &none()).fates, [Fate::Held]);
    }

    #[test]
    fn a_hold_is_looked_at_ever_more_rarely() {
        let mut refusals = Refusals::default();
        let at = |minutes: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        let due: Vec<i64> =
            (0..200).filter(|minute| refusals.is_due("create x", at(*minute))).collect();
        assert_eq!(due, [0, 1, 6, 21, 81, 141]);
    }

    #[test]
    fn a_key_holds_no_words() {
        let refused = refused(1, Step::Create, "Ada Lovelace may not buy");
        let key = refused.key();
        assert!(!key.contains("Ada"), "{key}");
        assert_eq!(Step::of_key(&key), Some(Step::Create));
        assert_eq!(without_particulars("no 12 S0001\n (id=3) DETAIL: Ada"), "no");
    }
}
