//! An answer as every layer above the wire makes it, whatever protocol will carry it.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::stream::BoxStream;

use crate::core::fault::{Fault, Retry};
use crate::proto::json::write::{write_integer, write_string};

/// An answer without its framing: the wire adds status line, date, length and request id.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<ReplyHeader>,
    pub body: Body,
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
    /// JSON shared with the cache.
    Shared(Arc<Rendered>),
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
    /// Whole JSON text, envelope included.
    pub body: Box<[u8]>,
    /// Strong entity tag, quotes included. Equal bytes have equal tags on every node.
    pub etag: Box<str>,
}

impl Reply {
    #[must_use]
    pub const fn json(body: Body) -> Self {
        Self { status: 200, headers: Vec::new(), body }
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
        Self { status: verdict.status, headers: fault_headers(fault, verdict.retry), body: Body::Owned(body) }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push(ReplyHeader { name, value: value.into() });
        self
    }

    /// Names request headers on which this reply depends, beside those it names already.
    pub fn vary(&mut self, on: &'static str) {
        match self.headers.iter_mut().find(|header| header.name == "vary") {
            Some(known) => known.value = format!("{}, {on}", known.value).into(),
            None => self.headers.push(ReplyHeader { name: "vary", value: on.into() }),
        }
    }
}

fn fault_headers(fault: &Fault, retry: Retry) -> Vec<ReplyHeader> {
    let mut headers = Vec::new();
    let mut add = |name, value: Cow<'static, str>| headers.push(ReplyHeader { name, value });
    if let Retry::After(wait) = retry {
        // Rounded up: a client that obeys must not come a moment too early.
        add("retry-after", wait.as_millis().div_ceil(1000).max(1).to_string().into());
    }
    match fault {
        Fault::RateLimited(state) => {
            add("ratelimit-limit", state.limit.to_string().into());
            add("ratelimit-remaining", state.remaining.to_string().into());
            add("ratelimit-reset", state.reset.as_millis().div_ceil(1000).max(1).to_string().into());
        }
        Fault::MethodNotAllowed { allow } => add("allow", allow.clone()),
        Fault::TokenMissing => add("www-authenticate", "Bearer".into()),
        Fault::TokenInvalid | Fault::TokenExpired | Fault::SessionRevoked => {
            add("www-authenticate", r#"Bearer error="invalid_token""#.into());
        }
        _ => {}
    }
    headers
}

impl std::fmt::Debug for Chunks {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Chunks")
    }
}
