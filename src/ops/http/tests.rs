//! The plane as its clients see it: raw bytes over a socket, and curl.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use super::*;

struct Dummy;

impl Pages for Dummy {
    fn page(&self, path: &str, query: &str) -> Page {
        match path {
            "/healthz" => Page::plain(200, "alive\n"),
            "/readyz" => Page::plain(503, "draining\n"),
            "/echo" => Page::ok(ContentType::Json, format!("{query:?}")),
            "/big" => Page::ok(ContentType::Metrics, vec![b'x'; 4 << 20]),
            "/panic" => panic!("a page of the test fails on purpose"),
            _ => Page::not_found(),
        }
    }
}

fn plane() -> OpsServer {
    serve("127.0.0.1:0".parse().expect("an address"), Reach::Loopback, Arc::new(Dummy)).expect("a free port")
}

/// One answer of a connection that stays open: status, head in lower case, body.
fn read_answer(stream: &mut TcpStream) -> (u16, String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a whole head");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("an ASCII head").to_ascii_lowercase();
    let status = head[9..12].parse().expect("a status");
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    stream.read_exact(&mut body).expect("a whole body");
    (status, head, String::from_utf8(body).expect("text"))
}

/// Sends raw bytes on one connection and compares the answers that come back, in order.
fn check(server: &OpsServer, request: &str, expect: &[(u16, &str)]) {
    let mut stream = TcpStream::connect(server.addr()).expect("a listener");
    stream.write_all(request.as_bytes()).expect("a writable socket");
    for (status, body) in expect {
        let answer = read_answer(&mut stream);
        assert_eq!((answer.0, answer.2.as_str()), (*status, *body), "{request:?}");
    }
}

#[test]
fn pages_are_found_by_path_without_the_query() {
    let server = plane();
    check(&server, "GET /healthz HTTP/1.1\r\n\r\n", &[(200, "alive\n")]);
    check(&server, "GET /healthz?verbose=1 HTTP/1.1\r\n\r\n", &[(200, "alive\n")]);
    check(&server, "GET /echo?a=1&b=%20 HTTP/1.1\r\n\r\n", &[(200, "\"a=1&b=%20\"")]);
    check(&server, "GET /readyz HTTP/1.1\r\n\r\n", &[(503, "draining\n")]);
    check(&server, "GET /nowhere HTTP/1.1\r\n\r\n", &[(404, "no such page\n")]);
}

#[test]
fn only_get_is_served_and_a_body_is_not_the_next_request() {
    let server = plane();
    let after = "GET /healthz HTTP/1.1\r\n\r\n";
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let request =
            format!("{method} /healthz HTTP/1.1\r\ncontent-length: 26\r\n\r\nGET /nowhere HTTP/1.1\r\n\r\nX{after}");
        check(&server, &request, &[(405, "only GET\n"), (200, "alive\n")]);
    }
    check(&server, &format!("HEAD /healthz HTTP/1.1\r\n\r\n{after}"), &[(405, ""), (200, "alive\n")]);
    check(
        &server,
        &format!("GET /echo HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello{after}"),
        &[(200, "\"\""), (200, "alive\n")],
    );
}

#[test]
fn a_connection_whose_framing_is_lost_serves_no_page_any_more() {
    let server = plane();
    let lost = (400, "body not understood: send none\n");
    for field in [
        "transfer-encoding: chunked",
        "content-length: -1",
        "content-length: ",
        "content-length: 0\r\ncontent-length: 0",
        "content-length: 65537",
        "content-length: 99999999999999999999999",
    ] {
        let request = format!("GET /healthz HTTP/1.1\r\n{field}\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n");
        check(&server, &request, &[lost, lost]);
    }
}

#[test]
fn a_body_may_be_as_long_as_the_bound_and_no_longer() {
    let framed = |length: usize| {
        let digits = length.to_string();
        body_is_framed(&[httparse::Header { name: "Content-Length", value: digits.as_bytes() }])
    };
    assert!(framed(OPS_BODY_BYTES_MAX - 1));
    assert!(framed(OPS_BODY_BYTES_MAX));
    assert!(!framed(OPS_BODY_BYTES_MAX + 1));
}

#[test]
fn a_panicking_page_is_a_500_and_the_connection_goes_on() {
    let server = plane();
    let request = "GET /panic HTTP/1.1\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n";
    check(&server, request, &[(500, "this page failed: see the log\n"), (200, "alive\n")]);
}

#[test]
fn heads_name_type_and_length() {
    let server = plane();
    let mut stream = TcpStream::connect(server.addr()).expect("a listener");
    stream.write_all(b"POST / HTTP/1.1\r\n\r\nGET /big HTTP/1.1\r\n\r\n").expect("a writable socket");
    let (_, head, _) = read_answer(&mut stream);
    assert!(head.starts_with("http/1.1 405 method not allowed\r\n") && head.contains("\r\nallow: get\r\n"), "{head}");
    let (_, head, body) = read_answer(&mut stream);
    assert!(head.contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{head}");
    assert_eq!(body.len(), 4 << 20, "an answer larger than the socket's buffer arrives whole");
}

#[test]
fn other_hosts_need_a_decision() {
    let everywhere = "0.0.0.0:0".parse().expect("an address");
    let refusal = serve(everywhere, Reach::Loopback, Arc::new(Dummy)).err().expect("a refusal");
    assert_eq!(refusal.kind(), io::ErrorKind::InvalidInput);
    assert!(refusal.to_string().contains("127.0.0.1"), "{refusal}");
    let server = serve(everywhere, Reach::Configured, Arc::new(Dummy)).expect("a free port");
    assert_ne!(server.addr().port(), 0);
}

#[test]
fn a_port_belongs_to_one_plane_until_it_stops() {
    let first = plane();
    let addr = first.addr();
    let second = serve(addr, Reach::Loopback, Arc::new(Dummy)).err().expect("a refusal");
    assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
    first.stop();
    assert_eq!(TcpStream::connect(addr).expect_err("a closed port").kind(), io::ErrorKind::ConnectionRefused);
    serve(addr, Reach::Loopback, Arc::new(Dummy)).expect("the port is free again");
}

#[test]
fn curl_is_served() {
    let server = plane();
    let url = |path: &str| format!("http://{}{path}", server.addr());
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "10", "--write-out", "%{http_code}"])
        .args([url("/healthz"), url("/readyz")])
        .output()
        .expect("curl is installed: cargo xtask test sees to it");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "alive\n200draining\n503");
}
