//! Facts, buyers, keys and directories for the store's tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use odoo_spoold::model::{
    AccountId, BuyerFact, Death, Fact, FactLine, Family, FileId, Head, Hold, HoldCode, Mapping,
    Origin, RowFault,
};
use odoo_spoold::store::{Secret, Store, StoreError, StoreKeys, StoreOptions};

pub(crate) fn secret(byte: u8) -> Secret {
    Secret::new(Box::new([byte; 32]))
}

pub(crate) fn account() -> AccountId {
    "eu_1".parse().unwrap()
}

pub(crate) fn keys() -> StoreKeys {
    StoreKeys::new("m1", secret(1)).unwrap().with_account(account(), secret(2))
}

pub(crate) fn open(dir: &Path) -> Store {
    // Between fork and exec a child of another test holds our lock's descriptor too.
    for _ in 0..400 {
        match Store::open(dir, &keys(), StoreOptions::default()) {
            Err(StoreError::Busy { .. }) => std::thread::sleep(Duration::from_millis(5)),
            opened => return opened.unwrap(),
        }
    }
    panic!("the store stays locked");
}

pub(crate) fn file(number: u64) -> FileId {
    FileId::from_bits(number)
}

/// Midnight of 21 November 2025, plus seconds.
pub(crate) fn at(seconds: i64) -> Timestamp {
    "2025-11-21T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

pub(crate) fn order(number: u64) -> String {
    format!("205-0000000-{number:07}")
}

/// A good fact of one line; versions are days.
pub(crate) fn fact(order: &str, family: Family, version: Option<i64>, quantity: u32) -> Fact {
    Fact {
        order_id: order.parse().unwrap(),
        family,
        version: version.map(|day| at(day * 86_400)),
        head: Head { purchase_date: Some(at(-86_400)), ..Head::default() },
        lines: vec![FactLine {
            title: "A canary title".into(),
            item_price: Some("12.50".parse().unwrap()),
            item_tax: Some("2.00".parse().unwrap()),
            ..FactLine::new(2, "CANARY-SKU".parse().unwrap(), quantity)
        }],
        faults: Vec::new(),
        unknown_amounts: Vec::new(),
        unknown_words: Vec::new(),
    }
}

/// The same, refused.
pub(crate) fn faulty(order: &str, family: Family, version: Option<i64>) -> Fact {
    let fault = RowFault {
        line: 2,
        column: "item-price".into(),
        code: "row-number".into(),
        message: "is not a number".into(),
    };
    Fact { faults: vec![fault], lines: Vec::new(), ..fact(order, family, version, 1) }
}

pub(crate) fn buyer(name: &str) -> BuyerFact {
    BuyerFact {
        name: name.into(),
        email: "canary@marketplace.example".into(),
        city: "Canaryville".into(),
        country: "DE".into(),
        ..BuyerFact::default()
    }
}

pub(crate) fn hold(code: HoldCode, key: &str) -> Hold {
    Hold::new(code, key, "missing")
}

pub(crate) fn death(code: &str) -> Death {
    Death { code: code.into(), words: "Odoo said no".into() }
}

pub(crate) fn mapping(odoo_id: i64) -> Mapping {
    Mapping {
        odoo_id,
        name: format!("S{odoo_id:05}"),
        state: "sale".into(),
        ..Mapping::by(Origin::Ours)
    }
}
