//! The control API over a real socket, with a real store and a desk that notes what it is told.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use jiff::Timestamp;
use odoo_spoold::clock::Manual;
use odoo_spoold::config::Settings;
use odoo_spoold::control::client::{Client, ClientError};
use odoo_spoold::control::wire::{
    Concern, ConcernKind, FilesQuery, GateStatus, Health, JobWord, JobsQuery, MAX_DOCUMENT_BYTES,
    ProcessReport, Release, Requeue,
};
use odoo_spoold::control::{
    BoxFuture, ControlError, Desk, Handle, ProcessSource, Unread, bind, serve,
};
use odoo_spoold::deliver::gate::Gate;
use odoo_spoold::model::{
    AccountId, Counts, DocumentInfo, Family, FileRecord, FileState, HoldCode, OrderId, Outcome,
    Refusal,
};
use odoo_spoold::store::{End, Store};
use tokio_util::sync::CancellationToken;

use crate::store_support::*;

const ALL: Family = Family::AllOrders;

/// Notes what it is told and answers what it is given.
#[derive(Default)]
pub(crate) struct Notebook {
    pub(crate) gates: Mutex<BTreeMap<AccountId, Gate>>,
    pub(crate) woken: Mutex<Vec<AccountId>>,
    processed: Mutex<Vec<(AccountId, ProcessSource, bool)>>,
    refuse_reload: Mutex<bool>,
    /// Files in `incoming/`.
    pub(crate) unread: Mutex<Option<Unread>>,
}

impl Desk for Notebook {
    fn gates(&self) -> BTreeMap<AccountId, Gate> {
        self.gates.lock().unwrap().clone()
    }
    fn wake(&self, account: &AccountId) {
        self.woken.lock().unwrap().push(account.clone());
    }
    fn started_at(&self) -> Timestamp {
        at(-3600)
    }
    fn notices(&self) -> Vec<Concern> {
        let text = "1 file in eu_1/incoming cannot be read: chmod g+r it";
        vec![Concern::attention(ConcernKind::Left, 1, text)]
    }
    fn unread(&self, _account: &AccountId) -> Option<Unread> {
        *self.unread.lock().unwrap()
    }
    fn reload(&self) -> BoxFuture<'_, Result<Vec<String>, String>> {
        let refuse = *self.refuse_reload.lock().unwrap();
        Box::pin(async move {
            if refuse { Err("config.toml:3:1: no".into()) } else { Ok(vec!["log level".into()]) }
        })
    }
    fn process(
        &self,
        account: &AccountId,
        source: ProcessSource,
        dry_run: bool,
    ) -> BoxFuture<'_, Result<ProcessReport, ControlError>> {
        let report = ProcessReport {
            account: account.clone(),
            dry_run,
            id: None,
            envelope: "age".into(),
            family: Some(ALL),
            counts: Counts { rows: 1, ..Counts::default() },
            refusal: None,
            would: None,
        };
        let refused = source.bytes.as_slice() == b"refuse";
        self.processed.lock().unwrap().push((account.clone(), source, dry_run));
        Box::pin(async move {
            if !refused {
                return Ok(report);
            }
            Err(ControlError::Process {
                code: "age-no-key".into(),
                message: "no key opens it".into(),
                next_step: "seal it again".into(),
            })
        })
    }
    fn recipients(&self) -> BTreeMap<AccountId, Vec<String>> {
        BTreeMap::from([(account(), vec!["age1new".into(), "age1old".into()])])
    }
}

/// A store with one order in each state, served.
pub(crate) struct Served {
    _dir: tempfile::TempDir,
    pub(crate) socket: PathBuf,
    pub(crate) desk: Arc<Notebook>,
    pub(crate) store: Arc<Store>,
    stop: CancellationToken,
    runtime: tokio::runtime::Runtime,
    task: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
}

pub(crate) fn id(number: u64) -> OrderId {
    order(number).parse().unwrap()
}

fn settings() -> Settings {
    let text = include_str!("../../config.example.toml").replace("id = \"eu\"", "id = \"eu_1\"");
    Settings::parse(Path::new("config.toml"), &text).unwrap()
}

/// Orders 1 delivered, 2 held for a SKU, 3 held for a release, 4 dead, 5 and 6 pending.
fn fill(store: &Store) {
    let facts = (1..=4).map(|n| (fact(&order(n), ALL, Some(1), 1), Some(buyer("Erika")))).collect();
    store.take(&account(), &file(1), facts, None, at(0)).unwrap();
    let leased = store.lease(&account(), at(0), 9).unwrap().jobs;
    let settlements = leased.iter().map(|leased| {
        let mut dossier = leased.dossier.clone();
        let end = match leased.job.order_id.as_str() {
            text if text == order(1) => {
                dossier.mapping = Some(mapping(42));
                End::Done(Outcome::Delivered)
            }
            text if text == order(2) => End::Held(vec![hold(HoldCode::Sku, "CANARY-SKU")]),
            text if text == order(3) => End::Held(vec![hold(HoldCode::Release, "")]),
            _ => End::Dead(odoo_spoold::model::Death {
                code: "odoo-user-error".into(),
                words: "Erika Mustermann\u{1b}[31m\nhas no street".into(),
            }),
        };
        leased.settlement(Some(dossier), end)
    });
    assert!(store.settle(settlements.collect(), at(1)).unwrap().is_empty());
    let facts = (5..=6).map(|n| (fact(&order(n), ALL, Some(1), 1), None)).collect();
    store.take(&account(), &file(1), facts, None, at(2)).unwrap();
    for (number, state) in [(1, FileState::Done), (2, FileState::Rejected)] {
        let refusal = (state == FileState::Rejected).then(|| Refusal {
            code: "header-unknown".into(),
            sentence: "no known report has this header".into(),
            line: Some(1),
            column: None,
            next_step: "download the report again".into(),
        });
        store
            .put_file(&FileRecord {
                id: file(number),
                account: account(),
                name: None,
                sha256: [0xAB; 32],
                bytes: 5,
                claimed_at: at(i64::try_from(number).unwrap()),
                state,
                since: at(0),
                envelope: "age".into(),
                family: Some(ALL),
                charset: "UTF-8".into(),
                counts: Counts { rows: 6, orders: 6, new: 6, ..Counts::default() },
                faults: faulty("205-1", ALL, None).faults,
                notices: Vec::new(),
                refusal,
                described: DocumentInfo::default(),
                wait: None,
            })
            .unwrap();
    }
}

pub(crate) fn served() -> Served {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&dir.path().join("state")));
    fill(&store);
    let desk = Arc::new(Notebook::default());
    let shared: Arc<dyn Desk> = desk.clone();
    let handle = Handle {
        store: Arc::clone(&store),
        settings: Arc::new(RwLock::new(Arc::new(settings()))),
        clock: Arc::new(Manual::new(at(3600))),
        desk: shared,
    };
    let socket = dir.path().join("control.sock");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let stop = CancellationToken::new();
    let listener = runtime.block_on(async { bind(&socket) }).unwrap();
    let task = runtime.spawn(serve(listener, handle, stop.clone()));
    Served { _dir: dir, socket, desk, store, stop, runtime, task: Some(task) }
}

impl Served {
    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.socket).unwrap()
    }

    /// Status and body of a request as it is written.
    fn raw(&self, request: &str, body: &[u8]) -> (u16, String) {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        let head = format!(
            "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // The server may answer and close before it has read everything.
        let _sent = stream.write_all(body);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn state(&self, number: u64) -> &'static str {
        self.store.job(&account(), &id(number)).unwrap().unwrap().state.name()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            let _ended = self.runtime.block_on(task);
        }
    }
}

pub(crate) fn refusal(result: Result<impl std::fmt::Debug, ClientError>) -> String {
    match result.unwrap_err() {
        ClientError::Refused { body } => {
            assert!(!body.message.is_empty() && !body.next_step.is_empty());
            body.code
        }
        other => panic!("{other}"),
    }
}

#[test]
fn status_counts_and_names_what_matters() {
    let served = served();
    let client = served.client();
    let status = client.status().unwrap();
    assert_eq!(status.health, Health::Attention);
    // What waits for a person: rejected files first.
    assert!(status.headline.starts_with("Attention: file F0000000002 was rejected"), "{status:?}");
    let kinds: Vec<&str> = status.concerns.iter().map(|concern| concern.kind.name()).collect();
    assert_eq!(kinds, ["rejected", "left", "dead", "held-for-odoo"]);
    assert!(status.running && status.started_at == Some(at(-3600)));
    let eu = &status.accounts[0];
    assert_eq!((eu.orders.pending, eu.orders.held, eu.orders.dead, eu.orders.done), (2, 2, 1, 1));
    assert_eq!(eu.holds, BTreeMap::from([(HoldCode::Sku, 1), (HoldCode::Release, 1)]));
    assert_eq!((&eu.gate, eu.next_due), (&GateStatus::Open, Some(at(2))));
    assert_eq!(status.rejected[0].id, file(2));
    assert_eq!(status.notices.len(), 1);
    assert_eq!(status.store.unwrap().orders, 6);
    let mut gate = Gate::Open;
    gate.pause("odoo-access-denied", "renew the API key", at(3000));
    served.desk.gates.lock().unwrap().insert(account(), gate);
    let status = client.status().unwrap();
    assert_eq!(status.health, Health::Fault);
    assert!(status.headline.contains("account eu_1 is paused since 2025-11-21 00:50 UTC"));
}

#[test]
fn files_and_where_their_orders_stand() {
    let served = served();
    let client = served.client();
    let ids = |query: &FilesQuery| {
        client.files(query).unwrap().files.into_iter().map(|file| file.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&FilesQuery::default()), [file(2), file(1)]);
    let done = FilesQuery { state: Some(FileState::Done), ..FilesQuery::default() };
    assert_eq!(ids(&done), [file(1)]);
    assert_eq!(ids(&FilesQuery { limit: Some(1), ..FilesQuery::default() }), [file(2)]);
    let detail = client.file(&file(1)).unwrap();
    assert_eq!(detail.file.sha256, "ab".repeat(32));
    let states = [("dead", 1), ("done", 1), ("held", 2), ("pending", 2)];
    assert_eq!(detail.orders, states.map(|(word, n)| (word.to_owned(), n)).into());
    let sku = &detail.held[&HoldCode::Sku];
    assert_eq!((sku.orders, &sku.keys), (1, &BTreeMap::from([("CANARY-SKU".to_owned(), 1)])));
    assert_eq!((detail.first.len(), detail.faults.len()), (6, 1));
    assert_eq!(refusal(client.file(&file(9))), "file-unknown");
    let unknown = FilesQuery { account: Some("na".parse().unwrap()), ..FilesQuery::default() };
    assert_eq!(refusal(client.files(&unknown)), "account-unknown");
}

#[test]
fn orders_page_by_page_and_one_by_one() {
    let served = served();
    let client = served.client();
    let mut query = JobsQuery { limit: Some(2), ..JobsQuery::default() };
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let page = client.queue(&query).unwrap();
        seen.extend(page.jobs.into_iter().map(|job| job.order_id));
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!(seen, (1..=6).map(id).collect());
    let pending = JobsQuery { state: Some(JobWord::Pending), ..JobsQuery::default() };
    let jobs = client.queue(&pending).unwrap().jobs;
    assert!(jobs.iter().all(|job| job.due == Some(at(2))) && jobs.len() == 2);
    let detail = client.job(&account(), &id(1)).unwrap();
    assert_eq!(detail.job.outcome, Some(Outcome::Delivered));
    assert_eq!(detail.reports, BTreeMap::from([(ALL, Some(at(86_400)))]));
    assert_eq!(detail.mapping.unwrap().odoo_id, Some(42));
    assert_eq!(client.mapping(&account(), &id(1)).unwrap().name, "S00042");
    assert_eq!(refusal(client.mapping(&account(), &id(2))), "order-not-mapped");
    assert_eq!(refusal(client.mapping(&account(), &id(9))), "order-unknown");
    let bad = JobsQuery { after: Some("zz".into()), ..JobsQuery::default() };
    assert_eq!(refusal(client.queue(&bad)), "bad-request");
}

#[test]
fn held_orders_are_released_by_order_code_and_key() {
    let served = served();
    let client = served.client();
    let held = client.held(&JobsQuery::default()).unwrap();
    let groups: Vec<_> = held
        .groups
        .iter()
        .map(|group| (group.code, group.orders, group.ended_by.as_str(), group.keys.clone()))
        .collect();
    assert_eq!(
        groups,
        [
            (HoldCode::Sku, 1, "odoo", vec!["CANARY-SKU".to_owned()]),
            (HoldCode::Release, 1, "file", vec![String::new()])
        ]
    );
    assert_eq!(held.page.jobs.len(), 2);
    let release = |order_id, code, key: Option<&str>| Release {
        account: account(),
        order_id,
        code,
        key: key.map(str::to_owned),
    };
    let sku = Some(HoldCode::Sku);
    assert_eq!(client.release(&release(None, sku, Some("OTHER"))).unwrap().orders, 0);
    assert_eq!(client.release(&release(None, sku, Some("CANARY-SKU"))).unwrap().orders, 1);
    assert_eq!(served.state(2), "pending");
    assert_eq!(client.release(&release(Some(id(3)), None, None)).unwrap().orders, 1);
    assert_eq!(*served.desk.woken.lock().unwrap(), [account(), account(), account()]);
    assert_eq!(refusal(client.release(&release(Some(id(3)), None, None))), "order-state");
    assert_eq!(refusal(client.release(&release(Some(id(9)), None, None))), "order-unknown");
    assert_eq!(refusal(client.release(&release(Some(id(3)), sku, None))), "bad-request");
    assert_eq!(refusal(client.release(&release(None, None, None))), "bad-request");
}

#[test]
fn dead_orders_are_requeued_and_only_one_at_a_time_shows_odoos_words() {
    let served = served();
    let client = served.client();
    let words = client.dead_job(&account(), &id(4)).unwrap().words;
    assert!(words.contains("Mustermann"));
    for path in
        ["status", "files", &format!("files/{}", file(1)), "queue", "hold", "dead", "recipients"]
            .map(str::to_owned)
            .into_iter()
            .chain((1..=6).map(|n| format!("queue/eu_1/{}", order(n))))
    {
        let (status, body) = served.raw(&format!("GET /v1/{path}"), b"");
        assert_eq!(status, 200, "{path}");
        assert!(!body.contains("Mustermann") && !body.contains("Erika"), "{path}: {body}");
    }
    assert_eq!(client.dead(&JobsQuery::default()).unwrap().jobs[0].order_id, id(4));
    assert_eq!(refusal(client.dead_job(&account(), &id(1))), "order-state");
    let requeue = |order_id, code: Option<&str>, all| Requeue {
        account: account(),
        order_id,
        code: code.map(str::to_owned),
        all,
    };
    assert_eq!(refusal(client.requeue(&requeue(None, None, false))), "bad-request");
    assert_eq!(refusal(client.requeue(&requeue(Some(id(4)), None, true))), "bad-request");
    assert_eq!(refusal(client.requeue(&requeue(Some(id(9)), None, false))), "order-unknown");
    assert_eq!(client.requeue(&requeue(None, Some("other"), false)).unwrap().orders, 0);
    assert_eq!(client.requeue(&requeue(None, Some("odoo-user-error"), false)).unwrap().orders, 1);
    assert_eq!(served.state(4), "pending");
    assert_eq!(client.requeue(&requeue(None, None, true)).unwrap().orders, 0);
    assert_eq!(served.desk.woken.lock().unwrap().len(), 3);
}

#[test]
fn a_document_reaches_the_desk_whole() {
    let served = served();
    let client = served.client();
    let source = |bytes: &[u8], sidecar: Option<&[u8]>| ProcessSource {
        bytes: bytes.to_vec().into(),
        name: "ä & b.age".into(),
        sidecar: sidecar.map(|bytes| bytes.to_vec().into()),
    };
    let large = vec![7; 3 * 1024 * 1024];
    let sidecar = vec![b'{'; 64 * 1024];
    let report = client.process(&account(), source(&large, Some(&sidecar)), true).unwrap();
    assert!(report.dry_run && report.counts.rows == 1);
    let noted = served.desk.processed.lock().unwrap().remove(0);
    assert_eq!((noted.0, noted.2), (account(), true));
    assert!(*noted.1.bytes == large && noted.1.sidecar.as_deref() == Some(&sidecar));
    assert_eq!(noted.1.name, "ä & b.age");
    assert_eq!(refusal(client.process(&account(), source(b"refuse", None), false)), "age-no-key");
    let other = "na".parse().unwrap();
    assert_eq!(refusal(client.process(&other, source(b"x", None), false)), "account-unknown");
}

#[test]
fn a_document_that_is_too_large_is_not_read() {
    let served = served();
    let mut stream = UnixStream::connect(&served.socket).unwrap();
    let head = format!(
        "POST /v1/process?account=eu_1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        MAX_DOCUMENT_BYTES + 1
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("document-too-large"),
        "{answer}"
    );
    assert!(served.desk.processed.lock().unwrap().is_empty());
}

#[test]
fn a_reload_answers_when_it_is_done() {
    let served = served();
    let client = served.client();
    assert_eq!(client.reload().unwrap().changes, ["log level"]);
    *served.desk.refuse_reload.lock().unwrap() = true;
    assert_eq!(refusal(client.reload()), "reload-refused");
    let recipients = client.recipients().unwrap().accounts;
    assert_eq!(recipients[0].recipients, ["age1new", "age1old"]);
}

#[test]
fn every_error_is_json_with_a_next_step() {
    let served = served();
    let order = order(1);
    for (request, body, status) in [
        ("GET /", "", 404),
        ("GET /v2/status", "", 404),
        ("GET /v1/nothing", "", 404),
        ("DELETE /v1/status", "", 404),
        ("GET /v1/reload", "", 404),
        ("GET /v1/files?limt=5", "", 400),
        ("GET /v1/files?limit=x", "", 400),
        ("GET /v1/files/Max", "", 400),
        ("GET /v1/queue?state=tired", "", 400),
        ("GET /v1/dead?state=done", "", 400),
        (&format!("GET /v1/map/EU/{order}"), "", 400),
        ("GET /v1/map/eu_1/%00", "", 400),
        ("GET /v1/map/eu_1/%ff", "", 400),
        ("POST /v1/hold/release", "{", 400),
        ("POST /v1/hold/release", "{\"account\":\"eu_1\",\"cod\":\"sku\"}", 400),
        ("POST /v1/dead/requeue", "[]", 400),
        ("POST /v1/process", "", 400),
    ] {
        let (found, answer) = served.raw(request, body.as_bytes());
        assert_eq!(found, status, "{request} {answer}");
        let error: odoo_spoold::control::wire::ErrorBody =
            serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{request}: {answer}"));
        assert!(!error.code.is_empty() && !error.next_step.is_empty(), "{request}");
    }
    let long = vec![b' '; 65 * 1024];
    let (status, answer) = served.raw("POST /v1/hold/release", &long);
    assert_eq!(status, 400, "{answer}");
}

#[test]
fn stopping_does_not_wait_for_idle_callers() {
    let mut served = served();
    let client = served.client();
    client.status().unwrap();
    let _idle = UnixStream::connect(&served.socket).unwrap();
    served.stop.cancel();
    let ended = served.task.take().unwrap();
    let limit = std::time::Duration::from_secs(8);
    let ended = served.runtime.block_on(async { tokio::time::timeout(limit, ended).await });
    ended.expect("still serving").unwrap().unwrap();
    assert!(client.status().is_err());
}

#[test]
fn the_socket_is_for_owner_and_group_and_taken_over_only_when_nobody_serves_it() {
    let served = served();
    let mode = std::fs::metadata(&served.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let bound = |path: &Path| served.runtime.block_on(async { bind(path) });
    assert_eq!(bound(&served.socket).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    let stale = served.socket.with_file_name("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    bound(&stale).unwrap();
    let plain = served.socket.with_file_name("plain");
    std::fs::write(&plain, "x").unwrap();
    assert_eq!(bound(&plain).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&plain).unwrap(), b"x");
}
