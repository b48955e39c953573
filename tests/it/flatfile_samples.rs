//! The real order reports of `../shared/samples`, read through both passes. The numbers were
//! counted in the files with cut, sort and uniq, not with this program.
//!
//! Without the folder (a checkout alone) the tests say so and pass.

use std::collections::BTreeMap;
use std::path::PathBuf;

use odoo_spoold::flatfile::{
    Charset, Context, DocumentError, Hints, Notice, OrderFacts, RowCounts, Survey, facts, survey,
};
use odoo_spoold::model::{FactLine, Family, Fulfilment, OrderStatus};
use rust_decimal::Decimal;

fn sample(path: &str) -> Option<Vec<u8>> {
    let shared = std::env::var_os("ODOO_SPOOLD_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = shared.join("samples/amazon").join(path);
    if let Ok(bytes) = std::fs::read(&path) {
        return Some(bytes);
    }
    assert!(!shared.join("samples").exists(), "{} is missing", path.display());
    println!("skipped: {} not present", shared.display());
    None
}

struct Read {
    survey: Survey,
    orders: BTreeMap<String, OrderFacts>,
    counts: RowCounts,
    notices: Vec<Notice>,
}

impl Read {
    fn order(&self, id: &str) -> &OrderFacts {
        self.orders.get(id).unwrap()
    }

    fn lines(&self) -> impl Iterator<Item = &FactLine> {
        self.orders.values().flat_map(|order| &order.fact.lines)
    }

    fn count(&self, wanted: impl Fn(&OrderFacts) -> bool) -> usize {
        self.orders.values().filter(|order| wanted(order)).count()
    }
}

fn read(path: &str) -> Option<Read> {
    let bytes = sample(path)?;
    let survey = survey(&bytes[..], &Hints::default()).unwrap();
    assert_eq!(survey.bytes, u64::try_from(bytes.len()).unwrap());
    let mut reader = facts(&bytes[..], &survey, Context::default(), 0).unwrap();
    let mut orders = BTreeMap::new();
    while let Some(order) = reader.next().unwrap() {
        assert!(order.fact.is_good(), "{:?}", order.fact.faults);
        orders.insert(order.fact.order_id.as_str().to_owned(), order);
    }
    let (counts, notices) = (reader.counts(), reader.notices());
    assert_eq!((counts.refused, counts.orphans), (0, 0));
    assert_eq!(usize::try_from(counts.orders), Ok(orders.len()));
    assert_eq!(survey.orders, counts.orders);
    Some(Read { survey, orders, counts, notices })
}

fn d(text: &str) -> Option<Decimal> {
    text.parse().ok()
}

#[test]
fn all_orders_uk_2025_91_columns() {
    let Some(read) = read("GET_FLAT_FILE_ALL_ORDERS_DATA_GENERAL/uk_2025_91cols_a.txt") else {
        return;
    };
    assert_eq!((read.survey.family, read.survey.charset), (Family::AllOrders, Charset::Utf8));
    assert_eq!((read.survey.rows, read.counts.orders, read.survey.blank_lines), (32, 31, 0));
    assert_eq!((read.survey.notices.as_slice(), read.notices.as_slice()), (&[][..], &[][..]));
    assert_eq!(read.lines().count(), 32);
    let status = |status| read.count(|order| order.fact.head.status == Some(status));
    assert_eq!(
        [OrderStatus::Pending, OrderStatus::Shipped, OrderStatus::Cancelled].map(status),
        [17, 13, 1]
    );
    let fba = read.count(|order| order.fact.head.fulfilment == Some(Fulfilment::Amazon));
    assert_eq!(fba, 14);
    let marketplace = |name: &str| {
        read.count(|order| order.fact.head.marketplace.is_some_and(|m| m.name() == name))
    };
    assert_eq!(["Amazon.co.uk", "Amazon.es", "Amazon.it"].map(marketplace), [29, 1, 1]);
    let sum = |of: fn(&FactLine) -> Option<Decimal>| read.lines().filter_map(of).sum::<Decimal>();
    assert_eq!(sum(|line| line.item_price), d("608.30").unwrap());
    assert_eq!(sum(|line| line.item_tax), d("83.17").unwrap());
    assert_eq!(sum(|line| line.item_promotion), d("8.34").unwrap());
    assert_eq!(read.lines().map(|line| line.quantity).sum::<u32>(), 36);
    let net_of_zero = |line: &&FactLine| line.item_price_net == Some(Decimal::ZERO);
    assert_eq!(read.lines().filter(net_of_zero).count(), 4, "a zero stays a zero");
    assert_eq!(read.lines().filter(|line| line.item_price_net.is_none()).count(), 0);
    assert_eq!(read.lines().filter(|line| line.facilitator == Some(true)).count(), 2);
    assert!(read.lines().all(|line| line.facilitator.is_some() && line.item_id.is_none()));
    assert_eq!(read.count(|order| order.fact.head.cancellation_requested), 1);
    assert_eq!(read.count(|order| order.buyer.is_some()), 1, "a business order names its company");

    let two = &read.order("204-0155982-9746226").fact;
    assert_eq!(two.lines.len(), 2);
    let first = &read.order("205-3614839-6174823").fact;
    assert_eq!(first.version, Some("2025-05-05T10:23:25Z".parse().unwrap()));
    assert_eq!(first.lines[0].sku.as_str(), "OD001090");
    assert_eq!((first.lines[0].row, first.lines[0].item_price), (2, d("14.99")));
    let cancelled =
        read.orders.values().find(|o| o.fact.head.status == Some(OrderStatus::Cancelled)).unwrap();
    let line = &cancelled.fact.lines[0];
    assert_eq!((line.quantity, line.item_price), (0, d("16.66")));
    assert_eq!((line.item_tax, line.item_price_net), (d("3.33"), d("16.66")));
}

#[test]
fn all_orders_it_2017_32_columns() {
    let Some(bytes) = sample("GET_FLAT_FILE_ALL_ORDERS_DATA_GENERAL/it_2017_32cols_scrubbed.txt")
    else {
        return;
    };
    let survey = survey(&bytes[..], &Hints::default()).unwrap();
    assert_eq!((survey.family, survey.rows), (Family::AllOrders, 1));
    let mut reader = facts(&bytes[..], &survey, Context::default(), 0).unwrap();
    assert!(reader.next().unwrap().is_none(), "its order id was blotted out: that is no order");
    assert_eq!((reader.counts().orders, reader.counts().orphans), (0, 1));
}

#[test]
fn unshipped_uk_2025_85_columns_crlf() {
    let Some(read) = read("GET_FLAT_FILE_ACTIONABLE_ORDER_DATA_SHIPPING/uk_2025_85cols_crlf.txt")
    else {
        return;
    };
    assert_eq!((read.survey.family, read.survey.charset), (Family::Unshipped, Charset::Utf8));
    assert_eq!((read.survey.rows, read.counts.orders, read.survey.blank_lines), (13, 13, 0));
    assert_eq!(read.survey.notices, []);
    assert_eq!(read.lines().count(), 13);
    assert_eq!(read.count(|order| order.fact.head.status == Some(OrderStatus::Unshipped)), 13);
    assert_eq!(read.count(|o| o.buyer.as_ref().unwrap().has_address()), 13);
    assert_eq!(read.count(|o| o.buyer.as_ref().unwrap().notes.len() == 2), 10);
    assert_eq!(read.count(|o| o.buyer.as_ref().unwrap().notes.is_empty()), 3);
    let promise = "2025-06-10T21:59:59Z".parse().ok();
    assert_eq!(read.count(|order| order.fact.head.promise_date == promise), 2);

    let french = read.order("171-1770607-1292436");
    assert!(french.fact.lines[0].title.contains("« Mains Dryer »"));
    assert!(french.fact.lines[0].title.contains("gravée"));
    assert_eq!(french.fact.head.ship_country.as_deref(), Some("FR"));
    let first = read.order("203-5924347-8738590");
    assert_eq!(first.fact.version, Some("2025-06-09T12:54:31Z".parse().unwrap()));
    assert_eq!(first.fact.lines[0].item_id.as_ref().unwrap().as_str(), "30757814210601");
    let buyer = first.buyer.as_ref().unwrap();
    assert_eq!((buyer.phone.as_str(), buyer.postal_code.as_str()), ("07700900398", "EX7 8ZL"));
    let business = read.orders.values().find(|order| order.fact.head.business).unwrap();
    assert_eq!(business.buyer.as_ref().unwrap().vat, "FR47524922313");
    assert_eq!(business.buyer.as_ref().unwrap().company, "SAMPL");
}

#[test]
fn unshipped_us_and_ca_2025_68_columns() {
    let Some(read) = read("GET_FLAT_FILE_ACTIONABLE_ORDER_DATA_SHIPPING/us_ca_2025_68cols_lf.txt")
    else {
        return;
    };
    assert_eq!((read.survey.family, read.survey.rows), (Family::Unshipped, 15));
    assert_eq!((read.counts.orders, read.lines().count()), (12, 15));
    assert_eq!(read.survey.notices, []);
    assert_eq!(read.count(|order| order.fact.lines.len() == 2), 3);
    let quoted = read.lines().filter(|line| line.title.contains('"')).count();
    assert_eq!(quoted, 5);
    let zero = read.lines().filter(|l| l.item_id.as_ref().unwrap().as_str().starts_with('0'));
    assert_eq!(zero.count(), 3);
    assert_eq!(read.lines().filter(|line| line.facilitator == Some(true)).count(), 12);
}

#[test]
fn order_report_fr_2017_latin_1() {
    let Some(read) = read("GET_FLAT_FILE_ORDERS_DATA/fr_5724843814017999_latin1.txt") else {
        return;
    };
    let survey = &read.survey;
    assert_eq!((survey.family, survey.charset), (Family::OrderReport, Charset::Windows1252));
    assert_eq!((survey.rows, read.counts.orders, read.lines().count()), (11, 10, 11));
    assert_eq!(survey.notices, []);
    let two = read.order("408-6015720-8565128");
    assert_eq!(two.fact.lines.len(), 2);
    let names: Vec<_> =
        read.orders.values().map(|o| o.buyer.as_ref().unwrap().name.as_str()).collect();
    assert!(names.contains(&"Cécile HONXA") && names.contains(&"César BI"));
    assert_eq!(read.count(|o| o.buyer.as_ref().unwrap().postal_code == "7100"), 1);
    assert_eq!(read.count(|o| o.buyer.as_ref().unwrap().address_1 == "8 cité Joly"), 1);
    let total: Decimal = read.lines().filter_map(|line| line.item_price).sum();
    assert_eq!(total, d("174.73").unwrap());
    assert_eq!(read.lines().map(|line| line.quantity).sum::<u32>(), 12);
    assert!(read.orders.values().all(|o| o.fact.version.is_none() && o.fact.head.status.is_none()));
}

#[test]
fn order_reports_of_others() {
    let Some(read) = read("GET_FLAT_FILE_ORDERS_DATA/fr_fail_file_5554017999.txt") else { return };
    assert_eq!((read.survey.family, read.survey.rows), (Family::OrderReport, 1));
    let order = read.order("406-0478427-7501799");
    assert_eq!(order.fact.lines[0].item_id.as_ref().unwrap().as_str(), "00727261142022");
    assert_eq!(order.fact.lines[0].item_price, d("14.9"));
    assert_eq!(order.fact.lines[0].item_tax, d("0"));

    let read = self::read("GET_FLAT_FILE_ORDERS_DATA/us_2009_29cols_synthetic.txt").unwrap();
    assert_eq!((read.survey.rows, read.survey.blank_lines), (6, 1));
    assert_eq!((read.counts.orders, read.lines().count()), (4, 6));
    let first = &read.order("123-4567890-1234567").fact;
    assert_eq!(first.head.purchase_date, Some("2009-01-01T18:50:49Z".parse().unwrap()));
    assert_eq!(first.lines[0].sku.as_str(), "1");
    assert_eq!(read.order("222-3333333-4444444").fact.lines.len(), 2);
}

#[test]
fn other_reports_are_refused_by_name() {
    for (path, name) in [
        ("GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2/us_6300993871.txt", "settlement report V2"),
        ("GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE/ca_50018020314.txt", "settlement report V1"),
        ("GET_MERCHANT_LISTINGS_ALL_DATA/us_2013_leading_empty_cells.txt", "listings report"),
        ("GET_MERCHANT_LISTINGS_DATA/de_27cols_semi_synthetic.txt", "listings report"),
        ("GET_AFN_INVENTORY_DATA_BY_COUNTRY/eu_2026_a.txt", "FBA inventory report by country"),
        (
            "GET_AMAZON_FULFILLED_SHIPMENTS_DATA_GENERAL/jp_2017_a_cp932_reencoded.txt",
            "FBA shipments report",
        ),
        ("GET_FBA_FULFILLMENT_CUSTOMER_RETURNS_DATA/us_2025_one_row.txt", "FBA customer returns"),
        ("GET_FBA_REIMBURSEMENTS_DATA/airbyte_placeholder.txt", "FBA reimbursements report"),
        ("GET_FLAT_FILE_RETURNS_DATA_BY_RETURN_DATE/airbyte_placeholder.txt", "returns report"),
        ("GET_LEDGER_DETAIL_VIEW_DATA/airbyte_placeholder.txt", "inventory ledger report"),
        ("GET_VAT_TRANSACTION_DATA/es_2020_one_row_from_xlsx.txt", "VAT transactions report"),
        ("FEED_PROCESSING_REPORT/fr_2014_2230_records_with_errors.txt", "feed processing report"),
        ("POST_FLAT_FILE_FULFILLMENT_DATA/jp_template_header_rows_cp932.txt", "feed template"),
    ] {
        let Some(bytes) = sample(path) else { return };
        let error = survey(&bytes[..], &Hints::default()).unwrap_err();
        assert!(
            matches!(&error, DocumentError::OtherReport { what, .. } if what.contains(name)),
            "{path}: {error}"
        );
    }
}
