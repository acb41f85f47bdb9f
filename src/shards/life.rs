//! The life of a connection on a shard: who it is, its handshake, its conversation, and its end or its move to another shard.
//! Never here: a connection that ends without a reason in the books.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;

use crate::actions::desk::Desk;
use crate::core::ledger::CloseReason;
use crate::core::limit::ip_key;
use crate::net::stream::Stream;
use crate::net::tasks::panic_text;
use crate::net::tls::Session;
use crate::net::transport::{Luggage, Transport};

use super::accept::{Guest, turn_away, welcome};
use super::answers::Peer;
use super::connection::{Conversation, Ending};
use super::door::DoorKind;
use super::handshake::secure;
use super::pipeline::Proof;
use super::proxy_header::{Begins, introduce};
use super::seat::Seat;

/// How far a connection has come when it gets its task.
pub enum Entrance {
    /// Its address is known, and has a place for it.
    Direct(Seat),
    /// A balancer is about to say whose it is.
    Balanced(Begins),
    /// Another shard knows it, and had the handshake with it.
    Known(Seat, Option<Box<Session>>),
}

/// A connection that came through its entrance.
struct Entered {
    conversation: Box<Conversation>,
    seat: Seat,
}

/// Everything from the first byte to the last, or to another shard.
pub async fn live(stream: Stream, desk: Rc<Desk>, peer: Peer, entrance: Entrance) {
    // Boxed: what a handshake needs is not kept by the connection that it makes.
    let entered = AssertUnwindSafe(Box::pin(enter(stream, desk.clone(), peer, entrance))).catch_unwind().await;
    let Entered { mut conversation, seat } = match entered {
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
        Ending::Move => Box::pin(move_on(conversation, seat, &desk)).await,
    }
}

fn panicked(desk: &Desk, cause: &(dyn Any + Send)) -> CloseReason {
    desk.ledger.panics.one();
    tracing::error!(cause = panic_text(cause), "a connection panicked");
    CloseReason::Panic
}

/// From the socket to the conversation. `None`: it did not come to one, and the connection is closed and booked.
async fn enter(stream: Stream, desk: Rc<Desk>, mut peer: Peer, entrance: Entrance) -> Option<Entered> {
    let (seat, session) = match entrance {
        Entrance::Known(seat, session) => (seat, Some(session)),
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
    let transport = match (session, peer.door) {
        (Some(session), _) => Transport::resume(stream, session),
        (None, DoorKind::Plain | DoorKind::Redirect) => Transport::Plain(stream),
        (None, DoorKind::Tls) => secure(&desk, stream).await?,
    };
    if transport.has_client_certificate() {
        peer.proof = Proof::Certificate;
    }
    Some(Entered { conversation: Box::new(Conversation::new(transport, desk, peer)), seat })
}

/// What goes to another shard.
type Parcel = Mutex<Option<(Luggage, Seat)>>;

/// Sends the connection to the shard of its user. If that shard's mailbox is full it stays here.
async fn move_on(mut conversation: Box<Conversation>, seat: Seat, desk: &Rc<Desk>) {
    let peer = conversation.peer();
    let target = conversation.streak.target().unwrap_or(desk.shard);
    let unread = conversation.take_unread();
    let Some(luggage) = conversation.into_transport().detach(unread).await else {
        return desk.ledger.connection_closed(CloseReason::Reset);
    };
    desk.ledger.connections.moved_out.one();
    // The job owns the connection: if the mailbox refuses it, it comes back through this cell.
    let parcel: Arc<Parcel> = Arc::new(Mutex::new(Some((luggage, seat))));
    let sent = parcel.clone();
    let posted = desk.peers.post(target, Box::new(move |there| unpack(there, &sent, peer)));
    if posted.is_err() {
        unpack(desk, &parcel, peer);
    }
}

/// A connection that was served elsewhere goes on here.
fn unpack(desk: &Rc<Desk>, parcel: &Parcel, peer: Peer) {
    let held = parcel.lock().ok().and_then(|mut held| held.take());
    let Some((Luggage { fd, bytes: first, session }, seat)) = held else { return };
    desk.ledger.connections.moved_in.one();
    welcome(desk, fd, Guest { peer, first, entrance: Entrance::Known(seat, session) });
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
