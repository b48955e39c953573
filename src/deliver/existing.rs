//! Orders that stood in Odoo before us, made by hand or by another connector, or by us before a
//! crash.
//!
//! One that *is* the Amazon id (reference, origin or name) is adopted or held, as the account says.
//! One that only contains it, or several of any kind, are held: choosing would be guessing. A cancelled
//! one does not count as there.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::batch::{Batch, READ_CHUNK, Work, new_mapping};
use super::foreign::contains;
use super::send::Stop;
use super::value;
use crate::model::{Hold, HoldCode, OdooId, Origin, Outcome, Stage};
use crate::odoo::{Context, Find, Record};
use crate::plan::{Existing, external, summary};
use crate::store::End;

/// What is read of such an order.
const FIELDS: [&str; 5] = ["name", "state", "client_order_ref", "origin", "company_id"];
/// Records that a hold names at most.
const NAMED: usize = 5;

impl Batch<'_> {
    /// Looks for orders that stood in Odoo before us, made by hand or by another connector.
    pub(super) async fn find_existing(&self, works: &mut [Work]) -> Result<(), Stop> {
        let mut unseen: Vec<&mut Work> =
            works.iter_mut().filter(|work| work.is_open() && work.odoo_id().is_none()).collect();
        for chunk in unseen.chunks_mut(READ_CHUNK) {
            let ids: Vec<&str> = chunk.iter().map(|work| work.dossier.order_id.as_str()).collect();
            // In all companies: another account of ours may have it there.
            let context = Context::new(&self.catalog.companies);
            let domain = json!([
                "|",
                "|",
                ["client_order_ref", "in", ids],
                ["origin", "in", ids],
                ["name", "in", ids]
            ]);
            let mut hits = self.read_existing(domain, &context).await?;
            let client = self.sender.client;
            let containing =
                self.shared.foreign.containing(client, &context, &ids, self.now).await?;
            let seen: BTreeSet<OdooId> = hits.iter().map(|hit| value::id(hit, "id")).collect();
            let others: Vec<OdooId> = containing.difference(&seen).copied().collect();
            if !others.is_empty() {
                // As they are now: the list is older.
                hits.extend(self.read_existing(json!([["id", "in", others]]), &context).await?);
            }
            if hits.is_empty() {
                for work in chunk.iter_mut() {
                    self.never_created(work);
                }
                continue;
            }
            let hit_ids: Vec<OdooId> = hits.iter().map(|hit| value::id(hit, "id")).collect();
            let external = client.get_external_id("sale.order", &hit_ids, context).await?;
            for work in chunk.iter_mut() {
                self.meet_existing(work, &hits, &external);
            }
        }
        Ok(())
    }

    async fn read_existing(
        &self,
        domain: serde_json::Value,
        context: &Context,
    ) -> Result<Vec<Record>, Stop> {
        let find = Find { archived_too: true, ..Find::default() };
        let client = self.sender.client;
        Ok(client.search_read("sale.order", domain, &FIELDS, &find, context.clone()).await?)
    }

    fn meet_existing(&self, work: &mut Work, hits: &[Record], external: &BTreeMap<OdooId, String>) {
        let order_id = work.dossier.order_id.as_str();
        let own = external::full(self.sender.account, &external::order(&work.dossier.order_id));
        let is_it = |hit: &Record| {
            ["client_order_ref", "origin", "name"].iter().any(|f| value::text(hit, f) == order_id)
        };
        let mut foreign: Vec<(&Record, bool)> = Vec::new();
        for hit in hits {
            let exact = is_it(hit);
            if !exact && !contains(hit, order_id) {
                continue;
            }
            let id = value::id(hit, "id");
            match external.get(&id).map(String::as_str) {
                Some(name) if name == own => return take_ours(work, hit),
                Some(name) if name.starts_with("spoold_") => {
                    return work.hold(Hold::new(
                        HoldCode::Account,
                        name.split('.').next().unwrap_or_default(),
                        "another account of this Odoo has an order with this id: one of the two \
                         accounts reads the other's reports",
                    ));
                }
                // Another company's own orders are its affair, and a cancelled one is not there.
                Some(_) | None if value::id(hit, "company_id") != self.catalog.company => {}
                Some(_) | None if value::text(hit, "state") == "cancel" => {}
                Some(_) | None => foreign.push((hit, exact)),
            }
        }
        let adopts = self.settings.policy.existing == Existing::Adopt;
        match foreign.as_slice() {
            [] => self.never_created(work),
            [(hit, true)] if adopts => adopt(work, hit),
            [(hit, true)] => work.hold(Hold::new(
                HoldCode::Existing,
                value::text(hit, "name"),
                format!(
                    "an order with this Amazon id is in Odoo already (id {}), made by somebody else",
                    value::id(hit, "id")
                ),
            )),
            [(hit, false)] => work.hold(Hold::new(
                HoldCode::Existing,
                value::text(hit, "name"),
                format!(
                    "an order in Odoo (id {}) has this Amazon id within its name, source document \
                     or customer reference, as another connector's orders have: write the id alone \
                     into its customer reference to have it adopted, or cancel it, then `odoo-spoold \
                     hold release`",
                    value::id(hit, "id")
                ),
            )),
            several => {
                let names: Vec<String> =
                    several.iter().take(NAMED).map(|(hit, _)| value::text(hit, "name")).collect();
                let text = format!(
                    "{} orders in Odoo have this Amazon id: cancel all but one, then `odoo-spoold \
                     hold release`",
                    several.len()
                );
                work.hold(Hold::new(HoldCode::Existing, names.join(", "), text));
            }
        }
    }

    /// Nothing of the order is in Odoo: a cancelled one need not come there. A call that was to
    /// create it may still be running in Odoo: that is waited for first.
    fn never_created(&self, work: &mut Work) {
        if work.desired.as_ref().is_none_or(|desired| !desired.cancel) {
            return;
        }
        let creating =
            work.dossier.mapping.as_ref().filter(|mapping| mapping.stage == Some(Stage::Creating));
        if let Some(begun) = creating.and_then(|mapping| mapping.created) {
            let limit = SignedDuration::try_from(self.limit_time_real).unwrap_or_default();
            let due = begun.saturating_add(limit).unwrap_or(Timestamp::MAX);
            if self.now < due {
                work.end = Some(End::Retry {
                    due,
                    attempt: work.leased.job.attempt,
                    fault: "odoo-create-unclear".to_owned(),
                });
                return;
            }
        }
        work.dossier.mapping = None;
        work.end = Some(End::Done(Outcome::CancelledUnseen));
    }
}

/// Ours: a crash came between creating it and remembering it, or what we knew of it is lost (then so
/// is what we last wrote), or another host made it.
fn take_ours(work: &mut Work, hit: &Record) {
    let id = value::id(hit, "id");
    if work.dossier.mapping.is_none() {
        let mapping = work.dossier.mapping.get_or_insert_with(new_mapping);
        mapping.odoo_id = id;
        mapping.name = value::text(hit, "name");
        mapping.stage = None;
        mapping.base_lost = true;
    } else if let Some(mapping) = &mut work.dossier.mapping {
        // Not sent again: its base is what was sent then.
        mapping.odoo_id = id;
    }
}

fn adopt(work: &mut Work, hit: &Record) {
    let mut mapping = new_mapping();
    mapping.odoo_id = value::id(hit, "id");
    mapping.name = value::text(hit, "name");
    mapping.state = value::text(hit, "state");
    mapping.origin = Origin::Adopted;
    mapping.stage = None;
    mapping.seen = summary(&work.dossier);
    work.dossier.mapping = Some(mapping);
    work.end = Some(End::Done(Outcome::Adopted));
}
