//! Which entry leaves: S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023).
//! Never here: keys, values, time. A hit writes two bits and moves nothing.
//!
//! New entries pass through a small queue, a tenth of the bytes. Most are never asked for again and leave from there,
//! so a scan cannot push out what is in use. Who was asked for, or comes back while its ghost is remembered, lives in
//! the main queue and is passed over once per hit when its turn to leave comes.

use crate::core::bounds::CACHE_REPRIEVES_MAX;
use crate::core::cache::ghost::Ghosts;
use crate::core::cache::slab::{Chain, Entry, Queue, Slab, Slot};

/// Two bits: more hits than this between two turns say nothing more (SOSP 2023, §4.1).
const HITS_MAX: u8 = 3;
/// Hits in the small queue that earn a place in the main queue. One may be the client's own retry.
const HITS_TO_STAY: u8 = 2;
/// The small queue has this share of the bytes.
const SMALL_SHARE: usize = 10;

pub(super) struct Queues {
    small: Chain,
    main: Chain,
    ghosts: Ghosts,
    small_bytes_max: usize,
}

impl Queues {
    pub(super) fn new(bytes_max: usize, entries_max: usize) -> Self {
        let ghosts = Ghosts::with_capacity(entries_max);
        Self { small: Chain::new(), main: Chain::new(), ghosts, small_bytes_max: bytes_max / SMALL_SHARE }
    }

    pub(super) const fn bytes(&self) -> usize {
        self.small.bytes() + self.main.bytes()
    }

    pub(super) const fn len(&self) -> usize {
        self.small.len() + self.main.len()
    }

    pub(super) fn enter<T>(&mut self, slab: &mut Slab<T>, slot: Slot) {
        let queue = if self.ghosts.take(slab[slot].hash) { Queue::Main } else { Queue::Small };
        self.push(slab, slot, queue);
    }

    pub(super) fn hit<T>(entry: &mut Entry<T>) {
        entry.hits = (entry.hits + 1).min(HITS_MAX);
    }

    /// The entry to evict next; it stays where it is until it [leaves](Self::leave). `is_gone` tells entries that no
    /// look-up would return: they go first wherever one is met. `None` when empty.
    pub(super) fn victim<T>(&mut self, slab: &mut Slab<T>, is_gone: impl Fn(&Entry<T>) -> bool) -> Option<Slot> {
        for _ in 0..CACHE_REPRIEVES_MAX {
            let slot = self.next_in_turn()?;
            let entry = &slab[slot];
            if is_gone(entry) {
                return Some(slot);
            }
            match entry.queue {
                Queue::Small if entry.hits >= HITS_TO_STAY => self.move_to_main(slab, slot, 0),
                Queue::Main if entry.hits > 0 => self.move_to_main(slab, slot, entry.hits - 1),
                Queue::Small => {
                    self.ghosts.insert(entry.hash, self.len());
                    return Some(slot);
                }
                Queue::Main => return Some(slot),
            }
        }
        self.next_in_turn()
    }

    /// Takes the entry out because it is evicted.
    pub(super) fn leave<T>(&mut self, slab: &mut Slab<T>, slot: Slot) {
        match slab[slot].queue {
            Queue::Small => self.small.unlink(slab, slot),
            Queue::Main => self.main.unlink(slab, slot),
        }
    }

    /// Takes the entry out because it is outdated. One that had earned the main queue will be wanted again: its ghost
    /// takes the reload straight back there.
    pub(super) fn leave_outdated<T>(&mut self, slab: &mut Slab<T>, slot: Slot) {
        if slab[slot].queue == Queue::Main {
            self.ghosts.insert(slab[slot].hash, self.len());
        }
        self.leave(slab, slot);
    }

    fn push<T>(&mut self, slab: &mut Slab<T>, slot: Slot, queue: Queue) {
        slab[slot].queue = queue;
        match queue {
            Queue::Small => self.small.push(slab, slot),
            Queue::Main => self.main.push(slab, slot),
        }
    }

    fn next_in_turn(&self) -> Option<Slot> {
        if self.small.bytes() > self.small_bytes_max {
            return self.small.oldest();
        }
        self.main.oldest().or_else(|| self.small.oldest())
    }

    fn move_to_main<T>(&mut self, slab: &mut Slab<T>, slot: Slot, hits: u8) {
        self.leave(slab, slot);
        slab[slot].hits = hits;
        self.push(slab, slot, Queue::Main);
    }
}
