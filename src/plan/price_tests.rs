//! Amounts of a line, to the cent, with the tax that fits them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::exact::split;
use super::*;

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn policy(prices: Prices, rates: &[&str]) -> MarketplacePolicy {
    MarketplacePolicy {
        prices,
        facilitator_tax: FacilitatorTax::Exclude,
        taxes: rates
            .iter()
            .enumerate()
            .map(|(n, rate)| TaxEntry {
                destination: None,
                rate: dec(rate),
                tax: Some(TaxRef::Name((*rate).to_owned())),
                default: n == 0,
            })
            .collect(),
        warehouse: None,
        fba_warehouse: None,
        carriers: BTreeMap::new(),
        anonymous_partner: "x".into(),
        anonymous_named: false,
    }
}

fn line(quantity: u32) -> FactLine {
    FactLine::new(0, "A".parse().unwrap(), quantity)
}

fn price(line: &FactLine, item: &str, policy: &MarketplacePolicy) -> Result<PricedLine, Hold> {
    let around = Surroundings {
        policy,
        marketplace: "Amazon.co.uk",
        destination: Some("GB"),
        currency: "GBP".parse().unwrap(),
        pending: false,
        released: &[],
    };
    price_line(line, dec(item), around).map_err(|mut holds| holds.remove(0))
}

#[test]
fn a_net_promotion_beside_a_gross_price_is_seen_by_its_tax() {
    let uk = policy(Prices::Gross, &["20", "0"]);
    let sample = FactLine {
        item_tax: Some(dec("3.00")),
        item_promotion: Some(dec("1.67")),
        item_price_net: Some(dec("16.66")),
        ..line(1)
    };
    let priced = price(&sample, "19.99", &uk).unwrap().item;
    assert_eq!((priced.amount, priced.promotion), (dec("19.99"), dec("2.00")));
    assert_eq!(priced.amount - priced.promotion, dec("17.99"), "what the buyer paid");
    assert_eq!(priced.tax, TaxChoice::Tax { tax: TaxRef::Name("20".into()), included: true });
}

#[test]
fn a_promotion_of_the_whole_net_price_leaves_nothing_to_pay() {
    let sample = FactLine {
        item_tax: Some(dec("0.00")),
        item_promotion: Some(dec("10.00")),
        item_price_net: Some(dec("10.00")),
        ..line(1)
    };
    for (rates, facilitator) in [(vec!["20"], false), (vec!["20", "0"], false), (vec!["20"], true)]
    {
        let uk = policy(Prices::Gross, &rates);
        let sample = FactLine { facilitator: Some(facilitator), ..sample.clone() };
        let item = price(&sample, "12.00", &uk).unwrap().item;
        assert_eq!(item.amount - item.promotion, Decimal::ZERO, "{rates:?} {facilitator}");
    }
    // A part of it does not: what is left has no tax, and the table knows no such rate.
    let part = FactLine { item_promotion: Some(dec("9.00")), ..sample };
    let uk = policy(Prices::Gross, &["20"]);
    assert_eq!(price(&part, "12.00", &uk).unwrap_err().code, HoldCode::Tax);
}

#[test]
fn a_gross_promotion_stays_as_it_is() {
    let uk = policy(Prices::Gross, &["20"]);
    let sample =
        FactLine { item_tax: Some(dec("1.67")), item_promotion: Some(dec("2.00")), ..line(1) };
    let priced = price(&sample, "12.00", &uk).unwrap().item;
    assert_eq!(priced.promotion, dec("2.00"));
}

#[test]
fn a_tax_exclusive_price_on_a_gross_marketplace_is_held() {
    let uk = policy(Prices::Gross, &["20"]);
    let sample =
        FactLine { item_tax: Some(dec("3.33")), item_price_net: Some(dec("16.66")), ..line(1) };
    assert_eq!(price(&sample, "16.66", &uk).unwrap_err().code, HoldCode::Tax);
}

#[test]
fn an_unlisted_rate_is_held_and_a_listed_one_found() {
    let de = policy(Prices::Gross, &["19", "7"]);
    let with = |tax: &str| FactLine { item_tax: Some(dec(tax)), ..line(1) };
    let reduced = price(&with("0.65"), "10.00", &de).unwrap().item;
    assert_eq!(reduced.tax, TaxChoice::Tax { tax: TaxRef::Name("7".into()), included: true });
    let hold = price(&with("1.20"), "10.00", &de).unwrap_err();
    assert_eq!(hold.code, HoldCode::Tax);
    assert!(hold.key.contains("13.6%"), "{}", hold.key);
}

#[test]
fn case_r08_zero_is_a_rate() {
    let none_listed = policy(Prices::Gross, &["20"]);
    let listed = policy(Prices::Gross, &["20", "0"]);
    let sample = FactLine { item_tax: Some(dec("0.00")), ..line(1) };
    let hold = price(&sample, "9.90", &none_listed).unwrap_err();
    assert_eq!((hold.ours.as_str(), hold.theirs.as_str()), ("1.65 (20%)", "0.00"));
    assert_eq!(hold.key, "Amazon.co.uk to GB 0%");
    let tax = |sample: &FactLine, policy| match price(sample, "9.90", policy).unwrap().item.tax {
        TaxChoice::Tax { tax: TaxRef::Name(name), .. } => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(tax(&sample, &listed), "0");
    // Not calculated: as if the cell were blank.
    let uncalculated = FactLine { item_price_net: Some(dec("0.00")), ..sample.clone() };
    assert_eq!(tax(&uncalculated, &none_listed), "20");
    assert_eq!(tax(&uncalculated, &listed), "20");
    // And nothing is given away, however the absent promotion is written.
    for promotion in [None, Some(dec("0.00"))] {
        let row = FactLine { item_promotion: promotion, ..uncalculated.clone() };
        let item = price(&row, "9.90", &none_listed).unwrap().item;
        assert_eq!((item.amount, item.promotion), (dec("9.90"), dec("0")), "{promotion:?}");
    }
    // The net price says otherwise.
    let sample = FactLine { item_price_net: Some(dec("8.25")), ..sample };
    let hold = price(&sample, "9.90", &listed).unwrap_err();
    assert_eq!((hold.ours.as_str(), hold.theirs.as_str()), ("9.90", "8.25"));
}

#[test]
fn a_released_tax_hold_uses_the_default_or_none() {
    let around = |policy| Surroundings {
        policy,
        marketplace: "M",
        destination: None,
        currency: "EUR".parse().unwrap(),
        pending: false,
        released: &[],
    };
    let odd = FactLine { item_tax: Some(dec("1.20")), ..line(1) };
    let table = policy(Prices::Gross, &["19", "7"]);
    let hold = price_line(&odd, dec("10.00"), around(&table)).unwrap_err().remove(0);
    assert_eq!((hold.ours.as_str(), hold.theirs.as_str()), ("1.60 (19%)", "1.20"));
    let released = [hold.key];
    let priced =
        price_line(&odd, dec("10.00"), Surroundings { released: &released, ..around(&table) });
    let item = priced.unwrap().item;
    let choice = TaxChoice::Tax { tax: TaxRef::Name("19".into()), included: true };
    assert_eq!((item.amount, item.tax), (dec("10.00"), choice));
    let mut undefaulted = policy(Prices::Gross, &["19", "7"]);
    undefaulted.taxes[0].default = false;
    let around = Surroundings { released: &released, ..around(&undefaulted) };
    let item = price_line(&odd, dec("10.00"), around).unwrap().item;
    assert_eq!(item.tax, TaxChoice::None);
}

#[test]
fn the_nearest_rate_is_the_one_nearest_to_tax_over_net() {
    // 0.02 of 0.13 is 18.2 %: both rates lie within two cents.
    let de = policy(Prices::Gross, &["7", "19"]);
    let item = FactLine { item_tax: Some(dec("0.02")), ..line(1) };
    let tax = price(&item, "0.13", &de).unwrap().item.tax;
    assert_eq!(tax, TaxChoice::Tax { tax: TaxRef::Name("19".into()), included: true });
    // A message about net prices calculates as the decision does: 1.20 on 10.00.
    let us = MarketplacePolicy {
        facilitator_tax: FacilitatorTax::Include,
        ..policy(Prices::Net, &["8"])
    };
    let item = FactLine { item_tax: Some(dec("1.20")), ..line(1) };
    let hold = price(&item, "10.00", &us).unwrap_err();
    assert_eq!(hold.key, "Amazon.co.uk to GB 12%");
    assert!(hold.text.contains("1.20 (12%)") && hold.text.contains("0.80 (8%)"), "{}", hold.text);
}

#[test]
fn every_part_says_what_it_waits_for() {
    let uk = policy(Prices::Gross, &["20"]);
    let both = FactLine {
        item_tax: Some(dec("1.00")),
        shipping_price: Some(dec("5.00")),
        shipping_tax: Some(dec("0.00")),
        ..line(1)
    };
    let around = Surroundings {
        policy: &uk,
        marketplace: "M",
        destination: None,
        currency: "GBP".parse().unwrap(),
        pending: false,
        released: &[],
    };
    let holds = price_line(&both, dec("10.00"), around).unwrap_err();
    let values: Vec<_> = holds.iter().map(|h| (h.ours.as_str(), h.theirs.as_str())).collect();
    assert_eq!(values, [("1.67 (20%)", "1.00"), ("0.83 (20%)", "0.00")]);
}

#[test]
fn tax_that_amazon_collects_is_left_out() {
    let uk = policy(Prices::Gross, &["20"]);
    let gross = FactLine { item_tax: Some(dec("2.00")), facilitator: Some(true), ..line(1) };
    let item = price(&gross, "12.00", &uk).unwrap().item;
    assert_eq!((item.amount, item.tax), (dec("10.00"), TaxChoice::None));
    let us = policy(Prices::Net, &["8"]);
    let net = FactLine { item_tax: Some(dec("0.80")), ..line(1) };
    let item = price(&net, "10.00", &us).unwrap().item;
    assert_eq!((item.amount, item.tax.clone()), (dec("10.00"), TaxChoice::None));
    let own = FactLine { facilitator: Some(false), ..net };
    let item = price(&own, "10.00", &us).unwrap().item;
    assert_eq!(item.added_tax, dec("0.80"));
    assert_eq!(item.tax, TaxChoice::Tax { tax: TaxRef::Name("8".into()), included: false });
}

#[test]
fn ten_over_three_leaves_a_remainder() {
    let eur = "EUR".parse().unwrap();
    assert_eq!(split(dec("10.00"), 3, eur), Some((dec("3.33"), 2, Some(dec("3.34")))));
    assert_eq!(split(dec("53.97"), 3, eur), Some((dec("17.99"), 3, None)));
    assert_eq!(split(dec("100"), 3, "JPY".parse().unwrap()), Some((dec("33"), 2, Some(dec("34")))));
}

proptest! {
    #[test]
    fn split_parts_always_sum_to_the_total(cents in 0_i64..10_000_000, quantity in 1_u32..500) {
        let total = Decimal::new(cents, 2);
        let (unit, units, rest) = split(total, quantity, "EUR".parse().unwrap()).unwrap();
        let sum = unit * Decimal::from(units) + rest.unwrap_or_default();
        prop_assert_eq!(sum, total);
        prop_assert_eq!(units + u32::from(rest.is_some()), quantity);
    }

    #[test]
    fn amount_less_promotion_is_what_was_paid(
        net_cents in 100_i64..100_000, promo_cents in 1_i64..99, gross_promo in any::<bool>(),
    ) {
        // Build a row as Amazon does, from what the buyer paid, and read it back.
        let eur: Currency = "EUR".parse().unwrap();
        let uk = policy(Prices::Gross, &["20"]);
        let (net, promo) = (Decimal::new(net_cents, 2), Decimal::new(promo_cents, 2));
        let rate = dec("0.20");
        let gross = eur.round(net * dec("1.20"));
        let (tax, paid) = if gross_promo {
            let paid = gross - promo;
            (eur.round(paid * rate / dec("1.20")), paid)
        } else {
            let tax = eur.round((net - promo) * rate);
            (tax, net - promo + tax)
        };
        let sample = FactLine {
            item_tax: Some(tax), item_promotion: Some(promo), item_price_net: Some(net), ..line(1)
        };
        let item = price(&sample, &gross.to_string(), &uk).unwrap().item;
        // Small promotions fit both readings to within Amazon's rounding; those differ by the
        // promotion's tax. From 60 cents on there is no doubt.
        let off = (item.amount - item.promotion - paid).abs();
        let limit = if promo < dec("0.60") { promo * rate } else { Decimal::ZERO };
        prop_assert!(off <= limit + dec("0.01"), "{off}");
    }
}

fn rate_of(line: &FactLine, item: &str, policy: &MarketplacePolicy) -> Result<String, Hold> {
    price(line, item, policy).map(|priced| priced.item.rate.to_string())
}

fn values(hold: &Hold) -> (&str, &str) {
    (hold.ours.as_str(), hold.theirs.as_str())
}

#[test]
fn a_blank_tax_beside_a_net_price_has_the_rate_that_both_prices_show() {
    let uk = policy(Prices::Gross, &["20", "5", "0"]);
    let row = |net: &str| FactLine { item_price_net: Some(dec(net)), ..line(1) };
    assert_eq!(rate_of(&row("10.00"), "12.00", &uk).unwrap(), "20");
    assert_eq!(rate_of(&row("11.43"), "12.00", &uk).unwrap(), "5");
    // Without a net price the cell says nothing.
    assert_eq!(rate_of(&line(1), "12.00", &uk).unwrap(), "20");
    assert_eq!(rate_of(&row("0.00"), "12.00", &uk).unwrap(), "20");
    // No listed rate makes 11.00 of 12.00.
    let hold = rate_of(&row("11.00"), "12.00", &uk).unwrap_err();
    assert_eq!((hold.code, hold.theirs.as_str()), (HoldCode::Tax, "1.00"));
    // What is allowed to be off for many units does not hide another listed rate.
    let germany = policy(Prices::Gross, &["19", "7"]);
    let many = |net: &str| FactLine { quantity: 50, ..row(net) };
    assert_eq!(rate_of(&many("4.67"), "5.00", &germany).unwrap(), "7");
    assert_eq!(rate_of(&many("4.20"), "5.00", &germany).unwrap(), "19");
    // The table needs no default entry where the prices show a rate.
    let mut undefaulted = uk.clone();
    undefaulted.taxes[0].default = false;
    assert_eq!(rate_of(&row("11.43"), "12.00", &undefaulted).unwrap(), "5");
}

#[test]
fn a_price_that_equals_its_net_price_is_held_where_another_rate_than_0_would_apply() {
    let row = |net: &str| FactLine { item_price_net: Some(dec(net)), ..line(1) };
    for rates in [&["20"][..], &["20", "0"]] {
        let uk = policy(Prices::Gross, rates);
        let hold = price(&row("14.99"), "14.99", &uk).unwrap_err();
        assert_eq!((hold.code, values(&hold)), (HoldCode::Tax, ("12.49 (20%)", "14.99")));
        // More than the price is no net price either.
        assert_eq!(price(&row("15.99"), "14.99", &uk).unwrap_err().code, HoldCode::Tax);
    }
    // Goods that are zero-rated by default, and a zero that Amazon calculated.
    let zero = policy(Prices::Gross, &["0", "20"]);
    assert_eq!(rate_of(&row("14.99"), "14.99", &zero).unwrap(), "0");
    let listed = policy(Prices::Gross, &["20", "0"]);
    let calculated = FactLine { item_tax: Some(dec("0.00")), ..row("14.99") };
    assert_eq!(rate_of(&calculated, "14.99", &listed).unwrap(), "0");
    // What costs nothing says nothing.
    assert_eq!(rate_of(&row("0.00"), "0.00", &listed).unwrap(), "20");
    // Shipping and gift wrap follow the item's tax, if their own prices do not contradict it.
    let shipping = |net: &str| FactLine {
        item_tax: Some(dec("2.00")),
        shipping_price: Some(dec("6.00")),
        shipping_price_net: Some(dec(net)),
        ..line(1)
    };
    let shipped = price(&shipping("5.00"), "12.00", &listed).unwrap().shipping.unwrap();
    assert_eq!(shipped.rate, dec("20"));
    let hold = price(&shipping("6.00"), "12.00", &listed).unwrap_err();
    assert_eq!(values(&hold), ("5.00 (20%)", "6.00"));
}

#[test]
fn a_net_price_of_a_pending_order_without_a_tax_is_not_calculated_yet() {
    let uk = policy(Prices::Gross, &["20", "0"]);
    let around = Surroundings {
        policy: &uk,
        marketplace: "Amazon.co.uk",
        destination: Some("GB"),
        currency: "GBP".parse().unwrap(),
        pending: true,
        released: &[],
    };
    for tax in [None, Some(dec("0.00"))] {
        let row = FactLine { item_tax: tax, item_price_net: Some(dec("14.99")), ..line(1) };
        let item = price_line(&row, dec("14.99"), around).unwrap().item;
        assert_eq!((item.amount, item.rate), (dec("14.99"), dec("20")), "{tax:?}");
    }
}

#[test]
fn a_promotion_beside_a_blank_tax_is_held_where_net_or_gross_makes_a_difference() {
    let uk = policy(Prices::Gross, &["20"]);
    let row = |promotion: &str, net: Option<&str>| FactLine {
        item_promotion: Some(dec(promotion)),
        item_price_net: net.map(dec),
        ..line(1)
    };
    // 19.99 - 1.67 = 18.32, or (16.66 - 1.67) x 1.2 = 17.99.
    let hold = price(&row("1.67", Some("16.66")), "19.99", &uk).unwrap_err();
    assert_eq!((hold.code, values(&hold)), (HoldCode::Tax, ("18.32", "17.99")));
    assert!(price(&row("0.05", Some("16.66")), "19.99", &uk).is_ok(), "a cent is rounding");
    assert!(price(&row("19.99", Some("16.66")), "19.99", &uk).is_ok(), "all is given away");
    assert!(price(&row("1.67", None), "19.99", &uk).is_ok(), "nothing contradicts it");
}

#[test]
fn a_net_marketplace_holds_a_price_that_is_not_its_net_price() {
    let us = policy(Prices::Net, &["8"]);
    for facilitator in [true, false] {
        let row = |net: &str| FactLine {
            facilitator: Some(facilitator),
            item_price_net: Some(dec(net)),
            ..line(1)
        };
        let hold = price(&row("9.26"), "10.00", &us).unwrap_err();
        assert_eq!((hold.code, values(&hold)), (HoldCode::Tax, ("10.00", "9.26")));
        assert!(price(&row("10.00"), "10.00", &us).is_ok());
        assert!(price(&row("0.00"), "10.00", &us).is_ok(), "not calculated");
    }
}

#[test]
fn a_blank_price_beside_a_net_price_is_no_zero() {
    let uk = policy(Prices::Gross, &["20"]);
    let row = FactLine { shipping_price_net: Some(dec("4.16")), ..line(1) };
    let hold = price(&row, "12.00", &uk).unwrap_err();
    assert_eq!((hold.code, hold.key.as_str()), (HoldCode::Price, "A shipping-price"));
    let row = FactLine { gift_wrap_price_net: Some(dec("4.16")), ..line(1) };
    assert_eq!(price(&row, "12.00", &uk).unwrap_err().code, HoldCode::Price);
    let row = FactLine { shipping_price_net: Some(dec("0.00")), ..line(1) };
    assert_eq!(price(&row, "12.00", &uk).unwrap().shipping, None);
}

#[test]
fn a_person_can_release_a_price_whose_collected_tax_no_report_tells() {
    let uk = policy(Prices::Gross, &["20"]);
    let row = FactLine { facilitator: Some(true), ..line(1) };
    let hold = price(&row, "12.00", &uk).unwrap_err();
    assert_eq!((hold.code, values(&hold)), (HoldCode::Tax, ("no tax", "12.00")));
    let around = Surroundings {
        policy: &uk,
        marketplace: "Amazon.co.uk",
        destination: Some("GB"),
        currency: "GBP".parse().unwrap(),
        pending: false,
        released: std::slice::from_ref(&hold.key),
    };
    let item = price_line(&row, dec("12.00"), around).unwrap().item;
    assert_eq!((item.amount, item.tax), (dec("12.00"), TaxChoice::None));
}

#[test]
fn a_collected_tax_that_is_no_part_of_its_price_is_held() {
    let uk = policy(Prices::Gross, &["20"]);
    let row = |tax: &str| FactLine { item_tax: Some(dec(tax)), facilitator: Some(true), ..line(1) };
    for (tax, left) in [("13.00", "-1.00"), ("-2.00", "14.00")] {
        let hold = price(&row(tax), "12.00", &uk).unwrap_err();
        assert_eq!(hold.code, HoldCode::Tax, "{tax}");
        assert_eq!((hold.ours.as_str(), hold.theirs.as_str()), (left, tax));
    }
    assert_eq!(price(&row("12.00"), "12.00", &uk).unwrap().item.amount, dec("0"));
}

#[test]
fn many_units_excuse_no_tax_and_no_promotion() {
    let uk = policy(Prices::Gross, &["20", "0"]);
    let item = |line: &FactLine, amount: &str| price(line, amount, &uk);
    let row = |price: &str, net: &str, promotion: Option<&str>| {
        let row = FactLine {
            item_price_net: Some(dec(net)),
            item_promotion: promotion.map(dec),
            ..line(100)
        };
        item(&row, price)
    };
    // Each unit may be rounded by a cent, so that 4.50 fits 5.40.
    assert_eq!(row("5.40", "4.50", None).unwrap().item.rate, dec("20"));
    assert_eq!(values(&row("5.00", "5.00", None).unwrap_err()), ("4.17 (20%)", "5.00"));
    assert_eq!(row("60.00", "50.00", Some("1.67")).unwrap_err().code, HoldCode::Tax);
    let us = policy(Prices::Net, &["8"]);
    let net = FactLine { item_price_net: Some(dec("5.00")), ..line(100) };
    assert_eq!(price(&net, "5.40", &us).unwrap_err().code, HoldCode::Tax);
}
