//! One batch: leased jobs become orders in Odoo, stage by stage.
//!
//! ```text
//! plan ─► existing? ─► partners ─► creating (barrier) ─► load orders ─► read back ─► diff
//!                                                                                     │
//!   settle ◄─ dates, notes ◄─ confirm ◄─ confirming (barrier) ◄─ rounding ◄─ writes ◄─┘
//! ```
//!
//! Every stage is one call for the whole batch (or a few), can be repeated, and looks first at what
//! Odoo shows: a crash anywhere redoes only what is not there yet. An order that ends early (held,
//! dead, nothing to do) drops out and never delays the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::SignedDuration;

use super::absent::{Absent, invisible};
use super::catalog::Catalog;
use super::lane::Shared;
use super::partners::Customer;
use super::read;
use super::refusals::Step;
use super::send::{Loaded, Sender, Stop};
use super::settings::AccountSettings;
use super::shelf::Shelf;
use super::write::has_writes;
use crate::model::{
    BuyerFact, Death, Dossier, Family, Hold, HoldCode, Mapping, OdooId, Origin, Outcome, Stage,
};
use crate::plan::diff::{Rebased, forget_overtaken, parse_odoo_datetime};
use crate::plan::expired::without_buyer;
use crate::plan::{
    Changes, Current, Desired, PartnerMode, Plan, agree, diff, external, plan, rule_on_marketplace,
};
use crate::store::{BuyerState, End, IdKey, Leased};

/// Orders in one call that reads or searches.
pub(super) const READ_CHUNK: usize = 500;

/// For so long after an order was created or confirmed another host may still be at it, in seconds.
const FRESH_SECS: i64 = 120;
/// When such an order is looked at again, in seconds.
const FRESH_RETRY_SECS: i64 = 2;

/// One order on its way.
#[expect(clippy::struct_excessive_bools, reason = "each says what one stage has done")]
pub(super) struct Work {
    pub(super) leased: Leased,
    pub(super) dossier: Dossier,
    pub(super) buyer: Option<BuyerFact>,
    pub(super) end: Option<End>,
    /// Somebody else has the order now: whatever we know of it is not to be stored.
    pub(super) lost: bool,
    pub(super) desired: Option<Box<Desired>>,
    pub(super) customer: Option<Customer>,
    pub(super) current: Option<Current>,
    pub(super) changes: Changes,
    /// Created, or lines written, in this run: the total is ours to check.
    pub(super) touched: bool,
    /// The decision journal knows where it stands in Odoo.
    pub(super) noted: bool,
    /// Seen in Odoo for the first time since it was created.
    pub(super) created: bool,
    /// Its confirmation came to its end in this run.
    pub(super) confirmed: bool,
    /// Its customer, or the customer's address, was created in this run.
    pub(super) customer_made: bool,
    /// Where Odoo refused it.
    pub(super) refused: Option<Step>,
    /// `action_confirm` was called for it in this run.
    pub(super) asked: bool,
    /// Where Odoo took what this run sent for it.
    pub(super) taken: BTreeSet<Step>,
    /// What keeps it a quotation although nothing is in conflict.
    pub(super) waits: Vec<Hold>,
}

/// What a batch needs besides its orders.
pub(super) struct Batch<'a> {
    pub(super) sender: Sender<'a>,
    pub(super) settings: &'a AccountSettings,
    pub(super) catalog: &'a Catalog,
    pub(super) id_key: &'a IdKey,
    pub(super) confirm_batch: usize,
    pub(super) shelf: &'a Shelf,
    pub(super) shared: &'a Shared,
    pub(super) limit_time_real: Duration,
    pub(super) absent: &'a Absent,
    pub(super) now: jiff::Timestamp,
}

impl Work {
    pub(super) fn new(leased: Leased, buyer: Option<BuyerFact>) -> Self {
        let dossier = leased.dossier.clone();
        let noted = dossier.mapping.as_ref().is_some_and(|mapping| mapping.odoo_id != 0);
        Self {
            leased,
            dossier,
            buyer,
            end: None,
            lost: false,
            desired: None,
            customer: None,
            current: None,
            changes: Changes::default(),
            touched: false,
            noted,
            created: false,
            confirmed: false,
            customer_made: false,
            refused: None,
            asked: false,
            taken: BTreeSet::new(),
            waits: Vec::new(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.end.is_none() && !self.lost
    }

    /// The order's id in Odoo, once it stands there.
    pub(super) fn odoo_id(&self) -> Option<OdooId> {
        self.dossier.mapping.as_ref().map(|mapping| mapping.odoo_id).filter(|id| *id != 0)
    }

    pub(super) fn stage(&self) -> Option<Stage> {
        self.dossier.mapping.as_ref().and_then(|mapping| mapping.stage)
    }

    pub(super) fn set_stage(&mut self, stage: Option<Stage>) {
        if let Some(mapping) = &mut self.dossier.mapping {
            mapping.stage = stage;
        }
    }

    pub(super) fn hold(&mut self, hold: Hold) {
        self.end = Some(End::Held(vec![hold]));
    }

    /// Odoo refuses it. Whether that is its end is decided where the batch is settled.
    pub(super) fn refuse(&mut self, step: Step, code: &str, words: &str) {
        self.end = Some(End::Dead(Death { code: code.to_owned(), words: words.to_owned() }));
        self.refused = Some(step);
    }

    /// What Odoo did for it in this run. What an earlier run or a person did shows nothing of how
    /// Odoo takes it now.
    pub(super) fn passed(&self) -> impl Iterator<Item = Step> {
        let through = self.end.is_some() && self.refused.is_none();
        let taken = |step: Step| self.taken.contains(&step);
        let cancelled = self.changes.cancel && self.end == Some(End::Done(Outcome::Cancelled));
        [
            (self.customer_made, Step::Customer),
            (taken(Step::Create), Step::Create),
            (through && taken(Step::Change), Step::Change),
            (through && taken(Step::Lines), Step::Lines),
            (through && taken(Step::Rounding), Step::Rounding),
            (self.confirmed && self.asked, Step::Confirm),
            (through && taken(Step::After), Step::After),
            (cancelled, Step::Cancel),
            (through && taken(Step::Reopen), Step::Reopen),
            (through && self.current.is_some(), Step::Read),
        ]
        .into_iter()
        .filter_map(|(passed, step)| passed.then_some(step))
    }
}

impl Batch<'_> {
    /// Brings the works to Odoo. Those that are through have an end; after a [`Stop`] the others
    /// have none.
    pub(super) async fn run(&self, works: &mut [Work]) -> Result<(), Stop> {
        self.decide(works).await?;
        self.find_existing(works).await?;
        let partners = self.partners(works).await.map_err(at(Step::Customer))?;
        self.create(works, &partners).await.map_err(at(Step::Create))?;
        // Before anything is stored that says where the orders stand.
        self.shelf.note_delivered(works, self.now).await?;
        self.read_back(works).await?;
        self.compare(works, &partners);
        self.reopen(works, &partners).await.map_err(at(Step::Reopen))?;
        self.write(works).await?;
        self.round(works).await.map_err(at(Step::Rounding))?;
        self.cancel(works).await.map_err(at(Step::Cancel))?;
        self.confirm(works).await.map_err(at(Step::Confirm))?;
        self.finish(works);
        Ok(())
    }

    /// Asks for the products the orders name, and plans each.
    async fn decide(&self, works: &mut [Work]) -> Result<(), Stop> {
        let policy = &self.settings.policy;
        let skus = super::wanted_skus(policy, works.iter().map(|work| &work.dossier));
        self.catalog.want_products(self.sender.client, &skus).await?;
        for work in works {
            rule_on_marketplace(&mut work.dossier);
            let buyer = work.buyer.as_ref();
            let mut plan = plan(&work.dossier, buyer, policy, self.catalog);
            // All Orders names nobody: what expired of it made no difference.
            let expired = |(family, state): (&Family, &BuyerState)| {
                *family != Family::AllOrders && *state == BuyerState::Expired
            };
            if work.leased.buyers.iter().any(expired) {
                plan = without_buyer(plan, &work.dossier, buyer, policy);
            }
            match plan {
                Plan::Done(outcome) => {
                    work.look_at_adopted();
                    work.end = Some(End::Done(outcome));
                }
                Plan::Wait(holds) => work.end = Some(End::Held(holds)),
                Plan::Want(desired) => work.desired = Some(desired),
            }
        }
        Ok(())
    }

    /// Reads what stands in Odoo. What is gone was deleted by a person, and stays deleted; what is
    /// only hidden waits.
    async fn read_back(&self, works: &mut [Work]) -> Result<(), Stop> {
        let ids: Vec<OdooId> =
            works.iter().filter(|work| work.is_open()).filter_map(Work::odoo_id).collect();
        let mut found = read::orders(&self.sender, self.catalog, &ids).await?;
        self.refuse_strangers(works, &found).await?;
        let missing: Vec<OdooId> = ids.into_iter().filter(|id| !found.contains_key(id)).collect();
        let hidden = self.hidden_among(works, &missing, &found).await?;
        for work in works.iter_mut().filter(|work| work.is_open()) {
            let Some(id) = work.odoo_id() else { continue };
            let Some(current) = found.remove(&id) else {
                if hidden.contains(&id) {
                    work.hold(invisible(id));
                    continue;
                }
                if let Some(mapping) = &mut work.dossier.mapping {
                    mapping.deleted = true;
                }
                work.end = Some(End::Done(Outcome::DeletedInOdoo));
                continue;
            };
            if work.stage() == Some(Stage::Creating)
                || work
                    .dossier
                    .mapping
                    .as_ref()
                    .is_some_and(|mapping| mapping.name.is_empty() && !mapping.base_lost)
            {
                let addressed = work.buyer.as_ref().is_some_and(BuyerFact::has_address)
                    && self.settings.policy.partner == PartnerMode::Buyer;
                if let Some(mapping) = &mut work.dossier.mapping {
                    if mapping.lines.is_empty() {
                        // What was sent is not known any more, as after a restored database.
                        read::take_base(mapping, &current);
                        mapping.base.addressed = addressed;
                    } else {
                        read::take_created(mapping, &current);
                    }
                    mapping.stage = None;
                }
                work.touched = true;
                work.created = true;
            } else if let Some(mapping) =
                work.dossier.mapping.as_mut().filter(|mapping| mapping.base_lost)
            {
                read::take_base(mapping, &current);
            }
            work.current = Some(current);
        }
        Ok(())
    }

    /// An id that we know may be another order's by now: after a restored backup Odoo gives
    /// ids a second time. Where the reference is not the order's, the external id decides.
    async fn refuse_strangers(
        &self,
        works: &mut [Work],
        found: &BTreeMap<OdooId, Current>,
    ) -> Result<(), Stop> {
        let doubtful = |work: &&mut Work| {
            let current = work.odoo_id().and_then(|id| found.get(&id));
            work.is_open() && current.is_some_and(|c| c.reference != work.dossier.order_id.as_str())
        };
        let mut doubtful: Vec<&mut Work> = works.iter_mut().filter(doubtful).collect();
        let ids: Vec<OdooId> = doubtful.iter().filter_map(|work| work.odoo_id()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let context = self.sender.context.clone();
        let names = self.sender.client.get_external_id("sale.order", &ids, context).await?;
        for work in &mut doubtful {
            let own = external::full(self.sender.account, &external::order(&work.dossier.order_id));
            if work.odoo_id().and_then(|id| names.get(&id)) != Some(&own) {
                work.hold(Hold::new(
                    HoldCode::Conflict,
                    "sale.order",
                    "the record that was this order in Odoo is another order now: was the database \
                     restored or copied? See README, \"When the state is lost\"",
                ));
            }
        }
        Ok(())
    }

    /// Created or confirmed so lately that another host may still be at it: the host that confirms
    /// puts the purchase date back right after.
    fn is_fresh(&self, desired: &Desired, current: &Current) -> bool {
        let Some(clock) = self.sender.client.server_time() else { return false };
        let since = match (current.is_quotation(), desired.confirm) {
            (true, true) => &current.create_date,
            (true, false) => return false,
            (false, _) => &current.date_order,
        };
        let age = parse_odoo_datetime(since).map(|since| clock.duration_since(since));
        age.is_some_and(|age| age.as_secs() < FRESH_SECS)
    }

    pub(super) fn compare(&self, works: &mut [Work], partners: &BTreeMap<String, OdooId>) {
        let now = self.sender.writing.hands.clock.now();
        for work in works.iter_mut().filter(|work| work.is_open()) {
            if let Some(due) = self.still_running(work) {
                work.end = Some(End::Retry {
                    due,
                    attempt: work.leased.job.attempt,
                    fault: "odoo-state-unclear".to_owned(),
                });
                continue;
            }
            work.end_cancelling();
            let (Some(desired), Some(mapping), Some(current)) =
                (&work.desired, &work.dossier.mapping, &work.current)
            else {
                continue;
            };
            if mapping.base_lost && !desired.cancel && self.is_fresh(desired, current) {
                // Another host has just made or confirmed it and goes on in a moment.
                let soon = now.saturating_add(SignedDuration::from_secs(FRESH_RETRY_SECS));
                work.end = Some(End::Retry {
                    due: soon.unwrap_or(now),
                    attempt: work.leased.job.attempt.saturating_add(1),
                    fault: "odoo-serialization".to_owned(),
                });
                continue;
            }
            let wanted = work.customer.as_ref().and_then(|customer| customer.ids(partners));
            work.changes = diff(desired, mapping, current, wanted);
            work.changes.attention.extend(desired.attention.iter().cloned());
            let has_notes = self.settings.policy.partner == PartnerMode::Buyer
                && work.buyer.as_ref().is_some_and(|buyer| !buyer.notes.is_empty());
            if let Some(mapping) = &mut work.dossier.mapping {
                // Nothing is left to be decided: that is a base again.
                if let Some(Rebased { base, lines }) = work.changes.rebased.take() {
                    (mapping.base, mapping.lines, mapping.base_lost) = (base, lines, false);
                }
                if has_writes(&work.changes) || work.changes.confirm || work.changes.cancel {
                    mapping.written = Some(now);
                }
                // What a crash kept from being remembered.
                agree(mapping, desired, current, wanted);
                read::take_missing(mapping, desired, current);
                mapping.state.clone_from(&current.state);
                if current.is_quotation() || work.created {
                    mapping.unsaid = has_notes && !desired.cancel;
                }
            }
            work.take_notice();
        }
    }

    fn finish(&self, works: &mut [Work]) {
        for work in works.iter_mut().filter(|work| work.is_open()) {
            let Some(desired) = &work.desired else { continue };
            let mut holds = work.changes.conflicts.clone();
            holds.append(&mut work.waits);
            // What is cancelled in Odoo, and stays so, waits for nothing.
            if !work.changes.kept {
                holds.extend(desired.holds.clone());
            }
            if let Some(mapping) = &mut work.dossier.mapping {
                if !desired.cancel {
                    mapping.items.clone_from(&desired.items);
                    mapping.marketplace.get_or_insert(desired.marketplace);
                }
                // Acted on: what it did not cover is asked again.
                mapping.ruling = None;
                forget_overtaken(&mut mapping.declined, desired.cancel);
            }
            work.end = Some(if !holds.is_empty() {
                End::Held(holds)
            } else if work.changes.kept {
                End::Done(Outcome::KeptInOdoo)
            } else if desired.cancel {
                End::Done(Outcome::Cancelled)
            } else {
                End::Done(Outcome::Delivered)
            });
        }
    }
}

pub(super) fn new_mapping() -> Mapping {
    Mapping { stage: Some(Stage::Creating), ..Mapping::by(Origin::Ours) }
}

/// Where a stop came about, unless that is known.
pub(super) fn at(step: Step) -> impl Fn(Stop) -> Stop {
    move |stop| stop.at(step)
}

/// What Odoo answered to a write of this step: taken, or refused with its words.
pub(super) fn note_answer(work: Option<&mut Work>, step: Step, loaded: Loaded) {
    let Some(work) = work else { return };
    match loaded {
        Loaded::Id(_) => {
            work.taken.insert(step);
        }
        Loaded::Refused(words) => work.refuse(step, "odoo-write-refused", words.expose()),
    }
}
