//! The doors of a node: one of them may be missing, and one leads to another.
//! Never here: what is behind them.

use tidegate::shards::door::DoorKind;

use crate::support::client::{Client, get, post};
use crate::support::node::TestNode;
use crate::support::pki::{Algorithm, Authority, certificates};
use crate::support::tls::Dialer;
use crate::{door, node, simple};

#[test]
fn the_plain_door_may_be_closed() {
    let (authority, node) = simple(&["server.listen=off"]);
    assert_eq!(Dialer::new(&authority, "shop.example").ask(door(&node), &get("/ping")).0.status, 200);
}

fn redirecting(overrides: &[&str]) -> (Authority, TestNode) {
    let authority = Authority::new();
    let pair = authority.server("shop", &["shop.example", "*.shop.example", "127.0.0.1", "::1"], Algorithm::Ecdsa);
    let mut all = vec!["redirect.listen=127.0.0.1:0"];
    all.extend_from_slice(overrides);
    let node = node(&[&pair], &all);
    (authority, node)
}

/// `None`: it is refused with 400.
fn check(node: &TestNode, request: &str, expect: Option<&str>) {
    let mut client = Client::connect(node.door(DoorKind::Redirect));
    let answer = client.ask(request);
    assert!(answer.closes(), "{request}");
    match expect {
        Some(location) => assert_eq!((answer.status, answer.header("location")), (308, Some(location)), "{request}"),
        None => assert_eq!((answer.error_code(), answer.header("location")), (40000, None), "{request}"),
    }
    client.expect_end();
}

fn to(host: &str, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n")
}

#[test]
fn every_request_is_sent_on() {
    let (_authority, node) = redirecting(&[]);
    check(&node, &to("shop.example", "/"), Some("https://shop.example/"));
    check(&node, &to("shop.example:8080", "/a/b?c=%2F"), Some("https://shop.example/a/b?c=%2F"));
    check(&node, &to("img.shop.example", "/%E5%95%86?x"), Some("https://img.shop.example/%E5%95%86?x"));
    check(&node, &to("127.0.0.1:8080", "/x"), Some("https://127.0.0.1/x"));
    check(&node, &to("[::1]:8080", "/x"), Some("https://[::1]/x"));
    check(&node, &post("/x", "{}").replace("host: test", "host: shop.example"), Some("https://shop.example/x"));
    check(&node, &to("shop.example", "//evil.example/"), Some("https://shop.example//evil.example/"));
    node.until_quiet();
}

#[test]
fn nobody_is_sent_to_a_stranger() {
    let (_authority, node) = redirecting(&[]);
    for host in
        ["evil.example", "shop.example.evil.example", "evil.example:443", "shop.example@evil.example", "", "[::2]"]
    {
        check(&node, &to(host, "/"), None);
    }
    check(&node, "GET / HTTP/1.0\r\n\r\n", None);
    check(&node, "nonsense\r\n\r\n", None);
    node.until_quiet();
}

#[test]
fn the_way_may_be_configured() {
    let (_authority, node) = redirecting(&["redirect.host=shop.example", "redirect.port=8443"]);
    check(&node, &to("whatever.example", "/x"), Some("https://shop.example:8443/x"));
    check(&node, "GET /x HTTP/1.0\r\n\r\n", Some("https://shop.example:8443/x"));
}

/// Where TLS is somebody else's, the host is the client's word.
#[test]
fn a_redirect_needs_no_certificate() {
    let node = TestNode::start(&["redirect.listen=127.0.0.1:0"]);
    check(&node, &to("shop.example", "/x"), Some("https://shop.example/x"));
    check(&node, &to("shop.example/x", "/x"), None);
}

#[test]
fn a_door_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let authority = Authority::new();
    let pair = authority.server("shop", &["shop.example"], Algorithm::Ecdsa);
    let listen = format!("tls.listen={}", taken.local_addr().expect("an address"));
    let certificates = certificates(&[&pair]);
    let started = std::panic::catch_unwind(|| TestNode::start(&[&listen, &certificates]));
    let cause = started.err().expect("the port is taken");
    let text = cause.downcast_ref::<String>().expect("a text");
    assert!(text.contains("tls.listen") && text.contains("choose a free port"), "{text}");
}
