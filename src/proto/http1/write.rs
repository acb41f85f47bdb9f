//! Replies as bytes (RFC 9112 §4, §6): status line, fields, body, and the chunked coding of streams.
//! Never here: a length that is not the body's, a header value with a control byte, `fmt`.

use crate::proto::reply::{Content, JSON, Reply};

use super::{BodyMode, Persistence, Version, Wire};

/// The interim answer to `Event::SendContinue`.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Status line and type of nearly every answer, copied at once.
const OK_JSON: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\nx-content-type-options: nosniff\r\n";
/// The fields written here take about 200 bytes; more come only with headers of the reply.
const HEAD_BYTES_USUAL: usize = 384;

/// What an answer needs beside the reply itself.
#[derive(Clone, Copy, Debug)]
pub struct ReplyContext<'a> {
    /// From `imf_fixdate`, made once a second.
    pub date: &'a [u8; 29],
    pub request_id: &'a str,
    pub wire: Wire,
}

/// How the pieces of a stream are marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamCoding {
    Chunked,
    /// For a 1.0 client the end of the connection is the end of the body: the caller must close, whatever `Wire` says.
    UntilClose,
    /// The answer to a HEAD: no piece is written.
    Omit,
}

/// Appends a whole answer to `out`.
///
/// # Panics
/// If the body is a stream: those go through `write_stream_head`.
pub fn write_reply(out: &mut Vec<u8>, reply: &Reply, cx: &ReplyContext<'_>) {
    let Some(Content { content_type, bytes: body }) = reply.content() else {
        unreachable!("a stream has no length to write; see write_stream_head")
    };
    out.reserve(HEAD_BYTES_USUAL + body.len());
    // RFC 9110 §15.3.5, §15.4.5: neither has content; a 304 describes what the client already has.
    let has_content = !matches!(reply.status, 204 | 304);
    write_start(out, reply.status, if has_content { content_type } else { "" });
    write_common(out, reply, cx);
    write_connection(out, cx.wire);
    if has_content {
        out.extend_from_slice(b"content-length: ");
        out.extend_from_slice(itoa::Buffer::new().format(body.len()).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    if has_content && cx.wire.body == BodyMode::Send {
        out.extend_from_slice(body);
    }
}

/// Appends the head of an answer whose length is not known yet. The result goes to every `write_chunk` that follows.
#[must_use]
pub fn write_stream_head(out: &mut Vec<u8>, reply: &Reply, cx: &ReplyContext<'_>) -> StreamCoding {
    debug_assert!(!matches!(reply.status, 204 | 304), "these have no content");
    let coding = match (cx.wire.body, cx.wire.version) {
        (BodyMode::Omit, _) => StreamCoding::Omit,
        (BodyMode::Send, Version::Http11) => StreamCoding::Chunked,
        (BodyMode::Send, Version::Http10) => StreamCoding::UntilClose,
    };
    out.reserve(HEAD_BYTES_USUAL);
    write_start(out, reply.status, JSON);
    write_common(out, reply, cx);
    match coding {
        StreamCoding::UntilClose => write_connection(out, Wire { persistence: Persistence::Close, ..cx.wire }),
        StreamCoding::Chunked | StreamCoding::Omit => write_connection(out, cx.wire),
    }
    // RFC 9112 §6.1: also in the answer to a HEAD, and never to a 1.0 client.
    if cx.wire.version == Version::Http11 {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    out.extend_from_slice(b"\r\n");
    coding
}

/// Appends one piece of a stream. An empty piece writes nothing: as a chunk it would end the body.
pub fn write_chunk(out: &mut Vec<u8>, coding: StreamCoding, piece: &[u8]) {
    match coding {
        StreamCoding::Chunked if !piece.is_empty() => {
            write_hex(out, piece.len());
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(piece);
            out.extend_from_slice(b"\r\n");
        }
        StreamCoding::UntilClose => out.extend_from_slice(piece),
        StreamCoding::Chunked | StreamCoding::Omit => {}
    }
}

/// Appends the end of a stream.
pub fn write_last_chunk(out: &mut Vec<u8>, coding: StreamCoding) {
    match coding {
        StreamCoding::Chunked => out.extend_from_slice(b"0\r\n\r\n"),
        StreamCoding::UntilClose | StreamCoding::Omit => {}
    }
}

/// Status line and content type; no type when that is empty.
fn write_start(out: &mut Vec<u8>, status: u16, content_type: &str) {
    if status == 200 && content_type == JSON {
        out.extend_from_slice(OK_JSON);
        return;
    }
    debug_assert!((200..=599).contains(&status), "final answers only");
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(status).as_bytes());
    out.extend_from_slice(b" ");
    out.extend_from_slice(reason(status).as_bytes());
    out.extend_from_slice(b"\r\n");
    if !content_type.is_empty() {
        write_field(out, "content-type", content_type);
        // The type is what it says; a browser must not find a page in somebody's text.
        out.extend_from_slice(b"x-content-type-options: nosniff\r\n");
    }
}

/// What every answer carries, and the reply's own headers.
fn write_common(out: &mut Vec<u8>, reply: &Reply, cx: &ReplyContext<'_>) {
    out.extend_from_slice(b"date: ");
    out.extend_from_slice(cx.date);
    out.extend_from_slice(b"\r\n");
    write_field(out, "x-request-id", cx.request_id);
    for (name, value) in reply.fields() {
        let is_ours = matches!(name, "connection" | "content-length" | "content-type" | "date" | "transfer-encoding");
        debug_assert!(!is_ours, "{name} is written by the wire alone");
        if !is_ours {
            write_field(out, name, value);
        }
    }
}

/// A value that could end its line early is a bug of ours and never leaves: the field is dropped.
fn write_field(out: &mut Vec<u8>, name: &str, value: &str) {
    let is_safe = value.bytes().all(|b| b == b'\t' || !b.is_ascii_control());
    debug_assert!(is_safe, "control byte in the value of {name}");
    if !is_safe {
        return;
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// RFC 9112 §9.3, Appendix C.2.2: a 1.0 client that asked to stay must be told that it may.
fn write_connection(out: &mut Vec<u8>, wire: Wire) {
    match (wire.persistence, wire.version) {
        (Persistence::Close, _) => out.extend_from_slice(b"connection: close\r\n"),
        (Persistence::KeepAlive, Version::Http10) => out.extend_from_slice(b"connection: keep-alive\r\n"),
        (Persistence::KeepAlive, Version::Http11) => {}
    }
}

fn write_hex(out: &mut Vec<u8>, number: usize) {
    let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
    for position in (0..digits).rev() {
        out.push(b"0123456789abcdef"[number >> (4 * position) & 15]);
    }
}

/// RFC 9110 §15; empty for a status that we do not give, which RFC 9112 §4 allows.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
