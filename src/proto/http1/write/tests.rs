//! Answers as bytes, read back by httparse.

use std::sync::Arc;

use super::*;
use crate::core::fault::Fault;
use crate::proto::reply::{Body, Chunks, Rendered, etag};

const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";

const PLAIN: Wire = Wire { version: Version::Http11, persistence: Persistence::KeepAlive, body: BodyMode::Send };

fn cx(wire: Wire) -> ReplyContext<'static> {
    ReplyContext { date: DATE, request_id: "0123456789abcdef", wire }
}

fn written(reply: &Reply, wire: Wire) -> String {
    let mut out = Vec::new();
    write_reply(&mut out, reply, &cx(wire));
    String::from_utf8(out).expect("ASCII and JSON")
}

fn shared(status: u16) -> Reply {
    let rendered = Rendered::json(*b"{}");
    Reply { status, ..Reply::json(Body::Shared(Arc::new(rendered))) }
}

/// Status, content and the fields by name, as a client reads them.
#[track_caller]
fn check(text: &str, status: u16, body: &str, has: &[(&str, &str)], lacks: &[&str]) {
    let mut table = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut table);
    let head = response.parse(text.as_bytes()).expect(text).unwrap();
    assert_eq!((response.code, &text[head..]), (Some(status), body));
    assert_eq!(response.version, Some(1));
    let field = |name: &str| {
        let mut values = response.headers.iter().filter(|h| h.name == name).map(|h| h.value);
        let value = values.next();
        assert_eq!(values.next(), None, "{name} twice in {text}");
        value
    };
    assert_eq!(field("date"), Some(&DATE[..]));
    assert_eq!(field("x-request-id"), Some(&b"0123456789abcdef"[..]));
    for (name, value) in has {
        assert_eq!(field(name), Some(value.as_bytes()), "{name} in {text}");
    }
    for name in lacks {
        assert_eq!(field(name), None, "{name} in {text}");
    }
}

#[test]
fn one_answer_byte_for_byte() {
    assert_eq!(
        written(&Reply::json(Body::Static(b"{\"code\":0}")), PLAIN),
        "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\n\
         x-content-type-options: nosniff\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\nx-request-id: 0123456789abcdef\r\n\
         cache-control: no-store\r\ncontent-length: 10\r\n\r\n{\"code\":0}"
    );
}

#[test]
fn caches_ask_again_unless_they_are_told_otherwise() {
    let told = [("cache-control", "private, no-cache")];
    check(&written(&shared(200), PLAIN), 200, "{}", &told, &[]);
    check(&written(&shared(304), PLAIN), 304, "", &told, &[]);
    let untagged = Reply::json(Body::Static(b"{}"));
    check(&written(&untagged, PLAIN), 200, "{}", &[("cache-control", "no-store")], &[]);
    let tagged = Reply::json(Body::Static(b"{}")).with("etag", "\"own\"");
    check(&written(&tagged, PLAIN), 200, "{}", &told, &[]);
    check(&written(&shared(404), PLAIN), 404, "{}", &[], &["cache-control"]);
    let own = shared(304).with("cache-control", "max-age=1");
    check(&written(&own, PLAIN), 304, "", &[("cache-control", "max-age=1")], &[]);
}

#[test]
fn bodies() {
    let json = ("content-type", JSON);
    check(
        &written(&Reply::json(Body::Owned(b"[]".to_vec())), PLAIN),
        200,
        "[]",
        &[json, ("content-length", "2")],
        &["etag"],
    );
    check(
        &written(&shared(200), PLAIN),
        200,
        "{}",
        &[json, ("etag", &*etag(b"{}")), ("content-length", "2")],
        &["connection"],
    );
    let own = shared(200).with("etag", "\"own\"").with("cache-control", "no-store");
    check(&written(&own, PLAIN), 200, "{}", &[("etag", "\"own\""), ("cache-control", "no-store")], &[]);
    let text = Reply::json(Body::Text { content_type: "text/plain".into(), bytes: Arc::from(*b"abc") });
    check(&written(&text, PLAIN), 200, "abc", &[("content-type", "text/plain"), ("content-length", "3")], &[]);
    let empty = Reply { status: 200, ..Reply::json(Body::Empty) };
    check(&written(&empty, PLAIN), 200, "", &[("content-length", "0")], &["content-type"]);
}

#[test]
fn answers_without_content() {
    let none = &["content-type", "content-length"];
    check(&written(&Reply { status: 204, ..Reply::json(Body::Empty) }, PLAIN), 204, "", &[], none);
    check(
        &written(&Reply { status: 304, ..Reply::json(Body::Empty) }.with("etag", "\"x\""), PLAIN),
        304,
        "",
        &[("etag", "\"x\"")],
        none,
    );
    check(&written(&shared(304), PLAIN), 304, "", &[("etag", &*etag(b"{}"))], none);
    let head = Wire { body: BodyMode::Omit, ..PLAIN };
    check(&written(&shared(200), head), 200, "", &[("content-length", "2"), ("content-type", JSON)], &[]);
}

#[test]
fn the_connection_is_announced_where_it_is_not_the_default() {
    for (version, persistence, expect) in [
        (Version::Http11, Persistence::Close, "close"),
        (Version::Http10, Persistence::Close, "close"),
        (Version::Http10, Persistence::KeepAlive, "keep-alive"),
    ] {
        let wire = Wire { version, persistence, body: BodyMode::Send };
        check(&written(&shared(200), wire), 200, "{}", &[("connection", expect)], &[]);
    }
}

#[test]
fn every_fault_has_a_reason_phrase() {
    for status in [400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 417, 429, 431, 500, 501, 502, 503, 504, 505] {
        assert!(!reason(status).is_empty(), "{status}");
    }
    let reply = Reply::from_fault(&Fault::TokenMissing, "0123456789abcdef");
    let text = written(&reply, PLAIN);
    assert!(text.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{text}");
    let Body::Owned(body) = &reply.body else { panic!("a fault is rendered") };
    check(&text, 401, std::str::from_utf8(body).expect("JSON"), &[("www-authenticate", "Bearer")], &[]);
    let odd = written(&Reply { status: 418, ..Reply::json(Body::Static(b"0")) }, PLAIN);
    assert!(odd.starts_with("HTTP/1.1 418 \r\n"), "{odd}");
}

#[test]
fn streams() {
    let pieces: [&[u8]; 3] = [b"hello", b"", &[b'x'; 300]];
    let check_stream = |wire, coding, fields: &[(&str, &str)], lacks: &[&str]| {
        let reply = Reply::json(Body::Stream(Chunks(Box::pin(futures_util::stream::empty()))));
        let mut out = Vec::new();
        assert_eq!(write_stream_head(&mut out, &reply, &cx(wire)), coding);
        check(std::str::from_utf8(&out).expect("ASCII"), 200, "", fields, lacks);
        out.clear();
        pieces.iter().for_each(|piece| write_chunk(&mut out, coding, piece));
        write_last_chunk(&mut out, coding);
        String::from_utf8(out).expect("ASCII")
    };
    let body = check_stream(
        PLAIN,
        StreamCoding::Chunked,
        &[("transfer-encoding", "chunked")],
        &["content-length", "connection"],
    );
    assert_eq!(body, format!("5\r\nhello\r\n12c\r\n{}\r\n0\r\n\r\n", "x".repeat(300)));

    let old = Wire { version: Version::Http10, ..PLAIN };
    let body = check_stream(old, StreamCoding::UntilClose, &[("connection", "close")], &["transfer-encoding"]);
    assert_eq!(body, format!("hello{}", "x".repeat(300)));

    let head = Wire { body: BodyMode::Omit, ..PLAIN };
    let body = check_stream(head, StreamCoding::Omit, &[("transfer-encoding", "chunked")], &["connection"]);
    assert_eq!(body, "");
}

#[test]
fn chunk_sizes_are_hex() {
    for size in [1, 9, 10, 15, 16, 255, 256, 4096, 65_535, 1_048_576] {
        let mut out = Vec::new();
        write_hex(&mut out, size);
        assert_eq!(out, format!("{size:x}").as_bytes());
    }
}

#[test]
#[should_panic(expected = "control byte in the value of x-a")]
#[cfg(debug_assertions)]
fn a_value_with_a_control_byte_is_a_bug() {
    written(&shared(200).with("x-a", "b\r\nx-c: d"), PLAIN);
}

#[test]
#[cfg(not(debug_assertions))]
fn a_value_with_a_control_byte_is_dropped() {
    check(&written(&shared(200).with("x-a", "b\r\nx-c: d"), PLAIN), 200, "{}", &[], &["x-a", "x-c"]);
}
