//! OPTIONS, and pages of other origins: what a browser is told before it asks, and what it may read of the answer.
//! Never here: which origins a configuration may name; that is beside the checker.

use crate::support::client::{Answer, get};
use crate::support::node::TestNode;

const PAGE: &str = "https://h5.example.com";
const ALL: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

fn options(path: &str, lines: &str) -> String {
    format!("OPTIONS {path} HTTP/1.1\r\nhost: test\r\n{lines}\r\n")
}

fn preflight(path: &str, origin: &str, method: &str) -> String {
    options(path, &format!("origin: {origin}\r\naccess-control-request-method: {method}\r\n"))
}

fn from_page(request: &str, origin: &str) -> String {
    request.replacen("\r\n\r\n", &format!("\r\norigin: {origin}\r\n\r\n"), 1)
}

/// The headers of an answer that a browser's CORS check reads.
fn cors(answer: &Answer) -> Vec<(&str, &str)> {
    let told = answer.headers.iter().filter(|(name, _)| name.starts_with("access-control-"));
    told.map(|(name, value)| (name.trim_start_matches("access-control-"), value.as_str())).collect()
}

#[test]
fn every_path_tells_its_methods() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    let mut check = |path: &str, allow: &str| {
        let answer = client.ask(options(path, ""));
        assert_eq!((answer.status, answer.header("allow"), answer.body.len()), (204, Some(allow), 0), "{path}");
        assert_eq!((answer.header("content-length"), answer.header("content-type")), (None, None), "{path}");
        assert!(cors(&answer).is_empty() && answer.header("vary").is_none(), "{path}");
    };
    check("*", ALL);
    check("/ping", "GET, HEAD, OPTIONS");
    check("/echo", "GET, HEAD, POST, OPTIONS");
    check("/me", "GET, HEAD, OPTIONS");
    check("/cors", "GET, HEAD, POST, DELETE, OPTIONS");
    assert_eq!(client.ask(options("/nowhere", "")).error_code(), 40400);
    // A route of its own answers itself.
    assert_eq!(client.ask(options("/options?own", "")).body, b"own");
    // A body has no meaning, and is read to its end.
    assert_eq!(client.ask(options("/ping", "content-length: 5\r\n") + "hello").status, 204);
    assert_eq!(client.ask(get("/ping")).status, 200);
}

#[test]
fn a_preflight_is_answered_before_every_guard() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    for (path, method, methods) in [
        ("/cors", "POST", "GET, HEAD, POST"),
        ("/cors", "HEAD", "GET, HEAD, POST"),
        ("/cors/me", "GET", "GET, HEAD"),
        ("/options", "GET", "GET, HEAD, OPTIONS"),
    ] {
        for origin in [PAGE, "http://localhost:3000"] {
            let answer = client.ask(preflight(path, origin, method));
            assert_eq!((answer.status, answer.body.len()), (204, 0));
            let expect = [
                ("allow-origin", origin),
                ("allow-credentials", "true"),
                ("allow-methods", methods),
                ("max-age", "3600"),
                ("allow-headers", "authorization, content-type, idempotency-key, x-request-id"),
            ];
            assert_eq!(cors(&answer), expect, "{path} {method}");
            let vary = "origin, access-control-request-method, access-control-request-headers";
            assert_eq!(answer.header("vary"), Some(vary));
        }
    }
    let answer = client.ask(preflight("/cors/any", "https://anybody.example", "GET"));
    assert_eq!(cors(&answer), [("allow-origin", "*"), ("allow-methods", "GET, HEAD"), ("max-age", "600")]);
}

#[test]
fn a_preflight_that_may_not_is_told_nothing() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    for request in [
        preflight("/cors", "https://evil.example", "POST"),
        preflight("/cors", "null", "POST"),
        preflight("/cors", "https://h5.example.com.evil.example", "POST"),
        preflight("/cors", "https://h5.example.com:443", "POST"),
        preflight("/cors", "HTTPS://h5.example.com", "POST"),
        // Of the methods of this path, one has no policy, and one does not exist.
        preflight("/cors", PAGE, "DELETE"),
        preflight("/cors", PAGE, "PATCH"),
        preflight("/cors", PAGE, "post"),
        preflight("/ping", PAGE, "GET"),
        options("/cors", &format!("origin: {PAGE}\r\n")),
        options("*", &format!("origin: {PAGE}\r\naccess-control-request-method: GET\r\n")),
    ] {
        let answer = client.ask(&request);
        assert_eq!((answer.status, cors(&answer)), (204, Vec::new()), "{request}");
    }
    assert_eq!(client.ask(preflight("/nowhere", PAGE, "GET")).error_code(), 40400);
}

#[test]
fn a_page_may_read_every_answer_of_its_routes() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    let exposed = "etag, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, x-request-id";
    let readable = [("allow-origin", PAGE), ("allow-credentials", "true"), ("expose-headers", exposed)];
    for (path, status) in [("/cors", 200), ("/cors/me", 401), ("/cors/limited", 200), ("/cors/limited", 429)] {
        let answer = client.ask(from_page(&get(path), PAGE));
        assert_eq!((answer.status, cors(&answer)), (status, readable.to_vec()), "{path}");
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    // Not to pages of others, nor beside a path that has no policy; but a cache must keep them apart.
    for origin in ["https://evil.example", "null", ""] {
        let answer = client.ask(from_page(&get("/cors"), origin));
        assert_eq!((answer.status, cors(&answer), answer.header("vary")), (200, Vec::new(), Some("origin")));
    }
    let answer = client.ask(get("/cors"));
    assert_eq!((answer.status, cors(&answer), answer.header("vary")), (200, Vec::new(), Some("origin")));
    let answer = client.ask(from_page(&get("/ping"), PAGE));
    assert_eq!((answer.status, cors(&answer), answer.header("vary")), (200, Vec::new(), None));
    // One that depends on two things says so in one line.
    let long = crate::support::client::post("/cors", &"tea ".repeat(1000));
    let coded = from_page(&long, PAGE).replacen("\r\n\r\n", "\r\naccept-encoding: gzip\r\n\r\n", 1);
    let answer = client.ask(coded);
    assert_eq!(
        (answer.header("content-encoding"), answer.header("vary")),
        (Some("gzip"), Some("accept-encoding, origin"))
    );
    // An answer that is waited for, from the database.
    let answer = client.ask(from_page(&get("/cors/any"), PAGE));
    assert_eq!((answer.status, cors(&answer)), (200, vec![("allow-origin", "*"), ("expose-headers", exposed)]));
    assert_eq!(answer.header("vary"), None, "it is the same for all");
}

#[test]
fn a_page_may_read_why_its_address_is_refused() {
    let node = TestNode::start(&["limiter.ip=1/h burst 1"]);
    let mut client = node.connect();
    assert_eq!(client.ask(get("/ping")).status, 200);
    let answer = client.ask(from_page(&get("/cors/me"), PAGE));
    assert_eq!((answer.status, cors(&answer)[0]), (429, ("allow-origin", PAGE)));
}
