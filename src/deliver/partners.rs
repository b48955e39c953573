//! Buyers, ship addresses and anonymous partners.
//!
//! Created under an external id made with the account's id key (nothing personal can be read from
//! it), never rewritten: what a person corrected in Odoo stays. A buyer is keyed by the lower-case
//! relay address, else by the order; an address is a child keyed by (buyer, address).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::catalog::Catalog;
use super::send::{Loaded, Sender, Stop};
use super::value;
use crate::model::{BuyerFact, Marketplace, OdooId, OrderId};
use crate::plan::diff::Partners;
use crate::plan::{AccountPolicy, external};
use crate::store::IdKey;

/// The customer an order should get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Customer {
    /// External-id name of the partner.
    pub(super) partner: String,
    /// External-id name of the delivery address; the partner itself where there is none.
    pub(super) address: Option<String>,
}

/// Partners to create, by external-id name.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    anonymous: BTreeMap<String, &'a str>,
    buyers: BTreeMap<String, &'a BuyerFact>,
    addresses: BTreeMap<String, (String, &'a BuyerFact)>,
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

impl<'a> Wanted<'a> {
    /// The customer of an order: its buyer, else the marketplace's anonymous partner.
    pub(super) fn customer(
        &mut self,
        order_id: &OrderId,
        marketplace: Marketplace,
        buyer: Option<&'a BuyerFact>,
        policy: &'a AccountPolicy,
        key: &IdKey,
    ) -> Customer {
        let Some(buyer) = buyer.filter(|buyer| !display_name(buyer).is_empty()) else {
            let name = format!("partner_anonymous_{}", external::escape(marketplace.name()));
            let label =
                policy.marketplace(marketplace).map_or("", |m| m.anonymous_partner.as_str());
            self.anonymous.insert(name.clone(), label);
            return Customer { partner: name, address: None };
        };
        let identity = if buyer.email.is_empty() {
            format!("order {order_id}")
        } else {
            format!("mail {}", buyer.email.trim().to_lowercase())
        };
        let partner = format!("buyer_{}", hex(key.mac("buyer", identity.as_bytes())));
        self.buyers.entry(partner.clone()).or_insert(buyer);
        let address = buyer.has_address().then(|| {
            let text = format!("{identity}\n{}", normalised(buyer));
            let name = format!("address_{}", hex(key.mac("address", text.as_bytes())));
            self.addresses.entry(name.clone()).or_insert((partner.clone(), buyer));
            name
        });
        Customer { partner, address }
    }

    /// Countries whose states are needed.
    pub(super) fn countries(&self) -> BTreeSet<String> {
        self.buyers.values().map(|buyer| country_code(buyer)).filter(|c| !c.is_empty()).collect()
    }

    /// Creates what is not `known` yet, and adds its ids there. At most two calls: partners, then
    /// their addresses.
    pub(super) async fn create(
        &self,
        sender: &Sender<'_>,
        catalog: &Catalog,
        known: &mut BTreeMap<String, OdooId>,
    ) -> Result<(), Stop> {
        let mut names = Vec::new();
        let mut rows = Vec::new();
        for (name, label) in &self.anonymous {
            if !known.contains_key(name) {
                names.push(name.clone());
                rows.push(row(sender, name, label, "contact", None, None, catalog));
            }
        }
        for (name, buyer) in &self.buyers {
            if !known.contains_key(name) {
                names.push(name.clone());
                let label = display_name(buyer);
                rows.push(row(sender, name, label, "contact", None, Some(buyer), catalog));
            }
        }
        load(sender, names, rows, known).await?;
        let mut names = Vec::new();
        let mut rows = Vec::new();
        for (name, (parent, buyer)) in &self.addresses {
            // A buyer whom Odoo refused has no addresses either.
            let Some(parent) = known.get(parent).copied().filter(|_| !known.contains_key(name))
            else {
                continue;
            };
            names.push(name.clone());
            let recipient = first_text(&[&buyer.recipient, &buyer.name, &buyer.address_1]);
            rows.push(row(sender, name, recipient, "delivery", Some(parent), Some(buyer), catalog));
        }
        load(sender, names, rows, known).await
    }
}

impl Customer {
    /// Its ids, once all exist.
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
        std::iter::once(&self.partner).chain(&self.address)
    }
}

async fn load(
    sender: &Sender<'_>,
    names: Vec<String>,
    rows: Vec<Vec<Vec<Value>>>,
    known: &mut BTreeMap<String, OdooId>,
) -> Result<(), Stop> {
    for (name, loaded) in names.into_iter().zip(sender.load("res.partner", &FIELDS, rows).await?) {
        match loaded {
            Loaded::Id(id) => {
                known.insert(name, id);
            }
            Loaded::Refused(_) => {}
        }
    }
    Ok(())
}

fn row(
    sender: &Sender<'_>,
    external: &str,
    name: &str,
    kind: &str,
    parent: Option<OdooId>,
    buyer: Option<&BuyerFact>,
    catalog: &Catalog,
) -> Vec<Vec<Value>> {
    let empty = BuyerFact::default();
    let buyer = buyer.unwrap_or(&empty);
    let code = country_code(buyer);
    let state = catalog.state(&code, &buyer.state);
    // A state that Odoo does not know is kept as text: buyers write streets and countries there.
    let loose = if state.is_some() { "" } else { buyer.state.trim() };
    let street2: Vec<&str> = [buyer.address_2.trim(), buyer.address_3.trim(), loose]
        .into_iter()
        .filter(|t| !t.is_empty())
        .collect();
    let delivery = parent.is_some();
    let phone =
        if delivery { first_text(&[&buyer.ship_phone, &buyer.phone]) } else { buyer.phone.trim() };
    vec![vec![
        sender.external(external),
        Value::from(name.trim()),
        Value::from(kind),
        value::id_cell(parent),
        Value::from(if delivery { "" } else { buyer.email.trim() }),
        Value::from(phone),
        Value::from(buyer.address_1.trim()),
        Value::from(street2.join(", ")),
        Value::from(buyer.city.trim()),
        Value::from(buyer.postal_code.trim()),
        value::id_cell(state),
        value::id_cell(catalog.country(&code)),
    ]]
}

fn display_name(buyer: &BuyerFact) -> &str {
    first_text(&[&buyer.name, &buyer.company, &buyer.recipient, &buyer.email])
}

fn first_text<'a>(texts: &[&'a String]) -> &'a str {
    texts.iter().map(|text| text.trim()).find(|text| !text.is_empty()).unwrap_or_default()
}

fn country_code(buyer: &BuyerFact) -> String {
    match buyer.country.trim().to_uppercase().as_str() {
        // What buyers' forms call it, and what ISO does.
        "UK" => "GB".to_owned(),
        code => code.to_owned(),
    }
}

/// The address without what does not change where it is: case, doubled spaces.
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
    .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase())
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
