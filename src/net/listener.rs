//! The door: one listening socket per shard on a shared port, a multishot accept, a pause when descriptors run out.
//! Never here: who may come in; that is the layer above, told by `on_accept`.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use io_uring::{opcode, types};
use socket2::{Domain, SockFilter, SockRef, Socket, Type};

use crate::core::bounds;

use super::driver::{Driver, Inner};
use super::ring::{Completion, Op, user_data};
use super::slots::Key;
use super::timers::Due;

/// Connections that wait in the kernel for an accept; above `somaxconn` the kernel takes its own bound.
const BACKLOG: i32 = 4096;
/// How long accepting rests when it fails, as when the process or the host has no descriptor or memory left.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a door that closes waits for connections that have begun: a round trip to a balancer. The kernel resets those that
/// are not whole when it closes. Until then who comes anew is not heard and tries again a second later.
const ARRIVAL: Duration = Duration::from_millis(50);

/// What becomes of each accepted connection.
pub type OnAccept = Rc<dyn Fn(OwnedFd)>;

pub(super) struct Listener {
    fd: OwnedFd,
    on_accept: OnAccept,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Accepting,
    Paused,
    Closing,
}

/// Names a door of this driver.
#[derive(Clone, Copy, Debug)]
pub struct ListenerKey(Key);

/// Opens a listening socket that others may share (`SO_REUSEPORT`), with `TCP_NODELAY` and bounded buffers for everything
/// accepted.
///
/// # Errors
/// The address is taken by another user, not ours, or privileged.
pub fn open(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_tcp_nodelay(true)?;
    // Before `listen`: connections inherit both, and the window that the handshake announces depends on the first.
    socket.set_recv_buffer_size(bounds::KERNEL_RECV_BYTES)?;
    socket.set_send_buffer_size(bounds::KERNEL_SEND_BYTES)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The address at the other end; `None` when it has left already.
#[must_use]
pub fn peer_addr(fd: BorrowedFd<'_>) -> Option<SocketAddr> {
    SockRef::from(&fd).peer_addr().ok()?.as_socket()
}

impl Driver {
    /// Starts accepting.
    ///
    /// # Panics
    /// More than eight doors on one shard.
    pub fn listen(&self, listener: TcpListener, on_accept: OnAccept) -> ListenerKey {
        let door = Listener { fd: listener.into(), on_accept, state: State::Paused };
        let key = self.inner.listeners.borrow_mut().insert(door).ok().expect("a shard has a few doors");
        self.inner.resume_accepting(key);
        ListenerKey(key)
    }

    /// Stops accepting. Who has begun to connect is still let in, then the door closes.
    pub fn close_door(&self, key: ListenerKey) {
        let mut listeners = self.inner.listeners.borrow_mut();
        let Some(door) = listeners.get_mut(key.0) else { return };
        // Where the kernel has no filters, a connection that is completed at the very end is reset.
        let is_deaf = SockRef::from(&door.fd).attach_filter(&nobody_new()).is_ok();
        drop(listeners);
        if is_deaf {
            let at = self.inner.clock.now().tick.after(ARRIVAL);
            self.inner.timers.borrow_mut().add(at, Due::Close(key.0));
        } else {
            self.inner.shut_door(key.0);
        }
    }
}

/// Drops the packets that begin a connection (RFC 9293 §3.1: SYN without ACK): their senders repeat them, and meet a closed
/// door or another one. Connections inherit it, which never see such packets.
fn nobody_new() -> [SockFilter; 5] {
    const FLAGS_AT: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    let code = |parts: [u32; 3]| parts.into_iter().fold(0, |code, part| code | part as u16);
    [
        SockFilter::new(code([libc::BPF_LD, libc::BPF_B, libc::BPF_ABS]), 0, 0, FLAGS_AT),
        SockFilter::new(code([libc::BPF_ALU, libc::BPF_AND, libc::BPF_K]), 0, 0, SYN | ACK),
        SockFilter::new(code([libc::BPF_JMP, libc::BPF_JEQ, libc::BPF_K]), 0, 1, SYN),
        SockFilter::new(code([libc::BPF_RET, libc::BPF_K, 0]), 0, 0, 0),
        SockFilter::new(code([libc::BPF_RET, libc::BPF_K, 0]), 0, 0, u32::MAX),
    ]
}

impl Inner {
    /// Ends the accept; connections that the kernel has completed are still handed over.
    pub(super) fn shut_door(&self, key: Key) {
        let mut listeners = self.listeners.borrow_mut();
        let Some(door) = listeners.get_mut(key) else { return };
        let was = std::mem::replace(&mut door.state, State::Closing);
        drop(listeners);
        match was {
            State::Accepting => {
                let cancel = opcode::AsyncCancel::new(user_data(Op::Accept, key)).build();
                self.ring.borrow_mut().push(Op::Cancel, key, cancel);
            }
            State::Paused => self.empty_door(key),
            State::Closing => {}
        }
    }

    pub(super) fn resume_accepting(&self, key: Key) {
        let mut listeners = self.listeners.borrow_mut();
        let Some(door) = listeners.get_mut(key) else { return };
        if door.state == State::Paused {
            door.state = State::Accepting;
            let accept = opcode::AcceptMulti::new(types::Fd(door.fd.as_raw_fd())).flags(libc::SOCK_CLOEXEC).build();
            self.ring.borrow_mut().push(Op::Accept, key, accept);
        }
    }

    pub(super) fn accepted(&self, completion: Completion) {
        let key = completion.key;
        let on_accept = self.listeners.borrow_mut().get_mut(key).map(|door| door.on_accept.clone());
        if completion.result >= 0 {
            // SAFETY: a non-negative result of accept is a new descriptor that nobody else owns.
            let fd = unsafe { OwnedFd::from_raw_fd(completion.result) };
            if let Some(on_accept) = on_accept {
                on_accept(fd);
            }
        }
        if !completion.more {
            self.accept_ended(key, completion.result);
        }
    }

    /// Closes connections that were accepted in the last turn, when no door is left to hand them over.
    pub(super) fn refuse_accepted(&self, completions: &mut Vec<Completion>) {
        let mut ring = self.ring.borrow_mut();
        ring.enter();
        ring.reap(completions);
        drop(ring);
        // Without its door `accepted` drops the descriptor. Whatever else completed belongs to a socket that ends with the
        // driver.
        completions.drain(..).filter(|completion| completion.op == Op::Accept).for_each(|last| self.accepted(last));
    }

    /// The multishot accept has ended: by an error, by our cancel, or because the completion queue was full.
    fn accept_ended(&self, key: Key, result: i32) {
        let mut listeners = self.listeners.borrow_mut();
        let Some(door) = listeners.get_mut(key) else { return };
        if door.state == State::Closing {
            drop(listeners);
            return self.empty_door(key);
        }
        door.state = State::Paused;
        drop(listeners);
        // The completion queue was full, or this one client has left: neither is a reason to rest.
        if result >= 0 || matches!(-result, libc::ECONNABORTED | libc::EINTR | libc::EAGAIN | libc::ECANCELED) {
            return self.resume_accepting(key);
        }
        // EMFILE and its like; any other error, tried again at once, would keep the shard busy with nothing else.
        tracing::warn!(errno = -result, "no new connection can be accepted, accepting rests for 100 ms");
        self.timers.borrow_mut().add(self.clock.now().tick.after(PAUSE), Due::Accept(key));
    }

    /// Hands over what the kernel has completed and closes the door: a client whose connect succeeded gets an answer.
    fn empty_door(&self, key: Key) {
        let Some(door) = self.listeners.borrow_mut().remove(key) else { return };
        let listener = TcpListener::from(door.fd);
        if listener.set_nonblocking(true).is_err() {
            return;
        }
        for _ in 0..BACKLOG {
            let Ok((stream, _)) = listener.accept() else { return };
            (door.on_accept)(stream.into());
        }
    }
}
