//! Replies as heads (RFC 9113 §8.3.2): the fields are those of HTTP/1, without those of a connection.
//! Never here: a field that tells of the protocol.

use ::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, DATE, ETAG, HeaderName, HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS,
};
use ::http::{Response, StatusCode};

use crate::proto::reply::{JSON, Reply};

/// Fields of the usual answer: type, length, date, identity, tag, what caches may do, and one of its own.
const FIELDS_USUAL: usize = 8;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The head of an answer, and about how many bytes it has.
#[must_use]
pub fn head(reply: &Reply, date: &HeaderValue, request_id: &str) -> (Response<()>, usize) {
    let mut response = Response::new(());
    debug_assert!((200..=599).contains(&reply.status), "final answers only");
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fields = response.headers_mut();
    fields.reserve(FIELDS_USUAL);
    // RFC 9110 §15.3.5, §15.4.5: neither has content; a 304 describes what the client already has.
    if !matches!(reply.status, 204 | 304) {
        let content = reply.content();
        let content_type = content.map_or(JSON, |content| content.content_type);
        if content_type == JSON {
            fields.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        } else if let Some(value) = value("content-type", content_type).filter(|_| !content_type.is_empty()) {
            fields.insert(CONTENT_TYPE, value);
        }
        // What a browser is given is what it says that it is.
        fields.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(content) = content {
            fields.insert(CONTENT_LENGTH, content.bytes.len().into());
        }
    }
    fields.insert(DATE, date.clone());
    if let Some(mut id) = value("x-request-id", request_id) {
        // Never the same twice: kept out of the table of known fields, where it would push out those that come again.
        id.set_sensitive(true);
        fields.insert(REQUEST_ID, id);
    }
    for (name, text) in reply.fields() {
        let is_ours = matches!(name, "connection" | "content-length" | "content-type" | "date" | "transfer-encoding");
        debug_assert!(!is_ours, "{name} is written by the wire alone");
        if let (Some(name), Some(value), false) = (field_name(name), value(name, text), is_ours) {
            fields.append(name, value);
        }
    }
    let bytes = fields.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    (response, bytes)
}

/// Those of every answer are known without a look at their bytes.
fn field_name(name: &str) -> Option<HeaderName> {
    match name {
        "etag" => Some(ETAG),
        "cache-control" => Some(CACHE_CONTROL),
        "vary" => Some(VARY),
        _ => HeaderName::from_bytes(name.as_bytes()).ok(),
    }
}

/// A value that no head can hold is a bug of ours and never leaves: the field is dropped.
fn value(name: &str, text: &str) -> Option<HeaderValue> {
    let value = HeaderValue::from_str(text).ok();
    debug_assert!(value.is_some(), "control byte in the value of {name}");
    value
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::proto::reply::{Body, Rendered};

    #[track_caller]
    fn check(reply: &Reply, expect: &str) {
        let (head, bytes) = head(reply, &HeaderValue::from_static("today"), "r-1");
        let all = head.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        let all: Vec<String> = all.collect();
        assert_eq!(bytes, all.iter().map(|field| field.len() - 2).sum::<usize>());
        // Which answers may be kept is the reply's affair.
        let mut fields: Vec<&str> =
            all.iter().map(String::as_str).filter(|f| !f.starts_with("cache-control")).collect();
        fields.sort_unstable();
        assert_eq!(format!("{} {}", head.status().as_u16(), fields.join(", ")), expect);
    }

    #[test]
    fn heads_say_what_http1_says() {
        let nosniff = "x-content-type-options: nosniff";
        let json = "content-type: application/json; charset=utf-8, date: today";
        check(
            &Reply::json(Body::Static(b"{}")).with("x-a", "1").with("x-a", "2"),
            &format!("200 content-length: 2, {json}, x-a: 1, x-a: 2, {nosniff}, x-request-id: r-1"),
        );
        let rendered = Arc::new(Rendered::json(*b"{}"));
        let tag = rendered.etag.clone();
        check(
            &Reply::json(Body::Shared(rendered.clone())),
            &format!("200 content-length: 2, {json}, etag: {tag}, {nosniff}, x-request-id: r-1"),
        );
        check(&Reply::new(304, Body::Shared(rendered)), &format!("304 date: today, etag: {tag}, x-request-id: r-1"));
        let nothing = Reply::new(204, Body::Empty);
        check(&nothing, "204 date: today, x-request-id: r-1");
        let text = Body::Text { content_type: "text/plain".into(), bytes: Arc::from(*b"abc") };
        let typed = "content-length: 3, content-type: text/plain, date: today";
        check(&Reply::json(text), &format!("200 {typed}, {nosniff}, x-request-id: r-1"));
    }
}
