//! One event, owned, on its way from the thread that logged it to the thread that writes it.
//!
//! Keeps the callsite's metadata (level, target, file, line) and the event's own fields, each cut
//! at [`MAX_VALUE_BYTES`]. Does not carry spans: every event says everything itself.

use std::fmt;

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Value};

/// Longest value kept of one field, in bytes: bounds the queue's memory.
pub(super) const MAX_VALUE_BYTES: usize = 4096;
/// Most fields kept of one event. Ours have at most a dozen.
pub(super) const MAX_FIELDS: usize = 24;

/// An event with values of its own.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) metadata: &'static Metadata<'static>,
    pub(super) at: Timestamp,
    pub(super) values: Vec<(Field, Owned)>,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owned {
    Text(String),
    Signed(i64),
    Unsigned(u64),
    Bool(bool),
}

/// Takes the fields of an event.
struct Taker(Vec<(Field, Owned)>);

impl Record {
    pub(super) fn new(event: &Event<'_>, at: Timestamp) -> Self {
        let mut taker = Taker(Vec::new());
        event.record(&mut taker);
        Self { metadata: event.metadata(), at, values: taker.0 }
    }

    /// The event again, for a subscriber on the writing thread.
    pub(super) fn with_event(&self, give: impl FnOnce(&Event<'_>)) {
        let Some((first, _)) = self.values.first() else { return };
        let mut values: [(&Field, Option<&dyn Value>); MAX_FIELDS] = [(first, None); MAX_FIELDS];
        for (slot, (field, value)) in values.iter_mut().zip(&self.values) {
            *slot = (field, Some(value.as_value()));
        }
        give(&Event::new(self.metadata, &self.metadata.fields().value_set(&values)));
    }
}

impl Owned {
    fn as_value(&self) -> &dyn Value {
        match self {
            Self::Text(text) => text,
            Self::Signed(number) => number,
            Self::Unsigned(number) => number,
            Self::Bool(flag) => flag,
        }
    }
}

impl fmt::Display for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Signed(number) => number.fmt(f),
            Self::Unsigned(number) => number.fmt(f),
            Self::Bool(flag) => flag.fmt(f),
        }
    }
}

impl Taker {
    fn put(&mut self, field: &Field, value: Owned) {
        if self.0.len() < MAX_FIELDS {
            self.0.push((field.clone(), value));
        }
    }
}

impl Visit for Taker {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Owned::Signed(value));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Owned::Unsigned(value));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Owned::Bool(value));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Owned::Text(cut(value).to_owned()));
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Bounded(String::new());
        // An error here only means that the bound was reached.
        let _full = fmt::write(&mut text, format_args!("{value:?}"));
        self.put(field, Owned::Text(text.0));
    }
}

/// A text that stops growing at the bound.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = MAX_VALUE_BYTES.saturating_sub(self.0.len());
        let part = cut_at(more, room);
        self.0.push_str(part);
        if part.len() < more.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

fn cut(text: &str) -> &str {
    cut_at(text, MAX_VALUE_BYTES)
}

/// At most `room` bytes of `text`, not through a character.
fn cut_at(text: &str, room: usize) -> &str {
    let mut end = room.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_bounded() {
        let long = "ä".repeat(MAX_VALUE_BYTES);
        assert_eq!(cut(&long).len(), MAX_VALUE_BYTES);
        assert_eq!(cut_at("aä", 2), "a");
        let mut text = Bounded(String::new());
        assert!(fmt::write(&mut text, format_args!("{long}{long}")).is_err());
        assert_eq!(text.0.len(), MAX_VALUE_BYTES);
    }
}
