//! Deadlines of one shard: a heap of instants, checked lazily against what their owner wants by now.
//! Never here: a reading of a clock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::task::Waker;

use crate::core::time::Tick;

use super::slots::{Key, Slots};

/// Sleeping background tasks per shard: housekeeping and pauses, a handful each.
const SLEEPERS_MAX: usize = 1024;

/// What to do when an instant has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A socket's deadline may have passed; the socket knows.
    Socket(Key),
    /// A sleeper wakes.
    Sleeper(Key),
    /// Listeners that ran out of descriptors try again.
    Accept(Key),
}

#[derive(Debug)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Tick, Due)>>,
    sleepers: Slots<Waker>,
}

impl Timers {
    pub const fn new() -> Self {
        Self { heap: BinaryHeap::new(), sleepers: Slots::new(SLEEPERS_MAX) }
    }

    pub fn add(&mut self, at: Tick, due: Due) {
        self.heap.push(Reverse((at, due)));
    }

    /// The next instant at which something may be due.
    pub fn next(&self) -> Option<Tick> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes one instant that has come.
    pub fn pop_due(&mut self, now: Tick) -> Option<(Tick, Due)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// `None` when too many sleep already.
    pub fn sleep(&mut self, until: Tick, waker: &Waker) -> Option<Key> {
        let key = self.sleepers.insert(waker.clone()).ok()?;
        self.add(until, Due::Sleeper(key));
        Some(key)
    }

    /// Ends a sleep, early or on time.
    pub fn wake(&mut self, key: Key) -> Option<Waker> {
        self.sleepers.remove(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_come_in_order_and_not_before_their_time() {
        let mut timers = Timers::new();
        let key = timers.sleep(Tick(30), Waker::noop()).unwrap();
        timers.add(Tick(10), Due::Accept(key));
        assert_eq!(timers.next(), Some(Tick(10)));
        assert_eq!(timers.pop_due(Tick(9)), None);
        assert_eq!(timers.pop_due(Tick(10)), Some((Tick(10), Due::Accept(key))));
        assert_eq!(timers.pop_due(Tick(29)), None);
        assert_eq!(timers.pop_due(Tick(31)), Some((Tick(30), Due::Sleeper(key))));
        assert!(timers.wake(key).is_some());
        assert!(timers.wake(key).is_none(), "a sleeper wakes once");
    }
}
