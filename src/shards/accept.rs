//! Who may come in: up to the bound a connection gets a task, beyond it a short refusal.
//! Never here: a connection that is neither counted as opened nor as refused.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;

use crate::actions::desk::Desk;
use crate::core::fault::Fault;
use crate::core::ids::ShardId;
use crate::core::ledger::CloseReason;
use crate::core::limit::ip_key;
use crate::net::listener::{OnAccept, peer_addr};
use crate::net::stream::Stream;
use crate::net::tasks::panic_text;
use crate::net::transport::Transport;
use crate::proto::http1::{BodyMode, Persistence, ReplyContext, Version, Wire, write_reply};
use crate::proto::reply::Reply;

use super::answers::{Peer, date};
use super::connection::Conversation;
use super::course::{Ending, Origin};
use super::door::DoorKind;
use super::http2::{self, Line};
use super::opening::own_request_id;

/// How much of its request a refused client gets rid of: unread bytes would turn the close into a reset, which may overtake
/// the refusal (RFC 9112 §9.6). A phone's request is smaller.
const REFUSED_BYTES: usize = 4096;

/// What one door of a shard does with whoever comes.
pub fn door(desk: &Rc<Desk>, kind: DoorKind) -> OnAccept {
    let desk = desk.clone();
    Rc::new(move |fd| {
        if desk.driver.sockets() >= desk.common.service.config.server.connections_max {
            return refuse(&desk, fd);
        }
        desk.ledger.connections.opened.one();
        match peer_addr(fd.as_fd()) {
            Some(addr) => match kind {
                DoorKind::Plain => {
                    welcome(&desk, Arrived { fd, first: Vec::new(), addr: addr.ip(), speaks: Speaks::First });
                }
            },
            // Without an address the client has left again already.
            None => desk.ledger.connection_closed(CloseReason::Reset),
        }
    })
}

/// What is known of a connection that gets a task.
struct Arrived {
    fd: OwnedFd,
    /// Received on another shard.
    first: Vec<u8>,
    addr: IpAddr,
    speaks: Speaks,
}

/// What a connection speaks when it gets a task.
enum Speaks {
    /// Whatever it begins with.
    First,
    Http1,
    Http2(Box<Line>),
}

/// Gives a connection a task.
fn welcome(desk: &Rc<Desk>, arrived: Arrived) {
    let Arrived { fd, first, addr, speaks } = arrived;
    let peer = Peer { addr, key: ip_key(&desk.common.hasher, addr) };
    let served = desk.clone();
    if let Err(fd) = desk.driver.serve(fd, first, move |stream| live(stream, served, peer, speaks)) {
        desk.ledger.connection_closed(CloseReason::Reset);
        refuse(desk, fd);
    }
}

/// The life of a connection on this shard. What it begins with is boxed before the task begins: a task keeps its arguments.
fn live(stream: Stream, desk: Rc<Desk>, peer: Peer, speaks: Speaks) -> impl Future<Output = ()> {
    let transport = Transport::Plain(stream);
    let begun = match speaks {
        Speaks::First => Ok(Box::new(Conversation::new(transport, desk.clone(), peer, Origin::Fresh))),
        Speaks::Http1 => Ok(Box::new(Conversation::new(transport, desk.clone(), peer, Origin::Spoken))),
        Speaks::Http2(line) => Err(Box::new(http2::Conversation::new(transport, desk.clone(), peer, line))),
    };
    async move {
        match begun {
            Ok(conversation) => speak_http1(conversation, &desk).await,
            Err(conversation) => Box::pin(speak_http2(conversation, &desk, Vec::new())).await,
        }
    }
}

async fn speak_http1(mut conversation: Box<Conversation>, desk: &Rc<Desk>) {
    match guarded(desk, conversation.run()).await {
        Ending::Move => {
            let target = conversation.streak.target();
            let unread = conversation.take_unread();
            let passage = Passage { target, unread, addr: conversation.peer().addr, speaks: Speaks::Http1 };
            Box::pin(move_on(conversation.into_transport(), desk, passage)).await;
        }
        Ending::Http2 => {
            let first = conversation.take_refused();
            let line = Box::new(Line::new(&desk.common.service.config.http2));
            let peer = conversation.peer();
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
    let (target, addr) = (conversation.target(), conversation.peer().addr);
    let (transport, line) = conversation.into_parts();
    match ending {
        Ending::Move => {
            let passage = Passage { target, unread: Vec::new(), addr, speaks: Speaks::Http2(line) };
            move_on(transport, desk, passage).await;
        }
        ending => end(desk, transport, &ending),
    }
}

/// Requests are guarded further down; what panics here is the conversation itself, or what a request leaves behind. No
/// `async fn`: that would keep the conversation's future twice, before it is first polled and after.
fn guarded(desk: &Desk, conversation: impl Future<Output = Ending>) -> impl Future<Output = Ending> {
    AssertUnwindSafe(conversation).catch_unwind().map(|ending| {
        ending.unwrap_or_else(|cause| {
            desk.ledger.panics.one();
            tracing::error!(cause = panic_text(&*cause), "a connection panicked");
            Ending::AtOnce(CloseReason::Panic)
        })
    })
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
    addr: IpAddr,
    speaks: Speaks,
}

/// Sends the connection to the shard of its user. If that shard's mailbox is full it stays here.
async fn move_on(transport: Transport, desk: &Rc<Desk>, passage: Passage) {
    let Passage { target, unread, addr, speaks } = passage;
    let Some(mut leaving) = transport.detach().await else {
        return desk.ledger.connection_closed(CloseReason::Reset);
    };
    let first = if unread.is_empty() {
        std::mem::take(&mut leaving.bytes)
    } else {
        [unread, std::mem::take(&mut leaving.bytes)].concat()
    };
    desk.ledger.connections.moved_out.one();
    // The job owns the connection: if the mailbox refuses it, it comes back through this cell.
    let parcel = Arc::new(Mutex::new(Some(Arrived { fd: leaving.fd, first, addr, speaks })));
    let open = |parcel: &Mutex<Option<Arrived>>| parcel.lock().ok().and_then(|mut parcel| parcel.take());
    let sent = parcel.clone();
    let posted = desk.peers.post(
        target.unwrap_or(desk.shard),
        Box::new(move |there| {
            if let Some(arrived) = open(&sent) {
                there.ledger.connections.moved_in.one();
                welcome(there, arrived);
            }
        }),
    );
    if posted.is_err()
        && let Some(arrived) = open(&parcel)
    {
        desk.ledger.connections.moved_in.one();
        welcome(desk, arrived);
    }
}

/// Tells why and closes: one send, one receive, no task.
fn refuse(desk: &Desk, fd: OwnedFd) {
    desk.ledger.connections.refused.one();
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
        fn task_bytes<F: Future>(_: impl FnOnce(Stream, Rc<Desk>, Peer, Speaks) -> F) -> usize {
            size_of::<F>()
        }
        let (task, conversation) = (task_bytes(live), size_of::<Conversation>());
        assert!(task + conversation <= 768, "{task} + {conversation} bytes: box what only a slow request needs");
    }
}
