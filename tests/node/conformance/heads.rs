//! Request lines, hosts, fields, methods (RFC 9112 §2, §3, §5; RFC 9110 §4, §7, §9, §10).
//! Never here: where a body ends.

use super::{Stand, post, with};
use crate::support::client::get;

fn line(line: &str) -> String {
    format!("{line}\r\nHost: test\r\n\r\n")
}

fn host(host: &str) -> String {
    format!("GET /ping HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[test]
fn request_lines() {
    let mut stand = Stand::new();
    for text in [
        "GET",
        "GET ",
        "GET /ping",
        "GET /ping ",
        "GET  /ping HTTP/1.1",
        "GET /ping  HTTP/1.1",
        " GET /ping HTTP/1.1",
        "GET /ping HTTP/1.1 ",
        "GET /ping HTTP/1.1 x",
        "GET\t/ping HTTP/1.1",
        "GET /ping\tHTTP/1.1",
        "GET /ping HTTP/1.1\t",
        "GET\x0b/ping HTTP/1.1",
        "GET\x0c/ping HTTP/1.1",
        "GET\r/ping HTTP/1.1",
        "GET /ping\0 HTTP/1.1",
        "GET HTTP/1.1",
        "GET /pi ng HTTP/1.1",
        "GET /ping HTTP/1.1\r",
        "/ping",
        "/ping GET HTTP/1.1",
        "HTTP/1.1 /ping GET",
        "HTTP/1.1 200 OK",
        "HELO test",
        "GET,/ping,HTTP/1.1",
        "\0\0\0",
        "\x7f",
    ] {
        stand.refused(400, line(text));
    }
    // Without a version: nobody has spoken 0.9 for twenty years, and nothing more would come.
    stand.refused(400, "GET /ping\r\n");
    stand.refused(400, "GET /\r\n");
    stand.refused(400, "GET /ping\r\n\r\n");
    stand.refused(400, " \r\n\r\n");
    stand.refused(400, "\t\r\n\r\n");
    stand.stood(32);
}

#[test]
fn versions() {
    let mut stand = Stand::new();
    for version in [
        "http/1.1",
        "Http/1.1",
        "HTTP/1",
        "HTTP/1.",
        "HTTP/.1",
        "HTTP/",
        "HTTP",
        "HTTP/11",
        "HTTP/1.10",
        "HTTP/1.1.1",
        "HTTP/01.1",
        "HTTP/1.01",
        "HTTP/01.01",
        "HTTP /1.1",
        "HTTP/ 1.1",
        "HTTP/1 .1",
        "HTTP/1,1",
        "HTTP/1.x",
        "HTTP/x.1",
        "HTTP/-1.1",
        "HTTP/+1.1",
        "HTTP/1.1a",
        "HTTPS/1.1",
        "HTTQ/1.1",
        "XTTP/1.1",
        "FTP/1.1",
        "ICY",
        "HTTP/1.1;",
        "\"HTTP/1.1\"",
        "HTTP\\1.1",
    ] {
        stand.refused(400, line(&format!("GET /ping {version}")));
    }
    for version in ["HTTP/0.9", "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9", "HTTP/0.0"] {
        stand.refused(505, line(&format!("GET /ping {version}")));
    }
    stand.served(200, "", "GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    stand.served(200, "", "GET /ping HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n");
    stand.stood(39);
}

#[test]
fn line_ends() {
    let mut stand = Stand::new();
    for text in [
        "GET /ping HTTP/1.1\nHost: test\r\n\r\n",
        "GET /ping HTTP/1.1\r\nHost: test\n\r\n",
        "GET /ping HTTP/1.1\r\nHost: test\r\n\n",
        "GET /ping HTTP/1.1\r\nHost: test\nX: y\r\n\r\n",
        "GET /ping HTTP/1.1\nHost: test\n\n",
        "GET /ping HTTP/1.1\rHost: test\r\r",
        "GET /ping HTTP/1.1\rHost: test\r\n\r\n",
        "GET /ping HTTP/1.1\r\nHost: test\rX: y\r\n\r\n",
        "GET /ping HTTP/1.1\r\nHost: test\r\r\n\r\n",
        "GET /ping HTTP/1.1\r\r\nHost: test\r\n\r\n",
        "GET /ping HTTP/1.1\n\rHost: test\n\r\n\r",
        "GET /ping HTTP/1.1\r\nHost: test\r\n\rX",
        "\nGET /ping HTTP/1.1\r\nHost: test\r\n\r\n",
        "\rGET /ping HTTP/1.1\r\nHost: test\r\n\r\n",
        "\r\n\r\nGET /ping HTTP/1.1\r\nHost: test\r\n\r\n",
        "\r\n\nGET /ping HTTP/1.1\r\nHost: test\r\n\r\n",
        "\r\n GET /ping HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /ping HTTP/1.1\r\n\r\nHost: test\r\n\r\n",
    ] {
        stand.refused(400, text);
    }
    // RFC 9112 §2.2: one empty line before a request is forgiven.
    stand.served(200, "", "\r\n".to_owned() + &get("/ping"));
    for text in [
        "",
        "\r",
        "\r\n",
        "G",
        "GET",
        "GET /ping HTTP/1.1",
        "GET /ping HTTP/1.1\r\n",
        "GET /ping HTTP/1.1\r\nHost: test\r\n",
    ] {
        stand.awaited(text);
    }
    stand.stood(27);
}

#[test]
fn targets() {
    let mut stand = Stand::new();
    for target in [
        "ping",
        "*",
        "?a",
        "#",
        "/ping#x",
        "/ping?a#x",
        "//ping#",
        "test",
        "test:80",
        "test/ping",
        ":80/ping",
        "http:",
        "http:/",
        "http://",
        "http:///ping",
        "http://?a",
        "http:/ping",
        "http:ping",
        "ftp://test/ping",
        "ws://test/ping",
        "file:///ping",
        "javascript:1",
        "http://u@test/ping",
        "http://u:p@test/ping",
        "http://test:x/ping",
        "http://test:65536/ping",
        "http://te st/ping",
        "http://[::1/ping",
        "http://test\\ping",
        "\\ping",
        "/ping\\..",
        "/a\\b",
        "/..",
        "/../ping",
        "/a/../../ping",
        "/%2e%2e/ping",
        "/.%2E/ping",
        "/%00",
        "/ping%00",
        "/ping%0d%0a",
        "/ping%0",
        "/ping%",
        "/ping%zz",
        "/ping%u0041",
        "/%2fping",
        "/a%2Fb",
        "/a%5cb",
        "/%c0%af",
        "/%e0%80%af",
        "/%ff",
        "/%ed%a0%80",
        "/%7f",
        "/%c2%85",
        "/ping\x01",
        "/ping\x7f",
        "/ping\0",
        "/pïng",
    ] {
        stand.refused(400, line(&format!("GET {target} HTTP/1.1")));
    }
    stand.refused(400, b"GET /\xff HTTP/1.1\r\nHost: test\r\n\r\n");
    stand.refused(400, b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: test\r\n\r\n");
    stand.refused(400, b"GET /\xc0\xaf HTTP/1.1\r\nHost: test\r\n\r\n");
    for target in [
        "/ping",
        "/./ping",
        "/a/../ping",
        "/%70ing",
        "/ping?",
        "/ping?a=b&c",
        "/ping?%zz",
        "/ping??",
        "/ping?a=/../b",
        "http://test/ping",
        "HTTP://test/ping",
        "https://test/ping",
        "http://TEST/ping?a",
        "http://test/./ping",
    ] {
        stand.served(200, "", line(&format!("GET {target} HTTP/1.1")));
    }
    for target in [
        "/",
        "//",
        "//ping",
        "/ping/",
        "/ping;a",
        "/PING",
        "/nowhere",
        "/ping/..",
        "/ping%20",
        "http://test",
        "http://test?a",
        "/~%7e!$&'()*+,;=:@",
    ] {
        stand.served(404, "", line(&format!("GET {target} HTTP/1.1")));
    }
    // The path is 404, not the length: RFC 9112 §3 asks for request lines of 8,000 bytes.
    stand.served(404, "", line(&format!("GET /{} HTTP/1.1", "a".repeat(7985))));
    stand.stood(86);
}

#[test]
fn hosts() {
    let mut stand = Stand::new();
    stand.refused(400, "GET /ping HTTP/1.1\r\n\r\n");
    stand.refused(400, "GET http://test/ping HTTP/1.1\r\n\r\n");
    stand.refused(400, "OPTIONS * HTTP/1.1\r\n\r\n");
    for name in [
        "",
        " ",
        ",",
        "test,",
        "test, other",
        "test other",
        "test/",
        "test/ping",
        "test?a",
        "test#a",
        "u@test",
        "u:p@test",
        "@test",
        "http://test",
        "test:",
        "test:80:80",
        "test:x",
        "test:-1",
        "test:+80",
        "test: 80",
        "test:65536",
        "test:99999",
        "test:100000",
        "test:0x50",
        ":80",
        "[",
        "[]",
        "[::1",
        "::1",
        "[::1]x",
        "[::1]:",
        "[::1]:x",
        "[test]",
        "[::1%eth0]",
        "[::g]",
        "test%",
        "te%73t",
        "test\\",
        "te\"st",
        "te<st",
        "test;a",
        "(test)",
        "tést",
        "te\x01st",
        "test\0",
        "te\x7fst",
    ] {
        if !matches!(name, "test:" | "[::1]:") {
            stand.refused(400, host(name));
        }
    }
    for name in [
        "test",
        "TEST",
        "test:80",
        "test:",
        "test:0",
        "test:65535",
        "test.",
        "a.b-c_d.example",
        "127.0.0.1:8080",
        "[::1]",
        "[::1]:443",
        "[::ffff:1.2.3.4]",
        " test ",
        "\ttest\t",
    ] {
        stand.served(200, "", host(name));
    }
    for second in ["Host: test", "Host: other", "host: test", "HOST: test", "Host:", "hOsT:\ttest"] {
        stand.refused(400, with(second));
    }
    stand.refused(400, "GET /ping HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n");
    for (target, name) in [
        ("http://test", "other"),
        ("http://test:80", "test"),
        ("http://test", "test:80"),
        ("http://test.other", "test"),
        ("https://test:8080", "test:8081"),
    ] {
        stand.refused(400, format!("GET {target}/ping HTTP/1.1\r\nHost: {name}\r\n\r\n"));
    }
    // Names that only look like it, and the name that a proxy was told.
    for other in [
        "X-Host: evil",
        "Host-: evil",
        "Xhost: evil",
        "X-Forwarded-Host: evil",
        "Forwarded: host=evil",
        "X-Original-URL: /me",
        "X-Rewrite-URL: /me",
        "X-HTTP-Method-Override: DELETE",
    ] {
        stand.served(200, "", with(other));
    }
    stand.stood(80);
}

#[test]
fn fields() {
    let mut stand = Stand::new();
    for field in [
        "X : y",
        "X\t: y",
        "X\x0b: y",
        " X: y",
        "\tX: y",
        "X",
        "X y",
        "X y: z",
        "X\ty: z",
        ": y",
        ":",
        "::",
        " : y",
        "",
        "X: a\r\n b",
        "X: a\r\n\tb",
        "X:\r\n a",
        "X: a\r\n \r\n",
        "X: a\r\n ",
        "X: a\0b",
        "X: \0",
        "X: a\x01b",
        "X: a\x07\x08\x0bdef",
        "X: a\x1bb",
        "X: a\x7fb",
        "X: a\rb",
        "X: a\nb: c",
        "X: a\r\rb",
        "(X): y",
        "X[: y",
        "X]: y",
        "X{: y",
        "X}: y",
        "X<: y",
        "X>: y",
        "X@: y",
        "X,: y",
        "X;: y",
        "X\\: y",
        "X\": y",
        "X/: y",
        "X?: y",
        "X=: y",
        "\0X: y",
        "X\0: y",
        "X\x7f: y",
        "Xé: y",
        "Cookie: a=\0b",
        "Cookie: a=\x01",
    ] {
        if field.is_empty() {
            continue;
        }
        stand.refused(400, with(field));
    }
    stand.refused(400, "GET /ping HTTP/1.1\r\n Host: test\r\n\r\n");
    stand.refused(400, "GET /ping HTTP/1.1\r\n \r\nHost: test\r\n\r\n");
    stand.refused(400, "GET /ping HTTP/1.1\r\n\tX: y\r\nHost: test\r\n\r\n");
    stand.refused(400, b"GET /ping HTTP/1.1\r\nHost: test\r\nX-T\xc3\xabst: y\r\n\r\n");
    for field in [
        "X:",
        "X: ",
        "X:\t",
        "X: y ",
        "X:y",
        "X:\ty\t",
        "X: a: b",
        "X: \"a\"",
        "x!#$%&'*+-.^_`|~09: y",
        "X: a\tb",
        "X: é",
        "User-Agent: \u{5c0f}\u{7c73} 15",
        "X: y\r\nX: z",
        "Cookie:",
        "Cookie: ===;;;",
        "Cookie: a=1\r\nCookie: b=2",
        "Accept: application/x-nonsense",
        "Accept: */*;q=2",
        "TE: trailers",
        "TE: gzip;q=0.5, trailers",
        "Trailer: X",
        "Via: 1.1 a",
        "Max-Forwards: 0",
        "Content-Type: text/plain\r\nContent-Type: text/html",
        "Range: bytes=0-1",
        "Range: bytes=abc-xyz",
        "Range: bytes=9-1",
        "Range: bytes=0-,0-,0-,0-",
        "Range: lines=1-2",
        "Range: bytes=0-1\r\nIf-Range: \"e\"",
        "Range: bytes=0-1\r\nIf-Range: Sat, 01 Jan 2000 00:00:00 GMT",
        "Authorization: Basic eDp5",
        "If-Match: *",
        "If-Unmodified-Since: then",
    ] {
        stand.served(200, "", with(field));
    }
    stand.stood(85);
}

#[test]
fn connection_options_and_upgrades() {
    let mut stand = Stand::new();
    // Options name fields of one hop. None of ours depends on them, so none can be made to go away.
    for field in [
        "Connection: Host",
        "Connection: host, keep-alive",
        "Connection: Content-Length",
        "Connection: Transfer-Encoding",
        "Connection: Authorization",
        "Connection: X-Request-Id",
        "Connection: TE\r\nTE: trailers",
        "Connection:",
        "Connection: ,",
        "Connection: , ,",
        "Connection: closed",
        "Connection: \"close\"",
        "Connection: keep-alive\r\nKeep-Alive: timeout=5",
        "Proxy-Connection: close",
        "Upgrade: websocket",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99",
        "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
        "Connection: Upgrade\r\nUpgrade: TLS/1.0",
        "Connection: Upgrade\r\nUpgrade: made-up/1.0",
    ] {
        stand.served(200, "", with(field));
        stand.served(200, "hi", post(&format!("{field}\r\nContent-Length: 2"), "hi"));
    }
    stand.stood(42);
}

#[test]
fn methods() {
    let mut stand = Stand::new();
    for method in [
        "get",
        "Get",
        "gET",
        "post",
        "GETT",
        "GE",
        "BREW",
        "PROPFIND",
        "PURGE",
        "DEBUG",
        "TRACK",
        "X",
        "A-B",
        "!#$%&'*+-.^_`|~",
        "connect",
        "trace",
        "M-SEARCH",
        "LINK",
        "QUERY",
    ] {
        stand.refused(501, line(&format!("{method} /ping HTTP/1.1")));
    }
    for method in ["", "G(T", "GET/", "G\0T", "G\x7fT", "GÉT", "\"GET\"", "GET:", "GET,", "G[T", "G@T", "{}"] {
        stand.refused(400, line(&format!("{method} /ping HTTP/1.1")));
    }
    stand.refused(400, line(&format!("{} /ping HTTP/1.1", "A".repeat(65))));
    stand.refused(400, "A".repeat(200));
    for text in [
        "CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\n\r\n",
        "CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\n\r\nGET /ping HTTP/1.1\r\nHost: test\r\n\r\n",
        "CONNECT /ping HTTP/1.1\r\nHost: test\r\n\r\n",
        "CONNECT http://test/ HTTP/1.1\r\nHost: test\r\n\r\n",
        "TRACE /ping HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer secret\r\n\r\n",
        "TRACE /ping HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello",
        "TRACE * HTTP/1.1\r\nHost: test\r\n\r\n",
    ] {
        stand.refused(405, text);
    }
    stand.served(204, "", "OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n");
    stand.served(204, "", "OPTIONS /ping HTTP/1.1\r\nHost: test\r\n\r\n");
    stand.served(204, "", "OPTIONS http://test/ping HTTP/1.1\r\nHost: test\r\n\r\n");
    stand.served(404, "", "OPTIONS http://test HTTP/1.1\r\nHost: test\r\n\r\n");
    for text in
        ["OPTIONS *? HTTP/1.1", "OPTIONS ** HTTP/1.1", "OPTIONS ping HTTP/1.1", "POST * HTTP/1.1", "HEAD_ * HTTP/1.1 x"]
    {
        stand.refused(400, line(text));
    }
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        stand.served(405, "", line(&format!("{method} /ping HTTP/1.1")));
    }
    stand.stood(50);
}

/// What a refusal shows is written by us alone.
#[test]
fn a_refusal_reflects_nothing() {
    let stand = Stand::new();
    for text in [
        "TRACE /secret-path HTTP/1.1\r\nHost: test\r\nX: secret-value\r\n\r\n",
        "GET /secret-path HTTP/1.1\r\nHost: test\r\nX : secret-value\r\n\r\n",
        "GET /secret-path HTTP/1.1\r\nHost: secret-value/\r\n\r\n",
        "secret-path /secret-value HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /secret-path HTTP/1.1\r\nHost: test\r\nExpect: secret-value\r\n\r\n",
    ] {
        let mut client = stand.node.connect();
        client.send(text);
        let rest = String::from_utf8(client.rest()).expect("ASCII");
        assert!(rest.starts_with("HTTP/1.1 ") && !rest.contains("secret"), "{rest}");
    }
}
