//! Wakes a parked shard from another thread: one eventfd, written only when the shard really sleeps.
//! Never here: the message itself; whoever rings has put it into a queue first.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering, fence};

/// Shared by a shard and everybody who may wake it.
#[derive(Debug)]
pub struct Doorbell {
    eventfd: OwnedFd,
    parked: AtomicBool,
}

impl Doorbell {
    /// # Errors
    /// The process has no file descriptor left.
    pub fn new() -> io::Result<Self> {
        // SAFETY: eventfd takes no pointers; a non-negative result is a descriptor that nobody else owns.
        let eventfd = unsafe {
            let fd = libc::eventfd(0, libc::EFD_CLOEXEC);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self { eventfd, parked: AtomicBool::new(false) })
    }

    /// Wakes the shard if it sleeps. A batch of messages costs one system call, because only the first finds it asleep.
    pub fn ring(&self) {
        // Pairs with the fence in `park`: either we see `parked`, or the shard's last look sees our message.
        fence(Ordering::SeqCst);
        if self.parked.load(Ordering::Relaxed) && self.parked.swap(false, Ordering::AcqRel) {
            let one = 1u64;
            // SAFETY: writes eight bytes from a local variable to a descriptor that we own.
            let written = unsafe { libc::write(self.eventfd.as_raw_fd(), (&raw const one).cast(), 8) };
            debug_assert_eq!(written, 8, "an eventfd takes a one unless its count is near 2^64");
        }
    }

    /// Announces sleep. After this the owner must look at its queues once more before it really sleeps.
    pub(super) fn park(&self) {
        self.parked.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    pub(super) fn unpark(&self) {
        self.parked.store(false, Ordering::Release);
    }

    pub(super) fn fd(&self) -> RawFd {
        self.eventfd.as_raw_fd()
    }
}
