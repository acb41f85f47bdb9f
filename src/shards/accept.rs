//! Who may come in: up to the bounds a connection gets a task, beyond them a short refusal.
//! Never here: a connection that is neither counted as opened nor as refused.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;

use crate::actions::desk::Desk;
use crate::core::fault::Fault;
use crate::core::ledger::CloseReason;
use crate::core::limit::ip_key;
use crate::net::listener::{OnAccept, peer_addr};
use crate::net::stream::Stream;
use crate::proto::http1::{BodyMode, Persistence, ReplyContext, Version, Wire, write_reply};

use super::answers::{Peer, date};
use super::door::DoorKind;
use super::finish::tell;
use super::life::{Entrance, live};
use super::opening::own_request_id;
use super::pipeline::Proof;
use super::proxy_header::{Begins, begins};
use super::seat::Seat;

/// How much of its request a refused client gets rid of: unread bytes would turn the close into a reset, which may overtake
/// the refusal (RFC 9112 §9.6). A phone's request is smaller.
const REFUSED_BYTES: usize = 4096;

/// Which bound keeps a connection out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Shard,
    Address,
    Files,
}

/// Who comes in, by a door or from another shard.
pub struct Guest {
    pub peer: Peer,
    /// Received on another shard.
    pub first: Vec<u8>,
    pub entrance: Entrance,
}

/// What one door of a shard does with whoever comes.
pub fn door(desk: &Rc<Desk>, kind: DoorKind) -> OnAccept {
    let desk = desk.clone();
    Rc::new(move |fd| {
        if desk.driver.sockets() >= desk.common.service.config.server.connections_max {
            return refuse(&desk, fd, kind, Bound::Shard);
        }
        if fd.as_raw_fd() >= desk.common.files_max {
            return refuse(&desk, fd, kind, Bound::Files);
        }
        match peer_addr(fd.as_fd()) {
            Some(addr) => arrive(&desk, fd, addr.ip(), kind),
            None => {
                // Without an address the client has left again already.
                desk.ledger.connections.opened.one();
                desk.ledger.connection_closed(CloseReason::Reset);
            }
        }
    })
}

/// A connection that is new on this node.
fn arrive(desk: &Rc<Desk>, fd: OwnedFd, addr: IpAddr, door: DoorKind) {
    let entrance = match begins(&desk.common.service.config.proxy_protocol, addr) {
        Begins::Untrusted => {
            desk.ledger.connections.opened.one();
            desk.ledger.proxy_headers.untrusted.one();
            return desk.ledger.connection_closed(CloseReason::Fault);
        }
        Begins::Direct => match Seat::take(desk, addr) {
            Some(seat) => Entrance::Direct(seat),
            None => return refuse(desk, fd, door, Bound::Address),
        },
        begins @ (Begins::WithHeader | Begins::WithAny) => Entrance::Balanced(begins),
    };
    desk.ledger.connections.opened.one();
    let peer = Peer { addr, key: ip_key(&desk.common.hasher, addr), door, proof: Proof::Nothing };
    welcome(desk, fd, Guest { peer, first: Vec::new(), entrance });
}

/// Gives a connection a task.
pub fn welcome(desk: &Rc<Desk>, fd: OwnedFd, guest: Guest) {
    let Guest { peer, first, entrance } = guest;
    let served = desk.clone();
    if let Err(fd) = desk.driver.serve(fd, first, move |stream| live(stream, served, peer, entrance)) {
        desk.ledger.connection_closed(CloseReason::Reset);
        refuse(desk, fd, peer.door, Bound::Shard);
    }
}

/// Tells why and closes: one send, one receive, no task. Behind TLS there are no words before a handshake.
fn refuse(desk: &Desk, fd: OwnedFd, door: DoorKind, bound: Bound) {
    match bound {
        Bound::Shard => desk.ledger.connections.refused.one(),
        Bound::Address => desk.ledger.connections.refused_address.one(),
        Bound::Files => desk.ledger.connections.refused_files.one(),
    }
    if door == DoorKind::Tls {
        return;
    }
    let mut stream = TcpStream::from(fd);
    // A fresh socket has room for this; if the client has gone, nobody needs it.
    let sent = stream.set_nonblocking(true).and_then(|()| stream.write_all(&refusal(desk)));
    let _ = sent.and_then(|()| stream.shutdown(Shutdown::Write)).and_then(|()| stream.read(&mut [0; REFUSED_BYTES]));
}

/// Tells a client whose address became known within its connection that it has too many.
pub fn turn_away(stream: Stream, desk: &Desk, door: DoorKind) {
    desk.ledger.connections.refused_address.one();
    desk.ledger.connection_closed(CloseReason::Overload);
    if door != DoorKind::Tls && stream.send_now(&refusal(desk)).is_ok() {
        stream.close_gently();
    }
}

fn refusal(desk: &Desk) -> Vec<u8> {
    let id = own_request_id(desk);
    let wire = Wire { version: Version::Http11, persistence: Persistence::Close, body: BodyMode::Send };
    let mut text = Vec::new();
    let cx = ReplyContext { date: &date(desk), request_id: id.as_str(), wire };
    write_reply(&mut text, &tell(desk, &Fault::Overloaded, id.as_str()), &cx);
    text
}
