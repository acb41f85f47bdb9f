//! Answers in pieces: chunked for 1.1, until the end of the connection for 1.0, broken off when they break.
//! Never here: clients that leave; see `clients_leave`.

use std::io::Read;
use std::net::Shutdown;
use std::thread::spawn;

use crate::support::actions::{LARGE_BYTES, PIECE};
use crate::support::client::get;
use crate::support::node::TestNode;

#[test]
fn a_stream_is_chunked_and_the_connection_goes_on() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    client.send(get("/stream") + &get("/ping") + &get("/stream"));
    for expected in [&PIECE.repeat(3)[..], br#"{"message":"pong"}"#, &PIECE.repeat(3)] {
        let answer = client.answer();
        assert_eq!((answer.status, answer.body.as_slice()), (200, expected));
    }
    drop(client);
    node.until_quiet();
}

#[test]
fn a_1_0_client_reads_a_stream_until_the_end() {
    let node = TestNode::start(&[]);
    for connection in ["", "connection: keep-alive\r\n"] {
        let mut client = node.connect();
        client.send(format!("GET /stream HTTP/1.0\r\n{connection}\r\n"));
        let answer = client.answer();
        assert_eq!((answer.header("transfer-encoding"), answer.header("content-length")), (None, None));
        assert!(answer.header("connection") != Some("keep-alive"));
        assert_eq!(answer.body, PIECE.repeat(3));
    }
}

#[test]
fn a_stream_goes_at_the_pace_of_its_reader() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    client.send(get("/stream/large") + &get("/ping"));
    assert_eq!(client.answer().body.len(), LARGE_BYTES);
    assert_eq!(client.answer().status, 200);
}

#[test]
fn an_endless_stream_leaves_room_for_others_and_a_head_reads_none_of_it() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    client.send(get("/stream/endless").replace("GET", "HEAD"));
    assert_eq!(client.head_answer().status, 200);
    assert_eq!(client.ask(get("/ping")).status, 200);
    client.send(get("/stream/endless"));
    let mut reader = client.second_handle();
    let reads = spawn(move || while reader.read(&mut [0; 1 << 16]).is_ok_and(|bytes| bytes > 0) {});
    node.until_started(3);
    let mut other = node.connect();
    for _ in 0..100 {
        assert_eq!(other.ask(get("/ping")).status, 200);
    }
    drop(other);
    client.second_handle().shutdown(Shutdown::Both).expect("a connected socket");
    drop(client);
    reads.join().expect("no panic");
    node.until_quiet();
}

#[test]
fn pieces_leave_as_they_come() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    client.send(get("/stream/waits"));
    // The first piece is here while the second does not exist yet.
    node.gate.until_waiting(1);
    client.expect_bytes(b"\r\n10\r\n0123456789abcdef\r\n");
    node.gate.open();
    client.finish_sending();
    assert_eq!(client.rest(), b"10\r\n0123456789abcdef\r\n0\r\n\r\n");
    node.until_quiet();
}

#[test]
fn a_stream_that_breaks_is_seen_to_be_broken() {
    for path in ["/stream/fault", "/stream/panic"] {
        let node = TestNode::start(&[]);
        let mut client = node.connect();
        client.send(get(path));
        let bytes = String::from_utf8(client.rest()).expect("ASCII");
        assert!(bytes.ends_with("\r\n10\r\n0123456789abcdef\r\n"), "no last chunk: {bytes}");
        node.until_quiet();
        assert_eq!(node.connect().ask(get("/ping")).status, 200, "the shard goes on");
        assert_eq!(node.sum(|ledger| ledger.panics.get()), u64::from(path == "/stream/panic"), "{path}");
    }
}
