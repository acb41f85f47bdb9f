//! Request heads: the library's fields as `Request` has them, judged by the rules of HTTP/1.
//! Never here: a rule that HTTP/1 does not have, unless RFC 9113 adds it.

use std::borrow::Cow;

use ::http::HeaderMap;
use ::http::header::{CONTENT_LENGTH, HOST};
use ::http::request::Parts;

use crate::core::fault::Fault;
use crate::core::method::Method;
use crate::proto::http1::framing::{self, Expectation, Length};
use crate::proto::http1::target::{self, Target};
use crate::proto::http1::{Limits, Version};
use crate::proto::request::{Header, Request};

/// What a field costs beside its name and value: in HTTP/1 a colon, a space and a line end.
const FIELD_EXTRA_BYTES: usize = 4;

/// Fields for which there is room on the stack: phones send 10 to 20. Making room costs the time to fill it.
const FIELDS_USUAL: usize = 24;
const EMPTY: Header<'_> = Header { name: "", value: b"" };

/// Room for the fields of one request, with whoever reads a head.
pub struct FieldTable<'h> {
    few: [Header<'h>; FIELDS_USUAL],
    /// Used when there are more.
    many: Vec<Header<'h>>,
}

/// A request that is not served, and how the client hears of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    Answer(Fault),
    /// RFC 9113 §8.1.1: malformed, which is an error of its stream. §8.7: or refused, to be tried again.
    Reset(Fault),
}

/// A lawful head.
pub struct Head<'h> {
    pub method: Method,
    pub path: Cow<'h, str>,
    pub query: &'h str,
    pub headers: &'h [Header<'h>],
    /// What the client says the body will have.
    pub content_length: Option<u64>,
    /// The client waits for a 100 before it sends the body.
    pub expects_continue: bool,
    /// As HTTP/1 would have sent it, about.
    pub bytes: usize,
}

impl FieldTable<'_> {
    #[must_use]
    pub const fn new() -> Self {
        Self { few: [EMPTY; FIELDS_USUAL], many: Vec::new() }
    }
}

impl Default for FieldTable<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Answer(fault)
    }
}

impl<'h> Head<'h> {
    /// Reads what the library has let pass: pseudo-fields are there once, names are in lower case, no field is specific to a
    /// connection.
    ///
    /// # Errors
    /// What the client is told.
    pub fn read(parts: &'h Parts, table: &'h mut FieldTable<'h>, limits: &Limits) -> Result<Self, Refusal> {
        // RFC 9113 §8.5.
        if parts.method == ::http::Method::CONNECT && parts.uri.authority().is_none() {
            return Err(Refusal::Reset(Fault::Malformed("CONNECT without an authority")));
        }
        let method = Method::from_token(parts.method.as_str()).ok_or(Fault::MethodUnknown)?;
        let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
        if target.len() > limits.target_bytes_max {
            return Err(Fault::TargetTooLong { bytes_max: limits.target_bytes_max }.into());
        }
        // RFC 9113 §8.3.1: no other form than these two. HTTP/1 has the absolute form besides.
        if !target.starts_with('/') && target != "*" {
            return Err(Refusal::Reset(Fault::Malformed("path does not start with a slash")));
        }
        let Target { path, query, .. } = target::read(method, target)?;
        let authority = parts.uri.authority().map(|authority| authority.as_str());
        let fields = fields(&parts.headers, authority, table, limits)?;
        let bytes = target.len() + fields.iter().map(field_bytes).sum::<usize>();
        if bytes > limits.head_bytes_max {
            return Err(Fault::HeadTooLarge { bytes_max: limits.head_bytes_max }.into());
        }
        let framing = framing::read(fields, Version::Http11, authority).map_err(of_field)?;
        let content_length = match framing.length {
            Length::Sized(length) if parts.headers.contains_key(CONTENT_LENGTH) => Some(length),
            Length::Sized(_) | Length::Chunked => None,
        };
        let expects_continue = framing.expectation == Expectation::Continue;
        Ok(Self { method, path, query, headers: fields, content_length, expects_continue, bytes })
    }

    /// The request, with its body.
    #[must_use]
    pub fn with<'r>(&'r self, body: &'r mut [u8]) -> Request<'r> {
        Request { method: self.method, path: &self.path, query: self.query, headers: self.headers, body }
    }
}

fn fields<'h>(
    from: &'h HeaderMap,
    authority: Option<&'h str>,
    table: &'h mut FieldTable<'h>,
    limits: &Limits,
) -> Result<&'h [Header<'h>], Refusal> {
    // RFC 9113 §8.3.1: whoever reads it as HTTP/1 does finds the authority in Host.
    let host = authority.filter(|_| !from.contains_key(HOST));
    let host = host.map(|authority| Header { name: "host", value: authority.as_bytes() });
    let given = from.iter().map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() });
    let count = from.len() + usize::from(host.is_some());
    if count > limits.headers_max {
        return Err(Fault::HeadersTooMany { count_max: limits.headers_max }.into());
    }
    let room = match table.few.get_mut(..count) {
        Some(few) => few,
        None => {
            table.many.resize(count, EMPTY);
            &mut table.many[..]
        }
    };
    for (slot, field) in room.iter_mut().zip(host.into_iter().chain(given)) {
        *slot = lawful(field).map_err(of_field)?;
    }
    Ok(room)
}

fn lawful(field: Header<'_>) -> Result<Header<'_>, Fault> {
    // RFC 9113 §8.2.1; in HTTP/1 such space belongs to the line, not to the value.
    if field.value.trim_ascii().len() != field.value.len() {
        return Err(Fault::Malformed("white space around a header value"));
    }
    Ok(field)
}

/// RFC 9113 §8.2.1, §8.3.1: fields that HTTP/1 would not take make a request malformed.
const fn of_field(fault: Fault) -> Refusal {
    match fault {
        Fault::Malformed(_) => Refusal::Reset(fault),
        other => Refusal::Answer(other),
    }
}

const fn field_bytes(field: &Header<'_>) -> usize {
    field.name.len() + field.value.len() + FIELD_EXTRA_BYTES
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { head_bytes_max: 400, target_bytes_max: 100, headers_max: 8 };

    fn parts(method: &str, uri: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = ::http::Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            let value = ::http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            request = request.header(*name, value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[track_caller]
    fn check(method: &str, uri: &str, fields: &[(&str, &str)], expect: Result<(&str, &str), Refusal>) {
        let parts = parts(method, uri, fields);
        let mut table = FieldTable::new();
        let got = Head::read(&parts, &mut table, &LIMITS);
        let got = got.as_ref().map(|head| (&*head.path, head.query)).map_err(Clone::clone);
        assert_eq!(got, expect, "{method} {uri} {fields:?}");
    }

    #[test]
    fn paths_and_hosts_are_read_as_in_http1() {
        check("GET", "http://shop/a/../b%20c?x=1", &[], Ok(("/b c", "x=1")));
        check("GET", "http://shop/", &[("host", "shop")], Ok(("/", "")));
        check("GET", "/", &[("host", "shop")], Ok(("/", "")));
        check("OPTIONS", "*", &[("host", "shop")], Ok(("*", "")));
        check(
            "GET",
            "*",
            &[("host", "shop")],
            Err(Refusal::Answer(Fault::Malformed("request target does not fit the method"))),
        );
        check("GET", "/", &[], Err(Refusal::Reset(Fault::Malformed("no host header"))));
        let differs = Err(Refusal::Reset(Fault::Malformed("host header differs from the request target")));
        check("GET", "http://shop/", &[("host", "other")], differs);
        check("GET", "/", &[("host", "a"), ("host", "a")], Err(Refusal::Reset(Fault::Malformed("host given twice"))));
        check(
            "GET",
            "/%2f",
            &[("host", "a")],
            Err(Refusal::Answer(Fault::Malformed("escaped slash, or a backslash, in the path"))),
        );
        let userinfo = Err(Refusal::Reset(Fault::Malformed("host header is not HOST or HOST:PORT")));
        check("GET", "http://me@shop/", &[], userinfo);
        check("CONNECT", "shop:443", &[], Err(Fault::MethodUnknown.into()));
        check("CONNECT", "/", &[("host", "a")], Err(Refusal::Reset(Fault::Malformed("CONNECT without an authority"))));
        check("BREW", "/", &[("host", "a")], Err(Fault::MethodUnknown.into()));
    }

    #[test]
    fn values_are_read_as_in_http1() {
        let host = ("host", "a");
        check("GET", "/", &[host, ("x", "é")], Ok(("/", "")));
        let hosts = Err(Refusal::Reset(Fault::Malformed("host header is not HOST or HOST:PORT")));
        check("GET", "/", &[("host", "é")], hosts);
        check(
            "GET",
            "/",
            &[host, ("x", " a")],
            Err(Refusal::Reset(Fault::Malformed("white space around a header value"))),
        );
        check(
            "GET",
            "/",
            &[host, ("x", "a\t")],
            Err(Refusal::Reset(Fault::Malformed("white space around a header value"))),
        );
        let twice = [host, ("content-length", "1"), ("content-length", "1")];
        check("POST", "/", &twice, Err(Refusal::Reset(Fault::Malformed("content-length given twice"))));
        check("POST", "/", &[host, ("expect", "tea")], Err(Fault::ExpectationUnknown.into()));
    }

    #[test]
    fn heads_are_bounded() {
        let path = |len: usize| format!("/{}", "a".repeat(len - 1));
        check("GET", &path(100), &[("host", "a")], Ok((&path(100), "")));
        check("GET", &path(101), &[("host", "a")], Err(Fault::TargetTooLong { bytes_max: 100 }.into()));
        let names = ["a", "b", "c", "d", "e", "f", "g", "i"];
        let many: Vec<_> = [("host", "h")].into_iter().chain(names.iter().map(|name| (*name, ""))).collect();
        check("GET", "/", &many[..8], Ok(("/", "")));
        check("GET", "/", &many, Err(Fault::HeadersTooMany { count_max: 8 }.into()));
        // One byte of path, nine of host, five of the name.
        let value = |len: usize| "v".repeat(len);
        check("GET", "/", &[("host", "h"), ("x", &value(385))], Ok(("/", "")));
        check("GET", "/", &[("host", "h"), ("x", &value(386))], Err(Fault::HeadTooLarge { bytes_max: 400 }.into()));
    }

    #[test]
    fn the_body_is_announced() {
        let parts = parts("POST", "http://a/", &[("content-length", "12"), ("expect", "100-continue")]);
        let mut table = FieldTable::new();
        let head = Head::read(&parts, &mut table, &LIMITS).unwrap();
        assert_eq!((head.content_length, head.expects_continue), (Some(12), true));
        let mut body = *b"{}";
        let request = head.with(&mut body);
        assert_eq!(request.headers.first(), Some(&Header { name: "host", value: b"a" }));
        assert_eq!((request.method, request.body.len()), (Method::Post, 2));
    }

    proptest! {
        /// Whatever the library lets pass is a request with all its fields, or refused.
        #[test]
        fn fields_are_kept_or_refused(
            target in "/[ -~]{0,12}",
            fields in prop::collection::vec(("(host|expect|content-length|x-[a-z]{1,3})", "[\t -~é-\u{ffff}]{0,6}"), 0..6),
        ) {
            let mut request = ::http::Request::builder().uri(&target);
            for (name, value) in &fields {
                request = request.header(name, value.as_bytes());
            }
            let Ok(request) = request.body(()) else { return Ok(()) };
            let parts = request.into_parts().0;
            let mut table = FieldTable::new();
            if let Ok(head) = Head::read(&parts, &mut table, &LIMITS) {
                prop_assert!(head.path.starts_with('/'));
                prop_assert_eq!(head.headers.len(), fields.len());
                for (name, value) in &fields {
                    let field = Header { name, value: value.as_bytes() };
                    prop_assert!(head.headers.contains(&field), "{field:?}");
                }
                prop_assert!(head.headers.iter().filter(|field| field.name == "host").count() == 1);
            }
        }
    }
}
