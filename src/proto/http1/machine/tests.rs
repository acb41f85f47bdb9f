//! Every rule of the reading side, as bytes in and events out. Each input is given whole and byte by byte.

use super::*;
use crate::core::bounds::{
    CHUNK_EXTENSION_BYTES_MAX, CHUNK_LINE_BYTES_MAX, HEAD_BYTES_MAX, METHOD_BYTES_MAX, TARGET_BYTES_MAX,
    TRAILER_BYTES_MAX,
};

const BODY_MAX: usize = 16;

/// An event without what it borrows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Request { line: String, headers: usize, body: String, wire: Wire },
    Continue,
    Fault(Fault, BodyMode),
}

/// All events of a connection that receives `pieces`, and what it waits for at the end.
fn run<'p>(machine: &mut Machine, pieces: impl IntoIterator<Item = &'p [u8]>) -> (Vec<Seen>, Awaiting) {
    let mut seen = Vec::new();
    let mut last = Awaiting::Request;
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let mut at = 0;
        loop {
            let mut table = HeaderTable::new();
            let advance = machine.advance(&mut bytes[at..], &mut table, |_, path| match path {
                "/unknown" => Err(Fault::RouteUnknown),
                _ => Ok(BODY_MAX),
            });
            at += advance.consumed;
            match advance.event {
                Event::NeedMore(awaiting) => {
                    assert_eq!(at, bytes.len(), "everything is consumed before more is needed");
                    last = awaiting;
                    break;
                }
                Event::SendContinue => seen.push(Seen::Continue),
                Event::Request { request, wire } => seen.push(Seen::Request {
                    line: format!("{} {}?{}", request.method.as_str(), request.path, request.query),
                    headers: request.headers.len(),
                    body: String::from_utf8_lossy(request.body).into_owned(),
                    wire,
                }),
                Event::Fault { fault, wire } => {
                    assert_eq!(wire.persistence, Persistence::Close);
                    seen.push(Seen::Fault(fault, wire.body));
                }
            }
        }
    }
    (seen, last)
}

fn whole(input: &[u8]) -> (Vec<Seen>, Awaiting) {
    run(&mut Machine::new(Limits::default()), [input])
}

fn bytewise(input: &[u8]) -> (Vec<Seen>, Awaiting) {
    run(&mut Machine::new(Limits::default()), input.chunks(1))
}

/// The input is one fault with this status, however it is cut.
#[track_caller]
fn check_fault(input: impl AsRef<[u8]>, status: u16) {
    let input = input.as_ref();
    for (seen, _) in [whole(input), bytewise(input)] {
        match &seen[..] {
            [Seen::Fault(fault, _)] => {
                assert_eq!(fault.verdict().status, status, "{fault:?} for {}", String::from_utf8_lossy(input));
            }
            _ => panic!("{seen:?} for {}", String::from_utf8_lossy(input)),
        }
    }
}

/// The input is one request with this method, path, query and body, however it is cut.
#[track_caller]
fn check(input: impl AsRef<[u8]>, line: &str, body: &str, persistence: Persistence) {
    let input = input.as_ref();
    for (seen, awaiting) in [whole(input), bytewise(input)] {
        match &seen[..] {
            [Seen::Request { line: got, body: content, wire, .. }] => {
                assert_eq!((&got[..], &content[..], wire.persistence), (line, body, persistence));
                assert_eq!(awaiting, Awaiting::Request);
            }
            _ => panic!("{seen:?} for {}", String::from_utf8_lossy(input)),
        }
    }
}

/// A 1.1 request with these header lines; each ends in CRLF.
fn get(headers: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}

fn post(headers: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}")
}

fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}

use BodyMode::{Omit, Send};
use Persistence::{Close, KeepAlive};

#[test]
fn lawful_requests() {
    check("GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a?b=c", "", KeepAlive);
    check("\r\nGET / HTTP/1.1\r\nhost:a\r\n\r\n", "GET /?", "", KeepAlive);
    check("GET /? HTTP/1.1\r\nHOST: \t a:80 \t\r\n\r\n", "GET /?", "", KeepAlive);
    check("GET http://a/x?y HTTP/1.1\r\nHost: A\r\n\r\n", "GET /x?y", "", KeepAlive);
    check("GET HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /?", "", KeepAlive);
    check("GET http://a?q=/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET /?q=/", "", KeepAlive);
    check("GET http://[::1]:8080/ HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "GET /?", "", KeepAlive);
    check("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS *?", "", KeepAlive);
    check("GET /a/%2e%2e/%62?%zz HTTP/1.1\r\nHost: a\r\n\r\n", "GET /b?%zz", "", KeepAlive);
    check("GET //a HTTP/1.1\r\nHost: a\r\n\r\n", "GET //a?", "", KeepAlive);
    check("GET /a?q={\"b\":1}|^` HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a?q={\"b\":1}|^`", "", KeepAlive);
    check("GET / HTTP/1.0\r\n\r\n", "GET /?", "", Close);
    check("GET http://a/ HTTP/1.0\r\n\r\n", "GET /?", "", Close);
    check(get("X:\r\nY: a\tb\r\n"), "GET /?", "", KeepAlive);
    check(post("Content-Length: 5\r\n", "hello"), "POST /?", "hello", KeepAlive);
    check(post("Content-Length: 005\r\n", "hello"), "POST /?", "hello", KeepAlive);
    check(post("Content-Length: 0\r\n", ""), "POST /?", "", KeepAlive);
    check(post("", ""), "POST /?", "", KeepAlive);
    check("POST /a%20b HTTP/1.0\r\nContent-Length: 1\r\n\r\nx", "POST /a b?", "x", Close);
}

#[test]
fn persistence_follows_version_and_options() {
    let check_close = |version: &str, options: &str, expect| {
        check(format!("GET / HTTP/{version}\r\nHost: a\r\n{options}\r\n"), "GET /?", "", expect);
    };
    check_close("1.1", "Connection: close\r\n", Close);
    check_close("1.1", "Connection: Upgrade,\tCLOSE ,x\r\n", Close);
    check_close("1.1", "Connection: x\r\nConnection: close\r\n", Close);
    check_close("1.1", "Connection: closed\r\n", KeepAlive);
    check_close("1.1", "Connection: keep-alive\r\n", KeepAlive);
    check_close("1.0", "Connection: Keep-Alive\r\n", KeepAlive);
    check_close("1.0", "Connection: keep-alive, close\r\n", Close);
    check_close("1.0", "Connection: x\r\n", Close);
}

#[test]
fn malformed_request_lines() {
    for line in [
        "",
        "GET",
        "GET /",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        " GET / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        "G(T / HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/1.1x",
        "GET / HTTP/11",
        "GET / HTTP/1",
        "GET / HTTP/1.",
        "GET / HTTP/01.1",
        "GET / HTTPS/1.1",
        "GET /a b HTTP/1.1",
        "GET /#f HTTP/1.1",
        "GET /\x7f HTTP/1.1",
        "GET /ä HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET a HTTP/1.1",
        "GET * HTTP/1.1",
        "GET a:80 HTTP/1.1",
        "GET ftp://a/ HTTP/1.1",
        "GET http:/a HTTP/1.1",
        "GET http:///a HTTP/1.1",
        "GET http://u@a/ HTTP/1.1",
        "GET http://b/ HTTP/1.1",
        "GET http://a:80/ HTTP/1.1",
        "GET ?a HTTP/1.1",
        "OPTIONS *a HTTP/1.1",
        "GET /.. HTTP/1.1",
        "GET /%00 HTTP/1.1",
        "GET /a\\b HTTP/1.1",
        "\u{1}\u{3} / HTTP/1.1",
    ] {
        check_fault(format!("{line}\r\nHost: a\r\n\r\n"), 400);
    }
    check_fault(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_fault("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_fault("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    // A line that cannot become a request is refused before its head ends.
    for line in ["GET\r\n", "GET /\r\n", "hello\r\n", "GET / HTTP/1.1 x", "a b c d"] {
        check_fault(line, 400);
    }
}

#[test]
fn other_versions_and_methods() {
    for version in ["2.0", "1.2", "0.9", "3.0"] {
        check_fault(format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n"), 505);
    }
    check_fault("GET / HTTP/1.7\r\nX: \0\r\n\r\n", 400);
    check_fault("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    for method in ["get", "Get", "connect", "PROPFIND", "GETT", "X-Y"] {
        check_fault(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"), 501);
    }
    check_fault("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405);
    check_fault("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 405);
    check_fault("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405);
}

#[test]
fn malformed_fields() {
    for field in [
        "X : a",
        "X\t: a",
        "X",
        ": a",
        "X y: a",
        "X\u{b}: a",
        " X: a",
        "X: a\r\n b",
        "X: a\r\n\tb",
        "X: a\0b",
        "X: a\x08b",
        "X: a\x7fb",
        "X: a\rb",
        "X: a\nb: c",
        "X: a\n",
        "(x): a",
    ] {
        check_fault(get(&format!("{field}\r\n")), 400);
    }
    check_fault(get("Xä: a\r\n"), 400);
    check_fault("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400);
    check_fault("GET / HTTP/1.1\nHost: a\n\n", 400);
    check_fault("GET / HTTP/1.1\r\nHost: a\n\r\n", 400);
    check_fault("GET / HTTP/1.1\r\nHost: a\r\n\n", 400);
    check_fault("GET / HTTP/1.1\r\nHost: a\r\n\rX", 400);
}

/// RFC 9110 §5.5: obs-text is opaque, wherever it means nothing.
#[test]
fn values_beyond_ascii() {
    check(get("User-Agent: 小米 15\r\n"), "GET /?", "", KeepAlive);
    check([&b"GET / HTTP/1.1\r\nHost: a\r\nX: \x80\xff\r\n\r\n"[..]].concat(), "GET /?", "", KeepAlive);
    check(get("Connection: close\u{a0}\r\n"), "GET /?", "", KeepAlive);
    check_fault("GET / HTTP/1.1\r\nHost: ä\r\n\r\n", 400);
    check_fault(post("Content-Length: 0\u{a0}\r\n", ""), 400);
    check_fault(post("Transfer-Encoding: chunked\u{a0}\r\n", "0\r\n\r\n"), 400);
    check_fault(post("Expect: 100-continue\u{a0}\r\n", ""), 417);
}

#[test]
fn hosts() {
    for host in
        ["a", "a.example", "A_b-1.example:8080", "127.0.0.1", "a:", "a:65535", "a:00080", "[::1]", "[::ffff:1.2.3.4]:1"]
    {
        check(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), "GET /?", "", KeepAlive);
    }
    for host in [
        "",
        ":80",
        "a b",
        "a,b",
        "a/b",
        "u@a",
        "a:x",
        "a:1:2",
        "a:65536",
        "a:99999",
        "a:123456",
        "a:-1",
        "[::1",
        "::1]",
        "[]",
        "[a]",
        "[:::1]",
        "[::1%25eth0]",
        "[1.2.3.4]",
        "[::1]x",
        "a%2f",
    ] {
        check_fault(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400);
        check_fault(format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n"), 400);
    }
    check_fault("GET / HTTP/1.1\r\n\r\n", 400);
    check_fault("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400);
    check_fault("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", 400);
    check_fault("GET http://a/ HTTP/1.1\r\n\r\n", 400);
}

#[test]
fn lengths_that_two_readers_could_take_differently() {
    for length in
        ["", "+1", "-1", "1 ", "1 1", "1,1", "1, 1", "0x1", "1e0", "1.0", "a", "1_0", "99999999999999999999", "\u{b}1"]
    {
        if length != "1 " {
            check_fault(post(&format!("Content-Length: {length}\r\n"), "x"), 400);
        }
    }
    check_fault(post("Content-Length: 18446744073709551616\r\n", ""), 400);
    check_fault(post("Content-Length: 18446744073709551615\r\n", ""), 413);
    check_fault(post("Content-Length: 1\r\nContent-Length: 1\r\n", "x"), 400);
    check_fault(post("Content-Length: 1\r\ncontent-length: 2\r\n", "x"), 400);
    check_fault(post("Content-Length : 1\r\n", "x"), 400);
    check_fault(post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400);
    check_fault(post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400);
    check_fault(post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "0\r\n\r\n"), 400);
}

#[test]
fn transfer_codings() {
    check(post("transfer-encoding:CHUNKED\r\n", "1\r\nx\r\n0\r\n\r\n"), "POST /?", "x", KeepAlive);
    for coding in ["gzip, chunked", "identity,chunked", "a;b=c, Chunked"] {
        check_fault(post(&format!("Transfer-Encoding: {coding}\r\n"), "0\r\n\r\n"), 501);
    }
    // Whose body would end nobody knows where.
    for coding in
        ["gzip", "identity", "chunked, gzip", "xchunked", "chunked;q=1", "\"chunked\"", "chunke", "chunked, x;y"]
    {
        check_fault(post(&format!("Transfer-Encoding: {coding}\r\n"), "0\r\n\r\n"), 400);
    }
    for coding in [
        "",
        ",",
        ",chunked",
        "chunked, chunked",
        "chunked, gzip, chunked",
        "gzip,,chunked",
        "chunked,",
        "\u{b}chunked",
        "\u{c}chunked",
        "chunked\0",
        "\r\n chunked",
    ] {
        check_fault(post(&format!("Transfer-Encoding: {coding}\r\n"), "0\r\n\r\n"), 400);
    }
    check_fault(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400);
    check_fault(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"), 400);
    check_fault(post("Transfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400);
    check_fault(post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400);
    check_fault(post("X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400);
    check_fault("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
    // A name that only looks like the field is another field, and without a length there is no body.
    check(post("Transfer_Encoding: chunked\r\n", ""), "POST /?", "", KeepAlive);
}

#[test]
fn chunked_bodies() {
    let check_body = |body: &str, content: &str| check(chunked(body), "POST /?", content, KeepAlive);
    check_body("0\r\n\r\n", "");
    check_body("5\r\nhello\r\n0\r\n\r\n", "hello");
    check_body("00005\r\nhello\r\n000\r\n\r\n", "hello");
    check_body("1\r\na\r\nA\r\n0123456789\r\n2\r\n\r\n\r\n0\r\n\r\n", "a0123456789\r\n");
    check_body("a\r\n0123456789\r\n0\r\n\r\n", "0123456789");
    check_body("0000000000000001\r\nx\r\n0\r\n\r\n", "x");
    check_body("1; a\r\nx\r\n1;\ta = b ; c=\t\"d\" ;e\r\ny\r\n0\r\n\r\n", "xy");
    check_body("1;a\r\nx\r\n0;b=c;d=\"e;\\\"f\"\r\n\r\n", "x");
    check_body("1\r\nx\r\n0\r\nX-Sum: 1\r\ny:\r\n\r\n", "x");
    check_body("1;a=\"ä\"\r\nx\r\n0\r\nX: ä\r\n\r\n", "x");
}

#[test]
fn chunked_bodies_that_two_readers_could_take_differently() {
    for body in [
        "\r\n",
        ";\r\n",
        ";a\r\n",
        "g\r\n",
        "0x1\r\n",
        "+1\r\n",
        "-1\r\n",
        " 1\r\n",
        "1 \r\n",
        "1\t\r\n",
        "1 ;a\r\n",
        "1_0\r\n",
        "00000000000000001\r\n",
        "1ffffffffffffffff\r\n",
        "1\n",
        "1\rx",
        "1;\r\n",
        "1;;a\r\n",
        "1;a;\r\n",
        "1;a=\r\n",
        "1;=b\r\n",
        "1;a \r\n",
        "1;a=b \r\n",
        "1; \r\n",
        "1;a= \r\n",
        "1;a b\r\n",
        "1;a=\"b\r\n",
        "1;a=\"b\"c\r\n",
        "1;a=\"\\\r\n",
        "1;a\0\r\n",
        "1;a\rb\r\n",
        "1;a=\"\x7f\"\r\n",
        "1;ä\r\n",
        "1;a=ä\r\n",
        "1;a\n",
        "1\r\nxy\r\n",
        "1\r\nx\n",
        "1\r\nx\rx",
        "1\r\nx0\r\n",
        "0\r\nX : a\r\n",
        "0\r\n a\r\n",
        "0\r\nX\r\n",
        "0\r\n: a\r\n",
        "0\r\nX: a\n",
        "0\r\nX: a\rb\r\n",
        "0\r\nX: \0\r\n",
        "0\r\n\n",
        "0\r\n\rX\r\n",
        "0\r\nXä: a\r\n",
        "0\r\nContent-Length: 1\r\n",
        "0\r\ntransfer-encoding: chunked\r\n",
        "0\r\nHost: b\r\n",
        "0\r\nGET / HTTP/1.1\r\n",
    ] {
        check_fault(chunked(body), 400);
    }
}

#[test]
fn bounds_of_chunked_bodies() {
    check(chunked("8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n"), "POST /?", "0123456701234567", KeepAlive);
    check_fault(chunked("11\r\n"), 413);
    check_fault(chunked("8\r\n01234567\r\n9\r\n"), 413);
    check_fault(chunked("ffffffffffffffff\r\n"), 413);

    let line = |bytes: usize| format!("1;{}\r\n", "a".repeat(bytes - 4));
    for (bytes, lawful) in
        [(CHUNK_LINE_BYTES_MAX - 1, true), (CHUNK_LINE_BYTES_MAX, true), (CHUNK_LINE_BYTES_MAX + 1, false)]
    {
        let input = chunked(&format!("{}x\r\n0\r\n\r\n", line(bytes)));
        if lawful { check(input, "POST /?", "x", KeepAlive) } else { check_fault(input, 400) }
    }

    let extension = |bytes: usize| format!("1;{}\r\nx\r\n", "a".repeat(bytes - 1));
    let full = extension(CHUNK_EXTENSION_BYTES_MAX / BODY_MAX / 2 * 2 - 8).repeat(BODY_MAX - 1);
    let left = CHUNK_EXTENSION_BYTES_MAX - (CHUNK_EXTENSION_BYTES_MAX / BODY_MAX - 8) * (BODY_MAX - 1);
    let content = "x".repeat(BODY_MAX - 1);
    for (bytes, lawful) in [(left - 1, true), (left, true), (left + 1, false)] {
        // The rest is split over the last chunks: the bound of a line comes first.
        let half = bytes / 2;
        let input = chunked(&format!("{full}{}0;{}\r\n\r\n", extension(half), "a".repeat(bytes - half - 1)));
        if lawful { check(input, "POST /?", &format!("{content}x"), KeepAlive) } else { check_fault(input, 400) }
    }

    let trailer = |bytes: usize| format!("0\r\nX:{}\r\n\r\n", "a".repeat(bytes - 4));
    for (bytes, lawful) in [(TRAILER_BYTES_MAX - 1, true), (TRAILER_BYTES_MAX, true), (TRAILER_BYTES_MAX + 1, false)] {
        let input = chunked(&trailer(bytes));
        if lawful { check(input, "POST /?", "", KeepAlive) } else { check_fault(input, 400) }
    }
    let many = format!("0\r\n{}\r\n", "X: a\r\n".repeat(TRAILER_BYTES_MAX / 6 + 1));
    check_fault(chunked(&many), 400);
}

#[test]
fn bounds_of_sized_bodies() {
    for bytes in [BODY_MAX - 1, BODY_MAX] {
        let body = "x".repeat(bytes);
        check(post(&format!("Content-Length: {bytes}\r\n"), &body), "POST /?", &body, KeepAlive);
    }
    // Refused by its head alone.
    check_fault(post(&format!("Content-Length: {}\r\n", BODY_MAX + 1), ""), 413);
}

#[test]
fn bounds_of_heads() {
    let sized = |bytes: usize| {
        let empty = get("X: \r\n").len();
        get(&format!("X: {}\r\n", "a".repeat(bytes - empty)))
    };
    for bytes in [HEAD_BYTES_MAX - 1, HEAD_BYTES_MAX] {
        check(sized(bytes), "GET /?", "", KeepAlive);
    }
    check_fault(sized(HEAD_BYTES_MAX + 1), 431);
    // Without its end: the last byte that a lawful head could have is there.
    check_fault(sized(HEAD_BYTES_MAX + 4).trim_end(), 431);
    check_fault("G".repeat(METHOD_BYTES_MAX + 1), 400);
    for (bytes, status) in [(METHOD_BYTES_MAX - 1, 501), (METHOD_BYTES_MAX, 501), (METHOD_BYTES_MAX + 1, 400)] {
        check_fault(format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "G".repeat(bytes)), status);
    }

    let target = |bytes: usize| format!("/{}", "a".repeat(bytes - 1));
    for bytes in [TARGET_BYTES_MAX - 1, TARGET_BYTES_MAX] {
        let target = target(bytes);
        check(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"), &format!("GET {target}?"), "", KeepAlive);
    }
    let long = target(TARGET_BYTES_MAX + 1);
    check_fault(format!("GET {long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414);
    check_fault(format!("GET {long}"), 414);
    check_fault(format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(HEAD_BYTES_MAX)), 414);

    for more in [HEADERS_MAX - 2, HEADERS_MAX - 1] {
        check(get(&"X: a\r\n".repeat(more)), "GET /?", "", KeepAlive);
    }
    check_fault(get(&"X: a\r\n".repeat(HEADERS_MAX)), 431);
}

#[test]
fn limits_are_knobs() {
    let limits = Limits { head_bytes_max: 64, target_bytes_max: 4, headers_max: 2 };
    let check = |input: &str, expect: Option<Fault>| {
        let (seen, _) = run(&mut Machine::new(limits), [input.as_bytes()]);
        match (&seen[..], expect) {
            ([Seen::Request { headers, .. }], None) => assert!(*headers <= 2),
            ([Seen::Fault(fault, _)], Some(expect)) => assert_eq!(*fault, expect),
            other => panic!("{other:?}"),
        }
    };
    check("GET /abc HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n", None);
    check("GET /abcd HTTP/1.1\r\nHost: a\r\n\r\n", Some(Fault::TargetTooLong { bytes_max: 4 }));
    check("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nZ:\r\n\r\n", Some(Fault::HeadersTooMany { count_max: 2 }));
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(40));
    check(&long, Some(Fault::HeadTooLarge { bytes_max: 64 }));
}

#[test]
fn hopeless_heads_are_refused_before_they_end() {
    for input in [
        "GET / HTTP/1.1\n",
        "GET / HTTP/1.1\r\nHost: a\n",
        "GET /\rx",
        "\n",
        "\r\n\r\n",
        "\rG",
        "GET /\0",
        "\x16\x03\x01",
    ] {
        check_fault(input, 400);
    }
}

#[test]
fn expectations() {
    let head = post("Content-Length: 2\r\nExpect: 100-Continue\r\n", "");
    let request = |(seen, _): (Vec<Seen>, Awaiting)| {
        assert!(matches!(&seen[..], [Seen::Continue, Seen::Request { body, .. }] if body == "hi"), "{seen:?}");
    };
    let mut machine = Machine::new(Limits::default());
    request(run(&mut machine, [head.as_bytes(), b"", b"h", b"", b"i"]));
    request(bytewise(format!("{head}hi").as_bytes()));
    let chunks = post("Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n", "2\r\nhi\r\n0\r\n\r\n");
    request(bytewise(chunks.as_bytes()));

    // No 100 once a part of the body is there, or where there is none, or for a client that would not understand it.
    let silent = |input: &str, pieces: &[&str]| {
        let pieces = std::iter::once(input).chain(pieces.iter().copied()).map(str::as_bytes);
        let (seen, _) = run(&mut Machine::new(Limits::default()), pieces);
        assert!(matches!(&seen[..], [Seen::Request { .. }]), "{seen:?}");
    };
    silent(&format!("{head}h"), &["i"]);
    silent(&format!("{head}hi"), &[]);
    silent(&head[..9], &[&format!("{}h", &head[9..]), "i"]);
    silent(&get("Expect: 100-continue\r\n"), &[]);
    silent("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", &["x"]);

    check_fault(get("Expect: 200-ok\r\n"), 417);
    check_fault(get("Expect: 100-continue, x\r\n"), 417);
    check_fault(post("Content-Length: 99\r\nExpect: 100-continue\r\n", ""), 413);
}

#[test]
fn a_fault_is_the_last_event() {
    let good = get("");
    let (seen, _) = whole(format!("{good}GET / HTTP/1.1\n{good}{good}").as_bytes());
    assert!(matches!(&seen[..], [Seen::Request { .. }, Seen::Fault(Fault::Malformed(_), Send)]), "{seen:?}");
    let (seen, _) = whole(format!("{}{good}", get("Connection: close\r\n")).as_bytes());
    assert_eq!(seen.len(), 1);
    let unknown = "POST /unknown HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
    for (seen, _) in [whole(unknown.as_bytes()), bytewise(unknown.as_bytes())] {
        assert_eq!(seen, [Seen::Fault(Fault::RouteUnknown, Send)]);
    }
}

#[test]
fn a_refused_head_request_gets_no_body() {
    let (seen, _) = whole(b"HEAD / HTTP/1.1\r\n\r\n");
    assert!(matches!(&seen[..], [Seen::Fault(_, Omit)]), "{seen:?}");
    let (seen, _) = bytewise(b"\r\nHEAD / HTTP/1.1\r\n\r\n");
    assert!(matches!(&seen[..], [Seen::Fault(_, Omit)]), "{seen:?}");
    let (seen, _) = whole(b"\r\n\r\n\r\nHEAD / HTTP/1.1\r\n\r\n");
    assert!(matches!(&seen[..], [Seen::Fault(_, Omit)]), "{seen:?}");
    let (seen, _) = whole(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(matches!(&seen[..], [Seen::Request { wire: Wire { body: Omit, .. }, .. }]), "{seen:?}");
}

#[test]
fn the_machine_says_what_it_waits_for() {
    let mut machine = Machine::new(Limits::default());
    let mut check = |piece: &str, expect, idle| {
        let (_, awaiting) = run(&mut machine, [piece.as_bytes()]);
        assert_eq!((awaiting, machine.is_idle()), (expect, idle), "{piece}");
        let heap = machine.buf.capacity() + machine.path.capacity();
        assert_eq!(idle, heap == 0, "memory is held exactly while a request is on its way");
    };
    check("", Awaiting::Request, true);
    check("\r\n", Awaiting::Request, true);
    check("P", Awaiting::Head, false);
    check("OST /%61 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", Awaiting::Body, false);
    check("ab", Awaiting::Body, false);
    check("c", Awaiting::Request, true);
    check("\r", Awaiting::Head, false);
    check("\n", Awaiting::Request, true);
    check(&post("Transfer-Encoding: chunked\r\n", "1"), Awaiting::Body, false);
    check("\r\nx\r\n0\r\n\r\n", Awaiting::Request, true);
    check("GET / HTTP/1.1\n", Awaiting::Request, true);
    check("GET / HTTP/1.1\r\n", Awaiting::Request, true);
}

#[test]
fn an_unfinished_head_can_move_to_another_machine() {
    let input = get("");
    let (first, second) = input.as_bytes().split_at(20);
    let mut machine = Machine::new(Limits::default());
    run(&mut machine, [first]);
    let unread = machine.take_unread();
    assert_eq!(unread, first);
    assert!(machine.is_idle());
    let (seen, _) = run(&mut Machine::new(Limits::default()), [&unread[..], second]);
    assert!(matches!(&seen[..], [Seen::Request { .. }]), "{seen:?}");

    run(&mut machine, [post("Content-Length: 1\r\n", "").as_bytes()]);
    assert!(machine.take_unread().is_empty() && !machine.is_idle(), "a body cannot move");
}

#[test]
fn a_whole_request_is_read_where_it_lies() {
    let mut bytes = post("Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n").into_bytes();
    let range = bytes.as_ptr_range();
    let mut table = HeaderTable::new();
    let mut machine = Machine::new(Limits::default());
    let Event::Request { request, .. } = machine.advance(&mut bytes, &mut table, |_, _| Ok(3)).event else {
        panic!("not a request");
    };
    assert_eq!(request.body, b"hi!");
    assert!(range.contains(&request.body.as_ptr()) && range.contains(&request.path.as_ptr()));
}

#[test]
fn the_bound_of_a_body_is_asked_once() {
    let input = post("Content-Length: 3\r\n", "abc");
    let mut machine = Machine::new(Limits::default());
    let mut asked = 0;
    for byte in input.bytes() {
        let mut table = HeaderTable::new();
        machine.advance(&mut [byte], &mut table, |method, path| {
            assert_eq!((method, path), (Method::Post, "/"));
            asked += 1;
            Ok(3)
        });
    }
    assert_eq!(asked, 1);
    let mut table = HeaderTable::new();
    machine.advance(&mut get("").into_bytes(), &mut table, |_, _| panic!("no body is announced"));
}
