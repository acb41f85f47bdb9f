//! The node's word to its shards: serve, linger, drain, stop. And theirs to the node: drained.
//! Never here: a shard that leaves while another may still ask it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use crate::net::doorbell::Doorbell;

/// What the shards are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Serving = 0,
    /// Serves as before, but is not ready any more: whoever sends clients here has time to notice.
    Lingering = 1,
    /// No new connections; what runs is finished.
    Draining = 2,
    /// Leave now, whatever still runs.
    Stopped = 3,
}

#[derive(Debug)]
pub struct Control {
    phase: AtomicU8,
    /// Shards that still have connections or work.
    busy: AtomicUsize,
    doorbells: Vec<Arc<Doorbell>>,
}

impl Control {
    #[must_use]
    pub const fn new(doorbells: Vec<Arc<Doorbell>>) -> Self {
        Self { phase: AtomicU8::new(0), busy: AtomicUsize::new(doorbells.len()), doorbells }
    }

    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Serving,
            1 => Phase::Lingering,
            2 => Phase::Draining,
            _ => Phase::Stopped,
        }
    }

    /// Moves on to a later phase and tells all shards; an earlier one is ignored.
    pub fn advance(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
        self.doorbells.iter().for_each(|doorbell| doorbell.ring());
    }

    /// A shard has nothing left to do. It says so once and goes on serving the other shards until it is stopped.
    pub fn drained(&self) {
        let before = self.busy.fetch_sub(1, Ordering::AcqRel);
        assert!(before > 0, "a shard drains once");
    }

    #[must_use]
    pub fn busy(&self) -> usize {
        self.busy.load(Ordering::Acquire)
    }
}
