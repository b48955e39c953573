//! Orders of a former connector: other people's orders whose name, origin or reference contains an
//! Amazon id and is not equal to it (`AMZ-305-…`, `Amazon Order 305-…`, an id with blanks around).
//!
//! Odoo has no index for "contains", so they are listed once per account: all orders are gone through
//! by a cursor on `id`, a thousand hits a call, and Odoo itself leaves out those without an id and
//! those that are the id (our own among them). After that each batch asks for `id >` cursor only.
//! What is kept is a number of 8 bytes and an id of 8 bytes for each id found; a restart begins
//! again, and so does a look at a changed Odoo. Where more are found than [`MOST`], the list is let go
//! and each batch asks Odoo for its own ids, which is slower and finds the same.
//!
//! A transaction of somebody else may commit a lower id later than a higher one: the cursor stays
//! behind orders of the last ten minutes, which no transaction of Odoo outlives.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::send::Stop;
use super::value;
use crate::model::OdooId;
use crate::odoo::{Client, Context, Find, Record};
use crate::plan::diff::odoo_datetime;

/// Hits in one call.
const PAGE: u32 = 1_000;
/// Ids that are remembered at most: 16 MB.
const MOST: usize = 1_000_000;
/// Ids that Odoo is asked for at once where no list is kept.
const ASKED: usize = 20;
/// The cursor stays so far behind, in seconds.
const BEHIND_SECS: i64 = 600;
/// It moves at most so often, in seconds.
const MOVES_SECS: i64 = 60;
/// Where an id may stand.
const FIELDS: [&str; 3] = ["name", "origin", "client_order_ref"];
/// Odoo's patterns: `_` is any character.
const CONTAINS: &str = "%___-_______-_______%";
const EQUALS: &str = "___-_______-_______";

/// The list of one account.
#[derive(Debug, Default)]
pub(super) struct Foreign(tokio::sync::Mutex<List>);

#[derive(Debug, Default)]
struct List {
    /// Everything up to here is in the list.
    cursor: OdooId,
    /// When the cursor last moved.
    moved: Option<Timestamp>,
    /// Amazon ids as numbers, and the orders that contain them; sorted.
    found: Vec<(u64, OdooId)>,
    /// There were too many.
    overflown: bool,
}

impl Foreign {
    /// Begins again: another Odoo may stand there.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = List::default();
    }

    /// The orders that contain one of these Amazon ids, by their database ids. Asks only for what is
    /// newer than the list.
    pub(super) async fn containing(
        &self,
        client: &Client,
        context: &Context,
        ids: &[&str],
        now: Timestamp,
    ) -> Result<BTreeSet<OdooId>, Stop> {
        let mut list = self.0.lock().await;
        if !list.overflown {
            list.go_on(client, context, now).await?;
        }
        if list.overflown {
            drop(list);
            return ask(client, context, ids).await;
        }
        Ok(ids.iter().filter_map(|id| packed(id.as_bytes())).flat_map(|id| list.of(id)).collect())
    }
}

impl List {
    /// Reads on from the cursor.
    async fn go_on(
        &mut self,
        client: &Client,
        context: &Context,
        now: Timestamp,
    ) -> Result<(), Stop> {
        let mut last = self.cursor;
        loop {
            let find = Find { limit: Some(PAGE), order: Some("id"), archived_too: true };
            let page = client
                .search_read("sale.order", newer(last), &FIELDS, &find, context.clone())
                .await?;
            for record in &page {
                let id = value::id(record, "id");
                last = last.max(id);
                self.found.extend(contained(record).into_iter().map(|amazon| (amazon, id)));
            }
            if self.found.len() > MOST {
                self.found.sort_unstable();
                self.found.dedup();
            }
            if self.found.len() > MOST {
                *self = Self { overflown: true, ..Self::default() };
                return Ok(());
            }
            if page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                break;
            }
        }
        self.found.sort_unstable();
        self.found.dedup();
        let waits = |moved: Timestamp| now.duration_since(moved).as_secs() < MOVES_SECS;
        if !self.moved.is_some_and(waits) {
            // By Odoo's clock: it wrote the times that are compared.
            let clock = client.server_time().unwrap_or(now);
            let settled = clock.saturating_add(SignedDuration::from_secs(-BEHIND_SECS));
            let settled = odoo_datetime(settled.unwrap_or(clock));
            let domain = json!([["id", ">", self.cursor], ["create_date", "<", settled]]);
            let find = Find { limit: Some(1), order: Some("id desc"), archived_too: true };
            let newest = client.search("sale.order", domain, &find, context.clone()).await?;
            self.cursor = newest.first().copied().unwrap_or(self.cursor).max(self.cursor);
            self.moved = Some(now);
        }
        Ok(())
    }

    fn of(&self, amazon: u64) -> impl Iterator<Item = OdooId> {
        let from = self.found.partition_point(|(id, _)| *id < amazon);
        let rest = self.found.get(from..).unwrap_or_default();
        rest.iter().take_while(move |(id, _)| *id == amazon).map(|(_, order)| *order)
    }
}

/// Asks Odoo for orders that contain these ids.
async fn ask(client: &Client, context: &Context, ids: &[&str]) -> Result<BTreeSet<OdooId>, Stop> {
    let mut found = BTreeSet::new();
    for chunk in ids.chunks(ASKED) {
        let terms: Vec<Value> = chunk
            .iter()
            .flat_map(|id| FIELDS.map(|field| json!([field, "=like", format!("%{id}%")])))
            .collect();
        let mut domain: Vec<Value> = terms.iter().skip(1).map(|_| json!("|")).collect();
        domain.extend(terms);
        let find = Find { archived_too: true, ..Find::default() };
        let page = client.search("sale.order", Value::from(domain), &find, context.clone()).await?;
        found.extend(page);
    }
    Ok(found)
}

/// Orders behind the cursor that contain something of an Amazon id's shape.
fn newer(cursor: OdooId) -> Value {
    let mut domain = vec![json!(["id", ">", cursor]), json!("|"), json!("|")];
    for field in FIELDS {
        domain.extend([
            json!("&"),
            json!([field, "=like", CONTAINS]),
            json!("!"),
            json!([field, "=like", EQUALS]),
        ]);
    }
    Value::from(domain)
}

/// The Amazon ids that a field of the order contains without being equal to them.
pub(super) fn contained(record: &Record) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    for field in FIELDS {
        let text = value::text(record, field);
        let text = text.as_bytes();
        if text.len() > EQUALS.len() {
            found.extend(text.windows(EQUALS.len()).filter_map(packed));
        }
    }
    found
}

/// Whether a field of the order contains this Amazon id without being equal to it.
pub(super) fn contains(record: &Record, amazon: &str) -> bool {
    packed(amazon.as_bytes()).is_some_and(|id| contained(record).contains(&id))
}

/// An Amazon id (three characters, seven digits, seven digits) as a number; none for another text.
fn packed(text: &[u8]) -> Option<u64> {
    let [a, b, c, b'-', rest @ ..] = text else { return None };
    let (middle, end) = rest.split_at_checked(7)?;
    let [b'-', end @ ..] = end else { return None };
    if end.len() != 7 {
        return None;
    }
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    // Orders that Amazon only ships begin with a letter.
    let (letter, first) = match a {
        b'S' => (1, 0),
        b'D' => (2, 0),
        b'P' => (3, 0),
        other => (0, digit(other)?),
    };
    let mut number = letter * 10 + first;
    for byte in [b, c].into_iter().chain(middle).chain(end) {
        number = number * 10 + digit(byte)?;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: Value) -> Record {
        let Value::Object(record) = fields else { panic!() };
        record
    }

    #[test]
    fn case_r16_ids_are_found_within_other_texts() {
        let id = "305-7000016-0000002";
        for (fields, hit) in [
            (json!({"name": "AMZ-305-7000016-0000002"}), true),
            (json!({"origin": "Amazon Order 305-7000016-0000002"}), true),
            (json!({"client_order_ref": " 305-7000016-0000002 "}), true),
            (json!({"client_order_ref": "305-7000016-0000002/2"}), true),
            // Equal ones are found by the exact search.
            (json!({"name": "305-7000016-0000002", "origin": false}), false),
            (json!({"name": "AMZ-305-7000016-0000003"}), false),
            (json!({"name": "AMZ-305-7000016-000000"}), false),
            (json!({"name": "S00042", "origin": "a much longer text than any id"}), false),
        ] {
            assert_eq!(contains(&record(fields.clone()), id), hit, "{fields}");
        }
        let two = record(json!({"origin": "305-7000016-0000002,S01-7000016-0000003"}));
        assert_eq!(contained(&two).len(), 2);
        assert!(contains(&two, "S01-7000016-0000003"));
    }

    #[test]
    fn different_ids_are_different_numbers() {
        let ids = [
            "001-0000000-0000000",
            "S01-0000000-0000000",
            "D01-0000000-0000000",
            "P01-0000000-0000000",
            "101-0000000-0000000",
            "001-0000000-0000001",
        ];
        let numbers: BTreeSet<u64> = ids.iter().filter_map(|id| packed(id.as_bytes())).collect();
        assert_eq!(numbers.len(), ids.len());
        for other in ["", "305-7000016-000000", "305-7000016-00000022", "X01-7000016-0000002"] {
            assert_eq!(packed(other.as_bytes()), None, "{other}");
        }
    }
}
