//! Clients and actions that take too long over HTTP/2.
//! Never here: how long exactly; only that the wait ends, and how.

use std::cell::{Cell, RefCell};

use tidegate::core::fault::Backend;
use tidegate::core::ledger::CloseReason;

use crate::peer::{END_STREAM, INITIAL_WINDOW_SIZE, PREFACE, Peer, code, frame, kind, request};
use crate::support::node::TestNode;
use crate::support::until;

#[test]
fn an_action_that_takes_too_long_is_a_504() {
    let node = TestNode::start(&["server.request_timeout=100ms", "database.timeout=100ms", "wechat.timeout=100ms"]);
    let mut peer = Peer::begin(node.addr);
    peer.get(1, "/wait");
    assert_eq!(peer.answer(1).status, 504);
    peer.get(3, "/ping");
    assert_eq!(peer.answer(3).status, 200);
}

/// As over HTTP/1, the answer names what was waited for on another shard.
#[test]
fn a_504_names_the_backend_behind_a_hop() {
    let node = TestNode::start(&[
        "server.shards=2",
        "server.request_timeout=200ms",
        "database.timeout=100ms",
        "wechat.timeout=150ms",
    ]);
    let mut peer = Peer::begin(node.addr);
    let streams = [1, 3, 5, 7, 9, 11, 13, 15];
    for stream in streams {
        let bearer = format!("Bearer {}", node.log_in(&format!("user{stream}"), 1));
        let path = if stream < 8 { "/wait/counted" } else { "/wait/owner" };
        peer.send(&request(stream, "GET", path, &[("authorization", &bearer)], END_STREAM));
    }
    for stream in streams {
        let answer = peer.answer(stream);
        let text = String::from_utf8_lossy(&answer.body);
        assert!(answer.status == 504 && text.contains("database did not answer in time"), "{text}");
    }
    assert!(node.sum(|ledger| ledger.lane(Backend::Owner).asked.get()) > 0, "eight users on two shards");
    assert_eq!(node.sum(|ledger| ledger.lane(Backend::Database).timeouts.get()), 8);
}

#[test]
fn a_body_that_does_not_come_is_a_408() {
    let node = TestNode::start(&["server.body_timeout=100ms"]);
    let mut peer = Peer::begin(node.addr);
    peer.send(&request(1, "POST", "/echo", &[], 0));
    peer.say(kind::DATA, 0, 1, b"{");
    assert_eq!(peer.answer(1).status, 408);
    peer.get(3, "/ping");
    assert_eq!(peer.answer(3).status, 200);
}

/// Bytes that trickle buy no time, although no pause between them is long: neither those of a body nor those of an answer.
#[test]
fn a_client_that_trickles_is_given_up() {
    let node = TestNode::start(&["server.body_timeout=1s", "server.write_timeout=1s", "server.peer_rate_min=1MiB"]);
    let mut peer = Peer::begin_with(node.addr, &[(INITIAL_WINDOW_SIZE, 1)]);
    peer.send(&request(1, "POST", "/echo/large", &[], 0));
    peer.get(3, "/large");
    assert_eq!(peer.status(3), 200);
    let (peer, steps) = (RefCell::new(peer), Cell::new(0));
    until("the answer is given up", || {
        steps.set(steps.get() + 1);
        peer.borrow_mut().say(kind::DATA, 0, 1, b"x");
        // Fewer than would be a flood.
        if steps.get() % 16 == 0 {
            peer.borrow_mut().open(3, 1);
        }
        node.sum(|ledger| ledger.http2.stalled.get()) > 0
    });
    let mut peer = peer.into_inner();
    assert_eq!(peer.answer(3).reset, Some(code::CANCEL));
    assert_eq!(peer.status(1), 408);
}

#[test]
fn what_is_begun_and_not_finished_ends_the_connection() {
    let node = TestNode::start(&["server.head_timeout=100ms"]);
    let mut silent = Peer::connect(node.addr);
    silent.send(&PREFACE[..20]);
    silent.goodbye();
    let mut amid = Peer::begin(node.addr);
    amid.send(&frame(kind::PING, 0, 0, &[0; 8])[..12]);
    assert_eq!(amid.goodbye(), Some(code::NO_ERROR));
    let mut block = Peer::begin(node.addr);
    block.say(kind::HEADERS, 0, 1, &[]);
    block.goodbye();
    node.until_quiet();
    assert_eq!(node.sum(|ledger| ledger.connections_closed(CloseReason::Timeout)), 3);
}

/// Pings keep a way open, not a connection.
#[test]
fn an_idle_connection_is_told_and_closed() {
    let node = TestNode::start(&["server.idle_timeout=1s"]);
    let mut peer = Peer::begin(node.addr);
    peer.get(1, "/ping");
    assert_eq!(peer.answer(1).status, 200);
    peer.ping();
    assert_eq!(peer.goodbye(), Some(code::NO_ERROR));
    node.until_quiet();
    assert_eq!(node.sum(|ledger| ledger.connections_closed(CloseReason::Idle)), 1);
}

/// RFC 9113 §6.8: who says that he begins nothing more is still answered, and then let go.
#[test]
fn a_client_that_leaves_is_let_go() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    peer.get(1, "/wait");
    peer.say(kind::GOAWAY, 0, 0, &[0; 8]);
    peer.ping();
    node.gate.open();
    assert_eq!(peer.answer(1).status, 200);
    peer.ping();
    assert_eq!(peer.goodbye(), Some(code::NO_ERROR));
    node.until_quiet();
    assert_eq!(node.sum(|ledger| ledger.connections_closed(CloseReason::ClientClosed)), 1);
}
