//! Clients and actions that take too long over HTTP/2.
//! Never here: how long exactly; only that the wait ends, and how.

use tidegate::core::ledger::CloseReason;

use crate::peer::{PREFACE, Peer, code, frame, kind, request};
use crate::support::node::TestNode;

#[test]
fn an_action_that_takes_too_long_is_a_504() {
    let node = TestNode::start(&["server.request_timeout=100ms", "database.timeout=100ms", "wechat.timeout=100ms"]);
    let mut peer = Peer::begin(node.addr);
    peer.get(1, "/wait");
    assert_eq!(peer.answer(1).status, 504);
    peer.get(3, "/ping");
    assert_eq!(peer.answer(3).status, 200);
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
