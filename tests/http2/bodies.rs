//! Bodies of requests: gathered, bounded, measured against what the client said of them.

use tidegate::core::bounds::HTTP2_BODIES_BYTES_MAX;

use crate::peer::{END_HEADERS, END_STREAM, Peer, block, code, frame, kind, request};
use crate::support::node::TestNode;

fn data(stream: u32, bytes: &[u8], flags: u8) -> Vec<u8> {
    frame(kind::DATA, flags, stream, bytes)
}

#[test]
fn a_body_comes_in_any_pieces() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(900));
    let mut stream = 1;
    let mut whole = Vec::new();
    for piece in [body.len(), 1, 7, 500] {
        peer.send(&request(stream, "POST", "/echo", &[], 0));
        for part in body.as_bytes().chunks(piece) {
            peer.send(&data(stream, part, 0));
        }
        peer.send(&data(stream, b"", END_STREAM));
        let answer = peer.answer(stream);
        assert_eq!(answer.status, 200, "pieces of {piece}");
        whole.push(answer.body);
        stream += 2;
    }
    assert!(whole.windows(2).all(|pair| pair[0] == pair[1]) && whole[0].len() > 900);
}

/// More than the windows hold: they are given back as the body is read.
#[test]
fn a_large_body_needs_windows_that_open_again() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    let body = vec![b'x'; 3 << 20];
    peer.send(&request(1, "POST", "/echo/large", &[("content-length", &body.len().to_string())], 0));
    for part in body.chunks(16 << 10) {
        peer.send(&data(1, part, 0));
        // Whatever was sent has been read, and its window given back, when the echo is here.
        peer.ping();
    }
    peer.send(&data(1, b"", END_STREAM));
    assert_eq!(peer.status(1), 200);
}

/// A connection keeps so many bytes of bodies that are not whole, and no more, however many streams they come on.
#[test]
fn bodies_together_are_bounded() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    let each = 3 << 20;
    let kept = HTTP2_BODIES_BYTES_MAX / each;
    let streams: Vec<u32> = (0..=kept as u32).map(|index| 2 * index + 1).collect();
    for &stream in &streams {
        peer.send(&request(stream, "POST", "/echo/large", &[], 0));
        for part in vec![b'x'; each].chunks(16 << 10) {
            peer.send(&data(stream, part, 0));
            peer.ping();
        }
    }
    assert_eq!(peer.status(streams[kept]), 503);
    for &stream in &streams[..kept] {
        peer.send(&data(stream, b"", END_STREAM));
        assert_eq!(peer.status(stream), 200);
    }
    peer.post(99, "/echo/large", b"{}");
    assert_eq!(peer.status(99), 200, "what has been served is not kept");
}

#[test]
fn trailers_are_dropped() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    peer.send(&request(1, "POST", "/echo", &[], 0));
    peer.send(&data(1, b"{}", 0));
    peer.say(kind::HEADERS, END_HEADERS | END_STREAM, 1, &block(&[("x-checksum", "1")]));
    assert_eq!(peer.answer(1).status, 200);
    // RFC 9113 §8.1: pseudo-fields have no place there.
    peer.send(&request(3, "POST", "/echo", &[], 0));
    peer.say(kind::HEADERS, END_HEADERS | END_STREAM, 3, &block(&[(":method", "GET")]));
    assert_eq!(peer.answer(3).reset, Some(code::PROTOCOL_ERROR));
}

#[test]
fn a_body_beyond_its_bound_is_a_413_and_the_rest_is_not_wanted() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    peer.send(&request(1, "POST", "/echo", &[("content-length", "1025")], 0));
    let said = peer.answer(1);
    assert_eq!((said.status, said.ended), (413, true));
    peer.send(&request(3, "POST", "/echo", &[], 0));
    peer.send(&data(3, &[b'x'; 1024], 0));
    peer.ping();
    peer.send(&data(3, b"x", 0));
    assert_eq!(peer.answer(3).status, 413);
    // What was on its way is passed over, and the connection goes on.
    peer.send(&data(3, &[b'x'; 1024], END_STREAM));
    peer.post(5, "/echo", b"{}");
    assert_eq!(peer.answer(5).status, 200);
    assert_eq!(peer.goodbyes, []);
}

#[test]
fn a_length_that_is_not_true_is_malformed() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    for (stream, length, bytes) in [(1, "3", &b"{}"[..]), (3, "1", b"{}")] {
        peer.send(&request(stream, "POST", "/echo", &[("content-length", length)], 0));
        peer.send(&data(stream, bytes, END_STREAM));
        assert_eq!(peer.answer(stream).reset, Some(code::PROTOCOL_ERROR), "{length}");
    }
    peer.send(&request(5, "POST", "/echo", &[("content-length", "2")], END_STREAM));
    assert_eq!(peer.answer(5).reset, Some(code::PROTOCOL_ERROR));
}

#[test]
fn who_waits_for_a_100_gets_it() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    peer.send(&request(1, "POST", "/echo", &[("expect", "100-continue")], 0));
    peer.ping();
    peer.send(&data(1, b"{}", END_STREAM));
    assert_eq!(peer.answer(1).status, 200);
    peer.send(&request(3, "POST", "/echo", &[("expect", "tea")], 0));
    assert_eq!(peer.answer(3).status, 417);
}

/// RFC 9113 §8.1: what a path without a route would have had for a body is not read.
#[test]
fn a_body_for_nobody_is_not_read() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    for (stream, path, expect) in [(1, "/nowhere", 404), (3, "/ping", 405)] {
        peer.send(&request(stream, "POST", path, &[], 0));
        assert_eq!(peer.answer(stream).status, expect);
    }
}
