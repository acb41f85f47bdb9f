//! The driver's side of a stream: what completions do to a socket, and in what order it is left at the end of a turn.
//! Never here: a descriptor closed under an operation in flight, a kernel buffer kept past the turn.

use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};

use io_uring::{opcode, types};
use socket2::SockRef;

use super::bufs::RecvBuf;
use super::driver::Inner;
use super::ring::{Completion, Op, user_data};
use super::slots::Key;
use super::sockets::{BACKLOG_BYTES_MAX, End, Owner, Receive, Socket, Writable};

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
            Some(true) => self.shutdown(key, Shutdown::Both),
            Some(false) => {
                let socket = self.sockets.borrow_mut().remove(key);
                drop(socket);
            }
            None => {}
        }
    }

    pub(super) fn cancel_receive(&self, key: Key) {
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

    pub(super) fn shutdown(&self, key: Key, how: Shutdown) {
        // An error means that the connection is gone already, which is what is wanted.
        let _ = self.with_socket(key, |socket| SockRef::from(&socket.fd).shutdown(how));
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
                    self.inbox.push(buf);
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
