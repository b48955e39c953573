//! Sentences of records that have parts.

use jiff::Timestamp;

use crate::model::{Counts, counted};

/// What came of a file, in words.
pub(super) fn done(counts: &Counts, from: Timestamp) -> String {
    let mut parts = Vec::new();
    for (count, word) in [(counts.new, "new"), (counts.changed, "changed")] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    if counts.before_import_from > 0 {
        let day = from.to_zoned(jiff::tz::TimeZone::UTC).date();
        let early = counts.before_import_from;
        parts.push(format!("{early} from before import_from {day}: not created"));
    }
    let (rows, orders) = (counted(counts.rows, "row"), counted(counts.orders, "order"));
    let of_them = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    let refused = match counts.refused {
        0 => String::new(),
        some => format!(", {} refused", counted(some, "row")),
    };
    format!("{rows}, {orders}{of_them}{refused}")
}

/// `text` with the mark that ends a sentence, once.
pub(super) fn sentence(text: &str) -> String {
    if text.ends_with(['.', '?', '!']) { text.to_owned() } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_ends_once() {
        assert_eq!(sentence("it has no address (DNS)"), "it has no address (DNS).");
        assert_eq!(sentence("is Odoo running?"), "is Odoo running?");
        assert_eq!(sentence("It was cut off."), "It was cut off.");
    }

    #[test]
    fn night_p7_orders_before_import_from_are_told_with_the_day() {
        let from = "2026-11-28T00:00:00Z".parse().unwrap();
        let counts = Counts { rows: 1, orders: 1, before_import_from: 1, ..Counts::default() };
        assert_eq!(
            done(&counts, from),
            "1 row, 1 order (1 from before import_from 2026-11-28: not created)"
        );
        let counts = Counts { rows: 5, orders: 3, new: 2, changed: 1, refused: 1, ..counts };
        let counts = Counts { before_import_from: 0, ..counts };
        assert_eq!(done(&counts, from), "5 rows, 3 orders (2 new, 1 changed), 1 row refused");
        assert_eq!(done(&Counts::default(), from), "0 rows, 0 orders");
    }
}
