//! The two passes together, on small documents with one trap each.

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::lines::tests::Dribble;
use super::survey::survey_within;
use super::*;
use crate::model::{Fact, Family, Fulfilment, ItemStatus, Marketplace, OrderStatus, RowFault};

pub(super) const ALL_ORDERS: &str = "amazon-order-id\tmerchant-order-id\tpurchase-date\tlast-updated-date\t\
    order-status\tfulfillment-channel\tsales-channel\tproduct-name\tsku\titem-status\tquantity\t\
    currency\titem-price\titem-tax\titem-promotion-discount\tship-country\
    \tvat-exclusive-item-price\ttax-collection-model";

pub(super) const UNSHIPPED: &str = "order-id\torder-item-id\tpurchase-date\treporting-date\tpromise-date\t\
    buyer-email\tbuyer-name\tsku\tproduct-name\tquantity-purchased\tquantity-shipped\t\
    quantity-to-ship\trecipient-name\tship-address-1\tship-city\tship-postal-code\tship-country\t\
    gift-message-text\tcustomized-url\tcustomized-page\tpurchase-order-number\t\
    buyer-tax-registration-id\tis-buyer-requested-cancellation\tis-replacement-order\t\
    original-order-id\tbuyer-vat-number";

pub(super) const ORDER_REPORT: &str = "order-id\torder-item-id\tpurchase-date\tsku\tproduct-name\t\
    quantity-purchased\tcurrency\titem-price\titem-promotion-discount\titem-promotion-id\t\
    ship-promotion-discount\tship-promotion-id\trecipient-name\tship-city\tdelivery-Instructions";

/// A row under `header`: what a plain one has, with `changes`.
pub(super) fn row(header: &str, changes: &[(&str, &str)]) -> String {
    let cell = |name: &str| {
        if let Some((_, value)) = changes.iter().find(|(changed, _)| *changed == name) {
            return (*value).to_owned();
        }
        let plain = match name {
            "amazon-order-id" | "order-id" => "205-0000000-0000001",
            "order-item-id" => "07821148853890",
            "purchase-date" => "2025-05-05T10:19:22+00:00",
            "last-updated-date" | "reporting-date" => "2025-05-05T10:23:25+00:00",
            "order-status" | "item-status" => "Unshipped",
            "fulfillment-channel" => "Merchant",
            "sales-channel" => "Amazon.co.uk",
            "sku" => "SKU 1",
            "quantity" | "quantity-purchased" | "quantity-to-ship" => "1",
            "currency" => "GBP",
            "item-price" => "14.90",
            "ship-country" => "GB",
            _ => "",
        };
        plain.to_owned()
    };
    header.split('\t').map(cell).collect::<Vec<_>>().join("\t")
}

pub(super) fn document(header: &str, rows: &[&[(&str, &str)]]) -> String {
    let mut text = header.to_owned();
    for changes in rows {
        text.push('\n');
        text.push_str(&row(header, changes));
    }
    text.push('\n');
    text
}

pub(super) struct Read {
    pub(super) survey: Survey,
    pub(super) orders: Vec<OrderFacts>,
    pub(super) orphans: Vec<RowFault>,
    pub(super) counts: RowCounts,
    pub(super) notices: Vec<Notice>,
}

pub(super) fn read(bytes: impl AsRef<[u8]>) -> Read {
    try_read(bytes.as_ref()).unwrap()
}

pub(super) fn try_read(bytes: &[u8]) -> Result<Read, DocumentError> {
    let survey = survey(bytes, &Hints::default())?;
    assert_eq!(survey.sweeps, 1);
    let mut reader = facts(bytes, &survey, Context::default(), 0)?;
    let mut orders = Vec::new();
    while let Some(order) = reader.next()? {
        orders.push(order);
    }
    assert!(reader.next()?.is_none());
    let (orphans, counts, notices) = (reader.orphans().to_vec(), reader.counts(), reader.notices());
    Ok(Read { survey, orders, orphans, counts, notices })
}

pub(super) fn one(bytes: impl AsRef<[u8]>) -> Fact {
    let mut read = read(bytes);
    assert_eq!(read.orders.len(), 1);
    let fact = read.orders.remove(0).fact;
    assert_eq!(fact.faults, []);
    fact
}

pub(super) fn refused(bytes: impl AsRef<[u8]>) -> DocumentError {
    match try_read(bytes.as_ref()) {
        Ok(_) => panic!("was read"),
        Err(error) => error,
    }
}

/// The fault of a plain All Orders row with these changes.
fn fault(changes: &[(&str, &str)]) -> (String, String) {
    let good: &[(&str, &str)] = &[("amazon-order-id", "205-0000000-0000002")];
    let read = read(document(ALL_ORDERS, &[changes, good]));
    assert_eq!(read.counts.refused, 1);
    let [bad, good] = read.orders.as_slice() else { panic!("two orders") };
    assert!(good.fact.is_good(), "another order is touched");
    let [fault] = bad.fact.faults.as_slice() else { panic!("one fault") };
    assert_eq!(fault.line, 2);
    (fault.code.clone(), fault.column.clone())
}

pub(super) fn d(text: &str) -> Option<Decimal> {
    text.parse().ok()
}

#[test]
fn an_all_orders_row_becomes_a_fact() {
    let fact = one(document(
        ALL_ORDERS,
        &[&[
            ("merchant-order-id", "whatever"),
            ("product-name", " Push Pull Signs "),
            ("quantity", "3"),
            ("item-price", "53.97"),
            ("item-tax", "3.0"),
            ("item-promotion-discount", "-1.67"),
            ("vat-exclusive-item-price", "0.00"),
            ("order-status", "Shipped - Delivered to Buyer"),
            ("tax-collection-model", "MarketplaceFacilitator"),
        ]],
    ));
    assert_eq!(fact.family, Family::AllOrders);
    assert_eq!(fact.order_id.as_str(), "205-0000000-0000001");
    assert_eq!(fact.version, Some("2025-05-05T10:23:25Z".parse().unwrap()));
    assert_eq!(fact.head.status, Some(OrderStatus::Shipped));
    assert_eq!(fact.head.marketplace.unwrap().name(), "Amazon.co.uk");
    assert_eq!(fact.head.fulfilment, Some(Fulfilment::Merchant));
    assert_eq!(fact.head.ship_country.as_deref(), Some("GB"));
    assert_eq!(fact.head.currency.unwrap().code(), "GBP");
    let line = &fact.lines[0];
    assert_eq!((line.row, line.quantity, line.title.as_str()), (2, 3, "Push Pull Signs"));
    assert_eq!((line.item_price, line.item_tax), (d("53.97"), d("3")));
    assert_eq!((line.item_promotion, line.item_price_net), (d("1.67"), d("0")));
    assert_eq!((line.facilitator, line.status), (Some(true), Some(ItemStatus::Live)));
    assert_eq!(line.shipping_price, None);
}

#[test]
fn equal_rows_are_separate_lines_in_all_orders() {
    let fact = one(document(ALL_ORDERS, &[&[], &[]]));
    assert_eq!(fact.lines.len(), 2);
    assert_eq!((fact.lines[0].row, fact.lines[1].row), (2, 3));
}

#[test]
fn an_order_is_handed_out_after_its_last_row_wherever_its_rows_stand() {
    let id = |id| vec![("amazon-order-id", id)];
    let (a, b, c) = ("205-0000000-0000001", "205-0000000-0000002", "205-0000000-0000003");
    let rows = [a, b, c, a, b].map(id);
    let rows: Vec<&[(&str, &str)]> = rows.iter().map(Vec::as_slice).collect();
    let read = read(document(ALL_ORDERS, &rows));
    let ids: Vec<_> = read.orders.iter().map(|o| o.fact.order_id.as_str()).collect();
    assert_eq!(ids, [c, a, b]);
    assert_eq!((read.survey.orders, read.survey.rows), (3, 5));
    assert_eq!(read.counts, RowCounts { orders: 3, rows: 5, refused: 0, orphans: 0 });
}

#[test]
fn quotes_are_literal_even_if_never_closed() {
    let read = read(document(
        ALL_ORDERS,
        &[
            &[("product-name", "Sign (3\" x 1.5\")")],
            &[("amazon-order-id", "205-0000000-0000002"), ("product-name", "\"Best\" 15\" sign")],
            &[("amazon-order-id", "205-0000000-0000003"), ("product-name", "\"never closed")],
            &[("amazon-order-id", "205-0000000-0000004")],
        ],
    ));
    let titles: Vec<_> = read.orders.iter().map(|o| o.fact.lines[0].title.as_str()).collect();
    assert_eq!(titles, ["Sign (3\" x 1.5\")", "\"Best\" 15\" sign", "\"never closed", ""]);
}

#[test]
fn a_wholly_quoted_file_is_read_in_quoted_mode() {
    let text = document(ALL_ORDERS, &[&[("product-name", "a \"\"b\"\""), ("item-price", "1,50")]]);
    let quoted = text
        .lines()
        .map(|line| {
            line.split('\t').map(|cell| format!("\"{cell}\"")).collect::<Vec<_>>().join("\t")
        })
        .collect::<Vec<_>>()
        .join("\r\n");
    let fact = one(quoted);
    assert_eq!(fact.order_id.as_str(), "205-0000000-0000001");
    assert_eq!((fact.lines[0].title.as_str(), fact.lines[0].item_price), ("a \"b\"", d("1.5")));
}

#[test]
fn line_ends_marks_and_blank_lines_change_nothing() {
    let text = document(ALL_ORDERS, &[&[], &[("amazon-order-id", "205-0000000-0000002")]]);
    let plain = read(&text);
    for (what, changed) in [
        ("CRLF", text.replace('\n', "\r\n")),
        ("CR only", text.replace('\n', "\r")),
        ("no last newline", text.trim_end_matches('\n').to_owned()),
        ("BOM", format!("\u{feff}{text}")),
        ("BOM and CRLF", format!("\u{feff}{}", text.replace('\n', "\r\n"))),
    ] {
        let read = read(&changed);
        assert_eq!(read.orders, plain.orders, "{what}");
        assert_eq!(read.survey.blank_lines, 0, "{what}");
    }
    let blank = text.replace('\n', "\n\n") + "\t\t  \t\n\n";
    let blank = read(blank);
    assert_eq!((blank.survey.rows, blank.survey.blank_lines), (2, 5));
    assert_eq!(blank.orders.len(), 2);
    let mixed = text.replacen('\n', "\r\n", 1);
    assert_eq!(read(mixed).orders, plain.orders);
}

#[test]
fn a_lone_cr_between_whole_rows_is_a_line_end() {
    let rows = ["205-0000000-0000001", "205-0000000-0000002", "205-0000000-0000003"]
        .map(|id| row(ALL_ORDERS, &[("amazon-order-id", id)]));
    let text = format!("{ALL_ORDERS}\n{}\n{}\r{}\n", rows[0], rows[1], rows[2]);
    let mixed = read(text);
    assert_eq!((mixed.survey.rows, mixed.orders.len(), mixed.counts.refused), (3, 3, 0));
    let damaged = row(ALL_ORDERS, &[("product-name", "two\rlines")]);
    let read = read(format!("{ALL_ORDERS}\n{damaged}\n"));
    assert_eq!(read.orders[0].fact.faults[0].code, "row-line-end");
}

#[test]
fn charsets() {
    let title = |text: &str| document(ALL_ORDERS, &[&[("product-name", text)]]);
    let encode = |encoding: &'static encoding_rs::Encoding, text: &str| {
        let (bytes, _, lossy) = encoding.encode(text);
        assert!(!lossy);
        bytes.into_owned()
    };
    for (text, bytes, charset) in [
        ("Größe 🎁 שלום é", title("Größe 🎁 שלום é").into_bytes(), Charset::Utf8),
        (
            "Hélène – “créée” €",
            encode(encoding_rs::WINDOWS_1252, &title("Hélène – “créée” €")),
            Charset::Windows1252,
        ),
        (
            "シャワー ①髙﨑 戸",
            encode(encoding_rs::SHIFT_JIS, &title("シャワー ①髙﨑 戸")),
            Charset::Cp932,
        ),
    ] {
        let read = read(bytes);
        assert_eq!(read.survey.charset, charset);
        assert_eq!(read.orders[0].fact.lines[0].title, text);
    }
    let mut bytes = title("é").into_bytes();
    bytes.extend(
        row(ALL_ORDERS, &[("amazon-order-id", "205-0000000-0000002"), ("product-name", "@")])
            .bytes(),
    );
    let at = bytes.iter().rposition(|&b| b == b'@').unwrap();
    bytes[at] = 0xE9;
    let read = read(bytes);
    assert!(read.orders[0].fact.is_good());
    let fault = &read.orders[1].fact.faults[0];
    assert_eq!((fault.code.as_str(), fault.column.as_str()), ("row-charset", "product-name"));
    assert_eq!(read.survey.notices, [Notice::BrokenText { lines: 1 }]);
}

#[test]
fn what_refuses_a_document() {
    let rows = document(ALL_ORDERS, &[&[], &[]]);
    let code = |bytes: &[u8]| refused(bytes).code();
    assert_eq!(code(b""), "document-empty");
    assert_eq!(code(b"\n\r\n  \n"), "document-empty");
    assert_eq!(code("\u{feff}".as_bytes()), "document-empty");
    let utf16: Vec<u8> = rows.encode_utf16().fold(vec![0xFF, 0xFE], |mut bytes, unit| {
        bytes.extend(unit.to_le_bytes());
        bytes
    });
    assert_eq!(code(&utf16), "document-utf16");
    assert_eq!(code(&utf16[2..]), "document-nul");
    let nul = refused(rows.replace("SKU 1", "SKU\0"));
    assert_eq!((nul.code(), nul.line()), ("document-nul", Some(2)));
    let long = refused(rows.replacen("SKU 1", &"x".repeat(10 << 20), 1));
    assert_eq!((long.code(), long.line()), ("document-line-long", Some(2)));
    let missing =
        refused(rows.replace("\tsku\t", "\tseller-sku\t").replace("\tcurrency", "\tmoney"));
    assert!(
        matches!(&missing, DocumentError::MissingColumns { missing, .. } if missing == &["sku", "currency"])
    );
    let double = refused(rows.replace("merchant-order-id", "SKU"));
    assert!(matches!(double, DocumentError::DuplicateColumn { column: "sku", .. }));
    assert_eq!(code(b"settlement-id\tamount-type\n"), "header-other-report");
    assert_eq!(code(b"Erika\tMustermann\n"), "header-unknown");
    assert_eq!(code(b"a,b,c,d\n1,2,3,4\n"), "header-separator");
    let pasted = refused(rows.clone() + &document(&ALL_ORDERS.replace("\titem-tax", ""), &[&[]]));
    assert_eq!((pasted.code(), pasted.line()), ("header-changes", Some(4)));
}

#[test]
fn no_error_carries_content() {
    let secret = "Erika.Mustermann";
    for text in [
        format!("{secret}\tx\ty\n"),
        format!("order-id\t{secret}\n"),
        format!("{ALL_ORDERS}\n{}\n", row(ALL_ORDERS, &[("item-price", "1,234"), ("sku", secret)])),
        format!("{ALL_ORDERS}\n{secret}\0\n"),
    ] {
        let error = refused(&text);
        let said = format!("{error} {error:?} {:?}", error.refusal());
        assert!(!said.contains(secret), "{said}");
    }
    let columns = ["quantity", "item-price", "purchase-date", "currency", "fulfillment-channel"];
    for column in columns {
        let read = read(document(ALL_ORDERS, &[&[(column, secret)]]));
        assert!(!format!("{:?}", read.orders[0].fact.faults).contains(secret), "{column}");
    }
    let read = read(document(ALL_ORDERS, &[&[("amazon-order-id", "Erika M")]]));
    assert!(!format!("{:?}", read.orphans).contains("Erika"));
    let unknown = read_unknown_columns(&format!("{secret} <x@y>"));
    assert!(!unknown.contains(secret));
}

fn read_unknown_columns(name: &str) -> String {
    let header = format!("{ALL_ORDERS}\t{name}");
    format!("{:?}", read(document(&header, &[&[]])).survey.notices)
}

#[test]
fn a_header_alone_is_a_valid_empty_report() {
    for text in [ALL_ORDERS.to_owned(), format!("{ALL_ORDERS}\n"), format!("{ALL_ORDERS}\r\n\r\n")]
    {
        let read = read(text);
        assert_eq!((read.survey.rows, read.survey.orders, read.orders.len()), (0, 0, 0));
    }
}

#[test]
fn the_same_header_twice_is_skipped_with_a_notice() {
    let text = document(ALL_ORDERS, &[&[]])
        + &document(ALL_ORDERS, &[&[("amazon-order-id", "205-0000000-0000002")]]);
    let read = read(text);
    assert_eq!((read.survey.rows, read.orders.len(), read.counts.orphans), (2, 2, 0));
    assert_eq!(read.survey.notices, [Notice::RepeatedHeader { times: 1, line: 3 }]);
}

#[test]
fn columns_may_move_come_and_go() {
    let plain = one(document(ALL_ORDERS, &[&[]]));
    let mut names: Vec<&str> = ALL_ORDERS.split('\t').collect();
    names.reverse();
    let moved = one(document(&names.join("\t"), &[&[]]));
    assert_eq!(moved, plain);
    let more = format!("brand-new\t{}\tTax_Office ", ALL_ORDERS.to_uppercase());
    let body = format!("x\t{}\ty", row(ALL_ORDERS, &[]));
    let read = read(format!("{more}\n{body}\n"));
    assert_eq!(read.orders[0].fact, plain);
    let names = vec!["brand-new".to_owned(), "Tax_Office".to_owned()];
    assert_eq!(read.survey.notices, [Notice::UnknownColumns { names, more: 0 }]);
    let without = ALL_ORDERS.replace("\ttax-collection-model", "").replace("\tsales-channel", "");
    let fact = one(document(&without, &[&[]]));
    assert_eq!((fact.lines[0].facilitator, fact.head.marketplace), (None, None));
    assert_eq!(plain.lines[0].facilitator, Some(false));
}

#[test]
fn case_r10_rows_with_other_than_the_headers_cells_are_refused() {
    let whole = row(ALL_ORDERS, &[]);
    let short = whole.trim_end_matches('\t');
    assert!(short.len() < whole.len());
    let read = read(format!("{ALL_ORDERS}\n{whole}\t\n205-0000000-0000002\n{short}\n"));
    let codes: Vec<_> = read
        .orders
        .iter()
        .flat_map(|order| &order.fact.faults)
        .map(|fault| (fault.line, fault.code.as_str()))
        .collect();
    assert_eq!(codes, [(3, "row-cells"), (2, "row-cells"), (4, "row-cells")]);
}

#[test]
fn identifiers_keep_zeros_and_case_and_damage_is_refused() {
    let fact = one(document(ALL_ORDERS, &[&[("sku", " 007 a/B, é ")]]));
    assert_eq!(fact.lines[0].sku.as_str(), "007 a/B, é");
    assert_eq!(fault(&[("sku", "5.80293E+13")]).0, "row-spreadsheet");
    assert_eq!(fault(&[("sku", "")]), ("row-empty".into(), "sku".into()));
    let read = read(document(
        ALL_ORDERS,
        &[
            &[("amazon-order-id", "2.05E+11")],
            &[("amazon-order-id", "")],
            &[("amazon-order-id", "20 5")],
            &[],
        ],
    ));
    assert_eq!(read.orders.len(), 1);
    assert_eq!(read.counts, RowCounts { orders: 1, rows: 1, refused: 0, orphans: 3 });
    let said: Vec<_> = read.orphans.iter().map(|f| (f.line, f.code.as_str())).collect();
    assert_eq!(said, [(2, "row-spreadsheet"), (3, "row-empty"), (4, "row-id")]);
}

#[test]
fn bad_cells_hold_their_own_order_only() {
    for (column, value, code) in [
        ("quantity", "1.5", "row-quantity"),
        ("quantity", "-1", "row-quantity"),
        ("quantity", "", "row-empty"),
        ("item-price", "1e3", "row-number"),
        ("item-price", "+5", "row-number"),
        ("item-price", "1_000", "row-number"),
        ("item-price", "NaN", "row-number"),
        ("item-price", "£5", "row-number"),
        ("purchase-date", "05/05/2025", "row-spreadsheet"),
        ("item-price", "1,49E+01", "row-spreadsheet"),
        ("item-price", "=\"14.90\"", "row-spreadsheet"),
        ("item-price", "'14.90", "row-spreadsheet"),
        ("item-price", "14. Sep", "row-spreadsheet"),
        ("item-price", "14. Dez", "row-spreadsheet"),
        ("item-price", "9999999999999999", "row-number"),
        ("item-price", "0.0000001", "row-number"),
        ("quantity", "2-Jan", "row-spreadsheet"),
        ("purchase-date", "", "row-empty"),
        ("last-updated-date", "2025-05-05T10:19:22", "row-date"),
        ("currency", "POUND", "row-currency"),
        ("currency", "", "row-empty"),
    ] {
        assert_eq!(fault(&[(column, value)]), (code.to_owned(), column.to_owned()), "{value}");
    }
    let long = "x".repeat(9000);
    assert_eq!(fault(&[("product-name", &long)]).0, "row-long");
}

#[test]
fn what_an_order_must_agree_on() {
    for (column, other) in [
        ("currency", "EUR"),
        ("sales-channel", "Amazon.de"),
        ("sales-channel", "Non-Amazon"),
        ("fulfillment-channel", "Amazon"),
    ] {
        for rows in [[&[][..], &[(column, other)]], [&[(column, other)], &[][..]]] {
            let read = read(document(ALL_ORDERS, &rows));
            let fault = &read.orders[0].fact.faults[0];
            assert_eq!((fault.code.as_str(), fault.column.as_str()), ("row-differs", column));
        }
    }
}

#[test]
fn marketplaces_and_currencies_may_mix_between_orders() {
    let read = read(document(
        ALL_ORDERS,
        &[
            &[
                ("amazon-order-id", "205-0000000-0000001"),
                ("sales-channel", "Amazon.es"),
                ("currency", "EUR"),
            ],
            &[
                ("amazon-order-id", "205-0000000-0000002"),
                ("sales-channel", "amazon.CO.JP"),
                ("currency", "jpy"),
                ("item-price", "3980.00"),
            ],
            &[("amazon-order-id", "S01-0000000-0000003"), ("sales-channel", "Non-Amazon CA")],
            &[
                ("amazon-order-id", "205-0000000-0000004"),
                ("sales-channel", "Amazon.moon"),
                ("order-status", "Verschickt"),
            ],
            &[("amazon-order-id", "205-0000000-0000005"), ("sales-channel", "")],
        ],
    ));
    let heads: Vec<_> = read.orders.iter().map(|o| &o.fact.head).collect();
    assert_eq!(heads[0].marketplace.unwrap().name(), "Amazon.es");
    assert_eq!(heads[1].currency.unwrap().code(), "JPY");
    assert_eq!(read.orders[1].fact.lines[0].item_price, d("3980"));
    assert!(heads[2].non_amazon && heads[2].marketplace.is_none());
    assert_eq!((heads[3].marketplace, heads[3].status), (None, Some(OrderStatus::Unknown)));
    assert_eq!(
        read.notices,
        ["order-status", "sales-channel"].map(|column| Notice::UnknownWords {
            column,
            rows: 1,
            line: 5
        })
    );
    assert_eq!(read.counts.refused, 0);
}

#[test]
fn the_sidecar_names_the_marketplace_where_no_row_does() {
    let text = document(
        ALL_ORDERS,
        &[
            &[("amazon-order-id", "205-0000000-0000001"), ("sales-channel", "")],
            &[("amazon-order-id", "205-0000000-0000002")],
            &[("amazon-order-id", "205-0000000-0000003"), ("sales-channel", "Non-Amazon")],
        ],
    );
    let survey = survey(text.as_bytes(), &Hints::default()).unwrap();
    let sidecar: Option<Marketplace> = Some("Amazon.de".parse().unwrap());
    let context = Context { sidecar_marketplace: sidecar };
    let mut reader = facts(text.as_bytes(), &survey, context, 0).unwrap();
    let mut heads = Vec::new();
    while let Some(order) = reader.next().unwrap() {
        heads.push(order.fact.head.sidecar_marketplace);
    }
    assert_eq!(heads, [sidecar, None, None]);
}

#[test]
fn decimal_marks_are_decided_for_the_file() {
    let prices = |prices: &[&str]| {
        let rows: Vec<Vec<(&str, &str)>> =
            prices.iter().map(|p| vec![("item-price", *p)]).collect();
        let rows: Vec<&[(&str, &str)]> = rows.iter().map(Vec::as_slice).collect();
        try_read(document(ALL_ORDERS, &rows).as_bytes())
            .map(|read| read.orders[0].fact.lines.iter().map(|l| l.item_price).collect::<Vec<_>>())
    };
    assert_eq!(prices(&["14,90", "1.234,56", "-3"]).unwrap(), [d("14.9"), d("1234.56"), d("-3")]);
    assert_eq!(prices(&["1,234", "0,99"]).unwrap(), [d("1.234"), d("0.99")]);
    assert_eq!(prices(&["1,234", "0.99"]).unwrap(), [d("1234"), d("0.99")]);
    assert_eq!(
        prices(&["20", "0.02", "1.5", "24732.00", ""]).unwrap(),
        [d("20"), d("0.02"), d("1.5"), d("24732"), None]
    );
    let error = prices(&["20", "1,234"]).unwrap_err();
    assert_eq!((error.line(), error.column()), (Some(3), Some("item-price")));
    assert_eq!(prices(&["1.50", "1,50"]).unwrap_err().code(), "decimal-mark");
}

#[test]
fn cancelled_rows_keep_their_price() {
    let fact = one(document(
        ALL_ORDERS,
        &[
            &[("order-status", "Shipped"), ("item-status", "Cancelled"), ("quantity", "0")],
            &[("order-status", "Canceled"), ("item-status", ""), ("quantity", "")],
        ],
    ));
    assert_eq!(fact.head.status, Some(OrderStatus::Shipped), "a live row keeps the order alive");
    assert_eq!(fact.lines[0].status, Some(ItemStatus::Cancelled));
    assert_eq!((fact.lines[0].quantity, fact.lines[0].item_price), (0, d("14.9")));
    assert_eq!((fact.lines[1].quantity, fact.lines[1].status), (0, Some(ItemStatus::Live)));
}

#[test]
fn an_unshipped_order_has_a_buyer_and_notes_and_no_price() {
    let text = document(
        UNSHIPPED,
        &[
            &[
                ("promise-date", "2025-06-10T22:59:59+00:00"),
                ("buyer-email", "x@marketplace.amazon.co.uk"),
                ("buyer-name", "Ann Sample"),
                ("recipient-name", "Bob Sample"),
                ("ship-address-1", "1 Mock Lane"),
                ("ship-city", "Leeds"),
                ("ship-postal-code", "07100"),
                ("gift-message-text", "Happy \"birthday\""),
                ("customized-url", "https://zme-caps.amazon.com/t/x"),
                ("customized-page", "https://amzn.eu/y"),
                ("purchase-order-number", "PO 7"),
                ("buyer-tax-registration-id", "FR1"),
                ("is-replacement-order", "true"),
                ("original-order-id", "205-0000000-0000000"),
            ],
            &[
                ("order-item-id", "20000000000000"),
                ("sku", "SKU 2"),
                ("reporting-date", "2025-05-06T00:00:00+00:00"),
                ("quantity-purchased", "2"),
                ("quantity-shipped", "1"),
                ("buyer-name", "Ann Sample"),
                ("is-buyer-requested-cancellation", "TRUE"),
            ],
        ],
    );
    let mut read = read(text);
    let OrderFacts { fact, buyer } = read.orders.remove(0);
    assert_eq!(fact.faults, []);
    assert_eq!(fact.family, Family::Unshipped);
    assert_eq!(fact.version, Some("2025-05-06T00:00:00Z".parse().unwrap()));
    assert_eq!(fact.head.status, Some(OrderStatus::PartiallyShipped));
    assert_eq!(fact.head.fulfilment, Some(Fulfilment::Merchant));
    assert_eq!(fact.head.promise_date, Some("2025-06-10T22:59:59Z".parse().unwrap()));
    assert!(fact.head.cancellation_requested && fact.head.replacement);
    assert_eq!(fact.head.original_order_id.unwrap().as_str(), "205-0000000-0000000");
    let ids: Vec<_> = fact.lines.iter().map(|l| l.item_id.as_ref().unwrap().as_str()).collect();
    assert_eq!(ids, ["07821148853890", "20000000000000"]);
    assert_eq!((fact.lines[1].quantity, fact.lines[1].item_price), (2, None));
    let buyer = buyer.unwrap();
    assert_eq!((buyer.name.as_str(), buyer.recipient.as_str()), ("Ann Sample", "Bob Sample"));
    assert_eq!((buyer.postal_code.as_str(), buyer.vat.as_str()), ("07100", "FR1"));
    assert_eq!(buyer.purchase_order_number, "PO 7");
    assert_eq!(
        buyer.notes,
        [
            "Customisation (files), SKU 1: https://zme-caps.amazon.com/t/x",
            "Customisation, SKU 1: https://amzn.eu/y",
            "Gift message, SKU 1: Happy \"birthday\"",
        ]
    );
    assert!(buyer.has_address());
}

#[test]
fn promotion_rows_make_one_line_and_each_promotion_counts_once() {
    let promotion = |item, item_id, ship, ship_id| {
        vec![
            ("item-price", "29.98"),
            ("quantity-purchased", "2"),
            ("item-promotion-discount", item),
            ("item-promotion-id", item_id),
            ("ship-promotion-discount", ship),
            ("ship-promotion-id", ship_id),
        ]
    };
    let rows = [
        promotion("-1.00", "A", "-0.50", "S"),
        promotion("-2.00", "B", "-0.50", "S"),
        promotion("-1.00", "A", "-0.25", "T"),
        promotion("-1.00", "A", "-0.50", "S"),
    ];
    let rows: Vec<&[(&str, &str)]> = rows.iter().map(Vec::as_slice).collect();
    let fact = one(document(ORDER_REPORT, &rows));
    let [line] = fact.lines.as_slice() else { panic!("one line") };
    assert_eq!((line.quantity, line.item_price), (2, d("29.98")));
    assert_eq!((line.item_promotion, line.ship_promotion), (d("3"), d("0.75")));
    assert_eq!((fact.version, fact.head.status), (None, None));
    for changed in [("item-price", "29.99"), ("quantity-purchased", "3"), ("sku", "other")] {
        let mut other = promotion("-3.00", "C", "", "");
        other.insert(0, changed);
        let read = read(document(ORDER_REPORT, &[rows[0], &other]));
        assert_eq!(read.orders[0].fact.faults[0].code, "row-differs", "{changed:?}");
    }
}

#[test]
fn an_order_report_has_delivery_instructions() {
    let changes = [("delivery-Instructions", "leave at \"the\" door"), ("recipient-name", "R")];
    let mut read = read(document(ORDER_REPORT, &[&changes, &changes]));
    let buyer = read.orders.remove(0).buyer.unwrap();
    assert_eq!(buyer.notes, ["Delivery instructions: leave at \"the\" door"]);
}

#[test]
fn a_document_that_changed_between_the_passes_is_noticed() {
    let text = document(ALL_ORDERS, &[&[], &[("amazon-order-id", "205-0000000-0000002")]]);
    let survey = survey(text.as_bytes(), &Hints::default()).unwrap();
    let short = &text.as_bytes()[..text.len() - 1];
    let mut reader = facts(short, &survey, Context::default(), 0).unwrap();
    assert!(reader.next().unwrap().is_some() && reader.next().unwrap().is_some());
    assert!(matches!(reader.next(), Err(DocumentError::Changed)));
    let other = text.replacen("sku", "SKU", 1);
    assert!(facts(other.as_bytes(), &survey, Context::default(), 0).is_err());
}

#[test]
fn sweeps_hand_out_each_order_once() {
    let ids: Vec<String> = (0..300).map(|i| format!("205-0000000-{:07}", i % 150)).collect();
    let rows: Vec<Vec<(&str, &str)>> =
        ids.iter().map(|id| vec![("amazon-order-id", id.as_str())]).collect();
    let rows: Vec<&[(&str, &str)]> = rows.iter().map(Vec::as_slice).collect();
    let text = document(ALL_ORDERS, &rows);
    let survey = survey_within(text.as_bytes(), &Hints::default(), 64 * 1024).unwrap();
    assert!(survey.sweeps > 3, "{}", survey.sweeps);
    let mut seen = std::collections::BTreeSet::new();
    let mut rows = 0;
    for sweep in 0..survey.sweeps {
        let mut reader = facts(text.as_bytes(), &survey, Context::default(), sweep).unwrap();
        while let Some(order) = reader.next().unwrap() {
            assert_eq!(order.fact.lines.len(), 2);
            assert!(seen.insert(order.fact.order_id.as_str().to_owned()));
        }
        rows += reader.counts().rows;
    }
    assert_eq!((seen.len(), rows), (150, 300));
}

/// Facts by order id, in their canonical form, with the buyer.
fn canonical(bytes: &[u8]) -> Vec<(String, bool, Option<Vec<u8>>)> {
    let mut all: Vec<_> = read(bytes)
        .orders
        .into_iter()
        .map(|order| {
            let mut bytes = order.fact.canonical();
            bytes.extend(serde_json::to_vec(&order.buyer).unwrap());
            let good = order.fact.is_good();
            (order.fact.order_id.as_str().to_owned(), good, good.then_some(bytes))
        })
        .collect();
    all.sort();
    all
}

fn one_of<'a>(values: &'static [&'a str]) -> impl Strategy<Value = &'a str> {
    prop::sample::select(values)
}

prop_compose! {
    fn all_orders_row()(
        id in one_of(&[
            "205-0000000-0000001", "205-0000000-0000002", "205-0000000-0000003", "S01-0000000-0000004",
            "", "a b",
        ]),
        status in one_of(&["Pending", "Shipped", "Cancelled", "Unshipped", "?"]),
        updated in one_of(&["2025-05-05T10:23:25+00:00", "2025-05-06T10:23:25-07:00", "soon"]),
        purchased in one_of(&["2025-05-05T10:00:00+00:00", "2025-05-04T10:00:00+09:00"]),
        channel in one_of(&["Amazon.de", "Amazon.de", "Amazon.de", "", "Amazon.fr", "Non-Amazon"]),
        currency in one_of(&["EUR", "EUR", "EUR", "EUR", "GBP", ""]),
        price in one_of(&["1.50", "20", "0.00", "", "-3.25", "1e3"]),
        title in one_of(&["", "15\" x 2\"", "\"open", "é", "🎁"]),
        quantity in one_of(&["0", "1", "3", "x"]),
        sku in one_of(&["A", "B", "001"]),
    ) -> String {
        row(ALL_ORDERS, &[
            ("amazon-order-id", id), ("order-status", status), ("last-updated-date", updated),
            ("purchase-date", purchased), ("sales-channel", channel), ("currency", currency),
            ("item-price", price), ("product-name", title), ("quantity", quantity), ("sku", sku),
        ])
    }
}

prop_compose! {
    fn order_report_row()(
        id in one_of(&["205-0000000-0000001", "205-0000000-0000002", "205-0000000-0000003"]),
        item in one_of(&["00000000000001", "00000000000002"]),
        title in one_of(&["x", "y"]),
        recipient in one_of(&["Ann", "Bob", ""]),
        city in one_of(&["Bonn", ""]),
        note in one_of(&["door", "shed", ""]),
        discount in one_of(&["1.00", "2.00", ""]),
        promotion in one_of(&["A", "B", ""]),
    ) -> String {
        row(ORDER_REPORT, &[
            ("order-id", id), ("order-item-id", item), ("product-name", title),
            ("recipient-name", recipient), ("ship-city", city), ("delivery-Instructions", note),
            ("item-promotion-discount", discount), ("item-promotion-id", promotion),
        ])
    }
}

fn shuffled(
    row: impl Strategy<Value = String>,
) -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    prop::collection::vec(row, 0..14)
        .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
}

fn joined(header: &str, rows: &[String]) -> Vec<u8> {
    std::iter::once(header)
        .chain(rows.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join("\n")
        .into_bytes()
}

proptest! {
    #[test]
    fn rows_in_any_order_make_the_same_facts((rows, other) in shuffled(all_orders_row())) {
        prop_assert_eq!(
            canonical(&joined(ALL_ORDERS, &rows)),
            canonical(&joined(ALL_ORDERS, &other))
        );
    }

    #[test]
    fn promotion_rows_in_any_order_make_the_same_facts((rows, other) in shuffled(order_report_row())) {
        prop_assert_eq!(
            canonical(&joined(ORDER_REPORT, &rows)),
            canonical(&joined(ORDER_REPORT, &other))
        );
    }

    #[test]
    fn reads_cut_anywhere_make_the_same_facts(
        rows in prop::collection::vec(all_orders_row(), 0..8),
        sizes in prop::collection::vec(1usize..400, 1..4),
        end in one_of(&["\n", "\r\n", "\r"]),
    ) {
        let bytes = String::from_utf8(joined(ALL_ORDERS, &rows)).unwrap().replace('\n', end);
        let dribble = || Dribble { bytes: bytes.as_bytes(), sizes: &sizes, turn: 0 };
        let whole = read(&bytes);
        let survey = survey(dribble(), &Hints::default()).unwrap();
        prop_assert_eq!((survey.rows, survey.bytes), (whole.survey.rows, whole.survey.bytes));
        prop_assert_eq!(&survey.notices, &whole.survey.notices);
        let mut reader = facts(dribble(), &survey, Context::default(), 0).unwrap();
        let mut orders = Vec::new();
        while let Some(order) = reader.next().unwrap() {
            orders.push(order);
        }
        prop_assert_eq!(orders, whole.orders);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), headed: bool) {
        let mut document = if headed { format!("{ALL_ORDERS}\n").into_bytes() } else { Vec::new() };
        document.extend(bytes);
        if let Ok(read) = try_read(&document) {
            prop_assert_eq!(read.counts.rows + read.counts.orphans, read.survey.rows);
        }
    }

    #[test]
    fn damaged_reports_do_not_make_it_panic(
        rows in prop::collection::vec(all_orders_row(), 1..4),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut document = joined(ALL_ORDERS, &rows);
        for (at, byte) in cuts {
            let at = at.index(document.len());
            document[at] = byte;
        }
        if let Ok(read) = try_read(&document) {
            prop_assert_eq!(read.counts.rows + read.counts.orphans, read.survey.rows);
        }
    }
}

#[test]
fn case_r07_and_r26_the_company_and_who_invoices_are_read() {
    let header = format!(
        "{ALL_ORDERS}\tis-business-order\tis-iba\tis-amazon-invoiced\tbuyer-company-name\t\
         buyer-vat-number\tbuyer-tax-registration-id\tpurchase-order-number"
    );
    let one = |changes: &[(&str, &str)]| {
        let orders = read(document(&header, &[changes])).orders;
        orders.into_iter().next().unwrap()
    };
    let plain = one(&[]);
    assert!(plain.buyer.is_none(), "All Orders names nobody but companies");
    let head = &plain.fact.head;
    assert!(!head.amazon_invoiced && !head.invoiced_by_amazon_business);
    let business = one(&[
        ("is-business-order", "true"),
        ("is-iba", "true"),
        ("is-amazon-invoiced", "true"),
        ("buyer-company-name", "Muster GmbH"),
        ("buyer-tax-registration-id", "LU00000000"),
        ("purchase-order-number", "PO-1"),
    ]);
    let head = &business.fact.head;
    assert!(head.business && head.amazon_invoiced && head.invoiced_by_amazon_business);
    let buyer = business.buyer.unwrap();
    assert_eq!(
        [&buyer.company, &buyer.vat, &buyer.purchase_order_number],
        ["Muster GmbH", "LU00000000", "PO-1"]
    );
    assert!(!buyer.has_address());
}

#[test]
fn case_r07_the_invoice_address_of_an_order_report_is_read() {
    let header = format!(
        "{ORDER_REPORT}\tbill-address-1\tbill-address-2\tbill-address-3\tbill-city\tbill-state\t\
         bill-postal-code\tbill-country"
    );
    let orders = read(document(
        &header,
        &[&[
            ("bill-address-1", "1 Rue Exemple"),
            ("bill-city", "Luxembourg"),
            ("bill-postal-code", "L-0000"),
            ("bill-country", "LU"),
            ("recipient-name", "Empfang"),
        ]],
    ))
    .orders;
    let buyer = orders[0].buyer.as_ref().unwrap();
    let bill = &buyer.bill;
    assert_eq!(
        [&bill.address_1, &bill.city, &bill.postal_code, &bill.country],
        ["1 Rue Exemple", "Luxembourg", "L-0000", "LU"]
    );
    assert!(buyer.city.is_empty(), "it is not the ship address");
    assert_eq!(format!("{bill:?}"), "BillTo(…)");
}
