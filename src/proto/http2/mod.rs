//! HTTP/2 as far as it is ours (RFC 9113): library types ⇄ `Request` and `Reply`, frames counted, floods judged. The frames
//! themselves, HPACK and flow control are the `h2` crate's.
//! Never here: sockets, clocks, a second opinion on what a request may be: targets, hosts and lengths are read as in HTTP/1.

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

/// Whether a head that is none of HTTP/1 is the beginning of a connection preface: a right one, or a wrong one, which is for
/// HTTP/2 to refuse. A line that names no version of HTTP and asks for nothing that a client of HTTP/1 could ask for is
/// not taken for HTTP/1 gone wrong.
#[must_use]
pub fn is_preface(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ').skip(1);
    let (target, last, more) = (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next());
    let is_word = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_uppercase);
    head.starts_with(PREFACE_HEAD) || (is_word(target) && is_word(last) && more.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preface_is_told_from_requests_gone_wrong() {
        for preface in [&PREFACE[..], PREFACE_HEAD, b"INVALID CONNECTION PREFACE\r\n\r\n"] {
            assert!(is_preface(preface), "{}", preface.escape_ascii());
        }
        for request in [
            &b"GET / HTTP/2.0\r\n\r\n"[..],
            b"PRI * HTTP/1.1\r\n\r\n",
            b"GET / FOO\r\n\r\n",
            b"GET FOO\r\n\r\n",
            b"GET FOO HTTP\r\nhost: a\r\n\r\n".as_slice().get(..7).unwrap(),
            b"GET http://a/ FOO\r\n\r\n",
            b"A B C D\r\n\r\n",
            b"\r\n\r\n",
            b"",
        ] {
            assert!(!is_preface(request), "{}", request.escape_ascii());
        }
    }
}
