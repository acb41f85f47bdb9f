//! Numbers that one thread writes and others read.
//! Never here: a lock prefix; a second writer.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts up. Only the shard that owns the ledger may write: a load and a store instead of a locked add, 0.5 ns instead
/// of 5, and correct as long as there is one writer. Readers see each value whole, a moment late.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// Goes up and down; the same rule of one writer.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Counter {
    pub(super) const fn zero() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline]
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(count), Relaxed);
    }

    #[inline]
    pub fn one(&self) {
        self.add(1);
    }

    /// Takes over a total that a table of this shard keeps for itself.
    pub fn reach(&self, total: u64) {
        debug_assert!(total >= self.get(), "a counter does not go back");
        self.0.store(total, Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Gauge {
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
