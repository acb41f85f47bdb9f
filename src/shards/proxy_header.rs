//! Who really connects: the first stage of a connection behind a balancer that speaks the PROXY protocol.
//! Never here: what follows the header, be it TLS or HTTP. Its bytes go back to the stream.

use std::net::IpAddr;

use crate::actions::desk::Desk;
use crate::core::config::proxy::{ProxyMode, ProxyProtocol};
use crate::core::ledger::{CloseReason, ProxyHeaders};
use crate::net::sockets::End;
use crate::net::stream::{RecvError, Stream};
use crate::proto::proxy::{Defect, Header, Parsed, Version, parse};

use super::course::first_wait;

/// How a connection from some address begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// With its own bytes: the address is that of the client.
    Direct,
    /// With a header, or not at all.
    WithHeader,
    /// With a header, if it likes.
    WithAny,
    /// It must not: its address is not one of a balancer.
    Untrusted,
}

/// How a connection from `addr` has to begin.
#[must_use]
pub fn begins(rules: &ProxyProtocol, addr: IpAddr) -> Begins {
    let trusted = || rules.trusted.iter().any(|network| network.contains(addr));
    match rules.mode {
        ProxyMode::Off => Begins::Direct,
        ProxyMode::Optional if trusted() => Begins::WithAny,
        ProxyMode::Optional => Begins::Direct,
        ProxyMode::Required if trusted() => Begins::WithHeader,
        ProxyMode::Required => Begins::Untrusted,
    }
}

/// Finds out the client's address; `addr` is that of the socket. `None`: the connection is to be cut off, nobody here speaks
/// HTTP yet, and it is booked.
pub async fn introduce(stream: &Stream, desk: &Desk, begins: Begins, addr: IpAddr) -> Option<IpAddr> {
    if begins == Begins::Direct {
        return Some(addr);
    }
    let known = read_header(stream, desk, begins, addr).await;
    known.map_err(|reason| desk.ledger.connection_closed(reason)).ok()
}

/// Reads the header from a trusted peer, which is at `addr`. The deadline is the head's. Cancelling it loses the bytes of the
/// header.
async fn read_header(stream: &Stream, desk: &Desk, begins: Begins, addr: IpAddr) -> Result<IpAddr, CloseReason> {
    let books = &desk.ledger.proxy_headers;
    set_deadline(stream, desk);
    let mut seen = Vec::new();
    loop {
        match stream.recv().await {
            Ok(bytes) => seen.extend_from_slice(&bytes),
            Err(RecvError::End(End::Closed)) if seen.is_empty() => return Err(CloseReason::ClientClosed),
            Err(RecvError::End(End::Closed | End::Broken)) => return Err(CloseReason::Reset),
            Err(RecvError::Interrupted) if seen.is_empty() && !stream.has_unread() => {
                return Err(CloseReason::Draining);
            }
            Err(RecvError::Interrupted) => continue,
            // A client that opens a connection ahead of its need is known by its silence: a balancer speaks at once.
            Err(RecvError::TimedOut) if seen.is_empty() && begins == Begins::WithAny => {
                books.direct.one();
                return Ok(addr);
            }
            Err(RecvError::TimedOut) => {
                books.timeout.one();
                return Err(CloseReason::Timeout);
            }
        }
        match parse(&seen) {
            Parsed::NeedMore => {}
            Parsed::Header(header) => {
                count(books, &header);
                stream.unread(seen.split_off(header.bytes));
                return Ok(header.source.map_or(addr, |source| source.ip().to_canonical()));
            }
            Parsed::Absent if begins == Begins::WithAny => {
                books.direct.one();
                stream.unread(seen);
                return Ok(addr);
            }
            Parsed::Absent => {
                books.absent.one();
                return Err(CloseReason::Fault);
            }
            Parsed::Malformed(defect) => {
                refuse(books, defect);
                return Err(CloseReason::Fault);
            }
        }
    }
}

fn set_deadline(stream: &Stream, desk: &Desk) {
    let wait = first_wait(desk, desk.common.service.config.server.head_timeout);
    stream.set_deadline(Some(desk.tick().after(wait)));
}

fn count(books: &ProxyHeaders, header: &Header) {
    match header.version {
        Version::Text => books.text.one(),
        Version::Binary => books.binary.one(),
    }
}

fn refuse(books: &ProxyHeaders, defect: Defect) {
    match defect {
        Defect::Text(_) => books.malformed_text.one(),
        Defect::Binary(_) => books.malformed_binary.one(),
        Defect::Checksum => books.checksum.one(),
        Defect::TooLong { .. } => books.too_long.one(),
    }
    tracing::debug!(?defect, "a balancer's PROXY header was refused");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::network::Network;

    #[test]
    fn only_networks_of_balancers_are_believed() {
        let check = |mode, addr: &str, expect| {
            let trusted = ["10.0.0.0/8", "fd00::/8"].map(|text| Network::parse(text).unwrap()).into();
            assert_eq!(begins(&ProxyProtocol { mode, trusted }, addr.parse().unwrap()), expect, "{mode:?} {addr}");
        };
        for trusted in ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"] {
            check(ProxyMode::Off, trusted, Begins::Direct);
            check(ProxyMode::Optional, trusted, Begins::WithAny);
            check(ProxyMode::Required, trusted, Begins::WithHeader);
        }
        for stranger in ["11.1.2.3", "::ffff:11.1.2.3", "fe00::1", "127.0.0.1"] {
            check(ProxyMode::Off, stranger, Begins::Direct);
            check(ProxyMode::Optional, stranger, Begins::Direct);
            check(ProxyMode::Required, stranger, Begins::Untrusted);
        }
    }
}
