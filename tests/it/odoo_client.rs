//! The Odoo client over real sockets: both dialects, every way of failing, and what is never sent.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "test code: it may stop at the first surprise"
)]

use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use odoo_spoold::odoo::{
    Call, Class, Client, Context, Dialect, Endpoint, EndpointError, FaultKind, Find, Verdict,
    Writer,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::fake_odoo::{FakeOdoo, Fault, Flavor, UID};
use crate::support::lab::{self, Lab};

const BOTH: [Flavor; 2] = [Flavor::V14, Flavor::V19];

fn connect(flavor: Flavor) -> (FakeOdoo, Client) {
    let fake = FakeOdoo::start_new(flavor);
    let client = Client::new(fake.endpoint()).unwrap();
    (fake, client)
}

fn context() -> Context {
    Context::new(&[1])
}

async fn search(client: &Client) -> Result<Vec<i64>, odoo_spoold::odoo::Fault> {
    client.search("res.partner", json!([]), &Find::default(), context()).await
}

const ORDER: [&str; 6] = [
    "id",
    "client_order_ref",
    "partner_id/.id",
    "order_line/id",
    "order_line/product_uom_qty",
    "order_line/price_unit",
];

fn order(partner: i64, name: &str, prices: &[f64]) -> Vec<Vec<Value>> {
    let line = |i: usize, price: f64| {
        let head = if i == 0 {
            [json!(format!("spoold_a.order_{name}")), json!(name), json!(partner)]
        } else {
            [json!(""), json!(""), json!("")]
        };
        let own = [json!(format!("spoold_a.line_{name}_{i}")), json!(2), json!(price)];
        head.into_iter().chain(own).collect()
    };
    prices.iter().enumerate().map(|(i, price)| line(i, *price)).collect()
}

#[tokio::test]
async fn the_dialect_follows_the_server() {
    for (flavor, dialect, major) in
        [(Flavor::V14, Dialect::JsonRpc, 14), (Flavor::V19, Dialect::Json2, 19)]
    {
        let (fake, client) = connect(flavor);
        assert!(!client.has_answered());
        let server = client.probe().await.unwrap();
        assert_eq!((server.dialect, server.major, server.uid), (dialect, major, UID));
        assert_eq!((server.company_id, server.company_ids), (Some(1), vec![1]));
        assert_eq!(server.user_lang.as_deref(), Some("en_US"));
        let skew = fake.tables(|tables| tables.now()).duration_since(server.server_time.unwrap());
        assert!(skew.abs().as_secs() < 5, "{skew}");
        assert!(client.has_answered());
        fake.forget_calls();
        search(&client).await.unwrap();
        assert_eq!(fake.calls().len(), 1);
        let used = if dialect == Dialect::Json2 { "json2" } else { "jsonrpc" };
        assert_eq!(fake.calls()[0].dialect, used);
    }
}

#[tokio::test]
async fn nineteen_without_json2_is_spoken_to_in_json_rpc() {
    let (fake, client) = connect(Flavor::V19);
    fake.hide_json2();
    let server = client.probe().await.unwrap();
    assert_eq!((server.dialect, server.major), (Dialect::JsonRpc, 19));
}

#[tokio::test]
async fn a_dialect_can_be_forced() {
    let fake = FakeOdoo::start_new(Flavor::V19);
    let mut endpoint = fake.endpoint();
    endpoint.dialect = Some(Dialect::JsonRpc);
    let client = Client::new(endpoint).unwrap();
    assert_eq!(client.probe().await.unwrap().dialect, Dialect::JsonRpc);
    let mut endpoint = fake.endpoint();
    endpoint.dialect = Some(Dialect::Json2);
    fake.hide_json2();
    let fault = Client::new(endpoint).unwrap().probe().await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::NoDatabase);
}

#[tokio::test]
async fn a_first_call_probes_by_itself() {
    for flavor in BOTH {
        let (_fake, client) = connect(flavor);
        assert_eq!(search(&client).await.unwrap(), Vec::<i64>::new());
    }
}

#[tokio::test]
async fn load_stores_once_and_skips_what_is_known() {
    for flavor in BOTH {
        let (fake, client) = connect(flavor);
        let partner = fake.insert("res.partner", json!({"name": "P"}));
        let mut rows = order(partner, "1", &[10.0, 11.5]);
        rows.extend(order(partner, "2", &[7.0]));
        let loaded = |rows: Vec<Vec<Value>>| {
            Writer::on(&client).load("sale.order", &ORDER, rows, context().noupdate())
        };
        let Verdict::Loaded(first) = loaded(rows.clone()).await.unwrap().verdict(2, &[]) else {
            panic!()
        };
        let Verdict::Loaded(again) = loaded(rows).await.unwrap().verdict(2, &[]) else { panic!() };
        assert_eq!(first, again);
        assert_eq!(fake.records("sale.order.line").len(), 3);
        let changed = order(partner, "1", &[99.0, 99.0]);
        loaded(changed).await.unwrap();
        let fields = ["client_order_ref", "amount_total", "order_line", "partner_id"];
        let read = client.read("sale.order", &first, &fields, context()).await.unwrap();
        assert_eq!(read[0]["amount_total"], json!(43.0));
        assert_eq!(read[0]["partner_id"], json!([partner, "P"]));
        assert_eq!(read[1]["client_order_ref"], json!("2"));
        let names = client.get_external_id("sale.order", &first, context()).await.unwrap();
        assert_eq!(names[&first[1]], "spoold_a.order_2");
        let call = &fake.calls_of("sale.order", "load")[0];
        assert_eq!(call.context["allowed_company_ids"], json!([1]));
        assert_eq!(call.context["noupdate"], json!(true));
        assert_eq!(call.args["fields"][0], json!("id"));
    }
}

#[tokio::test]
async fn states_change_and_are_read_back() {
    for flavor in BOTH {
        let (fake, client) = connect(flavor);
        let partner = fake.insert("res.partner", json!({"name": "P"}));
        let old = "2020-01-01 00:00:00";
        let id = fake.insert("sale.order", json!({"partner_id": partner, "date_order": old}));
        let done = Writer::on(&client)
            .execute("sale.order", "action_confirm", &[id], context())
            .await
            .unwrap();
        assert_eq!(done, json!(true));
        let again =
            Writer::on(&client).execute("sale.order", "action_confirm", &[id], context()).await;
        assert_eq!(again.is_err(), flavor == Flavor::V19);
        let domain = json!(["|", ["state", "=", "sale"], ["id", "in", [0]]]);
        let find = Find { limit: Some(5), order: Some("id"), archived_too: true };
        let found = client
            .search_read("sale.order", domain, &["state", "date_order"], &find, context())
            .await
            .unwrap();
        assert_eq!(found[0]["state"], "sale");
        assert_ne!(found[0]["date_order"], old);
        let call = fake.calls_of("sale.order", "search_read").remove(0);
        assert_eq!((&call.args["limit"], &call.context["active_test"]), (&json!(5), &json!(false)));
        let vals = json!({"date_order": old}).as_object().unwrap().clone();
        Writer::on(&client).write("sale.order", &[id], vals, context()).await.unwrap();
        assert_eq!(fake.records("sale.order")[0]["date_order"], old);
        Writer::on(&client).execute("sale.order", "action_cancel", &[id], context()).await.unwrap();
        assert_eq!(fake.records("sale.order")[0]["state"], "cancel");
    }
}

#[tokio::test]
async fn fields_and_references() {
    for (flavor, here, gone) in
        [(Flavor::V14, "tax_id", "tax_ids"), (Flavor::V19, "tax_ids", "tax_id")]
    {
        let (fake, client) = connect(flavor);
        let fields =
            client.fields_get("sale.order.line", &["type", "relation"], context()).await.unwrap();
        assert_eq!(fields[here]["relation"], "account.tax");
        assert!(!fields.contains_key(gone));
        let partner = fake.insert("res.partner", json!({"name": "P"}));
        fake.tables(|tables| tables.name_it("spoold_a.marker_x", "res.partner", partner));
        let told = client.check_object_reference("spoold_a", "marker_x", context()).await.unwrap();
        assert_eq!(told, Some(("res.partner".to_owned(), Some(partner))));
        let none = client.check_object_reference("spoold_a", "nobody", context()).await.unwrap();
        assert_eq!(none, None);
    }
}

#[tokio::test]
async fn exceptions_are_classified_and_their_words_kept_to_ourselves() {
    for flavor in BOTH {
        let (fake, client) = connect(flavor);
        let lost = Call::new("sale.nothing", "read", context());
        assert_eq!(client.call(lost).await.unwrap_err().kind, FaultKind::MissingModel);
        let lost = Writer::on(&client).execute("sale.order", "action_dance", &[1], context()).await;
        assert_eq!(lost.unwrap_err().kind, FaultKind::MissingMethod);
        let private = Writer::on(&client).execute("sale.order", "_compute", &[1], context()).await;
        assert_eq!(private.unwrap_err().kind, FaultKind::AccessError);
        let missing =
            Writer::on(&client).execute("sale.order", "action_confirm", &[77], context()).await;
        assert_eq!(missing.unwrap_err().kind, FaultKind::MissingRecord);
        let unknown = client.read("sale.order", &[1], &["nope"], context()).await;
        assert_eq!(unknown.unwrap_err().kind, FaultKind::InvalidValue);
        let text = "Ada Lovelace may not";
        let raise = Fault::Raise("odoo.exceptions.UserError".into(), 422, text.into());
        fake.fail_next("*", "*", raise);
        let fault = search(&client).await.unwrap_err();
        assert_eq!(
            (fault.kind, fault.class(), fault.ambiguous),
            // It was a question: nobody's data is to blame.
            (FaultKind::UserError, Class::Retry, false)
        );
        assert_eq!(fault.words.expose(), text);
        let shown = format!("{fault} {fault:?}");
        assert!(!shown.contains("Ada") && !shown.contains("TRACEBACK"), "{shown}");
    }
}

#[tokio::test]
async fn after_a_lost_answer_the_outcome_is_open() {
    for flavor in BOTH {
        let cases = [
            (Fault::ApplyThenDropConnection, FaultKind::ConnectionLost, true),
            (Fault::DropBefore, FaultKind::ConnectionLost, false),
            (Fault::Http500AfterCommit, FaultKind::ErrorPage, true),
            (Fault::HalfAnswer, FaultKind::BadAnswer, true),
            (Fault::Page(502, "<h1>Bad Gateway".into()), FaultKind::Unavailable, false),
            (Fault::Page(200, "<h1>Please log in".into()), FaultKind::BadAnswer, false),
        ];
        for (fault, kind, done) in cases {
            let (fake, client) = connect(flavor);
            client.probe().await.unwrap();
            let partner = fake.insert("res.partner", json!({"name": "P"}));
            fake.fail_next("sale.order", "load", fault);
            let rows = order(partner, "1", &[1.0]);
            let loading = || {
                Writer::on(&client).load("sale.order", &ORDER, rows.clone(), context().noupdate())
            };
            let met = loading().await.unwrap_err();
            assert_eq!((met.kind, met.ambiguous, met.class()), (kind, true, Class::Retry));
            assert_eq!(fake.records("sale.order").len(), usize::from(done), "{kind:?}");
            assert_eq!(fake.calls_of("sale.order", "load").len(), 1, "sent once only");
            assert!(matches!(loading().await.unwrap().verdict(1, &[]), Verdict::Loaded(_)));
            assert_eq!(fake.records("sale.order").len(), 1);
        }
    }
}

#[tokio::test]
async fn a_refused_connection_is_not_ambiguous_and_heals() {
    let (fake, client) = connect(Flavor::V19);
    search(&client).await.unwrap();
    fake.stop();
    let fault = search(&client).await.unwrap_err();
    assert_eq!((fault.kind, fault.ambiguous), (FaultKind::Unreachable, false));
    assert!(fault.cause.is_some_and(|cause| cause.contains("refuses connections")));
    fake.start();
    search(&client).await.unwrap();
}

#[tokio::test]
async fn silence_ends_in_time_and_is_ambiguous() {
    let fake = FakeOdoo::start_new(Flavor::V19);
    let mut endpoint = fake.endpoint();
    endpoint.limit_time_real = Duration::ZERO;
    endpoint.answer_margin = Duration::from_millis(400);
    let client = Client::new(endpoint).unwrap();
    client.probe().await.unwrap();
    let partner = fake.insert("res.partner", json!({"name": "P"}));
    fake.fail_next("*", "*", Fault::HangAfterCommit(Duration::from_secs(2)));
    let rows = order(partner, "1", &[1.0]);
    let fault = Writer::on(&client)
        .load("sale.order", &ORDER, rows, context().noupdate())
        .await
        .unwrap_err();
    assert_eq!((fault.kind, fault.ambiguous), (FaultKind::Timeout, true));
    assert_eq!(fault.class(), Class::Retry);
    assert_eq!(fake.records("sale.order").len(), 1);
    assert_eq!(fake.calls_of("sale.order", "load").len(), 1);
}

#[tokio::test]
async fn patience_is_asked_for() {
    let (fake, client) = connect(Flavor::V19);
    client.probe().await.unwrap();
    fake.fail_next("*", "*", Fault::RateLimit(7));
    let fault = search(&client).await.unwrap_err();
    assert_eq!((fault.kind, fault.ambiguous), (FaultKind::Overloaded, false));
    assert_eq!(fault.retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_wrong_key_pauses() {
    for flavor in BOTH {
        let (fake, client) = connect(flavor);
        client.probe().await.unwrap();
        fake.set_key("another");
        let fault = search(&client).await.unwrap_err();
        assert_eq!((fault.kind, fault.class()), (FaultKind::AccessDenied, Class::Pause));
        let fault = client.probe().await.unwrap_err();
        assert_eq!((fault.kind, fault.class()), (FaultKind::AccessDenied, Class::Pause));
    }
}

#[tokio::test]
async fn a_key_of_another_user_is_no_key_of_ours() {
    let fake = FakeOdoo::start_new(Flavor::V19);
    let mut endpoint = fake.endpoint();
    endpoint.login = "somebody".into();
    let fault = Client::new(endpoint).unwrap().probe().await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::AccessDenied);
    assert!(fault.to_string().contains("another user"), "{fault}");
}

#[tokio::test]
async fn a_missing_database_is_a_setting_only_before_it_ever_answered() {
    for flavor in BOTH {
        let (fake, client) = connect(flavor);
        fake.set_database_missing(true);
        let fault = client.probe().await.unwrap_err();
        assert_eq!((fault.kind, fault.class()), (FaultKind::NoDatabase, Class::Pause));
        fake.set_database_missing(false);
        client.probe().await.unwrap();
        fake.set_database_missing(true);
        let fault = search(&client).await.unwrap_err();
        assert_eq!((fault.kind, fault.class()), (FaultKind::DatabaseGone, Class::Retry));
        assert!(!fault.ambiguous);
        let mut endpoint = fake.endpoint();
        endpoint.answered_before = true;
        let fault = Client::new(endpoint).unwrap().probe().await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::DatabaseGone);
    }
}

#[tokio::test]
async fn an_answer_larger_than_allowed_is_given_up() {
    let fake = FakeOdoo::start_new(Flavor::V19);
    let mut endpoint = fake.endpoint();
    endpoint.max_response_bytes = 4096;
    let client = Client::new(endpoint).unwrap();
    for i in 0..50 {
        fake.insert("res.partner", json!({"name": format!("partner with a long name {i:0100}")}));
    }
    assert_eq!(search(&client).await.unwrap().len(), 50);
    let all =
        client.search_read("res.partner", json!([]), &["name"], &Find::default(), context()).await;
    let fault = all.unwrap_err();
    assert_eq!((fault.kind, fault.class()), (FaultKind::TooLarge, Class::Retry));
}

#[tokio::test]
async fn failures_inside_load_are_seen() {
    for flavor in BOTH {
        let (fake, client) = connect(flavor);
        let partner = fake.insert("res.partner", json!({"name": "P"}));
        let rows = |names: &[&str]| -> Vec<Vec<Value>> {
            names.iter().flat_map(|name| order(partner, name, &[1.0])).collect()
        };
        let load =
            |rows| Writer::on(&client).load("sale.order", &ORDER, rows, context().noupdate());
        fake.fail_next("sale.order", "load", Fault::SerializationInLoad);
        let verdict = load(rows(&["1", "2"])).await.unwrap().verdict(2, &[]);
        assert!(matches!(verdict, Verdict::Transient(_)));
        fake.tables(|tables| tables.forbidden.insert("sale.order".into()));
        let verdict = load(rows(&["1", "2"])).await.unwrap().verdict(2, &[]);
        assert!(matches!(verdict, Verdict::Configuration { .. }));
        fake.tables(|tables| tables.forbidden.clear());
        fake.refuse("sale.order", "client_order_ref", json!("2"), "not this one");
        let Verdict::Rejected(refused) =
            load(rows(&["1", "2", "3"])).await.unwrap().verdict(3, &[])
        else {
            panic!()
        };
        assert_eq!((refused.len(), refused[0].record), (1, 1));
        assert!(fake.records("sale.order").is_empty(), "all or nothing");
        let mut bad = rows(&["4"]);
        bad[0][2] = json!(4711);
        let Verdict::Rejected(refused) = load(bad).await.unwrap().verdict(1, &[]) else { panic!() };
        assert_eq!(refused[0].field.as_deref(), Some("partner_id"));
    }
}

#[tokio::test]
async fn a_redirect_is_reported_and_not_followed() {
    let (fake, client) = connect(Flavor::V19);
    client.probe().await.unwrap();
    fake.fail_next("*", "*", Fault::Page(302, String::new()));
    let fault = search(&client).await.unwrap_err();
    assert_eq!((fault.kind, fault.class()), (FaultKind::Redirected, Class::Pause));
}

/// `openssl s_server` with a certificate that only a CA of its own signed.
struct TlsServer {
    child: std::process::Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl TlsServer {
    fn start(host: &str, more: &[&str]) -> Self {
        Self::start_valid(host, None, more)
    }

    /// With a certificate that is valid between two days.
    fn start_valid(host: &str, days: Option<[&str; 2]>, more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let openssl = || {
            let mut command = Command::new("openssl");
            command.current_dir(&dir).stdin(Stdio::null()).stdout(Stdio::null());
            command.stderr(Stdio::null());
            command
        };
        let make = |name: &str, more: &[&str]| {
            let made = openssl()
                .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256".split(' '))
                .args("-nodes -days 2 -subj".split(' '))
                .args([&format!("/CN={name}"), "-keyout", &format!("{name}.key"), "-out"])
                .arg(format!("{name}.pem"))
                .args(more)
                .status();
            assert!(made.expect("openssl is installed").success());
        };
        make("ca", &[]);
        let name = format!("subjectAltName=DNS:{host}");
        let leaf = ["-addext", &name, "-addext", "basicConstraints=critical,CA:FALSE"];
        make("leaf", &[&leaf[..], &["-CA", "ca.pem", "-CAkey", "ca.key"]].concat());
        if let Some([from, to]) = days {
            // Signed again: `req` only knows days from now on.
            let text = "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\npolicy=p\n\
                        default_md=sha256\n[p]\ncommonName=optional\n";
            std::fs::write(dir.path().join("ca.cnf"), text).unwrap();
            std::fs::write(dir.path().join("ext.cnf"), format!("{name}\n")).unwrap();
            std::fs::write(dir.path().join("index.txt"), "").unwrap();
            std::fs::write(dir.path().join("serial"), "01\n").unwrap();
            let request = openssl()
                .args("req -new -key leaf.key -subj /CN=leaf -out leaf.csr".split(' '))
                .status();
            assert!(request.unwrap().success());
            let signed = openssl()
                .args("ca -batch -notext -config ca.cnf -extfile ext.cnf".split(' '))
                .args("-cert ca.pem -keyfile ca.key -in leaf.csr -out leaf.pem".split(' '))
                .args(["-startdate", from, "-enddate", to])
                .status();
            assert!(signed.unwrap().success());
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = openssl()
            .args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-www"])
            .args(["-key", "leaf.key", "-cert", "leaf.pem"])
            .args(more)
            .spawn()
            .unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "openssl does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, port, dir }
    }

    async fn probe(&self, trusted: bool) -> odoo_spoold::odoo::Fault {
        let url = format!("https://localhost:{}", self.port);
        let mut endpoint = Endpoint::new(url, "db", "bot", SecretString::from("0123456789abcdef"));
        endpoint.connect_timeout = Duration::from_secs(5);
        endpoint.limit_time_real = Duration::ZERO;
        endpoint.answer_margin = Duration::from_secs(2);
        endpoint.ca_file = trusted.then(|| self.dir.path().join("ca.pem"));
        Client::new(endpoint).unwrap().probe().await.unwrap_err()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[tokio::test]
async fn night_p11_a_refused_certificate_says_which_and_why() {
    let said = |fault: odoo_spoold::odoo::Fault| {
        assert_eq!((fault.kind, fault.ambiguous), (FaultKind::Tls, false), "{fault}");
        fault.explained()
    };
    let server = TlsServer::start("localhost", &[]);
    assert_eq!(
        said(server.probe(false).await),
        "nobody whom this host trusts has signed the certificate of localhost: a private CA goes \
         to odoo.ca_file"
    );
    let other = TlsServer::start("other.test", &[]);
    let text = said(other.probe(true).await);
    assert!(text.contains("is for other.test, not for localhost"), "{text}");
    let days = ["20200101000000Z", "20200201000000Z"];
    let text = said(TlsServer::start_valid("localhost", Some(days), &[]).probe(true).await);
    assert!(text.starts_with("the certificate of localhost expired on 2020-02-01 ("), "{text}");
    assert!(text.ends_with(" days ago): renew it there"), "{text}");
    let days = ["20900101000000Z", "20900201000000Z"];
    let text = said(TlsServer::start_valid("localhost", Some(days), &[]).probe(true).await);
    let words =
        "the certificate of localhost is not valid before 2090-01-01; this host's clock says";
    assert!(text.starts_with(words) && text.ends_with(": timedatectl"), "{text}");
    // Plain HTTP behind an https address.
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = plain.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut peer, _) = plain.accept().unwrap();
        let _read = peer.read(&mut [0; 512]);
        let _written = peer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let text = said(probe_at(&format!("https://localhost:{port}")).await);
    assert!(text.contains(&format!("localhost does not speak TLS on port {port}")), "{text}");
}

#[tokio::test]
async fn night_p11_what_cannot_be_reached_says_what_was_seen() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for url in [format!("https://localhost:{port}"), format!("http://127.0.0.1:{port}")] {
        let fault = probe_at(&url).await;
        assert_eq!(fault.kind, FaultKind::Unreachable);
        let text = fault.explained();
        let words = format!("refuses connections on port {port}: is Odoo running?");
        assert!(text.ends_with(&words), "{text}");
        assert!(fault.to_string().contains("refuses connections"), "{fault}");
    }
    let fault = probe_at("https://erp.night.invalid").await;
    assert_eq!(fault.kind, FaultKind::Unreachable);
    let text = fault.explained();
    assert!(text.starts_with("erp.night.invalid has no address (DNS"), "{text}");
}

async fn probe_at(url: &str) -> odoo_spoold::odoo::Fault {
    let mut endpoint = Endpoint::new(url, "db", "bot", SecretString::from("0123456789abcdef"));
    endpoint.connect_timeout = Duration::from_secs(5);
    Client::new(endpoint).unwrap().probe().await.unwrap_err()
}

#[tokio::test]
async fn only_trusted_certificates_of_the_right_host_are_spoken_to() {
    let server = TlsServer::start("localhost", &[]);
    let fault = server.probe(false).await;
    assert_eq!((fault.kind, fault.ambiguous), (FaultKind::Tls, false), "{fault}");
    assert!(fault.cause.is_some_and(|cause| cause.contains("certificate")));
    // With the private CA the handshake succeeds; what answers is no Odoo.
    let fault = server.probe(true).await;
    assert!(!matches!(fault.kind, FaultKind::Tls | FaultKind::Unreachable), "{fault}");
    let other = TlsServer::start("erp.example.com", &[]);
    let fault = other.probe(true).await;
    assert_eq!(fault.kind, FaultKind::Tls, "{fault}");
}

#[tokio::test]
async fn tls_before_1_2_is_refused() {
    let server = TlsServer::start("localhost", &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]);
    let fault = server.probe(true).await;
    assert_eq!((fault.kind, fault.class()), (FaultKind::Tls, Class::Pause), "{fault}");
}

#[test]
fn plain_http_never_leaves_the_host() {
    let endpoint =
        |url: &str| Endpoint::new(url, "db", "bot", SecretString::from("0123456789abcdef"));
    assert!(Client::new(endpoint("http://localhost:8069")).is_ok());
    assert!(matches!(Client::new(endpoint("http://10.0.0.1")), Err(EndpointError::PlainHttp)));
}

#[tokio::test]
async fn real_odoos_answer_as_the_client_expects() {
    for version in lab::versions("the client") {
        on_a_real_odoo(&Lab::new(version, "client")).await;
    }
}

async fn on_a_real_odoo(lab: &Lab) {
    let [url, database, login, key] =
        ["url", "database", "login", "api_key"].map(|name| lab.text(name));
    let [url, database, login] = [&*url, &*database, &*login];
    let client =
        Client::new(Endpoint::new(url, database, login, SecretString::from(key.clone()))).unwrap();
    let server = client.probe().await.unwrap();
    println!("{server:?}");
    let companies = Context::new(&server.company_ids);
    let name = |n: i64| json!(format!("spoold_lab.partner_{n}"));
    let rows = (0..3).map(|n| vec![name(n), json!(format!("Lab {n}"))]).collect();
    let reply = Writer::on(&client)
        .load("res.partner", &["id", "name"], rows, companies.clone().noupdate())
        .await;
    let Verdict::Loaded(ids) = reply.unwrap().verdict(3, &[]) else { panic!() };
    let names = client.get_external_id("res.partner", &ids, companies.clone()).await.unwrap();
    assert_eq!(names[&ids[2]], "spoold_lab.partner_2");
    let told = client.check_object_reference("spoold_lab", "partner_1", companies.clone()).await;
    assert_eq!(told.unwrap(), Some(("res.partner".into(), Some(ids[1]))));
    let none = client.check_object_reference("spoold_lab", "nobody", companies.clone()).await;
    assert_eq!(none.unwrap(), None);
    let found = client
        .search_read(
            "res.partner",
            json!([["id", "in", ids]]),
            &["name"],
            &Find { limit: Some(2), order: Some("id"), archived_too: true },
            companies.clone(),
        )
        .await
        .unwrap();
    assert_eq!(found.len(), 2);
    let cases = [
        ("sale.nothing", "read", FaultKind::MissingModel),
        ("res.partner", "action_dance", FaultKind::MissingMethod),
        ("res.partner", "_compute_x", FaultKind::AccessError),
    ];
    for (model, method, kind) in cases {
        let fault =
            Writer::on(&client).execute(model, method, &ids, companies.clone()).await.unwrap_err();
        println!("{model} {method}: {fault} / {:?}", fault.words.expose());
        assert_eq!(fault.kind, kind);
    }
    let unknown = client.read("res.partner", &ids, &["nope"], companies.clone()).await.unwrap_err();
    println!("{unknown} / {:?}", unknown.words.expose());
    assert_eq!(unknown.kind, FaultKind::InvalidValue);
    let column = Writer::on(&client).load(
        "res.partner",
        &["id", "nope"],
        vec![vec![name(9), json!(1)]],
        companies.clone(),
    );
    assert_eq!(column.await.unwrap_err().kind, FaultKind::InvalidValue);
    let orders = ["id", "partner_id/.id"];
    let bad = vec![
        vec![json!("spoold_lab.o1"), json!(ids[0])],
        vec![json!("spoold_lab.o2"), json!(9_999_999)],
    ];
    let reply = Writer::on(&client)
        .load("sale.order", &orders, bad, companies.clone().noupdate())
        .await
        .unwrap();
    println!("{:?}", reply.messages.iter().map(|m| m.message.expose()).collect::<Vec<_>>());
    let Verdict::Rejected(refused) = reply.verdict(2, &[]) else { panic!("{reply:?}") };
    assert_eq!(refused[0].record, 1);
    let rows = vec![vec![json!("spoold_lab.lang"), json!("Klingon"), json!("tlh")]];
    let denied = Writer::on(&client)
        .load("res.lang", &["id", "name", "code"], rows, companies.clone().noupdate())
        .await;
    let denied = denied.unwrap();
    println!("{:?}", denied.messages.iter().map(|m| m.message.expose()).collect::<Vec<_>>());
    assert!(matches!(denied.verdict(1, &[]), Verdict::Configuration { .. }), "{denied:?}");
    let same = Writer::on(&client).load(
        "res.partner",
        &["id", "name"],
        vec![vec![name(50), json!("x")]; 40],
        companies.clone().noupdate(),
    );
    let (a, b) = tokio::join!(same, async {
        let rows = (50..90).map(|n| vec![name(n), json!("y")]).collect();
        Writer::on(&client)
            .load("res.partner", &["id", "name"], rows, companies.clone().noupdate())
            .await
    });
    println!("{:?} {:?}", a.unwrap().verdict(40, &[]), b.unwrap().verdict(40, &[]));
    let wrong = Endpoint::new(url, "no_such_db", login, SecretString::from(key));
    let fault = Client::new(wrong).unwrap().probe().await.unwrap_err();
    println!("{fault}");
    let wrong = Endpoint::new(url, database, login, SecretString::from("0".repeat(40)));
    let fault = Client::new(wrong).unwrap().probe().await.unwrap_err();
    println!("{fault}");
    assert_eq!(fault.kind, FaultKind::AccessDenied);
}

/// HOUSE 1: a client alone changes nothing, whatever method somebody calls on it.
#[tokio::test]
async fn house_1_a_client_without_a_writer_only_reads() {
    for flavor in BOTH {
        let (fake, client) = connect(flavor);
        search(&client).await.unwrap();
        let partner = fake.insert("res.partner", json!({"name": "P"}));
        let order = fake.insert("sale.order", json!({"partner_id": partner}));
        fake.forget_calls();
        for method in ["write", "create", "unlink", "load", "action_confirm", "copy", "_write"] {
            let call = Call::new("sale.order", method, context()).on(std::slice::from_ref(&order));
            let refused = client.call(call).await.unwrap_err();
            assert_eq!(refused.kind, FaultKind::BadRequest, "{method}");
        }
        assert!(fake.calls().is_empty(), "{:?}", fake.calls());
        let writer = Writer::on(&client);
        writer.execute("sale.order", "action_confirm", &[order], context()).await.unwrap();
        assert_eq!(fake.calls().len(), 1);
    }
}
