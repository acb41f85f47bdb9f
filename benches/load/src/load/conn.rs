//! One keep-alive connection of the generator with at most one request in flight.
//! Never here: a second request before the first is answered.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use super::report::Failure;
use super::response::{Answered, ResponseParser};
use super::wire::{Way, Wire};
use crate::sys::epoll::Peer;

/// Loopback connects at once or never; a full backlog costs one retransmission of a second.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

pub struct Conn {
    pub wire: Wire,
    pub flight: Option<Flight>,
    parser: ResponseParser,
    /// What the wire has not taken yet.
    unsent: Vec<u8>,
}

/// A request on its way.
#[derive(Clone, Copy)]
pub struct Flight {
    /// Latency counts from here.
    pub due: Instant,
    /// The timeout counts from here.
    pub sent: Instant,
}

impl Conn {
    pub fn open(way: &Way) -> io::Result<Self> {
        let wire = way.open(CONNECT_WAIT)?;
        wire.stream().set_nonblocking(true)?;
        Ok(Self { wire, flight: None, parser: ResponseParser::default(), unsent: Vec::new() })
    }

    /// Sends a request; what does not fit waits for [`Conn::flush`].
    pub fn send(&mut self, request: &[u8]) -> Result<(), Failure> {
        match self.wire.write(request) {
            Ok(sent) => self.unsent.extend_from_slice(&request[sent..]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.unsent.extend_from_slice(request),
            Err(_) => return Err(Failure::Send),
        }
        Ok(())
    }

    /// Goes on sending once the socket takes bytes again.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.wire.flush().map_err(|_| Failure::Send)?;
        while !self.unsent.is_empty() {
            match self.wire.write(&self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(Failure::Send),
            }
        }
        Ok(())
    }

    /// Reads until the answer has ended or the socket is empty. Body bytes go to `body`.
    pub fn receive(
        &mut self,
        peer: Peer,
        buf: &mut [u8],
        mut body: impl FnMut(&[u8]),
    ) -> Result<Option<Answered>, Failure> {
        loop {
            let received = match self.wire.read(buf) {
                Ok(0) => return Err(Failure::Closed),
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(_) => return Err(Failure::Receive),
            };
            if self.flight.is_none() {
                return Err(Failure::Malformed);
            }
            let mut rest = &buf[..received];
            let answered = self.parser.advance(&mut rest, &mut body).map_err(|_| Failure::Malformed)?;
            if answered.is_some() {
                // One request, one answer: anything behind it belongs to nothing.
                return if rest.is_empty() { Ok(answered) } else { Err(Failure::Malformed) };
            }
            // The socket is empty, and the rest of the answer raises a new edge.
            if peer == Peer::Open && !self.wire.may_hold_more(received, buf.len()) {
                return Ok(None);
            }
        }
    }
}
