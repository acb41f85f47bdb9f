//! The PROXY protocol (haproxy.org, proxy-protocol.txt, versions 1 and 2): what a balancer says about a connection before
//! the connection's own bytes.
//! Never here: sockets, and the decision whom to believe. A header is read as a whole or not at all.

mod crc32c;
mod v1;
mod v2;

use std::net::SocketAddr;

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A header that is not whole yet, or no byte at all.
    NeedMore,
    /// Something else: neither version begins like this.
    Absent,
    Header(Header),
    Malformed(Defect),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the header; what follows belongs to the connection.
    pub bytes: usize,
    pub version: Version,
    /// Who connected to the proxy; `None` when the proxy speaks for itself or does not know: then the socket's own
    /// address counts.
    pub source: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Text,
    Binary,
}

/// Why a header is none. The text is for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    Text(&'static str),
    Binary(&'static str),
    /// The CRC32C that it carries is not its own.
    Checksum,
    TooLong {
        bytes_max: usize,
    },
}

/// Reads the header at the start of `bytes`, which is all that was received so far.
#[must_use]
pub fn parse(bytes: &[u8]) -> Parsed {
    let begins = |start: &[u8]| bytes.starts_with(start) || start.starts_with(bytes);
    let read = if bytes.is_empty() {
        Ok(None)
    } else if begins(v2::SIGNATURE) {
        v2::read(bytes)
    } else if begins(v1::START) {
        v1::read(bytes)
    } else {
        return Parsed::Absent;
    };
    match read {
        Ok(Some(header)) => Parsed::Header(header),
        Ok(None) => Parsed::NeedMore,
        Err(defect) => Parsed::Malformed(defect),
    }
}

#[cfg(test)]
mod tests;
