//! Bodies of requests: gathered, bounded, measured against what the client said of them.

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

#[test]
fn trailers_are_dropped() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    peer.send(&request(1, "POST", "/echo", &[], 0));
    peer.send(&data(1, b"{}", 0));
    peer.say(kind::HEADERS, END_HEADERS | END_STREAM, 1, &block(&[("x-checksum", "1")]));
    assert_eq!(peer.answer(1).status, 200);
    // A section with nothing in it, in one piece and in two.
    for (stream, cut) in [(5, 9), (7, 4)] {
        peer.send(&[request(stream, "POST", "/echo", &[], 0), data(stream, b"{}", 0)].concat());
        let blank = frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, &[]);
        peer.send(&blank[..cut]);
        peer.send(&blank[cut..]);
        assert_eq!(peer.answer(stream).status, 200, "cut at {cut}");
    }
    // RFC 9113 §8.1: pseudo-fields have no place there.
    peer.send(&request(9, "POST", "/echo", &[], 0));
    peer.say(kind::HEADERS, END_HEADERS | END_STREAM, 9, &block(&[(":method", "GET")]));
    assert_eq!(peer.answer(9).reset, Some(code::PROTOCOL_ERROR));
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

/// As `HTTP2_BODIES_BYTES_MAX` has it, twice what `/echo/large` takes.
const TOGETHER_BYTES: usize = 16 << 20;
const LARGE_BYTES: usize = TOGETHER_BYTES / 2;

fn announced(stream: u32, length: usize) -> Vec<u8> {
    request(stream, "POST", "/echo/large", &[("content-length", &length.to_string())], 0)
}

/// What is announced has its room before it comes; who does not fit is told that nothing was done, and may come again.
#[test]
fn the_bodies_of_a_connection_are_bounded_together() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    peer.send(&announced(1, LARGE_BYTES));
    peer.send(&announced(3, LARGE_BYTES - 2));
    peer.send(&announced(5, 2));
    peer.send(&announced(7, 1));
    assert_eq!(peer.answer(7).reset, Some(code::REFUSED_STREAM));
    // One that does not say how long it will be.
    peer.send(&request(9, "POST", "/echo/large", &[], 0));
    peer.send(&data(9, b"x", END_STREAM));
    assert_eq!(peer.answer(9).reset, Some(code::REFUSED_STREAM));
    // Bodies that have their room are not disturbed, and give it to others when they are whole.
    peer.send(&data(5, b"{}", END_STREAM));
    assert_eq!(peer.answer(5).body, b"{}");
    peer.send(&request(11, "POST", "/echo/large", &[], 0));
    peer.send(&data(11, b"{}", END_STREAM));
    assert_eq!(peer.answer(11).body, b"{}");
    // Taken back, it gives its room back.
    peer.say(kind::RST_STREAM, 0, 1, &code::CANCEL.to_be_bytes());
    peer.send(&announced(13, LARGE_BYTES));
    peer.post(15, "/echo/large", b"{}");
    assert_eq!(peer.answer(15).body, b"{}");
    assert_eq!(peer.goodbyes, []);
    drop(peer);
    node.until_quiet();
}

/// More than fits at once, from a client that tries again what was refused: all of it arrives.
#[test]
fn a_client_that_tries_again_has_all_its_bodies_taken() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin_with(node.addr, &[(crate::peer::INITIAL_WINDOW_SIZE, 1 << 30)]);
    peer.open(0, 1 << 30);
    let body = vec![b'x'; 1 << 20];
    let (mut next, mut left) = (1, 40_usize);
    while left > 0 {
        let streams: Vec<u32> = (0..left as u32).map(|index| next + 2 * index).collect();
        next += 2 * left as u32;
        streams.iter().for_each(|stream| peer.send(&announced(*stream, body.len())));
        let mut refused = 0;
        for stream in streams {
            // A stream that was refused takes no more; one that was not has its windows opened as its bytes are read.
            peer.ping();
            if peer.is_over(stream) {
                assert_eq!(peer.answer(stream).reset, Some(code::REFUSED_STREAM));
                refused += 1;
                continue;
            }
            for part in body.chunks(16 << 10) {
                peer.send(&data(stream, part, 0));
                peer.ping();
            }
            peer.send(&data(stream, b"", END_STREAM));
            let answer = peer.answer(stream);
            assert_eq!((answer.status, answer.body.len()), (200, body.len()));
        }
        assert!(refused < left, "some are always taken");
        left = refused;
    }
    assert_eq!(peer.goodbyes, []);
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
