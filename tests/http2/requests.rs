//! Requests and their answers, many at a time: what HTTP/1 answers, HTTP/2 answers.

use tidegate::core::bounds::COMPRESS_AT_ONCE_BYTES_MAX;
use tidegate::core::ledger::CloseReason;

use crate::peer::{END_STREAM, PREFACE, Peer, code, frame, kind, request};
use crate::support::actions::LARGE_BYTES;
use crate::support::client::{get, post};
use crate::support::node::TestNode;

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

#[test]
fn what_http1_answers_http2_answers() {
    let node = TestNode::start(&[]);
    let mut old = node.connect();
    let mut peer = Peer::begin(node.addr);
    for (index, path) in
        ["/ping", "/item/1", "/item/999", "/nowhere", "/item/x", "/me", "/panic/now"].iter().enumerate()
    {
        let stream = 2 * index as u32 + 1;
        peer.get(stream, path);
        let new = peer.answer(stream);
        let mut old = if *path == "/panic/now" { node.connect().ask(get(path)) } else { old.ask(get(path)) };
        // The identity of a request is its own.
        let unnamed = |body: &[u8]| text(body).split("\"request_id\"").next().map(str::to_owned);
        assert_eq!((new.status, unnamed(&new.body)), (old.status, unnamed(&std::mem::take(&mut old.body))), "{path}");
        assert!(new.ended && new.reset.is_none(), "{path}");
    }
    assert_eq!(node.sum(|ledger| ledger.panics.get()), 2);
    drop((peer, old));
    node.until_quiet();
}

#[test]
fn methods() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    peer.send(&request(1, "HEAD", "/ping", &[], END_STREAM));
    let head = peer.answer(1);
    assert_eq!((head.status, head.body.len(), head.ended), (200, 0, true));
    peer.post(3, "/echo", b"{\"a\":1}");
    assert_eq!(text(&peer.answer(3).body), text(&node.connect().ask(post("/echo", "{\"a\":1}")).body));
    for (stream, method, path, expect) in [
        (5, "POST", "/ping", 405),
        (7, "BREW", "/ping", 501),
        (9, "GET", "/%2f", 400),
        (11, "GET", "/..", 400),
        (13, "TRACE", "/ping", 501),
    ] {
        peer.send(&request(stream, method, path, &[], END_STREAM));
        let answer = peer.answer(stream);
        assert_eq!((answer.status, answer.reset), (expect, None), "{method} {path}");
    }
}

#[test]
fn a_token_is_asked_for_and_accepted() {
    let node = TestNode::start(&[]);
    let bearer = format!("Bearer {}", node.log_in("mia", 1));
    let mut peer = Peer::begin(node.addr);
    peer.get(1, "/me");
    assert_eq!(peer.answer(1).status, 401);
    peer.send(&request(3, "GET", "/me", &[("authorization", &bearer)], END_STREAM));
    assert_eq!(peer.answer(3).status, 200);
}

/// The preface and the first requests in one piece, and byte by byte.
#[test]
fn the_preface_may_come_in_pieces() {
    let node = TestNode::start(&[]);
    let bytes =
        [PREFACE, &frame(kind::SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]), &request(1, "GET", "/ping", &[], END_STREAM)]
            .concat();
    for piece in [bytes.len(), 1, 5, 18, 19, 24] {
        let mut peer = Peer::connect(node.addr);
        for part in bytes.chunks(piece) {
            peer.send(part);
        }
        assert_eq!(peer.answer(1).status, 200, "pieces of {piece}");
    }
}

#[test]
fn a_preface_behind_a_request_of_http1_is_refused() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    assert_eq!(client.ask(get("/ping")).status, 200);
    client.send(PREFACE);
    assert_eq!(client.answer().status, 505);
    client.expect_end();
}

#[test]
fn it_can_be_switched_off() {
    let node = TestNode::start(&["http2.enabled=false"]);
    let mut client = node.connect();
    client.send(PREFACE);
    assert_eq!(client.answer().status, 505);
    assert_eq!(node.sum(|ledger| ledger.http2.opened.get()), 0);
}

#[test]
fn a_hundred_wait_at_a_time_and_one_more_is_refused() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    let streams: Vec<u32> = (0..100).map(|index| 2 * index + 1).collect();
    for stream in &streams {
        peer.get(*stream, "/wait");
    }
    node.gate.until_waiting(100);
    peer.get(201, "/ping");
    assert_eq!(peer.answer(201).reset, Some(code::REFUSED_STREAM));
    node.gate.open();
    for stream in &streams {
        assert_eq!(peer.answer(*stream).status, 200);
    }
    peer.get(203, "/ping");
    assert_eq!(peer.answer(203).status, 200);
}

#[test]
fn who_waits_does_not_hold_up_the_others() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    peer.get(1, "/wait");
    node.gate.until_waiting(1);
    for stream in [3, 5, 7] {
        peer.get(stream, "/item/1");
        assert_eq!(peer.answer(stream).status, 200);
    }
    assert_eq!(node.sum(tidegate::core::ledger::ShardLedger::requests_in_flight), 1);
    node.gate.open();
    assert_eq!(peer.answer(1).status, 200);
}

#[test]
fn a_panic_is_the_affair_of_its_stream() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    peer.get(1, "/wait");
    for (stream, path) in [(3, "/panic/now"), (5, "/panic/later")] {
        peer.get(stream, path);
        assert_eq!(peer.answer(stream).status, 500, "{path}");
    }
    peer.get(7, "/stream/panic");
    assert_eq!(peer.answer(7).reset, Some(2), "INTERNAL_ERROR: the head had left");
    node.gate.open();
    assert_eq!(peer.answer(1).status, 200);
}

/// Compressed, 16 MiB fit every window at once: each piece is made in a turn of its own, or nobody else would be served meanwhile.
#[test]
fn a_stream_that_is_always_ready_lets_others_have_their_turns() {
    let node = TestNode::start(&["compression.codings=[\"gzip\"]"]);
    let mut peer = Peer::begin(node.addr);
    let turns = node.sum(|ledger| ledger.turns.turns.get());
    peer.send(&request(1, "GET", "/stream/large", &[("accept-encoding", "gzip")], END_STREAM));
    let answer = peer.answer(1);
    assert_eq!(answer.status, 200);
    assert!(answer.body.len() < 65_535, "{} bytes", answer.body.len());
    let turns = node.sum(|ledger| ledger.turns.turns.get()) - turns;
    let pieces = LARGE_BYTES / COMPRESS_AT_ONCE_BYTES_MAX;
    assert!(turns >= pieces as u64, "{turns} turns for {pieces} pieces");
}

#[test]
fn streams_come_piece_by_piece() {
    let node = TestNode::start(&[]);
    let old = node.connect().ask(get("/stream"));
    let mut peer = Peer::begin(node.addr);
    peer.get(1, "/stream");
    let new = peer.answer(1);
    assert_eq!((new.status, new.body), (200, old.body));
    peer.send(&request(3, "HEAD", "/stream", &[], END_STREAM));
    assert_eq!(peer.answer(3).body, b"");
    peer.get(5, "/stream/fault");
    assert_eq!(peer.answer(5).reset, Some(2));
}

/// A client that goes leaves nothing behind.
#[test]
fn clients_leave_at_any_moment() {
    let node = TestNode::start(&[]);
    for path in ["/wait", "/stream/endless", "/huge", "/stream/waits"] {
        let mut peer = Peer::begin(node.addr);
        peer.get(1, path);
        peer.ping();
        drop(peer);
    }
    let mut peer = Peer::begin(node.addr);
    peer.send(&request(1, "POST", "/echo", &[], 0));
    drop(peer);
    drop(Peer::connect(node.addr));
    node.gate.open();
    node.until_quiet();
    assert_eq!(node.sum(|ledger| ledger.connections_closed(CloseReason::Panic)), 0);
}
