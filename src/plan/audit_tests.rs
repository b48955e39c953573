//! Faults in planning that audits, users and reviews found. A test that begins with a number
//! (`audit_02`, `case_r08`) is named after the entry in the list of findings.

use super::*;
use crate::model::{Stage, UnknownAmount, UnknownWord};

fn versioned(mut fact: Fact, version: &str) -> Fact {
    fact.version = Some(at(version));
    fact
}

fn refused(case: &mut Case, family: Family, version: Option<&str>) {
    let fault = RowFault {
        line: 7,
        column: "gift-message-text".into(),
        code: "row-line-end".into(),
        message: "has a line end".into(),
    };
    let file = "F0123456789".parse().unwrap();
    let version = version.map(at);
    case.dossier.refused.insert(family, RefusedFact { version, file, faults: vec![fault] });
}

// --- half an order -------------------------------------------------------------------------------

#[test]
fn audit_02_nothing_stands_before_the_order_does() {
    let known = vec![
        item("A", 1, "", 1, "10.00"),
        item("A", 2, "", 1, "10.00"),
        item("B", 1, "", 1, "5.00"),
    ];
    let mut case = case(vec![row("A", 2, "20.00"), row("B", 1, "5.00")]).mapped(known);
    let mapping = case.dossier.mapping.as_mut().unwrap();
    (mapping.odoo_id, mapping.stage) = (0, Some(Stage::Creating));
    let desired = case.want();
    assert_eq!(desired.standing, BTreeSet::new());
    assert_eq!(
        lines_of(&desired),
        [is("A__1", LAMP, "2", "10.00", TAX_19), is("B__1", VASE, "1", "5.00", TAX_19)]
    );
    assert_eq!(desired.total, Ok(dec("25.00")));
}

// --- amounts of any size -----------------------------------------------------------------------

#[test]
fn audit_03_absurd_amounts_hold_their_order() {
    let tiny =
        FactLine { item_tax: Some(dec("0.999999999999999999999999999")), ..row("A", 1, "1.00") };
    assert_eq!(case(vec![tiny]).waits().len(), 1);
    let huge = || row("A", 1, "9999999999999999999999999999");
    let many = case((0..8).map(|_| huge()).collect());
    assert!(!many.waits().is_empty());
    summary(&many.dossier);
}

fn any_amount() -> impl Strategy<Value = Option<Decimal>> {
    let any = (any::<i128>(), 0_u32..=28).prop_map(|(mantissa, scale)| {
        Decimal::try_from_i128_with_scale(mantissa >> 32, scale).unwrap_or_default()
    });
    prop_oneof![
        2 => Just(None),
        2 => (-10_000_i64..100_000).prop_map(|cents| Some(Decimal::new(cents, 2))),
        1 => Just(Some(Decimal::MAX)),
        1 => Just(Some(Decimal::MIN)),
        1 => Just(Some(Decimal::ZERO)),
        1 => Just(Some(Decimal::new(1, 28))),
        3 => any.prop_map(Some),
    ]
}

prop_compose! {
    fn any_line()(
        sku in prop::sample::select(vec!["A", "B", "C"]),
        quantity in prop_oneof![0_u32..9, any::<u32>()],
        amounts in prop::collection::vec(any_amount(), 11),
        facilitator in any::<Option<bool>>(),
    ) -> FactLine {
        FactLine {
            item_price: amounts[0],
            item_tax: amounts[1],
            shipping_price: amounts[2],
            shipping_tax: amounts[3],
            gift_wrap_price: amounts[4],
            gift_wrap_tax: amounts[5],
            item_promotion: amounts[6],
            ship_promotion: amounts[7],
            item_price_net: amounts[8],
            shipping_price_net: amounts[9],
            gift_wrap_price_net: amounts[10],
            facilitator,
            ..FactLine::new(2, sku.parse().unwrap(), quantity)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn audit_03_no_amounts_make_plan_or_summary_panic(
        lines in prop::collection::vec(any_line(), 0..5),
        others in prop::collection::vec(any_line(), 0..4),
        known in prop::collection::vec((any_line(), 1_u32..4), 0..4),
        net in any::<bool>(),
        include in any::<bool>(),
        rates in prop::collection::vec(0_u32..=100, 0..4),
        status in prop::sample::select(vec![
            OrderStatus::Pending, OrderStatus::Unshipped, OrderStatus::Shipped, OrderStatus::Cancelled,
        ]),
        yen in any::<bool>(),
        replacement in any::<bool>(),
        refusals in prop::collection::vec(prop::sample::select(Family::ALL.to_vec()), 0..2),
    ) {
        let mut case = case(lines)
            .also(fact(Family::OrderReport, head(), others))
            .head(|head| {
                head.status = Some(status);
                head.replacement = replacement;
                head.currency = if yen { "JPY" } else { "EUR" }.parse().ok();
            })
            .rules(|rules| {
                if net { rules.prices = Prices::Net; }
                if include { rules.facilitator_tax = FacilitatorTax::Include; }
                rules.taxes = rates
                    .iter()
                    .enumerate()
                    .map(|(n, rate)| entry(&rate.to_string(), (*rate > 3).then_some("19%"), n == 0))
                    .collect();
            })
            .odoo(|odoo| {
                let currency = if yen { "JPY" } else { "EUR" };
                odoo.pricelist = Found::One((PRICELIST, currency.parse().unwrap()));
            });
        if !known.is_empty() {
            let items = known
                .iter()
                .map(|(line, ordinal)| MappedItem {
                    quantity: line.quantity,
                    total: line.item_price,
                    ..item(line.sku.as_str(), *ordinal, "", 1, "")
                })
                .collect();
            case = case.mapped(items);
        }
        for family in refusals {
            refused(&mut case, family, None);
        }
        let _planned = case.plan();
        summary(&case.dossier);
    }
}

// --- refused rows ------------------------------------------------------------------------------

#[test]
fn audit_07_a_refused_row_masks_no_cancellation() {
    let cancelled = |head: &mut Head| head.status = Some(OrderStatus::Cancelled);
    for family in Family::ALL {
        let mut known = one().mapped(vec![item("A", 1, "", 1, "11.90")]).head(cancelled);
        refused(&mut known, family, Some("2025-06-09T00:00:00Z"));
        assert!(known.want().cancel, "{family:?}");
        let mut unknown = one().head(cancelled);
        refused(&mut unknown, family, Some("2025-06-09T00:00:00Z"));
        assert_eq!(unknown.done(), Outcome::CancelledUnseen, "{family:?}");
    }
}

#[test]
fn audit_07_a_refusal_waits_only_while_its_family_can_speak() {
    let shipped = |head: &mut Head| head.status = Some(OrderStatus::Shipped);
    for family in [Family::Unshipped, Family::OrderReport] {
        let mut case = one().head(shipped).mapped(vec![item("A", 1, "", 1, "11.90")]);
        refused(&mut case, family, Some("2025-06-09T00:00:00Z"));
        assert_eq!(case.want().lines.len(), 1, "{family:?}: it lists no order that has left");
    }
    let mut case = one().head(shipped);
    refused(&mut case, Family::AllOrders, Some("2025-06-09T00:00:00Z"));
    assert_eq!(case.waits()[0].0, HoldCode::Row, "All Orders lists every order");
}

// --- minor units -------------------------------------------------------------------------------

#[test]
fn audit_13_yen_are_whole() {
    let yen = |price: i64, tax: i64| {
        let line = FactLine { item_tax: Some(tax.into()), ..row("A", 1, &price.to_string()) };
        case(vec![line])
            .head(|head| head.currency = "JPY".parse().ok())
            .rules(|rules| rules.taxes = vec![entry("10", Some("10%"), true)])
            .odoo(|odoo| {
                odoo.pricelist = Found::One((PRICELIST, "JPY".parse().unwrap()));
                let tax = Tax { id: 10, price_include: true };
                odoo.taxes.insert(named("10%"), Found::One(tax));
            })
    };
    for price in 500..3000 {
        // Amazon rounds to the yen.
        let tax = (price + 5) / 11;
        let desired = yen(price, tax).want();
        assert_eq!(desired.lines[0].taxes, [10], "{price}");
    }
    assert_eq!(yen(1000, 95).waits()[0].0, HoldCode::Tax, "not everything fits");
}

// --- lines that stand --------------------------------------------------------------------------

#[test]
fn audit_43_lines_stand_only_if_all_amounts_do() {
    let first = |shipping: &str| FactLine {
        shipping_price: Some(dec(shipping)),
        item_promotion: Some(dec("1.00")),
        ..row("A", 1, "10.00")
    };
    let known = case(vec![first("4.00"), first("0.00")]).want().items;
    let joined = |shipping: &str, promotion: &str, wrap: &str| {
        let line = FactLine {
            shipping_price: Some(dec(shipping)),
            item_promotion: Some(dec(promotion)),
            gift_wrap_price: (!wrap.is_empty()).then(|| dec(wrap)),
            ..row("A", 2, "20.00")
        };
        case(vec![line]).mapped(known.clone()).want().standing.len()
    };
    assert_eq!(joined("4.00", "2.00", ""), 1, "the same in one row");
    assert_eq!(joined("4.00", "2.00", "0.00"), 1, "nothing is nothing");
    assert_eq!(joined("5.00", "2.00", ""), 0, "another shipping price");
    assert_eq!(joined("4.00", "3.00", ""), 0, "another promotion");
    assert_eq!(joined("4.00", "2.00", "3.00"), 0, "gift wrap");
}

// --- zero, blank, absent -----------------------------------------------------------------------

/// The plan of one row, 100.00 with this tax and net price; or the code of its hold.
fn zero_tax(tax: &str, net: &str, change: impl Fn(&mut Head), rates: &[(&str, bool)]) -> String {
    let line = FactLine {
        item_tax: tax.parse().ok(),
        item_price_net: net.parse().ok(),
        ..row("A", 1, "100.00")
    };
    let case = case(vec![line]).head(change).rules(|rules| {
        rules.taxes = rates
            .iter()
            .map(|(rate, default)| entry(rate, (*rate != "0").then_some("19%"), *default))
            .collect();
    });
    match case.plan() {
        Plan::Want(desired) => format!("{:?}", desired.lines[0].taxes),
        Plan::Wait(holds) => format!("{} {}", holds[0].code, holds[0]),
        Plan::Done(outcome) => format!("{outcome:?}"),
    }
}

#[test]
fn case_r08_zero_tax_is_a_statement() {
    let table = [("19", true), ("7", false)];
    let listed = [("19", true), ("0", false)];
    let (shipped, pending) = (
        |head: &mut Head| head.status = Some(OrderStatus::Shipped),
        |head: &mut Head| head.status = Some(OrderStatus::Pending),
    );
    // Reverse charge, or a place that has no such tax: Amazon calculated it, and it came to zero.
    for net in ["100.00", ""] {
        let held = zero_tax("0.00", net, shipped, &table);
        assert!(held.starts_with("tax "), "{held}");
        assert!(held.contains("0.00") && held.contains("15.97"), "both numbers: {held}");
        assert_eq!(zero_tax("0.00", net, shipped, &listed), "[]", "the table's own 0");
    }
    // Not calculated yet.
    assert_eq!(zero_tax("0.00", "", pending, &table), "[19]");
    assert_eq!(zero_tax("0.00", "0.00", shipped, &table), "[19]");
    assert_eq!(zero_tax("0.00", "0.00", shipped, &listed), "[19]", "blank, not zero");
    // Not told.
    assert_eq!(zero_tax("", "", shipped, &table), "[19]");
    let undefaulted = [("19", false), ("7", false)];
    assert!(zero_tax("", "", shipped, &undefaulted).starts_with("tax "));
    // No table, nothing to ask.
    assert_eq!(zero_tax("0.00", "", shipped, &[]), "[]");
}

#[test]
fn case_r08_zero_is_a_statement_for_shipping_and_gift_wrap_too() {
    let with = |change: fn(&mut FactLine)| {
        let mut line = FactLine { item_tax: Some(dec("1.90")), ..lamp() };
        change(&mut line);
        match case(vec![line]).plan() {
            Plan::Want(desired) => desired.lines.last().unwrap().taxes.len().to_string(),
            Plan::Wait(holds) => holds[0].code.to_string(),
            Plan::Done(outcome) => format!("{outcome:?}"),
        }
    };
    assert_eq!(with(|l| l.shipping_price = Some(dec("5.00"))), "1", "blank follows the item");
    let zero = |l: &mut FactLine| {
        l.shipping_price = Some(dec("5.00"));
        l.shipping_tax = Some(dec("0.00"));
    };
    assert_eq!(with(zero), "tax");
    let wrap = |l: &mut FactLine| {
        l.gift_wrap_price = Some(dec("5.00"));
        l.gift_wrap_tax = Some(dec("0.00"));
    };
    assert_eq!(with(wrap), "tax");
    let free = |l: &mut FactLine| {
        l.shipping_price = Some(dec("5.00"));
        l.ship_promotion = Some(dec("5.00"));
        l.shipping_tax = Some(dec("0.00"));
    };
    assert_eq!(with(free), "1", "nothing is left that a rate could be calculated from");
    assert_eq!(with(|l| l.shipping_tax = Some(dec("0.80"))), "price", "tax on a blank price");
    assert_eq!(with(|l| l.ship_promotion = Some(dec("5.00"))), "price", "off a blank price");
}

#[test]
fn a_free_replacement_is_not_asked_for_tax() {
    let free = |tax: &str| {
        let line = FactLine { item_tax: tax.parse().ok(), ..row("A", 1, "0.00") };
        case(vec![line])
            .head(|head| head.replacement = true)
            .rules(|rules| rules.taxes = vec![entry("19", Some("19%"), false)])
            .want()
    };
    for tax in ["", "0.00"] {
        assert!(free(tax).lines[0].taxes.is_empty(), "no default, nothing to tax");
    }
}

// --- already shipped ---------------------------------------------------------------------------

#[test]
fn audit_09_already_shipped_is_what_the_first_fact_said() {
    let shipped = |head: &mut Head| head.status = Some(OrderStatus::Shipped);
    for rule in [AlreadyShipped::Draft, AlreadyShipped::Skip, AlreadyShipped::Confirm] {
        let later = |mapped: bool| {
            let mut case = one().nobody().head(shipped).policy(|p| p.already_shipped = rule);
            if mapped {
                case = case.mapped(vec![item("A", 1, "", 1, "11.90")]);
            }
            case.dossier.seen_unshipped = true;
            case.want()
        };
        for mapped in [false, true] {
            let desired = later(mapped);
            assert!(desired.confirm, "{rule:?} {mapped}: it was held while it shipped");
            assert_eq!(codes(&desired), [], "and what has left needs no address");
        }
    }
    // What is missing besides still holds it.
    let mut nowhere = one().head(shipped).rules(|rules| rules.warehouse = Some("GONE".into()));
    nowhere.dossier.seen_unshipped = true;
    assert_eq!(codes(&nowhere.want()), [HoldCode::Warehouse]);
}

// --- a refused row that others cover -----------------------------------------------------------

#[test]
fn design_7_a_refused_row_is_ended_by_any_good_file_that_covers_it() {
    let (early, late) = ("2025-06-02T00:00:00Z", "2025-06-09T00:00:00Z");
    let report = || fact(Family::OrderReport, head(), vec![row("A", 1, "11.90")]);
    let all_orders = |version: &str| {
        let mut case = one();
        let standing = case.dossier.facts.get_mut(&Family::AllOrders).unwrap();
        standing.fact.version = Some(at(version));
        case
    };
    let row_hold = [(HoldCode::Row, "F0123456789 line 7".to_owned())];

    // An unshipped row: All Orders that spoke later says everything but a wish to cancel.
    let mut case = all_orders(early);
    refused(&mut case, Family::Unshipped, Some(late));
    assert_eq!(case.waits(), row_hold);
    let mut case = all_orders(late);
    refused(&mut case, Family::Unshipped, Some(early));
    let desired = case.want();
    assert_eq!((desired.lines.len(), desired.confirm), (1, false));
    assert_eq!(pairs(&desired.holds), row_hold);
    // So do All Orders and an order report.
    let mut case = all_orders(early).also(report());
    refused(&mut case, Family::Unshipped, Some(late));
    let desired = case.want();
    assert_eq!((desired.lines.len(), desired.confirm), (1, false));
    assert_eq!(pairs(&desired.holds), row_hold);

    // A row of the order report: an unshipped report says whose it is as well.
    let mut case = all_orders(early);
    refused(&mut case, Family::OrderReport, None);
    assert_eq!(case.waits(), row_hold);
    let mut case = all_orders(early).also(unshipped());
    refused(&mut case, Family::OrderReport, None);
    assert!(case.want().confirm);

    // A row of All Orders: a later unshipped report with the same units.
    let mut case = all_orders(early).also(versioned(unshipped(), late));
    refused(&mut case, Family::AllOrders, Some("2025-06-05T00:00:00Z"));
    assert!(case.want().confirm);
    let more = fact(Family::Unshipped, head(), vec![row("A", 2, "")]);
    for other in [unshipped(), versioned(unshipped(), early), versioned(more, late)] {
        let mut case = all_orders(early).also(other);
        refused(&mut case, Family::AllOrders, Some("2025-06-05T00:00:00Z"));
        assert_eq!(case.waits(), row_hold);
    }
    // Neither family is whole.
    let mut case = all_orders(late).also(report());
    refused(&mut case, Family::Unshipped, Some(early));
    refused(&mut case, Family::AllOrders, Some(late));
    assert_eq!(case.waits().len(), 2);
}

#[test]
fn design_7_holds_end_while_another_family_is_refused() {
    let unpriced = || {
        let mut case = case(vec![row("A", 1, "")]);
        refused(&mut case, Family::Unshipped, Some("2025-06-09T00:00:00Z"));
        case
    };
    assert_eq!(unpriced().waits()[0].0, HoldCode::Row);
    let report = fact(Family::OrderReport, head(), vec![row("A", 1, "11.90")]);
    assert_eq!(unpriced().also(report).want().total, Ok(dec("11.90")));
}

// --- what is not known -------------------------------------------------------------------------

fn released(case: &mut Case, holds: &[Hold]) {
    let at = at("2025-06-09T00:00:00Z");
    for hold in holds {
        let released = crate::model::Released::of(hold, None, at).unwrap();
        released.add_to(&mut case.dossier.released);
    }
}

fn holds(case: &Case) -> Vec<Hold> {
    match case.plan() {
        Plan::Wait(holds) => holds,
        Plan::Want(desired) => desired.holds,
        Plan::Done(outcome) => panic!("{outcome:?}"),
    }
}

#[test]
fn kind_a_money_in_an_unknown_column_holds() {
    let unknown = |amount: &str| {
        let mut case = one();
        let standing = case.dossier.facts.get_mut(&Family::AllOrders).unwrap();
        standing.fact.unknown_amounts =
            vec![UnknownAmount { column: "eco-fee".into(), amount: dec(amount), unread: vec![] }];
        case
    };
    let mut case = unknown("0.50");
    let held = holds(&case);
    assert_eq!(pairs(&held), [(HoldCode::UnknownAmount, "eco-fee".to_owned())]);
    assert_eq!((held[0].ours.as_str(), held[0].theirs.as_str()), ("", "0.5"));
    released(&mut case, &held);
    assert!(case.want().confirm, "a person leaves it out");
    let mut other = unknown("0.70");
    released(&mut other, &held);
    let desired = other.want();
    assert_eq!(codes(&desired), [HoldCode::UnknownAmount], "this is another amount");
    assert!(!desired.confirm && desired.lines.len() == 1, "a quotation");
    // A cancellation waits for nothing.
    let cancelled =
        unknown("0.50").mapped(Vec::new()).head(|head| head.status = Some(OrderStatus::Cancelled));
    assert!(cancelled.want().cancel);
}

#[test]
fn kind_a_unknown_words_hold_and_are_named() {
    let word = |column: &str, word: &str| {
        let mut case = one();
        let standing = case.dossier.facts.get_mut(&Family::AllOrders).unwrap();
        standing.fact.unknown_words =
            vec![UnknownWord { column: column.into(), word: word.into() }];
        case
    };
    for (column, code) in [
        ("sales-channel", HoldCode::Marketplace),
        ("tax-collection-model", HoldCode::Tax),
        ("fulfillment-channel", HoldCode::Release),
    ] {
        assert_eq!(word(column, "Foo").waits(), [(code, "Foo".to_owned())], "{column}");
    }
    let status = word("order-status", "Unfulfillable");
    let released = status.also(unshipped()).want();
    assert_eq!(
        (released.confirm, pairs(&released.holds)),
        (false, vec![(HoldCode::Release, "Unfulfillable".to_owned())])
    );
    let unnamed = word("order-status", "").want();
    assert_eq!(pairs(&unnamed.holds), [(HoldCode::Release, "order-status".to_owned())]);
    let default = word("sales-channel", "Foo")
        .head(|head| head.marketplace = None)
        .policy(|policy| policy.default_marketplace = Some(market(DE)));
    assert_eq!(default.waits(), [(HoldCode::Marketplace, "Foo".to_owned())], "not the default");
}

// --- what a person released --------------------------------------------------------------------

#[test]
fn kind_c_a_wish_to_cancel_passes_where_a_person_said_so() {
    let mut asked = one().head(|head| head.cancellation_requested = true);
    let held = asked.want().holds;
    released(&mut asked, &held);
    assert!(asked.want().confirm);
}

#[test]
fn kind_c_a_released_tax_hold_leaves_something_to_write() {
    let zero =
        |sku: &str, price: &str| FactLine { item_tax: Some(dec("0.00")), ..row(sku, 1, price) };
    let mut case = case(vec![zero("A", "100.00"), zero("B", "20.00")])
        .head(|head| head.status = Some(OrderStatus::Unshipped));
    let held = holds(&case);
    assert_eq!(pairs(&held), [(HoldCode::Tax, "Amazon.de to DE 0%".to_owned())], "one decision");
    assert_eq!(held[0].ours, "15.97 (19%); 3.19 (19%)");
    released(&mut case, &held);
    let desired = case.want();
    assert_eq!(
        lines_of(&desired),
        [is("A__1", LAMP, "1", "100.00", TAX_19), is("B__1", VASE, "1", "20.00", TAX_19)]
    );
    assert_eq!(desired.total, Ok(dec("120.00")), "and the total is compared all the same");
    let standing = case.dossier.facts.get_mut(&Family::AllOrders).unwrap();
    standing.fact.lines[0].item_price = Some(dec("101.00"));
    assert_eq!(case.waits()[0].0, HoldCode::Tax, "other numbers are another decision");
}

// --- totals ------------------------------------------------------------------------------------

#[test]
fn kind_c_the_total_is_known_wherever_it_can_be_reckoned() {
    // Net prices whose report gives no tax: the table's default says what Odoo adds.
    let net = case(vec![row("A", 1, "10.00"), row("B", 2, "5.01")])
        .rules(|rules| {
            rules.prices = Prices::Net;
            rules.facilitator_tax = FacilitatorTax::Include;
        })
        .odoo(|odoo| {
            let tax = Found::One(Tax { id: TAX_19, price_include: false });
            odoo.taxes.insert(named("19%"), tax);
        });
    assert_eq!(net.want().total, Ok(dec("17.86")));
    // Lines that stand: what the rows come to.
    let known = vec![item("A", 1, "", 1, "10.00"), item("A", 2, "", 1, "10.00")];
    let desired = case(vec![row("A", 2, "20.00")]).mapped(known.clone()).want();
    assert_eq!((desired.standing.len(), desired.total), (1, Ok(dec("20.00"))));
    // Nothing is said of a price any more.
    let mut unpriced = case(Vec::new()).also(unshipped()).mapped(known);
    unpriced.dossier.facts.remove(&Family::AllOrders);
    let standing = unpriced.dossier.facts.get_mut(&Family::Unshipped).unwrap();
    standing.fact.lines = vec![row("A", 2, "")];
    assert_eq!(unpriced.want().total, Err(NoTotal::Standing));
}

// --- carriers, replacements, currencies --------------------------------------------------------

#[test]
fn design_7_a_carrier_that_is_not_found_is_told() {
    let with = |found| {
        one().head(|head| head.service_level = Some("Expedited".into())).odoo(|odoo| {
            odoo.carriers.insert("Fast".into(), found);
        })
    };
    for found in [Found::Nothing, Found::Several] {
        let attention = with(found).want().attention;
        assert_eq!(attention.len(), 1);
        assert_eq!((attention[0].0, attention[0].1.as_str()), (AttentionCode::Carrier, "Fast"));
        let known = with(found).mapped(vec![item("A", 1, "", 1, "11.90")]).want();
        assert_eq!(known.attention, [], "it is set when the order is created");
    }
    assert_eq!(with(Found::One(5)).want().attention, []);
    assert_eq!(one().want().attention, [], "no table names this level");
}

#[test]
fn design_7_a_replacement_names_the_order_it_is_for() {
    let free = || case(vec![row("A", 1, "")]).head(|head| head.replacement = true);
    let named = free().head(|head| head.original_order_id = "205-1111111-2222222".parse().ok());
    assert_eq!(named.want().lines[0].name, "A\nReplacement for Amazon order 205-1111111-2222222");
    assert_eq!(free().want().lines[0].name, "A\nReplacement");
    assert_eq!(one().want().lines[0].name, "A");
}

#[test]
fn case_r05_a_code_that_is_no_currency_is_called_so() {
    let odd = one().head(|head| head.currency = "QQQ".parse().ok());
    let held = holds(&odd);
    assert_eq!(pairs(&held), [(HoldCode::Pricelist, "Amazon.de QQQ".to_owned())]);
    assert!(held[0].text.contains("no ISO currency"), "{}", held[0]);
}

#[test]
fn an_unknown_country_is_asked_about_only_where_the_tax_depends_on_it() {
    let strange = || {
        let mut case = one().head(|head| head.ship_country = None);
        let standing = case.dossier.facts.get_mut(&Family::AllOrders).unwrap();
        standing.fact.unknown_words =
            vec![UnknownWord { column: "ship-country".into(), word: String::new() }];
        case
    };
    assert_eq!(strange().want().holds, []);
    let mut case = strange().policy(|policy| {
        let rules = policy.marketplaces.get_mut(&market(DE)).unwrap();
        rules.taxes.push(TaxEntry { destination: Some("AT".into()), ..entry("20", None, true) });
    });
    let held = holds(&case);
    assert_eq!(pairs(&held), [(HoldCode::Tax, "ship-country".to_owned())]);
    assert!(!(held[0].ours.is_empty() && held[0].theirs.is_empty()), "a person can decide it");
    released(&mut case, &held);
    assert_eq!(case.want().holds, []);
}

#[test]
fn kind_c_a_hold_that_compares_nothing_is_not_released() {
    let mut case = one();
    case.odoo.taxes.clear();
    let held = holds(&case);
    assert_eq!(pairs(&held), [(HoldCode::Tax, "19%".to_owned())]);
    assert_eq!(crate::model::Released::of(&held[0], None, at("2025-06-09T00:00:00Z")), None);
    assert!(held[0].text.contains("`hold release` does not end this"), "{}", held[0].text);
}
