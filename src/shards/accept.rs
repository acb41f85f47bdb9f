//! Who may come in: up to the bound a connection gets a task, beyond it a short refusal.
//! Never here: a connection that is neither counted as opened nor as refused.

use std::any::Any;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;

use crate::actions::desk::Desk;
use crate::core::config::tls::Protocol;
use crate::core::fault::Fault;
use crate::core::ids::ShardId;
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
use super::connection::Conversation;
use super::course::{Ending, Origin};
use super::door::DoorKind;
use super::handshake::secure;
use super::http2::{self, Line};
use super::opening::own_request_id;
use super::pipeline::Proof;
use super::proxy_header::{Begins, begins, introduce};

/// How much of its request a refused client gets rid of: unread bytes would turn the close into a reset, which may overtake
/// the refusal (RFC 9112 §9.6). A phone's request is smaller.
const REFUSED_BYTES: usize = 4096;

/// What one door of a shard does with whoever comes.
pub fn door(desk: &Rc<Desk>, kind: DoorKind) -> OnAccept {
    let desk = desk.clone();
    Rc::new(move |fd| {
        if desk.driver.sockets() >= desk.common.service.config.server.connections_max {
            return refuse(&desk, fd, kind);
        }
        desk.ledger.connections.opened.one();
        match peer_addr(fd.as_fd()) {
            Some(addr) => arrive(&desk, fd, addr.ip(), kind),
            // Without an address the client has left again already.
            None => desk.ledger.connection_closed(CloseReason::Reset),
        }
    })
}

/// Who comes in, by a door or from another shard.
struct Guest {
    peer: Peer,
    /// Received on another shard.
    first: Vec<u8>,
    entrance: Entrance,
}

/// How far a connection has come.
enum Entrance {
    /// Nothing is known of it but the address of its socket.
    Door(Begins),
    /// Another shard knows it, and had the handshake with it.
    Known(Option<Box<Session>>, Speaks),
}

/// What a connection speaks.
enum Speaks {
    Http1(Origin),
    Http2(Box<Line>),
}

/// A connection that is new on this node.
fn arrive(desk: &Rc<Desk>, fd: OwnedFd, addr: IpAddr, door: DoorKind) {
    let begins = begins(&desk.common.service.config.proxy_protocol, addr);
    if begins == Begins::Untrusted {
        desk.ledger.proxy_headers.untrusted.one();
        return desk.ledger.connection_closed(CloseReason::Fault);
    }
    let peer = Peer { addr, key: ip_key(&desk.common.hasher, addr), door, proof: Proof::Nothing };
    welcome(desk, fd, Guest { peer, first: Vec::new(), entrance: Entrance::Door(begins) });
}

/// Gives a connection a task.
fn welcome(desk: &Rc<Desk>, fd: OwnedFd, guest: Guest) {
    let Guest { peer, first, entrance } = guest;
    let served = desk.clone();
    if let Err(fd) = desk.driver.serve(fd, first, move |stream| live(stream, served, peer, entrance)) {
        desk.ledger.connection_closed(CloseReason::Reset);
        refuse(desk, fd, peer.door);
    }
}

/// The life of a connection on this shard. What a handshake needs is boxed before the task begins, and not kept by the
/// connection that it makes.
fn live(stream: Stream, desk: Rc<Desk>, peer: Peer, entrance: Entrance) -> impl Future<Output = ()> {
    let entering = AssertUnwindSafe(Box::pin(enter(stream, desk.clone(), peer, entrance))).catch_unwind();
    async move {
        match entering.await {
            Ok(Some(Talk::Http1(conversation))) => speak_http1(conversation, &desk).await,
            Ok(Some(Talk::Http2(conversation))) => Box::pin(speak_http2(conversation, &desk, Vec::new())).await,
            Ok(None) => {}
            Err(cause) => desk.ledger.connection_closed(panicked(&desk, &*cause)),
        }
    }
}

fn panicked(desk: &Desk, cause: &(dyn Any + Send)) -> CloseReason {
    desk.ledger.panics.one();
    tracing::error!(cause = panic_text(cause), "a connection panicked");
    CloseReason::Panic
}

/// A connection that has come to a conversation.
enum Talk {
    Http1(Box<Conversation>),
    Http2(Box<http2::Conversation>),
}

/// From the socket to the conversation. `None`: it did not come to one, and the connection is closed and booked.
async fn enter(stream: Stream, desk: Rc<Desk>, mut peer: Peer, entrance: Entrance) -> Option<Talk> {
    let (transport, speaks) = match entrance {
        Entrance::Known(session, speaks) => (Transport::resume(stream, session), speaks),
        Entrance::Door(begins) => {
            peer.addr = introduce(&stream, &desk, begins, peer.addr).await?;
            peer.key = ip_key(&desk.common.hasher, peer.addr);
            let transport = match peer.door {
                DoorKind::Plain | DoorKind::Redirect => Transport::Plain(stream),
                DoorKind::Tls => secure(&desk, stream).await?,
            };
            let speaks = agreed(&desk, &transport, peer.door);
            (transport, speaks)
        }
    };
    if transport.has_client_certificate() {
        peer.proof = Proof::Certificate;
    }
    Some(match speaks {
        Speaks::Http1(origin) => Talk::Http1(Box::new(Conversation::new(transport, desk, peer, origin))),
        Speaks::Http2(line) => Talk::Http2(Box::new(http2::Conversation::new(transport, desk, peer, line))),
    })
}

/// What a new connection speaks: behind TLS what was agreed, in the clear what the client begins with.
fn agreed(desk: &Desk, transport: &Transport, door: DoorKind) -> Speaks {
    match (transport.protocol(), door) {
        (Protocol::Http2, _) => Speaks::Http2(Box::new(Line::new(&desk.common.service.config.http2))),
        (Protocol::Http11, DoorKind::Plain) => Speaks::Http1(Origin::Fresh),
        (Protocol::Http11, DoorKind::Tls | DoorKind::Redirect) => Speaks::Http1(Origin::Spoken),
    }
}

async fn speak_http1(mut conversation: Box<Conversation>, desk: &Rc<Desk>) {
    match guarded(desk, conversation.run()).await {
        Ending::Move => {
            let target = conversation.streak.target();
            let (unread, peer) = (conversation.take_unread(), conversation.peer());
            let passage = Passage { target, unread, peer, speaks: Speaks::Http1(Origin::Spoken) };
            Box::pin(move_on(conversation.into_transport(), desk, passage)).await;
        }
        Ending::Http2 => {
            let (first, peer) = (conversation.take_refused(), conversation.peer());
            let line = Box::new(Line::new(&desk.common.service.config.http2));
            let transport = conversation.into_transport();
            let conversation = Box::new(http2::Conversation::new(transport, desk.clone(), peer, line));
            Box::pin(speak_http2(conversation, desk, first)).await;
        }
        ending => end(desk, conversation.into_transport(), &ending),
    }
}

/// `first` has been received already.
async fn speak_http2(mut conversation: Box<http2::Conversation>, desk: &Rc<Desk>, first: Vec<u8>) {
    desk.ledger.http2.opened.one();
    let ending = guarded(desk, conversation.run(first)).await;
    let (target, peer) = (conversation.target(), conversation.peer());
    let (transport, line) = conversation.into_parts();
    match ending {
        Ending::Move => {
            let passage = Passage { target, unread: Vec::new(), peer, speaks: Speaks::Http2(line) };
            move_on(transport, desk, passage).await;
        }
        ending => end(desk, transport, &ending),
    }
}

/// Requests are guarded further down; what panics here is the conversation itself, or what a request leaves behind. No
/// `async fn`: that would keep the conversation's future twice, before it is first polled and after.
fn guarded(desk: &Desk, conversation: impl Future<Output = Ending>) -> impl Future<Output = Ending> {
    AssertUnwindSafe(conversation)
        .catch_unwind()
        .map(|ending| ending.unwrap_or_else(|cause| Ending::AtOnce(panicked(desk, &*cause))))
}

/// Closes a connection that ends here.
fn end(desk: &Desk, transport: Transport, ending: &Ending) {
    match ending {
        Ending::Gently(reason) => {
            desk.ledger.connection_closed(*reason);
            transport.close_gently();
        }
        Ending::AtOnce(reason) => {
            desk.ledger.connection_closed(*reason);
            drop(transport);
        }
        Ending::Move | Ending::Http2 => unreachable!("this connection goes on"),
    }
}

/// A connection's way to another shard.
struct Passage {
    target: Option<ShardId>,
    /// Received here and not served.
    unread: Vec<u8>,
    peer: Peer,
    speaks: Speaks,
}

/// Sends the connection to the shard of its user. If that shard's mailbox is full it stays here.
async fn move_on(transport: Transport, desk: &Rc<Desk>, passage: Passage) {
    let Passage { target, unread, peer, speaks } = passage;
    let Some(luggage) = transport.detach(unread).await else {
        return desk.ledger.connection_closed(CloseReason::Reset);
    };
    desk.ledger.connections.moved_out.one();
    // The job owns the connection: if the mailbox refuses it, it comes back through this cell.
    let parcel = Arc::new(Mutex::new(Some((luggage, speaks))));
    let take = move |parcel: &Mutex<Option<(Luggage, Speaks)>>| parcel.lock().ok().and_then(|mut held| held.take());
    let sent = parcel.clone();
    let posted = desk.peers.post(
        target.unwrap_or(desk.shard),
        Box::new(move |there| {
            if let Some((luggage, speaks)) = take(&sent) {
                move_in(there, luggage, peer, speaks);
            }
        }),
    );
    if posted.is_err()
        && let Some((luggage, speaks)) = take(&parcel)
    {
        move_in(desk, luggage, peer, speaks);
    }
}

/// A connection that was served elsewhere goes on here.
fn move_in(desk: &Rc<Desk>, luggage: Luggage, peer: Peer, speaks: Speaks) {
    desk.ledger.connections.moved_in.one();
    let Luggage { fd, bytes: first, session } = luggage;
    welcome(desk, fd, Guest { peer, first, entrance: Entrance::Known(session, speaks) });
}

/// Tells why and closes: one send, one receive, no task. Behind TLS there are no words before a handshake.
fn refuse(desk: &Desk, fd: OwnedFd, door: DoorKind) {
    desk.ledger.connections.refused.one();
    if door == DoorKind::Tls {
        return;
    }
    let id = own_request_id(desk);
    let wire = Wire { version: Version::Http11, persistence: Persistence::Close, body: BodyMode::Send };
    let mut text = Vec::new();
    let cx = ReplyContext { date: &date(desk), request_id: id.as_str(), wire };
    write_reply(&mut text, &Reply::from_fault(&Fault::Overloaded, id.as_str()), &cx);
    let mut stream = TcpStream::from(fd);
    // A fresh socket has room for this; if the client has gone, nobody needs it.
    let sent = stream.set_nonblocking(true).and_then(|()| stream.write_all(&text));
    let _ = sent.and_then(|()| stream.shutdown(Shutdown::Write)).and_then(|()| stream.read(&mut [0; REFUSED_BYTES]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small() {
        fn task_bytes<F: Future>(_: impl FnOnce(Stream, Rc<Desk>, Peer, Entrance) -> F) -> usize {
            size_of::<F>()
        }
        let (task, conversation) = (task_bytes(live), size_of::<Conversation>());
        assert!(task + conversation <= 800, "{task} + {conversation} bytes: box what only a slow request needs");
    }
}
