//! What a connection's bytes travel through: a socket, or TLS over one.
//! Never here: HTTP.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection};

use super::tls::{self, Inside, Tickets};
use crate::args::{Scheme, Target};

/// How to reach a server.
#[derive(Clone)]
pub struct Way {
    pub addr: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

/// An open connection.
pub enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsWire>),
}

pub struct TlsWire {
    socket: Socket,
    session: ClientConnection,
}

/// A socket that knows whether it has just been read empty.
struct Socket {
    stream: TcpStream,
    drained: bool,
}

impl Way {
    /// As the target's scheme says; with TLS, sessions are not taken up again.
    pub fn to(target: &Target, inside: Inside) -> Result<Self> {
        let tls = match target.scheme {
            Scheme::Http => None,
            Scheme::Https => Some(tls::client(inside, Tickets::Ignore)?),
        };
        Ok(Self { addr: target.addr, tls })
    }

    /// Connects and shakes hands. Neither this nor any later read or write of the blocking wire takes longer than `wait`.
    pub fn open(&self, wait: Duration) -> Result<Wire> {
        let mut stream = TcpStream::connect_timeout(&self.addr, wait)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(wait))?;
        stream.set_write_timeout(Some(wait))?;
        let Some(config) = &self.tls else { return Ok(Wire::Plain(stream)) };
        let session = tls::handshake(config, &mut stream)?;
        Ok(Wire::tls(stream, session))
    }
}

impl Wire {
    /// Over a socket on which hands have been shaken.
    pub fn tls(stream: TcpStream, session: ClientConnection) -> Self {
        Self::Tls(Box::new(TlsWire { socket: Socket { stream, drained: false }, session }))
    }

    /// Tells the other side of TLS that nothing follows (RFC 8446 §6.1).
    pub fn say_goodbye(&mut self) -> Result<()> {
        if let Self::Tls(wire) = self {
            wire.session.send_close_notify();
            wire.push()?;
        }
        Ok(())
    }

    pub fn stream(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(wire) => &wire.socket.stream,
        }
    }

    /// Whether there can be more to read, after a read that gave `received` bytes of `asked`, before the socket says so.
    pub fn may_hold_more(&self, received: usize, asked: usize) -> bool {
        match self {
            Self::Plain(_) => received == asked,
            // A short read of plaintext says nothing: one record may be followed by another.
            Self::Tls(wire) => received == asked || !wire.socket.drained,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buf),
            Self::Tls(wire) => wire.read(buf),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(wire) => wire.write(bytes),
        }
    }

    /// Sends ciphertext that the socket did not take yet. What it does not take now is no error.
    fn flush(&mut self) -> Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(wire) => wire.push(),
        }
    }
}

impl TlsWire {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        loop {
            match self.session.reader().read(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            self.session.read_tls(&mut self.socket)?;
            self.session.process_new_packets().map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let taken = self.session.writer().write(bytes)?;
        self.push()?;
        Ok(taken)
    }

    fn push(&mut self) -> Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket.stream) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        Ok(())
    }
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let received = self.stream.read(buf);
        self.drained = matches!(received, Ok(received) if received < buf.len());
        received
    }
}
