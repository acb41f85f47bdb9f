//! The handshake: from a connected socket to a stream of plaintext, or to an alert and an end.
//! Never here: a wait without the handshake's deadline.

use std::sync::Arc;

use rustls::ServerConfig;

use crate::core::time::Tick;
use crate::net::sockets::End;
use crate::net::stream::{Received, RecvError, SendError, Stream};

pub use super::session::Made;
use super::session::Session;
use super::stream::TlsStream;

/// First byte of a record that carries a handshake (RFC 8446 §5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// Why there is no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It took too long.
    TimedOut,
    /// The peer left.
    Left,
    /// The shard drains, and the peer had not begun.
    Drained,
    /// What came is something else, such as HTTP in the clear.
    NotTls,
    /// One side refused the other: no common version, a certificate that is not accepted, malformed messages.
    Refused,
}

/// Makes the handshake. An alert is sent where TLS has one for what went wrong. `admission` is awaited before whatever comes
/// is worked on: any part of a message may be the one that lets a signature be made.
///
/// # Errors
/// There is no session, and the connection has ended.
pub async fn accept(
    stream: Stream,
    config: Arc<ServerConfig>,
    deadline: Tick,
    admission: impl AsyncFn(),
) -> Result<(TlsStream, Made), Failure> {
    stream.set_deadline(Some(deadline));
    let Ok(session) = Session::new(config) else { return Err(Failure::Refused) };
    let mut tls = TlsStream::new(stream, session);
    let first = begin(&mut tls).await?;
    let is_tls = first.first() == Some(&HANDSHAKE_RECORD);
    match converse(&mut tls, first, admission).await {
        Ok(made) => Ok((tls, made)),
        Err(failure) => {
            // Not louder: anybody can cause it, as often as he likes.
            tracing::debug!(?failure, error = ?tls.session.error(), "a handshake came to nothing");
            tls.close_gently();
            Err(if is_tls || failure != Failure::Refused { failure } else { Failure::NotTls })
        }
    }
}

async fn converse(tls: &mut TlsStream, first: Received, admission: impl AsyncFn()) -> Result<Made, Failure> {
    let mut input = first;
    loop {
        // The kernel's buffer goes home while this one waits for its turn.
        input = Received::Copied(input.to_vec());
        admission().await;
        if let Some(early) = tls.open(input) {
            // The client's first request may come right behind its last message of the handshake.
            tls.session.opened.extend_from_slice(&early);
        }
        while tls.has_unsent() && tls.session.end != Some(End::Broken) {
            tls.writable().await.map_err(Failure::of_send)?;
            tls.push_out().map_err(Failure::of_send)?;
        }
        match (tls.session.end, tls.session.made()) {
            (Some(End::Broken), _) => return Err(Failure::Refused),
            // Also when the client has said goodbye: what it asked before is answered.
            (_, Some(made)) if !tls.session.is_handshaking() => return Ok(made),
            (Some(End::Closed), _) => return Err(Failure::Left),
            (None, _) => input = receive(tls).await?,
        }
    }
}

/// The first bytes of the peer.
async fn begin(tls: &mut TlsStream) -> Result<Received, Failure> {
    match tls.stream.recv().await {
        Err(RecvError::Interrupted) if tls.stream.has_unread() => receive(tls).await,
        first => first.map_err(Failure::of_recv),
    }
}

async fn receive(tls: &mut TlsStream) -> Result<Received, Failure> {
    loop {
        match tls.stream.recv().await {
            // The shard drains: who is in the middle of a handshake gets through, and is served once.
            Err(RecvError::Interrupted) => {}
            other => return other.map_err(Failure::of_recv),
        }
    }
}

impl Failure {
    const fn of_recv(error: RecvError) -> Self {
        match error {
            RecvError::TimedOut => Self::TimedOut,
            RecvError::End(_) => Self::Left,
            RecvError::Interrupted => Self::Drained,
        }
    }

    const fn of_send(error: SendError) -> Self {
        match error {
            SendError::Broken => Self::Left,
            SendError::TimedOut => Self::TimedOut,
        }
    }
}
