//! Floods end in GOAWAY(ENHANCE_YOUR_CALM) and are counted by kind; clients that work never meet them.

use tidegate::core::flood::Flood;
use tidegate::core::ledger::ShardLedger;

use crate::peer::{END_HEADERS, END_STREAM, INITIAL_WINDOW_SIZE, Peer, block, code, frame, kind, request};
use crate::support::node::TestNode;
use crate::support::until;

/// Sends what `each` makes, in batches, until the server has had enough.
#[track_caller]
fn check(flood: Flood, settings: &[(u16, u32)], mut each: impl FnMut(u32) -> Vec<u8>) {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin_with(node.addr, settings);
    let mut sent = 0;
    while node.sum(|ledger| ledger.http2.connections_calmed(flood)) == 0 && sent < 1_000_000 {
        let batch: Vec<u8> = (sent..sent + 32).flat_map(&mut each).collect();
        sent += 32;
        if !peer.try_send(&batch) {
            break;
        }
    }
    assert_eq!(peer.goodbye(), Some(code::ENHANCE_YOUR_CALM), "{flood:?}");
    assert_eq!(node.sum(|ledger| ledger.http2.connections_calmed(flood)), 1, "{flood:?}");
    node.gate.open();
    node.until_quiet();
    let mut next = Peer::begin(node.addr);
    next.get(1, "/ping");
    assert_eq!(next.answer(1).status, 200, "the next connection works");
}

fn stream(index: u32) -> u32 {
    2 * index + 1
}

fn reset(stream: u32) -> Vec<u8> {
    frame(kind::RST_STREAM, 0, stream, &code::CANCEL.to_be_bytes())
}

#[test]
fn rapid_reset() {
    check(Flood::RapidReset, &[], |index| {
        [request(stream(index), "GET", "/wait", &[], END_STREAM), reset(stream(index))].concat()
    });
}

/// An answer that nobody is there to get is no work, however quickly it was made.
#[test]
fn rapid_reset_of_what_is_answered_at_once() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    let calmed = || node.sum(|ledger| ledger.http2.connections_calmed(Flood::RapidReset));
    for index in 0..400 {
        let taken_back = [request(stream(index), "GET", "/ping", &[], END_STREAM), reset(stream(index))].concat();
        peer.try_send(&taken_back);
        // One at a time: what comes together is judged before any of it is answered.
        let begun = u64::from(index) + 1;
        until("it is looked at", || node.sum(ShardLedger::requests_begun) >= begun || calmed() == 1);
    }
    assert_eq!(calmed(), 1);
    assert_eq!(peer.goodbye(), Some(code::ENHANCE_YOUR_CALM));
}

/// Work that was taken back keeps its place: a client never has more done at a time than it may have streams.
#[test]
fn what_is_taken_back_keeps_its_place() {
    let node = TestNode::start(&["http2.streams_max=10"]);
    let mut peer = Peer::begin(node.addr);
    for index in 0..40 {
        peer.get(stream(index), "/wait");
        peer.send(&reset(stream(index)));
        peer.ping();
    }
    assert_eq!(node.gate.waiting(), 10);
    node.gate.open();
    peer.get(stream(40), "/ping");
    peer.answer(stream(40));
}

#[test]
fn provoked_reset() {
    // A window that overflows is the error of a stream (RFC 9113 §6.9.1).
    check(Flood::ProvokedReset, &[], |index| {
        let update = frame(kind::WINDOW_UPDATE, 0, stream(index), &0x7fff_ffff_u32.to_be_bytes());
        [request(stream(index), "GET", "/wait", &[], END_STREAM), update].concat()
    });
    check(Flood::ProvokedReset, &[], |index| {
        frame(kind::HEADERS, END_HEADERS | END_STREAM, stream(index), &block(&[(":method", "GET")]))
    });
}

#[test]
fn ping() {
    check(Flood::Ping, &[], |_| frame(kind::PING, 0, 0, &[0; 8]));
}

#[test]
fn settings() {
    check(Flood::Settings, &[], |_| frame(kind::SETTINGS, 0, 0, &[]));
    check(Flood::Settings, &[], |_| frame(0x42, 0, 0, &[]));
}

#[test]
fn priority() {
    check(Flood::Priority, &[], |index| frame(kind::PRIORITY, 0, stream(index), &[0, 0, 0, 0, 16]));
}

#[test]
fn empty_data() {
    check(Flood::EmptyData, &[], |index| match index {
        0 => request(1, "POST", "/echo", &[], 0),
        _ => frame(kind::DATA, 0, 1, &[]),
    });
    check(Flood::EmptyData, &[], |index| match index {
        0 => request(1, "POST", "/echo", &[], 0),
        _ => frame(kind::DATA, 0x8, 1, &[3, 0, 0, 0]),
    });
}

#[test]
fn window_update() {
    check(Flood::WindowUpdate, &[], |_| frame(kind::WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()));
}

#[test]
fn continuation() {
    check(Flood::Continuation, &[], |index| match index {
        0 => request(1, "POST", "/echo", &[], 0),
        _ => {
            let id = stream(index);
            let fields = block(&[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/wait")]);
            let (head, tail) = fields.split_at(8);
            [
                frame(kind::HEADERS, END_STREAM, id, head),
                frame(kind::CONTINUATION, 0, id, &[]),
                frame(kind::CONTINUATION, 0, id, &[]),
                frame(kind::CONTINUATION, END_HEADERS, id, tail),
            ]
            .concat()
        }
    });
}

/// A header block without end is the library's to refuse.
#[test]
fn a_block_without_end() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    let frames: Vec<u8> = (0..10).flat_map(|_| frame(kind::CONTINUATION, 0, 1, &[])).collect();
    peer.send(&[frame(kind::HEADERS, END_STREAM, 1, &[]), frames].concat());
    assert_eq!(peer.goodbye(), Some(code::ENHANCE_YOUR_CALM));
    assert_eq!(node.sum(|ledger| ledger.http2.connections_calmed(Flood::Library)), 1);
}

#[test]
fn header_bytes() {
    let long = "x".repeat(7000);
    check(Flood::HeaderBytes, &[], |index| request(stream(index), "GET", "/wait", &[("x", &long)], END_STREAM));
}

#[test]
fn stalls() {
    let node = TestNode::start(&["server.write_timeout=100ms"]);
    let mut peer = Peer::begin_with(node.addr, &[(INITIAL_WINDOW_SIZE, 0)]);
    let mut index = 0;
    while node.sum(|ledger| ledger.http2.connections_calmed(Flood::Stall)) == 0 && index < 10_000 {
        for _ in 0..90 {
            if !peer.try_send(&request(stream(index), "GET", "/block", &[], END_STREAM)) {
                break;
            }
            index += 1;
        }
        let stalled = |node: &TestNode| node.sum(|ledger| ledger.http2.stalled.get());
        crate::support::until("answers are given up", || {
            stalled(&node) >= u64::from(index) || node.sum(|ledger| ledger.http2.connections_calmed(Flood::Stall)) > 0
        });
    }
    assert_eq!(peer.goodbye(), Some(code::ENHANCE_YOUR_CALM));
}

/// Whoever works may do a little of everything, for as long as he likes.
#[test]
fn a_client_that_works_is_left_alone() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin(node.addr);
    for index in 0..2000 {
        let id = stream(2 * index);
        let taken_back = stream(2 * index + 1);
        peer.send(
            &[
                frame(kind::PRIORITY, 0, id, &[0, 0, 0, 0, 16]),
                request(id, "POST", "/echo", &[], 0),
                frame(kind::DATA, 0, id, b"{\"a\":"),
                frame(kind::DATA, 0, id, b""),
                frame(kind::DATA, END_STREAM, id, b"1}"),
                frame(kind::PING, 0, 0, &[0; 8]),
                frame(kind::WINDOW_UPDATE, 0, 0, &60_u32.to_be_bytes()),
                request(taken_back, "GET", "/ping", &[], END_STREAM),
                reset(taken_back),
            ]
            .concat(),
        );
        assert_eq!(peer.answer(id).status, 200);
        if index % 100 == 0 {
            peer.say(kind::SETTINGS, 0, 0, &[]);
        }
    }
    assert_eq!(peer.goodbyes, []);
    let calmed: u64 = Flood::ALL.iter().map(|flood| node.sum(|ledger| ledger.http2.connections_calmed(*flood))).sum();
    assert_eq!(calmed, 0);
}
