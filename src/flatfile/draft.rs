//! An order while its rows are still coming in.
//!
//! Every rule that brings rows of one order together is independent of their sequence, so that the
//! same rows in any order make the same fact: the newest version, the earliest purchase, the most
//! advanced status, flags that any row sets. Where rows say when they were updated, only the newest
//! count. A repeated header begins another copy of the report, or another part of it ([`copies`]).
//! What must be the same in all rows and is not (currency, sales channel, fulfilment) refuses the row,
//! and with it holds the order.

mod cells;
mod copies;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::model::{
    BuyerFact, Fact, FactLine, Family, Head, Marketplace, OrderId, OrderItemId, OrderStatus,
    RowFault, UnknownAmount, UnknownWord,
};

use super::fault::{Fault, Why};
use super::header::Col;
use super::parts;

pub(super) use cells::BUYER_CELLS;
use cells::{buyer_of, cells_of, outdone};
use copies::Copies;

/// The most lines that are kept of one order. Real orders have tens.
const MAX_LINES: usize = 5000;

/// The most refused rows that are named for one order.
const MAX_FAULTS: usize = 100;

/// What one file says of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFacts {
    /// The business part.
    pub fact: Fact,
    /// The personal part, where the report has one.
    pub buyer: Option<BuyerFact>,
}

/// Lines up to which they are searched one by one.
const FEW_LINES: usize = 16;

/// The most notes of one order, and their size in bytes.
const MAX_NOTES: usize = 1000;
const MAX_NOTE_BYTES: usize = 256 * 1024;

/// The most texts of one column that look like an amount and cannot be read.
const MAX_UNREAD: usize = 20;

/// An order while its rows are still coming in.
#[derive(Debug)]
pub(super) struct Draft {
    order_id: OrderId,
    family: Family,
    content: Content,
    /// What earlier copies or parts of the same report in the same document said.
    copies: Option<Box<Copies>>,
    /// The versions of the rows that are refused, and why they are.
    faults: Vec<(Option<Timestamp>, RowFault)>,
    /// A row was taken in.
    begun: bool,
    row: RowOf,
}

/// The row that is being read.
#[derive(Debug, Default)]
struct RowOf {
    /// How many headers stood before it besides the first.
    copy: u32,
    version: Option<Timestamp>,
    /// It counts: no row of the order is newer so far.
    counts: bool,
    /// Where its line stands.
    place: usize,
}

/// What the rows of one version said.
#[derive(Debug, Default)]
struct Content {
    copy: u32,
    /// When its rows were updated, where the report says that of each.
    updated: Option<Timestamp>,
    version: Option<Timestamp>,
    head: Head,
    lines: Vec<FactLine>,
    /// Where the lines stand by their order-item id, once they are many.
    by_item: BTreeMap<OrderItemId, usize>,
    relay: Relay,
    buyer: Option<BuyerFact>,
    notes: BTreeSet<String>,
    note_bytes: usize,
    promotions: BTreeMap<(usize, Discount, String), Decimal>,
    /// Money that no total has, by the place of its line and by its column.
    amounts: BTreeMap<(usize, String), Money>,
    words: BTreeSet<UnknownWord>,
}

/// Money that no total has, in one column.
#[derive(Debug, Default, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Money {
    /// The sum of what can be read.
    amount: Decimal,
    /// The texts that look like an amount and cannot be read as one.
    unread: BTreeSet<String>,
}

/// The marketplace of the buyers' relay addresses.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Relay {
    #[default]
    Unknown,
    One(Marketplace),
    Several,
}

/// Which of a line's two discounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Discount {
    /// `item-promotion-discount`.
    Item,
    /// `ship-promotion-discount`.
    Shipping,
}

impl Draft {
    pub(super) fn new(order_id: OrderId, family: Family) -> Self {
        Self {
            order_id,
            family,
            content: Content::default(),
            copies: None,
            faults: Vec::new(),
            begun: false,
            row: RowOf::default(),
        }
    }

    pub(super) fn order_id(&self) -> &OrderId {
        &self.order_id
    }

    pub(super) fn head(&mut self) -> &mut Head {
        &mut self.content.head
    }

    /// A row of the order comes: of the report's copy behind the header of that number.
    pub(super) fn begin_row(&mut self, copy: u32) {
        self.row = RowOf { copy, ..RowOf::default() };
    }

    /// The row was updated then, or the report does not say. False if another row of the order is
    /// newer: this one does not count.
    pub(super) fn updated(&mut self, at: Option<Timestamp>) -> bool {
        self.row.version = at;
        let content = &self.content;
        match at.cmp(&content.updated) {
            _ if !self.begun => drop(self.renew(at)),
            Ordering::Less => return false,
            Ordering::Greater => {
                self.copies = None;
                drop(self.renew(at));
            }
            Ordering::Equal if self.row.copy != content.copy => {
                let before = self.renew(at);
                self.copies.get_or_insert_default().add(before);
            }
            Ordering::Equal => {}
        }
        self.begun = true;
        self.row.counts = true;
        true
    }

    /// The row cannot be read as a whole, and is of this time if that much can be read of it.
    pub(super) fn unreadable(&mut self, at: Option<Timestamp>) {
        match (self.family, at) {
            (_, None) | (Family::OrderReport, Some(_)) => {}
            (Family::AllOrders, at) => drop(self.updated(at)),
            (Family::Unshipped, Some(at)) => {
                self.updated(None);
                self.reported(at);
            }
        }
    }

    /// The row was reported then; the newest counts.
    pub(super) fn reported(&mut self, at: Timestamp) {
        self.content.version = self.content.version.max(Some(at));
    }

    /// Whether the row that was read counts.
    pub(super) fn row_counts(&self) -> bool {
        self.row.counts
    }

    /// Begins with nothing; gives back what there was.
    fn renew(&mut self, updated: Option<Timestamp>) -> Content {
        let head = Head { non_amazon: self.order_id.is_multi_channel(), ..Head::default() };
        let copy = self.row.copy;
        let fresh = Content { copy, updated, version: updated, head, ..Content::default() };
        std::mem::replace(&mut self.content, fresh)
    }

    /// The row's status; the most advanced counts.
    pub(super) fn status(&mut self, status: OrderStatus) {
        furthest(&mut self.content.head.status, Some(status));
    }

    /// A word that is not known in a column that decides something. Shown only if it is short and
    /// shaped like one of Amazon's words.
    pub(super) fn unknown_word(&mut self, column: &str, word: &str) {
        let lower = word.to_ascii_lowercase();
        let harmless = if column == "sales-channel" {
            (lower.contains("amazon") || lower.contains("marketplace"))
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b" .-_".contains(&b))
        } else {
            word.bytes().all(|b| b.is_ascii_alphabetic() || b" -".contains(&b))
        };
        let word = if harmless && word.len() <= 40 { word } else { "" };
        if self.content.words.len() < MAX_FAULTS {
            let (column, word) = (column.to_owned(), word.to_owned());
            self.content.words.insert(UnknownWord { column, word });
        }
    }

    /// Money in a column that is not known, of the line that the row is of.
    pub(super) fn unknown_amount(
        &mut self,
        column: String,
        amount: Decimal,
        col: Col,
    ) -> Result<(), Fault> {
        let money = self.content.amounts.entry((self.row.place, column)).or_default();
        let sum = money.amount.checked_add(amount);
        money.amount = sum.ok_or(Fault { col, why: Why::Number })?;
        Ok(())
    }

    /// The same, where the amount cannot be read.
    pub(super) fn unread_amount(&mut self, column: String, text: String) {
        let money = self.content.amounts.entry((self.row.place, column)).or_default();
        if money.unread.len() < MAX_UNREAD {
            money.unread.insert(text);
        }
    }

    /// The marketplace of the row's relay address.
    pub(super) fn relay(&mut self, marketplace: Marketplace) {
        self.content.relay.add(Relay::One(marketplace));
    }

    /// Adds a line of its own, though it may equal another: such rows are legal in All Orders.
    pub(super) fn line(&mut self, line: FactLine) -> Result<(), Fault> {
        if self.content.lines.len() >= MAX_LINES {
            return Err(Fault { col: Col::NONE, why: Why::Many });
        }
        self.row.place = self.content.lines.len();
        self.content.lines.push(line);
        Ok(())
    }

    /// Adds a line by its order-item id, once; rows that repeat it must agree but for discounts.
    /// Returns its place.
    pub(super) fn item(&mut self, line: FactLine, item_id: Col) -> Result<usize, Fault> {
        let Some(place) = line.item_id.as_ref().and_then(|id| self.content.place_of(id)) else {
            let place = self.content.lines.len();
            self.line(line)?;
            return Ok(place);
        };
        self.row.place = place;
        if let Some(known) = self.content.lines.get_mut(place) {
            let same = FactLine {
                row: known.row,
                item_promotion: known.item_promotion,
                ship_promotion: known.ship_promotion,
                title: known.title.clone(),
                ..line
            };
            if *known != same {
                return Err(Fault { col: item_id, why: Why::ItemDiffers });
            }
            if line.title > known.title {
                known.title = line.title;
            }
        }
        Ok(place)
    }

    /// Takes a discount off the line at `place`: once for each promotion id, however many rows
    /// repeat it.
    pub(super) fn promotion(
        &mut self,
        place: usize,
        discount: Discount,
        id: &str,
        amount: Option<Decimal>,
        col: Col,
    ) -> Result<(), Fault> {
        let Some(amount) = amount.map(|amount| amount.abs()) else { return Ok(()) };
        let key = (place, discount, id.to_owned());
        match self.content.promotions.get(&key) {
            Some(counted) if *counted == amount => return Ok(()),
            Some(_) => return Err(Fault { col, why: Why::ItemDiffers }),
            None => {}
        }
        if self.content.promotions.len() >= MAX_LINES {
            return Err(Fault { col: Col::NONE, why: Why::Many });
        }
        self.content.promotions.insert(key, amount);
        let Some(line) = self.content.lines.get_mut(place) else { return Ok(()) };
        let sum = match discount {
            Discount::Item => &mut line.item_promotion,
            Discount::Shipping => &mut line.ship_promotion,
        };
        let before = sum.unwrap_or_default();
        *sum = Some(before.checked_add(amount).ok_or(Fault { col, why: Why::Number })?);
        Ok(())
    }

    /// The row's buyer. Rows of one order name the same; if not, the fuller row counts as a whole,
    /// because parts of two addresses make none.
    pub(super) fn buyer(&mut self, cells: &[&str; BUYER_CELLS]) {
        if self.content.buyer.as_ref().is_none_or(|known| outdone(&cells_of(known), cells)) {
            self.content.buyer = Some(buyer_of(cells));
        }
    }

    /// A text for the delivery note.
    pub(super) fn note(&mut self, note: String) {
        self.content.note(note);
    }

    /// The row was refused.
    pub(super) fn refuse(&mut self, fault: RowFault) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push((self.row.version, fault));
        }
    }

    /// The order as this file has it.
    pub(super) fn finish(self, sidecar: Option<Marketplace>) -> OrderFacts {
        // A refused row that is older than another one does not count either.
        let updated = self.content.updated;
        let counts = |version: &Option<Timestamp>| version.is_none() || *version >= updated;
        let mut faults: Vec<RowFault> = self
            .faults
            .into_iter()
            .filter(|(version, _)| counts(version))
            .map(|(_, fault)| fault)
            .collect();
        let content = match self.copies {
            Some(mut copies) => {
                copies.add(self.content);
                copies.together(&mut faults)
            }
            None => self.content,
        };
        let Content { version, mut head, mut lines, relay, buyer, notes, amounts, words, .. } =
            content;
        let named = head.marketplace.is_some()
            || head.non_amazon
            || words.iter().any(|word| word.column == "sales-channel");
        if !named {
            head.sidecar_marketplace = sidecar;
            if let Relay::One(marketplace) = relay {
                head.relay_marketplace = Some(marketplace);
            }
        }
        if self.family == Family::AllOrders {
            lines = parts::joined(lines, &mut faults);
        }
        let notes: Vec<String> = notes.into_iter().collect();
        let buyer = match buyer {
            None if notes.is_empty() => None,
            buyer => Some(BuyerFact { notes, ..buyer.unwrap_or_default() }),
        };
        let (unknown_amounts, beyond) = by_column(amounts);
        if let (true, Some(line)) = (beyond, lines.first()) {
            faults.push(row_of(line, "", Why::Number));
        }
        let fact = Fact {
            order_id: self.order_id,
            family: self.family,
            version,
            head,
            lines,
            faults,
            unknown_amounts,
            unknown_words: words.into_iter().collect(),
        };
        OrderFacts { fact, buyer: buyer.filter(|buyer| !buyer.is_empty()) }
    }
}

/// The sums of each column; and whether one is larger than can be counted.
fn by_column(amounts: BTreeMap<(usize, String), Money>) -> (Vec<UnknownAmount>, bool) {
    let mut columns: BTreeMap<String, Money> = BTreeMap::new();
    let mut beyond = false;
    for ((_, column), mut money) in amounts {
        let all = columns.entry(column).or_default();
        match all.amount.checked_add(money.amount) {
            Some(sum) => all.amount = sum,
            None => beyond = true,
        }
        all.unread.append(&mut money.unread);
    }
    let all = columns.into_iter().map(|(column, money)| UnknownAmount {
        column,
        amount: money.amount.normalize(),
        unread: money.unread.into_iter().take(MAX_UNREAD).collect(),
    });
    (all.collect(), beyond)
}

/// A fault of the row that this line was first read from.
fn row_of(line: &FactLine, column: &str, why: Why) -> RowFault {
    RowFault {
        line: line.row,
        column: column.to_owned(),
        code: why.code().to_owned(),
        message: why.message().to_owned(),
    }
}

impl Relay {
    fn add(&mut self, other: Self) {
        *self = match (*self, other) {
            (known, Self::Unknown) => known,
            (Self::Unknown, other) => other,
            (Self::One(known), Self::One(other)) if known == other => return,
            _ => Self::Several,
        };
    }
}

impl Content {
    fn note(&mut self, note: String) {
        let size = self.note_bytes.saturating_add(note.len());
        if self.notes.len() < MAX_NOTES && size <= MAX_NOTE_BYTES && self.notes.insert(note) {
            self.note_bytes = size;
        }
    }

    /// The place of the line with this order-item id.
    fn place_of(&mut self, id: &OrderItemId) -> Option<usize> {
        if self.lines.len() <= FEW_LINES {
            return self.lines.iter().position(|line| line.item_id.as_ref() == Some(id));
        }
        let known = self.by_item.len();
        for (place, line) in self.lines.iter().enumerate().skip(known) {
            // Lines that are added by their id have one each, and each another.
            if let Some(id) = &line.item_id {
                self.by_item.insert(id.clone(), place);
            }
        }
        self.by_item.get(id).copied()
    }
}

/// Keeps the more advanced of two statuses.
fn furthest(known: &mut Option<OrderStatus>, said: Option<OrderStatus>) {
    if said.map(advance) > known.map(advance) {
        *known = said;
    }
}

/// How far along a status is. Cancelled comes last: an order of which any row is not cancelled is not
/// cancelled; a word we do not know is less than any we do.
fn advance(status: OrderStatus) -> u8 {
    match status {
        OrderStatus::Cancelled => 0,
        OrderStatus::Unknown => 1,
        OrderStatus::Pending => 2,
        OrderStatus::Unshipped => 3,
        OrderStatus::PartiallyShipped => 4,
        OrderStatus::Shipped => 5,
    }
}

/// Keeps the earlier of two times.
pub(super) fn earliest(known: &mut Option<Timestamp>, at: Option<Timestamp>) {
    if let Some(at) = at
        && known.is_none_or(|known| at < known)
    {
        *known = Some(at);
    }
}

/// Keeps the bytewise larger of two texts; an empty one says nothing.
pub(super) fn larger(known: &mut Option<String>, text: &str) {
    if !text.is_empty() && known.as_deref().is_none_or(|known| text > known) {
        *known = Some(text.to_owned());
    }
}

/// What all rows of an order must agree on, where they say anything.
pub(super) fn agree<T: PartialEq>(
    known: &mut Option<T>,
    said: Option<T>,
    col: Col,
) -> Result<(), Fault> {
    match (&known, said) {
        (_, None) => Ok(()),
        (None, said) => {
            *known = said;
            Ok(())
        }
        (Some(known), Some(said)) if *known == said => Ok(()),
        _ => Err(Fault { col, why: Why::Differs }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fuller_buyer_wins_as_a_whole_in_any_sequence() {
        let (mut a, mut b) = ([""; BUYER_CELLS], [""; BUYER_CELLS]);
        (a[1], a[9], b[1]) = ("a", "x", "b");
        for rows in [[&a, &b], [&b, &a]] {
            let mut draft = Draft::new("1".parse().unwrap(), Family::Unshipped);
            for row in rows {
                draft.buyer(row);
            }
            let buyer = draft.finish(None).buyer.unwrap();
            assert!((buyer.name.as_str(), buyer.city.as_str()) == ("a", "x"));
            assert!(cells_of(&buyer) == a);
        }
    }

    #[test]
    fn a_live_row_keeps_the_order_from_being_cancelled() {
        use OrderStatus::{Cancelled, Pending, Shipped};
        for (rows, status) in [
            ([Cancelled, Pending], Pending),
            ([Shipped, Cancelled], Shipped),
            ([Cancelled, Cancelled], Cancelled),
        ] {
            let mut draft = Draft::new("1".parse().unwrap(), Family::AllOrders);
            for row in rows {
                draft.status(row);
            }
            assert_eq!(draft.head().status, Some(status));
        }
    }
}
