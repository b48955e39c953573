//! What becomes of the leases of a task that panics.

use crate::deliver::absent::Absent;
use std::path::Path;

use jiff::Timestamp;
use secrecy::SecretString;
use std::sync::Mutex;

use super::*;
use crate::clock::{Clock as _, Manual};
use crate::deliver::Delivery;
use crate::deliver::settings::Pace;
use crate::deliver::shelf::Shelf;
use crate::deliver::throttle::BatchSize;
use crate::model::{AccountId, Fact, FactLine, FileId, Head, JobState};
use crate::odoo::{Client, Endpoint};
use crate::store::{Secret, Store, StoreKeys, StoreOptions};

const ORDERS: u8 = 20;
const CULPRIT: u8 = 13;

fn account() -> AccountId {
    "eu".parse().unwrap()
}

fn order(number: u8) -> OrderId {
    format!("205-0000000-{number:07}").parse().unwrap()
}

fn fact(number: u8) -> Fact {
    Fact {
        order_id: order(number),
        family: Family::AllOrders,
        version: None,
        head: Head::default(),
        lines: vec![FactLine::new(2, "SKU".parse().unwrap(), 1)],
        faults: Vec::new(),
        unknown_amounts: Vec::new(),
        unknown_words: Vec::new(),
    }
}

fn lane(dir: &Path, clock: &Manual) -> Arc<Lane> {
    let secret = |byte: u8| Secret::new(Box::new([byte; 32]));
    let keys = StoreKeys::new("m1", secret(1)).unwrap().with_account(account(), secret(2));
    let store = Arc::new(Store::open(dir, &keys, StoreOptions::default()).unwrap());
    let endpoint = Endpoint::new("http://127.0.0.1:9", "none", "bot", SecretString::from("key"));
    let pace = Pace {
        connections: 1,
        batch: 100,
        confirm_batch: 50,
        limit_time_real: Duration::from_secs(10),
        recheck: Duration::from_mins(5),
    };
    let client = Client::new(endpoint).unwrap();
    let delivery = Delivery::new(store, client, Arc::new(clock.clone()), pace, []);
    let account = account();
    Arc::new(Lane {
        shelf: Shelf { store: Arc::clone(&delivery.store), account: account.clone() },
        wake: delivery.wake_of(&account),
        window: delivery.window_of(&account),
        account,
        catalog: Mutex::new(None),
        size: Mutex::new(BatchSize::new(100)),
        rest: Mutex::default(),
        shared: crate::deliver::lane::Shared::default(),
        refusals: Mutex::default(),
        absent: Absent::default(),
        used: Mutex::default(),
        delivery,
    })
}

/// Leases all that is due and works on it as the lane does; whose batch holds the culprit panics.
async fn turn(lane: &Arc<Lane>, now: Timestamp) -> usize {
    let due = lane.delivery.store.lease(&lane.account, now, 100).unwrap().jobs;
    let count = due.len();
    for group in groups(due) {
        let leases = group.iter().map(Lease::of).collect();
        let worker = Arc::clone(lane);
        let working = async move {
            assert!(group.iter().all(|leased| leased.job.order_id != order(CULPRIT)), "a bug");
            let done = |leased: &Leased| leased.settlement(None, End::Done(Outcome::Delivered));
            worker.store_settlements(group.iter().map(done).collect(), now).await.unwrap();
        };
        lane.guarded(leases, working).await;
    }
    count
}

#[tokio::test]
async fn audit_03_a_panic_costs_its_order_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let now = Timestamp::from_second(1_764_000_000).unwrap();
    let clock = Manual::new(now);
    let lane = lane(dir.path(), &clock);
    let store = &lane.delivery.store;
    let facts = (0..ORDERS).map(|number| (fact(number), None)).collect();
    store.take(&lane.account, &FileId::from_bits(1), facts, None, now).unwrap();
    let mut turns = 0;
    while let Some(due) = store.next_due(&lane.account).unwrap() {
        let wait = due.duration_since(clock.now());
        clock.advance(Duration::try_from(wait).unwrap_or_default());
        turn(&lane, clock.now()).await;
        assert_eq!(store.counts()[&lane.account].started, 0, "a lease was not given back");
        turns += 1;
        assert!(turns < 60, "the culprit is not found");
    }
    let tally = &store.counts()[&lane.account];
    assert_eq!((tally.done, tally.dead), (u64::from(ORDERS) - 1, 1));
    let job = store.job(&lane.account, &order(CULPRIT)).unwrap().unwrap();
    let JobState::Dead(death) = job.state else { panic!() };
    assert_eq!(death.code, "delivery-panicked");
}

/// An order that failed before for another reason has not panicked before.
#[tokio::test]
async fn a_first_panic_kills_no_order_whatever_failed_before() {
    let dir = tempfile::tempdir().unwrap();
    let now = Timestamp::from_second(1_764_000_000).unwrap();
    let clock = Manual::new(now);
    let lane = lane(dir.path(), &clock);
    let store = &lane.delivery.store;
    let facts = vec![(fact(CULPRIT), None)];
    store.take(&lane.account, &FileId::from_bits(1), facts, None, now).unwrap();
    let leased = store.lease(&lane.account, now, 1).unwrap().jobs.remove(0);
    let fault = "odoo-serialization".to_owned();
    let later = leased.settlement(None, End::Retry { due: now, attempt: 1, fault });
    assert!(store.settle(vec![later], now).unwrap().is_empty());
    turn(&lane, now).await;
    let job = store.job(&lane.account, &order(CULPRIT)).unwrap().unwrap();
    assert_eq!(job.state, JobState::Pending);
    clock.advance(Duration::from_hours(1));
    turn(&lane, clock.now()).await;
    let job = store.job(&lane.account, &order(CULPRIT)).unwrap().unwrap();
    assert!(matches!(job.state, JobState::Dead(_)), "alone, and the second time");
}
