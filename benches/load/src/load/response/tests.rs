//! The parser against whole and split responses.

use super::*;

/// Status, connection and body of every response in `pieces`.
fn read(pieces: &[&[u8]]) -> Result<Vec<(u16, Connection, String)>, Malformed> {
    let mut parser = ResponseParser::default();
    let mut body = Vec::new();
    let mut found = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            if let Some(answered) = parser.advance(&mut rest, &mut |bytes| body.extend_from_slice(bytes))? {
                let text = String::from_utf8(std::mem::take(&mut body)).unwrap();
                found.push((answered.status, answered.connection, text));
            }
        }
    }
    Ok(found)
}

#[track_caller]
fn check(bytes: &str, expected: &[(u16, Connection, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(status, conn, body)| (*status, *conn, (*body).to_owned())).collect();
    let bytes = bytes.as_bytes();
    assert_eq!(read(&[bytes]).as_ref(), Ok(&expected), "whole");
    for at in 0..=bytes.len() {
        assert_eq!(read(&[&bytes[..at], &bytes[at..]]).as_ref(), Ok(&expected), "split at {at}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(read(&single).as_ref(), Ok(&expected), "byte by byte");
}

#[track_caller]
fn refuse(bytes: &str, reason: Malformed) {
    assert_eq!(read(&[bytes.as_bytes()]), Err(reason));
    let single: Vec<&[u8]> = bytes.as_bytes().chunks(1).collect();
    assert_eq!(read(&single), Err(reason));
}

use Connection::{Close, KeepAlive};

#[test]
fn lengths_frame_bodies() {
    check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", &[(200, KeepAlive, "hello")]);
    check("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", &[(404, Close, "")]);
    check("HTTP/1.1 200\r\ncontent-length:1\r\n\r\nx", &[(200, KeepAlive, "x")]);
}

#[test]
fn chunks_frame_bodies() {
    check(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n, world\r\n!\r\n0\r\nx: y\r\n\r\n",
        &[(200, KeepAlive, "hello, world\r\n!")],
    );
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", &[(200, KeepAlive, "")]);
}

#[test]
fn pipelined_responses_are_told_apart() {
    check(
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\n\r\nno\
         HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nz\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        &[(200, KeepAlive, "ok"), (429, KeepAlive, "no"), (200, KeepAlive, "z"), (204, KeepAlive, "")],
    );
}

#[test]
fn some_answers_have_no_body() {
    check("HTTP/1.1 304 Not Modified\r\ncontent-length: 1024\r\n\r\n", &[(304, KeepAlive, "")]);
    check(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1",
        &[(200, KeepAlive, "1")],
    );
}

#[test]
fn what_is_no_response_is_refused() {
    refuse("HTTP/2 200 OK\r\n\r\n", Malformed::StatusLine);
    refuse("HTTP/1.1 20 OK\r\n\r\n", Malformed::StatusLine);
    refuse("HTTP/1.1 2000\r\n\r\n", Malformed::StatusLine);
    refuse("HTTP/1.1 099 X\r\n\r\n", Malformed::StatusLine);
    refuse("HTTP/1.1 200 OK\r\nbroken\r\n\r\n", Malformed::Field);
    refuse("HTTP/1.1 200 OK\r\n\r\n", Malformed::Length);
    refuse("HTTP/1.1 200 OK\r\ncontent-length: +1\r\n", Malformed::Length);
    refuse("HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n", Malformed::Length);
    refuse("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n", Malformed::Length);
    refuse("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", Malformed::Length);
    refuse("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n", Malformed::Length);
    refuse("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n;\r\n", Malformed::Chunk);
    refuse("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n", Malformed::Chunk);
}

#[test]
fn a_line_may_be_as_long_as_the_bound_and_no_longer() {
    // The bound counts the carriage return.
    let with = |line_bytes: usize| format!("HTTP/1.1 204 X\r\nx:{}\r\n\r\n", "y".repeat(line_bytes - 3));
    check_long(&with(LINE_BYTES_MAX - 1), true);
    check_long(&with(LINE_BYTES_MAX), true);
    check_long(&with(LINE_BYTES_MAX + 1), false);
}

#[track_caller]
fn check_long(bytes: &str, fits: bool) {
    for piece_bytes in [1, 1000, bytes.len()] {
        let pieces: Vec<&[u8]> = bytes.as_bytes().chunks(piece_bytes).collect();
        let outcome = read(&pieces);
        assert_eq!(outcome.is_ok(), fits, "{} bytes in pieces of {piece_bytes}: {outcome:?}", bytes.len());
    }
}
