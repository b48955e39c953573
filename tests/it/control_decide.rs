//! What people decide, over a real socket: pauses, conflicts, giving up, the attention list; and that
//! it outlives the store being closed and opened.

use odoo_spoold::control::wire::{
    AttentionQuery, Decide, Dismiss, DropRequest, Health, JobWord, JobsQuery, PauseRequest,
    Requeue, ResumeRequest,
};
use odoo_spoold::model::{
    Accept, Attention, AttentionCode, Decision, Declined, Family, HoldCode, Note, Outcome, Subject,
};
use odoo_spoold::store::{BuyerState, End, Store};

use crate::control::{id, refusal, served};
use crate::store_support::*;

const ALL: Family = Family::AllOrders;

fn one() -> PauseRequest {
    PauseRequest { account: Some(account()), ..PauseRequest::default() }
}

fn all() -> PauseRequest {
    PauseRequest { all: true, intake: true, ..PauseRequest::default() }
}

#[test]
fn a_pause_is_told_with_its_author_and_ends_by_name() {
    let served = served();
    let client = served.client();
    let uid = rustix::process::getuid().as_raw();
    let answer = client.pause(&one()).unwrap();
    assert!(answer.changed);
    assert_eq!(answer.paused[0].pause.by_uid, Some(uid));
    assert!(!client.pause(&one()).unwrap().changed, "it was so already");
    let status = client.status().unwrap();
    assert_eq!(status.health, Health::Attention);
    let text = format!("account eu_1 is paused by uid {uid} since 2025-11-21 01:00 UTC");
    assert!(status.headline.contains(&text), "{}", status.headline);
    assert!(status.headline.contains("`odoo-spoold resume --account eu_1`"), "{}", status.headline);
    // All are paused besides: the account's own resume does not set it going.
    assert!(client.pause(&all()).unwrap().changed);
    assert!(served.store.paused(&account()).unwrap().intake);
    let resume = ResumeRequest { account: Some(account()), all: false, accept_deleted: false };
    assert_eq!(refusal(client.resume(&resume)), "all-paused");
    assert!(served.desk.woken.lock().unwrap().is_empty());
    let answer =
        client.resume(&ResumeRequest { account: None, all: true, accept_deleted: false }).unwrap();
    assert!(answer.changed && answer.paused.is_empty());
    assert_eq!(*served.desk.woken.lock().unwrap(), [account()]);
    assert!(!client.resume(&resume).unwrap().changed);
    assert_eq!(refusal(client.pause(&PauseRequest::default())), "bad-request");
    // What is gone from Odoo is believed of one account, never of all at once.
    let believe = ResumeRequest { account: None, all: true, accept_deleted: true };
    assert_eq!(refusal(client.resume(&believe)), "bad-request");
    let other = PauseRequest { account: Some("nobody".parse().unwrap()), ..one() };
    assert_eq!(refusal(client.pause(&other)), "account-unknown");
}

fn notes(store: &Store) -> Vec<Note> {
    let mut notes = Vec::new();
    store
        .notes(|note| {
            if matches!(
                note,
                Note::Paused { .. }
                    | Note::Resumed { .. }
                    | Note::Decided { .. }
                    | Note::Ruled { .. }
                    | Note::Dismissed { .. }
            ) {
                notes.push(note);
            }
        })
        .unwrap();
    notes
}

#[test]
fn pauses_outlive_the_store_and_stand_in_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert!(store.pause(Some(&account()), Some(7), false, at(5)).unwrap());
    assert!(store.pause(None, None, true, at(6)).unwrap());
    drop(store);
    let store = open(dir.path());
    let pause = store.paused(&account()).unwrap();
    assert_eq!((pause.by, pause.since, pause.intake, pause.all), (Some(7), at(5), true, false));
    assert_eq!(store.paused_all().unwrap().since, at(6));
    // Who, since when and how far, from the journal alone; also what changed of a standing pause.
    assert!(!store.pause(Some(&account()), Some(8), true, at(7)).unwrap());
    let whole = (store.paused(&account()), store.paused_all());
    assert_eq!(whole.0.map(|pause| (pause.by, pause.intake)), Some((Some(7), true)));
    drop(store);
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    let store = open(dir.path());
    assert_eq!((store.paused(&account()), store.paused_all()), whole);
    assert!(!store.pause(Some(&account()), Some(8), true, at(8)).unwrap(), "it stands");
    assert!(store.resume(None, at(9)).unwrap());
    drop(store);
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    let store = open(dir.path());
    assert_eq!((store.paused(&account()), store.paused_all()), (None, None));
    let whole = [
        Note::Paused { account: Some(account()), by: Some(7), intake: false, at: at(5) },
        Note::Paused { account: None, by: None, intake: true, at: at(6) },
        Note::Paused { account: Some(account()), by: Some(7), intake: true, at: at(5) },
        Note::Resumed { account: None, at: at(9) },
    ];
    assert_eq!(notes(&store), whole);
}

#[test]
fn what_is_dropped_is_woken_by_requeue_alone() {
    let served = served();
    let client = served.client();
    let drop = |number| DropRequest { account: account(), order_id: Some(id(number)), code: None };
    assert_eq!(refusal(client.drop_dead(&drop(2))), "order-state");
    assert_eq!(refusal(client.drop_dead(&drop(99))), "order-unknown");
    assert_eq!(client.drop_dead(&drop(4)).unwrap().orders, 1);
    let outcome = || client.job(&account(), &id(4)).unwrap().job.outcome;
    assert_eq!(outcome(), Some(Outcome::Dropped));
    let buyer_kept = Some(buyer("Erika"));
    served
        .store
        .take(
            &account(),
            &file(8),
            vec![(fact(&order(4), ALL, Some(9), 2), buyer_kept)],
            None,
            at(9),
        )
        .unwrap();
    assert_eq!(outcome(), Some(Outcome::Dropped), "a new report does not wake it");
    assert!(served.store.verify().unwrap().is_empty());
    let requeue = Requeue { account: account(), order_id: Some(id(4)), code: None, all: false };
    assert_eq!(client.requeue(&requeue).unwrap().orders, 1);
    let leased = served.store.lease(&account(), at(9999), 9).unwrap().jobs;
    let woken = leased.iter().find(|leased| leased.job.order_id == id(4)).unwrap();
    assert!(woken.buyers.values().all(|buyer| *buyer == BuyerState::Dropped), "it is forgotten");
    assert_eq!(woken.dossier.facts[&ALL].fact.lines[0].quantity, 2, "what came was remembered");
    let decided = notes(&served.store);
    assert!(
        matches!(&decided[..], [Note::Decided { decision: Decision::Dropped, .. }]),
        "{decided:?}"
    );
    let by_code = DropRequest { account: account(), order_id: None, code: Some("x".into()) };
    assert_eq!(client.drop_dead(&by_code).unwrap().orders, 0);
}

#[test]
fn conflicts_are_decided_and_listed_things_dismissed() {
    let served = served();
    let client = served.client();
    let store = &served.store;
    let decide = |number, accept| Decide {
        account: account(),
        order_id: Some(id(number)),
        all: false,
        accept,
    };
    assert_eq!(refusal(client.decide(&decide(2, Accept::Odoo))), "order-state");
    // Orders 5 and 6 come back from Odoo with a conflict; 6 with one that no decision ends.
    let leased = store.lease(&account(), at(10), 9).unwrap().jobs;
    let settle = leased.iter().map(|leased| {
        let mut dossier = leased.dossier.clone();
        dossier.mapping = Some(mapping(42));
        let (code, since) = (AttentionCode::BelowDelivered, at(10));
        let text = "Amazon says 1, 2 have been delivered".to_owned();
        let subject = Subject::Record(leased.job.order_id.clone());
        dossier.attention.push(Attention::new(subject, code, "l", text, since));
        let key = if leased.job.order_id == id(5) { "line" } else { "sales-channel" };
        leased.settlement(Some(dossier), End::Held(vec![hold(HoldCode::Conflict, key)]))
    });
    assert!(store.settle(settle.collect(), at(10)).unwrap().is_empty());
    assert_eq!(refusal(client.decide(&decide(6, Accept::Odoo))), "order-undecidable");

    let list = client.attention(&AttentionQuery::default()).unwrap();
    assert_eq!((list.subjects.len(), list.more), (2, false));
    assert_eq!(client.status().unwrap().accounts[0].attention, 2);
    let dismiss = |code| Dismiss { account: account(), order_id: Some(id(5)), file_id: None, code };
    assert_eq!(client.dismiss(&dismiss(Some(AttentionCode::Reopened))).unwrap().entries, 0);
    assert_eq!(client.dismiss(&dismiss(None)).unwrap().entries, 1);
    let left = client.attention(&AttentionQuery::default()).unwrap().subjects;
    assert_eq!(left.iter().map(|o| o.order_id.clone()).collect::<Vec<_>>(), [Some(id(6))]);
    assert_eq!(client.status().unwrap().accounts[0].attention, 1);

    assert_eq!(client.decide(&decide(5, Accept::Marketplace)).unwrap().orders, 1);
    let query = JobsQuery { state: Some(JobWord::Pending), ..JobsQuery::default() };
    assert_eq!(client.queue(&query).unwrap().jobs[0].order_id, id(5));
    let mapping = store.dossier(&account(), &id(5)).unwrap().unwrap().mapping.unwrap();
    let ruling = mapping.ruling.unwrap();
    assert_eq!((ruling.accept, ruling.about.len()), (Accept::Marketplace, 1));
    assert_eq!(ruling.by, Some(rustix::process::getuid().as_raw()));
    // The journal knows what was decided on, values and all.
    let decided = notes(store);
    let [Note::Dismissed { .. }, Note::Ruled { order, ruling: Some(noted), declined, .. }] =
        &decided[..]
    else {
        panic!("{decided:?}")
    };
    assert_eq!((order, noted, &declined[..]), (&id(5), &ruling, &[] as &[Declined]));
    assert!(store.verify().unwrap().is_empty());
}

/// What is odd in a file is shown with it and counted; what can cost money is to be looked at.
#[test]
fn notices_of_files_are_shown_counted_and_dismissed() {
    let served = served();
    let client = served.client();
    let mut record = served.store.file(&file(1)).unwrap().unwrap();
    record.state = odoo_spoold::model::FileState::Done;
    let notice = |code: &str, costs_money| odoo_spoold::model::FileNotice {
        code: code.to_owned(),
        text: format!("{code} was seen"),
        costs_money,
    };
    record.notices = vec![notice("columns-unknown", false), notice("amounts-unknown", true)];
    served.store.put_file(&record).unwrap();
    let shown = client.file(&file(1)).unwrap();
    assert_eq!((&shown.notices, shown.file.notices), (&record.notices, 2));
    assert_eq!((shown.attention.len(), shown.attention[0].key.as_str()), (1, "amounts-unknown"));
    let status = client.status().unwrap();
    let of_account = status.accounts.iter().find(|one| one.account == record.account).unwrap();
    assert_eq!((of_account.noticed_files, of_account.attention_files), (1, 1));
    let listed = client.attention(&AttentionQuery::default()).unwrap().subjects;
    assert_eq!(listed[0].file_id, Some(file(1)));
    let dismiss = |order_id, file_id| Dismiss {
        account: record.account.clone(),
        order_id,
        file_id,
        code: None,
    };
    assert_eq!(refusal(client.dismiss(&dismiss(Some(id(5)), Some(file(1))))), "bad-request");
    assert_eq!(refusal(client.dismiss(&dismiss(None, Some(file(999))))), "file-unknown");
    assert_eq!(client.dismiss(&dismiss(None, None)).unwrap().entries, 0, "of the account itself");
    assert_eq!(client.dismiss(&dismiss(None, Some(file(1)))).unwrap().entries, 1);
    let shown = client.file(&file(1)).unwrap();
    assert!(shown.attention.is_empty() && shown.notices.len() == 2);
    assert!(client.attention(&AttentionQuery::default()).unwrap().subjects.is_empty());
    assert!(served.store.verify().unwrap().is_empty());
}
