//! Changing an order's state: cancel, confirm, and what follows a confirmation.
//!
//! The state is read before and after; the answer of the call decides nothing. That a stage begins
//! is stored first, so that a crash in the middle is known for what it was.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::batch::{Batch, Work, at, note_answer};
use super::refusals::Step;
use super::send::{Loaded, Stop};
use super::{read, value};
use crate::model::{Hold, HoldCode, Mapping, OdooId, Stage, is_confirmed};
use crate::odoo::Find;
use crate::plan::diff::{STATE, parse_odoo_datetime};
use crate::plan::{Changes, Current, PartnerMode, diff};
use crate::telemetry::events;

/// How soon an order is looked at again for which a call may still be running.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(2);

impl Batch<'_> {
    pub(super) async fn cancel(&self, works: &mut [Work]) -> Result<(), Stop> {
        let chosen = |work: &Work| work.is_open() && work.changes.cancel;
        let asked: Vec<bool> = works.iter().map(chosen).collect();
        self.change_state(works, |changes| changes.cancel, Turn::Cancel).await?;
        self.look_after_cancelling(works, &asked).await
    }

    /// Between our look and the call somebody may have delivered, invoiced or locked what we have
    /// cancelled: on some Odoos nothing else than this look tells.
    async fn look_after_cancelling(&self, works: &mut [Work], asked: &[bool]) -> Result<(), Stop> {
        let cancelled = |work: &Work| work.is_open();
        let ids: Vec<OdooId> = works
            .iter()
            .zip(asked)
            .filter(|(work, asked)| **asked && cancelled(work))
            .filter_map(|(work, _)| work.odoo_id())
            .collect();
        let mut found = read::orders(&self.sender, self.catalog, &ids).await?;
        for work in works.iter_mut().filter(|work| cancelled(work)) {
            let Some(now) = work.odoo_id().and_then(|id| found.remove(&id)) else { continue };
            if let (Some(desired), Some(mapping)) = (&work.desired, &work.dossier.mapping) {
                work.changes.conflicts.extend(diff(desired, mapping, &now, None).conflicts);
                if now.locked && work.changes.conflicts.is_empty() {
                    work.changes.conflicts.push(Hold::new(
                        HoldCode::Conflict,
                        STATE,
                        "Amazon cancelled the order and it is cancelled in Odoo, but somebody \
                         locked it meanwhile: see to it by hand, then `odoo-spoold hold release`",
                    ));
                }
            }
            work.current = Some(now);
        }
        Ok(())
    }

    pub(super) async fn confirm(&self, works: &mut [Work]) -> Result<(), Stop> {
        // Odoo has just answered a read, so its clock is known, unless something on the way takes
        // the header away. Of two clocks the one that is behind misses no confirmation.
        let ours = self.sender.writing.hands.clock.now();
        let since = self.sender.client.server_time().map_or(ours, |theirs| theirs.min(ours));
        for work in works.iter_mut() {
            // A total that differs, or a conflict, keeps it a quotation.
            work.changes.confirm &= work.is_open() && work.waits.is_empty();
            if let (true, Some(current), Some(desired)) =
                (work.changes.confirm, &work.current, &work.desired)
                && current.warehouse_id == 0
            {
                // Odoo 17 and later make none for a branch.
                work.hold(Hold::new(
                    HoldCode::Warehouse,
                    desired.marketplace.name(),
                    "Odoo gives this company's orders no warehouse: make one in Odoo, name it as \
                     the marketplace's `warehouse` and reload",
                ));
                work.changes.confirm = false;
            }
            work.asked = work.changes.confirm;
        }
        self.change_state(works, |changes| changes.confirm, Turn::Confirm(since)).await?;
        self.after_confirm(works).await
    }

    /// Calls a state-changing method on the orders chosen. Each call is stored as sent before it is,
    /// so that after a crash the next one waits until Odoo is through with it: Odoo 14 to 16 confirm a
    /// confirmed order once more, and that moves its date.
    async fn change_state(
        &self,
        works: &mut [Work],
        chosen: fn(&Changes) -> bool,
        turn: Turn,
    ) -> Result<(), Stop> {
        let (method, state) = turn.call();
        let is_chosen = |work: &Work| work.is_open() && chosen(&work.changes);
        let begun: Vec<usize> = works
            .iter()
            .enumerate()
            .filter(|(_, work)| is_chosen(work) && work.odoo_id().is_some())
            .map(|(at, _)| at)
            .collect();
        if begun.is_empty() {
            return Ok(());
        }
        // Whatever has to happen before a write happens now: nothing is to come between storing that
        // a call is sent and sending it.
        self.sender.writing.begin().await?;
        let context = self.sender.context.clone().with("disable_cancel_warning", true);
        let mut groups: Vec<Vec<usize>> =
            begun.chunks(self.confirm_batch.max(1)).map(<[_]>::to_vec).collect();
        let mut refusals: BTreeMap<OdooId, (&'static str, String)> = BTreeMap::new();
        while let Some(group) = groups.pop() {
            let ids = self.begin_turn(works, &group, turn).await?;
            if ids.is_empty() {
                continue;
            }
            let answer = self.sender.execute("sale.order", method, &ids, context.clone()).await;
            let is_lost = matches!(&answer, Err(Stop::Retry { ambiguous: true, .. }));
            if !is_lost {
                set_unanswered(works, &group, None);
            }
            match answer {
                Ok(_) => {}
                Err(Stop::Refused { code, words }) => match (group.as_slice(), ids.as_slice()) {
                    (_, [only]) => {
                        refusals.insert(*only, (code, words.expose().to_owned()));
                    }
                    (several, _) => {
                        let (left, right) = several.split_at(several.len() / 2);
                        groups.extend([left.to_vec(), right.to_vec()]);
                    }
                },
                Err(stop) => return Err(stop),
            }
        }
        let ids: Vec<OdooId> =
            works.iter().filter(|work| is_chosen(work)).filter_map(Work::odoo_id).collect();
        // The state decides, not the answer: a refusal may come of somebody else being faster.
        let states = read::states(&self.sender, &ids).await?;
        for work in works.iter_mut().filter(|work| work.is_open() && chosen(&work.changes)) {
            let Some(id) = work.odoo_id() else { continue };
            let now = states.get(&id).map(|(now, _)| now.as_str()).unwrap_or_default();
            if now == state || (state == "sale" && now == "done") {
                if let Some(mapping) = &mut work.dossier.mapping {
                    state.clone_into(&mut mapping.state);
                    state.clone_into(&mut mapping.base.state);
                    if matches!(turn, Turn::Cancel) {
                        mapping.stage = None;
                    }
                }
                if let (Some(current), Some((_, date))) = (&mut work.current, states.get(&id)) {
                    now.clone_into(&mut current.state);
                    current.date_order.clone_from(date);
                }
                continue;
            }
            work.set_stage(None);
            match refusals.remove(&id) {
                Some((code, words)) => {
                    let cancel = matches!(turn, Turn::Cancel);
                    let step = if cancel { Step::Cancel } else { Step::Confirm };
                    work.refuse(step, code, &words);
                }
                None => work.hold(Hold::new(
                    HoldCode::Wizard,
                    method,
                    "Odoo asks a question before it does this: open the order in Odoo and answer it",
                )),
            }
        }
        Ok(())
    }

    /// Stores that a call for these orders is sent now; the ids of those that are still ours.
    async fn begin_turn(
        &self,
        works: &mut [Work],
        group: &[usize],
        turn: Turn,
    ) -> Result<Vec<OdooId>, Stop> {
        for at in group {
            let Some(work) = works.get_mut(*at) else { continue };
            // A stage of the same turn that a crash left behind began earlier, and that is what
            // counts.
            if !work.stage().is_some_and(|stage| turn.has_begun(stage)) {
                let stage = turn.stage(work.current.as_ref());
                work.set_stage(Some(stage));
            }
        }
        set_unanswered(works, group, Some(self.sender.writing.hands.clock.now()));
        let sent = |at: &usize, work: &Work| group.contains(at) && work.is_open();
        let begun: Vec<&mut Work> = works
            .iter_mut()
            .enumerate()
            .filter(|(at, work)| sent(at, work))
            .map(|(_, work)| work)
            .collect();
        self.shelf.save(begun).await?;
        let left = works.iter().enumerate().filter(|(at, work)| sent(at, work));
        Ok(left.filter_map(|(_, work)| work.odoo_id()).collect())
    }

    /// When to look again at an order for which an earlier call may still be running in Odoo, as
    /// after a crash; none where it is over.
    pub(super) fn still_running(&self, work: &mut Work) -> Option<Timestamp> {
        let stage = work.stage()?;
        let sent = stage.unanswered()?;
        if stage.is_reached(&work.current.as_ref()?.state) {
            return None;
        }
        let now = self.sender.writing.hands.clock.now();
        if sent > now {
            // The clock was set back: it is counted from now.
            work.set_stage(Some(stage.with_unanswered(Some(now))));
        }
        let limit = SignedDuration::try_from(self.limit_time_real).unwrap_or(SignedDuration::MAX);
        let end = sent.min(now).saturating_add(limit).unwrap_or(Timestamp::MAX);
        let soon = now.saturating_add(LOOK_AGAIN).unwrap_or(Timestamp::MAX);
        (now < end).then(|| end.min(soon))
    }

    /// What follows a confirmation, also one that a crash interrupted, and delivery notes also where
    /// a person confirmed.
    async fn after_confirm(&self, works: &mut [Work]) -> Result<(), Stop> {
        let is_confirmed = |work: &Work| {
            let current = work.current.as_ref();
            work.is_open() && current.is_some_and(|now| is_confirmed(&now.state))
        };
        let to_note: Vec<usize> = works
            .iter()
            .enumerate()
            .filter(|(_, work)| is_confirmed(work))
            .filter(|(_, work)| work.dossier.mapping.as_ref().is_some_and(|m| m.unsaid))
            .map(|(at, _)| at)
            .collect();
        self.notes(works, &to_note).await.map_err(at(Step::After))?;
        for at in to_note {
            if let Some(mapping) = works.get_mut(at).and_then(|work| work.dossier.mapping.as_mut())
            {
                mapping.unsaid = false;
            }
        }
        let confirming =
            |work: &Work| is_confirmed(work) && work.stage().is_some_and(Stage::is_confirming);
        let confirmed: Vec<usize> = works
            .iter()
            .enumerate()
            .filter(|(_, work)| confirming(work))
            .map(|(at, _)| at)
            .collect();
        if confirmed.is_empty() {
            return Ok(());
        }
        let mut owners = Vec::new();
        let mut records = Vec::new();
        for at in &confirmed {
            let Some(work) = works.get(*at) else { continue };
            let (Some(desired), Some(mapping), Some(current)) =
                (&work.desired, &work.dossier.mapping, &work.current)
            else {
                continue;
            };
            let date = if work.asked {
                self.notice_clock(mapping.stage, current);
                // We saw the date before and after our own call: whatever the clocks say.
                diff(desired, &certain(mapping), current, None).date_order
            } else {
                diff(desired, mapping, current, None).date_order
            };
            if let (Some(date), Some(id)) = (date, work.odoo_id()) {
                owners.push(*at);
                records.push(vec![vec![Value::from(id), Value::from(date)]]);
            }
        }
        if !records.is_empty() {
            let loaded = self.sender.update("sale.order", &[".id", "date_order"], records).await?;
            for (at, loaded) in owners.into_iter().zip(loaded) {
                note_answer(works.get_mut(at), Step::Confirm, loaded);
            }
        }
        self.unsubscribe(works, &confirmed).await.map_err(at(Step::After))?;
        let ids: Vec<OdooId> =
            confirmed.iter().filter_map(|at| works.get(*at)).filter_map(Work::odoo_id).collect();
        let states = read::states(&self.sender, &ids).await?;
        for at in confirmed {
            let Some(work) = works.get_mut(at).filter(|work| work.is_open()) else { continue };
            let state = work.odoo_id().and_then(|id| states.get(&id));
            if let (Some(mapping), Some((state, date))) = (&mut work.dossier.mapping, state) {
                mapping.stage = None;
                mapping.state.clone_from(state);
                mapping.base.date_order.clone_from(date);
                work.confirmed = true;
            }
        }
        Ok(())
    }

    /// A confirmation that is older than the call for it: somebody's clock is ahead of Odoo's.
    fn notice_clock(&self, stage: Option<Stage>, current: &Current) {
        let (Some(Stage::Confirming { since, before, .. }), Some(date)) =
            (stage, parse_odoo_datetime(&current.date_order))
        else {
            return;
        };
        let moved = before.map(Timestamp::as_second) != Some(date.as_second());
        let ahead = since.as_second().saturating_sub(date.as_second());
        if moved && ahead > 0 {
            events::clock_ahead_of_odoo(self.sender.account, ahead);
        }
    }

    /// Delivery instructions, gift messages and customisation links go on the delivery order, if
    /// nobody wrote there.
    async fn notes(&self, works: &mut [Work], confirmed: &[usize]) -> Result<(), Stop> {
        let schema = &self.catalog.schema;
        let mut notes: BTreeMap<OdooId, String> = BTreeMap::new();
        for work in confirmed.iter().filter_map(|at| works.get(*at)) {
            let lines = work.buyer.as_ref().map(|buyer| buyer.notes.as_slice()).unwrap_or_default();
            if let (Some(id), false) = (work.odoo_id(), lines.is_empty()) {
                notes.insert(id, note(lines, schema.note_is_html));
            }
        }
        if notes.is_empty()
            || !schema.pickings
            || self.settings.policy.partner == PartnerMode::Anonymous
        {
            return Ok(());
        }
        let ids: Vec<OdooId> = notes.keys().copied().collect();
        let pickings = self
            .sender
            .client
            .search_read(
                "stock.picking",
                json!([["sale_id", "in", ids], ["state", "!=", "cancel"]]),
                &["sale_id", "note"],
                &Find::default(),
                self.sender.context.clone(),
            )
            .await?;
        let (owners, records): (Vec<OdooId>, Vec<Vec<Vec<Value>>>) = pickings
            .iter()
            .filter(|picking| value::text(picking, "note").is_empty())
            .filter_map(|picking| {
                let order = value::id(picking, "sale_id");
                let note = Value::from(notes.get(&order)?.as_str());
                Some((order, vec![vec![Value::from(value::id(picking, "id")), note]]))
            })
            .unzip();
        if !records.is_empty() {
            let loaded = self.sender.update("stock.picking", &[".id", "note"], records).await?;
            for (order, loaded) in owners.into_iter().zip(loaded) {
                let work = works.iter_mut().find(|work| work.odoo_id() == Some(order));
                if let (Some(work), Loaded::Id(_)) = (work, loaded) {
                    work.taken.insert(Step::After);
                }
            }
        }
        Ok(())
    }
}

impl Work {
    /// The call that cancelled it is over, although its answer was lost. What follows a confirmation
    /// is not over with the call for it: that stage stays.
    pub(super) fn end_cancelling(&mut self) {
        let state = self.current.as_ref().map(|current| current.state.as_str());
        let over = |stage: Stage| {
            matches!(stage, Stage::Cancelling { .. }) && state.is_some_and(|s| stage.is_reached(s))
        };
        if self.stage().is_some_and(over) {
            self.set_stage(None);
        }
    }
}

/// A change of an order's state.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Cancel,
    /// Begun at this time.
    Confirm(Timestamp),
}

impl Turn {
    /// The method, and the state that it leads to.
    fn call(self) -> (&'static str, &'static str) {
        match self {
            Self::Cancel => ("action_cancel", "cancel"),
            Self::Confirm(_) => ("action_confirm", "sale"),
        }
    }

    /// Whether an order in this stage was in this turn before.
    fn has_begun(self, stage: Stage) -> bool {
        match self {
            Self::Cancel => matches!(stage, Stage::Cancelling { .. }),
            Self::Confirm(_) => stage.is_confirming(),
        }
    }

    fn stage(self, current: Option<&Current>) -> Stage {
        match self {
            Self::Cancel => Stage::Cancelling { unanswered: None },
            Self::Confirm(since) => {
                let before = current.and_then(|now| parse_odoo_datetime(&now.date_order));
                Stage::Confirming { since, before, unanswered: None }
            }
        }
    }
}

/// The mapping as it would be if the confirmation began at the beginning of time.
fn certain(mapping: &Mapping) -> Mapping {
    let stage = mapping.stage.map(|stage| match stage {
        Stage::Confirming { before, unanswered, .. } => {
            Stage::Confirming { since: Timestamp::MIN, before, unanswered }
        }
        other => other,
    });
    Mapping { stage, ..mapping.clone() }
}

/// Remembers of these orders' stages when a call was sent that is not answered yet.
fn set_unanswered(works: &mut [Work], group: &[usize], sent: Option<Timestamp>) {
    for at in group {
        let Some(work) = works.get_mut(*at) else { continue };
        let stage = work.stage().map(|stage| stage.with_unanswered(sent));
        work.set_stage(stage);
    }
}

fn note(lines: &[String], html: bool) -> String {
    if !html {
        return lines.join("\n");
    }
    let escape = |text: &String| {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
    };
    lines.iter().map(|line| format!("<p>{}</p>", escape(line))).collect()
}
