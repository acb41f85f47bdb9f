//! The io_uring of one shard: queueing operations, one enter a turn, reading completions.
//! Never here: what an operation is for.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use io_uring::{IoUring, cqueue, squeue, types};

use super::slots::Key;

/// Submission entries: a turn rarely queues more; when it does, the queue is submitted early.
const SUBMISSIONS: u32 = 1024;
/// Completion entries. Overflow is kept by the kernel and delivered by the next enter, only slower.
const COMPLETIONS: u32 = 8192;
/// IORING_ENTER_GETEVENTS: with DEFER_TASKRUN completions are produced only by an enter that carries it.
const GETEVENTS: u32 = 1;

/// What a completion belongs to; four bits of `user_data`, the rest is the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Accept = 1,
    Recv = 2,
    Writable = 3,
    Cancel = 4,
    Doorbell = 5,
    /// Of `lag`.
    Mark = 6,
}

/// A completion, decoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completion {
    pub op: Op,
    pub key: Key,
    /// Bytes, a descriptor, or a negated errno.
    pub result: i32,
    pub buf_id: Option<u16>,
    /// The multishot operation goes on.
    pub more: bool,
}

pub(super) struct Ring {
    io: IoUring,
    /// Operations that found the queue full and the kernel unable to take it, for the next enter. Bounded by the operations
    /// that sockets can have in flight.
    late: VecDeque<squeue::Entry>,
}

impl Ring {
    /// # Errors
    /// The host forbids io_uring or its kernel is older than 6.1.
    pub fn new() -> io::Result<Self> {
        let mut builder = IoUring::<squeue::Entry, cqueue::Entry>::builder();
        builder.setup_cqsize(COMPLETIONS).setup_single_issuer().setup_coop_taskrun().setup_defer_taskrun();
        // The kernel tells when deferred work waits: see `is_quiet`.
        builder.setup_taskrun_flag();
        Ok(Self { io: builder.build(SUBMISSIONS)?, late: VecDeque::new() })
    }

    pub const fn uring(&self) -> &IoUring {
        &self.io
    }

    /// Queues an operation for the next enter.
    pub fn push(&mut self, op: Op, key: Key, entry: squeue::Entry) {
        self.late.push_back(entry.user_data(user_data(op, key)));
        self.queue_late();
        if !self.late.is_empty() {
            self.enter();
        }
    }

    /// Moves what waits into the submission queue, as far as there is room.
    fn queue_late(&mut self) {
        let mut submissions = self.io.submission();
        while let Some(entry) = self.late.front() {
            // SAFETY: every entry of this driver points to memory that lives as long as the operation: descriptors and
            // provided buffers only.
            if unsafe { submissions.push(entry) }.is_err() {
                return;
            }
            self.late.pop_front();
        }
    }

    /// Submits what is queued and lets the kernel finish what is ready, without waiting.
    pub fn enter(&mut self) {
        // Exactly what is queued: with a larger number the kernel skips GETEVENTS and deferred completions never run.
        let to_submit = self.io.submission().len() as u32;
        // SAFETY: no signal mask is passed.
        let entered = unsafe { self.io.submitter().enter::<libc::sigset_t>(to_submit, 0, GETEVENTS, None) };
        if let Err(error) = entered {
            assert!(is_passing(&error), "io_uring_enter on our own ring: {error}");
        }
        self.queue_late();
    }

    /// Submits what is queued and sleeps until there is a completion, or for `wait`; without one for as long as it takes.
    ///
    /// The kernel runs what it has deferred before it sleeps, so no work is left behind unannounced.
    pub fn wait(&mut self, wait: Option<Duration>) {
        let wait = wait.map(types::Timespec::from);
        let mut args = types::SubmitArgs::new();
        if let Some(wait) = &wait {
            args = args.timespec(wait);
        }
        if let Err(error) = self.io.submitter().submit_with_args(1, &args) {
            let expected = matches!(error.raw_os_error(), Some(libc::ETIME)) || is_passing(&error);
            assert!(expected, "io_uring_enter on our own ring: {error}");
        }
    }

    /// Whether nothing is left to submit, to run or to read: a turn needs no system call.
    pub fn is_quiet(&mut self) -> bool {
        let submissions = self.io.submission();
        let nothing_waits = submissions.is_empty() && !submissions.taskrun() && !submissions.cq_overflow();
        drop(submissions);
        nothing_waits && self.io.completion().is_empty()
    }

    /// Appends all completions that are ready.
    pub fn reap(&mut self, into: &mut Vec<Completion>) {
        into.extend(self.io.completion().map(|entry| decode(&entry)));
    }
}

/// EINTR: a signal; EAGAIN: out of memory for a moment; EBUSY: completions must be read first. The next turn retries.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN | libc::EBUSY))
}

pub(super) const fn user_data(op: Op, key: Key) -> u64 {
    (op as u64) << 60 | key.pack()
}

fn decode(entry: &cqueue::Entry) -> Completion {
    let tag = entry.user_data();
    let op = match tag >> 60 {
        1 => Op::Accept,
        2 => Op::Recv,
        3 => Op::Writable,
        4 => Op::Cancel,
        5 => Op::Doorbell,
        6 => Op::Mark,
        other => unreachable!("we never queue operation {other}"),
    };
    Completion {
        op,
        key: Key::unpack(tag),
        result: entry.result(),
        buf_id: cqueue::buffer_select(entry.flags()),
        more: cqueue::more(entry.flags()),
    }
}
