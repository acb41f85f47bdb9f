//! How an idle shard sleeps: the ring's eventfd is read through glommio, a timerfd in the ring ends the sleep on time.
//! Never here: a sleep that a message, a completion or a timer cannot end.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

use glommio::io::BufferedFile;
use io_uring::{opcode, types};

use crate::core::time::Tick;

use super::doorbell::Doorbell;
use super::driver::{Hooks, Inner};
use super::ring::Op;
use super::slots::Key;

pub(super) struct Parking<'a> {
    doorbell: &'a Doorbell,
    bell_file: BufferedFile,
    timerfd: OwnedFd,
    /// When the timer will fire; `None` when it is off.
    armed_for: Cell<Option<Tick>>,
}

impl<'a> Parking<'a> {
    /// # Errors
    /// No file descriptor is left.
    pub fn new(inner: &Inner, doorbell: &'a Doorbell) -> io::Result<Self> {
        // SAFETY: no pointers; a non-negative result is a new descriptor that nobody else owns.
        let timerfd = unsafe {
            let fd = libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        // SAFETY: borrows the doorbell's descriptor for the call; the copy is ours, and the file takes it over.
        let bell_file = unsafe {
            let copy = libc::fcntl(doorbell.fd(), libc::F_DUPFD_CLOEXEC, 0);
            if copy < 0 {
                return Err(io::Error::last_os_error());
            }
            BufferedFile::from_raw_fd(OwnedFd::from_raw_fd(copy).into_raw_fd())
        };
        // Every expiry wakes the multishot poll; setting the timer again clears it, so the timer is never read.
        let watch = opcode::PollAdd::new(types::Fd(timerfd.as_raw_fd()), libc::POLLIN as u32).multi(true).build();
        inner.ring.borrow_mut().push(Op::Timeout, Key::unpack(0), watch);
        Ok(Self { doorbell, bell_file, timerfd, armed_for: Cell::new(None) })
    }

    /// Sleeps until a completion, a message, a waker or the next timer.
    pub async fn sleep(&self, inner: &Inner, hooks: &impl Hooks) {
        self.doorbell.park();
        if inner.may_sleep(hooks) {
            let next = inner.timers.borrow().next();
            if let Some(at) = next {
                self.arm(at, inner.clock.now().tick);
            }
            // The count itself means nothing. An error here would be an error of the executor's ring: look around and retry.
            if let Err(error) = self.bell_file.read_at(0, 8).await {
                tracing::error!(%error, "the doorbell cannot be read");
            }
        }
        self.doorbell.unpark();
    }

    fn arm(&self, at: Tick, now: Tick) {
        let fires_in_time = self.armed_for.get().is_some_and(|armed| armed > now && armed <= at);
        if fires_in_time {
            return;
        }
        // Zero would switch the timer off.
        let wait = at.since(now).max(std::time::Duration::from_nanos(1));
        let spec = libc::itimerspec {
            it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: libc::timespec {
                tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(wait.subsec_nanos()),
            },
        };
        // SAFETY: reads one itimerspec from a local; the old value is not asked for.
        let set = unsafe { libc::timerfd_settime(self.timerfd.as_raw_fd(), 0, &raw const spec, std::ptr::null_mut()) };
        assert_eq!(set, 0, "a valid relative time on our own timer");
        self.armed_for.set(Some(at));
    }
}
