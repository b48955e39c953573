//! Which file names may be shown in the journal.
//!
//! A dropper may call a file after a buyer ("Max Mustermann order.txt"). A name is shown only if
//! every word of it is known not to be about a person; otherwise only the file id is. Rather too
//! few names than one too many:
//!
//! * At most 80 of `A-Za-z0-9._-`: no spaces, no `@`, no `+49`, nothing outside ASCII.
//! * Words (between `.`, `_`, `-`) are known report words, extensions, marketplaces, regions; no word that is
//!   also a name is known ("price", "stock", "mark", "may", "april"), although reports use some.
//! * Dates and times. A date says nothing without a person.
//! * Amazon's order ids (3-7-7 digits), UUIDs, our file ids, long hexadecimal ids that no name and
//!   birthday can be (`bea19850101` is hexadecimal, too).
//! * Other digits: at most six in the whole name, because `0170-123-4567` is a phone number, in
//!   whatever pieces. More only behind a whole `GET_` report type: Amazon's report ids are as long as
//!   phone numbers, but nobody calls a file `GET_FLAT_FILE_ORDERS_DATA_<phone>`.

use std::ffi::OsStr;

const MAX_BYTES: usize = 80;
/// Digits in a name that are neither date, time nor a known id.
const MAX_LOOSE_DIGITS: usize = 6;

/// Sorted, lower case. None of these is a common given name, family name or town (hence no "prime",
/// "post", "dat", "salla").
const WORDS: &[&str] = &[
    "actionable",
    "active",
    "afn",
    "age",
    "all",
    "amazon",
    "archived",
    "asc",
    "business",
    "by",
    "canceled",
    "cancelled",
    "charges",
    "converged",
    "copy",
    "country",
    "csv",
    "current",
    "custom",
    "customer",
    "daily",
    "data",
    "date",
    "detail",
    "documents",
    "eu",
    "export",
    "fba",
    "fbm",
    "fe",
    "fee",
    "fees",
    "file",
    "financial",
    "flat",
    "fulfilled",
    "fulfillment",
    "general",
    "get",
    "gz",
    "import",
    "inactive",
    "inventory",
    "invoice",
    "invoices",
    "invoicing",
    "items",
    "json",
    "last",
    "ledger",
    "listing",
    "listings",
    "marketplace",
    "merchant",
    "mfn",
    "monthly",
    "myi",
    "na",
    "newitem",
    "open",
    "order",
    "orders",
    "part",
    "pending",
    "products",
    "promotion",
    "range",
    "recommendations",
    "reimbursement",
    "reimbursements",
    "report",
    "reports",
    "reserved",
    "restock",
    "result",
    "return",
    "returns",
    "settlement",
    "settlements",
    "shipment",
    "shipments",
    "shipping",
    "sku",
    "spool",
    "storage",
    "summary",
    "suppressed",
    "tab",
    "tax",
    "test",
    "transaction",
    "transactions",
    "tsv",
    "txt",
    "unshipped",
    "unsuppressed",
    "update",
    "updated",
    "utf8",
    "vat",
    "view",
    "walmart",
    "weekly",
    "xml",
    "zip",
];

/// Marketplaces as people write them, lower case. Two letters single nobody out.
const COUNTRIES: &[&str] = &[
    "ae", "au", "be", "br", "ca", "de", "eg", "es", "fr", "gb", "ie", "in", "it", "jp", "mx", "nl",
    "pl", "sa", "se", "sg", "tr", "uk", "us", "za",
];

/// Marketplaces as Amazon writes them.
const MARKETPLACES: &[&str] = &[
    "A13V1IB3VIYZZH",
    "A17E79C6D8DWNP",
    "A1805IZSGTT6HS",
    "A19VAU5U5O7RUS",
    "A1AM78C64UM0Y8",
    "A1C3SOZRARQ6R3",
    "A1F83G8C2ARO7P",
    "A1PA6795UKMFR9",
    "A1RKKUPIHCS9HS",
    "A1VC38T7YXB528",
    "A21TJRUUN4KGV",
    "A28R8C7NBKEWEA",
    "A2EUQ1WTGCTBG2",
    "A2NODRKZP88ZB9",
    "A2Q3Y263D00KWC",
    "A2VIGQ35RCS4UG",
    "A33AVAJ2PDY3EV",
    "A39IBJ37TRP1C6",
    "AE08WJ6YKNBMC",
    "AMEN7PMS3EDWL",
    "APJ6JRA9NG5V4",
    "ARBP9OOSHTCHU",
    "ATVPDKIKX0DER",
];

/// What a word of a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Known,
    /// Known, followed by a number: `orders2`, `v2`.
    Numbered(usize),
    /// A date, a time, an id.
    Id,
    Digits(usize),
}

/// The name, if it cannot carry buyer data.
pub fn harmless_name(name: &OsStr) -> Option<&str> {
    let name = name.to_str()?;
    let fits = (1..=MAX_BYTES).contains(&name.len());
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    (fits && plain && is_harmless(name)).then_some(name)
}

fn is_harmless(name: &str) -> bool {
    let words: Vec<&str> = name.split(['.', '_', '-']).collect();
    let mut rest = words.as_slice();
    let mut loose = 0;
    let mut leading = 0;
    let mut in_type = true;
    while let Some((word, tail)) = rest.split_first() {
        let ids = id_words(rest);
        if ids > 0 {
            rest = rest.get(ids..).unwrap_or_default();
            in_type = false;
            continue;
        }
        rest = tail;
        if word.is_empty() {
            continue;
        }
        match classify(word) {
            Some(Word::Known) => leading += usize::from(in_type),
            Some(Word::Numbered(digits) | Word::Digits(digits)) => {
                in_type = false;
                loose += digits;
            }
            Some(Word::Id) => in_type = false,
            None => return false,
        }
    }
    // GET_, at least two more words of the type, and nothing else before the digits.
    let typed = name.starts_with("GET_") && leading >= 3;
    typed || loose <= MAX_LOOSE_DIGITS
}

fn classify(word: &str) -> Option<Word> {
    let lower = word.to_ascii_lowercase();
    if WORDS.binary_search(&lower.as_str()).is_ok() || COUNTRIES.contains(&lower.as_str()) {
        return Some(Word::Known);
    }
    if is_digits(word) {
        return Some(if is_date(word) { Word::Id } else { Word::Digits(word.len()) });
    }
    if MARKETPLACES.contains(&word) || is_moment(word) || is_hex_id(word) || is_file_id(word) {
        return Some(Word::Id);
    }
    let stem = lower.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = lower.len() - stem.len();
    let known = stem == "v" || WORDS.binary_search(&stem).is_ok();
    (known && digits <= 4).then_some(Word::Numbered(digits))
}

/// How many words from here on are one id: an order id, a UUID, a date.
fn id_words(words: &[&str]) -> usize {
    let shape = |lengths: &[usize], fits: fn(&str) -> bool| {
        words.len() >= lengths.len()
            && words.iter().zip(lengths).all(|(word, length)| word.len() == *length && fits(word))
    };
    let day = || is_date(&words.iter().take(3).copied().collect::<String>());
    if shape(&[8, 4, 4, 4, 12], is_hex) {
        5
    } else if shape(&[3, 7, 7], is_digits) || (shape(&[4, 2, 2], is_digits) && day()) {
        3
    } else {
        0
    }
}

fn is_digits(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())
}

fn is_hex(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `YYYYMMDD`, this century.
fn is_date(word: &str) -> bool {
    let number =
        |from: usize, to: usize| word.get(from..to).and_then(|part| part.parse::<u32>().ok());
    let (Some(year), Some(month), Some(day)) = (number(0, 4), number(4, 6), number(6, 8)) else {
        return false;
    };
    word.len() == 8
        && (2000..2100).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
}

/// `YYYYMMDDTHHMM[SS][Z]`.
fn is_moment(word: &str) -> bool {
    let Some((date, time)) = word.split_once('T') else { return false };
    let time = time.strip_suffix('Z').unwrap_or(time);
    is_date(date) && is_digits(time) && matches!(time.len(), 4 | 6)
}

/// At least twelve hexadecimal digits of one case that change often between letter and figure.
fn is_hex_id(word: &str) -> bool {
    let bytes = word.as_bytes();
    let changes = bytes
        .iter()
        .zip(bytes.iter().skip(1))
        .filter(|(a, b)| a.is_ascii_digit() != b.is_ascii_digit())
        .count();
    let one_case =
        !bytes.iter().any(u8::is_ascii_uppercase) || !bytes.iter().any(u8::is_ascii_lowercase);
    is_hex(word) && one_case && bytes.len() >= 12 && changes >= 4
}

/// One of our own ids that is not by chance a word.
fn is_file_id(word: &str) -> bool {
    let figures = word.bytes().filter(u8::is_ascii_digit).count();
    let middle = word.get(1..word.len() - 1).unwrap_or_default();
    (2..=8).contains(&figures)
        && middle.trim_matches(|c: char| c.is_ascii_digit()).bytes().any(|b| b.is_ascii_digit())
        && word.parse::<super::FileId>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::ffi::OsStrExt;

    fn shown(name: &str) -> bool {
        harmless_name(OsStr::new(name)).is_some()
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(WORDS.is_sorted());
    }

    #[test]
    fn names_of_reports_are_shown() {
        for name in [
            "orders.txt",
            "orders2.txt.age",
            "GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL.txt.gz.age",
            "GET_FLAT_FILE_ORDERS_DATA_50044018123.txt",
            "GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2-2026-01-31.tsv",
            "GET_AMAZON_FULFILLED_SHIPMENTS_DATA_GENERAL.20260131T235959Z.DE.age",
            "orders-A1PA6795UKMFR9-20260131.csv",
            "order-305-1234567-1234567.json",
            "orders_550e8400-e29b-41d4-a716-446655440000.age",
            "orders.F7K2Q9XW4ZB",
            "settlement-3f2a9c01b7de.txt",
            "part-000123.age",
        ] {
            assert!(shown(name), "{name}");
        }
    }

    #[test]
    fn names_of_people_are_not() {
        for name in [
            "Max Mustermann order.txt",
            "Max_Mustermann_order.txt",
            "mustermann.txt",
            "order-müller.txt",
            "max@example.com.txt",
            "orders-Max.txt",
            "may_price.txt",
            "mark.csv",
            "01701234567.txt",
            "0170-123-4567.txt",
            "orders.0170.1234567.txt",
            "orders017.orders0123.order4567.txt",
            "GET_01701234567.txt",
            "GET_MAX_01701234567.txt",
            "GET_0170_ORDERS_DATA_1234567.txt",
            "bea19850101.txt",
            "beadadefacedabe.txt",
            "Ada.txt",
            "FRANKENWALD.txt",
            "FSMTH850101.txt",
            "19850101Max.txt",
            "SW1A1AA.txt",
            "10115-Berlin.txt",
            "-rf.txt",
            "",
        ] {
            assert!(!shown(name), "{name}");
        }
        assert!(!shown(&"orders".repeat(14)));
        assert!(!shown("orders\n.txt"));
        assert_eq!(harmless_name(OsStr::from_bytes(b"orders\xff.txt")), None);
    }

    proptest! {
        #[test]
        fn a_person_anywhere_hides_the_name(
            before in "(orders|GET_FLAT_FILE|20260131|DE)[._-]",
            who in "(Max|Mustermann|Smith|Garcia|Tanaka|Abbe|Dede|Price|April)",
            glue in "[0-9]{0,4}",
            after in "[._-](txt|age|1|305-1234567-1234567)",
        ) {
            let name = format!("{before}{who}{glue}{after}");
            prop_assert!(!shown(&name));
        }

        #[test]
        fn phone_numbers_in_pieces_hide_the_name(
            pieces in proptest::collection::vec("[0-9]{1,4}", 3..6).prop_map(|mut pieces| {
                while pieces.concat().len() <= MAX_LOOSE_DIGITS {
                    pieces.push("7".to_owned());
                }
                pieces
            }),
            glue in "[._-]",
        ) {
            let name = pieces.join(&glue);
            let words: Vec<_> = pieces.iter().map(String::as_str).collect();
            // A date among them is no phone number.
            prop_assume!((0..words.len()).all(|at| id_words(&words[at..]) == 0));
            prop_assert!(!shown(&name));
        }
    }
}
