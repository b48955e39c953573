//! One file: claimed copy → open → survey → facts → durable jobs → `done/` or `rejected/`.
//!
//! Blocking; one file at a time. Verify, then believe: the first pass reads to the last byte
//! before anything is stored, the second reads the same copy again. Both may be repeated at any
//! time: taking a fact twice changes nothing. The file leaves `work/` only after the barrier.

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::courtesy::Courtesy;
use super::sealing::{
    Beating, described, dropped_as, envelope_name, notes, read_sidecar, seal, seal_refused,
};
use crate::clock::SharedClock;
use crate::envelope::{self, Format, Keyring, OpenError, Policy, Sidecar, SidecarError, Trust};
use crate::flatfile::{self, DocumentError, Hints, OrderFacts, Survey};
use crate::model::{
    AccountId, BuyerFact, Counts, DocumentInfo, Fact, FileNotice, FileRecord, FileState, Hold,
    Marketplace, OrderId, Refusal, RowFault,
};
use crate::spool::{self, Claim, ClaimError, harmless_name};
use crate::store::{Store, StoreError};
use crate::telemetry::{events, outcomes};

/// Facts in one transaction of the store.
const TAKE: usize = 200;
/// From so many bytes on a file is large: reading it takes longer than anyone should wait behind it.
pub(super) const LARGE_BYTES: u64 = 1024 * 1024;
/// Facts of a large file in one transaction: whoever comes meanwhile waits for no more than those.
const TAKE_OF_LARGE: usize = 25;
/// Facts between two barriers: delivery of a long file begins before its end.
const BARRIER_EVERY: usize = 2_000;
/// Refused rows that are kept and written beside the file.
const FAULTS_KEPT: usize = 100;
/// Order ids written into the result file.
const ORDERS_NAMED: usize = 1_000;

/// What intake needs to know of an account.
#[derive(Debug, Clone)]
pub(crate) struct IntakeAccount {
    pub(crate) id: AccountId,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) policy: Policy,
    pub(crate) max_file_bytes: u64,
    pub(crate) import_from: Timestamp,
}

/// Takes files in.
#[derive(Debug, Clone)]
pub(crate) struct Intake {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: SharedClock,
    /// With whom the store is shared.
    pub(crate) courtesy: Arc<Courtesy>,
    /// A large file is left in `work/` then, half-way.
    pub(crate) stop: CancellationToken,
}

/// Nothing was decided about the file: it stays in `work/` and is taken up again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntakeTrouble {
    /// The store failed. The operator looks at its disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spool failed. The operator looks at its disk.
    #[error(transparent)]
    Spool(#[from] ClaimError),
    /// Our copy cannot be read.
    #[error("reading the claimed file")]
    Read(#[source] io::Error),
    /// Our copy was not the same when it was read a second time.
    #[error("the document changed between two readings")]
    Changed,
    /// The daemon stops in the middle of a large file.
    #[error("stopping")]
    Stopping,
}

/// How a file can fail to be taken in.
pub(crate) enum Failure {
    /// The file is refused as a whole.
    Refused(Refusal),
    /// Nothing is decided.
    Trouble(IntakeTrouble),
}

/// What is called while a file is read.
#[derive(Clone, Copy)]
struct Signs<'a> {
    /// Facts became durable.
    progress: &'a dyn Fn(),
    /// A piece was read.
    beat: &'a dyn Fn(),
}

/// What was read from a document.
struct Reading {
    counts: Counts,
    faults: Vec<RowFault>,
    notices: Vec<FileNotice>,
    orders: Vec<OrderId>,
}

impl Intake {
    /// Takes one claimed file in, and brings it to its end. The record says which.
    pub(crate) fn take(
        &self,
        account: &IntakeAccount,
        mut claim: Claim,
        progress: &dyn Fn(),
        beat: &dyn Fn(),
    ) -> Result<FileRecord, IntakeTrouble> {
        let _short = (claim.bytes < LARGE_BYTES).then(|| self.courtesy.short());
        let now = self.clock.now();
        let mut record = FileRecord {
            id: claim.id.clone(),
            account: account.id.clone(),
            name: harmless_name(&claim.name).map(str::to_owned),
            sha256: claim.sha256,
            bytes: claim.bytes,
            claimed_at: claim.claimed_at.parse().unwrap_or(now),
            state: FileState::Work,
            since: now,
            envelope: String::new(),
            family: None,
            charset: String::new(),
            counts: Counts::default(),
            faults: Vec::new(),
            notices: Vec::new(),
            refusal: None,
            described: DocumentInfo::default(),
            wait: None,
        };
        self.store.put_file(&record)?;
        let signs = Signs { progress, beat };
        let (read, sidecar) = match read_sidecar(&claim) {
            Ok(sidecar) => {
                let reading =
                    || self.read(account, &mut claim, sidecar.as_ref(), &mut record, signs);
                // One file that the program cannot cope with stops no other.
                let read = catch_unwind(AssertUnwindSafe(reading));
                (read.unwrap_or_else(|_| Err(self.panicked())), sidecar)
            }
            Err(failure) => (Err(failure), None),
        };
        record.since = self.clock.now();
        let (end, words) = match read {
            Ok(reading) => {
                record.state = FileState::Done;
                record.counts = reading.counts;
                record.faults.clone_from(&reading.faults);
                record.notices.clone_from(&reading.notices);
                let words = result_file(&record, &reading);
                (spool::End::Done, words)
            }
            Err(Failure::Refused(refusal)) => {
                // What was dropped in clear does not lie around in clear.
                seal_refused(account, &mut claim, sidecar.as_ref(), beat)?;
                record.state = FileState::Rejected;
                record.refusal = Some(refusal);
                (spool::End::Rejected, reason_file(&record))
            }
            Err(Failure::Trouble(trouble)) => return Err(trouble),
        };
        self.put_ended(&mut record)?;
        self.store.barrier()?;
        spool::finish_beating(&claim, end, &words, beat)?;
        match (&record.refusal, record.family) {
            (Some(refusal), _) => events::file_rejected(&account.id, &record.id, refusal),
            (None, Some(family)) => {
                events::file_done(
                    &account.id,
                    &record.id,
                    family,
                    &record.counts,
                    account.import_from,
                );
            }
            (None, None) => {}
        }
        Ok(record)
    }

    /// Stores how a file ended; where its refused rows are too much for a record, without them: they
    /// stand in the result file.
    fn put_ended(&self, record: &mut FileRecord) -> Result<(), StoreError> {
        match self.store.put_file(record) {
            Err(StoreError::TooLarge { .. }) => {
                record.faults.clear();
                record.notices.clear();
                self.store.put_file(record)
            }
            put => put,
        }
    }

    /// Reading a file ended in a panic. Where the store failed it is to blame, not the file.
    fn panicked(&self) -> Failure {
        if self.store.broken() {
            return Failure::Trouble(IntakeTrouble::Store(StoreError::Unsynced {
                path: self.store.path().to_owned(),
            }));
        }
        Failure::refused(
            "file-panic",
            "reading the file ended in an error of this program".to_owned(),
            "report this with the file's id and version; other files go on, and this file is in rejected/",
        )
    }

    fn read(
        &self,
        account: &IntakeAccount,
        claim: &mut Claim,
        sidecar: Option<&Sidecar>,
        record: &mut FileRecord,
        signs: Signs<'_>,
    ) -> Result<Reading, Failure> {
        record.described = described(claim, sidecar);
        if claim.bytes > account.max_file_bytes {
            return Err(Failure::too_large(claim.bytes, account.max_file_bytes));
        }
        let (survey, format) = self.survey(account, claim, sidecar, record, signs.beat)?;
        record.family = Some(survey.family);
        survey.charset.name().clone_into(&mut record.charset);
        contradiction(&record.described, &survey)?;
        if matches!(format, Format::AesCbc | Format::Plain) {
            // Pass 2 and `done/` only see it sealed with age.
            claim
                .note(notes(&record.described, format))
                .map_err(|error| Failure::Trouble(error.into()))?;
            seal(account, claim, sidecar, &account.policy, signs.beat).map_err(Failure::Trouble)?;
        }
        let first = self.store_facts(account, claim, &survey, &record.described, signs);
        if !matches!(first, Err(Failure::Trouble(IntakeTrouble::Changed))) {
            return first;
        }
        // Once more from the start: what changes each time would wait for ever.
        let (survey, _) = self.survey(account, claim, None, record, signs.beat)?;
        record.family = Some(survey.family);
        match self.store_facts(account, claim, &survey, &record.described, signs) {
            Err(Failure::Trouble(IntakeTrouble::Changed)) => {
                Err(Failure::Refused(DocumentError::Changed.refusal()))
            }
            second => second,
        }
    }

    /// Pass 1: to the last byte, deciding everything that belongs to the whole file.
    fn survey(
        &self,
        account: &IntakeAccount,
        claim: &Claim,
        sidecar: Option<&Sidecar>,
        record: &mut FileRecord,
        beat: &dyn Fn(),
    ) -> Result<(Survey, Format), Failure> {
        let file = claim.open().map_err(|error| Failure::Trouble(IntakeTrouble::Read(error)))?;
        let opened = envelope::open(file, sidecar, &account.keyring, &account.policy)
            .map_err(Failure::open)?;
        // A crash between sealing and the end leaves our own form of it: how it was dropped is noted.
        let format = opened.format;
        let noted = dropped_as(claim).filter(|_| opened.trust == Trust::Authenticated);
        noted.unwrap_or(envelope_name(format)).clone_into(&mut record.envelope);
        let unauthenticated = opened.trust == Trust::Unauthenticated;
        let hints = Hints {
            charset: record.described.charset.clone(),
            marketplace: marketplace(&record.described),
        };
        let reader = Beating { inner: opened.reader, beat };
        let survey = flatfile::survey(reader, &hints).map_err(|error| match error {
            DocumentError::Read(source) => Failure::open(OpenError::from_io(source)),
            // One answer for every failure of an unauthenticated document: no padding oracle.
            _ if unauthenticated => Failure::open(OpenError::unauthenticated_failure()),
            other => Failure::Refused(other.refusal()),
        })?;
        Ok((survey, format))
    }

    /// Pass 2: facts into the store.
    fn store_facts(
        &self,
        account: &IntakeAccount,
        claim: &Claim,
        survey: &Survey,
        described: &DocumentInfo,
        signs: Signs<'_>,
    ) -> Result<Reading, Failure> {
        let mut taking = Taking {
            intake: self,
            account,
            claim,
            progress: signs.progress,
            large: claim.bytes >= LARGE_BYTES,
            batch: Vec::with_capacity(TAKE),
            undurable: 0,
            counts: Counts::default(),
            orders: Vec::new(),
            held: Vec::new(),
            refused: Vec::new(),
            undated: 0,
        };
        let open = || {
            let file =
                claim.open().map_err(|error| Failure::Trouble(IntakeTrouble::Read(error)))?;
            let opened = envelope::open(file, None, &account.keyring, &account.policy);
            let reader = opened.map_err(Failure::open)?.reader;
            // What is unpacked counts, not what lies on the disk.
            let reader: Box<dyn Read> = Box::new(Beating { inner: reader, beat: signs.beat });
            Ok(reader)
        };
        let mut rows = each_order(&open, survey, marketplace(described), &mut |order| {
            taking.push(order.fact, order.buyer).map_err(Failure::Trouble)
        })?;
        taking.flush(true).map_err(Failure::Trouble)?;
        let refused = u64::try_from(taking.refused.len()).unwrap_or(u64::MAX);
        let counts = Counts {
            rows: survey.rows,
            blank: survey.blank_lines,
            orders: survey.orders,
            refused: rows.refused.saturating_add(refused),
            ..taking.counts
        };
        let room = FAULTS_KEPT.saturating_sub(rows.faults.len());
        rows.faults.extend(taking.refused.into_iter().take(room));
        rows.faults.sort();
        let mut notices: Vec<FileNotice> = survey.notices.iter().map(FileNotice::from).collect();
        notices.extend(rows.notices);
        notices.extend(undated(taking.undated));
        Ok(Reading { counts, faults: rows.faults, notices, orders: taking.orders })
    }
}

/// Facts on their way into the store.
struct Taking<'a> {
    intake: &'a Intake,
    account: &'a IntakeAccount,
    claim: &'a Claim,
    progress: &'a dyn Fn(),
    large: bool,
    batch: Vec<(Fact, Option<BuyerFact>)>,
    /// Facts taken since the last barrier.
    undurable: usize,
    counts: Counts,
    orders: Vec<OrderId>,
    /// Held at once; told when that is durable.
    held: Vec<(OrderId, Vec<Hold>)>,
    /// Orders that the store refused, each with its row.
    refused: Vec<RowFault>,
    /// Known orders whose refused rows do not show when they were written.
    undated: u64,
}

impl Taking<'_> {
    fn push(&mut self, fact: Fact, buyer: Option<BuyerFact>) -> Result<(), IntakeTrouble> {
        if self.orders.len() < ORDERS_NAMED {
            self.orders.push(fact.order_id.clone());
        }
        self.batch.push((fact, buyer));
        let enough = if self.large { TAKE_OF_LARGE } else { TAKE };
        if self.batch.len() < enough {
            return Ok(());
        }
        self.flush(false)?;
        if self.large {
            if self.intake.stop.is_cancelled() {
                return Err(IntakeTrouble::Stopping);
            }
            self.intake.courtesy.give_way(&self.intake.store);
        }
        Ok(())
    }

    fn flush(&mut self, last: bool) -> Result<(), IntakeTrouble> {
        let store = &self.intake.store;
        if !self.batch.is_empty() {
            self.undurable = self.undurable.saturating_add(self.batch.len());
            let taken = store.take(
                &self.account.id,
                &self.claim.id,
                std::mem::take(&mut self.batch),
                Some(self.account.import_from),
                self.intake.clock.now(),
            )?;
            let counts = &mut self.counts;
            counts.new = counts.new.saturating_add(taken.new);
            counts.changed = counts.changed.saturating_add(taken.changed);
            counts.unchanged = counts.unchanged.saturating_add(taken.unchanged);
            counts.older = counts.older.saturating_add(taken.older);
            counts.before_import_from =
                counts.before_import_from.saturating_add(taken.before_import_from);
            self.undated = self.undated.saturating_add(taken.undated);
            self.held.extend(taken.held);
            for (order, fault) in taken.refused {
                events::order_refused(&self.account.id, &self.claim.id, &order, &fault);
                self.refused.push(fault);
            }
        }
        if self.undurable >= BARRIER_EVERY || (last && self.undurable > 0) {
            store.barrier()?;
            self.undurable = 0;
            for (order, holds) in self.held.drain(..) {
                for hold in &holds {
                    outcomes::order_held(&self.account.id, &order, hold);
                }
            }
            (self.progress)();
        }
        Ok(())
    }
}

/// What reading all rows of a document found besides its orders.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) refused: u64,
    pub(crate) faults: Vec<RowFault>,
    pub(crate) notices: Vec<FileNotice>,
}

/// Hands every order of a document to `sink`, each once.
pub(crate) fn each_order<'r>(
    open: &dyn Fn() -> Result<Box<dyn Read + 'r>, Failure>,
    survey: &Survey,
    marketplace: Option<Marketplace>,
    sink: &mut dyn FnMut(OrderFacts) -> Result<(), Failure>,
) -> Result<Rows, Failure> {
    let context = flatfile::Context { sidecar_marketplace: marketplace };
    let mut rows = Rows::default();
    for sweep in 0..survey.sweeps {
        let mut reader =
            flatfile::facts(open()?, survey, context, sweep).map_err(Failure::document)?;
        while let Some(order) = reader.next().map_err(Failure::document)? {
            let room = FAULTS_KEPT.saturating_sub(rows.faults.len());
            rows.faults.extend(order.fact.faults.iter().take(room).cloned());
            sink(order)?;
        }
        let counts = reader.counts();
        rows.refused = rows.refused.saturating_add(counts.refused).saturating_add(counts.orphans);
        let room = FAULTS_KEPT.saturating_sub(rows.faults.len());
        rows.faults.extend(reader.orphans().iter().take(room).cloned());
        if sweep == 0 {
            rows.notices.extend(reader.notices().iter().map(FileNotice::from));
        }
    }
    rows.faults.sort();
    Ok(rows)
}

impl Failure {
    pub(super) fn refused(code: &str, sentence: String, next_step: &str) -> Self {
        Self::Refused(Refusal {
            code: code.to_owned(),
            sentence,
            line: None,
            column: None,
            next_step: next_step.to_owned(),
        })
    }

    pub(crate) fn sidecar(error: SidecarError) -> Self {
        Self::refused(
            error.code(),
            format!("the sidecar beside the document: {error}"),
            "correct the sidecar and drop both files again; if it had Amazon's keys in it, fetch document and sidecar from Amazon again: keys are never kept",
        )
    }

    /// More bytes than the account takes.
    pub(super) fn too_large(bytes: u64, limit: u64) -> Self {
        Self::refused(
            "file-too-large",
            format!("the file has {bytes} bytes, the account takes {limit}"),
            "ask Amazon for a shorter period, or raise max_file_size of the account",
        )
    }

    /// A document that does not open: refused, unless it was the disk that failed.
    pub(crate) fn open(error: OpenError) -> Self {
        if error.code() == "envelope-io" {
            return Self::Trouble(IntakeTrouble::Read(error.into()));
        }
        Self::refused(error.code(), error.to_string(), error.next_step())
    }

    pub(crate) fn document(error: DocumentError) -> Self {
        match error {
            DocumentError::Read(source) => Self::open(OpenError::from_io(source)),
            DocumentError::Changed => Self::Trouble(IntakeTrouble::Changed),
            other => Self::Refused(other.refusal()),
        }
    }
}

/// Refused rows of known orders hold nothing if they do not show how new they are: a person looks.
fn undated(orders: u64) -> Option<FileNotice> {
    (orders > 0).then(|| FileNotice {
        code: "rows-undated".to_owned(),
        text: format!(
            "refused rows of {orders} orders that are known do not show when they were written: they \
             hold nothing, and what they say may be missing in Odoo"
        ),
        costs_money: true,
    })
}

/// The marketplace that a sidecar names.
pub(super) fn marketplace(described: &DocumentInfo) -> Option<Marketplace> {
    described.marketplace.as_deref().and_then(|name| name.parse().ok())
}

/// A sidecar that names another report than the header is of belongs to another document.
pub(super) fn contradiction(described: &DocumentInfo, survey: &Survey) -> Result<(), Failure> {
    let Some(report_type) = described.report_type.as_deref() else { return Ok(()) };
    match flatfile::family_of(report_type) {
        Some(family) if family != survey.family => Err(Failure::refused(
            "sidecar-report-type",
            format!(
                "the sidecar says {report_type}, which is the {} report, and the header is that of the {} report",
                family.name(),
                survey.family.name()
            ),
            "drop each document with the sidecar that belongs to it",
        )),
        _ => Ok(()),
    }
}

/// `NAME.<file id>.result.json`
fn result_file(record: &FileRecord, reading: &Reading) -> serde_json::Value {
    let orders = &reading.orders;
    json!({
        "version": 1,
        "file_id": record.id,
        "account": record.account,
        "state": record.state.name(),
        "report": record.family.map(crate::model::Family::name),
        "envelope": record.envelope,
        "charset": record.charset,
        // Of the sidecar, which is not kept.
        "marketplace": marketplace(&record.described).map(Marketplace::name),
        "sidecar": record.described,
        "claimed_at": record.claimed_at.to_string(),
        "finished_at": record.since.to_string(),
        "counts": record.counts,
        "refused_rows": record.faults,
        "notices": record.notices,
        "orders": orders,
        "orders_complete": u64::try_from(orders.len()).is_ok_and(|named| named == record.counts.orders),
        "more": format!("odoo-spoold files show {}", record.id),
    })
}

/// `NAME.<file id>.reason.json`
fn reason_file(record: &FileRecord) -> serde_json::Value {
    json!({
        "version": 1,
        "file_id": record.id,
        "account": record.account,
        "state": record.state.name(),
        "envelope": record.envelope,
        "sidecar": record.described,
        "claimed_at": record.claimed_at.to_string(),
        "finished_at": record.since.to_string(),
        "reason": record.refusal,
    })
}
