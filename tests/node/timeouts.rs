//! Clients and backends that take too long: answered where an answer helps, closed where it does not.
//! Never here: how long exactly; only that the wait ends, and how.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::support::actions::HUGE_BYTES;
use tidegate::core::fault::Backend;

use crate::support::client::{Client, get, get_as, post};
use crate::support::node::TestNode;
use crate::support::until;

#[test]
fn a_slow_head_is_a_408() {
    let node = TestNode::start(&["server.head_timeout=100ms"]);
    let mut client = node.connect();
    client.send("GET /ping HT");
    let answer = client.answer();
    assert_eq!((answer.error_code(), answer.closes()), (40800, true));
    client.expect_end();
    node.until_quiet();
}

/// Bytes that trickle do not buy time: the deadline is that of the whole head.
#[test]
fn a_head_that_trickles_is_a_408() {
    let node = TestNode::start(&["server.head_timeout=200ms"]);
    let mut client = node.connect();
    client.send("GET /ping HTTP/1.1\r\n");
    let refused = || node.sum(tidegate::core::ledger::ShardLedger::connections_open) == 0;
    let writer = client.second_handle();
    until("the trickle is refused", || {
        let _ = std::io::Write::write_all(&mut &writer, b"x");
        refused()
    });
    assert_eq!(client.answer().error_code(), 40800);
}

#[test]
fn a_slow_body_is_a_408() {
    let node = TestNode::start(&["server.body_timeout=100ms"]);
    for body in ["", "hel"] {
        let mut client = node.connect();
        client.send(format!("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\n{body}"));
        let answer = client.answer();
        assert_eq!((answer.error_code(), answer.closes()), (40801, true));
        client.expect_end();
    }
    node.until_quiet();
}

#[test]
fn a_slow_head_request_is_told_without_a_body() {
    let node = TestNode::start(&["server.head_timeout=100ms", "server.body_timeout=100ms"]);
    for text in ["HEAD /ping HT", "HEAD /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\nhel"] {
        let mut client = node.connect();
        client.send(text);
        assert_eq!(client.head_answer().status, 408);
        client.expect_end();
    }
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let node = TestNode::start(&["server.idle_timeout=1s"]);
    let mut fresh = node.connect();
    let mut used = node.connect();
    assert_eq!(used.ask(get("/ping")).status, 200);
    fresh.expect_end();
    used.expect_end();
    node.until_quiet();
}

/// A pipeline whose pieces end within heads is served for longer than any one head may take.
#[test]
fn the_deadline_of_a_head_is_its_own() {
    let node = TestNode::start(&["server.head_timeout=300ms"]);
    let mut client = node.connect();
    let request = get("/echo?abc");
    let (first, second) = request.split_at(10);
    client.send(first);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(900) {
        client.send(format!("{second}{first}"));
        let answer = client.answer();
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"abc".as_slice()));
    }
}

#[test]
fn a_backend_that_takes_too_long_is_a_504_and_the_connection_goes_on() {
    let node = TestNode::start(&["server.request_timeout=200ms", "database.timeout=100ms", "wechat.timeout=150ms"]);
    let mut client = node.connect();
    assert_eq!(client.ask(get("/slow/1000")).json()["data"]["n"], 1000);
    assert_eq!(client.ask(get("/slow/4000000000")).error_code(), 50400);
    assert_eq!(client.ask(get("/wait")).error_code(), 50400);
    assert_eq!(client.ask(get("/ping")).status, 200);
    drop(client);
    node.until_quiet();
}

/// The answer names what was waited for, also when that is on another shard.
#[test]
fn a_504_names_the_backend_behind_a_hop() {
    let node = TestNode::start(&[
        "server.shards=2",
        "server.request_timeout=200ms",
        "database.timeout=100ms",
        "wechat.timeout=150ms",
    ]);
    let hops = || node.sum(|ledger| ledger.lane(Backend::Owner).asked.get());
    let tokens: Vec<String> = (0..8).map(|user| node.log_in(&format!("user{user}"), 1)).collect();
    for path in ["/wait/counted", "/wait/owner"] {
        let before = hops();
        let mut clients: Vec<Client> = tokens.iter().map(|_| node.connect()).collect();
        for (client, token) in clients.iter_mut().zip(&tokens) {
            client.send(get_as(path, token));
        }
        for client in &mut clients {
            let answer = client.answer();
            assert_eq!(
                (answer.error_code(), &answer.json()["message"]),
                (50400, &"database did not answer in time".into())
            );
        }
        assert!(hops() > before, "eight users on two shards");
    }
    node.until_quiet();
    assert_eq!(node.gate.waiting(), 0, "who was given up does not wait on another shard");
}

#[test]
fn what_nobody_waits_for_is_not_begun_elsewhere() {
    let node = TestNode::start(&["server.shards=2"]);
    assert_eq!(node.connect().ask(get("/abandon")).json(), serde_json::json!({ "asked": false, "insisted": true }));
    assert_eq!(node.sum(|ledger| ledger.overloads.abandoned.get()), 1);
}

/// What follows in the pipeline is not hurt by the wait before it.
#[test]
fn a_504_leaves_the_rest_of_the_pipeline_alone() {
    let node = TestNode::start(&["server.request_timeout=200ms", "database.timeout=100ms", "wechat.timeout=150ms"]);
    let mut client = node.connect();
    client.send(get("/wait") + &post("/echo", "1") + &get("/wait") + &get("/echo?2"));
    assert_eq!(client.answer().error_code(), 50400);
    assert_eq!(client.answer().body, b"1");
    assert_eq!(client.answer().error_code(), 50400);
    assert_eq!(client.answer().body, b"2");
}

/// The deadline is that of the wait for room, not of the answer.
#[test]
fn a_client_that_takes_bytes_slowly_gets_them_all() {
    let node = TestNode::start(&["server.write_timeout=1s"]);
    let mut client = node.connect();
    client.send(get("/huge"));
    let mut reader = client.second_handle();
    let mut piece = vec![0; 256 << 10];
    let began = Instant::now();
    // Twice the timeout, and what is read meanwhile is no half of the answer.
    for round in 1..=100 {
        reader.read_exact(&mut piece).expect("the server goes on sending");
        until("the next piece is due", || began.elapsed() >= round * Duration::from_millis(20));
    }
    client.finish_sending();
    assert!(client.rest().len() > HUGE_BYTES - 100 * piece.len());
    node.until_quiet();
}

/// Bytes that trickle buy no time: neither those of a body nor those of an answer that is taken.
#[test]
fn a_peer_that_trickles_is_given_up() {
    let node = TestNode::start(&["server.body_timeout=1s", "server.write_timeout=1s", "server.peer_rate_min=1MiB"]);
    let mut sender = node.connect();
    sender.send("POST /echo/large HTTP/1.1\r\nhost: test\r\ncontent-length: 4194304\r\n\r\n");
    let mut reader = node.connect();
    reader.send(get("/huge"));
    let (half, taken) = (sender.second_handle(), reader.second_handle());
    let open = || node.sum(tidegate::core::ledger::ShardLedger::connections_open);
    node.until_opened(2);
    until("both are given up", || {
        let _ = std::io::Write::write_all(&mut &half, b"x");
        let _ = Read::read(&mut &taken, &mut [0; 64]);
        open() == 0
    });
    assert_eq!(sender.answer().error_code(), 40801);
    assert!(reader.rest().len() < HUGE_BYTES);
}

#[test]
fn a_client_that_takes_no_bytes_is_given_up() {
    let node = TestNode::start(&["server.write_timeout=200ms"]);
    let mut client = node.connect();
    client.send(get("/large"));
    node.until_opened(1);
    node.until_quiet();
    assert!(client.ended());
}
