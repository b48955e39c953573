//! Copies and parts of one report in one document.
//!
//! People paste reports together, so that a header stands in a document again. Behind it may stand
//! the same report once more, another part of it, or the report of another day. Of two that have
//! different versions the newer counts as a whole. Two of one version are laid over each other: what
//! stands in one of them only is a part; what stands in both counts once. A line is known by its
//! order-item id, else by its SKU; of an SKU the copy with more rows counts, since a copy may have
//! been cut off. Two copies that contradict each other refuse a row of the order.
//!
//! The work is linear in the rows, however many copies there are, and the outcome does not depend on
//! their sequence.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::model::{FactLine, Head, OrderItemId, RowFault, Sku};

use super::super::fault::Why;
use super::{Content, MAX_LINES, Money, cells_of, earliest, furthest, larger, outdone, row_of};

/// What all copies so far say of one order.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// All but the lines and their money; none before the first copy.
    whole: Option<Content>,
    lines: BTreeMap<Key, Group>,
    /// How many lines there are.
    count: usize,
    /// The copies contradict each other on the whole order.
    differs: bool,
}

/// By what a line is known in another copy.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Item(OrderItemId),
    Article(Sku),
}

/// The rows of one key.
#[derive(Debug, Default)]
struct Group {
    /// Sorted by what they say.
    rows: Vec<Row>,
    /// Another copy has as many, and others.
    differs: bool,
}

/// One row.
#[derive(Debug)]
struct Row {
    /// The line, without the number of the row and the title.
    line: FactLine,
    money: Vec<(String, Money)>,
    title: String,
    number: u64,
}

impl Copies {
    /// Adds a copy.
    pub(super) fn add(&mut self, mut copy: Content) {
        let groups = groups_of(&mut copy);
        match &mut self.whole {
            Some(whole) if copy.version < whole.version => return,
            Some(whole) if copy.version == whole.version => {
                self.differs |= !agrees(&mut whole.head, &copy.head);
                merge(whole, copy);
            }
            _ => *self = Self { whole: Some(copy), ..Self::default() },
        }
        for (key, rows) in groups {
            // More lines than any order has: what is there is enough to refuse it.
            if self.count > MAX_LINES {
                return;
            }
            let group = match self.lines.entry(key) {
                Entry::Vacant(free) => free.insert(Group::default()),
                Entry::Occupied(known) => known.into_mut(),
            };
            let before = group.rows.len();
            group.add(rows);
            self.count = self.count.saturating_add(group.rows.len().saturating_sub(before));
        }
    }

    /// All copies as one.
    pub(super) fn together(self, faults: &mut Vec<RowFault>) -> Content {
        let mut whole = self.whole.unwrap_or_default();
        let mut differs = self.differs;
        let mut rows: Vec<Row> = Vec::with_capacity(self.count);
        for group in self.lines.into_values() {
            differs |= group.differs;
            rows.extend(group.rows);
        }
        rows.sort_by_key(|row| row.number);
        for row in rows {
            let place = whole.lines.len();
            let money = row.money.into_iter().map(|(column, money)| ((place, column), money));
            whole.amounts.extend(money);
            whole.lines.push(FactLine { row: row.number, title: row.title, ..row.line });
        }
        let why = if whole.lines.len() > MAX_LINES { Some(Why::Many) } else { None };
        let why = why.or(differs.then_some(Why::Copies));
        if let (Some(why), Some(line)) = (why, whole.lines.first()) {
            faults.push(row_of(line, "", why));
        }
        whole.lines.truncate(MAX_LINES);
        whole
    }
}

impl Row {
    fn says(&self) -> (&FactLine, &[(String, Money)]) {
        (&self.line, &self.money)
    }
}

impl Group {
    /// Of two copies the one with more rows counts.
    fn add(&mut self, rows: Vec<Row>) {
        if rows.len() > self.rows.len() {
            *self = Self { rows, differs: false };
        } else if rows.len() == self.rows.len() {
            for (known, row) in self.rows.iter_mut().zip(rows) {
                self.differs |= known.says() != row.says();
                if row.title > known.title {
                    known.title = row.title;
                }
            }
        }
    }
}

/// Takes the lines of a copy out of it.
fn groups_of(copy: &mut Content) -> BTreeMap<Key, Vec<Row>> {
    let mut amounts = std::mem::take(&mut copy.amounts).into_iter().peekable();
    let mut groups: BTreeMap<Key, Vec<Row>> = BTreeMap::new();
    for (place, mut line) in std::mem::take(&mut copy.lines).into_iter().enumerate() {
        let mut money = Vec::new();
        while let Some(((_, column), sum)) = amounts.next_if(|((at, _), _)| *at == place) {
            money.push((column, sum));
        }
        let key = match &line.item_id {
            Some(id) => Key::Item(id.clone()),
            None => Key::Article(line.sku.clone()),
        };
        let title = std::mem::take(&mut line.title);
        let number = std::mem::take(&mut line.row);
        groups.entry(key).or_default().push(Row { line, money, title, number });
    }
    for rows in groups.values_mut() {
        rows.sort_by(|a, b| (a.says(), &a.title).cmp(&(b.says(), &b.title)));
    }
    groups
}

/// Adds what another copy says beside its head and its lines.
fn merge(whole: &mut Content, mut copy: Content) {
    whole.relay.add(copy.relay);
    whole.words.append(&mut copy.words);
    for note in copy.notes {
        whole.note(note);
    }
    let fuller = match (&whole.buyer, &copy.buyer) {
        (Some(known), Some(other)) => outdone(&cells_of(known), &cells_of(other)),
        (None, Some(_)) => true,
        (_, None) => false,
    };
    if fuller {
        whole.buyer = copy.buyer;
    }
}

/// Adds another copy's head, by the rules for the rows of one copy. False if the two contradict each
/// other.
fn agrees(known: &mut Head, other: &Head) -> bool {
    let Head {
        purchase_date,
        status,
        fulfilment,
        marketplace,
        sidecar_marketplace: _,
        relay_marketplace: _,
        non_amazon,
        currency,
        ship_country,
        service_level,
        promise_date,
        business,
        amazon_invoiced,
        invoiced_by_amazon_business,
        replacement,
        original_order_id,
        cancellation_requested,
    } = other;
    earliest(&mut known.purchase_date, *purchase_date);
    earliest(&mut known.promise_date, *promise_date);
    furthest(&mut known.status, *status);
    larger(&mut known.ship_country, ship_country.as_deref().unwrap_or_default());
    larger(&mut known.service_level, service_level.as_deref().unwrap_or_default());
    let original = known.original_order_id.take();
    known.original_order_id = original.max(original_order_id.clone());
    known.business |= business;
    known.amazon_invoiced |= amazon_invoiced;
    known.invoiced_by_amazon_business |= invoiced_by_amazon_business;
    known.replacement |= replacement;
    known.cancellation_requested |= cancellation_requested;
    known.non_amazon |= non_amazon;
    fits(&mut known.fulfilment, *fulfilment)
        && fits(&mut known.marketplace, *marketplace)
        && fits(&mut known.currency, *currency)
        && !(known.non_amazon && known.marketplace.is_some())
}

/// What both must agree on, where they say anything.
fn fits<T: PartialEq>(known: &mut Option<T>, said: Option<T>) -> bool {
    match (&known, said) {
        (_, None) => true,
        (None, said) => {
            *known = said;
            true
        }
        (Some(known), Some(said)) => *known == said,
    }
}
