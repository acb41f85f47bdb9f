//! What carries a connection's bytes, as its conversation sees it: a socket as it is, or one behind a layer of its own.
//! Never here: HTTP, or the choice of a layer.

use std::os::fd::OwnedFd;

use crate::core::config::tls::Protocol;
use crate::core::time::Tick;

use super::stream::{Received, RecvError, SendError, Stream};
use super::tls::Session;
use super::tls::stream::TlsStream;

/// A connection behind whatever protects it.
pub enum Transport {
    /// Bytes as they come.
    Plain(Stream),
    Tls(Box<TlsStream>),
}

/// A connection on its way to another shard.
pub struct Luggage {
    pub fd: OwnedFd,
    /// Received and not yet handed out, as the socket gave it.
    pub bytes: Vec<u8>,
    /// Of a connection behind TLS.
    pub session: Option<Box<Session>>,
}

impl Transport {
    /// A connection goes on where it has been taken to.
    #[must_use]
    pub fn resume(stream: Stream, session: Option<Box<Session>>) -> Self {
        match session {
            None => Self::Plain(stream),
            Some(session) => Self::Tls(Box::new(TlsStream::new(stream, *session))),
        }
    }

    /// What was agreed to be spoken. In the clear nobody agrees on anything.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::Plain(_) => Protocol::Http11,
            Self::Tls(tls) => tls.protocol(),
        }
    }

    /// Whether the peer has shown a certificate that holds.
    #[must_use]
    pub fn has_client_certificate(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.has_client_certificate(),
        }
    }

    /// As [`Stream::set_deadline`].
    pub fn set_deadline(&self, deadline: Option<Tick>) {
        match self {
            Self::Plain(stream) => stream.set_deadline(deadline),
            Self::Tls(tls) => tls.set_deadline(deadline),
        }
    }

    /// As [`Stream::timed_out`].
    #[must_use]
    pub fn timed_out(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.timed_out(),
            Self::Tls(tls) => tls.timed_out(),
        }
    }

    /// The next bytes. Cancelling it loses nothing.
    ///
    /// # Errors
    /// The peer has closed or broken off, or the deadline has passed.
    pub async fn recv(&mut self) -> Result<Received, RecvError> {
        match self {
            Self::Plain(stream) => stream.recv().await,
            Self::Tls(tls) => tls.recv().await,
        }
    }

    /// Whether bytes have arrived that `recv` has not handed out. Costs a system call.
    #[must_use]
    pub fn has_unread(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.has_unread(),
            Self::Tls(tls) => tls.has_unread(),
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
            Self::Tls(tls) => tls.send_now(bytes),
        }
    }

    /// Whether something that was taken has not left yet: `send_now` again, also with nothing new, once there is room.
    #[must_use]
    pub const fn has_unsent(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.has_unsent(),
        }
    }

    /// Waits until the socket has room. Cancelling it loses nothing.
    ///
    /// # Errors
    /// The connection is broken, or the deadline has passed.
    pub async fn writable(&self) -> Result<(), SendError> {
        match self {
            Self::Plain(stream) => stream.writable().await,
            Self::Tls(tls) => tls.writable().await,
        }
    }

    /// As [`Stream::close_gently`].
    pub fn close_gently(self) {
        match self {
            Self::Plain(stream) => stream.close_gently(),
            Self::Tls(tls) => tls.close_gently(),
        }
    }

    /// Takes the connection out of this shard; `unread` was handed out and not used. `None` when it broke meanwhile.
    pub async fn detach(self, unread: Vec<u8>) -> Option<Luggage> {
        match self {
            Self::Plain(stream) => {
                let left = stream.detach().await?;
                Some(Luggage { fd: left.fd, bytes: before(unread, left.bytes), session: None })
            }
            Self::Tls(tls) => {
                let (stream, mut session) = tls.into_parts();
                session.opened = before(unread, std::mem::take(&mut session.opened));
                let left = stream.detach().await?;
                Some(Luggage { fd: left.fd, bytes: left.bytes, session: Some(Box::new(session)) })
            }
        }
    }
}

fn before(first: Vec<u8>, then: Vec<u8>) -> Vec<u8> {
    if first.is_empty() { then } else { [first, then].concat() }
}
