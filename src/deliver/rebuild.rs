//! What Odoo shows of an account's orders, for a store that lost what it knew.
//!
//! All sale orders of the company are gone through, a thousand a call, and asked for their external
//! ids: `ir.model.data` is not readable for an ordinary user. What the decision journal knows and
//! is not among them stood there before us (adopted) or was deleted by a person. Writes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::Delivery;
use super::absent::named;
use super::batch::new_mapping;
use super::catalog::{Catalog, CatalogError};
use super::read;
use super::send::{Sender, Stop};
use super::shelf::Shelf;
use super::value;
use super::window::{Hands, Writing};
use crate::model::{AccountId, Mapping, NoteKind, OdooId, OrderId, Origin};
use crate::odoo::{Client, Context, Find};
use crate::plan::{Current, external};

/// Orders in one call.
const PAGE: u32 = 1_000;
/// Orders that are read with their lines at once.
const READ: usize = 500;

/// Why it cannot be seen what stands in Odoo. Nothing was changed: try again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SurveyError {
    /// Odoo lacks what the account needs, or does not answer.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A call failed.
    #[error("Odoo did not answer as it should ({0})")]
    Call(String),
}

impl From<Stop> for SurveyError {
    fn from(stop: Stop) -> Self {
        Self::Call(match stop {
            Stop::Retry { code, .. } | Stop::Pause { code, .. } | Stop::Refused { code, .. } => {
                code.to_owned()
            }
            Stop::Store(error) => error,
        })
    }
}

impl From<crate::odoo::Fault> for SurveyError {
    fn from(fault: crate::odoo::Fault) -> Self {
        Self::Catalog(CatalogError::Fault(fault))
    }
}

impl Delivery {
    /// The mappings of an account's orders, as far as Odoo and `noted` (what the decision journal
    /// knows of deliveries) tell. Their bases are lost. `progress` hears how many were seen.
    pub async fn survey(
        &self,
        account: &AccountId,
        noted: &BTreeMap<OrderId, (OdooId, Timestamp)>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<BTreeMap<OrderId, Mapping>, SurveyError> {
        let settings = self.settings(account).ok_or(CatalogError::Account)?;
        let client = self.client();
        let catalog = Catalog::load(&client, &settings).await?;
        let context = Context::new(&[catalog.company]);
        let shelf = Shelf { store: Arc::clone(&self.store), account: account.clone() };
        let window = self.window_of(account);
        let hands = Hands { client: &client, shelf: &shelf, clock: &self.clock };
        let writing = Writing { window: &window, hands };
        let sender = Sender::new(&client, account, context, writing);
        let ours = ours(&sender, catalog.company, progress).await?;
        let mut ids: Vec<OdooId> = ours.values().copied().collect();
        ids.extend(
            noted.iter().filter(|(order, _)| !ours.contains_key(*order)).map(|(_, (id, _))| *id),
        );
        let mut found = BTreeMap::new();
        for chunk in ids.chunks(READ) {
            found.extend(read::orders(&sender, &catalog, chunk).await?);
        }
        let unseen: Vec<OdooId> = noted
            .iter()
            .filter(|(order, (id, _))| !ours.contains_key(*order) && !found.contains_key(id))
            .map(|(_, (id, _))| *id)
            .collect();
        let hidden = named(&client, &unseen, &sender.context).await?;
        let anonymous = anonymous(&client, &sender, &found).await?;
        let mut mappings = BTreeMap::new();
        for (order, id) in &ours {
            if let Some(current) = found.get(id) {
                let created = noted.get(order).map(|(_, at)| *at);
                let mapping = Mapping { created, ..mapped(current, &anonymous) };
                mappings.insert(order.clone(), mapping);
            }
        }
        for (order, (id, _)) in noted {
            if mappings.contains_key(order) {
                continue;
            }
            let there = found.get(id).filter(|current| is_about(current, order));
            let mapping = match there {
                Some(current) => Mapping {
                    odoo_id: *id,
                    name: current.name.clone(),
                    state: current.state.clone(),
                    origin: Origin::Adopted,
                    stage: None,
                    ..new_mapping()
                },
                // It exists and is not shown to our user: delivery holds it.
                None if hidden.get(id) == Some(&own(&sender, order)) => {
                    Mapping { odoo_id: *id, stage: None, base_lost: true, ..new_mapping() }
                }
                None if hidden.contains_key(id) => {
                    Mapping { odoo_id: *id, origin: Origin::Adopted, stage: None, ..new_mapping() }
                }
                None => Mapping { odoo_id: *id, stage: None, deleted: true, ..new_mapping() },
            };
            mappings.insert(order.clone(), mapping);
        }
        Ok(mappings)
    }
}

/// The full external id of an order of ours.
fn own(sender: &Sender<'_>, order: &OrderId) -> String {
    external::full(sender.account, &external::order(order))
}

/// An adopted order carries the id that it was found by. Otherwise the database id is another
/// record's by now.
fn is_about(current: &Current, order: &OrderId) -> bool {
    [&current.reference, &current.origin, &current.name]
        .into_iter()
        .any(|text| text == order.as_str())
}

/// Orders under our own external ids.
async fn ours(
    sender: &Sender<'_>,
    company: OdooId,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<BTreeMap<OrderId, OdooId>, SurveyError> {
    let module = format!("{}.", external::module(sender.account));
    let mut ours = BTreeMap::new();
    let (mut last, mut seen) = (0, 0_u64);
    loop {
        let domain = json!([["id", ">", last], ["company_id", "=", company]]);
        let find = Find { limit: Some(PAGE), order: Some("id"), archived_too: true };
        let context = sender.context.clone();
        let page = sender
            .client
            .search_read("sale.order", domain, &["id"], &find, context.clone())
            .await?;
        let ids: Vec<OdooId> = page.iter().map(|record| value::id(record, "id")).collect();
        let Some(newest) = ids.iter().max() else { return Ok(ours) };
        last = *newest;
        let names = sender.client.get_external_id("sale.order", &ids, context).await?;
        for (id, name) in names {
            if let Some(order) = name.strip_prefix(&module).and_then(external::order_of) {
                ours.insert(order, id);
            }
        }
        seen = seen.saturating_add(u64::try_from(ids.len()).unwrap_or(u64::MAX));
        progress(seen);
    }
}

/// Customers that are our anonymous partners.
async fn anonymous(
    client: &Client,
    sender: &Sender<'_>,
    found: &BTreeMap<OdooId, Current>,
) -> Result<Vec<OdooId>, SurveyError> {
    let mut ids: Vec<OdooId> = found.values().map(|current| current.partner_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let head = format!("{}.partner_anonymous_", external::module(sender.account));
    let mut anonymous = Vec::new();
    for chunk in ids.chunks(READ) {
        let names = client.get_external_id("res.partner", chunk, sender.context.clone()).await?;
        anonymous.extend(names.into_iter().filter(|(_, n)| n.starts_with(&head)).map(|(id, _)| id));
    }
    Ok(anonymous)
}

fn mapped(current: &Current, anonymous: &[OdooId]) -> Mapping {
    let mut mapping =
        Mapping { odoo_id: current.odoo_id, stage: None, base_lost: true, ..new_mapping() };
    read::take_base(&mut mapping, current);
    // Which notes it was given is not known any more: it gets no others.
    mapping.notes = NoteKind::ALL.to_vec();
    // What is held there by somebody else is not replaced.
    mapping.base.addressed = !anonymous.contains(&current.partner_id);
    mapping
}
