//! Reading the decision journal: its head, and frame after frame, past what is damaged.
//!
//! Promises: never panics whatever the bytes are, holds at most one frame in memory, and accounts
//! for every byte: a note is returned, or its place is in the [`JournalReport`]. Does not: write.

use std::collections::VecDeque;
use std::io::Read;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::model::Note;

use super::error::StoreError;
use super::keys::Keyring;
use super::layout::{self, SCHEMA, Version};
use super::seal::{self, Seal, SealError};

/// Bytes of one copy of the head; there are two.
pub(super) const HEAD_BYTES: usize = 128;
/// Bytes of both.
pub(super) const HEADS_BYTES: u64 = 256;
const MAGIC: &[u8; 8] = b"spooldJ\n";
/// A journal holds stored types: its version is theirs.
const VERSION: u8 = SCHEMA;
/// Bytes of a journal id.
pub(super) const ID_BYTES: usize = 16;
const SUM_BYTES: usize = 8;

/// What a frame begins with.
const MARK: &[u8; 4] = b"\xF5nt\n";
/// Bytes before a frame's sealed part: mark, number, length, check.
pub(super) const FRAME_HEAD_BYTES: usize = 20;
/// Longest sealed part of a frame, in bytes: a `Kept` order is the largest by far.
pub(super) const MAX_FRAME_BYTES: usize = 16 * 1024 * 1024;
const SPACE: &str = "journal";

/// What was found when the decision journal was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalReport {
    /// Notes that could be read.
    pub notes: u64,
    /// Of these, batches of deliveries.
    pub deliveries: u64,
    /// An entry that a crash left half written, cut off: where it began, and how many bytes.
    /// Nobody had been told that it was there.
    pub torn: Option<(u64, u64)>,
    /// Places that could not be read. What stood there is lost; all else was used.
    pub damage: Vec<Damage>,
}

/// A place in the journal that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    /// Its offset.
    pub at: u64,
    /// How many bytes; 0 where entries were cut out.
    pub bytes: u64,
    /// How many entries are missing, as far as their numbers tell.
    pub lost: u64,
}

/// What the head of a journal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: [u8; ID_BYTES],
    /// Size after the last compaction, in bytes.
    pub(super) live: u64,
    /// The key it was made under.
    pub(super) key_id: String,
}

/// Both copies of a head.
pub(super) fn write_head(id: &[u8; ID_BYTES], live: u64, keyring: &Keyring) -> Option<Vec<u8>> {
    let key_id = keyring.current_id();
    let mut copy = MAGIC.to_vec();
    copy.push(VERSION);
    copy.extend(id);
    copy.extend(live.to_be_bytes());
    let aad = seal::associated(SPACE, id, b"head");
    let sealed = seal::seal(&*keyring.journal(key_id)?, key_id, &aad, b"")?;
    copy.push(u8::try_from(sealed.len()).ok()?);
    copy.extend(sealed);
    copy.resize(HEAD_BYTES.checked_sub(SUM_BYTES)?, 0);
    let sum = Sha256::digest(&copy);
    copy.extend(sum.iter().take(SUM_BYTES));
    Some(copy.repeat(2))
}

/// The head, from whichever copy is whole.
pub(super) fn read_head(
    bytes: &[u8],
    path: &Path,
    keyring: &Keyring,
) -> Result<(Head, Option<Damage>), StoreError> {
    let mut refusal = StoreError::JournalHead { path: path.to_owned() };
    let mut damage = None;
    for (copy, at) in bytes.chunks_exact(HEAD_BYTES).take(2).zip([0_u64, 128]) {
        match read_copy(copy, path, keyring) {
            Ok(Some(head)) => {
                // The first copy was broken, or the second is.
                if damage.is_none() {
                    let second = bytes.get(HEAD_BYTES..HEAD_BYTES.saturating_mul(2));
                    if at == 0 && second != Some(copy) {
                        damage = Some(Damage { at: 128, bytes: 128, lost: 0 });
                    }
                }
                return Ok((head, damage));
            }
            Ok(None) => damage = Some(Damage { at, bytes: 128, lost: 0 }),
            Err(error) => {
                refusal = error;
                break;
            }
        }
    }
    Err(refusal)
}

/// None where the copy is damaged.
fn read_copy(copy: &[u8], path: &Path, keyring: &Keyring) -> Result<Option<Head>, StoreError> {
    let Some((body, sum)) = copy.split_last_chunk::<SUM_BYTES>() else { return Ok(None) };
    if !Sha256::digest(body).starts_with(sum) {
        return Ok(None);
    }
    let Some(rest) = body.strip_prefix(MAGIC) else { return Ok(None) };
    let Some((&[version], rest)) = rest.split_first_chunk::<1>() else { return Ok(None) };
    check_version(version, path)?;
    let Some((id, rest)) = rest.split_first_chunk::<ID_BYTES>() else { return Ok(None) };
    let Some((live, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
    let Some((&[length], rest)) = rest.split_first_chunk::<1>() else { return Ok(None) };
    let Some(sealed) = rest.get(..length.into()) else { return Ok(None) };
    let Ok(seal) = Seal::parse(sealed) else { return Ok(None) };
    let key_id = seal.key_id.to_owned();
    let Some(cipher) = keyring.journal(&key_id) else {
        return Err(StoreError::UnknownKey { key_id });
    };
    // The sum is right, so it is the key that is wrong.
    match seal.open(&cipher, &seal::associated(SPACE, id, b"head")) {
        Ok(_) => Ok(Some(Head { id: *id, live: u64::from_be_bytes(*live), key_id })),
        Err(SealError::Damaged | SealError::UnknownKey(_)) => Err(StoreError::WrongKey { key_id }),
    }
}

/// Refuses the version of another program; damage has none.
fn check_version(found: u8, path: &Path) -> Result<(), StoreError> {
    match layout::version(found.into()) {
        Version::Known => Ok(()),
        Version::Newer => Err(StoreError::JournalVersion { path: path.to_owned(), found }),
        Version::Older(reads) => Err(StoreError::OlderSchema {
            path: path.to_owned(),
            found: found.into(),
            known: SCHEMA.into(),
            reads,
        }),
        Version::None => Err(StoreError::JournalHead { path: path.to_owned() }),
    }
}

/// Refuses a journal of another version by its head alone, without a key. What is damaged in both
/// copies is left to [`read_head`].
pub(super) fn refuse_other_versions(bytes: &[u8], path: &Path) -> Result<(), StoreError> {
    let version = bytes.chunks_exact(HEAD_BYTES).take(2).find_map(|copy| {
        let (body, sum) = copy.split_last_chunk::<SUM_BYTES>()?;
        let whole = Sha256::digest(body).starts_with(sum);
        body.strip_prefix(MAGIC).filter(|_| whole)?.first().copied()
    });
    version.map_or(Ok(()), |version| check_version(version, path))
}

fn frame_aad(id: &[u8; ID_BYTES], number: u64) -> Vec<u8> {
    let mut key = id.to_vec();
    key.extend(number.to_be_bytes());
    seal::associated(SPACE, &key, b"")
}

/// One note as a frame. None only where it is larger than any note may be.
pub(super) fn write_frame(
    id: &[u8; ID_BYTES],
    number: u64,
    plain: &[u8],
    keyring: &Keyring,
) -> Option<Vec<u8>> {
    let key_id = keyring.current_id();
    let aad = frame_aad(id, number);
    let sealed = seal::seal(&*keyring.journal(key_id)?, key_id, &aad, plain)?;
    if sealed.len() > MAX_FRAME_BYTES {
        return None;
    }
    let mut frame = MARK.to_vec();
    frame.extend(number.to_be_bytes());
    frame.extend(u32::try_from(sealed.len()).ok()?.to_be_bytes());
    let check = Sha256::digest(&frame);
    frame.extend(check.iter().take(4));
    frame.extend(sealed);
    Some(frame)
}

/// The number and length in a frame's head, where that is whole.
fn frame_head(head: &[u8]) -> Option<(u64, usize)> {
    let (body, check) = head.get(..FRAME_HEAD_BYTES)?.split_last_chunk::<4>()?;
    if !Sha256::digest(body).starts_with(check) {
        return None;
    }
    let (number, length) = body.strip_prefix(MARK)?.split_first_chunk::<8>()?;
    let length: [u8; 4] = length.try_into().ok()?;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    (length <= MAX_FRAME_BYTES).then_some((u64::from_be_bytes(*number), length))
}

/// Reads frames from behind the head to the end.
#[derive(Debug)]
pub(super) struct Frames<'a, R> {
    source: R,
    keyring: &'a Keyring,
    id: [u8; ID_BYTES],
    buffer: VecDeque<u8>,
    ended: bool,
    /// Offset of the buffer's first byte.
    at: u64,
    /// Where what cannot be read began.
    bad_from: Option<u64>,
    /// The number that comes next.
    pub(super) next: u64,
    pub(super) report: JournalReport,
}

impl<'a, R: Read> Frames<'a, R> {
    /// `source` stands behind the head.
    pub(super) fn new(source: R, id: [u8; ID_BYTES], keyring: &'a Keyring) -> Self {
        let report = JournalReport::default();
        Self {
            source,
            keyring,
            id,
            buffer: VecDeque::new(),
            ended: false,
            at: HEADS_BYTES,
            bad_from: None,
            next: 1,
            report,
        }
    }

    /// Where the readable part and what is only damaged ends: where the next frame belongs.
    pub(super) fn end(&self) -> u64 {
        self.report.torn.map_or(self.at, |(at, _)| at)
    }

    /// The next note that can be read; none at the end.
    pub(super) fn next_note(&mut self) -> std::io::Result<Option<Note>> {
        loop {
            self.fill(FRAME_HEAD_BYTES)?;
            if self.buffer.is_empty() {
                self.close_bad(0);
                return Ok(None);
            }
            let head = frame_head(self.buffer.make_contiguous());
            let Some((number, length)) = head else {
                if self.ended && self.bad_from.is_none() && self.looks_torn() {
                    return Ok(self.tear());
                }
                self.skip_to_mark()?;
                continue;
            };
            let whole = FRAME_HEAD_BYTES.saturating_add(length);
            self.fill(whole)?;
            let Some(sealed) = self.buffer.make_contiguous().get(FRAME_HEAD_BYTES..whole) else {
                // The head is whole and the rest is not there: a crash while it was written,
                // unless what follows shows that the length is not to be believed.
                if self.bad_from.is_none() {
                    return Ok(self.tear());
                }
                self.skip_to_mark()?;
                continue;
            };
            let Some(note) = open(self.keyring, &self.id, number, sealed) else {
                self.skip_to_mark()?;
                continue;
            };
            if number < self.next {
                // Genuine, but not in its place.
                self.skip_to_mark()?;
                continue;
            }
            self.close_bad(number.saturating_sub(self.next));
            self.drop_front(whole);
            self.next = number.saturating_add(1);
            self.report.notes = self.report.notes.saturating_add(1);
            if matches!(note, Note::Delivered { .. }) {
                self.report.deliveries = self.report.deliveries.saturating_add(1);
            }
            return Ok(Some(note));
        }
    }

    /// Reads until the buffer holds `wanted` bytes or the source ends.
    fn fill(&mut self, wanted: usize) -> std::io::Result<()> {
        let mut block = [0_u8; 8192];
        while self.buffer.len() < wanted && !self.ended {
            match self.source.read(&mut block) {
                Ok(0) => self.ended = true,
                Ok(read) => self.buffer.extend(block.iter().take(read)),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn drop_front(&mut self, bytes: usize) {
        let dropped = self.buffer.drain(..bytes.min(self.buffer.len())).count();
        self.at = self.at.saturating_add(u64::try_from(dropped).unwrap_or(u64::MAX));
    }

    /// Goes on behind the buffer's first byte, to the next place that could be a frame.
    fn skip_to_mark(&mut self) -> std::io::Result<()> {
        self.bad_from.get_or_insert(self.at);
        self.drop_front(1);
        loop {
            self.fill(MARK.len())?;
            let bytes = self.buffer.make_contiguous();
            let found = bytes.windows(MARK.len()).position(|window| window == MARK);
            match found {
                Some(place) => {
                    self.drop_front(place);
                    return Ok(());
                }
                None if self.ended => {
                    self.drop_front(self.buffer.len());
                    return Ok(());
                }
                // The mark may begin in the last bytes.
                None => {
                    let keep = MARK.len().saturating_sub(1);
                    self.drop_front(self.buffer.len().saturating_sub(keep));
                }
            }
        }
    }

    /// At the end, with less than a frame's head left: the beginning of one, or never written.
    fn looks_torn(&mut self) -> bool {
        let rest = self.buffer.make_contiguous();
        let begun = rest.len() < FRAME_HEAD_BYTES && {
            let known = rest.len().min(MARK.len());
            rest.get(..known) == MARK.get(..known)
        };
        begun || rest.iter().all(|&byte| byte == 0)
    }

    fn tear(&mut self) -> Option<Note> {
        let bytes = u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
        self.report.torn = Some((self.at, bytes));
        self.drop_front(self.buffer.len());
        None
    }

    /// Ends a place that could not be read, before a good frame or at the end.
    fn close_bad(&mut self, lost: u64) {
        let from = self.bad_from.take();
        if from.is_none() && lost == 0 {
            return;
        }
        let at = from.unwrap_or(self.at);
        let bytes = self.at.saturating_sub(at);
        self.report.damage.push(Damage { at, bytes, lost });
    }
}

fn open(keyring: &Keyring, id: &[u8; ID_BYTES], number: u64, sealed: &[u8]) -> Option<Note> {
    let seal = Seal::parse(sealed).ok()?;
    let cipher = keyring.journal(seal.key_id)?;
    let plain = seal.open(&cipher, &frame_aad(id, number)).ok()?;
    postcard::from_bytes(&plain).ok()
}
