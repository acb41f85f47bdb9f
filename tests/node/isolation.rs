//! A request that panics is a 500 of its own: its connection closes, everybody else goes on.
//! Never here: panics of the tests themselves.

use tidegate::core::ledger::CloseReason;
use tidegate::shards::node::Drained;

use crate::support::client::{get, get_as};
use crate::support::node::TestNode;

/// A request that panics on a node where others are connected and one request waits.
#[track_caller]
fn check(node: &TestNode, request: &str, panics: u64) {
    let mut bystander = node.connect();
    assert_eq!(bystander.ask(get("/ping")).status, 200);
    let mut waiting = node.connect();
    waiting.send(get("/wait"));
    node.gate.until_waiting(1);

    let mut client = node.connect();
    // Nothing behind it is answered.
    client.send(request.to_owned() + &get("/ping"));
    let answer = client.answer();
    assert_eq!((answer.status, answer.error_code(), answer.closes()), (500, 50000, true));
    client.expect_end();

    assert_eq!(node.sum(|ledger| ledger.panics.get()), panics);
    assert_eq!(bystander.ask(get("/item/1")).status, 200);
    node.gate.open();
    assert_eq!(waiting.answer().status, 200);
    assert_eq!(waiting.ask(get("/ping")).status, 200);
    assert_eq!(node.connect().ask(get("/ping")).status, 200);
    drop((bystander, waiting));
    node.until_quiet();
}

#[test]
fn a_panic_in_the_turn_of_the_request() {
    check(&TestNode::start(&[]), &get("/panic/now"), 1);
}

#[test]
fn a_panic_after_an_await() {
    check(&TestNode::start(&[]), &get("/panic/later"), 1);
}

/// What the request leaves behind panics outside of every guard of a request: the connection ends, and the books say so.
#[test]
fn a_panic_when_a_request_is_given_up() {
    let node = TestNode::start(&["server.request_timeout=200ms", "database.timeout=100ms", "wechat.timeout=150ms"]);
    let mut client = node.connect();
    client.send(get("/panic/dropped") + &get("/ping"));
    client.expect_end();
    node.until_quiet();
    assert_eq!(node.sum(|ledger| ledger.panics.get()), 1);
    assert_eq!(node.sum(|ledger| ledger.connections_closed(CloseReason::Panic)), 1);
    assert_eq!(node.connect().ask(get("/ping")).status, 200);
}

#[test]
fn a_panic_on_the_users_shard() {
    let node = TestNode::start(&["server.shards=2"]);
    let token = node.log_in("alice", 1);
    check(&node, &get_as("/panic/owner", &token), 1);
    // Connections land on either shard: some of these cross over, some do not.
    for _ in 0..16 {
        assert_eq!(node.connect().ask(get_as("/panic/owner", &token)).error_code(), 50000);
    }
    assert_eq!(node.sum(|ledger| ledger.panics.get()), 17);
    assert!(node.sum(|ledger| ledger.lane(tidegate::core::fault::Backend::Owner).asked.get()) > 0);
    node.until_quiet();
}

#[test]
fn a_panic_in_a_job_of_another_shard_is_that_jobs_affair() {
    let mut node = TestNode::start(&["server.shards=2"]);
    for panics in 1..=8 {
        assert_eq!(node.connect().ask(get("/panic/job")).status, 200, "the other shard still answers");
        assert_eq!(node.sum(|ledger| ledger.panics.get()), panics);
    }
    node.until_quiet();
    assert_eq!(node.drain().expect("it runs").join().expect("no panic"), Drained::Whole);
}

#[test]
fn panics_in_a_row_do_not_wear_the_shard_out() {
    let node = TestNode::start(&[]);
    for round in 0..100 {
        let path = if round % 2 == 0 { "/panic/now" } else { "/panic/later" };
        assert_eq!(node.connect().ask(get(path)).error_code(), 50000);
    }
    assert_eq!(node.sum(|ledger| ledger.panics.get()), 100);
    node.until_quiet();
}
