//! Bytes of a connection that its socket has not taken: how long they may still wait.
//! Never here: the bytes.

use crate::core::pace::{Demand, Pace};
use crate::core::time::Tick;

/// From the first send that fell short until everything has left.
#[derive(Clone, Copy, Debug)]
pub struct Backlog {
    pace: Pace,
    /// Bytes that have left meanwhile.
    taken: usize,
    due: Tick,
}

impl Backlog {
    pub fn begin(demand: Demand, now: Tick) -> Self {
        let pace = Pace::begin(demand, 0, now);
        Self { pace, taken: 0, due: pace.due(demand, 0, now) }
    }

    /// The socket has taken so many more.
    pub fn took(&mut self, bytes: usize, demand: Demand, now: Tick) {
        self.taken = self.taken.saturating_add(bytes);
        self.due = self.pace.due(demand, self.taken, now);
    }

    /// Until when more must leave.
    pub const fn due(&self) -> Tick {
        self.due
    }
}
