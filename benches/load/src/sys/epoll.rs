//! An epoll instance with edge-triggered interest, keyed by a number of the caller's.
//! Never here: ownership of the registered sockets. Closing one removes it.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Events taken per wait: more than the connections that one turn usually finds ready.
const EVENTS_MAX: usize = 512;

pub struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

/// A socket that has changed.
#[derive(Clone, Copy)]
pub struct Ready {
    pub key: u64,
    pub peer: Peer,
}

/// Whether the other side may still send. Its end comes in the same edge as its last bytes, so that a reader who stops at
/// a short read must know of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Open,
    HungUp,
}

/// What to hear about a socket.
#[derive(Clone, Copy)]
pub enum Interest {
    Read,
    ReadWrite,
}

impl Epoll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked before it becomes an owned descriptor.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the kernel has just given us this descriptor and nobody else closes it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd, events: Vec::with_capacity(EVENTS_MAX) })
    }

    /// Reports `key` from now on whenever `socket` becomes ready, once per change.
    pub fn add(&self, socket: &impl AsRawFd, key: u64, interest: Interest) -> io::Result<()> {
        let wanted = match interest {
            Interest::Read => libc::EPOLLIN,
            Interest::ReadWrite => libc::EPOLLIN | libc::EPOLLOUT,
        };
        let mut event =
            libc::epoll_event { events: (wanted | libc::EPOLLRDHUP | libc::EPOLLET).cast_unsigned(), u64: key };
        // SAFETY: both descriptors are open for the time of the call and `event` outlives it.
        check(unsafe {
            libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_ADD, socket.as_raw_fd(), &raw mut event)
        })?;
        Ok(())
    }

    /// Appends the sockets that have changed to `ready`, waiting up to `timeout` for the first; `None` waits for ever.
    pub fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        let spec = timeout.map(timespec);
        let spec = spec.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: the kernel writes at most EVENTS_MAX events into the vector's capacity; `spec` is null or points to a
        // value that lives until the end of this function.
        let count = unsafe {
            libc::epoll_pwait2(self.fd.as_raw_fd(), self.events.as_mut_ptr(), EVENTS_MAX as i32, spec, std::ptr::null())
        };
        let count = match check(count) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            count => count?,
        };
        // SAFETY: the kernel has initialised this many events.
        unsafe { self.events.set_len(count as usize) };
        ready.extend(self.events.iter().map(Ready::from_event));
        Ok(())
    }
}

impl Ready {
    fn from_event(event: &libc::epoll_event) -> Self {
        let hung_up = (libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR).cast_unsigned();
        let peer = if event.events & hung_up == 0 { Peer::Open } else { Peer::HungUp };
        Self { key: event.u64, peer }
    }
}

fn timespec(wait: Duration) -> libc::timespec {
    libc::timespec { tv_sec: wait.as_secs() as libc::time_t, tv_nsec: libc::c_long::from(wait.subsec_nanos()) }
}

pub(super) fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
