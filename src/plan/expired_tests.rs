//! What becomes of orders whose buyer expired.

use std::collections::{BTreeMap, BTreeSet};

use super::super::merge::tests::{at, dossier, market};
use super::super::policy::{
    AlreadyShipped, Existing, FacilitatorTax, MarketplacePolicy, Prices, UnknownSku,
};
use super::super::{Desired, external};
use super::*;
use crate::model::{Base, Mapping, OrderId, Origin};

fn policy(named: bool, partner: PartnerMode) -> AccountPolicy {
    let rules = MarketplacePolicy {
        prices: Prices::Gross,
        facilitator_tax: FacilitatorTax::Exclude,
        taxes: Vec::new(),
        warehouse: None,
        fba_warehouse: None,
        carriers: BTreeMap::new(),
        anonymous_partner: "Amazon.de customer".into(),
        anonymous_named: named,
    };
    AccountPolicy {
        account: "eu".parse().unwrap(),
        import_from: at("2025-01-01T00:00:00Z"),
        already_shipped: AlreadyShipped::Draft,
        existing: Existing::Adopt,
        confirm: true,
        partner,
        unknown_sku: UnknownSku::Hold,
        products: BTreeMap::new(),
        default_marketplace: None,
        marketplaces: BTreeMap::from([(market("Amazon.de"), rules)]),
    }
}

fn desired(holds: Vec<Hold>) -> Plan {
    let order: OrderId = "205-1".parse().unwrap();
    Plan::Want(Box::new(Desired {
        external: external::order(&order),
        order_id: order,
        marketplace: market("Amazon.de"),
        purchase_date: at("2025-06-01T10:00:00Z"),
        promise_date: None,
        pricelist: 1,
        currency: "EUR".parse().unwrap(),
        warehouse: None,
        carrier: None,
        lines: Vec::new(),
        standing: BTreeSet::new(),
        items: Vec::new(),
        total: Err(crate::plan::NoTotal::Standing),
        cancel: false,
        confirm: holds.is_empty(),
        holds,
        buying: crate::plan::Buying::default(),
        attention: Vec::new(),
    }))
}

fn no_address() -> Vec<Hold> {
    vec![Hold::new(HoldCode::Address, "", "no address"), Hold::new(HoldCode::Release, "", "x")]
}

fn mapped(addressed: bool) -> Dossier {
    let mut dossier = dossier(Vec::new());
    dossier.mapping = Some(Mapping {
        odoo_id: 1,
        name: "S1".into(),
        state: "draft".into(),
        base: Base { addressed, ..Base::default() },
        ..Mapping::by(Origin::Ours)
    });
    dossier
}

fn codes(plan: &Plan) -> (bool, Vec<HoldCode>) {
    match plan {
        Plan::Want(desired) => (true, desired.holds.iter().map(|hold| hold.code).collect()),
        Plan::Wait(holds) => (false, holds.iter().map(|hold| hold.code).collect()),
        Plan::Done(_) => panic!("{plan:?}"),
    }
}

#[test]
fn goes_on_with_the_anonymous_partner_where_one_is_named() {
    let new = dossier(Vec::new());
    let expired = |named, partner| {
        codes(&without_buyer(desired(Vec::new()), &new, None, &policy(named, partner)))
    };
    assert_eq!(expired(true, PartnerMode::Buyer), (true, vec![]));
    assert_eq!(expired(false, PartnerMode::Anonymous), (true, vec![]));
    assert_eq!(expired(false, PartnerMode::Buyer), (false, vec![HoldCode::AddressExpired]));
}

#[test]
fn what_the_seller_ships_stays_a_quotation() {
    let plan = without_buyer(
        desired(no_address()),
        &dossier(Vec::new()),
        None,
        &policy(true, PartnerMode::Buyer),
    );
    assert_eq!(codes(&plan), (true, vec![HoldCode::AddressExpired, HoldCode::Release]));
}

#[test]
fn a_buyer_in_odoo_or_in_another_report_is_a_buyer() {
    let policy = policy(false, PartnerMode::Buyer);
    let same = |dossier: &Dossier, left: Option<&BuyerFact>| {
        without_buyer(desired(no_address()), dossier, left, &policy) == desired(no_address())
    };
    assert!(same(&mapped(true), None));
    let address = BuyerFact {
        recipient: "R".into(),
        city: "Ulm".into(),
        country: "DE".into(),
        ..BuyerFact::default()
    };
    assert!(same(&dossier(Vec::new()), Some(&address)));
    // It stands in Odoo without the address: it is not taken out of there.
    assert!(codes(&without_buyer(desired(no_address()), &mapped(false), None, &policy)).0);
    // A name is a buyer, and no address.
    let name = BuyerFact { name: "N".into(), ..BuyerFact::default() };
    let plan = without_buyer(desired(no_address()), &dossier(Vec::new()), Some(&name), &policy);
    assert_eq!(codes(&plan), (true, vec![HoldCode::AddressExpired, HoldCode::Release]));
}

#[test]
fn a_cancellation_needs_no_buyer() {
    let Plan::Want(mut plan) = desired(Vec::new()) else { panic!() };
    plan.cancel = true;
    let plan = Plan::Want(plan);
    let policy = policy(false, PartnerMode::Buyer);
    assert_eq!(without_buyer(plan.clone(), &dossier(Vec::new()), None, &policy), plan);
}
