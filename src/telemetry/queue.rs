//! From any thread to the writing thread: a bounded queue that never blocks.
//!
//! Promises: logging costs a copy and a `try_send`; a journal that hangs costs records, which are
//! counted and told once it takes records again. Order is kept. Does not write.
//!
//! The global subscriber is [`Front`]. Only our own code is heard below WARN: other crates' debug
//! records may quote what they carry.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::Registry;

use crate::clock::{Clock as _, System};

use super::events;
use super::record::Record;
use super::sink::Sink;

/// Records that may wait for the writer. A burst of a thousand transitions fits.
pub(super) const QUEUE_RECORDS: usize = 4096;
/// How often a flush looks again whether the queue takes its mark.
const FLUSH_STEP: Duration = Duration::from_millis(5);

/// What the writing thread is told.
pub(super) enum Message {
    Record(Box<Record>),
    /// Answer when everything before this is written.
    Flush(SyncSender<()>),
    /// End.
    Stop,
}

/// What both ends share.
#[derive(Debug)]
pub(super) struct Shared {
    level: AtomicU8,
    /// Dropped and not told yet.
    untold: AtomicU64,
    /// Dropped since the start.
    dropped: AtomicU64,
}

/// The near end: a layer that puts events into the queue.
pub(super) struct Front {
    sender: SyncSender<Message>,
    shared: Arc<Shared>,
}

/// The near end's handle.
#[derive(Debug, Clone)]
pub(super) struct Control {
    sender: SyncSender<Message>,
    shared: Arc<Shared>,
}

/// A queue of `capacity` records and the thread that writes them to `sink`.
pub(super) fn start(
    level: Level,
    capacity: usize,
    sink: impl Sink,
) -> std::io::Result<(Front, Control)> {
    let (sender, receiver) = mpsc::sync_channel(capacity);
    let shared = Arc::new(Shared {
        level: AtomicU8::new(rank(level)),
        untold: AtomicU64::new(0),
        dropped: AtomicU64::new(0),
    });
    let theirs = Arc::clone(&shared);
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_all(&receiver, &theirs, sink))?;
    let control = Control { sender: sender.clone(), shared: Arc::clone(&shared) };
    Ok((Front { sender, shared }, control))
}

/// The writing thread.
fn write_all(receiver: &Receiver<Message>, shared: &Shared, mut sink: impl Sink) {
    loop {
        let message = match receiver.try_recv() {
            Ok(message) => message,
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {
                // Drained: what was dropped meanwhile comes after what was kept.
                tell_dropped(shared, &mut sink);
                match receiver.recv() {
                    Ok(message) => message,
                    Err(mpsc::RecvError) => return,
                }
            }
        };
        match message {
            Message::Record(record) => sink.write(&record),
            Message::Flush(done) => {
                tell_dropped(shared, &mut sink);
                // Whoever asked may have stopped waiting.
                let _gone = done.try_send(());
            }
            Message::Stop => return,
        }
    }
}

fn tell_dropped(shared: &Shared, sink: &mut impl Sink) {
    let dropped = shared.untold.swap(0, Ordering::Relaxed);
    if dropped == 0 {
        return;
    }
    // Logged here and nowhere else, so past the queue: it may be filling again.
    let capture = Capture::default();
    let dispatch = Dispatch::new(Registry::default().with(capture.clone()));
    tracing::dispatcher::with_default(&dispatch, || events::log_dropped(dropped));
    let record = capture.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(record) = record {
        sink.write(&record);
    }
}

/// Catches the one event that the writing thread itself has to tell.
#[derive(Debug, Clone, Default)]
struct Capture(Arc<Mutex<Option<Record>>>);

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let record = Record::new(event, System.now());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
    }
}

// === impl Front ===

impl<S: Subscriber> Layer<S> for Front {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.shared.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.shared.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.shared.level())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let record = Box::new(Record::new(event, System.now()));
        if let Err(TrySendError::Full(_)) = self.sender.try_send(Message::Record(record)) {
            self.shared.untold.fetch_add(1, Ordering::Relaxed);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

// === impl Control ===

impl Control {
    pub(super) fn set_level(&self, level: Level) {
        self.shared.level.store(rank(level), Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }

    pub(super) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Waits until all that was logged before is written; false if that took longer than `limit`.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let began = Instant::now();
        let (done, written) = mpsc::sync_channel(1);
        let mut mark = Message::Flush(done);
        loop {
            match self.sender.try_send(mark) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(back)) => mark = back,
            }
            if began.elapsed() >= limit {
                return false;
            }
            thread::sleep(FLUSH_STEP);
        }
        match written.recv_timeout(limit.saturating_sub(began.elapsed())) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }

    /// Ends the writing thread once it has written what waits. Does not wait for it.
    pub(super) fn stop(&self) {
        // A full queue means a hanging writer: the process ends without it.
        let _hangs = self.sender.try_send(Message::Stop);
    }
}

// === impl Shared ===

impl Shared {
    fn level(&self) -> LevelFilter {
        match self.level.load(Ordering::Relaxed) {
            0 => LevelFilter::ERROR,
            1 => LevelFilter::WARN,
            2 => LevelFilter::INFO,
            3 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        }
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with("odoo_spoold");
        let level = if ours { self.level() } else { self.level().min(LevelFilter::WARN) };
        metadata.is_event() && *metadata.level() <= level
    }
}

fn rank(level: Level) -> u8 {
    match level {
        Level::ERROR => 0,
        Level::WARN => 1,
        Level::INFO => 2,
        Level::DEBUG => 3,
        Level::TRACE => 4,
    }
}
