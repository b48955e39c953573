//! An Odoo made of one HTTP port and a few tables: it exists to misbehave on command.
//!
//! Speaks JSON-RPC (as 14, 16, 17, 18 and 19) and JSON-2 (19), one request per connection as Odoo does
//! with workers. What real Odoo does is proven on the real ones; here only what the daemon needs
//! to run, plus every way in which a network, a proxy or a server can fail. Runs on threads of its
//! own, so a test may be blocking or async.

mod lost;
mod table;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use odoo_spoold::odoo::Endpoint;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use lost::FirstAnswers;
pub use table::{Flavor, Tables};
use table::{Raise, Refusal};

pub type Record = Map<String, Value>;

pub const DATABASE: &str = "fake";
pub const LOGIN: &str = "bot";
pub const API_KEY: &str = "0123456789abcdef0123456789abcdef01234567";
/// Our user's id.
pub const UID: i64 = 5;

/// What happens instead of (or after) the call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Done and committed, then the connection closes without an answer.
    ApplyThenDropConnection,
    /// The connection closes; nothing is done.
    DropBefore,
    /// Done and committed, then nothing, until the client gives up.
    ApplyThenSilence,
    /// Done and committed, then a bare HTTP 500 page.
    Http500AfterCommit,
    /// Done and committed; half of the answer arrives.
    HalfAnswer,
    /// Odoo 19's page for a database that is down or missing.
    Html404,
    /// A proxy's page: status and body.
    Page(u16, String),
    /// The key is refused.
    AccessDenied,
    /// An exception: class name, JSON-2 status, text.
    Raise(String, u16, String),
    /// `load()` lost a race: HTTP 200, nothing stored.
    SerializationInLoad,
    /// The same text for every record of a `load()`.
    EveryRecord(String),
    /// 429 with Retry-After.
    RateLimit(u64),
    /// Waits, then does the call and answers.
    Hang(Duration),
    /// Does the call at once, then waits before answering.
    HangAfterCommit(Duration),
}

/// A call that arrived.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub model: String,
    pub method: String,
    pub ids: Vec<i64>,
    pub args: Record,
    pub context: Record,
    pub dialect: &'static str,
    pub at: Instant,
}

pub struct FakeOdoo {
    shared: Arc<Shared>,
    port: u16,
}

struct Shared {
    state: Mutex<State>,
    running: AtomicBool,
    stopped: AtomicBool,
    /// Calls inside the server now, and the most there ever were.
    inside: AtomicUsize,
    most: AtomicUsize,
}

struct State {
    tables: Tables,
    calls: Vec<Recorded>,
    script: VecDeque<(String, String, Fault)>,
    lost: FirstAnswers,
    latency: Duration,
    /// `/json/2` is not there although this is 19.
    json2_hidden: bool,
    database_missing: bool,
}

// === impl FakeOdoo ===

impl FakeOdoo {
    /// Starts on a free port of 127.0.0.1, with a user, a company, euro, a pricelist and a partner.
    pub fn start_new(flavor: Flavor) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State {
            tables: Tables::new(flavor),
            calls: Vec::new(),
            script: VecDeque::new(),
            lost: FirstAnswers::default(),
            latency: Duration::ZERO,
            json2_hidden: false,
            database_missing: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            running: AtomicBool::new(true),
            stopped: AtomicBool::new(false),
            inside: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        serve(Arc::clone(&shared), listener);
        Self { shared, port }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// An endpoint that fits, with short timeouts.
    pub fn endpoint(&self) -> Endpoint {
        let mut endpoint = Endpoint::new(self.url(), DATABASE, LOGIN, SecretString::from(API_KEY));
        endpoint.connect_timeout = Duration::from_secs(2);
        endpoint
    }

    /// The tables, to prepare or to look at.
    pub fn tables<T>(&self, with: impl FnOnce(&mut Tables) -> T) -> T {
        with(&mut self.state().tables)
    }

    /// Puts a record in; its id.
    pub fn insert(&self, model: &str, values: Value) -> i64 {
        let Value::Object(values) = values else { panic!("a record is an object") };
        self.state().tables.create(model, &values).expect("a record that fits")
    }

    /// All records of a model, as `read` would give them.
    pub fn records(&self, model: &str) -> Vec<Record> {
        let tables = &self.state().tables;
        let ids = tables.all_ids(model);
        tables.read(model, &ids, &[], true).unwrap()
    }

    /// External id → (model, id).
    pub fn external_id(&self, name: &str) -> Option<(String, i64)> {
        self.state().tables.external_id(name)
    }

    /// Everything that was called since the start or [`Self::forget_calls`], but the daily look at
    /// when the API key ends.
    pub fn calls(&self) -> Vec<Recorded> {
        let mut calls = self.state().calls.clone();
        calls.retain(|call| call.model != "res.users.apikeys");
        calls
    }

    pub fn calls_of(&self, model: &str, method: &str) -> Vec<Recorded> {
        let mut calls = self.state().calls.clone();
        calls.retain(|call| call.model == model && call.method == method);
        calls
    }

    pub fn forget_calls(&self) {
        self.state().calls.clear();
    }

    /// Writes: calls that are not known to only read.
    pub fn write_calls(&self) -> Vec<Recorded> {
        let mut calls = self.calls();
        calls.retain(|call| lost::writes(&call.method));
        calls
    }

    /// The first answer to each kind of write meets this fault, once.
    pub fn lose_first_answers(&self, fault: Fault) {
        self.state().lost.begin(fault);
    }

    /// How many such answers were lost.
    pub fn answers_lost(&self) -> usize {
        self.state().lost.count()
    }

    /// The next call of `model.method` (`*` matches any) meets this fault, once.
    pub fn fail_next(&self, model: &str, method: &str, fault: Fault) {
        self.state().script.push_back((model.to_owned(), method.to_owned(), fault));
    }

    /// The next `times` calls.
    pub fn fail_times(&self, times: usize, model: &str, method: &str, fault: &Fault) {
        for _ in 0..times {
            self.fail_next(model, method, fault.clone());
        }
    }

    /// Faults not yet met.
    pub fn faults_left(&self) -> usize {
        self.state().script.len()
    }

    pub fn heal(&self) {
        self.state().script.clear();
    }

    /// From now on records of `model` whose `field` holds `value` are refused with `text`.
    pub fn refuse(&self, model: &str, field: &str, value: Value, text: &str) {
        self.state().tables.refusals.push(Refusal {
            model: model.to_owned(),
            field: field.to_owned(),
            value,
            text: text.to_owned(),
        });
    }

    /// From now on `load()` of `model` must bring `field`; of records with a value only, if given.
    pub fn require(&self, model: &str, field: &str, when: Option<(&str, Value)>) {
        self.state().tables.required.push(table::Required {
            model: model.to_owned(),
            field: field.to_owned(),
            when: when.map(|(field, value)| (field.to_owned(), value)),
        });
    }

    /// Ends all refusals and requirements.
    pub fn refuse_nothing(&self) {
        self.state().tables.refusals.clear();
        self.state().tables.required.clear();
    }

    /// Every call takes so long.
    pub fn set_latency(&self, latency: Duration) {
        self.state().latency = latency;
    }

    pub fn hide_json2(&self) {
        self.state().json2_hidden = true;
    }

    pub fn set_database_missing(&self, missing: bool) {
        self.state().database_missing = missing;
    }

    /// The key that is accepted.
    pub fn set_key(&self, key: &str) {
        self.state().tables.set_key(key);
    }

    /// Most calls that ever were inside at once.
    pub fn most_at_once(&self) -> usize {
        self.shared.most.load(Ordering::SeqCst)
    }

    /// Whether no call is inside the server.
    pub fn is_idle(&self) -> bool {
        self.shared.inside.load(Ordering::SeqCst) == 0
    }

    /// Connections are refused from now on.
    pub fn stop(&self) {
        self.shared.running.store(false, Ordering::SeqCst);
        // Wakes accept().
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        wait_for(|| self.shared.stopped.load(Ordering::SeqCst));
    }

    /// Listens again on the same port; the tables are what they were.
    pub fn start(&self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        self.shared.stopped.store(false, Ordering::SeqCst);
        self.shared.running.store(true, Ordering::SeqCst);
        serve(Arc::clone(&self.shared), listener);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }
}

impl Drop for FakeOdoo {
    fn drop(&mut self) {
        if !self.shared.stopped.load(Ordering::SeqCst) {
            self.stop();
        }
    }
}

fn wait_for(done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(5);
    while !done() {
        assert!(Instant::now() < end, "the fake Odoo does not stop");
        std::thread::sleep(Duration::from_millis(1));
    }
}

// === the server ===

fn serve(shared: Arc<Shared>, listener: TcpListener) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if !shared.running.load(Ordering::SeqCst) {
                break;
            }
            let Ok(stream) = stream else { continue };
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                let now = shared.inside.fetch_add(1, Ordering::SeqCst) + 1;
                shared.most.fetch_max(now, Ordering::SeqCst);
                answer(&shared, stream);
                shared.inside.fetch_sub(1, Ordering::SeqCst);
            });
        }
        drop(listener);
        shared.stopped.store(true, Ordering::SeqCst);
    });
}

struct Request {
    verb: String,
    path: String,
    bearer: String,
    database: String,
    body: Vec<u8>,
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (verb, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut request =
        Request { verb, path, bearer: String::new(), database: String::new(), body: Vec::new() };
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => value.trim_start_matches("bearer ").clone_into(&mut request.bearer),
            "x-odoo-database" => value.clone_into(&mut request.database),
            _ => {}
        }
    }
    request.body.resize(length, 0);
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

/// What goes back over the wire.
struct Reply {
    status: u16,
    kind: &'static str,
    body: Vec<u8>,
    more: String,
    /// Bytes of the body that really go out.
    cut: Option<usize>,
    /// Nothing goes out at all.
    silent: bool,
}

impl Reply {
    fn json(status: u16, body: &Value) -> Self {
        let body = body.to_string().into_bytes();
        Self {
            status,
            kind: "application/json",
            body,
            more: String::new(),
            cut: None,
            silent: false,
        }
    }

    fn page(status: u16, body: &str) -> Self {
        Self {
            status,
            kind: "text/html",
            body: body.into(),
            more: String::new(),
            cut: None,
            silent: false,
        }
    }

    fn send(self, mut stream: &TcpStream, date: Option<&str>) {
        if self.silent {
            // Until the client hangs up.
            let _patience = stream.set_read_timeout(Some(Duration::from_mins(1)));
            let _gone = stream.read(&mut [0]);
            return;
        }
        let date = date.map_or_else(String::new, |date| format!("Date: {date}\r\n"));
        let head = format!(
            "HTTP/1.1 {} X\r\nServer: Werkzeug\r\n{date}Content-Type: {}\r\n\
             Content-Length: {}\r\nConnection: close\r\n{}\r\n",
            self.status,
            self.kind,
            self.body.len(),
            self.more
        );
        let body = &self.body[..self.cut.unwrap_or(self.body.len())];
        let _gone = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    }
}

fn answer(shared: &Shared, stream: TcpStream) {
    let Some(request) = read_request(&stream) else { return };
    let (latency, date) = {
        let state = shared.state.lock().unwrap();
        (state.latency, state.tables.http_date())
    };
    std::thread::sleep(latency);
    if let Some(reply) = route(shared, &request) {
        reply.send(&stream, date.as_deref());
    }
    drop(stream);
}

const NO_DATABASE: &str = "<!doctype html><title>404 Not Found</title><p>No database is selected \
     and the requested URL was not found in the server-wide controllers.</p>";

/// `None` drops the connection.
fn route(shared: &Shared, request: &Request) -> Option<Reply> {
    let (flavor, hidden) = {
        let state = shared.state.lock().unwrap();
        (state.tables.flavor, state.json2_hidden)
    };
    let modern = flavor == Flavor::V19;
    let path = request.path.as_str();
    if path == "/json/version" && request.verb == "GET" && modern {
        return Some(Reply::json(
            200,
            &json!({"version_info": [19, 0, 0, "final", 0, ""], "version": "19.0"}),
        ));
    }
    if path == "/jsonrpc" && request.verb == "POST" {
        return json_rpc(shared, request);
    }
    match path.strip_prefix("/json/2/").and_then(|rest| rest.split_once('/')) {
        Some((model, method)) if modern && !hidden && request.verb == "POST" => {
            json_2(shared, request, model, method)
        }
        _ => Some(Reply::page(404, "<title>404 Not Found</title>")),
    }
}

fn json_rpc(shared: &Shared, request: &Request) -> Option<Reply> {
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
        return Some(Reply::page(400, "Invalid JSON data"));
    };
    let args = &body["params"]["args"];
    let wrap = |result: Result<Value, Raise>| {
        let mut answer = json!({"jsonrpc": "2.0", "id": body["id"]});
        match result {
            Ok(Value::Null) => {}
            Ok(value) => answer["result"] = value,
            Err(raise) => {
                answer["error"] =
                    json!({"code": 0, "message": "Odoo Server Error", "data": raise.json()});
            }
        }
        Reply::json(200, &answer)
    };
    let opens = |key: &Value| {
        key.as_str().is_some_and(|key| shared.state.lock().unwrap().tables.opens(key))
    };
    let (missing, flavor) = {
        let state = shared.state.lock().unwrap();
        (state.database_missing, state.tables.flavor)
    };
    match (body["params"]["service"].as_str()?, body["params"]["method"].as_str()?) {
        ("common", "version") => {
            let version = match flavor {
                Flavor::V14 => "14.0-20231106",
                Flavor::V16 => "16.0-20231208",
                Flavor::V17 => "17.0-20240709",
                Flavor::V18 => "18.0-20250506",
                Flavor::V19 => "19.0",
            };
            return Some(wrap(Ok(json!({"server_version": version, "protocol_version": 1}))));
        }
        _ if missing || args[0] != DATABASE => {
            let name = args[0].as_str().unwrap_or_default();
            let text = format!("connection failed: FATAL:  database \"{name}\" does not exist\n");
            return Some(wrap(Err(Raise::new("psycopg2.OperationalError", 500, &text))));
        }
        ("common", "authenticate") => {
            let known = args[1] == LOGIN && opens(&args[2]);
            return Some(wrap(Ok(if known { json!(UID) } else { json!(false) })));
        }
        ("object", "execute_kw") => {}
        _ => return Some(Reply::page(400, "?")),
    }
    if args[1] != UID || !opens(&args[2]) {
        return Some(wrap(Err(Raise::new("odoo.exceptions.AccessDenied", 403, "Access Denied"))));
    }
    let (model, method) = (args[3].as_str()?, args[4].as_str()?);
    let mut named = args[6].as_object().cloned().unwrap_or_default();
    let mut positional: VecDeque<Value> = args[5].as_array()?.iter().cloned().collect();
    let takes_ids = !table::is_model_method(method);
    let ids = if takes_ids { positional.pop_front() } else { None };
    for (name, value) in table::signature(method).iter().zip(positional) {
        named.insert((*name).to_owned(), value);
    }
    meet(shared, model, method, ids.as_ref(), named, "jsonrpc", &wrap)
}

fn json_2(shared: &Shared, request: &Request, model: &str, method: &str) -> Option<Reply> {
    let wrap = |result: Result<Value, Raise>| match result {
        Ok(value) => Reply::json(200, &value),
        // JSON-2 looks for model and method itself.
        Err(raise) if raise.text == format!("Object {model} doesn't exist") => {
            let text = format!("the model '{model}' does not exist");
            Reply::json(404, &Raise::new("werkzeug.exceptions.NotFound", 404, &text).json())
        }
        Err(raise) if raise.name == "builtins.AttributeError" => {
            let name = "werkzeug.exceptions.NotFound";
            Reply::json(404, &Raise { name: name.to_owned(), ..raise }.json())
        }
        Err(raise) => Reply::json(raise.status, &raise.json()),
    };
    let (opens, missing) = {
        let state = shared.state.lock().unwrap();
        (state.tables.opens(&request.bearer), state.database_missing)
    };
    if missing || request.database != DATABASE {
        return Some(Reply::page(404, NO_DATABASE));
    }
    if !opens {
        let denied = Raise::new("werkzeug.exceptions.Unauthorized", 401, "Invalid apikey");
        return Some(wrap(Err(denied)));
    }
    let Ok(Value::Object(mut named)) = serde_json::from_slice(&request.body) else {
        return Some(wrap(Err(Raise::new("werkzeug.exceptions.BadRequest", 400, "body"))));
    };
    let ids = named.remove("ids");
    if ids.is_some() && table::is_model_method(method) {
        let text = format!("cannot call {model}.{method} with ids");
        return Some(wrap(Err(Raise::new("werkzeug.exceptions.UnprocessableEntity", 422, &text))));
    }
    meet(shared, model, method, ids.as_ref(), named, "json2", &wrap)
}

/// Records the call, meets the next fault for it, does it.
fn meet(
    shared: &Shared,
    model: &str,
    method: &str,
    ids: Option<&Value>,
    mut args: Record,
    dialect: &'static str,
    wrap: &dyn Fn(Result<Value, Raise>) -> Reply,
) -> Option<Reply> {
    let context = match args.remove("context") {
        Some(Value::Object(context)) => context,
        _ => Record::new(),
    };
    let ids: Vec<i64> = match ids {
        Some(Value::Array(ids)) => ids.iter().filter_map(Value::as_i64).collect(),
        Some(Value::Number(id)) => id.as_i64().into_iter().collect(),
        _ => Vec::new(),
    };
    let fault = {
        let mut state = shared.state.lock().unwrap();
        state.calls.push(Recorded {
            model: model.to_owned(),
            method: method.to_owned(),
            ids: ids.clone(),
            args: args.clone(),
            context: context.clone(),
            dialect,
            at: Instant::now(),
        });
        let fits = |(m, f, _): &(String, String, Fault)| {
            (m == "*" || m == model) && (f == "*" || f == method)
        };
        let place = state.script.iter().position(fits);
        let scripted = place.and_then(|place| state.script.remove(place));
        scripted.map(|(_, _, fault)| fault).or_else(|| state.lost.meet(model, method, &args))
    };
    let apply = || shared.state.lock().unwrap().tables.call(model, method, &ids, &args, &context);
    let lost = "could not serialize access due to concurrent update\n";
    match fault {
        None => Some(wrap(apply())),
        Some(Fault::ApplyThenDropConnection) => {
            let _done = apply();
            None
        }
        Some(Fault::ApplyThenSilence) => {
            let _done = apply();
            Some(Reply { silent: true, ..Reply::page(200, "") })
        }
        Some(Fault::DropBefore) => None,
        Some(Fault::Http500AfterCommit) => {
            let _done = apply();
            Some(Reply::page(500, "<title>Internal Server Error</title>"))
        }
        Some(Fault::HalfAnswer) => {
            let whole = wrap(apply());
            let half = whole.body.len() / 2;
            Some(Reply { cut: Some(half), ..whole })
        }
        Some(Fault::Html404) => Some(Reply::page(404, NO_DATABASE)),
        Some(Fault::Page(status, body)) => Some(Reply::page(status, &body)),
        Some(Fault::AccessDenied) => Some(wrap(Err(if dialect == "json2" {
            Raise::new("werkzeug.exceptions.Unauthorized", 401, "Invalid apikey")
        } else {
            Raise::new("odoo.exceptions.AccessDenied", 403, "Access Denied")
        }))),
        Some(Fault::Raise(name, status, text)) => Some(wrap(Err(Raise::new(&name, status, &text)))),
        Some(Fault::SerializationInLoad) => Some(wrap(Ok(table::refused(&[(0, lost.to_owned())])))),
        Some(Fault::EveryRecord(text)) => {
            let records = args.get("data").and_then(Value::as_array).map_or(0, Vec::len);
            let all: Vec<_> = (0..records.min(10)).map(|record| (record, text.clone())).collect();
            Some(wrap(Ok(table::refused(&all))))
        }
        Some(Fault::RateLimit(seconds)) => {
            let more = format!("Retry-After: {seconds}\r\n");
            Some(Reply { more, ..Reply::page(429, "slow down") })
        }
        Some(Fault::Hang(time)) => {
            std::thread::sleep(time);
            Some(wrap(apply()))
        }
        Some(Fault::HangAfterCommit(time)) => {
            let done = apply();
            std::thread::sleep(time);
            Some(wrap(done))
        }
    }
}
