//! Handshakes: versions, profiles, ALPN, and every way in which one does not come to an end.
//! Never here: certificates, tickets.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tidegate::core::ledger::tls::Tls;
use tidegate::core::ledger::{CloseReason, ShardLedger};

use crate::support::client::{Client, get};
use crate::support::tls::Dialer;
use crate::support::until;
use crate::{door, simple};

/// First bytes of a fatal alert (RFC 8446 §6): content type, and behind version and length its level.
fn assert_alert(bytes: &[u8]) {
    assert!(bytes.len() >= 7 && bytes[0] == 21 && bytes[5] == 2, "no fatal alert: {bytes:?}");
}

#[test]
fn both_versions_are_spoken() {
    let (authority, node) = simple(&[]);
    for (version, expect) in [(&TLS13, ProtocolVersion::TLSv1_3), (&TLS12, ProtocolVersion::TLSv1_2)] {
        let (answer, agreed) =
            Dialer::with(&authority, "shop.example", &[version], None).ask(door(&node), &get("/ping"));
        assert_eq!((answer.status, agreed.version), (200, Some(expect)));
    }
    assert_eq!(node.sum(|ledger| ledger.tls.full.get()), 2);
}

#[test]
fn the_modern_profile_refuses_what_is_older() {
    let (authority, node) = simple(&["tls.profile=modern"]);
    let old = Dialer::with(&authority, "shop.example", &[&TLS12], None);
    let refused = old.try_dial(door(&node)).expect_err("TLS 1.2");
    assert!(refused.to_string().contains("ProtocolVersion"), "{refused}");
    assert_eq!(Dialer::new(&authority, "shop.example").ask(door(&node), &get("/ping")).0.status, 200);
    until("the failure is in the books", || node.sum(|ledger| ledger.tls.failed.get()) == 1);
    node.until_quiet();
}

#[test]
fn the_protocol_inside_is_agreed() {
    let (authority, node) = simple(&["tls.alpn=[\"http/1.1\"]"]);
    let dialer = Dialer::new(&authority, "shop.example");
    let offer = |offered: &[&[u8]]| {
        let offered = offered.iter().map(|name| name.to_vec()).collect();
        dialer.adjusted(|config| config.alpn_protocols = offered)
    };
    assert_eq!(dialer.ask(door(&node), &get("/ping")).1.alpn, None);
    let both = offer(&[b"h2", b"http/1.1"]).ask(door(&node), &get("/ping"));
    assert_eq!(both.1.alpn.as_deref(), Some(b"http/1.1".as_slice()));
    // RFC 7301 §3.2: no protocol in common is the end.
    let refused = offer(&[b"imap"]).try_dial(door(&node)).expect_err("imap");
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
}

#[test]
fn http_in_the_clear_gets_an_alert() {
    let (authority, node) = simple(&[]);
    let mut client = Client::connect(door(&node));
    client.send(get("/ping"));
    assert_alert(&client.rest());
    until("it is in the books", || node.sum(|ledger| ledger.tls.not_tls.get()) == 1);
    node.until_quiet();
    assert_eq!(Dialer::new(&authority, "shop.example").ask(door(&node), &get("/ping")).0.status, 200);
}

#[test]
fn what_is_nearly_tls_gets_an_alert() {
    let (_authority, node) = simple(&[]);
    // A record of a handshake whose message is none.
    let mut client = Client::connect(door(&node));
    client.send([22, 3, 1, 0, 4, 99, 0, 0, 0]);
    assert_alert(&client.rest());
    // A record that is longer than any may be.
    let mut client = Client::connect(door(&node));
    client.send([22, 3, 1, 0xff, 0xff, 1]);
    assert_alert(&client.rest());
    until("both are in the books", || node.sum(|ledger| ledger.tls.failed.get()) == 2);
    node.until_quiet();
}

#[test]
fn a_handshake_has_a_deadline() {
    let (_authority, node) = simple(&["tls.handshake_timeout=200ms"]);
    let mut silent = Client::connect(door(&node));
    let mut slow = Client::connect(door(&node));
    slow.send([22, 3, 1]);
    assert!(silent.ended() && slow.ended());
    until("both are in the books", || node.sum(|ledger| ledger.tls.timed_out.get()) == 2);
    assert_eq!(node.sum(|ledger| ledger.connections_closed(CloseReason::Timeout)), 2);
    node.until_quiet();
}

#[test]
fn a_client_that_leaves_is_booked_and_forgotten() {
    let (_authority, node) = simple(&[]);
    drop(TcpStream::connect(door(&node)).expect("the port listens"));
    let mut half = TcpStream::connect(door(&node)).expect("the port listens");
    half.write_all(&[22, 3, 1, 2]).expect("it reads");
    drop(half);
    until("both are in the books", || node.sum(|ledger| ledger.tls.left.get()) == 2);
    node.until_quiet();
}

/// At the bound, one below and one above.
#[test]
fn handshakes_in_flight_are_bounded() {
    let (authority, node) = simple(&["tls.handshakes_max=2"]);
    let dialer = Dialer::new(&authority, "shop.example");
    let first = Client::connect(door(&node));
    node.until_opened(1);
    assert_eq!(dialer.ask(door(&node), &get("/ping")).0.status, 200, "one below");
    let second = Client::connect(door(&node));
    node.until_opened(3);
    let mut third = Client::connect(door(&node));
    assert!(third.ended());
    assert_eq!(node.sum(|ledger| ledger.tls.refused.get()), 1);
    assert_eq!(node.sum(|ledger| ledger.connections_closed(CloseReason::Overload)), 1);
    drop((first, second));
    until("the others have left", || node.sum(|ledger| ledger.tls.left.get()) == 2);
    assert_eq!(dialer.ask(door(&node), &get("/ping")).0.status, 200);
    node.until_quiet();
}

/// More handshakes at once than one turn begins.
#[test]
fn a_crowd_is_let_in() {
    let (authority, node) = simple(&[]);
    let dialer = Dialer::new(&authority, "shop.example");
    let crowd: Vec<_> = (0..64)
        .map(|_| {
            let (dialer, addr) = (dialer.clone(), door(&node));
            std::thread::spawn(move || dialer.ask(addr, &get("/ping")).0.status)
        })
        .collect();
    assert!(crowd.into_iter().all(|one| one.join().is_ok_and(|status| status == 200)));
    let all = |books: &Tls| books.full.get() + books.resumed.get();
    assert_eq!(node.sum(|ledger| all(&ledger.tls)), 64);
    node.until_quiet();
    assert_eq!(node.sum(ShardLedger::connections_open), 0);
}

/// The bound of connections holds at this door too; there are no words before a handshake.
#[test]
fn a_full_shard_closes_without_a_word() {
    let (authority, node) = simple(&["server.connections_max=1", "server.in_flight_max=1"]);
    let mut held = Dialer::new(&authority, "shop.example").connect(door(&node));
    assert_eq!(held.ask(get("/ping")).status, 200);
    let mut refused = TcpStream::connect(door(&node)).expect("the port listens");
    let mut byte = [0];
    assert!(matches!(refused.read(&mut byte), Ok(0)));
    assert_eq!(node.sum(|ledger| ledger.connections.refused.get()), 1);
}

/// The balancer's word comes before the handshake, in the clear, perhaps in the same segment.
#[test]
fn a_proxy_header_stands_before_the_handshake() {
    let (authority, node) = simple(&["proxy_protocol.mode=required", r#"proxy_protocol.trusted=["127.0.0.0/8"]"#]);
    let dialer = Dialer::new(&authority, "shop.example");
    let mut socket = TcpStream::connect(door(&node)).expect("the port listens");
    socket.write_all(b"PROXY TCP4 198.51.100.7 10.0.0.1 40312 443\r\n").expect("it reads");
    let mut client = Client::over_tls(dialer.try_dial_over(socket).expect("the handshake succeeds"));
    assert_eq!(client.ask(get("/ping")).status, 200);
    assert!(dialer.try_dial(door(&node)).is_err(), "a handshake is no header");
}
