//! What the order comes to in Odoo, against what the buyer paid: made good by one visible line where
//! only rounding differs, and a question to a person where more does.
//!
//! Compared at every look, not only in the run that wrote: a retry, a crash, a missing product or a
//! requeued order must not lead past it. Only a person's release of exactly these two totals does
//! ([`Dossier::passes`](crate::model::Dossier::passes)).

use rust_decimal::Decimal;
use serde_json::Value;

use super::batch::{Batch, Work, note_answer};
use super::refusals::Step;
use super::send::Stop;
use super::{read, value};
use crate::model::{Hold, HoldCode, OdooId, Sku};
use crate::plan::cause::of_difference;
use crate::plan::{Current, Desired, DesiredLine, Fee, Found, Lookup, external};

/// How many minor units a line Odoo's rounding may differ from Amazon's before a person must look.
const ROUNDING_UNITS_PER_LINE: u32 = 2;

/// What the comparison of one order comes to.
enum Compared {
    /// Equal, released by a person, or not ours to ask about.
    Fits,
    /// A person decides.
    Differs(Hold),
    /// The rounding line is to have this amount; its id, where it stands.
    Rounding(Decimal, Option<OdooId>),
}

impl Batch<'_> {
    /// Compares totals, and rounds where that is all that differs.
    pub(super) async fn round(&self, works: &mut [Work]) -> Result<(), Stop> {
        let rounding = self.settings.policy.products.get(&Fee::Rounding).cloned();
        let product = rounding.as_ref().map(|sku| self.catalog.product(sku));
        let (mut owners, mut records) = (Vec::new(), Vec::new());
        let (mut renewers, mut renewed) = (Vec::new(), Vec::new());
        for (at, work) in works.iter_mut().enumerate().filter(|(_, work)| work.is_open()) {
            let (amount, line) = match compared(work) {
                Compared::Fits => continue,
                Compared::Differs(hold) => {
                    work.waits.push(hold);
                    continue;
                }
                Compared::Rounding(amount, line) => (amount, line),
            };
            if let Some(line) = line {
                renewers.push(at);
                renewed.push(vec![vec![Value::from(line), value::decimal_cell(amount)]]);
                continue;
            }
            let Some(Found::One(product)) = product else {
                let key = rounding.as_ref().map(Sku::as_str).unwrap_or_default();
                let text = "no product for the rounding line: run `odoo-spoold check --fix`";
                work.waits.push(Hold::new(HoldCode::Sku, key, text));
                continue;
            };
            let Some(desired) = &work.desired else { continue };
            let line = DesiredLine {
                external: external::rounding(&desired.order_id),
                product,
                name: "Rounding".to_owned(),
                quantity: Decimal::ONE,
                price_unit: amount,
                taxes: Vec::new(),
            };
            owners.push(at);
            records.push(vec![self.line_row(work.odoo_id(), &line)]);
        }
        let loaded = self.load_lines(records).await?;
        for (at, loaded) in owners.iter().zip(loaded) {
            note_answer(works.get_mut(*at), Step::Rounding, loaded);
        }
        if !renewed.is_empty() {
            let fields = [".id", "price_unit"];
            let loaded = self.sender.update("sale.order.line", &fields, renewed).await?;
            for (at, loaded) in renewers.iter().zip(loaded) {
                note_answer(works.get_mut(*at), Step::Rounding, loaded);
            }
            owners.extend(renewers);
        }
        self.look_after_rounding(works, owners).await
    }

    /// A rounding line is to make the totals equal: where it did not, that is no rounding.
    async fn look_after_rounding(
        &self,
        works: &mut [Work],
        owners: Vec<usize>,
    ) -> Result<(), Stop> {
        let ids: Vec<OdooId> =
            owners.iter().filter_map(|at| works.get(*at)).filter_map(Work::odoo_id).collect();
        let mut found = read::orders(&self.sender, self.catalog, &ids).await?;
        for at in owners {
            let Some(work) = works.get_mut(at).filter(|work| work.is_open()) else { continue };
            let Some(current) = work.odoo_id().and_then(|id| found.remove(&id)) else { continue };
            if let (Some(mapping), Some(desired)) = (&mut work.dossier.mapping, &work.desired) {
                read::take_rounding(mapping, desired, &current);
                mapping.base.amount_total = current.amount_total;
                work.waits.extend(differs(desired, &current, "the rounding line did not help"));
            }
            work.current = Some(current);
        }
        Ok(())
    }
}

fn compared(work: &Work) -> Compared {
    let (Some(desired), Some(current), Some(mapping)) =
        (&work.desired, &work.current, &work.dossier.mapping)
    else {
        return Compared::Fits;
    };
    let asked = work.changes.conflicts.is_empty() && !work.changes.kept;
    if desired.cancel || current.state == "cancel" || !asked {
        return Compared::Fits;
    }
    let Some(off) = desired.total.ok().map(|total| total - current.amount_total) else {
        return Compared::Fits;
    };
    let hold = |why: &str| match differs(desired, current, why) {
        Some(hold) if !work.dossier.passes(&hold) => Compared::Differs(hold),
        _ => Compared::Fits,
    };
    if off.is_zero() {
        return Compared::Fits;
    }
    if !read::as_based(mapping, current) {
        // What people or Odoo's own automation changed or added makes another total. It is theirs
        // until the order is to be confirmed, or we write to it.
        return if work.changes.confirm || work.touched {
            hold("lines were added or changed in Odoo")
        } else {
            Compared::Fits
        };
    }
    let name = external::rounding(&desired.order_id);
    let known = current.lines.iter().find(|line| line.external.as_ref() == Some(&name));
    let amount = off + known.map_or(Decimal::ZERO, |line| line.price_unit);
    let lines = u32::try_from(desired.lines.len()).unwrap_or(u32::MAX);
    let limit = desired.currency.minor_units(lines.saturating_mul(ROUNDING_UNITS_PER_LINE));
    if amount.abs() > limit {
        return hold(&of_difference(desired, current));
    }
    let passed = differs(desired, current, "").is_some_and(|hold| work.dossier.passes(&hold));
    if passed {
        Compared::Fits
    } else if current.open() {
        Compared::Rounding(amount, known.map(|line| line.odoo_id))
    } else {
        hold("the order is locked or invoiced, so that no rounding line can be added")
    }
}

/// The hold of two totals that differ.
fn differs(desired: &Desired, current: &Current, why: &str) -> Option<Hold> {
    let (ours, theirs) = (current.amount_total, desired.total.ok()?);
    if ours == theirs {
        return None;
    }
    let currency = desired.currency;
    let places = usize::try_from(currency.places()).unwrap_or(2);
    let [ours, theirs] = [ours, theirs].map(|total| format!("{total:.places$} {currency}"));
    let text = format!("Odoo's total is {ours} and Amazon's {theirs}: {why}");
    Some(Hold::new(HoldCode::Total, currency.code(), text).between(ours, theirs))
}
