//! One TLS session without its socket: received bytes in, plaintext out, and the other way round. rustls does the protocol;
//! here is what has to be kept between two turns.
//! Never here: I/O; a buffer kept by a session that has nothing under way.

use std::sync::Arc;

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus};
use rustls::{Error, HandshakeKind, ServerConfig};

use crate::core::bounds::{TLS_PARTIAL_BYTES_MAX, TLS_SEAL_BYTES_MAX, TLS_UNSENT_BYTES_MAX};
use crate::core::config::tls::Protocol;
use crate::net::sockets::End;

/// Room for what records add to `TLS_SEAL_BYTES_MAX` of plaintext, and for an alert or a key update in front of them.
const SEAL_OVERHEAD_BYTES: usize = 4096;

/// Buffers that all sessions of a shard use, one at a time.
#[derive(Debug, Default)]
pub struct Scratch {
    /// What the records of one receive held.
    pub plain: Vec<u8>,
    /// Records on their way to a socket.
    sealed: Vec<u8>,
}

/// Everything of a TLS connection but its socket: it can go to another shard.
pub struct Session {
    conn: UnbufferedServerConnection,
    /// Plaintext that came before anybody asked for it: with the end of the handshake, or before a move.
    pub opened: Vec<u8>,
    /// The beginning of a record, or of a message that spans several.
    partial: Vec<u8>,
    /// Records that the socket has not taken.
    pub unsent: Vec<u8>,
    pub end: Option<End>,
    /// Of the handshake, or of what came after it.
    error: Option<Error>,
}

/// How a handshake was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    Full,
    /// From a ticket.
    Resumed,
}

impl Session {
    /// # Errors
    /// rustls refuses the configuration.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, Error> {
        let conn = UnbufferedServerConnection::new(config)?;
        Ok(Self { conn, opened: Vec::new(), partial: Vec::new(), unsent: Vec::new(), end: None, error: None })
    }

    pub fn is_handshaking(&self) -> bool {
        self.conn.is_handshaking()
    }

    /// How the handshake was made; `None` before its end.
    pub fn made(&self) -> Option<Made> {
        match self.conn.handshake_kind()? {
            HandshakeKind::Resumed => Some(Made::Resumed),
            HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest => Some(Made::Full),
        }
    }

    /// What will be spoken inside. A client that says nothing speaks HTTP/1.1.
    pub fn protocol(&self) -> Protocol {
        match self.conn.alpn_protocol() {
            Some(name) if name == Protocol::Http2.name().as_bytes() => Protocol::Http2,
            _ => Protocol::Http11,
        }
    }

    /// Whether the client has shown a certificate; it was verified then.
    pub fn has_client_certificate(&self) -> bool {
        self.conn.peer_certificates().is_some_and(|chain| !chain.is_empty())
    }

    pub const fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// Whether the beginning of something is here whose end is not.
    pub const fn is_amid_record(&self) -> bool {
        !self.partial.is_empty()
    }

    /// The beginning of a record, to be put before what comes next.
    pub fn take_partial(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.partial)
    }

    /// Keeps the beginning of a record.
    pub fn keep_partial(&mut self, bytes: Vec<u8>) {
        if bytes.len() > TLS_PARTIAL_BYTES_MAX {
            return self.end = Some(End::Broken);
        }
        self.partial = bytes;
    }

    /// Opens every record that lies whole in `bytes`, whose content is overwritten, and appends what they hold to `plain`.
    /// What the protocol wants to say goes to `unsent`. Answers how many bytes are done with.
    pub fn open(&mut self, bytes: &mut [u8], plain: &mut Vec<u8>) -> usize {
        let mut done = 0;
        while self.end.is_none() {
            let UnbufferedStatus { mut discard, state } =
                self.conn.process_tls_records(bytes.get_mut(done..).unwrap_or_default());
            let mut quiet = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        discard += record.discard;
                        plain.extend_from_slice(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => append(&mut data, &mut self.unsent),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => self.end = Some(End::Closed),
                Ok(ConnectionState::WriteTraffic(_) | ConnectionState::BlockedHandshake) => quiet = true,
                // Early data is not accepted, and rustls has no further states today.
                Ok(_) => self.end = Some(End::Broken),
                Err(error) => {
                    self.error = Some(error);
                    self.end = Some(End::Broken);
                    self.collect_alert();
                }
            }
            done += discard;
            if self.unsent.len() > TLS_UNSENT_BYTES_MAX {
                self.end = Some(End::Broken);
            }
            if quiet {
                return done;
            }
        }
        // Nothing is read behind an end.
        bytes.len()
    }

    /// Seals at most `TLS_SEAL_BYTES_MAX` of `plain` into the scratch; answers how much that was, and the records.
    /// `None`: the session has ended, or its keys are worn out.
    pub fn seal<'s>(&mut self, plain: &[u8], scratch: &'s mut Scratch) -> Option<(usize, &'s [u8])> {
        let piece = plain.get(..TLS_SEAL_BYTES_MAX).unwrap_or(plain);
        let out = scratch.sealed();
        let len = self.write(out, |traffic, out| traffic.encrypt(piece, out))?;
        Some((piece.len(), scratch.sealed.get(..len)?))
    }

    /// Says that nothing more will come from us (RFC 8446 §6.1).
    pub fn seal_end<'s>(&mut self, scratch: &'s mut Scratch) -> Option<&'s [u8]> {
        let out = scratch.sealed();
        let len = self.write(out, |traffic, out| traffic.queue_close_notify(out))?;
        scratch.sealed.get(..len)
    }

    fn write(
        &mut self,
        out: &mut [u8],
        act: impl FnOnce(&mut WriteTraffic<'_>, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> Option<usize> {
        if self.end == Some(End::Broken) {
            return None;
        }
        let mut at = 0;
        loop {
            // rustls counts on the bytes that it has not done with, also where only the way out is asked for.
            let UnbufferedStatus { discard, state } = self.conn.process_tls_records(&mut self.partial);
            debug_assert_eq!(discard, 0, "what could be done with these bytes was done when they came");
            match state.ok()? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    let len = act(&mut traffic, out.get_mut(at..)?).ok()?;
                    return Some(at + len);
                }
                ConnectionState::EncodeTlsData(mut data) => at += data.encode(out.get_mut(at..)?).ok()?,
                ConnectionState::TransmitTlsData(data) => data.done(),
                _ => return None,
            }
        }
    }

    /// After an error rustls has an alert for the peer, behind what was to be sent before. It must not be asked further: it
    /// would look at the bytes again that it could not use.
    fn collect_alert(&mut self) {
        while self.conn.wants_write() {
            match self.conn.process_tls_records(&mut []).state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => append(&mut data, &mut self.unsent),
                _ => return,
            }
        }
    }
}

type WriteTraffic<'c> = rustls::unbuffered::WriteTraffic<'c, ServerConnectionData>;

impl Scratch {
    /// The buffer for records, there from the first use on.
    fn sealed(&mut self) -> &mut [u8] {
        self.sealed.resize(TLS_SEAL_BYTES_MAX + SEAL_OVERHEAD_BYTES, 0);
        &mut self.sealed
    }
}

fn append(data: &mut EncodeTlsData<'_, ServerConnectionData>, out: &mut Vec<u8>) {
    let at = out.len();
    // The first try only asks for the length.
    if let Err(EncodeError::InsufficientSize(need)) = data.encode(&mut []) {
        out.resize(at + need.required_size, 0);
        let written = data.encode(out.get_mut(at..).unwrap_or_default()).unwrap_or_default();
        out.truncate(at + written);
    }
}
