//! HTTP/1.1 responses as the generator reads them: status, framing by length or chunks, body passed on (RFC 9112 §6, §7).
//! Never here: sockets. Bytes go in, in pieces of any size.

use std::fmt;

/// Longest line of a head or chunk size. A server under test has no reason for more.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// Reads one response after another.
#[derive(Debug, Default)]
pub struct ResponseParser {
    state: State,
    /// The beginning of a line whose end has not arrived.
    line: Vec<u8>,
    head: Head,
}

/// A response that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    pub connection: Connection,
}

/// What the server does with the connection after the response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connection {
    #[default]
    KeepAlive,
    Close,
}

/// Why the bytes are no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    StatusLine,
    Field,
    Length,
    Chunk,
    LineTooLong,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    StatusLine,
    Fields,
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailer,
}

#[derive(Clone, Copy, Debug, Default)]
struct Head {
    status: u16,
    connection: Connection,
    length: Option<u64>,
    chunked: bool,
}

impl ResponseParser {
    /// Takes bytes off the front of `input` until a response has ended or nothing is left. Body bytes go to `body` in order.
    pub fn advance(&mut self, input: &mut &[u8], body: &mut impl FnMut(&[u8])) -> Result<Option<Answered>, Malformed> {
        while !input.is_empty() {
            let ended = match self.state {
                State::Body(left) => {
                    let left = pass_on(left, input, body);
                    self.state = State::Body(left);
                    left == 0
                }
                State::ChunkData(left) => {
                    self.state = match pass_on(left, input, body) {
                        0 => State::ChunkEnd,
                        left => State::ChunkData(left),
                    };
                    false
                }
                _ => self.advance_line(input)?,
            };
            if ended {
                let Head { status, connection, .. } = self.head;
                self.state = State::StatusLine;
                self.head = Head::default();
                return Ok(Some(Answered { status, connection }));
            }
        }
        Ok(None)
    }

    /// Takes one line; says whether the response has ended with it.
    fn advance_line(&mut self, input: &mut &[u8]) -> Result<bool, Malformed> {
        let end = input.iter().position(|&byte| byte == b'\n');
        if self.line.len() + end.unwrap_or(input.len()) > LINE_BYTES_MAX {
            return Err(Malformed::LineTooLong);
        }
        let Some(end) = end else {
            self.line.extend_from_slice(input);
            *input = &[];
            return Ok(false);
        };
        let (line, rest) = input.split_at(end);
        *input = &rest[1..];
        if self.line.is_empty() {
            return self.line_read(line);
        }
        let mut whole = std::mem::take(&mut self.line);
        whole.extend_from_slice(line);
        let outcome = self.line_read(&whole);
        whole.clear();
        self.line = whole;
        outcome
    }

    fn line_read(&mut self, line: &[u8]) -> Result<bool, Malformed> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.state {
            State::StatusLine => {
                self.head.status = status_of(line).ok_or(Malformed::StatusLine)?;
                self.state = State::Fields;
            }
            State::Fields if line.is_empty() => return self.head_read(),
            State::Fields => self.head.take_field(line)?,
            State::ChunkSize => {
                self.state = match chunk_size_of(line).ok_or(Malformed::Chunk)? {
                    0 => State::Trailer,
                    size => State::ChunkData(size),
                }
            }
            State::ChunkEnd if line.is_empty() => self.state = State::ChunkSize,
            State::ChunkEnd => return Err(Malformed::Chunk),
            State::Trailer => return Ok(line.is_empty()),
            State::Body(_) | State::ChunkData(_) => unreachable!("a body is not read by lines"),
        }
        Ok(false)
    }

    fn head_read(&mut self) -> Result<bool, Malformed> {
        let head = self.head;
        // RFC 9112 §6.3: these have no body whatever their fields say; an interim answer is followed by the final one.
        if matches!(head.status, 100..=199) {
            self.head = Head::default();
            self.state = State::StatusLine;
            return Ok(false);
        }
        if matches!(head.status, 204 | 304) {
            return Ok(true);
        }
        self.state = match (head.chunked, head.length) {
            (true, None) => State::ChunkSize,
            (false, Some(length)) => State::Body(length),
            // Both would be ambiguous; neither would run to the end of the connection, which a keep-alive server has no use for.
            (true, Some(_)) | (false, None) => return Err(Malformed::Length),
        };
        Ok(head.length == Some(0))
    }
}

impl Head {
    fn take_field(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let colon = line.iter().position(|&byte| byte == b':').ok_or(Malformed::Field)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        // The three names differ in length, so that other fields cost one comparison of numbers.
        match name.len() {
            10 if name.eq_ignore_ascii_case(b"connection") && value.eq_ignore_ascii_case(b"close") => {
                self.connection = Connection::Close;
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let length = decimal_of(value).ok_or(Malformed::Length)?;
                if self.length.replace(length).is_some() {
                    return Err(Malformed::Length);
                }
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Malformed::Length);
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }
}

fn pass_on(left: u64, input: &mut &[u8], body: &mut impl FnMut(&[u8])) -> u64 {
    let now = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
    let (bytes, rest) = input.split_at(now);
    body(bytes);
    *input = rest;
    left - now as u64
}

fn status_of(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.1 ")?;
    let (digits, reason) = rest.split_at_checked(3)?;
    let valid = digits[0] != b'0' && (reason.is_empty() || reason[0] == b' ');
    if valid { decimal_of(digits)?.try_into().ok() } else { None }
}

fn decimal_of(digits: &[u8]) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if all_digits { std::str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

fn chunk_size_of(line: &[u8]) -> Option<u64> {
    let size = line.split(|&byte| byte == b';').next()?.trim_ascii_end();
    let all_hex = !size.is_empty() && size.iter().all(u8::is_ascii_hexdigit);
    if all_hex { u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok() } else { None }
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::StatusLine => "status line is not HTTP/1.1 with three digits",
            Self::Field => "header field has no colon",
            Self::Length => "body needs exactly one content-length or transfer-encoding: chunked",
            Self::Chunk => "chunk size or its end is wrong",
            Self::LineTooLong => "line is longer than 16 KiB",
        })
    }
}

#[cfg(test)]
mod tests;
