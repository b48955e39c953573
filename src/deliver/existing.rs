//! Orders that stood in Odoo before us, made by hand or by another connector, or by us before a
//! crash.

use std::collections::BTreeMap;

use serde_json::json;

use super::batch::{Batch, READ_CHUNK, Work, new_mapping};
use super::send::Stop;
use super::value;
use crate::model::{Hold, HoldCode, OdooId, Origin, Outcome};
use crate::odoo::{Context, Find, Record};
use crate::plan::{Existing, external, summary};
use crate::store::End;

impl Batch<'_> {
    /// Looks for orders that stood in Odoo before us, made by hand or by another connector.
    pub(super) async fn find_existing(&self, works: &mut [Work]) -> Result<(), Stop> {
        let mut unseen: Vec<&mut Work> =
            works.iter_mut().filter(|work| work.is_open() && work.odoo_id().is_none()).collect();
        for chunk in unseen.chunks_mut(READ_CHUNK) {
            let ids: Vec<&str> = chunk.iter().map(|work| work.dossier.order_id.as_str()).collect();
            // In all companies: another account of ours may have it there.
            let domain = json!([
                "|",
                "|",
                ["client_order_ref", "in", ids],
                ["origin", "in", ids],
                ["name", "in", ids]
            ]);
            let fields = ["name", "state", "client_order_ref", "origin", "company_id"];
            let client = self.sender.client;
            let context = Context::new(&self.catalog.companies);
            let hits = client
                .search_read("sale.order", domain, &fields, &Find::default(), context.clone())
                .await?;
            if hits.is_empty() {
                for work in chunk.iter_mut() {
                    never_created(work);
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

    fn meet_existing(&self, work: &mut Work, hits: &[Record], external: &BTreeMap<OdooId, String>) {
        let order_id = work.dossier.order_id.as_str();
        let own = external::full(self.sender.account, &external::order(&work.dossier.order_id));
        let named = |hit: &&Record| {
            ["client_order_ref", "origin", "name"].iter().any(|f| value::text(hit, f) == order_id)
        };
        let mut foreign = None;
        for hit in hits.iter().filter(named) {
            let id = value::id(hit, "id");
            match external.get(&id).map(String::as_str) {
                Some(name) if name == own => {
                    // Ours: a crash came between creating it and remembering it, or what we knew of
                    // it is lost (then so is what we last wrote), or another host made it.
                    let begun = work.dossier.mapping.is_some();
                    if !begun {
                        let mapping = work.dossier.mapping.get_or_insert_with(new_mapping);
                        mapping.odoo_id = id;
                        mapping.name = value::text(hit, "name");
                        mapping.stage = None;
                        mapping.base_lost = true;
                    } else if work.desired.as_ref().is_some_and(|desired| desired.cancel) {
                        let mapping = work.dossier.mapping.get_or_insert_with(new_mapping);
                        mapping.odoo_id = id;
                        mapping.stage = None;
                    }
                    return;
                }
                Some(name) if name.starts_with("spoold_") => {
                    return work.hold(Hold::new(
                        HoldCode::Account,
                        name.split('.').next().unwrap_or_default(),
                        "another account of this Odoo has an order with this id: one of the two \
                         accounts reads the other's reports",
                    ));
                }
                // Another company's own orders are its affair.
                Some(_) | None if value::id(hit, "company_id") != self.catalog.company => {}
                Some(_) | None => foreign = Some((id, hit)),
            }
        }
        match (foreign, self.settings.policy.existing) {
            (None, _) => never_created(work),
            (Some((id, hit)), Existing::Adopt) => {
                let mut mapping = new_mapping();
                mapping.odoo_id = id;
                mapping.name = value::text(hit, "name");
                mapping.state = value::text(hit, "state");
                mapping.origin = Origin::Adopted;
                mapping.stage = None;
                mapping.seen = summary(&work.dossier);
                work.dossier.mapping = Some(mapping);
                work.end = Some(End::Done(Outcome::Adopted));
            }
            (Some((id, hit)), Existing::Hold) => work.hold(Hold::new(
                HoldCode::Existing,
                value::text(hit, "name"),
                format!("an order with this Amazon id is in Odoo already (id {id}), made by somebody else"),
            )),
        }
    }
}

/// Nothing of the order is in Odoo: a cancelled one need not come there.
fn never_created(work: &mut Work) {
    if work.desired.as_ref().is_some_and(|desired| desired.cancel) {
        work.dossier.mapping = None;
        work.end = Some(End::Done(Outcome::CancelledUnseen));
    }
}
