//! The sockets of one shard and what the kernel has said of each: a machine without tasks or rings in it.
//! Never here: a socket closed while an operation on it is in flight.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use crate::core::time::Tick;

use super::bufs::RecvBuf;
use super::slots::Key;

/// Bytes kept for a connection whose request is still being answered. Beyond, its receive pauses and TCP pushes back.
pub(super) const BACKLOG_BYTES_MAX: usize = 64 * 1024;

/// Whether the kernel is receiving for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receive {
    /// A multishot receive is in flight.
    Armed,
    /// None in flight, one is wanted.
    Wanted,
    /// Enough is waiting here already; `Armed` turns to this through a cancel.
    Cancelling,
    Paused,
    /// The peer closed its side or the connection broke.
    Ended,
}

/// Why nothing more will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer closed its side in order.
    Closed,
    /// Reset, timed out in the kernel, unreachable.
    Broken,
}

/// Who cares for the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The task that serves it.
    Task(Key),
    /// Nobody: our side is shut down, what still comes is thrown away until the peer closes or the deadline passes.
    Lingering,
    /// Nobody: waits only for the operation in flight, then closes.
    Closing,
    /// The task waits for the receive to end, then the descriptor goes to another shard.
    Leaving(Key),
}

#[derive(Debug)]
pub(super) struct Socket {
    pub fd: OwnedFd,
    pub owner: Owner,
    pub receive: Receive,
    pub end: Option<End>,
    /// Filled in this turn, not yet seen by the task.
    pub inbox: Inbox,
    /// Copied out of `inbox` because the task was busy.
    pub backlog: Vec<u8>,
    /// The task polls for bytes, room to write, or the end of the receive.
    pub waiting: bool,
    pub writable: Writable,
    /// `None`: no deadline.
    pub deadline: Option<Tick>,
    /// Earliest instant at which the heap will ask for this socket.
    pub timer_at: Option<Tick>,
    pub timed_out: bool,
    /// The wait for bytes ends once, without a reason of its own.
    pub interrupted: bool,
}

/// Buffers of one turn in their order. Nearly always one, which needs no memory of its own.
#[derive(Debug)]
pub(super) struct Inbox {
    first: Option<RecvBuf>,
    rest: VecDeque<RecvBuf>,
}

impl Inbox {
    const fn new() -> Self {
        Self { first: None, rest: VecDeque::new() }
    }

    pub fn push(&mut self, buf: RecvBuf) {
        if self.is_empty() {
            self.first = Some(buf);
        } else {
            self.rest.push_back(buf);
        }
    }

    pub fn pop(&mut self) -> Option<RecvBuf> {
        if let Some(buf) = self.first.take() {
            return Some(buf);
        }
        let buf = self.rest.pop_front();
        if self.rest.is_empty() && self.rest.capacity() > 0 {
            // An idle connection holds nothing.
            self.rest = VecDeque::new();
        }
        buf
    }

    pub fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_empty()
    }

    pub fn clear(&mut self) {
        *self = Self::new();
    }
}

/// State of the one poll for room to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writable {
    NotAsked,
    Asked,
    Ready,
}

impl Socket {
    pub const fn new(fd: OwnedFd, owner: Owner) -> Self {
        Self {
            fd,
            owner,
            receive: Receive::Wanted,
            end: None,
            inbox: Inbox::new(),
            backlog: Vec::new(),
            waiting: false,
            writable: Writable::NotAsked,
            deadline: None,
            timer_at: None,
            timed_out: false,
            interrupted: false,
        }
    }

    /// Whether any operation on the descriptor is still in flight.
    pub fn in_flight(&self) -> bool {
        matches!(self.receive, Receive::Armed | Receive::Cancelling) || self.writable == Writable::Asked
    }

    /// Copies what the task has not taken, so that the kernel's buffers go home with the turn.
    pub fn spill(&mut self) {
        while let Some(buf) = self.inbox.pop() {
            self.backlog.extend_from_slice(&buf);
        }
    }

    /// Sets the deadline; answers the instant to put on the heap when the one there would come too late.
    pub fn set_deadline(&mut self, deadline: Option<Tick>) -> Option<Tick> {
        self.deadline = deadline;
        self.timed_out = false;
        let at = deadline?;
        if self.timer_at.is_some_and(|armed| armed <= at) {
            return None;
        }
        self.timer_at = Some(at);
        Some(at)
    }

    /// The entry that the heap held for `asked` has come up at `now`: has the deadline really passed, else when to ask again.
    pub fn check_deadline(&mut self, asked: Tick, now: Tick) -> DeadlineCheck {
        if self.timer_at != Some(asked) {
            // An entry of an older wait; the one we count on is still in the heap.
            return DeadlineCheck::None;
        }
        self.timer_at = None;
        match self.deadline {
            None => DeadlineCheck::None,
            Some(at) if at <= now => {
                self.deadline = None;
                self.timed_out = true;
                DeadlineCheck::Passed
            }
            Some(at) => {
                self.timer_at = Some(at);
                DeadlineCheck::AskAgain(at)
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeadlineCheck {
    None,
    Passed,
    AskAgain(Tick),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> Socket {
        let fd = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        Socket::new(fd, Owner::Closing)
    }

    #[test]
    fn a_deadline_that_moves_away_costs_one_heap_entry() {
        let mut socket = socket();
        assert_eq!(socket.set_deadline(Some(Tick(75))), Some(Tick(75)));
        assert_eq!(socket.set_deadline(Some(Tick(80))), None, "the entry at 75 will look again");
        assert_eq!(socket.check_deadline(Tick(75), Tick(76)), DeadlineCheck::AskAgain(Tick(80)));
        assert_eq!(socket.check_deadline(Tick(80), Tick(80)), DeadlineCheck::Passed);
        assert!(socket.timed_out);
    }

    #[test]
    fn a_deadline_that_comes_nearer_makes_the_older_entry_stale() {
        let mut socket = socket();
        socket.set_deadline(Some(Tick(75)));
        assert_eq!(socket.set_deadline(Some(Tick(10))), Some(Tick(10)));
        socket.set_deadline(Some(Tick(90)));
        assert_eq!(socket.check_deadline(Tick(10), Tick(10)), DeadlineCheck::AskAgain(Tick(90)));
        assert_eq!(socket.check_deadline(Tick(75), Tick(75)), DeadlineCheck::None);
        assert_eq!(socket.set_deadline(None), None);
        assert_eq!(socket.check_deadline(Tick(90), Tick(90)), DeadlineCheck::None);
        assert!(!socket.timed_out);
    }
}
