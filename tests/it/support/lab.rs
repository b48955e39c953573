//! Real Odoos: `tests/lab/odoo.sh` makes a database per test.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use odoo_spoold::odoo::{Client, Context, Endpoint, Find, Record};

/// A database in a real Odoo, dropped when the test ends.
pub struct Lab {
    pub version: u32,
    pub database: String,
    pub env: Value,
}

/// The versions to run on; none where the tests run without a lab.
pub fn versions(test: &str) -> Vec<u32> {
    if std::env::var_os("ODOO_SPOOLD_LAB").is_none_or(|lab| lab == "0") {
        super::skip::skip(&format!("{test}: no real Odoo (ODOO_SPOOLD_LAB is not set)"));
        return Vec::new();
    }
    let only = std::env::var("ODOO_SPOOLD_LAB_ONLY").ok();
    [19, 14]
        .into_iter()
        .filter(|v| only.as_ref().is_none_or(|only| *only == v.to_string()))
        .collect()
}

/// A path below the project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a program, gives it `input`, and returns what it prints.
pub fn run(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(
        out.status.success(),
        "{command:?} failed:\n{}\n{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

impl Lab {
    /// A fresh copy of the template, of a name that no other run has.
    pub fn new(version: u32, test: &str) -> Self {
        let database = format!("t-{}-{}", test.replace('_', "-"), std::process::id());
        script(version, &["reset", &database], "");
        let env =
            serde_json::from_str(&script(version, &["env", &database, "--json"], "")).unwrap();
        Self { version, database, env }
    }

    /// A copy, as a lab of its own. It is the copy that is dropped, so this must be forgotten.
    pub fn beside(other: &Self, copy: &Backup) -> Self {
        Self { version: other.version, database: copy.database.clone(), env: other.env.clone() }
    }

    pub fn text(&self, key: &str) -> String {
        self.env[key].as_str().unwrap().to_owned()
    }

    /// Runs Python in `odoo shell` as superuser.
    pub fn shell(&self, python: &str) -> String {
        script(self.version, &["shell", &self.database], python)
    }

    /// Runs SQL; the answer's rows, cells separated by `|`.
    pub fn sql(&self, sql: &str) -> String {
        script(self.version, &["psql", &self.database, "-Atqc", sql], "").trim().to_owned()
    }

    pub fn count(&self, sql: &str) -> i64 {
        self.sql(sql).parse().unwrap()
    }

    /// Makes products for these internal references.
    pub fn products<'a>(&self, lines: impl IntoIterator<Item = &'a str>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines.into_iter().collect::<Vec<_>>().join("\n") + "\n")
            .unwrap();
        script(self.version, &["products", &self.database, file.path().to_str().unwrap()], "");
    }

    /// The four products of lines that are no goods.
    pub fn fee_products(&self) {
        self.products(["AMZ-SHIPPING", "AMZ-GIFT-WRAP", "AMZ-PROMOTION", "AMZ-ROUNDING"]);
    }

    pub fn client(&self) -> Client {
        let key = self.text("api_key").into();
        let endpoint =
            Endpoint::new(self.text("url"), self.text("database"), self.text("login"), key);
        Client::new(endpoint).unwrap()
    }

    /// Everything of the orders that have an Amazon id, by it.
    pub fn orders(&self) -> BTreeMap<String, Seen> {
        runtime().block_on(self.read_orders())
    }

    async fn read_orders(&self) -> BTreeMap<String, Seen> {
        let client = self.client();
        let context = Context::new(&[1, 2]);
        let find = Find { order: Some("id"), ..Find::default() };
        let fields = [
            "name",
            "client_order_ref",
            "state",
            "date_order",
            "commitment_date",
            "currency_id",
            "amount_total",
            "amount_tax",
            "partner_id",
            "partner_shipping_id",
            "warehouse_id",
            "company_id",
            "picking_ids",
        ];
        let orders = client
            .search_read("sale.order", json!([]), &fields, &find, context.clone())
            .await
            .unwrap();
        // Names are asked for, not known by version.
        let there = |model: &'static str, field: &'static str| {
            let (client, context) = (client.clone(), context.clone());
            async move {
                client.fields_get(model, &["type"], context).await.unwrap().contains_key(field)
            }
        };
        let modern = there("sale.order.line", "tax_ids").await;
        let taxes = if modern { "tax_ids" } else { "tax_id" };
        let fields = ["order_id", "product_id", "product_uom_qty", "price_unit", "name", taxes];
        // Notes are lines as well, without a product.
        let goods = json!([["display_type", "=", false]]);
        let lines = client
            .search_read("sale.order.line", goods, &fields, &find, context.clone())
            .await
            .unwrap();
        let names = |model: &'static str, field: &'static str| {
            let (client, context) = (client.clone(), context.clone());
            async move {
                let find = Find { archived_too: true, ..Find::default() };
                let all =
                    client.search_read(model, json!([]), &[field], &find, context).await.unwrap();
                all.iter()
                    .map(|r| {
                        (r["id"].as_i64().unwrap(), r[field].as_str().unwrap_or("").to_owned())
                    })
                    .collect::<BTreeMap<_, _>>()
            }
        };
        let references = names("product.product", "default_code").await;
        let tax_names = names("account.tax", "name").await;
        let fields = [
            "name",
            "email",
            "street",
            "street2",
            "city",
            "zip",
            "country_code",
            "parent_id",
            "is_company",
        ];
        let fields: Vec<&str> = if there("res.partner", "country_code").await {
            fields.to_vec()
        } else {
            fields.iter().copied().filter(|f| *f != "country_code").collect()
        };
        let partners = client
            .search_read("res.partner", json!([]), &fields, &find, context.clone())
            .await
            .unwrap();
        let partners: BTreeMap<i64, Record> =
            partners.into_iter().map(|p| (p["id"].as_i64().unwrap(), p)).collect();
        let mut seen = BTreeMap::new();
        for order in orders {
            let id = order["id"].as_i64().unwrap();
            let mut own: Vec<SeenLine> = lines
                .iter()
                .filter(|line| line["order_id"][0].as_i64() == Some(id))
                .map(|line| SeenLine {
                    reference: references[&line["product_id"][0].as_i64().unwrap()].clone(),
                    quantity: number(&line["product_uom_qty"]),
                    price_unit: number(&line["price_unit"]),
                    taxes: line[taxes]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|tax| tax_names[&tax.as_i64().unwrap()].clone())
                        .collect(),
                })
                .collect();
            own.sort();
            let partner = |field: &str| partners[&order[field][0].as_i64().unwrap()].clone();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (reference, name) = (text(&order["client_order_ref"]), text(&order["name"]));
            let key = if reference.is_empty() { name.clone() } else { reference };
            let entry = Seen {
                id,
                name,
                state: text(&order["state"]),
                date_order: text(&order["date_order"]),
                commitment_date: text(&order["commitment_date"]),
                currency: text(&order["currency_id"][1]),
                total: number(&order["amount_total"]),
                tax: number(&order["amount_tax"]),
                warehouse: order["warehouse_id"][0].as_i64().unwrap_or(0),
                company: order["company_id"][0].as_i64().unwrap(),
                pickings: order["picking_ids"].as_array().map_or(0, Vec::len),
                partner: partner("partner_id"),
                shipping: partner("partner_shipping_id"),
                lines: own,
            };
            let before = seen.insert(key.clone(), entry);
            assert!(before.is_none(), "the order {key} stands in Odoo twice");
        }
        seen
    }

    /// A copy of the database as it is now, under another name: a staging copy.
    pub fn copy_to(&self, name: &str) -> Backup {
        script(self.version, &["copy", &self.database, name], "");
        Backup { version: self.version, database: name.to_owned() }
    }

    /// A backup as people make it: `pg_dump -Fc`, and the files.
    pub fn dump(&self, name: &str) -> Backup {
        script(self.version, &["dump", &self.database, name], "");
        Backup { version: self.version, database: name.to_owned() }
    }

    /// Puts a [`dump`](Self::dump) in the database's place, under the same name: `pg_restore`.
    pub fn restore(&self, backup: &Backup) {
        script(self.version, &["restore", &backup.database, &self.database], "");
    }

    /// Rows in the outgoing mail and SMS queues, whatever their state.
    pub fn outgoing(&self) -> i64 {
        self.count("select (select count(*) from mail_mail) + (select count(*) from sms_sms)")
    }

    /// Orders, lines, partners, pickings: what must not double. The anonymous partner of a
    /// marketplace, which an order has until its buyer is known, comes once or not at all,
    /// depending on which report is read first: it is held to be at most one, and not counted.
    pub fn census(&self) -> Vec<i64> {
        let anonymous = "model = 'res.partner' and name like 'partner\\_anonymous\\_%'";
        let doubled =
            format!("select count(*) - count(distinct name) from ir_model_data where {anonymous}");
        assert_eq!(self.count(&doubled), 0, "an anonymous partner stands there twice");
        let people = format!(
            "res_partner where id not in (select res_id from ir_model_data where {anonymous}) \
             and id not in ({MARKERS})"
        );
        let tables =
            ["sale_order", "sale_order_line", people.as_str(), "stock_picking", "stock_move"];
        let counts = tables.map(|table| format!("(select count(*) from {table})")).join(", ");
        let row = self.sql(&format!("select {counts}"));
        row.split('|').map(|count| count.parse().unwrap()).collect()
    }

    /// The newest write to any order, line or partner but our marker, which is written when a
    /// delivery window ends: unchanged means that nothing was written.
    pub fn last_write(&self) -> String {
        self.sql(&format!(
            "select greatest((select max(write_date) from sale_order), \
             (select max(write_date) from sale_order_line), \
             (select max(write_date) from res_partner where id not in ({MARKERS})))"
        ))
    }
}

/// A copy or a dump of a lab's database, dropped when the test ends.
pub struct Backup {
    pub version: u32,
    pub database: String,
}

impl Drop for Backup {
    fn drop(&mut self) {
        script(self.version, &["drop", &self.database], "");
    }
}

/// Our own markers: archived contacts that are no customers.
const MARKERS: &str = "select res_id from ir_model_data where model = 'res.partner' \
     and module like 'spoold\\_%' and name like 'marker\\_%'";

impl Drop for Lab {
    fn drop(&mut self) {
        // What a failed test left can be looked at: ODOO_SPOOLD_KEEP=1 keeps it.
        let keep = std::thread::panicking() && std::env::var_os("ODOO_SPOOLD_KEEP").is_some();
        if !keep {
            script(self.version, &["drop", &self.database], "");
        }
    }
}

/// An order as Odoo shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub id: i64,
    pub name: String,
    pub state: String,
    pub date_order: String,
    pub commitment_date: String,
    pub currency: String,
    pub total: String,
    pub tax: String,
    pub warehouse: i64,
    pub company: i64,
    pub pickings: usize,
    pub partner: Record,
    pub shipping: Record,
    pub lines: Vec<SeenLine>,
}

/// A line as Odoo shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeenLine {
    pub reference: String,
    pub quantity: String,
    pub price_unit: String,
    pub taxes: Vec<String>,
}

/// A number's text, two places.
pub fn number(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let value: rust_decimal::Decimal = text.parse().unwrap();
    format!("{value:.2}")
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn script(version: u32, words: &[&str], input: &str) -> String {
    run(Command::new(project("tests/lab/odoo.sh")).arg(version.to_string()).args(words), input)
}
