//! How the facts of several reports become one record.

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::model::{BillTo, Head, Rank, Standing, UnknownWord};

pub(in crate::plan) const ORDER: &str = "205-3614839-6174823";

pub(in crate::plan) fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(in crate::plan) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(in crate::plan) fn market(name: &str) -> Marketplace {
    name.parse().unwrap()
}

/// A row of `quantity` units; a blank price is none.
pub(in crate::plan) fn row(sku: &str, quantity: u32, price: &str) -> FactLine {
    FactLine {
        item_price: (!price.is_empty()).then(|| dec(price)),
        ..FactLine::new(2, sku.parse().unwrap(), quantity)
    }
}

pub(in crate::plan) fn with_id(id: &str, line: FactLine) -> FactLine {
    FactLine { item_id: Some(id.parse().unwrap()), ..line }
}

pub(in crate::plan) fn fact(family: Family, head: Head, lines: Vec<FactLine>) -> Fact {
    Fact {
        order_id: ORDER.parse().unwrap(),
        family,
        version: None,
        head,
        lines,
        faults: Vec::new(),
        unknown_amounts: Vec::new(),
        unknown_words: Vec::new(),
    }
}

pub(in crate::plan) fn dossier(facts: Vec<Fact>) -> Dossier {
    let rank = |fact: &Fact| Rank {
        version: fact.version,
        lines: u32::try_from(fact.lines.len()).unwrap(),
        hash: [0; 16],
    };
    Dossier {
        order_id: ORDER.parse().unwrap(),
        facts: facts
            .into_iter()
            .map(|fact| (fact.family, Standing { rank: rank(&fact), fact }))
            .collect(),
        refused: BTreeMap::new(),
        seen_unshipped: false,
        mapping: None,
        last_file: "F0123456789".parse().unwrap(),
        attention: Vec::new(),
        released: Vec::new(),
    }
}

fn all_orders(lines: Vec<FactLine>) -> Fact {
    fact(Family::AllOrders, Head::default(), lines)
}

fn unshipped(lines: Vec<FactLine>) -> Fact {
    fact(Family::Unshipped, Head::default(), lines)
}

fn report(lines: Vec<FactLine>) -> Fact {
    fact(Family::OrderReport, Head::default(), lines)
}

fn merged(facts: Vec<Fact>) -> Record {
    merge(&dossier(facts)).unwrap()
}

/// Quantity, price and line id of each line of the record, sorted.
fn lines_of(facts: Vec<Fact>) -> Vec<(u32, String, String)> {
    let mut lines: Vec<_> = merged(facts)
        .lines
        .into_iter()
        .map(|line| {
            let fact = line.fact;
            (
                fact.quantity,
                fact.item_price.map(|price| price.to_string()).unwrap_or_default(),
                fact.item_id.map(|id| id.to_string()).unwrap_or_default(),
            )
        })
        .collect();
    lines.sort();
    lines
}

fn expected(lines: &[(u32, &str, &str)]) -> Vec<(u32, String, String)> {
    let mut lines: Vec<_> =
        lines.iter().map(|(q, price, id)| (*q, (*price).into(), (*id).into())).collect();
    lines.sort();
    lines
}

#[test]
fn case_r01_items_are_met_by_their_id() {
    // Of one quantity and price: only the ids tell them apart.
    let own = |item, title: &str| {
        let line = with_id(item, row("A", 1, "10.00"));
        FactLine { title: title.to_owned(), ..line }
    };
    let orders = || all_orders(vec![own("11", ""), own("12", "")]);
    let record = merged(vec![orders(), report(vec![own("12", "twelve"), own("11", "eleven")])]);
    let titles: Vec<_> = record
        .lines
        .iter()
        .map(|line| (line.fact.item_id.clone().unwrap().to_string(), line.fact.title.clone()))
        .collect();
    let wanted = [("11", "eleven"), ("12", "twelve")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(titles, wanted);
    // An item of another id fills no blanks, though its price is the same.
    let record = merged(vec![orders(), report(vec![own("12", "twelve"), own("13", "thirteen")])]);
    assert!(record.lines.iter().all(|line| line.fact.title != "thirteen"));
}

#[test]
fn case_r04_a_channel_that_is_not_known_is_not_guessed() {
    let market = |name: &str| Some(market(name));
    let relay = Fact {
        head: Head { relay_marketplace: market("Amazon.de"), ..Head::default() },
        ..unshipped(vec![row("A", 1, "")])
    };
    let sidecar = Fact {
        head: Head { sidecar_marketplace: market("Amazon.fr"), ..Head::default() },
        ..report(vec![row("A", 1, "1.00")])
    };
    let named = Fact {
        head: Head { marketplace: market("Amazon.it"), ..Head::default() },
        ..all_orders(vec![row("A", 1, "1.00")])
    };
    let strange = Fact {
        unknown_words: vec![UnknownWord {
            column: "sales-channel".into(),
            word: "Amazon.moon".into(),
        }],
        ..all_orders(vec![row("A", 1, "1.00")])
    };
    let of = |facts: Vec<Fact>| merged(facts).marketplace.map(Marketplace::name);
    assert_eq!(of(vec![relay.clone()]), Some("Amazon.de"));
    assert_eq!(of(vec![relay.clone(), sidecar.clone()]), Some("Amazon.fr"));
    assert_eq!(of(vec![named, relay.clone(), sidecar.clone()]), Some("Amazon.it"));
    assert_eq!(of(vec![strange, relay, sidecar]), None);
}

#[test]
fn no_fact_makes_no_record() {
    assert_eq!(merge(&dossier(Vec::new())), None);
}

#[test]
fn all_orders_owns_prices_quantities_and_status() {
    let owner = Fact {
        head: Head {
            status: Some(OrderStatus::Shipped),
            fulfilment: Some(Fulfilment::Amazon),
            ship_country: Some("DE".into()),
            ..Head::default()
        },
        ..all_orders(vec![FactLine { title: "Lamp".into(), ..row("A", 2, "20.00") }])
    };
    let other = |family| Fact {
        head: Head {
            status: Some(OrderStatus::Unshipped),
            fulfilment: Some(Fulfilment::Merchant),
            ship_country: Some("AT".into()),
            ..Head::default()
        },
        ..fact(family, Head::default(), vec![row("A", 3, "99.00"), row("B", 1, "1.00")])
    };
    let record = merged(vec![owner, other(Family::Unshipped), other(Family::OrderReport)]);
    assert_eq!(record.status, OrderStatus::Shipped);
    assert_eq!(record.fulfilment, Fulfilment::Amazon);
    assert_eq!(record.ship_country.as_deref(), Some("DE"));
    let [only] = record.lines.as_slice() else { panic!("{:?}", record.lines) };
    assert_eq!((only.fact.quantity, only.fact.item_price), (2, Some(dec("20.00"))));
    assert_eq!((only.fact.title.as_str(), only.fact.row), ("Lamp", 0));
}

#[test]
fn the_order_report_fills_blanks_only() {
    // (All Orders' prices, the report's) → the record's.
    for (own, other, want) in [
        (vec!["", ""], vec!["12.00", "12.00"], vec!["12.00", "12.00"]),
        (vec!["", ""], vec!["12.00", "11.00"], vec!["11.00", "12.00"]),
        (vec!["10.00", ""], vec!["12.00", "11.00"], vec!["10.00", ""]),
        (vec!["10.00", ""], vec!["12.00", "10.00"], vec!["10.00", "12.00"]),
        (vec!["10.00"], vec!["12.00"], vec!["10.00"]),
        (vec!["0.00"], vec!["12.00"], vec!["0.00"]),
        (vec![""], vec![""], vec![""]),
    ] {
        let rows = |prices: &[&str]| prices.iter().map(|p| row("A", 1, p)).collect::<Vec<_>>();
        let mut got: Vec<String> = lines_of(vec![all_orders(rows(&own)), report(rows(&other))])
            .into_iter()
            .map(|line| line.1)
            .collect();
        got.sort();
        let mut want: Vec<String> = want.into_iter().map(str::to_owned).collect();
        want.sort();
        assert_eq!(got, want, "{own:?} {other:?}");
    }
}

#[test]
fn a_blank_is_filled_from_a_row_of_its_quantity() {
    let own = all_orders(vec![row("A", 2, "10.00"), row("A", 1, "")]);
    let other = report(vec![row("A", 2, "8.00"), row("A", 1, "10.00")]);
    assert_eq!(lines_of(vec![own, other]), expected(&[(2, "10.00", ""), (1, "10.00", "")]));
}

#[test]
fn every_blank_amount_is_filled_and_no_other() {
    let full = |n: u32| FactLine {
        title: format!("title {n}"),
        item_tax: Some(Decimal::from(n)),
        shipping_price: Some(Decimal::from(n + 1)),
        shipping_tax: Some(Decimal::from(n + 2)),
        gift_wrap_price: Some(Decimal::from(n + 3)),
        gift_wrap_tax: Some(Decimal::from(n + 4)),
        item_promotion: Some(Decimal::from(n + 5)),
        ship_promotion: Some(Decimal::from(n + 6)),
        item_price_net: Some(Decimal::from(n + 7)),
        shipping_price_net: Some(Decimal::from(n + 8)),
        gift_wrap_price_net: Some(Decimal::from(n + 9)),
        facilitator: Some(n > 100),
        ..row("A", 1, "50.00")
    };
    let line = |own: FactLine| {
        let record = merged(vec![all_orders(vec![own]), report(vec![full(200)])]);
        // Who collects the tax is a matter of the whole order, not of the line's blanks.
        assert_eq!(record.lines[0].fact.facilitator, Some(true));
        FactLine { row: 2, facilitator: None, ..record.lines[0].fact.clone() }
    };
    let full = |n| FactLine { facilitator: None, ..full(n) };
    assert_eq!(line(row("A", 1, "")), full(200), "all of it was blank");
    assert_eq!(line(row("A", 1, "50.00")), full(200), "the same price: what is blank beside it");
    assert_eq!(line(full(10)), full(10), "nothing was blank");
    let other = row("A", 1, "49.00");
    assert_eq!(line(other.clone()), other, "amounts beside another price are not ours to mix in");
    let status = FactLine { status: Some(ItemStatus::Live), ..row("A", 1, "") };
    assert_eq!(line(status).status, Some(ItemStatus::Live));
}

#[test]
fn different_row_counts_are_taken_only_where_the_units_agree() {
    let one = || all_orders(vec![row("A", 3, "")]);
    let two = || report(vec![row("A", 2, "20.00"), row("A", 1, "10.00")]);
    assert_eq!(
        lines_of(vec![one(), two()]),
        expected(&[(2, "20.00", ""), (1, "10.00", "")]),
        "the same units: the report's rows"
    );
    let four = all_orders(vec![row("A", 4, "")]);
    assert_eq!(lines_of(vec![four, two()]), expected(&[(4, "", "")]));
    // The report was written before one of them was cancelled.
    let cancelled = FactLine { status: Some(ItemStatus::Cancelled), ..row("A", 1, "") };
    let rows = vec![row("A", 1, ""), cancelled.clone()];
    let before = report(vec![row("A", 1, "5.00"), row("A", 1, "6.00")]);
    assert_eq!(
        lines_of(vec![all_orders(rows), before]),
        expected(&[(1, "", ""), (1, "", "")]),
        "which of the two was cancelled is open"
    );
    // Cancelled rows and rows without quantity take no part, and stay.
    let rows = vec![row("A", 3, ""), cancelled, row("A", 0, "")];
    assert_eq!(
        lines_of(vec![all_orders(rows), two()]),
        expected(&[(2, "20.00", ""), (1, "10.00", ""), (1, "", ""), (0, "", "")])
    );
    // A price of All Orders is never replaced, however the report counts.
    let partly = all_orders(vec![row("A", 2, "25.00"), row("A", 1, "")]);
    let three = report(vec![row("A", 1, "9.00"), row("A", 1, "9.00"), row("A", 1, "9.00")]);
    assert_eq!(lines_of(vec![partly, three]), expected(&[(2, "25.00", ""), (1, "", "")]));
    // A report that does not price all of its rows fills nothing.
    let blank = report(vec![row("A", 2, "20.00"), row("A", 1, "")]);
    assert_eq!(lines_of(vec![one(), blank]), expected(&[(3, "", "")]));
}

#[test]
fn ids_come_from_whoever_has_the_same_rows() {
    let ids = |first: &str, second: &str| {
        unshipped(vec![with_id(first, row("A", 2, "")), with_id(second, row("A", 1, ""))])
    };
    let own = || all_orders(vec![row("A", 1, "5.00"), row("A", 2, "9.00")]);
    assert_eq!(
        lines_of(vec![own(), ids("021", "011")]),
        expected(&[(2, "9.00", "021"), (1, "5.00", "011")])
    );
    let dearer = all_orders(vec![row("A", 1, "9.00"), row("A", 2, "5.00")]);
    assert_eq!(
        lines_of(vec![dearer, ids("021", "011")]),
        expected(&[(2, "5.00", "021"), (1, "9.00", "011")]),
        "rows are told apart by their quantity first"
    );
    let three = || all_orders(vec![row("A", 3, "14.00")]);
    assert_eq!(lines_of(vec![three(), ids("021", "011")]), expected(&[(3, "14.00", "")]));
    let other_sku = unshipped(vec![with_id("021", row("a", 3, ""))]);
    assert_eq!(lines_of(vec![three(), other_sku]), expected(&[(3, "14.00", "")]));
    // What was cancelled is in no unshipped report, and keeps no line from its id.
    let cancelled = FactLine { status: Some(ItemStatus::Cancelled), ..row("A", 1, "4.00") };
    let live = all_orders(vec![cancelled, row("A", 1, "5.00")]);
    assert_eq!(
        lines_of(vec![live, unshipped(vec![with_id("011", row("A", 1, ""))])]),
        expected(&[(1, "4.00", ""), (1, "5.00", "011")])
    );
}

#[test]
fn an_id_is_known_or_absent_never_guessed() {
    let own = || all_orders(vec![row("A", 1, "10.00"), row("A", 1, "5.00")]);
    let ids = || unshipped(vec![with_id("111", row("A", 1, "")), with_id("222", row("A", 1, ""))]);
    let priced =
        || report(vec![with_id("222", row("A", 1, "5.00")), with_id("111", row("A", 1, "10.00"))]);
    let want = expected(&[(1, "10.00", "111"), (1, "5.00", "222")]);
    assert_eq!(
        lines_of(vec![own(), ids()]),
        expected(&[(1, "10.00", ""), (1, "5.00", "")]),
        "an unshipped report does not say which is which"
    );
    assert_eq!(lines_of(vec![own(), priced()]), want);
    assert_eq!(lines_of(vec![own(), ids(), priced()]), want, "the report's prices do");
    // Rows that are alike may have either.
    let alike = all_orders(vec![row("A", 1, "5.00"), row("A", 1, "5.00")]);
    assert_eq!(lines_of(vec![alike, ids()]), expected(&[(1, "5.00", "111"), (1, "5.00", "222")]));
}

#[test]
fn without_all_orders_the_report_leads_then_the_unshipped() {
    let unpriced = || unshipped(vec![with_id("1", row("A", 1, "")), row("B", 1, "")]);
    assert_eq!(
        lines_of(vec![unpriced(), report(vec![row("A", 1, "7.00")])]),
        expected(&[(1, "7.00", "1")])
    );
    assert_eq!(lines_of(vec![unpriced()]), expected(&[(1, "", "1"), (1, "", "")]));
}

#[test]
fn the_marketplace_is_any_sales_channel_then_the_sidecar() {
    let head = |channel: &str, sidecar: &str| Head {
        marketplace: channel.parse().ok(),
        sidecar_marketplace: sidecar.parse().ok(),
        ..Head::default()
    };
    let (de, fr, it) = ("Amazon.de", "Amazon.fr", "Amazon.it");
    // Channel and sidecar of All Orders, unshipped and order report → marketplace, conflict.
    for (facts, want, conflict) in [
        ([(de, ""), ("", ""), ("", "")], Some(de), false),
        ([("", fr), ("", ""), (de, "")], Some(de), false),
        ([("", fr), ("", it), ("", "")], Some(fr), false),
        ([("", ""), ("", it), ("", "")], Some(it), false),
        ([("", ""), ("", ""), ("", "")], None, false),
        ([(de, ""), (de, fr), (de, "")], Some(de), false),
        ([(de, ""), (fr, ""), (de, "")], Some(de), true),
        ([(de, ""), ("", ""), (it, "")], Some(de), true),
        ([("", ""), (fr, ""), (it, "")], Some(fr), true),
    ] {
        let record = merged(
            [Family::AllOrders, Family::Unshipped, Family::OrderReport]
                .into_iter()
                .zip(facts)
                .map(|(family, (channel, sidecar))| {
                    fact(family, head(channel, sidecar), vec![row("A", 1, "1.00")])
                })
                .collect(),
        );
        assert_eq!(record.marketplace.map(Marketplace::name), want, "{facts:?}");
        assert_eq!(record.marketplace_conflict, conflict, "{facts:?}");
    }
}

#[test]
fn status_and_release() {
    use OrderStatus as S;
    let of = |status, families: &[Family]| {
        let facts = families
            .iter()
            .map(|family| {
                let own = (*family == Family::AllOrders).then_some(status).flatten();
                fact(*family, Head { status: own, ..Head::default() }, vec![row("A", 1, "1.00")])
            })
            .collect();
        let record = merged(facts);
        (record.status, record.released)
    };
    let (all, un, re) = (Family::AllOrders, Family::Unshipped, Family::OrderReport);
    for (status, families, want) in [
        (Some(S::Pending), vec![all], (S::Pending, false)),
        (Some(S::Unknown), vec![all], (S::Unknown, false)),
        (None, vec![all], (S::Unknown, false)),
        (Some(S::Cancelled), vec![all], (S::Cancelled, false)),
        (Some(S::Unshipped), vec![all], (S::Unshipped, true)),
        (Some(S::PartiallyShipped), vec![all], (S::PartiallyShipped, true)),
        (Some(S::Shipped), vec![all], (S::Shipped, true)),
        (Some(S::Pending), vec![all, un], (S::Pending, true)),
        (Some(S::Pending), vec![all, re], (S::Pending, true)),
        (Some(S::Cancelled), vec![all, un, re], (S::Cancelled, true)),
        (None, vec![un], (S::Unshipped, true)),
        (None, vec![re], (S::Unshipped, true)),
        (None, vec![all, re], (S::Unshipped, true)),
    ] {
        assert_eq!(of(status, &families), want, "{status:?} {families:?}");
    }
}

#[test]
fn a_pending_item_status_releases_nothing() {
    // Real files have `Pending` orders whose items are `Unshipped`.
    let line = FactLine { status: Some(ItemStatus::Live), ..row("A", 1, "1.00") };
    let head = Head { status: Some(OrderStatus::Pending), ..Head::default() };
    assert!(!merged(vec![fact(Family::AllOrders, head, vec![line])]).released);
}

#[test]
fn head_fields_are_filled_by_whoever_has_them() {
    let own = fact(
        Family::AllOrders,
        Head { purchase_date: Some(at("2025-06-01T10:00:00Z")), ..Head::default() },
        vec![row("A", 1, "1.00")],
    );
    let other = fact(
        Family::Unshipped,
        Head {
            purchase_date: Some(at("2025-06-01T11:00:00Z")),
            promise_date: Some(at("2025-06-05T21:59:59Z")),
            service_level: Some("Expedited".into()),
            cancellation_requested: true,
            ..Head::default()
        },
        vec![],
    );
    let third = fact(
        Family::OrderReport,
        Head {
            currency: "GBP".parse().ok(),
            ship_country: Some("GB".into()),
            replacement: true,
            non_amazon: true,
            ..Head::default()
        },
        vec![],
    );
    let record = merged(vec![own, other, third]);
    assert_eq!(record.purchase_date, Some(at("2025-06-01T10:00:00Z")), "the owner's");
    assert_eq!(record.promise_date, Some(at("2025-06-05T21:59:59Z")));
    assert_eq!(record.service_level.as_deref(), Some("Expedited"));
    assert_eq!(record.currency.map(|c| c.code().to_owned()).as_deref(), Some("GBP"));
    assert_eq!(record.ship_country.as_deref(), Some("GB"));
    assert!(record.cancellation_requested && record.replacement && record.non_amazon);
    assert_eq!(record.fulfilment, Fulfilment::Merchant, "only sellers get those reports");
}

#[test]
fn live_lines() {
    let live = |quantity, status| {
        RecordLine { fact: FactLine { status, ..row("A", quantity, "1.00") } }.is_live()
    };
    assert!(live(1, None) && live(1, Some(ItemStatus::Live)));
    assert!(!live(0, None) && !live(0, Some(ItemStatus::Live)));
    assert!(!live(1, Some(ItemStatus::Cancelled)));
}

fn buyer(name: &str) -> BuyerFact {
    BuyerFact {
        email: format!("{name}@marketplace.example"),
        name: name.into(),
        phone: format!("{name} phone"),
        company: format!("{name} company"),
        vat: format!("{name} vat"),
        recipient: format!("{name} recipient"),
        address_1: format!("{name} 1"),
        address_2: format!("{name} 2"),
        address_3: format!("{name} 3"),
        city: format!("{name} city"),
        state: format!("{name} state"),
        postal_code: format!("{name} zip"),
        country: "DE".into(),
        ship_phone: format!("{name} ship phone"),
        purchase_order_number: format!("{name} po"),
        bill: BillTo { city: format!("{name} bill city"), ..BillTo::default() },
        notes: vec![format!("{name} note")],
    }
}

fn buyer_of(parts: &[(Family, BuyerFact)]) -> BuyerFact {
    // `BuyerFact` prints nothing: compare with `==` inside `assert!`.
    merge_buyer(&parts.iter().cloned().collect()).unwrap()
}

#[test]
fn no_buyer_is_none() {
    assert!(merge_buyer(&BTreeMap::new()).is_none());
    let blank = [(Family::Unshipped, BuyerFact::default())];
    assert!(merge_buyer(&blank.into_iter().collect()).is_none(), "no partner named \"\"");
}

#[test]
fn a_blank_never_overwrites_a_buyer() {
    let (un, re) = (Family::Unshipped, Family::OrderReport);
    let both = buyer_of(&[(un, buyer("first")), (re, buyer("second"))]);
    let want =
        BuyerFact { notes: vec!["first note".into(), "second note".into()], ..buyer("first") };
    assert!(both == want);
    let thin = BuyerFact { email: "first@marketplace.example".into(), ..BuyerFact::default() };
    let filled = buyer_of(&[(un, thin.clone()), (re, buyer("second"))]);
    assert!(filled == BuyerFact { email: thin.email.clone(), ..buyer("second") });
    assert!(buyer_of(&[(un, BuyerFact::default()), (re, buyer("second"))]) == buyer("second"));
    assert!(buyer_of(&[(un, buyer("first")), (re, BuyerFact::default())]) == buyer("first"));
}

#[test]
fn an_address_is_taken_as_a_whole() {
    let (un, re, all) = (Family::Unshipped, Family::OrderReport, Family::AllOrders);
    let bare = BuyerFact {
        address_2: String::new(),
        state: String::new(),
        ship_phone: String::new(),
        ..buyer("first")
    };
    let got = buyer_of(&[(un, bare.clone()), (re, buyer("second"))]);
    assert_eq!((got.address_1.as_str(), got.address_2.as_str()), ("first 1", ""));
    assert!(got.state.is_empty() && got.ship_phone.is_empty(), "no mixture of two addresses");
    // A place alone is no address: the one that can be shipped to wins.
    let place = BuyerFact { city: "Ulm".into(), country: "DE".into(), ..BuyerFact::default() };
    let got = buyer_of(&[(un, place.clone()), (re, buyer("second"))]);
    assert_eq!((got.city.as_str(), got.address_1.as_str()), ("second city", "second 1"));
    // Where no report has a whole one, the part that is known is not lost to a blank.
    let thin = BuyerFact { email: "x@marketplace.example".into(), ..BuyerFact::default() };
    let got = buyer_of(&[(un, thin), (all, place)]);
    assert_eq!((got.city.as_str(), got.email.as_str()), ("Ulm", "x@marketplace.example"));
}

#[test]
fn case_r08_a_tax_that_was_not_calculated_leaves_room_for_the_order_reports() {
    let zero = |net: &str| FactLine {
        item_tax: Some(dec("0.00")),
        item_price_net: (!net.is_empty()).then(|| dec(net)),
        ..row("A", 1, "10.00")
    };
    let stated = FactLine { item_tax: Some(dec("0.65")), ..row("A", 1, "10.00") };
    let tax = |status, line: FactLine| {
        let head = Head { status: Some(status), ..Head::default() };
        let all = fact(Family::AllOrders, head, vec![line]);
        let report = fact(Family::OrderReport, Head::default(), vec![stated.clone()]);
        merge(&dossier(vec![all, report])).unwrap().lines[0].fact.item_tax
    };
    assert_eq!(tax(OrderStatus::Pending, zero("")), Some(dec("0.65")));
    assert_eq!(tax(OrderStatus::Shipped, zero("0.00")), Some(dec("0.65")));
    assert_eq!(tax(OrderStatus::Shipped, zero("")), Some(dec("0.00")), "a statement stands");
}

#[test]
fn case_r15_a_number_that_was_appended_to_the_recipient_is_cut_off() {
    let (un, all) = (Family::Unshipped, Family::AllOrders);
    let recipient = |recipient: &str, number: &str| {
        let unshipped = BuyerFact { recipient: recipient.into(), ..BuyerFact::default() };
        let orders = BuyerFact { purchase_order_number: number.into(), ..BuyerFact::default() };
        buyer_of(&[(un, unshipped), (all, orders)]).recipient
    };
    for (given, number, kept) in [
        ("Muster GmbH PO-201", "PO-201", "Muster GmbH"),
        ("Muster GmbH - PO-201 ", " PO-201", "Muster GmbH"),
        ("Muster GmbH PO-201", "PO-202", "Muster GmbH PO-201"),
        ("Muster GmbH PO-201", "", "Muster GmbH PO-201"),
        ("Werk1", "1", "Werk1"),
        ("Haus 2", "2", "Haus 2"),
        ("Erika Schmidt", "Schmidt", "Erika Schmidt"),
        ("PO-201", "PO-201", "PO-201"),
    ] {
        assert_eq!(recipient(given, number), kept, "{given} {number}");
    }
}

#[test]
fn case_r07_an_invoice_address_is_taken_as_a_whole() {
    let (un, re, all) = (Family::Unshipped, Family::OrderReport, Family::AllOrders);
    let without = BuyerFact { bill: BillTo::default(), ..buyer("first") };
    let company = BuyerFact { company: "C".into(), vat: "V".into(), ..BuyerFact::default() };
    let got = buyer_of(&[(un, without), (re, buyer("second")), (all, company.clone())]);
    assert_eq!((got.bill.city.as_str(), got.city.as_str()), ("second bill city", "first city"));
    let got = buyer_of(&[(all, company)]);
    assert_eq!((got.company.as_str(), got.vat.as_str()), ("C", "V"));
    assert!(!got.has_address());
}

fn any_line() -> impl Strategy<Value = FactLine> {
    (
        prop::sample::select(vec!["A", "B"]),
        0_u32..3,
        prop::option::of(0_i64..3),
        prop::option::of(prop::sample::select(vec!["11", "22", "33"])),
        prop::option::of(prop::sample::select(vec![ItemStatus::Cancelled, ItemStatus::Live])),
        0_u64..9,
    )
        .prop_map(|(sku, quantity, price, id, status, number)| FactLine {
            row: number,
            item_id: id.map(|id| id.parse().unwrap()),
            item_price: price.map(Decimal::from),
            status,
            ..row(sku, quantity, "")
        })
}

fn any_fact(family: Family) -> impl Strategy<Value = Fact> {
    let channel = prop::option::of(prop::sample::select(vec!["Amazon.de", "Amazon.fr"]));
    (prop::collection::vec(any_line(), 0..5), channel, any::<bool>()).prop_map(
        move |(lines, channel, pending)| {
            let head = Head {
                marketplace: channel.map(market),
                status: pending.then_some(OrderStatus::Pending),
                ..Head::default()
            };
            fact(family, head, lines)
        },
    )
}

fn any_facts() -> impl Strategy<Value = Vec<Fact>> {
    (
        prop::option::of(any_fact(Family::AllOrders)),
        prop::option::of(any_fact(Family::Unshipped)),
        prop::option::of(any_fact(Family::OrderReport)),
    )
        .prop_map(|(a, b, c)| [a, b, c].into_iter().flatten().collect())
}

proptest! {
    #[test]
    fn the_order_of_files_and_rows_changes_nothing(
        facts in any_facts(), turn in 0_usize..3, seed in any::<u64>(),
    ) {
        let straight = merge(&dossier(facts.clone()));
        let mut other = facts;
        if !other.is_empty() {
            let turn = turn % other.len();
            other.rotate_left(turn);
        }
        for fact in &mut other {
            for (n, line) in fact.lines.iter_mut().enumerate() {
                line.row = seed.wrapping_add(u64::try_from(n).unwrap());
            }
            let count = fact.lines.len().max(1);
            fact.lines.rotate_left(usize::try_from(seed % 7).unwrap() % count);
            if seed.is_multiple_of(2) {
                fact.lines.reverse();
            }
        }
        prop_assert_eq!(straight, merge(&dossier(other)));
    }

    /// Whatever the other families say, the units, the cancelled rows and the prices that
    /// All Orders gives are in the record.
    #[test]
    fn all_orders_is_never_contradicted(
        own in any_fact(Family::AllOrders),
        unshipped in prop::option::of(any_fact(Family::Unshipped)),
        report in prop::option::of(any_fact(Family::OrderReport)),
    ) {
        let units = |lines: &[FactLine], sku: &str| -> u32 {
            lines.iter().filter(|l| l.sku.as_str() == sku && is_live(l)).map(|l| l.quantity).sum()
        };
        let mut prices: Vec<_> = own.lines.iter().map(|l| (l.sku.clone(), l.quantity, l.item_price))
            .filter(|line| line.2.is_some()).collect();
        let facts = [Some(own.clone()), unshipped, report].into_iter().flatten().collect();
        let merged: Vec<FactLine> = merge(&dossier(facts)).unwrap().lines.into_iter()
            .map(|line| line.fact).collect();
        for sku in ["A", "B"] {
            prop_assert_eq!(units(&merged, sku), units(&own.lines, sku));
        }
        for line in &merged {
            let key = (line.sku.clone(), line.quantity, line.item_price);
            if let Some(at) = prices.iter().position(|price| *price == key) {
                prices.remove(at);
            }
        }
        prop_assert!(prices.is_empty(), "lost: {:?}", prices);
    }
}

// --- words that are not known ------------------------------------------------------------------

const OLD: &str = "2025-06-01T00:00:00Z";
const NEW: &str = "2025-06-02T00:00:00Z";

fn of_version(version: &str, fact: Fact) -> Fact {
    Fact { version: Some(at(version)), ..fact }
}

fn with_word(column: &str, fact: Fact) -> Fact {
    let word = UnknownWord { column: column.into(), word: "Foo".into() };
    Fact { unknown_words: vec![word], ..fact }
}

/// A fact of this family that says something in every column that decides something.
fn outspoken(family: Family) -> Fact {
    let head = Head {
        marketplace: Some(market("Amazon.de")),
        ship_country: Some("DE".into()),
        status: Some(OrderStatus::Unshipped),
        fulfilment: Some(Fulfilment::Merchant),
        ..Head::default()
    };
    let line = FactLine { facilitator: Some(true), ..row("A", 1, "1.00") };
    fact(family, head, vec![line])
}

/// The columns whose words still count.
fn words_of(facts: Vec<Fact>) -> Vec<String> {
    merged(facts).unknown_words.into_iter().map(|word| word.column).collect()
}

#[test]
fn the_word_of_the_newest_report_counts() {
    let silent = |family| fact(family, Head::default(), vec![row("A", 1, "1.00")]);
    for column in [
        "sales-channel",
        "ship-country",
        "tax-collection-model",
        "fulfillment-channel",
        "order-status",
        "item-status",
    ] {
        let strange = |version| of_version(version, with_word(column, silent(Family::AllOrders)));
        let said = |version| of_version(version, outspoken(Family::Unshipped));
        assert_eq!(words_of(vec![strange(OLD), said(NEW)]), [""; 0], "{column}");
        assert_eq!(words_of(vec![strange(NEW), said(OLD)]), [column], "{column}");
        assert_eq!(words_of(vec![strange(OLD), said(OLD)]), [column], "{column}: none is newer");
        // A report that says nothing of it ends nothing.
        if !["fulfillment-channel", "order-status", "item-status"].contains(&column) {
            let later = of_version(NEW, silent(Family::Unshipped));
            assert_eq!(words_of(vec![strange(OLD), later]), [column], "{column}");
        }
        // An order report has no version: it is never the newest.
        assert_eq!(words_of(vec![strange(OLD), outspoken(Family::OrderReport)]), [column]);
    }
    for column in ["sales-channel", "ship-country", "tax-collection-model"] {
        let strange = with_word(column, silent(Family::OrderReport));
        let said = of_version(OLD, outspoken(Family::AllOrders));
        assert_eq!(words_of(vec![said, strange.clone()]), [""; 0], "{column}");
        assert_eq!(words_of(vec![strange]), [column]);
    }
    // Of two strange words the newer one counts.
    let older = of_version(OLD, with_word("sales-channel", silent(Family::AllOrders)));
    let mut newer = of_version(NEW, with_word("sales-channel", silent(Family::Unshipped)));
    newer.unknown_words[0].word = "Bar".into();
    let words = merged(vec![older, newer]).unknown_words;
    assert_eq!(words.iter().map(|word| word.word.as_str()).collect::<Vec<_>>(), ["Bar"]);
}

#[test]
fn an_item_of_unknown_status_counts_until_a_newer_report_lists_the_same_units() {
    let strange = of_version(
        OLD,
        with_word(
            "item-status",
            fact(
                Family::AllOrders,
                Head::default(),
                vec![row("A", 1, "1.00"), row("B", 1, "2.00")],
            ),
        ),
    );
    let lists = |rows| of_version(NEW, fact(Family::Unshipped, Head::default(), rows));
    let one = lists(vec![row("A", 1, "")]);
    let both = lists(vec![row("A", 1, ""), row("B", 1, "")]);
    assert_eq!(words_of(vec![strange.clone(), one]), ["item-status"]);
    assert_eq!(words_of(vec![strange, both]), [""; 0]);
}

#[test]
fn a_report_in_another_currency_fills_no_blanks() {
    let of = |family, currency: &str, line| {
        let head = Head { currency: currency.parse().ok(), ..Head::default() };
        fact(family, head, vec![line])
    };
    let report = || of(Family::OrderReport, "EUR", row("A", 1, "12.00"));
    let prices = |record: Record| record.lines[0].fact.item_price;
    let record = merged(vec![of(Family::AllOrders, "GBP", row("A", 1, "")), report()]);
    assert_eq!((prices(record.clone()), record.currency), (None, "GBP".parse().ok()));
    let record = merged(vec![of(Family::AllOrders, "", row("A", 1, "")), report()]);
    assert_eq!((prices(record.clone()), record.currency), (Some(dec("12.00")), "EUR".parse().ok()));
}

#[test]
fn a_pending_net_price_without_a_tax_does_not_stand_beside_a_reports_tax() {
    let pending = Head { status: Some(OrderStatus::Pending), ..Head::default() };
    let own = FactLine { item_price_net: Some(dec("14.99")), ..row("A", 1, "14.99") };
    let other = FactLine { item_tax: Some(dec("2.50")), ..row("A", 1, "14.99") };
    let record = merged(vec![fact(Family::AllOrders, pending, vec![own]), report(vec![other])]);
    let line = &record.lines[0].fact;
    assert_eq!((line.item_tax, line.item_price_net), (Some(dec("2.50")), None));
}

#[test]
fn the_currency_is_that_of_the_report_with_the_prices() {
    let of = |family, currency: &str, price| {
        let head = Head { currency: currency.parse().ok(), ..Head::default() };
        fact(family, head, vec![row("A", 1, price)])
    };
    let record =
        merged(vec![of(Family::Unshipped, "EUR", ""), of(Family::OrderReport, "GBP", "12.00")]);
    let price = record.lines[0].fact.item_price;
    assert_eq!((record.currency, price), ("GBP".parse().ok(), Some(dec("12.00"))));
}
