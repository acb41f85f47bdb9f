//! The life of a connection on a shard: who it is, its handshake, its conversation, and its end or its move to another shard.
//! Never here: a connection that ends without a reason in the books.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;

use crate::actions::desk::Desk;
use crate::core::config::tls::Protocol;
use crate::core::ids::ShardId;
use crate::core::ledger::CloseReason;
use crate::core::limit::ip_key;
use crate::net::stream::Stream;
use crate::net::tasks::panic_text;
use crate::net::tls::Session;
use crate::net::transport::{Luggage, Transport};

use super::accept::{Guest, turn_away, welcome};
use super::answers::Peer;
use super::connection::Conversation;
use super::course::{Ending, Origin};
use super::door::DoorKind;
use super::handshake::secure;
use super::http2::{self, Line};
use super::pipeline::Proof;
use super::proxy_header::{Begins, introduce};
use super::seat::Seat;

/// How far a connection has come when it gets its task.
pub enum Entrance {
    /// Its address is known, and has a place for it.
    Direct(Seat),
    /// A balancer is about to say whose it is.
    Balanced(Begins),
    /// Another shard knows it, had the handshake with it, and knows what it speaks.
    Known(Seat, Option<Box<Session>>, Speaks),
}

/// What a connection speaks.
pub enum Speaks {
    Http1(Origin),
    Http2(Box<Line>),
}

/// The life of a connection on this shard. What a handshake needs is boxed before the task begins, and not kept by the
/// connection that it makes.
pub fn live(stream: Stream, desk: Rc<Desk>, peer: Peer, entrance: Entrance) -> impl Future<Output = ()> {
    let entering = AssertUnwindSafe(Box::pin(enter(stream, desk.clone(), peer, entrance))).catch_unwind();
    async move {
        match entering.await {
            Ok(Some(Talk::Http1(conversation, seat))) => speak_http1(conversation, seat, &desk).await,
            Ok(Some(Talk::Http2(conversation, seat))) => {
                Box::pin(speak_http2(conversation, seat, &desk, Vec::new())).await
            }
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
    Http1(Box<Conversation>, Seat),
    Http2(Box<http2::Conversation>, Seat),
}

/// From the socket to the conversation. `None`: it did not come to one, and the connection is closed and booked.
async fn enter(stream: Stream, desk: Rc<Desk>, mut peer: Peer, entrance: Entrance) -> Option<Talk> {
    let (seat, known) = match entrance {
        Entrance::Known(seat, session, speaks) => (seat, Some((session, speaks))),
        Entrance::Direct(seat) => (seat, None),
        Entrance::Balanced(begins) => {
            peer.addr = introduce(&stream, &desk, begins, peer.addr).await?;
            peer.key = ip_key(&desk.common.hasher, peer.addr);
            let Some(seat) = Seat::take(&desk, peer.addr) else {
                turn_away(stream, &desk, peer.door);
                return None;
            };
            (seat, None)
        }
    };
    let (transport, speaks) = match (known, peer.door) {
        (Some((session, speaks)), _) => (Transport::resume(stream, session), Some(speaks)),
        (None, DoorKind::Plain | DoorKind::Redirect) => (Transport::Plain(stream), None),
        (None, DoorKind::Tls) => (secure(&desk, stream).await?, None),
    };
    if transport.has_client_certificate() {
        peer.proof = Proof::Certificate;
    }
    Some(match speaks.unwrap_or_else(|| agreed(&desk, &transport, peer.door)) {
        Speaks::Http1(origin) => Talk::Http1(Box::new(Conversation::new(transport, desk, peer, origin)), seat),
        Speaks::Http2(line) => Talk::Http2(Box::new(http2::Conversation::new(transport, desk, peer, line)), seat),
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

async fn speak_http1(mut conversation: Box<Conversation>, seat: Seat, desk: &Rc<Desk>) {
    match guarded(desk, conversation.run()).await {
        Ending::Move => {
            let target = conversation.streak.target();
            let (unread, peer) = (conversation.take_unread(), conversation.peer());
            let passage = Passage { target, unread, peer, seat, speaks: Speaks::Http1(Origin::Spoken) };
            Box::pin(move_on(conversation.into_transport(), desk, passage)).await;
        }
        Ending::Http2 => {
            let (first, peer) = (conversation.take_refused(), conversation.peer());
            let line = Box::new(Line::new(&desk.common.service.config.http2));
            let transport = conversation.into_transport();
            let conversation = Box::new(http2::Conversation::new(transport, desk.clone(), peer, line));
            Box::pin(speak_http2(conversation, seat, desk, first)).await;
        }
        ending => end(desk, conversation.into_transport(), &ending),
    }
}

/// `first` has been received already.
async fn speak_http2(mut conversation: Box<http2::Conversation>, seat: Seat, desk: &Rc<Desk>, first: Vec<u8>) {
    desk.ledger.http2.opened.one();
    let ending = guarded(desk, conversation.run(first)).await;
    let (target, peer) = (conversation.target(), conversation.peer());
    let (transport, line) = conversation.into_parts();
    match ending {
        Ending::Move => {
            let passage = Passage { target, unread: Vec::new(), peer, seat, speaks: Speaks::Http2(line) };
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
    seat: Seat,
    speaks: Speaks,
}

/// What goes to another shard.
type Parcel = Mutex<Option<(Luggage, Seat, Speaks)>>;

/// Sends the connection to the shard of its user. If that shard's mailbox is full it stays here.
async fn move_on(transport: Transport, desk: &Rc<Desk>, passage: Passage) {
    let Passage { target, unread, peer, seat, speaks } = passage;
    let Some(luggage) = transport.detach(unread).await else {
        return desk.ledger.connection_closed(CloseReason::Reset);
    };
    desk.ledger.connections.moved_out.one();
    // The job owns the connection: if the mailbox refuses it, it comes back through this cell.
    let parcel: Arc<Parcel> = Arc::new(Mutex::new(Some((luggage, seat, speaks))));
    let sent = parcel.clone();
    let posted = desk.peers.post(target.unwrap_or(desk.shard), Box::new(move |there| unpack(there, &sent, peer)));
    if posted.is_err() {
        unpack(desk, &parcel, peer);
    }
}

/// A connection that was served elsewhere goes on here.
fn unpack(desk: &Rc<Desk>, parcel: &Parcel, peer: Peer) {
    let held = parcel.lock().ok().and_then(|mut held| held.take());
    let Some((Luggage { fd, bytes: first, session }, seat, speaks)) = held else { return };
    desk.ledger.connections.moved_in.one();
    welcome(desk, fd, Guest { peer, first, entrance: Entrance::Known(seat, session, speaks) });
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
