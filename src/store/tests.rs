//! What the store's unit tests share.

use jiff::Timestamp;

use crate::model::{Fact, FactLine, Family, Head, RowFault};

/// A good fact with one line; `version` in days.
pub(super) fn fact(order: &str, version: i64, quantity: u32) -> Fact {
    Fact {
        order_id: order.parse().unwrap(),
        family: Family::AllOrders,
        version: Some(Timestamp::from_second(1_700_000_000 + version * 86_400).unwrap()),
        head: Head::default(),
        lines: vec![FactLine {
            title: "A thing".into(),
            item_price: Some("12.50".parse().unwrap()),
            ..FactLine::new(2, "SKU-1".parse().unwrap(), quantity)
        }],
        faults: Vec::new(),
        unknown_amounts: Vec::new(),
        unknown_words: Vec::new(),
    }
}

/// A refused fact.
pub(super) fn faulty(order: &str, version: i64) -> Fact {
    let fault = RowFault {
        line: 2,
        column: "item-price".into(),
        code: "row-number".into(),
        message: "is not a number".into(),
    };
    Fact { faults: vec![fault], lines: Vec::new(), ..fact(order, version, 1) }
}

/// Stored types must survive postcard: it cannot read what describes itself while reading.
#[test]
fn stored_types_survive_postcard() {
    let fact = fact("205-1", 1, 3);
    let bytes = postcard::to_stdvec(&fact).unwrap();
    let back: Result<Fact, _> = postcard::from_bytes(&bytes);
    assert_eq!(back.expect("rust_decimal needs its feature serde-str"), fact);
}
