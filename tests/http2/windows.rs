//! Flow control: nothing is sent that the client has no window for, and all of it once it has.

use crate::peer::{INITIAL_WINDOW_SIZE, Peer, code};
use crate::support::client::get;
use crate::support::node::TestNode;

#[test]
fn a_large_answer_through_tiny_windows() {
    let node = TestNode::start(&[]);
    let whole = node.connect().ask(get("/block")).body;
    for window in [1, 1000, 16_384] {
        let mut peer = Peer::begin_with(node.addr, &[(INITIAL_WINDOW_SIZE, window)]);
        peer.get(1, "/block");
        assert_eq!(peer.status(1), 200);
        let mut granted = window as usize;
        // The last of them is larger than what is left.
        for increment in [1, 5000, 10_000, 1 << 20] {
            peer.until(|peer| peer.received(1) == granted.min(whole.len()));
            peer.ping();
            assert_eq!(peer.received(1), granted.min(whole.len()), "no more than the window");
            peer.open(1, increment);
            granted += increment as usize;
        }
        let answer = peer.answer(1);
        assert!(answer.ended && answer.body == whole, "window {window}");
    }
}

/// The connection's own window stops all streams and none of the control frames.
#[test]
fn the_connections_window_is_kept_as_well() {
    let node = TestNode::start(&[]);
    let mut peer = Peer::begin_with(node.addr, &[(INITIAL_WINDOW_SIZE, 1 << 20)]);
    for stream in [1, 3, 5, 7] {
        peer.get(stream, "/block");
    }
    let sum = |peer: &Peer| [1, 3, 5, 7].iter().map(|stream| peer.received(*stream)).sum::<usize>();
    peer.until(|peer| sum(peer) == 65_535);
    peer.ping();
    assert_eq!(sum(&peer), 65_535);
    peer.open(0, 1 << 20);
    for stream in [1, 3, 5, 7] {
        assert_eq!(peer.answer(stream).body.len(), node.connect().ask(get("/block")).body.len());
    }
}

#[test]
fn an_answer_that_nobody_takes_is_given_up() {
    let node = TestNode::start(&["server.write_timeout=200ms"]);
    let mut peer = Peer::begin_with(node.addr, &[(INITIAL_WINDOW_SIZE, 10)]);
    peer.get(1, "/block");
    peer.get(3, "/stream/large");
    assert_eq!(peer.answer(1).reset, Some(code::CANCEL));
    assert_eq!(peer.answer(3).reset, Some(code::CANCEL));
    assert_eq!(node.sum(|ledger| ledger.http2.stalled.get()), 2);
    peer.open(0, 1000);
    peer.get(5, "/ping");
    assert_eq!(peer.status(5), 200, "the connection goes on");
}
