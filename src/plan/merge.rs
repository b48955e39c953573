//! Facts of several families become one record.
//!
//! All Orders owns status, prices and quantities; order reports fill what it leaves blank;
//! unshipped reports bring the release, line ids and the promise date. The record depends on
//! the standing facts alone, never on the order in which they came.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::words;
use crate::model::{
    BuyerFact, Currency, Dossier, Fact, FactLine, Family, Fulfilment, ItemStatus, Marketplace,
    OrderId, OrderStatus, Sku, UnknownAmount, UnknownWord,
};

/// What all families together say of one order.
#[expect(clippy::struct_excessive_bools, reason = "each is a column of a report")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The order.
    pub order_id: OrderId,
    /// `sales-channel` of any fact; else the sidecar's; else that of the buyer's relay address.
    pub marketplace: Option<Marketplace>,
    /// Two facts name different marketplaces.
    pub marketplace_conflict: bool,
    /// Not sold on Amazon.
    pub non_amazon: bool,
    /// Who ships.
    pub fulfilment: Fulfilment,
    /// The status, `Unshipped` where only the seller's own reports know the order.
    pub status: OrderStatus,
    /// Something says that the order may be shipped.
    pub released: bool,
    /// When it was bought.
    pub purchase_date: Option<Timestamp>,
    /// The order's currency.
    pub currency: Option<Currency>,
    /// Tax destination.
    pub ship_country: Option<String>,
    /// Promised delivery.
    pub promise_date: Option<Timestamp>,
    /// Service level.
    pub service_level: Option<String>,
    /// A replacement or exchange: nothing is paid.
    pub replacement: bool,
    /// The order that a replacement is for.
    pub original_order_id: Option<OrderId>,
    /// The buyer asked to cancel.
    pub cancellation_requested: bool,
    /// A business buys.
    pub business: bool,
    /// Amazon has sent the buyer an invoice in the seller's name.
    pub amazon_invoiced: bool,
    /// Amazon Business buys the goods and invoices its customer itself.
    pub invoiced_by_amazon_business: bool,
    /// The lines.
    pub lines: Vec<RecordLine>,
    /// Money in columns that are not known, of all families.
    pub unknown_amounts: Vec<UnknownAmount>,
    /// Words that are not known, and that no newer report says better.
    pub unknown_words: Vec<UnknownWord>,
}

/// One line of a record: the amounts of the family that owns them, and the line id if any
/// family has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordLine {
    /// The line; `row` is zero, `item_id` filled from whichever family has it.
    pub fact: FactLine,
}

impl RecordLine {
    /// Makes a line in Odoo: it has a quantity and was not cancelled.
    pub fn is_live(&self) -> bool {
        is_live(&self.fact)
    }
}

/// Merges an order's standing facts; none where there is no good fact at all.
pub fn merge(dossier: &Dossier) -> Option<Record> {
    let fact = |family| dossier.facts.get(&family).map(|standing| &standing.fact);
    let all_orders = fact(Family::AllOrders);
    let unshipped = fact(Family::Unshipped);
    let report = fact(Family::OrderReport);
    // The owner of each field comes first.
    let facts: Vec<&Fact> = [all_orders, unshipped, report].into_iter().flatten().collect();
    let lead = *facts.first()?;

    let mut channels: Vec<Marketplace> =
        facts.iter().filter_map(|fact| fact.head.marketplace).collect();
    channels.dedup();
    let unknown_words = words::that_count(&facts);
    let marketplace = match channels.first() {
        Some(named) => Some(*named),
        // A channel that is named and not known is no gap for a guess to fill.
        None if unknown_words.iter().any(|word| word.column == words::CHANNEL) => None,
        None => {
            let sidecar = facts.iter().find_map(|fact| fact.head.sidecar_marketplace);
            sidecar.or_else(|| facts.iter().find_map(|fact| fact.head.relay_marketplace))
        }
    };

    let status = all_orders
        .and_then(|fact| fact.head.status)
        .or_else(|| unshipped.and_then(|fact| fact.head.status))
        // Reports for the seller list released orders only; an All Orders row without a status
        // releases nothing.
        .unwrap_or(if unshipped.is_some() || report.is_some() {
            OrderStatus::Unshipped
        } else {
            OrderStatus::Unknown
        });
    let released = unshipped.is_some()
        || report.is_some()
        || matches!(
            status,
            OrderStatus::Unshipped | OrderStatus::PartiallyShipped | OrderStatus::Shipped
        );

    Some(Record {
        order_id: lead.order_id.clone(),
        marketplace,
        marketplace_conflict: channels.len() > 1,
        non_amazon: facts.iter().any(|fact| fact.head.non_amazon),
        fulfilment: all_orders
            .and_then(|fact| fact.head.fulfilment)
            .unwrap_or(Fulfilment::Merchant),
        status,
        released,
        purchase_date: facts.iter().find_map(|fact| fact.head.purchase_date),
        // Unshipped reports have no prices: their currency says something only where it is alone.
        currency: [all_orders, report, unshipped]
            .into_iter()
            .flatten()
            .find_map(|fact| fact.head.currency),
        ship_country: facts.iter().find_map(|fact| fact.head.ship_country.clone()),
        promise_date: facts.iter().find_map(|fact| fact.head.promise_date),
        service_level: facts.iter().find_map(|fact| fact.head.service_level.clone()),
        replacement: facts.iter().any(|fact| fact.head.replacement),
        original_order_id: facts.iter().find_map(|fact| fact.head.original_order_id.clone()),
        cancellation_requested: facts.iter().any(|fact| fact.head.cancellation_requested),
        business: facts.iter().any(|fact| fact.head.business),
        amazon_invoiced: facts.iter().any(|fact| fact.head.amazon_invoiced),
        invoiced_by_amazon_business: facts.iter().any(|fact| fact.head.invoiced_by_amazon_business),
        lines: lines(all_orders, report, unshipped),
        unknown_amounts: facts.iter().flat_map(|fact| fact.unknown_amounts.clone()).collect(),
        unknown_words,
    })
}

/// Merges what is known of the buyer: unshipped reports first, order reports fill blanks, and All
/// Orders says which company it is. An address is taken as a whole from the first family that has
/// one. A purchase order number that an option of the account appends to the recipient's name is
/// taken off it again, so that a company's orders share one address.
pub fn merge_buyer(buyers: &BTreeMap<Family, BuyerFact>) -> Option<BuyerFact> {
    let order = [Family::Unshipped, Family::OrderReport, Family::AllOrders];
    let known: Vec<&BuyerFact> =
        order.iter().filter_map(|family| buyers.get(family)).filter(|b| !b.is_empty()).collect();
    let first = *known.first()?;
    let address = known
        .iter()
        .copied()
        .find(|buyer| buyer.has_address())
        .or_else(|| known.iter().copied().find(|buyer| names_a_place(buyer)))
        .unwrap_or(first);
    let text = |get: fn(&BuyerFact) -> &String| {
        known
            .iter()
            .map(|buyer| get(buyer))
            .find(|text| !text.is_empty())
            .cloned()
            .unwrap_or_default()
    };
    let mut notes: Vec<String> = known.iter().flat_map(|buyer| buyer.notes.clone()).collect();
    notes.sort();
    notes.dedup();
    let purchase_order_number = text(|b| &b.purchase_order_number);
    let bill = known.iter().map(|buyer| &buyer.bill).find(|bill| !bill.is_empty());
    Some(BuyerFact {
        email: text(|b| &b.email),
        name: text(|b| &b.name),
        phone: text(|b| &b.phone),
        company: text(|b| &b.company),
        vat: text(|b| &b.vat),
        recipient: without_number(&address.recipient, &purchase_order_number).to_owned(),
        purchase_order_number,
        bill: bill.cloned().unwrap_or_default(),
        address_1: address.address_1.clone(),
        address_2: address.address_2.clone(),
        address_3: address.address_3.clone(),
        city: address.city.clone(),
        state: address.state.clone(),
        postal_code: address.postal_code.clone(),
        country: address.country.clone(),
        ship_phone: address.ship_phone.clone(),
        notes,
    })
}

/// A recipient's name without the purchase order number that was appended to it.
fn without_number<'a>(recipient: &'a str, number: &str) -> &'a str {
    let (whole, number) = (recipient.trim_end(), number.trim());
    // Buyers type names there too, and house numbers end a name as well: neither is cut off.
    let is_number = number.len() >= 3 && number.bytes().any(|byte| byte.is_ascii_digit());
    let Some(name) = whole.strip_suffix(number).filter(|_| is_number) else {
        return recipient;
    };
    let is_joint = |last: char| last.is_whitespace() || ",;:-/#".contains(last);
    let name_alone = name.trim_end_matches(is_joint);
    // A name that only ends alike, or that is the number, stays.
    if name.ends_with(is_joint) && !name_alone.is_empty() { name_alone } else { recipient }
}

/// A part of an address, not enough to ship to.
fn names_a_place(buyer: &BuyerFact) -> bool {
    [&buyer.address_1, &buyer.city, &buyer.state, &buyer.postal_code, &buyer.country]
        .iter()
        .any(|text| !text.is_empty())
}

/// The record's lines, sorted.
fn lines(
    all_orders: Option<&Fact>,
    report: Option<&Fact>,
    unshipped: Option<&Fact>,
) -> Vec<RecordLine> {
    let owner = all_orders.or(report).or(unshipped);
    let mut by_sku = group(owner);
    let currency = |fact: Option<&Fact>| fact.and_then(|fact| fact.head.currency);
    let mixed = matches!((currency(all_orders), currency(report)), (Some(a), Some(b)) if a != b);
    // Amounts of two currencies are never put together.
    if all_orders.is_some() && !mixed {
        let fill = group(report);
        let pending = all_orders.is_some_and(|fact| fact.head.status == Some(OrderStatus::Pending));
        for (sku, rows) in &mut by_sku {
            fill_blanks(rows, fill.get(sku).map_or(&[][..], Vec::as_slice), pending);
        }
    }
    // Order reports first: their prices tell rows of one quantity apart.
    for source in [report, unshipped] {
        let ids = group(source);
        for (sku, rows) in &mut by_sku {
            take_ids(rows, ids.get(sku).map_or(&[][..], Vec::as_slice));
        }
    }
    // Who collects the tax is a matter of the order; some families leave the cell empty.
    let says = |fact: Option<&Fact>| -> Vec<bool> {
        fact.map_or(&[][..], |fact| &fact.lines)
            .iter()
            .filter_map(|line| line.facilitator)
            .collect()
    };
    let said: Vec<bool> = [all_orders, report, unshipped].into_iter().flat_map(says).collect();
    let facilitator = if said.is_empty() { None } else { Some(said.contains(&true)) };
    let mut lines: Vec<RecordLine> = by_sku
        .into_values()
        .flatten()
        .map(|fact| RecordLine { fact: FactLine { facilitator, ..fact } })
        .collect();
    lines.sort();
    lines
}

/// A fact's lines by SKU, largest quantity and total first: the order ordinals are given in.
fn group(fact: Option<&Fact>) -> BTreeMap<Sku, Vec<FactLine>> {
    let mut by_sku: BTreeMap<Sku, Vec<FactLine>> = BTreeMap::new();
    for line in fact.map_or(&[][..], |fact| &fact.lines) {
        by_sku.entry(line.sku.clone()).or_default().push(FactLine { row: 0, ..line.clone() });
    }
    for rows in by_sku.values_mut() {
        rows.sort_by(|a, b| (b.quantity, b.item_price, b).cmp(&(a.quantity, a.item_price, a)));
    }
    by_sku
}

/// What All Orders leaves blank comes from the order report, row by row where both have the same
/// rows. Where they count the rows of the SKU differently, the report's rows are taken as they are,
/// if All Orders prices none of its own and both speak of the same number of units.
fn fill_blanks(rows: &mut Vec<FactLine>, report: &[FactLine], pending: bool) {
    let (live, rest): (Vec<FactLine>, Vec<FactLine>) = rows.iter().cloned().partition(is_live);
    let report: Vec<FactLine> = report.iter().filter(|line| is_live(line)).cloned().collect();
    if let Some(pairs) = pairs(&live, &report) {
        let filled = live.into_iter().zip(pairs).map(|(row, other)| match other {
            Some(other) => filled(row, other, pending),
            None => row,
        });
        *rows = filled.chain(rest).collect();
        return;
    }
    let units = |lines: &[FactLine]| {
        lines.iter().fold(0_u64, |units, line| units.saturating_add(u64::from(line.quantity)))
    };
    let unpriced = live.iter().all(|line| line.item_price.is_none());
    let priced = report.iter().all(|line| line.item_price.is_some());
    if unpriced && priced && units(&live) == units(&report) {
        *rows = report.into_iter().chain(rest).collect();
    }
}

/// `row` without what Amazon had not calculated when it wrote the report: a tax of zero of a pending
/// order, or one beside a net price of zero; that net price, and the net price of a pending order
/// without a tax. Another report may state them.
fn without_uncalculated(mut row: FactLine, pending: bool) -> FactLine {
    let forget = |price: Option<Decimal>, net: &mut Option<Decimal>, tax: &mut Option<Decimal>| {
        let uncalculated =
            price.is_some_and(|price| !price.is_zero()) && net.is_some_and(|net| net.is_zero());
        if uncalculated || pending {
            *tax = tax.filter(|tax| !tax.is_zero());
        }
        if uncalculated || pending && tax.is_none() {
            *net = None;
        }
    };
    forget(row.item_price, &mut row.item_price_net, &mut row.item_tax);
    forget(row.shipping_price, &mut row.shipping_price_net, &mut row.shipping_tax);
    forget(row.gift_wrap_price, &mut row.gift_wrap_price_net, &mut row.gift_wrap_tax);
    row
}

/// `row` with its blanks filled, unless the two speak of different prices.
fn filled(row: FactLine, other: &FactLine, pending: bool) -> FactLine {
    if row.item_price.is_some() && row.item_price != other.item_price {
        return row;
    }
    let row = without_uncalculated(row, pending);
    FactLine {
        title: if row.title.is_empty() { other.title.clone() } else { row.title },
        item_price: row.item_price.or(other.item_price),
        item_tax: row.item_tax.or(other.item_tax),
        shipping_price: row.shipping_price.or(other.shipping_price),
        shipping_tax: row.shipping_tax.or(other.shipping_tax),
        gift_wrap_price: row.gift_wrap_price.or(other.gift_wrap_price),
        gift_wrap_tax: row.gift_wrap_tax.or(other.gift_wrap_tax),
        item_promotion: row.item_promotion.or(other.item_promotion),
        ship_promotion: row.ship_promotion.or(other.ship_promotion),
        item_price_net: row.item_price_net.or(other.item_price_net),
        shipping_price_net: row.shipping_price_net.or(other.shipping_price_net),
        gift_wrap_price_net: row.gift_wrap_price_net.or(other.gift_wrap_price_net),
        facilitator: row.facilitator.or(other.facilitator),
        ..row
    }
}

/// Line ids of another family, where it has the same live rows of the SKU.
fn take_ids(rows: &mut [FactLine], other: &[FactLine]) {
    let mut live: Vec<&mut FactLine> = rows.iter_mut().filter(|line| is_live(line)).collect();
    let other: Vec<FactLine> = other.iter().filter(|line| is_live(line)).cloned().collect();
    let own: Vec<FactLine> = live.iter().map(|line| (**line).clone()).collect();
    let Some(pairs) = pairs(&own, &other) else { return };
    for (row, other) in live.iter_mut().zip(pairs) {
        if let (None, Some(other)) = (&row.item_id, other) {
            row.item_id.clone_from(&other.item_id);
        }
    }
}

/// For each row its partner in `other`: of the same quantity, by the same order-item id first, then
/// by the same price, and never one with another id; rows that
/// no price tells apart have none, unless they are alike. None at all where the two do not have
/// the same quantities. Both are grouped, largest first.
fn pairs<'o>(rows: &[FactLine], other: &'o [FactLine]) -> Option<Vec<Option<&'o FactLine>>> {
    if !rows.iter().map(|line| line.quantity).eq(other.iter().map(|line| line.quantity)) {
        return None;
    }
    let mut free: Vec<&FactLine> = other.iter().collect();
    let mut take = |fits: &dyn Fn(&FactLine) -> bool| {
        free.iter().position(|line| fits(line)).map(|at| free.remove(at))
    };
    let other_item = |row: &FactLine, line: &FactLine| {
        row.item_id.is_some() && line.item_id.is_some() && row.item_id != line.item_id
    };
    let mut pairs: Vec<Option<&FactLine>> = rows
        .iter()
        .map(|row| {
            take(&|line| {
                row.item_id.is_some()
                    && (line.quantity, &line.item_id) == (row.quantity, &row.item_id)
            })
        })
        .collect();
    for (row, pair) in rows.iter().zip(&mut pairs).filter(|(_, pair)| pair.is_none()) {
        *pair = take(&|line| {
            row.item_price.is_some()
                && !other_item(row, line)
                && (line.quantity, line.item_price) == (row.quantity, row.item_price)
        });
    }
    let left: Vec<&FactLine> =
        rows.iter().zip(&pairs).filter(|(_, pair)| pair.is_none()).map(|(row, _)| row).collect();
    for (row, pair) in rows.iter().zip(&mut pairs).filter(|(_, pair)| pair.is_none()) {
        let mut peers = left.iter().filter(|line| line.quantity == row.quantity);
        if peers.all(|line| line.item_price == row.item_price) {
            *pair = take(&|line| !other_item(row, line) && line.quantity == row.quantity);
        }
    }
    Some(pairs)
}

/// Makes a line: it has a quantity and was not cancelled.
fn is_live(line: &FactLine) -> bool {
    line.quantity > 0 && line.status != Some(ItemStatus::Cancelled)
}

#[cfg(test)]
#[path = "merge_tests.rs"]
pub(super) mod tests;
