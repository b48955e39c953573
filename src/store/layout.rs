//! What lies where on disk, and what is durable when.
//!
//! ```text
//! <state>/                       one per host; 0700
//! ├── LOCK                       flock: one daemon per state directory
//! ├── SCHEMA                     "2\n"; read before anything is touched: another one is refused
//! ├── journal/                   the decision journal (`store::journal`)
//! ├── daykeys/                   never in a backup
//! │   ├── CACHEDIR.TAG
//! │   └── 2025-11-21.key         sealed(master, "daykey", date) 32 random bytes, one per UTC day
//! └── store/                     sled 0.34.7: db, conf, snap.*, blobs/ (always empty)
//!     ├── record                 RecordKey                    → sealed(master) Entry: job + dossier
//!     ├── buyer                  RecordKey ‖ family           → sealed(day)    StoredBuyer
//!     │                          RecordKey ‖ 0                → sealed(day)    Odoo's words on a dead or refused one
//!     ├── file                   file id                      → sealed(master) FileRecord
//!     ├── partner                account tag ‖ mac16          → sealed(master) Odoo id
//!     ├── attention              account tag ‖ 0 ‖ file id    → sealed(master) entries of a file
//!     │                          account tag ‖ 0 ‖ 0(11)      → sealed(master) entries of the account
//!     ├── index                  kind ‖ …                     → "" or one byte
//!     │     D account tag ‖ lane ‖ due ms ‖ rest of RecordKey   pending jobs, by lane and due time
//!     │     H account tag ‖ hold code ‖ mac16(hold key) ‖ rest  held jobs, by what they wait for
//!     │     X account tag ‖ mac16(death code) ‖ rest            dead jobs, by cause
//!     │     A account tag ‖ rest                                orders with an open attention entry
//!     │     A (key in `attention`)                              accounts and files with one
//!     │     T file id ‖ RecordKey → new | changed               orders a file said something new of
//!     │     F account tag ‖ file state ‖ !claimed ms ‖ file id  files, newest first
//!     └── meta                   name [‖ account tag]         → sealed(master)
//!           installation, epoch, account ‖ tag (name, id key check), tally ‖ tag (counters),
//!           pause ‖ tag, pause-all (by whom, since when)
//!           api-key (when Odoo's API key ends, the last warning)
//!           retention (when the clock was last believed, destroyed days, warnings given)
//!           deleted-accepted ‖ tag (as of when what is gone from Odoo was deleted on purpose),
//!           since ‖ tag, odoo ‖ tag (which Odoo its orders stand in: `model::marker`)
//!
//! RecordKey   = account tag(4) ‖ kind(1; 1 = order) ‖ HMAC-SHA-256(id key, kind ‖ natural id)[..16]
//! account tag = SHA-256(account id)[..4]; two accounts with one tag are refused at opening
//! mac16       = HMAC-SHA-256(id key, label ‖ 0 ‖ text)[..16]
//! sealed      = version(1) ‖ length(1) ‖ key id ‖ nonce(24) ‖ XChaCha20-Poly1305(count(2) ‖ bytes)
//! AAD         = schema ‖ tree ‖ 0 ‖ length(2) ‖ key ‖ (nonce of chunk 0, in the others)
//! ```
//!
//! All numbers in keys are big-endian, so that sled's order is theirs. A sealed value is at most
//! 4 KiB, because sled puts big *pages* into blob files that it never syncs; what is longer is
//! split: chunk 0 stands under the key itself and says how many there are, chunk *n* under
//! `key ‖ n(2)`. Every tree's own keys have one length, so chunk keys are told by theirs. A chunk is
//! bound to its chunk 0 by that one's nonce: chunks of two writings never mix.
//!
//! No natural id (order id, SKU, e-mail) stands in a key, and none in a value outside a seal. The
//! `meta` counters make counting free; `Store::verify` recounts.
//!
//! **The order of things.** Every change of an order (dossier, job, buyer, indexes, counters) is
//! one sled transaction: after `kill -9` it is there whole or not at all. After a power cut only
//! what came before the last [`barrier`](super::Store::barrier) is there. A day key is written and
//! synced (file, then folder) before the first value sealed under it. A lease is memory only:
//! on disk a leased job is pending at its due time, so a restart resumes it by itself.
//!
//! **Expiry.** A buyer value names its day in the clear (it is the key id). A day whose age by the
//! clock is above 30 days does not open. It is destroyed in steps, each of which may be the last one
//! before a crash: its mark goes into `meta` (barrier); its key file is overwritten, unlinked, the
//! folder synced; its values are removed, a batch a transaction, and the orders that still waited
//! for them remember it (`expired`). A key that is not there and has the mark is *expired*; without
//! the mark it is *missing*, and the sealed file is read again. See [`retention`](super::retention).

use serde::{Deserialize, Serialize};

use crate::model::{AccountId, FileId, FileState, HoldCode, JobState, Subject};

use super::keys::IdKey;

/// The version of everything in this file and of the decision journal. A new or moved field of a
/// stored type is a new schema; there is no migration.
pub(super) const SCHEMA: u8 = 2;
/// Which odoo-spoold reads each schema before [`SCHEMA`], from schema 1 on.
const EARLIER: &[&str] = &["odoo-spoold 0.1.0 as it was before its first release"];
/// sled's folder within the state directory.
pub(super) const STORE_DIR: &str = "store";
/// The day keys' folder within the state directory.
pub(super) const DAYKEY_DIR: &str = "daykeys";
/// The lock file.
pub(super) const LOCK_FILE: &str = "LOCK";
/// The schema file.
pub(super) const SCHEMA_FILE: &str = "SCHEMA";

/// What a version number found on disk means to this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// The one that it reads and writes.
    Known,
    /// An earlier one, and what reads it.
    Older(&'static str),
    /// A later one.
    Newer,
    /// No version at all: there never was a schema 0.
    None,
}

/// Compares a version number found on disk with [`SCHEMA`].
pub(super) fn version(found: u32) -> Version {
    let known = u32::from(SCHEMA);
    if found == known {
        return Version::Known;
    }
    if found > known {
        return Version::Newer;
    }
    let place = found.checked_sub(1).and_then(|place| usize::try_from(place).ok());
    place.and_then(|place| EARLIER.get(place)).map_or(Version::None, |&reads| Version::Older(reads))
}

/// Largest sealed value, in bytes: 17 of them in one leaf stay far below sled's blob limit.
pub(super) const MAX_SEALED_BYTES: usize = 4096;
/// Largest plaintext of one logical value, in bytes, over all its chunks.
pub(super) const MAX_VALUE_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of a [`RecordKey`].
pub(super) const RECORD_KEY_BYTES: usize = 21;
/// Bytes of an account tag.
pub(super) const TAG_BYTES: usize = 4;

/// The trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Tree {
    /// Jobs and dossiers.
    Record,
    /// Buyers, under day keys.
    Buyer,
    /// Files.
    File,
    /// Partners in Odoo.
    Partner,
    /// What is to be looked at of files and of accounts.
    Attention,
    /// All indexes.
    Index,
    /// Schema, accounts, counters.
    Meta,
}

impl Tree {
    /// All of them.
    pub(super) const ALL: [Self; 7] = [
        Self::Record,
        Self::Buyer,
        Self::File,
        Self::Partner,
        Self::Attention,
        Self::Index,
        Self::Meta,
    ];

    /// Its name in sled, in subkeys and in associated data.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Buyer => "buyer",
            Self::File => "file",
            Self::Partner => "partner",
            Self::Attention => "attention",
            Self::Index => "index",
            Self::Meta => "meta",
        }
    }
}

/// First bytes of SHA-256 of the account id: groups an account's keys without naming it.
pub(super) type AccountTag = [u8; TAG_BYTES];

/// The kind byte of orders in a [`RecordKey`]; listings, shipments, settlements follow.
pub(super) const KIND_ORDER: u8 = 1;

/// The key of one record: says which account, and nothing else to who has no id key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey([u8; RECORD_KEY_BYTES]);

impl RecordKey {
    /// A key of no account.
    #[cfg(test)]
    pub(crate) fn for_tests(number: u8) -> Self {
        Self::new([0; 4], KIND_ORDER, [number; 16])
    }

    pub(super) fn new(tag: AccountTag, kind: u8, mac: [u8; 16]) -> Self {
        let mut bytes = [0; RECORD_KEY_BYTES];
        let parts = tag.into_iter().chain([kind]).chain(mac);
        for (place, byte) in bytes.iter_mut().zip(parts) {
            *place = byte;
        }
        Self(bytes)
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn tag(&self) -> AccountTag {
        let [a, b, c, d, ..] = self.0;
        [a, b, c, d]
    }

    /// All but the account tag, which stands first in every index of jobs.
    fn rest(&self) -> &[u8] {
        self.0.get(TAG_BYTES..).unwrap_or_default()
    }
}

impl std::fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl std::fmt::Display for RecordKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // invariant: writing to a String does not fail.
        let _ignored = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of an even number of hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

// === keys of `index` ===

pub(super) const DUE: u8 = b'D';
pub(super) const HELD: u8 = b'H';
pub(super) const DEAD: u8 = b'X';
pub(super) const ATTENTION: u8 = b'A';
pub(super) const TOUCH: u8 = b'T';
pub(super) const FILE_TIME: u8 = b'F';

/// Milliseconds since 1970 as they stand in keys; earlier instants count as 1970.
pub(super) fn key_ms(ms: i64) -> [u8; 8] {
    u64::try_from(ms).unwrap_or(0).to_be_bytes()
}

/// The head of all index keys of one kind and account.
pub(super) fn index_head(kind: u8, tag: AccountTag) -> Vec<u8> {
    let mut key = Vec::with_capacity(40);
    key.push(kind);
    key.extend(tag);
    key
}

/// Which pending jobs go first; the byte stands in the due key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum DueLane {
    /// Changes and cancellations of what stands in Odoo, and what a person decided.
    Change,
    /// Everything else: mostly orders that are to be created.
    New,
}

impl DueLane {
    /// All lanes, the first one first.
    pub(super) const ALL: [Self; 2] = [Self::Change, Self::New];

    fn byte(self) -> u8 {
        match self {
            Self::Change => 0,
            Self::New => 1,
        }
    }
}

/// The head of the pending jobs of an account in one lane.
pub(super) fn due_head(tag: AccountTag, lane: DueLane) -> Vec<u8> {
    let mut key = index_head(DUE, tag);
    key.push(lane.byte());
    key
}

/// Where pending jobs of an account and lane that are due at `ms` start.
pub(super) fn due_from(tag: AccountTag, lane: DueLane, ms: i64) -> Vec<u8> {
    let mut key = due_head(tag, lane);
    key.extend(key_ms(ms));
    key
}

/// The due time within a due key, in ms.
pub(super) fn due_of(index_key: &[u8]) -> Option<i64> {
    let ms = index_key.get(2 + TAG_BYTES..2 + TAG_BYTES + 8)?;
    i64::try_from(u64::from_be_bytes(ms.try_into().ok()?)).ok()
}

/// The keys under which a job stands in `index`.
pub(super) fn index_keys(
    key: &RecordKey,
    id_key: &IdKey,
    state: &JobState,
    (lane, due_ms): (DueLane, i64),
) -> Vec<Vec<u8>> {
    let end = |mut head: Vec<u8>| {
        head.extend(key.rest());
        head
    };
    match state {
        JobState::Pending | JobState::Started => vec![end(due_from(key.tag(), lane, due_ms))],
        JobState::Held(holds) => {
            let mut keys: Vec<Vec<u8>> = holds
                .iter()
                .map(|hold| end(held_head(key.tag(), hold.code, Some((id_key, &hold.key)))))
                .collect();
            keys.sort();
            keys.dedup();
            keys
        }
        JobState::Dead(death) => vec![end(dead_head(key.tag(), Some((id_key, &death.code))))],
        JobState::Done(_) => Vec::new(),
    }
}

/// The key under which an order with an open attention entry stands in `index`.
pub(super) fn attention_key(key: &RecordKey) -> Vec<u8> {
    let mut head = index_head(ATTENTION, key.tag());
    head.extend(key.rest());
    head
}

/// The key of a file's or an account's entries in [`Tree::Attention`], and behind the kind byte in
/// `index`; none of an order. No record is of kind 0, so accounts and files come first there.
pub(super) fn subject_key(tag: AccountTag, subject: &Subject) -> Option<Vec<u8>> {
    let mut key = tag.to_vec();
    key.push(0);
    match subject {
        Subject::Record(_) => return None,
        Subject::File(file) => key.extend(file.as_str().as_bytes()),
        Subject::Account => key.extend([0; FileId::LEN]),
    }
    Some(key)
}

/// The account tag of a key in [`Tree::Attention`], and whether it is a file's; none of a later chunk.
pub(super) fn subject_of(key: &[u8]) -> Option<(AccountTag, bool)> {
    let whole = key.len() == TAG_BYTES + 1 + FileId::LEN;
    let tag = key.get(..TAG_BYTES).filter(|_| whole)?.try_into().ok()?;
    Some((tag, key.last().is_some_and(|&byte| byte != 0)))
}

/// The head of the held jobs of an account with this code, and this key if given.
pub(super) fn held_head(tag: AccountTag, code: HoldCode, key: Option<(&IdKey, &str)>) -> Vec<u8> {
    let mut head = index_head(HELD, tag);
    head.push(hold_byte(code));
    if let Some((id_key, text)) = key {
        head.extend(id_key.mac("hold", text.as_bytes()));
    }
    head
}

/// The head of the dead jobs of an account, of this cause if given.
pub(super) fn dead_head(tag: AccountTag, cause: Option<(&IdKey, &str)>) -> Vec<u8> {
    let mut head = index_head(DEAD, tag);
    if let Some((id_key, code)) = cause {
        head.extend(id_key.mac("death", code.as_bytes()));
    }
    head
}

/// The record that an index key of a job or a touch ends with.
pub(super) fn record_of(index_key: &[u8]) -> Option<RecordKey> {
    let tail = |bytes: usize| index_key.len().checked_sub(bytes).and_then(|at| index_key.get(at..));
    if index_key.first() == Some(&TOUCH) {
        return RecordKey::from_slice(tail(RECORD_KEY_BYTES)?);
    }
    let mut bytes = index_key.get(1..=TAG_BYTES)?.to_vec();
    bytes.extend(tail(RECORD_KEY_BYTES - TAG_BYTES)?);
    RecordKey::from_slice(&bytes)
}

/// The head of the orders of a file.
pub(super) fn touch_head(file: &FileId) -> Vec<u8> {
    let mut key = vec![TOUCH];
    key.extend(file.as_str().as_bytes());
    key
}

/// The file that a touch begins with.
pub(super) fn file_in_touch(index_key: &[u8]) -> Option<FileId> {
    let end = index_key.len().checked_sub(RECORD_KEY_BYTES)?;
    std::str::from_utf8(index_key.get(1..end)?).ok()?.parse().ok()
}

/// An order that a file said something new of.
pub(super) fn touch_key(file: &FileId, record: &RecordKey) -> Vec<u8> {
    let mut key = touch_head(file);
    key.extend(record.as_bytes());
    key
}

/// The head of the files of an account in one state, newest first.
pub(super) fn file_time_head(tag: AccountTag, state: FileState) -> Vec<u8> {
    let mut key = index_head(FILE_TIME, tag);
    key.push(match state {
        FileState::Work => 1,
        FileState::Done => 2,
        FileState::Rejected => 3,
    });
    key
}

/// Where a file stands among those of its account and state.
pub(super) fn file_time_key(
    tag: AccountTag,
    state: FileState,
    claimed_ms: i64,
    id: &FileId,
) -> Vec<u8> {
    let mut key = file_time_head(tag, state);
    key.extend(key_ms(claimed_ms).map(|byte| !byte));
    key.extend(id.as_str().as_bytes());
    key
}

/// The file that a file-time key ends with.
pub(super) fn file_of(index_key: &[u8]) -> Option<&[u8]> {
    index_key.get(1 + TAG_BYTES + 1 + 8..)
}

/// The key of a buyer value.
pub(super) fn buyer_key(record: &RecordKey, family_tag: u8) -> Vec<u8> {
    let mut key = record.as_bytes().to_vec();
    key.push(family_tag);
    key
}

/// The key of chunk `number` of the value under `key`; chunk 0 stands under the key itself.
pub(super) fn chunk_key(key: &[u8], number: u16) -> Vec<u8> {
    let mut chunk = key.to_vec();
    if number > 0 {
        chunk.extend(number.to_be_bytes());
    }
    chunk
}

/// The first key that is not under `head`; none when there is no such key.
pub(super) fn after_head(head: &[u8]) -> Option<Vec<u8>> {
    let mut end = head.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// A key of `meta` that belongs to an account.
pub(super) fn meta_key(name: &str, tag: AccountTag) -> Vec<u8> {
    let mut key = name.as_bytes().to_vec();
    key.push(b'/');
    key.extend(tag);
    key
}

/// The account tag of an account id.
pub(super) fn account_tag(account: &AccountId) -> AccountTag {
    use sha2::Digest as _;
    let [a, b, c, d, ..]: [u8; 32] = sha2::Sha256::digest(account.as_str().as_bytes()).into();
    [a, b, c, d]
}

/// The byte of a hold code in keys: stable, whatever the enum's order.
pub(super) fn hold_byte(code: HoldCode) -> u8 {
    match code {
        HoldCode::Sku => 1,
        HoldCode::Price => 2,
        HoldCode::Address => 3,
        HoldCode::Release => 4,
        HoldCode::Marketplace => 5,
        HoldCode::Warehouse => 6,
        HoldCode::Pricelist => 7,
        HoldCode::Tax => 8,
        HoldCode::Row => 9,
        HoldCode::Account => 10,
        HoldCode::Existing => 11,
        HoldCode::Total => 12,
        HoldCode::Conflict => 13,
        HoldCode::CancellationRequested => 14,
        HoldCode::Wizard => 15,
        HoldCode::AddressExpired => 16,
        HoldCode::UnknownAmount => 17,
        HoldCode::Refused => 18,
        HoldCode::Invisible => 19,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_earlier_schema_says_what_reads_it() {
        assert_eq!(EARLIER.len() + 1, usize::from(SCHEMA));
        assert_eq!(version(SCHEMA.into()), Version::Known);
        assert_eq!(version(1), Version::Older(EARLIER[0]));
        assert_eq!(version(u32::from(SCHEMA) + 1), Version::Newer);
        assert_eq!(version(0), Version::None);
    }

    #[test]
    fn index_keys_end_in_their_record() {
        let id_key = IdKey::new(&[7; 32]);
        let record = RecordKey::new([1, 2, 3, 4], KIND_ORDER, [9; 16]);
        let states = [
            JobState::Pending,
            JobState::Held(vec![
                crate::model::Hold::new(HoldCode::Sku, "A", ""),
                crate::model::Hold::new(HoldCode::Tax, "B", ""),
            ]),
            JobState::Dead(crate::model::Death { code: "x".into(), words: String::new() }),
        ];
        assert_eq!(record_of(&attention_key(&record)), Some(record));
        for (subject, is_file) in
            [(Subject::Account, false), (Subject::File(FileId::from_bits(0)), true)]
        {
            let key = subject_key([1, 2, 3, 4], &subject).unwrap();
            assert_eq!(subject_of(&key), Some(([1, 2, 3, 4], is_file)));
            assert_ne!(key.len(), RECORD_KEY_BYTES);
        }
        for state in states {
            for key in index_keys(&record, &id_key, &state, (DueLane::New, 5)) {
                assert_eq!(record_of(&key), Some(record));
            }
        }
        let file = FileId::from_bits(99);
        assert_eq!(record_of(&touch_key(&file, &record)), Some(record));
        assert_eq!(
            file_of(&file_time_key([1; 4], FileState::Done, 3, &file)),
            Some(file.as_str().as_bytes())
        );
    }

    #[test]
    fn due_keys_sort_by_time() {
        let times = [i64::MIN, 0, 1, 255, 256, 1_700_000_000_000, i64::MAX];
        let keys: Vec<_> = times.iter().map(|&ms| due_from([0; 4], DueLane::New, ms)).collect();
        assert!(keys.is_sorted());
        assert_eq!(
            due_of(&due_from([0; 4], DueLane::Change, 1_700_000_000_000)),
            Some(1_700_000_000_000)
        );
    }

    #[test]
    fn the_end_of_a_head_is_the_next_key() {
        assert_eq!(after_head(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after_head(&[1, 255]), Some(vec![2]));
        assert_eq!(after_head(&[255, 255]), None);
    }

    #[test]
    fn hex_round_trips() {
        assert_eq!(unhex(&hex(&[0, 1, 254, 255])), Some(vec![0, 1, 254, 255]));
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("zz"), None);
    }
}
