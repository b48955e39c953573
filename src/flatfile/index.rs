//! Where each order's rows are: which row is its first, which its last, and how many.
//!
//! An order's rows need not be adjacent, and an order may be handed out only when its last row was
//! read. The index knows that beforehand, at 24 bytes an order (and at most 4 more while it is
//! built): orders are known by a keyed 64-bit hash of their id. Two orders that share a hash are
//! handed out late, at the end of the file, never mixed.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// What the reader may keep of orders that are not complete yet, in bytes.
pub(super) const OPEN_BYTES: u64 = 32 * 1024 * 1024;

/// What an open row costs beside its text: the fact, its line, the buyer.
const ROW_OVERHEAD_BYTES: u64 = 1024;

/// Rows this near to each other never add up to much.
const NEAR_ROWS: u32 = 64;

const LEAST_CHUNK: usize = 32 * 1024;

/// Where each order's rows are.
pub(super) struct OrderIndex {
    hasher: RandomState,
    /// Sorted by hash.
    entries: Vec<Entry>,
    /// (hash, row) not sorted in yet.
    recent: Vec<(u64, u32)>,
    /// Where in `entries` each equal share of the hash space begins.
    starts: Vec<usize>,
    shift: u32,
}

/// One order's rows. Rows are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    hash: u64,
    first: u32,
    last: u32,
    /// How many.
    pub rows: u32,
}

impl OrderIndex {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            entries: Vec::new(),
            recent: Vec::with_capacity(LEAST_CHUNK),
            starts: Vec::new(),
            shift: 0,
        }
    }

    /// The hash that stands for an order id.
    pub(super) fn hash(&self, id: &[u8]) -> u64 {
        self.hasher.hash_one(id)
    }

    /// Row `row` belongs to the order with this hash.
    pub(super) fn add(&mut self, hash: u64, row: u32) {
        self.recent.push((hash, row));
        if self.recent.len() == self.recent.capacity() {
            self.sort_in();
            self.recent = Vec::with_capacity(LEAST_CHUNK.max(self.entries.len() / 4));
        }
    }

    /// Makes the index ready for [`Self::find`].
    pub(super) fn seal(&mut self) {
        self.sort_in();
        self.recent = Vec::new();
        let bits = (self.entries.len() / 8).max(1).ilog2();
        self.shift = 64 - bits;
        self.starts = vec![0; (1 << bits) + 1];
        for entry in &self.entries {
            if let Some(next) = self.starts.get_mut(bucket(entry.hash, self.shift) + 1) {
                *next += 1;
            }
        }
        let mut sum = 0;
        for start in &mut self.starts {
            sum += *start;
            *start = sum;
        }
    }

    /// The rows of the order with this hash.
    pub(super) fn find(&self, hash: u64) -> Option<&Entry> {
        let bucket = bucket(hash, self.shift);
        let (from, to) = (self.starts.get(bucket)?, self.starts.get(bucket + 1)?);
        self.entries.get(*from..*to)?.iter().find(|entry| entry.hash == hash)
    }

    /// How many orders.
    pub(super) fn orders(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }

    /// In how many sweeps the document must be read so that orders that wait for their last row
    /// never take more than `budget` bytes: 1, but for files whose rows are thoroughly mixed.
    pub(super) fn sweeps(&self, rows: u32, row_bytes: u64, budget: u64) -> u32 {
        const BUCKETS: u32 = 4096;
        let width = rows / BUCKETS + 1;
        let mut change = vec![0_i64; usize::try_from(BUCKETS).unwrap_or(0) + 2];
        let mut add = |row: u32, by: i64| {
            if let Some(slot) = usize::try_from(row).ok().and_then(|at| change.get_mut(at)) {
                *slot += by;
            }
        };
        for entry in self.entries.iter().filter(|entry| entry.last - entry.first > NEAR_ROWS) {
            add(entry.first / width, i64::from(entry.rows));
            add(entry.last / width + 1, -i64::from(entry.rows));
        }
        let mut open = 0_i64;
        let peak = change.iter().fold(0, |peak, by| {
            open += by;
            peak.max(open)
        });
        let bytes = u64::try_from(peak).unwrap_or(0).saturating_mul(row_bytes + ROW_OVERHEAD_BYTES);
        u32::try_from(bytes.div_ceil(budget).max(1)).unwrap_or(u32::MAX)
    }

    /// Sorts the recent rows into the entries, in place, from the back.
    fn sort_in(&mut self) {
        self.recent.sort_unstable();
        let old = self.entries.len();
        let mut fresh = 0;
        let mut known = self.entries.iter().peekable();
        for run in self.recent.chunk_by(|a, b| a.0 == b.0) {
            let hash = run.first().map_or(0, |row| row.0);
            while known.next_if(|entry| entry.hash < hash).is_some() {}
            if known.peek().is_none_or(|entry| entry.hash != hash) {
                fresh += 1;
            }
        }
        self.entries.reserve_exact(fresh);
        self.entries.resize(old + fresh, Entry { hash: 0, first: 0, last: 0, rows: 0 });
        let (mut read, mut write) = (old, old + fresh);
        let mut end = self.recent.len();
        while end > 0 {
            let (hash, last) = self.recent.get(end - 1).copied().unwrap_or_default();
            let mut begin = end - 1;
            while begin > 0 && self.recent.get(begin - 1).is_some_and(|row| row.0 == hash) {
                begin -= 1;
            }
            let first = self.recent.get(begin).map_or(last, |row| row.1);
            let rows = u32::try_from(end - begin).unwrap_or(u32::MAX);
            end = begin;
            let mut entry = Entry { hash, first, last, rows };
            while read > 0 {
                let Some(known) = self.entries.get(read - 1).copied() else { break };
                if known.hash < hash {
                    break;
                }
                read -= 1;
                if known.hash == hash {
                    entry.first = known.first;
                    entry.rows = known.rows.saturating_add(rows);
                    break;
                }
                write -= 1;
                if let Some(slot) = self.entries.get_mut(write) {
                    *slot = known;
                }
            }
            write -= 1;
            if let Some(slot) = self.entries.get_mut(write) {
                *slot = entry;
            }
        }
        self.recent.clear();
    }
}

/// Which of `sweeps` sweeps hands out the order with this hash.
pub(super) fn sweep_of(hash: u64, sweeps: u32) -> u32 {
    u32::try_from((u128::from(hash) * u128::from(sweeps)) >> 64).unwrap_or(0)
}

fn bucket(hash: u64, shift: u32) -> usize {
    hash.checked_shr(shift).and_then(|at| usize::try_from(at).ok()).unwrap_or(0)
}

impl fmt::Debug for OrderIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderIndex").field("orders", &self.entries.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn an_entry_costs_what_is_promised() {
        assert!(std::mem::size_of::<Entry>() <= 24);
    }

    #[test]
    fn many_chunks_make_one_index() {
        let mut index = OrderIndex::new();
        let orders = 50_000_u32;
        for row in 1..=4 * orders {
            let id = (u64::from(row) * 7919) % u64::from(orders);
            let hash = index.hash(&id.to_le_bytes());
            index.add(hash, row);
        }
        index.seal();
        assert_eq!(index.orders(), u64::from(orders));
        for id in 0..u64::from(orders) {
            assert_eq!(index.find(index.hash(&id.to_le_bytes())).unwrap().rows, 4);
        }
        assert!(index.find(index.hash(b"nobody")).is_none());
    }

    #[test]
    fn sweeps_grow_with_what_must_be_kept_open() {
        let spread = |distance: u32| {
            let mut index = OrderIndex::new();
            for row in 1..=20_000_u32 {
                let id = if row <= distance { row } else { (row - 1) % distance + 1 };
                let hash = index.hash(&id.to_le_bytes());
                index.add(hash, row);
            }
            index.seal();
            index.sweeps(20_000, 300, 1024 * 1024)
        };
        assert_eq!(spread(20_000), 1, "every order has one row");
        assert_eq!(spread(10_000), 26, "20,000 rows are open in the middle");
        assert!(sweep_of(u64::MAX, 26) == 25 && sweep_of(0, 26) == 0);
    }

    proptest! {
        #[test]
        fn finds_what_was_added(rows in prop::collection::vec(0u8..40, 0..200), cut in 1usize..50) {
            let mut index = OrderIndex::new();
            let mut model: BTreeMap<u8, (u32, u32, u32)> = BTreeMap::new();
            for (id, row) in rows.iter().zip(1u32..) {
                index.add(index.hash(&[*id]), row);
                let entry = model.entry(*id).or_insert((row, row, 0));
                entry.1 = row;
                entry.2 += 1;
                if usize::try_from(row).unwrap() % cut == 0 {
                    index.sort_in();
                }
            }
            index.seal();
            prop_assert_eq!(index.orders(), u64::try_from(model.len()).unwrap());
            for (id, (first, last, rows)) in model {
                let entry = index.find(index.hash(&[id])).unwrap();
                prop_assert_eq!((entry.first, entry.last, entry.rows), (first, last, rows));
            }
        }
    }
}
