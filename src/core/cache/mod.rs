//! The cache of one shard: answers under text keys, bounded in bytes.
//! Never here: loading. Who misses asks [`Flights`](crate::core::flight::Flights) whether somebody is loading already.

mod ghost;
mod s3fifo;
mod slab;
mod space;
#[cfg(test)]
mod tests;

pub(in crate::core) use space::Generations;
pub use space::{Key, SpaceId, Spaces};

use std::sync::Arc;

use hashbrown::HashTable;

use crate::core::bounds::CACHE_ENTRY_SHARE;
use crate::core::cache::s3fifo::Queues;
use crate::core::cache::slab::{Entry, Parts, Slab, Slot};
use crate::core::hash::KeyHasher;
use crate::core::time::Tick;

/// What an entry costs beside its key and value, as a bill.
pub const ENTRY_OVERHEAD_BYTES: usize = size_of::<Entry<()>>() // slab
    + 12 // table: 4 + 1 bytes a bucket, at least 7/16 of them used
    + 8 + 21 // a ghost, in line and in its table
    + 16 // the counts of an `Arc`
    + 2 * 16; // what an allocator rounds up, for key and value
const _: () = assert!(size_of::<Entry<()>>() == 64, "an entry is one cache line");

/// What is remembered about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cached<T> {
    Row(Arc<T>),
    /// The database has no such row.
    Absent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    Hit(Arc<T>),
    /// It is known that there is no such row.
    Negative,
    Miss,
}

/// A value to keep.
#[derive(Clone, Debug)]
pub struct Item<T> {
    pub value: Cached<T>,
    /// Heap bytes of the value; zero for [`Cached::Absent`].
    pub bytes: usize,
    /// First instant at which it is no longer true.
    pub ends: Tick,
}

/// Counters since start; `bytes` and `entries` are of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub hits: u64,
    /// Look-ups answered by a known absence.
    pub negatives: u64,
    pub misses: u64,
    pub inserts: u64,
    /// Entries that made room for others.
    pub evictions: u64,
    /// Entries found past their end, or of a space emptied since.
    pub expired: u64,
    /// Items not admitted because they would take more than an eighth of the cache.
    pub too_large: u64,
    /// Keys, values and [`ENTRY_OVERHEAD_BYTES`] each; never above the bound.
    pub bytes: usize,
    pub entries: usize,
}

/// S3-FIFO cache of `T`.
pub struct Cache<T> {
    hasher: KeyHasher,
    bytes_max: usize,
    table: HashTable<Slot>,
    slab: Slab<T>,
    queues: Queues,
    generations: Generations,
    stats: Stats,
}

impl<T> Cache<T> {
    /// Reserves address space for as many entries as can ever fit, so that nothing moves later; memory is used as
    /// entries come.
    #[must_use]
    pub fn new(bytes_max: usize, spaces: &Spaces, hasher: KeyHasher) -> Self {
        let entries_max = bytes_max / ENTRY_OVERHEAD_BYTES;
        Self {
            hasher,
            bytes_max,
            table: HashTable::with_capacity(entries_max),
            slab: Slab::with_capacity(entries_max),
            queues: Queues::new(bytes_max, entries_max),
            generations: Generations::new(spaces),
            stats: Stats::default(),
        }
    }

    #[must_use]
    pub fn get(&mut self, key: &[u8], now: Tick) -> Lookup<T> {
        let hash = self.hasher.hash(key).0;
        let Some(slot) = self.find(hash, key) else {
            self.stats.misses += 1;
            return Lookup::Miss;
        };
        let entry = &mut self.slab[slot];
        if is_gone(entry, &self.generations, now) {
            self.stats.expired += 1;
            self.stats.misses += 1;
            self.drop_outdated(slot);
            return Lookup::Miss;
        }
        Queues::hit(entry);
        match &entry.value {
            Cached::Row(value) => {
                self.stats.hits += 1;
                Lookup::Hit(Arc::clone(value))
            }
            Cached::Absent => {
                self.stats.negatives += 1;
                Lookup::Negative
            }
        }
    }

    /// Keeps `item` in place of what the key had before, evicting until it fits. What is larger than an eighth of the
    /// cache, or over already, is not kept.
    pub fn insert(&mut self, key: Key<'_>, item: Item<T>, now: Tick) {
        let hash = self.hasher.hash(key.bytes).0;
        if let Some(slot) = self.find(hash, key.bytes) {
            self.drop_outdated(slot);
        }
        let weight = key.bytes.len().saturating_add(item.bytes).saturating_add(ENTRY_OVERHEAD_BYTES);
        let weight = match u32::try_from(weight) {
            Ok(fits) if weight <= self.bytes_max / CACHE_ENTRY_SHARE => fits,
            _ => {
                self.stats.too_large += 1;
                return;
            }
        };
        if item.ends <= now {
            return;
        }
        self.make_room(weight as usize, now);
        let generation = self.generations.of(key.space);
        let slot = self.slab.add(Parts { key, value: item.value, hash, ends: item.ends, weight, generation });
        self.table.insert_unique(hash, slot, |&slot| self.slab[slot].hash);
        self.queues.enter(&mut self.slab, slot);
        self.stats.inserts += 1;
        assert!(self.queues.bytes() <= self.bytes_max && self.queues.len() == self.table.len());
    }

    /// When the entry of a key ends; for those who pass a copy on. `None`: there is none.
    #[must_use]
    pub fn ends(&self, key: &[u8]) -> Option<Tick> {
        self.find(self.hasher.hash(key).0, key).map(|slot| self.slab[slot].ends)
    }

    /// Whether there was an entry.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let found = self.find(self.hasher.hash(key).0, key);
        if let Some(slot) = found {
            self.drop_outdated(slot);
        }
        found.is_some()
    }

    /// Empties a space at once, however large it is; its entries give their memory back when they are met.
    pub fn remove_space(&mut self, space: SpaceId) {
        self.generations.bump(space);
    }

    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { bytes: self.queues.bytes(), entries: self.queues.len(), ..self.stats }
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<Slot> {
        let same = |&slot: &Slot| self.slab[slot].hash == hash && *self.slab[slot].key == *key;
        self.table.find(hash, same).copied()
    }

    fn make_room(&mut self, bytes: usize, now: Tick) {
        while self.queues.bytes() + bytes > self.bytes_max {
            let gone = |entry: &Entry<T>| is_gone(entry, &self.generations, now);
            let Some(slot) = self.queues.victim(&mut self.slab, gone) else { break };
            match is_gone(&self.slab[slot], &self.generations, now) {
                true => self.stats.expired += 1,
                false => self.stats.evictions += 1,
            }
            self.queues.leave(&mut self.slab, slot);
            self.forget(slot);
        }
    }

    fn drop_outdated(&mut self, slot: Slot) {
        self.queues.leave_outdated(&mut self.slab, slot);
        self.forget(slot);
    }

    fn forget(&mut self, slot: Slot) {
        match self.table.find_entry(self.slab[slot].hash, |&held| held == slot) {
            Ok(entry) => drop(entry.remove()),
            Err(_) => unreachable!("every queued entry is in the table"),
        }
        self.slab.release(slot);
    }
}

fn is_gone<T>(entry: &Entry<T>, generations: &Generations, now: Tick) -> bool {
    entry.ends <= now || entry.generation != generations.of(entry.space)
}
