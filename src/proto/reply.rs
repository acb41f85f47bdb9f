//! An answer as every layer above the wire makes it, whatever protocol will carry it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::BoxStream;
use xxhash_rust::xxh3::xxh3_64;

use crate::core::coding::Coding;
use crate::core::fault::{Fault, Retry};
use crate::proto::json::write::{write_integer, write_string};
use crate::proto::variants::Variants;

/// Media type of nearly every answer.
pub const JSON: &str = "application/json; charset=utf-8";

/// An answer without its framing: the wire adds status line, date, length and request id.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<ReplyHeader>,
    pub body: Body,
    pub compression: Compression,
}

/// Whether an answer may leave compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// If the client wants it and the body is worth it.
    Allowed,
    /// It holds a secret beside text that a stranger may have chosen: its compressed length would tell how alike they are
    /// (BREACH). Whatever carries tokens says so.
    Forbidden,
    /// It was chosen by `accept-encoding`, also when the choice was to leave it: caches must know (RFC 9110 §12.5.5).
    Negotiated,
}

/// What the wire needs of a body that is here whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content<'a> {
    /// Empty when there is no body.
    pub content_type: &'a str,
    pub bytes: &'a [u8],
}

/// A header that an action or guard adds. Names are lower case; values have no control bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyHeader {
    pub name: &'static str,
    pub value: Cow<'static, str>,
}

#[derive(Debug)]
pub enum Body {
    /// No body and no content type: 204 and 304.
    Empty,
    /// JSON that lives in the program.
    Static(&'static [u8]),
    /// JSON made for this answer.
    Owned(Vec<u8>),
    /// Shared with the cache or the configuration.
    Shared(Arc<Rendered>),
    /// A compressed variant that is kept with what it was made of; while there is none, the body itself.
    Variant(Arc<Rendered>, Coding),
    /// Plain text that lives in the program or the configuration.
    Text { content_type: Arc<str>, bytes: Arc<[u8]> },
    /// JSON whose length is not known when the head is written: sent chunked, one item a chunk.
    Stream(Chunks),
}

/// A body that arrives in pieces. An error ends the connection, because the head has already left.
pub struct Chunks(pub BoxStream<'static, Result<Vec<u8>, Fault>>);

/// Bytes that were rendered once and are sent many times.
#[derive(Debug)]
pub struct Rendered {
    pub content_type: Cow<'static, str>,
    /// For JSON the whole text, envelope included.
    pub body: Box<[u8]>,
    /// Strong entity tag, quotes included. Equal bytes have equal tags on every node.
    pub etag: Box<str>,
    /// The body compressed, in as many codings as were asked for.
    pub variants: Variants,
}

impl Rendered {
    #[must_use]
    pub fn new(content_type: impl Into<Cow<'static, str>>, body: impl Into<Box<[u8]>>) -> Self {
        let body = body.into();
        Self { content_type: content_type.into(), etag: etag(&body), variants: Variants::within(body.len()), body }
    }

    #[must_use]
    pub fn json(body: impl Into<Box<[u8]>>) -> Self {
        Self::new(JSON, body)
    }
}

/// Strong entity tag of bytes, quotes included: the same on every node and version.
#[must_use]
pub fn etag(bytes: &[u8]) -> Box<str> {
    format!("\"{:016x}\"", xxh3_64(bytes)).into()
}

impl Reply {
    #[must_use]
    pub const fn json(body: Body) -> Self {
        Self::new(200, body)
    }

    #[must_use]
    pub const fn new(status: u16, body: Body) -> Self {
        Self { status, headers: Vec::new(), body, compression: Compression::Allowed }
    }

    /// A fault in the one error form: `{"code":…,"message":"…","request_id":"…"}`.
    #[must_use]
    pub fn from_fault(fault: &Fault, request_id: &str) -> Self {
        let verdict = fault.verdict();
        let mut body = Vec::with_capacity(128);
        body.extend_from_slice(br#"{"code":"#);
        write_integer(&mut body, verdict.code.into());
        body.extend_from_slice(br#","message":"#);
        write_string(&mut body, &fault.to_string());
        body.extend_from_slice(br#","request_id":"#);
        write_string(&mut body, request_id);
        body.push(b'}');
        Self {
            status: verdict.status,
            headers: fault_headers(fault, verdict.retry),
            body: Body::Owned(body),
            compression: Compression::Forbidden,
        }
    }

    /// Asks the client to wait before it tries again. Rounded up to seconds, at least one: a client that obeys must not come a
    /// moment too early.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        self.with("retry-after", whole_seconds(wait))
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push(ReplyHeader { name, value: value.into() });
        self
    }

    /// Names request headers on which this reply depends, beside those it names already. To be called when its coding is
    /// settled.
    pub fn vary(&mut self, on: &'static str) {
        match self.headers.iter_mut().find(|header| header.name == "vary") {
            Some(known) => known.value = format!("{}, {on}", known.value).into(),
            None if self.compression == Compression::Negotiated => {
                self.headers.push(ReplyHeader { name: "vary", value: format!("accept-encoding, {on}").into() });
            }
            None => self.headers.push(ReplyHeader { name: "vary", value: on.into() }),
        }
    }

    /// For what carries a secret.
    #[must_use]
    pub const fn uncompressed(mut self) -> Self {
        self.compression = Compression::Forbidden;
        self
    }

    /// The body; `None` for a stream.
    #[must_use]
    pub fn content(&self) -> Option<Content<'_>> {
        let (content_type, bytes): (_, &[u8]) = match &self.body {
            Body::Empty => ("", b""),
            Body::Static(bytes) => (JSON, bytes),
            Body::Owned(bytes) => (JSON, bytes),
            Body::Shared(rendered) => (&*rendered.content_type, &rendered.body),
            Body::Variant(rendered, coding) => {
                let variant = rendered.variants.get(*coding);
                (&*rendered.content_type, variant.map_or(&rendered.body, |variant| &variant.body))
            }
            Body::Text { content_type, bytes } => (&**content_type, bytes),
            Body::Stream(_) => return None,
        };
        Some(Content { content_type, bytes })
    }

    /// All fields except those of the wire itself: the reply's own, and what its body says of itself.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let coding = match &self.body {
            Body::Variant(rendered, coding) => rendered.variants.get(*coding).map(|_| coding.name()),
            _ => None,
        };
        let negotiated = self.compression == Compression::Negotiated && self.header("vary").is_none();
        let vary = negotiated.then_some("accept-encoding");
        // RFC 9111 §4.2.2: unless told otherwise, a cache makes up how long an answer is fresh; and nobody's rows belong into
        // one that others share. A 304 says what its 200 would have said (RFC 9110 §15.4.5).
        let silent = matches!(self.status, 200 | 304) && self.header("cache-control").is_none();
        // Without a tag there is nothing to ask again with.
        let asks_again = self.status == 304 || self.etag().is_some();
        let cache = silent.then_some(if asks_again { "private, no-cache" } else { "no-store" });
        let of_body =
            [("etag", self.body_etag()), ("content-encoding", coding), ("vary", vary), ("cache-control", cache)];
        let own = self.headers.iter().map(|header| (header.name, &*header.value));
        of_body.into_iter().filter_map(|(name, value)| Some((name, value?))).chain(own)
    }

    /// The entity tag: the one that was set, else that of the body.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.header("etag").or_else(|| self.body_etag())
    }

    /// A header of the reply's own.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.name == name).map(|header| &*header.value)
    }

    /// Only a success represents the resource that a client asks for again, or word that it is unchanged (RFC 9110 §8.8.3).
    fn body_etag(&self) -> Option<&str> {
        if !matches!(self.status, 200 | 304) || self.header("etag").is_some() {
            return None;
        }
        match &self.body {
            Body::Shared(rendered) => Some(&rendered.etag),
            Body::Variant(rendered, coding) => {
                Some(rendered.variants.get(*coding).map_or(&*rendered.etag, |variant| &variant.etag))
            }
            Body::Empty | Body::Static(_) | Body::Owned(_) | Body::Text { .. } | Body::Stream(_) => None,
        }
    }
}

fn fault_headers(fault: &Fault, retry: Retry) -> Vec<ReplyHeader> {
    let mut headers = Vec::new();
    let mut add = |name, value: Cow<'static, str>| headers.push(ReplyHeader { name, value });
    if let Retry::After(wait) = retry {
        add("retry-after", whole_seconds(wait).into());
    }
    match fault {
        Fault::RateLimited(state) => {
            add("ratelimit-limit", state.limit.to_string().into());
            add("ratelimit-remaining", state.remaining.to_string().into());
            add("ratelimit-reset", whole_seconds(state.reset).into());
        }
        Fault::MethodNotAllowed { allow } => add("allow", allow.clone()),
        // RFC 9110 §12.5.3: tells that it was the coding, and which would do.
        Fault::ContentCoding { accepted } => add("accept-encoding", accepted.clone()),
        Fault::TokenMissing => add("www-authenticate", "Bearer".into()),
        Fault::TokenInvalid | Fault::TokenExpired | Fault::SessionRevoked => {
            add("www-authenticate", r#"Bearer error="invalid_token""#.into());
        }
        _ => {}
    }
    headers
}

fn whole_seconds(wait: Duration) -> String {
    wait.as_millis().div_ceil(1000).max(1).to_string()
}

impl std::fmt::Debug for Chunks {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Chunks")
    }
}
