//! Where the writing thread writes: journald, or lines on stderr.
//!
//! journald is written by `tracing-journald`'s layer, which blocks while journald does: that is
//! why it runs here and not where events happen. The layer gets each event a second time, made
//! from the same callsite's metadata (`FieldSet::value_set`, which tracing's own macros use), so
//! `CODE_FILE`, `CODE_LINE` and `TARGET` are those of the code that logged.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};

use super::record::Record;

/// What the journal knows us by.
const SYSLOG_IDENTIFIER: &str = "odoo-spoold";

/// Takes records, one after the other; may block.
pub(super) trait Sink: Send + 'static {
    /// Writes one record; a failure cannot be told to anyone.
    fn write(&mut self, record: &Record);
}

/// The journal, through its native socket.
pub(super) struct Journal(Dispatch);

/// Lines on stderr.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines {
    /// Begin with `<priority>`, for a journal that reads stderr, instead of time and level.
    pub(super) for_journal: bool,
}

/// A layer that answers no questions: everything given to it was wanted already.
struct Quiet<L>(L);

// === impl Journal ===

impl Journal {
    /// Fails if there is no journal.
    pub(super) fn new() -> io::Result<Self> {
        let layer = tracing_journald::layer()?
            .with_field_prefix(None)
            .with_syslog_identifier(SYSLOG_IDENTIFIER.to_owned())
            .with_priority_mappings(PriorityMappings {
                error: Priority::Error,
                warn: Priority::Warning,
                info: Priority::Informational,
                debug: Priority::Debug,
                trace: Priority::Debug,
            });
        Ok(Self(Dispatch::new(Registry::default().with(Quiet(layer)))))
    }
}

impl Sink for Journal {
    fn write(&mut self, record: &Record) {
        record.with_event(|event| self.0.event(event));
    }
}

impl<S, L> Layer<S> for Quiet<L>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    L: Layer<S>,
{
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::never()
    }

    fn enabled(&self, _: &Metadata<'_>, _: Context<'_, S>) -> bool {
        false
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::OFF)
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        self.0.on_event(event, context);
    }
}

// === impl Lines ===

impl Sink for Lines {
    fn write(&mut self, record: &Record) {
        let line = line(record, self.for_journal);
        // stderr may be closed: there is nobody left to tell.
        let _closed = io::stderr().lock().write_all(line.as_bytes());
    }
}

/// `time level message key=value…`; control characters are escaped, so one record is one line.
pub(super) fn line(record: &Record, for_journal: bool) -> String {
    let mut text = String::with_capacity(160);
    let (priority, word) = match *record.metadata.level() {
        Level::ERROR => (3, "ERROR"),
        Level::WARN => (4, "WARN "),
        Level::INFO => (6, "INFO "),
        Level::DEBUG => (7, "DEBUG"),
        Level::TRACE => (7, "TRACE"),
    };
    // Writing into a string cannot fail.
    let _infallible = if for_journal {
        write!(text, "<{priority}>")
    } else {
        write!(text, "{:.3} {word} ", record.at)
    };
    let named = |name: &str| record.values.iter().find(|(field, _)| field.name() == name);
    if let Some((_, message)) = named("message") {
        push_plain(&mut text, &message.to_string());
    }
    for (field, value) in &record.values {
        let name = field.name();
        // What a code means is for journalctl's catalog; here it would bury the message.
        let meaning = matches!(name, "error_cause" | "error_effect" | "error_next");
        if name == "message" || name == "message_id" || name.starts_with("log.") || meaning {
            continue;
        }
        text.push(' ');
        text.push_str(name);
        text.push('=');
        let value = value.to_string();
        if value.is_empty() || value.contains([' ', '"', '=']) {
            push_plain(&mut text, &format!("{value:?}"));
        } else {
            push_plain(&mut text, &value);
        }
    }
    text.push('\n');
    text
}

fn push_plain(text: &mut String, value: &str) {
    for c in value.chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
}
