//! The rules of an order: created, confirmed, held, and every line to the cent.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::merge::tests::{ORDER, at, dec, dossier, fact, market, row, with_id};
use rust_decimal::Decimal;

use super::super::buying::Buying;
use super::super::policy::{Existing, FacilitatorTax, Fee, Prices, TaxEntry, TaxRef, UnknownSku};
use super::super::{Found, Tax};
use super::*;
use crate::model::{
    Fact, FactLine, Family, Head, ItemStatus, Mapping, NoteKind, RefusedFact, Released, RowFault,
};

const DE: &str = "Amazon.de";
const PRICELIST: OdooId = 9;
const LAMP: OdooId = 100;
const VASE: OdooId = 101;
const MISC: OdooId = 102;
const TAX_19: OdooId = 19;
const TAX_7: OdooId = 7;

/// What a small Odoo answers.
struct Odoo {
    products: BTreeMap<String, Found<OdooId>>,
    pricelist: Found<(OdooId, Currency)>,
    taxes: BTreeMap<TaxRef, Found<Tax>>,
    warehouses: BTreeMap<String, OdooId>,
    carriers: BTreeMap<String, Found<OdooId>>,
}

impl Lookup for Odoo {
    fn product(&self, sku: &Sku) -> Found<OdooId> {
        self.products.get(sku.as_str()).copied().unwrap_or(Found::Nothing)
    }
    fn pricelist(&self, _: Marketplace) -> Found<(OdooId, Currency)> {
        self.pricelist
    }
    fn tax(&self, tax: &TaxRef) -> Found<Tax> {
        self.taxes.get(tax).copied().unwrap_or(Found::Nothing)
    }
    fn warehouse(&self, code: &str) -> Found<OdooId> {
        self.warehouses.get(code).map_or(Found::Nothing, |id| Found::One(*id))
    }
    fn carrier(&self, name: &str) -> Found<OdooId> {
        self.carriers.get(name).copied().unwrap_or(Found::Nothing)
    }
}

/// One case: facts, settings and Odoo, all well; each test breaks one thing.
struct Case {
    dossier: Dossier,
    buyer: Option<BuyerFact>,
    policy: AccountPolicy,
    odoo: Odoo,
}

fn named(name: &str) -> TaxRef {
    TaxRef::Name(name.into())
}

fn entry(rate: &str, tax: Option<&str>, default: bool) -> TaxEntry {
    TaxEntry { destination: None, rate: dec(rate), tax: tax.map(named), default }
}

fn head() -> Head {
    Head {
        purchase_date: Some(at("2025-06-01T10:00:00Z")),
        status: Some(OrderStatus::Unshipped),
        fulfilment: Some(Fulfilment::Merchant),
        marketplace: Some(market(DE)),
        currency: "EUR".parse().ok(),
        ship_country: Some("DE".into()),
        ..Head::default()
    }
}

fn address() -> BuyerFact {
    BuyerFact {
        recipient: "R".into(),
        city: "Ulm".into(),
        country: "DE".into(),
        ..BuyerFact::default()
    }
}

fn case(lines: Vec<FactLine>) -> Case {
    let rules = MarketplacePolicy {
        prices: Prices::Gross,
        facilitator_tax: FacilitatorTax::Exclude,
        taxes: vec![entry("19", Some("19%"), true), entry("7", Some("7%"), false)],
        warehouse: None,
        fba_warehouse: Some("FBA".into()),
        carriers: BTreeMap::from([("Expedited".into(), "Fast".into())]),
        anonymous_partner: "Amazon.de".into(),
        anonymous_named: false,
    };
    let tax = |id| Found::One(Tax { id, price_include: true });
    Case {
        dossier: dossier(vec![fact(Family::AllOrders, head(), lines)]),
        buyer: Some(address()),
        policy: AccountPolicy {
            account: "eu".parse().unwrap(),
            import_from: at("2025-01-01T00:00:00Z"),
            already_shipped: AlreadyShipped::Draft,
            existing: Existing::Adopt,
            confirm: true,
            partner: PartnerMode::Buyer,
            unknown_sku: UnknownSku::Hold,
            products: BTreeMap::from([
                (Fee::Shipping, "SHIP".parse().unwrap()),
                (Fee::GiftWrap, "WRAP".parse().unwrap()),
                (Fee::Promotion, "PROMO".parse().unwrap()),
            ]),
            default_marketplace: None,
            marketplaces: BTreeMap::from([(market(DE), rules)]),
        },
        odoo: Odoo {
            products: [
                ("A", LAMP),
                ("B", VASE),
                ("MISC", MISC),
                ("SHIP", 200),
                ("WRAP", 201),
                ("PROMO", 202),
            ]
            .into_iter()
            .map(|(sku, id)| (sku.to_owned(), Found::One(id)))
            .collect(),
            pricelist: Found::One((PRICELIST, "EUR".parse().unwrap())),
            taxes: BTreeMap::from([(named("19%"), tax(TAX_19)), (named("7%"), tax(TAX_7))]),
            warehouses: BTreeMap::from([("FBA".into(), 31), ("WH".into(), 30)]),
            carriers: BTreeMap::from([("Fast".into(), Found::One(77))]),
        },
    }
}

fn lamp() -> FactLine {
    row("A", 1, "11.90")
}

fn one() -> Case {
    case(vec![lamp()])
}

impl Case {
    fn plan(&self) -> Plan {
        plan(&self.dossier, self.buyer.as_ref(), &self.policy, &self.odoo)
    }

    fn want(&self) -> Desired {
        match self.plan() {
            Plan::Want(desired) => *desired,
            other => panic!("{other:?}"),
        }
    }

    /// The holds that keep anything from being written.
    fn waits(&self) -> Vec<(HoldCode, String)> {
        match self.plan() {
            Plan::Wait(holds) => pairs(&holds),
            other => panic!("{other:?}"),
        }
    }

    fn done(&self) -> Outcome {
        match self.plan() {
            Plan::Done(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn head(mut self, change: impl Fn(&mut Head)) -> Self {
        let standing = self.dossier.facts.get_mut(&Family::AllOrders).unwrap();
        change(&mut standing.fact.head);
        self
    }

    fn policy(mut self, change: impl Fn(&mut AccountPolicy)) -> Self {
        change(&mut self.policy);
        self
    }

    fn rules(mut self, change: impl Fn(&mut MarketplacePolicy)) -> Self {
        change(self.policy.marketplaces.get_mut(&market(DE)).unwrap());
        self
    }

    fn odoo(mut self, change: impl Fn(&mut Odoo)) -> Self {
        change(&mut self.odoo);
        self
    }

    fn nobody(mut self) -> Self {
        self.buyer = None;
        self
    }

    fn mapped(mut self, items: Vec<MappedItem>) -> Self {
        self.dossier.mapping = Some(mapping(items));
        self
    }

    fn also(mut self, extra: Fact) -> Self {
        self.dossier.facts.extend(dossier(vec![extra]).facts);
        self
    }
}

fn pairs(holds: &[Hold]) -> Vec<(HoldCode, String)> {
    holds.iter().map(|hold| (hold.code, hold.key.clone())).collect()
}

fn codes(desired: &Desired) -> Vec<HoldCode> {
    desired.holds.iter().map(|hold| hold.code).collect()
}

fn mapping(items: Vec<MappedItem>) -> Mapping {
    Mapping {
        odoo_id: 42,
        name: "S00042".into(),
        state: "draft".into(),
        items,
        ..Mapping::by(Origin::Ours)
    }
}

fn item(sku: &str, ordinal: u32, id: &str, quantity: u32, total: &str) -> MappedItem {
    MappedItem {
        sku: sku.parse().unwrap(),
        ordinal,
        item_id: id.parse().ok(),
        quantity,
        total: total.parse().ok(),
        others: crate::model::OtherAmounts::default(),
    }
}

fn unshipped() -> Fact {
    fact(Family::Unshipped, Head { status: None, ..head() }, vec![row("A", 1, "")])
}

// --- created -----------------------------------------------------------------------------------

#[test]
fn a_complete_order_is_created_and_confirmed() {
    let promise = at("2025-06-05T21:59:59Z");
    let desired = one()
        .head(|head| {
            head.promise_date = Some(promise);
            head.service_level = Some("Expedited".into());
        })
        .rules(|rules| rules.warehouse = Some("WH".into()))
        .want();
    let line = DesiredLine {
        external: format!("line_{ORDER}__A__1"),
        product: LAMP,
        name: "A".into(),
        quantity: dec("1"),
        price_unit: dec("11.90"),
        taxes: vec![TAX_19],
    };
    let expected = Desired {
        order_id: ORDER.parse().unwrap(),
        external: format!("order_{ORDER}"),
        marketplace: market(DE),
        purchase_date: at("2025-06-01T10:00:00Z"),
        promise_date: Some(promise),
        pricelist: PRICELIST,
        currency: "EUR".parse().unwrap(),
        warehouse: Some(30),
        carrier: Some(77),
        lines: vec![line],
        standing: BTreeSet::new(),
        items: vec![item("A", 1, "", 1, "11.90")],
        total: Ok(dec("11.90")),
        cancel: false,
        confirm: true,
        holds: Vec::new(),
        buying: Buying::default(),
        attention: Vec::new(),
    };
    assert_eq!(desired, expected);
}

#[test]
fn a_price_is_waited_for_on_every_live_line() {
    let waiting = case(vec![lamp(), row("B", 1, "")]);
    assert_eq!(waiting.waits(), [(HoldCode::Price, "B".to_owned())]);
    let cancelled = FactLine { status: Some(ItemStatus::Cancelled), ..row("B", 1, "") };
    assert_eq!(case(vec![lamp(), cancelled, row("B", 0, "")]).want().lines.len(), 1);
    // The next file ends it.
    let report = fact(Family::OrderReport, head(), vec![row("A", 1, "1.00"), row("B", 1, "2.00")]);
    assert_eq!(waiting.also(report).want().total, Ok(dec("13.90")));
}

#[test]
fn what_is_not_worth_creating_is_counted() {
    let shipped = |head: &mut Head| head.status = Some(OrderStatus::Shipped);
    let skip = |policy: &mut AccountPolicy| policy.already_shipped = AlreadyShipped::Skip;
    let none_live = FactLine { status: Some(ItemStatus::Cancelled), ..lamp() };
    for (case, want) in [
        (one().head(|h| h.status = Some(OrderStatus::Cancelled)), Outcome::CancelledUnseen),
        (
            one().head(|h| h.purchase_date = Some(at("2024-12-31T23:59:59Z"))),
            Outcome::BeforeImportFrom,
        ),
        (one().head(shipped).policy(skip), Outcome::AlreadyShipped),
        (one().head(|h| h.non_amazon = true), Outcome::NonAmazon),
        (case(vec![none_live.clone()]), Outcome::Empty),
        (case(vec![row("A", 0, "11.90")]), Outcome::Empty),
        (case(Vec::new()), Outcome::Empty),
    ] {
        assert_eq!(case.done(), want);
    }
    // At the very instant it counts.
    assert!(one().head(|h| h.purchase_date = Some(at("2025-01-01T00:00:00Z"))).want().confirm);
    // Skipping is for what the seller has shipped.
    let amazon = |head: &mut Head| head.fulfilment = Some(Fulfilment::Amazon);
    assert!(one().head(shipped).head(amazon).policy(skip).want().confirm);
    // What stands in Odoo is not forgotten by any of these.
    let known = |case: Case| case.mapped(vec![item("A", 1, "", 1, "11.90")]).want();
    assert!(!known(one().head(|h| h.purchase_date = Some(at("2024-12-31T23:59:59Z")))).cancel);
    assert_eq!(known(one().head(shipped).policy(skip)).lines.len(), 1);
    let emptied = known(case(vec![none_live]));
    assert!(emptied.lines.is_empty() && !emptied.cancel, "its lines go, not the order");
    assert_eq!(emptied.items, [item("A", 1, "", 0, "11.90")], "and its ordinals stay");
}

#[test]
fn mappings_that_end_everything() {
    let with = |change: fn(&mut Mapping)| {
        let mut case = one().mapped(Vec::new());
        change(case.dossier.mapping.as_mut().unwrap());
        case.done()
    };
    assert_eq!(with(|m| m.deleted = true), Outcome::DeletedInOdoo);
    assert_eq!(with(|m| m.origin = Origin::Adopted), Outcome::Adopted);
}

#[test]
fn a_refused_row_holds_its_whole_order() {
    let mut case = one();
    let fault = RowFault {
        line: 7,
        column: "item-price".into(),
        code: "row-number".into(),
        message: "is not a number".into(),
    };
    let file = "F0123456789".parse().unwrap();
    let refused = RefusedFact { version: None, file, faults: vec![fault] };
    case.dossier.refused.insert(Family::Unshipped, refused);
    assert_eq!(case.waits(), [(HoldCode::Row, "F0123456789 line 7".to_owned())]);
    case.dossier.refused.clear();
    assert!(case.want().confirm, "until a good file comes");
    case.dossier.facts.clear();
    assert_eq!(case.waits(), [(HoldCode::Row, String::new())]);
    let undated = one().head(|head| head.purchase_date = None);
    assert_eq!(undated.waits(), [(HoldCode::Row, "purchase-date".to_owned())]);
}

#[test]
fn the_marketplace() {
    let unnamed = || one().head(|head| head.marketplace = None);
    assert_eq!(unnamed().waits(), [(HoldCode::Marketplace, String::new())]);
    let by_default = unnamed().policy(|p| p.default_marketplace = Some(market(DE)));
    assert_eq!(by_default.want().marketplace, market(DE));
    let unpriced =
        case(vec![FactLine { item_price: None, ..lamp() }]).head(|head| head.marketplace = None);
    let codes: Vec<HoldCode> = unpriced.waits().into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [HoldCode::Marketplace, HoldCode::Price], "told together");
    let other = one().head(|head| head.marketplace = Some(market("Amazon.fr")));
    assert_eq!(other.waits(), [(HoldCode::Marketplace, "Amazon.fr".to_owned())]);
    let default_is_last = other.policy(|p| p.default_marketplace = Some(market(DE)));
    assert_eq!(default_is_last.waits()[0].0, HoldCode::Marketplace);
    let french =
        Fact { head: Head { marketplace: Some(market("Amazon.fr")), ..head() }, ..unshipped() };
    assert_eq!(one().also(french).waits(), [(HoldCode::Conflict, "sales-channel".to_owned())]);
}

#[test]
fn the_currency_comes_through_a_pricelist() {
    let gbp = || one().head(|head| head.currency = "GBP".parse().ok());
    assert_eq!(gbp().waits(), [(HoldCode::Pricelist, "Amazon.de GBP".to_owned())]);
    let blank = one().head(|head| head.currency = None).want();
    assert_eq!(blank.currency.code(), "EUR");
    for found in [Found::Nothing, Found::Several] {
        let case = one().odoo(|odoo| odoo.pricelist = found);
        assert_eq!(case.waits(), [(HoldCode::Pricelist, DE.to_owned())]);
    }
}

#[test]
fn unknown_skus_hold_or_have_a_default() {
    let with = |a: Found<OdooId>, misc: Found<OdooId>, rule: &UnknownSku| {
        one()
            .odoo(|odoo| {
                odoo.products.insert("A".into(), a);
                odoo.products.insert("MISC".into(), misc);
            })
            .policy(|policy| policy.unknown_sku = rule.clone())
    };
    let misc = || UnknownSku::Default("MISC".parse().unwrap());
    let (none, several) = (Found::Nothing, Found::Several);
    let sku = |key: &str| vec![(HoldCode::Sku, key.to_owned())];
    assert_eq!(with(none, none, &UnknownSku::Hold).waits(), sku("A"));
    assert_eq!(with(several, Found::One(MISC), &UnknownSku::Hold).waits(), sku("A"));
    assert_eq!(with(several, Found::One(MISC), &misc()).waits(), sku("A"), "two are no default");
    assert_eq!(with(none, none, &misc()).waits(), sku("MISC"));
    assert_eq!(with(none, several, &misc()).waits(), sku("MISC"));
    let line = with(none, Found::One(MISC), &misc()).want().lines.remove(0);
    assert_eq!((line.product, line.external), (MISC, format!("line_{ORDER}__A__1")));
    assert_eq!(with(Found::One(1), Found::One(MISC), &misc()).want().lines[0].product, 1);
}

#[test]
fn each_unknown_sku_is_held_once() {
    let case = case(vec![row("X", 1, "1.00"), row("X", 2, "1.00"), row("Y", 1, "1.00"), lamp()]);
    let sku = |key: &str| (HoldCode::Sku, key.to_owned());
    assert_eq!(case.waits(), [sku("X"), sku("Y")]);
}

// --- confirmed ---------------------------------------------------------------------------------

#[test]
fn released_orders_are_confirmed() {
    use OrderStatus as S;
    for (status, released) in [
        (Some(S::Pending), false),
        (Some(S::Unknown), false),
        (None, false),
        (Some(S::Unshipped), true),
        (Some(S::PartiallyShipped), true),
    ] {
        let desired = one().head(|head| head.status = status).want();
        assert_eq!(desired.confirm, released, "{status:?}");
        let hold = if released { vec![] } else { vec![HoldCode::Release] };
        assert_eq!(codes(&desired), hold, "{status:?}");
        let seen = one().head(|head| head.status = status).also(unshipped()).want();
        assert!(seen.confirm, "{status:?}: an unshipped report releases it");
    }
    let never = one().policy(|policy| policy.confirm = false).want();
    assert!(!never.confirm && never.holds.is_empty());
}

#[test]
fn the_seller_needs_an_address_and_amazon_does_not() {
    let place = BuyerFact { city: "Ulm".into(), country: "DE".into(), ..BuyerFact::default() };
    let mut partial = one();
    partial.buyer = Some(place);
    for case in [one().nobody(), partial] {
        let desired = case.want();
        assert_eq!((desired.confirm, codes(&desired)), (false, vec![HoldCode::Address]));
    }
    let anonymous = one().nobody().policy(|p| p.partner = PartnerMode::Anonymous);
    assert!(anonymous.want().confirm);
    let amazon = one().nobody().head(|head| head.fulfilment = Some(Fulfilment::Amazon));
    assert!(amazon.want().confirm);
    // The buyer is forgotten, and Odoo has the address.
    let mut known = one().nobody().mapped(Vec::new());
    assert!(!known.want().confirm);
    known.dossier.mapping.as_mut().unwrap().base.addressed = true;
    assert!(known.want().confirm);
    let both = one().nobody().head(|head| head.status = Some(OrderStatus::Pending)).want();
    assert_eq!(codes(&both), [HoldCode::Release, HoldCode::Address]);
}

#[test]
fn history_is_not_shipped_again() {
    let shipped = |rule| {
        let case = one().nobody().head(|head| head.status = Some(OrderStatus::Shipped));
        case.policy(|policy| policy.already_shipped = rule)
    };
    let draft = shipped(AlreadyShipped::Draft).want();
    assert_eq!((draft.confirm, codes(&draft)), (false, vec![]), "a quotation, nothing is missing");
    assert!(shipped(AlreadyShipped::Confirm).want().confirm, "and no address is needed any more");
    // The operator's wish is no way round a missing warehouse.
    let nowhere = shipped(AlreadyShipped::Confirm).rules(|r| r.warehouse = Some("GONE".into()));
    let desired = nowhere.want();
    assert_eq!((desired.confirm, codes(&desired)), (false, vec![HoldCode::Warehouse]));
    // Amazon's own shipments are confirmed always.
    let fba = shipped(AlreadyShipped::Draft).head(|h| h.fulfilment = Some(Fulfilment::Amazon));
    assert!(fba.want().confirm);
}

#[test]
fn warehouses() {
    let fba = || one().head(|head| head.fulfilment = Some(Fulfilment::Amazon));
    let unset = |rules: &mut MarketplacePolicy| rules.fba_warehouse = None;
    let gone = |rules: &mut MarketplacePolicy| {
        rules.fba_warehouse = Some("GONE".into());
        rules.warehouse = Some("GONE".into());
    };
    let (held, ok) = (vec![HoldCode::Warehouse], vec![]);
    for (what, case, warehouse, holds) in [
        ("FBA", fba(), Some(31), &ok),
        ("FBA, not configured", fba().rules(unset), None, &held),
        ("FBA, not in Odoo", fba().rules(gone), None, &held),
        ("FBM", one(), None, &ok),
        ("FBM, no fba_warehouse", one().rules(unset), None, &ok),
        ("FBM, not in Odoo", one().rules(gone), None, &held),
        ("FBM, its own", one().rules(|r| r.warehouse = Some("WH".into())), Some(30), &ok),
        ("FBA, not the seller's", fba().rules(|r| r.warehouse = Some("WH".into())), Some(31), &ok),
    ] {
        let desired = case.want();
        assert_eq!(desired.warehouse, warehouse, "{what}");
        assert_eq!(&codes(&desired), holds, "{what}");
        assert_eq!(desired.confirm, holds.is_empty(), "{what}");
        assert_eq!(desired.lines.len(), 1, "{what}: a draft all the same");
    }
}

#[test]
fn carriers_are_set_where_one_is_found() {
    let with = |level: Option<&str>, found| {
        one()
            .head(|head| head.service_level = level.map(str::to_owned))
            .odoo(|odoo| {
                odoo.carriers.insert("Fast".into(), found);
            })
            .want()
    };
    assert_eq!(with(Some("Expedited"), Found::One(5)).carrier, Some(5));
    for (level, found) in [
        (Some("Expedited"), Found::Nothing),
        (Some("Expedited"), Found::Several),
        (Some("Standard"), Found::One(5)),
        (None, Found::One(5)),
    ] {
        let desired = with(level, found);
        assert_eq!((desired.carrier, desired.confirm), (None, true), "{level:?}");
    }
}

#[test]
fn a_wish_to_cancel_is_for_a_person() {
    let asked = one().head(|head| head.cancellation_requested = true).want();
    assert_eq!((asked.confirm, codes(&asked)), (false, vec![HoldCode::CancellationRequested]));
    // Kind (c): a person's release is a decision, for as long as both sides say the same.
    let mut decided = one().head(|head| head.cancellation_requested = true);
    let when = at("2025-06-02T00:00:00Z");
    decided.dossier.released.extend(Released::of(&asked.holds[0], Some(7), when));
    let released = decided.want();
    assert_eq!((released.confirm, codes(&released)), (true, vec![]));
    decided.dossier.released[0].theirs = "something else".into();
    assert!(!decided.want().confirm);
    assert!(!asked.cancel);
}

#[test]
fn cancelled_before_it_was_created_and_alive_again_is_created() {
    let cancelled = one().head(|head| head.status = Some(OrderStatus::Cancelled));
    assert_eq!(cancelled.done(), Outcome::CancelledUnseen);
    assert!(!one().want().cancel);
}

#[test]
fn a_marketplace_named_after_creating_is_a_conflict() {
    let created = |name: &str| {
        let mut case = one().mapped(Vec::new());
        let rules = case.dossier.mapping.as_mut().unwrap();
        rules.marketplace = Some(market(name));
        case
    };
    let named = one().want().marketplace;
    assert_eq!(created(named.name()).want().marketplace, named);
    let mut other = created("Amazon.fr");
    assert_eq!(other.waits(), [(HoldCode::Conflict, "marketplace".to_owned())]);
    // Decided for Odoo: the rules it was created by stay; they have to be there, of course.
    let Plan::Wait(about) = other.plan() else { unreachable!() };
    let (accept, at) = (Accept::Odoo, at("2025-06-09T00:00:00Z"));
    other.dossier.mapping.as_mut().unwrap().ruling =
        Some(crate::model::Ruling { accept, by: None, at, about });
    rule_on_marketplace(&mut other.dossier);
    assert_eq!(other.waits(), [(HoldCode::Marketplace, "Amazon.fr".to_owned())]);
}

#[test]
fn a_summary_changes_when_the_marketplace_does() {
    let said = summary(&one().dossier);
    assert!(said.contains("1 units"), "{said}");
    assert_ne!(said, summary(&case(vec![row("A", 2, "10.00")]).dossier));
    assert_ne!(said, summary(&one().head(|h| h.cancellation_requested = true).dossier));
    assert_ne!(said, summary(&one().head(|h| h.status = Some(OrderStatus::Cancelled)).dossier));
}

#[test]
fn cancelled_later_is_cancelled_whatever_else_is_missing() {
    let cancelled = || {
        let case = one().mapped(vec![item("A", 1, "", 1, "11.90")]);
        case.head(|head| {
            head.status = Some(OrderStatus::Cancelled);
            head.cancellation_requested = true;
        })
    };
    let french =
        Fact { head: Head { marketplace: Some(market("Amazon.fr")), ..head() }, ..unshipped() };
    for (what, case) in [
        ("plain", cancelled()),
        ("no price", cancelled().head(|head| head.currency = None)),
        ("no product", cancelled().odoo(|odoo| odoo.products.clear())),
        ("no pricelist", cancelled().odoo(|odoo| odoo.pricelist = Found::Nothing)),
        (
            "no pricelist or currency",
            cancelled().head(|h| h.currency = None).odoo(|odoo| odoo.pricelist = Found::Several),
        ),
        ("another currency", cancelled().head(|head| head.currency = "GBP".parse().ok())),
        ("not configured", cancelled().policy(|policy| policy.marketplaces.clear())),
        ("two channels", cancelled().also(french)),
        (
            "no warehouse",
            cancelled()
                .head(|h| h.fulfilment = Some(Fulfilment::Amazon))
                .rules(|r| r.fba_warehouse = None),
        ),
        ("not to be confirmed", cancelled().policy(|policy| policy.confirm = false)),
        ("nobody", cancelled().nobody()),
    ] {
        let desired = case.want();
        assert!(desired.cancel && !desired.confirm, "{what}");
        assert_eq!(desired.holds, [], "{what}");
        assert_eq!(desired.items, [item("A", 1, "", 1, "11.90")], "{what}");
        assert_eq!(desired.total, Err(NoTotal::Cancelled), "{what}");
    }
}

// --- lines -------------------------------------------------------------------------------------

/// External tail, product, quantity, unit price, taxes.
fn lines_of(desired: &Desired) -> Vec<(String, OdooId, String, String, Vec<OdooId>)> {
    let prefix = format!("line_{ORDER}__");
    desired
        .lines
        .iter()
        .map(|line| {
            (
                line.external.strip_prefix(&prefix).unwrap().to_owned(),
                line.product,
                line.quantity.to_string(),
                line.price_unit.to_string(),
                line.taxes.clone(),
            )
        })
        .collect()
}

fn is(
    tail: &str,
    product: OdooId,
    quantity: &str,
    unit: &str,
    tax: OdooId,
) -> (String, OdooId, String, String, Vec<OdooId>) {
    (tail.into(), product, quantity.into(), unit.into(), vec![tax])
}

#[test]
fn a_total_that_does_not_divide_becomes_two_lines() {
    let desired = case(vec![row("A", 3, "10.00"), row("B", 3, "9.00")]).want();
    assert_eq!(
        lines_of(&desired),
        [
            is("A__1", LAMP, "2", "3.33", TAX_19),
            is("A__1_r", LAMP, "1", "3.34", TAX_19),
            is("B__1", VASE, "3", "3.00", TAX_19),
        ]
    );
    assert_eq!(desired.total, Ok(dec("19.00")));
}

#[test]
fn every_part_of_a_line_is_a_line_with_its_tax() {
    let full = FactLine {
        title: "Lamp".into(),
        item_tax: Some(dec("1.60")),
        shipping_price: Some(dec("5.35")),
        shipping_tax: Some(dec("0.35")),
        gift_wrap_price: Some(dec("2.38")),
        item_promotion: Some(dec("1.90")),
        ship_promotion: Some(dec("0.00")),
        ..row("A", 1, "11.90")
    };
    let desired = case(vec![full.clone()]).want();
    assert_eq!(
        lines_of(&desired),
        [
            is("A__1", LAMP, "1", "11.90", TAX_19),
            is("A__1_ship", 200, "1", "5.35", TAX_7),
            is("A__1_wrap", 201, "1", "2.38", TAX_19),
            is("A__1_promo", 202, "1", "-1.90", TAX_19),
        ]
    );
    assert_eq!(desired.total, Ok(dec("17.73")));
    let names: Vec<&str> = desired.lines.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(names, ["Lamp", "Shipping", "Gift wrap", "Promotion"]);
    // Free shipping: the price and what takes it off again, or what takes it off alone.
    let free = FactLine {
        shipping_tax: None,
        gift_wrap_price: None,
        item_promotion: None,
        item_tax: None,
        ship_promotion: Some(dec("5.35")),
        ..full.clone()
    };
    let desired = case(vec![free.clone()]).want();
    assert_eq!(
        lines_of(&desired)[1..],
        [
            is("A__1_ship", 200, "1", "5.35", TAX_19),
            is("A__1_shippromo", 202, "1", "-5.35", TAX_19)
        ]
    );
    assert_eq!(desired.total, Ok(dec("11.90")));
    // Zeros make no line.
    let zeros = FactLine {
        shipping_price: Some(dec("0.00")),
        gift_wrap_price: Some(dec("0.00")),
        item_promotion: Some(dec("0.00")),
        ship_promotion: Some(dec("0.00")),
        ..lamp()
    };
    assert_eq!(case(vec![zeros]).want().lines.len(), 1);
}

#[test]
fn a_fee_without_a_product_is_held_never_dropped() {
    let parts = || {
        let line = FactLine {
            shipping_price: Some(dec("1.00")),
            gift_wrap_price: Some(dec("1.00")),
            item_promotion: Some(dec("1.00")),
            ..lamp()
        };
        case(vec![line])
    };
    let sku = |key: &str| (HoldCode::Sku, key.to_owned());
    let gone = parts().odoo(|odoo| {
        odoo.products.remove("WRAP");
        odoo.products.insert("PROMO".into(), Found::Several);
    });
    assert_eq!(gone.waits(), [sku("PROMO"), sku("WRAP")]);
    let unset = parts().policy(|policy| policy.products.clear());
    assert_eq!(unset.waits(), [sku("Gift wrap"), sku("Promotion"), sku("Shipping")]);
}

#[test]
fn the_total_of_net_prices_has_its_tax() {
    let net = |lines: Vec<FactLine>| {
        case(lines)
            .rules(|rules| {
                rules.prices = Prices::Net;
                rules.facilitator_tax = FacilitatorTax::Include;
                rules.taxes.push(entry("0", None, false));
            })
            .odoo(|odoo| {
                for id in [TAX_19, TAX_7] {
                    let tax = Found::One(Tax { id, price_include: false });
                    odoo.taxes.insert(named(&format!("{id}%")), tax);
                }
            })
            .want()
    };
    let taxed = |sku: &str, price: &str, tax: &str| FactLine {
        item_tax: Some(dec(tax)),
        item_promotion: Some(dec("1.00")),
        ..row(sku, 1, price)
    };
    let both = net(vec![taxed("A", "10.00", "1.71"), taxed("B", "3.00", "0.14")]);
    assert_eq!(both.total, Ok(dec("12.85")));
    let set: Vec<_> = both.lines.iter().map(|line| line.taxes.as_slice()).collect();
    assert_eq!(set, [[TAX_19], [TAX_19], [TAX_7], [TAX_7]]);
    let half = net(vec![taxed("A", "10.00", "1.71"), row("B", 1, "2.00")]);
    assert_eq!(half.total, Ok(dec("13.09")), "B has the default tax");
    let free = net(vec![taxed("A", "10.00", "0.00")]);
    assert!(free.lines[0].taxes.is_empty(), "no tax, explicitly");
    assert_eq!(free.total, Ok(dec("9.00")));
}

#[test]
fn tax_holds() {
    let tax = |case: &Case| {
        let holds = case.waits();
        assert!(holds.iter().all(|hold| hold.0 == HoldCode::Tax), "{holds:?}");
        holds.into_iter().map(|hold| hold.1).collect::<Vec<_>>()
    };
    let set = |found| {
        move |odoo: &mut Odoo| {
            odoo.taxes.insert(named("19%"), found);
        }
    };
    let excluding = Found::One(Tax { id: TAX_19, price_include: false });
    for found in [Found::Nothing, Found::Several, excluding] {
        assert_eq!(tax(&one().odoo(set(found))), ["19%"], "{found:?}");
    }
    let odd = FactLine { item_tax: Some(dec("1.20")), ..row("A", 1, "10.00") };
    assert_eq!(tax(&case(vec![odd])), ["Amazon.de to DE 13.6%"]);
    let undefaulted = one().rules(|rules| rules.taxes[0].default = false);
    assert_eq!(tax(&undefaulted), ["Amazon.de to DE"]);
    let exclusive = FactLine {
        item_tax: Some(dec("1.90")),
        item_price_net: Some(dec("10.00")),
        ..row("A", 1, "10.00")
    };
    assert_eq!(tax(&case(vec![exclusive.clone()])), [DE], "a price without tax");
    let collected = FactLine { facilitator: Some(true), ..exclusive };
    assert_eq!(tax(&case(vec![collected])), [DE], "also where Amazon collects it");
}

#[test]
fn a_cent_between_net_and_gross_is_no_promotion() {
    let line = FactLine {
        item_tax: Some(dec("1.59")),
        item_price_net: Some(dec("8.41")),
        facilitator: Some(true),
        ..row("A", 1, "9.99")
    };
    let desired = case(vec![line]).want();
    assert_eq!(lines_of(&desired), [("A__1".into(), LAMP, "1".into(), "8.40".into(), vec![])]);
    assert_eq!(desired.total, Ok(dec("8.40")));
}

#[test]
fn a_destination_has_its_own_taxes() {
    let table = |rules: &mut MarketplacePolicy| {
        rules
            .taxes
            .push(TaxEntry { destination: Some("AT".into()), ..entry("20", Some("20% AT"), true) });
    };
    let to = |country: &str| {
        one()
            .rules(table)
            .head(|head| head.ship_country = Some(country.to_owned()))
            .odoo(|odoo| {
                let tax = Tax { id: 20, price_include: true };
                odoo.taxes.insert(named("20% AT"), Found::One(tax));
            })
            .want()
    };
    assert_eq!(to("AT").lines[0].taxes, [20]);
    assert_eq!(to("DE").lines[0].taxes, [TAX_19]);
}

#[test]
fn a_replacement_costs_nothing() {
    let free = case(vec![row("A", 2, "")]).head(|head| head.replacement = true).want();
    assert_eq!(lines_of(&free), [is("A__1", LAMP, "2", "0", TAX_19)]);
    assert_eq!(free.total, Ok(dec("0")));
    assert!(free.confirm);
}

#[test]
fn cancelled_items_and_empty_rows_make_no_line() {
    let cancelled = FactLine { status: Some(ItemStatus::Cancelled), ..row("B", 1, "9.00") };
    let desired = case(vec![lamp(), cancelled, row("A", 0, "0.00")]).want();
    assert_eq!(lines_of(&desired).len(), 1);
    assert_eq!(desired.total, Ok(dec("11.90")));
    assert_eq!(desired.items.len(), 1);
}

// --- ordinals ----------------------------------------------------------------------------------

#[test]
fn ordinals_start_with_the_largest() {
    let desired = case(vec![
        row("A", 1, "5.00"),
        row("A", 1, "7.00"),
        row("A", 2, "4.00"),
        row("B", 1, "1.00"),
    ])
    .want();
    assert_eq!(
        desired.items,
        [
            item("A", 1, "", 2, "4.00"),
            item("A", 2, "", 1, "7.00"),
            item("A", 3, "", 1, "5.00"),
            item("B", 1, "", 1, "1.00"),
        ]
    );
    let units: Vec<_> = lines_of(&desired).into_iter().map(|line| (line.0, line.3)).collect();
    let unit = |tail: &str, unit: &str| (tail.to_owned(), unit.to_owned());
    assert_eq!(
        units,
        [unit("A__1", "2.00"), unit("A__2", "7.00"), unit("A__3", "5.00"), unit("B__1", "1.00")]
    );
}

#[test]
fn ordinals_are_given_once_and_found_again() {
    let id = |id: &str, quantity, price: &str| with_id(id, row("A", quantity, price));
    let old = |items: &[MappedItem]| items.to_vec();
    let (first, second) = (item("A", 1, "11", 1, "5.00"), item("A", 2, "22", 1, "9.00"));
    // What, rows, known items → items.
    let table = [
        (
            "by id, though the prices changed sides",
            vec![id("11", 1, "9.00"), id("22", 1, "5.00")],
            old(&[first.clone(), second.clone()]),
            old(&[item("A", 1, "11", 1, "9.00"), item("A", 2, "22", 1, "5.00")]),
        ),
        (
            "by exact quantity and total, though the order says otherwise",
            vec![row("A", 1, "9.00"), row("A", 1, "5.00")],
            old(&[first.clone(), second.clone()]),
            old(&[first.clone(), second.clone()]),
        ),
        (
            "an id is learned through the exact match",
            vec![id("77", 1, "9.00"), row("A", 1, "5.00")],
            old(&[item("A", 1, "", 1, "5.00"), item("A", 2, "", 1, "9.00")]),
            old(&[item("A", 1, "", 1, "5.00"), item("A", 2, "77", 1, "9.00")]),
        ),
        (
            "in order where nothing fits",
            vec![row("A", 3, "6.00"), row("A", 1, "8.00")],
            old(&[item("A", 1, "", 1, "5.00"), item("A", 2, "", 1, "9.00")]),
            old(&[item("A", 1, "", 3, "6.00"), item("A", 2, "", 1, "8.00")]),
        ),
        (
            "exact before in order",
            vec![row("A", 3, "6.00"), row("A", 1, "5.00")],
            old(&[item("A", 1, "", 1, "5.00"), item("A", 2, "", 1, "9.00")]),
            old(&[item("A", 1, "", 1, "5.00"), item("A", 2, "", 3, "6.00")]),
        ),
        (
            "what is left is new",
            vec![row("A", 1, "9.00"), row("A", 1, "5.00"), row("A", 4, "1.00")],
            old(&[first.clone(), second.clone()]),
            old(&[first.clone(), second.clone(), item("A", 3, "", 4, "1.00")]),
        ),
        (
            "what is gone keeps its ordinal",
            vec![row("A", 1, "9.00")],
            old(&[first.clone(), second.clone()]),
            old(&[item("A", 1, "11", 0, "5.00"), second.clone()]),
        ),
        (
            "a live item goes before one that is gone",
            vec![row("A", 1, "8.00")],
            old(&[item("A", 1, "", 0, "5.00"), item("A", 2, "", 1, "9.00")]),
            old(&[item("A", 1, "", 0, "5.00"), item("A", 2, "", 1, "8.00")]),
        ),
        (
            "what comes back takes its ordinal again",
            vec![id("11", 1, "5.00"), id("22", 1, "9.00")],
            old(&[item("A", 1, "11", 0, "5.00"), second.clone()]),
            old(&[first.clone(), second.clone()]),
        ),
        (
            "never below the highest",
            vec![row("A", 1, "9.00"), row("A", 1, "1.00")],
            old(&[item("A", 5, "", 1, "9.00")]),
            old(&[item("A", 5, "", 1, "9.00"), item("A", 6, "", 1, "1.00")]),
        ),
        (
            "another SKU's items are nobody's",
            vec![row("A", 1, "9.00")],
            old(&[item("B", 1, "", 1, "9.00")]),
            old(&[item("B", 1, "", 0, "9.00"), item("A", 1, "", 1, "9.00")]),
        ),
    ];
    for (what, rows, known, want) in table {
        let desired = case(rows).mapped(known).want();
        assert_eq!(desired.items, want, "{what}");
        assert!(desired.standing.is_empty(), "{what}");
        for line in desired.items.iter().filter(|i| i.sku.as_str() == "A" && i.quantity > 0) {
            let external = format!("line_{ORDER}__A__{}", line.ordinal);
            let made = desired.lines.iter().find(|l| l.external == external).unwrap();
            let total: Decimal = desired
                .lines
                .iter()
                .filter(|l| l.external == external || l.external == format!("{external}_r"))
                .map(|l| l.quantity * l.price_unit)
                .sum();
            assert_eq!(Some(total), line.total, "{what}: {made:?}");
        }
    }
}

#[test]
fn a_row_without_price_forgets_no_total() {
    let desired = case(vec![row("A", 1, "")])
        .head(|head| head.replacement = true)
        .mapped(vec![item("A", 1, "", 1, "5.00")])
        .want();
    assert_eq!(desired.items, [item("A", 1, "", 1, "5.00")]);
}

#[test]
fn lines_stand_where_only_the_number_of_rows_differs() {
    let known = || vec![item("A", 1, "", 2, "20.00"), item("A", 2, "", 1, "10.00")];
    let standing = |rows| case(rows).mapped(known()).want();
    let desired = standing(vec![row("A", 3, "30.00"), row("B", 1, "1.00")]);
    assert_eq!(desired.standing.iter().map(Sku::as_str).collect::<Vec<_>>(), ["A"]);
    assert_eq!(lines_of(&desired).len(), 1, "only B is planned");
    assert_eq!(desired.total, Ok(dec("31.00")));
    assert_eq!(desired.items[..2], known()[..]);
    for (what, rows) in [
        ("other units", vec![row("A", 4, "30.00")]),
        ("another total", vec![row("A", 3, "31.00")]),
        ("as many rows", vec![row("A", 1, "15.00"), row("A", 2, "15.00")]),
    ] {
        let desired = standing(rows);
        assert!(desired.standing.is_empty() && !desired.lines.is_empty(), "{what}");
    }
    // Items that are gone do not count as rows.
    let gone = vec![item("A", 1, "", 3, "30.00"), item("A", 2, "", 0, "0.00")];
    let desired = case(vec![row("A", 3, "30.00")]).mapped(gone).want();
    assert!(desired.standing.is_empty());
    let cancelled = FactLine { status: Some(ItemStatus::Cancelled), ..row("A", 3, "30.00") };
    let gone = case(vec![cancelled, row("B", 1, "1.00")]).mapped(known()).want();
    let back = case(vec![row("A", 3, "30.00")]).mapped(gone.items).want();
    assert!(back.standing.is_empty(), "its lines are at zero in Odoo");
    assert_eq!(lines_of(&back), [is("A__1", LAMP, "3", "10.00", TAX_19)]);
    // Before the first creation nothing stands.
    assert!(case(vec![row("A", 3, "30.00")]).want().standing.is_empty());
}

prop_compose! {
    fn any_row()(
        sku in prop::sample::select(vec!["A", "B"]),
        quantity in 1_u32..9,
        cents in 500_i64..100_000,
        shipping in 0_i64..900,
        wrap in 0_i64..300,
        off in 0_i64..500,
        id in prop::option::of(prop::sample::select(vec!["1", "2", "3", "4"])),
    ) -> FactLine {
        let amount = |cents| (cents > 0).then(|| Decimal::new(cents, 2));
        FactLine {
            item_id: id.map(|id| id.parse().unwrap()),
            item_price: Some(Decimal::new(cents, 2)),
            shipping_price: amount(shipping),
            gift_wrap_price: amount(wrap),
            item_promotion: amount(off),
            ..row(sku, quantity, "")
        }
    }
}

proptest! {
    /// To the cent: what the lines come to is what the buyer paid, and ids are never shared.
    #[test]
    fn lines_sum_to_the_total(rows in prop::collection::vec(any_row(), 1..6)) {
        let paid: Decimal = rows.iter().map(|row| {
            let amount = |value: Option<Decimal>| value.unwrap_or_default();
            amount(row.item_price) + amount(row.shipping_price) + amount(row.gift_wrap_price)
                - amount(row.item_promotion)
        }).sum();
        let desired = case(rows).want();
        let sum: Decimal = desired.lines.iter().map(|line| line.quantity * line.price_unit).sum();
        prop_assert_eq!(sum, paid);
        prop_assert_eq!(desired.total, Ok(paid));
        let ids: BTreeSet<&String> = desired.lines.iter().map(|line| &line.external).collect();
        prop_assert_eq!(ids.len(), desired.lines.len());
    }

    /// Planned again over its own ordinals, an order is the same order, whatever the row order.
    #[test]
    fn ordinals_are_stable(rows in prop::collection::vec(any_row(), 1..6), turn in 0_usize..6) {
        let first = case(rows.clone()).want();
        let mut other = rows;
        let turn = turn % other.len();
        other.rotate_left(turn);
        let again = case(other).mapped(first.items.clone()).want();
        prop_assert_eq!(&again.items, &first.items);
        prop_assert_eq!(again.lines, first.lines);
        prop_assert!(again.standing.is_empty());
    }

    /// Whatever changes, no ordinal moves to another SKU, is given twice, or disappears.
    #[test]
    fn ordinals_never_disappear(
        before in prop::collection::vec(any_row(), 1..5),
        after in prop::collection::vec(any_row(), 1..5),
    ) {
        let first = case(before).want();
        let second = case(after).mapped(first.items.clone()).want();
        let keys = |items: &[MappedItem]| -> Vec<(Sku, u32)> {
            items.iter().map(|item| (item.sku.clone(), item.ordinal)).collect()
        };
        let (old, new) = (keys(&first.items), keys(&second.items));
        prop_assert_eq!(&new[..old.len()], &old[..]);
        prop_assert_eq!(new.iter().collect::<BTreeSet<_>>().len(), new.len());
    }
}

#[test]
fn case_r15_and_r26_notes_of_an_order() {
    let said = |case: &Case| -> Vec<(NoteKind, String)> {
        let notes = case.want().buying.notes;
        notes.into_iter().map(|note| (note.kind, note.text)).collect()
    };
    assert_eq!(said(&one()), []);
    let mut numbered = one();
    numbered.buyer = Some(BuyerFact { purchase_order_number: " PO-1 ".into(), ..address() });
    let number = (NoteKind::PurchaseOrder, "Your order: PO-1".to_owned());
    assert_eq!(said(&numbered), [number]);
    let note = &numbered.want().buying.notes[0];
    assert_eq!(note.external, format!("line_{ORDER}__note_po"));
    assert!(!format!("{note:?}").contains("PO-1"), "buyers type names there");
    // An account without buyers has no buyer's texts either.
    numbered.policy.partner = PartnerMode::Anonymous;
    assert_eq!(said(&numbered), []);

    let kinds = |case: Case| said(&case).iter().map(|(kind, _)| *kind).collect::<Vec<_>>();
    let invoiced = one().head(|head| head.amazon_invoiced = true);
    assert_eq!(kinds(invoiced), [NoteKind::AmazonInvoiced]);
    let business = one().head(|head| head.invoiced_by_amazon_business = true);
    assert!(business.want().buying.by_amazon_business);
    assert_eq!(kinds(business), [NoteKind::AmazonBusiness]);
}

#[path = "audit_tests.rs"]
mod audit;
