//! A writer that hangs costs records, never time; what it costs is counted and told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracing::{Dispatch, Level};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::Registry;

use crate::clock::{Clock as _, System};
use crate::model::{AccountId, FileId};

use super::events;
use super::queue::{self, Control};
use super::record::{Owned, Record};
use super::sink::Sink;

/// Each record takes one permit; without permits it hangs.
struct Gated {
    permits: Receiver<()>,
    open: Arc<AtomicBool>,
    written: Arc<Mutex<Vec<Record>>>,
}

impl Sink for Gated {
    fn write(&mut self, record: &Record) {
        if !self.open.load(Ordering::SeqCst) {
            self.permits.recv().ok();
        }
        let copy =
            Record { metadata: record.metadata, at: record.at, values: record.values.clone() };
        self.written.lock().unwrap().push(copy);
    }
}

struct Bench {
    dispatch: Dispatch,
    control: Control,
    permit: Sender<()>,
    open: Arc<AtomicBool>,
    written: Arc<Mutex<Vec<Record>>>,
}

fn bench(level: Level, capacity: usize) -> Bench {
    let (permit, permits) = mpsc::channel();
    let open = Arc::new(AtomicBool::new(false));
    let written = Arc::default();
    let sink = Gated { permits, open: Arc::clone(&open), written: Arc::clone(&written) };
    let (front, control) = queue::start(level, capacity, sink).unwrap();
    let dispatch = Dispatch::new(Registry::default().with(front));
    Bench { dispatch, control, permit, open, written }
}

impl Bench {
    fn go_on(&self) {
        self.open.store(true, Ordering::SeqCst);
        self.permit.send(()).ok();
        assert!(self.control.flush(Duration::from_secs(20)));
    }

    fn messages(&self) -> Vec<String> {
        self.written.lock().unwrap().iter().map(|record| value(record, "message")).collect()
    }
}

fn value(record: &Record, name: &str) -> String {
    let found = record.values.iter().find(|(field, _)| field.name() == name);
    found.map(|(_, value)| value.to_string()).unwrap_or_default()
}

fn ids() -> (AccountId, FileId) {
    ("eu".parse().unwrap(), "F0123456789".parse().unwrap())
}

#[test]
fn a_hanging_journal_blocks_nobody_and_drops_are_told() {
    let bench = bench(Level::INFO, 8);
    let (account, file) = ids();
    let began = Instant::now();
    tracing::dispatcher::with_default(&bench.dispatch, || {
        for bytes in 0..1000 {
            events::file_claimed(&account, &file, bytes);
        }
    });
    // One is with the writer, eight wait (or the writer has not taken its one yet).
    let dropped = bench.control.dropped();
    assert!((991..=992).contains(&dropped), "{dropped}");
    assert!(began.elapsed() < Duration::from_secs(10), "logging waited for the writer");
    assert!(!bench.control.flush(Duration::from_millis(20)), "nothing can be flushed yet");

    bench.go_on();
    let messages = bench.messages();
    assert_eq!(messages[0], "file F0123456789 claimed (0 bytes)");
    let told = messages.iter().position(|m| m.contains("log records were dropped")).unwrap();
    assert_eq!(u64::try_from(told).unwrap() + dropped, 1000);
    assert!(messages[told].starts_with(&dropped.to_string()));
    assert_eq!(messages.iter().filter(|m| m.contains("dropped")).count(), 1);
    let written = bench.written.lock().unwrap();
    assert_eq!(value(&written[told], "message_id"), events::LOG_DROPPED.message_id);
    assert_eq!(value(&written[told], "records"), dropped.to_string());
}

#[test]
fn nothing_is_told_when_nothing_was_dropped() {
    let bench = bench(Level::INFO, 8);
    let (account, file) = ids();
    tracing::dispatcher::with_default(&bench.dispatch, || events::file_claimed(&account, &file, 7));
    bench.go_on();
    assert_eq!(bench.messages(), ["file F0123456789 claimed (7 bytes)"]);
    assert_eq!(bench.control.dropped(), 0);
}

#[test]
fn others_are_heard_from_warn_on_and_the_level_can_change() {
    let bench = bench(Level::INFO, 64);
    bench.open.store(true, Ordering::SeqCst);
    let say = |n: u32| {
        tracing::debug!("our debug {n}");
        tracing::info!(target: "hyper", "their info {n}");
        tracing::warn!(target: "hyper", "their warning {n}");
        tracing::error!("our error {n}");
    };
    tracing::dispatcher::with_default(&bench.dispatch, || {
        say(1);
        bench.control.set_level(Level::DEBUG);
        say(2);
        bench.control.set_level(Level::ERROR);
        say(3);
    });
    bench.go_on();
    assert_eq!(
        bench.messages(),
        [
            "their warning 1",
            "our error 1",
            "our debug 2",
            "their warning 2",
            "our error 2",
            "our error 3"
        ]
    );
}

/// What journald's layer is given on the writing thread is what was logged.
#[test]
fn an_event_made_again_is_the_same() {
    #[derive(Clone, Default)]
    struct Again(Arc<Mutex<Vec<Record>>>);
    impl<S: tracing::Subscriber> Layer<S> for Again {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(Record::new(event, System.now()));
        }
    }
    let bench = bench(Level::INFO, 8);
    tracing::dispatcher::with_default(&bench.dispatch, || {
        tracing::info!(
            text = "a\nb",
            shown = %12,
            debug = ?Some("x"),
            signed = -3,
            unsigned = 4_u64,
            yes = true,
            missing = Option::<u64>::None,
            "said {}",
            5
        );
    });
    bench.go_on();
    let written = bench.written.lock().unwrap();
    let again = Again::default();
    let dispatch = Dispatch::new(Registry::default().with(again.clone()));
    written[0].with_event(|event| dispatch.event(event));
    let again = again.0.lock().unwrap();
    assert_eq!(again[0].values, written[0].values);
    assert_eq!(again[0].metadata.line(), written[0].metadata.line());
    let values: Vec<_> = again[0].values.iter().map(|(f, v)| (f.name(), v.clone())).collect();
    let text = |text: &str| Owned::Text(text.to_owned());
    assert_eq!(
        values,
        [
            ("message", text("said 5")),
            ("text", text("a\nb")),
            ("shown", text("12")),
            ("debug", text("Some(\"x\")")),
            ("signed", Owned::Signed(-3)),
            ("unsigned", Owned::Unsigned(4)),
            ("yes", Owned::Bool(true)),
        ]
    );
}

#[test]
fn a_line_is_one_line() {
    let bench = bench(Level::INFO, 8);
    let (account, file) = ids();
    tracing::dispatcher::with_default(&bench.dispatch, || {
        events::file_claimed(&account, &file, 7);
        tracing::error!(what = "a \"b\"\n<3>forged", "x\ny\u{1b}[31m");
    });
    bench.go_on();
    let written = bench.written.lock().unwrap();
    let lines = [
        super::sink::line(&written[0], true),
        super::sink::line(&written[1], true),
        super::sink::line(&written[0], false),
    ];
    assert_eq!(
        lines[0],
        "<6>file F0123456789 claimed (7 bytes) account=eu file_id=F0123456789 bytes=7\n"
    );
    assert_eq!(lines[1], "<3>x\\ny\\u{1b}[31m what=\"a \\\"b\\\"\\n<3>forged\"\n");
    assert!(lines[2].contains("Z INFO  file F0123456789 claimed"), "{}", lines[2]);
    assert!(!lines.concat().contains(events::FILE_CLAIMED.message_id));
}
