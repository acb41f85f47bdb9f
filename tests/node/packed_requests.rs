//! Request bodies in content codings: an action gets them whole and decoded, or not at all.
//! Never here: codecs by themselves; see `proto/compress`.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::client::Answer;
use crate::support::node::TestNode;

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

fn br(body: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    brotli::BrotliCompress(&mut &body[..], &mut encoded, &Default::default()).expect("a vector takes all");
    encoded
}

fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(body, 3).expect("memory")
}

/// Asks on a connection of its own.
fn ask(node: &TestNode, path: &str, coding: &str, body: &[u8]) -> Answer {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n{coding}content-length: {length}\r\n\r\n"
    );
    node.connect().ask([head.as_bytes(), body].concat())
}

#[test]
fn an_action_gets_the_body_decoded() {
    let node = TestNode::start(&[]);
    let body = br#"{"id":1,"name":"green tea"}"#;
    let check = |coding: &str, sent: &[u8]| {
        let answer = ask(&node, "/packed", coding, sent);
        assert_eq!((answer.status, &answer.body[..]), (200, &body[..]), "{coding}");
    };
    check("content-encoding: gzip\r\n", &gzip(body));
    check("Content-Encoding: GZIP\r\n", &gzip(body));
    check("content-encoding: x-gzip\r\n", &gzip(body));
    check("content-encoding: br\r\n", &br(body));
    check("content-encoding: zstd\r\n", &zstd(body));
    check("content-encoding: identity\r\n", body);
    check("", body);
    assert_eq!(ask(&node, "/packed", "content-encoding: gzip\r\n", b"").status, 200, "no bytes have no coding");
    let renamed = ask(&node, "/rename/packed", "content-encoding: gzip\r\n", &gzip(body));
    assert_eq!(renamed.status, 200);
    assert_eq!(node.connect().ask(crate::support::client::get("/item/1")).json()["data"]["name"], "green tea");
    assert_eq!(node.sum(|ledger| ledger.compression.decoded.get()), 6);
    assert_eq!(node.sum(|ledger| ledger.compression.refused.get()), 0);
}

#[test]
fn a_body_that_breaks_never_reaches_an_action() {
    let node = TestNode::start(&[]);
    let body = br#"{"id":1,"name":"never"}"#;
    let whole = gzip(body);
    let mut damaged = whole.clone();
    let at = damaged.len() - 6;
    damaged[at] ^= 1;
    let more = [&whole[..], b"x"].concat();
    for sent in [&whole[..whole.len() - 1], &whole[..10], &damaged, &more, body, b"\x1f\x8b"] {
        let answer = ask(&node, "/rename/packed", "content-encoding: gzip\r\n", sent);
        assert_eq!((answer.error_code(), answer.closes()), (40003, false), "{sent:?}");
    }
    assert_eq!(node.connect().ask(crate::support::client::get("/item/1")).json()["data"]["name"], "tea");
    assert_eq!(node.sum(|ledger| ledger.compression.refused.get()), 6);
}

#[test]
fn a_bomb_is_too_large() {
    let node = TestNode::start(&[]);
    let check = |bytes: usize, expect: u16| {
        let content = vec![b'x'; bytes];
        for (coding, sent) in [("gzip", gzip(&content)), ("br", br(&content)), ("zstd", zstd(&content))] {
            let answer = ask(&node, "/packed", &format!("content-encoding: {coding}\r\n"), &sent);
            assert_eq!(answer.status, expect, "{coding} of {bytes}");
            if expect == 413 {
                assert_eq!(answer.error_code(), 41300);
            }
        }
    };
    // The ratio is free up to 64 KiB, and the route allows 128 KiB.
    check((64 << 10) - 1, 200);
    check(64 << 10, 200);
    check((64 << 10) + 1, 413);
    check(64 << 20, 413);
    let noise: Vec<u8> = (0_u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).take(128 << 10).collect();
    assert_eq!(ask(&node, "/packed", "content-encoding: gzip\r\n", &gzip(&noise)[..]).status, 413, "longer encoded");
    let text: Vec<u8> = (0_u32..).flat_map(|n| format!("{n},").into_bytes()).take((128 << 10) + 1).collect();
    assert_eq!(ask(&node, "/packed", "content-encoding: gzip\r\n", &gzip(&text[1..])).status, 200);
    assert_eq!(ask(&node, "/packed", "content-encoding: gzip\r\n", &gzip(&text)).status, 413);
}

#[test]
fn a_coding_that_the_route_does_not_accept_is_named() {
    let node = TestNode::start(&[]);
    let check = |path: &str, coding: &str, accepted: &str| {
        let answer = ask(&node, path, &format!("content-encoding: {coding}\r\n"), b"{}");
        assert_eq!((answer.error_code(), answer.header("accept-encoding")), (41501, Some(accepted)), "{path} {coding}");
        assert!(!answer.closes(), "the body was read");
    };
    check("/packed", "deflate", "br, zstd, gzip");
    check("/packed", "gzip, gzip", "br, zstd, gzip");
    check("/packed", "nonsense", "br, zstd, gzip");
    check("/packed/gzip", "br", "gzip");
    check("/echo", "gzip", "identity");
    let media_type = ask(&node, "/rename", "", b"{}");
    assert_eq!(media_type.header("accept-encoding"), None);
}
