//! Records of any size and in any pieces carry the same requests and answers.
//! Never here: handshakes.

use std::io::{Read, Write};

use proptest::prelude::*;
use rustls::version::{TLS12, TLS13};

use crate::support::actions::{HUGE_BYTES, LARGE_BYTES};
use crate::support::client::{Client, get, get_as, post};
use crate::support::tls::Dialer;
use crate::support::until;
use crate::{door, simple};

/// A pipeline with what a reader can get wrong: bodies, chunks, a head that is the last.
fn pipeline() -> String {
    pipelined(5)
}

/// So many requests of it, over and over.
fn pipelined(count: usize) -> String {
    let chunked = "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let all = [get("/ping"), post("/echo", "{\"a\":1}"), chunked.to_owned(), get("/echo?q"), get("/ping")];
    all.iter().cycle().take(count).map(String::as_str).collect()
}

fn bodies(client: &mut Client) -> Vec<(u16, Vec<u8>)> {
    bodies_of(client, 5)
}

fn bodies_of(client: &mut Client, count: usize) -> Vec<(u16, Vec<u8>)> {
    (0..count).map(|_| client.answer()).map(|answer| (answer.status, answer.body)).collect()
}

#[test]
fn one_byte_a_record_is_a_request() {
    let (authority, node) = simple(&[]);
    let expect = {
        let mut plain = node.connect();
        plain.send(pipeline());
        bodies(&mut plain)
    };
    for version in [&TLS13, &TLS12] {
        let mut client = Dialer::with(&authority, "shop.example", &[version], None).connect(door(&node));
        for byte in pipeline().bytes() {
            client.send([byte]);
        }
        assert_eq!(bodies(&mut client), expect);
    }
}

/// From one byte to the longest record (RFC 8446 §5.1).
fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1..20_usize, 1..400_usize, Just(16 << 10)], 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::support::cases(48), ..ProptestConfig::default() })]

    /// Plaintext cut into records anywhere, and the records into segments anywhere.
    #[test]
    fn cuts_change_nothing(count in 1..=16_usize, records in lengths(), segments in lengths()) {
        thread_local!(static SCENE: (crate::support::pki::Authority, crate::support::node::TestNode) = simple(&[]));
        SCENE.with(|(authority, node)| {
            let mut plain = node.connect();
            plain.send(pipelined(count));
            let expect = bodies_of(&mut plain, count);
            let mut client = Dialer::new(authority, "shop.example").connect(door(node));
            let tls = client.tls();
            let text = pipelined(count);
            let (mut rest, mut cuts) = (text.as_bytes(), records.iter().cycle());
            while !rest.is_empty() {
                let (record, behind) = rest.split_at((*cuts.next().expect("it cycles")).min(rest.len()));
                tls.conn.writer().write_all(record).expect("a record");
                rest = behind;
            }
            let mut sealed = Vec::new();
            while tls.conn.wants_write() {
                tls.conn.write_tls(&mut sealed).expect("memory");
            }
            let (mut rest, mut cuts) = (sealed.as_slice(), segments.iter().cycle());
            while !rest.is_empty() {
                let (segment, behind) = rest.split_at((*cuts.next().expect("it cycles")).min(rest.len()));
                tls.sock.write_all(segment).expect("the server reads");
                rest = behind;
            }
            prop_assert_eq!(bodies_of(&mut client, count), expect);
            Ok(())
        })?;
    }
}

#[test]
fn large_bodies_travel_both_ways() {
    let (authority, node) = simple(&[]);
    for version in [&TLS13, &TLS12] {
        let mut client = Dialer::with(&authority, "shop.example", &[version], None).connect(door(&node));
        let body = "0123456789".repeat(400_000);
        let answer = client.ask(post("/echo/large", &body));
        assert!(answer.status == 200 && answer.body == body.as_bytes());
        assert_eq!(client.ask(get("/large")).body.len(), LARGE_BYTES);
        assert_eq!(client.ask(get("/stream/large")).body.len(), LARGE_BYTES);
        assert_eq!(client.ask(get("/ping")).status, 200);
    }
    node.until_quiet();
}

#[test]
fn a_client_that_takes_no_bytes_is_given_up() {
    let (authority, node) = simple(&["server.write_timeout=200ms"]);
    let mut client = Dialer::new(&authority, "shop.example").connect(door(&node));
    client.send(get("/huge"));
    node.until_opened(1);
    node.until_quiet();
    drop(client);
}

#[test]
fn a_client_that_takes_bytes_slowly_gets_them_all() {
    let (authority, node) = simple(&[]);
    let mut client = Dialer::new(&authority, "shop.example").connect(door(&node));
    client.send(get("/huge") + &get("/ping"));
    let answer = client.answer();
    assert_eq!((answer.status, answer.body.len()), (200, HUGE_BYTES));
    assert_eq!(client.answer().status, 200);
}

#[test]
fn an_answer_that_closes_ends_with_a_word() {
    let (authority, node) = simple(&[]);
    let mut client = Dialer::new(&authority, "shop.example").connect(door(&node));
    client.send("GET /ping HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    // rustls makes an end without close_notify an error.
    client.expect_end();
    node.until_quiet();
}

#[test]
fn a_client_that_says_goodbye_hears_it() {
    let (authority, node) = simple(&[]);
    for version in [&TLS13, &TLS12] {
        let mut client = Dialer::with(&authority, "shop.example", &[version], None).connect(door(&node));
        assert_eq!(client.ask(get("/ping")).status, 200);
        let tls = client.tls();
        tls.conn.send_close_notify();
        tls.flush().expect("the server reads");
        let mut rest = Vec::new();
        tls.read_to_end(&mut rest).expect("an end in order");
        assert!(rest.is_empty());
    }
    node.until_quiet();
}

/// Requests behind a goodbye are none; those before it are answered.
#[test]
fn what_came_before_the_goodbye_is_answered() {
    let (authority, node) = simple(&[]);
    let mut client = Dialer::new(&authority, "shop.example").connect(door(&node));
    let tls = client.tls();
    tls.conn.writer().write_all(pipeline().as_bytes()).expect("memory");
    tls.conn.send_close_notify();
    tls.flush().expect("the server reads");
    assert_eq!(bodies(&mut client).len(), 5);
    client.expect_end();
}

#[test]
fn keys_are_updated_when_the_client_asks() {
    let (authority, node) = simple(&[]);
    let mut client = Dialer::with(&authority, "shop.example", &[&TLS13], None).connect(door(&node));
    for _ in 0..10 {
        client.tls().conn.refresh_traffic_keys().expect("TLS 1.3");
        assert_eq!(client.ask(get("/ping")).status, 200);
    }
}

/// A connection that serves users of another shard goes there, session and all.
#[test]
fn a_connection_moves_with_its_session() {
    let (authority, node) = simple(&["server.shards=2"]);
    let token = node.log_in("mover", 1);
    for version in [&TLS13, &TLS12] {
        for _ in 0..8 {
            let mut client = Dialer::with(&authority, "shop.example", &[version], None).connect(door(&node));
            let mut shards = std::collections::BTreeSet::new();
            for _ in 0..20 {
                // Two at a time: one may be on its way while the connection moves.
                client.send(get_as("/me", &token).repeat(2));
                for _ in 0..2 {
                    shards.insert(client.answer().json()["shard"].as_u64());
                }
            }
            assert_eq!(shards.len(), 1, "a user has one home");
        }
    }
    until("a connection has moved", || node.sum(|ledger| ledger.connections.moved_in.get()) > 0);
    node.until_quiet();
}

#[test]
fn a_broken_record_is_an_alert_and_an_end() {
    let (authority, node) = simple(&[]);
    let mut client = Dialer::new(&authority, "shop.example").connect(door(&node));
    assert_eq!(client.ask(get("/ping")).status, 200);
    let tls = client.tls();
    tls.sock
        .write_all(&[23, 3, 3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        .expect("it reads");
    let error = tls.read(&mut [0; 16]).expect_err("an alert");
    assert!(error.to_string().contains("BadRecordMac"), "{error}");
    node.until_quiet();
}
