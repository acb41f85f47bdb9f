//! One message that two readers could take for two: the follow-up is answered only where the first was whole, and never
//! what hides inside a body.
//! Never here: a form of a field alone; see `heads` and `bodies`.

use super::{Stand, post};
use crate::support::client::{Client, get};
use crate::support::node::TestNode;

const HIDDEN: &str = "GET /record HTTP/1.1\r\nHost: test\r\n\r\n";

/// Whatever is sent, at most one answer comes, it refuses, and the hidden request is never served.
#[track_caller]
fn check_refused(stand: &mut Stand, text: &str) {
    stand.refused(400, text);
}

#[test]
fn length_against_coding() {
    let mut stand = Stand::new();
    let hidden = format!("0\r\n\r\n{HIDDEN}");
    for (lines, body) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
        ("Content-Length: 4\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        ("Content-Length: 6\r\nTransfer-Encoding: chunked", "0\r\n\r\nX"),
        ("Content-Length: 30\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        ("Content-Length: 0\r\nTransfer-Encoding: chunked", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding: chunked", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding: Chunked", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding: xchunked", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding: identity", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding:", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding: chunked, identity", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding: identity, chunked", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding: , chunked", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding: chunked,", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding: chunked;a=b", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding: \"chunked\"", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding: chunked ", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding:\tchunked", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding: \x0bchunked", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding: chunked\0", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding : chunked", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding:\r\n chunked", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding\r\n : chunked", hidden.as_str()),
        ("Content-Length: 43\r\n Transfer-Encoding: chunked", hidden.as_str()),
        ("Content-Length: 43\r\nX: y\nTransfer-Encoding: chunked", hidden.as_str()),
        ("Content-Length: 43\r\nX: y\rTransfer-Encoding: chunked", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x", hidden.as_str()),
        ("Content-Length: 43\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked", hidden.as_str()),
        ("Content-Length: 43\r\nConnection: Content-Length\r\nTransfer-Encoding: chunked", hidden.as_str()),
        ("Content-Length: 43\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked", hidden.as_str()),
        ("Content-Length: +0\r\nTransfer-Encoding: chunked", hidden.as_str()),
        ("Content-Length: abc\r\nTransfer-Encoding: chunked", hidden.as_str()),
        ("Content-Length: 38\r\nContent-Length: 0", HIDDEN),
        ("Content-Length: 0\r\nContent-Length: 38", HIDDEN),
        ("Content-Length: 0, 38", HIDDEN),
        ("Content-Length: 0\r\n 38", HIDDEN),
        ("Content-Length: 0 38", HIDDEN),
        ("Content-Length : 38", HIDDEN),
    ] {
        check_refused(&mut stand, &post(lines, body));
        check_refused(&mut stand, &post(lines, body).replace("POST ", "GET "));
    }
    stand.stood(78);
}

#[test]
fn chunks_that_end_elsewhere() {
    let mut stand = Stand::new();
    for body in [
        // A size line that one reader ends at its LF, and what follows at its CRLF.
        format!("0;a\n\r\n\r\n{HIDDEN}"),
        format!("2;\nxx\r\n4c\r\n0\r\n\r\n{HIDDEN}"),
        format!("1;a\nx\r\n0\r\n\r\n{HIDDEN}"),
        format!("1;a=\"\nx\"\r\n0\r\n\r\n{HIDDEN}"),
        format!("1;a\rx\r\n0\r\n\r\n{HIDDEN}"),
        format!("0\n\n{HIDDEN}"),
        format!("0\r\r{HIDDEN}"),
        // Two bytes behind the data that are skipped unseen.
        format!("5\r\nhelloxx0\r\n\r\n{HIDDEN}"),
        format!("5\r\nhello\n\n0\r\n\r\n{HIDDEN}"),
        format!("5\r\nhello\r\r0\r\n\r\n{HIDDEN}"),
        format!("2\r\nxx4c\r\n0\r\n\r\n{HIDDEN}"),
        // Sizes that wrap, or stop at the first byte that is no digit.
        format!("10000000000000000\r\n{HIDDEN}"),
        format!("ffffffffffffffff1\r\n{HIDDEN}"),
        format!("0x0\r\n\r\n{HIDDEN}"),
        format!("0_\r\n\r\n{HIDDEN}"),
        format!("-0\r\n\r\n{HIDDEN}"),
        format!("0 \r\n\r\n{HIDDEN}"),
        format!(" 0\r\n\r\n{HIDDEN}"),
        format!("0\x0b\r\n\r\n{HIDDEN}"),
        format!("0\0\r\n\r\n{HIDDEN}"),
        format!("\r\n{HIDDEN}"),
        format!("\r\n\r\n{HIDDEN}"),
        format!(";a\r\n\r\n{HIDDEN}"),
        format!("x\r\n\r\n{HIDDEN}"),
        // A trailer section that is a request, or ends where none ends.
        format!("0\r\n{HIDDEN}"),
        format!("0\r\nX: y\n\n{HIDDEN}"),
        format!("0\r\nX: y\n\r\n{HIDDEN}"),
        format!("0\r\nContent-Length: 38\r\n\r\n{HIDDEN}"),
        format!("0\r\nTransfer-Encoding: chunked\r\n\r\n{HIDDEN}"),
        format!("0\r\n \r\n{HIDDEN}"),
    ] {
        check_refused(&mut stand, &super::chunked(&body));
    }
    stand.stood(30);
}

/// The bodies that reached the action, and the statuses of all answers, to everything that is sent on one connection.
fn outcome(node: &TestNode, text: &str) -> (Vec<u16>, Vec<String>) {
    let mut client: Client = node.connect();
    client.send(text);
    client.finish_sending();
    let statuses = std::iter::from_fn(|| client.try_answer()).map(|answer| answer.status).collect();
    let reached = node.recorded.take().into_iter().map(|body| String::from_utf8_lossy(&body).into_owned());
    (statuses, reached.collect())
}

#[test]
fn what_hides_in_a_body_stays_in_it() {
    let stand = Stand::new();
    let check = |text: &str, statuses: &[u16], reached: &[&str]| {
        let (got, bodies) = outcome(&stand.node, text);
        assert_eq!(
            (got.as_slice(), bodies.iter().map(String::as_str).collect::<Vec<_>>().as_slice()),
            (statuses, reached),
            "{text}"
        );
    };
    let hidden = HIDDEN.len();
    let ping = get("/ping");
    for method in ["POST", "GET", "OPTIONS"] {
        let head = format!("{method} /record HTTP/1.1\r\nHost: test\r\n");
        check(&format!("{head}Content-Length: {hidden}\r\n\r\n{HIDDEN}{ping}"), &[200, 200], &[HIDDEN]);
        check(
            &format!("{head}Transfer-Encoding: chunked\r\n\r\n{hidden:x}\r\n{HIDDEN}\r\n0\r\n\r\n{ping}"),
            &[200, 200],
            &[HIDDEN],
        );
        check(
            &format!("{head}Expect: 100-continue\r\nContent-Length: {hidden}\r\n\r\n{HIDDEN}{ping}"),
            &[200, 200],
            &[HIDDEN],
        );
        // Longer by one than its length says: the rest begins a request that is none.
        check(&format!("{head}Content-Length: 4\r\n\r\nhello{ping}"), &[200, 501], &["hell"]);
        check(&format!("{head}Content-Length: 5\r\n\r\nhello {ping}"), &[200, 400], &["hello"]);
        // One empty line behind a body is forgiven.
        check(&format!("{head}Content-Length: 5\r\n\r\nhello\r\n{ping}"), &[200, 200], &["hello"]);
        check(&format!("{head}Content-Length: 5\r\n\r\nhello\r\n\r\n{ping}"), &[200, 400], &["hello"]);
        // Shorter: what follows is taken for its end, and nothing is served.
        check(&format!("{head}Content-Length: 500\r\n\r\nhello{ping}"), &[], &[]);
        check(&format!("{head}Transfer-Encoding: chunked\r\n\r\nff\r\nhello{ping}"), &[], &[]);
    }
    // A HEAD may have a body, and its answer has none: the next answer is the next request's.
    let mut client = stand.node.connect();
    client.send(format!(
        "HEAD /ping HTTP/1.1\r\nHost: test\r\nContent-Length: {hidden}\r\n\r\n{HIDDEN}{}",
        get("/echo?next")
    ));
    assert_eq!(client.head_answer().status, 200);
    assert_eq!(client.answer().body, b"next");
    assert!(stand.node.recorded.take().is_empty());
    // What follows a refusal, or a close, is not looked at.
    check(&format!("GET /ping HTTP/1.1\r\n\r\n{HIDDEN}"), &[400], &[]);
    check(&format!("BREW /ping HTTP/1.1\r\nHost: test\r\n\r\n{HIDDEN}"), &[501], &[]);
    check(&format!("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n{HIDDEN}"), &[405], &[]);
    check(&format!("POST /nowhere HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc{HIDDEN}"), &[404], &[]);
    check(&format!("POST /ping HTTP/1.1\r\nHost: test\r\nContent-Length: {hidden}\r\n\r\n{HIDDEN}"), &[405], &[]);
    check(&format!("POST /record HTTP/1.1\r\nHost: test\r\nContent-Length: 2000\r\n\r\n{HIDDEN}"), &[413], &[]);
    check(&format!("GET /ping HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n{HIDDEN}"), &[200], &[]);
    check(&format!("GET /ping HTTP/1.0\r\n\r\n{HIDDEN}"), &[200], &[]);
    check(&format!("{}{}{}", ping, "GET / HTTP/1.1\r\n\r\n", HIDDEN), &[200, 400], &[]);
}
