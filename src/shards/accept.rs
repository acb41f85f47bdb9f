//! Who may come in: up to the bound a connection gets a task, beyond it a short refusal.
//! Never here: a connection that is neither counted as opened nor as refused.

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
use crate::net::transport::Transport;
use crate::proto::http1::{BodyMode, Persistence, ReplyContext, Version, Wire, write_reply};
use crate::proto::reply::Reply;

use super::answers::{Peer, date};
use super::connection::{Conversation, Ending};
use super::door::DoorKind;
use super::opening::own_request_id;
use super::proxy_header::{Begins, begins, introduce};
use super::seat::Seat;

/// How much of its request a refused client gets rid of: unread bytes would turn the close into a reset, which may overtake
/// the refusal (RFC 9112 §9.6). A phone's request is smaller.
const REFUSED_BYTES: usize = 4096;

/// What is known of a connection before its first byte.
struct Entrance {
    /// Of the other end of the socket.
    addr: IpAddr,
    begins: Begins,
    /// `None`: the client's address is not known yet.
    seat: Option<Seat>,
}

/// Which bound keeps a connection out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Shard,
    Address,
    Files,
}

/// What one door of a shard does with whoever comes.
pub fn door(desk: &Rc<Desk>, kind: DoorKind) -> OnAccept {
    let desk = desk.clone();
    Rc::new(move |fd| {
        if desk.driver.sockets() >= desk.common.service.config.server.connections_max {
            return refuse(&desk, fd, Bound::Shard);
        }
        if fd.as_raw_fd() >= desk.common.files_max {
            return refuse(&desk, fd, Bound::Files);
        }
        match peer_addr(fd.as_fd()) {
            Some(addr) => match kind {
                DoorKind::Plain => arrive(&desk, fd, addr.ip()),
            },
            None => {
                // Without an address the client has left again already.
                desk.ledger.connections.opened.one();
                desk.ledger.connection_closed(CloseReason::Reset);
            }
        }
    })
}

/// A connection that is new on this node.
fn arrive(desk: &Rc<Desk>, fd: OwnedFd, addr: IpAddr) {
    match begins(&desk.common.service.config.proxy_protocol, addr) {
        Begins::Untrusted => {
            desk.ledger.connections.opened.one();
            desk.ledger.proxy_headers.untrusted.one();
            desk.ledger.connection_closed(CloseReason::Fault);
        }
        begins => {
            let seat = if begins == Begins::Direct { Seat::take(desk, addr) } else { None };
            if begins == Begins::Direct && seat.is_none() {
                return refuse(desk, fd, Bound::Address);
            }
            desk.ledger.connections.opened.one();
            welcome(desk, fd, Vec::new(), Entrance { addr, begins, seat });
        }
    }
}

/// Gives a connection a task. `first` was received on another shard.
fn welcome(desk: &Rc<Desk>, fd: OwnedFd, first: Vec<u8>, entrance: Entrance) {
    let served = desk.clone();
    if let Err(fd) = desk.driver.serve(fd, first, move |stream| live(stream, served, entrance)) {
        desk.ledger.connection_closed(CloseReason::Reset);
        refuse(desk, fd, Bound::Shard);
    }
}

async fn live(stream: Stream, desk: Rc<Desk>, entrance: Entrance) {
    // Boxed: it is over before the conversation begins.
    let Some((stream, peer, seat)) = Box::pin(enter(stream, &desk, entrance)).await else { return };
    let mut conversation = Box::new(Conversation::new(Transport::Plain(stream), desk.clone(), peer));
    // Requests are guarded further down; what panics here is the conversation itself, or what a request leaves behind.
    let ending = AssertUnwindSafe(conversation.run()).catch_unwind().await.unwrap_or_else(|cause| {
        desk.ledger.panics.one();
        tracing::error!(cause = panic_text(&*cause), "a connection panicked");
        Ending::AtOnce(CloseReason::Panic)
    });
    match ending {
        Ending::Gently(reason) => {
            desk.ledger.connection_closed(reason);
            conversation.into_transport().close_gently();
        }
        Ending::AtOnce(reason) => {
            desk.ledger.connection_closed(reason);
            drop(conversation);
        }
        Ending::Move => Box::pin(move_on(*conversation, &desk, (peer.addr, seat))).await,
    }
}

/// Finds out who comes, and whether there is a place for one more of that address. `None`: it has ended already.
async fn enter(stream: Stream, desk: &Desk, entrance: Entrance) -> Option<(Stream, Peer, Seat)> {
    let Entrance { mut addr, begins, mut seat } = entrance;
    if begins != Begins::Direct {
        match introduce(&stream, desk, begins, addr).await {
            Ok(client) => addr = client,
            Err(reason) => {
                desk.ledger.connection_closed(reason);
                return None;
            }
        }
        seat = Seat::take(desk, addr);
    }
    let Some(seat) = seat else {
        turn_away(stream, desk);
        return None;
    };
    Some((stream, Peer { addr, key: ip_key(&desk.common.hasher, addr) }, seat))
}

/// Sends the connection to the shard of its user. If that shard's mailbox is full it stays here.
async fn move_on(mut conversation: Conversation, desk: &Rc<Desk>, (addr, seat): (IpAddr, Seat)) {
    let target = conversation.streak.target().unwrap_or(desk.shard);
    let unread = conversation.take_unread();
    let Some(mut leaving) = conversation.into_transport().detach().await else {
        return desk.ledger.connection_closed(CloseReason::Reset);
    };
    let first = if unread.is_empty() {
        std::mem::take(&mut leaving.bytes)
    } else {
        [unread, std::mem::take(&mut leaving.bytes)].concat()
    };
    desk.ledger.connections.moved_out.one();
    // Whoever it is has been found out here.
    let entrance = Entrance { addr, begins: Begins::Direct, seat: Some(seat) };
    // The job owns the connection: if the mailbox refuses it, it comes back through this cell.
    let parcel = std::sync::Arc::new(std::sync::Mutex::new(Some((leaving.fd, first, entrance))));
    let sent = parcel.clone();
    let posted = desk.peers.post(
        target,
        Box::new(move |there| {
            let parcel = sent.lock().ok().and_then(|mut parcel| parcel.take());
            if let Some((fd, first, entrance)) = parcel {
                there.ledger.connections.moved_in.one();
                welcome(there, fd, first, entrance);
            }
        }),
    );
    if posted.is_err()
        && let Some((fd, first, entrance)) = parcel.lock().ok().and_then(|mut parcel| parcel.take())
    {
        desk.ledger.connections.moved_in.one();
        welcome(desk, fd, first, entrance);
    }
}

/// Tells why and closes: one send, one receive, no task.
fn refuse(desk: &Desk, fd: OwnedFd, bound: Bound) {
    match bound {
        Bound::Shard => desk.ledger.connections.refused.one(),
        Bound::Address => desk.ledger.connections.refused_address.one(),
        Bound::Files => desk.ledger.connections.refused_files.one(),
    }
    let mut stream = TcpStream::from(fd);
    // A fresh socket has room for this; if the client has gone, nobody needs it.
    let sent = stream.set_nonblocking(true).and_then(|()| stream.write_all(&refusal(desk)));
    let _ = sent.and_then(|()| stream.shutdown(Shutdown::Write)).and_then(|()| stream.read(&mut [0; REFUSED_BYTES]));
}

/// Tells a client whose address became known within its connection that it has too many.
fn turn_away(stream: Stream, desk: &Desk) {
    desk.ledger.connections.refused_address.one();
    desk.ledger.connection_closed(CloseReason::Fault);
    if stream.send_now(&refusal(desk)).is_ok() {
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
        fn task_bytes<F: Future>(_: impl FnOnce(Stream, Rc<Desk>, Entrance) -> F) -> usize {
            size_of::<F>()
        }
        let (task, conversation) = (task_bytes(live), size_of::<Conversation>());
        assert!(task + conversation <= 768, "{task} + {conversation} bytes: box what only a slow request needs");
    }
}
