//! Wakes a parked shard from another thread: one eventfd, written only when the shard really sleeps.
//! Never here: the message itself; whoever rings has put it into a queue first.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

thread_local! {
    /// Doorbells that this shard's turn has still to ring; `None` on a thread that is no shard. At most one per shard.
    static DEFERRED: RefCell<Option<Vec<Arc<Doorbell>>>> = const { RefCell::new(None) };
}

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
            self.strike();
        }
    }

    /// Rings whether anybody sleeps or not.
    pub(super) fn strike(&self) {
        let one = 1u64;
        // SAFETY: writes eight bytes from a local variable to a descriptor that we own.
        let written = unsafe { libc::write(self.eventfd.as_raw_fd(), (&raw const one).cast(), 8) };
        debug_assert_eq!(written, 8, "an eventfd takes a one unless its count is near 2^64");
    }

    /// As [`Doorbell::ring`]; on a shard's own thread at the end of its turn, so that a whole batch of messages costs one wake.
    pub fn ring_soon(self: &Arc<Self>) {
        let deferred = DEFERRED.with_borrow_mut(|deferred| match deferred {
            Some(bells) => {
                if !bells.iter().any(|bell| Arc::ptr_eq(bell, self)) {
                    bells.push(self.clone());
                }
                true
            }
            None => false,
        });
        if !deferred {
            self.ring();
        }
    }

    /// From now on this thread rings at the end of its turns.
    pub(super) fn defer_rings() {
        DEFERRED.set(Some(Vec::new()));
    }

    /// Rings all that were put off in this turn.
    pub(super) fn ring_deferred() {
        DEFERRED.with_borrow_mut(|deferred| {
            if let Some(bells) = deferred {
                bells.drain(..).for_each(|bell| bell.ring());
            }
        });
    }

    /// Rings what was put off, and from now on at once.
    pub(super) fn stop_deferring() {
        Self::ring_deferred();
        DEFERRED.set(None);
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
