//! One connection as its task sees it: bytes in, bytes out, one deadline, three ways to end.
//! Never here: HTTP. A stream is used by the task it was given to, and by no other.

use std::future::poll_fn;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use io_uring::{opcode, types};

use crate::core::time::Tick;

use super::bufs::RecvBuf;
use super::driver::Inner;
use super::ring::{Completion, Op, user_data};
use super::slots::Key;
use super::sockets::{BACKLOG_BYTES_MAX, End, Owner, Receive, Socket, Writable};
use super::timers::Due;

/// How long a closed connection is read on, so that a reset does not overtake our last answer (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(1);

pub struct Stream {
    inner: Rc<Inner>,
    key: Key,
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
    /// Received and not yet served.
    pub bytes: Vec<u8>,
}

impl Stream {
    pub(super) const fn new(inner: Rc<Inner>, key: Key) -> Self {
        Self { inner, key }
    }

    /// The instant after which a wait for this stream ends; `None`: never. Costs a store when it moves away.
    pub fn set_deadline(&self, deadline: Option<Tick>) {
        let arm = self.inner.with_socket(self.key, |socket| socket.set_deadline(deadline)).flatten();
        if let Some(at) = arm {
            self.inner.timers.borrow_mut().add(at, Due::Socket(self.key));
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

    /// Sends what the socket takes at once; zero when it is full.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn send_now(&self, bytes: &[u8]) -> Result<usize, SendError> {
        let Some(fd) = self.fd() else { return Err(SendError::Broken) };
        let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        loop {
            // SAFETY: reads `bytes` only; the descriptor is open as long as the socket is in its slot.
            let sent = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) };
            if let Ok(sent) = usize::try_from(sent) {
                return Ok(sent);
            }
            match io::Error::last_os_error().raw_os_error() {
                Some(libc::EAGAIN) => return Ok(0),
                Some(libc::EINTR) => {}
                _ => return Err(SendError::Broken),
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
            poll_fn(|_| self.poll_writable()).await?;
        }
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
            self.inner.shutdown(self.key, libc::SHUT_WR);
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
        if let Some(buf) = socket.inbox.pop_front() {
            return Poll::Ready(Ok(Received::Lent(buf)));
        }
        if let Some(end) = socket.end {
            return Poll::Ready(Err(RecvError::End(end)));
        }
        if socket.timed_out {
            return Poll::Ready(Err(RecvError::TimedOut));
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

    fn fd(&self) -> Option<RawFd> {
        self.inner.with_socket(self.key, |socket| socket.fd.as_raw_fd())
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

impl Inner {
    pub(super) fn received(&self, completion: Completion) {
        let key = completion.key;
        let buf = match (completion.buf_id, usize::try_from(completion.result)) {
            (Some(id), Ok(len)) => Some(self.bufs.filled(id, len)),
            _ => None,
        };
        let touched = self.with_socket(key, |socket| {
            socket.take_completion(&completion, buf);
            self.wake_task(socket);
        });
        if touched.is_some() {
            self.touched.borrow_mut().push(key);
        }
    }

    pub(super) fn writable(&self, completion: Completion) {
        self.with_socket(completion.key, |socket| {
            socket.writable = Writable::Ready;
            socket.waiting = true;
            self.wake_task(socket);
        });
        self.touched.borrow_mut().push(completion.key);
    }

    /// Brings every touched socket into order after the tasks have run: buffers go home, receives start, pause or end.
    pub(super) fn settle(&self, touched: &mut Vec<Key>) {
        std::mem::swap(touched, &mut self.touched.borrow_mut());
        for key in touched.drain(..) {
            let next = self.with_socket(key, Socket::settle);
            match next {
                Some(Next::Receive(fd)) => {
                    let recv = opcode::RecvMulti::new(types::Fd(fd), 0).build();
                    self.ring.borrow_mut().push(Op::Recv, key, recv);
                }
                Some(Next::Pause) => self.cancel_receive(key),
                Some(Next::Close) => {
                    let socket = self.sockets.borrow_mut().remove(key);
                    drop(socket);
                }
                Some(Next::Nothing) | None => {}
            }
        }
    }

    /// Closes as soon as nothing is in flight; shutting down both sides ends what is.
    pub(super) fn close_now(&self, key: Key) {
        let in_flight = self.with_socket(key, |socket| {
            socket.owner = Owner::Closing;
            socket.backlog = Vec::new();
            socket.inbox.clear();
            socket.in_flight()
        });
        match in_flight {
            Some(true) => self.shutdown(key, libc::SHUT_RDWR),
            Some(false) => {
                let socket = self.sockets.borrow_mut().remove(key);
                drop(socket);
            }
            None => {}
        }
    }

    fn cancel_receive(&self, key: Key) {
        let armed = self.with_socket(key, |socket| {
            let armed = socket.receive == Receive::Armed;
            if armed {
                socket.receive = Receive::Cancelling;
            }
            armed
        });
        if armed == Some(true) {
            let cancel = opcode::AsyncCancel::new(user_data(Op::Recv, key)).build();
            self.ring.borrow_mut().push(Op::Cancel, key, cancel);
        }
    }

    fn shutdown(&self, key: Key, how: i32) {
        if let Some(fd) = self.with_socket(key, |socket| socket.fd.as_raw_fd()) {
            // SAFETY: no pointers. An error means that the connection is gone already, which is what is wanted.
            unsafe { libc::shutdown(fd, how) };
        }
    }

    fn wake_task(&self, socket: &mut Socket) {
        if !std::mem::take(&mut socket.waiting) && !matches!(socket.owner, Owner::Leaving(_)) {
            return;
        }
        if let Owner::Task(task) | Owner::Leaving(task) = socket.owner {
            self.tasks.make_ready(task);
        }
    }
}

/// What the driver does with a socket at the end of a turn.
enum Next {
    Nothing,
    Receive(RawFd),
    Pause,
    Close,
}

impl Socket {
    /// Books one completion of the multishot receive.
    fn take_completion(&mut self, completion: &Completion, buf: Option<RecvBuf>) {
        let serves = !matches!(self.owner, Owner::Lingering | Owner::Closing);
        match buf {
            Some(buf) if !buf.is_empty() => {
                if serves {
                    self.inbox.push_back(buf);
                }
            }
            _ => match -completion.result {
                0 => self.end = Some(End::Closed),
                // All buffers are lent out; they come home at the end of this turn.
                libc::ENOBUFS | libc::ECANCELED | libc::EINTR | libc::EAGAIN => {}
                _ => self.end = Some(End::Broken),
            },
        }
        if completion.more {
            return;
        }
        self.receive = match (self.end, self.receive) {
            (Some(_), _) => Receive::Ended,
            (None, Receive::Cancelling) => Receive::Paused,
            (None, _) => Receive::Wanted,
        };
    }

    fn settle(&mut self) -> Next {
        self.spill();
        match self.owner {
            Owner::Closing if !self.in_flight() => return Next::Close,
            Owner::Lingering if self.end.is_some() && !self.in_flight() => return Next::Close,
            Owner::Closing | Owner::Leaving(_) => return Next::Nothing,
            Owner::Task(_) | Owner::Lingering => {}
        }
        let full = self.backlog.len() > BACKLOG_BYTES_MAX;
        match self.receive {
            Receive::Wanted if full => {
                self.receive = Receive::Paused;
                Next::Nothing
            }
            Receive::Wanted => {
                self.receive = Receive::Armed;
                Next::Receive(self.fd.as_raw_fd())
            }
            Receive::Armed if full => Next::Pause,
            Receive::Paused if !full && self.backlog.is_empty() => {
                self.receive = Receive::Armed;
                Next::Receive(self.fd.as_raw_fd())
            }
            _ => Next::Nothing,
        }
    }
}
