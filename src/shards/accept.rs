//! Who may come in: up to the bound a connection gets a task, beyond it a short refusal.
//! Never here: a connection that is neither counted as opened nor as refused.

use std::io::Write;
use std::net::{IpAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use crate::actions::desk::Desk;
use crate::core::ledger::CloseReason;
use crate::core::limit::ip_key;
use crate::net::listener::{OnAccept, peer_addr};
use crate::net::stream::Stream;

use super::answers::Peer;
use super::connection::{Conversation, Ending};

/// What a connection beyond the bound is told. It costs one send and one close.
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json; charset=utf-8\r\n\
retry-after: 1\r\ncontent-length: 76\r\nconnection: close\r\n\r\n\
{\"code\":50301,\"message\":\"server at its limit: retry later\",\"request_id\":\"-\"}";

/// The door of one shard.
pub fn door(desk: &Rc<Desk>) -> OnAccept {
    let desk = desk.clone();
    Rc::new(move |fd| {
        if desk.driver.sockets() >= desk.common.service.config.server.connections_max {
            return refuse(&desk, fd);
        }
        // Without an address the client has left again already.
        if let Some(addr) = peer_addr(fd.as_fd()) {
            desk.ledger.connections.opened.one();
            welcome(&desk, fd, Vec::new(), addr.ip());
        }
    })
}

/// Gives a connection a task. `first` was received on another shard.
fn welcome(desk: &Rc<Desk>, fd: OwnedFd, first: Vec<u8>, addr: IpAddr) {
    let peer = Peer { addr, key: ip_key(&desk.common.hasher, addr) };
    let served = desk.clone();
    if let Err(fd) = desk.driver.serve(fd, first, move |stream| live(stream, served, peer)) {
        desk.ledger.connection_closed(CloseReason::Reset);
        refuse(desk, fd);
    }
}

async fn live(stream: Stream, desk: Rc<Desk>, peer: Peer) {
    let mut conversation = Box::new(Conversation::new(stream, desk.clone(), peer));
    match conversation.run().await {
        Ending::Gently(reason) => {
            desk.ledger.connection_closed(reason);
            conversation.into_stream().close_gently();
        }
        Ending::AtOnce(reason) => {
            desk.ledger.connection_closed(reason);
            drop(conversation);
        }
        Ending::Move => Box::pin(move_on(*conversation, &desk, peer.addr)).await,
    }
}

/// Sends the connection to the shard of its user. If that shard's mailbox is full it stays here.
async fn move_on(mut conversation: Conversation, desk: &Rc<Desk>, addr: IpAddr) {
    let target = conversation.streak.target().unwrap_or(desk.shard);
    let unread = conversation.take_unread();
    let Some(mut leaving) = conversation.into_stream().detach().await else {
        return desk.ledger.connection_closed(CloseReason::Reset);
    };
    let first = if unread.is_empty() {
        std::mem::take(&mut leaving.bytes)
    } else {
        [unread, std::mem::take(&mut leaving.bytes)].concat()
    };
    desk.ledger.connections.moved_out.one();
    // The job owns the connection: if the mailbox refuses it, it comes back through this cell.
    let parcel = std::sync::Arc::new(std::sync::Mutex::new(Some((leaving.fd, first))));
    let sent = parcel.clone();
    let posted = desk.peers.post(
        target,
        Box::new(move |there| {
            let parcel = sent.lock().ok().and_then(|mut parcel| parcel.take());
            if let Some((fd, first)) = parcel {
                there.ledger.connections.moved_in.one();
                welcome(there, fd, first, addr);
            }
        }),
    );
    if posted.is_err()
        && let Some((fd, first)) = parcel.lock().ok().and_then(|mut parcel| parcel.take())
    {
        desk.ledger.connections.moved_in.one();
        welcome(desk, fd, first, addr);
    }
}

fn refuse(desk: &Desk, fd: OwnedFd) {
    desk.ledger.connections.refused.one();
    let mut stream = TcpStream::from(fd);
    // A fresh socket has room for this; if the client has gone, nobody needs it.
    let _ = stream.set_nonblocking(true).and_then(|()| stream.write_all(REFUSAL));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_an_honest_answer() {
        let text = std::str::from_utf8(REFUSAL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "body has {}", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }

    #[test]
    fn an_idle_connection_is_small() {
        fn task_bytes<F: Future>(_: impl FnOnce(Stream, Rc<Desk>, Peer) -> F) -> usize {
            size_of::<F>()
        }
        let (task, conversation) = (task_bytes(live), size_of::<Conversation>());
        assert!(task + conversation <= 640, "{task} + {conversation} bytes: box what only a slow request needs");
    }
}
