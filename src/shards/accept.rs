//! Who may come in: up to the bound a connection gets a task, beyond it a short refusal.
//! Never here: a connection that is neither counted as opened nor as refused.

use std::any::Any;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use futures_util::FutureExt;

use crate::actions::desk::Desk;
use crate::core::fault::Fault;
use crate::core::ledger::CloseReason;
use crate::core::limit::ip_key;
use crate::net::listener::{OnAccept, peer_addr};
use crate::net::stream::Stream;
use crate::net::tasks::panic_text;
use crate::net::tls::Session;
use crate::net::transport::{Luggage, Transport};
use crate::proto::http1::{BodyMode, Persistence, ReplyContext, Version, Wire, write_reply};
use crate::proto::reply::Reply;

use super::answers::{Peer, date};
use super::connection::{Conversation, Ending};
use super::door::DoorKind;
use super::handshake::secure;
use super::opening::own_request_id;
use super::pipeline::Proof;
use super::proxy_header::{Begins, begins, introduce};
use super::seat::Seat;

/// How much of its request a refused client gets rid of: unread bytes would turn the close into a reset, which may overtake
/// the refusal (RFC 9112 §9.6). A phone's request is smaller.
const REFUSED_BYTES: usize = 4096;

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

/// Who comes in, by a door or from another shard.
struct Guest {
    peer: Peer,
    /// Received on another shard.
    first: Vec<u8>,
    /// `None`: the client's address is not known yet.
    seat: Option<Seat>,
    entrance: Entrance,
}

/// Which bound keeps a connection out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Shard,
    Address,
    Files,
}

/// How far a connection has come.
enum Entrance {
    /// Nothing is known of it but the address of its socket.
    Door(Begins),
    /// Another shard knows it, and had the handshake with it.
    Known(Option<Box<Session>>),
}

/// A connection that is new on this node.
fn arrive(desk: &Rc<Desk>, fd: OwnedFd, addr: IpAddr, door: DoorKind) {
    let begins = begins(&desk.common.service.config.proxy_protocol, addr);
    let seat = if begins == Begins::Direct { Seat::take(desk, addr) } else { None };
    if begins == Begins::Direct && seat.is_none() {
        return refuse(desk, fd, door, Bound::Address);
    }
    desk.ledger.connections.opened.one();
    if begins == Begins::Untrusted {
        desk.ledger.proxy_headers.untrusted.one();
        return desk.ledger.connection_closed(CloseReason::Fault);
    }
    let peer = Peer { addr, key: ip_key(&desk.common.hasher, addr), door, proof: Proof::Nothing };
    welcome(desk, fd, Guest { peer, first: Vec::new(), seat, entrance: Entrance::Door(begins) });
}

/// Gives a connection a task.
fn welcome(desk: &Rc<Desk>, fd: OwnedFd, guest: Guest) {
    let Guest { peer, first, seat, entrance } = guest;
    let served = desk.clone();
    if let Err(fd) = desk.driver.serve(fd, first, move |stream| live(stream, served, (peer, seat), entrance)) {
        desk.ledger.connection_closed(CloseReason::Reset);
        refuse(desk, fd, peer.door, Bound::Shard);
    }
}

async fn live(stream: Stream, desk: Rc<Desk>, who: (Peer, Option<Seat>), entrance: Entrance) {
    // Boxed: what a handshake needs is not kept by the connection that it makes.
    let entered = AssertUnwindSafe(Box::pin(enter(stream, desk.clone(), who, entrance))).catch_unwind().await;
    let (mut conversation, seat) = match entered {
        Ok(Some(entered)) => entered,
        Ok(None) => return,
        Err(cause) => return desk.ledger.connection_closed(panicked(&desk, &*cause)),
    };
    // Requests are guarded further down; what panics here is the conversation itself, or what a request leaves behind.
    let ending = AssertUnwindSafe(conversation.run()).catch_unwind().await;
    let ending = ending.unwrap_or_else(|cause| Ending::AtOnce(panicked(&desk, &*cause)));
    match ending {
        Ending::Gently(reason) => {
            desk.ledger.connection_closed(reason);
            conversation.into_transport().close_gently();
        }
        Ending::AtOnce(reason) => {
            desk.ledger.connection_closed(reason);
            drop(conversation);
        }
        Ending::Move => Box::pin(move_on(conversation, &desk, seat)).await,
    }
}

fn panicked(desk: &Desk, cause: &(dyn Any + Send)) -> CloseReason {
    desk.ledger.panics.one();
    tracing::error!(cause = panic_text(cause), "a connection panicked");
    CloseReason::Panic
}

/// From the socket to the conversation. `None`: it did not come to one, and the connection is closed and booked.
async fn enter(
    stream: Stream,
    desk: Rc<Desk>,
    (mut peer, mut seat): (Peer, Option<Seat>),
    entrance: Entrance,
) -> Option<(Box<Conversation>, Seat)> {
    let transport = match entrance {
        Entrance::Known(session) => Transport::resume(stream, session),
        Entrance::Door(begins) => {
            peer.addr = introduce(&stream, &desk, begins, peer.addr).await?;
            peer.key = ip_key(&desk.common.hasher, peer.addr);
            if seat.is_none() {
                seat = Seat::take(&desk, peer.addr);
            }
            if seat.is_none() {
                turn_away(stream, &desk, peer.door);
                return None;
            }
            match peer.door {
                DoorKind::Plain | DoorKind::Redirect => Transport::Plain(stream),
                DoorKind::Tls => secure(&desk, stream).await?,
            }
        }
    };
    if transport.has_client_certificate() {
        peer.proof = Proof::Certificate;
    }
    Some((Box::new(Conversation::new(transport, desk, peer)), seat?))
}

/// Sends the connection to the shard of its user. If that shard's mailbox is full it stays here.
async fn move_on(mut conversation: Box<Conversation>, desk: &Rc<Desk>, seat: Seat) {
    let peer = conversation.peer();
    let target = conversation.streak.target().unwrap_or(desk.shard);
    let unread = conversation.take_unread();
    let Some(luggage) = conversation.into_transport().detach(unread).await else {
        return desk.ledger.connection_closed(CloseReason::Reset);
    };
    desk.ledger.connections.moved_out.one();
    // The job owns the connection: if the mailbox refuses it, it comes back through this cell.
    let parcel = std::sync::Arc::new(std::sync::Mutex::new(Some((luggage, seat))));
    let sent = parcel.clone();
    let take =
        move |parcel: &std::sync::Mutex<Option<(Luggage, Seat)>>| parcel.lock().ok().and_then(|mut held| held.take());
    let posted = desk.peers.post(
        target,
        Box::new(move |there| {
            if let Some((luggage, seat)) = take(&sent) {
                move_in(there, luggage, peer, seat);
            }
        }),
    );
    if posted.is_err()
        && let Some((luggage, seat)) = take(&parcel)
    {
        move_in(desk, luggage, peer, seat);
    }
}

/// A connection that was served elsewhere goes on here.
fn move_in(desk: &Rc<Desk>, luggage: Luggage, peer: Peer, seat: Seat) {
    desk.ledger.connections.moved_in.one();
    let Luggage { fd, bytes: first, session } = luggage;
    welcome(desk, fd, Guest { peer, first, seat: Some(seat), entrance: Entrance::Known(session) });
}

/// Tells why and closes: one send, one receive, no task. Behind TLS there are no words before a handshake.
fn refuse(desk: &Desk, fd: OwnedFd, door: DoorKind, bound: Bound) {
    let connections = &desk.ledger.connections;
    match bound {
        Bound::Shard => connections.refused.one(),
        Bound::Address => connections.refused_address.one(),
        Bound::Files => connections.refused_files.one(),
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
fn turn_away(stream: Stream, desk: &Desk, door: DoorKind) {
    desk.ledger.connections.refused_address.one();
    desk.ledger.connection_closed(CloseReason::Fault);
    if door != DoorKind::Tls && stream.send_now(&refusal(desk)).is_ok() {
        stream.close_gently();
    }
}

fn refusal(desk: &Desk) -> Vec<u8> {
    let id = own_request_id(desk);
    let wire = Wire { version: Version::Http11, persistence: Persistence::Close, body: BodyMode::Send };
    let mut text = Vec::new();
    let cx = ReplyContext { date: &date(desk), request_id: id.as_str(), wire };
    write_reply(&mut text, &Reply::from_fault(&Fault::Overloaded, id.as_str()), &cx);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small() {
        fn task_bytes<F: Future>(_: impl FnOnce(Stream, Rc<Desk>, (Peer, Option<Seat>), Entrance) -> F) -> usize {
            size_of::<F>()
        }
        let (task, conversation) = (task_bytes(live), size_of::<Conversation>());
        assert!(task + conversation <= 800, "{task} + {conversation} bytes: box what only a slow request needs");
    }
}
