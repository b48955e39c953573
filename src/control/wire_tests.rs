//! Every answer survives the wire, and its names stay what they are.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::wire::*;
use crate::model::{Counts, Death, Family, FileId, Hold, HoldCode, Job, JobState, Outcome};

fn same<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    value: &T,
    expected: &serde_json::Value,
) {
    let written = serde_json::to_value(value).unwrap();
    assert_eq!(&written, expected);
    assert_eq!(&serde_json::from_value::<T>(written).unwrap(), value);
}

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(second).unwrap()
}

fn job(state: JobState) -> Job {
    Job {
        account: "eu".parse().unwrap(),
        order_id: "205-1".parse().unwrap(),
        state,
        due: at(60),
        attempt: 2,
        generation: 3,
        fence: 4,
        since: at(0),
        last_fault: Some("odoo-busy".into()),
    }
}

#[test]
fn a_job_in_each_state() {
    let base = json!({
        "account": "eu", "order_id": "205-1", "state": "pending", "due": "1970-01-01T00:01:00Z",
        "attempt": 2, "since": "1970-01-01T00:00:00Z", "fault": "odoo-busy", "holds": [],
        "outcome": null,
    });
    let with = |changes: serde_json::Value| {
        let mut all = base.clone();
        for (name, value) in changes.as_object().unwrap() {
            all[name] = value.clone();
        }
        all
    };
    same(&JobInfo::from(job(JobState::Pending)), &base);
    same(&JobInfo::from(job(JobState::Started)), &with(json!({"state": "started", "due": null})));
    let hold = Hold::new(HoldCode::CancellationRequested, "k", "t");
    same(
        &JobInfo::from(job(JobState::Held(vec![hold]))),
        &with(json!({"state": "held", "due": null,
            "holds": [{"code": "cancellation-requested", "key": "k", "text": "t", "ours": "",
                "theirs": ""}]})),
    );
    let death = Death { code: "odoo-user-error".into(), words: "Max Mustermann".into() };
    let dead = JobInfo::from(job(JobState::Dead(death)));
    assert!(!serde_json::to_string(&dead).unwrap().contains("Mustermann"));
    same(&dead, &with(json!({"state": "dead", "due": null, "fault": "odoo-user-error"})));
    same(
        &JobInfo::from(job(JobState::Done(Outcome::DeletedInOdoo))),
        &with(json!({"state": "done", "due": null, "outcome": "deleted-in-odoo"})),
    );
}

#[test]
fn status() {
    let closed =
        ClosedStatus { code: "c".into(), next_step: "n".into(), since: at(0), next: at(60) };
    let account = |gate| AccountStatus {
        account: "eu".parse().unwrap(),
        enabled: true,
        gate,
        orders: OrderCounts { pending: 1, started: 2, held: 3, dead: 4, done: 5 },
        holds: [(HoldCode::Sku, 3)].into(),
        next_due: Some(at(60)),
        files_in_work: 1,
        files_waiting: Some(2),
        waiting_since: Some(at(0)),
        paused: None,
        attention: 0,
        attention_files: 0,
        attention_account: false,
        noticed_files: 0,
    };
    let status = Status {
        health: Health::Attention,
        headline: "h".into(),
        version: "0.1.0".into(),
        running: true,
        started_at: Some(at(0)),
        now: at(60),
        accounts: vec![account(GateStatus::Open), account(GateStatus::OdooUnreachable(closed))],
        rejected: vec![Rejected {
            id: FileId::from_bits(1),
            account: "eu".parse().unwrap(),
            code: "c".into(),
            since: at(0),
        }],
        notices: vec!["n".into()],
        concerns: vec![Concern::attention(ConcernKind::HeldForOdoo, 3, "t")],
        keys: Some(KeysStatus {
            master: "m2".into(),
            older: vec!["m1".into()],
            resealed: false,
            api_key_ends: None,
            newer: true,
        }),
        store: Some(StoreStatus {
            installation: "i".into(),
            disk_bytes: 1,
            orders: 15,
            day_keys: 1,
            oldest_day: Some("2025-11-21".parse().unwrap()),
        }),
    };
    let account = |gate| {
        json!({
            "account": "eu", "enabled": true, "gate": gate, "holds": {"sku": 3},
            "orders": {"pending": 1, "started": 2, "held": 3, "dead": 4, "done": 5},
            "next_due": "1970-01-01T00:01:00Z", "paused": null, "attention": 0, "files_in_work": 1,
            "files_waiting": 2, "waiting_since": "1970-01-01T00:00:00Z",
            "attention_files": 0, "attention_account": false, "noticed_files": 0,
        })
    };
    same(
        &status,
        &json!({
            "health": "attention", "headline": "h", "version": "0.1.0", "running": true,
            "started_at": "1970-01-01T00:00:00Z", "now": "1970-01-01T00:01:00Z",
            "accounts": [
                account(json!({"state": "open"})),
                account(json!({"state": "odoo-unreachable", "code": "c", "next_step": "n",
                    "since": "1970-01-01T00:00:00Z", "next": "1970-01-01T00:01:00Z"})),
            ],
            "rejected": [{"id": "F0000000001", "account": "eu", "code": "c",
                "since": "1970-01-01T00:00:00Z"}],
            "keys": { "master": "m2", "older": ["m1"], "resealed": false, "newer": true,
                "api_key_ends": null },
            "notices": ["n"],
            "concerns": [{"kind": "held-for-odoo", "health": "attention", "count": 3, "text": "t"}],
            "store": {"installation": "i", "disk_bytes": 1, "orders": 15, "day_keys": 1,
                "oldest_day": "2025-11-21"},
        }),
    );
}

#[test]
fn holds_and_requests() {
    let held = Held {
        groups: vec![HoldGroup {
            account: "eu".parse().unwrap(),
            code: HoldCode::Sku,
            ended_by: "odoo".into(),
            orders: 1,
            keys: vec!["ABC".into()],
            more: false,
        }],
        page: Jobs { jobs: Vec::new(), unreadable: 0, next: Some("00".into()) },
    };
    same(
        &held,
        &json!({
            "groups": [{"account": "eu", "code": "sku", "ended_by": "odoo", "orders": 1,
                "keys": ["ABC"], "more": false}],
            "jobs": [], "unreadable": 0, "next": "00",
        }),
    );
    let release = Release {
        account: "eu".parse().unwrap(),
        order_id: None,
        code: Some(HoldCode::Sku),
        key: None,
    };
    same(&release, &json!({"account": "eu", "code": "sku"}));
    let requeue = Requeue {
        account: "eu".parse().unwrap(),
        order_id: Some("205-1".parse().unwrap()),
        code: None,
        all: false,
    };
    same(&requeue, &json!({"account": "eu", "order_id": "205-1", "all": false}));
    assert!(serde_json::from_value::<Requeue>(json!({"account": "eu", "al": true})).is_err());
}

#[test]
fn a_process_report() {
    let report = ProcessReport {
        account: "eu".parse().unwrap(),
        dry_run: true,
        id: None,
        envelope: "age".into(),
        family: Some(Family::AllOrders),
        counts: Counts { rows: 2, orders: 1, ..Counts::default() },
        refusal: None,
        would: Some(Would {
            create: 1,
            hold: [(HoldCode::Price, 1)].into(),
            examples: vec![Example { order_id: "205-1".parse().unwrap(), would: "create".into() }],
            ..Would::default()
        }),
    };
    same(
        &report,
        &json!({
            "account": "eu", "dry_run": true, "id": null, "envelope": "age",
            "family": "all-orders", "refusal": null,
            "counts": {"rows": 2, "blank": 0, "refused": 0, "orders": 1, "new": 0, "changed": 0,
                "unchanged": 0, "older": 0, "before_import_from": 0},
            "would": {"create": 1, "confirm": 0, "hold": {"price": 1}, "unchanged": 0,
                "before_import_from": 0, "cancelled": 0, "pickings": 0,
                "examples": [{"order_id": "205-1", "would": "create"}]},
        }),
    );
}
