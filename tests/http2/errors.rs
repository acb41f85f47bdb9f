//! Clients that break the protocol: the error has its right name, a stream's error stays on its stream, and the next
//! connection works.

use crate::peer::{ACK, END_HEADERS, END_STREAM, PREFACE, Peer, block, code, frame, kind, request};
use crate::support::node::TestNode;

const GET: [(&str, &str); 4] = [(":method", "GET"), (":scheme", "http"), (":authority", "test"), (":path", "/ping")];

#[test]
fn a_malformed_request_is_an_error_of_its_stream() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    let without = |name: &str| GET.iter().filter(|(known, _)| *known != name).copied().collect::<Vec<_>>();
    let with = |field: (&'static str, &'static str)| [&GET[..], &[field]].concat();
    let cases = [
        without(":method"),
        without(":scheme"),
        without(":path"),
        without(":authority"),
        with((":path", "/again")),
        with((":status", "200")),
        with(("connection", "close")),
        with(("transfer-encoding", "chunked")),
        with(("upgrade", "h2c")),
        with(("te", "gzip")),
        with(("host", "other")),
        with(("x", " space")),
        with(("x", "space\t")),
        with(("host", "\u{e9}")),
        with(("content-length", "x")),
        [&GET[1..], &[("x", "y")], &GET[..1]].concat(),
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "me@test"), (":path", "/ping")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "test"), (":path", "ping")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "test"), (":path", "")],
        vec![(":method", "CONNECT"), (":scheme", "http"), (":path", "/")],
    ];
    let mut stream = 1;
    for fields in cases {
        peer.say(kind::HEADERS, END_HEADERS | END_STREAM, stream, &block(&fields));
        assert_eq!(peer.answer(stream).reset, Some(code::PROTOCOL_ERROR), "{fields:?}");
        stream += 2;
    }
    // RFC 9110 §5.5: what a value beyond ASCII means is nobody's business.
    peer.say(kind::HEADERS, END_HEADERS | END_STREAM, stream, &block(&with(("x", "\u{e9}"))));
    assert_eq!(peer.answer(stream).status, 200);
    assert_eq!(peer.goodbyes, []);
}

/// What the library takes for an error of the connection still has the name that it has on a stream.
#[test]
fn a_field_that_cannot_be_is_a_protocol_error() {
    let node = TestNode::start(&[]);
    for field in [(":unknown", "x"), ("X-Upper", "x"), ("x", "null\0"), ("x", "line\n"), ("x y", "z")] {
        let mut peer = Peer::begin(node.addr);
        peer.say(kind::HEADERS, END_HEADERS | END_STREAM, 1, &block(&[&GET[..], &[field]].concat()));
        assert_eq!(peer.goodbye(), Some(code::PROTOCOL_ERROR), "{field:?}");
    }
}

#[test]
fn a_head_beyond_its_bounds_is_refused() {
    let node = TestNode::start(&["server.head_bytes_max=1KiB", "server.target_bytes_max=512B"]);
    let mut peer = Peer::begin(node.addr);
    let long = |len: usize| "x".repeat(len);
    peer.get(1, &format!("/{}", long(512)));
    assert_eq!(peer.answer(1).status, 414);
    peer.send(&request(3, "GET", "/ping", &[("x", &long(1024))], END_STREAM));
    assert_eq!(peer.answer(3).status, 431);
    let many: Vec<(&str, &str)> = vec![("x", "y"); 64];
    peer.send(&request(5, "GET", "/ping", &many, END_STREAM));
    assert_eq!(peer.answer(5).status, 431);
    // Beyond the list that the settings allow the library answers.
    let (first, rest) = (long(12_000), long(12_000));
    let fields = block(&[&GET[..], &[("x", &first), ("y", &rest)]].concat());
    let (head, tail) = fields.split_at(16_000);
    peer.say(kind::HEADERS, END_STREAM, 7, head);
    peer.say(kind::CONTINUATION, END_HEADERS, 7, tail);
    assert_eq!(peer.answer(7).status, 431);
    peer.get(9, "/ping");
    assert_eq!(peer.answer(9).status, 200);
}

#[test]
fn a_broken_connection_is_told_why() {
    let node = TestNode::start(&[]);
    let bad_block = &[0x80][..];
    for (bytes, expect) in [
        (frame(kind::PING, 0, 0, &[0; 7]), code::FRAME_SIZE_ERROR),
        (frame(kind::SETTINGS, ACK, 0, &[0; 6]), code::FRAME_SIZE_ERROR),
        (frame(kind::DATA, 0, 0, b"x"), code::PROTOCOL_ERROR),
        (frame(kind::HEADERS, END_HEADERS | END_STREAM, 2, &block(&GET)), code::PROTOCOL_ERROR),
        (frame(kind::DATA, 0, 1, b"x"), code::PROTOCOL_ERROR),
        (frame(kind::HEADERS, END_HEADERS | END_STREAM, 1, bad_block), code::COMPRESSION_ERROR),
        (frame(kind::SETTINGS, 0, 0, &[0, 4, 0x80, 0, 0, 0]), 3),
        ([request(1, "GET", "/wait", &[], END_STREAM), frame(kind::DATA, 0, 1, b"x")].concat(), code::STREAM_CLOSED),
    ] {
        let mut peer = Peer::begin(node.addr);
        peer.send(&bytes);
        assert_eq!(peer.goodbye(), Some(expect), "{}", bytes.escape_ascii());
    }
    node.gate.open();
    node.until_quiet();
}

/// Requests that were whole before the error are answered.
#[test]
fn what_came_before_the_error_is_answered() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    peer.send(&[request(1, "GET", "/ping", &[], END_STREAM), frame(kind::PING, 0, 0, b"short")].concat());
    assert_eq!(peer.answer(1).status, 200);
    assert_eq!(peer.goodbye(), Some(code::FRAME_SIZE_ERROR));
    assert_eq!(peer.goodbyes, [(code::FRAME_SIZE_ERROR, 1)]);
}

#[test]
fn a_wrong_preface_ends_the_connection() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::connect(node.addr);
    peer.send(&[&PREFACE[..18], b"MS\r\n\r\n", &frame(kind::SETTINGS, 0, 0, &[])].concat());
    peer.goodbye();
    let mut peer = Peer::connect(node.addr);
    peer.send(b"NO PREFACE EITHER\r\n\r\n");
    peer.goodbye();
    node.until_quiet();
}

/// Only what begins as the preface does is for HTTP/2 to refuse; to all else the answer is one that clients of HTTP/1 can read.
#[test]
fn what_is_no_preface_is_refused_in_http1() {
    let node = TestNode::start(&[]);
    for text in ["GET FOO BAR\r\n\r\n", "NO PREFACE EITHER\r\nhost: a\r\n\r\n", "PRI * HTTP\r\n\r\n"] {
        let mut client = node.connect();
        client.send(text);
        let answer = client.answer();
        assert_eq!((answer.status, answer.closes()), (400, true), "{text:?}");
        client.expect_end();
    }
    assert_eq!(node.sum(|ledger| ledger.http2.opened.get()), 0);
}
