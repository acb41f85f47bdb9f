//! One connection as its task sees it: bytes in, bytes out, one deadline, three ways to end.
//! Never here: HTTP. A stream is used by the task it was given to, and by no other.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use io_uring::{opcode, types};
use socket2::SockRef;

use crate::core::time::Tick;

use super::bufs::RecvBuf;
use super::driver::Inner;
use super::ring::Op;
use super::slots::Key;
use super::sockets::{End, Owner, Receive, Socket, Writable};

/// How long a closed connection is read on, so that a reset does not overtake our last answer (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(1);

pub struct Stream {
    inner: Rc<Inner>,
    pub(super) key: Key,
}

/// Received bytes, mutable for parsing in place.
#[derive(Debug)]
pub enum Received {
    /// Still in the kernel's buffer: nothing was copied.
    Lent(RecvBuf),
    /// Came while the task was busy.
    Copied(Vec<u8>),
}

/// Why no bytes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvError {
    End(End),
    /// The deadline passed.
    TimedOut,
    /// `Driver::interrupt_waits`; the deadline stands.
    Interrupted,
}

/// Why bytes cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    Broken,
    /// The peer took nothing until the deadline.
    TimedOut,
}

/// A connection on its way to another shard.
#[derive(Debug)]
pub struct Detached {
    pub fd: OwnedFd,
    /// Received and not yet handed out.
    pub bytes: Vec<u8>,
}

impl Stream {
    pub(super) const fn new(inner: Rc<Inner>, key: Key) -> Self {
        Self { inner, key }
    }

    /// The driver of this shard.
    pub(super) fn driver(&self) -> &Inner {
        &self.inner
    }

    /// The instant after which a wait for this stream ends; `None`: never. Costs a store when it moves away.
    pub fn set_deadline(&self, deadline: Option<Tick>) {
        let arm = self.inner.with_socket(self.key, |socket| socket.set_deadline(deadline)).flatten();
        if let Some(at) = arm {
            self.inner.arm(at, self.key);
        }
    }

    /// Whether the deadline has passed since it was last set. The task is polled when it does, whatever it waits for.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.inner.with_socket(self.key, |socket| socket.timed_out).unwrap_or(true)
    }

    /// The next bytes. Cancelling it loses nothing.
    ///
    /// # Errors
    /// The peer has closed or broken off, or the deadline has passed.
    pub async fn recv(&self) -> Result<Received, RecvError> {
        poll_fn(|_| self.poll_recv()).await
    }

    /// Gives back the end of what `recv` handed out last: the next `recv` begins with it.
    pub fn unread(&self, mut bytes: Vec<u8>) {
        self.inner.with_socket(self.key, |socket| {
            bytes.append(&mut socket.backlog);
            socket.backlog = bytes;
        });
    }

    /// Whether bytes have arrived that `recv` has not handed out, in the kernel's queue included. Costs a system call.
    #[must_use]
    pub fn has_unread(&self) -> bool {
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        let peek = |socket: &mut Socket| {
            let in_kernel = || SockRef::from(&socket.fd).recv_with_flags(&mut [MaybeUninit::uninit()], flags);
            !socket.backlog.is_empty() || !socket.inbox.is_empty() || in_kernel().is_ok_and(|bytes| bytes > 0)
        };
        self.inner.with_socket(self.key, peek).unwrap_or(false)
    }

    /// Sends what the socket takes at once; zero when it is full.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn send_now(&self, bytes: &[u8]) -> Result<usize, SendError> {
        let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        loop {
            let sent =
                self.inner.with_socket(self.key, |socket| SockRef::from(&socket.fd).send_with_flags(bytes, flags));
            match sent {
                Some(Ok(sent)) => return Ok(sent),
                Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
                Some(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Some(Err(_)) | None => return Err(SendError::Broken),
            }
        }
    }

    /// Sends all of it, waiting for room. Cancelling it leaves a part unsent: close the stream then.
    ///
    /// # Errors
    /// The connection is broken, or the deadline has passed.
    pub async fn send_all(&self, mut bytes: &[u8]) -> Result<(), SendError> {
        loop {
            let sent = self.send_now(bytes)?;
            bytes = bytes.get(sent..).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            self.writable().await?;
        }
    }

    /// Waits until the socket has room. Cancelling it loses nothing.
    ///
    /// # Errors
    /// The connection is broken, or the deadline has passed.
    pub async fn writable(&self) -> Result<(), SendError> {
        poll_fn(|_| self.poll_writable()).await
    }

    /// Ends our side, then reads on for a moment so that the peer gets our last bytes, then closes.
    pub fn close_gently(self) {
        let lingers = self.inner.with_socket(self.key, |socket| {
            let lingers = socket.end.is_none();
            if lingers {
                socket.owner = Owner::Lingering;
                socket.backlog = Vec::new();
            }
            lingers
        });
        if lingers == Some(true) {
            self.inner.shutdown(self.key, Shutdown::Write);
            self.set_deadline(Some(self.inner.clock.now().tick.after(LINGER)));
            self.inner.touched.borrow_mut().push(self.key);
        }
    }

    /// Takes the connection out of this shard. `None` when it broke while its receive was being cancelled.
    pub async fn detach(self) -> Option<Detached> {
        let inner = self.inner.clone();
        let key = self.key;
        inner.with_socket(key, |socket| {
            if let Owner::Task(task) = socket.owner {
                socket.owner = Owner::Leaving(task);
            }
            if socket.receive == Receive::Wanted {
                socket.receive = Receive::Paused;
            }
        });
        inner.cancel_receive(key);
        poll_fn(|_| match inner.with_socket(key, |socket| socket.in_flight()) {
            Some(true) => Poll::Pending,
            Some(false) | None => Poll::Ready(()),
        })
        .await;
        let mut socket = inner.sockets.borrow_mut().remove(key)?;
        socket.spill();
        Some(Detached { fd: socket.fd, bytes: socket.backlog })
    }

    fn poll_recv(&self) -> Poll<Result<Received, RecvError>> {
        let mut sockets = self.inner.sockets.borrow_mut();
        let Some(socket) = sockets.get_mut(self.key) else {
            return Poll::Ready(Err(RecvError::End(End::Broken)));
        };
        if !socket.backlog.is_empty() {
            if socket.receive == Receive::Paused {
                socket.receive = Receive::Wanted;
                self.inner.touched.borrow_mut().push(self.key);
            }
            return Poll::Ready(Ok(Received::Copied(std::mem::take(&mut socket.backlog))));
        }
        if let Some(buf) = socket.inbox.pop() {
            return Poll::Ready(Ok(Received::Lent(buf)));
        }
        if let Some(end) = socket.end {
            return Poll::Ready(Err(RecvError::End(end)));
        }
        if socket.timed_out {
            return Poll::Ready(Err(RecvError::TimedOut));
        }
        if std::mem::take(&mut socket.interrupted) {
            return Poll::Ready(Err(RecvError::Interrupted));
        }
        socket.waiting = true;
        Poll::Pending
    }

    fn poll_writable(&self) -> Poll<Result<(), SendError>> {
        let mut sockets = self.inner.sockets.borrow_mut();
        let Some(socket) = sockets.get_mut(self.key) else { return Poll::Ready(Err(SendError::Broken)) };
        if socket.end == Some(End::Broken) {
            return Poll::Ready(Err(SendError::Broken));
        }
        if socket.timed_out {
            return Poll::Ready(Err(SendError::TimedOut));
        }
        match socket.writable {
            Writable::Ready => {
                socket.writable = Writable::NotAsked;
                return Poll::Ready(Ok(()));
            }
            Writable::NotAsked => {
                socket.writable = Writable::Asked;
                let poll = opcode::PollAdd::new(types::Fd(socket.fd.as_raw_fd()), libc::POLLOUT as u32).build();
                self.inner.ring.borrow_mut().push(Op::Writable, self.key, poll);
            }
            Writable::Asked => {}
        }
        Poll::Pending
    }
}

/// A stream that is dropped closes at once, unless it was told to close gently.
impl Drop for Stream {
    fn drop(&mut self) {
        let lingers = self.inner.with_socket(self.key, |socket| socket.owner == Owner::Lingering);
        if lingers == Some(false) {
            self.inner.close_now(self.key);
        }
    }
}

impl Received {
    /// Forgets what lies behind the first `len` bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        match self {
            Self::Lent(buf) => buf.truncate(len),
            Self::Copied(bytes) => bytes.truncate(len),
        }
    }
}

impl Deref for Received {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Lent(buf) => buf,
            Self::Copied(bytes) => bytes,
        }
    }
}

impl DerefMut for Received {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Lent(buf) => buf,
            Self::Copied(bytes) => bytes,
        }
    }
}
