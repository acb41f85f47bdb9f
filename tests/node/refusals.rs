//! What is refused, with which status and code, and what becomes of the connection: every refusal has the one error form.
//! Never here: a refusal for want of time; see `timeouts`.

use crate::support::client::{Client, get, post};
use crate::support::node::TestNode;

/// A request that is answered with `code`, and whether the connection goes on.
#[track_caller]
fn check(node: &TestNode, request: &str, code: u64, goes_on: bool) {
    let mut client = node.connect();
    client.send(request);
    let answer = client.answer();
    assert_eq!(answer.error_code(), code, "{request:?}");
    assert_eq!(answer.closes(), !goes_on, "{request:?}");
    if goes_on {
        assert_eq!(client.ask(get("/ping")).status, 200, "{request:?}");
    } else {
        client.expect_end();
    }
    assert_eq!(node.connect().ask(get("/ping")).status, 200, "the next connection, after {request:?}");
}

fn with_header(line: &str) -> String {
    format!("GET /ping HTTP/1.1\r\nhost: test\r\n{line}\r\n\r\n")
}

fn post_with(line: &str, body: &str) -> String {
    format!("POST /echo HTTP/1.1\r\nhost: test\r\n{line}\r\n\r\n{body}")
}

#[test]
fn framing_errors_end_the_connection() {
    let node = TestNode::start(&[]);
    let malformed = [
        "\0\r\n\r\n".to_owned(),
        "GET /ping\r\n\r\n".to_owned(),
        "GET  /ping HTTP/1.1\r\nhost: test\r\n\r\n".to_owned(),
        "GET ping HTTP/1.1\r\nhost: test\r\n\r\n".to_owned(),
        "GET /ping HTTP/1.1\r\n\r\n".to_owned(),
        with_header("host: again"),
        with_header("no colon"),
        with_header("space : before the colon"),
        with_header("folded: one\r\n two"),
        with_header("control: a\x01b"),
        post_with("content-length: +5", "hello"),
        post_with("content-length: 5, 5", "hello"),
        post_with("content-length: 5\r\ncontent-length: 5", "hello"),
        post_with("content-length: 5\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
        post_with("transfer-encoding: chunked, chunked", "0\r\n\r\n"),
        post_with("transfer-encoding: chunked", "x\r\n\r\n"),
        post_with("transfer-encoding: chunked", "1\r\nab\r\n0\r\n\r\n"),
        "POST /echo HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
    ];
    for request in malformed {
        check(&node, &request, 40000, false);
    }
    node.until_quiet();
}

#[test]
fn a_refused_head_answers_without_a_body() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    client.send("HEAD /ping HTTP/1.1\r\n\r\n");
    assert_eq!(client.head_answer().status, 400);
    client.expect_end();
}

#[test]
fn what_the_server_does_not_know_has_a_status_of_its_own() {
    let node = TestNode::start(&["http2.enabled=false"]);
    check(&node, &get("/nowhere"), 40400, true);
    check(&node, "BREW /ping HTTP/1.1\r\nhost: test\r\n\r\n", 50100, false);
    check(&node, &post_with("transfer-encoding: gzip, chunked", "0\r\n\r\n"), 50101, false);
    check(&node, &with_header("expect: 200-maybe"), 41700, false);
    check(&node, "GET /ping HTTP/2.0\r\nhost: test\r\n\r\n", 50500, false);
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let node = TestNode::start(&[]);
    let answer = node.connect().ask("DELETE /echo HTTP/1.1\r\nhost: test\r\n\r\n");
    assert_eq!((answer.error_code(), answer.header("allow")), (40500, Some("GET, HEAD, POST, OPTIONS")));
    let with_body = "POST /ping HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\nabc";
    let mut client = node.connect();
    let answer = client.ask(with_body);
    assert_eq!((answer.error_code(), answer.header("allow")), (40500, Some("GET, HEAD, OPTIONS")));
    client.expect_end();
}

#[test]
fn a_body_for_nobody_is_not_read() {
    let node = TestNode::start(&[]);
    check(&node, &post("/nowhere", "{}"), 40400, false);
}

#[test]
fn bodies_need_their_media_type() {
    let node = TestNode::start(&[]);
    let plain = post("/rename", r#"{"id":1,"name":"tea"}"#);
    assert_eq!(node.connect().ask(&plain).status, 200);
    check(&node, &plain.replace("application/json", "text/plain"), 41500, true);
    check(&node, &plain.replace("content-type: application/json\r\n", ""), 41500, true);
    check(&node, &post("/rename", "{"), 40002, true);
    check(&node, &post("/rename", r#"{"id":"one","name":"tea"}"#), 40001, true);
    check(&node, &post("/rename", r#"{"id":99,"name":"tea"}"#), 40900, true);
    check(&node, &get("/item/99"), 40401, true);
    check(&node, &get("/me"), 40100, true);
}

/// A head of exactly so many bytes.
fn head_of(bytes: usize) -> String {
    let start = "GET /ping HTTP/1.1\r\nhost: test\r\npadding: ";
    format!("{start}{}\r\n\r\n", "x".repeat(bytes - start.len() - 4))
}

fn target_of(bytes: usize) -> String {
    let target = format!("/echo?{}", "q".repeat(bytes - 6));
    get(&target)
}

fn headers_of(count: usize) -> String {
    let more: String = (1..count).map(|index| format!("x-{index}: 1\r\n")).collect();
    format!("GET /ping HTTP/1.1\r\nhost: test\r\n{more}\r\n")
}

#[test]
fn heads_targets_and_headers_are_bounded() {
    let node =
        TestNode::start(&["server.head_bytes_max=4KiB", "server.target_bytes_max=1KiB", "server.headers_max=20"]);
    let fits = |request: String| assert_eq!(node.connect().ask(request).status, 200);
    fits(head_of(4095));
    fits(head_of(4096));
    check(&node, &head_of(4097), 43100, false);
    fits(target_of(1023));
    fits(target_of(1024));
    check(&node, &target_of(1025), 41400, false);
    fits(headers_of(19));
    fits(headers_of(20));
    check(&node, &headers_of(21), 43101, false);
    node.until_quiet();
}

/// A bound holds whatever the pieces are in which its bytes come.
#[test]
fn a_head_is_bounded_in_pieces_too() {
    let node = TestNode::start(&["server.head_bytes_max=2KiB", "server.target_bytes_max=1KiB"]);
    for (bytes, status) in [(2047, 200), (2048, 200), (2049, 431)] {
        let mut client = node.connect();
        let text = head_of(bytes);
        for piece in text.as_bytes().chunks(300) {
            client.try_send(piece);
        }
        assert_eq!(client.answer().status, status, "{bytes}");
    }
    let mut client = node.connect();
    client.send(&head_of(4000).as_bytes()[..3000]);
    assert_eq!(client.answer().error_code(), 43100, "no end of the head is needed to see that it is too long");
    client.expect_end();
}

#[test]
fn bodies_are_bounded_by_their_route() {
    let node = TestNode::start(&[]);
    let chunked = |bytes: usize| {
        let body = "x".repeat(bytes);
        post_with("transfer-encoding: chunked", &format!("{bytes:x}\r\n{body}\r\n0\r\n\r\n"))
    };
    for bytes in [1023, 1024] {
        assert_eq!(node.connect().ask(post("/echo", &"x".repeat(bytes))).body.len(), bytes);
        assert_eq!(node.connect().ask(chunked(bytes)).body.len(), bytes);
    }
    check(&node, &post("/echo", &"x".repeat(1025)), 41300, false);
    check(&node, &chunked(1025), 41300, false);
    assert_eq!(node.connect().ask(post("/echo/large", &"x".repeat(1025))).status, 200, "the bound is the route's");
}

/// The answer of a refusal reaches a client that is still sending.
#[test]
fn a_refusal_reaches_a_client_that_sends_on() {
    let node = TestNode::start(&[]);
    for _ in 0..20 {
        let mut client = node.connect();
        client.send("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 1000000\r\n\r\n");
        client.try_send(vec![b'x'; 200_000]);
        assert_eq!(client.answer().error_code(), 41300);
    }
    node.until_quiet();
}

#[test]
fn garbage_never_hurts_the_next_connection() {
    let node = TestNode::start(&[]);
    let mut state = 1_u64;
    for round in 0..200 {
        let mut client: Client = node.connect();
        let bytes: Vec<u8> = (0..round * 7)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        client.try_send(&bytes);
        client.finish_sending();
        client.rest();
    }
    assert_eq!(node.connect().ask(get("/ping")).status, 200);
    node.until_quiet();
}
