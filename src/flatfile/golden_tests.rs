//! What was found in the field, read through both passes: our look-alikes in tests/vectors (made by `cases.py` there), and
//! the files of `../shared/cases` where that folder is. What each must say was worked out by hand.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::model::{Fact, FactLine, FileNotice};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// One line for each order, refused line and notice of a document; sorted. Or why it is refused.
fn said(bytes: &[u8]) -> Vec<String> {
    let survey = match survey(bytes, &Hints::default()) {
        Ok(survey) => survey,
        Err(error) => return vec![format!("refused {}", error.code())],
    };
    let mut reader = facts(bytes, &survey, Context::default(), 0).unwrap();
    let mut said = Vec::new();
    while let Some(order) = reader.next().unwrap() {
        said.push(one(&order.fact));
    }
    said.extend(reader.orphans().iter().map(|fault| format!("line {} {}", fault.line, fault.code)));
    let notices =
        survey.notices.iter().chain(&reader.notices()).map(FileNotice::from).collect::<Vec<_>>();
    said.extend(notices.iter().map(|notice| {
        format!("notice {}{}", notice.code, if notice.costs_money { ", costs money" } else { "" })
    }));
    said.sort();
    said
}

fn one(fact: &Fact) -> String {
    let id = &fact.order_id;
    if let Some(fault) = fact.faults.first() {
        return format!("{id} line {} {} {}", fault.line, fault.code, fault.column)
            .trim_end()
            .to_owned();
    }
    let head = &fact.head;
    let status = head.status.map_or_else(|| "-".to_owned(), |status| format!("{status:?}"));
    let shop = if head.non_amazon {
        "not-Amazon".to_owned()
    } else {
        head.marketplace.map_or("-", crate::model::Marketplace::name).to_owned()
    };
    let lines: Vec<String> = fact.lines.iter().map(line).collect();
    let mut text = format!("{id} {status} {shop} {}", lines.join(" + "));
    for word in &fact.unknown_words {
        write!(text, " ?{}={}", word.column, word.word).unwrap();
    }
    for money in &fact.unknown_amounts {
        write!(text, " +{}={}", money.column, money.amount).unwrap();
        if !money.unread.is_empty() {
            write!(text, " {:?}", money.unread).unwrap();
        }
    }
    text
}

fn line(line: &FactLine) -> String {
    let amount =
        |amount: Option<rust_decimal::Decimal>| amount.map_or("-".to_owned(), |a| a.to_string());
    let mut text =
        format!("{}x{}/{}", line.quantity, amount(line.item_price), amount(line.item_tax));
    if line.item_price_net.is_some() {
        write!(text, "/{}", amount(line.item_price_net)).unwrap();
    }
    text
}

fn check(bytes: &[u8], name: &str, expected: &[&str]) {
    let said = said(bytes);
    assert_eq!(said, expected, "{name}");
    let all = said.join(" ");
    for word in [
        "BELLNAME",
        "STAIRNAME",
        "NEPHEWNAME",
        "AUNTNAME",
        "Klingelschild",
        "Treppenhaus",
        "Ernesto",
        "Tante",
    ] {
        assert!(!all.contains(word), "{name} shows a buyer's word");
    }
}

/// File, and what it must say.
const OURS: &[(&str, &[&str])] = &[
    (
        "case_canadian_dollar.txt",
        &[
            "964-7037051-6306587 Shipped Amazon.ca 1x30/3.9",
            "965-4691372-7541164 Shipped Amazon.ca 1x30/3.9",
        ],
    ),
    (
        "case_cash_on_delivery_jp.txt",
        &["904-7777791-2231967 Unshipped - 1x-/-", "notice amounts-left-out, costs money"],
    ),
    (
        "case_channels.txt",
        &[
            "962-9259272-4083464 Shipped Amazon.com.be 1x12.1/2.1",
            "963-6913593-5318041 Shipped - 1x12.1/2.1 ?sales-channel=Amazon.elsewhere",
            "S01-9001031-9000001 Shipped not-Amazon 1x-/-",
            "S02-9001031-9000002 Shipped not-Amazon 1x-/-",
            "S02-9001031-9000003 Shipped not-Amazon 1x-/-",
            "S02-9001031-9000004 Shipped not-Amazon 1x-/-",
            "S02-9001031-9000005 Shipped not-Amazon 1x-/-",
            "notice words-unknown",
        ],
    ),
    ("case_ctrl_z.txt", &["984-0123471-0998127 Shipped Amazon.es 10x1210/210"]),
    (
        "case_item_ids.txt",
        &[
            "951-5061741-0503117 Shipped Amazon.com 2x20/1.6 + 1x10/0.8",
            "952-2716062-1737694 Shipped Amazon.com 1x10/0.8 + 1x10/0.8",
        ],
    ),
    ("case_no_data.txt", &["refused document-no-data"]),
    ("case_old_and_new_rows.txt", &["934-7407421-9269277 Shipped Amazon.co.uk 1x12/- + 1x12/-"]),
    (
        "case_torn_gift_crlf.txt",
        &[
            "981-4691371-7540427 line 2 row-cells",
            "982-2345692-8775004 Unshipped - 1x-/-",
            "line 3 row-torn",
            "line 4 row-torn",
        ],
    ),
    (
        "case_torn_rows.txt",
        &[
            "971-8148161-5194657 line 2 row-cells",
            "972-5802482-6429234 - Amazon.de 1x11.9/1.9",
            "973-3456803-7663811 line 5 row-cells",
            "974-1111124-8898388 - Amazon.de 1x11.9/1.9",
            "line 3 row-torn",
            "line 6 row-torn",
        ],
    ),
    (
        "case_two_copies.txt",
        &[
            "944-3950631-1615047 Shipped Amazon.co.uk 1x7.5/1.25 + 1x7.5/1.25",
            "945-1604952-2849624 Shipped Amazon.co.uk 1x7.5/1.25",
            "notice header-repeated",
        ],
    ),
    (
        "case_unknown_money.txt",
        &[
            "914-4321001-4577737 Shipped Amazon.co.uk 1x12.99/2.17 + 1x12.99/2.17 +handling-fee=2 +import-tax=-2",
            "915-1975322-5812314 Shipped Amazon.co.uk 1x12.99/2.17",
            "916-9629643-7046891 Shipped Amazon.co.uk 1x12.99/2.17 +handling-fee=0 [\"1,50 €\"]",
            "notice amounts-unknown",
            "notice amounts-unknown",
            "notice columns-unknown",
        ],
    ),
    (
        "case_unshipped_prices.txt",
        &[
            "991-1234581-9886197 Unshipped Amazon.de 2x-/-",
            "notice amounts-left-out, costs money",
            "notice amounts-left-out, costs money",
            "notice columns-unknown",
        ],
    ),
    ("case_zip.txt", &["refused document-format"]),
];

/// File, and what it must say.
const THEIRS: &[(&str, &[&str])] = &[
    ("R01/1_all_orders_34.txt", &["111-7000001-0000001 Shipped Amazon.com 2x20/1.6 + 1x10/0.8"]),
    ("R01/2_all_orders_39.txt", &["111-7000001-0000002 Shipped Amazon.com 1x10/0.8 + 1x10/0.8"]),
    ("R01/3_all_orders_35.txt", &["111-7000001-0000003 Shipped Amazon.com 1x10/0.8"]),
    ("R01/4_order_report.txt", &["111-7000001-0000001 - Amazon.com 1x10/0.8 + 2x20/1.6"]),
    (
        "R03/1_statuses.txt",
        &[
            "111-7000003-0000000 Unshipped Amazon.com 1x10/0.8",
            "111-7000003-0000001 Unshipped Amazon.com 1x10/0.8",
            "111-7000003-0000002 Unknown Amazon.com 1x10/0.8 ?order-status=Complete",
            "111-7000003-0000003 Unknown Amazon.com 1x10/0.8 ?order-status=Unfulfillable",
            "111-7000003-0000004 Unknown Amazon.com 1x10/0.8 ?order-status=InvoiceUnconfirmed",
            "111-7000003-0000005 Shipped Amazon.com 1x10/0.8",
            "111-7000003-0000006 Shipped Amazon.com 1x10/0.8",
            "111-7000003-0000007 Shipped Amazon.com 1x10/0.8",
            "111-7000003-0000008 Pending Amazon.com 1x10/0.8",
            "notice words-unknown",
        ],
    ),
    (
        "R04/1_channels.txt",
        &[
            "404-7000004-0000006 Shipped Amazon.com.be 1x11.9/1.9",
            "404-7000004-0000007 Shipped Amazon.ie 1x11.9/1.9",
            "404-7000004-0000008 Shipped Amazon.co.za 1x11.9/1.9",
            "S01-7000004-0000001 Shipped not-Amazon 1x-/-",
            "S02-7000004-0000002 Shipped not-Amazon 1x-/-",
            "S02-7000004-0000003 Shipped not-Amazon 1x0/0",
            "S02-7000004-0000004 Shipped not-Amazon 1x-/-",
            "S02-7000004-0000005 Shipped not-Amazon 1x-/-",
        ],
    ),
    (
        "R05/1_cdn.txt",
        &[
            "701-7000005-0000001 Shipped Amazon.ca 1x30/3.9",
            "701-7000005-0000002 Shipped Amazon.ca 1x30/3.9",
        ],
    ),
    (
        "R10/1_line_break_in_cell.txt",
        &[
            "305-7000010-0000001 line 2 row-cells",
            "305-7000010-0000002 - Amazon.de 1x11.9/1.9",
            "305-7000010-0000003 line 5 row-cells",
            "line 3 row-torn",
            "line 6 row-torn",
        ],
    ),
    (
        "R10/2_gift_text_crlf.txt",
        &[
            "305-7000010-0000004 line 2 row-cells",
            "305-7000010-0000005 Unshipped - 1x-/-",
            "line 3 row-torn",
            "line 4 row-torn",
        ],
    ),
    (
        "R13/1_unshipped_with_prices.txt",
        &[
            "305-7000013-0000001 Unshipped Amazon.de 2x-/-",
            "notice amounts-left-out, costs money",
            "notice amounts-left-out, costs money",
            "notice columns-unknown",
        ],
    ),
    (
        "R23/1_jp_unshipped_34.txt",
        &["503-7000023-0000001 Unshipped - 1x-/-", "notice amounts-left-out, costs money"],
    ),
    ("R27/a_utf16le.txt", &["refused document-utf16"]),
    ("R27/b_euro_sign.txt", &["171-7000027-0000002 line 2 row-number item-price"]),
    ("R27/c_comma.csv", &["refused header-separator"]),
    ("R27/d_blank_tail.txt", &["171-7000027-0000004 Shipped Amazon.es 10x1210/210"]),
    ("R27/e_upper_header.txt", &["171-7000027-0000005 Shipped Amazon.es 10x1210/210"]),
    ("R27/f_dashes.txt", &["171-7000027-0000006 line 2 row-number item-tax"]),
    ("R27/g_ctrl_z.txt", &["171-7000027-0000007 Shipped Amazon.es 10x1210/210"]),
    ("R27/h_header_only.txt", &[]),
    ("R27/i_no_data.txt", &["refused document-no-data"]),
    ("R27/j_zip.txt", &["refused document-format"]),
    ("R27/k_quoted_tab.txt", &["171-7000027-0000009 Shipped Amazon.es 10x1210/210"]),
    ("R27/l_empty.txt", &["refused document-empty"]),
    ("R27/m_cr_only.txt", &["171-7000027-0000010 Shipped Amazon.es 10x1210/210"]),
    ("R27/n_nbsp_thousands.txt", &["171-7000027-0000011 line 2 row-number item-price"]),
];

#[test]
fn our_look_alikes_say_what_they_must() {
    for (name, expected) in OURS {
        let bytes = std::fs::read(project("tests/vectors").join(name)).unwrap();
        check(&bytes, name, expected);
    }
}

#[test]
fn the_files_of_the_cases_say_what_they_must() {
    let shared =
        std::env::var_os("ODOO_SPOOLD_SHARED").map_or_else(|| project("../shared"), PathBuf::from);
    let cases = shared.join("cases");
    if !cases.exists() {
        println!("skipped: {} not present", cases.display());
        return;
    }
    for (name, expected) in THEIRS {
        check(&std::fs::read(cases.join(name)).unwrap(), name, expected);
    }
}
