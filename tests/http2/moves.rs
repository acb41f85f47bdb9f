//! A connection that rests moves to its user's shard, and nobody who talks through it can tell.

use tidegate::core::fault::Backend;

use crate::peer::{END_STREAM, Peer, request};
use crate::support::node::TestNode;

/// Requests in a row of one foreign user before a connection moves.
const MOVES_AFTER: u32 = 8;

#[test]
fn a_connection_moves_to_its_user_and_goes_on() {
    let node = TestNode::start(&["server.shards=2"]);
    let bearer = format!("Bearer {}", node.log_in("mia", 1));
    let moved = || node.sum(|ledger| ledger.connections.moved_in.get());
    let hops = || node.sum(|ledger| ledger.lane(Backend::Owner).asked.get());
    // The kernel chooses a shard for each: some of them meet the one that is not the user's.
    for _ in 0..40 {
        let mut peer = Peer::begin(node.addr);
        let before = moved();
        let mut ask = |index: u32| {
            peer.send(&request(2 * index + 1, "GET", "/me", &[("authorization", &bearer)], END_STREAM));
            assert_eq!(peer.answer(2 * index + 1).status, 200, "request {index}");
        };
        (0..2 * MOVES_AFTER).for_each(&mut ask);
        let at_home = hops();
        (2 * MOVES_AFTER..4 * MOVES_AFTER).for_each(&mut ask);
        assert_eq!(hops(), at_home, "at home there is no hop");
        peer.ping();
        assert_eq!(peer.goodbyes, []);
        if moved() > before {
            return;
        }
    }
    panic!("no connection has moved");
}
