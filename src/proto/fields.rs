//! What the head of an answer says, whatever protocol carries it: its content, and the reply's own fields.
//! Never here: how a field is written.

use crate::proto::reply::{Body, Reply, ReplyHeader};

/// The type of nearly every answer.
pub const JSON: &str = "application/json; charset=utf-8";

/// What an answer holds.
pub struct Content<'a> {
    pub content_type: &'a str,
    /// `None`: not known yet, the body is a stream.
    pub bytes: Option<&'a [u8]>,
}

/// The content of an answer, if it has any.
#[must_use]
pub fn content(reply: &Reply) -> Option<Content<'_>> {
    // RFC 9110 §15.3.5, §15.4.5: neither has content; a 304 describes what the client already has.
    if matches!(reply.status, 204 | 304) {
        return None;
    }
    let (content_type, bytes): (_, Option<&[u8]>) = match &reply.body {
        Body::Empty => ("", Some(b"")),
        Body::Static(bytes) => (JSON, Some(bytes)),
        Body::Owned(bytes) => (JSON, Some(bytes)),
        Body::Shared(rendered) => (JSON, Some(&rendered.body)),
        Body::Text { content_type, bytes } => (&**content_type, Some(bytes)),
        Body::Stream(_) => (JSON, None),
    };
    Some(Content { content_type, bytes })
}

/// The fields that describe this reply and no other: its tag and what actions and guards added. The values are unchecked.
pub fn own_fields(reply: &Reply, mut write: impl FnMut(&'static str, &str)) {
    if let Body::Shared(rendered) = &reply.body
        && !reply.headers.iter().any(|header| header.name == "etag")
    {
        write("etag", &rendered.etag);
    }
    for ReplyHeader { name, value } in &reply.headers {
        let is_ours = matches!(*name, "connection" | "content-length" | "content-type" | "date" | "transfer-encoding");
        debug_assert!(!is_ours, "{name} is written by the wire alone");
        if !is_ours {
            write(name, value);
        }
    }
}
