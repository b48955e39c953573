//! Buyers, companies, ship addresses and anonymous partners.
//!
//! Created under an external id made with the account's id key (nothing personal can be read from
//! it), never rewritten: what a person corrected in Odoo stays.
//!
//! A private buyer is keyed by the lower-case relay address, else by the order. A company is keyed by
//! its VAT number, else by its name and the place of its invoice address, and has that address or
//! none: where goods went says nothing of where invoices go. Who ordered for it is a contact of it.
//! A delivery address is a child keyed by (buyer or company, address).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::catalog::Catalog;
use super::send::{Loaded, Sender, Stop};
use super::value;
use crate::model::{BuyerFact, Marketplace, OdooId, OrderId};
use crate::odoo::Words;
use crate::plan::diff::Partners;
use crate::plan::{AccountPolicy, Buying, external};
use crate::store::IdKey;

/// The customer an order should get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Customer {
    /// External-id name of the partner.
    pub(super) partner: String,
    /// External-id name of the delivery address; the partner itself where there is none.
    pub(super) address: Option<String>,
    /// External-id name of the person who ordered for a company.
    person: Option<String>,
}

/// Partners to create, by external-id name.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    anonymous: BTreeMap<String, &'a str>,
    buyers: BTreeMap<String, &'a BuyerFact>,
    companies: BTreeMap<String, Company<'a>>,
    /// By company.
    people: BTreeMap<String, (String, &'a BuyerFact)>,
    addresses: BTreeMap<String, (String, &'a BuyerFact)>,
}

/// A company that buys.
#[derive(Clone, Copy)]
struct Company<'a> {
    name: &'a str,
    buyer: &'a BuyerFact,
    /// Nobody else can be reached for it.
    alone: bool,
}

/// Where somebody is.
#[derive(Default, Clone, Copy)]
struct Place<'a> {
    lines: [&'a str; 3],
    city: &'a str,
    state: &'a str,
    postal_code: &'a str,
    country: &'a str,
}

/// One record of `res.partner`.
#[derive(Default, Clone, Copy)]
struct Card<'a> {
    name: &'a str,
    kind: &'a str,
    parent: Option<OdooId>,
    email: &'a str,
    phone: &'a str,
    place: Place<'a>,
}

const FIELDS: [&str; 12] = [
    "id",
    "name",
    "type",
    "parent_id/.id",
    "email",
    "phone",
    "street",
    "street2",
    "city",
    "zip",
    "state_id/.id",
    "country_id/.id",
];
/// What only companies have; the last only where Odoo refused the VAT number.
const OF_COMPANIES: [&str; 3] = ["is_company", "vat", "comment"];

impl<'a> Wanted<'a> {
    /// The customer of an order: its buyer, else the marketplace's anonymous partner.
    pub(super) fn customer(
        &mut self,
        order_id: &OrderId,
        marketplace: Marketplace,
        buyer: Option<(&'a BuyerFact, &Buying)>,
        policy: &'a AccountPolicy,
        key: &IdKey,
    ) -> Customer {
        let known = buyer.filter(|(buyer, _)| !display_name(buyer).is_empty());
        let Some((buyer, buying)) = known else {
            let name = format!("partner_anonymous_{}", external::escape(marketplace.name()));
            let label =
                policy.marketplace(marketplace).map_or("", |m| m.anonymous_partner.as_str());
            self.anonymous.insert(name.clone(), label);
            return Customer { partner: name, address: None, person: None };
        };
        // The same address for all of Amazon Business' orders is nobody's.
        let by_amazon = buying.by_amazon_business || is_nobodys(&buyer.email);
        let email = if by_amazon { String::new() } else { buyer.email.trim().to_lowercase() };
        let company = company_name(buyer, buying, by_amazon);
        let identity = match company {
            Some(name) => company_identity(name, buyer, order_id, &email, by_amazon),
            None if email.is_empty() => format!("order {order_id}"),
            None => format!("mail {email}"),
        };
        let mut person = None;
        let partner = if let Some(name) = company {
            let who = buyer.name.trim();
            let has_person =
                !by_amazon && !who.is_empty() && who.to_lowercase() != name.to_lowercase();
            let partner = format!("company_{}", hex(key.mac("company", identity.as_bytes())));
            let company = Company { name, buyer, alone: !has_person && !by_amazon };
            self.companies.entry(partner.clone()).or_insert(company);
            if has_person {
                let who = if email.is_empty() { who.to_lowercase() } else { email };
                let text = format!("{identity}\n{who}");
                let name = format!("person_{}", hex(key.mac("person", text.as_bytes())));
                self.people.entry(name.clone()).or_insert((partner.clone(), buyer));
                person = Some(name);
            }
            partner
        } else {
            let partner = format!("buyer_{}", hex(key.mac("buyer", identity.as_bytes())));
            self.buyers.entry(partner.clone()).or_insert(buyer);
            partner
        };
        let address = buyer.has_address().then(|| {
            let text = format!("{identity}\n{}", normalised(buyer));
            let name = format!("address_{}", hex(key.mac("address", text.as_bytes())));
            self.addresses.entry(name.clone()).or_insert((partner.clone(), buyer));
            name
        });
        Customer { partner, address, person }
    }

    /// Anonymous partners among them.
    pub(super) fn anonymous(&self) -> impl Iterator<Item = &String> {
        self.anonymous.keys()
    }

    /// Countries whose states are needed.
    pub(super) fn countries(&self) -> BTreeSet<String> {
        let shipping = self.buyers.values().map(|buyer| country_code(&buyer.country));
        let addresses = self.addresses.values().map(|(_, buyer)| country_code(&buyer.country));
        let billing = self.companies.values().map(|of| country_code(&of.buyer.bill.country));
        let private = self.buyers.values().map(|buyer| country_code(&buyer.bill.country));
        let all = shipping.chain(addresses).chain(billing).chain(private);
        all.filter(|code| !code.is_empty()).collect()
    }

    /// Creates what is not `known` yet, and adds its ids there: companies in a call of their own,
    /// then partners, then their addresses and people. Returns what Odoo said of those it refused.
    pub(super) async fn create(
        &self,
        sender: &Sender<'_>,
        catalog: &Catalog,
        known: &mut BTreeMap<String, OdooId>,
    ) -> Result<BTreeMap<String, Words>, Stop> {
        let mut refused = BTreeMap::new();
        self.create_companies(sender, catalog, known, &mut refused).await?;
        let mut names = Vec::new();
        let mut rows = Vec::new();
        for (name, label) in &self.anonymous {
            if !known.contains_key(name) {
                let card = Card { name: label, kind: "contact", ..Card::default() };
                rows.push(vec![card.cells(sender, name, catalog)]);
                names.push(name.clone());
            }
        }
        for (name, buyer) in &self.buyers {
            if !known.contains_key(name) {
                rows.push(vec![private(buyer).cells(sender, name, catalog)]);
                names.push(name.clone());
            }
        }
        load(sender, names, rows, known, &mut refused).await?;
        let mut names = Vec::new();
        let mut rows = Vec::new();
        for (name, (parent, buyer)) in &self.addresses {
            // A buyer whom Odoo refused has no addresses either.
            let Some(parent) = known.get(parent).copied().filter(|_| !known.contains_key(name))
            else {
                continue;
            };
            rows.push(vec![delivery(buyer, parent).cells(sender, name, catalog)]);
            names.push(name.clone());
        }
        for (name, (company, buyer)) in &self.people {
            let Some(company) = known.get(company).copied().filter(|_| !known.contains_key(name))
            else {
                continue;
            };
            let card = Card {
                name: &buyer.name,
                kind: "contact",
                parent: Some(company),
                email: &buyer.email,
                phone: &buyer.phone,
                place: Place::default(),
            };
            rows.push(vec![card.cells(sender, name, catalog)]);
            names.push(name.clone());
        }
        load(sender, names, rows, known, &mut refused).await?;
        Ok(refused)
    }

    /// Companies: one whose VAT number Odoo refuses is made without, and says so.
    async fn create_companies(
        &self,
        sender: &Sender<'_>,
        catalog: &Catalog,
        known: &mut BTreeMap<String, OdooId>,
        refused: &mut BTreeMap<String, Words>,
    ) -> Result<(), Stop> {
        let wanted: Vec<(&String, &Company<'_>)> =
            self.companies.iter().filter(|(name, _)| !known.contains_key(*name)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let fields: Vec<&str> = FIELDS.into_iter().chain(OF_COMPANIES).collect();
        let row = |(name, company): &(&String, &Company<'_>), with_vat: bool| {
            vec![company.cells(sender, name, catalog, with_vat)]
        };
        let rows = wanted.iter().map(|one| row(one, true)).collect();
        let loaded = sender.load("res.partner", &fields, rows).await?;
        let mut without = Vec::new();
        for (one, loaded) in wanted.into_iter().zip(loaded) {
            match loaded {
                Loaded::Id(id) => {
                    known.insert(one.0.clone(), id);
                }
                Loaded::Refused(_) if !vat_of(one.1.buyer).is_empty() => without.push(one),
                Loaded::Refused(words) => {
                    refused.insert(one.0.clone(), words);
                }
            }
        }
        if without.is_empty() {
            return Ok(());
        }
        let rows = without.iter().map(|one| row(one, false)).collect();
        let loaded = sender.load("res.partner", &fields, rows).await?;
        for (one, loaded) in without.into_iter().zip(loaded) {
            match loaded {
                Loaded::Id(id) => {
                    known.insert(one.0.clone(), id);
                }
                Loaded::Refused(words) => {
                    refused.insert(one.0.clone(), words);
                }
            }
        }
        Ok(())
    }
}

impl Customer {
    /// Its ids, once all exist. The person is a courtesy: an order needs none.
    pub(super) fn ids(&self, known: &BTreeMap<String, OdooId>) -> Option<Partners> {
        let partner = *known.get(&self.partner)?;
        let shipping = match &self.address {
            Some(address) => *known.get(address)?,
            None => partner,
        };
        Some(Partners { partner, shipping, addressed: self.address.is_some() })
    }

    /// The external-id names it needs.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.partner).chain(&self.address).chain(&self.person)
    }
}

impl Card<'_> {
    fn cells(&self, sender: &Sender<'_>, external: &str, catalog: &Catalog) -> Vec<Value> {
        let place = &self.place;
        let code = country_code(place.country);
        let state = catalog.state(&code, place.state);
        // A state that Odoo does not know is kept as text: buyers write streets and countries there.
        let loose = if state.is_some() { "" } else { place.state.trim() };
        let [street, more, rest] = place.lines.map(str::trim);
        let street2: Vec<&str> =
            [more, rest, loose].into_iter().filter(|t| !t.is_empty()).collect();
        vec![
            sender.external(external),
            Value::from(self.name.trim()),
            Value::from(self.kind),
            value::id_cell(self.parent),
            Value::from(self.email.trim()),
            Value::from(self.phone.trim()),
            Value::from(street),
            Value::from(street2.join(", ")),
            Value::from(place.city.trim()),
            Value::from(place.postal_code.trim()),
            value::id_cell(state),
            value::id_cell(catalog.country(&code)),
        ]
    }
}

impl Company<'_> {
    fn cells(
        &self,
        sender: &Sender<'_>,
        external: &str,
        catalog: &Catalog,
        with_vat: bool,
    ) -> Vec<Value> {
        let (email, phone) =
            if self.alone { (&*self.buyer.email, &*self.buyer.phone) } else { ("", "") };
        let place = bill_to(self.buyer);
        let card = Card { name: self.name, kind: "contact", parent: None, email, phone, place };
        let mut cells = card.cells(sender, external, catalog);
        let vat = vat_of(self.buyer);
        let (vat, comment) =
            if with_vat { (vat, String::new()) } else { (String::new(), vat_comment(&vat)) };
        cells.extend([Value::from("1"), Value::from(vat), Value::from(comment)]);
        cells
    }
}

async fn load(
    sender: &Sender<'_>,
    names: Vec<String>,
    rows: Vec<Vec<Vec<Value>>>,
    known: &mut BTreeMap<String, OdooId>,
    refused: &mut BTreeMap<String, Words>,
) -> Result<(), Stop> {
    for (name, loaded) in names.into_iter().zip(sender.load("res.partner", &FIELDS, rows).await?) {
        match loaded {
            Loaded::Id(id) => {
                known.insert(name, id);
            }
            Loaded::Refused(words) => {
                refused.insert(name, words);
            }
        }
    }
    Ok(())
}

/// A private buyer: at the invoice address where a report names it, else where the goods go.
fn private(buyer: &BuyerFact) -> Card<'_> {
    let place = if buyer.bill.is_empty() { ship_to(buyer) } else { bill_to(buyer) };
    Card {
        name: display_name(buyer),
        kind: "contact",
        parent: None,
        email: &buyer.email,
        phone: &buyer.phone,
        place,
    }
}

fn delivery(buyer: &BuyerFact, parent: OdooId) -> Card<'_> {
    Card {
        name: first_text(&[&buyer.recipient, &buyer.name, &buyer.company, &buyer.address_1]),
        kind: "delivery",
        parent: Some(parent),
        email: "",
        phone: first_text(&[&buyer.ship_phone, &buyer.phone]),
        place: ship_to(buyer),
    }
}

fn ship_to(buyer: &BuyerFact) -> Place<'_> {
    Place {
        lines: [&buyer.address_1, &buyer.address_2, &buyer.address_3],
        city: &buyer.city,
        state: &buyer.state,
        postal_code: &buyer.postal_code,
        country: &buyer.country,
    }
}

fn bill_to(buyer: &BuyerFact) -> Place<'_> {
    let bill = &buyer.bill;
    Place {
        lines: [&bill.address_1, &bill.address_2, &bill.address_3],
        city: &bill.city,
        state: &bill.state,
        postal_code: &bill.postal_code,
        country: &bill.country,
    }
}

/// The company that buys, if one does.
fn company_name<'b>(buyer: &'b BuyerFact, buying: &Buying, by_amazon: bool) -> Option<&'b str> {
    let (company, name) = (buyer.company.trim(), buyer.name.trim());
    if !company.is_empty() {
        return Some(company);
    }
    let is_business = by_amazon || (buying.business && !vat_of(buyer).is_empty());
    (is_business && !name.is_empty()).then_some(name)
}

/// What tells one company from another. Where neither a VAT number nor the place of the invoice
/// address is known, companies of one name are told apart by who ordered for them.
fn company_identity(
    name: &str,
    buyer: &BuyerFact,
    order_id: &OrderId,
    email: &str,
    by_amazon: bool,
) -> String {
    let vat = vat_of(buyer);
    if !vat.is_empty() {
        return format!("vat {vat}");
    }
    let country = country_code(&buyer.bill.country);
    let postal_code = same(&buyer.bill.postal_code);
    let name = same(name);
    if by_amazon || !country.is_empty() || !postal_code.is_empty() {
        format!("company {name}\n{country}\n{postal_code}")
    } else if email.is_empty() {
        format!("company {name}\norder {order_id}")
    } else {
        format!("company {name}\nmail {email}")
    }
}

/// The VAT number: upper case, no blanks.
fn vat_of(buyer: &BuyerFact) -> String {
    buyer.vat.split_whitespace().collect::<String>().to_uppercase()
}

/// Said on the partner. Nothing in it means anything to HTML.
fn vat_comment(vat: &str) -> String {
    let plain: String = vat.chars().filter(|c| c.is_alphanumeric() || "-./".contains(*c)).collect();
    format!("VAT number as given at Amazon: {plain}. Odoo did not accept it, so it is not set.")
}

/// `no-reply-…@…`: an address that belongs to no buyer.
fn is_nobodys(email: &str) -> bool {
    let email = email.trim().to_lowercase();
    ["no-reply", "noreply", "no_reply", "donotreply", "do-not-reply"]
        .iter()
        .any(|start| email.starts_with(start))
}

fn display_name(buyer: &BuyerFact) -> &str {
    first_text(&[&buyer.name, &buyer.company, &buyer.recipient, &buyer.email])
}

fn first_text<'a>(texts: &[&'a String]) -> &'a str {
    texts.iter().map(|text| text.trim()).find(|text| !text.is_empty()).unwrap_or_default()
}

fn country_code(country: &str) -> String {
    match country.trim().to_uppercase().as_str() {
        // What buyers' forms call it, and what ISO does.
        "UK" => "GB".to_owned(),
        code => code.to_owned(),
    }
}

/// A text without what makes no difference: case, doubled spaces.
fn same(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The address without what does not change where it is.
fn normalised(buyer: &BuyerFact) -> String {
    [
        &buyer.recipient,
        &buyer.address_1,
        &buyer.address_2,
        &buyer.address_3,
        &buyer.city,
        &buyer.state,
        &buyer.postal_code,
        &buyer.country,
        &buyer.ship_phone,
    ]
    .map(|text| same(text))
    .join("\n")
}

fn hex(bytes: [u8; 16]) -> String {
    bytes.iter().fold(String::with_capacity(32), |mut out, byte| {
        for half in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
        out
    })
}

#[cfg(test)]
#[path = "partners_tests.rs"]
mod tests;
