//! Where each order's rows are: which rows complete an order.
//!
//! An order's rows need not be adjacent, and an order may be handed out only when its last row was
//! read. The survey learns that beforehand, at 24 bytes an order (and at most 4 more): orders are
//! known by a keyed 64-bit hash of their id, with their first and last row. What is left of it for
//! the second pass are two bits a row, and one more up to the last row that a line break tore. Two orders that share a hash are handed out late, at the end
//! of the document, never mixed.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// What the reader may keep of orders that are not complete yet, in bytes.
pub(super) const OPEN_BYTES: u64 = 32 * 1024 * 1024;

/// What an open row costs beside its text: the fact, its line, the buyer.
const ROW_OVERHEAD_BYTES: u64 = 1024;

/// Rows this near to each other never add up to much.
const NEAR_ROWS: u32 = 64;

const LEAST_CHUNK: usize = 32 * 1024;

/// Where each order's rows are, while the document is surveyed.
pub(super) struct OrderIndex {
    hasher: RandomState,
    /// Sorted by hash.
    entries: Vec<Entry>,
    /// (hash, row) not sorted in yet.
    recent: Vec<(u64, u32)>,
    /// One bit a row, as far as the last that is torn.
    torn: Vec<u8>,
}

/// One order's rows. Rows are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    hash: u64,
    first: u32,
    last: u32,
    rows: u32,
}

/// What the second pass needs of the index.
pub(super) struct RowEnds {
    hasher: RandomState,
    /// Two bits a row, four rows a byte.
    ends: Vec<u8>,
    /// One bit a row, as far as the last that is torn.
    torn: Vec<u8>,
}

/// What a row is to its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowEnd {
    /// More rows follow.
    More,
    /// The last of several.
    Last,
    /// The only one.
    Only,
}

impl OrderIndex {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            entries: Vec::new(),
            recent: Vec::with_capacity(LEAST_CHUNK),
            torn: Vec::new(),
        }
    }

    /// Row `row` goes on in the next line: a line break inside a cell tore it.
    pub(super) fn tear(&mut self, row: u32) {
        let (byte, bit) = bit(row);
        if byte >= self.torn.len() {
            self.torn.resize(byte + 1, 0);
        }
        if let Some(byte) = self.torn.get_mut(byte) {
            *byte |= bit;
        }
    }

    /// Row `row` belongs to the order with this id.
    pub(super) fn add(&mut self, id: &[u8], row: u32) {
        self.recent.push((self.hasher.hash_one(id), row));
        if self.recent.len() == self.recent.capacity() {
            self.sort_in();
            self.recent = Vec::with_capacity(LEAST_CHUNK.max(self.entries.len() / 4));
        }
    }

    /// How many orders, and in how many sweeps the document must be read so that orders that wait
    /// for their last row never take more than `budget` bytes: 1, but for documents whose rows are
    /// thoroughly mixed. `rows` is how many rows the document has, `row_bytes` what one has.
    pub(super) fn seal(mut self, rows: u32, row_bytes: u64, budget: u64) -> (u64, u32, RowEnds) {
        self.sort_in();
        let orders = u64::try_from(self.entries.len()).unwrap_or(u64::MAX);
        let sweeps = self.sweeps(rows, row_bytes, budget);
        let bytes = usize::try_from(rows / 4 + 1).unwrap_or(0);
        let mut ends = RowEnds { hasher: self.hasher, ends: vec![0; bytes], torn: self.torn };
        for entry in self.entries {
            ends.set(entry.last, if entry.first == entry.last { 2 } else { 1 });
        }
        (orders, sweeps, ends)
    }

    fn sweeps(&self, rows: u32, row_bytes: u64, budget: u64) -> u32 {
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

impl RowEnds {
    /// What a row is to its order.
    pub(super) fn of(&self, row: u32) -> RowEnd {
        let (byte, shift) = place(row);
        match self.ends.get(byte).map_or(0, |byte| (byte >> shift) & 3) {
            0 => RowEnd::More,
            1 => RowEnd::Last,
            _ => RowEnd::Only,
        }
    }

    /// Whether a row goes on in the next line.
    pub(super) fn is_torn(&self, row: u32) -> bool {
        let (byte, bit) = bit(row);
        self.torn.get(byte).is_some_and(|byte| byte & bit != 0)
    }

    /// Which of `sweeps` sweeps hands out the order with this id.
    pub(super) fn sweep_of(&self, id: &[u8], sweeps: u32) -> u32 {
        let hash = u128::from(self.hasher.hash_one(id));
        u32::try_from((hash * u128::from(sweeps)) >> 64).unwrap_or(0)
    }

    fn set(&mut self, row: u32, bits: u8) {
        let (byte, shift) = place(row);
        if let Some(byte) = self.ends.get_mut(byte) {
            *byte |= bits << shift;
        }
    }
}

fn place(row: u32) -> (usize, u32) {
    (usize::try_from(row / 4).unwrap_or(usize::MAX), row % 4 * 2)
}

fn bit(row: u32) -> (usize, u8) {
    (usize::try_from(row / 8).unwrap_or(usize::MAX), 1 << (row % 8))
}

impl fmt::Debug for OrderIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderIndex").field("orders", &self.entries.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for RowEnds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowEnds").finish_non_exhaustive()
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
        let (orders, rows) = (50_000_u32, 200_000_u32);
        for row in 1..=rows {
            let id = (u64::from(row) * 7919) % u64::from(orders);
            index.add(&id.to_le_bytes(), row);
        }
        let (count, _, ends) = index.seal(rows, 300, u64::MAX);
        assert_eq!(count, u64::from(orders));
        for row in 1..=rows {
            let last = if row > rows - orders { RowEnd::Last } else { RowEnd::More };
            assert_eq!(ends.of(row), last, "{row}");
        }
    }

    #[test]
    fn sweeps_grow_with_what_must_be_kept_open() {
        let spread = |distance: u32| {
            let mut index = OrderIndex::new();
            for row in 1..=20_000_u32 {
                index.add(&((row - 1) % distance).to_le_bytes(), row);
            }
            index.seal(20_000, 300, 1024 * 1024)
        };
        assert_eq!(spread(20_000).1, 1, "every order has one row");
        let (_, sweeps, ends) = spread(10_000);
        assert_eq!(sweeps, 26, "20,000 rows are open in the middle");
        let mut share = vec![0; 26];
        for id in 0..10_000_u32 {
            share[usize::try_from(ends.sweep_of(&id.to_le_bytes(), 26)).unwrap()] += 1;
        }
        assert!(share.iter().all(|orders| (200..600).contains(orders)), "{share:?}");
    }

    proptest! {
        #[test]
        fn knows_which_rows_complete_an_order(
            rows in prop::collection::vec(0u8..40, 0..200), cut in 1usize..50,
        ) {
            let mut index = OrderIndex::new();
            let mut model: BTreeMap<u8, Vec<u32>> = BTreeMap::new();
            for (id, row) in rows.iter().zip(1u32..) {
                index.add(&[*id], row);
                model.entry(*id).or_default().push(row);
                if usize::try_from(row).unwrap() % cut == 0 {
                    index.sort_in();
                }
            }
            let count = u32::try_from(rows.len()).unwrap();
            let (orders, _, ends) = index.seal(count, 1, u64::MAX);
            prop_assert_eq!(usize::try_from(orders), Ok(model.len()));
            for (id, row) in rows.iter().zip(1u32..) {
                let all = &model[id];
                let expected = match all.as_slice() {
                    [_] => RowEnd::Only,
                    [.., last] if *last == row => RowEnd::Last,
                    _ => RowEnd::More,
                };
                prop_assert_eq!(ends.of(row), expected);
            }
        }
    }
}
