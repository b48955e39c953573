//! One file: claimed copy → open → survey → facts → durable jobs → `done/` or `rejected/`.
//!
//! Blocking; one file at a time. Verify, then believe: the first pass reads to the last byte
//! before anything is stored, the second reads the same copy again. Both may be repeated at any
//! time: taking a fact twice changes nothing. The file leaves `work/` only after the barrier.

use std::io::{self, Read};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::courtesy::Courtesy;
use crate::clock::SharedClock;
use crate::envelope::{self, Format, Keyring, OpenError, Policy, Sidecar, SidecarError, Trust};
use crate::flatfile::{self, DocumentError, Hints, OrderFacts, Survey};
use crate::model::{
    AccountId, BuyerFact, Counts, Fact, FileNotice, FileRecord, FileState, Hold, Marketplace,
    OrderId, Refusal, RowFault,
};
use crate::spool::{self, Claim, ClaimError, harmless_name};
use crate::store::{Store, StoreError};
use crate::telemetry::events;

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

/// What a sidecar said, without its keys; kept with the claim.
#[derive(Debug, Clone, Default)]
struct Told {
    charset: Option<String>,
    marketplace: Option<Marketplace>,
}

/// What was read from a document.
struct Reading {
    counts: Counts,
    faults: Vec<RowFault>,
    notices: Vec<FileNotice>,
    orders: Vec<OrderId>,
    marketplace: Option<Marketplace>,
}

impl Intake {
    /// Takes one claimed file in, and brings it to its end. The record says which.
    pub(crate) fn take(
        &self,
        account: &IntakeAccount,
        mut claim: Claim,
        progress: &dyn Fn(),
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
        };
        self.store.put_file(&record)?;
        let read = self.read(account, &mut claim, &mut record, progress);
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
                record.state = FileState::Rejected;
                record.refusal = Some(refusal);
                (spool::End::Rejected, reason_file(&record))
            }
            Err(Failure::Trouble(trouble)) => return Err(trouble),
        };
        self.store.put_file(&record)?;
        self.store.barrier()?;
        spool::finish(&claim, end, &words)?;
        match (&record.refusal, record.family) {
            (Some(refusal), _) => events::file_rejected(&account.id, &record.id, refusal),
            (None, Some(family)) => {
                events::file_done(&account.id, &record.id, family, &record.counts);
            }
            (None, None) => {}
        }
        Ok(record)
    }

    fn read(
        &self,
        account: &IntakeAccount,
        claim: &mut Claim,
        record: &mut FileRecord,
        progress: &dyn Fn(),
    ) -> Result<Reading, Failure> {
        if claim.bytes > account.max_file_bytes {
            return Err(Failure::refused(
                "file-too-large",
                format!(
                    "the file has {} bytes, the account takes {}",
                    claim.bytes, account.max_file_bytes
                ),
                "ask Amazon for a shorter period, or raise max_file_size of the account",
            ));
        }
        let sidecar = read_sidecar(claim)?;
        let told = told(claim, sidecar.as_ref());
        let survey = self.survey(account, claim, sidecar.as_ref(), &told, record)?;
        self.seal_if_open(account, claim, sidecar.as_ref(), &told, record)?;
        record.family = Some(survey.family);
        survey.charset.name().clone_into(&mut record.charset);
        self.store_facts(account, claim, &survey, &told, progress)
    }

    /// Pass 1: to the last byte, deciding everything that belongs to the whole file.
    fn survey(
        &self,
        account: &IntakeAccount,
        claim: &mut Claim,
        sidecar: Option<&Sidecar>,
        told: &Told,
        record: &mut FileRecord,
    ) -> Result<Survey, Failure> {
        let file = claim.open().map_err(|error| Failure::Trouble(IntakeTrouble::Read(error)))?;
        let opened = match envelope::open(file, sidecar, &account.keyring, &account.policy) {
            Ok(opened) => opened,
            Err(error) => {
                // What was dropped in clear does not lie around in clear.
                seal_refused(account, claim, sidecar);
                return Err(Failure::open(error));
            }
        };
        envelope_name(opened.format).clone_into(&mut record.envelope);
        let unauthenticated = opened.trust == Trust::Unauthenticated;
        let hints = Hints { charset: told.charset.clone(), marketplace: told.marketplace };
        match flatfile::survey(opened.reader, &hints) {
            Ok(survey) => Ok(survey),
            Err(error) => {
                seal_refused(account, claim, sidecar);
                // One answer for every failure of an unauthenticated document: no padding oracle.
                Err(match error {
                    DocumentError::Read(source) => Failure::open(OpenError::from_io(source)),
                    _ if unauthenticated => Failure::open(OpenError::unauthenticated_failure()),
                    other => Failure::Refused(other.refusal()),
                })
            }
        }
    }

    /// A document that was not sealed with age is now: pass 2 and `done/` only see that.
    fn seal_if_open(
        &self,
        account: &IntakeAccount,
        claim: &mut Claim,
        sidecar: Option<&Sidecar>,
        told: &Told,
        record: &FileRecord,
    ) -> Result<(), Failure> {
        if matches!(record.envelope.as_str(), "age" | "age-armor") {
            return Ok(());
        }
        claim
            .note(json!({"charset": told.charset, "marketplace": told.marketplace}))
            .map_err(|error| Failure::Trouble(error.into()))?;
        seal(account, claim, sidecar, &account.policy).map_err(Failure::Trouble)
    }

    /// Pass 2: facts into the store.
    fn store_facts(
        &self,
        account: &IntakeAccount,
        claim: &Claim,
        survey: &Survey,
        told: &Told,
        progress: &dyn Fn(),
    ) -> Result<Reading, Failure> {
        let mut taking = Taking {
            intake: self,
            account,
            claim,
            progress,
            large: claim.bytes >= LARGE_BYTES,
            batch: Vec::with_capacity(TAKE),
            undurable: 0,
            counts: Counts::default(),
            orders: Vec::new(),
            held: Vec::new(),
        };
        let open = || {
            let file =
                claim.open().map_err(|error| Failure::Trouble(IntakeTrouble::Read(error)))?;
            let opened = envelope::open(file, None, &account.keyring, &account.policy);
            Ok(opened.map_err(Failure::open)?.reader)
        };
        let rows = each_order(&open, survey, told.marketplace, &mut |order| {
            taking.push(order.fact, order.buyer).map_err(Failure::Trouble)
        })?;
        taking.flush(true).map_err(Failure::Trouble)?;
        let counts = Counts {
            rows: survey.rows,
            blank: survey.blank_lines,
            orders: survey.orders,
            refused: rows.refused,
            ..taking.counts
        };
        let mut notices: Vec<FileNotice> = survey.notices.iter().map(FileNotice::from).collect();
        notices.extend(rows.notices);
        let (orders, marketplace) = (taking.orders, told.marketplace);
        Ok(Reading { counts, faults: rows.faults, notices, orders, marketplace })
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
            self.held.extend(taken.held);
        }
        if self.undurable >= BARRIER_EVERY || (last && self.undurable > 0) {
            store.barrier()?;
            self.undurable = 0;
            for (order, holds) in self.held.drain(..) {
                for hold in &holds {
                    events::order_held(&self.account.id, &order, hold);
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

/// Replaces the claimed copy by the same content sealed to the account's own keys.
fn seal(
    account: &IntakeAccount,
    claim: &mut Claim,
    sidecar: Option<&Sidecar>,
    policy: &Policy,
) -> Result<(), IntakeTrouble> {
    let recipients = account.keyring.recipients();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let file = claim.open().map_err(IntakeTrouble::Read)?;
    claim.reseal(|writer| {
        let mut opened = envelope::open(file, sidecar, &account.keyring, policy)
            .map_err(|error| IntakeTrouble::Read(error.into()))?;
        let mut sealer = envelope::seal(writer, &recipients, false)
            .map_err(|error| IntakeTrouble::Read(io::Error::other(error)))?;
        io::copy(&mut opened.reader, &mut sealer).map_err(IntakeTrouble::Read)?;
        sealer.finish().map_err(IntakeTrouble::Read)?;
        Ok(())
    })
}

/// A refused file that was dropped in clear keeps what it says, sealed to the account's own keys.
/// One that cannot be opened at all stays as it came.
fn seal_refused(account: &IntakeAccount, claim: &mut Claim, sidecar: Option<&Sidecar>) {
    let permissive = Policy { accept_plaintext: true, accept_aes_cbc: true, ..account.policy };
    let Ok(file) = claim.open() else { return };
    let open = match envelope::open(file, sidecar, &account.keyring, &permissive) {
        Ok(opened) => !matches!(opened.format, Format::AgeBinary | Format::AgeArmored),
        Err(_) => false,
    };
    if open && let Err(error) = seal(account, claim, sidecar, &permissive) {
        tracing::warn!(file_id = %claim.id, account = %account.id, error = %error,
            "a refused file could not be sealed and stays as it was dropped");
    }
}

/// Reads the sidecar, if one came along, and holds the document against its checksum.
fn read_sidecar(claim: &Claim) -> Result<Option<Sidecar>, Failure> {
    let Some(path) = &claim.sidecar else { return Ok(None) };
    let mut bytes = Vec::new();
    let limit = u64::try_from(envelope::MAX_SIDECAR_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| Failure::Trouble(IntakeTrouble::Read(error)))?;
    let sidecar = Sidecar::parse(&bytes).map_err(Failure::sidecar)?;
    if sidecar.sha256.is_some_and(|sha256| sha256 != claim.sha256) {
        return Err(Failure::refused(
            "sidecar-checksum",
            "the document is not the one whose SHA-256 its sidecar gives".to_owned(),
            "drop the document again, complete, with the sidecar that belongs to it",
        ));
    }
    Ok(Some(sidecar))
}

/// What the sidecar said; after a crash it may be gone, and the claim's notes remain.
fn told(claim: &Claim, sidecar: Option<&Sidecar>) -> Told {
    let noted = |field: &str| {
        let value = claim.notes.as_ref().and_then(|notes| notes.get(field));
        value.and_then(serde_json::Value::as_str).map(str::to_owned)
    };
    let charset = sidecar.and_then(|sidecar| sidecar.charset.clone());
    let marketplace = sidecar.and_then(|sidecar| sidecar.marketplace.clone());
    Told {
        charset: charset.or_else(|| noted("charset")),
        marketplace: marketplace
            .or_else(|| noted("marketplace"))
            .and_then(|name| name.parse().ok()),
    }
}

pub(crate) fn envelope_name(format: Format) -> &'static str {
    match format {
        Format::AgeBinary => "age",
        Format::AgeArmored => "age-armor",
        Format::AesCbc => "aes-cbc",
        Format::Plain => "plain",
    }
}

impl Failure {
    fn refused(code: &str, sentence: String, next_step: &str) -> Self {
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
            "drop the document again with a corrected sidecar",
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
            DocumentError::Changed => {
                Self::Trouble(IntakeTrouble::Read(io::Error::other(DocumentError::Changed)))
            }
            other => Self::Refused(other.refusal()),
        }
    }
}

/// `NAME.<file id>.result.json`
fn result_file(record: &FileRecord, reading: &Reading) -> serde_json::Value {
    let Reading { orders, marketplace, .. } = reading;
    json!({
        "version": 1,
        "file_id": record.id,
        "account": record.account,
        "state": record.state.name(),
        "report": record.family.map(crate::model::Family::name),
        "envelope": record.envelope,
        "charset": record.charset,
        // Of the sidecar, which is not kept.
        "marketplace": marketplace.map(Marketplace::name),
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
        "claimed_at": record.claimed_at.to_string(),
        "finished_at": record.since.to_string(),
        "reason": record.refusal,
    })
}
