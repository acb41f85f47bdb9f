//! Deadlines of one shard: a heap of instants, checked lazily against what their owner wants by now.
//! Never here: a reading of a clock, a heap that grows with connections that are gone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::task::Waker;

use crate::core::time::Tick;

use super::slots::{Key, Slots};

/// Sleeping background tasks per shard: housekeeping and pauses, a handful each.
const SLEEPERS_MAX: usize = 1024;

/// Entries kept beside twice as many as owners may have: below this a sweep is not worth its walk.
const STALE_ENTRIES: usize = 4096;

/// What to do when an instant has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A socket's deadline may have passed; the socket knows.
    Socket(Key),
    /// A sleeper wakes.
    Sleeper(Key),
    /// Listeners that ran out of descriptors try again.
    Accept(Key),
    /// A listener has waited for those who had begun to connect.
    Close(Key),
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

    /// Entries, stale ones included.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether most entries must be stale when `owners` sockets and doors have at most one each that counts: a closed
    /// connection leaves its entry behind, and 20,000 a second for 75 s would be 1.5 million of them.
    pub fn is_stale(&self, owners: usize) -> bool {
        self.len() > 2 * (owners + self.sleepers.len()) + STALE_ENTRIES
    }

    /// Drops every entry of a socket that `counts` says nobody waits for. Each entry is walked over once for every other
    /// one that was added, so an addition still costs a constant.
    pub fn sweep(&mut self, mut counts: impl FnMut(Tick, Key) -> bool) {
        let sleepers = &mut self.sleepers;
        self.heap.retain(|Reverse((at, due))| match *due {
            Due::Socket(key) => counts(*at, key),
            Due::Sleeper(key) => sleepers.get_mut(key).is_some(),
            Due::Accept(_) | Due::Close(_) => true,
        });
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
    fn entries_of_the_gone_are_swept_and_the_others_stay() {
        let mut timers = Timers::new();
        let sleeper = timers.sleep(Tick(30), Waker::noop()).unwrap();
        timers.add(Tick(31), Due::Accept(sleeper));
        for socket in 0..STALE_ENTRIES as u64 + 2 {
            assert!(!timers.is_stale(1), "{socket}");
            timers.add(Tick(100 + socket), Due::Socket(Key::unpack(socket)));
        }
        assert!(timers.is_stale(0) && !timers.is_stale(1));
        timers.sweep(|at, key| (at, key) == (Tick(107), Key::unpack(7)));
        let left: Vec<_> = std::iter::from_fn(|| timers.pop_due(Tick(u64::MAX))).collect();
        let expect = [Due::Sleeper(sleeper), Due::Accept(sleeper), Due::Socket(Key::unpack(7))];
        assert_eq!(left.iter().map(|(_, due)| *due).collect::<Vec<_>>(), expect);
    }

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
