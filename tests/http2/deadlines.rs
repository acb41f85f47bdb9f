//! Clients and actions that take too long over HTTP/2.
//! Never here: how long exactly; only that the wait ends, and how.

use std::time::{Duration, Instant};

use tidegate::core::fault::Backend;
use tidegate::core::ledger::{CloseReason, ShardLedger};

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

/// What a peer has to keep up with, so that a second of trickling tells.
const SLOW: [&str; 3] = ["server.body_timeout=1s", "server.write_timeout=1s", "server.peer_rate_min=1MiB"];

/// Bytes that trickle buy no time.
#[test]
fn a_body_that_trickles_is_a_408() {
    let node = TestNode::start(&SLOW);
    let mut peer = Peer::begin(node.addr);
    peer.send(&request(1, "POST", "/echo/large", &[], 0));
    let writer = peer.second_handle();
    until("the trickle is given up", || {
        std::io::Write::write_all(&mut &writer, &frame(kind::DATA, 0, 1, b"x")).expect("the server reads");
        node.sum(ShardLedger::requests_begun) == 1
    });
    assert_eq!(peer.answer(1).status, 408);
    peer.get(3, "/ping");
    assert_eq!(peer.answer(3).status, 200);
    assert_eq!(peer.goodbyes, []);
}

/// Windows that open by a byte buy no time either.
#[test]
fn an_answer_that_is_taken_byte_by_byte_is_given_up() {
    let node = TestNode::start(&SLOW);
    let mut peer = Peer::begin_with(node.addr, &[(INITIAL_WINDOW_SIZE, 10)]);
    peer.get(1, "/block");
    peer.get(3, "/stream/large");
    let (began, mut steps) = (Instant::now(), 0);
    while !(peer.is_over(1) && peer.is_over(3)) {
        steps += 1;
        until("the next byte is due", || began.elapsed() >= steps * Duration::from_millis(30));
        peer.open(1, 1);
        peer.open(3, 1);
        peer.ping();
    }
    for stream in [1, 3] {
        assert!(peer.received(stream) > 10);
        assert_eq!(peer.answer(stream).reset, Some(code::CANCEL));
    }
    peer.get(5, "/item/1");
    assert_eq!(peer.status(5), 200);
    assert_eq!(node.sum(|ledger| ledger.http2.stalled.get()), 2);
}

/// A client with every window open and a socket that it hardly reads.
#[test]
fn a_connection_that_is_read_byte_by_byte_is_given_up() {
    let node = TestNode::start(&SLOW);
    let mut peer = Peer::begin_with(node.addr, &[(INITIAL_WINDOW_SIZE, 0x7fff_ffff)]);
    peer.open(0, 0x7000_0000);
    peer.get(1, "/huge");
    let reader = peer.second_handle();
    node.until_opened(1);
    until("it is given up", || {
        let _ = std::io::Read::read(&mut &reader, &mut [0; 64]);
        node.sum(ShardLedger::connections_open) == 0
    });
    assert_eq!(node.sum(|ledger| ledger.connections_closed(CloseReason::Timeout)), 1);
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
