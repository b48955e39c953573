//! Which decimal mark a file uses, from all its amounts.
//!
//! One amount alone may not tell: `1,234` is a thousand and more, or one and a bit. Amounts that
//! can only be read one way (`14,90`, `1.234,56`) decide for the file; those that contradict the
//! majority are refused row by row later, because the notation that is chosen cannot read them.
//!
//! Every amount with a comma is looked at. Points alone are only counted in the first
//! [`SAMPLE_ROWS`] rows and in rows that have a comma, because Amazon's default is the point and
//! looking at every cell of every row would cost more than the rest of the survey.

use super::error::DocumentError;
use super::header::Header;
use super::value::{DecimalMark, Notation};

/// How many rows are looked at even if they have no comma.
pub(super) const SAMPLE_ROWS: u64 = 1000;

/// What the amounts say.
#[derive(Debug, Default)]
pub(super) struct Marks {
    dot: Votes,
    comma: Votes,
    /// The first `1,234`.
    unclear_comma: Option<Place>,
    /// A separator of groups was seen beside proof of the other mark.
    grouped: bool,
}

#[derive(Debug, Default)]
struct Votes {
    count: u64,
    first: Option<Place>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    line: u64,
    position: usize,
}

/// What one amount proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    Nothing,
    Dot {
        grouped: bool,
    },
    Comma {
        grouped: bool,
    },
    /// `1,234`.
    UnclearComma,
    /// `1.234`: a point where nothing else is said.
    UnclearDot,
}

impl Marks {
    /// Takes note of an amount cell, without its surrounding spaces.
    pub(super) fn observe(&mut self, cell: &[u8], line: u64, position: usize) {
        let place = Place { line, position };
        let (votes, grouped) = match prove(cell) {
            Proof::Nothing | Proof::UnclearDot => return,
            Proof::UnclearComma => {
                self.unclear_comma.get_or_insert(place);
                return;
            }
            Proof::Dot { grouped } => (&mut self.dot, grouped),
            Proof::Comma { grouped } => (&mut self.comma, grouped),
        };
        votes.count += 1;
        votes.first.get_or_insert(place);
        self.grouped |= grouped;
    }

    /// The file's notation.
    pub(super) fn decide(&self, header: &Header) -> Result<Notation, DocumentError> {
        let column = |place: Place| header.shown_at(place.position);
        let (dot, comma) = (self.dot.count, self.comma.count);
        if dot > 0 && dot == comma {
            let place =
                self.dot.first.max(self.comma.first).unwrap_or(Place { line: 1, position: 0 });
            return Err(DocumentError::DecimalMarkMixed {
                line: place.line,
                column: column(place),
            });
        }
        // Where the minority has proof too, a groupable amount may be either: no grouping then, so
        // that it is refused instead of misread by a factor of a thousand.
        let contradicted = dot > 0 && comma > 0;
        if comma > dot {
            return Ok(Notation { mark: DecimalMark::Comma, grouped: !contradicted });
        }
        if dot > 0 {
            let grouped = !contradicted && (self.grouped || self.unclear_comma.is_some());
            return Ok(Notation { mark: DecimalMark::Dot, grouped });
        }
        match self.unclear_comma {
            Some(place) => {
                Err(DocumentError::DecimalMarkUnclear { line: place.line, column: column(place) })
            }
            None => Ok(Notation::PLAIN),
        }
    }
}

fn prove(cell: &[u8]) -> Proof {
    let digits = cell.strip_prefix(b"-").unwrap_or(cell);
    if !digits.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',')) {
        return Proof::Nothing;
    }
    let count = |mark| memchr::memchr_iter(mark, digits).count();
    let after = |mark| digits.iter().rev().take_while(|&&b| b != mark).count();
    match (count(b'.'), count(b',')) {
        (0, 0) => Proof::Nothing,
        (1, 0) if after(b'.') == 3 => Proof::UnclearDot,
        (1, 0) => Proof::Dot { grouped: false },
        (0, 1) if after(b',') == 3 => Proof::UnclearComma,
        (0, 1) => Proof::Comma { grouped: false },
        (1, _) if after(b'.') < after(b',') => Proof::Dot { grouped: true },
        (_, 1) if after(b',') < after(b'.') => Proof::Comma { grouped: true },
        // A day (`05.12.2025`) proves nothing: the last group of digits has three.
        (0, _) if after(b',') == 3 => Proof::Dot { grouped: true },
        (_, 0) if after(b'.') == 3 => Proof::Comma { grouped: true },
        _ => Proof::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(cells: &[&str]) -> Result<Notation, DocumentError> {
        let mut marks = Marks::default();
        for (cell, line) in cells.iter().zip(2..) {
            marks.observe(cell.as_bytes(), line, 1);
        }
        marks.decide(&Header::parse(b"order-id\titem-price", 1).unwrap())
    }

    #[test]
    fn one_clear_amount_decides_for_the_file() {
        let comma = Notation { mark: DecimalMark::Comma, grouped: true };
        let grouped = Notation { mark: DecimalMark::Dot, grouped: true };
        assert_eq!(decide(&[]).unwrap(), Notation::PLAIN);
        assert_eq!(decide(&["1.234", "", "20"]).unwrap(), Notation::PLAIN);
        assert_eq!(decide(&["14.90"]).unwrap(), Notation::PLAIN);
        assert_eq!(decide(&["1,234", "14,90"]).unwrap(), comma);
        assert_eq!(decide(&["1.234", "1.234,56"]).unwrap(), comma);
        assert_eq!(decide(&["1.234.567"]).unwrap(), comma);
        assert_eq!(decide(&["1,234", "14.90"]).unwrap(), grouped);
        assert_eq!(decide(&["1,44,957.78"]).unwrap(), grouped);
    }

    #[test]
    fn nothing_decides() {
        let error = decide(&["20", "1,234"]).unwrap_err();
        assert_eq!((error.line(), error.column()), (Some(3), Some("item-price")));
        assert_eq!(error.code(), "decimal-mark");
        assert_eq!(decide(&["14.90", "14,90"]).unwrap_err().line(), Some(3));
    }

    #[test]
    fn case_kind_b_days_of_a_spreadsheet_decide_nothing() {
        assert_eq!(decide(&["05.12.2025", "14.90"]).unwrap(), Notation::PLAIN);
        assert_eq!(decide(&["05.12.2025"]).unwrap(), Notation::PLAIN);
        assert_eq!(Notation::PLAIN.amount("05.12.2025"), None);
    }

    #[test]
    fn a_minority_is_not_believed_and_nothing_doubtful_is_read() {
        assert_eq!(decide(&["14.90", "1.5", "1,5", "1,234"]).unwrap(), Notation::PLAIN);
        let comma = decide(&["14,90", "1,5", "1.5"]).unwrap();
        assert_eq!(comma, Notation { mark: DecimalMark::Comma, grouped: false });
        assert_eq!(comma.amount("1.234"), None);
    }
}
