//! The whole way of a file without its envelope and its store: bytes → facts → plan.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use jiff::Timestamp;

use crate::config::Settings;
use crate::daemon::delivered;
use crate::flatfile::{Context, Hints, facts, survey};
use crate::model::{
    BuyerFact, Currency, Dossier, Fact, Family, Marketplace, OdooId, OrderId, Rank, RefusedFact,
    Sku, Standing,
};
use crate::plan::{self, AccountPolicy, Found, Lookup, Plan, Tax, TaxRef};

/// What parts the documents of one input: reports of several families say of one order.
const NEXT_DOCUMENT: &[u8] = b"\n\x1d\n";

/// Settings with marketplaces of gross and net prices and of currencies with and without decimals.
const SETTINGS: &str = r#"
    [odoo]
    url = "https://odoo.example"
    database = "d"
    login = "l"
    [[account]]
    id = "eu"
    region = "EU"
    company = "C"
    default_marketplace = "Amazon.de"
    import_from = 2000-01-01
    already_shipped = "confirm"
    [[account.marketplace]]
    name = "Amazon.de"
    pricelist = "EUR"
    prices = "gross"
    fba_warehouse = "FBA"
    tax = [
        { destination = "DE", rate = "19", tax = "19", default = true },
        { destination = "DE", rate = "7", tax = "7" },
        { destination = "*", rate = "20", tax = "20", default = true },
    ]
    [[account]]
    id = "na"
    region = "NA"
    company = "C"
    [[account.marketplace]]
    name = "Amazon.com"
    pricelist = "USD"
    prices = "net"
    facilitator_tax = "include"
    fba_warehouse = "FBA"
    tax = [
        { destination = "*", rate = "0", tax = "none", default = true },
        { destination = "US", rate = "8.25", tax = "8" },
    ]
    [[account]]
    id = "fe"
    region = "FE"
    company = "C"
    [[account.marketplace]]
    name = "Amazon.co.jp"
    pricelist = "JPY"
    prices = "gross"
    fba_warehouse = "FBA"
    tax = [{ destination = "*", rate = "10", tax = "10", default = true }]
"#;

/// The rules of the first account, with the marketplaces of all.
static POLICY: LazyLock<AccountPolicy> = LazyLock::new(|| {
    let settings = Settings::parse(Path::new("config.toml"), SETTINGS);
    let accounts = settings.map(|settings| settings.accounts).unwrap_or_default();
    let mut policies =
        accounts.iter().map(|account| delivered(account, Timestamp::UNIX_EPOCH).policy);
    let Some(mut policy) = policies.next() else { unreachable!("settings of our own") };
    policy.marketplaces.extend(policies.flat_map(|policy| policy.marketplaces));
    policy
});

/// An Odoo in which everything is there once. Prices include tax if the flag says so.
struct Odoo {
    price_include: bool,
}

impl Lookup for Odoo {
    fn product(&self, sku: &Sku) -> Found<OdooId> {
        Found::One(i64::try_from(sku.as_str().len()).unwrap_or(1))
    }
    fn pricelist(&self, marketplace: Marketplace) -> Found<(OdooId, Currency)> {
        match marketplace.currency().parse() {
            Ok(currency) => Found::One((1, currency)),
            Err(_) => Found::Nothing,
        }
    }
    fn tax(&self, tax: &TaxRef) -> Found<Tax> {
        match tax {
            TaxRef::Name(name) if name.is_empty() => Found::Nothing,
            TaxRef::Name(_) | TaxRef::Id(_) => {
                Found::One(Tax { id: 1, price_include: self.price_include })
            }
        }
    }
    fn warehouse(&self, _: &str) -> Found<OdooId> {
        Found::One(1)
    }
    fn carrier(&self, _: &str) -> Found<OdooId> {
        Found::Nothing
    }
}

/// Reads up to four documents and plans every order in them. The first byte: 1 Odoo's taxes are
/// included in prices.
///
/// A plan comes of every order whose rows are whole, and the same twice; what it writes can be
/// summed up.
pub fn whole(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let mut orders: BTreeMap<OrderId, (Dossier, BTreeMap<Family, BuyerFact>)> = BTreeMap::new();
    for document in split(rest) {
        read(document, &mut orders);
    }
    let lookup = Odoo { price_include: first & 1 != 0 };
    for (dossier, buyers) in orders.values() {
        let buyer = plan::merge::merge_buyer(buyers);
        let plan = plan::plan(dossier, buyer.as_ref(), &POLICY, &lookup);
        let again = plan::plan(dossier, buyer.as_ref(), &POLICY, &lookup);
        assert!(plan == again, "one dossier, two plans");
        drop(plan::summary(dossier));
        if let Plan::Want(desired) = plan {
            let named: BTreeSet<&str> =
                desired.lines.iter().map(|line| line.external.as_str()).collect();
            assert_eq!(named.len(), desired.lines.len(), "two lines of one external id");
        }
    }
}

fn split(data: &[u8]) -> Vec<&[u8]> {
    let mut documents = Vec::new();
    let mut rest = data;
    while documents.len() < 3
        && let Some(at) = memchr::memmem::find(rest, NEXT_DOCUMENT)
    {
        documents.push(rest.get(..at).unwrap_or_default());
        rest = rest.get(at.saturating_add(NEXT_DOCUMENT.len())..).unwrap_or_default();
    }
    documents.push(rest);
    documents
}

fn read(document: &[u8], orders: &mut BTreeMap<OrderId, (Dossier, BTreeMap<Family, BuyerFact>)>) {
    let Ok(survey) = survey(document, &Hints::default()) else { return };
    for sweep in 0..survey.sweeps {
        let Ok(mut reader) = facts(document, &survey, Context::default(), sweep) else { return };
        while let Ok(Some(order)) = reader.next() {
            let id = order.fact.order_id.clone();
            let (dossier, buyers) =
                orders.entry(id.clone()).or_insert_with(|| (empty(id), BTreeMap::new()));
            if let Some(buyer) = order.buyer {
                buyers.insert(order.fact.family, buyer);
            }
            take(dossier, order.fact);
        }
    }
}

/// As the store takes a fact: the higher rank stands.
fn take(dossier: &mut Dossier, fact: Fact) {
    let family = fact.family;
    if !fact.is_good() {
        let file = dossier.last_file.clone();
        dossier
            .refused
            .insert(family, RefusedFact { version: fact.version, file, faults: fact.faults });
        return;
    }
    dossier.refused.remove(&family);
    let rank = Rank {
        version: fact.version,
        lines: u32::try_from(fact.lines.len()).unwrap_or(u32::MAX),
        hash: [0; 16],
    };
    if dossier.facts.get(&family).is_none_or(|known| known.rank < rank) {
        dossier.facts.insert(family, Standing { rank, fact });
    }
}

fn empty(order_id: OrderId) -> Dossier {
    Dossier {
        order_id,
        facts: BTreeMap::new(),
        refused: BTreeMap::new(),
        seen_unshipped: false,
        mapping: None,
        last_file: crate::model::FileId::from_bits(1),
        attention: Vec::new(),
        released: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_settings_are_settings() {
        assert_eq!(POLICY.marketplaces.len(), 3);
    }

    proptest! {
        /// Whatever stands in the columns of money, and however often an order has it.
        #[test]
        fn audit_03_no_amount_makes_it_panic(
            rows in prop::collection::vec(
                (
                    prop::sample::select(vec!["Amazon.de", "Amazon.com", "Amazon.co.jp"]),
                    1_u32..1_000_000_000,
                    prop::collection::vec("-?[0-9]{1,15}(\\.[0-9]{1,6})?|-?9{15}\\.9{6}|0\\.000001|", 7),
                ),
                1..9,
            ),
            included: bool,
        ) {
            let mut text = String::from(
                "amazon-order-id\tpurchase-date\tlast-updated-date\torder-status\tfulfillment-channel\t\
                 sales-channel\tsku\titem-status\tquantity\tcurrency\tship-country\titem-price\titem-tax\t\
                 shipping-price\tshipping-tax\tgift-wrap-price\titem-promotion-discount\tvat-exclusive-item-price\n",
            );
            for (n, (channel, quantity, amounts)) in rows.iter().enumerate() {
                let currency: Marketplace = channel.parse().unwrap();
                text.push_str(&format!(
                    "205-0000000-{:07}\t2025-05-05T10:19:22+00:00\t2025-05-05T10:19:22+00:00\tShipped\tAmazon\t\
                     {channel}\tSKU-{n}\tShipped\t{quantity}\t{}\tDE\t{}\n",
                    n % 2,
                    currency.currency(),
                    amounts.join("\t"),
                ));
            }
            let mut data = vec![u8::from(included)];
            data.extend(text.bytes());
            whole(&data);
        }
    }
}
