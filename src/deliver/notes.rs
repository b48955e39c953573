//! Note lines of orders: what the buyer wants to read there, and what Amazon has done already.
//!
//! Created with the order, or later while its lines are open; once each, under an external id of
//! their own. They have no product and no price: totals and the lines that are read back know
//! nothing of them.

use serde_json::Value;

use super::batch::{Batch, Work};
use super::refusals::Step;
use super::send::{Loaded, Stop};
use super::value;
use crate::model::NoteKind;
use crate::plan::{Current, NoteLine};

/// The field that makes a line a note.
pub(super) const DISPLAY_TYPE: &str = "display_type";

impl Batch<'_> {
    /// The cells of a note, in the order of the line fields and [`DISPLAY_TYPE`].
    pub(super) fn note_cells(&self, note: &NoteLine) -> Vec<Value> {
        let schema = &self.catalog.schema;
        let zero = || Value::from("0");
        let blank = || Value::from("");
        let mut cells =
            vec![self.sender.external(&note.external), blank(), Value::from(note.text.as_str())];
        cells.extend([zero(), zero()]);
        if schema.discount {
            cells.push(zero());
        }
        if !schema.computes {
            cells.push(blank());
        }
        cells.extend([blank(), Value::from("line_note")]);
        cells
    }

    /// Notes that are known only now. One that Odoo refuses keeps no order back: it is tried again
    /// when the order is next looked at.
    pub(super) async fn write_notes(&self, works: &mut [Work]) -> Result<(), Stop> {
        let mut owners: Vec<(usize, NoteKind)> = Vec::new();
        let mut records = Vec::new();
        for (at, work) in works.iter().enumerate().filter(|(_, work)| work.is_open()) {
            for note in missing(work) {
                let mut row = vec![value::id_cell(work.odoo_id())];
                row.extend(self.note_cells(note));
                owners.push((at, note.kind));
                records.push(vec![row]);
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        let mut fields = vec!["order_id/.id".to_owned()];
        fields.extend(self.line_fields());
        fields.push(DISPLAY_TYPE.to_owned());
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let loaded = self.sender.load("sale.order.line", &fields, records).await?;
        for ((at, kind), loaded) in owners.into_iter().zip(loaded) {
            let Some(work) = works.get_mut(at) else { continue };
            if let (Some(mapping), Loaded::Id(_)) = (&mut work.dossier.mapping, loaded) {
                mapping.notes.push(kind);
                work.taken.insert(Step::After);
            }
        }
        Ok(())
    }
}

/// The notes that an order in Odoo has not been given yet, as long as it takes lines.
fn missing(work: &Work) -> impl Iterator<Item = &NoteLine> {
    let mapping = work.dossier.mapping.as_ref().filter(|mapping| !mapping.base_lost);
    let open = work.current.as_ref().is_some_and(Current::open);
    work.desired
        .iter()
        .filter(move |desired| open && !desired.cancel)
        .flat_map(|desired| &desired.buying.notes)
        .filter(move |note| mapping.is_some_and(|mapping| !mapping.notes.contains(&note.kind)))
}
