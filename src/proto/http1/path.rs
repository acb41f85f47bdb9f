//! The path of a request, decoded and resolved once, so that routing, limits and caches all see the same text.
//! Never here: a path that means one thing before decoding and another after.

use std::borrow::Cow;

use crate::core::fault::Fault;

use super::percent;

/// Decodes escapes and resolves `.` and `..`. `raw` starts with `/` and is printable ASCII; so does the result, which is
/// valid UTF-8 without control characters. Nothing is copied when nothing changes.
///
/// # Errors
/// `Malformed` for escapes that are no hex pair, no UTF-8, a control, `/` or `\`; and for `..` above the root.
pub fn normalize(raw: &str) -> Result<Cow<'_, str>, Fault> {
    debug_assert!(raw.starts_with('/'));
    let mut before = 0;
    let plain = raw.bytes().all(|byte| {
        let special = matches!(byte, b'%' | b'\\') || (byte == b'.' && before == b'/');
        before = byte;
        !special
    });
    if plain { Ok(Cow::Borrowed(raw)) } else { resolve(raw).map(Cow::Owned) }
}

fn resolve(raw: &str) -> Result<String, Fault> {
    let mut out = Vec::with_capacity(raw.len());
    let mut segments = raw.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let start = out.len();
        out.push(b'/');
        decode(segment.as_bytes(), &mut out)?;
        let parents = match out.get(start..) {
            Some(b"/.") => 0,
            Some(b"/..") => 1,
            _ => continue,
        };
        out.truncate(start);
        if parents == 1 {
            let parent = out.iter().rposition(|&b| b == b'/').ok_or(Fault::Malformed("path goes above its root"))?;
            out.truncate(parent);
        }
        // RFC 3986 §5.2.4: a dot segment at the end leaves the slash before it.
        if segments.peek().is_none() {
            out.push(b'/');
        }
    }
    let path = String::from_utf8(out).map_err(|_| Fault::Malformed("path is not UTF-8"))?;
    if path.chars().any(char::is_control) {
        return Err(Fault::Malformed("escaped control character in the path"));
    }
    Ok(path)
}

fn decode(mut segment: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    while let Some((&byte, rest)) = segment.split_first() {
        let (byte, rest) = match byte {
            b'%' => {
                percent::escape(segment).ok_or(Fault::Malformed("escape in the path is not % and two hex digits"))?
            }
            _ => (byte, rest),
        };
        // Readers disagree whether these separate segments.
        if matches!(byte, b'/' | b'\\') {
            return Err(Fault::Malformed("escaped slash, or a backslash, in the path"));
        }
        out.push(byte);
        segment = rest;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, expect: Result<&str, &str>) {
        let got = normalize(raw);
        let got = got.as_deref().map_err(|fault| match fault {
            Fault::Malformed(what) => *what,
            other => panic!("{raw}: {other:?}"),
        });
        assert_eq!(got, expect, "{raw}");
    }

    #[test]
    fn plain_paths_are_borrowed() {
        for raw in ["/", "/api/v1/products/42", "//a//", "/a.b", "/a..", "/a;x=1:@!$&'()*+,"] {
            assert!(matches!(normalize(raw), Ok(Cow::Borrowed(same)) if same == raw), "{raw}");
        }
    }

    #[test]
    fn escapes_are_decoded_once() {
        check("/%61%2Db", Ok("/a-b"));
        check("/%e4%bd%a0", Ok("/你"));
        check("/%2541", Ok("/%41"));
        check("/a%20b%3Fc%23", Ok("/a b?c#"));
    }

    #[test]
    fn dot_segments_are_resolved_after_decoding() {
        check("/a/./b", Ok("/a/b"));
        check("/a/../b", Ok("/b"));
        check("/a/%2e%2E/b", Ok("/b"));
        check("/a/b/..", Ok("/a/"));
        check("/a/.", Ok("/a/"));
        check("/.", Ok("/"));
        check("/a/..", Ok("/"));
        check("/a//../b", Ok("/a/b"));
        check("/.well-known/x", Ok("/.well-known/x"));
        check("/...", Ok("/..."));
    }

    #[test]
    fn what_readers_take_differently_is_refused() {
        let above = Err("path goes above its root");
        check("/..", above);
        check("/a/../..", above);
        check("/%2e%2e/etc", above);
        let slash = Err("escaped slash, or a backslash, in the path");
        check("/a%2fb", slash);
        check("/a%5Cb", slash);
        check("/a\\b", slash);
        let control = Err("escaped control character in the path");
        check("/%00", control);
        check("/%0d%0a", control);
        check("/%7f", control);
        check("/%c2%85", control);
        let escape = Err("escape in the path is not % and two hex digits");
        check("/%", escape);
        check("/%4", escape);
        check("/%zz", escape);
        check("/%+1", escape);
        check("/%u4f60", escape);
        let utf8 = Err("path is not UTF-8");
        check("/%ff", utf8);
        check("/%c0%af", utf8);
        check("/%ed%a0%80", utf8);
    }
}
