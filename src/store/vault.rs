//! The trees, and sealed values in them.
//!
//! A value may be longer than a sealed cell: [`put`] splits it, [`Vault::get`] joins it.
//! Changes are gathered in [`Changes`] and applied as one transaction; reads see the gathered ones.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sled::Transactional as _;
use sled::transaction::{ConflictableTransactionError, TransactionError, TransactionalTree};
use zeroize::Zeroizing;

use super::error::StoreError;
use super::keys::{Cipher, Keyring};
use super::layout::{MAX_SEALED_BYTES, MAX_VALUE_BYTES, Tree, chunk_key, hex};
use super::seal::{self, Seal, SealError};

/// sled's trees and the master keys.
#[derive(Debug)]
pub(super) struct Vault {
    path: PathBuf,
    record: sled::Tree,
    buyer: sled::Tree,
    file: sled::Tree,
    partner: sled::Tree,
    attention: sled::Tree,
    index: sled::Tree,
    meta: sled::Tree,
    keyring: Keyring,
    /// A write failed. sled remembers that for ever, and so do we.
    failed: AtomicBool,
    /// How many values were opened.
    #[cfg(test)]
    pub(super) opened: std::sync::atomic::AtomicU64,
}

/// Cells that are written (`Some`) and removed (`None`).
type Cells = BTreeMap<(Tree, Vec<u8>), Option<Vec<u8>>>;

/// What one transaction writes and removes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    kept: Cells,
    /// What was gathered since [`Changes::attempt`], while it may still be given up.
    trial: Option<Cells>,
}

/// A logical value as it was found.
#[derive(Debug)]
pub(super) enum Cell {
    /// There is none.
    Absent,
    /// It opened.
    Open(Opened),
    /// It did not open.
    Locked(SealError),
}

/// An opened value.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) plain: Zeroizing<Vec<u8>>,
    /// How many cells it takes: who overwrites it with fewer removes the rest.
    pub(super) chunks: u16,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.trial.is_none()
    }

    /// From here on what is gathered may be given up.
    pub(super) fn attempt(&mut self) {
        self.keep();
        self.trial = Some(Cells::new());
    }

    /// Keeps what was gathered since the attempt began.
    pub(super) fn keep(&mut self) {
        self.kept.extend(self.trial.take().unwrap_or_default());
    }

    /// Gives up what was gathered since the attempt began.
    pub(super) fn give_up(&mut self) {
        self.trial = None;
    }

    fn cells(&mut self) -> &mut Cells {
        self.trial.as_mut().unwrap_or(&mut self.kept)
    }

    pub(super) fn insert(&mut self, tree: Tree, key: Vec<u8>, value: Vec<u8>) {
        self.cells().insert((tree, key), Some(value));
    }

    pub(super) fn remove(&mut self, tree: Tree, key: Vec<u8>) {
        self.cells().insert((tree, key), None);
    }

    /// What will stand under `key`; none where this leaves it as it is.
    fn get(&self, tree: Tree, key: &[u8]) -> Option<&Option<Vec<u8>>> {
        // An allocation per look-up, beside a decryption.
        let place = (tree, key.to_vec());
        let trial = self.trial.as_ref().and_then(|trial| trial.get(&place));
        trial.or_else(|| self.kept.get(&place))
    }
}

impl Vault {
    pub(super) fn open(db: &sled::Db, path: &Path, keyring: Keyring) -> Result<Self, StoreError> {
        let tree = |tree: Tree| {
            db.open_tree(tree.name()).map_err(|error| engine(path, "opening a tree", &error))
        };
        Ok(Self {
            path: path.to_owned(),
            record: tree(Tree::Record)?,
            buyer: tree(Tree::Buyer)?,
            file: tree(Tree::File)?,
            partner: tree(Tree::Partner)?,
            attention: tree(Tree::Attention)?,
            index: tree(Tree::Index)?,
            meta: tree(Tree::Meta)?,
            keyring,
            failed: AtomicBool::new(false),
            #[cfg(test)]
            opened: std::sync::atomic::AtomicU64::new(0),
        })
    }

    fn tree(&self, tree: Tree) -> &sled::Tree {
        match tree {
            Tree::Record => &self.record,
            Tree::Buyer => &self.buyer,
            Tree::File => &self.file,
            Tree::Partner => &self.partner,
            Tree::Attention => &self.attention,
            Tree::Index => &self.index,
            Tree::Meta => &self.meta,
        }
    }

    /// The id of the master key that seals.
    pub(super) fn current_key(&self) -> &str {
        self.keyring.current_id()
    }

    /// The ids of the other master keys.
    pub(super) fn older_keys(&self) -> Vec<String> {
        self.keyring.older_ids()
    }

    /// The cipher of `tree` under the master key `id`.
    pub(super) fn cipher(&self, id: &str, tree: Tree) -> Option<Cipher> {
        self.keyring.tree(id, tree)
    }

    /// One raw cell, gathered changes first.
    pub(super) fn raw(
        &self,
        changes: &Changes,
        tree: Tree,
        key: &[u8],
    ) -> Result<Option<sled::IVec>, StoreError> {
        if let Some(pending) = changes.get(tree, key) {
            return Ok(pending.as_deref().map(sled::IVec::from));
        }
        self.tree(tree).get(key).map_err(|error| engine(&self.path, "reading", &error))
    }

    /// The cells of `tree` in `from..to` that are already applied, in order.
    pub(super) fn range<'a>(
        &'a self,
        tree: Tree,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> impl DoubleEndedIterator<Item = Result<(sled::IVec, sled::IVec), StoreError>> + use<'a>
    {
        use std::ops::Bound;
        let end = to.map_or(Bound::Unbounded, |to| Bound::Excluded(to.max(from)));
        self.tree(tree)
            .range::<&[u8], _>((Bound::Included(from), end))
            .map(|cell| cell.map_err(|error| engine(&self.path, "scanning", &error)))
    }

    /// The cells whose keys start with `head`, in order.
    pub(super) fn under<'a>(
        &'a self,
        tree: Tree,
        head: &[u8],
    ) -> impl Iterator<Item = Result<(sled::IVec, sled::IVec), StoreError>> + use<'a> {
        self.range(tree, head, super::layout::after_head(head).as_deref())
    }

    /// Whether a write failed: sled writes nothing more.
    pub(super) fn failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Applies all changes, or none.
    pub(super) fn apply(&self, changes: &Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let trees = (
            &self.record,
            &self.buyer,
            &self.file,
            &self.partner,
            &self.attention,
            &self.index,
            &self.meta,
        );
        let done = trees.transaction(|(record, buyer, file, partner, attention, index, meta)| {
            for ((tree, key), value) in changes.kept.iter().chain(changes.trial.iter().flatten()) {
                let tree: &TransactionalTree = match tree {
                    Tree::Record => record,
                    Tree::Buyer => buyer,
                    Tree::File => file,
                    Tree::Partner => partner,
                    Tree::Attention => attention,
                    Tree::Index => index,
                    Tree::Meta => meta,
                };
                match value {
                    Some(value) => tree.insert(key.as_slice(), value.as_slice())?,
                    None => tree.remove(key.as_slice())?,
                };
            }
            Ok::<(), ConflictableTransactionError<Infallible>>(())
        });
        match done {
            Ok(()) => Ok(()),
            Err(TransactionError::Storage(error)) => {
                self.failed.store(true, Ordering::SeqCst);
                Err(engine(&self.path, "writing", &error))
            }
            Err(TransactionError::Abort(never)) => match never {},
        }
    }

    // === sealed values ===

    /// The logical value under `key`, opened with the cipher that `cipher` finds for its key id.
    pub(super) fn get(
        &self,
        changes: &Changes,
        tree: Tree,
        key: &[u8],
        cipher: impl Fn(&str) -> Option<Cipher>,
    ) -> Result<Cell, StoreError> {
        match self.raw(changes, tree, key)? {
            None => Ok(Cell::Absent),
            Some(first) => self.join(changes, tree, key, &first, cipher),
        }
    }

    /// Opens the value whose chunk 0 is `first`.
    fn join(
        &self,
        changes: &Changes,
        tree: Tree,
        key: &[u8],
        first: &[u8],
        cipher: impl Fn(&str) -> Option<Cipher>,
    ) -> Result<Cell, StoreError> {
        #[cfg(test)]
        self.opened.fetch_add(1, Ordering::Relaxed);
        let damaged = Ok(Cell::Locked(SealError::Damaged));
        let Ok(head) = Seal::parse(first) else { return damaged };
        let Some(cipher) = cipher(head.key_id) else {
            return Ok(Cell::Locked(SealError::UnknownKey(head.key_id.to_owned())));
        };
        let Ok(mut plain) =
            head.open(&cipher, &seal::associated(tree.name(), key, b"")).map(Zeroizing::new)
        else {
            return damaged;
        };
        // The count stands last, so that taking it off moves nothing.
        let Some(chunks) =
            plain.split_last_chunk::<2>().map(|(_, count)| u16::from_be_bytes(*count))
        else {
            return damaged;
        };
        let bytes = plain.len().saturating_sub(2);
        plain.truncate(bytes);
        for number in 1..chunks {
            let key = chunk_key(key, number);
            let Some(cell) = self.raw(changes, tree, &key)? else { return damaged };
            let aad = seal::associated(tree.name(), &key, head.nonce);
            let Ok(seal) = Seal::parse(&cell) else { return damaged };
            let Ok(part) = seal.open(&cipher, &aad).map(Zeroizing::new) else { return damaged };
            plain.extend_from_slice(&part);
        }
        Ok(Cell::Open(Opened { plain, chunks }))
    }

    // === typed values under the master key ===

    /// The value under `key`, and how many cells it takes.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        changes: &Changes,
        tree: Tree,
        key: &[u8],
    ) -> Result<Option<(T, u16)>, StoreError> {
        let cell = self.get(changes, tree, key, |id| self.keyring.tree(id, tree))?;
        decode(tree, key, cell)
    }

    /// The value whose chunk 0 a scan found under `key`.
    pub(super) fn read_cell<T: DeserializeOwned>(
        &self,
        tree: Tree,
        key: &[u8],
        first: &[u8],
    ) -> Result<Option<(T, u16)>, StoreError> {
        let none = Changes::default();
        let cell = self.join(&none, tree, key, first, |id| self.keyring.tree(id, tree))?;
        decode(tree, key, cell)
    }

    /// Writes `value` under `key` in place of a value of `old_chunks` cells.
    pub(super) fn write<T: Serialize>(
        &self,
        changes: &mut Changes,
        tree: Tree,
        key: &[u8],
        value: &T,
        old_chunks: u16,
    ) -> Result<u16, StoreError> {
        let id = self.keyring.current_id();
        let cipher = self
            .keyring
            .tree(id, tree)
            .ok_or_else(|| StoreError::UnknownKey { key_id: id.to_owned() })?;
        let plain = encode(tree, value)?;
        put(changes, tree, key, &cipher, id, &plain, old_chunks)
    }
}

/// Seals `plain` under `key`, in place of a value of `old_chunks` cells (0: none). Returns how
/// many cells it takes.
pub(super) fn put(
    changes: &mut Changes,
    tree: Tree,
    key: &[u8],
    cipher: &Cipher,
    key_id: &str,
    plain: &[u8],
    old_chunks: u16,
) -> Result<u16, StoreError> {
    let too_large = || StoreError::TooLarge { tree: tree.name(), bytes: plain.len() };
    if plain.len() > MAX_VALUE_BYTES {
        return Err(too_large());
    }
    let room = MAX_SEALED_BYTES.saturating_sub(seal::overhead(key_id) + 2).max(1);
    let (first, rest) = plain.split_at(plain.len().min(room));
    let parts = rest.chunks(room);
    let chunks = u16::try_from(parts.len() + 1).map_err(|_| too_large())?;
    let mut head = Zeroizing::new(Vec::with_capacity(first.len() + 2));
    head.extend_from_slice(first);
    head.extend_from_slice(&chunks.to_be_bytes());
    let aad = seal::associated(tree.name(), key, b"");
    let sealed = seal::seal(cipher, key_id, &aad, &head).ok_or_else(too_large)?;
    for (number, part) in (1..chunks).zip(parts) {
        let key = chunk_key(key, number);
        let nonce = Seal::parse(&sealed).map_or(&[][..], |seal| seal.nonce);
        let aad = seal::associated(tree.name(), &key, nonce);
        let cell = seal::seal(cipher, key_id, &aad, part).ok_or_else(too_large)?;
        changes.insert(tree, key, cell);
    }
    changes.insert(tree, key.to_vec(), sealed);
    for number in chunks..old_chunks {
        changes.remove(tree, chunk_key(key, number));
    }
    Ok(chunks)
}

/// Removes the value under `key`, all `chunks` cells of it.
pub(super) fn delete(changes: &mut Changes, tree: Tree, key: &[u8], chunks: u16) {
    for number in 0..chunks.max(1) {
        changes.remove(tree, chunk_key(key, number));
    }
}

/// Postcard bytes of a value.
pub(super) fn encode<T: Serialize>(
    tree: Tree,
    value: &T,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    // invariant: the stored types have known lengths; nothing else makes postcard refuse.
    postcard::to_stdvec(value)
        .map(Zeroizing::new)
        .map_err(|_| StoreError::TooLarge { tree: tree.name(), bytes: usize::MAX })
}

fn decode<T: DeserializeOwned>(
    tree: Tree,
    key: &[u8],
    cell: Cell,
) -> Result<Option<(T, u16)>, StoreError> {
    match cell {
        Cell::Absent => Ok(None),
        Cell::Locked(SealError::UnknownKey(key_id)) => Err(StoreError::UnknownKey { key_id }),
        Cell::Locked(SealError::Damaged) => Err(damaged(tree, key)),
        Cell::Open(opened) => match postcard::from_bytes(&opened.plain) {
            Ok(value) => Ok(Some((value, opened.chunks))),
            Err(_) => Err(damaged(tree, key)),
        },
    }
}

/// The value under `key` cannot be used.
pub(super) fn damaged(tree: Tree, key: &[u8]) -> StoreError {
    StoreError::Damaged { tree: tree.name(), key: hex(key) }
}

/// Wraps sled's error; its type stays in here.
pub(super) fn engine(path: &Path, doing: &'static str, error: &sled::Error) -> StoreError {
    let corrupt = match error {
        // A file shorter than it says has no number of the operating system's; a lock that is
        // taken has none either.
        sled::Error::Io(error) => {
            error.raw_os_error().is_none() && !error.to_string().contains("could not acquire lock")
        }
        sled::Error::Corruption { .. }
        | sled::Error::Unsupported(_)
        | sled::Error::ReportableBug(_)
        | sled::Error::CollectionNotFound(_) => true,
    };
    let disk = match error {
        sled::Error::Io(error) if error.raw_os_error().is_some() => Some(error.kind()),
        _ => None,
    };
    StoreError::Engine { doing, path: path.to_owned(), reason: error.to_string(), corrupt, disk }
}
