//! Request heads: where one ends, and what it says.
//! Never here: a parse of a head that is not whole. Its end is searched as bytes arrive, each byte once.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use httparse::{Error, Header, Status};
use memchr::{memchr, memchr_iter, memchr2};

use crate::core::bounds::{HEADERS_MAX, METHOD_BYTES_MAX};
use crate::core::fault::Fault;
use crate::core::method::Method;
use crate::proto::request::is_value_byte;

use super::framing::{self, Framing};
use super::target::{self, Target};
use super::{BodyMode, Limits, Version, Wire};

const NO_REQUEST_LINE: Fault = Fault::Malformed("request line is not METHOD TARGET VERSION");

/// Room for the header fields of one request, on the stack of whoever calls `Machine::advance`. Making one costs nothing.
pub struct HeaderTable<'b>([MaybeUninit<Header<'b>>; HEADERS_MAX]);

/// How far the search for the end of a head has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// Bytes of the head that need no second look.
    scanned: usize,
    empty_line: EmptyLine,
}

/// RFC 9112 §2.2 asks for patience with one empty line before a request; old clients send it after a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EmptyLine {
    NotSeen,
    Skipped,
}

/// A whole and lawful head.
pub(super) struct Head<'b> {
    pub method: Method,
    pub version: Version,
    pub path: Cow<'b, str>,
    pub query: &'b str,
    pub headers: &'b [Header<'b>],
    pub framing: Framing,
}

impl HeaderTable<'_> {
    #[must_use]
    pub const fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; HEADERS_MAX])
    }
}

impl Default for HeaderTable<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl Scan {
    pub const NEW: Self = Self { scanned: 0, empty_line: EmptyLine::NotSeen };

    /// Bytes of an empty line at the start, which are no part of the head.
    pub fn skip_empty_line(&mut self, bytes: &[u8]) -> usize {
        let first = self.empty_line == EmptyLine::NotSeen && self.scanned == 0;
        if !(first && bytes.starts_with(b"\r\n")) {
            return 0;
        }
        self.empty_line = EmptyLine::Skipped;
        2
    }

    /// Length of the head that starts `bytes`, its empty line included; `None` until that has arrived.
    pub fn head_end(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Fault> {
        let window = bytes.get(..limits.head_bytes_max).unwrap_or(bytes);
        let fresh = self.scanned;
        if let Some(end) = self.find_empty_line(window)? {
            return Ok(Some(end));
        }
        if window.get(fresh..).unwrap_or_default().iter().any(|&b| is_never_in_head(b)) {
            return Err(Fault::Malformed("control byte in the head"));
        }
        check_partial_line(first_line(window), window)?;
        if partial_target(window).len() > limits.target_bytes_max {
            return Err(Fault::TargetTooLong { bytes_max: limits.target_bytes_max });
        }
        if window.len() == limits.head_bytes_max {
            return Err(Fault::HeadTooLarge { bytes_max: limits.head_bytes_max });
        }
        Ok(None)
    }

    fn find_empty_line(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        while let Some(found) = bytes.get(self.scanned..).and_then(|rest| memchr2(b'\r', b'\n', rest)) {
            let (line, end) = bytes.split_at(self.scanned + found);
            match end {
                [b'\r'] => {
                    self.scanned = line.len();
                    return Ok(None);
                }
                [b'\r', b'\n', ..] if line.is_empty() => {
                    return Err(Fault::Malformed("more than one empty line before the request"));
                }
                [b'\r', b'\n', ..] => self.scanned = line.len() + 2,
                // RFC 9112 §2.2 lets a reader accept a bare LF and forbids a bare CR; readers that differ are how
                // requests are smuggled, so neither is accepted.
                [b'\n', ..] => return Err(Fault::Malformed("bare LF in the head")),
                _ => return Err(Fault::Malformed("bare CR in the head")),
            }
            if line.ends_with(b"\n") {
                return Ok(Some(self.scanned));
            }
        }
        self.scanned = bytes.len();
        Ok(None)
    }
}

impl<'b> Head<'b> {
    /// Reads `bytes`, which end with the empty line that `Scan::head_end` found.
    pub fn read(bytes: &'b [u8], table: &'b mut HeaderTable<'b>, limits: &Limits) -> Result<Self, Fault> {
        debug_assert!(bytes.ends_with(b"\r\n\r\n"), "only a whole head is parsed");
        let slots = &mut table.0[..limits.headers_max];
        let mut parsed = httparse::Request::new(&mut []);
        match parsed.parse_with_uninit_headers(bytes, slots) {
            Ok(Status::Complete(length)) if length == bytes.len() => {}
            Ok(_) => return Err(Fault::Malformed("head ends inside a line")),
            Err(error) => return Err(refuse(error, bytes, limits)),
        }
        let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(Fault::Internal);
        };
        check_method(method.as_bytes())?;
        if target.len() > limits.target_bytes_max {
            return Err(Fault::TargetTooLong { bytes_max: limits.target_bytes_max });
        }
        let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        let method = Method::from_token(method).ok_or_else(|| unserved(method))?;
        let Target { authority, path, query } = target::read(method, target)?;
        let framing = framing::read(parsed.headers, version, authority)?;
        Ok(Self { method, version, path, query, headers: parsed.headers, framing })
    }

    pub fn wire(&self) -> Wire {
        let body = if self.method == Method::Head { BodyMode::Omit } else { BodyMode::Send };
        Wire { version: self.version, persistence: self.framing.persistence, body }
    }
}

/// Bytes that make a head hopeless wherever they stand. CR and LF have been judged before.
const fn is_never_in_head(byte: u8) -> bool {
    !(is_value_byte(byte) || matches!(byte, b'\r' | b'\n'))
}

/// A first line that cannot become a request is refused without waiting for the rest of its head. The target is judged
/// apart, because it has a status of its own.
fn check_partial_line(line: &[u8], head: &[u8]) -> Result<(), Fault> {
    let is_whole = !line.is_empty() && head.get(line.len()) == Some(&b'\r');
    match memchr(b' ', line) {
        // RFC 9112 §2.3: a line without a version is HTTP/0.9, which nobody speaks.
        None if is_whole => Err(NO_REQUEST_LINE),
        None => check_method(line),
        Some(end) => {
            check_method(line.get(..end).unwrap_or_default())?;
            let words = memchr_iter(b' ', line).count();
            if words > 2 || (is_whole && words < 2) { Err(NO_REQUEST_LINE) } else { Ok(()) }
        }
    }
}

const fn check_method(method: &[u8]) -> Result<(), Fault> {
    if method.len() > METHOD_BYTES_MAX { Err(Fault::Malformed("method is too long to be one")) } else { Ok(()) }
}

/// RFC 9110 §9.3.6, §9.3.8: a tunnel leads away from here and an echo shows what it was sent, so neither exists on any
/// path. The connection closes: what follows a CONNECT is not HTTP.
fn unserved(method: &str) -> Fault {
    match method {
        "CONNECT" | "TRACE" => Fault::MethodNotAllowed { allow: Method::ALLOW_ALL.into() },
        _ => Fault::MethodUnknown,
    }
}

/// The target of a request line as far as it has arrived.
fn partial_target(head: &[u8]) -> &[u8] {
    let line = first_line(head);
    let Some(target) = memchr(b' ', line).and_then(|space| line.get(space + 1..)) else {
        return &[];
    };
    let end = memchr(b' ', target).unwrap_or(target.len());
    target.get(..end).unwrap_or(target)
}

fn first_line(head: &[u8]) -> &[u8] {
    memchr(b'\r', head).and_then(|end| head.get(..end)).unwrap_or(head)
}

fn refuse(error: Error, head: &[u8], limits: &Limits) -> Fault {
    match error {
        Error::TooManyHeaders => Fault::HeadersTooMany { count_max: limits.headers_max },
        // A byte that is never in a head would have been seen before the version if the head had come in pieces.
        Error::Version if head.iter().any(|&b| is_never_in_head(b)) => Fault::Malformed("control byte in the head"),
        Error::Version if names_other_version(head) => Fault::VersionUnsupported,
        Error::Version => Fault::Malformed("HTTP version is malformed"),
        Error::HeaderName => Fault::Malformed("header name is not a token directly before a colon"),
        Error::HeaderValue => Fault::Malformed("control byte in a header value"),
        Error::Token => NO_REQUEST_LINE,
        Error::NewLine | Error::Status => Fault::Malformed("line does not end in CRLF"),
    }
}

/// Whether the third word of the request line is the last one, and a well-formed version (RFC 9112 §2.3).
fn names_other_version(head: &[u8]) -> bool {
    let mut words = first_line(head).split(|&b| b == b' ').skip(2);
    let version = words.next().unwrap_or_default();
    let is_version = matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit());
    is_version && words.next().is_none()
}

#[cfg(test)]
mod tests;
