//! What the oracle (`tests/expected/expected.py`) says, against what Odoo shows.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::lab::{Seen, SeenLine, project, run};

/// The oracle's orders, by Amazon id.
pub fn expected(files: &[&Path], options: &[&str]) -> BTreeMap<String, Value> {
    let mut script = Command::new("python3");
    script.arg(project("tests/expected/expected.py")).args(options).args(files);
    let said: Value = serde_json::from_str(&run(&mut script, "")).unwrap();
    let orders = said["orders"].as_array().unwrap();
    orders.iter().map(|o| (o["order_id"].as_str().unwrap().to_owned(), o.clone())).collect()
}

/// `SKU <tab> title` of every product the files name.
pub fn skus(files: &[&Path]) -> Vec<String> {
    let mut script = Command::new("python3");
    script.arg(project("tests/expected/expected.py")).arg("--skus").args(files);
    run(&mut script, "").lines().map(str::to_owned).collect()
}

/// The internal reference that account.json's account uses for a line that is no goods.
fn reference(line: &Value) -> String {
    match line["kind"].as_str().unwrap() {
        "item" | "remainder" => line["product"].as_str().unwrap().to_owned(),
        "shipping" => "AMZ-SHIPPING".to_owned(),
        "gift_wrap" => "AMZ-GIFT-WRAP".to_owned(),
        "promotion" | "ship_promotion" => "AMZ-PROMOTION".to_owned(),
        other => panic!("unknown kind {other}"),
    }
}

/// Lines of the same goods, price and tax as one: reports may count the rows of an article differently.
pub fn pooled(want: &Value) -> Value {
    let mut want = want.clone();
    let mut pool: Vec<Value> = Vec::new();
    for line in want["lines"].as_array().unwrap() {
        let alike = |other: &&mut Value| {
            ["kind", "product", "price_unit", "tax"].iter().all(|key| other[key] == line[key])
                && line["kind"] == "item"
        };
        match pool.iter_mut().find(alike) {
            Some(first) => {
                let units = first["qty"].as_i64().unwrap() + line["qty"].as_i64().unwrap();
                first["qty"] = units.into();
            }
            None => pool.push(line.clone()),
        }
    }
    want["lines"] = pool.into();
    want
}

/// The same for what stands in Odoo; lines that were taken down to nothing are left out.
pub fn pooled_seen(seen: &Seen) -> Seen {
    let mut pool: Vec<SeenLine> = Vec::new();
    let units = |line: &SeenLine| line.quantity.parse::<rust_decimal::Decimal>().unwrap();
    for line in seen.lines.iter().filter(|line| !units(line).is_zero()) {
        let alike = |other: &&mut SeenLine| {
            (&other.reference, &other.price_unit, &other.taxes)
                == (&line.reference, &line.price_unit, &line.taxes)
                && !line.reference.starts_with("AMZ-")
        };
        match pool.iter_mut().find(alike) {
            Some(first) => first.quantity = format!("{:.2}", units(first) + units(line)),
            None => pool.push(line.clone()),
        }
    }
    pool.sort();
    Seen { lines: pool, ..seen.clone() }
}

/// Differences between an expected order and what Odoo shows; none is right.
pub fn differences(want: &Value, seen: Option<&Seen>) -> Vec<String> {
    let id = want["order_id"].as_str().unwrap();
    let mut found = Vec::new();
    let mut differ = |what: &str, want: &str, got: &str| {
        if want != got {
            found.push(format!("{id} {what}: expected {want}, Odoo has {got}"));
        }
    };
    let created = want["status"] == "created";
    let Some(seen) = seen else {
        differ("status", if created { "created" } else { "absent" }, "absent");
        return found;
    };
    if !created {
        differ("status", "absent", "created");
        return found;
    }
    let text = |key: &str| want[key].as_str().unwrap_or_default().to_owned();
    differ("state", &text("state"), &seen.state);
    differ("currency", &text("currency"), &seen.currency);
    differ("date_order", &text("date_order"), &seen.date_order);
    let total: rust_decimal::Decimal = text("amount_total").parse().unwrap();
    differ("total", &format!("{total:.2}"), &seen.total);
    let tax = |text: &str| text.parse::<rust_decimal::Decimal>().unwrap();
    let off = (tax(&text("amount_tax")) - tax(&seen.tax)).abs();
    // Newer versions round a tax once an order, older ones once a line.
    let limit = rust_decimal::Decimal::new(i64::try_from(seen.lines.len()).unwrap(), 2);
    if off > limit {
        differ("tax", &text("amount_tax"), &seen.tax);
    }
    let mut lines: Vec<SeenLine> = want["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| SeenLine {
            reference: reference(line),
            quantity: super::lab::number(&line["qty"]),
            price_unit: super::lab::number(&line["price_unit"]),
            taxes: match line["tax"].as_str() {
                Some("none") | None => Vec::new(),
                Some(tax) => vec![tax.to_owned()],
            },
        })
        .collect();
    lines.sort();
    differ("lines", &format!("{lines:?}"), &format!("{:?}", seen.lines));
    let partner = &want["partner"];
    if partner["kind"] == "buyer" {
        let said = |key: &str| partner[key].as_str().unwrap_or_default().trim().to_owned();
        let has = |record: &odoo_spoold::odoo::Record, key: &str| {
            record.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let mail = has(&seen.partner, "email");
        // Who ordered for a company is a contact of it.
        if seen.partner.get("is_company") != Some(&Value::Bool(true)) {
            differ("e-mail", &said("email").to_lowercase(), &mail.to_lowercase());
        }
        for (key, field) in [("street", "street"), ("city", "city"), ("zip", "zip")] {
            differ(key, &said(key), &has(&seen.shipping, field));
        }
        differ(
            "country",
            &said("country"),
            &has(&seen.shipping, "country_code").if_empty(&said("country")),
        );
        let street2 = has(&seen.shipping, "street2");
        if !street2.starts_with(&said("street2")) {
            differ("street2", &said("street2"), &street2);
        }
    } else if seen.partner.get("email").is_some_and(Value::is_string) {
        differ("partner", "anonymous", "somebody with an e-mail address");
    }
    found
}

trait IfEmpty {
    fn if_empty(self, other: &str) -> String;
}

impl IfEmpty for String {
    fn if_empty(self, other: &str) -> String {
        if self.is_empty() { other.to_owned() } else { self }
    }
}
