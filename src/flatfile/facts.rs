//! The second pass: rows into facts, one order at a time.
//!
//! An order is handed out as soon as its last row was read, wherever its rows stand. A refused row
//! is a fault of its order; a row without a readable order id becomes an orphan. No other
//! order is touched by either.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use crate::model::ids::is_spreadsheet_damage;
use crate::model::{IdError, Marketplace, OrderId, RowFault};

use super::draft::{Draft, OrderFacts};
use super::error::DocumentError;
use super::fault::{Fault, Why};
use super::header::Col;
use super::index::RowEnd;
use super::layout::{Layout, LineKind};
use super::lines::Lines;
use super::money::MoneyCell;
use super::reports::Odd;
use super::row::{Row, row_fault};
use super::survey::{Notice, Repeated, Survey};

/// The most orphans that are named; the others are counted.
const MAX_ORPHANS: usize = 100;

/// What is known of a document from outside it, for the facts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context {
    /// The marketplace that the sidecar names, for orders of which no row names one.
    pub sidecar_marketplace: Option<Marketplace>,
}

/// Hands out a document's orders.
#[derive(Debug)]
pub struct FactReader<'s, R> {
    lines: Lines<R>,
    survey: &'s Survey,
    context: Context,
    sweep: u32,
    row: u32,
    ends: Vec<usize>,
    /// Orders that wait for more rows.
    open: HashMap<String, Draft>,
    /// The rest, once the document is at its end: empty, but for orders whose ids share a hash.
    leftover: Option<std::vec::IntoIter<Draft>>,
    orphans: Vec<RowFault>,
    counts: RowCounts,
    /// Headers that stood between the rows so far.
    copy: u32,
    odd: Odds,
}

/// What was odd in the rows read so far.
#[derive(Debug, Default)]
struct Odds {
    words: BTreeMap<&'static str, Repeated>,
    /// By the place of the column in the layout's list.
    amounts: BTreeMap<usize, Repeated>,
    /// The same for cells that do not look like an amount.
    unread: BTreeMap<usize, Repeated>,
    cut_ids: Repeated,
}

/// What was counted in one sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Orders handed out.
    pub orders: u64,
    /// Rows of those orders, refused ones included.
    pub rows: u64,
    /// Refused rows of those orders.
    pub refused: u64,
    /// Refused rows without a readable order id. Counted in the first sweep only.
    pub orphans: u64,
}

/// Begins to hand out the orders of a surveyed document, which is read once more from its start.
/// `sweep` counts from 0 to [`Survey::sweeps`], exclusive.
pub fn facts<R: Read>(
    document: R,
    survey: &Survey,
    context: Context,
    sweep: u32,
) -> Result<FactReader<'_, R>, DocumentError> {
    let mut lines = Lines::new(document)?;
    loop {
        let Some(line) = lines.next_line()? else { return Err(DocumentError::Changed) };
        if line.bytes.trim_ascii().is_empty() {
            continue;
        }
        if line.bytes != survey.layout.header.bytes() {
            return Err(DocumentError::Changed);
        }
        break;
    }
    lines.set_columns(survey.layout.header.width());
    Ok(FactReader {
        lines,
        survey,
        context,
        sweep,
        row: 0,
        ends: Vec::new(),
        open: HashMap::new(),
        leftover: None,
        orphans: Vec::new(),
        counts: RowCounts::default(),
        copy: 0,
        odd: Odds::default(),
    })
}

impl<R: Read> FactReader<'_, R> {
    /// The next complete order; none at the end of the document.
    #[expect(clippy::should_implement_trait, reason = "a failed document must stop the caller")]
    pub fn next(&mut self) -> Result<Option<OrderFacts>, DocumentError> {
        if let Some(leftover) = &mut self.leftover {
            return Ok(leftover.next().map(|draft| self.hand_out(draft)));
        }
        let mut complete = None;
        while self.read_row(&mut complete)? {
            if let Some(draft) = complete {
                return Ok(Some(self.hand_out(draft)));
            }
        }
        if u64::from(self.row) != self.survey.rows || self.lines.bytes_read() != self.survey.bytes {
            return Err(DocumentError::Changed);
        }
        let mut rest: Vec<Draft> = self.open.drain().map(|(_, draft)| draft).collect();
        rest.sort_by(|a, b| a.order_id().cmp(b.order_id()));
        let mut rest = rest.into_iter();
        let first = rest.next();
        self.leftover = Some(rest);
        Ok(first.map(|draft| self.hand_out(draft)))
    }

    /// Rows without a readable order id: at most the first 100, found so far.
    pub fn orphans(&self) -> &[RowFault] {
        &self.orphans
    }

    /// What was counted so far.
    pub fn counts(&self) -> RowCounts {
        self.counts
    }

    /// What is worth saying about the rows read so far, beside the survey's notices.
    pub fn notices(&self) -> Vec<Notice> {
        let Survey { layout, .. } = self.survey;
        let mut notices = Vec::new();
        for (&column, &Repeated { times: rows, first: line }) in &self.odd.words {
            notices.push(Notice::UnknownWords { column, rows, line });
        }
        for (&place, &Repeated { times: rows, first: line }) in &self.odd.amounts {
            let Some(money) = layout.money.get(place) else { continue };
            let column = layout.header.shown(money.col);
            notices.push(match money.left_out {
                Some(reason) => Notice::AmountsLeftOut { column, rows, line, reason },
                None => Notice::UnknownAmounts { column, rows, line },
            });
        }
        for (&place, &Repeated { times: rows, first: line }) in &self.odd.unread {
            let Some(money) = layout.money.get(place) else { continue };
            let column = layout.header.shown(money.col);
            notices.push(Notice::UnreadAmounts { column, rows, line });
        }
        let Repeated { times: rows, first: line } = self.odd.cut_ids;
        if rows > 0 {
            notices.push(Notice::CutIds { rows, line });
        }
        notices
    }

    fn hand_out(&mut self, draft: Draft) -> OrderFacts {
        self.counts.orders += 1;
        draft.finish(self.context.sidecar_marketplace)
    }

    /// Reads one line, and hands over the order that it completes, if it does. False at the end.
    fn read_row(&mut self, complete: &mut Option<Draft>) -> Result<bool, DocumentError> {
        let Some(line) = self.lines.next_line()? else { return Ok(false) };
        let Survey { layout, ends, charset, notation, family, .. } = self.survey;
        match layout.kind(line.bytes) {
            LineKind::Row => {}
            LineKind::Blank => return Ok(true),
            LineKind::HeaderAgain => {
                self.copy = self.copy.saturating_add(1);
                return Ok(true);
            }
            LineKind::OtherHeader => return Err(DocumentError::Changed),
        }
        self.row += 1;
        let id = layout.order_id(line.bytes);
        let text = id.and_then(|id| std::str::from_utf8(id).ok());
        let (Some(id), Some(text)) = (id, text) else {
            if self.sweep == 0 {
                self.counts.orphans += 1;
                if self.orphans.len() < MAX_ORPHANS {
                    let why = if layout.is_short(line.bytes) {
                        Why::Rest
                    } else {
                        orphan_why(layout.order_id_cell(line.bytes))
                    };
                    let fault = Fault { col: layout.order_id, why };
                    self.orphans.push(row_fault(fault, line.number, &layout.header));
                }
            }
            return Ok(true);
        };
        if self.survey.sweeps > 1 && ends.sweep_of(id, self.survey.sweeps) != self.sweep {
            return Ok(true);
        }
        self.counts.rows += 1;
        let end = ends.of(self.row);
        let fresh = || {
            let id: Result<OrderId, IdError> = text.parse();
            id.map(|id| Draft::new(id, *family)).map_err(|_| DocumentError::Changed)
        };
        let draft = if end == RowEnd::Only {
            complete.insert(fresh()?)
        } else {
            if !self.open.contains_key(text) {
                self.open.insert(text.to_owned(), fresh()?);
            }
            self.open.get_mut(text).ok_or(DocumentError::Changed)?
        };
        let mut odd = Odd::default();
        let number = line.number;
        draft.begin_row(self.copy);
        let whole = Row::new(&line, *charset, &layout.header, *notation, &mut self.ends);
        if whole.is_err() {
            draft.unreadable(layout.version(line.bytes));
        }
        let read = whole.and_then(|row| read(&row, layout, draft, &mut odd)).and_then(|money| {
            if ends.is_torn(self.row) {
                Err(Fault { col: Col::NONE, why: Why::Torn })
            } else {
                Ok(money)
            }
        });
        match read {
            Ok(FoundMoney { amounts, unread }) => {
                for place in amounts {
                    self.odd.amounts.entry(place).or_default().note(number);
                }
                for place in unread {
                    self.odd.unread.entry(place).or_default().note(number);
                }
            }
            Err(fault) => {
                self.counts.refused += 1;
                draft.refuse(row_fault(fault, number, &layout.header));
            }
        }
        for column in odd.words {
            self.odd.words.entry(column).or_default().note(number);
        }
        if odd.cut_id {
            self.odd.cut_ids.note(number);
        }
        if end == RowEnd::Last {
            *complete = self.open.remove(text);
        }
        Ok(true)
    }
}

/// In which columns of money that no total has a row has something, by their places in the layout's
/// list.
#[derive(Debug, Default)]
struct FoundMoney {
    /// Amounts, also such as cannot be read.
    amounts: Vec<usize>,
    /// Cells with digits that do not look like an amount.
    unread: Vec<usize>,
}

/// Reads a row into its order.
fn read(
    row: &Row<'_>,
    layout: &Layout,
    draft: &mut Draft,
    odd: &mut Odd,
) -> Result<FoundMoney, Fault> {
    layout.report.read(row, draft, odd)?;
    let mut found = FoundMoney::default();
    if !draft.row_counts() {
        return Ok(found);
    }
    for (place, money) in layout.money.iter().enumerate() {
        let cell = row.money(money.col);
        match cell {
            MoneyCell::Nothing => continue,
            MoneyCell::Other => {
                found.unread.push(place);
                continue;
            }
            MoneyCell::Amount(_) | MoneyCell::Unread(_) => found.amounts.push(place),
        }
        if money.left_out.is_some() {
            continue;
        }
        let column = layout.header.shown(money.col);
        match cell {
            MoneyCell::Amount(amount) => draft.unknown_amount(column, amount, money.col)?,
            MoneyCell::Unread(text) => draft.unread_amount(column, text.to_owned()),
            MoneyCell::Nothing | MoneyCell::Other => {}
        }
    }
    Ok(found)
}

/// Why a cell is no order id.
fn orphan_why(cell: &[u8]) -> Why {
    match std::str::from_utf8(cell) {
        Ok("") => Why::Empty,
        Ok(text) if is_spreadsheet_damage(text) => Why::Spreadsheet,
        Ok(_) | Err(_) => Why::OrderId,
    }
}
