//! What the fuzz targets `lines` and `report` call (`crate::fuzz`).

#![expect(clippy::missing_panics_doc, reason = "a panic is what is looked for")]

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::error::DocumentError;
use super::lines::Lines;
use super::survey::survey_within;
use super::{Context, FactReader, Hints, Survey, facts};
use crate::model::OrderId;

/// Hands out at most so many bytes at once.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.1.min(buffer.len());
        let part = self.0.get(..bytes).unwrap_or(self.0);
        let read = io::Read::read(&mut &*part, buffer)?;
        self.0 = self.0.get(read..).unwrap_or_default();
        Ok(read)
    }
}

/// Splits lines. The first byte: how many columns a row has, and how the source cuts its reads,
/// which must make no difference.
pub fn lines(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let columns = usize::from(first & 15).saturating_add(1);
    let whole = split(rest, columns);
    let trickled = split(Trickle(rest, usize::from(first >> 4).saturating_add(1)), columns);
    assert_eq!(whole, trickled, "other reads, other lines");
}

/// Number, place, content and mark of a line.
type Found = (u64, u64, Vec<u8>, bool);

/// The lines, and what is wrong after them.
fn split(source: impl Read, columns: usize) -> (Vec<Found>, Option<String>) {
    let mut found = Vec::new();
    let mut lines = match Lines::new(source) {
        Ok(lines) => lines,
        Err(error) => return (found, Some(error.to_string())),
    };
    lines.set_columns(columns);
    loop {
        match lines.next_line() {
            Ok(Some(line)) => {
                found.push((line.number, line.offset, line.bytes.to_vec(), line.stray_cr));
            }
            Ok(None) => return (found, None),
            Err(error) => return (found, Some(error.to_string())),
        }
    }
}

/// Surveys a document and reads its facts. The first byte: 1 a charset hint, 2 a marketplace hint.
///
/// What could be surveyed can be read, each order comes once, and a budget too small for its open
/// orders changes how often the document is read, not what is found.
pub fn report(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let hints = Hints {
        charset: (first & 1 != 0).then(|| "windows-1252".to_owned()),
        marketplace: if first & 2 != 0 { "Amazon.co.jp".parse().ok() } else { None },
    };
    let surveyed = match super::survey(rest, &hints) {
        Ok(survey) => survey,
        Err(error) => {
            assert!(!error.refusal().next_step.is_empty() && !error.to_string().is_empty());
            return;
        }
    };
    let once = orders(rest, &surveyed);
    let Ok(tight) = survey_within(rest, &hints, 64) else {
        unreachable!("a budget refuses nothing");
    };
    assert!(once == orders(rest, &tight), "{} sweeps found other orders than one", tight.sweeps);
}

fn orders(document: &[u8], survey: &Survey) -> BTreeMap<OrderId, String> {
    let mut found = BTreeMap::new();
    for sweep in 0..survey.sweeps {
        let mut reader = match facts(document, survey, Context::default(), sweep) {
            Ok(reader) => reader,
            Err(error) => unreachable!("surveyed and then refused: {error}"),
        };
        while let Some(order) = next(&mut reader) {
            let id = order.fact.order_id.clone();
            let said = format!("{:?} {:?}", order.fact, order.buyer.is_some());
            assert!(found.insert(id, said).is_none(), "an order came twice");
        }
    }
    found
}

fn next<R: Read>(reader: &mut FactReader<'_, R>) -> Option<super::OrderFacts> {
    match reader.next() {
        Ok(order) => order,
        Err(error @ DocumentError::Changed) => unreachable!("nothing changed it: {error}"),
        Err(error) => unreachable!("surveyed and then refused: {error}"),
    }
}
