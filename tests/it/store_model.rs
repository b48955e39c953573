//! The store against a model: random calls, and after each one the same answers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::collections::BTreeMap;

use jiff::Timestamp;
use odoo_spoold::model::{Fact, Family, HoldCode, JobState, Outcome, Rank};
use odoo_spoold::store::{Buried, End, IdKey, JobFilter, Leased, Store, Taken, Waiting};
use proptest::prelude::*;

use crate::store_support::*;

#[derive(Debug, Clone)]
enum Step {
    Take { order: u64, family: usize, version: i64, quantity: u32, good: bool },
    Lease(usize),
    Settle { which: usize, end: usize, delay: i64 },
    Save { which: usize, odoo_id: i64 },
    GiveBack(usize),
    ReleaseSku,
    ReleaseOne(u64),
    Requeue,
    Pass(i64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..8_u64, 0..3_usize, 0..4_i64, 1..3_u32, prop::bool::weighted(0.8)).prop_map(
            |(order, family, version, quantity, good)| Step::Take { order, family, version, quantity, good }
        ),
        4 => (1..5_usize).prop_map(Step::Lease),
        6 => (any::<usize>(), 0..5_usize, -5..50_i64)
            .prop_map(|(which, end, delay)| Step::Settle { which, end, delay }),
        1 => (any::<usize>(), 1..99_i64).prop_map(|(which, odoo_id)| Step::Save { which, odoo_id }),
        1 => any::<usize>().prop_map(Step::GiveBack),
        1 => Just(Step::ReleaseSku),
        1 => (0..8_u64).prop_map(Step::ReleaseOne),
        1 => Just(Step::Requeue),
        2 => (0..40_i64).prop_map(Step::Pass),
        1 => Just(Step::Reopen),
    ]
}

#[derive(Debug, Clone, PartialEq)]
struct Modelled {
    state: JobState,
    due: Timestamp,
    attempt: u32,
    generation: u64,
    facts: BTreeMap<Family, Rank>,
    refused: BTreeMap<Family, Option<Timestamp>>,
    odoo_id: Option<i64>,
    leased: bool,
}

#[derive(Default)]
struct Model(BTreeMap<u64, Modelled>);

impl Model {
    fn take(&mut self, order: u64, fact: &Fact, id_key: &IdKey, now: Timestamp) -> Taken {
        let rank = Rank {
            version: fact.version,
            lines: fact.lines.len() as u32,
            hash: id_key.mac("fact", &fact.canonical()),
        };
        let new = !self.0.contains_key(&order);
        let job = self.0.entry(order).or_insert_with(|| Modelled {
            state: JobState::Pending,
            due: now,
            attempt: 0,
            generation: 0,
            facts: BTreeMap::new(),
            refused: BTreeMap::new(),
            odoo_id: None,
            leased: false,
        });
        let standing = job.facts.get(&fact.family).copied();
        let news = if fact.is_good() {
            let news = standing.is_none_or(|standing| rank > standing);
            if news {
                job.facts.insert(fact.family, rank);
                job.refused
                    .retain(|family, version| *family != fact.family || *version > fact.version);
            }
            news
        } else {
            let news = standing.is_none_or(|standing| fact.version > standing.version)
                && job.refused.get(&fact.family).is_none_or(|known| fact.version > *known);
            if news {
                job.refused.insert(fact.family, fact.version);
            }
            news
        };
        if news {
            (job.state, job.due, job.attempt) = (JobState::Pending, now, 0);
            job.generation += 1;
        }
        match (news, new) {
            (true, true) => Taken { new: 1, ..Taken::default() },
            (true, false) => Taken { changed: 1, ..Taken::default() },
            // Unchanged and older are told apart in the unit tests.
            (false, _) => Taken::default(),
        }
    }

    fn due(&self, now: Timestamp) -> Vec<Timestamp> {
        let mut due: Vec<_> = self.free().filter(|due| *due <= now).collect();
        due.sort();
        due
    }

    fn free(&self) -> impl Iterator<Item = Timestamp> {
        self.0
            .values()
            .filter(|job| job.state == JobState::Pending && !job.leased)
            .map(|job| job.due)
    }

    fn all(&mut self, which: impl Fn(&JobState) -> bool, now: Timestamp, attempts: bool) -> u64 {
        let mut moved = 0;
        for job in self.0.values_mut().filter(|job| which(&job.state)) {
            (job.state, job.due) = (JobState::Pending, now);
            if attempts {
                job.attempt = 0;
            }
            moved += 1;
        }
        moved
    }
}

fn number(leased: &Leased) -> u64 {
    leased.job.order_id.as_str().rsplit('-').next().unwrap().parse().unwrap()
}

fn agree(store: &Store, model: &Model) -> Result<(), TestCaseError> {
    let count = |which: &dyn Fn(&Modelled) -> bool| {
        model.0.values().filter(|job| which(job)).count() as u64
    };
    let tally = store.counts()[&account()].clone();
    prop_assert_eq!(tally.started, count(&|job| job.leased));
    prop_assert_eq!(tally.pending, count(&|job| !job.leased && job.state == JobState::Pending));
    prop_assert_eq!(tally.held, count(&|job| matches!(job.state, JobState::Held(_))));
    prop_assert_eq!(tally.dead, count(&|job| matches!(job.state, JobState::Dead(_))));
    prop_assert_eq!(tally.done, count(&|job| matches!(job.state, JobState::Done(_))));
    prop_assert_eq!(store.next_due(&account()).unwrap(), model.free().min());
    for (number, modelled) in &model.0 {
        let id = order(*number).parse().unwrap();
        let job = store.job(&account(), &id).unwrap().unwrap();
        let state = if modelled.leased { &JobState::Started } else { &modelled.state };
        prop_assert_eq!(&job.state, state);
        prop_assert_eq!(
            (job.due, job.attempt, job.generation),
            (modelled.due, modelled.attempt, modelled.generation)
        );
        let dossier = store.dossier(&account(), &id).unwrap().unwrap();
        let ranks: BTreeMap<_, _> =
            dossier.facts.iter().map(|(family, fact)| (*family, fact.rank)).collect();
        prop_assert_eq!(&ranks, &modelled.facts);
        let refused: BTreeMap<_, _> =
            dossier.refused.iter().map(|(family, fact)| (*family, fact.version)).collect();
        prop_assert_eq!(&refused, &modelled.refused);
        prop_assert_eq!(dossier.mapping.map(|mapping| mapping.odoo_id), modelled.odoo_id);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_store_answers_like_the_model(steps in prop::collection::vec(step(), 1..120)) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        let mut model = Model::default();
        let mut leases: Vec<Leased> = Vec::new();
        let mut stale: Vec<Leased> = Vec::new();
        let (mut now, mut files) = (at(0), 0);
        for step in steps {
            match step {
                Step::Take { order: number, family, version, quantity, good } => {
                    let family = Family::ALL[family];
                    let version = (family != Family::OrderReport).then_some(version);
                    let fact = if good { fact(&order(number), family, version, quantity) } else { faulty(&order(number), family, version) };
                    files += 1;
                    let id_key = store.id_key(&account()).unwrap().clone();
                    let expected = model.take(number, &fact, &id_key, now);
                    let taken = store.take(&account(), &file(files), vec![(fact, None)], None, now).unwrap();
                    prop_assert_eq!((taken.new, taken.changed), (expected.new, expected.changed));
                }
                Step::Lease(max) => {
                    let expected: Vec<_> = model.due(now).into_iter().take(max).collect();
                    let found = store.lease(&account(), now, max).unwrap();
                    prop_assert!(found.unreadable.is_empty());
                    let due: Vec<_> = found.jobs.iter().map(|leased| leased.job.due).collect();
                    prop_assert_eq!(due, expected);
                    for leased in found.jobs {
                        model.0.get_mut(&number(&leased)).unwrap().leased = true;
                        leases.push(leased);
                    }
                }
                Step::Settle { which, end, delay } if !leases.is_empty() => {
                    let leased = leases.swap_remove(which % leases.len());
                    let job = model.0.get_mut(&number(&leased)).unwrap();
                    let due = now + jiff::SignedDuration::from_secs(delay);
                    let end = match end {
                        0 => End::Done(Outcome::Delivered),
                        1 => End::Held(vec![hold(HoldCode::Sku, "A"), hold(HoldCode::Tax, "")]),
                        2 => End::Held(vec![hold(HoldCode::Price, "")]),
                        3 => End::Dead(death("refused")),
                        _ => End::Retry { due, attempt: leased.job.attempt + 1, fault: "timeout".into() },
                    };
                    job.leased = false;
                    let news = job.generation != leased.job.generation;
                    match &end {
                        End::Retry { due, attempt, .. } => (job.due, job.attempt) = (*due, *attempt),
                        _ if news => (job.due, job.attempt) = (now, 0),
                        End::Done(outcome) => (job.state, job.attempt) = (JobState::Done(*outcome), 0),
                        End::Held(holds) => job.state = JobState::Held(holds.clone()),
                        End::Dead(death) => job.state = JobState::Dead(death.clone()),
                    }
                    let odoo_id = job.generation as i64;
                    job.odoo_id = Some(odoo_id);
                    let mut dossier = leased.dossier.clone();
                    dossier.mapping = Some(mapping(odoo_id));
                    let settlement = leased.settlement(Some(dossier), end);
                    prop_assert!(store.settle(vec![settlement], now).unwrap().is_empty());
                    stale.push(leased);
                }
                Step::Save { which, odoo_id } if !leases.is_empty() => {
                    let leased = &leases[which % leases.len()];
                    let mut dossier = leased.dossier.clone();
                    dossier.mapping = Some(mapping(odoo_id));
                    prop_assert!(store.save(leased, &dossier).unwrap());
                    model.0.get_mut(&number(leased)).unwrap().odoo_id = Some(odoo_id);
                }
                Step::GiveBack(which) if !leases.is_empty() => {
                    let leased = leases.swap_remove(which % leases.len());
                    store.give_back([&leased]);
                    model.0.get_mut(&number(&leased)).unwrap().leased = false;
                    stale.push(leased);
                }
                Step::Settle { .. } | Step::Save { .. } | Step::GiveBack(_) => {}
                Step::ReleaseSku => {
                    let sku = |state: &JobState| matches!(state, JobState::Held(holds) if holds.iter().any(|hold| hold.code == HoldCode::Sku));
                    let expected = model.all(sku, now, false);
                    let released = store.release(Waiting::For(&account(), HoldCode::Sku, Some("A")), now).unwrap();
                    prop_assert_eq!(released, expected);
                    prop_assert!(store.held_keys(&account(), HoldCode::Sku).unwrap().is_empty());
                }
                Step::ReleaseOne(number) => {
                    let key = store.key(&account(), &order(number).parse().unwrap()).unwrap();
                    let released = store.release(Waiting::Record(key), now).unwrap();
                    let held = model.0.get_mut(&number).filter(|job| matches!(job.state, JobState::Held(_)));
                    prop_assert_eq!(released == 1, held.is_some());
                    if let Some(job) = held {
                        (job.state, job.due) = (JobState::Pending, now);
                    }
                }
                Step::Requeue => {
                    let expected = model.all(|state| matches!(state, JobState::Dead(_)), now, true);
                    let requeued = store.requeue(Buried::Of(&account(), Some("refused")), now).unwrap();
                    prop_assert_eq!(requeued, expected);
                }
                Step::Pass(seconds) => now += jiff::SignedDuration::from_secs(seconds),
                Step::Reopen => {
                    drop(store);
                    store = open(dir.path());
                    stale.append(&mut leases);
                    model.0.values_mut().for_each(|job| job.leased = false);
                }
            }
            // Whoever lost its lease changes nothing.
            if let Some(leased) = stale.last() {
                let settlement = leased.settlement(None, End::Done(Outcome::Empty));
                prop_assert_eq!(store.settle(vec![settlement], now).unwrap(), [leased.key]);
                prop_assert!(!store.save(leased, &leased.dossier).unwrap());
            }
            agree(&store, &model)?;
        }
        prop_assert_eq!(store.verify().unwrap(), [""; 0]);
        let listed = store.jobs(&JobFilter::default(), 100, None).unwrap().jobs.len();
        prop_assert_eq!(listed, model.0.len());
    }
}
