//! What the tests on real Odoos share: reports made in the test, and a tap on the wire.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::support::lab::Lab;

/// The 29 columns of All Orders.
const ALL_ORDERS: &str = "amazon-order-id\tmerchant-order-id\tpurchase-date\tlast-updated-date\torder-status\t\
    fulfillment-channel\tsales-channel\torder-channel\turl\tship-service-level\tproduct-name\tsku\tasin\titem-status\t\
    quantity\tcurrency\titem-price\titem-tax\tshipping-price\tshipping-tax\tgift-wrap-price\tgift-wrap-tax\t\
    item-promotion-discount\tship-promotion-discount\tship-city\tship-state\tship-postal-code\tship-country\t\
    promotion-ids";
/// The 27 columns of an unshipped report.
const UNSHIPPED: &str = "order-id\torder-item-id\tpurchase-date\tpayments-date\treporting-date\tpromise-date\t\
    days-past-promise\tbuyer-email\tbuyer-name\tbuyer-phone-number\tsku\tproduct-name\tquantity-purchased\t\
    quantity-shipped\tquantity-to-ship\tship-service-level\trecipient-name\tship-address-1\tship-address-2\t\
    ship-address-3\tship-city\tship-state\tship-postal-code\tship-country\tis-business-order\t\
    purchase-order-number\tprice-designation";

/// When the orders of these tests were bought.
pub(crate) const BOUGHT: &str = "2025-03-02T10:00:00+00:00";

/// One row of All Orders, sold in the United Kingdom: 20 % tax within the price.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sale<'a> {
    pub(crate) order: &'a str,
    pub(crate) status: &'a str,
    pub(crate) item: &'a str,
    /// `Amazon` or `Merchant`.
    pub(crate) by: &'a str,
    pub(crate) sku: &'a str,
    pub(crate) quantity: u32,
    /// For all units.
    pub(crate) price: &'a str,
    pub(crate) tax: &'a str,
    /// Minutes after the purchase at which Amazon last changed the order.
    pub(crate) updated: u32,
}

impl Default for Sale<'_> {
    /// Confirmed as soon as it is seen: Amazon ships it.
    fn default() -> Self {
        Self {
            order: "",
            status: "Shipped",
            item: "Shipped",
            by: "Amazon",
            sku: "SKU-0001",
            quantity: 1,
            price: "12.00",
            tax: "2.00",
            updated: 1,
        }
    }
}

impl Sale<'_> {
    fn row(&self) -> String {
        let updated =
            format!("2025-03-02T{:02}:{:02}:00+00:00", 10 + self.updated / 60, self.updated % 60);
        let Self { order, status, item, by, sku, quantity, price, tax, .. } = self;
        format!(
            "{order}\t\t{BOUGHT}\t{updated}\t{status}\t{by}\tAmazon.co.uk\t\t\tStandard\tArticle {sku}\t{sku}\tB0\t\
             {item}\t{quantity}\tGBP\t{price}\t{tax}\t\t\t\t\t\t\tTown\t\tDT99 4ZZ\tGB\t"
        )
    }
}

/// An All Orders report.
pub(crate) fn all_orders<'a>(sales: impl IntoIterator<Item = Sale<'a>>) -> Vec<u8> {
    let rows: Vec<String> = sales.into_iter().map(|sale| sale.row()).collect();
    report(&with_header(ALL_ORDERS, rows))
}

/// A row of an unshipped report: `(order, item, sku, quantity, buyer)`.
pub(crate) type Waiting = (String, u32, &'static str, u32, u32);

/// An unshipped report.
pub(crate) fn unshipped(waiting: impl IntoIterator<Item = Waiting>) -> Vec<u8> {
    let row = |(order, item, sku, quantity, buyer): Waiting| {
        let digits: String = order.chars().filter(char::is_ascii_digit).take(10).collect();
        format!(
            "{order}\t{digits}{item:04}\t{BOUGHT}\t{BOUGHT}\t2025-03-02T10:02:00+00:00\t2025-03-05T22:59:59+00:00\t-1\t\
             buyer{buyer}@marketplace.amazon.co.uk.example\tAda Fixture\t0555 {buyer:04}\t{sku}\tArticle {sku}\t\
             {quantity}\t0\t{quantity}\tStandard\tAda Fixture\t{buyer} Sample Lane\t\t\tNETHER WALLOW\tDorset\tDT99 4ZZ\t\
             GB\tfalse\t\t"
        )
    };
    report(&with_header(UNSHIPPED, waiting.into_iter().map(row).collect()))
}

fn with_header(header: &str, rows: Vec<String>) -> Vec<String> {
    std::iter::once(header.to_owned()).chain(rows).collect()
}

/// Lines as a file.
pub(crate) fn report(lines: &[String]) -> Vec<u8> {
    (lines.join("\n") + "\n").into_bytes()
}

/// The lines of a file of ours.
pub(crate) fn lines(bytes: &[u8]) -> Vec<String> {
    std::str::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}

/// An order id: `group` keeps the tests of one database apart.
pub(crate) fn order_id(group: u32, n: u32) -> String {
    format!("{group:03}-{:07}-{:07}", n * 7919 % 10_000_000, n)
}

/// What a client sent over one connection.
type Heard = Arc<Mutex<Vec<u8>>>;

/// Stands between daemon and Odoo and writes down what is called.
pub(crate) struct Tap {
    /// Odoo's address through the tap.
    pub(crate) url: String,
    said: Arc<Mutex<Vec<Heard>>>,
}

impl Tap {
    pub(crate) fn new(lab: &Lab) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = lab.text("url");
        let (host, odoo) = url.rsplit_once(':').unwrap();
        let odoo: u16 = odoo.parse().unwrap();
        let said: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let all = Arc::clone(&said);
        // Ends with the process: it waits for a connection that does not come.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", odoo)) else { continue };
                let heard = Heard::default();
                all.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&heard));
                let (back, front) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || pass(client, server, Some(&heard)));
                std::thread::spawn(move || pass(back, front, None));
            }
        });
        Self { url: format!("{host}:{port}"), said }
    }

    /// Every call so far, as `model.method`, with how often; the probes of the server are left out.
    pub(crate) fn calls(&self) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for stream in self.said.lock().unwrap().iter() {
            for call in calls_of(&stream.lock().unwrap()) {
                *calls.entry(call).or_default() += 1;
            }
        }
        calls
    }

    /// How many calls so far could have changed something.
    pub(crate) fn writes(&self) -> usize {
        let reads = [
            "search_read",
            "read",
            "get_external_id",
            "check_object_reference",
            "fields_get",
            "search",
            "context_get",
        ];
        let calls = self.calls();
        let changing = calls.iter().filter(|(call, _)| {
            let method = call.rsplit_once('.').unwrap().1;
            !reads.contains(&method)
        });
        changing.map(|(_, times)| times).sum()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, heard: Option<&Mutex<Vec<u8>>>) {
    let mut buffer = [0; 16384];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if let Some(heard) = heard {
            heard.lock().unwrap().extend_from_slice(&buffer[..read]);
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Write).ok();
}

/// The calls in what a client sent over one connection.
fn calls_of(mut bytes: &[u8]) -> Vec<String> {
    let mut calls = Vec::new();
    while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().trim().parse::<usize>().unwrap());
        let body = &bytes[end + 4..(end + 4 + length).min(bytes.len())];
        let path = head.split(' ').nth(1).unwrap_or_default();
        if let Some(call) = path.strip_prefix("/json/2/") {
            calls.push(call.replace('/', "."));
        } else if path == "/jsonrpc" {
            let said: Value = serde_json::from_slice(body).unwrap();
            if said["params"]["service"] == "object" {
                let args = &said["params"]["args"];
                calls.push(format!("{}.{}", args[3].as_str().unwrap(), args[4].as_str().unwrap()));
            }
        }
        bytes = &bytes[(end + 4 + length).min(bytes.len())..];
    }
    calls
}

/// A report of these rows: the columns are those that any row names.
pub(crate) fn cells(rows: &[Vec<(&str, &str)>]) -> Vec<u8> {
    let mut columns: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().flatten() {
        if !columns.contains(name) {
            columns.push(name);
        }
    }
    let cell = |row: &Vec<(&str, &str)>, column: &str| {
        row.iter().find(|(name, _)| *name == column).map_or("", |(_, value)| *value).to_owned()
    };
    let line = |row: &Vec<(&str, &str)>| {
        columns.iter().map(|column| cell(row, column)).collect::<Vec<_>>().join("\t")
    };
    let mut lines = vec![columns.join("\t")];
    lines.extend(rows.iter().map(line));
    report(&lines)
}
