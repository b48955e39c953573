//! Which partner an order gets.

use std::collections::BTreeMap;

use super::*;
use crate::model::BillTo;
use crate::plan::{AlreadyShipped, Existing, PartnerMode, UnknownSku};

fn policy() -> AccountPolicy {
    AccountPolicy {
        account: "eu".parse().unwrap(),
        import_from: "2025-01-01T00:00:00Z".parse().unwrap(),
        already_shipped: AlreadyShipped::Draft,
        existing: Existing::Adopt,
        confirm: true,
        partner: PartnerMode::Buyer,
        unknown_sku: UnknownSku::Hold,
        products: BTreeMap::new(),
        default_marketplace: None,
        marketplaces: BTreeMap::new(),
    }
}

/// The customers of orders 1, 2, …, with what would be created for them.
fn customers(buyers: &[(BuyerFact, Buying)]) -> (Vec<Customer>, [usize; 4]) {
    let policy = policy();
    let key = IdKey::new(&[7; 32]);
    let mut wanted = Wanted::default();
    let market = "Amazon.de".parse().unwrap();
    let customers = buyers
        .iter()
        .zip(1..)
        .map(|((buyer, buying), n)| {
            let order = format!("305-7000007-{n:07}").parse().unwrap();
            wanted.customer(&order, market, Some((buyer, buying)), &policy, &key)
        })
        .collect();
    let counts =
        [wanted.companies.len(), wanted.people.len(), wanted.addresses.len(), wanted.buyers.len()];
    (customers, counts)
}

fn bill(postal_code: &str) -> BillTo {
    BillTo {
        address_1: "1 Rue Exemple".into(),
        city: "Luxembourg".into(),
        postal_code: postal_code.into(),
        country: "LU".into(),
        ..BillTo::default()
    }
}

fn ship(to: &str) -> BuyerFact {
    BuyerFact {
        email: "b2b@marketplace.example".into(),
        name: "Ada Fixture".into(),
        recipient: to.into(),
        address_1: "Probeweg 1".into(),
        city: "Musterstadt".into(),
        postal_code: "01234".into(),
        country: "DE".into(),
        ..BuyerFact::default()
    }
}

fn business() -> Buying {
    Buying { business: true, ..Buying::default() }
}

#[test]
fn case_r07_what_amazon_business_invoices_is_one_company_and_never_its_mail_address() {
    let by_amazon = Buying { business: true, by_amazon_business: true, notes: Vec::new() };
    let of = |to: &str, vat: &str| BuyerFact {
        email: "no-reply-iba@marketplace.example".into(),
        name: "Amazon Business EU SARL".into(),
        company: "Amazon Business EU SARL".into(),
        vat: vat.into(),
        bill: bill("L-0000"),
        ..ship(to)
    };
    let orders = [
        (of("Empfang Eins", "LU00000000"), by_amazon.clone()),
        (of("Empfang Zwei", "lu 0000 0000"), by_amazon.clone()),
    ];
    let (found, counts) = customers(&orders);
    assert_eq!(found[0].partner, found[1].partner);
    assert!(found[0].partner.starts_with("company_"));
    assert_ne!(found[0].address, found[1].address);
    assert_eq!(counts, [1, 0, 2, 0], "one company, no person, two addresses");

    // An order report alone knows neither the flag nor the company: its address is nobody's.
    let report = |to: &str| BuyerFact { company: String::new(), vat: String::new(), ..of(to, "") };
    let orders = [(report("Eins"), Buying::default()), (report("Zwei"), Buying::default())];
    let (found, counts) = customers(&orders);
    assert_eq!((found[0].partner == found[1].partner, counts), (true, [1, 0, 2, 0]));
    let other = BuyerFact { name: "Another SARL".into(), ..report("Drei") };
    let (found, _) = customers(&[(report("Eins"), Buying::default()), (other, Buying::default())]);
    assert_ne!(found[0].partner, found[1].partner, "the mail address is no key");
}

#[test]
fn case_r15_a_company_is_one_partner_its_people_are_contacts_of_it() {
    let of = |vat: &str, postal_code: &str| BuyerFact {
        company: "Muster  GmbH".into(),
        vat: vat.into(),
        bill: if postal_code.is_empty() { BillTo::default() } else { bill(postal_code) },
        ..ship("Muster GmbH")
    };
    let same = |a: BuyerFact, b: BuyerFact| {
        let (found, counts) = customers(&[(a, business()), (b, business())]);
        assert!(found.iter().all(|customer| customer.partner.starts_with("company_")));
        assert_eq!(counts[3], 0, "nobody is a private buyer");
        (found[0].partner == found[1].partner, counts)
    };
    // By the VAT number, whatever person orders and whatever the company calls itself.
    let other_person = BuyerFact {
        email: "other@marketplace.example".into(),
        name: "Bea Fixture".into(),
        company: "MUSTER".into(),
        ..of("DE 000 000 000", "2")
    };
    assert_eq!(same(of("de000000000", "1"), other_person), (true, [1, 2, 1, 0]));
    assert!(!same(of("DE000000000", "1"), of("DE000000001", "1")).0);
    // Else by name and place of the invoice address.
    let upper = BuyerFact { company: "MUSTER GMBH".into(), ..of("", "1") };
    assert!(same(of("", "1"), upper).0);
    assert!(!same(of("", "1"), of("", "2")).0);
    // Else by who ordered.
    let elsewhere = BuyerFact { email: "c@marketplace.example".into(), ..of("", "") };
    assert!(same(of("", ""), of("", "")).0);
    assert!(!same(of("", ""), elsewhere).0);
    // A private buyer stays one, with or without an invoice address.
    let (found, counts) = customers(&[(ship("Ada"), Buying::default())]);
    assert!(found[0].partner.starts_with("buyer_") && counts == [0, 0, 1, 1]);
}

#[test]
fn case_r07_a_company_is_where_its_invoices_go_or_nowhere() {
    let buyer = BuyerFact { company: "Muster GmbH".into(), bill: bill("L-0000"), ..ship("R") };
    let place = bill_to(&buyer);
    assert_eq!((place.lines[0], place.country), ("1 Rue Exemple", "LU"));
    let without = BuyerFact { bill: BillTo::default(), ..buyer };
    let place = bill_to(&without);
    assert_eq!((place.lines[0], place.city, place.country), ("", "", ""));
    assert_eq!(private(&without).place.lines[0], "Probeweg 1", "a private buyer lives there");
    assert_eq!(vat_comment("<b>DE1</b>").matches('<').count(), 0);
}
