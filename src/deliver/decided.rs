//! What follows a comparison besides writing: what a person declined is remembered, what a person
//! should look at is noted, and an order that a person wants revived becomes a quotation again.

use std::collections::BTreeMap;

use super::batch::{Batch, Work};
use super::read;
use super::refusals::Step;
use super::send::Stop;
use crate::model::{Attention, AttentionCode, Hold, HoldCode, OdooId, Origin, Subject};
use crate::plan::diff::REOPENED;
use crate::plan::summary;

impl Work {
    /// Takes over what the comparison found out.
    pub(super) fn take_notice(&mut self) {
        if let Some(mapping) = &mut self.dossier.mapping {
            for declined in &self.changes.declined {
                declined.add_to(&mut mapping.declined);
            }
            mapping.base.addressed |= self.changes.addressed;
        }
        for (code, key, text) in std::mem::take(&mut self.changes.attention) {
            self.note(code, key, text);
        }
        let confirmed =
            self.current.as_ref().is_some_and(|now| !now.is_quotation() && now.state != "cancel");
        let Some(desired) = self.desired.as_mut().filter(|_| confirmed) else { return };
        // The goods are on their way: holding the order would stop nothing.
        let before = desired.holds.len();
        desired.holds.retain(|hold| hold.code != HoldCode::CancellationRequested);
        if desired.holds.len() != before {
            let text = "the buyer asked for cancellation, and the order is confirmed in Odoo";
            self.note(AttentionCode::CancellationRequested, String::new(), text.to_owned());
        }
    }

    /// An adopted order is never written: what changes at the marketplace is for a person.
    pub(super) fn look_at_adopted(&mut self) {
        let seen = summary(&self.dossier);
        let Some(mapping) = &mut self.dossier.mapping else { return };
        if mapping.origin != Origin::Adopted || mapping.seen == seen {
            return;
        }
        let before = std::mem::replace(&mut mapping.seen, seen.clone());
        let text = format!(
            "the order stood in Odoo before and is never written; Amazon says now: {seen}; before: \
             {before}"
        );
        self.note(AttentionCode::AdoptedChanged, seen, text);
    }

    fn note(&mut self, code: AttentionCode, key: String, text: String) {
        let subject = Subject::Record(self.dossier.order_id.clone());
        let entry = Attention::new(subject, code, key, text, self.leased.job.since);
        Attention::add(&mut self.dossier.attention, entry);
    }
}

impl Batch<'_> {
    /// Makes quotations of cancelled orders that a person wants back, and compares them again.
    pub(super) async fn reopen(
        &self,
        works: &mut [Work],
        partners: &BTreeMap<String, OdooId>,
    ) -> Result<(), Stop> {
        for work in works.iter_mut().filter(|work| work.is_open() && work.changes.reopen) {
            let Some(id) = work.odoo_id() else { continue };
            let context = self.sender.context.clone();
            match self.sender.execute("sale.order", "action_draft", &[id], context).await {
                Ok(_) => {
                    work.taken.insert(Step::Reopen);
                }
                Err(Stop::Refused { .. }) => {}
                Err(stop) => return Err(stop),
            }
            // The state decides, not the answer.
            let now = read::orders(&self.sender, self.catalog, &[id]).await?.remove(&id);
            let Some(now) = now.filter(|now| now.state != "cancel") else {
                let text = "Odoo does not make a quotation of this cancelled order: see to it in \
                            Odoo by hand, then `odoo-spoold hold release`";
                work.hold(Hold::new(HoldCode::Conflict, REOPENED, text));
                continue;
            };
            if let Some(mapping) = &mut work.dossier.mapping {
                mapping.state.clone_from(&now.state);
                mapping.base.state.clone_from(&now.state);
            }
            work.current = Some(now);
            self.compare(std::slice::from_mut(work), partners);
        }
        Ok(())
    }
}
