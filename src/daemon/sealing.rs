//! What lies in `work/` and was not sealed when it came: its sidecar, and sealing it.
//!
//! Promises: nothing goes to `done/` or `rejected/` that is not sealed, whatever it was and however it was
//! refused; what the sidecar said survives the sidecar, its keys do not.

use std::fs::File;
use std::io::{self, Read};

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::intake::{Failure, IntakeAccount, IntakeTrouble};
use crate::envelope::{self, Format, Policy, SNIFF_BYTES, Sidecar, Sniff, sniff};
use crate::model::DocumentInfo;
use crate::spool::Claim;

/// A reader that shows a sign of life with every piece that is read.
pub(super) struct Beating<'a, R> {
    pub(super) inner: R,
    pub(super) beat: &'a dyn Fn(),
}

impl<R: Read> Read for Beating<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        (self.beat)();
        self.inner.read(out)
    }
}

/// Reads the sidecar, if one came along, and holds the document against its checksum.
pub(super) fn read_sidecar(claim: &Claim) -> Result<Option<Sidecar>, Failure> {
    let Some(path) = &claim.sidecar else { return Ok(None) };
    // Of the full size at once: a buffer that grows leaves copies of the keys behind.
    let limit = envelope::MAX_SIDECAR_BYTES.saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit.saturating_add(1)));
    File::open(path)
        .and_then(|file| file.take(limit.try_into().unwrap_or(u64::MAX)).read_to_end(&mut bytes))
        .map_err(|error| Failure::Trouble(IntakeTrouble::Read(error)))?;
    let sidecar = Sidecar::parse(&bytes).map_err(Failure::sidecar)?;
    if sidecar.sha256.is_some_and(|sha256| sha256 != claim.sha256) {
        return Err(Failure::refused(
            "sidecar-checksum",
            "the document is not the one whose SHA-256 its sidecar gives".to_owned(),
            "drop the document and the sidecar that belongs to it again; if it had Amazon's keys in it, fetch both from Amazon again",
        ));
    }
    Ok(Some(sidecar))
}

/// What the sidecar said; after a crash it may be gone, and the claim's notes remain.
pub(super) fn described(claim: &Claim, sidecar: Option<&Sidecar>) -> DocumentInfo {
    if let Some(sidecar) = sidecar {
        return DocumentInfo::from(sidecar);
    }
    let noted = claim.notes.as_ref().and_then(|notes| notes.get("sidecar"));
    noted.and_then(|noted| serde_json::from_value(noted.clone()).ok()).unwrap_or_default()
}

/// The envelope it was dropped in, where what lies in `work/` is our own sealed form of it.
pub(super) fn dropped_as(claim: &Claim) -> Option<&str> {
    claim.notes.as_ref()?.get("envelope")?.as_str()
}

/// What the claim keeps of a file that is about to be sealed by us.
pub(super) fn notes(described: &DocumentInfo, format: Format) -> Value {
    json!({"sidecar": described, "envelope": envelope_name(format)})
}

impl From<&Sidecar> for DocumentInfo {
    fn from(sidecar: &Sidecar) -> Self {
        Self {
            report_type: sidecar.report_type.clone(),
            document_id: sidecar.document_id.clone(),
            compression: sidecar.compression.clone(),
            data_time: sidecar.data_time,
            marketplace: sidecar.marketplace.clone(),
            charset: sidecar.charset.clone(),
        }
    }
}

/// Replaces the claimed copy by what it holds, sealed to the account's own keys.
pub(super) fn seal(
    account: &IntakeAccount,
    claim: &mut Claim,
    sidecar: Option<&Sidecar>,
    policy: &Policy,
    beat: &dyn Fn(),
) -> Result<(), IntakeTrouble> {
    let file = claim.open().map_err(IntakeTrouble::Read)?;
    let opened = envelope::open(Beating { inner: file, beat }, sidecar, &account.keyring, policy)
        .map_err(|error| IntakeTrouble::Read(error.into()))?;
    seal_from(account, claim, opened.reader)
}

fn seal_from(
    account: &IntakeAccount,
    claim: &mut Claim,
    mut plain: impl Read,
) -> Result<(), IntakeTrouble> {
    let recipients = account.keyring.recipients();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    claim.reseal(|writer| {
        let mut sealer = envelope::seal(writer, &recipients, false)
            .map_err(|error| IntakeTrouble::Read(io::Error::other(error)))?;
        io::copy(&mut plain, &mut sealer).map_err(IntakeTrouble::Read)?;
        sealer.finish().map_err(IntakeTrouble::Read)?;
        Ok(())
    })
}

/// A refused file that is not an age file keeps what it says, sealed to the account's own keys. An AES-CBC
/// document is sealed opened where its key opens it, because that key is destroyed; everything else is
/// sealed byte for byte, so that nothing about its content can keep it from being sealed.
pub(super) fn seal_refused(
    account: &IntakeAccount,
    claim: &mut Claim,
    sidecar: Option<&Sidecar>,
    beat: &dyn Fn(),
) -> Result<(), IntakeTrouble> {
    if is_sealed(account, claim)? {
        return Ok(());
    }
    if sidecar.is_some_and(|sidecar| sidecar.document_key.is_some()) {
        let permissive = Policy { accept_aes_cbc: true, ..account.policy };
        let Err(error) = seal(account, claim, sidecar, &permissive, beat) else { return Ok(()) };
        // The key opens it, so the disk is why it was not sealed: the file waits with its key.
        if opens_whole(account, claim, sidecar, &permissive, beat)? {
            return Err(error);
        }
    }
    let file = claim.open().map_err(IntakeTrouble::Read)?;
    seal_from(account, claim, Beating { inner: file, beat })
}

/// Whether the copy can be opened to its last byte.
fn opens_whole(
    account: &IntakeAccount,
    claim: &Claim,
    sidecar: Option<&Sidecar>,
    policy: &Policy,
    beat: &dyn Fn(),
) -> Result<bool, IntakeTrouble> {
    let file = claim.open().map_err(IntakeTrouble::Read)?;
    let opened = envelope::open(Beating { inner: file, beat }, sidecar, &account.keyring, policy);
    Ok(opened.is_ok_and(|mut opened| io::copy(&mut opened.reader, &mut io::sink()).is_ok()))
}

/// Whether the copy is an age file: by its first line and a header that is one, whatever its recipients are.
fn is_sealed(account: &IntakeAccount, claim: &Claim) -> Result<bool, IntakeTrouble> {
    let mut first = Vec::new();
    let limit = u64::try_from(SNIFF_BYTES).unwrap_or(u64::MAX);
    let file = claim.open().map_err(IntakeTrouble::Read)?;
    file.take(limit).read_to_end(&mut first).map_err(IntakeTrouble::Read)?;
    if first.is_empty() {
        return Ok(true);
    }
    if sniff(&first) == Sniff::Other {
        return Ok(false);
    }
    let file = claim.open().map_err(IntakeTrouble::Read)?;
    Ok(match envelope::open(file, None, &account.keyring, &account.policy) {
        Ok(_) => true,
        Err(error) => !matches!(
            error.code(),
            "envelope-header-invalid"
                | "envelope-header-too-large"
                | "envelope-unknown-version"
                | "envelope-armor-invalid"
                | "envelope-re-encoded"
        ),
    })
}

pub(crate) fn envelope_name(format: Format) -> &'static str {
    match format {
        Format::AgeBinary => "age",
        Format::AgeArmored => "age-armor",
        Format::AesCbc => "aes-cbc",
        Format::Plain => "plain",
    }
}
