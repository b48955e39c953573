//! An order while its rows are still coming in.
//!
//! Every rule that brings rows of one order together is independent of their sequence, so that the
//! same rows in any order make the same fact: the newest version, the earliest purchase, the most
//! advanced status, flags that any row sets. What must be the same in all rows and is not (currency,
//! sales channel, fulfilment) refuses the row, and with it holds the order.

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::model::{
    BuyerFact, Fact, FactLine, Family, Head, Marketplace, OrderId, OrderStatus, RowFault,
};

use super::fault::{Fault, Why};
use super::header::Col;

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

/// An order while its rows are still coming in.
#[derive(Debug)]
pub(super) struct Draft {
    fact: Fact,
    buyer: Option<BuyerFact>,
    notes: Vec<String>,
    promotions: Vec<Promotion>,
}

/// Which of a line's two discounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Discount {
    /// `item-promotion-discount`.
    Item,
    /// `ship-promotion-discount`.
    Shipping,
}

/// A promotion that was counted, so that it is not counted again.
#[derive(Debug)]
struct Promotion {
    line: usize,
    discount: Discount,
    id: String,
    amount: Decimal,
}

impl Draft {
    pub(super) fn new(order_id: OrderId, family: Family) -> Self {
        Self {
            fact: Fact {
                order_id,
                family,
                version: None,
                head: Head::default(),
                lines: Vec::new(),
                faults: Vec::new(),
                unknown_amounts: Vec::new(),
                unknown_words: Vec::new(),
            },
            buyer: None,
            notes: Vec::new(),
            promotions: Vec::new(),
        }
    }

    pub(super) fn order_id(&self) -> &OrderId {
        &self.fact.order_id
    }

    pub(super) fn head(&mut self) -> &mut Head {
        &mut self.fact.head
    }

    /// The row was updated or reported then; the newest counts.
    pub(super) fn version(&mut self, at: Timestamp) {
        self.fact.version = self.fact.version.max(Some(at));
    }

    /// The row's status; the most advanced counts.
    pub(super) fn status(&mut self, status: OrderStatus) {
        let head = &mut self.fact.head;
        if head.status.is_none_or(|known| advance(status) > advance(known)) {
            head.status = Some(status);
        }
    }

    /// Adds a line of its own, though it may equal another: such rows are legal in All Orders.
    pub(super) fn line(&mut self, line: FactLine) -> Result<(), Fault> {
        if self.fact.lines.len() >= MAX_LINES {
            return Err(Fault { col: Col::NONE, why: Why::Many });
        }
        self.fact.lines.push(line);
        Ok(())
    }

    /// Adds a line by its order-item id, once; rows that repeat it must agree but for discounts.
    /// Returns its place.
    pub(super) fn item(&mut self, line: FactLine, item_id: Col) -> Result<usize, Fault> {
        let lines = &mut self.fact.lines;
        let Some(place) = lines.iter().position(|known| known.item_id == line.item_id) else {
            let place = lines.len();
            self.line(line)?;
            return Ok(place);
        };
        if let Some(known) = lines.get_mut(place) {
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
        let counted = self
            .promotions
            .iter()
            .find(|seen| seen.line == place && seen.discount == discount && seen.id == id);
        match counted {
            Some(seen) if seen.amount == amount => return Ok(()),
            Some(_) => return Err(Fault { col, why: Why::ItemDiffers }),
            None => {}
        }
        if self.promotions.len() >= MAX_LINES {
            return Err(Fault { col: Col::NONE, why: Why::Many });
        }
        self.promotions.push(Promotion { line: place, discount, id: id.to_owned(), amount });
        let Some(line) = self.fact.lines.get_mut(place) else { return Ok(()) };
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
        match &self.buyer {
            Some(known) if !outdone(&cells_of(known), cells) => {}
            _ => self.buyer = Some(buyer_of(cells)),
        }
    }

    /// A text for the delivery note.
    pub(super) fn note(&mut self, note: String) {
        if self.notes.len() < MAX_LINES && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// A row was refused.
    pub(super) fn refuse(&mut self, fault: RowFault) {
        if self.fact.faults.len() < MAX_FAULTS {
            self.fact.faults.push(fault);
        }
    }

    /// The order as this file has it.
    pub(super) fn finish(self, sidecar: Option<Marketplace>) -> OrderFacts {
        let Self { mut fact, buyer, mut notes, .. } = self;
        if fact.head.marketplace.is_none() && !fact.head.non_amazon {
            fact.head.sidecar_marketplace = sidecar;
        }
        notes.sort_unstable();
        let buyer = match buyer {
            None if notes.is_empty() => None,
            buyer => Some(BuyerFact { notes, ..buyer.unwrap_or_default() }),
        };
        OrderFacts { fact, buyer: buyer.filter(|buyer| !buyer.is_empty()) }
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
pub(super) const BUYER_CELLS: usize = 15;

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
