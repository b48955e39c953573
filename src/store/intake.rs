//! Intake: facts of a file become dossiers and due jobs.
//!
//! [`weigh`] is the rule which fact stands; it is commutative: the same facts in any order leave
//! the same dossier. What changes nothing writes nothing.

use std::cmp::Ordering;

use jiff::Timestamp;

use crate::model::{
    AccountId, BuyerFact, Dossier, Fact, Family, FileId, Head, Hold, JobState, OrderId, Outcome,
    Rank, RefusedFact, RowFault, Standing,
};

use super::Store;
use super::accounts::Account;
use super::buyers::Arriving;
use super::draft::Draft;
use super::entry::Entry;
use super::error::StoreError;
use super::keys::IdKey;
use super::layout::{Tree, touch_key};
use super::vault::damaged;

/// What came of the facts of one call, in orders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// Not known before.
    pub new: u64,
    /// Known, and the file says something new.
    pub changed: u64,
    /// Known, and the file says nothing new.
    pub unchanged: u64,
    /// More is known than the file says.
    pub older: u64,
    /// Purchased before `import_from` and not known: not stored.
    pub before_import_from: u64,
    /// Orders that are known, of which the file has nothing but refused rows that do not show when
    /// they were written. Whether they say something newer is open; what is known stands.
    pub undated: u64,
    /// Held at once, because a row of theirs was refused: there is nothing to look at in Odoo.
    pub held: Vec<(OrderId, Vec<Hold>)>,
    /// Orders of which the file's word could not be stored, each with why and the first of its rows.
    /// They are refused; every other order of the file is taken.
    pub refused: Vec<RefusedOrder>,
}

/// An order of which the file's word could not be stored, and why.
pub type RefusedOrder = (OrderId, RowFault);

/// What a fact does to a dossier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// Something new.
    News,
    /// What is known already.
    Same,
    /// Less than is known.
    Older,
}

/// What came of one fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    New,
    Changed,
    Unchanged,
    Older,
    BeforeImportFrom,
}

/// The value of a touch: what the order was when the file came.
const TOUCHED_NEW: u8 = 1;
const TOUCHED_CHANGED: u8 = 2;

/// Everything about one call.
struct Intake<'a> {
    account: &'a Account,
    id_key: &'a IdKey,
    file: &'a FileId,
    import_from: Option<Timestamp>,
    now: Timestamp,
}

impl Taken {
    fn note(&mut self, fate: Option<Fate>, refused: Option<RefusedOrder>, undated: bool) {
        self.refused.extend(refused);
        if undated && matches!(fate, Some(Fate::Unchanged | Fate::Older)) {
            self.undated = self.undated.saturating_add(1);
        }
        if let Some(fate) = fate {
            let count = self.count(fate);
            *count = count.saturating_add(1);
        }
    }

    fn count(&mut self, fate: Fate) -> &mut u64 {
        match fate {
            Fate::New => &mut self.new,
            Fate::Changed => &mut self.changed,
            Fate::Unchanged => &mut self.unchanged,
            Fate::Older => &mut self.older,
            Fate::BeforeImportFrom => &mut self.before_import_from,
        }
    }
}

impl Store {
    /// Takes the facts of one file, in one transaction. A repeat (also after a crash half-way
    /// through the file) changes nothing and counts like the first time.
    ///
    /// Not durable before the next [`Store::barrier`].
    pub fn take(
        &self,
        account: &AccountId,
        file: &FileId,
        facts: Vec<(Fact, Option<BuyerFact>)>,
        import_from: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        let (account, id_key) = self.accounts.keyed(account)?;
        let intake = Intake { account, id_key, file, import_from, now };
        self.days.look(now);
        let mut queue = self.queue();
        let mut draft = self.draft();
        let mut taken = Taken::default();
        for (fact, buyer) in facts {
            let key = account.order_key(id_key, &fact.order_id);
            let leased = queue.lease(&key).is_some();
            let held = if leased { None } else { Some(&mut taken.held) };
            let undated = is_undated(&fact);
            let (fate, refused) =
                self.take_or_refuse(&mut draft, &intake, fact, buyer.as_ref(), held)?;
            taken.note(fate, refused, undated);
        }
        draft.commit(&mut queue)?;
        Ok(taken)
    }

    /// What [`Store::take`] would make of these facts: the counts, and the dossiers that would
    /// then be planned. Nothing is kept.
    pub fn rehearse(
        &self,
        account: &AccountId,
        facts: Vec<Fact>,
        import_from: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(Taken, Vec<Dossier>), StoreError> {
        let (account, id_key) = self.accounts.keyed(account)?;
        let file = FileId::from_bits(0);
        let intake = Intake { account, id_key, file: &file, import_from, now };
        let _writers = self.queue();
        let mut taken = Taken::default();
        let mut dossiers = Vec::new();
        for fact in facts {
            let mut draft = self.draft();
            let key = account.order_key(id_key, &fact.order_id);
            let undated = is_undated(&fact);
            let (fate, refused) = self.take_or_refuse(&mut draft, &intake, fact, None, None)?;
            taken.note(fate, refused, undated);
            if matches!(fate, Some(Fate::New | Fate::Changed))
                && let Some((entry, _)) = draft.load(&key)?
            {
                dossiers.push(entry.dossier);
            }
        }
        Ok((taken, dossiers))
    }

    /// One order whose record cannot be read or would be too large keeps no other order out: its fact
    /// is refused. The fate is none where not even that can be stored.
    fn take_or_refuse(
        &self,
        draft: &mut Draft<'_>,
        intake: &Intake<'_>,
        fact: Fact,
        buyer: Option<&BuyerFact>,
        mut held: Option<&mut Vec<(OrderId, Vec<Hold>)>>,
    ) -> Result<(Option<Fate>, Option<RefusedOrder>), StoreError> {
        draft.changes.attempt();
        let line = fact.lines.first().map_or(0, |line| line.row);
        let (order_id, family, version) = (fact.order_id.clone(), fact.family, fact.version);
        let error = match self.take_one(draft, intake, fact, buyer, held.as_deref_mut()) {
            Ok(fate) => {
                draft.changes.keep();
                return Ok((Some(fate), None));
            }
            Err(error) => error,
        };
        draft.changes.give_up();
        let Some(fault) = fault_of(&error, line) else { return Err(error) };
        let told = Some((order_id.clone(), fault.clone()));
        if !matches!(error, StoreError::TooLarge { .. }) {
            return Ok((None, told));
        }
        let refused = Fact {
            order_id,
            family,
            version,
            head: Head::default(),
            lines: Vec::new(),
            faults: vec![fault],
            unknown_amounts: Vec::new(),
            unknown_words: Vec::new(),
        };
        draft.changes.attempt();
        match self.take_one(draft, intake, refused, None, held) {
            Ok(fate) => {
                draft.changes.keep();
                Ok((Some(fate), told))
            }
            Err(error) => {
                draft.changes.give_up();
                // Beside what is known it has no room at all.
                if fault_of(&error, line).is_some() { Ok((None, told)) } else { Err(error) }
            }
        }
    }

    fn take_one(
        &self,
        draft: &mut Draft<'_>,
        intake: &Intake<'_>,
        fact: Fact,
        buyer: Option<&BuyerFact>,
        held: Option<&mut Vec<(OrderId, Vec<Hold>)>>,
    ) -> Result<Fate, StoreError> {
        let &Intake { account, id_key, file, import_from, now } = intake;
        let now_ms = now.as_millisecond();
        let key = account.order_key(id_key, &fact.order_id);
        let (mut entry, chunks, before) = match draft.load(&key)? {
            Some((entry, chunks)) => {
                if entry.dossier.order_id != fact.order_id {
                    return Err(damaged(Tree::Record, key.as_bytes()));
                }
                let mark = entry.mark();
                (entry, chunks, Some(mark))
            }
            None if too_early(&fact, import_from) => return Ok(Fate::BeforeImportFrom),
            None => (Entry::new(fact.order_id.clone(), file, now_ms), 0, None),
        };
        let (family, rank, good) = (fact.family, rank_of(id_key, &fact), fact.is_good());
        let mut said = weigh(&mut entry.dossier, fact, rank, file);
        // A person gave it up: what comes is remembered, and wakes it no more.
        let dropped = entry.state == JobState::Done(Outcome::Dropped);
        if let Some(fact) = buyer.filter(|buyer| good && !buyer.is_empty() && !dropped) {
            let wanted = said == Said::News && entry.dossier.mapping.is_none();
            let arriving = Arriving { family, rank, fact, today: self.arrival_day(now), wanted };
            if self.take_buyer(draft, id_key, &key, &mut entry, &arriving)? {
                said = Said::News;
            }
        }
        // Only the file that spoke last can have been here before: no look-up for any other.
        let touch = touch_key(file, &key);
        let touched = if before.is_some() && entry.dossier.last_file == *file {
            self.vault.raw(&draft.changes, Tree::Index, &touch)?
        } else {
            None
        };
        let touched_new = touched.as_ref().map(|value| value.first() == Some(&TOUCHED_NEW));
        if said != Said::News {
            return Ok(match (touched_new, said) {
                (Some(true), _) => Fate::New,
                (Some(false), _) => Fate::Changed,
                (None, Said::Older) => Fate::Older,
                (None, _) => Fate::Unchanged,
            });
        }
        let new = before.is_none() || touched_new == Some(true);
        entry.generation = entry.generation.saturating_add(1);
        let refused: Vec<Hold> = entry.dossier.refusals().writing;
        match held.filter(|_| entry.dossier.mapping.is_none() && !refused.is_empty()) {
            _ if dropped => {}
            // The plan would say the same: a file of bad rows makes nothing due before other files.
            Some(held) => {
                entry.arm(now_ms);
                held.push((entry.dossier.order_id.clone(), refused.clone()));
                let mut refused = refused;
                refused.sort();
                refused.dedup();
                entry.put(JobState::Held(refused), now_ms);
            }
            None => entry.hear(now_ms),
        }
        entry.heard_ms = now_ms;
        entry.dossier.last_file = file.clone();
        draft.store(account, &key, before, &entry, chunks)?;
        let value = if new { TOUCHED_NEW } else { TOUCHED_CHANGED };
        draft.changes.insert(Tree::Index, touch, vec![value]);
        Ok(if new { Fate::New } else { Fate::Changed })
    }
}

/// Why one order is refused, if this is about its record alone and not about the store.
fn fault_of(error: &StoreError, line: u64) -> Option<RowFault> {
    let fault = |code: &str, message: &str| {
        let (code, message) = (code.to_owned(), message.to_owned());
        Some(RowFault { line, column: String::new(), code, message })
    };
    match error {
        StoreError::TooLarge { .. } => {
            fault("row-order-large", "the rows of this order are more than one record may hold")
        }
        StoreError::Damaged { .. } => {
            fault("record-damaged", "what is stored of this order is damaged and cannot be read")
        }
        StoreError::UnknownKey { .. } => fault(
            "record-key-unknown",
            "what is stored of this order is sealed under a master key that was not given",
        ),
        _ => None,
    }
}

/// A refused fact of a family whose rows have a date, without one.
fn is_undated(fact: &Fact) -> bool {
    !fact.is_good() && fact.version.is_none() && fact.family != Family::OrderReport
}

fn too_early(fact: &Fact, import_from: Option<Timestamp>) -> bool {
    matches!((fact.head.purchase_date, import_from), (Some(bought), Some(from)) if bought < from)
}

/// The rank of a fact under the account's id key.
pub(super) fn rank_of(id_key: &IdKey, fact: &Fact) -> Rank {
    Rank {
        version: fact.version,
        lines: u32::try_from(fact.lines.len()).unwrap_or(u32::MAX),
        hash: id_key.mac("fact", &fact.canonical()),
    }
}

/// Puts a fact into a dossier if it says more than what stands.
///
/// Good facts: the highest rank stands. Refused facts never replace a good one; the newest stays as
/// long as no good fact of its version or a later one is known (no version is the oldest version).
///
/// Whether the order was ever seen unshipped depends on all good facts, also on those that are older
/// than what stands: else it would depend on the order in which they came.
fn weigh(dossier: &mut Dossier, fact: Fact, rank: Rank, file: &FileId) -> Said {
    let unshipped = fact.is_good() && fact.is_unshipped() && !dossier.seen_unshipped;
    dossier.seen_unshipped |= unshipped;
    let said = weigh_fact(dossier, fact, rank, file);
    if unshipped { Said::News } else { said }
}

fn weigh_fact(dossier: &mut Dossier, fact: Fact, rank: Rank, file: &FileId) -> Said {
    let (family, version) = (fact.family, fact.version);
    let standing = dossier.facts.get(&family);
    if fact.is_good() {
        match standing.map(|standing| rank.cmp(&standing.rank)) {
            Some(Ordering::Less) => return Said::Older,
            Some(Ordering::Equal) => return Said::Same,
            Some(Ordering::Greater) | None => {}
        }
        dossier.facts.insert(family, Standing { rank, fact });
        if dossier.refused.get(&family).is_some_and(|refused| refused.version <= version) {
            dossier.refused.remove(&family);
        }
        return Said::News;
    }
    match standing.map(|standing| version.cmp(&standing.rank.version)) {
        Some(Ordering::Less) => return Said::Older,
        Some(Ordering::Equal) => return Said::Same,
        Some(Ordering::Greater) | None => {}
    }
    if let Some(refused) = dossier.refused.get(&family) {
        match (version, &fact.faults).cmp(&(refused.version, &refused.faults)) {
            Ordering::Less => return Said::Older,
            Ordering::Equal => return Said::Same,
            Ordering::Greater => {}
        }
    }
    dossier
        .refused
        .insert(family, RefusedFact { version, file: file.clone(), faults: fact.faults });
    Said::News
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::{fact, faulty};
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::seq::SliceRandom as _;

    fn weighed(facts: &[Fact]) -> (Dossier, Vec<Said>) {
        let file = FileId::from_bits(1);
        let mut dossier = Entry::new("205-1".parse().unwrap(), &file, 0).dossier;
        let id_key = IdKey::new(&[1; 32]);
        let said = facts
            .iter()
            .map(|fact| weigh(&mut dossier, fact.clone(), rank_of(&id_key, fact), &file))
            .collect();
        (dossier, said)
    }

    #[test]
    fn a_refused_fact_waits_for_a_good_one_of_its_version() {
        let (dossier, said) =
            weighed(&[fact("205-1", 1, 1), faulty("205-1", 2), fact("205-1", 2, 1)]);
        assert_eq!(said, [Said::News; 3]);
        assert!(dossier.refused.is_empty());
        let (dossier, said) =
            weighed(&[fact("205-1", 2, 1), faulty("205-1", 1), faulty("205-1", 2)]);
        assert_eq!(said, [Said::News, Said::Older, Said::Same]);
        assert!(dossier.refused.is_empty());
        let (dossier, _) = weighed(&[fact("205-1", 1, 1), faulty("205-1", 2), faulty("205-1", 2)]);
        assert_eq!(dossier.refused.len(), 1);
        assert_eq!(dossier.facts.len(), 1);
    }

    #[test]
    fn audit_09_seen_unshipped_is_remembered_in_any_order() {
        use crate::model::OrderStatus;
        let with = |version, status| {
            let mut fact = fact("205-1", version, 1);
            fact.head.status = Some(status);
            fact
        };
        let waiting = with(1, OrderStatus::Unshipped);
        let shipped = with(2, OrderStatus::Shipped);
        let (first, _) = weighed(&[waiting.clone(), shipped.clone()]);
        let (second, said) = weighed(&[shipped.clone(), waiting.clone()]);
        assert_eq!(first, second);
        assert!(first.seen_unshipped);
        assert_eq!(said[1], Said::News, "it makes a difference, though it is older");
        let (again, said) = weighed(&[shipped.clone(), waiting.clone(), waiting]);
        assert_eq!((again.seen_unshipped, said[2]), (true, Said::Older));
        assert!(!weighed(&[shipped]).0.seen_unshipped);
    }

    #[test]
    fn audit_06_a_damaged_record_refuses_its_own_order_and_no_other() {
        use crate::store::{Secret, StoreKeys, StoreOptions};
        let dir = tempfile::tempdir().unwrap();
        let account: AccountId = "eu".parse().unwrap();
        let secret = |byte: u8| Secret::new(Box::new([byte; 32]));
        let keys =
            StoreKeys::new("m1", secret(1)).unwrap().with_account(account.clone(), secret(2));
        let store = Store::open(dir.path(), &keys, StoreOptions::default()).unwrap();
        let now: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        let take = |file, facts: Vec<Fact>| {
            let facts = facts.into_iter().map(|fact| (fact, None)).collect();
            store.take(&account, &FileId::from_bits(file), facts, None, now)
        };
        take(1, vec![fact("205-1", 1, 1)]).unwrap();
        let (keyed, id_key) = store.accounts.keyed(&account).unwrap();
        let key = keyed.order_key(id_key, &"205-1".parse().unwrap());
        let mut changes = crate::store::vault::Changes::default();
        changes.insert(Tree::Record, key.as_bytes().to_vec(), vec![7; 90]);
        store.vault.apply(&changes).unwrap();
        let taken = take(2, vec![fact("205-1", 2, 1), fact("205-2", 1, 1)]).unwrap();
        assert_eq!((taken.new, taken.changed), (1, 0));
        let refused: Vec<_> = taken
            .refused
            .iter()
            .map(|(order, fault)| (order.as_str(), fault.code.as_str()))
            .collect();
        assert_eq!(refused, [("205-1", "record-damaged")]);
        assert!(store.dossier(&account, &"205-2".parse().unwrap()).unwrap().is_some());
        // A dry run says the same.
        let (dry, _) = store
            .rehearse(&account, vec![fact("205-1", 3, 1), fact("205-3", 1, 1)], None, now)
            .unwrap();
        assert_eq!((dry.refused.len(), dry.new), (1, 1));
    }

    #[test]
    fn a_refused_row_without_a_date_is_counted_where_the_order_is_known() {
        use crate::store::{Secret, StoreKeys, StoreOptions};
        let dir = tempfile::tempdir().unwrap();
        let account: AccountId = "eu".parse().unwrap();
        let secret = |byte: u8| Secret::new(Box::new([byte; 32]));
        let keys =
            StoreKeys::new("m1", secret(1)).unwrap().with_account(account.clone(), secret(2));
        let store = Store::open(dir.path(), &keys, StoreOptions::default()).unwrap();
        let now: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        let take = |file, fact: Fact| {
            store.take(&account, &FileId::from_bits(file), vec![(fact, None)], None, now).unwrap()
        };
        let undated = |order| Fact { version: None, ..faulty(order, 1) };
        take(1, fact("205-1", 1, 1));
        let taken = take(2, undated("205-1"));
        assert_eq!((taken.older, taken.undated), (1, 1));
        let taken = take(2, undated("205-2"));
        assert_eq!((taken.new, taken.undated), (1, 0), "it holds an order that is not known");
        let report = Fact { family: Family::OrderReport, ..undated("205-1") };
        assert_eq!(take(3, report).undated, 0, "no row of such a report has a date");
    }

    proptest! {
        #[test]
        fn any_order_leaves_the_same_dossier(
            facts in proptest::collection::vec((any::<bool>(), 0..4_i64, 1..4_u32), 1..7),
            seed in any::<u64>(),
        ) {
            let facts: Vec<Fact> = facts
                .into_iter()
                .map(|(good, version, quantity)| {
                    if good { fact("205-1", version, quantity) } else { faulty("205-1", version) }
                })
                .collect();
            let mut shuffled = facts.clone();
            shuffled.shuffle(&mut rand::rngs::StdRng::seed_from_u64(seed));
            let (first, _) = weighed(&facts);
            prop_assert_eq!(&first, &weighed(&shuffled).0);
            // And once more changes nothing.
            let twice: Vec<Fact> = facts.iter().chain(&shuffled).cloned().collect();
            let (again, said) = weighed(&twice);
            prop_assert_eq!(first, again);
            prop_assert!(said[facts.len()..].iter().all(|said| *said != Said::News));
        }
    }
}
