//! A client may leave at any moment, in order or by a reset: nothing of it stays.
//! Never here: clients that are slow; see `timeouts`.

use crate::support::client::{Client, get};
use crate::support::node::TestNode;

/// Clients that leave after they sent `text`, once `there` holds: some in order, some by a reset.
fn check(text: &str, there: impl Fn(&TestNode, usize)) {
    const CLIENTS: usize = 8;
    let node = TestNode::start(&[]);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| node.connect()).collect();
    for client in &mut clients {
        client.send(text);
    }
    node.until_opened(CLIENTS as u64);
    there(&node, CLIENTS);
    for (index, client) in clients.into_iter().enumerate() {
        if index % 2 == 0 { drop(client) } else { client.reset() }
    }
    node.gate.open();
    node.until_quiet();
    assert_eq!(node.connect().ask(get("/ping")).status, 200);
}

const fn at_once(_: &TestNode, _: usize) {}

#[test]
fn after_connecting() {
    check("", at_once);
}

#[test]
fn within_a_head() {
    check("GET /ping HTTP/1.1\r\nho", at_once);
}

#[test]
fn within_a_body() {
    check("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\nhello", at_once);
    check("POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", at_once);
}

#[test]
fn before_the_100_was_read() {
    check("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n", at_once);
}

#[test]
fn while_the_request_waits() {
    check(&get("/wait"), |node, count| node.gate.until_waiting(count));
}

#[test]
fn while_a_pipeline_waits() {
    check(&(get("/ping") + &get("/wait") + &get("/ping")), |node, count| node.gate.until_waiting(count));
}

/// The answers before it do not fit the sockets, so its wait has not begun when the client leaves.
#[test]
fn before_the_request_could_wait() {
    let node = TestNode::start(&["server.in_flight_max=1"]);
    node.gate.open();
    for _ in 0..3 {
        let mut client = node.connect();
        client.send((get("/block") + &get("/wait")).repeat(1000));
        client.expect_bytes(b"HTTP/1.1 200");
        // It has begun to answer; the rest is thrown away, with a reset because it is unread.
        drop(client);
        node.until_quiet();
    }
    assert_eq!(node.connect().ask(get("/wait")).status, 200, "its place is free again");
}

#[test]
fn while_the_answer_is_written() {
    check(&get("/large"), |node, count| node.until_started(count));
}

#[test]
fn while_a_stream_is_written() {
    check(&get("/stream/large"), |node, count| node.until_started(count));
}

#[test]
fn while_a_stream_waits_for_its_next_piece() {
    check(&get("/stream/waits"), |node, count| node.gate.until_waiting(count));
}

#[test]
fn after_the_answer_without_reading_it() {
    check(&get("/ping"), |node, count| node.until_started(count));
}
