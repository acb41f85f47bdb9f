//! HTTP byte by byte over a real socket: requests in order, connections kept and closed, bodies, framing of answers.
//! Never here: a request that is refused; see `refusals`.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::client::{Answer, Client, get, post};
use crate::support::node::TestNode;

/// A pipeline in which every request has an answer of its own.
fn pipeline(count: usize) -> String {
    (0..count).map(|index| get(&format!("/echo?{index}"))).collect()
}

fn expect_in_order(client: &mut Client, count: usize) {
    for index in 0..count {
        let answer = client.answer();
        assert_eq!((answer.status, answer.body), (200, index.to_string().into_bytes()));
    }
}

#[test]
fn pipelines_are_answered_in_order() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    for count in 1..=16 {
        client.send(pipeline(count));
        expect_in_order(&mut client, count);
    }
    drop(client);
    node.until_quiet();
    assert_eq!(node.sum(|ledger| ledger.connections.opened.get()), 1, "all of it on one connection");
}

#[test]
fn a_pipeline_may_be_cut_at_any_byte() {
    let node = TestNode::start(&[]);
    let text = format!("{}{}{}", get("/echo?0"), post("/echo", "1"), get("/echo?2"));
    let mut client = node.connect();
    for cut in 0..=text.len() {
        let (first, second) = text.split_at(cut);
        client.send(first);
        client.send(second);
        expect_in_order(&mut client, 3);
    }
}

#[test]
fn bytes_may_come_one_by_one() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    for byte in pipeline(3).bytes() {
        client.send([byte]);
    }
    expect_in_order(&mut client, 3);
}

#[test]
fn requests_that_wait_keep_their_place_in_the_pipeline() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    client.send(get("/echo?0") + &get("/wait") + &get("/echo?1") + &get("/item/1") + &get("/echo?2"));
    expect_in_order(&mut client, 1);
    node.gate.until_waiting(1);
    node.gate.open();
    assert_eq!(client.answer().json()["released"], true);
    assert_eq!(client.answer().body, b"1");
    assert_eq!(client.answer().json()["data"]["name"], "tea");
    assert_eq!(client.answer().body, b"2");
}

#[test]
fn a_deep_pipeline_loses_nothing() {
    let node = TestNode::start(&[]);
    let client = node.connect();
    let mut writer = client.second_handle();
    let sender = std::thread::spawn(move || {
        let text: String = (0..10_000).map(|index| get(&format!("/echo?{index}"))).collect();
        std::io::Write::write_all(&mut writer, text.as_bytes()).expect("the server reads");
    });
    let mut client = client;
    expect_in_order(&mut client, 10_000);
    sender.join().expect("all was sent");
}

#[test]
fn connections_are_kept_and_closed_as_asked() {
    let node = TestNode::start(&[]);
    let check = |version: &str, connection: &str, kept: bool| {
        let mut client = node.connect();
        let text = format!("GET /ping HTTP/{version}\r\nhost: test\r\n{connection}\r\n");
        let answer = client.ask(&text);
        assert_eq!((answer.status, answer.closes()), (200, !kept), "{text}");
        if kept {
            assert_eq!(client.ask(&text).status, 200, "{text}");
        } else {
            client.expect_end();
        }
    };
    check("1.1", "", true);
    check("1.1", "connection: keep-alive\r\n", true);
    check("1.1", "connection: close\r\n", false);
    check("1.1", "Connection: x, CLOSE\r\n", false);
    check("1.0", "", false);
    check("1.0", "connection: keep-alive\r\n", true);
    check("1.0", "connection: close\r\n", false);
}

#[test]
fn a_1_0_client_that_is_kept_is_told_so() {
    let node = TestNode::start(&[]);
    let answer = node.connect().ask("GET /ping HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    assert_eq!(answer.header("connection"), Some("keep-alive"));
}

#[test]
fn what_follows_a_close_is_not_answered() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    client.send("GET /echo?0 HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n".to_owned() + &get("/echo?1"));
    expect_in_order(&mut client, 1);
    client.expect_end();
}

#[test]
fn a_client_that_ends_its_side_still_gets_its_answers() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    client.send(pipeline(3) + &get("/wait"));
    client.finish_sending();
    expect_in_order(&mut client, 3);
    node.gate.until_waiting(1);
    node.gate.open();
    assert_eq!(client.answer().json()["released"], true);
    client.expect_end();
    node.until_quiet();
}

#[test]
fn head_is_get_without_the_body() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    let same = |answer: &Answer| {
        let own = |name: &str| !matches!(name, "date" | "x-request-id");
        answer.headers.iter().filter(|(name, _)| own(name)).cloned().collect::<Vec<_>>()
    };
    for path in ["/ping", "/echo?abc", "/item/1", "/stream", "/nowhere"] {
        let got = client.ask(get(path));
        client.send(format!("HEAD {path} HTTP/1.1\r\nhost: test\r\n\r\n"));
        let head = client.head_answer();
        assert_eq!((head.status, same(&head)), (got.status, same(&got)), "{path}");
        assert_eq!(client.ask(get("/echo?next")).body, b"next", "a HEAD of {path} has no body");
    }
}

#[test]
fn ranges_are_ignored_and_whoever_asks_is_told_so() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    let whole = client.ask(get("/ping"));
    assert_eq!(whole.header("accept-ranges"), None);
    for range in ["bytes=0-1", "bytes=-1", "bytes=0-0,2-3", "bytes=9-1", "lines=1", "bytes=0-1\r\nif-range: \"e\""] {
        let answer = client.ask(format!("GET /ping HTTP/1.1\r\nhost: test\r\nrange: {range}\r\n\r\n"));
        assert_eq!((answer.status, &answer.body), (200, &whole.body), "{range}");
        assert_eq!((answer.header("accept-ranges"), answer.header("content-range")), (Some("none"), None), "{range}");
    }
}

#[test]
fn answers_tell_date_type_length_and_request() {
    let node = TestNode::start(&[]);
    let answer = node.connect().ask(get("/ping"));
    let date = answer.header("date").expect("RFC 9110 §6.6.1");
    assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
    let id = answer.header("x-request-id").expect("every answer has one");
    assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
}

#[test]
fn a_well_formed_request_id_is_echoed_and_any_other_replaced() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    let mut check = |id: &str, echoed: bool| {
        for path in ["/ping", "/nowhere"] {
            let answer = client.ask(format!("GET {path} HTTP/1.1\r\nhost: test\r\nX-Request-Id: {id}\r\n\r\n"));
            assert_eq!(answer.header("x-request-id") == Some(id), echoed, "{id:?}");
            assert!(echoed || answer.header("x-request-id").is_some_and(|own| own.len() == 16));
        }
    };
    check("1234567", false);
    check("12345678", true);
    check("a-b_c.D-0123456789", true);
    check(&"a".repeat(40), true);
    check(&"a".repeat(41), false);
    check("abcd efgh", false);
    check("<script>", false);
}

#[test]
fn a_body_is_awaited_with_a_100_when_the_client_asks() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    for framing in ["content-length: 5", "transfer-encoding: chunked"] {
        client.send(format!("POST /echo HTTP/1.1\r\nhost: test\r\n{framing}\r\nexpect: 100-continue\r\n\r\n"));
        let interim = client.answer();
        assert_eq!((interim.status, interim.headers.len()), (100, 0));
        client.send(if framing.starts_with('c') { "hello" } else { "5\r\nhello\r\n0\r\n\r\n" });
        let answer = client.answer();
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"hello".as_slice()));
    }
}

#[test]
fn no_100_is_sent_where_it_would_be_wrong() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    // RFC 9110 §10.1.1: the body is there already, or the client is too old to understand a 100.
    let there = "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\nhello";
    assert_eq!(client.ask(there).body, b"hello");
    let old = "POST /echo HTTP/1.0\r\nconnection: keep-alive\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\nhello";
    assert_eq!(client.ask(old).body, b"hello");
    // A body that will be refused is not asked for.
    let large = "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 1025\r\nexpect: 100-continue\r\n\r\n";
    assert_eq!(client.ask(large).error_code(), 41300);
    client.expect_end();
}

#[test]
fn bodies_come_sized_or_chunked_and_cut_anywhere() {
    let node = TestNode::start(&[]);
    let sized = post("/echo", "hello world");
    let chunked = "POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n\
        5\r\nhello\r\n1;a=b\r\n \r\n005\r\nworld\r\n0\r\nx-trailer: 1\r\n\r\n";
    let mut client = node.connect();
    for text in [sized.as_str(), chunked] {
        for cut in 0..text.len() {
            let (first, second) = text.split_at(cut);
            client.send(first);
            client.send(second);
            assert_eq!(client.answer().body, b"hello world", "cut at {cut}");
        }
    }
}

#[test]
fn a_large_body_comes_whole() {
    let node = TestNode::start(&[]);
    let body: String = (0..1_000_000).map(|index| char::from(b'a' + (index % 26) as u8)).collect();
    let client = node.connect();
    let mut writer = client.second_handle();
    let text = post("/echo/large", &body);
    let sender = std::thread::spawn(move || std::io::Write::write_all(&mut writer, text.as_bytes()));
    let mut client = client;
    assert!(client.answer().body == body.as_bytes());
    sender.join().expect("no panic").expect("all was sent");
    assert_eq!(client.ask(get("/ping")).status, 200);
}

#[test]
fn shards_share_a_port() {
    let node = TestNode::start(&["server.shards=2"]);
    let mut clients: Vec<Client> = (0..64).map(|_| node.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.ask(get("/ping")).status, 200);
    }
    for ledger in node.ledgers() {
        assert!(ledger.connections.opened.get() > 0, "shard {:?} got none of 64 connections", ledger.shard());
    }
    drop(clients);
    node.until_quiet();
}

#[test]
fn a_connection_follows_its_user_and_loses_nothing() {
    let node = TestNode::start(&["server.shards=2"]);
    for user in 0..4 {
        let token = node.log_in(&format!("u{user}"), 1);
        let request = crate::support::client::get_as("/me", &token);
        let mut clients: Vec<Client> = (0..8).map(|_| node.connect()).collect();
        for client in &mut clients {
            let home = client.ask(&request).json()["shard"].clone();
            for _ in 0..30 {
                assert_eq!(client.ask(&request).json()["shard"], home);
            }
            client.send(request.repeat(20));
            (0..20).for_each(|_| assert_eq!(client.answer().json()["shard"], home));
        }
    }
    let moved = |of: fn(&tidegate::core::ledger::Connections) -> u64| node.sum(|ledger| of(&ledger.connections));
    assert!(moved(|books| books.moved_out.get()) > 0, "half of the connections began on the other shard");
    assert_eq!(moved(|books| books.moved_out.get()), moved(|books| books.moved_in.get()));
    node.until_quiet();
}

/// The host may take the core away at any instant. A shard that is about to wake or to sleep just then goes on where it was.
#[test]
fn a_crowded_host_does_not_put_a_shard_to_sleep() {
    let node = TestNode::start(&[]);
    let done = AtomicBool::new(false);
    let crowd = 4 * std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..crowd {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let _ends_the_crowd = Flag(&done);
        let mut client = node.connect();
        for _ in 0..300 {
            assert_eq!(client.ask(get("/item/1")).status, 200);
        }
    });
}

/// Raised when dropped, by a failing test too.
struct Flag<'a>(&'a AtomicBool);

impl Drop for Flag<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
