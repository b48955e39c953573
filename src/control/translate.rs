//! From the model to the wire. Here buyer data, Odoo's words and secrets are left behind.

use crate::deliver::gate::{Closed, Gate};
use crate::model::{AccountId, FileRecord, Job, JobState, Mapping, OrderId, Stage};
use crate::plan::external;
use crate::store::{StateName, Tally};

use super::wire::{
    ClosedStatus, File, GateStatus, JobInfo, JobWord, MappedLineInfo, MappingInfo, OrderCounts,
};

impl From<&Gate> for GateStatus {
    fn from(gate: &Gate) -> Self {
        let status = |closed: &Closed| ClosedStatus {
            code: closed.code.clone(),
            next_step: closed.next_step.clone(),
            since: closed.since,
            next: closed.next,
        };
        match gate {
            Gate::Open => Self::Open,
            Gate::Down(closed) => Self::OdooUnreachable(status(closed)),
            Gate::Paused(closed) => Self::Paused(status(closed)),
        }
    }
}

impl From<&Tally> for OrderCounts {
    fn from(tally: &Tally) -> Self {
        Self {
            pending: tally.pending,
            started: tally.started,
            held: tally.held,
            dead: tally.dead,
            done: tally.done,
        }
    }
}

impl From<JobWord> for StateName {
    fn from(word: JobWord) -> Self {
        match word {
            JobWord::Pending => Self::Pending,
            JobWord::Started => Self::Started,
            JobWord::Held => Self::Held,
            JobWord::Dead => Self::Dead,
            JobWord::Done => Self::Done,
        }
    }
}

impl JobWord {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Started => "started",
            Self::Held => "held",
            Self::Dead => "dead",
            Self::Done => "done",
        }
    }
}

impl From<FileRecord> for File {
    fn from(record: FileRecord) -> Self {
        use std::fmt::Write as _;
        let sha256 = record.sha256.iter().fold(String::with_capacity(64), |mut text, byte| {
            // invariant: writing to a String does not fail.
            let _ignored = write!(text, "{byte:02x}");
            text
        });
        Self {
            id: record.id,
            account: record.account,
            name: record.name,
            state: record.state,
            since: record.since,
            claimed_at: record.claimed_at,
            bytes: record.bytes,
            sha256,
            envelope: record.envelope,
            family: record.family,
            charset: record.charset,
            counts: record.counts,
            notices: u64::try_from(record.notices.len()).unwrap_or(u64::MAX),
            refusal: record.refusal,
            described: record.described,
            wait: record.wait,
        }
    }
}

impl From<Job> for JobInfo {
    /// Leaves Odoo's words behind.
    fn from(job: Job) -> Self {
        let mut info = Self {
            account: job.account,
            order_id: job.order_id,
            state: JobWord::Started,
            due: None,
            attempt: job.attempt,
            since: job.since,
            fault: job.last_fault,
            holds: Vec::new(),
            outcome: None,
        };
        match job.state {
            JobState::Pending => {
                info.state = JobWord::Pending;
                info.due = Some(job.due);
            }
            JobState::Started => {}
            JobState::Held(holds) => {
                info.state = JobWord::Held;
                info.holds = holds;
            }
            JobState::Dead(death) => {
                info.state = JobWord::Dead;
                info.fault = Some(death.code);
            }
            JobState::Done(outcome) => {
                info.state = JobWord::Done;
                info.outcome = Some(outcome);
            }
        }
        info
    }
}

impl MappingInfo {
    /// `mapping` of an order, as people see it.
    pub fn new(account: AccountId, order_id: OrderId, mapping: Mapping) -> Self {
        let stage = mapping.stage.map(|stage| match stage {
            Stage::Creating => "creating",
            Stage::Confirming { .. } => "confirming",
            Stage::Cancelling { .. } => "cancelling",
        });
        let lines = mapping.lines.into_iter().map(|line| MappedLineInfo {
            odoo_id: line.odoo_id,
            external_id: external::full(&account, &line.external),
            quantity: line.quantity,
            price_unit: line.price_unit,
        });
        Self {
            model: "sale.order".to_owned(),
            odoo_id: Some(mapping.odoo_id).filter(|id| *id > 0),
            name: mapping.name,
            state: mapping.state,
            origin: mapping.origin,
            stage: stage.map(str::to_owned),
            deleted: mapping.deleted,
            lines: lines.collect(),
            account,
            order_id,
        }
    }
}
