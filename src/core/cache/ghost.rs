//! Ghosts: hashes of entries that left, so that who comes back soon is not taken for new.
//! Never here: keys or values. A false ghost (equal hashes) costs one undeserved place in the main queue.

use std::collections::VecDeque;

use hashbrown::HashTable;

/// A set of hashes that forgets the oldest first.
pub(super) struct Ghosts {
    /// May hold hashes that were taken; those leave when their turn comes.
    order: VecDeque<u64>,
    known: HashTable<u64>,
}

impl Ghosts {
    pub(super) fn with_capacity(count_max: usize) -> Self {
        Self { order: VecDeque::with_capacity(count_max), known: HashTable::with_capacity(count_max) }
    }

    /// Remembers `hash`, and at most `count_max` in all.
    pub(super) fn insert(&mut self, hash: u64, count_max: usize) {
        while self.order.len() >= count_max.max(1) {
            let Some(oldest) = self.order.pop_front() else { break };
            self.take(oldest);
        }
        self.order.push_back(hash);
        if self.known.find(hash, |&known| known == hash).is_none() {
            self.known.insert_unique(hash, hash, |&known| known);
        }
    }

    /// Whether `hash` was remembered; it no longer is.
    pub(super) fn take(&mut self, hash: u64) -> bool {
        self.known.find_entry(hash, |&known| known == hash).map(|entry| entry.remove()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first_and_each_is_taken_once() {
        let mut ghosts = Ghosts::with_capacity(3);
        for hash in 1..=4 {
            ghosts.insert(hash, 3);
        }
        assert!(!ghosts.take(1));
        assert!(ghosts.take(2));
        assert!(!ghosts.take(2));
        ghosts.insert(3, 3);
        ghosts.insert(5, 3);
        assert_eq!(
            (ghosts.order.len(), ghosts.known.len()),
            (3, 2),
            "3 was twice in line and left with its first turn"
        );
        assert!(ghosts.take(5));
    }
}
