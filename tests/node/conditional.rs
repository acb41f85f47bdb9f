//! Conditional requests: a 304 for the representation that would be sent, with its headers, and for no other.
//! Never here: how a list of tags is read; see `proto/wishes`.

use crate::support::client::{Answer, Client, get};
use crate::support::node::TestNode;

fn ask(client: &mut Client, method: &str, path: &str, headers: &str) -> Answer {
    client.send(format!("{method} {path} HTTP/1.1\r\nhost: test\r\n{headers}\r\n"));
    if method == "HEAD" { client.head_answer() } else { client.answer() }
}

fn tag(client: &mut Client, path: &str, accept: &str) -> String {
    let answer = ask(client, "GET", path, &format!("accept-encoding: {accept}\r\n"));
    answer.header("etag").expect("a tag").to_owned()
}

#[test]
fn each_representation_is_known_by_its_own_tag() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    for path in ["/rows/200", "/fresh/200", "/rows/9000", "/fresh/9000"] {
        let accepts = ["identity", "gzip", "br", "zstd"];
        let tags = accepts.map(|accept| tag(&mut client, path, accept));
        for (accept, own) in accepts.iter().zip(&tags) {
            for known in &tags {
                for method in ["GET", "HEAD"] {
                    let headers = format!("accept-encoding: {accept}\r\nif-none-match: \"other\", W/{known}\r\n");
                    let answer = ask(&mut client, method, path, &headers);
                    let expect = if known == own { 304 } else { 200 };
                    assert_eq!(answer.status, expect, "{method} {path} {accept} {known}");
                    assert_eq!(answer.header("etag"), Some(&**own));
                    assert_eq!(answer.header("vary"), Some("accept-encoding"));
                    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
                    if expect == 304 {
                        assert!(answer.body.is_empty());
                        assert_eq!((answer.header("content-encoding"), answer.header("content-type")), (None, None));
                    }
                }
            }
        }
    }
}

#[test]
fn a_star_is_whatever_there_is() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    let own = tag(&mut client, "/rows/200", "gzip");
    let answer = ask(&mut client, "GET", "/rows/200", "accept-encoding: gzip\r\nif-none-match: *\r\n");
    assert_eq!((answer.status, answer.header("etag")), (304, Some(&*own)));
    assert_eq!(ask(&mut client, "GET", "/stream", "if-none-match: *\r\n").status, 304);
    assert_eq!(ask(&mut client, "GET", "/item/9", "if-none-match: *\r\n").status, 404, "there is nothing");
    assert_eq!(client.ask(get("/ping")).status, 200);
}

#[test]
fn only_get_and_head_ask_for_what_they_know() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    let headers = "content-length: 2\r\nif-none-match: *\r\n\r\n{}";
    client.send(format!("POST /echo HTTP/1.1\r\nhost: test\r\n{headers}"));
    assert_eq!(client.answer().status, 200);
}

#[test]
fn dates_decide_nothing() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    let own = tag(&mut client, "/rows/200", "identity");
    let since = "if-modified-since: Fri, 31 Dec 2100 23:59:59 GMT\r\n";
    let mut check = |headers: &str, status: u16| {
        let answer = ask(&mut client, "GET", "/rows/200", headers);
        assert_eq!((answer.status, answer.header("last-modified")), (status, None), "{headers:?}");
    };
    check(since, 200);
    check(&format!("{since}if-none-match: \"other\"\r\n"), 200);
    check(&format!("{since}if-none-match: {own}\r\n"), 304);
}

#[test]
fn fixed_answers_have_tags() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    let own = tag(&mut client, "/ping", "gzip");
    let answer = ask(&mut client, "GET", "/ping", &format!("accept-encoding: gzip\r\nif-none-match: {own}\r\n"));
    assert_eq!((answer.status, answer.header("etag"), answer.header("vary")), (304, Some(&*own), None));
}
