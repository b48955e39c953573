//! Faults in reading that audits, users and reviews found, each on a small document. A test that begins
//! with a number (`audit_04`, `case_r10`) is named after the entry in the list of findings.

use super::tests::{
    ALL_ORDERS, ORDER_REPORT, Read, UNSHIPPED, d, document, one, read, refused, row,
};
use super::*;
use crate::model::{Fact, OrderStatus, UnknownAmount, UnknownWord};

const FIRST: &str = "205-0000000-0000001";
const SECOND: &str = "205-0000000-0000002";

/// A document under `header` with columns of our own behind it, and one row with these cells.
fn with(header: &str, columns: &[(&str, &str)], changes: &[(&str, &str)]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let header = format!("{header}\t{}", names.join("\t"));
    let changes = [changes, columns].concat();
    document(&header, &[&changes])
}

fn words(fact: &Fact) -> Vec<(&str, &str)> {
    fact.unknown_words.iter().map(|word| (word.column.as_str(), word.word.as_str())).collect()
}

/// (order, line of the first fault, its code); good orders have neither.
fn faults(read: &Read) -> Vec<(&str, u64, &str)> {
    let mut all: Vec<_> = read
        .orders
        .iter()
        .map(|order| {
            let fault = order.fact.faults.first();
            let line = fault.map_or(0, |fault| fault.line);
            (order.fact.order_id.as_str(), line, fault.map_or("", |fault| fault.code.as_str()))
        })
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn audit_04_a_survey_of_rows_between_crs_is_as_long_as_one_of_lines() {
    let rows = 20_000;
    let body: Vec<String> = (0..rows)
        .map(|n| row(ALL_ORDERS, &[("amazon-order-id", &format!("205-0000000-{n:07}"))]))
        .collect();
    // In LF lines of 2,000 rows, since a line ends at 1 MiB.
    let lines: Vec<String> = body.chunks(2_000).map(|rows| rows.join("\r")).collect();
    let crs = read(format!("{ALL_ORDERS}\n{}\n", lines.join("\n")));
    let lfs = read(format!("{ALL_ORDERS}\n{}\n", body.join("\n")));
    assert_eq!(crs.orders.len(), rows);
    assert!(crs.orders.iter().zip(&lfs.orders).all(|(a, b)| a == b));
}

#[test]
fn audit_42_many_notes_of_one_order_are_bounded() {
    let rows: Vec<Vec<(&str, String)>> = (0..3_000)
        .map(|n| {
            vec![
                ("order-item-id", format!("{n:014}")),
                ("delivery-Instructions", format!("{n} {}", "x".repeat(2_000))),
            ]
        })
        .collect();
    let rows: Vec<Vec<(&str, &str)>> = rows
        .iter()
        .map(|row| row.iter().map(|(name, cell)| (*name, cell.as_str())).collect())
        .collect();
    let rows: Vec<&[(&str, &str)]> = rows.iter().map(Vec::as_slice).collect();
    let mut read = read(document(ORDER_REPORT, &rows));
    let order = read.orders.remove(0);
    assert_eq!((order.fact.lines.len(), order.fact.is_good()), (3_000, true));
    let notes = order.buyer.unwrap().notes;
    assert!((100..=130).contains(&notes.len()), "{}", notes.len());
}

#[test]
fn case_r01_order_item_ids_of_all_orders() {
    let header = format!("{ALL_ORDERS}\torder-item-id");
    let item =
        |id: &'static str| [("order-item-id", id), ("item-price", "10.00"), ("item-tax", "0.80")];
    let parts = document(
        &header,
        &[&item("07000000000011"), &item("07000000000011"), &item("07000000000012")],
    );
    let fact = one(&parts);
    assert_eq!(read(parts).survey.notices, [], "the column is known");
    let lines: Vec<_> = fact
        .lines
        .iter()
        .map(|line| {
            (line.item_id.as_ref().unwrap().as_str(), line.quantity, line.item_price, line.item_tax)
        })
        .collect();
    assert_eq!(
        lines,
        [("07000000000011", 2, d("20"), d("1.6")), ("07000000000012", 1, d("10"), d("0.8"))]
    );
    let two = one(document(&header, &[&item("07000000000021"), &item("07000000000022")]));
    assert_eq!(two.lines.len(), 2, "two items of one price");
    // A cancelled part, and one without a price, are not added to the others.
    let cancelled = [("order-item-id", "07000000000011"), ("item-status", "Cancelled")];
    let unpriced = [("order-item-id", "07000000000011"), ("item-price", "")];
    let fact = one(document(&header, &[&item("07000000000011"), &cancelled, &unpriced]));
    assert_eq!(fact.lines.len(), 3);
    let other = [("order-item-id", "07000000000011"), ("sku", "other"), ("item-tax", "0.80")];
    let read = read(document(&header, &[&item("07000000000011"), &other]));
    assert_eq!(faults(&read), [(FIRST, 3, "row-differs")]);
}

#[test]
fn case_r03_statuses_that_are_not_known_are_named_and_never_the_default() {
    for (word, status, unknown) in [
        ("Shipping", Some(OrderStatus::Unshipped), false),
        ("Complete", Some(OrderStatus::Unknown), true),
        ("Unfulfillable", Some(OrderStatus::Unknown), true),
        ("InvoiceUnconfirmed", Some(OrderStatus::Unknown), true),
        ("Shipped - Lost in Transit", Some(OrderStatus::Shipped), false),
        ("Pending - Waiting for Pick Up", Some(OrderStatus::Pending), false),
        ("", None, false),
    ] {
        let fact = one(document(ALL_ORDERS, &[&[("order-status", word)]]));
        assert_eq!(fact.head.status, status, "{word}");
        let named = if unknown { vec![("order-status", word)] } else { vec![] };
        assert_eq!(words(&fact), named);
    }
    for (column, word, shown) in [
        ("item-status", "Abandoned", "Abandoned"),
        ("fulfillment-channel", "Locker", "Locker"),
        ("tax-collection-model", "SomebodyElse", "SomebodyElse"),
        ("ship-country", "Deutschland", ""),
        ("order-status", "Erika, Bonn", ""),
        ("sales-channel", "Erika Mustermann", ""),
    ] {
        let document = document(ALL_ORDERS, &[&[(column, word)]]);
        assert_eq!(words(&one(&document)), [(column, shown)]);
        let read = read(document);
        assert_eq!(
            read.notices,
            [Notice::UnknownWords { column: column_of(column), rows: 1, line: 2 }]
        );
        assert!(!read.notices[0].to_string().contains(word));
    }
}

fn column_of(column: &str) -> &'static str {
    [
        "item-status",
        "fulfillment-channel",
        "tax-collection-model",
        "ship-country",
        "order-status",
        "sales-channel",
    ]
    .into_iter()
    .find(|known| *known == column)
    .unwrap()
}

#[test]
fn case_r04_multi_channel_orders_and_channels_that_are_not_known() {
    let sidecar: Option<crate::model::Marketplace> = "Amazon.de".parse().ok();
    for (id, channel, non_amazon, word) in [
        ("S01-7000004-0000001", "SI CA Prod Marketplace", true, ""),
        ("S02-7000004-0000002", "", true, ""),
        ("S02-7000004-0000003", "Anything", true, ""),
        (FIRST, "SI Prod IT Marketplace", true, ""),
        (FIRST, "siprod.stores.amazon.ca", true, ""),
        (FIRST, "Non-Amazon CA", true, ""),
        (FIRST, "Amazon.moon", false, "Amazon.moon"),
    ] {
        let text = document(ALL_ORDERS, &[&[("amazon-order-id", id), ("sales-channel", channel)]]);
        let survey = survey(text.as_bytes(), &Hints::default()).unwrap();
        let context = Context { sidecar_marketplace: sidecar };
        let mut reader = facts(text.as_bytes(), &survey, context, 0).unwrap();
        let fact = reader.next().unwrap().unwrap().fact;
        assert!(fact.is_good());
        assert_eq!((fact.head.non_amazon, fact.head.marketplace), (non_amazon, None), "{channel}");
        assert_eq!(fact.head.sidecar_marketplace, None, "a channel is named");
        let named = if word.is_empty() { vec![] } else { vec![("sales-channel", word)] };
        assert_eq!(words(&fact), named);
    }
    let read = read(document(ALL_ORDERS, &[&[("amazon-order-id", "S01-7000004-0000001")]]));
    assert_eq!(
        read.orders[0].fact.faults[0].code, "row-differs",
        "an Amazon.co.uk order it is not"
    );
}

#[test]
fn case_r05_cdn_is_the_canadian_dollar() {
    let fact = one(document(ALL_ORDERS, &[&[("currency", "CDN")], &[("currency", "CAD")]]));
    assert_eq!(fact.head.currency.unwrap().code(), "CAD");
}

#[test]
fn case_r10_a_line_break_in_a_cell_tears_its_row() {
    let whole = |id: &str| row(ORDER_REPORT, &[("order-id", id)]);
    for (cell, end) in [("door", "\n"), ("door", "\r\n"), ("recipient", "\n")] {
        let broken = format!("Hinter{end}Klingelschild{end}{end}Ernesto");
        let changes: &[(&str, &str)] = match cell {
            "door" => &[("order-id", FIRST), ("delivery-Instructions", &broken)],
            _ => &[("order-id", FIRST), ("recipient-name", &broken)],
        };
        let torn = row(ORDER_REPORT, changes);
        for (rows, at) in [([&torn, &whole(SECOND)], 2), ([&whole(SECOND), &torn], 3)] {
            let [a, b] = rows;
            let read = read(format!("{ORDER_REPORT}{end}{a}{end}{b}{end}"));
            let [first, second] = faults(&read).try_into().unwrap();
            assert_eq!((first.0, first.1, second), (FIRST, at, (SECOND, 0, "")), "{cell}");
            assert!(["row-torn", "row-cells"].contains(&first.2));
            assert_eq!((read.survey.orders, read.counts.orphans), (2, 2));
            let said = format!("{:?} {:?} {:?}", read.orphans, read.orders, read.notices);
            for word in ["Klingelschild", "Ernesto"] {
                assert!(!said.contains(word), "{said}");
            }
            assert!(read.orphans.iter().all(|orphan| orphan.code == "row-torn"));
        }
    }
}

#[test]
fn case_r10_a_whole_row_without_an_order_id_tears_nothing() {
    let text = document(
        ALL_ORDERS,
        &[
            &[],
            &[("amazon-order-id", "2,05E+18")],
            &[("amazon-order-id", "Erika")],
            &[("amazon-order-id", SECOND)],
        ],
    );
    let read = read(text + "rest\n");
    assert_eq!(faults(&read), [(FIRST, 0, ""), (SECOND, 5, "row-torn")]);
    let orphans: Vec<_> = read.orphans.iter().map(|f| (f.line, f.code.as_str())).collect();
    assert_eq!(orphans, [(3, "row-spreadsheet"), (4, "row-id"), (6, "row-torn")]);
}

#[test]
fn case_r13_and_r23_amounts_that_are_left_out_are_told() {
    let text = with(
        UNSHIPPED,
        &[
            ("item-price", "23.80"),
            ("shipping-price", "0.00"),
            ("payment-method-fee", "324"),
            ("cod-collectible-amount", "1324"),
            ("price-designation", "1"),
        ],
        &[],
    );
    let read = read(text);
    assert!(read.orders[0].fact.is_good() && read.orders[0].fact.unknown_amounts.is_empty());
    assert_eq!(read.orders[0].fact.lines[0].item_price, None);
    assert_eq!(read.survey.notices, []);
    let said: Vec<String> = read.notices.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("column item-price") && said[1].contains("column payment-method-fee"));
    assert!(
        read.notices
            .iter()
            .all(|notice| notice.costs_money() && notice.code() == "amounts-left-out")
    );
}

#[test]
fn case_kind_a_amounts_in_columns_that_are_not_known() {
    let fee = |cell: &'static str| with(ALL_ORDERS, &[("Handling-Fee", cell)], &[]);
    let amounts = |fact: &Fact| -> Vec<(String, String)> {
        fact.unknown_amounts.iter().map(|a| (a.column.clone(), a.amount.to_string())).collect()
    };
    for nothing in ["", "0", "0.00", "none", "A1", "12 %"] {
        let fact = one(fee(nothing));
        assert!(amounts(&fact).is_empty(), "{nothing}");
    }
    assert_eq!(amounts(&one(fee("2.50"))), [("Handling-Fee".into(), "2.5".into())]);
    // A tax payer's number is no amount.
    for number in ["12345678901", "ATU12345678", "ESB12345678"] {
        let fact = one(with(ALL_ORDERS, &[("recipient-tax-id", number)], &[]));
        assert!(amounts(&fact).is_empty(), "{number}");
    }
    assert!(amounts(&one(fee("ATU12345678"))).is_empty(), "three capitals are no currency");
    assert_eq!(amounts(&one(fee("-1"))), [("Handling-Fee".into(), "-1".into())]);
    let header = format!("{ALL_ORDERS}\tnew-tax\tsome-discount");
    let (a, b) = (
        [("new-tax", "1.00"), ("some-discount", "3")],
        [("new-tax", "0.50"), ("some-discount", "0")],
    );
    let fact = one(document(&header, &[&a, &b]));
    let amount = |column: &str, amount| UnknownAmount {
        column: column.into(),
        amount: d(amount).unwrap(),
        unread: vec![],
    };
    assert_eq!(fact.unknown_amounts, [amount("new-tax", "1.5"), amount("some-discount", "3")]);
    let read = read(fee("2.50"));
    let unknown = Notice::UnknownAmounts { column: "Handling-Fee".into(), rows: 1, line: 2 };
    assert_eq!(read.notices, [unknown]);
    // Another name without a word for money is no money.
    assert!(amounts(&one(with(ALL_ORDERS, &[("points", "5")], &[]))).is_empty());
}

#[test]
fn case_kind_a_another_spelling_of_a_column_is_read() {
    let plain = one(document(ALL_ORDERS, &[&[("item-tax", "2.00")]]));
    let text = document(ALL_ORDERS, &[&[("item-tax", "2.00")]]);
    for (name, other) in
        [("item-tax", "ItemTax"), ("vat-exclusive-item-price", "VAT exclusive item price")]
    {
        assert_eq!(one(text.replacen(name, other, 1)), plain, "{other}");
    }
}

#[test]
fn case_kind_a_blank_zero_and_absent_are_three() {
    let net = |cells: &[(&str, &str)]| one(document(ALL_ORDERS, &[cells])).lines[0].clone();
    let line = net(&[("item-tax", ""), ("vat-exclusive-item-price", "")]);
    assert_eq!((line.item_tax, line.item_price_net), (None, None));
    let line = net(&[("item-tax", "0.00"), ("vat-exclusive-item-price", "0.00")]);
    assert_eq!((line.item_tax, line.item_price_net), (d("0"), d("0")), "the planner decides");
}

#[test]
fn case_kind_b_ids_that_went_through_a_spreadsheet() {
    let header = format!("{ALL_ORDERS}\torder-item-id\tasin");
    for (column, cell, code) in [
        ("order-item-id", "7,82115E+12", "row-spreadsheet"),
        ("order-item-id", "=\"07821148853890\"", "row-spreadsheet"),
        ("order-item-id", "'07821148853890", "row-spreadsheet"),
        ("order-item-id", "0782114885389O", "row-id"),
        ("asin", "3,06406E+08", "row-spreadsheet"),
        ("asin", "306406152", "row-spreadsheet"),
        ("sku", "05.12.2025", "row-spreadsheet"),
        ("sku", "=\"007\"", "row-spreadsheet"),
    ] {
        let read = read(document(&header, &[&[(column, cell)]]));
        let fault = &read.orders[0].fact.faults[0];
        assert_eq!((fault.code.as_str(), fault.column.as_str()), (code, column), "{cell}");
        assert!(!fault.message.contains(cell));
    }
    let cut =
        read(document(&header, &[&[("order-item-id", "7821148853890"), ("asin", "0306406152")]]));
    assert_eq!(cut.notices, [Notice::CutIds { rows: 1, line: 2 }]);
    let id = cut.orders[0].fact.lines[0].item_id.as_ref().unwrap();
    assert_eq!(id.as_str(), "07821148853890", "the same item as in other reports");
}

#[test]
fn case_kind_only_the_newest_rows_of_an_order_count() {
    let at =
        |at: &'static str, price: &'static str| [("last-updated-date", at), ("item-price", price)];
    let (old, new) =
        (at("2025-05-05T10:00:00+00:00", "1.00"), at("2025-05-06T10:00:00+00:00", "2.00"));
    let bad_old = at("2025-05-05T10:00:00+00:00", "x");
    for rows in [
        vec![&old, &new, &new],
        vec![&new, &old, &new],
        vec![&new, &new, &old],
        vec![&bad_old, &new, &new],
        vec![&new, &new, &bad_old],
    ] {
        let rows: Vec<&[(&str, &str)]> = rows.into_iter().map(|row| &row[..]).collect();
        let fact = one(document(ALL_ORDERS, &rows));
        let prices: Vec<_> = fact.lines.iter().map(|line| line.item_price).collect();
        assert_eq!(prices, [d("2"), d("2")]);
        assert_eq!(fact.version, Some("2025-05-06T10:00:00Z".parse().unwrap()));
    }
    let bad_new = at("2025-05-06T10:00:00+00:00", "x");
    for rows in [[&old[..], &bad_new], [&bad_new, &old[..]]] {
        let read = read(document(ALL_ORDERS, &rows));
        assert!(!read.orders[0].fact.is_good(), "the newest is not whole");
    }
}

#[test]
fn case_kind_a_repeated_header_starts_the_same_file_again() {
    let twice = |header, rows: &[&[(&str, &str)]]| {
        let text = document(header, rows);
        (one(&text), one(text.clone() + &text))
    };
    let (once, again) = twice(ALL_ORDERS, &[&[], &[], &[("sku", "other")]]);
    assert_eq!((once.lines.len(), once.canonical()), (3, again.canonical()));
    let (once, again) = twice(UNSHIPPED, &[&[], &[("order-item-id", "20000000000000")]]);
    assert_eq!(once.canonical(), again.canonical());
    let (once, again) =
        twice(ORDER_REPORT, &[&[("item-promotion-discount", "1.00"), ("item-promotion-id", "A")]]);
    assert_eq!(once.canonical(), again.canonical());
    // Of a whole and a cut copy the whole one counts, whichever is first.
    let (whole, part) = (document(ALL_ORDERS, &[&[], &[]]), document(ALL_ORDERS, &[&[]]));
    for text in [whole.clone() + &part, part + &whole] {
        assert_eq!(one(text).lines.len(), 2);
    }
    // An order without a copy in the other half is as it was.
    let text = document(ALL_ORDERS, &[&[], &[]])
        + &document(ALL_ORDERS, &[&[("amazon-order-id", SECOND)]]);
    let lines: Vec<_> = read(text).orders.iter().map(|order| order.fact.lines.len()).collect();
    assert_eq!(lines, [2, 1]);
}

#[test]
fn a_relay_address_names_the_marketplace_where_no_row_does() {
    let header = format!("{UNSHIPPED}\tsales-channel");
    let of = |rows: &[&[(&str, &str)]]| {
        let mut read = read(document(&header, rows));
        read.orders.remove(0).fact.head.relay_marketplace.map(crate::model::Marketplace::name)
    };
    let address = |address: &'static str| [("buyer-email", address), ("sales-channel", "")];
    assert_eq!(of(&[&address("x@marketplace.amazon.de")]), Some("Amazon.de"));
    assert_eq!(of(&[&address("erika@example.com")]), None);
    let (de, fr) = (address("x@marketplace.amazon.de"), address("x@marketplace.amazon.fr"));
    let fr = [&fr[..], &[("order-item-id", "20000000000000")]].concat();
    assert_eq!(of(&[&de, &fr]), None, "two are none");
    let named = [("buyer-email", "x@marketplace.amazon.de"), ("sales-channel", "Amazon.fr")];
    assert_eq!(of(&[&named]), None, "the channel says more");
    let strange = [("buyer-email", "x@marketplace.amazon.de"), ("sales-channel", "Amazon.moon")];
    assert_eq!(of(&[&strange]), None, "a channel is named");
}

#[test]
fn case_r27_files_that_people_touched() {
    let text = document(ALL_ORDERS, &[&[]]);
    let plain = one(&text);
    assert_eq!(one(text.clone() + "\u{1a}"), plain, "Ctrl-Z of DOS");
    assert_eq!(one(text.clone() + "\n\t\t\n \n"), plain, "a blank tail");
    let zip = refused(b"PK\x03\x04\x14\0\0\0\x08\0");
    assert_eq!((zip.code(), zip.to_string().contains("ZIP archive")), ("document-format", true));
    assert_eq!(
        refused("No data available for the selected date range.\n").code(),
        "document-no-data"
    );
    for bad in ["1.210,00 €", "--", "1\u{202f}210.00"] {
        let read = read(document(ALL_ORDERS, &[&[("item-tax", bad)]]));
        assert_eq!(read.orders[0].fact.faults[0].code, "row-number", "{bad}");
    }
}

#[test]
fn every_column_of_money_is_read_or_has_a_reason() {
    // Names that hold a word for money and are words, numbers of registers or codes.
    let words = [
        "price-designation",
        "tax-collection-model",
        "tax-collection-responsible-party",
        "tax-location-code",
        "buyer-tax-registration-id",
        "buyer-tax-registration-country",
        "buyer-tax-registration-type",
        "invoice-business-tax-id",
        "invoice-business-tax-office",
    ];
    for kind in reports::kinds() {
        let header = kind.known.join("\t");
        let layout =
            layout::Layout::new(header::Header::parse(header.as_bytes(), 1).unwrap()).unwrap();
        for (place, name) in kind.known.iter().enumerate() {
            let col = header::Col::at(place);
            let used = layout.amounts.contains(&col)
                || kind.unused.iter().any(|unused| unused.name == *name);
            if layout.header.mentions(col, layout::MONEY) && !words.contains(name) {
                assert!(used, "{name}");
            }
        }
    }
}

#[test]
fn unknown_words_are_sorted_and_once() {
    let fact = one(document(
        ALL_ORDERS,
        &[
            &[("order-status", "B"), ("item-status", "Z")],
            &[("order-status", "A")],
            &[("order-status", "B")],
        ],
    ));
    let word = |column: &str, word: &str| UnknownWord { column: column.into(), word: word.into() };
    let sorted = [word("item-status", "Z"), word("order-status", "A"), word("order-status", "B")];
    assert_eq!(fact.unknown_words, sorted);
}

/// The first cells of a row, up to and with this column: the rest was cut off.
fn cut_after(header: &str, column: &str, changes: &[(&str, &str)]) -> String {
    let cells = header.split('\t').take_while(|name| *name != column).count() + 1;
    row(header, changes).split('\t').take(cells).collect::<Vec<_>>().join("\t")
}

#[test]
fn a_torn_or_short_row_is_as_old_as_its_date_says() {
    let at = |at: &'static str| [("last-updated-date", at)];
    let (old, new) = (at("2025-05-05T10:00:00+00:00"), at("2025-05-06T10:00:00+00:00"));
    let short = |changes| cut_after(ALL_ORDERS, "product-name", changes);
    let torn = |changes| row(ALL_ORDERS, changes) + "\nrest";
    let text = |rows: &[&str]| format!("{ALL_ORDERS}\n{}\n", rows.join("\n"));
    let whole = row(ALL_ORDERS, &new);
    // An older one does not count, wherever it stands.
    for old in [short(&old), torn(&old)] {
        for rows in [[&whole, &old], [&old, &whole]] {
            let read = read(text(&rows.map(String::as_str)));
            assert_eq!(faults(&read), [(FIRST, 0, "")], "{old}");
            assert_eq!(read.orders[0].fact.lines.len(), 1);
            assert!(read.counts.refused > 0, "and is told of all the same");
        }
    }
    // A newer one says when it was written, so that it holds an order that is known.
    let whole = row(ALL_ORDERS, &old);
    for newer in [short(&new), torn(&new)] {
        for rows in [[&whole, &newer], [&newer, &whole]] {
            let read = read(text(&rows.map(String::as_str)));
            let fact = &read.orders[0].fact;
            assert!(!fact.is_good());
            assert_eq!(fact.version, Some("2025-05-06T10:00:00Z".parse().unwrap()));
        }
    }
    let alone = read(text(&[&short(&new)]));
    assert_eq!(alone.orders[0].fact.version, Some("2025-05-06T10:00:00Z".parse().unwrap()));
    // A date that was cut itself is none.
    let cut = cut_after(ALL_ORDERS, "last-updated-date", &new);
    assert_eq!(read(text(&[&cut])).orders[0].fact.version, None);
    // Unshipped reports say it in another column.
    let short = cut_after(UNSHIPPED, "sku", &[]);
    let read = read(format!("{UNSHIPPED}\n{short}\n"));
    assert_eq!(read.orders[0].fact.version, Some("2025-05-05T10:23:25Z".parse().unwrap()));
}

#[test]
fn parts_of_one_report_are_joined() {
    let second = [("order-item-id", "20000000000000"), ("sku", "other")];
    for header in [ALL_ORDERS, UNSHIPPED, ORDER_REPORT] {
        let whole = one(document(header, &[&[], &second]));
        assert_eq!(whole.lines.len(), 2);
        let (a, b) = (document(header, &[&[]]), document(header, &[&second]));
        for text in [a.clone() + &b, b.clone() + &a, a.clone() + &b + &a, b.clone() + &a + &a + &b]
        {
            assert_eq!(one(text).canonical(), whole.canonical());
        }
    }
    // What parts say of the whole order counts from each of them.
    let wish = [&second[..], &[("is-buyer-requested-cancellation", "true")]].concat();
    let (a, b) = (document(UNSHIPPED, &[&[]]), document(UNSHIPPED, &[&wish]));
    for text in [a.clone() + &b, b + &a] {
        assert!(one(text).head.cancellation_requested);
    }
    // Money that no total has is counted once, and of each part.
    let header = format!("{UNSHIPPED}\tnew-fee");
    let fee = |item: &'static str, fee: &'static str| [("order-item-id", item), ("new-fee", fee)];
    let a = document(&header, &[&fee("10000000000000", "1.00")]);
    let b = document(&header, &[&fee("20000000000000", "2.00")]);
    for text in [a.clone() + &b, b.clone() + &a + &b] {
        assert_eq!(one(text).unknown_amounts[0].amount.to_string(), "3");
    }
}

#[test]
fn of_two_unshipped_reports_in_one_file_the_newer_counts() {
    let at =
        |at: &'static str, item: &'static str| [("reporting-date", at), ("order-item-id", item)];
    let (first, second) = ("10000000000000", "20000000000000");
    let (old, new) = ("2025-05-05T10:00:00+00:00", "2025-05-06T10:00:00+00:00");
    let before = document(UNSHIPPED, &[&at(old, first), &at(old, second)]);
    let after = document(UNSHIPPED, &[&at(new, second)]);
    for text in [before.clone() + &after, after + &before] {
        assert_eq!(one(text).lines.len(), 1);
    }
}

#[test]
fn many_copies_of_an_order_are_read_in_linear_time() {
    let rows: Vec<String> = (0..2_000).map(|n| format!("{n:014}")).collect();
    let of = |id: &String| row(UNSHIPPED, &[("order-item-id", id)]);
    let whole: Vec<String> = rows.iter().map(of).collect();
    let mut text = format!("{UNSHIPPED}\n{}\n", whole.join("\n"));
    for line in whole.iter().cycle().take(10_000) {
        text = text + UNSHIPPED + "\n" + line + "\n";
    }
    assert_eq!(one(text).lines.len(), 2_000);
}

#[test]
fn a_tax_registration_alone_names_the_company_that_buys() {
    let header = format!("{ALL_ORDERS}\tbuyer-company-name\tbuyer-tax-registration-id");
    let buyer = |cells: &[(&str, &str)]| {
        let mut read = read(document(&header, &[cells]));
        read.orders.remove(0).buyer
    };
    let registered = buyer(&[("buyer-tax-registration-id", "DE123456789")]).unwrap();
    assert_eq!(registered.vat, "DE123456789");
    assert_eq!(buyer(&[]), None);
}

#[test]
fn what_looks_like_money_in_an_unknown_column_is_never_passed_over() {
    let fee = |cell: &str| read(with(ALL_ORDERS, &[("Handling-Fee", cell)], &[]));
    let codes = |read: &Read| -> Vec<&str> { read.notices.iter().map(Notice::code).collect() };
    // The order waits, and can be released.
    for amount in
        ["1 234", "+5", "12 kr", "2,50", "5 €", "EUR 5.00", "1.234,56", "US$5", "5-", "1'234.00"]
    {
        let read = fee(amount);
        let fact = &read.orders[0].fact;
        assert!(fact.is_good() && fact.unknown_amounts.len() == 1, "{amount}");
        assert_eq!(codes(&read), ["amounts-unknown"], "{amount}");
    }
    // No amount, but not silent either.
    for other in ["A1", "12 %", "2025-05-05", "ATU12345678", "Tier 3 of 4", "FEE-2"] {
        let read = fee(other);
        let fact = &read.orders[0].fact;
        assert!(fact.is_good() && fact.unknown_amounts.is_empty(), "{other}");
        assert_eq!(codes(&read), ["amounts-unread"], "{other}");
        assert!(!read.notices[0].to_string().contains(other));
    }
    for nothing in ["", "0", "0,00 €", "none", "-"] {
        assert_eq!(codes(&fee(nothing)), [""; 0], "{nothing}");
    }
    // A word whose form a buyer could have chosen is not shown.
    let said = format!("{:?}", fee("0170 123456789012345678901234567890").orders);
    assert!(!said.contains("0170"), "{said}");
}
