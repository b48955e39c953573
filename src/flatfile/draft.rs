//! An order while its rows are still coming in.
//!
//! Every rule that brings rows of one order together is independent of their sequence, so that the
//! same rows in any order make the same fact: the newest version, the earliest purchase, the most
//! advanced status, flags that any row sets. Where rows say when they were updated, only the newest
//! count; a repeated header begins another copy of the report. What must be the same in all rows and is not (currency,
//! sales channel, fulfilment) refuses the row, and with it holds the order.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::model::{
    BillTo, BuyerFact, Fact, FactLine, Family, Head, Marketplace, OrderId, OrderItemId,
    OrderStatus, RowFault, UnknownAmount, UnknownWord,
};

use super::fault::{Fault, Why};
use super::header::Col;
use super::parts;

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

/// An order while its rows are still coming in.
#[derive(Debug)]
pub(super) struct Draft {
    order_id: OrderId,
    family: Family,
    content: Content,
    /// What an earlier copy of the same report in the same document said, at the same version.
    rival: Option<Box<Content>>,
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
    amounts: BTreeMap<String, Decimal>,
    words: BTreeSet<UnknownWord>,
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
            rival: None,
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
    /// newer: this one does not count. Of two copies of the report that say the same time, one
    /// counts: the newer, the longer.
    pub(super) fn updated(&mut self, at: Option<Timestamp>) -> bool {
        self.row.version = at;
        let content = &self.content;
        match at.cmp(&content.updated) {
            _ if !self.begun => drop(self.renew(at)),
            Ordering::Less => return false,
            Ordering::Greater => {
                self.rival = None;
                self.faults.retain(|(version, _)| version.is_none() || *version >= at);
                drop(self.renew(at));
            }
            Ordering::Equal if self.row.copy != content.copy => {
                let before = self.renew(at);
                let before = match self.rival.take() {
                    Some(rival) => better(*rival, before),
                    None => before,
                };
                self.rival = Some(Box::new(before));
            }
            Ordering::Equal => {}
        }
        self.begun = true;
        self.row.counts = true;
        true
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
        let head = &mut self.content.head;
        if head.status.is_none_or(|known| advance(status) > advance(known)) {
            head.status = Some(status);
        }
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

    /// Money in a column that is not known.
    pub(super) fn unknown_amount(
        &mut self,
        column: String,
        amount: Decimal,
        col: Col,
    ) -> Result<(), Fault> {
        let sum = self.content.amounts.entry(column).or_default();
        *sum = sum.checked_add(amount).ok_or(Fault { col, why: Why::Number })?;
        Ok(())
    }

    /// The marketplace of the row's relay address.
    pub(super) fn relay(&mut self, marketplace: Marketplace) {
        let relay = &mut self.content.relay;
        *relay = match *relay {
            Relay::Unknown => Relay::One(marketplace),
            Relay::One(known) if known == marketplace => return,
            Relay::One(_) | Relay::Several => Relay::Several,
        };
    }

    /// Adds a line of its own, though it may equal another: such rows are legal in All Orders.
    pub(super) fn line(&mut self, line: FactLine) -> Result<(), Fault> {
        if self.content.lines.len() >= MAX_LINES {
            return Err(Fault { col: Col::NONE, why: Why::Many });
        }
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
        match &self.content.buyer {
            Some(known) if !outdone(&cells_of(known), cells) => {}
            _ => self.content.buyer = Some(buyer_of(cells)),
        }
    }

    /// A text for the delivery note.
    pub(super) fn note(&mut self, note: String) {
        let content = &mut self.content;
        let size = content.note_bytes.saturating_add(note.len());
        if content.notes.len() < MAX_NOTES && size <= MAX_NOTE_BYTES && content.notes.insert(note) {
            content.note_bytes = size;
        }
    }

    /// The row was refused.
    pub(super) fn refuse(&mut self, fault: RowFault) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push((self.row.version, fault));
        }
    }

    /// The order as this file has it.
    pub(super) fn finish(self, sidecar: Option<Marketplace>) -> OrderFacts {
        let content = match self.rival {
            Some(rival) => better(*rival, self.content),
            None => self.content,
        };
        let mut faults: Vec<RowFault> = self.faults.into_iter().map(|(_, fault)| fault).collect();
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
        let unknown_amounts = amounts
            .into_iter()
            .map(|(column, amount)| UnknownAmount { column, amount: amount.normalize() })
            .collect();
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

/// Of two copies of one report: the newer, the longer, else either of them, but always the same.
fn better(one: Content, other: Content) -> Content {
    let rank = |content: &Content| {
        let mut lines: Vec<FactLine> =
            content.lines.iter().map(|line| FactLine { row: 0, ..line.clone() }).collect();
        lines.sort();
        (content.version, content.lines.len(), lines, content.head.clone())
    };
    if rank(&one) > rank(&other) { one } else { other }
}

impl Content {
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

/// How far along a status is. Cancelled comes last: an order of which any row lives is not
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

/// How many cells make a buyer.
pub(super) const BUYER_CELLS: usize = 22;

/// A buyer from its cells.
pub(super) fn buyer_of(cells: &[&str; BUYER_CELLS]) -> BuyerFact {
    let [
        email,
        name,
        phone,
        company,
        vat,
        recipient,
        address_1,
        address_2,
        address_3,
        city,
        state,
        postal_code,
        country,
        ship_phone,
        purchase_order_number,
        bill_1,
        bill_2,
        bill_3,
        bill_city,
        bill_state,
        bill_postal_code,
        bill_country,
    ] = cells.map(str::to_owned);
    BuyerFact {
        email,
        name,
        phone,
        company,
        vat,
        recipient,
        address_1,
        address_2,
        address_3,
        city,
        state,
        postal_code,
        country,
        ship_phone,
        purchase_order_number,
        bill: BillTo {
            address_1: bill_1,
            address_2: bill_2,
            address_3: bill_3,
            city: bill_city,
            state: bill_state,
            postal_code: bill_postal_code,
            country: bill_country,
        },
        notes: Vec::new(),
    }
}

fn cells_of(buyer: &BuyerFact) -> [&str; BUYER_CELLS] {
    [
        &buyer.email,
        &buyer.name,
        &buyer.phone,
        &buyer.company,
        &buyer.vat,
        &buyer.recipient,
        &buyer.address_1,
        &buyer.address_2,
        &buyer.address_3,
        &buyer.city,
        &buyer.state,
        &buyer.postal_code,
        &buyer.country,
        &buyer.ship_phone,
        &buyer.purchase_order_number,
        &buyer.bill.address_1,
        &buyer.bill.address_2,
        &buyer.bill.address_3,
        &buyer.bill.city,
        &buyer.bill.state,
        &buyer.bill.postal_code,
        &buyer.bill.country,
    ]
}

/// Whether `other` says more than `known`; at a tie the bytewise larger does, so that there is
/// always a winner.
fn outdone(known: &[&str; BUYER_CELLS], other: &[&str; BUYER_CELLS]) -> bool {
    // The usual case first. Empty cells are not compared as bytes: their pointers lead nowhere,
    // which costs a masked vector load hundreds of cycles.
    let equal = |(a, b): (&&str, &&str)| a.len() == b.len() && (a.is_empty() || a == b);
    if known.iter().zip(other).all(equal) {
        return false;
    }
    let filled = |cells: &[&str; BUYER_CELLS]| cells.iter().filter(|cell| !cell.is_empty()).count();
    filled(known).cmp(&filled(other)).then_with(|| known.cmp(other)).is_lt()
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
