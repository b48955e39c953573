//! Buyers: the personal part of each (order, family), sealed under the key of the day it arrived.
//!
//! Once Odoo has the order only a stub with a keyed hash stays, under the same day key, so that a
//! repeat is recognised while that day lives. The stub ends with its day like a payload does: after
//! that a repeat makes the order be looked at once, which is one batched read and no write. Which buyer stands is decided like which fact stands:
//! the higher rank of its fact, then the larger hash, in every order of arrival.

use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::model::{BuyerFact, Family, JobState, Rank};

use super::Store;
use super::daykeys::KeyState;
use super::draft::Draft;
use super::entry::Entry;
use super::error::StoreError;
use super::keys::IdKey;
use super::layout::{RecordKey, Tree, buyer_key};
use super::seal::Seal;
use super::vault::{Cell, damaged, delete, encode, put};

/// What is known of a buyer. Prints nothing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuyerState {
    /// As the file said.
    Known(Box<BuyerFact>),
    /// Odoo has it: dropped here.
    Dropped,
    /// The day key is missing, or is not the one it was sealed under. Not expired: the payload can
    /// be read again from the sealed file.
    KeyMissing {
        /// The day of arrival.
        day: Date,
    },
    /// Its day is overdue by the clock, or its key cannot be read just now: nobody has decided
    /// anything yet.
    Locked,
    /// Its day is over, or nothing is left to read it from again.
    Expired,
}

/// What is stored of a buyer.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredBuyer {
    /// The rank of the fact it came with.
    pub(super) rank: Rank,
    /// HMAC of the payload under the id key.
    pub(super) hash: [u8; 16],
    /// None once Odoo has it.
    pub(super) payload: Option<Box<BuyerFact>>,
}

/// A stored buyer as it was found.
pub(super) enum Found {
    None,
    Readable { buyer: StoredBuyer, chunks: u16, day: Date },
    Shut(BuyerState),
}

/// A buyer that comes with a fact.
pub(super) struct Arriving<'a> {
    pub(super) family: Family,
    pub(super) rank: Rank,
    pub(super) fact: &'a BuyerFact,
    /// The day of arrival.
    pub(super) today: Date,
    /// The order changes anyway and is not in Odoo: a dropped payload is wanted again.
    pub(super) wanted: bool,
}

impl Store {
    /// Takes a buyer. True when it is news that the order's job must see.
    pub(super) fn take_buyer(
        &self,
        draft: &mut Draft<'_>,
        id_key: &IdKey,
        key: &RecordKey,
        entry: &mut Entry,
        arriving: &Arriving<'_>,
    ) -> Result<bool, StoreError> {
        let &Arriving { family, rank, fact, today, wanted } = arriving;
        let hash = id_key.mac("buyer", &encode(Tree::Buyer, fact)?);
        let full = || StoredBuyer { rank, hash, payload: Some(Box::new(fact.clone())) };
        let found = if entry.has_buyer(family) {
            self.find_buyer(draft, key, family)?
        } else {
            Found::None
        };
        let (buyer, chunks, day, news) = match found {
            Found::None => (full(), 0, today, true),
            // Its chunk count is sealed with it: the old cells after the first are looked for.
            Found::Shut(_) => (full(), self.buyer_cells(draft, key, family)?, today, true),
            Found::Readable { buyer, chunks, day } if buyer.hash == hash => {
                let dropped = buyer.payload.is_none();
                if dropped && wanted {
                    (full(), chunks, today, false)
                } else if rank > buyer.rank {
                    // Same content, newer word: it arrived again, so its 30 days start again;
                    // a stub dies with its day.
                    let day = if dropped { day } else { today };
                    (StoredBuyer { rank, ..buyer }, chunks, day, false)
                } else {
                    return Ok(false);
                }
            }
            Found::Readable { buyer, chunks, .. } if (rank, hash) > (buyer.rank, buyer.hash) => {
                (full(), chunks, today, true)
            }
            Found::Readable { .. } => return Ok(false),
        };
        self.put_buyer(draft, key, family, &buyer, day, chunks)?;
        entry.set_buyer(family, true);
        Ok(news)
    }

    /// The buyer of an order and family, for a worker.
    pub(super) fn buyer(
        &self,
        draft: &Draft<'_>,
        key: &RecordKey,
        family: Family,
    ) -> Result<Option<BuyerState>, StoreError> {
        Ok(match self.find_buyer(draft, key, family)? {
            Found::None => None,
            Found::Readable { buyer, .. } => {
                Some(buyer.payload.map_or(BuyerState::Dropped, BuyerState::Known))
            }
            Found::Shut(state) => Some(state),
        })
    }

    /// Drops what Odoo has of an order's buyers; the stubs stay. All of it once the order is done; of
    /// one that stands there with its buyer and waits, all but the notes for its delivery.
    pub(super) fn drop_buyers(
        &self,
        draft: &mut Draft<'_>,
        key: &RecordKey,
        entry: &mut Entry,
    ) -> Result<(), StoreError> {
        let done = matches!(entry.state, JobState::Done(_));
        for family in Family::ALL {
            if !entry.has_buyer(family) {
                continue;
            }
            match self.find_buyer(draft, key, family)? {
                Found::Readable { buyer: StoredBuyer { payload: None, .. }, .. } => {}
                Found::Readable { buyer, chunks, day } => {
                    let left =
                        buyer.payload.as_ref().filter(|fact| !done && !fact.notes.is_empty());
                    let left = left.map(|fact| {
                        let notes = fact.notes.clone();
                        Box::new(BuyerFact { notes, ..BuyerFact::default() })
                    });
                    if left != buyer.payload {
                        let stub = StoredBuyer { payload: left, ..buyer };
                        self.put_buyer(draft, key, family, &stub, day, chunks)?;
                    }
                }
                // What waits may still be read again, or is told of when its day is swept.
                Found::Shut(_) | Found::None if !done => {}
                Found::Shut(_) | Found::None => {
                    let cells = self.buyer_cells(draft, key, family)?;
                    let place = buyer_key(key, family.tag());
                    delete(&mut draft.changes, Tree::Buyer, &place, cells);
                    entry.set_buyer(family, false);
                }
            }
        }
        Ok(())
    }

    pub(super) fn find_buyer(
        &self,
        draft: &Draft<'_>,
        key: &RecordKey,
        family: Family,
    ) -> Result<Found, StoreError> {
        let place = buyer_key(key, family.tag());
        let Some(first) = self.vault.raw(&draft.changes, Tree::Buyer, &place)? else {
            return Ok(Found::None);
        };
        // What does not even say its day cannot be had again from any file: as good as expired.
        let Some(day) = day_of_cell(&first) else { return Ok(Found::Shut(BuyerState::Expired)) };
        let cipher = match self.days.for_opening(day)? {
            KeyState::Open(cipher) => cipher,
            KeyState::Locked => return Ok(Found::Shut(BuyerState::Locked)),
            KeyState::Expired => return Ok(Found::Shut(BuyerState::Expired)),
            KeyState::Missing => return Ok(Found::Shut(BuyerState::KeyMissing { day })),
        };
        let cell =
            self.vault.get(&draft.changes, Tree::Buyer, &place, |_| Some(Arc::clone(&cipher)))?;
        Ok(match cell {
            Cell::Absent => Found::None,
            // Another key of that day sealed it.
            Cell::Locked(_) => Found::Shut(BuyerState::KeyMissing { day }),
            Cell::Open(opened) => {
                let buyer = postcard::from_bytes(&opened.plain)
                    .map_err(|_| damaged(Tree::Buyer, &place))?;
                Found::Readable { buyer, chunks: opened.chunks, day }
            }
        })
    }

    /// How many cells a value that does not open takes.
    pub(super) fn buyer_cells(
        &self,
        draft: &Draft<'_>,
        key: &RecordKey,
        family: Family,
    ) -> Result<u16, StoreError> {
        let place = buyer_key(key, family.tag());
        let mut cells = 1;
        while self
            .vault
            .raw(&draft.changes, Tree::Buyer, &super::layout::chunk_key(&place, cells))?
            .is_some()
        {
            cells += 1;
        }
        Ok(cells)
    }

    pub(super) fn put_buyer(
        &self,
        draft: &mut Draft<'_>,
        key: &RecordKey,
        family: Family,
        buyer: &StoredBuyer,
        day: Date,
        chunks: u16,
    ) -> Result<(), StoreError> {
        let place = buyer_key(key, family.tag());
        let cipher = self.days.for_sealing(day)?;
        let plain = encode(Tree::Buyer, buyer)?;
        let id = day.to_string();
        put(&mut draft.changes, Tree::Buyer, &place, &cipher, &id, &plain, chunks)?;
        Ok(())
    }
}

/// The day that a buyer's first cell says it was sealed on.
pub(super) fn day_of_cell(first: &[u8]) -> Option<Date> {
    Seal::parse(first).ok()?.key_id.parse().ok()
}
