//! Where a body ends: lengths, chunks, trailers, expectations (RFC 9112 §6, §7; RFC 9110 §8.6, §10.1.1).
//! Never here: two requests where one was sent; see `smuggling`.

use super::{Stand, chunked, post};
use crate::support::client::get;

#[test]
fn lengths() {
    let mut stand = Stand::new();
    for length in [
        "",
        "+5",
        "-5",
        "-0",
        "-1",
        "5,5",
        "5, 5",
        "5, 5, 5",
        "5,10",
        "5;5",
        "0x5",
        "0o5",
        "5e0",
        "5.0",
        "5 5",
        "1 0",
        "5_0",
        "five",
        "abc",
        "5a",
        "a5",
        "\"5\"",
        "٥",
        "5\x0b",
        "\x0b5",
        "5\0",
        "99999999999999999999",
        "18446744073709551616",
        "340282366920938463463374607431768211456",
        "NaN",
        "1e1",
        "5\r\n 0",
    ] {
        stand.refused(400, post(&format!("Content-Length: {length}"), "hello"));
    }
    for lines in [
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 10",
        "Content-Length: 5\r\ncontent-length: 5",
        "Content-Length: 0\r\nContent-Length: 5",
        "Content-Length : 5",
        "Content-Length\t: 5",
        " Content-Length: 5",
        "Content Length: 5",
        "Content\tLength: 5",
        "Content-Length: 5\r\nContent-Length : 6",
        "Content-Length\0: 5",
        "Content-Length 5",
        "Content-Length",
    ] {
        stand.refused(400, post(lines, "hello"));
    }
    stand.refused(413, post("Content-Length: 1025", ""));
    stand.refused(413, post("Content-Length: 18446744073709551615", ""));
    for (length, body) in [
        ("5", "hello"),
        ("5 ", "hello"),
        (" 5", "hello"),
        ("\t5\t", "hello"),
        ("005", "hello"),
        ("0005", "hello"),
        ("0", ""),
        ("00", ""),
    ] {
        stand.served(200, body, post(&format!("Content-Length:{length}"), body));
    }
    // Names that only look like it are other fields; the body is as long as the real one says.
    for other in
        ["Content_Length: 99", "Content-Length-: 99", "X-Content-Length: 99", "Content-Lengt: 99", "ContentLength: 99"]
    {
        stand.served(200, "hello", post(&format!("{other}\r\nContent-Length: 5"), "hello"));
    }
    stand.served(200, "", "POST /record HTTP/1.1\r\nHost: test\r\n\r\n");
    stand.served(200, "hello", "GET /record HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello");
    stand.served(200, "hello", "OPTIONS /record HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello");
    stand.served(204, "", "OPTIONS /ping HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello");
    for body in ["", "h", "hell"] {
        stand.awaited(post("Content-Length: 5", body));
    }
    stand.stood(65);
}

#[test]
fn transfer_codings() {
    let mut stand = Stand::new();
    let body = "5\r\nhello\r\n0\r\n\r\n";
    for coding in [
        "",
        ",",
        "identity",
        "gzip",
        "xchunked",
        "chunkedx",
        "chunke",
        "x",
        "cow",
        "chunked, gzip",
        "chunked, identity",
        "chunked,",
        ", chunked",
        "chunked,,",
        "chunked, chunked",
        "chunked chunked",
        "chunked;",
        "chunked;q=1",
        "chunked; ext",
        "\"chunked\"",
        "'chunked'",
        "chun ked",
        "chu\tnked",
        "chunked\0",
        "\0chunked",
        "\x0bchunked",
        "chunked\x0b",
        "\x0cchunked",
        "chunked\x0c",
        "chunked\x1f",
        "\r\n chunked",
        "chunked\r\n ",
        "chunked\r\n\tx",
        "сhunked",
        "chunKed\u{212a}",
        "[chunked]",
        "{\"chunked\"}",
        "chunked#",
        "=chunked",
        "5",
    ] {
        stand.refused(400, post(&format!("Transfer-Encoding: {coding}"), body));
    }
    for coding in ["gzip, chunked", "identity, chunked", "deflate,chunked", "x, Chunked", "gzip;q=1, chunked"] {
        stand.refused(501, post(&format!("Transfer-Encoding: {coding}"), body));
    }
    for lines in [
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding:\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        " Transfer-Encoding: chunked",
        "Transfer-Encoding\x0b: chunked",
        "Transfer-Encoding\0: chunked",
        "Transfer Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
        "Transfer-Encoding\r\n : chunked",
        "Transfer-Encoding",
        "Transfer-Encoding chunked",
    ] {
        stand.refused(400, post(lines, body));
    }
    stand.refused(
        400,
        "POST /record HTTP/1.0\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    stand.refused(
        400,
        "POST /record HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    );
    for name in [
        "Transfer-Encoding:chunked",
        "transfer-encoding: chunked",
        "TRANSFER-ENCODING: CHUNKED",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding: chunked ",
        "Transfer-Encoding:  Chunked\t",
    ] {
        stand.served(200, "hello", post(name, body));
    }
    // Another field, and so no body: what follows is the next request.
    for name in [
        "Transfer_Encoding: chunked",
        "Transfer-Encodin: chunked",
        "X-Transfer-Encoding: chunked",
        "Transfer-Encoding-: chunked",
        "Transfer.Encoding: chunked",
    ] {
        stand.served(200, "hello", post(&format!("{name}\r\nContent-Length: 5"), "hello"));
    }
    stand.stood(74);
}

#[test]
fn chunks() {
    let mut stand = Stand::new();
    for (body, content) in [
        ("0\r\n\r\n", ""),
        ("000\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"),
        ("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("0005\r\nhello\r\n0\r\n\r\n", "hello"),
        ("0000000000000005\r\nhello\r\n0\r\n\r\n", "hello"),
        ("1\r\nh\r\n1\r\ni\r\n0\r\n\r\n", "hi"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        ("5;a\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5;a=b\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5;a=\"b;c\"\r\nhello\r\n0;d\r\n\r\n", "hello"),
        ("5;a=\"\\\"\";b\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5; a\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5;a = b ;c\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5;a=\"\"\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5\r\nhello\r\n0\r\nX: y\r\n\r\n", "hello"),
        ("5\r\nhello\r\n0\r\nX:\r\nY: a:b\r\n\r\n", "hello"),
        ("5\r\nhello\r\n0\r\nContent-Type: text/evil\r\n\r\n", "hello"),
        ("5\r\nhello\r\n0\r\nAuthorization: Bearer evil\r\n\r\n", "hello"),
    ] {
        stand.served(200, content, chunked(body));
    }
    for size in [
        "",
        " ",
        "g",
        "0x5",
        "0X5",
        "x5",
        "5x",
        "5h",
        "+5",
        "-5",
        "-1",
        " 5",
        "\t5",
        "5 ",
        "5\t",
        "5 ;a",
        "5\t;a",
        "5 5",
        "5,5",
        "5_",
        "0_5",
        "1_0",
        "5.0",
        "５",
        "5\0",
        "\x0b5",
        "5\x0b",
        "5\r",
        "5\rx",
        "00000000000000005",
        "ffffffffffffffff0",
        "fffffffffffffffff",
        "10000000000000005",
        ";",
        ";a",
        "5;",
        "5;;a",
        "5;a;",
        "5;=b",
        "5;a=",
        "5;a=;b",
        "5;a b",
        "5;a=b c",
        "5;a=\"",
        "5;a=\"b",
        "5;a=\"b\"c",
        "5;a=\"\\",
        "5;a\0",
        "5;a\x01",
        "5;a\x7f",
        "5;a\rb",
        "5;[",
        "5;a[=x",
        "5;é",
        "5;a ",
        "5:a",
        "5=a",
    ] {
        stand.refused(400, chunked(&format!("{size}\r\nhello\r\n0\r\n\r\n")));
    }
    stand.refused(413, chunked("401\r\n"));
    stand.refused(413, chunked("ffffffffffffffff\r\n"));
    stand.refused(413, chunked("7fffffffffffffff\r\nhello\r\n0\r\n\r\n"));
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5;a\nhello\r\n0\r\n\r\n",
        "5;\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello!!\r\n0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        "4\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n\r\n0\r\n\r\n",
        "\r\n5\r\nhello\r\n0\r\n\r\n",
        "5\r\n\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\n\n",
        "5\r\nhello\r\n0\r\n\rX",
        "hello",
        "hello\r\n",
        "5\r\nhello\r\n;0\r\n\r\n",
    ] {
        stand.refused(400, chunked(body));
    }
    for body in [
        "",
        "5",
        "5\r",
        "5\r\n",
        "5\r\nhel",
        "5\r\nhello",
        "5\r\nhello\r",
        "5\r\nhello\r\n",
        "5\r\nhello\r\n0",
        "5\r\nhello\r\n0\r\n",
        "5\r\nhello\r\n0\r\n\r",
        "5\r\nhello\r\n0\r\nX: y",
        "5\r\nhello\r\n0\r\nX: y\r\n",
        "5;a=\"b",
    ] {
        stand.awaited(chunked(body));
    }
    stand.stood(110);
}

#[test]
fn trailers() {
    let mut stand = Stand::new();
    for field in [
        "X : y",
        "X",
        " X: y",
        ": y",
        "X: y\r\n z",
        "X y: z",
        "X: \0",
        "X: a\rb",
        "X\0: y",
        "X: \x7f",
        "Xé: y",
        "Content-Length: 50",
        "content-length: 0",
        "Transfer-Encoding: chunked",
        "Host: evil",
        "Connection: close",
        "Expect: 100-continue",
        "Trailer: X",
        "GET /ping HTTP/1.1",
        "X: a\nY: b",
        "\tX: y",
    ] {
        stand.refused(400, chunked(&format!("5\r\nhello\r\n0\r\n{field}\r\n\r\n")));
    }
    stand.refused(400, chunked(&format!("0\r\n{}\r\n", "X: y\r\n".repeat(700))));
    stand.stood(22);
}

#[test]
fn expectations() {
    let mut stand = Stand::new();
    for expect in [
        "",
        "100",
        "continue",
        "200-ok",
        "100-continue, 100-continue",
        "100-continue;a",
        "\"100-continue\"",
        "x",
        "100-continue, x",
        "100_continue",
    ] {
        stand.refused(417, post(&format!("Expect: {expect}\r\nContent-Length: 5"), "hello"));
    }
    // The body is here, so no 100 is due; one that comes byte by byte gets none either once it has begun.
    for expect in ["Expect: 100-continue", "expect: 100-Continue", "Expect:100-continue "] {
        let node = &stand.node;
        let mut client = node.connect();
        assert_eq!(client.ask(post(&format!("{expect}\r\nContent-Length: 5"), "hello")).body, b"hello");
        client.send(post(&format!("{expect}\r\nContent-Length: 5"), ""));
        assert_eq!(client.answer().status, 100);
        assert_eq!(client.ask("hello").body, b"hello");
        // No body, no 100; nor where the answer is known already.
        assert_eq!(client.ask(format!("GET /ping HTTP/1.1\r\nHost: test\r\n{expect}\r\n\r\n")).status, 200);
        assert_eq!(client.ask(post(&format!("{expect}\r\nContent-Length: 0"), "")).status, 200);
        assert_eq!(
            client
                .ask(format!(
                    "POST /record HTTP/1.0\r\nConnection: keep-alive\r\n{expect}\r\nContent-Length: 5\r\n\r\nhello"
                ))
                .body,
            b"hello"
        );
        for (line, length, status) in
            [("POST /record", "1025", 413), ("POST /nowhere", "5", 404), ("POST /ping", "5", 405)]
        {
            let mut client = node.connect();
            let answer =
                client.ask(format!("{line} HTTP/1.1\r\nHost: test\r\n{expect}\r\nContent-Length: {length}\r\n\r\n"));
            assert_eq!((answer.status, answer.closes()), (status, true), "no 100 before it");
            client.expect_end();
        }
        node.recorded.take();
    }
    assert_eq!(stand.node.connect().ask(get("/ping")).status, 200);
    stand.stood(10);
}
