//! How late a shard is: what lies between something becoming ready and its turn.
//!
//! The queue of a busy shard is inside the kernel, where nobody can look: work that is ready and was not run yet, in the
//! order in which it became ready. So the shard puts a mark of its own into that queue, an eventfd that it writes, and sees
//! how long the mark takes to come out. One mark is under way at a time.
//! Never here: what is done about it.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use io_uring::{opcode, types};

use crate::core::time::Tick;

use super::doorbell::Doorbell;
use super::driver::Inner;
use super::ring::Op;
use super::slots::Key;

/// A shard that has rested within this time keeps up, and needs no mark. A mark costs some 2 µs: at one per interval, a
/// two-thousandth of a busy shard.
const EVERY: Duration = Duration::from_millis(5);

pub(super) struct Lag {
    mark: Arc<Doorbell>,
    /// When the mark that is under way was put into the queue.
    put: Cell<Option<Tick>>,
    /// When the shard last rested, or a mark came out.
    since: Cell<Tick>,
}

impl Lag {
    pub fn new() -> io::Result<Self> {
        Ok(Self { mark: Arc::new(Doorbell::new()?), put: Cell::new(None), since: Cell::new(Tick(0)) })
    }

    /// The shard has slept: it had nothing to do.
    pub fn rested(&self, now: Tick) {
        self.since.set(now);
    }

    /// The mark has come out; how long it took.
    pub fn came_out(&self, now: Tick) -> Option<Duration> {
        self.since.set(now);
        self.put.take().map(|put| now.since(put))
    }

    /// Puts a mark into the queue when one is due. To be called as early in a turn as can be: what the turn itself takes is
    /// a wait for whoever becomes ready in it.
    pub fn put_when_due(&self, now: Tick) {
        if self.put.get().is_none() && now.since(self.since.get()) >= EVERY {
            self.put.set(Some(now));
            self.mark.strike();
        }
    }
}

impl Inner {
    /// Watches for the mark, as for the doorbell.
    pub(super) fn watch_mark(&self) {
        let watch = opcode::PollAdd::new(types::Fd(self.lag.mark.fd()), libc::POLLIN as u32).multi(true).build();
        self.ring.borrow_mut().push(Op::Mark, Key::unpack(0), watch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mark_at_a_time_and_none_for_a_shard_that_rests() {
        let lag = Lag::new().unwrap();
        let every = EVERY.as_nanos() as u64;
        lag.rested(Tick(every));
        lag.put_when_due(Tick(2 * every - 1));
        assert_eq!(lag.came_out(Tick(2 * every - 1)), None, "it has just rested");
        lag.put_when_due(Tick(3 * every));
        lag.put_when_due(Tick(5 * every));
        assert_eq!(lag.came_out(Tick(7 * every)), Some(4 * EVERY), "counted from when it was put there");
        assert_eq!(lag.came_out(Tick(8 * every)), None);
    }
}
