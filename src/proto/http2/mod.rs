//! HTTP/2 as far as it is ours (RFC 9113): library types ⇄ `Request` and `Reply`, frames counted, floods judged. The frames
//! themselves, HPACK and flow control are the `h2` crate's.
//! Never here: sockets, clocks, a second opinion on what a request may be: targets, hosts and lengths are read as in HTTP/1.

use crate::core::method::Method;

pub mod block;
pub mod budget;
pub mod head;
pub mod meter;
pub mod order;
pub mod payload;
pub mod reply;

/// What a client that speaks HTTP/2 sends first (RFC 9113 §3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The part of it that a reader of HTTP/1 takes for a head.
const PREFACE_HEAD: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// Whether a head that is none of HTTP/1 is the beginning of a connection preface, right or wrong: what looks like one gets
/// the error of HTTP/2 (RFC 9113 §3.4), anything else is HTTP/1 gone wrong, and is told so in HTTP/1.
#[must_use]
pub fn is_preface(head: &[u8]) -> bool {
    head.starts_with(PREFACE_HEAD) || is_failed_preface(head)
}

/// Three words in capitals and nothing else, of which the first is no method and the last no version: it has the shape of a
/// preface, and nothing of a request.
fn is_failed_preface(head: &[u8]) -> bool {
    let (line, rest) = head.split_at(head.iter().position(|byte| *byte == b'\r').unwrap_or(head.len()));
    let mut words = line.split(|byte| *byte == b' ');
    let mut capitals = || words.next().filter(|word| !word.is_empty() && word.iter().all(u8::is_ascii_uppercase));
    let (Some(first), Some(_), Some(_)) = (capitals(), capitals(), capitals()) else { return false };
    let is_method = str::from_utf8(first).is_ok_and(|first| Method::from_token(first).is_some());
    rest.starts_with(b"\r\n\r\n") && words.next().is_none() && !is_method
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preface_is_told_from_requests_gone_wrong() {
        for preface in [&PREFACE[..], PREFACE_HEAD, b"PRI * HTTP/2.0\r\n\r\nMS\r\n\r\n", b"NO PREFACE EITHER\r\n\r\n"] {
            assert!(is_preface(preface), "{}", preface.escape_ascii());
        }
        for request in [
            &b"GET / HTTP/2.0\r\n\r\n"[..],
            b"PRI * HTTP/1.1\r\n\r\n",
            b"NO PREFACE EITHER\r\nhost: a\r\n\r\n",
            b"NO PREFACE EITHER HERE\r\n\r\n",
            b"NO  EITHER\r\n\r\n",
            b"NO PREFACE either\r\n\r\n",
            b"GET FOO BAR\r\n\r\n",
            b"GET / FOO\r\n\r\n",
            b"GET FOO\r\n\r\n",
            b"GET http://a/ FOO\r\n\r\n",
            b"A B C D\r\n\r\n",
            b"\r\n\r\n",
            b"",
        ] {
            assert!(!is_preface(request), "{}", request.escape_ascii());
        }
    }
}
