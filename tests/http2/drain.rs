//! Drain: a client is told twice to come no more, and what it has begun is finished.

use std::time::{Duration, Instant};

use tidegate::shards::node::Drained;

use crate::peer::{INITIAL_WINDOW_SIZE, PREFACE, Peer, code, frame, kind};
use crate::support::node::TestNode;
use crate::support::until;

#[test]
fn open_streams_are_finished_and_idle_connections_end() {
    let mut node = TestNode::start(&[]);
    let mut idle = Peer::begin(node.addr);
    idle.ping();
    let mut busy = Peer::begin(node.addr);
    busy.get(1, "/wait");
    node.gate.until_waiting(1);
    let drain = node.drain().expect("asked once");
    busy.until(|peer| !peer.goodbyes.is_empty());
    assert_eq!(busy.goodbyes, [(code::NO_ERROR, 0x7fff_ffff)], "first: whatever is on its way will be served");
    // Sent before the client could know.
    busy.get(3, "/ping");
    assert_eq!(busy.answer(3).status, 200);
    busy.until(|peer| peer.goodbyes.len() == 2);
    assert_eq!(busy.goodbyes[1].0, code::NO_ERROR);
    assert_eq!(idle.goodbye(), Some(code::NO_ERROR));
    node.gate.open();
    assert_eq!(busy.answer(1).status, 200);
    assert_eq!(busy.goodbye(), Some(code::NO_ERROR));
    assert_eq!(drain.join().unwrap(), Drained::Whole);
}

/// Answers that are whole and wait for the socket are not cut off, however little else the connection does.
#[test]
fn a_client_that_reads_late_gets_all_its_answers() {
    let mut node = TestNode::start(&[]);
    let mut peer = Peer::begin_with(node.addr, &[(INITIAL_WINDOW_SIZE, 1 << 20)]);
    peer.open(0, 1 << 30);
    // More than the buffers of both sockets take.
    let streams: Vec<u32> = (0..100).map(|index| 2 * index + 1).collect();
    streams.iter().for_each(|stream| peer.get(*stream, "/block"));
    node.until_started(streams.len());
    let drain = node.drain().expect("asked once");
    let began = Instant::now();
    until("a connection that rests would have ended", || began.elapsed() >= Duration::from_secs(2));
    for stream in streams {
        let answer = peer.answer(stream);
        assert_eq!((answer.status, answer.ended, answer.body.len()), (200, true, 24_576), "stream {stream}");
    }
    peer.goodbye();
    assert_eq!(drain.join().unwrap(), Drained::Whole);
}

/// A client that does not answer the ping in between holds nothing up.
#[test]
fn a_client_that_does_not_listen_is_left() {
    let mut node = TestNode::start(&[]);
    let peer = Peer::begin(node.addr);
    node.until_opened(1);
    let drain = node.drain().expect("asked once");
    assert_eq!(drain.join().unwrap(), Drained::Whole);
    drop(peer);
}

/// A preface that is whole only after the drain has begun: the client is served, told, and let go.
#[test]
fn a_client_that_begins_during_the_drain_is_told_too() {
    let mut node = TestNode::start(&[]);
    let mut late = Peer::connect(node.addr);
    late.send(&PREFACE[..10]);
    let mut busy = Peer::begin(node.addr);
    busy.get(1, "/wait");
    node.gate.until_waiting(1);
    let drain = node.drain().expect("asked once");
    busy.until(|peer| !peer.goodbyes.is_empty());
    late.send(&[&PREFACE[10..], &frame(kind::SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0])].concat());
    late.get(1, "/ping");
    assert_eq!(late.answer(1).status, 200);
    late.until(|peer| peer.goodbyes.len() == 2);
    assert_eq!(late.goodbye(), Some(code::NO_ERROR));
    node.gate.open();
    assert_eq!(busy.answer(1).status, 200);
    assert_eq!(drain.join().unwrap(), Drained::Whole);
}
