//! Entries of the cache in one slab, chained into queues by index.
//! Never here: policy. Which queue an entry belongs to is decided in `s3fifo`.

use std::ops::{Index, IndexMut};

use crate::core::cache::{Cached, Key, SpaceId};
use crate::core::time::Tick;

/// Index of an entry in its slab.
pub(super) type Slot = u32;

/// No entry: the end of a chain.
const NONE: Slot = Slot::MAX;

/// One cached answer. One cache line.
pub(super) struct Entry<T> {
    pub(super) key: Box<[u8]>,
    pub(super) value: Cached<T>,
    pub(super) hash: u64,
    pub(super) ends: Tick,
    pub(super) weight: u32,
    pub(super) generation: u32,
    pub(super) space: SpaceId,
    /// Hits that still count for it, 0 to 3.
    pub(super) hits: u8,
    pub(super) queue: Queue,
    older: Slot,
    newer: Slot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// Probation: what nobody has asked for twice leaves from here.
    Small,
    Main,
}

/// All entries. A free slot keeps its place in memory for the next entry.
pub(super) struct Slab<T> {
    entries: Vec<Entry<T>>,
    /// First free slot; the others follow by `newer`.
    free: Slot,
}

/// A first-in, first-out queue through the slab. Any entry can leave it at once.
pub(super) struct Chain {
    oldest: Slot,
    newest: Slot,
    bytes: usize,
    len: usize,
}

/// What an entry is made of; its links are the slab's own.
pub(super) struct Parts<'a, T> {
    pub(super) key: Key<'a>,
    pub(super) value: Cached<T>,
    pub(super) hash: u64,
    pub(super) ends: Tick,
    pub(super) weight: u32,
    pub(super) generation: u32,
}

impl<T> Slab<T> {
    /// Address space for so many entries, so that it never moves; pages are touched as entries come.
    pub(super) fn with_capacity(entries_max: usize) -> Self {
        assert!(entries_max < NONE as usize, "a slot is 32 bits");
        Self { entries: Vec::with_capacity(entries_max), free: NONE }
    }

    /// The entry begins in no queue.
    pub(super) fn add(&mut self, parts: Parts<'_, T>) -> Slot {
        let Parts { key, value, hash, ends, weight, generation } = parts;
        let (space, key, queue) = (key.space, key.bytes.into(), Queue::Small);
        let entry =
            Entry { key, value, hash, ends, weight, generation, space, hits: 0, queue, older: NONE, newer: NONE };
        if self.free == NONE {
            self.entries.push(entry);
            return (self.entries.len() - 1) as Slot;
        }
        let slot = self.free;
        self.free = self[slot].newer;
        self[slot] = entry;
        slot
    }

    /// Gives key and value back to the allocator. The entry has left its queue.
    pub(super) fn release(&mut self, slot: Slot) {
        let free = self.free;
        let entry = &mut self[slot];
        (entry.key, entry.value, entry.newer) = (Box::default(), Cached::Absent, free);
        self.free = slot;
    }
}

impl<T> Index<Slot> for Slab<T> {
    type Output = Entry<T>;

    fn index(&self, slot: Slot) -> &Entry<T> {
        &self.entries[slot as usize]
    }
}

impl<T> IndexMut<Slot> for Slab<T> {
    fn index_mut(&mut self, slot: Slot) -> &mut Entry<T> {
        &mut self.entries[slot as usize]
    }
}

impl Chain {
    pub(super) const fn new() -> Self {
        Self { oldest: NONE, newest: NONE, bytes: 0, len: 0 }
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn oldest(&self) -> Option<Slot> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    pub(super) fn push<T>(&mut self, slab: &mut Slab<T>, slot: Slot) {
        let older = self.newest;
        let entry = &mut slab[slot];
        (entry.older, entry.newer) = (older, NONE);
        self.bytes += entry.weight as usize;
        self.len += 1;
        match older {
            NONE => self.oldest = slot,
            older => slab[older].newer = slot,
        }
        self.newest = slot;
    }

    pub(super) fn unlink<T>(&mut self, slab: &mut Slab<T>, slot: Slot) {
        let (older, newer, weight) = (slab[slot].older, slab[slot].newer, slab[slot].weight as usize);
        assert!(self.len > 0 && self.bytes >= weight, "the entry is in this queue");
        self.bytes -= weight;
        self.len -= 1;
        match older {
            NONE => self.oldest = newer,
            older => slab[older].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => slab[newer].older = older,
        }
    }
}
