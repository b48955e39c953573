//! The cells that make a buyer.

use crate::model::{BillTo, BuyerFact};

/// How many cells make a buyer.
pub(in super::super) const BUYER_CELLS: usize = 22;

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

pub(super) fn cells_of(buyer: &BuyerFact) -> [&str; BUYER_CELLS] {
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
pub(super) fn outdone(known: &[&str; BUYER_CELLS], other: &[&str; BUYER_CELLS]) -> bool {
    // The usual case first. Empty cells are not compared as bytes: their pointers lead nowhere,
    // which costs a masked vector load hundreds of cycles.
    let equal = |(a, b): (&&str, &&str)| a.len() == b.len() && (a.is_empty() || a == b);
    if known.iter().zip(other).all(equal) {
        return false;
    }
    let filled = |cells: &[&str; BUYER_CELLS]| cells.iter().filter(|cell| !cell.is_empty()).count();
    filled(known).cmp(&filled(other)).then_with(|| known.cmp(other)).is_lt()
}
