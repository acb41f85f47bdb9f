//! Behind a balancer: whose word is taken for the client's address, where that address goes, and what becomes of the others.
//! HAProxy itself speaks where it is installed.
//! Never here: the forms of a header; see `proto::proxy`.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command};

use socket2::{Domain, SockRef, Socket, Type};
use tempfile::TempDir;
use tidegate::core::ledger::{CloseReason, ProxyHeaders};

use crate::support::client::{Client, get, get_as};
use crate::support::node::TestNode;
use crate::support::until;

const TRUSTED: &str = r#"proxy_protocol.trusted=["127.0.0.0/8"]"#;
const REQUIRED: [&str; 2] = ["proxy_protocol.mode=required", TRUSTED];
const OPTIONAL: [&str; 2] = ["proxy_protocol.mode=optional", TRUSTED];
const TEXT: &str = "PROXY TCP4 198.51.100.7 10.0.0.1 40312 443\r\n";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn node(mode: [&str; 2], more: &[&str]) -> TestNode {
    TestNode::start(&[&mode[..], more].concat())
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn binary(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).expect("a short block").to_be_bytes();
    [SIGNATURE, &[command, family], &length, block].concat()
}

/// 2001:db8::7, port 80.
fn binary_v6() -> Vec<u8> {
    let source = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    binary(0x21, 0x21, &[&source[..], &[0; 16], &[0, 80, 1, 0xbb]].concat())
}

fn count(node: &TestNode, of: fn(&ProxyHeaders) -> u64) -> u64 {
    node.sum(|ledger| of(&ledger.proxy_headers))
}

/// A connection that is cut off without a word, and counted.
fn check_cut_off(node: &TestNode, first: &[u8], of: fn(&ProxyHeaders) -> u64) {
    let before = count(node, of);
    let mut client = node.connect();
    client.try_send(first);
    assert!(client.rest().is_empty(), "no answer to {}", first.escape_ascii());
    until("it is counted", || count(node, of) == before + 1);
}

#[test]
fn the_headers_address_is_the_clients_in_the_log() {
    let node = node(REQUIRED, &[]);
    let check = |header: &[u8], expect: &str| {
        let mut client = node.connect();
        client.send([header, get("/echo?1").as_bytes()].concat());
        assert_eq!(client.answer().body, b"1");
        assert_eq!(node.next_remote(), ip(expect), "{}", header.escape_ascii());
        // The header is the connection's, not the request's.
        assert_eq!(client.ask(get("/echo?2")).body, b"2");
        assert_eq!(node.next_remote(), ip(expect));
    };
    check(TEXT.as_bytes(), "198.51.100.7");
    check(b"PROXY TCP6 2001:db8::7 ::1 1 2\r\n", "2001:db8::7");
    check(b"PROXY TCP6 ::ffff:198.51.100.8 ::1 1 2\r\n", "198.51.100.8");
    check(b"PROXY UNKNOWN\r\n", "127.0.0.1");
    check(&binary_v6(), "2001:db8::7");
    check(&binary(0x21, 0x11, &[198, 51, 100, 9, 10, 0, 0, 1, 1, 2, 3, 4]), "198.51.100.9");
    check(&binary(0x21, 0x31, &[b'/'; 216]), "127.0.0.1");
    check(&binary(0x20, 0, &[]), "127.0.0.1");
    assert_eq!((count(&node, |books| books.text.get()), count(&node, |books| books.binary.get())), (4, 4));
    node.until_quiet();
}

#[test]
fn a_header_may_be_cut_at_any_byte() {
    let node = node(REQUIRED, &[]);
    for header in [TEXT.as_bytes().to_vec(), binary_v6()] {
        let text = [&header[..], get("/echo?1").as_bytes(), get("/echo?2").as_bytes()].concat();
        for cut in 0..=text.len() {
            let mut client = node.connect();
            let (first, second) = text.split_at(cut);
            client.send(first);
            client.send(second);
            assert_eq!((client.answer().body, client.answer().body), (b"1".to_vec(), b"2".to_vec()), "cut at {cut}");
        }
        let mut client = node.connect();
        for byte in text {
            client.send([byte]);
        }
        assert_eq!((client.answer().body, client.answer().body), (b"1".to_vec(), b"2".to_vec()));
    }
    node.until_quiet();
}

#[test]
fn limits_are_those_of_the_client() {
    let node = node(REQUIRED, &["limiter.ip=1/h burst 1"]);
    let ask = |last: u8| {
        let mut client = node.connect();
        client.send(format!("PROXY TCP4 198.51.100.{last} 10.0.0.1 1 2\r\n{}", get("/ping")));
        client.answer().status
    };
    assert_eq!([ask(1), ask(2), ask(3)], [200; 3], "three clients, one balancer");
    assert_eq!([ask(1), ask(2)], [429; 2]);
}

#[test]
fn where_it_is_required_nothing_else_is_served() {
    let node = node(REQUIRED, &[]);
    check_cut_off(&node, get("/ping").as_bytes(), |books| books.absent.get());
    check_cut_off(&node, b"\x16\x03\x01\x02\x00", |books| books.absent.get());
    check_cut_off(&node, b"PROXY TCP4 1.2.3.4\r\n", |books| books.malformed_text.get());
    check_cut_off(&node, b"PP", |books| books.absent.get());
    check_cut_off(&node, &[b"PROXY UNKNOWN ", &[b'x'; 100][..]].concat(), |books| books.too_long.get());
    check_cut_off(&node, &binary(0x2f, 0x11, &[]), |books| books.malformed_binary.get());
    check_cut_off(&node, &binary(0x21, 0, &[3, 0, 4, 0, 0, 0, 0]), |books| books.checksum.get());
    check_cut_off(&node, &binary(0x21, 0, &[0; 60_000]), |books| books.too_long.get());
    // A header behind a header is what HTTP takes it for.
    let mut client = node.connect();
    client.send([TEXT, TEXT, &get("/ping")].concat());
    assert_eq!(client.answer().error_code(), 40000);
    client.expect_end();
    node.until_quiet();
    assert_eq!(node.sum(|ledger| ledger.connections_closed(CloseReason::Fault)), 9);
}

#[test]
fn whoever_is_not_trusted_has_no_word() {
    let elsewhere = r#"proxy_protocol.trusted=["10.0.0.0/8", "::1"]"#;
    let required = TestNode::start(&["proxy_protocol.mode=required", elsewhere]);
    check_cut_off(&required, TEXT.as_bytes(), |books| books.untrusted.get());
    check_cut_off(&required, get("/ping").as_bytes(), |books| books.untrusted.get());
    required.until_quiet();
    for mode in ["optional", "off"] {
        let node = TestNode::start(&[&format!("proxy_protocol.mode={mode}"), elsewhere]);
        assert_eq!(node.connect().ask(get("/ping")).status, 200);
        assert_eq!(node.next_remote(), ip("127.0.0.1"));
        for header in [TEXT.as_bytes(), &binary_v6()] {
            let mut client = node.connect();
            client.send([header, get("/ping").as_bytes()].concat());
            assert_eq!(client.answer().error_code(), 40000, "{mode}: a header is malformed HTTP");
            client.expect_end();
        }
        node.until_quiet();
    }
}

#[test]
fn where_it_is_optional_a_balancer_may_also_be_a_client() {
    let node = node(OPTIONAL, &["server.head_timeout=100ms"]);
    let mut client = node.connect();
    client.send(TEXT.to_owned() + &get("/ping"));
    assert_eq!(client.answer().status, 200);
    assert_eq!(node.next_remote(), ip("198.51.100.7"));
    for path in ["/ping", "/echo?1"] {
        assert_eq!(node.connect().ask(get(path)).status, 200);
        assert_eq!(node.next_remote(), ip("127.0.0.1"));
    }
    // Begins as a header does, and is none.
    let mut client = node.connect();
    client.send("\r\n");
    client.send(get("/ping"));
    assert_eq!(client.answer().status, 200, "one empty line before a request is forgiven");
    check_cut_off(&node, b"PROXY TCP4 a b c d\r\n", |books| books.malformed_text.get());
    check_cut_off(&node, b"PROXY", |books| books.timeout.get());
    // A client that connects ahead of its need.
    let mut silent = node.connect();
    until("its silence is understood", || count(&node, |books| books.direct.get()) == 4);
    assert_eq!(silent.ask(get("/ping")).status, 200);
    assert_eq!(node.next_remote(), ip("127.0.0.1"));
}

#[test]
fn a_header_that_does_not_come_is_not_awaited_for_ever() {
    let node = node(REQUIRED, &["server.head_timeout=100ms"]);
    check_cut_off(&node, b"", |books| books.timeout.get());
    check_cut_off(&node, b"P", |books| books.timeout.get());
    check_cut_off(&node, SIGNATURE, |books| books.timeout.get());
    assert_eq!(node.sum(|ledger| ledger.connections_closed(CloseReason::Timeout)), 3);
    // A balancer's look whether the port is open.
    drop(node.connect());
    until("it is gone", || node.sum(|ledger| ledger.connections_closed(CloseReason::ClientClosed)) == 1);
    node.until_quiet();
}

#[test]
fn a_drain_does_not_wait_for_a_header() {
    let mut node = node(REQUIRED, &[]);
    let mut client = node.connect();
    until("it is in", || node.sum(|ledger| ledger.connections.opened.get()) == 1);
    let drained = node.drain().expect("the first");
    assert!(client.ended());
    drained.join().expect("it drains");
}

#[test]
fn a_connection_that_moves_keeps_its_clients_address() {
    let node = node(REQUIRED, &["server.shards=2"]);
    let mut client = node.connect();
    client.send("PROXY UNKNOWN\r\n");
    client.send(crate::support::client::post("/auth/login", r#"{"code":"demo-mover.1"}"#));
    let token = client.answer().json()["data"]["token"].as_str().expect("a token").to_owned();
    assert_eq!(node.next_remote(), ip("127.0.0.1"));
    drop(client);
    let mut clients: Vec<Client> = (0..8).map(|_| node.connect()).collect();
    for client in &mut clients {
        client.send(TEXT);
        for _ in 0..30 {
            assert_eq!(client.ask(get_as("/me", &token)).status, 200);
            assert_eq!(node.next_remote(), ip("198.51.100.7"));
        }
    }
    assert!(node.sum(|ledger| ledger.connections.moved_in.get()) > 0, "some began on the other shard");
    drop(clients);
    node.until_quiet();
}

const HAPROXY: &str = "/usr/sbin/haproxy";

/// HAProxy on free ports in front of a node: one port for each form of header.
struct Balancer {
    child: Child,
    ports: Vec<SocketAddr>,
    _folder: TempDir,
}

impl Balancer {
    fn start(behind: SocketAddr, forms: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut text =
            "defaults\n mode tcp\n timeout connect 30s\n timeout client 30s\n timeout server 30s\n".to_owned();
        let mut doors = Vec::new();
        for (index, form) in forms.iter().enumerate() {
            let door = TcpListener::bind("127.0.0.1:0").expect("a free port");
            SockRef::from(&door).set_cloexec(false).expect("an open descriptor");
            let fd = door.as_raw_fd();
            text += &format!("listen l{index}\n bind fd@{fd}\n server s{index} {behind} {form}\n");
            doors.push(door);
        }
        let path = folder.path().join("haproxy.cfg");
        std::fs::write(&path, text).expect("a folder of our own");
        let child = Command::new(HAPROXY).arg("-db").arg("-q").arg("-f").arg(&path).spawn().expect("it is installed");
        let ports = doors.iter().map(|door| door.local_addr().expect("it listens")).collect();
        Self { child, ports, _folder: folder }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// A client at an address of its own.
fn connect_from(source: &str, to: SocketAddr) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a descriptor is free");
    socket.bind(&SocketAddr::new(ip(source), 0).into()).expect("all of 127/8 is this host");
    socket.connect(&to.into()).expect("the port listens");
    Client::over(socket.into())
}

#[test]
fn haproxy_tells_the_clients_address_in_all_its_forms() {
    if !Path::new(HAPROXY).exists() {
        println!("skipped: no {HAPROXY}; cargo xtask test installs it");
        return;
    }
    let node = node(REQUIRED, &[]);
    let forms = [
        "send-proxy",
        "send-proxy-v2",
        "send-proxy-v2 proxy-v2-options crc32c",
        "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority,cert-cn",
    ];
    let balancer = Balancer::start(node.addr, &forms);
    for (port, form) in balancer.ports.iter().zip(forms) {
        for source in ["127.0.0.77", "127.1.2.3"] {
            let mut client = connect_from(source, *port);
            for _ in 0..2 {
                assert_eq!(client.ask(get("/ping")).status, 200, "{form}");
                assert_eq!(node.next_remote(), ip(source), "{form}");
            }
        }
    }
    assert_eq!((count(&node, |books| books.text.get()), count(&node, |books| books.binary.get())), (2, 6));
}
