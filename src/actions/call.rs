//! A request on its way into an action: borrowed from the receive buffer, or held when it has to wait or move.
//! Never here: decisions.

use std::ops::Range;
use std::sync::Arc;

use crate::core::ids::RouteId;
use crate::core::method::Method;
use crate::core::routes::PathParams;
use crate::core::token::access::Caller;
use crate::proto::request::{Header, Request};

/// A request that has passed all guards.
pub struct Call<'a> {
    pub request: Request<'a>,
    pub path: &'a PathParams<'a, 'a>,
    /// Present exactly when the route asks for a token.
    pub caller: Option<&'a Arc<Caller>>,
    pub route: RouteId,
}

/// A copy of a request, in two blocks, that can wait and can go to another shard.
#[derive(Debug)]
pub struct Held {
    method: Method,
    text: Vec<u8>,
    path_len: usize,
    query_len: usize,
    headers: Vec<(Range<u32>, Range<u32>)>,
    body: Vec<u8>,
}

impl Held {
    #[must_use]
    pub fn of(request: &Request<'_>) -> Self {
        let headers_len: usize = request.headers.iter().map(|h| h.name.len() + h.value.len()).sum();
        let mut text = Vec::with_capacity(request.path.len() + request.query.len() + headers_len);
        text.extend_from_slice(request.path.as_bytes());
        text.extend_from_slice(request.query.as_bytes());
        let mut keep = |bytes: &[u8]| {
            let start = text.len() as u32;
            text.extend_from_slice(bytes);
            start..text.len() as u32
        };
        let headers = request.headers.iter().map(|h| (keep(h.name.as_bytes()), keep(h.value))).collect();
        Self {
            method: request.method,
            path_len: request.path.len(),
            query_len: request.query.len(),
            headers,
            body: request.body.to_vec(),
            text,
        }
    }

    /// The request again, for as long as `serve` runs.
    pub fn with<R>(&mut self, serve: impl FnOnce(Request<'_>) -> R) -> R {
        let text = &self.text;
        let slice = |range: &Range<u32>| text.get(range.start as usize..range.end as usize).unwrap_or_default();
        let headers: Vec<Header<'_>> = self
            .headers
            .iter()
            .map(|(name, value)| Header {
                name: std::str::from_utf8(slice(name)).unwrap_or_default(),
                value: slice(value),
            })
            .collect();
        let utf8 = |from: usize, len: usize| text.get(from..from + len).and_then(|b| std::str::from_utf8(b).ok());
        serve(Request {
            method: self.method,
            path: utf8(0, self.path_len).unwrap_or_default(),
            query: utf8(self.path_len, self.query_len).unwrap_or_default(),
            headers: &headers,
            body: &mut self.body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_request_is_the_same_request() {
        let headers = [Header { name: "Host", value: b"shop" }, Header { name: "X-Empty", value: b"" }];
        let mut body = *b"{\"a\":1}";
        let request =
            Request { method: Method::Post, path: "/商品/1", query: "a=1&b=2", headers: &headers, body: &mut body };
        let mut held = Held::of(&request);
        held.with(|again| {
            assert_eq!((again.method, again.path, again.query), (Method::Post, "/商品/1", "a=1&b=2"));
            assert_eq!(again.headers, headers);
            assert_eq!(again.body, b"{\"a\":1}");
        });
    }
}
