//! What carries a connection's bytes, as its conversation sees it: a socket as it is, or one behind a layer of its own.
//! Never here: HTTP, or the choice of a layer.

use crate::core::time::Tick;

use super::stream::{Detached, Received, RecvError, SendError, Stream};

/// A connection behind whatever protects it.
pub enum Transport {
    /// Bytes as they come.
    Plain(Stream),
}

impl Transport {
    /// As [`Stream::set_deadline`].
    pub fn set_deadline(&self, deadline: Option<Tick>) {
        match self {
            Self::Plain(stream) => stream.set_deadline(deadline),
        }
    }

    /// As [`Stream::timed_out`].
    #[must_use]
    pub fn timed_out(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.timed_out(),
        }
    }

    /// The next bytes. Cancelling it loses nothing.
    ///
    /// # Errors
    /// The peer has closed or broken off, or the deadline has passed.
    pub async fn recv(&mut self) -> Result<Received, RecvError> {
        match self {
            Self::Plain(stream) => stream.recv().await,
        }
    }

    /// Whether bytes have arrived that `recv` has not handed out. Costs a system call.
    #[must_use]
    pub fn has_unread(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.has_unread(),
        }
    }

    /// Takes what can be sent at once and says how much that is; zero when there is no room. What was taken may still be
    /// here: see [`Transport::has_unsent`].
    ///
    /// # Errors
    /// The connection is broken.
    pub fn send_now(&mut self, bytes: &[u8]) -> Result<usize, SendError> {
        match self {
            Self::Plain(stream) => stream.send_now(bytes),
        }
    }

    /// Whether something that was taken has not left yet: `send_now` again, also with nothing new, once there is room.
    #[must_use]
    pub const fn has_unsent(&self) -> bool {
        match self {
            Self::Plain(_) => false,
        }
    }

    /// Waits until the socket has room. Cancelling it loses nothing.
    ///
    /// # Errors
    /// The connection is broken, or the deadline has passed.
    pub async fn writable(&self) -> Result<(), SendError> {
        match self {
            Self::Plain(stream) => stream.writable().await,
        }
    }

    /// As [`Stream::close_gently`].
    pub fn close_gently(self) {
        match self {
            Self::Plain(stream) => stream.close_gently(),
        }
    }

    /// Takes the connection out of this shard. `None` when it broke while its receive was being cancelled.
    pub async fn detach(self) -> Option<Detached> {
        match self {
            Self::Plain(stream) => stream.detach().await,
        }
    }
}
